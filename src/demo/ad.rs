//! The Windows domain: what `ldapsearch -LLL` prints of it.

use super::clock::{self, filetime, generalized_ad};
use super::dice::{Dice, share, uuid, uuid_text};
use super::ldif_out::Ldif;
use super::life::{Edge, Habit, Life, Spans, targets};
use super::people::{self, FOUNDED, Person};
use crate::model::Time;
use crate::model::time::{DAY, HOUR};

const BASE: &str = "DC=corp,DC=example";
const NEVER: i64 = i64::MAX;

/// What sort of object a user is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Class {
    Person,
    Service,
    Managed,
    Builtin,
    Computer,
}

/// One user, managed service account or computer.
#[derive(Clone, Debug)]
pub struct User {
    pub sam: String,
    pub cn: String,
    pub given: String,
    pub family: String,
    pub mail: Option<String>,
    pub employee_id: Option<String>,
    pub title: Option<&'static str>,
    pub department: Option<&'static str>,
    pub description: Option<String>,
    pub class: Class,
    pub rid: u32,
    pub life: Life,
    pub groups: Vec<Edge>,
    pub expires: Option<Time>,
    /// Locked out for too many wrong passwords since then.
    pub locked: Option<Time>,
}

/// One group. Its members are kept at the members.
#[derive(Clone, Debug)]
pub struct Group {
    pub name: String,
    pub rid: u32,
    pub builtin: bool,
    pub description: Option<&'static str>,
    pub groups: Vec<&'static str>,
}

/// The whole domain.
#[derive(Debug)]
pub struct Directory {
    seed: u64,
    pub users: Vec<User>,
    pub groups: Vec<Group>,
}

/// Name, relative id, groups that it is a member of. Relative ids below 1000 are the vendor's.
const WELL_KNOWN: &[(&str, u32, &[&str])] = &[
    ("Administrators", 544, &[]),
    ("Users", 545, &[]),
    ("Guests", 546, &[]),
    ("Account Operators", 548, &[]),
    ("Backup Operators", 551, &[]),
    ("Remote Desktop Users", 555, &[]),
    ("Domain Admins", 512, &["Administrators"]),
    ("Domain Users", 513, &["Users"]),
    ("Domain Guests", 514, &["Guests"]),
    ("Domain Computers", 515, &[]),
    ("Domain Controllers", 516, &[]),
    ("Schema Admins", 518, &[]),
    ("Enterprise Admins", 519, &["Administrators"]),
];

const OWN: &[(&str, &[&str])] = &[
    ("GG Engineering", &["DL Source Read"]),
    ("GG Platform", &["DL Source Read", "GG Server Operators"]),
    ("GG Data", &["DL Source Read", "DL Warehouse Read"]),
    ("GG Sales", &["DL Offers Write"]),
    ("GG Support", &["DL Offers Read"]),
    ("GG Finance", &["DL Ledger Write", "DL Offers Read"]),
    ("GG People", &["DL Personnel Write"]),
    ("GG Operations", &["DL Offers Read"]),
    ("GG Contractors", &[]),
    ("GG VPN", &["Remote Desktop Users"]),
    ("GG Helpdesk", &["Account Operators"]),
    ("GG Server Operators", &[]),
    ("GG Tier0 Admins", &["Domain Admins"]),
    // Each is a member of the other: somebody nested them by hand, twice.
    ("GG Project Aurora", &["GG Project Aurora Leads", "DL Aurora Write"]),
    ("GG Project Aurora Leads", &["GG Project Aurora"]),
    ("DL Source Read", &[]),
    ("DL Warehouse Read", &[]),
    ("DL Offers Read", &[]),
    ("DL Offers Write", &["DL Offers Read"]),
    ("DL Ledger Write", &[]),
    ("DL Personnel Write", &[]),
    ("DL Aurora Write", &[]),
    ("Vault Operators", &[]),
];

