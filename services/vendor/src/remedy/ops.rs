//! The writes of what vendors have to set right, one transaction each. Every one of them holds the lock of the vendor and leaves the holds
//! of its payments as they have to be.

use calendar::Instant;
use contracts::hearth::{
    options::v1::Role,
    vendor::v1::{
        self as proto, AcceptRemedyRequest, AcceptRemedyResponse, OpenRemedyRequest, OpenRemedyResponse, ReportRemedyRequest, ReportRemedyResponse,
        ReturnRemedyRequest, ReturnRemedyResponse,
    },
};
use database::{Begun, Scope, Write};
use ids::{ContractId, VendorId};
use rpc::{Call, Fault, wire};

use super::{
    model::{Action, Kind, Remedy, Severity, State, due_at},
    store,
    wire::remedy as view,
};
use crate::{
    Desk, contract,
    keys::{AssessmentId, RemedyId},
    person,
    refusal::Refusal,
    settlement::{self, SERVICE},
    vendor::{
        self,
        wire::{id_if, unknown},
    },
};

/// Opens a disturbance or a confidentiality incident.
pub async fn open(desk: Desk, call: Call, request: OpenRemedyRequest) -> Result<OpenRemedyResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let kind = Kind::of_number(request.kind).ok_or_else(|| unknown("kind"))?;
    let severity = Severity::of_number(request.severity);
    if kind == Kind::Rectification {
        return Err(Fault::from(Refusal::RemedyKind).field("kind"));
    }
    if (kind == Kind::Disturbance) != severity.is_some() {
        return Err(Fault::from(Refusal::Severity).field("severity"));
    }
    let contract: Option<ContractId> = id_if("contract_id", &request.contract_id)?;
    let vendor = vendor::store::lock(&write, &vendor::store::scope(&call), wire::id_of("vendor_id", &request.vendor_id)?).await?;
    if let Some(id) = contract {
        let found = contract::store::load(&write, &Scope::of(&call), id).await?;
        if found.vendor != vendor.id || found.branch != request.branch {
            return Err(Fault::not_found("contract", id));
        }
    }
    let source = Source {
        vendor: vendor.id,
        contract,
        branch: request.branch,
        assessment: None,
        complaint: None,
        description: request.description,
        by: call.subject().to_owned(),
    };
    let remedy = source.open(kind, severity, write.now())?;
    store::insert(&write, &remedy).await?;
    if kind == Kind::Confidentiality {
        person::revoke_all(&mut write, vendor.id, "a confidentiality incident is open").await?;
    }
    settlement::settle(&mut write, vendor.id).await?;
    write.subject(remedy.id);
    let remedy = Some(view(&call, &remedy, write.now()));
    write.commit(OpenRemedyResponse { remedy }).await
}

/// Takes the vendor's report.
pub async fn report(desk: Desk, call: Call, request: ReportRemedyRequest) -> Result<ReportRemedyResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let named: VendorId = wire::id_of("vendor_id", &request.vendor_id)?;
    let mut remedy = locked(&write, &call, &request.remedy_id, &request.etag).await?;
    if remedy.vendor != named {
        return Err(Fault::not_found("remedy", remedy.id));
    }
    remedy.report(request.report, write.now())?;
    let remedy = kept(&mut write, &call, &mut remedy).await?;
    write.commit(ReportRemedyResponse { remedy }).await
}

/// Accepts, for the owner.
pub async fn accept(desk: Desk, call: Call, request: AcceptRemedyRequest) -> Result<AcceptRemedyResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut remedy = owned(&write, &call, &request.remedy_id, &request.etag).await?;
    remedy.judge(Action::Accept, request.opinion, call.subject(), write.now())?;
    let remedy = kept(&mut write, &call, &mut remedy).await?;
    write.commit(AcceptRemedyResponse { remedy }).await
}

/// Gives back, for the owner.
pub async fn give_back(desk: Desk, call: Call, request: ReturnRemedyRequest) -> Result<ReturnRemedyResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut remedy = owned(&write, &call, &request.remedy_id, &request.etag).await?;
    remedy.judge(Action::Return, request.opinion, call.subject(), write.now())?;
    let remedy = kept(&mut write, &call, &mut remedy).await?;
    write.commit(ReturnRemedyResponse { remedy }).await
}

/// One in the version that the caller has seen, under the lock of its vendor. The first look finds the vendor only.
async fn locked(write: &Write, call: &Call, id: &str, etag: &str) -> Result<Remedy, Fault> {
    let (scope, id): (_, RemedyId) = (Scope::of(call), wire::id_of("remedy_id", id)?);
    let vendor = store::load(write, &scope, id).await?.vendor;
    vendor::store::lock(write, &vendor::store::scope(call), vendor).await?;
    let remedy = store::load(write, &scope, id).await?;
    rpc::check_etag(etag, remedy.id, remedy.version)?;
    Ok(remedy)
}

/// The same, for its owner only.
async fn owned(write: &Write, call: &Call, id: &str, etag: &str) -> Result<Remedy, Fault> {
    let remedy = locked(write, call, id, etag).await?;
    if Role::try_from(remedy.kind.owner().number()).is_ok_and(|owner| call.has(owner)) {
        Ok(remedy)
    } else {
        Err(Refusal::RemedyOwner.into())
    }
}

