//! Ratings: opened, scored, reviewed and approved by different people, and what follows when one takes effect.

use chrono::{Days, NaiveDate};
use contracts::hearth::archive::v1::{
    ApproveRatingRequest, ApproveRatingResponse, CreditRated, GetCreditModelRequest, GetCreditModelResponse, GetRatingRequest, GetRatingResponse,
    GrantRatingExceptionRequest, GrantRatingExceptionResponse, KeyAccountDowngraded, ListRatingsRequest, ListRatingsResponse, OpenRatingRequest,
    OpenRatingResponse, PublishCreditModelRequest, PublishCreditModelResponse, ReturnRatingRequest, ReturnRatingResponse, ReviewRatingRequest,
    ReviewRatingResponse, ScoreRatingRequest, ScoreRatingResponse,
};
use contracts::hearth::options::v1::Role;
use database::{Begun, Scope, Write};
use ids::PartyId;
use rpc::{Call, Fault, page::Page, wire};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use vault::Vault;

use super::{
    lines,
    model::{
        self, Grade, KeyAction, RatingAction, RatingState,
        score::{Band, Factor, Measures, Model, Signal},
    },
    store::{self, credit_model, rating},
    watch,
};
use crate::{
    Desk,
    agreement::store as agreements,
    credit_file,
    integrity::reach,
    party::{
        model::{self as party_rules, text},
        store as parties,
    },
    refusal::{Refusal, at},
    table::insert,
};

/// Hard stop of B-02: another supplier sued over payment.
const SUED: &str = "SUED_FOR_PAYMENT";
/// Hard stop of B-02: ordered to close or rectify.
const CLOSED: &str = "ORDERED_TO_CLOSE";
/// Hard stop of B-02: on the list of dishonest customers, or taking it along.
const LISTED: &str = "LISTED_DISHONEST";
/// Hard stop of B-02: a licence or certification expired more than 30 days ago (H-03).
pub(super) const LICENCE: &str = "LICENCE_EXPIRED";
/// Hard stop of B-02: less than 75 % was performed.
const PERFORMANCE: &str = "PERFORMANCE_BELOW_75";
/// Cap of B-03: supplied for less than a year.
const NEW: &str = "NEW_CUSTOMER";
/// Cap of B-03: the credit file is not complete (H-02).
const DOCUMENTS: &str = "DOCUMENTS_MISSING";
/// Days after which an expired licence or certification is a hard stop.
const LICENCE_GRACE: Days = Days::new(30);
/// Who rates where a hard stop does.
const BY_ITSELF: &str = "service:archive";

pub(crate) async fn publish(desk: Desk, call: Call, request: PublishCreditModelRequest) -> Result<PublishCreditModelResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let rules = Model {
        weights: request
            .weights
            .iter()
            .map(|w| Ok((Factor::of_number(w.factor).ok_or(Refusal::ModelWeights)?, w.points)))
            .collect::<Result<_, Refusal>>()
            .map_err(at("weights"))?,
        bands: request.bands.iter().map(band).collect::<Result<_, Fault>>()?,
    };
    rules.check().map_err(|refusal| {
        let field = if refusal == Refusal::ModelBands { "bands" } else { "weights" };
        Fault::from(refusal).field(field)
    })?;
    let effective_date = wire::date_of(request.effective_date.as_ref(), "effective_date")?;
    let latest = store::latest_model(&write).await?;
    if request.version != latest.as_ref().map_or(1, |l| l.version.saturating_add(1)) {
        return Err(Refusal::ModelVersion.into());
    }
    if latest.is_some_and(|l| l.effective_date > effective_date) {
        return Err(Refusal::ModelDate.into());
    }
    let (weights, bands) = store::pack_model(&rules)?;
    let row = credit_model::Model {
        version: request.version,
        effective_date,
        weights,
        bands,
        mass_breach_parties: request.mass_breach_parties,
        published_by: call.subject().to_owned(),
        created_at: write.now().micros(),
    };
    let shown = row.show()?;
    insert::<credit_model::Entity>(&write, row).await?;
    write.subject(format!("credit-model-{}", request.version));
    write.commit(PublishCreditModelResponse { model: Some(shown) }).await
}

fn band(band: &contracts::hearth::archive::v1::credit_model::Band) -> Result<Band, Fault> {
    let above: money::Money = wire::decimal_of(band.above.as_ref(), "bands.above")?;
    Ok(Band {
        grade: Grade::of_number(band.grade).ok_or(Refusal::ModelBands).map_err(at("bands"))?,
        above: above.fen(),
        least_bp: band.least_factor_bp,
        largest_bp: band.largest_factor_bp,
    })
}

