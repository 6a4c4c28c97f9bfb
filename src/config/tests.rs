//! The configuration as a whole: each kind of mistake with its place and help, and what the patterns come to on a disk.

use std::fs;
use std::path::Path;

use super::*;
use crate::model::facts::{AccountKind, IdentityKind, Level, Population, Severity, Threshold};
use crate::model::time::{DAY, HOUR, SECOND};
use crate::resolve::{Rule, Rules};

const KNOWN: Known<'static> = Known {
    connectors: &["tabular", "ldif", "aws-iam"],
    checks: Some(&["orphan-account", "dormant-account", "stale-key"]),
    parameter: &|_, _, _| Ok(()),
};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/config/");

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, "holdover.toml", &KNOWN)
}

/// (code, line, column, message, help) of every mistake.
fn mistakes(text: &str) -> Vec<(&'static str, usize, usize, String, String)> {
    parse(text).unwrap_err().mistakes.into_iter().map(|m| (m.code, m.line, m.column, m.message, m.help)).collect()
}

/// The only mistake of a text.
fn only(text: &str) -> (&'static str, usize, usize, String, String) {
    let mut all = mistakes(text);
    assert_eq!(all.len(), 1, "{all:#?}");
    all.remove(0)
}

/// A source that is right, up to what is added at its end.
fn source(more: &str) -> String {
    format!("[[source]]\nsystem = \"ad\"\nconnector = \"ldif\"\nfiles = \"*.ldif\"\n{more}")
}

