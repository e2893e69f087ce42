//! The tariff files, and helpers for the other tests.

use chrono::NaiveDate;
use money::{Mode, Money, Ratio, UnitPrice, Volume};
use rating::{Boundary, Commodity, FlatChoice, Measure, MonthDay, Price, ReliefRule, Rounding, Season, Span, Tariff, Uplift, YearStart};

pub const BEIJING: &str = include_str!("../data/tariffs/cn_beijing_gas_2024.toml");
pub const SHANGHAI: &str = include_str!("../data/tariffs/cn_shanghai_gas_2014.toml");
pub const TAIAN: &str = include_str!("../data/tariffs/cn_taian_gas_2024.toml");
pub const TIANJIN: &str = include_str!("../data/tariffs/cn_tianjin_gas_2024.toml");
pub const BEIJING_HEAT: &str = include_str!("../data/tariffs/cn_beijing_heat.toml");
pub const TIANJIN_HEAT: &str = include_str!("../data/tariffs/cn_tianjin_heat.toml");

pub fn tariff(text: &str) -> Tariff {
    Tariff::from_toml(text).unwrap()
}

/// A gas tariff of one class "living" with calendar years; `rules` are further lines of the class.
pub fn living(tiers: &str, rules: &str) -> Tariff {
    tariff(&format!("{HEAD}[[class]]\nname = \"living\"\ntiers = {tiers}\n{rules}\n"))
}

pub const HEAD: &str = r#"name = "test"
commodity = "natural_gas"
currency = "CNY"
unit = "m3"
effective_from = "2024-01-01"
legal_basis = "test"
approved_by = "test"
model = "graduated_annual"
tier_year_start = "01-01"
"#;

pub fn cubic(metres: i64) -> Volume {
    Volume::from_cubic_metres(metres).unwrap()
}

pub fn yuan(text: &str) -> Money {
    text.parse().unwrap()
}

pub fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn price(text: &str) -> UnitPrice {
    text.parse().unwrap()
}

#[test]
fn all_files_hold_what_they_say() {
    let beijing = tariff(BEIJING);
    assert_eq!((beijing.commodity, beijing.effective_from), (Commodity::NaturalGas, day("2024-11-12")));
    assert_eq!(beijing.approved_by, "Beijing Municipal Commission of Development and Reform");
    assert_eq!(
        beijing.classes.iter().map(|class| class.name.as_str()).collect::<Vec<_>>(),
        [
            "general living",
            "wall-hung boiler heating",
            "rural coal-to-gas heating",
            "non-resident at resident price"
        ]
    );
    let Price::Graduated(tiers, Span::TierYear) = &beijing.class("general living").unwrap().components[0].price else {
        panic!("not graduated")
    };
    assert_eq!(
        tiers.as_slice().iter().map(|tier| (tier.up_to, tier.price)).collect::<Vec<_>>(),
        [(Some(cubic(350)), price("2.61")), (Some(cubic(500)), price("2.83")), (None, price("4.23"))]
    );
    assert_eq!(
        beijing.class("general living").unwrap().household.uplift,
        Some(Uplift {
            from_persons: 6,
            plus: cubic(150),
            per_person: false,
            first_tier_only: false,
            full_year: false
        })
    );
    assert_eq!(
        beijing.rounding,
        Rounding {
            mode: Mode::HalfUp,
            step: Money::from_fen(1)
        }
    );

    let shanghai = tariff(SHANGHAI);
    let living = shanghai.class("living").unwrap();
    assert!(living.aggregate_meters);
    assert_eq!(
        living.household.choice,
        Some(FlatChoice {
            from_persons: 7,
            price: price("3.05")
        })
    );
    assert_eq!(
        shanghai.tier_year.map(|year| (year.start, year.boundary)),
        Some((YearStart::On(MonthDay::parse("09-01").unwrap()), Boundary::ReadingCycle))
    );

    let taian = tariff(TAIAN);
    let relief = taian.class("living").unwrap().relief;
    assert_eq!(
        (relief.subsistence, relief.destitute),
        (Some(ReliefRule::NoTier3), Some(ReliefRule::FreePerMonth(cubic(6))))
    );

    let tianjin = tariff(TIANJIN);
    assert_eq!(tianjin.class("living").unwrap().relief.subsistence, Some(ReliefRule::AllAtTier1));
    assert_eq!(tianjin.class("living").unwrap().relief.destitute, Some(ReliefRule::AllAtTier1));
    // A kind that the notice does not name gets nothing.
    let one_kind = tariff(&TIANJIN.replacen("\"all_at_tier_1\"", "{ subsistence = \"no_tier_3\" }", 1));
    let relief = one_kind.class("living").unwrap().relief;
    assert_eq!((relief.subsistence, relief.destitute), (Some(ReliefRule::NoTier3), None));
    assert_eq!(tianjin.tier_year.map(|year| year.boundary), Some(Boundary::DaySplit));

    let heat = tariff(BEIJING_HEAT);
    assert_eq!(heat.commodity, Commodity::Heat);
    assert_eq!(
        heat.season,
        Some(Season {
            start: MonthDay::parse("11-15").unwrap(),
            end: MonthDay::parse("03-15").unwrap()
        })
    );
    assert_eq!(
        heat.height_surcharge.map(|rule| (rule.above, rule.per_metre)),
        Some((Ratio::new(4, 1).unwrap(), Ratio::new(1, 8).unwrap()))
    );
    let boiler = heat.class("resident, gas or oil or electric boiler").unwrap();
    assert_eq!(boiler.components, [Price::Unit(Measure::Area, price("30")).into()]);
    assert_eq!(
        boiler.metered,
        Some(vec![
            Price::Unit(Measure::Area, price("18")).into(),
            Price::Unit(Measure::Energy, price("0.16")).into()
        ])
    );
    assert_eq!(heat.class("non-resident, other districts").unwrap().metered, None);

    assert_eq!(
        tariff(TIANJIN_HEAT).class("non-resident").unwrap().components,
        [Price::Unit(Measure::Area, price("40")).into()]
    );
}

