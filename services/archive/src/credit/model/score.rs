//! The scoring model: weights and bands are data, sums are exact fractions, and grades are decided before anything is rounded.

use super::Grade;
use crate::{refusal::Refusal, words};

words! {
    /// What is scored.
    pub enum Factor {
        /// Share of what was due that was paid on time.
        OnTimePayment "ON_TIME_PAYMENT",
        /// Days overdue, weighted by amount.
        DaysOverdue "DAYS_OVERDUE",
        /// Share of the obligations that was performed.
        ContractPerformance "CONTRACT_PERFORMANCE",
        /// Completeness of the credit file.
        FileCompleteness "FILE_COMPLETENESS",
        /// Evenness of the delivering months.
        ConsumptionStability "CONSUMPTION_STABILITY",
        /// Years of supply.
        YearsOfSupply "YEARS_OF_SUPPLY",
        /// What the world outside says.
        ExternalSignals "EXTERNAL_SIGNALS",
    }
}

words! {
    /// What the world outside says.
    pub enum Signal {
        /// Nothing.
        None "NONE",
        /// Something to watch.
        Watch "WATCH",
        /// Something grave.
        Grave "GRAVE",
    }
}

/// Whole points of a model; 90.00 points are 9000 centipoints.
const WHOLE: i64 = 100;
/// Days overdue on average that cost all points of the factor: 15 points less 1 per 2 days.
const DAYS_FOR_NOTHING: i128 = 30;
/// Years of supply that give all points.
const YEARS_FOR_ALL: i64 = 5;

/// What a grade needs and is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Band {
    /// The grade.
    pub grade: Grade,
    /// The points must be above this, centipoints.
    pub above: i64,
    /// Least risk factor, basis points.
    pub least_bp: i32,
    /// Largest risk factor, basis points.
    pub largest_bp: i32,
}

/// A version of the scoring model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// Points that each factor can give.
    pub weights: Vec<(Factor, i32)>,
    /// Bands, best grade first.
    pub bands: Vec<Band>,
}

impl Model {
    /// Checks a version: seven factors once each that sum up to 100, five grades in order with falling thresholds.
    ///
    /// # Errors
    /// [`Refusal::ModelWeights`], [`Refusal::ModelBands`].
    pub fn check(&self) -> Result<(), Refusal> {
        let sum: i64 = self.weights.iter().map(|(_, points)| i64::from(*points)).sum();
        let once = Factor::ALL.iter().all(|f| self.weights.iter().filter(|(factor, _)| factor == f).count() == 1);
        if !once || sum != WHOLE || self.weights.len() != Factor::ALL.len() || self.weights.iter().any(|(_, points)| *points < 0) {
            return Err(Refusal::ModelWeights);
        }
        let grades: Vec<_> = self.bands.iter().map(|b| b.grade).collect();
        let falling = self
            .bands
            .iter()
            .zip(self.bands.iter().skip(1))
            .all(|(better, worse)| better.above > worse.above || worse.grade == Grade::C);
        let in_range = self
            .bands
            .iter()
            .all(|b| (0..=10_000).contains(&b.above) && b.least_bp >= 0 && b.least_bp <= b.largest_bp && b.largest_bp <= 30_000);
        // B-04: C gives no credit.
        let nothing = self.bands.iter().all(|b| b.grade != Grade::C || b.largest_bp == 0);
        if grades == Grade::ALL && falling && in_range && nothing {
            Ok(())
        } else {
            Err(Refusal::ModelBands)
        }
    }

    /// The band of a grade.
    pub fn band(&self, grade: Grade) -> Option<Band> {
        self.bands.iter().copied().find(|b| b.grade == grade)
    }

    /// B-01: the grade of a sum of points; a threshold must be passed, so that exactly 90.00 is AA.
    pub fn grade(&self, total: Fraction) -> Grade {
        let passed = self.bands.iter().find(|b| b.grade != Grade::C && total.exceeds(b.above));
        passed.map_or(Grade::C, |b| b.grade)
    }
}

