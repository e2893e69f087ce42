//! Writes about meters.

use calendar::{Instant, NaiveDate};
use contracts::hearth::{
    billing::v1::{
        ExchangeMeterRequest, ExchangeMeterResponse, InstallMeterRequest, InstallMeterResponse, MeterInstalled, RegisterMeterRequest, RegisterMeterResponse,
        RemoveInstallationRequest, RemoveInstallationResponse, VerifyMeterRequest, VerifyMeterResponse,
    },
    options::v1::Role,
};
use database::{Begun, Scope, Write, find};
use money::Volume;
use rpc::{Call, Fault, wire};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use uuid::Uuid;

use super::{
    model::{GasKind, MeterKind, MeterState, Move, life_end, may_install, may_verify, step, verified_until},
    seal,
    store::{self, NewMeter, installation, meter},
};
use crate::{
    Desk, Refusal,
    bulk::store as behind,
    reading::{
        chain, estimate, intake,
        model::{ReadingState, index_of},
        store::reading,
    },
    route::store as routes,
    supply::{self, model::SupplyState},
    table,
};

/// RegisterMeter.
pub async fn register(desk: Desk, call: Call, request: RegisterMeterRequest) -> Result<RegisterMeterResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let kind = MeterKind::of_number(request.kind).ok_or_else(|| Fault::invalid("kind", "KIND", "the kind is not known"))?;
    let qmax: Volume = wire::decimal_of(request.qmax.as_ref(), "qmax")?;
    if qmax <= Volume::ZERO {
        return Err(Fault::invalid("qmax", "QMAX", "the largest flow must be more than 0"));
    }
    let new = NewMeter {
        meter_no: &request.meter_no,
        kind,
        model: &request.model,
        qmax: qmax.litres(),
        digits: request.digits,
        branch: &request.branch,
        state: MeterState::InStore,
        now: write.now(),
    };
    let verified_date = wire::date_if(request.verified_date.as_ref(), "verified_date")?;
    let expires_date = wire::date_if(request.expires_date.as_ref(), "expires_date")?;
    let gas_kind = GasKind::of_number(request.gas_kind);
    let life = verified_date.and_then(|day| life_end(kind, gas_kind, qmax.litres(), day));
    let expires_date = match verified_date {
        Some(day) => verified_until(day, expires_date, life).map_err(|r| Fault::from(r).field("expires_date"))?,
        None => expires_date,
    };
    let row = meter::Model {
        verified_date,
        expires_date,
        multiplier: request.multiplier.max(1),
        gas_kind: gas_kind.map(|gas| gas.code().to_owned()),
        made_date: wire::date_if(request.made_date.as_ref(), "made_date")?,
        manufacturer: request.manufacturer.clone(),
        seal_no: request.seal_no.clone(),
        ..new.row()
    };
    table::insert::<meter::Entity>(&write, row.clone()).await?;
    seal::file(&write, &row).await?;
    write.subject(row.id);
    write
        .commit(RegisterMeterResponse {
            meter: Some(store::meter_message(&row)?),
        })
        .await
}

/// InstallMeter (E4-02, E4-03).
pub async fn install(desk: Desk, call: Call, request: InstallMeterRequest) -> Result<InstallMeterResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let scope = Scope::of(&call);
    let place = Place {
        meter: locked(&write, &scope, &request.meter_no).await?,
        supply: supply::store::supply(&write, &scope, wire::id_of("agreement_id", &request.agreement_id)?).await?,
        from: wire::date_of(request.from_date.as_ref(), "from_date")?,
        index: request.initial_index.as_ref().map(|d| d.value.as_str()).unwrap_or_default(),
        photo_file: &request.photo_file,
        signed: request.signed,
        awaits_opening: call.has(Role::ServiceHall),
    };
    let row = begin_at(&mut write, &place).await?;
    write
        .commit(InstallMeterResponse {
            installation: Some(store::message(&row)),
        })
        .await
}

/// Where and how a meter is installed.
struct Place<'a> {
    meter: meter::Model,
    supply: supply::store::supply::Model,
    from: NaiveDate,
    index: &'a str,
    photo_file: &'a str,
    signed: bool,
    awaits_opening: bool,
}

