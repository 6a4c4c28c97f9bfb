//! `aws iam get-service-last-accessed-details`: which services somebody tried to reach, and what that says of what is granted.
//!
//! The answer does not name whom it is about. Neither does it say under which policy somebody came: a grant is *used* only where
//! no other grant of the same holder could have been meant.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use serde_json::Value;

use super::arn::Arn;
use super::fields::{Fault, Fields};
use super::reach::Reach;
use super::uses::Use;
use crate::connectors::{Draft, DraftGrant, Origin, Principal, Reject};
use crate::model::{Effect, MembershipKind, Time, UseState};

/// How far AWS looks back.
const WINDOW: i64 = 400 * 24 * 3600 * 1_000_000;

/// One service of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Service {
    /// Newest attempt; none in the window.
    pub(super) at: Option<Time>,
    /// ARN of the user or role that made it.
    pub(super) by: Option<String>,
    /// Tracked actions, in lower case, each with its newest attempt. Empty unless the job was of granularity `ACTION_LEVEL`.
    pub(super) actions: BTreeMap<String, Option<Time>>,
    /// The actions as AWS writes them.
    pub(super) names: BTreeMap<String, Time>,
}

/// One answer.
#[derive(Debug)]
struct Answer {
    origin: Origin,
    /// ARN or immutable id of whom it is about; none where nothing says so.
    subject: Option<String>,
    /// End of the window.
    until: Option<Time>,
    truncated: bool,
    services: BTreeMap<String, Service>,
}

/// A job that has no result.
#[derive(Debug)]
struct Unfinished {
    file: u32,
    subject: Option<String>,
    why: &'static str,
}

/// What all answers say.
#[derive(Debug, Default)]
pub(super) struct Accessed {
    answers: Vec<Answer>,
    unfinished: Vec<Unfinished>,
}

/// The immutable id of a user, role, group or policy that a file's name holds.
pub(super) fn id_in_name(name: &str) -> Option<String> {
    const PREFIXES: &[&str] = &["AIDA", "AROA", "AGPA", "ANPA"];
    let mut words = name.split(|c: char| !c.is_ascii_alphanumeric());
    words.rfind(|w| w.len() >= 16 && PREFIXES.iter().any(|p| w.starts_with(p))).map(str::to_owned)
}

impl Accessed {
    /// Takes a job without a result: `why` is one of the two reasons of [`Accessed::settle`].
    pub(super) fn unfinished(&mut self, file: u32, subject: Option<String>, failed: bool) {
        let why = if failed {
            "the job behind service last accessed details failed: generate it again"
        } else {
            "service last accessed details were still being made: run `aws iam get-service-last-accessed-details` again"
        };
        self.unfinished.push(Unfinished { file, subject, why });
    }

    /// Reads a finished answer, `raw` as one object. It is accepted or rejected by [`Accessed::settle`].
    ///
    /// # Errors
    /// A field is missing or not what AWS writes.
    pub(super) fn answer(
        &mut self,
        raw: &str,
        subject: Option<String>,
        truncated: bool,
        origin: Origin,
        zone: Option<&TimeZone>,
    ) -> Result<(), Fault> {
        let fields = Fields::of(raw)?;
        let until = fields.time("JobCompletionDate", zone)?.or(fields.time("JobCreationDate", zone)?);
        let mut services = BTreeMap::new();
        for raw in fields.list("ServicesLastAccessed")? {
            let fields = Fields::of(raw)?;
            let name = word(&fields, "ServiceNamespace")?.to_lowercase();
            merge(services.entry(name).or_default(), service(&fields, zone)?);
        }
        self.answers.push(Answer { origin, subject, until, truncated, services });
        Ok(())
    }

    /// Time of the newest job that has a result in `file`.
    pub(super) fn until(&self, file: u32) -> Option<Time> {
        self.answers.iter().filter(|a| a.origin.file == file).filter_map(|a| a.until).max()
    }

    /// The ARNs that answers are about, where they state them.
    pub(super) fn arns(&self) -> impl Iterator<Item = (Origin, &String)> {
        self.answers.iter().filter_map(|a| Some((a.origin, a.subject.as_ref()?)))
    }

    /// Whether nobody was asked about.
    pub(super) fn is_empty(&self) -> bool {
        self.answers.is_empty() && self.unfinished.is_empty()
    }

