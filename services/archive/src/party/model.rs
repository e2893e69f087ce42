//! Rules of a party.

use crate::refusal::Refusal;

/// Person or organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A natural person (个人).
    Person,
    /// An organisation (单位).
    Organisation,
}

impl Kind {
    /// As the table keeps it.
    pub fn code(self) -> &'static str {
        match self {
            Self::Person => "PERSON",
            Self::Organisation => "ORGANISATION",
        }
    }

    /// The kind of a code.
    pub fn of(code: &str) -> Option<Self> {
        [Self::Person, Self::Organisation].into_iter().find(|kind| kind.code() == code)
    }
}

/// Where a party stands (section D(c) of the archive policy).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Without an account so far.
    Prospect,
    /// Holds an account.
    Active,
    /// All its accounts are closed.
    Dormant,
    /// Ended.
    Closed,
}

/// What moves a party.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// An account is opened.
    OpenAccount,
    /// The last account that was not closed is closed.
    LoseLastAccount,
    /// The party is closed.
    Close,
}

const TRANSITIONS: &[(State, Action, State)] = &[
    (State::Prospect, Action::OpenAccount, State::Active),
    (State::Active, Action::OpenAccount, State::Active),
    (State::Dormant, Action::OpenAccount, State::Active),
    (State::Active, Action::LoseLastAccount, State::Dormant),
    (State::Prospect, Action::Close, State::Closed),
    (State::Dormant, Action::Close, State::Closed),
];

impl State {
    /// All states.
    pub const ALL: [Self; 4] = [Self::Prospect, Self::Active, Self::Dormant, Self::Closed];

    /// As the table keeps it.
    pub fn code(self) -> &'static str {
        match self {
            Self::Prospect => "PROSPECT",
            Self::Active => "ACTIVE",
            Self::Dormant => "DORMANT",
            Self::Closed => "CLOSED",
        }
    }

    /// The state of a code.
    pub fn of(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }
}

/// The state after an action.
///
/// # Errors
/// [`Refusal::PartyClosed`] for a closed party, [`Refusal::PartyHasAccounts`] where an active one is to be closed, else
/// [`Refusal::PartyState`].
pub fn step(from: State, action: Action) -> Result<State, Refusal> {
    let found = TRANSITIONS.iter().find(|(state, by, _)| *state == from && *by == action);
    found.map(|(.., to)| *to).ok_or(match (from, action) {
        (State::Closed, Action::OpenAccount) => Refusal::PartyClosed,
        (State::Active, Action::Close) => Refusal::PartyHasAccounts,
        _ => Refusal::PartyState,
    })
}

/// Most characters of a name.
pub const NAME_LIMIT: usize = 100;
/// Most characters of an address.
pub const ADDRESS_LIMIT: usize = 200;

/// A text that must say something, without the blanks around it.
///
/// # Errors
/// [`Refusal::Required`] for blanks only, [`Refusal::TooLong`] for more than `limit` characters.
pub fn text(given: &str, limit: usize) -> Result<String, Refusal> {
    let text = given.trim();
    if text.is_empty() {
        return Err(Refusal::Required);
    }
    if text.chars().count() > limit {
        Err(Refusal::TooLong)
    } else {
        Ok(text.to_owned())
    }
}

/// What a search by name compares: small letters. The engines fold letters differently, so it is done here.
pub fn search_key(name: &str) -> String {
    name.trim().to_lowercase()
}

/// The pattern of LIKE for a plain part; the escape character is `\`.
pub fn contains(part: &str) -> String {
    let mut pattern = String::from("%");
    for c in part.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

/// What a party's standing says about new dealings: the reasons against them. Basic supply goes on whatever they are.
pub fn standing(state: State, accounts_suspended: bool) -> Vec<&'static str> {
    let reasons = [(state == State::Closed, "PARTY_CLOSED"), (accounts_suspended, "ACCOUNT_SUSPENDED")];
    reasons.into_iter().filter_map(|(holds, code)| holds.then_some(code)).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn every_transition_of_a_party() {
        use Action::{Close, LoseLastAccount, OpenAccount};
        use State::{Active, Closed, Dormant, Prospect};
        let table = [
            (Prospect, OpenAccount, Ok(Active)),
            (Prospect, LoseLastAccount, Err(Refusal::PartyState)),
            (Prospect, Close, Ok(Closed)),
            (Active, OpenAccount, Ok(Active)),
            (Active, LoseLastAccount, Ok(Dormant)),
            (Active, Close, Err(Refusal::PartyHasAccounts)),
            (Dormant, OpenAccount, Ok(Active)),
            (Dormant, LoseLastAccount, Err(Refusal::PartyState)),
            (Dormant, Close, Ok(Closed)),
            (Closed, OpenAccount, Err(Refusal::PartyClosed)),
            (Closed, LoseLastAccount, Err(Refusal::PartyState)),
            (Closed, Close, Err(Refusal::PartyState)),
        ];
        for (from, action, to) in table {
            assert_eq!(step(from, action), to, "{from:?} {action:?}");
        }
    }

    #[test]
    fn codes_lead_back() {
        for state in State::ALL {
            assert_eq!(State::of(state.code()), Some(state));
        }
        assert_eq!(Kind::of("PERSON"), Some(Kind::Person));
        assert_eq!(Kind::of(""), None);
    }

    #[test]
    fn bad_input_76_and_77_texts() {
        assert_eq!(text(" \u{3000} ", 100), Err(Refusal::Required));
        assert_eq!(text(&"字".repeat(101), 100), Err(Refusal::TooLong));
        assert_eq!(text(&"字".repeat(100), 100).unwrap().chars().count(), 100);
        assert_eq!(text("'; DROP TABLE x;--", 100).unwrap(), "'; DROP TABLE x;--");
    }

    #[test]
    fn bad_input_79_a_wildcard_is_a_plain_character() {
        assert_eq!(contains("100%_\\"), "%100\\%\\_\\\\%");
    }

    #[test]
    fn standing_names_every_reason() {
        assert!(standing(State::Active, false).is_empty());
        assert_eq!(standing(State::Closed, true), ["PARTY_CLOSED", "ACCOUNT_SUSPENDED"]);
    }
}
