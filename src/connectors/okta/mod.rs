//! Okta: users, groups, rules, apps, assignments, API tokens and admin roles, as its API answers.
//!
//! Records are told apart by what they hold. Each file is read once; rows are drafted when all have been read.

mod complete;
mod fields;
mod parse;
mod place;
mod rows;
mod split;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use serde_json::Value;

use self::complete::Page;
use self::fields::{Fault, Fields};
use self::parse::{App, Assignment, Group, Kind, Role, Rule, User};
use self::place::Place;
use self::split::{Part, split};
use super::{Connector, ConnectorError, Context, Draft, Input, InputError, Origin, Reject};
use crate::model::{CredentialRow, mask};

/// The connector of Okta.
pub static OKTA: Okta = Okta;

/// See [`OKTA`].
#[derive(Clone, Copy, Debug)]
pub struct Okta;

const READS: &str = "this connector reads the JSON that Okta's API gives for `users`, `groups`, `groups/{id}/users`, `groups/rules`, \
    `apps`, `apps/{id}/users`, `apps/{id}/groups`, `api-tokens` and `users/{id}/roles`";

impl Connector for Okta {
    fn id(&self) -> &'static str {
        "okta"
    }

    fn title(&self) -> &'static str {
        "Okta: users, groups, rules, apps, API tokens, admin roles"
    }

    fn page(&self) -> &'static str {
        include_str!("page.md")
    }

    fn read(&self, files: &[Input], context: &Context) -> Result<Draft, ConnectorError> {
        if let Some(option) = context.options.keys().next() {
            let message = format!("`{option}` is not an option of `okta`");
            return Err(ConnectorError::Options { message, help: "this connector has no options: remove it".to_owned() });
        }
        let mut draft = Draft::on(files.len(), &context.scratch);
        let mut export = Export::default();
        for (input, file) in files.iter().zip(0u32..) {
            let mut reader = Reader {
                draft: &mut draft,
                export: &mut export,
                place: Place::of(&input.name),
                file,
                record: 0,
                page: Met::default(),
                zone: context.timezone.as_ref(),
                fault: None,
            };
            reader.read(input).map_err(|error| ConnectorError::file(input, error))?;
        }
        if let Some(first) = files.first().filter(|_| export.kinds.is_empty()) {
            return Err(ConnectorError::file(
                first,
                InputError::new("okta/unknown-shape", "none of the files is an answer of Okta's API", READS),
            ));
        }
        complete::check(&export, &mut draft);
        rows::draft(&export, &mut draft);
        Ok(draft)
    }
}

/// A record as read, and where it stands.
#[derive(Clone, Debug)]
struct Placed<T> {
    value: T,
    origin: Origin,
}

/// What all files of one import hold.
#[derive(Debug, Default)]
struct Export {
    users: BTreeMap<String, Placed<User>>,
    groups: BTreeMap<String, Placed<Group>>,
    /// (user, group).
    members: BTreeMap<(String, String), Origin>,
    rules: BTreeMap<String, Placed<Rule>>,
    apps: BTreeMap<String, Placed<App>>,
    /// By (app, user).
    app_users: BTreeMap<(String, String), Placed<Assignment>>,
    /// By (app, group).
    app_groups: BTreeMap<(String, String), Placed<Assignment>>,
    tokens: BTreeMap<String, Placed<(CredentialRow, String)>>,
    /// By (role, holder).
    roles: BTreeMap<(String, String), Placed<Role>>,
    kinds: BTreeSet<Kind>,
    /// Parents (groups or apps) of which a list was given, were it empty.
    listed: BTreeSet<(Kind, String)>,
    pages: Vec<Page>,
}

/// What the page being read has held so far.
#[derive(Debug, Default)]
struct Met {
    kinds: BTreeSet<(Kind, Option<String>)>,
    /// Some user on it is not deprovisioned.
    live: bool,
}

