//! `checks`, `connectors`, `schema`: what holdover knows, printed from the registries themselves.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use super::{Failure, Format, out};
use crate::checks::{self, Check, Grain};
use crate::connectors;
use crate::model::cell::ColType;
use crate::model::{RUN_TABLES, SNAPSHOT_TABLES, Table};

#[derive(Debug, Subcommand)]
pub enum ChecksCommand {
    /// One line for each check
    List {
        /// Further checks, one `.sql` file each
        #[arg(long, value_name = "DIR")]
        checks: Option<PathBuf>,
        #[arg(long, value_enum, default_value = "table")]
        format: Format,
    },
    /// The whole file of one check: documentation and rule
    Show {
        id: String,
        #[arg(long, value_name = "DIR")]
        checks: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub enum ConnectorsCommand {
    /// One line for each connector
    List,
    /// What a connector reads, and the read-only command that makes the export
    Show { id: String },
}

#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// A table; without it all tables are listed
    table: Option<String>,
}

pub fn checks(command: &ChecksCommand) -> Result<u8, Failure> {
    match command {
        ChecksCommand::List { checks, format } => {
            let all = checks::load(checks.as_deref())?;
            match format {
                Format::Json => out(&format!("{}\n", pretty(&all)?))?,
                Format::Csv => out(&csv(&all)?)?,
                Format::Table => out(&list(&all))?,
            }
        }
        ChecksCommand::Show { id, checks } => {
            let all = checks::load(checks.as_deref())?;
            let check = all
                .iter()
                .find(|c| c.id == *id)
                .ok_or_else(|| Failure::usage(format!("there is no check `{id}`"), "`holdover checks list` names them all"))?;
            out(&check.source)?;
        }
    }
    Ok(0)
}

fn pretty(all: &[Check]) -> Result<String, Failure> {
    let rows: Vec<serde_json::Value> = all
        .iter()
        .map(|c| {
            json!({
                "id": c.id, "title": c.title, "severity": c.severity, "confidence": c.confidence.as_str(), "grain": c.grain.as_str(),
                "partition_local": partition_local(c), "subject": c.subject, "needs": c.needs, "covered_by": c.covered_by, "controls": c.controls,
                "parameters": c.parameters.iter().map(|(name, p)| json!({
                    "name": name, "type": p.ty, "default": crate::audit::settings::shown(&p.default), "doc": p.doc,
                })).collect::<Vec<_>>(),
                "description": c.description, "remedy": c.remedy, "false_positives": c.false_positives,
            })
        })
        .collect();
    serde_json::to_string_pretty(&json!({ "schema": "holdover.checks/v1", "checks": rows })).map_err(|e| Failure::internal(e.to_string()))
}

/// Whether it is put to one part of whole accounts, or of any rows, after another.
fn partition_local(check: &Check) -> bool {
    let defaults = check.values(&BTreeMap::new()).unwrap_or_default();
    let compiled = crate::sql::compile(&check.query, &defaults, &crate::engine::catalog());
    let row_local = |q: crate::sql::Query| q.prove_row_local(&crate::engine::cut_into_parts()).is_ok();
    check.grain == Grain::Account || compiled.is_ok_and(row_local)
}

fn csv(all: &[Check]) -> Result<String, Failure> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let fail = |e: csv::Error| Failure::internal(e.to_string());
    writer.write_record(["id", "severity", "confidence", "grain", "subject", "title"]).map_err(fail)?;
    for c in all {
        writer
            .write_record([
                &c.id,
                c.severity.to_string().as_str(),
                c.confidence.as_str(),
                c.grain.as_str(),
                &c.subject.to_string(),
                &c.title,
            ])
            .map_err(fail)?;
    }
    let bytes = writer.into_inner().map_err(|e| Failure::internal(e.to_string()))?;
    String::from_utf8(bytes).map_err(|e| Failure::internal(e.to_string()))
}

fn list(all: &[Check]) -> String {
    let wide = all.iter().map(|c| c.id.len()).max().unwrap_or(0);
    all.iter().map(|c| format!("{:wide$}  {:8}  {}\n", c.id, c.severity.to_string(), c.title)).collect()
}

pub fn connectors(command: &ConnectorsCommand) -> Result<u8, Failure> {
    match command {
        ConnectorsCommand::List => {
            let wide = connectors::ALL.iter().map(|c| c.id().len()).max().unwrap_or(0);
            out(&connectors::ALL.iter().map(|c| format!("{:wide$}  {}\n", c.id(), c.title())).collect::<String>())?;
        }
        ConnectorsCommand::Show { id } => {
            let found = connectors::find(id)
                .ok_or_else(|| Failure::usage(format!("there is no connector `{id}`"), "`holdover connectors list` names them all"))?;
            out(found.page())?;
        }
    }
    Ok(0)
}

/// Every table that a store or a query can show.
fn tables() -> Vec<(&'static str, &'static Table)> {
    let of = |kind, tables: &[&'static Table]| tables.iter().map(|t| (kind, *t)).collect::<Vec<_>>();
    let mut all = of("snapshot", SNAPSHOT_TABLES);
    all.extend(of("run", RUN_TABLES));
    all.extend(of("view", crate::engine::views::PARTITIONED));
    all.extend(of("view", crate::engine::views::WHOLE));
    all
}

pub fn schema(args: &SchemaArgs) -> Result<u8, Failure> {
    let all = tables();
    let Some(name) = &args.table else {
        let wide = all.iter().map(|(_, t)| t.name.len()).max().unwrap_or(0);
        out(&all.iter().map(|(kind, t)| format!("{kind:8}  {:wide$}  {}\n", t.name, t.doc)).collect::<String>())?;
        return Ok(0);
    };
    let found: Vec<_> = all.iter().filter(|(_, t)| t.name == name).collect();
    if found.is_empty() {
        return Err(Failure::usage(format!("there is no table `{name}`"), "`holdover schema` names them all"));
    }
    for (kind, table) in found {
        out(&page(kind, table))?;
    }
    Ok(0)
}

fn page(kind: &str, table: &Table) -> String {
    let mut text = format!("{} ({kind})\n{}\nkey: {}\n\n", table.name, table.doc, table.key.join(", "));
    let wide = table.columns.iter().map(|c| c.name.len()).max().unwrap_or(0);
    for c in table.columns {
        let null = if c.nullable { "nullable" } else { "" };
        text.push_str(&format!("{:wide$}  {:13}  {null:8}  {}\n", c.name, c.ty.name(), c.doc));
        if let ColType::Word(words) = c.ty {
            text.push_str(&format!("{:wide$}  {:13}  {:8}    one of: {}\n", "", "", "", words().join(", ")));
        }
    }
    text.push('\n');
    text
}

/// Every table as Markdown.
pub(super) fn schema_page() -> String {
    let mut text = String::from("# Tables\n\nInstants are microseconds since 1970 without a zone and mean UTC.\n");
    for (kind, table) in tables() {
        text.push_str(&format!("\n## {} ({kind})\n\n{}\n\nKey: {}.\n\n", table.name, table.doc, table.key.join(", ")));
        text.push_str("| column | type | null | meaning |\n|---|---|---|---|\n");
        for c in table.columns {
            let words = if let ColType::Word(words) = c.ty { format!(" One of: {}.", words().join(", ")) } else { String::new() };
            let null = if c.nullable { "yes" } else { "" };
            text.push_str(&format!("| `{}` | {} | {null} | {}.{words} |\n", c.name, c.ty.name(), c.doc.replace('|', "\\|")));
        }
    }
    text
}
