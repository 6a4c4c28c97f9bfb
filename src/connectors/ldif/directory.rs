//! The entries of all files of one import, told apart, and the names in them resolved.

use std::collections::{BTreeMap, BTreeSet};

use super::entry::{Entry, Fault, shown};
use super::object::{Account, Partial, Primary, Probe};
use super::parser::{Item, Records};
use super::parts::{PART, Part, Parts};
use super::trailer::Trailer;
use super::{ad, dn, openldap, utf16, wellknown};
use crate::connectors::keys::{Hashes, Key, KeyMap, KeySet};
use crate::connectors::parallel::in_order;
use crate::connectors::pile::torn;
use crate::connectors::{Context, Draft, DraftCredential, DraftMembership, Drafted, Input, InputError, Origin, Pile, Principal};
use crate::model::pack::{self, Pack};
use crate::model::text::norm_opt;
use crate::model::{
    ACCOUNTS, AccountRow, CREDENTIALS, CredentialKind, CredentialRow, CredentialStatus, GROUPS, GroupRow, Level, MEMBERSHIPS,
    MembershipKind, MembershipRow, Row as _, Table, UseState,
};

/// All entries of one import.
pub struct Directory<'a> {
    draft: Draft,
    inputs: &'a [Input],
    reading: Reading<'a>,
    known: Known,
    /// Rows of the entries, packed.
    rows: Pile<Rows>,
    /// What the entries say of others, packed; those that came in ranges are kept apart.
    links: Pile<Links>,
    ranged: BTreeMap<usize, Ranged>,
    /// What each file shows that it carries.
    probes: BTreeSet<(u32, Probe)>,
    /// By file: accounts of a plain LDAP server, and how many of them show a password.
    passwords: BTreeMap<u32, (u64, u64)>,
    /// Some entry is a group, belongs to one, has a credential.
    groups: bool,
    edges: bool,
    credentials: bool,
}

/// What makes an entry of a record, on any thread.
struct Reading<'a> {
    key: Option<&'a [u8]>,
    names: Hashes,
}

impl<'a> Directory<'a> {
    pub fn new(inputs: &'a [Input], context: &'a Context) -> Self {
        let scratch = &context.scratch;
        Self {
            draft: Draft::on(inputs.len(), scratch),
            inputs,
            reading: Reading { key: context.fingerprint_key.as_deref(), names: Hashes::default() },
            known: Known::default(),
            rows: Pile::new(scratch),
            links: Pile::new(scratch),
            ranged: BTreeMap::new(),
            probes: BTreeSet::new(),
            passwords: BTreeMap::new(),
            groups: false,
            edges: false,
            credentials: false,
        }
    }

    /// Reads one file.
    ///
    /// # Errors
    /// The file cannot be read, holds a line past the cap, or nothing at all.
    pub fn file(&mut self, file: u32, input: &Input) -> Result<(), InputError> {
        self.file_by(file, input, PART)
    }

    /// [`Directory::file`] in parts of about `size` bytes, which shows in nothing.
    pub(super) fn file_by(&mut self, file: u32, input: &Input, size: usize) -> Result<(), InputError> {
        let (stream, transcoded) = utf16::open(input)?;
        let most = input.limits.line;
        let mut parts = Parts::new(stream, size, most.saturating_mul(2));
        let mut trailer = Trailer::default();
        let reading = std::mem::replace(&mut self.reading, Reading { key: None, names: Hashes::default() });
        let work = |part: Part| {
            let records = Records::part(part.bytes.as_slice(), most, transcoded, part.start);
            let mut met = Met::default();
            match records {
                Ok(records) => met.all(records, &reading, file),
                Err(e) => met.end = Some(e),
            }
            met
        };
        let outcome = in_order(
            || parts.next(),
            work,
            |met: Met| {
                for entry in met.entries {
                    self.draft.read(file);
                    self.meet(file, entry, &reading);
                }
                trailer.absorb(met.trailer);
                met.end.map_or(Ok(()), Err)
            },
        );
        let outcome = outcome.and_then(|()| {
            // A record too long to be held whole is read line by line, and so is what follows it.
            let Some((start, rest)) = parts.rest() else { return Ok(()) };
            let mut records = Records::part(rest, most, transcoded, start)?;
            while let Some(item) = records.next()? {
                self.draft.read(file);
                let entry = reading.entry(item, file);
                self.meet(file, entry, &reading);
            }
            trailer.absorb(records.trailer);
            Ok(())
        });
        self.reading = reading;
        outcome?;
        if self.draft.ledger(file).read == 0 && !trailer.search {
            return Err(InputError::new("ldif/empty", "holds no record", "check that the export ran; it may have ended with an error"));
        }
        if trailer.requested("lastlogontimestamp") {
            self.probes.insert((file, Probe::LastLogonTimestamp));
        }
        trailer.close(self.draft.ledger(file));
        Ok(())
    }

