//! The demo: a year-old company, written in its vendors' own formats as anybody's exports.
//!
//! Nothing here knows the rest of holdover but its instants. What should be found is written beside the exports
//! (`answers.csv`), with what only looks like a fault (`near-misses.csv`) and what should become of the exceptions
//! (`answers-exceptions.csv`).

mod ad;
mod answers;
mod app;
mod aws;
mod cast;
mod clock;
mod csv_out;
mod dice;
mod exceptions;
mod faults;
mod hr;
pub mod ldif_out;
mod life;
mod names;
mod okta;
mod openldap;
mod people;
mod records;
mod vault;

use std::io;
use std::path::{Path, PathBuf};

use self::answers::Answers;
use self::people::Person;
use crate::model::Time;

/// The seed of `holdover demo`; another makes another company with the same faults.
pub const SEED: u64 = 1;

/// What was written.
#[derive(Debug)]
pub struct Written {
    /// The instant at which the last exports are to be judged.
    pub as_of: Time,
    /// The instant for each export, oldest first: a run for each shows findings come, stay and go.
    pub runs: Vec<Time>,
    /// How many files.
    pub files: usize,
    /// What the last of these runs should find.
    pub answers: PathBuf,
    /// The configuration to audit them with.
    pub config: PathBuf,
}

/// A company and its systems, able to say what they held at any instant of its year.
#[derive(Debug)]
pub struct Estate {
    people: Vec<Person>,
    ad: ad::Directory,
    ldap: openldap::Directory,
    prod: aws::Account,
    dev: aws::Account,
    crm: app::App,
    okta: okta::Organisation,
    vault: vault::Server,
    records: records::Records,
    answers: Answers,
}

impl Estate {
    /// The company that belongs to `seed`, faults included.
    ///
    /// # Errors
    /// A fault is planted on something that the estate does not hold.
    pub fn new(seed: u64) -> io::Result<Self> {
        let people = people::staff(seed);
        let mut estate = Self {
            ad: ad::Directory::new(seed, &people),
            ldap: openldap::Directory::new(seed, &people),
            prod: aws::Account::new(seed, "prod", "111122223333", "444455556666", &people),
            dev: aws::Account::new(seed, "dev", "444455556666", "111122223333", &people),
            crm: app::App::new(seed, &people),
            okta: okta::Organisation::new(seed, &people),
            vault: vault::Server::new(seed, &people),
            people,
            records: records::Records::default(),
            answers: Answers::default(),
        };
        let mut answers = faults::plant(&mut estate)?;
        records::complete(&mut estate);
        exceptions::answer(&mut answers);
        answers.sort();
        estate.answers = answers;
        Ok(estate)
    }

    /// The files of one week's export, by path inside its folder.
    fn export(&self, at: Time) -> Vec<(String, String)> {
        let mut files = vec![
            ("hr.csv".to_owned(), hr::people(&self.people, at)),
            ("systems.csv".to_owned(), hr::systems()),
            ("exceptions.csv".to_owned(), exceptions::export(at)),
            ("ad.ldif".to_owned(), self.ad.export(at)),
            ("openldap.ldif".to_owned(), self.ldap.export(at)),
            ("crm.csv".to_owned(), self.crm.export(at)),
            ("requests.csv".to_owned(), self.records.requests_csv(at)),
            ("workloads.csv".to_owned(), self.records.workloads_csv(at)),
            ("roles.csv".to_owned(), self.records.roles_csv()),
            ("workflow.csv".to_owned(), self.records.workflow_csv(at)),
            ("reviews.csv".to_owned(), records::reviews_csv(at)),
            ("certificates.csv".to_owned(), self.records.certificates_csv(at)),
        ];
        for account in [&self.prod, &self.dev] {
            let path = |name: &str| format!("aws/{}/{name}", account.name);
            files.push((path("get-account-authorization-details.json"), account.authorization_details(at)));
            files.push(match account.credential_report(at) {
                Ok(report) => (path("credential-report.csv"), report),
                Err(answer) => (path("credential-report.json"), answer),
            });
        }
        files.extend(self.okta.export(at).into_iter().map(|(name, text)| (format!("okta/{name}"), text)));
        files.extend(self.vault.export(at).into_iter().map(|(name, text)| (format!("vault/{name}"), text)));
        files.push(("aws/prod/list-access-keys.json".to_owned(), self.prod.access_keys(at)));
        files
    }
}

/// Writes the estate of `seed` into `dir`: `exports/<date>/…`, `holdover.toml`, the answers.
///
/// # Errors
/// The folder is not empty, or a file cannot be written.
pub fn write(dir: &Path, seed: u64) -> io::Result<Written> {
    if std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "the folder is not empty"));
    }
    let estate = Estate::new(seed)?;
    let mut files = 0;
    let mut put = |path: &Path, text: &str| {
        files += 1;
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(path, text)
    };
    for week in clock::weeks() {
        let folder = dir.join("exports").join(week.date());
        for (path, text) in estate.export(week) {
            put(&folder.join(path), &text)?;
        }
    }
    let (config, answers) = (dir.join("holdover.toml"), dir.join("answers.csv"));
    put(&config, include_str!("holdover.toml"))?;
    put(&answers, &estate.answers.findings_csv())?;
    put(&dir.join("near-misses.csv"), &estate.answers.near_misses_csv())?;
    put(&dir.join("answers-exceptions.csv"), &estate.answers.exceptions_csv())?;
    let after = clock::as_of().micros() - clock::end().micros();
    let runs = clock::weeks().into_iter().map(|week| week.plus(after)).collect();
    Ok(Written { as_of: clock::as_of(), runs, files, answers, config })
}

#[cfg(test)]
mod tests;
