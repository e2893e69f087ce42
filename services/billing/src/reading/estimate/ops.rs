//! Estimates of meters that were not read.

use std::{collections::HashMap, sync::Arc};

use calendar::{Instant, NaiveDate};
use chrono::Datelike;
use contracts::hearth::billing::v1::{EstimateOutcome, EstimateReadingsRequest, EstimateReadingsResponse};
use database::{Begun, Scope, Write};
use rpc::{Call, Fault, wire};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::{
    model::{Anchor, Basis, Finding, Like, ORDER, Task, proves},
    store::like_users,
};
use crate::{
    Desk, Refusal,
    meter::{
        model::MeterKind,
        store::{self as meters, installation, meter},
    },
    profile::{model::Book, store::book},
    reading::{
        chain::{self, Chains, new_reading},
        model::{Cause, Code, Method, ReadingState, Source, codes_of, join},
        rules::{Rules, Start},
        store::{self, exception, reading},
    },
    route::{self, store::task},
    supply::store::{self as supplies, supply, term},
};

/// Like users by branch, class and first day, so that each is asked once.
type Known = HashMap<(String, String, NaiveDate), Like>;

/// EstimateReadings (E2-03, E2-04).
pub async fn estimate(desk: Desk, call: Call, request: EstimateReadingsRequest) -> Result<EstimateReadingsResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let on = wire::date_of(request.on_date.as_ref(), "on_date")?;
    let cause = Cause::of_number(request.cause).ok_or_else(|| Fault::internal("a cause without a word"))?;
    if on > write.now().date() {
        return Err(Fault::from(Refusal::FutureReading).field("on_date"));
    }
    let numbers: Vec<&str> = request.meter_nos.iter().map(String::as_str).collect();
    let found = meters::lock(&write, &Scope::of(&call), &numbers).await?;
    let by_number: HashMap<String, meter::Model> = found.iter().map(|m| (m.meter_no.clone(), m.clone())).collect();
    let mut chains = Chains::load(&write, &desk.thresholds, found, Basis::reach(on)).await?;
    let agreements: Vec<Uuid> = by_number
        .values()
        .filter_map(|m| chains.installation(m.id, on))
        .map(|i| i.agreement_id)
        .collect();
    let places = Places {
        rules: Arc::clone(&desk.thresholds),
        profiles: book(&write).await?,
        supplies: supply::Entity::find()
            .filter(supply::Column::Id.is_in(agreements.iter().copied()))
            .all(&*write)
            .await?,
        terms: supplies::terms(&write, &agreements).await?,
    };
    let asked = Asked {
        on,
        cause,
        tasks: route::store::of_month(&write, &agreements, on).await?,
        findings: store::of_faults(&write, &numbers).await?,
    };
    let mut known = Known::new();
    let mut outcomes = vec![];
    let mut appointments = vec![];
    for number in &request.meter_nos {
        let made = match by_number.get(number) {
            Some(meter) => one(&write, &desk, &places, &mut known, &chains, meter, &asked).await?,
            None => Err(Refusal::MeterUnknown),
        };
        outcomes.push(match made {
            Ok(row) => {
                let id = row.id;
                chains.add(row);
                (number, Ok(id))
            }
            Err(refusal) => {
                if refusal == Refusal::EstimateNotAllowed
                    && let Some(install) = by_number.get(number).and_then(|m| chains.installation(m.id, on))
                {
                    appointments.push(exception::Model::found(install, &[Code::Estimates], on, write.now()));
                }
                (number, Err(refusal))
            }
        });
    }
    let settled = chains.settle(&mut write, &desk.thresholds).await?;
    let fresh = store::not_open(&write, appointments).await?;
    chain::open(&mut write, fresh).await?;
    let mut answer = EstimateReadingsResponse::default();
    for (number, made) in outcomes {
        let (reading, reason) = match made {
            Ok(id) => (settled.readings.get(&id).map(store::message).transpose()?, ""),
            Err(refusal) => (None, refusal.reason()),
        };
        answer.outcomes.push(EstimateOutcome {
            meter_no: number.clone(),
            reading,
            reason: reason.to_owned(),
        });
    }
    write.subject(format!("estimates:{}", settled.readings.len()));
    write.commit(answer).await
}

