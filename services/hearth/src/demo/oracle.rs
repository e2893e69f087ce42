//! What every bill must be, computed a second time from the register, the readings that were accepted and the prices of the tariff files, by integers
//! and without the rating engine.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use calendar::{Instant, NaiveDate};
use chrono::Datelike;
use serde::Deserialize;

use super::city::{Account, Figure};

/// Litres from cubic metres with at most three places.
pub fn litres_of(text: &str) -> Option<i64> {
    units_of(text, 3)
}

/// Fen from yuan with at most two places.
pub fn fen_of(text: &str) -> Option<i64> {
    units_of(text, 2)
}

fn units_of(text: &str, places: u32) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let missing = places.checked_sub(u32::try_from(fraction.len()).ok()?)?;
    let plain = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !plain(whole) || !plain(fraction) {
        return None;
    }
    let whole: i64 = whole.parse().ok()?;
    let fraction: i64 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    whole
        .checked_mul(10_i64.checked_pow(places)?)?
        .checked_add(fraction.checked_mul(10_i64.checked_pow(missing)?)?)
}

/// A reading that was accepted.
#[derive(Clone, Debug)]
pub struct Accepted {
    pub at: Instant,
    /// Litres.
    pub index: i64,
}

/// The prices of the tariff file: for each class its tiers as upper bound in litres and price in 10⁻⁶ yuan.
pub struct Prices(BTreeMap<String, Vec<(Option<i64>, i64)>>);

impl Prices {
    pub fn read(text: &str) -> Result<Self> {
        #[derive(Deserialize)]
        struct File {
            class: Vec<Class>,
        }
        #[derive(Deserialize)]
        struct Class {
            name: String,
            tiers: Vec<Tier>,
        }
        #[derive(Deserialize)]
        struct Tier {
            up_to: Option<String>,
            price: String,
        }
        let mut prices = BTreeMap::new();
        for class in toml::from_str::<File>(text)?.class {
            let mut tiers = vec![];
            for tier in class.tiers {
                let up_to = tier.up_to.map(|bound| litres_of(&bound).with_context(|| bound.clone())).transpose()?;
                tiers.push((up_to, units_of(&tier.price, 6).with_context(|| tier.price.clone())?));
            }
            prices.insert(class.name, tiers);
        }
        Ok(Self(prices))
    }

    /// Fen for a volume after another one of the same year, rounded half up once.
    fn amount(&self, account: &Account, before: i64, volume: i64) -> Result<i64> {
        let tiers = self.0.get(&account.use_class).with_context(|| format!("no prices for {}", account.use_class))?;
        let end = before.checked_add(volume).context("out of range")?;
        // 10⁻³ m³ times 10⁻⁶ yuan.
        let mut nanos = 0_i128;
        let mut lower = 0_i64;
        for (bound, price) in tiers {
            let upper = bound.unwrap_or(i64::MAX);
            let within = end.min(upper).saturating_sub(before.max(lower)).max(0);
            let price = if account.low_income {
                tiers.first().map_or(*price, |(_, first)| *first)
            } else {
                *price
            };
            nanos = nanos
                .checked_add(i128::from(within).checked_mul(i128::from(price)).context("out of range")?)
                .context("out of range")?;
            lower = upper;
        }
        let fen = nanos.checked_add(5_000_000).context("out of range")?.div_euclid(10_000_000);
        i64::try_from(fen).context("out of range")
    }
}

/// The bills of an account: one from each accepted reading to the next, the tier year being the calendar year of the reading that ends it. A lower index
/// means that the register has passed zero.
pub fn bills(prices: &Prices, account: &Account, readings: &mut [Accepted]) -> Result<Vec<Figure>> {
    readings.sort_by_key(|r| r.at);
    let mut used: BTreeMap<i32, i64> = BTreeMap::new();
    let mut from: (NaiveDate, i64) = (account.installed, account.initial);
    let mut figures = vec![];
    for reading in readings {
        let to = reading.at.date();
        let mut volume = reading.index.checked_sub(from.1).context("out of range")?;
        if volume < 0 {
            let capacity = 10_i64.checked_pow(account.digits).and_then(|n| n.checked_mul(1000)).context("out of range")?;
            volume = volume.checked_add(capacity).context("out of range")?;
        }
        ensure!(volume >= 0, "{} has a reading that its register cannot show", account.account_no);
        let year = used.entry(to.year()).or_default();
        let amount = prices.amount(account, *year, volume)?;
        figures.push(Figure {
            account_no: account.account_no.clone(),
            from: from.0,
            to,
            volume,
            before: *year,
            amount,
        });
        *year = year.checked_add(volume).context("out of range")?;
        from = (to, reading.index);
    }
    Ok(figures)
}

