//! What the records of others call the systems of a run.

use std::collections::BTreeMap;

use crate::model::text::norm;

/// Systems by name and by the further names that the configuration gives them, without regard to case.
#[derive(Clone, Debug, Default)]
pub struct SystemNames {
    by_name: BTreeMap<String, u32>,
}

impl SystemNames {
    /// `systems`: ordinal, name, further names. A name that two systems share is the first one's.
    pub fn new<'a>(systems: impl Iterator<Item = (u32, &'a str, &'a [String])>) -> Self {
        let systems: Vec<(u32, &str, &[String])> = systems.collect();
        let mut by_name = BTreeMap::new();
        let own = systems.iter().map(|(ix, name, _)| (*ix, *name));
        let further = systems.iter().flat_map(|(ix, _, more)| more.iter().map(|m| (*ix, m.as_str())));
        // Own names go first: another system's alias never takes one away.
        for (ix, name) in own.chain(further) {
            if let Some(name) = norm(name) {
                by_name.entry(name).or_insert(ix);
            }
        }
        Self { by_name }
    }

    /// The system that a record calls `text`.
    pub fn find(&self, text: &str) -> Option<u32> {
        self.by_name.get(&norm(text)?).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_answers_to_its_name_and_its_aliases() {
        let more = ["Corporate Directory".to_owned(), "app".to_owned()];
        let names = SystemNames::new([(0, "corp-ad", more.as_slice()), (1, "app", &[])].into_iter());
        assert_eq!(names.find("Corp-AD"), Some(0));
        assert_eq!(names.find(" corporate  directory "), Some(0));
        assert_eq!(names.find("app"), Some(1), "a name of its own goes before another's alias");
        assert_eq!((names.find("wiki"), names.find("")), (None, None));
    }
}
