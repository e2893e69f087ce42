//! Writes about bulk meters.

use std::collections::HashMap;

use calendar::NaiveDate;
use chrono::Datelike;
use contracts::hearth::billing::v1::{BalanceBulkMeterRequest, BalanceBulkMeterResponse, BulkBalance, PutBehindBulkMeterRequest, PutBehindBulkMeterResponse};
use database::{Begun, Scope, Write};
use rpc::{Call, Fault, wire};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::{
    model::{Balance, Seen, Stretch, balance, follow, used},
    store::{self, sub},
};
use crate::{
    Desk, Refusal, fetch,
    meter::{
        conversion::{model::Conversion, store as conversions},
        store::{self as meters, installation, meter},
    },
    reading::{chain, model::join, store::exception},
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
    let rows = store::behind(&write, &[bulk.id]).await?;
    write.subject(bulk.id);
    let is_there = |s: &&sub::Model| s.from_date <= from && s.end_date.is_none_or(|end| from <= end);
    let sub_meters = rows.iter().filter(is_there).map(store::message).collect();
    write.commit(PutBehindBulkMeterResponse { sub_meters }).await
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
    let made = balanced(&write, &desk, bulk.id, (from, until)).await?.ok_or(Refusal::NoSubMeters)?;
    let exception_id = report(&mut write, &made, until).await?.map(|id| id.to_string()).unwrap_or_default();
    write.subject(made.install.id);
    write
        .commit(BalanceBulkMeterResponse {
            balance: Some(BulkBalance {
                bulk_meter_no: bulk.meter_no,
                from_date: Some(wire::date(from)),
                until_date: Some(wire::date(until)),
                bulk_volume: made.bulk.map(meters::metres),
                sub_volume: Some(meters::metres(made.subs)),
                exception_id,
                without_reading: made.without_reading,
                ..message(made.balance)
            }),
        })
        .await
}

/// A bulk meter against what is behind it.
struct Balanced {
    /// Where the finding is told.
    install: installation::Model,
    /// Litres; none where they are not known.
    bulk: Option<i64>,
    /// Litres of those that are known.
    subs: i64,
    balance: Balance,
    without_reading: Vec<String>,
}

/// The balance of some days; none where no meter was behind it.
async fn balanced(write: &Write, desk: &Desk, bulk: Uuid, days: (NaiveDate, NaiveDate)) -> Result<Option<Balanced>, Fault> {
    let (from, until) = days;
    let place = Place::of_bulk(store::place(write, bulk, until).await?);
    let install = place.installs.iter().rfind(|i| i.from_date <= until).ok_or(Refusal::MeterNotInstalled)?.clone();
    let mut rows = store::behind(write, &place.installs.iter().map(|i| i.id).collect::<Vec<_>>()).await?;
    rows.retain(|s| s.from_date < until && s.end_date.is_none_or(|end| end > from));
    if rows.is_empty() {
        return Ok(None);
    }
    let installs = store::installed(write, rows.iter().map(|s| s.installation_id)).await?;
    let subs = Place::of_subs(rows, installs);
    let known = Known::load(write, subs.iter().chain([&place]), days).await?;
    let of_bulk = known.used(&place);
    let of_subs: Vec<Option<i64>> = subs.iter().map(|place| known.used(place)).collect();
    Ok(Some(Balanced {
        install,
        bulk: of_bulk,
        subs: of_subs.iter().flatten().copied().fold(0, i64::saturating_add),
        balance: balance(of_bulk, &of_subs, desk.thresholds.bulk.loss_percent),
        without_reading: subs.iter().chain([&place]).flat_map(|place| known.silent(place)).collect(),
    }))
}

/// Balances the month before of each bulk meter (E12-01), once a day: a month is looked at until all its readings are there, and its finding told once.
pub async fn sweep(desk: &Desk) -> Result<(), Fault> {
    let first = desk.clock.now().date().with_day(1);
    let eve = |day: NaiveDate| day.pred_opt();
    let days = first.and_then(eve).and_then(|until| Some((until.with_day(1).and_then(eve)?, until)));
    let days = days.ok_or_else(|| Fault::internal("a month without an eve"))?;
    for meter_no in store::bulk_meters(desk.db.reader(), days).await? {
        match look(desk, &meter_no, days).await {
            // One bad meter must not stop the others.
            Err(fault) if !fault.is_transient() => tracing::warn!(%fault, %meter_no, "a bulk meter was not balanced"),
            done => done?,
        }
    }
    Ok(())
}

async fn look(desk: &Desk, meter_no: &str, days: (NaiveDate, NaiveDate)) -> Result<(), Fault> {
    let mut write = desk.db.open(&Call::background("billing", "balance-bulk-meters")).await?;
    let bulk = meters::lock(&write, &Scope::everything(), &[meter_no]).await?.pop();
    let bulk = bulk.ok_or_else(|| Fault::not_found("meter", meter_no))?;
    let Some(made) = balanced(&write, desk, bulk.id, days).await? else {
        return Ok(());
    };
    if told(&write, &made, days.1).await?.is_none() && report(&mut write, &made, days.1).await?.is_some() {
        write.subject(made.install.id);
        write.close().await?;
    }
    Ok(())
}

