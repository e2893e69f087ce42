use money::{Money, ShareError, Volume, allocate, split};
use proptest::prelude::*;

#[test]
fn shares_of_the_policies() {
    // Edge case 25: 45.00 over bills of 30.00 and 60.00.
    assert_eq!(
        Money::from_fen(4500).allocate(&[3000, 6000]),
        Ok(vec![Money::from_fen(1500), Money::from_fen(3000)])
    );
    // Edge case 2: 180 m³ over 61 and 59 days, 91.5 and 88.5: whole m³, tie to the earlier.
    let metre = Volume::from_litres(1000);
    let volume = |metres| Volume::from_cubic_metres(metres).unwrap();
    assert_eq!(volume(180).allocate_in_steps(metre, &[61, 59]), Ok(vec![volume(92), volume(88)]));
    assert_eq!(
        Volume::from_litres(180_500).allocate_in_steps(metre, &[1, 1]),
        Ok(vec![Volume::from_litres(90_250); 2])
    );
    assert_eq!(volume(5).allocate_in_steps(Volume::ZERO, &[1, 1]), Ok(vec![Volume::from_litres(2500); 2]));
}

#[test]
fn what_is_left_over_goes_to_the_first_parts() {
    assert_eq!(split(10, 3), Ok(vec![4, 3, 3]));
    assert_eq!(split(-10, 3), Ok(vec![-4, -3, -3]));
    assert_eq!(split(2, 3), Ok(vec![1, 1, 0]));
    assert_eq!(split(5, 0), Err(ShareError::NoParts));
    assert_eq!(allocate(100, &[1, 1, 1]), Ok(vec![34, 33, 33]));
    assert_eq!(allocate(1, &[0, 1]), Ok(vec![0, 1]));
    assert_eq!(allocate(1, &[0, 0]), Err(ShareError::NoParts));
    assert_eq!(allocate(1, &[]), Err(ShareError::NoParts));
    assert_eq!(allocate(i64::MIN, &[u64::MAX, u64::MAX]), Ok(vec![i64::MIN / 2; 2]));
    assert_eq!(allocate(i64::MIN, &[u64::MAX]), Ok(vec![i64::MIN]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::cases(5000)))]

    #[test]
    fn equal_parts_sum_to_the_whole(whole: i64, parts in 1_usize..40) {
        let shares = split(whole, parts).unwrap();
        prop_assert_eq!(shares.iter().map(|share| i128::from(*share)).sum::<i128>(), i128::from(whole));
        let (low, high) = (shares.iter().min().unwrap(), shares.iter().max().unwrap());
        prop_assert!(i128::from(*high) - i128::from(*low) <= 1);
    }

    #[test]
    fn weighted_parts_sum_to_the_whole_and_take_the_largest_remainders(whole: i64, weights in prop::collection::vec(0_u64..1_000_000_000, 1..12)) {
        let total: i128 = weights.iter().map(|weight| i128::from(*weight)).sum();
        prop_assume!(total > 0);
        let shares = allocate(whole, &weights).unwrap();
        prop_assert_eq!(shares.iter().map(|share| i128::from(*share)).sum::<i128>(), i128::from(whole));
        // Against exact fractions: what a part got beyond its share cut off is 0 or 1, and whoever got 1 had no smaller remainder.
        let magnitude = i128::from(whole).abs();
        let state: Vec<(i128, i128)> = shares.iter().zip(&weights).map(|(share, weight)| {
            let product = magnitude * i128::from(*weight);
            (i128::from(*share).abs() - product / total, product % total)
        }).collect();
        for (index, (extra, remainder)) in state.iter().enumerate() {
            prop_assert!((0..=1).contains(extra));
            for (later, (other, other_remainder)) in state.iter().enumerate() {
                if *extra == 0 && *other == 1 {
                    prop_assert!(other_remainder > remainder || (other_remainder == remainder && later < index));
                }
            }
        }
    }

    #[test]
    fn steps_sum_to_the_whole(litres in 0_i64..10_000_000, step in 0_i64..2000, weights in prop::collection::vec(0_u64..400, 1..6)) {
        prop_assume!(weights.iter().any(|weight| *weight > 0));
        let whole = Volume::from_litres(litres);
        let parts = whole.allocate_in_steps(Volume::from_litres(step), &weights).unwrap();
        prop_assert_eq!(Volume::sum(parts).unwrap(), whole);
    }
}
