//! Findings for programs. Each version of the format has its own frozen types, apart from the model: the model may
//! change, a version that is out may only gain fields.

mod summary;
mod v1;

pub use summary::{WrittenFile, summary};

use super::model::Report;

/// The report as `holdover.report/v1`: pretty printed, with a final line feed. `docs/json-v1.md` documents it.
///
/// # Errors
/// Only when serde_json refuses a value, which no field of the format can make it do.
pub fn report_v1(report: &Report) -> Result<String, serde_json::Error> {
    pretty(&v1::ReportV1::from(report))
}

fn pretty(value: &impl serde::Serialize) -> Result<String, serde_json::Error> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    Ok(text)
}

#[cfg(test)]
mod tests;
