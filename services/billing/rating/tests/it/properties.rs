//! Properties of rating, against an oracle that walks litre by litre.

use chrono::{Days, NaiveDate};
use money::{Exact, Money, UnitPrice, Volume};
use proptest::prelude::*;
use rating::{Class, Ledger, LowIncome, Plan, Price, Profile, Rated, ReliefRule, Rounding, Segment, Span, Tier, Tiers, Uplift, Usage, rate, split_by_days};

/// Up to six tiers with bounds of at most `width` litres each and rising prices; now and then a fee.
fn tiers(width: i64) -> impl Strategy<Value = Tiers> {
    (prop::collection::vec((1..=width, 0_i64..2_000_000, prop_oneof![4 => Just(0_i64), 1 => 0_i64..5_000_000]), 1..6)).prop_map(|widths| {
        let count = widths.len();
        let (mut bound, mut price) = (0, 0);
        let tiers = widths.into_iter().enumerate().map(|(index, (width, rise, flat))| {
            bound += width;
            price += rise;
            let up_to = (index + 1 < count).then_some(Volume::from_litres(bound));
            Tier {
                up_to,
                price: UnitPrice::from_micros(price),
                flat: UnitPrice::from_micros(flat),
            }
        });
        Tiers::new(tiers.collect()).unwrap()
    })
}

fn class(tiers: &Tiers) -> Class {
    Class::plain("any", vec![Price::Graduated(tiers.clone(), Span::TierYear).into()])
}

fn plan(tiers: &Tiers) -> Plan {
    Plan::new(&class(tiers), &Profile::default(), Rounding::default(), None).unwrap()
}

fn litres(count: i64) -> Volume {
    Volume::from_litres(count)
}

/// What the litres after `before` up to `before + volume` cost, one by one, without fees, in 10⁻⁹ yuan.
fn walk(tiers: &Tiers, before: i64, volume: i64) -> i128 {
    (before + 1..=before + volume)
        .map(|litre| {
            let tier = tiers
                .as_slice()
                .iter()
                .find(|tier| tier.up_to.is_none_or(|bound| litre <= bound.litres()))
                .unwrap();
            i128::from(tier.price.micros())
        })
        .sum()
}

/// Fees of the tiers that a cumulative volume has entered.
fn fees(tiers: &Tiers, billed: Option<i64>) -> i128 {
    let Some(billed) = billed else { return 0 };
    let mut lower = -1;
    let mut sum = 0;
    for tier in tiers.as_slice() {
        if billed > lower {
            sum += i128::from(tier.flat.micros()) * 1000;
        }
        lower = tier.up_to.map_or(i64::MAX, Volume::litres);
    }
    sum
}

