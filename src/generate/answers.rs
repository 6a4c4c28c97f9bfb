//! What an audit of the estate should find, and what only looks so: `answers.json`, one entry a line.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde_json::json;

use super::clock;
use super::dice::Zipf;
use super::edges::planted_group;
use super::faults::{self, Fault};
use super::records::{self, Excepted};
use super::seal::command;
use super::shape::Estate;

/// Version of the file's form.
const SCHEMA: &str = "holdover.generated-answers/v1";

/// Kinds that are never a fault.
const NEAR: [Fault; 5] = [Fault::Approved, Fault::LeaverCleared, Fault::LeavesLater, Fault::TooNew, Fault::Revoked];

/// Writes the answers. Nothing but the line in hand is in memory.
///
/// # Errors
/// The file cannot be written.
pub fn write(estate: &Estate, path: &Path) -> io::Result<()> {
    let mut to = BufWriter::new(File::create(path)?);
    let head = json!({ "schema": SCHEMA, "command": command(&estate.size), "as_of": clock::as_of().to_string() });
    let head = head.to_string();
    // The object goes on after its first members.
    write!(to, "{},\n\"findings\": [", head.strip_suffix('}').unwrap_or(&head))?;
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    let mut first = true;
    let mut line = |to: &mut BufWriter<File>, value: serde_json::Value| {
        let comma = if first { "" } else { "," };
        first = false;
        write!(to, "{comma}\n{value}")
    };
    for system in &estate.systems {
        let ranks = Zipf::new(system.groups);
        for cycle in 0..system.cycles {
            for fault in faults::ALL {
                let slot = system.slot(estate, cycle, fault);
                let group = planted_group(estate, system, &slot, &ranks);
                for due in faults::due(estate, system, &slot, Some(group)) {
                    *counts.entry(due.check).or_default() += 1;
                    let place = due.system.as_deref().unwrap_or("people");
                    let certainty = if due.certain { "certain" } else { "possible" };
                    let finding = json!({
                        "planted": fault.name(), "check": due.check, "certainty": certainty, "system": place, "subject": due.subject,
                    });
                    line(&mut to, finding)?;
                }
            }
        }
    }
    if estate.size.records {
        for (exception, which, ..) in records::excepted(estate) {
            let check = match which {
                Excepted::Expired => "exception-expired",
                Excepted::Unreviewed => "exception-unreviewed",
                Excepted::Reviewed => continue,
            };
            *counts.entry(check).or_default() += 1;
            let finding = json!({ "planted": "exception", "check": check, "certainty": "certain", "system": "*", "subject": exception });
            line(&mut to, finding)?;
        }
    }
    write!(to, "\n],\n\"near_misses\": [")?;
    let mut first = true;
    for system in &estate.systems {
        for (cycle, fault) in (0..system.cycles).flat_map(|cycle| NEAR.map(|fault| (cycle, fault))) {
            let slot = system.slot(estate, cycle, fault);
            let near = json!({ "planted": fault.name(), "system": system.name, "subject": system.account_id(slot.number) });
            write!(to, "{}\n{near}", if first { "" } else { "," })?;
            first = false;
        }
    }
    writeln!(to, "\n],\n\"counts\": {}}}", json!(counts))?;
    to.flush()
}
