//! The credential report: one row per user and one for the root user.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use super::arn::Arn;
use super::fields::{Fault, bad_time, iso};
use super::stream::NOT_TEXT;
use crate::connectors::Origin;
use crate::model::Time;

/// The name that the report gives the root user.
pub(super) const ROOT: &str = "<root_account>";

/// How the report's header begins.
pub(super) const HEADER: &str = "user,arn,user_creation_time,";

/// One cell that holds an instant or one of the report's words for not having one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    At(Time),
    /// `N/A`: there is nothing that could have one.
    NotApplicable,
    /// `no_information`: never, or before AWS kept track.
    NoInformation,
    /// `not_supported`, an empty cell or no such column: the report does not say.
    Unstated,
}

impl Seen {
    pub(super) fn time(self) -> Option<Time> {
        match self {
            Self::At(time) => Some(time),
            _ => None,
        }
    }
}

/// An access key or signing certificate by its place in the report.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    /// 1 or 2.
    pub(super) number: u8,
    pub(super) active: Option<bool>,
    pub(super) rotated: Seen,
    pub(super) used: Seen,
}

impl Slot {
    /// `false` and `N/A` together mean that there is none; `false` with a date means an inactive one.
    pub(super) fn exists(&self) -> bool {
        self.active == Some(true) || self.rotated.time().is_some()
    }
}

/// One row of the report.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) origin: Origin,
    pub(super) arn: String,
    pub(super) user: String,
    pub(super) created: Option<Time>,
    pub(super) password_enabled: Option<bool>,
    pub(super) password_used: Seen,
    pub(super) password_changed: Seen,
    pub(super) mfa: Option<bool>,
    pub(super) keys: Vec<Slot>,
    pub(super) certificates: Vec<Slot>,
}

impl Row {
    pub(super) fn is_root(&self) -> bool {
        self.user == ROOT
    }
}

/// The columns of one report, by name: their order and number have changed over the years.
#[derive(Debug)]
pub(super) struct Columns {
    at: BTreeMap<String, usize>,
    count: usize,
}

impl Columns {
    /// Reads the header.
    ///
    /// # Errors
    /// `user` or `arn` is missing.
    pub(super) fn of(line: &[u8]) -> Result<Self, Fault> {
        let cells = cells(line)?;
        let count = cells.len();
        let at: BTreeMap<String, usize> = cells.into_iter().enumerate().map(|(at, name)| (name.trim().to_lowercase(), at)).collect();
        if at.contains_key("user") && at.contains_key("arn") {
            return Ok(Self { at, count });
        }
        let help = "export it with `aws iam get-credential-report --query Content --output text | base64 -d`";
        Err(Fault::new("aws-iam/report-columns", "credential report has no `user` or no `arn` column", help))
    }

    /// Reads one row.
    ///
    /// # Errors
    /// It has another number of cells than the header, or a cell is not what the report writes there.
    pub(super) fn row(&self, line: &[u8], origin: Origin, zone: Option<&TimeZone>) -> Result<Row, Fault> {
        let cells = cells(line)?;
        if cells.len() != self.count {
            let message = format!("row has {} cells, the header has {}", cells.len(), self.count);
            return Err(Fault::new("aws-iam/ragged-row", message, "export the report again: the row is cut off or was edited"));
        }
        let row = Cells { columns: self, cells: &cells, zone };
        let (user, arn) = (row.text("user"), row.text("arn"));
        if user.is_empty() || Arn::of(arn).is_none() {
            return Err(Fault::new("aws-iam/bad-arn", "row has no user or no valid `arn`", "export the report again, unedited"));
        }
        let slots = |kind: &str| (1..=2).map(|number| row.slot(kind, number)).collect::<Result<Vec<_>, _>>();
        Ok(Row {
            origin,
            arn: arn.to_owned(),
            user: user.to_owned(),
            created: row.seen("user_creation_time")?.time(),
            password_enabled: row.flag("password_enabled")?,
            password_used: row.seen("password_last_used")?,
            password_changed: row.seen("password_last_changed")?,
            mfa: row.flag("mfa_active")?,
            keys: slots("access_key")?,
            certificates: slots("cert")?,
        })
    }
}

struct Cells<'a> {
    columns: &'a Columns,
    cells: &'a [String],
    zone: Option<&'a TimeZone>,
}

