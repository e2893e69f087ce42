//! The writes of admission, one transaction each.

use contracts::hearth::vendor::v1::{
    AdmitVendorRequest, AdmitVendorResponse, BlacklistVendorRequest, BlacklistVendorResponse, CompleteDossierRequest, CompleteDossierResponse,
    FinishExitRequest, FinishExitResponse, RankVendorsRequest, RankVendorsResponse, RankedVendor, RecordLegalRepresentativeRequest,
    RecordLegalRepresentativeResponse, RegisterVendorRequest, RegisterVendorResponse, RenameVendorRequest, RenameVendorResponse, ResumeVendorRequest,
    ResumeVendorResponse, ReviewSiteRequest, ReviewSiteResponse, ScoreVendorRequest, ScoreVendorResponse, StartExitRequest, StartExitResponse,
    SuspendVendorRequest, SuspendVendorResponse, VendorAdmitted, VendorExited, VendorSuspended, VerifyVendorRequest, VerifyVendorResponse,
    vendor_suspended::Cause,
};
use database::{Begun, Write};
use ids::{CreditCode, IdNumber, VendorId};
use rpc::{Call, Fault, wire};

use super::{
    model::{self, Action, F_03, Kind, Qualification, Stage, State, Vendor},
    store,
    wire::{category_of, documents_of, scores_of, unknown, vendor as view},
};
use crate::{Desk, contract, offer, person, proceeding, refusal::Refusal, settlement, vip};

/// Enters a vendor in the register.
pub async fn register(desk: Desk, call: Call, request: RegisterVendorRequest) -> Result<RegisterVendorResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let uscc = CreditCode::parse(&request.uscc).map_err(|_| Fault::from(Refusal::UsccInvalid).field("uscc"))?;
    let mut kinds: Vec<_> = request
        .kinds
        .iter()
        .map(|n| Kind::of_number(*n).ok_or_else(|| unknown("kinds")))
        .collect::<Result<_, _>>()?;
    kinds.sort_unstable();
    kinds.dedup();
    let vendor = Vendor {
        id: VendorId::new(),
        uscc: uscc.as_str().to_owned(),
        name: request.name,
        kinds,
        state: State::Registered,
        state_reason: String::new(),
        blacklisted_until: None,
        version: 1,
        created: write.now(),
    };
    store::insert(&write, &vendor).await?;
    write.subject(vendor.id);
    write
        .commit(RegisterVendorResponse {
            vendor: Some(view(&call, &vendor, &store::Record::default())),
        })
        .await
}

/// Records the legal representative.
pub async fn represent(desk: Desk, call: Call, request: RecordLegalRepresentativeRequest) -> Result<RecordLegalRepresentativeResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let id_number = IdNumber::parse(&request.id_number).map_err(|_| Fault::from(Refusal::IdNumberInvalid).field("id_number"))?;
    let mut vendor = locked(&write, &call, &request.vendor_id, &request.etag).await?;
    store::represent(&write, &desk.vault, vendor.id, id_number.as_str()).await?;
    unlisted(&desk, &write, vendor.id).await?;
    store::save(&write, &mut vendor).await?;
    write.subject(vendor.id);
    let vendor = seen(&write, &call, &vendor).await?;
    write.commit(RecordLegalRepresentativeResponse { vendor }).await
}

/// Refuses a vendor whose legal representative represents another one that is on the black list (G-11). Called under the vendor's lock.
pub(crate) async fn unlisted(desk: &Desk, write: &Write, vendor: VendorId) -> Result<(), Fault> {
    if store::listed_twin(write, &desk.vault, vendor, write.now().date()).await? {
        Err(Refusal::LegalRepresentativeListed.into())
    } else {
        Ok(())
    }
}

/// Records another name.
pub async fn rename(desk: Desk, call: Call, request: RenameVendorRequest) -> Result<RenameVendorResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let from = person::happened(wire::date_of(request.from_date.as_ref(), "from_date")?, write.now().date())
        .map_err(|refusal| Fault::from(refusal).field("from_date"))?;
    let mut vendor = locked(&write, &call, &request.vendor_id, &request.etag).await?;
    let before = store::record(&write, &[vendor.id]).await?.names;
    let former = vendor.rename(request.name, from, request.document, &before)?;
    store::insert_name(&write, &former).await?;
    store::save(&write, &mut vendor).await?;
    write.subject(vendor.id);
    let vendor = seen(&write, &call, &vendor).await?;
    write.commit(RenameVendorResponse { vendor }).await
}