fn is(found: &(&'static str, usize, usize, String, String), code: &str, line: usize, column: usize, message: &str, help: &str) {
    assert_eq!((found.0, found.1, found.2, found.3.as_str(), found.4.as_str()), (code, line, column, message, help));
}

#[test]
fn the_message_has_the_agreed_grammar() {
    let error = parse(&source("max_agee = \"8d\"\n")).unwrap_err();
    let want =
        "error[config/unknown-key]: `max_agee` is not a key of `[[source]]`\n  --> holdover.toml:5:1\n  help: did you mean `max_age`?";
    assert_eq!(error.to_string(), want);
}

#[test]
fn every_kind_of_mistake_is_reported_at_once() {
    let error = Config::load(&Path::new(FIXTURES).join("mistakes.toml"), &KNOWN).unwrap_err();
    let want = fs::read_to_string(Path::new(FIXTURES).join("mistakes.txt")).unwrap();
    assert_eq!(error.to_string().replace(FIXTURES, "") + "\n", want);
}

#[test]
fn every_key_arrives() {
    let config = Config::load(&Path::new(FIXTURES).join("full.toml"), &KNOWN).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!((config.name.rsplit('/').next(), config.store.to_str()), (Some("full.toml"), Some("../store")));
    assert_eq!(config.as_of.unwrap().to_string(), "2026-11-22T00:00:00Z");
    assert_eq!((config.max_skew, config.max_drop, config.authority_lag), (36 * HOUR, 0.25, 5_400 * SECOND));
    let (file, at) = config.fingerprint_key_file.as_ref().unwrap();
    assert_eq!((file.to_str(), *at), (Some("keys/fingerprint.key"), Position { line: 8, column: 24 }));

    let [aws, hr, contractors, ad] = config.sources.as_slice() else { panic!("four sources") };
    assert_eq!((aws.system.as_str(), aws.connector.as_str(), aws.at.line, aws.files_at.column), ("aws-{account}", "aws-iam", 10, 9));
    assert_eq!((aws.team, aws.environment.as_deref(), aws.max_age), (Some(Team::Security), Some("production"), Some(8 * DAY)));
    assert_eq!((aws.expected, aws.max_rejects, aws.owner.as_deref()), (false, 3, Some("cloud-team@example.com")));
    assert!(matches!(&aws.taken_at, Some(TakenAtRule::Captured(t)) if t.as_str() == "{week}"));

    assert_eq!(hr.files.iter().map(Pattern::as_str).collect::<Vec<_>>(), ["exports/hr/people.csv", "exports/hr/more/**/*.csv"]);
    assert!(
        matches!(&hr.taken_at, Some(TakenAtRule::Literal { stated, time }) if stated == "2026-11-22" && time.to_string() == "2026-11-21T23:00:00Z")
    );
    assert_eq!((hr.population, hr.end_is_last_day, hr.expected), (Some(Population::ActiveOnly), false, true));
    assert_eq!(hr.timezone.as_ref().and_then(|z| z.iana_name()), Some("Europe/Berlin"));
    let stated: Vec<String> = hr.provenance.stated().into_iter().map(|(_, v)| v).collect();
    assert_eq!(stated, ["ann", "report reader", "report 17 --password [masked]", "none", "2026-11-22T05:00:00Z", "412"]);
    assert_eq!(hr.options["columns"]["native_id"].as_str(), Some("Employee ID"));
    assert_eq!((contractors.population, ad.max_age, ad.end_is_last_day), (Some(Population::All), None, true));

    assert_eq!(config.authorities[0].kinds.as_ref().unwrap().iter().collect::<Vec<_>>(), [&IdentityKind::Person]);
    assert_eq!(config.authorities[0].events.as_ref().unwrap().len(), 2);
    assert_eq!(config.authorities[1], Authority { system: "contractors".into(), kinds: None, events: None });
    assert_eq!(config.identity_links[0].from, LinkEnd { system: "contractors".into(), column: LinkColumn::LinkRef });
    assert_eq!(config.identity_links[0].to, LinkEnd { system: "hr".into(), column: LinkColumn::NativeId });

    let [service, workload] = config.account_kinds.as_slice() else { panic!("two patterns") };
    assert_eq!((service.kind, workload.kind), (AccountKind::Service, AccountKind::Workload));
    assert_eq!(
        (service.systems.0[0].as_str(), service.login.as_ref().unwrap().as_str(), service.native_id.is_none()),
        ("corp-*", "^svc[-_]", true)
    );
    assert_eq!((workload.systems.0.len(), workload.native_id.as_ref().unwrap().as_str()), (0, ":user/ci-"));
    let group = &config.privileged_groups[0];
    assert_eq!((group.level, group.pattern(), group.systems.0[0].as_str()), (Level::Admin, "Vault *", "corp-ad"));

    let rule = Rule {
        id: "badge".into(),
        tier: 1,
        weight: 1.0,
        account: "attribute:badge".into(),
        identity: "employee_number".into(),
        systems: vec!["corp-ad".into()],
    };
    assert_eq!(config.rules, Rules { certain: 0.85, possible: 0.6, rules: vec![rule] });
    let stale = &config.overrides["stale-key"];
    assert_eq!((stale.enabled, stale.severity, stale.reason.as_str()), (false, None, "rotated by the vault"));
    let dormant = &config.overrides["dormant-account"];
    assert_eq!((dormant.enabled, dormant.severity, dormant.at.line), (true, Some(Severity::Low), 95));
    assert_eq!(dormant.parameters["stale_after"], (toml::Value::String("180d".into()), Position { line: 98, column: 30 }));
    assert_eq!((dormant.parameters["least"].0.as_integer(), dormant.parameters["strict"].0.as_bool()), (Some(3), Some(true)));
    assert_eq!(config.revoke_sla, 4 * HOUR);
    assert_eq!(config.gate, Gate { fail_on: Some(Threshold::High), fail_on_new: Some(Threshold::Medium), fail_on_possible: Some(true) });
}

#[test]
fn an_empty_file_has_the_documented_defaults() {
    let config = parse("").unwrap();
    assert_eq!(
        (config.store.to_str(), config.as_of, config.max_skew, config.max_drop, config.authority_lag),
        (Some("store"), None, 7 * DAY, 0.10, DAY)
    );
    assert_eq!(config.revoke_sla, DAY);
    assert_eq!((config.rules, config.gate), (Rules::default(), Gate::default()));
    let config = parse(&source("")).unwrap();
    assert_eq!((config.sources[0].expected, config.sources[0].max_rejects, config.sources[0].end_is_last_day), (true, 0, true));
    assert_ne!(config.sha256, parse("").unwrap().sha256);
}

#[test]
fn faults_of_syntax_come_with_the_other_mistakes() {
    let found = mistakes(&source("max_age = 8d\nteam = \"finance\"\nexpected =\nmax_age = \"9d\"\n"));
    let places: Vec<_> = found.iter().map(|m| (m.0, m.1)).collect();
    assert!(places.contains(&("syntax", 5)) && places.contains(&("unknown-word", 6)) && places.contains(&("syntax", 7)), "{found:#?}");
    assert!(found.iter().any(|m| m.1 == 5 && m.4 == "text, durations and patterns stand in quotes: `max_age = \"8d\"`"), "{found:#?}");
    // The key that a broken line may have held is not said to be missing.
    assert!(mistakes("[[source]]\nsystem = ad\nfiles = \"x\"\nconnector = \"ldif\"\n").iter().all(|m| m.0 == "syntax"));
}

#[test]
fn a_key_that_stands_twice_is_a_mistake() {
    let found = only(&source("team = \"security\"\nteam = \"platform\"\n"));
    is(&found, "syntax", 6, 1, "duplicate key", "keep one of them");
}

#[test]
fn a_list_that_is_written_as_one_table_is_helped() {
    let found = only("[source]\nsystem = \"ad\"\n");
    is(&found, "wrong-type", 1, 1, "`source` is a table", "write `[[source]]`");
    let found = only("[[gate]]\nfail_on = \"high\"\n");
    is(&found, "wrong-type", 1, 1, "`gate` is a list", "write `[gate]`");
}

/// 11.4
#[test]
fn two_sources_that_name_one_system_are_refused() {
    let found = only(&(source("") + &source("")));
    is(&found, "two-sources", 6, 10, "`ad` is named by two sources, on lines 1 and 5", "name a system once, and list all its files there");
    let aws = "[[source]]\nsystem = \"aws-{a}\"\nconnector = \"aws-iam\"\n";
    let found = only(&format!("{aws}files = \"x/{{a}}.json\"\n{aws}files = \"y/{{a}}.json\"\n"));
    assert_eq!((found.0, found.1, found.3.as_str()), ("two-sources", 6, "`aws-{a}` is named by two sources, on lines 1 and 5"));
}

/// 11.5
#[test]
fn a_people_list_states_its_population() {
    for options in ["mapping = \"hr\"", "table = \"identities\""] {
        let found = only(&source(&format!("[source.options]\n{options}\n")));
        assert_eq!((found.0, found.1, found.3.as_str()), ("missing-key", 1, "`[[source]]` with people has no `population`"));
        assert!(parse(&source(&format!("population = \"all\"\n[source.options]\n{options}\n"))).is_ok());
    }
    assert!(parse(&source("[source.options]\nmapping = \"exceptions\"\n")).is_ok());
}

/// 11.11
#[test]
fn an_override_without_a_reason_is_refused() {
    let found = only("[checks.stale-key]\nenabled = false\n");
    is(&found, "missing-key", 1, 1, "`[checks.stale-key]` has no `reason`", "add `reason = …`: why it is overridden");
    let found = only("[checks.stale-key]\nreason = \"\"\nenabled = false\n");
    is(&found, "blank", 2, 10, "`reason` is blank", "state it");
}

#[test]
fn systems_that_no_source_names_are_unknown_if_literal() {
    let help = "did you mean `ad`?";
    let message = "`da` is not a system of any `[[source]]`";
    is(&only(&source("[[authority]]\nsystem = \"da\"\n")), "unknown-system", 6, 10, message, help);
    is(
        &only(&source("[[account_kind]]\nsystems = [\"*\", \"da\"]\nlogin = \"x\"\nkind = \"service\"\n")),
        "unknown-system",
        6,
        17,
        message,
        help,
    );
    is(
        &only(&source("[[privileged_group]]\nsystems = [\"da\"]\nname = \"x\"\nlevel = \"read\"\n")),
        "unknown-system",
        6,
        12,
        message,
        help,
    );
    let rule = "[[correlation.rule]]\nid = \"x\"\ntier = 1\nweight = 1\naccount = \"email\"\nidentity = \"email\"\nsystems = [\"da\"]\n";
    is(&only(&source(rule)), "unknown-system", 11, 12, message, help);
    // A capture could be anything, and without sources nobody knows.
    let aws = "[[source]]\nsystem = \"aws-{a}\"\nconnector = \"aws-iam\"\nfiles = \"{a}.json\"\n[[authority]]\nsystem = \"aws-prod\"\n";
    assert!(parse(aws).is_ok());
    assert!(parse("[[authority]]\nsystem = \"hr\"\n").is_ok());
}

#[test]
fn a_file_that_is_no_text_is_named_as_it_was_given() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("holdover.toml");
    let say = |file: &Path| Config::load(file, &KNOWN).unwrap_err().to_string();
    assert!(say(&file).starts_with("error[config/unreadable]: cannot be read: No such file"), "{}", say(&file));
    fs::write(&file, b"a = \"\xff\"").unwrap();
    let help = "name a readable file of UTF-8 text; `holdover init` writes one";
    let shown = file.display();
    assert_eq!(say(&file), format!("error[config/unreadable]: is not UTF-8 at byte 5\n  --> {shown}\n  help: {help}"));
    assert!(say(Path::new("//no//such/./h.toml")).contains("\n  --> /no/such/h.toml\n"), "{}", say(Path::new("//no//such/./h.toml")));
}