const SERVICES: &[(&str, &[&str])] = &[
    ("svc-backup", &["Backup Operators"]),
    ("svc-sccm", &["GG Server Operators"]),
    ("svc-print", &[]),
    ("svc-scanner", &["DL Ledger Write"]),
    ("svc-reportgen", &["DL Warehouse Read"]),
    ("svc-sharepoint", &[]),
    ("svc-adsync", &[]),
    ("svc-vcenter", &["GG Server Operators"]),
    ("svc-badge", &[]),
    ("svc-payroll", &["DL Personnel Write"]),
    ("svc-crmsync", &["DL Offers Read"]),
    ("svc-mailrelay", &[]),
    ("svc-monitoring", &["GG Server Operators"]),
    ("svc-patching", &["GG Server Operators"]),
    ("svc-vpnradius", &[]),
    ("svc-archive", &["DL Offers Read"]),
    ("svc-etl", &["DL Warehouse Read"]),
    ("svc-build", &["DL Source Read"]),
    ("svc-signing", &["Vault Operators"]),
    ("svc-dhcp", &[]),
];

const MANAGED: &[&str] = &["gmsa-sql01", "gmsa-sql02", "gmsa-web", "gmsa-adfs", "gmsa-backup", "gmsa-iis"];

impl Directory {
    /// The domain in good order.
    pub fn new(seed: u64, staff: &[Person]) -> Self {
        let mut directory = Self { seed, users: builtins(), groups: groups() };
        let mut dice = Dice::new(seed, "ad");
        for person in staff.iter().filter(|person| person.access.ad) {
            let user = of_person(person, &mut dice);
            directory.add(user);
        }
        for (name, groups) in SERVICES {
            directory.add(service(name, Class::Service, groups));
        }
        for name in MANAGED {
            directory.add(service(&format!("{name}$"), Class::Managed, &[]));
        }
        for n in 1..=16 {
            directory.add(service(&format!("WS{n:03}$"), Class::Computer, &[]));
        }
        directory
    }

    /// Adds a user under the next free relative id.
    pub fn add(&mut self, mut user: User) {
        user.rid = self.users.iter().map(|user| user.rid).max().unwrap_or(0).max(1_199) + 1;
        self.users.push(user);
    }

    pub fn user(&self, sam: &str) -> Option<&User> {
        self.users.iter().find(|user| user.sam == sam)
    }

    pub fn user_mut(&mut self, sam: &str) -> Option<&mut User> {
        self.users.iter_mut().find(|user| user.sam == sam)
    }

    /// The objectGUID of a user in its text form.
    pub fn user_id(&self, sam: &str) -> String {
        guid_text(uuid(self.seed, "ad-user", sam))
    }

    /// The objectGUID of a group in its text form.
    pub fn group_id(&self, name: &str) -> String {
        guid_text(uuid(self.seed, "ad-group", name))
    }

    /// The export at one instant.
    pub fn export(&self, at: Time) -> String {
        let mut ldif = Ldif::default();
        for user in self.users.iter().filter(|user| user.life.exists(at)) {
            self.write_user(&mut ldif, user, at);
        }
        for group in &self.groups {
            self.write_group(&mut ldif, group, at);
        }
        ldif.comment(&format!("refldaps://corp.example/CN=Configuration,{BASE}"));
        ldif.comment("pagedresults: cookie=");
        ldif.finish()
    }

