use std::collections::{BTreeMap, BTreeSet};

use calendar::{Calendar, CalendarMissing, Counted, Instant, NaiveDate, SlaClock};
use contracts::hearth::hall::v1 as proto;
use database::{Conn, Database, Scope, Scoped, Write, find};
use rpc::{Fault, page::Page, wire};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::{
    model::{self, Clock, DEFAULTS, IN_SEASON, REMOTE, Unit},
    season,
};
use crate::{
    codes::Code,
    escalation, fields,
    rows::{Packed, columns, table},
};

columns!(Clock, Unit);

table! {
    policy "sla_policy" {
        subject: String,
        clock: Clock,
        unit: Unit,
        amount: i32,
        pausable: bool,
        effective_on: NaiveDate,
        source: String,
        season_days: i32,
        remote: bool,
    }
}
table! {
    versioned deadline "deadline" {
        owner_id: Uuid,
        branch: String,
        subject: String,
        clock: Clock,
        policy_id: Uuid,
        pausable: bool,
        due_at: i64,
        live: bool,
        breached: bool,
        ended_at: Option<i64>,
        sla: Packed<SlaClock>,
        figure_month: Option<NaiveDate>,
    }
}

pub use deadline::Model as Deadline;
pub use policy::Model as Policy;

impl Scoped for deadline::Entity {
    const BRANCH: Option<Self::Column> = Some(deadline::Column::Branch);
}

/// A day outside the table of days.
pub fn missing(error: CalendarMissing) -> Fault {
    Fault::precondition(CalendarMissing::REASON, "the calendar does not know a day that is needed").meta("date", error.date)
}

/// Files the promises that ship; those that are there stay as they are.
pub async fn seed(db: &Database) -> Result<(), Fault> {
    let rows = DEFAULTS
        .iter()
        .map(|promise| (promise, 0, false, ""))
        .chain(IN_SEASON.iter().map(|(promise, days)| (promise, *days, false, " in season")))
        .chain(REMOTE.iter().map(|promise| (promise, 0, true, " remote")));
    let rows = rows.map(|((subject, clock, unit, amount, pausable, source), season_days, remote, variant)| {
        let id = rpc::derived_request_id(format!("{subject}{variant}"), clock.code());
        Policy {
            id: Uuid::try_parse(&id).unwrap_or_default(),
            subject: (*subject).to_owned(),
            clock: *clock,
            unit: *unit,
            amount: *amount,
            pausable: *pausable,
            effective_on: NaiveDate::default(),
            source: (*source).to_owned(),
            season_days,
            remote,
        }
        .into_active_model()
        .reset_all()
    });
    policy::Entity::insert_many(rows)
        .on_conflict_do_nothing()
        .exec_without_returning(db.writer())
        .await?;
    Ok(())
}

/// The promises for a subject on a day: of each clock the newest version, and the newest of those for the first days of a season and for places outside
/// the city.
pub async fn in_force(conn: &Conn, subject: &str, day: NaiveDate) -> Result<Vec<Policy>, Fault> {
    let select = policy::Entity::find()
        .filter(policy::Column::Subject.eq(subject))
        .filter(policy::Column::EffectiveOn.lte(day));
    let mut found: Vec<Policy> = select.order_by_desc(policy::Column::EffectiveOn).all(conn).await?;
    let mut seen = vec![];
    found.retain(|policy| {
        let what = (policy.clock, policy.season_days > 0, policy.remote);
        let first = !seen.contains(&what);
        seen.push(what);
        first
    });
    Ok(found)
}

/// Where it is that something is promised for.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    pub branch: &'a str,
    /// Whether it lies outside the city (偏远地区).
    pub remote: bool,
}

/// Which of the promises holds for a clock that starts at an instant: outside the city that for such places goes before the one that holds everywhere,
/// and of either that of the first days of a season of the branch before the other.
async fn promised<'a>(conn: &Conn, policies: &'a [Policy], place: Place<'_>, clock: Clock, from: Instant) -> Result<Option<&'a Policy>, Fault> {
    let of_clock = |remote: bool| policies.iter().filter(move |policy| policy.clock == clock && policy.remote == remote);
    let outside = place.remote && of_clock(true).next().is_some();
    if let Some(early) = of_clock(outside).find(|policy| policy.season_days > 0)
        && season::has_just_begun(conn, place.branch, from.date(), early.season_days).await?
    {
        return Ok(Some(early));
    }
    let of_all_days = |remote: bool| of_clock(remote).find(|policy| policy.season_days == 0);
    Ok(of_all_days(outside).or_else(|| of_all_days(false)))
}

pub async fn policy(conn: &Conn, id: Uuid) -> Result<Policy, Fault> {
    policy::Entity::find_by_id(id)
        .one(conn)
        .await?
        .ok_or_else(|| Fault::internal("a clock without a policy"))
}