fn quantity(rated: &Rated) -> i64 {
    rated
        .lines
        .iter()
        .filter(|line| line.reason.code() != "TIER_FEE")
        .map(|line| line.quantity.thousandths())
        .sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn agrees_with_the_walk_litre_by_litre(tiers in tiers(400), before in prop::option::of(0_i64..1500), volume in 0_i64..1500) {
        let rated = plan(&tiers).rate(before.map(litres), litres(volume)).unwrap();
        let start = before.unwrap_or(0);
        let nanos = walk(&tiers, start, volume) + fees(&tiers, Some(start + volume)) - fees(&tiers, before);
        prop_assert_eq!(rated.exact.nanos(), nanos);
        prop_assert_eq!(rated.total, Exact::from_nanos(nanos).round_half_up().unwrap());
        prop_assert_eq!(rated.volume_after.litres(), start + volume);
    }

    #[test]
    fn volume_is_conserved_and_lines_sum_to_the_total(tiers in tiers(400_000), before in 0_i64..2_000_000, volume in 0_i64..2_000_000) {
        let rated = plan(&tiers).rate(Some(litres(before)), litres(volume)).unwrap();
        prop_assert_eq!(quantity(&rated), volume);
        prop_assert_eq!(Money::sum(rated.lines.iter().map(|line| line.amount)).unwrap(), rated.total);
        let mut at = before;
        for line in rated.lines.iter().filter(|line| line.reason.code() != "TIER_FEE") {
            prop_assert_eq!(line.from.litres(), at);
            at += line.quantity.thousandths();
            let exact = i128::from(line.quantity.thousandths()) * i128::from(line.unit_price.micros());
            prop_assert!((Exact::from(line.amount).nanos() - exact).abs() < 10_000_000);
        }
    }

    #[test]
    fn periods_sum_to_the_one_shot_before_rounding(tiers in tiers(400_000), before in 0_i64..900_000, parts in prop::collection::vec(0_i64..500_000, 1..9)) {
        let plan = plan(&tiers);
        let whole = plan.rate(Some(litres(before)), litres(parts.iter().sum())).unwrap();
        // As bills of their own, one after the other.
        let mut at = Some(litres(before));
        let mut sum = Exact::ZERO;
        for part in &parts {
            let rated = plan.rate(at, litres(*part)).unwrap();
            sum = sum.checked_add(rated.exact).unwrap();
            at = Some(rated.volume_after);
        }
        prop_assert_eq!((sum, at), (whole.exact, Some(whole.volume_after)));
        // As periods of one bill: the same to the fen.
        let segments: Vec<_> = parts.iter().map(|part| Segment::new(&plan, 0, Usage::volume(litres(*part)))).collect();
        let together = rate(&segments, &Ledger::from_iter([(0, litres(before))])).unwrap();
        prop_assert_eq!((together.total, together.exact, together.ledger), (whole.total, whole.exact, whole.ledger));
    }

    #[test]
    fn more_use_never_costs_less(tiers in tiers(400_000), before in 0_i64..900_000, less in 0_i64..900_000, more in 0_i64..900_000) {
        let plan = plan(&tiers);
        let bill = |volume| plan.rate(Some(litres(before)), litres(volume)).unwrap();
        let (low, high) = (bill(less), bill(less + more));
        prop_assert!(low.exact <= high.exact && low.total <= high.total);
    }

    #[test]
    fn entitlements_never_cost_more(tiers in tiers(400_000), persons in 0_u16..12, months in 1_u8..=12, before in 0_i64..900_000, volume in 0_i64..900_000) {
        let mut class = class(&tiers);
        let bill = |class: &Class, profile: &Profile| {
            Plan::new(class, profile, Rounding::default(), None).unwrap().rate(Some(litres(before)), litres(volume)).unwrap()
        };
        let plain = bill(&class, &Profile::default());
        class.household.uplift = Some(Uplift { from_persons: 5, plus: litres(60_000), per_person: persons % 2 == 0, first_tier_only: persons % 3 == 0, full_year: persons % 5 == 0 });
        for rule in [ReliefRule::AllAtTier1, ReliefRule::NoTier3, ReliefRule::FreePerMonth(litres(6000))] {
            class.relief.subsistence = Some(rule);
            let profile = Profile { uplift_months: months, ..Profile::household(persons) };
            let large = bill(&class, &profile);
            let fee_free = |rated: &Rated| rated.lines.iter().filter(|line| line.reason.code() != "TIER_FEE").count();
            prop_assume!(fee_free(&large) == large.lines.len() && fee_free(&plain) == plain.lines.len());
            prop_assert!(large.total <= plain.total);
            let low = bill(&class, &profile.with_low_income(LowIncome::Subsistence));
            prop_assert!(low.total <= large.total);
            prop_assert!(!low.total.is_negative());
            prop_assert_eq!(low.volume_after, plain.volume_after);
        }
    }

    /// A bill gives the free volume of its months as far as it used any, however it is cut.
    #[test]
    fn t_ta_free_volume_is_what_the_bill_grants_and_used(tiers in tiers(400_000), parts in prop::collection::vec((0_u8..3, 0_i64..20_000), 1..7)) {
        let mut class = class(&tiers);
        class.relief.destitute = Some(ReliefRule::FreePerMonth(litres(6000)));
        let plan = Plan::new(&class, &Profile::default().with_low_income(LowIncome::Destitute), Rounding::default(), None).unwrap();
        let segments: Vec<_> = parts
            .iter()
            .map(|(free_months, volume)| Segment { free_months: *free_months, ..Segment::new(&plan, 0, Usage::volume(litres(*volume))) })
            .collect();
        let rated = rate(&segments, &Ledger::default()).unwrap();
        let granted: i64 = parts.iter().map(|(months, _)| i64::from(*months) * 6000).sum();
        let used: i64 = parts.iter().map(|(_, volume)| volume).sum();
        let mut given = vec![0; parts.len()];
        for line in rated.lines.iter().filter(|line| line.reason.code() == "FREE_VOLUME") {
            given[line.segment] += line.quantity.thousandths();
        }
        prop_assert_eq!(given.iter().sum::<i64>(), granted.min(used));
        prop_assert!(given.iter().zip(&parts).all(|(given, (_, used))| given <= used));
        prop_assert_eq!(rated.explanation.check(), Ok(rated.total));
    }

    #[test]
    fn nothing_panics_at_the_ends(tiers in tiers(i64::MAX / 8), before: i64, volume: i64, micros in 0_i64..) {
        let _ = plan(&tiers).rate(Some(litres(before)), litres(volume));
        let dear = Tiers::new(vec![Tier { up_to: None, price: UnitPrice::from_micros(micros), flat: UnitPrice::from_micros(micros) }]).unwrap();
        let _ = plan(&dear).rate(None, litres(volume));
        let _ = plan(&dear).difference(litres(before), litres(volume));
    }

    #[test]
    fn days_share_a_volume_without_loss(volume in 0_i64..5_000_000, lengths in prop::collection::vec(1_u64..400, 1..6)) {
        let start = NaiveDate::from_ymd_opt(2023, 12, 31).unwrap();
        let mut ends = Vec::new();
        let mut day = start;
        for length in &lengths {
            day = day.checked_add_days(Days::new(*length)).unwrap();
            ends.push(day);
        }
        let cuts: Vec<_> = ends.iter().take(ends.len() - 1).map(|end| end.succ_opt().unwrap()).collect();
        let parts = split_by_days(start, day, &cuts, litres(volume)).unwrap();
        prop_assert_eq!(parts.iter().map(|part| part.to).collect::<Vec<_>>(), ends);
        prop_assert_eq!(Volume::sum(parts.iter().map(|part| part.volume)).unwrap(), litres(volume));
        let whole: u64 = lengths.iter().sum();
        for (part, length) in parts.iter().zip(&lengths) {
            let share = i128::from(volume) * i128::from(*length) / i128::from(whole);
            prop_assert!((i128::from(part.volume.litres()) - share).abs() <= 1000);
        }
    }
}
