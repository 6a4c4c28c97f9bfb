//! The configuration that `holdover init` writes: every key, commented, with the value that people mostly want.

/// The text of a commented `holdover.toml`. It loads as it is; prose lines start with `# `, keys that wait to be used with
/// `#` and no blank.
pub const TEMPLATE: &str = include_str!("init.toml");

#[cfg(test)]
mod tests {
    use super::super::{Config, KEYS, Known};
    use super::*;

    const KNOWN: Known<'static> = Known {
        connectors: &["tabular", "ldif", "aws-iam", "okta", "vault"],
        checks: Some(&["dormant-account", "stale-key"]),
        parameter: &|_, _, _| Ok(()),
    };

    /// Every key that waits, put to use.
    fn uncommented() -> String {
        let line = |l: &'static str| match l.strip_prefix('#') {
            Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '[') => rest,
            _ => l,
        };
        TEMPLATE.lines().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_template_loads_as_it_is() {
        let config = Config::parse(TEMPLATE, "holdover.toml", &KNOWN).unwrap();
        assert_eq!((config.sources.len(), config.store.to_str()), (0, Some("store")));
    }

    #[test]
    fn the_template_loads_with_every_key_in_use() {
        let text = uncommented();
        let config = Config::parse(&text, "holdover.toml", &KNOWN).unwrap_or_else(|e| panic!("{e}\n{text}"));
        let systems: Vec<&str> = config.sources.iter().map(|s| s.system.as_str()).collect();
        assert_eq!(
            systems,
            ["hr", "contractors", "corp-ad", "aws-{account}", "okta", "vault", "workloads", "tickets", "roles", "register"]
        );
        assert_eq!(config.overrides.keys().collect::<Vec<_>>(), ["dormant-account", "stale-key"]);
    }

    #[test]
    fn the_template_shows_every_key() {
        let text = uncommented();
        for key in KEYS.iter().filter(|k| k.section != "sidecar") {
            let shown = text.contains(&format!("{} = ", key.name)) || text.contains(&format!("{}]", key.name));
            assert!(shown, "{}.{}", key.section, key.name);
        }
    }
}