    fn meet(&mut self, file: u32, entry: Entered, reading: &Reading<'_>) {
        let Entered { line, offset, dn, outcome } = entry;
        let origin = Origin::line(file, line);
        let (fault, excerpt) = match outcome.map(|admitted| self.admit(*admitted, reading)) {
            Ok(Ok(())) => return self.draft.accept(file),
            Ok(Err(fault)) => (fault, Some(crate::model::mask::excerpt(&dn))),
            Err(refused) => *refused,
        };
        self.draft.reject(fault.reject(origin, offset, excerpt));
    }

    /// Takes an entry in, unless another one stands in its place.
    fn admit(&mut self, entry: Admitted, reading: &Reading<'_>) -> Result<(), Fault> {
        let Admitted { key, object, rows, links, plain_server, password } = entry;
        let origin = object.origin;
        if let Some(at) = self.known.by_dn.get(&key).copied() {
            return self.again(at as usize, &object);
        }
        let id = reading.names.key(object.native_id.as_str());
        if let Some(first) = self.known.by_id.get(&id).and_then(|at| self.known.entries.get(*at as usize)) {
            let first = (first.dn.clone(), first.origin);
            return Err(Fault::new(
                "ldif/duplicate-id",
                format!("`{}` has the unique id of `{}` ({})", shown(&object.plain), shown(&first.0), self.place(first.1)),
                "the entry was renamed between two exports; give only the newer one",
            ));
        }
        for probe in &object.probes {
            self.probes.insert((origin.file, *probe));
        }
        if plain_server && object.kind == Some(Kind::Account) {
            let (accounts, shown) = self.passwords.entry(origin.file).or_default();
            *accounts += 1;
            *shown += u64::from(password);
        }
        for note in &object.notes {
            self.draft.note(origin.file, *note);
        }
        self.groups |= object.group;
        self.edges |= object.edges;
        self.credentials |= object.credentials;
        let at = self.known.entries.len();
        let Ok(number) = u32::try_from(at) else { return Ok(()) };
        self.known.by_dn.insert(key, number);
        self.known.by_id.insert(id, number);
        // Where the GUID is the native id it is found there.
        let guid = object.guid.as_ref().filter(|g| **g != object.native_id);
        self.known.by_guid.extend(guid.map(|g| (reading.names.key(g.as_str()), number)));
        self.known.by_sid.extend(object.sid.as_ref().map(|s| (reading.names.key(s), number)));
        for uid in &object.uids {
            self.known.by_uid.entry(uid.to_lowercase()).or_default().push(number);
        }
        if let Some(gid) = object.gid {
            self.known.by_gid.entry(gid).or_default().push(number);
        }
        self.known.entries.push(Place {
            origin,
            native_id: object.native_id.into_boxed_str(),
            dn: object.dn.into_boxed_str(),
            kind: object.kind,
            group: object.group,
            digest: object.digest,
        });
        self.rows.push_row(&rows);
        match object.ranged {
            None => self.links.push_row(&links),
            Some(ranged) => {
                self.links.push_row(&Links::default().packed());
                self.ranged.insert(at, *ranged);
            }
        }
        Ok(())
    }

