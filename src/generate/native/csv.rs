//! A list of access as an application prints it: the account's own columns on each line, one group or right a line.

use std::io::{self, Write};

use super::{Held, Rows, Walk};
use crate::generate::clock;
use crate::model::AccountStatus;
use crate::model::time::HOUR;

/// The source in the configuration.
pub const SOURCE: &str = "connector = \"tabular\"\ntimezone = \"UTC\"\n[source.options]\ntable = \"accounts\"\n[source.options.columns]\n\
    native_id = \"account\"\nlogin = \"login\"\ndisplay_name = \"name\"\nemail = \"email\"\nemployee_ref = \"employee_number\"\n\
    status = \"status\"\ncreated_at = \"created\"\nlast_used_at = \"last_login\"\ngroups = \"group\"\nentitlement = \"right\"\n\
    resource = \"resource\"\n[source.options.values.status]\nactive = \"active\"\ninactive = \"disabled\"\n";

pub fn write(walk: &Walk<'_>, to: &mut dyn Write) -> io::Result<Rows> {
    writeln!(to, "account,login,name,email,employee_number,status,created,last_login,group,right,resource")?;
    let mut rows = Rows::default();
    let mut seen = vec![false; walk.system.groups as usize];
    walk.each(|held| {
        let head = head(walk, &held);
        for group in held.groups {
            writeln!(to, "{head},{},,", walk.system.group_id(*group as u32))?;
            if let Some(seen) = seen.get_mut(*group as usize) {
                *seen = true;
            }
        }
        for (entitlement, resource) in held.rights {
            let resource = resource.map(|r| walk.system.resource_id(r)).unwrap_or_default();
            writeln!(to, "{head},,{},{resource}", walk.system.entitlement_id(*entitlement))?;
        }
        if held.groups.is_empty() && held.rights.is_empty() {
            writeln!(to, "{head},,,")?;
        }
        rows.accounts += 1;
        rows.memberships += held.groups.len() as u64;
        rows.grants += held.rights.len() as u64;
        Ok(())
    })?;
    rows.groups = seen.iter().filter(|s| **s).count() as u64;
    Ok(rows)
}

/// The account's own columns.
fn head(walk: &Walk<'_>, held: &Held<'_>) -> String {
    let (account, spelt) = (&held.account, held.spelt);
    let status = if account.status == AccountStatus::Active { "active" } else { "inactive" };
    let used = account.used_hours.map(|h| clock::end().plus(-h * HOUR).to_string()).unwrap_or_default();
    // A name with its family first holds a comma.
    let shown = if spelt.shown.contains(',') { format!("\"{}\"", spelt.shown) } else { spelt.shown.clone() };
    let created = account.created_at(walk.estate);
    let id = walk.system.account_id(account.number);
    format!("{id},{},{shown},{},{},{status},{created},{used}", spelt.login, spelt.email, spelt.employee)
}