pub async fn policies(conn: &Conn, subject: &str, page: &Page) -> Result<Vec<Policy>, Fault> {
    let mut select = policy::Entity::find().order_by_asc(policy::Column::Id).limit(page.limit());
    if let Some(after) = page.after {
        select = select.filter(policy::Column::Id.gt(after));
    }
    if !subject.is_empty() {
        select = select.filter(policy::Column::Subject.eq(subject));
    }
    Ok(select.all(conn).await?)
}

/// Starts the clocks of a subject for a case or an order; each from its own start.
pub async fn start(write: &Write, owner: Uuid, place: Place<'_>, subject: &str, from: impl Fn(Clock) -> Instant) -> Result<(), Fault> {
    let policies = in_force(write, subject, write.now().date()).await?;
    for clock in Clock::ALL {
        if let Some(policy) = promised(write, &policies, place, *clock, from(*clock)).await? {
            begin(write, owner, place.branch, policy, from(*clock)).await?;
        }
    }
    Ok(())
}

async fn begin(write: &Write, owner: Uuid, branch: &str, policy: &Policy, from: Instant) -> Result<(), Fault> {
    let mut sla = SlaClock::start(Calendar::china(), model::rule(policy.unit, policy.amount), from).map_err(missing)?;
    sla.observe(write.now());
    let row = Deadline {
        id: Uuid::now_v7(),
        owner_id: owner,
        branch: branch.to_owned(),
        subject: policy.subject.clone(),
        clock: policy.clock,
        policy_id: policy.id,
        pausable: policy.pausable,
        due_at: model::due_for_sweep(&sla).micros(),
        live: true,
        breached: !sla.breaches().is_empty(),
        ended_at: None,
        sla: Packed(sla),
        figure_month: None,
        version: 1,
    };
    row.clone().insert(write).await?;
    if row.breached { escalation::raise(write, &row).await } else { Ok(()) }
}

/// The clocks of an owner that are neither met nor ended, held until the write has ended.
async fn live(write: &Write, owner: Uuid) -> Result<Vec<Deadline>, Fault> {
    let select = deadline::Entity::find()
        .filter(deadline::Column::OwnerId.eq(owner))
        .filter(deadline::Column::Live.eq(true));
    Ok(select.order_by_asc(deadline::Column::Id).lock_exclusive().all(&**write).await?)
}

/// Meets clocks of an owner; those that are met already, or that it does not have, stay as they are.
pub async fn meet(write: &Write, owner: Uuid, clocks: &[Clock]) -> Result<(), Fault> {
    for mut row in live(write, owner).await? {
        if clocks.contains(&row.clock) {
            model::settle(&mut row.sla.0, Calendar::china(), write.now()).map_err(missing)?;
            row.sla.0.meet(Calendar::china(), write.now()).map_err(Fault::internal)?;
            row.live = false;
            row.keep(write).await?;
        }
    }
    Ok(())
}

/// Ends the clocks of an owner that is given up; what they came to stays.
pub async fn end(write: &Write, owner: Uuid) -> Result<(), Fault> {
    for mut row in live(write, owner).await? {
        row.stop(write).await?;
    }
    Ok(())
}

/// Puts those among `clocks` of an owner under another subject, and begins what it promises besides; other ones end. A breach is never lost.
pub async fn recategorise(write: &Write, owner: Uuid, place: Place<'_>, subject: &str, received: Instant, clocks: &[Clock]) -> Result<(), Fault> {
    let policies = in_force(write, subject, write.now().date()).await?;
    let mut running = vec![];
    let calendar = Calendar::china();
    for mut row in live(write, owner).await? {
        running.push(row.clock);
        let policy = promised(write, &policies, place, row.clock, received).await?;
        let Some(policy) = policy.filter(|_| clocks.contains(&row.clock)) else {
            row.stop(write).await?;
            continue;
        };
        model::settle(&mut row.sla.0, calendar, write.now()).map_err(missing)?;
        row.sla
            .0
            .recategorise(calendar, write.now(), model::rule(policy.unit, policy.amount), calendar::Basis::FirstStart)
            .map_err(Fault::internal)?;
        (row.subject, row.policy_id, row.pausable) = (policy.subject.clone(), policy.id, policy.pausable);
        row.keep(write).await?;
    }
    // A clock that was met keeps its outcome: the new promise for it does not start again.
    let met = deadline::Entity::find()
        .filter(deadline::Column::OwnerId.eq(owner))
        .filter(deadline::Column::Live.eq(false))
        .filter(deadline::Column::EndedAt.is_null());
    let met = met.all(&**write).await?;
    running.extend(met.iter().map(|row| row.clock));
    for clock in clocks.iter().filter(|clock| !running.contains(clock)) {
        if let Some(policy) = promised(write, &policies, place, *clock, received).await? {
            begin(write, owner, place.branch, policy, received).await?;
        }
    }
    Ok(())
}

