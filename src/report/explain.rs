//! One finding in full, as text: what, why, who, how, where from, and what to do.

use std::cmp::Ordering;

use super::escape::{visible, visible_lines};
use super::format::{NOT_STATED, span, up_to, wrap};
use super::model::{Arithmetic, Candidate, CheckEntry, ExceptionEntry, Explanation, FindingEntry, PathStep, TraceLine};
use crate::model::{Certainty, Word};

/// The explanation in lines of at most `width` columns (rule text, places and ids are never broken).
pub fn explain(explanation: &Explanation, width: usize) -> String {
    let mut page = Page { out: String::new(), width: width.max(40) };
    let finding = &explanation.finding;
    page.what(finding, explanation.check.as_ref());
    page.who(finding, &explanation.candidates);
    page.path(&explanation.path);
    page.arithmetic(&explanation.arithmetic);
    page.evidence(finding);
    page.origins(finding);
    page.exception(finding, explanation.exception.as_ref());
    page.heading("Remedy");
    page.paragraph(&finding.remedy);
    if let Some(check) = &explanation.check {
        page.rule(check);
    }
    page.heading("Run");
    page.field("run", &explanation.run);
    page.field("as of", &explanation.as_of.to_string());
    page.out
}

struct Page {
    out: String,
    width: usize,
}

impl Page {
    fn line(&mut self, text: &str) {
        self.out.push_str(text.trim_end());
        self.out.push('\n');
    }

    fn heading(&mut self, text: &str) {
        if !self.out.is_empty() {
            self.line("");
        }
        self.line(text);
    }

    fn paragraph(&mut self, text: &str) {
        for line in wrap(text, self.width, "  ", "  ") {
            self.line(&line);
        }
    }

    fn item(&mut self, text: &str) {
        for line in wrap(text, self.width, "  - ", "    ") {
            self.line(&line);
        }
    }

    fn field(&mut self, name: &str, value: &str) {
        let name = visible(name);
        self.line(&format!("  {name:<14} {}", visible(value)));
    }

    /// A field whose value is prose: broken at blanks.
    fn note(&mut self, name: &str, text: &str) {
        for line in wrap(text, self.width, &format!("  {name:<14} "), &" ".repeat(17)) {
            self.line(&line);
        }
    }

    fn what(&mut self, f: &FindingEntry, check: Option<&CheckEntry>) {
        self.heading("Finding");
        self.paragraph(&f.title);
        self.line("");
        self.field("fingerprint", &f.fingerprint);
        self.field("check", &check.map_or_else(|| f.check.clone(), |c| format!("{} ({})", c.id, c.title)));
        self.field("severity", f.severity.as_str());
        self.field("certainty", if f.certainty == Certainty::Certain { "certain" } else { "possible: true for some candidates only" });
        self.field("state", f.state.as_str());
        if f.also {
            self.note("also", "a covering check reports the same subject; left out of totals");
        }
        self.field("system", &f.system);
        self.field("subject", &format!("{} {}", f.subject.kind, f.subject.native_id));
        for (name, value) in [
            ("name", &f.subject.name),
            ("account", &f.account),
            ("principal", &f.principal),
            ("target", &f.target),
            ("target name", &f.target_name),
            ("resource", &f.resource),
        ] {
            if let Some(value) = value {
                self.field(name, value);
            }
        }
        self.field("first seen", &f.first_seen.to_string());
        self.field("last seen", &f.last_seen.to_string());
        if let Some(at) = f.observed_at {
            self.field("observed at", &at.to_string());
        }
        if !f.controls.is_empty() {
            self.note("controls", &f.controls.join("; "));
        }
    }

    fn who(&mut self, f: &FindingEntry, candidates: &[Candidate]) {
        if candidates.is_empty() {
            if f.account.is_some() {
                self.heading("Identity");
                self.paragraph("No identity of any authority fits this account.");
            }
            return;
        }
        self.heading("Identity");
        for candidate in candidates {
            let name = candidate.name.as_deref().unwrap_or(&candidate.identity);
            self.item(&format!(
                "{name} ({}): {}, {} with confidence {}",
                candidate.identity, candidate.standing, candidate.state, candidate.score
            ));
            for line in &candidate.trace {
                self.trace(line);
            }
        }
    }

    fn trace(&mut self, t: &TraceLine) {
        let text = format!(
            "tier {}, rule `{}` (weight {}): `{}` = `{}` = `{}`",
            t.tier, t.rule, t.weight, t.account_column, t.identity_column, t.value
        );
        for line in wrap(&text, self.width, "      ", "        ") {
            self.line(&line);
        }
    }

