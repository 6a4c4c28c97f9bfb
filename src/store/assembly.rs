//! From a draft's native ids to dense ordinals in byte order, sorted tables and one origin per row, straight into the staged files.
//!
//! ```text
//! draft (packed) ─▶ sorter by native id ─▶ dimensions, their ordinals ─┐
//!        └────────────▶ edges and children, resolved ─▶ sorter by key ─▶ fact tables ─▶ origins
//! ```
//!
//! In memory are the native ids of the dimensions and what is being sorted or encoded, however many rows there are.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::Path;

use super::StoreError;
use super::ids::Ids;
use super::sorter::{Piece, Run, Sorter, key};
use super::table_file::TableEntry;
use super::table_writer::{Manner, TableWriter};
use crate::connectors::parallel::in_order;
use crate::connectors::pile::{rows_of, torn};
use crate::connectors::{Draft, DraftChild, DraftCredential, Drafted, Origin, Pile, Principal, Reject};
use crate::model::pack::{self, Pack};
use crate::model::*;

/// What was written.
#[derive(Debug)]
pub(super) struct Assembled {
    pub entries: Vec<TableEntry>,
    /// The newest created, changed or used instant inside (never an expiry): what `taken_at` is inferred from.
    pub newest: Option<Time>,
}

/// Writes every table of a snapshot into `dir`. Records that repeat a native id are rejected, the first stays.
///
/// # Errors
/// A dimension outgrows its ordinals, or the disk refuses.
pub(super) fn assemble(draft: &mut Draft, dir: &Path) -> Result<Assembled, StoreError> {
    let mut work = Assembly { dir, draft, origins: Origins::default(), entries: Vec::new(), newest: None };
    if let Some(e) = work.draft.failed.take() {
        return Err(e.into());
    }
    work.placeholders()?;
    let accounts = std::mem::take(&mut work.draft.accounts);
    let account_ix = work.dimension(accounts, true, &["created_at", "changed_at", "last_used_at"])?;
    let groups = std::mem::take(&mut work.draft.groups);
    let group_ix = work.dimension(groups, true, &[])?;
    let entitlements = std::mem::take(&mut work.draft.entitlements);
    let entitlement_ix = work.dimension(entitlements, true, &[])?;
    let resources = std::mem::take(&mut work.draft.resources);
    let resource_ix = work.dimension(resources, true, &[])?;
    let identities = std::mem::take(&mut work.draft.identities);
    let identity_ix = work.dimension(identities, true, &[])?;
    let request_ix = work.records()?;
    let names = Names { accounts: &account_ix, groups: &group_ix };
    work.memberships(&names)?;
    work.grants(&names, &entitlement_ix, &resource_ix)?;
    let credential_ix = work.credentials(&account_ix)?;
    work.children(&account_ix, &entitlement_ix, &identity_ix)?;
    let known = [
        (&ACCOUNTS, &account_ix),
        (&GROUPS, &group_ix),
        (&ENTITLEMENTS, &entitlement_ix),
        (&IDENTITIES, &identity_ix),
        (&CREDENTIALS, &credential_ix),
        (&REQUESTS, &request_ix),
    ];
    work.facts(&known)?;
    work.rejects()?;
    work.origins()?;
    // The manifest lists the tables in the order of the documentation.
    let mut entries = Vec::new();
    for table in SNAPSHOT_TABLES {
        entries.extend(work.entries.iter().find(|e| e.name == table.name).cloned());
    }
    Ok(Assembled { entries, newest: work.newest })
}

struct Assembly<'a> {
    dir: &'a Path,
    draft: &'a mut Draft,
    origins: Origins,
    entries: Vec<TableEntry>,
    newest: Option<Time>,
}

/// What the disk said, about the rows of `table`.
fn disk(table: &str) -> impl Fn(io::Error) -> StoreError {
    let table = table.to_owned();
    move |e| StoreError::io(Path::new(&table), e)
}

impl From<io::Error> for StoreError {
    fn from(e: io::Error) -> Self {
        Self::io(Path::new("tmp"), e)
    }
}

fn too_many(table: &str) -> StoreError {
    let message = format!("`{table}` has more than 4,294,967,295 rows");
    StoreError::Refused { message, help: "split the export into several systems".to_owned() }
}

/// Account, origin and row, as they go through a sorter.
struct Entry<'a> {
    account: Option<u32>,
    /// Free for the caller.
    mark: u8,
    origin: Origin,
    row: &'a [u8],
}

impl<'a> Entry<'a> {
    fn put(account: Option<u32>, mark: u8, origin: Origin, to: &mut Vec<u8>) {
        to.clear();
        key::ordinal(account, to);
        to.push(mark);
        origin.pack(to);
    }

    fn of(bytes: &'a [u8]) -> Option<Self> {
        let (account, mut left) = bytes.split_first_chunk::<4>()?;
        let account = Some(u32::from_be_bytes(*account)).filter(|ix| *ix != u32::MAX);
        let mark = pack::take_byte(&mut left)?;
        let origin = Origin::unpack(&mut left)?;
        Some(Self { account, mark, origin, row: left })
    }
}

/// Packed bytes that are sorted into one run, of so many in all: each run is an open file until all are read.
fn run_bytes(all: u64) -> usize {
    const LEAST: usize = 8 << 20;
    const RUNS: u64 = 384;
    usize::try_from(all.div_ceil(RUNS)).map_or(LEAST, |share| share.max(LEAST))
}

/// Length of what [`sort_origin`] appends.
const ORIGIN: usize = 13;

fn sort_origin(origin: Origin, to: &mut Vec<u8>) {
    to.extend_from_slice(&origin.file.to_be_bytes());
    to.push(origin.unit.code());
    to.extend_from_slice(&origin.number.to_be_bytes());
}

/// A key without its origin.
fn own(key: &[u8]) -> &[u8] {
    key.get(..key.len().saturating_sub(ORIGIN)).unwrap_or_default()
}

