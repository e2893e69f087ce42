use money::{Area, Energy, Exact, Mode, Money, Overflow, Ratio, UnitPrice, Volume, amount, round_together};
use proptest::prelude::*;

fn price(text: &str) -> UnitPrice {
    UnitPrice::parse(text).unwrap()
}

#[test]
fn products_are_exact_until_they_are_rounded_once() {
    // domain.md 11.1: IoT 33.333 m³ at 2.61 is 86.99913.
    let exact = amount(Volume::parse("33.333").unwrap(), price("2.61")).unwrap();
    assert_eq!(exact.to_string(), "86.999130000");
    assert_eq!(exact.round_half_up().unwrap().to_string(), "87.00");
    // Edge case 28: one rounding of the sum, 2.72; rounding line by line would give 2.73.
    let lines = [
        amount(Volume::parse("0.5").unwrap(), price("2.61")).unwrap(),
        amount(Volume::parse("0.5").unwrap(), price("2.83")).unwrap(),
    ];
    let (total, parts) = round_together(&lines).unwrap();
    assert_eq!((total, parts), (Money::from_fen(272), vec![Money::from_fen(131), Money::from_fen(141)]));
    let heat = [
        amount(Area::parse("80.5").unwrap(), price("12")).unwrap(),
        amount(Energy::parse("6000").unwrap(), price("0.16")).unwrap(),
    ];
    assert_eq!(Exact::sum(heat).unwrap().round_half_up().unwrap().to_string(), "1926.00");
}

#[test]
fn half_up_mirrors_credits_and_floor_and_ceiling_do_not() {
    let round = |nanos, mode, step| Exact::from_nanos(nanos).round_times(Ratio::ONE, mode, Money::from_fen(step)).map(Money::fen);
    for (nanos, half_up, floor, ceiling) in [
        (5_000_000, 1, 0, 1),
        (4_999_999, 0, 0, 1),
        (-5_000_000, -1, -1, 0),
        (-4_999_999, 0, -1, 0),
        (-5_000_001, -1, -1, 0),
        (10_000_000, 1, 1, 1),
        (0, 0, 0, 0),
    ] {
        assert_eq!(round(nanos, Mode::HalfUp, 1), Ok(half_up), "{nanos}");
        assert_eq!(round(nanos, Mode::Floor, 1), Ok(floor), "{nanos}");
        assert_eq!(round(nanos, Mode::Ceiling, 1), Ok(ceiling), "{nanos}");
    }
    assert_eq!(round(4_969_800_000_000, Mode::Floor, 100), Ok(496_900));
    assert_eq!(round(1, Mode::HalfUp, 0), Err(Overflow));
    assert_eq!(round(1, Mode::HalfUp, -1), Err(Overflow));
    assert_eq!(round(i128::MAX, Mode::HalfUp, 1), Err(Overflow));
}

#[test]
fn ratios_are_rounded_once_at_the_end() {
    let yuan = |text: &str| Money::parse(text).unwrap();
    // Late fee 123.45 at 0.5 per mille for 37 days: 2.283825 (edge case 27).
    assert_eq!(
        Ratio::parse("0.0005")
            .unwrap()
            .checked_mul(Ratio::new(37, 1).unwrap())
            .unwrap()
            .of(yuan("123.45")),
        Ok(yuan("2.28"))
    );
    // Qingdao, 10 days of 141 at 20 % of 2000.00.
    assert_eq!(
        Ratio::new(10, 141)
            .unwrap()
            .checked_mul(Ratio::parse_percent("20").unwrap())
            .unwrap()
            .of(yuan("2000.00")),
        Ok(yuan("28.37"))
    );
    assert_eq!(Ratio::parse_percent("12.5").unwrap(), Ratio::new(1, 8).unwrap());
    assert_eq!(Ratio::new(23, 31).unwrap().round_half_up(9), Ok(741_935_484));
    assert_eq!(Ratio::new(-1, 2).unwrap().round_half_up(0), Ok(-1));
    assert_eq!(Ratio::new(1, 3).unwrap().checked_add(Ratio::new(1, 6).unwrap()), Ratio::new(1, 2));
    assert!(Ratio::new(i64::MAX, 1).unwrap().checked_add(Ratio::ONE).is_err());
    assert_eq!(Ratio::new(0, 7), Ok(Ratio::ZERO));
    assert!(Ratio::new(i64::MIN, i64::MAX).is_ok());
}

#[test]
fn ties_of_remainders_go_to_the_earlier_line() {
    let half = Exact::from_nanos(5_000_000);
    let (total, lines) = round_together(&[half, half, half]).unwrap();
    assert_eq!(total.fen(), 2);
    assert_eq!(lines.iter().map(|line| line.fen()).collect::<Vec<_>>(), [1, 1, 0]);
    assert_eq!(round_together(&[]), Ok((Money::ZERO, vec![])));
    let mixed = [Exact::from_nanos(-5_000_000), Exact::from_nanos(12_000_000)];
    let (total, lines) = round_together(&mixed).unwrap();
    assert_eq!((total.fen(), lines.iter().map(|line| line.fen()).collect::<Vec<_>>()), (1, vec![0, 1]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::cases(3000)))]

    #[test]
    fn lines_sum_to_the_total_and_stay_within_a_fen(nanos in prop::collection::vec(-10_i128.pow(18)..10_i128.pow(18), 0..12)) {
        let exact: Vec<Exact> = nanos.iter().copied().map(Exact::from_nanos).collect();
        let (total, lines) = round_together(&exact).unwrap();
        prop_assert_eq!(Money::sum(lines.iter().copied()).unwrap(), total);
        prop_assert_eq!(Exact::sum(exact.iter().copied()).unwrap().round_half_up().unwrap(), total);
        for (line, exact) in lines.iter().zip(&exact) {
            prop_assert!((Exact::from(*line).nanos() - exact.nanos()).abs() < 10_000_000);
        }
    }

    #[test]
    fn half_up_is_the_nearest_fen(nanos in -10_i128.pow(20)..10_i128.pow(20)) {
        let fen = i128::from(Exact::from_nanos(nanos).round_half_up().unwrap().fen());
        let distance = (fen * 10_000_000 - nanos).abs();
        prop_assert!(distance <= 5_000_000);
        prop_assert!(distance < 5_000_000 || fen.abs() * 10_000_000 > nanos.abs());
    }

    #[test]
    fn a_credit_mirrors_its_charge(nanos in -10_i128.pow(20)..10_i128.pow(20)) {
        let (charge, credit) = (Exact::from_nanos(nanos).round_half_up().unwrap(), Exact::from_nanos(-nanos).round_half_up().unwrap());
        prop_assert_eq!(charge.checked_neg().unwrap(), credit);
    }

    #[test]
    fn nothing_panics_at_the_ends(litres: i64, micros: i64, upper: i64, lower in 1_i64..) {
        let ratio = Ratio::new(upper, lower).unwrap();
        let exact = amount(Volume::from_litres(litres), UnitPrice::from_micros(micros)).unwrap();
        let _ = exact.round_half_up();
        let _ = exact.round_times(ratio, Mode::HalfUp, Money::from_fen(1));
        let _ = round_together(&[exact, exact, exact]);
        let _ = ratio.checked_mul(ratio);
        let _ = ratio.checked_add(ratio);
        let _ = ratio.of(Money::from_fen(litres));
    }
}
