//! Identities by everything that names them: one table of normalised texts for every column that a rule may ask.

use std::collections::BTreeMap;

use super::Identity;
use super::correlate::MAX_SHARED;
use super::forms::{Form, IdentityColumn};
use crate::model::IdentityKind;

/// A column of identities in one form, as a bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pairs(u16);

impl Pairs {
    /// The bit of one column in the form in which it meets an account's.
    pub fn of(column: IdentityColumn, form: Form) -> Self {
        let place = match (column, form) {
            (IdentityColumn::Login, Form::Login) => 9,
            (IdentityColumn::Alias, Form::Login) => 10,
            (IdentityColumn::NativeId, _) => 0,
            (IdentityColumn::EmployeeNumber, _) => 1,
            (IdentityColumn::Email, _) => 2,
            (IdentityColumn::Login, _) => 3,
            (IdentityColumn::Alias, _) => 4,
            (IdentityColumn::DisplayName, _) => 5,
            (IdentityColumn::EmailLocal, _) => 6,
            (IdentityColumn::InitialFamily, _) => 7,
            (IdentityColumn::GivenFamily, _) => 8,
        };
        Self(1 << place)
    }

    fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// Among whom one looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Among {
    /// People for whom an authority speaks: candidates of accounts.
    People,
    /// Registered non-humans for whom an authority speaks.
    Registry,
    /// Everybody whom a reference may name.
    Named,
}

impl Among {
    const ALL: [Self; 3] = [Self::People, Self::Registry, Self::Named];

    fn bit(self) -> u16 {
        1 << self as u16
    }

    fn holds(self, identity: &Identity<'_>) -> bool {
        let person = matches!(identity.kind, IdentityKind::Person | IdentityKind::External);
        match self {
            Self::People => identity.spoken && person,
            Self::Registry => identity.spoken && !person,
            Self::Named => person,
        }
    }
}

/// Which columns are asked, and among whom.
pub(super) type Asked = (Among, IdentityColumn, Form);

/// One identity that holds a text.
#[derive(Clone, Copy, Debug)]
struct Posting {
    identity_ix: u32,
    /// By which columns.
    pairs: Pairs,
    /// The groups of [`Among`] to which it belongs.
    among: u16,
}

/// Where a text stands, and its first posting; the next entry's first posting ends them.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    start: usize,
    length: u32,
    first: u32,
}

/// Who holds a text under one column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Held<'a> {
    /// At most [`MAX_SHARED`] identities, ascending.
    Few(Few<'a>),
    /// So many that it ties to none of them.
    Many(usize),
}

/// Those postings of a text that one column holds.
#[derive(Clone, Debug)]
pub(super) struct Few<'a> {
    postings: std::slice::Iter<'a, Posting>,
    pairs: Pairs,
    among: u16,
}

impl PartialEq for Few<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.clone().eq(other.clone())
    }
}

impl Eq for Few<'_> {}

impl Iterator for Few<'_> {
    type Item = u32;
    fn next(&mut self) -> Option<u32> {
        let (pairs, among) = (self.pairs, self.among);
        self.postings.by_ref().find(|p| p.pairs.meets(pairs) && p.among & among != 0).map(|p| p.identity_ix)
    }
}

/// The table. Texts are found by hash and always compared.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    /// Half of a text's hash and its number from 1; 0: free. A power of two of them, at most two thirds full.
    slots: Vec<u64>,
    entries: Vec<Entry>,
    texts: String,
    postings: Vec<Posting>,
    /// Columns that somebody fills, by group.
    filled: [Pairs; 3],
    /// Columns under which more than [`MAX_SHARED`] hold a text, and those under which few do, of texts that many hold.
    shared: BTreeMap<(u32, Pairs, Among), Shared>,
}

#[derive(Clone, Debug)]
enum Shared {
    Many(usize),
    Few(Vec<Posting>),
}

