//! The few shapes that charts are made of. Text comes in escaped and hidden characters spelt out; colours are classes.

use std::fmt::Write as _;

use super::super::escape;

/// Width of every drawing, in its own units.
pub const WIDTH: f64 = 560.0;

/// A drawing with its words for those who do not see it.
pub struct Svg {
    id: &'static str,
    title: String,
    description: String,
    height: f64,
    body: String,
}

/// A coordinate with one digit.
fn at(x: f64) -> String {
    let text = format!("{x:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

/// Text as it may stand inside an element of a drawing: no markup, not even the span of a hidden character.
pub fn text(raw: &str) -> String {
    escape::attribute(raw)
}

impl Svg {
    /// An empty drawing. `title` names it, `description` says what it shows in words.
    pub fn new(id: &'static str, title: &str, description: &str, height: f64) -> Self {
        Self { id, title: title.to_owned(), description: description.to_owned(), height, body: String::new() }
    }

    pub fn rect(&mut self, class: &str, x: f64, y: f64, width: f64, height: f64) {
        let (x, y, width, height) = (at(x), at(y), at(width.max(0.0)), at(height.max(0.0)));
        // Writing to a String cannot fail.
        let _ = write!(self.body, r#"<rect class="{class}" x="{x}" y="{y}" width="{width}" height="{height}"/>"#);
    }

    pub fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let (x1, y1, x2, y2) = (at(from.0), at(from.1), at(to.0), at(to.1));
        let _ = write!(self.body, r#"<line class="{class}" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>"#);
    }

    pub fn path(&mut self, class: &str, points: &[(f64, f64)], closed: bool) {
        let steps: Vec<String> =
            points.iter().enumerate().map(|(i, (x, y))| format!("{}{} {}", if i == 0 { "M" } else { "L" }, at(*x), at(*y))).collect();
        let end = if closed { "Z" } else { "" };
        let _ = write!(self.body, r#"<path class="{class}" d="{}{end}"/>"#, steps.join(""));
    }

    pub fn label(&mut self, class: &str, x: f64, y: f64, raw: &str) {
        let _ = write!(self.body, r#"<text class="{class}" x="{}" y="{}">{}</text>"#, at(x), at(y), text(raw));
    }

    /// The element, whole.
    pub fn finish(self) -> String {
        let Self { id, title, description, height, body } = self;
        format!(
            r#"<svg class="chart" viewBox="0 0 {} {}" role="img" aria-labelledby="{id}-title {id}-desc"><title id="{id}-title">{}</title><desc id="{id}-desc">{}</desc>{body}</svg>"#,
            at(WIDTH),
            at(height),
            text(&title),
            text(&description)
        )
    }
}