/// What is known about a party, all exact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measures {
    /// Fen that were due in the last twelve months.
    pub due: i64,
    /// Fen of them that were paid on time.
    pub on_time: i64,
    /// Days late times fen, over what was due.
    pub late: i128,
    /// Obligations that fell due.
    pub agreed: i64,
    /// Those that were performed.
    pub performed: i64,
    /// Completeness of the credit file, basis points.
    pub completeness_bp: i64,
    /// Fen of each delivering month.
    pub months: Vec<i64>,
    /// Whole years of supply.
    pub years: i64,
    /// What the world outside says.
    pub signal: Signal,
}

impl Measures {
    /// B-02: whether less than 75 % was performed. Exactly 75 % is enough.
    pub fn performs_too_little(&self) -> bool {
        i128::from(self.performed).saturating_mul(100) < i128::from(self.agreed).saturating_mul(75)
    }

    /// The share of a factor's points, between 0 and 1. Nothing due means nothing late.
    fn share(&self, factor: Factor) -> Option<Fraction> {
        let due = i128::from(self.due);
        match factor {
            Factor::OnTimePayment | Factor::DaysOverdue if due == 0 => Some(Fraction::ONE),
            Factor::OnTimePayment => Fraction::new(i128::from(self.on_time), due),
            Factor::DaysOverdue => {
                let most = due.checked_mul(DAYS_FOR_NOTHING)?;
                Fraction::new(most.checked_sub(self.late)?.max(0), most)
            }
            Factor::ContractPerformance => Fraction::new(i128::from(self.performed), i128::from(self.agreed)),
            Factor::FileCompleteness => Fraction::new(i128::from(self.completeness_bp.clamp(0, 10_000)), 10_000),
            Factor::ConsumptionStability => Fraction::new(10_i128.checked_sub(tenths_of_variation(&self.months)?)?, 10),
            Factor::YearsOfSupply => Fraction::new(i128::from(self.years.clamp(0, YEARS_FOR_ALL)), i128::from(YEARS_FOR_ALL)),
            Factor::ExternalSignals => match self.signal {
                Signal::None => Some(Fraction::ONE),
                Signal::Watch => Fraction::new(1, 2),
                Signal::Grave => Fraction::new(0, 1),
            },
        }
    }

    /// Points by factor, in the order of the weights, and their sum. None where a number does not fit.
    pub fn score(&self, model: &Model) -> Option<(Vec<(Factor, Fraction)>, Fraction)> {
        let mut scores = vec![];
        let mut total = Fraction::new(0, 1)?;
        for (factor, points) in &model.weights {
            let score = self.share(*factor)?.times(i128::from(*points))?;
            total = total.plus(score)?;
            scores.push((*factor, score));
        }
        Some((scores, total))
    }
}

/// Whole tenths in the coefficient of variation of the months, 10 at most: each costs a tenth of the points. Compared as squares, so that no
/// root is drawn.
fn tenths_of_variation(months: &[i64]) -> Option<i128> {
    let count = i128::try_from(months.len()).ok()?;
    let sum: i128 = months.iter().map(|m| i128::from(*m)).sum();
    if count < 2 || sum <= 0 {
        return Some(0);
    }
    let mut squares: i128 = 0;
    for month in months {
        squares = squares.checked_add(i128::from(*month).checked_mul(i128::from(*month))?)?;
    }
    let square = sum.checked_mul(sum)?;
    // Variance / mean² = (n Σx² − (Σx)²) / (Σx)².
    let spread = count.checked_mul(squares)?.checked_sub(square)?.checked_mul(100)?;
    let mut tenths = 0;
    for next in 1..=10_i128 {
        if next.checked_mul(next)?.checked_mul(square)? > spread {
            break;
        }
        tenths = next;
    }
    Some(tenths)
}

