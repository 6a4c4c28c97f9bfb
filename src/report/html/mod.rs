//! The report as one page that needs nothing else: no script, no request, one style that its policy names by digest.

mod charts;
mod page;
mod svg;
mod views;
mod words;

use data_encoding::BASE64;
use minijinja::value::ValueKind;
use minijinja::{Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value};
use sha2::{Digest, Sha256};

use super::escape;
use super::format;
use super::model::{FindingEntry, Report};

const PAGE: &str = include_str!("../../../reports/report.html.j2");
const FINDING: &str = include_str!("../../../reports/finding.html.j2");
const STYLE: &str = include_str!("../../../reports/report.css");

/// Why no page was made. Each is a fault of the template, never of the input.
#[derive(Debug, thiserror::Error)]
pub enum HtmlError {
    #[error("the page's template failed: {0}")]
    Template(#[from] Error),
    #[error("the report does not serialise: {0}")]
    Model(#[from] serde_json::Error),
}

/// The page.
///
/// # Errors
/// A fault of the template.
pub fn html(report: &Report) -> Result<String, HtmlError> {
    let env = environment()?;
    let finding = env.get_template("finding.html")?;
    let one = |f: &FindingEntry| -> Result<Value, HtmlError> {
        // Findings are rendered one by one, so that memory holds their text and not a tree of each.
        let view = value(serde_json::to_value(page::FindingView::of(f))?);
        Ok(Value::from_safe_string(finding.render(view)?))
    };
    let groups = page::groups(report)
        .into_iter()
        .map(|group| {
            let findings = group.findings.iter().map(|f| one(f)).collect::<Result<Vec<_>, _>>()?;
            Ok(merged(value(serde_json::to_value(&group.head)?), [("findings", Value::from(findings))]))
        })
        .collect::<Result<Vec<_>, HtmlError>>()?;
    let charts = charts::charts(report).into_iter().map(|chart| {
        let svg = Value::from_safe_string(chart.svg.clone());
        Ok(merged(value(serde_json::to_value(&chart)?), [("svg", svg)]))
    });
    let extra = [
        ("charts", Value::from(charts.collect::<Result<Vec<_>, HtmlError>>()?)),
        ("groups", Value::from(groups)),
        ("style", Value::from_safe_string(STYLE.to_owned())),
        ("style_hash", Value::from(BASE64.encode(&Sha256::digest(STYLE)))),
    ];
    let context = merged(value(serde_json::to_value(page::Page::of(report))?), extra);
    Ok(env.get_template("report.html")?.render(context)?)
}

/// `map` with further entries.
fn merged<const N: usize>(map: Value, extra: [(&'static str, Value); N]) -> Value {
    let keys = map.try_iter().into_iter().flatten();
    let pairs = keys.map(|key| {
        let held = map.get_item(&key).unwrap_or_default();
        (key, held)
    });
    Value::from_pairs(pairs.chain(extra.into_iter().map(|(key, value)| (Value::from(key), value))))
}

/// The templates, under names that switch escaping on, and the filters that they use.
fn environment() -> Result<Environment<'static>, Error> {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_formatter(write_visible);
    env.add_template("report.html", PAGE)?;
    env.add_template("finding.html", FINDING)?;
    // Inside quotes of an attribute only these two may stand: no markup, not even the span of a hidden character.
    env.add_filter("attr", |v: Value| Value::from_safe_string(escape::attribute(&v.to_string())));
    env.add_filter("anchor", |v: &str| Value::from_safe_string(escape::anchor(v)));
    env.add_filter("block", |v: &str| Value::from_safe_string(escape::html_block(v)));
    env.add_filter("prose", |v: &str| Value::from_safe_string(escape::html_prose(v)));
    env.add_filter("num", format::grouped);
    env.add_filter("bytes", format::bytes);
    env.add_filter("days", format::days);
    env.add_filter("date", |v: &str| v.split('T').next().unwrap_or(v).to_owned());
    env.add_filter("short", |v: &str, limit: usize| escape::shorten(v, limit).into_owned());
    env.add_filter("is_long", |v: &str, limit: usize| escape::width(v) > limit);
    Ok(env)
}

/// How every `{{ … }}` reaches the page: escaped, hidden characters made visible. A value that is neither text nor number
/// nor safe is a fault of the template.
fn write_visible(out: &mut Output<'_>, _: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    let text = match (value.is_safe(), value.as_str(), value.kind()) {
        (true, Some(safe), _) => return out.write_str(safe).map_err(Error::from),
        (false, Some(text), _) => escape::html(text),
        (_, _, ValueKind::Number) => value.to_string(),
        (_, _, kind) => return Err(Error::new(ErrorKind::InvalidOperation, format!("cannot print a value of kind {kind}"))),
    };
    out.write_str(&text).map_err(Error::from)
}

/// JSON as a value of the template engine.
fn value(json: serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::from(()),
        serde_json::Value::Bool(b) => Value::from(b),
        serde_json::Value::Number(n) => match (n.as_u64(), n.as_i64(), n.as_f64()) {
            (Some(n), _, _) => Value::from(n),
            (_, Some(n), _) => Value::from(n),
            (_, _, n) => Value::from(n.unwrap_or_default()),
        },
        serde_json::Value::String(text) => Value::from(text),
        serde_json::Value::Array(items) => Value::from(items.into_iter().map(value).collect::<Vec<_>>()),
        serde_json::Value::Object(map) => Value::from_pairs(map.into_iter().map(|(key, held)| (Value::from(key), value(held)))),
    }
}

#[cfg(test)]
mod tests;
