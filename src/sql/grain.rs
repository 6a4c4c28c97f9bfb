//! DESIGN 11.8: which queries give the same rows over the whole as over partitions of whole accounts.
//!
//! Every relation is either the same in each partition (it reads no partitioned view), or its rows are spread over the partitions, and then it carries the
//! pairs of columns that hold a row's account. What brings rows together (join, EXISTS, GROUP BY, DISTINCT, window) must do so by such a pair.

use std::collections::BTreeSet;

use super::diagnostic::{Diagnostic, Pos};
use super::parse::{Parsed, refuse};
use super::plan::{ColId, Op, Plan, Rel};

const HELP: &str = "tie it by `system_ix` and `account_ix`, or declare `grain = \"run\"`";

/// How a relation relates to partitions.
#[derive(Clone, Debug)]
enum Spread {
    /// The same rows in every partition.
    Whole,
    /// Rows of the partition's accounts; the columns that hold (system, account), none if they were dropped.
    Parts(BTreeSet<(ColId, ColId)>),
}

/// Proves that the plan may run per partition.
///
/// # Errors
/// The first operator that may bring rows of different accounts together.
pub(super) fn prove(plan: &Plan) -> Result<(), Diagnostic> {
    let mut prover = Prover { ctes: Vec::new() };
    for cte in &plan.ctes {
        let spread = prover.rel(&cte.rel)?;
        prover.ctes.push(spread);
    }
    match prover.rel(&plan.rel)? {
        Spread::Parts(_) => Ok(()),
        Spread::Whole => refuse(
            Pos { line: 1, column: 1 },
            "the query reads no partitioned view: every partition would give all its rows",
            "declare `grain = \"run\"`",
        ),
    }
}

/// Proves that the plan may run over any cut of the rows of these views.
///
/// # Errors
/// The first operator that may bring rows of cut views together, or repeats rows in every piece.
pub(super) fn prove_row_local(plan: &Plan, chunked: &BTreeSet<&str>) -> Result<(), Diagnostic> {
    let mut ctes = Vec::new();
    for cte in &plan.ctes {
        let cut = row_local(&cte.rel, chunked, &ctes)?;
        ctes.push(cut);
    }
    if row_local(&plan.rel, chunked, &ctes)? {
        return Ok(());
    }
    refuse(Pos { line: 1, column: 1 }, "the query reads no view that is cut: every piece would give all its rows", "run it once")
}

/// Whether the rows come from cut views.
fn row_local(rel: &Rel, chunked: &BTreeSet<&str>, ctes: &[bool]) -> Parsed<bool> {
    let help = "run it over the whole of the view";
    let alone = |input: &Rel, pos: Pos, what: &str| match row_local(input, chunked, ctes)? {
        true => refuse(pos, format!("{what} over the rows of a view that is cut"), help),
        false => Ok(false),
    };
    match rel {
        Rel::Scan { view, .. } => Ok(chunked.contains(view.as_str())),
        Rel::Shared { cte, .. } => Ok(ctes.get(*cte).copied().unwrap_or(false)),
        Rel::Filter { input, .. } | Rel::Project { input, .. } => row_local(input, chunked, ctes),
        Rel::Join { left, right, outer, pos, .. } => match (row_local(left, chunked, ctes)?, row_local(right, chunked, ctes)?) {
            (true, true) => refuse(*pos, "a join of two views that are cut", help),
            (false, true) if *outer => refuse(*pos, "LEFT JOIN of a view that is cut to rows that every piece repeats", help),
            (left, right) => Ok(left || right),
        },
        Rel::Exists { input, inner, pos, .. } => match row_local(inner, chunked, ctes)? {
            true => refuse(*pos, "EXISTS on rows of a view that is cut", help),
            false => row_local(input, chunked, ctes),
        },
        Rel::Aggregate { input, pos, .. } => alone(input, *pos, "an aggregate"),
        Rel::Distinct { input, pos, .. } => alone(input, *pos, "DISTINCT"),
        Rel::Sort { input, pos, .. } => alone(input, *pos, "ORDER BY or LIMIT"),
        Rel::Window { input, windows } => alone(input, windows.first().map_or_else(Pos::default, |w| w.pos), "a window"),
        Rel::Union { inputs, pos, .. } => {
            let mut cut = Vec::new();
            for (input, _) in inputs {
                cut.push(row_local(input, chunked, ctes)?);
            }
            match (cut.contains(&true), cut.contains(&false)) {
                (true, true) => refuse(*pos, "UNION ALL of rows of a view that is cut with rows that every piece repeats", help),
                (some, _) => Ok(some),
            }
        }
    }
}

struct Prover {
    ctes: Vec<Spread>,
}