    /// An entry whose DN was met before: the same once more, a further range of it, or a contradiction.
    fn again(&mut self, at: usize, object: &Summary) -> Result<(), Fault> {
        let place = self.known.entries.get(at).map_or_else(String::new, |first| self.place(first.origin));
        let contradiction = || {
            Fault::new(
                "ldif/duplicate-dn",
                format!("`{}` stands here again with other values; first met in {place}", shown(&object.dn)),
                "export each entry once, or leave out one of the overlapping files",
            )
        };
        let first = self.known.entries.get(at).ok_or_else(contradiction)?;
        let (table, native_id) = (first.table(), first.native_id.to_string());
        if first.digest == object.digest {
            self.draft.note(object.origin.file, "entry met before, with the same values");
            self.draft.facts.extend(table.map(|t| (t, native_id, "row", object.origin)));
            return Ok(());
        }
        let (Some(known), Some(further)) = (self.ranged.get_mut(&at), object.ranged.as_ref()) else { return Err(contradiction()) };
        if !continues(&known.partial, &further.partial) {
            return Err(contradiction());
        }
        for (name, ranges) in &further.partial.ranges {
            known.partial.ranges.entry(name).or_default().extend(ranges);
        }
        known.links.members.extend(further.links.members.iter().cloned());
        known.links.member_of.extend(further.links.member_of.iter().cloned());
        self.edges |= !known.links.member_of.is_empty();
        self.draft.facts.extend(table.map(|t| (t, native_id, "members", object.origin)));
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
        let mut edges = Edges { known: &self.known, names: &self.reading.names, seen: KeySet::default(), stubs: BTreeMap::new() };
        let outcome = [true, false].into_iter().try_for_each(|forward| {
            let mut at = 0;
            self.links.walk(|packed| {
                let links = match self.ranged.get(&at) {
                    Some(ranged) => ranged.links.borrowed(),
                    None => Links::take(&mut { packed }).ok_or_else(torn)?,
                };
                if forward {
                    edges.forward(at, &links, &mut self.draft);
                } else {
                    edges.backward(at, &links, &mut self.draft);
                }
                at += 1;
                Ok(())
            })
        });
        let stubs = edges.stubs;
        self.draft.groups.extend(stubs.into_values());
        // Most servers let nobody see a password but its owner: where at most the exporter's own is shown, the others are not
        // known to be missing.
        let hidden = self.passwords.iter().filter(|(_, (accounts, shown))| *shown < 2 && shown < accounts).map(|(file, _)| *file);
        let seen = Seen { probes: self.probes, hidden: hidden.collect(), covered: self.draft.covers.contains(CREDENTIALS.name) };
        let draft = &mut self.draft;
        let handed = self.rows.take(|rows| {
            hand_over(rows, &seen, draft);
            Ok(())
        });
        if let Err(e) = outcome.and(handed) {
            draft.failed.get_or_insert(e);
        }
        self.draft
    }

    /// An attribute that stops before its end makes its file short.
    fn short_ranges(&mut self) {
        for (at, ranged) in &self.ranged {
            let Some(place) = self.known.entries.get(*at) else { continue };
            for name in ranged.partial.ranges.keys() {
                if let Some(next) = ranged.partial.gap(name) {
                    let why = format!("`{name}` of `{}` has no values from {next} on", shown(&place.dn));
                    self.draft.short(place.origin.file, why);
                }
            }
        }
    }

    /// Tables of which these files say something. Every account of Active Directory has a password; a plain server that shows the
    /// exporter neither passwords nor keys says nothing of credentials, and where it shows some, what it hides is *unknown*.
    fn cover(&mut self) {
        self.draft.cover(&ACCOUNTS);
        let edges = self.groups || self.edges;
        for (covered, table) in [(edges, &GROUPS), (edges, &MEMBERSHIPS), (self.credentials, &CREDENTIALS)] {
            if covered {
                self.draft.cover(table);
            }
        }
    }
}

/// The entries met so far, and how they are found.
#[derive(Default)]
struct Known {
    entries: Vec<Place>,
    by_dn: KeyMap<u32>,
    by_id: KeyMap<u32>,
    /// GUIDs that are not native ids.
    by_guid: KeyMap<u32>,
    by_sid: KeyMap<u32>,
    by_uid: BTreeMap<String, Vec<u32>>,
    by_gid: BTreeMap<String, Vec<u32>>,
}

