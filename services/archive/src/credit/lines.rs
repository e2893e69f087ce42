//! Credit lines, from proposal to end.

use contracts::hearth::archive::v1::{
    ApproveCreditLineRequest, ApproveCreditLineResponse, CancelCreditLineRequest, CancelCreditLineResponse, CreditLine, CreditLineChanged,
    FreezeCreditLineRequest, FreezeCreditLineResponse, ListCreditLinesRequest, ListCreditLinesResponse, ProposeCreditLineRequest, ProposeCreditLineResponse,
    UnfreezeCreditLineRequest, UnfreezeCreditLineResponse,
};
use contracts::hearth::options::v1::Role;
use database::{Begun, Scope, Write};
use ids::PartyId;
use money::Money;
use rpc::{Call, Fault, page::Page, wire};
use uuid::Uuid;
use vault::Vault;

use super::{
    model::{self, LineAction, LineState},
    rating::not_own_account,
    store::{self, line, rating},
    watch,
};
use crate::{
    Desk,
    integrity::reach,
    party::store::{self as parties, row as party},
    refusal::{Refusal, at},
    table::insert,
};

/// A factor above this needs a leader, basis points.
const LEADER_FACTOR: i32 = 20_000;

pub(crate) async fn propose(desk: Desk, call: Call, request: ProposeCreditLineRequest) -> Result<ProposeCreditLineResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let (today, now) = (write.now().date(), write.now().micros());
    let id: PartyId = wire::id_of("party_id", &request.party_id)?;
    let party = parties::lock(&write, &Scope::of(&call), id.uuid()).await?;
    not_listed(&write, &desk.vault, &party).await?;
    let rating = store::in_effect(&write, party.id).await?.ok_or(Refusal::CreditNotRated)?;
    let band = band_of(&write, &rating).await?;
    let factor_bp = if request.factor_bp == 0 { band.least_bp } else { request.factor_bp };
    if !(band.least_bp..=band.largest_bp).contains(&factor_bp) {
        return Err(Fault::from(Refusal::CreditFactor).field("factor_bp"));
    }
    let valid_from = wire::date_if(request.valid_from_date.as_ref(), "valid_from_date")?.unwrap_or(today);
    let valid_until = wire::date_of(request.valid_until_date.as_ref(), "valid_until_date")?;
    if valid_from < today {
        return Err(Refusal::DateRange).map_err(at("valid_from_date"));
    }
    if valid_until <= valid_from {
        return Err(Refusal::Period).map_err(at("valid_until_date"));
    }
    let delivered = watch::books_of(&write, &desk.vault, &party).await?.delivered(today);
    let row = line::Model {
        id: Uuid::now_v7(),
        party_id: party.id,
        branch: party.branch,
        rating_id: rating.id,
        limit_fen: limit(delivered.total(), delivered.delivering(), request.term_days, factor_bp)?,
        term_days: request.term_days,
        delivered_fen: delivered.total(),
        delivering_months: i32::try_from(delivered.delivering()).map_err(Fault::internal)?,
        all_months: i32::try_from(delivered.all).map_err(Fault::internal)?,
        factor_bp,
        valid_from,
        valid_until,
        state: LineState::Proposed.code().to_owned(),
        checked_on: None,
        proposed_by: call.subject().to_owned(),
        approved_by: String::new(),
        reason: String::new(),
        version: 1,
        created_at: now,
        updated_at: now,
    };
    insert::<line::Entity>(&write, row.clone()).await?;
    write.subject(row.id);
    write.commit(ProposeCreditLineResponse { line: Some(row.show()?) }).await
}

fn limit(delivered: i64, months: i64, term_days: i32, factor_bp: i32) -> Result<i64, Fault> {
    let limit = model::limit(delivered, months, term_days.into(), factor_bp.into());
    limit.ok_or_else(|| Fault::internal("a credit limit is too large"))
}

