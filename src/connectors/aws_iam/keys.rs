//! Access keys from `list-access-keys` and `get-access-key-last-used`, matched to the credential report; passwords and certificates.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;

use super::fields::{Fault, Fields};
use super::report::{Row, Seen, Slot};
use super::uses::{Use, keys_tracked, passwords_tracked};
use crate::connectors::{Draft, DraftCredential, Origin, Reject};
use crate::model::time::SECOND;
use crate::model::{CREDENTIALS, CredentialKind, CredentialRow, CredentialStatus, Time};

/// One entry of `list-access-keys`.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) origin: Origin,
    pub(super) user: String,
    pub(super) id: String,
    pub(super) status: CredentialStatus,
    pub(super) created: Option<Time>,
}

/// One answer of `get-access-key-last-used`. It names the user; the key only if the file's name or an added field does.
#[derive(Debug)]
pub(super) struct LastUsed {
    pub(super) origin: Origin,
    pub(super) user: Option<String>,
    pub(super) key: Option<String>,
    pub(super) used: Option<Time>,
}

/// What the files say of keys.
#[derive(Debug, Default)]
pub(super) struct Keys {
    pub(super) listed: Vec<Key>,
    pub(super) last_used: Vec<LastUsed>,
    seen: BTreeSet<String>,
}

impl Keys {
    /// Reads one entry of `AccessKeyMetadata`.
    ///
    /// # Errors
    /// A field is missing or not what AWS writes, or the key is there already.
    pub(super) fn entry(&mut self, raw: &str, origin: Origin, zone: Option<&TimeZone>) -> Result<(), Fault> {
        let fields = Fields::of(raw)?;
        let key = Key {
            origin,
            user: fields.required("UserName")?,
            id: fields.required("AccessKeyId")?,
            status: match fields.text("Status")?.as_deref() {
                Some("Active") => CredentialStatus::Active,
                Some("Inactive") => CredentialStatus::Inactive,
                _ => CredentialStatus::Unknown,
            },
            created: fields.time("CreateDate", zone)?,
        };
        if !key.id.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(Fault::new("aws-iam/bad-record", "`AccessKeyId` is not a key id", "export it again, unedited"));
        }
        if !self.seen.insert(key.id.clone()) {
            return Err(Fault::new("aws-iam/duplicate", "an earlier entry has the same `AccessKeyId`", "give each listing once"));
        }
        self.listed.push(key);
        Ok(())
    }
}

/// The key id that a file's name holds (`get-access-key-last-used.AKIA….json`).
pub(super) fn key_in_name(name: &str) -> Option<String> {
    let mut words = name.split(|c: char| !c.is_ascii_alphanumeric());
    words.rfind(|w| w.len() >= 16 && (w.starts_with("AKIA") || w.starts_with("ASIA"))).map(str::to_owned)
}

/// What `get-access-key-last-used` says, by key id and by place in the report.
#[derive(Debug, Default)]
struct Refined {
    by_id: BTreeMap<String, (Option<Time>, Origin)>,
    by_slot: BTreeMap<(String, u8), (Option<Time>, Origin)>,
}

/// Everything about credentials that one import brings together.
pub(super) struct Credentials<'a> {
    pub(super) keys: &'a Keys,
    pub(super) rows: &'a [Row],
    /// ARN of a user by name.
    pub(super) arns: &'a BTreeMap<String, String>,
    /// Some file lists credentials.
    pub(super) listed: bool,
}