/// A folder with these files, each holding its own name.
fn folder(files: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for file in files {
        let path = dir.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, file).unwrap();
    }
    dir
}

fn stanza(system: &str, files: &str, more: &str) -> String {
    format!("[[source]]\nsystem = \"{system}\"\nconnector = \"tabular\"\nfiles = {files}\n{more}\n")
}

/// `system@time: files` of every import.
fn imports(config: &Config, root: &Path) -> Vec<String> {
    let expanded = expand(config, root).unwrap_or_else(|e| panic!("{e}"));
    let names = |i: &Import<'_>| i.files.iter().map(|f| f.name.clone()).collect::<Vec<_>>().join(" + ");
    let time = |i: &Import<'_>| i.taken_at.as_ref().map_or_else(|| "?".to_owned(), |t| t.time.compact());
    expanded.imports.iter().map(|i| format!("{}@{}: {}", i.system, time(i), names(i))).collect()
}

/// What is wrong with the files, as (code, message, help).
fn refused(config: &Config, root: &Path) -> Vec<(&'static str, String, String)> {
    expand(config, root).unwrap_err().mistakes.into_iter().map(|m| (m.code, m.message, m.help)).collect()
}

/// 11.2, 11.4: all files of one system and one time are one import.
#[test]
fn captures_part_files_into_systems_and_times() {
    let dir = folder(&[
        "e/2026-11-22/aws/prod/b.json",
        "e/2026-11-22/aws/prod/a.json",
        "e/20261115/aws/prod/a.json",
        "e/2026-11-22/aws/dev/a.json",
        "e/2026-11-22/hr.csv",
    ]);
    let config = parse(&stanza("aws-{account}", "\"e/{week}/aws/{account}/*.json\"", "taken_at = \"{week}\"")).unwrap();
    assert_eq!(
        imports(&config, dir.path()),
        [
            "aws-dev@20261122T000000Z: e/2026-11-22/aws/dev/a.json",
            "aws-prod@20261115T000000Z: e/20261115/aws/prod/a.json",
            "aws-prod@20261122T000000Z: e/2026-11-22/aws/prod/a.json + e/2026-11-22/aws/prod/b.json",
        ]
    );
    let expanded = expand(&config, dir.path()).unwrap();
    assert_eq!(expanded.imports[1].taken_at.as_ref().map(|t| (t.stated.as_str(), t.captured)), Some(("20261115", true)));
    assert_eq!((expanded.imports[1].source_ix, expanded.imports[1].source.connector.as_str()), (0, "tabular"));
}

