//! The balance of a bulk meter, pure.

use uuid::Uuid;

use crate::{reading::model::Code, words::words};

words! {
    /// What a difference means.
    pub enum Finding {
        /// Within the share allowed.
        Within "WITHIN",
        /// More than the share allowed is lost.
        Loss "LOSS",
        /// The sub-meters show more than the bulk meter.
        Negative "NEGATIVE",
        /// A meter has no usable reading at one end.
        Incomplete "INCOMPLETE",
    }
}

impl Finding {
    /// The code of its exception.
    pub const fn exception(self) -> Option<Code> {
        match self {
            Self::Loss => Some(Code::BulkLoss),
            Self::Negative => Some(Code::BulkNegative),
            Self::Within | Self::Incomplete => None,
        }
    }
}

/// A usable reading of a meter within the days, the first and the last one included.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    pub installation: Uuid,
    /// Whether it is of the first day.
    pub first: bool,
    /// Whether it is of the last day.
    pub last: bool,
    /// Litres.
    pub value: i64,
    /// Whether the register passed zero since the reading before.
    pub rollover: bool,
}

/// Litres of a meter from its last reading of the first day to its last one of the last day; readings stand in the order of time.
pub fn used(installation: Uuid, capacity: i64, seen: &[Seen]) -> Option<i64> {
    let own: Vec<&Seen> = seen.iter().filter(|s| s.installation == installation).collect();
    let from = own.iter().rposition(|s| s.first)?;
    let to = own.iter().rposition(|s| s.last)?;
    let passed = own.get(from.checked_add(1)?..=to)?.iter().filter(|s| s.rollover).count();
    let rolled = i64::try_from(passed).ok()?.checked_mul(capacity)?;
    own.get(to)?.value.checked_sub(own.get(from)?.value)?.checked_add(rolled).filter(|v| *v >= 0)
}

/// What a bulk meter lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    pub finding: Finding,
    /// Litres; none where it is not known.
    pub loss: Option<i64>,
    /// Hundredths of a percent, rounded down; none where it is not known.
    pub share: Option<i64>,
}

/// Compares a bulk meter with its sub-meters (E12-01, edge 43).
pub fn balance(bulk: Option<i64>, subs: &[Option<i64>], allowed_percent: i64) -> Balance {
    let sum = subs.iter().copied().try_fold(0_i64, |sum, sub| sum.checked_add(sub?));
    let Some((bulk, sum)) = bulk.zip(sum) else {
        return Balance {
            finding: Finding::Incomplete,
            loss: None,
            share: None,
        };
    };
    let loss = bulk.saturating_sub(sum);
    let finding = if loss < 0 {
        Finding::Negative
    } else if loss.saturating_mul(100) > bulk.saturating_mul(allowed_percent) {
        Finding::Loss
    } else {
        Finding::Within
    };
    Balance {
        finding,
        loss: Some(loss),
        share: loss.saturating_mul(10_000).checked_div_euclid(bulk),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use contracts::hearth::billing::v1 as proto;

    use super::*;

    #[test]
    fn words_are_those_of_the_contract() {
        let words: Vec<_> = Finding::ALL.iter().map(|w| (w.number(), w.code())).collect();
        testbed::assert_contract(&words, "FINDING_", |n| proto::bulk_balance::Finding::try_from(n).ok().map(|v| v.as_str_name()));
    }

    #[test]
    fn e12_01_more_than_5_percent_is_a_loss() {
        let of = |bulk: i64, subs: &[i64]| {
            let subs: Vec<_> = subs.iter().map(|s| Some(s * 1000)).collect();
            let b = balance(Some(bulk * 1000), &subs, 5);
            (b.finding, b.loss.map(|l| l / 1000), b.share)
        };
        assert_eq!(of(1000, &[500, 450]), (Finding::Within, Some(50), Some(500)), "5 % exactly is allowed");
        assert_eq!(of(1000, &[500, 449]), (Finding::Loss, Some(51), Some(510)));
        assert_eq!(of(0, &[0]), (Finding::Within, Some(0), None));
    }

    #[test]
    fn edge_43_less_than_the_sub_meters_is_wrong_data() {
        let b = balance(Some(900_000), &[Some(500_000), Some(450_000)], 5);
        assert_eq!((b.finding, b.loss, b.share), (Finding::Negative, Some(-50_000), Some(-556)));
    }

    #[test]
    fn e12_01_a_missing_reading_leaves_it_open() {
        assert_eq!(balance(Some(900_000), &[Some(500_000), None], 5).finding, Finding::Incomplete);
        assert_eq!(balance(None, &[Some(500_000)], 5).finding, Finding::Incomplete);
    }

    #[test]
    fn e12_01_use_counts_on_over_the_end_of_the_register() {
        let seen = |value, first, last, rollover| Seen {
            installation: Uuid::nil(),
            first,
            last,
            value,
            rollover,
        };
        let rows = [
            seen(99_000, true, false, true),
            seen(5_000, false, false, true),
            seen(7_000, false, true, false),
        ];
        assert_eq!(
            used(Uuid::nil(), 100_000, &rows),
            Some(8_000),
            "what was passed before the first reading does not count"
        );
        assert_eq!(used(Uuid::nil(), 100_000, &rows[..2]), None);
        assert_eq!(used(Uuid::max(), 100_000, &rows), None);
    }
}
