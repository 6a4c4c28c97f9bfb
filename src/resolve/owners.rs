//! Whom a reference names: owners, managers, approvers as exports write them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::correlate::MAX_SHARED;
use super::forms::{Form, IdentityColumn, attribute};
use super::{Identity, People, Seen};
use crate::model::text::norm;
use crate::model::{AccountIdentityRow, AccountRow, IdentityKind, MatchState, Standing, Time};

/// Whom a text names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    Nobody,
    One(u32),
    /// More than one identity, ascending.
    Several(Vec<u32>),
}

impl Reference {
    /// The identity, where there is exactly one.
    pub fn one(&self) -> Option<u32> {
        if let Self::One(ix) = self { Some(*ix) } else { None }
    }

    /// Every identity that it may name.
    pub fn all(&self) -> &[u32] {
        match self {
            Self::Nobody => &[],
            Self::One(ix) => std::slice::from_ref(ix),
            Self::Several(all) => all,
        }
    }

    fn of(found: BTreeSet<u32>) -> Self {
        let found: Vec<u32> = found.into_iter().collect();
        match found.as_slice() {
            [] => Self::Nobody,
            [one] => Self::One(*one),
            _ => Self::Several(found),
        }
    }
}

/// The columns of a person by which a reference may name them, in the order in which they are tried.
const COLUMNS: [(IdentityColumn, Form); 6] = [
    (IdentityColumn::NativeId, Form::Exact),
    (IdentityColumn::EmployeeNumber, Form::Exact),
    (IdentityColumn::Email, Form::Exact),
    (IdentityColumn::Login, Form::Login),
    (IdentityColumn::Alias, Form::Login),
    (IdentityColumn::DisplayName, Form::Name),
];

/// People by everything that names them.
#[derive(Clone, Debug, Default)]
pub(super) struct Directory {
    /// One map per entry of [`COLUMNS`]: key to identities.
    columns: Vec<HashMap<String, Vec<u32>>>,
}

impl Directory {
    pub fn new(identities: &[Identity<'_>]) -> Self {
        let mut columns = vec![HashMap::<String, Vec<u32>>::new(); COLUMNS.len()];
        for identity in identities.iter().filter(|i| matches!(i.kind, IdentityKind::Person | IdentityKind::External)) {
            for (map, (column, form)) in columns.iter_mut().zip(COLUMNS) {
                let values = identity.records.iter().flat_map(|r| column.values(r));
                for key in values.flat_map(|v| form.identity_keys(&v)).collect::<BTreeSet<_>>() {
                    map.entry(key).or_default().push(identity.identity_ix);
                }
            }
        }
        Self { columns }
    }

    /// The first column that knows the text decides. `Alice Smith <alice@example.com>` and `mailto:` are read by their address.
    pub fn find(&self, text: &str) -> Reference {
        let Some(text) = norm(text) else { return Reference::Nobody };
        let whole = text.strip_prefix("mailto:").unwrap_or(&text);
        let inner = whole.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(address, _)| address.trim());
        for spelling in [Some(whole), inner].into_iter().flatten() {
            for (map, (_, form)) in self.columns.iter().zip(COLUMNS) {
                let keys = form.account_keys(spelling);
                let held = keys.iter().filter_map(|key| map.get(key.as_ref())).filter(|held| held.len() <= MAX_SHARED);
                let found: BTreeSet<u32> = held.flatten().copied().collect();
                if !found.is_empty() {
                    return Reference::of(found);
                }
            }
        }
        Reference::Nobody
    }
}

/// Attributes in which a directory keeps the name by which its own references call an account.
const NAME_ATTRIBUTES: [&str; 4] = ["dn", "distinguishedName", "distinguished_name", "entryDN"];

/// The references that the accounts of one system make, resolved: against the people, else (as `managedBy` does) against the system's own
/// accounts and whom those are linked to.
pub(super) struct Owners {
    resolved: BTreeMap<String, Reference>,
}

