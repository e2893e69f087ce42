//! Exposure, guarantees that lower it, and the locks that it closes.

use chrono::NaiveDate;
use contracts::hearth::archive::v1::{
    DecideCreditHoldRequest, DecideCreditHoldResponse, Exposure, GetExposureRequest, GetExposureResponse, ListCreditHoldsRequest, ListCreditHoldsResponse,
    ListGuaranteesRequest, ListGuaranteesResponse, RebuildExposureRequest, RebuildExposureResponse, RegisterGuaranteeRequest, RegisterGuaranteeResponse,
    ReleaseGuaranteeRequest, ReleaseGuaranteeResponse, exposure,
};
use database::{Begun, Conn, Scope};
use ids::PartyId;
use money::Money;
use rpc::{Call, Fault, page::Page, wire};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use uuid::Uuid;
use vault::Vault;

use super::{
    billing, books,
    model::{self, GuaranteeAction, GuaranteeKind, GuaranteeState, HoldAction, HoldState, exposure::average},
    rating::not_own_account,
    store::{self, guarantee, hold},
    watch,
};
use crate::{
    Desk,
    account::store as accounts,
    party::{
        model as party_rules,
        store::{self as parties, row as party},
    },
    refusal::{Refusal, at},
    table,
    table::insert,
};

// How far the events of another service have been taken: a row of the frame, which the rebuild must not run past.
table!(taken, "cursor", {
    #[sea_orm(primary_key, auto_increment = false)]
    source: String,
    position: i64,
});

pub(crate) async fn get(desk: Desk, call: Call, request: GetExposureRequest) -> Result<GetExposureResponse, Fault> {
    let id: PartyId = wire::id_of("party_id", &request.party_id)?;
    // Bills from before an event and payments from after it come to a sum that never was owed.
    let read = desk.db.moment().await?;
    let party = parties::load(&read, &Scope::of(&call), id.uuid()).await?;
    let exposure = Some(show(&read, &desk.vault, &party, desk.db.clock().now().date()).await?);
    Ok(GetExposureResponse { exposure })
}

async fn show(conn: &Conn, vault: &Vault, party: &party::Model, today: NaiveDate) -> Result<Exposure, Fault> {
    let yuan = |fen: i64| Some(wire::money(Money::from_fen(fen)));
    let same = parties::one_person(conn, vault, party).await?;
    let books = books::load(conn, &same).await?;
    let limit = watch::limit_of(conn, party.id).await?;
    let holds = store::open_holds(conn, party.id).await?;
    let (age, delivered) = (books.ageing(today), books.delivered(today));
    let (due, on_time, _) = books.punctuality(today);
    let term = limit.as_ref().map_or(0, |limit| books.days_over_term(today, limit.term_days));
    Ok(Exposure {
        party_id: party.id.to_string(),
        account_ids: accounts::ids_of(conn, &same).await?.iter().map(Uuid::to_string).collect(),
        billed: yuan(books.billed()),
        paid: yuan(books.paid()),
        guaranteed: yuan(books.guaranteed(today)),
        exposure: yuan(books.exposure(today)),
        limit: yuan(limit.map_or(0, |limit| limit.fen)),
        ageing: Some(exposure::Ageing {
            not_due: yuan(age.not_due),
            to_30: yuan(age.to_30),
            to_60: yuan(age.to_60),
            to_90: yuan(age.to_90),
            over_90: yuan(age.over_90),
        }),
        days_over_term: i32::try_from(term).unwrap_or(i32::MAX),
        due: yuan(due),
        paid_on_time: yuan(on_time),
        average_delivering: yuan(average(delivered.total(), delivered.delivering())),
        average_all: yuan(average(delivered.total(), delivered.all)),
        unbilled_estimate: yuan(books.unbilled(today)),
        on_hold: !watch::raised(&holds)?.is_empty(),
    })
}

pub(crate) async fn rebuild(desk: Desk, call: Call, request: RebuildExposureRequest) -> Result<RebuildExposureResponse, Fault> {
    // Before the write begins: the journal of billing may be long, and a write must not wait for another service.
    let position = position(desk.db.reader(), false).await?;
    let told = billing::told(&desk, position).await?;
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    if self::position(&write, true).await? != position {
        return Err(Fault::aborted("CONTENTION", "billing told something at this moment; try again"));
    }
    let id: PartyId = wire::id_of("party_id", &request.party_id)?;
    let party = parties::load(&write, &Scope::of(&call), id.uuid()).await?;
    let same = parties::one_person(&write, &desk.vault, &party).await?;
    let (bills, payments) = billing::rebuild(&write, &same, &told).await?;
    write.subject(party.id);
    watch::party_owes(&mut write, &desk.vault, party.id).await?;
    let exposure = show(&write, &desk.vault, &party, write.now().date()).await?;
    let answer = RebuildExposureResponse {
        bills: i32::try_from(bills).unwrap_or(i32::MAX),
        payments: i32::try_from(payments).unwrap_or(i32::MAX),
        exposure: Some(exposure),
    };
    write.commit(answer).await
}

async fn position(conn: &Conn, lock: bool) -> Result<i64, Fault> {
    let row = taken::Entity::find().filter(taken::Column::Source.eq("billing"));
    let row = if lock { row.lock_exclusive() } else { row };
    Ok(row.one(conn).await?.map_or(0, |row| row.position))
}