/// The meters that hung at one place one after the other, and when the place counted in the balance.
struct Place {
    /// Oldest first.
    installs: Vec<installation::Model>,
    spans: Vec<(NaiveDate, Option<NaiveDate>)>,
}

impl Place {
    fn of_bulk(installs: Vec<installation::Model>) -> Self {
        let spans = installs.iter().map(|i| (i.from_date, i.end_date)).collect();
        Self { installs, spans }
    }

    /// An exchanged sub-meter and the one in its stead are one place: that of their agreement.
    fn of_subs(rows: Vec<sub::Model>, installs: Vec<installation::Model>) -> Vec<Self> {
        let mut places: Vec<Self> = vec![];
        for row in rows {
            let Some(install) = installs.iter().find(|i| i.id == row.installation_id) else {
                continue;
            };
            let at = |place: &&mut Self| {
                let first = place.installs.first();
                first.is_some_and(|i| (i.agreement_id, &i.commodity) == (install.agreement_id, &install.commodity))
            };
            let span = (row.from_date, row.end_date);
            match places.iter_mut().find(at) {
                Some(place) => {
                    place.spans.push(span);
                    if !place.installs.iter().any(|i| i.id == install.id) {
                        place.installs.push(install.clone());
                    }
                }
                None => places.push(Self {
                    installs: vec![install.clone()],
                    spans: vec![span],
                }),
            }
        }
        for place in &mut places {
            place.spans.sort_unstable();
            place.installs.sort_by_key(|i| (i.from_date, i.created_at));
        }
        places
    }
}

/// What is known about the meters of places over some days.
struct Known {
    days: (NaiveDate, NaiveDate),
    seen: Vec<Seen>,
    meters: Vec<meter::Model>,
    conversions: Vec<Conversion>,
}

impl Known {
    async fn load(write: &Write, places: impl Iterator<Item = &Place>, days: (NaiveDate, NaiveDate)) -> Result<Self, Fault> {
        let installs: Vec<&installation::Model> = places.flat_map(|place| &place.installs).collect();
        let select = meter::Entity::find().filter(table::among(write, meter::Column::Id, installs.iter().map(|i| i.meter_id)));
        Ok(Self {
            days,
            meters: fetch::all(write, select).await?,
            conversions: conversions::of(write, installs.iter().map(|i| i.id)).await?,
            seen: store::seen(write, &installs, days).await?,
        })
    }

    fn stretches(&self, place: &Place) -> Vec<(Stretch, String)> {
        let capacity = |id: Uuid| self.meters.iter().find(|m| m.id == id).map_or(i64::MAX, |m| m.register().capacity());
        let installs = place.installs.iter();
        let of = |i: &installation::Model| {
            let stretch = Stretch::of(i.id, capacity(i.meter_id), (i.from_date, i.end_date), self.days)?;
            Some((stretch, i.meter_no.clone()))
        };
        installs.filter_map(of).collect()
    }

    /// Litres of a place; none where one of its meters has no usable reading at an end, or nothing hung there for a while.
    fn used(&self, place: &Place) -> Option<i64> {
        let mut parts = self
            .stretches(place)
            .into_iter()
            .map(|(stretch, _)| used(&stretch, &self.seen, &self.conversions));
        let sum = parts.try_fold(0_i64, |sum, part| sum.checked_add(part?));
        sum.filter(|_| follow(place.spans.iter().copied(), self.days))
    }

    /// Numbers of the meters for which a place is not known.
    fn silent(&self, place: &Place) -> Vec<String> {
        if self.used(place).is_some() {
            return vec![];
        }
        let (unread, read): (Vec<_>, Vec<_>) = self
            .stretches(place)
            .into_iter()
            .partition(|(stretch, _)| used(stretch, &self.seen, &self.conversions).is_none());
        let numbers: Vec<String> = unread.into_iter().map(|(_, number)| number).collect();
        if numbers.is_empty() {
            read.into_iter().map(|(_, number)| number).collect()
        } else {
            numbers
        }
    }
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

/// The exception that was made of this finding for the same last day, whatever was decided on it.
async fn told(write: &Write, made: &Balanced, until: NaiveDate) -> Result<Option<Uuid>, Fault> {
    let Some(code) = made.balance.finding.exception() else { return Ok(None) };
    let known = exception::Entity::find()
        .filter(exception::Column::InstallationId.eq(made.install.id))
        .filter(exception::Column::Codes.eq(join(&[code])))
        .filter(exception::Column::Date.eq(until))
        .one(&**write)
        .await?;
    Ok(known.map(|row| row.id))
}

/// The exception of the finding, if it is one, which is told once for the same last day.
async fn report(write: &mut Write, made: &Balanced, until: NaiveDate) -> Result<Option<Uuid>, Fault> {
    let Some(code) = made.balance.finding.exception() else { return Ok(None) };
    if let Some(id) = told(write, made, until).await? {
        return Ok(Some(id));
    }
    let found = exception::Model {
        volume: made.bulk,
        largest_before: Some(made.subs),
        ..exception::Model::found(&made.install, &[code], until, write.now())
    };
    let id = found.id;
    chain::open(write, vec![found]).await?;
    Ok(Some(id))
}
