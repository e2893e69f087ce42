//! One bill, priced as the bill run prices it.

use calendar::NaiveDate;
use money::Volume;
use rating::{Book, Ledger, Leg, Period, Profile, Rated, RatingError, Segment, Tariff, Terms, Usage, rate};

/// What is to be priced.
pub struct Use {
    /// Whose it is; empty where nobody said.
    pub account: String,
    /// Day of the reading before, and day of the reading that ends it.
    pub period: Option<(NaiveDate, NaiveDate)>,
    pub volume: Volume,
    pub profile: Profile,
    /// Months whose free volume comes with a volume without days.
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
    /// Prices a volume without days on from what the ledger has of the tier year, and enters it there.
    ///
    /// # Errors
    /// What rating refuses, such as a standing charge that needs days.
    pub fn of_volume(tariff: &Tariff, class: &str, usage: Use, ledger: &mut Ledger) -> Result<Self, RatingError> {
        let plan = tariff.plan(class, &usage.profile)?;
        let year = tariff.tier_year_of(tariff.effective_from);
        let segment = Segment {
            free_months: usage.free_months,
            ..Segment::new(&plan, year, Usage::volume(usage.volume))
        };
        let rated = rate(&[segment], ledger)?;
        ledger.clone_from(&rated.ledger);
        Ok(Self {
            usage,
            rated,
            years: vec![year],
        })
    }

    /// Prices the use of a period as a bill run does: cut where a version or a tier year begins, on from what the ledger has.
    ///
    /// # Errors
    /// What rating refuses, such as days out of order.
    pub fn of_period(book: &Book, class: &str, usage: Use, (from, to): (NaiveDate, NaiveDate), ledger: &mut Ledger) -> Result<Self, RatingError> {
        let terms = Terms::always(class, &usage.profile);
        let legs = [Leg {
            from,
            to,
            volume: usage.volume,
            ..Leg::default()
        }];
        let period = Period {
            terms: &terms,
            book,
            legs: &legs,
            read: to,
            read_months: None,
            degree_days: None,
            ledger,
        };
        let priced = period.price()?;
        let years = priced.parts.iter().map(|part| part.tier_year).collect();
        let rated = priced.rated;
        ledger.clone_from(&rated.ledger);
        Ok(Self { usage, rated, years })
    }
}
