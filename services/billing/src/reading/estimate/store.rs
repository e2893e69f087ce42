//! What estimates are made from.

use calendar::NaiveDate;
use chrono::Months;
use database::Conn;
use rpc::Fault;
use sea_orm::{ConnectionTrait, Statement};

use super::model::Like;

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// Use of the gas users of a class in a branch by the actual readings after one day and up to another.
pub async fn like_users(conn: &Conn, branch: &str, use_class: &str, after: NaiveDate, until: NaiveDate) -> Result<Like, Fault> {
    let sql = "SELECT CAST(coalesce(sum(value - before), 0) AS bigint) AS volume, CAST(coalesce(sum(read_at - before_at), 0) AS bigint) AS time FROM ( \
               SELECT r.value, r.read_at, r.read_date, \
               lag(r.value) OVER (PARTITION BY r.installation_id ORDER BY r.read_at) AS before, \
               lag(r.read_at) OVER (PARTITION BY r.installation_id ORDER BY r.read_at) AS before_at \
               FROM reading r JOIN installation i ON i.id = r.installation_id AND i.commodity = 'GAS' \
               JOIN supply_term t ON t.agreement_id = r.agreement_id AND t.kind = 'USE_CLASS' AND t.value = $1 AND t.from_date <= $2 \
               AND (t.until_date IS NULL OR t.until_date > $2) \
               WHERE r.branch = $3 AND r.read_date > $4 AND r.read_date <= $2 AND r.source <> 'estimate' \
               AND (r.state = 'VALIDATED' OR r.state = 'ACCEPTED' OR r.state = 'BILLED')) cycle \
               WHERE before IS NOT NULL AND value >= before AND read_date > $5";
    // The reading before the first one after the day.
    let earlier = after.checked_sub_months(Months::new(3)).unwrap_or(after);
    let values = [use_class.into(), until.into(), branch.into(), earlier.into(), after.into()];
    let row = conn
        .query_one_raw(Statement::from_sql_and_values(conn.get_database_backend(), sql, values))
        .await?;
    let Some(row) = row else { return Ok(Like::default()) };
    let time: i64 = row.try_get("", "time")?;
    Ok(Like {
        volume: row.try_get("", "volume")?,
        days: time / DAY,
    })
}
