//! The direction of imports: a stage sees only what stands to its left.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::{files, root};

/// Each stage and the stages that it may name.
const MAY_NAME: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("sql", &[]),
    ("policy", &[]),
    ("connectors", &["model", "policy"]),
    ("store", &["model", "connectors"]),
    ("ingest", &["model", "connectors", "store"]),
    ("resolve", &["model", "policy"]),
    ("checks", &["model", "sql"]),
    ("engine", &["model", "sql", "store", "checks"]),
    ("triage", &["model", "checks"]),
    ("metrics", &["model", "resolve", "engine"]),
    ("report", &["model", "metrics"]),
    ("audit", &["model", "sql", "store", "resolve", "checks", "engine", "triage", "metrics", "report"]),
    ("config", &["model", "resolve"]),
    ("demo", &["model"]),
    ("generate", &["model", "connectors", "store", "demo"]),
];

/// The parts that put the stages together: they may name everything, and no stage may name them.
const ON_TOP: [&str; 3] = ["cli", "main", "lib"];

/// One source file: where it lies, and its lines without comments and without the tests at its end.
struct Source {
    place: String,
    stage: String,
    lines: Vec<(usize, String)>,
}

fn stage(place: &str) -> String {
    let first = place.split('/').next().unwrap();
    first.strip_suffix(".rs").unwrap_or(first).to_owned()
}

/// Files that only tests see.
fn only_tests(place: &str) -> bool {
    let parts: Vec<&str> = place.split('/').collect();
    let name = *parts.last().unwrap();
    parts.contains(&"tests") || name == "tests.rs" || name == "oracle.rs"
}

fn sources() -> Vec<Source> {
    let src = root().join("src");
    let rust = files(&src).into_iter().filter(|f| f.extension().is_some_and(|e| e == "rs"));
    let placed = rust.map(|f| (f.strip_prefix(&src).unwrap().to_str().unwrap().replace('\\', "/"), f));
    placed.filter(|(place, _)| !only_tests(place)).map(|(place, file)| Source { stage: stage(&place), lines: code(&file), place }).collect()
}

fn code(file: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(file).unwrap();
    let own = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let uncommented = own.lines().map(|l| l.split("//").next().unwrap().to_owned());
    uncommented.enumerate().map(|(i, l)| (i + 1, l)).filter(|(_, l)| !l.trim().is_empty()).collect()
}

/// The modules that a line names by `crate::`.
fn named(line: &str) -> Vec<String> {
    let after = line.split("crate::").skip(1);
    after.map(|rest| rest.chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '{')).collect()).collect()
}

#[test]
fn every_stage_sees_only_what_stands_to_its_left() {
    let rules: BTreeMap<&str, BTreeSet<&str>> = MAY_NAME.iter().map(|(s, may)| (*s, may.iter().copied().collect())).collect();
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|s| !ON_TOP.contains(&s.stage.as_str())) {
        let Some(may) = rules.get(source.stage.as_str()) else {
            wrong.push(format!("{}: no rule says what `{}` may name", source.place, source.stage));
            continue;
        };
        for (number, line) in &source.lines {
            for name in named(line).iter().filter(|n| **n != source.stage && !may.contains(n.as_str())) {
                wrong.push(format!("{}:{number}: `{}` may not name `{name}`", source.place, source.stage));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_two_stages_name_each_other() {
    let rules: BTreeMap<&str, &[&str]> = MAY_NAME.iter().copied().collect();
    for (stage, may) in MAY_NAME {
        let mut seen = BTreeSet::new();
        let mut left: Vec<&str> = may.to_vec();
        while let Some(next) = left.pop() {
            assert_ne!(next, *stage, "a ring through `{stage}`");
            if seen.insert(next) {
                left.extend(rules[next]);
            }
        }
    }
}

/// Files whose code holds one of some words.
fn holding(words: &[&str], but: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources() {
        if but.iter().any(|b| source.place.starts_with(b)) {
            continue;
        }
        for (number, line) in &source.lines {
            found.extend(words.iter().filter(|w| line.contains(**w)).map(|w| format!("{}:{number}: `{w}`", source.place)));
        }
    }
    found
}

#[test]
fn nothing_opens_a_socket() {
    assert_eq!(holding(&["std::net", "TcpStream", "TcpListener", "UdpSocket", "UnixStream"], &[]), Vec::<String>::new());
}

#[test]
fn only_the_command_line_sees_the_clock() {
    let clock = ["SystemTime", "Instant::now", "Timestamp::now", "Zoned::now", ".modified()", ".created()"];
    assert_eq!(holding(&clock, &["cli/"]), Vec::<String>::new());
}

#[test]
fn connectors_checks_and_renderers_write_no_files() {
    let writes = ["fs::write", "File::create", "OpenOptions", "File::options", "create_dir", "remove_file", "rename("];
    let may_write = ["store/", "audit/", "cli/", "config/", "demo/", "generate/", "sql/random/", "lib.rs", "main.rs"];
    assert_eq!(holding(&writes, &may_write), Vec::<String>::new());
}

#[test]
fn only_the_command_line_sees_flags_and_environment() {
    assert_eq!(holding(&["std::env", "env::var", "env::args"], &["cli/", "main.rs"]), Vec::<String>::new());
}

#[test]
fn only_the_engine_for_spark_starts_a_program() {
    assert_eq!(holding(&["process::Command", "Command::new"], &["engine/spark/"]), Vec::<String>::new());
}
