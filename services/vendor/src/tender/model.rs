//! Tenders (G-05, G-06): pure rules.

use calendar::Instant;
use ids::VendorId;

use crate::{
    codes::codes,
    keys::{QuoteId, TenderId},
    refusal::Refusal,
};

codes! {
    /// Where a tender stands.
    pub enum State {
        Open = 1 "OPEN",
        Closed = 2 "CLOSED",
        Awarded = 3 "AWARDED",
        Failed = 4 "FAILED",
        Cancelled = 5 "CANCELLED",
    }
}

/// What is done to a tender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Quote,
    Withdraw,
    Review,
    Award,
    Fail,
    Cancel,
}

/// The way of a tender. CLOSED comes with the deadline ([`at`]).
pub const TRANSITIONS: &[(State, Action, State)] = &[
    (State::Open, Action::Quote, State::Open),
    (State::Open, Action::Withdraw, State::Open),
    (State::Closed, Action::Withdraw, State::Closed),
    (State::Closed, Action::Review, State::Closed),
    (State::Closed, Action::Award, State::Awarded),
    (State::Closed, Action::Fail, State::Failed),
    (State::Open, Action::Cancel, State::Cancelled),
    (State::Closed, Action::Cancel, State::Cancelled),
];

/// The state after an action, by the table.
pub fn step(from: State, action: Action) -> Result<State, Refusal> {
    TRANSITIONS
        .iter()
        .find(|(f, a, _)| (*f, *a) == (from, action))
        .map(|t| t.2)
        .ok_or(Refusal::TenderState)
}

/// The state at a time: a tender is closed when its deadline has come.
pub fn at(state: State, deadline: Instant, now: Instant) -> State {
    if state == State::Open && now >= deadline { State::Closed } else { state }
}

/// G-05: a VIP is preferred up to this, in hundredths of the lowest price, inclusive.
pub const PREFERENCE: i128 = 103;

/// A quote that stands in the evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bid {
    pub quote: QuoteId,
    pub vendor: VendorId,
    /// Fen, positive.
    pub price: i64,
    pub meets_tech: bool,
    /// Whether the vendor was a VIP on the day of the deadline.
    pub vip: bool,
}

/// What an evaluation finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub winner: Bid,
    /// The lowest that meets the technical requirements, which would have won without preference.
    pub lowest: Bid,
    /// VIPs within the preference, cheapest first.
    pub preferred: Vec<VendorId>,
}

impl Verdict {
    /// Whether somebody else than the lowest wins.
    pub fn applied(&self) -> bool {
        self.winner.quote != self.lowest.quote
    }
}

/// G-05: the lowest quote that meets the technical requirements wins, unless a VIP within 3 % of it is preferred; of several VIPs the
/// lowest. Equal prices go to the earlier quote: the bids come in the order in which they were handed in. Nobody is preferred where the
/// law compels the tender (Bidding Law art. 18, Regulation art. 32). `None` where no quote meets the requirements.
pub fn evaluate(bids: &[Bid], compulsory: bool) -> Option<Verdict> {
    let fit = || bids.iter().filter(|bid| bid.meets_tech);
    let lowest = *fit().min_by_key(|bid| bid.price)?;
    let most = i128::from(lowest.price).saturating_mul(PREFERENCE);
    let within = |bid: &&Bid| bid.vip && !compulsory && i128::from(bid.price).saturating_mul(100) <= most;
    let mut preferred: Vec<_> = fit().filter(within).collect();
    preferred.sort_by_key(|bid| bid.price);
    Some(Verdict {
        winner: preferred.first().map_or(lowest, |bid| **bid),
        lowest,
        preferred: preferred.iter().map(|bid| bid.vendor).collect(),
    })
}

/// A quote (报价).
#[derive(Clone, Debug)]
pub struct Quote {
    pub id: QuoteId,
    pub tender: TenderId,
    pub vendor: VendorId,
    /// Fen.
    pub price: i64,
    pub submitted: Instant,
    pub meets_tech: Option<bool>,
    pub tech_findings: String,
    pub reviewer: Option<String>,
    pub withdrawn: bool,
}

/// The outcome as it is kept.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub winner: Option<QuoteId>,
    pub lowest: Option<QuoteId>,
    pub applied: bool,
    pub preferred: Vec<String>,
    pub evaluator: String,
    pub evaluated: Instant,
}

/// A tender (招标项目).
#[derive(Clone, Debug)]
pub struct Tender {
    pub id: TenderId,
    pub number: String,
    pub branch: String,
    pub title: String,
    pub compulsory: bool,
    pub deadline: Instant,
    /// As kept; what it is now says [`Tender::now`].
    pub state: State,
    /// Reasons of the evaluation or of the cancellation.
    pub state_reason: String,
    pub outcome: Option<Outcome>,
    pub version: i64,
    pub created: Instant,
}

