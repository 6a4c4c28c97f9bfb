//! What an LDIF file says of itself, outside its records: totals, paging, referrals, the search behind it.

use std::collections::{BTreeMap, BTreeSet};

use super::line::Value;
use crate::connectors::FileLedger;

/// Comments and result lines of one file. Several exports in one file add up.
#[derive(Debug, Default)]
pub struct Trailer {
    /// Sum of `# numEntries: N` and of ldbsearch's `# N entries`.
    entries: Option<u64>,
    /// Sum of `# N entries` met before any `# returned N records`: they count if one stands in an earlier part of the file.
    early: Option<u64>,
    /// Sum of ldbsearch's `# returned N records`, which counts referrals.
    returned: Option<u64>,
    /// Referrals met: as `ref:`, or as the comment that `-LLL` makes of it.
    pub referrals: u64,
    /// Records that followed another without a blank line.
    pub unseparated: u64,
    /// The last paging cookie was not empty: pages are missing.
    open_page: Option<bool>,
    /// Failed results, e.g. `4 Size limit exceeded`.
    failures: BTreeSet<String>,
    /// ldapsearch wrote its heading, and so must end with a total.
    ldapsearch: bool,
    /// ldbsearch wrote `# record N`, and so must end with a total.
    ldbsearch: bool,
    /// Attributes that the heading says were requested, lower case.
    requested: BTreeSet<String>,
    /// Secret attributes met, by how they are shown, with the number of values.
    secrets: BTreeMap<&'static str, u64>,
    /// Something other than blank lines was met.
    pub search: bool,
}

impl Trailer {
    /// Reads a comment, joined.
    pub fn comment(&mut self, line: &[u8]) {
        let Ok(text) = std::str::from_utf8(line) else { return };
        let text = text.trim_start_matches('#').trim();
        if text == "extended LDIF" {
            self.ldapsearch = true;
            self.search = true;
        } else if let Some(names) = text.strip_prefix("requesting: ") {
            self.requested.extend(names.split_whitespace().map(str::to_ascii_lowercase));
        } else if let Some(total) = text.strip_prefix("numEntries: ") {
            add(&mut self.entries, total);
        } else if text.strip_prefix("record ").is_some_and(|n| n.parse::<u64>().is_ok()) {
            self.ldbsearch = true;
        } else if let Some(total) = text.strip_prefix("returned ").and_then(|t| t.strip_suffix(" records")) {
            self.ldbsearch = true;
            self.search = true;
            add(&mut self.returned, total);
        } else if let Some(total) = text.strip_suffix(" entries") {
            add(if self.returned.is_some() { &mut self.entries } else { &mut self.early }, total);
        } else if text.starts_with("refldap://") || text.starts_with("refldaps://") {
            self.referrals += 1;
            self.search = true;
        } else if let Some(paging) = text.strip_prefix("pagedresults:") {
            self.search = true;
            self.page(paging);
        } else if let Some(result) = text.strip_prefix("result: ") {
            self.failed(result);
        }
    }

    /// Reads a line of the block that ldapsearch ends with.
    pub fn result(&mut self, name: &str, value: &Value<'_>) {
        let Value::Text(text) = value else { return };
        let Ok(text) = std::str::from_utf8(text) else { return };
        self.search = true;
        match name {
            "result" => self.failed(text),
            "pagedresults" => self.page(text),
            _ => {}
        }
    }

    /// Counts a value of a secret attribute.
    pub fn secret(&mut self, shown: &'static str) {
        *self.secrets.entry(shown).or_insert(0) += 1;
    }

    fn page(&mut self, text: &str) {
        self.open_page = Some(text.split_once("cookie=").is_some_and(|(_, cookie)| !cookie.trim().is_empty()));
    }

    fn failed(&mut self, text: &str) {
        if text.split_whitespace().next().is_some_and(|code| code != "0" && code.bytes().all(|b| b.is_ascii_digit())) {
            self.failures.insert(text.trim().chars().filter(|c| !c.is_control()).take(80).collect());
        }
    }

