//! What a party owes, how late it is and what it buys on average, from the bills and payments that billing told of.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike, Months, NaiveDate};
use uuid::Uuid;

use super::score::Measures;

/// A bill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bill {
    /// Id.
    pub id: Uuid,
    /// Account.
    pub account: Uuid,
    /// Fen, credit notes taken off.
    pub amount: i64,
    /// Year of the period.
    pub year: i32,
    /// Month of the period.
    pub month: i32,
    /// Day of issue.
    pub issued: NaiveDate,
    /// Day by which it is to be paid.
    pub due: NaiveDate,
    /// Day of the payment that settled it.
    pub paid: Option<NaiveDate>,
    /// Whether something was delivered for it: not for a fee, nor for an item that was taken over.
    pub delivery: bool,
    /// What was used, where it bills that afterwards.
    pub used: Option<Used>,
}

/// Use that was billed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Used {
    /// Agreement.
    pub agreement: Uuid,
    /// Day after which it begins.
    pub from: NaiveDate,
    /// Its last day.
    pub to: NaiveDate,
}

/// A payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// Account.
    pub account: Uuid,
    /// Fen that stand for bills or are paid ahead: reversals and what paid late fees taken off.
    pub amount: i64,
    /// Day on which it was taken.
    pub day: NaiveDate,
    /// Number of the receipt.
    pub receipt_no: String,
}

/// A guarantee that is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guarantee {
    /// Fen.
    pub amount: i64,
    /// Last day.
    pub last: Option<NaiveDate>,
    /// Receipt under which it was paid in; empty where it was not.
    pub receipt_no: String,
}

impl Guarantee {
    /// Whether it counts on a day: not past its last day, and not told by billing as a payment, which counts by itself or has bounced.
    pub fn counts(&self, today: NaiveDate, receipts: &BTreeSet<String>) -> bool {
        !receipts.contains(&self.receipt_no) && self.last.is_none_or(|last| today <= last)
    }
}

/// The books of a legal person over all its accounts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Books {
    /// Bills.
    pub bills: Vec<Bill>,
    /// Payments.
    pub payments: Vec<Payment>,
    /// Guarantees that are held.
    pub guarantees: Vec<Guarantee>,
    /// First days that agreements which have ended do not cover any more.
    pub ended: BTreeMap<Uuid, NaiveDate>,
}

/// Averages of what was delivered (B-04): both are told, since zeros understate a seasonal customer and leaving them out overstates a
/// shrinking one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Fen of each month in which something was delivered, of the last twelve.
    pub months: Vec<i64>,
    /// Months from the first delivery on, twelve at most.
    pub all: i64,
}

impl Delivered {
    /// Fen of all months.
    pub fn total(&self) -> i64 {
        self.months.iter().fold(0, |sum, m| sum.saturating_add(*m))
    }
    /// Months in which something was delivered.
    pub fn delivering(&self) -> i64 {
        i64::try_from(self.months.len()).unwrap_or(i64::MAX)
    }
}

/// Unpaid fen by days after the due day: not due, 1–30, 31–60, 61–90, more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ageing {
    /// Not due yet.
    pub not_due: i64,
    /// 1 to 30 days late.
    pub to_30: i64,
    /// 31 to 60 days late.
    pub to_60: i64,
    /// 61 to 90 days late.
    pub to_90: i64,
    /// More than 90 days late.
    pub over_90: i64,
}

/// A bill that no payment settled by itself.
struct Open {
    bill: Bill,
    /// Fen that prepayment leaves of it.
    rest: i64,
    /// Fen that older bills of the account took of the prepayment.
    before: i64,
}

/// A whole number of days from one day to a later one; 0 where it is not later.
fn days_after(day: NaiveDate, today: NaiveDate) -> i64 {
    today.signed_duration_since(day).num_days().max(0)
}

