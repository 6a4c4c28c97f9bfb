//! Table `edge_history` in few words: most neighbouring edges have the same history, and one is said once.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, StringArray, TimestampMicrosecondArray, UInt32Array};
use arrow::compute::concat_batches;
use arrow::error::ArrowError;

use super::{EDGE_HISTORY, EdgeHistoryRow, Time};

/// Rows of one batch of [`EdgeHistory::batches`].
const BATCH: u32 = 65_536;

/// Since when an edge is there: the columns of [`EdgeHistoryRow`] that snapshots show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Presence {
    pub first_seen_after: Option<Time>,
    pub first_seen_by: Time,
    pub last_absent: Option<Time>,
    pub since_by: Time,
    pub held_until: Option<Time>,
    pub regranted: bool,
}

/// Values of consecutive rows: the first row of each run, ascending from 0, with its value.
pub type Runs = Vec<(u32, u32)>;

/// System, whether it is a grant, ordinal.
pub type Edge = (u32, bool, u32);

/// When a review decided that an edge ends, and which.
type Ended = (Option<Time>, Option<String>);

/// The histories of one edge table of one system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Table {
    rows: u32,
    /// Positions in [`EdgeHistory::known`].
    runs: Runs,
}

/// `grant` before `membership`, as the table's key has it.
fn word(membership: bool) -> &'static str {
    if membership { "membership" } else { "grant" }
}

/// The histories of all edges of a run, sorted by system, edge table and ordinal; every edge of a table has one.
#[derive(Clone, Debug, Default)]
pub struct EdgeHistory {
    known: Vec<Presence>,
    codes: BTreeMap<Presence, u32>,
    tables: BTreeMap<(u32, bool), Table>,
    /// The newest decision of a review to take an edge away before what is there now began.
    ended: BTreeMap<(u32, bool, u32), Ended>,
}

/// The histories of the edges of one system.
#[derive(Clone, Copy, Debug)]
pub struct OfSystem<'a> {
    all: &'a EdgeHistory,
    grants: Option<&'a Table>,
    memberships: Option<&'a Table>,
}

impl<'a> OfSystem<'a> {
    /// Since when a grant or membership is there; `None`: there is no such edge.
    pub fn get(&self, grant: bool, edge_ix: u32) -> Option<&'a Presence> {
        let table = if grant { self.grants } else { self.memberships }.filter(|t| edge_ix < t.rows)?;
        let run = table.runs.partition_point(|(from, _)| *from <= edge_ix).checked_sub(1)?;
        self.all.known.get(table.runs.get(run)?.1 as usize)
    }
}

impl EdgeHistory {
    /// Takes over one table: `rows` edges whose histories are runs of positions in `known`.
    pub fn put(&mut self, system_ix: u32, grants: bool, rows: u32, runs: &[(u32, u32)], known: &[Presence]) {
        let mut out: Runs = Vec::new();
        for (from, at) in runs {
            let Some(presence) = known.get(*at as usize) else { continue };
            let code = self.code(*presence);
            if out.last().is_none_or(|(_, last)| *last != code) {
                out.push((*from, code));
            }
        }
        out.shrink_to_fit();
        self.tables.insert((system_ix, !grants), Table { rows, runs: out });
    }

    /// Takes over the tables of other systems.
    pub fn extend(&mut self, other: &Self) {
        for ((system_ix, membership), table) in &other.tables {
            self.put(*system_ix, !membership, table.rows, &table.runs, &other.known);
        }
        self.ended.extend(other.ended.clone());
    }

    /// Adds the next row of the table.
    ///
    /// # Errors
    /// It does not stand in the order of the table's key, or an edge is left out.
    pub fn push(&mut self, row: &EdgeHistoryRow) -> Result<(), String> {
        let membership = row.edge == word(true);
        let key = (row.system_ix, membership);
        let code = self.code(Presence::of(row));
        let last = self.tables.last_key_value().is_none_or(|(last, _)| *last <= key);
        let table = self.tables.entry(key).or_default();
        if !last || table.rows != row.edge_ix || row.edge != word(membership) {
            return Err(format!("the history of {} {} of system {} stands out of order", row.edge, row.edge_ix, row.system_ix));
        }
        if table.runs.last().is_none_or(|(_, last)| *last != code) {
            table.runs.push((row.edge_ix, code));
        }
        table.rows = row.edge_ix.saturating_add(1);
        if row.revoked_at.is_some() || row.revoked_by.is_some() {
            self.ended.insert((row.system_ix, membership, row.edge_ix), (row.revoked_at, row.revoked_by.clone()));
        }
        Ok(())
    }