async fn band_of(write: &Write, rating: &rating::Model) -> Result<model::score::Band, Fault> {
    let today = write.now().date();
    let version = store::model(write, Some(rating.model_version), today).await?;
    let rules = version.ok_or_else(|| Fault::not_found("credit model", rating.model_version))?.rules()?;
    let grade = rating.grade().ok_or_else(|| crate::unknown_code("credit_rating.grade"))?;
    rules.band(grade).ok_or_else(|| Fault::internal("a scoring model lacks a grade"))
}

/// G-11: nobody who is on the list of dishonest customers gets credit, nor a firm that takes the list along.
async fn not_listed(write: &Write, vault: &Vault, party: &party::Model) -> Result<(), Fault> {
    if is_listed(write, vault, party).await? {
        Err(Refusal::ListedDishonest.into())
    } else {
        Ok(())
    }
}

pub(crate) async fn is_listed(write: &Write, vault: &Vault, party: &party::Model) -> Result<bool, Fault> {
    let same = parties::one_person(write, vault, party).await?;
    Ok(!reach::bearing(write, vault, party, &same, write.now().date()).await?.is_empty())
}

pub(crate) async fn approve(desk: Desk, call: Call, request: ApproveCreditLineRequest) -> Result<ApproveCreditLineResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut row = locked(&write, &call, &request.line_id, &request.etag).await?;
    row.state = model::line(row.stands()?, LineAction::Approve)?.code().to_owned();
    model::another_person(call.subject(), &[&row.proposed_by])?;
    not_own_account(&write, &call, row.party_id).await?;
    if row.factor_bp > LEADER_FACTOR && !call.has(Role::Leader) {
        return Err(Refusal::CreditNeedsLeader.into());
    }
    let party = parties::lock(&write, &Scope::everything(), row.party_id).await?;
    not_listed(&write, &desk.vault, &party).await?;
    row.approved_by = call.subject().to_owned();
    let row = if row.valid_from <= write.now().date() {
        activate(&mut write, &desk.vault, row).await?
    } else {
        changed(&mut write, row, "").await?
    };
    write.commit(ApproveCreditLineResponse { line: Some(row.show()?) }).await
}

/// The first day of an approved line has come: it takes the place of the one before it.
pub(crate) async fn activate(write: &mut Write, vault: &Vault, mut row: line::Model) -> Result<line::Model, Fault> {
    if let Some(mut before) = store::live_line(write, row.party_id).await? {
        before.state = model::line(before.stands()?, LineAction::Cancel)?.code().to_owned();
        changed(write, before, "REPLACED").await?;
    }
    store::unwatch_lines(write, row.party_id).await?;
    row.state = model::line(row.stands()?, LineAction::Activate)?.code().to_owned();
    row.checked_on = Some(write.now().date());
    let row = changed(write, row, "").await?;
    watch::look(write, vault, row.party_id).await?;
    Ok(row)
}

pub(crate) async fn freeze(desk: Desk, call: Call, request: FreezeCreditLineRequest) -> Result<FreezeCreditLineResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let row = locked(&write, &call, &request.line_id, &request.etag).await?;
    let line = step(&mut write, row, LineAction::Freeze, &request.reason).await?;
    write.commit(FreezeCreditLineResponse { line }).await
}

pub(crate) async fn unfreeze(desk: Desk, call: Call, request: UnfreezeCreditLineRequest) -> Result<UnfreezeCreditLineResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let row = locked(&write, &call, &request.line_id, &request.etag).await?;
    not_own_account(&write, &call, row.party_id).await?;
    let party = parties::load(&write, &Scope::everything(), row.party_id).await?;
    not_listed(&write, &desk.vault, &party).await?;
    let line = step(&mut write, row, LineAction::Unfreeze, &request.reason).await?;
    write.commit(UnfreezeCreditLineResponse { line }).await
}

