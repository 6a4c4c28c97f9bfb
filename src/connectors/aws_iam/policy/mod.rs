//! Policy documents: what AWS wrote, read into statements and judged.
//!
//! The level, the risks and their limits are described on the connector's page.

mod judge;

use std::borrow::Cow;

use serde_json::value::RawValue;

pub(super) use judge::{Judgement, judge, known};

use super::fields::{Fault, Fields};
use crate::model::mask;
use crate::model::{Effect, Level, StatementRow};
use crate::policy::glob;

/// A list and its complement: `Action` and `NotAction`, `Resource` and `NotResource`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Which {
    Only(Vec<String>),
    Except(Vec<String>),
}

impl Which {
    fn patterns(&self) -> &[String] {
        match self {
            Self::Only(list) | Self::Except(list) => list,
        }
    }
}

/// One statement as read.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    sid: Option<String>,
    pub(super) effect: Effect,
    /// As written.
    actions: Which,
    /// As `actions`, in lower case: IAM compares without case.
    folded: Which,
    resources: Which,
    /// JSON without the blanks between its tokens.
    pub(super) condition: Option<String>,
    /// `Principal` as written, in trust policies.
    pub(super) principal: Option<String>,
    /// `NotPrincipal` as written, in trust policies.
    pub(super) not_principal: Option<String>,
    /// The whole statement, JSON without the blanks between its tokens.
    pub(super) text: String,
}

/// One policy document as read.
#[derive(Clone, Debug, Default)]
pub(super) struct Document {
    pub(super) statements: Vec<Statement>,
    /// Statements that cannot be read. One is enough to make the level unknown, unless the rest is `admin` already.
    pub(super) unreadable: u32,
}

/// The most actions, and the most statements, of one document. AWS's own largest policy has under half of them; an account's own, far fewer.
const MOST_ACTIONS: usize = 10_000;

/// The most pairs of an allowed and a denied action with wildcards in both, the costly ones. AWS's own have under 500.
const MOST_PAIRS: usize = 20_000;

/// What a document hangs on: an identity policy names resources, a trust policy principals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Identity,
    Trust,
}

impl Document {
    /// Reads a document: an object, or a text that holds one, plain or URL-encoded as the API sends it.
    ///
    /// # Errors
    /// It is not an object with a `Statement`.
    pub(super) fn read(raw: &str, kind: Kind) -> Result<Self, Fault> {
        let text = unwrapped(raw);
        let fields = Fields::of(&text)?.folded()?;
        let Some(list) = fields.raw("statement") else {
            return Err(Fault::new("aws-iam/policy", "policy document has no `Statement`", "export the policy again"));
        };
        // One bare statement is a list of one.
        let items: Vec<&RawValue> = match list.starts_with('{') {
            true => serde_json::from_str(list).map(|one| vec![one]),
            false => serde_json::from_str(list),
        }
        .map_err(|_| Fault::new("aws-iam/policy", "`Statement` is neither an object nor a list", "export the policy again"))?;
        let mut document = Self::default();
        for item in items {
            match Statement::read(item.get(), kind) {
                Ok(statement) => document.statements.push(statement),
                Err(_) => document.unreadable += 1,
            }
        }
        document.bounded()?;
        Ok(document)
    }

    /// Judging costs allowed times denied actions: a document made to be slow is refused.
    fn bounded(&self) -> Result<(), Fault> {
        let patterns = |effect: Effect| self.statements.iter().filter(move |s| s.effect == effect).flat_map(|s| s.folded.patterns());
        let wild = |effect: Effect| patterns(effect).filter(|p| p.contains(['*', '?'])).count();
        let actions = patterns(Effect::Allow).count() + patterns(Effect::Deny).count();
        let statements = self.statements.len();
        if statements.max(actions) <= MOST_ACTIONS && wild(Effect::Allow).saturating_mul(wild(Effect::Deny)) <= MOST_PAIRS {
            return Ok(());
        }
        let help = "AWS accepts no such document: check the file";
        Err(Fault::new("aws-iam/policy", "policy document names more actions than AWS allows", help))
    }

