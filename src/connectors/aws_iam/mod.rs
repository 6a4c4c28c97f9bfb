//! AWS IAM: the account authorization details, the credential report, access keys, virtual MFA devices, the account summary, the services
//! last accessed, the secrets of Secrets Manager, and the service control policies above the account.
//!
//! Files of one import are told apart by what they hold. Each is read once; rows are drafted when all have been read.

mod accessed;
mod arn;
mod fields;
mod gaad;
mod json;
mod keys;
mod organization;
mod pages;
mod policy;
mod reach;
mod report;
mod rows;
mod secrets;
mod split;
pub(super) mod stream;
#[cfg(test)]
mod tests;
mod trust;
mod uses;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read};

use jiff::tz::TimeZone;
use serde_json::value::RawValue;

use self::accessed::{Accessed, id_in_name};
use self::arn::Arn;
use self::fields::{Fault, Fields};
use self::gaad::{Gaad, Holder, Policy, Role, User, is_number};
use self::json::{Document, Section, Sink};
use self::keys::{Keys, LastUsed, key_in_name};
use self::organization::{Organization, Summary, is_level, is_summary, level_in_name, unnamed};
use self::pages::Page;
use self::report::{Columns, HEADER, Row};
use self::secrets::{Secrets, value_met};
use self::split::{Cutter, Lot, Odd};
use self::stream::{Utf8, decode_head};
use super::parallel::in_order;
use super::pile::torn;
use super::{Connector, ConnectorError, Context, Draft, Input, InputError, Limits, Lines, Origin, Reject};
use crate::model::mask;
use crate::model::pack::Pack;

/// The connector of AWS IAM.
pub static AWS_IAM: AwsIam = AwsIam;

/// See [`AWS_IAM`].
#[derive(Clone, Copy, Debug)]
pub struct AwsIam;

const READS: &str = "this connector reads the JSON of `aws iam get-account-authorization-details`, `list-access-keys`, \
    `get-access-key-last-used`, `list-virtual-mfa-devices`, `get-account-summary`, `get-service-last-accessed-details` and \
    `get-credential-report`, the report itself as CSV, `aws secretsmanager list-secrets`, and `aws organizations describe-organization`, \
    `describe-policy`, `list-policies-for-target` and `list-parents`";

impl Connector for AwsIam {
    fn id(&self) -> &'static str {
        "aws-iam"
    }

    fn title(&self) -> &'static str {
        "AWS IAM: authorization details, credential report, access keys, services last accessed, secrets, service control policies"
    }

    fn page(&self) -> &'static str {
        include_str!("page.md")
    }

    fn read(&self, files: &[Input], context: &Context) -> Result<Draft, ConnectorError> {
        if let Some(option) = context.options.keys().next() {
            let message = format!("`{option}` is not an option of `aws-iam`");
            return Err(ConnectorError::Options { message, help: "this connector has no options: remove it".to_owned() });
        }
        let mut draft = Draft::on(files.len(), &context.scratch);
        let mut export = Export { gaad: Gaad::on(&context.scratch), ..Export::default() };
        for (input, file) in files.iter().zip(0u32..) {
            let mut reader = Reader {
                draft: &mut draft,
                export: &mut export,
                input,
                file,
                record: 0,
                zone: context.timezone.as_ref(),
                summaries: Vec::new(),
                fault: None,
            };
            reader.read().map_err(|error| ConnectorError::file(input, error))?;
        }
        if let Some(first) = files.first().filter(|_| !export.known) {
            let error = match export.secrets.values.then(value_met) {
                Some(fault) => InputError::new(fault.code, fault.message, fault.help),
                None => InputError::new("aws-iam/unknown-shape", "none of the files is an IAM export", READS),
            };
            return Err(ConnectorError::file(first, error));
        }
        export.one_account(files)?;
        export.one_organization(files)?;
        pages::check(&export.pages, files, &mut export.gaad, &mut draft);
        for (file, summary) in &export.summaries {
            pages::totals(*file, summary, &export.gaad, &export.pages, &export.rows, &mut draft);
        }
        export.pending(&mut draft);
        rows::draft(&mut export, &mut draft);
        Ok(draft)
    }
}

