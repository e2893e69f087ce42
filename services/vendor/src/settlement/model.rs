//! Settlement of contracts (F-09): pure rules.

use calendar::Instant;
use chrono::NaiveDate;
use ids::{ContractId, VendorId};
use serde::{Deserialize, Serialize};

use crate::{
    codes::codes,
    keys::{AssetId, DeductionId, HoldId, PaymentRequestId, RateId},
    offer::Decided,
    refusal::Refusal,
};

codes! {
    /// What a rate is for.
    pub enum Basis {
        Order = 1 "ORDER",
        Month = 2 "MONTH",
    }
}

/// A row of a rate card (价目).
#[derive(Clone, Debug)]
pub struct Rate {
    pub id: RateId,
    pub contract: ContractId,
    pub basis: Basis,
    /// Kind of work, a code of hall; empty for a month.
    pub work_kind: String,
    /// Fen.
    pub unit_price: i64,
    /// Value added tax within the price, in hundredths of a percent.
    pub tax: i32,
    pub from: NaiveDate,
    pub set_by: String,
}

impl Rate {
    /// Refuses an order without kind, a month with one, and a price below zero.
    pub fn checked(self) -> Result<Self, Refusal> {
        if (self.basis == Basis::Month) != self.work_kind.is_empty() {
            return Err(Refusal::WorkKind);
        }
        if self.unit_price < 0 {
            return Err(Refusal::ValueNegative);
        }
        Ok(self)
    }
}

/// The row of a day: the one with the latest first day that is not after it.
pub fn rate_on<'a>(card: &'a [Rate], basis: Basis, work_kind: &str, day: NaiveDate) -> Option<&'a Rate> {
    let rows = card.iter().filter(|r| r.basis == basis && r.work_kind == work_kind && r.from <= day);
    rows.max_by_key(|r| r.from)
}

/// Work of one kind and price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub basis: Basis,
    pub work_kind: String,
    pub count: i32,
    pub unit_price: i64,
    /// Value added tax within the price, in hundredths of a percent.
    #[serde(default)]
    pub tax: i32,
}

impl Line {
    fn one(rate: &Rate) -> Self {
        Self {
            basis: rate.basis,
            work_kind: rate.work_kind.clone(),
            count: 1,
            unit_price: rate.unit_price,
            tax: rate.tax,
        }
    }

    /// Count times price in fen.
    pub fn amount(&self) -> i64 {
        i64::from(self.count).saturating_mul(self.unit_price)
    }
}

/// The lines of accepted work, each priced by the day of its report, and of the month itself where the contract pays for it.
pub fn lines(card: &[Rate], accepted: &[Decided], month: Option<NaiveDate>) -> Result<Vec<Line>, Refusal> {
    let mut lines: Vec<Line> = vec![];
    for work in accepted.iter().filter(|work| work.accepted) {
        let rate = rate_on(card, Basis::Order, &work.kind, work.reported.date()).ok_or(Refusal::RateMissing)?;
        let same = |l: &&mut Line| (&l.work_kind, l.unit_price, l.tax) == (&work.kind, rate.unit_price, rate.tax);
        match lines.iter_mut().find(same) {
            Some(line) => line.count = line.count.saturating_add(1),
            None => lines.push(Line::one(rate)),
        }
    }
    lines.extend(month.and_then(|first| rate_on(card, Basis::Month, "", first)).map(Line::one));
    Ok(lines)
}

/// The rates of tax that an invoice for these lines shows: those of the days of the work, since the tax is due then, whatever is in force on
/// the day of the invoice.
pub fn taxes(lines: &[Line]) -> Vec<i32> {
    let mut taxes: Vec<i32> = lines.iter().filter(|l| l.amount() > 0 && l.tax > 0).map(|l| l.tax).collect();
    taxes.sort_unstable();
    taxes.dedup();
    taxes
}

/// One in hundredths of a percent.
pub const WHOLE: i32 = 10_000;
/// Most of a period's fee that deductions may take, in hundredths of a percent (F-09).
pub const DEDUCTION_CAP: i32 = 3_000;
/// Largest amount of a payment in fen, which is what the contract of the service carries.
pub const MOST: i64 = 100_000_000_000;

