//! The vault of the platform team: entities, groups, policies, AppRoles and what is known of the secrets, as the command line saves them.

use serde_json::{Value, json};

use super::clock;
use super::dice::{uuid, uuid_text};
use super::life::{Edge, Life, targets};
use super::people::{FOUNDED, Person};
use crate::model::Time;

const OIDC: &str = "auth_oidc_5d0c1f2a";
const APPROLE: &str = "auth_approle_77e1b0c4";

/// Name, policy text.
const POLICIES: &[(&str, &str)] = &[
    ("default", "path \"auth/token/lookup-self\" {\n  capabilities = [\"read\"]\n}\n"),
    (
        "platform-secrets",
        "# What the platform team runs on; the recovery keys are for two people at a time.\n\
         path \"secret/data/platform/*\" {\n  capabilities = [\"create\", \"read\", \"update\"]\n}\n\
         path \"secret/metadata/platform/*\" {\n  capabilities = [\"read\", \"list\"]\n}\n\
         path \"secret/data/platform/recovery\" {\n  capabilities = [\"deny\"]\n}\n",
    ),
    ("billing-read", "path \"secret/data/billing/+\" {\n  capabilities = [\"read\"]\n}\n"),
];

#[derive(Clone, Debug)]
pub struct Entity {
    pub login: String,
    pub email: String,
    pub number: String,
    pub life: Life,
    pub groups: Vec<Edge>,
}

/// What is known of one secret: days before the last export on which its versions were made.
#[derive(Clone, Debug)]
pub struct Secret {
    pub path: &'static str,
    pub versions: &'static [i64],
    pub owner: &'static str,
}

pub const SECRETS: &[Secret] = &[
    Secret { path: "platform/database-root", versions: &[340, 210], owner: "platform@corp.example" },
    Secret { path: "platform/registry-push", versions: &[340, 160, 2], owner: "platform@corp.example" },
    Secret { path: "platform/dns-api", versions: &[300, 29], owner: "platform@corp.example" },
    Secret { path: "platform/recovery", versions: &[340], owner: "platform@corp.example" },
    Secret { path: "billing/payment-gateway", versions: &[320, 75], owner: "finance@corp.example" },
];

/// The server.
#[derive(Debug)]
pub struct Server {
    seed: u64,
    pub entities: Vec<Entity>,
}

impl Server {
    /// The server in good order: an entity goes when its person does.
    pub fn new(seed: u64, staff: &[Person]) -> Self {
        let uses = |p: &&Person| {
            p.unit == "Platform" && (p.background && p.leave.is_none() || matches!(p.login.as_str(), "henrike.osterlohn" | "milan.hruska"))
        };
        let entities = staff.iter().filter(uses).map(|person| {
            let life = Life { removed: person.left(), disabled: super::life::Spans::never(), ..person.tidy_life() };
            Entity {
                login: person.login.clone(),
                email: person.email.clone(),
                number: person.number.clone(),
                groups: vec![Edge::during("platform-team", person.tidy_spans())],
                life,
            }
        });
        Self { seed, entities: entities.collect() }
    }

    fn id(&self, kind: &str, name: &str) -> String {
        uuid_text(uuid(self.seed, "vault", &format!("{kind}/{name}")))
    }

    pub fn entity_id(&self, login: &str) -> String {
        self.id("entity", login)
    }

    pub fn group_id(&self, name: &str) -> String {
        self.id("group", name)
    }

    /// The answers of one export, by file name.
    pub fn export(&self, at: Time) -> Vec<(String, String)> {
        let here: Vec<&Entity> = self.entities.iter().filter(|e| e.life.exists(at)).collect();
        let ids: Vec<String> = here.iter().map(|e| self.entity_id(&e.login)).collect();
        let mut files = vec![
            ("auth.json".to_owned(), mounts(&[("approle/", "approle", APPROLE), ("oidc/", "oidc", OIDC)])),
            ("secrets.json".to_owned(), json!({ "secret/": { "type": "kv", "accessor": "kv_1a2b3c4d", "options": { "version": "2" } } })),
            ("identity/entity/id.json".to_owned(), json!(ids)),
            ("identity/group/id.json".to_owned(), json!([self.group_id("platform-team")])),
            ("policy-list.json".to_owned(), POLICIES.iter().map(|(name, _)| json!(name)).chain([json!("root")]).collect()),
            ("auth/approle/role.json".to_owned(), json!(["billing-app"])),
            ("auth/approle/role/billing-app.json".to_owned(), envelope(approle())),
            ("auth/approle/role/billing-app/secret-id.json".to_owned(), json!([self.id("accessor", "billing-app")])),
            (
                format!("auth/approle/role/billing-app/secret-id-accessor/lookup/{}.json", self.id("accessor", "billing-app")),
                envelope(json!({
                    "secret_id_accessor": self.id("accessor", "billing-app"), "creation_time": nanos(clock::noon(70)),
                    "expiration_time": nanos(clock::noon(-20)), "last_updated_time": nanos(clock::noon(70)), "metadata": {},
                    "cidr_list": [], "token_bound_cidrs": [], "secret_id_num_uses": 0, "secret_id_ttl": 7_776_000,
                })),
            ),
        ];
        for entity in &here {
            files.push((format!("identity/entity/id/{}.json", self.entity_id(&entity.login)), envelope(self.entity(entity, at))));
        }
        let members: Vec<String> =
            here.iter().filter(|e| targets(&e.groups, at).any(|g| g == "platform-team")).map(|e| self.entity_id(&e.login)).collect();
        let id = self.group_id("platform-team");
        let made = nanos(clock::days_before(FOUNDED));
        let group = json!({
            "alias": {}, "creation_time": made, "id": id, "last_update_time": made, "member_entity_ids": members, "member_group_ids": Value::Null,
            "metadata": Value::Null, "name": "platform-team", "namespace_id": "root", "parent_group_ids": Value::Null,
            "policies": ["platform-secrets"], "type": "internal",
        });
        files.push((format!("identity/group/id/{id}.json"), envelope(group)));
        for (name, text) in POLICIES {
            files.push((format!("sys/policies/acl/{name}.json"), envelope(json!({ "name": name, "policy": text }))));
        }
        for secret in SECRETS {
            files.push((format!("secret/metadata/{}.json", secret.path), envelope(metadata(secret, at))));
        }
        files.into_iter().map(|(name, value)| (name, format!("{value:#}\n"))).collect()
    }

