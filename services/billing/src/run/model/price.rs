//! What a usage period costs: cut where another price begins, rated once.

use std::collections::BTreeSet;

use calendar::NaiveDate;
use money::{Money, Volume};
use rating::{Boundary, Ledger, LowIncome, Plan, Profile, Quantity, Segment, Usage, rate, split_by_days};
use uuid::Uuid;

use super::{Facts, Leg, Terms};
use crate::tariff::model::{Book, Price};

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
    pub low_income: bool,
    pub persons: u16,
    pub lines: Vec<DraftLine>,
    /// Volume by tier year.
    pub uses: Vec<(i32, i64)>,
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

/// Usage of some days at one price.
struct Part {
    from: NaiveDate,
    to: NaiveDate,
    volume: Volume,
    tariff: Uuid,
    tier_year: i32,
    plan: Plan,
}

pub(super) fn price(facts: &Facts, book: &Book, legs: &[Leg], read: NaiveDate) -> Result<Draft, &'static str> {
    let mut parts = vec![];
    for leg in legs.iter().filter(|l| l.from < l.to) {
        let cuts = cuts(facts, book, leg, read)?;
        for part in split_by_days(leg.from, leg.to, &cuts, Volume::from_litres(leg.volume)).map_err(|e| e.reason())? {
            let (class, price) = priced(facts, book, part.to)?;
            let tier_year = tier_year(price, part.to, read);
            let (profile, _) = profile(&facts.terms, price, part.to, tier_year)?;
            let plan = price.tariff.plan(class, &profile).map_err(|e| e.reason())?;
            parts.push(Part {
                from: part.from,
                to: part.to,
                volume: part.volume,
                tariff: price.tariff_id,
                tier_year,
                plan,
            });
        }
    }
    let segments: Vec<_> = parts
        .iter()
        .map(|p| Segment {
            plan: &p.plan,
            tier_year: p.tier_year,
            usage: Usage::volume(p.volume),
            free_months: 0,
        })
        .collect();
    let ledger: Ledger = facts.used.iter().map(|(year, volume)| (*year, Volume::from_litres(*volume))).collect();
    let rated = rate(&segments, &ledger).map_err(|e| e.reason())?;
    let (first, last) = parts.first().zip(parts.last()).ok_or("NO_USAGE")?;
    let (class, last_price) = priced(facts, book, last.to)?;
    let (profile, low_income) = profile(&facts.terms, last_price, last.to, last.tier_year)?;
    let mut uses: Vec<(i32, i64)> = vec![];
    for part in &parts {
        match uses.iter_mut().find(|(year, _)| *year == part.tier_year) {
            Some((_, volume)) => *volume = volume.saturating_add(part.volume.litres()),
            None => uses.push((part.tier_year, part.volume.litres())),
        }
    }
    let lines = rated
        .lines
        .iter()
        .filter_map(|line| {
            let part = parts.get(line.segment)?;
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
                tariff: part.tariff,
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
        from_index: legs.first().map_or(0, |l| l.from_index),
        to_index: legs.last().map_or(0, |l| l.to_index),
        volume: 0,
        before: ledger.volume(last.tier_year).unwrap_or_default().litres(),
        tier_year: last.tier_year,
        class: class.to_owned(),
        tariff: last.tariff,
        amount: rated.total,
        de_facto: false,
        low_income,
        persons: profile.persons,
        lines,
        uses,
    })
}

fn priced<'a>(facts: &'a Facts, book: &'a Book, day: NaiveDate) -> Result<(&'a str, &'a Price), &'static str> {
    let class = facts.terms.class(day).ok_or("USE_CLASS_MISSING")?;
    Ok((class, book.price(class, day).ok_or("TARIFF_MISSING")?))
}

fn profile(terms: &Terms, price: &Price, day: NaiveDate, tier_year: i32) -> Result<(Profile, bool), &'static str> {
    let (persons, uplift_months) = terms.household(day, price.tariff.tier_year_start(tier_year).ok_or("DAY_ORDER")?);
    let low_income = terms.is_low_income(day);
    let profile = Profile {
        persons,
        uplift_months,
        low_income: low_income.then_some(LowIncome::Subsistence),
        ..Profile::default()
    };
    Ok((profile, low_income))
}

