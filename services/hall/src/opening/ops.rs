use calendar::NaiveDate;
use chrono::Datelike;
use contracts::hearth::{
    archive::v1::{
        CheckStandingRequest, GetAccountRequest, GetPremisesRequest, Service, account, account_service_client::AccountServiceClient,
        premises_service_client::PremisesServiceClient, standing_service_client::StandingServiceClient,
    },
    hall::v1::*,
};
use database::{Begun, Scope, Write, numbers};
use rpc::{Call, Fault, page::Page, wire};
use uuid::Uuid;
use vault::Vault;

use super::{
    model::{Action, Paper, Proof, Relationship, SignMethod, State, allowed, is_adult, is_non_resident, missing_papers, proof, step},
    saga::{self, Terms},
    store::{self, Opening, Presence, SafetyReview, Tightness},
};
use crate::{
    Desk, acceptance,
    codes::Code,
    complaint::model::Utility,
    fields, order,
    refusal::Refusal,
    rows::Packed,
    staff::{certified, model::Kind},
    step as steps, story,
};

/// The first entry in the history of an opening.
pub(super) const APPLY: &str = "APPLY";

/// What archive says about those who apply.
struct Applicant {
    branch: String,
    community_code: String,
    alerts: Vec<String>,
}

pub async fn apply(desk: Desk, call: Call, request: ApplyForOpeningRequest) -> Result<ApplyForOpeningResponse, Fault> {
    // Asked before the transaction; a replay does not need the answer.
    let applicant = ask_archive(&desk, &call, &request).await;
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let Applicant {
        branch,
        community_code,
        alerts,
    } = applicant?;
    let year = write.now().date().year();
    let number = numbers::next(&write, "GO", &branch, year, 1).await?;
    let opening = Opening {
        id: Uuid::now_v7(),
        opening_no: format!("GO-{branch}-{year}-{number:06}"),
        account_id: fields::id("account_id", &request.account_id)?,
        premises_id: fields::id("premises_id", &request.premises_id)?,
        service_point_id: fields::id("service_point_id", &request.service_point_id)?,
        community_code,
        non_resident: is_non_resident(&request.use_class),
        use_class: request.use_class,
        branch,
        state: State::Applied,
        standing_alerts: Packed(alerts),
        papers: Packed(vec![]),
        receipts: Packed(vec![]),
        agreement_id: None,
        meter_no: String::new(),
        appliances: Packed(vec![]),
        review: Packed(vec![]),
        order_id: None,
        planned_on: None,
        tightness: Packed(Tightness::default()),
        initial_index: None,
        photo_file_id: String::new(),
        signature_file_id: String::new(),
        opened_on: None,
        unsafe_cause: None,
        refusal_id: None,
        booklet_no: String::new(),
        installed: false,
        created_at: write.now().micros(),
        version: 1,
    };
    opening.clone().insert(&write).await?;
    story::note(&write, opening.id, APPLY, "", opening.state.code(), "").await?;
    write.subject(opening.id);
    write
        .commit(ApplyForOpeningResponse {
            opening: Some(opening.proto()),
        })
        .await
}