#[test]
fn a_captured_date_is_local_to_the_zone_of_its_source() {
    let dir = folder(&["2026-11-22.csv"]);
    let config = parse(&stanza("hr", "\"{day}.csv\"", "taken_at = \"{day}\"\ntimezone = \"Europe/Berlin\"")).unwrap();
    assert_eq!(imports(&config, dir.path()), ["hr@20261121T230000Z: 2026-11-22.csv"]);
}

#[test]
fn two_spellings_of_one_time_are_one_import() {
    let dir = folder(&["2026-11-22/a.csv", "20261122/b.csv", "20261122T000000Z/c.csv"]);
    let config = parse(&stanza("hr", "\"{day}/*.csv\"", "taken_at = \"{day}\"")).unwrap();
    assert_eq!(imports(&config, dir.path()), ["hr@20261122T000000Z: 2026-11-22/a.csv + 20261122/b.csv + 20261122T000000Z/c.csv"]);
}

#[test]
fn the_order_in_which_files_were_made_never_shows() {
    let names: Vec<String> = (0..40).map(|i| format!("e/{:02}/s{}/f{}.csv", (i * 7) % 40, i % 3, (i * 11) % 40)).collect();
    let forth: Vec<&str> = names.iter().map(String::as_str).collect();
    let back: Vec<&str> = names.iter().rev().map(String::as_str).collect();
    let config = parse(&stanza("{s}", "[\"e/*/{s}/*.csv\", \"./e/**/{s}/f1*.csv\"]", "")).unwrap();
    let (one, two) = (folder(&forth), folder(&back));
    assert_eq!(imports(&config, one.path()), imports(&config, two.path()));
    assert_eq!(expand(&config, one.path()).unwrap().imports.iter().map(|i| i.files.len()).sum::<usize>(), 40);
}