    /// Finds whom each answer is about (`ids`: ARN by immutable id; `known`: every ARN of the import), rejects those of whom nothing says
    /// it, and puts the pages of one together.
    pub(super) fn settle(
        &self,
        ids: &BTreeMap<String, String>,
        known: impl Fn(&str) -> bool,
        draft: &mut Draft,
    ) -> BTreeMap<String, Subject> {
        let arn = |subject: &String| if subject.starts_with("arn:") { Some(subject.clone()) } else { ids.get(subject).cloned() };
        let mut subjects: BTreeMap<String, Subject> = BTreeMap::new();
        for answer in &self.answers {
            let Some(stated) = &answer.subject else {
                draft.reject(unnamed(answer.origin));
                continue;
            };
            let found = arn(stated).filter(|arn| known(arn));
            if let Some(arn) = &found
                && answer.services.values().filter_map(|s| s.by.as_ref()).any(|by| is_other(by, arn))
            {
                draft.reject(misnamed(answer.origin));
                continue;
            }
            draft.accept(answer.origin.file);
            let Some(arn) = found else {
                draft.note(answer.origin.file, "service last accessed details of somebody whom no other file holds, not kept");
                continue;
            };
            subjects.entry(arn).or_default().take(answer);
        }
        for (arn, subject) in &subjects {
            if !subject.whole {
                draft.short(subject.file(), format!("the services of `{arn}` go on: `IsTruncated`"));
            }
        }
        for job in &self.unfinished {
            if job.subject.as_ref().and_then(arn).is_some_and(|arn| subjects.contains_key(&arn)) {
                draft.note(job.file, "job without a result; another file holds it");
            } else {
                draft.short(job.file, job.why);
            }
        }
        subjects
    }
}

fn service(fields: &Fields<'_>, zone: Option<&TimeZone>) -> Result<Service, Fault> {
    let mut service =
        Service { at: fields.time("LastAuthenticated", zone)?, by: fields.text("LastAuthenticatedEntity")?, ..Service::default() };
    for raw in fields.list("TrackedActionsLastAccessed")? {
        let action = Fields::of(raw)?;
        let (name, at) = (word(&action, "ActionName")?, action.time("LastAccessedTime", zone)?);
        service.actions.insert(name.to_lowercase(), at);
        if let Some(at) = at {
            service.names.insert(name, at);
        }
    }
    Ok(service)
}

/// A name of AWS's own, which is kept: letters, digits and `-`.
fn word(fields: &Fields<'_>, name: &str) -> Result<String, Fault> {
    let text = fields.required(name)?;
    if text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return Ok(text);
    }
    Err(Fault::new("aws-iam/bad-record", format!("`{name}` is none of AWS's names"), "export it again, unedited"))
}

/// Two answers on one service: the newest attempt of each kind counts.
fn merge(known: &mut Service, more: Service) {
    if more.at > known.at {
        (known.at, known.by) = (more.at, more.by);
    }
    for (name, at) in more.actions {
        let old = known.actions.entry(name).or_default();
        *old = at.max(*old);
    }
    for (name, at) in more.names {
        let old = known.names.entry(name).or_insert(at);
        *old = at.max(*old);
    }
}

/// Whether an answer about the user or role `arn` names somebody else: it was saved under a wrong name.
fn is_other(by: &str, arn: &str) -> bool {
    let kind = |arn: &str| Arn::of(arn).filter(|a| a.service == "iam").map(|a| a.rest.split('/').next().unwrap_or_default().to_owned());
    by != arn && kind(arn).is_some_and(|k| k == "user" || k == "role") && kind(by).is_some()
}

fn unnamed(origin: Origin) -> Reject {
    Reject {
        origin,
        byte_offset: None,
        reason: "aws-iam/unnamed-principal",
        message: "service last accessed details, and nothing says of whom".to_owned(),
        help: "export them with the command on this connector's page, which adds `Arn`; or save each answer under a name that holds the \
            `UserId`, `RoleId`, `GroupId` or `PolicyId` (`last-accessed.AIDA….json`)"
            .to_owned(),
        excerpt: None,
    }
}

