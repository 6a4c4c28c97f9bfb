//! The correlation rules: what may tie an account to an identity, how strongly, and in which order.

/// One rule: two normalised columns that must agree.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Unique name, shown in every trace.
    pub id: String,
    /// Rules of a lower tier are tried first; a certain match ends the search.
    pub tier: u32,
    /// Confidence that agreement gives, above 0 and at most 1.
    pub weight: f64,
    /// Column of the account: `employee_ref`, `email`, `upn`, `login`, `display_name`, `native_id`, or `attribute:<name>`.
    pub account: String,
    /// Column of the identity: `native_id`, `employee_number`, `email`, `login`, `alias`, `display_name`, `email_local`, `initial_family`
    /// (`jdoe`), `given_family` (`john.doe`).
    pub identity: String,
    /// Systems it applies to, `*` as wildcard; empty: all.
    pub systems: Vec<String>,
}

/// All rules and the two thresholds.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// One candidate at or above it links.
    pub certain: f64,
    /// A candidate at or above it counts; below it is nobody.
    pub possible: f64,
    pub rules: Vec<Rule>,
}

impl Default for Rules {
    /// Explicit keys first, names last; a name alone is never certain.
    fn default() -> Self {
        let rule = |id: &str, tier, weight, account: &str, identity: &str| Rule {
            id: id.to_owned(),
            tier,
            weight,
            account: account.to_owned(),
            identity: identity.to_owned(),
            systems: Vec::new(),
        };
        Self {
            certain: 0.9,
            possible: 0.5,
            rules: vec![
                rule("employee-number", 1, 1.0, "employee_ref", "employee_number"),
                rule("employee-key", 1, 1.0, "employee_ref", "native_id"),
                rule("email", 2, 0.95, "email", "email"),
                rule("upn-email", 2, 0.95, "upn", "email"),
                rule("login-email", 2, 0.95, "login", "email"),
                rule("email-alias", 2, 0.92, "email", "alias"),
                rule("login-login", 3, 0.92, "login", "login"),
                rule("login-alias", 3, 0.9, "login", "alias"),
                rule("login-email-local", 4, 0.7, "login", "email_local"),
                rule("login-given-family", 4, 0.7, "login", "given_family"),
                rule("login-initial-family", 4, 0.55, "login", "initial_family"),
                rule("name", 5, 0.6, "display_name", "display_name"),
            ],
        }
    }
}