/// Fen of the use after a day and up to another one, by the bills of its agreement: what the same days cost a year before, since a boiler that
/// heats in winter uses nothing in summer; where the bills do not reach back so far, their average.
fn use_in(billed: &[(Used, i64)], after: NaiveDate, to: NaiveDate) -> Option<i64> {
    let year = Months::new(12);
    let (since, until) = (after.checked_sub_months(year)?, to.checked_sub_months(year)?);
    let share = |fen: i64, days: i64, of: i64| i128::from(fen).saturating_mul(i128::from(days)).checked_div(i128::from(of));
    let days = |used: &Used| days_after(used.from, used.to);
    let fen = if billed.iter().any(|(used, _)| used.from <= since) {
        billed.iter().fold(0_i128, |sum, (used, fen)| {
            let both = days_after(used.from.max(since), used.to.min(until));
            sum.saturating_add(share(*fen, both, days(used)).unwrap_or(0))
        })
    } else {
        let all = billed.iter().fold((0_i64, 0_i64), |(fen, all), (used, amount)| {
            (fen.saturating_add(*amount), all.saturating_add(days(used)))
        });
        share(all.0, days_after(after, to), all.1)?
    };
    i64::try_from(fen).ok()
}

/// An average in fen, cut off; 0 of nothing.
pub fn average(total: i64, months: i64) -> i64 {
    total.checked_div(months).unwrap_or(0)
}

impl Books {
    /// Fen of all bills.
    pub fn billed(&self) -> i64 {
        self.bills.iter().fold(0, |sum, b| sum.saturating_add(b.amount))
    }

    /// Fen of all payments that stand.
    pub fn paid(&self) -> i64 {
        self.payments.iter().fold(0, |sum, p| sum.saturating_add(p.amount))
    }

    /// Fen of all guarantees that count.
    pub fn guaranteed(&self, today: NaiveDate) -> i64 {
        let receipts: BTreeSet<String> = self.payments.iter().map(|p| p.receipt_no.clone()).collect();
        let counting = self.guarantees.iter().filter(|g| g.counts(today, &receipts));
        counting.fold(0, |sum, g| sum.saturating_add(g.amount))
    }

    /// Fen at risk, never below zero: what is billed or used, less what is paid or guaranteed.
    pub fn exposure(&self, today: NaiveDate) -> i64 {
        let owed = self.billed().saturating_add(self.unbilled(today));
        owed.saturating_sub(self.paid()).saturating_sub(self.guaranteed(today)).max(0)
    }

    /// Fen that were used and are not billed yet, by estimate: of each agreement the whole days since those of its bills, up to its end.
    pub fn unbilled(&self, today: NaiveDate) -> i64 {
        let mut agreements: BTreeMap<Uuid, Vec<(Used, i64)>> = BTreeMap::new();
        for bill in &self.bills {
            if let Some(used) = bill.used {
                agreements.entry(used.agreement).or_default().push((used, bill.amount));
            }
        }
        agreements.iter().fold(0, |sum, (agreement, billed)| {
            let end = self.ended.get(agreement).map_or(today, |ended| today.min(*ended));
            let last = billed.iter().map(|(used, _)| used.to).max().unwrap_or(end);
            let open = end.pred_opt().filter(|end| *end > last).and_then(|end| use_in(billed, last, end));
            sum.saturating_add(open.unwrap_or(0))
        })
    }

    /// Bills with what is unpaid of them. Bills that a payment settled are paid; what payments of an account leave over pays its other bills,
    /// the oldest due first, as billing does with prepayment.
    pub fn unpaid(&self) -> Vec<(Bill, i64)> {
        self.open().into_iter().filter(|o| o.rest > 0).map(|o| (o.bill, o.rest)).collect()
    }

