//! The view `approvals` of a cut: what requests say of each row of `access`, in the systems of which they speak.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray, UInt8Array, UInt32Array, new_empty_array};
use arrow::datatypes::TimestampMicrosecondType;

use super::super::tables::plain;
use super::Columns;
use super::columns::{coded, engine, flags, gather, number, over, spellings, times, unknown};
use super::held::ordinals;
use crate::model::approvals::{Approvals, Began, Edge, How};
use crate::model::{APPROVALS, ApprovalState, RevocationRow, Time, Word};
use crate::sql::SqlError;

/// The requests of a run as columns, in their order.
pub(super) struct Requests {
    ids: StringArray,
    approvers: StringArray,
    sources: ArrayRef,
    decided_at: ArrayRef,
    valid_to: ArrayRef,
}

impl Requests {
    pub fn new(approvals: &Approvals) -> Self {
        let asked = approvals.asked();
        let at = |of: fn(&crate::model::RequestRow) -> Option<Time>| times(asked.iter().map(|a| of(&a.row)));
        Self {
            ids: asked.iter().map(|a| Some(a.row.request.as_str())).collect(),
            approvers: asked.iter().map(|a| a.row.approver_ref.as_deref()).collect(),
            sources: Arc::new(asked.iter().map(|a| Some(a.source_ix)).collect::<UInt32Array>()),
            decided_at: at(|r| r.decided_at),
            valid_to: at(|r| r.valid_to),
        }
    }
}

/// What requests say of the edges of a cut. Rows stand by account, grants before memberships, as the table's key has it.
pub(super) struct Judged {
    account_ix: UInt32Array,
    edge_ix: UInt32Array,
    /// 0 for a grant, 1 for a membership.
    edge: Vec<u8>,
    began: Vec<Began>,
    state: Vec<u8>,
    how: Vec<Option<u8>>,
    /// The request that speaks, by its place.
    request: UInt32Array,
}

impl Judged {
    fn none() -> Self {
        let none = || UInt32Array::from(Vec::<u32>::new());
        Self {
            account_ix: none(),
            edge_ix: none(),
            edge: Vec::new(),
            began: Vec::new(),
            state: Vec::new(),
            how: Vec::new(),
            request: none(),
        }
    }

    pub fn len(&self) -> usize {
        self.state.len()
    }
}

/// The edges of a cut in the order of the table, as far as they are judged by.
struct Edges {
    account_ix: UInt32Array,
    edge_ix: UInt32Array,
    target: UInt32Array,
    grant: Vec<bool>,
    began: Vec<Began>,
    request_ref: Option<StringArray>,
}

impl Edges {
    fn get(&self, at: usize) -> Option<Edge<'_>> {
        Some(Edge {
            grant: *self.grant.get(at)?,
            ix: *self.edge_ix.values().get(at)?,
            target: *self.target.values().get(at)?,
            began: *self.began.get(at)?,
            request_ref: self.request_ref.as_ref().filter(|r| r.is_valid(at)).map(|r| r.value(at)),
        })
    }
}

/// Where the rows of each account begin and end.
fn accounts(account_ix: &UInt32Array) -> Vec<(u32, usize, usize)> {
    let mut out: Vec<(u32, usize, usize)> = Vec::new();
    for (at, account) in account_ix.values().iter().enumerate() {
        match out.last_mut() {
            Some((last, _, to)) if last == account => *to = at + 1,
            _ => out.push((*account, at, at + 1)),
        }
    }
    out
}

/// The order of the rows of each account with its grants first; memberships come first in what is given.
fn grants_first(account_ix: &UInt32Array, grant: &[bool]) -> UInt32Array {
    let mut out: Vec<u32> = Vec::with_capacity(grant.len());
    for (_, from, to) in accounts(account_ix) {
        let own = || (from..to).map(|at| u32::try_from(at).unwrap_or(u32::MAX));
        let of = |wanted: bool| own().zip(grant.get(from..to).unwrap_or_default()).filter(move |(_, g)| **g == wanted).map(|(at, _)| at);
        out.extend(of(true).chain(of(false)));
    }
    UInt32Array::from(out)
}

