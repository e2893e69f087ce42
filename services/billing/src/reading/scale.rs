//! Meters whose use changed by many times from one year to the next: another unit or multiplier at the source.

use std::collections::{BTreeMap, BTreeSet};

use calendar::NaiveDate;
use chrono::Datelike;
use database::Write;
use rpc::Fault;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, Statement};
use uuid::Uuid;

use super::{
    model::{Code, Decision, ExceptionState, ReadingState, Validated, codes_of, step},
    rules::Scale,
    store::{self, exception, reading},
};
use crate::{meter::store::installation, table};

/// The use of a year.
#[derive(Clone, Copy, Debug)]
struct Year {
    /// Litres.
    volume: i64,
    /// Microseconds.
    time: i64,
}

/// An installation and a year.
type Place = (Uuid, i32);

/// Whether the use in the same time changed by more than the factor, up or down.
fn is_other_scale(scale: Scale, before: Year, now: Year) -> bool {
    let factor = i128::from(scale.factor);
    let (old, new) = (
        i128::from(before.volume).saturating_mul(i128::from(now.time)),
        i128::from(now.volume).saturating_mul(i128::from(before.time)),
    );
    old > 0 && new > 0 && (old > new.saturating_mul(factor) || new > old.saturating_mul(factor))
}

/// Whether a year is of another scale than the last one before it that has use. One without use says nothing: what is missing is shown as 0.
fn changed(scale: Scale, years: &BTreeMap<Place, Year>, (id, year): Place) -> bool {
    let before = (1..=scale.years).find_map(|back| years.get(&(id, year.saturating_sub(back))).filter(|before| before.volume > 0));
    before
        .zip(years.get(&(id, year)))
        .is_some_and(|(before, now)| is_other_scale(scale, *before, *now))
}

/// What is seen of a reading in memory.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    day: NaiveDate,
    /// Whether it tells of the use: nothing that is held or rejected does.
    counts: bool,
    /// Whether it came or changed.
    touched: bool,
}

impl Seen {
    /// A reading, and whether it is to be written.
    pub fn of(row: &reading::Model, touched: bool) -> Self {
        Self {
            day: row.read_date,
            counts: ReadingState::of(&row.state).is_some_and(|state| Validated::of(state, row.value).is_some()),
            touched,
        }
    }
}

/// The years of a chain in which a reading came or changed, as far as they may be complete. `seen` are the readings in the order of time; of the days before the first
/// of them, which are not loaded, each may have one. So a meter that is read by the month costs no look at the database.
pub fn touched(scale: Scale, seen: impl Iterator<Item = Seen>) -> impl Iterator<Item = i32> {
    let (mut first, mut last) = (None, None);
    let mut years: BTreeMap<i32, (usize, bool)> = BTreeMap::new();
    for reading in seen {
        let first: NaiveDate = *first.get_or_insert(reading.day);
        let year = reading.day.year();
        let unknown = if first.year() == year { first.ordinal0() } else { 0 };
        let (days, came) = years.entry(year).or_insert_with(|| (usize::try_from(unknown).unwrap_or(usize::MAX), false));
        *came |= reading.touched;
        if reading.counts && last != Some(reading.day) {
            *days = days.saturating_add(1);
            last = Some(reading.day);
        }
    }
    years
        .into_iter()
        .filter(move |(_, (days, came))| *came && *days >= usize::from(scale.days))
        .map(|(year, _)| year)
}