/// Installs a meter. The same installation again, by another key, is the first one: a saga that was killed between the call and its own commit.
async fn begin_at(write: &mut Write, place: &Place<'_>) -> Result<installation::Model, Fault> {
    let (meter, supply, from) = (&place.meter, &place.supply, place.from);
    let kind = meter.kind()?;
    let initial = index_of(place.index, kind, meter.register()).map_err(|r| Fault::from(r).field("initial_index"))?;
    if let Some(live) = store::live(write, meter.id).await?
        && live.agreement_id == supply.id
        && live.initial_index == initial
        && (live.from_date == from || !live.awaits_opening)
    {
        write.subject(live.id);
        return Ok(live);
    }
    if supply.state == SupplyState::Ended.code() || supply.state == SupplyState::Voided.code() {
        return Err(Refusal::SupplyNotLive.into());
    }
    if !kind.commodity().fits(&supply.service) {
        return Err(Refusal::MeterOfOtherService.into());
    }
    step(meter.state()?, Move::Install)?;
    may_install(meter.verified_date, meter.expires_date, from)?;
    if place.photo_file.is_empty() {
        return Err(Fault::from(Refusal::PhotoMissing).field("photo_file"));
    }
    if !place.signed {
        return Err(Fault::from(Refusal::SignatureMissing).field("signed"));
    }
    let row = installation::Model {
        id: Uuid::now_v7(),
        meter_id: meter.id,
        meter_no: meter.meter_no.clone(),
        agreement_id: supply.id,
        account_no: supply.account_no.clone(),
        branch: supply.branch.clone(),
        from_date: from,
        end_date: None,
        initial_index: initial,
        final_index: None,
        photo_file: place.photo_file.to_owned(),
        signed: place.signed,
        awaits_opening: place.awaits_opening,
        end_reason: String::new(),
        created_at: write.now().micros(),
        commodity: kind.commodity().code().to_owned(),
    };
    table::insert::<installation::Entity>(write, row.clone()).await?;
    store::set_state(write, meter, MeterState::Installed).await?;
    write.subject(row.id);
    write.event(supply.id, &installed(&row));
    Ok(row)
}

/// RemoveInstallation.
pub async fn remove(desk: Desk, call: Call, request: RemoveInstallationRequest) -> Result<RemoveInstallationResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let scope = Scope::of(&call);
    let end = wire::date_of(request.end_date.as_ref(), "end_date")?;
    let agreement: Uuid = wire::id_of("agreement_id", &request.agreement_id)?;
    let meter = locked(&write, &scope, &request.meter_no).await?;
    let mut row = last(&write, &scope, &meter, agreement).await?;
    if row.end_date.is_none() {
        let text = request.final_index.as_ref().map(|d| d.value.as_str());
        row = end_at(&mut write, &desk, &meter, row, end, text, &request.reason).await?;
        gone(&write, row.id, end, None).await?;
    }
    write.subject(row.id);
    write
        .commit(RemoveInstallationResponse {
            installation: Some(store::message(&row)),
        })
        .await
}

/// The last installation of a meter at an agreement.
async fn last(write: &Write, scope: &Scope, meter: &meter::Model, agreement: Uuid) -> Result<installation::Model, Fault> {
    let last = find::<installation::Entity>(scope)
        .filter(installation::Column::MeterId.eq(meter.id))
        .filter(installation::Column::AgreementId.eq(agreement))
        .order_by_desc(installation::Column::CreatedAt)
        .order_by_desc(installation::Column::Id)
        .one(&**write)
        .await?;
    last.ok_or_else(|| Fault::not_found("installation", &meter.meter_no))
}

/// Ends an installation with the index that was read, if one could be.
async fn end_at(
    write: &mut Write,
    desk: &Desk,
    meter: &meter::Model,
    mut row: installation::Model,
    end: NaiveDate,
    text: Option<&str>,
    reason: &str,
) -> Result<installation::Model, Fault> {
    if end < row.from_date {
        return Err(Fault::from(Refusal::DateOrder).field("end_date"));
    }
    let reads = reading::Entity::find()
        .filter(reading::Column::InstallationId.eq(row.id))
        .order_by_desc(reading::Column::ReadAt)
        .all(&**write)
        .await?;
    let later = |state| reads.iter().any(move |r| r.read_date > end && r.state == state);
    if [ReadingState::Validated, ReadingState::Accepted, ReadingState::Billed]
        .into_iter()
        .any(|state| later(state.code()))
    {
        return Err(Refusal::InstallationHasLaterRead.into());
    }
    if later(ReadingState::Held.code()) {
        chain::reject_after(write, desk, meter, &row, end).await?;
    }
    let kind = meter.kind()?;
    let final_index = match text {
        Some(text) => Some(index_of(text, kind, meter.register()).map_err(|r| Fault::from(r).field("final_index"))?),
        None => None,
    };
    // An installation that was never used goes back as if it had not been.
    let unused = reads.is_empty() && final_index.is_none_or(|f| f == row.initial_index);
    // The last index of a heat meter counts at the settlement of the season.
    if let Some((value, text)) = final_index.zip(text).filter(|_| !unused && kind.energy().is_none()) {
        intake::file_final(write, desk, meter, &row, last_moment(write.now(), end), value, text).await?;
    }
    let state = step(meter.state()?, if unused { Move::Undo } else { Move::Remove })?;
    row.end_date = Some(end);
    row.final_index = final_index;
    row.end_reason = reason.to_owned();
    table::update::<installation::Entity>(write, row.clone()).await?;
    store::set_state(write, meter, state).await?;
    Ok(row)
}

