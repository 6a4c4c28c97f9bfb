//! What AWS Organizations says of one account: the levels above it and the service control policies (SCPs) attached to each.
//!
//! An SCP gives nothing to anybody. It is kept as an entitlement that nobody holds, with its statements and the levels to which it is
//! attached; what binds the account is decided where all policies of a principal are put together.

use std::collections::{BTreeMap, BTreeSet};

use super::arn::Arn;
use super::fields::{Fault, Fields};
use super::is_number;
use super::policy::{Document, Kind};
use super::rows::Attributes;
use crate::connectors::{Draft, DraftChild, Drafted, Origin};
use crate::model::text::norm_opt;
use crate::model::{ENTITLEMENTS, EntitlementRow, Level, STATEMENTS, StatementRow, mask};

/// The type of the policies that are read.
const TYPE: &str = "SERVICE_CONTROL_POLICY";
/// The kind of their entitlements.
const KIND: &str = "service-control-policy";
/// AWS's own policy, which allows everything, with or without its text.
const FULL_ACCESS: &str = "p-FullAWSAccess";

/// What `list-policies-for-target` and `describe-policy` say of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Summary {
    id: String,
    arn: String,
    name: Option<String>,
    description: Option<String>,
    /// AWS's own.
    vendor: bool,
    /// It is a service control policy.
    controls: bool,
}

/// A policy with its text.
#[derive(Debug)]
struct Described {
    summary: Summary,
    /// As it stands in the file: a JSON text.
    content: Option<String>,
    origin: Origin,
}

/// What is attached to one level.
#[derive(Debug, Default)]
struct Listing {
    /// By ARN.
    policies: BTreeMap<String, (Summary, Origin)>,
    /// The last page is among the files.
    whole: bool,
    file: u32,
}

/// Everything that the files say of the organisation.
#[derive(Debug, Default)]
pub(super) struct Organization {
    described: BTreeMap<String, Described>,
    listed: BTreeMap<String, Listing>,
    /// Parent of each account and unit.
    parents: BTreeMap<String, (String, Origin)>,
    /// Numbers of the management account, as `describe-organization` states it.
    management: BTreeMap<String, Origin>,
    /// `FeatureSet` is `CONSOLIDATED_BILLING`: there are no service control policies.
    billing_only: bool,
    /// A place to point at for what is not in the export.
    first: Option<Origin>,
}

/// The levels of one account, from itself to the root.
struct Levels {
    ids: Vec<String>,
    /// The chain does not end at a root: what is above its last level is not in the export.
    cut: bool,
}