/// Judges the years in which something came or changed and those that are compared with them: findings that are new, and, saved, those whose cause is gone.
/// So what is found depends on the readings alone, not on the order of their arrival.
pub async fn findings(write: &Write, scale: Scale, touched: &BTreeSet<Place>) -> Result<(Vec<exception::Model>, Vec<exception::Model>), Fault> {
    let (Some(first), Some(last)) = (touched.iter().map(|t| t.1).min(), touched.iter().map(|t| t.1).max()) else {
        return Ok((vec![], vec![]));
    };
    let ids: BTreeSet<Uuid> = touched.iter().map(|(id, _)| *id).collect();
    let ids: Vec<Uuid> = ids.into_iter().collect();
    let years = used(write, scale, &ids, (first.saturating_sub(scale.years), last.saturating_add(scale.years))).await?;
    let judged: BTreeSet<Place> = touched
        .iter()
        .flat_map(|(id, year)| (0..=scale.years).map(|on| (*id, year.saturating_add(on))))
        .collect();
    let known = exception::Entity::find()
        .filter(table::among(write, exception::Column::InstallationId, ids.iter().copied()))
        .filter(exception::Column::Codes.eq(Code::Scale.code()))
        .filter(exception::Column::State.ne(ExceptionState::Resolved.code()))
        .all(&**write)
        .await?;
    let place = |e: &exception::Model| (e.installation_id, e.date.year());
    let gone = known
        .iter()
        .filter(|e| e.is_open() && judged.contains(&place(e)) && !changed(scale, &years, place(e)));
    let gone = resolved(write, gone.cloned().collect()).await?;
    let listed: BTreeSet<Place> = known.iter().map(place).collect();
    let fresh: Vec<Place> = judged.into_iter().filter(|at| changed(scale, &years, *at) && !listed.contains(at)).collect();
    Ok((found(write, &fresh).await?, gone))
}

async fn resolved(write: &Write, mut rows: Vec<exception::Model>) -> Result<Vec<exception::Model>, Fault> {
    for row in &mut rows {
        row.state = step(row.state()?, &codes_of(&row.codes), Decision::Resolve)?.code().to_owned();
        row.version = row.version.saturating_add(1);
        row.decided_at = Some(write.now().micros());
    }
    store::save_exceptions(write, rows.clone()).await?;
    Ok(rows)
}

/// A finding for each year, in the order of the meters.
async fn found(write: &Write, places: &[Place]) -> Result<Vec<exception::Model>, Fault> {
    if places.is_empty() {
        return Ok(vec![]);
    }
    let among = table::among(write, installation::Column::Id, places.iter().map(|(id, _)| *id));
    let installs = installation::Entity::find().filter(among).all(&**write).await?;
    let mut found: Vec<exception::Model> = places
        .iter()
        .filter_map(|(id, year)| {
            let install = installs.iter().find(|i| i.id == *id)?;
            let day = NaiveDate::from_ymd_opt(*year, 1, 1)?;
            Some(exception::Model::found(install, &[Code::Scale], day, write.now()))
        })
        .collect();
    found.sort_by(|a, b| (&a.meter_no, a.date).cmp(&(&b.meter_no, b.date)));
    Ok(found)
}

