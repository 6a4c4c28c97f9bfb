//! The checks that holdover brings along, over parts: none waits for polars, and parts say what the whole says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use holdover::audit::explain::{Stored, open};
use holdover::checks::{self, Check};
use holdover::engine::evaluate::{Answers, Asked, Hit, over_parts, over_whole};
use holdover::engine::findings::HalfMade;
use holdover::engine::{Tables, catalog, cut_into_parts, looked_up};
use holdover::model::FindingRow;
use holdover::sql::local::Fused;
use holdover::sql::{Query, compile};
use holdover::store::Store;

use super::{copy_of, files, root, run};

/// Checks that go over parts.
const IN_PARTS: usize = 24;

fn in_parts(query: &Query) -> bool {
    query.prove_account_grain().is_ok() || query.prove_row_local(&cut_into_parts()).is_ok()
}

#[test]
fn no_check_over_parts_is_refused() {
    let (checks, catalog) = (checks::load(None).unwrap(), catalog());
    let compiled = |check: &Check| compile(&check.query, &check.values(&BTreeMap::new()).unwrap(), &catalog).unwrap();
    let queries: Vec<(&str, Query)> = checks.iter().map(|c| (c.id.as_str(), compiled(c))).filter(|(_, q)| in_parts(q)).collect();
    assert_eq!(queries.len(), IN_PARTS, "{:?}", queries.iter().map(|(id, _)| id).collect::<Vec<_>>());
    let fused = Fused::new(&queries.iter().map(|(_, q)| q).collect::<Vec<_>>(), &cut_into_parts());
    let refused: Vec<_> = (0..queries.len()).filter_map(|i| fused.refused(i).map(|r| (queries[i].0, r.0))).collect();
    assert_eq!(refused, []);
}

/// What a check said, in an order of its own. Each hit is told by its columns.
fn said(answers: &Answers) -> (String, Vec<String>) {
    let mut found: Vec<String> = answers.found.iter().map(|f| f.evidence.clone()).collect();
    found.sort();
    (format!("{:?}", answers.counts), found)
}

fn told(hit: &Hit) -> Result<FindingRow, HalfMade> {
    let evidence = format!("{} {:?} {:?} {}", hit.certainty, hit.system_ix, hit.since, serde_json::to_string(&hit.columns).unwrap());
    Ok(FindingRow { evidence, ..FindingRow::default() })
}

/// Compares the checks of a run, over parts of so many accounts; how many findings they had.
fn compare(stored: &Stored, accounts: u32) -> usize {
    let (checks, catalog) = (checks::load(None).unwrap(), catalog());
    let tables = Tables::new(&stored.run, accounts);
    tables.put(&stored.exceptions).unwrap();
    let of_rule = |id: &str| checks.iter().find(|c| c.id == id).unwrap();
    let rules = stored.rules.iter().map(|rule| (of_rule(&rule.id), compile(&rule.rule_text, &BTreeMap::new(), &catalog).unwrap()));
    let rules: Vec<(&Check, Query)> = rules.filter(|(_, q)| in_parts(q)).collect();
    assert_eq!(rules.len(), IN_PARTS);
    let systems: BTreeSet<u32> = stored.run.systems.iter().map(|s| s.ix).collect();
    let asked: Vec<Asked<'_>> = rules.iter().map(|(check, query)| Asked { check, query, systems: systems.clone() }).collect();
    let fused = Fused::seeking(&rules.iter().map(|(_, q)| q).collect::<Vec<_>>(), &cut_into_parts(), &looked_up());
    let over = fused.over(&tables);
    for part in tables.parts().cuts.iter().filter_map(|cut| tables.parts().part(*cut)) {
        for (tally, (check, _)) in over.run(&part, &|_| true).into_iter().zip(&rules) {
            tally.unwrap().unwrap_or_else(|e| panic!("{}: {e}", check.id));
        }
    }
    let mut found = 0;
    for (parts, asked) in over_parts(&asked, &tables, &|_, _, hit| told(hit)).into_iter().zip(&asked) {
        let whole = over_whole(asked, &tables, &|hit| told(hit)).unwrap();
        assert_eq!(said(&parts.unwrap()), said(&whole), "{}", asked.check.id);
        found += whole.found.len();
    }
    found
}

fn newest(store: &Path) -> Stored {
    let store = Store::open(store).unwrap();
    let last = store.runs().unwrap().pop().unwrap();
    open(&store, &last).unwrap()
}

#[test]
fn parts_of_the_fixtures_say_what_the_whole_says() {
    let (mut worlds, mut found) = (0, 0);
    let fixtures = root().join("fixtures");
    for config in files(&fixtures.join("checks")).iter().filter(|f| f.ends_with("holdover.toml")) {
        let world = config.parent().unwrap().strip_prefix(&fixtures).unwrap().to_str().unwrap();
        let dir = copy_of(world);
        let code = run(dir.path(), &["audit", "--format", "csv"]).status.code();
        assert!(matches!(code, Some(0 | 1 | 3)), "{world}: {code:?}");
        found += compare(&newest(&dir.path().join("store")), 2);
        worlds += 1;
    }
    assert!(worlds > 40 && found > 60, "{worlds} worlds, {found} findings");
}

#[test]
fn parts_of_the_demo_say_what_the_whole_says() {
    let dir = tempfile::tempdir().unwrap();
    let demo = run(dir.path(), &["demo", "demo"]);
    assert_eq!(demo.status.code(), Some(0), "{}", super::stderr(&demo));
    let stores = files(&dir.path().join("demo")).into_iter().filter(|f| f.ends_with("run.json"));
    let store = stores.map(|f| f.parent().unwrap().parent().unwrap().parent().unwrap().to_path_buf()).next().unwrap();
    let stored = newest(&store);
    let found = compare(&stored, 50);
    assert_eq!(found, compare(&stored, 65_536));
    assert!(found > 50, "{found}");
}
