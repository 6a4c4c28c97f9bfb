//! Every fixture with its `.case.toml`, what is too large or too hostile to keep as a file, and arbitrary bytes.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Int64Array, ListBuilder, RecordBatch, StringArray, StringBuilder, TimestampMicrosecondArray,
};
use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::connectors::Limits;
use crate::model::{Population, Word};

/// What a `.case.toml` says.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// The rule or pitfall that it shows.
    rule: String,
    #[serde(default)]
    context: CaseContext,
    #[serde(default)]
    options: toml::Table,
    expect: Expect,
    /// Files, where it is not the one of its own name.
    #[serde(default)]
    files: Vec<String>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseContext {
    timezone: Option<String>,
    population: Option<String>,
    end_means: Option<String>,
    fingerprint_key: Option<String>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Expect {
    /// Records of all files: read, accepted, rejected.
    records: [u64; 3],
    /// `line 3 tabular/ragged`
    rejects: Vec<String>,
    /// Parts of the error's message or help.
    error: Vec<String>,
    short: Vec<String>,
    notes: Vec<String>,
    shape: Option<String>,
    covers: Option<Vec<String>>,
    /// Rows of each table.
    counts: std::collections::BTreeMap<String, usize>,
    rows: Vec<ExpectRow>,
    /// Texts that stand nowhere in the draft.
    absent: Vec<String>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectRow {
    table: String,
    is: toml::Table,
}

fn folder(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/connectors/tabular").join(kind)
}

fn input(path: &Path) -> Input {
    Input::measure(path.file_name().unwrap().to_string_lossy().into_owned(), path.into(), Limits::default()).unwrap()
}

fn temporary(name: &str, bytes: &[u8]) -> (tempfile::TempDir, Input) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    fs::write(&path, bytes).unwrap();
    let input = input(&path);
    (dir, input)
}

fn people(options: &str) -> Context {
    Context {
        options: options.parse().unwrap(),
        timezone: Some(TimeZone::UTC),
        population: Some(Population::All),
        end_is_last_day: true,
        ..Context::default()
    }
}

/// All rows as JSON, with the native ids that they hang on.
fn rows(draft: &Draft) -> Value {
    fn of<T: serde::Serialize>(row: &T, extra: &[(&str, Value)]) -> Value {
        let mut value = serde_json::to_value(row).unwrap();
        for (key, text) in extra {
            value[*key] = text.clone();
        }
        value
    }
    macro_rules! plain {
        ($($table:ident),*) => { json!({ $(stringify!($table): draft.$table.iter().map(|d| of(&d.row, &[("at", json!(d.origin.number))])).collect::<Vec<_>>()),* }) };
    }
    let mut all = plain!(
        accounts,
        groups,
        entitlements,
        resources,
        identities,
        exceptions,
        systems,
        requests,
        role_model,
        reviews,
        separation_rules,
        workflow_log
    );
    all["employments"] = draft.employments.iter().map(|d| of(&d.row, &[("of", json!(d.parent)), ("at", json!(d.origin.number))])).collect();
    all["lifecycle_events"] = draft.lifecycle.iter().map(|d| of(&d.row, &[("of", json!(d.parent))])).collect();
    all["events"] = draft.events.iter().map(|d| of(&d.row, &[("of", json!(d.parent))])).collect();
    all["credentials"] = draft.credentials.iter().map(|d| of(&d.row, &[("holder", json!(d.holder))])).collect();
    all["grants"] = draft
        .grants
        .iter()
        .map(|d| {
            of(
                &d.row,
                &[("holder", json!(format!("{:?}", d.holder))), ("entitlement", json!(d.entitlement)), ("resource", json!(d.resource))],
            )
        })
        .collect();
    all["memberships"] =
        draft.memberships.iter().map(|d| of(&d.row, &[("member", json!(format!("{:?}", d.member))), ("group", json!(d.group))])).collect();
    all
}

fn fits(row: &Value, is: &toml::Table) -> bool {
    is.iter().all(|(key, want)| {
        let want = if want.as_str() == Some("null") { Value::Null } else { serde_json::to_value(want).unwrap() };
        row.get(key) == Some(&want)
    })
}

fn check(path: &Path) {
    let case: Case = toml::from_str(&fs::read_to_string(path).unwrap()).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let own = path.file_name().unwrap().to_string_lossy().replace(".case.toml", "");
    let names = if case.files.is_empty() { vec![own] } else { case.files.clone() };
    let files: Vec<Input> = names.iter().map(|n| input(&path.with_file_name(n))).collect();
    let context = Context {
        system: "test".into(),
        options: case.options.clone(),
        timezone: case.context.timezone.as_deref().map(|z| TimeZone::get(z).unwrap()),
        population: case.context.population.as_deref().map(|p| Population::parse(p).unwrap()),
        end_is_last_day: case.context.end_means.as_deref() != Some("first-day-out"),
        fingerprint_key: case.context.fingerprint_key.as_ref().map(|k| k.as_bytes().to_vec()),
        ..Context::default()
    };
    let (place, want) = (format!("{} ({})", path.display(), case.rule), &case.expect);
    let draft = match TABULAR.read(&files, &context) {
        Err(e) => {
            let text = match &e {
                ConnectorError::File { error, .. } => format!("{e} [{}] {:?} {}", error.code, error.at, error.help),
                ConnectorError::Options { help, .. } => format!("{e} [options] {help}"),
            };
            assert!(!want.error.is_empty(), "{place}: {text}");
            for part in &want.error {
                assert!(text.contains(part), "{place}: `{part}` is not in `{text}`");
            }
            for secret in &want.absent {
                assert!(!text.contains(secret), "{place}: `{secret}` stands in the error");
            }
            return;
        }
        Ok(draft) => draft,
    };
    assert!(want.error.is_empty(), "{place}: no error");
    let total = |f: fn(&crate::connectors::FileLedger) -> u64| draft.files.iter().map(f).sum::<u64>();
    let rejects: Vec<String> = draft.rejects.iter().map(|r| format!("{} {} {}", r.origin.unit, r.origin.number, r.reason)).collect();
    assert_eq!(rejects, want.rejects, "{place}: {:?}", draft.rejects);
    assert_eq!([total(|l| l.read), total(|l| l.accepted), total(|l| l.rejected)], want.records, "{place}: records");
    let short: Vec<&String> = draft.files.iter().flat_map(|l| &l.short).collect();
    assert_eq!(short.len(), want.short.len(), "{place}: {short:?}");
    for (got, part) in short.iter().zip(&want.short) {
        assert!(got.contains(part), "{place}: `{part}` is not in `{got}`");
    }
    let notes: Vec<String> = draft.files.iter().flat_map(|l| l.notes.iter().map(|(n, times)| format!("{times} {n}"))).collect();
    for part in &want.notes {
        assert!(notes.iter().any(|n| n.contains(part)), "{place}: `{part}` is not in {notes:?}");
    }
    if let Some(shape) = &want.shape {
        assert_eq!(draft.files[0].shape, Some(shape.as_str()), "{place}");
    }
    if let Some(covers) = &want.covers {
        assert_eq!(draft.covers.iter().copied().collect::<Vec<_>>(), *covers, "{place}: covers");
    }
    let all = rows(&draft);
    for (table, count) in &want.counts {
        assert_eq!(all[table].as_array().map(Vec::len), Some(*count), "{place}: rows of {table}");
    }
    for row in &want.rows {
        let held = all[&row.table].as_array().unwrap_or_else(|| panic!("{place}: no table {}", row.table));
        assert!(held.iter().any(|r| fits(r, &row.is)), "{place}: no row of {} is {:?}: {held:#?}", row.table, row.is);
    }
    let everything = format!("{all}{:?}{:?}", draft.rejects, draft.files);
    for secret in &want.absent {
        assert!(!everything.contains(secret), "{place}: `{secret}` stands in the draft");
    }
}

fn check_all(kind: &str) -> usize {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder(kind)).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    let cases: Vec<_> = paths.iter().filter(|p| p.to_string_lossy().ends_with(".case.toml")).collect();
    cases.iter().for_each(|p| check(p));
    cases.len()
}

