use contracts::hearth::archive::v1::{Party, party};
use database::{Conn, Scope, Scoped};
use rpc::{Fault, page::Page, wire};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, LikeExpr},
};
use uuid::Uuid;
use vault::{Index, Vault};

use super::model::{self, Kind, State};
use crate::{table, unknown_code, unsealed};

/// Column names as the vault knows them.
pub(crate) const ID_NUMBER: &str = "party.id_number";
pub(crate) const PHONE: &str = "party.phone";

/// The blind indexes.
pub(crate) const BY_ID_NUMBER: Index = Index {
    table: "party",
    sealed: ("id_number_sealed", ID_NUMBER),
    blind: ("id_number_blind", ID_NUMBER),
    text: false,
};
pub(crate) const BY_PHONE: Index = Index {
    table: "party",
    sealed: ("phone_sealed", PHONE),
    blind: ("phone_blind", PHONE),
    text: false,
};

table!(row, "party", {
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    kind: String,
    state: String,
    branch: String,
    name: String,
    name_key: String,
    address: String,
    id_number_sealed: Vec<u8>,
    id_number_blind: Vec<u8>,
    phone_sealed: Vec<u8>,
    phone_blind: Vec<u8>,
    version: i64,
    created_at: i64,
    updated_at: i64,
});

impl Scoped for row::Entity {
    const BRANCH: Option<row::Column> = Some(row::Column::Branch);
    const CUSTOMER: Option<row::Column> = Some(row::Column::Id);
}

impl row::Model {
    pub(crate) fn standing(&self) -> Result<State, Fault> {
        State::of(&self.state).ok_or_else(|| unknown_code("party.state"))
    }
}

/// A new party, checked.
pub(crate) struct New<'a> {
    pub id: Uuid,
    pub kind: Kind,
    pub branch: &'a str,
    pub name: &'a str,
    pub address: &'a str,
    pub number: &'a str,
    pub phone: &'a str,
    pub state: State,
}

pub(crate) async fn load(conn: &Conn, scope: &Scope, id: Uuid) -> Result<row::Model, Fault> {
    database::find::<row::Entity>(scope)
        .filter(row::Column::Id.eq(id))
        .one(conn)
        .await?
        .ok_or_else(|| Fault::not_found("party", id))
}

pub(crate) async fn lock(conn: &Conn, scope: &Scope, id: Uuid) -> Result<row::Model, Fault> {
    let found = database::find::<row::Entity>(scope)
        .filter(row::Column::Id.eq(id))
        .lock_exclusive()
        .one(conn)
        .await?;
    found.ok_or_else(|| Fault::not_found("party", id))
}

/// D-07: parties of the whole company that are not closed and have one of the numbers.
pub(crate) async fn with_numbers(conn: &Conn, blinds: Vec<Vec<u8>>) -> Result<Vec<row::Model>, Fault> {
    let open = row::Column::State.ne(State::Closed.code());
    Ok(row::Entity::find()
        .filter(row::Column::IdNumberBlind.is_in(blinds))
        .filter(open)
        .all(conn)
        .await?)
}

/// Parties that are closed and have one of the numbers.
pub(crate) async fn closed_with_numbers(conn: &Conn, blinds: Vec<Vec<u8>>) -> Result<Vec<row::Model>, Fault> {
    let closed = row::Column::State.eq(State::Closed.code());
    Ok(row::Entity::find()
        .filter(row::Column::IdNumberBlind.is_in(blinds))
        .filter(closed)
        .all(conn)
        .await?)
}

/// Parties by their ids.
pub(crate) async fn with_ids(conn: &Conn, ids: Vec<Uuid>) -> Result<Vec<row::Model>, Fault> {
    Ok(row::Entity::find().filter(row::Column::Id.is_in(ids)).all(conn).await?)
}

pub(crate) enum Term {
    Number(Vec<Vec<u8>>),
    Phone(Vec<Vec<u8>>),
    Name(String),
}

