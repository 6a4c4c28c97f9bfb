//! The views and the checks of a run as one script of Spark SQL.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use super::SparkError;
use crate::engine::VIEWS_SQL;
use crate::engine::evaluate::Asked;
use crate::model::{Column, RUN_TABLES, SNAPSHOT_TABLES, Table};
use crate::sql::Type;

/// The column of a result that says how many rows of the check it stands for.
pub(super) const ROWS: &str = "holdover_rows";

/// What a session must be told for the check language to mean what it means elsewhere, whatever the installation is set to.
const SETTINGS: &[(&str, &str)] = &[
    ("spark.sql.variable.substitute", "false"),
    ("spark.sql.session.timeZone", "UTC"),
    ("spark.sql.timestampType", "TIMESTAMP_NTZ"),
    ("spark.sql.ansi.enabled", "true"),
    ("spark.sql.ansi.doubleQuotedIdentifiers", "true"),
    ("spark.sql.ansi.enforceReservedKeywords", "false"),
    ("spark.sql.parser.escapedStringLiterals", "false"),
    ("spark.sql.groupByOrdinal", "true"),
    // Else every check reads and resolves the views that it names once more: measured, half of all the time over small tables.
    ("spark.sql.legacy.storeAnalyzedPlanForView", "true"),
    // A file that an executor cannot read is an error, never fewer rows.
    ("spark.sql.files.ignoreMissingFiles", "false"),
    ("spark.sql.files.ignoreCorruptFiles", "false"),
    ("spark.sql.parquet.inferTimestampNTZ.enabled", "true"),
    ("spark.sql.parquet.compression.codec", "zstd"),
    ("mapreduce.fileoutputcommitter.marksuccessfuljobs", "true"),
];

/// Where the script finds and leaves things.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places<'a> {
    /// Folder of the snapshots' tables: below it one for each table, and in that one for each system, by [`system_name`].
    pub snapshots: &'a Path,
    /// Folder of the run's own tables.
    pub run: &'a Path,
    /// Folder of the results: one below it for each check, by [`result_name`].
    pub results: &'a Path,
}

/// The folder of a check's result.
pub(super) fn result_name(check: usize) -> String {
    format!("check-{check:03}")
}

/// The folder of a system's file of one table. Spark takes it for the column of that name.
pub(super) fn system_name(system_ix: u32) -> String {
    format!("system_ix={system_ix}")
}

/// The tables that the checks stand on.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Needed {
    /// Views of `views.sql`.
    pub views: BTreeSet<&'static str>,
    /// Tables of the snapshots.
    pub snapshot: BTreeSet<&'static str>,
    /// Tables of the run.
    pub run: BTreeSet<&'static str>,
}