    /// Joins what a later part of the file says.
    pub fn absorb(&mut self, later: Self) {
        let sum = |to: &mut Option<u64>, more: Option<u64>| {
            if let Some(n) = more {
                *to = Some(to.unwrap_or(0).saturating_add(n));
            }
        };
        sum(if self.returned.is_some() { &mut self.entries } else { &mut self.early }, later.early);
        sum(&mut self.entries, later.entries);
        sum(&mut self.returned, later.returned);
        self.referrals += later.referrals;
        self.unseparated += later.unseparated;
        self.open_page = later.open_page.or(self.open_page);
        self.failures.extend(later.failures);
        self.ldapsearch |= later.ldapsearch;
        self.ldbsearch |= later.ldbsearch;
        self.requested.extend(later.requested);
        for (shown, count) in later.secrets {
            *self.secrets.entry(shown).or_insert(0) += count;
        }
        self.search |= later.search;
    }

    /// Whether the search asked for an attribute (lower-case name) that a plain `*` gives.
    pub fn requested(&self, name: &str) -> bool {
        ["all", "*", name].iter().any(|n| self.requested.contains(*n))
    }

    /// Entries that the file itself says it holds.
    fn total(&self) -> Option<u64> {
        self.entries.or_else(|| self.returned.map(|n| n.saturating_sub(self.referrals)))
    }

    /// Puts what the file says of itself into its ledger.
    pub fn close(self, ledger: &mut FileLedger) {
        ledger.control_total = self.total();
        ledger.shape = Some(match (self.ldapsearch, self.ldbsearch) {
            (true, _) => "ldapsearch output",
            (_, true) => "ldbsearch output",
            _ => "ldif",
        });
        ledger.short.extend(self.failures.iter().map(|f| format!("the search ended with `{f}`")));
        if self.open_page == Some(true) {
            ledger.short.push("the last page of a paged search is missing".to_owned());
        }
        if (self.ldapsearch || self.ldbsearch) && self.total().is_none() {
            ledger.short.push("the total that the tool writes at its end is missing".to_owned());
        }
        let mut note = |what: String, count: u64| {
            if count > 0 {
                *ledger.notes.entry(what).or_insert(0) += count;
            }
        };
        note("referral to another server not followed".to_owned(), self.referrals);
        note("record not separated by a blank line from the one before".to_owned(), self.unseparated);
        for (shown, count) in self.secrets {
            note(format!("secret value of `{shown}` met and not stored"), count);
        }
    }
}

fn add(sum: &mut Option<u64>, text: &str) {
    if let Ok(n) = text.trim().parse::<u64>() {
        *sum = Some(sum.unwrap_or(0).saturating_add(n));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(comments: &[&str]) -> FileLedger {
        let mut trailer = Trailer::default();
        for comment in comments {
            trailer.comment(comment.as_bytes());
        }
        let mut ledger = FileLedger::default();
        trailer.close(&mut ledger);
        ledger
    }

    #[test]
    fn both_tools_state_totals() {
        assert_eq!(closed(&["# extended LDIF", "# numEntries: 42"]).control_total, Some(42));
        assert_eq!(closed(&["# record 1", "# returned 43 records", "# 42 entries", "# 1 referrals"]).control_total, Some(42));
        assert_eq!(closed(&["# refldaps://x/", "# returned 43 records"]).control_total, Some(42));
        assert_eq!(closed(&["# 42 entries, Users, fern.example"]).control_total, None);
        assert_eq!(closed(&["# numEntries: 2", "# numEntries: 3"]).control_total, Some(5));
    }

    #[test]
    fn an_export_that_was_cut_off_is_short() {
        assert!(closed(&["# pagedresults: cookie=", "# nothing"]).short.is_empty());
        assert_eq!(closed(&["# pagedresults: cookie="]).short, Vec::<String>::new());
        assert_eq!(closed(&["# pagedresults: estimate=42 cookie=MQA="]).short, ["the last page of a paged search is missing"]);
        assert_eq!(closed(&["# extended LDIF"]).short, ["the total that the tool writes at its end is missing"]);
        assert_eq!(closed(&["# record 1"]).short, ["the total that the tool writes at its end is missing"]);
        assert_eq!(closed(&["# result: 4 Size limit exceeded"]).short, ["the search ended with `4 Size limit exceeded`"]);
    }

    #[test]
    fn the_heading_says_what_was_requested() {
        let mut trailer = Trailer::default();
        trailer.comment(b"# requesting: cn lastLogonTimestamp ");
        assert!(trailer.requested("lastlogontimestamp") && !trailer.requested("mail"));
    }
}
