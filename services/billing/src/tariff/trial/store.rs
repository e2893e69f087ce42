//! The bills of the past that prices are tried on, by accounts, in sets.

use std::collections::{HashMap, HashSet};

use calendar::NaiveDate;
use database::{Conn, Scope, find};
use money::Money;
use rating::Explanation;
use rpc::Fault;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use uuid::Uuid;

use super::model::{Billed, Leg, Place, Population, legs_of};
use crate::{
    bill::{
        model::{BillKind, BillState},
        store::{bill, explanation},
    },
    fetch::{self, row},
    meter::store as meters,
    opening::store as openings,
    run::{household::Members, model::Period, months::read_months},
    supply::{
        model::Service,
        store::{self as supplies, supply, term},
    },
    table,
    tariff::model::Books,
};

/// Accounts of one step.
const CHUNK: u64 = 500;

row!(
    /// What a trial needs of a bill.
    Row,
    {
        id: Uuid,
        agreement_id: Uuid,
        account_id: Uuid,
        account_no: String,
        branch: String,
        year: i32,
        month: i32,
        from_date: NaiveDate,
        to_date: NaiveDate,
        volume: i64,
        use_class: String,
        amount: i64,
        credited: i64,
        created_at: i64,
    }
);

/// Whose bills are tried: those of the caller's scope and of a branch that end between two days.
pub struct Whose {
    pub scope: Scope,
    /// Empty for all.
    pub branch: String,
    pub first: NaiveDate,
    pub last: NaiveDate,
}

impl Whose {
    fn bills(&self, regular: Select<bill::Entity>) -> Select<bill::Entity> {
        let within = regular.filter(bill::Column::ToDate.between(self.first, self.last));
        if self.branch.is_empty() {
            within
        } else {
            within.filter(bill::Column::Branch.eq(&self.branch))
        }
    }

    /// The next accounts.
    pub async fn accounts(&self, conn: &Conn, after: Option<Uuid>) -> Result<Vec<Uuid>, Fault> {
        let mut accounts = self.bills(regular(find(&self.scope)));
        if let Some(after) = after {
            accounts = accounts.filter(bill::Column::AccountId.gt(after));
        }
        let distinct = accounts.select_only().column(bill::Column::AccountId).distinct();
        let ids = distinct.order_by_asc(bill::Column::AccountId).limit(CHUNK).into_tuple();
        Ok(ids.all(conn).await?)
    }

    /// All their gas bills since a day, in the order in which they were made, and what besides prices decides on them. Those of the household that the
    /// caller may not see fill its tiers all the same.
    pub async fn population(&self, conn: &Conn, accounts: &[Uuid], since: NaiveDate, books: &Books) -> Result<(Vec<Billed>, Population), Fault> {
        let of_accounts = |select: Select<bill::Entity>| select.filter(table::among(conn, bill::Column::AccountId, accounts.iter().copied()));
        let all = of_accounts(regular(bill::Entity::find())).filter(bill::Column::ToDate.between(since, self.last));
        let mut rows: Vec<Row> = fetch::all(conn, all).await?;
        rows.sort_unstable_by_key(|row| (row.account_id, row.year, row.month, row.created_at, row.id));
        let told = of_accounts(self.bills(regular(find(&self.scope))));
        let told: Vec<Uuid> = told.select_only().column(bill::Column::Id).into_tuple().all(conn).await?;
        let told: HashSet<Uuid> = told.into_iter().collect();
        let agreements: HashSet<Uuid> = rows.iter().map(|row| row.agreement_id).collect();
        let agreements: Vec<Uuid> = agreements.into_iter().collect();
        let places = places(conn, &agreements).await?;
        let several = several(conn, &rows, &places).await?;
        let bills = rows.into_iter().map(|row| billed(row, &told, &places, &several)).collect::<Result<_, _>>()?;
        let mut installs: Vec<(Uuid, Uuid)> = vec![];
        for (agreement, places) in &places {
            installs.extend(places.iter().map(|place| (*agreement, place.install)));
        }
        let ids: Vec<Uuid> = installs.iter().map(|(_, install)| *install).collect();
        let months = read_months(conn, books, ids).await?;
        let population = Population {
            terms: terms(conn, &agreements).await?,
            // As in a run, the book of the last meter that hangs in one counts.
            read_months: installs
                .into_iter()
                .filter_map(|(agreement, install)| Some((agreement, *months.get(&install)?)))
                .collect(),
            taken_over: taken_over(conn, &agreements).await?,
            members: Members::of(conn, books, accounts.iter().copied()).await?,
        };
        Ok((bills, population))
    }
}

