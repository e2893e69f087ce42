//! Figures of books and readers for a month (E2-08).

use std::collections::BTreeMap;

use calendar::{Instant, NaiveDate};
use contracts::hearth::{
    billing::v1::{GetReadingFiguresRequest, GetReadingFiguresResponse, ReadingFigures},
    r#type::v1::Decimal,
};
use database::{Conn, Scope, find};
use rpc::{Call, Fault, wire};
use sea_orm::{ColumnTrait, ConnectionTrait, QueryFilter, QueryOrder, QueryResult, Statement, Value};
use uuid::Uuid;

use super::{model::percent, store::book};
use crate::{Desk, run::model::Period};

/// What is counted of a reader of a book.
#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    due: i64,
    read: i64,
    wrong: i64,
    billed: i64,
    collected: i64,
}

/// A book and a reader of its tasks.
type Key = (Uuid, String);

/// GetReadingFigures.
pub async fn figures(desk: Desk, call: Call, request: GetReadingFiguresRequest) -> Result<GetReadingFiguresResponse, Fault> {
    let period = Period::new(request.year, request.month.unsigned_abs()).ok_or_else(|| Fault::invalid("month", "MONTH", "there is no such month"))?;
    let conn = desk.db.reader();
    let books = find::<book::Entity>(&Scope::of(&call))
        .filter(book::Column::Branch.eq(&request.branch))
        .order_by_asc(book::Column::Code)
        .all(conn)
        .await?;
    let mut counted: BTreeMap<Key, Counted> = BTreeMap::new();
    visits(conn, &request.branch, period, &mut counted).await?;
    money(conn, &request.branch, period, &mut counted).await?;
    let figures = books.into_iter().flat_map(|book| rows(book, &counted));
    Ok(GetReadingFiguresResponse {
        figures: figures.collect(),
        readings_unused: number(unused(conn, &request.branch, period).await?),
    })
}

/// A row for each reader of a book; one that had no task in the month stands with its reader of today.
fn rows(book: book::Model, counted: &BTreeMap<Key, Counted>) -> Vec<ReadingFigures> {
    let of_book = counted.range((book.id, String::new())..).take_while(|((id, _), _)| *id == book.id);
    let mut readers: Vec<(String, Counted)> = of_book.map(|((_, reader), c)| (reader.clone(), *c)).collect();
    if readers.is_empty() {
        readers.push((book.reader, Counted::default()));
    }
    let row = |(reader, c): (String, Counted)| ReadingFigures {
        book_id: book.id.to_string(),
        code: book.code.clone(),
        reader,
        due: number(c.due),
        read: number(c.read),
        in_place_percent: share(c.read, c.due),
        wrong: number(c.wrong),
        accuracy_percent: share(c.read.saturating_sub(c.wrong), c.read),
        billed_fen: c.billed,
        collected_fen: c.collected,
        collection_percent: share(c.collected, c.billed),
    };
    readers.into_iter().map(row).collect()
}

fn number(n: i64) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

fn share(part: i64, whole: i64) -> Option<Decimal> {
    let hundredths = percent(part, whole)?;
    Some(wire::decimal(format!("{}.{:02}", hundredths / 100, hundredths % 100)))
}

/// Tasks due, read in place, and those of which a reading that a reader brought turned out wrong.
async fn visits(conn: &Conn, branch: &str, period: Period, counted: &mut BTreeMap<Key, Counted>) -> Result<(), Fault> {
    let sql = "SELECT t.book_id, t.reader, count(*) AS due, CAST(sum(CASE WHEN t.state = 'READ' THEN 1 ELSE 0 END) AS bigint) AS read, \
               CAST(sum(CASE WHEN t.state = 'READ' AND EXISTS (SELECT 1 FROM reading r WHERE r.installation_id = t.installation_id \
               AND r.read_date >= t.from_date AND r.read_date <= t.until_date AND r.source IN ('reader', 'photo', 'check') \
               AND r.state IN ('REJECTED', 'CORRECTED', 'REPLACED')) THEN 1 ELSE 0 END) AS bigint) AS wrong \
               FROM reading_task t WHERE t.branch = $1 AND t.due_date >= $2 AND t.due_date <= $3 AND t.state <> 'DROPPED' GROUP BY t.book_id, t.reader";
    let values = [branch.into(), period.first.into(), period.last.into()];
    for row in all(conn, sql, values).await? {
        let of = counted.entry(key(&row)?).or_default();
        (of.due, of.read, of.wrong) = (row.try_get("", "due")?, row.try_get("", "read")?, row.try_get("", "wrong")?);
    }
    Ok(())
}

