//! What `aws iam` prints: the authorization details, the credential report, the access keys.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::documents::Policy;
use super::{Account, Group, Key, Role, Trustee, User};
use crate::demo::clock::{self, offset_iso};
use crate::demo::life::{Edge, Habit, targets};
use crate::demo::people::FOUNDED;
use crate::model::Time;
use crate::model::time::{DAY, HOUR};

const COLUMNS: &str = "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,password_next_rotation,\
    mfa_active,access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,access_key_1_last_used_region,\
    access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,access_key_2_last_used_date,\
    access_key_2_last_used_region,access_key_2_last_used_service,cert_1_active,cert_1_last_rotated,cert_2_active,cert_2_last_rotated";

impl Account {
    /// `aws iam get-account-authorization-details`.
    pub fn authorization_details(&self, at: Time) -> String {
        let users: Vec<Value> = self.present(at).map(|user| self.user_detail(user, at)).collect();
        let groups: Vec<Value> = self.groups.iter().map(|group| self.group_detail(group, at)).collect();
        let roles: Vec<Value> = self.roles.iter().map(|role| self.role_detail(role, at)).collect();
        let policies: Vec<Value> = self.policies.iter().map(|policy| self.policy_detail(policy, at)).collect();
        pretty(&json!({ "UserDetailList": users, "GroupDetailList": groups, "RoleDetailList": roles, "Policies": policies }))
    }

    /// `aws iam get-credential-report`, decoded; `Err` holds what is printed while the report is not ready.
    ///
    /// # Errors
    /// The report was not ready.
    pub fn credential_report(&self, at: Time) -> Result<String, String> {
        if self.report_unready.holds(at) {
            let message = "Report generation is still in progress.";
            return Err(pretty(&json!({ "Error": { "Code": "ReportInProgress", "Message": message, "Type": "Sender" } })));
        }
        let mut lines = vec![COLUMNS.to_owned(), self.root_line(at)];
        lines.extend(self.present(at).map(|user| self.report_line(user, at)));
        lines.push(String::new());
        Ok(lines.join("\n"))
    }

    /// `aws iam list-access-keys` for one user after another, all into one file.
    pub fn access_keys(&self, at: Time) -> String {
        let mut out = String::new();
        for user in self.present(at).filter(|user| !user.keys.is_empty()) {
            let keys: Vec<Value> = user.keys.iter().enumerate().filter_map(|(slot, key)| self.key_entry(user, slot, key, at)).collect();
            out.push_str(&pretty(&json!({ "AccessKeyMetadata": keys })));
        }
        out
    }

    fn present(&self, at: Time) -> impl Iterator<Item = &User> {
        self.users.iter().filter(move |user| user.life.exists(at))
    }

    fn key_entry(&self, user: &User, slot: usize, key: &Key, at: Time) -> Option<Value> {
        let status = if key.is_active(at) { "Active" } else { "Inactive" };
        let (id, made) = (self.key_id(&user.name, slot, at)?, key.made(at)?);
        Some(json!({ "UserName": user.name, "AccessKeyId": id, "Status": status, "CreateDate": offset_iso(made) }))
    }

    fn user_detail(&self, user: &User, at: Time) -> Value {
        let mut detail = Map::new();
        detail.insert("Path".into(), user.path.into());
        detail.insert("UserName".into(), user.name.as_str().into());
        detail.insert("UserId".into(), self.unique_id("AIDA", &user.name).into());
        detail.insert("Arn".into(), self.user_arn(&user.name).into());
        detail.insert("CreateDate".into(), offset_iso(user.life.created).into());
        if !user.inline.is_empty() {
            detail.insert("UserPolicyList".into(), inline(&user.inline));
        }
        detail.insert("GroupList".into(), targets(&user.groups, at).collect());
        detail.insert("AttachedManagedPolicies".into(), self.attached(&user.policies, at));
        if let Some(name) = user.boundary {
            let boundary = json!({ "PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": self.policy_arn(name) });
            detail.insert("PermissionsBoundary".into(), boundary);
        }
        if let Some(number) = &user.employee {
            detail.insert("Tags".into(), json!([{ "Key": "employee_id", "Value": number }]));
        }
        Value::Object(detail)
    }

    fn group_detail(&self, group: &Group, at: Time) -> Value {
        json!({
            "Path": "/",
            "GroupName": group.name,
            "GroupId": self.unique_id("AGPA", group.name),
            "Arn": self.group_arn(group.name),
            "CreateDate": offset_iso(clock::days_before(FOUNDED)),
            "GroupPolicyList": [],
            "AttachedManagedPolicies": self.attached(&group.policies, at),
        })
    }

