use chrono::NaiveDate;
use contracts::hearth::archive::v1::{Entitlement, entitlement};
use database::{Conn, Scope, Scoped};
use rpc::{Fault, page::Page, wire};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;
use vault::Vault;

use super::model::{self, Days, Kind, Right, State};
use crate::{table, unknown_code, unsealed};

/// Column name as the vault knows it.
pub(crate) const PROOF: &str = "entitlement.proof";

table!(row, "entitlement", {
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    agreement_id: Uuid,
    party_id: Uuid,
    branch: String,
    kind: String,
    persons: i32,
    from_date: Date,
    until_date: Option<Date>,
    proof_sealed: Vec<u8>,
    state: String,
    version: i64,
    created_at: i64,
    updated_at: i64,
    destitute: bool,
    next_mark_on: Option<Date>,
});

impl Scoped for row::Entity {
    const BRANCH: Option<row::Column> = Some(row::Column::Branch);
    const CUSTOMER: Option<row::Column> = Some(row::Column::PartyId);
}

impl row::Model {
    pub(crate) fn is(&self) -> Result<Kind, Fault> {
        Kind::of(&self.kind).ok_or_else(|| unknown_code("entitlement.kind"))
    }
    pub(crate) fn right(&self) -> Result<Right, Fault> {
        Ok(match self.is()? {
            Kind::HouseholdSize => Right::Persons(self.persons),
            Kind::LowIncome => Right::LowIncome { destitute: self.destitute },
            Kind::FlatPrice => Right::FlatPrice,
        })
    }
    pub(crate) fn stands(&self) -> Result<State, Fault> {
        State::of(&self.state).ok_or_else(|| unknown_code("entitlement.state"))
    }
    pub(crate) fn days(&self) -> Days {
        Days {
            from: self.from_date,
            until: self.until_date,
        }
    }
}

pub(crate) async fn lock(conn: &Conn, scope: &Scope, id: Uuid) -> Result<row::Model, Fault> {
    let found = database::find::<row::Entity>(scope)
        .filter(row::Column::Id.eq(id))
        .lock_exclusive()
        .one(conn)
        .await?;
    found.ok_or_else(|| Fault::not_found("entitlement", id))
}

/// What is granted of a kind on an agreement.
pub(crate) async fn granted(conn: &Conn, agreement: Uuid, kind: Kind) -> Result<Vec<row::Model>, Fault> {
    let found = row::Entity::find()
        .filter(row::Column::AgreementId.eq(agreement))
        .filter(row::Column::Kind.eq(kind.code()))
        .filter(row::Column::State.eq(State::Granted.code()))
        .order_by_asc(row::Column::FromDate);
    Ok(found.all(conn).await?)
}

/// Entitlements whose end is to be looked at, with their agreements.
pub(crate) async fn ends_due(conn: &Conn, today: NaiveDate, limit: u64) -> Result<Vec<(Uuid, Uuid)>, Fault> {
    let found = row::Entity::find()
        .select_only()
        .columns([row::Column::Id, row::Column::AgreementId])
        .filter(row::Column::NextMarkOn.lte(today))
        .order_by_asc(row::Column::NextMarkOn)
        .limit(limit);
    Ok(found.into_tuple().all(conn).await?)
}

/// Notes when an end is to be looked at again.
pub(crate) async fn looked(conn: &Conn, id: Uuid, next: Option<NaiveDate>) -> Result<(), Fault> {
    row::Entity::update_many()
        .col_expr(row::Column::NextMarkOn, next.into())
        .filter(row::Column::Id.eq(id))
        .exec(conn)
        .await?;
    Ok(())
}

/// Whether another entitlement of the kind begins on a day.
pub(crate) async fn begins(conn: &Conn, agreement: Uuid, kind: Kind, day: NaiveDate) -> Result<bool, Fault> {
    Ok(granted(conn, agreement, kind).await?.iter().any(|entitlement| entitlement.from_date == day))
}

/// Edge 14: the entitlement that ends where a withdrawn one began is renewed no more, so that its end is told from the first mark on.
pub(crate) async fn ends_again(conn: &Conn, withdrawn: &row::Model) -> Result<(), Fault> {
    row::Entity::update_many()
        .col_expr(row::Column::NextMarkOn, model::first_mark_on(withdrawn.from_date).into())
        .filter(row::Column::AgreementId.eq(withdrawn.agreement_id))
        .filter(row::Column::Kind.eq(&withdrawn.kind))
        .filter(row::Column::State.eq(State::Granted.code()))
        .filter(row::Column::UntilDate.eq(withdrawn.from_date))
        .exec(conn)
        .await?;
    Ok(())
}

