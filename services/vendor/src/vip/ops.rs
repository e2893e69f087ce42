//! The writes of VIP cases, one transaction each. Every one of them holds the lock of the vendor.

use contracts::hearth::{
    options::v1::Role,
    vendor::v1::{
        self as proto, ApplyVipRequest, ApplyVipResponse, DecideVipStepRequest, DecideVipStepResponse, ProposeVipRequest, ProposeVipResponse, ReviewVipRequest,
        ReviewVipResponse, VipDelisted, VipListed, WithdrawVipRequest, WithdrawVipResponse, vip_delisted::Cause,
    },
};
use database::{Begun, Scope, Write};
use ids::VendorId;
use rpc::{Call, Fault, wire};

use super::{
    model::{Action, Attestation, Case, Moment, Office, Route, State, may_open},
    store,
    wire::{attestation_of, case as view},
};
use crate::{
    Desk,
    keys::VipCaseId,
    refusal::Refusal,
    vendor::{self, State as VendorState, Vendor},
};

/// Submits the application of a vendor.
pub async fn apply(desk: Desk, call: Call, request: ApplyVipRequest) -> Result<ApplyVipResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let attestation = attestation_of(request.attestation)?;
    let case = open(&write, &call, &request.vendor_id, Route::Own, attestation).await?;
    store::insert(&write, &case).await?;
    found_at(&write, &case, Moment::Submission).await?;
    write.subject(case.id);
    let vip_case = seen(&write, &call, &case).await?;
    write.commit(ApplyVipResponse { vip_case }).await
}

/// Proposes a vendor, which is the step of the bidding centre.
pub async fn propose(desk: Desk, call: Call, request: ProposeVipRequest) -> Result<ProposeVipResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let attestation = attestation_of(request.attestation)?;
    let mut case = open(&write, &call, &request.vendor_id, Route::BiddingCentre, attestation).await?;
    case.decide(&[Office::BiddingCentre], call.subject(), true, request.reason, write.now())?;
    store::insert(&write, &case).await?;
    found_at(&write, &case, Moment::Submission).await?;
    write.subject(case.id);
    let vip_case = seen(&write, &call, &case).await?;
    write.commit(ProposeVipResponse { vip_case }).await
}

/// Takes the next step; the last approval lists the vendor if it is still eligible.
pub async fn decide(desk: Desk, call: Call, request: DecideVipStepRequest) -> Result<DecideVipStepResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    if !request.approved && request.opinion.is_empty() {
        return Err(Fault::from(Refusal::OpinionMissing).field("opinion"));
    }
    let (vendor, mut case) = locked(&write, &call, &request.vip_case_id, &request.etag).await?;
    let held = |office: &Office| Role::try_from(office.number()).is_ok_and(|role| call.has(role));
    let offices: Vec<_> = Office::ALL.iter().copied().filter(held).collect();
    case.decide(&offices, call.subject(), request.approved, request.opinion, write.now())?;
    if case.state == State::Listed {
        admitted(&vendor)?;
        found_at(&write, &case, Moment::Approval).await?;
        let event = VipListed {
            vendor_id: case.vendor.to_string(),
            vip_case_id: case.id.to_string(),
            route: case.route.number(),
            listed_date: case.listed.map(wire::date),
            review_due_date: case.review_due.map(wire::date),
        };
        write.event(case.vendor, &event);
    }
    store::save(&write, &mut case).await?;
    if let Some(step) = case.steps.last() {
        store::insert_step(&write, &case, step).await?;
    }
    write.subject(case.id);
    let vip_case = seen(&write, &call, &case).await?;
    write.commit(DecideVipStepResponse { vip_case }).await
}

/// Withdraws a case or gives the standing up.
pub async fn withdraw(desk: Desk, call: Call, request: WithdrawVipRequest) -> Result<WithdrawVipResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let named: VendorId = wire::id_of("vendor_id", &request.vendor_id)?;
    let (vendor, mut case) = locked(&write, &call, &request.vip_case_id, &request.etag).await?;
    if vendor.id != named {
        return Err(Fault::not_found("vip_case", case.id));
    }
    let was_listed = case.listed.is_some();
    case.close(Action::Withdraw, request.reason, write.now().date())?;
    store::save(&write, &mut case).await?;
    write.subject(case.id);
    if was_listed {
        write.event(case.vendor, &delisted(&case, Cause::Withdrawn));
    }
    let vip_case = seen(&write, &call, &case).await?;
    write.commit(WithdrawVipResponse { vip_case }).await
}

