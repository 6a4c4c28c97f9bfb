//! The entries of all files of one import, told apart, and the names in them resolved.

use std::collections::{BTreeMap, BTreeSet};

use super::entry::{Entry, Fault, shown};
use super::object::{Object, Partial, Primary, Probe};
use super::parser::{Item, Records};
use super::{ad, dn, openldap, utf16, wellknown};
use crate::connectors::{Draft, DraftCredential, DraftMembership, Drafted, Input, InputError, Origin, Principal};
use crate::model::text::norm_opt;
use crate::model::{
    ACCOUNTS, CREDENTIALS, CredentialKind, CredentialRow, CredentialStatus, GROUPS, GroupRow, Level, MEMBERSHIPS, MembershipKind,
    MembershipRow, Table, UseState,
};

/// All entries of one import.
pub struct Directory<'a> {
    draft: Draft,
    inputs: &'a [Input],
    key: Option<&'a [u8]>,
    objects: Vec<Object>,
    by_dn: BTreeMap<String, usize>,
    by_id: BTreeMap<String, usize>,
    /// What each file shows that it carries.
    probes: BTreeSet<(u32, Probe)>,
    /// By file: accounts of a plain LDAP server, and how many of them show a password.
    passwords: BTreeMap<u32, (u64, u64)>,
}

impl<'a> Directory<'a> {
    /// `key`: for fingerprints of secret values.
    pub fn new(inputs: &'a [Input], key: Option<&'a [u8]>) -> Self {
        Self {
            draft: Draft::new(inputs.len()),
            inputs,
            key,
            objects: Vec::new(),
            by_dn: BTreeMap::new(),
            by_id: BTreeMap::new(),
            probes: BTreeSet::new(),
            passwords: BTreeMap::new(),
        }
    }

    /// Reads one file.
    ///
    /// # Errors
    /// The file cannot be read, holds a line past the cap, or nothing at all.
    pub fn file(&mut self, file: u32, input: &Input) -> Result<(), InputError> {
        let (stream, transcoded) = utf16::open(input)?;
        let mut records = Records::new(stream, input.limits.line, transcoded)?;
        while let Some(item) = records.next()? {
            self.draft.read(file);
            self.item(file, item);
        }
        let trailer = records.trailer;
        if self.draft.ledger(file).read == 0 && !trailer.search {
            return Err(InputError::new("ldif/empty", "holds no record", "check that the export ran; it may have ended with an error"));
        }
        if trailer.requested("lastlogontimestamp") {
            self.probes.insert((file, Probe::LastLogonTimestamp));
        }
        trailer.close(self.draft.ledger(file));
        Ok(())
    }

    fn item(&mut self, file: u32, item: Item) {
        let (line, byte_offset, fault, excerpt) = match item {
            Item::Bad(bad) => (bad.line, bad.offset, bad.fault, bad.excerpt),
            Item::Entry(entry) => match self.admit(Origin::line(file, entry.line), &entry) {
                Ok(()) => return self.draft.accept(file),
                Err(fault) => (entry.line, entry.offset, fault, Some(crate::model::mask::excerpt(&entry.dn))),
            },
        };
        self.draft.reject(fault.reject(Origin::line(file, line), byte_offset, excerpt));
    }

    /// Takes an entry in, unless it cannot be used or another one stands in its place.
    fn admit(&mut self, origin: Origin, entry: &Entry) -> Result<(), Fault> {
        let plain = dn::reference(&entry.dn).dn;
        let key = dn::key(plain).ok_or_else(|| {
            Fault::new("ldif/bad-dn", format!("`{}` is no distinguished name", shown(plain)), "export again; a DN is `type=value,…`")
        })?;
        let plain_server = !ad::is_entry(entry);
        let object = if plain_server { openldap::read(entry, origin, &key, self.key)? } else { ad::read(entry, origin, &key)? };
        if let Some(at) = self.by_dn.get(&key).copied() {
            return self.again(at, &object);
        }
        if let Some(first) = self.by_id.get(&object.native_id).and_then(|at| self.objects.get(*at)) {
            return Err(Fault::new(
                "ldif/duplicate-id",
                format!("`{}` has the unique id of `{}` ({})", shown(plain), shown(&first.dn), self.place(first.origin)),
                "the entry was renamed between two exports; give only the newer one",
            ));
        }
        for probe in &object.probes {
            self.probes.insert((origin.file, *probe));
        }
        if plain_server && object.account.is_some() {
            let (accounts, shown) = self.passwords.entry(origin.file).or_default();
            *accounts += 1;
            *shown += u64::from(entry.has("userpassword"));
        }
        for note in &object.notes {
            self.draft.note(origin.file, *note);
        }
        self.by_dn.insert(key, self.objects.len());
        self.by_id.insert(object.native_id.clone(), self.objects.len());
        self.objects.push(object);
        Ok(())
    }