/// Hands in a dossier and opens a qualification.
pub async fn complete_dossier(desk: Desk, call: Call, request: CompleteDossierRequest) -> Result<CompleteDossierResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut vendor = locked(&write, &call, &request.vendor_id, &request.etag).await?;
    let category = category_of(request.category, "category")?;
    let documents = documents_of(request.documents)?;
    let qualification = Qualification::open(vendor.id, category, documents, write.now()).map_err(|refusal| match refusal {
        Refusal::DossierIncomplete => Fault::from(refusal).field("documents"),
        other => other.into(),
    })?;
    let before = store::qualifications(&write, &[vendor.id]).await?;
    if before.iter().any(|q| q.category == category && q.stage.is_open()) {
        return Err(Refusal::QualificationOpen.into());
    }
    vendor.carry(Action::CompleteDossier)?;
    store::insert_qualification(&write, &qualification).await?;
    store::save(&write, &mut vendor).await?;
    write.subject(vendor.id);
    let vendor = seen(&write, &call, &vendor).await?;
    write
        .commit(CompleteDossierResponse {
            vendor,
            qualification_id: qualification.id.to_string(),
        })
        .await
}

/// Takes the outcome of a verification.
pub async fn verify(desk: Desk, call: Call, request: VerifyVendorRequest) -> Result<VerifyVendorResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut vendor = locked(&write, &call, &request.vendor_id, &request.etag).await?;
    let mut qualification = of_vendor(&write, &vendor, &request.qualification_id).await?;
    contract::segregated(contract::store::has_part(&write, vendor.id, call.subject()).await?)?;
    qualification.verify(call.subject(), request.passed, request.findings)?;
    took(&write, &mut vendor, &qualification, Action::Verify).await?;
    write.subject(vendor.id);
    let vendor = seen(&write, &call, &vendor).await?;
    write.commit(VerifyVendorResponse { vendor }).await
}

/// Takes the scores of a verified qualification.
pub async fn score(desk: Desk, call: Call, request: ScoreVendorRequest) -> Result<ScoreVendorResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let scores = scores_of(request.scores.as_ref())?;
    let mut vendor = locked(&write, &call, &request.vendor_id, &request.etag).await?;
    let mut qualification = of_vendor(&write, &vendor, &request.qualification_id).await?;
    contract::segregated(contract::store::has_part(&write, vendor.id, call.subject()).await?)?;
    qualification.score(&F_03, call.subject(), scores, request.findings)?;
    took(&write, &mut vendor, &qualification, Action::Score).await?;
    write.subject(vendor.id);
    let vendor = seen(&write, &call, &vendor).await?;
    write.commit(ScoreVendorResponse { vendor }).await
}

/// Ranks what is scored and not yet reviewed in a category.
pub async fn rank(desk: Desk, call: Call, request: RankVendorsRequest) -> Result<RankVendorsResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let category = category_of(request.category, "category")?.outsourceable()?;
    let concerned: Vec<_> = store::rankable(&write, category).await?.iter().map(|q| q.vendor).collect();
    let mut vendors = store::lock_all(&write, &concerned).await?;
    vendors.retain_mut(|vendor| vendor.carry(Action::Rank).is_ok());
    // Read again under the locks: what came or went in between is not ranked.
    let mut qualifications = store::rankable(&write, category).await?;
    qualifications.retain(|q| vendors.iter().any(|vendor| vendor.id == q.vendor));
    let mut candidates: Vec<_> = qualifications.iter().filter_map(Qualification::candidate).collect();
    if candidates.is_empty() {
        return Err(Refusal::NothingToRank.into());
    }
    model::rank(&mut candidates);
    let mut ranking = vec![];
    for (place, candidate) in (1..).zip(candidates) {
        let Some(qualification) = qualifications.iter_mut().find(|q| q.id == candidate.id) else {
            continue;
        };
        qualification.rank(place)?;
        store::save_qualification(&write, qualification).await?;
        ranking.push(RankedVendor {
            rank: place,
            vendor_id: qualification.vendor.to_string(),
            qualification_id: candidate.id.to_string(),
        });
    }
    for vendor in &mut vendors {
        store::save(&write, vendor).await?;
        write.subject(vendor.id);
    }
    write.commit(RankVendorsResponse { ranking }).await
}

