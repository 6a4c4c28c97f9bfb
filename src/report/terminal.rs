//! The report on a terminal, or in a pipe.
//!
//! On a terminal tables are drawn with box characters and states are coloured; in a pipe everything is plain, one row one
//! line. Either way no line is wider than asked, and no input reaches the terminal as it is.

use std::collections::BTreeSet;

use comfy_table::presets::NOTHING;
use comfy_table::{Cell, CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};

use super::escape::{shorten, visible, width as columns};
use super::format::{days, plural, up_to, wrap};
use super::metrics::short_rows;
use super::model::{CheckEntry, ExceptionStatus, FindingEntry, Report, Source, VerdictWord};
use crate::model::{Answer, Certainty, FindingState, OutcomeKind, Severity, Word};

/// How wide, how plain, how much.
#[derive(Clone, Debug)]
pub struct TerminalOptions {
    /// Columns; below 80 counts as 80.
    pub width: usize,
    /// Standard output is a terminal that shows UTF-8: box characters.
    pub drawn: bool,
    /// Colours. Only ever with a terminal, and not with `NO_COLOR`.
    pub coloured: bool,
    /// Findings listed per check; 0: all.
    pub per_check: usize,
    /// How to see those that are not listed, as an end of a sentence.
    pub see_more: String,
    /// The flag that leads the other commands to this store, with a blank before it; empty where they find it themselves.
    pub place: String,
    /// Where the page lies; `None`: none was written.
    pub html: Option<String>,
}

impl Default for TerminalOptions {
    /// 80 columns, plain, ten findings per check.
    fn default() -> Self {
        Self {
            width: 80,
            drawn: false,
            coloured: false,
            per_check: 10,
            see_more: "`--limit 0` lists all".to_owned(),
            place: String::new(),
            html: None,
        }
    }
}

/// The whole report: what must be said first, completeness, verdict, checks, findings, exceptions.
pub fn terminal(report: &Report, options: &TerminalOptions) -> String {
    let mut screen = Screen::new(options);
    screen.head(report);
    screen.completeness(report);
    screen.verdict(report);
    screen.checks(report);
    screen.not_evaluated(report);
    screen.findings(report);
    screen.exceptions(report);
    screen.metrics(report);
    screen.foot();
    screen.finish()
}

/// One rule below the header, nothing else: rows stay close and numbers aligned.
const DRAWN: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─'));

/// The few colours there are, as the eight that every terminal has.
#[derive(Clone, Copy)]
enum Paint {
    Bold,
    Faint,
    Red,
    Yellow,
    Green,
    Blue,
}

impl Paint {
    fn code(self) -> &'static str {
        match self {
            Self::Bold => "1",
            Self::Faint => "2",
            Self::Red => "31",
            Self::Yellow => "33",
            Self::Green => "32",
            Self::Blue => "34",
        }
    }

    fn of(severity: Severity) -> Self {
        match severity {
            Severity::Critical | Severity::High => Self::Red,
            Severity::Medium => Self::Yellow,
            Severity::Low | Severity::Info => Self::Blue,
        }
    }
}

/// Rejected records that are shown: one of each kind, and no more kinds than these.
const REJECTS_SHOWN: usize = 8;

/// Lines of a terminal, none wider than asked.
pub(super) struct Screen<'a> {
    out: String,
    width: usize,
    options: &'a TerminalOptions,
}

impl<'a> Screen<'a> {
    pub(super) fn new(options: &'a TerminalOptions) -> Self {
        Self { out: String::new(), width: options.width.max(80), options }
    }

    pub(super) fn finish(self) -> String {
        self.out
    }
}