pub(crate) async fn cancel(desk: Desk, call: Call, request: CancelCreditLineRequest) -> Result<CancelCreditLineResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let row = locked(&write, &call, &request.line_id, &request.etag).await?;
    let party = row.party_id;
    let line = step(&mut write, row, LineAction::Cancel, &request.reason).await?;
    watch::look(&mut write, &desk.vault, party).await?;
    write.commit(CancelCreditLineResponse { line }).await
}

async fn locked(write: &Write, call: &Call, id: &str, etag: &str) -> Result<line::Model, Fault> {
    line::Model::lock(write, &Scope::of(call), wire::id_of("line_id", id)?, etag).await
}

async fn step(write: &mut Write, mut row: line::Model, action: LineAction, reason: &str) -> Result<Option<CreditLine>, Fault> {
    row.state = model::line(row.stands()?, action)?.code().to_owned();
    changed(write, row, reason).await?.show().map(Some)
}

/// Writes a line and tells it.
pub(crate) async fn changed(write: &mut Write, mut row: line::Model, reason: &str) -> Result<line::Model, Fault> {
    reason.clone_into(&mut row.reason);
    let now = write.now().micros();
    row.save(write, now).await?;
    write.subject(row.id);
    let event = CreditLineChanged {
        party_id: row.party_id.to_string(),
        branch: row.branch.clone(),
        line_id: row.id.to_string(),
        state: row.state.clone(),
        limit: Some(wire::money(Money::from_fen(row.limit_fen))),
        term_days: row.term_days,
        reason: row.reason.clone(),
    };
    write.event(row.party_id, &event);
    Ok(row)
}

/// B-07: a worse grade lowers the limit at once, of a line that is only proposed or approved, too; a better one waits for the next line.
pub(crate) async fn lower(write: &mut Write, rating: &rating::Model) -> Result<(), Fault> {
    for mut row in store::open_lines(write, rating.party_id).await? {
        let factor_bp = row.factor_bp.min(band_of(write, rating).await?.largest_bp);
        let fallen = limit(row.delivered_fen, row.delivering_months.into(), row.term_days, factor_bp)?;
        if fallen < row.limit_fen {
            (row.limit_fen, row.factor_bp, row.rating_id) = (fallen, factor_bp, rating.id);
            changed(write, row, "DOWNGRADED").await?;
        }
    }
    Ok(())
}

/// G-11: a party that is listed gets no credit from that moment on.
pub(crate) async fn freeze_listed(write: &mut Write, party: Uuid) -> Result<(), Fault> {
    let Some(row) = store::live_line(write, party).await? else {
        return Ok(());
    };
    if row.stands()? == LineState::Active {
        step(write, row, LineAction::Freeze, "LISTED_DISHONEST").await?;
    }
    Ok(())
}

/// A live line whose last day is over ends; what it leaves unpaid is over a limit of 0 from then on.
pub(crate) async fn expire(write: &mut Write, row: line::Model) -> Result<(), Fault> {
    step(write, row, LineAction::Expire, "TERM_OVER").await.map(|_| ())
}

pub(crate) async fn list(desk: Desk, call: Call, request: ListCreditLinesRequest) -> Result<ListCreditLinesResponse, Fault> {
    let (party, state) = (request.party_id.as_deref(), LineState::of_number(request.state).map(LineState::code));
    let filters = [party.unwrap_or_default(), state.unwrap_or_default()];
    let page = Page::of(&call, &filters, request.page_size, &request.page_token)?;
    let party = party.map(|id| wire::id_of("party_id", id)).transpose()?;
    let rows = line::Model::list(desk.db.reader(), &Scope::of(&call), party, state, &page).await?;
    let (rows, next_page_token) = page.cut(rows, |row| row.id);
    Ok(ListCreditLinesResponse {
        lines: rows.into_iter().map(line::Model::show).collect::<Result<_, _>>()?,
        next_page_token,
    })
}