/// An exact fraction that is not negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fraction {
    upper: i128,
    lower: i128,
}

impl Fraction {
    const ONE: Self = Self { upper: 1, lower: 1 };

    /// The fraction in lowest terms; none for a lower part that is not positive.
    pub fn new(upper: i128, lower: i128) -> Option<Self> {
        if lower <= 0 || upper < 0 {
            return None;
        }
        let (mut a, mut b) = (upper, lower);
        while b != 0 {
            (a, b) = (b, a.checked_rem(b)?);
        }
        Some(Self {
            upper: upper.checked_div(a)?,
            lower: lower.checked_div(a)?,
        })
    }

    fn plus(self, other: Self) -> Option<Self> {
        let upper = self.upper.checked_mul(other.lower)?.checked_add(other.upper.checked_mul(self.lower)?)?;
        Self::new(upper, self.lower.checked_mul(other.lower)?)
    }

    fn times(self, whole: i128) -> Option<Self> {
        Self::new(self.upper.checked_mul(whole)?, self.lower)
    }

    /// Whether it is more than so many hundredths.
    pub fn exceeds(self, hundredths: i64) -> bool {
        let left = self.upper.checked_mul(100);
        let right = self.lower.checked_mul(i128::from(hundredths));
        // Points are at most 100, so a left side that does not fit stands against a right side that does not either.
        left.zip(right).is_some_and(|(left, right)| left > right)
    }

    /// Hundredths, cut off.
    pub fn hundredths(self) -> i64 {
        let whole = self.upper.checked_mul(100).and_then(|upper| upper.checked_div(self.lower));
        whole.and_then(|n| i64::try_from(n).ok()).unwrap_or(0)
    }
}