#[test]
fn good_files_read_as_their_cases_say() {
    assert!(check_all("ok") >= 20);
}

#[test]
fn bad_files_are_named_or_rejected_as_their_cases_say() {
    assert!(check_all("bad") >= 20);
}

#[test]
fn the_built_in_mappings_are_mappings() {
    for (name, _) in builtin::MAPPINGS {
        let plans = Plan::all(&people(&format!("mapping = \"{name}\""))).unwrap();
        assert!(!plans[0].fields.is_empty(), "{name}");
    }
}

#[test]
fn every_example_of_the_documentation_is_a_configuration() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples");
    let mut seen = 0;
    for entry in fs::read_dir(examples).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "toml") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let Ok(config) = text.parse::<toml::Table>() else { panic!("{} is no TOML", path.display()) };
        for source in config.get("source").and_then(toml::Value::as_array).into_iter().flatten() {
            if source.get("connector").and_then(toml::Value::as_str) != Some("tabular") {
                continue;
            }
            let mut context = people("");
            context.options = source["options"].as_table().unwrap().clone();
            context.population = source.get("population").and_then(|p| Population::parse(p.as_str()?));
            Plan::all(&context).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            seen += 1;
        }
    }
    assert!(seen >= 4, "{seen} sources");
}

#[test]
fn all_mistakes_of_the_options_are_named_at_once() {
    let mut context = people(
        r#"
        table = "identities"
        delimeter = ";"
        format = "xlsx"
        dates = ["%m/%d/%Y", "%d/%m/%Y", "DD.MM.YYYY"]
        attributes = ["API Key"]
        required = ["emial"]
        [columns]
        native_id = "id"
        display_nam = "Name"
        title = "Password"
        end_at = { colum = "End" }
        [values.status]
        "Gone" = "lft"
        "#,
    );
    context.population = None;
    let Err(ConnectorError::Options { message, help }) = Plan::all(&context) else { panic!() };
    for part in [
        "`delimeter` is no option of this connector, did you mean `delimiter`?",
        "`format` is `xlsx`",
        "`%m/%d/%Y` and `%d/%m/%Y` read one text as two days",
        "`DD.MM.YYYY` is neither a pattern",
        "`API Key` looks like a column of secrets",
        "`required` names `emial`",
        "`display_nam` is no field of `identities`, did you mean `display_name`?",
        "`Password` looks like a column of secrets and is mapped to `title`",
        "`columns.end_at` has an unknown key `colum`",
        "`values.status` leads to `lft`, did you mean `left`?",
        "does not say whom it holds",
    ] {
        assert!(message.contains(part), "`{part}` is not in `{message}`");
    }
    assert!(help.contains("population = \"all\""), "{help}");
}