impl Assembly<'_> {
    fn sorter(&self) -> Sorter {
        Sorter::new(&self.draft.scratch)
    }

    fn written<R: Row + 'static>(&mut self, table: TableWriter<R>) -> Result<(), StoreError> {
        let written = table.finish()?;
        self.newest = self.newest.max(written.newest);
        self.entries.push(written.entry);
        Ok(())
    }

    /// Sorts what `make` makes of packed rows. Rows on disk are taken block by block on all cores, each few blocks to a run of their own.
    fn sorted<T: Pack>(
        &self,
        mut rows: Pile<T>,
        make: impl Fn(&[u8], &mut Buffers, &mut dyn FnMut(&[u8], &[u8])) -> io::Result<()> + Sync,
    ) -> io::Result<Sorter> {
        let mut sorter = self.sorter();
        if !rows.is_stored() {
            let mut buffers = Buffers::default();
            rows.walk(|packed| make(packed, &mut buffers, &mut |by, rest| sorter.push(by, rest)))?;
            return Ok(sorter);
        }
        let most = run_bytes(rows.packed_bytes());
        let mut blocks = rows.into_blocks()?;
        let next = || {
            let (mut some, mut bytes) = (Vec::new(), 0);
            while bytes < most
                && let Some(block) = blocks.next()
            {
                let block = block?;
                bytes += block.len();
                some.push(block);
            }
            Ok(Some(some).filter(|some| !some.is_empty()))
        };
        let work = |some: Vec<Vec<u8>>| {
            let (mut piece, mut buffers) = (Piece::default(), Buffers::default());
            for block in some {
                rows_of(&block, |packed| make(packed, &mut buffers, &mut |by, rest| piece.push(by, rest)))?;
            }
            piece.into_run(&self.draft.scratch)
        };
        in_order(next, work, |run: io::Result<Run>| {
            sorter.add(run?);
            Ok::<(), io::Error>(())
        })?;
        Ok(sorter)
    }

    /// Sorts a dimension by its first text column, numbers it, rejects repeats; gives the ordinals.
    fn dimension<R: Row + 'static>(
        &mut self,
        rows: Pile<Drafted<R>>,
        numbered: bool,
        instants: &'static [&'static str],
    ) -> Result<Ids, StoreError> {
        let count = rows.total();
        let each = |packed: &[u8], Buffers { by, rest, .. }: &mut Buffers, push: &mut dyn FnMut(&[u8], &[u8])| {
            let mut left = packed;
            let origin = Origin::unpack(&mut left).ok_or_else(torn)?;
            R::skip(&mut left, 0, usize::from(numbered)).ok_or_else(torn)?;
            let row = left;
            by.clear();
            key::text(pack::take_text(&mut left).ok_or_else(torn)?, by);
            sort_origin(origin, by);
            Entry::put(None, 0, origin, rest);
            rest.extend_from_slice(row);
            push(by, rest);
            Ok(())
        };
        let sorter = self.sorted(rows, each).map_err(disk(R::TABLE.name))?;
        self.numbered::<R>(sorter, count, numbered, instants)
    }

    /// Writes what a sorter holds of a dimension, at most `count` rows.
    fn numbered<R: Row + 'static>(
        &mut self,
        sorter: Sorter,
        count: u64,
        numbered: bool,
        instants: &'static [&'static str],
    ) -> Result<Ids, StoreError> {
        let mut table = TableWriter::<R>::new(self.dir, Manner { numbered, instants })?;
        let mut ids = Ids::of(count);
        let (mut last, mut repeats) = (Vec::new(), Pile::new(&self.draft.scratch));
        let origins = self.origins.of(R::TABLE, &self.draft.scratch);
        sorter.finish(|by, rest| {
            let entry = Entry::of(rest).ok_or_else(torn)?;
            if table.next() > 0 && last == own(by) {
                repeats.push(entry.origin);
                return Ok(());
            }
            last.clear();
            last.extend_from_slice(own(by));
            let ix = u32::try_from(table.next()).ok().filter(|ix| *ix != u32::MAX).ok_or_else(|| too_many(R::TABLE.name))?;
            ids.push(pack::take_text(&mut { entry.row }).ok_or_else(torn)?);
            origins.push((ix, entry.origin));
            table.push(entry.row, entry.account)
        })?;
        self.written(table)?;
        repeats.take(|origin| {
            self.repeat(R::TABLE, origin);
            Ok(())
        })?;
        Ok(ids)
    }

    /// A record that repeats a native id: counted as rejected after all.
    fn repeat(&mut self, table: &'static Table, origin: Origin) {
        let ledger = self.draft.ledger(origin.file);
        ledger.accepted = ledger.accepted.saturating_sub(1);
        self.draft.reject(Reject {
            origin,
            byte_offset: None,
            reason: "store/duplicate-key",
            message: format!("repeats the native id of an earlier record of `{}`", table.name),
            help: "export each object once, or remove the file that was given twice".to_owned(),
            excerpt: None,
        });
    }

    /// Groups and entitlements that an edge names and the export does not hold get a row of their own, so that the edge
    /// keeps its place and the missing thing can be seen.
    fn placeholders(&mut self) -> Result<(), StoreError> {
        if self.draft.closed {
            return Ok(());
        }
        let marker = || Some(r#"{"not_in_export":true}"#.to_owned());
        let known = named(&mut self.draft.groups)?;
        for (native_id, origin) in unknown(&mut self.draft.memberships, false, &known)? {
            let name_norm = text::norm(&native_id);
            let row = GroupRow {
                name: Some(native_id.clone()),
                native_id,
                name_norm,
                kind: "group".to_owned(),
                attributes: marker(),
                ..GroupRow::default()
            };
            self.draft.groups.push(Drafted { row, origin });
        }
        let known = named(&mut self.draft.entitlements)?;
        for (native_id, origin) in unknown(&mut self.draft.grants, true, &known)? {
            let name_norm = text::norm(&native_id);
            let kind = "not-in-export".to_owned();
            let name = Some(native_id.clone());
            let row = EntitlementRow { name, native_id, name_norm, kind, attributes: marker(), ..EntitlementRow::default() };
            self.draft.entitlements.push(Drafted { row, origin });
        }
        Ok(())
    }

    /// The records of who asked, decided and answers. Their references stay texts, so they hang on nothing.
    fn records(&mut self) -> Result<Ids, StoreError> {
        let systems = std::mem::take(&mut self.draft.systems);
        self.dimension(systems, false, &[])?;
        let exceptions = std::mem::take(&mut self.draft.exceptions);
        self.dimension(exceptions, false, &[])?;
        let requests = std::mem::take(&mut self.draft.requests);
        let ids = self.dimension(requests, false, &["requested_at", "decided_at", "closed_at"])?;
        let reviews = std::mem::take(&mut self.draft.reviews);
        self.dimension(reviews, false, &["decided_at"])?;
        let rules = std::mem::take(&mut self.draft.separation_rules);
        self.dimension(rules, false, &[])?;
        let log = std::mem::take(&mut self.draft.workflow_log);
        self.dimension(log, false, &["decided_at", "enforced_at"])?;
        let mut roles = std::mem::take(&mut self.draft.role_model);
        let mut facts = Facts::new(self.sorter());
        roles.take(|r| {
            facts.add(&r.row, None, r.origin, |row, to| {
                key::text(&row.role, to);
                for part in [&row.system, &row.entitlement_ref, &row.resource_ref, &row.title_norm, &row.org_unit_norm, &row.holder_ref] {
                    key::optional(part.as_deref(), to);
                }
            });
            Ok(())
        })?;
        self.fact_rows::<RoleModelRow>(facts.sorter, &[])?;
        Ok(ids)
    }

    /// Writes sorted fact rows; of equal keys one stays, with the origins of all.
    fn fact_rows<R: Row + 'static>(&mut self, sorter: Sorter, instants: &'static [&'static str]) -> Result<(), StoreError> {
        let mut table = TableWriter::<R>::new(self.dir, Manner { numbered: false, instants })?;
        let mut last = Vec::new();
        let origins = self.origins.of(R::TABLE, &self.draft.scratch);
        sorter.finish(|by, rest| {
            let entry = Entry::of(rest).ok_or_else(torn)?;
            if table.next() == 0 || last != own(by) {
                last.clear();
                last.extend_from_slice(own(by));
                table.push(entry.row, entry.account)?;
            }
            // More rows than an ordinal counts are refused where the dimensions are numbered; a fact row's place only names its origin.
            origins.push((u32::try_from(table.next().saturating_sub(1)).unwrap_or(u32::MAX), entry.origin));
            Ok::<(), StoreError>(())
        })?;
        self.written(table)
    }

    fn memberships(&mut self, names: &Names<'_>) -> Result<(), StoreError> {
        let first_counts = self.draft.first_counts.is_some();
        let edges = std::mem::take(&mut self.draft.memberships);
        let sorter = self.sorted(edges, |packed, buffers, push| {
            let edge = Edge::of(packed, false).ok_or_else(torn)?;
            let Buffers { by, rest, row, tail, who, to } = buffers;
            let who = who.resolve(names, edge);
            let group = to.get(names.groups, edge.to).unwrap_or(0);
            by.clear();
            who.key(by);
            by.extend_from_slice(&group.to_be_bytes());
            // Everything before the kind is told by the principal and the group.
            let mut left = edge.row;
            MembershipRow::skip(&mut left, 0, 6).ok_or_else(torn)?;
            row.clear();
            who.pack(row);
            pack::number(u64::from(group), row);
            row.extend_from_slice(left);
            tail.clear();
            tail.push(pack::take_byte(&mut left).ok_or_else(torn)?);
            MembershipRow::skip(&mut left, 7, 11).ok_or_else(torn)?;
            optional(&mut left, tail).ok_or_else(torn)?;
            tail.push(who.kind.code());
            finish_key(by, tail, first_counts, edge.origin);
            Entry::put(who.account, edge.kind, edge.origin, rest);
            rest.extend_from_slice(row);
            push(by, rest);
            Ok(())
        })?;
        let note = self.draft.first_counts.map(|(memberships, _)| memberships);
        self.edge_rows::<MembershipRow>(sorter, note, &["granted_at"])
    }

    fn grants(&mut self, names: &Names<'_>, entitlements: &Ids, resources: &Ids) -> Result<(), StoreError> {
        let first_counts = self.draft.first_counts.is_some();
        let edges = std::mem::take(&mut self.draft.grants);
        let sorter = self.sorted(edges, |packed, buffers, push| {
            let edge = Edge::of(packed, true).ok_or_else(torn)?;
            let Buffers { by, rest, row, tail, who, to } = buffers;
            let who = who.resolve(names, edge);
            let entitlement = to.get(entitlements, edge.to).unwrap_or(0);
            let resource = edge.on.and_then(|r| resources.get(r));
            // Everything before the effect is told by the ends of the edge.
            let mut left = edge.row;
            GrantRow::skip(&mut left, 0, 7).ok_or_else(torn)?;
            row.clear();
            who.pack(row);
            pack::number(u64::from(entitlement), row);
            resource.pack(row);
            row.extend_from_slice(left);
            by.clear();
            who.key(by);
            by.extend_from_slice(&entitlement.to_be_bytes());
            key::ordinal(resource, by);
            by.push(pack::take_byte(&mut left).ok_or_else(torn)?);
            GrantRow::skip(&mut left, 8, 14).ok_or_else(torn)?;
            tail.clear();
            optional(&mut left, tail).ok_or_else(torn)?;
            tail.push(who.kind.code());
            finish_key(by, tail, first_counts, edge.origin);
            Entry::put(who.account, edge.kind, edge.origin, rest);
            rest.extend_from_slice(row);
            push(by, rest);
            Ok(())
        })?;
        let note = self.draft.first_counts.map(|(_, grants)| grants);
        self.edge_rows::<GrantRow>(sorter, note, &["granted_at", "last_used_at"])
    }

    /// Writes sorted edges. Of equal ones the first stays, with the origins of all; or, where `note` is given, of all between the same two
    /// ends the first, with its own origin only.
    fn edge_rows<R: Row + 'static>(
        &mut self,
        sorter: Sorter,
        note: Option<&'static str>,
        instants: &'static [&'static str],
    ) -> Result<(), StoreError> {
        let table = TableWriter::<R>::new(self.dir, Manner { numbered: true, instants })?;
        let origins = self.origins.of(R::TABLE, &self.draft.scratch);
        let mut out = EdgeRows { table, origins, last: Vec::new(), firsts: Vec::new() };
        let mut further: BTreeMap<u32, u64> = BTreeMap::new();
        sorter.finish(|by, rest| {
            let entry = Entry::of(rest).ok_or_else(torn)?;
            if note.is_none() {
                return out.add(own(by), &entry);
            }
            let (ends, tail) = first_key(by).ok_or_else(torn)?;
            if out.last != ends {
                out.settle()?;
                out.last = ends.to_vec();
            }
            if out.firsts.iter().any(|f| f.mark == entry.mark) {
                *further.entry(entry.origin.file).or_insert(0) += 1;
            } else {
                out.firsts.push(First {
                    tail: tail.to_vec(),
                    mark: entry.mark,
                    account: entry.account,
                    origin: entry.origin,
                    row: entry.row.to_vec(),
                });
            }
            Ok(())
        })?;
        out.settle()?;
        let table = out.table;
        for (file, count) in further {
            *self.draft.ledger(file).notes.entry(note.unwrap_or_default().to_owned()).or_insert(0) += count;
        }
        self.written(table)
    }

    fn credentials(&mut self, accounts: &Ids) -> Result<Ids, StoreError> {
        let mut sorter = self.sorter();
        let (mut by, mut rest, mut row) = (Vec::new(), Vec::new(), Vec::new());
        let mut credentials = std::mem::take(&mut self.draft.credentials);
        let count = credentials.total();
        credentials.take(|c: DraftCredential| {
            let mut credential = c.row;
            credential.account_ix = accounts.get(&c.holder);
            credential.holder_ref = credential.account_ix.is_none().then_some(c.holder);
            by.clear();
            key::text(&credential.native_id, &mut by);
            sort_origin(c.origin, &mut by);
            Entry::put(credential.account_ix, 0, c.origin, &mut rest);
            row.clear();
            credential.pack(&mut row);
            let mut left = row.as_slice();
            CredentialRow::skip(&mut left, 0, 1).ok_or_else(torn)?;
            rest.extend_from_slice(left);
            sorter.push(&by, &rest);
            Ok(())
        })?;
        self.numbered::<CredentialRow>(sorter, count, true, &["created_at", "rotated_at", "last_used_at"])
    }

    /// Rows that hang on a dimension; one whose parent is not there is left out.
    fn children(&mut self, accounts: &Ids, entitlements: &Ids, identities: &Ids) -> Result<(), StoreError> {
        let mut facts = Facts::new(self.sorter());
        let mut statements = std::mem::take(&mut self.draft.statements);
        statements.take(|c: DraftChild<StatementRow>| {
            let Some(entitlement_ix) = entitlements.get(&c.parent) else { return Ok(()) };
            facts.add(&StatementRow { entitlement_ix, ..c.row }, None, c.origin, |row, to| {
                to.extend_from_slice(&row.entitlement_ix.to_be_bytes());
                to.extend_from_slice(&row.statement.to_be_bytes());
            });
            Ok(())
        })?;
        self.fact_rows::<StatementRow>(facts.sorter, &[])?;

        let mut facts = Facts::new(self.sorter());
        let mut employments = std::mem::take(&mut self.draft.employments);
        employments.take(|c: DraftChild<EmploymentRow>| {
            let Some(identity_ix) = identities.get(&c.parent) else { return Ok(()) };
            facts.add(&EmploymentRow { identity_ix, ..c.row }, None, c.origin, |row, to| {
                to.extend_from_slice(&row.identity_ix.to_be_bytes());
                to.push(u8::from(row.starts_at.is_some()));
                key::signed(row.starts_at.map_or(0, Time::micros), to);
                key::text(&row.employment, to);
            });
            Ok(())
        })?;
        self.fact_rows::<EmploymentRow>(facts.sorter, &["start_known_at", "end_known_at"])?;

        let mut facts = Facts::new(self.sorter());
        let mut lifecycle = std::mem::take(&mut self.draft.lifecycle);
        lifecycle.take(|c: DraftChild<LifecycleRow>| {
            let Some(identity_ix) = identities.get(&c.parent) else { return Ok(()) };
            facts.add(&LifecycleRow { identity_ix, ..c.row }, None, c.origin, |row, to| {
                to.extend_from_slice(&row.identity_ix.to_be_bytes());
                key::signed(row.effective_at.micros(), to);
                key::text(&row.kind, to);
            });
            Ok(())
        })?;
        self.fact_rows::<LifecycleRow>(facts.sorter, &[])?;

        let mut facts = Facts::new(self.sorter());
        let mut events = std::mem::take(&mut self.draft.events);
        events.take(|e: DraftChild<EventRow>| {
            let account_ix = accounts.get(&e.parent);
            let row = EventRow { account_ix, principal_ref: account_ix.is_none().then_some(e.parent), ..e.row };
            facts.add(&row, account_ix, e.origin, |row, to| {
                key::signed(row.at.micros(), to);
                key::text(&row.event, to);
            });
            Ok(())
        })?;
        self.fact_rows::<EventRow>(facts.sorter, &["at"])
    }

    /// Further origins of rows, by the native ids of those.
    fn facts(&mut self, known: &[(&'static Table, &Ids)]) -> Result<(), StoreError> {
        let mut facts = std::mem::take(&mut self.draft.facts);
        let (origins, scratch) = (&mut self.origins, &self.draft.scratch);
        facts.take(|(table, native_id, fact, origin)| {
            let ids = known.iter().find(|(t, _)| t.name == table.name).map(|(_, ids)| ids);
            if let Some(row) = ids.and_then(|ids| ids.get(&native_id)) {
                origins.of(table, scratch).further(row, fact, origin);
            }
            Ok(())
        })?;
        Ok(())
    }

    /// Rejects in the order of their places.
    fn rejects(&mut self) -> Result<(), StoreError> {
        let mut sorter = self.sorter();
        let mut by = Vec::new();
        let mut rejects = std::mem::take(&mut self.draft.rejects);
        rejects.walk(|packed| {
            // A packed reject is a packed row.
            let mut left = packed;
            let origin = Origin::unpack(&mut left).ok_or_else(torn)?;
            Option::<u64>::unpack(&mut left).ok_or_else(torn)?;
            by.clear();
            by.extend_from_slice(&origin.file.to_be_bytes());
            by.extend_from_slice(&origin.number.to_be_bytes());
            key::text(pack::take_text(&mut left).ok_or_else(torn)?, &mut by);
            key::text(pack::take_text(&mut left).ok_or_else(torn)?, &mut by);
            sorter.push(&by, packed);
            Ok(())
        })?;
        drop(rejects);
        let mut table = TableWriter::<RejectRow>::new(self.dir, Manner { numbered: false, instants: &[] })?;
        sorter.finish(|_, row| table.push(row, None))?;
        self.written(table)
    }

    fn origins(&mut self) -> Result<(), StoreError> {
        let mut table = TableWriter::<OriginRow>::new(self.dir, Manner { numbered: false, instants: &[] })?;
        for (name, origins) in std::mem::take(&mut self.origins).tables {
            origins.write(name, self.sorter(), &mut table)?;
        }
        self.written(table)
    }
}

/// The native ids of a pile's rows.
fn named<R: Row>(rows: &mut Pile<Drafted<R>>) -> Result<HashSet<String>, StoreError> {
    let mut known = HashSet::new();
    rows.walk(|packed| {
        let mut left = packed;
        Origin::unpack(&mut left).ok_or_else(torn)?;
        R::skip(&mut left, 0, 1).ok_or_else(torn)?;
        known.insert(pack::take_text(&mut left).ok_or_else(torn)?.to_owned());
        Ok(())
    })?;
    Ok(known)
}

/// What edges lead to and is not known, each with the origin of the first edge that names it.
fn unknown<T: Pack>(edges: &mut Pile<T>, grants: bool, known: &HashSet<String>) -> Result<BTreeMap<String, Origin>, StoreError> {
    let mut missing: BTreeMap<String, Origin> = BTreeMap::new();
    edges.walk(|packed| {
        let edge = Edge::of(packed, grants).ok_or_else(torn)?;
        if !known.contains(edge.to) && !missing.contains_key(edge.to) {
            missing.insert(edge.to.to_owned(), edge.origin);
        }
        Ok(())
    })?;
    Ok(missing)
}

/// Moves a packed text that may be missing into a key.
fn optional(from: &mut &[u8], to: &mut Vec<u8>) -> Option<()> {
    let text = if pack::take_byte(from)? == 0 { None } else { Some(pack::take_text(from)?) };
    key::optional(text, to);
    Some(())
}

/// A packed edge, taken apart as far as it must be.
#[derive(Clone, Copy)]
struct Edge<'a> {
    kind: u8,
    who: &'a str,
    /// Group or entitlement.
    to: &'a str,
    on: Option<&'a str>,
    origin: Origin,
    row: &'a [u8],
}