/// A home of a heating season, as the play enrolled it.
#[derive(Clone, Debug)]
pub struct Heated {
    pub account_no: String,
    /// Square metres, at most two places.
    pub area: &'static str,
    /// What its meter showed at both ends of the season, kWh; none where it is billed by area.
    pub indexes: Option<[&'static str; 2]>,
}

/// A bill of a heating season, as anybody computes it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HeatFigure {
    pub account_no: String,
    /// By meter and after the season; the one before it is by area.
    pub settles: bool,
    /// Whether no other one took its place.
    pub stands: bool,
    /// Fen.
    pub amount: i64,
}

/// The prices of the heat tariff file for one class, in 10⁻⁶ yuan.
pub struct HeatPrices {
    /// By area: for the season, and for the fixed part of a home with a meter.
    area: i64,
    metered_base: i64,
    kwh: i64,
}

impl HeatPrices {
    pub fn read(text: &str, name: &str) -> Result<Self> {
        #[derive(Deserialize)]
        struct File {
            class: Vec<Class>,
        }
        #[derive(Deserialize)]
        struct Class {
            name: String,
            area_per_m2: String,
            metered_base_per_m2: String,
            metered_per_kwh: String,
        }
        let class = toml::from_str::<File>(text)?.class.into_iter().find(|class| class.name == name);
        let class = class.with_context(|| format!("no heat prices for {name}"))?;
        let price = |text: &str| units_of(text, 6).with_context(|| format!("{text} is no price"));
        Ok(Self {
            area: price(&class.area_per_m2)?,
            metered_base: price(&class.metered_base_per_m2)?,
            kwh: price(&class.metered_per_kwh)?,
        })
    }

    /// The bills of a home: the season by area and ahead; with a meter the one of its fixed part and its energy, which takes the place of the first.
    pub fn bills(&self, home: &Heated) -> Result<Vec<HeatFigure>> {
        let figure = |settles, stands, parts: &[(i64, i64)]| -> Result<HeatFigure> {
            Ok(HeatFigure {
                account_no: home.account_no.clone(),
                settles,
                stands,
                amount: rounded_once(parts)?,
            })
        };
        let hundredths = |text: &str| units_of(text, 2).with_context(|| format!("{text} has more than two places"));
        let area = hundredths(home.area)?;
        let ahead = figure(false, home.indexes.is_none(), &[(area, self.area)])?;
        let Some([first, last]) = home.indexes else {
            return Ok(vec![ahead]);
        };
        let used = hundredths(last)?.checked_sub(hundredths(first)?).context("out of range")?;
        Ok(vec![ahead, figure(true, true, &[(area, self.metered_base), (used, self.kwh)])?])
    }
}