    /// The rows of its statements, each judged alone. Statements that cannot be read have none; the entitlement says so.
    pub(super) fn rows(&self) -> Vec<StatementRow> {
        self.statements.iter().zip(0u32..).map(|(statement, at)| statement.row(at)).collect()
    }
}

/// The document's own text: out of its JSON string and its URL encoding, if it stands in them.
fn unwrapped(raw: &str) -> Cow<'_, str> {
    if !raw.starts_with('"') {
        return Cow::Borrowed(raw);
    }
    let text: String = serde_json::from_str(raw).unwrap_or_default();
    if text.trim_start().starts_with('{') { Cow::Owned(text) } else { Cow::Owned(percent_decoded(&text)) }
}

fn percent_decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = |b: Option<&u8>| b.and_then(|b| char::from(*b).to_digit(16)).and_then(|d| u8::try_from(d).ok());
        match (first, hex(after.first()), hex(after.get(1))) {
            (b'%', Some(high), Some(low)) => {
                out.push(high * 16 + low);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                out.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

impl Statement {
    fn read(raw: &str, kind: Kind) -> Result<Self, Fault> {
        let fields = Fields::of(raw)?.folded()?;
        let fault = |what: &str| Fault::new("aws-iam/policy", what.to_owned(), "export the policy again");
        let effect = match fields.required("effect")?.to_ascii_lowercase().as_str() {
            "allow" => Effect::Allow,
            "deny" => Effect::Deny,
            _ => return Err(fault("`Effect` is neither `Allow` nor `Deny`")),
        };
        let actions = which(&fields, "action", "notaction")?.ok_or_else(|| fault("statement names no action"))?;
        let resources = match (which(&fields, "resource", "notresource")?, kind) {
            (Some(resources), _) => resources,
            // A trust policy is about the role that carries it.
            (None, Kind::Trust) => Which::Only(vec!["*".to_owned()]),
            (None, Kind::Identity) => return Err(fault("statement names no resource")),
        };
        Ok(Self {
            sid: fields.text("sid")?,
            effect,
            folded: lower(&actions),
            actions,
            resources,
            condition: fields.raw("condition").map(|c| mask::json(&compact(c))).filter(|c| c != "{}"),
            principal: fields.raw("principal").map(str::to_owned),
            not_principal: fields.raw("notprincipal").map(str::to_owned),
            text: mask::json(&compact(raw)),
        })
    }

    /// Whether it speaks about this action, given in lower case.
    pub(super) fn has(&self, action: &str) -> bool {
        match &self.folded {
            Which::Only(patterns) => patterns.iter().any(|p| glob::covers(p, action)),
            Which::Except(patterns) => !patterns.iter().any(|p| glob::covers(p, action)),
        }
    }

    fn row(&self, at: u32) -> StatementRow {
        let (actions, not_actions) = columns(&self.actions);
        let (resources, not_resources) = columns(&self.resources);
        let alone = judge::alone(self);
        StatementRow {
            statement: at,
            sid: self.sid.clone(),
            effect: self.effect,
            actions,
            not_actions,
            resources,
            not_resources,
            condition: self.condition.clone(),
            level: alone.level,
            risks: alone.risks_text(),
            ..StatementRow::default()
        }
    }
}

fn which(fields: &Fields<'_>, only: &str, except: &str) -> Result<Option<Which>, Fault> {
    let list = |name: &str| -> Result<Option<Vec<String>>, Fault> {
        match fields.raw(name) {
            None => Ok(None),
            Some(raw) if raw.starts_with('"') => Ok(Some(fields.text(name)?.into_iter().collect())),
            Some(_) => fields.texts(name).map(Some),
        }
    };
    match (list(only)?, list(except)?) {
        (Some(only), None) => Ok(Some(Which::Only(only))),
        (None, Some(except)) => Ok(Some(Which::Except(except))),
        (None, None) => Ok(None),
        (Some(_), Some(_)) => {
            Err(Fault::new("aws-iam/policy", format!("statement has both `{only}` and `{except}`"), "export the policy again"))
        }
    }
}

fn lower(which: &Which) -> Which {
    let all = |list: &[String]| list.iter().map(|p| p.to_lowercase()).collect();
    match which {
        Which::Only(list) => Which::Only(all(list)),
        Which::Except(list) => Which::Except(all(list)),
    }
}

/// The pair of columns of a list and its complement, one of them null.
fn columns(which: &Which) -> (Option<String>, Option<String>) {
    let json = |list: &[String]| Some(serde_json::Value::from(list.to_vec()).to_string());
    match which {
        Which::Only(list) => (json(list), None),
        Which::Except(list) => (None, json(list)),
    }
}

/// JSON without the blanks between its tokens, so that a pretty-printed export and a raw one store the same text.
pub(super) fn compact(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let (mut in_string, mut escaped) = (false, false);
    for c in json.chars() {
        if in_string {
            in_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
        } else if c.is_ascii_whitespace() {
            continue;
        } else {
            in_string = c == '"';
        }
        out.push(c);
    }
    out
}

/// A judgement for a policy whose document is not in the export.
pub(super) fn unseen() -> Judgement {
    Judgement { level: Level::Unknown, ..Judgement::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_may_stand_in_a_string_and_be_url_encoded() {
        let plain = r#"{"Statement": {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}}"#;
        let encoded: String = plain.bytes().map(|b| format!("%{b:02X}")).collect();
        for raw in [plain.to_owned(), format!("{plain:?}"), format!("\"{encoded}\"")] {
            let document = Document::read(&raw, Kind::Identity).unwrap();
            assert_eq!(document.statements.len(), 1, "{raw}");
            let row = document.rows().remove(0);
            let columns = (row.effect, row.actions.as_deref(), row.resources.as_deref(), row.level);
            assert_eq!(columns, (Effect::Allow, Some(r#"["s3:GetObject"]"#), Some(r#"["*"]"#), Level::Read), "{raw}");
        }
    }

    #[test]
    fn a_statement_keeps_its_own_words() {
        let raw = r#"{"Version": "2012-10-17", "Statement": [{"Sid": "A", "Effect": "Deny", "NotAction": ["S3:Get*"],
            "NotResource": "arn:aws:s3:::b", "Condition": { "NumericLessThan" : {"x": 1e999, "y": " a \" b"} }}]}"#;
        let rows = Document::read(raw, Kind::Identity).unwrap().rows();
        let row = rows.first().unwrap();
        assert_eq!((row.sid.as_deref(), row.effect, row.level), (Some("A"), Effect::Deny, Level::None));
        assert_eq!((row.actions.as_deref(), row.not_actions.as_deref()), (None, Some(r#"["S3:Get*"]"#)));
        assert_eq!((row.resources.as_deref(), row.not_resources.as_deref()), (None, Some(r#"["arn:aws:s3:::b"]"#)));
        assert_eq!(row.condition.as_deref(), Some(r#"{"NumericLessThan":{"x":1e999,"y":" a \" b"}}"#));
    }

    #[test]
    fn what_cannot_be_read_is_counted_or_refused() {
        for raw in
            ["5", "[]", "{}", r#""%7B""#, r#"{"Statement": 5}"#, r#"{"Statement": null}"#, "\"\"", r#"{"Statement": [], "statement": []}"#]
        {
            assert!(Document::read(raw, Kind::Identity).is_err(), "{raw}");
        }
        let broken = r#"{"Statement": [{"Effect": "Maybe", "Action": "*", "Resource": "*"}, {"Effect": "Allow", "Action": [1], "Resource": "*"},
            {"Effect": "Allow", "Resource": "*"}, {"Effect": "Allow", "Action": "*"}, 5,
            {"Effect": "Allow", "Action": "*", "NotAction": "*", "Resource": "*"}]}"#;
        let document = Document::read(broken, Kind::Identity).unwrap();
        assert_eq!((document.statements.len(), document.unreadable), (0, 6));
    }
}
