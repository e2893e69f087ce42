//! Words of readings and exceptions, indexes as they come, and decisions on exceptions, pure.

use money::{DecimalError, Volume};

use crate::{meter::model::MeterKind, refusal::Refusal, words::words};

words! {
    /// What was found about readings.
    pub enum Code {
        /// Two values at one moment.
        Conflict "CONFLICT",
        /// Lower than before, no plausible rollover (edge 4).
        Reverse "REVERSE",
        /// Far above everything before.
        Spike "SPIKE",
        /// More than the meter can pass.
        OverQmax "OVER_QMAX",
        /// Above the comparison window.
        Spike50 "SPIKE_50",
        /// Below the comparison window.
        Drop50 "DROP_50",
        /// No use again (edge 11).
        Zero2 "ZERO_2",
        /// No reading in the month.
        Missing "MISSING",
        /// Consumption without a contract in force.
        ContractMissing "CONTRACT_MISSING",
        /// The index came with an exponent.
        LostDigits "LOST_DIGITS",
        /// The local time came twice.
        TimeTwice "TIME_TWICE",
        /// A pause of a meter that reports by itself.
        Gap "GAP",
        /// The meter has not reported for several times its usual distance.
        Silent "SILENT",
        /// No use for more than a day and night.
        ZeroRun "ZERO_RUN",
        /// The use changed by more than ten times from year to year.
        Scale "SCALE",
        /// A second reading on one day by a person.
        SameDay "SAME_DAY",
        /// The index of last time again, with a photo (edge 50).
        Unchanged "UNCHANGED",
        /// Out of line, from a source whose word needs a check.
        Unconfirmed "UNCONFIRMED",
        /// The life of the meter is over (edge 8).
        Expired "EXPIRED",
        /// No further estimate in a row is allowed (E2-03).
        Estimates "ESTIMATES",
        /// Off by the multiplier.
        Multiplier "MULTIPLIER",
        /// The seal is not as recorded.
        SealBroken "SEAL_BROKEN",
        /// A bulk meter lost too much (E12-01).
        BulkLoss "BULK_LOSS",
        /// A bulk meter passed less than its sub-meters (edge 43).
        BulkNegative "BULK_NEGATIVE",
        /// The register counts on from a small index.
        NewRegister "NEW_REGISTER",
        /// The final index was estimated (edge 7).
        FinalEstimated "FINAL_ESTIMATED",
        /// True readings would have made a bill another one (B11, B12).
        BillAffected "BILL_AFFECTED",
    }
}

impl Code {
    /// Whether it keeps the reading from being billed.
    pub const fn holds(self) -> bool {
        self.doubts_index() || matches!(self, Self::Spike50 | Self::Drop50 | Self::SameDay | Self::Unchanged | Self::FinalEstimated)
    }

    /// Whether the index itself is doubted, so that the next reading is compared with the one before it.
    pub const fn doubts_index(self) -> bool {
        matches!(
            self,
            Self::Conflict
                | Self::Reverse
                | Self::Spike
                | Self::OverQmax
                | Self::LostDigits
                | Self::TimeTwice
                | Self::Unconfirmed
                | Self::Multiplier
                | Self::NewRegister
        )
    }

    /// Whether somebody should call on the site.
    pub const fn is_visited(self) -> bool {
        matches!(self, Self::Zero2 | Self::Silent | Self::SealBroken | Self::Estimates | Self::Expired)
    }

    /// Whether it says that the meter itself may be faulty, so that it may be estimated (E2-03).
    pub const fn doubts_meter(self) -> bool {
        matches!(
            self,
            Self::Reverse
                | Self::Spike
                | Self::OverQmax
                | Self::Zero2
                | Self::LostDigits
                | Self::Gap
                | Self::Silent
                | Self::ZeroRun
                | Self::Scale
                | Self::Multiplier
                | Self::SealBroken
                | Self::NewRegister
        )
    }

    /// Whether a person may close it with the readings as they are.
    pub const fn is_releasable(self) -> bool {
        !matches!(self, Self::Conflict | Self::Reverse | Self::OverQmax | Self::LostDigits | Self::NewRegister)
    }
}

/// Codes as the database keeps them: in the order in which they were found, parted by blanks.
pub fn join(codes: &[Code]) -> String {
    codes.iter().map(|c| c.code()).collect::<Vec<_>>().join(" ")
}

/// Codes from the database; unknown ones are passed over.
pub fn codes_of(text: &str) -> Vec<Code> {
    text.split_whitespace().filter_map(Code::of).collect()
}