    fn write_user(&self, ldif: &mut Ldif, user: &User, at: Time) {
        let dn = user.dn(at);
        ldif.dn(&dn);
        ldif.texts("objectClass", user.object_classes().iter().copied());
        ldif.text("cn", &user.cn);
        for (name, value) in [("sn", user.family.as_str()), ("givenName", &user.given)] {
            if !value.is_empty() {
                ldif.text(name, value);
            }
        }
        if user.class == Class::Person {
            ldif.text("displayName", &user.cn);
        }
        let optional = [
            ("title", user.title),
            ("department", user.department),
            ("employeeID", user.employee_id.as_deref()),
            ("description", user.description.as_deref()),
            ("mail", user.mail.as_deref()),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                ldif.text(name, value);
            }
        }
        ldif.text("whenCreated", &generalized_ad(user.life.created));
        ldif.text("whenChanged", &generalized_ad(user.changed(at)));
        ldif.bytes("objectGUID", &uuid(self.seed, "ad-user", &user.sam));
        ldif.bytes("objectSid", &self.sid(user.rid, false));
        ldif.text("sAMAccountName", &user.sam);
        if matches!(user.class, Class::Person | Class::Service) {
            ldif.text("userPrincipalName", &format!("{}@corp.example", user.sam));
        }
        ldif.show("userAccountControl", user.control(at));
        ldif.show("primaryGroupID", user.primary_group());
        ldif.show("pwdLastSet", filetime(user.password_set(at)));
        ldif.show("accountExpires", user.expires.map_or(NEVER, filetime));
        ldif.show("lastLogon", user.last_logon(at).map_or(0, filetime));
        if let Some(used) = user.last_logon_timestamp(at) {
            ldif.show("lastLogonTimestamp", filetime(used));
        }
        if let Some(locked) = user.locked.filter(|locked| *locked < at) {
            ldif.show("lockoutTime", filetime(locked));
        }
        for group in targets(&user.groups, at) {
            ldif.text("memberOf", &self.group_dn(group));
        }
        ldif.text("distinguishedName", &dn);
    }

    fn write_group(&self, ldif: &mut Ldif, group: &Group, at: Time) {
        let dn = self.group_dn(&group.name);
        ldif.dn(&dn);
        ldif.texts("objectClass", ["top", "group"]);
        ldif.text("cn", &group.name);
        if let Some(text) = group.description {
            ldif.text("description", text);
        }
        ldif.text("whenCreated", &generalized_ad(clock::days_before(FOUNDED + 1)));
        ldif.bytes("objectGUID", &uuid(self.seed, "ad-group", &group.name));
        ldif.bytes("objectSid", &self.sid(group.rid, group.in_builtin()));
        ldif.text("sAMAccountName", &group.name);
        ldif.show("groupType", if group.in_builtin() { -2_147_483_643i64 } else { -2_147_483_646 });
        if group.builtin {
            ldif.text("isCriticalSystemObject", "TRUE");
        }
        for user in self.users.iter().filter(|user| user.life.exists(at)) {
            if targets(&user.groups, at).any(|name| name == group.name) {
                ldif.text("member", &user.dn(at));
            }
        }
        for inner in self.groups.iter().filter(|inner| inner.groups.contains(&group.name.as_str())) {
            ldif.text("member", &self.group_dn(&inner.name));
        }
        for outer in &group.groups {
            ldif.text("memberOf", &self.group_dn(outer));
        }
        ldif.text("distinguishedName", &dn);
    }

    fn group_dn(&self, name: &str) -> String {
        let home = match self.groups.iter().find(|group| group.name == name) {
            Some(group) if group.in_builtin() => "CN=Builtin",
            Some(group) if group.builtin => "CN=Users",
            _ => "OU=Groups",
        };
        format!("CN={},{home},{BASE}", escaped(name))
    }

    /// A binary SID: the domain's own, or of the `BUILTIN` domain.
    fn sid(&self, rid: u32, builtin: bool) -> Vec<u8> {
        let mut parts = vec![];
        if builtin {
            parts.push(32);
        } else {
            parts.push(21);
            let domain = uuid(self.seed, "ad-domain", BASE);
            parts.extend(domain.chunks(4).take(3).map(|four| four.iter().fold(0u32, |sum, byte| sum << 8 | u32::from(*byte))));
        }
        parts.push(rid);
        let mut sid = vec![1, u8::try_from(parts.len()).unwrap_or(0), 0, 0, 0, 0, 0, 5];
        sid.extend(parts.iter().flat_map(|part| part.to_le_bytes()));
        sid
    }
}

impl Group {
    fn in_builtin(&self) -> bool {
        self.builtin && self.rid >= 544
    }
}

impl User {
    fn dn(&self, at: Time) -> String {
        let home = match self.class {
            Class::Person if self.life.is_disabled(at) => "OU=Disabled,OU=People",
            Class::Person => "OU=People",
            Class::Service => "OU=Service Accounts",
            Class::Managed => "CN=Managed Service Accounts",
            Class::Builtin => "CN=Users",
            Class::Computer => "CN=Computers",
        };
        format!("CN={},{home},{BASE}", escaped(&self.cn))
    }

