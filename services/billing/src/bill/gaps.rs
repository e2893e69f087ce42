//! Months whose use was billed with a later one, because nothing in them could be billed when it was their turn.

use chrono::Datelike;
use database::Conn;
use rpc::Fault;
use sea_orm::{ConnectionTrait, Statement};
use uuid::Uuid;

use super::store::bill;
use crate::run::model::Period;

/// Year and month.
pub type Month = (i32, i32);

/// Counts months on over the years.
fn count((year, month): Month) -> i32 {
    year.saturating_mul(12).saturating_add(month)
}

/// The month before which nothing is billed anew that ends with a bill: that of the live one of its agreement before it, else the one before its first day.
/// `staying` are the live bills that stay, the oldest first.
pub fn before(staying: &[bill::Model], first: &bill::Model) -> Month {
    if let Some(last) = staying.iter().rfind(|b| b.agreement_id == first.agreement_id && b.to_date <= first.from_date) {
        return (last.year, last.month);
    }
    let eve = first.from_date.succ_opt().and_then(|day| day.with_day(1)).and_then(|day| day.pred_opt());
    let eve = eve.unwrap_or(first.from_date);
    (eve.year(), i32::try_from(eve.month()).unwrap_or_default())
}

/// Months between two others to which a run came without making a bill, or whose bill was reversed. Of some of them there may be something to bill now (B11);
/// what else keeps one from being billed is a matter of the bill that covers it.
pub async fn unbilled(conn: &Conn, agreement: Uuid, after: Month, until: Month) -> Result<Vec<Period>, Fault> {
    let sql = "SELECT r.year AS year, r.month AS month FROM bill_run r JOIN bill_run_item i ON i.run_id = r.id \
               WHERE i.agreement_id = $1 AND r.year * 12 + r.month > $2 AND r.year * 12 + r.month < $3 \
               UNION SELECT b.year, b.month FROM bill b \
               WHERE b.agreement_id = $1 AND b.kind = 'REGULAR' AND b.state = 'REVERSED' AND b.year * 12 + b.month > $2 AND b.year * 12 + b.month < $3 \
               ORDER BY 1, 2";
    let values = [agreement.into(), count(after).into(), count(until).into()];
    let rows = conn
        .query_all_raw(Statement::from_sql_and_values(conn.get_database_backend(), sql, values))
        .await?;
    let mut periods = vec![];
    for row in rows {
        let (year, month): Month = (row.try_get("", "year")?, row.try_get("", "month")?);
        periods.extend(u32::try_from(month).ok().and_then(|month| Period::new(year, month)));
    }
    Ok(periods)
}
