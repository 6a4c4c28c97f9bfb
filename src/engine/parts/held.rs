//! The views `grants`, `memberships` and `credentials` of a cut: every row of its accounts, or every row of none.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray, UInt32Array};
use arrow::datatypes::{DataType, UInt8Type, UInt16Type, UInt32Type};

use super::access::places;
use super::columns::{Source, codes, constant, engine, gather, instant, number, optional_words, over, spellings, unknown};
use super::{Columns, Cut, V_CREDENTIALS, V_GRANTS, V_MEMBERSHIPS};
use crate::model::cell::ColType;
use crate::model::*;
use crate::sql::SqlError;
use crate::store::StoreError;
use crate::store::facts::{Facts, Words};

/// Which rows hold one of some words; null is none of them.
pub(super) fn are(column: &ArrayRef, words: &[&str]) -> Result<Vec<bool>, SqlError> {
    let plain = |texts: &StringArray| -> Vec<bool> { texts.iter().map(|t| t.is_some_and(|t| words.contains(&t))).collect() };
    macro_rules! coded {
        ($keys:ty) => {{
            let array = column.as_dictionary_opt::<$keys>().ok_or_else(|| engine("not a dictionary"))?;
            let values = array.values().as_string_opt::<i32>().map(plain).ok_or_else(|| engine("a dictionary of no text"))?;
            Ok(array.keys().iter().map(|k| k.is_some_and(|k| values.get(usize::from(k)).copied().unwrap_or(false))).collect())
        }};
    }
    match column.data_type() {
        DataType::Utf8 => column.as_string_opt::<i32>().map(plain).ok_or_else(|| engine("not text")),
        DataType::Dictionary(keys, _) if **keys == DataType::UInt8 => coded!(UInt8Type),
        DataType::Dictionary(keys, _) if **keys == DataType::UInt16 => coded!(UInt16Type),
        other => Err(engine(format!("words as {other}"))),
    }
}

/// Rows of a view among those of its table.
pub(super) struct Kept {
    /// `None`: all.
    places: Option<UInt32Array>,
    rows: usize,
}

impl Kept {
    pub fn len(&self) -> usize {
        self.places.as_ref().map_or(self.rows, Array::len)
    }

    fn of(&self, column: &ArrayRef) -> Result<ArrayRef, SqlError> {
        match &self.places {
            Some(places) => gather(column, places),
            None => Ok(Arc::clone(column)),
        }
    }
}

pub(super) fn ordinals(column: &ArrayRef) -> Result<UInt32Array, SqlError> {
    column.as_primitive_opt::<UInt32Type>().cloned().ok_or_else(|| engine("not a column of ordinals"))
}

