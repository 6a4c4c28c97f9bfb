//! `diff`: what changed in a system between two of its snapshots.

use std::collections::BTreeMap;
use std::io::IsTerminal;

use clap::Args;
use serde_json::{Value, json};

use super::{Failure, Format, Place, instant, out, setup, watch};
use crate::audit::completeness;
use crate::audit::drift::{Access, other_ids, same_ids};
use crate::audit::{AuditError, Settings, steps};
use crate::model::{Change, ChangeObject, ChangeRow, PrincipalKind, Stage, Time, Word};
use crate::report::{AsOfFrom, plural, visible, wrap};
use crate::resolve::{Histories, changes, incomparable};
use crate::store::{Current, Snapshot, Store};

#[derive(Debug, Args)]
pub struct DiffArgs {
    /// System, by its name in the store
    system: String,
    #[command(flatten)]
    place: Place,
    /// Older snapshot: the newest at or before this instant [default: the one before the newer]
    #[arg(long, value_name = "T", value_parser = instant)]
    from: Option<Time>,
    /// Newer snapshot: the newest at or before this instant [default: the newest]
    #[arg(long, value_name = "T", value_parser = instant)]
    to: Option<Time>,
    /// Only these objects: account, credential, membership, grant
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = word::<ChangeObject>)]
    kind: Vec<ChangeObject>,
    /// Only these changes: added, removed, changed, recreated, regranted, not_comparable
    #[arg(long, value_name = "CHANGE", value_delimiter = ',', value_parser = word::<Change>)]
    only: Vec<Change>,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// End with 1 if anything is shown
    #[arg(long)]
    exit_code: bool,
}

fn word<W: Word>(text: &str) -> Result<W, String> {
    W::parse(text).ok_or_else(|| format!("it is none of {}", W::ALL.iter().map(|w| w.as_str()).collect::<Vec<_>>().join(", ")))
}

/// Two snapshots and what differs.
struct Diff {
    system: String,
    from: (String, Time),
    to: (String, Time),
    rows: Vec<ChangeRow>,
}

pub fn run(args: &DiffArgs) -> Result<u8, Failure> {
    let configured = setup::configured(&args.place, None)?;
    let store = Store::open(&setup::store_path(&args.place, configured.as_ref())?)?;
    let settings = match &configured {
        Some(c) => c.settings(Vec::new(), &c.expand()?),
        None => Settings::by_hand(Vec::new()),
    };
    let mut diff = compare(&store, args, &settings)?;
    diff.rows
        .retain(|r| (args.kind.is_empty() || args.kind.contains(&r.object)) && (args.only.is_empty() || args.only.contains(&r.change)));
    let text = match args.format {
        Format::Table => table(&diff, std::io::stdout().is_terminal().then(super::audit::width)),
        Format::Csv => csv(&diff)?,
        Format::Json => pretty(&diff)?,
    };
    out(&text)?;
    Ok(u8::from(args.exit_code && !diff.rows.is_empty()))
}

/// Compares as an audit does: what is short takes nothing away, and what was there earlier is back.
fn compare(store: &Store, args: &DiffArgs, settings: &Settings) -> Result<Diff, Failure> {
    let list = "`holdover store list` names the snapshots";
    if !store.systems()?.contains(&args.system) {
        return Err(Failure::usage(format!("there is no system `{}` in the store", args.system), list));
    }
    let last = store.snapshots(&args.system)?.last().map(|s| s.manifest.taken_at);
    let at = args.to.or(last).unwrap_or_default();
    let current = store.current(&args.system, at)?;
    let none = |at: Time| Failure::usage(format!("`{}` has no snapshot at or before {at}", args.system), list);
    let to = current.now.clone().ok_or_else(|| none(at))?;
    let from = match args.from {
        Some(from) => current.before.iter().chain(&current.now).rfind(|s| s.manifest.taken_at <= from).ok_or_else(|| none(from))?,
        None => current
            .before
            .last()
            .ok_or_else(|| Failure::usage(format!("`{}` has no snapshot before that of {}", args.system, to.manifest.taken_at), list))?,
    };
    let rows = rows(&current, from, &to, settings, &args.system)?;
    let named = |s: &Snapshot| (s.name.clone(), s.manifest.taken_at);
    Ok(Diff { system: args.system.clone(), from: named(from), to: named(&to), rows })
}

