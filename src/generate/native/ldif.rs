//! Active Directory as `ldapsearch -LLL` prints it: users with the groups that they are in, groups with their members. A directory holds
//! no grants: what an account holds in a store is left out.

use std::io::{self, Write};

use super::{Held, Rows, Walk};
use crate::demo::ldif_out::Ldif;
use crate::generate::clock;
use crate::generate::dice::Key;
use crate::model::time::{DAY, HOUR};
use crate::model::{AccountStatus, Time};

const BASE: &str = "DC=corp,DC=example";
const NEVER: i64 = i64::MAX;
/// Relative ids: of the group that everybody is in, of the first account, and of the first group.
const DOMAIN_USERS: u32 = 513;
const FIRST_ACCOUNT: u32 = 10_000;
const FIRST_GROUP: u32 = 3_000_000_000;

pub fn write(walk: &Walk<'_>, to: &mut dyn Write) -> io::Result<Rows> {
    let mut rows = Rows { groups: u64::from(walk.system.groups) + 1, ..Rows::default() };
    // Members of each group, by name: what a group's entry lists is told by its members' entries only.
    let mut members: Vec<(u32, String)> = Vec::new();
    walk.each(|held| {
        let name = walk.name(&held);
        to.write_all(user(walk, &held, &name).as_bytes())?;
        rows.accounts += 1;
        // Everybody is in the primary group, too.
        rows.memberships += held.groups.len() as u64 + 1;
        members.extend(held.groups.iter().map(|g| (*g as u32, name.clone())));
        Ok(())
    })?;
    members.sort();
    let mut rest = members.as_slice();
    for group in 0..walk.system.groups {
        let (own, after) = rest.split_at(rest.partition_point(|(g, _)| *g <= group));
        rest = after;
        let above = walk.system.above_all(walk.estate.size.seed, group);
        rows.memberships += above.len() as u64;
        let below = nested_in(walk, group);
        to.write_all(self::group(walk, group, own, &above, &below).as_bytes())?;
    }
    to.write_all(domain_users(walk).as_bytes())?;
    writeln!(to, "# pagedresults: cookie=")?;
    Ok(rows)
}

/// Groups that are members of a group.
fn nested_in(walk: &Walk<'_>, group: u32) -> Vec<u32> {
    let seed = walk.estate.size.seed;
    // Members stand at most four times as far on as the group they are in, or just before it.
    let near = [group.saturating_sub(3) / 4, group + 1]
        .into_iter()
        .chain(group.saturating_mul(4).saturating_sub(60)..=group.saturating_mul(4) + 8);
    let mut near: Vec<u32> = near.chain((group.saturating_sub(1)) / 4..=group / 4 + 13).filter(|g| *g < walk.system.groups).collect();
    near.sort_unstable();
    near.dedup();
    near.retain(|g| walk.system.above_all(seed, *g).contains(&group));
    near
}

fn user_dn(name: &str) -> String {
    format!("CN={name},OU=Staff,{BASE}")
}

fn group_dn(walk: &Walk<'_>, group: u32) -> String {
    format!("CN={},OU=Groups,{BASE}", walk.system.group_id(group))
}

fn user(walk: &Walk<'_>, held: &Held<'_>, name: &str) -> String {
    let (account, spelt, dn) = (&held.account, held.spelt, user_dn(name));
    let mut ldif = Ldif::default();
    ldif.dn(&dn);
    ldif.texts("objectClass", ["top", "person", "organizationalPerson", "user"]);
    ldif.text("cn", name);
    for (attribute, value) in [("displayName", &spelt.shown), ("mail", &spelt.email), ("employeeID", &spelt.employee)] {
        if !value.is_empty() {
            ldif.text(attribute, value);
        }
    }
    let created = account.created_at(walk.estate);
    ldif.text("whenCreated", &generalized(created));
    ldif.bytes("objectGUID", &guid(walk, "user-guids", account.number));
    ldif.bytes("objectSid", &sid(walk, FIRST_ACCOUNT.wrapping_add(account.number as u32)));
    ldif.text("sAMAccountName", name);
    ldif.text("userPrincipalName", &format!("{name}@corp.example"));
    ldif.show("userAccountControl", if account.status == AccountStatus::Active { 0x200 } else { 0x202 });
    ldif.show("primaryGroupID", DOMAIN_USERS);
    ldif.show("pwdLastSet", filetime(created.plus(DAY)));
    ldif.show("accountExpires", NEVER);
    let used = account.used_hours.map(|h| filetime(clock::end().plus(-h * HOUR))).unwrap_or(0);
    ldif.show("lastLogon", used);
    ldif.show("lastLogonTimestamp", used);
    for group in held.groups {
        ldif.text("memberOf", &group_dn(walk, *group as u32));
    }
    ldif.text("distinguishedName", &dn);
    ldif.finish()
}

fn group(walk: &Walk<'_>, group: u32, own: &[(u32, String)], above: &[u32], below: &[u32]) -> String {
    let dn = group_dn(walk, group);
    let mut ldif = Ldif::default();
    group_head(&mut ldif, &dn, &walk.system.group_id(group), &guid(walk, "group-guids", u64::from(group)), &sid(walk, FIRST_GROUP + group));
    for (_, name) in own {
        ldif.text("member", &user_dn(name));
    }
    for inner in below {
        ldif.text("member", &group_dn(walk, *inner));
    }
    for outer in above {
        ldif.text("memberOf", &group_dn(walk, *outer));
    }
    ldif.text("distinguishedName", &dn);
    ldif.finish()
}

fn domain_users(walk: &Walk<'_>) -> String {
    let dn = format!("CN=Domain Users,CN=Users,{BASE}");
    let mut ldif = Ldif::default();
    group_head(&mut ldif, &dn, "Domain Users", &guid(walk, "builtin-guids", 0), &sid(walk, DOMAIN_USERS));
    ldif.text("isCriticalSystemObject", "TRUE");
    ldif.text("distinguishedName", &dn);
    ldif.finish()
}

fn group_head(ldif: &mut Ldif, dn: &str, name: &str, guid: &[u8], sid: &[u8]) {
    ldif.dn(dn);
    ldif.texts("objectClass", ["top", "group"]);
    ldif.text("cn", name);
    ldif.text("whenCreated", &generalized(clock::days_before(3_000)));
    ldif.bytes("objectGUID", guid);
    ldif.bytes("objectSid", sid);
    ldif.text("sAMAccountName", name);
    ldif.show("groupType", -2_147_483_646_i64);
}

fn guid(walk: &Walk<'_>, part: &str, number: u64) -> [u8; 16] {
    let mut dice = Key::new(walk.estate.size.seed, part, 0).dice(number);
    let wide = u128::from(dice.draw()) << 64 | u128::from(dice.draw());
    wide.to_le_bytes()
}

/// A binary SID of the domain.
fn sid(walk: &Walk<'_>, rid: u32) -> Vec<u8> {
    let mut dice = Key::new(walk.estate.size.seed, "domain", 0).dice(0);
    let parts = [21, dice.draw() as u32, dice.draw() as u32, dice.draw() as u32, rid];
    let mut sid = vec![1, 5, 0, 0, 0, 0, 0, 5];
    sid.extend(parts.iter().flat_map(|part| part.to_le_bytes()));
    sid
}

/// generalizedTime: `20261122000000.0Z`.
fn generalized(at: Time) -> String {
    at.compact().replace('T', "").replace('Z', ".0Z")
}

/// FILETIME: 100 ns ticks since 1601.
fn filetime(at: Time) -> i64 {
    at.micros() * 10 + 116_444_736_000_000_000
}
