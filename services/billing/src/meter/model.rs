//! Rules of meters, pure.

use calendar::NaiveDate;

use chrono::Months;

use crate::{reading::rules::SMALL, refusal::Refusal, tariff::heat::EnergyUnit, words::words};

words! {
    /// How a meter counts and reports.
    pub enum MeterKind {
        /// Mechanical (机械表).
        Mechanical "MECHANICAL",
        /// Remote (物联网表).
        Iot "IOT",
        /// IC card (IC卡表): prepaid, not billed by reading.
        Ic "IC",
        /// Heat in kWh (热量表).
        HeatKwh "HEAT_KWH",
        /// Heat in GJ (热量表).
        HeatGj "HEAT_GJ",
        /// Water (水表): readings without a tariff.
        Water "WATER",
    }
}

words! {
    /// What a meter counts.
    pub enum Commodity {
        /// Gas.
        Gas "GAS",
        /// Heat.
        Heat "HEAT",
        /// Water.
        Water "WATER",
    }
}

impl Commodity {
    /// Whether a meter may hang at an agreement for a service. Nothing is supplied as water: its meters hang at either.
    pub fn fits(self, service: &str) -> bool {
        self == Self::Water || self.code() == service
    }
}

words! {
    /// What flows through a gas meter.
    pub enum GasKind {
        /// Natural gas (天然气).
        Natural "NATURAL",
        /// Manufactured gas (人工煤气).
        Manufactured "MANUFACTURED",
        /// Liquefied petroleum gas (液化石油气).
        Lpg "LPG",
    }
}

impl MeterKind {
    /// The unit in which a heat meter counts; none for a gas meter.
    pub const fn energy(self) -> Option<EnergyUnit> {
        match self {
            Self::HeatKwh => Some(EnergyUnit::Kwh),
            Self::HeatGj => Some(EnergyUnit::Gj),
            Self::Mechanical | Self::Iot | Self::Ic | Self::Water => None,
        }
    }

    /// What it counts.
    pub const fn commodity(self) -> Commodity {
        match self {
            Self::HeatKwh | Self::HeatGj => Commodity::Heat,
            Self::Water => Commodity::Water,
            Self::Mechanical | Self::Iot | Self::Ic => Commodity::Gas,
        }
    }
}

words! {
    /// Where a meter is.
    pub enum MeterState {
        /// In store.
        InStore "IN_STORE",
        /// Installed.
        Installed "INSTALLED",
        /// Removed.
        Removed "REMOVED",
    }
}

/// What happens to a meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    Install,
    Remove,
    /// It was verified anew.
    Verify,
    /// The installation never came to be used: the meter goes back to the store.
    Undo,
}

/// Moves a meter.
///
/// # Errors
/// METER_NOT_IN_STORE, METER_INACTIVE.
pub fn step(state: MeterState, action: Move) -> Result<MeterState, Refusal> {
    match (state, action) {
        (MeterState::InStore, Move::Install) => Ok(MeterState::Installed),
        (_, Move::Install) => Err(Refusal::MeterNotInStore),
        (MeterState::Installed, Move::Remove) => Ok(MeterState::Removed),
        (MeterState::Installed, Move::Undo) => Ok(MeterState::InStore),
        (MeterState::Installed, Move::Verify) => Ok(MeterState::Installed),
        (MeterState::InStore | MeterState::Removed, Move::Verify) => Ok(MeterState::InStore),
        (_, Move::Remove | Move::Undo) => Err(Refusal::MeterNotInstalled),
    }
}

/// E4-02: a meter that is installed for a new opening is verified and within its life on that day.
///
/// # Errors
/// METER_NOT_VERIFIED, METER_EXPIRED.
pub fn may_install(verified: Option<NaiveDate>, expires: Option<NaiveDate>, on: NaiveDate) -> Result<(), Refusal> {
    if verified.is_none_or(|day| day > on) {
        return Err(Refusal::MeterNotVerified);
    }
    if expires.is_some_and(|day| day < on) {
        return Err(Refusal::MeterExpired);
    }
    Ok(())
}

/// The last day on which a gas meter may be used after its verification: up to 10 m³/h it lives 10 years on natural gas and 6 on other gas (T3), above it is
/// verified every 3 years (L6). None where the kind of gas is not known.
pub fn life_end(kind: MeterKind, gas: Option<GasKind>, qmax: i64, verified: NaiveDate) -> Option<NaiveDate> {
    let years = match (kind.commodity(), gas?) {
        (Commodity::Heat | Commodity::Water, _) => return None,
        (Commodity::Gas, _) if qmax > SMALL => 3,
        (Commodity::Gas, GasKind::Natural) => 10,
        (Commodity::Gas, GasKind::Manufactured | GasKind::Lpg) => 6,
    };
    verified.checked_add_months(Months::new(12_u32.saturating_mul(years)))?.pred_opt()
}

/// What a verification leaves: its last day, given or the longest that the rules allow.
///
/// # Errors
/// DATE_ORDER, METER_LIFE.
pub fn verified_until(verified: NaiveDate, given: Option<NaiveDate>, life: Option<NaiveDate>) -> Result<Option<NaiveDate>, Refusal> {
    match (given, life) {
        (Some(given), _) if given < verified => Err(Refusal::DateOrder),
        (Some(given), Some(life)) if given > life => Err(Refusal::MeterLife),
        (given, life) => Ok(given.or(life)),
    }
}

