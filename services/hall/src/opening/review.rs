//! The pre-opening review (E4-02): each item is resolved to a stored fact, here, in archive or in billing. The caller names facts; none is
//! believed.

use contracts::hearth::{
    archive::v1::{Agreement, GetAgreementRequest, agreement, agreement_service_client::AgreementServiceClient},
    billing::v1::{GetMeterByNumberRequest, Installation, Meter, meter, meter_service_client::MeterServiceClient},
    hall::v1::{PassReviewRequest, PassReviewResponse},
};
use database::{Begun, Scope, Write};
use rpc::{Call, Fault, wire};
use uuid::Uuid;

use super::{
    model::{Action, Item, is_non_resident},
    ops::{advance, check_step, load},
    store::{self, Opening, Reviewed},
};
use crate::{
    Desk,
    acceptance::{self, model},
    codes::Code,
    estate, fields,
    refusal::Refusal,
    rows::Packed,
};

/// What archive and billing know; absent where they know nothing.
struct Known {
    agreement: Option<Agreement>,
    meter: Option<(Meter, Option<Installation>)>,
}

pub async fn pass(desk: Desk, call: Call, request: PassReviewRequest) -> Result<PassReviewResponse, Fault> {
    // Asked before the transaction; a replay does not need the answer.
    let known = ask(&desk, &call, &request).await;
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut opening = load(&write, &call, &request.opening_id, &request.etag).await?;
    check_step(&opening, Action::PassReview)?;
    let review = items(&write, &Scope::of(&call), &opening, &request, &known?).await?;
    let failed: Vec<_> = review.iter().filter(|item| !item.passed).map(|item| item.item.code()).collect();
    if !failed.is_empty() {
        return Err(failed
            .iter()
            .fold(Fault::from(Refusal::PreReviewIncomplete), |fault, item| fault.field(*item))
            .meta("failed", failed.join(",")));
    }
    opening.review = Packed(review);
    opening.meter_no = request.meter_no;
    advance(&mut write, &mut opening, Action::PassReview, "").await?;
    let opening = store::whole(&write, &opening).await?;
    write.commit(PassReviewResponse { opening: Some(opening) }).await
}

async fn ask(desk: &Desk, call: &Call, request: &PassReviewRequest) -> Result<Known, Fault> {
    // As the service itself: inspectors may pass the review and need no rights to agreements or meters for it.
    let own = call.in_own_name("pre-opening-review");
    let id = fields::id("opening_id", &request.opening_id)?;
    let Ok(opening) = store::get(desk.db.reader(), &Scope::of(call), id).await else {
        return Ok(Known { agreement: None, meter: None });
    };
    let agreement = match opening.agreement_id {
        Some(id) => {
            let question = GetAgreementRequest {
                agreement_id: id.to_string(),
                ..GetAgreementRequest::default()
            };
            let answer = AgreementServiceClient::new(desk.archive.channel())
                .get_agreement(desk.archive.request(&own, question))
                .await;
            found(answer.map_err(|status| desk.archive.fault(status)))?.and_then(|answer| answer.agreement)
        }
        None => None,
    };
    let question = GetMeterByNumberRequest {
        meter_no: request.meter_no.clone(),
    };
    let answer = MeterServiceClient::new(desk.billing.channel())
        .get_meter_by_number(desk.billing.request(&own, question))
        .await;
    let meter = found(answer.map_err(|status| desk.billing.fault(status)))?.and_then(|answer| answer.meter.map(|meter| (meter, answer.installation)));
    Ok(Known { agreement, meter })
}

/// What a service does not know is no fact; that it does not answer is no answer.
fn found<T>(answer: Result<tonic::Response<T>, Fault>) -> Result<Option<T>, Fault> {
    match answer {
        Ok(answer) => Ok(Some(answer.into_inner())),
        Err(fault) if fault.code() == rpc::Code::NotFound => Ok(None),
        Err(fault) => Err(fault),
    }
}

