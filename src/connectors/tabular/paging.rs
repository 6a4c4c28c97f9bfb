//! Paging marks: what a body says of records that are not in it.

use std::collections::BTreeMap;

use serde_json::Value;

/// Members that name a next page while there is one.
const NEXT: &[&str] = &[
    "@odata.nextLink",
    "odata.nextLink",
    "nextLink",
    "nextPageToken",
    "next_page_token",
    "NextToken",
    "nextToken",
    "NextMarker",
    "Marker",
    "nextRecordsUrl",
    "nextPage",
    "next_page",
    "next_cursor",
    "nextCursor",
    "response_metadata.next_cursor",
    "meta.next_cursor",
    "links.next",
    "_links.next",
    "paging.next",
    "next",
];
/// Members that are `true` while there is a next page, and those that are `false`.
const MORE: &[&str] = &["IsTruncated", "isTruncated", "has_more", "hasMore", "more", "truncated"];
const LAST: &[&str] = &["isLast", "isLastPage", "is_last", "done"];
/// Members that count all records, not only those of the page.
const TOTAL: &[&str] = &["total", "totalResults", "totalCount", "total_count", "totalSize"];
const PER_PAGE: &[&str] = &["startAt", "startIndex", "itemsPerPage", "maxResults", "offset", "limit", "page", "per_page", "pageSize"];

/// What one document says of paging.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// The member that says that a page follows.
    pub next: Option<String>,
    /// All records of the list, over all pages, and the member that says so.
    pub total: Option<(String, u64)>,
}

/// Reads the marks out of the scalars beside the records.
pub fn marks(scalars: &BTreeMap<String, Value>) -> Marks {
    let is = |name: &str, wanted: bool| {
        let spelt = if wanted { "true" } else { "false" };
        scalars.get(name).is_some_and(|v| v.as_bool() == Some(wanted) || v.as_str() == Some(spelt))
    };
    let filled = |name: &str| match scalars.get(name) {
        Some(Value::String(text)) => !text.trim().is_empty(),
        Some(Value::Number(n)) => n.as_u64() != Some(0),
        _ => false,
    };
    let more = MORE.iter().find(|n| is(n, true)).or_else(|| LAST.iter().find(|n| is(n, false)));
    // A number is a position; a text is what the next request is to send.
    let token = scalars.get("offset").and_then(Value::as_str).is_some_and(|t| !t.trim().is_empty() && t.parse::<u64>().is_err());
    let next = more.or_else(|| NEXT.iter().find(|n| filled(n))).or(token.then_some(&"offset"));
    let count = |name: &&str| scalars.get(*name).and_then(Value::as_u64).map(|n| ((*name).to_owned(), n));
    // `total` alone may count anything; beside a page size or position it counts records.
    let paged = PER_PAGE.iter().chain(LAST).any(|n| scalars.contains_key(*n)) || scalars.contains_key("totalSize");
    Marks { next: next.map(|n| (*n).to_owned()), total: TOTAL.iter().find_map(count).filter(|_| paged) }
}

/// One file of an import as paging sees it.
#[derive(Clone, Debug)]
pub struct Page {
    pub file: u32,
    pub records: u64,
    pub marks: Marks,
}

/// Why files are short: each file's position and the reason.
///
/// Files given together are taken for the pages of one list: then one of them must be the last, and all together must
/// hold the total.
pub fn short(pages: &[Page]) -> Vec<(u32, String)> {
    let mut found = Vec::new();
    let ends = pages.iter().filter(|p| p.marks.next.is_none()).count();
    for page in pages {
        if let Some(name) = page.marks.next.as_ref().filter(|_| ends == 0) {
            found.push((page.file, format!("`{name}` says that a page follows, and no file given is the last page")));
        }
        if let Some((name, total)) = &page.marks.total {
            let same = pages.iter().filter(|p| p.marks.total == page.marks.total);
            let held: u64 = same.map(|p| p.records).sum();
            if held < *total {
                found.push((page.file, format!("`{name}` is {total}, and the files given hold {held} records")));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(value: Value) -> Marks {
        let Value::Object(map) = value else { panic!() };
        marks(&map.into_iter().collect())
    }

    #[test]
    fn every_vendors_mark_is_seen() {
        for value in [
            json!({"@odata.nextLink": "https://graph/x"}),
            json!({"nextLink": "https://arm/x"}),
            json!({"nextPageToken": "abc"}),
            json!({"IsTruncated": true, "Marker": "m"}),
            json!({"NextToken": "t"}),
            json!({"isLast": false}),
            json!({"done": false, "totalSize": 3}),
            json!({"response_metadata.next_cursor": "dXNlcg=="}),
            json!({"offset": "dXNlcjpVMEc5V0ZYTlo="}),
        ] {
            assert!(of(value.clone()).next.is_some(), "{value}");
        }
        for value in [
            json!({"nextLink": ""}),
            json!({"nextLink": null}),
            json!({"IsTruncated": false}),
            json!({"isLast": true}),
            json!({"done": true}),
            json!({"offset": 50}),
            json!({"offset": "50"}),
            json!({"offset": ""}),
        ] {
            assert_eq!(of(value.clone()).next, None, "{value}");
        }
        assert_eq!(of(json!({"total": 120, "startAt": 0, "maxResults": 50})).total, Some(("total".into(), 120)));
        assert_eq!(of(json!({"total": 120})).total, None, "may count anything");
    }

    #[test]
    fn pages_given_together_complete_each_other() {
        let page = |file, records, next: bool, total| Page {
            file,
            records,
            marks: Marks { next: next.then(|| "nextLink".to_owned()), total: Some(("total".to_owned(), total)) },
        };
        assert_eq!(short(&[page(0, 2, true, 3), page(1, 1, false, 3)]), []);
        let missing = short(&[page(0, 2, true, 5), page(1, 1, false, 5)]);
        assert_eq!(missing.iter().map(|m| m.0).collect::<Vec<_>>(), [0, 1]);
        assert!(missing[0].1.contains("hold 3"), "{missing:?}");
        assert_eq!(short(&[page(0, 2, true, 2)]).len(), 1);
    }
}
