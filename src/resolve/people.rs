//! Everybody whom the authorities know or knew: their records over all snapshots, joined, with their standing (11.5).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::join::{self, Entry};
use super::owners::{Directory, Reference};
use super::settings::IdentityLink;
use super::timeline::{Leave, Seen, Span, Timeline, View};
use super::{AuthorityInput, Identity};
use crate::model::{
    AccountIdentityRow, EmploymentRow, IdentityKind, IdentityRow, IdentityStatus, MatchState, Population, RunIdentityRow, Time,
};

pub use super::join::Unjoined;

/// `source_ix` of an identity that the authority's current snapshot lacks: an ordinal that no snapshot has, so that nothing joins to it.
pub const GONE_SOURCE_IX: u32 = u32::MAX;

/// Every identity of the run, after declared joins.
#[derive(Clone, Debug, Default)]
pub struct People {
    rows: Vec<RunIdentityRow>,
    timelines: Vec<Timeline>,
    directory: Directory,
    sources: BTreeMap<(u32, u32), u32>,
    unjoined: Vec<Unjoined>,
}

impl People {
    /// Table `identities_seen`, by `identity_ix`.
    pub fn rows(&self) -> &[RunIdentityRow] {
        &self.rows
    }

    /// The row of one identity.
    pub fn row(&self, identity_ix: u32) -> Option<&RunIdentityRow> {
        self.rows.get(identity_ix as usize)
    }

    /// What an identity's employments say of `t`; `None`: no such identity.
    pub fn standing(&self, identity_ix: u32, t: Time, seen: Seen) -> Option<View> {
        Some(self.timelines.get(identity_ix as usize)?.at(t, seen))
    }

    /// Whom a text names: native id, employee number, e-mail, login, alias or display name of a person, in that order.
    pub fn find(&self, text: &str) -> Reference {
        self.directory.find(text)
    }

    /// The run's identity for a record of an authority's current snapshot, joined records included.
    pub fn identity_of(&self, system_ix: u32, source_ix: u32) -> Option<u32> {
        self.sources.get(&(system_ix, source_ix)).copied()
    }

    /// Records that a declared link would have joined and that were left apart.
    pub fn unjoined(&self) -> &[Unjoined] {
        &self.unjoined
    }

    /// By what texts name them.
    pub(super) fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Texts that name somebody are looked up here from now on.
    pub(super) fn name_by(&mut self, directory: Directory) {
        self.directory = directory;
    }

    /// Fills `accounts_linked` and `accounts_disputed` from the candidates of every account.
    pub(super) fn count_accounts(&mut self, candidates: &[AccountIdentityRow]) {
        for candidate in candidates {
            if let Some(row) = self.rows.get_mut(candidate.identity_ix as usize) {
                match candidate.state {
                    MatchState::Linked => row.accounts_linked += 1,
                    _ => row.accounts_disputed += 1,
                }
            }
        }
    }
}

/// Reads the authorities: the people, not yet to be found by name, and the records by which accounts find them.
pub(super) fn gather<'a>(authorities: &'a [AuthorityInput], links: &[IdentityLink]) -> (People, Vec<Identity<'a>>) {
    let mut ordered: Vec<&AuthorityInput> = authorities.iter().collect();
    ordered.sort_by_key(|a| a.system_ix);
    let entries: Vec<Entry<'a>> = ordered.iter().enumerate().flat_map(|(i, a)| entries(i, a)).collect();
    let (roots, unjoined) = join::roots(&ordered, &entries, links);
    let mut members: BTreeMap<usize, Vec<&Entry<'a>>> = BTreeMap::new();
    for (i, (entry, root)) in entries.iter().zip(&roots).enumerate() {
        let of_root = members.entry(*root).or_default();
        // The root's own record stands first: it gives the row.
        if i == *root { of_root.insert(0, entry) } else { of_root.push(entry) }
    }
    let mut people = People { unjoined, ..People::default() };
    let mut identities = Vec::with_capacity(members.len());
    for (identity_ix, of_root) in (0_u32..).zip(members.values()) {
        let Some(authority) = of_root.first().and_then(|e| ordered.get(e.authority)) else { continue };
        let timeline = Timeline { spans: of_root.iter().flat_map(|e| e.spans.iter().copied()).collect() };
        people.rows.extend(of_root.first().map(|e| {
            let stated = |f: fn(&IdentityRow) -> Option<&String>| of_root.iter().find_map(|e| f(e.row)).cloned();
            let (title, org_unit) = (stated(|r| r.title.as_ref()), stated(|r| r.org_unit.as_ref()));
            RunIdentityRow { title, org_unit, ..row(identity_ix, authority, e, &timeline) }
        }));
        people.timelines.push(timeline);
        for e in of_root {
            people.sources.extend(e.source_ix.map(|source| ((e.system_ix, source), identity_ix)));
        }
        let spoken = of_root.iter().any(|e| e.spoken);
        identities.extend(of_root.first().map(|e| Identity {
            identity_ix,
            kind: e.row.kind,
            spoken,
            records: of_root.iter().map(|e| e.row).collect(),
        }));
    }
    (people, identities)
}

