//! Seals on meters (铅封): one at a time, what was there before is kept.

use std::collections::HashMap;

use calendar::NaiveDate;
use contracts::hearth::billing::v1::{
    self as proto, InspectSealRequest, InspectSealResponse, ListSealsRequest, ListSealsResponse, SealMeterRequest, SealMeterResponse,
};
use database::{Begun, Scope, Scoped, Write, find};
use rpc::{Call, Fault, page::Page, wire};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::store::{self as meters, installation, meter};
use crate::{
    Desk, Refusal,
    reading::{
        chain,
        model::{Code, ExceptionState},
        store::exception,
    },
    table,
};

table!(seal, "meter_seal", {
    #[sea_orm(primary_key, auto_increment = false)] id: Uuid,
    meter_id: Uuid,
    meter_no: String,
    seal_no: String,
    branch: String,
    from_date: Date,
    end_date: Option<Date>,
    broken: bool,
    recorded_by: String,
    created_at: i64,
});

impl Scoped for seal::Entity {
    const BRANCH: Option<seal::Column> = Some(seal::Column::Branch);
}

impl seal::Model {
    /// A seal that the caller puts on a meter.
    pub fn put_on(meter: &meter::Model, seal_no: &str, from: NaiveDate, write: &Write) -> Self {
        Self {
            id: Uuid::now_v7(),
            meter_id: meter.id,
            meter_no: meter.meter_no.clone(),
            seal_no: seal_no.to_owned(),
            branch: meter.branch.clone(),
            from_date: from,
            end_date: None,
            broken: false,
            recorded_by: write.call().subject().to_owned(),
            created_at: write.now().micros(),
        }
    }
}

/// Those of some numbers that were used for a seal, in any branch, and on which meter.
pub async fn used<'a>(write: &Write, numbers: impl Iterator<Item = &'a str>) -> Result<HashMap<String, Uuid>, Fault> {
    let select = seal::Entity::find().filter(table::among_texts(write, seal::Column::SealNo, numbers));
    Ok(select.all(&**write).await?.into_iter().map(|row| (row.seal_no, row.meter_id)).collect())
}

/// Files the seal with which a meter is registered: that of its verification, else of its maker.
pub async fn file(write: &Write, meter: &meter::Model) -> Result<(), Fault> {
    if meter.seal_no.is_empty() {
        return Ok(());
    }
    let from = meter.verified_date.or(meter.made_date).unwrap_or_else(|| write.now().date());
    table::insert::<seal::Entity>(write, seal::Model::put_on(meter, &meter.seal_no, from, write)).await?;
    Ok(())
}

/// SealMeter.
pub async fn put_on(desk: Desk, call: Call, request: SealMeterRequest) -> Result<SealMeterResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let from = wire::date_of(request.from_date.as_ref(), "from_date")?;
    let mut meter = locked(&write, &call, &request.meter_no).await?;
    if let Some(before) = on_meter(&write, &meter).await? {
        end(&write, before, from, false).await?;
    }
    let row = seal::Model::put_on(&meter, &request.seal_no, from, &write);
    table::insert::<seal::Entity>(&write, row.clone()).await?;
    shows(&write, &mut meter, &row.seal_no).await?;
    write.subject(row.id);
    write.commit(SealMeterResponse { seal: Some(message(&row)) }).await
}