    /// An entry whose DN was met before: the same once more, a further range of it, or a contradiction.
    fn again(&mut self, at: usize, object: &Object) -> Result<(), Fault> {
        let place = self.objects.get(at).map_or_else(String::new, |first| self.place(first.origin));
        let contradiction = || {
            Fault::new(
                "ldif/duplicate-dn",
                format!("`{}` stands here again with other values; first met in {place}", shown(&object.dn)),
                "export each entry once, or leave out one of the overlapping files",
            )
        };
        let first = self.objects.get_mut(at).ok_or_else(contradiction)?;
        let (table, fact) = (row_table(first), (first.native_id.clone(), object.origin));
        if first.digest == object.digest {
            self.draft.note(object.origin.file, "entry met before, with the same values");
            self.draft.facts.extend(table.map(|t| (t, fact.0, "row", fact.1)));
            return Ok(());
        }
        let (Some(known), Some(further)) = (first.partial.as_mut(), object.partial.as_ref()) else { return Err(contradiction()) };
        if !continues(known, further) {
            return Err(contradiction());
        }
        for (name, ranges) in &further.ranges {
            known.ranges.entry(name).or_default().extend(ranges);
        }
        first.members.extend(object.members.iter().cloned());
        first.member_of.extend(object.member_of.iter().cloned());
        self.draft.facts.extend(table.map(|t| (t, fact.0, "members", fact.1)));
        Ok(())
    }

    /// A place as messages name it.
    fn place(&self, origin: Origin) -> String {
        let name = self.inputs.get(origin.file as usize).map_or("", |i| i.name.as_str());
        format!("`{name}` line {}", origin.number)
    }

    /// Resolves names and hands everything over.
    pub fn finish(mut self) -> Draft {
        self.short_ranges();
        self.cover();
        let mut edges = Edges::new(&self.objects, &self.by_dn);
        for object in &self.objects {
            edges.forward(object, &mut self.draft);
        }
        for object in &self.objects {
            edges.backward(object, &mut self.draft);
        }
        let stubs = edges.stubs;
        self.draft.groups.extend(stubs.into_values());
        // Most servers let nobody see a password but its owner: where at most the exporter's own is shown, the others are not
        // known to be missing.
        let hidden = self.passwords.iter().filter(|(_, (accounts, shown))| *shown < 2 && shown < accounts).map(|(file, _)| *file);
        let seen = Seen { probes: self.probes, hidden: hidden.collect(), covered: self.draft.covers.contains(CREDENTIALS.name) };
        for object in self.objects {
            hand_over(object, &seen, &mut self.draft);
        }
        self.draft
    }

    /// An attribute that stops before its end makes its file short.
    fn short_ranges(&mut self) {
        for object in &self.objects {
            for name in object.partial.iter().flat_map(|p| p.ranges.keys()) {
                if let Some(next) = object.partial.as_ref().and_then(|p| p.gap(name)) {
                    let why = format!("`{name}` of `{}` has no values from {next} on", shown(&object.dn));
                    self.draft.short(object.origin.file, why);
                }
            }
        }
    }

    /// Tables of which these files say something. Every account of Active Directory has a password; a plain server that shows the
    /// exporter neither passwords nor keys says nothing of credentials, and where it shows some, what it hides is *unknown*.
    fn cover(&mut self) {
        self.draft.cover(&ACCOUNTS);
        let any = |test: fn(&Object) -> bool| self.objects.iter().any(test);
        let groups = any(|o| o.group.is_some());
        let edges = groups || any(|o| !o.member_of.is_empty() || o.primary.is_some());
        let credentials = any(|o| o.account.as_ref().is_some_and(|a| !a.credentials.is_empty()));
        for (covered, table) in [(groups || edges, &GROUPS), (edges, &MEMBERSHIPS), (credentials, &CREDENTIALS)] {
            if covered {
                self.draft.cover(table);
            }
        }
    }
}

fn row_table(object: &Object) -> Option<&'static Table> {
    object.account.as_ref().map(|_| &ACCOUNTS).or_else(|| object.group.as_ref().map(|_| &GROUPS))
}

/// Whether a record brings a range that is still missing, and contradicts nothing.
fn continues(known: &Partial, further: &Partial) -> bool {
    let fresh = further.ranges.iter().all(|(name, ranges)| {
        let starts: BTreeSet<u64> = known.ranges.get(name).into_iter().flatten().map(|(low, _)| *low).collect();
        !starts.is_empty() && ranges.iter().all(|(low, _)| !starts.contains(low))
    });
    fresh && further.others.iter().all(|(name, values)| known.others.get(name).is_none_or(|v| v == values))
}

