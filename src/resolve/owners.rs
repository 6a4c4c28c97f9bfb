//! Whom a reference names: owners, managers, approvers as exports write them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::account::Account;
use super::forms::{Form, IdentityColumn, attribute};
use super::index::{Among, Asked, Held, Index, Pairs, TextMap};
use super::{People, Seen};
use crate::model::text::folded;
use crate::model::{AccountIdentityRow, MatchState, Standing, Time};

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

/// What [`Directory`] asks of identities.
pub(super) fn named() -> Vec<Asked> {
    COLUMNS.iter().map(|(column, form)| (Among::Named, *column, *form)).collect()
}

/// People by everything that names them.
#[derive(Clone, Debug, Default)]
pub(super) struct Directory {
    index: Arc<Index>,
}

impl Directory {
    /// `index` holds the columns of [`named`].
    pub fn new(index: Arc<Index>) -> Self {
        Self { index }
    }

    /// The table behind it.
    pub fn index(&self) -> Arc<Index> {
        Arc::clone(&self.index)
    }

    /// The first column that knows the text decides. `Alice Smith <alice@example.com>` and `mailto:` are read by their address.
    pub fn find(&self, text: &str) -> Reference {
        let Some(text) = folded(text) else { return Reference::Nobody };
        let whole = text.strip_prefix("mailto:").unwrap_or(&text);
        let inner = whole.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(address, _)| address.trim());
        let mut room = String::new();
        for spelling in [Some(whole), inner].into_iter().flatten() {
            for (column, form) in COLUMNS {
                let mut found = BTreeSet::new();
                for part in form.parts(spelling) {
                    let held =
                        self.index.find(part.text(spelling, &mut room)).map(|n| self.index.held(n, Among::Named, Pairs::of(column, form)));
                    if let Some(Held::Few(few)) = held {
                        found.extend(few);
                    }
                }
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

/// References of one system's accounts that name nobody among the people: they may name (as `managedBy` does) one of the system's own
/// accounts, and so whomever that is linked to.
#[derive(Clone, Debug, Default)]
pub struct OwnNames {
    /// Normalised, each with its number.
    wanted: TextMap<String, u32>,
    /// One of them is a distinguished name, so that attributes are to be looked at.
    by_attribute: bool,
}

impl OwnNames {
    /// The number of a normalised name.
    pub(super) fn add(&mut self, name: &str) -> u32 {
        if let Some(known) = self.wanted.get(name) {
            return *known;
        }
        let number = self.wanted.len() as u32;
        self.by_attribute |= name.contains('=');
        self.wanted.insert(name.to_owned(), number);
        number
    }

    /// There is nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.wanted.is_empty()
    }

    /// The identities linked to those of some accounts that the wanted names call. `candidates`: the system's rows of `account_identity`.
    pub fn seek<'r>(&self, accounts: impl IntoIterator<Item = Account<'r>>, candidates: &[AccountIdentityRow]) -> OwnFound {
        let mut found = OwnFound::default();
        for account in accounts {
            let mut ask = |name: &str| {
                let Some(number) = self.wanted.get(name) else { return };
                let start = candidates.partition_point(|c| c.account_ix < account.account_ix);
                let own = candidates.iter().skip(start).take_while(|c| c.account_ix == account.account_ix);
                found.0.entry(*number).or_default().extend(own.filter(|c| c.state == MatchState::Linked).map(|c| c.identity_ix));
            };
            for name in [Some(account.native_id), account.login, account.upn, account.email].into_iter().flatten().filter_map(folded) {
                ask(&name);
            }
            if self.by_attribute {
                NAME_ATTRIBUTES.iter().flat_map(|name| attribute(account.attributes, name)).for_each(|name| ask(&name));
            }
        }
        found
    }
}

/// Whom the wanted names of [`OwnNames`] call, by their numbers.
#[derive(Clone, Debug, Default)]
pub struct OwnFound(BTreeMap<u32, BTreeSet<u32>>);

impl OwnFound {
    /// Adds what was found among other accounts.
    pub fn add(&mut self, other: Self) {
        for (number, identities) in other.0 {
            self.0.entry(number).or_default().extend(identities);
        }
    }

    pub(super) fn get(&self, number: u32) -> Reference {
        Reference::of(self.0.get(&number).cloned().unwrap_or_default())
    }
}

/// Whether nobody answers any more: the reference names nobody, or only people who had left before `t`.
pub(super) fn is_gone(reference: &Reference, people: &People, t: Time) -> bool {
    let left = |ix: &u32| people.standing(*ix, t, Seen::BySystem).is_some_and(|v| v.standing == Standing::Left);
    reference.all().iter().all(left)
}

#[cfg(test)]
mod tests {
    use super::super::Identity;
    use super::*;
    use crate::model::{IdentityKind, IdentityRow};

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
        let directory = Directory::new(Arc::new(Index::new(&named(), &identities)));
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