impl Columns<'_> {
    /// Rows of `grants` whose holder and entitlement are known.
    pub(super) fn grants(&self) -> Result<&Kept, SqlError> {
        let keep = || {
            let entitlements = self.context.system.entitlements.len();
            let target = self.grants.ordinals("entitlement_ix")?;
            let holder = self.holders(
                &self.grants.ordinals("account_ix")?,
                &self.grants.ordinals("group_ix")?,
                &self.grants.column("principal_ref")?,
            );
            let rows = holder.iter().zip(target.values()).map(|(held, e)| *held && (*e as usize) < entitlements);
            Ok(Kept { places: places(rows), rows: self.grants.len() })
        };
        self.kept_grants.get_or_init(keep).as_ref().map_err(|e: &SqlError| SqlError::Engine(e.to_string()))
    }

    /// Rows of `memberships` whose member and group are known.
    pub(super) fn memberships(&self) -> Result<&Kept, SqlError> {
        let keep = || {
            let table = &self.memberships;
            let groups = self.context.system.groups.len();
            let target = table.ordinals("group_ix")?;
            let holder = self.holders(&table.ordinals("account_ix")?, &table.ordinals("member_group_ix")?, &table.column("principal_ref")?);
            let rows = holder.iter().zip(target.values()).map(|(held, g)| *held && (*g as usize) < groups);
            Ok(Kept { places: places(rows), rows: table.len() })
        };
        self.kept_memberships.get_or_init(keep).as_ref().map_err(|e: &SqlError| SqlError::Engine(e.to_string()))
    }

    fn holders(&self, account: &UInt32Array, group: &UInt32Array, verbatim: &ArrayRef) -> Vec<bool> {
        let (accounts, groups) = (self.context.system.accounts.len(), self.context.system.groups.len());
        let within = |column: &UInt32Array, at: usize, count: usize| column.is_valid(at) && (column.value(at) as usize) < count;
        (0..account.len()).map(|at| within(account, at, accounts) || within(group, at, groups) || verbatim.is_valid(at)).collect()
    }

    /// Native ids and names of those who hold rows, by account and group, else verbatim.
    fn holder(&self, account_ix: &UInt32Array, group_ix: &UInt32Array, verbatim: &ArrayRef) -> Result<ArrayRef, SqlError> {
        let groups = self.groups(&self.targets().ids);
        let own = [self.accounts.column("native_id")?, groups];
        let named = self.named(account_ix, group_ix, &own)?;
        if verbatim.null_count() == verbatim.len() {
            return Ok(named);
        }
        let named = arrow::compute::cast(&named, &DataType::Utf8).map_err(engine)?;
        let (named, verbatim) =
            named.as_string_opt::<i32>().zip(verbatim.as_string_opt::<i32>()).ok_or_else(|| engine("holders are no text"))?;
        Ok(Arc::new(named.iter().zip(verbatim).map(|(named, verbatim)| named.or(verbatim)).collect::<StringArray>()))
    }

    /// Their names.
    fn holder_name(&self, account_ix: &UInt32Array, group_ix: &UInt32Array) -> Result<ArrayRef, SqlError> {
        let groups = self.groups(&self.targets().names);
        self.named(account_ix, group_ix, &[self.accounts.column("login")?, self.accounts.column("display_name")?, groups])
    }

    /// Of a column of the targets that of the groups.
    fn groups(&self, texts: &StringArray) -> ArrayRef {
        let count = self.context.system.groups.len().min(texts.len());
        Arc::new(texts.slice(0, count))
    }

    /// The first text that there is for each holder: in columns of the accounts of the cut, else in the last column, of the groups.
    fn named(&self, account_ix: &UInt32Array, group_ix: &UInt32Array, columns: &[ArrayRef]) -> Result<ArrayRef, SqlError> {
        let Some((of_groups, of_accounts)) = columns.split_last() else { return Err(engine("a holder without a name")) };
        let first = |at: Option<usize>, columns: &[ArrayRef], mut start: usize| {
            let at = at?;
            for column in columns {
                if at < column.len() && column.is_valid(at) {
                    return u32::try_from(start + at).ok();
                }
                start += column.len();
            }
            None
        };
        let groups_start = of_accounts.iter().map(Array::len).sum();
        let of_groups = std::slice::from_ref(of_groups);
        let place = |(account, group): (Option<u32>, Option<u32>)| {
            let own = account.and_then(|a| a.checked_sub(self.cut.from)).map(|a| a as usize);
            first(own, of_accounts, 0).or_else(|| first(group.map(|g| g as usize), of_groups, groups_start))
        };
        let places: UInt32Array = account_ix.iter().zip(group_ix.iter()).map(place).collect();
        let parts: Vec<&dyn Array> = columns.iter().map(AsRef::as_ref).collect();
        let texts = arrow::compute::concat(&parts).map_err(engine)?;
        Ok(over(places, texts.as_string_opt::<i32>().ok_or_else(|| engine("names are no text"))?))
    }

    /// A stored column of the accounts that rows name.
    fn of_accounts(&self, column: &str, account_ix: &UInt32Array) -> Result<ArrayRef, SqlError> {
        let places = self.place(account_ix);
        gather(&self.accounts.column(column)?, &places)
    }

    /// What the run knows of the accounts that rows name.
    fn states_of<'a>(&'a self, account_ix: &'a UInt32Array) -> impl Iterator<Item = Option<&'a AccountStateRow>> {
        account_ix.iter().map(|a| a.and_then(|a| self.context.states.get(a as usize)))
    }

    pub(super) fn grant(&self, column: &str) -> Result<ArrayRef, SqlError> {
        let (kept, table, system) = (self.grants()?, &self.grants, self.context.system);
        let rows = kept.len();
        let stored = |name: &str| kept.of(&table.column(name)?);
        let account = || ordinals(&stored("account_ix")?);
        let group = || ordinals(&stored("group_ix")?);
        let entitlement = || ordinals(&stored("entitlement_ix")?);
        let flags = |of: &dyn Fn(&EntitlementRow) -> bool| -> Result<Vec<bool>, SqlError> {
            let row = |e: Option<u32>| e.and_then(|e| system.entitlements.get(e as usize)).is_some_and(of);
            Ok(entitlement()?.iter().map(row).collect())
        };
        let groups = self.targets().groups;
        let target =
            || -> Result<UInt32Array, SqlError> { Ok(entitlement()?.iter().map(|e| e.and_then(|e| e.checked_add(groups))).collect()) };
        Ok(match column {
            "system_ix" => number(self.cut.system_ix, rows),
            "system" => constant(Some(&system.name), rows),
            "observed_at" => instant(self.context.seen.observed_at, rows),
            "principal" => self.holder(&account()?, &group()?, &stored("principal_ref")?)?,
            "principal_name" => self.holder_name(&account()?, &group()?)?,
            "principal_vendor" => {
                let of_group = |g: Option<u32>| g.and_then(|g| system.groups.get(g as usize)).is_some_and(|g| g.vendor_managed);
                let (accounts, groups) = (account()?, group()?);
                let rows = self.states_of(&accounts).zip(groups.iter());
                let vendor = rows.map(|(state, g)| state.is_some_and(|s| s.kind == AccountKind::System) || of_group(g));
                Arc::new(vendor.map(Some).collect::<BooleanArray>())
            }
            "entitlement" => over(target()?, &self.targets().ids),
            "entitlement_name" => over(target()?, &self.targets().names),
            "entitlement_kind" => {
                let kinds = self.shared.entitlement_kinds.get_or_init(|| Kinds::new(&system.entitlements));
                over(entitlement()?.iter().map(|e| e.and_then(|e| kinds.of.get(e as usize).copied())).collect(), &kinds.texts)
            }
            "level" => codes(&target()?, &self.targets().levels, &spellings::<Level>()),
            "risks" => over(target()?, &self.targets().risks),
            "conditional" => {
                let conditional = |e: Option<u32>| e.and_then(|e| system.entitlements.get(e as usize)).is_some_and(|e| e.conditional);
                let (entitlement, condition) = (entitlement()?, stored("condition")?);
                let rows = entitlement.iter().enumerate().map(|(at, e)| Some(condition.is_valid(at) || conditional(e)));
                Arc::new(rows.collect::<BooleanArray>())
            }
            "vendor_managed" => Arc::new(BooleanArray::from(flags(&|e| e.vendor_managed)?)),
            "resource" => over(ordinals(&stored("resource_ix")?)?, &self.targets().resources),
            "members" => {
                let (accounts, groups) = (account()?, group()?);
                let of_group = |g: Option<u32>| g.and_then(|g| self.context.reach.get(g as usize)).map(|r| r.members);
                let rows = accounts.iter().zip(groups.iter()).map(|(a, g)| of_group(g).unwrap_or(u32::from(a.is_some())));
                Arc::new(UInt32Array::from_iter_values(rows))
            }
            name if V_GRANTS.columns.iter().any(|c| c.name == name) => stored(name)?,
            other => return Err(unknown(V_GRANTS.name, other)),
        })
    }

    pub(super) fn membership(&self, column: &str) -> Result<ArrayRef, SqlError> {
        let (kept, table, system) = (self.memberships()?, &self.memberships, self.context.system);
        let rows = kept.len();
        let stored = |name: &str| kept.of(&table.column(name)?);
        let account = || ordinals(&stored("account_ix")?);
        let member = || ordinals(&stored("member_group_ix")?);
        let group = || ordinals(&stored("group_ix")?);
        Ok(match column {
            "system_ix" => number(self.cut.system_ix, rows),
            "system" => constant(Some(&system.name), rows),
            "observed_at" => instant(self.context.seen.observed_at, rows),
            "principal" => self.holder(&account()?, &member()?, &stored("principal_ref")?)?,
            "group_id" => over(group()?, &self.targets().ids),
            "group_name" => over(group()?, &self.targets().names),
            "group_in_export" => {
                let outside = |g: &GroupRow| g.attributes.as_deref() == Some(r#"{"not_in_export":true}"#);
                let row = |g: Option<u32>| !g.and_then(|g| system.groups.get(g as usize)).is_some_and(outside);
                Arc::new(group()?.iter().map(|g| Some(row(g))).collect::<BooleanArray>())
            }
            "level" => codes(&group()?, &self.targets().levels, &spellings::<Level>()),
            "conditional" => Arc::new(arrow::compute::is_not_null(&stored("condition")?).map_err(engine)?),
            name if V_MEMBERSHIPS.columns.iter().any(|c| c.name == name) => stored(name)?,
            other => return Err(unknown(V_MEMBERSHIPS.name, other)),
        })
    }

    pub(super) fn credential(&self, column: &str) -> Result<ArrayRef, SqlError> {
        let (all, system) = (self.credentials()?, self.context.system);
        let span = all.of(self.cut);
        let rows = span.len();
        let stored = |name: &str| -> Result<ArrayRef, SqlError> { Ok(all.column(&system.credentials, name)?.slice(span.start, rows)) };
        let account = || ordinals(&stored("account_ix")?);
        Ok(match column {
            "system_ix" => number(self.cut.system_ix, rows),
            "system" => constant(Some(&system.name), rows),
            "observed_at" => instant(self.context.seen.observed_at, rows),
            "credential" => stored("native_id")?,
            "holder" => self.holder(&account()?, &UInt32Array::new_null(rows), &stored("holder_ref")?)?,
            "login" => self.of_accounts("login", &account()?)?,
            "account_kind" => optional_words(self.states_of(&account()?).map(|s| Some(s.map_or(AccountKind::Unknown, |s| s.kind)))),
            "account_status" => {
                let status = self.of_accounts("status", &account()?)?;
                let known: Vec<Vec<bool>> = AccountStatus::ALL.iter().map(|w| are(&status, &[w.as_str()])).collect::<Result<_, _>>()?;
                let word = |at: usize| AccountStatus::ALL.iter().zip(&known).find(|(_, k)| k.get(at) == Some(&true)).map(|(w, _)| *w);
                optional_words((0..rows).map(|at| Some(word(at).unwrap_or(AccountStatus::Unknown))))
            }
            "can_authenticate" => {
                optional_words(self.states_of(&account()?).map(|s| Some(s.map_or(Answer::Unknown, |s| s.can_authenticate))))
            }
            "match_state" => {
                optional_words(self.states_of(&account()?).map(|s| Some(s.map_or(MatchState::NotEvaluated, |s| s.match_state))))
            }
            name if V_CREDENTIALS.columns.iter().any(|c| c.name == name) => stored(name)?,
            other => return Err(unknown(V_CREDENTIALS.name, other)),
        })
    }
}

