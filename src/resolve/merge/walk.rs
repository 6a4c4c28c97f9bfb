//! Two tables side by side, key by key, as they are read.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::numbers::Numbering;
use super::stretch::{Stretch, What};
use super::{Shot, Side, Source};

/// Stretches of one side that wait to be compared.
const AHEAD: usize = 1;

/// What is to be walked.
pub(in super::super) struct Job<'a, S> {
    pub what: What,
    /// Whether attributes are read, too.
    pub attributes: bool,
    pub before: Shot<'a, S>,
    pub now: Shot<'a, S>,
    pub numbers: &'a Numbering,
}

/// What is told on the way, in the order of the keys: each row of either table once, the rows of one key together.
pub(in super::super) trait Visit<E> {
    /// `n` rows from `i` and from `j` on have, one by one, the same key and the same kind of principal; so have all rows of these keys.
    fn same(&mut self, before: &Stretch, i: usize, now: &Stretch, j: usize, n: usize) -> Result<(), E>;
    /// Rows whose keys the newer table has not.
    fn gone(&mut self, before: &Stretch, rows: Range<usize>) -> Result<(), E>;
    /// Rows whose keys the older table has not.
    fn come(&mut self, now: &Stretch, rows: Range<usize>) -> Result<(), E>;
    /// The rows of one key, which do not stand for each other one by one.
    fn clash(&mut self, before: &Stretch, old: Range<usize>, now: &Stretch, new: Range<usize>) -> Result<(), E>;
}

/// Reads both tables, each on a thread of its own, and tells how their keys lie to each other.
///
/// # Errors
/// A table cannot be read or is not in order, or whoever is told fails.
pub(in super::super) fn walk<S: Source, V: Visit<S::Error>>(job: &Job<'_, S>, visit: &mut V) -> Result<(), S::Error> {
    std::thread::scope(|scope| {
        let open = |side: Side| {
            let (to, from) = sync_channel(AHEAD);
            scope.spawn(move || feed(job, side, &to));
            from
        };
        let before = Cursor::new(job, Side::Before, open(Side::Before));
        let now = Cursor::new(job, Side::Now, open(Side::Now));
        merge(before, now, visit)
    })
}

fn merge<S: Source, V: Visit<S::Error>>(mut before: Cursor<'_, S>, mut now: Cursor<'_, S>, visit: &mut V) -> Result<(), S::Error> {
    loop {
        before.fill()?;
        now.fill()?;
        let (old, new) = (before.at..before.ready, now.at..now.ready);
        let (a, b) = (&before.rows, &now.rows);
        match (old.is_empty(), new.is_empty()) {
            (true, true) => return Ok(()),
            (false, true) => {
                visit.gone(a, old.clone())?;
                before.at = old.end;
            }
            (true, false) => {
                visit.come(b, new.clone())?;
                now.at = new.end;
            }
            (false, false) => {
                let n = whole_bundles(a, &old, b, &new);
                if n > 0 {
                    visit.same(a, old.start, b, new.start, n)?;
                    (before.at, now.at) = (old.start + n, new.start + n);
                    continue;
                }
                match a.compare(old.start, b, new.start) {
                    Ordering::Less => {
                        let end = old.clone().find(|i| a.compare(*i, b, new.start) != Ordering::Less).unwrap_or(old.end);
                        visit.gone(a, old.start..end)?;
                        before.at = end;
                    }
                    Ordering::Greater => {
                        let end = new.clone().find(|j| a.compare(old.start, b, *j) != Ordering::Greater).unwrap_or(new.end);
                        visit.come(b, new.start..end)?;
                        now.at = end;
                    }
                    Ordering::Equal => {
                        let (i, j) = (a.bundle_end(old.start), b.bundle_end(new.start));
                        visit.clash(a, old.start..i, b, new.start..j)?;
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

/// The rows of one side that are at hand.
struct Cursor<'a, S: Source> {
    job: &'a Job<'a, S>,
    side: Side,
    from: Receiver<Result<Stretch, S::Error>>,
    rows: Stretch,
    next: Option<Stretch>,
    started: bool,
    /// The first row that is not told yet.
    at: usize,
    /// The end of the rows whose key is known to end here.
    ready: usize,
}

impl<'a, S: Source> Cursor<'a, S> {
    fn new(job: &'a Job<'a, S>, side: Side, from: Receiver<Result<Stretch, S::Error>>) -> Self {
        Self { job, side, from, rows: Stretch::default(), next: None, started: false, at: 0, ready: 0 }
    }

    /// Reads on until the rows of some key are there, or there are no more.
    fn fill(&mut self) -> Result<(), S::Error> {
        if !self.started {
            self.started = true;
            self.next = self.receive()?;
        }
        while self.at >= self.ready {
            let Some(next) = self.next.take() else { return Ok(()) };
            // What is left goes on in the next stretch.
            self.rows = if self.at < self.rows.rows { self.rows.joined(self.at, &next) } else { next };
            self.at = 0;
            self.next = self.receive()?;
            self.ready = self.rows.rows;
            if let (Some(next), Some(last)) = (&self.next, self.rows.rows.checked_sub(1)) {
                match self.rows.compare(last, next, 0) {
                    Ordering::Less => {}
                    Ordering::Equal => self.ready = self.rows.bundle_start(last),
                    Ordering::Greater => {
                        let shot = if self.side == Side::Before { &self.job.before } else { &self.job.now };
                        let what = format!("row {} does not stand in the order of its key", next.first);
                        return Err(shot.source.damaged(self.job.what.table(), what));
                    }
                }
            }
        }
        Ok(())
    }

    /// The next stretch that has rows.
    fn receive(&self) -> Result<Option<Stretch>, S::Error> {
        while let Ok(stretch) = self.from.recv() {
            let stretch = stretch?;
            if stretch.rows > 0 {
                return Ok(Some(stretch));
            }
        }
        Ok(None)
    }
}

/// Reads one side until it ends, fails, or nobody listens any more.
fn feed<S: Source>(job: &Job<'_, S>, side: Side, to: &SyncSender<Result<Stretch, S::Error>>) {
    let source = if side == Side::Before { job.before.source } else { job.now.source };
    let table = job.what.table();
    let batches = match source.batches(table, &job.what.columns(job.attributes)) {
        Ok(batches) => batches,
        Err(e) => return drop(to.send(Err(e))),
    };
    let mut first: u32 = 0;
    for batch in batches {
        let stretch =
            batch.and_then(|batch| Stretch::of(job.what, &batch, first, job.numbers, side).map_err(|what| source.damaged(table, what)));
        let rows = stretch.as_ref().map_or(0, |s| s.rows);
        let (failed, end) = (stretch.is_err(), u32::try_from(rows).ok().and_then(|n| first.checked_add(n)));
        if to.send(stretch).is_err() || failed {
            return;
        }
        match end {
            Some(end) => first = end,
            None => return drop(to.send(Err(source.damaged(table, "it has more rows than ordinals count".to_owned())))),
        }
    }
}