#[test]
fn a_file_that_several_patterns_reach_counts_once() {
    let dir = folder(&["cfg/hr.csv"]);
    let config = parse(&stanza("hr", "[\"hr.csv\", \"../cfg/hr.csv\", \"*.csv\", \"none.csv\"]", "")).unwrap();
    let expanded = expand(&config, &dir.path().join("cfg")).unwrap();
    assert_eq!(expanded.imports[0].files.iter().map(|f| f.name.as_str()).collect::<Vec<_>>(), ["hr.csv"]);
    assert_eq!(expanded.imports[0].unmatched, ["none.csv"]);
}

/// 11.14: a missing source is told apart by whether it was expected.
#[test]
fn a_source_without_files_is_missing() {
    let dir = folder(&["here.csv"]);
    let text = stanza("gone", "\"exports/*.csv\"", "")
        + &stanza("a-{x}", "\"/nowhere-at-all/{x}.csv\"", "expected = false")
        + &stanza("here", "\"here.csv\"", "");
    let config = parse(&text).unwrap();
    let expanded = expand(&config, dir.path()).unwrap();
    assert_eq!(expanded.imports.len(), 1);
    assert_eq!(
        expanded.missing,
        [
            MissingSource { source_ix: 0, system: "gone".into(), patterns: vec!["exports/*.csv".into()], expected: true },
            MissingSource { source_ix: 1, system: "a-{x}".into(), patterns: vec!["{x}.csv".into()], expected: false },
        ]
    );
}

/// 11.4
#[test]
fn two_sources_whose_captures_meet_are_refused() {
    let dir = folder(&["a/prod.csv", "b/prod.csv", "b/dev.csv"]);
    let config = parse(&(stanza("aws-{x}", "\"a/{x}.csv\"", "") + &stanza("aws-{y}", "\"b/{y}.csv\"", ""))).unwrap();
    let error = expand(&config, dir.path()).unwrap_err();
    let want = "error[config/two-sources]: `aws-prod` is given by two sources, on lines 1 and 6\n  --> holdover.toml:6:1\n  \
                help: make their names or patterns differ, or list all files in one source";
    assert_eq!(error.to_string(), want);
}

#[test]
fn captured_names_that_are_no_system_or_time_are_all_named() {
    let dir = folder(&["Prod Account/2026-11-22.csv", "dev/week-47.csv", "ok/2026-11-22.csv"]);
    let config = parse(&stanza("aws-{a}", "\"{a}/{w}.csv\"", "taken_at = \"{w}\"")).unwrap();
    let found = refused(&config, dir.path());
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].1, "`week-47` is not a date or an instant, from the path of `dev/week-47.csv`");
    assert_eq!(found[1].1, "`aws-Prod Account` is not a system name, from the path of `Prod Account/2026-11-22.csv`");
    assert_eq!(
        found[1].2,
        "use `a-z`, `0-9`, `.` and `-`, at most 100, with a letter or digit at both ends, such as `aws-prod-account`: rename the folder or file, or name the system without captures"
    );
}

#[test]
fn a_capture_with_two_values_is_refused() {
    let dir = folder(&["prod/prod.csv", "dev/test.csv"]);
    let config = parse(&stanza("{a}", "\"{a}/{a}.csv\"", "")).unwrap();
    let help = "rename one of them, or give the two places two names";
    assert_eq!(
        refused(&config, dir.path()),
        [("two-values", "`dev/test.csv` gives `{a}` two values, `dev` and `test`".into(), help.into())]
    );
}

#[test]
fn names_with_blanks_are_fine_and_hidden_files_are_not_met() {
    let dir = folder(&["my exports/people list.csv", "my exports/.people list.csv.csv", ".git/x.csv", ".drop/y.csv"]);
    let config = parse(&(stanza("hr", "\"*/*.csv\"", "") + &stanza("drop", "\".drop/*.csv\"", ""))).unwrap();
    assert_eq!(imports(&config, dir.path()), ["drop@?: .drop/y.csv", "hr@?: my exports/people list.csv"]);
}

