//! Tables of seasons, agreements in seasons, season readings.

use std::collections::HashMap;

use calendar::NaiveDate;
use contracts::hearth::billing::v1 as proto;
use database::{Conn, Scope, Scoped, Write, find};
use money::{Area, Money};
use rpc::{Fault, page::Page, wire};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait};
use uuid::Uuid;

use super::model::{Asked, Basis, HeatMethod, HeatState, Moment, Season, days, standing};
use crate::{
    bill::{model::BillState, store::bill},
    ledger::store::instant,
    meter::store::metres,
    payment::store::with_rest,
    supply::{model::Service, store as supplies},
    table,
    tariff::heat::EnergyUnit,
    words::known,
};

table!(season, "heat_season", {
    #[sea_orm(primary_key, auto_increment = false)] id: Uuid,
    season: String,
    branch: String,
    start_date: Date,
    end_date: Date,
    due_date: Date,
    document_reference: String,
    created_at: i64,
});
table!(account, "heat_account", {
    #[sea_orm(primary_key, auto_increment = false)] id: Uuid,
    season_id: Uuid,
    season: String,
    branch: String,
    agreement_id: Uuid,
    account_id: Uuid,
    account_no: String,
    party_id: String,
    state: String,
    method: String,
    area: i64,
    height: Option<i64>,
    correction: i64,
    document_reference: String,
    meter_fault: String,
    bill_id: Option<Uuid>,
    by_area: Option<i64>,
    by_meter: Option<i64>,
    charged: Option<i64>,
    energy: Option<i64>,
    energy_unit: String,
    settled_date: Option<Date>,
    entered_by: String,
    created_at: i64,
    version: i64,
});
table!(reading, "season_reading", {
    #[sea_orm(primary_key, auto_increment = false)] id: Uuid,
    season_id: Uuid,
    season: String,
    branch: String,
    agreement_id: Uuid,
    meter_id: Uuid,
    meter_no: String,
    moment: String,
    read_date: Date,
    value: i64,
    unit: String,
    recorded_by: String,
    grounds: String,
    superseded: bool,
    created_at: i64,
});

impl Scoped for season::Entity {
    const BRANCH: Option<season::Column> = Some(season::Column::Branch);
}

impl Scoped for account::Entity {
    const BRANCH: Option<account::Column> = Some(account::Column::Branch);
    const CUSTOMER: Option<account::Column> = Some(account::Column::PartyId);
}

impl Scoped for reading::Entity {
    const BRANCH: Option<reading::Column> = Some(reading::Column::Branch);
}

impl season::Model {
    /// Its days, as the rules see them.
    pub const fn span(&self) -> Season {
        Season {
            start: self.start_date,
            end: self.end_date,
            due: self.due_date,
        }
    }
}

impl account::Model {
    /// What persons and runs made of it; payments and the calendar do the rest.
    pub fn kept(&self) -> Result<HeatState, Fault> {
        known(HeatState::of(&self.state), &self.state)
    }

    /// What it is charged by.
    pub fn basis(&self) -> Result<Basis, Fault> {
        Ok(Basis {
            method: known(HeatMethod::of(&self.method), &self.method)?,
            area: Area::from_hundredths(self.area),
            height: self.height,
            correction: self.correction,
        })
    }
}

impl reading::Model {
    /// Which end of the use.
    pub fn moment(&self) -> Result<Moment, Fault> {
        known(Moment::of(&self.moment), &self.moment)
    }

    /// What it counts.
    pub fn unit(&self) -> Result<EnergyUnit, Fault> {
        known(EnergyUnit::of(&self.unit), &self.unit)
    }
}

/// A season of a branch that the caller may see.
pub async fn season(conn: &Conn, scope: &Scope, branch: &str, name: &str) -> Result<season::Model, Fault> {
    find::<season::Entity>(scope)
        .filter(season::Column::Branch.eq(branch))
        .filter(season::Column::Season.eq(name))
        .one(conn)
        .await?
        .ok_or_else(|| Fault::not_found("heat season", name))
}

