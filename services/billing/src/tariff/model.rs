//! Tariffs as billing keeps them, pure: terms of a class, and the book that says which price a day has.

use std::{collections::BTreeSet, sync::Arc};

use calendar::NaiveDate;
use money::{UnitPrice, Volume};
use rating::{Boundary, Class, Commodity, Component, Household, MonthDay, Relief, ReliefRule, Rounding, Span, Tariff, Tier, TierYear, Tiers, Uplift};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{refusal::Refusal, words::words};

words! {
    /// To which tier year a usage period across its end belongs.
    pub enum BoundaryWord {
        /// To the one in which it is read.
        ReadingCycle "READING_CYCLE",
        /// Shared by days.
        DaySplit "DAY_SPLIT",
    }
}

words! {
    /// How low income is priced.
    pub enum LowIncomeWord {
        /// All volume at the price of the first tier.
        AllAtTier1 "ALL_AT_TIER_1",
        /// The third and further tiers at the price of the second.
        NoTier3 "NO_TIER_3",
    }
}

/// The prices of one class, as the database keeps them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    pub tiers: Vec<TierTerms>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low_income: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uplift: Option<UpliftTerms>,
}

/// One tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TierTerms {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_to: Option<Volume>,
    pub price: UnitPrice,
}

/// Wider tiers for larger households.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpliftTerms {
    pub from_persons: u16,
    pub plus: Volume,
    pub per_person: bool,
}

impl Terms {
    /// The class that the rating engine prices.
    ///
    /// # Errors
    /// TIERS where the bounds do not rise, the last tier is bounded or a price is negative.
    pub fn class(&self, name: &str) -> Result<Class, Refusal> {
        let tiers = self
            .tiers
            .iter()
            .map(|t| Tier {
                up_to: t.up_to,
                price: t.price,
                flat: UnitPrice::ZERO,
            })
            .collect();
        let tiers = Tiers::new(tiers).filter(Tiers::is_open).ok_or(Refusal::Tiers)?;
        let subsistence = match self.low_income.as_deref().and_then(LowIncomeWord::of) {
            Some(LowIncomeWord::AllAtTier1) => Some(ReliefRule::AllAtTier1),
            Some(LowIncomeWord::NoTier3) => Some(ReliefRule::NoTier3),
            None => None,
        };
        let uplift = self.uplift.map(|u| Uplift {
            from_persons: u.from_persons,
            plus: u.plus,
            per_person: u.per_person,
        });
        if uplift.is_some_and(|u| u.plus.is_negative()) {
            return Err(Refusal::Tiers);
        }
        Ok(Class {
            name: name.to_owned(),
            components: vec![Component::Graduated(tiers, Span::TierYear)],
            metered: None,
            household: Household { uplift, choice: None },
            relief: Relief { subsistence, destitute: None },
            aggregate_meters: false,
        })
    }
}

/// What a version says besides its prices.
#[derive(Clone, Debug)]
pub struct Version {
    pub name: String,
    pub from: NaiveDate,
    pub legal_basis: String,
    pub approved_by: String,
    pub year_start: (u32, u32),
    pub boundary: BoundaryWord,
}

impl Version {
    /// The tariff of one class, for the rating engine.
    ///
    /// # Errors
    /// TIERS as [`Terms::class`], also where the tier year starts on a day that not every year has.
    pub fn tariff(&self, class: &str, terms: &Terms) -> Result<Tariff, Refusal> {
        let (month, day) = self.year_start;
        let start = MonthDay::parse(&format!("{month:02}-{day:02}")).ok_or(Refusal::Tiers)?;
        let boundary = match self.boundary {
            BoundaryWord::ReadingCycle => Boundary::ReadingCycle,
            BoundaryWord::DaySplit => Boundary::DaySplit,
        };
        Ok(Tariff {
            name: self.name.clone(),
            commodity: Commodity::NaturalGas,
            effective_from: self.from,
            legal_basis: self.legal_basis.clone(),
            approved_by: self.approved_by.clone(),
            tier_year: Some(TierYear { start, boundary }),
            season: None,
            height_surcharge: None,
            rounding: Rounding::default(),
            tax: None,
            classes: vec![terms.class(class)?],
        })
    }
}

/// The price of one class between two days.
#[derive(Clone, Debug)]
pub struct Price {
    pub tariff_id: Uuid,
    pub class: String,
    pub from: NaiveDate,
    /// First day on which it is not in force any more.
    pub until: Option<NaiveDate>,
    pub tariff: Arc<Tariff>,
}

/// All prices of a commodity.
#[derive(Clone, Debug, Default)]
pub struct Book(Vec<Price>);

impl Book {
    pub fn new(prices: Vec<Price>) -> Self {
        Self(prices)
    }

    /// The price of a class on a day; a notice must stand behind it.
    pub fn price(&self, class: &str, day: NaiveDate) -> Option<&Price> {
        self.0
            .iter()
            .find(|p| p.class == class && p.from <= day && p.until.is_none_or(|until| day < until) && !p.tariff.legal_basis.trim().is_empty())
    }

