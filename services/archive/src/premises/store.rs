use contracts::hearth::archive::v1 as proto;
use database::{Conn, Scope, Scoped};
use money::Area;
use rpc::{Fault, page::Page, wire};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, LikeExpr},
};
use uuid::Uuid;

use super::model::Service;
use crate::{party::model::contains, table, unknown_code};

table!(row, "premises", {
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    address: String,
    community_code: String,
    branch: String,
    area: Option<i64>,
    version: i64,
    created_at: i64,
    updated_at: i64,
});

table!(point, "service_point", {
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    premises_id: Uuid,
    service: String,
    created_at: i64,
});

impl Scoped for row::Entity {
    const BRANCH: Option<row::Column> = Some(row::Column::Branch);
}

impl point::Model {
    pub(crate) fn supplies(&self) -> Result<Service, Fault> {
        Service::of(&self.service).ok_or_else(|| unknown_code("service_point.service"))
    }
}

impl From<Service> for proto::Service {
    fn from(service: Service) -> Self {
        match service {
            Service::Gas => Self::Gas,
            Service::Heat => Self::Heat,
        }
    }
}

/// What the contract calls a service; `None` for what is not set.
pub(crate) fn service_of(service: proto::Service) -> Option<Service> {
    match service {
        proto::Service::Gas => Some(Service::Gas),
        proto::Service::Heat => Some(Service::Heat),
        proto::Service::Unspecified => None,
    }
}

pub(crate) async fn load(conn: &Conn, scope: &Scope, id: Uuid) -> Result<row::Model, Fault> {
    database::find::<row::Entity>(scope)
        .filter(row::Column::Id.eq(id))
        .one(conn)
        .await?
        .ok_or_else(|| Fault::not_found("premises", id))
}

pub(crate) async fn lock(conn: &Conn, scope: &Scope, id: Uuid) -> Result<row::Model, Fault> {
    let found = database::find::<row::Entity>(scope)
        .filter(row::Column::Id.eq(id))
        .lock_exclusive()
        .one(conn)
        .await?;
    found.ok_or_else(|| Fault::not_found("premises", id))
}

/// A service point and its premises; the scope is that of the premises.
pub(crate) async fn load_point(conn: &Conn, scope: &Scope, id: Uuid) -> Result<(point::Model, row::Model), Fault> {
    let missing = || Fault::not_found("service_point", id);
    let point = point::Entity::find_by_id(id).one(conn).await?.ok_or_else(missing)?;
    let premises = database::find::<row::Entity>(scope)
        .filter(row::Column::Id.eq(point.premises_id))
        .one(conn)
        .await?;
    Ok((point, premises.ok_or_else(missing)?))
}

/// Locks service points, in one order for all.
pub(crate) async fn lock_points(conn: &Conn, ids: &[Uuid]) -> Result<(), Fault> {
    let found = point::Entity::find()
        .filter(point::Column::Id.is_in(ids.iter().copied()))
        .order_by_asc(point::Column::Id);
    found.lock_exclusive().all(conn).await?;
    Ok(())
}

/// Service points of premises, in the order of registration.
pub(crate) async fn points(conn: &Conn, premises: impl IntoIterator<Item = Uuid>) -> Result<Vec<point::Model>, Fault> {
    Ok(point::Entity::find()
        .filter(point::Column::PremisesId.is_in(premises))
        .order_by_asc(point::Column::Id)
        .all(conn)
        .await?)
}

pub(crate) async fn list(conn: &Conn, scope: &Scope, community: &str, address: &str, page: &Page) -> Result<Vec<row::Model>, Fault> {
    let mut found = database::find::<row::Entity>(scope);
    if !community.is_empty() {
        found = found.filter(row::Column::CommunityCode.eq(community));
    }
    if !address.is_empty() {
        found = found.filter(Expr::col((row::Entity, row::Column::Address)).like(LikeExpr::new(contains(address)).escape('\\')));
    }
    if let Some(after) = page.after {
        found = found.filter(row::Column::Id.gt(after));
    }
    Ok(found.order_by_asc(row::Column::Id).limit(page.limit()).all(conn).await?)
}

/// Premises with one of the addresses.
pub(crate) async fn at_addresses(conn: &Conn, addresses: Vec<&str>) -> Result<Vec<row::Model>, Fault> {
    Ok(row::Entity::find()
        .filter(row::Column::Address.is_in(addresses))
        .order_by_asc(row::Column::Id)
        .all(conn)
        .await?)
}

pub(crate) async fn insert(conn: &Conn, premises: &[row::Model], points: &[point::Model]) -> Result<(), Fault> {
    if !premises.is_empty() {
        row::Entity::insert_many(premises.iter().cloned().map(fresh))
            .exec_without_returning(conn)
            .await?;
    }
    if !points.is_empty() {
        let points = points.iter().map(|p| point::ActiveModel {
            id: Set(p.id),
            premises_id: Set(p.premises_id),
            service: Set(p.service.clone()),
            created_at: Set(p.created_at),
        });
        point::Entity::insert_many(points).exec_without_returning(conn).await?;
    }
    Ok(())
}

fn fresh(premises: row::Model) -> row::ActiveModel {
    row::ActiveModel {
        id: Set(premises.id),
        address: Set(premises.address),
        community_code: Set(premises.community_code),
        branch: Set(premises.branch),
        area: Set(premises.area),
        version: Set(premises.version),
        created_at: Set(premises.created_at),
        updated_at: Set(premises.updated_at),
    }
}

/// Counts the version of premises that were locked up.
pub(crate) async fn touch(conn: &Conn, premises: &mut row::Model, now: i64) -> Result<(), Fault> {
    premises.version = premises.version.saturating_add(1);
    premises.updated_at = now;
    row::Entity::update_many()
        .col_expr(row::Column::Version, premises.version.into())
        .col_expr(row::Column::UpdatedAt, premises.updated_at.into())
        .filter(row::Column::Id.eq(premises.id))
        .exec(conn)
        .await?;
    Ok(())
}

/// Premises as the contract shows them.
pub(crate) fn show(premises: row::Model, points: &[point::Model]) -> Result<proto::Premises, Fault> {
    let mut service_points = vec![];
    for point in points.iter().filter(|p| p.premises_id == premises.id) {
        service_points.push(proto::ServicePoint {
            service_point_id: point.id.to_string(),
            premises_id: premises.id.to_string(),
            service: proto::Service::from(point.supplies()?).into(),
        });
    }
    Ok(proto::Premises {
        premises_id: premises.id.to_string(),
        address: premises.address,
        community_code: premises.community_code,
        branch: premises.branch,
        area_m2: premises.area.map(|area| wire::decimal(Area::from_hundredths(area))),
        service_points,
        create_time: Some(wire::time(calendar::Instant::from_micros(premises.created_at))),
        etag: rpc::etag(premises.id, premises.version),
    })
}