/// The season of a branch that runs on a day, or else the next one that is opened.
pub async fn season_from(conn: &Conn, branch: &str, day: NaiveDate) -> Result<season::Model, Fault> {
    season::Entity::find()
        .filter(season::Column::Branch.eq(branch))
        .filter(season::Column::EndDate.gte(day))
        .order_by_asc(season::Column::EndDate)
        .one(conn)
        .await?
        .ok_or_else(|| Fault::not_found("heat season", day))
}

/// Whether a season was settled by a version of a tariff: the bill that stands is of one whose settlement nothing takes back.
pub async fn is_settled_by(conn: &Conn, tariff: Uuid) -> Result<bool, Fault> {
    let live = bill::Entity::find()
        .select_only()
        .column(bill::Column::Id)
        .filter(bill::Column::Season.is_not_null())
        .filter(bill::Column::State.ne(BillState::Reversed.code()))
        .filter(bill::Column::TariffId.eq(tariff));
    let settled = account::Entity::find()
        .filter(account::Column::BillId.in_subquery(live.into_query()))
        .filter(account::Column::State.ne(HeatState::Assessed.code()));
    Ok(settled.one(conn).await?.is_some())
}

/// A season by its key.
pub async fn season_by_id(conn: &Conn, id: Uuid) -> Result<season::Model, Fault> {
    season::Entity::find_by_id(id)
        .one(conn)
        .await?
        .ok_or_else(|| Fault::internal("an agreement in a season that is not there"))
}

/// An agreement in a season that the caller may see.
pub async fn account(conn: &Conn, scope: &Scope, id: Uuid) -> Result<account::Model, Fault> {
    find::<account::Entity>(scope)
        .filter(account::Column::Id.eq(id))
        .one(conn)
        .await?
        .ok_or_else(|| Fault::not_found("heat account", id))
}

/// The same to change it: the account's money is locked, and the version is the one that was read.
pub async fn locked(write: &Write, scope: &Scope, id: &str, etag: &str) -> Result<account::Model, Fault> {
    let id: Uuid = wire::id_of("heat_account_id", id)?;
    let seen = account(write, scope, id).await?;
    supplies::lock_accounts(write, &[seen.account_id]).await?;
    let row = account(write, scope, id).await?;
    rpc::check_etag(etag, row.id, row.version)?;
    Ok(row)
}

/// Agreements in a season.
pub async fn in_season(conn: &Conn, season: Uuid, agreements: &[Uuid]) -> Result<HashMap<Uuid, account::Model>, Fault> {
    let rows = account::Entity::find()
        .filter(account::Column::SeasonId.eq(season))
        .filter(account::Column::AgreementId.is_in(agreements.iter().copied()))
        .all(conn)
        .await?;
    Ok(rows.into_iter().map(|a| (a.agreement_id, a)).collect())
}

/// The last season before a day in which each agreement was charged.
pub async fn before(conn: &Conn, start: NaiveDate, agreements: &[Uuid]) -> Result<HashMap<Uuid, account::Model>, Fault> {
    let rows = account::Entity::find()
        .filter(account::Column::AgreementId.is_in(agreements.iter().copied()))
        .all(conn)
        .await?;
    let ids: Vec<Uuid> = rows.iter().map(|a| a.season_id).collect();
    let seasons = season::Entity::find()
        .filter(season::Column::Id.is_in(ids))
        .filter(season::Column::StartDate.lt(start))
        .all(conn)
        .await?;
    let began: HashMap<Uuid, NaiveDate> = seasons.into_iter().map(|s| (s.id, s.start_date)).collect();
    let mut last: HashMap<Uuid, account::Model> = HashMap::new();
    for row in rows.into_iter().filter(|a| began.contains_key(&a.season_id)) {
        let later = last.get(&row.agreement_id).is_none_or(|l| began.get(&l.season_id) < began.get(&row.season_id));
        if later {
            last.insert(row.agreement_id, row);
        }
    }
    Ok(last)
}