impl Owners {
    /// `references`: every reference that will be asked for. `candidates`: the system's rows of `account_identity`, by `account_ix`.
    pub fn new<'a>(
        references: impl Iterator<Item = &'a str>,
        accounts: &[&AccountRow],
        candidates: &[AccountIdentityRow],
        people: &People,
    ) -> Self {
        let mut resolved: BTreeMap<String, Reference> = BTreeMap::new();
        for text in references {
            if !resolved.contains_key(text) {
                resolved.insert(text.to_owned(), people.find(text));
            }
        }
        let open: BTreeSet<String> = resolved.iter().filter(|(_, r)| **r == Reference::Nobody).filter_map(|(text, _)| norm(text)).collect();
        if !open.is_empty() {
            let own = own_accounts(&open, accounts, candidates);
            for (text, reference) in resolved.iter_mut().filter(|(_, r)| **r == Reference::Nobody) {
                if let Some(found) = norm(text).and_then(|key| own.get(&key).cloned()) {
                    *reference = Reference::of(found);
                }
            }
        }
        Self { resolved }
    }

    pub fn get(&self, text: &str) -> &Reference {
        self.resolved.get(text).unwrap_or(&Reference::Nobody)
    }
}

/// The identities linked to the accounts that the wanted names call.
fn own_accounts(wanted: &BTreeSet<String>, accounts: &[&AccountRow], candidates: &[AccountIdentityRow]) -> BTreeMap<String, BTreeSet<u32>> {
    let by_attribute = wanted.iter().any(|w| w.contains('='));
    let mut found: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
    for account in accounts {
        let mut names: Vec<String> = [Some(&account.native_id), account.login.as_ref(), account.upn.as_ref(), account.email.as_ref()]
            .into_iter()
            .flatten()
            .filter_map(|n| norm(n))
            .collect();
        if by_attribute {
            names.extend(NAME_ATTRIBUTES.iter().flat_map(|name| attribute(account.attributes.as_deref(), name)));
        }
        for name in names.into_iter().filter(|n| wanted.contains(n)) {
            let start = candidates.partition_point(|c| c.account_ix < account.account_ix);
            let own = candidates.iter().skip(start).take_while(|c| c.account_ix == account.account_ix);
            found.entry(name).or_default().extend(own.filter(|c| c.state == MatchState::Linked).map(|c| c.identity_ix));
        }
    }
    found
}

/// Whether nobody answers any more: the reference names nobody, or only people who had left before `t`.
pub(super) fn is_gone(reference: &Reference, people: &People, t: Time) -> bool {
    let left = |ix: &u32| people.standing(*ix, t, Seen::BySystem).is_some_and(|v| v.standing == Standing::Left);
    reference.all().iter().all(left)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::IdentityRow;

    #[test]
    fn a_reference_is_read_by_the_first_column_that_knows_it() {
        let text = |t: &str| Some(t.to_owned());
        let rows = [
            IdentityRow {
                native_id: "p1".into(),
                email: text("a@example.com"),
                login: text("alice"),
                display_name: text("Smith, Alice"),
                ..IdentityRow::default()
            },
            IdentityRow {
                native_id: "p2".into(),
                employee_number: text("007"),
                display_name: text("Alice Smith"),
                ..IdentityRow::default()
            },
            IdentityRow { native_id: "w1".into(), kind: IdentityKind::Workload, login: text("svc"), ..IdentityRow::default() },
        ];
        let identities: Vec<Identity<'_>> = (0_u32..)
            .zip(&rows)
            .map(|(identity_ix, row)| Identity { identity_ix, kind: row.kind, spoken: true, records: vec![row] })
            .collect();
        let directory = Directory::new(&identities);
        for (asked, want) in [
            ("P1", Reference::One(0)),
            ("007", Reference::One(1)),
            ("7", Reference::Nobody),
            ("Alice S. <A@Example.com>", Reference::One(0)),
            ("mailto:a@example.com", Reference::One(0)),
            ("CORP\\alice", Reference::One(0)),
            ("alice smith", Reference::Several(vec![0, 1])),
            ("svc", Reference::Nobody),
            ("", Reference::Nobody),
        ] {
            assert_eq!(directory.find(asked), want, "{asked}");
        }
    }
}
