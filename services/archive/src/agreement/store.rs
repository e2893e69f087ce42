use std::collections::BTreeMap;

use chrono::NaiveDate;
use contracts::hearth::archive::v1 as proto;
use database::{Conn, Scope, Scoped};
use rpc::{Fault, page::Page, wire};
use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::model::{SignMethod, State};
use crate::{premises::model::Service, table, unknown_code};

table!(row, "agreement", {
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    agreement_no: String,
    account_id: Uuid,
    account_no: String,
    party_id: Uuid,
    premises_id: Uuid,
    service_point_id: Uuid,
    service: String,
    branch: String,
    state: String,
    live_from: Date,
    live_until: Option<Date>,
    signed_version: i32,
    use_class: String,
    version: i64,
    created_at: i64,
    updated_at: i64,
});

table!(terms, "agreement_version", {
    #[sea_orm(primary_key, auto_increment = false)]
    agreement_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    version: i32,
    use_class: String,
    from_date: Date,
    template_id: Uuid,
    template_version: i32,
    sign_method: String,
    signed_date: Date,
    acknowledged: String,
    reason: String,
    created_at: i64,
});

impl Scoped for row::Entity {
    const BRANCH: Option<row::Column> = Some(row::Column::Branch);
    const CUSTOMER: Option<row::Column> = Some(row::Column::PartyId);
}

impl row::Model {
    pub(crate) fn stands(&self) -> Result<State, Fault> {
        State::of(&self.state).ok_or_else(|| unknown_code("agreement.state"))
    }

    pub(crate) fn supplies(&self) -> Result<Service, Fault> {
        Service::of(&self.service).ok_or_else(|| unknown_code("agreement.service"))
    }
}

pub(crate) async fn load(conn: &Conn, scope: &Scope, id: Uuid) -> Result<row::Model, Fault> {
    database::find::<row::Entity>(scope)
        .filter(row::Column::Id.eq(id))
        .one(conn)
        .await?
        .ok_or_else(|| Fault::not_found("agreement", id))
}

pub(crate) async fn lock(conn: &Conn, scope: &Scope, id: Uuid) -> Result<row::Model, Fault> {
    let found = database::find::<row::Entity>(scope)
        .filter(row::Column::Id.eq(id))
        .lock_exclusive()
        .one(conn)
        .await?;
    found.ok_or_else(|| Fault::not_found("agreement", id))
}

/// The versions of an agreement, oldest first.
pub(crate) async fn versions(conn: &Conn, id: Uuid) -> Result<Vec<terms::Model>, Fault> {
    Ok(terms::Entity::find()
        .filter(terms::Column::AgreementId.eq(id))
        .order_by_asc(terms::Column::Version)
        .all(conn)
        .await?)
}

/// Which agreements a list asks for.
#[derive(Default)]
pub(crate) struct Filter {
    pub party: Option<Uuid>,
    pub account: Option<Uuid>,
    pub point: Option<Uuid>,
}

pub(crate) async fn list(conn: &Conn, scope: &Scope, filter: Filter, page: &Page) -> Result<Vec<row::Model>, Fault> {
    let mut found = database::find::<row::Entity>(scope);
    let wanted = [
        (filter.party, row::Column::PartyId),
        (filter.account, row::Column::AccountId),
        (filter.point, row::Column::ServicePointId),
    ];
    for (id, column) in wanted {
        if let Some(id) = id {
            found = found.filter(column.eq(id));
        }
    }
    if let Some(after) = page.after {
        found = found.filter(row::Column::Id.gt(after));
    }
    Ok(found.order_by_asc(row::Column::Id).limit(page.limit()).all(conn).await?)
}

/// Ids of the agreements of an account that have neither ended nor been voided.
pub(crate) async fn live_on_account(conn: &Conn, account: Uuid) -> Result<Vec<String>, Fault> {
    let live = row::Column::State.is_in([State::Signed.code(), State::InForce.code()]);
    let found = row::Entity::find()
        .filter(row::Column::AccountId.eq(account))
        .filter(live)
        .order_by_asc(row::Column::Id)
        .all(conn)
        .await?;
    Ok(found.into_iter().map(|row| row.id.to_string()).collect())
}

/// D-07: whether another agreement of the whole company covers a service point on some day from `from` on. The rule of the database
/// has the last word; this look gives the same answer without a failed statement.
pub(crate) async fn covered(conn: &Conn, point: Uuid, service: Service, from: NaiveDate, but: Uuid) -> Result<bool, Fault> {
    let others = row::Entity::find()
        .filter(row::Column::ServicePointId.eq(point))
        .filter(row::Column::Service.eq(service.code()))
        .filter(row::Column::State.ne(State::Voided.code()))
        .filter(row::Column::Id.ne(but))
        .filter(Condition::any().add(row::Column::LiveUntil.is_null()).add(row::Column::LiveUntil.gt(from)));
    Ok(others.count(conn).await? > 0)
}

/// Whether some agreement is in force at a service point.
pub(crate) async fn in_force_at(conn: &Conn, point: Uuid) -> Result<bool, Fault> {
    let found = row::Entity::find()
        .filter(row::Column::ServicePointId.eq(point))
        .filter(row::Column::State.eq(State::InForce.code()));
    Ok(found.count(conn).await? > 0)
}

/// Agreements that are not voided on some service points.
pub(crate) async fn at_points(conn: &Conn, points: Vec<Uuid>) -> Result<Vec<row::Model>, Fault> {
    let live = row::Column::State.ne(State::Voided.code());
    Ok(row::Entity::find()
        .filter(row::Column::ServicePointId.is_in(points))
        .filter(live)
        .all(conn)
        .await?)
}

