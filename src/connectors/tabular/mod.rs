//! `tabular`: CSV, TSV, JSON, JSON lines and Parquet through a mapping.
//!
//! ```text
//! bytes ─ decode ─ sniff ─┬─ delimited ─┐
//!                         ├─ json ──────┼─ records ─ row (mapping, dates) ─┬─ people
//!                         └─ columnar ──┘                                  ├─ access
//!                                                                         └─ lists
//! ```

mod access;
mod asked;
mod builtin;
mod columnar;
mod dates;
mod decode;
mod delimited;
mod fields;
mod json;
mod lists;
mod lot;
mod mapping;
mod names;
mod paging;
mod people;
mod records;
mod row;
mod sniff;
#[cfg(test)]
mod tests;
mod xml;

use std::collections::BTreeSet;
use std::sync::Arc;

use access::{AGAIN, Access};
use asked::Asked;
use fields::Into;
use lists::Keys;
use lot::{Lot, Mapper};
use mapping::{Plan, joined, refuse};
use paging::{Marks, Page};
use people::People;
use records::{Binding, Cells, Fault, Halt, Maker, Place, Sink, repeated};
use row::{Row, Stop};
use sniff::Format;

use super::{Connector, ConnectorError, Context, Draft, DraftChild, Input, InputError, Origin, Reject};
use crate::model::mask::excerpt;
use crate::model::{
    CREDENTIALS, EMPLOYMENTS, ENTITLEMENTS, EVENTS, EXCEPTIONS, GRANTS, GROUPS, IDENTITIES, LIFECYCLE, LifecycleRow, MEMBERSHIPS, REQUESTS,
    RESOURCES, REVIEWS, ROLE_MODEL, SEPARATION_RULES, SYSTEMS, Table, WORKFLOW_LOG,
};

/// The page of the connector.
const PAGE: &str = include_str!("page.md");

/// The connector.
pub static TABULAR: Tabular = Tabular;

/// Lists of people, accounts, exceptions and systems in files that somebody exported as a table.
#[derive(Debug)]
pub struct Tabular;

impl Connector for Tabular {
    fn id(&self) -> &'static str {
        "tabular"
    }

    fn title(&self) -> &'static str {
        "CSV, TSV, JSON, NDJSON and Parquet lists through a mapping: people, accounts, grants, exceptions, systems"
    }

    fn page(&self) -> &'static str {
        PAGE
    }

    fn read(&self, files: &[Input], context: &Context) -> Result<Draft, ConnectorError> {
        let plans: Vec<Arc<Plan>> = Plan::all(context)?.into_iter().map(Arc::new).collect();
        let mut draft = Draft::on(files.len(), &context.scratch);
        // Every edge of a list brings a row for what it names.
        draft.closed = true;
        draft.first_counts = Some(AGAIN);
        let mut work = Work { access: Access::new(&context.scratch), ..Work::default() };
        let mut pages: Vec<Vec<Page>> = plans.iter().map(|_| Vec::new()).collect();
        let parts =
            files.iter().map(|f| plans.iter().position(|p| p.takes(&f.name)).ok_or_else(|| unclaimed(f))).collect::<Result<Vec<_>, _>>()?;
        for (position, (input, part)) in files.iter().zip(parts).enumerate() {
            let Some(plan) = plans.get(part) else { continue };
            let file = u32::try_from(position).map_err(|_| refuse(&[too_many()]))?;
            let mut reading = Reading {
                plan,
                context,
                file,
                binding: None,
                headed: false,
                draft: &mut draft,
                work: &mut work,
                dropped: BTreeSet::new(),
                hollow: BTreeSet::new(),
            };
            let marks = reading.file(input).map_err(|halt| halt.of(&input.name))?;
            if let (Some(marks), Some(pages)) = (marks, pages.get_mut(part)) {
                pages.push(Page { file, records: draft.ledger(file).read, marks });
            }
        }
        for (file, why) in pages.iter().flat_map(|p| paging::short(p)) {
            draft.short(file, why);
        }
        work.finish(&mut draft);
        Ok(draft)
    }
}

