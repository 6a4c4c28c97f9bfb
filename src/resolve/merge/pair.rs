//! Two tables side by side, read some parts at a time.

use std::ops::Range;

use arrow::array::ArrayRef;
use rayon::prelude::*;

use super::{Both, Columns, Shot, Source, all};
use crate::model::Table;

/// Parts of either side that are read at once: enough for all threads, as each column of a part is read on its own.
pub(super) fn width() -> usize {
    rayon::current_num_threads().div_ceil(4).max(2)
}

/// Some rows of a table.
#[derive(Debug)]
pub(super) struct Part {
    /// Position of the first in its table.
    pub first: u32,
    pub rows: usize,
    /// Columns in the order asked. Where both sides have stored the same, it is the same array.
    pub columns: Vec<ArrayRef>,
}

/// The same columns of a table of two snapshots.
pub(super) struct Pair<'a, S: Source> {
    table: &'static Table,
    columns: usize,
    halves: Both<Half<'a, S>>,
}

struct Half<'a, S: Source> {
    source: &'a S,
    opened: S::Columns,
    /// The next part, and the position of its first row.
    next: usize,
    first: u32,
}

impl<'a, S: Source> Half<'a, S> {
    fn open(shot: &Shot<'a, S>, table: &'static Table, columns: &[&'static str]) -> Result<Self, S::Error> {
        Ok(Self { source: shot.source, opened: shot.source.open(table, columns)?, next: 0, first: 0 })
    }

    fn left(&self) -> usize {
        self.opened.parts().len().saturating_sub(self.next)
    }

    fn rows(&self, part: usize) -> usize {
        self.opened.parts().get(part).copied().unwrap_or(0)
    }

    /// Puts what was read of the next parts in place.
    fn take(&mut self, table: &'static Table, parts: usize, columns: Vec<Vec<ArrayRef>>) -> Result<Vec<Part>, S::Error> {
        let mut out = Vec::with_capacity(parts);
        for columns in columns {
            let (first, rows) = (self.first, self.rows(self.next));
            if columns.iter().any(|c| c.len() != rows) {
                return Err(self.source.damaged(table, format!("its columns differ in length as of row {first}")));
            }
            let end = u32::try_from(rows).ok().and_then(|n| first.checked_add(n));
            let end = end.ok_or_else(|| self.source.damaged(table, "it has more rows than ordinals count".to_owned()))?;
            (self.first, self.next) = (end, self.next + 1);
            if rows > 0 {
                out.push(Part { first, rows, columns });
            }
        }
        Ok(out)
    }
}

impl<'a, S: Source> Pair<'a, S> {
    pub fn open(shots: &Both<Shot<'a, S>>, table: &'static Table, columns: &[&'static str]) -> Result<Self, S::Error> {
        let halves = Both { before: Half::open(&shots.before, table, columns)?, now: Half::open(&shots.now, table, columns)? };
        Ok(Self { table, columns: columns.len(), halves })
    }

    /// Whether everything of a side has been read.
    pub fn ended(&self) -> Both<bool> {
        self.halves.map(|h| h.left() == 0)
    }

    /// Reads the next parts of either side, at most so many; those without rows are left out.
    pub fn more(&mut self, most: Both<usize>) -> Result<Both<Vec<Part>>, S::Error> {
        let Both { before, now } = &self.halves;
        let next = |half: &Half<'_, S>, most: usize| half.next..half.next + most.min(half.left());
        let ranges = Both { before: next(before, most.before), now: next(now, most.now) };
        let parts = ranges.before.clone().chain(ranges.now.clone().filter(|p| !ranges.before.contains(p)));
        let tasks: Vec<(usize, usize)> = parts.flat_map(|p| (0..self.columns).map(move |c| (p, c))).collect();
        let read: Vec<_> = tasks.par_iter().with_max_len(1).map(|(part, column)| self.read(&ranges, *part, *column)).collect();
        let mut columns = ranges.map(|r| vec![Vec::with_capacity(self.columns); r.len()]);
        for ((part, _), arrays) in tasks.iter().zip(all(read)?) {
            for (range, columns, array) in
                [(&ranges.before, &mut columns.before, arrays.before), (&ranges.now, &mut columns.now, arrays.now)]
            {
                if let Some((array, of)) = array.zip(part.checked_sub(range.start).and_then(|at| columns.get_mut(at))) {
                    of.push(array);
                }
            }
        }
        let Both { before, now } = &mut self.halves;
        Ok(Both {
            before: before.take(self.table, ranges.before.len(), columns.before)?,
            now: now.take(self.table, ranges.now.len(), columns.now)?,
        })
    }

    /// One column of one part, of the sides of which it is asked.
    fn read(&self, ranges: &Both<Range<usize>>, part: usize, column: usize) -> Result<Both<Option<ArrayRef>>, S::Error> {
        let Both { before, now } = &self.halves;
        let asked = ranges.map(|r| r.contains(&part));
        if asked.before && asked.now && before.rows(part) == now.rows(part) && before.opened.is_same(&now.opened, part, column) {
            let array = before.opened.read(part, column)?;
            return Ok(Both { before: Some(array.clone()), now: Some(array) });
        }
        let of = |asked: bool, half: &Half<'_, S>| asked.then(|| half.opened.read(part, column)).transpose();
        let (before, now) = rayon::join(|| of(asked.before, before), || of(asked.now, now));
        Ok(Both { before: before?, now: now? })
    }
}