impl Credentials<'_> {
    /// Drafts every credential, and gives the uses that each account's credentials show, by ARN.
    pub(super) fn draft(&self, draft: &mut Draft) -> BTreeMap<String, Vec<Use>> {
        let refined = self.refine(draft);
        let mut uses: BTreeMap<String, Vec<Use>> = BTreeMap::new();
        let mut held: BTreeMap<&str, Vec<&Key>> = BTreeMap::new();
        for key in &self.keys.listed {
            held.entry(self.holder(&key.user)).or_default().push(key);
        }
        for keys in held.values_mut() {
            keys.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
        }
        for row in self.rows {
            let own = uses.entry(row.arn.clone()).or_default();
            own.extend(password(row, draft));
            certificates(row, draft);
            let keys = held.remove(row.arn.as_str()).unwrap_or_default();
            own.extend(row_keys(row, &keys, &refined, draft));
        }
        for (holder, keys) in held {
            let own = uses.entry(holder.to_owned()).or_default();
            own.extend(keys.into_iter().map(|key| listed_key(holder, key, None, &refined, draft)));
        }
        self.unlisted(&refined, draft);
        uses
    }

    /// The account that a user name stands for, else the name itself.
    fn holder<'b>(&'b self, user: &'b str) -> &'b str {
        self.arns.get(user).map_or(user, String::as_str)
    }

    /// Finds the key that each answer of `get-access-key-last-used` is about; rejects those that could be about several.
    fn refine(&self, draft: &mut Draft) -> Refined {
        let mut refined = Refined::default();
        let mut nameless: BTreeMap<&str, Vec<&LastUsed>> = BTreeMap::new();
        for answer in &self.keys.last_used {
            match (&answer.key, &answer.user) {
                (Some(key), _) => {
                    draft.accept(answer.origin.file);
                    newest(refined.by_id.entry(key.clone()).or_insert((None, answer.origin)), answer);
                }
                (None, Some(user)) => nameless.entry(user).or_default().push(answer),
                (None, None) => draft.reject(unnamed(answer)),
            }
        }
        for (user, answers) in nameless {
            self.place(user, &answers, &mut refined, draft);
        }
        refined
    }

    /// Places answers that name a user and no key.
    fn place(&self, user: &str, answers: &[&LastUsed], refined: &mut Refined, draft: &mut Draft) {
        let holder = self.holder(user);
        let listed: Vec<&Key> = self.keys.listed.iter().filter(|k| k.user == user).collect();
        let slots: Vec<&Slot> = if listed.is_empty() {
            self.rows.iter().filter(|r| r.arn == holder).flat_map(|r| r.keys.iter().filter(|s| s.exists())).collect()
        } else {
            Vec::new()
        };
        let keys = listed.len() + slots.len();
        // Where every key has an answer and no answer knows a use, it does not matter which is whose.
        let all_never = answers.len() == keys && answers.iter().all(|a| a.used.is_none());
        if keys != 1 && !all_never {
            answers.iter().for_each(|a| draft.reject(unnamed(a)));
            return;
        }
        for answer in answers {
            draft.accept(answer.origin.file);
            draft.note(answer.origin.file, "last use of a key placed by its user: the file names no key");
            for key in &listed {
                newest(refined.by_id.entry(key.id.clone()).or_insert((None, answer.origin)), answer);
            }
            for slot in &slots {
                newest(refined.by_slot.entry((holder.to_owned(), slot.number)).or_insert((None, answer.origin)), answer);
            }
        }
    }

    /// Keys that only `get-access-key-last-used` speaks about.
    fn unlisted(&self, refined: &Refined, draft: &mut Draft) {
        let mut known: BTreeSet<&str> = self.keys.seen.iter().map(String::as_str).collect();
        for answer in &self.keys.last_used {
            let Some(id) = answer.key.as_deref().filter(|id| known.insert(id)) else { continue };
            if !self.listed {
                draft.note(answer.origin.file, "last use of a key, not kept: no file lists keys or is a credential report");
                continue;
            }
            draft.note(answer.origin.file, "key whose last use is given and that no listing holds");
            let used = refined.by_id.get(id).and_then(|(at, _)| *at).map_or_else(Use::default, Use::used);
            let row = credential(id.to_owned(), CredentialKind::AccessKey, CredentialStatus::Unknown, used);
            let holder = answer.user.as_deref().map_or(id, |user| self.holder(user));
            draft.credentials.push(DraftCredential { row, holder: holder.to_owned(), origin: answer.origin });
        }
    }
}

fn newest(known: &mut (Option<Time>, Origin), answer: &LastUsed) {
    if answer.used > known.0 {
        *known = (answer.used, answer.origin);
    }
}

fn unnamed(answer: &LastUsed) -> Reject {
    Reject {
        origin: answer.origin,
        byte_offset: None,
        reason: "aws-iam/unnamed-key",
        message: "last use of an access key, and nothing says of which key".to_owned(),
        help: "save each answer under a name that holds the key id (`last-used.AKIA….json`), or give `list-access-keys` too".to_owned(),
        excerpt: None,
    }
}

fn credential(native_id: String, kind: CredentialKind, status: CredentialStatus, used: Use) -> CredentialRow {
    CredentialRow {
        native_id,
        kind,
        status,
        last_used_at: used.at,
        use_state: used.state,
        use_window_from: used.from,
        ..CredentialRow::default()
    }
}