fn unclaimed(input: &Input) -> ConnectorError {
    ConnectorError::Options {
        message: format!("`{}` is matched by the `files` of no part", input.name),
        help: "add a part for it, or leave it out of the source's `files`".to_owned(),
    }
}

fn too_many() -> mapping::Mistake {
    mapping::Mistake { message: "more files than can be numbered".to_owned(), help: "import fewer at a time".to_owned() }
}

/// What all files of one import build together.
#[derive(Default)]
struct Work {
    people: People,
    access: Access,
    asked: Asked,
    exceptions: Keys,
    systems: Keys,
    /// Held back until everybody is known.
    lifecycle: Vec<DraftChild<LifecycleRow>>,
}

impl Work {
    fn finish(self, draft: &mut Draft) {
        self.people.finish(draft);
        self.access.finish(draft);
        self.asked.finish(draft);
        let known: BTreeSet<String> = draft.identities.iter().map(|i| i.row.native_id.clone()).collect();
        for event in self.lifecycle {
            let file = event.origin.file;
            if known.contains(&event.parent) {
                draft.accept(file);
                draft.lifecycle.push(event);
            } else {
                draft.reject(Reject {
                    origin: event.origin,
                    byte_offset: None,
                    reason: "tabular/unknown-person",
                    message: "names a person who is not in the list of people".to_owned(),
                    help: "give the list of people to the same source, as a part of its own, under the same key".to_owned(),
                    excerpt: None,
                });
            }
        }
    }
}

/// One file being read.
struct Reading<'a> {
    plan: &'a Arc<Plan>,
    context: &'a Context,
    file: u32,
    binding: Option<Arc<Binding>>,
    /// The file has a header, so that what it lacks is known before its records.
    headed: bool,
    draft: &'a mut Draft,
    work: &'a mut Work,
    /// Columns of the file that look like secrets and are read by nobody.
    dropped: BTreeSet<String>,
    /// Columns of the mapping that hold names of types where values should be.
    hollow: BTreeSet<usize>,
}