    fn code(&mut self, presence: Presence) -> u32 {
        let next = u32::try_from(self.known.len()).unwrap_or(u32::MAX);
        let code = *self.codes.entry(presence).or_insert(next);
        if code == next {
            self.known.push(presence);
        }
        code
    }

    /// Rows of the table.
    pub fn len(&self) -> u64 {
        self.tables.values().map(|t| u64::from(t.rows)).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Since when a grant or membership is there; `None`: there is no such edge.
    pub fn presence(&self, system_ix: u32, grant: bool, edge_ix: u32) -> Option<&Presence> {
        self.of(system_ix).get(grant, edge_ix)
    }

    /// The histories of the edges of one system.
    pub fn of(&self, system_ix: u32) -> OfSystem<'_> {
        OfSystem { all: self, grants: self.tables.get(&(system_ix, false)), memberships: self.tables.get(&(system_ix, true)) }
    }

    /// A number for the history of each of some edges, NULL where there is no such edge.
    pub fn places(&self, edges: impl Iterator<Item = Option<Edge>>) -> UInt32Array {
        // Edges that are asked for one after another are mostly near each other.
        let mut at: Option<((u32, bool), &Table, usize)> = None;
        let mut place = |(system_ix, grant, ix): Edge| {
            let key = (system_ix, !grant);
            let (_, table, run) = match &mut at {
                Some(at) if at.0 == key => at,
                _ => at.insert((key, self.tables.get(&key)?, 0)),
            };
            let begins = |run: usize| table.runs.get(run).is_some_and(|(from, _)| *from <= ix);
            if !begins(*run) || begins(*run + 1) {
                *run = match begins(*run + 1) && !begins(*run + 2) {
                    true => *run + 1,
                    false => table.runs.partition_point(|(from, _)| *from <= ix).checked_sub(1)?,
                };
            }
            table.runs.get(*run).map(|(_, code)| *code).filter(|_| ix < table.rows)
        };
        edges.map(|edge| edge.and_then(&mut place)).collect()
    }

    /// A column that snapshots show, of the histories with those numbers; `None`: it is none of these.
    pub fn shown(&self, name: &str, places: &UInt32Array) -> Option<ArrayRef> {
        let times = |of: fn(&Presence) -> Option<Time>| -> ArrayRef {
            let known: Vec<Option<i64>> = self.known.iter().map(|p| of(p).map(Time::micros)).collect();
            Arc::new(places.iter().map(|p| known.get(p? as usize).copied().flatten()).collect::<TimestampMicrosecondArray>())
        };
        Some(match name {
            "first_seen_after" => times(|p| p.first_seen_after),
            "first_seen_by" => times(|p| Some(p.first_seen_by)),
            "last_absent" => times(|p| p.last_absent),
            "since_by" => times(|p| Some(p.since_by)),
            "held_until" => times(|p| p.held_until),
            "regranted" => Arc::new(places.iter().map(|p| self.known.get(p? as usize).map(|p| p.regranted)).collect::<BooleanArray>()),
            // No edge was taken away by a review.
            "revoked_at" if self.ended.is_empty() => Arc::new(TimestampMicrosecondArray::new_null(places.len())),
            "revoked_by" if self.ended.is_empty() => Arc::new(StringArray::new_null(places.len())),
            _ => return None,
        })
    }