    fn entity(&self, entity: &Entity, at: Time) -> Value {
        let (id, made) = (self.entity_id(&entity.login), nanos(entity.life.created));
        let groups: Vec<String> = targets(&entity.groups, at).map(|g| self.group_id(g)).collect();
        json!({
            "aliases": [{
                "canonical_id": id, "creation_time": made, "custom_metadata": Value::Null, "id": self.id("alias", &entity.login),
                "last_update_time": made, "local": false, "metadata": Value::Null, "mount_accessor": OIDC, "mount_path": "auth/oidc/",
                "mount_type": "oidc", "name": entity.email,
            }],
            "creation_time": made, "direct_group_ids": groups, "disabled": entity.life.is_disabled(at), "group_ids": groups, "id": id,
            "inherited_group_ids": [], "last_update_time": made, "merged_entity_ids": Value::Null,
            "metadata": { "employee_number": entity.number }, "name": entity.login, "namespace_id": "root", "policies": [],
        })
    }
}

fn mounts(all: &[(&str, &str, &str)]) -> Value {
    let mount = |(path, kind, accessor): &(&str, &str, &str)| {
        ((*path).to_owned(), json!({ "type": kind, "accessor": accessor, "description": "", "options": Value::Null, "local": false }))
    };
    Value::Object(all.iter().map(mount).collect())
}

fn approle() -> Value {
    json!({
        "bind_secret_id": true, "local_secret_ids": false, "secret_id_bound_cidrs": Value::Null, "secret_id_num_uses": 0,
        "secret_id_ttl": 7_776_000, "token_bound_cidrs": [], "token_explicit_max_ttl": 0, "token_max_ttl": 3_600,
        "token_no_default_policy": false, "token_num_uses": 0, "token_period": 0, "token_policies": ["billing-read"], "token_ttl": 1_200,
        "token_type": "default",
    })
}

fn metadata(secret: &Secret, at: Time) -> Value {
    let made: Vec<Time> = secret.versions.iter().map(|day| clock::noon(*day)).filter(|t| *t <= at).collect();
    let versions = made
        .iter()
        .enumerate()
        .map(|(n, t)| ((n + 1).to_string(), json!({ "created_time": nanos(*t), "deletion_time": "", "destroyed": false })));
    json!({
        "cas_required": false, "created_time": made.first().map(|t| nanos(*t)), "current_version": made.len(),
        "custom_metadata": { "owner": secret.owner }, "delete_version_after": "0s", "max_versions": 10, "oldest_version": 0,
        "updated_time": made.last().map(|t| nanos(*t)), "versions": Value::Object(versions.collect()),
    })
}

fn envelope(data: Value) -> Value {
    json!({ "request_id": "", "lease_id": "", "lease_duration": 0, "renewable": false, "data": data, "warnings": Value::Null })
}

/// Instants as the server writes them: with nine digits below the second.
fn nanos(at: Time) -> String {
    let below = at.micros().rem_euclid(1_000_000);
    let whole = at.plus(-below).to_string();
    format!("{}.{:09}Z", whole.trim_end_matches('Z'), below * 1_000 + 417)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::people::staff;

    #[test]
    fn who_left_is_in_the_export_before_and_not_in_the_one_after() {
        let people = staff(1);
        let server = Server::new(1, &people);
        let id = server.entity_id("milan.hruska");
        let shows = |back: i64| server.export(clock::days_before(back * 7)).iter().any(|(name, _)| name.contains(&id));
        assert!(shows(4) && !shows(3), "he left 26 days before");
        let secrets = server.export(clock::end()).into_iter().filter(|(name, _)| name.starts_with("secret/")).count();
        assert_eq!(secrets, SECRETS.len());
    }
}
