//! From one record to what it says: which of Okta's answers it belongs to, and its fields.

use std::collections::BTreeMap;

use serde_json::Value;

use super::fields::{Fault, Fields, Moment};
use super::place::Place;
use crate::model::mask::free_text;
use crate::model::text::{norm, norm_opt};
use crate::model::{
    AccountRow, AccountStatus, CredentialKind, CredentialRow, CredentialStatus, EntitlementRow, GroupRow, Level, ResourceRow, Time,
    UseState,
};

/// The answers that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Users,
    Groups,
    Members,
    Rules,
    Apps,
    AppUsers,
    AppGroups,
    Tokens,
    Roles,
}

impl Kind {
    /// What an operator calls such a file.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Groups => "groups",
            Self::Members => "group members",
            Self::Rules => "group rules",
            Self::Apps => "apps",
            Self::AppUsers => "app users",
            Self::AppGroups => "app groups",
            Self::Tokens => "API tokens",
            Self::Roles => "admin roles",
        }
    }

    /// The answer that a record belongs to, by what it holds.
    ///
    /// # Errors
    /// None of them.
    pub(super) fn of(record: &Fields<'_>) -> Result<Self, Fault> {
        let id = record.peek("id").unwrap_or_default();
        let profile = record.within("profile");
        if record.peek("type") == Some("group_rule") {
            return Ok(Self::Rules);
        }
        if record.has("assignmentType") {
            return Ok(Self::Roles);
        }
        if record.has("tokenWindow") && record.has("userId") {
            return Ok(Self::Tokens);
        }
        if record.has("scope") && (record.has("syncState") || record.link("app").is_some() || id.starts_with("00u")) {
            return Ok(Self::AppUsers);
        }
        if profile.is_some_and(|p| p.has("login")) && record.has("status") {
            return Ok(Self::Users);
        }
        if record.has("objectClass") || matches!(record.peek("type"), Some("OKTA_GROUP" | "APP_GROUP" | "BUILT_IN")) {
            return Ok(Self::Groups);
        }
        if record.has("label") && record.has("status") && (record.has("signOnMode") || id.starts_with("0oa")) {
            return Ok(Self::Apps);
        }
        if record.link("group").is_some() || (record.has("priority") && id.starts_with("00g")) {
            return Ok(Self::AppGroups);
        }
        Err(Fault::new("okta/unknown-shape", "is no record that this connector reads", super::READS))
    }

    /// The answer that an empty list belongs to, by its file's name alone.
    pub(super) fn of_name(place: &Place) -> Option<Self> {
        let whole = place.app.is_none() && place.group.is_none() && place.user.is_none();
        let only = |word: &str| whole && ["user", "group", "app", "rule", "token", "role"].iter().all(|w| place.says(w) == (*w == word));
        Some(match () {
            () if (place.user.is_some() || place.group.is_some()) && place.says("role") => Self::Roles,
            () if place.app.is_some() && place.says("group") && !place.says("user") => Self::AppGroups,
            () if place.app.is_some() && place.says("user") && !place.says("group") => Self::AppUsers,
            () if place.group.is_some() && place.app.is_none() && (place.says("user") || place.says("member")) => Self::Members,
            () if whole && place.says("rule") && !place.says("role") => Self::Rules,
            () if only("user") => Self::Users,
            () if only("group") => Self::Groups,
            () if only("app") => Self::Apps,
            () if only("token") => Self::Tokens,
            () => return None,
        })
    }
}

/// Attributes of the allow-list, under construction.
#[derive(Clone, Debug, Default)]
pub(super) struct Attributes(BTreeMap<&'static str, Value>);

impl Attributes {
    pub(super) fn with(mut self, name: &'static str, value: Option<impl Into<Value>>) -> Self {
        if let Some(value) = value {
            self.0.insert(name, value.into());
        }
        self
    }

    pub(super) fn json(self) -> Option<String> {
        (!self.0.is_empty()).then(|| self.0.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Value>().to_string())
    }
}

/// A user: the account, the password by which it signs in, here or elsewhere, and what there is to say of the record.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct User {
    pub(super) row: AccountRow,
    pub(super) password: Option<CredentialRow>,
    pub(super) deprovisioned: bool,
}