    /// One column of the rows of some edges, NULL where there is none; `None`: there is no such column.
    pub fn column(&self, name: &str, edges: &[Option<Edge>]) -> Option<ArrayRef> {
        let places = self.places(edges.iter().copied());
        if let Some(shown) = self.shown(name, &places) {
            return Some(shown);
        }
        let found = || edges.iter().zip(places.iter()).map(|(edge, place)| edge.filter(|_| place.is_some()));
        let mut some: Option<((u32, bool), bool)> = None;
        let mut ended = |edge: Option<Edge>| {
            let (system_ix, grant, ix) = edge?;
            let key = (system_ix, !grant);
            if some.is_none_or(|(known, _)| known != key) {
                let all = self.ended.range((key.0, key.1, 0)..=(key.0, key.1, u32::MAX));
                some = Some((key, all.take(1).count() > 0));
            }
            some.filter(|(_, some)| *some).and_then(|_| self.ended.get(&(key.0, key.1, ix)))
        };
        Some(match name {
            "system_ix" => Arc::new(found().map(|e| e.map(|e| e.0)).collect::<UInt32Array>()),
            "edge" => Arc::new(found().map(|e| e.map(|e| word(!e.1))).collect::<StringArray>()),
            "edge_ix" => Arc::new(found().map(|e| e.map(|e| e.2)).collect::<UInt32Array>()),
            "revoked_at" => {
                Arc::new(edges.iter().map(|e| ended(*e).and_then(|e| e.0).map(Time::micros)).collect::<TimestampMicrosecondArray>())
            }
            "revoked_by" => Arc::new(edges.iter().map(|e| ended(*e).and_then(|e| e.1.as_deref())).collect::<StringArray>()),
            _ => return None,
        })
    }

    /// The row of an edge; `None`: there is no such edge.
    pub fn row(&self, system_ix: u32, grant: bool, edge_ix: u32) -> Option<EdgeHistoryRow> {
        let mut row = self.presence(system_ix, grant, edge_ix)?.row(system_ix, word(!grant), edge_ix);
        if let Some((at, by)) = self.ended.get(&(system_ix, !grant, edge_ix)) {
            (row.revoked_at, row.revoked_by) = (*at, by.clone());
        }
        Some(row)
    }

    /// Notes that a review took an edge away, if there is the edge and no later decision is noted.
    pub fn note(&mut self, system_ix: u32, grant: bool, edge_ix: u32, at: Option<Time>, review: &str) {
        if self.presence(system_ix, grant, edge_ix).is_none() {
            return;
        }
        let noted = self.ended.entry((system_ix, !grant, edge_ix)).or_default();
        if noted.0 < at {
            *noted = (at, Some(review.to_owned()));
        }
    }