#[test]
fn a_packed_xml_file_that_is_a_bomb_or_cut_off_is_named_as_such() {
    let pack = |bytes: &[u8]| {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packed.write_all(bytes).unwrap();
        packed.finish().unwrap()
    };
    let cut = pack(format!("<objects>{}", "<role oid='1'><name>a</name></role>".repeat(9_999)).as_bytes());
    let bomb = pack(format!("<objects>{}", format!("<a/>{}", " ".repeat(4_092)).repeat(18_000)).as_bytes());
    for (bytes, code) in [(&cut[..cut.len() - 20], "input/unreadable"), (&bomb, "input/gzip-bomb")] {
        let (_dir, input) = temporary("roles.xml.gz", bytes);
        let Err(ConnectorError::File { error, .. }) = TABULAR.read(&[input], &people("mapping = \"midpoint-roles\"")) else {
            panic!("accepted: {code}")
        };
        assert_eq!(error.code, code, "{error}");
    }
}

#[test]
fn rule_11_13_what_lists_say_beside_ids_is_masked() {
    let lists = [
        ("roles", "role id,right,title,department,owner\nR1,user,clerk password=Hunter2,unit pw: Hunter2,ann token=Hunter2\n", 3),
        ("reviews", "review id,account,campaign,decision\nV1,u1,spring password=Hunter2,keep\n", 1),
        ("separation", "rule id,left,right,owner,reason,name\nS1,a,b,ann pw=Hunter2,password is Hunter2,token=Hunter2\n", 3),
        ("workflow", "entry id,rule,engine,event,message\nW1,pw=Hunter2,token=Hunter2,secret: Hunter2,password Hunter2\n", 4),
        ("systems", "system,in scope,owner,environment,capabilities\napp,yes,ann pw=Hunter2,prod token=Hunter2,sso;pw=Hunter2\n", 3),
        ("workloads", "id,name,owner,status\nw1,ci,ann password=Hunter2,active\n", 1),
    ];
    for (mapping, text, secrets) in lists {
        let (_dir, input) = temporary("list.csv", text.as_bytes());
        let draft = TABULAR.read(&[input], &people(&format!("mapping = \"{mapping}\""))).unwrap();
        let rows = rows(&draft).to_string();
        assert_eq!((draft.rejects.len(), rows.to_lowercase().contains("hunter2")), (0, false), "{mapping}: {rows}");
        assert_eq!(rows.matches("[masked]").count(), secrets, "{mapping}: {rows}");
    }
}

