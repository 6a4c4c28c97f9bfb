//! The view `accounts` of a cut.

use std::sync::Arc;

use arrow::array::{ArrayRef, UInt32Array};

use super::columns::{constant, instant, labels, number, unknown, words};
use super::{Columns, V_ACCOUNTS};
use crate::model::AccountStateRow;
use crate::sql::SqlError;

impl Columns<'_> {
    fn states(&self) -> &[AccountStateRow] {
        self.context.states.get(self.cut.from as usize..self.cut.to as usize).unwrap_or_default()
    }

    pub(super) fn account(&self, column: &str) -> Result<ArrayRef, SqlError> {
        let (rows, states) = (self.len(), self.states());
        if states.len() != rows {
            return Err(SqlError::Engine("an account has no state".to_owned()));
        }
        Ok(match column {
            "system_ix" => number(self.cut.system_ix, rows),
            "account_ix" => Arc::new(UInt32Array::from_iter_values(self.cut.from..self.cut.to)),
            "system" => constant(Some(&self.context.system.name), rows),
            "team" => constant(self.context.seen.team.as_deref(), rows),
            "observed_at" => instant(self.context.seen.observed_at, rows),
            "owner_identity_ix" => Arc::new(states.iter().map(|s| s.owner_identity_ix).collect::<UInt32Array>()),
            "candidates" => Arc::new(UInt32Array::from_iter_values(states.iter().map(|s| s.candidates))),
            "kind" => words(states.iter().map(|s| s.kind)),
            "match_state" => words(states.iter().map(|s| s.match_state)),
            "can_authenticate" => words(states.iter().map(|s| s.can_authenticate)),
            "kind_from" => words(states.iter().map(|s| s.kind_from)),
            "can_authenticate_why" => labels(states.iter().map(|s| s.can_authenticate_why)),
            "account" => self.accounts.column("native_id")?,
            stored if V_ACCOUNTS.columns.iter().any(|c| c.name == stored) => self.accounts.column(stored)?,
            other => return Err(unknown(V_ACCOUNTS.name, other)),
        })
    }
}
