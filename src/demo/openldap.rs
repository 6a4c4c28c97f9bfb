//! The Unix directory: what `ldapsearch -LLL … '*' '+'` prints of an OpenLDAP server with a password policy.

use super::clock::{self, generalized};
use super::dice::{Dice, digest, share, uuid, uuid_text};
use super::ldif_out::Ldif;
use super::life::{Edge, Life, targets};
use super::people::{FOUNDED, Person};
use crate::model::Time;
use crate::model::time::{DAY, HOUR};
use data_encoding::{BASE64, HEXLOWER};
use sha2::{Digest, Sha256};

const BASE: &str = "dc=corp,dc=example";
const POLICY: &str = "cn=default,ou=Policies,dc=corp,dc=example";
/// The policy overlay's word for an account that only an administrator unlocks.
const LOCKED_FOR_GOOD: &str = "000001010000Z";

/// One account.
#[derive(Clone, Debug)]
pub struct User {
    pub uid: String,
    pub cn: String,
    pub family: String,
    pub mail: Option<String>,
    pub employee_number: Option<String>,
    pub description: Option<String>,
    pub service: bool,
    pub uid_number: u32,
    /// `disabled` is a lock for good here.
    pub life: Life,
    pub groups: Vec<Edge>,
    pub ssh_key: bool,
}

/// One group, by names or by DNs.
#[derive(Clone, Debug)]
pub struct Group {
    pub name: &'static str,
    pub gid: Option<u32>,
    pub groups: &'static [&'static str],
    /// Members that the directory no longer holds.
    pub stale: Vec<Edge>,
}

/// The whole directory.
#[derive(Debug)]
pub struct Directory {
    seed: u64,
    pub users: Vec<User>,
    pub groups: Vec<Group>,
}

/// Name, `gidNumber` of a posixGroup (without one: groupOfNames), groups that it is a member of.
const GROUPS: &[(&str, Option<u32>, &[&str])] = &[
    ("users", Some(5_000), &[]),
    ("developers", Some(5_001), &[]),
    ("platform", Some(5_002), &[]),
    ("data", Some(5_003), &[]),
    ("docker", Some(5_004), &[]),
    ("sudo", Some(5_005), &[]),
    ("git-users", None, &[]),
    ("ci-admins", None, &["release-managers"]),
    ("release-managers", None, &[]),
    ("warehouse-readers", None, &[]),
];

const SERVICES: &[&str] =
    &["svc-gitmirror", "svc-jenkins", "svc-nagios", "svc-airflow", "svc-rsync", "svc-registry", "svc-graylog", "svc-netbox"];

impl Directory {
    /// The directory in good order.
    pub fn new(seed: u64, staff: &[Person]) -> Self {
        let groups = GROUPS.iter().map(|(name, gid, outer)| Group { name, gid: *gid, groups: outer, stale: vec![] }).collect();
        let mut directory = Self { seed, users: vec![], groups };
        let mut dice = Dice::new(seed, "openldap");
        for person in staff.iter().filter(|person| person.access.ldap) {
            let user = of_person(person, &mut dice);
            directory.add(user);
        }
        for name in SERVICES {
            let mut user = blank(name, clock::days_before(FOUNDED - share("ldap-service", name, 40)).plus(10 * HOUR));
            user.service = true;
            user.description = Some(format!("Service account of {}", name.trim_start_matches("svc-")));
            directory.add(user);
        }
        directory
    }

    /// Adds a user under the next free number.
    pub fn add(&mut self, mut user: User) {
        user.uid_number = self.users.iter().map(|user| user.uid_number).max().unwrap_or(10_000) + 1;
        self.users.push(user);
    }

    pub fn user(&self, uid: &str) -> Option<&User> {
        self.users.iter().find(|user| user.uid == uid)
    }

    pub fn user_mut(&mut self, uid: &str) -> Option<&mut User> {
        self.users.iter_mut().find(|user| user.uid == uid)
    }

    pub fn group_mut(&mut self, name: &str) -> Option<&mut Group> {
        self.groups.iter_mut().find(|group| group.name == name)
    }

    /// The entryUUID of a user.
    pub fn user_id(&self, uid: &str) -> String {
        uuid_text(uuid(self.seed, "ldap-user", uid))
    }

    /// The entryUUID of a group.
    pub fn group_id(&self, name: &str) -> String {
        uuid_text(uuid(self.seed, "ldap-group", name))
    }

    /// The export at one instant.
    pub fn export(&self, at: Time) -> String {
        let mut ldif = Ldif::default();
        self.write_tree(&mut ldif);
        for user in self.users.iter().filter(|user| user.life.exists(at)) {
            self.write_user(&mut ldif, user, at);
        }
        for group in &self.groups {
            self.write_group(&mut ldif, group, at);
        }
        ldif.finish()
    }

