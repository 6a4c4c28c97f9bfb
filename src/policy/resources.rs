//! Which resources a list of patterns is held to.

use super::glob;
use super::risks::RESOURCE_KINDS;

/// Actions whose resources carry the ARN of another service.
const ELSEWHERE: &[(&str, &str)] = &[
    ("ebs", "ec2"),
    ("ec2-instance-connect", "ec2"),
    ("rds-data", "rds"),
    ("redshift-data", "redshift"),
    ("ssm", "ec2"),
    ("waf-regional", "waf"),
];

/// The service all of whose resources a pattern covers, in one kind at least: `*` for every service, `None` where it is held to
/// particular resources. Region and account do not matter: `arn:aws:iam::*:role/*` is `iam`.
pub fn covers_all(resource: &str) -> Option<&str> {
    if glob::is_everything(resource) {
        return Some("*");
    }
    let mut parts = resource.splitn(6, ':');
    let (first, _partition, service) = (parts.next(), parts.next(), parts.next());
    if first != Some("arn") {
        return None;
    }
    let Some(last) = parts.nth(2) else {
        // `arn:*`, `arn:aws:s3*`: a wildcard that swallows the rest.
        return resource
            .ends_with('*')
            .then(|| service.map_or("*", |s| s.trim_end_matches('*')))
            .map(|s| if s.is_empty() { "*" } else { s });
    };
    let kind = last.strip_suffix('*').and_then(|l| l.strip_suffix(['/', ':']));
    let whole = glob::is_everything(last) || last == "*/*";
    // A bucket's name stands where other services have a kind.
    let whole = whole || service != Some("s3") && kind.is_some_and(|k| RESOURCE_KINDS.contains(&k.to_ascii_lowercase().as_str()));
    service.filter(|_| whole)
}

/// Whether a pattern covers everything that an action, given in lower case, can work on. One that names another service's resources
/// says nothing of it.
pub fn covers_all_of(resource: &str, action: &str) -> bool {
    let Some(covered) = covers_all(resource) else { return false };
    let service = action.split(':').next().unwrap_or_default();
    covered == service || covered.contains(['*', '?']) && glob::covers(covered, service) || ELSEWHERE.contains(&(service, covered))
}

/// Whether a pattern can name something that an action, given in lower case, works on, as far as its service tells.
pub fn can_be_of(resource: &str, action: &str) -> bool {
    let service = action.split(':').next().unwrap_or_default();
    match resource.strip_prefix("arn:").and_then(|rest| rest.split(':').nth(1)) {
        Some(named) => named.contains(['*', '?', '$']) || named == service || ELSEWHERE.contains(&(service, named)),
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_that_cover_all_of_a_kind_constrain_nothing() {
        for all in [
            "*",
            "**",
            "arn:*",
            "arn:aws:iam::*:*",
            "arn:aws:iam::123456789012:role/*",
            "arn:aws:s3:::*",
            "arn:aws:s3:::*/*",
            "arn:aws:lambda:*:*:function:*",
            "arn:aws:sqs:eu-west-1:123456789012:*",
        ] {
            assert!(covers_all(all).is_some(), "{all}");
        }
        for some in [
            "arn:aws:s3:::bucket/*",
            "arn:aws:iam::*:role/app-*",
            "arn:aws:iam::*:role/app/*",
            "",
            "role/*",
            "arn:aws:s3:::a*",
            "arn:aws:iam::*:user/${aws:username}",
            "arn:aws:execute-api:eu-west-1:123456789012:abc/*",
            "arn:aws:iam",
        ] {
            assert_eq!(covers_all(some), None, "{some}");
        }
    }

    #[test]
    fn a_wildcard_of_one_service_says_nothing_of_another() {
        for (resource, action, want) in [
            ("*", "iam:passrole", true),
            ("arn:aws:*", "iam:passrole", true),
            ("arn:*:*:*:*:*", "iam:passrole", true),
            ("arn:aws:iam::*:role/*", "iam:passrole", true),
            ("arn:aws:s3:::*", "iam:passrole", false),
            ("arn:aws:s3*", "s3:getobject", true),
            ("arn:aws:s3*", "sns:publish", false),
            ("arn:aws:ec2:*:*:instance/*", "ssm:startsession", true),
            ("arn:aws:ec2:*:*:instance/*", "iam:passrole", false),
        ] {
            assert_eq!(covers_all_of(resource, action), want, "{resource} {action}");
        }
    }

    #[test]
    fn a_pattern_of_another_service_names_nothing_of_an_action() {
        for (resource, action, want) in [
            ("*", "lambda:invokefunction", true),
            ("arn:aws:lambda:*:*:function:a", "lambda:invokefunction", true),
            ("arn:aws:*:*:*:a", "lambda:invokefunction", true),
            ("arn:aws:s3:::a/*", "lambda:invokefunction", false),
            ("arn:aws:ec2:*:*:instance/i-1", "ssm:startsession", true),
        ] {
            assert_eq!(can_be_of(resource, action), want, "{resource} {action}");
        }
    }
}
