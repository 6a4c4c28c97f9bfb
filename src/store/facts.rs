//! The rows of one stored table: held in memory if they are few, else read row group by row group as they are asked for.
//!
//! Reading on demand can fail long after the table was opened. Readers then get what could be read, the first fault is kept, and whoever
//! made them asks [`Facts::fault`] before anything is written: a run ends by name and leaves nothing.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fs::File;
use std::marker::PhantomData;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arrow::array::{Array, AsArray, RecordBatch, RecordBatchReader};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt16Type, UInt32Type};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection, RowSelector};
use parquet::file::statistics::Statistics;
use rayon::prelude::*;

use super::StoreError;
use super::part::Part;
use crate::model::cell::{CellError, ColType};
use crate::model::{ORIGINS, OriginRow, Row, Time, from_batch};

/// Rows up to which a table is held in memory.
pub const HELD_ROWS: usize = 65_536;

/// How words come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Words {
    Plain,
    /// As dictionaries, which is how they are stored.
    Coded,
}

impl Words {
    /// Which rows of a column of words hold a word, however they come.
    pub fn are(column: &dyn Array, word: &str) -> Vec<bool> {
        if let Some(texts) = column.as_string_opt::<i32>() {
            return texts.iter().map(|t| t == Some(word)).collect();
        }
        let Some(coded) = column.as_dictionary_opt::<UInt16Type>() else { return Vec::new() };
        let texts = coded.values().as_string_opt::<i32>();
        let known: Vec<bool> = texts.into_iter().flat_map(|t| t.iter()).map(|t| t == Some(word)).collect();
        coded.keys().iter().map(|k| k.is_some_and(|k| known.get(usize::from(k)).copied().unwrap_or(false))).collect()
    }
}

/// Row groups that stay decoded for rows asked for one by one. Those of origins are small, and what is asked for lies all over them.
const KEPT: usize = 6;
const KEPT_ORIGINS: usize = 48;

/// The rows of one table in the order of its key.
pub struct Facts<R> {
    held: Held<R>,
}

enum Held<R> {
    Rows(Vec<R>),
    Stored(Stored<R>),
}

struct Stored<R> {
    path: PathBuf,
    metadata: ArrowReaderMetadata,
    /// The first row of each row group, and the number of all rows.
    starts: Vec<usize>,
    fault: OnceLock<StoreError>,
    kept: Mutex<VecDeque<(usize, Arc<Decoded>)>>,
    /// Of the table of origins: where each row group begins.
    firsts: OnceLock<Vec<(String, u32)>>,
    rows: PhantomData<fn() -> R>,
}

/// A row group with the columns of its table in their order.
struct Decoded {
    batch: RecordBatch,
}

impl<R> Default for Facts<R> {
    fn default() -> Self {
        Self { held: Held::Rows(Vec::new()) }
    }
}

impl<R> From<Vec<R>> for Facts<R> {
    fn from(rows: Vec<R>) -> Self {
        Self { held: Held::Rows(rows) }
    }
}

impl<R: Row> std::fmt::Debug for Facts<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} rows of `{}`", self.len(), R::TABLE.name)
    }
}

impl<R: Row> Facts<R> {
    /// Opens `dir/<table>.parquet`; up to `held` rows are read at once.
    ///
    /// # Errors
    /// The file is missing or damaged, or its columns are not the table's.
    pub fn open(dir: &Path, held: usize) -> Result<Self, StoreError> {
        let path = dir.join(format!("{}.parquet", R::TABLE.name));
        let stored = Stored::open(path)?;
        if stored.len() > held {
            return Ok(Self { held: Held::Stored(stored) });
        }
        let mut rows = Vec::with_capacity(stored.len());
        for group in 0..stored.groups() {
            let batch = stored.decode(group, None)?;
            rows.extend(from_batch::<R>(&batch).map_err(|e| StoreError::damaged(&stored.path, e.to_string()))?);
        }
        Ok(Self { held: Held::Rows(rows) })
    }

    pub fn len(&self) -> usize {
        match &self.held {
            Held::Rows(rows) => rows.len(),
            Held::Stored(stored) => stored.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether all rows are in memory.
    pub fn is_held(&self) -> bool {
        matches!(self.held, Held::Rows(_))
    }

    /// What kept rows from being read, if anything did.
    pub fn fault(&self) -> Option<&StoreError> {
        match &self.held {
            Held::Rows(_) => None,
            Held::Stored(stored) => stored.fault.get(),
        }
    }

    /// The row at a position.
    pub fn get(&self, at: usize) -> Option<Cow<'_, R>> {
        match &self.held {
            Held::Rows(rows) => rows.get(at).map(Cow::Borrowed),
            Held::Stored(stored) => stored.get(at).map(Cow::Owned),
        }
    }

    /// All rows.
    pub fn iter(&self) -> Box<dyn Iterator<Item = Cow<'_, R>> + '_> {
        self.range(0..self.len())
    }

    /// The rows at consecutive positions.
    pub fn range(&self, range: Range<usize>) -> Box<dyn Iterator<Item = Cow<'_, R>> + '_> {
        match &self.held {
            Held::Rows(rows) => Box::new(within(rows, range).iter().map(Cow::Borrowed)),
            Held::Stored(stored) => Box::new(stored.cut(range).flat_map(|(group, span)| stored.rows(group, span)).map(Cow::Owned)),
        }
    }

    /// The rows at consecutive positions, in memory.
    pub fn part(&self, range: Range<usize>) -> Cow<'_, [R]> {
        match &self.held {
            Held::Rows(rows) => Cow::Borrowed(within(rows, range)),
            Held::Stored(_) => Cow::Owned(self.range(range).map(Cow::into_owned).collect()),
        }
    }

