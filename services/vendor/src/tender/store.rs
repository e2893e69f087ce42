//! Rows of tenders and quotes.

use calendar::Instant;
use database::{Conn, Scope, Scoped};
use ids::VendorId;
use rpc::{Fault, page::Page};
use sea_orm::{
    ActiveValue::{Set, Unchanged},
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};

use super::model::{Outcome, Quote, Tender};
use crate::keys::{QuoteId, TenderId};

mod tender {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "tender")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub tender_no: String,
        pub branch: String,
        pub title: String,
        pub compulsory: bool,
        pub quote_deadline: i64,
        pub state: String,
        pub state_reason: String,
        pub winner_quote_id: Option<Uuid>,
        pub lowest_quote_id: Option<Uuid>,
        pub preference_applied: bool,
        pub preferred_vendors: String,
        pub evaluator: Option<String>,
        pub evaluated_at: Option<i64>,
        pub version: i64,
        pub created_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod quote {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "tender_quote")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub tender_id: Uuid,
        pub vendor_id: Uuid,
        pub price: i64,
        pub submitted_at: i64,
        pub meets_tech: Option<bool>,
        pub tech_findings: String,
        pub reviewer: Option<String>,
        pub withdrawn: bool,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Scoped for tender::Entity {
    const BRANCH: Option<tender::Column> = Some(tender::Column::Branch);
}

impl Scoped for quote::Entity {
    const VENDOR: Option<quote::Column> = Some(quote::Column::VendorId);
}

/// A new tender.
pub(super) async fn insert(conn: &Conn, tender: &Tender) -> Result<(), Fault> {
    tender::Entity::insert(row(tender)).exec_without_returning(conn).await?;
    Ok(())
}

/// A tender within the scope, which vendors do not narrow: a tender is open to all of them.
pub(super) async fn load(conn: &Conn, scope: &Scope, id: TenderId) -> Result<Tender, Fault> {
    let select = database::find::<tender::Entity>(scope).filter(tender::Column::Id.eq(id.uuid()));
    of_row(select.one(conn).await?.ok_or_else(|| Fault::not_found("tender", id))?)
}

/// The same, locked until the write ends: whatever happens to its quotes takes this lock first.
pub(super) async fn lock(conn: &Conn, scope: &Scope, id: TenderId) -> Result<Tender, Fault> {
    let select = database::find::<tender::Entity>(scope).filter(tender::Column::Id.eq(id.uuid()));
    of_row(select.lock_exclusive().one(conn).await?.ok_or_else(|| Fault::not_found("tender", id))?)
}

/// A page of tenders, perhaps only those in which a VIP was preferred.
pub(super) async fn list(conn: &Conn, scope: &Scope, preferred: bool, page: &Page) -> Result<(Vec<Tender>, String), Fault> {
    let mut select = database::find::<tender::Entity>(scope);
    if preferred {
        select = select.filter(tender::Column::PreferenceApplied.eq(true));
    }
    if let Some(after) = page.after {
        select = select.filter(tender::Column::Id.gt(after));
    }
    let rows = select.order_by_asc(tender::Column::Id).limit(page.limit()).all(conn).await?;
    let (rows, next) = page.cut(rows, |row| row.id);
    Ok((rows.into_iter().map(of_row).collect::<Result<_, _>>()?, next))
}

/// Keeps what changed; the version goes up by one.
pub(super) async fn save(conn: &Conn, tender: &mut Tender) -> Result<(), Fault> {
    tender.version = tender.version.saturating_add(1);
    let row = tender::ActiveModel {
        id: Unchanged(tender.id.uuid()),
        ..row(tender)
    };
    tender::Entity::update(row).exec(conn).await?;
    Ok(())
}

/// A new quote.
pub(super) async fn insert_quote(conn: &Conn, quote: &Quote) -> Result<(), Fault> {
    quote::Entity::insert(quote_row(quote)).exec_without_returning(conn).await?;
    Ok(())
}