/// Takes the outcome of a site review.
pub async fn review_site(desk: Desk, call: Call, request: ReviewSiteRequest) -> Result<ReviewSiteResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let day = wire::date_of(request.review_date.as_ref(), "review_date")?;
    if day > write.now().date() {
        return Err(Fault::from(Refusal::DateInFuture).field("review_date"));
    }
    let mut vendor = locked(&write, &call, &request.vendor_id, &request.etag).await?;
    let mut qualification = of_vendor(&write, &vendor, &request.qualification_id).await?;
    qualification.review(day, request.passed, request.findings)?;
    took(&write, &mut vendor, &qualification, Action::ReviewSite).await?;
    write.subject(vendor.id);
    let vendor = seen(&write, &call, &vendor).await?;
    write.commit(ReviewSiteResponse { vendor }).await
}

/// Admits the vendor for the category of a reviewed qualification.
pub async fn admit(desk: Desk, call: Call, request: AdmitVendorRequest) -> Result<AdmitVendorResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut vendor = locked(&write, &call, &request.vendor_id, &request.etag).await?;
    let mut qualification = of_vendor(&write, &vendor, &request.qualification_id).await?;
    qualification.grant(&F_03, call.subject())?;
    if store::record(&write, &[vendor.id]).await?.represented.is_empty() {
        return Err(Refusal::LegalRepresentativeMissing.into());
    }
    unlisted(&desk, &write, vendor.id).await?;
    took(&write, &mut vendor, &qualification, Action::Admit).await?;
    write.subject(vendor.id);
    write.event(vendor.id, &admitted(&qualification));
    let vendor = seen(&write, &call, &vendor).await?;
    write.commit(AdmitVendorResponse { vendor }).await
}

/// Bars a vendor for a time.
pub async fn suspend(desk: Desk, call: Call, request: SuspendVendorRequest) -> Result<SuspendVendorResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut vendor = locked(&write, &call, &request.vendor_id, &request.etag).await?;
    bar(&mut write, &mut vendor, &request.reason).await?;
    let vendor = seen(&write, &call, &vendor).await?;
    write.commit(SuspendVendorResponse { vendor }).await
}

/// Suspends a vendor. Called under its lock.
pub(crate) async fn bar(write: &mut Write, vendor: &mut Vendor, reason: &str) -> Result<(), Fault> {
    step(write, vendor, Action::Suspend, reason, Cause::Suspended).await
}

/// Starts the exit of a vendor. Called under its lock.
pub(crate) async fn leave(write: &mut Write, vendor: &mut Vendor, reason: &str) -> Result<(), Fault> {
    step(write, vendor, Action::StartExit, reason, Cause::Exiting).await
}

/// Takes a step after which nothing new may be given to the vendor, and tells it.
async fn step(write: &mut Write, vendor: &mut Vendor, action: Action, reason: &str, cause: Cause) -> Result<(), Fault> {
    vendor.act(action, reason)?;
    store::save(write, vendor).await?;
    write.subject(vendor.id);
    write.event(vendor.id, &barred(vendor, cause));
    Ok(())
}

/// Lifts a suspension.
pub async fn resume(desk: Desk, call: Call, request: ResumeVendorRequest) -> Result<ResumeVendorResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut vendor = locked(&write, &call, &request.vendor_id, &request.etag).await?;
    vendor.act(Action::Resume, &request.reason)?;
    store::save(&write, &mut vendor).await?;
    write.subject(vendor.id);
    for granted in store::qualifications(&write, &[vendor.id]).await?.iter().filter(|q| q.stage == Stage::Granted) {
        write.event(vendor.id, &admitted(granted));
    }
    let vendor = seen(&write, &call, &vendor).await?;
    write.commit(ResumeVendorResponse { vendor }).await
}