    /// The rows at consecutive positions with nothing but some columns read: the others stand at their defaults.
    ///
    /// # Errors
    /// The file is damaged.
    pub fn only(&self, range: Range<usize>, columns: &[&str]) -> Result<Cow<'_, [R]>, StoreError>
    where
        R: Default,
    {
        match &self.held {
            Held::Rows(rows) => Ok(Cow::Borrowed(within(rows, range))),
            Held::Stored(stored) => {
                let mut out = Vec::with_capacity(range.len());
                for batch in self.columns(range, columns, Words::Plain)? {
                    stored.or_keep(stored.some_of(&batch, &mut out))?;
                }
                Ok(Cow::Owned(out))
            }
        }
    }

    /// The rows at some positions, ascending, with nothing but some columns read; of a row group only those rows are decoded.
    ///
    /// # Errors
    /// The file is damaged.
    pub fn pick(&self, positions: &[usize], columns: &[&str]) -> Result<Vec<R>, StoreError>
    where
        R: Default,
    {
        match &self.held {
            Held::Rows(rows) => Ok(positions.iter().filter_map(|at| rows.get(*at)).cloned().collect()),
            Held::Stored(stored) => {
                let mut out = Vec::with_capacity(positions.len());
                for (group, wanted) in stored.by_group(positions) {
                    stored.some_of(&stored.pick(group, &wanted, columns)?, &mut out)?;
                }
                Ok(out)
            }
        }
    }

    /// As [`Facts::pick`], several row groups at a time.
    ///
    /// # Errors
    /// The file is damaged.
    pub fn gather(&self, positions: &[usize], columns: &[&str]) -> Result<Vec<R>, StoreError>
    where
        R: Default,
    {
        let Held::Stored(stored) = &self.held else { return self.pick(positions, columns) };
        let read = |(group, wanted): &(usize, Vec<usize>)| stored.pick(*group, wanted, columns);
        let batches: Vec<RecordBatch> = stored.or_keep(stored.by_group(positions).par_iter().map(read).collect())?;
        let mut out = Vec::with_capacity(positions.len());
        batches.iter().try_for_each(|batch| stored.or_keep(stored.some_of(batch, &mut out)))?;
        Ok(out)
    }

    /// The rows of each row group; those of a table that is held are one.
    pub fn groups(&self) -> Vec<Range<usize>> {
        match &self.held {
            Held::Rows(rows) if rows.is_empty() => Vec::new(),
            Held::Rows(rows) => std::iter::once(0..rows.len()).collect(),
            Held::Stored(stored) => stored.starts.windows(2).filter_map(|w| Some(*w.first()?..*w.last()?)).collect(),
        }
    }

    /// Those row groups that may hold one of some ordinals, ascending, in `column`.
    pub fn groups_with(&self, column: &'static str, ordinals: &[u32]) -> Vec<Range<usize>> {
        let within = |(least, most): (u32, u32)| ordinals.get(ordinals.partition_point(|o| *o < least)).is_some_and(|o| *o <= most);
        let may = |group: usize| match &self.held {
            Held::Rows(_) => !ordinals.is_empty(),
            Held::Stored(stored) if stored.nulls(group, column) == Some(stored.rows_of(group) as u64) => false,
            Held::Stored(stored) => stored.bounds(group, column).is_none_or(within),
        };
        self.groups().into_iter().enumerate().filter(|(group, _)| may(*group)).map(|(_, rows)| rows).collect()
    }