/// What all files of one import hold.
#[derive(Default)]
struct Export {
    gaad: Gaad,
    pages: Vec<Page>,
    keys: Keys,
    /// Whether some file listed access keys, were it none.
    key_listings: bool,
    rows: Vec<Row>,
    /// ARNs of the credential report's rows.
    reported: BTreeSet<String>,
    /// Whether some file is a credential report, were it empty.
    reports: bool,
    /// Files that say that the credential report is still being made.
    unfinished: Vec<u32>,
    summaries: Vec<(u32, String)>,
    /// Users with a virtual MFA device, by ARN.
    devices: BTreeMap<String, Origin>,
    accessed: Accessed,
    secrets: Secrets,
    organization: Organization,
    /// Whether some file was understood.
    known: bool,
}

impl Export {
    /// Whether some file lists credentials. An answer about the last use of one key does not: of all others it would say that there are none.
    fn lists_credentials(&self) -> bool {
        !self.rows.is_empty() || self.key_listings
    }

    /// ARN of each user by name.
    fn names(&mut self) -> BTreeMap<String, String> {
        let mut names: BTreeMap<String, String> = self.rows.iter().map(|r| (r.user.clone(), r.arn.clone())).collect();
        // Only credentials are told by the names of their users.
        if self.rows.is_empty() && self.keys.listed.is_empty() && self.keys.last_used.is_empty() {
            return names;
        }
        // A disk that fails is told when the users are drafted.
        let _ = self.gaad.users.walk(|packed| {
            let holder = User::unpack(&mut { packed }).ok_or_else(torn)?.holder;
            names.insert(holder.name, holder.arn);
            Ok(())
        });
        names
    }

    /// The AWS accounts whose users, roles, groups, policies, devices and secrets each file names.
    fn accounts(&self) -> BTreeMap<u32, BTreeSet<&str>> {
        let named = self.rows.iter().map(|r| (r.origin, &r.arn));
        let named =
            named.chain(self.devices.iter().map(|(arn, origin)| (*origin, arn))).chain(self.accessed.arns()).chain(self.secrets.arns());
        let known = self.gaad.accounts.iter().map(|(file, own)| (*file, own.iter().map(String::as_str).collect()));
        let mut found: BTreeMap<u32, BTreeSet<&str>> = known.collect();
        // AWS's own policies are of the account `aws`, which is nobody's; a redacted number tells nothing.
        for (origin, account) in named.filter_map(|(o, arn)| Some((o, Arn::of(arn)?.account))).filter(|(_, a)| is_number(a)) {
            found.entry(origin.file).or_default().insert(account);
        }
        found
    }

    /// One import is one AWS account: a report of another would leave every user of both half known.
    fn one_account(&self, files: &[Input]) -> Result<(), ConnectorError> {
        let accounts = self.accounts();
        let mut met: BTreeSet<&str> = BTreeSet::new();
        for (input, own) in accounts.iter().filter_map(|(file, own)| Some((files.get(*file as usize)?, own))) {
            if !met.is_empty() && met.is_disjoint(own) {
                let list = |all: &BTreeSet<&str>| all.iter().map(|a| format!("`{}`", a.escape_debug())).collect::<Vec<_>>().join(", ");
                let message = format!("is of AWS account {}, and files before it are of {}", list(own), list(&met));
                let help = "import each AWS account as a system of its own; one stanza serves many: `files = \"aws/{account}/*\"`, \
                    `system = \"aws-{account}\"`";
                return Err(ConnectorError::file(input, InputError::new("aws-iam/two-accounts", message, help)));
            }
            met.extend(own);
        }
        Ok(())
    }

    /// The AWS account that all files are about, by its number; none where they do not say it.
    fn account(&self) -> Option<String> {
        let numbers: BTreeSet<&str> = self.accounts().into_values().flatten().collect();
        numbers.first().filter(|_| numbers.len() == 1).map(|n| (*n).to_owned())
    }