/// The season readings that stand, of agreements in a season.
pub async fn readings(conn: &Conn, season: Uuid, agreements: &[Uuid]) -> Result<Vec<reading::Model>, Fault> {
    Ok(reading::Entity::find()
        .filter(reading::Column::SeasonId.eq(season))
        .filter(reading::Column::AgreementId.is_in(agreements.iter().copied()))
        .filter(reading::Column::Superseded.eq(false))
        .order_by_asc(reading::Column::Id)
        .all(conn)
        .await?)
}

/// A page of seasons.
pub async fn seasons(conn: &Conn, scope: &Scope, page: &Page, branch: &str) -> Result<(Vec<proto::HeatSeason>, String), Fault> {
    let mut select = find::<season::Entity>(scope).order_by_asc(season::Column::Id).limit(page.limit());
    if let Some(after) = page.after {
        select = select.filter(season::Column::Id.gt(after));
    }
    if !branch.is_empty() {
        select = select.filter(season::Column::Branch.eq(branch));
    }
    let (rows, next) = page.cut(select.all(conn).await?, |r| r.id);
    Ok((rows.iter().map(season_message).collect(), next))
}

/// A page of agreements in seasons.
pub async fn accounts(
    conn: &Conn,
    scope: &Scope,
    page: &Page,
    request: &proto::ListHeatAccountsRequest,
    today: NaiveDate,
) -> Result<(Vec<proto::HeatAccount>, String), Fault> {
    let mut select = find::<account::Entity>(scope).order_by_asc(account::Column::Id).limit(page.limit());
    if let Some(after) = page.after {
        select = select.filter(account::Column::Id.gt(after));
    }
    if let Some(party) = &request.party_id {
        select = select.filter(account::Column::PartyId.eq(party));
    }
    if let Some(agreement) = &request.agreement_id {
        select = select.filter(account::Column::AgreementId.eq(wire::id_of::<Uuid>("agreement_id", agreement)?));
    }
    for (column, value) in [
        (account::Column::Season, &request.season),
        (account::Column::Branch, &request.branch),
        (account::Column::AccountNo, &request.account_no),
    ] {
        if !value.is_empty() {
            select = select.filter(column.eq(value));
        }
    }
    let (rows, next) = page.cut(select.all(conn).await?, |r| r.id);
    Ok((messages(conn, &rows, today).await?, next))
}

/// A page of season readings.
pub async fn list_readings(
    conn: &Conn,
    scope: &Scope,
    page: &Page,
    request: &proto::ListSeasonReadingsRequest,
) -> Result<(Vec<proto::SeasonReading>, String), Fault> {
    let mut select = find::<reading::Entity>(scope).order_by_asc(reading::Column::Id).limit(page.limit());
    if let Some(after) = page.after {
        select = select.filter(reading::Column::Id.gt(after));
    }
    if let Some(agreement) = &request.agreement_id {
        select = select.filter(reading::Column::AgreementId.eq(wire::id_of::<Uuid>("agreement_id", agreement)?));
    }
    for (column, value) in [(reading::Column::Season, &request.season), (reading::Column::MeterNo, &request.meter_no)] {
        if !value.is_empty() {
            select = select.filter(column.eq(value));
        }
    }
    let (rows, next) = page.cut(select.all(conn).await?, |r| r.id);
    Ok((rows.iter().map(reading_message).collect::<Result<_, _>>()?, next))
}

/// The message of a season.
pub fn season_message(row: &season::Model) -> proto::HeatSeason {
    proto::HeatSeason {
        heat_season_id: row.id.to_string(),
        season: row.season.clone(),
        branch: row.branch.clone(),
        start_date: Some(wire::date(row.start_date)),
        end_date: Some(wire::date(row.end_date)),
        days: i32::try_from(days(row.span())).unwrap_or(0),
        due_date: Some(wire::date(row.due_date)),
        document_reference: row.document_reference.clone(),
        create_time: Some(instant(row.created_at)),
    }
}

