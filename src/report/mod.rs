//! One frozen, versioned report, and everything that shows it.
//!
//! A renderer takes a [`Report`] (or an [`Explanation`]) and gives text. It opens no file, asks no store and reads no
//! clock, so every format says the same of one run. Every string of a report may come from an export and is hostile:
//! `escape` is the only way from there to a page or a terminal.

mod csv;
mod escape;
mod explain;
mod finding;
mod format;
mod html;
pub mod json;
mod metrics;
mod model;
#[cfg(test)]
mod sample;
mod seal;
mod terminal;

pub use csv::{Spreadsheet, canonical as canonical_csv, spreadsheet as spreadsheet_csv};
pub use escape::{visible, visible_lines};
pub use explain::explain;
pub use finding::HalfMade;
pub use format::{plural, wrap};
pub use html::{HtmlError, html};
pub use metrics::metrics_terminal;
pub use model::*;
pub use terminal::{TerminalOptions, terminal};