/// Whether a text is the id of a root, a unit or an account.
pub(super) fn is_level(id: &str) -> bool {
    let word = |text: &str, most: usize| (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
    let unit = id.strip_prefix("ou-").and_then(|rest| rest.split_once('-'));
    is_number(id) || is_root(id) || unit.is_some_and(|(root, own)| word(root, 32) && word(own, 32))
}

fn is_root(id: &str) -> bool {
    id.strip_prefix("r-").is_some_and(|rest| (1..=32).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// The id of a root, a unit or an account that a file's name holds: `scp.ou-ab12-11111111.json`.
pub(super) fn level_in_name(name: &str) -> Option<String> {
    let words = || name.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    let level = words().rfind(|w| !is_number(w) && is_level(w));
    level.or_else(|| name.split(|c: char| !c.is_ascii_alphanumeric()).rfind(|w| is_number(w))).map(str::to_owned)
}

/// Whether a record of a list of policies is one of AWS Organizations, and not of IAM.
pub(super) fn is_summary(raw: &str) -> bool {
    raw.contains(":organizations:")
        && Fields::of(raw)
            .and_then(|f| f.text("Arn"))
            .is_ok_and(|arn| arn.as_deref().and_then(Arn::of).is_some_and(|a| a.service == "organizations"))
}

/// The fault of an answer of which nothing says which level it is about.
pub(super) fn unnamed() -> Fault {
    Fault::new(
        "aws-iam/unnamed-level",
        "answer of AWS Organizations, and nothing says about which root, unit or account",
        "export it with the commands on this connector's page, which add `TargetId` and `ChildId`; or save each answer under a name that \
            holds the id (`scp.ou-ab12-11111111.json`)",
    )
}

impl Summary {
    /// Reads one summary.
    ///
    /// # Errors
    /// A field is missing or not what AWS writes.
    pub(super) fn of(raw: &str) -> Result<Self, Fault> {
        let fields = Fields::of(raw)?;
        let arn = fields.required("Arn")?;
        if Arn::of(&arn).is_none_or(|a| a.service != "organizations") {
            return Err(Fault::new(
                "aws-iam/bad-arn",
                "`Arn` is not the ARN of a policy of AWS Organizations",
                "export it again, unedited",
            ));
        }
        Ok(Self {
            id: fields.required("Id")?,
            arn,
            name: fields.text("Name")?,
            description: fields.text("Description")?.map(|d| mask::free_text(&d)),
            vendor: fields.flag("AwsManaged")? == Some(true),
            controls: fields.required("Type")? == TYPE,
        })
    }

    /// The management account: policies that AWS did not write carry its number.
    fn manager(&self) -> Option<&str> {
        Arn::of(&self.arn).map(|a| a.account).filter(|a| !self.vendor && is_number(a))
    }
}

impl Organization {
    /// Takes the policies attached to one level; `truncated`: another page follows. Gives whether they are service control policies.
    pub(super) fn listing(&mut self, level: String, policies: Vec<(Summary, Origin)>, truncated: bool, origin: Origin) -> bool {
        let none = policies.is_empty();
        let controls: Vec<(Summary, Origin)> = policies.into_iter().filter(|(s, _)| s.controls).collect();
        if controls.is_empty() && !none {
            return false;
        }
        self.first.get_or_insert(origin);
        let listing = self.listed.entry(level).or_default();
        listing.whole |= !truncated;
        listing.file = origin.file;
        listing.policies.extend(controls.into_iter().map(|(summary, origin)| (summary.arn.clone(), (summary, origin))));
        true
    }

    /// Takes the answer of `describe-policy`. Gives whether it is a service control policy.
    ///
    /// # Errors
    /// A field is missing or not what AWS writes, or another file has another text of the same policy.
    pub(super) fn policy(&mut self, raw: &str, origin: Origin) -> Result<bool, Fault> {
        let fields = Fields::of(raw)?;
        let summary = Summary::of(fields.raw("PolicySummary").unwrap_or("{}"))?;
        let content = fields.raw("Content").map(str::to_owned);
        if !summary.controls {
            return Ok(false);
        }
        self.first.get_or_insert(origin);
        let described = Described { summary, content, origin };
        match self.described.get(&described.summary.arn) {
            Some(known) if (&known.summary, &known.content) != (&described.summary, &described.content) => Err(Fault::new(
                "aws-iam/duplicate",
                "an earlier answer has the same policy with another text",
                "give one export of the organisation",
            )),
            Some(_) => Ok(true),
            None => {
                self.described.insert(described.summary.arn.clone(), described);
                Ok(true)
            }
        }
    }

    /// Takes the answer of `list-parents` on `child`.
    ///
    /// # Errors
    /// It names no parent or several, or another one than an earlier answer.
    pub(super) fn parent(&mut self, child: Option<String>, parents: &str, origin: Origin) -> Result<(), Fault> {
        let child = child.filter(|c| is_level(c) && !is_root(c)).ok_or_else(unnamed)?;
        let text = format!("{{\"Parents\":{parents}}}");
        let fields = Fields::of(&text)?;
        let ids = fields.list("Parents")?.into_iter().map(|raw| Fields::of(raw)?.required("Id")).collect::<Result<Vec<_>, _>>()?;
        let [parent] = ids.as_slice() else {
            return Err(Fault::new("aws-iam/bad-record", "`Parents` is not one parent", "export it again: AWS names exactly one"));
        };
        if !is_level(parent) || is_number(parent) {
            return Err(Fault::new("aws-iam/bad-record", "`Parents` names neither a root nor a unit", "export it again, unedited"));
        }
        self.first.get_or_insert(origin);
        match self.parents.insert(child, (parent.clone(), origin)) {
            Some((other, _)) if other != *parent => {
                Err(Fault::new("aws-iam/duplicate", "an earlier answer names another parent", "give one export of the organisation"))
            }
            _ => Ok(()),
        }
    }

    /// Takes the answer of `describe-organization`.
    ///
    /// # Errors
    /// It names no management account.
    pub(super) fn organization(&mut self, raw: &str, origin: Origin) -> Result<(), Fault> {
        let fields = Fields::of(raw)?;
        let number = fields.required("MasterAccountId")?;
        if !is_number(&number) {
            return Err(Fault::new("aws-iam/bad-record", "`MasterAccountId` is no account number", "export it again, unedited"));
        }
        self.first.get_or_insert(origin);
        self.billing_only |= fields.text("FeatureSet")?.as_deref() == Some("CONSOLIDATED_BILLING");
        self.management.insert(number, origin);
        Ok(())
    }

    /// The management accounts that the files name, each with a file. More than one: they are of several organisations.
    pub(super) fn managers(&self) -> BTreeMap<&str, u32> {
        let listed = self.listed.values().flat_map(|l| l.policies.values()).map(|(summary, origin)| (summary, *origin));
        let described = self.described.values().map(|d| (&d.summary, d.origin));
        let own = listed.chain(described).filter_map(|(summary, origin)| Some((summary.manager()?, origin.file)));
        own.chain(self.management.iter().map(|(number, origin)| (number.as_str(), origin.file))).collect()
    }

    /// The account's levels. Without its number, the one account that the files speak about.
    fn levels(&self, account: Option<&str>) -> Levels {
        let named: BTreeSet<&str> = self.listed.keys().chain(self.parents.keys()).map(String::as_str).filter(|l| is_number(l)).collect();
        let only = named.first().copied().filter(|_| named.len() == 1);
        let Some(account) = account.or(only) else { return Levels { ids: Vec::new(), cut: true } };
        let mut ids = vec![account.to_owned()];
        while let Some((parent, _)) = ids.last().and_then(|last| self.parents.get(last)) {
            if ids.contains(parent) {
                break;
            }
            ids.push(parent.clone());
        }
        let cut = !ids.last().is_some_and(|last| is_root(last));
        Levels { ids, cut }
    }

    /// Why the policies do not bind the account, if they do not.
    fn not_binding(&self, account: Option<&str>) -> Option<&'static str> {
        let managers = self.managers();
        if self.billing_only {
            Some("the organisation has consolidated billing only")
        } else if account.is_some_and(|a| managers.contains_key(a)) {
            Some("management account")
        } else {
            None
        }
    }

    /// The entitlements of all policies, and of what is not in the export; their statements go to the draft. `account`: number of the
    /// account that the other files are about.
    pub(super) fn draft(&self, account: Option<&str>, draft: &mut Draft) -> Vec<Drafted<EntitlementRow>> {
        let Some(first) = self.first else { return Vec::new() };
        let levels = self.levels(account);
        let account = account.or_else(|| levels.ids.first().map(String::as_str));
        let not_binding = self.not_binding(account);
        for (level, listing) in self.listed.iter().filter(|(level, _)| !levels.ids.contains(level)) {
            let what = if is_number(level) {
                "policies attached to another account, not kept"
            } else {
                "policies attached to a level that is not known to be above this account, not kept"
            };
            draft.note(listing.file, what);
        }
        let mut rows: BTreeMap<String, Drafted<EntitlementRow>> = BTreeMap::new();
        for described in self.described.values() {
            let row = self.described_row(described, &levels, not_binding, draft);
            rows.insert(described.summary.arn.clone(), Drafted { row, origin: described.origin });
        }
        for listing in levels.ids.iter().filter_map(|level| self.listed.get(level)) {
            for (arn, (summary, origin)) in &listing.policies {
                let known = summary.vendor && summary.id == FULL_ACCESS;
                if !rows.contains_key(arn) && !known {
                    draft.note(origin.file, "attached service control policy whose document is not in the export");
                }
                let attributes = self.attributes(summary, &levels, not_binding).with("document", Some("not in the export"));
                let level = if known { Level::None } else { Level::Unknown };
                let row = || Drafted { row: EntitlementRow { level, ..row(summary, attributes.json()) }, origin: *origin };
                let drafted = rows.entry(arn.clone()).or_insert_with(row);
                if drafted.origin != *origin {
                    draft.facts.push((&ENTITLEMENTS, arn.clone(), "attachment", *origin));
                }
            }
        }
        if not_binding.is_none() {
            for (id, name, level) in self.unseen(&levels, draft) {
                rows.insert(id.clone(), Drafted { row: unseen_row(id, name, level), origin: first });
            }
        }
        if !rows.is_empty() {
            draft.cover(&ENTITLEMENTS);
            draft.cover(&STATEMENTS);
        }
        rows.into_values().collect()
    }

    fn described_row(&self, described: &Described, levels: &Levels, not_binding: Option<&str>, draft: &mut Draft) -> EntitlementRow {
        let Described { summary, content, origin } = described;
        let read = content.as_deref().map(|text| Document::read(text, Kind::Identity));
        let trouble = match &read {
            Some(Ok(document)) if document.unreadable == 0 => None,
            Some(Ok(_)) => Some("partly unreadable"),
            Some(Err(_)) => Some("unreadable"),
            None => Some("not in the export"),
        };
        if let Some(trouble) = trouble {
            draft.note(origin.file, format!("service control policy whose document is {trouble}"));
        }
        for row in read.and_then(Result::ok).map(|d| d.rows()).unwrap_or_default() {
            // It gives nothing, whatever it allows.
            let row = StatementRow { level: Level::None, risks: None, ..row };
            draft.statements.push(DraftChild { row, parent: summary.arn.clone(), origin: *origin });
        }
        let level = if trouble.is_some() { Level::Unknown } else { Level::None };
        let attributes = self.attributes(summary, levels, not_binding).with("document", trouble);
        EntitlementRow { level, ..row(summary, attributes.json()) }
    }

    fn attributes(&self, summary: &Summary, levels: &Levels, not_binding: Option<&str>) -> Attributes {
        let has = |level: &&String| self.listed.get(*level).is_some_and(|l| l.policies.contains_key(&summary.arn));
        let attached: Vec<String> = levels.ids.iter().filter(has).cloned().collect();
        Attributes::default()
            .with("policy_id", Some(summary.id.clone()))
            .with("description", summary.description.clone())
            .with("attached_to", Some(attached).filter(|a| !a.is_empty()))
            .with("not_binding", not_binding)
    }

    /// What is not known of the account's levels: native id, name, and level.
    fn unseen(&self, levels: &Levels, draft: &mut Draft) -> Vec<(String, String, String)> {
        let known: Vec<&Listing> = levels.ids.iter().filter_map(|level| self.listed.get(level)).collect();
        // While they are enabled, AWS leaves no level without one: a level that has none says that they are not.
        if !known.is_empty() && known.iter().all(|l| l.whole && l.policies.is_empty()) {
            known.iter().for_each(|l| draft.note(l.file, "no service control policy on any level of the account: they are not enabled"));
            return Vec::new();
        }
        let mut unseen = Vec::new();
        for level in &levels.ids {
            match self.listed.get(level) {
                Some(listing) if listing.whole && !listing.policies.is_empty() => continue,
                Some(listing) if !listing.whole => {
                    draft.short(listing.file, format!("the policies attached to `{level}` go on: `NextToken`"))
                }
                Some(listing) => {
                    draft.note(listing.file, "level without a service control policy, where other levels have some: not believed")
                }
                None => {}
            }
            unseen.push((format!("{level}#service-control-policies"), format!("service control policies of {level}"), level.clone()));
        }
        if levels.cut {
            let above = levels.ids.last().map_or_else(|| "the account".to_owned(), |last| format!("above {last}"));
            unseen.push((format!("{above}#service-control-policies"), format!("service control policies {above}"), above));
        }
        unseen
    }
}

fn row(summary: &Summary, attributes: Option<String>) -> EntitlementRow {
    EntitlementRow {
        native_id: summary.arn.clone(),
        name_norm: norm_opt(summary.name.as_deref()),
        name: summary.name.clone(),
        kind: KIND.to_owned(),
        vendor_managed: summary.vendor,
        attributes,
        ..EntitlementRow::default()
    }
}

/// What stands for policies that the export does not name.
fn unseen_row(native_id: String, name: String, level: String) -> EntitlementRow {
    let attributes = Attributes::default().with("attached_to", Some(vec![level])).with("document", Some("not in the export"));
    EntitlementRow {
        native_id,
        name_norm: norm_opt(Some(&name)),
        name: Some(name),
        kind: KIND.to_owned(),
        level: Level::Unknown,
        attributes: attributes.json(),
        ..EntitlementRow::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_may_hold_the_level() {
        assert_eq!(level_in_name("org/scp.ou-ab12-11111111.json").as_deref(), Some("ou-ab12-11111111"));
        assert_eq!(level_in_name("parents_111122223333.json").as_deref(), Some("111122223333"));
        assert_eq!(level_in_name("parents-111122223333.json").as_deref(), Some("111122223333"));
        assert_eq!(level_in_name("444455556666/r-ab12.json").as_deref(), Some("r-ab12"));
        for none in ["scp.json", "ou-ab12.json", "r-.json", "11112222333.json", "policy.p-FullAWSAccess.json"] {
            assert_eq!(level_in_name(none), None, "{none}");
        }
    }
}
