//! Rows of offers and of the reports of work.

use calendar::Instant;
use chrono::NaiveDate;
use database::{Conn, Scope, Scoped};
use ids::{OfferId, OrderId, PersonId, VendorId};
use rpc::{Fault, page::Page};
use sea_orm::{
    ActiveValue::{NotSet, Set, Unchanged},
    ColumnTrait, EntityTrait, JoinType, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::Expr,
};
use uuid::Uuid;

use super::model::{Decided, Offer, Outcome, Report, State, Work};

mod offer {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "work_offer")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub event_id: Uuid,
        pub order_id: Uuid,
        pub order_no: String,
        pub kind: String,
        pub vendor_id: Uuid,
        pub branch: String,
        pub certificate_kind: Option<String>,
        pub planned_date: chrono::NaiveDate,
        pub respond_by: i64,
        pub state: String,
        pub person_id: Option<Uuid>,
        pub round: i32,
        pub decline_reason: String,
        pub version: i64,
        pub created_at: i64,
        pub broken_clocks: i32,
        pub completed_date: Option<chrono::NaiveDate>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod report {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "work_report")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub offer_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub round: i32,
        pub summary: String,
        pub done_date: chrono::NaiveDate,
        pub reported_at: i64,
        pub reported_by: String,
        pub outcome: String,
        pub findings: String,
        pub decided_at: Option<i64>,
        pub decided_by: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Scoped for offer::Entity {
    const BRANCH: Option<offer::Column> = Some(offer::Column::Branch);
    const VENDOR: Option<offer::Column> = Some(offer::Column::VendorId);
}

/// Which offers a list shows.
#[derive(Default)]
pub(super) struct Filter {
    pub vendor: Option<VendorId>,
    pub order: Option<OrderId>,
}

/// A new offer.
pub(super) async fn insert(conn: &Conn, offer: &Offer) -> Result<(), Fault> {
    offer::Entity::insert(row(offer)).exec_without_returning(conn).await?;
    Ok(())
}

/// Whether an event of hall was taken before.
pub(super) async fn knows_event(conn: &Conn, event: Uuid) -> Result<bool, Fault> {
    Ok(offer::Entity::find().filter(offer::Column::EventId.eq(event)).count(conn).await? > 0)
}

/// An offer to a vendor, within the scope.
pub(super) async fn load_of(conn: &Conn, scope: &Scope, vendor: VendorId, id: OfferId) -> Result<Offer, Fault> {
    let select = database::find::<offer::Entity>(scope).filter(offer::Column::VendorId.eq(vendor.uuid()));
    let found = select.filter(offer::Column::Id.eq(id.uuid())).one(conn).await?;
    of_row(found.ok_or_else(|| Fault::not_found("offer", id))?)
}

/// Every offer of an order, to whatever vendor, locked in the order of their keys: what must not cross on one order takes these locks.
pub(super) async fn lock_order(conn: &Conn, order: OrderId) -> Result<Vec<Offer>, Fault> {
    let select = offer::Entity::find().filter(offer::Column::OrderId.eq(order.uuid()));
    let rows = select.order_by_asc(offer::Column::Id).lock_exclusive().all(conn).await?;
    rows.into_iter().map(of_row).collect()
}

/// A page of offers.
pub(super) async fn list(conn: &Conn, scope: &Scope, filter: &Filter, page: &Page) -> Result<(Vec<Offer>, String), Fault> {
    let mut select = database::find::<offer::Entity>(scope);
    if let Some(vendor) = filter.vendor {
        select = select.filter(offer::Column::VendorId.eq(vendor.uuid()));
    }
    if let Some(order) = filter.order {
        select = select.filter(offer::Column::OrderId.eq(order.uuid()));
    }
    if let Some(after) = page.after {
        select = select.filter(offer::Column::Id.gt(after));
    }
    let rows = select.order_by_asc(offer::Column::Id).limit(page.limit()).all(conn).await?;
    let (rows, next) = page.cut(rows, |row| row.id);
    Ok((rows.into_iter().map(of_row).collect::<Result<_, _>>()?, next))
}

