//! Prices tried on bills of the past (B19), pure: what a bill would have come to, and what that means for all.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap, HashSet},
};

use calendar::NaiveDate;
use money::{Money, Overflow, Volume};
use rating::{Explanation, Ledger, Period, ReadMonths, Terms};
use uuid::Uuid;

use crate::{
    run::household::{Members, add, together},
    tariff::model::{Book, Books},
};

/// What bills came to, and what they would have come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effect {
    pub agreements: i64,
    pub bills: i64,
    pub billed: Money,
    pub tried: Money,
}

impl Effect {
    /// Of one bill, of which credit notes took so much: they take the same of what it would have been, and never more than all of it.
    pub fn of_bill(amount: Money, credited: Money, tried: Money) -> Result<Self, Overflow> {
        Ok(Self {
            agreements: 0,
            bills: 1,
            billed: amount.checked_sub(credited)?,
            tried: tried.checked_sub(credited.min(tried))?,
        })
    }

    fn add(&mut self, other: Self) -> Result<(), Overflow> {
        self.agreements = self.agreements.saturating_add(other.agreements);
        self.bills = self.bills.saturating_add(other.bills);
        self.billed = self.billed.checked_add(other.billed)?;
        self.tried = self.tried.checked_add(other.tried)?;
        Ok(())
    }

    /// What the prices would take less.
    fn gain(&self) -> i64 {
        self.billed.fen().saturating_sub(self.tried.fen())
    }
}

/// An agreement with its bills.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Customer {
    pub agreement: Uuid,
    pub account_no: String,
    /// Class of use of its last bill.
    pub class: String,
    pub effect: Effect,
}

/// What became of the bills of an agreement, by class of use; nothing where one of them cannot be rated at these prices.
pub struct Outcome {
    agreement: Uuid,
    account_no: String,
    /// Class of use of its last bill.
    class: String,
    effects: Option<Vec<(String, Effect)>>,
}

impl Outcome {
    /// Of an agreement whose bills are still to come.
    pub fn new(agreement: Uuid, account_no: &str) -> Self {
        Self {
            agreement,
            account_no: account_no.to_owned(),
            class: String::new(),
            effects: Some(vec![]),
        }
    }

    /// Notes one bill, or that it cannot be rated.
    pub fn note(&mut self, class: &str, effect: Option<Effect>) -> Result<(), Overflow> {
        class.clone_into(&mut self.class);
        let Some(effects) = &mut self.effects else { return Ok(()) };
        let Some(effect) = effect else {
            self.effects = None;
            return Ok(());
        };
        match effects.iter_mut().find(|(known, _)| known == class) {
            Some((_, known)) => known.add(effect),
            None => {
                effects.push((class.to_owned(), Effect { agreements: 1, ..effect }));
                Ok(())
            }
        }
    }
}

/// The result as far as it goes.
#[derive(Default)]
pub struct Tally {
    /// How many of those who gain and lose most are kept.
    named: usize,
    pub total: Effect,
    pub winners: Effect,
    pub losers: Effect,
    pub unchanged: Effect,
    pub classes: BTreeMap<String, Effect>,
    pub gains: Vec<Customer>,
    pub losses: Vec<Customer>,
    pub left_out: i64,
}

impl Tally {
    /// An empty one that names so many of those who gain and lose most; 0 means 10.
    pub fn of(named: i32) -> Self {
        Self {
            named: usize::try_from(named).ok().filter(|named| *named > 0).unwrap_or(10),
            ..Self::default()
        }
    }

    /// Takes an agreement.
    pub fn take(&mut self, outcome: Outcome) -> Result<(), Overflow> {
        let Some(effects) = outcome.effects else {
            self.left_out = self.left_out.saturating_add(1);
            return Ok(());
        };
        let mut whole = Effect::default();
        for (class, effect) in effects {
            self.classes.entry(class).or_default().add(effect)?;
            whole.add(effect)?;
        }
        whole.agreements = 1;
        self.total.add(whole)?;
        let customer = Customer {
            agreement: outcome.agreement,
            account_no: outcome.account_no,
            class: outcome.class,
            effect: whole,
        };
        match whole.gain() {
            0 => self.unchanged.add(whole)?,
            1.. => {
                self.winners.add(whole)?;
                keep(&mut self.gains, customer, self.named, Effect::gain);
            }
            _ => {
                self.losers.add(whole)?;
                keep(&mut self.losses, customer, self.named, |effect| effect.gain().saturating_neg());
            }
        }
        Ok(())
    }
}

