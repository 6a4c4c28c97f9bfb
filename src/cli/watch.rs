//! How far an audit or a comparison is, on standard error: only on a terminal, not with `--quiet`, and only of what takes over a second.
//!
//! The library says which stage began and how many of its steps are done ([`Stage`](crate::model::Stage)); times, rates and what is left are
//! reckoned here.

use std::fmt::Write;
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::model::stage::Listener;

/// What is quicker than this shows nothing.
const PATIENCE: Duration = Duration::from_secs(1);
const REDRAW: Duration = Duration::from_millis(200);

/// What the steps of a stage are, after a blank.
const UNITS: [(&str, &str); 2] = [("drift", " rows"), ("checks", " parts")];

static WATCH: OnceLock<Watch> = OnceLock::new();

/// Gets ready to draw, where somebody would see it.
pub fn start(quiet: bool) {
    if !quiet && std::io::stderr().is_terminal() {
        // A process has one command line, so there is never a second.
        drop(WATCH.set(Watch { bar: Mutex::new(None) }));
    }
}

/// Who hears of the stages, if anybody sees them.
pub fn watch() -> Option<&'static Watch> {
    WATCH.get()
}

/// Draws the stages until it is dropped, which leaves the line clean.
#[must_use]
pub fn shown() -> Shown {
    let bar = WATCH.get().map(|watch| {
        let bar = Bar::new();
        *watch.bar.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar.clone());
        bar
    });
    Shown(bar)
}

/// See [`shown`].
pub struct Shown(Option<Bar>);

impl Drop for Shown {
    fn drop(&mut self) {
        if let (Some(watch), Some(bar)) = (WATCH.get(), self.0.take()) {
            *watch.bar.lock().unwrap_or_else(PoisonError::into_inner) = None;
            bar.end();
        }
    }
}

/// Hears of the stages; passes on those of what is shown.
pub struct Watch {
    bar: Mutex<Option<Bar>>,
}

impl Watch {
    fn with(&self, tell: impl FnOnce(&Bar)) {
        if let Some(bar) = self.bar.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            tell(bar);
        }
    }
}

impl Listener for Watch {
    fn begun(&self, stage: &str) -> u64 {
        self.with(|bar| bar.begun(stage));
        0
    }

    fn ended(&self, stage: &str, _begun: u64, _rows: u64) {
        self.with(|bar| bar.ended(stage));
    }

    fn expected(&self, stage: &str, steps: u64) {
        self.with(|bar| bar.expected(stage, steps));
    }

    fn advanced(&self, stage: &str, steps: u64) {
        self.with(|bar| bar.advanced(stage, steps));
    }
}

/// The line of one command.
#[derive(Clone)]
struct Bar {
    line: ProgressBar,
    /// The stage that lasts, without its parts.
    stage: Arc<Mutex<String>>,
    /// The command has ended: nothing more is drawn.
    over: Arc<Mutex<bool>>,
}

impl Bar {
    fn new() -> Self {
        let line = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        let stage: Arc<Mutex<String>> = Arc::default();
        let of = Arc::clone(&stage);
        let tell = move |state: &ProgressState, out: &mut dyn Write| {
            let unit = unit(&of.lock().unwrap_or_else(PoisonError::into_inner));
            // A line that cannot be drawn is nobody's loss.
            out.write_str(&far(state.pos(), state.len(), unit, state.elapsed())).unwrap_or_default();
        };
        if let Ok(style) = ProgressStyle::with_template("{msg}{far}") {
            line.set_style(style.with_key("far", tell));
        }
        let bar = Self { line, stage, over: Arc::default() };
        let late = bar.clone();
        std::thread::spawn(move || {
            std::thread::sleep(PATIENCE);
            late.appear();
        });
        bar
    }

    fn appear(&self) {
        let over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        if !*over {
            self.line.set_draw_target(ProgressDrawTarget::stderr());
            self.line.enable_steady_tick(REDRAW);
        }
    }

    fn end(&self) {
        *self.over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.line.finish_and_clear();
    }

    fn begun(&self, stage: &str) {
        // The lock is free again before anything is drawn, for drawing takes it.
        match stage.split_once('/') {
            Some((whole, part)) if self.is(whole) => self.line.set_message(format!("{whole} ({part})")),
            Some(_) => {}
            None => {
                stage.clone_into(&mut self.stage.lock().unwrap_or_else(PoisonError::into_inner));
                self.line.unset_length();
                self.line.reset();
                self.line.set_message(stage.to_owned());
            }
        }
    }

    fn ended(&self, stage: &str) {
        if let Some((whole, _)) = stage.split_once('/')
            && self.is(whole)
        {
            self.line.set_message(whole.to_owned());
        }
    }