impl Reading<'_> {
    /// Reads the file; for a JSON document, what it says of paging.
    fn file(&mut self, input: &Input) -> Result<Option<Marks>, Halt> {
        if input.size == 0 {
            return Err(InputError::new(
                "tabular/empty",
                "is empty",
                "export it again: even a list of nobody has a header line or brackets",
            )
            .into());
        }
        let format = self.format(input)?;
        self.draft.ledger(self.file).shape = Some(format.name());
        let marks = match format {
            Format::Parquet => columnar::read(input, self).map(|()| None)?,
            Format::Csv | Format::Tsv => self.delimited(input, format).map(|()| None)?,
            Format::NdJson => {
                self.binding = Some(Arc::new(Binding::tree(&self.plan.columns)));
                let decoded = self.decode(input)?;
                json::read_lines(decoded.reader, decoded.skipped, &input.limits, self).map(|()| None)?
            }
            Format::Json => self.json(input).map(Some)?,
            Format::Xml => self.xml(input).map(|()| None)?,
        };
        self.check_end()?;
        self.cover();
        for column in std::mem::take(&mut self.dropped) {
            self.draft.note(self.file, format!("column `{}` looks like secrets and is not read", names::shown(&column)));
        }
        for column in &self.hollow {
            let name = self.plan.columns.get(*column).map_or("", |c| c.name.as_str());
            let note = format!(
                "column `{}` holds the name of a PowerShell type and not its values: join them on export (`-join ';'`)",
                names::shown(name)
            );
            self.draft.note(self.file, note);
        }
        Ok(marks)
    }

    fn format(&self, input: &Input) -> Result<Format, Halt> {
        if let Some(format) = self.plan.format {
            return Ok(format);
        }
        if input.head()?.starts_with(b"PAR1") {
            return Ok(Format::Parquet);
        }
        let mut head = Vec::new();
        let mut start = std::io::Read::take(decode::open(input, self.plan.encoding)?.reader, 4_096);
        std::io::Read::read_to_end(&mut start, &mut head).map_err(|e| InputError::io(&e))?;
        Ok(sniff::format(input, &head))
    }

    fn decode(&mut self, input: &Input) -> Result<decode::Decoded, Halt> {
        let decoded = decode::open(input, self.plan.encoding)?;
        if decoded.overridden {
            self.draft.note(self.file, "byte-order mark overrides the declared encoding");
        }
        Ok(decoded)
    }

    fn delimited(&mut self, input: &Input, format: Format) -> Result<(), Halt> {
        let tab = (format == Format::Tsv).then_some(b'\t');
        let shape = delimited::Shape { delimiter: self.plan.delimiter.or(tab), header: self.plan.header.clone(), most: input.limits.line };
        let decoded = self.decode(input)?;
        delimited::read(decoded, &shape, self)
    }

    fn json(&mut self, input: &Input) -> Result<Marks, Halt> {
        self.binding = Some(Arc::new(Binding::tree(&self.plan.columns)));
        let survey = json::survey(self.decode(input)?.reader, &input.limits)?;
        let at = match &self.plan.records {
            Some(path) => path.clone(),
            None => json::find_records(&survey)?,
        };
        json::read(decode::open(input, self.plan.encoding)?.reader, &at, &input.limits, self)?;
        // A document that is itself the record has members, not marks.
        Ok(if at.is_empty() { Marks::default() } else { paging::marks(&survey.scalars) })
    }

    fn xml(&mut self, input: &Input) -> Result<(), Halt> {
        self.binding = Some(Arc::new(Binding::tree(&self.plan.columns)));
        let Some(record) = self.plan.records.as_ref().map(|r| r.join(".")).filter(|r| !r.is_empty()) else {
            return Err(Halt::Options {
                message: "is XML, and the mapping does not say which elements are its records".to_owned(),
                help: "name the element: `records = \"role\"`".to_owned(),
            });
        };
        let decoded = self.decode(input)?;
        xml::read(decoded.reader, &record, &input.limits, self)
    }

    /// A JSON file shows only at its end what it lacks; an empty one lacks nothing.
    fn check_end(&self) -> Result<(), Halt> {
        let Some(binding) = self.binding.as_deref().filter(|b| !self.headed && b.names().next().is_some()) else { return Ok(()) };
        fitting(&[self.plan.missing(binding), self.plan.ambiguous(binding)].concat())
    }

    fn cover(&mut self) {
        let (plan, binding) = (self.plan, self.binding.as_deref());
        // A list of nobody still speaks about all that its mapping names.
        let has = |field: &str| {
            plan.fields.get(field).is_some_and(|s| {
                let hollow = s.columns().iter().any(|c| self.hollow.contains(c));
                !hollow && binding.is_none_or(|b| s.found(b) || (!s.optional && b.names().next().is_none()))
            })
        };
        let tables: &[&'static Table] = match plan.target.table {
            Into::Identities => &[&IDENTITIES, &EMPLOYMENTS],
            Into::Accounts => &access::covered(has),
            Into::Groups => &[&GROUPS],
            Into::Memberships => &[&GROUPS, &MEMBERSHIPS],
            Into::Entitlements => &[&ENTITLEMENTS],
            Into::Resources => &[&RESOURCES],
            Into::Grants if has("resource") => &[&ENTITLEMENTS, &GRANTS, &RESOURCES],
            Into::Grants => &[&ENTITLEMENTS, &GRANTS],
            Into::Credentials => &[&CREDENTIALS],
            Into::Events => &[&EVENTS],
            Into::Lifecycle => &[&LIFECYCLE],
            Into::Requests | Into::Approvals => &[&REQUESTS],
            Into::Roles => &[&ROLE_MODEL],
            Into::Reviews => &[&REVIEWS],
            Into::Separation => &[&SEPARATION_RULES],
            Into::Workflow => &[&WORKFLOW_LOG],
            Into::Exceptions => &[&EXCEPTIONS],
            Into::Systems => &[&SYSTEMS],
        };
        for table in tables {
            self.draft.cover(table);
        }
    }

    fn origin(&self, place: Place) -> Origin {
        Origin { file: self.file, unit: place.unit, number: place.number }
    }

    /// Takes one record; `false` where it waits for the end of the import.
    fn take(&mut self, row: &Row<'_>, origin: Origin) -> Result<bool, Stop> {
        row.check_required()?;
        let key = self.context.fingerprint_key.as_deref();
        let (work, draft) = (&mut *self.work, &mut *self.draft);
        match self.plan.target.table {
            Into::Identities => work.people.take(row, origin)?,
            Into::Accounts => work.access.account(access::listed(row, key)?, origin, draft)?,
            Into::Groups => work.access.group(row, origin)?,
            Into::Memberships => work.access.membership(row, origin, draft)?,
            Into::Entitlements => work.access.entitlement(row, origin)?,
            Into::Resources => work.access.resource(row, origin)?,
            Into::Grants => work.access.granted(row, origin, draft)?,
            Into::Credentials => work.access.credential(row, origin, draft, key)?,
            Into::Events => lists::event(row, origin, draft)?,
            Into::Requests => work.asked.request(row, origin)?,
            Into::Approvals => work.asked.approval(row, origin)?,
            Into::Roles => asked::role(row, origin, draft)?,
            Into::Reviews => work.asked.review(row, origin, draft)?,
            Into::Separation => work.asked.separation(row, origin, draft)?,
            Into::Workflow => work.asked.workflow(row, origin, draft)?,
            Into::Exceptions => lists::exception(row, origin, &mut work.exceptions, draft)?,
            Into::Systems => lists::system(row, origin, &mut work.systems, draft)?,
            Into::Lifecycle => {
                work.lifecycle.push(lists::lifecycle(row, origin)?);
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Notes columns that look like secrets and that no field reads.
    fn look_for_secrets<'n>(&mut self, names: impl Iterator<Item = &'n str>) {
        for name in names {
            let read = self.plan.columns.iter().any(|c| c.name == name);
            if !read && names::looks_secret(name) && self.dropped.len() < 64 {
                self.dropped.insert(name.to_owned());
            }
        }
    }
}

/// Ends the reading where the mapping does not fit the file.
fn fitting(mistakes: &[mapping::Mistake]) -> Result<(), Halt> {
    if mistakes.is_empty() {
        return Ok(());
    }
    let (message, help) = joined(mistakes);
    Err(Halt::Options { message, help })
}

impl Sink for Reading<'_> {
    fn header(&mut self, names: &[String]) -> Result<(), Halt> {
        self.headed = true;
        let binding = Binding::row(&self.plan.columns, names);
        fitting(&[self.plan.missing(&binding), self.plan.ambiguous(&binding)].concat())?;
        for (name, times) in repeated(names) {
            self.draft.note(self.file, format!("column `{}` occurs {times} times and is not read", names::shown(name)));
        }
        self.look_for_secrets(names.iter().map(String::as_str));
        self.binding = Some(Arc::new(binding));
        Ok(())
    }

    fn record(&mut self, place: Place, cells: Cells<'_>) -> Result<(), Halt> {
        let origin = self.origin(place);
        self.draft.read(self.file);
        let Some(mut binding) = self.binding.take() else { return Ok(()) };
        if let (Cells::Tree(value), Some(binding)) = (cells, Arc::get_mut(&mut binding)) {
            let new = binding.learn(&self.plan.columns, value);
            self.look_for_secrets(new.into_iter());
        }
        lot::hollow(self.plan, &binding, cells, &mut self.hollow);
        let row = Row { plan: self.plan, binding: &binding, cells, dates: None };
        let done = match row.skipped() {
            Ok(true) => {
                self.draft.note(self.file, SKIPPED);
                Ok(true)
            }
            Ok(false) => self.take(&row, origin),
            Err(stop) => Err(stop),
        };
        self.binding = Some(binding);
        match done {
            Ok(true) => self.draft.accept(self.file),
            Ok(false) => {}
            Err(Stop::Reject(fault)) => self.draft.reject(reject(origin, place, fault, text_of(cells).as_deref())),
            Err(Stop::Options { message, help }) => {
                return Err(Halt::Options { message: format!("{} {}: {message}", place.unit, place.number), help });
            }
        }
        Ok(())
    }

    fn bad(&mut self, place: Place, fault: Fault, text: Option<&str>) {
        self.draft.read(self.file);
        self.draft.reject(reject(self.origin(place), place, fault, text));
    }

    fn short(&mut self, why: String) {
        self.draft.short(self.file, why);
    }

    fn maker(&self) -> Option<Arc<dyn Maker>> {
        let binding = self.binding.as_ref().filter(|_| Mapper::serves(self.plan.target.table))?;
        let (plan, binding, key) = (Arc::clone(self.plan), Arc::clone(binding), self.context.fingerprint_key.clone());
        let hashes = self.work.access.hashes().clone();
        Some(Arc::new(Mapper { plan, binding, key, hashes, file: self.file }))
    }

    fn made(&mut self, mut lot: Lot) {
        let ledger = self.draft.ledger(self.file);
        ledger.read += lot.read;
        ledger.accepted += lot.accepted;
        if lot.skipped > 0 {
            *ledger.notes.entry(SKIPPED.to_owned()).or_insert(0) += lot.skipped;
        }
        self.hollow.append(&mut lot.hollow);
        for reject in std::mem::take(&mut lot.rejects) {
            self.draft.reject(reject);
        }
        if lot.accounts.is_empty() {
            self.work.access.absorb(&mut lot, self.draft);
        } else {
            self.accounts(lot);
        }
    }
}

