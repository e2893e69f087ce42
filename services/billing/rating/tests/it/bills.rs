//! The worked gas bills of domain.md 11.1 and the edge cases of section 10 that rating decides.

use money::{Mode, Money, Ratio, Volume};
use rating::{Ledger, LowIncome, Plan, Profile, Quantity, Rated, RatingError, Reason, Rounding, Segment, Tariff, Tax, Usage, rate};

use crate::tariffs::{BEIJING, SHANGHAI, TAIAN, TIANJIN, cubic, living, tariff, yuan};

fn bill(tariff: &Tariff, class: &str, profile: &Profile, metres: i64) -> Rated {
    tariff.plan(class, profile).unwrap().rate(None, cubic(metres)).unwrap()
}

#[track_caller]
fn table(tariff: &Tariff, class: &str, profile: &Profile, bills: &[(i64, &str)]) {
    for (metres, total) in bills {
        let rated = bill(tariff, class, profile, *metres);
        assert_eq!(rated.total, yuan(total), "{metres} m3");
        assert_eq!(Money::sum(rated.lines.iter().map(|line| line.amount)), Ok(rated.total));
    }
}

#[test]
fn g_bj_general_living() {
    let bills = [(0, "0.00"), (350, "913.50"), (351, "916.33"), (500, "1338.00"), (620, "1845.60")];
    table(&tariff(BEIJING), "general living", &Profile::default(), &bills);
}

#[test]
fn g_bj_six_persons() {
    table(&tariff(BEIJING), "general living", &Profile::household(5), &[(620, "1845.60")]);
    table(&tariff(BEIJING), "general living", &Profile::household(6), &[(620, "1644.60")]);
    let rated = bill(&tariff(BEIJING), "general living", &Profile::household(6), 700);
    let lines: Vec<_> = rated.lines.iter().map(|line| (line.tier, line.quantity, line.reason)).collect();
    assert_eq!(
        lines,
        [
            (1, Quantity::Volume(cubic(500)), Reason::HouseholdTier),
            (2, Quantity::Volume(cubic(150)), Reason::HouseholdTier),
            (3, Quantity::Volume(cubic(50)), Reason::Tier)
        ]
    );
}

#[test]
fn g_bj_boilers_and_non_residents() {
    table(
        &tariff(BEIJING),
        "wall-hung boiler heating",
        &Profile::default(),
        &[(2000, "5330.00"), (2600, "7168.00")],
    );
    table(&tariff(BEIJING), "non-resident at resident price", &Profile::default(), &[(1000, "2630.00")]);
}

#[test]
fn g_bj_six_bimonthly_reads() {
    let tariff = tariff(BEIJING);
    let plan = tariff.plan("general living", &Profile::default()).unwrap();
    let mut before = None;
    let mut totals = Vec::new();
    for metres in [60, 70, 80, 90, 100, 120] {
        let rated = plan.rate(before, cubic(metres)).unwrap();
        before = Some(rated.volume_after);
        totals.push(rated.total);
    }
    assert_eq!(totals, ["156.60", "182.70", "208.80", "234.90", "272.00", "367.60"].map(yuan));
    assert_eq!(before, Some(cubic(520)));
    assert_eq!(Money::sum(totals), Ok(yuan("1422.60")));
    assert_eq!(plan.rate(None, cubic(520)).unwrap().total, yuan("1422.60"));
}

#[test]
fn g_tj20() {
    let living_2020 = living(
        r#"[{ up_to = "300", price = "2.50" }, { up_to = "600", price = "3.00" }, { price = "3.75" }]"#,
        "",
    );
    table(&living_2020, "living", &Profile::default(), &[(700, "2025.00")]);
    let heating = living(
        r#"[{ up_to = "1500", price = "2.40" }, { up_to = "2500", price = "3.00" }, { price = "3.75" }]"#,
        "",
    );
    table(&heating, "living", &Profile::default(), &[(2000, "5100.00")]);
}

#[test]
fn g_tj24() {
    let tianjin = tariff(TIANJIN);
    // A public page prints 858.00 for 350 m³; the 50 m³ of the second tier are missing there.
    table(&tianjin, "living", &Profile::default(), &[(350, "1026.00"), (650, "2071.50")]);
    table(&tianjin, "independent heating", &Profile::default(), &[(2000, "5820.00")]);
    table(&tianjin, "non-resident at resident price", &Profile::default(), &[(100, "289.00")]);
}