fn row(identity_ix: u32, authority: &AuthorityInput, entry: &Entry<'_>, timeline: &Timeline) -> RunIdentityRow {
    let view = timeline.at(authority.observed_at, Seen::ByAuthority);
    let from = entry.row;
    RunIdentityRow {
        identity_ix,
        system_ix: authority.system_ix,
        source_ix: entry.source_ix.unwrap_or(GONE_SOURCE_IX),
        identity: from.native_id.clone(),
        kind: from.kind,
        display_name: from.display_name.clone(),
        employee_number: from.employee_number.clone(),
        email: from.email.clone(),
        org_unit: None,
        title: None,
        manager_ref: from.manager_ref.clone(),
        owner_ref: from.owner_ref.clone(),
        status_text: from.status_text.clone(),
        observed_at: authority.observed_at,
        standing: view.standing,
        active_since: view.active_since,
        left_after: view.leave.and_then(|l| l.after),
        left_by: view.leave.map(|l| l.by),
        left_exact: view.leave.is_some_and(|l| l.exact),
        known_after: view.leave.and_then(|l| l.known_after),
        known_by: view.leave.map(|l| l.known_by),
        accounts_linked: 0,
        accounts_disputed: 0,
    }
}

/// One identity's record in one snapshot.
struct Record<'a> {
    row: &'a IdentityRow,
    employments: Vec<&'a EmploymentRow>,
}

/// One identity of one authority: its record in each of the authority's snapshots, ascending; the last one is current.
struct Past<'a, 't> {
    times: &'t [Time],
    records: Vec<Option<Record<'a>>>,
    population: Population,
}

fn entries<'a>(index: usize, authority: &'a AuthorityInput) -> Vec<Entry<'a>> {
    let mut snapshots: Vec<(Time, &[IdentityRow], &[EmploymentRow])> = authority
        .history
        .iter()
        .filter(|past| past.observed_at < authority.observed_at)
        .map(|past| (past.observed_at, past.identities.as_slice(), past.employments.as_slice()))
        .collect();
    snapshots.sort_by_key(|(at, ..)| *at);
    snapshots.push((authority.observed_at, &authority.identities, &authority.employments));
    let times: Vec<Time> = snapshots.iter().map(|(at, ..)| *at).collect();
    let mut by_id: BTreeMap<&str, Vec<Option<Record<'a>>>> = BTreeMap::new();
    for (i, (_, identities, employments)) in snapshots.iter().enumerate() {
        let mut held = by_identity(employments);
        for row in *identities {
            let records = by_id.entry(&row.native_id).or_default();
            records.resize_with(i, || None);
            records.push(Some(Record { row, employments: held.remove(&row.identity_ix).unwrap_or_default() }));
        }
    }
    let listed: BTreeSet<IdentityKind> = authority.identities.iter().map(|i| i.kind).collect();
    let speaks_for = |kind| if authority.kinds.is_empty() { listed.contains(&kind) } else { authority.kinds.contains(&kind) };
    let mut entries = Vec::with_capacity(by_id.len());
    for mut records in by_id.into_values() {
        records.resize_with(times.len(), || None);
        let past = Past { times: &times, records, population: authority.population };
        let current = past.current().map(|r| r.row);
        // A list of everybody that no longer lists somebody says nothing of them.
        let last = current.or_else(|| past.last_seen().filter(|_| authority.population == Population::ActiveOnly));
        entries.extend(last.map(|row| Entry {
            authority: index,
            system_ix: authority.system_ix,
            source_ix: current.map(|r| r.identity_ix),
            spoken: speaks_for(row.kind) || (current.is_none() && authority.kinds.is_empty()),
            row,
            spans: past.spans(),
        }));
    }
    entries
}

fn by_identity(employments: &[EmploymentRow]) -> HashMap<u32, Vec<&EmploymentRow>> {
    let mut held: HashMap<u32, Vec<&EmploymentRow>> = HashMap::new();
    for employment in employments {
        held.entry(employment.identity_ix).or_default().push(employment);
    }
    held
}

/// What a record says of an end; equal facts in neighbouring snapshots are one fact that was known since the first of them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End<'a> {
    Dated(Time),
    /// Left, no date given; which employment, where there are any.
    Undated(Option<&'a str>),
}

