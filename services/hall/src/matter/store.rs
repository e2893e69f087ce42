use std::collections::BTreeMap;

use calendar::NaiveDate;
use contracts::hearth::hall::v1 as proto;
use database::{Conn, Write};
use rpc::{Fault, page::Page, wire};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::model::{self, Days, Figures, Kind, Place, State};
use crate::{
    codes::Code,
    deadline::model::Clock,
    fields,
    rows::{Packed, columns, table},
};

columns!(State, Kind);

table! {
    versioned matter "matter" {
        kind: Kind,
        code: String,
        number: i32,
        title: String,
        body: String,
        promise_subject: String,
        effective_on: NaiveDate,
        until_on: Option<NaiveDate>,
        channels: Packed<Vec<Place>>,
        document_file_id: String,
        state: State,
        drafted_by: String,
        published_by: String,
        published_at: Option<i64>,
        withdrawn_at: Option<i64>,
        withdrawn_reason: String,
        created_at: i64,
    }
}
table! {
    /// Versions of fee items as billing published them; their ids are billing's.
    fee "fee_item" {
        code: String,
        number: i32,
        name: String,
        unit: String,
        price: String,
        legal_basis: String,
        approving_body: String,
        from_on: NaiveDate,
        until_on: Option<NaiveDate>,
        customer_classes: Packed<Vec<String>>,
    }
}
table! {
    /// Months whose figures were told.
    month "promise_month" {
        month: NaiveDate,
        published_at: i64,
    }
}
table! {
    figure "promise_figure" {
        month: NaiveDate,
        subject: String,
        clock: Clock,
        kept: i64,
        broken: i64,
    }
}

pub use fee::Model as Fee;
pub use figure::Model as FigureRow;
pub use matter::Model as Matter;

/// A version.
pub async fn get(conn: &Conn, id: Uuid) -> Result<Matter, Fault> {
    let found = matter::Entity::find_by_id(id).one(conn).await?;
    found.ok_or_else(|| Fault::not_found("matter", id))
}

/// The same, held until the write has ended.
pub async fn lock(conn: &Conn, id: Uuid) -> Result<Matter, Fault> {
    let found = matter::Entity::find_by_id(id).lock_exclusive().one(conn).await?;
    found.ok_or_else(|| Fault::not_found("matter", id))
}

pub async fn list(conn: &Conn, page: &Page, kind: Option<Kind>, code: &str) -> Result<Vec<Matter>, Fault> {
    let mut select = matter::Entity::find().order_by_asc(matter::Column::Id).limit(page.limit());
    if let Some(after) = page.after {
        select = select.filter(matter::Column::Id.gt(after));
    }
    if let Some(kind) = kind {
        select = select.filter(matter::Column::Kind.eq(kind));
    }
    if !code.is_empty() {
        select = select.filter(matter::Column::Code.eq(code));
    }
    Ok(select.all(conn).await?)
}

/// Number of the next version of a matter.
pub async fn next_number(conn: &Conn, kind: Kind, code: &str) -> Result<i32, Fault> {
    let newest = matter::Entity::find()
        .filter(matter::Column::Kind.eq(kind))
        .filter(matter::Column::Code.eq(code))
        .order_by_desc(matter::Column::Number)
        .one(conn)
        .await?;
    Ok(newest.map_or(1, |newest| newest.number.saturating_add(1)))
}

/// The matters in force on a day, by kind and code.
pub async fn in_force(conn: &Conn, day: NaiveDate) -> Result<Vec<Matter>, Fault> {
    let begun = matter::Entity::find()
        .filter(matter::Column::State.eq(State::Published))
        .filter(matter::Column::EffectiveOn.lte(day))
        .all(conn)
        .await?;
    Ok(newest(begun, |row| ((row.kind, row.code.clone()), row.days()), day))
}

/// The fees in force on a day, by code.
pub async fn fees(conn: &Conn, day: NaiveDate) -> Result<Vec<Fee>, Fault> {
    let begun = fee::Entity::find().filter(fee::Column::FromOn.lte(day)).all(conn).await?;
    Ok(newest(begun, |row| (row.code.clone(), row.days()), day))
}