    fn object_classes(&self) -> &'static [&'static str] {
        match self.class {
            Class::Computer => &["top", "person", "organizationalPerson", "user", "computer"],
            Class::Managed => &["top", "person", "organizationalPerson", "user", "computer", "msDS-GroupManagedServiceAccount"],
            _ => &["top", "person", "organizationalPerson", "user"],
        }
    }

    fn control(&self, at: Time) -> u32 {
        let kind = match self.class {
            Class::Computer | Class::Managed => 0x1000,
            Class::Service => 0x1_0200,
            Class::Person | Class::Builtin => 0x200,
        };
        if self.life.is_disabled(at) { kind | 2 } else { kind }
    }

    fn primary_group(&self) -> u32 {
        match self.class {
            Class::Computer | Class::Managed => 515,
            _ if self.sam == "Guest" => 514,
            _ => 513,
        }
    }

    /// People change their password every 120 days, machines every 30.
    fn password_set(&self, at: Time) -> Time {
        let every = match self.class {
            Class::Person => 120 * DAY,
            Class::Computer | Class::Managed => 30 * DAY,
            Class::Service | Class::Builtin => return self.life.created,
        };
        let until = self.life.disabled.since(at).unwrap_or(at);
        let age = until.micros() - self.life.created.micros();
        self.life.created.plus(age.max(0) / every * every)
    }

    /// The newest logon that this domain controller saw: for half of the accounts another one did.
    fn last_logon(&self, at: Time) -> Option<Time> {
        (share("dc", &self.sam, 2) == 0).then(|| self.life.last_use(at, &self.sam)).flatten()
    }

    /// The replicated logon time, which moves only every ten days while somebody works.
    fn last_logon_timestamp(&self, at: Time) -> Option<Time> {
        let used = self.life.last_use(at, &self.sam)?;
        let first = self.life.created.plus(HOUR / 2);
        let step = 10 * DAY;
        let moved = first.plus((used.micros() - first.micros()).max(0) / step * step);
        // A use that is planted stands as it is; a regular one is seen in steps.
        let seen = match self.life.habit {
            Habit::Regular if !self.life.is_disabled(at) => moved,
            _ => used,
        };
        Some(seen)
    }

    /// The last change of the record.
    fn changed(&self, at: Time) -> Time {
        [Some(self.password_set(at)), self.last_logon_timestamp(at), self.life.disabled.since(at)]
            .into_iter()
            .flatten()
            .max()
            .unwrap_or(self.life.created)
    }
}

/// objectGUID as text: the first three parts are little-endian.
fn guid_text(id: [u8; 16]) -> String {
    let [a, b, c, d, e, f, g, h, rest @ ..] = id;
    let [i, j, k, l, m, n, o, p] = rest;
    uuid_text([d, c, b, a, f, e, h, g, i, j, k, l, m, n, o, p])
}

/// A value inside a DN.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace(',', "\\,").replace('+', "\\+")
}

fn groups() -> Vec<Group> {
    let describe =
        |name: &str| (name == "Vault Operators").then_some("May unseal and operate the secrets vault. Rights are given there, not here.");
    let mut all: Vec<Group> = WELL_KNOWN
        .iter()
        .map(|(name, rid, outer)| Group { name: (*name).to_owned(), rid: *rid, builtin: true, description: None, groups: outer.to_vec() })
        .collect();
    for (rid, (name, outer)) in (1_101..).zip(OWN) {
        all.push(Group { name: (*name).to_owned(), rid, builtin: false, description: describe(name), groups: outer.to_vec() });
    }
    all
}

fn builtins() -> Vec<User> {
    let made = clock::days_before(FOUNDED + 1);
    let user = |name: &str, rid, text: &str, groups: &[&str]| {
        let mut user = blank(name, Class::Builtin, made);
        user.rid = rid;
        user.description = Some(text.to_owned());
        user.groups = groups.iter().map(|group| Edge::from(group, made)).collect();
        user
    };
    let mut all = vec![
        user(
            "Administrator",
            500,
            "Built-in account for administering the computer/domain",
            &["Administrators", "Domain Admins", "Enterprise Admins", "Schema Admins"],
        ),
        user("Guest", 501, "Built-in account for guest access to the computer/domain", &["Guests"]),
        user("krbtgt", 502, "Key Distribution Center Service Account", &[]),
    ];
    for user in all.iter_mut().filter(|user| user.sam != "Administrator") {
        user.life.disabled = Spans::from(made);
        user.life.habit = Habit::Never;
    }
    all
}

/// A user with nothing but a name.
pub fn blank(name: &str, class: Class, created: Time) -> User {
    User {
        sam: name.to_owned(),
        cn: name.trim_end_matches('$').to_owned(),
        given: String::new(),
        family: String::new(),
        mail: None,
        employee_id: None,
        title: None,
        department: None,
        description: None,
        class,
        rid: 0,
        life: Life::new(created),
        groups: vec![],
        expires: None,
        locked: None,
    }
}

/// A service account without groups.
pub fn service_account(name: &str) -> User {
    service(name, Class::Service, &[])
}

