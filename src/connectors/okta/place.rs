//! What a file's name says of it: whose members or assignments it holds where its records do not.

/// The ids of Okta in a path, and the words of its end.
#[derive(Debug, Default)]
pub(super) struct Place {
    /// The last group id (`00g…`) of the path.
    pub(super) group: Option<String>,
    /// The last user id (`00u…`).
    pub(super) user: Option<String>,
    /// The last app id (`0oa…`).
    pub(super) app: Option<String>,
    /// The other words of its end, lower case, plural `s` removed.
    words: Vec<String>,
}

/// Ids of Okta are twenty letters and digits.
const ID: usize = 20;

/// Words count in the file's own name and its folder; further up they are about something else (`exports/apps/okta/…`).
const WORDS: usize = 2;

impl Place {
    pub(super) fn of(name: &str) -> Self {
        let mut place = Self::default();
        let folders = name.split('/').count();
        for (i, folder) in name.split('/').enumerate() {
            for part in folder.split(|c: char| !c.is_ascii_alphanumeric()).filter(|p| !p.is_empty()) {
                place.part(part, i + WORDS >= folders);
            }
        }
        place
    }

    fn part(&mut self, part: &str, near: bool) {
        let slot = match part.get(..3).filter(|_| part.len() == ID) {
            Some("00g") => &mut self.group,
            Some("00u") => &mut self.user,
            Some("0oa") => &mut self.app,
            _ => {
                if near {
                    let word = part.to_ascii_lowercase();
                    self.words.push(word.strip_suffix('s').unwrap_or(&word).to_owned());
                }
                return;
            }
        };
        *slot = Some(part.to_owned());
    }

    pub(super) fn says(&self, word: &str) -> bool {
        self.words.iter().any(|w| w == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_words_of_a_path() {
        let place = Place::of("okta/groups/00gbrook0000000000a1.users-2.json");
        assert_eq!(place.group.as_deref(), Some("00gbrook0000000000a1"));
        assert_eq!((place.user, place.app), (None, None));
        let place = Place::of("apps/0oabrook0000000000a1/groups.json");
        assert_eq!(place.app.as_deref(), Some("0oabrook0000000000a1"));
        assert!(place.says("group") && !place.says("user"));
        assert_eq!(Place::of("00gshort.json").group, None);
        assert!(!Place::of("exports/apps/okta/users.json").says("app"), "a folder further up");
    }
}
