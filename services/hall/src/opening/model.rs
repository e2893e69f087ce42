//! The story of an opening as a table, and the rules along it.

use calendar::NaiveDate;
use chrono::Months;

use crate::codes::{Code, codes};

codes! {
    /// Where an opening stands.
    pub enum State {
        Applied = 1 "APPLIED",
        PapersOk = 2 "PAPERS_OK",
        ContractSigned = 3 "CONTRACT_SIGNED",
        FeesSettled = 4 "FEES_SETTLED",
        ApplianceAccepted = 5 "APPLIANCE_ACCEPTED",
        PreReviewPassed = 6 "PRE_REVIEW_PASSED",
        Scheduled = 7 "SCHEDULED",
        OnSite = 8 "ON_SITE",
        TightnessPassed = 9 "TIGHTNESS_PASSED",
        Purged = 10 "PURGED",
        Ignited = 11 "IGNITED",
        UserTrained = 12 "USER_TRAINED",
        Signed = 13 "SIGNED",
        Opened = 14 "OPENED",
        RefusedUnsafe = 15 "REFUSED_UNSAFE",
        Rectify = 16 "RECTIFY",
        Cancelled = 17 "CANCELLED",
    }
}

codes! {
    /// What is done with an opening.
    pub enum Action {
        ApprovePapers = 1 "APPROVE_PAPERS",
        SignContract = 2 "SIGN_CONTRACT",
        SettleFees = 3 "SETTLE_FEES",
        AcceptAppliances = 4 "ACCEPT_APPLIANCES",
        PassReview = 5 "PASS_REVIEW",
        Schedule = 6 "SCHEDULE",
        Arrive = 7 "ARRIVE",
        PassTightness = 8 "PASS_TIGHTNESS",
        Purge = 9 "PURGE",
        Ignite = 10 "IGNITE",
        TrainUser = 11 "TRAIN_USER",
        Sign = 12 "SIGN",
        Open = 13 "OPEN",
        RefuseUnsafe = 14 "REFUSE_UNSAFE",
        Rectify = 15 "RECTIFY",
        Cancel = 16 "CANCEL",
    }
}

codes! {
    /// Kinds of paper.
    pub enum Paper {
        ApplicationForm = 1 "APPLICATION_FORM",
        IdentityDocument = 2 "IDENTITY_DOCUMENT",
        TitleDeed = 3 "TITLE_DEED",
        BusinessLicence = 4 "BUSINESS_LICENCE",
        PowerOfAttorney = 5 "POWER_OF_ATTORNEY",
    }
}

codes! {
    /// How an agreement was signed.
    pub enum SignMethod {
        Paper = 1 "PAPER",
        Electronic = 2 "ELECTRONIC",
    }
}

codes! {
    /// Who was present.
    pub enum Relationship {
        Customer = 1 "CUSTOMER",
        Family = 2 "FAMILY",
        Attorney = 3 "ATTORNEY",
    }
}

codes! {
    /// Why gas is not opened on site.
    pub enum UnsafeCause {
        NotTight = 1 "NOT_TIGHT",
        PipeChanged = 2 "PIPE_CHANGED",
        Appliance = 3 "APPLIANCE",
        RoomUse = 4 "ROOM_USE",
        NoAdult = 5 "NO_ADULT",
    }
}

/// The story (E4 to E6). A day and a crew may be set anew before the crew is on site. Cancelling once the user has signed needs a
/// parked step besides.
pub const STEPS: &[(State, Action, State)] = &[
    (State::Applied, Action::ApprovePapers, State::PapersOk),
    (State::PapersOk, Action::SignContract, State::ContractSigned),
    (State::ContractSigned, Action::SettleFees, State::FeesSettled),
    (State::FeesSettled, Action::AcceptAppliances, State::ApplianceAccepted),
    (State::ApplianceAccepted, Action::PassReview, State::PreReviewPassed),
    (State::PreReviewPassed, Action::Schedule, State::Scheduled),
    (State::Scheduled, Action::Schedule, State::Scheduled),
    (State::Scheduled, Action::Arrive, State::OnSite),
    (State::OnSite, Action::PassTightness, State::TightnessPassed),
    (State::TightnessPassed, Action::Purge, State::Purged),
    (State::Purged, Action::Ignite, State::Ignited),
    (State::Ignited, Action::TrainUser, State::UserTrained),
    (State::UserTrained, Action::Sign, State::Signed),
    (State::Signed, Action::Open, State::Opened),
    (State::OnSite, Action::RefuseUnsafe, State::RefusedUnsafe),
    (State::RefusedUnsafe, Action::Rectify, State::Rectify),
    (State::Rectify, Action::Schedule, State::Scheduled),
    (State::Applied, Action::Cancel, State::Cancelled),
    (State::PapersOk, Action::Cancel, State::Cancelled),
    (State::ContractSigned, Action::Cancel, State::Cancelled),
    (State::FeesSettled, Action::Cancel, State::Cancelled),
    (State::ApplianceAccepted, Action::Cancel, State::Cancelled),
    (State::PreReviewPassed, Action::Cancel, State::Cancelled),
    (State::Scheduled, Action::Cancel, State::Cancelled),
    (State::OnSite, Action::Cancel, State::Cancelled),
    (State::TightnessPassed, Action::Cancel, State::Cancelled),
    (State::Purged, Action::Cancel, State::Cancelled),
    (State::Ignited, Action::Cancel, State::Cancelled),
    (State::UserTrained, Action::Cancel, State::Cancelled),
    (State::Signed, Action::Cancel, State::Cancelled),
    (State::RefusedUnsafe, Action::Cancel, State::Cancelled),
    (State::Rectify, Action::Cancel, State::Cancelled),
];