impl Index {
    /// Reads the asked columns of every identity; `identities` ascend by `identity_ix`.
    pub fn new(asked: &[Asked], identities: &[Identity<'_>]) -> Self {
        let mut asked = asked.to_vec();
        asked.sort_unstable();
        asked.dedup();
        let mut building = Building::default();
        for identity in identities {
            building.add(identity, &asked);
        }
        building.finish()
    }

    /// Whether any identity of a group fills a column.
    pub fn fills(&self, among: Among, column: IdentityColumn, form: Form) -> bool {
        self.filled.get(among as usize).is_some_and(|f| f.meets(Pairs::of(column, form)))
    }

    /// The number of a text that somebody holds.
    pub fn find(&self, text: &str) -> Option<u32> {
        let hash = hash(text.as_bytes());
        let mask = self.slots.len().checked_sub(1)?;
        let mut at = hash as usize & mask;
        loop {
            let slot = *self.slots.get(at)?;
            if slot == 0 {
                return None;
            }
            if slot >> 32 == hash >> 32 {
                let number = slot as u32 - 1;
                if self.text(number) == text {
                    return Some(number);
                }
            }
            at = (at + 1) & mask;
        }
    }

    fn text(&self, number: u32) -> &str {
        let entry = self.entries.get(number as usize).copied().unwrap_or_default();
        self.texts.get(entry.start..entry.start + entry.length as usize).unwrap_or_default()
    }

    /// Who holds a text under one column.
    pub fn held(&self, text: u32, among: Among, pairs: Pairs) -> Held<'_> {
        let first = |number: u32| self.entries.get(number as usize).map_or(self.postings.len(), |e| e.first as usize);
        let all = self.postings.get(first(text)..first(text + 1)).unwrap_or_default();
        let postings = if all.len() <= MAX_SHARED {
            all
        } else {
            match self.shared.get(&(text, pairs, among)) {
                Some(Shared::Many(n)) => return Held::Many(*n),
                Some(Shared::Few(some)) => some.as_slice(),
                None => &[],
            }
        };
        Held::Few(Few { postings: postings.iter(), pairs, among: among.bit() })
    }
}

/// An index under construction: the postings of a text are a list from its newest to its oldest.
#[derive(Default)]
struct Building {
    index: Index,
    /// Newest posting of each text, from 1.
    newest: Vec<u32>,
    /// The posting before each posting, from 1; 0: none.
    before: Vec<u32>,
}

impl Building {
    fn add(&mut self, identity: &Identity<'_>, asked: &[Asked]) {
        let mut among = 0;
        for group in Among::ALL {
            among |= if group.holds(identity) { group.bit() } else { 0 };
        }
        for group in asked.chunk_by(|a, b| (a.1, a.2) == (b.1, b.2)) {
            let Some((_, column, form)) = group.first().copied() else { continue };
            if group.iter().all(|(g, ..)| g.bit() & among == 0) {
                continue;
            }
            let pairs = Pairs::of(column, form);
            for row in &identity.records {
                column.each(row, |value| form.each_identity_key(value, |key| self.post(key, identity.identity_ix, pairs, among)));
            }
        }
    }

    fn post(&mut self, key: &str, identity_ix: u32, pairs: Pairs, among: u16) {
        for (group, filled) in Among::ALL.into_iter().zip(&mut self.index.filled) {
            filled.0 |= if group.bit() & among == 0 { 0 } else { pairs.0 };
        }
        let number = self.number(key);
        let Some(newest) = self.newest.get_mut(number as usize) else { return };
        // Keys of one identity come one after the other.
        if let Some(last) = newest.checked_sub(1).and_then(|at| self.index.postings.get_mut(at as usize))
            && last.identity_ix == identity_ix
        {
            last.pairs.0 |= pairs.0;
            return;
        }
        self.before.push(*newest);
        self.index.postings.push(Posting { identity_ix, pairs, among });
        *newest = self.index.postings.len() as u32;
    }

