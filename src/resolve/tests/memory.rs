//! The tables of a snapshot in memory, read in batches that are as small as a test likes.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;

use crate::model::*;
use crate::resolve::{Batches, Source};
use crate::store::assemble::Tables;

#[derive(Debug, Default)]
pub struct Memory {
    tables: BTreeMap<&'static str, RecordBatch>,
    /// Rows of a batch.
    step: usize,
}

impl Memory {
    pub fn of(t: &Tables, step: usize) -> Self {
        let tables = [
            ("accounts", to_batch(&t.accounts)),
            ("groups", to_batch(&t.groups)),
            ("memberships", to_batch(&t.memberships)),
            ("entitlements", to_batch(&t.entitlements)),
            ("statements", to_batch(&t.statements)),
            ("resources", to_batch(&t.resources)),
            ("grants", to_batch(&t.grants)),
            ("credentials", to_batch(&t.credentials)),
        ];
        Self { tables: tables.into_iter().map(|(name, batch)| (name, batch.unwrap())).collect(), step }
    }
}

impl Source for Memory {
    type Error = String;

    fn count(&self, table: &'static Table) -> Result<u32, String> {
        Ok(u32::try_from(self.tables[table.name].num_rows()).unwrap())
    }

    fn batches(&self, table: &'static Table, columns: &[&'static str]) -> Result<Batches<'_, String>, String> {
        let all = &self.tables[table.name];
        let columns: Vec<usize> = columns.iter().map(|c| all.schema().index_of(c).unwrap()).collect();
        let all = all.project(&columns).unwrap();
        let (rows, step) = (all.num_rows(), self.step);
        Ok(Box::new((0..rows).step_by(step).map(move |from| Ok(all.slice(from, step.min(rows - from))))))
    }

    fn rows<R: Row>(&self, positions: &[u32]) -> Result<Vec<R>, String> {
        assert!(positions.windows(2).all(|w| w[0] < w[1]), "{positions:?}");
        let all = &self.tables[R::TABLE.name];
        Ok(positions.iter().flat_map(|at| from_batch(&all.slice(*at as usize, 1)).unwrap()).collect())
    }

    fn damaged(&self, table: &'static Table, what: String) -> String {
        format!("{}: {what}", table.name)
    }
}