    fn write_tree(&self, ldif: &mut Ldif) {
        let made = generalized(clock::days_before(FOUNDED + 1));
        ldif.dn(BASE);
        ldif.texts("objectClass", ["top", "dcObject", "organization"]);
        ldif.text("o", "Corp Example");
        ldif.text("dc", "corp");
        self.operational(ldif, "ldap-tree", BASE, &made, &made);
        for unit in ["People", "Services", "Groups", "Policies"] {
            let dn = format!("ou={unit},{BASE}");
            ldif.dn(&dn);
            ldif.texts("objectClass", ["top", "organizationalUnit"]);
            ldif.text("ou", unit);
            self.operational(ldif, "ldap-tree", unit, &made, &made);
        }
        ldif.dn(POLICY);
        ldif.texts("objectClass", ["top", "device", "pwdPolicy"]);
        ldif.text("cn", "default");
        ldif.text("pwdAttribute", "userPassword");
        ldif.show("pwdMaxAge", 0);
        ldif.text("pwdLockout", "TRUE");
        self.operational(ldif, "ldap-tree", POLICY, &made, &made);
    }

    fn operational(&self, ldif: &mut Ldif, space: &str, name: &str, created: &str, changed: &str) {
        ldif.text("entryUUID", &uuid_text(uuid(self.seed, space, name)));
        ldif.text("creatorsName", &format!("cn=admin,{BASE}"));
        ldif.text("createTimestamp", created);
        ldif.text("modifyTimestamp", changed);
    }

    fn write_user(&self, ldif: &mut Ldif, user: &User, at: Time) {
        ldif.dn(&user.dn());
        if user.service {
            ldif.texts("objectClass", ["top", "account", "posixAccount", "simpleSecurityObject"]);
        } else {
            ldif.texts("objectClass", ["top", "inetOrgPerson", "posixAccount"]);
        }
        if user.ssh_key {
            ldif.text("objectClass", "ldapPublicKey");
        }
        ldif.text("uid", &user.uid);
        ldif.text("cn", &user.cn);
        if !user.service {
            ldif.text("sn", &user.family);
        }
        for (name, value) in [("mail", &user.mail), ("employeeNumber", &user.employee_number), ("description", &user.description)] {
            if let Some(value) = value {
                ldif.text(name, value);
            }
        }
        ldif.show("uidNumber", user.uid_number);
        ldif.show("gidNumber", 5_000);
        ldif.text("homeDirectory", &format!("/home/{}", user.uid));
        ldif.text("loginShell", if user.service { "/usr/sbin/nologin" } else { "/bin/bash" });
        if user.ssh_key {
            ldif.text("sshPublicKey", &self.ssh_key(&user.uid));
        }
        ldif.bytes("userPassword", self.password(&user.uid).as_bytes());
        self.write_state(ldif, user, at);
    }

    fn write_state(&self, ldif: &mut Ldif, user: &User, at: Time) {
        ldif.text("pwdChangedTime", &generalized(user.password_changed(at)));
        if user.life.is_disabled(at) {
            ldif.text("pwdAccountLockedTime", LOCKED_FOR_GOOD);
        }
        if let Some(used) = user.life.last_use(at, &user.uid) {
            ldif.text("pwdLastSuccess", &generalized(used));
        }
        let changed = user.life.disabled.since(at).unwrap_or(user.life.created);
        self.operational(ldif, "ldap-user", &user.uid, &generalized(user.life.created), &generalized(changed));
    }

    fn write_group(&self, ldif: &mut Ldif, group: &Group, at: Time) {
        let made = generalized(clock::days_before(FOUNDED));
        ldif.dn(&format!("cn={},ou=Groups,{BASE}", group.name));
        ldif.texts("objectClass", ["top", if group.gid.is_some() { "posixGroup" } else { "groupOfNames" }]);
        ldif.text("cn", group.name);
        if let Some(gid) = group.gid {
            ldif.show("gidNumber", gid);
        }
        let present = self.users.iter().filter(|user| user.life.exists(at));
        let held = present.filter(|user| targets(&user.groups, at).any(|name| name == group.name));
        let stale = targets(&group.stale, at);
        if group.gid.is_some() {
            ldif.texts("memberUid", held.map(|user| user.uid.as_str()).chain(stale));
        } else {
            let inner = self.groups.iter().filter(|inner| inner.groups.contains(&group.name));
            let members = held.map(User::dn).chain(stale.map(person_dn)).chain(inner.map(|inner| group_dn(inner.name)));
            for dn in members {
                ldif.text("member", &dn);
            }
        }
        self.operational(ldif, "ldap-group", group.name, &made, &made);
    }

    /// The first half of the digest of a user's public key, in hex.
    pub fn ssh_fingerprint(&self, uid: &str) -> String {
        let whole: [u8; 32] = Sha256::digest(self.ssh_blob(uid)).into();
        HEXLOWER.encode(whole.get(..16).unwrap_or_default())
    }