impl Prover {
    fn rel(&self, rel: &Rel) -> Parsed<Spread> {
        match rel {
            Rel::Scan { account: None, .. } => Ok(Spread::Whole),
            Rel::Scan { account: Some(pair), .. } => Ok(Spread::Parts([*pair].into())),
            Rel::Shared { cte, columns } => {
                let spread = self.ctes.get(*cte).cloned().unwrap_or(Spread::Whole);
                Ok(renamed(spread, |old| columns.iter().filter(|(_, there)| *there == old).map(|(here, _)| *here).collect()))
            }
            Rel::Filter { input, .. } => self.rel(input),
            Rel::Join { left, right, outer, keys, pos, .. } => join(self.rel(left)?, self.rel(right)?, *outer, keys, *pos),
            Rel::Exists { input, inner, keys, pos, .. } => exists(self.rel(input)?, &self.rel(inner)?, keys, *pos),
            Rel::Aggregate { input, groups, pos, .. } => {
                let by: BTreeSet<ColId> = groups.iter().map(|(_, old)| *old).collect();
                let what = if groups.is_empty() { "an aggregate over all accounts" } else { "GROUP BY without the account" };
                let spread = together(self.rel(input)?, &by, *pos, what)?;
                Ok(renamed(spread, |old| groups.iter().filter(|(_, below)| *below == old).map(|(new, _)| *new).collect()))
            }
            Rel::Window { input, windows } => {
                let mut spread = self.rel(input)?;
                for window in windows {
                    spread = together(
                        spread,
                        &window.partition.iter().copied().collect(),
                        window.pos,
                        "a window without the account in PARTITION BY",
                    )?;
                }
                Ok(spread)
            }
            Rel::Project { input, items } => {
                let spread = self.rel(input)?;
                Ok(renamed(spread, |old| {
                    items.iter().filter(|(_, s)| matches!(s.op, Op::Column(c) if c == old)).map(|(new, _)| *new).collect()
                }))
            }
            Rel::Distinct { input, columns, pos } => {
                together(self.rel(input)?, &columns.iter().copied().collect(), *pos, "DISTINCT without the account among the outputs")
            }
            Rel::Union { inputs, ids, pos } => self.union(inputs, ids, *pos),
            Rel::Sort { pos, .. } => refuse(*pos, "ORDER BY or LIMIT over all accounts", "leave it out, or declare `grain = \"run\"`"),
        }
    }

    fn union(&self, inputs: &[(Rel, Vec<ColId>)], ids: &[ColId], pos: Pos) -> Parsed<Spread> {
        let mut whole = false;
        let mut pairs: Option<BTreeSet<(ColId, ColId)>> = None;
        for (rel, columns) in inputs {
            let spread = renamed(self.rel(rel)?, |old| ids.iter().zip(columns).filter(|(_, c)| **c == old).map(|(id, _)| *id).collect());
            match spread {
                Spread::Whole => whole = true,
                Spread::Parts(next) => pairs = Some(pairs.map_or_else(|| next.clone(), |p| p.intersection(&next).copied().collect())),
            }
        }
        match (whole, pairs) {
            (false, Some(pairs)) => Ok(Spread::Parts(pairs)),
            (_, None) => Ok(Spread::Whole),
            (true, Some(_)) => refuse(
                pos,
                "UNION ALL of rows of accounts with rows that every partition repeats",
                "read the account's view in every part, or declare `grain = \"run\"`",
            ),
        }
    }
}

/// The pairs under the names that the columns have above.
fn renamed(spread: Spread, names: impl Fn(ColId) -> Vec<ColId>) -> Spread {
    let Spread::Parts(pairs) = spread else { return Spread::Whole };
    let mut above = BTreeSet::new();
    for (system, account) in pairs {
        let accounts = names(account);
        for s in names(system) {
            above.extend(accounts.iter().map(|a| (s, *a)));
        }
    }
    Spread::Parts(above)
}

/// Rows that agree in `by` are of one account.
fn together(spread: Spread, by: &BTreeSet<ColId>, pos: Pos, what: &str) -> Parsed<Spread> {
    match &spread {
        Spread::Parts(pairs) if !pairs.iter().any(|(s, a)| by.contains(s) && by.contains(a)) => {
            refuse(pos, format!("{what} brings rows of different accounts together"), HELP)
        }
        _ => Ok(spread),
    }
}

/// Whether the keys equate the account of one side with that of the other.
fn keyed(left: &BTreeSet<(ColId, ColId)>, right: &BTreeSet<(ColId, ColId)>, keys: &[(ColId, ColId)]) -> bool {
    left.iter().any(|(ls, la)| right.iter().any(|(rs, ra)| keys.contains(&(*ls, *rs)) && keys.contains(&(*la, *ra))))
}

fn join(left: Spread, right: Spread, outer: bool, keys: &[(ColId, ColId)], pos: Pos) -> Parsed<Spread> {
    match (left, right) {
        (Spread::Whole, Spread::Whole) => Ok(Spread::Whole),
        (Spread::Parts(pairs), Spread::Whole) => Ok(Spread::Parts(pairs)),
        (Spread::Whole, Spread::Parts(pairs)) if !outer => Ok(Spread::Parts(pairs)),
        (Spread::Whole, Spread::Parts(_)) => refuse(
            pos,
            "LEFT JOIN of accounts to rows that every partition repeats",
            "put the account's view on the left, or declare `grain = \"run\"`",
        ),
        (Spread::Parts(l), Spread::Parts(r)) if keyed(&l, &r, keys) => {
            // The right side of a LEFT JOIN may be NULL: its columns name no account.
            Ok(Spread::Parts(if outer { l } else { l.union(&r).copied().collect() }))
        }
        (Spread::Parts(_), Spread::Parts(_)) => refuse(pos, "a join that brings rows of different accounts together", HELP),
    }
}

fn exists(outer: Spread, inner: &Spread, keys: &[(ColId, ColId)], pos: Pos) -> Parsed<Spread> {
    match (&outer, inner) {
        (_, Spread::Whole) => Ok(outer),
        (Spread::Parts(o), Spread::Parts(i)) if keyed(o, i, keys) => Ok(outer),
        (Spread::Parts(_), Spread::Parts(_)) => refuse(pos, "EXISTS that looks at rows of other accounts", HELP),
        (Spread::Whole, Spread::Parts(_)) => refuse(
            pos,
            "EXISTS on accounts around rows that every partition repeats",
            "select from the account's view, or declare `grain = \"run\"`",
        ),
    }
}