/// What was issued for the month to the agreements of the tasks, and what of it was paid by the day on which it was due. An agreement counts for the reader of its
/// last task.
async fn money(conn: &Conn, branch: &str, period: Period, counted: &mut BTreeMap<Key, Counted>) -> Result<(), Fault> {
    let bills = "FROM bill b JOIN (SELECT book_id, reader, agreement_id, \
                 row_number() OVER (PARTITION BY book_id, agreement_id ORDER BY due_date DESC, id DESC) AS place \
                 FROM reading_task WHERE branch = $1 AND due_date >= $2 AND due_date <= $3) t ON t.agreement_id = b.agreement_id AND t.place = 1";
    let of_month = "b.kind = 'REGULAR' AND b.state <> 'REVERSED' AND b.year = $4 AND b.month = $5";
    let month = i32::try_from(period.month).unwrap_or(0);
    let values = || [branch.into(), period.first.into(), period.last.into(), period.year.into(), month.into()];
    let billed = format!("SELECT t.book_id, t.reader, CAST(sum(b.amount) AS bigint) AS amount {bills} WHERE {of_month} GROUP BY t.book_id, t.reader");
    for row in all(conn, &billed, values()).await? {
        counted.entry(key(&row)?).or_default().billed = row.try_get("", "amount")?;
    }
    let paid = format!("SELECT t.book_id, t.reader, b.due_date, a.created_at, a.amount {bills} JOIN allocation a ON a.bill_id = b.id WHERE {of_month}");
    for row in all(conn, &paid, values()).await? {
        let (due, at): (NaiveDate, i64) = (row.try_get("", "due_date")?, row.try_get("", "created_at")?);
        if Instant::from_micros(at).date() <= due {
            let amount: i64 = row.try_get("", "amount")?;
            let of = counted.entry(key(&row)?).or_default();
            of.collected = of.collected.saturating_add(amount);
        }
    }
    Ok(())
}

/// Accepted readings of a month that no bill has used or will ever look at: they came when a bill up to a later reading was there, and it stands.
async fn unused(conn: &Conn, branch: &str, period: Period) -> Result<i64, Fault> {
    // Installations first: readings have an index by them and by day, and none by branch.
    let sql = "SELECT count(*) AS unused FROM installation i CROSS JOIN reading r \
               WHERE i.branch = $1 AND i.commodity = 'GAS' AND r.installation_id = i.id AND r.read_date >= $2 AND r.read_date <= $3 AND r.state IN ('VALIDATED', 'ACCEPTED') AND r.source <> 'estimate' \
               AND EXISTS (SELECT 1 FROM bill b JOIN reading e ON e.id = b.reading_id WHERE b.agreement_id = r.agreement_id AND b.kind = 'REGULAR' \
               AND b.state <> 'REVERSED' AND b.from_date < r.read_date AND e.read_at > r.read_at AND b.created_at < r.created_at)";
    let values = [branch.into(), period.first.into(), period.last.into()];
    let found = all(conn, sql, values).await?;
    Ok(found.first().map(|row| row.try_get("", "unused")).transpose()?.unwrap_or(0))
}

async fn all(conn: &Conn, sql: &str, values: impl IntoIterator<Item = Value>) -> Result<Vec<QueryResult>, Fault> {
    Ok(conn
        .query_all_raw(Statement::from_sql_and_values(conn.get_database_backend(), sql, values))
        .await?)
}

fn key(row: &QueryResult) -> Result<Key, Fault> {
    Ok((row.try_get("", "book_id")?, row.try_get("", "reader")?))
}