    /// Positions, ascending, of the rows whose `column` (ordinals, ascending, nulls last) is one of some ordinals, ascending.
    pub fn places(&self, column: &'static str, ordinals: &[u32]) -> Vec<usize>
    where
        R: Sync,
    {
        let found = self.parts(&self.groups_with(column, ordinals), &[column], |part| {
            let held = part.ordinals(column)?;
            let held = held.values().get(..held.len() - held.null_count()).unwrap_or_default();
            let (Some(first), Some(last)) = (held.first(), held.last()) else { return Ok(Vec::new()) };
            let sought = ordinals.iter().skip(ordinals.partition_point(|o| o < first)).take_while(|o| *o <= last);
            let rows = sought.flat_map(|o| held.partition_point(|h| h < o)..held.partition_point(|h| h <= o));
            Ok(rows.map(|at| part.rows.start + at).collect::<Vec<_>>())
        });
        found.concat()
    }

    /// What `of` makes of some columns of each of some ranges of rows, in their order; several are read at a time. Words come as they are
    /// stored. What cannot be read is left out and the fault kept: whoever asks for it is told.
    pub fn parts<T: Send>(&self, ranges: &[Range<usize>], columns: &[&str], of: impl Fn(&Part) -> Result<T, CellError> + Sync) -> Vec<T>
    where
        R: Sync,
    {
        let one = |range: &Range<usize>| -> Result<Vec<T>, StoreError> {
            let mut from = range.start;
            let batches = self.columns(range.clone(), columns, Words::Coded)?;
            let part = |batch: RecordBatch| {
                let rows = from..from + batch.num_rows();
                from = rows.end;
                of(&Part::new(rows, batch)).map_err(|e| self.damaged(e.to_string()))
            };
            let made = batches.into_iter().map(part).collect();
            if let Held::Stored(stored) = &self.held { stored.or_keep(made) } else { made }
        };
        let made: Vec<Result<Vec<T>, StoreError>> = ranges.par_iter().map(one).collect();
        made.into_iter().flatten().flatten().collect()
    }

    /// The newest instant of a column that may be null; `of` reads it from a row. The statistics of the file tell, where they are kept.
    pub fn newest(&self, column: &'static str, of: impl Fn(&R) -> Option<Time>) -> Option<Time>
    where
        R: Sync,
    {
        let stored = match &self.held {
            Held::Rows(rows) => return rows.iter().filter_map(of).max(),
            Held::Stored(stored) => stored,
        };
        let mut newest = None;
        let mut unknown = Vec::new();
        for (group, rows) in self.groups().into_iter().enumerate() {
            match stored.most(group, column) {
                Some(at) => newest = newest.max(Some(at)),
                None if stored.nulls(group, column) == Some(rows.len() as u64) => {}
                None => unknown.push(rows),
            }
        }
        let read = self.parts(&unknown, &[column], |part| Ok(part.times(column)?.into_iter().flatten().max()));
        read.into_iter().flatten().max().max(newest)
    }

    /// The table as damaged, with what is wrong.
    pub fn damaged(&self, what: String) -> StoreError {
        match &self.held {
            Held::Rows(_) => StoreError::internal(R::TABLE.name, what),
            Held::Stored(stored) => StoreError::damaged(&stored.path, what),
        }
    }

    /// All rows with nothing but some columns read: the others stand at their defaults. A few row groups are in memory at a time.
    pub fn brief<'a>(&'a self, columns: &'a [&'a str]) -> Box<dyn Iterator<Item = Cow<'a, R>> + 'a>
    where
        R: Default,
    {
        let some = move |from: usize| match self.only(from..(from + HELD_ROWS).min(self.len()), columns) {
            Ok(Cow::Borrowed(rows)) => Box::new(rows.iter().map(Cow::Borrowed)) as Box<dyn Iterator<Item = Cow<'a, R>> + 'a>,
            Ok(Cow::Owned(rows)) => Box::new(rows.into_iter().map(Cow::Owned)),
            // The fault is kept: whoever asks for it is told.
            Err(_) => Box::new(std::iter::empty()),
        };
        Box::new((0..self.len()).step_by(HELD_ROWS).flat_map(some))
    }

    /// Every row, in memory: for what cannot do with less.
    pub fn all(&self) -> Cow<'_, [R]> {
        self.part(0..self.len())
    }

    /// Whether some row has a value in `column`, which can be null; `of` reads it from a row. The statistics of the file tell, where they are kept.
    pub fn any(&self, column: &'static str, has: impl Fn(&R) -> bool) -> bool {
        match &self.held {
            Held::Rows(rows) => rows.iter().any(has),
            Held::Stored(stored) => (0..stored.groups()).any(|group| stored.nulls(group, column) != Some(stored.rows_of(group) as u64)),
        }
    }

    /// Positions of the rows whose `column` (ordinals, ascending, nulls last) lies in `from..to`; `of` reads it from a row.
    pub fn span(&self, column: &'static str, of: impl Fn(&R) -> Option<u32>, from: u32, to: u32) -> Range<usize> {
        match &self.held {
            Held::Rows(rows) => {
                let before = |limit: u32| rows.partition_point(|r| of(r).is_some_and(|v| v < limit));
                before(from)..before(to)
            }
            Held::Stored(stored) => stored.before(column, from)..stored.before(column, to),
        }
    }

    /// The position of the row whose `column` (text, ascending in byte order, no nulls) is `text`; `of` reads it from a row.
    pub fn find(&self, column: &'static str, of: impl Fn(&R) -> &str, text: &str) -> Option<usize> {
        match &self.held {
            Held::Rows(rows) => rows.binary_search_by(|r| of(r).cmp(text)).ok(),
            Held::Stored(stored) => stored.find(column, text),
        }
    }

    /// Some columns of the rows at consecutive positions, as far as possible without copies. `words` says how words come of a table that is
    /// not held; those of one that is are plain text.
    ///
    /// # Errors
    /// The file is damaged.
    pub fn columns(&self, range: Range<usize>, columns: &[&str], words: Words) -> Result<Vec<RecordBatch>, StoreError> {
        match &self.held {
            Held::Rows(rows) => {
                let batch = crate::model::to_batch(within(rows, range)).map_err(|e| StoreError::internal(R::TABLE.name, e))?;
                let at: Vec<usize> = columns.iter().filter_map(|c| batch.schema().index_of(c).ok()).collect();
                Ok(vec![batch.project(&at).map_err(|e| StoreError::internal(R::TABLE.name, e))?])
            }
            Held::Stored(stored) => {
                let read = |(group, span)| stored.decode_some(group, span, columns, words);
                stored.or_keep(stored.cut(range).map(read).collect::<Result<_, _>>())
            }
        }
    }
}

fn within<R>(rows: &[R], range: Range<usize>) -> &[R] {
    rows.get(range.start.min(rows.len())..range.end.min(rows.len())).unwrap_or_default()
}