impl<'a> Edge<'a> {
    fn of(packed: &'a [u8], grant: bool) -> Option<Self> {
        let mut left = packed;
        let kind = pack::take_byte(&mut left)?;
        let (who, to) = (pack::take_text(&mut left)?, pack::take_text(&mut left)?);
        let has = grant && pack::take_byte(&mut left)? != 0;
        let on = if has { Some(pack::take_text(&mut left)?) } else { None };
        let origin = Origin::unpack(&mut left)?;
        Some(Self { kind, who, to, on, origin, row: left })
    }
}

/// Ends the key of an edge: where the first counts, with its origin, what else would order it, and the length of its ends.
fn finish_key(by: &mut Vec<u8>, tail: &[u8], first_counts: bool, origin: Origin) {
    let ends = by.len();
    if !first_counts {
        by.extend_from_slice(tail);
    }
    sort_origin(origin, by);
    if first_counts {
        by.extend_from_slice(tail);
        by.extend_from_slice(&u32::try_from(ends).unwrap_or(u32::MAX).to_be_bytes());
    }
}

/// Ends and tail of the key of an edge of which the first counts.
fn first_key(by: &[u8]) -> Option<(&[u8], &[u8])> {
    let (key, len) = by.split_last_chunk::<4>()?;
    let (ends, rest) = key.split_at_checked(u32::from_be_bytes(*len) as usize)?;
    Some((ends, rest.get(ORIGIN..)?))
}

