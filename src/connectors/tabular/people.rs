//! People: one row of the list is one employment; rows of one key are one person.
//!
//! Several employments of a person may follow each other (a rehire). Two that overlap contradict each other, unless the
//! list gives each a key of its own; the second is rejected.

use std::collections::BTreeMap;

use super::records::Fault;
use super::row::{Got, Row};
use crate::connectors::{Draft, DraftChild, Drafted, Origin};
use crate::model::mask::{self, free_text};
use crate::model::text::{norm, norm_opt};
use crate::model::{EmploymentRow, IDENTITIES, IdentityKind, IdentityRow, IdentityStatus, Time};

/// People met so far, by native id.
#[derive(Debug, Default)]
pub struct People {
    found: BTreeMap<String, Person>,
}

#[derive(Debug)]
struct Person {
    spans: Vec<Span>,
}

/// One record: the person as it shows them, and the employment that it is.
#[derive(Debug)]
struct Span {
    identity: IdentityRow,
    employment: EmploymentRow,
    /// The list names its employments.
    keyed: bool,
    origin: Origin,
}

impl Span {
    /// Where it stands among a person's spans: by end, then start, an open end last and an open start first.
    fn order(&self) -> (i64, i64) {
        let end = self.employment.ends_at.map_or(i64::MAX, Time::micros);
        (if self.employment.ended_undated { i64::MIN } else { end }, self.start())
    }

    fn start(&self) -> i64 {
        self.employment.starts_at.map_or(i64::MIN, Time::micros)
    }

    /// Both say that the person was here at one instant. A span that ended nobody knows when claims only its start.
    fn contradicts(&self, other: &Self) -> bool {
        let (a, b) = (&self.employment, &other.employment);
        if self.keyed && other.keyed {
            return a.employment == b.employment;
        }
        if a.ended_undated || b.ended_undated {
            return self.start() == other.start();
        }
        let before = |end: Option<Time>, start: i64| end.is_some_and(|e| e.micros() <= start);
        let same = a.starts_at == b.starts_at && a.ends_at == b.ends_at;
        same || !(before(a.ends_at, other.start()) || before(b.ends_at, self.start()))
    }
}

impl People {
    /// Takes one record.
    ///
    /// # Errors
    /// A field is at fault, or the record contradicts an earlier one of the same person.
    pub fn take(&mut self, row: &Row<'_>, origin: Origin) -> Got<()> {
        let identity = identity(row)?;
        let employment = employment(row, &identity)?;
        let span = Span { keyed: !employment.employment.is_empty(), identity, employment, origin };
        let person = self.found.entry(span.identity.native_id.clone()).or_insert_with(|| Person { spans: Vec::new() });
        if let Some(other) = person.spans.iter().find(|s| s.contradicts(&span)) {
            let message =
                format!("a second record of one person whose employment overlaps that of {} {}", other.origin.unit, other.origin.number);
            let help = "end the first employment before the second starts, give each its own `employment`, or remove the duplicate";
            return Err(Fault::new("tabular/overlapping-employment", message, help).into());
        }
        person.spans.push(span);
        Ok(())
    }

    /// Writes everybody into the draft.
    pub fn finish(self, draft: &mut Draft) {
        let mut numbers: BTreeMap<String, u32> = BTreeMap::new();
        for person in self.found.into_values() {
            person.write(draft, &mut numbers);
        }
    }
}

impl Person {
    fn write(mut self, draft: &mut Draft, numbers: &mut BTreeMap<String, u32>) {
        self.spans.sort_by_key(|s| (s.start(), s.order(), s.origin));
        let Some(newest) = self.spans.iter().max_by_key(|s| (s.order(), s.origin)) else { return };
        let (identity, origin) = (newest.identity.clone(), newest.origin);
        if let Some(number) = &identity.employee_number {
            let held = numbers.entry(number.clone()).or_insert(0);
            *held += 1;
            if *held == 2 {
                draft.note(origin.file, "employee number held by several people: they stay apart, and no account is matched by it alone");
            }
        }
        for (i, span) in self.spans.into_iter().enumerate() {
            let mut employment = span.employment;
            if employment.employment.is_empty() {
                employment.employment = (i + 1).to_string();
            }
            draft.employments.push(DraftChild { row: employment, parent: identity.native_id.clone(), origin: span.origin });
            if span.origin != origin {
                draft.facts.push((&IDENTITIES, identity.native_id.clone(), "row", span.origin));
            }
        }
        draft.identities.push(Drafted { row: identity, origin });
    }
}

fn identity(row: &Row<'_>) -> Got<IdentityRow> {
    let native_id = row.id()?;
    let (given, family) = (row.text("given_name")?, row.text("family_name")?);
    let parts: Vec<&str> = [given.as_deref(), family.as_deref()].into_iter().flatten().collect();
    let display_name = row.named("display_name")?.or_else(|| (!parts.is_empty()).then(|| mask::name(&parts.join(" "))));
    let (login, email) = (row.text("login")?, row.text("email")?);
    Ok(IdentityRow {
        identity_ix: 0,
        kind: row.word("kind")?.unwrap_or(IdentityKind::Person),
        employee_number: row.text("employee_number")?,
        display_name_norm: norm_opt(display_name.as_deref()),
        display_name,
        given_name_norm: norm_opt(given.as_deref()),
        family_name_norm: norm_opt(family.as_deref()),
        login_norm: norm_opt(login.as_deref()),
        login,
        email_norm: norm_opt(email.as_deref()),
        email,
        aliases: aliases(&row.list("aliases")?),
        status: row.word("status")?.unwrap_or(IdentityStatus::Unknown),
        status_text: row.verbatim("status")?.map(|t| free_text(&t)),
        manager_ref: row.text("manager")?,
        owner_ref: row.free("owner")?,
        org_unit: row.free("org_unit")?,
        title: row.free("title")?,
        link_ref: row.text("link")?,
        attributes: row.attributes()?,
        native_id,
    })
}

fn aliases(texts: &[String]) -> Option<String> {
    let mut all: Vec<String> = texts.iter().filter_map(|t| norm(t)).collect();
    all.sort();
    all.dedup();
    if all.is_empty() { None } else { serde_json::to_string(&all).ok() }
}

fn employment(row: &Row<'_>, identity: &IdentityRow) -> Got<EmploymentRow> {
    let (starts_at, ends_at) = (row.start("start_at")?, row.end("end_at")?);
    if let (Some(start), Some(end)) = (starts_at, ends_at)
        && end < start
    {
        let help = "correct the dates at the source; check `dates` if days and months may have changed places";
        return Err(Fault::new("tabular/span", "the employment ends before it starts", help).into());
    }
    Ok(EmploymentRow {
        identity_ix: 0,
        employment: row.text("employment")?.unwrap_or_default(),
        starts_at,
        ends_at,
        start_known_at: row.time("start_known_at")?,
        end_known_at: row.time("end_known_at")?,
        ended_undated: identity.status == IdentityStatus::Left && ends_at.is_none(),
    })
}