words! {
    /// Where a reading stands.
    pub enum ReadingState {
        /// Passes every check as the chain stands.
        Validated "VALIDATED",
        /// Held by an exception.
        Held "HELD",
        /// Accepted by a person.
        Accepted "ACCEPTED",
        /// A bill ends at it.
        Billed "BILLED",
        /// Rejected by a person.
        Rejected "REJECTED",
        /// Its bill was reversed because it was wrong.
        Corrected "CORRECTED",
        /// A better one stands in its place.
        Replaced "REPLACED",
    }
}

impl ReadingState {
    /// Whether a bill may end at it.
    pub const fn is_billable(self) -> bool {
        matches!(self, Self::Validated | Self::Accepted)
    }

    /// Whether it counts at all.
    pub const fn is_live(self) -> bool {
        !matches!(self, Self::Rejected | Self::Corrected | Self::Replaced)
    }
}

/// An index that rating may take: of a reading that the rules or a person have validated. It is made from nothing else, so an unvalidated reading has
/// no number to rate by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validated(i64);

impl Validated {
    /// The index of a reading, where its state says that it is validated.
    pub const fn of(state: ReadingState, index: i64) -> Option<Self> {
        match state {
            ReadingState::Validated | ReadingState::Accepted | ReadingState::Billed => Some(Self(index)),
            ReadingState::Held | ReadingState::Rejected | ReadingState::Corrected | ReadingState::Replaced => None,
        }
    }

    /// Litres.
    pub const fn litres(self) -> i64 {
        self.0
    }
}

words! {
    /// Where a reading came from.
    pub enum Source {
        /// A reader, on site.
        Reader "reader",
        /// A reader, with a photo.
        Photo "photo",
        /// The meter itself.
        Remote "remote",
        /// The user.
        User "user",
        /// A second reading to check the first (复抄).
        Check "check",
        /// Last index of an installation.
        Final "final",
        /// Put in by a person with grounds.
        Adjusted "adjusted",
        /// Estimated (估抄).
        Estimate "estimate",
        /// Where the system before this one ended.
        Opening "opening",
    }
}

impl Source {
    /// Whether rows of files may name it.
    pub const fn is_of_files(self) -> bool {
        matches!(self, Self::Reader | Self::Remote | Self::User | Self::Check)
    }
}

words! {
    /// How an estimate was made (E2-04).
    pub enum Method {
        /// Use of the same days last year.
        LastYear "LAST_YEAR",
        /// Average a day of the last three valid readings.
        LastThree "LAST_THREE",
        /// Average a day of the last four months.
        FourMonths "FOUR_MONTHS",
        /// Average a day of users of the class in the branch.
        LikeUsers "LIKE_USERS",
        /// By days between two actual readings (B12).
        BetweenActuals "BETWEEN_ACTUALS",
    }
}

words! {
    /// Why nothing was read and a meter is estimated (E2-03).
    pub enum Cause {
        /// Nobody could get at the meter.
        NoAccess "NO_ACCESS",
        /// The meter is faulty, or gone.
        MeterFault "METER_FAULT",
    }
}

words! {
    /// Where an exception stands.
    pub enum ExceptionState {
        /// Waits for a person.
        Open "OPEN",
        /// The reading is true.
        Released "RELEASED",
        /// The reading is wrong.
        Rejected "REJECTED",
        /// The true index was put in.
        Adjusted "ADJUSTED",
        /// Later arrivals removed the cause.
        Resolved "RESOLVED",
    }
}

/// What is done with an exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Release,
    Reject,
    Adjust,
    /// By the system, when the cause is gone.
    Resolve,
}

/// Moves an exception. Only an open one moves; what may be done depends on what was found.
///
/// # Errors
/// EXCEPTION_NOT_OPEN, EXCEPTION_NOT_RELEASABLE, EXCEPTION_NOT_REJECTABLE, EXCEPTION_NOT_ADJUSTABLE.
pub fn step(state: ExceptionState, codes: &[Code], decision: Decision) -> Result<ExceptionState, Refusal> {
    if state != ExceptionState::Open {
        return Err(Refusal::ExceptionNotOpen);
    }
    let holds = codes.iter().any(|c| c.holds());
    match decision {
        Decision::Release if codes.iter().all(|c| c.is_releasable()) => Ok(ExceptionState::Released),
        Decision::Release => Err(Refusal::ExceptionNotReleasable),
        Decision::Reject if holds => Ok(ExceptionState::Rejected),
        Decision::Reject => Err(Refusal::ExceptionNotRejectable),
        Decision::Adjust if holds => Ok(ExceptionState::Adjusted),
        Decision::Adjust => Err(Refusal::ExceptionNotAdjustable),
        Decision::Resolve => Ok(ExceptionState::Resolved),
    }
}