/// The first edge between two ends by one spelling of its principal.
struct First {
    tail: Vec<u8>,
    mark: u8,
    account: Option<u32>,
    origin: Origin,
    row: Vec<u8>,
}

struct EdgeRows<'a, R> {
    table: TableWriter<R>,
    origins: &'a mut TableOrigins,
    last: Vec<u8>,
    firsts: Vec<First>,
}

impl<R: Row + 'static> EdgeRows<'_, R> {
    /// Adds an edge; one equal to the last gives its origin only.
    fn add(&mut self, key: &[u8], entry: &Entry<'_>) -> Result<(), StoreError> {
        if self.table.next() == 0 || self.last != key {
            self.last.clear();
            self.last.extend_from_slice(key);
            u32::try_from(self.table.next()).map_err(|_| too_many("an edge table"))?;
            self.table.push(entry.row, entry.account)?;
        }
        self.origins.push((u32::try_from(self.table.next() - 1).unwrap_or(u32::MAX), entry.origin));
        Ok(())
    }

    /// Writes the first edges between the last two ends. Principals that nobody knows may be spelt as accounts and as groups alike.
    fn settle(&mut self) -> Result<(), StoreError> {
        let mut firsts = std::mem::take(&mut self.firsts);
        firsts.sort_by(|a, b| a.tail.cmp(&b.tail).then(a.origin.cmp(&b.origin)));
        let ends = std::mem::take(&mut self.last);
        for first in firsts {
            let key = [ends.as_slice(), &first.tail].concat();
            self.add(&key, &Entry { account: first.account, mark: first.mark, origin: first.origin, row: &first.row })?;
        }
        Ok(())
    }
}

