//! Explanations: what they say, and that another language computes the same from them alone.

use std::{
    collections::HashSet,
    io::Write,
    process::{Command, Stdio},
};

use money::{Money, Ratio, Volume};
use proptest::prelude::*;
use rating::{
    Change, Converted, DegreeDays, Explanation, Factor, HeatFee, Index, Ledger, Leg, LowIncome, Period, Profile, Rule, Segment, SettlementRule, Tariff, Tax,
    Terms, Usage, rate,
};

use crate::{
    cases, heat,
    schedule::{book, in_class, leg, price, sound, taian, term, version},
    tariffs::{BEIJING, BEIJING_HEAT, HEAD, SHANGHAI, TAIAN, TIANJIN, TIANJIN_HEAT, cubic, day, living, tariff, yuan},
};

/// Totals in fen as a few lines of Python compute them.
fn recomputed(explanations: &[&Explanation]) -> Vec<Money> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recompute.py");
    let mut python = Command::new("python3")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the tests need python3");
    let text: Vec<&str> = explanations.iter().map(|explanation| explanation.as_str()).collect();
    python.stdin.take().unwrap().write_all(text.join("\n").as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "a step does not hold");
    let fen = String::from_utf8(output.stdout).unwrap();
    fen.lines().map(|line| Money::from_fen(line.parse().unwrap())).collect()
}

/// A leg that was read from two indexes.
fn indexed(from: &str, to: &str, (start, end): (i64, i64)) -> Leg<'static> {
    Leg {
        index: Some(Index {
            start: cubic(start),
            end: cubic(end),
            rolled: Volume::ZERO,
            adjusted: Volume::ZERO,
            estimated: false,
        }),
        ..leg(from, to, end - start)
    }
}

/// Bills of periods: shared by days, by degree days and by readings, of two meters, with a charge for each day, with two taxes, with free volume.
fn periods() -> Vec<(Explanation, Money)> {
    let (terms, ledger) = (in_class("living"), Ledger::from_iter([(2024, cubic(230))]));
    let autumn = indexed("2024-09-10", "2024-10-10", (100, 130));
    let mut bills = vec![];
    let mut push = |terms: &Terms, book: &rating::Book, legs: &[Leg<'_>]| {
        let rated = price(terms, book, legs, &ledger).rated;
        bills.push((rated.explanation, rated.total));
    };
    push(&terms, &taian(Change::DaySplit), &[autumn]);
    let reads = [(day("2024-09-15"), cubic(5)), (day("2024-09-30"), cubic(18))];
    push(&terms, &taian(Change::CutoverRead), &[Leg { reads: &reads, ..autumn }]);
    let swap = [indexed("2024-09-10", "2024-09-20", (1200, 1234)), indexed("2024-09-20", "2024-10-10", (3, 28))];
    push(&terms, &taian(Change::DaySplit), &swap);
    let adjusted = Index {
        rolled: cubic(100_000),
        adjusted: cubic(-2),
        ..indexed("2024-09-10", "2024-10-10", (99_987, 12)).index.unwrap()
    };
    let rolled = Leg {
        index: Some(adjusted),
        ..leg("2024-09-10", "2024-10-10", 23)
    };
    push(&terms, &taian(Change::DaySplit), &[rolled]);
    let tiers = r#"[{ up_to = "240", price = "2.97" }, { up_to = "360", price = "3.52" }, { price = "4.35" }]"#;
    let charges = r#"charges = [{ per = "day", price = "0.333", rounding = "half_up_0.10" }, { per = "month", price = "3.10" }]"#;
    let daily = book([version(1, "living", "2019-01-01", None, living(tiers, charges))]);
    push(&terms, &daily, &[autumn]);
    let taxed = |percent| Tariff {
        tax: Some(Tax::on_top(Ratio::parse_percent(percent).unwrap())),
        ..living(tiers, "")
    };
    let taxes = [
        version(1, "living", "2019-01-01", Some("2024-10-01"), taxed("9")),
        version(2, "living", "2024-10-01", None, taxed("13")),
    ];
    push(&terms, &book(taxes), &[autumn]);
    let mut poor = in_class("living");
    poor.low_income = vec![term(LowIncome::Destitute, "2020-01-01", None)];
    let free = book([version(1, "living", "2019-01-01", None, tariff(TAIAN))]);
    push(&poor, &free, &[leg("2024-12-15", "2025-01-15", 8)]);
    bills.push(cold(&terms, &ledger, &[autumn]));
    bills
}