/// Keeps what changed in a quote.
pub(super) async fn save_quote(conn: &Conn, quote: &Quote) -> Result<(), Fault> {
    let row = quote::ActiveModel {
        id: Unchanged(quote.id.uuid()),
        ..quote_row(quote)
    };
    quote::Entity::update(row).exec(conn).await?;
    Ok(())
}

/// The quotes of some tenders that a caller may see, in the order in which they were handed in.
pub(super) async fn quotes(conn: &Conn, scope: &Scope, tenders: &[TenderId]) -> Result<Vec<Quote>, Fault> {
    let select = database::find::<quote::Entity>(scope).filter(quote::Column::TenderId.is_in(tenders.iter().map(|id| id.uuid())));
    let rows = select
        .order_by_asc(quote::Column::SubmittedAt)
        .order_by_asc(quote::Column::Id)
        .all(conn)
        .await?;
    Ok(rows.into_iter().map(of_quote_row).collect())
}

fn row(t: &Tender) -> tender::ActiveModel {
    let outcome = t.outcome.as_ref();
    tender::ActiveModel {
        id: Set(t.id.uuid()),
        tender_no: Set(t.number.clone()),
        branch: Set(t.branch.clone()),
        title: Set(t.title.clone()),
        compulsory: Set(t.compulsory),
        quote_deadline: Set(t.deadline.micros()),
        state: Set(t.state.code().to_owned()),
        state_reason: Set(t.state_reason.clone()),
        winner_quote_id: Set(outcome.and_then(|o| o.winner).map(QuoteId::uuid)),
        lowest_quote_id: Set(outcome.and_then(|o| o.lowest).map(QuoteId::uuid)),
        preference_applied: Set(outcome.is_some_and(|o| o.applied)),
        preferred_vendors: Set(outcome.map(|o| o.preferred.join(" ")).unwrap_or_default()),
        evaluator: Set(outcome.map(|o| o.evaluator.clone())),
        evaluated_at: Set(outcome.map(|o| o.evaluated.micros())),
        version: Set(t.version),
        created_at: Set(t.created.micros()),
    }
}

fn of_row(row: tender::Model) -> Result<Tender, Fault> {
    let preferred = row.preferred_vendors.split(' ').filter(|id| !id.is_empty()).map(str::to_owned).collect();
    let outcome = row.evaluated_at.zip(row.evaluator).map(|(at, evaluator)| Outcome {
        winner: row.winner_quote_id.map(QuoteId::from),
        lowest: row.lowest_quote_id.map(QuoteId::from),
        applied: row.preference_applied,
        preferred,
        evaluator,
        evaluated: Instant::from_micros(at),
    });
    Ok(Tender {
        id: TenderId::from(row.id),
        number: row.tender_no,
        branch: row.branch,
        title: row.title,
        compulsory: row.compulsory,
        deadline: Instant::from_micros(row.quote_deadline),
        state: row.state.parse().map_err(Fault::internal)?,
        state_reason: row.state_reason,
        outcome,
        version: row.version,
        created: Instant::from_micros(row.created_at),
    })
}

fn quote_row(q: &Quote) -> quote::ActiveModel {
    quote::ActiveModel {
        id: Set(q.id.uuid()),
        tender_id: Set(q.tender.uuid()),
        vendor_id: Set(q.vendor.uuid()),
        price: Set(q.price),
        submitted_at: Set(q.submitted.micros()),
        meets_tech: Set(q.meets_tech),
        tech_findings: Set(q.tech_findings.clone()),
        reviewer: Set(q.reviewer.clone()),
        withdrawn: Set(q.withdrawn),
    }
}

fn of_quote_row(row: quote::Model) -> Quote {
    Quote {
        id: QuoteId::from(row.id),
        tender: TenderId::from(row.tender_id),
        vendor: VendorId::from(row.vendor_id),
        price: row.price,
        submitted: Instant::from_micros(row.submitted_at),
        meets_tech: row.meets_tech,
        tech_findings: row.tech_findings,
        reviewer: row.reviewer,
        withdrawn: row.withdrawn,
    }
}
