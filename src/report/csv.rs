//! Findings as CSV (RFC 4180: CRLF, quotes doubled), twice: the canonical file for programs and digests, and one that a
//! spreadsheet may open.

use super::model::{FindingEntry, Origin, Report};
use crate::model::Word;

/// The columns of both files, in order. New ones are only ever added at the end.
const COLUMNS: [&str; 29] = [
    "fingerprint",
    "check",
    "severity",
    "certainty",
    "state",
    "also",
    "system",
    "subject_kind",
    "subject",
    "subject_name",
    "account",
    "identity",
    "identity_name",
    "principal",
    "target",
    "target_name",
    "resource",
    "case",
    "observed_at",
    "since",
    "age_days",
    "title",
    "remedy",
    "exception",
    "first_seen",
    "last_seen",
    "controls",
    "origins",
    "evidence",
];

/// The spreadsheet-safe file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spreadsheet {
    /// UTF-8 with a byte order mark, every cell quoted.
    pub text: String,
    /// Cells that differ from the canonical file.
    pub altered: u64,
}

/// The canonical file: UTF-8 without byte order mark, values as they are, quoted only where they must be. A null and an
/// empty text are both an empty cell.
pub fn canonical(report: &Report) -> String {
    let mut out = row_text(COLUMNS.iter().map(|c| quoted_if_needed(c)));
    for finding in &report.findings {
        out.push_str(&row_text(cells(finding).iter().map(|c| quoted_if_needed(c))));
    }
    out
}

/// The file for spreadsheets: `'` before each cell that a spreadsheet could take for a formula.
pub fn spreadsheet(report: &Report) -> Spreadsheet {
    let mut altered = 0;
    let mut text = String::from("\u{feff}");
    text.push_str(&row_text(COLUMNS.iter().map(|c| quoted(c))));
    for finding in &report.findings {
        text.push_str(&row_text(cells(finding).into_iter().map(|cell| {
            if is_formula(&cell) {
                altered += 1;
                quoted(&format!("'{cell}"))
            } else {
                quoted(&cell)
            }
        })));
    }
    Spreadsheet { text, altered }
}

/// Whether a spreadsheet could run the cell: its first character is one of `= + - @`, their full-width forms, TAB, CR, LF
/// or NUL.
fn is_formula(cell: &str) -> bool {
    cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '\0', '\u{FF1D}', '\u{FF0B}', '\u{FF0D}', '\u{FF20}'])
}

fn row_text(cells: impl Iterator<Item = String>) -> String {
    let mut row = cells.collect::<Vec<_>>().join(",");
    row.push_str("\r\n");
    row
}

fn quoted(cell: &str) -> String {
    format!("\"{}\"", cell.replace('"', "\"\""))
}

fn quoted_if_needed(cell: &str) -> String {
    if cell.contains(['"', ',', '\r', '\n']) { quoted(cell) } else { cell.to_owned() }
}

fn cells(f: &FindingEntry) -> [String; COLUMNS.len()] {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let time = |value: &Option<crate::model::Time>| value.map(|t| t.to_string()).unwrap_or_default();
    [
        f.fingerprint.clone(),
        f.check.clone(),
        f.severity.as_str().to_owned(),
        f.certainty.as_str().to_owned(),
        f.state.as_str().to_owned(),
        f.also.to_string(),
        f.system.clone(),
        f.subject.kind.as_str().to_owned(),
        f.subject.native_id.clone(),
        text(&f.subject.name),
        text(&f.account),
        text(&f.identity),
        text(&f.identity_name),
        text(&f.principal),
        text(&f.target),
        text(&f.target_name),
        text(&f.resource),
        f.case_key.clone(),
        time(&f.observed_at),
        time(&f.since),
        f.age_days.map(|d| d.to_string()).unwrap_or_default(),
        f.title.clone(),
        f.remedy.clone(),
        text(&f.exception),
        f.first_seen.to_string(),
        f.last_seen.to_string(),
        f.controls.join("; "),
        f.origins.iter().map(Origin::place).collect::<Vec<_>>().join("; "),
        evidence(f),
    ]
}

/// The evidence as one JSON object.
fn evidence(f: &FindingEntry) -> String {
    let object: serde_json::Map<String, serde_json::Value> = f.evidence.iter().cloned().collect();
    serde_json::Value::Object(object).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn read(text: &str) -> Vec<csv::StringRecord> {
        csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes()).records().map(Result::unwrap).collect()
    }

    #[test]
    fn the_canonical_file_gives_back_what_went_in() {
        let report = sample::report();
        let rows = read(&canonical(&report));
        assert_eq!(rows.len(), report.findings.len() + 1);
        assert_eq!(rows[0].iter().collect::<Vec<_>>(), COLUMNS);
        for (row, finding) in rows[1..].iter().zip(&report.findings) {
            assert_eq!(row[0], finding.fingerprint);
            assert_eq!(row[9], finding.subject.name.clone().unwrap_or_default());
            assert_eq!(serde_json::from_str::<serde_json::Value>(&row[28]).unwrap()["login"], finding.evidence[0].1);
        }
        assert!(canonical(&report).ends_with("\r\n"));
    }

    #[test]
    fn no_cell_of_the_spreadsheet_can_be_taken_for_a_formula() {
        let report = sample::report();
        let safe = spreadsheet(&report);
        let rows = read(safe.text.strip_prefix('\u{feff}').unwrap());
        let raw = read(&canonical(&report));
        let mut altered = 0;
        for (row, raw) in rows.iter().zip(&raw) {
            for (cell, raw) in row.iter().zip(raw) {
                assert!(!is_formula(cell), "{cell}");
                altered += u64::from(cell != raw);
            }
        }
        assert_eq!(safe.altered, altered);
        assert!(altered > 0, "the sample holds hostile names");
    }

    #[test]
    fn every_leading_character_of_the_rule_is_caught() {
        for lead in ["=1", "+1", "-1", "@x", "\tx", "\rx", "\nx", "\0x", "＝1", "＋1", "－1", "＠x"] {
            assert!(is_formula(lead), "{lead:?}");
        }
        for plain in ["", "x=1", "'=1", " =1"] {
            assert!(!is_formula(plain), "{plain:?}");
        }
    }
}
