//! Designation of key accounts.

use contracts::hearth::archive::v1::{
    DesignateKeyAccountRequest, DesignateKeyAccountResponse, KeyAccountDesignated, KeyAccountWithdrawn, ListKeyAccountsRequest, ListKeyAccountsResponse,
    WithdrawKeyAccountRequest, WithdrawKeyAccountResponse,
};
use database::{Begun, Scope};
use ids::PartyId;
use rpc::{Call, Fault, page::Page, wire};
use uuid::Uuid;

use super::{
    model::{self, KeyAction, KeyState, Segment},
    store::key_account,
};
use crate::{
    Desk,
    party::{
        model::{self as party_rules, text},
        store as parties,
    },
    refusal::{Refusal, at},
    table::insert,
};

pub(crate) async fn designate(desk: Desk, call: Call, request: DesignateKeyAccountRequest) -> Result<DesignateKeyAccountResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let id: PartyId = wire::id_of("party_id", &request.party_id)?;
    let party = parties::lock(&write, &Scope::of(&call), id.uuid()).await?;
    if party.standing()? == party_rules::State::Closed {
        return Err(Refusal::PartyClosed.into());
    }
    let segment = Segment::of_number(request.segment).ok_or(Refusal::EnumUnknown).map_err(at("segment"))?;
    let now = write.now().micros();
    let row = key_account::Model {
        id: Uuid::now_v7(),
        party_id: party.id,
        branch: party.branch,
        account_manager: text(&request.account_manager, 100).map_err(at("account_manager"))?,
        segment: segment.code().to_owned(),
        basis: text(&request.designation_basis, 500).map_err(at("designation_basis"))?,
        since_date: write.now().date(),
        state: KeyState::Active.code().to_owned(),
        version: 1,
        created_at: now,
        updated_at: now,
    };
    insert::<key_account::Entity>(&write, row.clone()).await?;
    write.subject(row.id);
    let event = KeyAccountDesignated {
        party_id: row.party_id.to_string(),
        branch: row.branch.clone(),
        key_account_id: row.id.to_string(),
        account_manager: row.account_manager.clone(),
    };
    write.event(row.party_id, &event);
    let key_account = Some(row.show()?);
    write.commit(DesignateKeyAccountResponse { key_account }).await
}

pub(crate) async fn withdraw(desk: Desk, call: Call, request: WithdrawKeyAccountRequest) -> Result<WithdrawKeyAccountResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let id = wire::id_of("key_account_id", &request.key_account_id)?;
    let mut row = key_account::Model::lock(&write, &Scope::of(&call), id, &request.etag).await?;
    model::not_own_account(call.subject(), Some(&row.account_manager))?;
    row.state = model::key(row.stands()?, KeyAction::Withdraw)?.code().to_owned();
    let now = write.now().micros();
    row.save(&write, now).await?;
    write.subject(row.id);
    let event = KeyAccountWithdrawn {
        party_id: row.party_id.to_string(),
        branch: row.branch.clone(),
        key_account_id: row.id.to_string(),
    };
    write.event(row.party_id, &event);
    let key_account = Some(row.show()?);
    write.commit(WithdrawKeyAccountResponse { key_account }).await
}

pub(crate) async fn list(desk: Desk, call: Call, request: ListKeyAccountsRequest) -> Result<ListKeyAccountsResponse, Fault> {
    let (party, state) = (request.party_id.as_deref(), KeyState::of_number(request.state).map(KeyState::code));
    let filters = [party.unwrap_or_default(), state.unwrap_or_default()];
    let page = Page::of(&call, &filters, request.page_size, &request.page_token)?;
    let party = party.map(|id| wire::id_of("party_id", id)).transpose()?;
    let rows = key_account::Model::list(desk.db.reader(), &Scope::of(&call), party, state, &page).await?;
    let (rows, next_page_token) = page.cut(rows, |row| row.id);
    Ok(ListKeyAccountsResponse {
        key_accounts: rows.into_iter().map(key_account::Model::show).collect::<Result<_, _>>()?,
        next_page_token,
    })
}
