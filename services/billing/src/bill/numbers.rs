//! Numbers of bills and credit notes, looked through for gaps (B24).

use contracts::hearth::billing::v1::{NumberGap, NumberSeries, ReportNumbersRequest, ReportNumbersResponse};
use database::Conn;
use rpc::{Call, Fault};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, Statement};

use crate::{Desk, table};

table!(number, "number", {
    #[sea_orm(primary_key, auto_increment = false)] series: String,
    #[sea_orm(primary_key, auto_increment = false)] branch: String,
    #[sea_orm(primary_key, auto_increment = false)] year: i32,
    last: i64,
});

/// What has a number of a series, and how many digits it has.
const SERIES: [(&str, &str, &str, usize); 2] = [("BL", "bill", "bill_no", 8), ("CN", "credit_note", "credit_note_no", 7)];

/// ReportNumbers.
pub async fn report(desk: Desk, call: Call, request: ReportNumbersRequest) -> Result<ReportNumbersResponse, Fault> {
    let conn = desk.db.reader();
    let mut select = number::Entity::find().filter(number::Column::Year.eq(request.year));
    if let Some(branch) = call.branch() {
        select = select.filter(number::Column::Branch.eq(branch));
    }
    let given = select.order_by_asc(number::Column::Branch).all(conn).await?;
    let mut series = vec![];
    for kind in SERIES {
        for row in given.iter().filter(|row| row.series == kind.0) {
            series.push(look_through(conn, row, kind).await?);
        }
    }
    Ok(ReportNumbersResponse { series })
}

async fn look_through(conn: &Conn, row: &number::Model, (series, table, column, digits): (&str, &str, &str, usize)) -> Result<NumberSeries, Fault> {
    let prefix = format!("{series}-{}-{}-", row.branch, row.year);
    let length = prefix.chars().count();
    let numbers = format!(
        "SELECT CAST(substr({column}, {}) AS bigint) AS n FROM {table} WHERE branch = $1 AND substr({column}, 1, {length}) = $2",
        length.saturating_add(1)
    );
    // What comes after the last number closes a gap at the end.
    let gaps = format!(
        "SELECT before, n FROM (SELECT n, lag(n, 1, CAST(0 AS bigint)) OVER (ORDER BY n) AS before
            FROM ({numbers} UNION ALL SELECT CAST($3 AS bigint) + 1) given) ordered WHERE n > before + 1 ORDER BY n"
    );
    let count = format!("SELECT count(*) FROM ({numbers}) given");
    let backend = conn.get_database_backend();
    let values: [sea_orm::Value; 3] = [row.branch.as_str().into(), prefix.as_str().into(), row.last.into()];
    let named = |n: i64| format!("{prefix}{n:0digits$}");
    let mut found = vec![];
    for gap in conn.query_all_raw(Statement::from_sql_and_values(backend, gaps, values.clone())).await? {
        let (before, after): (i64, i64) = (gap.try_get_by_index(0)?, gap.try_get_by_index(1)?);
        found.push(NumberGap {
            first_no: named(before.saturating_add(1)),
            last_no: named(after.saturating_sub(1)),
            reason: "NO_ROW".to_owned(),
        });
    }
    let counted = conn
        .query_one_raw(Statement::from_sql_and_values(backend, count, values.into_iter().take(2)))
        .await?
        .ok_or_else(|| Fault::internal("a count has no row"))?;
    Ok(NumberSeries {
        series: series.to_owned(),
        branch: row.branch.clone(),
        year: row.year,
        given: row.last,
        found: counted.try_get_by_index(0)?,
        gaps: found,
    })
}