/// What an entry gives a row of first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Account,
    Group,
}

/// What is kept in memory of an entry.
struct Place {
    origin: Origin,
    native_id: Box<str>,
    dn: Box<str>,
    kind: Option<Kind>,
    group: bool,
    digest: u64,
}

impl Place {
    fn table(&self) -> Option<&'static Table> {
        self.kind.map(|kind| if kind == Kind::Account { &ACCOUNTS } else { &GROUPS })
    }
}

/// One record, looked at by itself.
struct Entered {
    line: u64,
    offset: Option<u64>,
    dn: String,
    outcome: Result<Box<Admitted>, Box<(Fault, Option<String>)>>,
}

/// An entry that may be taken in.
struct Admitted {
    key: Key,
    object: Summary,
    rows: Vec<u8>,
    links: Vec<u8>,
    plain_server: bool,
    password: bool,
}

/// What must be known of an entry to take it in.
struct Summary {
    origin: Origin,
    /// The DN as its object has it, and as the record has it.
    dn: String,
    plain: String,
    native_id: String,
    guid: Option<String>,
    sid: Option<String>,
    uids: Vec<String>,
    gid: Option<String>,
    kind: Option<Kind>,
    group: bool,
    edges: bool,
    credentials: bool,
    probes: Vec<Probe>,
    notes: Vec<&'static str>,
    digest: u64,
    ranged: Option<Box<Ranged>>,
}

/// An entry of which some attribute came in ranges.
struct Ranged {
    partial: Partial,
    links: Links,
}

/// Records of one part.
#[derive(Default)]
struct Met {
    entries: Vec<Entered>,
    trailer: Trailer,
    end: Option<InputError>,
}

impl Met {
    fn all(&mut self, mut records: Records<&[u8]>, reading: &Reading<'_>, file: u32) {
        loop {
            match records.next() {
                Ok(Some(item)) => self.entries.push(reading.entry(item, file)),
                Ok(None) => break,
                Err(e) => {
                    self.end = Some(e);
                    break;
                }
            }
        }
        self.trailer = records.trailer;
    }
}

impl Reading<'_> {
    fn entry(&self, item: Item, file: u32) -> Entered {
        match item {
            Item::Bad(bad) => {
                Entered { line: bad.line, offset: bad.offset, dn: String::new(), outcome: Err(Box::new((bad.fault, bad.excerpt))) }
            }
            Item::Entry(entry) => {
                let refused = |fault| Box::new((fault, Some(crate::model::mask::excerpt(&entry.dn))));
                let outcome = self.object(&entry, Origin::line(file, entry.line)).map(Box::new).map_err(refused);
                Entered { line: entry.line, offset: entry.offset, dn: entry.dn, outcome }
            }
        }
    }

    fn object(&self, entry: &Entry, origin: Origin) -> Result<Admitted, Fault> {
        let plain = dn::reference(&entry.dn).dn;
        let key = dn::key(plain).ok_or_else(|| {
            Fault::new("ldif/bad-dn", format!("`{}` is no distinguished name", shown(plain)), "export again; a DN is `type=value,…`")
        })?;
        let plain_server = !ad::is_entry(entry);
        let object = if plain_server { openldap::read(entry, origin, &key, self.key)? } else { ad::read(entry, origin, &key)? };
        let origin = object.origin;
        let linked = |texts: Vec<String>| texts.into_iter().map(|text| self.linked(text)).collect::<Vec<_>>();
        let kind = if object.account.is_some() { Some(Kind::Account) } else { object.group.as_ref().map(|_| Kind::Group) };
        let credentials = object.account.as_ref().is_some_and(|a| !a.credentials.is_empty());
        let uids = object.account.as_ref().map(|a| a.uids.clone()).unwrap_or_default();
        let (group, edges) = (object.group.is_some(), !object.member_of.is_empty() || object.primary.is_some());
        let links = Links {
            dn: object.dn.clone(),
            members: linked(object.members),
            member_uids: object.member_uids,
            member_of: linked(object.member_of),
            primary: object.primary,
        };
        let packed = if object.partial.is_some() { Vec::new() } else { links.packed() };
        let ranged = object.partial.map(|partial| Box::new(Ranged { partial: *partial, links }));
        let mut rows = Vec::new();
        Rows { origin, account: object.account, group: object.group }.pack(&mut rows);
        let summary = Summary {
            origin,
            plain: plain.to_owned(),
            dn: object.dn,
            native_id: object.native_id,
            guid: object.guid,
            sid: object.sid,
            uids,
            gid: object.gid,
            kind,
            group,
            edges,
            credentials,
            probes: object.probes,
            notes: object.notes,
            digest: object.digest,
            ranged,
        };
        let password = entry.has("userpassword");
        Ok(Admitted { key: self.names.key(&key), object: summary, rows, links: packed, plain_server, password })
    }

    /// A DN that an entry names, with the name of its key where it is a plain one.
    fn linked(&self, text: String) -> (String, Option<Key>) {
        let plain = text.trim();
        let name = if plain.starts_with('<') { None } else { dn::key(plain).map(|key| self.names.key(&key)) };
        (text, name)
    }
}