#[test]
fn other_models_are_files_too() {
    let file = |model: &str, body: &str| {
        let head = HEAD
            .replace("graduated_annual", model)
            .replace("tier_year_start = \"01-01\"\n", "rounding = \"floor_1_once_per_bill\"\ntax_percent = \"10\"\n");
        tariff(&format!("{head}[[class]]\nname = \"c\"\n{body}"))
            .plan("c", &rating::Profile::default())
            .unwrap()
    };
    // Heiwa Gas, the case J-11: (1900 + 3 × 670) × 1.1 = 4301, whole yen as yuan.
    assert_eq!(
        file(
            "graduated",
            "base = \"1900\"\ntiers = [{ up_to = \"20\", price = \"670\" }, { price = \"660\" }]"
        )
        .rate(None, cubic(3))
        .unwrap()
        .total,
        yuan("4301")
    );
    assert_eq!(
        file("unit", "base = \"1056.00\"\nprice = \"130.46\"").rate(None, cubic(30)).unwrap().total,
        yuan("5466")
    );
    assert_eq!(
        file("volume", "tiers = [{ up_to = \"15\", price = \"10\", flat = \"5\" }, { price = \"5\" }]")
            .rate(None, cubic(16))
            .unwrap()
            .total,
        yuan("88")
    );
}

#[test]
fn wrong_files_are_refused_with_the_place_and_a_reason() {
    let swap = |from: &str, to: &str| {
        assert!(TIANJIN.contains(from), "{from}");
        Tariff::from_toml(&TIANJIN.replacen(from, to, 1))
            .map(|_| ())
            .map_err(|error| (error.field, error.reason))
    };
    let refused = |field: &str, reason: &'static str| Err((field.to_owned(), reason));
    assert_eq!(swap("currency = \"CNY\"", "currency = \"USD\""), refused("currency", "CURRENCY"));
    assert_eq!(swap("2024-09-01", "2024-02-30"), refused("effective_from", "DATE"));
    assert_eq!(swap("2024-09-01", "2024-9-1"), refused("effective_from", "DATE"));
    assert_eq!(swap("01-01\"\nrounding", "02-29\"\nrounding"), refused("tier_year_start", "DATE"));
    assert_eq!(swap("tier_year_start = \"01-01\"", ""), refused("tier_year_start", "MODEL"));
    assert_eq!(swap("natural_gas", "coal"), refused("commodity", "MODEL"));
    assert_eq!(swap("natural_gas", "heat"), refused("unit", "MODEL"));
    assert_eq!(swap("unit = \"m3\"", "unit = \"kg\""), refused("unit", "MODEL"));
    assert_eq!(swap("\"graduated_annual\"", "\"unit\""), refused("tier_year_start", "MODEL"));
    assert_eq!(swap("half_up_0.01_once_per_bill", "half_even_0.01_once_per_bill"), refused("rounding", "RULE"));
    assert_eq!(swap("half_up_0.01_once_per_bill", "half_up_0.00_once_per_bill"), refused("rounding", "RULE"));
    assert_eq!(swap("\"independent heating\"", "\"living\""), refused("class[1].name", "CLASS"));
    assert_eq!(swap("up_to = \"600\"", "up_to = \"300\""), refused("class[0].tiers", "TIERS"));
    assert_eq!(swap("up_to = \"300\"", "up_to = \"0\""), refused("class[0].tiers", "TIERS"));
    assert_eq!(
        swap("{ price = \"4.11\" }", "{ up_to = \"900\", price = \"4.11\" }"),
        refused("class[0].tiers", "TIERS")
    );
    assert_eq!(swap("{ price = \"4.11\" }", "{ price = \"-4.11\" }"), refused("class[0].tiers", "TIERS"));
    assert_eq!(swap("tiers = [{ price = \"2.89\" }]", "price = \"2.89\""), refused("class[2]", "CLASS"));
    assert_eq!(swap("tiers = [{ price = \"2.89\" }]", "tiers = []"), refused("class[2].tiers", "TIERS"));
    assert_eq!(
        swap("low_income = \"all_at_tier_1\"", "household = { from_persons = 6 }"),
        refused("class[0].household", "RULE")
    );
    assert_eq!(
        swap("low_income = \"all_at_tier_1\"", "household = { choice_from_persons = 6 }"),
        refused("class[0].household", "RULE")
    );
    assert_eq!(
        swap(
            "low_income = \"all_at_tier_1\"",
            "low_income = { destitute = { free_per_month = \"0\", at = \"tier_1\" } }"
        ),
        refused("class[0].low_income", "RULE")
    );
    for (from, to) in [
        ("\"2.86\"", "2.86"),
        ("\"2.86\"", "\"2.8600001\""),
        ("\"2.86\"", "\"２.86\""),
        ("\"2.86\"", "\"2,86\""),
        ("\"2.86\"", "\"2.86e0\""),
        ("legal_basis", "basis"),
        ("low_income = \"all_at_tier_1\"", "low_income = \"half\""),
        ("[[class]]", "[[klass]]"),
        ("name = ", "name : "),
    ] {
        assert_eq!(swap(from, to), refused("", "TARIFF_FORMAT"), "{to}");
    }
    assert_eq!(Tariff::from_toml("").unwrap_err().reason, "TARIFF_FORMAT");
}
