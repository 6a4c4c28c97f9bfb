//! Every key of the configuration, in one place: what is unknown is judged by it, and the reference page is written from it.

use std::fmt::Write as _;

use super::mistake::nearest;

/// One key of one section.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// The section's name in [`SECTIONS`].
    pub section: &'static str,
    pub name: &'static str,
    /// What its value is, as a message says it.
    pub kind: &'static str,
    /// Its value when it is missing; `required` where it must be there.
    pub default: &'static str,
    pub doc: &'static str,
}

/// One section.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    pub name: &'static str,
    /// How it is written.
    pub header: &'static str,
    pub doc: &'static str,
}

const fn section(name: &'static str, header: &'static str, doc: &'static str) -> Section {
    Section { name, header, doc }
}

/// All sections, in the order of the reference page.
pub static SECTIONS: &[Section] = &[
    section("holdover", "[holdover]", "What concerns the whole run."),
    section(
        "source",
        "[[source]]",
        "One system, or with captures many of one shape. All files of one system and time are one import. \
         A system is named by one source only; one source may list many files.",
    ),
    section(
        "authority",
        "[[authority]]",
        "Which system speaks for which identities and life-cycle events. Without any: every system that holds identities, for the kinds it holds.",
    ),
    section("identity_link", "[[identity_link]]", "One person in two authorities. People are joined by a declared key only."),
    section("identity_link.end", "from = { … }, to = { … }", "One end of an identity link."),
    section(
        "account_kind",
        "[[account_kind]]",
        "What accounts are, by their names. The first entry that fits decides; a registry entry or the connector's own knowledge goes before.",
    ),
    section("privileged_group", "[[privileged_group]]", "A group whose rights no export shows."),
    section(
        "entitlement_alias",
        "[[entitlement_alias]]",
        "What tickets, roles and reviews call an entitlement or group, where it is not its own name or native id.",
    ),
    section("correlation", "[correlation]", "When an account belongs to an identity."),
    section("correlation.rule", "[[correlation.rule]]", "One rule. The first one given replaces all built-in rules."),
    section("checks", "[checks.<id>]", "An override of one check. It is applied after detection and listed in every report."),
    section("metrics", "[metrics]", "What the metrics measure against."),
    section("gate", "[gate]", "Defaults of the options that decide the exit code."),
    section(
        "sidecar",
        "<file>.source.toml",
        "What is known of one input file's extraction, beside that file. It goes before the source's own keys.",
    ),
];

/// Sections that stand at the top of the file: their key, and whether it is a list.
pub(super) const TOP: &[(&str, bool)] = &[
    ("holdover", false),
    ("source", true),
    ("authority", true),
    ("identity_link", true),
    ("account_kind", true),
    ("privileged_group", true),
    ("entitlement_alias", true),
    ("correlation", false),
    ("checks", false),
    ("metrics", false),
    ("gate", false),
];

const fn key(section: &'static str, name: &'static str, kind: &'static str, default: &'static str, doc: &'static str) -> Key {
    Key { section, name, kind, default, doc }
}

const EXTRACTED: [(&str, &str, &str); 7] = [
    ("extracted_by", "text", "who extracted it"),
    ("extracted_role", "text", "with which role or rights"),
    ("command", "text", "with which command; what looks like a secret is masked, as in all of these"),
    ("filters", "text", "what was left out"),
    ("extracted_at", "date or instant", "when; forms as of `taken_at`"),
    (
        "covers_from",
        "date or instant",
        "logs (requests, events, reviews, workflow log): the first instant of which they speak; without it that of the oldest record",
    ),
    ("covers_to", "date or instant", "logs: the first instant of which they speak no more; without it the snapshot's own"),
];

const fn stated(section: &'static str, at: usize) -> Key {
    #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler: a wrong position does not build")]
    let (name, kind, doc) = EXTRACTED[at];
    key(section, name, kind, "not stated", doc)
}

