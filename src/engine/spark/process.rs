//! The user's Spark as a child of this process.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use super::SparkError;
use crate::store::work::Work;

/// The `spark-sql` that somebody has.
#[derive(Clone, Debug)]
pub struct Installation {
    /// `spark-sql` itself, or what stands for it.
    pub program: PathBuf,
    /// What the child is to take for `SPARK_HOME`, beside the environment that it inherits.
    pub home: Option<PathBuf>,
    /// Master, memory and what else the user says.
    pub arguments: Vec<String>,
}

/// Bytes at the end of a log that a message is taken from.
const TAIL: u64 = 64 << 10;
/// Lines of it that are shown, and characters of each.
const LINES: usize = 12;
const WIDTH: usize = 300;

impl Installation {
    /// Runs a script to its end. What Spark prints goes to `stdout.txt` and `stderr.txt` beside it.
    ///
    /// The child's standard input is the lock of the folder in which it works, an empty file: should this process be killed, nobody else works there before
    /// the child has ended, too.
    ///
    /// # Errors
    /// It cannot be started, or does not end well.
    pub(super) fn run(&self, work: &Work, script: &Path, warehouse: &str) -> Result<(), SparkError> {
        let log = script.with_file_name("stderr.txt");
        let mut command = Command::new(&self.program);
        command.args(["--name", "holdover", "--conf", "spark.sql.catalogImplementation=in-memory", "--conf"]);
        command.arg(format!("spark.sql.warehouse.dir={warehouse}"));
        command.args(&self.arguments).args([OsString::from("-f"), script.as_os_str().to_owned()]);
        if let Some(home) = &self.home {
            command.env("SPARK_HOME", home);
        }
        command.stdin(Stdio::from(work.lock()?));
        command.stdout(Stdio::from(work.file(&script.with_file_name("stdout.txt"))?));
        command.stderr(Stdio::from(work.file(&log)?));
        let program = self.program.display().to_string();
        let status = command.status().map_err(|error| SparkError::Start { program: program.clone(), error })?;
        if status.success() {
            return Ok(());
        }
        Err(SparkError::Failed { program, how: how(status), last: last_lines(&log), log: log.display().to_string() })
    }
}

/// How a child ended, in words.
fn how(status: ExitStatus) -> String {
    if let Some(code) = status.code() {
        return format!("ended with exit code {code}");
    }
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return format!("was ended by signal {signal}");
    }
    "did not end by itself".to_owned()
}

/// The end of a log, without the lines of a stack trace.
fn last_lines(log: &Path) -> Vec<String> {
    let mut bytes = Vec::new();
    // A log that cannot be read has nothing to say; the exit code says enough.
    let _ = File::open(log).and_then(|mut file| {
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
        file.read_to_end(&mut bytes)
    });
    telling(&String::from_utf8_lossy(&bytes))
}

fn telling(text: &str) -> Vec<String> {
    let of_trace = |line: &&str| {
        let line = line.trim_start();
        line.is_empty() || line.starts_with("at ") || line.starts_with("... ")
    };
    let lines: Vec<String> = text.lines().filter(|l| !of_trace(l)).map(|l| l.chars().take(WIDTH).collect()).collect();
    lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_log_is_told_without_its_stack_trace() {
        let trace =
            "x\n".repeat(40) + "Error: broken\n\tat a.b.C(D.scala:1)\n  at e.f\n\t... 9 more\n\nCaused by: disk\n" + &"y".repeat(999);
        let told = telling(&trace);
        assert_eq!(told.len(), LINES);
        assert_eq!(told[LINES - 3..LINES - 1], ["Error: broken", "Caused by: disk"]);
        assert_eq!(told[LINES - 1].len(), WIDTH);
        assert_eq!(last_lines(Path::new("/nowhere/at/all")), Vec::<String>::new());
    }
}
