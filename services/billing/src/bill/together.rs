//! Which bills are billed anew with a changed one: those after it, and those of all meters of a household that shares its tiers (一户多表).

use std::collections::HashSet;

use database::Conn;
use rpc::Fault;
use uuid::Uuid;

use super::{
    model::since_first,
    store::{self, bill},
};
use crate::{
    run::{again::period, household::Members},
    supply::store::supply,
    tariff::{model::Books, store::books},
};

/// An agreement with those of its account that may share its tiers, and their live regular bills.
pub struct Together {
    agreement: Uuid,
    books: Books,
    members: Members,
    bills: Vec<bill::Model>,
}

impl Together {
    /// Loads them. The caller has locked the account.
    pub async fn of(conn: &Conn, supply: &supply::Model) -> Result<Self, Fault> {
        let books = books(conn).await?;
        let members = Members::of(conn, &books, [supply.account_id]).await?;
        let ids: HashSet<Uuid> = members.ids().chain([supply.id]).collect();
        Ok(Self {
            agreement: supply.id,
            bills: store::regular(conn, &ids.into_iter().collect::<Vec<_>>()).await?,
            books,
            members,
        })
    }

    /// Live regular bills of all of them.
    pub fn bills(&self) -> &[bill::Model] {
        &self.bills
    }

    /// The bills from the first changed one on of the agreement and of all that share their tiers with it in the months of these bills, in the order in which
    /// months are billed: the tiers of each begin where those before it end.
    pub fn since(self, changed: impl Fn(&bill::Model) -> bool) -> Result<Vec<bill::Model>, Fault> {
        let mut group = HashSet::from([self.agreement]);
        loop {
            let of_group: Vec<&bill::Model> = self.bills.iter().filter(|b| group.contains(&b.agreement_id)).collect();
            let place = |b: &&bill::Model| (b.year, b.month, b.agreement_id, b.to_date);
            let since = since_first(of_group, place, |b| b.id, |b| changed(b));
            let known = group.len();
            for bill in &since {
                let sharing = self.members.sharing(&self.books, period(bill)?.last).remove(&bill.agreement_id);
                group.extend(sharing.unwrap_or_default());
            }
            if group.len() == known {
                return Ok(since.into_iter().cloned().collect());
            }
        }
    }
}

/// The agreements of bills, each once.
pub fn agreements(bills: &[bill::Model]) -> Vec<Uuid> {
    let ids: HashSet<Uuid> = bills.iter().map(|b| b.agreement_id).collect();
    ids.into_iter().collect()
}
