//! One file: what it is, told by its content and, where the answer does not say, by its name.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use serde_json::{Map, Value};

use super::fields::{Fault, Fields, Metadata, shape};
use super::place::{Listed, Place, user_id};
use super::records::{Alias, Entity, Export, Group, List, Login, Mount, Policy, Secret, SecretId, Token};
use super::{READS, audit};
use crate::connectors::{Draft, Input, InputError, Origin, fingerprint};
use crate::model::mask;

/// Reads one file.
pub(super) struct Reader<'a> {
    pub(super) draft: &'a mut Draft,
    pub(super) export: &'a mut Export,
    pub(super) input: &'a Input,
    pub(super) file: u32,
    record: u64,
    place: Place,
    key: Option<&'a [u8]>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(draft: &'a mut Draft, export: &'a mut Export, input: &'a Input, file: u32, key: Option<&'a [u8]>) -> Self {
        Self { draft, export, input, file, record: 0, place: Place::of(&input.name), key }
    }

    pub(super) fn read(&mut self) -> Result<(), InputError> {
        let head = self.input.head()?;
        if audit::is_log(&head) {
            return audit::read(self);
        }
        let text = self.whole()?;
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.is_empty() {
            // What went to standard error was nothing: the command ended well.
            if !self.input.name.ends_with(".stderr") {
                self.draft.short(self.file, "is empty: the command that wrote it failed");
            }
            Ok(())
        } else if text.starts_with(['{', '[', '"']) {
            self.documents(text)
        } else if text.starts_with("Error ") {
            self.refused(text);
            Ok(())
        } else if self.input.name.contains(".hcl") || text.contains("path \"") {
            self.shape("policy");
            let name = self.place.policy();
            self.record(|reader, origin| reader.policy(name, text.to_owned(), None, origin));
            Ok(())
        } else {
            self.unknown();
            Ok(())
        }
    }

    /// A whole small file as text: UTF-8, or UTF-16 as PowerShell's `>` writes it.
    fn whole(&self) -> Result<String, InputError> {
        let most = self.input.limits.line as u64;
        let mut bytes = Vec::new();
        self.input.open()?.take(most + 1).read_to_end(&mut bytes).map_err(|e| InputError::io(&e))?;
        if bytes.len() as u64 > most {
            let message = format!("holds more than {most} bytes and is no audit log");
            return Err(InputError::new("vault/record-too-large", message, "save each answer in a file of its own"));
        }
        let not_text = || InputError::new("vault/not-text", "is neither UTF-8 nor UTF-16", "export it again as UTF-8");
        let wide = |of: fn([u8; 2]) -> u16| bytes.chunks_exact(2).filter_map(|c| <[u8; 2]>::try_from(c).ok()).map(of).collect::<Vec<_>>();
        match bytes.as_slice() {
            [0xff, 0xfe, ..] => String::from_utf16(&wide(u16::from_le_bytes)).map_err(|_| not_text()),
            [0xfe, 0xff, ..] => String::from_utf16(&wide(u16::from_be_bytes)).map_err(|_| not_text()),
            _ => String::from_utf8(bytes).map_err(|_| not_text()),
        }
    }

    pub(super) fn shape(&mut self, shape: &'static str) {
        self.draft.ledger(self.file).shape = Some(shape);
        self.export.known = true;
    }

    /// Meets one record and settles it.
    fn record(&mut self, read: impl FnOnce(&mut Self, Origin) -> Result<(), Fault>) {
        let origin = self.next();
        let outcome = read(self, origin);
        self.settle(outcome, origin, "", None);
    }

    fn next(&mut self) -> Origin {
        self.draft.read(self.file);
        self.record += 1;
        Origin::record(self.file, self.record)
    }

    pub(super) fn settle(&mut self, outcome: Result<(), Fault>, origin: Origin, raw: &str, byte_offset: Option<u64>) {
        match outcome {
            Ok(()) => self.draft.accept(origin.file),
            Err(fault) => {
                let excerpt = Some(raw).filter(|r| !r.is_empty()).map(mask::excerpt);
                self.draft.reject(fault.reject(origin, byte_offset, excerpt));
            }
        }
    }

    /// A document that this connector does not read: one record, rejected, and the import goes on.
    fn unknown(&mut self) {
        self.record(|_, _| Err(Fault::new("vault/unknown-shape", "is no answer that this connector reads", READS)));
    }

    /// The command failed, and what it said was saved instead of an answer.
    fn refused(&mut self, text: &str) {
        let code: String = text.split("Code: ").nth(1).unwrap_or_default().chars().take_while(char::is_ascii_digit).collect();
        let why = if code.is_empty() { String::new() } else { format!(" (code {code})") };
        self.draft.short(self.file, format!("holds an error instead of an answer{why}: the command that wrote it failed"));
    }

    fn documents(&mut self, text: &str) -> Result<(), InputError> {
        let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
        let mut from = 0;
        while let Some(value) = values.next() {
            let value = value.map_err(|e| broken(&e))?;
            self.document(&value, text.get(from..values.byte_offset()).unwrap_or_default());
            from = values.byte_offset();
        }
        Ok(())
    }

    /// One document; `raw` is how it is written.
    fn document(&mut self, value: &Value, raw: &str) {
        match value {
            Value::Array(items) => self.list(items),
            Value::Object(map) if map.is_empty() => self.nothing(),
            Value::Object(map) => self.object(map, raw),
            Value::String(text) if text.contains("path") => {
                self.shape("policy");
                let name = self.place.policy();
                self.record(|reader, origin| reader.policy(name, text.clone(), None, origin));
            }
            _ => self.unknown(),
        }
    }

    /// `list` of nothing prints `{}`.
    fn nothing(&mut self) {
        self.shape("list");
        match self.place.listed() {
            Listed::Tokens => self.draft.short(self.file, "lists no token accessors: a server always has one, so the list was refused"),
            _ => self.draft.note(self.file, "list of nothing"),
        }
    }

    fn object(&mut self, map: &Map<String, Value>, raw: &str) {
        let fields = Fields(map);
        if fields.get("auth").and_then(|a| a.get("client_token")).is_some() {
            self.shape("login");
            self.draft.note(self.file, "token of a login met and dropped");
            return;
        }
        let envelope = fields.has("request_id") || fields.has("lease_id");
        match fields.get("data") {
            Some(Value::Object(data)) if envelope => self.answer(data),
            _ if fields.get("errors").is_some_and(Value::is_array) => self.refused(""),
            _ if fields.has("sealed") && fields.has("version") => self.shape("status"),
            _ if fields.has("path") && !fields.has("accessor") => {
                self.shape("policy");
                // As written: a name that stands twice is seen there alone.
                let (name, text) = (self.place.policy(), raw.to_owned());
                self.record(|reader, origin| reader.policy(name, text, None, origin));
            }
            _ => self.answer(map),
        }
    }

    /// An answer without its envelope, told by the fields that only its kind has.
    fn answer(&mut self, data: &Map<String, Value>) {
        let fields = Fields(data);
        let has = |names: &[&str]| names.iter().all(|n| fields.has(n));
        if data.is_empty() {
            self.nothing();
        } else if let Some(Value::Object(entries)) = fields.get("key_info") {
            self.detailed(entries);
        } else if let Some(Value::Array(items)) = fields.get("keys") {
            self.list(items);
        } else if has(&["versions", "current_version"]) {
            self.shape("KV metadata");
            let place = self.place.secret();
            self.record(|reader, origin| reader.secret(fields, place, origin));
        } else if has(&["data", "metadata"]) {
            self.shape("KV secret");
            self.draft.note(self.file, "secret value met and dropped: export `kv metadata get`, never `kv get`");
        } else if has(&["secret_id_accessor"]) {
            self.shape("secret id");
            self.record(|reader, origin| reader.secret_id(fields, origin));
        } else if has(&["accessor", "policies", "creation_ttl"]) {
            self.shape("token");
            self.record(|reader, origin| reader.token(fields, origin));
        } else if has(&["member_entity_ids"]) {
            self.shape("group");
            self.record(|reader, origin| reader.group(fields, origin));
        } else if has(&["aliases", "id"]) {
            self.shape("entity");
            self.record(|reader, origin| reader.entity(fields, origin));
        } else if has(&["canonical_id", "name"]) {
            self.shape("entity alias");
            self.alias(fields);
        } else if fields.has("bind_secret_id") {
            self.shape("AppRole");
            self.record(|reader, origin| reader.role(fields, origin));
        } else if fields.get("policy").or(fields.get("rules")).is_some_and(Value::is_string) {
            self.shape("policy");
            self.record(|reader, origin| {
                let text = if fields.has("policy") { fields.required("policy") } else { fields.required("rules") };
                let name = fields.text("name")?.or_else(|| reader.place.policy());
                let changed = fields.text("modified")?;
                reader.policy(name, text.unwrap_or_default(), changed, origin)
            });
        } else if let Some(total) = data.get("counters").and_then(|c| c.get("service_tokens")?.get("total")?.as_u64()) {
            self.shape("token count");
            self.export.counted = Some((self.file, total));
        } else if data.iter().filter(|(k, _)| k.ends_with('/')).count() > 0 {
            self.mounts(data);
        } else if let (true, Some((mount, name))) = (fields.has("token_policies") || fields.has("policies"), self.place.user()) {
            self.shape("user");
            self.record(|reader, origin| {
                let login = Login::read(fields, mount, name, origin)?;
                put(&mut reader.export.users, user_id(&login.mount, &login.name), login)
            });
        } else {
            self.unknown();
        }
    }

    /// `auth list` and `secrets list`: mounts by path.
    fn mounts(&mut self, data: &Map<String, Value>) {
        self.shape("mounts");
        for (path, mount) in data.iter().filter(|(path, _)| path.ends_with('/')) {
            let Some(fields) = mount.as_object().map(Fields) else { continue };
            let (Ok(Some(accessor)), Ok(Some(method))) = (fields.text("accessor"), fields.text("type")) else { continue };
            let version = mount.get("options").and_then(|o| o.get("version")?.as_str()).map(str::to_owned);
            let mounts = if accessor.starts_with("auth_") { &mut self.export.auth } else { &mut self.export.engines };
            mounts.insert(accessor, Mount { path: mask::path(path.trim_matches('/')), method, version });
        }
    }

    fn list(&mut self, items: &[Value]) {
        self.shape("list");
        let items: BTreeSet<String> = items.iter().filter_map(|i| i.as_str().map(str::to_owned)).collect();
        self.export.lists.push(List { file: self.file, of: self.place.listed(), items });
    }

    /// `list -detailed`: what it says of each name is kept where no answer says more.
    fn detailed(&mut self, entries: &Map<String, Value>) {
        self.shape("detailed list");
        let mut ids = BTreeSet::new();
        let mut of = self.place.listed();
        for (id, value) in entries {
            let Some(fields) = value.as_object().map(Fields) else {
                self.record(|_, _| Err(shape("an entry of the list is not an object".to_owned())));
                continue;
            };
            if fields.has("canonical_id") {
                self.alias(fields);
            } else if fields.has("aliases") {
                of = Listed::Entities;
                self.record(|reader, origin| {
                    let entity = Entity::read(fields, Some(id), origin)?;
                    reader.export.named.entry(id.clone()).or_insert(entity);
                    Ok(())
                });
            } else if fields.has("num_member_entities") {
                of = Listed::Groups;
                self.record(|reader, origin| {
                    let group = Group::read(fields, Some(id), origin)?;
                    reader.export.named_groups.entry(id.clone()).or_insert(group);
                    Ok(())
                });
            }
            ids.insert(id.clone());
        }
        self.export.lists.push(List { file: self.file, of, items: ids });
    }

    /// Accepted once it is known whether its entity is there.
    fn alias(&mut self, fields: Fields<'_>) {
        let origin = self.next();
        match fields.required("canonical_id").and_then(|entity| Ok((entity, Alias::read(fields)?))) {
            Ok((entity, alias)) => self.export.aliases.push((origin, entity, alias)),
            Err(fault) => self.settle(Err(fault), origin, "", None),
        }
    }

    fn entity(&mut self, fields: Fields<'_>, origin: Origin) -> Result<(), Fault> {
        let entity = Entity::read(fields, None, origin)?;
        put(&mut self.export.entities, entity.id.clone(), entity)
    }

    fn group(&mut self, fields: Fields<'_>, origin: Origin) -> Result<(), Fault> {
        let group = Group::read(fields, None, origin)?;
        put(&mut self.export.groups, group.id.clone(), group)
    }

    fn role(&mut self, fields: Fields<'_>, origin: Origin) -> Result<(), Fault> {
        let unnamed =
            || Fault::new("vault/unnamed", "answer does not say which role it is about", "save it as `auth/<mount>/role/<role>.json`");
        let id = self.place.role(None).ok_or_else(unnamed)?;
        let name = id.rsplit('/').next().unwrap_or_default().to_owned();
        let mount = id.strip_prefix("auth/").and_then(|i| i.rsplit_once("/role/")).map_or_else(String::new, |(m, _)| m.to_owned());
        let login = Login::read(fields, mount, name, origin)?;
        put(&mut self.export.roles, id, login)
    }

    fn secret_id(&mut self, fields: Fields<'_>, origin: Origin) -> Result<(), Fault> {
        let accessor = fields.required("secret_id_accessor")?;
        let secret = self.secret_value(fields.text("secret_id")?, "secret id met and dropped: look ids up by their accessor");
        let read = SecretId {
            origin,
            role: self.place.role(Some(&accessor)).or_else(|| self.place.role(None).filter(|_| secret.is_some())),
            created: fields.time("creation_time")?,
            expires: fields.time("expiration_time")?,
            uses: fields.count("secret_id_num_uses")?.filter(|n| *n > 0),
            fingerprint: secret.flatten(),
            accessor: accessor.clone(),
        };
        put(&mut self.export.secret_ids, accessor, read)
    }

    fn token(&mut self, fields: Fields<'_>, origin: Origin) -> Result<(), Fault> {
        let secret = self.secret_value(fields.text("id")?, "token met and dropped: look tokens up by their accessor");
        let help = "a batch token has no accessor and cannot be listed or revoked: leave its lookup out, and end it at its source";
        let accessor = fields.text("accessor")?.ok_or_else(|| Fault::new("vault/no-accessor", "token has no accessor", help))?;
        let mut policies = fields.texts("policies")?;
        policies.extend(fields.texts("identity_policies")?);
        policies.sort();
        policies.dedup();
        let read = Token {
            origin,
            accessor: accessor.clone(),
            entity: fields.text("entity_id")?,
            name: fields.name("display_name")?,
            policies,
            created: fields.time("creation_time")?.or(fields.time("issue_time")?),
            expires: fields.time("expire_time")?,
            metadata: Metadata::read(fields.object("meta")?),
            path: fields.text("path")?,
            orphan: fields.flag("orphan")?,
            period: fields.count("period")?.filter(|p| *p > 0),
            uses: fields.count("num_uses")?.filter(|n| *n > 0),
            fingerprint: secret.flatten(),
        };
        put(&mut self.export.tokens, accessor, read)
    }

    fn secret(&mut self, fields: Fields<'_>, place: Option<(String, String, bool)>, origin: Origin) -> Result<(), Fault> {
        let unnamed =
            || Fault::new("vault/unnamed", "answer does not say which secret it is about", "save it as `<mount>/metadata/<path>.json`");
        let secret = Secret::read(fields, place.ok_or_else(unnamed)?, origin)?;
        self.export.secrets.push(secret);
        Ok(())
    }

    fn policy(&mut self, name: Option<String>, text: String, changed: Option<String>, origin: Origin) -> Result<(), Fault> {
        let unnamed = || Fault::new("vault/unnamed", "answer does not say which policy it is", "save it as `policies/<name>.hcl`");
        // Vault compares names of policies without case.
        let name = name.ok_or_else(unnamed)?.to_lowercase();
        match self.export.policies.get_mut(&name) {
            // The text and the answer that holds it: one policy, two files.
            Some(known) if known.text.trim() == text.trim() => known.changed = known.changed.take().or(changed),
            Some(_) => {
                let help = "export every policy once, at one time";
                return Err(Fault::new("vault/two-texts", "another file gives the policy of this name another text", help));
            }
            None => drop(self.export.policies.insert(name.clone(), Policy { origin, name, text, changed })),
        }
        Ok(())
    }

    /// A secret that the export shows: of its value only a keyed fingerprint stays. `None` where none is shown.
    fn secret_value(&mut self, value: Option<String>, note: &str) -> Option<Option<String>> {
        let value = value?;
        self.draft.note(self.file, note);
        Some(fingerprint(self.key, value.as_bytes()))
    }
}

/// Keeps an object under its id; the first stays.
fn put<T>(map: &mut BTreeMap<String, T>, id: String, one: T) -> Result<(), Fault> {
    let help = "export each object once, at one time; remove the file that was given twice";
    match map.entry(id) {
        Entry::Vacant(free) => {
            free.insert(one);
            Ok(())
        }
        Entry::Occupied(_) => Err(Fault::new("vault/duplicate", "an earlier record describes the same object", help)),
    }
}

fn broken(error: &serde_json::Error) -> InputError {
    let at = error.line() as u64;
    let made = if error.is_eof() {
        InputError::new("vault/truncated-json", "JSON ends before it is complete", "export it again: it was cut off")
    } else if error.to_string().contains("recursion") {
        InputError::new("vault/too-deep", "JSON is nested too deep", "check the file: Vault writes no such answer")
    } else {
        InputError::new("vault/broken-json", "is not valid JSON", "export it again with `-format=json`, unedited")
    };
    made.at(at)
}
