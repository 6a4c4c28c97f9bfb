//! The view `candidates` of a cut.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, UInt32Array};

use super::columns::{codes, flags, labels, number, over, spellings, times, unknown, words};
use super::{Columns, V_CANDIDATES};
use crate::model::{AccountIdentityRow, IdentityKind};
use crate::sql::SqlError;

impl Columns<'_> {
    /// Its rows of `account_identity`.
    pub(super) fn candidates(&self) -> &[AccountIdentityRow] {
        let all = self.context.candidates;
        let before = |limit: u32| all.partition_point(|c| c.account_ix < limit);
        all.get(before(self.cut.from)..before(self.cut.to)).unwrap_or_default()
    }

    pub(super) fn candidate(&self, column: &str) -> Result<ArrayRef, SqlError> {
        let rows = self.candidates();
        let people = self.parts.people();
        let who = || UInt32Array::from_iter_values(rows.iter().map(|c| c.identity_ix));
        let left = |c: &AccountIdentityRow| people.left.get(c.identity_ix as usize).copied().unwrap_or(false);
        Ok(match column {
            "system_ix" => number(self.cut.system_ix, rows.len()),
            "account_ix" => Arc::new(UInt32Array::from_iter_values(rows.iter().map(|c| c.account_ix))),
            "rank" => Arc::new(UInt32Array::from_iter_values(rows.iter().map(|c| c.rank))),
            "identity_ix" => Arc::new(who()),
            "identity" => over(who(), &people.ids),
            "identity_name" => over(who(), &people.names),
            "identity_kind" => codes(&who(), &people.kinds, &spellings::<IdentityKind>()),
            "score" => Arc::new(Float64Array::from_iter_values(rows.iter().map(|c| c.score))),
            "rule" => labels(rows.iter().map(|c| c.rule)),
            "candidate_state" => words(rows.iter().map(|c| c.state)),
            "standing" => words(rows.iter().map(|c| c.standing)),
            "left_after" => times(rows.iter().map(|c| c.left_after)),
            "left_by" => times(rows.iter().map(|c| c.left_by)),
            "left_exact" => flags(rows.iter().map(|c| c.left_exact)),
            "known_after" => times(rows.iter().map(|c| c.known_after)),
            "known_by" => times(rows.iter().map(|c| c.known_by)),
            "leaves_later" => flags(rows.iter().map(|c| c.leaves_later && left(c))),
            other => return Err(unknown(V_CANDIDATES.name, other)),
        })
    }
}
