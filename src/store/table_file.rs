//! One table, one Parquet file: zstd, dictionaries, statistics, row groups that hold whole accounts.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use arrow::array::{Array, RecordBatch, UInt32Array};
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReaderBuilder, RowSelection};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use sha2::{Digest, Sha256};

use super::StoreError;
use crate::model::cell::ColType;
use crate::model::{RUN_TABLES, Row, SNAPSHOT_TABLES, Table, from_batch, to_batch};

/// Rows after which a row group ends at the next account.
pub const GROUP_ROWS: usize = 65_536;

/// Rows that become columns at a time: a table of many millions is never held twice.
const SPAN_ROWS: usize = 4 * GROUP_ROWS;

/// What the manifest says of one table.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableEntry {
    pub name: String,
    pub rows: u64,
    pub row_groups: u64,
    pub bytes: u64,
    /// SHA-256 of the file, hex.
    pub sha256: String,
}

/// One table as it is written, row group by row group.
struct TableFile<'a> {
    name: &'a str,
    path: PathBuf,
    writer: ArrowWriter<File>,
    rows: u64,
    row_groups: u64,
}

impl<'a> TableFile<'a> {
    fn create(dir: &Path, name: &'a str, schema: SchemaRef) -> Result<Self, StoreError> {
        let path = dir.join(format!("{name}.parquet"));
        let writer = create(&path, name, schema, |file| file)?;
        Ok(Self { name, path, writer, rows: 0, row_groups: 0 })
    }

    /// Writes a row group; nothing where it has no rows.
    fn put(&mut self, group: &RecordBatch) -> Result<(), StoreError> {
        if group.num_rows() == 0 {
            return Ok(());
        }
        self.rows += group.num_rows() as u64;
        self.row_groups += 1;
        self.writer.write(group).and_then(|()| self.writer.flush()).map_err(|e| StoreError::parquet(&self.path, e))
    }

    fn close(self) -> Result<TableEntry, StoreError> {
        self.writer.close().map_err(|e| StoreError::parquet(&self.path, e))?;
        let (bytes, sha256) = digest(&self.path)?;
        Ok(TableEntry { name: self.name.to_owned(), rows: self.rows, row_groups: self.row_groups, bytes, sha256 })
    }
}

/// Writes `rows` to `dir/<table>.parquet` and says what was written.
///
/// # Errors
/// The disk refuses, or Arrow does.
pub fn write<R: Row>(dir: &Path, rows: &[R]) -> Result<TableEntry, StoreError> {
    let some = rows.chunks(SPAN_ROWS).map(|some| to_batch(some).map_err(|e| StoreError::internal(R::TABLE.name, e)));
    write_whole_accounts(dir, R::TABLE, some)
}

/// Writes one batch to `dir/<name>.parquet`. It is on disk once the folder is committed.
///
/// # Errors
/// The disk refuses, or Arrow does.
pub fn write_batch(dir: &Path, name: &str, batch: &RecordBatch) -> Result<TableEntry, StoreError> {
    let mut out = TableFile::create(dir, name, batch.schema())?;
    for (from, len) in whole_accounts(batch) {
        out.put(&batch.slice(from, len))?;
    }
    out.close()
}

/// A private file with the store's way of writing, behind what `wrap` makes of it.
pub(super) fn create<W: Write + Send>(
    path: &Path,
    name: &str,
    schema: SchemaRef,
    wrap: impl FnOnce(File) -> W,
) -> Result<ArrowWriter<W>, StoreError> {
    let file = File::create(path).map_err(|e| StoreError::io(path, e))?;
    restrict(&file, path)?;
    let level = ZstdLevel::try_new(3).map_err(|e| StoreError::internal(name, e))?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_dictionary_enabled(true)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_max_row_group_row_count(Some(usize::MAX));
    let properties = ascending(name).into_iter().fold(properties, |p, column| {
        let column = ColumnPath::from(column);
        p.set_column_dictionary_enabled(column.clone(), false).set_column_encoding(column, Encoding::DELTA_BINARY_PACKED)
    });
    ArrowWriter::try_new(wrap(file), schema, Some(properties.build())).map_err(|e| StoreError::parquet(path, e))
}

