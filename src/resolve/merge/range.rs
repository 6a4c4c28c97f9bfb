//! A range of keys of two tables, merged key by key.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::ops::Range;

use super::stretch::Stretch;
use super::walk::Line;

/// What is told on the way, in the order of the keys: each row of either table once, the rows of one key together.
pub(in super::super) trait Visit<E>: Sync {
    /// What is noted of one range of keys. Ranges are told side by side.
    type Part: Default + Send;
    /// `n` rows from `i` and from `j` on have, one by one, the same key and the same kind of principal; so have all rows of these keys.
    fn same(&self, part: &mut Self::Part, before: &Stretch, i: usize, now: &Stretch, j: usize, n: usize);
    /// Rows whose keys the newer table has not.
    fn gone(&self, part: &mut Self::Part, before: &Stretch, rows: Range<usize>);
    /// Rows whose keys the older table has not.
    fn come(&self, part: &mut Self::Part, now: &Stretch, rows: Range<usize>);
    /// The rows of one key, which do not stand for each other one by one.
    fn clash(&self, part: &mut Self::Part, before: &Stretch, old: Range<usize>, now: &Stretch, new: Range<usize>);
    /// Takes over what was noted, in the order of the keys. The lines hold the rows that it is about.
    ///
    /// # Errors
    /// Whatever it does with it fails.
    fn take(&mut self, part: Self::Part, before: &Line, now: &Line) -> Result<(), E>;
}

/// Two that are told the same, or one.
impl<E, A: Visit<E>, B: Visit<E>> Visit<E> for (A, Option<B>) {
    type Part = (A::Part, B::Part);

    fn same(&self, part: &mut Self::Part, before: &Stretch, i: usize, now: &Stretch, j: usize, n: usize) {
        self.0.same(&mut part.0, before, i, now, j, n);
        if let Some(other) = &self.1 {
            other.same(&mut part.1, before, i, now, j, n);
        }
    }

    fn gone(&self, part: &mut Self::Part, before: &Stretch, rows: Range<usize>) {
        self.0.gone(&mut part.0, before, rows.clone());
        if let Some(other) = &self.1 {
            other.gone(&mut part.1, before, rows);
        }
    }

    fn come(&self, part: &mut Self::Part, now: &Stretch, rows: Range<usize>) {
        self.0.come(&mut part.0, now, rows.clone());
        if let Some(other) = &self.1 {
            other.come(&mut part.1, now, rows);
        }
    }

    fn clash(&self, part: &mut Self::Part, before: &Stretch, old: Range<usize>, now: &Stretch, new: Range<usize>) {
        self.0.clash(&mut part.0, before, old.clone(), now, new.clone());
        if let Some(other) = &self.1 {
            other.clash(&mut part.1, before, old, now, new);
        }
    }

    fn take(&mut self, part: Self::Part, before: &Line, now: &Line) -> Result<(), E> {
        self.0.take(part.0, before, now)?;
        self.1.as_mut().map_or(Ok(()), |other| other.take(part.1, before, now))
    }
}

/// Some rows of a stretch.
pub(super) type Slice<'a> = (&'a Stretch, Range<usize>);

/// Tells how the keys of consecutive rows of both tables lie to each other. No key goes on beyond them.
pub(super) fn merge<E, V: Visit<E>>(visit: &V, before: Vec<Slice<'_>>, now: Vec<Slice<'_>>) -> V::Part {
    let (mut before, mut now) = (Cursor::new(before), Cursor::new(now));
    let mut part = V::Part::default();
    loop {
        before.fill();
        now.fill();
        let (old, new) = (before.at..before.ready, now.at..now.ready);
        let (a, b) = (before.rows.as_ref(), now.rows.as_ref());
        match (old.is_empty(), new.is_empty()) {
            (true, true) => return part,
            (false, true) => {
                visit.gone(&mut part, a, old.clone());
                before.at = old.end;
            }
            (true, false) => {
                visit.come(&mut part, b, new.clone());
                now.at = new.end;
            }
            (false, false) => {
                let n = whole_bundles(a, &old, b, &new);
                if n > 0 {
                    visit.same(&mut part, a, old.start, b, new.start, n);
                    (before.at, now.at) = (old.start + n, new.start + n);
                    continue;
                }
                match a.compare(old.start, b, new.start) {
                    Ordering::Less => {
                        let end = old.clone().find(|i| a.compare(*i, b, new.start) != Ordering::Less).unwrap_or(old.end);
                        visit.gone(&mut part, a, old.start..end);
                        before.at = end;
                    }
                    Ordering::Greater => {
                        let end = new.clone().find(|j| a.compare(old.start, b, *j) != Ordering::Greater).unwrap_or(new.end);
                        visit.come(&mut part, b, new.start..end);
                        now.at = end;
                    }
                    Ordering::Equal => {
                        let (i, j) = (a.bundle_end(old.start), b.bundle_end(new.start));
                        visit.clash(&mut part, a, old.start..i, b, new.start..j);
                        (before.at, now.at) = (i, j);
                    }
                }
            }
        }
    }
}

/// How many rows are the same one by one, up to where a key ends on both sides.
fn whole_bundles(a: &Stretch, old: &Range<usize>, b: &Stretch, new: &Range<usize>) -> usize {
    let n = a.aligned(old.clone(), b, new.clone());
    let (i, j) = (old.start + n, new.start + n);
    let goes_on = |s: &Stretch, at: usize, end: usize| at < end && s.key(at - 1) == s.key(at);
    if n == 0 || !(goes_on(a, i, old.end) || goes_on(b, j, new.end)) {
        return n;
    }
    a.bundle_start(i - 1).saturating_sub(old.start)
}

/// The rows of one side, slice by slice.
struct Cursor<'a> {
    rows: Cow<'a, Stretch>,
    /// The first row that is not told yet.
    at: usize,
    /// The end of the rows whose key is known to end here.
    ready: usize,
    end: usize,
    /// What follows, the next one last.
    rest: Vec<Slice<'a>>,
}

impl<'a> Cursor<'a> {
    fn new(mut slices: Vec<Slice<'a>>) -> Self {
        slices.retain(|(_, rows)| !rows.is_empty());
        slices.reverse();
        Self { rows: Cow::Owned(Stretch::default()), at: 0, ready: 0, end: 0, rest: slices }
    }

    /// Goes on until the rows of some key are there, or there are no more.
    fn fill(&mut self) {
        while self.at >= self.ready {
            let Some((next, rows)) = self.rest.pop() else { return };
            if self.at < self.end {
                // The last key goes on in the next slice.
                let ends = next.bundle_end(rows.start).min(rows.end);
                let joined = self.rows.joined(&(self.at..self.end), next, &(rows.start..ends));
                if ends < rows.end {
                    self.rest.push((next, ends..rows.end));
                }
                (self.at, self.end) = (0, joined.rows);
                self.rows = Cow::Owned(joined);
            } else {
                (self.at, self.end) = (rows.start, rows.end);
                self.rows = Cow::Borrowed(next);
            }
            let goes_on = self.rest.last().is_some_and(|(next, rows)| self.rows.compare(self.end - 1, next, rows.start) == Ordering::Equal);
            self.ready = if goes_on { self.rows.bundle_start(self.end - 1).max(self.at) } else { self.end };
        }
    }
}