/// Fact rows on their way into a sorter.
struct Facts {
    sorter: Sorter,
    by: Vec<u8>,
    rest: Vec<u8>,
}

impl Facts {
    fn new(sorter: Sorter) -> Self {
        Self { sorter, by: Vec::new(), rest: Vec::new() }
    }

    fn add<R: Row>(&mut self, row: &R, account: Option<u32>, origin: Origin, key: impl FnOnce(&R, &mut Vec<u8>)) {
        self.by.clear();
        key(row, &mut self.by);
        sort_origin(origin, &mut self.by);
        Entry::put(account, 0, origin, &mut self.rest);
        row.pack(&mut self.rest);
        self.sorter.push(&self.by, &self.rest);
    }
}

/// What one thread fills again for each row.
#[derive(Default)]
struct Buffers {
    by: Vec<u8>,
    rest: Vec<u8>,
    row: Vec<u8>,
    tail: Vec<u8>,
    who: LastWho,
    to: LastId,
}

/// The text that was looked up last: edges of one list often follow each other by account or by group.
#[derive(Default)]
struct LastId {
    text: String,
    found: Option<Option<u32>>,
}

impl LastId {
    fn get(&mut self, ids: &Ids, text: &str) -> Option<u32> {
        if let Some(found) = self.found.filter(|_| self.text == text) {
            return found;
        }
        self.text.clear();
        self.text.push_str(text);
        *self.found.insert(ids.get(text))
    }
}