impl Needed {
    /// # Errors
    /// A check reads what is neither a view nor a table.
    pub(super) fn of(asked: &[Asked<'_>]) -> Result<Self, SparkError> {
        let views = definitions();
        let mut out = Self::default();
        for name in asked.iter().flat_map(|a| a.query.reads().keys()) {
            match views.get_key_value(name.as_str()) {
                Some((view, text)) => {
                    out.views.insert(view);
                    read_by(text).try_for_each(|table| out.table(table))?;
                }
                None => out.table(name)?,
            }
        }
        Ok(out)
    }

    fn table(&mut self, name: &str) -> Result<(), SparkError> {
        let named = |tables: &[&'static Table], name: &str| tables.iter().find(|t| t.name == name).map(|t| t.name);
        let found = match name.strip_prefix("snapshot_") {
            Some(table) => named(SNAPSHOT_TABLES, table).map(|t| self.snapshot.insert(t)),
            None => named(RUN_TABLES, name).map(|t| self.run.insert(t)),
        };
        found.map(drop).ok_or_else(|| SparkError::Internal(format!("`{name}` is neither a view nor a table")))
    }
}

/// The views by name.
fn definitions() -> BTreeMap<&'static str, &'static str> {
    let parts = VIEWS_SQL.split("-- view ").skip(1).filter_map(|part| part.split_once('\n'));
    parts.map(|(name, text)| (name.trim(), text.trim_end().trim_end_matches(';'))).collect()
}

/// The tables that a view is made from.
fn read_by(view: &str) -> impl Iterator<Item = &str> {
    let words: Vec<&str> = view.split_whitespace().collect();
    let after = |pair: &[&str]| matches!(pair, ["FROM" | "JOIN", _]);
    let tables: Vec<&str> = words.windows(2).filter(|p| after(p)).filter_map(|p| p.last().copied()).collect();
    tables.into_iter()
}

/// The whole script.
///
/// # Errors
/// A path that Spark would not take as it stands.
pub(super) fn script(asked: &[Asked<'_>], needed: &Needed, places: Places<'_>) -> Result<String, SparkError> {
    let mut out = String::from("-- The checks of one run of holdover, as Spark SQL.\n");
    for (name, value) in SETTINGS {
        let _ = writeln!(out, "SET {name}={value};");
    }
    for table in SNAPSHOT_TABLES.iter().filter(|t| needed.snapshot.contains(t.name)) {
        let folder = uri(&places.snapshots.join(table.name))?;
        let _ = write!(
            out,
            "\nCREATE TEMPORARY VIEW snapshot_{} AS\nSELECT CAST(`system_ix` AS BIGINT) AS `system_ix`, {} FROM {folder};\n",
            table.name,
            columns(table.columns)
        );
    }
    for table in RUN_TABLES.iter().filter(|t| needed.run.contains(t.name)) {
        let file = uri(&places.run.join(format!("{}.parquet", table.name)))?;
        let _ = write!(out, "\nCREATE TEMPORARY VIEW {} AS\nSELECT {} FROM {file};\n", table.name, columns(table.columns));
    }
    for (name, text) in definitions().iter().filter(|(name, _)| needed.views.contains(*name)) {
        let _ = write!(out, "\nCREATE TEMPORARY VIEW {name} AS\n{text};\n");
    }
    for (i, a) in asked.iter().enumerate() {
        let _ = write!(out, "\n-- check {}\n{}", a.check.id, of_check(i, a, places.results)?);
    }
    Ok(out)
}

fn columns(columns: &[Column]) -> String {
    columns.iter().map(|c| format!("`{}`", c.name)).collect::<Vec<_>>().join(", ")
}

/// A check as a view, and its result: every row that says `finding`; of the others system and answer. Equal rows are one row with their number,
/// so the check is computed once for findings and counts.
fn of_check(i: usize, asked: &Asked<'_>, results: &Path) -> Result<String, SparkError> {
    let text = asked.query.text().trim_end().trim_end_matches(';');
    let outputs = asked.query.outputs();
    let given = |name: &str, ty: Type| {
        let cast = format!("CAST(r.`{name}` AS {})", spark_type(ty));
        if matches!(name, "system_ix" | "outcome") { cast } else { format!("CASE WHEN r.outcome = 'finding' THEN {cast} END") }
    };
    let selected: Vec<String> = outputs.iter().map(|c| format!("{} AS `{}`", given(&c.name, c.ty), c.name)).collect();
    let ordinals: Vec<String> = (1..=outputs.len()).map(|n| n.to_string()).collect();
    let systems: Vec<String> = asked.systems.iter().map(ToString::to_string).collect();
    let of_systems = match outputs.iter().any(|c| c.name == "system_ix") {
        true => format!("\nWHERE r.system_ix IS NULL OR r.system_ix IN ({})", systems.join(", ")),
        false => String::new(),
    };
    Ok(format!(
        "CREATE TEMPORARY VIEW check_{i} AS\n{text}\n;\nINSERT OVERWRITE DIRECTORY {} USING parquet\nSELECT {}, COUNT(*) AS {ROWS}\n\
         FROM check_{i} r{of_systems}\nGROUP BY {};\n",
        literal(&results.join(result_name(i)))?,
        selected.join(",\n    "),
        ordinals.join(", "),
    ))
}

/// The type in which a result holds what the language calls by that type. Unsigned numbers of 32 bits are signed ones of 64 to Spark.
fn spark_type(ty: Type) -> &'static str {
    match ty {
        Type::Bigint | Type::U32 => "BIGINT",
        Type::U64 => "DECIMAL(20, 0)",
        Type::Double => "DOUBLE",
        Type::Boolean => "BOOLEAN",
        Type::Text => "STRING",
        Type::Timestamp => "TIMESTAMP_NTZ",
    }
}

/// What a path must not hold: Spark reads it as a pattern, or as a path inside a path.
const REFUSED: &[char] = &['*', '?', '[', ']', '{', '}', '\\', ':'];

/// A path as the address of a local file, whatever file system the installation takes for its own.
///
/// # Errors
/// It is not absolute, not text, or holds what Spark would not take as it stands.
pub(super) fn address(path: &Path) -> Result<String, SparkError> {
    let refused = || SparkError::Path(path.display().to_string());
    let text = path.to_str().filter(|_| path.is_absolute()).ok_or_else(refused)?;
    if text.contains(REFUSED) || text.chars().any(char::is_control) {
        return Err(refused());
    }
    Ok(format!("file://{text}"))
}

/// A Parquet file, or a folder of such, as a table.
fn uri(file: &Path) -> Result<String, SparkError> {
    Ok(format!("parquet.`{}`", address(file)?.replace('`', "``")))
}

fn literal(path: &Path) -> Result<String, SparkError> {
    Ok(format!("'{}'", address(path)?.replace('\'', "\\'")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::{Check, load};
    use crate::engine::{catalog, cut_into_parts, views};
    use crate::sql::{Query, compile};

    fn compiled(check: &Check) -> Query {
        compile(&check.query, &check.values(&BTreeMap::new()).unwrap(), &catalog()).unwrap()
    }

    #[test]
    fn every_view_has_a_portable_definition_over_tables_only() {
        let defined = definitions();
        let views = views::PARTITIONED.iter().chain(views::WHOLE).map(|t| t.name);
        assert_eq!(defined.keys().copied().collect::<BTreeSet<_>>(), views.collect());
        assert_eq!(read_by(defined["register"]).collect::<Vec<_>>(), ["snapshot_systems", "systems_seen", "systems_seen"]);
        for (name, text) in &defined {
            let mut needed = Needed::default();
            read_by(text).for_each(|t| needed.table(t).unwrap());
            assert!(needed.views.is_empty() && !needed.run.is_empty(), "{name}");
        }
        // What checks read beside these is a table.
        let mut needed = Needed::default();
        for name in catalog().views.keys().filter(|n| !defined.contains_key(n.as_str())) {
            needed.table(name).unwrap();
        }
        assert!(needed.run.contains("edge_history") && cut_into_parts().contains("approvals"));
        assert!(needed.table("nowhere").is_err());
    }

    #[test]
    fn a_check_is_a_view_of_its_own_text_and_one_result() {
        let checks = load(None).unwrap();
        let check = checks.iter().find(|c| c.id == "stale-key").unwrap();
        let query = compiled(check);
        let asked = [Asked { check, query: &query, systems: BTreeSet::from([0, 3]) }];
        let needed = Needed::of(&asked).unwrap();
        assert_eq!(needed.views, BTreeSet::from(["credentials"]));
        assert_eq!(needed.snapshot, BTreeSet::from(["accounts", "credentials"]));
        assert_eq!(needed.run, BTreeSet::from(["account_state", "systems_seen"]));
        let places = Places { snapshots: Path::new("/it's a/place"), run: Path::new("/w `x`/run"), results: Path::new("/it's/out") };
        let text = script(&asked, &needed, places).unwrap();
        assert!(text.contains("SET spark.sql.variable.substitute=false;\n"), "{text}");
        assert!(text.contains("\nCREATE TEMPORARY VIEW systems_seen AS\nSELECT `system_ix`, `system`, "), "{text}");
        assert!(text.contains(" FROM parquet.`file:///w ``x``/run/systems_seen.parquet`;\n"), "{text}");
        assert!(
            text.contains("\nCREATE TEMPORARY VIEW snapshot_credentials AS\nSELECT CAST(`system_ix` AS BIGINT) AS `system_ix`, `"),
            "{text}"
        );
        assert!(text.contains(" FROM parquet.`file:///it's a/place/credentials`;\n"), "{text}");
        assert!(text.contains("\nCREATE TEMPORARY VIEW credentials AS\nSELECT c.system_ix AS system_ix"), "{text}");
        assert!(
            text.contains(&format!("\n-- check stale-key\nCREATE TEMPORARY VIEW check_0 AS\n{}\n;\n", query.text().trim_end())),
            "{text}"
        );
        let result = text.split("\n;\nINSERT ").nth(1).unwrap();
        assert_eq!(
            result,
            "OVERWRITE DIRECTORY 'file:///it\\'s/out/check-000' USING parquet\n\
             SELECT CAST(r.`system_ix` AS BIGINT) AS `system_ix`,\n    \
             CASE WHEN r.outcome = 'finding' THEN CAST(r.`credential_ix` AS BIGINT) END AS `credential_ix`,\n    \
             CAST(r.`outcome` AS STRING) AS `outcome`,\n    \
             CASE WHEN r.outcome = 'finding' THEN CAST(r.`certainty` AS STRING) END AS `certainty`,\n    \
             CASE WHEN r.outcome = 'finding' THEN CAST(r.`kind` AS STRING) END AS `kind`,\n    \
             CASE WHEN r.outcome = 'finding' THEN CAST(r.`login` AS STRING) END AS `login`,\n    \
             CASE WHEN r.outcome = 'finding' THEN CAST(r.`status` AS STRING) END AS `status`,\n    \
             CASE WHEN r.outcome = 'finding' THEN CAST(r.`created_at` AS TIMESTAMP_NTZ) END AS `created_at`,\n    \
             CASE WHEN r.outcome = 'finding' THEN CAST(r.`rotated_at` AS TIMESTAMP_NTZ) END AS `rotated_at`,\n    \
             CASE WHEN r.outcome = 'finding' THEN CAST(r.`last_used_at` AS TIMESTAMP_NTZ) END AS `last_used_at`,\n    \
             CASE WHEN r.outcome = 'finding' THEN CAST(r.`since` AS TIMESTAMP_NTZ) END AS `since`, COUNT(*) AS holdover_rows\n\
             FROM check_0 r\nWHERE r.system_ix IS NULL OR r.system_ix IN (0, 3)\nGROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11;\n"
        );
    }

    #[test]
    fn a_path_that_spark_would_read_otherwise_is_refused() {
        assert_eq!(address(Path::new("/a b%20/c#d")).unwrap(), "file:///a b%20/c#d");
        for path in ["relative", "/a*", "/a?", "/[a]", "/{a}", "/a\\b", "/a:b", "/a\nb"] {
            assert!(matches!(address(Path::new(path)), Err(SparkError::Path(_))), "{path}");
        }
    }
}
