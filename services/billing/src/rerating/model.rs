//! What a re-rating run may begin with, and what it makes of an agreement (9.2), pure.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::{refusal::Refusal, words::words};

words! {
    /// Where a run stands.
    pub enum ReratingState {
        /// Going on.
        Running "RUNNING",
        /// Done.
        Done "DONE",
        /// Its job was cancelled or has failed, which only the job knows at first.
        Cancelled "CANCELLED",
    }
}

words! {
    /// What became of an agreement.
    pub enum Outcome {
        /// Its bills were billed anew.
        Corrected "CORRECTED",
        /// Its bills come to the same.
        Unchanged "UNCHANGED",
        /// It could not be billed anew.
        Parked "PARKED",
    }
}

/// What a run is to correct.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aim {
    /// The version that was wrong.
    pub tariff: Uuid,
    /// The version that is in force in its place.
    pub replacement: Uuid,
    /// Empty for all.
    pub branch: String,
}

/// A run that came before.
#[derive(Clone, Debug)]
pub struct Before {
    pub aim: Aim,
    pub dry_run: bool,
    pub state: ReratingState,
}

impl Aim {
    /// 9.2: the report comes first, and it must be about the same.
    ///
    /// # Errors
    /// RERATING_NOT_TRIED.
    pub fn check_tried(&self, before: Option<&Before>) -> Result<(), Refusal> {
        let covers = |before: &&Before| {
            let wide_enough = before.aim.branch.is_empty() || before.aim.branch == self.branch;
            let same = (before.aim.tariff, before.aim.replacement) == (self.tariff, self.replacement);
            before.dry_run && before.state == ReratingState::Done && same && wide_enough
        };
        before.filter(covers).map(|_| ()).ok_or(Refusal::ReratingNotTried)
    }
}

/// A bill that was taken back, and the one in its place.
#[derive(Clone, Copy, Debug)]
pub struct Pair {
    pub agreement: Uuid,
    /// What stood of the one, fen.
    pub credited: i64,
    /// What stands of the other, fen.
    pub debited: i64,
    /// Whether both are over the same volume.
    pub same_volume: bool,
}

/// Sums of an agreement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Bills that were taken back.
    pub bills: i32,
    /// Of the credit notes, fen.
    pub credited: i64,
    /// Of the bills in their place, fen.
    pub debited: i64,
}

/// What became of an agreement, and of those that were billed anew with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Each with its sums.
    Corrected(BTreeMap<Uuid, Sums>),
    /// Nothing of it is to be written.
    Unchanged,
    /// Neither; why not.
    Parked(String),
}

impl Verdict {
    /// The word for it.
    pub const fn outcome(&self) -> Outcome {
        match self {
            Self::Corrected(_) => Outcome::Corrected,
            Self::Unchanged => Outcome::Unchanged,
            Self::Parked(_) => Outcome::Parked,
        }
    }
}