impl<'a> Record<'a> {
    fn end(&self, employment: &'a EmploymentRow) -> Option<End<'a>> {
        match employment.ends_at {
            Some(at) => Some(End::Dated(at)),
            None if employment.ended_undated || self.row.status == IdentityStatus::Left => Some(End::Undated(Some(&employment.employment))),
            None => None,
        }
    }

    fn says(&self, end: End<'_>) -> bool {
        if self.employments.is_empty() {
            return end == End::Undated(None) && self.row.status == IdentityStatus::Left;
        }
        self.employments.iter().any(|e| self.end(e) == Some(end))
    }
}

impl<'a> Past<'a, '_> {
    fn record(&self, i: usize) -> Option<&Record<'a>> {
        self.records.get(i)?.as_ref()
    }

    fn time(&self, i: usize) -> Option<Time> {
        self.times.get(i).copied()
    }

    fn current(&self) -> Option<&Record<'a>> {
        self.records.last()?.as_ref()
    }

    fn last_seen(&self) -> Option<&'a IdentityRow> {
        self.records.iter().rev().flatten().map(|r| r.row).next()
    }

    /// The spans of every stretch of snapshots in which the identity was present. A list of everybody is read in its current state only:
    /// absence from it is no fact.
    fn spans(&self) -> Vec<Span> {
        let last = self.times.len().saturating_sub(1);
        if self.population == Population::All {
            return self.record(last).map_or_else(Vec::new, |r| self.record_spans(last, r));
        }
        let mut spans = Vec::new();
        for i in 0..=last {
            let Some(record) = self.record(i) else { continue };
            if i < last && self.record(i + 1).is_some() {
                continue; // not the last of its stretch
            }
            let mut stretch = self.record_spans(i, record);
            self.date_unknown_starts(i, &mut stretch);
            self.end_by_absence(i, &mut stretch);
            spans.extend(stretch);
        }
        spans
    }

    /// What the record of snapshot `i` says by itself.
    fn record_spans(&self, i: usize, record: &Record<'a>) -> Vec<Span> {
        let suspended = record.row.status == IdentityStatus::Suspended;
        let prehire = record.row.status == IdentityStatus::Prehire;
        let never = Time::default().plus(i64::MAX);
        // Somebody who has yet to start, on a day that the record does not give, covers no instant.
        let begin = |start: Option<Time>| if start.is_none() && prehire { Some(never) } else { start };
        if record.employments.is_empty() {
            let end = (record.row.status == IdentityStatus::Left).then(|| self.leave(i, End::Undated(None), None));
            // A list of everybody that gives neither dates nor a standing leaves the question open.
            let silent = record.row.status == IdentityStatus::Unknown && self.population == Population::All;
            let only = Span { start_after: None, start: begin(None), end, suspended };
            return if silent { Vec::new() } else { vec![only] };
        }
        let span = |e: &&'a EmploymentRow| Span {
            start_after: None,
            start: begin(e.starts_at),
            end: record.end(e).map(|end| self.leave(i, end, e.end_known_at)),
            suspended,
        };
        record.employments.iter().map(span).collect()
    }

    /// The bounds of an end that the record of snapshot `i` states, and of the time at which it was entered.
    fn leave(&self, i: usize, end: End<'a>, stated: Option<Time>) -> Leave {
        let first = (0..=i).rev().take_while(|j| self.record(*j).is_some_and(|r| r.says(end))).last().unwrap_or(i);
        let before = first.checked_sub(1);
        let seen_by = self.time(first).unwrap_or_default();
        let (known_after, known_by) = match stated {
            Some(at) => (None, at),
            None => (before.and_then(|j| self.time(j)), seen_by),
        };
        match end {
            End::Dated(by) => Leave { after: None, by, exact: true, known_after, known_by },
            End::Undated(_) => {
                // Only a snapshot that shows the person as not yet left bounds the end from below.
                let after = before.filter(|j| self.record(*j).is_some()).and_then(|j| self.time(j));
                Leave { after, by: seen_by, exact: false, known_after, known_by }
            }
        }
    }

    /// Somebody who came into a list of those who are here, with no date of their own, started after the last snapshot without them.
    fn date_unknown_starts(&self, i: usize, spans: &mut [Span]) {
        let first = (0..=i).rev().take_while(|j| self.record(*j).is_some()).last().unwrap_or(i);
        let Some(absent) = first.checked_sub(1).and_then(|j| self.time(j)) else { return };
        for span in spans.iter_mut().filter(|s| s.start.is_none()) {
            span.start_after = Some(absent);
            span.start = self.time(first);
        }
    }

    /// Absence after presence ends every span that has not ended by then.
    fn end_by_absence(&self, i: usize, spans: &mut [Span]) {
        let (Some(present), Some(absent)) = (self.time(i), self.time(i + 1)) else { return };
        for span in spans.iter_mut().filter(|s| s.end.is_none_or(|e| e.by > absent)) {
            span.end = Some(Leave { after: Some(present), by: absent, exact: false, known_after: Some(present), known_by: absent });
        }
    }
}
