//! Some columns of a stored table, batch by batch: what is read of a table that does not fit into memory.

use std::cmp::Ordering;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, Int32DictionaryArray, RecordBatch, StringArray, new_null_array};
use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
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
    /// The asked columns' places in the file, in the order asked.
    in_file: Vec<usize>,
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
        let mask = ProjectionMask::roots(metadata.parquet_schema(), in_file.iter().copied());
        Ok(Self { path, file, metadata, order, in_file, mask })
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

    /// Cuts it into parts, each column of which can be read on its own.
    pub fn cut(self) -> Parts {
        let mut parts = Vec::new();
        for (group, rows) in self.row_groups().into_iter().enumerate() {
            let rows = usize::try_from(rows.end - rows.start).unwrap_or(usize::MAX);
            let several = rows > 2 * BATCH_ROWS;
            let most = if several { BATCH_ROWS } else { rows.max(1) };
            parts.extend((0..rows).step_by(most).map(|from| Place { group, from, rows: most.min(rows - from), whole: !several }));
        }
        let rows = parts.iter().map(|p| p.rows).collect();
        Parts { stored: self, places: parts, rows }
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

/// Where a part lies: a row group, or some rows of a large one.
#[derive(Clone, Copy, Debug)]
struct Place {
    group: usize,
    from: usize,
    rows: usize,
    whole: bool,
}

/// Columns of a stored table in parts.
#[derive(Debug)]
pub struct Parts {
    stored: Stored,
    places: Vec<Place>,
    rows: Vec<usize>,
}

impl Parts {
    /// The rows of each part.
    pub fn rows(&self) -> &[usize] {
        &self.rows
    }

    /// One column of one part. Where the footer says that all its values are null, or the same word, nothing is decoded.
    ///
    /// # Errors
    /// The file is damaged.
    pub fn read(&self, part: usize, column: usize) -> Result<ArrayRef, StoreError> {
        let damaged = |what: &str| StoreError::damaged(&self.stored.path, what.to_owned());
        let (place, (at, field)) = self.place(part).zip(self.column(column)).ok_or_else(|| damaged("it has no such part"))?;
        if let Some(array) = self.chunk(place, at).and_then(|c| uniform(c, field.data_type(), place.rows)) {
            return Ok(array);
        }
        // A file of its own: clones of one share a position, and columns are read side by side.
        let file = File::open(&self.stored.path).map_err(|e| StoreError::io(&self.stored.path, e))?;
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.stored.metadata.clone());
        let mask = ProjectionMask::roots(self.stored.metadata.parquet_schema(), [at]);
        let builder = builder.with_row_groups(vec![place.group]).with_projection(mask).with_batch_size(place.rows);
        let builder = if place.whole { builder } else { builder.with_offset(place.from).with_limit(place.rows) };
        let mut batches = builder.build().map_err(|e| StoreError::parquet(&self.stored.path, e))?;
        let batch = batches.next().ok_or_else(|| damaged("a row group has fewer rows than its footer says"))?;
        let batch = batch.map_err(|e| damaged(&e.to_string()))?;
        let array = batch.columns().first().filter(|c| c.len() == place.rows);
        array.cloned().ok_or_else(|| damaged("a row group has fewer rows than its footer says"))
    }

    /// Whether the same part of the same column in another file of the same table is stored in the same bytes, which then are the same
    /// values.
    pub fn is_same(&self, other: &Self, part: usize, column: usize) -> bool {
        let of = |parts: &Self| {
            let (place, (at, _)) = parts.place(part).zip(parts.column(column))?;
            Some((place.group, place.from, place.rows, at))
        };
        let (Some(a), Some(b)) = (of(self), of(other)) else { return false };
        let chunk = |parts: &Self| parts.place(part).and_then(|place| parts.chunk(place, a.3).cloned());
        let (Some(c), Some(d)) = (chunk(self), chunk(other)) else { return false };
        a == b && same_form(&c, &d) && same_bytes(&self.stored.path, &c, &other.stored.path, &d)
    }

    fn place(&self, part: usize) -> Option<Place> {
        self.places.get(part).copied()
    }

    /// A column by the order asked: its place in the file, and its field.
    fn column(&self, column: usize) -> Option<(usize, &Arc<Field>)> {
        let at = *self.stored.in_file.get(column)?;
        Some((at, self.stored.metadata.schema().fields().get(at)?))
    }

    fn chunk(&self, place: Place, at: usize) -> Option<&ColumnChunkMetaData> {
        self.stored.parquet().row_groups().get(place.group)?.columns().get(at)
    }
}

/// The values of a column chunk of which the footer says that all are null, or all the same word.
fn uniform(chunk: &ColumnChunkMetaData, ty: &DataType, rows: usize) -> Option<ArrayRef> {
    let statistics = chunk.statistics()?;
    let (nulls, values) = (statistics.null_count_opt()?, u64::try_from(chunk.num_values()).ok()?);
    if nulls == values {
        return Some(new_null_array(ty, rows));
    }
    let (DataType::Dictionary(_, _), Statistics::ByteArray(range)) = (ty, statistics) else { return None };
    let word = range.min_bytes_opt().filter(|min| range.max_bytes_opt() == Some(*min))?;
    if nulls > 0 || !(range.min_is_exact() && range.max_is_exact()) {
        return None;
    }
    let words = StringArray::from(vec![std::str::from_utf8(word).ok()?]);
    Some(Arc::new(Int32DictionaryArray::try_new(Int32Array::from(vec![0; rows]), Arc::new(words)).ok()?))
}

