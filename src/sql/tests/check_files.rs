//! Files of checks: front matter, query, and the two steps of map-reduce.

use std::collections::BTreeMap;

use polars::prelude::IntoLazy;

use super::{catalog, rows, tables};
use crate::sql::{Diagnostic, compile, parse_check};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/sql/map_reduce.sql");

#[test]
fn a_check_has_front_matter_and_a_query() {
    let source = parse_check("-- ---\n-- id = \"x\"\n--\n-- [params]\n-- ---\n\nSELECT a.login FROM accounts a\n").unwrap();
    assert_eq!(source.front_matter, "id = \"x\"\n\n[params]\n");
    assert_eq!((source.front_matter_line, source.query_offset), (2, 5));
    assert_eq!(source.query, "\nSELECT a.login FROM accounts a\n");
    assert_eq!(source.map, None);
    let fault = compile(&source.query.replace("login", "lgin"), &BTreeMap::new(), &catalog()).unwrap_err().shifted(source.query_offset);
    assert_eq!((fault.line, fault.column), (7, 8));
}

#[test]
fn map_and_reduce_give_the_rows_of_the_whole_query() {
    let source = parse_check(&std::fs::read_to_string(FILE).unwrap()).unwrap();
    let steps = source.map.unwrap();
    let map = compile(&steps.map, &BTreeMap::new(), &catalog()).unwrap();
    assert_eq!(map.prove_account_grain(), Ok(()));
    let mut with_mapped = catalog();
    with_mapped.views.insert("mapped".to_owned(), map.as_view());
    let reduce = compile(&steps.reduce, &BTreeMap::new(), &with_mapped).unwrap();
    let tables = tables();
    let mapped = map.run(&|name| tables.get(name).map(|t| t.clone().lazy())).unwrap();
    let result = reduce
        .run(&|name| if name == "mapped" { Some(mapped.clone().lazy()) } else { tables.get(name).map(|t| t.clone().lazy()) })
        .unwrap();
    assert_eq!(result.height(), 2);
    assert_eq!(rows(&source.query), ["admin|2|2", "read|2|2"]);
    // Places in the two steps are those of the whole query.
    let fault = compile(&steps.reduce.replace("mapped m", "maped m"), &BTreeMap::new(), &with_mapped).unwrap_err();
    let line = source.query.lines().position(|l| l.contains("FROM mapped m")).unwrap();
    assert_eq!(fault.line as usize, line + 1);
}

#[test]
fn a_with_after_the_mapped_one_stays() {
    let source = parse_check("-- ---\n-- ---\nWITH mapped AS (SELECT x.uses FROM access x WHERE (x.uses > 0)), w AS (SELECT m.uses FROM mapped m)\nSELECT w.uses FROM w").unwrap();
    let steps = source.map.unwrap();
    assert_eq!(steps.map.trim(), "SELECT x.uses FROM access x WHERE (x.uses > 0)");
    assert_eq!(
        steps.reduce.split_whitespace().collect::<Vec<_>>().join(" "),
        "WITH w AS (SELECT m.uses FROM mapped m) SELECT w.uses FROM w"
    );
}

#[test]
fn files_in_another_form_are_refused() {
    for (text, line, message) in [
        ("SELECT 1", 1, "no front matter"),
        ("-- ---\n-- id = 1\n", 3, "front matter without an end"),
        ("-- ---\nid = 1\n-- ---\n", 2, "a line of the front matter that is no comment"),
        ("-- ---\n-- ---\n-- nothing\n", 3, "no query after the front matter"),
        ("-- ---\n-- ---\nWITH mapped AS (SELECT 1", 3, "`mapped AS (` without its `)`"),
    ] {
        let Diagnostic { line: at, message: fault, .. } = parse_check(text).unwrap_err();
        assert_eq!((at, fault.as_str()), (line, message), "{text}");
    }
}
