//! Estates of any size, straight into a store: for measuring, and for trying what a real one of that size would cost.
//!
//! Every row follows from the seed, its table and its number, so that each table is written alone and in one pass; whatever the size, a
//! few batches are in memory. What should be found is written beside the store.

mod accounts;
mod clock;
mod columns;
mod credentials;
mod dice;
mod edges;
mod groups;
mod names;
mod people;
mod seal;
mod shape;

use std::fs;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

pub use clock::as_of;
pub use seal::Told;
pub use shape::{Estate, Impossible, Size};

use self::accounts::Accounts;
use self::credentials::Credentials;
use self::edges::{Edges, Kind};
use self::people::{Persons, Workloads};
use self::seal::{Draft, seal};
use self::shape::System;
use crate::model::*;
use crate::store::manifest::Manifest;
use crate::store::{Store, StoreError};

/// Why nothing was generated.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    #[error("`{path}` exists already")]
    Exists { path: String },
    #[error(transparent)]
    Impossible(#[from] Impossible),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What was written.
#[derive(Debug)]
pub struct Written {
    pub config: PathBuf,
    /// Rows of all tables but the origins of rows.
    pub rows: u64,
    pub snapshots: usize,
}

/// About how many rows an estate has, the origin of each row included.
pub fn rows(size: &Size) -> u64 {
    let of_week = size.accounts * 2 + size.access;
    2 * (of_week * u64::from(size.snapshots) + size.identities * 2)
}

/// Writes an estate into a new store, and a configuration beside it.
///
/// # Errors
/// Numbers that no estate can have, a store that exists, the disk.
pub fn write(size: Size, root: &Path, told: Told<'_>) -> Result<Written, GenerateError> {
    let estate = Estate::new(size)?;
    let config = root.parent().unwrap_or(Path::new("")).join("holdover.toml");
    for path in [root, &config] {
        if path.exists() {
            return Err(GenerateError::Exists { path: path.display().to_string() });
        }
    }
    let store = Store::open_or_create(root)?.not_waiting();
    let writer = store.writer()?;
    let drafts: Vec<Draft<'_>> = drafts(&estate);
    let snapshots = drafts.len();
    let sealed = drafts.into_par_iter().map(|draft| seal(&store, &writer, &estate.size, draft, told));
    let sealed: Vec<Manifest> = sealed.collect::<Result<_, StoreError>>()?;
    let rows = sealed.iter().flat_map(|m| &m.tables).filter(|t| t.name != ORIGINS.name).map(|t| t.rows).sum();
    let name = root.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    fs::write(&config, configuration(&estate, &name)).map_err(|e| StoreError::io(&config, e))?;
    Ok(Written { config, rows, snapshots })
}

/// Every snapshot, the largest ones first: whatever is written last runs alone.
fn drafts(estate: &Estate) -> Vec<Draft<'_>> {
    let weeks = 0..estate.size.snapshots;
    let mut drafts: Vec<Draft<'_>> = weeks.flat_map(|week| estate.systems.iter().map(move |s| access(estate, s, week))).collect();
    drafts.push(people(estate));
    drafts.push(workloads(estate));
    drafts
}

fn access<'e>(estate: &'e Estate, system: &'e System, week: u32) -> Draft<'e> {
    let seed = estate.size.seed;
    Draft {
        system: system.name.clone(),
        taken_at: clock::taken_at(week, estate.size.snapshots),
        covers: vec![&ACCOUNTS, &GROUPS, &MEMBERSHIPS, &ENTITLEMENTS, &RESOURCES, &GRANTS, &CREDENTIALS],
        population: None,
        covers_time: None,
        tables: vec![
            (&GRANTS, Edges::new(estate, system, Kind::Grant, week).rows()),
            (&MEMBERSHIPS, Edges::new(estate, system, Kind::Membership, week).rows()),
            (&ACCOUNTS, Accounts::new(estate, system).rows(week)),
            (&CREDENTIALS, Credentials::new(Accounts::new(estate, system), week).rows()),
            (&GROUPS, system.group_rows(seed)),
            (&ENTITLEMENTS, system.entitlement_rows(seed)),
            (&RESOURCES, system.resource_rows(seed)),
        ],
    }
}

fn people(estate: &Estate) -> Draft<'_> {
    let persons = Persons::new(estate);
    Draft {
        system: "people".to_owned(),
        taken_at: clock::end(),
        covers: vec![&IDENTITIES, &EMPLOYMENTS, &LIFECYCLE],
        population: Some(Population::All),
        covers_time: None,
        tables: vec![(&IDENTITIES, persons.identities()), (&EMPLOYMENTS, persons.employments()), (&LIFECYCLE, persons.lifecycle())],
    }
}

fn workloads(estate: &Estate) -> Draft<'_> {
    let workloads = Workloads::new(estate);
    Draft {
        system: "workloads".to_owned(),
        taken_at: clock::end(),
        covers: vec![&IDENTITIES, &EMPLOYMENTS],
        population: Some(Population::All),
        covers_time: None,
        tables: vec![(&IDENTITIES, workloads.identities()), (&EMPLOYMENTS, workloads.employments())],
    }
}

/// The configuration by which the store is audited.
fn configuration(estate: &Estate, store: &str) -> String {
    format!(
        "# Written by `{}`.\n\n[holdover]\nstore = {}\nas_of = \"{}\"\n\n\
         [[authority]]\nsystem = \"people\"\nkinds = [\"person\", \"external\"]\n\n\
         [[authority]]\nsystem = \"workloads\"\nkinds = [\"workload\", \"agent\"]\n",
        seal::command(&estate.size),
        toml::Value::String(store.to_owned()),
        as_of(),
    )
}