/// The state after a step; `None` where there is no such step.
pub fn step(from: State, action: Action) -> Option<State> {
    STEPS.iter().find(|(state, step, _)| *state == from && *step == action).map(|(_, _, to)| *to)
}

/// The steps that a state allows.
pub fn allowed(from: State) -> Vec<&'static str> {
    STEPS
        .iter()
        .filter(|(state, _, _)| *state == from)
        .map(|(_, action, _)| action.code())
        .collect()
}

/// Classes of supply that are households'; any other one gets the stricter rules.
pub const HOUSEHOLDS: &[&str] = &[
    "living",
    "independent heating",
    "general living",
    "wall-hung boiler heating",
    "rural coal-to-gas heating",
    "boiler heating",
];

/// Whether a class of supply is not a household's.
pub fn is_non_resident(use_class: &str) -> bool {
    !HOUSEHOLDS.contains(&use_class)
}

/// The papers that have to be handed in (E3-02).
pub fn papers(non_resident: bool) -> &'static [Paper] {
    if non_resident {
        &[Paper::ApplicationForm, Paper::IdentityDocument, Paper::TitleDeed, Paper::BusinessLicence]
    } else {
        &[Paper::ApplicationForm, Paper::IdentityDocument, Paper::TitleDeed]
    }
}

/// All papers that are missing.
pub fn missing_papers(non_resident: bool, given: &[Paper]) -> Vec<Paper> {
    papers(non_resident).iter().copied().filter(|paper| !given.contains(paper)).collect()
}

/// Whether somebody is of age, 18, on a day; born on 29 February, on 1 March of other years.
pub fn is_adult(born: NaiveDate, on: NaiveDate) -> bool {
    born.checked_add_months(Months::new(18 * 12)).is_some_and(|birthday| {
        // chrono gives 28 February to those born on the 29th; the 18th birthday is never in a leap year then.
        let reached = if chrono::Datelike::day(&born) == chrono::Datelike::day(&birthday) {
            Some(birthday)
        } else {
            birthday.succ_opt()
        };
        reached.is_some_and(|day| day <= on)
    })
}

/// The record that proves a cause to be put right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// A passed acceptance of the pipe.
    Pipe,
    /// Passed acceptances of the appliances.
    Appliance,
    /// Presence of an adult.
    Presence,
}

/// What each cause needs before the opening is scheduled again.
pub const PROOFS: &[(UnsafeCause, Proof)] = &[
    (UnsafeCause::NotTight, Proof::Pipe),
    (UnsafeCause::PipeChanged, Proof::Pipe),
    (UnsafeCause::Appliance, Proof::Appliance),
    (UnsafeCause::RoomUse, Proof::Appliance),
    (UnsafeCause::NoAdult, Proof::Presence),
];

/// The proof that a cause needs.
pub fn proof(cause: UnsafeCause) -> Option<Proof> {
    PROOFS.iter().find(|(of, _)| *of == cause).map(|(_, proof)| *proof)
}