#[test]
fn files_outside_the_folder_are_shown_without_it() {
    let dir = folder(&["secret-place/w1/hr.csv", "cfg/x"]);
    let config = parse(&stanza("hr", "\"../secret-place/*/hr.csv\"", "")).unwrap();
    assert_eq!(imports(&config, &dir.path().join("cfg")), ["hr@?: w1/hr.csv"]);
    let absolute = format!("\"{}/secret-place/w1/*.csv\"", dir.path().display());
    let config = parse(&stanza("hr", &absolute, "")).unwrap();
    assert_eq!(imports(&config, Path::new("elsewhere")), ["hr@?: hr.csv"]);
}

#[test]
fn sidecars_are_no_inputs_and_go_before_the_source() {
    let dir = folder(&["e/a.csv", "e/b.csv"]);
    fs::write(dir.path().join("e/a.csv.source.toml"), "extracted_by = \"ann\"\ncontrol_total = 5\n").unwrap();
    let keys = "extracted_by = \"bob\"\nfilters = \"none\"\ncontrol_total = 9";
    let config = parse(&stanza("hr", "\"e/*\"", keys)).unwrap();
    assert_eq!(imports(&config, dir.path()), ["hr@?: e/a.csv + e/b.csv"]);
    let expanded = expand(&config, dir.path()).unwrap();
    let of = |i: usize| &expanded.imports[0].files[i].provenance;
    assert_eq!((of(0).extracted_by.as_deref(), of(0).filters.as_deref(), of(0).control_total), (Some("ann"), Some("none"), Some(5)));
    // The source's total counts both files, so that neither has it for itself.
    assert_eq!((of(1).extracted_by.as_deref(), of(1).control_total), (Some("bob"), None));
    assert_eq!(expanded.imports[0].control_total(), None);

    let one = parse(&stanza("hr", "\"e/b.csv\"", keys)).unwrap();
    let expanded = expand(&one, dir.path()).unwrap();
    assert_eq!((expanded.imports[0].files[0].provenance.control_total, expanded.imports[0].control_total()), (Some(9), None));
}

#[test]
fn mistakes_of_several_sidecars_come_together() {
    let dir = folder(&["a.csv", "b.csv"]);
    fs::write(dir.path().join("a.csv.source.toml"), "colour = 1\n").unwrap();
    fs::write(dir.path().join("b.csv.source.toml"), "\nfilters = 1\n").unwrap();
    let config = parse(&stanza("hr", "\"*.csv\"", "")).unwrap();
    let said = expand(&config, dir.path()).unwrap_err().to_string();
    assert!(said.contains("`colour` is not a key of `<file>.source.toml`\n  --> a.csv.source.toml:1:1\n"), "{said}");
    assert!(said.contains("`filters` is a whole number\n  --> b.csv.source.toml:2:11\n  help: `filters` takes: text"), "{said}");
}

#[test]
fn a_fingerprint_key_is_read_and_a_short_one_refused() {
    let dir = folder(&[]);
    let config = parse("[holdover]\nfingerprint_key_file = \"k/fp.key\"\n").unwrap();
    let say = || config.fingerprint_key(dir.path()).unwrap_err().to_string();
    assert!(
        say().starts_with("error[config/bad-key-file]: `fp.key` cannot be read: No such file") && say().contains("holdover.toml:2:24"),
        "{}",
        say()
    );
    fs::create_dir(dir.path().join("k")).unwrap();
    fs::write(dir.path().join("k/fp.key"), "0123456789\n").unwrap();
    assert!(say().starts_with("error[config/bad-key-file]: `fp.key` holds 10 bytes, too few for a key"));
    fs::write(dir.path().join("k/fp.key"), "0123456789abcdef\r\n").unwrap();
    assert_eq!(config.fingerprint_key(dir.path()), Ok(Some(b"0123456789abcdef".to_vec())));
    assert_eq!(parse("").unwrap().fingerprint_key(dir.path()), Ok(None));
}

proptest::proptest! {
    /// Whatever the text, the answer is a configuration or mistakes at places of that text.
    #[test]
    fn hostile_texts_give_mistakes_and_no_panic(parts in proptest::collection::vec(hostile(), 0..24)) {
        let text = parts.concat();
        if let Err(error) = parse(&text) {
            let lines = text.split('\n').count();
            proptest::prop_assert!(!error.mistakes.is_empty());
            proptest::prop_assert!(error.mistakes.iter().all(|m| m.line <= lines && !m.message.is_empty() && !m.help.is_empty()));
        }
        let _ = (duration(&text), taken_at(&text, None), system_name(&text));
        let _ = (Pattern::parse(&text), Template::parse(&text), NamePattern::parse(&text));
    }
}

