//! Components that combine: standing charges, roundings of their own, taxes, further rules of households and low income.

use money::{Money, Ratio, Volume};
use proptest::prelude::*;
use rating::{
    HeatSettlement, LowIncome, Profile, Rated, RatingError, ReadMonths, Reason, Rounding, Segment, SettlementRule, Tariff, Tax, Usage, day_factor, prorate,
    rate,
};

use crate::tariffs::{HEAD, TIANJIN, TIANJIN_HEAT, cubic, day, living, tariff, yuan};

/// A tariff of one class `c` by the bill; `rules` are further lines of the file, `body` those of the class.
fn file(model: &str, rules: &str, body: &str) -> Tariff {
    let head = HEAD.replace("graduated_annual", model).replace("tier_year_start = \"01-01\"\n", rules);
    tariff(&format!("{head}\n[[class]]\nname = \"c\"\n{body}"))
}

fn bill(tariff: &Tariff, days: (&str, &str), metres: i64) -> Rated {
    let plan = tariff.plan("c", &Profile::default()).unwrap();
    let segment = Segment {
        days: Some((day(days.0), day(days.1))),
        ..Segment::new(&plan, 0, Usage::volume(cubic(metres)))
    };
    let rated = rate(&[segment], &Default::default()).unwrap();
    assert_eq!(Money::sum(rated.lines.iter().map(|line| line.amount)), Ok(rated.total));
    assert_eq!(rated.explanation.check(), Ok(rated.total), "{}", rated.explanation.as_str());
    rated
}

#[test]
fn components_of_all_kinds_stand_in_one_class() {
    let tariff = file(
        "graduated",
        "tax_percent = \"6\"",
        r#"base = "5.00"
           charges = [{ per = "day", price = "0.20" }, { per = "month", price = "3.10" }, { per = "m3", price = "0.05" }]
           tiers = [{ up_to = "20", price = "2.00", flat = "1.00" }, { price = "3.00" }]"#,
    );
    let rated = bill(&tariff, ("2025-03-31", "2025-04-30"), 30);
    // 5.00 + 30 × 0.20 + 3.10 + 30 × 0.05 + 1.00 + 20 × 2.00 + 10 × 3.00 = 86.60, and 6 % of it.
    assert_eq!((rated.total, rated.tax), (yuan("91.80"), yuan("5.20")));
    assert_eq!(
        rated.lines.iter().map(|line| (line.reason, line.amount)).collect::<Vec<_>>(),
        [
            (Reason::Fixed, yuan("5.00")),
            (Reason::Fixed, yuan("6.00")),
            (Reason::Fixed, yuan("3.10")),
            (Reason::Unit, yuan("1.50")),
            (Reason::TierFee, yuan("1.00")),
            (Reason::Tier, yuan("40.00")),
            (Reason::Tier, yuan("30.00")),
            (Reason::Tax, yuan("5.20")),
        ]
    );
}

#[test]
fn thread_17_a_standing_charge_is_prorated_by_the_days_of_its_month() {
    let tariff = file("unit", "", "price = \"1\"\ncharges = [{ per = \"month\", price = \"31.00\" }]");
    // 17 days of January, all of February, 1 of the 31 days of March.
    assert_eq!(bill(&tariff, ("2025-01-14", "2025-03-01"), 0).total, yuan("49.00"));
    assert_eq!(bill(&tariff, ("2025-01-31", "2025-02-28"), 0).total, yuan("31.00"));
    let yearly = file("unit", "", "price = \"1\"\ncharges = [{ per = \"year\", price = \"366.00\" }]");
    assert_eq!(bill(&yearly, ("2023-12-31", "2024-02-29"), 0).total, yuan("60.00"), "60 of 366 days");
    assert_eq!(bill(&yearly, ("2024-12-31", "2025-12-31"), 0).total, yuan("366.00"));
    let plan = yearly.plan("c", &Profile::default()).unwrap();
    assert_eq!(plan.rate(None, cubic(1)), Err(RatingError::DaysMissing));
}

#[test]
fn r_kb_proration_is_a_share_of_the_days_of_the_period() {
    assert_eq!(prorate("25".parse().unwrap(), 27, 30, Rounding::default()), Ok(yuan("22.50")));
    assert_eq!(
        day_factor(day("2012-01-15"), day("2012-01-27"), day("2012-01-15"), day("2013-01-15")),
        Ok(Ratio::new(12, 366).unwrap())
    );
    for (days, of) in [(-1, 30), (31, 30), (0, 0)] {
        assert_eq!(prorate("25".parse().unwrap(), days, of, Rounding::default()), Err(RatingError::DayOrder));
    }
}