/// Reads one file.
struct Reader<'a> {
    draft: &'a mut Draft,
    export: &'a mut Export,
    place: Place,
    file: u32,
    record: u64,
    page: Met,
    zone: Option<&'a TimeZone>,
    /// A fault after which the whole file counts for nothing.
    fault: Option<InputError>,
}

impl Reader<'_> {
    fn read(&mut self, input: &Input) -> Result<(), InputError> {
        let mut lists = false;
        split(input.open()?, input.limits, &mut |part| match part {
            Part::Record(raw) => self.record(raw),
            Part::Page(records) => {
                lists = true;
                self.turn(records);
            }
        })?;
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        match (self.record, lists) {
            (0, false) => Err(InputError::new("okta/empty", "is empty", "save it again: the command that wrote it failed")),
            (0, true) => {
                self.nothing();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A page has ended.
    fn turn(&mut self, records: u64) {
        let met = std::mem::take(&mut self.page);
        let mut kinds = met.kinds.into_iter();
        // Where several answers were merged, the number of records says nothing.
        if let (Some((kind, parent)), None) = (kinds.next(), kinds.next()) {
            let deprovisioned = kind == Kind::Users && !met.live;
            self.export.pages.push(Page { file: self.file, kind, parent, deprovisioned, records });
        }
    }

    /// A file of empty lists: its name says what there is none of.
    fn nothing(&mut self) {
        let Some(kind) = Kind::of_name(&self.place) else {
            let origin = self.next();
            let help = "name the file by what it lists and whose: `users.json`, `groups/00g….users.json`, `apps/0oa….groups.json`";
            return self.draft.reject(reject(
                Fault::new("okta/no-parent", "is an empty list, and nothing says of what", help),
                origin,
                b"",
            ));
        };
        self.known(kind);
        let parent = match kind {
            Kind::Members => self.place.group.clone(),
            Kind::AppUsers | Kind::AppGroups => self.place.app.clone(),
            _ => None,
        };
        self.export.listed.extend(parent.map(|id| (kind, id)));
    }

    fn known(&mut self, kind: Kind) {
        self.export.kinds.insert(kind);
        self.draft.ledger(self.file).shape.get_or_insert(kind.name());
    }

    /// Meets a record: counts it and gives its place.
    fn next(&mut self) -> Origin {
        self.draft.read(self.file);
        self.record += 1;
        Origin::record(self.file, self.record)
    }

    fn record(&mut self, raw: &[u8]) {
        let origin = self.next();
        let outcome = fields::object(raw).and_then(|value| match &value {
            Value::Object(object) => self.take(Fields::new(object, self.zone), origin),
            _ => Ok(()),
        });
        match outcome {
            Ok(()) => self.draft.accept(self.file),
            Err(fault) => self.draft.reject(reject(fault, origin, raw)),
        }
    }

    fn take(&mut self, record: Fields<'_>, origin: Origin) -> Result<(), Fault> {
        if let Some(code) = record.peek("errorCode") {
            let (code, said) = (mask::free_text(code), record.peek("errorSummary").map(mask::free_text).unwrap_or_default());
            let message = format!("is an error of Okta, `{}`: {}", code.escape_debug(), said.escape_debug());
            self.fault.get_or_insert(
                InputError::new("okta/api-error", message, "mend what Okta names and save the answer again").at(self.record),
            );
            return Ok(());
        }
        let kind = self.kind(&record)?;
        let parent = self.keep(kind, &record, origin)?;
        self.known(kind);
        self.page.live |= record.peek("status") != Some("DEPROVISIONED");
        self.export.listed.extend(parent.clone().map(|id| (kind, id)));
        self.page.kinds.insert((kind, parent));
        Ok(())
    }

    /// What a record is, given where it was found.
    fn kind(&self, record: &Fields<'_>) -> Result<Kind, Fault> {
        let kind = Kind::of(record)?;
        let (place, group, user, app) = (&self.place, self.place.says("group"), self.place.says("user"), self.place.says("app"));
        match kind {
            Kind::Users if place.group.is_some() => Ok(Kind::Members),
            Kind::Users if group || app || place.app.is_some() => Err(Fault::new(
                "okta/no-parent",
                "the file's name speaks of a group or an app, and nothing says which one these users belong to",
                "put the group's id into the file's name, such as `groups/00g….users.json`; call a list of all users `users.json`",
            )),
            Kind::Groups if place.user.is_some() || place.app.is_some() || user || app => Err(part_of("groups", "groups.json")),
            Kind::Apps if place.user.is_some() || place.group.is_some() || user || group => Err(part_of("apps", "apps.json")),
            kind => Ok(kind),
        }
    }

    /// Keeps a record; gives the group or app that it belongs to.
    fn keep(&mut self, kind: Kind, record: &Fields<'_>, origin: Origin) -> Result<Option<String>, Fault> {
        let mut repeated = false;
        let export = &mut *self.export;
        let parent = match kind {
            Kind::Users => {
                let mut notes = Vec::new();
                let user = parse::user(record, &mut notes)?;
                repeated = once(&mut export.users, user.row.native_id.clone(), user, origin)?;
                for note in notes {
                    self.draft.note(self.file, note);
                }
                None
            }
            Kind::Groups => {
                let group = parse::group(record)?;
                repeated = once(&mut export.groups, group.row.native_id.clone(), group, origin)?;
                None
            }
            Kind::Rules => {
                let rule = parse::rule(record)?;
                repeated = once(&mut export.rules, rule.id.clone(), rule, origin)?;
                None
            }
            Kind::Apps => {
                let app = parse::app(record)?;
                repeated = once(&mut export.apps, app.resource.native_id.clone(), app, origin)?;
                None
            }
            Kind::Tokens => {
                let token = parse::token(record)?;
                repeated = once(&mut export.tokens, token.0.native_id.clone(), token, origin)?;
                None
            }
            Kind::Roles => {
                let role = parse::role(record, &self.place)?;
                let key = (role.row.native_id.clone(), role.holder.clone());
                // Every member's list repeats what the group holds.
                once(&mut export.roles, key, role, origin)?;
                None
            }
            Kind::Members => {
                let group = self.place.group.clone();
                if let Some(group) = &group {
                    repeated = export.members.insert((record.required("id")?, group.clone()), origin).is_some();
                }
                group
            }
            Kind::AppUsers => {
                let held = parse::app_user(record, &self.place)?;
                let app = held.app.clone();
                repeated = once(&mut export.app_users, (app.clone(), held.holder.clone()), held, origin)?;
                Some(app)
            }
            Kind::AppGroups => {
                let held = parse::app_group(record, &self.place)?;
                let app = held.app.clone();
                repeated = once(&mut export.app_groups, (app.clone(), held.holder.clone()), held, origin)?;
                Some(app)
            }
        };
        if repeated {
            self.draft.note(self.file, "record repeats one of another page word for word");
        }
        Ok(parent)
    }
}

/// Keeps the first of equal records. `true`: it was there already.
fn once<K: Ord, V: PartialEq>(into: &mut BTreeMap<K, Placed<V>>, key: K, value: V, origin: Origin) -> Result<bool, Fault> {
    match into.get(&key) {
        None => {
            into.insert(key, Placed { value, origin });
            Ok(false)
        }
        Some(first) if first.value == value => Ok(true),
        Some(_) => Err(Fault::new(
            "okta/duplicate",
            "an earlier record has the same id and says something else",
            "give the pages of one export: those of two times do not fit together",
        )),
    }
}

/// A list that is only part of the organisation's, and would pass for all of it.
fn part_of(what: &str, whole: &str) -> Fault {
    Fault::new(
        "okta/part-of-list",
        format!("the file's name speaks of the {what} of one user, group or app, which are not read"),
        format!("give the list of all {what}, called `{whole}`, and the members or assignments of each"),
    )
}

fn reject(fault: Fault, origin: Origin, raw: &[u8]) -> Reject {
    let excerpt = Some(mask::excerpt(&String::from_utf8_lossy(raw))).filter(|e| !e.is_empty());
    fault.reject(origin, None, excerpt)
}