    fn path(&mut self, steps: &[PathStep]) {
        if steps.is_empty() {
            return;
        }
        self.heading("Access path");
        for (depth, step) in steps.iter().enumerate() {
            let by = step.by.as_ref().map(|by| format!("{by} ")).unwrap_or_default();
            let id = step.native_id.as_ref().map(|id| format!(" ({id})")).unwrap_or_default();
            let indent = "  ".repeat(depth.min(10) + 1);
            self.line(&format!("{indent}{}", visible(&format!("{by}{} {}{id}", step.kind, step.name))));
        }
    }

    fn arithmetic(&mut self, lines: &[Arithmetic]) {
        if lines.is_empty() {
            return;
        }
        self.heading("Arithmetic");
        for line in lines {
            self.line(&format!("  {}:", visible(&line.what)));
            self.line(&format!("    {}", visible(&equation(line))));
        }
    }

    fn evidence(&mut self, f: &FindingEntry) {
        self.heading("Evidence");
        let widest = f.evidence.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).min(28);
        for (name, value) in &f.evidence {
            self.line(&format!("  {:<widest$} {}", visible(name), visible(&plain(value))));
        }
    }

    fn origins(&mut self, f: &FindingEntry) {
        if f.origins.is_empty() {
            return;
        }
        self.heading("Source");
        for origin in &f.origins {
            self.line(&format!("  {} ({}, {})", visible(&origin.place()), visible(&origin.table), visible(&origin.fact)));
        }
    }

    fn exception(&mut self, f: &FindingEntry, exception: Option<&ExceptionEntry>) {
        match (exception, &f.exception) {
            (Some(e), _) => {
                self.heading("Exception");
                self.field("exception", &e.id);
                self.field("status", e.status.as_str());
                self.note("why", &e.why);
                for (name, value) in [("owner", &e.owner), ("approver", &e.approver)] {
                    self.field(name, value.as_deref().unwrap_or(NOT_STATED));
                }
                self.field("expires", &e.expires_at.map_or_else(|| NOT_STATED.to_owned(), |t| t.to_string()));
            }
            (None, Some(id)) => {
                self.heading("Exception");
                self.field("exception", id);
            }
            (None, None) => {}
        }
    }

    fn rule(&mut self, check: &CheckEntry) {
        self.heading("Rule");
        self.paragraph(&check.description);
        self.line("");
        self.field("confidence", &check.confidence);
        self.field("grain", &check.grain);
        self.field("findings", &up_to(check.counts.certain, check.counts.possible));
        for (name, value) in &check.parameters {
            self.field(&format!(":{name}"), value);
        }
        for text in &check.false_positives {
            self.note("not a fault", text);
        }
        self.heading("Rule text as run");
        for line in visible_lines(&check.rule_text) {
            self.line(&format!("  {line}"));
        }
    }
}

/// `2026-11-22T00:00:00Z − 2026-05-03T00:00:00Z = 203 days > 90 days (stale_after)`.
///
/// Where the earlier instant is known to lie in (`from_after`, `from`], so does the difference, the other way round.
pub fn equation(a: &Arithmetic) -> String {
    let to = a.to.micros();
    let least = to.saturating_sub(a.from.micros());
    let mut text = match a.from_after {
        None => format!("{} − {} = {}", a.to, a.from, span(least)),
        Some(after) => {
            let most = to.saturating_sub(after.micros());
            format!("{} − ({}, {}] = at least {}, less than {}", a.to, after, a.from, span(least), span(most))
        }
    };
    if let Some(limit) = &a.limit {
        let most = a.from_after.map_or(least, |after| to.saturating_sub(after.micros()).saturating_sub(1));
        let sign = match (least.cmp(&limit.micros), most.cmp(&limit.micros)) {
            (Ordering::Greater, _) => ">",
            (_, Ordering::Less) => "<",
            (Ordering::Equal, Ordering::Equal) => "=",
            (Ordering::Equal, _) => "≥",
            (_, Ordering::Equal) => "≤",
            (Ordering::Less, Ordering::Greater) => "on both sides of",
        };
        text.push_str(&format!(" {sign} {} ({})", span(limit.micros), limit.name));
    }
    text
}