pub(crate) async fn list(conn: &Conn, scope: &Scope, agreement: Uuid, page: &Page) -> Result<Vec<row::Model>, Fault> {
    let mut found = database::find::<row::Entity>(scope).filter(row::Column::AgreementId.eq(agreement));
    if let Some(after) = page.after {
        found = found.filter(row::Column::Id.gt(after));
    }
    Ok(found.order_by_asc(row::Column::Id).limit(page.limit()).all(conn).await?)
}

pub(crate) async fn insert(conn: &Conn, entitlements: &[row::Model]) -> Result<(), Fault> {
    if entitlements.is_empty() {
        return Ok(());
    }
    let rows = entitlements.iter().cloned().map(|e| row::ActiveModel {
        id: Set(e.id),
        agreement_id: Set(e.agreement_id),
        party_id: Set(e.party_id),
        branch: Set(e.branch),
        kind: Set(e.kind),
        persons: Set(e.persons),
        from_date: Set(e.from_date),
        until_date: Set(e.until_date),
        proof_sealed: Set(e.proof_sealed),
        state: Set(e.state),
        version: Set(e.version),
        created_at: Set(e.created_at),
        updated_at: Set(e.updated_at),
        destitute: Set(e.destitute),
        next_mark_on: Set(e.next_mark_on),
    });
    row::Entity::insert_many(rows).exec_without_returning(conn).await?;
    Ok(())
}

/// Writes days and state of an entitlement, and counts its version up. Its end is told anew.
pub(crate) async fn save(conn: &Conn, entitlement: &mut row::Model, state: State, days: Days, now: i64) -> Result<(), Fault> {
    entitlement.state = state.code().to_owned();
    (entitlement.from_date, entitlement.until_date) = (days.from, days.until);
    entitlement.version = entitlement.version.saturating_add(1);
    entitlement.updated_at = now;
    entitlement.next_mark_on = days.until.filter(|_| state == State::Granted).and_then(model::first_mark_on);
    row::Entity::update_many()
        .col_expr(row::Column::State, entitlement.state.clone().into())
        .col_expr(row::Column::UntilDate, entitlement.until_date.into())
        .col_expr(row::Column::Version, entitlement.version.into())
        .col_expr(row::Column::UpdatedAt, entitlement.updated_at.into())
        .col_expr(row::Column::NextMarkOn, entitlement.next_mark_on.into())
        .filter(row::Column::Id.eq(entitlement.id))
        .exec(conn)
        .await?;
    Ok(())
}

/// The kind as the contract shows it.
pub(crate) fn show_kind(kind: Kind) -> entitlement::Kind {
    match kind {
        Kind::HouseholdSize => entitlement::Kind::HouseholdSize,
        Kind::LowIncome => entitlement::Kind::LowIncome,
        Kind::FlatPrice => entitlement::Kind::FlatPrice,
    }
}

/// Entitlements as the contract shows them; the codec hides the proofs.
pub(crate) async fn show(conn: &Conn, vault: &Vault, rows: Vec<row::Model>) -> Result<Vec<Entitlement>, Fault> {
    let sealed: Vec<_> = rows.iter().map(|e| (e.party_id, PROOF, e.proof_sealed.as_slice())).collect();
    let proofs = vault.open_many(conn, &sealed).await.map_err(unsealed)?;
    let mut shown = Vec::with_capacity(rows.len());
    for (entitlement, proof) in rows.into_iter().zip(proofs) {
        let kind = show_kind(entitlement.is()?);
        let state = match entitlement.stands()? {
            State::Granted => entitlement::State::Granted,
            State::Withdrawn => entitlement::State::Withdrawn,
        };
        shown.push(Entitlement {
            entitlement_id: entitlement.id.to_string(),
            agreement_id: entitlement.agreement_id.to_string(),
            kind: kind.into(),
            persons: entitlement.persons,
            from_date: Some(wire::date(entitlement.from_date)),
            until_date: entitlement.until_date.map(wire::date),
            proof: proof.unwrap_or_default(),
            state: state.into(),
            create_time: Some(wire::time(calendar::Instant::from_micros(entitlement.created_at))),
            etag: rpc::etag(entitlement.id, entitlement.version),
            destitute: entitlement.destitute,
        });
    }
    Ok(shown)
}