/// Whether a person may void a reading that no rule has found wrong (thread 27).
///
/// # Errors
/// READING_BILLED, READING_NOT_VOIDABLE.
pub fn may_void(state: ReadingState, source: Source, codes: &[Code]) -> Result<(), Refusal> {
    let is_end = matches!(source, Source::Final | Source::Opening) || codes.contains(&Code::FinalEstimated);
    match state {
        ReadingState::Validated | ReadingState::Accepted if !is_end => Ok(()),
        ReadingState::Billed if !is_end => Err(Refusal::ReadingBilled),
        _ => Err(Refusal::ReadingNotVoidable),
    }
}

/// Whether a true index fits between the usable ones around it, litres. Where the one after is the lower one, the register went round on either side of it.
pub fn fits(index: i64, before: Option<i64>, after: Option<i64>) -> bool {
    match (before, after) {
        (Some(before), Some(after)) if after < before => index >= before || index <= after,
        _ => before.is_none_or(|b| b <= index) && after.is_none_or(|a| index <= a),
    }
}

/// The same where a person says that the register went round since the index before it, some days ago: there is one, it is higher, and the meter could pass the
/// volume.
pub fn fits_round(register: Register, index: i64, before: Option<(i64, i64)>, after: Option<i64>) -> bool {
    before.is_some_and(|(before, days)| {
        let volume = index.saturating_sub(before).saturating_add(register.capacity());
        index < before && volume <= register.passes(days) && after.is_none_or(|after| index <= after && after < before)
    })
}

/// What the meter can show and pass.
#[derive(Clone, Copy, Debug)]
pub struct Register {
    pub digits: u32,
    /// Litres an hour.
    pub qmax: i64,
    /// What one step of the last whole digit stands for, cubic metres.
    pub multiplier: i64,
}

impl Register {
    /// As it stands in a row.
    pub fn of(digits: i32, qmax: i64, multiplier: i32) -> Self {
        Self {
            digits: digits.unsigned_abs(),
            qmax,
            multiplier: i64::from(multiplier),
        }
    }
    /// The first index, in litres, that the register cannot show.
    pub fn capacity(self) -> i64 {
        let steps = 10_i64.checked_pow(self.digits).and_then(|n| n.checked_mul(1000));
        steps.and_then(|n| n.checked_mul(self.multiplier)).unwrap_or(i64::MAX)
    }

    /// Litres that pass the meter in some days at most.
    pub const fn passes(self, days: i64) -> i64 {
        self.qmax.saturating_mul(days.saturating_mul(24))
    }

    /// The index of what the register shows, in thousandths.
    fn index(self, shown: i64) -> Result<i64, Refusal> {
        let index = shown.checked_mul(self.multiplier).ok_or(Refusal::IndexDigits)?;
        if index < self.capacity() { Ok(index) } else { Err(Refusal::IndexDigits) }
    }
}

/// Reads an index as it came: what the register shows, times the multiplier. Mechanical gas registers count in whole cubic metres: the red decimals are cut off.
///
/// # Errors
/// INDEX_NOT_PLAIN_DIGITS, INDEX_PLACES, INDEX_DIGITS.
pub fn index_of(text: &str, kind: MeterKind, register: Register) -> Result<i64, Refusal> {
    let litres = shown(text, Volume::parse(text))?;
    let decimals = if kind == MeterKind::Mechanical { litres % 1000 } else { 0 };
    register.index(litres.saturating_sub(decimals))
}

/// Reads an index that a device has sent: more than three places are rounded half up to the thousandth, and an exponent is read as the number that it denotes,
/// although digits were lost on the way.
///
/// # Errors
/// INDEX_NOT_PLAIN_DIGITS, INDEX_DIGITS.
pub fn index_of_device(text: &str, register: Register) -> Result<i64, Refusal> {
    register.index(shown(text, Volume::parse_scientific(text))?)
}

/// Whether an index is written with an exponent.
pub fn has_exponent(text: &str) -> bool {
    text.contains(['e', 'E'])
}

fn shown(text: &str, value: Result<Volume, DecimalError>) -> Result<i64, Refusal> {
    let litres = value.map(Volume::litres).map_err(|e| match e {
        DecimalError::Format => Refusal::IndexNotPlainDigits,
        DecimalError::Scale => Refusal::IndexPlaces,
        DecimalError::Range => Refusal::IndexDigits,
    })?;
    if litres < 0 || text.starts_with('-') {
        Err(Refusal::IndexNotPlainDigits)
    } else {
        Ok(litres)
    }
}

