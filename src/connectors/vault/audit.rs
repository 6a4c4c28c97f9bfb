//! The file audit device's log: one JSON entry a line, most values hashed with a key that only the server has.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Reader;
use super::fields::{Fault, Fields};
use super::place::{role_id, user_id};
use crate::connectors::{DraftChild, InputError, Lines, Origin};
use crate::model::time::DAY;
use crate::model::{EVENTS, EventRow, Time};

/// How the device writes a value that it hashes.
const HASHED: &str = "hmac-sha256:";

/// Newest use of each principal on each day, and which entry showed it.
type Days = BTreeMap<(String, i64), (Time, String, Origin)>;

/// Whether a file's first bytes are entries of an audit log. A log cut by size may begin inside an entry.
pub(super) fn is_log(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(head);
    text.lines().any(|line| line.starts_with('{') && line.contains("\"time\":\"") && line.contains("\"type\":\"re"))
}

/// Reads a log into uses and events.
pub(super) fn read(reader: &mut Reader<'_>) -> Result<(), InputError> {
    reader.shape("audit log");
    reader.draft.cover(&EVENTS);
    let mut lines = Lines::new(reader.input.open()?, reader.input.limits.line);
    let mut line = Vec::new();
    let mut days = Days::new();
    while lines.read(&mut line)? {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        reader.draft.read(reader.file);
        let origin = Origin::line(reader.file, lines.number);
        let outcome = entry(reader, &line, origin, &mut days);
        reader.export.uses.gaps |= outcome.is_err();
        reader.settle(outcome, origin, &String::from_utf8_lossy(&line), Some(lines.offset));
    }
    for ((principal, _), (at, event, origin)) in days {
        let row = EventRow { event, at, action: "used".to_owned(), outcome: Some("success".to_owned()), ..EventRow::default() };
        reader.draft.events.push(DraftChild { row, parent: principal, origin });
    }
    Ok(())
}

fn entry(reader: &mut Reader<'_>, line: &[u8], origin: Origin, days: &mut Days) -> Result<(), Fault> {
    let help = "copy the log again when it is rotated: a line was cut off or edited";
    let fault = || Fault::new("vault/audit-line", "line is not a whole entry of an audit log", help);
    let value: Value = serde_json::from_slice(line).map_err(|_| fault())?;
    let fields = Fields(value.as_object().ok_or_else(fault)?);
    let at = fields.time("time")?.ok_or_else(fault)?;
    widen(&mut reader.draft.ledger(reader.file).covers, at);
    widen(&mut reader.export.uses.covers, at);
    // A request entry may still be refused; the response says how it ended.
    if fields.text("type")?.as_deref() != Some("response") || fields.text("error")?.is_some() {
        return Ok(());
    }
    let (Some(auth), Some(request)) = (fields.object("auth")?, fields.object("request")?) else { return Ok(()) };
    if auth.text("client_token")?.is_some_and(|t| !t.starts_with(HASHED)) {
        reader.draft.note(reader.file, "entry that shows a token (`log_raw`): dropped; revoke such tokens");
    }
    logins(reader, auth, request, at)?;
    let accessor = auth.text("accessor")?;
    if let Some(accessor) = accessor.as_ref().filter(|a| !a.starts_with(HASHED)) {
        reader.export.uses.saw(accessor.clone(), at);
    }
    let entity = auth.text("entity_id")?;
    match (&entity, &accessor) {
        (Some(entity), _) => reader.export.uses.saw(entity.clone(), at),
        (None, Some(a)) if a.starts_with(HASHED) => {
            reader.draft.note(reader.file, "use of a token without entity whose accessor is hashed: cannot be told which token it was");
        }
        _ => {}
    }
    if let Some(principal) = entity.or(accessor) {
        let event = request.text("id")?.unwrap_or_else(|| format!("{}:{}", reader.input.name, origin.number));
        let newest = days.entry((principal, at.micros().div_euclid(DAY))).or_insert((at, event.clone(), origin));
        if at > newest.0 {
            *newest = (at, event, origin);
        }
    }
    Ok(())
}

/// A successful login names the user or role in clear.
fn logins(reader: &mut Reader<'_>, auth: Fields<'_>, request: Fields<'_>, at: Time) -> Result<(), Fault> {
    let path = request.text("path")?.unwrap_or_default();
    let Some((mount, _)) = path.strip_prefix("auth/").and_then(|p| p.rsplit_once("/login")) else { return Ok(()) };
    let Some(metadata) = auth.object("metadata")? else { return Ok(()) };
    if let Some(role) = metadata.text("role_name")? {
        reader.export.uses.saw(role_id(mount, &role), at);
    }
    if let Some(user) = metadata.text("username")? {
        reader.export.uses.saw(user_id(mount, &user), at);
    }
    Ok(())
}

fn widen(covers: &mut Option<(Time, Time)>, at: Time) {
    *covers = Some(covers.map_or((at, at), |(from, to)| (from.min(at), to.max(at))));
}
