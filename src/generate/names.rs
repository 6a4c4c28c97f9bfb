//! Names without end: no two people share one unless they are meant to.

use std::fmt::Write;

const GIVEN: [&str; 48] = [
    "Ada", "Ahmed", "Akira", "Amina", "Ana", "Andrei", "Anna", "Arjun", "Aylin", "Beatriz", "Carlos", "Chen", "Clara", "Daniel", "Dmitri",
    "Elena", "Emma", "Erik", "Fatima", "Felix", "Hana", "Hugo", "Ines", "Ivan", "Jana", "Joao", "Julia", "Kemal", "Lars", "Laura", "Leila",
    "Lucas", "Maria", "Marta", "Mei", "Nadia", "Noah", "Olga", "Omar", "Paula", "Priya", "Rosa", "Samuel", "Sofia", "Tariq", "Vera", "Wei",
    "Yusuf",
];
const ONSETS: [char; 20] = ['b', 'd', 'f', 'g', 'h', 'j', 'k', 'l', 'm', 'n', 'p', 'r', 's', 't', 'v', 'w', 'z', 'c', 'x', 'y'];
const VOWELS: [char; 5] = ['a', 'e', 'i', 'o', 'u'];

/// How many given names there are; a person's is told by their number modulo this.
pub const GIVEN_NAMES: u64 = GIVEN.len() as u64;

/// The given name of the person of that number.
pub fn given(person: u64) -> &'static str {
    GIVEN.get((person % GIVEN_NAMES) as usize).copied().unwrap_or_default()
}

/// Writes the family name of the person of that number, `lower` as in a login.
pub fn family(person: u64, lower: bool, to: &mut String) {
    let mut rest = person / GIVEN_NAMES;
    // Three syllables name a million families; each further one a hundred times as many.
    let mut left = 3;
    let mut first = true;
    while left > 0 || rest > 0 {
        let syllable = (rest % 100) as usize;
        let onset = ONSETS.get(syllable / 5).copied().unwrap_or('b');
        to.push(if first && !lower { onset.to_ascii_uppercase() } else { onset });
        to.extend(VOWELS.get(syllable % 5));
        rest /= 100;
        left -= i32::from(left > 0);
        first = false;
    }
}

/// The forms in which a name is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    Spoken,
    FamilyFirst,
    Capitals,
}

/// Writes a person's name.
pub fn shown(person: u64, form: Shown, to: &mut String) {
    let start = to.len();
    if form == Shown::FamilyFirst {
        family(person, false, to);
        let _ = write!(to, ", {}", given(person));
        return;
    }
    to.push_str(given(person));
    to.push(' ');
    family(person, false, to);
    if form == Shown::Capitals {
        let capitals = to.get(start..).unwrap_or_default().to_ascii_uppercase();
        to.truncate(start);
        to.push_str(&capitals);
    }
}

/// Writes `given.family` in small letters.
pub fn dotted(person: u64, to: &mut String) {
    to.extend(given(person).chars().map(|c| c.to_ascii_lowercase()));
    to.push('.');
    family(person, true, to);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_people_share_a_name() {
        let name = |person| {
            let mut text = String::new();
            dotted(person, &mut text);
            text
        };
        let numbers = (0..200_000).chain(48_000_000..48_010_000).chain(4_800_000_000..4_800_000_100);
        let all: BTreeSet<String> = numbers.clone().map(name).collect();
        assert_eq!(all.len(), numbers.count());
    }

    #[test]
    fn a_name_has_several_forms() {
        let name = |form| {
            let mut text = String::new();
            shown(49, form, &mut text);
            text
        };
        assert_eq!(name(Shown::Spoken), "Ahmed Bebaba");
        assert_eq!(name(Shown::FamilyFirst), "Bebaba, Ahmed");
        assert_eq!(name(Shown::Capitals), "AHMED BEBABA");
    }
}
