//! Writes about bulk meters.

use std::collections::HashMap;

use calendar::NaiveDate;
use contracts::hearth::billing::v1::{BalanceBulkMeterRequest, BalanceBulkMeterResponse, BulkBalance, PutBehindBulkMeterRequest, PutBehindBulkMeterResponse};
use database::{Begun, Scope, Write, find};
use rpc::{Call, Fault, wire};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::{
    model::{Balance, balance, used},
    store::{self, sub},
};
use crate::{
    Desk, Refusal,
    meter::store::{self as meters, installation, meter},
    reading::{
        chain,
        model::{Code, join},
        store::exception,
    },
    table,
};

/// PutBehindBulkMeter.
pub async fn put(desk: Desk, call: Call, request: PutBehindBulkMeterRequest) -> Result<PutBehindBulkMeterResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let from = wire::date_of(request.from_date.as_ref(), "from_date")?;
    let numbers: Vec<&str> = request.meter_nos.iter().map(String::as_str).chain([request.bulk_meter_no.as_str()]).collect();
    let found = meters::lock(&write, &Scope::of(&call), &numbers).await?;
    let installs = live_of(&write, &found).await?;
    let place = |number: &str| {
        let meter = found.iter().find(|m| m.meter_no == number).ok_or_else(|| Fault::not_found("meter", number))?;
        let install = installs.get(&meter.id).filter(|i| i.from_date <= from).ok_or(Refusal::MeterNotInstalled)?;
        Ok::<_, Fault>(install)
    };
    let bulk = place(&request.bulk_meter_no)?;
    let mut behind = vec![];
    for number in &request.meter_nos {
        let install = place(number)?;
        if install.id == bulk.id {
            return Err(Fault::from(Refusal::SubMeterLoop).field("meter_nos"));
        }
        if install.commodity != bulk.commodity {
            return Err(Fault::from(Refusal::MeterOfOtherService).meta("meter_no", number).field("meter_nos"));
        }
        behind.push(install);
    }
    let ids: Vec<Uuid> = behind.iter().map(|i| i.id).collect();
    let there = store::live(&write, &ids).await?;
    if let Some(taken) = there.iter().find(|s| s.bulk_installation_id != bulk.id) {
        return Err(Fault::from(Refusal::SubMeterTaken).meta("meter_no", &taken.meter_no).field("meter_nos"));
    }
    let new = behind.iter().filter(|i| !there.iter().any(|s| s.installation_id == i.id)).map(|i| sub::Model {
        id: Uuid::now_v7(),
        bulk_installation_id: bulk.id,
        installation_id: i.id,
        meter_no: i.meter_no.clone(),
        from_date: from,
        end_date: None,
    });
    table::insert_all::<sub::Entity>(&write, new).await?;
    let rows = store::behind(&write, bulk.id).await?;
    write.subject(bulk.id);
    let sub_meters = rows.iter().filter(|s| covers(s, from, from)).map(store::message).collect();
    write.commit(PutBehindBulkMeterResponse { sub_meters }).await
}

fn covers(row: &sub::Model, from: NaiveDate, until: NaiveDate) -> bool {
    row.from_date <= from && row.end_date.is_none_or(|end| until <= end)
}

async fn live_of(write: &Write, found: &[meter::Model]) -> Result<HashMap<Uuid, installation::Model>, Fault> {
    let rows = installation::Entity::find()
        .filter(installation::Column::MeterId.is_in(found.iter().map(|m| m.id)))
        .filter(installation::Column::EndDate.is_null())
        .all(&**write)
        .await?;
    Ok(rows.into_iter().map(|i| (i.meter_id, i)).collect())
}