/// Keeps what changed; the version goes up by one.
pub(super) async fn save(conn: &Conn, offer: &mut Offer) -> Result<(), Fault> {
    offer.version = offer.version.saturating_add(1);
    let row = offer::ActiveModel {
        id: Unchanged(offer.id.uuid()),
        ..row(offer)
    };
    offer::Entity::update(row).exec(conn).await?;
    Ok(())
}

/// Whether the vendor owes work that it accepted (F-15).
pub(crate) async fn has_due(conn: &Conn, vendor: VendorId) -> Result<bool, Fault> {
    let due = State::ALL.iter().filter(|state| state.is_due()).map(|state| state.code());
    let select = offer::Entity::find()
        .filter(offer::Column::VendorId.eq(vendor.uuid()))
        .filter(offer::Column::State.is_in(due));
    Ok(select.count(conn).await? > 0)
}

/// A new report.
pub(super) async fn insert_report(conn: &Conn, report: &Report) -> Result<(), Fault> {
    report::Entity::insert(report_row(report)).exec_without_returning(conn).await?;
    Ok(())
}

/// Keeps what was decided on a report.
pub(super) async fn save_report(conn: &Conn, report: &Report) -> Result<(), Fault> {
    let row = report::ActiveModel {
        offer_id: Unchanged(report.offer.uuid()),
        round: Unchanged(report.round),
        ..report_row(report)
    };
    report::Entity::update(row).exec(conn).await?;
    Ok(())
}

/// The reports of some offers, by round.
pub(super) async fn reports(conn: &Conn, offers: &[OfferId]) -> Result<Vec<Report>, Fault> {
    let select = report::Entity::find().filter(report::Column::OfferId.is_in(offers.iter().map(|id| id.uuid())));
    let rows = select.order_by_asc(report::Column::Round).all(conn).await?;
    rows.into_iter().map(of_report_row).collect()
}

/// What was accepted and refused of the work of a vendor at a branch between two times, both included, by the time of the decision.
pub(crate) async fn decided(conn: &Conn, vendor: VendorId, branch: &str, from: Instant, to: Instant) -> Result<Vec<Decided>, Fault> {
    let rows = report::Entity::find()
        .select_only()
        .column_as(offer::Column::Kind, "kind")
        .column_as(report::Column::Outcome, "outcome")
        .column_as(report::Column::ReportedAt, "reported_at")
        .column_as(report::Column::DecidedBy, "decided_by")
        .join(
            JoinType::InnerJoin,
            report::Entity::belongs_to(offer::Entity)
                .from(report::Column::OfferId)
                .to(offer::Column::Id)
                .into(),
        )
        .filter(offer::Column::VendorId.eq(vendor.uuid()))
        .filter(offer::Column::Branch.eq(branch))
        .filter(report::Column::Outcome.is_in([Outcome::Approved.code(), Outcome::Refused.code()]))
        .filter(report::Column::DecidedAt.between(from.micros(), to.micros()))
        .order_by_asc(report::Column::DecidedAt)
        .into_tuple::<(String, String, i64, Option<String>)>()
        .all(conn)
        .await?;
    let decided = |(kind, outcome, reported, by): (String, String, i64, Option<String>)| Decided {
        kind,
        accepted: outcome == Outcome::Approved.code(),
        reported: Instant::from_micros(reported),
        by: by.unwrap_or_default(),
    };
    Ok(rows.into_iter().map(decided).collect())
}

/// Keeps how many promised times of an order were not kept while a vendor had it.
pub(super) async fn keep_promises(conn: &Conn, order: OrderId, vendor: VendorId, broken: i32, day: NaiveDate) -> Result<(), Fault> {
    offer::Entity::update_many()
        .col_expr(offer::Column::BrokenClocks, Expr::value(broken))
        .col_expr(offer::Column::CompletedDate, Expr::value(day))
        .filter(offer::Column::OrderId.eq(order.uuid()))
        .filter(offer::Column::VendorId.eq(vendor.uuid()))
        .filter(offer::Column::State.eq(State::Completed.code()))
        .exec(conn)
        .await?;
    Ok(())
}