/// All keys, in the order of the reference page.
pub static KEYS: &[Key] = &[
    key("holdover", "store", "path", "`store`", "folder of the store, from the folder of this file"),
    key(
        "holdover",
        "as_of",
        "instant",
        "the newest snapshot's time",
        "instant at which everything is judged; `--as-of` goes before. Freshness is judged only where it is given",
    ),
    key("holdover", "max_skew", "duration", "`7d`", "how far the current snapshots may lie apart"),
    key(
        "holdover",
        "max_drop",
        "number from 0 to 1",
        "`0.10`",
        "share of a table's rows that may vanish between two snapshots before the later counts as *short*",
    ),
    key(
        "holdover",
        "authority_lag",
        "duration",
        "`1d`",
        "how long an authority may take to know somebody: younger accounts are *too new*, not orphans",
    ),
    key(
        "holdover",
        "fingerprint_key_file",
        "path",
        "no fingerprints",
        "file with the key for fingerprints of secret values, 16 bytes or more; without it none is kept",
    ),
    key("source", "system", "text", "required", "name of the system: `a-z`, `0-9`, `.`, `-`; may use captures of `files`"),
    key("source", "connector", "text", "required", "connector that reads it (`holdover connectors list`)"),
    key(
        "source",
        "files",
        "file pattern or list of them",
        "required",
        "its files, from the folder of this file: `*`, `?`, `[…]`, `**`, and `{captures}`; of a list, each pattern must fit a file of the newest import, or the source is incomplete",
    ),
    key(
        "source",
        "taken_at",
        "date or instant",
        "what the export states of itself",
        "instant of the snapshot: `2026-11-22`, `20261122`, `20261122T000000Z`, RFC 3339 (also with `-` for `:`); may use captures of `files`. A date is its first instant in `timezone`, else in UTC",
    ),
    key("source", "team", "one of `security`, `platform`, `application`", "not configured", "team that owns the system"),
    key("source", "environment", "text", "not configured", "environment, such as `production`"),
    key("source", "owner", "text", "not stated", "who answers for the system: an identity's key or e-mail"),
    key("source", "aliases", "list of texts", "none", "further names by which tickets, roles and reviews call the system"),
    key("source", "max_age", "duration", "not judged", "oldest snapshot that still counts as fresh"),
    key("source", "expected", "boolean", "`true`", "whether a run without this source is incomplete (exit code 3)"),
    key("source", "max_rejects", "whole number", "`0`", "rejected records beyond which an import is incomplete"),
    key(
        "source",
        "population",
        "one of `all`, `active-only`",
        "required with people",
        "whether a people list holds everybody it ever knew, or only those who are here",
    ),
    key(
        "source",
        "timezone",
        "time zone",
        "none",
        "zone of dates and times that carry none, such as `Europe/Berlin`; required where the files have bare dates",
    ),
    key("source", "end_means", "one of `last-day`, `first-day-out`", "`last-day`", "what an end date names"),
    stated("source", 0),
    stated("source", 1),
    stated("source", 2),
    stated("source", 3),
    stated("source", 4),
    stated("source", 5),
    stated("source", 6),
    key(
        "source",
        "control_total",
        "whole number",
        "not stated",
        "records that the source's own screen shows for all files of one import; fewer accepted make it *short*",
    ),
    key("source", "options", "table", "empty", "options of the connector, checked there (`holdover connectors show ID`)"),
    key("authority", "system", "text", "required", "system of a `[[source]]`"),
    key("authority", "kinds", "list of `person`, `workload`, `agent`, `external`", "the kinds it holds", "identities for which it speaks"),
    key("authority", "events", "list of `joiner`, `mover`, `leaver`", "all", "life-cycle events for which it speaks"),
    key("identity_link", "from", "table", "required", "the record that points: `{ system = …, column = … }`"),
    key("identity_link", "to", "table", "required", "the record pointed to: `{ system = …, column = … }`"),
    key("identity_link.end", "system", "text", "required", "system of a `[[source]]`"),
    key(
        "identity_link.end",
        "column",
        "one of `native_id`, `employee_number`, `email`, `link_ref`",
        "required",
        "column that holds the key",
    ),
    key("account_kind", "systems", "list of name patterns", "all", "systems to which it applies"),
    key(
        "account_kind",
        "login",
        "regular expression",
        "any",
        "login, which is in lower case here; found anywhere unless `^` and `$` say otherwise",
    ),
    key("account_kind", "native_id", "regular expression", "any", "native id, found anywhere unless `^` and `$` say otherwise"),
    key(
        "account_kind",
        "kind",
        "one of `human`, `service`, `workload`, `agent`, `role`, `shared`, `external`, `system`, `device`",
        "required",
        "what such an account is",
    ),
    key("privileged_group", "systems", "list of name patterns", "all", "systems to which it applies"),
    key("privileged_group", "name", "name pattern", "required", "name (case does not count) or native id of the group"),
    key("privileged_group", "level", "one of `read`, `write`, `admin`", "required", "what its members can do"),
    key("entitlement_alias", "systems", "list of name patterns", "all", "systems to which it applies"),
    key("entitlement_alias", "name", "text", "required", "name (case does not count) or native id of the entitlement or group"),
    key("entitlement_alias", "aliases", "list of texts", "required", "what the records call it"),
    key("correlation", "certain", "number from 0 to 1", "`0.9`", "one candidate with this confidence is linked"),
    key("correlation", "possible", "number from 0 to 1", "`0.5`", "a candidate with less is nobody"),
    key("correlation", "rule", "list of tables", "the built-in rules", "rules that replace the built-in ones"),
    key("correlation.rule", "id", "text", "required", "unique name, shown in every trace"),
    key("correlation.rule", "tier", "whole number", "required", "from 1; lower tiers are tried first, and a certain match ends the search"),
    key("correlation.rule", "weight", "number from 0 to 1", "required", "confidence that agreement gives"),
    key(
        "correlation.rule",
        "account",
        "column",
        "required",
        "column of the account: `employee_ref`, `email`, `upn`, `login`, `display_name`, `native_id`, or `attribute:<name>`",
    ),
    key(
        "correlation.rule",
        "identity",
        "column",
        "required",
        "column of the identity: `native_id`, `employee_number`, `email`, `login`, `alias`, `display_name`, `email_local`, `initial_family` (`jdoe`), `given_family` (`john.doe`)",
    ),
    key("correlation.rule", "systems", "list of name patterns", "all", "systems to which it applies"),
    key("checks", "reason", "text", "required", "why it is overridden"),
    key("checks", "enabled", "boolean", "`true`", "whether the check counts"),
    key("checks", "severity", "one of `info`, `low`, `medium`, `high`, `critical`", "the check's own", "severity of its findings"),
    key("checks", "parameters", "table", "the check's own", "values of its parameters (`holdover checks show ID`)"),
    key(
        "metrics",
        "revoke_sla",
        "duration",
        "`24h`",
        "time within which a leaver's access should be gone: the metrics tell the share of cases closed by then",
    ),
    key(
        "gate",
        "fail_on",
        "one of `none`, `info`, `low`, `medium`, `high`, `critical`",
        "`low`",
        "exit code 1 for open findings of this severity or above",
    ),
    key(
        "gate",
        "fail_on_new",
        "one of `none`, `info`, `low`, `medium`, `high`, `critical`",
        "`none`",
        "exit code 1 for new and reopened findings of this severity or above",
    ),
    key("gate", "fail_on_possible", "boolean", "`false`", "whether findings that hold for some candidates only count too"),
    stated("sidecar", 0),
    stated("sidecar", 1),
    stated("sidecar", 2),
    stated("sidecar", 3),
    stated("sidecar", 4),
    stated("sidecar", 5),
    stated("sidecar", 6),
    key(
        "sidecar",
        "control_total",
        "whole number",
        "not stated",
        "records that the source's own screen shows for this file; fewer accepted make it *short*",
    ),
];

