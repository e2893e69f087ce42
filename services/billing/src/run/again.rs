//! Months that are billed anew. What decides on them is loaded once for all of them, and what they make is kept until all of them are rated: what is written
//! has a number, and whoever needs one of its series waits from then on (B24).

use std::collections::HashMap;

use calendar::NaiveDate;
use chrono::Datelike;
use database::Write;
use rpc::Fault;
use uuid::Uuid;

use super::{
    chunk::{Loaded, Made, Origin, Scene},
    household::Members,
    model::{Billed, Decision, Draft, Period},
};
use crate::{
    adjustment::model::Part,
    bill::store::{self as bills, End, bill},
    opening::store as openings,
    supply::store::supply,
    tariff::store::books,
};

/// Bills that are to be taken back, and those that take their place; nothing of either is written.
pub struct Again {
    /// Live regular bills that stay.
    staying: Vec<bill::Model>,
    /// Where the system before this one ended (期初).
    openings: HashMap<Uuid, End>,
    members: Members,
    loaded: Loaded,
    pub made: Made,
}

impl Again {
    /// Loads what decides on the months of bills of agreements, as if the bills were gone.
    pub async fn of(write: &Write, supplies: &[supply::Model], old: &[bill::Model]) -> Result<Self, Fault> {
        let ids: Vec<Uuid> = supplies.iter().map(|supply| supply.id).collect();
        let gone: Vec<Uuid> = old.iter().map(|bill| bill.id).collect();
        let mut staying = bills::regular(write, &ids).await?;
        staying.retain(|bill| !gone.contains(&bill.id));
        let openings = openings::ends(write, &ids).await?.into_iter().map(|end| (end.agreement_id, end)).collect();
        let books = books(write).await?;
        let members = Members::of(write, &books, supplies.iter().map(|supply| supply.account_id)).await?;
        let mut billed = HashMap::new();
        for supply in supplies {
            let first = old.iter().filter(|bill| bill.agreement_id == supply.id).map(|bill| bill.from_date).min();
            billed.extend(last_of(supply.id, first, staying.iter(), &openings).map(|end| (supply.id, end)));
        }
        let of_nothing = || Fault::internal("no bill to make anew");
        // A month before that of the first bill may get one of its own; it lies in the days of that bill.
        let begin = old.iter().map(|bill| bill.from_date).min().ok_or_else(of_nothing)?;
        let first = Period::new(begin.year(), begin.month()).ok_or_else(of_nothing)?;
        let periods = old.iter().map(period).collect::<Result<Vec<_>, _>>()?;
        let last = periods.into_iter().max_by_key(|period| period.first).ok_or_else(of_nothing)?;
        let scene = Scene {
            billed,
            households: HashMap::new(),
            shared: members.ids().collect(),
            books,
        };
        let mut loaded = Loaded::between(write, supplies, (first, last), scene).await?;
        for used in bills::uses(write, &gone).await? {
            loaded.count(used.agreement_id, used.tier_year, used.volume.saturating_neg());
        }
        Ok(Self {
            staying,
            openings,
            members,
            loaded,
            made: Made::default(),
        })
    }

    /// Live regular bills that stay, the oldest first.
    pub fn staying(&self) -> &[bill::Model] {
        &self.staying
    }

    /// What a month makes of an agreement after all that was made before; for the days of an old bill with these adjustments, whatever was billed,
    /// installed or read after them, where they are to stay.
    pub fn decide(&mut self, supply: &supply::Model, period: Period, kept: Option<(&bill::Model, &[Part])>) -> Result<Decision, Fault> {
        let before = kept.map(|(old, _)| old.from_date);
        let end = last_of(supply.id, before, self.staying.iter().chain(&self.made.bills), &self.openings);
        self.loaded.stand(supply.id, end, &self.members, period);
        self.loaded.decide_until(supply, period, kept)
    }

    /// Keeps a bill that takes the place of an old one.
    pub fn bill(&mut self, origin: Origin, supply: &supply::Model, draft: Draft, write: &Write) {
        for (year, volume) in &draft.uses {
            self.loaded.count(supply.id, *year, *volume);
        }
        self.made.bill(origin, supply, draft, write.now(), &self.loaded);
    }
}

/// The month of a bill.
pub fn period(bill: &bill::Model) -> Result<Period, Fault> {
    let period = u32::try_from(bill.month).ok().and_then(|month| Period::new(bill.year, month));
    period.ok_or_else(|| Fault::internal("a bill of a month that does not exist"))
}

/// Where the last of some bills of an agreement ended, or the last one up to a day; before the first one, where the system before this one ended.
fn last_of<'a>(agreement: Uuid, until: Option<NaiveDate>, bills: impl Iterator<Item = &'a bill::Model>, openings: &HashMap<Uuid, End>) -> Option<Billed> {
    let own = bills.filter(|bill| bill.agreement_id == agreement && until.is_none_or(|day| bill.to_date <= day));
    let last = own.max_by_key(|bill| bill.to_date);
    let ended = last.and_then(|bill| Some((bill.to_date, bill.to_index, bill.installation_id?)));
    let opened = || {
        openings
            .get(&agreement)
            .and_then(|end| Some((end.to_date, end.to_index?, end.installation_id?)))
    };
    ended.or_else(opened).map(|(to, index, install)| Billed { to, index, install })
}
