//! Readings of meters as chains in time. Whatever arrives or is decided, the chain from there on is judged anew by the pure rules
//! and the differences are written in sets.

use std::collections::{BTreeMap, HashMap, HashSet};

use calendar::{Instant, NaiveDate};
use contracts::hearth::billing::v1::AbnormalUsageDetected;
use database::Write;
use rpc::{Fault, wire};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};
use uuid::Uuid;

use super::{
    model::{Code, Decision, ExceptionState, Point, ReadingState, Standing, Thresholds, Verdict, assess, codes_of, join, step},
    store::{exception, reading},
};
use crate::{
    Desk, Refusal,
    meter::store::{self as meters, installation, meter},
    table,
};

/// A reading in memory.
pub struct Link {
    pub row: reading::Model,
    /// Not in the database yet.
    fresh: bool,
    /// To be written.
    dirty: bool,
}

impl Link {
    /// Changes the row; the chain is judged anew from it on.
    pub fn edit(&mut self) -> &mut reading::Model {
        self.dirty = true;
        &mut self.row
    }
}

/// Chains of some meters, from a comparison window before `floor` on.
pub struct Chains {
    meters: HashMap<Uuid, meter::Model>,
    installs: Vec<installation::Model>,
    links: BTreeMap<Uuid, Vec<Link>>,
    /// Installations whose whole chain is loaded: they begin with their initial index.
    whole: HashSet<Uuid>,
}

/// What was written.
#[derive(Default)]
pub struct Settled {
    pub readings: HashMap<Uuid, reading::Model>,
    pub exceptions: Vec<exception::Model>,
}

impl Chains {
    /// Loads the chains of meters that the caller has locked. Nothing before `floor` is changed.
    pub async fn load(conn: &impl ConnectionTrait, thresholds: &Thresholds, found: Vec<meter::Model>, floor: NaiveDate) -> Result<Self, Fault> {
        let cutoff = floor.checked_sub_signed(thresholds.window()).unwrap_or(NaiveDate::MIN);
        let ids: Vec<Uuid> = found.iter().map(|m| m.id).collect();
        let installs = meters::of_meters(conn, &ids).await?;
        let rows = reading::Entity::find()
            .filter(reading::Column::MeterId.is_in(ids))
            .filter(reading::Column::ReadDate.gte(cutoff))
            .all(conn)
            .await?;
        let mut chains = Self {
            meters: found.into_iter().map(|m| (m.id, m)).collect(),
            installs,
            links: BTreeMap::new(),
            whole: HashSet::new(),
        };
        chains.keep(rows);
        let (young, old): (Vec<_>, Vec<_>) = chains.installs.iter().partition(|i| i.from_date >= cutoff);
        chains.whole = young.iter().map(|i| i.id).collect();
        let based = |i: &&&installation::Model| {
            chains
                .links
                .get(&i.id)
                .is_some_and(|links| links.iter().any(|l| l.row.read_date < floor && standing(&l.row, None) == Standing::True))
        };
        // A long gap: nothing usable in the window, so the base lies before it.
        let baseless: Vec<Uuid> = old.iter().filter(|i| !based(i)).map(|i| i.id).collect();
        if !baseless.is_empty() {
            let before = reading::Entity::find()
                .filter(reading::Column::InstallationId.is_in(baseless.clone()))
                .filter(reading::Column::ReadDate.lt(cutoff))
                .all(conn)
                .await?;
            chains.keep(before);
            chains.whole.extend(baseless);
        }
        Ok(chains)
    }

    fn keep(&mut self, rows: Vec<reading::Model>) {
        for row in rows {
            self.links.entry(row.installation_id).or_default().push(Link {
                row,
                fresh: false,
                dirty: false,
            });
        }
    }

    /// Where a meter was installed on a day; the later one on a day of change.
    pub fn installation(&self, meter: Uuid, day: NaiveDate) -> Option<&installation::Model> {
        self.installs.iter().rev().find(|i| i.meter_id == meter && i.covers(day))
    }

    /// The readings of an installation at one moment.
    pub fn at(&mut self, installation: Uuid, at: i64) -> impl Iterator<Item = &mut Link> {
        self.links.get_mut(&installation).into_iter().flatten().filter(move |l| l.row.read_at == at)
    }

    /// A reading by its id.
    pub fn link(&mut self, id: Uuid) -> Option<&mut Link> {
        self.links.values_mut().flatten().find(|l| l.row.id == id)
    }

    /// Adds a new reading.
    pub fn add(&mut self, row: reading::Model) {
        self.links.entry(row.installation_id).or_default().push(Link { row, fresh: true, dirty: true });
    }

