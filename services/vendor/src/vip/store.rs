//! Rows of trades and of the cases of VIPs.

use std::collections::{HashMap, HashSet};

use calendar::Instant;
use chrono::NaiveDate;
use database::{Conn, Scope, Scoped};
use ids::VendorId;
use rpc::{Fault, page::Page};
use sea_orm::{
    ActiveValue::{Set, Unchanged},
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::Expr,
};
use uuid::Uuid;

use super::model::{Attestation, Case, Evidence, Left, Moment, Step, Trade, window_start};
use crate::keys::{TradeId, VipCaseId};

mod trade {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "trade")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub reference: String,
        pub trade_date: chrono::NaiveDate,
        pub counted_date: chrono::NaiveDate,
        pub company: String,
        pub uscc: String,
        pub amount: i64,
        pub quality_fault: i64,
        pub reverses: String,
        pub cooperative: Option<bool>,
        pub cooperation_statement: String,
        pub cooperation_by: Option<String>,
        pub recorded_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod case {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "vip_case")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub vendor_id: Uuid,
        pub route: String,
        pub state: String,
        pub attestation_document: String,
        pub attestation_date: chrono::NaiveDate,
        pub applicant: String,
        pub submitted_at: i64,
        pub listed_date: Option<chrono::NaiveDate>,
        pub review_due: Option<chrono::NaiveDate>,
        pub closed_date: Option<chrono::NaiveDate>,
        pub close_reason: String,
        pub version: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod step {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "vip_step")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub vip_case_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub ordinal: i32,
        pub office: String,
        pub subject: String,
        pub approved: bool,
        pub opinion: String,
        pub decided_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod evidence {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "vip_evidence")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub vip_case_id: Uuid,
        pub moment: String,
        pub as_of: chrono::NaiveDate,
        pub trade_total: i64,
        pub quality_fault: i64,
        pub problems: i32,
        pub unassessed: i32,
        pub uncooperative: i32,
        pub culture: bool,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Scoped for case::Entity {
    const VENDOR: Option<case::Column> = Some(case::Column::VendorId);
}

/// The trades with some references, by reference, locked in the order of these: their reversals follow each other.
pub(super) async fn trades(conn: &Conn, references: &[String]) -> Result<HashMap<String, Trade>, Fault> {
    let select = trade::Entity::find().filter(trade::Column::Reference.is_in(references.iter().map(String::as_str)));
    let rows = select.order_by_asc(trade::Column::Reference).lock_exclusive().all(conn).await?;
    Ok(rows.into_iter().map(|row| (row.reference.clone(), of_trade_row(row))).collect())
}

/// What is left of trades after the reversals that are booked, by reference.
pub(super) async fn left_of<'a>(conn: &Conn, trades: impl Iterator<Item = &'a Trade>) -> Result<HashMap<String, Left>, Fault> {
    let (mut left, mut vendors) = (HashMap::new(), HashSet::new());
    for trade in trades {
        left.insert(trade.reference.clone(), Left::all(trade));
        vendors.insert(trade.uscc.as_str());
    }
    let booked = trade::Entity::find()
        .filter(trade::Column::Uscc.is_in(vendors))
        .filter(trade::Column::Reverses.is_in(left.keys().map(String::as_str)));
    for row in booked.all(conn).await? {
        if let Some(left) = left.get_mut(&row.reverses) {
            *left = left.without(row.amount, row.quality_fault);
        }
    }
    Ok(left)
}

/// New trades.
pub(super) async fn insert_trades(conn: &Conn, trades: &[Trade], now: Instant) -> Result<(), Fault> {
    let rows: Vec<_> = trades.iter().map(|t| trade_row(t, now)).collect();
    if !rows.is_empty() {
        trade::Entity::insert_many(rows).exec_without_returning(conn).await?;
    }
    Ok(())
}

/// Enters a payment of the utility as a trade with the vendor.
pub(crate) async fn book_payment(conn: &Conn, uscc: &str, reference: &str, company: &str, amount: i64, now: Instant) -> Result<(), Fault> {
    if amount == 0 {
        return Ok(());
    }
    let trade = Trade {
        id: TradeId::new(),
        reference: reference.to_owned(),
        date: now.date(),
        counted: now.date(),
        company: company.to_owned(),
        uscc: uscc.to_owned(),
        amount,
        quality_fault: 0,
        reverses: String::new(),
    };
    insert_trades(conn, &[trade], now).await
}

/// Keeps how a vendor behaved after the quality problem of a trade.
pub(super) async fn save_cooperation(conn: &Conn, trade: TradeId, cooperative: bool, statement: &str, by: &str) -> Result<(), Fault> {
    let row = trade::ActiveModel {
        id: Unchanged(trade.uuid()),
        cooperative: Set(Some(cooperative)),
        cooperation_statement: Set(statement.to_owned()),
        cooperation_by: Set(Some(by.to_owned())),
        ..Default::default()
    };
    trade::Entity::update(row).exec(conn).await?;
    Ok(())
}

