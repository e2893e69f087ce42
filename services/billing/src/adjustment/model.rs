//! Adjustments of volume (E11), pure: their states, who approves them, what they come to and how they lie in their days.

use calendar::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::{refusal::Refusal, words::words};

words! {
    /// Where an adjustment stands.
    pub enum AdjustmentState {
        /// Asked for.
        Requested "REQUESTED",
        /// Evidence is filed.
        Evidenced "EVIDENCED",
        /// The first level decides.
        L1 "L1",
        /// The second level decides.
        L2 "L2",
        /// The third level decides.
        L3 "L3",
        /// All levels have approved.
        Approved "APPROVED",
        /// It counts.
        Posted "POSTED",
        /// Taken back.
        Reversed "REVERSED",
        /// Rejected.
        Rejected "REJECTED",
    }
}

impl AdjustmentState {
    /// The level that decides, from 1.
    pub const fn level(self) -> Option<usize> {
        match self {
            Self::L1 => Some(1),
            Self::L2 => Some(2),
            Self::L3 => Some(3),
            _ => None,
        }
    }
}

words! {
    /// Why volume is adjusted (调量或补量的依据).
    pub enum Grounds {
        /// A test found the meter beyond its limits.
        MeterError "METER_ERROR",
        /// The meter stood still.
        MeterStopped "METER_STOPPED",
        /// The meter could not be read.
        MeterUnreadable "METER_UNREADABLE",
        /// Supply went past the meter without anybody's guilt.
        UnmeteredUse "UNMETERED_USE",
        /// The same use was billed twice.
        CountedTwice "COUNTED_TWICE",
        /// Theft.
        Theft "THEFT",
    }
}

words! {
    /// How a volume was computed.
    pub enum Method {
        /// By the error of the meter.
        ErrorFormula "ERROR_FORMULA",
        /// By comparison with other days.
        Comparison "COMPARISON",
        /// By rated flow.
        RatedFlow "RATED_FLOW",
        /// As stated.
        Stated "STATED",
    }
}

/// Which methods prove which grounds.
const PROVES: [(Method, Grounds); 9] = [
    (Method::ErrorFormula, Grounds::MeterError),
    (Method::Comparison, Grounds::MeterStopped),
    (Method::Comparison, Grounds::MeterUnreadable),
    (Method::Comparison, Grounds::UnmeteredUse),
    (Method::RatedFlow, Grounds::MeterStopped),
    (Method::RatedFlow, Grounds::UnmeteredUse),
    (Method::RatedFlow, Grounds::Theft),
    (Method::Stated, Grounds::MeterUnreadable),
    (Method::Stated, Grounds::CountedTwice),
];

/// Whether a method proves grounds.
///
/// # Errors
/// ADJUSTMENT_METHOD where it does not.
pub fn proves(method: Method, grounds: Grounds) -> Result<(), Refusal> {
    if PROVES.contains(&(method, grounds)) {
        Ok(())
    } else {
        Err(Refusal::AdjustmentMethod)
    }
}

/// What happens to an adjustment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Evidence is filed.
    File,
    /// It goes to the first level.
    Submit,
    /// A post approves, another one of the level has yet to.
    Sign,
    /// The level approves and a higher one has to.
    Raise,
    /// The last level that it needs approves.
    Approve,
    /// It counts from now on.
    Post,
    /// It counts no more.
    Reverse,
    /// It is rejected.
    Reject,
}

/// The legal moves.
const MOVES: [(AdjustmentState, Action, AdjustmentState); 19] = {
    use AdjustmentState::*;
    [
        (Requested, Action::File, Evidenced),
        (Evidenced, Action::File, Evidenced),
        (Evidenced, Action::Submit, L1),
        (L1, Action::Sign, L1),
        (L2, Action::Sign, L2),
        (L3, Action::Sign, L3),
        (L1, Action::Raise, L2),
        (L2, Action::Raise, L3),
        (L1, Action::Approve, Approved),
        (L2, Action::Approve, Approved),
        (L3, Action::Approve, Approved),
        (Approved, Action::Post, Posted),
        (Posted, Action::Reverse, Reversed),
        (Requested, Action::Reject, Rejected),
        (Evidenced, Action::Reject, Rejected),
        (L1, Action::Reject, Rejected),
        (L2, Action::Reject, Rejected),
        (L3, Action::Reject, Rejected),
        (Approved, Action::Reject, Rejected),
    ]
};