impl Facts<OriginRow> {
    /// The position of the first origin of a row of a table.
    pub fn first_origin(&self, table: &str, row: u32) -> usize {
        let key = |o: &OriginRow| (o.table.as_str(), o.row) < (table, row);
        match &self.held {
            Held::Rows(rows) => rows.partition_point(key),
            Held::Stored(stored) => {
                let firsts = stored.firsts();
                // The last group that begins before it holds the border.
                let Some(group) = firsts.partition_point(|(t, r)| (t.as_str(), *r) < (table, row)).checked_sub(1) else { return 0 };
                let (Some(start), Some(end)) = (stored.starts.get(group), stored.starts.get(group + 1)) else { return self.len() };
                let (mut low, mut high) = (*start, *end);
                while low < high {
                    let middle = (low + high) / 2;
                    if stored.get(middle).is_some_and(|r| key(&r)) { low = middle + 1 } else { high = middle }
                }
                low
            }
        }
    }

    /// The origins of some rows of a table, ascending, in their order; of a row group only those are decoded.
    ///
    /// # Errors
    /// The file is damaged.
    pub fn of_rows(&self, table: &str, rows: &[u32]) -> Result<Vec<OriginRow>, StoreError> {
        let Held::Stored(stored) = &self.held else {
            let from = rows.iter().map(|row| self.first_origin(table, *row));
            let own =
                |at: usize, row: u32| self.range(at..self.len()).map(Cow::into_owned).take_while(move |o| o.table == table && o.row == row);
            return Ok(from.zip(rows).flat_map(|(at, row)| own(at, *row)).collect());
        };
        let firsts = stored.firsts();
        let mut out = Vec::with_capacity(rows.len());
        let begins = |group: usize| firsts.get(group).map(|(t, r)| (t.as_str(), *r));
        for group in 0..stored.groups() {
            // A row's origins may go over the border of two groups.
            let from = match begins(group) {
                Some((t, r)) if t == table => rows.partition_point(|row| *row < r),
                Some((t, _)) if t > table => break,
                _ => 0,
            };
            let to = match begins(group + 1) {
                Some((t, r)) if t == table => rows.partition_point(|row| *row <= r),
                Some((t, _)) if t < table => continue,
                _ => rows.len(),
            };
            let wanted = rows.get(from..to).unwrap_or_default();
            if wanted.is_empty() {
                continue;
            }
            let keys = stored.decode_some(group, 0..stored.rows_of(group), &["table", "row"], Words::Plain)?;
            let places = origins_of(&keys, table, wanted);
            if !places.is_empty() {
                let all: Vec<&str> = OriginRow::TABLE.columns.iter().map(|c| c.name).collect();
                stored.some_of(&stored.pick(group, &places, &all)?, &mut out)?;
            }
        }
        Ok(out)
    }
}

/// The places of the origins of some rows, ascending, of a table in a batch.
fn origins_of(keys: &RecordBatch, table: &str, wanted: &[u32]) -> Vec<usize> {
    let tables = keys.column_by_name("table").and_then(|c| c.as_string_opt::<i32>());
    let rows = keys.column_by_name("row").and_then(|c| c.as_primitive_opt::<UInt32Type>());
    let (Some(tables), Some(rows)) = (tables, rows) else { return Vec::new() };
    let mut wanted = wanted.iter().peekable();
    let mut out = Vec::new();
    for (at, row) in rows.values().iter().enumerate() {
        if tables.value(at) != table {
            continue;
        }
        while wanted.next_if(|w| *w < row).is_some() {}
        match wanted.peek() {
            None => break,
            Some(w) if *w == row => out.push(at),
            Some(_) => {}
        }
    }
    out
}

impl Stored<OriginRow> {
    /// Table and row with which each row group begins.
    fn firsts(&self) -> &[(String, u32)] {
        self.firsts.get_or_init(|| {
            let first = |group| self.or_fault(self.pick(group, &[0], &["table", "row"]));
            let key = |batch: RecordBatch| {
                let table = batch.column_by_name("table")?.as_string_opt::<i32>()?.iter().next()??.to_owned();
                Some((table, batch.column_by_name("row")?.as_primitive_opt::<UInt32Type>()?.values().first().copied()?))
            };
            (0..self.groups()).map_while(|group| key(first(group)?)).collect()
        })
    }
}

