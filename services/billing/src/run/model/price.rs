//! What a usage period costs, as a bill to be.

use calendar::NaiveDate;
use money::{Money, Volume};
use rating::{Index, Ledger, Period, Quantity};
use uuid::Uuid;

use super::{Facts, Leg};
use crate::tariff::model::Book;

/// A bill to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    pub reading: Uuid,
    pub install: Uuid,
    pub from: NaiveDate,
    pub to: NaiveDate,
    pub from_index: i64,
    pub to_index: i64,
    pub volume: i64,
    pub before: i64,
    pub tier_year: i32,
    pub class: String,
    pub tariff: Uuid,
    pub amount: Money,
    pub de_facto: bool,
    /// Whether a reading that a meter's use ends with is an estimate.
    pub estimated: bool,
    pub low_income: bool,
    pub persons: u16,
    pub lines: Vec<DraftLine>,
    /// Volume by tier year.
    pub uses: Vec<(i32, i64)>,
    /// The steps to the amount.
    pub explanation: String,
}

/// A line of a bill to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DraftLine {
    pub tier: i32,
    pub volume: i64,
    pub price: i64,
    pub amount: i64,
    pub reason: &'static str,
    pub tariff: Uuid,
    pub tier_year: i32,
    pub from: NaiveDate,
    pub to: NaiveDate,
}