fn misnamed(origin: Origin) -> Reject {
    Reject {
        origin,
        byte_offset: None,
        reason: "aws-iam/other-principal",
        message: "service last accessed details under the name of one user or role, and of another".to_owned(),
        help: "export them again: `LastAuthenticatedEntity` must be whom they were generated for".to_owned(),
        excerpt: None,
    }
}

/// Everything that was said of one user, role, group or policy.
#[derive(Debug, Default)]
pub(super) struct Subject {
    pub(super) services: BTreeMap<String, Service>,
    pub(super) origins: Vec<Origin>,
    /// The last page is among them.
    whole: bool,
    /// There are several pages, and one from their midst may be missing.
    paged: bool,
    until: Option<Time>,
}

impl Subject {
    fn take(&mut self, answer: &Answer) {
        for (name, service) in &answer.services {
            merge(self.services.entry(name.clone()).or_default(), service.clone());
        }
        self.origins.push(answer.origin);
        self.whole |= !answer.truncated;
        self.paged |= answer.truncated;
        self.until = self.until.max(answer.until);
    }

    fn file(&self) -> u32 {
        self.origins.last().map_or(0, |o| o.file)
    }

    /// Newest attempt of each user and role that is named, by ARN; `arn`: whom this is about.
    pub(super) fn seen<'a>(&'a self, arn: &'a str) -> BTreeMap<&'a str, Time> {
        let mut seen: BTreeMap<&str, Time> = BTreeMap::new();
        for service in self.services.values() {
            let Some(at) = service.at else { continue };
            let newest = seen.entry(service.by.as_deref().unwrap_or(arn)).or_insert(at);
            *newest = at.max(*newest);
        }
        seen
    }

    /// What is kept beside its row: services and actions with their newest attempt, how many services had none, and since when.
    pub(super) fn attributes(&self) -> Vec<(&'static str, Value)> {
        let used: BTreeMap<&str, String> = self.services.iter().filter_map(|(n, s)| Some((n.as_str(), s.at?.to_string()))).collect();
        let actions: BTreeMap<String, String> =
            self.services.iter().flat_map(|(n, s)| s.names.iter().map(move |(a, at)| (format!("{n}:{a}"), at.to_string()))).collect();
        let mut kept = vec![("services_not_used", Value::from(self.services.len() - used.len()))];
        if !used.is_empty() {
            kept.push(("services_used", serde_json::json!(used)));
        }
        if !actions.is_empty() {
            kept.push(("actions_used", serde_json::json!(actions)));
        }
        if let Some(until) = self.until {
            kept.push(("services_tracked_from", Value::from(until.plus(-WINDOW).to_string())));
        }
        kept
    }

    /// The use of one grant whose holder this is about. `others`: what else could have let the same attempts through.
    fn of(&self, grant: &Reach, others: &[&Reach]) -> Use {
        let tried: Vec<(&str, Time)> =
            self.services.iter().filter(|(n, _)| grant.may(n)).filter_map(|(n, s)| Some((n.as_str(), grant.newest(n, s)?))).collect();
        if tried.is_empty() {
            return if self.speaks_of(grant) { Use { state: UseState::NotInWindow, ..Use::default() } } else { Use::default() };
        }
        let own = tried.iter().filter(|(name, _)| grant.is_read() && !others.iter().any(|o| o.may(name)));
        own.map(|(_, at)| *at).max().map_or_else(Use::default, Use::used)
    }

    /// Whether no attempt in here means none: every service that the grant names is listed, and where it does not name them, all are.
    fn speaks_of(&self, grant: &Reach) -> bool {
        let listed = self.services.keys().any(|name| grant.may(name)) && grant.named().all(|name| self.services.contains_key(name));
        self.whole && listed && !grant.is_empty() && (grant.is_named() || !self.paged)
    }
}