    fn role_detail(&self, role: &Role, at: Time) -> Value {
        let trust: Vec<Value> = role.trust.iter().filter(|(_, held)| held.holds(at)).map(|(who, _)| self.trust(who, at)).collect();
        let mut used = Map::new();
        if let Some(last) = Habit::Regular.last(at, role.created, &role.name) {
            used.insert("LastUsedDate".into(), offset_iso(last).into());
            used.insert("Region".into(), "eu-central-1".into());
        }
        let profile = json!({
            "Path": "/",
            "InstanceProfileName": role.name,
            "InstanceProfileId": self.unique_id("AIPA", &role.name),
            "Arn": format!("arn:aws:iam::{}:instance-profile/{}", self.number, role.name),
            "CreateDate": offset_iso(role.created),
            "Roles": [],
        });
        json!({
            "Path": role.path,
            "RoleName": role.name,
            "RoleId": self.unique_id("AROA", &role.name),
            "Arn": self.role_arn(&role.name),
            "CreateDate": offset_iso(role.created),
            "AssumeRolePolicyDocument": { "Version": "2012-10-17", "Statement": trust },
            "InstanceProfileList": if role.machines { vec![profile] } else { vec![] },
            "RolePolicyList": inline(&role.inline),
            "AttachedManagedPolicies": self.attached(&role.policies, at),
            "Tags": [],
            "RoleLastUsed": used,
        })
    }

    fn trust(&self, who: &Trustee, at: Time) -> Value {
        let (principal, action) = match who {
            Trustee::Service(name) => (json!({ "Service": name }), "sts:AssumeRole"),
            Trustee::Provider(tail) => {
                (json!({ "Federated": format!("arn:aws:iam::{}:{tail}", self.number) }), "sts:AssumeRoleWithWebIdentity")
            }
            Trustee::Root(account) => (json!({ "AWS": format!("arn:aws:iam::{account}:root") }), "sts:AssumeRole"),
            Trustee::Foreign(arn) => (json!({ "AWS": arn }), "sts:AssumeRole"),
            Trustee::DeadRole(name) => (json!({ "AWS": self.unique_id("AROA", name) }), "sts:AssumeRole"),
            Trustee::User(name) => {
                let lives = self.user(name).is_some_and(|user| user.life.exists(at));
                let shown = if lives { self.user_arn(name) } else { self.unique_id("AIDA", name) };
                (json!({ "AWS": shown }), "sts:AssumeRole")
            }
        };
        json!({ "Effect": "Allow", "Principal": principal, "Action": action })
    }

    fn policy_detail(&self, policy: &Policy, at: Time) -> Value {
        let (made, version) = (offset_iso(clock::days_before(FOUNDED + 1)), "v1");
        let attached = [
            self.present(at).flat_map(|user| targets(&user.policies, at)).filter(|name| *name == policy.name).count(),
            self.groups.iter().flat_map(|group| targets(&group.policies, at)).filter(|name| *name == policy.name).count(),
            self.roles.iter().flat_map(|role| targets(&role.policies, at)).filter(|name| *name == policy.name).count(),
        ];
        json!({
            "PolicyName": policy.name,
            "PolicyId": self.unique_id("ANPA", policy.name),
            "Arn": self.policy_arn(policy.name),
            "Path": "/",
            "DefaultVersionId": version,
            "AttachmentCount": attached.iter().sum::<usize>(),
            "PermissionsBoundaryUsageCount": self.present(at).filter(|user| user.boundary == Some(policy.name)).count(),
            "IsAttachable": true,
            "CreateDate": made,
            "UpdateDate": made,
            "PolicyVersionList": [{ "Document": policy.document, "VersionId": version, "IsDefaultVersion": true, "CreateDate": made }],
        })
    }

    fn attached(&self, edges: &[Edge], at: Time) -> Value {
        targets(edges, at).map(|name| json!({ "PolicyName": name, "PolicyArn": self.policy_arn(name) })).collect()
    }

    /// Nobody signs in as root but to check, twice a year, that one can.
    fn root_line(&self, at: Time) -> String {
        let made = clock::days_before(FOUNDED + 2).plus(6 * HOUR);
        let checked = if clock::noon(65) < at { clock::noon(65) } else { made };
        let arn = format!("arn:aws:iam::{}:root", self.number);
        let head =
            ["<root_account>", &arn, &offset_iso(made), "not_supported", &offset_iso(checked), "not_supported", "not_supported", "true"]
                .join(",");
        format!("{head},{NO_KEY},{NO_KEY},{NO_CERTIFICATES}")
    }