    /// The usable indexes before and after a moment.
    pub fn neighbours(&self, installation: Uuid, at: i64) -> (Option<i64>, Option<i64>) {
        let links = || {
            self.links
                .get(&installation)
                .into_iter()
                .flatten()
                .filter(|l| standing(&l.row, None) == Standing::True)
        };
        let before = links().filter(|l| l.row.read_at < at).max_by_key(|l| l.row.read_at).map(|l| l.row.value);
        let initial = self.installs.iter().find(|i| i.id == installation).map(|i| i.initial_index);
        let after = links().filter(|l| l.row.read_at > at).min_by_key(|l| l.row.read_at).map(|l| l.row.value);
        (before.or(initial), after)
    }

    /// Judges what changed and everything after it, writes readings, exceptions and events.
    pub async fn settle(mut self, write: &mut Write, thresholds: &Thresholds) -> Result<Settled, Fault> {
        let mut open = self.exceptions(write).await?;
        let mut changes = Changes {
            now: write.now(),
            changed: vec![],
            opened: vec![],
        };
        let accounts: HashMap<Uuid, &installation::Model> = self.installs.iter().map(|i| (i.id, i)).collect();
        for (id, links) in &mut self.links {
            let Some(install) = accounts.get(id) else { continue };
            let Some(meter) = self.meters.get(&install.meter_id) else { continue };
            links.sort_by_key(|l| (l.row.read_at, l.row.id));
            let Some(floor) = links.iter().filter(|l| l.dirty).map(|l| l.row.read_at).min() else {
                continue;
            };
            let start = self.whole.contains(id).then_some((install.from_date, install.initial_index));
            let points: Vec<_> = links
                .iter()
                .map(|l| Point {
                    date: l.row.read_date,
                    value: l.row.value,
                    standing: standing(&l.row, Some(floor)),
                })
                .collect();
            let verdicts = assess(thresholds, meter.register(), start, &points);
            for (link, verdict) in links.iter_mut().zip(verdicts).filter(|(l, _)| l.row.read_at >= floor) {
                apply(link, verdict, install, &mut open, &mut changes)?;
            }
            conflicts(links, floor, install, &mut open, &mut changes);
        }
        self.write(write, open, changes).await
    }

    async fn exceptions(&self, write: &Write) -> Result<HashMap<Uuid, exception::Model>, Fault> {
        let ids: HashSet<Uuid> = self.links.values().flatten().filter_map(|l| l.row.exception_id).collect();
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let rows = exception::Entity::find().filter(exception::Column::Id.is_in(ids)).all(&**write).await?;
        Ok(rows.into_iter().map(|e| (e.id, e)).collect())
    }

    async fn write(self, write: &mut Write, open: HashMap<Uuid, exception::Model>, changes: Changes) -> Result<Settled, Fault> {
        let mut settled = Settled::default();
        let mut new = vec![];
        let mut arrived = vec![];
        for link in self.links.into_values().flatten().filter(|l| l.dirty || l.fresh) {
            if link.fresh {
                arrived.push((link.row.installation_id, link.row.read_date));
                new.push(link.row.clone());
            } else {
                table::update::<reading::Entity>(&**write, link.row.clone()).await?;
            }
            settled.readings.insert(link.row.id, link.row);
        }
        table::insert_all::<reading::Entity>(&**write, new).await?;
        for id in &changes.changed {
            if let Some(row) = open.get(id) {
                table::update::<exception::Entity>(&**write, row.clone()).await?;
                settled.exceptions.push(row.clone());
            }
        }
        let opened: Vec<_> = changes.opened.iter().filter_map(|id| open.get(id).cloned()).collect();
        table::insert_all::<exception::Entity>(&**write, opened.clone()).await?;
        announce(write, &opened).await?;
        settled.exceptions.extend(opened);
        found(write, &arrived).await?;
        Ok(settled)
    }
}

/// Tells the others about new exceptions.
pub async fn announce(write: &mut Write, opened: &[exception::Model]) -> Result<(), Fault> {
    if opened.is_empty() {
        return Ok(());
    }
    let agreements: HashSet<Uuid> = opened.iter().map(|e| e.agreement_id).collect();
    let supplies = crate::supply::store::supply::Entity::find()
        .filter(crate::supply::store::supply::Column::Id.is_in(agreements))
        .all(&**write)
        .await?;
    let accounts: HashMap<Uuid, Uuid> = supplies.into_iter().map(|s| (s.id, s.account_id)).collect();
    for row in opened {
        let codes = codes_of(&row.codes);
        write.event(
            row.agreement_id,
            &AbnormalUsageDetected {
                exception_id: row.id.to_string(),
                codes: codes.iter().map(|c| c.code().to_owned()).collect(),
                agreement_id: row.agreement_id.to_string(),
                account_id: accounts.get(&row.agreement_id).map(Uuid::to_string).unwrap_or_default(),
                meter_no: row.meter_no.clone(),
                date: Some(wire::date(row.date)),
                branch: row.branch.clone(),
                visit: codes.contains(&Code::Zero2),
            },
        );
    }
    Ok(())
}