/// BalanceBulkMeter (E12-01, edge 43).
pub async fn compare(desk: Desk, call: Call, request: BalanceBulkMeterRequest) -> Result<BalanceBulkMeterResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let from = wire::date_of(request.from_date.as_ref(), "from_date")?;
    let until = wire::date_of(request.until_date.as_ref(), "until_date")?;
    if until <= from {
        return Err(Fault::from(Refusal::DateOrder).field("until_date"));
    }
    let bulk = meters::lock(&write, &Scope::of(&call), &[&request.bulk_meter_no]).await?.pop();
    let bulk = bulk.ok_or_else(|| Fault::not_found("meter", &request.bulk_meter_no))?;
    let install = meters::live(&write, bulk.id).await?.ok_or(Refusal::MeterNotInstalled)?;
    let mut subs = store::behind(&write, install.id).await?;
    subs.retain(|s| s.from_date < until && s.end_date.is_none_or(|end| end > from));
    if subs.is_empty() {
        return Err(Refusal::NoSubMeters.into());
    }
    let ids: Vec<Uuid> = subs.iter().map(|s| s.installation_id).chain([install.id]).collect();
    let seen = store::seen(&write, &ids, from, until).await?;
    let numbers: Vec<&str> = subs.iter().map(|s| s.meter_no.as_str()).collect();
    let registers = find::<meter::Entity>(&Scope::everything())
        .filter(meter::Column::MeterNo.is_in(numbers))
        .all(&*write)
        .await?;
    let capacity = |number: &str| registers.iter().find(|m| m.meter_no == number).map_or(i64::MAX, |m| m.register().capacity());
    let of_bulk = used(install.id, bulk.register().capacity(), &seen);
    let of_subs: Vec<Option<i64>> = subs
        .iter()
        .map(|s| used(s.installation_id, capacity(&s.meter_no), &seen).filter(|_| covers(s, from, until)))
        .collect();
    let made = balance(of_bulk, &of_subs, desk.thresholds.bulk.loss_percent);
    let known = of_subs.iter().flatten().copied().fold(0, i64::saturating_add);
    let exception_id = match made.finding.exception() {
        Some(code) => report(&mut write, &install, code, until, of_bulk, known).await?.to_string(),
        None => String::new(),
    };
    let silent = subs.iter().zip(&of_subs).filter(|(_, used)| used.is_none()).map(|(s, _)| s.meter_no.clone());
    let without_reading = silent.chain(of_bulk.is_none().then(|| bulk.meter_no.clone())).collect();
    write.subject(install.id);
    write
        .commit(BalanceBulkMeterResponse {
            balance: Some(BulkBalance {
                bulk_meter_no: bulk.meter_no.clone(),
                from_date: Some(wire::date(from)),
                until_date: Some(wire::date(until)),
                bulk_volume: of_bulk.map(meters::metres),
                sub_volume: Some(meters::metres(known)),
                exception_id,
                without_reading,
                ..message(made)
            }),
        })
        .await
}

fn message(made: Balance) -> BulkBalance {
    let percent = |hundredths: i64| {
        let sign = if hundredths < 0 { "-" } else { "" };
        let size = hundredths.unsigned_abs();
        wire::decimal(format!("{sign}{}.{:02}", size / 100, size % 100))
    };
    BulkBalance {
        loss: made.loss.map(meters::metres),
        loss_percent: made.share.map(percent),
        finding: made.finding.number(),
        ..BulkBalance::default()
    }
}

/// The exception of the finding, which is told once for the same last day.
async fn report(write: &mut Write, install: &installation::Model, code: Code, until: NaiveDate, bulk: Option<i64>, subs: i64) -> Result<Uuid, Fault> {
    let known = exception::Entity::find()
        .filter(exception::Column::InstallationId.eq(install.id))
        .filter(exception::Column::Codes.eq(join(&[code])))
        .filter(exception::Column::Date.eq(until))
        .one(&**write)
        .await?;
    if let Some(row) = known {
        return Ok(row.id);
    }
    let found = exception::Model {
        volume: bulk,
        largest_before: Some(subs),
        ..exception::Model::found(install, &[code], until, write.now())
    };
    let id = found.id;
    chain::open(write, vec![found]).await?;
    Ok(id)
}