pub(super) fn price(facts: &Facts, book: &Book, legs: &[Leg], read: NaiveDate) -> Result<Draft, &'static str> {
    let meters: Vec<String> = legs.iter().map(|leg| leg.install.map(|id| id.to_string()).unwrap_or_default()).collect();
    let rated_legs: Vec<rating::Leg> = legs
        .iter()
        .zip(&meters)
        .map(|(leg, meter)| rating::Leg {
            from: leg.from,
            to: leg.to,
            volume: Volume::from_litres(leg.volume),
            meter,
            index: leg.install.map(|_| Index {
                start: Volume::from_litres(leg.from_index),
                end: Volume::from_litres(leg.to_index),
                rolled: Volume::from_litres(leg.rolled),
                adjusted: Volume::from_litres(leg.adjusted),
                estimated: leg.estimated,
            }),
            converted: &leg.converted,
            reads: &leg.reads,
        })
        .collect();
    let ledger: Ledger = facts.used.iter().map(|(year, volume)| (*year, Volume::from_litres(*volume))).collect();
    let period = Period {
        terms: &facts.terms,
        book,
        legs: &rated_legs,
        read,
        read_months: facts.read_months,
        degree_days: facts.degree_days.as_deref(),
        ledger: &ledger,
    };
    let priced = period.price().map_err(|e| e.reason())?;
    let (first, last) = legs.first().zip(legs.last()).ok_or("NO_USAGE")?;
    let end = priced.parts.last().ok_or("NO_USAGE")?;
    let mut uses: Vec<(i32, i64)> = vec![];
    for part in &priced.parts {
        match uses.iter_mut().find(|(year, _)| *year == part.tier_year) {
            Some((_, volume)) => *volume = volume.saturating_add(part.volume.litres()),
            None => uses.push((part.tier_year, part.volume.litres())),
        }
    }
    let lines = priced
        .rated
        .lines
        .iter()
        .filter_map(|line| {
            let part = priced.parts.get(line.segment)?;
            let volume = match line.quantity {
                Quantity::Volume(volume) => volume.litres(),
                _ => 0,
            };
            Some(DraftLine {
                tier: i32::from(line.tier),
                volume,
                price: line.unit_price.micros(),
                amount: line.amount.fen(),
                reason: line.reason.code(),
                tariff: Uuid::from_u128(part.version.key),
                tier_year: part.tier_year,
                from: part.from,
                to: part.to,
            })
        })
        .collect();
    Ok(Draft {
        reading: Uuid::nil(),
        install: Uuid::nil(),
        from: first.from,
        to: last.to,
        from_index: first.from_index,
        to_index: last.to_index,
        volume: 0,
        before: ledger.volume(end.tier_year).unwrap_or_default().litres(),
        tier_year: end.tier_year,
        class: end.version.class.clone(),
        tariff: Uuid::from_u128(end.version.key),
        amount: priced.rated.total,
        de_facto: false,
        estimated: legs.iter().any(|leg| leg.estimated),
        low_income: end.low_income.is_some(),
        persons: end.persons,
        lines,
        uses,
        explanation: priced.rated.explanation.into_text(),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use rating::{Explanation, LowIncome};

    use super::*;
    use crate::{
        run::model::{
            Billed, Decision, Term, decide,
            tests::{NEW_YEAR_EVE, beijing, book, day, draft, install, january, month, priced_from, read, terms, tianjin, version, yuan},
        },
        tariff::model::{ChangeWord, UpliftTerms, Version},
    };

    #[test]
    fn p_11_1_worked_bills() {
        let book_bj = book(&beijing());
        for (metres, amount) in [(350, "913.50"), (351, "916.33"), (500, "1338.00"), (620, "1845.60")] {
            assert_eq!(yuan(1, &january(metres * 1000), &book_bj), amount, "G-BJ {metres}");
        }
        let mut six = january(620_000);
        six.terms.persons = vec![Term {
            value: 6,
            from: NEW_YEAR_EVE,
            until: None,
        }];
        assert_eq!(yuan(1, &six, &book_bj), "1644.60");
        let book_tj = book(&tianjin());
        assert_eq!(yuan(1, &january(350_000), &book_tj), "1026.00");
        assert_eq!(yuan(1, &january(650_000), &book_tj), "2071.50");
        let mut poor = january(650_000);
        poor.terms.low_income = vec![Term {
            value: LowIncome::Subsistence,
            from: NEW_YEAR_EVE,
            until: None,
        }];
        assert_eq!(yuan(1, &poor, &book_tj), "1859.00");
        let uplift = UpliftTerms {
            from_persons: 5,
            plus: "60".parse().unwrap(),
            per_person: true,
            first_tier_only: false,
            full_year: false,
        };
        let lu_an = book(&terms(&[(Some("360"), "2.80"), (Some("600"), "3.36"), (None, "3.92")], None, Some(uplift)));
        let mut large = january(700_000);
        assert_eq!(yuan(1, &large, &lu_an), "2206.40");
        large.terms.persons = vec![Term {
            value: 6,
            from: NEW_YEAR_EVE,
            until: None,
        }];
        assert_eq!(yuan(1, &large, &lu_an), "2083.20");
    }

    #[test]
    fn edge_28_one_rounding_across_a_bound() {
        let mut facts = january(1000);
        facts.used = vec![(2025, 349_500)];
        let draft = draft(1, &facts, &book(&beijing()));
        assert_eq!((draft.amount.to_string().as_str(), draft.before), ("2.72", 349_500));
        assert_eq!(draft.lines.iter().map(|l| (l.tier, l.volume)).collect::<Vec<_>>(), [(1, 500), (2, 500)]);
    }

    #[test]
    fn edge_29_upper_bounds_are_inclusive() {
        let draft = draft(1, &january(500_000), &book(&beijing()));
        assert_eq!(draft.lines.iter().map(|l| (l.tier, l.volume)).collect::<Vec<_>>(), [(1, 350_000), (2, 150_000)]);
    }

    #[test]
    fn edge_12_household_of_six_from_june_gets_seven_twelfths() {
        let mut facts = january(0);
        facts.terms.persons = vec![
            Term {
                value: 4,
                from: NEW_YEAR_EVE,
                until: Some(day(6, 1)),
            },
            Term {
                value: 6,
                from: day(6, 1),
                until: None,
            },
        ];
        facts.billed = Some(Billed {
            to: day(5, 31),
            index: 0,
            install: Uuid::from_u128(1),
        });
        facts.reads = vec![read(16, 1, day(6, 30), 450_000)];
        // 350 + 150 × 7 / 12 = 437.5, half up 438: 438 × 2.61 + 12 × 2.83.
        assert_eq!(yuan(6, &facts, &book(&beijing())), "1177.14");
    }

    #[test]
    fn a_04_day_without_a_published_price_is_parked() {
        assert_eq!(decide(month(1), &january(46_000), &Book::default()), Decision::Parked("TARIFF_MISSING"));
        let mut facts = january(46_000);
        facts.terms.classes.clear();
        assert_eq!(decide(month(1), &facts, &book(&tianjin())), Decision::Parked("USE_CLASS_MISSING"));
        let without = Version {
            legal_basis: " ".to_owned(),
            ..version(NEW_YEAR_EVE, ChangeWord::DaySplit)
        };
        let price = without.price(Uuid::from_u128(1), "living", None, &tianjin()).unwrap();
        assert_eq!(
            decide(month(1), &january(46_000), &Book::new([price]).unwrap()),
            Decision::Parked("TARIFF_MISSING")
        );
    }

    #[test]
    fn p_9_2_change_of_price_splits_by_days() {
        let (old, new) = (terms(&[(None, "2.76")], None, None), terms(&[(None, "2.97")], None, None));
        let from = NaiveDate::from_ymd_opt(2020, 1, 1).unwrap();
        let book = Book::new([priced_from(from, Some(day(10, 1)), 1, &old), priced_from(day(10, 1), None, 2, &new)]).unwrap();
        // Edge 30: period 11 September to 10 October, 30 m3 of tier 1: 20 × 2.76 + 10 × 2.97.
        let mut facts = january(0);
        facts.installs = vec![install(1, day(9, 10), 0)];
        facts.reads = vec![read(11, 1, day(10, 10), 30_000)];
        let draft = draft(10, &facts, &book);
        assert_eq!(draft.amount.to_string(), "84.90");
        assert_eq!(
            draft.lines.iter().map(|l| (l.tariff, l.volume, l.to)).collect::<Vec<_>>(),
            [(Uuid::from_u128(1), 20_000, day(9, 30)), (Uuid::from_u128(2), 10_000, day(10, 10))]
        );
        assert_eq!(draft.tariff, Uuid::from_u128(2));
    }

    #[test]
    fn p_9_2_cutover_takes_the_reading_before_the_change() {
        let (old, new) = (terms(&[(None, "2.76")], None, None), terms(&[(None, "2.97")], None, None));
        let from = NaiveDate::from_ymd_opt(2020, 1, 1).unwrap();
        let after = |change| version(day(10, 1), change).price(Uuid::from_u128(2), "living", None, &new).unwrap();
        let book = |change| Book::new([priced_from(from, Some(day(10, 1)), 1, &old), after(change)]).unwrap();
        // Edge 30: 18 m3 were used by 30 September, 30 m3 by 10 October.
        let mut facts = january(0);
        facts.installs = vec![install(1, day(9, 10), 0)];
        facts.reads = vec![read(10, 1, day(9, 30), 18_000), read(11, 1, day(10, 10), 30_000)];
        for (change, amount) in [
            (ChangeWord::CutoverRead, "85.32"),
            (ChangeWord::ByReadDate, "89.10"),
            (ChangeWord::DaySplit, "84.90"),
        ] {
            assert_eq!(draft(10, &facts, &book(change)).amount.to_string(), amount, "{change:?}");
        }
        assert_eq!(
            decide(month(10), &facts, &book(ChangeWord::DegreeDays)),
            Decision::Parked("DEGREE_DAYS_MISSING")
        );
        let weather = (11..=30).map(|d| (day(9, d), 10)).chain((1..=10).map(|d| (day(10, d), 40)));
        facts.degree_days = Some(std::sync::Arc::new(rating::DegreeDays::new(weather)));
        assert_eq!(
            draft(10, &facts, &book(ChangeWord::DegreeDays)).amount.to_string(),
            "87.00",
            "10 × 2.76 + 20 × 2.97"
        );
    }

    #[test]
    fn b_18_a_draft_carries_its_explanation_from_the_indexes_on() {
        let mut facts = january(12_000);
        facts.installs[0].initial = 99_987_000;
        facts.reads[0].rollover = true;
        let draft = draft(1, &facts, &book(&tianjin()));
        let explanation = Explanation::from_text(draft.explanation.clone());
        assert_eq!(explanation.check(), Ok(draft.amount));
        let id = Uuid::from_u128(1);
        assert!(
            draft.explanation.starts_with(&format!(
                "m1.meter is {id}\nm1.start given = 99987\nm1.end given = 12\nm1.rolled given = 100000\n"
            )),
            "{}",
            draft.explanation
        );
        assert!(draft.explanation.contains(&format!("s1.tariff is {id}\n")));
    }

    #[test]
    fn a_7_class_that_changes_within_the_month_splits_the_bill() {
        let living = priced_from(NEW_YEAR_EVE, None, 1, &tianjin());
        let heating = terms(&[(Some("1500"), "2.76"), (Some("2500"), "3.36"), (None, "4.11")], None, None);
        let heating = version(NEW_YEAR_EVE, ChangeWord::DaySplit)
            .price(Uuid::from_u128(1), "independent heating", None, &heating)
            .unwrap();
        let mut facts = january(31_000);
        facts.terms.classes = vec![
            Term {
                value: "living".to_owned(),
                from: NEW_YEAR_EVE,
                until: Some(day(1, 11)),
            },
            Term {
                value: "independent heating".to_owned(),
                from: day(1, 11),
                until: None,
            },
        ];
        let draft = draft(1, &facts, &Book::new([living, heating]).unwrap());
        // 10 days of 31: 10 × 2.86 + 21 × 2.76.
        assert_eq!(
            (draft.amount.to_string().as_str(), draft.class.as_str(), draft.lines.len()),
            ("86.56", "independent heating", 2)
        );
    }

    #[test]
    fn edge_44_low_income_that_ends_goes_on_with_the_true_volume() {
        let mut facts = january(0);
        facts.terms.low_income = vec![Term {
            value: LowIncome::Subsistence,
            from: NEW_YEAR_EVE,
            until: Some(day(2, 1)),
        }];
        facts.billed = Some(Billed {
            to: day(1, 31),
            index: 0,
            install: Uuid::from_u128(1),
        });
        facts.used = vec![(2025, 650_000)];
        facts.reads = vec![read(12, 1, day(2, 28), 10_000)];
        assert_eq!(yuan(2, &facts, &book(&tianjin())), "41.10");
    }

    #[test]
    fn p_9_1_new_tier_year_starts_at_zero() {
        let mut facts = january(46_000);
        facts.used = vec![(2024, 900_000)];
        let draft = draft(1, &facts, &book(&tianjin()));
        assert_eq!((draft.before, draft.tier_year, draft.amount.to_string().as_str()), (0, 2025, "131.56"));
    }
}
