//! Rules of meters, pure.

use calendar::NaiveDate;

use crate::{refusal::Refusal, supply::model::Service, tariff::heat::EnergyUnit, words::words};

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
    }
}

impl MeterKind {
    /// The unit in which a heat meter counts; none for a gas meter.
    pub const fn energy(self) -> Option<EnergyUnit> {
        match self {
            Self::HeatKwh => Some(EnergyUnit::Kwh),
            Self::HeatGj => Some(EnergyUnit::Gj),
            Self::Mechanical | Self::Iot | Self::Ic => None,
        }
    }

    /// What it meters.
    pub const fn service(self) -> Service {
        if self.energy().is_some() { Service::Heat } else { Service::Gas }
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
    }

    #[test]
    fn table_of_moves() {
        use MeterState::*;
        let legal = [
            (InStore, Move::Install, Installed),
            (Installed, Move::Remove, Removed),
            (Installed, Move::Undo, InStore),
        ];
        for state in MeterState::ALL.iter().copied() {
            for action in [Move::Install, Move::Remove, Move::Undo] {
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
}
