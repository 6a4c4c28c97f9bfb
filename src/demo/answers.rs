//! What an auditor should find, and what only looks like a fault.

use super::csv_out::table;

/// What becomes of a finding over the eight exports. `New`, `Resolved` and `Reopened` turn between the last three.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    New,
    Open,
    Excepted,
    Resolved,
    Reopened,
    Unverified,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Open => "open",
            Self::Excepted => "excepted",
            Self::Resolved => "resolved",
            Self::Reopened => "reopened",
            Self::Unverified => "unverified",
        }
    }
}

/// What a finding is about: as an auditor would write it, and as the system names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject {
    pub system: String,
    pub shown: String,
    pub native_id: String,
    /// Native id of the account concerned, where it is not the subject itself.
    pub account: Option<String>,
}

/// One finding that is due.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Answer {
    pub check: &'static str,
    pub subject: Subject,
    pub certain: bool,
    pub state: State,
    pub why: String,
}

/// Something that looks like a fault and is none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NearMiss {
    pub check: &'static str,
    pub system: String,
    pub subject: String,
    pub why: String,
}

/// What should become of one exception.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Verdict {
    pub exception: String,
    pub status: &'static str,
    pub why: String,
}

/// All answers of one estate.
#[derive(Debug, Default)]
pub struct Answers {
    pub findings: Vec<Answer>,
    pub near_misses: Vec<NearMiss>,
    pub exceptions: Vec<Verdict>,
}

/// A check, and the checks under which its findings are kept but not counted.
const COVERED: &[(&str, &[&str])] = &[
    ("disabled-account-live-credential", &["leaver-live-credential"]),
    ("dormant-account", &["ghost-account", "orphan-account"]),
    ("expired-credential-enabled", &["leaver-live-credential", "disabled-account-live-credential"]),
    ("expired-temporary-access", &["leaver-access-unremoved"]),
    ("leave-live-access", &["ghost-account"]),
    ("out-of-band-grant", &["privileged-unapproved", "regrant", "ghost-account", "orphan-account", "unregistered-nonhuman"]),
    ("privileged-unapproved", &["ghost-account", "orphan-account", "unregistered-nonhuman"]),
    ("regrant", &["ghost-account", "orphan-account", "unregistered-nonhuman"]),
    ("source-incomplete", &["system-without-source"]),
    ("stale-key", &["leaver-live-credential"]),
    ("unused-key", &["leaver-live-credential"]),
];

impl Answers {
    pub fn near(&mut self, check: &'static str, system: &str, subject: &str, why: &str) {
        self.near_misses.push(NearMiss { check, system: system.to_owned(), subject: subject.to_owned(), why: why.to_owned() });
    }

    /// Puts everything into the order of the files.
    pub fn sort(&mut self) {
        self.findings.sort();
        self.near_misses.sort();
        self.exceptions.sort();
    }

    /// `answers.csv`.
    pub fn findings_csv(&self) -> String {
        let rows = self.findings.iter().map(|answer| {
            vec![
                answer.check.to_owned(),
                if answer.certain { "certain" } else { "possible" }.to_owned(),
                answer.state.word().to_owned(),
                if self.is_covered(answer) { "yes" } else { "no" }.to_owned(),
                answer.subject.system.clone(),
                answer.subject.shown.clone(),
                answer.subject.native_id.clone(),
                answer.why.clone(),
            ]
        });
        table("check,certainty,state,also,system,subject,native_id,why", rows)
    }

    /// `near-misses.csv`.
    pub fn near_misses_csv(&self) -> String {
        let rows =
            self.near_misses.iter().map(|near| vec![near.check.to_owned(), near.system.clone(), near.subject.clone(), near.why.clone()]);
        table("check,system,subject,why", rows)
    }

    /// `answers-exceptions.csv`.
    pub fn exceptions_csv(&self) -> String {
        let rows = self.exceptions.iter().map(|one| vec![one.exception.clone(), one.status.to_owned(), one.why.clone()]);
        table("exception,status,why", rows)
    }

    /// Whether a covering check reports the same subject, or its account.
    fn is_covered(&self, answer: &Answer) -> bool {
        let Some((_, covering)) = COVERED.iter().find(|(check, _)| *check == answer.check) else { return false };
        self.findings.iter().any(|other| {
            let same =
                other.subject.native_id == answer.subject.native_id || Some(&other.subject.native_id) == answer.subject.account.as_ref();
            covering.contains(&other.check) && other.subject.system == answer.subject.system && same && other.state != State::Resolved
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(check: &'static str, native_id: &str, account: Option<&str>) -> Answer {
        let subject =
            Subject { system: "s".into(), shown: native_id.into(), native_id: native_id.into(), account: account.map(str::to_owned) };
        Answer { check, subject, certain: true, state: State::Open, why: String::new() }
    }

    #[test]
    fn a_covered_finding_says_so() {
        let findings = vec![
            answer("leaver-live-credential", "a#ssh/1", Some("a")),
            answer("disabled-account-live-credential", "a#ssh/1", Some("a")),
            answer("disabled-account-live-credential", "b#ssh/1", Some("b")),
        ];
        let answers = Answers { findings, ..Answers::default() };
        let also: Vec<bool> = answers.findings.iter().map(|a| answers.is_covered(a)).collect();
        assert_eq!(also, [false, true, false]);
        assert!(answers.findings_csv().contains("disabled-account-live-credential,certain,open,yes,s,a#ssh/1,a#ssh/1,\n"));
    }
}