pub(crate) async fn get_model(desk: Desk, _: Call, request: GetCreditModelRequest) -> Result<GetCreditModelResponse, Fault> {
    let version = (request.version > 0).then_some(request.version);
    let found = store::model(desk.db.reader(), version, desk.db.clock().now().date()).await?;
    let found = found.ok_or_else(|| Fault::not_found("credit model", request.version))?;
    Ok(GetCreditModelResponse { model: Some(found.show()?) })
}

pub(crate) async fn open(desk: Desk, call: Call, request: OpenRatingRequest) -> Result<OpenRatingResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let id: PartyId = wire::id_of("party_id", &request.party_id)?;
    let party = parties::lock(&write, &Scope::of(&call), id.uuid()).await?;
    if party.standing()? == party_rules::State::Closed {
        return Err(Refusal::PartyClosed.into());
    }
    let now = write.now().micros();
    let empty = "[]".to_owned();
    let row = rating::Model {
        id: Uuid::now_v7(),
        party_id: party.id,
        branch: party.branch,
        period: request.period.clone(),
        state: RatingState::Collecting.code().to_owned(),
        model_version: 0,
        measures: "{}".to_owned(),
        scores: empty.clone(),
        total: 0,
        scored_grade: String::new(),
        grade: String::new(),
        hard_stops: empty.clone(),
        caps: empty.clone(),
        evidence: empty.clone(),
        rated_by: String::new(),
        reviewed_by: String::new(),
        approved_by: String::new(),
        exception_by: empty,
        return_reason: String::new(),
        effective_date: None,
        next_review_date: None,
        review_reason: String::new(),
        version: 1,
        created_at: now,
        updated_at: now,
    };
    insert::<rating::Entity>(&write, row.clone()).await?;
    write.subject(row.id);
    write.commit(OpenRatingResponse { rating: Some(row.show()?) }).await
}

/// What a score was made of, kept so that it can be made again.
#[derive(Serialize, Deserialize)]
struct Kept {
    due: i64,
    on_time: i64,
    late: String,
    agreed: i64,
    performed: i64,
    completeness_bp: i64,
    months: Vec<i64>,
    years: i64,
    signal: String,
}

pub(crate) async fn score(desk: Desk, call: Call, request: ScoreRatingRequest) -> Result<ScoreRatingResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut row = locked(&write, &call, &request.rating_id, &request.etag).await?;
    row.state = model::rate(row.stands()?, RatingAction::Score)?.code().to_owned();
    let signal = Signal::of_number(request.signal).ok_or(Refusal::EnumUnknown).map_err(at("signal"))?;
    if request.performed > request.agreed {
        return Err(Fault::from(Refusal::Performance).field("performed"));
    }
    let stated = signal != Signal::None || request.sued_for_payment || request.ordered_to_close;
    if stated && request.evidence_ids.is_empty() {
        return Err(Fault::from(Refusal::EvidenceRequired).field("evidence_ids"));
    }
    let today = write.now().date();
    let facts = Facts::of(&write, &desk.vault, row.party_id, today).await?;
    let mut measures = Measures {
        due: 0,
        on_time: 0,
        late: 0,
        agreed: request.agreed,
        performed: request.performed,
        completeness_bp: facts.completeness_bp,
        months: vec![],
        years: facts.years,
        signal,
    };
    facts.books.measure(today, &mut measures);
    let version = store::model(&write, None, today)
        .await?
        .ok_or_else(|| Fault::internal("no scoring model is in force"))?;
    let rules = version.rules()?;
    let (scores, total) = measures
        .score(&rules)
        .ok_or_else(|| Fault::internal("a measure of a rating is too large to be added up"))?;
    let stated = holding([(request.sued_for_payment, SUED), (request.ordered_to_close, CLOSED)]);
    let performance = holding([(measures.performs_too_little(), PERFORMANCE)]);
    let stops: Vec<_> = stated.chain(facts.stops()).chain(performance).collect();
    let caps: Vec<_> = holding([(facts.years < 1, NEW), (facts.completeness_bp < 10_000, DOCUMENTS)]).collect();
    let scored = if stops.is_empty() { rules.grade(total) } else { Grade::C };
    let scores: Vec<_> = scores.iter().map(|(factor, points)| (factor.code(), points.hundredths())).collect();
    row.model_version = version.version;
    row.scores = store::pack(&scores)?;
    row.total = total.hundredths();
    row.scored_grade = scored.code().to_owned();
    row.grade = model::capped(scored, !caps.is_empty(), 0).code().to_owned();
    row.hard_stops = store::pack(&stops)?;
    row.caps = store::pack(&caps)?;
    row.evidence = store::pack(&request.evidence_ids)?;
    row.measures = store::pack(&Kept {
        due: measures.due,
        on_time: measures.on_time,
        late: measures.late.to_string(),
        agreed: measures.agreed,
        performed: measures.performed,
        completeness_bp: measures.completeness_bp,
        months: measures.months,
        years: measures.years,
        signal: signal.code().to_owned(),
    })?;
    // What was done on an earlier score does not hold for this one.
    (row.reviewed_by, row.exception_by) = (String::new(), "[]".to_owned());
    row.rated_by = call.subject().to_owned();
    let rating = keep(&mut write, row).await?;
    write.commit(ScoreRatingResponse { rating }).await
}

