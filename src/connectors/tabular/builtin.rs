//! The built-in mappings, written as anybody's own: one TOML file each.

/// Name and text of each.
pub const MAPPINGS: &[(&str, &str)] = &[
    ("hr", include_str!("builtin/hr.toml")),
    ("exceptions", include_str!("builtin/exceptions.toml")),
    ("systems", include_str!("builtin/systems.toml")),
    ("accounts", include_str!("builtin/accounts.toml")),
];

/// The text of the mapping called `name`.
pub fn text(name: &str) -> Option<&'static str> {
    MAPPINGS.iter().find(|(n, _)| *n == name).map(|(_, text)| *text)
}