/// Columns of ordinals in whose order a table stands. Their differences are kept: a dictionary of numbers of which each comes once took half
/// of all bytes of the grants, and the time to build it.
fn ascending(table: &str) -> Vec<&'static str> {
    let table = SNAPSHOT_TABLES.iter().chain(RUN_TABLES).find(|t| t.name == table);
    let columns = table.iter().flat_map(|t| t.columns.iter().map(|c| (c, t.key.contains(&c.name))));
    columns.filter(|(c, key)| matches!(c.ty, ColType::U32) && (*key || c.name == "account_ix")).map(|(c, _)| c.name).collect()
}

/// Writes batches of one table, in order, to `dir/<table>.parquet`: row groups end where batches of [`GROUP_ROWS`] rows do. Only the rows in
/// flight are in memory.
///
/// # Errors
/// The disk refuses, or Arrow does.
pub fn write_batches(
    dir: &Path,
    table: &'static Table,
    batches: impl Iterator<Item = Result<RecordBatch, ArrowError>>,
) -> Result<TableEntry, StoreError> {
    let mut out = TableFile::create(dir, table.name, table.arrow())?;
    for batch in batches {
        out.put(&batch.map_err(|e| StoreError::internal(table.name, e))?)?;
    }
    out.close()
}

/// As [`write_batches`], with row groups as [`write`] cuts them, wherever the batches end.
///
/// # Errors
/// As [`write_batches`], and what the batches themselves say.
pub fn write_whole_accounts(
    dir: &Path,
    table: &'static Table,
    batches: impl Iterator<Item = Result<RecordBatch, StoreError>>,
) -> Result<TableEntry, StoreError> {
    let mut out = TableFile::create(dir, table.name, table.arrow())?;
    let mut rest = RecordBatch::new_empty(table.arrow());
    for batch in batches {
        let all = concat_batches(&table.arrow(), [&rest, &batch?]).map_err(|e| StoreError::internal(table.name, e))?;
        let mut groups = whole_accounts(&all);
        // The last account may go on in the next batch.
        let (from, len) = groups.pop().unwrap_or_default();
        for (from, len) in groups {
            out.put(&all.slice(from, len))?;
        }
        rest = all.slice(from, len);
    }
    out.put(&rest)?;
    out.close()
}

/// Where row groups start and how long they are: at least [`GROUP_ROWS`], then up to the end of the account.
fn whole_accounts(batch: &RecordBatch) -> Vec<(usize, usize)> {
    let rows = batch.num_rows();
    let accounts = batch.column_by_name("account_ix").and_then(|c| c.as_any().downcast_ref::<UInt32Array>());
    let same = |i: usize| accounts.is_some_and(|a| a.is_valid(i) && a.is_valid(i - 1) && a.value(i) == a.value(i - 1));
    let mut groups = Vec::new();
    let mut from = 0;
    while from < rows {
        let mut to = (from + GROUP_ROWS).min(rows);
        while to < rows && same(to) {
            to += 1;
        }
        groups.push((from, to - from));
        from = to;
    }
    groups
}

/// Size and SHA-256 (hex) of a file.
///
/// # Errors
/// The file cannot be read.
pub fn digest(path: &Path) -> Result<(u64, String), StoreError> {
    let mut file = File::open(path).map_err(|e| StoreError::io(path, e))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0u8; 1 << 16];
    let mut bytes = 0u64;
    loop {
        let n = file.read(&mut buffer).map_err(|e| StoreError::io(path, e))?;
        let Some(part) = buffer.get(..n).filter(|p| !p.is_empty()) else { break };
        hash.update(part);
        bytes += n as u64;
    }
    Ok((bytes, data_encoding::HEXLOWER.encode(&hash.finalize())))
}

/// Every batch of a Parquet file.
///
/// # Errors
/// The file is missing, short or damaged.
pub fn read_batches(path: &Path) -> Result<Vec<RecordBatch>, StoreError> {
    let file = File::open(path).map_err(|e| StoreError::io(path, e))?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)
        .and_then(|b| b.with_batch_size(GROUP_ROWS).build())
        .map_err(|e| StoreError::parquet(path, e))?;
    reader.collect::<Result<Vec<_>, _>>().map_err(|e| StoreError::damaged(path, e.to_string()))
}

/// Every row of `dir/<table>.parquet`.
///
/// # Errors
/// The file is missing or damaged, or its columns are not the table's.
pub fn read<R: Row>(dir: &Path) -> Result<Vec<R>, StoreError> {
    let path = dir.join(format!("{}.parquet", R::TABLE.name));
    let mut rows = Vec::new();
    for batch in read_batches(&path)? {
        rows.extend(from_batch::<R>(&batch).map_err(|e| StoreError::damaged(&path, e.to_string()))?);
    }
    Ok(rows)
}

