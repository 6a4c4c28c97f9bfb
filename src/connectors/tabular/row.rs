//! One record as its mapping sees it: fields by name, each with its type and its faults.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use super::dates::{DateFault, Edge, Reading};
use super::mapping::{From, Piece, Plan, Source};
use super::names::{is_type_name, list, shown, shown_date};
use super::records::{Binding, Cells, Fault, Raw};
use crate::model::mask::{self, free_text};
use crate::model::text::norm;
use crate::model::time::{HOUR, TimeError};
use crate::model::{Time, UseState, Word};

/// Why a record, or the whole source, stops here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    Reject(Fault),
    Options { message: String, help: String },
}

impl std::convert::From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Reject(fault)
    }
}

/// A value, or why there is none.
pub type Got<T> = Result<T, Stop>;

/// A record under its mapping.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    pub plan: &'a Plan,
    pub binding: &'a Binding,
    pub cells: Cells<'a>,
    /// Dates that other records of the lot hold.
    pub dates: Option<&'a Met>,
}

/// An instant, and what its field says of use.
type Dated = (Option<Time>, UseState);

/// Texts of dates that were read before, by what a bare day stands for. A list of a million accounts has a few hundred days.
#[derive(Debug, Default)]
pub struct Met(RefCell<[HashMap<String, Dated>; 2]>);

impl Met {
    /// Texts of one kind that are kept at most.
    const MOST: usize = 4_096;

    fn get(&self, text: &str, edge: Edge) -> Option<Dated> {
        self.0.borrow().get(edge as usize)?.get(text).copied()
    }

    fn keep(&self, text: &str, edge: Edge, found: Dated) {
        if let Some(known) = self.0.borrow_mut().get_mut(edge as usize).filter(|known| known.len() < Self::MOST) {
            known.insert(text.to_owned(), found);
        }
    }
}

/// When something was last used, and whether that is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Use {
    pub at: Option<Time>,
    pub state: UseState,
}

