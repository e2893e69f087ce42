//! Heat bills of domain.md 11.2.

use money::{Area, Energy, Money, Ratio};
use rating::{
    EnergyUnit, HeatFee, HeatPrices, HeatSettled, HeatSettlement, HeatUse, Ledger, Profile, RatingError, Reason, Segment, Settlement, SettlementRule, Tariff,
    Usage, rate,
};

use crate::tariffs::{BEIJING_HEAT, TIANJIN_HEAT, tariff, yuan};

/// Tianjin's prices for residents with further lines for the file and the class.
pub fn tianjin(rules: &str, class: &str) -> Tariff {
    let text = TIANJIN_HEAT.replacen("[[class]]", &format!("{rules}\n[[class]]\n{class}"), 1);
    tariff(&text)
}

/// What 100 m² of residents cost in the season of a year, by area and with 8,100 kWh by meter.
fn fees(tariff: &Tariff, year: i32) -> [HeatFee; 2] {
    let prices = HeatPrices::of(tariff, "resident", year).unwrap();
    let (area, energy) = ("100".parse().unwrap(), "8100".parse().unwrap());
    let fees = [prices.by_area(area, None), prices.by_meter(area, energy, Ratio::ONE)].map(Result::unwrap);
    fees.iter().for_each(sound);
    fees
}

fn sound(fee: &HeatFee) {
    assert_eq!(Money::sum(fee.lines.iter().map(|line| line.amount)), Ok(fee.total));
    assert_eq!(fee.explanation.check(), Ok(fee.total), "{}", fee.explanation.as_str());
}

/// A settled season of 100 m² in Tianjin.
pub fn settled(rule: SettlementRule, kwh: &str) -> HeatSettled {
    let tariff = tariff(TIANJIN_HEAT);
    let prices = HeatPrices {
        tariff: "version 1",
        ..HeatPrices::of(&tariff, "resident", 2024).unwrap()
    };
    let used = HeatUse {
        area: "100".parse().unwrap(),
        height: None,
        energy: kwh.parse().unwrap(),
        correction: Ratio::ONE,
    };
    prices.settle(rule, used).unwrap()
}

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
    let season = tariff(TIANJIN_HEAT).season.unwrap();
    let refund = |fee: &str, percent: &str| season.share(yuan(fee), 10, Ratio::parse_percent(percent).unwrap(), 2024);
    // 10 of 121 days: a bedroom of 30 m² at 25 yuan 4 °C too cold, 30.9917; all of 100 m² 1 °C too cold, 20.661.
    assert_eq!(refund("750.00", "50"), Ok(yuan("30.99")));
    assert_eq!(refund("2500.00", "10"), Ok(yuan("20.66")));
}

