//! Rows of a run beside those of a stored table: both ascend, so that nothing is searched for.

use std::ops::Range;

use crate::engine::Run;
use crate::model::{AccountIdentityRow, AccountStateRow, EmploymentRow};

/// The rows of a sorted slice whose key lies in `from..to`.
fn between<'a, T, K: Ord>(rows: &'a [T], of: impl Fn(&T) -> K, from: &K, to: &K) -> &'a [T] {
    let (from, to) = (rows.partition_point(|r| of(r) < *from), rows.partition_point(|r| of(r) < *to));
    rows.get(from..to).unwrap_or_default()
}

/// The keys of some consecutive accounts of a system: from, to.
fn keys(system_ix: u32, rows: &Range<usize>) -> ((u32, u32), (u32, u32)) {
    let ix = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    ((system_ix, ix(rows.start)), (system_ix, ix(rows.end)))
}

/// What a run knows of consecutive accounts of a system.
#[derive(Clone, Copy, Debug)]
pub struct States<'a> {
    rest: &'a [AccountStateRow],
}

impl<'a> States<'a> {
    /// `rows`: positions, which are the accounts' ordinals.
    pub fn new(run: &'a Run, system_ix: u32, rows: &Range<usize>) -> Self {
        let (from, to) = keys(system_ix, rows);
        Self { rest: between(&run.account_state, |s| (s.system_ix, s.account_ix), &from, &to) }
    }

    /// Whether some account that is still to come is such.
    pub fn any(&self, is: impl Fn(&AccountStateRow) -> bool) -> bool {
        self.rest.iter().any(is)
    }

    /// The row of an account, which lies behind those asked for before.
    pub fn of(&mut self, at: usize) -> Option<&'a AccountStateRow> {
        while let Some((first, rest)) = self.rest.split_first() {
            if first.account_ix as usize > at {
                return None;
            }
            self.rest = rest;
            if first.account_ix as usize == at {
                return Some(first);
            }
        }
        None
    }
}

/// The candidates of consecutive accounts of a system.
#[derive(Clone, Copy, Debug)]
pub struct Candidates<'a> {
    rest: &'a [AccountIdentityRow],
}

impl<'a> Candidates<'a> {
    /// `rows`: positions, which are the accounts' ordinals.
    pub fn new(run: &'a Run, system_ix: u32, rows: &Range<usize>) -> Self {
        let (from, to) = keys(system_ix, rows);
        Self { rest: between(&run.account_identity, |c| (c.system_ix, c.account_ix), &from, &to) }
    }

    /// Those of an account, which lies behind those asked for before.
    pub fn of(&mut self, at: usize) -> &'a [AccountIdentityRow] {
        while let Some((_, rest)) = self.rest.split_first().filter(|(first, _)| (first.account_ix as usize) < at) {
            self.rest = rest;
        }
        let own = self.rest.iter().take_while(|c| c.account_ix as usize == at).count();
        let (own, rest) = self.rest.split_at(own);
        self.rest = rest;
        own
    }
}

/// The spans of one identity of an authority.
pub fn spans(employments: &[EmploymentRow], identity_ix: u32) -> &[EmploymentRow] {
    between(employments, |e| e.identity_ix, &identity_ix, &identity_ix.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Side by side or by searching: the same rows.
        #[test]
        fn rows_walked_beside_a_table_are_those_searched_for(
            states in proptest::collection::btree_set((0u32..3, 0u32..30), 0..60),
            candidates in proptest::collection::vec((0u32..3, 0u32..30), 0..60),
            from in 0usize..30,
            length in 0usize..30,
        ) {
            let mut candidates = candidates;
            candidates.sort_unstable();
            let run = Run {
                account_state: states
                    .iter()
                    .map(|(system_ix, account_ix)| AccountStateRow {
                        system_ix: *system_ix,
                        account_ix: *account_ix,
                        candidates: system_ix * 100 + account_ix,
                        ..AccountStateRow::default()
                    })
                    .collect(),
                account_identity: (0..)
                    .zip(&candidates)
                    .map(|(identity_ix, (system_ix, account_ix))| AccountIdentityRow {
                        system_ix: *system_ix,
                        account_ix: *account_ix,
                        identity_ix,
                        ..AccountIdentityRow::default()
                    })
                    .collect(),
                ..Run::default()
            };
            let rows = from..from + length;
            for system_ix in 0..3 {
                let (mut walked, mut beside) = (States::new(&run, system_ix, &rows), Candidates::new(&run, system_ix, &rows));
                // Not every row asks.
                for at in rows.clone().filter(|at| at % 3 != 1) {
                    let ix = u32::try_from(at).unwrap();
                    prop_assert_eq!(walked.of(at), run.state(system_ix, ix));
                    prop_assert_eq!(beside.of(at), run.candidates(system_ix, ix));
                }
            }
        }
    }

    #[test]
    fn spans_are_those_of_one_identity() {
        let span = |identity_ix, employment: &str| EmploymentRow { identity_ix, employment: employment.into(), ..EmploymentRow::default() };
        let all = [span(0, "a"), span(2, "b"), span(2, "c"), span(5, "d")];
        let of = |ix| spans(&all, ix).iter().map(|e| e.employment.as_str()).collect::<Vec<_>>();
        assert_eq!((of(0), of(1), of(2), of(5), of(9)), (vec!["a"], vec![], vec!["b", "c"], vec!["d"], vec![]));
    }
}