/// Moves an adjustment.
///
/// # Errors
/// ADJUSTMENT_STATE where the move is not legal.
pub fn step(state: AdjustmentState, action: Action) -> Result<AdjustmentState, Refusal> {
    MOVES
        .iter()
        .find(|(from, by, _)| *from == state && *by == action)
        .map(|(_, _, to)| *to)
        .ok_or(Refusal::AdjustmentState)
}

/// What a city decides about adjustments (E11-02, E11-04, E11-05), as a profile keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Lowest first.
    pub levels: Vec<Level>,
    /// Months back that a meter error counts.
    pub lookback_months: u32,
    /// Days of a theft whose beginning is not known.
    pub theft_days: u32,
    /// Hours of a day that a theft counts where the case names none, thousandths. Figures differ by statute, so the service has none of its own.
    pub theft_hours: Option<i64>,
}

/// A level of approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Level {
    /// Litres, either way; none for any volume.
    pub up_to_volume: Option<i64>,
    /// Fen, either way; none for any amount.
    pub up_to_amount: Option<i64>,
    /// Numbers of the posts that approve.
    pub roles: Vec<i32>,
}

impl Level {
    /// Whether an adjustment of so much stays within it.
    fn holds(&self, volume: i64, amount: i64) -> bool {
        let within = |size: i64, bound: Option<i64>| bound.is_none_or(|bound| size.unsigned_abs() <= bound.unsigned_abs());
        within(volume, self.up_to_volume) && within(amount, self.up_to_amount)
    }
}

impl Limits {
    /// Whether the levels rise to one without bounds.
    ///
    /// # Errors
    /// ADJUSTMENT_LEVELS where they do not.
    pub fn check(&self) -> Result<(), Refusal> {
        let bound = |bound: Option<i64>| bound.unwrap_or(i64::MAX);
        let key = |level: &Level| (bound(level.up_to_volume), bound(level.up_to_amount));
        let rising = self.levels.iter().zip(self.levels.iter().skip(1)).all(|(low, high)| {
            let (low, high) = (key(low), key(high));
            low != high && low.0 <= high.0 && low.1 <= high.1
        });
        let open = self.levels.last().is_some_and(|last| key(last) == (i64::MAX, i64::MAX));
        if rising && open { Ok(()) } else { Err(Refusal::AdjustmentLevels) }
    }

    /// The levels that an adjustment of so much needs: all up to the first one that it stays within.
    pub fn needed(&self, volume: i64, amount: i64) -> &[Level] {
        let count = self.levels.iter().position(|level| level.holds(volume, amount));
        let count = count.map_or(self.levels.len(), |at| at.saturating_add(1));
        self.levels.get(..count).unwrap_or(&self.levels)
    }
}

/// What an approval does where these posts of its level have yet to approve, and it needs so many levels.
pub const fn approval(awaited: usize, level: usize, levels: usize) -> Action {
    if awaited > 1 {
        Action::Sign
    } else if level < levels {
        Action::Raise
    } else {
        Action::Approve
    }
}

/// Litres that lie evenly in the days after one day, up to and with another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    pub from: NaiveDate,
    pub to: NaiveDate,
    pub volume: i64,
}

/// Days after `from`, up to and with `to`; 0 where there are none.
fn days(from: NaiveDate, to: NaiveDate) -> i64 {
    to.signed_duration_since(from).num_days().max(0)
}

impl Part {
    /// Litres up to and with a day: whole cubic metres where all of it is, half of a step to the earlier days.
    fn until(&self, day: NaiveDate) -> i64 {
        let (passed, all) = (days(self.from, day.min(self.to)), days(self.from, self.to));
        let step = if self.volume.checked_rem(1000) == Some(0) { 1000 } else { 1 };
        let steps = share(self.volume.unsigned_abs(), passed.unsigned_abs(), all.unsigned_abs().saturating_mul(step));
        let litres = i64::try_from(steps.saturating_mul(step)).unwrap_or(i64::MAX);
        if self.volume < 0 { litres.saturating_neg() } else { litres }
    }

    /// Litres in the days after one day, up to and with another. However days are cut, all cuts together give the whole.
    fn within(&self, from: NaiveDate, to: NaiveDate) -> i64 {
        self.until(to).saturating_sub(self.until(from))
    }
}

/// whole × part / all, half up.
fn share(whole: u64, part: u64, all: u64) -> u64 {
    let (whole, part, all) = (u128::from(whole), u128::from(part), u128::from(all));
    let twice = whole.saturating_mul(part).saturating_mul(2).saturating_add(all);
    u64::try_from(twice.checked_div(all.saturating_mul(2)).unwrap_or(0)).unwrap_or(u64::MAX)
}

