//! CSV as a spreadsheet or a report writer makes it: quotes only where they are needed, CRLF nowhere.

/// A header and its rows.
pub fn table(header: &str, rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut out = String::from(header);
    out.push('\n');
    for row in rows {
        let cells: Vec<String> = row.into_iter().map(cell).collect();
        out.push_str(&cells.join(","));
        out.push('\n');
    }
    out
}

fn cell(text: String) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_stand_where_they_are_needed() {
        let rows = vec![vec!["plain".to_owned(), "a, \"b\"".to_owned()]];
        assert_eq!(table("x,y", rows), "x,y\nplain,\"a, \"\"b\"\"\"\n");
    }
}