/// InspectSeal (E9-01).
pub async fn inspect(desk: Desk, call: Call, request: InspectSealRequest) -> Result<InspectSealResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let on = wire::date_of(request.on_date.as_ref(), "on_date")?;
    let mut meter = locked(&write, &call, &request.meter_no).await?;
    let install = meters::live(&write, meter.id).await?.ok_or(Refusal::MeterNotInstalled)?;
    let recorded = on_meter(&write, &meter).await?;
    let on_record = recorded.as_ref().map_or(meter.seal_no.as_str(), |s| s.seal_no.as_str());
    let sound = request.whole && !on_record.is_empty() && on_record == request.seal_no;
    if sound {
        write.subject(meter.id);
        let answer = InspectSealResponse {
            seal: recorded.as_ref().map(message),
            exception_id: String::new(),
        };
        return write.commit(answer).await;
    }
    let seal = match recorded {
        Some(row) => Some(end(&write, row, on, true).await?),
        None => None,
    };
    shows(&write, &mut meter, "").await?;
    if let Some(id) = told(&write, &install).await? {
        write.subject(id);
        let answer = InspectSealResponse {
            seal: seal.as_ref().map(message),
            exception_id: id.to_string(),
        };
        return write.commit(answer).await;
    }
    // Who found it does not decide on it (E2-07).
    let found = exception::Model {
        recorded_by: call.subject().to_owned(),
        ..exception::Model::found(&install, &[Code::SealBroken], on, write.now())
    };
    let id = found.id;
    chain::open(&mut write, vec![found]).await?;
    write.subject(id);
    write
        .commit(InspectSealResponse {
            seal: seal.as_ref().map(message),
            exception_id: id.to_string(),
        })
        .await
}

/// ListSeals.
pub async fn list(desk: Desk, call: Call, request: ListSealsRequest) -> Result<ListSealsResponse, Fault> {
    let page = Page::of(&call, &[&request.meter_no], request.page_size, &request.page_token)?;
    let mut select = find::<seal::Entity>(&Scope::of(&call))
        .filter(seal::Column::MeterNo.eq(&request.meter_no))
        .order_by_asc(seal::Column::Id)
        .limit(page.limit());
    if let Some(after) = page.after {
        select = select.filter(seal::Column::Id.gt(after));
    }
    let (rows, next_page_token) = page.cut(select.all(desk.db.reader()).await?, |r| r.id);
    Ok(ListSealsResponse {
        seals: rows.iter().map(message).collect(),
        next_page_token,
    })
}

async fn locked(write: &Write, call: &Call, meter_no: &str) -> Result<meter::Model, Fault> {
    let found = meters::lock(write, &Scope::of(call), &[meter_no]).await?.pop();
    found.ok_or_else(|| Fault::not_found("meter", meter_no))
}

async fn on_meter(write: &Write, meter: &meter::Model) -> Result<Option<seal::Model>, Fault> {
    let live = seal::Entity::find()
        .filter(seal::Column::MeterId.eq(meter.id))
        .filter(seal::Column::EndDate.is_null());
    Ok(live.one(&**write).await?)
}

/// Notes on a meter which seal is on it.
async fn shows(write: &Write, meter: &mut meter::Model, seal_no: &str) -> Result<(), Fault> {
    seal_no.clone_into(&mut meter.seal_no);
    meter.version = meter.version.saturating_add(1);
    Ok(table::update::<meter::Entity>(write, meter.clone()).await?)
}

/// The finding about a seal of an installation that is open.
async fn told(write: &Write, install: &installation::Model) -> Result<Option<Uuid>, Fault> {
    let open = exception::Entity::find()
        .filter(exception::Column::AgreementId.eq(install.agreement_id))
        .filter(exception::Column::InstallationId.eq(install.id))
        .filter(exception::Column::State.eq(ExceptionState::Open.code()))
        .filter(exception::Column::Codes.eq(Code::SealBroken.code()));
    Ok(open.one(&**write).await?.map(|row| row.id))
}

async fn end(write: &Write, mut row: seal::Model, on: NaiveDate, broken: bool) -> Result<seal::Model, Fault> {
    if on < row.from_date {
        return Err(Fault::from(Refusal::DateOrder).field(if broken { "on_date" } else { "from_date" }));
    }
    row.end_date = Some(on);
    row.broken = broken;
    table::update::<seal::Entity>(write, row.clone()).await?;
    Ok(row)
}

fn message(row: &seal::Model) -> proto::Seal {
    proto::Seal {
        seal_id: row.id.to_string(),
        meter_no: row.meter_no.clone(),
        seal_no: row.seal_no.clone(),
        from_date: Some(wire::date(row.from_date)),
        end_date: row.end_date.map(wire::date),
        broken: row.broken,
        recorded_by: row.recorded_by.clone(),
    }
}