/// The rows of one entry.
struct Rows {
    origin: Origin,
    account: Option<Account>,
    group: Option<GroupRow>,
}

impl Pack for Rows {
    fn pack(&self, to: &mut Vec<u8>) {
        self.origin.pack(to);
        to.push(u8::from(self.account.is_some()));
        if let Some(account) = &self.account {
            account.row.pack(to);
            pack::number(account.credentials.len() as u64, to);
            account.credentials.iter().for_each(|c| c.pack(to));
            to.push(match account.never_if {
                None => 0,
                Some(Probe::LastLogonTimestamp) => 1,
                Some(Probe::LastSuccess) => 2,
            });
        }
        to.push(u8::from(self.group.is_some()));
        if let Some(group) = &self.group {
            group.pack(to);
        }
    }
    fn unpack(from: &mut &[u8]) -> Option<Self> {
        let origin = Origin::unpack(from)?;
        let mut account = None;
        if pack::take_byte(from)? != 0 {
            let row = AccountRow::unpack(from)?;
            let credentials = (0..pack::take_number(from)?).map(|_| CredentialRow::unpack(from)).collect::<Option<_>>()?;
            let never_if = match pack::take_byte(from)? {
                0 => None,
                1 => Some(Probe::LastLogonTimestamp),
                _ => Some(Probe::LastSuccess),
            };
            account = Some(Account { row, credentials, never_if, uids: Vec::new() });
        }
        let group = if pack::take_byte(from)? == 0 { None } else { Some(GroupRow::unpack(from)?) };
        Some(Self { origin, account, group })
    }
}

/// What one entry says of others. `T`: a text, owned or borrowed of its packed form.
#[derive(Default)]
struct Links<T = String> {
    dn: T,
    members: Vec<(T, Option<Key>)>,
    member_uids: Vec<T>,
    member_of: Vec<(T, Option<Key>)>,
    primary: Option<Primary>,
}

impl Links {
    fn packed(&self) -> Vec<u8> {
        let mut to = Vec::new();
        self.pack(&mut to);
        to
    }

    fn borrowed(&self) -> Links<&str> {
        fn named(all: &[(String, Option<Key>)]) -> Vec<(&str, Option<Key>)> {
            all.iter().map(|(text, name)| (text.as_str(), *name)).collect()
        }
        Links {
            dn: &self.dn,
            members: named(&self.members),
            member_uids: self.member_uids.iter().map(String::as_str).collect(),
            member_of: named(&self.member_of),
            primary: self.primary.clone(),
        }
    }
}

fn pack_named(all: &[(String, Option<Key>)], to: &mut Vec<u8>) {
    pack::number(all.len() as u64, to);
    for (text, name) in all {
        pack::bytes(text.as_bytes(), to);
        to.push(u8::from(name.is_some()));
        for half in name.iter().flatten() {
            to.extend_from_slice(&half.to_le_bytes());
        }
    }
}