#[test]
fn a_component_may_be_rounded_by_itself() {
    let each = file(
        "unit",
        "",
        "price = \"1.005\"\nrounding = \"half_up_0.01\"\ncharges = [{ per = \"m3\", price = \"0.333\", rounding = \"floor_0.10\" }]",
    );
    // 1.005 → 1.01, 0.333 → 0.30; together 1.31, where one rounding would give 1.338 → 1.34.
    let rated = bill(&each, ("2025-01-01", "2025-02-01"), 1);
    assert_eq!(rated.total, yuan("1.31"));
    assert_eq!(
        rated.lines.iter().map(|line| (line.reason, line.amount)).collect::<Vec<_>>(),
        [(Reason::Unit, yuan("0.33")), (Reason::Rounding, yuan("-0.03")), (Reason::Unit, yuan("1.01"))]
    );
    let once = file("unit", "", "price = \"1.005\"\ncharges = [{ per = \"m3\", price = \"0.333\" }]");
    assert_eq!(bill(&once, ("2025-01-01", "2025-02-01"), 1).total, yuan("1.34"));
    let up = file("unit", "rounding = \"ceiling_0.10_once_per_bill\"", "price = \"1.005\"");
    assert_eq!(bill(&up, ("2025-01-01", "2025-02-01"), 1).total, yuan("1.10"));
}

#[test]
fn e_09_tax_on_top_within_and_rounded_by_itself() {
    let on_top = file("unit", "tax_percent = \"5.8\"", "price = \"1\"");
    let rated = bill(&on_top, ("2025-01-01", "2025-02-01"), 100);
    assert_eq!((rated.total, rated.tax), (yuan("105.80"), yuan("5.80")));
    // 109 yuan hold 9 yuan of 9 %.
    let within = file("unit", "tax_percent = \"9\"\ntax_included = true", "price = \"1.09\"");
    let rated = bill(&within, ("2025-01-01", "2025-02-01"), 100);
    assert_eq!((rated.total, rated.tax, rated.lines.len()), (yuan("109.00"), yuan("9.00"), 1));
    // 1234 × 10 % = 123.4, rounded down to whole yuan by itself.
    let own = file("unit", "tax_percent = \"10\"\ntax_rounding = \"floor_1\"", "price = \"12.34\"");
    let rated = bill(&own, ("2025-01-01", "2025-02-01"), 100);
    assert_eq!((rated.total, rated.tax), (yuan("1357.00"), yuan("123.00")));
}

#[test]
fn b_15_one_province_widens_the_first_tier_only() {
    // [W28] From 5 persons tier 1 + 60 for each beyond 4; what is above it costs the price of tier 2.
    let rule = r#"household = { above_persons = 4, first_threshold_plus_per_person = "60" }"#;
    let tariff = living(
        r#"[{ up_to = "360", price = "2.80" }, { up_to = "500", price = "3.36" }, { price = "3.92" }]"#,
        rule,
    );
    let total = |persons, metres| {
        let rated = tariff.plan("living", &Profile::household(persons)).unwrap().rate(None, cubic(metres)).unwrap();
        assert_eq!(rated.explanation.check(), Ok(rated.total), "{}", rated.explanation.as_str());
        rated.total
    };
    assert_eq!(total(4, 600), yuan("1870.40")); // 360 × 2.80 + 140 × 3.36 + 100 × 3.92
    assert_eq!(total(5, 600), yuan("1836.80")); // 420 × 2.80 + 80 × 3.36 + 100 × 3.92
    assert_eq!(total(8, 600), yuan("1792.00")); // never beyond the second bound: 500 × 2.80 + 100 × 3.92
    let wrong = TIANJIN.replacen(
        "low_income = \"all_at_tier_1\"",
        "household = { from_persons = 5, first_threshold_plus_per_person = \"60\" }",
        1,
    );
    assert_eq!(Tariff::from_toml(&wrong).unwrap_err().reason, "RULE");
}

#[test]
fn b_15_an_uplift_may_count_in_full_within_the_year() {
    let tiers = r#"[{ up_to = "350", price = "2.61" }, { up_to = "500", price = "2.83" }, { price = "4.23" }]"#;
    let rule = r#"household = { from_persons = 6, each_threshold_plus = "150", within_year = "full" }"#;
    let profile = Profile {
        uplift_months: 7,
        ..Profile::household(6)
    };
    let rated = living(tiers, rule).plan("living", &profile).unwrap().rate(None, cubic(620)).unwrap();
    assert_eq!(rated.total, yuan("1644.60"));
}