/// Litres of all parts in the days after one day, up to and with another.
pub fn within(parts: &[Part], from: NaiveDate, to: NaiveDate) -> i64 {
    parts.iter().map(|part| part.within(from, to)).fold(0, i64::saturating_add)
}

/// Whether every day after one day, up to and with another, is billed; bills do not overlap.
fn covers(billed: &[Part], from: NaiveDate, to: NaiveDate) -> bool {
    let covered = billed
        .iter()
        .map(|bill| days(bill.from.max(from), bill.to.min(to)))
        .fold(0, i64::saturating_add);
    from < to && covered == days(from, to)
}

/// V_true = V_read / (1 + e) in litres, half up (E11-04); the error in millionths of a percent. None where it is −100 % or less.
pub fn true_volume(read: i64, error: i64) -> Option<i64> {
    let whole: i128 = 100_000_000;
    let divisor = whole.checked_add(i128::from(error)).filter(|divisor| *divisor > 0)?;
    let twice = i128::from(read).checked_mul(whole)?.checked_mul(2)?.checked_add(divisor)?;
    i64::try_from(twice.checked_div_euclid(divisor.checked_mul(2)?)?).ok()
}

/// What an error of the meter changes in the billed days after one day, up to and with another, bill by bill. What was adjusted before was not read.
pub fn by_error(billed: &[Part], adjusted: &[Part], (from, to): (NaiveDate, NaiveDate), error: i64) -> Option<Vec<Part>> {
    let mut parts = vec![];
    for bill in billed {
        let (from, to) = (bill.from.max(from), bill.to.min(to));
        if from >= to {
            continue;
        }
        let read = bill.within(from, to).checked_sub(within(adjusted, from, to))?;
        let volume = true_volume(read, error)?.checked_sub(read)?;
        if volume != 0 {
            parts.push(Part { from, to, volume });
        }
    }
    Some(parts)
}

/// Litres that days would have used as other ones did, in whole cubic metres, half up; none where a day to compare with is not billed.
pub fn by_comparison(billed: &[Part], like: (NaiveDate, NaiveDate), (from, to): (NaiveDate, NaiveDate)) -> Option<i64> {
    let (of, till) = like;
    if !covers(billed, of, till) {
        return None;
    }
    let used = u64::try_from(within(billed, of, till)).ok()?;
    let per_thousand = days(of, till).unsigned_abs().checked_mul(1000)?;
    i64::try_from(share(used, days(from, to).unsigned_abs(), per_thousand).checked_mul(1000)?).ok()
}

/// Litres by rated flow (litres an hour), hours of a day (thousandths) and days, half up.
pub fn by_flow(flow: i64, hours: i64, (from, to): (NaiveDate, NaiveDate)) -> Option<i64> {
    let hours = u64::try_from(hours).ok()?.checked_mul(days(from, to).unsigned_abs())?;
    i64::try_from(share(u64::try_from(flow).ok()?, hours, 1000)).ok()
}