/// 20 days of 1 K before the change, 10 days of 4 K after it.
fn cold(terms: &Terms, ledger: &Ledger, legs: &[Leg<'_>]) -> (Explanation, Money) {
    let days = day("2024-09-11").iter_days().take(30).enumerate();
    let table = DegreeDays::new(days.map(|(place, day)| (day, if place < 20 { 10 } else { 40 })));
    let book = taian(Change::DegreeDays);
    let period = Period {
        terms,
        book: &book,
        legs,
        read: day("2024-10-10"),
        read_months: None,
        degree_days: Some(&table),
        ledger,
    };
    let priced = period.price().unwrap();
    sound(&priced, legs);
    (priced.rated.explanation, priced.rated.total)
}

#[test]
fn b_18_python_recomputes_all_cases_and_worked_bills() {
    let mut explained = cases::run(include_str!("../data/cases.json")).explained;
    for (text, class) in [
        (BEIJING, "general living"),
        (BEIJING, "wall-hung boiler heating"),
        (TIANJIN, "living"),
        (SHANGHAI, "living"),
        (TAIAN, "living"),
    ] {
        let tariff = tariff(text);
        for low_income in [None, Some(LowIncome::Subsistence), Some(LowIncome::Destitute)] {
            for persons in [0, 5, 6, 7] {
                for months in [5, 12] {
                    let profile = Profile {
                        low_income,
                        uplift_months: months,
                        allowance_months: months,
                        flat_choice: persons == 7 && months == 12 && text == SHANGHAI,
                        ..Profile::household(persons)
                    };
                    let plan = tariff.plan(class, &profile).unwrap();
                    let segments = [300, 33, 700, 0].map(|metres| Segment {
                        free_months: 1,
                        ..Segment::new(&plan, 2025, Usage::volume(Volume::from_litres(metres * 1000 + 333)))
                    });
                    let rated = rate(&segments, &Ledger::from_iter([(2025, cubic(40))])).unwrap();
                    explained.push((rated.explanation, rated.total));
                }
            }
        }
    }
    for text in [BEIJING_HEAT, TIANJIN_HEAT] {
        let tariff = tariff(text);
        for class in tariff.classes.iter().filter(|class| class.metered.is_some()) {
            for (area, height, energy, correction) in [("80.5", "5", "6000", "1"), ("100", "4.8", "8100.123", "0.9333"), ("33.33", "2.7", "0", "1.1")] {
                let (area, correction) = (area.parse().unwrap(), Ratio::parse(correction).unwrap());
                let by_area = HeatFee::by_area(class, tariff.rounding, area, tariff.height_surcharge, Some(Ratio::parse(height).unwrap())).unwrap();
                let by_meter = HeatFee::by_meter(class, tariff.rounding, area, energy.parse().unwrap(), correction).unwrap();
                explained.extend([by_area, by_meter].map(|fee| (fee.explanation, fee.total)));
            }
        }
    }
    explained.extend(periods());
    for rule in [SettlementRule::RefundAndSupplement, SettlementRule::CarryOver, SettlementRule::Capped] {
        for kwh in ["8100", "13462"] {
            let settled = heat::settled(rule, kwh);
            explained.push((settled.explanation, settled.outcome.charged));
        }
    }
    let mut used = HashSet::new();
    for (explanation, total) in &explained {
        assert_eq!(explanation.check(), Ok(*total), "{}", explanation.as_str());
        used.extend(explanation.entries().unwrap().iter().filter_map(|entry| entry.rule));
    }
    assert!(Rule::ALL.iter().all(|rule| used.contains(rule)), "only {used:?}");
    let totals: Vec<Money> = explained.iter().map(|(_, total)| *total).collect();
    assert!(totals.len() > 400);
    assert_eq!(recomputed(&explained.iter().map(|(explanation, _)| explanation).collect::<Vec<_>>()), totals);
}

#[test]
fn b_18_an_explanation_names_inputs_version_formula_and_rounding() {
    let book = book([version(1, "living", "2024-09-01", None, tariff(TIANJIN))]);
    let terms = in_class("living");
    let ledger = Ledger::from_iter([(2025, cubic(280))]);
    let leg = Leg {
        from: day("2025-01-31"),
        to: day("2025-02-28"),
        volume: cubic(40),
        meter: "M-1",
        index: Some(Index {
            start: cubic(1200),
            end: cubic(1240),
            rolled: Volume::ZERO,
            adjusted: Volume::ZERO,
            estimated: false,
        }),
        ..Leg::default()
    };
    let period = Period {
        terms: &terms,
        book: &book,
        legs: &[leg],
        read: leg.to,
        read_months: None,
        degree_days: None,
        ledger: &ledger,
    };
    let rated = period.price().unwrap().rated;
    assert_eq!(rated.total, yuan("124.40"));
    assert_eq!(
        rated.explanation.as_str(),
        "m1.meter is M-1\n\
         m1.start given = 1200\n\
         m1.end given = 1240\n\
         m1.used sub m1.end m1.start = 40\n\
         s1.tariff is version 1\n\
         s1.class is living\n\
         s1.days is 2025-01-31 2025-02-28\n\
         s1.volume add m1.used = 40\n\
         s1.year is 2025\n\
         s1.before given = 280\n\
         s1.after add s1.before s1.volume = 320\n\
         q1 overlap s1.before s1.after 0 300 = 20\n\
         a1 mul q1 2.86 = 57.2\n\
         q2 overlap s1.before s1.after 300 600 = 20\n\
         a2 mul q2 3.36 = 67.2\n\
         sum add a1 a2 = 124.4\n\
         total round half_up 0.01 sum = 124.4\n\
         lines spread 0.01 total a1 a2 = 57.2 67.2\n"
    );
    assert_eq!(period.price().unwrap().rated.explanation, rated.explanation, "byte for byte the same");
}

/// 80 m³ × 1.04747 = 83.7976, 120 m³ × 1.02 = 122.4 and 5 m³ that were adjusted: 211.198 m³ × 2.86 = 604.02628.
#[test]
fn b_17_a_volume_is_converted_part_by_part_before_it_is_priced() {
    let book = book([version(1, "living", "2024-09-01", None, tariff(TIANJIN))]);
    let terms = in_class("living");
    let ledger = Ledger::default();
    let part = |metres, factor| {
        let (counted, factor) = (cubic(metres), Factor::from_hundred_thousandths(factor));
        Converted {
            counted,
            factor,
            volume: factor.convert(counted).unwrap(),
        }
    };
    let converted = [part(80, 104_747), part(120, 102_000)];
    let leg = Leg {
        from: day("2025-01-31"),
        to: day("2025-02-28"),
        volume: Volume::from_litres(211_198),
        meter: "M-1",
        index: Some(Index {
            start: cubic(99_900),
            end: cubic(100),
            rolled: cubic(100_000),
            adjusted: cubic(5),
            estimated: false,
        }),
        converted: &converted,
        ..Leg::default()
    };
    let period = Period {
        terms: &terms,
        book: &book,
        legs: &[leg],
        read: leg.to,
        read_months: None,
        degree_days: None,
        ledger: &ledger,
    };
    let rated = period.price().unwrap().rated;
    assert!(
        rated.explanation.as_str().starts_with(
            "m1.meter is M-1\n\
             m1.start given = 99900\n\
             m1.end given = 100\n\
             m1.rolled given = 100000\n\
             m1.adjusted given = 5\n\
             m1.moved sub m1.end m1.start = -99800\n\
             m1.counted add m1.moved m1.rolled = 200\n\
             k1.counted given = 80\n\
             k1.factor given = 1.04747\n\
             k1.exact mul k1.counted k1.factor = 83.7976\n\
             k1 round half_up 0.001 k1.exact = 83.798\n\
             k2.counted sub m1.counted k1.counted = 120\n\
             k2.factor given = 1.02\n\
             k2.exact mul k2.counted k2.factor = 122.4\n\
             k2 round half_up 0.001 k2.exact = 122.4\n\
             m1.used add k1 k2 m1.adjusted = 211.198\n"
        ),
        "{}",
        rated.explanation.as_str()
    );
    assert_eq!((rated.total, rated.explanation.check()), (yuan("604.03"), Ok(yuan("604.03"))));
    assert_eq!(recomputed(&[&rated.explanation]), [yuan("604.03")], "Python comes to the same");
}

#[test]
fn b_18_uplift_tax_and_whole_tiers_are_steps_too() {
    let beijing = tariff(BEIJING);
    let profile = Profile {
        uplift_months: 7,
        ..Profile::household(6)
    };
    let rated = beijing.plan("general living", &profile).unwrap().rate(None, cubic(450)).unwrap();
    // Edge case 12: 350 + 150 × 7/12, half up 438.
    assert!(
        rated
            .explanation
            .as_str()
            .contains("s1.persons is 6\ns1.plus round half_up 1 150 7 12 = 88\ns1.b1 add 350 s1.plus = 438\ns1.b2 add 500 s1.plus = 588\n"),
        "{}",
        rated.explanation.as_str()
    );
    let file = |model: &str, body: &str| {
        let head = HEAD
            .replace("graduated_annual", model)
            .replace("tier_year_start = \"01-01\"\n", "rounding = \"floor_1_once_per_bill\"\ntax_percent = \"10\"\n");
        tariff(&format!("{head}[[class]]\nname = \"c\"\n{body}"))
            .plan("c", &Profile::default())
            .unwrap()
    };
    let heiwa = file(
        "graduated",
        "base = \"1900\"\ntiers = [{ up_to = \"20\", price = \"670\" }, { price = \"660\" }]",
    );
    let rated = heiwa.rate(None, cubic(3)).unwrap();
    assert!(
        rated
            .explanation
            .as_str()
            .ends_with("sum add a1 a2 = 3910\nnet round half_up 0.01 sum = 3910\ntax round half_up 0.01 sum 1 10 = 391\ntotal round floor 1 sum 11 10 = 4301\nlines spread 0.01 net a1 a2 = 1900 2010\n"),
        "{}",
        rated.explanation.as_str()
    );
    let volume = file("volume", "tiers = [{ up_to = \"15\", price = \"10\", flat = \"5\" }, { price = \"5\" }]");
    let rated = volume.rate(None, cubic(16)).unwrap();
    assert!(
        rated
            .explanation
            .as_str()
            .contains("w1 add s1.volume = 16\nt1 tier w1 15 = 2\np1 pick t1 10 5 = 5\na1 mul s1.volume p1 = 80\n"),
        "{}",
        rated.explanation.as_str()
    );
}

#[test]
fn an_explanation_that_was_tampered_with_does_not_hold() {
    let rated = tariff(TIANJIN).plan("living", &Profile::default()).unwrap().rate(None, cubic(650)).unwrap();
    let text = rated.explanation.as_str();
    assert_eq!(rated.explanation.entries().unwrap().last().unwrap().rule, Some(Rule::Spread));
    for (from, to) in [
        ("2.86", "2.85"),
        (" 0 300", " 0 301"),
        ("half_up", "floor_"),
        ("total round", "totals round"),
        ("858", "859"),
    ] {
        assert!(text.contains(from), "{from}");
        let other = Explanation::from_text(text.replacen(from, to, 1));
        assert!(other.check().is_err(), "{from} → {to}");
    }
    for broken in [
        "total",
        "total add",
        "total guess 1 = 1",
        "total add x = 1",
        "total given = 1e3",
        "s1.class is living",
    ] {
        assert!(Explanation::from_text(broken.to_owned()).check().is_err(), "{broken}");
    }
    let lines = text.lines().count();
    assert_eq!(Explanation::from_text(format!("{text}x add 1 1 = 3\n")).check().unwrap_err().line, lines + 1);
    // A name cannot forge a step.
    let plan = living(r#"[{ price = "1" }]"#, "").classes[0].clone();
    let forged = rating::Class {
        name: "x\ntotal given = 1".to_owned(),
        ..plan
    };
    let plan = rating::Plan::new(&forged, &Profile::default(), rating::Rounding::default(), None).unwrap();
    let rated = plan.rate(None, cubic(5)).unwrap();
    assert_eq!(rated.explanation.check(), Ok(yuan("5.00")));
    assert_eq!(rated.explanation.entries().unwrap()[0].text, "x total given = 1");
}

#[test]
fn rules_have_distinct_words() {
    let codes: std::collections::BTreeSet<_> = Rule::ALL.iter().map(|rule| rule.code()).collect();
    assert_eq!(codes.len(), Rule::ALL.len());
    assert!(Rule::ALL.iter().all(|rule| Rule::of(rule.code()) == Some(*rule)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_bill_is_recomputed_from_its_explanation(
        volumes in prop::collection::vec(0_i64..900_000, 1..5),
        before in prop::option::of(0_i64..700_000),
        persons in 0_u16..9,
        months in 1_u8..=12,
        free in 0_u8..3,
    ) {
        for text in [BEIJING, SHANGHAI, TAIAN, TIANJIN] {
            let tariff = tariff(text);
            let profile = Profile {
                low_income: Some(if persons % 2 == 0 { LowIncome::Subsistence } else { LowIncome::Destitute }),
                uplift_months: months,
                allowance_months: 13 - months,
                ..Profile::household(persons)
            };
            let plan = tariff.plan(&tariff.classes[0].name, &profile).unwrap();
            let segments: Vec<_> = volumes
                .iter()
                .zip([2025, 2025, 2026, 2026])
                .map(|(volume, year)| Segment { free_months: free, ..Segment::new(&plan, year, Usage::volume(Volume::from_litres(*volume))) })
                .collect();
            let ledger: Ledger = before.iter().map(|litres| (2025, Volume::from_litres(*litres))).collect();
            let rated = rate(&segments, &ledger).unwrap();
            prop_assert_eq!(rated.explanation.check(), Ok(rated.total), "{}", rated.explanation.as_str());
        }
    }
}

#[test]
fn terms_without_a_class_have_no_price() {
    let book = book([version(1, "living", "2024-09-01", None, tariff(TIANJIN))]);
    let (terms, ledger) = (Terms::default(), Ledger::default());
    let leg = Leg {
        from: day("2025-01-31"),
        to: day("2025-02-28"),
        volume: cubic(40),
        ..Leg::default()
    };
    let period = Period {
        terms: &terms,
        book: &book,
        legs: &[leg],
        read: leg.to,
        read_months: None,
        degree_days: None,
        ledger: &ledger,
    };
    assert_eq!(period.price().unwrap_err(), rating::RatingError::ClassMissing);
}