/// What is asked for, and what was recorded that may support it.
struct Asked {
    on: NaiveDate,
    cause: Cause,
    /// Of the month, of the agreements.
    tasks: Vec<task::Model>,
    findings: Vec<exception::Model>,
}

impl Asked {
    /// Whether what was recorded about an installation supports the cause.
    fn is_proven(&self, install: &installation::Model) -> Result<Result<(), Refusal>, Fault> {
        let of_agreement = self.tasks.iter().filter(|t| t.agreement_id == install.agreement_id);
        let task = |t: &task::Model| {
            Ok(Task {
                own: t.installation_id == install.id,
                state: t.state()?,
            })
        };
        let tasks = of_agreement.map(task).collect::<Result<Vec<_>, Fault>>()?;
        let own = self.findings.iter().filter(|e| e.installation_id == install.id);
        let findings: Vec<Finding> = own
            .map(|e| Finding {
                codes: codes_of(&e.codes),
                open: e.is_open(),
                date: e.date,
            })
            .collect();
        Ok(proves(self.cause, self.on, &tasks, &findings))
    }
}

struct Places {
    rules: Arc<Rules>,
    profiles: Book,
    supplies: Vec<supply::Model>,
    terms: Vec<term::Model>,
}

/// The estimate of one meter, or why there is none.
async fn one(
    write: &Write,
    desk: &Desk,
    places: &Places,
    known: &mut Known,
    chains: &Chains,
    meter: &meter::Model,
    asked: &Asked,
) -> Result<Result<reading::Model, Refusal>, Fault> {
    let on = asked.on;
    let Some(install) = chains.installation(meter.id, on) else {
        return Ok(Err(Refusal::MeterNotInstalled));
    };
    let month = |day: NaiveDate| (day.year(), day.month());
    let is_live = |r: &reading::Model| ReadingState::of(&r.state).is_some_and(ReadingState::is_live);
    if chains
        .of(install.id)
        .any(|r| is_live(r) && (month(r.read_date) == month(on) || r.read_date > on))
    {
        return Ok(Err(Refusal::ReadAlready));
    }
    if let Err(refusal) = asked.is_proven(install)? {
        return Ok(Err(refusal));
    }
    let usable = usable(chains, install);
    let class = places.class(install, on);
    let in_a_row = usable.iter().rev().take_while(|r| r.is_estimate()).count();
    if in_a_row >= usize::try_from(desk.thresholds.estimates.allowed(&class)).unwrap_or(usize::MAX) {
        return Ok(Err(Refusal::EstimateNotAllowed));
    }
    let start = chains.start(install);
    let made = make(write, places, known, install, start, meter, &usable, &class, Instant::end_of(on)).await?;
    Ok(made.map(|row| because(row, asked.cause)))
}

/// An estimate with its cause.
fn because(row: reading::Model, cause: Cause) -> reading::Model {
    reading::Model {
        cause: Some(cause.code().to_owned()),
        ..row
    }
}

impl Places {
    fn class(&self, install: &installation::Model, on: NaiveDate) -> String {
        let Some(supply) = self.supplies.iter().find(|s| s.id == install.agreement_id) else {
            return String::new();
        };
        let own = supplies::terms_of(supply, self.terms.iter().filter(|t| t.agreement_id == supply.id));
        own.class(on).unwrap_or_default().to_owned()
    }
}

/// Usable readings of an installation, oldest first.
fn usable<'a>(chains: &'a Chains, install: &installation::Model) -> Vec<&'a reading::Model> {
    let counts = |r: &&reading::Model| ReadingState::of(&r.state).is_some_and(ReadingState::is_billable) || r.state == ReadingState::Billed.code();
    chains.of(install.id).filter(counts).collect()
}