    fn expected(&self, stage: &str, steps: u64) {
        if self.is(stage) {
            self.line.set_length(self.line.length().unwrap_or(0).saturating_add(steps));
        }
    }

    fn advanced(&self, stage: &str, steps: u64) {
        if self.is(stage) {
            self.line.inc(steps);
        }
    }

    fn is(&self, stage: &str) -> bool {
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner) == stage
    }
}

/// The unit of a stage; empty: none is known.
fn unit(stage: &str) -> &'static str {
    UNITS.iter().find(|(name, _)| *name == stage).map_or("", |(_, unit)| unit)
}

/// How far a stage is: what is done of what is due, how fast, and how long the rest takes at that pace.
fn far(done: u64, due: Option<u64>, unit: &str, elapsed: Duration) -> String {
    let spent = span(elapsed);
    let Some(due) = due.filter(|n| *n > 0) else { return format!(", {spent}") };
    let done = done.min(due);
    let seconds = elapsed.as_secs_f64();
    let mut text = format!(" {} of {}{unit}, {spent}", count(done), count(due));
    if done > 0 && seconds > 0.0 {
        let rate = done as f64 / seconds;
        let left = Duration::try_from_secs_f64((due - done) as f64 / rate).unwrap_or(Duration::MAX);
        text.push_str(&format!(", {}/s, {} left", pace(rate), span(left)));
    }
    text
}

/// `950`, `12.3 k`, `4.56 M`.
fn count(n: u64) -> String {
    if n < 10_000 { n.to_string() } else { pace(n as f64) }
}

fn pace(rate: f64) -> String {
    match rate {
        r if r >= 1e9 => format!("{:.2} G", r / 1e9),
        r if r >= 1e6 => format!("{:.2} M", r / 1e6),
        r if r >= 1e4 => format!("{:.1} k", r / 1e3),
        r if r >= 100.0 => format!("{r:.0}"),
        r => format!("{r:.1}"),
    }
}

/// `7 s`, `3 min 20 s`, `2 h 05 min`.
fn span(time: Duration) -> String {
    match time.as_secs() {
        s if s < 60 => format!("{s} s"),
        s if s < 3_600 => format!("{} min {:02} s", s / 60, s % 60),
        s => format!("{} h {:02} min", s / 3_600, s % 3_600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_is_reckoned_at_the_pace_so_far() {
        let after = |s: u64| Duration::from_secs(s);
        assert_eq!(far(0, None, "", after(7)), ", 7 s");
        assert_eq!(far(0, Some(0), " rows", after(7)), ", 7 s");
        assert_eq!(far(0, Some(153), " parts", after(2)), " 0 of 153 parts, 2 s");
        assert_eq!(far(51, Some(153), unit("checks"), after(10)), " 51 of 153 parts, 10 s, 5.1/s, 20 s left");
        assert_eq!(far(153, Some(153), unit("load"), after(30)), " 153 of 153, 30 s, 5.1/s, 0 s left");
        assert_eq!(
            far(25_000_000, Some(100_000_000), unit("drift"), after(80)),
            " 25.00 M of 100.00 M rows, 1 min 20 s, 312.5 k/s, 4 min 00 s left"
        );
        assert_eq!(far(9, Some(5), "", after(1)), " 5 of 5, 1 s, 5.0/s, 0 s left", "never more than is due");
        assert_eq!(far(1, Some(u64::MAX), "", after(1)), " 1 of 18446744073.71 G, 1 s, 1.0/s, 5124095576030431 h 00 min left");
    }

    #[test]
    fn a_stage_begins_at_nothing_and_its_parts_are_named() {
        let bar = Bar::new();
        bar.begun("load");
        bar.expected("load", 4);
        bar.advanced("load", 3);
        assert_eq!((bar.line.position(), bar.line.length(), bar.line.message()), (3, Some(4), "load".to_owned()));
        bar.begun("checks");
        assert_eq!((bar.line.position(), bar.line.length(), bar.line.message()), (0, None, "checks".to_owned()));
        bar.begun("checks/stale-key");
        bar.advanced("load", 1);
        bar.expected("checks", 2);
        bar.expected("checks", 3);
        bar.advanced("checks", 1);
        assert_eq!((bar.line.position(), bar.line.length(), bar.line.message()), (1, Some(5), "checks (stale-key)".to_owned()));
        bar.ended("checks/stale-key");
        assert_eq!(bar.line.message(), "checks");
        bar.end();
        bar.appear();
        assert!(bar.line.is_hidden(), "what has ended does not appear");
    }
}