#[test]
fn g_tj24_low_income() {
    let profile = Profile::default().with_low_income(LowIncome::Subsistence);
    let rated = bill(&tariff(TIANJIN), "living", &profile, 650);
    assert_eq!(rated.total, yuan("1859.00"));
    assert_eq!(
        rated.lines.iter().map(|line| (line.tier, line.reason)).collect::<Vec<_>>(),
        [(1, Reason::Tier), (2, Reason::LowIncome), (3, Reason::LowIncome)]
    );
}

#[test]
fn g_sh_household_of_five() {
    table(&tariff(SHANGHAI), "living", &Profile::household(4), &[(600, "1959.00")]);
    table(&tariff(SHANGHAI), "living", &Profile::household(5), &[(600, "1842.00")]);
}

#[test]
fn g_sh_seven_persons_choose() {
    let flat = Profile {
        flat_choice: true,
        ..Profile::household(7)
    };
    table(
        &tariff(SHANGHAI),
        "living",
        &Profile::household(7),
        &[(400, "1200.00"), (552, "1683.60"), (600, "1842.00")],
    );
    table(&tariff(SHANGHAI), "living", &flat, &[(400, "1220.00"), (552, "1683.60"), (600, "1830.00")]);
    let six = Profile {
        flat_choice: true,
        ..Profile::household(6)
    };
    assert_eq!(tariff(SHANGHAI).plan("living", &six), Err(RatingError::ChoiceNotOffered));
    assert_eq!(tariff(TIANJIN).plan("living", &flat), Err(RatingError::ChoiceNotOffered));
}

#[test]
fn g_sh_two_meters_share_the_tiers() {
    let tariff = tariff(SHANGHAI);
    assert!(tariff.class("living").unwrap().aggregate_meters);
    let plan = tariff.plan("living", &Profile::default()).unwrap();
    let meters = [
        Segment::new(&plan, 2024, Usage::volume(cubic(200))),
        Segment::new(&plan, 2024, Usage::volume(cubic(250))),
    ];
    assert_eq!(rate(&meters, &Ledger::default()).unwrap().total, yuan("1392.00"));
}

#[test]
fn g_ta24_subsistence_has_no_third_tier() {
    table(&tariff(TAIAN), "living", &Profile::default(), &[(400, "1309.20")]);
    table(
        &tariff(TAIAN),
        "living",
        &Profile::default().with_low_income(LowIncome::Subsistence),
        &[(400, "1276.00")],
    );
    table(&tariff(TAIAN), "boiler heating", &Profile::default(), &[(1000, "3080.00")]);
    table(&tariff(TAIAN), "public welfare", &Profile::default(), &[(100, "325.00")]);
}

#[test]
fn g_ta24_destitute_get_six_cubic_metres_a_month() {
    let tariff = tariff(TAIAN);
    let plan = tariff.plan("living", &Profile::default().with_low_income(LowIncome::Destitute)).unwrap();
    let year = |metres, free_months| {
        rate(
            &[Segment {
                free_months,
                ..Segment::new(&plan, 2025, Usage::volume(cubic(metres)))
            }],
            &Ledger::default(),
        )
        .unwrap()
    };
    let rated = year(400, 12);
    assert_eq!(rated.total, yuan("1095.36"));
    let free = rated.lines.iter().find(|line| line.reason == Reason::FreeVolume).unwrap();
    assert_eq!((free.amount, free.quantity), (yuan("-213.84"), Quantity::Volume(cubic(72))));
    // Free volume is taken from what was used, never paid out.
    assert_eq!(year(50, 12).total, yuan("0.00"));
    assert_eq!(year(400, 0).total, yuan("1309.20"));
}

#[test]
fn g_ta19_and_g_yt() {
    let taian_2019 = living(
        r#"[{ up_to = "240", price = "2.76" }, { up_to = "360", price = "3.31" }, { price = "4.14" }]"#,
        "",
    );
    table(&taian_2019, "living", &Profile::default(), &[(400, "1225.20")]);
    let yantai = living(
        r#"[{ up_to = "300", price = "3.28" }, { up_to = "420", price = "3.88" }, { price = "4.77" }]"#,
        "",
    );
    table(&yantai, "living", &Profile::default(), &[(500, "1831.20")]);
}