impl Reading<'_> {
    /// Joins rows of a list of accounts to those before them.
    fn accounts(&mut self, mut lot: Lot) {
        let refused = self.work.access.lined(&mut lot, self.draft);
        self.draft.ledger(self.file).accepted += lot.accounts.len().saturating_sub(refused.len()) as u64;
        if refused.is_empty() {
            return;
        }
        // What the refused rows give must not count: what the others give is read once more.
        let (plan, binding, key) = (self.plan, self.binding.clone(), self.context.fingerprint_key.as_deref());
        let mut refused = refused.into_iter().peekable();
        for (at, found) in lot.accounts.into_iter().enumerate() {
            let cells = Cells::Text(&found.cells);
            if let Some((_, stop)) = refused.next_if(|(refused, _)| *refused == at) {
                if let Stop::Reject(fault) = stop {
                    self.draft.reject(reject(found.origin, found.place, fault, text_of(cells).as_deref()));
                }
            } else if let Some(binding) = &binding
                && let Ok(listed) = access::listed(&Row { plan, binding, cells, dates: None }, key)
            {
                self.work.access.held(listed, found.origin, self.draft);
            }
        }
    }
}

/// The note of records that the mapping leaves out.
const SKIPPED: &str = "left out by `skip_where`";

fn reject(origin: Origin, place: Place, fault: Fault, text: Option<&str>) -> Reject {
    fault.reject(origin, place.offset, text.map(excerpt).filter(|t| !t.is_empty()))
}

/// The record as text, for an excerpt.
fn text_of(cells: Cells<'_>) -> Option<String> {
    match cells {
        Cells::Text(row) => Some(row.iter().take(40).map(|c| c.chars().take(120).collect::<String>()).collect::<Vec<_>>().join(",")),
        Cells::Typed(_) => None,
        Cells::Tree(value) => Some(value.to_string()),
    }
}