#[test]
fn a_line_of_any_length_is_named_and_never_held() {
    let long = vec![b'x'; 3 << 20];
    for (name, before, after) in [("a.csv", "id\n", ""), ("a.ndjson", "{\"id\":\"", "\"}\n"), ("a.json", "[{\"id\":\"", "\"}]")] {
        let (_dir, mut input) = temporary(name, &[before.as_bytes(), &long, after.as_bytes()].concat());
        input.limits.line = 1 << 20;
        let Err(ConnectorError::File { error, .. }) = TABULAR.read(&[input], &people("mapping = \"hr\"")) else { panic!("{name}") };
        assert_eq!(error.code, "input/line-too-long", "{name}");
    }
}

#[test]
fn a_record_of_many_small_values_is_named_and_never_held() {
    let text = format!("[{{\"id\":\"1\",\"x\":[{}0]}}]", "0,".repeat(100_000));
    let (_dir, mut input) = temporary("a.json", text.as_bytes());
    input.limits.line = 1 << 20;
    let Err(ConnectorError::File { error, .. }) = TABULAR.read(&[input], &people("mapping = \"hr\"")) else { panic!() };
    assert!(error.message.contains("record is larger than"), "{error}");
}

#[test]
fn nesting_of_100_000_is_named() {
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(100_000), close.repeat(100_000));
    for text in [deep("[", "]"), deep("{\"a\":", "}"), format!("[{{\"id\":{}}}]", deep("[", "]"))] {
        let (_dir, input) = temporary("a.json", text.as_bytes());
        let Err(ConnectorError::File { error, .. }) = TABULAR.read(&[input], &people("mapping = \"hr\"")) else { panic!() };
        assert_eq!(error.code, "tabular/too-deep");
    }
    let lines = format!("{{\"id\":\"1\"}}\n{{\"id\":{}}}\n{{\"id\":\"2\"}}\n", deep("[", "]"));
    let (_dir, input) = temporary("a.ndjson", lines.as_bytes());
    let draft = TABULAR.read(&[input], &people("mapping = \"hr\"")).unwrap();
    assert_eq!((draft.identities.len(), draft.rejects.len()), (2, 1));
}

#[test]
fn a_gzip_bomb_is_named() {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(b"id\n").unwrap();
    let line = [vec![b'1'; 1023], b"\n".to_vec()].concat().repeat(1024);
    for _ in 0..70 {
        packed.write_all(&line).unwrap();
    }
    let (_dir, input) = temporary("a.csv.gz", &packed.finish().unwrap());
    let Err(ConnectorError::File { error, .. }) =
        TABULAR.read(&[input], &people("table = \"systems\"\n[columns]\nsystem = \"id\"\nin_scope = {const = \"yes\"}"))
    else {
        panic!()
    };
    assert_eq!(error.code, "input/gzip-bomb");
}