    /// The number of a text, new or known.
    fn number(&mut self, key: &str) -> u32 {
        if let Some(known) = self.index.find(key) {
            return known;
        }
        let number = self.index.entries.len() as u32;
        self.index.entries.push(Entry { start: self.index.texts.len(), length: key.len() as u32, first: 0 });
        self.index.texts.push_str(key);
        self.newest.push(0);
        if self.index.entries.len() * 3 > self.index.slots.len() * 2 {
            self.grow();
        } else {
            place(&mut self.index.slots, hash(key.as_bytes()), number);
        }
        number
    }

    fn grow(&mut self) {
        let size = (self.index.slots.len() * 2).max(64);
        let mut slots = vec![0; size];
        for number in 0..self.index.entries.len() as u32 {
            place(&mut slots, hash(self.index.text(number).as_bytes()), number);
        }
        self.index.slots = slots;
    }

    fn finish(self) -> Index {
        let Self { mut index, newest, before } = self;
        let mut postings = Vec::with_capacity(index.postings.len());
        for (entry, newest) in index.entries.iter_mut().zip(newest) {
            entry.first = postings.len() as u32;
            let mut at = newest;
            while let Some(posting) = at.checked_sub(1).and_then(|at| index.postings.get(at as usize)) {
                postings.push(*posting);
                at = before.get(at as usize - 1).copied().unwrap_or_default();
            }
            if let Some(own) = postings.get_mut(entry.first as usize..) {
                own.reverse();
            }
        }
        index.postings = postings;
        index.texts.shrink_to_fit();
        index.entries.shrink_to_fit();
        index.count_shared();
        index
    }
}

impl Index {
    /// Counts, once, who holds the texts that many hold.
    fn count_shared(&mut self) {
        for (number, pair) in
            (0_u32..).zip(self.entries.windows(2).map(|w| (w.first().copied(), w.last().copied())).chain(self.last_pair()))
        {
            let (from, to) = (pair.0.map_or(0, |e| e.first as usize), pair.1.map_or(self.postings.len(), |e| e.first as usize));
            if to.saturating_sub(from) <= MAX_SHARED {
                continue;
            }
            for posting in self.postings.get(from..to).unwrap_or_default() {
                for among in Among::ALL.into_iter().filter(|g| g.bit() & posting.among != 0) {
                    for pairs in (0..16).map(|place| Pairs(1 << place)).filter(|p| p.meets(posting.pairs)) {
                        count(self.shared.entry((number, pairs, among)).or_insert_with(|| Shared::Few(Vec::new())), *posting);
                    }
                }
            }
        }
    }

    fn last_pair(&self) -> Option<(Option<Entry>, Option<Entry>)> {
        self.entries.last().map(|last| (Some(*last), None))
    }
}

fn count(shared: &mut Shared, posting: Posting) {
    match shared {
        Shared::Many(n) => *n += 1,
        Shared::Few(some) if some.len() == MAX_SHARED => *shared = Shared::Many(MAX_SHARED + 1),
        Shared::Few(some) => some.push(posting),
    }
}

fn place(slots: &mut [u64], hash: u64, number: u32) {
    let Some(mask) = slots.len().checked_sub(1) else { return };
    let mut at = hash as usize & mask;
    while let Some(slot) = slots.get_mut(at) {
        if *slot == 0 {
            *slot = (hash >> 32) << 32 | (u64::from(number) + 1);
            return;
        }
        at = (at + 1) & mask;
    }
}

/// A hash of a short text, the same on every machine: eight bytes at a time, each folded in by a wide multiplication.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    let mut state = SEED ^ bytes.len() as u64;
    let mut words = bytes.chunks_exact(8);
    for word in &mut words {
        state = fold(state ^ word.try_into().map_or(0, u64::from_le_bytes));
    }
    let rest = words.remainder().iter().rev().fold(0, |all, byte| all << 8 | u64::from(*byte));
    fold(fold(state ^ rest) ^ SEED)
}

/// Odd and without a pattern in its bits.
const SEED: u64 = 0x9E37_79B9_7F4A_7C15;

