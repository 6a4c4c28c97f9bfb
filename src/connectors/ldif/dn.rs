//! Distinguished names (RFC 4514) and the extended forms in which Active Directory and Samba print them.

use data_encoding::HEXLOWER_PERMISSIVE;

use super::values;
use crate::model::text::{norm, push_norm};

/// A DN as a value holds it, with what an extended form says besides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reference<'a> {
    pub guid: Option<String>,
    pub sid: Option<String>,
    /// Seconds that a temporary membership has left, counted from the extraction.
    pub ttl: Option<u64>,
    /// The plain DN.
    pub dn: &'a str,
}

/// Takes `<GUID=…>;<SID=…>;CN=…`, `<TTL=…>,CN=…` and plain DNs apart. Parts of other names are passed over.
pub fn reference(text: &str) -> Reference<'_> {
    let mut found = Reference { dn: text.trim(), ..Reference::default() };
    while let Some((part, rest)) = found.dn.strip_prefix('<').and_then(|t| t.split_once('>')) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        match name.to_ascii_uppercase().as_str() {
            "GUID" => found.guid = guid(value),
            "SID" => found.sid = sid(value),
            "TTL" => found.ttl = value.parse().ok(),
            _ => {}
        }
        found.dn = rest.trim_start_matches([';', ',']);
    }
    found
}

/// A GUID in text, or in the hex of its bytes.
fn guid(value: &str) -> Option<String> {
    values::guid(value.as_bytes()).or_else(|| values::guid(&HEXLOWER_PERMISSIVE.decode(value.as_bytes()).ok()?))
}

/// A SID in text, or in the hex of its bytes.
fn sid(value: &str) -> Option<String> {
    values::sid(value.as_bytes()).or_else(|| values::sid(&HEXLOWER_PERMISSIVE.decode(value.as_bytes()).ok()?))
}

/// The form in which two spellings of one DN are equal: types in lower case, values unescaped and normalised, parts of a
/// multi-valued RDN sorted, everything escaped in one way. The empty DN gives the empty text; `None` where `dn` is no DN.
pub fn key(dn: &str) -> Option<String> {
    if dn.trim().is_empty() {
        return Some(String::new());
    }
    if dn.is_ascii() && memchr::memchr3(b'\\', b'"', b'+', dn.as_bytes()).is_none() {
        return simple_key(dn);
    }
    any_key(dn)
}

/// [`key`] of whatever text.
fn any_key(dn: &str) -> Option<String> {
    let mut rdns = Vec::new();
    for rdn in split(dn, b",;") {
        let mut parts = split(rdn, b"+").into_iter().map(part).collect::<Option<Vec<_>>>()?;
        parts.sort_unstable();
        rdns.push(parts.join("+"));
    }
    Some(rdns.join(","))
}

/// [`key`] of an ASCII DN that escapes nothing, quotes nothing and has one part in each RDN, as most have: written in one pass.
fn simple_key(dn: &str) -> Option<String> {
    let mut out = String::with_capacity(dn.len() + 8);
    for (place, rdn) in dn.split([',', ';']).enumerate() {
        if place > 0 {
            out.push(',');
        }
        let (name, value) = rdn.split_once('=')?;
        let name = name.trim();
        if !is_type(name) {
            return None;
        }
        out.extend(name.chars().map(|c| c.to_ascii_lowercase()));
        out.push('=');
        if memchr::memchr3(b'=', b'<', b'>', value.as_bytes()).is_none() {
            push_norm(value, &mut out);
        } else {
            out.push_str(&escape(&norm(value).unwrap_or_default()));
        }
    }
    Some(out)
}

/// Whether a text can be the type of an attribute.
fn is_type(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
}

/// Type (lower case) and unescaped value of the first part of a DN.
pub fn leaf(dn: &str) -> Option<(String, String)> {
    let first = split(split(dn, b",;").first()?, b"+").into_iter().next()?;
    let (name, value) = first.split_once('=')?;
    Some((name.trim().to_ascii_lowercase(), unescape(value.trim_start())?))
}

/// Whether a DN is `name=value`, with the type and value compared in their normal form, or lies below it.
pub fn under(key: &str, name: &str) -> bool {
    split(key, b",").contains(&name)
}

/// Cuts at each of `at` that no `\` escapes and no quotes enclose.
fn split<'a>(text: &'a str, at: &[u8]) -> Vec<&'a str> {
    let (mut parts, mut from) = (Vec::new(), 0);
    let (mut escaped, mut quoted) = (false, false);
    for (i, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            _ if !quoted && at.contains(&byte) => {
                parts.extend(text.get(from..i));
                from = i + 1;
            }
            _ => {}
        }
    }
    parts.extend(text.get(from..));
    parts
}

