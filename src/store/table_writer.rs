//! Rows of one table on their way into its file: packed until a row group's worth is there, then encoded column by column on all cores,
//! while the next ones arrive.

use std::fs::File;
use std::io::{self, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use arrow::array::{Array, ArrayRef, RecordBatch, TimestampMicrosecondArray, UInt32Array};
use parquet::arrow::arrow_writer::{ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::errors::ParquetError;
use parquet::file::writer::SerializedFileWriter;
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::StoreError;
use super::table_file::{GROUP_ROWS, TableEntry, create};
use crate::connectors::pile::torn;
use crate::model::{Row, Time};

/// Rows under which columns are encoded one after the other: handing them out would cost more.
const FEW: usize = 4_096;

/// A file that is digested as it is written.
struct Digested {
    file: File,
    hash: Sha256,
    bytes: u64,
}

impl Write for Digested {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        let n = self.file.write(part)?;
        self.hash.update(part.get(..n).unwrap_or_default());
        self.bytes += n as u64;
        Ok(n)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Encodes the batches of one table into its file, in order.
pub(super) struct Encoder {
    path: PathBuf,
    name: &'static str,
    file: SerializedFileWriter<Digested>,
    factory: ArrowRowGroupWriterFactory,
    columns: Vec<ArrowColumnWriter>,
    rows: u64,
    row_groups: u64,
}

impl Encoder {
    pub(super) fn new<R: Row>(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join(format!("{}.parquet", R::TABLE.name));
        let file = |file| Digested { file, hash: Sha256::new(), bytes: 0 };
        let writer = create(&path, R::TABLE.name, R::TABLE.arrow(), file)?;
        let (file, factory) = writer.into_serialized_writer().map_err(|e| StoreError::parquet(&path, e))?;
        Ok(Self { path, name: R::TABLE.name, file, factory, columns: Vec::new(), rows: 0, row_groups: 0 })
    }

    fn fail(&self) -> impl Fn(ParquetError) -> StoreError + use<> {
        let path = self.path.clone();
        move |e| StoreError::parquet(&path, e)
    }

    /// Adds rows to the row group.
    pub(super) fn batch(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
        let fail = self.fail();
        if self.columns.is_empty() {
            self.columns = self.factory.create_column_writers(usize::try_from(self.row_groups).unwrap_or(usize::MAX)).map_err(&fail)?;
        }
        self.rows += batch.num_rows() as u64;
        let schema = batch.schema();
        let one = |((writer, field), array): ((&mut ArrowColumnWriter, &Arc<arrow::datatypes::Field>), &ArrayRef)| {
            compute_leaves(field, array)?.iter().try_for_each(|leaf| writer.write(leaf))
        };
        let fields: &[Arc<arrow::datatypes::Field>] = schema.fields();
        if batch.num_rows() < FEW {
            self.columns.iter_mut().zip(fields).zip(batch.columns()).try_for_each(one).map_err(&fail)
        } else {
            self.columns.par_iter_mut().zip(fields).zip(batch.columns()).try_for_each(one).map_err(&fail)
        }
    }

    /// Ends the row group.
    pub(super) fn end_group(&mut self) -> Result<(), StoreError> {
        if self.columns.is_empty() {
            return Ok(());
        }
        let fail = self.fail();
        let columns = std::mem::take(&mut self.columns);
        // The last pages of a column are compressed here.
        let chunks = columns.into_par_iter().map(ArrowColumnWriter::close).collect::<Result<Vec<_>, _>>().map_err(&fail)?;
        let mut group = self.file.next_row_group().map_err(&fail)?;
        for chunk in chunks {
            chunk.append_to_row_group(&mut group).map_err(&fail)?;
        }
        group.close().map_err(&fail)?;
        self.row_groups += 1;
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<TableEntry, StoreError> {
        self.end_group()?;
        let fail = self.fail();
        self.file.finish().map_err(fail)?;
        let out = self.file.inner();
        let sha256 = data_encoding::HEXLOWER.encode(&out.hash.clone().finalize());
        Ok(TableEntry { name: self.name.to_owned(), rows: self.rows, row_groups: self.row_groups, bytes: out.bytes, sha256 })
    }
}

/// Packed rows of at most one row group.
#[derive(Default)]
struct Slice {
    bytes: Vec<u8>,
    rows: usize,
    /// Ordinal of the first, where rows are numbered.
    first: u32,
    ends_group: bool,
}

/// How one table is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    /// Rows come without their first column, which is their place.
    pub numbered: bool,
    /// Columns of which the newest instant is wanted.
    pub instants: &'static [&'static str],
}

/// What was written of a table.
#[derive(Debug)]
pub(super) struct Written {
    pub entry: TableEntry,
    pub newest: Option<Time>,
}

/// Turns slices into batches and encodes them.
struct Maker<R> {
    encoder: Encoder,
    manner: Manner,
    newest: Option<i64>,
    of: PhantomData<fn() -> R>,
}

impl<R: Row> Maker<R> {
    fn take(&mut self, slice: &Slice) -> Result<(), StoreError> {
        let mut columns = crate::model::builders::<R>();
        let mut left = slice.bytes.as_slice();
        let torn = || StoreError::io(&self.encoder.path, torn());
        let mut numbered = Vec::new();
        for _ in 0..slice.rows {
            if self.manner.numbered {
                let [_, others @ ..] = columns.as_mut_slice() else { return Err(torn()) };
                R::carry(&mut left, 1, others).ok_or_else(torn)?;
            } else {
                R::carry(&mut left, 0, &mut columns).ok_or_else(torn)?;
            }
        }
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(columns.len());
        let mut made = columns.iter_mut();
        if self.manner.numbered {
            made.next();
            numbered.extend((0..slice.rows as u64).map(|i| u32::try_from(u64::from(slice.first) + i).unwrap_or(u32::MAX)));
            arrays.push(Arc::new(UInt32Array::from(numbered)));
        }
        arrays.extend(made.map(crate::model::cell::Builder::finish));
        let batch = RecordBatch::try_new(R::TABLE.arrow(), arrays).map_err(|e| StoreError::internal(R::TABLE.name, e))?;
        for name in self.manner.instants {
            let times = batch.column_by_name(name).and_then(|c| c.as_any().downcast_ref::<TimestampMicrosecondArray>());
            self.newest = self.newest.max(times.and_then(arrow::compute::max));
        }
        self.encoder.batch(&batch)?;
        if slice.ends_group { self.encoder.end_group() } else { Ok(()) }
    }

    fn finish(self) -> Result<Written, StoreError> {
        Ok(Written { entry: self.encoder.finish()?, newest: self.newest.and_then(Time::from_micros) })
    }
}

/// A table being written.
pub(super) struct TableWriter<R> {
    slice: Slice,
    /// Rows of the row group so far.
    group: usize,
    account: Option<u32>,
    rows: u64,
    state: State<R>,
}

enum State<R> {
    /// Nothing was encoded yet.
    Here(Box<Maker<R>>),
    /// Another thread encodes.
    There(SyncSender<Slice>, JoinHandle<Result<Written, StoreError>>),
    Gone,
}

impl<R: Row + 'static> TableWriter<R> {
    pub(super) fn new(dir: &Path, manner: Manner) -> Result<Self, StoreError> {
        let maker = Maker { encoder: Encoder::new::<R>(dir)?, manner, newest: None, of: PhantomData };
        Ok(Self { slice: Slice::default(), group: 0, account: None, rows: 0, state: State::Here(Box::new(maker)) })
    }

    /// The place of the next row.
    pub(super) fn next(&self) -> u64 {
        self.rows
    }

    /// Adds a packed row. A row group of [`GROUP_ROWS`] or more ends where the account does.
    pub(super) fn push(&mut self, packed: &[u8], account: Option<u32>) -> Result<(), StoreError> {
        let same = account.is_some() && account == self.account;
        if self.group >= GROUP_ROWS && !same {
            self.slice.ends_group = true;
            self.send()?;
            self.group = 0;
        } else if self.slice.rows >= GROUP_ROWS {
            self.send()?;
        }
        self.account = account;
        self.slice.bytes.extend_from_slice(packed);
        self.slice.rows += 1;
        self.group += 1;
        self.rows += 1;
        Ok(())
    }

    /// Hands the slice to the thread that encodes.
    fn send(&mut self) -> Result<(), StoreError> {
        let first = u32::try_from(self.rows).unwrap_or(u32::MAX);
        let bytes = Vec::with_capacity(self.slice.bytes.len());
        let slice = std::mem::replace(&mut self.slice, Slice { bytes, first, ..Slice::default() });
        if let State::Here(_) = self.state
            && let State::Here(maker) = std::mem::replace(&mut self.state, State::Gone)
        {
            let (to, from) = sync_channel(1);
            self.state = State::There(to, std::thread::spawn(move || encode(*maker, &from)));
        }
        let sent = match &self.state {
            State::There(to, _) => to.send(slice).is_ok(),
            _ => false,
        };
        // A thread that ended early says why.
        if sent { Ok(()) } else { self.join().map(|_| ()) }
    }

    fn join(&mut self) -> Result<Written, StoreError> {
        let gone = || StoreError::Internal { message: format!("`{}`: a thread that encoded ended early", R::TABLE.name) };
        match std::mem::replace(&mut self.state, State::Gone) {
            State::There(to, thread) => {
                drop(to);
                thread.join().map_err(|_| gone())?
            }
            State::Here(maker) => maker.finish(),
            State::Gone => Err(gone()),
        }
    }

    /// Ends the table.
    pub(super) fn finish(mut self) -> Result<Written, StoreError> {
        self.slice.ends_group = true;
        match &mut self.state {
            State::Here(maker) if self.slice.rows > 0 => maker.take(&self.slice)?,
            State::There(..) if self.slice.rows > 0 => self.send()?,
            _ => {}
        }
        self.join()
    }
}

fn encode<R: Row>(mut maker: Maker<R>, from: &Receiver<Slice>) -> Result<Written, StoreError> {
    for slice in from {
        maker.take(&slice)?;
    }
    maker.finish()
}
