//! The form that a check's rows must have, as far as it can be told before there are rows: the columns and their types.

use crate::checks::{Check, CheckError};
use crate::engine::findings::KEYS;
use crate::model::{SubjectKind, Word};
use crate::sql::{OutputColumn, Query, Type};

/// What is wrong with the columns of a check, each with its line in the file.
pub fn faults(check: &Check, query: &Query) -> Vec<CheckError> {
    let form = Form { check, query };
    let mut faults = form.of_columns();
    faults.extend(form.of_message());
    faults
}

/// What a column must hold.
#[derive(Clone, Copy)]
enum Holds {
    Text,
    Instant,
    /// The number of a system, as the views give it.
    System,
    /// The number of a row: no fraction.
    Number,
}

impl Holds {
    fn fits(self, ty: Type) -> bool {
        match self {
            Self::Text => ty == Type::Text,
            Self::Instant => ty == Type::Timestamp,
            Self::System => ty == Type::U32,
            Self::Number => matches!(ty, Type::U32 | Type::U64 | Type::Bigint),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Instant => "a timestamp",
            Self::System => "a system's number as the views give it (UINTEGER)",
            Self::Number => "the number of a row",
        }
    }
}

/// The columns by which a finding's subject is found. A request is about an edge or an account: see [`Form::of_columns`].
fn keys(subject: SubjectKind) -> &'static [(&'static str, Holds)] {
    match subject {
        SubjectKind::Account => &[("system_ix", Holds::System), ("account_ix", Holds::Number)],
        SubjectKind::Credential => &[("system_ix", Holds::System), ("credential_ix", Holds::Number)],
        SubjectKind::Edge => &[("system_ix", Holds::System), ("edge", Holds::Text), ("edge_ix", Holds::Number)],
        SubjectKind::Identity => &[("identity_ix", Holds::Number)],
        SubjectKind::Source => &[("system", Holds::Text)],
        SubjectKind::Exception => &[("exception", Holds::Text)],
        SubjectKind::Request => &[("system_ix", Holds::System), ("request_system_ix", Holds::Number), ("request", Holds::Text)],
        SubjectKind::Rule => &[("subject", Holds::Text)],
    }
}

struct Form<'a> {
    check: &'a Check,
    query: &'a Query,
}