async fn ask_archive(desk: &Desk, call: &Call, request: &ApplyForOpeningRequest) -> Result<Applicant, Fault> {
    let peer = &desk.archive;
    let question = GetAccountRequest {
        account_id: request.account_id.clone(),
        ..GetAccountRequest::default()
    };
    let answer = AccountServiceClient::new(peer.channel())
        .get_account(peer.request(call, question))
        .await
        .map_err(|s| peer.fault(s))?;
    let account = answer.into_inner().account.unwrap_or_default();
    if !matches!(account.state(), account::State::Opening | account::State::Open) {
        return Err(Fault::from(Refusal::AccountState).meta("state", account.state().as_str_name()));
    }
    // Archive narrows a caller's token to its branch; this holds for rows of ours, whatever archive does.
    if call.branch().is_some_and(|own| own != account.branch) {
        return Err(Fault::not_found("account", &request.account_id));
    }
    let question = GetPremisesRequest {
        premises_id: request.premises_id.clone(),
    };
    let answer = PremisesServiceClient::new(peer.channel())
        .get_premises(peer.request(call, question))
        .await
        .map_err(|s| peer.fault(s))?;
    let premises = answer.into_inner().premises.unwrap_or_default();
    let gas = |point: &&contracts::hearth::archive::v1::ServicePoint| point.service() == Service::Gas && point.service_point_id == request.service_point_id;
    if premises.service_points.iter().find(gas).is_none() {
        return Err(Fault::from(Refusal::ServicePointNotOfPremises).field("service_point_id"));
    }
    let question = CheckStandingRequest {
        party_id: account.party_id.clone(),
    };
    let answer = StandingServiceClient::new(peer.channel())
        // In hall's own name: the party may have been registered by another branch than that of its account.
        .check_standing(peer.request(&call.in_own_name("opening-standing"), question))
        .await
        .map_err(|s| peer.fault(s))?;
    // Basic supply is refused to nobody: how the party stands is shown, its credit hold and its listing too, and decides nothing.
    let standing = answer.into_inner();
    let mut alerts = standing.reasons;
    alerts.extend(standing.listings.into_iter().map(|listing| listing.code));
    alerts.dedup();
    Ok(Applicant {
        branch: account.branch,
        community_code: premises.community_code,
        alerts,
    })
}

pub async fn approve_papers(desk: Desk, call: Call, request: ApprovePapersRequest) -> Result<ApprovePapersResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut opening = load(&write, &call, &request.opening_id, &request.etag).await?;
    check_step(&opening, Action::ApprovePapers)?;
    let papers = request.papers.into_iter().map(|paper| Ok((fields::pick("papers", paper.kind)?, paper.file_id)));
    let papers: Vec<(Paper, String)> = papers.collect::<Result<_, Fault>>()?;
    let given: Vec<Paper> = papers.iter().map(|(kind, _)| *kind).collect();
    let missing = missing_papers(opening.non_resident, &given);
    if !missing.is_empty() {
        let names: Vec<_> = missing.iter().map(|paper| paper.code()).collect();
        return Err(names
            .iter()
            .fold(Fault::from(Refusal::PapersMissing), |fault, name| fault.field(format!("papers.{name}")))
            .meta("missing", names.join(",")));
    }
    opening.papers = Packed(papers);
    advance(&mut write, &mut opening, Action::ApprovePapers, "").await?;
    let opening = store::whole(&write, &opening).await?;
    write.commit(ApprovePapersResponse { opening: Some(opening) }).await
}

pub async fn record_safety_review(desk: Desk, call: Call, request: RecordSafetyReviewRequest) -> Result<RecordSafetyReviewResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut opening = load(&write, &call, &request.opening_id, &request.etag).await?;
    live(&opening)?;
    let reviewed_on = wire::date_of(request.review_date.as_ref(), "review_date")?;
    fields::not_after("review_date", reviewed_on, write.now().date())?;
    let inspector_id = fields::id("inspector_staff_id", &request.inspector_staff_id)?;
    certified::inspector(&write, &Scope::of(&call), inspector_id, &[Kind::SafetyInspection], reviewed_on).await?;
    let review = SafetyReview {
        id: Uuid::now_v7(),
        opening_id: opening.id,
        inspector_id,
        reviewed_on,
        passed: request.passed,
        findings: request.findings,
        created_at: write.now().micros(),
    };
    let safety_review_id = review.id.to_string();
    review.insert(&write).await?;
    opening.save(&write).await?;
    write.subject(opening.id);
    let opening = store::whole(&write, &opening).await?;
    write
        .commit(RecordSafetyReviewResponse {
            opening: Some(opening),
            safety_review_id,
        })
        .await
}