/// A user's password. `password_enabled` is `not_supported` for the root user, whose password cannot be told from none.
fn password(row: &Row, draft: &mut Draft) -> Option<Use> {
    let status = match row.password_enabled {
        Some(true) => CredentialStatus::Active,
        None if row.is_root() => CredentialStatus::Unknown,
        _ => return None,
    };
    let used = Use::seen(row.password_used, row.created, passwords_tracked());
    if used.at.is_some_and(|at| at < passwords_tracked()) {
        draft.note(
            row.origin.file,
            "password last used before 2018-05-23: AWS lost the sign-ins of the three weeks before, so it may be later",
        );
    }
    let mut credential = credential(format!("{}#password", row.arn), CredentialKind::Password, status, used);
    credential.rotated_at = row.password_changed.time();
    draft.credentials.push(DraftCredential { row: credential, holder: row.arn.clone(), origin: row.origin });
    Some(used)
}

/// Signing certificates. The report says nothing of their use.
fn certificates(row: &Row, draft: &mut Draft) {
    for slot in row.certificates.iter().filter(|s| s.exists()) {
        let native_id = format!("{}#cert_{}", row.arn, slot.number);
        let mut credential = credential(native_id, CredentialKind::Certificate, slot_status(slot), Use::default());
        credential.name = Some(format!("cert_{}", slot.number));
        credential.rotated_at = slot.rotated.time();
        draft.credentials.push(DraftCredential { row: credential, holder: row.arn.clone(), origin: row.origin });
    }
}

fn slot_status(slot: &Slot) -> CredentialStatus {
    match slot.active {
        Some(true) => CredentialStatus::Active,
        Some(false) => CredentialStatus::Inactive,
        None => CredentialStatus::Unknown,
    }
}

/// The keys of one row of the report, each with its listed key where one fits.
fn row_keys(row: &Row, keys: &[&Key], refined: &Refined, draft: &mut Draft) -> Vec<Use> {
    let slots: Vec<&Slot> = row.keys.iter().filter(|s| s.exists()).collect();
    let pairs = pair(&slots, keys, row.origin.file, draft);
    let mut uses = Vec::new();
    for (slot, key) in slots.iter().zip(&pairs) {
        uses.push(match key {
            Some(key) => listed_key(&row.arn, key, Some((row, slot)), refined, draft),
            None => slot_key(row, slot, refined, draft),
        });
        if key.is_none() && !keys.is_empty() {
            draft.note(row.origin.file, "key of the credential report that `list-access-keys` does not hold");
        }
    }
    let taken: BTreeSet<&str> = pairs.iter().flatten().map(|k| k.id.as_str()).collect();
    let rest = keys.iter().filter(|k| !taken.contains(k.id.as_str()));
    uses.extend(rest.map(|key| listed_key(&row.arn, key, None, refined, draft)));
    uses
}

/// Finds each slot's key: the same second of creation, then the same status, then what is left over.
fn pair<'k>(slots: &[&Slot], keys: &[&'k Key], file: u32, draft: &mut Draft) -> Vec<Option<&'k Key>> {
    let mut left: Vec<&'k Key> = keys.to_vec();
    let mut pairs: Vec<Option<&'k Key>> = Vec::new();
    for slot in slots {
        let fits: Vec<&'k Key> = left.iter().copied().filter(|k| same_second(k.created, slot.rotated)).collect();
        let same_status: Vec<&'k Key> = fits.iter().copied().filter(|k| k.status == slot_status(slot)).collect();
        let best = if same_status.is_empty() { &fits } else { &same_status };
        if best.len() > 1 {
            draft.note(file, "two keys of one user were created in the same second: which is which in the credential report is a guess");
        }
        let chosen = best.first().copied();
        left.retain(|k| chosen.is_none_or(|c| c.id != k.id));
        pairs.push(chosen);
    }
    // One of each left over, and the key no younger than the slot: the slot's date is that of a later change.
    let open: Vec<usize> = pairs.iter().enumerate().filter(|(_, p)| p.is_none()).map(|(at, _)| at).collect();
    if let ([at], [key]) = (open.as_slice(), left.as_slice())
        && slots.get(*at).and_then(|s| s.rotated.time()).is_some_and(|rotated| key.created.is_some_and(|created| created <= rotated))
        && let Some(place) = pairs.get_mut(*at)
    {
        draft.note(file, "key matched to the credential report by elimination: its dates differ");
        *place = Some(key);
    }
    pairs
}

fn same_second(created: Option<Time>, rotated: Seen) -> bool {
    let second = |t: Time| t.micros().div_euclid(SECOND);
    created.zip(rotated.time()).is_some_and(|(a, b)| second(a) == second(b))
}