/// What the files show, all in all.
struct Seen {
    probes: BTreeSet<(u32, Probe)>,
    /// Files in which passwords are not shown.
    hidden: BTreeSet<u32>,
    /// The import has credentials.
    covered: bool,
}

/// Puts an object's rows into the draft.
fn hand_over(object: Object, seen: &Seen, draft: &mut Draft) {
    let origin = object.origin;
    if let Some(mut account) = object.account {
        if account.never_if.is_some_and(|p| seen.probes.contains(&(origin.file, p))) {
            account.row.use_state = UseState::Never;
        }
        if seen.covered && seen.hidden.contains(&origin.file) && !account.credentials.iter().any(|c| c.kind == CredentialKind::Password) {
            account.credentials.push(CredentialRow {
                native_id: format!("{}#password", account.row.native_id),
                kind: CredentialKind::Password,
                status: CredentialStatus::Unknown,
                ..CredentialRow::default()
            });
        }
        for row in account.credentials {
            draft.credentials.push(DraftCredential { row, holder: account.row.native_id.clone(), origin });
        }
        draft.accounts.push(Drafted { row: account.row, origin });
    }
    draft.groups.extend(object.group.map(|row| Drafted { row, origin }));
}

/// Memberships being gathered, each once.
struct Edges<'a> {
    objects: &'a [Object],
    by_dn: &'a BTreeMap<String, usize>,
    by_guid: BTreeMap<&'a str, usize>,
    by_sid: BTreeMap<&'a str, usize>,
    by_uid: BTreeMap<String, Vec<usize>>,
    by_gid: BTreeMap<&'a str, Vec<usize>>,
    seen: BTreeSet<(Principal, String, MembershipKind)>,
    /// Groups that entries say they belong to and that the export does not hold, by native id.
    stubs: BTreeMap<String, Drafted<GroupRow>>,
}

impl<'a> Edges<'a> {
    fn new(objects: &'a [Object], by_dn: &'a BTreeMap<String, usize>) -> Self {
        let mut edges = Self {
            objects,
            by_dn,
            by_guid: BTreeMap::new(),
            by_sid: BTreeMap::new(),
            by_uid: BTreeMap::new(),
            by_gid: BTreeMap::new(),
            seen: BTreeSet::new(),
            stubs: BTreeMap::new(),
        };
        for (at, object) in objects.iter().enumerate() {
            edges.by_guid.extend(object.guid.as_deref().map(|g| (g, at)));
            edges.by_sid.extend(object.sid.as_deref().map(|s| (s, at)));
            for uid in object.account.iter().flat_map(|a| &a.uids) {
                edges.by_uid.entry(uid.to_lowercase()).or_default().push(at);
            }
            if let Some(gid) = object.gid.as_deref() {
                edges.by_gid.entry(gid).or_default().push(at);
            }
        }
        edges
    }

    /// What a group says of its members.
    fn forward(&mut self, object: &Object, draft: &mut Draft) {
        let Some(group) = object.group.as_ref().map(|g| g.native_id.as_str()) else { return };
        for member in &object.members {
            let reference = dn::reference(member);
            let principal = self.principal(&reference, member);
            let ttl = reference.ttl.map(|s| format!("temporary: {s} s left at extraction"));
            self.add(principal, group, MembershipKind::Direct, object.origin, ttl, draft);
        }
        for uid in &object.member_uids {
            // A login is all that POSIX compares, so every account of that login is a member.
            let known = self.by_uid.get(&uid.to_lowercase()).cloned().unwrap_or_default();
            if known.len() > 1 {
                draft.note(object.origin.file, "`memberUid` that names several accounts; each counts as a member");
            }
            let mut principals: Vec<Principal> = known.iter().filter_map(|at| self.of(*at)).collect();
            if principals.is_empty() {
                principals.push(Principal::Either(uid.clone()));
            }
            for principal in principals {
                self.add(principal, group, MembershipKind::Direct, object.origin, None, draft);
            }
        }
    }

    /// What an entry says of its groups.
    fn backward(&mut self, object: &Object, draft: &mut Draft) {
        let own = object.account.as_ref().map(|_| Principal::Account(object.native_id.clone()));
        let own = own.or_else(|| object.group.as_ref().map(|_| Principal::Group(object.native_id.clone())));
        let Some(own) = own.or_else(|| foreign(&object.dn)) else { return };
        for text in &object.member_of {
            let group = self.group_of(text, object.origin, draft);
            self.add(own.clone(), &group, MembershipKind::Direct, object.origin, None, draft);
        }
        for group in self.primary_of(object, draft) {
            self.add(own.clone(), &group, MembershipKind::Primary, object.origin, None, draft);
        }
    }