fn take_named<'a>(from: &mut &'a [u8]) -> Option<Vec<(&'a str, Option<Key>)>> {
    let one = |from: &mut &'a [u8]| {
        let text = pack::take_text(from)?;
        if pack::take_byte(from)? == 0 {
            return Some((text, None));
        }
        let halves = [pack::take_eight(from)?, pack::take_eight(from)?];
        Some((text, Some(halves.map(u64::from_le_bytes))))
    };
    (0..pack::take_number(from)?).map(|_| one(from)).collect()
}

impl<'a> Links<&'a str> {
    /// Takes what [`Links`] packs off the front.
    fn take(from: &mut &'a [u8]) -> Option<Self> {
        let dn = pack::take_text(from)?;
        let members = take_named(from)?;
        let member_uids = (0..pack::take_number(from)?).map(|_| pack::take_text(from)).collect::<Option<_>>()?;
        let member_of = take_named(from)?;
        let primary = match pack::take_byte(from)? {
            0 => None,
            1 => Some(Primary::Sid(pack::take_text(from)?.to_owned())),
            _ => Some(Primary::Gid(pack::take_text(from)?.to_owned())),
        };
        Some(Self { dn, members, member_uids, member_of, primary })
    }

    fn owned(self) -> Links {
        let named = |all: Vec<(&str, Option<Key>)>| all.into_iter().map(|(text, name)| (text.to_owned(), name)).collect();
        Links {
            dn: self.dn.to_owned(),
            members: named(self.members),
            member_uids: self.member_uids.into_iter().map(str::to_owned).collect(),
            member_of: named(self.member_of),
            primary: self.primary,
        }
    }
}

impl Pack for Links {
    fn pack(&self, to: &mut Vec<u8>) {
        pack::bytes(self.dn.as_bytes(), to);
        pack_named(&self.members, to);
        self.member_uids.pack(to);
        pack_named(&self.member_of, to);
        match &self.primary {
            None => to.push(0),
            Some(Primary::Sid(sid)) => {
                to.push(1);
                pack::bytes(sid.as_bytes(), to);
            }
            Some(Primary::Gid(gid)) => {
                to.push(2);
                pack::bytes(gid.as_bytes(), to);
            }
        }
    }
    fn unpack(from: &mut &[u8]) -> Option<Self> {
        Links::take(from).map(Links::owned)
    }
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

/// Puts an entry's rows into the draft.
fn hand_over(rows: Rows, seen: &Seen, draft: &mut Draft) {
    let origin = rows.origin;
    if let Some(mut account) = rows.account {
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
    draft.groups.extend(rows.group.map(|row| Drafted { row, origin }));
}

/// Memberships being gathered, each once.
struct Edges<'a> {
    known: &'a Known,
    names: &'a Hashes,
    seen: KeySet,
    /// Groups that entries say they belong to and that the export does not hold, by native id.
    stubs: BTreeMap<String, Drafted<GroupRow>>,
}

impl Edges<'_> {
    fn entry(&self, at: u32) -> Option<&Place> {
        self.known.entries.get(at as usize)
    }

    /// What a group says of its members.
    fn forward(&mut self, at: usize, links: &Links<&str>, draft: &mut Draft) {
        let Some(place) = self.known.entries.get(at).filter(|p| p.group) else { return };
        let (group, origin) = (place.native_id.as_ref(), place.origin);
        for (member, name) in &links.members {
            if let Some(known) = name.and_then(|n| self.known.by_dn.get(&n)).and_then(|at| self.of(*at)) {
                self.add(known, group, MembershipKind::Direct, origin, None, draft);
                continue;
            }
            let reference = dn::reference(member);
            let principal = self.principal(&reference, member);
            let ttl = reference.ttl.map(|s| format!("temporary: {s} s left at extraction"));
            self.add(principal, group, MembershipKind::Direct, origin, ttl, draft);
        }
        for uid in &links.member_uids {
            // A login is all that POSIX compares, so every account of that login is a member.
            let known = self.known.by_uid.get(&uid.to_lowercase()).cloned().unwrap_or_default();
            if known.len() > 1 {
                draft.note(origin.file, "`memberUid` that names several accounts; each counts as a member");
            }
            let mut principals: Vec<Principal> = known.iter().filter_map(|at| self.of(*at)).collect();
            if principals.is_empty() {
                principals.push(Principal::Either((*uid).to_owned()));
            }
            for principal in principals {
                self.add(principal, group, MembershipKind::Direct, origin, None, draft);
            }
        }
    }

