//! The steps of an opening in archive and billing: agreement, installation, and their compensation. Each is taken outside a transaction
//! under a key that never changes; what came of it is kept in one transaction with the next step.

use calendar::NaiveDate;
use contracts::hearth::{
    archive::v1::{ActivateAgreementRequest, Service, SignAgreementRequest, VoidAgreementRequest, agreement_service_client::AgreementServiceClient},
    billing::v1::{InstallMeterRequest, RemoveInstallationRequest, meter_service_client::MeterServiceClient},
    hall::v1::GasOpened,
};
use database::{Scope, Write};
use money::Volume;
use rpc::{Call, Fault, wire};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    model::{Action, SignMethod, State},
    ops::{APPLY, advance},
    store::{self, Opening},
};
use crate::{
    Desk, callback,
    callback::{
        model::{Cause, Contact},
        plan::Happening,
    },
    codes::Code,
    complaint::model::Utility,
    order,
    step::{
        model::Kind,
        store::{self as steps, Step},
    },
    story,
};

/// What the customer signed.
#[derive(Serialize, Deserialize)]
pub struct Terms {
    pub template_id: Uuid,
    pub template_version: i32,
    pub signed_on: NaiveDate,
    pub sign_method: SignMethod,
    pub flagged: Vec<String>,
}

/// Takes a step and keeps what came of it.
pub async fn take(desk: &Desk, call: &Call, step: &Step) -> Result<(), Fault> {
    let opening = store::get(desk.db.reader(), &Scope::everything(), step.story_id).await?;
    let agreement = match step.kind {
        Kind::SignAgreement => Some(sign(desk, call, step, &opening).await?),
        Kind::InstallMeter => install(desk, call, step, &opening).await.map(|()| None)?,
        Kind::ActivateAgreement => activate(desk, call, step, &opening).await.map(|()| None)?,
        Kind::RemoveInstallation => remove(desk, call, step, &opening).await.map(|()| None)?,
        Kind::VoidAgreement => void(desk, call, step, &opening).await.map(|()| None)?,
        Kind::CheckVendorPerson => return Err(Fault::internal("a step of orders in an opening")),
    };

    let mut write = desk.db.open(call).await?;
    let Some(step) = steps::lock_pending(&write, step.id).await? else {
        return Ok(());
    };
    let mut opening = store::lock(&write, &Scope::everything(), step.story_id).await?;
    let kind = step.kind;
    steps::done(&write, step).await?;
    write.subject(opening.id);
    match kind {
        Kind::SignAgreement => {
            opening.agreement_id = agreement;
            after_signing(&mut write, &mut opening).await?;
        }
        Kind::InstallMeter => {
            opening.installed = true;
            opening.save(&write).await?;
            steps::add(&write, Kind::ActivateAgreement, opening.id, &opening.branch, &()).await?;
        }
        Kind::ActivateAgreement => after_activation(&mut write, &mut opening).await?,
        Kind::RemoveInstallation => {
            opening.installed = false;
            opening.save(&write).await?;
            compensate(&write, &opening).await?;
        }
        Kind::VoidAgreement | Kind::CheckVendorPerson => {}
    }
    write.close().await?;
    desk.bell.notify_one();
    Ok(())
}

/// Takes back what a cancelled opening left in other services: last done, first undone.
pub async fn compensate(write: &Write, opening: &Opening) -> Result<(), Fault> {
    let kind = match (opening.installed, opening.agreement_id) {
        (true, _) => Kind::RemoveInstallation,
        (false, Some(_)) => Kind::VoidAgreement,
        (false, None) => return Ok(()),
    };
    steps::add(write, kind, opening.id, &opening.branch, &()).await
}

/// An opening that was cancelled while archive was signing has an agreement to void.
async fn after_signing(write: &mut Write, opening: &mut Opening) -> Result<(), Fault> {
    if opening.state == State::Cancelled {
        opening.save(write).await?;
        return compensate(write, opening).await;
    }
    advance(write, opening, Action::SignContract, "").await
}

async fn after_activation(write: &mut Write, opening: &mut Opening) -> Result<(), Fault> {
    advance(write, opening, Action::Open, "").await?;
    // C-02: whoever moved it does not call, at the counter or on site; whoever only took it down may.
    let moves = story::of(write, opening.id).await?;
    let mut handlers: Vec<String> = moves.into_iter().filter(|step| step.action != APPLY).map(|step| step.actor).collect();
    if let Some(id) = opening.order_id {
        let mut order = order::store::lock(write, &Scope::everything(), id).await?;
        order::ops::take(write, &mut order, order::model::Action::Complete, "").await?;
        order::ops::done(write, &order).await?;
        handlers.extend(order::ops::handlers(write, &order).await?);
    }
    let event = GasOpened {
        opening_id: opening.id.to_string(),
        agreement_id: agreement(opening)?,
        account_id: opening.account_id.to_string(),
        service_point_id: opening.service_point_id.to_string(),
        meter_no: opening.meter_no.clone(),
        opened_date: opening.opened_on.map(wire::date),
    };
    write.event(opening.id, &event);
    let happening = Happening {
        cause: Cause::GasOpened,
        about: opening.id,
        account: Some(opening.account_id),
        branch: &opening.branch,
        handlers,
        vendor: None,
        utility: Some(Utility::Gas),
        hazard: false,
        contact: Contact::Known,
    };
    callback::plan::plan(write, happening).await.map(|_| ())
}

