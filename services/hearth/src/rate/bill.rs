//! One bill, priced as the bill run prices it.

use calendar::NaiveDate;
use money::Volume;
use rating::{Ledger, Profile, Rated, RatingError, Segment, Tariff, Usage, rate};

/// What is to be priced.
pub struct Use {
    /// Whose it is; empty where nobody said.
    pub account: String,
    /// Day of the reading before, and day of the reading that ends it.
    pub period: Option<(NaiveDate, NaiveDate)>,
    pub volume: Volume,
    pub profile: Profile,
    /// Months whose free volume comes with it.
    pub free_months: u8,
}

/// A bill with its lines.
pub struct Bill {
    pub usage: Use,
    pub rated: Rated,
    /// Tier year of each usage period, in the order of the segments of the lines.
    pub years: Vec<i32>,
}

impl Bill {
    /// Prices a use on from what the ledger has of its tier years, and enters it there.
    ///
    /// # Errors
    /// What rating refuses, such as days out of order.
    pub fn rate(tariff: &Tariff, class: &str, usage: Use, ledger: &mut Ledger) -> Result<Self, RatingError> {
        let plan = tariff.plan(class, &usage.profile)?;
        let parts: Vec<(i32, Volume)> = match usage.period {
            // The tier year's end cuts a period as the tariff's boundary wants it.
            Some((from, to)) => tariff
                .usage_periods(from, to, usage.volume)?
                .into_iter()
                .map(|period| (period.tier_year, period.part.volume))
                .collect(),
            None => vec![(tariff.tier_year_of(tariff.effective_from), usage.volume)],
        };
        let segments: Vec<_> = (1..)
            .zip(&parts)
            .map(|(number, (tier_year, volume))| Segment {
                plan: &plan,
                tier_year: *tier_year,
                usage: Usage::volume(*volume),
                free_months: if number == parts.len() { usage.free_months } else { 0 },
            })
            .collect();
        let rated = rate(&segments, ledger)?;
        ledger.clone_from(&rated.ledger);
        Ok(Self {
            usage,
            rated,
            years: parts.into_iter().map(|(year, _)| year).collect(),
        })
    }
}
