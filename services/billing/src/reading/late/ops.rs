//! Findings about bills, as chains settle.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use calendar::NaiveDate;
use chrono::Datelike;
use database::Write;
use rpc::Fault;
use uuid::Uuid;

use super::{
    model::{Billed, Change, Counted, changes},
    store,
};
use crate::{
    meter::store::installation,
    reading::{
        chain::Chains,
        model::{Code, Decision, ReadingState, codes_of, step},
        store::{exception, reading},
    },
    tariff::store::late_uses,
};

/// Findings about bills that came or went.
#[derive(Default)]
pub struct Found {
    pub opened: Vec<exception::Model>,
    /// Resolved, or of another volume now.
    pub changed: Vec<exception::Model>,
}

/// What readings would have changed about a bill, by bill and day.
type Changes<'a> = BTreeMap<(Uuid, NaiveDate), (&'a installation::Model, Change)>;

/// Holds what changed in chains against the bills of its days.
pub async fn found(write: &Write, chains: &Chains) -> Result<Found, Fault> {
    let mut days: BTreeMap<Uuid, BTreeSet<NaiveDate>> = BTreeMap::new();
    for row in chains.changed() {
        days.entry(row.installation_id).or_default().insert(row.read_date);
    }
    let agreements: HashSet<Uuid> = chains.changed().map(|row| row.agreement_id).collect();
    let Some(first) = days.values().flatten().min().copied() else {
        return Ok(Found::default());
    };
    // The bill of the month of a reading may end before it.
    let month = first.with_day(1).unwrap_or(first);
    let mut bills = store::live(write, agreements.iter().copied(), month).await?;
    bills.retain(|_, own| {
        own.retain(|bill| !chains.taken_back.contains(&bill.id));
        !own.is_empty()
    });
    if bills.is_empty() && !chains.has_known_changes() {
        return Ok(Found::default());
    }
    let open = store::open(write, agreements).await?;
    // What one day shows may hide what a later one showed.
    for row in &open {
        if let Some(own) = days.get_mut(&row.installation_id)
            && own.first().is_some_and(|first| row.date >= *first)
        {
            own.insert(row.date);
        }
    }
    let changes = changed(chains, &bills, &days)?;
    let looked = |row: &exception::Model| days.get(&row.installation_id).is_some_and(|days| days.contains(&row.date));
    let named = open.iter().filter_map(|row| row.bill_id);
    let named: Vec<Uuid> = named.filter(|bill| !chains.taken_back.contains(bill)).collect();
    let standing = store::standing(write, named).await?;
    let mut found = Found::default();
    for row in open {
        let bill = row.bill_id.filter(|bill| standing.contains(bill));
        let change = bill.and_then(|bill| changes.get(&(bill, row.date))).map(|(_, change)| change);
        let changed = match change {
            Some(change) if change.volume() != row.volume => exception::Model {
                volume: change.volume(),
                ..row
            },
            Some(_) => continue,
            None if bill.is_some() && !looked(&row) => continue,
            None => exception::Model {
                state: step(row.state()?, &codes_of(&row.codes), Decision::Resolve)?.code().to_owned(),
                decided_at: Some(write.now().micros()),
                ..row
            },
        };
        found.changed.push(exception::Model {
            version: changed.version.saturating_add(1),
            ..changed
        });
    }
    found.opened = opened(write, &bills, changes).await?;
    Ok(found)
}

fn changed<'a>(chains: &'a Chains, bills: &HashMap<Uuid, Vec<Billed>>, days: &BTreeMap<Uuid, BTreeSet<NaiveDate>>) -> Result<Changes<'a>, Fault> {
    let mut all = Changes::new();
    for (id, days) in days {
        let Some(install) = chains.install(*id) else { continue };
        let Some(bills) = bills.get(&install.agreement_id) else { continue };
        let chain = chains.of(*id).filter_map(|row| counted(row).transpose()).collect::<Result<Vec<_>, _>>()?;
        for day in days {
            for (bill, change) in changes(bills, &chain, *day) {
                // One finding for a bill and a day, of the most that the readings of the day show.
                let most = all.entry((bill, *day)).or_insert((install, change));
                most.1 = most.1.max(change);
            }
        }
    }
    Ok(all)
}

fn counted(row: &reading::Model) -> Result<Option<Counted>, Fault> {
    let state = row.state()?;
    let is_billed = state == ReadingState::Billed;
    Ok((is_billed || state.is_billable()).then(|| Counted {
        id: row.id,
        install: row.installation_id,
        date: row.read_date,
        at: row.read_at,
        index: row.value,
        estimated: row.is_estimate(),
        restated: row.restated,
        is_billed,
        rollover: row.rollover,
    }))
}

/// The findings that nobody was told yet, of bills that their tariffs do not keep as they are.
async fn opened(write: &Write, bills: &HashMap<Uuid, Vec<Billed>>, mut changes: Changes<'_>) -> Result<Vec<exception::Model>, Fault> {
    if changes.is_empty() {
        return Ok(vec![]);
    }
    let told = store::told(write, changes.keys().map(|(bill, _)| *bill)).await?;
    changes.retain(|key, _| !told.contains(key));
    let by_id: HashMap<Uuid, &Billed> = bills.values().flatten().map(|bill| (bill.id, bill)).collect();
    let parted = changes.iter().filter(|(_, (_, change))| *change == Change::Days);
    let parted: Vec<&Billed> = parted.filter_map(|((bill, _), _)| by_id.get(bill).copied()).collect();
    let priced = if parted.is_empty() {
        HashMap::new()
    } else {
        store::priced(write, &parted).await?
    };
    let policies = late_uses(write).await?;
    let today = write.now().date();
    let mut opened = vec![];
    for ((id, day), (install, change)) in changes {
        let Some(bill) = by_id.get(&id) else { continue };
        if change == Change::Days && priced.get(&id).is_some_and(|how| how.is_even(bill)) {
            continue;
        }
        let volume = change.volume();
        let policy = bill.tariff.and_then(|tariff| policies.get(&tariff)).copied().unwrap_or_default();
        if policy.keeps(bill.to, today, volume).is_some() {
            continue;
        }
        opened.push(exception::Model {
            volume,
            bill_id: Some(id),
            ..exception::Model::found(install, &[Code::BillAffected], day, write.now())
        });
    }
    Ok(opened)
}
