//! Progress on standard error: only on a terminal, and only of what takes over a second.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Nothing is shown in this process.
static QUIET: AtomicBool = AtomicBool::new(false);

/// Has nothing shown from now on.
pub fn be_quiet() {
    QUIET.store(true, Ordering::Relaxed);
}

/// A count that shows itself once it has taken a second.
pub struct Progress {
    bar: ProgressBar,
    started: Instant,
}

impl Progress {
    /// `total` steps of `what`.
    pub fn new(what: &'static str, total: usize) -> Self {
        let bar = ProgressBar::with_draw_target(Some(total as u64), ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template("{msg} {pos}/{len} [{elapsed}, {per_sec}, {eta} left]") {
            bar.set_style(style);
        }
        bar.set_message(what);
        Self { bar, started: Instant::now() }
    }

    /// One step is done.
    pub fn step(&self) {
        self.advance(1);
    }

    /// So many steps are done.
    pub fn advance(&self, steps: u64) {
        if self.bar.is_hidden() && !QUIET.load(Ordering::Relaxed) && self.started.elapsed() > Duration::from_secs(1) {
            // Draws nothing where standard error is no terminal.
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.inc(steps);
    }

    pub fn done(self) {
        self.bar.finish_and_clear();
    }
}