impl Form<'_> {
    fn output(&self, name: &str) -> Option<&OutputColumn> {
        self.query.outputs().iter().find(|c| c.name == name)
    }

    /// A fault at a line of the query.
    fn fault(&self, line: u32, what: String, help: String) -> CheckError {
        let line = u64::from(line) + u64::from(self.check.query_offset);
        CheckError { file: self.check.file.clone(), line, message: format!("check `{}`: {what}", self.check.id), help }
    }

    fn of_columns(&self) -> Vec<CheckError> {
        let needed = [("outcome", Holds::Text)].into_iter().chain(keys(self.check.subject).iter().copied());
        let mut faults: Vec<CheckError> = needed.filter_map(|(name, holds)| self.of_one(name, holds, true)).collect();
        faults.extend([("certainty", Holds::Text), ("since", Holds::Instant)].into_iter().filter_map(|(n, h)| self.of_one(n, h, false)));
        if self.check.subject == SubjectKind::Request {
            let edge = self.output("edge").is_some() && self.output("edge_ix").is_some();
            if !edge && self.output("account_ix").is_none() {
                let help = "give `account_ix`, or `edge` and `edge_ix`".to_owned();
                faults.push(self.fault(self.query.at().line, "gives neither the account nor the edge of its request".to_owned(), help));
            }
        }
        if self.query.outputs().iter().all(|c| KEYS.contains(&c.name.as_str())) {
            let help = "give a column that shows why, such as `a.login AS login`".to_owned();
            faults.push(self.fault(self.query.at().line, "its rows carry no evidence".to_owned(), help));
        }
        faults
    }

    /// The fault of one column that must hold something, and be there if it is `needed`.
    fn of_one(&self, name: &str, holds: Holds, needed: bool) -> Option<CheckError> {
        let subject = self.check.subject.as_str();
        match self.output(name) {
            Some(column) if holds.fits(column.ty) => None,
            Some(column) => {
                let what = format!("the column `{name}` is {}, not {}", column.ty.name(), holds.name());
                Some(self.fault(column.at.line, what, "see `docs/checks.md` for what the query gives".to_owned()))
            }
            None if needed => {
                let why =
                    if name == "outcome" { "its answer for each subject".to_owned() } else { format!("a key of subject `{subject}`") };
                let what = format!("there is no column `{name}`, {why}");
                Some(self.fault(self.query.at().line, what, format!("give {} under this name", holds.name())))
            }
            None => None,
        }
    }

    /// Places `{column}` of the message that the query does not give.
    fn of_message(&self) -> Vec<CheckError> {
        let mut faults = Vec::new();
        let mut rest = self.check.message.as_str();
        while let Some((name, tail)) = rest.split_once('{').and_then(|(_, after)| after.split_once('}')) {
            if self.output(name).is_none() {
                let known: Vec<&str> = self.query.outputs().iter().map(|c| c.name.as_str()).collect();
                faults.push(CheckError {
                    file: self.check.file.clone(),
                    line: u64::from(self.check.message_line),
                    message: format!("check `{}`: `message` names `{{{name}}}`, which its query does not give", self.check.id),
                    help: format!("name one of {}", known.join(", ")),
                });
            }
            rest = tail;
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::super::faults;
    use crate::checks::{Check, load};

    fn check(subject: &str, message: &str, select: &str) -> Check {
        let text = format!(
            "-- ---\n-- id = \"own\"\n-- title = \"t\"\n-- severity = \"low\"\n-- confidence = \"low\"\n-- grain = \"run\"\n\
             -- subject = \"{subject}\"\n-- needs = []\n-- message = \"{message}\"\n-- description = \"d\"\n-- remedy = \"r\"\n\
             -- false_positives = \"f\"\n-- controls = []\n-- ---\nWITH w AS (SELECT a.system_ix AS system_ix FROM accounts a)\n\
             SELECT {select}\nFROM accounts a\n"
        );
        Check::parse("own.sql", &text).unwrap()
    }

    fn told(subject: &str, message: &str, select: &str) -> Vec<String> {
        faults(&[check(subject, message, select)]).iter().map(|e| format!("{}: {}", e.line, e.message)).collect()
    }

    #[test]
    fn no_built_in_check_lacks_a_column() {
        let all = load(None).unwrap();
        assert!(all.len() > 20);
        assert_eq!(faults(&all).iter().map(ToString::to_string).collect::<Vec<_>>(), Vec::<String>::new());
    }

    #[test]
    fn every_fault_of_the_columns_is_told_with_its_line() {
        let keys = "a.system_ix AS system_ix,\na.account_ix AS account_ix";
        assert_eq!(told("account", "{login} {x", &format!("{keys}, 'ok' AS outcome, a.login AS login")), Vec::<String>::new());
        assert_eq!(
            told("account", "{login} of {place}", "a.login AS login, 'ok' AS state"),
            [
                "16: check `own`: there is no column `outcome`, its answer for each subject",
                "16: check `own`: there is no column `system_ix`, a key of subject `account`",
                "16: check `own`: there is no column `account_ix`, a key of subject `account`",
                "9: check `own`: `message` names `{place}`, which its query does not give",
            ]
        );
        assert_eq!(told("account", "m", &format!("{keys}, 'ok' AS outcome")), ["16: check `own`: its rows carry no evidence"]);
        assert_eq!(
            told(
                "account",
                "m",
                "CAST(a.system_ix AS BIGINT) AS system_ix, a.login AS account_ix,\n1 AS outcome,\nTRUE AS certainty,\n'x' AS since, 1 AS n"
            ),
            [
                "17: check `own`: the column `outcome` is BIGINT, not a text",
                "16: check `own`: the column `system_ix` is BIGINT, not a system's number as the views give it (UINTEGER)",
                "16: check `own`: the column `account_ix` is STRING, not the number of a row",
                "18: check `own`: the column `certainty` is BOOLEAN, not a text",
                "19: check `own`: the column `since` is STRING, not a timestamp",
            ]
        );
    }

    #[test]
    fn every_subject_has_its_keys() {
        let all = "a.system_ix AS system_ix, a.account_ix AS account_ix, a.account_ix AS credential_ix, a.account_ix AS edge_ix, \
                   'grant' AS edge, a.account_ix AS identity_ix, a.login AS system, a.login AS exception, a.login AS request, \
                   a.system_ix AS request_system_ix, a.login AS subject, 'ok' AS outcome, 1 AS n";
        for subject in ["account", "credential", "edge", "identity", "source", "exception", "request", "rule"] {
            assert_eq!(told(subject, "m", all), Vec::<String>::new(), "{subject}");
            let missing = told(subject, "m", "'ok' AS outcome, 1 AS n");
            assert!(!missing.is_empty() && missing.iter().all(|m| m.contains("key of subject") || m.contains("neither")), "{missing:?}");
        }
        let request = "a.system_ix AS system_ix, a.system_ix AS request_system_ix, a.login AS request, 'ok' AS outcome";
        assert_eq!(told("request", "m", request), ["16: check `own`: gives neither the account nor the edge of its request"]);
        assert_eq!(told("request", "m", &format!("{request}, a.account_ix AS account_ix")), Vec::<String>::new());
    }
}