fn splits_days(price: &Price) -> bool {
    price.tariff.tier_year.is_some_and(|rule| rule.boundary == Boundary::DaySplit)
}

fn tier_year(price: &Price, day: NaiveDate, read: NaiveDate) -> i32 {
    price.tariff.tier_year_of(if splits_days(price) { day } else { read })
}

/// First days of another price, class, entitlement or tier year within a leg.
fn cuts(facts: &Facts, book: &Book, leg: &Leg, read: NaiveDate) -> Result<Vec<NaiveDate>, &'static str> {
    let mut cuts: BTreeSet<NaiveDate> = facts.terms.changes().collect();
    let (class, price) = priced(facts, book, leg.to)?;
    cuts.extend(book.changes(class));
    for term in &facts.terms.classes {
        cuts.extend(book.changes(&term.value));
    }
    if splits_days(price) {
        let first = price.tariff.tier_year_of(leg.from);
        for year in first..=price.tariff.tier_year_of(read) {
            cuts.extend(price.tariff.tier_year_start(year));
        }
    }
    // A cut on the first day changes nothing: the days of a leg are those after its first reading. Nor does one with the same price on both sides.
    let first = leg.from.succ_opt().ok_or("DAY_ORDER")?;
    let mut kept = vec![];
    for day in cuts.into_iter().filter(|day| *day > first && *day <= leg.to) {
        let before = day.pred_opt().ok_or("DAY_ORDER")?;
        if basis(facts, book, before, read)? != basis(facts, book, day, read)? {
            kept.push(day);
        }
    }
    Ok(kept)
}

/// What decides the price of a day.
fn basis<'a>(facts: &'a Facts, book: &'a Book, day: NaiveDate, read: NaiveDate) -> Result<(&'a str, Uuid, i32, Profile), &'static str> {
    let (class, price) = priced(facts, book, day)?;
    let year = tier_year(price, day, read);
    let (profile, _) = profile(&facts.terms, price, day, year)?;
    Ok((class, price.tariff_id, year, profile))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        run::model::{
            Billed, Decision, Term, decide,
            terms::months_left,
            tests::{NEW_YEAR_EVE, beijing, book, day, draft, install, january, month, priced_from, read, terms, tianjin, yuan},
        },
        tariff::model::UpliftTerms,
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
            value: true,
            from: NEW_YEAR_EVE,
            until: None,
        }];
        assert_eq!(yuan(1, &poor, &book_tj), "1859.00");
        let uplift = UpliftTerms {
            from_persons: 5,
            plus: "60".parse().unwrap(),
            per_person: true,
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
        assert_eq!(months_left(day(5, 20), day(1, 1)), 7, "approved in May, effective in June");
        assert_eq!(months_left(day(12, 2), day(1, 1)), 0);
        assert_eq!(months_left(NEW_YEAR_EVE, day(1, 1)), 12);
    }

    #[test]
    fn a_04_day_without_a_published_price_is_parked() {
        assert_eq!(decide(month(1), &january(46_000), &Book::default()), Decision::Parked("TARIFF_MISSING"));
        let mut facts = january(46_000);
        facts.terms.classes.clear();
        assert_eq!(decide(month(1), &facts, &book(&tianjin())), Decision::Parked("USE_CLASS_MISSING"));
        let terms = tianjin();
        let mut price = priced_from(NEW_YEAR_EVE, None, 1, &terms);
        let mut without = (*price.tariff).clone();
        without.legal_basis = " ".to_owned();
        price.tariff = Arc::new(without);
        assert_eq!(decide(month(1), &january(46_000), &Book::new(vec![price])), Decision::Parked("TARIFF_MISSING"));
    }

    #[test]
    fn p_9_2_change_of_price_splits_by_days() {
        let (old, new) = (terms(&[(None, "2.76")], None, None), terms(&[(None, "2.97")], None, None));
        let from = NaiveDate::from_ymd_opt(2020, 1, 1).unwrap();
        let book = Book::new(vec![priced_from(from, Some(day(10, 1)), 1, &old), priced_from(day(10, 1), None, 2, &new)]);
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
    fn edge_44_low_income_that_ends_goes_on_with_the_true_volume() {
        let mut facts = january(0);
        facts.terms.low_income = vec![Term {
            value: true,
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
