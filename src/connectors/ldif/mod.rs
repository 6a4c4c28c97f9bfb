//! LDIF (RFC 2849) as `ldapsearch`, `ldbsearch`, `ldifde` and `slapcat` write it, of Active Directory and OpenLDAP.
//!
//! ```text
//! bytes ─▶ utf16 ─▶ parser ─▶ entry ─▶ ad | openldap ─▶ object ─▶ directory (names resolved) ─▶ Draft
//! ```

mod ad;
mod attributes;
mod directory;
mod dn;
mod entry;
mod line;
mod object;
mod openldap;
mod parser;
mod parts;
#[cfg(test)]
mod tests;
mod trailer;
mod utf16;
mod values;
mod wellknown;

use directory::Directory;

use crate::connectors::{Connector, ConnectorError, Context, Draft, Input};

/// The connector `ldif`.
#[derive(Clone, Copy, Debug)]
pub struct Ldif;

pub static LDIF: Ldif = Ldif;

impl Connector for Ldif {
    fn id(&self) -> &'static str {
        "ldif"
    }

    fn title(&self) -> &'static str {
        "Active Directory and OpenLDAP, from LDIF exports"
    }

    fn page(&self) -> &'static str {
        include_str!("page.md")
    }

    /// All files together are one directory: a member named in one file is found in another.
    fn read(&self, files: &[Input], context: &Context) -> Result<Draft, ConnectorError> {
        if let Some(option) = context.options.keys().next() {
            return Err(ConnectorError::Options {
                message: format!("unknown option `{option}` of connector `ldif`"),
                help: "connector `ldif` has no options; remove it".to_owned(),
            });
        }
        let mut directory = Directory::new(files, context);
        for (position, input) in (0u32..).zip(files) {
            directory.file(position, input).map_err(|error| ConnectorError::file(input, error))?;
        }
        Ok(directory.finish())
    }
}