/// The conditions of a vendor on a day, but for its culture: all trades with its credit code, of every company of the group.
pub(super) async fn evidence(conn: &Conn, uscc: &str, moment: Moment, as_of: NaiveDate, culture: bool) -> Result<Evidence, Fault> {
    let counted = || {
        trade::Entity::find()
            .filter(trade::Column::Uscc.eq(uscc))
            .filter(trade::Column::TradeDate.lte(as_of))
            .filter(trade::Column::CountedDate.gte(window_start()))
    };
    // Sums of bigint are numeric on PostgreSQL.
    let sums = counted()
        .select_only()
        .expr_as(Expr::cust("CAST(COALESCE(SUM(amount), 0) AS bigint)"), "total")
        .expr_as(Expr::cust("CAST(COALESCE(SUM(quality_fault), 0) AS bigint)"), "fault")
        .into_tuple::<(i64, i64)>()
        .one(conn)
        .await?;
    let (trade_total, quality_fault) = sums.unwrap_or_default();
    let problems = counted().filter(trade::Column::QualityFault.gt(0)).all(conn).await?;
    let of = |answer: Option<bool>| i32::try_from(problems.iter().filter(|row| row.cooperative == answer).count()).unwrap_or(i32::MAX);
    Ok(Evidence {
        moment,
        as_of,
        trade_total,
        quality_fault,
        problems: i32::try_from(problems.len()).unwrap_or(i32::MAX),
        unassessed: of(None),
        uncooperative: of(Some(false)),
        culture,
    })
}

/// A new case, with the steps that it has.
pub(super) async fn insert(conn: &Conn, case: &Case) -> Result<(), Fault> {
    case::Entity::insert(row(case)).exec_without_returning(conn).await?;
    for step in &case.steps {
        insert_step(conn, case, step).await?;
    }
    Ok(())
}

/// A step that was taken now.
pub(super) async fn insert_step(conn: &Conn, case: &Case, step: &Step) -> Result<(), Fault> {
    let row = step::ActiveModel {
        vip_case_id: Set(case.id.uuid()),
        ordinal: Set(step.ordinal),
        office: Set(step.office.code().to_owned()),
        subject: Set(step.subject.clone()),
        approved: Set(step.approved),
        opinion: Set(step.opinion.clone()),
        decided_at: Set(step.decided.micros()),
    };
    step::Entity::insert(row).exec_without_returning(conn).await?;
    Ok(())
}

/// Keeps what was found on a case.
pub(super) async fn insert_evidence(conn: &Conn, case: VipCaseId, found: &Evidence) -> Result<(), Fault> {
    let row = evidence::ActiveModel {
        id: Set(Uuid::now_v7()),
        vip_case_id: Set(case.uuid()),
        moment: Set(found.moment.code().to_owned()),
        as_of: Set(found.as_of),
        trade_total: Set(found.trade_total),
        quality_fault: Set(found.quality_fault),
        problems: Set(found.problems),
        unassessed: Set(found.unassessed),
        uncooperative: Set(found.uncooperative),
        culture: Set(found.culture),
    };
    evidence::Entity::insert(row).exec_without_returning(conn).await?;
    Ok(())
}

/// A case within the scope. Writes load it under the lock of its vendor.
pub(super) async fn load(conn: &Conn, scope: &Scope, id: VipCaseId) -> Result<Case, Fault> {
    let select = database::find::<case::Entity>(scope).filter(case::Column::Id.eq(id.uuid()));
    let found = select.one(conn).await?.ok_or_else(|| Fault::not_found("vip_case", id))?;
    let mut cases = with_steps(conn, vec![found]).await?;
    cases.pop().ok_or_else(|| Fault::not_found("vip_case", id))
}

/// The cases of some vendors, oldest first.
pub(crate) async fn of_vendors(conn: &Conn, vendors: &[VendorId]) -> Result<Vec<Case>, Fault> {
    let select = case::Entity::find().filter(case::Column::VendorId.is_in(vendors.iter().map(|id| id.uuid())));
    let rows = select.order_by_asc(case::Column::Id).all(conn).await?;
    with_steps(conn, rows).await
}

/// A page of cases, of one vendor or of all.
pub(super) async fn list(conn: &Conn, scope: &Scope, vendor: Option<VendorId>, page: &Page) -> Result<(Vec<Case>, String), Fault> {
    let mut select = database::find::<case::Entity>(scope);
    if let Some(vendor) = vendor {
        select = select.filter(case::Column::VendorId.eq(vendor.uuid()));
    }
    if let Some(after) = page.after {
        select = select.filter(case::Column::Id.gt(after));
    }
    let rows = select.order_by_asc(case::Column::Id).limit(page.limit()).all(conn).await?;
    let (rows, next) = page.cut(rows, |row| row.id);
    Ok((with_steps(conn, rows).await?, next))
}