/// When a clock of an owner is due; nothing where it does not have it.
pub async fn due_of(conn: &Conn, owner: Uuid, clock: Clock) -> Result<Option<Instant>, Fault> {
    let select = deadline::Entity::find()
        .filter(deadline::Column::OwnerId.eq(owner))
        .filter(deadline::Column::Clock.eq(clock))
        .order_by_desc(deadline::Column::Id);
    Ok(select.one(conn).await?.map(|row| row.sla.0.due().at))
}

/// The clocks of an owner whose promise was broken, each once.
pub async fn broken(conn: &Conn, owner: Uuid) -> Result<Vec<Clock>, Fault> {
    let select = deadline::Entity::find()
        .filter(deadline::Column::OwnerId.eq(owner))
        .filter(deadline::Column::Breached.eq(true));
    let clocks: BTreeSet<Clock> = select.all(conn).await?.into_iter().map(|row| row.clock).collect();
    Ok(clocks.into_iter().collect())
}

/// A clock that the caller may see.
pub async fn get(conn: &Conn, scope: &Scope, id: Uuid) -> Result<Deadline, Fault> {
    find::<deadline::Entity>(scope)
        .filter(deadline::Column::Id.eq(id))
        .one(conn)
        .await?
        .ok_or_else(|| Fault::not_found("deadline", id))
}

/// The same, held until the write has ended.
pub async fn lock(conn: &Conn, scope: &Scope, id: Uuid) -> Result<Deadline, Fault> {
    let select = find::<deadline::Entity>(scope).filter(deadline::Column::Id.eq(id)).lock_exclusive();
    select.one(conn).await?.ok_or_else(|| Fault::not_found("deadline", id))
}

pub async fn list(conn: &Conn, scope: &Scope, page: &Page, owner: Option<Uuid>, breached_before: Option<Instant>) -> Result<Vec<Deadline>, Fault> {
    let mut select = find::<deadline::Entity>(scope).order_by_asc(deadline::Column::Id).limit(page.limit());
    if let Some(after) = page.after {
        select = select.filter(deadline::Column::Id.gt(after));
    }
    if let Some(owner) = owner {
        select = select.filter(deadline::Column::OwnerId.eq(owner));
    }
    if let Some(now) = breached_before {
        // Those that the sweep has not seen yet are found by their due time; a paused one is told apart when it is shown.
        let late = sea_orm::Condition::all()
            .add(deadline::Column::Live.eq(true))
            .add(deadline::Column::DueAt.lt(now.micros()));
        select = select.filter(sea_orm::Condition::any().add(deadline::Column::Breached.eq(true)).add(late));
    }
    Ok(select.all(conn).await?)
}

/// Clocks that run, are past due, and are not known to be.
pub async fn late(conn: &Conn, now: Instant, limit: u64) -> Result<Vec<Deadline>, Fault> {
    let select = deadline::Entity::find()
        .filter(deadline::Column::Live.eq(true))
        .filter(deadline::Column::Breached.eq(false))
        .filter(deadline::Column::DueAt.lt(now.micros()));
    Ok(select.order_by_asc(deadline::Column::DueAt).limit(limit).all(conn).await?)
}

/// Clocks whose promise was kept or broken and that stand in no figures yet.
fn decided_uncounted() -> sea_orm::Condition {
    let met = sea_orm::Condition::all()
        .add(deadline::Column::Live.eq(false))
        .add(deadline::Column::EndedAt.is_null());
    sea_orm::Condition::all()
        .add(deadline::Column::FigureMonth.is_null())
        .add(sea_orm::Condition::any().add(deadline::Column::Breached.eq(true)).add(met))
}

/// Whether there is one.
pub async fn has_uncounted(conn: &Conn) -> Result<bool, Fault> {
    Ok(deadline::Entity::find().filter(decided_uncounted()).one(conn).await?.is_some())
}

/// All of them, held until the write has ended.
pub async fn uncounted(write: &Write) -> Result<Vec<Deadline>, Fault> {
    let select = deadline::Entity::find().filter(decided_uncounted()).order_by_asc(deadline::Column::Id);
    Ok(select.lock_exclusive().all(&**write).await?)
}

/// Notes in which month's figures clocks stand; what callers see of them stays as it is.
pub async fn count(write: &Write, ids: &[Uuid], month: NaiveDate) -> Result<(), Fault> {
    for chunk in ids.chunks(500) {
        deadline::Entity::update_many()
            .col_expr(deadline::Column::FigureMonth, sea_orm::sea_query::Expr::value(Some(month)))
            .filter(deadline::Column::Id.is_in(chunk.iter().copied()))
            .exec(&**write)
            .await?;
    }
    Ok(())
}

