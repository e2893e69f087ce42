//! The writes of contracts, one transaction each. Every one of them holds the lock of the vendor, as the steps of admission do.

use chrono::Datelike;
use contracts::hearth::vendor::v1::{
    self as proto, ApproveContractRequest, ApproveContractResponse, DraftContractRequest, DraftContractResponse, ResumeContractRequest, ResumeContractResponse,
    ReviewContractRequest, ReviewContractResponse, ReviseContractRequest, ReviseContractResponse, SignContractRequest, SignContractResponse,
    StartContractRequest, StartContractResponse, SuspendContractRequest, SuspendContractResponse, TerminateContractRequest, TerminateContractResponse,
    VendorContractSigned,
};
use database::{Begun, Scope, Write, numbers};
use ids::{ContractId, VendorId};
use rpc::{Call, Fault, wire};

use super::{
    model::{Action, Contract, Part, Standing, State, may_sign, segregated},
    store,
    wire::{authority_of, contract as view, terms_of},
};
use crate::{
    Desk, proceeding,
    refusal::Refusal,
    vendor::{self, Stage, Vendor},
};

/// Drafts a contract.
pub async fn draft(desk: Desk, call: Call, request: DraftContractRequest) -> Result<DraftContractResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let terms = terms_of(request.terms)?;
    let vendor = vendor::store::lock(&write, &vendor::store::scope(&call), wire::id_of("vendor_id", &request.vendor_id)?).await?;
    vendor.open_for_business()?;
    segregated(vendor::store::has_judged(&write, vendor.id, call.subject()).await?)?;
    let year = write.now().date().year();
    let number = numbers::next(&write, "VC", &request.branch, year, 1).await?;
    let contract = Contract {
        id: ContractId::new(),
        number: format!("VC-{}-{year}-{number:06}", request.branch),
        vendor: vendor.id,
        branch: request.branch,
        state: State::Draft,
        state_reason: String::new(),
        terms,
        signed: None,
        authorities: vec![],
        ended: None,
        version: 1,
        created: write.now(),
    };
    store::insert(&write, &contract).await?;
    store::take_part(&write, &contract, call.subject(), Part::Creator, write.now()).await?;
    write.subject(contract.id);
    let contract = seen(&write, &call, &contract).await?;
    write.commit(DraftContractResponse { contract }).await
}

/// Replaces the terms before signing.
pub async fn revise(desk: Desk, call: Call, request: ReviseContractRequest) -> Result<ReviseContractResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let terms = terms_of(request.terms)?;
    let (vendor, mut contract) = locked(&write, &call, &request.contract_id, &request.etag).await?;
    segregated(vendor::store::has_judged(&write, vendor.id, call.subject()).await?)?;
    contract.act(Action::Revise, "", write.now().date())?;
    contract.terms = terms;
    store::save(&write, &mut contract).await?;
    store::take_part(&write, &contract, call.subject(), Part::Creator, write.now()).await?;
    write.subject(contract.id);
    let contract = seen(&write, &call, &contract).await?;
    write.commit(ReviseContractResponse { contract }).await
}

/// Records a review.
pub async fn review(desk: Desk, call: Call, request: ReviewContractRequest) -> Result<ReviewContractResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let (_, mut contract) = locked(&write, &call, &request.contract_id, &request.etag).await?;
    act(&mut write, &mut contract, Action::Review, &request.opinion).await?;
    let contract = seen(&write, &call, &contract).await?;
    write.commit(ReviewContractResponse { contract }).await
}

/// Approves a reviewed contract.
pub async fn approve(desk: Desk, call: Call, request: ApproveContractRequest) -> Result<ApproveContractResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let (vendor, mut contract) = locked(&write, &call, &request.contract_id, &request.etag).await?;
    segregated(vendor::store::has_judged(&write, vendor.id, call.subject()).await?)?;
    let parts = store::parts(&write, &[contract.id]).await?;
    if parts.iter().any(|taken| taken.part == Part::Creator && taken.subject == call.subject()) {
        return Err(Refusal::SecondPersonNeeded.into());
    }
    contract.act(Action::Approve, &request.opinion, write.now().date())?;
    store::save(&write, &mut contract).await?;
    store::take_part(&write, &contract, call.subject(), Part::Approver, write.now()).await?;
    write.subject(contract.id);
    let contract = seen(&write, &call, &contract).await?;
    write.commit(ApproveContractResponse { contract }).await
}