#[test]
fn h_qd_bands_of_cold_days_go_back_by_their_share() {
    // Qingdao: 16 November to 5 April, 141 days. 2000.00 × days / 141 × 20, 50 and 100 %.
    let text = TIANJIN_HEAT.replacen("start = \"11-15\", end = \"03-15\"", "start = \"11-16\", end = \"04-05\"", 1);
    let season = tariff(&text).season.unwrap();
    assert_eq!(season.days(2024), Some(141));
    for (days, percent, back) in [(10, "20", "28.37"), (5, "50", "35.46"), (3, "100", "42.55")] {
        let share = Ratio::parse_percent(percent).unwrap();
        assert_eq!(season.share(yuan("2000.00"), days, share, 2024), Ok(yuan(back)), "{percent} %");
    }
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

#[test]
fn a_11_the_explanation_of_a_settlement_holds_both_fees_and_what_the_rule_makes_of_them() {
    let carried = settled(SettlementRule::CarryOver, "8100");
    assert_eq!(
        carried.explanation.as_str(),
        "tariff is version 1\n\
         class is resident\n\
         area given = 100\n\
         energy given = 8100\n\
         a1 mul area 25 = 2500\n\
         by_area.sum add a1 = 2500\n\
         by_area.total round half_up 0.01 by_area.sum = 2500\n\
         by_area.lines spread 0.01 by_area.total a1 = 2500\n\
         a2 mul area 7.5 = 750\n\
         a3 mul energy 0.13 = 1053\n\
         by_meter.sum add a2 a3 = 1803\n\
         by_meter.total round half_up 0.01 by_meter.sum = 1803\n\
         by_meter.lines spread 0.01 by_meter.total a2 a3 = 750 1053\n\
         total min by_meter.total by_area.total = 1803\n\
         carried sub by_area.total total = 697\n"
    );
    assert!(
        carried
            .settlement
            .by_area
            .explanation
            .as_str()
            .starts_with("tariff is version 1\nclass is resident\n"),
        "each fee names its version too"
    );
    // 13,462 kWh: 750 + 1750.06, which is 0.06 above the fee by area.
    for (rule, kwh, charged, end) in [
        (
            SettlementRule::RefundAndSupplement,
            "8100",
            "1803.00",
            "total add by_meter.total = 1803\nrefund sub by_area.total total = 697\n",
        ),
        (
            SettlementRule::RefundAndSupplement,
            "13462",
            "2500.06",
            "total add by_meter.total = 2500.06\nsupplement sub total by_area.total = 0.06\n",
        ),
        (SettlementRule::CarryOver, "13462", "2500.00", "total min by_meter.total by_area.total = 2500\n"),
        (SettlementRule::Capped, "13462", "2500.00", "total min by_meter.total by_area.total = 2500\n"),
        (
            SettlementRule::Capped,
            "8100",
            "1803.00",
            "total min by_meter.total by_area.total = 1803\nrefund sub by_area.total total = 697\n",
        ),
    ] {
        let settled = settled(rule, kwh);
        assert_eq!(
            (settled.outcome.charged, settled.explanation.check()),
            (yuan(charged), Ok(yuan(charged))),
            "{rule:?} {kwh}"
        );
        assert!(settled.explanation.as_str().ends_with(end), "{}", settled.explanation.as_str());
        assert!(settled.explanation.as_str().contains(&format!("energy given = {kwh}\n")));
    }
}

#[test]
fn a_11_a_settlement_takes_the_height_for_the_area_and_the_correction_for_the_energy() {
    let tariff = tariff(BEIJING_HEAT);
    let prices = HeatPrices::of(&tariff, "resident, city network", 2024).unwrap();
    let used = HeatUse {
        area: "80.5".parse().unwrap(),
        height: Some(Ratio::parse("5").unwrap()),
        energy: "6000".parse().unwrap(),
        correction: Ratio::parse("0.9").unwrap(),
    };
    let settled = prices.settle(SettlementRule::Capped, used).unwrap();
    // By area 1932.00 × 1.125; by meter 966 + 960 × 0.9.
    let totals = [&settled.settlement.by_area, &settled.settlement.metered].map(|fee| fee.total);
    assert_eq!(totals, ["2173.50", "1830.00"].map(yuan));
    assert_eq!(settled.explanation.check(), Ok(yuan("1830.00")), "{}", settled.explanation.as_str());
}

#[test]
fn a_11_a_standing_charge_of_heat_is_due_by_its_time() {
    let fixed = |fees: &HeatFee| -> Vec<Money> { fees.lines.iter().filter(|line| line.reason == Reason::Fixed).map(|line| line.amount).collect() };
    // The days of 15 November to 15 March: 121, and 122 with a 29 February.
    let daily = tianjin("", r#"charges = [{ per = "day", price = "0.50" }]"#);
    assert_eq!(
        fees(&daily, 2024).map(|fee| fee.total),
        ["2560.50", "1863.50"].map(yuan),
        "2500 + 60.50, 1803 + 60.50"
    );
    assert_eq!(fees(&daily, 2023).map(|fee| fee.total), ["2561.00", "1864.00"].map(yuan));
    // 16 of 30 days of November, three months, 15 of 31 days of March.
    let monthly = tianjin("", r#"charges = [{ per = "month", price = "31.00" }]"#);
    let [by_area, _] = fees(&monthly, 2024);
    assert_eq!(fixed(&by_area), ["16.53", "31.00", "31.00", "31.00", "15.00"].map(yuan));
    assert_eq!(by_area.total, yuan("2624.53"));
    // 47 of 366 days of 2024 and 74 of 365 days of 2025.
    let yearly = tianjin("", r#"charges = [{ per = "year", price = "365.00" }]"#);
    assert_eq!(fixed(&fees(&yearly, 2024)[0]), ["46.87", "74.00"].map(yuan));
    let once = tianjin("", "base = \"12.00\"");
    assert_eq!(fees(&once, 2024).map(|fee| fee.total), ["2512.00", "1815.00"].map(yuan));
    // Without a season nothing is guessed.
    let class = daily.class("resident").unwrap();
    let unknown = HeatFee::by_area(class, daily.rounding, "100".parse().unwrap(), None, None);
    assert_eq!(unknown, Err(RatingError::DaysMissing));
}

#[test]
fn a_11_tax_on_heat_is_added_or_told() {
    let [by_area, by_meter] = fees(&tianjin("tax_percent = \"9\"", ""), 2024);
    assert_eq!((by_area.total, by_area.tax), (yuan("2725.00"), yuan("225.00")));
    assert_eq!((by_meter.total, by_meter.tax), (yuan("1965.27"), yuan("162.27")), "1803 × 1.09");
    let within = fees(&tianjin("tax_percent = \"25\"\ntax_included = true", ""), 2024);
    assert_eq!((within[0].total, within[0].tax), (yuan("2500.00"), yuan("500.00")), "2500 hold a fifth");
    // Rooms of 5 m: 1932 × 1.125 = 2173.50, and 9 % of it 195.615; rounded down to the yuan by itself 195.
    let high = |rules: &str| {
        let tariff = tariff(&BEIJING_HEAT.replacen("rounding = ", &format!("{rules}\nrounding = "), 1));
        let prices = HeatPrices::of(&tariff, "resident, city network", 2024).unwrap();
        let fee = prices.by_area("80.5".parse().unwrap(), Some(Ratio::parse("5").unwrap())).unwrap();
        sound(&fee);
        (fee.total, fee.tax)
    };
    assert_eq!(high("tax_percent = \"9\""), (yuan("2369.12"), yuan("195.62")));
    assert_eq!(high("tax_percent = \"9\"\ntax_rounding = \"floor_1\""), (yuan("2368.50"), yuan("195.00")));
}

#[test]
fn a_11_a_component_of_heat_may_be_rounded_by_itself() {
    let fee = |class: &str, area: &str, energy: &str, correction: &str| {
        let tariff = tianjin("", class);
        let prices = HeatPrices::of(&tariff, "resident", 2024).unwrap();
        let area = area.parse().unwrap();
        let by_area = prices.by_area(area, None).unwrap();
        let by_meter = prices.by_meter(area, energy.parse().unwrap(), Ratio::parse(correction).unwrap()).unwrap();
        [&by_area, &by_meter].into_iter().for_each(sound);
        [by_area.total, by_meter.total]
    };
    // 33.33 × 25 = 833.25 → 833; 33.33 × 7.50 = 249.975 → 249 and 10 × 0.13 = 1.30 → 1.
    assert_eq!(fee("rounding = \"floor_1\"", "33.33", "10", "1"), ["833.00", "250.00"].map(yuan));
    // 8100.123 × 0.13 × 0.9333 = 982.779823467 → 982.70.
    assert_eq!(fee("rounding = \"floor_0.10\"", "100", "8100.123", "0.9333")[1], yuan("1732.70"));
    // A charge besides, rounded up: 2 × 1.111 → 2.30, and 50 by the tariff's rounding alone.
    let charge = r#"charges = [{ per = "m2", price = "1.111", rounding = "ceiling_0.10" }]"#;
    assert_eq!(fee(charge, "2", "0", "1"), ["52.30", "17.30"].map(yuan));
    // The surcharge belongs to its component: 1932 × 1.125 = 2173.50 → 2173.
    let beijing = tariff(&BEIJING_HEAT.replacen("area_per_m2", "rounding = \"floor_1\"\narea_per_m2", 1));
    let prices = HeatPrices::of(&beijing, "resident, city network", 2024).unwrap();
    let high = prices.by_area("80.5".parse().unwrap(), Some(Ratio::parse("5").unwrap())).unwrap();
    sound(&high);
    assert_eq!(
        high.lines.iter().map(|line| (line.reason, line.amount)).collect::<Vec<_>>(),
        [
            (Reason::Unit, yuan("1932.00")),
            (Reason::HeightSurcharge, yuan("241.50")),
            (Reason::Rounding, yuan("-0.50"))
        ]
    );
}

#[test]
fn h_bj_and_h_tj_a_paused_season_costs_its_share_of_the_fee() {
    let paused = |text: &str, class: &str, area: &str, percent: &str| {
        let tariff = tariff(text);
        let fee = HeatPrices::of(&tariff, class, 2024).unwrap().by_area(area.parse().unwrap(), None).unwrap();
        fee.paused(Ratio::parse_percent(percent).unwrap()).unwrap()
    };
    // 80.5 m² of the city network cost 1932.00.
    assert_eq!(paused(BEIJING_HEAT, "resident, city network", "80.5", "60"), yuan("1159.20"));
    assert_eq!(paused(BEIJING_HEAT, "resident, city network", "80.5", "30"), yuan("579.60"));
    assert_eq!(paused(TIANJIN_HEAT, "resident", "100", "20"), yuan("500.00"));
}

#[test]
fn p_9_3_a_notice_prices_kwh_or_gj_and_none_is_converted() {
    let read = |class: &str| Tariff::from_toml(&TIANJIN_HEAT.replacen("metered_per_kwh = \"0.13\"", class, 1));
    let gj = read("metered_per_gj = \"44.45\"").unwrap();
    assert_eq!(
        gj.classes.iter().map(|class| class.energy).collect::<Vec<_>>(),
        [EnergyUnit::Gj, EnergyUnit::Kwh],
        "each class by itself"
    );
    // 100 × 7.50 + 10 × 44.45; 10 GJ are 2777.778 kWh, which would cost 361.11 at 0.13.
    let prices = HeatPrices::of(&gj, "resident", 2024).unwrap();
    let fee = prices.by_meter("100".parse().unwrap(), "10".parse().unwrap(), Ratio::ONE).unwrap();
    assert_eq!(fee.total, yuan("1194.50"));
    for both in [
        "metered_per_gj = \"44.45\"\nmetered_per_kwh = \"0.16\"",
        "metered_per_gj = \"44.45\"\ncharges = [{ per = \"kwh\", price = \"0.01\" }]",
    ] {
        let error = read(both).unwrap_err();
        assert_eq!((error.field.as_str(), error.reason), ("class[0]", "CLASS"), "{both}");
    }
    let levy = read("metered_per_gj = \"44.45\"\ncharges = [{ per = \"gj\", price = \"0.55\" }]").unwrap();
    let prices = HeatPrices::of(&levy, "resident", 2024).unwrap();
    let fee = prices.by_meter("100".parse().unwrap(), "10".parse().unwrap(), Ratio::ONE).unwrap();
    assert_eq!(fee.total, yuan("1200.00"), "1194.50 + 10 × 0.55");
}

#[test]
fn a_11_heat_has_no_price_for_a_volume() {
    let wrong = TIANJIN_HEAT.replacen(
        "[[class]]",
        "[[class]]\ncharges = [{ per = \"day\", price = \"1\" }, { per = \"m3\", price = \"1\" }]",
        1,
    );
    let error = Tariff::from_toml(&wrong).unwrap_err();
    assert_eq!((error.field.as_str(), error.reason), ("class[0].charges[1].per", "CLASS"));
    let class = rating::Class::plain("by hand", vec![rating::Price::Unit(rating::Measure::Volume, "1".parse().unwrap()).into()]);
    let fee = HeatPrices::new(&class, Default::default()).by_area("1".parse().unwrap(), None);
    assert_eq!(fee.map(|_| ()), Err(RatingError::VolumePrice));
}