/// A value of the evidence as a person writes it: texts without quotes, null as `-`.
pub fn plain(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => "-".to_owned(),
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Time;
    use crate::model::time::DAY;
    use crate::report::model::Limit;
    use crate::report::sample;

    fn line(from: &str, from_after: Option<&str>, limit: i64) -> String {
        equation(&Arithmetic {
            what: String::new(),
            to: sample::at("2026-11-22T00:00:00Z"),
            from: sample::at(from),
            from_after: from_after.map(sample::at),
            limit: Some(Limit { name: "grace".into(), micros: limit * DAY }),
        })
    }

    #[test]
    fn the_arithmetic_can_be_followed_by_hand() {
        assert_eq!(line("2026-05-03T00:00:00Z", None, 90), "2026-11-22T00:00:00Z − 2026-05-03T00:00:00Z = 203 days > 90 days (grace)");
        assert_eq!(line("2026-11-21T00:00:00Z", None, 1), "2026-11-22T00:00:00Z − 2026-11-21T00:00:00Z = 1 day = 1 day (grace)");
    }

    #[test]
    fn an_age_seen_through_snapshots_is_an_interval() {
        let told = "2026-11-22T00:00:00Z − (2026-11-08T00:00:00Z, 2026-11-15T00:00:00Z] = at least 7 days, less than 14 days";
        let between = |limit| line("2026-11-15T00:00:00Z", Some("2026-11-08T00:00:00Z"), limit);
        assert_eq!(between(6), format!("{told} > 6 days (grace)"));
        assert_eq!(between(7), format!("{told} ≥ 7 days (grace)"));
        assert_eq!(between(10), format!("{told} on both sides of 10 days (grace)"));
        assert_eq!(between(14), format!("{told} < 14 days (grace)"));
    }

    #[test]
    fn differences_at_the_ends_of_time_do_not_overflow() {
        let (first, last) = (Time::from_micros(-62_135_596_800_000_000).unwrap(), Time::from_micros(253_402_300_799_999_999).unwrap());
        let a = Arithmetic { what: String::new(), to: last, from: first, from_after: None, limit: None };
        assert!(equation(&a).ends_with("3652058 days 23 h 59 min 59 s 999999 µs"));
    }

    #[test]
    fn an_explanation_reads_from_what_to_rule() {
        let text = explain(&sample::explanation(), 80);
        insta::assert_snapshot!(text, @r###"
        Finding
          `Jane Doe` left 2026-05-03 and is still a member of `Domain Admins`, 203 days
          later

          fingerprint    000000000000000000000000000000a0
          check          leaver-access-unremoved (Access of somebody who left)
          severity       critical
          certainty      certain
          state          new
          system         ad-corp
          subject        edge ad-corp/guid-0100 -> Domain Admins
          account        ad-corp/guid-0100
          principal      ad-corp/guid-0100
          target         Domain Admins
          target name    Domain Admins
          first seen     2026-11-15T00:00:00Z
          last seen      2026-11-22T00:00:00Z
          observed at    2026-11-22T00:00:00Z
          controls       NIST SP 800-53 AC-2(3); ISO/IEC 27001 A.5.18

        Identity
          - Jane Doe (E00100): left, linked with confidence 0.98
              tier 2, rule `employee-number` (weight 0.95): `employee_ref` =
                `employee_number` = `00100`
              tier 3, rule `email` (weight 0.6): `email_norm` = `email_norm` =
                `jane.doe@example.org\u{202e}`

        Access path
          account jdoe (ad-corp/guid-0100)
            member of group Domain Admins
              member of group Administrators

        Arithmetic
          since the end of employment:
            2026-11-22T00:00:00Z − 2026-05-03T00:00:00Z = 203 days > 90 days (stale_after)
          since HR knew:
            2026-11-22T00:00:00Z − (2026-05-03T00:00:00Z, 2026-05-10T00:00:00Z] = at least 196 days, less than 203 days

        Evidence
          login        Jane Doe
          status       active
          created_at   2025-01-31T08:15:00Z
          last_used_at -
          roles        ["reader","writer"]

        Source
          ad-corp/users.ldif#1a2b3c4d:2318 (accounts, row)

        Remedy
          remove `Jane Doe` from `Domain Admins`

        Rule
          An account that can authenticate and that no record of any authority explains.
          Nobody will ask for its removal when its reason ends.

          confidence     high
          grain          account
          findings       4
          :stale_after   90 days
          not a fault    A contractor who is kept in another list: add that list as an
                         authority.

        Rule text as run
          SELECT a.native_id AS subject,
                 a.login AS login
          FROM accounts AS a
          WHERE a.match_state = 'orphan'
            AND a.status <> 'disabled' -- locks lapse

        Run
          run            20261122T000000Z-1a2b3c4d
          as of          2026-11-22T00:00:00Z
        "###);
    }
}
