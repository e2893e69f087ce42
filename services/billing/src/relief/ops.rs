//! Returning the free volume of a tier-year: what is due to households, and the credit notes that give it to them.

use std::collections::HashMap;

use calendar::NaiveDate;
use chrono::Datelike;
use database::{Conn, Write, numbers};
use money::Volume;
use rpc::Fault;
use uuid::Uuid;

use super::{
    model::{Claim, Year, YearBill, claim, first_year, shares},
    store::{Counted, Loaded, relief, relief_note},
};
use crate::{
    bill::{credit::take_off, ops::settle_others, store as bills},
    run::{household::together, model::Terms},
    supply::store::{self as supplies, supply},
    table,
    tariff::model::{Book, Books},
};

/// What a household gets back for a tier-year.
pub struct Due {
    supply: supply::Model,
    year: Year,
    turn: i32,
    used: Volume,
    claim: Claim,
    /// Fen of it that stand already.
    before: i64,
    shares: Vec<(Uuid, i64)>,
}

impl Due {
    /// The account that gets it.
    pub const fn account(&self) -> Uuid {
        self.supply.account_id
    }
}

/// What the households of accounts have to get back on a day.
pub async fn due(conn: &Conn, books: &Books, today: NaiveDate, accounts: &[Uuid]) -> Result<Vec<Due>, Fault> {
    let loaded = Loaded::of(conn, books, accounts, first_year(today)).await?;
    let mut by_agreement: HashMap<Uuid, Vec<&Counted>> = HashMap::new();
    for bill in &loaded.bills {
        by_agreement.entry(bill.agreement_id).or_default().push(bill);
    }
    let view = View {
        loaded: &loaded,
        bills: &by_agreement,
        today,
    };
    let mut by_end: HashMap<NaiveDate, Vec<(&supply::Model, Year)>> = HashMap::new();
    for supply in &loaded.supplies {
        for year in view.years(books.of(&supply.branch), supply.id) {
            by_end.entry(year.last).or_default().push((supply, year));
        }
    }
    let mut all = vec![];
    for (end, years) in by_end {
        let households = loaded.members.sharing(books, end);
        for (supply, year) in years {
            let alone = [supply.id];
            let household = households.get(&supply.id).map_or(alone.as_slice(), Vec::as_slice);
            match view.household(books.of(&supply.branch), supply, year, household) {
                Ok(found) => all.extend(found),
                // One bad household must not stop the others.
                Err(fault) => tracing::warn!(%fault, agreement = %supply.id, year = year.number, "a relief cannot be computed"),
            }
        }
    }
    all.sort_unstable_by_key(|due| (due.supply.account_id, due.year.number, due.supply.id));
    Ok(all)
}

struct View<'a> {
    loaded: &'a Loaded,
    bills: &'a HashMap<Uuid, Vec<&'a Counted>>,
    today: NaiveDate,
}

impl<'a> View<'a> {
    fn bills(&self, agreement: Uuid) -> impl Iterator<Item = &'a Counted> {
        self.bills.get(&agreement).into_iter().flatten().copied()
    }

    /// The tier-years of an agreement that are over and not too long ago, as the price of the last bill of each has it.
    fn years(&self, book: &Book, agreement: Uuid) -> Vec<Year> {
        let mut last: HashMap<i32, &Counted> = HashMap::new();
        for bill in self.bills(agreement) {
            let known = last.entry(bill.counted_in).or_insert(bill);
            if known.to_date < bill.to_date {
                *known = bill;
            }
        }
        let year = |(number, bill): (i32, &Counted)| {
            let version = book.on(&bill.use_class, bill.to_date)?;
            let ends = self.bills(agreement).filter(|b| b.counted_in == number).map(|b| b.to_date);
            let months = self.loaded.read_months.get(&agreement).copied();
            Year::of(&version.tariff, number, months, ends).filter(|year| year.is_looked_at(self.today))
        };
        last.into_iter().filter_map(year).collect()
    }

    /// What a household gets back for a year, told with the first of its agreements that has bills of the year.
    fn household(&self, book: &Book, supply: &supply::Model, year: Year, household: &[Uuid]) -> Result<Option<Due>, Fault> {
        let of_year: Vec<&Counted> = household
            .iter()
            .flat_map(|id| self.bills(*id))
            .filter(|bill| bill.counted_in == year.number)
            .collect();
        let is_first = of_year.iter().map(|bill| bill.agreement_id).min() == Some(supply.id);
        let terms: Vec<&Terms> = household.iter().filter_map(|id| self.loaded.terms.get(id)).collect();
        let billed = |id: &Uuid| {
            let to = self.bills(*id).map(|bill| bill.to_date).max();
            let end = self.loaded.terms.get(id).and_then(|terms| terms.end);
            to.is_none_or(|to| year.is_billed(self.today, to, end))
        };
        if !is_first || !household.iter().all(billed) {
            return Ok(None);
        }
        let used = together(household, &self.loaded.used).into_iter().find(|(number, _)| *number == year.number);
        let used = Volume::from_litres(used.map_or(0, |(_, litres)| litres));
        let Some(claim) = claim(&terms, book, year, used).map_err(Fault::internal)? else {
            return Ok(None);
        };
        let given = || {
            let given = self.loaded.given.iter();
            given.filter(|g| g.tier_year == year.number && household.contains(&g.agreement_id))
        };
        let before = given().map(|g| g.amount).fold(0, i64::saturating_add);
        let bills = of_year.iter().map(|bill| YearBill {
            bill: bill.id,
            ends_in_it: bill.tier_year == year.number,
            to: bill.to_date,
            stands: bill.stands,
        });
        let shares = shares(bills.collect(), claim.left(before));
        Ok((!shares.is_empty()).then(|| Due {
            supply: supply.clone(),
            year,
            turn: given().map(|g| g.turn).max().unwrap_or(0).saturating_add(1),
            used,
            claim,
            before,
            shares,
        }))
    }
}