/// The use of meters in their complete years. A year in which a register passed zero is left out: its indexes do not tell what was used.
async fn used(write: &Write, scale: Scale, ids: &[Uuid], (first, last): (i32, i32)) -> Result<BTreeMap<Place, Year>, Fault> {
    let (Some(from), Some(until)) = (NaiveDate::from_ymd_opt(first, 1, 1), NaiveDate::from_ymd_opt(last, 12, 31)) else {
        return Ok(BTreeMap::new());
    };
    let (among, ids) = table::among_sql(write, 3, ids);
    let sql = format!(
        "SELECT installation_id, substr(CAST(read_date AS text), 1, 4) AS of_year, min(value) AS low, max(value) AS high, min(read_at) AS first, max(read_at) AS last \
         FROM reading WHERE installation_id {among} AND read_date >= $1 AND read_date <= $2 AND (state = 'VALIDATED' OR state = 'ACCEPTED' OR state = 'BILLED') \
         GROUP BY installation_id, substr(CAST(read_date AS text), 1, 4) \
         HAVING count(DISTINCT read_date) >= $4 AND sum(CASE WHEN rollover THEN 1 ELSE 0 END) = 0"
    );
    let values = [from.into(), until.into(), ids, i64::from(scale.days).into()];
    let rows = write
        .query_all_raw(Statement::from_sql_and_values(write.get_database_backend(), sql, values))
        .await?;
    let mut years = BTreeMap::new();
    for row in rows {
        let number = |name: &str| row.try_get::<i64>("", name);
        let Ok(year) = row.try_get::<String>("", "of_year")?.parse() else { continue };
        let used = Year {
            volume: number("high")?.saturating_sub(number("low")?),
            time: number("last")?.saturating_sub(number("first")?),
        };
        years.insert((row.try_get("", "installation_id")?, year), used);
    }
    Ok(years)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use chrono::Days;

    use super::*;

    const SCALE: Scale = Scale {
        factor: 10,
        years: 3,
        days: 300,
    };

    fn year(volume: i64, time: i64) -> Year {
        Year { volume, time }
    }

    fn seen(day: NaiveDate, touched: bool) -> Seen {
        Seen { day, counts: true, touched }
    }

    /// Readings of every so many days from a day on, the last of which came now.
    fn years_of(from: &str, step: u64, count: u64) -> Vec<i32> {
        let from: NaiveDate = from.parse().unwrap();
        touched(SCALE, (0..count).map(|n| seen(from + Days::new(n * step), n + 1 == count))).collect()
    }

    #[test]
    fn b_06_more_than_ten_times_up_or_down_a_day() {
        assert!(!is_other_scale(SCALE, year(1000, 365), year(100, 365)));
        assert!(is_other_scale(SCALE, year(1001, 365), year(100, 365)));
        assert!(is_other_scale(SCALE, year(100, 365), year(1001, 365)));
        assert!(!is_other_scale(SCALE, year(1000, 365), year(60, 200)), "of fewer days");
        assert!(!is_other_scale(SCALE, year(1000, 365), year(0, 365)), "no use is another matter");
    }

    #[test]
    fn b_06_a_year_is_compared_with_the_last_one_before_it_that_has_use() {
        let id = Uuid::nil();
        let of = |volumes: &[(i32, i64)]| volumes.iter().map(|(y, v)| ((id, *y), year(*v, 365))).collect::<BTreeMap<_, _>>();
        assert!(changed(SCALE, &of(&[(2016, 1001), (2018, 100)]), (id, 2018)), "2017 is not there");
        assert!(
            changed(SCALE, &of(&[(2016, 1001), (2017, 0), (2018, 100)]), (id, 2018)),
            "what is missing is shown as 0"
        );
        assert!(!changed(SCALE, &of(&[(2016, 1001), (2017, 999), (2018, 100)]), (id, 2018)));
        assert!(changed(SCALE, &of(&[(2015, 1001), (2018, 100)]), (id, 2018)));
        assert!(!changed(SCALE, &of(&[(2014, 1001), (2018, 100)]), (id, 2018)), "more than three years ago");
        assert!(!changed(SCALE, &of(&[(2016, 1001)]), (id, 2018)));
    }

    #[test]
    fn years_are_looked_at_when_they_may_be_complete_whatever_comes_last() {
        assert_eq!(years_of("2019-01-01", 1, 299), [0; 0]);
        assert_eq!(years_of("2019-01-01", 1, 300), [2019]);
        assert_eq!(years_of("2019-01-01", 1, 365 + 30), [0; 0], "2019 is complete, but what came is of 2020");
        assert_eq!(years_of("2018-01-15", 30, 13), [0; 0], "a meter that is read by the month");
        // Since 28 July 2019 readings are loaded: the 208 days before it may have some, 92 of the 157 days since then have.
        assert_eq!(years_of("2019-07-28", 1, 92), [2019]);
        assert_eq!(years_of("2019-07-28", 1, 91), [0; 0]);
        let held = Seen {
            counts: false,
            ..seen("2019-12-31".parse().unwrap(), true)
        };
        let days = (0..299).map(|n| seen(NaiveDate::from_ymd_opt(2019, 1, 1).unwrap() + Days::new(n), true));
        assert_eq!(touched(SCALE, days.chain([held])).count(), 0, "what is held tells of no use");
    }
}
