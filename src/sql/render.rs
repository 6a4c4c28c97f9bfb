//! Parameters into the text: what a run records, and other engines run as it stands.

use std::collections::BTreeMap;

use sqlparser::tokenizer::Token;

use super::diagnostic::Pos;
use super::literal;
use super::parse::{Parsed, pos, refuse, tokens};
use super::types::Literal;

/// The text with every `:name` replaced by its typed literal. Literals and comments are left alone.
///
/// # Errors
/// An unknown parameter, or a value that no literal can say.
pub(super) fn render(text: &str, params: &BTreeMap<String, Literal>) -> Parsed<String> {
    let mut replaced = Vec::new();
    let tokens = tokens(text)?;
    for pair in tokens.windows(2) {
        let [colon, word] = pair else { continue };
        if let (Token::Colon, Token::Word(name)) = (&colon.token, &word.token) {
            let at = pos(colon.span.start);
            let Some(value) = params.get(&name.value) else {
                return refuse(at, format!("unknown parameter `:{}`", name.value), "declare it in the front matter");
            };
            let Some(value) = literal::render(value) else {
                return refuse(
                    at,
                    format!("the value of `:{}` has no literal", name.value),
                    "choose a value without `\\`, finite and in range",
                );
            };
            replaced.push((at, name.value.chars().count() + 1, value));
        }
    }
    Ok(splice(text, &replaced))
}

/// The text with `length` characters at each place replaced; places ascend.
fn splice(text: &str, replaced: &[(Pos, usize, String)]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut next = replaced.iter().peekable();
    let mut skip = 0;
    let mut at = Pos { line: 1, column: 1 };
    for c in text.chars() {
        if let Some((_, length, value)) = next.next_if(|(place, ..)| *place == at) {
            out.push_str(value);
            skip = *length;
        }
        if skip > 0 {
            skip -= 1;
        } else {
            out.push(c);
        }
        at = if c == '\n' { Pos { line: at.line + 1, column: 1 } } else { Pos { line: at.line, column: at.column + 1 } };
    }
    out
}