/// Signs an approved contract, behind the guards of F-04.
pub async fn sign(desk: Desk, call: Call, request: SignContractRequest) -> Result<SignContractResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let today = write.now().date();
    let signed = wire::date_of(request.signed_date.as_ref(), "signed_date")?;
    if signed > today {
        return Err(Fault::from(Refusal::DateInFuture).field("signed_date"));
    }
    let authorities = request.authorities.iter().map(authority_of).collect::<Result<Vec<_>, _>>()?;
    let (vendor, mut contract) = locked(&write, &call, &request.contract_id, &request.etag).await?;
    segregated(vendor::store::has_judged(&write, vendor.id, call.subject()).await?)?;
    contract.act(Action::Sign, "", today)?;
    may_sign(&contract.terms, standing(&write, &vendor, &contract).await?, &authorities, today)?;
    vendor::unlisted(&desk, &write, vendor.id).await?;
    (contract.signed, contract.authorities) = (Some(signed), authorities);
    store::save(&write, &mut contract).await?;
    store::take_part(&write, &contract, call.subject(), Part::Signer, write.now()).await?;
    write.subject(contract.id);
    let event = VendorContractSigned {
        contract_id: contract.id.to_string(),
        contract_no: contract.number.clone(),
        vendor_id: vendor.id.to_string(),
        category: contract.terms.category.number(),
        start_date: Some(wire::date(contract.terms.start)),
        end_date: Some(wire::date(contract.terms.end)),
    };
    write.event(contract.id, &event);
    let contract = seen(&write, &call, &contract).await?;
    write.commit(SignContractResponse { contract }).await
}

/// Puts a signed contract in force.
pub async fn start(desk: Desk, call: Call, request: StartContractRequest) -> Result<StartContractResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let (vendor, mut contract) = locked(&write, &call, &request.contract_id, &request.etag).await?;
    contract.start(standing(&write, &vendor, &contract).await?, write.now().date())?;
    store::save(&write, &mut contract).await?;
    write.subject(contract.id);
    let contract = seen(&write, &call, &contract).await?;
    write.commit(StartContractResponse { contract }).await
}

/// Suspends a contract that is in force.
pub async fn suspend(desk: Desk, call: Call, request: SuspendContractRequest) -> Result<SuspendContractResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let (_, mut contract) = locked(&write, &call, &request.contract_id, &request.etag).await?;
    act(&mut write, &mut contract, Action::Suspend, &request.reason).await?;
    let contract = seen(&write, &call, &contract).await?;
    write.commit(SuspendContractResponse { contract }).await
}

/// Resumes a suspended contract, if the vendor still stands.
pub async fn resume(desk: Desk, call: Call, request: ResumeContractRequest) -> Result<ResumeContractResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let (vendor, mut contract) = locked(&write, &call, &request.contract_id, &request.etag).await?;
    contract.act(Action::Resume, &request.reason, write.now().date())?;
    standing(&write, &vendor, &contract).await?.admitted()?;
    store::save(&write, &mut contract).await?;
    write.subject(contract.id);
    let contract = seen(&write, &call, &contract).await?;
    write.commit(ResumeContractResponse { contract }).await
}

/// Ends a contract before its term.
pub async fn terminate(desk: Desk, call: Call, request: TerminateContractRequest) -> Result<TerminateContractResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let (vendor, mut contract) = locked(&write, &call, &request.contract_id, &request.etag).await?;
    act(&mut write, &mut contract, Action::Terminate, &request.reason).await?;
    proceeding::contract_ended(&mut write, vendor.id, contract.id).await?;
    let contract = seen(&write, &call, &contract).await?;
    write.commit(TerminateContractResponse { contract }).await
}

/// Does what the table allows, and keeps it. Called under the vendor's lock.
pub(crate) async fn act(write: &mut Write, contract: &mut Contract, action: Action, reason: &str) -> Result<(), Fault> {
    contract.act(action, reason, write.now().date())?;
    store::save(write, contract).await?;
    write.subject(contract.id);
    Ok(())
}

/// The contract of a request in the version that the caller has seen, under the lock of its vendor. The first look finds the vendor
/// only; what counts is read under the lock.
async fn locked(write: &Write, call: &Call, id: &str, etag: &str) -> Result<(Vendor, Contract), Fault> {
    let (scope, id) = (Scope::of(call), wire::id_of("contract_id", id)?);
    let vendor: VendorId = store::load(write, &scope, id).await?.vendor;
    let vendor = vendor::store::lock(write, &vendor::store::scope(call), vendor).await?;
    let contract = store::load(write, &scope, id).await?;
    rpc::check_etag(etag, contract.id, contract.version)?;
    Ok((vendor, contract))
}

/// A contract within the caller's scope, under the lock of its vendor.
pub(crate) async fn locked_for(write: &Write, call: &Call, id: ContractId) -> Result<Contract, Fault> {
    let vendor = store::load(write, &Scope::of(call), id).await?.vendor;
    vendor::store::lock(write, &vendor::store::scope(call), vendor).await?;
    store::load(write, &Scope::of(call), id).await
}

async fn standing(write: &Write, vendor: &Vendor, contract: &Contract) -> Result<Standing, Fault> {
    let qualifications = vendor::store::qualifications(write, &[vendor.id]).await?;
    let granted = qualifications
        .iter()
        .filter(|q| q.category == contract.terms.category && q.stage == Stage::Granted);
    Ok(Standing {
        vendor: vendor.state,
        qualified_to: granted.filter_map(|q| q.valid_to).max(),
    })
}

async fn seen(write: &Write, call: &Call, contract: &Contract) -> Result<Option<proto::Contract>, Fault> {
    let parts = store::parts(write, &[contract.id]).await?;
    Ok(Some(view(call, contract, &parts, write.now().date())))
}
