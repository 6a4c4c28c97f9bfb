//! The built-in mappings, written as anybody's own: one TOML file each.

/// Name and text of each.
pub const MAPPINGS: &[(&str, &str)] = &[
    ("hr", include_str!("builtin/hr.toml")),
    ("exceptions", include_str!("builtin/exceptions.toml")),
    ("systems", include_str!("builtin/systems.toml")),
    ("accounts", include_str!("builtin/accounts.toml")),
    ("workloads", include_str!("builtin/workloads.toml")),
    ("requests", include_str!("builtin/requests.toml")),
    ("servicenow", include_str!("builtin/servicenow.toml")),
    ("servicenow-approvals", include_str!("builtin/servicenow-approvals.toml")),
    ("jira", include_str!("builtin/jira.toml")),
    ("roles", include_str!("builtin/roles.toml")),
    ("midpoint-roles", include_str!("builtin/midpoint-roles.toml")),
    ("reviews", include_str!("builtin/reviews.toml")),
    ("separation", include_str!("builtin/separation.toml")),
    ("workflow", include_str!("builtin/workflow.toml")),
    ("events", include_str!("builtin/events.toml")),
    ("lifecycle", include_str!("builtin/lifecycle.toml")),
];

/// The text of the mapping called `name`.
pub fn text(name: &str) -> Option<&'static str> {
    MAPPINGS.iter().find(|(n, _)| *n == name).map(|(_, text)| *text)
}
