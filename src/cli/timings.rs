//! `--timings`: where the time of a command goes, on standard error. Nothing of it is ever stored.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde_json::{Value, json};

use crate::model::stage::Listener;

/// How the times are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Table,
    /// One line of JSON
    Json,
}

/// One stage, or one part of one, over all its turns.
#[derive(Clone, Debug, Default, PartialEq)]
struct Line {
    name: String,
    turns: u64,
    /// Of parts that run side by side: the sum over them.
    wall: Duration,
    /// Of the whole process, all threads; `None`: the system does not say, or the line is a part.
    cpu: Option<Duration>,
    rows: u64,
    memory: Memory,
}

/// Bytes of the process at the end of a stage; 0: the system does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Memory {
    resident: u64,
    /// The most so far.
    peak: u64,
}

/// Takes down when stages begin and end.
pub struct Timings {
    started: Instant,
    lines: Arc<Mutex<Vec<Line>>>,
}

impl Timings {
    /// The clock runs from now on.
    pub fn start() -> Self {
        Self { started: Instant::now(), lines: Arc::default() }
    }

    /// Who takes them down.
    pub fn recorder(&self) -> Recorder {
        Recorder { started: self.started, lines: Arc::clone(&self.lines), cpu: Mutex::default() }
    }

    /// Prints what was heard.
    pub fn print(&self, format: Format) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone();
        lines.push(Line { name: "total".to_owned(), turns: 1, wall: self.started.elapsed(), cpu: cpu(), rows: 0, memory: memory() });
        match format {
            Format::Table => eprintln!("{}", table(&lines)),
            Format::Json => eprintln!("{}", json!({ "timings": lines.iter().map(value).collect::<Vec<_>>() })),
        }
    }
}

/// Takes down what it hears of the stages.
pub struct Recorder {
    started: Instant,
    lines: Arc<Mutex<Vec<Line>>>,
    /// Processor time at the beginning of the stages that last, by name.
    cpu: Mutex<Vec<(String, Duration)>>,
}