codes! {
    /// Items of the pre-opening review (E4-02).
    pub enum Item {
        AgreementSigned = 1 "AGREEMENT_SIGNED",
        AccountAndMeterRegistered = 2 "ACCOUNT_AND_METER_REGISTERED",
        MeterVerified = 3 "METER_VERIFIED",
        MeterInLife = 4 "METER_IN_LIFE",
        SealRecorded = 5 "SEAL_RECORDED",
        PipeAccepted = 6 "PIPE_ACCEPTED",
        ApplianceAccepted = 7 "APPLIANCE_ACCEPTED",
        SafetyDevices = 8 "SAFETY_DEVICES",
        PremisesUse = 9 "PREMISES_USE",
        UserPresent = 10 "USER_PRESENT",
        EstateInspected = 11 "ESTATE_INSPECTED",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use contracts::hearth::hall::v1 as contract;

    use super::*;
    use crate::codes::assert_contract;

    #[test]
    fn the_lists_are_those_of_the_contract() {
        assert_contract::<State>("STATE_", |n| contract::opening::State::try_from(n).ok().map(|v| v.as_str_name()));
        assert_contract::<Paper>("KIND_", |n| contract::paper::Kind::try_from(n).ok().map(|v| v.as_str_name()));
        assert_contract::<SignMethod>("SIGN_METHOD_", |n| contract::SignMethod::try_from(n).ok().map(|v| v.as_str_name()));
        assert_contract::<Relationship>("RELATION_", |n| contract::Relation::try_from(n).ok().map(|v| v.as_str_name()));
        assert_contract::<UnsafeCause>("UNSAFE_CAUSE_", |n| contract::UnsafeCause::try_from(n).ok().map(|v| v.as_str_name()));
    }

    #[test]
    fn sign_methods_have_the_numbers_of_the_archive() {
        for method in SignMethod::ALL {
            let theirs = contracts::hearth::archive::v1::SignMethod::try_from(method.number()).unwrap();
            assert_eq!(theirs.as_str_name(), format!("SIGN_METHOD_{}", method.code()));
        }
    }

    #[test]
    fn e4_an_opening_takes_these_steps_and_no_other() {
        let mut legal: Vec<String> = [
            "APPLIED APPROVE_PAPERS PAPERS_OK",
            "PAPERS_OK SIGN_CONTRACT CONTRACT_SIGNED",
            "CONTRACT_SIGNED SETTLE_FEES FEES_SETTLED",
            "FEES_SETTLED ACCEPT_APPLIANCES APPLIANCE_ACCEPTED",
            "APPLIANCE_ACCEPTED PASS_REVIEW PRE_REVIEW_PASSED",
            "PRE_REVIEW_PASSED SCHEDULE SCHEDULED",
            "SCHEDULED SCHEDULE SCHEDULED",
            "SCHEDULED ARRIVE ON_SITE",
            "ON_SITE PASS_TIGHTNESS TIGHTNESS_PASSED",
            "TIGHTNESS_PASSED PURGE PURGED",
            "PURGED IGNITE IGNITED",
            "IGNITED TRAIN_USER USER_TRAINED",
            "USER_TRAINED SIGN SIGNED",
            "SIGNED OPEN OPENED",
            "ON_SITE REFUSE_UNSAFE REFUSED_UNSAFE",
            "REFUSED_UNSAFE RECTIFY RECTIFY",
            "RECTIFY SCHEDULE SCHEDULED",
        ]
        .map(str::to_owned)
        .to_vec();
        let ends = [State::Opened, State::Cancelled];
        legal.extend(
            State::ALL
                .iter()
                .filter(|state| !ends.contains(state))
                .map(|state| format!("{} CANCEL CANCELLED", state.code())),
        );
        let mut found = vec![];
        for from in State::ALL {
            for action in Action::ALL {
                if let Some(to) = step(*from, *action) {
                    found.push(format!("{} {} {}", from.code(), action.code(), to.code()));
                }
            }
        }
        legal.sort();
        found.sort();
        assert_eq!(found, legal);
    }

    #[test]
    fn e3_02_all_missing_papers_are_told_at_once() {
        assert_eq!(missing_papers(false, &[Paper::IdentityDocument]), [Paper::ApplicationForm, Paper::TitleDeed]);
        assert!(missing_papers(false, papers(false)).is_empty());
        assert_eq!(missing_papers(true, papers(false)), [Paper::BusinessLicence]);
    }

    #[test]
    fn e4_01_unknown_classes_get_the_stricter_rules() {
        for (class, strict) in [
            ("living", false),
            ("independent heating", false),
            ("non-resident at resident price", true),
            ("non-resident", true),
            ("Living", true),
        ] {
            assert_eq!(is_non_resident(class), strict, "{class}");
        }
    }

    #[test]
    fn e4_02_an_adult_is_eighteen_on_the_day() {
        let adult = |born: &str, on: &str| is_adult(born.parse().unwrap(), on.parse().unwrap());
        assert!(adult("2007-03-01", "2025-03-01"));
        assert!(!adult("2007-03-02", "2025-03-01"));
        assert!(!adult("2004-02-29", "2022-02-28"), "born on a leap day");
        assert!(adult("2004-02-29", "2022-03-01"));
    }

    #[test]
    fn every_cause_of_a_refusal_needs_a_proof() {
        for cause in UnsafeCause::ALL {
            assert!(proof(*cause).is_some(), "{cause:?}");
        }
    }
}