/// A part of an amount that is not negative, in hundredths of a percent, rounded half up to the fen.
#[expect(clippy::arithmetic_side_effects, reason = "counted in i128, which an i64 times an i32 never fills")]
pub fn part(amount: i64, basis_points: i32) -> Result<i64, Refusal> {
    let product = i128::from(amount) * i128::from(basis_points) + i128::from(WHOLE) / 2;
    i64::try_from(product / i128::from(WHOLE))
        .ok()
        .filter(|part| *part <= MOST)
        .ok_or(Refusal::PaymentRange)
}

/// What a payment comes to, in fen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    pub due: i64,
    pub factor: i32,
    pub earned: i64,
    pub deducted: i64,
    pub carried: i64,
    pub retained: i64,
    /// Before what earlier payments fell short of.
    pub own: i64,
}

/// F-09: due times factor, less deductions, less retention. Deductions take at most 30 % of the fee and never more than was earned; what
/// they cannot take is carried to the retention.
pub fn amounts(due: i64, factor: i32, deductions: i64, retention: i32) -> Result<Amounts, Refusal> {
    if !(0..=MOST).contains(&due) {
        return Err(Refusal::PaymentRange);
    }
    let earned = part(due, factor)?;
    #[expect(clippy::arithmetic_side_effects, reason = "counted in i128, which an i64 times an i32 never fills")]
    let cap = i128::from(due) * i128::from(DEDUCTION_CAP) / i128::from(WHOLE);
    let deducted = deductions.min(i64::try_from(cap).map_err(|_| Refusal::PaymentRange)?).min(earned);
    let rest = earned.saturating_sub(deducted);
    let retained = part(rest, retention)?;
    Ok(Amounts {
        due,
        factor,
        earned,
        deducted,
        carried: deductions.saturating_sub(deducted),
        retained,
        own: rest.saturating_sub(retained),
    })
}

codes! {
    /// Where a payment request stands.
    pub enum State {
        Prepared = 1 "PREPARED",
        Submitted = 2 "SUBMITTED",
        Approved = 3 "APPROVED",
        Paid = 4 "PAID",
        Cancelled = 5 "CANCELLED",
    }
}

/// What is done to a payment request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Deduct,
    Invoice,
    Review,
    Hold,
    Submit,
    Return,
    Approve,
    Pay,
    Cancel,
}

/// The way of a payment request.
pub const TRANSITIONS: &[(State, Action, State)] = &[
    (State::Prepared, Action::Deduct, State::Prepared),
    (State::Prepared, Action::Invoice, State::Prepared),
    (State::Submitted, Action::Invoice, State::Submitted),
    (State::Approved, Action::Invoice, State::Approved),
    (State::Prepared, Action::Review, State::Prepared),
    (State::Submitted, Action::Review, State::Submitted),
    (State::Approved, Action::Review, State::Approved),
    (State::Prepared, Action::Hold, State::Prepared),
    (State::Submitted, Action::Hold, State::Submitted),
    (State::Approved, Action::Hold, State::Approved),
    (State::Prepared, Action::Submit, State::Submitted),
    (State::Submitted, Action::Return, State::Prepared),
    (State::Submitted, Action::Approve, State::Approved),
    (State::Approved, Action::Pay, State::Paid),
    (State::Prepared, Action::Cancel, State::Cancelled),
    (State::Submitted, Action::Cancel, State::Cancelled),
    (State::Approved, Action::Cancel, State::Cancelled),
];

/// The state after an action, by the table.
pub fn step(from: State, action: Action) -> Result<State, Refusal> {
    TRANSITIONS
        .iter()
        .find(|(f, a, _)| (*f, *a) == (from, action))
        .map(|t| t.2)
        .ok_or(Refusal::PaymentState)
}

impl State {
    /// Whether counting anew may still change the amounts.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Prepared | Self::Submitted)
    }
}

codes! {
    /// Who has to see to a hold; the numbers are those of the roles.
    pub enum Owner {
        Accountant = 5 "ACCOUNTANT",
        Leader = 22 "LEADER",
        ItDepartment = 23 "IT_DEPARTMENT",
        Assessor = 26 "ASSESSOR",
        PrivacyOfficer = 30 "PRIVACY_OFFICER",
    }
}

codes! {
    /// Why a payment is held (F-09).
    pub enum Cause {
        AssessmentMissing = 1 "ASSESSMENT_MISSING",
        InvoiceMissing = 2 "INVOICE_MISSING",
        VendorBlacklisted = 3 "VENDOR_BLACKLISTED",
        AssetsUnreturned = 4 "ASSETS_UNRETURNED",
        OpenP1 = 5 "OPEN_P1",
        RectificationOverdue = 6 "RECTIFICATION_OVERDUE",
        ConfidentialityIncident = 7 "CONFIDENTIALITY_INCIDENT",
    }
}