    /// The whole table, row by row, in its order.
    pub fn rows(&self) -> impl Iterator<Item = EdgeHistoryRow> + '_ {
        let all = self.tables.iter().flat_map(|((system_ix, membership), t)| (0..t.rows).map(|ix| (*system_ix, !*membership, ix)));
        all.filter_map(|(system_ix, grant, ix)| self.row(system_ix, grant, ix))
    }

    /// The whole table in its order, as batches of its schema: all but the last have [`BATCH`] rows; an empty table is one empty batch.
    pub fn batches(&self) -> impl Iterator<Item = Result<RecordBatch, ArrowError>> + '_ {
        let mut tables = self.tables.iter();
        let mut rest = None;
        let mut started = false;
        std::iter::from_fn(move || {
            let mut parts = Vec::new();
            let mut room = BATCH;
            while room > 0 {
                let Some((key, from, rows)) = rest.take().or_else(|| tables.next().map(|(key, t)| (*key, 0, t.rows))) else { break };
                let to = rows.min(from + room);
                room -= to - from;
                parts.push((key, from, to));
                rest = (to < rows).then_some((key, to, rows));
            }
            let last = parts.iter().all(|(_, from, to)| from == to);
            let go_on = !(last && started);
            started = true;
            go_on.then(|| {
                let batches = parts.into_iter().map(|(key, from, to)| self.batch(key, from, to)).collect::<Result<Vec<_>, _>>()?;
                concat_batches(&EDGE_HISTORY.arrow(), &batches)
            })
        })
    }

    fn batch(&self, (system_ix, membership): (u32, bool), from: u32, to: u32) -> Result<RecordBatch, ArrowError> {
        let n = to.saturating_sub(from) as usize;
        let known = self.spread((system_ix, membership), from, to);
        let times = |of: fn(&Presence) -> Option<Time>| -> ArrayRef {
            Arc::new(known.iter().map(|p| of(p).map(Time::micros)).collect::<TimestampMicrosecondArray>())
        };
        let mut ended: Vec<(Option<Time>, Option<&str>)> = vec![(None, None); n];
        for ((_, _, ix), (at, by)) in self.ended.range((system_ix, membership, from)..(system_ix, membership, to)) {
            if let Some(place) = ended.get_mut((ix - from) as usize) {
                *place = (*at, by.as_deref());
            }
        }
        let columns: Vec<ArrayRef> = vec![
            Arc::new(UInt32Array::from(vec![system_ix; n])),
            Arc::new(StringArray::from(vec![word(membership); n])),
            Arc::new(UInt32Array::from_iter_values(from..to)),
            times(|p| p.first_seen_after),
            times(|p| Some(p.first_seen_by)),
            times(|p| p.last_absent),
            times(|p| Some(p.since_by)),
            times(|p| p.held_until),
            Arc::new(known.iter().map(|p| Some(p.regranted)).collect::<BooleanArray>()),
            Arc::new(ended.iter().map(|e| e.0.map(Time::micros)).collect::<TimestampMicrosecondArray>()),
            Arc::new(ended.iter().map(|e| e.1).collect::<StringArray>()),
        ];
        RecordBatch::try_new(EDGE_HISTORY.arrow(), columns)
    }

    /// The histories of the edges `from..to` of one table.
    fn spread(&self, key: (u32, bool), from: u32, to: u32) -> Vec<Presence> {
        let runs = self.tables.get(&key).map(|t| t.runs.as_slice()).unwrap_or_default();
        let first = runs.partition_point(|(start, _)| *start <= from).saturating_sub(1);
        let runs = runs.get(first..).unwrap_or_default();
        let ends = runs.iter().skip(1).map(|(start, _)| *start).chain([u32::MAX]);
        let mut out = Vec::with_capacity(to.saturating_sub(from) as usize);
        for ((start, code), end) in runs.iter().zip(ends).take_while(|((start, _), _)| *start < to) {
            let n = end.min(to).saturating_sub((*start).max(from)) as usize;
            out.resize(out.len() + n, self.known.get(*code as usize).copied().unwrap_or_default());
        }
        out
    }
}

impl Presence {
    fn of(row: &EdgeHistoryRow) -> Self {
        Self {
            first_seen_after: row.first_seen_after,
            first_seen_by: row.first_seen_by,
            last_absent: row.last_absent,
            since_by: row.since_by,
            held_until: row.held_until,
            regranted: row.regranted,
        }
    }