/// What a user's status says of the account and of its password; `None` for a status that Okta does not document.
fn status(text: &str) -> Option<(AccountStatus, CredentialStatus)> {
    Some(match text {
        "ACTIVE" => (AccountStatus::Active, CredentialStatus::Active),
        // The password is being reset: the old one is void, and whether a new one is chosen is not known.
        "RECOVERY" => (AccountStatus::Active, CredentialStatus::Unknown),
        // The old one still lets its user in, to choose another.
        "PASSWORD_EXPIRED" => (AccountStatus::Active, CredentialStatus::Active),
        "STAGED" | "PROVISIONED" => (AccountStatus::Pending, CredentialStatus::Pending),
        "LOCKED_OUT" => (AccountStatus::Locked, CredentialStatus::Active),
        // A deactivated user can be activated again: the record is there until it is deleted.
        "SUSPENDED" | "DEPROVISIONED" => (AccountStatus::Disabled, CredentialStatus::Inactive),
        _ => return None,
    })
}

/// Whether the user's password is another directory's.
fn foreign(provider: &str) -> bool {
    matches!(provider, "FEDERATION" | "ACTIVE_DIRECTORY" | "LDAP" | "SOCIAL")
}

/// Reads a user. `notes` receives what loses no row.
///
/// # Errors
/// The field that is missing or wrong.
pub(super) fn user(record: &Fields<'_>, notes: &mut Vec<&'static str>) -> Result<User, Fault> {
    let id = record.required("id")?;
    let profile = record.within("profile").ok_or_else(|| Fault::new("okta/missing-field", "`profile` is missing", super::READS))?;
    let login = profile.required("login")?;
    let stated = record.required("status")?;
    let (account_status, password_status) = status(&stated).unwrap_or_else(|| {
        notes.push("status of a user is not one that is known: its state is unknown");
        Default::default()
    });
    let last_login = record.moment("lastLogin")?;
    let changed = record.time("statusChanged")?;
    let display = match profile.free("displayName")? {
        Some(name) => Some(name),
        None => {
            let parts = [profile.free("firstName")?, profile.free("lastName")?];
            Some(parts.into_iter().flatten().collect::<Vec<_>>().join(" ")).filter(|n| !n.is_empty())
        }
    };
    let email = profile.text("email")?;
    let credentials = record.within("credentials");
    if credentials.is_some_and(holds_secret) {
        notes.push("secret of a user (password, hash or recovery answer) met and dropped");
    }
    let provider = credentials.and_then(|c| c.within("provider"));
    let provider_type = provider.map(|p| p.free("type")).transpose()?.flatten();
    let provider_name = provider.map(|p| p.free("name")).transpose()?.flatten();
    let rotated = record.time("passwordChanged")?;
    let named = credentials.is_some_and(|c| c.within("password").is_some());
    let own = !provider_type.as_deref().is_some_and(foreign) && (named || rotated.is_some());
    let stated_provider = provider_type.clone().filter(|p| foreign(p));
    let attributes = Attributes::default()
        .with("status", Some(free_text(&stated)))
        .with("provider", provider_type)
        .with("provider_name", provider_name)
        .with("activated", record.time("activated")?.map(|t| t.to_string()))
        .with("user_type", profile.free("userType")?)
        .with("title", profile.free("title")?)
        .with("department", profile.free("department")?)
        .with("organization", profile.free("organization")?);
    let row = AccountRow {
        login_norm: norm(&login),
        login: Some(login),
        display_name_norm: norm_opt(display.as_deref()),
        display_name: display,
        email_norm: norm_opt(email.as_deref()),
        email,
        employee_ref: profile.text("employeeNumber")?,
        status: account_status,
        created_at: record.time("created")?,
        changed_at: record.time("lastUpdated")?.max(changed),
        last_used_at: last_login.at(),
        use_state: match last_login {
            Moment::Absent => UseState::Unknown,
            Moment::Null => UseState::Never,
            Moment::At(_) => UseState::Used,
        },
        locked_at: changed.filter(|_| account_status == AccountStatus::Locked),
        attributes: attributes.json(),
        ..AccountRow::default()
    };
    // Who signs in elsewhere, or without a password, still gets in: no row would say that there is no way in.
    let elsewhere = !own && matches!(account_status, AccountStatus::Active | AccountStatus::Locked);
    let password = (own || elsewhere).then(|| CredentialRow {
        native_id: format!("{id}#password"),
        kind: CredentialKind::Password,
        name: elsewhere.then(|| stated_provider.map_or_else(|| "no password in Okta".to_owned(), |p| format!("password of {p}"))),
        status: if own { password_status } else { CredentialStatus::Unknown },
        rotated_at: rotated.filter(|_| own),
        ..CredentialRow::default()
    });
    Ok(User { row: AccountRow { native_id: id, ..row }, password, deprovisioned: stated == "DEPROVISIONED" })
}

fn holds_secret(credentials: Fields<'_>) -> bool {
    let in_password = credentials.within("password").is_some_and(|p| p.has("value") || p.has("hash"));
    in_password || credentials.within("recovery_question").is_some_and(|r| r.has("answer"))
}