/// Of each thing the version that is in force, in the order of the keys.
fn newest<T, K: Ord>(rows: Vec<T>, key: impl Fn(&T) -> (K, Days), day: NaiveDate) -> Vec<T> {
    let mut groups: BTreeMap<K, Vec<(usize, Days)>> = BTreeMap::new();
    for (at, row) in rows.iter().enumerate() {
        let (key, days) = key(row);
        groups.entry(key).or_default().push((at, days));
    }
    let wanted: Vec<usize> = groups.values().filter_map(|versions| model::in_force(versions, day)).collect();
    let mut rows: Vec<Option<T>> = rows.into_iter().map(Some).collect();
    wanted.into_iter().filter_map(|at| rows.get_mut(at).and_then(Option::take)).collect()
}

/// Ends a fee item on a day. One that was never published is a mistake of whoever told it.
pub async fn end_fee(conn: &Conn, id: Uuid, until: NaiveDate) -> Result<(), Fault> {
    let done = fee::Entity::update_many()
        .col_expr(fee::Column::UntilOn, sea_orm::sea_query::Expr::value(Some(until)))
        .filter(fee::Column::Id.eq(id))
        .exec(conn)
        .await?;
    if done.rows_affected == 1 {
        Ok(())
    } else {
        Err(Fault::internal("a fee item ended that was never published"))
    }
}

/// The last month whose figures were told.
pub async fn last_month(conn: &Conn) -> Result<Option<NaiveDate>, Fault> {
    let row = month::Entity::find().order_by_desc(month::Column::Month).one(conn).await?;
    Ok(row.map(|row| row.month))
}

/// Notes that all months up to this one were told.
pub async fn told(conn: &Conn, month: NaiveDate, published_at: i64) -> Result<(), Fault> {
    let row = month::Model {
        id: Uuid::now_v7(),
        month,
        published_at,
    };
    row.insert(conn).await
}

/// Keeps figures for good.
pub async fn keep(write: &Write, figures: Figures) -> Result<(), Fault> {
    for ((month, subject, clock), figure) in figures {
        let row = FigureRow {
            id: Uuid::now_v7(),
            month,
            subject,
            clock,
            kept: figure.kept,
            broken: figure.broken,
        };
        row.insert(write).await?;
    }
    Ok(())
}

/// The figures since a month, newest month first.
pub async fn figures(conn: &Conn, since: NaiveDate) -> Result<Vec<FigureRow>, Fault> {
    Ok(figure::Entity::find()
        .filter(figure::Column::Month.gte(since))
        .order_by_desc(figure::Column::Month)
        .order_by_asc(figure::Column::Subject)
        .order_by_asc(figure::Column::Clock)
        .all(conn)
        .await?)
}

impl Matter {
    fn days(&self) -> Days {
        Days {
            number: self.number,
            from: self.effective_on,
            until: self.until_on,
        }
    }

    pub fn proto(&self, in_force: bool) -> proto::Matter {
        proto::Matter {
            matter_id: self.id.to_string(),
            kind: self.kind.number(),
            code: self.code.clone(),
            version: self.number,
            title: self.title.clone(),
            text: self.body.clone(),
            promise_subject: self.promise_subject.clone(),
            effective_date: Some(wire::date(self.effective_on)),
            until_date: self.until_on.map(wire::date),
            channels: self.channels.0.iter().map(|place| place.number()).collect(),
            document_file_id: self.document_file_id.clone(),
            state: self.state.number(),
            in_force,
            publish_time: self.published_at.map(fields::instant),
            withdraw_time: self.withdrawn_at.map(fields::instant),
            withdraw_reason: self.withdrawn_reason.clone(),
            etag: self.etag(),
        }
    }
}

impl Fee {
    fn days(&self) -> Days {
        Days {
            number: self.number,
            from: self.from_on,
            until: self.until_on,
        }
    }

    /// Whether it says what allows it.
    pub fn has_basis(&self) -> bool {
        !self.legal_basis.trim().is_empty() && !self.approving_body.trim().is_empty()
    }

    pub fn proto(&self) -> proto::PublishedFee {
        proto::PublishedFee {
            code: self.code.clone(),
            version: self.number,
            name: self.name.clone(),
            unit: self.unit.clone(),
            price: Some(wire::decimal(&self.price)),
            legal_basis: self.legal_basis.clone(),
            approving_body: self.approving_body.clone(),
            from_date: Some(wire::date(self.from_on)),
            until_date: self.until_on.map(wire::date),
            customer_classes: self.customer_classes.0.clone(),
        }
    }
}

impl FigureRow {
    pub fn proto(&self) -> proto::PromiseFigure {
        let month = wire::date(self.month);
        proto::PromiseFigure {
            year: month.year,
            month: month.month,
            subject: self.subject.clone(),
            clock: self.clock.number(),
            kept: self.kept,
            broken: self.broken,
        }
    }
}