#[test]
fn g_la_uplift_per_person() {
    let luan = living(
        r#"[{ up_to = "360", price = "2.80" }, { up_to = "600", price = "3.36" }, { price = "3.92" }]"#,
        r#"household = { above_persons = 4, each_threshold_plus_per_person = "60" }"#,
    );
    table(&luan, "living", &Profile::household(4), &[(700, "2206.40")]);
    table(&luan, "living", &Profile::household(6), &[(700, "2083.20")]);
    // 5 persons: 420 × 2.80 + 240 × 3.36 + 40 × 3.92.
    table(&luan, "living", &Profile::household(5), &[(700, "2139.20")]);
}

#[test]
fn uplift_and_allowance_for_part_of_a_year_are_whole_cubic_metres() {
    // 350 × 5/12 = 145.83 → 146; the second threshold 500 × 5/12 = 208.33 → 208.
    let opened = Profile {
        allowance_months: 5,
        ..Profile::default()
    };
    table(
        &tariff(BEIJING),
        "general living",
        &opened,
        &[(146, "381.06"), (147, "383.89"), (208, "556.52"), (209, "560.75")],
    );
    // Edge case 12: six persons from 1 June, 150 × 7/12 = 87.5 → 88 on each threshold.
    let grown = Profile {
        uplift_months: 7,
        ..Profile::household(6)
    };
    table(&tariff(BEIJING), "general living", &grown, &[(438, "1143.18"), (439, "1146.01")]);
    for months in [0, 13] {
        assert_eq!(
            tariff(BEIJING).plan(
                "general living",
                &Profile {
                    uplift_months: months,
                    ..Profile::default()
                }
            ),
            Err(RatingError::Months)
        );
        assert_eq!(
            tariff(BEIJING).plan(
                "general living",
                &Profile {
                    allowance_months: months,
                    ..Profile::default()
                }
            ),
            Err(RatingError::Months)
        );
    }
}

#[test]
fn iot_meter_33_333() {
    let rated = tariff(BEIJING)
        .plan("general living", &Profile::default())
        .unwrap()
        .rate(None, Volume::from_litres(33_333))
        .unwrap();
    assert_eq!(rated.total, yuan("87.00"));
}

#[test]
fn edge_06_meter_swap_is_one_bill_of_two_periods() {
    let tariff = tariff(BEIJING);
    let plan = tariff.plan("general living", &Profile::default()).unwrap();
    let swap = [
        Segment::new(&plan, 2025, Usage::volume(cubic(34))),
        Segment::new(&plan, 2025, Usage::volume(cubic(25))),
    ];
    let ledger = Ledger::from_iter([(2025, cubic(300))]);
    let rated = rate(&swap, &ledger).unwrap();
    // 50 × 2.61 + 9 × 2.83.
    assert_eq!((rated.total, rated.volume_after), (yuan("155.97"), cubic(359)));
    assert_eq!(
        rated.lines.iter().map(|line| (line.segment, line.tier, line.from)).collect::<Vec<_>>(),
        [(0, 1, cubic(300)), (1, 1, cubic(334)), (1, 2, cubic(350))]
    );
}

#[test]
fn edge_28_one_rounding_per_bill_ties_to_the_lower_tier() {
    let tariff = tariff(BEIJING);
    let plan = tariff.plan("general living", &Profile::default()).unwrap();
    let rated = plan.rate(Some(Volume::from_litres(349_500)), Volume::from_litres(1000)).unwrap();
    assert_eq!(rated.total, yuan("2.72"));
    assert_eq!(
        rated.lines.iter().map(|line| (line.tier, line.amount)).collect::<Vec<_>>(),
        [(1, yuan("1.31")), (2, yuan("1.41"))]
    );
    // The same with the second tier's half first among the lines: the lower tier still takes the fen.
    let year_end = [
        Segment::new(&plan, 2024, Usage::volume(Volume::from_litres(500))),
        Segment::new(&plan, 2025, Usage::volume(Volume::from_litres(500))),
    ];
    let rated = rate(&year_end, &Ledger::from_iter([(2024, cubic(400))])).unwrap();
    assert_eq!(
        rated.lines.iter().map(|line| (line.tier, line.amount)).collect::<Vec<_>>(),
        [(2, yuan("1.41")), (1, yuan("1.31"))]
    );
}

#[test]
fn edge_29_upper_bounds_are_inclusive() {
    table(&tariff(BEIJING), "general living", &Profile::default(), &[(350, "913.50"), (500, "1338.00")]);
    assert_eq!(bill(&tariff(BEIJING), "general living", &Profile::default(), 350).lines.len(), 1);
    assert_eq!(bill(&tariff(BEIJING), "general living", &Profile::default(), 500).lines.len(), 2);
}

