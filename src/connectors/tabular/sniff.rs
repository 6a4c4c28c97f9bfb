//! What format a file is in: its first bytes decide, then its name.

use crate::connectors::Input;

/// The formats that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Csv,
    Tsv,
    Json,
    NdJson,
    Parquet,
    Xml,
}

impl Format {
    /// Its spellings in the configuration.
    pub const NAMES: &[(&str, Self)] = &[
        ("csv", Self::Csv),
        ("tsv", Self::Tsv),
        ("json", Self::Json),
        ("ndjson", Self::NdJson),
        ("jsonl", Self::NdJson),
        ("parquet", Self::Parquet),
        ("xml", Self::Xml),
    ];

    /// The format spelt `name`.
    pub fn parse(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(n, _)| *n == name).map(|(_, f)| *f)
    }

    /// Its name in the ledger.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Tsv => "tsv",
            Self::Json => "json",
            Self::NdJson => "ndjson",
            Self::Parquet => "parquet",
            Self::Xml => "xml",
        }
    }
}

/// The format of a file whose first bytes, as UTF-8, are `head`.
pub fn format(input: &Input, head: &[u8]) -> Format {
    if head.starts_with(b"PAR1") {
        return Format::Parquet;
    }
    let name = input.name.to_ascii_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    let ending = |end: &str| name.ends_with(end);
    match head.iter().find(|b| !b.is_ascii_whitespace()) {
        Some(b'[') => Format::Json,
        Some(b'<') if ending(".xml") => Format::Xml,
        Some(b'{') if ending(".ndjson") || ending(".jsonl") || objects_by_line(head) => Format::NdJson,
        Some(b'{') => Format::Json,
        _ if ending(".ndjson") || ending(".jsonl") => Format::NdJson,
        _ if ending(".json") => Format::Json,
        _ if ending(".tsv") || ending(".tab") => Format::Tsv,
        _ => Format::Csv,
    }
}

/// The first line is a whole object, and the second starts one.
fn objects_by_line(head: &[u8]) -> bool {
    let mut lines = head.split(|b| *b == b'\n').map(<[u8]>::trim_ascii).filter(|l| !l.is_empty());
    let (Some(first), Some(second)) = (lines.next(), lines.next()) else { return false };
    second.starts_with(b"{") && serde_json::from_slice::<serde::de::IgnoredAny>(first).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_comes_before_the_name() {
        let sniff = |name: &str, head: &str| {
            let input = Input { name: name.into(), path: "".into(), size: 0, sha256: [0; 32], limits: Default::default() };
            format(&input, head.as_bytes())
        };
        assert_eq!(sniff("x.csv", "PAR1\0"), Format::Parquet);
        assert_eq!(sniff("x.csv", " [\n{}]"), Format::Json);
        assert_eq!(sniff("x.json", "{\"a\":1}\n{\"a\":2}\n"), Format::NdJson);
        assert_eq!(sniff("x.json", "{\"a\":\n1}\n"), Format::Json);
        assert_eq!(sniff("x.jsonl.gz", "{\"a\":1}\n"), Format::NdJson);
        assert_eq!(sniff("x.TSV", "a\tb\n"), Format::Tsv);
        assert_eq!(sniff("x.txt", "a;b\n"), Format::Csv);
        assert_eq!(sniff("x.json", ""), Format::Json);
        assert_eq!(sniff("x.xml", "<?xml version='1.0'?><a/>"), Format::Xml);
    }
}
