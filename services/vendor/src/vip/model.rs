//! VIP vendors (G-01 to G-07): pure rules.

use calendar::Instant;
use chrono::{Days, Months, NaiveDate};
use ids::VendorId;

use crate::{
    codes::codes,
    keys::{TradeId, VipCaseId},
    refusal::Refusal,
};

/// G-01: the trade with the group has to be above this, in fen.
pub const TRADE_ABOVE: i64 = 1_000_000_000;
/// G-01: first day of the window, as year, month and day.
const WINDOW: (i32, u32, u32) = (2002, 1, 1);
/// G-04: days after a refusal before a new case.
pub const DAYS_AFTER_REFUSAL: u64 = 90;
/// G-07: months from one review to the next, and as long counts an attestation.
pub const REVIEW_MONTHS: u32 = 12;

/// The first day that counts.
pub fn window_start() -> NaiveDate {
    let (year, month, day) = WINDOW;
    NaiveDate::from_ymd_opt(year, month, day).unwrap_or(NaiveDate::MIN)
}

/// The day of the next review.
pub fn next_review(day: NaiveDate) -> NaiveDate {
    day.checked_add_months(Months::new(REVIEW_MONTHS)).unwrap_or(NaiveDate::MAX)
}

/// A trade of a company of the group with a vendor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trade {
    pub id: TradeId,
    pub reference: String,
    pub date: NaiveDate,
    /// The day that decides whether it lies in the window: for a reversal, that of the trade it takes back.
    pub counted: NaiveDate,
    pub company: String,
    pub uscc: String,
    /// Fen, negative for a reversal.
    pub amount: i64,
    /// Part of it with quality problems.
    pub quality_fault: i64,
    pub reverses: String,
}

impl Trade {
    /// Refuses a trade of nothing, a fault that is larger than the trade or of another sign, and a reversal of nothing.
    pub fn checked(self) -> Result<Self, (&'static str, Refusal)> {
        if self.amount == 0 {
            return Err(("amount", Refusal::AmountZero));
        }
        let within = if self.amount > 0 { 0..=self.amount } else { self.amount..=0 };
        if !within.contains(&self.quality_fault) {
            return Err(("quality_fault", Refusal::QualityRange));
        }
        match (self.amount > 0, self.reverses.is_empty()) {
            (true, false) => Err(("reverses_reference", Refusal::ReversalUnknown)),
            (false, true) => Err(("reverses_reference", Refusal::Required)),
            (true, true) | (false, false) => Ok(self),
        }
    }

    /// Whether it is the same fact as another one.
    pub fn is_same(&self, other: &Self) -> bool {
        let facts = |t: &Self| (t.date, t.amount, t.quality_fault, t.uscc.clone(), t.company.clone(), t.reverses.clone());
        facts(self) == facts(other)
    }
}

/// What is left of a trade after its reversals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// Fen.
    pub amount: i64,
    /// Part of it with quality problems.
    pub quality_fault: i64,
}

impl Left {
    /// All of a trade.
    pub fn all(trade: &Trade) -> Self {
        Self {
            amount: trade.amount,
            quality_fault: trade.quality_fault,
        }
    }

    /// Without a reversal that was booked.
    pub fn without(self, amount: i64, quality_fault: i64) -> Self {
        Self {
            amount: self.amount.saturating_add(amount),
            quality_fault: self.quality_fault.saturating_add(quality_fault),
        }
    }

    /// G-01, G-02: a reversal takes back no more than is left, and leaves no fault that is not within the rest: who takes back all takes back all of
    /// the fault.
    pub fn after(self, reversal: &Trade) -> Result<Self, (&'static str, Refusal)> {
        let left = self.without(reversal.amount, reversal.quality_fault);
        if left.amount < 0 {
            Err(("amount", Refusal::ReversalAmount))
        } else if !(0..=left.amount).contains(&left.quality_fault) {
            Err(("quality_fault", Refusal::ReversalFault))
        } else {
            Ok(left)
        }
    }
}

codes! {
    /// At which moment the conditions were looked at.
    pub enum Moment {
        Submission = 1 "SUBMISSION",
        Approval = 2 "APPROVAL",
        Review = 3 "REVIEW",
        Inquiry = 4 "INQUIRY",
    }
}

/// The four conditions on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence {
    pub moment: Moment,
    pub as_of: NaiveDate,
    /// Fen.
    pub trade_total: i64,
    /// Fen.
    pub quality_fault: i64,
    /// Trades with a quality problem.
    pub problems: i32,
    /// Those without an assessment of the cooperation.
    pub unassessed: i32,
    /// Those with a bad one.
    pub uncooperative: i32,
    pub culture: bool,
}