#[test]
fn edge_30_tariff_change_by_mode() {
    let old = living(
        r#"[{ up_to = "240", price = "2.76" }, { up_to = "360", price = "3.31" }, { price = "4.14" }]"#,
        "",
    );
    let new = tariff(TAIAN);
    let (old, new) = (
        old.plan("living", &Profile::default()).unwrap(),
        new.plan("living", &Profile::default()).unwrap(),
    );
    let change = |before, after| {
        let periods = [
            Segment::new(&old, 2024, Usage::volume(cubic(before))),
            Segment::new(&new, 2024, Usage::volume(cubic(after))),
        ];
        rate(&periods, &Ledger::default()).unwrap().total
    };
    assert_eq!(change(20, 10), yuan("84.90"));
    assert_eq!(change(0, 30), yuan("89.10"));
    assert_eq!(change(18, 12), yuan("85.32"));
}

#[test]
fn edge_44_normal_tiers_come_back_at_the_true_cumulative_volume() {
    let tianjin = tariff(TIANJIN);
    let low = tianjin.plan("living", &Profile::default().with_low_income(LowIncome::Subsistence)).unwrap();
    let normal = tianjin.plan("living", &Profile::default()).unwrap();
    let until = low.rate(None, cubic(620)).unwrap();
    assert_eq!(until.total, yuan("1773.20"));
    assert_eq!(normal.rate(Some(until.volume_after), cubic(10)).unwrap().total, yuan("41.10"));
}

#[test]
fn a_correction_is_the_difference_of_two_totals() {
    let tianjin = tariff(TIANJIN);
    let plan = tianjin.plan("living", &Profile::default()).unwrap();
    assert_eq!(plan.difference(cubic(310), cubic(290)), Ok(yuan("-62.20")));
    assert_eq!(plan.difference(cubic(290), cubic(310)), Ok(yuan("62.20")));
}

#[test]
fn zero_use_is_a_bill_of_nothing() {
    let rated = bill(&tariff(TIANJIN), "living", &Profile::default(), 0);
    assert_eq!((rated.total, rated.lines.len(), rated.ledger.volume(0)), (Money::ZERO, 0, Some(Volume::ZERO)));
}