/// The principal that was looked up last.
#[derive(Default)]
struct LastWho {
    kind: u8,
    text: String,
    found: Option<(Option<u32>, Option<u32>, PrincipalKind)>,
}

impl LastWho {
    fn resolve<'t>(&mut self, names: &Names<'_>, edge: Edge<'t>) -> Who<'t> {
        if let Some((account, group, kind)) = self.found.filter(|_| self.kind == edge.kind && self.text == edge.who) {
            return Who { account, group, kind, text: (account.is_none() && group.is_none()).then_some(edge.who) };
        }
        let who = names.resolve(edge.kind, edge.who);
        self.kind = edge.kind;
        self.text.clear();
        self.text.push_str(edge.who);
        self.found = Some((who.account, who.group, who.kind));
        who
    }
}

struct Names<'a> {
    accounts: &'a Ids,
    groups: &'a Ids,
}

/// What a principal is once its name was looked up.
struct Who<'a> {
    account: Option<u32>,
    group: Option<u32>,
    kind: PrincipalKind,
    text: Option<&'a str>,
}

impl Who<'_> {
    fn key(&self, to: &mut Vec<u8>) {
        key::ordinal(self.account, to);
        key::ordinal(self.group, to);
        key::optional(self.text, to);
    }

    /// Its columns, which stand together in both tables of edges.
    fn pack(&self, to: &mut Vec<u8>) {
        self.account.pack(to);
        self.group.pack(to);
        to.push(self.kind.code());
        to.push(u8::from(self.text.is_some()));
        if let Some(text) = self.text {
            pack::bytes(text.as_bytes(), to);
        }
    }
}

impl Names<'_> {
    /// `kind`: see [`Principal::parts`].
    fn resolve<'t>(&self, kind: u8, id: &'t str) -> Who<'t> {
        let (account, group, other) = match kind {
            Principal::ACCOUNT => (self.accounts.get(id), None, PrincipalKind::Unresolved),
            Principal::GROUP => (None, self.groups.get(id), PrincipalKind::Unresolved),
            Principal::EITHER => {
                let account = self.accounts.get(id);
                (account, if account.is_none() { self.groups.get(id) } else { None }, PrincipalKind::Unresolved)
            }
            Principal::DELETED => (None, None, PrincipalKind::Deleted),
            Principal::EXTERNAL => (None, None, PrincipalKind::External),
            Principal::WILDCARD => (None, None, PrincipalKind::Wildcard),
            Principal::ROOT => (None, None, PrincipalKind::Root),
            Principal::FEDERATED => (None, None, PrincipalKind::Federated),
            _ => (None, None, PrincipalKind::Service),
        };
        let kind = match (account, group) {
            (Some(_), _) => PrincipalKind::Account,
            (None, Some(_)) => PrincipalKind::Group,
            (None, None) => other,
        };
        Who { account, group, kind, text: (account.is_none() && group.is_none()).then_some(id) }
    }
}

/// Where the rows of each table came from.
#[derive(Default)]
struct Origins {
    tables: BTreeMap<&'static str, TableOrigins>,
}

impl Origins {
    fn of(&mut self, table: &'static Table, scratch: &crate::connectors::Scratch) -> &mut TableOrigins {
        self.tables.entry(table.name).or_insert_with(|| TableOrigins {
            rows: Pile::new(scratch),
            last: None,
            mixed: false,
            further: Pile::new(scratch),
        })
    }
}