/// Live gas bills by reading.
fn regular(bills: Select<bill::Entity>) -> Select<bill::Entity> {
    let gas = Condition::any()
        .add(bill::Column::Service.is_null())
        .add(bill::Column::Service.eq(Service::Gas.code()));
    bills
        .filter(bill::Column::Kind.eq(BillKind::Regular.code()))
        .filter(bill::Column::State.is_not_in([BillState::Draft.code(), BillState::Reversed.code()]))
        .filter(gas)
}

async fn terms(conn: &Conn, agreements: &[Uuid]) -> Result<HashMap<Uuid, rating::Terms>, Fault> {
    let select = supply::Entity::find().filter(table::among(conn, supply::Column::Id, agreements.iter().copied()));
    let found: Vec<supply::Model> = fetch::all(conn, select).await?;
    let mut rows: HashMap<Uuid, Vec<term::Model>> = HashMap::new();
    for row in supplies::terms(conn, agreements).await? {
        rows.entry(row.agreement_id).or_default().push(row);
    }
    let own = |supply: supply::Model| {
        let terms = supplies::terms_of(&supply, rows.get(&supply.id).into_iter().flatten());
        (supply.id, terms)
    };
    Ok(found.into_iter().map(own).collect())
}

async fn taken_over(conn: &Conn, agreements: &[Uuid]) -> Result<HashMap<Uuid, (i32, i64)>, Fault> {
    let rows = openings::of_agreements(conn, agreements).await?.into_values();
    let counted = rows.filter(|row| row.volume > 0);
    Ok(counted.map(|row| (row.agreement_id, (row.tier_year, row.volume))).collect())
}

/// Where the meters of agreements hung, oldest first.
async fn places(conn: &Conn, agreements: &[Uuid]) -> Result<HashMap<Uuid, Vec<Place>>, Fault> {
    let mut places: HashMap<Uuid, Vec<Place>> = HashMap::new();
    for install in meters::of_agreements(conn, agreements).await? {
        places.entry(install.agreement_id).or_default().push(Place {
            install: install.id,
            from: install.from_date,
            end: install.end_date,
        });
    }
    Ok(places)
}

/// The explanations of bills in whose days a meter came or went.
async fn several(conn: &Conn, rows: &[Row], places: &HashMap<Uuid, Vec<Place>>) -> Result<HashMap<Uuid, Explanation>, Fault> {
    let within = |row: &Row, place: &Place| place.from <= row.to_date && place.end.is_none_or(|end| row.from_date <= end);
    let swapped = |row: &&Row| {
        places
            .get(&row.agreement_id)
            .is_some_and(|places| places.iter().filter(|place| within(row, place)).count() > 1)
    };
    let ids: Vec<Uuid> = rows.iter().filter(swapped).map(|row| row.id).collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let kept = explanation::Entity::find().filter(table::among(conn, explanation::Column::BillId, ids));
    let kept = kept.all(conn).await?.into_iter();
    Ok(kept.map(|row| (row.bill_id, Explanation::from_text(row.content))).collect())
}

fn billed(row: Row, told: &HashSet<Uuid>, places: &HashMap<Uuid, Vec<Place>>, several: &HashMap<Uuid, Explanation>) -> Result<Billed, Fault> {
    let whole = Leg {
        from: row.from_date,
        to: row.to_date,
        volume: row.volume,
    };
    let places = places.get(&row.agreement_id).map(Vec::as_slice).unwrap_or_default();
    let legs = several.get(&row.id).and_then(|explanation| legs_of(whole, explanation, places));
    let month = Period::new(row.year, row.month.unsigned_abs()).ok_or_else(|| Fault::internal("a bill of a month that does not exist"))?;
    Ok(Billed {
        agreement: row.agreement_id,
        account_no: row.account_no,
        branch: row.branch,
        class: row.use_class,
        legs: legs.unwrap_or_else(|| vec![whole]),
        amount: Money::from_fen(row.amount),
        credited: Money::from_fen(row.credited),
        month_end: month.last,
        told: told.contains(&row.id),
    })
}
