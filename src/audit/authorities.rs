//! What the authorities of a run say, and said before.

use std::collections::{BTreeMap, BTreeSet};

use super::{AuditError, Authority, Settings, completeness, entitled};
use crate::engine::Run;
use crate::model::*;
use crate::resolve::{AuthorityInput, PastPeople};
use crate::store::Current;
use crate::store::table_file::read;

/// What every authority says, and said before.
pub(super) fn authorities(
    run: &Run,
    current: &BTreeMap<String, Current>,
    settings: &Settings,
    states: &BTreeMap<String, completeness::State>,
) -> Result<Vec<AuthorityInput>, AuditError> {
    let mut authorities = Vec::new();
    for s in run.systems.iter().filter(|s| s.covers.contains(IDENTITIES.name)) {
        let all = Authority { kinds: Vec::new(), joiners: true, leavers: true };
        let speaks = match &settings.authorities {
            Some(configured) => match configured.get(&s.name) {
                Some(authority) => authority,
                None => continue,
            },
            None => &all,
        };
        let mut history = Vec::new();
        let mut log = entitled::MoveLog::default();
        for old in current.get(&s.name).map(|c| c.before.as_slice()).unwrap_or_default() {
            if states.get(&s.name).is_some_and(|st| st.complete_before.contains(&old.name)) {
                let (identities, employments) = heard(speaks, read(&old.dir)?, read(&old.dir)?);
                log.add(old.manifest.taken_at, &identities, &read::<LifecycleRow>(&old.dir)?);
                history.push(PastPeople { observed_at: old.manifest.taken_at, identities, employments });
            }
        }
        let (mut identities, mut employments) = heard(speaks, s.identities.clone(), s.employments.clone());
        log.add(s.observed_at(), &identities, &s.lifecycle);
        if states.get(&s.name).is_some_and(completeness::State::lacks_records)
            && let Some(last) = history.last()
        {
            stand_in(&mut identities, &mut employments, last);
        }
        authorities.push(AuthorityInput {
            system_ix: s.ix,
            system: s.name.clone(),
            observed_at: s.observed_at(),
            // Whoever does not speak for leavers says nothing by leaving somebody out.
            population: if speaks.leavers { s.manifest.population.unwrap_or_default() } else { Population::All },
            kinds: speaks.kinds.clone(),
            identities,
            employments,
            history,
            moves: log.moves(),
        });
    }
    Ok(authorities)
}

/// An authority's records without the events that it does not speak for.
fn heard(
    speaks: &Authority,
    mut identities: Vec<IdentityRow>,
    mut employments: Vec<EmploymentRow>,
) -> (Vec<IdentityRow>, Vec<EmploymentRow>) {
    if !speaks.leavers {
        for i in identities.iter_mut().filter(|i| i.status == IdentityStatus::Left) {
            i.status = IdentityStatus::Unknown;
        }
        for e in &mut employments {
            (e.ends_at, e.end_known_at, e.ended_undated) = (None, None, false);
        }
    }
    if !speaks.joiners {
        for e in &mut employments {
            (e.starts_at, e.start_known_at) = (None, None);
        }
    }
    (identities, employments)
}

/// A people list that lacks records says nothing of whom it leaves out: they stand as the last complete one had them, neither left nor
/// unknown. Ordinals are made anew, in the order of the native ids.
fn stand_in(identities: &mut Vec<IdentityRow>, employments: &mut Vec<EmploymentRow>, last: &PastPeople) {
    let listed: BTreeSet<String> = identities.iter().map(|i| i.native_id.clone()).collect();
    let id_of = |rows: &[IdentityRow]| -> BTreeMap<u32, String> { rows.iter().map(|i| (i.identity_ix, i.native_id.clone())).collect() };
    let (now, then) = (id_of(identities), id_of(&last.identities));
    let mut spans: Vec<(Option<String>, EmploymentRow)> = employments.drain(..).map(|e| (now.get(&e.identity_ix).cloned(), e)).collect();
    let missing = |e: &&EmploymentRow| then.get(&e.identity_ix).is_some_and(|id| !listed.contains(id));
    spans.extend(last.employments.iter().filter(missing).map(|e| (then.get(&e.identity_ix).cloned(), e.clone())));
    identities.extend(last.identities.iter().filter(|i| !listed.contains(&i.native_id)).cloned());
    identities.sort_by(|a, b| a.native_id.cmp(&b.native_id));
    let mut ordinals = BTreeMap::new();
    for (ix, row) in (0u32..).zip(identities.iter_mut()) {
        row.identity_ix = ix;
        ordinals.insert(row.native_id.clone(), ix);
    }
    for (id, mut span) in spans {
        if let Some(ix) = id.and_then(|id| ordinals.get(&id)) {
            span.identity_ix = *ix;
            employments.push(span);
        }
    }
    employments.sort_by(|a, b| (a.identity_ix, a.starts_at, &a.employment).cmp(&(b.identity_ix, b.starts_at, &b.employment)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_11_4_whom_a_short_people_list_leaves_out_stands_as_before() {
        let person = |ix, id: &str| IdentityRow { identity_ix: ix, native_id: id.into(), ..IdentityRow::default() };
        let span = |ix, key: &str| EmploymentRow { identity_ix: ix, employment: key.into(), ..EmploymentRow::default() };
        let last = PastPeople {
            identities: vec![person(0, "a"), person(1, "b"), person(2, "c")],
            employments: vec![span(0, "a1"), span(1, "b1"), span(2, "c1"), span(2, "c2")],
            ..PastPeople::default()
        };
        let (mut identities, mut employments) = (vec![person(0, "b"), person(1, "d")], vec![span(0, "b-now"), span(1, "d1")]);
        stand_in(&mut identities, &mut employments, &last);
        let people: Vec<(u32, &str)> = identities.iter().map(|i| (i.identity_ix, i.native_id.as_str())).collect();
        assert_eq!(people, [(0, "a"), (1, "b"), (2, "c"), (3, "d")]);
        let spans: Vec<(u32, &str)> = employments.iter().map(|e| (e.identity_ix, e.employment.as_str())).collect();
        assert_eq!(spans, [(0, "a1"), (1, "b-now"), (2, "c1"), (2, "c2"), (3, "d1")]);
    }
}