/// A group as it stands, its attributes still open for the rules that feed it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Group {
    pub(super) row: GroupRow,
    pub(super) kind: Option<String>,
    pub(super) description: Option<String>,
    pub(super) source: Option<String>,
}

/// Reads a group.
///
/// # Errors
/// The field that is missing or wrong.
pub(super) fn group(record: &Fields<'_>) -> Result<Group, Fault> {
    let id = record.required("id")?;
    let profile = record.within("profile").ok_or_else(|| Fault::new("okta/missing-field", "`profile` is missing", super::READS))?;
    let name = free_text(&profile.required("name")?);
    let kind = record.free("type")?;
    let source = record.within("source").map(|s| s.text("id")).transpose()?.flatten();
    let row = GroupRow {
        native_id: id,
        name_norm: norm(&name),
        name: Some(name),
        kind: "group".to_owned(),
        vendor_managed: kind.as_deref() == Some("BUILT_IN"),
        ..GroupRow::default()
    };
    Ok(Group { row, kind, description: profile.free("description")?, source })
}

/// A rule that puts users into groups.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rule {
    pub(super) id: String,
    pub(super) name: Option<String>,
    pub(super) expression: Option<String>,
    pub(super) active: bool,
    pub(super) groups: Vec<String>,
    /// Users whom it leaves out.
    pub(super) excluded: Vec<String>,
}

/// Reads a group rule.
///
/// # Errors
/// The field that is missing or wrong.
pub(super) fn rule(record: &Fields<'_>) -> Result<Rule, Fault> {
    let conditions = record.within("conditions");
    let expression = conditions.and_then(|c| c.within("expression"));
    let people = conditions.and_then(|c| c.within("people")).and_then(|p| p.within("users"));
    let assigned = record.within("actions").and_then(|a| a.within("assignUserToGroups"));
    Ok(Rule {
        id: record.required("id")?,
        name: record.free("name")?,
        expression: expression.map(|e| e.free("value")).transpose()?.flatten(),
        active: record.required("status")? == "ACTIVE",
        groups: assigned.map(|a| a.texts("groupIds")).transpose()?.unwrap_or_default(),
        excluded: people.map(|p| p.texts("exclude")).transpose()?.unwrap_or_default(),
    })
}

/// An app: the resource and what assigning it gives.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct App {
    pub(super) resource: ResourceRow,
    pub(super) entitlement: EntitlementRow,
}

/// Reads an app.
///
/// # Errors
/// The field that is missing or wrong.
pub(super) fn app(record: &Fields<'_>) -> Result<App, Fault> {
    let id = record.required("id")?;
    let label = free_text(&record.required("label")?);
    let attributes = Attributes::default()
        .with("status", record.free("status")?)
        .with("name", record.free("name")?)
        .with("sign_on_mode", record.free("signOnMode")?)
        .with("created", record.time("created")?.map(|t| t.to_string()));
    Ok(bare_app(id, Some(label), attributes))
}

/// An app of which only the id, or little more, is known.
pub(super) fn bare_app(id: String, label: Option<String>, attributes: Attributes) -> App {
    let attributes = attributes.json();
    let entitlement = EntitlementRow {
        native_id: id.clone(),
        name_norm: norm_opt(label.as_deref()),
        name: label.clone(),
        kind: "app".to_owned(),
        attributes: attributes.clone(),
        ..EntitlementRow::default()
    };
    App {
        resource: ResourceRow { native_id: id, kind: "application".to_owned(), name: label, attributes, ..ResourceRow::default() },
        entitlement,
    }
}

/// A user's or a group's assignment to an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Assignment {
    pub(super) app: String,
    pub(super) holder: String,
    pub(super) granted_at: Option<Time>,
    /// The user has it through a group.
    pub(super) inherited: bool,
    /// The state of the assignment; groups have none.
    pub(super) status: Option<String>,
}

fn no_parent(what: &str, help: &str) -> Fault {
    Fault::new("okta/no-parent", format!("nothing says {what}"), help)
}

fn parent_app(record: &Fields<'_>, place: &Place) -> Result<String, Fault> {
    record.link("app").map(str::to_owned).or_else(|| place.app.clone()).ok_or_else(|| {
        no_parent(
            "which app this is an assignment to",
            "put the app's id into the file's name, such as `apps/0oa….users.json` or `apps/0oa….groups.json`",
        )
    })
}

/// Reads an app user.
///
/// # Errors
/// The field that is missing or wrong, or the app is not named.
pub(super) fn app_user(record: &Fields<'_>, place: &Place) -> Result<Assignment, Fault> {
    let scope = record.required("scope")?;
    if !matches!(scope.as_str(), "USER" | "GROUP") {
        return Err(Fault::new("okta/bad-record", "`scope` is neither `USER` nor `GROUP`", super::READS));
    }
    Ok(Assignment {
        app: parent_app(record, place)?,
        holder: record.required("id")?,
        granted_at: record.time("created")?,
        inherited: scope == "GROUP",
        status: record.free("status")?,
    })
}