/// Whether the same bytes mean the same in two column chunks.
fn same_form(a: &ColumnChunkMetaData, b: &ColumnChunkMetaData) -> bool {
    let form = |c: &ColumnChunkMetaData| {
        let start = c.byte_range().0;
        let offset = |at: Option<i64>| at.and_then(|at| u64::try_from(at).ok()?.checked_sub(start));
        (c.byte_range().1, c.num_values(), c.compression(), offset(c.dictionary_page_offset()), offset(Some(c.data_page_offset())))
    };
    form(a) == form(b) && a.column_descr().self_type() == b.column_descr().self_type()
}

fn same_bytes(path: &Path, a: &ColumnChunkMetaData, other: &Path, b: &ColumnChunkMetaData) -> bool {
    let bytes = |path: &Path, chunk: &ColumnChunkMetaData| {
        let (start, len) = chunk.byte_range();
        let mut file = File::open(path).ok()?;
        file.seek(SeekFrom::Start(start)).ok()?;
        let mut out = Vec::with_capacity(usize::try_from(len).ok()?);
        file.take(len).read_to_end(&mut out).ok()?;
        (out.len() as u64 == len).then_some(out)
    };
    // What cannot be read fails where it is decoded.
    bytes(path, a).is_some_and(|a| bytes(other, b).as_ref() == Some(&a))
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

#[cfg(test)]
mod tests {
    use arrow::compute::cast;
    use arrow::datatypes::UInt32Type;

    use super::*;
    use crate::model::{MEMBERSHIPS, MembershipKind, MembershipRow, to_batch};
    use crate::store::table_file::{GROUP_ROWS, write};

    const COLUMNS: &[&str] = &["kind", "account_ix", "request_ref", "granted_by", "membership_ix"];

    fn parts(dir: &Path) -> Parts {
        Stored::open(dir, &MEMBERSHIPS, COLUMNS).unwrap().cut()
    }

    /// Every part of every column is what was written, and as long as is said.
    fn check(dir: &Path, rows: &[MembershipRow]) -> Vec<usize> {
        let (parts, all) = (parts(dir), to_batch(rows).unwrap());
        for (column, name) in COLUMNS.iter().enumerate() {
            let mut from = 0;
            for (part, n) in parts.rows().iter().enumerate() {
                let want = all.column_by_name(name).unwrap().slice(from, *n);
                let read = parts.read(part, column).unwrap();
                assert_eq!(&cast(&read, want.data_type()).unwrap(), &want, "{name}, part {part}");
                from += n;
            }
            assert_eq!(from, rows.len());
        }
        parts.rows().to_vec()
    }

    fn row(membership_ix: u32, account_ix: u32) -> MembershipRow {
        MembershipRow { membership_ix, account_ix: Some(account_ix), ..MembershipRow::default() }
    }

    #[test]
    fn parts_are_what_was_written_whether_decoded_or_known_from_the_footer() {
        let dir = tempfile::tempdir().unwrap();
        let border = u32::try_from(GROUP_ROWS).unwrap();
        // The first row group: nobody granted anything and all are direct; the second has one of everything.
        let mut rows: Vec<MembershipRow> = (0..border + 9).map(|i| row(i, i / 4)).collect();
        rows.last_mut().unwrap().kind = MembershipKind::Primary;
        rows.last_mut().unwrap().granted_by = Some("ann".into());
        write(dir.path(), &rows).unwrap();
        assert_eq!(check(dir.path(), &rows), [GROUP_ROWS, 9]);
        let parts = parts(dir.path());
        let place = |part: usize| parts.place(part).unwrap();
        let known = |part: usize, column: usize| {
            let (at, field) = parts.column(column).unwrap();
            uniform(parts.chunk(place(part), at).unwrap(), field.data_type(), place(part).rows).is_some()
        };
        let of = |part| (0..COLUMNS.len()).map(|c| known(part, c)).collect::<Vec<_>>();
        assert_eq!((of(0), of(1)), (vec![true, false, true, true, false], vec![false, false, true, false, false]));
        assert!(parts.read(2, 0).is_err() && parts.read(0, 9).is_err());
    }

    #[test]
    fn a_row_group_that_is_large_is_several_parts() {
        let dir = tempfile::tempdir().unwrap();
        let count = u32::try_from(2 * BATCH_ROWS).unwrap() + 5;
        let mut rows: Vec<MembershipRow> = (0..count).map(|i| row(i, 0)).collect();
        rows.push(row(count, 1));
        rows[7].granted_by = Some("ann".into());
        rows[BATCH_ROWS + 1].granted_by = Some("bob".into());
        write(dir.path(), &rows).unwrap();
        assert_eq!(check(dir.path(), &rows), [BATCH_ROWS, BATCH_ROWS, 5, 1]);
    }

    #[test]
    fn equal_bytes_are_equal_values_and_nothing_else_is() {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut rows: Vec<MembershipRow> = (0..9).map(|i| row(i, i)).collect();
        write(a.path(), &rows).unwrap();
        write(b.path(), &rows).unwrap();
        let same = || (0..COLUMNS.len()).map(|c| parts(a.path()).is_same(&parts(b.path()), 0, c)).collect::<Vec<_>>();
        assert_eq!(same(), [true; 5]);
        // One value of each of three columns; the rest stays.
        (rows[3].account_ix, rows[4].granted_by, rows[5].kind) = (Some(2), Some("ann".into()), MembershipKind::Primary);
        write(b.path(), &rows).unwrap();
        assert_eq!(same(), [false, false, true, false, true]);
        rows[3].account_ix = Some(3);
        write(a.path(), &rows).unwrap();
        assert_eq!(same(), [true, false, true, true, true]);
        let account = |dir: &Path| parts(dir).read(0, 1).unwrap().as_primitive::<UInt32Type>().value(3);
        assert_eq!((account(a.path()), account(b.path())), (3, 2));
        assert!(!parts(a.path()).is_same(&parts(b.path()), 1, 0), "there is no such part");
    }
}