fn service(name: &str, class: Class, groups: &[&str]) -> User {
    let created = clock::days_before(FOUNDED - share("ad-service", name, 40)).plus(9 * HOUR);
    let mut user = blank(name, class, created);
    user.groups = groups.iter().map(|group| Edge::from(group, created)).collect();
    if class == Class::Service {
        user.description = Some(format!("Service account of {}", name.trim_start_matches("svc-")));
    }
    user
}

fn of_person(person: &Person, dice: &mut Dice) -> User {
    let life = person.tidy_life();
    let mut user = blank(&person.login, Class::Person, life.created);
    // Two people of one name need two common names.
    let twin = person.login.trim_start_matches(|c: char| !c.is_ascii_digit());
    user.cn = format!("{} {twin}", person.name()).trim_end().to_owned();
    user.given = person.given.to_owned();
    user.family = person.family.to_owned();
    user.mail = Some(person.email.clone());
    user.employee_id = Some(person.number.clone());
    user.title = Some(person.title);
    user.department = Some(person.unit);
    user.life = life;
    user.groups = person_groups(person, dice);
    user
}

fn person_groups(person: &Person, dice: &mut Dice) -> Vec<Edge> {
    let mut names: Vec<&'static str> = vec![];
    if person.contractor {
        names.push("GG Contractors");
    }
    let technical = person.access.ldap;
    for (name, percent) in [
        ("GG VPN", 55),
        ("GG Project Aurora", if technical { 18 } else { 6 }),
        ("GG Project Aurora Leads", if technical { 3 } else { 0 }),
        ("GG Helpdesk", if person.unit == "Support" { 25 } else { 0 }),
        ("GG Tier0 Admins", if person.unit == "Platform" && person.background { 10 } else { 0 }),
        ("Vault Operators", if person.unit == "Platform" && person.background { 15 } else { 0 }),
    ] {
        if dice.chance(percent) {
            names.push(name);
        }
    }
    let held = person.tidy_spans();
    let mut edges = unit_edges(person, &held);
    edges.extend(names.iter().map(|name| Edge::during(name, held.clone())));
    edges
}

/// The group of the unit; for a mover the earlier one until the day of the move.
fn unit_edges(person: &Person, held: &Spans) -> Vec<Edge> {
    let group = |unit: &str| people::units().find(|known| *known == unit).map(|known| format!("GG {known}")).unwrap_or_default();
    let now = group(person.unit);
    let Some((day, earlier)) = person.moved else { return vec![Edge::during(&now, held.clone())] };
    let moved = clock::days_before(day).plus(9 * HOUR);
    let mut before = held.clone();
    before.cut(moved);
    vec![Edge::during(&group(earlier), before), Edge::from(&now, moved)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain() -> Directory {
        Directory::new(1, &people::staff(1))
    }

    #[test]
    fn a_guid_has_its_first_three_parts_turned() {
        let id = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
        assert_eq!(guid_text(id), "03020100-0504-0706-0809-0a0b0c0d0e0f");
    }

    #[test]
    fn every_group_that_is_named_is_there() {
        let domain = domain();
        let known = |name: &str| domain.groups.iter().any(|group| group.name == name);
        assert!(domain.users.iter().flat_map(|user| &user.groups).all(|edge| known(&edge.target)));
        assert!(domain.groups.iter().flat_map(|group| &group.groups).all(|name| known(name)));
    }

    #[test]
    fn an_export_looks_like_ldapsearch() {
        let text = domain().export(clock::end());
        assert!(text.starts_with("dn: CN=Administrator,CN=Users,DC=corp,DC=example\nobjectClass: top\n"));
        assert!(text.contains("\nobjectGUID:: ") && text.contains("\ndn:: ") && text.contains("\n "));
        assert!(text.lines().all(|line| line.len() <= 76 && line.is_ascii()));
        assert!(text.ends_with("\n\n# pagedresults: cookie=\n\n"));
    }

    #[test]
    fn a_regular_user_is_seen_within_two_weeks() {
        let domain = domain();
        for user in domain.users.iter().filter(|user| user.life.exists(clock::end()) && !user.life.is_disabled(clock::end())) {
            if let Some(seen) = user.last_logon_timestamp(clock::end()) {
                assert!(clock::end().micros() - seen.micros() < 14 * DAY, "{}", user.sam);
            }
        }
    }
}