pub(crate) async fn insert(conn: &Conn, agreements: &[row::Model], versions: &[terms::Model]) -> Result<(), Fault> {
    if !agreements.is_empty() {
        let rows = agreements.iter().cloned().map(|a| row::ActiveModel {
            id: Set(a.id),
            agreement_no: Set(a.agreement_no),
            account_id: Set(a.account_id),
            account_no: Set(a.account_no),
            party_id: Set(a.party_id),
            premises_id: Set(a.premises_id),
            service_point_id: Set(a.service_point_id),
            service: Set(a.service),
            branch: Set(a.branch),
            state: Set(a.state),
            live_from: Set(a.live_from),
            live_until: Set(a.live_until),
            signed_version: Set(a.signed_version),
            use_class: Set(a.use_class),
            version: Set(a.version),
            created_at: Set(a.created_at),
            updated_at: Set(a.updated_at),
        });
        row::Entity::insert_many(rows).exec_without_returning(conn).await?;
    }
    let rows = versions.iter().cloned().map(|v| terms::ActiveModel {
        agreement_id: Set(v.agreement_id),
        version: Set(v.version),
        use_class: Set(v.use_class),
        from_date: Set(v.from_date),
        template_id: Set(v.template_id),
        template_version: Set(v.template_version),
        sign_method: Set(v.sign_method),
        signed_date: Set(v.signed_date),
        acknowledged: Set(v.acknowledged),
        reason: Set(v.reason),
        created_at: Set(v.created_at),
    });
    terms::Entity::insert_many(rows).exec_without_returning(conn).await?;
    Ok(())
}

/// Writes what may change of an agreement that was locked, and counts its version up.
pub(crate) async fn save(conn: &Conn, agreement: &mut row::Model, now: i64) -> Result<(), Fault> {
    agreement.version = agreement.version.saturating_add(1);
    agreement.updated_at = now;
    row::Entity::update_many()
        .col_expr(row::Column::State, agreement.state.clone().into())
        .col_expr(row::Column::LiveFrom, agreement.live_from.into())
        .col_expr(row::Column::LiveUntil, agreement.live_until.into())
        .col_expr(row::Column::SignedVersion, agreement.signed_version.into())
        .col_expr(row::Column::UseClass, agreement.use_class.clone().into())
        .col_expr(row::Column::Version, agreement.version.into())
        .col_expr(row::Column::UpdatedAt, agreement.updated_at.into())
        .filter(row::Column::Id.eq(agreement.id))
        .exec(conn)
        .await?;
    Ok(())
}

/// An agreement as the contract shows it.
pub(crate) fn show(agreement: row::Model, versions: Vec<terms::Model>) -> Result<proto::Agreement, Fault> {
    let state = match agreement.stands()? {
        State::Signed => proto::agreement::State::Signed,
        State::InForce => proto::agreement::State::InForce,
        State::Ended => proto::agreement::State::Ended,
        State::Voided => proto::agreement::State::Voided,
    };
    Ok(proto::Agreement {
        agreement_id: agreement.id.to_string(),
        service: proto::Service::from(agreement.supplies()?).into(),
        agreement_no: agreement.agreement_no,
        account_id: agreement.account_id.to_string(),
        account_no: agreement.account_no,
        party_id: agreement.party_id.to_string(),
        premises_id: agreement.premises_id.to_string(),
        service_point_id: agreement.service_point_id.to_string(),
        branch: agreement.branch,
        state: state.into(),
        from_date: Some(wire::date(agreement.live_from)),
        end_date: agreement.live_until.map(wire::date),
        version: agreement.signed_version,
        use_class: agreement.use_class,
        versions: versions.into_iter().map(show_terms).collect::<Result<_, _>>()?,
        create_time: Some(wire::time(calendar::Instant::from_micros(agreement.created_at))),
        etag: rpc::etag(agreement.id, agreement.version),
    })
}

fn show_terms(terms: terms::Model) -> Result<proto::AgreementVersion, Fault> {
    let method = match SignMethod::of(&terms.sign_method) {
        Some(SignMethod::Paper) => proto::SignMethod::Paper,
        Some(SignMethod::Electronic) => proto::SignMethod::Electronic,
        Some(SignMethod::TakenOver) => proto::SignMethod::TakenOver,
        None => return Err(unknown_code("agreement_version.sign_method")),
    };
    Ok(proto::AgreementVersion {
        version: terms.version,
        use_class: terms.use_class,
        from_date: Some(wire::date(terms.from_date)),
        template_id: terms.template_id.to_string(),
        template_version: terms.template_version,
        sign_method: method.into(),
        signed_date: Some(wire::date(terms.signed_date)),
        flagged_clauses_acknowledged: serde_json::from_str(&terms.acknowledged).map_err(Fault::internal)?,
        reason: terms.reason,
    })
}

/// The agreements of parties that have ended, with the first day that each does not cover any more.
pub(crate) async fn ended(conn: &Conn, parties: &[Uuid]) -> Result<BTreeMap<Uuid, NaiveDate>, Fault> {
    let found = row::Entity::find()
        .filter(row::Column::PartyId.is_in(parties.iter().copied()))
        .filter(row::Column::State.eq(State::Ended.code()));
    let rows = found.all(conn).await?.into_iter();
    Ok(rows.filter_map(|row| Some((row.id, row.live_until?))).collect())
}

/// The first day on which one of the parties was supplied; none before.
pub(crate) async fn supplied_since(conn: &Conn, parties: &[Uuid]) -> Result<Option<NaiveDate>, Fault> {
    let states = [State::InForce.code(), State::Ended.code()];
    let found = row::Entity::find()
        .filter(row::Column::PartyId.is_in(parties.iter().copied()))
        .filter(row::Column::State.is_in(states))
        .order_by_asc(row::Column::LiveFrom);
    Ok(found.one(conn).await?.map(|row| row.live_from))
}
