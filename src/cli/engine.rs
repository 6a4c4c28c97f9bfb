//! Which engine answers the checks, and the installation of Spark that the flags, the environment and `PATH` lead to.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::Failure;
use crate::engine::spark::Installation;
use crate::engine::{Engine, Spark};
use crate::store::work::Work;
use crate::store::{Store, Writer};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Named {
    Embedded,
    Spark,
}

#[derive(Clone, Debug, Args)]
pub struct EngineFlags {
    /// What answers the checks: this program, or your own Apache Spark (docs/scale.md); the result is the same
    #[arg(long, value_enum, default_value = "embedded")]
    engine: Named,
    /// Folder of a Spark, whose `bin/spark-sql` is run [default: `spark-sql` on PATH, else in $SPARK_HOME]
    #[arg(long, value_name = "DIR", conflicts_with = "spark_command")]
    spark_home: Option<PathBuf>,
    /// Program that is run in the place of `spark-sql`
    #[arg(long, value_name = "FILE")]
    spark_command: Option<PathBuf>,
    /// Arguments for Spark, such as "--master yarn"; split at blanks outside of '…' and "…"; may be given several times
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    spark_args: Vec<String>,
    /// Folder for what holdover and Spark hand each other; Spark must see it under this path [default: inside the store]
    #[arg(long, value_name = "DIR")]
    spark_work: Option<PathBuf>,
}

/// An engine as the flags name it; it works once the store is held.
#[derive(Debug)]
pub enum Chosen {
    Embedded,
    Spark { installation: Installation, work: Option<PathBuf> },
}

impl EngineFlags {
    /// # Errors
    /// Flags that do not fit together, or no Spark where they lead.
    pub fn chosen(&self) -> Result<Chosen, Failure> {
        if self.engine == Named::Embedded {
            let given = [
                ("--spark-home", self.spark_home.is_some()),
                ("--spark-command", self.spark_command.is_some()),
                ("--spark-args", !self.spark_args.is_empty()),
                ("--spark-work", self.spark_work.is_some()),
            ];
            return match given.iter().find(|(_, given)| *given) {
                Some((flag, _)) => Err(Failure::usage(format!("`{flag}` is given without `--engine spark`"), "add `--engine spark`")),
                None => Ok(Chosen::Embedded),
            };
        }
        let arguments = self.spark_args.iter().map(|text| split(text)).collect::<Result<Vec<_>, _>>()?.concat();
        let (program, home) = self.program()?;
        Ok(Chosen::Spark { installation: Installation { program, home, arguments }, work: self.spark_work.clone() })
    }

    /// The program to run, and the `SPARK_HOME` to give it.
    fn program(&self) -> Result<(PathBuf, Option<PathBuf>), Failure> {
        let in_home = |home: &Path| home.join("bin").join("spark-sql");
        if let Some(command) = &self.spark_command {
            let by_path = command.components().count() > 1;
            let found = if by_path { Some(command.clone()).filter(|c| c.is_file()) } else { on_path(command) };
            return found.map(|f| (f, None)).ok_or_else(|| missing(&command.display().to_string()));
        }
        if let Some(home) = &self.spark_home {
            let program = in_home(home);
            let found = std::path::absolute(home).ok().filter(|_| program.is_file());
            return found.map(|home| (program.clone(), Some(home))).ok_or_else(|| missing(&program.display().to_string()));
        }
        let of_environment = || std::env::var_os("SPARK_HOME").map(|home| in_home(Path::new(&home))).filter(|p| p.is_file());
        on_path(Path::new("spark-sql")).or_else(of_environment).map(|p| (p, None)).ok_or_else(|| missing("spark-sql"))
    }
}

fn missing(program: &str) -> Failure {
    Failure::spark(format!("there is no `{program}`"), "install Apache Spark 4, or name it: `--spark-home DIR` or `--spark-command FILE`")
}

fn on_path(program: &Path) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(|p| p.is_file())
}

impl Chosen {
    /// The engine, with its place to work.
    ///
    /// # Errors
    /// Another process works there, or the disk refuses.
    pub fn ready(&self, store: &Store, writer: &Writer) -> Result<Engine, Failure> {
        let Self::Spark { installation, work } = self else { return Ok(Engine::Embedded) };
        let absolute = |path: &Path| std::path::absolute(path).map_err(|e| Failure::internal(format!("`{}`: {e}", path.display())));
        // Not resolved any further: a link may lead to the same place on every machine, and what it leads to here may not.
        let root = Store::open(&absolute(store.root())?)?;
        let work = match work {
            Some(dir) => Work::at(absolute(dir)?.join("holdover-spark"))?,
            None => root.work(writer, "spark")?,
        };
        Ok(Engine::Spark(Spark { installation: installation.clone(), work, store: root.root().to_owned() }))
    }
}

/// Words of a text: split at blanks, tabs and line ends outside of `'…'` and `"…"`, which are taken away. Nothing else means anything.
fn split(text: &str) -> Result<Vec<String>, Failure> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    for c in text.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => word.get_or_insert_default().push(c),
            None if matches!(c, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            None if c.is_ascii_whitespace() => words.extend(word.take()),
            None => word.get_or_insert_default().push(c),
        }
    }
    if let Some(open) = quote {
        return Err(Failure::usage(format!("`--spark-args` opens a {open} that nothing closes"), "close it"));
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_split_at_blanks_outside_of_quotes() {
        let words = |text: &str| split(text).unwrap();
        assert_eq!(words("  --master  yarn\t--conf a=b\n"), ["--master", "yarn", "--conf", "a=b"]);
        assert_eq!(
            words(r#"--conf 'a=b c' --conf d="e 'f'" "" x\ y $HOME"#),
            ["--conf", "a=b c", "--conf", "d=e 'f'", "", r"x\", "y", "$HOME"]
        );
        assert_eq!(words(" "), Vec::<String>::new());
        assert!(split("--conf 'a").unwrap_err().to_string().contains("`--spark-args` opens a ' that nothing closes"));
    }
}
