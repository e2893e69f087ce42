use chrono::Datelike;
use contracts::hearth::archive::v1::{
    Account, AccountChanged, AccountClosed, AccountOpened, CloseAccountRequest, CloseAccountResponse, GetAccountRequest, GetAccountResponse,
    ListAccountsRequest, ListAccountsResponse, OpenAccountRequest, OpenAccountResponse, PauseAccountRequest, PauseAccountResponse, ResumeAccountRequest,
    ResumeAccountResponse, StartClosingAccountRequest, StartClosingAccountResponse, SuspendAccountRequest, SuspendAccountResponse,
};
use database::{Begun, Scope, Write, numbers};
use ids::{AccountId, PartyId};
use rpc::{Call, Fault, page::Page, wire};

use super::{
    model::{self, Action, State, step},
    store,
};
use crate::{
    Desk,
    agreement::store as agreements,
    party::{
        model::{self as parties, text},
        store as party_rows,
    },
    refusal::{Refusal, at},
};

pub(crate) async fn open(desk: Desk, call: Call, request: OpenAccountRequest) -> Result<OpenAccountResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let now = write.now();
    let branch = text(&request.branch, 40).map_err(at("branch"))?;
    let party: PartyId = wire::id_of("party_id", &request.party_id)?;
    let mut party = party_rows::lock(&write, &Scope::of(&call), party.uuid()).await?;
    let before = party.standing()?;
    let after = parties::step(before, parties::Action::OpenAccount)?;
    if after != before {
        party.state = after.code().to_owned();
        party_rows::save(&write, &mut party, now.micros()).await?;
    }
    let year = now.date().year();
    let count = numbers::next(&write, "account", &branch, year, 1).await?;
    let account = store::row::Model {
        id: AccountId::new().uuid(),
        account_no: model::number(&branch, year, count),
        party_id: party.id,
        branch,
        state: State::Opening.code().to_owned(),
        version: 1,
        created_at: now.micros(),
        updated_at: now.micros(),
    };
    store::insert(&write, std::slice::from_ref(&account)).await?;
    let account = store::show(account)?;
    write.subject(&account.account_id);
    write.event(&account.account_id, &opened(&account));
    write.commit(OpenAccountResponse { account: Some(account) }).await
}

/// What the others learn of a new account.
pub(crate) fn opened(account: &Account) -> AccountOpened {
    let Account {
        account_id,
        account_no,
        party_id,
        branch,
        ..
    } = account.clone();
    AccountOpened {
        account_id,
        account_no,
        party_id,
        branch,
    }
}

pub(crate) async fn suspend(desk: Desk, call: Call, request: SuspendAccountRequest) -> Result<SuspendAccountResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let account = locked(&write, &call, &request.account_id, &request.etag).await?;
    let account = Some(change(&mut write, account, Action::Suspend, &request.reason).await?);
    write.commit(SuspendAccountResponse { account }).await
}

pub(crate) async fn pause(desk: Desk, call: Call, request: PauseAccountRequest) -> Result<PauseAccountResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let account = locked(&write, &call, &request.account_id, &request.etag).await?;
    let account = Some(change(&mut write, account, Action::Pause, &request.reason).await?);
    write.commit(PauseAccountResponse { account }).await
}

pub(crate) async fn resume(desk: Desk, call: Call, request: ResumeAccountRequest) -> Result<ResumeAccountResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let account = locked(&write, &call, &request.account_id, &request.etag).await?;
    let account = Some(change(&mut write, account, Action::Resume, &request.reason).await?);
    write.commit(ResumeAccountResponse { account }).await
}

pub(crate) async fn start_closing(desk: Desk, call: Call, request: StartClosingAccountRequest) -> Result<StartClosingAccountResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let account = locked(&write, &call, &request.account_id, &request.etag).await?;
    let account = Some(change(&mut write, account, Action::StartClosing, &request.reason).await?);
    write.commit(StartClosingAccountResponse { account }).await
}

pub(crate) async fn close(desk: Desk, call: Call, request: CloseAccountRequest) -> Result<CloseAccountResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let now = write.now().micros();
    let account = locked(&write, &call, &request.account_id, &request.etag).await?;
    let party = account.party_id;
    step(account.stands()?, Action::Close)?;
    let live = agreements::live_on_account(&write, account.id).await?;
    if !live.is_empty() {
        return Err(Fault::from(Refusal::AccountHasAgreements).meta("agreements", live.join(" ")));
    }
    let account = change(&mut write, account, Action::Close, "").await?;
    write.event(
        &account.account_id,
        &AccountClosed {
            account_id: account.account_id.clone(),
        },
    );
    // The party is that of an account in scope, whatever branch keeps its file.
    let mut party = party_rows::lock(&write, &Scope::everything(), party).await?;
    let open = [State::Opening, State::Open, State::Suspended, State::Paused, State::Closing];
    if store::count(&write, party.id, &open).await? == 0 {
        party.state = parties::step(party.standing()?, parties::Action::LoseLastAccount)?.code().to_owned();
        party_rows::save(&write, &mut party, now).await?;
    }
    write.commit(CloseAccountResponse { account: Some(account) }).await
}

async fn locked(write: &Write, call: &Call, id: &str, etag: &str) -> Result<store::row::Model, Fault> {
    let id: AccountId = wire::id_of("account_id", id)?;
    let account = store::lock(write, &Scope::of(call), id.uuid()).await?;
    rpc::check_etag(etag, account.id, account.version)?;
    Ok(account)
}

/// Moves an account that was locked, and tells it. Nothing is told where the action leaves the state as it is.
pub(crate) async fn change(write: &mut Write, mut account: store::row::Model, action: Action, reason: &str) -> Result<Account, Fault> {
    let before = account.stands()?;
    let after = step(before, action)?;
    write.subject(account.id);
    if after != before {
        let now = write.now().micros();
        store::save(write, &mut account, after, now).await?;
        let changed = AccountChanged {
            account_id: account.id.to_string(),
            state: store::show_state(after).into(),
            reason: reason.to_owned(),
        };
        write.event(account.id, &changed);
    }
    store::show(account)
}

pub(crate) async fn get(desk: Desk, call: Call, request: GetAccountRequest) -> Result<GetAccountResponse, Fault> {
    let id: AccountId = wire::id_of("account_id", &request.account_id)?;
    let account = store::load(desk.db.reader(), &Scope::of(&call), id.uuid()).await?;
    if request
        .party_id
        .as_ref()
        .is_some_and(|party| !party.eq_ignore_ascii_case(&account.party_id.to_string()))
    {
        return Err(Fault::not_found("account", id));
    }
    Ok(GetAccountResponse {
        account: Some(store::show(account)?),
    })
}

pub(crate) async fn list(desk: Desk, call: Call, request: ListAccountsRequest) -> Result<ListAccountsResponse, Fault> {
    let filters = [request.party_id.as_deref().unwrap_or_default(), &request.account_no];
    let page = Page::of(&call, &filters, request.page_size, &request.page_token)?;
    let party = request.party_id.as_deref().map(|id| wire::id_of::<PartyId>("party_id", id)).transpose()?;
    let rows = store::list(desk.db.reader(), &Scope::of(&call), party.map(PartyId::uuid), &request.account_no, &page).await?;
    let (rows, next_page_token) = page.cut(rows, |row| row.id);
    Ok(ListAccountsResponse {
        accounts: rows.into_iter().map(store::show).collect::<Result<_, _>>()?,
        next_page_token,
    })
}