impl<R: Row> Stored<R> {
    fn open(path: PathBuf) -> Result<Self, StoreError> {
        let file = File::open(&path).map_err(|e| StoreError::io(&path, e))?;
        let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).map_err(|e| StoreError::parquet(&path, e))?;
        let mut starts = vec![0];
        for group in metadata.metadata().row_groups() {
            let next = starts.last().copied().unwrap_or(0) + usize::try_from(group.num_rows()).unwrap_or(0);
            starts.push(next);
        }
        let stored = Self {
            path,
            metadata,
            starts,
            fault: OnceLock::new(),
            kept: Mutex::new(VecDeque::new()),
            firsts: OnceLock::new(),
            rows: PhantomData,
        };
        for column in R::TABLE.columns {
            stored.column(column.name)?;
        }
        Ok(stored)
    }

    fn len(&self) -> usize {
        self.starts.last().copied().unwrap_or(0)
    }

    fn groups(&self) -> usize {
        self.starts.len() - 1
    }

    /// The place of a column in the file.
    fn column(&self, name: &str) -> Result<usize, StoreError> {
        let at = self.metadata.schema().index_of(name);
        at.map_err(|_| StoreError::damaged(&self.path, format!("column `{name}` is missing from the stored table")))
    }

    fn rows_of(&self, group: usize) -> usize {
        self.starts.get(group + 1).zip(self.starts.get(group)).map_or(0, |(to, from)| to - from)
    }

    /// How many values of a column of a row group are null; `None`: the file does not say.
    fn nulls(&self, group: usize, column: &str) -> Option<u64> {
        self.statistics(group, column)?.null_count_opt()
    }

    fn statistics(&self, group: usize, column: &str) -> Option<&Statistics> {
        let at = self.column(column).ok()?;
        self.metadata.metadata().row_groups().get(group)?.columns().get(at)?.statistics()
    }

    /// The least and the most of a column of ordinals of a row group; `None`: the file does not say.
    fn bounds(&self, group: usize, column: &str) -> Option<(u32, u32)> {
        match self.statistics(group, column)? {
            Statistics::Int32(s) => Some((s.min_opt()?.cast_unsigned(), s.max_opt()?.cast_unsigned())),
            _ => None,
        }
    }

    /// The newest instant of a row group; `None`: the file does not say.
    fn most(&self, group: usize, column: &str) -> Option<Time> {
        match self.statistics(group, column)? {
            Statistics::Int64(s) => Time::from_micros(*s.max_opt()?),
            _ => None,
        }
    }

    /// Reads a row group, or some columns of it.
    fn decode(&self, group: usize, columns: Option<&[&str]>) -> Result<RecordBatch, StoreError> {
        let rows = self.rows_of(group);
        self.read(self.metadata.clone(), group, 0..rows, columns)
    }

    /// Appends rows of which only some columns were read.
    fn some_of(&self, batch: &RecordBatch, out: &mut Vec<R>) -> Result<(), StoreError>
    where
        R: Default,
    {
        let rows = batch.num_rows();
        // A column that was not read holds the value of a row by default, as often as there are rows.
        let one = crate::model::to_batch(&[R::default()]).map_err(|e| StoreError::internal(R::TABLE.name, e))?;
        let zeros = arrow::array::UInt32Array::from_value(0, rows);
        let column = |c: &crate::model::Column| match batch.column_by_name(c.name) {
            Some(read) => Ok(Arc::clone(read)),
            None => {
                let default = one.column_by_name(c.name).ok_or_else(|| StoreError::internal(R::TABLE.name, c.name))?;
                arrow::compute::take(default, &zeros, None).map_err(|e| StoreError::internal(R::TABLE.name, e))
            }
        };
        let columns = R::TABLE.columns.iter().map(column).collect::<Result<Vec<_>, _>>()?;
        for at in 0..rows {
            out.push(R::at(&columns, at).map_err(|e| StoreError::damaged(&self.path, e.to_string()))?);
        }
        Ok(())
    }

    /// Reads some columns of some rows of a row group.
    fn decode_some(&self, group: usize, span: Range<usize>, columns: &[&str], words: Words) -> Result<RecordBatch, StoreError> {
        if let Words::Plain = words {
            return self.read(self.metadata.clone(), group, span, Some(columns));
        }
        let options = ArrowReaderOptions::new().with_schema(with_dictionaries::<R>(self.metadata.schema()));
        let metadata = ArrowReaderMetadata::try_new(Arc::clone(self.metadata.metadata()), options);
        self.read(metadata.map_err(|e| StoreError::parquet(&self.path, e))?, group, span, Some(columns))
    }

    fn read(
        &self,
        metadata: ArrowReaderMetadata,
        group: usize,
        span: Range<usize>,
        columns: Option<&[&str]>,
    ) -> Result<RecordBatch, StoreError> {
        let rows = self.rows_of(group);
        let part = || vec![RowSelector::skip(span.start), RowSelector::select(span.len()), RowSelector::skip(rows - span.end)];
        let selection = (span.start > 0 || span.end < rows).then(|| RowSelection::from(part()));
        self.select(metadata, group, selection, span.len(), columns)
    }

    fn select(
        &self,
        metadata: ArrowReaderMetadata,
        group: usize,
        selection: Option<RowSelection>,
        rows: usize,
        columns: Option<&[&str]>,
    ) -> Result<RecordBatch, StoreError> {
        let fail = |e| StoreError::parquet(&self.path, e);
        let file = File::open(&self.path).map_err(|e| StoreError::io(&self.path, e))?;
        let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata).with_row_groups(vec![group]);
        if let Some(columns) = columns {
            let at = columns.iter().map(|c| self.column(c)).collect::<Result<Vec<_>, _>>()?;
            let mask = ProjectionMask::roots(builder.parquet_schema(), at);
            builder = builder.with_projection(mask);
        }
        if let Some(selection) = selection {
            builder = builder.with_row_selection(selection);
        }
        let mut reader = builder.with_batch_size(rows.max(1)).build().map_err(fail)?;
        let schema = reader.schema();
        let batch = reader.next().transpose().map_err(|e| StoreError::damaged(&self.path, e.to_string()))?;
        let batch = batch.unwrap_or_else(|| RecordBatch::new_empty(schema));
        if batch.num_rows() != rows {
            return Err(StoreError::damaged(&self.path, format!("row group {group} ends before its last row")));
        }
        Ok(batch)
    }

    /// The row groups that hold some of ascending positions, each with those in it, counted from its first row.
    fn by_group(&self, positions: &[usize]) -> Vec<(usize, Vec<usize>)> {
        let mut out: Vec<(usize, Vec<usize>)> = Vec::new();
        let mut group = 0;
        for at in positions.iter().filter(|at| **at < self.len()) {
            while self.starts.get(group + 1).is_some_and(|end| end <= at) {
                group += 1;
            }
            let place = at - self.starts.get(group).copied().unwrap_or(0);
            match out.last_mut().filter(|(g, _)| *g == group) {
                Some((_, places)) => places.push(place),
                None => out.push((group, vec![place])),
            }
        }
        out
    }

    /// Reads some columns of single rows of a row group, ascending.
    fn pick(&self, group: usize, places: &[usize], columns: &[&str]) -> Result<RecordBatch, StoreError> {
        let mut selection = Vec::with_capacity(2 * places.len() + 1);
        let mut at = 0;
        for place in places {
            selection.push(RowSelector::skip(place - at));
            selection.push(RowSelector::select(1));
            at = place + 1;
        }
        selection.push(RowSelector::skip(self.rows_of(group) - at));
        self.select(self.metadata.clone(), group, Some(RowSelection::from(selection)), places.len(), Some(columns))
    }

    /// The row groups that a range of rows touches, each with the rows of it.
    fn cut(&self, range: Range<usize>) -> impl Iterator<Item = (usize, Range<usize>)> + '_ {
        let groups = 0..self.groups();
        groups.filter_map(move |group| {
            let (start, end) = (*self.starts.get(group)?, *self.starts.get(group + 1)?);
            let (from, to) = (range.start.max(start), range.end.min(end));
            (from < to).then(|| (group, from - start..to - start))
        })
    }

    /// The result, its fault kept besides: whoever asks for the fault is told whatever became of this one.
    fn or_keep<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(fault) = &result {
            drop(self.fault.set(fault.again()));
        }
        result
    }

    /// The value, or the fault kept for later.
    fn or_fault<T>(&self, result: Result<T, StoreError>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(fault) => {
                drop(self.fault.set(fault));
                None
            }
        }
    }

    fn in_order(batch: &RecordBatch) -> Result<Decoded, CellError> {
        let columns: Vec<usize> = R::TABLE.columns.iter().filter_map(|c| batch.schema().index_of(c.name).ok()).collect();
        let fail = |e: arrow::error::ArrowError| CellError { column: R::TABLE.name, row: 0, what: e.to_string() };
        Ok(Decoded { batch: batch.project(&columns).map_err(fail)? })
    }

    fn row(&self, decoded: &Decoded, at: usize) -> Option<R> {
        self.or_fault(R::at(decoded.batch.columns(), at).map_err(|e| StoreError::damaged(&self.path, e.to_string())))
    }

    fn open_group(&self, group: usize) -> Option<Arc<Decoded>> {
        let damaged = |e: CellError| StoreError::damaged(&self.path, e.to_string());
        self.or_fault(self.decode(group, None).and_then(|b| Self::in_order(&b).map_err(damaged))).map(Arc::new)
    }

    fn rows(&self, group: usize, span: Range<usize>) -> Box<dyn Iterator<Item = R> + '_> {
        match self.open_group(group) {
            Some(decoded) => Box::new(span.filter_map(move |at| self.row(&decoded, at))),
            None => Box::new(std::iter::empty()),
        }
    }

    fn get(&self, at: usize) -> Option<R> {
        let group = self.starts.partition_point(|s| *s <= at).checked_sub(1).filter(|g| *g < self.groups())?;
        let decoded = self.keep(group)?;
        self.row(&decoded, at - self.starts.get(group)?)
    }

    /// A row group, from those that stay decoded if it is among them.
    fn keep(&self, group: usize) -> Option<Arc<Decoded>> {
        let known = |kept: &VecDeque<(usize, Arc<Decoded>)>| kept.iter().find(|(g, _)| *g == group).map(|(_, d)| Arc::clone(d));
        if let Some(decoded) = known(&self.kept.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Some(decoded);
        }
        let decoded = self.open_group(group)?;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if known(&kept).is_none() {
            if kept.len() >= if R::TABLE.name == ORIGINS.name { KEPT_ORIGINS } else { KEPT } {
                kept.pop_front();
            }
            kept.push_back((group, Arc::clone(&decoded)));
        }
        Some(decoded)
    }

    /// How many rows stand before the first whose ordinal is `limit` or more.
    fn before(&self, column: &str, limit: u32) -> usize {
        let at = self.or_fault(self.column(column)).unwrap_or(0);
        let least = |group: usize| {
            let chunk = self.metadata.metadata().row_groups().get(group)?.columns().get(at)?;
            match chunk.statistics()? {
                Statistics::Int32(s) => s.min_opt().map(|v| v.cast_unsigned()),
                _ => None,
            }
        };
        // A group of nulls only lies behind every ordinal. The last group that begins below the limit holds the border.
        let candidates = (0..self.groups()).rev().find(|g| least(*g).is_some_and(|v| v < limit));
        let Some(group) = candidates else { return 0 };
        let batch = self.or_fault(self.decode(group, Some(&[column])));
        let values = batch.as_ref().and_then(|b| b.columns().first()).and_then(|c| c.as_primitive_opt::<UInt32Type>());
        let Some(values) = values else { return self.len() };
        let (mut low, mut high) = (0, values.len());
        while low < high {
            let middle = (low + high) / 2;
            if values.is_valid(middle) && values.value(middle) < limit { low = middle + 1 } else { high = middle }
        }
        self.starts.get(group).copied().unwrap_or(0) + low
    }

    fn find(&self, column: &str, text: &str) -> Option<usize> {
        let at = self.or_fault(self.column(column))?;
        let bounds = |group: usize| {
            let chunk = self.metadata.metadata().row_groups().get(group)?.columns().get(at)?;
            match chunk.statistics()? {
                Statistics::ByteArray(s) => Some((s.min_opt()?.data().to_vec(), s.max_opt()?.data().to_vec())),
                _ => None,
            }
        };
        // Long values are cut in statistics, always outwards: what lies outside of the bounds is not in the group.
        let holds = |g: &usize| bounds(*g).is_none_or(|(min, max)| min.as_slice() <= text.as_bytes() && text.as_bytes() <= max.as_slice());
        for group in (0..self.groups()).filter(holds) {
            let batch = self.or_fault(self.decode(group, Some(&[column])))?;
            let values = batch.columns().first()?.as_string_opt::<i32>()?;
            let (mut low, mut high) = (0, values.len());
            while low < high {
                let middle = (low + high) / 2;
                if values.value(middle) < text { low = middle + 1 } else { high = middle }
            }
            if low < values.len() && values.value(low) == text {
                return Some(self.starts.get(group)? + low);
            }
        }
        None
    }
}

