//! Two tables side by side, from their first keys to their last.

use std::ops::Range;

use arrow::array::ArrayRef;
use rayon::prelude::*;

use super::numbers::Numbering;
use super::pair::{Pair, Part, width};
use super::range::{Slice, Visit, merge};
use super::stretch::{Key, Stretch, What};
use super::{Both, Shot, Side, Source, all};

/// Positions of a stretch, and their columns.
type Taken = (Vec<u32>, Vec<ArrayRef>);

/// What is to be walked.
pub(in super::super) struct Job<'a, S> {
    pub what: What,
    /// Whether attributes are read, too.
    pub attributes: bool,
    pub shots: Both<Shot<'a, S>>,
    pub numbers: &'a Numbering,
}

/// Reads both tables and tells how their keys lie to each other.
///
/// # Errors
/// A table cannot be read or is not in order, or whoever is told fails.
pub(in super::super) fn walk<S: Source, V: Visit<S::Error>>(job: &Job<'_, S>, visit: &mut V) -> Result<(), S::Error> {
    let mut pair = Pair::open(&job.shots, job.what.table(), &job.what.columns(job.attributes))?;
    let mut lines = Both::<Line>::default();
    let mut wide = width();
    loop {
        let more = pair.more(lines.map(|l| wide.saturating_sub(l.stretches.len())))?;
        let (before, now) = rayon::join(|| stretches(job, Side::Before, more.before), || stretches(job, Side::Now, more.now));
        let damaged = |side: Side, what| job.shots.of(side).source.damaged(job.what.table(), what);
        lines.before.extend(before.map_err(|what| damaged(Side::Before, what))?).map_err(|what| damaged(Side::Before, what))?;
        lines.now.extend(now.map_err(|what| damaged(Side::Now, what))?).map_err(|what| damaged(Side::Now, what))?;
        let ended = pair.ended();
        let told = tell(&lines, ended, visit)?;
        if ended.before && ended.now {
            return Ok(());
        }
        let moved = lines.before.pass(&told.before) | lines.now.pass(&told.now);
        // All that is at hand of a side may be of one key.
        wide = if moved { width() } else { wide * 2 };
    }
}

fn stretches<S: Source>(job: &Job<'_, S>, side: Side, parts: Vec<Part>) -> Result<Vec<Stretch>, String> {
    all(parts.into_par_iter().with_max_len(1).map(|part| Stretch::of(job.what, part, job.numbers, side)).collect())
}

/// Tells of the keys that are known to be whole, cut into ranges where stretches begin. Where what is told ends on either side.
fn tell<E: Send, V: Visit<E>>(lines: &Both<Line>, ended: Both<bool>, visit: &mut V) -> Result<Both<Place>, E> {
    // The last key at hand may go on in what is not read yet.
    let open = [(&lines.before, ended.before), (&lines.now, ended.now)];
    let mut limit: Option<Key<'_>> = None;
    for (line, _) in open.iter().filter(|(_, ended)| !ended) {
        let Some(last) = line.last() else { return Ok(lines.map(Line::start)) };
        limit = Some(limit.map_or(last, |l| l.min(last)));
    }
    let mut cuts: Vec<Key<'_>> = open.iter().flat_map(|(line, _)| line.stretches.iter().map(|s| s.key(0))).collect();
    cuts.extend(limit);
    cuts.retain(|cut| limit.is_none_or(|l| *cut <= l));
    cuts.sort_unstable();
    cuts.dedup();
    let mut places: Vec<Both<Place>> = vec![lines.map(Line::start)];
    places.extend(cuts.iter().map(|cut| lines.map(|l| l.find(cut))));
    if limit.is_none() {
        places.push(lines.map(Line::end));
    }
    let ranges: Vec<(&Both<Place>, &Both<Place>)> = places.iter().zip(places.iter().skip(1)).collect();
    let one = |(from, to): &(&Both<Place>, &Both<Place>)| {
        merge(&*visit, lines.before.between(from.before, to.before), lines.now.between(from.now, to.now))
    };
    let parts: Vec<V::Part> = ranges.par_iter().with_max_len(1).map(one).collect();
    parts.into_iter().try_for_each(|part| visit.take(part, &lines.before, &lines.now))?;
    Ok(places.last().copied().unwrap_or_default())
}

/// A row of a line: its stretch, and its place there.
type Place = (usize, usize);

/// The rows of one side that are at hand.
#[derive(Debug, Default)]
pub(in super::super) struct Line {
    stretches: Vec<Stretch>,
    /// The first row of the first stretch that is not told yet.
    at: usize,
}

impl Line {
    fn extend(&mut self, more: Vec<Stretch>) -> Result<(), String> {
        for next in more {
            if self.last().is_some_and(|last| last > next.key(0)) {
                return Err(format!("row {} does not stand in the order of its key", next.first));
            }
            self.stretches.push(next);
        }
        Ok(())
    }

    /// The last key.
    fn last(&self) -> Option<Key<'_>> {
        self.stretches.last().map(|s| s.key(s.rows.saturating_sub(1)))
    }

    fn start(&self) -> Place {
        (0, self.at)
    }

    fn end(&self) -> Place {
        (self.stretches.len(), 0)
    }

    /// The first row that is not told yet whose key is not less than another.
    fn find(&self, key: &Key<'_>) -> Place {
        let stretch = self.stretches.partition_point(|s| s.key(s.rows.saturating_sub(1)) < *key);
        let at = self.stretches.get(stretch).map_or(0, |s| s.lower_bound(key));
        (stretch, at).max(self.start())
    }

    fn between(&self, from: Place, to: Place) -> Vec<Slice<'_>> {
        let rows = |(i, s): (usize, &Stretch)| -> Range<usize> {
            let start = if i == from.0 { from.1 } else { 0 };
            let end = if i == to.0 { to.1 } else { s.rows };
            start..end.max(start)
        };
        let some = self.stretches.iter().enumerate().take(to.0 + 1).skip(from.0);
        some.map(|(i, s)| (s, rows((i, s)))).collect()
    }

    /// Lets go of what is told; whether that is anything.
    fn pass(&mut self, to: &Place) -> bool {
        let moved = *to > self.start();
        self.stretches.drain(..to.0.min(self.stretches.len()));
        self.at = to.1;
        moved
    }

    /// The columns that were read, at some positions of the table, ascending: of each stretch those positions with their columns.
    ///
    /// # Errors
    /// One of them is not at hand.
    pub fn take(&self, positions: &[u32]) -> Result<Vec<Taken>, String> {
        let mut out = Vec::new();
        for s in &self.stretches {
            let from = positions.partition_point(|p| *p < s.first);
            let to = positions.partition_point(|p| *p < s.position(s.rows));
            let here = positions.get(from..to).unwrap_or_default();
            if !here.is_empty() {
                let rows: Vec<u32> = here.iter().map(|p| p - s.first).collect();
                out.push((here.to_vec(), s.take(&rows)?));
            }
        }
        Ok(out)
    }
}
