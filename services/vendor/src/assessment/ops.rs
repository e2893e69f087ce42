//! The writes of assessments, one transaction each. Every one of them holds the lock of the vendor.

use calendar::Instant;
use contracts::hearth::vendor::v1::{
    self as proto, AssessContractRequest, AssessContractResponse, DecideObjectionRequest, DecideObjectionResponse, ObjectToAssessmentRequest,
    ObjectToAssessmentResponse, VendorAssessed,
};
use database::{Begun, Conn, Scope, Write};
use ids::{ContractId, VendorId};
use rpc::{Call, Fault, wire};

use super::{
    draft::draw,
    model::{Assessment, Period, State, factor, founded, objection_due, rectification},
    store,
    wire::{Around, assessment as view, led_to, scores_of},
};
use crate::{
    Desk, contract,
    keys::AssessmentId,
    offer::{self, Decided},
    proceeding,
    refusal::Refusal,
    remedy, settlement, vendor,
};

/// Scores a period that is over.
pub async fn assess(desk: Desk, call: Call, request: AssessContractRequest) -> Result<AssessContractResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let now = write.now();
    let from = wire::date_of(request.from_date.as_ref(), "from_date")?;
    let to = wire::date_if(request.to_date.as_ref(), "to_date")?;
    let period = Period::of(request.milestone, from, to)?;
    let scores = request.scores.as_ref().map(scores_of).transpose()?;
    let id: ContractId = wire::id_of("contract_id", &request.contract_id)?;
    let contract = contract::locked_for(&write, &call, id).await?;
    contract.was_in_force(now.date())?;
    period.assessable((contract.terms.start, contract.terms.end), now.date())?;
    let draft = draw(&write, &contract, &period, now).await?;
    if draft.acceptors.iter().any(|by| by == call.subject()) {
        return Err(Refusal::AssessorAccepted.into());
    }
    let orders = draft.decided.len();
    let grade = period.grade(orders, scores)?;
    founded(scores, draft.proposed(), &request.findings).map_err(|refusal| Fault::from(refusal).field("findings"))?;
    let assessment = Assessment {
        id: AssessmentId::new(),
        contract: contract.id,
        vendor: contract.vendor,
        branch: contract.branch,
        grade,
        period,
        state: State::Scored,
        scores,
        findings: request.findings,
        orders: i32::try_from(orders).map_err(Fault::internal)?,
        assessor: call.subject().to_owned(),
        assessed: now,
        objection_due: objection_due(now.date()).map_err(Fault::internal)?,
        objection: String::new(),
        objected: None,
        upheld: None,
        decision_reason: String::new(),
        decider: None,
        version: 1,
    };
    store::insert(&write, &assessment).await?;
    tell(&mut write, &assessment).await?;
    follow(&mut write, &assessment).await?;
    let assessment = seen(&write, &call, &assessment).await?;
    write.commit(AssessContractResponse { assessment }).await
}

/// Takes the objection of the vendor.
pub async fn object(desk: Desk, call: Call, request: ObjectToAssessmentRequest) -> Result<ObjectToAssessmentResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut assessment = locked(&write, &call, &request.assessment_id, &request.etag).await?;
    assessment.object(request.objection, write.now())?;
    store::save(&write, &mut assessment).await?;
    remedy::pause(&mut write, assessment.id).await?;
    settlement::settle(&mut write, assessment.vendor).await?;
    write.subject(assessment.id);
    let assessment = seen(&write, &call, &assessment).await?;
    write.commit(ObjectToAssessmentResponse { assessment }).await
}

/// Decides on the objection and freezes the score.
pub async fn decide(desk: Desk, call: Call, request: DecideObjectionRequest) -> Result<DecideObjectionResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let upheld = match &request.scores {
        Some(scores) if request.upheld => Some(scores_of(scores)?),
        None if request.upheld => return Err(Fault::from(Refusal::ScoresMissing).field("scores")),
        _ => None,
    };
    let mut assessment = locked(&write, &call, &request.assessment_id, &request.etag).await?;
    let decided = decided_in(&write, assessment.vendor, &assessment.branch, &assessment.period).await?;
    if decided.iter().any(|work| work.by == call.subject()) {
        return Err(Refusal::SecondPersonNeeded.into());
    }
    assessment.decide(upheld, call.subject(), request.reason, write.now().date())?;
    store::save(&write, &mut assessment).await?;
    write.subject(assessment.id);
    if request.upheld {
        tell(&mut write, &assessment).await?;
    }
    follow(&mut write, &assessment).await?;
    let assessment = seen(&write, &call, &assessment).await?;
    write.commit(DecideObjectionResponse { assessment }).await
}

/// An assessment in the version that the caller has seen, under the lock of its vendor. The first look finds the vendor only.
async fn locked(write: &Write, call: &Call, id: &str, etag: &str) -> Result<Assessment, Fault> {
    let (scope, id) = (Scope::of(call), wire::id_of("assessment_id", id)?);
    let vendor = store::load(write, &scope, id).await?.vendor;
    vendor::store::lock(write, &vendor::store::scope(call), vendor).await?;
    let assessment = store::load(write, &scope, id).await?;
    rpc::check_etag(etag, assessment.id, assessment.version)?;
    Ok(assessment)
}

/// What was accepted and refused of a vendor's work at a branch in a period.
async fn decided_in(conn: &Conn, vendor: VendorId, branch: &str, period: &Period) -> Result<Vec<Decided>, Fault> {
    let (from, to) = (Instant::start_of(period.from), Instant::end_of(period.to));
    offer::store::decided(conn, vendor, branch, from, to).await
}

/// What an assessment leads to: a rectification with its holds, and proceedings about the vendor (F-07, F-09).
async fn follow(write: &mut Write, a: &Assessment) -> Result<(), Fault> {
    let told = remedy::Rectification {
        assessment: a.id,
        vendor: a.vendor,
        contract: a.contract,
        branch: &a.branch,
        by: &a.assessor,
        findings: &a.findings,
        needed: rectification(a.grade),
    };
    remedy::rectify(write, told).await?;
    proceeding::assessed(write, a.vendor).await?;
    settlement::settle(write, a.vendor).await
}

async fn tell(write: &mut Write, a: &Assessment) -> Result<(), Fault> {
    let all = store::of_vendors(write, &[a.vendor]).await?;
    let event = VendorAssessed {
        assessment_id: a.id.to_string(),
        contract_id: a.contract.to_string(),
        vendor_id: a.vendor.to_string(),
        from_date: Some(wire::date(a.period.from)),
        to_date: Some(wire::date(a.period.to)),
        grade: a.grade.number(),
        score_thousandths: a.scores.map(|s| s.total().thousandths()).unwrap_or_default(),
        factor_basis_points: factor(a.grade),
        consequence: led_to(a, &all),
    };
    write.subject(a.id);
    write.event(a.id, &event);
    Ok(())
}

async fn seen(write: &Write, call: &Call, assessment: &Assessment) -> Result<Option<proto::Assessment>, Fault> {
    let around = around(write, &[assessment.vendor]).await?;
    Ok(Some(view(call, assessment, &around, write.now().date())))
}

/// What the assessments of some vendors are shown with.
pub(super) async fn around(conn: &Conn, vendors: &[VendorId]) -> Result<Around, Fault> {
    Ok(Around {
        all: store::of_vendors(conn, vendors).await?,
        complaints: store::complaints(conn, vendors).await?,
        rectifications: remedy::store::of_vendors(conn, vendors).await?,
    })
}