    /// Bills that no payment settled by itself, the oldest due first, with what prepayment leaves of each.
    fn open(&self) -> Vec<Open> {
        let mut left: BTreeMap<Uuid, i64> = BTreeMap::new();
        for payment in &self.payments {
            let rest = left.entry(payment.account).or_default();
            *rest = rest.saturating_add(payment.amount);
        }
        for bill in self.bills.iter().filter(|b| b.paid.is_some()) {
            let rest = left.entry(bill.account).or_default();
            *rest = rest.saturating_sub(bill.amount);
        }
        let mut bills: Vec<Bill> = self.bills.iter().copied().filter(|b| b.paid.is_none() && b.amount > 0).collect();
        bills.sort_by_key(|b| (b.due, b.id));
        let mut used: BTreeMap<Uuid, i64> = BTreeMap::new();
        let mut open = vec![];
        for bill in bills {
            let (left, used) = (left.entry(bill.account).or_default(), used.entry(bill.account).or_default());
            let covered = bill.amount.min((*left).max(0));
            open.push(Open {
                bill,
                rest: bill.amount.saturating_sub(covered),
                before: *used,
            });
            *left = left.saturating_sub(covered);
            *used = used.saturating_add(covered);
        }
        open
    }

    /// The day on which prepayment was enough for a bill that it covers: less what was settled by then, and less what older bills took.
    fn covered_on(&self, open: &Open) -> Option<NaiveDate> {
        let of = |account: Uuid| account == open.bill.account;
        let mut days: Vec<NaiveDate> = self.payments.iter().filter(|p| of(p.account)).map(|p| p.day).collect();
        days.sort_unstable();
        days.into_iter().find(|day| {
            let came = self.payments.iter().filter(|p| of(p.account) && p.day <= *day);
            let came = came.fold(0_i64, |sum, p| sum.saturating_add(p.amount));
            let settled = self.bills.iter().filter(|b| of(b.account) && b.paid.is_some_and(|paid| paid <= *day));
            let settled = settled.fold(0_i64, |sum, b| sum.saturating_add(b.amount));
            came.saturating_sub(settled).saturating_sub(open.before) >= open.bill.amount
        })
    }

    /// Unpaid fen by age.
    pub fn ageing(&self, today: NaiveDate) -> Ageing {
        let mut ageing = Ageing::default();
        for (bill, rest) in self.unpaid() {
            let part = match days_after(bill.due, today) {
                0 => &mut ageing.not_due,
                1..=30 => &mut ageing.to_30,
                31..=60 => &mut ageing.to_60,
                61..=90 => &mut ageing.to_90,
                _ => &mut ageing.over_90,
            };
            *part = part.saturating_add(rest);
        }
        ageing
    }

    /// Days by which the oldest unpaid bill is past the term, which runs from its issue and never ends before the bill is due.
    pub fn days_over_term(&self, today: NaiveDate, term_days: i64) -> i64 {
        let last = |bill: &Bill| {
            let term = chrono::Days::new(u64::try_from(term_days).unwrap_or(0));
            bill.issued.checked_add_days(term).unwrap_or(NaiveDate::MAX).max(bill.due)
        };
        self.unpaid().iter().map(|(bill, _)| days_after(last(bill), today)).max().unwrap_or(0)
    }

    /// Most days by which an unpaid bill is past its due day.
    pub fn days_overdue(&self, today: NaiveDate) -> i64 {
        self.unpaid().iter().map(|(bill, _)| days_after(bill.due, today)).max().unwrap_or(0)
    }

    /// What was due in the last twelve months, what of it was paid on time, and days late times fen. A bill that a credit note took back was
    /// neither due nor paid. Due today and not paid yet is not late, and not paid on time either.
    pub fn punctuality(&self, today: NaiveDate) -> (i64, i64, i128) {
        let since = today.checked_sub_months(Months::new(12)).unwrap_or(NaiveDate::MIN);
        let was_due = |bill: &Bill| bill.amount > 0 && bill.due > since && bill.due <= today;
        let settled = self.bills.iter().filter_map(|b| b.paid.map(|paid| (*b, Some(paid))));
        let open = self.open();
        let open = open.iter().filter(|o| was_due(&o.bill)).map(|o| {
            let paid = if o.rest == 0 { self.covered_on(o) } else { None };
            (o.bill, paid)
        });
        let (mut due, mut on_time, mut late) = (0_i64, 0_i64, 0_i128);
        for (bill, paid) in settled.filter(|(bill, _)| was_due(bill)).chain(open) {
            due = due.saturating_add(bill.amount);
            let days = days_after(bill.due, paid.unwrap_or(today));
            if days == 0 && paid.is_some() {
                on_time = on_time.saturating_add(bill.amount);
            }
            late = late.saturating_add(i128::from(days).saturating_mul(i128::from(bill.amount)));
        }
        (due, on_time, late)
    }