/// Keeps it, settles the holds and shows it.
async fn kept(write: &mut Write, call: &Call, remedy: &mut Remedy) -> Result<Option<proto::Remedy>, Fault> {
    store::save(write, remedy).await?;
    settlement::settle(write, remedy.vendor).await?;
    write.subject(remedy.id);
    Ok(Some(view(call, remedy, write.now())))
}

/// Where a remedy comes from.
struct Source {
    vendor: VendorId,
    contract: Option<ContractId>,
    branch: String,
    assessment: Option<AssessmentId>,
    complaint: Option<String>,
    description: String,
    by: String,
}

impl Source {
    fn open(self, kind: Kind, severity: Option<Severity>, now: Instant) -> Result<Remedy, Fault> {
        Ok(Remedy {
            id: RemedyId::new(),
            vendor: self.vendor,
            contract: self.contract,
            branch: self.branch,
            kind,
            severity,
            assessment: self.assessment,
            complaint: self.complaint,
            description: self.description,
            state: State::Open,
            opened_by: self.by,
            opened: now,
            due: Some(due_at(kind, severity, now).map_err(Fault::internal)?),
            report: String::new(),
            reported: None,
            opinion: String::new(),
            closed: None,
            version: 1,
        })
    }
}

/// What an assessment says about a rectification.
pub(crate) struct Rectification<'a> {
    pub assessment: AssessmentId,
    pub vendor: VendorId,
    pub contract: ContractId,
    pub branch: &'a str,
    pub by: &'a str,
    pub findings: &'a str,
    /// Whether the grade asks for one.
    pub needed: bool,
}

/// Brings the rectification of an assessment in line with its grade: opened where it is needed, its time beginning anew after an objection,
/// cancelled where the grade no longer asks for it (F-07). Called under the vendor's lock; the caller settles the holds.
pub(crate) async fn rectify(write: &mut Write, told: Rectification<'_>) -> Result<(), Fault> {
    let now = write.now();
    match store::of_assessment(write, told.assessment).await? {
        Some(mut remedy) if remedy.state.is_open() => {
            if told.needed {
                remedy.due = Some(due_at(remedy.kind, None, now).map_err(Fault::internal)?);
            } else {
                remedy.judge(Action::Cancel, "the score was raised".to_owned(), SERVICE, now)?;
            }
            store::save(write, &mut remedy).await?;
            write.subject(remedy.id);
        }
        None if told.needed => {
            let source = Source {
                vendor: told.vendor,
                contract: Some(told.contract),
                branch: told.branch.to_owned(),
                assessment: Some(told.assessment),
                complaint: None,
                description: told.findings.to_owned(),
                by: told.by.to_owned(),
            };
            let remedy = source.open(Kind::Rectification, None, now)?;
            store::insert(write, &remedy).await?;
            write.subject(remedy.id);
        }
        _ => {}
    }
    Ok(())
}

/// Stops the clock of a rectification while an objection to its assessment is undecided.
pub(crate) async fn pause(write: &mut Write, assessment: AssessmentId) -> Result<(), Fault> {
    if let Some(mut remedy) = store::of_assessment(write, assessment).await?.filter(|r| r.state.is_open()) {
        remedy.due = None;
        store::save(write, &mut remedy).await?;
        write.subject(remedy.id);
    }
    Ok(())
}

/// A complaint that stands for a disturbance.
pub(crate) struct Complaint<'a> {
    pub id: &'a str,
    pub vendor: VendorId,
    pub contract: Option<ContractId>,
    pub branch: String,
}

/// Opens a disturbance of the highest severity for a complaint, once. Called under the vendor's lock.
pub(crate) async fn disturbed(write: &mut Write, told: Complaint<'_>) -> Result<(), Fault> {
    if store::of_complaint(write, told.id).await?.is_some() {
        return Ok(());
    }
    let vendor = told.vendor;
    let source = Source {
        vendor,
        contract: told.contract,
        branch: told.branch,
        assessment: None,
        complaint: Some(told.id.to_owned()),
        description: "a complaint about safety was upheld".to_owned(),
        by: "service:hall".to_owned(),
    };
    let remedy = source.open(Kind::Disturbance, Some(Severity::P1), write.now())?;
    store::insert(write, &remedy).await?;
    write.subject(remedy.id);
    settlement::settle(write, vendor).await
}

/// Cancels what came from a complaint that does not stand any more. Called under the vendor's lock.
pub(crate) async fn cancel_disturbance(write: &mut Write, vendor: VendorId, complaint: &str) -> Result<(), Fault> {
    let Some(mut remedy) = store::of_complaint(write, complaint).await?.filter(|r| r.state.is_open()) else {
        return Ok(());
    };
    remedy.judge(Action::Cancel, "the finding was reversed".to_owned(), "service:hall", write.now())?;
    store::save(write, &mut remedy).await?;
    write.subject(remedy.id);
    settlement::settle(write, vendor).await
}
