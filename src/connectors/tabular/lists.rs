//! The small lists: exceptions, systems, life-cycle events, and what a log says happened.

use std::collections::BTreeMap;

use super::records::Fault;
use super::row::{Got, Row};
use crate::connectors::{Draft, DraftChild, Drafted, Origin};
use crate::model::mask;
use crate::model::text::norm;
use crate::model::{EventRow, ExceptionRow, LifecycleRow, SystemRow};

/// Keys met so far, with where.
#[derive(Debug, Default)]
pub struct Keys {
    seen: BTreeMap<String, Origin>,
}

impl Keys {
    /// Refuses a key that an earlier record has.
    ///
    /// # Errors
    /// The earlier record.
    pub fn claim(&mut self, what: &str, key: &str, origin: Origin) -> Got<()> {
        if let Some(other) = self.seen.get(key) {
            let message = format!("a second record of one {what}; the first is {} {}", other.unit, other.number);
            return Err(Fault::new("tabular/duplicate", message, "give each its own key, or remove one").into());
        }
        self.seen.insert(key.to_owned(), origin);
        Ok(())
    }
}

/// Rule 11.11: `*` is explicit, blank is an error.
fn explicit(row: &Row<'_>, field: &str) -> Got<String> {
    row.text(field)?.ok_or_else(|| {
        let help = format!("write `*` if it is meant for every {field}, else name one");
        Fault::new("tabular/blank-wildcard", format!("`{field}` of an exception is blank"), help).into()
    })
}

/// One exception. What a missing owner, approver, reason or expiry makes of it is judged where findings are.
pub fn exception(row: &Row<'_>, origin: Origin, keys: &mut Keys, draft: &mut Draft) -> Got<()> {
    let found = ExceptionRow {
        exception: row.id()?,
        check_id: explicit(row, "check_id")?,
        system: explicit(row, "system")?,
        subject: explicit(row, "subject")?,
        entitlement: row.text("entitlement")?,
        candidate: row.text("candidate")?,
        owner: row.text("owner")?,
        approver: row.text("approver")?,
        beneficiary: row.text("beneficiary")?,
        reason: row.free("reason")?,
        ticket: row.text("ticket")?,
        valid_from: row.time("valid_from")?,
        expires_at: row.end("expires_at")?,
    };
    keys.claim("exception", &found.exception, origin)?;
    draft.exceptions.push(Drafted { row: found, origin });
    Ok(())
}

/// One system of the list of systems.
pub fn system(row: &Row<'_>, origin: Origin, keys: &mut Keys, draft: &mut Draft) -> Got<()> {
    let Some(in_scope) = row.flag("in_scope")? else {
        let help = "say yes or no: a system of which nobody says is neither looked at nor left out";
        return Err(Fault::new("tabular/missing-value", "`in_scope` is blank", help).into());
    };
    let mut capabilities: Vec<String> = row.list("capabilities")?.iter().filter_map(|c| norm(&mask::name(c))).collect();
    capabilities.sort();
    capabilities.dedup();
    let found = SystemRow {
        system: row.id()?,
        owner_ref: row.free("owner")?,
        in_scope,
        capabilities: (!capabilities.is_empty()).then(|| capabilities.join(",")),
        environment: row.named("environment")?,
    };
    keys.claim("system", &found.system, origin)?;
    draft.systems.push(Drafted { row: found, origin });
    Ok(())
}

/// One joiner, mover or leaver.
pub fn lifecycle(row: &Row<'_>, origin: Origin) -> Got<DraftChild<LifecycleRow>> {
    let parent = row.id()?;
    let Some(effective_at) = row.time("effective_at")? else { return Err(blank("effective_at").into()) };
    let Some(kind) = row.word_text("kind")? else { return Err(blank("kind").into()) };
    let found = LifecycleRow { identity_ix: 0, kind, effective_at, known_at: row.time("known_at")? };
    Ok(DraftChild { row: found, parent, origin })
}

/// One thing that a log says happened.
pub fn event(row: &Row<'_>, origin: Origin, draft: &mut Draft) -> Got<()> {
    let parent = row.id()?;
    let Some(at) = row.time("at")? else { return Err(blank("at").into()) };
    let Some(action) = row.word_text("action")? else { return Err(blank("action").into()) };
    let found = EventRow {
        event: row.text("event")?.unwrap_or_else(|| format!("{}:{}", origin.file, origin.number)),
        at,
        action,
        account_ix: None,
        principal_ref: None,
        entitlement_ref: row.text("entitlement")?,
        actor_ref: row.text("actor")?,
        outcome: row.word_text("outcome")?,
    };
    draft.events.push(DraftChild { row: found, parent, origin });
    Ok(())
}

fn blank(field: &str) -> Fault {
    Fault::new("tabular/missing-value", format!("`{field}` is blank"), format!("every record needs a `{field}`: correct it at the source"))
}