    /// Days on which another price of the class begins.
    pub fn changes(&self, class: &str) -> BTreeSet<NaiveDate> {
        self.0
            .iter()
            .filter(|p| p.class == class)
            .flat_map(|p| [Some(p.from), p.until])
            .flatten()
            .collect()
    }
}

/// no price without a notice, an authority and publication.
///
/// # Errors
/// LEGAL_BASIS_MISSING.
pub fn rests_on_notice(legal_basis: &str, approved_by: &str, published: Option<NaiveDate>) -> Result<NaiveDate, Refusal> {
    let written = |text: &str| text.trim().chars().count() >= 4;
    published
        .filter(|_| written(legal_basis) && written(approved_by))
        .ok_or(Refusal::LegalBasisMissing)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use contracts::hearth::billing::v1 as proto;

    use super::*;

    fn tier(up_to: Option<&str>, price: &str) -> TierTerms {
        TierTerms {
            up_to: up_to.map(|t| t.parse().unwrap()),
            price: price.parse().unwrap(),
        }
    }

    fn day(y: i32, m: u32, d: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(y, m, d).unwrap()
    }

    #[test]
    fn words_are_those_of_the_contract() {
        let words: Vec<_> = BoundaryWord::ALL.iter().map(|w| (w.number(), w.code())).collect();
        testbed::assert_contract(&words, "BOUNDARY_", |n| proto::tariff::Boundary::try_from(n).ok().map(|v| v.as_str_name()));
        let words: Vec<_> = LowIncomeWord::ALL.iter().map(|w| (w.number(), w.code())).collect();
        testbed::assert_contract(&words, "LOW_INCOME_", |n| {
            proto::tariff_class::LowIncome::try_from(n).ok().map(|v| v.as_str_name())
        });
    }

    #[test]
    fn a_04_tariff_needs_notice_authority_and_publication() {
        let published = Some(day(2024, 8, 30));
        assert_eq!(rests_on_notice("津发改价综〔2020〕311号", "天津市发展改革委", published), Ok(day(2024, 8, 30)));
        assert_eq!(rests_on_notice("  ", "天津市发展改革委", published), Err(Refusal::LegalBasisMissing));
        assert_eq!(rests_on_notice("津发改价综〔2020〕311号", "", published), Err(Refusal::LegalBasisMissing));
        assert_eq!(
            rests_on_notice("津发改价综〔2020〕311号", "天津市发展改革委", None),
            Err(Refusal::LegalBasisMissing)
        );
    }

    #[test]
    fn tiers_rise_and_end_open() {
        let class = |tiers: Vec<TierTerms>| {
            Terms {
                tiers,
                low_income: None,
                uplift: None,
            }
            .class("living")
            .map(|_| ())
        };
        assert_eq!(class(vec![tier(Some("300"), "2.86"), tier(Some("600"), "3.36"), tier(None, "4.11")]), Ok(()));
        assert_eq!(class(vec![]), Err(Refusal::Tiers));
        assert_eq!(class(vec![tier(Some("300"), "2.86")]), Err(Refusal::Tiers));
        assert_eq!(
            class(vec![tier(Some("300"), "2.86"), tier(Some("300"), "3.36"), tier(None, "4.11")]),
            Err(Refusal::Tiers)
        );
        assert_eq!(class(vec![tier(None, "2.86"), tier(None, "4.11")]), Err(Refusal::Tiers));
        assert_eq!(class(vec![tier(None, "-2.86")]), Err(Refusal::Tiers));
    }

    #[test]
    fn every_day_has_exactly_one_price() {
        let version = |from, price: &str| {
            let version = Version {
                name: "T".to_owned(),
                from,
                legal_basis: "notice".to_owned(),
                approved_by: "authority".to_owned(),
                year_start: (1, 1),
                boundary: BoundaryWord::ReadingCycle,
            };
            Arc::new(
                version
                    .tariff(
                        "living",
                        &Terms {
                            tiers: vec![tier(None, price)],
                            low_income: None,
                            uplift: None,
                        },
                    )
                    .unwrap(),
            )
        };
        let price = |id, from, until, text: &str| Price {
            tariff_id: Uuid::from_u128(id),
            class: "living".to_owned(),
            from,
            until,
            tariff: version(from, text),
        };
        let book = Book::new(vec![
            price(1, day(2020, 10, 1), Some(day(2024, 9, 1)), "2.50"),
            price(2, day(2024, 9, 1), None, "2.86"),
        ]);
        assert!(book.price("living", day(2020, 9, 30)).is_none());
        assert_eq!(book.price("living", day(2024, 8, 31)).unwrap().tariff_id, Uuid::from_u128(1));
        assert_eq!(book.price("living", day(2024, 9, 1)).unwrap().tariff_id, Uuid::from_u128(2));
        assert!(book.price("boiler", day(2024, 9, 1)).is_none());
        assert_eq!(book.changes("living").into_iter().collect::<Vec<_>>(), [day(2020, 10, 1), day(2024, 9, 1)]);
    }
}