impl Evidence {
    /// G-01: strictly above the threshold.
    pub fn trade_met(&self) -> bool {
        self.trade_total > TRADE_ABOVE
    }

    /// G-02: strictly less than 1 %; without trade there is nothing to measure.
    pub fn quality_met(&self) -> bool {
        self.trade_total > 0 && i128::from(self.quality_fault).saturating_mul(100) < i128::from(self.trade_total)
    }

    /// G-03: every problem was assessed, and well; without problems it is met.
    pub fn cooperation_met(&self) -> bool {
        self.unassessed == 0 && self.uncooperative == 0
    }

    /// The first condition that is not met.
    pub fn eligible(&self) -> Result<(), Refusal> {
        let conditions = [
            (self.trade_met(), Refusal::VipTradeTotal),
            (self.quality_met(), Refusal::VipQuality),
            (self.cooperation_met(), Refusal::VipCooperation),
            (self.culture, Refusal::VipCulture),
        ];
        conditions.iter().find(|(met, _)| !met).map_or(Ok(()), |(_, refusal)| Err(*refusal))
    }
}

/// The signed attestation of culture (文化认同声明, S-09).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attestation {
    pub document: String,
    pub signed: NaiveDate,
}

impl Attestation {
    /// Whether it counts on a day: signed by then, less than a year ago.
    pub fn counts_on(&self, day: NaiveDate) -> bool {
        self.signed <= day && day < next_review(self.signed)
    }
}

codes! {
    /// Ways to become a VIP (G-04).
    pub enum Route {
        Own = 1 "SELF",
        BiddingCentre = 2 "BIDDING_CENTRE",
    }
}

codes! {
    /// Who takes a step; the numbers are those of the roles.
    pub enum Office {
        Materials = 18 "MATERIALS",
        SpecialistDepartment = 19 "SPECIALIST_DEPARTMENT",
        Finance = 20 "FINANCE",
        BiddingCentre = 21 "BIDDING_CENTRE",
        Leader = 22 "LEADER",
    }
}

impl Route {
    /// The steps in their order (art. 3.1.2).
    pub const fn steps(self) -> &'static [Office] {
        match self {
            Self::Own => &[
                Office::Materials,
                Office::SpecialistDepartment,
                Office::Finance,
                Office::BiddingCentre,
                Office::Leader,
            ],
            Self::BiddingCentre => &[Office::BiddingCentre, Office::Leader],
        }
    }
}

codes! {
    /// Where a case stands.
    pub enum State {
        Submitted = 1 "SUBMITTED",
        Listed = 2 "LISTED",
        ReviewDue = 3 "REVIEW_DUE",
        Rejected = 4 "REJECTED",
        Withdrawn = 5 "WITHDRAWN",
        Delisted = 6 "DELISTED",
    }
}

/// What is done to a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A step before the last is approved.
    Advance,
    /// The last step is approved.
    List,
    Reject,
    Withdraw,
    /// The review finds all conditions met.
    Renew,
    Delist,
}

/// G-04, G-07. REVIEW_DUE comes with the day ([`on_day`]).
pub const TRANSITIONS: &[(State, Action, State)] = &[
    (State::Submitted, Action::Advance, State::Submitted),
    (State::Submitted, Action::List, State::Listed),
    (State::Submitted, Action::Reject, State::Rejected),
    (State::Submitted, Action::Withdraw, State::Withdrawn),
    (State::Listed, Action::Withdraw, State::Withdrawn),
    (State::ReviewDue, Action::Withdraw, State::Withdrawn),
    (State::Listed, Action::Renew, State::Listed),
    (State::ReviewDue, Action::Renew, State::Listed),
    (State::Listed, Action::Delist, State::Delisted),
    (State::ReviewDue, Action::Delist, State::Delisted),
];

/// The state after an action, by the table.
pub fn step(from: State, action: Action) -> Result<State, Refusal> {
    TRANSITIONS
        .iter()
        .find(|(f, a, _)| (*f, *a) == (from, action))
        .map(|t| t.2)
        .ok_or(Refusal::VipState)
}

/// The state on a day: the review of a VIP is due from its day on.
pub fn on_day(state: State, review_due: Option<NaiveDate>, today: NaiveDate) -> State {
    if state == State::Listed && review_due.is_some_and(|due| today >= due) {
        State::ReviewDue
    } else {
        state
    }
}

/// A step that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub ordinal: i32,
    pub office: Office,
    pub subject: String,
    pub approved: bool,
    pub opinion: String,
    pub decided: Instant,
}