    fn ssh_key(&self, uid: &str) -> String {
        format!("ssh-ed25519 {} {uid}@laptop", BASE64.encode(&self.ssh_blob(uid)))
    }

    /// A public key as the protocol packs it: its type and 32 bytes, each after its length.
    fn ssh_blob(&self, uid: &str) -> Vec<u8> {
        let mut blob = b"\0\0\0\x0bssh-ed25519\0\0\0\x20".to_vec();
        blob.extend(digest(self.seed, "ssh-key", uid));
        blob
    }

    /// A salted hash of nothing: random bytes in the place of one.
    fn password(&self, uid: &str) -> String {
        let bytes = digest(self.seed, "ldap-password", uid);
        format!("{{SSHA}}{}", BASE64.encode(bytes.get(..24).unwrap_or_default()))
    }
}

/// The DN that a person has, or had.
pub fn person_dn(uid: &str) -> String {
    format!("uid={uid},ou=People,{BASE}")
}

fn group_dn(name: &str) -> String {
    format!("cn={name},ou=Groups,{BASE}")
}

impl User {
    fn dn(&self) -> String {
        if self.service { format!("uid={},ou=Services,{BASE}", self.uid) } else { person_dn(&self.uid) }
    }

    fn password_changed(&self, at: Time) -> Time {
        if self.service {
            return self.life.created;
        }
        let until = self.life.disabled.since(at).unwrap_or(at);
        let age = until.micros() - self.life.created.micros();
        self.life.created.plus(age.max(0) / (150 * DAY) * (150 * DAY))
    }
}

/// A user with nothing but a name.
pub fn blank(uid: &str, created: Time) -> User {
    User {
        uid: uid.to_owned(),
        cn: uid.to_owned(),
        family: uid.to_owned(),
        mail: None,
        employee_number: None,
        description: None,
        service: false,
        uid_number: 0,
        life: Life::new(created),
        groups: vec![],
        ssh_key: false,
    }
}

/// An entry is deleted, not disabled, when its owner leaves; during a leave it is locked.
fn of_person(person: &Person, dice: &mut Dice) -> User {
    let mut life = person.tidy_life();
    if let (Some(left), None) = (person.left(), person.rehired) {
        life.removed = Some(left);
    }
    let held = person.tidy_spans();
    let mut user = blank(&person.login, life.created);
    user.cn = person.name();
    user.family = person.family.to_owned();
    user.mail = Some(person.email.clone());
    user.employee_number = Some(person.number.clone());
    user.life = life;
    user.ssh_key = dice.chance(35) && person.background && person.leave.is_none();
    let home = match person.unit {
        "Platform" => "platform",
        "Data" => "data",
        _ => "developers",
    };
    user.groups.push(Edge::during(home, held.clone()));
    for (name, percent) in person_groups(person.unit) {
        if dice.chance(percent) {
            user.groups.push(Edge::during(name, held.clone()));
        }
    }
    user
}

fn person_groups(unit: &str) -> [(&'static str, usize); 5] {
    let platform = unit == "Platform";
    [
        ("git-users", 90),
        ("docker", if unit == "Engineering" { 40 } else { 0 }),
        ("sudo", if platform { 70 } else { 0 }),
        ("ci-admins", if platform { 25 } else { 0 }),
        ("warehouse-readers", if unit == "Data" { 80 } else { 0 }),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::people::staff;

    #[test]
    fn every_group_that_is_named_is_there() {
        let directory = Directory::new(1, &staff(1));
        let known = |name: &str| directory.groups.iter().any(|group| group.name == name);
        assert!(directory.users.iter().flat_map(|user| &user.groups).all(|edge| known(&edge.target)));
        assert!(directory.groups.iter().flat_map(|group| group.groups).all(|name| known(name)));
    }

    #[test]
    fn an_export_has_people_services_groups_and_a_policy() {
        let text = Directory::new(1, &staff(1)).export(clock::end());
        for part in [
            "\ndn: uid=svc-jenkins,ou=Services,",
            "\nobjectClass: groupOfNames\n",
            "\nmemberUid: ",
            "\nuserPassword:: ",
            "\nobjectClass: pwdPolicy\n",
        ] {
            assert!(text.contains(part), "{part}");
        }
        assert!(text.lines().all(|line| line.len() <= 76 && line.is_ascii()));
    }

    #[test]
    fn who_has_left_has_no_entry() {
        let people = staff(1);
        let directory = Directory::new(1, &people);
        let gone = people.iter().find(|p| p.background && p.access.ldap && p.end.is_some()).unwrap();
        assert!(!directory.user(&gone.login).unwrap().life.exists(clock::end()));
    }
}
