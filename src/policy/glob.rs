//! IAM's wildcards: `*` for any run of characters, `?` for one. Both sides are lower case already.

/// Whether `pattern` matches `text`. A `*` inside `text` is an ordinary character that only `*` matches, so for two patterns
/// `true` means that the first covers everything that the second does.
pub fn covers(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    // Nothing shorter than its literals can match: what is made of wildcards to be slow ends here.
    if pattern.iter().filter(|b| **b != b'*').count() > text.len() {
        return false;
    }
    let (mut p, mut t) = (0, 0);
    let mut resume: Option<(usize, usize)> = None;
    while let Some(c) = text.get(t) {
        match pattern.get(p) {
            Some(b'*') => {
                resume = Some((p, t));
                p += 1;
            }
            Some(b'?') if *c != b'*' => {
                p += 1;
                t += 1;
            }
            Some(literal) if literal == c => {
                p += 1;
                t += 1;
            }
            _ => match resume {
                Some((star, from)) => {
                    p = star + 1;
                    t = from + 1;
                    resume = Some((star, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|b| *b == b'*')
}

/// The longest pattern whose overlap is computed. AWS's own policies have none longer; beyond it two patterns are taken to meet.
const LONGEST: usize = 64;

/// Whether some text matches both patterns.
pub fn meet(a: &str, b: &str) -> bool {
    let wildless = |p: &str| !p.contains(['*', '?']);
    if wildless(b) {
        return covers(a, b);
    }
    if wildless(a) {
        return covers(b, a);
    }
    let (x, y) = (literal_prefix(a), literal_prefix(b));
    if !x.starts_with(y) && !y.starts_with(x) {
        return false;
    }
    if a.len() > LONGEST || b.len() > LONGEST {
        return true;
    }
    // `row` holds, for the part of `a` read so far, which parts of `b` can meet it.
    let wild = |c: u8| c == b'*';
    let mut row = vec![true];
    for c in b.bytes() {
        let last = row.last() == Some(&true);
        row.push(last && wild(c));
    }
    for x in a.bytes() {
        let mut next = vec![row.first() == Some(&true) && wild(x)];
        for (y, pair) in b.bytes().zip(row.windows(2)) {
            let (diagonal, above) = (pair.first() == Some(&true), pair.last() == Some(&true));
            let left = next.last() == Some(&true);
            let met = match (wild(x), wild(y)) {
                (true, true) => diagonal || above || left,
                (true, false) => above || left || diagonal,
                (false, true) => left || above || diagonal,
                (false, false) => diagonal && (x == y || x == b'?' || y == b'?'),
            };
            next.push(met);
        }
        row = next;
    }
    row.last() == Some(&true)
}

/// Only `*`, at least one.
pub fn is_everything(pattern: &str) -> bool {
    !pattern.is_empty() && pattern.bytes().all(|b| b == b'*')
}

/// What stands in front of the first wildcard.
pub fn literal_prefix(pattern: &str) -> &str {
    pattern.split(['*', '?']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_stand_anywhere() {
        for (pattern, text, want) in [
            ("s3:get*acl", "s3:getbucketacl", true),
            ("s3:get*acl", "s3:getobject", false),
            ("iam:*role*", "iam:passrole", true),
            ("iam:*role*", "iam:putuserpolicy", false),
            ("*", "a:b", true),
            ("*:*", "a:b", true),
            ("iam:?etuser", "iam:getuser", true),
            ("iam:getuser?", "iam:getuser", false),
            ("**", "", true),
            ("", "", true),
            ("", "a", false),
            ("a*b*c", "axbxbc", true),
            ("iam:*", "iam:get*", true),
            ("iam:?*", "iam:*", false),
            ("iam:get*", "iam:*", false),
        ] {
            assert_eq!(covers(pattern, text), want, "{pattern} {text}");
        }
    }

    #[test]
    fn patterns_meet_where_some_action_matches_both() {
        for (a, b, want) in [
            ("iam:*", "iam:get*", true),
            ("iam:*role", "iam:pass*", true),
            ("iam:*", "s3:*", false),
            ("*", "s3:getobject", true),
            ("s3:get?", "s3:*a", true),
            ("s3:g?t", "s3:gets", false),
            ("iam:create*", "iam:delete*", false),
            ("*user", "iam:*", true),
            ("", "", true),
            ("", "*", true),
            ("a", "", false),
            ("a*c", "ab*", true),
            ("a*c", "ab", false),
        ] {
            assert_eq!(meet(a, b), want, "{a} {b}");
            assert_eq!(meet(b, a), want, "{b} {a}");
        }
    }

    proptest::proptest! {
        #[test]
        fn covering_implies_meeting(a in "[ab*?]{0,8}", b in "[ab*]{0,8}") {
            if covers(&a, &b) {
                proptest::prop_assert!(meet(&a, &b));
            }
        }

        #[test]
        fn a_common_text_is_found(a in "[ab*?]{0,6}", b in "[ab*?]{0,6}", text in "[ab]{0,6}") {
            if covers(&a, &text) && covers(&b, &text) {
                proptest::prop_assert!(meet(&a, &b));
            }
        }
    }
}