impl Screen<'_> {
    pub(super) fn line(&mut self, text: &str) {
        self.out.push_str(text.trim_end());
        self.out.push('\n');
    }

    fn paint(&self, paint: Paint, text: &str) -> String {
        if self.options.coloured { format!("\u{1b}[{}m{text}\u{1b}[0m", paint.code()) } else { text.to_owned() }
    }

    pub(super) fn heading(&mut self, text: &str) {
        self.line("");
        let text = self.paint(Paint::Bold, text);
        self.line(&text);
    }

    pub(super) fn prose(&mut self, text: &str, first: &str, rest: &str) {
        for line in wrap(text, self.width, first, rest) {
            self.line(&line);
        }
    }

    /// A table: `right` are the columns that hold numbers, `wide` the one that gives way when there is too little room.
    pub(super) fn table(&mut self, header: &[&str], rows: Vec<Vec<String>>, right: &[usize], wide: usize) {
        let mut table = Table::new();
        table.load_style(if self.options.drawn { DRAWN } else { NOTHING });
        table.force_no_tty().set_content_arrangement(ContentArrangement::Disabled);
        let rows: Vec<Vec<String>> = rows.into_iter().map(|row| row.iter().map(|c| visible(c).into_owned()).collect()).collect();
        let room = self.room(header, &rows, wide);
        table.set_header(header.iter().map(Cell::new));
        for row in &rows {
            table.add_row(row.iter().enumerate().map(|(i, cell)| if i == wide { shorten(cell, room).into_owned() } else { cell.clone() }));
        }
        for column in right {
            if let Some(column) = table.column_mut(*column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        for line in table.lines() {
            self.line(&line);
        }
    }

    /// Columns left for the giving column of a table once the others stand.
    fn room(&self, header: &[&str], rows: &[Vec<String>], wide: usize) -> usize {
        let widest = |i: usize, name: &str| rows.iter().filter_map(|r| r.get(i)).map(|c| columns(c)).chain([columns(name)]).max();
        // Each column has a blank on either side.
        let others: usize =
            header.iter().enumerate().filter(|(i, _)| *i != wide).filter_map(|(i, name)| widest(i, name)).map(|w| w + 2).sum();
        self.width.saturating_sub(others + 2).max(8)
    }

    fn head(&mut self, report: &Report) {
        let title = self.paint(Paint::Bold, &format!("holdover {}", visible(&report.tool_version)));
        let from = if report.as_of_from.as_str() == "derived" { ", derived from the newest snapshot" } else { "" };
        self.line(&format!("{title}  run {}", visible(&report.run)));
        self.line(&format!("as of {}{from}", report.as_of));
        for sentence in &report.headline {
            self.prose(sentence, "! ", "  ");
        }
    }

    fn completeness(&mut self, report: &Report) {
        self.heading("Completeness");
        let mut rows: Vec<Vec<String>> = report.sources.iter().map(source_row).collect();
        for missing in &report.missing {
            let state = if missing.expected { "MISSING" } else { "absent, optional" };
            let mut row = vec![missing.system.clone()];
            row.extend(["-", "-", "-", "-", "-", state].map(str::to_owned));
            rows.push(row);
        }
        if rows.is_empty() {
            self.line("  no source: nothing was looked at");
            return;
        }
        self.table(&["system", "observed", "age", "read", "accepted", "rejected", "state"], rows, &[2, 3, 4, 5], 0);
        if report.sources.iter().any(|s| s.taken_at_from == "inferred") {
            self.prose("~ inferred from the newest instant inside the export", "  ", "  ");
        }
        for source in &report.sources {
            for problem in &source.problems {
                self.prose(&format!("{}: {problem}", source.system), "  ! ", "    ");
            }
            if source.ignored_later > 0 {
                let later = plural(u64::from(source.ignored_later), "snapshot", "snapshots");
                self.prose(&format!("{}: {later} later than `as_of`, ignored", source.system), "  - ", "    ");
            }
        }
        if report.rejects_total > 0 {
            self.rejects(report);
        }
    }

    fn rejects(&mut self, report: &Report) {
        let total = plural(report.rejects_total, "record", "records");
        self.prose(&format!("{total} rejected:"), "  - ", "    ");
        // The first of every kind: hundreds of one kind must not hide another.
        let mut kinds = BTreeSet::new();
        let listed: Vec<_> = report.rejects.iter().filter(|r| kinds.insert((&r.system, &r.reason))).take(REJECTS_SHOWN).collect();
        let hidden = report.rejects_total.saturating_sub(u64::try_from(listed.len()).unwrap_or(u64::MAX));
        for reject in listed {
            let place = format!("{} {} {}", reject.file, reject.unit, reject.number);
            self.prose(&format!("{place}: {} ({})", reject.message, reject.reason), "    ", "      ");
        }
        if hidden > 0 {
            self.line(&format!("    and {hidden} more, on the page and in `--format json`"));
        }
    }

    fn verdict(&mut self, report: &Report) {
        let totals = &report.totals;
        let paint = match report.verdict.word {
            VerdictWord::Clean => Paint::Green,
            VerdictWord::Findings | VerdictWord::Failed => Paint::Red,
            VerdictWord::Incomplete => Paint::Yellow,
        };
        let word = self.paint(paint, report.verdict.word.as_str());
        self.heading("Verdict");
        self.line(&format!("  {word}, exit code {}", report.verdict.exit_code));
        for sentence in &report.verdict.sentences {
            self.prose(sentence, "  ", "  ");
        }
        let found = format!("live findings {}", up_to(totals.certain, totals.possible));
        let counted = report.by_severity().into_iter();
        let severities: Vec<String> = counted.map(|(s, certain, possible)| format!("{s} {}", up_to(certain, possible))).collect();
        let by = if severities.is_empty() { String::new() } else { format!(": {}", severities.join(", ")) };
        self.prose(&format!("{found}{by}"), "  ", "  ");
        let s = &totals.states;
        let states = [
            ("new", s.new),
            ("open", s.open),
            ("reopened", s.reopened),
            ("unverified", s.unverified),
            ("excepted", s.excepted),
            ("resolved", s.resolved),
        ];
        let states = states.map(|(name, n)| format!("{name} {n}")).join(", ");
        self.prose(&states, "  ", "  ");
        if totals.also > 0 {
            self.prose(&format!("{} more under a covering check, not counted", totals.also), "  ", "  ");
        }
    }

    fn checks(&mut self, report: &Report) {
        let evaluated: Vec<&CheckEntry> = report.checks.iter().filter(|c| c.was_evaluated()).collect();
        if evaluated.is_empty() {
            return;
        }
        self.heading("Checks");
        let counts = |c: &&CheckEntry| {
            let t = &c.counts;
            vec![
                c.id.clone(),
                c.severity.to_string(),
                t.certain.to_string(),
                if t.possible == 0 { String::new() } else { (t.certain + t.possible).to_string() },
                t.states.new.to_string(),
                t.states.excepted.to_string(),
            ]
        };
        let header = ["check", "severity", "certain", "up to", "new", "excepted"];
        self.table(&header, evaluated.iter().map(counts).collect(), &[2, 3, 4, 5], 0);
        self.heading("What the checks could see");
        let asked = |c: &&CheckEntry| {
            let a = &c.asked;
            let mut row = vec![c.id.clone()];
            row.extend([a.population, a.evaluated, a.unknown, a.too_new, a.not_yet_observable, a.before_coverage].map(|n| n.to_string()));
            row
        };
        let header = ["check", "subjects", "judged", "unknown", "too new", "not yet", "before log"];
        self.table(&header, evaluated.iter().map(asked).collect(), &[1, 2, 3, 4, 5, 6], 0);
    }

    /// Checks that were not evaluated somewhere, or failed: one line per check and reason.
    fn not_evaluated(&mut self, report: &Report) {
        let mut lines: Vec<(String, String)> = Vec::new();
        for check in &report.checks {
            for o in check.outcomes.iter().filter(|o| o.outcome != OutcomeKind::Evaluated) {
                let word = if o.outcome == OutcomeKind::Failed { "failed" } else { "not evaluated" };
                let key = format!("{} {word}: {}", check.id, o.reason.as_deref().unwrap_or("no reason given"));
                match lines.last_mut().filter(|(last, _)| *last == key) {
                    Some((_, systems)) => *systems = format!("{systems}, {}", o.system),
                    None => lines.push((key, o.system.clone())),
                }
            }
        }
        if lines.is_empty() {
            return;
        }
        self.heading("Not evaluated");
        for (what, systems) in lines {
            self.prose(&format!("{what} ({systems})"), "  - ", "    ");
        }
    }

    fn findings(&mut self, report: &Report) {
        let live: Vec<&FindingEntry> = report.findings.iter().filter(|f| f.is_live() && !f.also).collect();
        for group in live.chunk_by(|a, b| a.check == b.check) {
            if let Some(first) = group.first() {
                self.group(report, first, group);
            }
        }
    }

    fn group(&mut self, report: &Report, first: &FindingEntry, group: &[&FindingEntry]) {
        let possible = u64::try_from(group.iter().filter(|f| f.certainty == Certainty::Possible).count()).unwrap_or(u64::MAX);
        let certain = u64::try_from(group.len()).unwrap_or(u64::MAX).saturating_sub(possible);
        let title = report.checks.iter().find(|c| c.id == first.check).map_or("", |c| c.title.as_str());
        let severity = self.paint(Paint::of(first.severity), first.severity.as_str());
        self.line("");
        self.line(&format!("{severity} {}: {}", self.paint(Paint::Bold, &visible(&first.check)), up_to(certain, possible)));
        self.prose(title, "  ", "  ");
        let remedy = report.checks.iter().find(|c| c.id == first.check).map_or("", |c| c.remedy.as_str());
        self.prose(&short_prose(remedy), if self.options.drawn { "  → " } else { "  > " }, "    ");
        let limit = if self.options.per_check == 0 { group.len() } else { self.options.per_check };
        for finding in group.iter().take(limit) {
            self.finding(finding);
        }
        let hidden = group.len().saturating_sub(limit);
        if hidden > 0 {
            let more = format!("and {hidden} more of {}: {}", first.check, self.options.see_more);
            self.prose(&more, "  ", "  ");
        }
    }

    /// One line to find it by, then what it is and what to do.
    fn finding(&mut self, f: &FindingEntry) {
        let state = if f.certainty == Certainty::Possible { format!("{}, possible", f.state) } else { f.state.to_string() };
        let id: String = f.fingerprint.chars().take(12).collect();
        let start = format!("  {id:<12} {state:<10} {} ", shorten(&visible(&f.system), 16));
        let room = self.width.saturating_sub(columns(&start));
        let subject = visible(f.subject_label());
        let line = format!("{start}{}", shorten(&subject, room));
        let line = if matches!(f.state, FindingState::New | FindingState::Reopened) { line } else { self.paint(Paint::Faint, &line) };
        self.line(&line);
        self.prose(&short_prose(&f.title), "    ", "    ");
    }

    fn exceptions(&mut self, report: &Report) {
        let troubled: Vec<_> = report.exceptions.iter().filter(|e| e.status != ExceptionStatus::Applies).collect();
        if troubled.is_empty() {
            return;
        }
        self.heading("Exceptions that need attention");
        for e in troubled {
            self.prose(&format!("{} {}: {}", e.id, e.status.as_str(), e.why), "  - ", "    ");
        }
    }

    fn metrics(&mut self, report: &Report) {
        let (rows, rest): (Vec<_>, Vec<_>) =
            short_rows(&report.metrics.list).into_iter().partition(|r| r.get(1).is_some_and(|v| !v.is_empty()));
        if !rows.is_empty() {
            self.heading("Metrics");
            self.table(&["metric", "value", ""], rows, &[], 1);
        }
        let without: Vec<&str> = rest.iter().filter_map(|r| r.first()).map(String::as_str).collect();
        if !without.is_empty() {
            self.prose(&format!("not measurable: {}", without.join(", ")), "  - ", "    ");
        }
        if !report.metrics.list.is_empty() {
            let more = format!("`holdover metrics{}` prints all of them, with their definitions", self.options.place);
            self.prose(&more, "  ", "  ");
        }
    }

    fn foot(&mut self) {
        self.line("");
        let explain = format!("`holdover explain{} FINGERPRINT` tells why, and from which line of which file", self.options.place);
        self.prose(&explain, "", "");
        if let Some(path) = &self.options.html {
            self.line(&format!("report: {}", visible(path)));
        }
    }
}

/// A sentence whose words are short enough to read: names of thousands of characters lose their middle.
fn short_prose(text: &str) -> String {
    visible(text).split(' ').map(|word| shorten(word, 60)).collect::<Vec<_>>().join(" ")
}

fn source_row(s: &Source) -> Vec<String> {
    let sum = |of: fn(&super::model::SourceFile) -> u64| s.files.iter().map(of).sum::<u64>().to_string();
    let inferred = if s.taken_at_from == "inferred" { "~" } else { "" };
    let age = s.age_days.map_or_else(|| "-".to_owned(), |d| format!("{} d", days(d)));
    vec![
        s.system.clone(),
        format!("{inferred}{}", s.observed_at.date()),
        age,
        sum(|f| f.read),
        sum(|f| f.accepted),
        sum(|f| f.rejected),
        source_state(s).to_owned(),
    ]
}

/// What the completeness table says of a source.
pub fn source_state(s: &Source) -> &'static str {
    match (s.complete, s.fresh) {
        (true, Answer::No) => "stale",
        (true, _) => "complete",
        (false, Answer::No) => "INCOMPLETE, stale",
        (false, _) => "INCOMPLETE",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::escape::is_hidden;
    use crate::report::sample;

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for (width, drawn) in [(80, false), (80, true), (120, false), (120, true)] {
            let text = terminal(&sample::report(), &TerminalOptions { width, drawn, per_check: 0, ..TerminalOptions::default() });
            for line in text.lines() {
                assert!(columns(line) <= width, "{width}: {} columns: {line}", columns(line));
            }
        }
    }

    #[test]
    fn nothing_hidden_reaches_a_pipe() {
        let text = terminal(&sample::report(), &TerminalOptions { per_check: 0, ..TerminalOptions::default() });
        assert_eq!(text.chars().filter(|c| is_hidden(*c) && *c != '\n').count(), 0);
        assert!(text.contains(r"invoice\u{202e}gpj.exe"));
        assert!(text.contains(r"\u{1b}[31mred"));
    }

    #[test]
    fn completeness_comes_before_the_verdict_and_the_verdict_before_findings() {
        let text = terminal(&sample::report(), &TerminalOptions::default());
        let place = |what: &str| text.find(what).unwrap_or_else(|| panic!("{what} in\n{text}"));
        assert!(place("! `crm` is expected") < place("Completeness"));
        assert!(place("Completeness") < place("Verdict"));
        assert!(place("Verdict") < place("critical leaver-access-unremoved"));
        assert!(place("and 12 more of stale-key: `--limit 0` lists all") < place("EX-9 void"));
    }

    #[test]
    fn a_whole_report_in_80_columns() {
        let text = terminal(
            &sample::report(),
            &TerminalOptions { per_check: 2, html: Some("runs/x/report.html".into()), ..TerminalOptions::default() },
        );
        insta::assert_snapshot!(text, @r###"
        holdover 0.1.0  run 20261122T000000Z-1a2b3c4d
        as of 2026-11-22T00:00:00Z
        ! `crm` is expected and has no snapshot: nothing is known of it

        Completeness
         system    observed      age  read  accepted  rejected  state
         ad-corp   2026-11-22    0 d  2492      2490         2  complete
         aws-prod  ~2026-11-22   0 d    96        96         0  INCOMPLETE
         hr        2026-11-22    0 d   400       400         0  complete
         ldap-lab  2026-10-13   40 d    44        44         0  stale
         crm       -               -     -         -         -  MISSING
          ~ inferred from the newest instant inside the export
          ! aws-prod: `aws/prod/page <1>.json` ends with a `NextToken`: pages are
            missing
          ! ldap-lab: 40 days old, the limit is 14
          - ldap-lab: 1 snapshot later than `as_of`, ignored
          - 2 records rejected:
            ad-corp/users.ldif line 1841: user entry has no `sAMAccountName`
              (ldif/missing-attribute)
            and 1 more, on the page and in `--format json`

        Verdict
          incomplete, exit code 3
          Two expected sources do not show everything: `aws-prod` is short, `crm` is
          missing.
          What they would show is not evaluated; it is not clean.
          live findings 33 (up to 37): critical 4, high 10 (up to 11), medium 19 (up to
          22)
          new 12, open 13, reopened 6, unverified 6, excepted 1, resolved 1
          1 more under a covering check, not counted

        Checks
         check                    severity  certain  up to  new  excepted
         leaver-access-unremoved  critical        4           4         0
         orphan-account           high            9     10    2         1
         source-incomplete        high            1           1         0
         stale-key                medium         19     22    5         0
         dormant-account          low             0           0         0

        What the checks could see
         check                  subjects  judged  unknown  too new  not yet  before log
         leaver-acc…-unremoved      1204    1192        9        2        1           0
         orphan-account             2354    2330       18        4        2           0
         source-incomplete            12       0        9        2        1           0
         stale-key                    96      84        9        2        1           0
         dormant-account            2310    2298        9        2        1           0

        Not evaluated
          - disabled-account-live-credential not evaluated: `credentials` is not covered
            (ad-corp, ldap-lab)

        critical leaver-access-unremoved: 4
          Access of somebody who left
          > Disable the account, or record who answers for it.
          000000000000 new        ad-corp ad-corp/guid-0100 -> Domain Admins
            `Jane Doe` left 2026-05-03 and is still a member of `Domain Admins`, 203
            days later
          000000000000 new        ad-corp ad-corp/guid-0100 -> Finance Share RW
            `Jane Doe` left 2026-05-03 and is still a member of `Finance Share RW`, 203
            days later
          and 2 more of leaver-access-unremoved: `--limit 0` lists all

        high orphan-account: 9 (up to 10)
          Account that nobody answers for
          > Disable the account, or record who answers for it.
          9f3a2c10b4de new        ad-corp <script>alert('x')</script>
            `<script>alert('x')</script>` is live, and nobody in `hr` fits it
          3e74582169bc open       ad-corp invoice\u{202e}gpj.exe
            `invoice\u{202e}gpj.exe` is live, and nobody in `hr` fits it
          and 8 more of orphan-account: `--limit 0` lists all

        high source-incomplete: 1
          Source that does not show everything
          > Disable the account, or record who answers for it.
          b896c754083d new        aws-prod aws-prod
            the export of `aws-prod` is short: the last page names a next one

        medium stale-key: 19 (up to 22)
          Access key older than its limit
          > Disable the account, or record who answers for it.
          d77fe4b7c58a new        aws-prod arn:aws:iam::123456789012:user/ci/deployer-10
            access key of `deployer-10` is 203 days old, the limit is 90
          76ba10c87a68 open       aws-prod arn:aws:iam::123456789012:user/ci/deployer-11
            access key of `deployer-11` is 203 days old, the limit is 90
          and 20 more of stale-key: `--limit 0` lists all

        Exceptions that need attention
          - EX-11 unmatched: no finding of `stale-key` names `deployer-99`
          - EX-9 void: `approver` is missing

        Metrics
         metric            value
         exception-volume  open                       3
         orphan-rate       share                      0.5 % (up to 0.7 %)
         time-to-revoke    seen to close within 24 h  25.0 % (up to 50.0 %)
                           estimated median           at least 1.00 d
          - not measurable: failed-workflows
          `holdover metrics` prints all of them, with their definitions

        `holdover explain FINGERPRINT` tells why, and from which line of which file
        report: runs/x/report.html
        "###);
    }
}