/// Puts a vendor on the black list: its persons are shut out, its payments held, its contracts reviewed, its standing as a VIP ends.
pub async fn blacklist(desk: Desk, call: Call, request: BlacklistVendorRequest) -> Result<BlacklistVendorResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let until = wire::date_of(request.until_date.as_ref(), "until_date")?;
    if until <= write.now().date() {
        return Err(Fault::from(Refusal::DateInPast).field("until_date"));
    }
    let mut vendor = locked(&write, &call, &request.vendor_id, &request.etag).await?;
    vendor.act(Action::Blacklist, &request.reason)?;
    vendor.blacklisted_until = Some(until);
    store::save(&write, &mut vendor).await?;
    person::revoke_all(&mut write, vendor.id, "the vendor is on the black list").await?;
    settlement::settle(&mut write, vendor.id).await?;
    proceeding::review_contracts(&mut write, vendor.id).await?;
    vip::delist_blacklisted(&mut write, vendor.id).await?;
    write.subject(vendor.id);
    write.event(vendor.id, &barred(&vendor, Cause::Blacklisted));
    let vendor = seen(&write, &call, &vendor).await?;
    write.commit(BlacklistVendorResponse { vendor }).await
}

/// Starts the exit of a vendor.
pub async fn start_exit(desk: Desk, call: Call, request: StartExitRequest) -> Result<StartExitResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut vendor = locked(&write, &call, &request.vendor_id, &request.etag).await?;
    leave(&mut write, &mut vendor, &request.reason).await?;
    let vendor = seen(&write, &call, &vendor).await?;
    write.commit(StartExitResponse { vendor }).await
}

/// Ends the exit, once nothing of the vendor is left open (F-15).
pub async fn finish_exit(desk: Desk, call: Call, request: FinishExitRequest) -> Result<FinishExitResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut vendor = locked(&write, &call, &request.vendor_id, &request.etag).await?;
    vendor.act(Action::FinishExit, &format!("{} / {}", request.handover_document, request.data_certificate))?;
    if person::store::has_access(&write, vendor.id).await? {
        return Err(Refusal::AccessRemains.into());
    }
    if !contract::store::unended(&write, vendor.id, write.now().date()).await?.is_empty() {
        return Err(Refusal::ContractRemains.into());
    }
    if offer::store::has_due(&write, vendor.id).await? {
        return Err(Refusal::WorkRemains.into());
    }
    store::save(&write, &mut vendor).await?;
    write.subject(vendor.id);
    write.event(
        vendor.id,
        &VendorExited {
            vendor_id: vendor.id.to_string(),
        },
    );
    let vendor = seen(&write, &call, &vendor).await?;
    write.commit(FinishExitResponse { vendor }).await
}

/// The vendor of a request, locked, in the version that the caller has seen.
async fn locked(write: &Write, call: &Call, id: &str, etag: &str) -> Result<Vendor, Fault> {
    let vendor = store::lock(write, &store::scope(call), wire::id_of("vendor_id", id)?).await?;
    rpc::check_etag(etag, vendor.id, vendor.version)?;
    Ok(vendor)
}

async fn of_vendor(write: &Write, vendor: &Vendor, id: &str) -> Result<Qualification, Fault> {
    store::qualification(write, vendor.id, wire::id_of("qualification_id", id)?).await
}

/// Keeps a step of a qualification and leads the vendor along; one that failed leaves the vendor where it is, if it may go on at all.
async fn took(write: &Write, vendor: &mut Vendor, qualification: &Qualification, action: Action) -> Result<(), Fault> {
    let before = vendor.state;
    vendor.carry(action)?;
    if qualification.stage == Stage::Failed {
        vendor.state = before;
    }
    store::save_qualification(write, qualification).await?;
    store::save(write, vendor).await
}

async fn seen(write: &Write, call: &Call, vendor: &Vendor) -> Result<Option<contracts::hearth::vendor::v1::Vendor>, Fault> {
    Ok(Some(view(call, vendor, &store::record(write, &[vendor.id]).await?)))
}

fn admitted(qualification: &Qualification) -> VendorAdmitted {
    VendorAdmitted {
        vendor_id: qualification.vendor.to_string(),
        category: qualification.category.number(),
        valid_to_date: qualification.valid_to.map(wire::date),
    }
}

fn barred(vendor: &Vendor, cause: Cause) -> VendorSuspended {
    VendorSuspended {
        vendor_id: vendor.id.to_string(),
        cause: cause.into(),
    }
}