pub async fn sign_contract(desk: Desk, call: Call, request: SignContractRequest) -> Result<SignContractResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut opening = load(&write, &call, &request.opening_id, &request.etag).await?;
    check_step(&opening, Action::SignContract)?;
    let signed_on = wire::date_of(request.signed_date.as_ref(), "signed_date")?;
    fields::not_after("signed_date", signed_on, write.now().date())?;
    if opening.non_resident && !store::safety_review(&write, opening.id).await?.is_some_and(|review| review.passed) {
        return Err(Refusal::SafetyReviewMissing.into());
    }
    replace_parked(&write, &opening).await?;
    let terms = Terms {
        template_id: fields::id("template_id", &request.template_id)?,
        template_version: request.template_version,
        signed_on,
        sign_method: fields::pick::<SignMethod>("sign_method", request.sign_method)?,
        flagged: request.flagged_clauses_acknowledged,
    };
    steps::store::add(&write, steps::model::Kind::SignAgreement, opening.id, &opening.branch, &terms).await?;
    opening.save(&write).await?;
    write.subject(opening.id);
    let opening = store::whole(&write, &opening).await?;
    let answer = write.commit(SignContractResponse { opening: Some(opening) }).await?;
    desk.bell.notify_one();
    Ok(answer)
}

/// A parked step is given up for a new one; one that is under way is waited for.
async fn replace_parked(write: &Write, opening: &Opening) -> Result<(), Fault> {
    match steps::store::open(write, opening.id).await? {
        Some(step) if step.is_open_ended() => Err(Fault::from(Refusal::StepUnderWay).meta("step_id", step.id)),
        Some(_) => steps::store::drop_open(write, opening.id).await,
        None => Ok(()),
    }
}

pub async fn settle_fees(desk: Desk, call: Call, request: SettleFeesRequest) -> Result<SettleFeesResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut opening = load(&write, &call, &request.opening_id, &request.etag).await?;
    opening.receipts = Packed(request.receipt_nos);
    advance(&mut write, &mut opening, Action::SettleFees, "").await?;
    let opening = store::whole(&write, &opening).await?;
    write.commit(SettleFeesResponse { opening: Some(opening) }).await
}

pub async fn accept_appliances(desk: Desk, call: Call, request: AcceptAppliancesRequest) -> Result<AcceptAppliancesResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut opening = load(&write, &call, &request.opening_id, &request.etag).await?;
    check_step(&opening, Action::AcceptAppliances)?;
    let ids = fields::ids("appliance_acceptance_ids", &request.appliance_acceptance_ids)?;
    let at_point = acceptance::store::appliances_at(&write, opening.service_point_id).await?;
    // Those named and those that stand there are the same, and each is accepted: none can be left out.
    let refused = |id: &Uuid| !at_point.iter().any(|row| row.id == *id && row.passed && ids.contains(id));
    if let Some(id) = ids.iter().chain(at_point.iter().map(|row| &row.id)).find(|id| refused(id)) {
        return Err(Fault::from(Refusal::ApplianceNotAccepted)
            .field("appliance_acceptance_ids")
            .meta("acceptance_id", id));
    }
    opening.appliances = Packed(ids);
    advance(&mut write, &mut opening, Action::AcceptAppliances, "").await?;
    let opening = store::whole(&write, &opening).await?;
    write.commit(AcceptAppliancesResponse { opening: Some(opening) }).await
}

pub async fn record_presence(desk: Desk, call: Call, request: RecordPresenceRequest) -> Result<RecordPresenceResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut opening = load(&write, &call, &request.opening_id, &request.etag).await?;
    live(&opening)?;
    let born = wire::date_of(request.birth_date.as_ref(), "birth_date")?;
    let visited_on = wire::date_of(request.visit_date.as_ref(), "visit_date")?;
    fields::not_after("visit_date", visited_on, write.now().date())?;
    let witness_id = fields::id("witness_staff_id", &request.witness_staff_id)?;
    certified::inspector(&write, &Scope::of(&call), witness_id, acceptance::ops::INSPECTORS, visited_on).await?;
    let presence = Presence {
        id: Uuid::now_v7(),
        opening_id: opening.id,
        relation: fields::pick::<Relationship>("relation", request.relation)?,
        adult: is_adult(born, visited_on),
        visited_on,
        witness_id,
        created_at: write.now().micros(),
    };
    let (presence_id, adult) = (presence.id.to_string(), presence.adult);
    presence.insert(&write).await?;
    opening.save(&write).await?;
    write.subject(opening.id);
    let opening = store::whole(&write, &opening).await?;
    write
        .commit(RecordPresenceResponse {
            opening: Some(opening),
            presence_id,
            adult,
        })
        .await
}