/// Keeps the largest; equal ones by their agreement.
fn keep(list: &mut Vec<Customer>, customer: Customer, named: usize, size: impl Fn(&Effect) -> i64) {
    let key = |customer: &Customer| (Reverse(size(&customer.effect)), customer.agreement);
    let at = list.partition_point(|other| key(other) < key(&customer));
    list.insert(at, customer);
    list.truncate(named);
}

/// Use of one meter within a bill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leg {
    pub from: NaiveDate,
    pub to: NaiveDate,
    /// Litres.
    pub volume: i64,
}

/// Where a meter hung.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub install: Uuid,
    pub from: NaiveDate,
    /// Last day.
    pub end: Option<NaiveDate>,
}

/// The use of each meter of a bill that has several, as the bill explains it; nothing where it does not add up to the bill.
pub fn legs_of(whole: Leg, explanation: &Explanation, places: &[Place]) -> Option<Vec<Leg>> {
    let entries = explanation.entries().ok()?;
    let mut legs: Vec<Leg> = vec![];
    for number in 1_usize.. {
        let named = |word: &str| {
            let name = format!("m{number}.{word}");
            entries.iter().find(|entry| entry.name == name)
        };
        let Some((meter, used)) = named("meter").zip(named("used")) else { break };
        let install: Uuid = meter.text.parse().ok()?;
        let place = places.iter().find(|place| place.install == install)?;
        let used: Volume = used.values.first()?.parse().ok()?;
        legs.push(Leg {
            from: place.from.max(whole.from),
            to: place.end.map_or(whole.to, |end| end.min(whole.to)),
            volume: used.litres(),
        });
    }
    // The last one is read at the end, whatever became of the meter later.
    legs.last_mut()?.to = whole.to;
    let sum = legs.iter().map(|leg| leg.volume).fold(0, i64::saturating_add);
    (sum == whole.volume).then_some(legs)
}

/// A gas bill of the past.
#[derive(Clone, Debug)]
pub struct Billed {
    pub agreement: Uuid,
    pub account_no: String,
    pub branch: String,
    pub class: String,
    /// At least one, by day.
    pub legs: Vec<Leg>,
    pub amount: Money,
    /// What credit notes took off it.
    pub credited: Money,
    /// Last day of the month that it was made for: households are those of this day.
    pub month_end: NaiveDate,
    /// Whether the trial tells of it, or it only fills tier years.
    pub told: bool,
}

/// What besides the prices decides on the bills of some accounts.
#[derive(Default)]
pub struct Population {
    pub terms: HashMap<Uuid, Terms>,
    pub read_months: HashMap<Uuid, ReadMonths>,
    /// Litres of a tier year that another system had billed.
    pub taken_over: HashMap<Uuid, (i32, i64)>,
    pub members: Members,
}

impl Population {
    /// Rates all bills anew, in the order in which they were made.
    ///
    /// # Errors
    /// Where the sums do not fit.
    pub fn rate(&self, bills: &[Billed], books: &Books) -> Result<Vec<Outcome>, Overflow> {
        let mut used: HashMap<Uuid, Vec<(i32, i64)>> = self.taken_over.iter().map(|(id, year)| (*id, vec![*year])).collect();
        let mut households: HashMap<NaiveDate, HashMap<Uuid, Vec<Uuid>>> = HashMap::new();
        let mut outcomes: BTreeMap<Uuid, Outcome> = BTreeMap::new();
        for bill in bills {
            let shared = households.entry(bill.month_end).or_insert_with(|| self.members.sharing(books, bill.month_end));
            let own = || used.get(&bill.agreement).cloned().unwrap_or_default();
            let before = shared.get(&bill.agreement).map_or_else(own, |household| together(household, &used));
            let rated = self.one(bill, books.of(&bill.branch), &before);
            let of_agreement = outcomes.entry(bill.agreement).or_insert_with(|| Outcome::new(bill.agreement, &bill.account_no));
            match rated {
                None => of_agreement.note(&bill.class, None)?,
                Some((tried, uses)) => {
                    let years = used.entry(bill.agreement).or_default();
                    for (year, volume) in uses {
                        add(years, year, volume);
                    }
                    if bill.told {
                        let effect = Effect::of_bill(bill.amount, bill.credited, tried)?;
                        of_agreement.note(&bill.class, Some(effect))?;
                    }
                }
            }
        }
        let told: HashSet<Uuid> = bills.iter().filter(|bill| bill.told).map(|bill| bill.agreement).collect();
        outcomes.retain(|agreement, _| told.contains(agreement));
        Ok(outcomes.into_values().collect())
    }