/// How a reading enters the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// To be judged.
    Open,
    /// True, whatever the checks say: billed or accepted by a person.
    True,
    /// Not to be used: rejected, corrected, or one of two values at one moment.
    Unused,
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use contracts::hearth::billing::v1 as proto;

    use super::*;

    const G25: Register = Register {
        digits: 5,
        qmax: 4000,
        multiplier: 1,
    };

    #[test]
    fn words_are_those_of_the_contract() {
        let list = |words: Vec<(i32, &'static str)>| words;
        testbed::assert_contract(&list(Code::ALL.iter().map(|w| (w.number(), w.code())).collect()), "CODE_", |n| {
            proto::reading_exception::Code::try_from(n).ok().map(|v| v.as_str_name())
        });
        testbed::assert_contract(&list(ExceptionState::ALL.iter().map(|w| (w.number(), w.code())).collect()), "STATE_", |n| {
            proto::reading_exception::State::try_from(n).ok().map(|v| v.as_str_name())
        });
        testbed::assert_contract(&list(ReadingState::ALL.iter().map(|w| (w.number(), w.code())).collect()), "STATE_", |n| {
            proto::reading::State::try_from(n).ok().map(|v| v.as_str_name())
        });
    }

    #[test]
    fn e_2_02_index_is_plain_digits_within_the_register() {
        let iot = |text| index_of(text, MeterKind::Iot, G25);
        assert_eq!(iot("3807.40"), Ok(3_807_400));
        assert_eq!(iot("00012"), Ok(12_000));
        assert_eq!(index_of("4106.9", MeterKind::Mechanical, G25), Ok(4_106_000));
        assert_eq!(iot("99999.999"), Ok(99_999_999));
        assert_eq!(iot("1040760"), Err(Refusal::IndexDigits));
        assert_eq!(iot("100000"), Err(Refusal::IndexDigits));
        assert_eq!(iot("99999999999999999999"), Err(Refusal::IndexDigits));
        assert_eq!(iot("12.3456"), Err(Refusal::IndexPlaces));
        for text in ["8e+03", "", " 12", "12 ", "+12", "-1", "-0", "1,000", "１２", "12.", ".5", "NaN", "0x10"] {
            assert_eq!(iot(text), Err(Refusal::IndexNotPlainDigits), "{text}");
        }
    }

    #[test]
    fn b_06_only_a_validated_reading_has_an_index_that_rating_takes() {
        use ReadingState as S;
        let index = |state| Validated::of(state, 46_000).map(Validated::litres);
        assert_eq!([S::Validated, S::Accepted, S::Billed].map(index), [Some(46_000); 3]);
        assert_eq!([S::Held, S::Rejected, S::Corrected, S::Replaced].map(index), [None; 4]);
        assert_eq!(S::ALL.len(), 7);
    }

    #[test]
    fn b_01_the_multiplier_counts_in_the_index_and_in_where_the_register_ends() {
        let tens = Register { multiplier: 10, ..G25 };
        assert_eq!(tens.capacity(), 1_000_000_000);
        assert_eq!(index_of("12.5", MeterKind::Iot, tens), Ok(125_000));
        assert_eq!(index_of("12.5", MeterKind::Mechanical, tens), Ok(120_000));
        assert_eq!(index_of("100000", MeterKind::Iot, tens), Err(Refusal::IndexDigits));
    }

    #[test]
    fn indexes_of_devices_are_rounded_half_up_and_an_exponent_is_seen() {
        let device = |text| index_of_device(text, G25);
        assert_eq!(device("5347.6145"), Ok(5_347_615));
        assert_eq!(device("5347.6144"), Ok(5_347_614));
        assert_eq!((device("4e+02"), has_exponent("4e+02")), (Ok(400_000), true));
        assert_eq!((device("1.5E3"), has_exponent("1.5E3")), (Ok(1_500_000), true));
        assert_eq!(device("4e+05"), Err(Refusal::IndexDigits));
        assert!(!has_exponent("400000"));
        for text in ["", "-1", "1,5", "e5", "NaN"] {
            assert_eq!(device(text), Err(Refusal::IndexNotPlainDigits), "{text}");
        }
    }

    #[test]
    fn edge_03_an_index_fits_between_its_neighbours_or_the_register_went_round_as_a_person_says() {
        assert!(fits(50, Some(50), Some(50)) && fits(7, None, None));
        assert!(!fits(49, Some(50), None) && !fits(51, None, Some(50)));
        // It went round somewhere between the two.
        assert!(fits(99, Some(90), Some(5)) && fits(3, Some(90), Some(5)) && !fits(6, Some(90), Some(5)));
        let round = |index, before, after| fits_round(G25, index, before, after);
        let first = Some((99_987_000, 31));
        assert!(round(12_000, first, None) && round(12_000, first, Some(40_000)));
        assert!(!round(12_000, first, Some(11_000)), "the one after is lower");
        assert!(!round(12_000, first, Some(99_990_000)), "the one after counts on from the one before");
        assert!(!round(99_987_000, first, None) && !round(12_000, None, None));
        // 4 m3 an hour are 2976 in 31 days: from 99987 on until 2963, not 2964.
        assert!(round(2_963_000, first, None) && !round(2_963_001, first, None));
        // Edge 4: 99, then 80.
        assert!(!round(80_000, Some((99_000, 31)), None));
    }

    #[test]
    fn thread_27_only_what_counts_is_not_billed_and_ends_nothing_may_be_voided() {
        use ReadingState as S;
        let state = |state| may_void(state, Source::Reader, &[Code::Zero2]);
        assert_eq!([S::Validated, S::Accepted].map(state), [Ok(()); 2]);
        assert_eq!(state(S::Billed), Err(Refusal::ReadingBilled));
        assert_eq!(
            [S::Held, S::Rejected, S::Corrected, S::Replaced].map(state),
            [Err(Refusal::ReadingNotVoidable); 4]
        );
        let of = |source, codes: &[Code]| may_void(S::Accepted, source, codes);
        assert_eq!([of(Source::Final, &[]), of(Source::Opening, &[])], [Err(Refusal::ReadingNotVoidable); 2]);
        assert_eq!(of(Source::Estimate, &[Code::FinalEstimated]), Err(Refusal::ReadingNotVoidable));
        assert_eq!(of(Source::Estimate, &[]), Ok(()));
    }

    #[test]
    fn e_2_02_table_of_decisions() {
        use Decision::*;
        use ExceptionState as S;
        for state in S::ALL.iter().copied().filter(|s| *s != S::Open) {
            for decision in [Release, Reject, Adjust, Resolve] {
                assert_eq!(step(state, &[Code::Spike50], decision), Err(Refusal::ExceptionNotOpen));
            }
        }
        let rows = [
            (Code::Conflict, false, true),
            (Code::Reverse, false, true),
            (Code::Spike, true, true),
            (Code::OverQmax, false, true),
            (Code::Spike50, true, true),
            (Code::Drop50, true, true),
            (Code::Zero2, true, false),
            (Code::Missing, true, false),
            (Code::ContractMissing, true, false),
            (Code::LostDigits, false, true),
            (Code::TimeTwice, true, true),
            (Code::Gap, true, false),
            (Code::Silent, true, false),
            (Code::ZeroRun, true, false),
            (Code::Scale, true, false),
            (Code::SameDay, true, true),
            (Code::Unchanged, true, true),
            (Code::Unconfirmed, true, true),
            (Code::Expired, true, false),
            (Code::Estimates, true, false),
            (Code::Multiplier, true, true),
            (Code::SealBroken, true, false),
            (Code::BulkLoss, true, false),
            (Code::BulkNegative, true, false),
            (Code::NewRegister, false, true),
            (Code::FinalEstimated, true, true),
            (Code::BillAffected, true, false),
        ];
        assert_eq!(rows.len(), Code::ALL.len());
        for (code, release, holds) in rows {
            let outcome = |good: bool, state, refusal| if good { Ok(state) } else { Err(refusal) };
            assert_eq!(
                step(S::Open, &[code], Release),
                outcome(release, S::Released, Refusal::ExceptionNotReleasable),
                "{code:?}"
            );
            assert_eq!(
                step(S::Open, &[code], Reject),
                outcome(holds, S::Rejected, Refusal::ExceptionNotRejectable),
                "{code:?}"
            );
            assert_eq!(
                step(S::Open, &[code], Adjust),
                outcome(holds, S::Adjusted, Refusal::ExceptionNotAdjustable),
                "{code:?}"
            );
            assert_eq!(step(S::Open, &[code], Resolve), Ok(S::Resolved));
        }
        assert_eq!(step(S::Open, &[Code::Spike, Code::OverQmax], Release), Err(Refusal::ExceptionNotReleasable));
    }
}