impl Cause {
    /// Who owns a hold of this cause.
    pub const fn owner(self) -> Owner {
        match self {
            Self::AssessmentMissing | Self::RectificationOverdue => Owner::Assessor,
            Self::InvoiceMissing => Owner::Accountant,
            Self::VendorBlacklisted => Owner::Leader,
            Self::AssetsUnreturned | Self::OpenP1 => Owner::ItDepartment,
            Self::ConfidentialityIncident => Owner::PrivacyOfficer,
        }
    }

    /// Whether it may be placed by hand: the fact may stand somewhere that the service does not know.
    pub const fn by_hand(self) -> bool {
        matches!(self, Self::OpenP1 | Self::RectificationOverdue | Self::ConfidentialityIncident)
    }
}

/// A hold (付款冻结).
#[derive(Clone, Debug)]
pub struct Hold {
    pub id: HoldId,
    pub payment: PaymentRequestId,
    pub cause: Cause,
    pub reason: String,
    pub placed_by: String,
    pub placed: Instant,
    pub released: Option<(Instant, String)>,
    pub release_reason: String,
}

impl Hold {
    /// Whether it keeps the payment from being paid.
    pub fn is_open(&self) -> bool {
        self.released.is_none()
    }

    /// Releases it, once, for its owner, while no known fact keeps it.
    pub fn release(&mut self, is_owner: bool, stands: bool, by: &str, reason: String, now: Instant) -> Result<(), Refusal> {
        if !self.is_open() {
            return Err(Refusal::HoldReleased);
        }
        if !is_owner {
            return Err(Refusal::HoldOwner);
        }
        if stands {
            return Err(Refusal::HoldStands);
        }
        (self.released, self.release_reason) = (Some((now, by.to_owned())), reason);
        Ok(())
    }
}

/// A deduction for a missed service level.
#[derive(Clone, Debug)]
pub struct Deduction {
    pub id: DeductionId,
    pub payment: PaymentRequestId,
    pub metric: String,
    /// Share of the fee for each miss, as the contract had it.
    pub basis_points: i32,
    pub misses: i32,
    pub evidence: String,
    pub reason: String,
    pub recorder: String,
    pub recorded: Instant,
}

impl Deduction {
    /// What it comes to for a fee, in fen.
    pub fn amount(&self, due: i64) -> Result<i64, Refusal> {
        let each = part(due, self.basis_points)?;
        each.checked_mul(i64::from(self.misses)).filter(|sum| *sum <= MOST).ok_or(Refusal::PaymentRange)
    }
}

/// The sum of deductions in fen.
pub fn sum(deductions: &[Deduction], due: i64) -> Result<i64, Refusal> {
    let mut sum = 0_i64;
    for deduction in deductions {
        sum = sum
            .checked_add(deduction.amount(due)?)
            .filter(|sum| *sum <= MOST)
            .ok_or(Refusal::PaymentRange)?;
    }
    Ok(sum)
}

/// What is paid in addition for an earlier payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adjustment {
    pub payment: PaymentRequestId,
    pub earlier: PaymentRequestId,
    /// The factor of the earlier payment now.
    pub factor: i32,
    pub amount: i64,
    pub retained: i64,
}

/// A payment request (付款申请).
#[derive(Clone, Debug)]
pub struct Payment {
    pub id: PaymentRequestId,
    pub number: String,
    pub contract: ContractId,
    pub vendor: VendorId,
    pub branch: String,
    pub from: NaiveDate,
    pub to: NaiveDate,
    pub state: State,
    pub lines: Vec<Line>,
    pub amounts: Amounts,
    /// What is paid: its own and what earlier payments fell short of.
    pub payable: i64,
    pub invoice_no: String,
    pub invoice_date: Option<NaiveDate>,
    pub preparer: String,
    pub submitter: Option<String>,
    pub approver: Option<String>,
    pub state_reason: String,
    pub paid: Option<NaiveDate>,
    pub voucher_no: String,
    pub version: i64,
    pub created: Instant,
}

impl Payment {
    /// Whether a person made it, so that another one has to approve and to pay it.
    pub fn is_made_by(&self, subject: &str) -> bool {
        self.preparer == subject || self.submitter.as_deref() == Some(subject)
    }