impl Columns<'_> {
    fn edges(&self) -> Result<Edges, SqlError> {
        let order = self.order()?;
        let grant = order.grants();
        let places = grants_first(order.accounts(), &grant);
        let pick = |column: ArrayRef| gather(&column, &places);
        let arranged = |column: &str| pick(self.access(column)?);
        let account_ix = ordinals(&arranged("account_ix")?)?;
        let edge_ix = ordinals(&arranged("edge_ix")?)?;
        let grant: Vec<bool> = places.values().iter().filter_map(|at| grant.get(*at as usize).copied()).collect();
        let granted = arranged("granted_at")?;
        let granted = granted.as_primitive_opt::<TimestampMicrosecondType>().ok_or_else(|| engine("`granted_at` holds no instants"))?;
        let history = self.parts.run.edge_history.of(self.cut.system_ix);
        let began = |at: usize| {
            let stated = granted.is_valid(at).then(|| Time::from_micros(granted.value(at))).flatten();
            let seen = || history.get(grant.get(at).copied()?, edge_ix.values().get(at).copied()?);
            Began::new(stated, if stated.is_some() { None } else { seen().map(|h| (h.last_absent, h.since_by)) })
        };
        let refers = self.access("request_ref")?;
        Ok(Edges {
            target: ordinals(&pick(Arc::new(order.held(self.targets().groups)))?)?,
            began: (0..places.len()).map(began).collect(),
            request_ref: (refers.null_count() < refers.len())
                .then(|| plain(&pick(refers)?)?.as_string_opt().cloned().ok_or_else(|| engine("`request_ref` holds no text")))
                .transpose()?,
            account_ix,
            edge_ix,
            grant,
        })
    }

    pub(super) fn judged(&self) -> Result<&Judged, SqlError> {
        self.judged.get_or_init(|| self.judge()).as_ref().map_err(|e| SqlError::Engine(e.to_string()))
    }

    fn judge(&self) -> Result<Judged, SqlError> {
        let (approvals, system_ix) = (&self.parts.run.approvals, self.cut.system_ix);
        if !approvals.speaks_of(system_ix) {
            return Ok(Judged::none());
        }
        let edges = self.edges()?;
        let (rows, candidates) = (edges.account_ix.len(), self.candidates());
        let (mut state, mut how, mut request) = (Vec::with_capacity(rows), Vec::with_capacity(rows), Vec::with_capacity(rows));
        for (account_ix, from, to) in accounts(&edges.account_ix) {
            let matched = candidates.binary_search_by_key(&account_ix, |c| c.account_ix).is_ok();
            let Some(account) = approvals.account(system_ix, account_ix, matched) else { continue };
            for edge in (from..to).filter_map(|at| edges.get(at)) {
                let (said, found) = account.judge(&edge);
                state.push(said.code());
                how.push(found.map(|f| f.1.code()));
                request.push(found.map(|f| f.0));
            }
        }
        Ok(Judged {
            account_ix: edges.account_ix,
            edge_ix: edges.edge_ix,
            edge: edges.grant.iter().map(|g| u8::from(!g)).collect(),
            began: edges.began,
            state,
            how,
            request: UInt32Array::from(request),
        })
    }

    pub(super) fn approval(&self, column: &str) -> Result<ArrayRef, SqlError> {
        let judged = self.judged()?;
        let rows = judged.len();
        let none = || APPROVALS.columns.iter().find(|c| c.name == column).map(|c| new_empty_array(&c.ty.arrow()));
        if rows == 0 {
            return none().ok_or_else(|| unknown(APPROVALS.name, column));
        }
        let requests = || self.parts.requests.get_or_init(|| Requests::new(&self.parts.run.approvals));
        let of_request = |values: &ArrayRef| gather(values, &judged.request);
        Ok(match column {
            "system_ix" => number(self.cut.system_ix, rows),
            "account_ix" => Arc::new(judged.account_ix.clone()),
            "edge" => coded(UInt8Array::from(judged.edge.clone()), &["grant", "membership"]),
            "edge_ix" => Arc::new(judged.edge_ix.clone()),
            "began_after" => times(judged.began.iter().map(|b| b.after)),
            "began_by" => times(judged.began.iter().map(|b| b.by)),
            "began_exact" => flags(judged.began.iter().map(|b| b.exact)),
            "approval" => coded(UInt8Array::from(judged.state.clone()), &spellings::<ApprovalState>()),
            "how" => coded(judged.how.iter().copied().collect(), &How::WORDS),
            "request_system_ix" => of_request(&requests().sources)?,
            "request" => over(judged.request.clone(), &requests().ids),
            "approver_ref" => over(judged.request.clone(), &requests().approvers),
            "decided_at" => of_request(&requests().decided_at)?,
            "valid_to" => of_request(&requests().valid_to)?,
            other => return Err(unknown(APPROVALS.name, other)),
        })
    }

    /// What requests for the end of access left standing in this cut. `ending`: accounts of which they speak, ascending, and whether they name a right.
    pub fn ended(&self, approvals: &Approvals, ending: &[(u32, bool)]) -> Result<Vec<RevocationRow>, SqlError> {
        let system_ix = self.cut.system_ix;
        let created = self.accounts.column("created_at")?;
        let created = created.as_primitive_opt::<TimestampMicrosecondType>().ok_or_else(|| engine("`created_at` holds no instants"))?;
        let named = ending.iter().any(|(_, named)| *named);
        let edges = if named { Some(self.edges()?) } else { None };
        let spans = edges.as_ref().map(|e| accounts(&e.account_ix)).unwrap_or_default();
        let mut out = Vec::new();
        for (account_ix, named) in ending {
            let Some(account) = approvals.account(system_ix, *account_ix, false) else { continue };
            let at = account_ix.saturating_sub(self.cut.from) as usize;
            let created = (at < created.len() && created.is_valid(at)).then(|| Time::from_micros(created.value(at))).flatten();
            let span = spans.binary_search_by_key(account_ix, |s| s.0).ok().and_then(|at| spans.get(at)).filter(|_| *named);
            let own: Vec<Edge<'_>> = match (&edges, span) {
                (Some(edges), Some((_, from, to))) => (*from..*to).filter_map(|at| edges.get(at)).collect(),
                _ => Vec::new(),
            };
            out.extend(account.ended((system_ix, *account_ix), created, &own));
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grants_of_each_account_go_first() {
        let accounts = UInt32Array::from(vec![1, 1, 1, 4, 4]);
        let order = grants_first(&accounts, &[false, true, true, false, false]);
        assert_eq!(order.values(), &[1, 2, 0, 3, 4]);
        assert_eq!(grants_first(&UInt32Array::from(Vec::<u32>::new()), &[]).len(), 0);
    }
}