/// What bills that were billed anew make of their agreements. A price is corrected here, nothing else: another volume is for people to look at.
pub fn verdict(pairs: &[Pair]) -> Verdict {
    if pairs.iter().any(|pair| !pair.same_volume) {
        return Verdict::Parked("VOLUME_CHANGED".to_owned());
    }
    if pairs.iter().all(|pair| pair.credited == pair.debited) {
        return Verdict::Unchanged;
    }
    let mut sums: BTreeMap<Uuid, Sums> = BTreeMap::new();
    for pair in pairs {
        let of = sums.entry(pair.agreement).or_default();
        of.bills = of.bills.saturating_add(1);
        of.credited = of.credited.saturating_add(pair.credited);
        of.debited = of.debited.saturating_add(pair.debited);
    }
    Verdict::Corrected(sums)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use contracts::hearth::billing::v1 as proto;
    use proptest::prelude::*;

    use super::*;

    const ONE: Uuid = Uuid::from_u128(1);
    const TWO: Uuid = Uuid::from_u128(2);

    #[test]
    fn words_are_those_of_the_contract() {
        let words: Vec<_> = ReratingState::ALL.iter().map(|w| (w.number(), w.code())).collect();
        testbed::assert_contract(&words, "STATE_", |n| proto::rerating::State::try_from(n).ok().map(|v| v.as_str_name()));
        let words: Vec<_> = Outcome::ALL.iter().map(|w| (w.number(), w.code())).collect();
        testbed::assert_contract(&words, "OUTCOME_", |n| proto::rerating_item::Outcome::try_from(n).ok().map(|v| v.as_str_name()));
    }

    fn aim(branch: &str) -> Aim {
        Aim {
            tariff: ONE,
            replacement: TWO,
            branch: branch.to_owned(),
        }
    }

    fn dry(branch: &str) -> Before {
        Before {
            aim: aim(branch),
            dry_run: true,
            state: ReratingState::Done,
        }
    }

    #[test]
    fn p_9_2_the_report_of_a_dry_run_of_the_same_comes_first() {
        let refused = Err(Refusal::ReratingNotTried);
        assert_eq!(aim("A").check_tried(Some(&dry("A"))), Ok(()));
        assert_eq!(aim("A").check_tried(Some(&dry(""))), Ok(()), "all branches have this one among them");
        assert_eq!(aim("").check_tried(Some(&dry("A"))), refused);
        assert_eq!(aim("B").check_tried(Some(&dry("A"))), refused);
        assert_eq!(aim("A").check_tried(None), refused);
        assert_eq!(aim("A").check_tried(Some(&Before { dry_run: false, ..dry("A") })), refused);
        for state in [ReratingState::Running, ReratingState::Cancelled] {
            assert_eq!(aim("A").check_tried(Some(&Before { state, ..dry("A") })), refused);
        }
        let elsewhere = Aim { replacement: ONE, ..aim("A") };
        assert_eq!(elsewhere.check_tried(Some(&dry("A"))), refused, "the replacement was replaced meanwhile");
        let other = Aim { tariff: TWO, ..aim("A") };
        assert_eq!(other.check_tried(Some(&dry("A"))), refused);
    }

    fn pair(agreement: Uuid, credited: i64, debited: i64) -> Pair {
        Pair {
            agreement,
            credited,
            debited,
            same_volume: true,
        }
    }

    #[test]
    fn p_9_2_bills_that_come_to_the_same_are_left_alone() {
        assert_eq!(verdict(&[]), Verdict::Unchanged);
        assert_eq!(verdict(&[pair(ONE, 13_156, 13_156), pair(ONE, 100, 100)]), Verdict::Unchanged);
        let even = verdict(&[pair(ONE, 13_156, 13_056), pair(ONE, 100, 200)]);
        let sums = Sums {
            bills: 2,
            credited: 13_256,
            debited: 13_256,
        };
        assert_eq!(even, Verdict::Corrected([(ONE, sums)].into()), "another tier year, the same sum");
        let other = Pair {
            same_volume: false,
            ..pair(ONE, 1, 1)
        };
        assert_eq!(verdict(&[pair(ONE, 1, 2), other]), Verdict::Parked("VOLUME_CHANGED".to_owned()));
    }

    proptest! {
        #[test]
        fn p_9_2_the_sums_of_agreements_are_those_of_their_bills(bills in prop::collection::vec((0_u128..4, 0_i64..1_000_000, 0_i64..1_000_000), 1..20)) {
            let pairs: Vec<_> = bills.iter().map(|(id, old, new)| pair(Uuid::from_u128(*id), *old, *new)).collect();
            if let Verdict::Corrected(sums) = verdict(&pairs) {
                prop_assert_eq!(sums.values().map(|s| s.credited).sum::<i64>(), bills.iter().map(|b| b.1).sum::<i64>());
                prop_assert_eq!(sums.values().map(|s| s.debited).sum::<i64>(), bills.iter().map(|b| b.2).sum::<i64>());
                prop_assert_eq!(sums.values().map(|s| s.bills).sum::<i32>(), i32::try_from(bills.len()).unwrap());
            } else {
                prop_assert!(bills.iter().all(|(_, old, new)| old == new));
            }
        }
    }
}