/// The codes of what holds.
fn holding<const N: usize>(codes: [(bool, &'static str); N]) -> impl Iterator<Item = &'static str> {
    codes.into_iter().filter_map(|(holds, code)| holds.then_some(code))
}

/// What other nouns know about a party.
struct Facts {
    books: model::exposure::Books,
    years: i64,
    completeness_bp: i64,
    licence_expired: bool,
    listed: bool,
}

impl Facts {
    async fn of(write: &Write, vault: &Vault, party: Uuid, today: NaiveDate) -> Result<Self, Fault> {
        let party = parties::load(write, &Scope::everything(), party).await?;
        let same = parties::one_person(write, vault, &party).await?;
        let file = credit_file::standing(write, party.id, today).await?;
        let since = agreements::supplied_since(write, &same).await?;
        Ok(Self {
            books: super::books::load(write, &same).await?,
            years: since.and_then(|since| today.years_since(since)).map_or(0, i64::from),
            completeness_bp: if file.has_file { file.completeness_bp } else { 0 },
            licence_expired: file.paper_until.is_some_and(|until| until < expired_before(today)),
            listed: !reach::bearing(write, vault, &party, &same, today).await?.is_empty(),
        })
    }

    /// The hard stops of B-02 that nobody has to state.
    fn stops(&self) -> impl Iterator<Item = &'static str> {
        holding([(self.listed, LISTED), (self.licence_expired, LICENCE)])
    }
}

/// H-03: a licence or certification whose last day lies before this one has expired more than 30 days ago.
pub(super) fn expired_before(today: NaiveDate) -> NaiveDate {
    today.checked_sub_days(LICENCE_GRACE).unwrap_or(NaiveDate::MIN)
}

pub(crate) async fn review(desk: Desk, call: Call, request: ReviewRatingRequest) -> Result<ReviewRatingResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut row = locked(&write, &call, &request.rating_id, &request.etag).await?;
    row.state = model::rate(row.stands()?, RatingAction::Review)?.code().to_owned();
    model::another_person(call.subject(), &[&row.rated_by])?;
    row.reviewed_by = call.subject().to_owned();
    let rating = keep(&mut write, row).await?;
    write.commit(ReviewRatingResponse { rating }).await
}

pub(crate) async fn send_back(desk: Desk, call: Call, request: ReturnRatingRequest) -> Result<ReturnRatingResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut row = locked(&write, &call, &request.rating_id, &request.etag).await?;
    row.state = model::rate(row.stands()?, RatingAction::Return)?.code().to_owned();
    model::another_person(call.subject(), &[&row.rated_by])?;
    row.return_reason = text(&request.reason, 500).map_err(at("reason"))?;
    let rating = keep(&mut write, row).await?;
    write.commit(ReturnRatingResponse { rating }).await
}