/// Reads an app group.
///
/// # Errors
/// As [`app_user`].
pub(super) fn app_group(record: &Fields<'_>, place: &Place) -> Result<Assignment, Fault> {
    let app = parent_app(record, place)?;
    Ok(Assignment { app, holder: record.required("id")?, granted_at: None, inherited: false, status: None })
}

/// The seconds of a duration such as `P30D`; `None` for one with months or years.
fn window(text: &str) -> Option<i64> {
    let span: jiff::SignedDuration = text.parse::<jiff::Span>().ok()?.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).ok()?;
    Some(span.as_secs()).filter(|s| *s > 0)
}

/// Reads an API token; the second value is its user's id.
///
/// Okta says of no token when it was used, but renews `expiresAt` at each use to a whole window later.
///
/// # Errors
/// The field that is missing or wrong.
pub(super) fn token(record: &Fields<'_>) -> Result<(CredentialRow, String), Fault> {
    let created = record.time("created")?;
    let expires = record.time("expiresAt")?;
    let seconds = record.text("tokenWindow")?.as_deref().and_then(window).and_then(|s| s.checked_mul(1_000_000));
    let used = expires.zip(seconds).map(|(at, us)| at.plus(-us)).zip(created).filter(|(at, made)| at > made).map(|(at, _)| at);
    let row = CredentialRow {
        native_id: record.required("id")?,
        kind: CredentialKind::ApiToken,
        name: record.free("name")?,
        status: CredentialStatus::Active,
        created_at: created,
        last_used_at: used,
        use_state: if used.is_some() { UseState::Used } else { UseState::Unknown },
        expires_at: expires,
        ..CredentialRow::default()
    };
    Ok((row, record.required("userId")?))
}

/// An admin role as assigned.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Role {
    pub(super) row: EntitlementRow,
    pub(super) holder: String,
    pub(super) to_group: bool,
    pub(super) granted_at: Option<Time>,
    pub(super) status: Option<String>,
}

/// How far a standard role reaches.
fn level(role: &str) -> Level {
    match role {
        // Whoever can reset passwords, change memberships or give out scopes can become anybody.
        "SUPER_ADMIN"
        | "ORG_ADMIN"
        | "APP_ADMIN"
        | "USER_ADMIN"
        | "HELP_DESK_ADMIN"
        | "GROUP_MEMBERSHIP_ADMIN"
        | "API_ACCESS_MANAGEMENT_ADMIN" => Level::Admin,
        "MOBILE_ADMIN" | "ACCESS_CERTIFICATIONS_ADMIN" | "ACCESS_REQUESTS_ADMIN" | "WORKFLOWS_ADMIN" => Level::Write,
        "READ_ONLY_ADMIN" | "REPORT_ADMIN" => Level::Read,
        _ => Level::Unknown,
    }
}

/// Reads an admin role of a user or a group.
///
/// # Errors
/// The field that is missing or wrong, or the holder is not named.
pub(super) fn role(record: &Fields<'_>, place: &Place) -> Result<Role, Fault> {
    let kind = free_text(&record.required("type")?);
    let label = record.free("label")?;
    // A custom role's own id; the record's id is the assignment's.
    let custom = if kind == "CUSTOM" { record.text("role")?.or_else(|| record.link("role").map(str::to_owned)) } else { None };
    let linked = record.link("assignee").map(str::to_owned);
    let group = linked.as_deref().map_or(place.user.is_none() && place.group.is_some(), |id| id.starts_with("00g"));
    let named = if place.user.is_some() { place.user.clone() } else { place.group.clone() };
    let holder = linked.or(named).ok_or_else(|| {
        no_parent("who holds this role", "put the id into the file's name, such as `users/00u….roles.json` or `groups/00g….roles.json`")
    })?;
    let name = label.clone().unwrap_or_else(|| kind.clone());
    let row = EntitlementRow {
        native_id: format!("role:{}", custom.as_deref().or(label.as_deref().filter(|_| kind == "CUSTOM")).unwrap_or(&kind)),
        name_norm: norm(&name),
        name: Some(name),
        kind: "admin-role".to_owned(),
        level: level(&kind),
        vendor_managed: kind != "CUSTOM",
        attributes: Attributes::default().with("type", Some(kind)).json(),
        ..EntitlementRow::default()
    };
    Ok(Role { row, holder, to_group: group, granted_at: record.time("created")?, status: record.free("status")? })
}
