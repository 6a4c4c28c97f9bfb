//! From a stored finding to an entry of the report. Half-made findings go no further.

use serde_json::{Map, Value};

use super::model::{FindingEntry, Origin, Subject};
use crate::model::{FindingRow, SubjectKind};

/// Why a finding is not fit to be shown to anybody.
#[derive(Debug, thiserror::Error)]
pub enum HalfMade {
    #[error("finding `{fingerprint}` of check `{check}` has no {part}")]
    Missing { check: String, fingerprint: String, part: &'static str },
    #[error("finding `{fingerprint}` of check `{check}` has {part} that cannot be read: {source}")]
    Unreadable { check: String, fingerprint: String, part: &'static str, source: serde_json::Error },
}

impl FindingEntry {
    /// The entry of a stored row; `controls` are those of its check.
    ///
    /// # Errors
    /// JSON that cannot be read, and what [`FindingEntry::complete`] refuses.
    pub fn from_row(row: &FindingRow, controls: &[String]) -> Result<Self, HalfMade> {
        let unreadable =
            |part| move |source| HalfMade::Unreadable { check: row.check_id.clone(), fingerprint: row.fingerprint.clone(), part, source };
        let evidence: Map<String, Value> = serde_json::from_str(&row.evidence).map_err(unreadable("evidence"))?;
        let origins: Vec<Origin> = match &row.origins {
            Some(text) => serde_json::from_str(text).map_err(unreadable("origins"))?,
            None => Vec::new(),
        };
        Self {
            fingerprint: row.fingerprint.clone(),
            check: row.check_id.clone(),
            severity: row.severity,
            certainty: row.certainty,
            state: row.state,
            also: row.also,
            system: row.system.clone(),
            subject: Subject { kind: row.subject_kind, native_id: row.subject.clone(), name: row.subject_name.clone() },
            account: row.account.clone(),
            identity: row.identity.clone(),
            identity_name: row.identity_name.clone(),
            principal: row.principal.clone(),
            target: row.target.clone(),
            target_name: row.target_name.clone(),
            resource: row.resource.clone(),
            case_key: row.case_key.clone(),
            observed_at: row.observed_at,
            since: row.since,
            age_days: row.age_days,
            title: row.title.clone(),
            remedy: row.remedy.clone(),
            evidence: evidence.into_iter().collect(),
            origins,
            exception: row.exception.clone(),
            first_seen: row.first_seen,
            last_seen: row.last_seen,
            controls: controls.to_vec(),
        }
        .complete()
    }

    /// The finding itself, if it is whole: a fingerprint, a subject, a title, evidence, a remedy, and an origin where the
    /// subject is a row of an export.
    ///
    /// # Errors
    /// Names the part that is missing.
    pub fn complete(self) -> Result<Self, HalfMade> {
        let missing = match &self {
            f if f.fingerprint.is_empty() => "fingerprint",
            f if f.subject.native_id.is_empty() => "subject",
            f if f.title.trim().is_empty() => "title",
            f if f.evidence.is_empty() => "evidence",
            f if f.remedy.trim().is_empty() => "remedy",
            f if f.origins.is_empty() && is_exported(f.subject.kind) => "origin",
            _ => return Ok(self),
        };
        Err(HalfMade::Missing { check: self.check, fingerprint: self.fingerprint, part: missing })
    }
}

/// Whether subjects of this kind are rows that some export gave. A source and a rule are holdover's own.
fn is_exported(kind: SubjectKind) -> bool {
    match kind {
        SubjectKind::Account
        | SubjectKind::Credential
        | SubjectKind::Edge
        | SubjectKind::Identity
        | SubjectKind::Exception
        | SubjectKind::Request => true,
        SubjectKind::Source | SubjectKind::Rule => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> FindingRow {
        FindingRow {
            fingerprint: "00112233445566778899aabbccddeeff".into(),
            check_id: "ghost-account".into(),
            system: "ad".into(),
            subject_kind: SubjectKind::Account,
            subject: "guid-1".into(),
            title: "`jdoe` belongs to somebody who left".into(),
            remedy: "disable `jdoe`".into(),
            evidence: r#"{"zeta":1,"alpha":null}"#.into(),
            origins: Some(r#"[{"table":"accounts","file":"ad/users.ldif","unit":"line","number":18,"fact":"row"}]"#.into()),
            ..FindingRow::default()
        }
    }

    fn refusal(change: impl FnOnce(&mut FindingRow)) -> String {
        let mut row = row();
        change(&mut row);
        FindingEntry::from_row(&row, &[]).unwrap_err().to_string()
    }

    #[test]
    fn evidence_keeps_the_order_of_the_checks_columns() {
        let entry = FindingEntry::from_row(&row(), &["AC-2".into()]).unwrap();
        assert_eq!(entry.evidence.iter().map(|(k, _)| k.as_str()).collect::<Vec<_>>(), ["zeta", "alpha"]);
        assert_eq!(entry.origins[0].number, 18);
        assert_eq!(entry.controls, ["AC-2"]);
    }

    #[test]
    fn half_made_findings_are_refused() {
        let told = |part| format!("finding `00112233445566778899aabbccddeeff` of check `ghost-account` has no {part}");
        assert_eq!(refusal(|r| r.evidence = "{}".into()), told("evidence"));
        assert_eq!(refusal(|r| r.remedy = " ".into()), told("remedy"));
        assert_eq!(refusal(|r| r.origins = None), told("origin"));
        assert_eq!(refusal(|r| r.origins = Some("[]".into())), told("origin"));
        assert!(refusal(|r| r.evidence = "[1]".into()).contains("has evidence that cannot be read"));
    }

    #[test]
    fn a_finding_about_a_source_needs_no_row() {
        let mut row = row();
        (row.subject_kind, row.origins) = (SubjectKind::Source, None);
        assert!(FindingEntry::from_row(&row, &[]).is_ok());
    }
}
