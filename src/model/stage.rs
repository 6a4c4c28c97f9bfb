//! The stages of a command, for whoever wants to know where its time goes. Stages say that they begin and end; the clock is the
//! listener's, so that nothing that is computed can see it. Without a listener nothing happens.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Who is told. Calls may come from any thread.
pub trait Listener: Send + Sync {
    /// A stage begins; what is returned is given back at its end.
    fn begun(&self, stage: &str) -> u64;
    /// It ended, and went through so many rows (0: not said).
    fn ended(&self, stage: &str, begun: u64, rows: u64);
    /// It will go through so many more steps (rows, parts: whatever it counts).
    fn expected(&self, _stage: &str, _steps: u64) {}
    /// It has gone through so many more of them.
    fn advanced(&self, _stage: &str, _steps: u64) {}
}

static LISTENER: OnceLock<Box<dyn Listener>> = OnceLock::new();

/// Has the stages of this process told to `listener`. Only the first counts.
pub fn listen(listener: Box<dyn Listener>) {
    // A second listener would hear half of the stages; the first goes on to hear them all.
    drop(LISTENER.set(listener));
}

/// A stage that lasts until it is dropped. A name with a `/` is a part of the stage before the `/`; parts may run side by side,
/// and those of one name are added up.
#[derive(Debug)]
#[must_use = "a stage ends when it is dropped"]
pub struct Stage {
    /// The name and what the listener gave; `None`: nobody listens.
    told: Option<(String, u64)>,
    rows: AtomicU64,
}

impl Stage {
    pub fn begin(name: &str) -> Self {
        let told = LISTENER.get().map(|l| (name.to_owned(), l.begun(name)));
        Self { told, rows: AtomicU64::new(0) }
    }

    /// A part of a stage: `stage/part`.
    pub fn part(stage: &str, part: &str) -> Self {
        if LISTENER.get().is_none() {
            return Self { told: None, rows: AtomicU64::new(0) };
        }
        Self::begin(&format!("{stage}/{part}"))
    }

    /// Adds to the rows that the stage went through.
    pub fn rows(&self, rows: usize) {
        self.rows.fetch_add(rows as u64, Ordering::Relaxed);
    }

    /// Says that a stage will go through so many more steps.
    pub fn expect(stage: &str, steps: usize) {
        if let Some(listener) = LISTENER.get() {
            listener.expected(stage, steps as u64);
        }
    }

    /// Says that a stage has gone through so many more steps.
    pub fn advance(stage: &str, steps: usize) {
        if let Some(listener) = LISTENER.get() {
            listener.advanced(stage, steps as u64);
        }
    }

    /// One step of a stage, done when it is dropped.
    pub fn step(stage: &'static str) -> Step {
        Step(stage)
    }

    /// Ends this stage and begins the next.
    pub fn then(self, name: &str) -> Self {
        drop(self);
        Self::begin(name)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let (Some(listener), Some((name, begun))) = (LISTENER.get(), &self.told) {
            listener.ended(name, *begun, self.rows.load(Ordering::Relaxed));
        }
    }
}

/// See [`Stage::step`].
#[derive(Debug)]
#[must_use = "a step is done when it is dropped"]
pub struct Step(&'static str);

impl Drop for Step {
    fn drop(&mut self) {
        Stage::advance(self.0, 1);
    }
}