pub(crate) async fn except(desk: Desk, call: Call, request: GrantRatingExceptionRequest) -> Result<GrantRatingExceptionResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut row = locked(&write, &call, &request.rating_id, &request.etag).await?;
    if row.stands()? != RatingState::Reviewed {
        return Err(Refusal::RatingState.into());
    }
    let scored = Grade::of(&row.scored_grade).ok_or_else(|| crate::unknown_code("credit_rating.scored_grade"))?;
    let caps: Vec<String> = store::unpack(&row.caps)?;
    if model::capped(scored, !caps.is_empty(), 0) == scored {
        return Err(Refusal::RatingNotCapped.into());
    }
    let mut approvals: Vec<String> = store::unpack(&row.exception_by)?;
    let before: Vec<&str> = approvals
        .iter()
        .map(String::as_str)
        .chain([row.rated_by.as_str(), row.reviewed_by.as_str()])
        .collect();
    model::another_person(call.subject(), &before)?;
    not_own_account(&write, &call, row.party_id).await?;
    approvals.push(call.subject().to_owned());
    model::may_lift(approvals.len(), call.has(Role::Leader))?;
    row.grade = model::capped(scored, true, approvals.len()).code().to_owned();
    row.exception_by = store::pack(&approvals)?;
    let rating = keep(&mut write, row).await?;
    write.commit(GrantRatingExceptionResponse { rating }).await
}

pub(crate) async fn approve(desk: Desk, call: Call, request: ApproveRatingRequest) -> Result<ApproveRatingResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut row = locked(&write, &call, &request.rating_id, &request.etag).await?;
    row.state = model::rate(row.stands()?, RatingAction::Approve)?.code().to_owned();
    model::another_person(call.subject(), &[&row.rated_by, &row.reviewed_by])?;
    not_own_account(&write, &call, row.party_id).await?;
    row.approved_by = call.subject().to_owned();
    let today = write.now().date();
    let grade = row.grade().ok_or_else(|| crate::unknown_code("credit_rating.grade"))?;
    let current = match store::in_effect(&write, row.party_id).await? {
        Some(current) => current
            .grade()
            .zip(current.next_review_date)
            .map(|(grade, review)| (grade, review, current.state == RatingState::ReviewDue.code())),
        None => None,
    };
    let from = model::effective_from(today, grade, current);
    row.effective_date = Some(from);
    let now = write.now().micros();
    row.save(&write, now).await?;
    write.subject(row.id);
    let row = if from <= today {
        take_effect(&mut write, &desk.vault, row).await?
    } else {
        row
    };
    write.commit(ApproveRatingResponse { rating: Some(row.show()?) }).await
}

/// An approved rating takes effect in the place of the one before it. A hard stop that came up since it was scored follows at once.
pub(crate) async fn take_effect(write: &mut Write, vault: &Vault, mut row: rating::Model) -> Result<rating::Model, Fault> {
    let (today, now) = (write.now().date(), write.now().micros());
    row.state = model::rate(row.stands()?, RatingAction::TakeEffect)?.code().to_owned();
    if let Some(before) = store::in_effect(write, row.party_id).await? {
        supersede(write, before).await?;
    }
    row.effective_date = Some(today);
    row.next_review_date = Some(model::next_review(today));
    row.save(write, now).await?;
    follow(write, vault, &row).await?;
    stop(write, vault, row.party_id).await?;
    rating::Model::load(write, &Scope::everything(), row.id).await
}

async fn supersede(write: &Write, mut before: rating::Model) -> Result<(), Fault> {
    before.state = model::rate(before.stands()?, RatingAction::Supersede)?.code().to_owned();
    before.save(write, write.now().micros()).await
}

/// B-02: hard stops that came up since the rating in effect was scored. Another one with the same points takes its place at once, with grade C, and
/// is to be made anew. Says whether there was one; looking twice finds nothing the second time.
pub(crate) async fn stop(write: &mut Write, vault: &Vault, party: Uuid) -> Result<bool, Fault> {
    let Some(before) = store::in_effect(write, party).await? else {
        return Ok(false);
    };
    let (today, now) = (write.now().date(), write.now().micros());
    let mut stops: Vec<String> = store::unpack(&before.hard_stops)?;
    let facts = Facts::of(write, vault, party, today).await?;
    let new: Vec<_> = facts.stops().filter(|code| !stops.iter().any(|known| known == code)).collect();
    let Some(reason) = new.first() else {
        return Ok(false);
    };
    stops.extend(new.iter().map(|code| (*code).to_owned()));
    let row = rating::Model {
        id: Uuid::now_v7(),
        state: RatingState::Effective.code().to_owned(),
        scored_grade: Grade::C.code().to_owned(),
        grade: Grade::C.code().to_owned(),
        hard_stops: store::pack(&stops)?,
        rated_by: BY_ITSELF.to_owned(),
        reviewed_by: String::new(),
        approved_by: String::new(),
        exception_by: "[]".to_owned(),
        effective_date: Some(today),
        next_review_date: Some(today),
        review_reason: String::new(),
        version: 1,
        created_at: now,
        updated_at: now,
        ..before.clone()
    };
    supersede(write, before).await?;
    insert::<rating::Entity>(write, row.clone()).await?;
    follow(write, vault, &row).await?;
    fall_due(write, party, reason).await?;
    Ok(true)
}

