//! LDIF as `ldapsearch -LLL` writes it: values that are not plain become base64, lines are folded at 76 columns.

use data_encoding::BASE64;

const WIDTH: usize = 76;

/// An export under construction.
#[derive(Default)]
pub struct Ldif(String);

impl Ldif {
    /// Starts a record.
    pub fn dn(&mut self, dn: &str) {
        if !self.0.is_empty() {
            self.0.push('\n');
        }
        self.text("dn", dn);
    }

    /// One attribute value.
    pub fn text(&mut self, name: &str, value: &str) {
        if is_safe(value) { self.line(&format!("{name}: {value}")) } else { self.bytes(name, value.as_bytes()) }
    }

    /// One value for each element.
    pub fn texts<'a>(&mut self, name: &str, values: impl IntoIterator<Item = &'a str>) {
        for value in values {
            self.text(name, value);
        }
    }

    /// A number or another plain value.
    pub fn show(&mut self, name: &str, value: impl std::fmt::Display) {
        self.line(&format!("{name}: {value}"));
    }

    /// A binary value.
    pub fn bytes(&mut self, name: &str, value: &[u8]) {
        self.line(&format!("{name}:: {}", BASE64.encode(value)));
    }

    /// A comment on a line of its own, after an empty one.
    pub fn comment(&mut self, text: &str) {
        self.0.push_str("\n# ");
        self.0.push_str(text);
        self.0.push('\n');
    }

    pub fn finish(mut self) -> String {
        self.0.push('\n');
        self.0
    }

    /// Only ASCII reaches this place, so columns are bytes.
    fn line(&mut self, line: &str) {
        for (column, c) in line.chars().enumerate() {
            // The first line holds 76 columns; each further one a blank and 75.
            if column >= WIDTH && (column - WIDTH).is_multiple_of(WIDTH - 1) {
                self.0.push_str("\n ");
            }
            self.0.push(c);
        }
        self.0.push('\n');
    }
}

/// RFC 2849 SAFE-STRING that does not end in a blank either.
fn is_safe(value: &str) -> bool {
    value.bytes().all(|b| (0x20..0x7f).contains(&b)) && !value.starts_with([' ', ':', '<']) && !value.ends_with(' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_fold_and_other_scripts_become_base64() {
        let mut ldif = Ldif::default();
        ldif.dn(&format!("CN={}", "a".repeat(90)));
        ldif.text("cn", "Zoë");
        ldif.text("info", "ends in a blank ");
        let text = ldif.finish();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0].len(), 76);
        assert_eq!(lines[0].len() + lines[1].len() - 1, 4 + 3 + 90);
        assert_eq!(lines[2], "cn:: Wm/Dqw==");
        assert!(lines[3].starts_with("info:: "));
        assert!(text.ends_with("\n\n"));
    }
}