/// Resolves the months that were missing.
async fn found(write: &Write, arrived: &[(Uuid, NaiveDate)]) -> Result<(), Fault> {
    use chrono::Datelike;
    let installs: HashSet<Uuid> = arrived.iter().map(|(id, _)| *id).collect();
    if installs.is_empty() {
        return Ok(());
    }
    let missing = exception::Entity::find()
        .filter(exception::Column::Codes.eq(Code::Missing.code()))
        .filter(exception::Column::State.eq(ExceptionState::Open.code()))
        .filter(exception::Column::InstallationId.is_in(installs))
        .order_by_asc(exception::Column::Id)
        .all(&**write)
        .await?;
    let same = |a: NaiveDate, b: NaiveDate| (a.year(), a.month()) == (b.year(), b.month());
    for mut row in missing
        .into_iter()
        .filter(|e| arrived.iter().any(|(id, day)| *id == e.installation_id && same(*day, e.date)))
    {
        row.state = step(row.state()?, &[Code::Missing], Decision::Resolve)?.code().to_owned();
        row.version = row.version.saturating_add(1);
        row.decided_at = Some(write.now().micros());
        table::update::<exception::Entity>(&**write, row).await?;
    }
    Ok(())
}

struct Changes {
    now: Instant,
    changed: Vec<Uuid>,
    opened: Vec<Uuid>,
}

impl Changes {
    fn touch(&mut self, row: &mut exception::Model) {
        if !self.opened.contains(&row.id) && !self.changed.contains(&row.id) {
            row.version = row.version.saturating_add(1);
            self.changed.push(row.id);
        }
    }

    fn open(
        &mut self,
        all: &mut HashMap<Uuid, exception::Model>,
        row: &reading::Model,
        codes: &[Code],
        verdict: &Verdict,
        install: &installation::Model,
    ) -> Uuid {
        let id = Uuid::now_v7();
        all.insert(
            id,
            exception::Model {
                id,
                codes: join(codes),
                state: ExceptionState::Open.code().to_owned(),
                meter_no: row.meter_no.clone(),
                account_no: install.account_no.clone(),
                installation_id: install.id,
                agreement_id: install.agreement_id,
                branch: install.branch.clone(),
                date: row.read_date,
                volume: verdict.volume,
                largest_before: verdict.largest,
                smallest_before: verdict.smallest,
                recorded_by: row.recorded_by.clone(),
                decided_by: String::new(),
                grounds: String::new(),
                created_at: self.now.micros(),
                decided_at: None,
                version: 1,
            },
        );
        self.opened.push(id);
        id
    }
}

/// How a stored reading enters the comparison. From `floor` on what no person decided is judged anew; before it the verdict stands.
fn standing(row: &reading::Model, floor: Option<i64>) -> Standing {
    let judged = floor.is_some_and(|floor| row.read_at >= floor);
    match ReadingState::of(&row.state) {
        Some(ReadingState::Accepted | ReadingState::Billed) => Standing::True,
        Some(ReadingState::Held) if row.conflict => Standing::Unused,
        Some(ReadingState::Validated | ReadingState::Held) if judged => Standing::Open,
        Some(ReadingState::Validated) => Standing::True,
        Some(ReadingState::Held) if codes_of(&row.codes).iter().any(|c| c.doubts_index()) => Standing::Unused,
        Some(ReadingState::Held) => Standing::True,
        Some(ReadingState::Rejected | ReadingState::Corrected) | None => Standing::Unused,
    }
}