/// Reviews a VIP as of today (G-07).
pub async fn review(desk: Desk, call: Call, request: ReviewVipRequest) -> Result<ReviewVipResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let today = write.now().date();
    let renewed = request.attestation.map(|given| attestation_of(Some(given))).transpose()?;
    let (vendor, mut case) = locked(&write, &call, &request.vip_case_id, &request.etag).await?;
    if case.steps.last().is_some_and(|step| step.subject == call.subject()) {
        return Err(Refusal::SecondPersonNeeded.into());
    }
    let culture = renewed.as_ref().is_some_and(|given| given.counts_on(today) && *given != case.attestation);
    let evidence = store::evidence(&write, &vendor.uscc, Moment::Review, today, culture).await?;
    store::insert_evidence(&write, case.id, &evidence).await?;
    match (evidence.eligible(), renewed) {
        (Ok(()), Some(attestation)) => case.renew(attestation, today)?,
        (lost, _) => {
            let refusal = lost.err().unwrap_or(Refusal::VipCulture);
            case.close(Action::Delist, format!("{}: {}", refusal.message(), request.findings), today)?;
            write.event(case.vendor, &delisted(&case, Cause::ConditionLost));
        }
    }
    store::save(&write, &mut case).await?;
    write.subject(case.id);
    let vip_case = seen(&write, &call, &case).await?;
    write.commit(ReviewVipResponse { vip_case }).await
}

/// Takes the standing from a vendor that was put on the black list, and closes what it has applied for. Called under the vendor's lock.
pub(crate) async fn delist_blacklisted(write: &mut Write, vendor: VendorId) -> Result<(), Fault> {
    let today = write.now().date();
    for mut case in store::of_vendors(write, &[vendor]).await? {
        let reason = || "the vendor is on the black list".to_owned();
        match case.on(today) {
            State::Submitted => case.close(Action::Reject, reason(), today)?,
            State::Listed | State::ReviewDue => {
                case.close(Action::Delist, reason(), today)?;
                write.event(case.vendor, &delisted(&case, Cause::Blacklisted));
            }
            _ => continue,
        }
        store::save(write, &mut case).await?;
        write.subject(case.id);
    }
    Ok(())
}

/// A case that a vendor may have opened, if it may have one and is eligible today.
async fn open(write: &Write, call: &Call, vendor: &str, route: Route, attestation: Attestation) -> Result<Case, Fault> {
    let now = write.now();
    let vendor = vendor::store::lock(write, &vendor::store::scope(call), wire::id_of("vendor_id", vendor)?).await?;
    admitted(&vendor)?;
    may_open(&store::of_vendors(write, &[vendor.id]).await?, now.date())?;
    Ok(Case::submit(vendor.id, route, attestation, call.subject(), now))
}

fn admitted(vendor: &Vendor) -> Result<(), Refusal> {
    match vendor.state {
        VendorState::Admitted => Ok(()),
        VendorState::Blacklisted => Err(Refusal::VendorBlacklisted),
        _ => Err(Refusal::VendorNotAdmitted),
    }
}

/// Looks at the four conditions today, keeps what it finds, and refuses where one is not met.
async fn found_at(write: &Write, case: &Case, moment: Moment) -> Result<(), Fault> {
    let today = write.now().date();
    let vendor = vendor::store::load(write, &Scope::everything(), case.vendor).await?;
    let evidence = store::evidence(write, &vendor.uscc, moment, today, case.attestation.counts_on(today)).await?;
    evidence.eligible()?;
    store::insert_evidence(write, case.id, &evidence).await
}

/// A case in the version that the caller has seen, under the lock of its vendor. The first look finds the vendor only. VIPs hold for the
/// whole group, so the branch of a member of staff does not narrow them.
async fn locked(write: &Write, call: &Call, id: &str, etag: &str) -> Result<(Vendor, Case), Fault> {
    let scope = vendor::store::scope(call);
    let id: VipCaseId = wire::id_of("vip_case_id", id)?;
    let vendor = store::load(write, &scope, id).await?.vendor;
    let vendor = vendor::store::lock(write, &scope, vendor).await?;
    let case = store::load(write, &scope, id).await?;
    rpc::check_etag(etag, case.id, case.version)?;
    Ok((vendor, case))
}

fn delisted(case: &Case, cause: Cause) -> VipDelisted {
    VipDelisted {
        vendor_id: case.vendor.to_string(),
        vip_case_id: case.id.to_string(),
        cause: cause.into(),
        delisted_date: case.closed.map(wire::date),
    }
}

async fn seen(write: &Write, call: &Call, case: &Case) -> Result<Option<proto::VipCase>, Fault> {
    let evidence = store::evidence_of(write, &[case.id]).await?;
    Ok(Some(view(call, case, &evidence, write.now().date())))
}