#[test]
fn g_la_free_volume_is_charged_first_and_returned_after_the_year() {
    let rule = r#"low_income = { subsistence = { free_per_month = "5", at = "tier_1", returned = "after_year" } }"#;
    let luan = living(
        r#"[{ up_to = "360", price = "2.80" }, { up_to = "600", price = "3.36" }, { price = "3.92" }]"#,
        rule,
    );
    let plan = luan.plan("living", &Profile::default().with_low_income(LowIncome::Subsistence)).unwrap();
    let segment = Segment {
        free_months: 12,
        ..Segment::new(&plan, 2025, Usage::volume(cubic(700)))
    };
    assert_eq!(rate(&[segment], &Default::default()).unwrap().total, yuan("2206.40"), "charged first");
    let returned = plan.returned("version 1", 12, cubic(700)).unwrap();
    assert_eq!((returned.volume, returned.amount), (cubic(60), yuan("168.00")), "12 × 5 × 2.80");
    assert_eq!(
        returned.explanation.as_str(),
        "tariff is version 1\n\
         class is living\n\
         months given = 12\n\
         used given = 700\n\
         free mul 5 months = 60\n\
         volume min free used = 60\n\
         sum mul volume 2.8 = 168\n\
         total round half_up 0.01 sum = 168\n"
    );
    assert_eq!(returned.explanation.check(), Ok(returned.amount));
    let little = plan.returned("", 12, cubic(40)).unwrap();
    assert_eq!((little.volume, little.amount), (cubic(40), yuan("112.00")), "never more than was used");
    let plain = luan.plan("living", &Profile::default()).unwrap().returned("", 12, cubic(700)).unwrap();
    assert_eq!((plain.volume, plain.explanation.check()), (cubic(0), Ok(Money::ZERO)));
    // What was charged had its tax: 168.00 + 9 %, or 168.00 with 168.00 × 9 / 109 in it.
    let taxed = |included, steps: &str, amount: &str| {
        let tax = Tax {
            included,
            ..Tax::on_top(Ratio::parse_percent("9").unwrap())
        };
        let taxed = Tariff {
            tax: Some(tax),
            ..luan.clone()
        };
        let plan = taxed.plan("living", &Profile::default().with_low_income(LowIncome::Subsistence)).unwrap();
        let returned = plan.returned("", 12, cubic(700)).unwrap();
        assert_eq!((returned.volume, returned.amount), (cubic(60), yuan(amount)));
        assert_eq!(returned.explanation.as_str().split_once("mul volume 2.8 = 168\n").unwrap().1, steps);
        assert_eq!(returned.explanation.check(), Ok(yuan(amount)));
    };
    let on_top = "net round half_up 0.01 sum = 168\n\
                  tax round half_up 0.01 sum 9 100 = 15.12\n\
                  total round half_up 0.01 sum 109 100 = 183.12\n";
    taxed(false, on_top, "183.12");
    let within = "total round half_up 0.01 sum = 168\n\
                  tax_within round half_up 0.01 total 9 109 = 13.87\n";
    taxed(true, within, "168.00");
}

#[test]
fn g_yt_the_year_ends_with_the_reading_of_a_month() {
    let head = HEAD.replace("tier_year_start = \"01-01\"", "tier_year_closes = { odd_months = 11, even_months = 12 }");
    let tiers = r#"tiers = [{ up_to = "300", price = "3.28" }, { up_to = "420", price = "3.88" }, { price = "4.77" }]"#;
    let yantai = tariff(&format!("{head}\n[[class]]\nname = \"living\"\n{tiers}\n"));
    let year = |text, months| yantai.tier_year_for(day(text), months);
    for (text, odd) in [("2024-11-20", 2023), ("2025-01-20", 2024), ("2025-11-03", 2024), ("2026-01-15", 2025)] {
        assert_eq!(year(text, ReadMonths::Odd), odd, "{text}");
        assert_eq!(yantai.tier_year_of(day(text)), odd, "{text}");
    }
    for (text, even) in [("2024-12-20", 2023), ("2025-02-20", 2024), ("2025-12-03", 2024), ("2026-02-15", 2025)] {
        assert_eq!(year(text, ReadMonths::Even), even, "{text}");
        assert_eq!(yantai.tier_year_of(day(text)), even, "{text}");
    }
    assert_eq!(yantai.tier_year_start_for(2024, ReadMonths::Odd), Some(day("2024-12-01")));
    assert_eq!(yantai.tier_year_start_for(2024, ReadMonths::Even), Some(day("2025-01-01")));
    let plan = yantai.plan("living", &Profile::default()).unwrap();
    assert_eq!(plan.rate(None, cubic(500)).unwrap().total, yuan("1831.20"));
}

