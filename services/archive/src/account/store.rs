use contracts::hearth::archive::v1::{Account, account};
use database::{Conn, Scope, Scoped};
use rpc::{Fault, page::Page, wire};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::model::State;
use crate::{table, unknown_code};

table!(row, "account", {
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    account_no: String,
    party_id: Uuid,
    branch: String,
    state: String,
    version: i64,
    created_at: i64,
    updated_at: i64,
});

impl Scoped for row::Entity {
    const BRANCH: Option<row::Column> = Some(row::Column::Branch);
    const CUSTOMER: Option<row::Column> = Some(row::Column::PartyId);
}

impl row::Model {
    pub(crate) fn stands(&self) -> Result<State, Fault> {
        State::of(&self.state).ok_or_else(|| unknown_code("account.state"))
    }
}

pub(crate) async fn load(conn: &Conn, scope: &Scope, id: Uuid) -> Result<row::Model, Fault> {
    database::find::<row::Entity>(scope)
        .filter(row::Column::Id.eq(id))
        .one(conn)
        .await?
        .ok_or_else(|| Fault::not_found("account", id))
}

pub(crate) async fn lock(conn: &Conn, scope: &Scope, id: Uuid) -> Result<row::Model, Fault> {
    let found = database::find::<row::Entity>(scope)
        .filter(row::Column::Id.eq(id))
        .lock_exclusive()
        .one(conn)
        .await?;
    found.ok_or_else(|| Fault::not_found("account", id))
}

pub(crate) async fn list(conn: &Conn, scope: &Scope, party: Option<Uuid>, account_no: &str, page: &Page) -> Result<Vec<row::Model>, Fault> {
    let mut found = database::find::<row::Entity>(scope);
    if let Some(party) = party {
        found = found.filter(row::Column::PartyId.eq(party));
    }
    if !account_no.is_empty() {
        found = found.filter(row::Column::AccountNo.eq(account_no));
    }
    if let Some(after) = page.after {
        found = found.filter(row::Column::Id.gt(after));
    }
    Ok(found.order_by_asc(row::Column::Id).limit(page.limit()).all(conn).await?)
}

/// Accounts of the whole company with one of the numbers.
pub(crate) async fn with_numbers(conn: &Conn, numbers: Vec<&str>) -> Result<Vec<row::Model>, Fault> {
    Ok(row::Entity::find().filter(row::Column::AccountNo.is_in(numbers)).all(conn).await?)
}

/// How many accounts of a party, in the whole company, stand in one of the states.
pub(crate) async fn count(conn: &Conn, party: Uuid, states: &[State]) -> Result<u64, Fault> {
    let states = states.iter().map(|state| state.code());
    Ok(row::Entity::find()
        .filter(row::Column::PartyId.eq(party))
        .filter(row::Column::State.is_in(states))
        .count(conn)
        .await?)
}

pub(crate) async fn insert(conn: &Conn, accounts: &[row::Model]) -> Result<(), Fault> {
    let rows = accounts.iter().cloned().map(|account| row::ActiveModel {
        id: Set(account.id),
        account_no: Set(account.account_no),
        party_id: Set(account.party_id),
        branch: Set(account.branch),
        state: Set(account.state),
        version: Set(account.version),
        created_at: Set(account.created_at),
        updated_at: Set(account.updated_at),
    });
    row::Entity::insert_many(rows).exec_without_returning(conn).await?;
    Ok(())
}

/// Writes the state of an account that was locked, and counts its version up.
pub(crate) async fn save(conn: &Conn, account: &mut row::Model, state: State, now: i64) -> Result<(), Fault> {
    account.state = state.code().to_owned();
    account.version = account.version.saturating_add(1);
    account.updated_at = now;
    row::Entity::update_many()
        .col_expr(row::Column::State, account.state.clone().into())
        .col_expr(row::Column::Version, account.version.into())
        .col_expr(row::Column::UpdatedAt, account.updated_at.into())
        .filter(row::Column::Id.eq(account.id))
        .exec(conn)
        .await?;
    Ok(())
}

/// A state as the contract shows it.
pub(crate) fn show_state(state: State) -> account::State {
    match state {
        State::Opening => account::State::Opening,
        State::Open => account::State::Open,
        State::Suspended => account::State::Suspended,
        State::Paused => account::State::Paused,
        State::Closing => account::State::Closing,
        State::Closed => account::State::Closed,
    }
}

/// An account as the contract shows it.
pub(crate) fn show(account: row::Model) -> Result<Account, Fault> {
    Ok(Account {
        account_id: account.id.to_string(),
        state: show_state(account.stands()?).into(),
        account_no: account.account_no,
        party_id: account.party_id.to_string(),
        branch: account.branch,
        create_time: Some(wire::time(calendar::Instant::from_micros(account.created_at))),
        update_time: Some(wire::time(calendar::Instant::from_micros(account.updated_at))),
        etag: rpc::etag(account.id, account.version),
    })
}

/// Ids of all accounts of parties, in the order of opening.
pub(crate) async fn ids_of(conn: &Conn, parties: &[Uuid]) -> Result<Vec<Uuid>, Fault> {
    let found = row::Entity::find()
        .filter(row::Column::PartyId.is_in(parties.iter().copied()))
        .order_by_asc(row::Column::Id);
    Ok(found.all(conn).await?.into_iter().map(|row| row.id).collect())
}