pub async fn schedule(desk: Desk, call: Call, request: ScheduleOpeningRequest) -> Result<ScheduleOpeningResponse, Fault> {
    let crew = fields::ids("staff_ids", &request.staff_ids)?;
    let planned_on = wire::date_of(request.planned_date.as_ref(), "planned_date")?;
    let word = certified::ask(&desk, &call, &crew, Kind::GasOpening, planned_on).await;
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut opening = load(&write, &call, &request.opening_id, &request.etag).await?;
    check_step(&opening, Action::Schedule)?;
    if opening.state == State::Rectify {
        proved(&write, &mut opening).await?;
    }
    let profile = acceptance::store::profile(&write, !opening.non_resident, planned_on).await?;
    if i64::from(profile.openers) > i64::try_from(crew.len()).unwrap_or(i64::MAX) {
        return Err(Fault::from(Refusal::TwoOpenersNeeded).field("staff_ids").meta("needed", profile.openers));
    }
    let mut order = work_order(&mut write, &desk.vault, &opening, planned_on).await?;
    order::ops::dispatch_crew(&mut write, &mut order, &Scope::of(&call), &crew, &word?, planned_on).await?;
    opening.order_id = Some(order.id);
    opening.planned_on = Some(planned_on);
    advance(&mut write, &mut opening, Action::Schedule, "").await?;
    let opening = store::whole(&write, &opening).await?;
    write.commit(ScheduleOpeningResponse { opening: Some(opening) }).await
}

/// The work order of an opening, in the pool.
async fn work_order(write: &mut Write, vault: &Vault, opening: &Opening, planned_on: NaiveDate) -> Result<order::store::Order, Fault> {
    let Some(id) = opening.order_id else {
        let received = write.now();
        let new = order::ops::New {
            kind: order::model::Type::Opening,
            utility: Utility::Gas,
            branch: opening.branch.clone(),
            case_id: None,
            account_id: Some(opening.account_id),
            agreement_id: None,
            opening_id: Some(opening.id),
            planned_on,
            task: opening.opening_no.clone(),
            remote: false,
            received,
        };
        return order::ops::file(write, vault, new).await;
    };
    let mut order = order::store::lock(write, &Scope::everything(), id).await?;
    if order.state != order::model::State::Pool {
        let why = order::ops::Return {
            action: order::model::Action::Withdraw,
            code: "RESCHEDULED",
            note: "",
            staff: None,
        };
        order::ops::return_to_pool(write, &mut order, why).await?;
    }
    Ok(order)
}

/// The proof that the cause of the last refusal needs, recorded after it.
async fn proved(write: &Write, opening: &mut Opening) -> Result<(), Fault> {
    let (Some(cause), Some(refusal)) = (opening.unsafe_cause, opening.refusal_id) else {
        return Ok(());
    };
    let proved = match proof(cause) {
        Some(Proof::Pipe) => acceptance::store::last_pipe(write, opening.service_point_id)
            .await?
            .is_some_and(|row| row.passed && row.id > refusal),
        Some(Proof::Appliance) => {
            let rows = acceptance::store::appliances_at(write, opening.service_point_id).await?;
            opening.appliances = Packed(rows.iter().map(|row| row.id).collect());
            rows.iter().all(|row| row.passed) && rows.iter().any(|row| row.id > refusal)
        }
        Some(Proof::Presence) => store::last_presence(write, opening.id).await?.is_some_and(|row| row.adult && row.id > refusal),
        None => false,
    };
    if proved {
        Ok(())
    } else {
        Err(Fault::from(Refusal::RectificationUnproven).meta("cause", cause.code()))
    }
}