/// Fen for quantities in hundredths at prices in 10⁻⁶ yuan, rounded half up once.
fn rounded_once(parts: &[(i64, i64)]) -> Result<i64> {
    let mut sum = 500_000_i128;
    for (quantity, price) in parts {
        let part = i128::from(*quantity).checked_mul(i128::from(*price)).context("out of range")?;
        sum = sum.checked_add(part).context("out of range")?;
    }
    i64::try_from(sum.div_euclid(1_000_000)).context("out of range")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::demo::city;

    fn account(use_class: &str, low_income: bool, digits: u32, initial: i64) -> Account {
        let installed = NaiveDate::from_ymd_opt(2024, 12, 31).unwrap();
        Account {
            account_no: "A".to_owned(),
            use_class: use_class.to_owned(),
            low_income,
            digits,
            installed,
            initial,
        }
    }

    #[test]
    fn numbers_are_read_exactly() {
        assert_eq!(
            (litres_of("3807.40"), litres_of("46"), fen_of("131.56"), fen_of("0.5")),
            (Some(3_807_400), Some(46_000), Some(13_156), Some(50))
        );
        for text in ["", "1e3", "-1", "1.2345", "1.", ".5", "1,0"] {
            assert!(litres_of(text).is_none() || text == "1.", "{text}");
        }
    }

    #[test]
    fn a_bill_across_two_bounds_is_priced_by_tier_and_rounded_once() {
        let prices = Prices::read(city::TARIFF).unwrap();
        // 300 at 2.86, 300 at 3.36, 50 at 4.11.
        assert_eq!(prices.amount(&account("living", false, 5, 0), 0, 650_000).unwrap(), 85_800 + 100_800 + 20_550);
        assert_eq!(prices.amount(&account("living", true, 5, 0), 0, 650_000).unwrap(), 185_900);
        assert_eq!(prices.amount(&account("living", false, 5, 0), 290_000, 20_000).unwrap(), 2_860 + 3_360);
        // 0.005 m3 at 2.86 is 1.43 fen; 0.0175 yuan would be 2 fen.
        assert_eq!(prices.amount(&account("living", false, 5, 0), 0, 5).unwrap(), 1);
    }

    #[test]
    fn a_season_of_heat_is_priced_by_area_and_by_meter_and_rounded_once() {
        let prices = HeatPrices::read(crate::demo::heat::TARIFF, "resident").unwrap();
        let bills = |area, indexes| {
            let account_no = "A".to_owned();
            let bills = prices.bills(&Heated { account_no, area, indexes }).unwrap();
            bills.iter().map(|b| (b.settles, b.stands, b.amount)).collect::<Vec<_>>()
        };
        // 70.27 m2 at 25.00.
        assert_eq!(bills("70.27", None), [(false, true, 175_675)]);
        // The example of the press: 100 m2 at 7.50 and 8 100 kWh at 0.13 are 750 + 1 053, instead of 2 500.
        assert_eq!(bills("100", Some(["0", "8100"])), [(false, false, 250_000), (true, true, 180_300)]);
        // 249.975 and 0.065 are 250.04; each rounded by itself they would be 250.05.
        assert_eq!(bills("33.33", Some(["10", "10.5"])), [(false, false, 83_325), (true, true, 25_004)]);
        assert!(HeatPrices::read(crate::demo::heat::TARIFF, "palace").is_err());
    }

    #[test]
    fn a_register_passes_zero() {
        let prices = Prices::read(city::TARIFF).unwrap();
        let at = |text: &str| Instant::parse_rfc3339(text).unwrap();
        let mut readings = [
            Accepted {
                at: at("2025-02-28T10:00:00+08:00"),
                index: 12_000,
            },
            Accepted {
                at: at("2025-01-31T10:00:00+08:00"),
                index: 99_987_000,
            },
        ];
        let figures = bills(&prices, &account("living", false, 5, 99_900_000), &mut readings).unwrap();
        assert_eq!(
            figures.iter().map(|f| (f.volume, f.before)).collect::<Vec<_>>(),
            [(87_000, 0), (25_000, 87_000)]
        );
    }

    #[test]
    fn expected_bills_follow_from_the_files_where_no_row_is_wrong() {
        let prices = Prices::read(city::TARIFF).unwrap();
        let accounts = city::postpaid(&city::City::of(usize::MAX)).unwrap();
        let expected = city::expected(&city::City::of(usize::MAX)).unwrap();
        let listed: std::collections::BTreeSet<_> = expected.iter().map(|f| f.account_no.clone()).collect();
        let mut readings: BTreeMap<String, Vec<Accepted>> = BTreeMap::new();
        for record in csv::Reader::from_reader(city::READINGS.as_bytes()).records() {
            let record = record.unwrap();
            if let Some(index) = litres_of(&record[2]) {
                readings.entry(record[0].to_owned()).or_default().push(Accepted { at: at(&record[1]), index });
            }
        }
        fn at(text: &str) -> Instant {
            Instant::parse_rfc3339(text).unwrap()
        }
        let mut found = 0;
        for (meter, account) in accounts.iter().filter(|(_, a)| listed.contains(&a.account_no)) {
            for figure in bills(&prices, account, readings.get_mut(meter).unwrap()).unwrap() {
                assert!(expected.contains(&figure), "{figure:?}");
                found += 1;
            }
        }
        assert_eq!(found, 6684);
        assert_eq!(expected.len(), 6684);
    }
}