#[test]
fn a_11_settlement_by_refund_carry_over_or_cap() {
    let tariff = tariff(TIANJIN_HEAT);
    let class = tariff.class("resident").unwrap();
    let settle = |energy: &str, rule| {
        let settled = HeatSettlement::new(class, tariff.rounding, "100".parse().unwrap(), energy.parse().unwrap()).unwrap();
        let outcome = settled.outcome(rule).unwrap();
        [outcome.charged, outcome.refund, outcome.carried, outcome.supplement].map(|money| money.to_string())
    };
    // 8,100 kWh: 1803.00 against 2500.00 by area. 13,462 kWh: 2500.06.
    assert_eq!(settle("8100", SettlementRule::RefundAndSupplement), ["1803.00", "697.00", "0.00", "0.00"]);
    assert_eq!(settle("8100", SettlementRule::CarryOver), ["1803.00", "0.00", "697.00", "0.00"]);
    assert_eq!(settle("8100", SettlementRule::Capped), ["1803.00", "697.00", "0.00", "0.00"]);
    assert_eq!(settle("13462", SettlementRule::RefundAndSupplement), ["2500.06", "0.00", "0.00", "0.06"]);
    assert_eq!(settle("13462", SettlementRule::CarryOver), ["2500.00", "0.00", "0.00", "0.00"]);
    assert_eq!(settle("13462", SettlementRule::Capped), ["2500.00", "0.00", "0.00", "0.00"]);
}

#[test]
fn edge_31_season_days_are_those_of_the_season() {
    let season = tariff(TIANJIN_HEAT).season.unwrap();
    assert_eq!(season.of(2023), Some((day("2023-11-15"), day("2024-03-15"))));
    for (text, of) in [
        ("2023-11-14", None),
        ("2023-11-15", Some(2023)),
        ("2024-02-29", Some(2023)),
        ("2024-03-15", Some(2023)),
        ("2024-03-16", None),
    ] {
        assert_eq!(season.on(day(text)), of, "{text}");
    }
    // 10 days of the season's fee: 2500 × 10 / 122 = 204.918, 2500 × 10 / 121 = 206.612.
    assert_eq!(season.share(yuan("2500"), 10, Ratio::ONE, 2023), Ok(yuan("204.92")));
    assert_eq!(season.share(yuan("2500"), 10, Ratio::ONE, 2024), Ok(yuan("206.61")));
    assert_eq!(season.share(yuan("2500"), 122, Ratio::ONE, 2024), Err(RatingError::DayOrder));
}

proptest! {
    /// Thread 17: however a time is cut into bills, the standing charge sums to its full price, and no part is negative.
    #[test]
    fn thread_17_proration_sums_to_the_price(fen in 1_i64..100_000, lengths in prop::collection::vec(1_u64..70, 1..14), yearly: bool) {
        let price = Money::from_fen(fen);
        let per = if yearly { "year" } else { "month" };
        let tariff = file("unit", "", &format!("price = \"1\"\ncharges = [{{ per = \"{per}\", price = \"{price}\" }}]"));
        let plan = tariff.plan("c", &Profile::default()).unwrap();
        let charge = |from, to| {
            let segment = Segment { days: Some((from, to)), ..Segment::new(&plan, 0, Usage::volume(Volume::ZERO)) };
            rate(&[segment], &Default::default()).unwrap().total
        };
        let end = day("2025-12-31");
        let mut from = day("2023-12-31");
        let mut sum = Money::ZERO;
        for length in lengths {
            let to = from.checked_add_days(chrono::Days::new(length)).unwrap().min(end);
            let part = charge(from, to);
            prop_assert!(!part.is_negative());
            sum = sum.checked_add(part).unwrap();
            from = to;
        }
        sum = sum.checked_add(charge(from, end)).unwrap();
        let times = if yearly { 2 } else { 24 };
        prop_assert_eq!(sum, price.checked_mul(times).unwrap());
    }
}