    /// Policies of one organisation would be put on the accounts of another.
    fn one_organization(&self, files: &[Input]) -> Result<(), ConnectorError> {
        let managers = self.organization.managers();
        let (Some(input), true) = (managers.values().max().and_then(|file| files.get(*file as usize)), managers.len() > 1) else {
            return Ok(());
        };
        let list = managers.keys().map(|a| format!("`{a}`")).collect::<Vec<_>>().join(", ");
        let message = format!("is of another organisation than files before it: they name the management accounts {list}");
        let help = "give the files of the account's own organisation only";
        Err(ConnectorError::file(input, InputError::new("aws-iam/two-organizations", message, help)))
    }

    /// A report that was still being made is missing, unless another file holds it.
    fn pending(&self, draft: &mut Draft) {
        for file in &self.unfinished {
            if self.reports {
                draft.note(*file, "answer that the credential report is not ready; another file holds it");
            } else {
                draft.short(*file, "the credential report was still being made: run `aws iam get-credential-report` again");
            }
        }
    }
}

/// Reads one file.
struct Reader<'a> {
    draft: &'a mut Draft,
    export: &'a mut Export,
    input: &'a Input,
    file: u32,
    record: u64,
    zone: Option<&'a TimeZone>,
    /// Policies of AWS Organizations met in the list that is being read.
    summaries: Vec<(Summary, Origin)>,
    /// A fault met inside a document after which the whole file counts for nothing.
    fault: Option<InputError>,
}

/// One record as far as it can be read by itself.
struct Met {
    /// Its first characters, for an excerpt.
    start: String,
    what: What,
}

enum What {
    User(Box<User>),
    Group(Box<Holder>),
    Role(Box<Role>),
    Policy(Box<Policy>),
    Fault(Box<Fault>),
    /// Of a section of which there is never much.
    Raw(Section, String),
}

impl Met {
    /// Reads a record; `None` where it is no JSON.
    fn of(section: Section, raw: &str, zone: Option<&TimeZone>) -> Option<Self> {
        let read = match section {
            Section::Users => User::read(raw, zone).map(|r| What::User(Box::new(r))),
            Section::Groups => Holder::group(raw, zone).map(|r| What::Group(Box::new(r))),
            Section::Roles => Role::read(raw, zone).map(|r| What::Role(Box::new(r))),
            Section::Policies if !is_summary(raw) => Policy::read(raw, zone).map(|r| What::Policy(Box::new(r))),
            _ => {
                serde_json::from_str::<&RawValue>(raw).ok()?;
                return Some(Self { start: String::new(), what: What::Raw(section, raw.to_owned()) });
            }
        };
        let what = match read {
            Ok(what) => what,
            Err(fault) => {
                serde_json::from_str::<&RawValue>(raw).ok()?;
                What::Fault(Box::new(fault))
            }
        };
        Some(Self { start: start(raw), what })
    }
}

/// More than the longest excerpt is never shown, so no more is masked.
fn start(raw: &str) -> String {
    raw.chars().take(2 * mask::EXCERPT).collect()
}

/// Takes no record.
struct Nobody;

impl Sink for Nobody {
    fn record(&mut self, _: Section, _: &str) {}
    fn document(&mut self, _: Document) {}
}

/// What a file looks like from its first bytes.
enum Look {
    Json,
    Report,
    /// The report before `base64 -d`.
    Encoded,
    Other,
}

fn look(head: &[u8]) -> Look {
    let text = decode_head(head);
    let text = text.trim_start();
    if text.starts_with(['{', '[']) {
        Look::Json
    } else if text.to_lowercase().starts_with(HEADER) || text.lines().next().is_some_and(|l| l.split(',').any(|c| c.trim() == "arn")) {
        Look::Report
    } else if text.starts_with("dXNlcixhcm4s") {
        Look::Encoded
    } else {
        Look::Other
    }
}