async fn items(write: &Write, scope: &Scope, opening: &Opening, request: &PassReviewRequest, known: &Known) -> Result<Vec<Reviewed>, Fault> {
    let today = write.now().date();
    let item = |item, fact_kind: &str, fact_id: &str, passed| Reviewed {
        item,
        fact_kind: fact_kind.to_owned(),
        fact_id: fact_id.to_owned(),
        passed,
    };

    let agreement_id = fields::text(opening.agreement_id);
    let agreement = known.agreement.as_ref().filter(|agreement| is_ours(agreement, opening));
    let signed = agreement.is_some_and(|agreement| matches!(agreement.state(), agreement::State::Signed | agreement::State::InForce));

    let meter = known.meter.as_ref().filter(|(meter, _)| meter.branch == opening.branch);
    let free = meter.is_some_and(|(meter, installation)| meter.state() == meter::State::InStore && installation.is_none());
    let meter = meter.map(|(meter, _)| meter);
    let verified = meter
        .and_then(|meter| wire::date_of(meter.verified_date.as_ref(), "verified_date").ok())
        .is_some_and(|day| day <= today);
    let in_life = meter
        .and_then(|meter| wire::date_of(meter.expires_date.as_ref(), "expires_date").ok())
        .is_some_and(|day| day >= today);
    let sealed = meter.is_some_and(|meter| !meter.seal_no.trim().is_empty());

    let pipe_id = fields::id("pipe_acceptance_id", &request.pipe_acceptance_id)?;
    let pipe = acceptance::store::last_pipe(write, opening.service_point_id).await?;
    let pipe = pipe.is_some_and(|row| row.id == pipe_id && row.passed && row.branch == opening.branch);

    let current = acceptance::store::appliances_at(write, opening.service_point_id).await?;
    let accepted = !current.is_empty() && current.iter().all(|row| row.passed && opening.appliances.0.contains(&row.id));
    let profile = acceptance::store::profile(write, !opening.non_resident, today).await?;
    let devices = !current.is_empty() && current.iter().all(|row| model::has_safety_devices(&row.appliance.0, &profile));
    let room = !current.is_empty() && current.iter().all(|row| model::room_is_allowed(&row.appliance.0));
    let appliances = current.iter().map(|row| row.id.to_string()).collect::<Vec<_>>().join(" ");

    let presence_id = fields::id("presence_id", &request.presence_id)?;
    let present = store::presence(write, opening.id, presence_id).await?.is_some_and(|row| row.adult);

    let estate_id = fields::id("estate_id", &request.estate_id)?;
    let inspection = last_inspection(write, scope, opening, estate_id).await?;

    Ok(vec![
        item(Item::AgreementSigned, "archive.agreement", &agreement_id, signed),
        item(Item::AccountAndMeterRegistered, "billing.meter", &request.meter_no, agreement.is_some() && free),
        item(Item::MeterVerified, "billing.meter", &request.meter_no, verified),
        item(Item::MeterInLife, "billing.meter", &request.meter_no, in_life),
        item(Item::SealRecorded, "billing.meter", &request.meter_no, sealed),
        item(Item::PipeAccepted, "hall.pipe_acceptance", &request.pipe_acceptance_id, pipe),
        item(Item::ApplianceAccepted, "hall.appliance_acceptance", &appliances, accepted),
        item(Item::SafetyDevices, "hall.appliance_acceptance", &appliances, devices),
        item(Item::PremisesUse, "hall.appliance_acceptance", &appliances, room),
        item(Item::UserPresent, "hall.presence", &request.presence_id, present),
        item(Item::EstateInspected, "hall.estate_inspection", &fields::text(inspection), inspection.is_some()),
    ])
}

/// Whether an agreement is for what is to be opened; its class decides again whether the stricter rules hold.
fn is_ours(agreement: &Agreement, opening: &Opening) -> bool {
    agreement.account_id == opening.account_id.to_string()
        && agreement.service_point_id == opening.service_point_id.to_string()
        && is_non_resident(&agreement.use_class) == opening.non_resident
}

/// The last inspection of the estate, if it passed and the premises lie there by archive's word.
async fn last_inspection(write: &Write, scope: &Scope, opening: &Opening, estate: Uuid) -> Result<Option<Uuid>, Fault> {
    let estate = match estate::store::get(write, scope, estate).await {
        Ok(estate) => estate,
        Err(fault) if fault.code() == rpc::Code::NotFound => return Ok(None),
        Err(fault) => return Err(fault),
    };
    if estate.branch != opening.branch || estate.community_code != opening.community_code {
        return Ok(None);
    }
    let inspections = estate::store::inspections(write, estate.id).await?;
    Ok(inspections.last().filter(|inspection| inspection.passed).map(|inspection| inspection.id))
}
