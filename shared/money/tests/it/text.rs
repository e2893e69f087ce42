use money::{Area, DecimalError, Energy, Money, Ratio, UnitPrice, Volume};
use proptest::prelude::*;

#[test]
fn plain_decimal_text_is_read_exactly() {
    for (text, fen) in [
        ("0", 0),
        ("12.5", 1250),
        ("12.50", 1250),
        ("-0.05", -5),
        ("-0", 0),
        ("007.10", 710),
        ("92233720368547758.07", i64::MAX),
    ] {
        assert_eq!(Money::parse(text), Ok(Money::from_fen(fen)), "{text}");
    }
    assert_eq!(Money::parse("-92233720368547758.08"), Ok(Money::from_fen(i64::MIN)));
    assert_eq!(UnitPrice::parse("2.61"), Ok(UnitPrice::from_micros(2_610_000)));
    assert_eq!(Volume::parse("33.333"), Ok(Volume::from_litres(33_333)));
    assert_eq!(Energy::parse("8100"), Ok(Energy::from_watt_hours(8_100_000)));
    assert_eq!(Area::parse("80.5"), Ok(Area::from_hundredths(8050)));
}

#[test]
fn anything_but_plain_digits_is_refused_as_format() {
    let bad = [
        "",
        " ",
        " 1",
        "1 ",
        "+1",
        "-",
        "--1",
        ".5",
        "5.",
        ".",
        "1.2.3",
        "1,000",
        "1_000",
        "1'000",
        "1e5",
        "4e+05",
        "NaN",
        "inf",
        "-inf",
        "Infinity",
        "0x10",
        "１２.５０",
        "1２",
        "¥12",
        "12元",
        "1\n",
        "1\0",
        "١٢",
        "−5",
    ];
    for text in bad {
        assert_eq!(Money::parse(text), Err(DecimalError::Format), "{text:?}");
        assert_eq!(Money::parse_half_up(text), Err(DecimalError::Format), "{text:?}");
    }
    assert_eq!(DecimalError::Format.reason(), "DECIMAL_FORMAT");
}

#[test]
fn further_places_are_refused_as_scale_unless_rounding_is_asked_for() {
    assert_eq!(Money::parse("0.001"), Err(DecimalError::Scale));
    assert_eq!(Money::parse("1.500"), Err(DecimalError::Scale));
    assert_eq!(Volume::parse("1.0005"), Err(DecimalError::Scale));
    assert_eq!(UnitPrice::parse("2.6100001"), Err(DecimalError::Scale));
    assert_eq!(DecimalError::Scale.reason(), "SCALE");
    for (text, fen) in [
        ("0.004", 0),
        ("0.005", 1),
        ("0.0049999", 0),
        ("-0.005", -1),
        ("-0.004", 0),
        ("1.995", 200),
        ("86.99913", 8700),
        ("2.283825", 228),
    ] {
        assert_eq!(Money::parse_half_up(text), Ok(Money::from_fen(fen)), "{text}");
    }
}

#[test]
fn numbers_beyond_the_type_are_refused_as_range() {
    for text in [
        "92233720368547758.08",
        "-92233720368547758.09",
        "999999999999999999999999999999",
        &"9".repeat(500),
    ] {
        assert_eq!(Money::parse(text), Err(DecimalError::Range), "{text}");
        assert_eq!(Money::parse_scientific(text), Err(DecimalError::Range), "{text}");
    }
    assert_eq!(Money::parse_half_up("92233720368547758.075"), Err(DecimalError::Range));
    assert_eq!(DecimalError::Range.reason(), "RANGE");
}

#[test]
fn scientific_notation_is_read_only_where_asked_for() {
    for (text, litres) in [
        ("4e+05", 400_000_000),
        ("1.5E3", 1_500_000),
        ("12e-1", 1200),
        ("4e-4", 0),
        ("5e-4", 1),
        ("0e999999999999999999999", 0),
        ("7", 7000),
        ("1e-99", 0),
    ] {
        assert_eq!(Volume::parse_scientific(text), Ok(Volume::from_litres(litres)), "{text}");
    }
    for text in ["e5", "1e", "1e+", "1e+-5", "1e5.0", "1e５", "NaN", "1e5e5", ""] {
        assert_eq!(Volume::parse_scientific(text), Err(DecimalError::Format), "{text}");
    }
    for text in ["1e16", "1e99999999999999999999999"] {
        assert_eq!(Volume::parse_scientific(text), Err(DecimalError::Range), "{text}");
    }
}

#[test]
fn text_has_all_places_and_honours_the_width() {
    assert_eq!(Money::from_fen(1250).to_string(), "12.50");
    assert_eq!(Money::from_fen(-5).to_string(), "-0.05");
    assert_eq!(Money::from_fen(i64::MIN).to_string(), "-92233720368547758.08");
    assert_eq!(format!("{:>9}|{:<9}|", Money::from_fen(-1250), Money::from_fen(1250)), "   -12.50|12.50    |");
    assert_eq!(UnitPrice::from_micros(2_610_000).to_string(), "2.610000");
    assert_eq!(UnitPrice::from_micros(2_610_000).short().to_string(), "2.61");
    assert_eq!(Volume::from_litres(46_000).short().to_string(), "46");
    assert_eq!(Volume::from_litres(-500).short().to_string(), "-0.5");
    assert_eq!(Volume::ZERO.short().to_string(), "0");
    assert_eq!(Ratio::new(30, 62).unwrap().to_string(), "15/31");
}

#[test]
fn json_holds_text_and_takes_no_number() {
    assert_eq!(serde_json::to_string(&Money::from_fen(1250)).unwrap(), "\"12.50\"");
    assert_eq!(serde_json::from_str::<Money>("\"12.5\"").unwrap(), Money::from_fen(1250));
    for json in ["12.5", "12", "null", "\"12.505\"", "\"1e2\""] {
        assert!(serde_json::from_str::<Money>(json).is_err(), "{json}");
    }
}

#[test]
fn operations_that_do_not_fit_are_errors() {
    let (max, min, one) = (Money::MAX, Money::from_fen(i64::MIN), Money::from_fen(1));
    assert!(max.checked_add(one).is_err());
    assert!(min.checked_sub(one).is_err());
    assert!(min.checked_neg().is_err());
    assert!(max.checked_mul(2).is_err());
    assert!(Money::sum([max, one]).is_err());
    assert_eq!(Money::sum([max, one.checked_neg().unwrap()]), Ok(Money::from_fen(i64::MAX - 1)));
    assert!(Volume::from_cubic_metres(i64::MAX).is_err());
    assert!(Ratio::new(1, 0).is_err());
    assert!(Ratio::new(1, -2).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn text_goes_round(units: i64) {
        prop_assert_eq!(Money::parse(&Money::from_fen(units).to_string()), Ok(Money::from_fen(units)));
        prop_assert_eq!(UnitPrice::parse(&UnitPrice::from_micros(units).short().to_string()), Ok(UnitPrice::from_micros(units)));
        prop_assert_eq!(Volume::parse_scientific(&format!("{units}e-3")), Ok(Volume::from_litres(units)));
    }

    #[test]
    fn no_text_panics(text in "[-+.eE0-9 ,_０-９NaN]{0,40}|.{0,12}") {
        let _ = Money::parse(&text);
        let _ = Volume::parse_half_up(&text);
        let _ = Volume::parse_scientific(&text);
        let _ = Ratio::parse(&text);
    }
}