impl Row<'_> {
    /// Whether the file has a column for `field`.
    pub fn has(&self, field: &str) -> bool {
        self.plan.fields.get(field).is_some_and(|s| s.found(self.binding))
    }

    /// Whether the mapping leaves this record out.
    pub fn skipped(&self) -> Got<bool> {
        for (column, words) in &self.plan.skip {
            let texts = self.texts_of(*column, "skip_where")?;
            let blank = texts.is_empty() && words.contains("");
            if blank || texts.iter().any(|t| norm(t).is_some_and(|w| words.contains(&w))) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Refuses the record if a field that the mapping requires is blank.
    pub fn check_required(&self) -> Got<()> {
        for field in &self.plan.required {
            if self.list(field)?.is_empty() {
                return Err(missing(field).into());
            }
        }
        Ok(())
    }

    /// What names the row: the first mapped field of the table's key that the file has.
    pub fn id(&self) -> Got<String> {
        let set = self.plan.target.must.first().copied().unwrap_or_default();
        let Some(field) = set.iter().find(|f| self.has(f)) else {
            return Err(missing(set.first().copied().unwrap_or("key")).into());
        };
        let Some(source) = self.plan.fields.get(field) else { return Err(missing(field).into()) };
        // The names of a built-in mapping are guesses, and rows must not be named by one guess here and another there.
        let text = match &source.from {
            From::First(columns) if source.optional => {
                let first = columns.iter().find(|c| self.binding.found(**c)).map(|c| vec![*c]).unwrap_or_default();
                self.first(&first, field)?
            }
            From::Template(_) => self.key(source, field)?,
            _ => self.one(source, field)?,
        };
        text.ok_or_else(|| missing(field).into())
    }

    /// A key of several columns has all of them.
    fn key(&self, source: &Source, field: &str) -> Got<Option<String>> {
        for column in source.columns() {
            if self.texts_of(column, field)?.is_empty() {
                return Ok(None);
            }
        }
        self.one(source, field)
    }

    /// A text; `None` where blank.
    pub fn text(&self, field: &str) -> Got<Option<String>> {
        let Some(text) = self.verbatim(field)? else { return Ok(None) };
        let mapped = self.plan.values.get(field).and_then(|map| map.get(&text));
        Ok(Some(mapped.map_or(text, str::to_owned)))
    }

    /// A text that must be there.
    pub fn need(&self, field: &str) -> Got<String> {
        self.text(field)?.ok_or_else(|| missing(field).into())
    }

    /// A name, without what is marked as a secret in it.
    pub fn named(&self, field: &str) -> Got<Option<String>> {
        Ok(self.text(field)?.map(|t| mask::name(&t)))
    }

    /// Free text, masked.
    pub fn free(&self, field: &str) -> Got<Option<String>> {
        Ok(self.text(field)?.map(|t| free_text(&t)))
    }

    /// Several texts, in the order given, without blanks.
    pub fn list(&self, field: &str) -> Got<Vec<String>> {
        let Some(source) = self.plan.fields.get(field) else { return Ok(Vec::new()) };
        let texts = match &source.from {
            From::First(columns) => {
                let mut found = Vec::new();
                for column in columns {
                    found = self.texts_of(*column, field)?;
                    if !found.is_empty() {
                        break;
                    }
                }
                found
            }
            _ => self.one(source, field)?.into_iter().collect(),
        };
        let Some(split) = &source.split else { return Ok(texts) };
        let parts = texts.iter().flat_map(|t| t.split(split.as_str())).map(str::trim).filter(|t| !t.is_empty());
        Ok(parts.map(str::to_owned).collect())
    }

    /// A word of a closed set, through the value map.
    pub fn word<W: Word>(&self, field: &str) -> Got<Option<W>> {
        let Some(text) = self.verbatim(field)? else { return Ok(None) };
        self.word_of(field, &text).map(Some)
    }

    /// The word that one text stands for.
    pub fn word_of<W: Word>(&self, field: &str, text: &str) -> Got<W> {
        let mapped = self.plan.values.get(field).and_then(|m| m.get(text)).map(str::to_owned);
        let own = norm(text).unwrap_or_default();
        let found = mapped.as_deref().and_then(W::parse).or_else(|| W::parse(&own)).or_else(|| self.answer(&own).and_then(W::parse));
        found.ok_or_else(|| {
            let words = list(W::ALL.iter().map(|w| w.as_str()));
            let help = format!("say what it means: `[source.options.values.{field}]` `\"{}\" = …`, one of {words}", shown(text));
            Fault::new("tabular/word", format!("`{field}` is `{}`, which no value map names", shown(text)), help).into()
        })
    }

    /// A word of an open set that the model keeps as text.
    pub fn word_text(&self, field: &str) -> Got<Option<String>> {
        let Some(text) = self.verbatim(field)? else { return Ok(None) };
        let mapped = self.plan.values.get(field).and_then(|m| m.get(&text)).map(str::to_owned);
        let found = mapped.or_else(|| norm(&text)).unwrap_or_default();
        let words = self.plan.target.field(field).and_then(|f| f.kind.words()).unwrap_or_default();
        if words.contains(&found.as_str()) {
            return Ok(Some(found));
        }
        let help = format!("say what it means: `[source.options.values.{field}]` `\"{}\" = …`, one of {}", shown(&text), list(words));
        Err(Fault::new("tabular/word", format!("`{field}` is `{}`, which no value map names", shown(&text)), help).into())
    }

    /// `yes` or `no` for a text that is spelt as true or false: states of a second factor are often so.
    fn answer(&self, word: &str) -> Option<&'static str> {
        if self.plan.yes.contains(word) {
            return Some("yes");
        }
        self.plan.no.contains(word).then_some("no")
    }

    /// True or false.
    pub fn flag(&self, field: &str) -> Got<Option<bool>> {
        let Some(text) = self.text(field)? else { return Ok(None) };
        let word = norm(&text).unwrap_or_default();
        if self.plan.yes.contains(&word) {
            return Ok(Some(true));
        }
        if self.plan.no.contains(&word) {
            return Ok(Some(false));
        }
        let help = "list the spelling under `true` or `false` in the source's options";
        Err(Fault::new("tabular/boolean", format!("`{field}` is `{}`, neither true nor false", shown(&text)), help).into())
    }

    /// An instant; a bare date is its first.
    pub fn time(&self, field: &str) -> Got<Option<Time>> {
        Ok(self.dated(field, Edge::Start)?.0)
    }

    /// The first instant after; a bare date is the last day in.
    pub fn end(&self, field: &str) -> Got<Option<Time>> {
        Ok(self.dated(field, Edge::End)?.0)
    }

    /// The start of a span, which cannot be "never".
    pub fn start(&self, field: &str) -> Got<Option<Time>> {
        match self.dated(field, Edge::Start)? {
            (_, UseState::Never) => {
                let help = "if the word means that the date is not known, list it under `unknown` in the source's options";
                Err(Fault::new("tabular/date", format!("`{field}` says never"), help).into())
            }
            (at, _) => Ok(at),
        }
    }

    /// Last use: an instant, never, not applicable, or unknown.
    pub fn used(&self, field: &str) -> Got<Use> {
        let (at, state) = self.dated(field, Edge::Start)?;
        // A use on the epoch's own midnight, local or not, is a zero that somebody formatted.
        if at.is_some_and(|t| t.micros().abs() <= 14 * HOUR) {
            return Ok(Use { at: None, state: UseState::Never });
        }
        Ok(Use { at, state })
    }

    fn dated(&self, field: &str, edge: Edge) -> Got<Dated> {
        let Some(text) = self.verbatim(field)? else { return Ok((None, UseState::Unknown)) };
        let mapped = self.plan.values.get(field).and_then(|m| m.get(&text)).unwrap_or(&text);
        if let Some(found) = self.dates.and_then(|met| met.get(mapped, edge)) {
            return Ok(found);
        }
        let found = self.dated_anew(field, mapped, edge)?;
        self.dates.inspect(|met| met.keep(mapped, edge, found));
        Ok(found)
    }

    fn dated_anew(&self, field: &str, mapped: &str, edge: Edge) -> Got<Dated> {
        let when = match self.plan.dates.read(mapped).map_err(|e| no_date(field, &e))? {
            Reading::Missing => return Ok((None, UseState::Unknown)),
            Reading::Never => return Ok((None, UseState::Never)),
            Reading::NotApplicable => return Ok((None, UseState::NotApplicable)),
            Reading::At(when) => when,
        };
        match self.plan.dates.instant(&when, edge) {
            Ok(at) => Ok((Some(at), UseState::Used)),
            Err(DateFault::Text(e)) => Err(no_date(field, &e).into()),
            Err(DateFault::Zone(text)) => Err(Stop::Options {
                message: format!("`{field}` holds `{text}`, a local date, and the source states no time zone"),
                help: "say `timezone = \"Europe/Berlin\"` (or where the list is kept) in the source".to_owned(),
            }),
        }
    }

    /// The attributes that the mapping allows, as a JSON object, masked.
    pub fn attributes(&self) -> Got<Option<String>> {
        let mut kept: BTreeMap<&str, serde_json::Value> = BTreeMap::new();
        for column in &self.plan.attributes {
            let texts: Vec<String> = self.texts_of(*column, "attributes")?.iter().map(|t| free_text(t)).collect();
            let Some(name) = self.plan.columns.get(*column).map(|c| c.name.as_str()) else { continue };
            match texts.as_slice() {
                [] => {}
                [one] => {
                    kept.insert(name, one.as_str().into());
                }
                many => {
                    kept.insert(name, many.into());
                }
            }
        }
        Ok(if kept.is_empty() { None } else { serde_json::to_string(&kept).ok() })
    }

    /// The text of a field as the file has it, trimmed; `None` where blank.
    pub fn verbatim(&self, field: &str) -> Got<Option<String>> {
        self.plan.fields.get(field).map_or(Ok(None), |source| self.one(source, field))
    }

    fn one(&self, source: &Source, field: &str) -> Got<Option<String>> {
        match &source.from {
            From::Const(text) => Ok(Some(text.trim().to_owned()).filter(|t| !t.is_empty())),
            From::First(columns) => self.first(columns, field),
            From::Template(pieces) => self.filled(pieces, field),
        }
    }

    fn first(&self, columns: &[usize], field: &str) -> Got<Option<String>> {
        for column in columns {
            // Nearly every cell is one text.
            if let Raw::Text(text) = self.binding.get(&self.cells, *column) {
                match one_text(&text, field)? {
                    Some(text) => return Ok(Some(text.to_owned())),
                    None => continue,
                }
            }
            let mut texts = self.texts_of(*column, field)?;
            match (texts.len(), texts.pop()) {
                (0, _) => {}
                (1, one) => return Ok(one),
                (n, _) => {
                    let help = "map one element, `name[0]`, or a field that takes a list";
                    return Err(Fault::new("tabular/list", format!("`{field}` holds a list of {n} values"), help).into());
                }
            }
        }
        Ok(None)
    }

    fn filled(&self, pieces: &[Piece], field: &str) -> Got<Option<String>> {
        let (mut text, mut any) = (String::new(), false);
        for piece in pieces {
            match piece {
                Piece::Text(fixed) => text.push_str(fixed),
                Piece::Column(column) => {
                    let value = self.first(&[*column], field)?;
                    any = any || value.is_some();
                    text.push_str(value.as_deref().unwrap_or_default());
                }
            }
        }
        // A part that is blank leaves a double blank behind.
        Ok(any.then(|| text.split_whitespace().collect::<Vec<_>>().join(" ")))
    }

    /// The texts of one column, trimmed, without blanks.
    fn texts_of(&self, column: usize, field: &str) -> Got<Vec<String>> {
        let texts: Vec<Cow<'_, str>> = match self.binding.get(&self.cells, column) {
            Raw::Null => Vec::new(),
            Raw::Text(text) => vec![text],
            Raw::List(list) => list.into_iter().map(Cow::Owned).collect(),
            Raw::Unreadable(what) => {
                let name = self.plan.columns.get(column).map_or("", |c| c.name.as_str());
                let help = "map a value inside it, `name.part` or `name[0]`, or export it as text";
                return Err(Fault::new("tabular/value", format!("`{}` of `{field}` is {what}", shown(name)), help).into());
            }
        };
        if texts.iter().any(|t| t.contains('\0')) {
            return Err(nul(field).into());
        }
        Ok(texts.iter().map(|t| t.trim()).filter(|t| !t.is_empty() && !is_type_name(t)).map(str::to_owned).collect())
    }
}

/// A text as it counts: trimmed; `None` where nothing is left.
fn one_text<'t>(text: &'t str, field: &str) -> Got<Option<&'t str>> {
    if memchr::memchr(0, text.as_bytes()).is_some() {
        return Err(nul(field).into());
    }
    Ok(Some(text.trim()).filter(|t| !t.is_empty() && !is_type_name(t)))
}

fn nul(field: &str) -> Fault {
    Fault::new("tabular/nul-byte", format!("`{field}` holds a NUL byte"), "export the file again as text")
}

fn missing(field: &str) -> Fault {
    Fault::new("tabular/missing-value", format!("`{field}` is blank"), format!("every record needs a `{field}`: correct it at the source"))
}

fn no_date(field: &str, e: &TimeError) -> Fault {
    let (text, what) = match e {
        TimeError::Form(t) => (t, "which is no date in a form that the mapping lists"),
        TimeError::Range(t) => (t, "which lies outside the years 1 to 9999"),
        TimeError::NoZone(t) => (t, "which has no time zone"),
    };
    Fault::new(
        "tabular/date",
        format!("`{field}` is `{}`, {what}", shown_date(text)),
        "correct it at the source, or add its form to `dates`",
    )
}