#[test]
fn a_packed_file_reads_as_the_plain_one() {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all("\u{feff}id;name\r\n001;Zoë\r\n".as_bytes()).unwrap();
    let (_dir, input) = temporary("hr.csv.gz", &packed.finish().unwrap());
    let draft = TABULAR.read(&[input], &people("mapping = \"hr\"")).unwrap();
    assert_eq!(draft.identities[0].row.display_name.as_deref(), Some("Zoë"));
}

fn parquet(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut out = Vec::new();
    let mut writer = parquet::arrow::ArrowWriter::try_new(&mut out, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    out
}

fn people_parquet() -> Vec<u8> {
    let mut groups = ListBuilder::new(StringBuilder::new());
    groups.append_value([Some("a@x"), None, Some("b@x")]);
    groups.append_null();
    parquet(vec![
        ("id", Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef),
        ("name", Arc::new(StringArray::from(vec![Some("Ann"), None]))),
        ("active", Arc::new(BooleanArray::from(vec![true, false]))),
        ("start", Arc::new(Date32Array::from(vec![20_635, 20_635]))),
        ("entered", Arc::new(TimestampMicrosecondArray::from(vec![1_782_864_000_000_000, 1_782_864_000_250_000]).with_timezone("UTC"))),
        ("local", Arc::new(TimestampMicrosecondArray::from(vec![Some(1_782_864_000_000_000), None]))),
        ("logins", Arc::new(groups.finish())),
    ])
}

#[test]
fn parquet_columns_read_as_the_same_texts_of_a_csv() {
    let (_dir, input) = temporary("people.parquet", &people_parquet());
    let mut context = people(
        "table = \"identities\"\n[columns]\nnative_id=\"id\"\ndisplay_name=\"name\"\nstatus=\"active\"\nstart_at=\"start\"\n\
         start_known_at=\"entered\"\nend_known_at=\"local\"\naliases=\"logins\"\n[values.status]\ntrue=\"active\"\nfalse=\"left\"",
    );
    context.timezone = Some(TimeZone::get("Europe/Berlin").unwrap());
    let draft = TABULAR.read(&[input], &context).unwrap();
    assert_eq!((draft.files[0].read, draft.files[0].accepted, draft.files[0].shape), (2, 2, Some("parquet")));
    let (first, second) = (&draft.identities[0].row, &draft.identities[1].row);
    assert_eq!(
        (first.native_id.as_str(), first.display_name.as_deref(), first.aliases.as_deref()),
        ("1", Some("Ann"), Some(r#"["a@x","b@x"]"#))
    );
    assert_eq!((second.display_name.as_deref(), second.status.as_str(), second.aliases.as_deref()), (None, "left", None));
    let spans: Vec<_> = draft.employments.iter().map(|e| &e.row).collect();
    let text = |t: Option<crate::model::Time>| t.map(|t| t.to_string());
    assert_eq!(text(spans[0].starts_at).as_deref(), Some("2026-06-30T22:00:00Z"), "a date is local");
    assert_eq!(text(spans[1].start_known_at).as_deref(), Some("2026-07-01T00:00:00.25Z"), "an instant is not");
    assert_eq!(text(spans[0].end_known_at).as_deref(), Some("2026-06-30T22:00:00Z"), "a time without zone is local");
    assert_eq!(draft.identities[1].origin, Origin::record(0, 2));
}

#[test]
fn damaged_parquet_is_named() {
    let whole = people_parquet();
    for cut in [8, whole.len() / 2, whole.len() - 1] {
        let (_dir, input) = temporary("people.parquet", &whole[..cut]);
        let Err(ConnectorError::File { error, .. }) = TABULAR.read(&[input], &people("mapping = \"hr\"")) else { panic!("{cut}") };
        assert_eq!(error.code, "tabular/parquet", "{cut}");
    }
}

#[test]
fn rows_of_two_files_meet_in_one_person() {
    let (_a, first) = temporary("2019.csv", b"id,start,end\n7,2015-01-01,2018-12-31\n");
    let (_b, second) = temporary("2026.csv", b"id,start,end\n7,2024-01-01,\n");
    let draft = TABULAR.read(&[first, second], &people("mapping = \"hr\"")).unwrap();
    assert_eq!((draft.identities.len(), draft.employments.len()), (1, 2));
    assert_eq!(draft.identities[0].origin, Origin::line(1, 2), "the newest record speaks for the person");
    assert_eq!(draft.facts.len(), 1);
}

/// Options that reach every builder.
const MAPPINGS: &[&str] = &[
    "mapping = \"hr\"",
    "mapping = \"accounts\"",
    "mapping = \"exceptions\"",
    "mapping = \"systems\"",
    "table=\"grants\"\n[columns]\naccount={const=\"a\"}\nentitlement={column=\"id\",optional=true}",
    "table=\"credentials\"\n[columns]\naccount={column=[\"id\",\"a[0].b\"],optional=true}\nsecret={column=\"name\",optional=true}",
];

fn sound(bytes: &[u8], name: &str, options: &str) -> Result<(), TestCaseError> {
    let (_dir, input) = temporary(name, bytes);
    if let Ok(draft) = TABULAR.read(&[input], &people(options)) {
        for ledger in &draft.files {
            prop_assert_eq!(ledger.read, ledger.accepted + ledger.rejected);
        }
        prop_assert_eq!(draft.files.iter().map(|l| l.rejected).sum::<u64>(), draft.rejects.len() as u64);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600), mapping in 0..MAPPINGS.len(), name in "x\\.(csv|json|ndjson|parquet)") {
        sound(&bytes, &name, MAPPINGS[mapping])?;
    }

    #[test]
    fn texts_with_the_marks_of_the_formats_never_panic(
        text in "(\u{feff})?(id|name|start|status|system|check|subject|in scope|\\[|\\{|\\}|\\]|\"|,|;|:|\n|\r\n|\t|0|2026-02-30|20260-01-01|\u{0}|é|null|true){0,60}",
        mapping in 0..MAPPINGS.len(),
        name in "x\\.(csv|json|ndjson)",
    ) {
        sound(text.as_bytes(), &name, MAPPINGS[mapping])?;
    }

    #[test]
    fn rows_under_a_known_header_never_panic(
        rows in proptest::collection::vec(("[0-9a-c]{0,2}", "[a-z\u{130}\" ]{0,6}", "(20260|2026|0001|9999)?-?[01][0-9]-[0-3][0-9]|never|", "(active|left|on leave|gone|)"), 0..20),
        mapping in 0..MAPPINGS.len(),
    ) {
        let mut text = "id,name,end,status,system,subject,check,in scope\n".to_owned();
        for (id, name, end, status) in &rows {
            text.push_str(&format!("{id},{name},{end},{status},s,{id},c,yes\n"));
        }
        sound(text.as_bytes(), "x.csv", MAPPINGS[mapping])?;
    }

    #[test]
    fn damaged_parquet_never_panics(at in 0usize..3_000, byte in any::<u8>()) {
        let mut bytes = people_parquet();
        let at = at % bytes.len();
        bytes[at] = byte;
        sound(&bytes, "x.parquet", MAPPINGS[0])?;
    }
}

/// A list of accounts large enough to be read in pieces, the same records line by line, and what both are read with.
fn one_list_two_ways() -> (String, String, &'static str) {
    let mut csv = "id,mail,teams,rights,level,where,secret,since,until\n".to_owned();
    let mut lines = String::new();
    for n in 0..40_000u32 {
        // Every account comes twice: mostly the same, now and then with more, now and then with something else.
        let (id, second) = (n % 20_000, n >= 20_000);
        let mail = match id % 1_000 {
            7 if second => "other@corp.example".to_owned(),
            8 if !second => String::new(),
            _ => format!("person.{id}@corp.example"),
        };
        let teams = format!("team-{};team-{}", id % 50, if second { 50 + id % 7 } else { id % 50 + 1 });
        let (level, site) = (["read", "admin"][(n % 2) as usize], if id % 3 == 0 { format!("site-{}", id % 11) } else { String::new() });
        let secret = if id % 4_000 == 5 { "hunter2" } else { "" };
        let rights = format!("right-{}", id % 90 + u32::from(second && id % 1_000 == 7) * 1_000);
        // One text stands for the first instant of a day here and for the end of that day there.
        let day = format!("2027-03-{:02}", id % 28 + 1);
        csv += &format!("{id:06},{mail},{teams},{rights},{level},{site},{secret},{day},{day}\n");
        let record = json!({
            "id": format!("{id:06}"), "mail": mail, "teams": teams, "rights": rights, "level": level, "where": site, "secret": secret,
            "since": day, "until": day,
        });
        lines += &format!("{record}\n");
    }
    let options = "table = \"accounts\"\n[columns]\nnative_id = \"id\"\nemail = \"mail\"\ncreated_at = \"since\"\nexpires_at = \"until\"\nentitlement = \"rights\"\nentitlement_level = \"level\"\n\
                   resource = \"where\"\nsecret = \"secret\"\ngroups = { column = \"teams\", split = \";\" }\n";
    (csv, lines, options)
}

#[test]
fn a_list_of_accounts_is_the_same_read_in_pieces_or_line_by_line() {
    let (csv, lines, options) = one_list_two_ways();
    assert!(csv.len() > 2 << 20, "several pieces");
    let seen = |name: &str, text: &str, header: u64| {
        let (_dir, input) = temporary(name, text.as_bytes());
        let mut draft = TABULAR.read(&[input], &people(options)).unwrap();
        let at = |origin: Origin| origin.number - header;
        let mut edges = std::collections::BTreeMap::new();
        draft
            .memberships
            .take(|m| {
                edges.entry(format!("{:?} {} {:?}", m.member, m.group, m.row)).or_insert(at(m.origin));
                Ok(())
            })
            .unwrap();
        draft
            .grants
            .take(|g| {
                edges.entry(format!("{:?} {} {:?} {:?}", g.holder, g.entitlement, g.resource, g.row)).or_insert(at(g.origin));
                Ok(())
            })
            .unwrap();
        let mut accounts = Vec::new();
        draft
            .accounts
            .take(|a| {
                assert_eq!(a.row.created_at.map(|t| t.plus(crate::model::time::DAY)), a.row.expires_at, "the last day is in");
                accounts.push((a.row.native_id.clone(), at(a.origin), format!("{:?}", a.row)));
                Ok(())
            })
            .unwrap();
        accounts.sort();
        let mut facts = Vec::new();
        draft
            .facts
            .take(|(table, id, fact, origin)| {
                facts.push((table.name, id, fact, at(origin)));
                Ok(())
            })
            .unwrap();
        let rejects: Vec<_> = draft.rejects.iter().map(|r| (at(r.origin), r.reason)).collect();
        let secrets: Vec<_> = draft.credentials.iter().map(|c| (c.holder.clone(), at(c.origin), c.row.native_id.clone())).collect();
        let named: Vec<String> = draft
            .groups
            .iter()
            .map(|g| format!("{} {}", g.row.native_id, at(g.origin)))
            .chain(draft.entitlements.iter().map(|e| format!("{} {} {:?}", e.row.native_id, at(e.origin), e.row.level)))
            .chain(draft.resources.iter().map(|r| format!("{} {}", r.row.native_id, at(r.origin))))
            .collect();
        let ledger = &draft.files[0];
        ((ledger.read, ledger.accepted, ledger.rejected), edges, accounts, facts, rejects, secrets, named)
    };
    let (pieces, plain) = (seen("a.csv", &csv, 1), seen("a.ndjson", &lines, 0));
    assert_eq!(pieces.0, (40_000, 39_980, 20));
    assert_eq!((pieces.3.len(), pieces.5.len()), (20, 5), "facts that a second row fills in, and secrets");
    assert!(!pieces.1.keys().any(|edge| edge.contains("right-1007")), "what a refused row gives counts nowhere");
    assert_eq!(pieces, plain);
}