/// The key `name` of a section.
pub(super) fn find(section: &str, name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|k| k.section == section && k.name == name)
}

fn names(section: &str) -> impl Iterator<Item = &'static str> {
    KEYS.iter().filter(move |k| k.section == section).map(|k| k.name)
}

fn header(section: &str) -> &'static str {
    SECTIONS.iter().find(|s| s.name == section).map_or("", |s| s.header)
}

/// What to write instead of a key that the section does not have.
pub(super) fn help_for_unknown(section: &str, name: &str) -> String {
    if let Some(near) = nearest(name, names(section)) {
        return format!("did you mean `{near}`?");
    }
    if let Some(elsewhere) = KEYS.iter().find(|k| k.name == name && k.section != "sidecar") {
        return format!("`{name}` is a key of `{}`", header(elsewhere.section));
    }
    if let Some((top, _)) = TOP.iter().find(|(top, _)| *top == name) {
        return format!("write it as a section of its own, `{}`", header(top));
    }
    let all: Vec<String> = names(section).map(|n| format!("`{n}`")).collect();
    format!("its keys are {}", all.join(", "))
}

/// What to write instead of a section that the file does not have.
pub(super) fn help_for_unknown_section(name: &str) -> String {
    if let Some(near) = nearest(name, TOP.iter().map(|(top, _)| *top)) {
        return format!("did you mean `{}`?", header(near));
    }
    if let Some(key) = KEYS.iter().find(|k| k.name == name && k.section != "sidecar") {
        return format!("`{name}` is a key of `{}`", header(key.section));
    }
    let all: Vec<String> = TOP.iter().map(|(top, _)| format!("`{}`", header(top))).collect();
    format!("its sections are {}", all.join(", "))
}

