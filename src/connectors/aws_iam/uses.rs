//! What AWS's dates say of use, and what their absence says.

use super::report::Seen;
use crate::model::{Time, UseState};

/// Since when AWS keeps the last use of access keys: 2015-04-22.
pub(super) fn keys_tracked() -> Time {
    Time::default().plus(1_429_660_800_000_000)
}

/// Since when the last use of passwords is kept without a gap: AWS lost the sign-ins from 2018-05-03 to 2018-05-23T21:08Z.
pub(super) fn passwords_tracked() -> Time {
    Time::default().plus(1_527_109_680_000_000)
}

/// Use of one credential or account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Use {
    pub(super) state: UseState,
    /// Newest sign of use; set if and only if `state` is `used`.
    pub(super) at: Option<Time>,
    /// Start of the window without use; only where `state` is `not_in_window`.
    pub(super) from: Option<Time>,
}

impl Use {
    pub(super) fn used(at: Time) -> Self {
        Self { state: UseState::Used, at: Some(at), from: None }
    }

    /// No use is known of something that exists since `since`: never, if AWS has kept track all that time.
    pub(super) fn none(since: Option<Time>, tracked: Time) -> Self {
        if since.is_some_and(|since| since >= tracked) {
            Self { state: UseState::Never, ..Self::default() }
        } else {
            Self { state: UseState::NotInWindow, at: None, from: Some(tracked) }
        }
    }

    /// Reads a cell of the report about something that exists since `since`.
    pub(super) fn seen(cell: Seen, since: Option<Time>, tracked: Time) -> Self {
        match cell {
            Seen::At(at) => Self::used(at),
            Seen::NotApplicable | Seen::NoInformation => Self::none(since, tracked),
            Seen::Unstated => Self::default(),
        }
    }

    /// Two sources on one credential: the newest use counts; without any, the one that knows more.
    pub(super) fn or(self, other: Self) -> Self {
        match (self.at, other.at) {
            (Some(a), Some(b)) => Self::used(a.max(b)),
            (Some(_), None) => self,
            (None, Some(_)) => other,
            (None, None) if self.state == UseState::Unknown => other,
            (None, None) => self,
        }
    }

    /// An account's use from its credentials': newest first; nothing is said as soon as one of them says nothing.
    pub(super) fn of_account(credentials: &[Self]) -> Self {
        if let Some(newest) = credentials.iter().filter_map(|u| u.at).max() {
            return Self::used(newest);
        }
        let any = |state: UseState| credentials.iter().any(|u| u.state == state);
        let state = if credentials.is_empty() {
            // Nothing to sign in with.
            UseState::NotApplicable
        } else if any(UseState::Unknown) {
            UseState::Unknown
        } else if any(UseState::NotInWindow) {
            UseState::NotInWindow
        } else {
            UseState::Never
        };
        let from = credentials.iter().filter_map(|u| u.from).max().filter(|_| state == UseState::NotInWindow);
        Self { state, at: None, from }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Time {
        Time::parse_iso(text).unwrap()
    }

    #[test]
    fn the_dates_are_those_of_the_documentation() {
        assert_eq!(keys_tracked(), time("2015-04-22T00:00:00Z"));
        assert_eq!(passwords_tracked(), time("2018-05-23T14:08:00-07:00"));
    }

    /// 11.12: never used, not used since AWS keeps track, and not known are three states.
    #[test]
    fn absence_has_three_meanings() {
        let (old, new) = (Some(time("2014-01-01T00:00:00Z")), Some(time("2020-01-01T00:00:00Z")));
        let tracked = keys_tracked();
        assert_eq!(Use::seen(Seen::NotApplicable, new, tracked).state, UseState::Never);
        let before = Use::seen(Seen::NoInformation, old, tracked);
        assert_eq!((before.state, before.from), (UseState::NotInWindow, Some(tracked)));
        assert_eq!(Use::seen(Seen::NoInformation, None, tracked).state, UseState::NotInWindow);
        assert_eq!(Use::seen(Seen::Unstated, new, tracked).state, UseState::Unknown);
        assert_eq!(Use::seen(Seen::At(tracked), new, tracked), Use::used(tracked));
    }

    #[test]
    fn an_account_knows_what_its_credentials_know() {
        let never = Use { state: UseState::Never, ..Use::default() };
        let window = Use::none(None, keys_tracked());
        let later = Use::none(None, passwords_tracked());
        assert_eq!(Use::of_account(&[]).state, UseState::NotApplicable);
        assert_eq!(Use::of_account(&[never]).state, UseState::Never);
        assert_eq!(Use::of_account(&[never, window, later]), later);
        assert_eq!(Use::of_account(&[never, Use::default()]).state, UseState::Unknown);
        assert_eq!(
            Use::of_account(&[Use::used(keys_tracked()), Use::used(passwords_tracked()), Use::default()]).at,
            Some(passwords_tracked())
        );
        assert_eq!(Use::default().or(never), never);
        assert_eq!(Use::used(keys_tracked()).or(Use::used(passwords_tracked())).at, Some(passwords_tracked()));
    }
}