/// Whether more would go from a bill than it counts.
pub fn exceeds(billed: &[Part], parts: &[Part]) -> bool {
    billed.iter().any(|bill| bill.volume.saturating_add(within(parts, bill.from, bill.to)) < 0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use contracts::hearth::{billing::v1 as proto, options::v1::Role};
    use proptest::prelude::*;

    use super::*;

    fn day(m: u32, d: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2025, m, d).unwrap()
    }

    const EVE: NaiveDate = NaiveDate::from_ymd_opt(2024, 12, 31).unwrap();

    fn part(from: NaiveDate, to: NaiveDate, volume: i64) -> Part {
        Part { from, to, volume }
    }

    #[test]
    fn words_are_those_of_the_contract() {
        let words: Vec<_> = AdjustmentState::ALL.iter().map(|w| (w.number(), w.code())).collect();
        testbed::assert_contract(&words, "STATE_", |n| proto::adjustment::State::try_from(n).ok().map(|v| v.as_str_name()));
        let words: Vec<_> = Grounds::ALL.iter().map(|w| (w.number(), w.code())).collect();
        testbed::assert_contract(&words, "GROUNDS_", |n| proto::adjustment::Grounds::try_from(n).ok().map(|v| v.as_str_name()));
        let words: Vec<_> = Method::ALL.iter().map(|w| (w.number(), w.code())).collect();
        testbed::assert_contract(&words, "METHOD_", |n| proto::adjustment::Method::try_from(n).ok().map(|v| v.as_str_name()));
    }

    #[test]
    fn table_of_moves() {
        use AdjustmentState::*;
        let actions = [
            Action::File,
            Action::Submit,
            Action::Sign,
            Action::Raise,
            Action::Approve,
            Action::Post,
            Action::Reverse,
            Action::Reject,
        ];
        let table = [
            (Requested, [Some(Evidenced), None, None, None, None, None, None, Some(Rejected)]),
            (Evidenced, [Some(Evidenced), Some(L1), None, None, None, None, None, Some(Rejected)]),
            (L1, [None, None, Some(L1), Some(L2), Some(Approved), None, None, Some(Rejected)]),
            (L2, [None, None, Some(L2), Some(L3), Some(Approved), None, None, Some(Rejected)]),
            (L3, [None, None, Some(L3), None, Some(Approved), None, None, Some(Rejected)]),
            (Approved, [None, None, None, None, None, Some(Posted), None, Some(Rejected)]),
            (Posted, [None, None, None, None, None, None, Some(Reversed), None]),
            (Reversed, [None; 8]),
            (Rejected, [None; 8]),
        ];
        assert_eq!(table.len(), AdjustmentState::ALL.len());
        for (state, row) in table {
            for (action, to) in actions.into_iter().zip(row) {
                assert_eq!(step(state, action).ok(), to, "{state:?} {action:?}");
            }
        }
    }

    #[test]
    fn e11_02_the_size_decides_who_approves() {
        let limits = Limits::default();
        assert_eq!(limits.check(), Ok(()));
        let levels = |metres: i64, yuan: i64| limits.needed(metres * 1000, yuan * 100).len();
        assert_eq!(
            [levels(50, 5000), levels(-50, -5000), levels(51, 1), levels(500, 5000), levels(-501, 1)],
            [1, 1, 2, 2, 3]
        );
        assert_eq!([levels(1, 5001), levels(1, -5001)], [3, 3], "the amount alone is enough");
        assert_eq!(limits.needed(50_001, 0).len(), 2, "a litre above");
        let roles: Vec<_> = limits.needed(501_000, 0).iter().map(|l| l.roles.clone()).collect();
        let of = |roles: &[Role]| roles.iter().map(|r| i32::from(*r)).collect::<Vec<_>>();
        assert_eq!(
            roles,
            [
                of(&[Role::DistrictManager, Role::Accountant]),
                of(&[Role::ServiceManager]),
                of(&[Role::Leader, Role::Finance])
            ]
        );
        assert_eq!(
            [approval(2, 1, 2), approval(1, 1, 2), approval(1, 2, 2), approval(1, 1, 1)],
            [Action::Sign, Action::Raise, Action::Approve, Action::Approve]
        );
    }

    #[test]
    fn e11_02_levels_rise_to_one_without_bounds() {
        let with = |bounds: &[(Option<i64>, Option<i64>)]| Limits {
            levels: bounds
                .iter()
                .map(|(volume, amount)| Level {
                    up_to_volume: *volume,
                    up_to_amount: *amount,
                    roles: vec![4],
                })
                .collect(),
            ..Limits::default()
        };
        assert_eq!(with(&[(None, None)]).check(), Ok(()));
        for wrong in [
            with(&[]),
            with(&[(Some(50), None)]),
            with(&[(Some(50), None), (Some(40), None), (None, None)]),
            with(&[(Some(50), Some(9)), (Some(60), Some(8)), (None, None)]),
            with(&[(None, None), (None, None)]),
        ] {
            assert_eq!(wrong.check(), Err(Refusal::AdjustmentLevels));
        }
    }

    #[test]
    fn e11_01_a_method_fits_its_grounds() {
        for grounds in Grounds::ALL {
            assert!(Method::ALL.iter().any(|method| proves(*method, *grounds).is_ok()), "{grounds:?}");
        }
        assert_eq!(proves(Method::Stated, Grounds::MeterError), Err(Refusal::AdjustmentMethod));
        assert_eq!(proves(Method::Stated, Grounds::Theft), Err(Refusal::AdjustmentMethod));
    }

    #[test]
    fn e11_04_edge_09_a_fast_meter_counted_6_of_106_too_much() {
        assert_eq!(true_volume(106_000, 6_000_000), Some(100_000));
        assert_eq!(true_volume(95_000, -5_000_000), Some(100_000), "a slow one too few");
        assert_eq!(true_volume(1, -100_000_000), None);
        // Two months back from 28 February: what January and February were billed with, bill by bill; December is not touched.
        let billed = [
            part(day(1, 31), day(2, 28), 63_600),
            part(EVE, day(1, 31), 42_400),
            part(EVE - chrono::Days::new(31), EVE, 90_100),
        ];
        let parts = by_error(&billed, &[], (day(2, 28) - chrono::Months::new(2), day(2, 28)), 6_000_000).unwrap();
        assert_eq!(parts[..2], [part(day(1, 31), day(2, 28), -3_600), part(EVE, day(1, 31), -2_400)]);
        // 28 December to 31 December are 3 of 31 days of 90.1 m³: 8.719, of which 8.225 are true.
        assert_eq!(parts[2..], [part(EVE - chrono::Days::new(3), EVE, -494)]);
        let again = by_error(&billed[..1], &[part(day(1, 31), day(2, 28), -3_600)], (day(1, 31), day(2, 28)), 0).unwrap();
        assert_eq!(again, [], "without an error nothing changes");
    }

    #[test]
    fn e11_01_edge_10_a_stopped_meter_is_compared_with_the_same_season() {
        let last_year = [part(EVE, day(1, 31), 62_000), part(day(1, 31), day(2, 28), 56_000)];
        // 2 m³ a day in January, the same for 28 days.
        assert_eq!(by_comparison(&last_year, (EVE, day(1, 31)), (day(1, 31), day(2, 28))), Some(56_000));
        // 118 m³ in 59 days, for 10: 20.
        assert_eq!(by_comparison(&last_year, (EVE, day(2, 28)), (day(3, 1), day(3, 11))), Some(20_000));
        assert_eq!(
            by_comparison(&last_year, (EVE, day(3, 1)), (day(3, 1), day(3, 11))),
            None,
            "1 March is not billed"
        );
        let half = [part(EVE, day(1, 31), 15_500)];
        assert_eq!(
            by_comparison(&half, (EVE, day(1, 31)), (day(2, 1), day(2, 2))),
            Some(1_000),
            "0.5 m³ a day, half up"
        );
    }

    #[test]
    fn e11_05_rated_flow_times_hours_times_days() {
        // 2.5 m³ an hour, 4 hours a day, 180 days.
        assert_eq!(by_flow(2_500, 4_000, (EVE, EVE + chrono::Days::new(180))), Some(1_800_000));
        assert_eq!(by_flow(2_500, 500, (day(1, 1), day(1, 2))), Some(1_250));
    }

    #[test]
    fn edge_02_shares_by_days_are_whole_and_ties_go_to_the_earlier_days() {
        // 180 m³ over 61 + 59 days: 91.5 and 88.5.
        let (from, cut, to) = (day(1, 1), day(3, 3), day(5, 1));
        assert_eq!((days(from, cut), days(cut, to)), (61, 59));
        let whole = part(from, to, 180_000);
        assert_eq!((whole.within(from, cut), whole.within(cut, to)), (92_000, 88_000));
        let back = part(from, to, -180_000);
        assert_eq!((back.within(from, cut), back.within(cut, to)), (-92_000, -88_000));
    }

    #[test]
    fn e11_03_no_bill_falls_below_nothing() {
        let billed = [part(EVE, day(1, 31), 5_000)];
        assert!(!exceeds(&billed, &[part(EVE, day(1, 31), -5_000)]));
        assert!(exceeds(&billed, &[part(EVE, day(1, 31), -5_001)]));
        assert!(!exceeds(&billed, &[part(day(1, 31), day(2, 28), -9_000)]), "other days");
    }

    proptest! {
        #[test]
        fn however_days_are_cut_the_parts_sum_up(
            volume in -5_000_000_i64..5_000_000,
            length in 1_i64..400,
            cuts in prop::collection::vec(0_i64..420, 0..6),
        ) {
            let whole = part(EVE, EVE + chrono::TimeDelta::days(length), volume);
            let mut cuts = cuts;
            cuts.sort_unstable();
            let mut at = EVE - chrono::Days::new(10);
            let mut sum = 0;
            for cut in cuts.into_iter().chain([430]) {
                let next = EVE - chrono::Days::new(10) + chrono::TimeDelta::days(cut);
                let litres = whole.within(at, next);
                prop_assert!(litres == 0 || (litres < 0) == (volume < 0));
                sum += litres;
                at = next;
            }
            prop_assert_eq!(sum, volume);
        }
    }
}