/// Kinds of entitlements, each spelt once.
pub(super) struct Kinds {
    of: Vec<u32>,
    texts: StringArray,
}

impl Kinds {
    fn new(rows: &[EntitlementRow]) -> Self {
        let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
        for row in rows {
            let next = u32::try_from(seen.len()).unwrap_or(u32::MAX);
            seen.entry(&row.kind).or_insert(next);
        }
        let of = rows.iter().filter_map(|r| seen.get(r.kind.as_str()).copied()).collect();
        let mut texts: Vec<(u32, &str)> = seen.into_iter().map(|(text, at)| (at, text)).collect();
        texts.sort_unstable();
        Self { of, texts: StringArray::from_iter_values(texts.into_iter().map(|(_, text)| text)) }
    }
}

/// A column of credentials, words as a dictionary: they are asked for more often than they are made.
fn coded_words(name: &str, column: &ArrayRef) -> Result<ArrayRef, SqlError> {
    let is_word = CREDENTIALS.columns.iter().any(|c| c.name == name && matches!(c.ty, ColType::Word(_)));
    if !is_word || column.data_type() != &DataType::Utf8 {
        return Ok(Arc::clone(column));
    }
    let dictionary = DataType::Dictionary(Box::new(DataType::UInt16), Box::new(DataType::Utf8));
    arrow::compute::cast(column, &dictionary).map_err(engine)
}