/// Pieces of a configuration, whole and broken.
fn hostile() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::strategy::Strategy as _;
    const PIECES: &[&str] = &[
        "[[source]]\n",
        "[source]\n",
        "[checks.x]\n",
        "[holdover]\n",
        "[[correlation.rule]]\n",
        "system = ",
        "files = ",
        "taken_at = ",
        "max_age = ",
        "as_of = ",
        "options = ",
        "\"{a}\"",
        "\"[\"",
        "\"2026-11-22T1-2-3\"",
        "\"9d\"",
        "{ x = 99999999999999999999 }",
        "[1, [2]]",
        "nan",
        "1e999",
        "\n",
        "=",
        "'",
        "\"\"\"",
        "ä",
        "T",
        "\u{202e}",
        "\0",
        "\r",
        "2026-11-22",
        "-",
        "**/",
        "..",
        "/",
        "{",
        "}",
        "]",
        "\\",
    ];
    proptest::prop_oneof![proptest::sample::select(PIECES).prop_map(str::to_owned), "\\PC{0,6}"]
}

#[cfg(unix)]
mod unix {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn file_names_that_are_no_utf8_are_escaped_and_captures_of_them_refused() {
        let dir = folder(&["in/ok.csv"]);
        fs::write(dir.path().join("in").join(OsStr::from_bytes(b"caf\xe9 \n.csv")), "x").unwrap();
        let config = parse(&stanza("hr", "\"in/*.csv\"", "")).unwrap();
        assert_eq!(imports(&config, dir.path()), ["hr@?: in/caf\\xe9 \\x0a.csv + in/ok.csv"]);
        let config = parse(&stanza("{a}", "\"in/{a}.csv\"", "")).unwrap();
        let message = "`{a}` is `caf\\xe9 \\x0a` in `in/caf\\xe9 \\x0a.csv`, which is no UTF-8";
        assert_eq!(refused(&config, dir.path()), [("bad-capture", message.into(), "rename the folder or file".into())]);
    }

    #[test]
    fn linked_files_are_refused_by_name() {
        let dir = folder(&["real/hr.csv", "in/other.txt"]);
        symlink(dir.path().join("real/hr.csv"), dir.path().join("in/hr.csv")).unwrap();
        let config = parse(&stanza("hr", "\"in/*.csv\"", "")).unwrap();
        let help = "put the file itself there, or name the place to which the link leads";
        assert_eq!(refused(&config, dir.path()), [("symbolic-link", "`in/hr.csv` is a symbolic link".into(), help.into())]);
        // A link that no pattern looks for is nobody's business.
        let config = parse(&stanza("hr", "\"in/*.txt\"", "")).unwrap();
        assert_eq!(imports(&config, dir.path()), ["hr@?: in/other.txt"]);
    }

    #[test]
    fn linked_folders_are_refused_unless_their_files_are_met_anyway() {
        let dir = folder(&["in/2026-11-22/hr.csv", "far/2026-11-23/hr.csv"]);
        let config = parse(&stanza("hr", "\"in/{d}/hr.csv\"", "taken_at = \"{d}\"")).unwrap();
        symlink("2026-11-22", dir.path().join("in/latest")).unwrap();
        assert_eq!(imports(&config, dir.path()), ["hr@20261122T000000Z: in/2026-11-22/hr.csv"]);
        symlink(dir.path().join("far/2026-11-23"), dir.path().join("in/2026-11-23")).unwrap();
        symlink("nowhere", dir.path().join("in/2026-11-24")).unwrap();
        let found: Vec<String> = refused(&config, dir.path()).into_iter().map(|m| m.1).collect();
        assert_eq!(found, ["`in/2026-11-23` is a symbolic link", "`in/2026-11-24` is a symbolic link"]);
    }

    #[test]
    fn what_is_no_regular_file_is_refused_by_name() {
        let dir = folder(&["in/a.csv"]);
        let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("in/b.csv")).unwrap();
        let config = parse(&stanza("hr", "\"in/*.csv\"", "")).unwrap();
        assert_eq!(refused(&config, dir.path())[0].1, "`in/b.csv` is not a regular file");
    }
}
