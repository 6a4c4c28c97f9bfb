//! What a query says about one part.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{Field, Schema};

use super::Tally;
use super::build::is_system;
use super::column::{Codes, Lit, Text, Value, failed};
use super::eval::{Computed, Eval, Selection};
use super::node::{NodeId, SpaceId};
use crate::sql::types::Type;

/// A query in the graph.
#[derive(Debug)]
pub(super) struct Ready {
    pub space: SpaceId,
    /// Which rows of the space are its rows.
    pub condition: Option<NodeId>,
    pub outputs: Vec<(Type, NodeId)>,
    pub schema: Arc<Schema>,
    pub outcome: Option<NodeId>,
    pub system: Option<NodeId>,
    /// Outputs in which some row can fail: polars computes them of every row.
    pub may_fail: Vec<NodeId>,
}

/// A field as `frame::to_batch` has it.
pub(super) fn field(name: &str, ty: Type) -> Field {
    Field::new(name, ty.arrow(), true)
}

type Counts = BTreeMap<(Option<u32>, String), u64>;

impl Eval<'_> {
    pub fn tally(&self, query: &Ready) -> Computed<Tally> {
        let mut tally = Tally { counts: Counts::new(), hits: RecordBatch::new_empty(Arc::clone(&query.schema)) };
        let (Some(outcome), rows) = (query.outcome, self.len(query.space)?) else { return Ok(tally) };
        if rows == 0 {
            return Ok(tally);
        }
        let kept = query.condition.map(|c| self.holds(c, query.space)).transpose()?;
        let count = kept.as_ref().map_or(rows, BooleanBuffer::count_set_bits);
        if count == 0 {
            return Ok(tally);
        }
        for output in &query.may_fail {
            self.value(*output)?;
        }
        let outcome = self.column(outcome, query.space)?;
        let outcome = outcome.text()?;
        tally.counts = match query.system {
            None => counted(outcome, kept.as_ref(), None),
            Some(node) if is_system(self.graph, node) => counted(outcome, kept.as_ref(), self.first(node, kept.as_ref())?),
            Some(node) => by_system(outcome, kept.as_ref(), &self.column(node, query.space)?)?,
        };
        if tally.counts.keys().any(|(_, outcome)| outcome == "finding") {
            let found = outcome.test(|t| t == "finding").yes;
            let found = kept.map_or_else(|| found.clone(), |kept| &kept & &found);
            tally.hits = self.late(query, found.set_indices_u32().collect())?;
        }
        Ok(tally)
    }

    /// The value of a column of ordinals in the first row that is kept.
    fn first(&self, node: NodeId, kept: Option<&BooleanBuffer>) -> Computed<Option<u32>> {
        let row = kept.map_or(Some(0), |kept| kept.set_indices_u32().next()).unwrap_or_default();
        let value = self.some(node, &Selection { rows: vec![row].into(), matched: None })?;
        let ordinal = match &value {
            Value::Const(Lit::Null) => None,
            Value::Const(Lit::Int(n)) => Some(*n),
            value => value.wide()?.get(0),
        };
        ordinal.map(u32::try_from).transpose().map_err(failed)
    }

    /// Every output, only of some rows.
    pub fn late(&self, query: &Ready, rows: Vec<u32>) -> Computed<RecordBatch> {
        let selection = Selection { rows: rows.into(), matched: None };
        let output = |(ty, node): &(Type, NodeId)| self.array(*ty, *node, self.some(*node, &selection)?, selection.rows.len());
        batch(query, query.outputs.iter().map(output).collect::<Computed<Vec<_>>>()?, selection.rows.len())
    }

    fn array(&self, ty: Type, node: NodeId, value: Value, rows: usize) -> Computed<ArrayRef> {
        match value {
            Value::Const(lit) => Value::full(&lit, self.graph.kind(node), rows).array(ty),
            value => value.array(ty),
        }
    }

    /// Every output of every row.
    pub fn everything(&self, query: &Ready) -> Computed<RecordBatch> {
        let rows: Vec<u32> = match query.condition {
            Some(condition) => self.holds(condition, query.space)?.set_indices_u32().collect(),
            None => (0..u32::try_from(self.len(query.space)?).map_err(failed)?).collect(),
        };
        let output = |(ty, node): &(Type, NodeId)| self.array(*ty, *node, self.column(*node, query.space)?.gather(&rows, None), rows.len());
        batch(query, query.outputs.iter().map(output).collect::<Computed<Vec<_>>>()?, rows.len())
    }
}

fn batch(query: &Ready, arrays: Vec<ArrayRef>, rows: usize) -> Computed<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(&query.schema), arrays, &options).map_err(failed)
}

/// Rows by outcome, all of one system.
fn counted(outcome: &Text, kept: Option<&BooleanBuffer>, system: Option<u32>) -> Counts {
    if let (Codes::U8(codes), None) = (&outcome.codes, &outcome.valid) {
        return named(system, outcome, &of_bytes(codes, kept), 0);
    }
    let mut entries = vec![0_u64; outcome.values.len()];
    let mut null = 0;
    let mut add = |row: usize| match entries.get_mut(outcome.code(row)).filter(|_| outcome.is_valid(row)) {
        Some(count) => *count += 1,
        None => null += 1,
    };
    match kept {
        Some(kept) => kept.set_indices().for_each(&mut add),
        None => (0..outcome.len()).for_each(&mut add),
    }
    named(system, outcome, &entries, null)
}

/// Rows by code: a table of 256 needs no check of its bounds.
fn of_bytes(codes: &[u8], kept: Option<&BooleanBuffer>) -> [u64; 256] {
    let mut table = [0_u64; 256];
    let mut add = |code: u8| {
        if let Some(count) = table.get_mut(usize::from(code)) {
            *count += 1;
        }
    };
    match kept {
        Some(kept) => kept.set_indices().filter_map(|row| codes.get(row)).for_each(|code| add(*code)),
        None => codes.iter().for_each(|code| add(*code)),
    }
    table
}

/// Counts of entries under their names, which may repeat.
fn named(system: Option<u32>, outcome: &Text, entries: &[u64], null: u64) -> Counts {
    let mut counts = Counts::new();
    let of_entries = entries.iter().enumerate().filter(|(_, count)| **count > 0).map(|(entry, count)| (outcome.entry(entry), *count));
    for (name, count) in of_entries.chain([("unknown", null)]).filter(|(_, count)| *count > 0) {
        *counts.entry((system, name.to_owned())).or_default() += count;
    }
    counts
}

/// Rows by system and outcome.
fn by_system(outcome: &Text, kept: Option<&BooleanBuffer>, systems: &Value) -> Computed<Counts> {
    let systems = systems.wide()?;
    let mut counts: BTreeMap<(Option<i64>, Option<usize>), u64> = BTreeMap::new();
    let mut add = |row: usize| {
        let entry = outcome.is_valid(row).then(|| outcome.code(row));
        *counts.entry((systems.get(row), entry)).or_default() += 1;
    };
    match kept {
        Some(kept) => kept.set_indices().for_each(&mut add),
        None => (0..outcome.len()).for_each(&mut add),
    }
    let mut named = Counts::new();
    for ((system, entry), count) in counts {
        let system = system.map(u32::try_from).transpose().map_err(failed)?;
        let name = entry.map_or("unknown", |e| outcome.entry(e));
        *named.entry((system, name.to_owned())).or_default() += count;
    }
    Ok(named)
}
