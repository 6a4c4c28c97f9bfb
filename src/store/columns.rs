//! Some columns of a stored table, batch by batch: what is read of a table that does not fit into memory.

use std::cmp::Ordering;
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::statistics::Statistics;

use super::StoreError;
use crate::model::Table;
use crate::model::cell::ColType;

/// Rows of one batch at most. A row group that is somewhat larger is one batch all the same: accounts end with it.
const BATCH_ROWS: usize = 131_072;

/// A table of a sealed snapshot, open for reading.
#[derive(Debug)]
pub struct Stored {
    path: PathBuf,
    file: File,
    metadata: ArrowReaderMetadata,
    /// Positions of the asked columns in a batch, in the order asked.
    order: Vec<usize>,
    mask: ProjectionMask,
}

impl Stored {
    /// Opens `dir/<table>.parquet`. Words come as dictionaries.
    ///
    /// # Errors
    /// The file is missing or damaged, or lacks a column.
    pub fn open(dir: &Path, table: &'static Table, columns: &[&str]) -> Result<Self, StoreError> {
        let path = dir.join(format!("{}.parquet", table.name));
        let file = File::open(&path).map_err(|e| StoreError::io(&path, e))?;
        let fail = |e| StoreError::parquet(&path, e);
        let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::default()).map_err(fail)?;
        // The file's own fields: only how a word is held in memory is another.
        let field = |f: &Arc<Field>| {
            let word = table.columns.iter().any(|c| c.name == f.name() && matches!(c.ty, ColType::Word(_)));
            if word && f.data_type() == &DataType::Utf8 {
                let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
                return Arc::new(f.as_ref().clone().with_data_type(dictionary));
            }
            Arc::clone(f)
        };
        let schema = Arc::new(Schema::new(metadata.schema().fields().iter().map(field).collect::<Vec<_>>()));
        let options = ArrowReaderOptions::default().with_schema(Arc::clone(&schema));
        let metadata = ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), options).map_err(fail)?;
        let mut in_file = Vec::new();
        for column in columns {
            let at = schema.fields().iter().position(|f| f.name() == column);
            in_file.push(at.ok_or_else(|| StoreError::damaged(&path, format!("it has no column `{column}`")))?);
        }
        let order = in_file.iter().map(|at| in_file.iter().filter(|other| *other < at).count()).collect();
        let mask = ProjectionMask::roots(metadata.parquet_schema(), in_file);
        Ok(Self { path, file, metadata, order, mask })
    }

    fn parquet(&self) -> &ParquetMetaData {
        self.metadata.metadata()
    }

    /// Its row groups: the first row of each, and how many there are.
    fn row_groups(&self) -> Vec<Range<u64>> {
        let mut first: u64 = 0;
        let one = |rows: u64| {
            let range = first..first.saturating_add(rows);
            first = range.end;
            range
        };
        self.parquet().row_groups().iter().map(|g| u64::try_from(g.num_rows()).unwrap_or(0)).map(one).collect()
    }

    /// Reads one row group.
    fn read(&self, group: usize) -> Result<ParquetRecordBatchReader, StoreError> {
        let file = self.file.try_clone().map_err(|e| StoreError::io(&self.path, e))?;
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone());
        let builder = builder.with_row_groups(vec![group]).with_projection(self.mask.clone()).with_batch_size(BATCH_ROWS);
        builder.build().map_err(|e| StoreError::parquet(&self.path, e))
    }

    /// The columns in the order asked.
    fn ordered(&self, batch: Result<RecordBatch, arrow::error::ArrowError>) -> Result<RecordBatch, StoreError> {
        let damaged = |e: arrow::error::ArrowError| StoreError::damaged(&self.path, e.to_string());
        batch.and_then(|b| b.project(&self.order)).map_err(damaged)
    }

    /// Every batch. No batch crosses the end of a row group.
    pub fn batches(self) -> impl Iterator<Item = Result<RecordBatch, StoreError>> {
        let mut groups = 0..self.parquet().num_row_groups();
        let mut reader: Option<ParquetRecordBatchReader> = None;
        std::iter::from_fn(move || {
            loop {
                if let Some(batch) = reader.as_mut().and_then(Iterator::next) {
                    return Some(self.ordered(batch));
                }
                match self.read(groups.next()?) {
                    Ok(next) => reader = Some(next),
                    Err(e) => {
                        groups = 0..0;
                        reader = None;
                        return Some(Err(e));
                    }
                }
            }
        })
    }

    /// The texts of one row group, its only column.
    fn texts(&self, group: usize) -> Result<Vec<StringArray>, StoreError> {
        let not_text = || StoreError::damaged(&self.path, "`native_id` is not text in every row".to_owned());
        let text = |batch: RecordBatch| {
            let texts = batch.columns().first().and_then(|c| c.as_string_opt::<i32>()).filter(|t| t.null_count() == 0);
            texts.cloned().ok_or_else(not_text)
        };
        self.read(group)?.map(|batch| self.ordered(batch).and_then(text)).collect()
    }
}

/// What a search had to read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    pub row_groups: usize,
    pub rows: u64,
    /// Of the column, as stored.
    pub bytes: u64,
}

/// The native ids of a dimension, to be searched: only the row groups that may hold what is sought are read.
#[derive(Debug)]
pub struct NativeIds {
    stored: Stored,
    cost: Cost,
}

impl NativeIds {
    /// # Errors
    /// The file is missing or damaged.
    pub fn open(dir: &Path, table: &'static Table) -> Result<Self, StoreError> {
        Ok(Self { stored: Stored::open(dir, table, &["native_id"])?, cost: Cost::default() })
    }

    /// What was read so far.
    pub fn cost(&self) -> Cost {
        self.cost
    }

