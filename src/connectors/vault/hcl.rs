//! A tolerant reader of Vault policies: HCL with `path` blocks, or the same as JSON.
//!
//! What a block holds beside capabilities is skipped by its brackets; its name is kept, for it narrows the rule. What cannot be
//! followed makes the policy unreadable, never empty.

use std::iter::Peekable;
use std::str::Chars;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// One rule: a path pattern and what is allowed on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) path: String,
    /// As written, in order. The legacy `policy = "write"` is spelled out.
    pub(super) capabilities: Vec<String>,
    /// Names of further settings (`allowed_parameters`, …), as written.
    pub(super) narrowed: Vec<String>,
}

/// Why a policy cannot be read: the line, from 1, and what was met there. Shows nothing of the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unreadable {
    pub(super) line: u32,
    pub(super) what: &'static str,
}

/// The deepest nesting of brackets that is followed.
const DEEPEST: u32 = 64;

/// The rules of a policy document, HCL or JSON, in order.
///
/// # Errors
/// The document is neither, or a rule has no capabilities.
pub(super) fn rules(text: &str) -> Result<Vec<Rule>, Unreadable> {
    if text.trim_start().starts_with('{') {
        return json(text);
    }
    let mut parser = Parser { tokens: Tokens::new(text) };
    let mut rules = Vec::new();
    while let Some(token) = parser.next()? {
        match token {
            Token::Word(word) if word == "path" => rules.push(parser.rule()?),
            // `name = "x"` and other settings of the whole document. A block that is not known may be what gives the rights.
            Token::Word(_) => {
                parser.mark('=', "a block that is not known")?;
                parser.value()?;
            }
            _ => return Err(parser.fail("a token that opens no block")),
        }
    }
    Ok(rules)
}

/// JSON of which no object names a key twice: of two rules for one path, each reader would follow another one.
struct Distinct(Value);

struct DistinctVisitor;