pub(crate) async fn search(conn: &Conn, scope: &Scope, term: Term, page: &Page) -> Result<Vec<row::Model>, Fault> {
    let found = database::find::<row::Entity>(scope);
    let found = match term {
        Term::Number(blinds) => found.filter(row::Column::IdNumberBlind.is_in(blinds)),
        Term::Phone(blinds) => found.filter(row::Column::PhoneBlind.is_in(blinds)),
        Term::Name(part) => {
            let pattern = LikeExpr::new(model::contains(&model::search_key(&part))).escape('\\');
            found.filter(Expr::col((row::Entity, row::Column::NameKey)).like(pattern))
        }
    };
    let found = match page.after {
        Some(after) => found.filter(row::Column::Id.gt(after)),
        None => found,
    };
    Ok(found.order_by_asc(row::Column::Id).limit(page.limit()).all(conn).await?)
}

/// Seals and inserts new parties with a few statements.
pub(crate) async fn insert(conn: &Conn, vault: &Vault, new: &[New<'_>], now: i64) -> Result<Vec<row::Model>, Fault> {
    if new.is_empty() {
        return Ok(vec![]);
    }
    let texts: Vec<_> = new
        .iter()
        .flat_map(|party| [(party.id, ID_NUMBER, party.number), (party.id, PHONE, party.phone)])
        .collect();
    let mut sealed = vault.seal_many(conn, &texts).await.map_err(unsealed)?.into_iter();
    let mut next = || sealed.next().ok_or_else(|| Fault::internal("the vault sealed too few texts"));
    let mut rows = Vec::with_capacity(new.len());
    for party in new {
        rows.push(row::Model {
            id: party.id,
            kind: party.kind.code().to_owned(),
            state: party.state.code().to_owned(),
            branch: party.branch.to_owned(),
            name: party.name.to_owned(),
            name_key: model::search_key(party.name),
            address: party.address.to_owned(),
            id_number_sealed: next()?,
            id_number_blind: vault.blind(ID_NUMBER, party.number),
            phone_sealed: next()?,
            phone_blind: vault.blind(PHONE, party.phone),
            version: 1,
            created_at: now,
            updated_at: now,
        });
    }
    row::Entity::insert_many(rows.iter().cloned().map(fresh)).exec_without_returning(conn).await?;
    Ok(rows)
}

fn fresh(party: row::Model) -> row::ActiveModel {
    row::ActiveModel {
        id: Set(party.id),
        kind: Set(party.kind),
        state: Set(party.state),
        branch: Set(party.branch),
        name: Set(party.name),
        name_key: Set(party.name_key),
        address: Set(party.address),
        id_number_sealed: Set(party.id_number_sealed),
        id_number_blind: Set(party.id_number_blind),
        phone_sealed: Set(party.phone_sealed),
        phone_blind: Set(party.phone_blind),
        version: Set(party.version),
        created_at: Set(party.created_at),
        updated_at: Set(party.updated_at),
    }
}

/// Writes what may change of a party that was locked, and counts its version up.
pub(crate) async fn save(conn: &Conn, party: &mut row::Model, now: i64) -> Result<(), Fault> {
    party.version = party.version.saturating_add(1);
    party.updated_at = now;
    row::Entity::update_many()
        .col_expr(row::Column::State, party.state.clone().into())
        .col_expr(row::Column::Name, party.name.clone().into())
        .col_expr(row::Column::NameKey, party.name_key.clone().into())
        .col_expr(row::Column::Address, party.address.clone().into())
        .col_expr(row::Column::PhoneSealed, party.phone_sealed.clone().into())
        .col_expr(row::Column::PhoneBlind, party.phone_blind.clone().into())
        .col_expr(row::Column::Version, party.version.into())
        .col_expr(row::Column::UpdatedAt, party.updated_at.into())
        .filter(row::Column::Id.eq(party.id))
        .exec(conn)
        .await?;
    Ok(())
}

/// Parties as the contract shows them, in the same order. The codec masks them unless the method reveals.
pub(crate) async fn show(conn: &Conn, vault: &Vault, rows: &[row::Model]) -> Result<Vec<Party>, Fault> {
    let sealed: Vec<_> = rows
        .iter()
        .flat_map(|party| {
            [
                (party.id, ID_NUMBER, party.id_number_sealed.as_slice()),
                (party.id, PHONE, party.phone_sealed.as_slice()),
            ]
        })
        .collect();
    let mut clear = vault.open_many(conn, &sealed).await.map_err(unsealed)?.into_iter();
    let mut next = || clear.next().flatten().unwrap_or_default();
    let mut shown = Vec::with_capacity(rows.len());
    for party in rows {
        let kind = match Kind::of(&party.kind) {
            Some(Kind::Person) => party::Kind::Person,
            Some(Kind::Organisation) => party::Kind::Organisation,
            None => return Err(unknown_code("party.kind")),
        };
        let state = match party.standing()? {
            State::Prospect => party::State::Prospect,
            State::Active => party::State::Active,
            State::Dormant => party::State::Dormant,
            State::Closed => party::State::Closed,
        };
        shown.push(Party {
            party_id: party.id.to_string(),
            kind: kind.into(),
            state: state.into(),
            name: party.name.clone(),
            id_number: next(),
            phone: next(),
            address: party.address.clone(),
            branch: party.branch.clone(),
            create_time: Some(wire::time(calendar::Instant::from_micros(party.created_at))),
            etag: rpc::etag(party.id, party.version),
        });
    }
    Ok(shown)
}

/// One party as the contract shows it.
pub(crate) async fn show_one(conn: &Conn, vault: &Vault, party: row::Model) -> Result<Option<Party>, Fault> {
    Ok(show(conn, vault, &[party]).await?.pop())
}

/// The parties have accounts now.
pub(crate) async fn lift_to_active(conn: &Conn, ids: Vec<Uuid>, now: i64) -> Result<(), Fault> {
    let idle = [State::Prospect.code(), State::Dormant.code()];
    row::Entity::update_many()
        .col_expr(row::Column::State, State::Active.code().into())
        .col_expr(row::Column::Version, Expr::col(row::Column::Version).add(1))
        .col_expr(row::Column::UpdatedAt, now.into())
        .filter(row::Column::Id.is_in(ids))
        .filter(row::Column::State.is_in(idle))
        .exec(conn)
        .await?;
    Ok(())
}

/// Parties of the whole company, closed ones too, whose number is kept under the same blind index as that of a party; the party itself is
/// among them. Cheap, and blind to rows from before a change of keys: where that matters, [`one_person`] is asked.
pub(crate) async fn with_number_of(conn: &Conn, party: Uuid) -> Result<Vec<Uuid>, Fault> {
    let Some(party) = row::Entity::find_by_id(party).one(conn).await? else {
        return Ok(vec![]);
    };
    let same = row::Entity::find().filter(row::Column::IdNumberBlind.eq(party.id_number_blind));
    Ok(same.all(conn).await?.into_iter().map(|row| row.id).collect())
}

/// Every party of the whole company, closed ones too, that has the number of this one: one legal person, however often it was registered.
/// A party whose key is erased is alone.
pub(crate) async fn one_person(conn: &Conn, vault: &Vault, party: &row::Model) -> Result<Vec<Uuid>, Fault> {
    let number = match vault.open(conn, party.id, ID_NUMBER, &party.id_number_sealed).await {
        Ok(number) => number,
        Err(vault::Error::Erased(_)) => return Ok(vec![party.id]),
        Err(error) => return Err(unsealed(error)),
    };
    let same = row::Entity::find().filter(row::Column::IdNumberBlind.is_in(vault.blind_all(ID_NUMBER, &number)));
    let mut ids: Vec<Uuid> = same.all(conn).await?.into_iter().map(|row| row.id).collect();
    if !ids.contains(&party.id) {
        ids.push(party.id);
    }
    Ok(ids)
}