/// One `type=value`, normalised.
fn part(text: &str) -> Option<String> {
    let (name, value) = text.split_once('=')?;
    let name = name.trim().to_ascii_lowercase();
    let value = norm(&unescape(value)?).unwrap_or_default();
    is_type(&name).then(|| format!("{name}={}", escape(&value)))
}

/// Undoes `\,`, `\2C` and quotes. `None` where a `\` ends the text.
fn unescape(text: &str) -> Option<String> {
    let trimmed = text.trim();
    let text = trimmed.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(text);
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'\\' {
            out.push(*byte);
            continue;
        }
        let pair = rest.split_first_chunk::<2>().and_then(|(two, after)| Some((HEXLOWER_PERMISSIVE.decode(two).ok()?, after)));
        if let Some((decoded, after)) = pair {
            out.extend(decoded);
            rest = after;
        } else {
            let (literal, after) = rest.split_first()?;
            out.push(*literal);
            rest = after;
        }
    }
    Some(String::from_utf8_lossy(&out).into_owned())
}

fn escape(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        if matches!(c, ',' | ';' | '+' | '=' | '"' | '\\' | '<' | '>') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_dn_have_one_key() {
        let want = key(r"CN=Quill\, Marta,OU=Büro Süd,DC=fern,DC=example");
        assert_eq!(want.as_deref(), Some(r"cn=quill\, marta,ou=büro süd,dc=fern,dc=example"));
        for other in [
            r"cn=quill\2C marta, ou=B\C3\BCro S\C3\BCd , DC=Fern,dc=EXAMPLE",
            r#"CN="Quill, Marta",OU=Büro  Süd,DC=fern,DC=example"#,
            r"CN=Quill\2c\20Marta;OU=Büro Süd;DC=fern;DC=example",
        ] {
            assert_eq!(key(other), want, "{other}");
        }
        assert_eq!(key("uid=a+cn=b,dc=x"), key("CN=B + UID=A,DC=X"));
        assert_ne!(key(r"CN=a\,b,DC=x"), key("CN=a,CN=b,DC=x"));
    }

    proptest::proptest! {
        #[test]
        fn a_simple_dn_has_the_key_that_any_has(dn in "[a-cA-C=,;<> .\t\\-1]{0,24}|(CN|ou|d.c|)( |)=[ A-c<>=]{0,6}[,;](dc)=[a-f ]{0,5}") {
            let want = if dn.trim().is_empty() { Some(String::new()) } else { any_key(&dn) };
            proptest::prop_assert_eq!(key(&dn), want);
        }
    }

    #[test]
    fn a_line_break_in_a_name_is_one_name() {
        assert_eq!(key("CN=g\\0ADEL:1,CN=Deleted Objects"), key("cn=g\\0adel:1,cn=deleted objects"));
        assert_eq!(leaf("CN=g\\0ADEL:1,DC=x"), Some(("cn".into(), "g\nDEL:1".into())));
    }

    #[test]
    fn what_is_no_dn_has_no_key() {
        for text in ["ou=people,{{ BASE }}", "nobody", "=x", "cn=x\\", "c n=x"] {
            assert_eq!(key(text), None, "{text}");
        }
        assert_eq!(key(""), Some(String::new()));
    }

    #[test]
    fn extended_forms_are_taken_apart() {
        let both = reference("<GUID=1e9ae61b-fa5a-445f-ad01-90ade6d243be>;<SID=S-1-5-21-1-2-3-512>;CN=Admins,DC=x");
        assert_eq!(both.guid.as_deref(), Some("1e9ae61b-fa5a-445f-ad01-90ade6d243be"));
        assert_eq!((both.sid.as_deref(), both.dn), (Some("S-1-5-21-1-2-3-512"), "CN=Admins,DC=x"));
        let hex = reference("<GUID=1be69a1e5afa5f44ad0190ade6d243be>;<SID=01020000000000052000000020020000>;CN=Admins,DC=x");
        assert_eq!((hex.guid, hex.sid.as_deref()), (both.guid, Some("S-1-5-32-544")));
        assert_eq!(reference("<TTL=3600>,CN=a,DC=x"), Reference { ttl: Some(3600), dn: "CN=a,DC=x", ..Reference::default() });
        assert_eq!(reference("<oops").dn, "<oops");
    }

    #[test]
    fn a_part_is_found_whole() {
        assert!(under("cn=s-1-5-11,cn=foreignsecurityprincipals,dc=x", "cn=foreignsecurityprincipals"));
        assert!(!under(r"cn=a\,cn=foreignsecurityprincipals,dc=x", "cn=foreignsecurityprincipals"));
    }
}
