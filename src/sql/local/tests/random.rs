//! Random queries over random tables cut in parts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::UInt32Type;

use super::{Held, by_polars, compiled, dictionaries, fused, lines};
use crate::sql::local::Tally;
use crate::sql::random::{asked, catalog};
use crate::sql::{Query, SqlError, Type};

type Tables = BTreeMap<String, RecordBatch>;

const OF_ACCOUNTS: [&str; 2] = ["accounts", "access"];

/// Rows of the views of accounts: of one system, in runs of accounts.
fn parts(tables: &Tables, accounts: usize) -> Vec<Tables> {
    let key = |batch: &RecordBatch, name: &str| batch.column_by_name(name).unwrap().as_primitive::<UInt32Type>().clone();
    let mut known: BTreeSet<(u32, u32)> = BTreeSet::new();
    for name in OF_ACCOUNTS {
        let (systems, ixs) = (key(&tables[name], "system_ix"), key(&tables[name], "account_ix"));
        known.extend(systems.values().iter().zip(ixs.values()).map(|(s, a)| (*s, *a)));
    }
    let mut parts = Vec::new();
    for system in 0..2 {
        let of_system: Vec<u32> = known.iter().filter(|(s, _)| *s == system).map(|(_, a)| *a).collect();
        for chunk in of_system.chunks(accounts) {
            let keep = |batch: &RecordBatch| {
                let (systems, ixs) = (key(batch, "system_ix"), key(batch, "account_ix"));
                let keep: BooleanArray =
                    systems.values().iter().zip(ixs.values()).map(|(s, a)| Some(*s == system && chunk.contains(a))).collect();
                filter_record_batch(batch, &keep).unwrap()
            };
            parts.push(OF_ACCOUNTS.map(|name| (name.to_owned(), keep(&tables[name]))).into_iter().collect());
        }
    }
    parts
}

/// The same parts, and a cut of another view in each.
fn with_chunks(mut parts: Vec<Tables>, table: &RecordBatch, view: &str) -> Vec<Tables> {
    let count = parts.len();
    for (at, part) in parts.iter_mut().enumerate() {
        let bound = |at: usize| table.num_rows() * at / count;
        part.insert(view.to_owned(), table.slice(bound(at), bound(at + 1) - bound(at)));
    }
    parts
}

fn coded(tables: &Tables, seed: usize) -> Tables {
    tables.iter().map(|(name, batch)| (name.clone(), dictionaries(batch, seed))).collect()
}

#[derive(Debug, Default)]
struct Seen {
    queries: usize,
    refused: BTreeMap<&'static str, usize>,
    compared: usize,
    with_rows: usize,
    for_polars: usize,
    failed: usize,
    found: usize,
}

/// A query that says `finding` about some rows of another one.
fn judged(sql: &str, query: &Query) -> Option<String> {
    if sql.starts_with("WITH") {
        return None;
    }
    let first = query.outputs().first()?;
    let (name, of) = (&first.name, |name: &str| format!("d.{name} AS {name}"));
    let test = match first.ty {
        Type::Text => format!("d.{name} LIKE '%a%'"),
        Type::Boolean => format!("d.{name}"),
        Type::Double => format!("d.{name} > 5e-1"),
        Type::Timestamp => format!("d.{name} > TIMESTAMP '2026-01-01 00:00:00'"),
        _ => format!("d.{name} > 1"),
    };
    let mut columns: Vec<String> = query.outputs().iter().map(|o| of(&o.name)).collect();
    if let Some(system) = query.outputs().iter().find(|o| o.ty == Type::U32) {
        columns.push(format!("d.{} AS system_ix", system.name));
    }
    let outcome = format!("CASE WHEN {test} THEN 'finding' WHEN d.{name} IS NOT NULL THEN 'ok' END");
    Some(format!("SELECT {outcome} AS outcome, {} FROM ({sql}) d", columns.join(", ")))
}

fn count(batch: &RecordBatch) -> BTreeMap<(Option<u32>, String), u64> {
    let outcome = batch.column_by_name("outcome").unwrap().as_string::<i32>();
    let system = batch.column_by_name("system_ix").map(|c| c.as_primitive::<UInt32Type>());
    let mut counts = BTreeMap::new();
    for row in 0..batch.num_rows() {
        let system = system.filter(|s| s.is_valid(row)).map(|s| s.value(row));
        let outcome = if outcome.is_valid(row) { outcome.value(row) } else { "unknown" };
        *counts.entry((system, outcome.to_owned())).or_default() += 1;
    }
    counts
}

fn findings(batch: &RecordBatch) -> RecordBatch {
    let outcome = batch.column_by_name("outcome").unwrap().as_string::<i32>();
    filter_record_batch(batch, &outcome.iter().map(|o| Some(o == Some("finding"))).collect()).unwrap()
}

