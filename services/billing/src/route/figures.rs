//! Figures of books and readers for a month (E2-08).

use std::collections::HashMap;

use calendar::{Instant, NaiveDate};
use contracts::hearth::{
    billing::v1::{GetReadingFiguresRequest, GetReadingFiguresResponse, ReadingFigures},
    r#type::v1::Decimal,
};
use database::{Conn, Scope, find};
use rpc::{Call, Fault, wire};
use sea_orm::{ColumnTrait, ConnectionTrait, QueryFilter, QueryOrder, Statement};
use uuid::Uuid;

use super::{model::percent, store::book};
use crate::{Desk, run::model::Period};

/// What is counted of a book.
#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    due: i64,
    read: i64,
    wrong: i64,
    billed: i64,
    collected: i64,
}

/// GetReadingFigures.
pub async fn figures(desk: Desk, call: Call, request: GetReadingFiguresRequest) -> Result<GetReadingFiguresResponse, Fault> {
    let period = Period::new(request.year, request.month.unsigned_abs()).ok_or_else(|| Fault::invalid("month", "MONTH", "there is no such month"))?;
    let conn = desk.db.reader();
    let books = find::<book::Entity>(&Scope::of(&call))
        .filter(book::Column::Branch.eq(&request.branch))
        .order_by_asc(book::Column::Code)
        .all(conn)
        .await?;
    let mut counted: HashMap<Uuid, Counted> = HashMap::new();
    visits(conn, &request.branch, period, &mut counted).await?;
    money(conn, &request.branch, period, &mut counted).await?;
    let figures = books.into_iter().map(|book| {
        let c = counted.get(&book.id).copied().unwrap_or_default();
        let number = |n: i64| i32::try_from(n).unwrap_or(i32::MAX);
        ReadingFigures {
            book_id: book.id.to_string(),
            code: book.code,
            reader: book.reader,
            due: number(c.due),
            read: number(c.read),
            in_place_percent: share(c.read, c.due),
            wrong: number(c.wrong),
            accuracy_percent: share(c.read.saturating_sub(c.wrong), c.read),
            billed_fen: c.billed,
            collected_fen: c.collected,
            collection_percent: share(c.collected, c.billed),
        }
    });
    Ok(GetReadingFiguresResponse { figures: figures.collect() })
}

fn share(part: i64, whole: i64) -> Option<Decimal> {
    let hundredths = percent(part, whole)?;
    Some(wire::decimal(format!("{}.{:02}", hundredths / 100, hundredths % 100)))
}

/// Tasks due, read in place, and those whose reading turned out wrong.
async fn visits(conn: &Conn, branch: &str, period: Period, counted: &mut HashMap<Uuid, Counted>) -> Result<(), Fault> {
    let sql = "SELECT t.book_id, count(*) AS due, CAST(sum(CASE WHEN t.state = 'READ' THEN 1 ELSE 0 END) AS bigint) AS read, \
               CAST(sum(CASE WHEN t.state = 'READ' AND EXISTS (SELECT 1 FROM reading r WHERE r.installation_id = t.installation_id \
               AND r.read_date >= t.from_date AND r.read_date <= t.until_date AND r.source NOT IN ('estimate', 'adjusted', 'opening') \
               AND r.state IN ('REJECTED', 'CORRECTED', 'REPLACED')) THEN 1 ELSE 0 END) AS bigint) AS wrong \
               FROM reading_task t WHERE t.branch = $1 AND t.due_date >= $2 AND t.due_date <= $3 AND t.state <> 'DROPPED' GROUP BY t.book_id";
    let values = [branch.into(), period.first.into(), period.last.into()];
    for row in conn
        .query_all_raw(Statement::from_sql_and_values(conn.get_database_backend(), sql, values))
        .await?
    {
        let book: Uuid = row.try_get("", "book_id")?;
        let of = counted.entry(book).or_default();
        (of.due, of.read, of.wrong) = (row.try_get("", "due")?, row.try_get("", "read")?, row.try_get("", "wrong")?);
    }
    Ok(())
}

/// What was issued for the month to the agreements of the books, and what of it was paid by the day on which it was due.
async fn money(conn: &Conn, branch: &str, period: Period, counted: &mut HashMap<Uuid, Counted>) -> Result<(), Fault> {
    let bills = "FROM bill b JOIN (SELECT DISTINCT book_id, agreement_id FROM reading_task WHERE branch = $1 AND due_date >= $2 AND due_date <= $3) t \
                 ON t.agreement_id = b.agreement_id";
    let of_month = "b.kind = 'REGULAR' AND b.state <> 'REVERSED' AND b.year = $4 AND b.month = $5";
    let month = i32::try_from(period.month).unwrap_or(0);
    let values = || [branch.into(), period.first.into(), period.last.into(), period.year.into(), month.into()];
    let billed = format!("SELECT t.book_id, CAST(sum(b.amount) AS bigint) AS amount {bills} WHERE {of_month} GROUP BY t.book_id");
    for row in conn
        .query_all_raw(Statement::from_sql_and_values(conn.get_database_backend(), billed, values()))
        .await?
    {
        let book: Uuid = row.try_get("", "book_id")?;
        counted.entry(book).or_default().billed = row.try_get("", "amount")?;
    }
    let paid = format!("SELECT t.book_id, b.due_date, a.created_at, a.amount {bills} JOIN allocation a ON a.bill_id = b.id WHERE {of_month}");
    for row in conn
        .query_all_raw(Statement::from_sql_and_values(conn.get_database_backend(), paid, values()))
        .await?
    {
        let (due, at): (NaiveDate, i64) = (row.try_get("", "due_date")?, row.try_get("", "created_at")?);
        if Instant::from_micros(at).date() <= due {
            let book: Uuid = row.try_get("", "book_id")?;
            let amount: i64 = row.try_get("", "amount")?;
            let of = counted.entry(book).or_default();
            of.collected = of.collected.saturating_add(amount);
        }
    }
    Ok(())
}
