//! Findings for programs. Each version of the format has its own frozen types, apart from the model: the model may
//! change, a version that is out may only gain fields.

mod metrics;
mod summary;
mod v1;

pub use metrics::{MetricsFileV1, MetricsV1};
pub use summary::{WrittenFile, summary, summary_totals};

use super::model::Report;

/// The report as `holdover.report/v1`: pretty printed, with a final line feed. `docs/json-v1.md` documents it.
///
/// # Errors
/// Only when serde_json refuses a value, which no field of the format can make it do.
pub fn report_v1(report: &Report) -> Result<String, serde_json::Error> {
    pretty(&v1::ReportV1::from(report))
}

/// The metrics alone as `holdover.metrics/v1`: what the report has under `metrics`, and which run it is of.
///
/// # Errors
/// As [`report_v1`].
pub fn metrics_v1(report: &Report) -> Result<String, serde_json::Error> {
    pretty(&MetricsFileV1 {
        schema: "holdover.metrics/v1".to_owned(),
        tool_version: report.tool_version.clone(),
        run: report.run.clone(),
        as_of: report.as_of,
        metrics: (&report.metrics).into(),
    })
}

/// The file that [`metrics_v1`] wrote.
///
/// # Errors
/// It is not that.
pub fn read_metrics(bytes: &[u8]) -> Result<MetricsFileV1, serde_json::Error> {
    serde_json::from_slice(bytes)
}

fn pretty(value: &impl serde::Serialize) -> Result<String, serde_json::Error> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    Ok(text)
}

#[cfg(test)]
mod tests;
