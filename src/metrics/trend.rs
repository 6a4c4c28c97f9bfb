//! Counts of one stored run, for the line from run to run.

use crate::model::Time;

/// One run. Counts are of findings, covered ones left out, certain and possible together unless said.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TrendPoint {
    pub run: String,
    pub as_of: Time,
    /// Live, true for all candidates.
    pub certain: u64,
    /// Live, true for some candidates.
    pub possible: u64,
    pub new: u64,
    pub open: u64,
    pub reopened: u64,
    pub unverified: u64,
    pub excepted: u64,
    /// Counted in the run before, and resolved in this one.
    pub resolved: u64,
}
