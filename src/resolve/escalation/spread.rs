//! Who leads to administration, at once or over others: a least fixed point, so that a circle of roles that trust each other leads nowhere
//! by itself.

use super::estate::{Estate, Principal, place};
use super::held::{Ask, Held, On, Without};
use super::ways::{Found, Look, Node, leads_over};
use crate::model::Level;
use crate::policy::methods::METHODS;
use crate::policy::risks::IAM_WRITING;

/// What an administrator's row is called.
pub(super) const ADMIN: &str = "admin";

/// Whether a principal is an administrator already: by one statement that makes one, within its boundary, with something left after Deny.
/// What other statements of the same policy allow makes nobody an administrator, nor one more surely.
pub(super) fn admin(estate: &Estate<'_>, who: &Principal, without: &Without) -> Option<Held> {
    let bounded = who.boundaries.iter().any(|b| estate.level(*b) != Level::Admin);
    if bounded || !who.grants.iter().any(|g| estate.level(g.entitlement_ix) == Level::Admin) {
        return None;
    }
    let ask = |action: &str| Ask { action: place(action), on: On::Something, service: None };
    let held = IAM_WRITING.iter().filter_map(|a| estate.held_by(who, &ask(a), without, &|rule| rule.admin));
    held.filter(|h| !h.narrow).reduce(|a, b| a.or(Some(b)))
}

/// Principals that lead further, the surest and nearest first.
pub(super) fn in_order(nodes: &[Option<Node>], mut of: Vec<usize>) -> Vec<usize> {
    let key = |at: &usize| nodes.get(*at).and_then(Option::as_ref).map_or((true, u32::MAX), |n| (!n.sure, n.round));
    of.sort_by_key(|at| (key(at), *at));
    of
}

/// Every principal that is known to lead to administration. What only a guess supports is left out.
pub(super) fn spread(estate: &Estate<'_>) -> Vec<Option<Node>> {
    let nothing = Without::default();
    let mut nodes: Vec<Option<Node>> = vec![None; estate.principals.len()];
    let first = round(estate, &nodes, &[], 0, &nothing);
    let mut frontier = take(&mut nodes, first);
    let mut number = 1;
    while !frontier.is_empty() {
        let found = round(estate, &nodes, &frontier, number, &nothing);
        frontier = take(&mut nodes, found);
        number = number.saturating_add(1);
    }
    nodes
}

/// What principals gain over `targets`; in the first round what they have without anybody.
fn round(estate: &Estate<'_>, nodes: &[Option<Node>], targets: &[usize], number: u32, without: &Without) -> Vec<(usize, Node)> {
    let look = Look { estate, nodes, targets, without, guess: false };
    let mut out = Vec::new();
    for (at, holder) in estate.principals.iter().enumerate() {
        let before = nodes.get(at).and_then(Option::as_ref);
        if before.is_some_and(|n| n.sure) {
            continue;
        }
        let mut best: Option<Node> = None;
        let mut keep = |sure: bool, how: &'static str, next: Option<usize>| {
            if best.as_ref().is_none_or(|b| sure && !b.sure) {
                best = Some(Node { sure, round: number, how, next });
            }
        };
        if number == 0
            && let Some(held) = admin(estate, holder, without)
        {
            keep(held.is_sure(), ADMIN, None);
        }
        for method in METHODS.iter().filter(|m| leads_over(m.way) == (number > 0) && look.may(holder, m)) {
            if let Some(found) = look.way(at, method).filter(|f: &Found| f.target.is_some()) {
                keep(found.is_sure(), method.id, found.next(method.way));
            }
        }
        out.extend(best.filter(|b| b.sure || before.is_none()).map(|b| (at, b)));
    }
    out
}

fn take(nodes: &mut [Option<Node>], found: Vec<(usize, Node)>) -> Vec<usize> {
    let mut new = Vec::with_capacity(found.len());
    for (at, node) in found {
        if let Some(slot) = nodes.get_mut(at) {
            *slot = Some(node);
            new.push(at);
        }
    }
    in_order(nodes, new)
}