/// A case about the standing of a VIP (VIP申报).
#[derive(Clone, Debug)]
pub struct Case {
    pub id: VipCaseId,
    pub vendor: VendorId,
    pub route: Route,
    /// As kept; what it is on a day says [`Case::on`].
    pub state: State,
    pub attestation: Attestation,
    pub applicant: String,
    pub submitted: Instant,
    pub listed: Option<NaiveDate>,
    pub review_due: Option<NaiveDate>,
    pub closed: Option<NaiveDate>,
    pub close_reason: String,
    pub steps: Vec<Step>,
    pub version: i64,
}

impl Case {
    /// A new case of a vendor, without steps.
    pub fn submit(vendor: VendorId, route: Route, attestation: Attestation, applicant: &str, now: Instant) -> Self {
        Self {
            id: VipCaseId::new(),
            vendor,
            route,
            state: State::Submitted,
            attestation,
            applicant: applicant.to_owned(),
            submitted: now,
            listed: None,
            review_due: None,
            closed: None,
            close_reason: String::new(),
            steps: vec![],
            version: 1,
        }
    }

    /// Where it stands on a day.
    pub fn on(&self, today: NaiveDate) -> State {
        on_day(self.state, self.review_due, today)
    }

    /// Whether its vendor is a VIP on a day, by this case.
    pub fn lists_on(&self, day: NaiveDate) -> bool {
        self.listed.is_some_and(|from| from <= day) && self.closed.is_none_or(|until| day < until)
    }

    /// Whose turn it is.
    pub fn next(&self) -> Option<Office> {
        self.route.steps().get(self.steps.len()).copied().filter(|_| self.state == State::Submitted)
    }

    /// Whether the next approval is the last.
    pub fn is_last(&self) -> bool {
        self.steps.len().saturating_add(1) == self.route.steps().len()
    }

    /// Takes the next step (G-04): by the office whose turn it is, and by somebody who neither submitted the case nor took a step.
    /// The offices are those that the person holds.
    pub fn decide(&mut self, offices: &[Office], subject: &str, approved: bool, opinion: String, now: Instant) -> Result<(), Refusal> {
        let office = self.next().ok_or(Refusal::VipState)?;
        if !offices.contains(&office) {
            return Err(Refusal::VipStepRole);
        }
        // Whoever proposes for the bidding centre takes its step with the proposal.
        let proposes = self.route == Route::BiddingCentre && self.steps.is_empty();
        if self.steps.iter().any(|s| s.subject == subject) || (self.applicant == subject && !proposes) {
            return Err(Refusal::VipStepPerson);
        }
        let action = match (approved, self.is_last()) {
            (false, _) => Action::Reject,
            (true, false) => Action::Advance,
            (true, true) => Action::List,
        };
        let today = now.date();
        self.state = step(self.on(today), action)?;
        match action {
            Action::List => (self.listed, self.review_due) = (Some(today), Some(next_review(today))),
            Action::Reject => (self.closed, self.close_reason) = (Some(today), opinion.clone()),
            _ => {}
        }
        let ordinal = i32::try_from(self.steps.len()).unwrap_or(i32::MAX).saturating_add(1);
        self.steps.push(Step {
            ordinal,
            office,
            subject: subject.to_owned(),
            approved,
            opinion,
            decided: now,
        });
        Ok(())
    }

    /// Ends it: withdrawn or delisted.
    pub fn close(&mut self, action: Action, reason: String, today: NaiveDate) -> Result<(), Refusal> {
        self.state = step(self.on(today), action)?;
        (self.closed, self.close_reason) = (Some(today), reason);
        Ok(())
    }

    /// Renews it for a year (G-07).
    pub fn renew(&mut self, attestation: Attestation, today: NaiveDate) -> Result<(), Refusal> {
        self.state = step(self.on(today), Action::Renew)?;
        (self.attestation, self.review_due) = (attestation, Some(next_review(today)));
        Ok(())
    }
}