impl Cells<'_> {
    fn text(&self, column: &str) -> &str {
        self.columns.at.get(column).and_then(|at| self.cells.get(*at)).map_or("", |c| c.trim())
    }

    fn flag(&self, column: &str) -> Result<Option<bool>, Fault> {
        match self.text(column).to_ascii_lowercase().as_str() {
            "true" => Ok(Some(true)),
            "false" => Ok(Some(false)),
            "" | "n/a" | "not_supported" | "no_information" => Ok(None),
            _ => Err(Fault::new("aws-iam/bad-flag", format!("`{column}` is not `true` or `false`"), "export the report again, unedited")),
        }
    }

    fn seen(&self, column: &str) -> Result<Seen, Fault> {
        match self.text(column) {
            "" | "not_supported" => Ok(Seen::Unstated),
            "N/A" => Ok(Seen::NotApplicable),
            "no_information" => Ok(Seen::NoInformation),
            text => iso(text, self.zone).map(Seen::At).ok_or_else(|| bad_time(column)),
        }
    }

    fn slot(&self, kind: &str, number: u8) -> Result<Slot, Fault> {
        let column = |what: &str| format!("{kind}_{number}_{what}");
        Ok(Slot {
            number,
            active: self.flag(&column("active"))?,
            rotated: self.seen(&column("last_rotated"))?,
            used: self.seen(&column("last_used_date"))?,
        })
    }
}

/// The cells of one line. No name that IAM allows holds a line break, so a line is a row.
fn cells(line: &[u8]) -> Result<Vec<String>, Fault> {
    let text = std::str::from_utf8(line).ok().filter(|t| !t.contains(NOT_TEXT));
    let Some(text) = text else {
        return Err(Fault::new("aws-iam/not-text", "row holds bytes that are not UTF-8", "export the report again"));
    };
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).buffer_capacity(1 << 10).from_reader(text.as_bytes());
    let mut record = csv::StringRecord::new();
    match reader.read_record(&mut record) {
        Ok(_) => Ok(record.iter().map(str::to_owned).collect()),
        Err(_) => Err(Fault::new("aws-iam/ragged-row", "row is not CSV", "export the report again, unedited")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,mfa_active,access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,extra";

    fn row(line: &str) -> Result<Row, &'static str> {
        Columns::of(HEAD.as_bytes()).unwrap().row(line.as_bytes(), Origin::line(0, 2), None).map_err(|f| f.code)
    }

    #[test]
    fn the_words_of_the_report_stay_apart() {
        let ida = row(
            "ida,arn:aws:iam::1:user/ida,2020-01-02T03:04:05+00:00,true,no_information,N/A,false,false,2021-01-01T00:00:00+00:00,N/A,x",
        )
        .unwrap();
        assert_eq!((ida.password_enabled, ida.password_used, ida.password_changed), (Some(true), Seen::NoInformation, Seen::NotApplicable));
        assert_eq!(ida.created.unwrap().to_string(), "2020-01-02T03:04:05Z");
        assert_eq!((ida.mfa, ida.keys[0].active, ida.keys[0].exists(), ida.keys[1].exists()), (Some(false), Some(false), true, false));
        let root = row("<root_account>,arn:aws:iam::1:root,2020-01-02T03:04:05+00:00,not_supported,2020-02-01T00:00:00+00:00,not_supported,true,false,N/A,N/A,x").unwrap();
        assert!(root.is_root() && root.password_enabled.is_none() && !root.keys[0].exists());
        assert_eq!(root.password_changed, Seen::Unstated);
    }

    #[test]
    fn rows_that_are_cut_off_or_edited_are_refused() {
        let rest = ",2020-01-02T03:04:05+00:00,true,N/A,N/A,false,false,N/A,N/A,x";
        assert_eq!(row("ida,arn:aws:iam::1:user/ida,2020").unwrap_err(), "aws-iam/ragged-row");
        assert_eq!(row(&format!(",arn:aws:iam::1:user/ida{rest}")).unwrap_err(), "aws-iam/bad-arn");
        assert_eq!(row(&format!("ida,ida{rest}")).unwrap_err(), "aws-iam/bad-arn");
        assert_eq!(row(&format!("i\u{FDD0},arn:aws:iam::1:user/ida{rest}")).unwrap_err(), "aws-iam/not-text");
        assert_eq!(row(&format!("ida,arn:aws:iam::1:user/ida{}", rest.replace("true", "perhaps"))).unwrap_err(), "aws-iam/bad-flag");
        assert_eq!(row(&format!("ida,arn:aws:iam::1:user/ida{}", rest.replace("2020-", "20260-"))).unwrap_err(), "aws-iam/bad-time");
        assert_eq!(row(&format!("\"a,b\",arn:aws:iam::1:user/a{rest}")).unwrap().user, "a,b");
        assert_eq!(Columns::of(b"user,name").unwrap_err().code, "aws-iam/report-columns");
    }
}