/// Gives an account what is due to its households by now, and tells whether there was anything: what another worker gave meanwhile is found under the lock.
pub async fn give(write: &mut Write, books: &Books, account: Uuid) -> Result<bool, Fault> {
    supplies::lock_accounts(write, &[account]).await?;
    let (mut any, mut ahead) = (false, 0_i64);
    loop {
        let mut found = due(write, books, write.now().date(), &[account]).await?.into_iter();
        let Some(next) = found.next() else { break };
        any = true;
        ahead = ahead.saturating_add(pay_back(write, next).await?);
        // A bill may count in two years, so what is left is looked at anew.
        if found.next().is_none() {
            break;
        }
    }
    if ahead > 0 {
        settle_others(write, account).await?;
    }
    Ok(any)
}

/// Returns what is due by credit notes over the bills of the year; gives what of it was paid ahead now.
async fn pay_back(write: &mut Write, due: Due) -> Result<i64, Fault> {
    let Due {
        supply,
        year,
        turn,
        used,
        claim,
        before,
        shares,
    } = due;
    let today = write.now().date().year();
    let number = numbers::next(write, "RL", &supply.branch, today, 1).await?;
    let row = relief::Model {
        id: Uuid::now_v7(),
        relief_no: format!("RL-{}-{today}-{number:07}", supply.branch),
        agreement_id: supply.id,
        account_id: supply.account_id,
        account_no: supply.account_no,
        party_id: supply.party_id,
        branch: supply.branch,
        tier_year: year.number,
        turn,
        from_date: year.first,
        to_date: year.last,
        months: claim.months,
        used: used.litres(),
        volume: claim.volume,
        amount: claim.amount,
        returned: shares.iter().map(|(_, fen)| *fen).fold(0, i64::saturating_add),
        explanation: String::new(),
        created_at: write.now().micros(),
    };
    let row = relief::Model {
        explanation: claim.explained(before, row.returned),
        ..row
    };
    let reason = format!("FREE_AFTER_YEAR {}", row.relief_no);
    let ids: Vec<Uuid> = shares.iter().map(|(bill, _)| *bill).collect();
    let mut rows = bills::by_ids(write, &ids).await?;
    let (mut ahead, mut notes) = (0_i64, vec![]);
    for (bill, amount) in shares {
        let Some(bill) = rows.iter_mut().find(|row| row.id == bill) else {
            return Err(Fault::internal("a bill that is not there"));
        };
        let taken = take_off(write, bill, amount, &reason).await?;
        ahead = ahead.saturating_add(taken.paid_ahead);
        notes.push(relief_note::Model {
            relief_id: row.id,
            credit_note_id: taken.note.id,
            bill_id: bill.id,
            amount,
        });
    }
    write.subject(row.id);
    table::insert::<relief::Entity>(write, row).await?;
    table::insert_all::<relief_note::Entity>(write, notes).await?;
    Ok(ahead)
}