/// Whether a vendor with these cases may open another one (G-04).
pub fn may_open(cases: &[Case], today: NaiveDate) -> Result<(), Refusal> {
    for case in cases {
        match case.state {
            State::Submitted => return Err(Refusal::VipCaseOpen),
            State::Listed | State::ReviewDue => return Err(Refusal::VipListed),
            State::Rejected => {
                let again = case.closed.and_then(|day| day.checked_add_days(Days::new(DAYS_AFTER_REFUSAL)));
                if again.is_some_and(|day| today < day) {
                    return Err(Refusal::VipTooSoon);
                }
            }
            State::Withdrawn | State::Delisted => {}
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn at(text: &str) -> Instant {
        Instant::start_of(day(text))
    }

    fn evidence() -> Evidence {
        Evidence {
            moment: Moment::Inquiry,
            as_of: day("2025-03-01"),
            trade_total: 2_000_000_000,
            quality_fault: 0,
            problems: 0,
            unassessed: 0,
            uncooperative: 0,
            culture: true,
        }
    }

    #[test]
    fn g_01_more_than_ten_million_strictly() {
        for (trade_total, met) in [(1_000_000_000, false), (1_000_000_001, true), (-5, false), (0, false)] {
            assert_eq!(Evidence { trade_total, ..evidence() }.trade_met(), met, "{trade_total}");
        }
        assert_eq!(
            Evidence {
                trade_total: TRADE_ABOVE,
                ..evidence()
            }
            .eligible(),
            Err(Refusal::VipTradeTotal)
        );
        assert_eq!(window_start(), day("2002-01-01"));
    }

    #[test]
    fn g_02_less_than_one_percent_strictly() {
        // 1.00 % and 0.99 % of 20 000 000.00; one fen less than 1 % is less.
        for (quality_fault, met) in [(20_000_000, false), (19_999_999, true), (19_800_000, true), (0, true), (i64::MAX, false)] {
            assert_eq!(Evidence { quality_fault, ..evidence() }.quality_met(), met, "{quality_fault}");
        }
        let nothing = Evidence { trade_total: 0, ..evidence() };
        assert!(!nothing.quality_met(), "without trade it is not met");
    }

    #[test]
    fn g_03_every_problem_needs_a_good_assessment() {
        for (problems, unassessed, uncooperative, met) in [(0, 0, 0, true), (2, 0, 0, true), (2, 1, 0, false), (2, 0, 1, false)] {
            let evidence = Evidence {
                problems,
                unassessed,
                uncooperative,
                ..evidence()
            };
            assert_eq!(evidence.cooperation_met(), met);
            assert_eq!(evidence.eligible().is_ok(), met);
        }
        assert_eq!(Evidence { culture: false, ..evidence() }.eligible(), Err(Refusal::VipCulture));
    }

    #[test]
    fn g_03_culture_counts_for_a_year() {
        let signed = Attestation {
            document: "C-1".into(),
            signed: day("2025-03-01"),
        };
        for (today, counts) in [("2025-02-28", false), ("2025-03-01", true), ("2026-02-28", true), ("2026-03-01", false)] {
            assert_eq!(signed.counts_on(day(today)), counts, "{today}");
        }
    }

    #[test]
    fn g_07_every_transition_legal_and_illegal() {
        const ACTIONS: &[Action] = &[Action::Advance, Action::List, Action::Reject, Action::Withdraw, Action::Renew, Action::Delist];
        let table = [
            (State::Submitted, "S L R W - -"),
            (State::Listed, "- - - W L D"),
            (State::ReviewDue, "- - - W L D"),
            (State::Rejected, "- - - - - -"),
            (State::Withdrawn, "- - - - - -"),
            (State::Delisted, "- - - - - -"),
        ];
        assert_eq!(table.len(), State::ALL.len());
        for (from, row) in table {
            for (action, letter) in ACTIONS.iter().zip(row.split(' ')) {
                let expected = match letter {
                    "S" => Ok(State::Submitted),
                    "L" => Ok(State::Listed),
                    "R" => Ok(State::Rejected),
                    "W" => Ok(State::Withdrawn),
                    "D" => Ok(State::Delisted),
                    _ => Err(Refusal::VipState),
                };
                assert_eq!(step(from, *action), expected, "{from:?} {action:?}");
            }
        }
        let due = Some(day("2026-03-01"));
        assert_eq!(on_day(State::Listed, due, day("2026-02-28")), State::Listed);
        assert_eq!(on_day(State::Listed, due, day("2026-03-01")), State::ReviewDue);
        assert_eq!(on_day(State::Delisted, due, day("2026-03-01")), State::Delisted);
    }

    fn case(route: Route) -> Case {
        let signed = Attestation {
            document: "C-1".into(),
            signed: day("2025-03-01"),
        };
        Case::submit(VendorId::new(), route, signed, "applicant", at("2025-03-01"))
    }

    #[test]
    fn g_04_steps_in_order_by_different_persons() {
        let mut own = case(Route::Own);
        let offices = Route::Own.steps();
        let names = ["m", "s", "f", "b", "l"];
        for (place, office) in offices.iter().enumerate() {
            assert_eq!(own.next(), Some(*office));
            let others: Vec<_> = offices.iter().filter(|o| *o != office).copied().collect();
            let now = at("2025-03-02");
            assert_eq!(own.decide(&others, "x", true, String::new(), now), Err(Refusal::VipStepRole));
            for earlier in names.iter().take(place).chain(&["applicant"]) {
                assert_eq!(own.decide(offices, earlier, true, String::new(), now), Err(Refusal::VipStepPerson), "{earlier}");
            }
            own.decide(&[*office], names[place], true, String::new(), now).unwrap();
        }
        assert_eq!((own.state, own.next(), own.listed), (State::Listed, None, Some(day("2025-03-02"))));
        assert_eq!(own.review_due, Some(day("2026-03-02")));
        assert!(!own.lists_on(day("2025-03-01")) && own.lists_on(day("2025-03-02")) && own.lists_on(day("2027-01-01")));
        own.close(Action::Delist, "lost".into(), day("2026-04-01")).unwrap();
        assert!(own.lists_on(day("2026-03-31")) && !own.lists_on(day("2026-04-01")));

        let mut proposed = case(Route::BiddingCentre);
        proposed
            .decide(&[Office::BiddingCentre], "applicant", true, String::new(), at("2025-03-01"))
            .unwrap();
        assert_eq!(proposed.next(), Some(Office::Leader));
        proposed.decide(&[Office::Leader], "l", false, "no".into(), at("2025-03-05")).unwrap();
        assert_eq!((proposed.state, proposed.closed), (State::Rejected, Some(day("2025-03-05"))));
        assert_eq!(
            proposed.decide(&[Office::Leader], "k", true, String::new(), at("2025-03-06")),
            Err(Refusal::VipState)
        );
    }

    #[test]
    fn g_04_ninety_days_after_a_refusal_and_one_case_at_a_time() {
        let mut refused = case(Route::Own);
        refused.decide(&[Office::Materials], "m", false, "no".into(), at("2025-03-01")).unwrap();
        // 1 March and 90 days is 30 May.
        assert_eq!(may_open(&[refused.clone()], day("2025-05-29")), Err(Refusal::VipTooSoon));
        assert_eq!(may_open(&[refused.clone()], day("2025-05-30")), Ok(()));
        let mut withdrawn = case(Route::Own);
        withdrawn.close(Action::Withdraw, String::new(), day("2025-03-02")).unwrap();
        assert_eq!(may_open(&[withdrawn.clone()], day("2025-03-02")), Ok(()));
        assert_eq!(may_open(&[withdrawn, case(Route::Own)], day("2025-03-02")), Err(Refusal::VipCaseOpen));
    }

    #[test]
    fn g_02_a_fault_lies_within_its_trade() {
        let trade = |amount, quality_fault, reverses: &str| Trade {
            id: TradeId::new(),
            reference: "R-1".into(),
            date: day("2025-01-01"),
            counted: day("2025-01-01"),
            company: "c".into(),
            uscc: "u".into(),
            amount,
            quality_fault,
            reverses: reverses.into(),
        };
        assert!(trade(100, 100, "").checked().is_ok());
        assert!(trade(-100, -100, "R-0").checked().is_ok());
        assert_eq!(trade(0, 0, "").checked(), Err(("amount", Refusal::AmountZero)));
        for (amount, fault) in [(100, 101), (100, -1), (-100, 1), (-100, -101)] {
            assert_eq!(trade(amount, fault, "").checked(), Err(("quality_fault", Refusal::QualityRange)));
        }
        assert_eq!(trade(100, 0, "R-0").checked(), Err(("reverses_reference", Refusal::ReversalUnknown)));
        assert_eq!(trade(-100, 0, "").checked(), Err(("reverses_reference", Refusal::Required)));

        // Of 100 with a fault of 10: what may be taken back, and what is left then.
        let whole = Left::all(&trade(100, 10, ""));
        for (amount, fault, expected) in [
            (-100, -10, Ok((0, 0))),
            (-90, 0, Ok((10, 10))),
            (-40, -10, Ok((60, 0))),
            (-101, -10, Err(("amount", Refusal::ReversalAmount))),
            (-91, 0, Err(("quality_fault", Refusal::ReversalFault))),
            (-100, 0, Err(("quality_fault", Refusal::ReversalFault))),
            (-50, -11, Err(("quality_fault", Refusal::ReversalFault))),
        ] {
            let left = whole.after(&trade(amount, fault, "R-1")).map(|left| (left.amount, left.quality_fault));
            assert_eq!(left, expected, "{amount} {fault}");
        }
        let rest = whole.after(&trade(-60, 0, "R-1")).unwrap();
        assert_eq!(rest.after(&trade(-41, -10, "R-1")), Err(("amount", Refusal::ReversalAmount)));
        assert!(rest.after(&trade(-40, -10, "R-1")).is_ok());
    }
}