#[allow(clippy::too_many_arguments, reason = "an estimate rests on these")]
async fn make(
    write: &Write,
    places: &Places,
    known: &mut Known,
    install: &installation::Model,
    start: Option<Start>,
    meter: &meter::Model,
    usable: &[&reading::Model],
    class: &str,
    at: Instant,
) -> Result<Result<reading::Model, Refusal>, Fault> {
    let (on, register) = (at.date(), meter.register());
    let begin = start.map(|s| Anchor { date: s.date, value: s.value });
    // Indexes count on where the register passed zero.
    let mut actual: Vec<Anchor> = begin.into_iter().collect();
    let mut ids: Vec<Option<Uuid>> = vec![None; actual.len()];
    let mut from = begin;
    let mut passed = 0_i64;
    for row in usable {
        if row.rollover {
            passed = passed.saturating_add(register.capacity());
        }
        let here = Anchor {
            date: row.read_date,
            value: row.value.saturating_add(passed),
        };
        if !row.is_estimate() {
            actual.push(here);
            ids.push(Some(row.id));
        }
        from = Some(here);
    }
    let Some(from) = from else { return Ok(Err(Refusal::NoBasis)) };
    let profile = places.profiles.on(&install.branch, on).estimation_order();
    let order = if profile.is_empty() { &ORDER[..] } else { &profile };
    // Others are asked only where the own readings do not tell.
    let own = order.iter().take_while(|method| **method != Method::LikeUsers).count();
    let (own, others) = order.split_at(own);
    let mut basis = Basis {
        season_days: places.rules.limits(meter.metered()?.class).season_days,
        actual,
        from,
        on,
        like: Like::default(),
    };
    let mut guess = basis.guess(own);
    if guess.is_none() && !others.is_empty() {
        let key = (install.branch.clone(), class.to_owned(), from.date);
        basis.like = match known.get(&key) {
            Some(like) => *like,
            None => {
                let like = like_users(write, &install.branch, class, from.date, on).await?;
                known.insert(key, like);
                like
            }
        };
        guess = basis.guess(others);
    }
    let Some(guess) = guess else { return Ok(Err(Refusal::NoBasis)) };
    let unit = if meter.kind()? == MeterKind::Mechanical {
        register.multiplier.saturating_mul(1000)
    } else {
        1
    };
    let whole = guess
        .volume
        .checked_add(unit / 2)
        .and_then(|v| v.checked_div(unit))
        .unwrap_or(0)
        .saturating_mul(unit);
    let index = from.value.saturating_add(whole).checked_rem(register.capacity()).unwrap_or(from.value);
    let mut lineage: Vec<Uuid> = guess.rests_on.iter().filter_map(|place| ids.get(*place).copied().flatten()).collect();
    lineage.extend(usable.last().map(|row| row.id));
    lineage.dedup();
    Ok(Ok(reading::Model {
        method: Some(guess.method.code().to_owned()),
        lineage: lineage.iter().map(Uuid::to_string).collect::<Vec<_>>().join(" "),
        ..new_reading(write, meter, install, at, index, "", Source::Estimate.code(), ReadingState::Validated)
    }))
}

/// The last index of a meter that is gone without a reading: estimated, and held until a second person decides (edge 7).
pub async fn file_final(
    write: &mut Write,
    desk: &Desk,
    meter: &meter::Model,
    install: &installation::Model,
    supply: &supply::Model,
    at: Instant,
) -> Result<(), Fault> {
    let chains = Chains::load(write, &desk.thresholds, vec![meter.clone()], Basis::reach(at.date())).await?;
    let places = Places {
        rules: Arc::clone(&desk.thresholds),
        profiles: book(write).await?,
        supplies: vec![supply.clone()],
        terms: supplies::terms(write, &[supply.id]).await?,
    };
    let class = places.class(install, at.date());
    // What was estimated of its last day before waits for nobody: it gives way, except to a bill.
    let gives_way = |r: &&reading::Model| r.is_estimate() && r.read_date == at.date() && r.state != ReadingState::Billed.code();
    let (gone, usable): (Vec<_>, Vec<_>) = usable(&chains, install).into_iter().partition(gives_way);
    let start = chains.start(install);
    let row = make(write, &places, &mut Known::new(), install, start, meter, &usable, &class, at).await??;
    let found = exception::Model {
        recorded_by: row.recorded_by.clone(),
        ..exception::Model::found(install, &[Code::FinalEstimated], at.date(), write.now())
    };
    let row = reading::Model {
        state: ReadingState::Held.code().to_owned(),
        codes: join(&[Code::FinalEstimated]),
        exception_id: Some(found.id),
        ..because(row, Cause::MeterFault)
    };
    store::save_exceptions(write, vec![found.clone()]).await?;
    let replaced = gone.into_iter().map(|r| reading::Model {
        state: ReadingState::Replaced.code().to_owned(),
        replaced_by: Some(row.id),
        ..r.clone()
    });
    store::save(write, replaced.chain([row.clone()]).collect()).await?;
    chain::announce(write, &[found]).await
}