/// Hundredths as text: `90.01`.
pub fn points_text(hundredths: i64) -> String {
    format!("{}.{:02}", hundredths.div_euclid(100), hundredths.rem_euclid(100))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn shipped() -> Model {
        use Factor::{ConsumptionStability, ContractPerformance, DaysOverdue, ExternalSignals, FileCompleteness, OnTimePayment, YearsOfSupply};
        let band = |grade, above, least_bp, largest_bp| Band {
            grade,
            above,
            least_bp,
            largest_bp,
        };
        Model {
            weights: vec![
                (OnTimePayment, 35),
                (DaysOverdue, 15),
                (ContractPerformance, 15),
                (FileCompleteness, 10),
                (ConsumptionStability, 10),
                (YearsOfSupply, 5),
                (ExternalSignals, 10),
            ],
            bands: vec![
                band(Grade::Aaa, 9000, 15_000, 30_000),
                band(Grade::Aa, 8000, 10_000, 10_000),
                band(Grade::A, 7000, 8000, 8000),
                band(Grade::B, 6000, 6000, 6000),
                band(Grade::C, 0, 0, 0),
            ],
        }
    }

    fn best() -> Measures {
        Measures {
            due: 100_000,
            on_time: 100_000,
            late: 0,
            agreed: 100,
            performed: 100,
            completeness_bp: 10_000,
            months: vec![100, 100, 100],
            years: 7,
            signal: Signal::None,
        }
    }

    fn total(measures: &Measures) -> Fraction {
        measures.score(&shipped()).unwrap().1
    }

    #[test]
    fn b_01_exactly_90_is_aa_and_a_hundredth_more_is_aaa() {
        let model = shipped();
        for (hundredths, grade) in [
            (9001, Grade::Aaa),
            (9000, Grade::Aa),
            (8001, Grade::Aa),
            (8000, Grade::A),
            (7001, Grade::A),
            (7000, Grade::B),
            (6001, Grade::B),
            (6000, Grade::C),
            (0, Grade::C),
        ] {
            assert_eq!(model.grade(Fraction::new(hundredths, 100).unwrap()), grade, "{hundredths}");
        }
        // Unrounded: the smallest excess decides, although it shows as 90.00.
        let hair = Fraction::new(90_000_000_001, 1_000_000_000).unwrap();
        assert_eq!((model.grade(hair), points_text(hair.hundredths())), (Grade::Aaa, "90.00".to_owned()));
    }

    #[test]
    fn b_01_each_factor_by_hand() {
        assert_eq!(total(&best()).hundredths(), 10_000);
        let of = |change: &dyn Fn(&mut Measures)| {
            let mut measures = best();
            change(&mut measures);
            total(&measures).hundredths()
        };
        // Half paid on time: 17.50 less.
        assert_eq!(of(&|m| m.on_time = 50_000), 8250);
        // All ten days late: 15 − 5.
        assert_eq!(of(&|m| m.late = 1_000_000), 9500);
        // Forty days late on average: no less than nothing.
        assert_eq!(of(&|m| m.late = 4_000_000), 8500);
        // 80 of 100 performed: 15 × 20 % less.
        assert_eq!(of(&|m| m.performed = 80), 9700);
        assert_eq!(of(&|m| m.completeness_bp = 8000), 9800);
        // 100, 300: mean 200, deviation 100, variation 0.5: five tenths less.
        assert_eq!(of(&|m| m.months = vec![100, 300]), 9500);
        assert_eq!(of(&|m| m.months = vec![100]), 10_000);
        assert_eq!(of(&|m| m.years = 3), 9800);
        assert_eq!(of(&|m| m.signal = Signal::Watch), 9500);
        assert_eq!(of(&|m| m.signal = Signal::Grave), 9000);
        // Nothing was due: nothing was late.
        assert_eq!(of(&|m| (m.due, m.on_time) = (0, 0)), 10_000);
        // A third of 35 shows as 11.66.
        let mut measures = best();
        (measures.due, measures.on_time) = (3, 1);
        let scores = measures.score(&shipped()).unwrap().0;
        assert_eq!(points_text(scores[0].1.hundredths()), "11.66");
    }

    #[test]
    fn b_02_exactly_75_percent_is_enough() {
        let performs = |performed, agreed| {
            let mut measures = best();
            (measures.performed, measures.agreed) = (performed, agreed);
            !measures.performs_too_little()
        };
        assert!(performs(75, 100));
        assert!(performs(3, 4));
        assert!(!performs(7_499_999, 10_000_000));
        assert!(!performs(0, 1));
    }

    #[test]
    fn b_01_a_model_needs_seven_factors_and_a_sum_of_100() {
        assert_eq!(shipped().check(), Ok(()));
        type Change<'a> = &'a dyn Fn(&mut Vec<(Factor, i32)>);
        let weights = |change: Change<'_>| {
            let mut model = shipped();
            change(&mut model.weights);
            model.check()
        };
        assert_eq!(weights(&|w| w[0].1 = 34), Err(Refusal::ModelWeights));
        assert_eq!(weights(&|w| w[1].0 = Factor::OnTimePayment), Err(Refusal::ModelWeights));
        assert_eq!(
            weights(&|w| {
                w.pop();
                w[0].1 = 45;
            }),
            Err(Refusal::ModelWeights)
        );
        assert_eq!(weights(&|w| (w[0].1, w[1].1) = (110, -60)), Err(Refusal::ModelWeights));
        let bands = |change: &dyn Fn(&mut Vec<Band>)| {
            let mut model = shipped();
            change(&mut model.bands);
            model.check()
        };
        assert_eq!(bands(&|b| b.swap(0, 1)), Err(Refusal::ModelBands));
        assert_eq!(bands(&|b| b[0].above = 8000), Err(Refusal::ModelBands));
        assert_eq!(bands(&|b| b[4].largest_bp = 1), Err(Refusal::ModelBands));
        assert_eq!(bands(&|b| b[0].least_bp = 30_001), Err(Refusal::ModelBands));
    }
}