fn rows(current: &Current, from: &Snapshot, to: &Snapshot, settings: &Settings, system: &str) -> Result<Vec<ChangeRow>, Failure> {
    let one = BTreeMap::from([(system.to_owned(), current.clone())]);
    let states = completeness::judge(&one, settings, to.manifest.taken_at, AsOfFrom::Derived);
    let state = states.get(system).cloned().unwrap_or_default();
    let short = |s: &Snapshot| if s.name == to.name { state.lacks_records() } else { !state.complete_before.contains(&s.name) };
    let newer = Access::of(to);
    let now = newer.shot(short(to));
    if !same_ids(&from.manifest, &to.manifest) {
        return Ok(incomparable(0, &now, Some(from.manifest.taken_at), &other_ids(&from.manifest)));
    }
    let mut histories = Histories::new(now)?;
    let earlier = || current.before.iter().filter(|s| s.manifest.taken_at < from.manifest.taken_at && same_ids(&s.manifest, &to.manifest));
    let (_shown, _stage) = (watch::shown(), Stage::begin("drift"));
    steps::expect(earlier().chain([from]).map(|old| (&old.manifest, &to.manifest)));
    for old in earlier() {
        histories.show(&Access::of(old).shot(short(old)))?;
    }
    let older = Access::of(from);
    let before = older.shot(short(from));
    let compared = if from.name == to.name { changes(&before, &now)? } else { histories.compare(&before)? };
    Ok(compared.rows(0, &histories.finish(0)))
}

/// What changed, with its values.
fn details(r: &ChangeRow) -> Vec<(String, Option<String>, Option<String>)> {
    let object: BTreeMap<String, (Option<String>, Option<String>)> =
        r.details.as_deref().and_then(|d| serde_json::from_str(d).ok()).unwrap_or_default();
    object.into_iter().map(|(name, (before, now))| (name, before, now)).collect()
}

/// One line for each change, and the counts. `width`: that of the terminal; `None`: a pipe, whose lines are never broken.
fn table(diff: &Diff, width: Option<usize>) -> String {
    let mut text = format!("{}: {} to {}\n", visible(&diff.system), diff.from.1, diff.to.1);
    for r in &diff.rows {
        let head = format!("{:<15} {:<11} ", r.change.as_str(), r.object.as_str());
        match width {
            Some(width) => {
                for line in wrap(&line(r), width, &head, &" ".repeat(head.len())) {
                    text.push_str(line.trim_end());
                    text.push('\n');
                }
            }
            None => text.push_str(&format!("{head}{}\n", visible(&line(r)))),
        }
    }
    text.push_str(&summary(diff));
    text
}

fn line(r: &ChangeRow) -> String {
    if let Some(note) = &r.note {
        return note.clone();
    }
    let both = |name: &Option<String>, id: &Option<String>| match (name, id) {
        (Some(name), Some(id)) if name != id => format!("{name} ({id})"),
        (_, Some(id)) => id.clone(),
        (name, None) => name.clone().unwrap_or_default(),
    };
    let (principal, target) = (both(&r.principal_name, &r.principal), both(&r.target_name, &r.target));
    let mut text = match r.object {
        ChangeObject::Account => principal,
        ChangeObject::Credential => format!("{target} of {principal}"),
        ChangeObject::Membership | ChangeObject::Grant => {
            let kind = r.principal_kind.filter(|k| *k != PrincipalKind::Account).map(|k| format!("{k} ")).unwrap_or_default();
            let on = r.resource.as_ref().map(|r| format!(" on {r}")).unwrap_or_default();
            let way = r.way.as_deref().filter(|w| !matches!(*w, "direct" | "allow")).map(|w| format!(" ({w})")).unwrap_or_default();
            format!("{kind}{principal} -> {target}{on}{way}")
        }
    };
    for (i, (name, before, now)) in details(r).into_iter().enumerate() {
        let value = |v: Option<String>| v.unwrap_or_else(|| "none".to_owned());
        text.push_str(if i == 0 { ": " } else { "; " });
        text.push_str(&if before.is_none() && now.is_none() { name } else { format!("{name} {} → {}", value(before), value(now)) });
    }
    text
}

/// Rows by change, in the order of the words.
fn counts(diff: &Diff) -> Vec<(Change, usize)> {
    let count = |c: Change| diff.rows.iter().filter(|r| r.change == c).count();
    Change::ALL.iter().map(|c| (*c, count(*c))).collect()
}