impl Tender {
    /// Where it stands at a time.
    pub fn now(&self, now: Instant) -> State {
        at(self.state, self.deadline, now)
    }

    /// Does what the table allows.
    pub fn act(&mut self, action: Action, now: Instant) -> Result<(), Refusal> {
        let next = step(self.now(now), action)?;
        // CLOSED is never kept: it follows from the time.
        if next != State::Closed {
            self.state = next;
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn g_05_every_transition_legal_and_illegal() {
        const ACTIONS: &[Action] = &[Action::Quote, Action::Withdraw, Action::Review, Action::Award, Action::Fail, Action::Cancel];
        let table = [
            (State::Open, "O O - - - X"),
            (State::Closed, "- C C A F X"),
            (State::Awarded, "- - - - - -"),
            (State::Failed, "- - - - - -"),
            (State::Cancelled, "- - - - - -"),
        ];
        assert_eq!(table.len(), State::ALL.len());
        for (from, row) in table {
            for (action, letter) in ACTIONS.iter().zip(row.split(' ')) {
                let expected = match letter {
                    "O" => Ok(State::Open),
                    "C" => Ok(State::Closed),
                    "A" => Ok(State::Awarded),
                    "F" => Ok(State::Failed),
                    "X" => Ok(State::Cancelled),
                    _ => Err(Refusal::TenderState),
                };
                assert_eq!(step(from, *action), expected, "{from:?} {action:?}");
            }
        }
        let time = Instant::from_micros;
        assert_eq!(at(State::Open, time(100), time(99)), State::Open);
        assert_eq!(at(State::Open, time(100), time(100)), State::Closed);
        assert_eq!(at(State::Awarded, time(100), time(100)), State::Awarded);
    }

    /// Price, fit, VIP.
    fn bids(given: &[(i64, bool, bool)]) -> Vec<Bid> {
        given
            .iter()
            .map(|(price, meets_tech, vip)| Bid {
                quote: QuoteId::new(),
                vendor: VendorId::new(),
                price: *price,
                meets_tech: *meets_tech,
                vip: *vip,
            })
            .collect()
    }

    #[test]
    fn g_05_three_percent_inclusive_in_exact_integers() {
        const YES: bool = true;
        const NO: bool = false;
        // Quotes, compulsory, place of the winner, place of the lowest.
        type Case<'a> = (&'a str, &'a [(i64, bool, bool)], bool, Option<(usize, usize)>);
        let cases: [Case<'_>; 13] = [
            ("103.00 against 100.00", &[(10_000, YES, NO), (10_300, YES, YES)], false, Some((1, 0))),
            ("103.01 against 100.00", &[(10_000, YES, NO), (10_301, YES, YES)], false, Some((0, 0))),
            // 3 % of 0.33 is 0.0099: 0.33 × 1.03 = 0.3399, so 0.34 is above.
            ("small prices", &[(33, YES, NO), (34, YES, YES)], false, Some((0, 0))),
            ("compulsory", &[(10_000, YES, NO), (10_100, YES, YES)], true, Some((0, 0))),
            (
                "two VIPs, the lower wins",
                &[(10_000, YES, NO), (10_300, YES, YES), (10_200, YES, YES)],
                false,
                Some((2, 0)),
            ),
            (
                "two VIPs tie, the earlier wins",
                &[(10_000, YES, NO), (10_200, YES, YES), (10_200, YES, YES)],
                false,
                Some((1, 0)),
            ),
            (
                "a VIP is the lowest itself",
                &[(10_000, YES, YES), (10_100, YES, YES), (10_050, YES, NO)],
                false,
                Some((0, 0)),
            ),
            (
                "equal prices, a VIP is preferred",
                &[(10_000, YES, NO), (10_000, YES, YES)],
                false,
                Some((1, 0)),
            ),
            (
                "the lowest fails the review",
                &[(9_000, NO, NO), (10_000, YES, NO), (10_300, YES, YES)],
                false,
                Some((2, 1)),
            ),
            ("the VIP fails the review", &[(10_000, YES, NO), (10_100, NO, YES)], false, Some((0, 0))),
            ("nobody is fit", &[(10_000, NO, NO), (10_100, NO, YES)], false, None),
            ("nobody is there", &[], false, None),
            ("large prices", &[(100_000_000_000, YES, NO), (103_000_000_000, YES, YES)], false, Some((1, 0))),
        ];
        for (name, given, compulsory, expected) in cases {
            let bids = bids(given);
            let got = evaluate(&bids, compulsory);
            let places = got.as_ref().map(|v| {
                let place = |bid: &Bid| bids.iter().position(|b| b.quote == bid.quote).unwrap();
                (place(&v.winner), place(&v.lowest))
            });
            assert_eq!(places, expected, "{name}");
            assert_eq!(
                got.is_some_and(|v| v.applied()),
                expected.is_some_and(|(winner, lowest)| winner != lowest),
                "{name}"
            );
        }
    }
}