fn fold(word: u64) -> u64 {
    let wide = u128::from(word) * u128::from(0xA076_1D64_78BD_642F_u64);
    (wide >> 64) as u64 ^ wide as u64
}

/// [`hash`] for the maps of the standard library.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TextHasher(u64);

impl std::hash::Hasher for TextHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = self.0.rotate_left(5) ^ hash(bytes);
    }

    /// What ends every text tells nothing.
    fn write_u8(&mut self, _: u8) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A map by texts, to look into and never to walk.
pub(super) type TextMap<K, V> = std::collections::HashMap<K, V, std::hash::BuildHasherDefault<TextHasher>>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::IdentityRow;

    fn people(logins: impl Iterator<Item = String>) -> Vec<IdentityRow> {
        (0..)
            .zip(logins)
            .map(|(i, login)| IdentityRow { identity_ix: i, native_id: format!("n{i}"), login: Some(login), ..IdentityRow::default() })
            .collect()
    }

    fn index(rows: &[IdentityRow]) -> Index {
        let identities: Vec<Identity<'_>> =
            rows.iter().map(|r| Identity { identity_ix: r.identity_ix, kind: r.kind, spoken: true, records: vec![r] }).collect();
        let asked = [(IdentityColumn::Login, Form::Login), (IdentityColumn::Login, Form::Exact), (IdentityColumn::NativeId, Form::Exact)];
        Index::new(&asked.map(|(c, f)| (Among::People, c, f)), &identities)
    }

    fn ask(index: &Index, text: &str, form: Form) -> Result<Vec<u32>, usize> {
        match index.find(text).map(|t| index.held(t, Among::People, Pairs::of(IdentityColumn::Login, form))) {
            None => Ok(Vec::new()),
            Some(Held::Few(few)) => Ok(few.collect()),
            Some(Held::Many(n)) => Err(n),
        }
    }

    #[test]
    fn every_text_of_many_is_found_and_no_other() {
        let index = index(&people((0..10_000).map(|i| format!("user{i}@example.com"))));
        for i in 0..10_000 {
            assert_eq!(ask(&index, &format!("user{i}@example.com"), Form::Exact), Ok(vec![i]));
            assert_eq!(ask(&index, &format!("\n@user{i}"), Form::Login), Ok(vec![i]));
            assert_eq!(ask(&index, &format!("\n@user{i}"), Form::Exact), Ok(vec![]));
            assert_eq!(ask(&index, &format!("n{i}"), Form::Exact), Ok(vec![]), "held under another column");
        }
        assert_eq!(ask(&index, "user10000@example.com", Form::Exact), Ok(vec![]));
        assert_eq!(ask(&index, "", Form::Exact), Ok(vec![]));
        assert!(
            !index.fills(Among::Registry, IdentityColumn::Login, Form::Exact)
                && index.fills(Among::People, IdentityColumn::Login, Form::Exact)
        );
        assert!(!index.fills(Among::People, IdentityColumn::Email, Form::Exact));
    }

    #[test]
    fn a_text_that_too_many_share_is_told_apart_column_by_column() {
        // The text is everybody's login and the native id of one.
        let mut rows = people((0..=MAX_SHARED).map(|_| "x".to_owned()));
        rows[3].native_id = "x".into();
        let crowded = index(&rows);
        assert_eq!(ask(&crowded, "x", Form::Exact), Err(MAX_SHARED + 1));
        let by_id = crowded.held(crowded.find("x").unwrap(), Among::People, Pairs::of(IdentityColumn::NativeId, Form::Exact));
        assert_eq!(
            by_id,
            Held::Few(Few { postings: [Posting { identity_ix: 3, pairs: Pairs(!0), among: !0 }].iter(), pairs: Pairs(1), among: 1 })
        );
        rows.pop();
        assert_eq!(ask(&index(&rows), "x", Form::Exact), Ok((0..MAX_SHARED as u32).collect()));
    }
}