impl Listener for Recorder {
    fn begun(&self, stage: &str) -> u64 {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        // In the order in which they first begin, a stage before its parts.
        if !lines.iter().any(|l| l.name == stage) {
            let at = place(&lines, stage);
            lines.insert(at, Line { name: stage.to_owned(), ..Line::default() });
        }
        drop(lines);
        if !stage.contains('/')
            && let Some(now) = cpu()
        {
            self.cpu.lock().unwrap_or_else(PoisonError::into_inner).push((stage.to_owned(), now));
        }
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn ended(&self, stage: &str, begun: u64, rows: u64) {
        let wall = self.started.elapsed().saturating_sub(Duration::from_nanos(begun));
        let mut open = self.cpu.lock().unwrap_or_else(PoisonError::into_inner);
        let spent = open.iter().rposition(|(name, _)| name == stage).map(|at| open.remove(at).1);
        drop(open);
        let spent = spent.and_then(|was| Some(cpu()?.saturating_sub(was)));
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = lines.iter_mut().find(|l| l.name == stage) {
            line.turns += 1;
            line.wall += wall;
            line.cpu = spent.map(|s| s + line.cpu.unwrap_or_default()).or(line.cpu);
            line.rows += rows;
            line.memory = memory();
        }
    }
}

/// Where a name that is new belongs: a part behind its stage and that stage's other parts, a stage at the end.
fn place(lines: &[Line], name: &str) -> usize {
    let Some((stage, _)) = name.split_once('/') else { return lines.len() };
    let of_stage = |l: &Line| l.name == stage || l.name.split_once('/').is_some_and(|(s, _)| s == stage);
    lines.iter().rposition(of_stage).map_or(lines.len(), |at| at + 1)
}

fn table(lines: &[Line]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["stage", "wall ms", "cpu ms", "rows", "turns", "MB", "peak MB"]);
    for line in lines {
        let name = line.name.split_once('/').map_or_else(|| line.name.clone(), |(_, part)| format!("  {part}"));
        let number = |n: u64| if n == 0 { String::new() } else { n.to_string() };
        table.add_row([
            name,
            millis(line.wall),
            line.cpu.map(millis).unwrap_or_default(),
            number(line.rows),
            number(if line.turns == 1 { 0 } else { line.turns }),
            number(line.memory.resident >> 20),
            number(line.memory.peak >> 20),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn millis(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1e3)
}

fn value(line: &Line) -> Value {
    json!({
        "stage": line.name,
        "turns": line.turns,
        "wall_s": line.wall.as_secs_f64(),
        "cpu_s": line.cpu.map(|c| c.as_secs_f64()),
        "rows": line.rows,
        "rss_bytes": line.memory.resident,
        "peak_rss_bytes": line.memory.peak,
    })
}

/// Ticks of the clock in which Linux counts processor time, a second.
const TICKS: u64 = 100;

/// Processor time of this process so far, all threads; to 10 ms. Only Linux says it without a system call of its own.
fn cpu() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    ticks(&text).map(|n| Duration::from_millis(n * 1000 / TICKS))
}

/// User and system ticks of a line of `/proc/PID/stat`. The name in brackets may itself hold blanks and brackets.
fn ticks(stat: &str) -> Option<u64> {
    let mut after = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let user: u64 = after.next()?.parse().ok()?;
    let system: u64 = after.next()?.parse().ok()?;
    Some(user + system)
}

fn memory() -> Memory {
    std::fs::read_to_string("/proc/self/status").map(|text| of_status(&text)).unwrap_or_default()
}

fn of_status(status: &str) -> Memory {
    let bytes = |key: &str| {
        let line = status.lines().find_map(|l| l.strip_prefix(key))?;
        line.trim_start_matches(':').split_ascii_whitespace().next()?.parse::<u64>().ok().map(|kib| kib << 10)
    };
    Memory { resident: bytes("VmRSS").unwrap_or(0), peak: bytes("VmHWM").unwrap_or(0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_stand_behind_their_stage_and_are_added_up() {
        let recorder = Recorder { started: Instant::now(), lines: Arc::default(), cpu: Mutex::default() };
        let load = recorder.begun("load");
        let resolve = recorder.begun("resolve");
        let one = recorder.begun("load/accounts");
        recorder.ended("load/accounts", one, 7);
        let two = recorder.begun("load/accounts");
        recorder.ended("load/accounts", two, 5);
        recorder.ended("load", load, 0);
        recorder.ended("resolve", resolve, 3);
        let lines = recorder.lines.lock().unwrap().clone();
        let told: Vec<(&str, u64, u64)> = lines.iter().map(|l| (l.name.as_str(), l.turns, l.rows)).collect();
        assert_eq!(told, [("load", 1, 0), ("load/accounts", 2, 12), ("resolve", 1, 3)]);
        let (wall, parts) = (lines[0].wall, lines[1].wall);
        assert!(parts <= wall, "{parts:?} of {wall:?}");
        assert_eq!(lines[1].cpu, None);
        let shown = table(&lines).to_string();
        let first: Vec<&str> = shown.lines().map(|l| l.split_whitespace().next().unwrap()).collect();
        assert_eq!(first, ["stage", "load", "accounts", "resolve"]);
    }

    #[test]
    fn what_linux_says_of_a_process_is_read() {
        let stat = "4242 (hold (over) x) S 1 4242 4242 0 -1 4194304 500 0 0 0 1234 56 0 0 20 0 3 0 100 1000 200";
        assert_eq!(ticks(stat), Some(1290));
        assert_eq!(ticks("nothing"), None);
        let status = "Name:\tholdover\nVmPeak:\t  999 kB\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        assert_eq!(of_status(status), Memory { resident: 1 << 20, peak: 2 << 20 });
        assert_eq!(of_status(""), Memory::default());
    }
}