const INTRODUCTION: &str = "\
# Configuration

`holdover.toml` says which files are which systems, and how strictly a run is judged. `holdover init` writes a commented
one. A key that is not on this page is a mistake; all mistakes are reported at once, each with its line, and end the run
with exit code 2 before anything is read.

- **Paths** are relative to the folder of the file. Files outside that folder may be named; reports show them without
  their folder.
- **Durations** are a whole number and `d` (24 hours), `h` or `m`: `7d`, `36h`, `90m`.
- **File patterns**: `*` any text inside one path segment, `?` one character, `[…]` a class (`[!…]` negated), `**` any
  number of whole segments, `{name}` one or more characters of a segment, captured. Names that start with `.` are met
  only by a pattern that spells the dot. Symbolic links are refused, except
  to a folder whose files lie below the pattern's own fixed folder (`latest`): that one is passed over.
- **Captures** may stand in `system` and `taken_at`; each capture must be used in one of them. One that stands twice in
  a pattern must have one value. Files with the same system and time are one import.
- **Name patterns**: `*` any text, `?` one character, `[…]` a class, `{a,b}` one of several, over the whole name.
";

/// The reference page of the configuration, in Markdown.
pub fn reference_page() -> String {
    let mut page = INTRODUCTION.to_owned();
    for section in SECTIONS {
        // Writing to a String cannot fail.
        let _ = write!(page, "\n## `{}`\n\n{}\n\n| key | value | default | meaning |\n|---|---|---|---|\n", section.header, section.doc);
        for key in KEYS.iter().filter(|k| k.section == section.name) {
            let _ = writeln!(page, "| `{}` | {} | {} | {} |", key.name, cell(key.kind), cell(key.default), cell(key.doc));
        }
    }
    page
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn keys_are_unique_and_every_section_has_some() {
        let mut seen = BTreeSet::new();
        for key in KEYS {
            assert!(seen.insert((key.section, key.name)), "{}.{}", key.section, key.name);
            assert!(SECTIONS.iter().any(|s| s.name == key.section), "{}", key.section);
            assert!(!key.doc.is_empty() && !key.doc.ends_with('.'), "{}.{}", key.section, key.name);
        }
        for section in SECTIONS {
            assert!(names(section.name).next().is_some(), "{}", section.name);
        }
        for (top, _) in TOP {
            assert!(!header(top).is_empty(), "{top}");
        }
    }

    #[test]
    fn an_unknown_key_is_helped_by_near_words_then_by_its_home_then_by_the_list() {
        assert_eq!(help_for_unknown("source", "max_agee"), "did you mean `max_age`?");
        assert_eq!(help_for_unknown("source", "max_skew"), "`max_skew` is a key of `[holdover]`");
        assert_eq!(help_for_unknown("source", "checks"), "write it as a section of its own, `[checks.<id>]`");
        assert_eq!(help_for_unknown("gate", "colour"), "its keys are `fail_on`, `fail_on_new`, `fail_on_possible`");
        assert_eq!(help_for_unknown_section("sources"), "did you mean `[[source]]`?");
        assert_eq!(help_for_unknown_section("store"), "`store` is a key of `[holdover]`");
        assert!(help_for_unknown_section("xyzzy").starts_with("its sections are `[holdover]`, `[[source]]`"));
    }

    #[test]
    fn the_page_has_every_key_in_its_section() {
        let page = reference_page();
        for section in SECTIONS {
            let part = page.split(&format!("\n## `{}`\n", section.header)).nth(1).unwrap();
            let part = part.split("\n## ").next().unwrap();
            for name in names(section.name) {
                assert!(part.contains(&format!("\n| `{name}` | ")), "{}.{name}", section.name);
            }
        }
        assert!(page.lines().filter(|l| l.starts_with("| `")).all(|l| l.matches(" | ").count() == 3));
        assert!(page.contains("| `max_age` | duration | not judged | oldest snapshot that still counts as fresh |"));
    }
}