    fn row(&self, system_ix: u32, edge: &str, edge_ix: u32) -> EdgeHistoryRow {
        EdgeHistoryRow {
            system_ix,
            edge: edge.to_owned(),
            edge_ix,
            first_seen_after: self.first_seen_after,
            first_seen_by: self.first_seen_by,
            last_absent: self.last_absent,
            since_by: self.since_by,
            held_until: self.held_until,
            regranted: self.regranted,
            revoked_at: None,
            revoked_by: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::Array;

    use super::*;
    use crate::model::to_batch;

    fn presence(first: i64) -> Presence {
        let at = Time::from_seconds(first).unwrap();
        Presence { first_seen_by: at, since_by: at, ..Presence::default() }
    }

    /// Two systems; runs that cross the border of a batch, and one that ends at it.
    fn history() -> EdgeHistory {
        let mut out = EdgeHistory::default();
        let known = [presence(1), presence(2), presence(1)];
        out.put(3, false, BATCH + 7, &[(0, 0), (5, 1), (6, 2), (BATCH, 1), (BATCH + 1, 0)], &known);
        let mut other = EdgeHistory::default();
        other.put(3, true, 4, &[(0, 1), (2, 0), (3, 2)], &known);
        other.put(1, true, 0, &[], &known);
        other.put(1, false, BATCH, &[(0, 0)], &known);
        out.extend(&other);
        out
    }

    #[test]
    fn one_row_an_edge_in_the_order_of_the_key_however_it_is_read() {
        let mut history = history();
        let second = |s| Time::from_seconds(s);
        history.note(3, false, 5, second(9), "R-9");
        history.note(3, false, 5, second(8), "R-8");
        history.note(3, false, BATCH + 7, second(9), "no such edge");
        let rows: Vec<EdgeHistoryRow> = history.rows().collect();
        assert_eq!((rows.len() as u64, history.len()), (u64::from(2 * BATCH) + 11, u64::from(2 * BATCH) + 11));
        let key = |r: &EdgeHistoryRow| (r.system_ix, r.edge.clone(), r.edge_ix);
        assert!(rows.windows(2).all(|w| key(&w[0]) < key(&w[1])));
        let batches: Vec<RecordBatch> = history.batches().collect::<Result<_, _>>().unwrap();
        assert_eq!(batches.iter().map(RecordBatch::num_rows).collect::<Vec<_>>(), [BATCH as usize, BATCH as usize, 11]);
        let read: Vec<EdgeHistoryRow> = batches.iter().flat_map(|b| crate::model::from_batch::<EdgeHistoryRow>(b).unwrap()).collect();
        assert_eq!(read, rows);
        let again = rows.iter().try_fold(EdgeHistory::default(), |mut h, r| h.push(r).map(|()| h)).unwrap();
        assert_eq!(again.rows().collect::<Vec<_>>(), rows);
        let seen = |grant, ix| history.row(3, grant, ix).map(|r| (r.first_seen_by.micros() / 1_000_000, r.revoked_by));
        assert_eq!([seen(true, 1), seen(true, 2), seen(true, 3), seen(true, 4)], [Some((2, None)), Some((1, None)), Some((1, None)), None]);
        assert_eq!([seen(false, 4), seen(false, 5), seen(false, 6)], [Some((1, None)), Some((2, Some("R-9".to_owned()))), Some((1, None))]);
        assert_eq!([seen(false, BATCH), seen(false, BATCH + 6), seen(false, BATCH + 7)], [Some((2, None)), Some((1, None)), None]);
        assert_eq!(history.row(2, true, 0), None);
        // Column by column it is the same, and NULL where there is no edge.
        let edges: Vec<Option<(u32, bool, u32)>> = [(3, true, 1), (3, false, 5), (1, false, 9), (2, true, 0)].map(Some).into();
        let edges = [edges, vec![None]].concat();
        let places = history.places(edges.iter().copied());
        let columns: Vec<ArrayRef> = EDGE_HISTORY.columns.iter().map(|c| history.column(c.name, &edges).unwrap()).collect();
        for (at, edge) in edges.iter().enumerate() {
            let row = edge.and_then(|(system_ix, grant, ix)| history.row(system_ix, grant, ix));
            assert_eq!(<EdgeHistoryRow as crate::model::Row>::at(&columns, at).ok(), row, "{edge:?}");
            assert_eq!(places.is_valid(at), row.is_some());
        }
        assert!(history.column("nothing", &edges).is_none());
    }

    #[test]
    fn an_empty_table_is_one_empty_batch_of_its_schema_and_rows_out_of_order_are_refused() {
        let batches: Vec<RecordBatch> = EdgeHistory::default().batches().collect::<Result<_, _>>().unwrap();
        assert_eq!(batches, [to_batch::<EdgeHistoryRow>(&[]).unwrap()]);
        let row = |system_ix, edge: &str, edge_ix| presence(1).row(system_ix, edge, edge_ix);
        let mut history = EdgeHistory::default();
        history.push(&row(1, "membership", 0)).unwrap();
        let refused = [row(1, "membership", 2), row(1, "grant", 0), row(0, "membership", 0), row(1, "edge", 0), row(1, "membership", 0)];
        for bad in refused {
            let why = history.clone().push(&bad).unwrap_err();
            assert_eq!(why, format!("the history of {} {} of system {} stands out of order", bad.edge, bad.edge_ix, bad.system_ix));
        }
    }
}
