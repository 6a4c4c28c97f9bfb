//! What is stated of an extraction: in the source's own keys, and in `<file>.source.toml` beside one file.

use std::borrow::Cow;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;

use super::mistake::{Mistake, Mistakes, Position};
use super::raw::{self, Section};
use super::values;
use crate::model::Time;
use crate::model::mask::{MASK, free_text};

/// How a sidecar's name ends. Such a file is never an input itself.
pub const SUFFIX: &str = ".source.toml";

/// How messages show a sidecar as a section.
const HEADER: &str = "<file>.source.toml";

/// How an absent field of [`Provenance`] is printed.
pub const NOT_STATED: &str = "not stated";

/// The most bytes of a sidecar or a configuration.
pub(super) const LARGEST: u64 = 4 << 20;

/// Who extracted a file and how. `None` is *not stated*, never empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// Masked, as all its texts are.
    pub extracted_by: Option<String>,
    pub extracted_role: Option<String>,
    pub command: Option<String>,
    pub filters: Option<String>,
    pub extracted_at: Option<Time>,
    /// Records that the source's own screen shows.
    pub control_total: Option<u64>,
    /// First instant of which a log speaks, and the first after the last.
    pub covers_from: Option<Time>,
    pub covers_to: Option<Time>,
}

impl Provenance {
    /// This statement where it says something, else `other`.
    #[must_use]
    pub fn over(self, other: &Self) -> Self {
        Self {
            extracted_by: self.extracted_by.or_else(|| other.extracted_by.clone()),
            extracted_role: self.extracted_role.or_else(|| other.extracted_role.clone()),
            command: self.command.or_else(|| other.command.clone()),
            filters: self.filters.or_else(|| other.filters.clone()),
            extracted_at: self.extracted_at.or(other.extracted_at),
            control_total: self.control_total.or(other.control_total),
            covers_from: self.covers_from.or(other.covers_from),
            covers_to: self.covers_to.or(other.covers_to),
        }
    }

    /// Every field as a report prints it, in the order of the documentation.
    pub fn stated(&self) -> [(&'static str, String); 6] {
        let text = |field: &Option<String>| field.clone().unwrap_or_else(|| NOT_STATED.to_owned());
        let shown = |field: Option<String>| field.unwrap_or_else(|| NOT_STATED.to_owned());
        [
            ("extracted by", text(&self.extracted_by)),
            ("extracted role", text(&self.extracted_role)),
            ("command", text(&self.command)),
            ("filters", text(&self.filters)),
            ("extracted at", shown(self.extracted_at.map(|t| t.to_string()))),
            ("control total", shown(self.control_total.map(|n| n.to_string()))),
        ]
    }
}

/// Reads the keys of [`Provenance`] from a source or a sidecar. `zone`: of a bare date in `extracted_at`.
pub(super) fn read_keys(section: &Section<'_, '_>, zone: Option<&TimeZone>, out: &mut Mistakes<'_>) -> Provenance {
    let instant = |key: &str, out: &mut Mistakes<'_>| {
        let text = section.moment(key, out)?;
        values::taken_at(&text, zone).map_err(|e| section.fault(key, "bad-instant", e, out)).ok()
    };
    let (covers_from, covers_to) = (instant("covers_from", out), instant("covers_to", out));
    if let (Some(from), Some(to)) = (covers_from, covers_to)
        && to <= from
    {
        let error =
            values::ValueError::new("`covers_to` does not lie after `covers_from`", "state the first and the last instant of the log");
        section.fault("covers_to", "bad-instant", error, out);
    }
    Provenance {
        extracted_by: section.string("extracted_by", out).map(|t| free_text(&t)),
        extracted_role: section.string("extracted_role", out).map(|t| free_text(&t)),
        command: section.string("command", out).map(|t| mask_command(&t)),
        filters: section.string("filters", out).map(|t| free_text(&t)),
        extracted_at: instant("extracted_at", out),
        control_total: section.count("control_total", out),
        covers_from,
        covers_to,
    }
}

