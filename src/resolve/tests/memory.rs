//! The tables of a snapshot in memory, read in parts that are as small as a test likes.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;

use crate::model::cell::ColType;
use crate::model::*;
use crate::resolve::{Columns, Source};
use crate::store::assemble::Tables;

#[derive(Debug, Default)]
pub struct Memory {
    tables: BTreeMap<&'static str, RecordBatch>,
    /// Rows of a part.
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
    type Columns = InParts;

    fn count(&self, table: &'static Table) -> Result<u32, String> {
        Ok(u32::try_from(self.tables[table.name].num_rows()).unwrap())
    }

    fn open(&self, table: &'static Table, columns: &[&'static str]) -> Result<InParts, String> {
        let all = &self.tables[table.name];
        let column = |name: &&str| {
            let array = all.column_by_name(name).unwrap();
            let word = table.columns.iter().any(|c| c.name == *name && matches!(c.ty, ColType::Word(_)));
            // Words come either way.
            let coded = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
            if word && self.step.is_multiple_of(2) { cast(array, &coded).unwrap() } else { Arc::clone(array) }
        };
        let rows = all.num_rows();
        let parts = (0..rows).step_by(self.step).map(|from| self.step.min(rows - from)).collect();
        Ok(InParts { columns: columns.iter().map(column).collect(), parts, step: self.step })
    }

    fn damaged(&self, table: &'static Table, what: String) -> String {
        format!("{}: {what}", table.name)
    }
}

#[derive(Debug)]
pub struct InParts {
    columns: Vec<ArrayRef>,
    parts: Vec<usize>,
    step: usize,
}

impl Columns for InParts {
    type Error = String;

    fn parts(&self) -> &[usize] {
        &self.parts
    }

    fn read(&self, part: usize, column: usize) -> Result<ArrayRef, String> {
        Ok(self.columns[column].slice(part * self.step, self.parts[part]))
    }

    fn is_same(&self, other: &Self, part: usize, column: usize) -> bool {
        self.read(part, column) == other.read(part, column)
    }
}