/// Promised times that a vendor did not keep in orders that were completed between two days, both included: the work, once for each.
pub(crate) async fn broken_promises(conn: &Conn, vendor: VendorId, branch: &str, from: NaiveDate, to: NaiveDate) -> Result<Vec<Decided>, Fault> {
    let rows = offer::Entity::find()
        .filter(offer::Column::VendorId.eq(vendor.uuid()))
        .filter(offer::Column::Branch.eq(branch))
        .filter(offer::Column::BrokenClocks.gt(0))
        .filter(offer::Column::CompletedDate.between(from, to))
        .order_by_asc(offer::Column::Id)
        .all(conn)
        .await?;
    let work = |row: &offer::Model| Decided {
        kind: row.kind.clone(),
        accepted: true,
        reported: Instant::start_of(row.planned_date),
        by: String::new(),
    };
    Ok(rows
        .iter()
        .flat_map(|row| std::iter::repeat_n(work(row), usize::try_from(row.broken_clocks).unwrap_or_default()))
        .collect())
}

/// What an order was about that a vendor had.
pub(crate) async fn work_of(conn: &Conn, vendor: VendorId, order: OrderId) -> Result<Option<Work>, Fault> {
    let select = offer::Entity::find()
        .filter(offer::Column::OrderId.eq(order.uuid()))
        .filter(offer::Column::VendorId.eq(vendor.uuid()));
    let found = select.order_by_desc(offer::Column::Id).one(conn).await?;
    Ok(found.map(|row| Work {
        kind: row.kind,
        branch: row.branch,
        planned: row.planned_date,
    }))
}

fn row(offer: &Offer) -> offer::ActiveModel {
    offer::ActiveModel {
        id: Set(offer.id.uuid()),
        event_id: Set(offer.event),
        order_id: Set(offer.order.uuid()),
        order_no: Set(offer.order_no.clone()),
        kind: Set(offer.kind.clone()),
        vendor_id: Set(offer.vendor.uuid()),
        branch: Set(offer.branch.clone()),
        certificate_kind: Set(offer.certificate.map(|kind| kind.code().to_owned())),
        planned_date: Set(offer.planned),
        respond_by: Set(offer.respond_by.micros()),
        state: Set(offer.state.code().to_owned()),
        person_id: Set(offer.person.map(PersonId::uuid)),
        round: Set(offer.round),
        decline_reason: Set(offer.decline_reason.clone()),
        version: Set(offer.version),
        created_at: Set(offer.created.micros()),
        broken_clocks: NotSet,
        completed_date: NotSet,
    }
}

fn of_row(row: offer::Model) -> Result<Offer, Fault> {
    Ok(Offer {
        id: OfferId::from(row.id),
        event: row.event_id,
        order: OrderId::from(row.order_id),
        order_no: row.order_no,
        kind: row.kind,
        vendor: VendorId::from(row.vendor_id),
        branch: row.branch,
        certificate: row.certificate_kind.as_deref().map(str::parse).transpose().map_err(Fault::internal)?,
        planned: row.planned_date,
        respond_by: Instant::from_micros(row.respond_by),
        state: row.state.parse().map_err(Fault::internal)?,
        person: row.person_id.map(PersonId::from),
        round: row.round,
        decline_reason: row.decline_reason,
        version: row.version,
        created: Instant::from_micros(row.created_at),
    })
}

fn report_row(report: &Report) -> report::ActiveModel {
    report::ActiveModel {
        offer_id: Set(report.offer.uuid()),
        round: Set(report.round),
        summary: Set(report.summary.clone()),
        done_date: Set(report.done),
        reported_at: Set(report.reported.micros()),
        reported_by: Set(report.reported_by.clone()),
        outcome: Set(report.outcome.code().to_owned()),
        findings: Set(report.findings.clone()),
        decided_at: Set(report.decided.as_ref().map(|(at, _)| at.micros())),
        decided_by: Set(report.decided.as_ref().map(|(_, by)| by.clone())),
    }
}

fn of_report_row(row: report::Model) -> Result<Report, Fault> {
    Ok(Report {
        offer: OfferId::from(row.offer_id),
        round: row.round,
        summary: row.summary,
        done: row.done_date,
        reported: Instant::from_micros(row.reported_at),
        reported_by: row.reported_by,
        outcome: row.outcome.parse().map_err(Fault::internal)?,
        findings: row.findings,
        decided: row.decided_at.map(Instant::from_micros).zip(row.decided_by),
    })
}
