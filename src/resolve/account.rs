//! What correlation reads of an account, borrowed from a row or straight from stored columns.

use arrow::array::{Array, RecordBatch, StringArray, TimestampMicrosecondArray, UInt32Array};

use crate::model::cell::CellError;
use crate::model::{AccountKind, AccountRow, AccountStatus, Time, Word};

/// One account as correlation sees it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Account<'a> {
    pub account_ix: u32,
    pub native_id: &'a str,
    pub kind: AccountKind,
    pub login: Option<&'a str>,
    pub login_norm: Option<&'a str>,
    pub display_name: Option<&'a str>,
    pub display_name_norm: Option<&'a str>,
    pub email: Option<&'a str>,
    pub email_norm: Option<&'a str>,
    pub upn: Option<&'a str>,
    pub upn_norm: Option<&'a str>,
    pub employee_ref: Option<&'a str>,
    pub owner_ref: Option<&'a str>,
    pub status: AccountStatus,
    pub created_at: Option<Time>,
    pub expires_at: Option<Time>,
    pub attributes: Option<&'a str>,
}

impl<'a> From<&'a AccountRow> for Account<'a> {
    fn from(row: &'a AccountRow) -> Self {
        Self {
            account_ix: row.account_ix,
            native_id: &row.native_id,
            kind: row.kind,
            login: row.login.as_deref(),
            login_norm: row.login_norm.as_deref(),
            display_name: row.display_name.as_deref(),
            display_name_norm: row.display_name_norm.as_deref(),
            email: row.email.as_deref(),
            email_norm: row.email_norm.as_deref(),
            upn: row.upn.as_deref(),
            upn_norm: row.upn_norm.as_deref(),
            employee_ref: row.employee_ref.as_deref(),
            owner_ref: row.owner_ref.as_deref(),
            status: row.status,
            created_at: row.created_at,
            expires_at: row.expires_at,
            attributes: row.attributes.as_deref(),
        }
    }
}

/// The columns of some consecutive rows of the table `accounts`.
#[derive(Clone, Debug)]
pub struct AccountColumns<'b> {
    account_ix: &'b UInt32Array,
    native_id: &'b StringArray,
    kind: &'b StringArray,
    status: &'b StringArray,
    texts: [&'b StringArray; TEXTS.len()],
    created_at: &'b TimestampMicrosecondArray,
    expires_at: &'b TimestampMicrosecondArray,
}

/// Columns of text that may be null, in the order of [`AccountColumns::get`].
const TEXTS: [&str; 11] = [
    "login",
    "login_norm",
    "display_name",
    "display_name_norm",
    "email",
    "email_norm",
    "upn",
    "upn_norm",
    "employee_ref",
    "owner_ref",
    "attributes",
];

impl<'b> AccountColumns<'b> {
    /// Columns of `accounts` that must be there; others need not be read from the store.
    pub const NAMES: [&'static str; 17] = [
        "account_ix",
        "native_id",
        "kind",
        "login",
        "login_norm",
        "display_name",
        "display_name_norm",
        "email",
        "email_norm",
        "upn",
        "upn_norm",
        "employee_ref",
        "owner_ref",
        "status",
        "created_at",
        "expires_at",
        "attributes",
    ];

    /// # Errors
    /// A column is missing or of another type.
    pub fn new(batch: &'b RecordBatch) -> Result<Self, CellError> {
        let mut texts = [column::<StringArray>(batch, "native_id")?; TEXTS.len()];
        for (slot, name) in texts.iter_mut().zip(TEXTS) {
            *slot = column(batch, name)?;
        }
        Ok(Self {
            account_ix: column(batch, "account_ix")?,
            native_id: column(batch, "native_id")?,
            kind: column(batch, "kind")?,
            status: column(batch, "status")?,
            texts,
            created_at: column(batch, "created_at")?,
            expires_at: column(batch, "expires_at")?,
        })
    }

    pub fn len(&self) -> usize {
        self.account_ix.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The account in one row, below [`AccountColumns::len`].
    ///
    /// # Errors
    /// A value is not what the schema says.
    pub fn get(&self, row: usize) -> Result<Account<'b>, CellError> {
        let instant = |column: &'static str, array: &TimestampMicrosecondArray| {
            if array.is_null(row) {
                return Ok(None);
            }
            let range = || CellError { column, row, what: "instant out of range".to_owned() };
            Time::from_micros(array.value(row)).map(Some).ok_or_else(range)
        };
        let text = |array: &'b StringArray| (!array.is_null(row)).then(|| array.value(row));
        let [login, login_norm, display_name, display_name_norm, email, email_norm, upn, upn_norm, employee_ref, owner_ref, attributes] =
            self.texts.map(text);
        Ok(Account {
            account_ix: self.account_ix.value(row),
            native_id: self.native_id.value(row),
            kind: word("kind", self.kind, row)?,
            login,
            login_norm,
            display_name,
            display_name_norm,
            email,
            email_norm,
            upn,
            upn_norm,
            employee_ref,
            owner_ref,
            status: word("status", self.status, row)?,
            created_at: instant("created_at", self.created_at)?,
            expires_at: instant("expires_at", self.expires_at)?,
            attributes,
        })
    }

    /// Every account, in order.
    pub fn iter(&self) -> impl Iterator<Item = Result<Account<'b>, CellError>> + '_ {
        (0..self.len()).map(|row| self.get(row))
    }
}

fn column<'b, A: Array + 'static>(batch: &'b RecordBatch, name: &'static str) -> Result<&'b A, CellError> {
    let fault = |what: String| CellError { column: name, row: 0, what };
    let found = batch.column_by_name(name).ok_or_else(|| fault("missing from the stored table".to_owned()))?;
    found.as_any().downcast_ref().ok_or_else(|| fault(format!("type is {}", found.data_type())))
}

fn word<W: Word>(column: &'static str, array: &StringArray, row: usize) -> Result<W, CellError> {
    let text = array.value(row);
    W::parse(text).ok_or_else(|| CellError { column, row, what: format!("`{text}` is not a word of its set") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::to_batch;

    #[test]
    fn a_stored_row_reads_as_the_row_itself() {
        let text = |t: &str| Some(t.to_owned());
        let full = AccountRow {
            account_ix: 7,
            native_id: "n".into(),
            kind: AccountKind::Service,
            login: text("L"),
            login_norm: text("l"),
            display_name: text("D"),
            display_name_norm: text("d"),
            email: text("E"),
            email_norm: text("e"),
            upn: text("U"),
            upn_norm: text("u"),
            employee_ref: text("1"),
            owner_ref: text("o"),
            status: AccountStatus::Locked,
            created_at: Time::from_seconds(1),
            expires_at: Time::from_seconds(2),
            attributes: text("{}"),
            ..AccountRow::default()
        };
        let rows = [AccountRow::default(), full];
        let batch = to_batch(&rows).unwrap();
        let columns = AccountColumns::new(&batch).unwrap();
        let seen: Vec<String> = columns.iter().map(|a| format!("{:?}", a.unwrap())).collect();
        let want: Vec<String> = rows.iter().map(|r| format!("{:?}", Account::from(r))).collect();
        assert_eq!(seen, want);
        let projected = batch.project(&AccountColumns::NAMES.map(|n| batch.schema().index_of(n).unwrap())).unwrap();
        assert_eq!(AccountColumns::new(&projected).unwrap().len(), 2);
        let short = batch.project(&[0, 1]).unwrap();
        assert_eq!(AccountColumns::new(&short).unwrap_err().column, "login");
    }
}