/// Where the rows of one table came from.
struct TableOrigins {
    rows: Pile<(u32, Origin)>,
    last: Option<(u32, u32, u64)>,
    /// The rows did not come in the order in which they are stored.
    mixed: bool,
    /// Row, fact and origin of what another record added.
    further: Pile<(u32, (String, Origin))>,
}

impl TableOrigins {
    fn push(&mut self, (row, origin): (u32, Origin)) {
        let place = Some((row, origin.file, origin.number));
        self.mixed |= place < self.last;
        self.last = place;
        self.rows.push((row, origin));
    }

    fn further(&mut self, row: u32, fact: &str, origin: Origin) {
        self.further.push((row, (fact.to_owned(), origin)));
    }

    fn write(mut self, name: &str, mut sorter: Sorter, table: &mut TableWriter<OriginRow>) -> Result<(), StoreError> {
        let pack = |row: u32, fact: &str, origin: Origin, to: &mut Vec<u8>| {
            to.clear();
            pack::bytes(name.as_bytes(), to);
            pack::number(u64::from(row), to);
            pack::bytes(fact.as_bytes(), to);
            origin.pack(to);
        };
        let (mut packed, mut last) = (Vec::new(), Vec::new());
        let mut put = |packed: &[u8]| {
            if last == packed {
                return Ok(());
            }
            last.clear();
            last.extend_from_slice(packed);
            table.push(packed, None)
        };
        if !self.mixed && self.further.total() == 0 {
            let mut failed = Ok(());
            self.rows.take(|(row, origin)| {
                pack(row, "row", origin, &mut packed);
                if failed.is_ok() {
                    failed = put(&packed);
                }
                Ok(())
            })?;
            return failed;
        }
        let mut by = Vec::new();
        let mut sort = |row: u32, fact: &str, origin: Origin| {
            by.clear();
            by.extend_from_slice(&row.to_be_bytes());
            key::text(fact, &mut by);
            by.extend_from_slice(&origin.file.to_be_bytes());
            by.extend_from_slice(&origin.number.to_be_bytes());
            pack(row, fact, origin, &mut packed);
            sorter.push(&by, &packed);
            Ok(())
        };
        self.rows.take(|(row, origin)| sort(row, "row", origin))?;
        self.further.take(|(row, (fact, origin))| sort(row, &fact, origin))?;
        sorter.finish(|_, packed| put(packed))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::connectors::{DraftGrant, DraftMembership, Scratch};
    use crate::store::seal::write_tables;

    /// A draft in which names meet, repeat and are missing. `edges`: principal, its spelling, group or entitlement, resource.
    fn draft(accounts: &[u8], groups: &[u8], edges: &[(u8, u8, u8, u8)], scratch: &Scratch) -> Draft {
        let mut draft = Draft::on(2, scratch);
        let id = |n: u8| ["", "a", "b\0", "b", "ü", "a\u{1}", "aa"][usize::from(n) % 7].to_owned();
        let mut number = 0;
        let mut origin = |file: u8| {
            number += 1;
            Origin::line(u32::from(file % 2), 1_000 - number % 7)
        };
        for n in accounts {
            let row = AccountRow {
                native_id: id(*n),
                login: Some(format!("l{n}")),
                created_at: Time::from_seconds(i64::from(*n)),
                ..AccountRow::default()
            };
            draft.accounts.push(Drafted { row, origin: origin(*n) });
            draft.accept(u32::from(n % 2));
            draft.facts.push((&ACCOUNTS, id(*n), "email", origin(1)));
            let row = CredentialRow { native_id: id(n / 2), last_used_at: Time::from_seconds(9), ..CredentialRow::default() };
            draft.credentials.push(DraftCredential { row, holder: id(n / 3), origin: origin(*n) });
            let row = EventRow { event: id(*n), at: Time::default(), ..EventRow::default() };
            draft.events.push(DraftChild { row, parent: id(n / 2), origin: origin(0) });
            draft.identities.push(Drafted { row: IdentityRow { native_id: id(*n), ..IdentityRow::default() }, origin: origin(1) });
            let starts_at = (n % 2 == 0).then(|| Time::from_seconds(-i64::from(*n))).flatten();
            let row = EmploymentRow { employment: id(n / 4), starts_at, ..EmploymentRow::default() };
            draft.employments.push(DraftChild { row, parent: id(n / 2), origin: origin(0) });
            draft.requests.push(Drafted { row: RequestRow { request: id(*n), ..RequestRow::default() }, origin: origin(0) });
            draft.facts.push((&REQUESTS, id(*n), "decision", origin(0)));
            let row = RoleModelRow { role: id(n / 2), entitlement_ref: Some(id(*n)).filter(|t| !t.is_empty()), ..RoleModelRow::default() };
            draft.role_model.push(Drafted { row, origin: origin(0) });
        }
        for n in groups {
            draft.groups.push(Drafted { row: GroupRow { native_id: id(*n), ..GroupRow::default() }, origin: origin(*n) });
            draft.resources.push(Drafted { row: ResourceRow { native_id: id(n / 2), ..ResourceRow::default() }, origin: origin(0) });
            let row = StatementRow { statement: u32::from(n % 3), ..StatementRow::default() };
            draft.statements.push(DraftChild { row, parent: id(*n), origin: origin(0) });
        }
        for (n, (who, spelling, to, on)) in edges.iter().enumerate() {
            let make =
                [Principal::Account, Principal::Group, Principal::Either, Principal::Wildcard, Principal::Federated, Principal::Deleted];
            let who = make[usize::from(*spelling) % 6](id(*who));
            let condition = (on % 5 == 0).then(|| id(on / 5));
            let kind = MembershipKind::ALL[usize::from(on % 4)];
            let row = MembershipRow { kind, condition: condition.clone(), granted_by: Some(id(*on)), ..MembershipRow::default() };
            draft.memberships.push(DraftMembership { row, member: who.clone(), group: id(*to), origin: origin(*to) });
            let effect = Effect::ALL[usize::from(on % 3)];
            // Many edges are all different.
            let condition = if edges.len() > 1_000 { Some(n.to_string()) } else { condition };
            let row = GrantRow { effect, condition, granted_at: Time::from_seconds(i64::from(*on)), ..GrantRow::default() };
            let resource = (on % 2 == 0).then(|| id(on / 2));
            draft.grants.push(DraftGrant { row, holder: who, entitlement: id(*to), resource, origin: origin(*on) });
        }
        draft
    }

    /// Both ways of assembling: the files, and the ledgers with the rejects.
    fn both(make: impl Fn() -> Draft) -> [(Vec<TableEntry>, Vec<crate::connectors::FileLedger>, Option<Time>); 2] {
        let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let mut plain = make();
        let tables = crate::store::assemble::assemble(&mut plain).unwrap();
        let slow = (write_tables(dirs[0].path(), &tables).unwrap(), plain.files, tables.newest_instant());
        let mut streamed = make();
        let made = assemble(&mut streamed, dirs[1].path()).unwrap();
        [slow, (made.entries, streamed.files, made.newest)]
    }

    proptest! {
        #[test]
        fn it_comes_to_what_is_said_plainly(
            accounts in proptest::collection::vec(any::<u8>(), 0..12), groups in proptest::collection::vec(any::<u8>(), 0..8),
            edges in proptest::collection::vec(any::<(u8, u8, u8, u8)>(), 0..24),
        ) {
            let [slow, fast] = both(|| draft(&accounts, &groups, &edges, &Scratch::default()));
            prop_assert_eq!(fast, slow);
        }
    }

    #[test]
    fn rows_that_were_put_aside_and_groups_of_many_rows_are_written_alike() {
        let mut byte = 7u32;
        let mut next = move || {
            byte = byte.wrapping_mul(1_103_515_245).wrapping_add(12_345);
            (byte >> 16).to_le_bytes()[0]
        };
        // One account holds more than a row group, so that it ends late.
        let edges: Vec<(u8, u8, u8, u8)> = (0..150_000).map(|i| (if i % 9 == 0 { next() } else { 1 }, 0, next(), next())).collect();
        let scratch = Scratch::new(tempfile::tempfile);
        let make = || draft(&[0, 1, 2, 3, 4, 5, 6], &[0, 1, 2, 3, 4, 5, 6], &edges, &scratch);
        let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let mut plain = make();
        for pile in [plain.memberships.open(), plain.grants.open()] {
            pile.unwrap();
        }
        let tables = crate::store::assemble::assemble(&mut plain).unwrap();
        let slow = write_tables(dirs[0].path(), &tables).unwrap();
        let made = assemble(&mut make(), dirs[1].path()).unwrap();
        // A row group beyond the usual size is encoded in several steps, which cuts its pages elsewhere: the rows are the same.
        let others = |entries: &[TableEntry]| entries.iter().filter(|t| t.name != "grants").cloned().collect::<Vec<_>>();
        assert_eq!(others(&made.entries), others(&slow));
        let grants = |dir: &Path| crate::store::table_file::read::<GrantRow>(dir).unwrap();
        assert!(grants(dirs[0].path()) == grants(dirs[1].path()));
        let groups = |entries: &[TableEntry]| entries.iter().map(|t| (t.rows, t.row_groups)).collect::<Vec<_>>();
        assert_eq!(groups(&made.entries), groups(&slow));
        assert!(["grants", "row_origins"].iter().all(|n| slow.iter().any(|t| t.row_groups > 1 && t.name == *n)), "{slow:?}");
    }

    #[test]
    fn runs_stay_few_enough_to_be_open_at_once() {
        for (all, want) in [(0, 8 << 20), (1 << 30, 8 << 20), (384 << 25, 1 << 25), ((384 << 25) + 1, (1 << 25) + 1)] {
            assert_eq!(run_bytes(all), want, "{all}");
        }
    }

    #[test]
    fn where_the_first_counts_further_edges_of_one_spelling_leave_nothing_but_a_note() {
        let mut draft = Draft::new(1);
        draft.first_counts = Some(("again", "again"));
        draft.accounts.push(Drafted { row: AccountRow { native_id: "a".into(), ..AccountRow::default() }, origin: Origin::line(0, 1) });
        let kinds = [MembershipKind::Dynamic, MembershipKind::Direct, MembershipKind::Primary];
        let members = [Principal::Account("a".into()), Principal::Account("x".into()), Principal::Group("x".into())];
        for (number, member) in (1..).zip(members.iter().cycle().take(9)) {
            let row = MembershipRow { kind: kinds[(number as usize / 4) % 3], ..MembershipRow::default() };
            draft.memberships.push(DraftMembership { row, member: member.clone(), group: "g".into(), origin: Origin::line(0, number) });
        }
        let dir = tempfile::tempdir().unwrap();
        assemble(&mut draft, dir.path()).unwrap();
        let rows: Vec<MembershipRow> = crate::store::table_file::read(dir.path()).unwrap();
        let seen: Vec<_> = rows.iter().map(|m| (m.membership_ix, m.account_ix, m.principal_ref.as_deref(), m.kind)).collect();
        assert_eq!(seen, [(0, Some(0), None, kinds[0]), (1, None, Some("x"), kinds[0])]);
        let origins: Vec<OriginRow> = crate::store::table_file::read(dir.path()).unwrap();
        let of: Vec<_> = origins.iter().filter(|o| o.table == "memberships").map(|o| (o.row, o.number)).collect();
        // The unknown `x` stands for an account and for a group: one edge, with the first record of either.
        assert_eq!(of, [(0, 1), (1, 2), (1, 3)]);
        assert_eq!(draft.files[0].notes.get("again"), Some(&6));
    }
}