/// A key that only the report shows: it has a place and no id.
fn slot_key(row: &Row, slot: &Slot, refined: &Refined, draft: &mut Draft) -> Use {
    let since = slot.rotated.time();
    let mut used = Use::seen(slot.used, since, keys_tracked());
    let native_id = format!("{}#access_key_{}", row.arn, slot.number);
    if let Some((at, origin)) = refined.by_slot.get(&(row.arn.clone(), slot.number)) {
        used = used.or(at.map_or_else(|| Use::none(since, keys_tracked()), Use::used));
        draft.facts.push((&CREDENTIALS, native_id.clone(), "last used", *origin));
    }
    let mut credential = credential(native_id, CredentialKind::AccessKey, slot_status(slot), used);
    credential.name = Some(format!("access_key_{}", slot.number));
    credential.rotated_at = since;
    draft.credentials.push(DraftCredential { row: credential, holder: row.arn.clone(), origin: row.origin });
    used
}

/// A listed key, with its place in the report if it has one.
fn listed_key(holder: &str, key: &Key, place: Option<(&Row, &Slot)>, refined: &Refined, draft: &mut Draft) -> Use {
    let mut used = place.map_or_else(Use::default, |(_, slot)| Use::seen(slot.used, key.created, keys_tracked()));
    if let Some((at, origin)) = refined.by_id.get(&key.id) {
        used = used.or(at.map_or_else(|| Use::none(key.created, keys_tracked()), Use::used));
        draft.facts.push((&CREDENTIALS, key.id.clone(), "last used", *origin));
    }
    let mut credential = credential(key.id.clone(), CredentialKind::AccessKey, key.status, used);
    credential.created_at = key.created;
    if let Some((row, slot)) = place {
        credential.name = Some(format!("access_key_{}", slot.number));
        credential.rotated_at = slot.rotated.time();
        draft.facts.push((&CREDENTIALS, key.id.clone(), "credential report", row.origin));
        if key.status != slot_status(slot) {
            draft.note(key.origin.file, "status of a key differs between `list-access-keys` and the credential report: the listing counts");
        }
    }
    draft.credentials.push(DraftCredential { row: credential, holder: holder.to_owned(), origin: key.origin });
    used
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Time {
        Time::parse_iso(text).unwrap()
    }

    fn slot(number: u8, active: bool, rotated: &str) -> Slot {
        Slot { number, active: Some(active), rotated: Seen::At(time(rotated)), used: Seen::NotApplicable }
    }

    fn key(id: &str, status: CredentialStatus, created: &str) -> Key {
        Key { origin: Origin::record(0, 1), user: "ida".into(), id: id.into(), status, created: Some(time(created)) }
    }

    fn paired(slots: &[Slot], keys: &[Key]) -> (Vec<Option<String>>, usize) {
        let mut draft = Draft::new(1);
        let pairs = pair(&slots.iter().collect::<Vec<_>>(), &keys.iter().collect::<Vec<_>>(), 0, &mut draft);
        (pairs.into_iter().map(|p| p.map(|k| k.id.clone())).collect(), draft.files[0].notes.len())
    }

    #[test]
    fn keys_find_their_place_in_the_report() {
        use CredentialStatus::{Active, Inactive};
        let (old, new) = ("2020-01-01T00:00:00Z", "2024-01-01T00:00:00Z");
        let some = |id: &str| Some(id.to_owned());
        // By creation time, to the second.
        assert_eq!(
            paired(&[slot(1, true, new), slot(2, true, old)], &[key("A", Active, "2020-01-01T00:00:00.7Z"), key("B", Active, new)]),
            (vec![some("B"), some("A")], 0)
        );
        // In one second: by status, else by guess, and said so.
        assert_eq!(
            paired(&[slot(1, true, new), slot(2, false, new)], &[key("A", Inactive, new), key("B", Active, new)]),
            (vec![some("B"), some("A")], 0)
        );
        assert_eq!(
            paired(&[slot(1, true, new), slot(2, true, new)], &[key("A", Active, new), key("B", Active, new)]),
            (vec![some("A"), some("B")], 1)
        );
        // The date of a later change: by elimination; never a key younger than the slot.
        assert_eq!(
            paired(&[slot(1, true, new), slot(2, true, old)], &[key("A", Active, "2023-01-01T00:00:00Z"), key("B", Active, old)]),
            (vec![some("A"), some("B")], 1)
        );
        assert_eq!(paired(&[slot(1, true, old)], &[key("A", Active, new)]), (vec![None], 0));
    }

    #[test]
    fn a_file_name_may_hold_the_key() {
        assert_eq!(key_in_name("keys/last-used.AKIAIOSFODNN7EXAMPLE.json").as_deref(), Some("AKIAIOSFODNN7EXAMPLE"));
        assert_eq!(key_in_name("get-access-key-last-used.svc-ci.0.json"), None);
        assert_eq!(key_in_name("AKIASHORT.json"), None);
    }
}