/// The messages of agreements in seasons, with the bills that stand, as of a day.
pub async fn messages(conn: &Conn, rows: &[account::Model], today: NaiveDate) -> Result<Vec<proto::HeatAccount>, Fault> {
    let bills = bill::Entity::find()
        .filter(bill::Column::Id.is_in(rows.iter().filter_map(|r| r.bill_id)))
        .all(conn)
        .await?;
    let seasons = season::Entity::find()
        .filter(season::Column::Id.is_in(rows.iter().map(|r| r.season_id)))
        .all(conn)
        .await?;
    let accounts: Vec<Uuid> = rows.iter().map(|r| r.account_id).collect();
    let mut ahead: HashMap<Uuid, i64> = HashMap::new();
    for payment in with_rest(conn, &accounts).await?.iter().filter(|p| p.service() == Service::Heat) {
        let sum = ahead.entry(payment.account_id).or_default();
        *sum = sum.saturating_add(payment.unallocated);
    }
    rows.iter()
        .map(|row| {
            let span = seasons
                .iter()
                .find(|s| s.id == row.season_id)
                .map(season::Model::span)
                .ok_or_else(|| Fault::internal("an agreement in a season that is not there"))?;
            let bill = bills.iter().find(|b| Some(b.id) == row.bill_id);
            let asked = Asked {
                amount: bill.map_or(0, |b| b.amount),
                paid: bill.map_or(0, |b| b.paid),
                ahead: ahead.get(&row.account_id).copied().unwrap_or_default(),
            };
            message(row, span, bill, asked, today)
        })
        .collect()
}

fn message(row: &account::Model, span: Season, bill: Option<&bill::Model>, asked: Asked, today: NaiveDate) -> Result<proto::HeatAccount, Fault> {
    let fen = |amount| wire::money(Money::from_fen(amount));
    let basis = row.basis()?;
    let span = Season {
        due: bill.map_or(span.due, |b| b.due_date),
        ..span
    };
    let settlement = row
        .settled_date
        .zip(row.charged)
        .zip(row.by_area)
        .map(|((day, charged), by_area)| proto::HeatSettlement {
            by_area: Some(fen(by_area)),
            by_meter: row.by_meter.map(fen),
            charged: Some(fen(charged)),
            difference: Some(fen(by_area.saturating_sub(charged))),
            energy: row.energy.map(metres),
            energy_unit: EnergyUnit::of(&row.energy_unit).map(EnergyUnit::text).unwrap_or_default().to_owned(),
            settle_date: Some(wire::date(day)),
        });
    Ok(proto::HeatAccount {
        heat_account_id: row.id.to_string(),
        season: row.season.clone(),
        branch: row.branch.clone(),
        agreement_id: row.agreement_id.to_string(),
        account_id: row.account_id.to_string(),
        account_no: row.account_no.clone(),
        party_id: row.party_id.clone(),
        state: standing(row.kept()?, span, asked, today)?.number(),
        method: basis.method.number(),
        area: Some(wire::decimal(basis.area.short())),
        height: basis.height.map(|cm| wire::decimal(Area::from_hundredths(cm).short())),
        correction: Some(wire::decimal(money::UnitPrice::from_micros(basis.correction.saturating_mul(100)).short())),
        document_reference: row.document_reference.clone(),
        meter_fault: row.meter_fault.clone(),
        bill_id: row.bill_id.map(|id| id.to_string()).unwrap_or_default(),
        amount: bill.map(|b| fen(b.amount)),
        paid: bill.map(|b| fen(b.paid)),
        settlement,
        entered_by: row.entered_by.clone(),
        etag: rpc::etag(row.id, row.version),
    })
}

/// The message of a season reading.
pub fn reading_message(row: &reading::Model) -> Result<proto::SeasonReading, Fault> {
    Ok(proto::SeasonReading {
        season_reading_id: row.id.to_string(),
        agreement_id: row.agreement_id.to_string(),
        season: row.season.clone(),
        meter_no: row.meter_no.clone(),
        moment: row.moment()?.number(),
        read_date: Some(wire::date(row.read_date)),
        index: Some(metres(row.value)),
        unit: row.unit()?.text().to_owned(),
        recorded_by: row.recorded_by.clone(),
        grounds: row.grounds.clone(),
        superseded: row.superseded,
        create_time: Some(instant(row.created_at)),
    })
}