/// Brings a reading and its exception in line with the verdict.
fn apply(
    link: &mut Link,
    verdict: Verdict,
    install: &installation::Model,
    all: &mut HashMap<Uuid, exception::Model>,
    changes: &mut Changes,
) -> Result<(), Fault> {
    match link.row.state()? {
        ReadingState::Validated | ReadingState::Held if !link.row.conflict => {}
        ReadingState::Accepted => {
            if link.row.rollover != verdict.rollover {
                link.edit().rollover = verdict.rollover;
            }
            return Ok(());
        }
        _ => return Ok(()),
    }
    let codes = join(&verdict.codes);
    let state = if verdict.codes.iter().any(|c| c.holds()) {
        ReadingState::Held
    } else {
        ReadingState::Validated
    };
    let exception = link.row.exception_id.and_then(|id| all.get_mut(&id)).filter(|e| e.is_open());
    let exception_id = match exception {
        Some(row) if verdict.codes.is_empty() => {
            row.state = step(row.state()?, &codes_of(&row.codes), Decision::Resolve)?.code().to_owned();
            row.decided_at = Some(changes.now.micros());
            changes.touch(row);
            link.row.exception_id
        }
        Some(row) => {
            let same = row.codes == codes && (row.volume, row.largest_before, row.smallest_before) == (verdict.volume, verdict.largest, verdict.smallest);
            if !same {
                row.codes.clone_from(&codes);
                (row.volume, row.largest_before, row.smallest_before) = (verdict.volume, verdict.largest, verdict.smallest);
                changes.touch(row);
            }
            link.row.exception_id
        }
        // A finding that a person has closed is not opened again.
        None if verdict.codes.is_empty() || codes == link.row.codes => link.row.exception_id,
        None => Some(changes.open(all, &link.row, &verdict.codes, &verdict, install)),
    };
    let row = &link.row;
    if row.codes != codes || row.state != state.code() || row.rollover != verdict.rollover || row.exception_id != exception_id {
        let row = link.edit();
        row.codes = codes;
        row.state = state.code().to_owned();
        row.rollover = verdict.rollover;
        row.exception_id = exception_id;
    }
    Ok(())
}

/// Values at one moment share one exception, whichever came first (decision 3).
fn conflicts(links: &mut [Link], floor: i64, install: &installation::Model, all: &mut HashMap<Uuid, exception::Model>, changes: &mut Changes) {
    let held = |l: &Link| l.row.conflict && l.row.state == ReadingState::Held.code() && l.row.read_at >= floor;
    let moments: HashSet<i64> = links.iter().filter(|l| l.dirty && held(l)).map(|l| l.row.read_at).collect();
    for at in moments {
        let group: Vec<&mut Link> = links.iter_mut().filter(|l| l.row.read_at == at && held(l)).collect();
        let shared = group
            .iter()
            .filter_map(|l| l.row.exception_id)
            .find(|id| all.get(id).is_some_and(exception::Model::is_open));
        let Some(first) = group.first() else { continue };
        let codes = [Code::Conflict];
        let id = match shared {
            Some(id) => id,
            None => changes.open(all, &first.row, &codes, &Verdict::default(), install),
        };
        if let Some(row) = all.get_mut(&id).filter(|e| e.codes != Code::Conflict.code()) {
            row.codes = join(&codes);
            (row.volume, row.largest_before, row.smallest_before) = (None, None, None);
            changes.touch(row);
        }
        for link in group {
            let row = link.edit();
            row.codes = join(&codes);
            row.rollover = false;
            row.exception_id = Some(id);
        }
    }
}

/// Files the last reading of an installation that ends.
pub async fn file_final(
    write: &mut Write,
    desk: &Desk,
    meter: &meter::Model,
    install: &installation::Model,
    at: Instant,
    value: i64,
    raw: &str,
) -> Result<(), Fault> {
    let mut chains = Chains::load(&**write, &desk.thresholds, vec![meter.clone()], at.date()).await?;
    if let Some(same) = chains.at(install.id, at.micros()).find(|l| standing(&l.row, None) == Standing::True) {
        return if same.row.value == value {
            Ok(())
        } else {
            Err(Refusal::ReadingConflict.into())
        };
    }
    let row = new_reading(write, meter, install, at, value, raw, "final", ReadingState::Validated);
    let id = row.id;
    chains.add(row);
    let settled = chains.settle(write, &desk.thresholds).await?;
    match settled.readings.get(&id) {
        Some(row) if codes_of(&row.codes).contains(&Code::Reverse) => Err(Refusal::FinalIndexLower.into()),
        _ => Ok(()),
    }
}

/// A new reading, before it is judged.
#[allow(clippy::too_many_arguments, reason = "a reading has these parts")]
pub fn new_reading(
    write: &Write,
    meter: &meter::Model,
    install: &installation::Model,
    at: Instant,
    value: i64,
    raw: &str,
    source: &str,
    state: ReadingState,
) -> reading::Model {
    reading::Model {
        id: Uuid::now_v7(),
        meter_id: meter.id,
        meter_no: meter.meter_no.clone(),
        installation_id: install.id,
        agreement_id: install.agreement_id,
        branch: install.branch.clone(),
        read_at: at.micros(),
        read_date: at.date(),
        value,
        raw: raw.to_owned(),
        source: source.to_owned(),
        recorded_by: write.call().subject().to_owned(),
        state: state.code().to_owned(),
        conflict: false,
        rollover: false,
        codes: String::new(),
        exception_id: None,
        created_at: write.now().micros(),
    }
}
