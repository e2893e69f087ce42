//! The balance of a bulk meter, pure.

use calendar::NaiveDate;
use uuid::Uuid;

use crate::{
    meter::conversion::model::{Conversion, Converting},
    reading::model::Code,
    words::words,
};

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
    pub date: NaiveDate,
    /// Litres.
    pub value: i64,
    /// Whether the register passed zero since the reading before.
    pub rollover: bool,
}

/// A meter at its place within the days of a balance: before an exchange the one, after it the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    pub installation: Uuid,
    /// Litres at which its register begins anew.
    pub capacity: i64,
    pub from: NaiveDate,
    pub to: NaiveDate,
    /// Whether it came within the days: then it counts from its first index on, not from the last reading of its first day.
    pub came: bool,
}

impl Stretch {
    /// What of an installation lies within days; none where nothing does.
    pub fn of(installation: Uuid, capacity: i64, (begun, ended): (NaiveDate, Option<NaiveDate>), (from, until): (NaiveDate, NaiveDate)) -> Option<Self> {
        let lies = begun <= until && ended.is_none_or(|end| end > from);
        lies.then(|| Self {
            installation,
            capacity,
            from: begun.max(from),
            to: ended.map_or(until, |end| end.min(until)),
            came: begun > from,
        })
    }
}

/// Whether spans, oldest first, follow each other without a gap over days.
pub fn follow(spans: impl Iterator<Item = (NaiveDate, Option<NaiveDate>)>, (from, until): (NaiveDate, NaiveDate)) -> bool {
    let reach = |reached: NaiveDate, (begin, end): (NaiveDate, Option<NaiveDate>)| {
        let to = end.unwrap_or(NaiveDate::MAX);
        if begin <= reached { reached.max(to) } else { reached }
    };
    spans.fold(from, reach) >= until
}

/// Litres of a meter from its last reading of the first day to its last one of the last day, as they are billed; readings stand in the order of time.
pub fn used(stretch: &Stretch, seen: &[Seen], conversions: &[Conversion]) -> Option<i64> {
    let own: Vec<&Seen> = seen.iter().filter(|s| s.installation == stretch.installation).collect();
    let begins = |s: &&Seen| s.date == stretch.from;
    let first = if stretch.came {
        own.iter().position(begins)
    } else {
        own.iter().rposition(begins)
    }?;
    let after = own.get(first.checked_add(1)?..)?;
    let begin = own.get(first)?.value;
    let counted_on = |day| {
        let last = after.iter().rposition(|s| s.date == day)?;
        let passed = after.get(..=last)?.iter().filter(|s| s.rollover).count();
        let rolled = i64::try_from(passed).ok()?.checked_mul(stretch.capacity)?;
        after.get(last)?.value.checked_sub(begin)?.checked_add(rolled).filter(|v| *v >= 0)
    };
    // On the day on which a meter came it need not be read again.
    let unread = stretch.from == stretch.to && after.iter().all(|s| s.date != stretch.to);
    let counted = if unread { 0 } else { counted_on(stretch.to)? };
    let own = conversions.iter().filter(|c| c.install == stretch.installation);
    Converting::new(own, (stretch.from, stretch.to), counted, counted_on)?.volume(counted)
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
    use rating::Factor;

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
        let day = |day| NaiveDate::from_ymd_opt(2025, 1, day).unwrap();
        let seen = |value, on, rollover| Seen {
            installation: Uuid::nil(),
            date: day(on),
            value,
            rollover,
        };
        let rows = [seen(99_000, 1, true), seen(5_000, 15, true), seen(7_000, 31, false)];
        let whole = |installation| Stretch {
            installation,
            capacity: 100_000,
            from: day(1),
            to: day(31),
            came: false,
        };
        let of = |installation, rows: &[Seen], conversions: &[Conversion]| used(&whole(installation), rows, conversions);
        assert_eq!(
            of(Uuid::nil(), &rows, &[]),
            Some(8_000),
            "what was passed before the first reading does not count"
        );
        assert_eq!(of(Uuid::nil(), &rows[..2], &[]), None);
        assert_eq!(of(Uuid::max(), &rows, &[]), None);
        // 6 m³ as counted and 2 m³ × 1.5 from the reading of the 15th on.
        let conversion = |on| Conversion {
            install: Uuid::nil(),
            from: day(on),
            factor: Factor::from_hundred_thousandths(150_000),
        };
        assert_eq!(of(Uuid::nil(), &rows, &[conversion(15)]), Some(9_000));
        assert_eq!(of(Uuid::nil(), &rows, &[conversion(16)]), None, "it was not read on the day of the change");
    }

    #[test]
    fn e12_01_an_exchange_parts_the_days_of_a_place() {
        let day = |day| NaiveDate::from_ymd_opt(2025, 1, day).unwrap();
        let (old, new) = (Uuid::nil(), Uuid::max());
        let of = |installation, begun, ended: Option<u32>, days| Stretch::of(installation, 100_000, (day(begun), ended.map(day)), days);
        let month = (day(5), day(31));
        let before = of(old, 1, Some(15), month).unwrap();
        let after = of(new, 15, None, month).unwrap();
        assert_eq!((before.from, before.to, before.came), (day(5), day(15), false));
        assert_eq!((after.from, after.to, after.came), (day(15), day(31), true));
        assert_eq!(of(old, 1, Some(5), month), None, "gone with the reading of the first day");
        assert!(
            !of(new, 5, None, month).unwrap().came,
            "it was read on the first day, or shows its first index still"
        );
        let seen = |installation, value, on| Seen {
            installation,
            date: day(on),
            value,
            rollover: false,
        };
        // 40 up to the last index of the old one; 20 of the new one, of which 5 on its first day.
        let rows = [seen(old, 100, 5), seen(old, 140, 15), seen(new, 3, 15), seen(new, 8, 15), seen(new, 23, 31)];
        assert_eq!([before, after].map(|stretch| used(&stretch, &rows, &[])), [Some(40), Some(20)]);
        let last_day = of(new, 15, None, (day(5), day(15))).unwrap();
        assert_eq!(used(&last_day, &rows, &[]), Some(5));
        assert_eq!(used(&last_day, &rows[2..3], &[]), Some(0), "it came on the last day and was not read again");
        assert_eq!(used(&last_day, &[], &[]), None);
        let spans = |spans: &[(u32, Option<u32>)]| {
            let spans: Vec<_> = spans.iter().map(|(begin, end)| (day(*begin), end.map(day))).collect();
            follow(spans.into_iter(), month)
        };
        assert_eq!(
            [
                spans(&[(1, Some(15)), (15, None)]),
                spans(&[(5, Some(31))]),
                spans(&[(1, Some(15)), (16, None)]),
                spans(&[(6, None)]),
                spans(&[(1, Some(30))]),
                spans(&[])
            ],
            [true, true, false, false, false, false]
        );
    }
}
