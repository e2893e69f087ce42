//! Writes about meters.

use calendar::Instant;
use contracts::hearth::{
    billing::v1::{
        InstallMeterRequest, InstallMeterResponse, MeterInstalled, RegisterMeterRequest, RegisterMeterResponse, RemoveInstallationRequest,
        RemoveInstallationResponse,
    },
    options::v1::Role,
};
use database::{Begun, Scope, Write, find};
use money::Volume;
use rpc::{Call, Fault, wire};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use uuid::Uuid;

use super::{
    model::{MeterKind, MeterState, Move, may_install, step},
    store::{self, NewMeter, installation, meter},
};
use crate::{
    Desk, Refusal,
    reading::{chain, model::index_of, store::reading},
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
    if verified_date.zip(expires_date).is_some_and(|(verified, expires)| expires < verified) {
        return Err(Fault::from(Refusal::DateOrder).field("expires_date"));
    }
    let row = meter::Model {
        verified_date,
        expires_date,
        manufacturer: request.manufacturer.clone(),
        seal_no: request.seal_no.clone(),
        ..new.row()
    };
    table::insert::<meter::Entity>(&*write, row.clone()).await?;
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
    let from = wire::date_of(request.from_date.as_ref(), "from_date")?;
    let agreement: Uuid = wire::id_of("agreement_id", &request.agreement_id)?;
    let meter = locked(&write, &scope, &request.meter_no).await?;
    let supply = supply::store::supply(&*write, &scope, agreement).await?;
    let text = request.initial_index.as_ref().map(|d| d.value.as_str()).unwrap_or_default();
    let initial = index_of(text, meter.kind()?, meter.register()).map_err(|r| Fault::from(r).field("initial_index"))?;
    if let Some(live) = store::live(&*write, meter.id).await?
        && live.agreement_id == agreement
        && live.initial_index == initial
        && (live.from_date == from || !live.awaits_opening)
    {
        // The same installation again, by another key: a saga that was killed between the call and its own commit.
        write.subject(live.id);
        return write
            .commit(InstallMeterResponse {
                installation: Some(store::message(&live)),
            })
            .await;
    }
    if supply.state == SupplyState::Ended.code() || supply.state == SupplyState::Voided.code() {
        return Err(Refusal::SupplyNotLive.into());
    }
    if supply.service != meter.kind()?.service().code() {
        return Err(Refusal::MeterOfOtherService.into());
    }
    step(meter.state()?, Move::Install)?;
    may_install(meter.verified_date, meter.expires_date, from)?;
    if !request.signed {
        return Err(Fault::from(Refusal::SignatureMissing).field("signed"));
    }
    let row = installation::Model {
        id: Uuid::now_v7(),
        meter_id: meter.id,
        meter_no: meter.meter_no.clone(),
        agreement_id: agreement,
        account_no: supply.account_no.clone(),
        branch: supply.branch.clone(),
        from_date: from,
        end_date: None,
        initial_index: initial,
        final_index: None,
        photo_file: request.photo_file.clone(),
        signed: request.signed,
        awaits_opening: call.has(Role::ServiceHall),
        end_reason: String::new(),
        created_at: write.now().micros(),
    };
    table::insert::<installation::Entity>(&*write, row.clone()).await?;
    store::set_state(&*write, &meter, MeterState::Installed).await?;
    write.subject(row.id);
    write.event(agreement, &installed(&row));
    write
        .commit(InstallMeterResponse {
            installation: Some(store::message(&row)),
        })
        .await
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
    let last = find::<installation::Entity>(&scope)
        .filter(installation::Column::MeterId.eq(meter.id))
        .filter(installation::Column::AgreementId.eq(agreement))
        .order_by_desc(installation::Column::CreatedAt)
        .order_by_desc(installation::Column::Id)
        .one(&*write)
        .await?;
    let mut row = last.ok_or_else(|| Fault::not_found("installation", &request.meter_no))?;
    if row.end_date.is_some() {
        write.subject(row.id);
        return write
            .commit(RemoveInstallationResponse {
                installation: Some(store::message(&row)),
            })
            .await;
    }
    if end < row.from_date {
        return Err(Fault::from(Refusal::DateOrder).field("end_date"));
    }
    let reads = reading::Entity::find()
        .filter(reading::Column::InstallationId.eq(row.id))
        .order_by_desc(reading::Column::ReadAt)
        .all(&*write)
        .await?;
    if reads.iter().any(|r| r.read_date > end) {
        return Err(Refusal::InstallationHasLaterRead.into());
    }
    let final_index = match &request.final_index {
        Some(index) => Some(index_of(&index.value, meter.kind()?, meter.register()).map_err(|r| Fault::from(r).field("final_index"))?),
        None => None,
    };
    // An installation that was never used goes back as if it had not been.
    let unused = reads.is_empty() && final_index.is_none_or(|f| f == row.initial_index);
    // A heat meter has no chain of readings: its last index counts at the settlement of the season.
    if let Some(value) = final_index.filter(|_| !unused && meter.kind().is_ok_and(|kind| kind.energy().is_none())) {
        let text = request.final_index.as_ref().map(|d| d.value.as_str()).unwrap_or_default();
        let at = write.now().min(Instant::end_of(end));
        let at = if at.date() == end { at } else { Instant::end_of(end) };
        chain::file_final(&mut write, &desk, &meter, &row, at, value, text).await?;
    }
    let state = step(meter.state()?, if unused { Move::Undo } else { Move::Remove })?;
    row.end_date = Some(end);
    row.final_index = final_index;
    row.end_reason.clone_from(&request.reason);
    table::update::<installation::Entity>(&*write, row.clone()).await?;
    store::set_state(&*write, &meter, state).await?;
    write.subject(row.id);
    write
        .commit(RemoveInstallationResponse {
            installation: Some(store::message(&row)),
        })
        .await
}

async fn locked(write: &Write, scope: &Scope, meter_no: &str) -> Result<meter::Model, Fault> {
    store::lock(&**write, scope, &[meter_no])
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