/// What was found on some cases, oldest first.
pub(super) async fn evidence_of(conn: &Conn, cases: &[VipCaseId]) -> Result<Vec<(VipCaseId, Evidence)>, Fault> {
    let select = evidence::Entity::find().filter(evidence::Column::VipCaseId.is_in(cases.iter().map(|id| id.uuid())));
    let rows = select.order_by_asc(evidence::Column::Id).all(conn).await?;
    let of_row = |row: evidence::Model| {
        let found = Evidence {
            moment: row.moment.parse().map_err(Fault::internal)?,
            as_of: row.as_of,
            trade_total: row.trade_total,
            quality_fault: row.quality_fault,
            problems: row.problems,
            unassessed: row.unassessed,
            uncooperative: row.uncooperative,
            culture: row.culture,
        };
        Ok((VipCaseId::from(row.vip_case_id), found))
    };
    rows.into_iter().map(of_row).collect()
}

/// Keeps what changed but the steps; the version goes up by one.
pub(super) async fn save(conn: &Conn, case: &mut Case) -> Result<(), Fault> {
    case.version = case.version.saturating_add(1);
    let row = case::ActiveModel {
        id: Unchanged(case.id.uuid()),
        ..row(case)
    };
    case::Entity::update(row).exec(conn).await?;
    Ok(())
}

fn trade_row(t: &Trade, now: Instant) -> trade::ActiveModel {
    trade::ActiveModel {
        id: Set(t.id.uuid()),
        reference: Set(t.reference.clone()),
        trade_date: Set(t.date),
        counted_date: Set(t.counted),
        company: Set(t.company.clone()),
        uscc: Set(t.uscc.clone()),
        amount: Set(t.amount),
        quality_fault: Set(t.quality_fault),
        reverses: Set(t.reverses.clone()),
        cooperative: Set(None),
        cooperation_statement: Set(String::new()),
        cooperation_by: Set(None),
        recorded_at: Set(now.micros()),
    }
}

fn of_trade_row(row: trade::Model) -> Trade {
    Trade {
        id: TradeId::from(row.id),
        reference: row.reference,
        date: row.trade_date,
        counted: row.counted_date,
        company: row.company,
        uscc: row.uscc,
        amount: row.amount,
        quality_fault: row.quality_fault,
        reverses: row.reverses,
    }
}

fn row(case: &Case) -> case::ActiveModel {
    case::ActiveModel {
        id: Set(case.id.uuid()),
        vendor_id: Set(case.vendor.uuid()),
        route: Set(case.route.code().to_owned()),
        state: Set(case.state.code().to_owned()),
        attestation_document: Set(case.attestation.document.clone()),
        attestation_date: Set(case.attestation.signed),
        applicant: Set(case.applicant.clone()),
        submitted_at: Set(case.submitted.micros()),
        listed_date: Set(case.listed),
        review_due: Set(case.review_due),
        closed_date: Set(case.closed),
        close_reason: Set(case.close_reason.clone()),
        version: Set(case.version),
    }
}

async fn with_steps(conn: &Conn, rows: Vec<case::Model>) -> Result<Vec<Case>, Fault> {
    let select = step::Entity::find().filter(step::Column::VipCaseId.is_in(rows.iter().map(|row| row.id)));
    let steps = select.order_by_asc(step::Column::Ordinal).all(conn).await?;
    rows.into_iter().map(|row| of_row(row, &steps)).collect()
}

fn of_row(row: case::Model, steps: &[step::Model]) -> Result<Case, Fault> {
    let step = |step: &step::Model| {
        Ok::<_, Fault>(Step {
            ordinal: step.ordinal,
            office: step.office.parse().map_err(Fault::internal)?,
            subject: step.subject.clone(),
            approved: step.approved,
            opinion: step.opinion.clone(),
            decided: Instant::from_micros(step.decided_at),
        })
    };
    Ok(Case {
        id: VipCaseId::from(row.id),
        vendor: VendorId::from(row.vendor_id),
        route: row.route.parse().map_err(Fault::internal)?,
        state: row.state.parse().map_err(Fault::internal)?,
        attestation: Attestation {
            document: row.attestation_document,
            signed: row.attestation_date,
        },
        applicant: row.applicant,
        submitted: Instant::from_micros(row.submitted_at),
        listed: row.listed_date,
        review_due: row.review_due,
        closed: row.closed_date,
        close_reason: row.close_reason,
        steps: steps.iter().filter(|s| s.vip_case_id == row.id).map(step).collect::<Result<_, _>>()?,
        version: row.version,
    })
}