    /// Native ids of the primary group. By SID it exists whether exported or not; a `gidNumber` without a group is only
    /// a number.
    fn primary_of(&mut self, object: &Object, draft: &mut Draft) -> Vec<String> {
        match &object.primary {
            None => Vec::new(),
            Some(Primary::Gid(gid)) => {
                let groups = self.by_gid.get(gid.as_str()).into_iter().flatten();
                groups.filter_map(|at| self.objects.get(*at)).map(|o| o.native_id.clone()).collect()
            }
            Some(Primary::Sid(sid)) => {
                let known = self.by_sid.get(sid.as_str()).and_then(|at| self.objects.get(*at)).filter(|o| o.group.is_some());
                vec![known.map(|o| o.native_id.clone()).unwrap_or_else(|| self.stub(sid, None, Some(sid), object.origin, draft))]
            }
        }
    }

    /// Native id of the group that a `memberOf` names.
    fn group_of(&mut self, text: &str, origin: Origin, draft: &mut Draft) -> String {
        let reference = dn::reference(text);
        let known = self.find(&reference).and_then(|at| self.objects.get(at)).filter(|o| o.group.is_some());
        if let Some(group) = known {
            return group.native_id.clone();
        }
        let native = reference.guid.clone().or_else(|| dn::key(reference.dn)).unwrap_or_else(|| reference.dn.to_owned());
        self.stub(&native, Some(reference.dn), reference.sid.as_deref(), origin, draft)
    }

    /// A group that is known only because an entry names it.
    fn stub(&mut self, native_id: &str, dn: Option<&str>, sid: Option<&str>, origin: Origin, draft: &mut Draft) -> String {
        if !self.stubs.contains_key(native_id) {
            draft.note(origin.file, "group that entries belong to and that the export does not hold");
            let name = dn.and_then(dn::leaf).map(|(_, value)| value);
            let row = GroupRow {
                native_id: native_id.to_owned(),
                name_norm: norm_opt(name.as_deref()),
                name,
                kind: "group".to_owned(),
                level: sid.map_or(Level::Unknown, wellknown::level),
                vendor_managed: sid.is_some_and(wellknown::vendor_made),
                attributes: Some(r#"{"not_in_export":true}"#.to_owned()),
                ..GroupRow::default()
            };
            self.stubs.insert(native_id.to_owned(), Drafted { row, origin });
        }
        native_id.to_owned()
    }

    /// An entry by GUID, else by SID, else by DN.
    fn find(&self, reference: &dn::Reference<'_>) -> Option<usize> {
        let guid = reference.guid.as_deref().and_then(|g| self.by_guid.get(g));
        let sid = || reference.sid.as_deref().and_then(|s| self.by_sid.get(s));
        guid.or_else(sid).copied().or_else(|| self.by_dn.get(&dn::key(reference.dn)?).copied())
    }

    /// The account or group at a place.
    fn of(&self, at: usize) -> Option<Principal> {
        let object = self.objects.get(at)?;
        match (&object.account, &object.group) {
            (Some(_), _) => Some(Principal::Account(object.native_id.clone())),
            (None, Some(_)) => Some(Principal::Group(object.native_id.clone())),
            (None, None) => None,
        }
    }

    fn principal(&self, reference: &dn::Reference<'_>, verbatim: &str) -> Principal {
        let known = self.find(reference).and_then(|at| self.of(at));
        known.or_else(|| foreign(reference.dn)).unwrap_or_else(|| {
            let text = if reference.dn.is_empty() { verbatim } else { reference.dn };
            Principal::Either(text.to_owned())
        })
    }

    fn add(&mut self, member: Principal, group: &str, kind: MembershipKind, origin: Origin, condition: Option<String>, draft: &mut Draft) {
        if !self.seen.insert((member.clone(), group.to_owned(), kind)) {
            return;
        }
        let row = MembershipRow { kind, condition, ..MembershipRow::default() };
        draft.memberships.push(DraftMembership { row, member, group: group.to_owned(), origin });
    }
}

/// The principal that an entry under `ForeignSecurityPrincipals` stands for.
fn foreign(dn: &str) -> Option<Principal> {
    let (name, sid) = dn::leaf(dn)?;
    let inside = name == "cn" && sid.starts_with("S-1-") && dn::under(&dn::key(dn)?, "cn=foreignsecurityprincipals");
    inside.then(|| wellknown::principal(&sid))
}