/// The schema of a table with its words as dictionaries, which is how they are stored.
fn with_dictionaries<R: Row>(stored: &SchemaRef) -> SchemaRef {
    let word = |name: &str| R::TABLE.columns.iter().any(|c| c.name == name && matches!(c.ty, ColType::Word(_)));
    let of = |f: &Arc<Field>| -> Arc<Field> {
        if !word(f.name()) {
            return Arc::clone(f);
        }
        let ty = DataType::Dictionary(Box::new(DataType::UInt16), Box::new(DataType::Utf8));
        Arc::new(Field::new(f.name(), ty, f.is_nullable()))
    };
    Arc::new(Schema::new(stored.fields().iter().map(of).collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AccountRow, AccountStatus, MembershipKind, MembershipRow, RecordUnit};
    use crate::store::table_file::write;

    fn accounts(count: u32) -> Vec<AccountRow> {
        let status = |i: u32| if i.is_multiple_of(3) { AccountStatus::Disabled } else { AccountStatus::Active };
        let row = |i: u32| AccountRow { account_ix: i, native_id: format!("a{i:06}"), status: status(i), ..AccountRow::default() };
        (0..count).map(row).collect()
    }

    /// Rows on both sides of the border between two row groups.
    const MANY: u32 = 65_536 + 400;

    #[test]
    fn stored_rows_are_those_in_memory() {
        let dir = tempfile::tempdir().unwrap();
        let rows = accounts(MANY);
        write(dir.path(), &rows).unwrap();
        let stored = Facts::<AccountRow>::open(dir.path(), 10).unwrap();
        let held = Facts::<AccountRow>::open(dir.path(), 100_000).unwrap();
        assert!(matches!(stored.held, Held::Stored(_)) && matches!(held.held, Held::Rows(_)));
        for facts in [&stored, &held] {
            assert_eq!(facts.len(), rows.len());
            assert!(facts.iter().zip(&rows).all(|(a, b)| *a == *b));
            for at in [0, 7, 65_535, 65_536, rows.len() - 1] {
                assert_eq!(facts.get(at).as_deref(), rows.get(at), "{at}");
            }
            assert!(facts.get(rows.len()).is_none());
            assert_eq!(*facts.part(65_530..65_540), rows[65_530..65_540]);
            assert_eq!(facts.span("account_ix", |r| Some(r.account_ix), 65_530, 65_540), 65_530..65_540);
            assert_eq!(facts.find("native_id", |r| &r.native_id, "a065536"), Some(65_536));
            assert_eq!(facts.find("native_id", |r| &r.native_id, "a0655360"), None);
            let batches = facts.columns(65_530..65_540, &["account_ix", "status"], Words::Coded).unwrap();
            let got: usize = batches.iter().map(RecordBatch::num_rows).sum();
            assert_eq!(got, 10);
            let some = facts.only(65_530..65_540, &["account_ix", "native_id"]).unwrap();
            assert!(some.iter().zip(&rows[65_530..65_540]).all(|(a, b)| (a.account_ix, &a.native_id) == (b.account_ix, &b.native_id)));
            assert!(facts.fault().is_none());
        }
        let words = stored.columns(0..3, &["status"], Words::Coded).unwrap();
        assert!(matches!(words[0].column(0).data_type(), DataType::Dictionary(..)));
    }

    #[test]
    fn rows_of_accounts_are_found_by_their_ordinal_and_nulls_lie_last() {
        let dir = tempfile::tempdir().unwrap();
        let of = |i: u32| if i < 66_000 { Some(i / 3 + 10) } else { None };
        let rows: Vec<MembershipRow> =
            (0..70_000).map(|i| MembershipRow { membership_ix: i, account_ix: of(i), ..MembershipRow::default() }).collect();
        write(dir.path(), &rows).unwrap();
        for held in [10, 100_000] {
            let facts = Facts::<MembershipRow>::open(dir.path(), held).unwrap();
            let span = |from, to| facts.span("account_ix", |r| r.account_ix, from, to);
            assert_eq!(span(0, 10), 0..0);
            assert_eq!(span(10, 12), 0..6);
            assert_eq!(span(21_000, 21_001), 62_970..62_973);
            assert_eq!(span(22_009, u32::MAX), 65_997..66_000);
        }
    }

    #[test]
    fn row_groups_are_told_chosen_and_read_side_by_side_in_their_order() {
        let dir = tempfile::tempdir().unwrap();
        let at = |i: u32| Time::from_seconds(i64::from(i * 7 % 70_001));
        let of = |i: u32| if i < 66_500 { Some(i / 3 * 2) } else { None };
        let row = |i: u32| MembershipRow {
            membership_ix: i,
            account_ix: of(i),
            granted_at: if i < 66_000 { at(i) } else { None },
            kind: if i.is_multiple_of(5) { MembershipKind::Primary } else { MembershipKind::Direct },
            ..MembershipRow::default()
        };
        let rows: Vec<MembershipRow> = (0..140_000).map(row).collect();
        write(dir.path(), &rows).unwrap();
        let (ordinals, empty): (Vec<u32>, Vec<u32>) = (vec![0, 3, 43_690, 43_692, 44_332, 90_000], Vec::new());
        let plain: Vec<usize> = (0..rows.len()).filter(|i| rows[*i].account_ix.is_some_and(|a| ordinals.contains(&a))).collect();
        assert_eq!(plain.len(), 11, "the last account has two rows only");
        for held in [10, 200_000] {
            let facts = Facts::<MembershipRow>::open(dir.path(), held).unwrap();
            let groups = facts.groups();
            assert_eq!(groups.first().map(|g| g.start), Some(0));
            assert_eq!(groups.iter().map(|g| g.len()).sum::<usize>(), rows.len());
            assert_eq!(groups.len(), if held == 10 { 3 } else { 1 });
            assert_eq!(facts.places("account_ix", &ordinals), plain);
            assert_eq!((facts.places("account_ix", &empty), facts.groups_with("account_ix", &empty)), (vec![], vec![]));
            let near = facts.groups_with("account_ix", &[5]);
            assert_eq!(near, [groups[0].clone()], "whether an ordinal is there only its group tells");
            let read = facts.parts(&groups, &["kind", "granted_at", "account_ix"], |part| {
                let kinds = part.words::<MembershipKind>("kind")?.into_iter().zip(part.times("granted_at")?);
                Ok(kinds.zip(part.ordinals("account_ix")?).zip(part.rows.clone()).collect::<Vec<_>>())
            });
            for (((kind, granted_at), account_ix), at) in read.concat() {
                assert_eq!((kind, granted_at, account_ix), (rows[at].kind, rows[at].granted_at, rows[at].account_ix), "{at}");
            }
            let some = facts.gather(&plain, &["membership_ix", "granted_at"]).unwrap();
            assert!(some.iter().zip(&plain).all(|(r, at)| (r.membership_ix as usize, r.granted_at) == (*at, rows[*at].granted_at)));
            assert_eq!(some.len(), plain.len());
            assert_eq!(facts.newest("granted_at", |m| m.granted_at), rows.iter().filter_map(|m| m.granted_at).max());
            assert_eq!(facts.newest("expires_at", |m| m.expires_at), None);
            assert!(facts.fault().is_none());
        }
    }

    #[test]
    fn a_word_that_is_none_is_a_fault_that_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &accounts(MANY)).unwrap();
        let facts = Facts::<AccountRow>::open(dir.path(), 10).unwrap();
        // Statuses are no kinds.
        assert!(facts.parts(&facts.groups(), &["status"], |part| part.words::<MembershipKind>("status")).is_empty());
        let fault = facts.fault().unwrap().to_string();
        assert!(fault.contains("is not a word of its set") && fault.contains("accounts.parquet"), "{fault}");
    }

    #[test]
    fn origins_are_found_over_the_border_of_row_groups() {
        let dir = tempfile::tempdir().unwrap();
        let origin = |table: &str, row: u32, number: u64| OriginRow {
            table: table.into(),
            row,
            fact: "row".into(),
            file_ix: 0,
            unit: RecordUnit::Line,
            number,
        };
        let mut rows: Vec<OriginRow> = (0..40_000).map(|i| origin("accounts", i / 2, u64::from(i))).collect();
        rows.extend((0..40_000).map(|i| origin("grants", i, u64::from(i))));
        write(dir.path(), &rows).unwrap();
        for held in [10, 100_000] {
            let facts = Facts::<OriginRow>::open(dir.path(), held).unwrap();
            for (table, row, want) in
                [("accounts", 0, 0), ("accounts", 7, 14), ("grants", 0, 40_000), ("grants", 39_999, 79_999), ("x", 0, 80_000)]
            {
                assert_eq!(facts.first_origin(table, row), want, "{table} {row}");
            }
        }
    }

    #[test]
    fn a_table_that_is_damaged_halfway_says_so() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &accounts(3 * MANY)).unwrap();
        let path = dir.path().join("accounts.parquet");
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle..middle + 2_000].fill(0xAB);
        std::fs::write(&path, bytes).unwrap();
        let facts = Facts::<AccountRow>::open(dir.path(), 10).unwrap();
        assert!(facts.iter().count() < 3 * MANY as usize);
        let fault = facts.fault().unwrap().to_string();
        assert!(fault.contains("accounts.parquet` is damaged"), "{fault}");
    }
}