    /// What a bill would have come to, and what of which tier year it used.
    fn one(&self, bill: &Billed, book: &Book, before: &[(i32, i64)]) -> Option<(Money, Vec<(i32, i64)>)> {
        let legs: Vec<rating::Leg<'_>> = bill
            .legs
            .iter()
            .map(|leg| rating::Leg {
                from: leg.from,
                to: leg.to,
                volume: Volume::from_litres(leg.volume),
                ..rating::Leg::default()
            })
            .collect();
        let ledger: Ledger = before.iter().map(|(year, volume)| (*year, Volume::from_litres(*volume))).collect();
        let period = Period {
            terms: self.terms.get(&bill.agreement)?,
            book,
            legs: &legs,
            read: bill.legs.last()?.to,
            read_months: self.read_months.get(&bill.agreement).copied(),
            degree_days: None,
            ledger: &ledger,
        };
        let priced = period.price().ok()?;
        let mut uses = vec![];
        for part in &priced.parts {
            add(&mut uses, part.tier_year, part.volume.litres());
        }
        Some((priced.rated.total, uses))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn day(m: u32, d: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2025, m, d).unwrap()
    }

    fn effect(billed: i64, tried: i64) -> Effect {
        Effect {
            agreements: 0,
            bills: 1,
            billed: Money::from_fen(billed),
            tried: Money::from_fen(tried),
        }
    }

    #[test]
    fn b_19_each_meter_of_a_bill_has_its_own_days() {
        let (old, new) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let places = [
            Place {
                install: old,
                from: day(1, 1),
                end: Some(day(3, 10)),
            },
            // It went again after the bill.
            Place {
                install: new,
                from: day(3, 12),
                end: Some(day(4, 2)),
            },
        ];
        let whole = Leg {
            from: day(1, 31),
            to: day(3, 31),
            volume: 38_000,
        };
        let text = format!(
            "m1.meter is {old}\nm1.start given = 20\nm1.end given = 45\nm1.used sub m1.end m1.start = 25\nm2.meter is {new}\nm2.start given = 0\nm2.end given = 13\n\
             m2.used sub m2.end m2.start = 13\n"
        );
        let leg = |from, to, volume| Leg { from, to, volume };
        let of = |whole: Leg, text: &str, places: &[Place]| legs_of(whole, &Explanation::from_text(text.to_owned()), places);
        let both = vec![leg(day(1, 31), day(3, 10), 25_000), leg(day(3, 12), day(3, 31), 13_000)];
        assert_eq!(of(whole, &text, &places), Some(both));
        let other = Leg { volume: 39_000, ..whole };
        assert_eq!(of(other, &text, &places), None, "what does not add up is not used");
        assert_eq!(of(whole, &text, &places[..1]), None, "a meter that never hung there");
        assert_eq!(of(whole, "", &places), None);
    }

    #[test]
    fn b_19_a_credit_note_takes_the_same_and_never_more_than_the_bill() {
        let of = |amount, credited, tried| {
            let fen = Money::from_fen;
            let effect = Effect::of_bill(fen(amount), fen(credited), fen(tried)).unwrap();
            (effect.billed.fen(), effect.tried.fen())
        };
        assert_eq!(of(10_000, 600, 12_000), (9_400, 11_400));
        assert_eq!(of(10_000, 600, 500), (9_400, 0));
        assert_eq!(of(10_000, 0, 10_000), (10_000, 10_000));
    }

    #[test]
    fn b_19_those_who_gain_and_lose_most_are_named() {
        let mut tally = Tally::of(2);
        for (agreement, billed, tried) in [(1, 100, 130), (2, 100, 150), (3, 100, 150), (4, 100, 90), (5, 100, 100)] {
            let mut outcome = Outcome::new(Uuid::from_u128(agreement), "T");
            outcome.note("a", Some(effect(billed, tried))).unwrap();
            outcome.note("b", Some(effect(0, 0))).unwrap();
            tally.take(outcome).unwrap();
        }
        let mut unpriced = Outcome::new(Uuid::from_u128(6), "T");
        unpriced.note("a", Some(effect(1, 1))).unwrap();
        unpriced.note("c", None).unwrap();
        unpriced.note("a", Some(effect(1, 1))).unwrap();
        tally.take(unpriced).unwrap();
        let ids = |list: &[Customer]| list.iter().map(|c| c.agreement.as_u128()).collect::<Vec<_>>();
        assert_eq!((ids(&tally.losses), ids(&tally.gains), tally.left_out), (vec![2, 3], vec![4], 1));
        assert_eq!((tally.total.agreements, tally.total.bills, tally.total.tried.fen()), (5, 10, 620));
        assert_eq!((tally.losers.agreements, tally.winners.agreements, tally.unchanged.agreements), (3, 1, 1));
        assert_eq!(tally.classes.keys().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(tally.losses[0].class, "b", "that of its last bill");
    }
}