/// A command with the values of its secret options masked (`-w Hunter2`, `--password Hunter2`), and whatever else looks
/// like a secret.
fn mask_command(command: &str) -> String {
    const SECRET: &[&str] = &["pass", "secret", "token", "credential", "api-key", "apikey"];
    let lower = command.to_lowercase();
    let is = |tools: &[&str]| lower.split(' ').any(|w| tools.iter().any(|t| w.trim_end_matches(".exe").ends_with(t)));
    // `ldapsearch -wHunter2`, `mysql -pHunter2`: the value is joined to its option.
    let joined = if is(&["ldapsearch"]) {
        "-w"
    } else if is(&["mysql", "mariadb"]) {
        "-p"
    } else {
        ""
    };
    let mut secret_next = false;
    let mut user_next = false;
    // `ldifde -b user domain password`: how many words lie before the password.
    let mut third = 0;
    let mut words: Vec<Cow<'_, str>> = Vec::new();
    for word in command.split(' ') {
        if secret_next && !word.is_empty() {
            words.push(MASK.into());
            secret_next = false;
            continue;
        }
        if user_next && !word.is_empty() {
            words.push(without_password(word));
            user_next = false;
            continue;
        }
        if third > 0 && !word.is_empty() {
            third -= 1;
            secret_next = third == 0;
        }
        if !joined.is_empty() && word.len() > 2 && word.starts_with(joined) {
            words.push(format!("{joined}{MASK}").into());
            continue;
        }
        let option = word.strip_prefix("--").map(str::to_lowercase).filter(|o| !o.contains('='));
        // `-w` is the password of the LDAP tools.
        secret_next |= word == "-w" || option.is_some_and(|o| SECRET.iter().any(|s| o.contains(s)));
        user_next = matches!(word, "-u" | "-U" | "--user");
        if word == "-b" && is(&["ldifde", "csvde"]) {
            third = 2;
        }
        words.push(word.into());
    }
    free_text(&words.join(" "))
}

/// `user:password` of curl, `user%password` of Samba's tools: the user alone.
fn without_password(word: &str) -> Cow<'_, str> {
    match word.find([':', '%']) {
        Some(at) => format!("{}{MASK}", word.get(..=at).unwrap_or_default()).into(),
        None => word.into(),
    }
}

/// The sidecar's path of an input file.
pub fn path_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(SUFFIX);
    PathBuf::from(name)
}

/// Reads the sidecar of `file`, shown as `shown`, if there is one.
///
/// # Errors
/// It is a symbolic link, cannot be read, or has mistakes: all of them.
pub(super) fn read(file: &Path, shown: &str, zone: Option<&TimeZone>) -> Result<Option<Provenance>, Vec<Mistake>> {
    let path = path_of(file);
    let name = format!("{shown}{SUFFIX}");
    let whole = |message: String, help: &str| {
        vec![Mistake { file: Some(name.clone()), ..Mistake::new("unreadable", Position::default(), message, help) }]
    };
    match path.symlink_metadata() {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Ok(meta) if meta.is_file() => {}
        Ok(_) => return Err(whole("is not a regular file".to_owned(), "put the sidecar itself beside its file")),
        Err(e) => return Err(whole(format!("cannot be read: {e}"), "make it readable, or remove it")),
    }
    let text = read_text(&path).map_err(|message| whole(message, "write it as UTF-8 text, or remove it"))?;
    let mut out = Mistakes::new(&text, Some(name.clone()));
    let table = raw::parse(&text, &mut out);
    let section = Section::open("sidecar", HEADER, &table, 0, &mut out);
    let provenance = read_keys(&section, zone, &mut out);
    if out.list.is_empty() { Ok(Some(provenance)) } else { Err(out.list) }
}