pub(crate) async fn register_guarantee(desk: Desk, call: Call, request: RegisterGuaranteeRequest) -> Result<RegisterGuaranteeResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let id: PartyId = wire::id_of("party_id", &request.party_id)?;
    let party = parties::lock(&write, &Scope::of(&call), id.uuid()).await?;
    if party.standing()? == party_rules::State::Closed {
        return Err(Refusal::PartyClosed.into());
    }
    let kind = GuaranteeKind::of_number(request.kind).ok_or(Refusal::EnumUnknown).map_err(at("kind"))?;
    let amount = wire::money_of(request.amount.as_ref(), "amount")?.fen();
    if amount <= 0 {
        return Err(Refusal::AmountRange).map_err(at("amount"));
    }
    let receipt_no = request.receipt_no.trim().to_owned();
    if kind == GuaranteeKind::Deposit && receipt_no.is_empty() {
        return Err(Refusal::ReceiptRequired).map_err(at("receipt_no"));
    }
    let now = write.now().micros();
    let row = guarantee::Model {
        id: Uuid::now_v7(),
        party_id: party.id,
        branch: party.branch,
        kind: kind.code().to_owned(),
        amount,
        last_date: wire::date_if(request.last_date.as_ref(), "last_date")?,
        document_id: party_rules::text(&request.document_id, 80).map_err(at("document_id"))?,
        receipt_no,
        state: GuaranteeState::Held.code().to_owned(),
        version: 1,
        created_at: now,
        updated_at: now,
    };
    insert::<guarantee::Entity>(&write, row.clone()).await?;
    write.subject(row.id);
    watch::party_owes(&mut write, &desk.vault, row.party_id).await?;
    let today = write.now().date();
    let guarantee = shown(&write, vec![row], today).await?.pop();
    write.commit(RegisterGuaranteeResponse { guarantee }).await
}

pub(crate) async fn release_guarantee(desk: Desk, call: Call, request: ReleaseGuaranteeRequest) -> Result<ReleaseGuaranteeResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let id = wire::id_of("guarantee_id", &request.guarantee_id)?;
    let mut row = guarantee::Model::lock(&write, &Scope::of(&call), id, &request.etag).await?;
    row.state = model::guarantee(row.stands()?, GuaranteeAction::Release)?.code().to_owned();
    let (now, today) = (write.now().micros(), write.now().date());
    row.save(&write, now).await?;
    write.subject(row.id);
    watch::party_owes(&mut write, &desk.vault, row.party_id).await?;
    let guarantee = shown(&write, vec![row], today).await?.pop();
    write.commit(ReleaseGuaranteeResponse { guarantee }).await
}

async fn shown(conn: &Conn, rows: Vec<guarantee::Model>, today: NaiveDate) -> Result<Vec<contracts::hearth::archive::v1::Guarantee>, Fault> {
    let receipts = rows.iter().map(|row| row.receipt_no.clone()).filter(|receipt| !receipt.is_empty()).collect();
    let receipts = books::known_receipts(conn, receipts).await?;
    let show = |row: guarantee::Model| {
        let counted = row.stands()? == GuaranteeState::Held && row.rule().counts(today, &receipts);
        row.show(counted)
    };
    rows.into_iter().map(show).collect()
}

pub(crate) async fn list_guarantees(desk: Desk, call: Call, request: ListGuaranteesRequest) -> Result<ListGuaranteesResponse, Fault> {
    let party = request.party_id.as_deref();
    let page = Page::of(&call, &[party.unwrap_or_default()], request.page_size, &request.page_token)?;
    let party = party.map(|id| wire::id_of("party_id", id)).transpose()?;
    let rows = guarantee::Model::list(desk.db.reader(), &Scope::of(&call), party, None, &page).await?;
    let (rows, next_page_token) = page.cut(rows, |row| row.id);
    let today = desk.db.clock().now().date();
    Ok(ListGuaranteesResponse {
        guarantees: shown(desk.db.reader(), rows, today).await?,
        next_page_token,
    })
}

pub(crate) async fn list_holds(desk: Desk, call: Call, request: ListCreditHoldsRequest) -> Result<ListCreditHoldsResponse, Fault> {
    let (party, state) = (request.party_id.as_deref(), HoldState::of_number(request.state).map(HoldState::code));
    let filters = [party.unwrap_or_default(), state.unwrap_or_default()];
    let page = Page::of(&call, &filters, request.page_size, &request.page_token)?;
    let party = party.map(|id| wire::id_of("party_id", id)).transpose()?;
    let rows = hold::Model::list(desk.db.reader(), &Scope::of(&call), party, state, &page).await?;
    let (rows, next_page_token) = page.cut(rows, |row| row.id);
    Ok(ListCreditHoldsResponse {
        holds: rows.into_iter().map(hold::Model::show).collect::<Result<_, _>>()?,
        next_page_token,
    })
}

pub(crate) async fn decide_hold(desk: Desk, call: Call, request: DecideCreditHoldRequest) -> Result<DecideCreditHoldResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let id = wire::id_of("hold_id", &request.hold_id)?;
    let mut row = hold::Model::lock(&write, &Scope::of(&call), id, &request.etag).await?;
    let action = if request.raise { HoldAction::Raise } else { HoldAction::Waive };
    not_own_account(&write, &call, row.party_id).await?;
    let before = watch::raised(&store::open_holds(&write, row.party_id).await?)?;
    row.state = model::hold(row.stands()?, action)?.code().to_owned();
    row.reviewed_by = call.subject().to_owned();
    let (now, today) = (write.now().micros(), write.now().date());
    row.save(&write, now).await?;
    write.subject(row.id);
    let party = parties::load(&write, &Scope::everything(), row.party_id).await?;
    let after = watch::raised(&store::open_holds(&write, row.party_id).await?)?;
    watch::tell(&mut write, &party, &before, &after, today).await?;
    write.commit(DecideCreditHoldResponse { hold: Some(row.show()?) }).await
}
