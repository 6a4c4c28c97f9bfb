//! The same kind of estate in a vendor's own format, for measuring imports: one export of about the size asked for, a people list, and the
//! configuration that imports both.

mod aws;
mod csv;
mod ldif;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::accounts::{Account, Accounts, Spelt};
use super::clock;
use super::edges::{Degrees, Edges, Table};
use super::shape::{Estate, Size, System};
use super::{GenerateError, Told, people};
use crate::store::StoreError;

/// A format that holdover imports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `aws iam get-account-authorization-details`.
    AwsIam,
    /// Active Directory as `ldapsearch` prints it.
    Ldif,
    /// A list of access, one right a line.
    Csv,
}

/// What was written.
#[derive(Debug)]
pub struct Written {
    pub config: PathBuf,
    pub export: PathBuf,
    pub bytes: u64,
    pub rows: Rows,
}

/// Rows that an import of the export gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Rows {
    pub accounts: u64,
    pub groups: u64,
    pub memberships: u64,
    pub grants: u64,
}

/// Counts what is written.
struct Counted<W> {
    to: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        let n = self.to.write(part)?;
        self.bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

impl Format {
    fn file(self) -> &'static str {
        match self {
            Self::AwsIam => "exports/account-authorization-details.json",
            Self::Ldif => "exports/directory.ldif",
            Self::Csv => "exports/access.csv",
        }
    }

    fn export(self, estate: &Estate, to: &mut dyn Write, told: Told<'_>) -> io::Result<Rows> {
        let Some(system) = estate.systems.first() else { return Ok(Rows::default()) };
        let walk = Walk::new(estate, system, told);
        match self {
            Self::AwsIam => aws::write(&walk, to),
            Self::Ldif => ldif::write(&walk, to),
            Self::Csv => csv::write(&walk, to),
        }
    }

    fn source(self) -> &'static str {
        match self {
            Self::AwsIam => "connector = \"aws-iam\"\n",
            Self::Ldif => "connector = \"ldif\"\n",
            Self::Csv => csv::SOURCE,
        }
    }
}

/// Accounts by which the size of one is measured.
const MEASURED: u64 = 2_000;

fn estate(accounts: u64, seed: u64) -> Result<Estate, GenerateError> {
    // More people than accounts: nobody has two, so that no login stands twice.
    let size =
        Size { accounts, access: accounts * 6, identities: accounts + accounts / 4 + 40, systems: 1, snapshots: 1, seed, records: false };
    Ok(Estate::new(size)?)
}

/// Writes about `bytes` of one export into a new folder.
///
/// # Errors
/// The folder exists and is not empty, or the disk refuses.
pub fn write(format: Format, bytes: u64, seed: u64, dir: &Path, told: Told<'_>) -> Result<Written, GenerateError> {
    if std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(GenerateError::Exists { path: dir.display().to_string() });
    }
    let fail = |path: &Path| {
        let path = path.to_path_buf();
        move |e| GenerateError::Store(StoreError::io(&path, e))
    };
    let mut measured = Counted { to: io::sink(), bytes: 0 };
    format.export(&estate(MEASURED, seed)?, &mut measured, &|_| ()).map_err(fail(dir))?;
    let accounts = (u128::from(bytes) * u128::from(MEASURED) / u128::from(measured.bytes.max(1))) as u64;
    let estate = estate(accounts.max(20), seed)?;
    let (config, export) = (dir.join("holdover.toml"), dir.join(format.file()));
    std::fs::create_dir_all(dir.join("exports")).map_err(fail(dir))?;
    let mut to = Counted { to: BufWriter::new(File::create(&export).map_err(fail(&export))?), bytes: 0 };
    let rows = format.export(&estate, &mut to, told).and_then(|rows| to.flush().map(|()| rows)).map_err(fail(&export))?;
    let list = dir.join("exports/people.csv");
    people_list(&estate, &list).map_err(fail(&list))?;
    let counts = serde_json::to_string_pretty(&rows).map_err(|e| StoreError::internal("rows.json", e))?;
    std::fs::write(dir.join("rows.json"), format!("{counts}\n")).map_err(fail(dir))?;
    std::fs::write(&config, configuration(format)).map_err(fail(&config))?;
    Ok(Written { config, export, bytes: to.bytes, rows })
}

fn people_list(estate: &Estate, path: &Path) -> io::Result<()> {
    let mut to = BufWriter::new(File::create(path)?);
    writeln!(to, "employee_number,given_name,family_name,display_name,email,login,status,start_date")?;
    for person in 0..estate.people.persons {
        let row = people::listed(estate, person);
        writeln!(to, "{}", row.join(","))?;
    }
    to.flush()
}

fn configuration(format: Format) -> String {
    let (end, as_of) = (clock::end(), super::as_of());
    format!(
        "[holdover]\nstore = \"store\"\nas_of = \"{as_of}\"\n\n\
         [[source]]\nsystem = \"people\"\nconnector = \"tabular\"\nfiles = \"exports/people.csv\"\ntaken_at = \"{end}\"\n\
         timezone = \"UTC\"\npopulation = \"all\"\n[source.options]\nmapping = \"hr\"\n\n\
         [[source]]\nsystem = \"generated\"\nfiles = \"{}\"\ntaken_at = \"{end}\"\n{}",
        format.file(),
        format.source(),
    )
}

/// The accounts of the one system, one after the other, with what they hold.
struct Walk<'e> {
    estate: &'e Estate,
    system: &'e System,
    accounts: Accounts<'e>,
    members: Edges<'e>,
    grants: Edges<'e>,
    told: Told<'e>,
}

/// One account and what it holds.
struct Held<'h> {
    account: Account,
    spelt: &'h Spelt,
    /// Ascending.
    groups: &'h [u64],
    /// Entitlement and resource, ascending.
    rights: &'h [(u32, Option<u32>)],
}

impl<'e> Walk<'e> {
    fn new(estate: &'e Estate, system: &'e System, told: Told<'e>) -> Self {
        Self {
            estate,
            system,
            accounts: Accounts::new(estate, system),
            members: Edges::new(estate, system, Table::Memberships, 0),
            grants: Edges::new(estate, system, Table::Grants, 0),
            told,
        }
    }

    fn each(&self, mut tell: impl FnMut(Held<'_>) -> io::Result<()>) -> io::Result<()> {
        let mut degrees = Degrees::new(self.estate, self.system);
        let (mut groups, mut targets, mut rights, mut spelt) = (Vec::new(), Vec::new(), Vec::new(), Spelt::default());
        for number in 0..self.system.numbers {
            let edges = degrees.next(number);
            if !self.accounts.there(number, 0) {
                continue;
            }
            let account = self.accounts.of(number);
            account.spell(self.estate, &mut spelt);
            self.members.held(number, edges, &mut groups);
            self.grants.held(number, edges, &mut targets);
            rights.clear();
            rights.extend(targets.iter().map(|t| self.grants.right(*t)));
            tell(Held { account, spelt: &spelt, groups: &groups, rights: &rights })?;
            (self.told)(1);
        }
        Ok(())
    }

    /// A name that no other account of the system has.
    fn name(&self, held: &Held<'_>) -> String {
        let login = &held.spelt.login;
        if login.contains(['\\', '@']) || !matches!(held.account.whose, super::accounts::Whose::Person(p) if p == held.account.name) {
            return format!("{}-{}", login.rsplit(['\\']).next().unwrap_or_default().replace('@', "-at-"), held.account.number);
        }
        let planted = self.system.slot_of(self.estate, held.account.number).is_some();
        if planted { format!("{login}-{}", held.account.number) } else { login.clone() }
    }
}