pub async fn start_rectification(desk: Desk, call: Call, request: StartRectificationRequest) -> Result<StartRectificationResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut opening = load(&write, &call, &request.opening_id, &request.etag).await?;
    advance(&mut write, &mut opening, Action::Rectify, "").await?;
    let opening = store::whole(&write, &opening).await?;
    write.commit(StartRectificationResponse { opening: Some(opening) }).await
}

pub async fn cancel(desk: Desk, call: Call, request: CancelOpeningRequest) -> Result<CancelOpeningResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut opening = load(&write, &call, &request.opening_id, &request.etag).await?;
    check_step(&opening, Action::Cancel)?;
    let open = steps::store::open(&write, opening.id).await?;
    let under_way = open.as_ref().is_some_and(steps::store::Step::is_open_ended);
    if opening.state == State::Signed && (open.is_none() || under_way) {
        return Err(Refusal::StepUnderWay.into());
    }
    advance(&mut write, &mut opening, Action::Cancel, &request.reason).await?;
    if let Some(id) = opening.order_id {
        let mut order = order::store::lock(&write, &Scope::everything(), id).await?;
        order::ops::give_up(&mut write, &mut order, "CANCELLED").await?;
    }
    // A step that is under way may have had its effect: it runs to its end first, and is taken back then.
    if !under_way {
        steps::store::drop_open(&write, opening.id).await?;
        saga::compensate(&write, &opening).await?;
    }
    write.event(
        opening.id,
        &OpeningCancelled {
            opening_id: opening.id.to_string(),
            account_id: opening.account_id.to_string(),
        },
    );
    let opening = store::whole(&write, &opening).await?;
    let answer = write.commit(CancelOpeningResponse { opening: Some(opening) }).await?;
    desk.bell.notify_one();
    Ok(answer)
}

pub async fn get(desk: Desk, call: Call, request: GetOpeningRequest) -> Result<GetOpeningResponse, Fault> {
    let opening = store::get(desk.db.reader(), &Scope::of(&call), fields::id("opening_id", &request.opening_id)?).await?;
    Ok(GetOpeningResponse {
        opening: Some(store::whole(desk.db.reader(), &opening).await?),
    })
}

pub async fn list(desk: Desk, call: Call, request: ListOpeningsRequest) -> Result<ListOpeningsResponse, Fault> {
    let page = Page::of(
        &call,
        &[&request.state.to_string(), &request.account_id],
        request.page_size,
        &request.page_token,
    )?;
    let account = fields::id_if("account_id", &request.account_id)?;
    let rows = store::list(desk.db.reader(), &Scope::of(&call), &page, fields::pick_if(request.state), account).await?;
    let (rows, next_page_token) = page.cut(rows, |row| row.id);
    Ok(ListOpeningsResponse {
        openings: rows.iter().map(Opening::proto).collect(),
        next_page_token,
    })
}

pub async fn load(write: &Write, call: &Call, id: &str, etag: &str) -> Result<Opening, Fault> {
    let opening = store::lock(write, &Scope::of(call), fields::id("opening_id", id)?).await?;
    opening.check(etag)?;
    Ok(opening)
}

/// Facts are recorded for openings that go on.
fn live(opening: &Opening) -> Result<(), Fault> {
    match opening.state {
        State::Signed | State::Opened | State::Cancelled => Err(Fault::from(Refusal::OpeningState).meta("state", opening.state.code())),
        _ => Ok(()),
    }
}

/// The state after a step, or the refusal that names what is allowed.
pub fn check_step(opening: &Opening, action: Action) -> Result<State, Fault> {
    step(opening.state, action).ok_or_else(|| {
        let allowed = allowed(opening.state).join(",");
        Fault::from(Refusal::OpeningState).meta("state", opening.state.code()).meta("allowed", allowed)
    })
}

/// Takes a step, writes the opening and its history.
pub async fn advance(write: &mut Write, opening: &mut Opening, action: Action, reason: &str) -> Result<(), Fault> {
    let (from, to) = (opening.state, check_step(opening, action)?);
    opening.state = to;
    opening.save(write).await?;
    story::note(write, opening.id, action.code(), from.code(), to.code(), reason).await?;
    write.subject(opening.id);
    Ok(())
}