/// What follows when a rating has taken effect: a key account that performs too little becomes ordinary, the limit of a line falls with the grade,
/// and the locks are looked at.
async fn follow(write: &mut Write, vault: &Vault, row: &rating::Model) -> Result<(), Fault> {
    let (today, now) = (write.now().date(), write.now().micros());
    write.subject(row.id);
    let (party_id, rating_id) = (row.party_id.to_string(), row.id.to_string());
    let event = CreditRated {
        party_id: party_id.clone(),
        branch: row.branch.clone(),
        rating_id: rating_id.clone(),
        grade: row.grade.clone(),
        effective_date: Some(wire::date(today)),
    };
    write.event(row.party_id, &event);
    let stops: Vec<String> = store::unpack(&row.hard_stops)?;
    if stops.iter().any(|stop| stop == PERFORMANCE)
        && let Some(mut key) = store::key_account_of(write, row.party_id).await?
    {
        key.state = model::key(key.stands()?, KeyAction::Downgrade)?.code().to_owned();
        key.save(write, now).await?;
        let event = KeyAccountDowngraded {
            party_id,
            branch: row.branch.clone(),
            rating_id,
        };
        write.event(row.party_id, &event);
    }
    lines::lower(write, row).await?;
    watch::look(write, vault, row.party_id).await
}

/// Something happened that asks for a new rating (B-06).
pub(crate) async fn fall_due(write: &mut Write, party: Uuid, reason: &str) -> Result<(), Fault> {
    let Some(mut row) = store::in_effect(write, party).await? else {
        return Ok(());
    };
    if row.stands()? != RatingState::Effective {
        return Ok(());
    }
    row.state = model::rate(RatingState::Effective, RatingAction::FallDue)?.code().to_owned();
    row.review_reason = reason.to_owned();
    let now = write.now().micros();
    row.save(write, now).await?;
    write.subject(row.id);
    Ok(())
}

/// B-08: whoever decides is not the account manager of the party.
pub(crate) async fn not_own_account(write: &Write, call: &Call, party: Uuid) -> Result<(), Fault> {
    let key = store::key_account_of(write, party).await?;
    Ok(model::not_own_account(call.subject(), key.as_ref().map(|k| k.account_manager.as_str()))?)
}

async fn locked(write: &Write, call: &Call, id: &str, etag: &str) -> Result<rating::Model, Fault> {
    rating::Model::lock(write, &Scope::of(call), wire::id_of("rating_id", id)?, etag).await
}

async fn keep(write: &mut Write, mut row: rating::Model) -> Result<Option<contracts::hearth::archive::v1::CreditRating>, Fault> {
    let now = write.now().micros();
    row.save(write, now).await?;
    write.subject(row.id);
    row.show().map(Some)
}

pub(crate) async fn get(desk: Desk, call: Call, request: GetRatingRequest) -> Result<GetRatingResponse, Fault> {
    let id = wire::id_of("rating_id", &request.rating_id)?;
    let row = rating::Model::load(desk.db.reader(), &Scope::of(&call), id).await?;
    Ok(GetRatingResponse { rating: Some(row.show()?) })
}

pub(crate) async fn list(desk: Desk, call: Call, request: ListRatingsRequest) -> Result<ListRatingsResponse, Fault> {
    let (party, state) = (request.party_id.as_deref(), RatingState::of_number(request.state).map(RatingState::code));
    let filters = [party.unwrap_or_default(), state.unwrap_or_default()];
    let page = Page::of(&call, &filters, request.page_size, &request.page_token)?;
    let party = party.map(|id| wire::id_of("party_id", id)).transpose()?;
    let rows = rating::Model::list(desk.db.reader(), &Scope::of(&call), party, state, &page).await?;
    let (rows, next_page_token) = page.cut(rows, |row| row.id);
    Ok(ListRatingsResponse {
        ratings: rows.into_iter().map(rating::Model::show).collect::<Result<_, _>>()?,
        next_page_token,
    })
}