    fn report_line(&self, user: &User, at: Time) -> String {
        let console = user.console.as_ref();
        let open = console.filter(|console| !console.off.holds(at));
        let used = open.map(|console| console.habit.last(at, user.life.created, &format!("{}/console", user.name)));
        let changed = user.life.created.plus((at.micros() - user.life.created.micros()).max(0) / (170 * DAY) * (170 * DAY));
        let mut cells = vec![
            user.name.clone(),
            self.user_arn(&user.name),
            offset_iso(user.life.created),
            open.is_some().to_string(),
            used.map_or("N/A".to_owned(), |used| used.map_or("no_information".to_owned(), offset_iso)),
            open.map_or("N/A".to_owned(), |_| offset_iso(changed)),
            "N/A".to_owned(),
            console.is_some_and(|console| console.mfa).to_string(),
        ];
        for slot in 0..2 {
            let key = user.keys.get(slot).and_then(|key| key.made(at).map(|made| (key, made)));
            cells.push(key.map_or(NO_KEY.to_owned(), |(key, made)| key_cells(key, made, at, &format!("{}/{slot}", user.name))));
        }
        cells.push(NO_CERTIFICATES.to_owned());
        cells.join(",")
    }
}

const NO_KEY: &str = "false,N/A,N/A,N/A,N/A";
const NO_CERTIFICATES: &str = "false,N/A,false,N/A";

fn key_cells(key: &Key, made: Time, at: Time, name: &str) -> String {
    let until = key.inactive.since(at).unwrap_or(at);
    let used = key.habit.last(until, made, name).map_or("N/A,N/A,N/A".to_owned(), |at| format!("{},eu-central-1,s3", offset_iso(at)));
    format!("{},{},{used}", key.is_active(at), offset_iso(made))
}

fn inline(policies: &[(&'static str, Value)]) -> Value {
    policies.iter().map(|(name, document)| json!({ "PolicyName": name, "PolicyDocument": document })).collect()
}

/// JSON with four blanks, as the CLI prints it.
fn pretty(value: &Value) -> String {
    let mut out = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    // Writing a JSON value into memory cannot fail.
    let _ = value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, formatter));
    out.push(b'\n');
    String::from_utf8(out).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::people::staff;

    fn account() -> Account {
        Account::new(1, "prod", "111122223333", "444455556666", &staff(1))
    }

    #[test]
    fn the_details_name_only_what_they_hold() {
        let account = account();
        let text = account.authorization_details(clock::end());
        let details: Value = serde_json::from_str(&text).unwrap();
        let groups: Vec<&str> = details["GroupDetailList"].as_array().unwrap().iter().filter_map(|g| g["GroupName"].as_str()).collect();
        for user in details["UserDetailList"].as_array().unwrap() {
            assert!(user["GroupList"].as_array().unwrap().iter().all(|g| groups.contains(&g.as_str().unwrap())));
            assert!(user["UserId"].as_str().unwrap().starts_with("AIDA"));
        }
        let policies = details["Policies"].as_array().unwrap();
        assert!(policies.iter().any(|p| p["Arn"] == "arn:aws:iam::aws:policy/ReadOnlyAccess"));
    }

    #[test]
    fn a_report_has_22_columns_and_a_root_line() {
        let report = account().credential_report(clock::end()).unwrap();
        assert!(report.lines().all(|line| line.split(',').count() == 22));
        assert!(report.lines().nth(1).unwrap().starts_with("<root_account>,arn:aws:iam::111122223333:root,"));
        assert!(report.ends_with("N/A\n"));
    }

    #[test]
    fn a_deleted_user_is_trusted_by_its_unique_id() {
        let mut account = account();
        let shown = |account: &Account| {
            account.trust(&Trustee::User("nils.aabye".into()), clock::end())["Principal"]["AWS"].as_str().unwrap().to_owned()
        };
        assert!(shown(&account).starts_with("AIDA"));
        account.user_mut("nils.aabye").unwrap().life.removed = None;
        assert_eq!(shown(&account), "arn:aws:iam::111122223333:user/nils.aabye");
    }

    #[test]
    fn all_keys_are_young_and_used() {
        let account = account();
        for user in account.users.iter().filter(|user| user.life.exists(clock::end())) {
            for key in &user.keys {
                let made = key.made(clock::end()).unwrap();
                assert!(clock::end().micros() - made.micros() < 81 * DAY, "{}", user.name);
            }
        }
    }
}
