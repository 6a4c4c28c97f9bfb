//! The numbers against hand calculation, against a slow reference, and against the page that documents them.

mod page;
mod reference;
mod revocation;