/// What other matters know a meter by its installation goes on with the one that came in its stead.
async fn gone(write: &Write, gone: Uuid, end: NaiveDate, instead: Option<Uuid>) -> Result<(), Fault> {
    routes::follow(write, gone, end, instead).await?;
    behind::follow(write, gone, end, instead).await
}

/// The moment of a last reading: now, or the end of the day where that lies elsewhere, a microsecond before that of an estimate, which may be billed already.
fn last_moment(now: Instant, end: NaiveDate) -> Instant {
    let last = Instant::from_micros(Instant::end_of(end).micros().saturating_sub(1));
    if now.date() == end { now.min(last) } else { last }
}

/// ExchangeMeter (edges 6 and 7).
pub async fn exchange(desk: Desk, call: Call, request: ExchangeMeterRequest) -> Result<ExchangeMeterResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let scope = Scope::of(&call);
    let day = wire::date_of(request.exchange_date.as_ref(), "exchange_date")?;
    let agreement: Uuid = wire::id_of("agreement_id", &request.agreement_id)?;
    let supply = supply::store::supply(&write, &scope, agreement).await?;
    let numbers = [request.old_meter_no.as_str(), request.new_meter_no.as_str()];
    let meters = store::lock(&write, &scope, &numbers).await?;
    let of = |number: &str| {
        let found = meters.iter().find(|m| m.meter_no == number).cloned();
        found.ok_or_else(|| Fault::not_found("meter", number))
    };
    let (old, new) = (of(&request.old_meter_no)?, of(&request.new_meter_no)?);
    if old.kind()?.commodity() != new.kind()?.commodity() {
        return Err(Fault::from(Refusal::MeterOfOtherService).field("new_meter_no"));
    }
    let row = last(&write, &scope, &old, agreement).await?;
    let ended = if row.end_date.is_some() {
        row
    } else {
        let text = request.final_index.as_ref().map(|d| d.value.as_str());
        if text.is_none() && old.kind()?.energy().is_none() {
            let at = last_moment(write.now(), day);
            estimate::file_final(&mut write, &desk, &old, &row, &supply, at).await?;
        }
        end_at(&mut write, &desk, &old, row, day, text, &request.reason).await?
    };
    let place = Place {
        meter: new,
        supply,
        from: day,
        index: request.initial_index.as_ref().map(|d| d.value.as_str()).unwrap_or_default(),
        photo_file: &request.photo_file,
        signed: request.signed,
        awaits_opening: false,
    };
    let begun = begin_at(&mut write, &place).await?;
    gone(&write, ended.id, day, Some(begun.id)).await?;
    write.subject(ended.id);
    write
        .commit(ExchangeMeterResponse {
            ended: Some(store::message(&ended)),
            begun: Some(store::message(&begun)),
        })
        .await
}

/// VerifyMeter.
pub async fn verify(desk: Desk, call: Call, request: VerifyMeterRequest) -> Result<VerifyMeterResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let verified = wire::date_of(request.verified_date.as_ref(), "verified_date")?;
    if verified > write.now().date() {
        return Err(Fault::from(Refusal::DateOrder).field("verified_date"));
    }
    let mut row = locked(&write, &Scope::of(&call), &request.meter_no).await?;
    rpc::check_etag(&request.etag, row.id, row.version)?;
    let (kind, gas) = (row.kind()?, row.gas_kind.as_deref().and_then(GasKind::of));
    may_verify(kind, row.qmax, row.verified_date)?;
    let given = wire::date_if(request.expires_date.as_ref(), "expires_date")?;
    let until = verified_until(verified, given, life_end(kind, gas, row.qmax, verified)).map_err(|r| Fault::from(r).field("expires_date"))?;
    row.state = step(row.state()?, Move::Verify)?.code().to_owned();
    row.verified_date = Some(verified);
    row.expires_date = until;
    row.version = row.version.saturating_add(1);
    table::update::<meter::Entity>(&write, row.clone()).await?;
    write.subject(row.id);
    write
        .commit(VerifyMeterResponse {
            meter: Some(store::meter_message(&row)?),
        })
        .await
}

async fn locked(write: &Write, scope: &Scope, meter_no: &str) -> Result<meter::Model, Fault> {
    store::lock(write, scope, &[meter_no])
        .await?
        .pop()
        .ok_or_else(|| Fault::not_found("meter", meter_no))
}

/// The fact that a meter was installed.
pub fn installed(row: &installation::Model) -> MeterInstalled {
    MeterInstalled {
        installation_id: row.id.to_string(),
        agreement_id: row.agreement_id.to_string(),
        meter_no: row.meter_no.clone(),
        from_date: Some(wire::date(row.from_date)),
        branch: row.branch.clone(),
    }
}
