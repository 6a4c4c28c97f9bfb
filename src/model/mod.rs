//! The normal form: the vocabulary that every stage shares (`docs/architecture.md`).
//!
//! Nothing here reads a file, a flag or a clock.

pub mod approvals;
pub mod cell;
pub mod drift;
pub mod edge_history;
pub mod facts;
mod label;
pub mod mask;
pub mod pack;
pub mod records;
pub mod run;
pub mod schema;
pub mod stage;
pub mod text;
pub mod time;
mod why;

pub use drift::*;
pub use edge_history::{EdgeHistory, Presence, Runs};
pub use facts::*;
pub use label::{Label, Short};
pub use records::*;
pub use run::*;
pub use schema::*;
pub use stage::Stage;
pub use time::Time;
pub use why::Why;
