//! holdover finds access that outlived its reason: it reconciles the exports of directories, cloud IAM and applications
//! with the records that say who should have what, offline, from files.
//!
//! ```text
//! exports ─▶ connectors ─▶ store ─▶ resolve ─▶ checks ─▶ triage ─▶ metrics ─▶ report
//!  files      parse one     sealed   who is      SQL       exceptions,  numbers    what people
//!             format        Parquet  who; what             baseline                read
//! ```
//!
//! A stage sees only what stands to its left; `tests/integration/architecture.rs` holds the imports to it.
//! `docs/architecture.md` says why things are as they are.

pub mod audit;
pub mod checks;
pub mod cli;
pub mod config;
pub mod connectors;
pub mod demo;
pub mod engine;
pub mod generate;
pub mod ingest;
pub mod metrics;
pub mod model;
pub mod policy;
pub mod report;
pub mod resolve;
pub mod sql;
pub mod store;
pub mod triage;