impl Reader<'_> {
    fn read(&mut self) -> Result<(), InputError> {
        let head = self.input.head()?;
        if head.iter().all(u8::is_ascii_whitespace) {
            return Err(InputError::new("aws-iam/empty", "is empty", "export it again: the command that wrote it failed"));
        }
        match look(&head) {
            Look::Json => {
                self.json()?;
                self.fault.take().map_or(Ok(()), Err)
            }
            Look::Report => self.report(self.input.open()?, Origin::line),
            Look::Encoded => {
                let text = self.whole()?;
                self.encoded(&text)
            }
            Look::Other => {
                self.unknown("is neither JSON nor a credential report");
                Ok(())
            }
        }
    }

    /// Reads the JSON of a file, its records on all cores.
    fn json(&mut self) -> Result<(), InputError> {
        let limits = self.input.limits;
        let mut cutter = Cutter::new(Utf8::new(self.input.open()?), limits);
        let zone = self.zone;
        let work = |lot: Lot| {
            let records: Option<Vec<Met>> = lot.records().map(|(section, raw)| Met::of(section, raw?, zone)).collect();
            (records, lot.document)
        };
        let apply = |(records, document): (Option<Vec<Met>>, Option<Document>)| {
            for met in records.ok_or(Odd)? {
                self.met(met);
            }
            if let Some(document) = document {
                self.document(document);
            }
            Ok(())
        };
        let Err(Odd) = in_order(|| cutter.next(), work, apply) else { return Ok(()) };
        // Something is wrong with the file, and nothing of it counts: read it again to learn what.
        json::read(self.input.open()?, limits, &mut Nobody)?;
        let message = "cannot be taken apart into its records";
        Err(InputError::new("aws-iam/broken-json", message, "export it again with `--output json`, and do not edit it"))
    }

    /// Takes a record in, of which what stands in it was read.
    fn met(&mut self, met: Met) {
        let Met { start, what } = met;
        if let What::Raw(section, raw) = what {
            return self.record(section, &raw);
        }
        let origin = self.next();
        let gaad = &mut self.export.gaad;
        let outcome = match what {
            What::User(user) => gaad.take_user(*user, origin),
            What::Group(group) => gaad.take_group(*group, origin),
            What::Role(role) => gaad.take_role(*role, origin),
            What::Policy(policy) => gaad.take_policy(*policy, origin),
            What::Fault(fault) => Err(*fault),
            What::Raw(..) => Ok(()),
        };
        self.settle(outcome, origin, &start);
    }

    /// A whole small file as text.
    fn whole(&self) -> Result<String, InputError> {
        let mut bytes = Vec::new();
        let most = self.input.limits.line as u64;
        Utf8::new(self.input.open()?).take(most + 1).read_to_end(&mut bytes).map_err(|e| InputError::io(&e))?;
        if bytes.len() as u64 > most {
            return Err(InputError::new(
                "aws-iam/record-too-large",
                format!("holds more than {most} bytes of base64"),
                "decode it first with `base64 -d`",
            ));
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn shape(&mut self, shape: &'static str) {
        self.draft.ledger(self.file).shape = Some(shape);
        self.export.known = true;
    }

    /// Meets a record: counts it and gives its place.
    fn next(&mut self) -> Origin {
        self.draft.read(self.file);
        self.record += 1;
        Origin::record(self.file, self.record)
    }

    fn settle(&mut self, outcome: Result<(), Fault>, origin: Origin, raw: &str) {
        match outcome {
            Ok(()) => self.draft.accept(origin.file),
            Err(fault) => self.draft.reject(reject(fault, origin, raw)),
        }
    }

    /// A document that this connector does not read: one record, rejected, and the import goes on.
    fn unknown(&mut self, message: &str) {
        let origin = self.next();
        self.draft.reject(reject(Fault::new("aws-iam/unknown-shape", message, READS), origin, ""));
    }

    fn report(&mut self, stream: impl BufRead, place: fn(u32, u64) -> Origin) -> Result<(), InputError> {
        self.shape("credential report");
        let limits: Limits = self.input.limits;
        let mut lines = Lines::new(BufReader::new(Utf8::new(stream)), limits.line);
        let mut line = Vec::new();
        let mut columns = None;
        let mut cut_off = false;
        while lines.read(&mut line)? {
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let Some(columns) = &columns else {
                let read = Columns::of(&line).map_err(|f| InputError::new(f.code, f.message, f.help).at(lines.number))?;
                columns = Some(read);
                continue;
            };
            self.draft.read(self.file);
            let origin = place(self.file, lines.number);
            let outcome = columns.row(&line, origin, self.zone).and_then(|row| self.take(row));
            cut_off = matches!(&outcome, Err(fault) if fault.code == "aws-iam/ragged-row");
            self.settle(outcome, origin, &String::from_utf8_lossy(&line));
        }
        if cut_off {
            self.draft.short(self.file, "the last row of the credential report is cut off");
        }
        if columns.is_none() {
            return Err(InputError::new("aws-iam/empty", "credential report is empty", "export it again"));
        }
        if self.draft.ledger(self.file).read == 0 {
            self.draft.short(self.file, "the credential report has a header and no rows: AWS always writes one for the root user");
        }
        self.export.reports = true;
        Ok(())
    }

    fn take(&mut self, row: Row) -> Result<(), Fault> {
        if !self.export.reported.insert(row.arn.clone()) {
            return Err(Fault::new(
                "aws-iam/duplicate",
                "an earlier row of a credential report has the same ARN",
                "give one credential report",
            ));
        }
        self.export.rows.push(row);
        Ok(())
    }

    /// The report out of its base64.
    fn encoded(&mut self, text: &str) -> Result<(), InputError> {
        let bytes: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
        let decoded = data_encoding::BASE64.decode(&bytes).map_err(|_| {
            InputError::new("aws-iam/broken-base64", "credential report is not valid base64", "export it again: it was cut off or edited")
        })?;
        self.report(decoded.as_slice(), Origin::record)
    }

    /// `get-credential-report` as JSON: base64 as the command line writes it, or the text as some tools save it.
    fn content(&mut self, document: &Document) -> Result<(), InputError> {
        let content: String = document.fields.get("Content").and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
        if content.trim_start().to_lowercase().starts_with(HEADER) {
            self.report(content.as_bytes(), Origin::record)?;
        } else {
            self.encoded(&content)?;
        }
        let stated = document.fields.get("GeneratedTime").map(|raw| format!("{{\"GeneratedTime\":{}}}", raw.get()));
        match stated.map(|text| Fields::of(&text)?.time("GeneratedTime", self.zone)).transpose() {
            Ok(at) => self.draft.ledger(self.file).stated_at = at.flatten(),
            Err(_) => self.draft.note(self.file, "`GeneratedTime` is not an instant: the report's own time is not known"),
        }
        Ok(())
    }

    /// The answer of `get-access-key-last-used`.
    fn last_used(&mut self, document: &Document, raw: &str) {
        self.shape("access key last used");
        let origin = self.next();
        let text =
            |name: &str| document.fields.get(name).and_then(|raw| serde_json::from_str::<String>(raw.get()).ok()).filter(|t| !t.is_empty());
        match Fields::of(raw).and_then(|fields| fields.time("LastUsedDate", self.zone)) {
            // Accepted once it is known which key it is about.
            Ok(used) => {
                let stated = text("AccessKeyId").filter(|id| id.bytes().all(|b| b.is_ascii_alphanumeric()));
                let key = stated.or_else(|| key_in_name(&self.input.name));
                self.export.keys.last_used.push(LastUsed { origin, user: text("UserName"), key, used });
            }
            Err(fault) => self.settle(Err(fault), origin, raw),
        }
    }

    /// The answer of `get-service-last-accessed-details`: accepted once it is known whom it is about.
    fn job(&mut self, document: &Document) {
        let text = |name: &str| document.fields.get(name).and_then(|raw| serde_json::from_str::<String>(raw.get()).ok());
        let subject = text("Arn").or_else(|| id_in_name(&self.input.name));
        let listed = document.fields.contains_key("ServicesLastAccessed");
        match text("JobStatus").as_deref() {
            Some("COMPLETED") if listed => {
                self.shape("service last accessed details");
                let origin = self.next();
                let raw = document.object(&["JobCreationDate", "JobCompletionDate", "ServicesLastAccessed"]);
                let truncated = is_truncated(document);
                match self.export.accessed.answer(&raw, subject, truncated, origin, self.zone) {
                    Ok(()) => self.draft.ledger(self.file).stated_at = self.export.accessed.until(self.file),
                    fault => self.settle(fault, origin, &raw),
                }
            }
            Some(status @ ("IN_PROGRESS" | "FAILED")) => {
                self.shape("service last accessed details in progress");
                self.export.accessed.unfinished(self.file, subject, status == "FAILED");
            }
            _ => self.unknown("is a job's answer without `ServicesLastAccessed`"),
        }
    }

    /// The answer of `list-policies-for-target`: its policies are accepted once it is known which level it is about.
    fn attached(&mut self, document: &Document, policies: Vec<(Summary, Origin)>) {
        self.shape("policies of a level");
        let stated = document.fields.get("TargetId").and_then(|raw| serde_json::from_str::<String>(raw.get()).ok());
        let Some(level) = stated.or_else(|| level_in_name(&self.input.name)).filter(|l| is_level(l)) else {
            if policies.is_empty() {
                self.unknown("is a list of policies whose `TargetId` is no root, unit or account");
            }
            for (_, origin) in policies {
                self.draft.reject(reject(unnamed(), origin, ""));
            }
            return;
        };
        // That nothing is attached is one record.
        let origin = policies.first().map_or_else(|| self.next(), |(_, origin)| *origin);
        (0..policies.len().max(1)).for_each(|_| self.draft.accept(self.file));
        if !self.export.organization.listing(level, policies, is_truncated(document), origin) {
            self.draft.note(self.file, "policies of another type than `SERVICE_CONTROL_POLICY`, not kept");
        }
    }

    /// The answer of `describe-policy`.
    fn described(&mut self, raw: &str) {
        self.shape("organisation's policy");
        let origin = self.next();
        let outcome = self.export.organization.policy(raw, origin).map(|controls| {
            if !controls {
                self.draft.note(self.file, "policies of another type than `SERVICE_CONTROL_POLICY`, not kept");
            }
        });
        self.settle(outcome, origin, raw);
    }

    /// The answer of `list-parents`.
    fn parents(&mut self, document: &Document, raw: &str) {
        self.shape("parents");
        let origin = self.next();
        let stated = document.fields.get("ChildId").and_then(|raw| serde_json::from_str::<String>(raw.get()).ok());
        let child = stated.or_else(|| level_in_name(&self.input.name));
        let outcome = self.export.organization.parent(child, raw, origin);
        self.settle(outcome, origin, raw);
    }

    fn device(&mut self, raw: &str, origin: Origin) -> Result<(), Fault> {
        let fields = Fields::of(raw)?;
        if fields.raw("Base32StringSeed").or(fields.raw("QRCodePNG")).is_some() {
            self.draft.note(self.file, "secret of an MFA device met and dropped");
        }
        fields.required("SerialNumber")?;
        if let Some(user) = fields.raw("User") {
            self.export.devices.insert(Fields::of(user)?.required("Arn")?, origin);
        }
        Ok(())
    }

    /// Notes that a listing goes on elsewhere.
    fn truncated(&mut self, document: &Document, what: &str) {
        if is_truncated(document) {
            self.draft.short(self.file, format!("{what} goes on: `IsTruncated` or `NextToken`"));
        }
    }
}

impl Sink for Reader<'_> {
    fn record(&mut self, section: Section, raw: &str) {
        let origin = self.next();
        if section == Section::Policies && is_summary(raw) {
            match Summary::of(raw) {
                Ok(summary) => self.summaries.push((summary, origin)),
                fault => self.settle(fault.map(|_| ()), origin, raw),
            }
            return;
        }
        let (gaad, zone) = (&mut self.export.gaad, self.zone);
        let outcome = match section {
            Section::Users => User::read(raw, zone).and_then(|user| gaad.take_user(user, origin)),
            Section::Groups => Holder::group(raw, zone).and_then(|group| gaad.take_group(group, origin)),
            Section::Roles => Role::read(raw, zone).and_then(|role| gaad.take_role(role, origin)),
            Section::Policies => Policy::read(raw, zone).and_then(|policy| gaad.take_policy(policy, origin)),
            Section::Keys => self.export.keys.entry(raw, origin, zone),
            Section::MfaDevices => self.device(raw, origin),
            Section::Secrets => self.export.secrets.entry(raw, origin, zone),
        };
        self.settle(outcome, origin, raw);
    }

    fn document(&mut self, document: Document) {
        let has = |section: &Section| document.sections.contains(section);
        let field = |name: &str| document.fields.get(name).map(|raw| raw.get()).filter(|raw| *raw != "null");
        let summaries = std::mem::take(&mut self.summaries);
        if document.secret {
            self.export.secrets.values = true;
            let origin = self.next();
            self.draft.reject(reject(value_met(), origin, ""));
            for (_, origin) in summaries {
                self.draft.reject(reject(value_met(), origin, ""));
            }
        } else if !summaries.is_empty() || field("TargetId").is_some() && has(&Section::Policies) {
            self.attached(&document, summaries);
        } else if [Section::Users, Section::Groups, Section::Roles].iter().any(has) {
            self.shape("account authorization details");
            self.export.pages.push(Page { file: self.file, truncated: is_truncated(&document) });
        } else if has(&Section::Policies) {
            // `list-policies`: names without documents or holders.
            self.shape("policies");
            self.truncated(&document, "the list of policies");
        } else if has(&Section::Keys) {
            self.shape("access keys");
            self.export.key_listings = true;
            self.truncated(&document, "the list of access keys");
        } else if has(&Section::MfaDevices) {
            self.shape("virtual MFA devices");
            self.truncated(&document, "the list of MFA devices");
        } else if has(&Section::Secrets) {
            self.shape("secrets");
            self.export.secrets.listings = true;
            self.truncated(&document, "the list of secrets");
        } else if field("JobStatus").is_some() {
            self.job(&document);
        } else if field("PolicySummary").is_some() {
            self.described(&document.object(&["PolicySummary", "Content"]));
        } else if field("Content").is_some() {
            self.fault = self.content(&document).err().or(self.fault.take());
        } else if let Some(raw) = field("AccessKeyLastUsed") {
            self.last_used(&document, raw);
        } else if let Some(raw) = field("SummaryMap") {
            self.shape("account summary");
            let origin = self.next();
            let outcome = Fields::of(raw).map(|_| self.export.summaries.push((self.file, raw.to_owned())));
            self.settle(outcome, origin, raw);
        } else if let Some(raw) = field("Policy").filter(|raw| Fields::of(raw).is_ok_and(|f| f.raw("PolicySummary").is_some())) {
            self.described(raw);
        } else if let Some(raw) = field("Parents") {
            self.parents(&document, raw);
        } else if let Some(raw) = field("Organization") {
            self.shape("organisation");
            let origin = self.next();
            let outcome = self.export.organization.organization(raw, origin);
            self.settle(outcome, origin, "");
        } else if is_pending(&document) {
            self.shape("credential report in progress");
            self.export.unfinished.push(self.file);
        } else {
            self.unknown("is not an answer that this connector reads");
        }
    }
}

fn is_truncated(document: &Document) -> bool {
    let raw = |name: &str| document.fields.get(name).map_or("null", |raw| raw.get());
    raw("IsTruncated") == "true" || !matches!(raw("NextToken"), "null" | "\"\"")
}

/// `generate-credential-report`'s own answer, or the error that the report is not ready.
fn is_pending(document: &Document) -> bool {
    let raw = |name: &str| document.fields.get(name).map_or("", |raw| raw.get());
    matches!(raw("State"), "\"STARTED\"" | "\"INPROGRESS\"" | "\"COMPLETE\"")
        || ["ReportInProgress", "ReportNotPresent"].iter().any(|code| raw("Error").contains(code))
}

fn reject(fault: Fault, origin: Origin, raw: &str) -> Reject {
    let excerpt = Some(mask::excerpt(&start(raw))).filter(|e| !e.is_empty());
    fault.reject(origin, None, excerpt)
}