/// A small UTF-8 file as text; the fault, without the path.
pub(super) fn read_text(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|e| format!("cannot be read: {e}"))?;
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|e| format!("cannot be read: {e}"))?;
    if bytes.len() as u64 > LARGEST {
        return Err(format!("is larger than {LARGEST} bytes"));
    }
    String::from_utf8(bytes).map_err(|e| format!("is not UTF-8 at byte {}", e.utf8_error().valid_up_to()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sidecar(text: &[u8]) -> Result<Option<Provenance>, Vec<Mistake>> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("hr.csv");
        std::fs::write(path_of(&file), text).unwrap();
        read(&file, "in/hr.csv", None)
    }

    #[test]
    fn a_sidecar_goes_before_the_source() {
        let own = sidecar(b"extracted_by = \"ann\"\ncontrol_total = 12\nextracted_at = 2026-11-22\n").unwrap().unwrap();
        let source =
            Provenance { extracted_by: Some("bob".into()), filters: Some("active".into()), control_total: Some(9), ..Default::default() };
        let merged = own.over(&source);
        assert_eq!(
            (merged.extracted_by.as_deref(), merged.filters.as_deref(), merged.control_total),
            (Some("ann"), Some("active"), Some(12))
        );
        let stated: Vec<String> = merged.stated().into_iter().map(|(k, v)| format!("{k}: {v}")).collect();
        assert_eq!(
            stated,
            [
                "extracted by: ann",
                "extracted role: not stated",
                "command: not stated",
                "filters: active",
                "extracted at: 2026-11-22T00:00:00Z",
                "control total: 12"
            ]
        );
    }

    #[test]
    fn no_sidecar_states_nothing() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(&dir.path().join("hr.csv"), "hr.csv", None), Ok(None));
    }

    #[test]
    fn every_mistake_of_a_sidecar_names_its_file_and_line() {
        let mistakes = sidecar(b"extracted_bye = \"ann\"\nextracted_at = \"yesterday\"\ncontrol_total = -1\n").unwrap_err();
        let shown: Vec<_> = mistakes.iter().map(|m| (m.file.as_deref(), m.line, m.column, m.message.as_str(), m.help.as_str())).collect();
        let file = Some("in/hr.csv.source.toml");
        assert_eq!(
            shown,
            [
                (file, 1, 1, "`extracted_bye` is not a key of `<file>.source.toml`", "did you mean `extracted_by`?"),
                (
                    file,
                    2,
                    16,
                    "`yesterday` is not a date or an instant",
                    "write a date `2026-11-22`, or an instant `2026-11-22T00:00:00Z` or `20261122T000000Z`"
                ),
                (file, 3, 17, "`control_total` is `-1`", "write a whole number, 0 or more"),
            ]
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_named() {
        let mistakes = sidecar(b"filters = \"\xff\"").unwrap_err();
        assert_eq!((mistakes[0].message.as_str(), mistakes[0].line), ("is not UTF-8 at byte 11", 0));
    }

    /// 11.13: what looks like a secret in a command does not stay.
    #[test]
    fn a_password_in_a_command_is_masked() {
        let own = sidecar(b"command = \"ldapsearch -D cn=admin password=Hunter2 -b dc=x\"").unwrap().unwrap();
        assert_eq!(own.command.as_deref(), Some("ldapsearch -D cn=admin password=[masked] -b dc=x"));
        assert_eq!(mask_command("ldapsearch -x -w  Hunter2 -b dc=x"), "ldapsearch -x -w  [masked] -b dc=x");
        assert_eq!(mask_command("get --api-token Hunter2 --password=Hunter2 all"), "get --api-token [masked] --password=[masked] all");
        assert_eq!(mask_command("aws iam list-users --output json"), "aws iam list-users --output json");
        assert_eq!(mask_command("sudo /usr/bin/ldapsearch -wHunter2 -b x"), "sudo /usr/bin/ldapsearch -w[masked] -b x");
        assert_eq!(mask_command("mysql -uroot -pHunter2 -e x"), "mysql -uroot -p[masked] -e x");
        assert_eq!(mask_command("curl -u ann:Hunter2 x"), "curl -u ann:[masked] x");
        assert_eq!(mask_command("ldbsearch -U ann%Hunter2 -H x"), "ldbsearch -U ann%[masked] -H x");
        assert_eq!(mask_command("ldifde -f a.ldif -b ann CORP Hunter2 -n"), "ldifde -f a.ldif -b ann CORP [masked] -n");
        assert_eq!(mask_command("ldapsearch -b dc=x a b c"), "ldapsearch -b dc=x a b c");
        let own = sidecar(b"extracted_by = \"ann, pw: Hunter2\"\nextracted_role = \"token=Hunter2\"").unwrap().unwrap();
        assert_eq!((own.extracted_by.as_deref(), own.extracted_role.as_deref()), (Some("ann, pw: [masked]"), Some("token=[masked]")));
    }

    #[cfg(unix)]
    #[test]
    fn a_linked_sidecar_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("hr.csv");
        std::os::unix::fs::symlink("/etc/hostname", path_of(&file)).unwrap();
        assert_eq!(read(&file, "hr.csv", None).unwrap_err()[0].message, "is not a regular file");
    }
}