fn summary(diff: &Diff) -> String {
    let all: Vec<String> =
        counts(diff).into_iter().filter(|(_, n)| *n > 0).map(|(c, n)| format!("{n} {}", c.as_str().replace('_', " "))).collect();
    match diff.rows.len() {
        0 => "no difference\n".to_owned(),
        n => format!("{}: {}\n", plural(n as u64, "difference", "differences"), all.join(", ")),
    }
}

/// The columns of the CSV and the names of the JSON, with their values.
fn fields(r: &ChangeRow) -> [(&'static str, Option<String>); 13] {
    [
        ("object", Some(r.object.to_string())),
        ("change", Some(r.change.to_string())),
        ("principal_kind", r.principal_kind.map(|k| k.to_string())),
        ("principal", r.principal.clone()),
        ("principal_name", r.principal_name.clone()),
        ("target", r.target.clone()),
        ("target_name", r.target_name.clone()),
        ("resource", r.resource.clone()),
        ("way", r.way.clone()),
        ("granted_at", r.granted_at.map(|t| t.to_string())),
        ("attributes", r.attributes.clone()),
        ("details", r.details.clone()),
        ("note", r.note.clone()),
    ]
}

/// As the findings' CSV (RFC 4180): an empty cell is a null or an empty text.
fn csv(diff: &Diff) -> Result<String, Failure> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let fail = |e: csv::Error| Failure::internal(e.to_string());
    writer.write_record(fields(&ChangeRow::default()).map(|f| f.0)).map_err(fail)?;
    for r in &diff.rows {
        writer.write_record(fields(r).map(|f| f.1.unwrap_or_default())).map_err(fail)?;
    }
    let bytes = writer.into_inner().map_err(|e| Failure::internal(e.to_string()))?;
    String::from_utf8(bytes).map_err(|e| Failure::internal(e.to_string()))
}

fn pretty(diff: &Diff) -> Result<String, Failure> {
    let side = |(name, at): &(String, Time)| json!({ "snapshot": name, "taken_at": at });
    let row = |r: &ChangeRow| {
        let mut object: serde_json::Map<String, Value> = fields(r)
            .into_iter()
            .filter(|(name, _)| !matches!(*name, "attributes" | "details"))
            .map(|(n, v)| (n.to_owned(), v.into()))
            .collect();
        let changed = details(r).into_iter().map(|(name, before, now)| json!({ "name": name, "before": before, "now": now }));
        object.insert("attributes".to_owned(), changed.collect());
        Value::Object(object)
    };
    let counted: serde_json::Map<String, Value> = counts(diff).into_iter().map(|(c, n)| (c.to_string(), n.into())).collect();
    let page = json!({
        "schema": "holdover.diff/v1",
        "tool_version": env!("CARGO_PKG_VERSION"),
        "system": diff.system,
        "from": side(&diff.from),
        "to": side(&diff.to),
        "counts": counted,
        "changes": diff.rows.iter().map(row).collect::<Vec<_>>(),
    });
    serde_json::to_string_pretty(&page).map(|t| t + "\n").map_err(|e| AuditError::Internal(e.to_string()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_of_80_columns_holds_every_line_and_a_pipe_breaks_none() {
        let row = ChangeRow {
            object: ChangeObject::Membership,
            change: Change::Regranted,
            principal_kind: Some(PrincipalKind::Group),
            principal: Some(format!("arn:aws:iam::111122223333:group/{}", "long".repeat(20))),
            principal_name: Some("the\u{202e} team".to_owned()),
            target: Some("g".to_owned()),
            target_name: Some("Operators of everything".to_owned()),
            way: Some("assume".to_owned()),
            details: Some(r#"{"condition":[null,"{}"]}"#.to_owned()),
            ..ChangeRow::default()
        };
        let at = (String::new(), Time::default());
        let diff = Diff { system: "app".to_owned(), from: at.clone(), to: at, rows: vec![row; 2] };
        let (drawn, piped) = (table(&diff, Some(80)), table(&diff, None));
        assert!(drawn.lines().count() > 6 && drawn.lines().all(|l| l.chars().count() <= 80), "{drawn}");
        assert_eq!(piped.lines().count(), 4);
        assert!(piped.contains(r"regranted       membership  group the\u{202e} team (arn:aws:"), "{piped}");
        assert!(piped.contains("-> Operators of everything (g) (assume): condition none → {}\n"), "{piped}");
        assert!(piped.ends_with("2 differences: 2 regranted\n"), "{piped}");
    }
}
