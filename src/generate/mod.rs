//! Estates of any size, straight into a store: for measuring, and for trying what a real one of that size would cost.
//!
//! Every row follows from the seed, its table and its number, so that each table is written alone and in one pass; whatever the size, a
//! few batches are in memory. What should be found is written beside the store.

mod accounts;
mod answers;
mod clock;
mod columns;
mod credentials;
mod dice;
mod edges;
mod faults;
mod groups;
mod names;
pub mod native;
mod people;
mod records;
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
use self::edges::{Edges, Table as Of};
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
    /// What an audit should find.
    pub answers: PathBuf,
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
    let answers = config.with_file_name("answers.json");
    for path in [root, &config, &answers] {
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
    answers::write(&estate, &answers).map_err(|e| StoreError::io(&answers, e))?;
    Ok(Written { config, answers, rows, snapshots })
}

/// Every snapshot, the largest ones first: whatever is written last runs alone.
fn drafts(estate: &Estate) -> Vec<Draft<'_>> {
    let weeks = 0..estate.size.snapshots;
    let mut drafts: Vec<Draft<'_>> = weeks.flat_map(|week| estate.systems.iter().map(move |s| access(estate, s, week))).collect();
    drafts.push(people(estate));
    drafts.push(workloads(estate));
    if estate.size.records {
        drafts.extend(records(estate));
    }
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
            (&GRANTS, Edges::new(estate, system, Of::Grants, week).rows()),
            (&MEMBERSHIPS, Edges::new(estate, system, Of::Memberships, week).rows()),
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

/// The sources of records. The register of systems is there in any case; the others have rows where something is planted.
fn records(estate: &Estate) -> Vec<Draft<'_>> {
    vec![
        draft("catalogue", None, vec![(&ROLE_MODEL, records::role_model(estate))]),
        draft(
            "exceptions",
            Some(records::reviews_cover()),
            vec![(&EXCEPTIONS, records::exceptions(estate)), (&REVIEWS, records::reviews(estate))],
        ),
        draft("register", None, vec![(&SYSTEMS, records::register(estate))]),
        draft("requests", Some(records::requests_cover()), vec![(&REQUESTS, records::requests(estate))]),
    ]
}

fn draft<'e>(system: &str, covers_time: Option<(Time, Time)>, tables: Vec<(&'static Table, columns::Batches<'e>)>) -> Draft<'e> {
    Draft {
        system: system.to_owned(),
        taken_at: clock::end(),
        covers: tables.iter().map(|(table, _)| *table).collect(),
        population: None,
        covers_time,
        tables,
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