    /// The wanted ids that are there, with their ordinals, both ascending. `wanted`: ascending, each once.
    ///
    /// # Errors
    /// The file is damaged.
    pub fn find<'w>(&mut self, wanted: &[&'w str]) -> Result<Vec<(u32, &'w str)>, StoreError> {
        let mut out = Vec::new();
        for (group, rows) in self.stored.row_groups().into_iter().enumerate() {
            let within = self.within(group, wanted);
            if within.is_empty() {
                continue;
            }
            let mut sought = within.iter().copied().peekable();
            self.each(group, &rows, |ix, id| {
                while sought.next_if(|w| *w < id).is_some() {}
                if let Some(found) = sought.next_if(|w| *w == id) {
                    out.push((ix, found));
                }
            })?;
        }
        Ok(out)
    }

    /// The native ids at some ordinals, ascending; one that is not there is left out.
    ///
    /// # Errors
    /// The file is damaged.
    pub fn at(&mut self, ordinals: &[u32]) -> Result<Vec<(u32, String)>, StoreError> {
        let mut out = Vec::new();
        for (group, rows) in self.stored.row_groups().into_iter().enumerate() {
            let from = ordinals.partition_point(|ix| u64::from(*ix) < rows.start);
            let to = ordinals.partition_point(|ix| u64::from(*ix) < rows.end);
            let mut sought = ordinals.get(from..to).unwrap_or_default().iter().peekable();
            if sought.peek().is_some() {
                self.each(group, &rows, |ix, id| {
                    if sought.next_if(|s| **s == ix).is_some() {
                        out.push((ix, id.to_owned()));
                    }
                })?;
            }
        }
        Ok(out)
    }

    /// The ids that another snapshot has and this one has not: what `gone` says of each id here that `there` lacks. Both ascend.
    ///
    /// # Errors
    /// A file is damaged.
    pub fn without(&mut self, there: &mut Self, mut gone: impl FnMut(u32, &str)) -> Result<(), StoreError> {
        let groups = there.stored.row_groups();
        let mut others = Others { ids: there, groups, next: 0, texts: Vec::new(), at: (0, 0), failed: None };
        for (group, rows) in self.stored.row_groups().into_iter().enumerate() {
            self.each(group, &rows, |ix, id| {
                if !others.has(id) {
                    gone(ix, id);
                }
            })?;
        }
        others.failed.map_or(Ok(()), Err)
    }

    /// Tells every id of a row group, with its ordinal.
    fn each(&mut self, group: usize, rows: &Range<u64>, mut tell: impl FnMut(u32, &str)) -> Result<(), StoreError> {
        let mut ix = u32::try_from(rows.start).unwrap_or(u32::MAX);
        for texts in self.texts(group)? {
            for id in texts.iter().flatten() {
                tell(ix, id);
                ix = ix.saturating_add(1);
            }
        }
        Ok(())
    }

    fn texts(&mut self, group: usize) -> Result<Vec<StringArray>, StoreError> {
        let meta = self.stored.parquet().row_groups().get(group);
        let column = meta.and_then(|g| g.columns().iter().find(|c| c.column_path().string() == "native_id"));
        self.cost.row_groups += 1;
        self.cost.rows += meta.and_then(|g| u64::try_from(g.num_rows()).ok()).unwrap_or(0);
        self.cost.bytes += column.and_then(|c| u64::try_from(c.compressed_size()).ok()).unwrap_or(0);
        self.stored.texts(group)
    }

    /// The wanted ids that a row group may hold, by the least and the greatest that its statistics state; all if they state none.
    fn within<'a, 'w>(&self, group: usize, wanted: &'a [&'w str]) -> &'a [&'w str] {
        let meta = self.stored.parquet().row_groups().get(group);
        let column = meta.and_then(|g| g.columns().iter().find(|c| c.column_path().string() == "native_id"));
        let Some(Statistics::ByteArray(range)) = column.and_then(|c| c.statistics()) else { return wanted };
        // A bound that was cut short is a bound all the same.
        let from = range.min_bytes_opt().map_or(0, |min| wanted.partition_point(|w| w.as_bytes().cmp(min) == Ordering::Less));
        let to = range.max_bytes_opt().map_or(wanted.len(), |max| wanted.partition_point(|w| w.as_bytes().cmp(max) != Ordering::Greater));
        wanted.get(from..to).unwrap_or_default()
    }
}

/// The ids of the other side of [`NativeIds::without`], walked once.
struct Others<'a> {
    ids: &'a mut NativeIds,
    groups: Vec<Range<u64>>,
    next: usize,
    texts: Vec<StringArray>,
    at: (usize, usize),
    failed: Option<StoreError>,
}

impl Others<'_> {
    /// Whether it has an id, which is greater than those asked before.
    fn has(&mut self, id: &str) -> bool {
        loop {
            match self.here().map(|other| other.cmp(id)) {
                Some(Ordering::Less) => self.at.1 += 1,
                Some(order) => return order == Ordering::Equal,
                None if self.turn() => {}
                None => return false,
            }
        }
    }

    fn here(&self) -> Option<&str> {
        let texts = self.texts.get(self.at.0)?;
        (self.at.1 < texts.len()).then(|| texts.value(self.at.1))
    }

    /// Goes on to the next batch; false: there is none.
    fn turn(&mut self) -> bool {
        if self.at.0 + 1 < self.texts.len() {
            self.at = (self.at.0 + 1, 0);
            return true;
        }
        if self.next >= self.groups.len() || self.failed.is_some() {
            return false;
        }
        match self.ids.texts(self.next) {
            Ok(texts) => (self.texts, self.at) = (texts, (0, 0)),
            Err(e) => self.failed = Some(e),
        }
        self.next += 1;
        true
    }
}
