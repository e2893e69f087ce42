//! Heat bills of domain.md 11.2.

use money::{Area, Energy, Exact, Mode, Money, Ratio};
use rating::{HeatFee, HeatSettlement, Ledger, Profile, RatingError, Reason, Segment, Settlement, Usage, rate};

use crate::tariffs::{BEIJING_HEAT, TIANJIN_HEAT, tariff, yuan};

fn settle(text: &str, class: &str, area: &str, energy: &str) -> Result<HeatSettlement, RatingError> {
    let tariff = tariff(text);
    HeatSettlement::new(tariff.class(class)?, tariff.rounding, area.parse().unwrap(), energy.parse().unwrap())
}

#[test]
fn h_tj_metered_with_refund_and_supplement() {
    let settled = settle(TIANJIN_HEAT, "resident", "100", "8100").unwrap();
    assert_eq!(
        (settled.by_area.total, settled.metered.total, settled.refund),
        (yuan("2500.00"), yuan("1803.00"), yuan("697.00"))
    );
    assert_eq!(
        settled.metered.lines.iter().map(|line| line.amount).collect::<Vec<_>>(),
        [yuan("750.00"), yuan("1053.00")]
    );
    // Edge case 38.
    let below = settle(TIANJIN_HEAT, "resident", "100", "13461").unwrap();
    assert_eq!((below.metered.total, below.refund), (yuan("2499.93"), yuan("0.07")));
    let above = settle(TIANJIN_HEAT, "resident", "100", "13462").unwrap();
    assert_eq!((above.metered.total, above.refund), (yuan("2500.06"), yuan("-0.06")));
}

#[test]
fn h_bj_network_and_boiler() {
    let network = settle(BEIJING_HEAT, "resident, city network", "80.5", "6000").unwrap();
    assert_eq!(
        (network.by_area.total, network.metered.total, network.refund),
        (yuan("1932.00"), yuan("1926.00"), yuan("6.00"))
    );
    let boiler = settle(BEIJING_HEAT, "resident, gas or oil or electric boiler", "80.5", "6000").unwrap();
    assert_eq!((boiler.by_area.total, boiler.metered.total), (yuan("2415.00"), yuan("2409.00")));
    assert_eq!(
        settle(BEIJING_HEAT, "non-resident, inner six districts", "80.5", "1"),
        Err(RatingError::NoMeteredPrice)
    );
}

#[test]
fn h_bj_rooms_above_four_metres() {
    let tariff = tariff(BEIJING_HEAT);
    let class = tariff.class("resident, city network").unwrap();
    for (height, total, surcharge) in [
        (None, "1932.00", None),
        (Some("3.0"), "1932.00", None),
        (Some("4"), "1932.00", None),
        (Some("5.0"), "2173.50", Some(("3.000000", "241.50"))),
        (Some("4.8"), "2125.20", Some(("2.400000", "193.20"))),
    ] {
        let fee = HeatFee::by_area(
            class,
            tariff.rounding,
            "80.5".parse().unwrap(),
            tariff.height_surcharge,
            height.map(|h| Ratio::parse(h).unwrap()),
        )
        .unwrap();
        assert_eq!(fee.total, yuan(total), "{height:?}");
        assert_eq!(fee.lines[0].amount, yuan("1932.00"));
        let line = fee.lines.get(1).map(|l| (l.reason, l.unit_price, l.amount));
        assert_eq!(
            line,
            surcharge.map(|(price, amount)| (Reason::HeightSurcharge, price.parse().unwrap(), yuan(amount))),
            "{height:?}"
        );
    }
    // Without a surcharge in the notice the height does not matter.
    let plain = HeatFee::by_area(class, tariff.rounding, "80.5".parse().unwrap(), None, Some(Ratio::parse("5").unwrap())).unwrap();
    assert_eq!(plain.total, yuan("1932.00"));
}

#[test]
fn a_11_energy_is_corrected_for_the_place_in_the_building() {
    let tariff = tariff(TIANJIN_HEAT);
    let class = tariff.class("resident").unwrap();
    let fee = |correction: &str| {
        HeatFee::by_meter(
            class,
            tariff.rounding,
            "100".parse().unwrap(),
            "8100".parse().unwrap(),
            Ratio::parse(correction).unwrap(),
        )
        .unwrap()
    };
    assert_eq!(fee("1").total, yuan("1803.00"));
    // 750 + 8100 × 0.13 × 0.9 = 750 + 947.70.
    assert_eq!(fee("0.9").total, yuan("1697.70"));
    assert_eq!(fee("0.9").lines[1].unit_price, "0.117".parse().unwrap());
    let none = HeatFee::by_meter(
        crate::tariffs::tariff(BEIJING_HEAT).class("non-resident, inner six districts").unwrap(),
        tariff.rounding,
        "100".parse().unwrap(),
        "1".parse().unwrap(),
        Ratio::ONE,
    );
    assert_eq!(none, Err(RatingError::NoMeteredPrice));
}

#[test]
fn edge_31_season_days_with_and_without_29_february() {
    let season = tariff(TIANJIN_HEAT).season.unwrap();
    assert_eq!((season.days(2023), season.days(2024)), (Some(122), Some(121)));
}

#[test]
fn h_tj_refunds_for_low_temperature_are_rounded_once() {
    let refund = |fee: &str, area: i64, days: i64, of: i64, percent: &str| {
        let share = Ratio::new(days, of)
            .unwrap()
            .checked_mul(Ratio::parse_percent(percent).unwrap())
            .unwrap()
            .checked_mul(Ratio::new(area, 1).unwrap())
            .unwrap();
        Exact::from(yuan(fee)).round_times(share, Mode::HalfUp, Money::from_fen(1)).unwrap()
    };
    assert_eq!(refund("25.00", 30, 10, 121, "50"), yuan("30.99"));
    assert_eq!(refund("2500.00", 1, 10, 121, "10"), yuan("20.66"));
}

#[test]
fn heat_settled_by_meter_needs_both_prices_and_no_negative_use() {
    let tariff = tariff(TIANJIN_HEAT);
    let profile = Profile {
        settlement: Settlement::Metered,
        ..Profile::default()
    };
    let plan = tariff.plan("non-resident", &profile).unwrap();
    let bill = |area, energy| {
        rate(
            &[Segment::new(
                &plan,
                0,
                Usage::heat(Area::from_hundredths(area), Energy::from_watt_hours(energy)),
            )],
            &Ledger::default(),
        )
    };
    assert_eq!(bill(10_000, 1_000_000).unwrap().total, yuan("1450.00"));
    assert_eq!(bill(-1, 0), Err(RatingError::NegativeVolume));
    assert_eq!(bill(0, -1), Err(RatingError::NegativeVolume));
}
