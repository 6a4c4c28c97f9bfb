//! Whether a leaver is out of every system, or of some only.

use std::collections::BTreeMap;

use super::leavers::{Access, Case};
use super::metric::{Line, Metric, Quantity};

/// Leavers that are listed one by one.
const LISTED: usize = 50;

/// What is left of one leaver's access.
#[derive(Default)]
struct Left<'a> {
    name: Option<&'a str>,
    systems: u64,
    live: u64,
    maybe: u64,
    unseen: u64,
}

/// Revocation completeness.
pub fn measure(cases: &[Case]) -> Metric {
    let mut m = Metric::new(
        "revocation-completeness",
        "Leavers who are out of every system",
        "leavers",
        "The share of leavers with no live access in any system. One live account anywhere makes a leaver incomplete.",
        "People who have left by the authority and of whom any snapshot of any system shows an account. Leavers without an account \
         anywhere are not counted, and would flatter the share.",
        "Out for certain: the last look at each of their systems, after the end, shows every account gone or unable to let anybody in. \
         Possibly out: what is left is a disputed account, one whose credentials are not covered, or a system not looked at since the end.",
    );
    let mut leavers: BTreeMap<&str, Left<'_>> = BTreeMap::new();
    for case in cases {
        let left = leavers.entry(&case.leaver).or_default();
        left.name = case.name.as_deref();
        left.systems += 1;
        match case.now {
            Some(Access::None) => {}
            Some(Access::Certain) => left.live += 1,
            Some(Access::Possible) => left.maybe += 1,
            None => left.unseen += 1,
        }
    }
    if leavers.is_empty() {
        return m.without("no snapshot shows an account of anybody who has left");
    }
    let of = leavers.len() as u64;
    let inside = leavers.values().filter(|l| l.live > 0).count() as u64;
    let unsure = leavers.values().filter(|l| l.live == 0 && l.maybe + l.unseen > 0).count() as u64;
    m.put("leavers", Quantity::count(of));
    m.put_some("out of every system", Quantity::share(of - inside - unsure, unsure, of));
    m.put("still inside", Quantity::Count { certain: inside, possible: unsure });
    let mut listed: Vec<(&&str, &Left<'_>)> = leavers.iter().filter(|(_, l)| l.live + l.maybe + l.unseen > 0).collect();
    listed.sort_by_key(|(id, l)| (std::cmp::Reverse((l.live, l.maybe, l.unseen)), **id));
    if listed.len() > LISTED {
        m.notes.push(format!("{} leavers are not out everywhere, of whom {LISTED} are listed", listed.len()));
    }
    let line = |(id, l): &(&&str, &Left<'_>)| Line {
        key: l.name.map_or_else(|| (**id).to_owned(), |name| format!("{name} ({id})")),
        cells: vec![
            Some(Quantity::count(l.systems)),
            Some(Quantity::Count { certain: l.live, possible: l.maybe }),
            Some(Quantity::count(l.unseen)),
        ],
    };
    m.by("leaver", &["systems", "still live in", "not looked at since"], listed.iter().take(LISTED).map(line).collect());
    m
}
