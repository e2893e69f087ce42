//! Meters that report by themselves and have fallen silent.

use calendar::{Instant, NaiveDate};
use database::{Conn, Write};
use rpc::{Call, Fault};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, Statement};
use uuid::Uuid;

use super::{
    chain,
    model::Code,
    rules::Silent,
    store::{self, exception},
};
use crate::{Desk, meter::store::installation};

/// Microseconds of an hour and of a day.
const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;

/// When a meter reported.
#[derive(Clone, Copy, Debug)]
struct Reported {
    installation: Uuid,
    readings: i64,
    first: i64,
    last: i64,
}

/// Whether a meter has not reported for several times its usual distance between readings, and for no less than the hours.
fn is_silent(silent: Silent, seen: Reported, now: i64) -> bool {
    let usual = seen.last.saturating_sub(seen.first).checked_div(seen.readings.saturating_sub(1)).unwrap_or(0);
    seen.readings >= silent.readings && now.saturating_sub(seen.last) > usual.saturating_mul(silent.factor).max(HOUR.saturating_mul(silent.hours))
}

/// Reports the meters that are silent today, each once until it speaks again.
pub async fn run(desk: &Desk) -> Result<(), Fault> {
    let now = desk.clock.now();
    let silent: Vec<Uuid> = reported(desk.db.reader(), desk.thresholds.silent, now)
        .await?
        .into_iter()
        .filter(|seen| is_silent(desk.thresholds.silent, *seen, now.micros()))
        .map(|seen| seen.installation)
        .collect();
    if silent.is_empty() {
        return Ok(());
    }
    let mut write = desk.db.open(&Call::background("billing", "silent-meters")).await?;
    let fresh = findings(&write, silent, now.date()).await?;
    let digest: Vec<u8> = fresh.iter().flat_map(|e| e.id.into_bytes()).collect();
    chain::open(&mut write, fresh).await?;
    write.digest(&digest);
    write.close().await?;
    Ok(())
}

async fn findings(write: &Write, silent: Vec<Uuid>, today: NaiveDate) -> Result<Vec<exception::Model>, Fault> {
    let mut found = vec![];
    for some in silent.chunks(10_000) {
        let rows = installation::Entity::find()
            .filter(installation::Column::Id.is_in(some.iter().copied()))
            .order_by_asc(installation::Column::MeterNo)
            .all(&**write)
            .await?;
        found.extend(rows.iter().map(|i| exception::Model::found(i, &[Code::Silent], today, write.now())));
    }
    store::not_open(write, found).await
}

/// Installed meters that report by themselves, with their readings of the last days; left out are those of which it was told that they are silent, whatever was
/// decided on it, and that have not spoken since.
async fn reported(conn: &Conn, silent: Silent, now: Instant) -> Result<Vec<Reported>, Fault> {
    let sql = "SELECT seen.id, seen.readings, seen.first, seen.last FROM ( \
               SELECT i.id, i.meter_no, count(*) AS readings, min(r.read_at) AS first, max(r.read_at) AS last, max(r.read_date) AS day \
               FROM installation i JOIN reading r ON r.installation_id = i.id AND r.read_at > $1 AND r.source = 'remote' \
               WHERE i.end_date IS NULL AND NOT i.awaits_opening GROUP BY i.id, i.meter_no) seen \
               WHERE NOT EXISTS (SELECT 1 FROM reading_exception e \
               WHERE e.meter_no = seen.meter_no AND e.installation_id = seen.id AND e.codes = 'SILENT' AND e.date > seen.day) ORDER BY seen.meter_no";
    let since = now.micros().saturating_sub(DAY.saturating_mul(silent.days));
    let rows = conn
        .query_all_raw(Statement::from_sql_and_values(conn.get_database_backend(), sql, [since.into()]))
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Reported {
                installation: row.try_get("", "id")?,
                readings: row.try_get("", "readings")?,
                first: row.try_get("", "first")?,
                last: row.try_get("", "last")?,
            })
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn b_06_silent_is_three_times_the_usual_distance_and_at_least_two_days() {
        let silent = Silent {
            factor: 3,
            readings: 3,
            days: 366,
            hours: 48,
        };
        let told = |readings, first, last, now| {
            let seen = Reported {
                installation: Uuid::nil(),
                readings,
                first: first * DAY,
                last: last * DAY,
            };
            is_silent(silent, seen, now * DAY)
        };
        // Every 31 days: silent after 93.
        assert_eq!([told(3, 0, 62, 155), told(3, 0, 62, 156)], [false, true]);
        // Every day: silent after 3 days. Every hour: after 2 days.
        assert_eq!([told(11, 0, 10, 13), told(11, 0, 10, 14)], [false, true]);
        assert_eq!([told(241, 0, 10, 12), told(241, 0, 10, 13)], [false, true]);
        assert!(!told(2, 0, 31, 400), "two readings show no rhythm");
    }
}