/// To what each clock belongs.
pub async fn owners(conn: &Conn, ids: &[Uuid]) -> Result<BTreeMap<Uuid, Uuid>, Fault> {
    let rows = deadline::Entity::find()
        .filter(deadline::Column::Id.is_in(ids.iter().copied()))
        .all(conn)
        .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.owner_id)).collect())
}

impl Deadline {
    /// Writes what the clock came to; a breach that is new is told to the company desk, where its promise says so.
    pub async fn keep(&mut self, write: &Write) -> Result<(), Fault> {
        let known = self.breached;
        self.due_at = model::due_for_sweep(&self.sla.0).micros();
        self.breached = !self.sla.0.breaches().is_empty();
        self.save(write).await?;
        if self.breached && !known {
            escalation::raise(write, self).await
        } else {
            Ok(())
        }
    }

    async fn stop(&mut self, write: &Write) -> Result<(), Fault> {
        model::settle(&mut self.sla.0, Calendar::china(), write.now()).map_err(missing)?;
        self.sla.0.observe(write.now());
        (self.live, self.ended_at) = (false, Some(write.now().micros()));
        self.keep(write).await
    }

    /// The clock as it stands now, with a pause that has outlived its cap ended.
    pub fn settled(mut self, now: Instant) -> Result<Self, Fault> {
        if self.live {
            model::settle(&mut self.sla.0, Calendar::china(), now).map_err(missing)?;
        }
        Ok(self)
    }

    pub fn proto(&self, now: Instant) -> proto::Deadline {
        let sla = &self.sla.0;
        let (state, breached) = model::state(sla, Calendar::china(), now, self.ended_at.is_some());
        proto::Deadline {
            deadline_id: self.id.to_string(),
            owner_id: self.owner_id.to_string(),
            policy_id: self.policy_id.to_string(),
            subject: self.subject.clone(),
            clock: self.clock.number(),
            start_time: Some(wire::time(sla.started())),
            due_time: Some(wire::time(sla.due().at)),
            met_time: sla.met_at().map(wire::time),
            end_time: self.ended_at.map(fields::instant),
            state: state.number(),
            breached,
            branch: self.branch.clone(),
            etag: self.etag(),
        }
    }

    /// How it came about.
    pub fn steps(&self) -> Result<Vec<proto::DeadlineStep>, Fault> {
        let steps = self.sla.0.explain(Calendar::china()).map_err(missing)?;
        let steps = steps.into_iter().map(|step| {
            let (reason, note) = match step.counted {
                Counted::OpeningDay => ("OPENING_DAY", String::new()),
                Counted::Elapsed => ("ELAPSED", String::new()),
                Counted::Workday => ("WORKDAY", String::new()),
                Counted::MadeUpWorkday { name_en, .. } => ("MADE_UP_WORKDAY", name_en),
                Counted::Weekend => ("WEEKEND", String::new()),
                Counted::Holiday { name_en, .. } => ("HOLIDAY", name_en),
                Counted::Paused { reason } => ("PAUSED", reason),
                Counted::CustomerWindow => ("CUSTOMER_WINDOW", String::new()),
                Counted::CalendarDay => ("CALENDAR_DAY", String::new()),
            };
            proto::DeadlineStep {
                day_date: Some(wire::date(step.date)),
                reason: reason.to_owned(),
                note,
                start_time: step.span.map(|(from, _)| wire::time(from)),
                end_time: step.span.map(|(_, to)| wire::time(to)),
                minutes: step.minutes,
                days: i32::try_from(step.days).unwrap_or(i32::MAX),
            }
        });
        Ok(steps.collect())
    }

    pub fn pauses(&self) -> Vec<proto::Pause> {
        let pause = |pause: &calendar::Pause| proto::Pause {
            reason: fields::number(model::PauseReason::of_code(&pause.reason)),
            note: String::new(),
            evidence_file_id: String::new(),
            start_time: Some(wire::time(pause.from)),
            end_time: pause.until.map(wire::time),
        };
        self.sla.0.pauses().iter().map(pause).collect()
    }

    pub fn breaches(&self) -> Vec<proto::Breach> {
        let breach = |breach: &calendar::Breach| proto::Breach {
            due_time: Some(wire::time(breach.due)),
            seen_time: Some(wire::time(breach.seen)),
            rule: breach.rule.kind().to_owned(),
        };
        self.sla.0.breaches().iter().map(breach).collect()
    }
}

impl Policy {
    pub fn proto(&self) -> proto::SlaPolicy {
        proto::SlaPolicy {
            policy_id: self.id.to_string(),
            subject: self.subject.clone(),
            clock: self.clock.number(),
            unit: self.unit.number(),
            amount: self.amount,
            pausable: self.pausable,
            effective_date: Some(wire::date(self.effective_on)),
            source: self.source.clone(),
            season_days: self.season_days,
            remote: self.remote,
        }
    }
}