/// Sets what the answers say of the use of grants. `reaches`: what each policy lets through.
pub(super) fn grants(subjects: &BTreeMap<String, Subject>, reaches: &BTreeMap<String, Reach>, draft: &mut Draft) {
    let holders = Holders::of(draft);
    let unread = Reach::default();
    let reach = |entitlement: &str| reaches.get(entitlement).unwrap_or(&unread);
    let mut uses: Vec<Option<Use>> = Vec::new();
    for (at, grant) in draft.grants.iter().enumerate() {
        if grant.row.effect != Effect::Allow {
            uses.push(None);
            continue;
        }
        let own = holder(grant).and_then(|arn| Some((arn, subjects.get(arn)?))).map(|(arn, subject)| {
            let beside = holders.beside(arn, at).filter_map(|o| draft.grants.get(o)).map(|g| g.entitlement.as_str());
            let others: Vec<&Reach> = beside.collect::<BTreeSet<_>>().into_iter().map(reach).collect();
            subject.of(reach(&grant.entitlement), &others)
        });
        // Nobody at all tried what the policy lets through: nor did this holder.
        let policy = subjects.get(&grant.entitlement).filter(|s| s.services.values().all(|s| s.at.is_none()));
        let policy = policy.map(|s| s.of(reach(&grant.entitlement), &[]));
        uses.push(own.filter(|u| u.state != UseState::Unknown).or(policy).or(own));
    }
    for (grant, used) in draft.grants.iter_mut().zip(uses).filter_map(|(g, u)| Some((g, u?))) {
        (grant.row.use_state, grant.row.last_used_at) = (used.state, used.at);
    }
}

fn holder(grant: &DraftGrant) -> Option<&str> {
    match &grant.holder {
        Principal::Account(arn) | Principal::Group(arn) => Some(arn),
        _ => None,
    }
}

/// Who holds which grants, and who is in which groups.
struct Holders {
    /// Positions of the allowing grants of each ARN.
    held: BTreeMap<String, Vec<usize>>,
    /// The groups of each user.
    groups: BTreeMap<String, Vec<String>>,
    /// The users of each group.
    members: BTreeMap<String, Vec<String>>,
}

impl Holders {
    fn of(draft: &Draft) -> Self {
        let mut all = Self { held: BTreeMap::new(), groups: BTreeMap::new(), members: BTreeMap::new() };
        for (at, grant) in draft.grants.iter().enumerate().filter(|(_, g)| g.row.effect == Effect::Allow) {
            if let Some(arn) = holder(grant) {
                all.held.entry(arn.to_owned()).or_default().push(at);
            }
        }
        for edge in draft.memberships.iter().filter(|m| m.row.kind == MembershipKind::Direct) {
            if let Principal::Account(member) = &edge.member {
                all.groups.entry(member.clone()).or_default().push(edge.group.clone());
                all.members.entry(edge.group.clone()).or_default().push(member.clone());
            }
        }
        all
    }

    /// The other grants under which `arn`, or a member of the group `arn`, could have come.
    fn beside(&self, arn: &str, grant: usize) -> impl Iterator<Item = usize> {
        let users = self.members.get(arn).cloned().unwrap_or_default();
        let holders: BTreeSet<String> = [arn.to_owned()].into_iter().chain(users).collect();
        let groups = holders.iter().filter_map(|h| self.groups.get(h)).flatten().cloned();
        let all: BTreeSet<String> = groups.chain(holders.iter().cloned()).collect();
        let found: BTreeSet<usize> = all.iter().filter_map(|h| self.held.get(h)).flatten().copied().filter(|g| *g != grant).collect();
        found.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_may_hold_the_id() {
        assert_eq!(id_in_name("sla/last-accessed.AIDAEXAMPLEIDAMORENO1.json").as_deref(), Some("AIDAEXAMPLEIDAMORENO1"));
        assert_eq!(id_in_name("AROAEXAMPLERUNNER001").as_deref(), Some("AROAEXAMPLERUNNER001"));
        assert_eq!(id_in_name("last-accessed.ida.json"), None);
        assert_eq!(id_in_name("AKIAEXAMPLEIDA000002.json"), None);
        assert_eq!(id_in_name("AIDASHORT.json"), None);
    }

    #[test]
    fn an_answer_of_a_user_names_that_user() {
        let (ida, omar) = ("arn:aws:iam::111122223333:user/ida", "arn:aws:iam::111122223333:user/omar");
        assert!(is_other(omar, ida) && !is_other(ida, ida));
        assert!(!is_other(omar, "arn:aws:iam::111122223333:group/readers"), "a group's names a member");
        assert!(!is_other("arn:aws:sts::111122223333:assumed-role/r/s", "arn:aws:iam::111122223333:role/r"));
    }
}