    /// Does what the table allows.
    pub fn act(&mut self, action: Action, reason: &str) -> Result<(), Refusal> {
        self.state = step(self.state, action)?;
        if matches!(action, Action::Submit | Action::Return | Action::Approve | Action::Cancel) {
            reason.clone_into(&mut self.state_reason);
        }
        Ok(())
    }
}

/// Something lent (借用资产).
#[derive(Clone, Debug)]
pub struct Asset {
    pub id: AssetId,
    pub vendor: VendorId,
    pub branch: String,
    pub asset_no: String,
    pub description: String,
    pub lent: NaiveDate,
    pub return_by: NaiveDate,
    pub returned: Option<NaiveDate>,
    pub condition: String,
    pub version: i64,
}

impl Asset {
    /// Takes it back.
    pub fn give_back(&mut self, day: NaiveDate, condition: String) -> Result<(), Refusal> {
        if self.returned.is_some() {
            return Err(Refusal::AssetReturned);
        }
        if day < self.lent {
            return Err(Refusal::TermOrder);
        }
        (self.returned, self.condition) = (Some(day), condition);
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    const ACTIONS: &[Action] = &[
        Action::Deduct,
        Action::Invoice,
        Action::Review,
        Action::Hold,
        Action::Submit,
        Action::Return,
        Action::Approve,
        Action::Pay,
        Action::Cancel,
    ];

    /// Written a second time by hand: rows are states, columns the actions above, `-` is illegal.
    const TABLE: &[(State, &str)] = &[
        (State::Prepared, "R R R R S - - - C"),
        (State::Submitted, "- S S S - R A - C"),
        (State::Approved, "- A A A - - - P C"),
        (State::Paid, "- - - - - - - - -"),
        (State::Cancelled, "- - - - - - - - -"),
    ];

    #[test]
    fn f_09_every_transition_legal_and_illegal() {
        assert_eq!(TABLE.len(), State::ALL.len());
        for (from, row) in TABLE {
            for (action, letter) in ACTIONS.iter().zip(row.split(' ')) {
                let expected = match letter {
                    "R" => Ok(State::Prepared),
                    "S" => Ok(State::Submitted),
                    "A" => Ok(State::Approved),
                    "P" => Ok(State::Paid),
                    "C" => Ok(State::Cancelled),
                    _ => Err(Refusal::PaymentState),
                };
                assert_eq!(step(*from, *action), expected, "{from:?} {action:?}");
            }
        }
    }

    #[test]
    fn f_09_every_transition_of_a_hold_legal_and_illegal() {
        use Refusal::{HoldOwner, HoldReleased, HoldStands};
        let (early, late) = (Instant::from_micros(1), Instant::from_micros(2));
        let open = Hold {
            id: HoldId::new(),
            payment: PaymentRequestId::new(),
            cause: Cause::OpenP1,
            reason: String::new(),
            placed_by: String::new(),
            placed: early,
            released: None,
            release_reason: String::new(),
        };
        let released = Hold {
            released: Some((early, "owner".into())),
            ..open.clone()
        };
        // Hold, asked by its owner, the fact stands: the answer.
        let table = [
            (&open, true, false, None),
            (&open, true, true, Some(HoldStands)),
            (&open, false, false, Some(HoldOwner)),
            (&open, false, true, Some(HoldOwner)),
            (&released, true, false, Some(HoldReleased)),
            (&released, true, true, Some(HoldReleased)),
            (&released, false, false, Some(HoldReleased)),
            (&released, false, true, Some(HoldReleased)),
        ];
        for (hold, is_owner, stands, expected) in table {
            let mut hold = hold.clone();
            let before = hold.released.clone();
            assert_eq!(
                hold.release(is_owner, stands, "somebody", "gone".into(), late).err(),
                expected,
                "{is_owner} {stands}"
            );
            let after = if expected.is_none() { Some((late, "somebody".into())) } else { before };
            assert_eq!(hold.released, after);
        }
    }

    #[test]
    fn f_09_every_cause_has_an_owner_and_three_may_be_placed_by_hand() {
        use Cause::{AssessmentMissing, AssetsUnreturned, ConfidentialityIncident, InvoiceMissing, OpenP1, RectificationOverdue, VendorBlacklisted};
        let table = [
            (AssessmentMissing, Owner::Assessor, false),
            (OpenP1, Owner::ItDepartment, true),
            (RectificationOverdue, Owner::Assessor, true),
            (AssetsUnreturned, Owner::ItDepartment, false),
            (ConfidentialityIncident, Owner::PrivacyOfficer, true),
            (InvoiceMissing, Owner::Accountant, false),
            (VendorBlacklisted, Owner::Leader, false),
        ];
        assert_eq!(table.len(), Cause::ALL.len());
        for (cause, owner, by_hand) in table {
            assert_eq!((cause.owner(), cause.by_hand()), (owner, by_hand), "{cause:?}");
        }
    }

    #[test]
    fn f_09_something_lent_comes_back_once() {
        let lent = Asset {
            id: AssetId::new(),
            vendor: VendorId::new(),
            branch: String::new(),
            asset_no: "A-1".into(),
            description: String::new(),
            lent: "2025-01-02".parse().unwrap(),
            return_by: "2025-01-31".parse().unwrap(),
            returned: None,
            condition: String::new(),
            version: 1,
        };
        for (returned, day, expected) in [
            (None, "2025-01-01", Err(Refusal::TermOrder)),
            (None, "2025-01-02", Ok(())),
            (None, "2025-03-01", Ok(())),
            (Some("2025-01-05"), "2025-01-06", Err(Refusal::AssetReturned)),
            (Some("2025-01-05"), "2025-01-01", Err(Refusal::AssetReturned)),
        ] {
            let mut asset = Asset {
                returned: returned.map(|day| day.parse().unwrap()),
                ..lent.clone()
            };
            assert_eq!(asset.give_back(day.parse().unwrap(), "good".into()), expected, "{returned:?} {day}");
        }
    }

    #[test]
    fn f_09_due_times_factor_less_deductions_less_retention() {
        // 1000.00 × 95 % = 950.00; less 40.00 = 910.00; 5 % of it is 45.50.
        let got = amounts(100_000, 9_500, 4_000, 500).unwrap();
        assert_eq!(
            (got.earned, got.deducted, got.carried, got.retained, got.own),
            (95_000, 4_000, 0, 4_550, 86_450)
        );
        // 0.01 × 85 % = 0.0085, half up 0.01; 33.33 × 85 % = 28.3305; 0.10 × 85 % = 0.085, half up 0.09.
        assert_eq!(amounts(1, 8_500, 0, 0).unwrap().earned, 1);
        assert_eq!(amounts(3_333, 8_500, 0, 0).unwrap().earned, 2_833);
        assert_eq!(amounts(10, 8_500, 0, 0).unwrap().earned, 9);
        assert_eq!(
            amounts(0, 10_000, 500, 500).unwrap(),
            Amounts {
                factor: 10_000,
                carried: 500,
                ..Amounts::default()
            }
        );
    }

    #[test]
    fn f_09_deductions_stop_at_30_percent_and_carry_to_the_retention() {
        for (deductions, deducted, carried) in [(29_999, 29_999, 0), (30_000, 30_000, 0), (30_001, 30_000, 1), (120_000, 30_000, 90_000)] {
            let got = amounts(100_000, 10_000, deductions, 0).unwrap();
            assert_eq!((got.deducted, got.carried, got.own), (deducted, carried, 100_000 - deducted), "{deductions}");
        }
    }

    #[test]
    fn f_09_never_negative_whatever_comes_together() {
        for due in [0, 1, 7, 99, 100_000, MOST] {
            for factor in [7_000, 8_500, 9_500, 10_000] {
                for deductions in [0, 1, 30, 50_000, MOST] {
                    for retention in [0, 1, 500, 10_000] {
                        let got = amounts(due, factor, deductions, retention).unwrap();
                        assert!(got.own >= 0 && got.retained >= 0 && got.carried >= 0, "{got:?}");
                        assert_eq!(got.earned, got.deducted + got.retained + got.own, "{got:?}");
                        assert_eq!(deductions, got.deducted + got.carried, "{got:?}");
                    }
                }
            }
        }
        assert_eq!(amounts(-1, 10_000, 0, 0), Err(Refusal::PaymentRange));
        assert_eq!(amounts(MOST + 1, 10_000, 0, 0), Err(Refusal::PaymentRange));
    }

    #[test]
    fn bad_input_99_a_sum_above_the_cap_is_no_payment() {
        // Each of them may stand; together they are more than a payment may come to.
        assert_eq!(amounts(MOST, 10_000, 0, 0).unwrap().own, MOST);
        assert_eq!(amounts(MOST + 1, 10_000, 0, 0), Err(Refusal::PaymentRange));
        assert_eq!(
            (Refusal::PaymentRange.code(), Refusal::PaymentRange.reason()),
            (rpc::Code::OutOfRange, "TOTAL_RANGE")
        );
    }

    fn rate(basis: Basis, kind: &str, price: i64, from: &str) -> Rate {
        Rate {
            id: RateId::new(),
            contract: ContractId::new(),
            basis,
            work_kind: kind.into(),
            unit_price: price,
            tax: 0,
            from: from.parse().unwrap(),
            set_by: String::new(),
        }
    }

    fn work(kind: &str, reported: &str, accepted: bool) -> Decided {
        Decided {
            kind: kind.into(),
            accepted,
            reported: Instant::start_of(reported.parse().unwrap()),
            by: "acceptor".into(),
        }
    }

    #[test]
    fn f_e_the_tax_of_an_invoice_is_that_of_the_days_of_the_work() {
        let taxed = |price: i64, tax: i32, from: &str| Rate {
            tax,
            ..rate(Basis::Order, "REPAIR", price, from)
        };
        // 16 % until March 2019 and 13 % from April on, as the law had it, at one price.
        let card = [taxed(8_000, 1_600, "2019-01-01"), taxed(8_000, 1_300, "2019-04-01")];
        let of = |days: &[&str]| {
            let done: Vec<_> = days.iter().map(|day| work("REPAIR", day, true)).collect();
            let lines = lines(&card, &done, None).unwrap();
            (lines.iter().map(|l| l.count).collect::<Vec<_>>(), taxes(&lines))
        };
        assert_eq!(of(&["2019-03-31"]), (vec![1], vec![1_600]));
        assert_eq!(of(&["2019-04-01", "2019-04-02"]), (vec![2], vec![1_300]));
        assert_eq!(of(&["2019-03-31", "2019-04-01"]), (vec![1, 1], vec![1_300, 1_600]));
        assert_eq!(of(&[]), (vec![], vec![]));
        let free = [rate(Basis::Month, "", 0, "2019-01-01"), rate(Basis::Order, "REPAIR", 100, "2019-01-01")];
        assert_eq!(taxes(&lines(&free, &[work("REPAIR", "2019-02-01", true)], None).unwrap()), [0_i32; 0]);
    }

    #[test]
    fn f_09_the_rate_of_the_day_of_the_report_counts() {
        let card = [
            rate(Basis::Order, "REPAIR", 8_000, "2025-01-01"),
            rate(Basis::Order, "REPAIR", 9_000, "2025-02-10"),
            rate(Basis::Month, "", 50_000, "2025-02-02"),
        ];
        let done = [
            work("REPAIR", "2025-02-09", true),
            work("REPAIR", "2025-02-10", true),
            work("REPAIR", "2025-02-11", true),
            work("REPAIR", "2025-02-11", false),
        ];
        let got = lines(&card, &done, Some("2025-02-01".parse().unwrap())).unwrap();
        let shown: Vec<_> = got.iter().map(|l| (l.count, l.unit_price, l.amount())).collect();
        assert_eq!(
            shown,
            [(1, 8_000, 8_000), (2, 9_000, 18_000)],
            "the rate of the month begins after its first day"
        );
        let got = lines(&card, &[], Some("2025-03-01".parse().unwrap())).unwrap();
        assert_eq!(got.iter().map(Line::amount).sum::<i64>(), 50_000);
        assert_eq!(lines(&card, &[work("REPAIR", "2024-12-31", true)], None), Err(Refusal::RateMissing));
        assert_eq!(lines(&card, &[work("VISIT", "2025-02-11", true)], None), Err(Refusal::RateMissing));
        assert_eq!(lines(&card, &[work("VISIT", "2025-02-11", false)], None), Ok(vec![]));
    }

    #[test]
    fn f_09_a_month_has_no_kind_of_work_and_an_order_has_one() {
        let day = "2025-01-01";
        assert_eq!(rate(Basis::Month, "REPAIR", 1, day).checked().err(), Some(Refusal::WorkKind));
        assert_eq!(rate(Basis::Order, "", 1, day).checked().err(), Some(Refusal::WorkKind));
        assert_eq!(rate(Basis::Order, "REPAIR", -1, day).checked().err(), Some(Refusal::ValueNegative));
        assert!(rate(Basis::Order, "REPAIR", 0, day).checked().is_ok());
    }
}
