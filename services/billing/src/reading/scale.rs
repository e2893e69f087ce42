//! Meters whose use changed by more than ten times from one year to the next: another unit or multiplier at the source.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use calendar::NaiveDate;
use chrono::Datelike;
use database::Write;
use rpc::Fault;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, Statement};
use uuid::Uuid;

use super::{model::Code, store::exception};
use crate::meter::store::installation;

/// Times by which the use a day may change.
const FACTOR: i128 = 10;
/// Readings of a year below which a meter does not report day by day.
const DAILY: i64 = 300;
/// Years that are looked back for one with readings.
const BACK: i32 = 3;

/// The use of a year.
#[derive(Clone, Copy, Debug)]
struct Year {
    /// Litres.
    volume: i64,
    /// Microseconds.
    time: i64,
}

/// Whether the use in the same time changed by more than the factor, up or down.
fn is_other_scale(before: Year, now: Year) -> bool {
    let (old, new) = (
        i128::from(before.volume).saturating_mul(i128::from(now.time)),
        i128::from(now.volume).saturating_mul(i128::from(before.time)),
    );
    old > 0 && new > 0 && (old > new.saturating_mul(FACTOR) || new > old.saturating_mul(FACTOR))
}

/// The years that readings complete: of the last days of December, and the one before the first days of January.
pub fn completed(arrived: &[(Uuid, NaiveDate)]) -> BTreeMap<i32, BTreeSet<Uuid>> {
    let mut years: BTreeMap<i32, BTreeSet<Uuid>> = BTreeMap::new();
    for (install, day) in arrived {
        let year = match (day.month(), day.day()) {
            (12, 28..) => day.year(),
            (1, ..=3) => day.year().saturating_sub(1),
            _ => continue,
        };
        years.entry(year).or_default().insert(*install);
    }
    years
}

/// Findings about the years that readings have completed, each once.
pub async fn findings(write: &Write, arrived: &[(Uuid, NaiveDate)]) -> Result<Vec<exception::Model>, Fault> {
    let mut changed: Vec<(Uuid, NaiveDate)> = vec![];
    for (year, installs) in completed(arrived) {
        let installs: Vec<Uuid> = installs.into_iter().collect();
        let own = used(write, year, &installs).await?;
        let mut left: Vec<Uuid> = own.keys().copied().collect();
        for back in 1..=BACK {
            if left.is_empty() {
                break;
            }
            let before = used(write, year.saturating_sub(back), &left).await?;
            left.retain(|id| !before.contains_key(id));
            let other = before
                .iter()
                .filter(|(id, before)| own.get(*id).is_some_and(|now| is_other_scale(**before, *now)));
            changed.extend(other.filter_map(|(id, _)| Some((*id, NaiveDate::from_ymd_opt(year, 1, 1)?))));
        }
    }
    if changed.is_empty() {
        return Ok(vec![]);
    }
    let ids: BTreeSet<Uuid> = changed.iter().map(|(id, _)| *id).collect();
    let known = exception::Entity::find()
        .filter(exception::Column::InstallationId.is_in(ids.iter().copied()))
        .filter(exception::Column::Codes.eq(Code::Scale.code()))
        .all(&**write)
        .await?;
    let installs = installation::Entity::find().filter(installation::Column::Id.is_in(ids)).all(&**write).await?;
    let fresh = changed
        .iter()
        .filter(|(id, day)| !known.iter().any(|e| e.installation_id == *id && e.date == *day));
    let found = fresh.filter_map(|(id, day)| {
        let install = installs.iter().find(|i| i.id == *id)?;
        Some(exception::Model::found(install, &[Code::Scale], *day, write.now()))
    });
    Ok(found.collect())
}

/// The use of meters in a year, of those that reported day by day.
async fn used(write: &Write, year: i32, installs: &[Uuid]) -> Result<HashMap<Uuid, Year>, Fault> {
    let (Some(first), Some(last)) = (NaiveDate::from_ymd_opt(year, 1, 1), NaiveDate::from_ymd_opt(year, 12, 31)) else {
        return Ok(HashMap::new());
    };
    let places: Vec<String> = (3..).take(installs.len()).map(|n| format!("${n}")).collect();
    let sql = format!(
        "SELECT installation_id, count(*) AS readings, min(value) AS low, max(value) AS high, min(read_at) AS first, max(read_at) AS last FROM reading \
         WHERE installation_id IN ({}) AND read_date >= $1 AND read_date <= $2 AND (state = 'VALIDATED' OR state = 'ACCEPTED' OR state = 'BILLED') \
         GROUP BY installation_id",
        places.join(", ")
    );
    let values = [first.into(), last.into()].into_iter().chain(installs.iter().map(|id| (*id).into()));
    let rows = write
        .query_all_raw(Statement::from_sql_and_values(write.get_database_backend(), sql, values))
        .await?;
    let mut years = HashMap::new();
    for row in rows {
        let number = |name: &str| row.try_get::<i64>("", name);
        if number("readings")? >= DAILY {
            let year = Year {
                volume: number("high")?.saturating_sub(number("low")?),
                time: number("last")?.saturating_sub(number("first")?),
            };
            years.insert(row.try_get("", "installation_id")?, year);
        }
    }
    Ok(years)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn b_06_more_than_ten_times_up_or_down_a_day() {
        let year = |volume, time| Year { volume, time };
        assert!(!is_other_scale(year(1000, 365), year(100, 365)));
        assert!(is_other_scale(year(1001, 365), year(100, 365)));
        assert!(is_other_scale(year(100, 365), year(1001, 365)));
        assert!(!is_other_scale(year(1000, 365), year(60, 200)), "of fewer days");
        assert!(!is_other_scale(year(1000, 365), year(0, 365)), "no use is another matter");
    }

    #[test]
    fn years_are_looked_at_when_they_are_complete() {
        let id = Uuid::nil();
        let day = |text: &str| (id, text.parse().unwrap());
        let years: Vec<i32> = completed(&[day("2018-12-31"), day("2019-06-30"), day("2020-01-02"), day("2021-12-27")])
            .into_keys()
            .collect();
        assert_eq!(years, [2018, 2019]);
    }
}