/// Compares all queries of one world over all of its parts.
fn compare(number: u64, chunked: Option<&str>, seen: &mut Seen) {
    let (tables, texts) = asked(20, number, 40);
    let catalog = catalog();
    let mut queries: Vec<(String, Query)> = texts.into_iter().map(|sql| (sql.clone(), compiled(&sql, &catalog))).collect();
    let judging: Vec<String> = queries.iter().filter_map(|(sql, query)| judged(sql, query)).collect();
    queries.extend(judging.into_iter().filter_map(|sql| {
        let query = crate::sql::compile(&sql, &BTreeMap::new(), &catalog).ok()?;
        Some((sql, query))
    }));
    let set: BTreeSet<&str> = OF_ACCOUNTS.into_iter().chain(chunked).collect();
    let provable = |query: &Query| match chunked {
        None => query.prove_account_grain().is_ok(),
        Some(view) => query.prove_row_local(&set).is_ok() && query.reads().contains_key(view),
    };
    queries.retain(|(_, query)| provable(query));
    let (texts, queries): (Vec<String>, Vec<Query>) = queries.into_iter().unzip();
    let fused = fused(&queries, &set);
    let mut parts = parts(&tables, 1 + usize::try_from(number % 5).unwrap());
    if let Some(view) = chunked {
        parts = with_chunks(parts, &tables[view], view);
    }
    let whole = Held::new(coded(&tables, usize::try_from(number).unwrap()));
    let over = fused.over(&whole);
    for (i, sql) in texts.iter().enumerate() {
        let _ = sql;
        seen.queries += 1;
        if let Some(refusal) = fused.refused(i) {
            *seen.refused.entry(refusal.0).or_default() += 1;
        }
    }
    for (at, part) in parts.iter().enumerate() {
        let held = Held::new(coded(part, at)).with_constants(at % 2 == 1);
        let tallies = over.run(&held, &|_| true);
        for (i, (sql, query)) in texts.iter().zip(&queries).enumerate() {
            if fused.refused(i).is_some() {
                assert!(tallies[i].is_none());
                continue;
            }
            let polars = by_polars(query, part, &tables);
            one(sql, query, polars, over.rows(&held, i), tallies[i].clone().unwrap(), seen);
        }
        let asked = held.asked();
        assert!(asked.len() <= asked.iter().collect::<BTreeSet<_>>().len() * (texts.len() + 1));
    }
    // A column of a whole view is read once, however many parts there are.
    let asked = whole.asked();
    assert_eq!(asked.len(), asked.iter().collect::<BTreeSet<_>>().len(), "{asked:?}");
}

fn one(
    sql: &str,
    query: &Query,
    polars: Result<RecordBatch, SqlError>,
    rows: Result<RecordBatch, SqlError>,
    tally: Result<Tally, SqlError>,
    seen: &mut Seen,
) {
    let polars = match polars {
        Ok(batch) => batch,
        Err(SqlError::Value(_)) => {
            seen.failed += 1;
            assert!(matches!(rows, Err(SqlError::Value(_))), "{rows:?}\n{sql}");
            // Rows that no outcome is counted for may be left alone.
            return;
        }
        Err(error) => panic!("{error}\n{sql}"),
    };
    let rows = match rows {
        Ok(rows) => rows,
        Err(SqlError::Value(_)) => {
            seen.for_polars += 1;
            return;
        }
        Err(error) => panic!("{error}\n{sql}"),
    };
    assert_eq!(rows.schema(), polars.schema(), "{sql}");
    assert_eq!(lines(&rows), lines(&polars), "{sql}");
    seen.compared += 1;
    seen.with_rows += usize::from(rows.num_rows() > 0);
    let tally = tally.unwrap_or_else(|e| panic!("{e}\n{sql}"));
    if query.outputs().iter().any(|o| o.name == "outcome") {
        assert_eq!(tally.counts, count(&polars), "{sql}");
        assert_eq!(tally.hits.schema(), polars.schema(), "{sql}");
        assert_eq!(lines(&tally.hits), lines(&findings(&polars)), "{sql}");
        seen.found += tally.hits.num_rows();
    } else {
        assert!(tally.counts.is_empty() && tally.hits.num_rows() == 0);
    }
}

fn share(seen: &Seen) -> usize {
    100 - 100 * seen.refused.values().sum::<usize>() / seen.queries
}

#[test]
fn queries_of_accounts_give_the_rows_of_polars() {
    let mut seen = Seen::default();
    for number in 0..60 {
        compare(number, None, &mut seen);
    }
    println!("{seen:?}: {} % run here", share(&seen));
    assert!(share(&seen) >= 80, "{seen:?}");
    assert!(seen.queries > 500 && seen.compared > 3000 && seen.with_rows > 1000 && seen.found > 200, "{seen:?}");
    assert!(seen.for_polars * 10 < seen.compared, "{seen:?}");
}

#[test]
fn queries_of_rows_give_the_rows_of_polars() {
    let mut seen = Seen::default();
    for number in 100..130 {
        for view in ["people", "links", "big"] {
            compare(number, Some(view), &mut seen);
        }
    }
    println!("{seen:?}: {} % run here", share(&seen));
    assert!(share(&seen) >= 90, "{seen:?}");
    assert!(seen.queries > 200 && seen.compared > 1000 && seen.with_rows > 400 && seen.found > 50, "{seen:?}");
}

#[test]
fn parts_run_on_several_threads_at_once() {
    let (tables, texts) = asked(20, 3, 40);
    let catalog = catalog();
    let queries: Vec<Query> = texts.iter().map(|sql| compiled(sql, &catalog)).filter(|q| q.prove_account_grain().is_ok()).collect();
    let fused = fused(&queries, &OF_ACCOUNTS.into());
    let whole = Held::new(tables.clone());
    let parts: Vec<Arc<Held>> = parts(&tables, 1).into_iter().map(|part| Arc::new(Held::new(part))).collect();
    let rows = |over: &crate::sql::local::Over<'_>, part: &Held| -> Vec<Option<Vec<String>>> {
        (0..queries.len()).map(|i| over.rows(part, i).ok().map(|batch| lines(&batch))).collect()
    };
    let one_by_one: Vec<_> = parts.iter().map(|part| rows(&fused.over(&whole), part)).collect();
    let over = fused.over(&whole);
    let together: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = parts.iter().map(|part| scope.spawn(|| rows(&over, part))).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert!(queries.len() > 5 && parts.len() > 5);
    assert_eq!(one_by_one, together);
}
