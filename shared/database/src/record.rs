//! Rows of the journal as an auditor reads them.

use calendar::Instant;
use contracts::hearth::journal::v1::{ListRecordsRequest, ListRecordsResponse, Record};
use prost_types::Timestamp;
use rpc::{Call, Fault, page::Page, wire};
use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{BinOper, Expr, ExprTrait, Func},
};
use uuid::Uuid;

use crate::{Database, Engine, entity::journal};

/// A page of sealed rows, by position.
pub(crate) async fn list(db: Database, call: Call, request: ListRecordsRequest) -> Result<ListRecordsResponse, Fault> {
    let micros = |time: Option<&Timestamp>, field| time.map(|t| wire::time_of(Some(t), field).map(Instant::micros)).transpose();
    let (from, until) = (
        micros(request.from_time.as_ref(), "from_time")?,
        micros(request.until_time.as_ref(), "until_time")?,
    );
    let [since, before] = [from, until].map(|micros| micros.map(|m| m.to_string()).unwrap_or_default());
    let filters = [&since, &before, &request.method, &request.actor, &request.subject].map(String::as_str);
    let page = Page::of(&call, &filters, request.page_size, &request.page_token)?;
    let after = page.after.map_or(0, position_of);
    let mut select = journal::Entity::find()
        .filter(journal::Column::Position.gt(after))
        .order_by_asc(journal::Column::Position)
        .limit(page.limit());
    if let Some(from) = from {
        select = select.filter(journal::Column::WrittenAt.gte(from));
    }
    if let Some(until) = until {
        select = select.filter(journal::Column::WrittenAt.lt(until));
    }
    for (column, value) in [(journal::Column::Method, &request.method), (journal::Column::Actor, &request.actor)] {
        if !value.is_empty() {
            select = select.filter(column.eq(value));
        }
    }
    if !request.subject.is_empty() {
        // A row has its subjects in one text, with a blank between them. Not by LIKE, for which SQLite takes large and small letters as the same.
        let place = match db.engine() {
            Engine::Sqlite => "instr",
            Engine::Postgres => "strpos",
        };
        let behind = |a: Expr, b: Expr| a.binary(BinOper::Custom("||"), b);
        let subjects = behind(behind(Expr::val(" "), Expr::col(journal::Column::Subjects)), Expr::val(" "));
        let found = Func::cust(place).arg(subjects).arg(format!(" {} ", request.subject));
        select = select.filter(Expr::expr(found).gt(0));
    }
    let (rows, next_page_token) = page.cut(select.all(db.reader()).await?, |row| mark(row.position));
    Ok(ListRecordsResponse {
        records: rows.into_iter().map(record).collect(),
        next_page_token,
    })
}

/// A position where a page token holds an id.
fn mark(position: Option<i64>) -> Uuid {
    Uuid::from_u128(u128::from(position.unwrap_or_default().unsigned_abs()))
}

fn position_of(mark: Uuid) -> i64 {
    i64::try_from(mark.as_u128()).unwrap_or(i64::MAX)
}

fn record(row: journal::Model) -> Record {
    Record {
        record_id: row.id.to_string(),
        position: row.position.unwrap_or_default(),
        time: Some(wire::time(Instant::from_micros(row.written_at))),
        actor: row.actor,
        service: row.service.unwrap_or_default(),
        method: row.method,
        request_id: row.request_id.unwrap_or_default(),
        purpose: row.purpose.unwrap_or_default(),
        subjects: row.subjects.split_whitespace().map(str::to_owned).collect(),
        digest: hex::encode(&row.digest),
        hash: hex::encode(row.hash.unwrap_or_default()),
        traceparent: row.traceparent.unwrap_or_default(),
    }
}