async fn sign(desk: &Desk, call: &Call, step: &Step, opening: &Opening) -> Result<Uuid, Fault> {
    let terms: Terms = step.input()?;
    let request = SignAgreementRequest {
        request_id: step.request_id(),
        account_id: opening.account_id.to_string(),
        service_point_id: opening.service_point_id.to_string(),
        service: Service::Gas.into(),
        template_id: terms.template_id.to_string(),
        template_version: terms.template_version,
        use_class: opening.use_class.clone(),
        start_date: None,
        signed_date: Some(wire::date(terms.signed_on)),
        sign_method: terms.sign_method.number(),
        flagged_clauses_acknowledged: terms.flagged,
    };
    let answer = AgreementServiceClient::new(desk.archive.channel())
        .sign_agreement(desk.archive.request(call, request))
        .await;
    let agreement = answer.map_err(|status| desk.archive.fault(status))?.into_inner().agreement.unwrap_or_default();
    Uuid::try_parse(&agreement.agreement_id).map_err(Fault::internal)
}

async fn install(desk: &Desk, call: &Call, step: &Step, opening: &Opening) -> Result<(), Fault> {
    let index = opening.initial_index.ok_or_else(|| Fault::internal("an opening was signed without an index"))?;
    let request = InstallMeterRequest {
        request_id: step.request_id(),
        meter_no: opening.meter_no.clone(),
        agreement_id: agreement(opening)?,
        from_date: Some(wire::date(opened_on(opening)?)),
        initial_index: Some(wire::decimal(Volume::from_litres(index).short())),
        photo_file: opening.photo_file_id.clone(),
        signed: !opening.signature_file_id.is_empty(),
    };
    let answer = MeterServiceClient::new(desk.billing.channel())
        .install_meter(desk.billing.request(call, request))
        .await;
    answer.map(|_| ()).map_err(|status| desk.billing.fault(status))
}

async fn activate(desk: &Desk, call: &Call, step: &Step, opening: &Opening) -> Result<(), Fault> {
    let request = ActivateAgreementRequest {
        request_id: step.request_id(),
        agreement_id: agreement(opening)?,
        etag: None,
        from_date: Some(wire::date(opened_on(opening)?)),
    };
    let answer = AgreementServiceClient::new(desk.archive.channel())
        .activate_agreement(desk.archive.request(call, request))
        .await;
    answer.map(|_| ()).map_err(|status| desk.archive.fault(status))
}

async fn remove(desk: &Desk, call: &Call, step: &Step, opening: &Opening) -> Result<(), Fault> {
    let request = RemoveInstallationRequest {
        request_id: step.request_id(),
        meter_no: opening.meter_no.clone(),
        agreement_id: agreement(opening)?,
        final_index: None,
        // The day of installation: nothing was supplied.
        end_date: Some(wire::date(opened_on(opening)?)),
        reason: "OPENING_GIVEN_UP".to_owned(),
    };
    let answer = MeterServiceClient::new(desk.billing.channel())
        .remove_installation(desk.billing.request(call, request))
        .await;
    answer.map(|_| ()).map_err(|status| desk.billing.fault(status))
}

async fn void(desk: &Desk, call: &Call, step: &Step, opening: &Opening) -> Result<(), Fault> {
    let request = VoidAgreementRequest {
        request_id: step.request_id(),
        agreement_id: agreement(opening)?,
        etag: None,
        reason: "OPENING_GIVEN_UP".to_owned(),
    };
    let answer = AgreementServiceClient::new(desk.archive.channel())
        .void_agreement(desk.archive.request(call, request))
        .await;
    answer.map(|_| ()).map_err(|status| desk.archive.fault(status))
}

fn agreement(opening: &Opening) -> Result<String, Fault> {
    opening
        .agreement_id
        .map(|id| id.to_string())
        .ok_or_else(|| Fault::internal("an opening without an agreement"))
}

fn opened_on(opening: &Opening) -> Result<NaiveDate, Fault> {
    opening.opened_on.ok_or_else(|| Fault::internal("an opening without a day"))
}