#[test]
fn a_tier_fee_is_due_once_a_year() {
    let tariff = living(r#"[{ up_to = "5", price = "1", flat = "100" }, { price = "2", flat = "200" }]"#, "");
    let plan = tariff.plan("living", &Profile::default()).unwrap();
    let mut before = None;
    let mut totals = Vec::new();
    for metres in [0, 0, 5, 1, 1] {
        let rated = plan.rate(before, cubic(metres)).unwrap();
        before = Some(rated.volume_after);
        totals.push(rated.total);
    }
    assert_eq!(totals, ["100", "0", "5", "202", "2"].map(yuan));
}

#[test]
fn absurd_input_is_a_typed_error() {
    let tianjin = tariff(TIANJIN);
    let plan = tianjin.plan("living", &Profile::default()).unwrap();
    assert_eq!(tianjin.plan("villa", &Profile::default()), Err(RatingError::UnknownClass));
    assert_eq!(plan.rate(None, Volume::from_litres(-1)), Err(RatingError::NegativeVolume));
    assert_eq!(plan.rate(Some(Volume::from_litres(-1)), Volume::ZERO), Err(RatingError::NegativeVolume));
    assert_eq!(plan.rate(Some(Volume::MAX), Volume::from_litres(1)), Err(RatingError::Overflow));
    assert_eq!(rate(&[], &Ledger::default()), Err(RatingError::NoUsage));
    assert_eq!(RatingError::UnknownClass.reason(), "UNKNOWN_CLASS");
}

/// A bill of usage periods, each with its plan, its months of free volume and its m³.
fn periods(parts: &[(&Plan, u8, i64)]) -> Rated {
    let segments: Vec<_> = parts
        .iter()
        .map(|(plan, free_months, metres)| Segment {
            free_months: *free_months,
            ..Segment::new(plan, 2025, Usage::volume(cubic(*metres)))
        })
        .collect();
    let rated = rate(&segments, &Ledger::default()).unwrap();
    assert_eq!(Money::sum(rated.lines.iter().map(|line| line.amount)), Ok(rated.total));
    assert_eq!(rated.explanation.check(), Ok(rated.total), "{}", rated.explanation.as_str());
    rated
}

/// One price for each m³, with a tax and a rounding.
fn flat(price: &str, tax: Option<Tax>, rounding: Rounding) -> Plan {
    let tariff = Tariff {
        tax,
        rounding,
        ..living(&format!("[{{ price = \"{price}\" }}]"), "")
    };
    tariff.plan("living", &Profile::default()).unwrap()
}

fn on_top(percent: &str) -> Option<Tax> {
    Some(Tax::on_top(Ratio::parse_percent(percent).unwrap()))
}

const WHOLE_YUAN: Rounding = Rounding {
    mode: Mode::HalfUp,
    step: Money::from_fen(100),
};

#[test]
fn p_9_2_a_bill_across_a_change_of_tax_has_each_tax_on_its_own_part() {
    let fen = Rounding::default();
    let (nine, thirteen) = (flat("2.76", on_top("9"), fen), flat("2.97", on_top("13"), fen));
    // 20 × 2.76 = 55.20 and 9 %: 4.968; 10 × 2.97 = 29.70 and 13 %: 3.861. Together 93.729.
    let rated = periods(&[(&nine, 0, 20), (&thirteen, 0, 10)]);
    assert_eq!(
        (rated.total, rated.tax, rated.exact.to_string().as_str()),
        (yuan("93.73"), yuan("8.83"), "84.900000000")
    );
    let taxes: Vec<_> = rated.lines.iter().filter(|line| line.reason == Reason::Tax).collect();
    assert_eq!(
        taxes.iter().map(|line| (line.segment, line.amount)).collect::<Vec<_>>(),
        [(0, yuan("4.97")), (1, yuan("3.86"))]
    );
    assert!(
        rated.explanation.as_str().ends_with(
            "sum add a1 a2 = 84.9\n\
             net round half_up 0.01 sum = 84.9\n\
             g1.sum add a1 = 55.2\n\
             g1.tax round half_up 0.01 g1.sum 9 100 = 4.97\n\
             g1.gross mul g1.sum 109 = 6016.8\n\
             g2.sum add a2 = 29.7\n\
             g2.tax round half_up 0.01 g2.sum 13 100 = 3.86\n\
             g2.gross mul g2.sum 113 = 3356.1\n\
             gross add g1.gross g2.gross = 9372.9\n\
             total round half_up 0.01 gross 1 100 = 93.73\n\
             lines spread 0.01 net a1 a2 = 55.2 29.7\n"
        ),
        "{}",
        rated.explanation.as_str()
    );
    // A tax comes back: it has one step for both of its parts.
    let rated = periods(&[(&nine, 0, 20), (&thirteen, 0, 10), (&nine, 0, 20)]);
    // 110.40 × 1.09 + 29.70 × 1.13 = 120.336 + 33.561.
    assert_eq!((rated.total, rated.tax), (yuan("153.90"), yuan("13.80")), "9.936 and 3.861");
}

#[test]
fn p_9_2_a_bill_of_several_taxes_is_rounded_once() {
    let fen = Rounding::default();
    let (nine, thirteen) = (flat("1.10", on_top("9"), fen), flat("1.50", on_top("13"), fen));
    // 5.50 + 0.495 + 7.50 + 0.975 = 14.47, where the taxes alone are 0.50 and 0.98.
    let rated = periods(&[(&nine, 0, 5), (&thirteen, 0, 5)]);
    assert_eq!((rated.total, rated.tax), (yuan("14.47"), yuan("1.48")));
    let last = rated.lines.last().unwrap();
    assert_eq!((last.reason, last.amount), (Reason::Rounding, yuan("-0.01")));
    // Taxes that the prices hold: 109 yuan hold 9, 113 hold 13.
    let within = |percent, price| {
        let tax = on_top(percent).map(|tax| Tax { included: true, ..tax });
        flat(price, tax, fen)
    };
    let rated = periods(&[(&within("9", "1.09"), 0, 100), (&within("13", "1.13"), 0, 100)]);
    assert_eq!((rated.total, rated.tax, rated.lines.len()), (yuan("222.00"), yuan("22.00"), 2));
    // From no tax to one that is rounded down to the yuan by itself: 20 + 12.34 × 100 + 123.
    let own = on_top("10").map(|tax| Tax {
        rounding: Some(Rounding {
            mode: Mode::Floor,
            step: Money::from_fen(100),
        }),
        ..tax
    });
    let rated = periods(&[(&flat("2", None, fen), 0, 10), (&flat("12.34", own, fen), 0, 100)]);
    assert_eq!((rated.total, rated.tax), (yuan("1377.00"), yuan("123.00")));
    // A part without use has no tax; what is left has one.
    let rated = periods(&[(&nine, 0, 100), (&thirteen, 0, 0)]);
    assert_eq!((rated.total, rated.tax), (yuan("119.90"), yuan("9.90")));
    assert!(rated.explanation.as_str().contains("total round half_up 0.01 sum 109 100 = 119.9\n"));
}

#[test]
fn p_9_2_a_bill_across_a_change_of_rounding_is_rounded_as_the_later_version_says() {
    let (fen, whole) = (flat("2.76", None, Rounding::default()), flat("2.97", None, WHOLE_YUAN));
    // 55.20 + 29.70 = 84.90.
    assert_eq!(periods(&[(&fen, 0, 20), (&whole, 0, 10)]).total, yuan("85.00"));
    assert_eq!(periods(&[(&whole, 0, 10), (&fen, 0, 20)]).total, yuan("84.90"));
    // With the taxes of above 93.729.
    let (nine, thirteen) = (flat("2.76", on_top("9"), Rounding::default()), flat("2.97", on_top("13"), WHOLE_YUAN));
    let rated = periods(&[(&nine, 0, 20), (&thirteen, 0, 10)]);
    assert_eq!((rated.total, rated.tax), (yuan("94.00"), yuan("8.83")));
    assert_eq!(rated.lines.last().map(|line| line.amount), Some(yuan("0.27")), "94.00 − 84.90 − 8.83");
}

#[test]
fn t_ta_free_volume_is_capped_by_the_bill_and_given_back_at_the_price_of_its_period() {
    let plan = |price: &str| {
        let rule = r#"low_income = { destitute = { free_per_month = "6", at = "tier_1" } }"#;
        let tiers = format!("[{{ up_to = \"240\", price = \"{price}\" }}, {{ price = \"9\" }}]");
        let profile = Profile::default().with_low_income(LowIncome::Destitute);
        living(&tiers, rule).plan("living", &profile).unwrap()
    };
    let (old, new) = (plan("2.76"), plan("2.97"));
    let free = |rated: &Rated| -> Vec<_> {
        let lines = rated.lines.iter().filter(|line| line.reason == Reason::FreeVolume);
        lines.map(|line| (line.segment, line.quantity.thousandths() / 1000, line.amount)).collect()
    };
    // Of 6 m³ the first period used 4; the second one takes 2 of its own use, at its own price.
    let rated = periods(&[(&old, 1, 4), (&new, 0, 4)]);
    assert_eq!(free(&rated), [(0, 4, yuan("-11.04")), (1, 2, yuan("-5.94"))]);
    assert_eq!(rated.total, yuan("5.94"), "2 × 2.97");
    assert!(
        rated
            .explanation
            .as_str()
            .contains("f2.left sub f2 q2 = 2\nf4 add f2.left = 2\nq4 min f4 s2.volume = 2\na4 mul q4 -2.97 = -5.94\n"),
        "{}",
        rated.explanation.as_str()
    );
    // The month ends in the second period, whose use is too small for it: what was used before takes the rest, at the old price.
    let rated = periods(&[(&old, 0, 20), (&new, 1, 2)]);
    assert_eq!(free(&rated), [(0, 4, yuan("-11.04")), (1, 2, yuan("-5.94"))]);
    assert_eq!(rated.total, yuan("44.16"), "16 × 2.76");
    // Both ways at once, over an earlier line of the same period: 12 m³ of two months.
    let rated = periods(&[(&old, 1, 20), (&new, 1, 2)]);
    assert_eq!(free(&rated), [(0, 6, yuan("-16.56")), (0, 4, yuan("-11.04")), (1, 2, yuan("-5.94"))]);
    // A period without use, and two months with less use than their volume.
    assert_eq!(free(&periods(&[(&old, 1, 0), (&new, 0, 10)])), [(1, 6, yuan("-17.82"))]);
    assert_eq!(periods(&[(&old, 1, 1), (&new, 1, 3)]).total, Money::ZERO);
    // Whoever is not entitled in a period takes nothing there.
    let plain = flat("2.97", None, Rounding::default());
    assert_eq!(free(&periods(&[(&old, 1, 4), (&plain, 0, 10)])), [(0, 4, yuan("-11.04"))]);
}

#[test]
fn codes_of_lines_are_distinct() {
    let codes: std::collections::BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
    assert_eq!(codes.len(), Reason::ALL.len());
}
