//! Which resources a list of patterns is held to.

use super::glob;
use super::risks::RESOURCE_KINDS;

/// Whether a pattern is held to no particular resource: `*`, or an ARN that is wild in its whole last part (`role/*`). Region and account
/// do not matter.
pub fn covers_all(resource: &str) -> bool {
    if glob::is_everything(resource) {
        return true;
    }
    let mut parts = resource.splitn(6, ':');
    let (first, _partition, service) = (parts.next(), parts.next(), parts.next());
    let last = parts.nth(2);
    match (first, service, last) {
        (Some("arn"), _, Some(last)) if glob::is_everything(last) || last == "*/*" => true,
        // `arn:*`, `arn:aws:s3*`: a wildcard that swallows the rest.
        (Some("arn"), _, None) => resource.ends_with('*'),
        // A bucket's name stands where other services have a kind.
        (Some("arn"), Some("s3"), _) => false,
        (Some("arn"), _, Some(last)) => {
            let kind = last.strip_suffix('*').and_then(|l| l.strip_suffix(['/', ':']));
            kind.is_some_and(|k| RESOURCE_KINDS.contains(&k.to_ascii_lowercase().as_str()))
        }
        _ => false,
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
            assert!(covers_all(all), "{all}");
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
            assert!(!covers_all(some), "{some}");
        }
    }
}