/// Whether a meter may be verified again: a gas meter of up to 10 m³/h is verified once (T3).
///
/// # Errors
/// METER_FIRST_VERIFICATION_ONLY.
pub fn may_verify(kind: MeterKind, qmax: i64, before: Option<NaiveDate>) -> Result<(), Refusal> {
    if kind.commodity() == Commodity::Gas && qmax <= SMALL && before.is_some() {
        return Err(Refusal::MeterFirstVerificationOnly);
    }
    Ok(())
}

/// A number on a plate: letters, digits and dashes, at most 40.
pub fn is_meter_no(text: &str) -> bool {
    (1..=40).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use contracts::hearth::billing::v1 as proto;

    use super::*;

    #[test]
    fn words_are_those_of_the_contract() {
        let kinds: Vec<_> = MeterKind::ALL.iter().map(|w| (w.number(), w.code())).collect();
        testbed::assert_contract(&kinds, "KIND_", |n| proto::meter::Kind::try_from(n).ok().map(|v| v.as_str_name()));
        let states: Vec<_> = MeterState::ALL.iter().map(|w| (w.number(), w.code())).collect();
        testbed::assert_contract(&states, "STATE_", |n| proto::meter::State::try_from(n).ok().map(|v| v.as_str_name()));
        let gases: Vec<_> = GasKind::ALL.iter().map(|w| (w.number(), w.code())).collect();
        testbed::assert_contract(&gases, "GAS_KIND_", |n| proto::meter::GasKind::try_from(n).ok().map(|v| v.as_str_name()));
    }

    #[test]
    fn table_of_moves() {
        use MeterState::*;
        let legal = [
            (InStore, Move::Install, Installed),
            (Installed, Move::Remove, Removed),
            (Installed, Move::Undo, InStore),
            (InStore, Move::Verify, InStore),
            (Installed, Move::Verify, Installed),
            (Removed, Move::Verify, InStore),
        ];
        for state in MeterState::ALL.iter().copied() {
            for action in [Move::Install, Move::Remove, Move::Undo, Move::Verify] {
                match legal.iter().find(|(from, by, _)| *from == state && *by == action) {
                    Some((_, _, to)) => assert_eq!(step(state, action), Ok(*to)),
                    None => assert!(step(state, action).is_err(), "{state:?} {action:?}"),
                }
            }
        }
    }

    #[test]
    fn e_4_02_meter_is_verified_and_in_life() {
        let day = |d| NaiveDate::from_ymd_opt(2025, 6, d);
        let on = day(15).unwrap();
        assert_eq!(may_install(day(1), day(15), on), Ok(()));
        assert_eq!(may_install(day(1), None, on), Ok(()));
        assert_eq!(may_install(day(1), day(14), on), Err(Refusal::MeterExpired));
        assert_eq!(may_install(None, day(30), on), Err(Refusal::MeterNotVerified));
        assert_eq!(may_install(day(16), day(30), on), Err(Refusal::MeterNotVerified));
    }

    #[test]
    fn t3_small_meters_live_10_years_on_natural_gas_and_6_on_other_gas() {
        let day = |text: &str| text.parse::<NaiveDate>().ok();
        let end = |gas, qmax| life_end(MeterKind::Mechanical, gas, qmax, day("2020-03-01").unwrap());
        assert_eq!(end(Some(GasKind::Natural), 10_000), day("2030-02-28"));
        assert_eq!(end(Some(GasKind::Manufactured), 10_000), day("2026-02-28"));
        assert_eq!(end(Some(GasKind::Lpg), 4000), day("2026-02-28"));
        assert_eq!(
            end(Some(GasKind::Natural), 10_001),
            day("2023-02-28"),
            "larger ones are verified every three years"
        );
        assert_eq!(end(None, 4000), None);
        assert_eq!(life_end(MeterKind::Water, Some(GasKind::Natural), 4000, day("2020-03-01").unwrap()), None);
    }

    #[test]
    fn t3_no_day_beyond_the_life_and_no_second_verification_of_small_meters() {
        let day = |text: &str| text.parse::<NaiveDate>().ok();
        let (verified, life) = (day("2020-03-01").unwrap(), day("2030-02-28"));
        assert_eq!(verified_until(verified, None, life), Ok(life));
        assert_eq!(verified_until(verified, day("2025-01-01"), life), Ok(day("2025-01-01")));
        assert_eq!(verified_until(verified, day("2030-03-01"), life), Err(Refusal::MeterLife));
        assert_eq!(verified_until(verified, day("2020-02-29"), life), Err(Refusal::DateOrder));
        assert_eq!(verified_until(verified, None, None), Ok(None));
        assert_eq!(may_verify(MeterKind::Iot, 10_000, Some(verified)), Err(Refusal::MeterFirstVerificationOnly));
        assert_eq!(may_verify(MeterKind::Iot, 10_000, None), Ok(()));
        assert_eq!(may_verify(MeterKind::Iot, 10_001, Some(verified)), Ok(()));
        assert_eq!(may_verify(MeterKind::HeatKwh, 4000, Some(verified)), Ok(()));
    }
}