/// Some rows of `dir/<table>.parquet`, by their positions: ascending, each once.
///
/// # Errors
/// As [`read`].
pub fn read_some<R: Row>(dir: &Path, positions: &[u32]) -> Result<Vec<R>, StoreError> {
    if positions.is_empty() {
        return Ok(Vec::new());
    }
    let path = dir.join(format!("{}.parquet", R::TABLE.name));
    let file = File::open(&path).map_err(|e| StoreError::io(&path, e))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| StoreError::parquet(&path, e))?;
    let total = usize::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
    let ranges = positions.iter().map(|p| *p as usize).filter(|p| *p < total).map(|p| p..p + 1);
    let selection = RowSelection::from_consecutive_ranges(ranges, total);
    let reader = builder.with_row_selection(selection).with_batch_size(GROUP_ROWS).build().map_err(|e| StoreError::parquet(&path, e))?;
    let mut rows = Vec::new();
    for batch in reader {
        let batch = batch.map_err(|e| StoreError::damaged(&path, e.to_string()))?;
        rows.extend(from_batch::<R>(&batch).map_err(|e| StoreError::damaged(&path, e.to_string()))?);
    }
    Ok(rows)
}

/// Row groups and rows that the footer of a Parquet file promises.
///
/// # Errors
/// The footer cannot be read.
pub fn promised(path: &Path) -> Result<(u64, u64), StoreError> {
    let file = File::open(path).map_err(|e| StoreError::io(path, e))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| StoreError::parquet(path, e))?;
    let meta = builder.metadata();
    Ok((meta.num_row_groups() as u64, u64::try_from(meta.file_metadata().num_rows()).unwrap_or(0)))
}

/// Only the owner may read what the store holds.
#[cfg(unix)]
pub(super) fn restrict(file: &File, path: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o600)).map_err(|e| StoreError::io(path, e))
}

#[cfg(not(unix))]
pub(super) fn restrict(_file: &File, _path: &Path) -> Result<(), StoreError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AccountRow, CredentialRow};

    #[test]
    fn some_rows_are_those_at_their_positions() {
        let dir = tempfile::tempdir().unwrap();
        // More than one row group, so that positions cross their border.
        let count = u32::try_from(GROUP_ROWS).unwrap() + 5;
        let account = |account_ix: u32| AccountRow { account_ix, native_id: format!("a{account_ix:06}"), ..AccountRow::default() };
        let rows: Vec<AccountRow> = (0..count).map(account).collect();
        write(dir.path(), &rows).unwrap();
        let ids = |positions: &[u32]| -> Vec<u32> {
            read_some::<AccountRow>(dir.path(), positions).unwrap().iter().map(|a| a.account_ix).collect()
        };
        let border = count - 5;
        assert_eq!(ids(&[0, 7, border - 1, border, count - 1]), [0, 7, border - 1, border, count - 1]);
        assert_eq!(ids(&[3, count + 9]), [3], "what is not there is not read");
        assert!(ids(&[]).is_empty());
    }

    #[test]
    fn rows_written_piece_by_piece_are_those_of_one_batch_byte_for_byte() {
        let dir = tempfile::tempdir().unwrap();
        let of =
            |account_ix: u32, credential_ix: u32| CredentialRow { credential_ix, account_ix: Some(account_ix), ..CredentialRow::default() };
        let count = u32::try_from(SPAN_ROWS).unwrap();
        // Small accounts; one over the end of a piece; one larger than two pieces; and the same at the end.
        let small = (0..count + 100).map(|i| of(i / 7, i));
        let (large, last) = ((0..2 * count + 9).map(|i| of(count, i)), (0..count).map(|i| of(count + 1, i)));
        for rows in [small.clone().collect::<Vec<_>>(), small.chain(large).chain(last).collect(), Vec::new()] {
            let pieces = write(dir.path(), &rows).unwrap();
            let one = write_batch(dir.path(), "credentials", &to_batch(&rows).unwrap()).unwrap();
            assert_eq!(pieces, one);
            let all = to_batch(&rows).unwrap();
            // The batches end where they like, in the middle of an account too.
            for size in [GROUP_ROWS / 3, 3 * GROUP_ROWS + 1] {
                let ends = (0..rows.len()).step_by(size).map(|from| Ok(all.slice(from, size.min(rows.len() - from))));
                assert_eq!(write_whole_accounts(dir.path(), CredentialRow::TABLE, ends).unwrap(), one);
            }
        }
    }
}