/// The credentials of a system in the order of the accounts, those of none last. Their table is in the order of their own ids.
pub(super) struct Credentials {
    /// Positions in the table.
    order: UInt32Array,
    account_ix: UInt32Array,
    /// The whole table, if it is held.
    held: Option<RecordBatch>,
    columns: Mutex<BTreeMap<String, ArrayRef>>,
}

impl Credentials {
    pub fn new(facts: &Facts<CredentialRow>) -> Result<Self, StoreError> {
        let mut owners: Vec<(u32, bool, u32)> = Vec::with_capacity(facts.len());
        let mut at = 0;
        let held = match facts.is_held() {
            true => Some(to_batch(&facts.all()).map_err(|e| facts.damaged(e.to_string()))?),
            false => None,
        };
        let batches = match &held {
            Some(batch) => vec![batch.clone()],
            None => facts.columns(0..facts.len(), &["account_ix", "holder_ref"], Words::Coded)?,
        };
        for batch in batches {
            let owner = batch.column_by_name("account_ix").and_then(|c| c.as_primitive_opt::<UInt32Type>());
            let (Some(owner), Some(holder)) = (owner, batch.column_by_name("holder_ref")) else { continue };
            for (row, owner) in owner.iter().enumerate() {
                // Whose it is must be known.
                if owner.is_some() || holder.is_valid(row) {
                    owners.push((owner.unwrap_or(u32::MAX), owner.is_none(), at));
                }
                at += 1;
            }
        }
        owners.sort_unstable();
        let order = UInt32Array::from_iter_values(owners.iter().map(|(.., at)| *at));
        let account_ix = owners.iter().map(|(owner, none, _)| (!none).then_some(*owner)).collect();
        Ok(Self { order, account_ix, held, columns: Mutex::new(BTreeMap::new()) })
    }

    /// Where the credentials of a cut stand.
    pub fn of(&self, cut: Cut) -> Range<usize> {
        let owners = self.account_ix.values();
        let owned = self.account_ix.len() - self.account_ix.null_count();
        let before = |limit: u32| owners.get(..owned).map_or(0, |o| o.partition_point(|a| *a < limit));
        if cut.from == cut.to { before(cut.to)..self.account_ix.len() } else { before(cut.from)..before(cut.to) }
    }

    fn column(&self, facts: &Facts<CredentialRow>, name: &str) -> Result<ArrayRef, SqlError> {
        let mut known = self.columns.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(column) = known.get(name) {
            return Ok(Arc::clone(column));
        }
        let whole = match &self.held {
            Some(batch) => coded_words(name, batch.column_by_name(name).ok_or_else(|| unknown(CREDENTIALS.name, name))?)?,
            None => Source::new(facts, 0..facts.len()).column(name)?,
        };
        let column = gather(&whole, &self.order)?;
        known.insert(name.to_owned(), Arc::clone(&column));
        Ok(column)
    }
}
