//! HashiCorp Vault and OpenBao: identities, tokens, AppRoles, users, policies, KV metadata and the audit log, as the command
//! line saves them.
//!
//! ```text
//! file ─▶ place (what its name tells) ─▶ reader (what its content is) ─▶ records ─▶ rows ─▶ Draft
//!         policy text ─▶ hcl ─▶ policy (level)            audit log ─▶ audit (uses) ─┘
//! ```

mod audit;
mod fields;
mod hcl;
mod lists;
mod place;
mod policy;
mod reader;
mod records;
mod rows;
mod secrets;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use reader::Reader;
use records::Export;

use super::{Connector, ConnectorError, Context, Draft, Input, InputError};

/// The connector of Vault and OpenBao.
pub static VAULT: Vault = Vault;

/// See [`VAULT`].
#[derive(Clone, Copy, Debug)]
pub struct Vault;

const READS: &str = "this connector reads what `vault` or `bao` prints with `-format=json` for the commands on its page, policies as \
    HCL, and the log of a file audit device";

impl Connector for Vault {
    fn id(&self) -> &'static str {
        "vault"
    }

    fn title(&self) -> &'static str {
        "HashiCorp Vault and OpenBao: identities, tokens, AppRoles, policies, KV metadata, audit log"
    }

    fn page(&self) -> &'static str {
        include_str!("page.md")
    }

    fn read(&self, files: &[Input], context: &Context) -> Result<Draft, ConnectorError> {
        if let Some(option) = context.options.keys().next() {
            let message = format!("`{option}` is not an option of `vault`");
            return Err(ConnectorError::Options { message, help: "this connector has no options: remove it".to_owned() });
        }
        let mut draft = Draft::on(files.len(), &context.scratch);
        let mut export = Export::default();
        for (input, file) in files.iter().zip(0u32..) {
            let mut reader = Reader::new(&mut draft, &mut export, input, file, context.fingerprint_key.as_deref());
            reader.read().map_err(|error| ConnectorError::file(input, error))?;
        }
        if let Some(first) = files.first().filter(|_| !export.known) {
            return Err(ConnectorError::file(
                first,
                InputError::new("vault/unknown-shape", "none of the files is an export of Vault", READS),
            ));
        }
        one_namespace(&export, files)?;
        lists::check(&export, &mut draft);
        rows::draft(export, &mut draft);
        Ok(draft)
    }
}

/// One import is one namespace: policies and mounts of two would answer to one name.
fn one_namespace(export: &Export, files: &[Input]) -> Result<(), ConnectorError> {
    let entities = export.entities.values().map(|e| (&e.namespace, e.origin));
    let groups = export.groups.values().map(|g| (&g.namespace, g.origin));
    let mut met: BTreeMap<&str, u32> = BTreeMap::new();
    for (namespace, origin) in entities.chain(groups) {
        let Some(namespace) = namespace else { continue };
        met.entry(namespace).or_insert(origin.file);
    }
    let mut met = met.into_iter();
    let (Some((first, _)), Some((second, file))) = (met.next(), met.next()) else { return Ok(()) };
    let Some(input) = files.get(file as usize) else { return Ok(()) };
    let message = format!("is of namespace `{}`, and another file is of `{}`", second.escape_debug(), first.escape_debug());
    Err(ConnectorError::file(input, InputError::new("vault/two-namespaces", message, "import each namespace as a system of its own")))
}
