//! The writes of proceedings. Every one of them holds the lock of the vendor.

use chrono::NaiveDate;
use contracts::hearth::vendor::v1::{DecideProceedingRequest, DecideProceedingResponse};
use database::{Begun, Scope, Write};
use ids::{ContractId, VendorId};
use rpc::{Call, Fault, wire};

use super::{
    model::{Kind, Measure, Proceeding, State},
    store,
    wire::proceeding as view,
};
use crate::{
    Desk, assessment,
    contract::{self, Action as ContractAction, Contract, State as ContractState},
    keys::{AssessmentId, ProceedingId},
    refusal::Refusal,
    vendor::{self, State as VendorState, Vendor, wire::unknown},
};

/// Decides, and carries out what was decided.
pub async fn decide(desk: Desk, call: Call, request: DecideProceedingRequest) -> Result<DecideProceedingResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let (now, scope) = (write.now(), Scope::of(&call));
    let measure = Measure::of_number(request.measure).ok_or_else(|| unknown("measure"))?;
    let id: ProceedingId = wire::id_of("proceeding_id", &request.proceeding_id)?;
    // The first look finds the vendor only.
    let vendor = store::load(&write, &scope, id).await?.vendor;
    let vendor = vendor::store::lock(&write, &Scope::everything(), vendor).await?;
    let mut proceeding = store::load(&write, &scope, id).await?;
    rpc::check_etag(&request.etag, proceeding.id, proceeding.version)?;
    proceeding
        .decide(measure, request.reason.clone(), call.subject(), now)
        .map_err(|refusal| match refusal {
            Refusal::Measure => Fault::from(refusal).field("measure"),
            other => other.into(),
        })?;
    if let Some(assessment) = proceeding.assessment {
        final_and_not_by(&write, assessment, call.subject(), now.date()).await?;
    }
    store::save(&write, &mut proceeding).await?;
    write.subject(proceeding.id);
    carry_out(&mut write, vendor, &proceeding, &request.reason).await?;
    let proceeding = Some(view(&proceeding));
    write.commit(DecideProceedingResponse { proceeding }).await
}

/// A score that may still change decides nothing, and whoever gave it does not decide (F-08).
async fn final_and_not_by(write: &Write, assessment: AssessmentId, subject: &str, today: NaiveDate) -> Result<(), Fault> {
    let assessment = assessment::store::load(write, &Scope::everything(), assessment).await?;
    if !assessment.is_frozen(today) {
        return Err(Refusal::AssessmentState.into());
    }
    if assessment.assessor == subject {
        return Err(Refusal::SecondPersonNeeded.into());
    }
    Ok(())
}

/// Takes the measure, where it was not taken before.
async fn carry_out(write: &mut Write, mut vendor: Vendor, proceeding: &Proceeding, reason: &str) -> Result<(), Fault> {
    let Some(measure) = proceeding.measure else { return Ok(()) };
    match (proceeding.kind, measure) {
        (_, Measure::None) => Ok(()),
        (Kind::ContractReview, measure) => {
            let (action, done) = match measure {
                Measure::Terminate => (ContractAction::Terminate, ContractState::Terminated),
                _ => (ContractAction::Suspend, ContractState::Suspended),
            };
            let mut contract = contract::store::load(write, &Scope::everything(), proceeding.contract).await?;
            if contract.on(write.now().date()) == done {
                return Ok(());
            }
            contract::act(write, &mut contract, action, reason).await
        }
        (_, Measure::Suspend) if vendor.state == VendorState::Suspended => Ok(()),
        (_, Measure::Exit) if matches!(vendor.state, VendorState::Exiting | VendorState::Exited) => Ok(()),
        (_, Measure::Exit) => vendor::leave(write, &mut vendor, reason).await,
        (_, _) => vendor::bar(write, &mut vendor, reason).await,
    }
}

/// Brings the proceedings of a vendor in line with its assessments: opens what a fail leads to and drops what is open and no longer
/// follows from one (F-07). Called under the vendor's lock, as often as one likes.
pub(crate) async fn assessed(write: &mut Write, vendor: VendorId) -> Result<(), Fault> {
    let now = write.now();
    let all = assessment::store::of_vendors(write, &[vendor]).await?;
    let led: Vec<_> = all
        .iter()
        .filter_map(|a| assessment::consequence(a, &all).map(|led| (a, Kind::of(led))))
        .collect();
    let known = store::of_vendor(write, vendor).await?;
    let mut fresh = vec![];
    for (a, kind) in &led {
        if !known.iter().any(|p| p.assessment == Some(a.id) && p.kind == *kind) {
            let contract = (a.contract, a.branch.as_str());
            fresh.push(Proceeding::open(*kind, vendor, contract, Some(a.id), now).map_err(Fault::internal)?);
        }
    }
    for mut proceeding in known {
        let follows = |(a, kind): &(&assessment::Assessment, Kind)| proceeding.assessment == Some(a.id) && proceeding.kind == *kind;
        if proceeding.state == State::Open && proceeding.assessment.is_some() && !led.iter().any(follows) {
            proceeding.drop("the score was raised", now)?;
            store::save(write, &mut proceeding).await?;
            write.subject(proceeding.id);
        }
    }
    opened(write, &fresh).await
}

/// Opens a review of every contract with a vendor that was put on the black list (G-11). Called under the vendor's lock.
pub(crate) async fn review_contracts(write: &mut Write, vendor: VendorId) -> Result<(), Fault> {
    let now = write.now();
    let contracts = contract::store::unended(write, vendor, now.date()).await?;
    let open = |c: &Contract| Proceeding::open(Kind::ContractReview, vendor, (c.id, &c.branch), None, now);
    let fresh: Vec<_> = contracts.iter().map(open).collect::<Result<_, _>>().map_err(Fault::internal)?;
    opened(write, &fresh).await
}

/// Lets the review of a contract fall that has ended meanwhile. Called under the vendor's lock.
pub(crate) async fn contract_ended(write: &mut Write, vendor: VendorId, contract: ContractId) -> Result<(), Fault> {
    let now = write.now();
    for mut proceeding in store::of_vendor(write, vendor).await? {
        if proceeding.kind == Kind::ContractReview && proceeding.contract == contract && proceeding.state == State::Open {
            proceeding.drop("the contract has ended", now)?;
            store::save(write, &mut proceeding).await?;
            write.subject(proceeding.id);
        }
    }
    Ok(())
}

async fn opened(write: &mut Write, fresh: &[Proceeding]) -> Result<(), Fault> {
    store::insert(write, fresh).await?;
    for proceeding in fresh {
        write.subject(proceeding.id);
    }
    Ok(())
}
