//! Conditions of statements. One key is decided, the service that a role is passed to; everything else stays a condition.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::policy::glob;

/// A statement's condition, as stored and as far as it can be decided.
#[derive(Clone, Debug, Default)]
pub(super) struct Condition {
    /// JSON, verbatim.
    pub text: String,
    tests: Vec<Test>,
    /// It asks for something else, too.
    other: bool,
}

/// One comparison with `iam:PassedToService`.
#[derive(Clone, Debug)]
struct Test {
    negated: bool,
    like: bool,
    /// Holds where the key is absent.
    absent: bool,
    values: Vec<String>,
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Truth {
    No,
    Unknown,
    Yes,
}

impl Condition {
    pub fn read(text: &str) -> Self {
        let mut condition = Self { text: text.to_owned(), ..Self::default() };
        let blocks: BTreeMap<String, BTreeMap<String, Value>> = match serde_json::from_str(text) {
            Ok(blocks) => blocks,
            Err(_) => return Self { other: true, ..condition },
        };
        for (operator, keys) in blocks {
            for (key, value) in keys {
                match test(&operator, &key, &value) {
                    Some(test) => condition.tests.push(test),
                    None => condition.other = true,
                }
            }
        }
        condition
    }

    /// Whether it holds for an action that passes a role to `service`, or that passes none.
    pub fn holds(&self, service: Option<&str>) -> Truth {
        if !self.tests.iter().all(|t| t.holds(service)) {
            return Truth::No;
        }
        if self.other { Truth::Unknown } else { Truth::Yes }
    }
}

fn test(operator: &str, key: &str, value: &Value) -> Option<Test> {
    if !key.eq_ignore_ascii_case("iam:PassedToService") {
        return None;
    }
    let operator = operator.to_ascii_lowercase();
    let every = operator.strip_prefix("forallvalues:");
    let base = every.or_else(|| operator.strip_prefix("foranyvalue:")).unwrap_or(&operator);
    let optional = base.strip_suffix("ifexists");
    let (negated, like) = match optional.unwrap_or(base) {
        "stringequals" | "stringequalsignorecase" => (false, false),
        "stringlike" => (false, true),
        "stringnotequals" | "stringnotequalsignorecase" => (true, false),
        "stringnotlike" => (true, true),
        _ => return None,
    };
    let values = match value {
        Value::String(one) => vec![one.to_ascii_lowercase()],
        Value::Array(many) => many.iter().map(|v| v.as_str().map(str::to_ascii_lowercase)).collect::<Option<_>>()?,
        _ => return None,
    };
    let variable = values.iter().any(|v: &String| v.contains("${"));
    (!variable).then(|| Test { negated, like, absent: negated || every.is_some() || optional.is_some(), values })
}

impl Test {
    fn holds(&self, service: Option<&str>) -> bool {
        let Some(service) = service else { return self.absent };
        let met = self.values.iter().any(|v| if self.like { glob::covers(v, service) } else { v == service });
        met != self.negated
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_that_a_role_is_passed_to_is_decided() {
        use Truth::*;
        let ec2 = Some("ec2.amazonaws.com");
        for (text, passed, none) in [
            (r#"{"StringEquals":{"iam:PassedToService":"ec2.amazonaws.com"}}"#, Yes, No),
            (r#"{"StringEquals":{"iam:PassedToService":["lambda.amazonaws.com","glue.amazonaws.com"]}}"#, No, No),
            (r#"{"StringLike":{"IAM:passedtoservice":"ec2.*"}}"#, Yes, No),
            (r#"{"StringEqualsIfExists":{"iam:PassedToService":"lambda.amazonaws.com"}}"#, No, Yes),
            (r#"{"ForAnyValue:StringEquals":{"iam:PassedToService":["ec2.amazonaws.com"]}}"#, Yes, No),
            (r#"{"ForAllValues:StringEquals":{"iam:PassedToService":["ec2.amazonaws.com"]}}"#, Yes, Yes),
            (r#"{"StringNotEquals":{"iam:PassedToService":"ec2.amazonaws.com"}}"#, No, Yes),
            (r#"{"StringNotLike":{"iam:PassedToService":"lambda*"}}"#, Yes, Yes),
            (r#"{"Bool":{"aws:MultiFactorAuthPresent":"true"}}"#, Unknown, Unknown),
            (r#"{"Bool":{"aws:MultiFactorAuthPresent":"true"},"StringEquals":{"iam:PassedToService":"lambda.amazonaws.com"}}"#, No, No),
            (r#"{"StringEquals":{"iam:PassedToService":"ec2.amazonaws.com","aws:RequestTag/x":"y"}}"#, Unknown, No),
            (r#"{"Null":{"iam:PassedToService":"true"}}"#, Unknown, Unknown),
            (r#"{"StringEquals":{"iam:PassedToService":"${aws:PrincipalTag/service}"}}"#, Unknown, Unknown),
            (r#"{"StringEquals":{"iam:PassedToService":5}}"#, Unknown, Unknown),
            ("[]", Unknown, Unknown),
            ("no JSON", Unknown, Unknown),
        ] {
            let condition = Condition::read(text);
            assert_eq!((condition.holds(ec2), condition.holds(None)), (passed, none), "{text}");
        }
    }

    #[test]
    fn deep_nesting_is_a_condition_like_any_other() {
        let deep = format!(r#"{{"StringEquals":{{"iam:PassedToService":{}"x"{}}}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(Condition::read(&deep).holds(Some("ec2.amazonaws.com")), Truth::Unknown);
    }
}