impl<'de> Visitor<'de> for DistinctVisitor {
    type Value = Distinct;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Distinct, E> {
        Ok(Distinct(Value::Null))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Distinct, E> {
        Ok(Distinct(value.into()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Distinct, E> {
        Ok(Distinct(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Distinct, E> {
        Ok(Distinct(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Distinct, E> {
        Ok(Distinct(value.into()))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Distinct, E> {
        Ok(Distinct(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Distinct, A::Error> {
        let mut list = Vec::new();
        while let Some(Distinct(value)) = seq.next_element()? {
            list.push(value);
        }
        Ok(Distinct(list.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Distinct, A::Error> {
        let mut object = Map::new();
        while let Some((name, Distinct(value))) = map.next_entry::<String, Distinct>()? {
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("duplicate field"));
            }
        }
        Ok(Distinct(object.into()))
    }
}

impl<'de> Deserialize<'de> for Distinct {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DistinctVisitor)
    }
}

fn json(text: &str) -> Result<Vec<Rule>, Unreadable> {
    let fail = |what| Unreadable { line: 1, what };
    let Distinct(document) =
        serde_json::from_str(text).map_err(|e| Unreadable { line: u32::try_from(e.line()).unwrap_or(1), what: "broken JSON" })?;
    let paths = document.get("path").ok_or_else(|| fail("JSON without `path`"))?;
    // HCL's own JSON form: an object by path, or a list of such objects.
    let objects: Vec<&Value> = paths.as_array().map_or_else(|| vec![paths], |list| list.iter().collect());
    let mut rules = Vec::new();
    for object in objects {
        for (path, body) in object.as_object().ok_or_else(|| fail("`path` is not an object"))? {
            let bodies: Vec<&Value> = body.as_array().map_or_else(|| vec![body], |list| list.iter().collect());
            for body in bodies {
                rules.push(json_rule(path, body).ok_or_else(|| fail("a rule without capabilities"))?);
            }
        }
    }
    Ok(rules)
}

fn json_rule(path: &str, body: &Value) -> Option<Rule> {
    let mut rule = Rule { path: path.to_owned(), ..Rule::default() };
    let mut known = false;
    for (name, value) in body.as_object()? {
        match name.as_str() {
            "capabilities" => {
                rule.capabilities.extend(value.as_array()?.iter().map(|c| c.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()?);
                known = true;
            }
            "policy" => {
                rule.capabilities.extend(legacy(value.as_str()?)?);
                known = true;
            }
            "comment" => {}
            _ => rule.narrowed.push(name.clone()),
        }
    }
    known.then_some(rule)
}

/// The capabilities of the first policy language's four words.
fn legacy(word: &str) -> Option<Vec<String>> {
    let list: &[&str] = match word {
        "deny" => &["deny"],
        "read" => &["read", "list"],
        "write" => &["create", "read", "update", "delete", "list"],
        "sudo" => &["create", "read", "update", "delete", "list", "sudo"],
        _ => return None,
    };
    Some(list.iter().map(|c| (*c).to_owned()).collect())
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
    Mark(char),
}

struct Tokens<'a> {
    rest: Peekable<Chars<'a>>,
    line: u32,
}

impl<'a> Tokens<'a> {
    fn new(text: &'a str) -> Self {
        Self { rest: text.trim_start_matches('\u{feff}').chars().peekable(), line: 1 }
    }

    fn step(&mut self) -> Option<char> {
        let c = self.rest.next()?;
        self.line += u32::from(c == '\n');
        Some(c)
    }

    fn fail(&self, what: &'static str) -> Unreadable {
        Unreadable { line: self.line, what }
    }

    fn line_comment(&mut self) {
        while self.step().is_some_and(|c| c != '\n') {}
    }

    fn block_comment(&mut self) -> Result<(), Unreadable> {
        let mut before = ' ';
        while let Some(c) = self.step() {
            if before == '*' && c == '/' {
                return Ok(());
            }
            before = c;
        }
        Err(self.fail("a comment without an end"))
    }

    fn next(&mut self) -> Result<Option<Token>, Unreadable> {
        while let Some(c) = self.step() {
            match c {
                c if c.is_whitespace() => {}
                '#' => self.line_comment(),
                '/' => match self.step() {
                    Some('/') => self.line_comment(),
                    Some('*') => self.block_comment()?,
                    _ => return Err(self.fail("a lone slash")),
                },
                '"' => return self.text().map(|t| Some(Token::Text(t))),
                '<' if self.rest.peek() == Some(&'<') => return self.heredoc().map(|t| Some(Token::Text(t))),
                '{' | '}' | '[' | ']' | '=' | ',' | ':' => return Ok(Some(Token::Mark(c))),
                c if c.is_alphanumeric() || matches!(c, '_' | '-' | '.') => {
                    let mut word = c.to_string();
                    while let Some(more) = self.rest.next_if(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.')) {
                        word.push(more);
                    }
                    return Ok(Some(Token::Word(word)));
                }
                _ => return Err(self.fail("a character that is no HCL")),
            }
        }
        Ok(None)
    }

    /// The rest of a quoted text, its escapes taken out.
    fn text(&mut self) -> Result<String, Unreadable> {
        let mut text = String::new();
        loop {
            match self.step() {
                Some('"') => return Ok(text),
                Some('\\') => match self.step() {
                    Some('n') => text.push('\n'),
                    Some('t') => text.push('\t'),
                    Some(c @ ('"' | '\\')) => text.push(c),
                    _ => return Err(self.fail("an escape that is not known")),
                },
                Some('\n') | None => return Err(self.fail("a text without an end")),
                Some(c) => text.push(c),
            }
        }
    }

    /// `<<WORD` or `<<-WORD` to the line that holds the word alone. Only ever a parameter's value.
    fn heredoc(&mut self) -> Result<String, Unreadable> {
        self.step();
        let line = |tokens: &mut Self| {
            let mut line = String::new();
            loop {
                match tokens.step() {
                    None if line.is_empty() => return None,
                    None | Some('\n') => return Some(line),
                    Some(c) => line.push(c),
                }
            }
        };
        let word = line(self).unwrap_or_default().trim_start_matches('-').trim().to_owned();
        let mut text = String::new();
        while let Some(one) = line(self) {
            if one.trim() == word {
                return Ok(text);
            }
            text.push_str(&one);
            text.push('\n');
        }
        Err(self.fail("a text without an end"))
    }
}

struct Parser<'a> {
    tokens: Tokens<'a>,
}

impl Parser<'_> {
    fn next(&mut self) -> Result<Option<Token>, Unreadable> {
        self.tokens.next()
    }

    fn fail(&self, what: &'static str) -> Unreadable {
        self.tokens.fail(what)
    }

    fn mark(&mut self, mark: char, what: &'static str) -> Result<(), Unreadable> {
        if self.next()? == Some(Token::Mark(mark)) { Ok(()) } else { Err(self.fail(what)) }
    }

    /// What follows `path`: its pattern and its block.
    fn rule(&mut self) -> Result<Rule, Unreadable> {
        let Some(Token::Text(path)) = self.next()? else { return Err(self.fail("a path that is no text")) };
        self.mark('{', "a path without a block")?;
        let mut rule = Rule { path, ..Rule::default() };
        let mut known = false;
        loop {
            let name = match self.next()? {
                Some(Token::Mark('}')) => break,
                Some(Token::Mark(',')) => continue,
                Some(Token::Word(name) | Token::Text(name)) => name,
                _ => return Err(self.fail("a block without an end")),
            };
            match name.as_str() {
                "capabilities" => {
                    self.mark('=', "capabilities without `=`")?;
                    rule.capabilities.extend(self.list()?);
                    known = true;
                }
                "policy" => {
                    self.mark('=', "a legacy policy without `=`")?;
                    let Some(Token::Text(word)) = self.next()? else { return Err(self.fail("a legacy policy that is no text")) };
                    rule.capabilities.extend(legacy(&word).ok_or_else(|| self.fail("a legacy policy that is not known"))?);
                    known = true;
                }
                "comment" => self.setting()?,
                _ => {
                    rule.narrowed.push(name);
                    self.setting()?;
                }
            }
        }
        if known { Ok(rule) } else { Err(self.fail("a rule without capabilities")) }
    }

    /// `["a", "b",]`
    fn list(&mut self) -> Result<Vec<String>, Unreadable> {
        self.mark('[', "capabilities that are no list")?;
        let mut list = Vec::new();
        loop {
            match self.next()? {
                Some(Token::Mark(']')) => return Ok(list),
                Some(Token::Mark(',')) => {}
                Some(Token::Text(text)) => list.push(text),
                _ => return Err(self.fail("a list without an end")),
            }
        }
    }

    /// The value of a setting, `= value` or a block with or without labels: skipped to its end.
    fn setting(&mut self) -> Result<(), Unreadable> {
        match self.next()? {
            Some(Token::Mark('=')) => self.value(),
            Some(Token::Mark('{')) => self.skip('{'),
            Some(Token::Text(_) | Token::Word(_)) => {
                self.mark('{', "a setting without a value")?;
                self.skip('{')
            }
            _ => Err(self.fail("a setting without a value")),
        }
    }

    /// What stands behind `=`.
    fn value(&mut self) -> Result<(), Unreadable> {
        match self.next()? {
            Some(Token::Mark(open @ ('{' | '['))) => self.skip(open),
            Some(Token::Text(_) | Token::Word(_)) => Ok(()),
            _ => Err(self.fail("a setting without a value")),
        }
    }

    /// To the bracket that closes `open`.
    fn skip(&mut self, open: char) -> Result<(), Unreadable> {
        let close = |open| if open == '{' { '}' } else { ']' };
        let mut awaited = vec![close(open)];
        while let Some(last) = awaited.last().copied() {
            match self.next()? {
                Some(Token::Mark(open @ ('{' | '['))) => awaited.push(close(open)),
                Some(Token::Mark(c @ ('}' | ']'))) if c == last => drop(awaited.pop()),
                Some(Token::Mark('}' | ']')) | None => return Err(self.fail("brackets that do not match")),
                Some(_) => {}
            }
            if awaited.len() > DEEPEST as usize {
                return Err(self.fail("brackets nested too deep"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, String, String)> {
        let rules = rules(text).unwrap();
        rules.into_iter().map(|r| (r.path, r.capabilities.join(","), r.narrowed.join(","))).collect()
    }

    fn row(path: &str, capabilities: &str, narrowed: &str) -> (String, String, String) {
        (path.into(), capabilities.into(), narrowed.into())
    }

    #[test]
    fn both_styles_comments_and_blocks() {
        let text = "\u{feff}name = \"x\" # path \"a\" {}\n/* path \"b\" { */ // }\npath \"secret/+/a \\\"b\\\"\" {\n  capabilities = [\"read\", # why\n \"list\",]\n\
            allowed_parameters = { \"version\" = [], \"*\" = [[1, 2], {a = 3}] }\n control_group = { factor \"ops\" { identity { approvals = 1 } } }\n min_wrapping_ttl = \"1s\"\n}\n\
            path \"auth/*\" { policy = \"write\" }\npath \"x\" { comment = \"a path { }\" capabilities = [] }\npath \"h\" { capabilities = [\"deny\"] note = <<END\n} } }\nEND\n }";
        assert_eq!(
            read(text),
            [
                row("secret/+/a \"b\"", "read,list", "allowed_parameters,control_group,min_wrapping_ttl"),
                row("auth/*", "create,read,update,delete,list", ""),
                row("x", "", ""),
                row("h", "deny", "note"),
            ]
        );
        assert_eq!(read(""), []);
    }

    #[test]
    fn json_policies() {
        let text = r#"{"path": {"a/*": {"capabilities": ["read"], "denied_parameters": {}}, "b": [{"policy": "deny"}]}}"#;
        assert_eq!(read(text), [row("a/*", "read", "denied_parameters"), row("b", "deny", "")]);
    }

    #[test]
    fn what_cannot_be_followed_is_unreadable_with_its_line() {
        for (text, line) in [
            ("path \"a\" {\n capabilities = [\"read\"", 2),
            ("path \"a\" {\n}", 2),
            ("path \"a\n\" { }", 2),
            ("path a { capabilities = [] }", 1),
            ("path \"a\" { policy = \"owner\" }", 1),
            ("path \"a\" { capabilities = \"read\" }", 1),
            ("path \"a\" { capabilities = [\"read\"] x = { ] }", 1),
            ("/* no end", 1),
            ("\n\n}", 3),
            ("{\"path\": {\"a\": {}}}", 1),
            ("{\"path\":\n", 2),
            // What is no rule for sure may be one.
            ("Path \"sys/*\" { capabilities = [\"sudo\"] }", 1),
            ("rule \"sys/*\" { capabilities = [\"sudo\"] }", 1),
            ("{\"path\":{\"*\":{\"policy\":\"sudo\"}},\n\"path\":{\"a\":{\"policy\":\"read\"}}}", 2),
            ("{\"path\":{\"*\":{\"policy\":\"sudo\"},\"*\":{\"policy\":\"read\"}}}", 1),
        ] {
            assert_eq!(rules(text).map_err(|e| e.line), Err(line), "{text}");
        }
        let deep = format!("path \"a\" {{ capabilities = [] x = {} }}", "{a=".repeat(100_000));
        assert_eq!(rules(&deep).unwrap_err().what, "brackets nested too deep");
    }
}