    /// What an entry says of its groups.
    fn backward(&mut self, at: usize, links: &Links<&str>, draft: &mut Draft) {
        let Some(place) = self.known.entries.get(at) else { return };
        let own = u32::try_from(at).ok().and_then(|at| self.of(at));
        let Some(own) = own.or_else(|| foreign(links.dn)) else { return };
        for (text, name) in &links.member_of {
            let known = name.and_then(|n| self.known.by_dn.get(&n)).and_then(|at| self.known.entries.get(*at as usize));
            match known.filter(|p| p.group) {
                Some(group) => self.add(own.clone(), &group.native_id, MembershipKind::Direct, place.origin, None, draft),
                None => {
                    let group = self.group_of(text, place.origin, draft);
                    self.add(own.clone(), &group, MembershipKind::Direct, place.origin, None, draft);
                }
            }
        }
        for group in self.primary_of(links, place.origin, draft) {
            self.add(own.clone(), &group, MembershipKind::Primary, place.origin, None, draft);
        }
    }

    /// Native ids of the primary group. By SID it exists whether exported or not; a `gidNumber` without a group is only
    /// a number.
    fn primary_of(&mut self, links: &Links<&str>, origin: Origin, draft: &mut Draft) -> Vec<String> {
        match &links.primary {
            None => Vec::new(),
            Some(Primary::Gid(gid)) => {
                let groups = self.known.by_gid.get(gid.as_str()).into_iter().flatten();
                groups.filter_map(|at| self.entry(*at)).map(|p| p.native_id.to_string()).collect()
            }
            Some(Primary::Sid(sid)) => {
                let known = self.known.by_sid.get(&self.names.key(sid)).and_then(|at| self.entry(*at)).filter(|p| p.group);
                vec![known.map(|p| p.native_id.to_string()).unwrap_or_else(|| self.stub(sid, None, Some(sid), origin, draft))]
            }
        }
    }

    /// Native id of the group that a `memberOf` names.
    fn group_of(&mut self, text: &str, origin: Origin, draft: &mut Draft) -> String {
        let reference = dn::reference(text);
        let known = self.find(&reference).and_then(|at| self.entry(at)).filter(|p| p.group);
        if let Some(group) = known {
            return group.native_id.to_string();
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
    fn find(&self, reference: &dn::Reference<'_>) -> Option<u32> {
        let guid = reference.guid.as_deref().map(|g| self.names.key(g));
        let guid = guid.and_then(|g| self.known.by_id.get(&g).or_else(|| self.known.by_guid.get(&g)));
        let sid = || reference.sid.as_deref().and_then(|s| self.known.by_sid.get(&self.names.key(s)));
        guid.or_else(sid).copied().or_else(|| self.known.by_dn.get(&self.names.key(&dn::key(reference.dn)?)).copied())
    }

    /// The account or group at a place.
    fn of(&self, at: u32) -> Option<Principal> {
        let place = self.entry(at)?;
        let id = place.native_id.to_string();
        place.kind.map(|kind| if kind == Kind::Account { Principal::Account(id) } else { Principal::Group(id) })
    }

    fn principal(&self, reference: &dn::Reference<'_>, verbatim: &str) -> Principal {
        let known = self.find(reference).and_then(|at| self.of(at));
        known.or_else(|| foreign(reference.dn)).unwrap_or_else(|| {
            let text = if reference.dn.is_empty() { verbatim } else { reference.dn };
            Principal::Either(text.to_owned())
        })
    }

    fn add(&mut self, member: Principal, group: &str, kind: MembershipKind, origin: Origin, condition: Option<String>, draft: &mut Draft) {
        let (sort, id) = member.parts();
        let edge = self.names.key(&(sort, id, group, kind));
        if !self.seen.insert(edge) {
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