    /// What was delivered in the last twelve months: those that end with the month before today's, or with a later one that is billed already.
    pub fn delivered(&self, today: NaiveDate) -> Delivered {
        let index = |year: i32, month: i32| i64::from(year).saturating_mul(12).saturating_add(i64::from(month)).saturating_sub(1);
        let mut months: BTreeMap<i64, i64> = BTreeMap::new();
        for bill in self.bills.iter().filter(|b| b.delivery) {
            let sum = months.entry(index(bill.year, bill.month)).or_default();
            *sum = sum.saturating_add(bill.amount);
        }
        months.retain(|_, sum| *sum > 0);
        let Some(first) = months.keys().next().copied() else {
            return Delivered::default();
        };
        let before = index(today.year(), i32::try_from(today.month()).unwrap_or(1)).saturating_sub(1);
        let last = months.keys().next_back().copied().unwrap_or(before).max(before);
        let start = last.saturating_sub(11);
        Delivered {
            months: months.range(start..=last).map(|(_, sum)| *sum).collect(),
            all: last.saturating_sub(first.max(start)).saturating_add(1),
        }
    }

    /// Days overdue after which a rating is to be made anew (B-06).
    const OVERDUE_DAYS: i64 = 30;

    /// B-06: what asks for a new rating before the year is over, and happened since the look on a day before. What was so on that day already
    /// asks no more: the rating that followed knew it.
    pub fn triggers(&self, since: NaiveDate, today: NaiveDate) -> Vec<&'static str> {
        let overdue = |day| self.days_overdue(day) > Self::OVERDUE_DAYS;
        let ended = |g: &Guarantee| g.last.is_some_and(|last| last >= since && last < today);
        let all = [
            (overdue(today) && !overdue(since), "OVERDUE_30_DAYS"),
            (self.guarantees.iter().any(ended), "GUARANTEE_EXPIRED"),
            (self.usage_halved(since), "USAGE_HALVED"),
        ];
        all.into_iter().filter_map(|(holds, code)| holds.then_some(code)).collect()
    }

    /// Whether the month that was billed last, on a day or after it, came to half of the same month a year before or less: measured against its
    /// own season, a heating boiler does not seem to shrink in spring.
    fn usage_halved(&self, since: NaiveDate) -> bool {
        let standing = || self.bills.iter().filter(|b| b.delivery && b.amount > 0);
        let Some(last) = standing().max_by_key(|b| (b.year, b.month)) else {
            return false;
        };
        let of = |year: i32| {
            let month = standing().filter(|b| (b.year, b.month) == (year, last.month));
            month.fold(0_i64, |sum, b| sum.saturating_add(b.amount))
        };
        let fresh = standing().any(|b| (b.year, b.month) == (last.year, last.month) && b.issued >= since);
        let before = of(last.year.saturating_sub(1));
        fresh && before > 0 && of(last.year).saturating_mul(2) <= before
    }

    /// Puts what the books know into the measures of a rating.
    pub fn measure(&self, today: NaiveDate, measures: &mut Measures) {
        (measures.due, measures.on_time, measures.late) = self.punctuality(today);
        measures.months = self.delivered(today).months;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    const ONE: Uuid = Uuid::from_u128(1);
    const TWO: Uuid = Uuid::from_u128(2);

    fn bill(n: u128, account: Uuid, amount: i64, issued: &str, due: &str, paid: Option<&str>) -> Bill {
        let issued = day(issued);
        Bill {
            id: Uuid::from_u128(100 + n),
            account,
            amount,
            year: issued.year(),
            month: issued.month() as i32,
            issued,
            due: day(due),
            paid: paid.map(day),
            delivery: true,
            used: None,
        }
    }

    /// A bill of what an agreement used after a day and up to the day of its issue.
    fn of_use(n: u128, agreement: u128, amount: i64, from: &str, to: &str) -> Bill {
        let used = Used {
            agreement: Uuid::from_u128(agreement),
            from: day(from),
            to: day(to),
        };
        Bill {
            used: Some(used),
            ..bill(n, ONE, amount, to, to, None)
        }
    }

    fn payment(account: Uuid, amount: i64, receipt_no: &str) -> Payment {
        Payment {
            account,
            amount,
            day: day("2025-01-01"),
            receipt_no: receipt_no.to_owned(),
        }
    }

    #[test]
    fn b_05_prepayment_pays_the_oldest_bill_of_its_own_account() {
        let books = Books {
            bills: vec![
                bill(1, ONE, 10_000, "2025-01-05", "2025-01-25", Some("2025-01-20")),
                bill(2, ONE, 10_000, "2025-02-05", "2025-02-25", None),
                bill(3, ONE, 10_000, "2025-03-05", "2025-03-25", None),
                bill(4, TWO, 5000, "2025-02-05", "2025-02-25", None),
            ],
            payments: vec![payment(ONE, 25_000, "R1")],
            ..Books::default()
        };
        let unpaid: Vec<_> = books.unpaid().iter().map(|(b, rest)| (b.id.as_u128(), *rest)).collect();
        assert_eq!(unpaid, [(104, 5000), (103, 5000)]);
        let today = day("2025-04-30");
        // All accounts of the legal person count together: 350.00 billed, 250.00 paid.
        assert_eq!(books.exposure(today), 10_000);
        assert_eq!(
            books.ageing(today),
            Ageing {
                to_60: 5000,
                to_90: 5000,
                ..Ageing::default()
            }
        );
        // Term 30: bill 4 was to be paid by 7 March.
        assert_eq!(books.days_over_term(today, 30), 54);
        assert_eq!(books.days_over_term(day("2025-03-07"), 30), 0);
        // A term shorter than the bill's own does not shorten it.
        assert_eq!(books.days_over_term(day("2025-02-26"), 1), 1);
        assert_eq!(books.days_overdue(today), 64);
    }

    #[test]
    fn b_05_use_that_is_not_billed_yet_counts_by_the_days_of_last_year() {
        // Of the same days a year ago, a day of January cost 10.00, one of February 5.00.
        let known = vec![
            of_use(1, 1, 31_000, "2024-12-31", "2025-01-31"),
            of_use(2, 1, 14_000, "2025-01-31", "2025-02-28"),
            of_use(3, 1, 62_000, "2025-12-31", "2026-01-31"),
        ];
        let mut books = Books {
            bills: known,
            ..Books::default()
        };
        for (today, wanted) in [("2026-01-31", 0), ("2026-02-01", 0), ("2026-02-02", 500), ("2026-02-11", 5000)] {
            assert_eq!(books.unbilled(day(today)), wanted, "{today}");
        }
        assert_eq!(books.exposure(day("2026-02-11")), 31_000 + 14_000 + 62_000 + 5000);
        // A bill that was taken back leaves its days unbilled: January 2025 a year before, and ten days of February.
        books.bills[2] = Bill {
            amount: 0,
            used: None,
            ..books.bills[2]
        };
        books.bills.push(of_use(4, 1, 0, "2025-02-28", "2025-12-31"));
        assert_eq!(books.unbilled(day("2026-02-11")), 31_000 + 5000);
        // A boiler that did not heat last summer does not this summer.
        books.bills = vec![
            of_use(1, 2, 31_000, "2025-02-28", "2025-03-31"),
            of_use(2, 2, 30_000, "2026-02-28", "2026-03-31"),
        ];
        assert_eq!(books.unbilled(day("2026-07-01")), 0);
        // A new customer is taken at its average, until its agreement ends; every agreement counts by itself.
        books.bills = vec![of_use(1, 3, 30_000, "2026-01-01", "2026-01-31"), of_use(2, 4, 3000, "2026-01-01", "2026-01-31")];
        assert_eq!(books.unbilled(day("2026-02-11")), 10_000 + 1000);
        books.ended.insert(Uuid::from_u128(3), day("2026-02-05"));
        assert_eq!(books.unbilled(day("2026-02-11")), 4000 + 1000);
        // Nothing is used for a fee or for a season that was billed ahead, and a fee is no delivery.
        books.bills = vec![Bill {
            delivery: false,
            ..bill(1, ONE, 5000, "2026-01-05", "2026-01-25", None)
        }];
        assert_eq!((books.unbilled(day("2026-02-11")), books.delivered(day("2026-02-11")).total()), (0, 0));
    }

    #[test]
    fn b_09_punctuality_knows_payments_only() {
        let today = day("2025-06-30");
        let mut books = Books {
            bills: vec![
                bill(1, ONE, 10_000, "2025-01-05", "2025-01-25", Some("2025-01-25")),
                bill(2, ONE, 10_000, "2025-02-05", "2025-02-25", Some("2025-03-07")),
                bill(3, ONE, 10_000, "2024-05-05", "2024-05-25", Some("2024-09-01")),
                bill(4, ONE, 0, "2025-03-05", "2025-03-25", None),
            ],
            payments: vec![payment(ONE, 30_000, "R1")],
            ..Books::default()
        };
        // In twelve months 200.00 were due; 100.00 came on the last day, 100.00 ten days late; the credited bill counts nowhere.
        assert_eq!(books.punctuality(today), (20_000, 10_000, 100_000));
        // The payment bounces: both are unpaid again.
        books.payments.clear();
        books.bills[0].paid = None;
        books.bills[1].paid = None;
        assert_eq!(books.punctuality(today), (20_000, 0, 156 * 10_000 + 125 * 10_000));
        // Paid in advance is on time; what came too late for one of them is not, though no event named the bill.
        books.payments.push(payment(ONE, 30_000, "R2"));
        assert_eq!(books.punctuality(today), (20_000, 20_000, 0));
        books.payments[0].amount = 20_000;
        books.payments.push(Payment {
            day: day("2025-03-02"),
            ..payment(ONE, 10_000, "R3")
        });
        assert_eq!(books.punctuality(today), (20_000, 10_000, 50_000));
    }

    #[test]
    fn b_04_average_with_and_without_zero_months() {
        let winter = [
            "2025-01-05",
            "2025-02-05",
            "2025-03-05",
            "2025-04-05",
            "2025-05-05",
            "2025-06-05",
            "2025-10-05",
            "2025-11-05",
            "2025-12-05",
        ];
        let bills = winter.iter().zip(1..).map(|(issued, n)| bill(n, ONE, 10_000_000, issued, issued, None));
        let books = Books {
            bills: bills.collect(),
            ..Books::default()
        };
        let delivered = books.delivered(day("2026-01-10"));
        assert_eq!((delivered.total(), delivered.delivering(), delivered.all), (90_000_000, 9, 12));
        assert_eq!(average(delivered.total(), delivered.delivering()), 10_000_000);
        assert_eq!(average(delivered.total(), delivered.all), 7_500_000);
        // A quarter on, the first three have left the window, and the customer has bought nothing since.
        let later = books.delivered(day("2026-04-10"));
        assert_eq!((later.delivering(), later.all), (6, 12));
        // A new customer has not had twelve months yet.
        let first = Books {
            bills: books.bills.iter().take(2).copied().collect(),
            ..Books::default()
        };
        assert_eq!(
            (first.delivered(day("2025-05-10")).delivering(), first.delivered(day("2025-05-10")).all),
            (2, 4)
        );
        assert_eq!(Books::default().delivered(day("2025-05-10")), Delivered::default());
    }

    #[test]
    fn b_06_each_trigger_asks_once() {
        let since = day("2025-03-01");
        let late = |issued: &str, due: &str| Books {
            bills: vec![bill(1, ONE, 10_000, issued, due, None)],
            ..Books::default()
        };
        // 31 days after 31 January come on 3 March.
        let books = late("2025-01-11", "2025-01-31");
        assert_eq!(books.triggers(since, day("2025-03-02")), Vec::<&str>::new());
        assert_eq!(books.triggers(since, day("2025-03-03")), ["OVERDUE_30_DAYS"]);
        assert_eq!(books.triggers(day("2025-03-03"), day("2025-03-04")), Vec::<&str>::new());

        let mut books = Books {
            guarantees: vec![Guarantee {
                amount: 1,
                last: Some(day("2025-03-05")),
                receipt_no: String::new(),
            }],
            ..Books::default()
        };
        assert_eq!(books.triggers(since, day("2025-03-05")), Vec::<&str>::new());
        assert_eq!(books.triggers(since, day("2025-03-06")), ["GUARANTEE_EXPIRED"]);
        assert_eq!(books.triggers(day("2025-03-06"), day("2025-03-07")), Vec::<&str>::new());

        // Half of last year's March asks; last December does not matter.
        books.guarantees.clear();
        books.bills = vec![
            bill(1, ONE, 10_000, "2024-03-05", "2024-03-25", Some("2024-03-20")),
            bill(2, ONE, 90_000, "2024-12-05", "2024-12-25", Some("2024-12-20")),
            bill(3, ONE, 5001, "2025-03-05", "2025-03-25", None),
        ];
        assert_eq!(books.triggers(since, day("2025-03-06")), Vec::<&str>::new());
        books.bills[2].amount = 5000;
        assert_eq!(books.triggers(since, day("2025-03-06")), ["USAGE_HALVED"]);
        assert_eq!(books.triggers(day("2025-03-06"), day("2025-03-07")), Vec::<&str>::new());
    }

    #[test]
    fn b_05_a_guarantee_counts_until_its_last_day_and_a_deposit_once() {
        let today = day("2025-03-10");
        let guarantee = |last: Option<&str>, receipt_no: &str| Guarantee {
            amount: 4000,
            last: last.map(day),
            receipt_no: receipt_no.to_owned(),
        };
        let mut books = Books {
            bills: vec![bill(1, ONE, 10_000, "2025-03-01", "2025-03-20", None)],
            guarantees: vec![guarantee(Some("2025-03-10"), "")],
            ..Books::default()
        };
        assert_eq!(books.exposure(today), 6000);
        assert_eq!(books.exposure(day("2025-03-11")), 10_000);
        books.guarantees.push(guarantee(None, "R9"));
        assert_eq!(books.exposure(today), 2000);
        // Paid in through billing: the payment counts, the deposit does not.
        books.payments.push(payment(ONE, 4000, "R9"));
        assert_eq!(books.exposure(today), 2000);
        // The payment bounced, and the deposit with it.
        books.payments[0].amount = 0;
        assert_eq!(books.exposure(today), 6000);
        books.guarantees.clear();
        books.payments[0].amount = 20_000;
        assert_eq!(books.exposure(today), 0);
    }

    proptest! {
        #[test]
        fn b_05_what_is_unpaid_is_what_the_payments_leave(bills in proptest::collection::vec((1_i64..100_000, 1_u64..300), 0..8), paid in 0_i64..500_000) {
            let start = day("2025-01-01");
            let books = Books {
                bills: (1..).zip(&bills).map(|(n, (amount, days))| Bill {
                    due: start + chrono::Days::new(*days),
                    ..bill(n, ONE, *amount, "2025-01-01", "2025-01-01", None)
                }).collect(),
                payments: vec![payment(ONE, paid, "R")],
                ..Books::default()
            };
            let today = day("2025-06-30");
            let unpaid = books.unpaid();
            let rest: i64 = unpaid.iter().map(|(_, rest)| rest).sum();
            prop_assert_eq!(rest, (books.billed() - paid).max(0));
            prop_assert_eq!(rest, books.exposure(today));
            let ageing = books.ageing(today);
            prop_assert_eq!(ageing.not_due + ageing.to_30 + ageing.to_60 + ageing.to_90 + ageing.over_90, rest);
            // Nothing younger is paid while something older is not.
            prop_assert!(unpaid.iter().skip(1).all(|(bill, rest)| *rest == bill.amount));
            let (due, on_time, _) = books.punctuality(today);
            prop_assert!(on_time <= due);
        }
    }
}
