//! Readings of meters as chains in time. Whatever arrives or is decided, the chain from there on is judged anew by the pure rules
//! and the differences are written in sets.

use std::collections::{BTreeMap, HashMap, HashSet};

use calendar::{Instant, NaiveDate};
use contracts::hearth::billing::v1::AbnormalUsageDetected;
use database::{Conn, Write};
use rpc::{Fault, wire};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use uuid::Uuid;

use super::{
    case,
    estimate::model::{Anchor, Estimated, between},
    late,
    model::{Code, Decision, ExceptionState, Method, ReadingState, Standing, codes_of, has_exponent, join, step},
    rules::{Metered, Point, Rules, Scale, Start, Verdict, assess},
    scale,
    store::{self, exception, reading},
};
use crate::{
    Desk, fetch,
    meter::{
        model::MeterKind,
        store::{installation, meter},
    },
    route::store as routes,
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

/// The readings of an installation in the order of time.
type Chain = BTreeMap<(i64, Uuid), Link>;

/// Chains of some meters, from a comparison window before `floor` on.
pub struct Chains {
    meters: HashMap<Uuid, meter::Model>,
    installs: Vec<installation::Model>,
    /// Where those of a meter are among them.
    places: HashMap<Uuid, Vec<usize>>,
    links: BTreeMap<Uuid, Chain>,
    /// Installations whose whole chain is loaded: they begin with their initial index.
    whole: HashSet<Uuid>,
    /// Bills that count as gone: they are taken back by the same write, which has not written that yet.
    pub taken_back: HashSet<Uuid>,
}

/// What was written.
#[derive(Default)]
pub struct Settled {
    pub readings: HashMap<Uuid, reading::Model>,
    pub exceptions: Vec<exception::Model>,
}

impl Chains {
    /// Loads the chains of meters that the caller has locked. Nothing before `floor` is judged anew.
    pub async fn load(conn: &Conn, rules: &Rules, found: Vec<meter::Model>, floor: NaiveDate) -> Result<Self, Fault> {
        let classes = found.iter().map(meter::Model::metered).collect::<Result<Vec<_>, _>>()?;
        let window = rules.window(classes.iter().map(|m| m.class));
        let cutoff = floor.checked_sub_signed(window).unwrap_or(NaiveDate::MIN);
        let ids: Vec<Uuid> = found.iter().map(|m| m.id).collect();
        let select = installation::Entity::find().filter(table::among(conn, installation::Column::MeterId, ids));
        let mut installs: Vec<installation::Model> = fetch::all(conn, select).await?;
        installs.sort_unstable_by_key(|i| (i.from_date, i.id));
        let mut places: HashMap<Uuid, Vec<usize>> = HashMap::new();
        for (place, install) in installs.iter().enumerate() {
            places.entry(install.meter_id).or_default().push(place);
        }
        let select = reading::Entity::find()
            .filter(table::among(conn, reading::Column::InstallationId, installs.iter().map(|i| i.id)))
            .filter(reading::Column::ReadDate.gte(cutoff));
        let rows = fetch::all(conn, select).await?;
        let mut chains = Self {
            meters: found.into_iter().map(|m| (m.id, m)).collect(),
            installs,
            places,
            links: BTreeMap::new(),
            whole: HashSet::new(),
            taken_back: HashSet::new(),
        };
        chains.keep(rows);
        let (young, old): (Vec<_>, Vec<_>) = chains.installs.iter().partition(|i| i.from_date >= cutoff);
        chains.whole = young.iter().map(|i| i.id).collect();
        let is_base = |l: &Link| l.row.read_date < floor && standing(&l.row, None) == Standing::True && !l.row.is_estimate();
        let based = |i: &&&installation::Model| chains.links.get(&i.id).is_some_and(|links| links.values().any(is_base));
        // A long gap: nothing usable in the window, so the base lies before it.
        let baseless: Vec<Uuid> = old.iter().filter(|i| !based(i)).map(|i| i.id).collect();
        if !baseless.is_empty() {
            let select = reading::Entity::find()
                .filter(table::among(conn, reading::Column::InstallationId, baseless.iter().copied()))
                .filter(reading::Column::ReadDate.lt(cutoff));
            let before = fetch::all(conn, select).await?;
            chains.keep(before);
            chains.whole.extend(baseless);
        }
        Ok(chains)
    }

    fn keep(&mut self, rows: Vec<reading::Model>) {
        for row in rows {
            self.put(row, false);
        }
    }

    fn put(&mut self, row: reading::Model, fresh: bool) {
        let key = (row.read_at, row.id);
        let link = Link { row, fresh, dirty: fresh };
        self.links.entry(link.row.installation_id).or_default().insert(key, link);
    }

    /// Where a meter was installed on a day; the later one on a day of change.
    pub fn installation(&self, meter: Uuid, day: NaiveDate) -> Option<&installation::Model> {
        let own = self.places.get(&meter)?.iter().rev();
        own.filter_map(|place| self.installs.get(*place)).find(|i| i.covers(day))
    }

    /// The readings of an installation at one moment.
    pub fn at(&mut self, installation: Uuid, at: i64) -> impl Iterator<Item = &mut Link> {
        let chain = self.links.get_mut(&installation).into_iter();
        chain.flat_map(move |links| links.range_mut((at, Uuid::nil())..=(at, Uuid::max())).map(|(_, link)| link))
    }

    /// The readings of an installation, in the order of time.
    pub fn of(&self, installation: Uuid) -> impl DoubleEndedIterator<Item = &reading::Model> {
        self.links.get(&installation).into_iter().flat_map(|links| links.values().map(|l| &l.row))
    }

    /// How an installation began, where its whole chain is loaded.
    pub fn start(&self, install: &installation::Model) -> Option<Start> {
        self.whole.contains(&install.id).then_some(Start {
            date: install.from_date,
            value: install.initial_index,
        })
    }

    /// A reading by its id.
    pub fn link(&mut self, id: Uuid) -> Option<&mut Link> {
        self.links.values_mut().flat_map(BTreeMap::values_mut).find(|l| l.row.id == id)
    }

    /// An installation whose chain is loaded.
    pub fn install(&self, id: Uuid) -> Option<&installation::Model> {
        self.installs.iter().find(|i| i.id == id)
    }

    /// What is new or has changed.
    pub fn changed(&self) -> impl Iterator<Item = &reading::Model> {
        self.links.values().flat_map(BTreeMap::values).filter(|l| l.dirty).map(|l| &l.row)
    }

    /// Whether something changed that was there before.
    pub fn has_known_changes(&self) -> bool {
        self.links.values().flat_map(BTreeMap::values).any(|l| l.dirty && !l.fresh)
    }

    /// Adds a new reading.
    pub fn add(&mut self, row: reading::Model) {
        self.put(row, true);
    }

    /// The usable indexes before and after a moment.
    pub fn neighbours(&self, installation: Uuid, at: i64) -> (Option<Anchor>, Option<i64>) {
        let usable = |row: &&reading::Model| standing(row, None) == Standing::True && !row.is_estimate();
        let before = self.of(installation).rev().filter(usable).find(|r| r.read_at < at).map(|r| Anchor {
            date: r.read_date,
            value: r.value,
        });
        let initial = self.install(installation).map(|i| Anchor {
            date: i.from_date,
            value: i.initial_index,
        });
        let after = self.of(installation).filter(usable).find(|r| r.read_at > at).map(|r| r.value);
        (before.or(initial), after)
    }

    /// Judges what changed and everything after it, writes readings, exceptions, cases and events.
    pub async fn settle(mut self, write: &mut Write, rules: &Rules) -> Result<Settled, Fault> {
        let mut open = self.exceptions(write).await?;
        let mut changes = Changes {
            now: write.now(),
            changed: vec![],
            opened: vec![],
        };
        for install in &self.installs {
            let start = self.start(install);
            let Some(chain) = self.links.get_mut(&install.id) else { continue };
            let Some(meter) = self.meters.get(&install.meter_id) else { continue };
            let Some(floor) = chain.values().filter(|l| l.dirty).map(|l| l.row.read_at).min() else {
                continue;
            };
            let metered = meter.metered()?;
            judge(rules, &metered, start, chain, floor, install, &mut open, &mut changes)?;
            if let Some(floor) = restate(chain, &metered, start, meter.kind()?, write)? {
                judge(rules, &metered, start, chain, floor, install, &mut open, &mut changes)?;
            }
            conflicts(chain, floor, install, &mut open, &mut changes);
        }
        self.write(write, rules.scale, open, changes).await
    }

    async fn exceptions(&self, write: &Write) -> Result<HashMap<Uuid, exception::Model>, Fault> {
        let links = self.links.values().flat_map(BTreeMap::values);
        let ids: HashSet<Uuid> = links.filter_map(|l| l.row.exception_id).collect();
        let rows = store::exceptions_by_id(write, ids).await?;
        Ok(rows.into_iter().map(|e| (e.id, e)).collect())
    }

    async fn write(self, write: &mut Write, scale: Scale, mut open: HashMap<Uuid, exception::Model>, changes: Changes) -> Result<Settled, Fault> {
        let mut settled = Settled::default();
        let bills = late::ops::found(write, &self).await?;
        let of_chain = |(id, chain): (&Uuid, &Chain)| {
            let years = scale::touched(scale, chain.values().map(|l| scale::Seen::of(&l.row, l.dirty)));
            years.map(|year| (*id, year)).collect::<Vec<_>>()
        };
        let years = self.links.iter().flat_map(of_chain).collect();
        let dirty = self.links.into_values().flat_map(BTreeMap::into_values).filter(|l| l.dirty);
        let (fresh, known): (Vec<_>, Vec<_>) = dirty.map(|l| (l.fresh, l.row)).partition(|(fresh, _)| *fresh);
        let rows = |some: Vec<(bool, reading::Model)>| some.into_iter().map(|(_, row)| row).collect::<Vec<_>>();
        let (fresh, mut known) = (rows(fresh), rows(known));
        // One that stands again takes the moment of one that gives way.
        known.sort_by_key(|row| ReadingState::of(&row.state).is_some_and(ReadingState::is_live));
        let actual = fresh.iter().filter(|r| !r.is_estimate());
        let arrived: Vec<(Uuid, NaiveDate)> = actual.clone().map(|r| (r.installation_id, r.read_date)).collect();
        let agreements: HashSet<Uuid> = actual.map(|r| r.agreement_id).collect();
        // What is there first: it may make room for the new one at its moment.
        store::save(write, known.clone()).await?;
        store::add(write, &fresh).await?;
        settled.readings = known.into_iter().chain(fresh).map(|r| (r.id, r)).collect();
        let mut changed: Vec<exception::Model> = changes.changed.iter().filter_map(|id| open.remove(id)).collect();
        store::save_exceptions(write, changed.clone()).await?;
        let (other_scale, same_scale) = scale::findings(write, scale, &years).await?;
        changed.extend(same_scale);
        store::save_exceptions(write, bills.changed.clone()).await?;
        changed.extend(bills.changed);
        let mut opened: Vec<exception::Model> = changes.opened.iter().filter_map(|id| open.remove(id)).collect();
        opened.extend(other_scale);
        opened.extend(bills.opened);
        store::save_exceptions(write, opened.clone()).await?;
        tell(write, &opened).await?;
        let found = found(write, &arrived, agreements).await?;
        let installs: HashSet<Uuid> = arrived.iter().map(|(id, _)| *id).collect();
        routes::mark_read(write, &installs.into_iter().collect::<Vec<_>>()).await?;
        let touched = changed.iter().chain(&opened).chain(&found).map(|e| e.agreement_id);
        case::keep(write, touched.collect()).await?;
        settled.exceptions = changed.into_iter().chain(opened).collect();
        Ok(settled)
    }
}

/// Files new findings: the rows, the cases that they belong to and the events.
pub async fn open(write: &mut Write, found: Vec<exception::Model>) -> Result<(), Fault> {
    store::save_exceptions(write, found.clone()).await?;
    announce(write, &found).await
}

/// Tells the others about new exceptions that are filed, and puts them into cases.
pub async fn announce(write: &mut Write, opened: &[exception::Model]) -> Result<(), Fault> {
    tell(write, opened).await?;
    case::keep(write, opened.iter().map(|e| e.agreement_id).collect()).await
}

async fn tell(write: &mut Write, opened: &[exception::Model]) -> Result<(), Fault> {
    if opened.is_empty() {
        return Ok(());
    }
    let agreements: HashSet<Uuid> = opened.iter().map(|e| e.agreement_id).collect();
    let supplies = crate::supply::store::supply::Entity::find()
        .filter(crate::supply::store::supply::Column::Id.is_in(agreements))
        .all(&**write)
        .await?;
    let supplies: HashMap<Uuid, _> = supplies.into_iter().map(|s| (s.id, s)).collect();
    for row in opened {
        let (codes, supply) = (codes_of(&row.codes), supplies.get(&row.agreement_id));
        write.event(
            row.agreement_id,
            &AbnormalUsageDetected {
                exception_id: row.id.to_string(),
                codes: codes.iter().map(|c| c.code().to_owned()).collect(),
                agreement_id: row.agreement_id.to_string(),
                account_id: supply.map(|s| s.account_id.to_string()).unwrap_or_default(),
                meter_no: row.meter_no.clone(),
                date: Some(wire::date(row.date)),
                branch: row.branch.clone(),
                visit: codes.iter().any(|c| c.is_visited()),
                service: supply.map(|s| s.service.clone()).unwrap_or_default(),
            },
        );
    }
    Ok(())
}

/// Resolves what only the missing reading caused: the month without one, and the meter that had fallen silent.
async fn found(write: &Write, arrived: &[(Uuid, NaiveDate)], agreements: HashSet<Uuid>) -> Result<Vec<exception::Model>, Fault> {
    use chrono::Datelike;
    if agreements.is_empty() {
        return Ok(vec![]);
    }
    // By agreement, as the open ones are indexed.
    let waiting = exception::Entity::find()
        .filter(table::among(write, exception::Column::AgreementId, agreements))
        .filter(exception::Column::State.eq(ExceptionState::Open.code()))
        .filter(exception::Column::Codes.is_in([Code::Missing.code(), Code::Silent.code()]))
        .order_by_asc(exception::Column::Id)
        .all(&**write)
        .await?;
    let month = |day: NaiveDate| (day.year(), day.month());
    let came = |e: &exception::Model| {
        arrived.iter().any(|(id, day)| {
            let ends = if e.codes == Code::Missing.code() {
                month(*day) == month(e.date)
            } else {
                *day >= e.date
            };
            *id == e.installation_id && ends
        })
    };
    let mut resolved = vec![];
    for mut row in waiting.into_iter().filter(came) {
        row.state = step(row.state()?, &codes_of(&row.codes), Decision::Resolve)?.code().to_owned();
        row.version = row.version.saturating_add(1);
        row.decided_at = Some(write.now().micros());
        resolved.push(row);
    }
    store::save_exceptions(write, resolved.clone()).await?;
    Ok(resolved)
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
        let found = exception::Model {
            codes: join(codes),
            volume: verdict.volume,
            largest_before: verdict.largest,
            smallest_before: verdict.smallest,
            recorded_by: row.recorded_by.clone(),
            ..exception::Model::found(install, &[], row.read_date, self.now)
        };
        let id = found.id;
        all.insert(id, found);
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
        Some(ReadingState::Rejected | ReadingState::Corrected | ReadingState::Replaced) | None => Standing::Unused,
    }
}

#[allow(clippy::too_many_arguments, reason = "a chain is judged by these")]
fn judge(
    rules: &Rules,
    metered: &Metered,
    start: Option<Start>,
    chain: &mut Chain,
    floor: i64,
    install: &installation::Model,
    all: &mut HashMap<Uuid, exception::Model>,
    changes: &mut Changes,
) -> Result<(), Fault> {
    let mut actual = start.map(|s| s.value);
    let mut point = |row: &reading::Model| {
        // An estimate goes on from what the one before turned out to have been, which may be less; where the register passed zero between, from what was billed.
        let restated = row.restated.filter(|index| actual.is_none_or(|actual| *index >= actual));
        if !row.is_estimate() && standing(row, None) == Standing::True {
            actual = Some(row.value);
        }
        let standing = standing(row, Some(floor));
        Ok::<_, Fault>(Point {
            date: row.read_date,
            at: row.read_at,
            value: restated.unwrap_or(row.value),
            told: standing == Standing::True && codes_of(&row.codes).contains(&Code::ZeroRun),
            standing,
            source: row.source()?,
            lost_digits: has_exponent(&row.raw),
            time_twice: row.time_twice,
            photo: !row.photo_file.is_empty(),
        })
    };
    let points = chain.values().map(|l| point(&l.row)).collect::<Result<Vec<_>, _>>()?;
    let verdicts = assess(rules, metered, start, &points);
    for (link, verdict) in chain.values_mut().zip(verdicts).filter(|(l, _)| l.row.read_at >= floor) {
        apply(link, verdict, install, all, changes)?;
    }
    Ok(())
}

/// Brings a reading and its exception in line with the verdict.
fn apply(
    link: &mut Link,
    mut verdict: Verdict,
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
        ReadingState::Replaced | ReadingState::Rejected => {
            // What was found about it is no matter any more.
            if let Some(row) = link.row.exception_id.and_then(|id| all.get_mut(&id)).filter(|e| e.is_open()) {
                row.state = step(row.state()?, &codes_of(&row.codes), Decision::Resolve)?.code().to_owned();
                row.decided_at = Some(changes.now.micros());
                changes.touch(row);
            }
            return Ok(());
        }
        _ => return Ok(()),
    }
    // That nobody could read the last index is no matter of the chain: it waits for a person.
    if codes_of(&link.row.codes).contains(&Code::FinalEstimated) {
        verdict.codes.push(Code::FinalEstimated);
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
        None if verdict.codes.is_empty() || (codes == link.row.codes && link.row.exception_id.is_some()) => link.row.exception_id,
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

/// Brings estimates in line with the actual readings around them (B12). One that is not billed is replaced by what the actual readings say, or by an actual one of
/// its day; of one that is billed it is noted what it should have been. Gives the first moment that changed.
fn restate(chain: &mut Chain, metered: &Metered, start: Option<Start>, kind: MeterKind, write: &Write) -> Result<Option<i64>, Fault> {
    let mut anchor = start.map(|s| (None, Anchor { date: s.date, value: s.value }));
    let mut since: Vec<(i64, Uuid)> = vec![];
    // Estimates with the actual readings on both sides, or one on their day.
    let mut spans = vec![];
    for (key, link) in chain.iter() {
        let row = &link.row;
        let counts = matches!(row.state()?, ReadingState::Validated | ReadingState::Accepted | ReadingState::Billed);
        if !counts {
            continue;
        }
        if row.is_estimate() {
            match anchor {
                // Somebody read it on its day, and not after the end of it, which is what is estimated.
                Some((Some(id), read)) if read.date == row.read_date => spans.push((None, read, id, read, vec![*key])),
                _ => since.push(*key),
            }
            continue;
        }
        let here = Anchor {
            date: row.read_date,
            value: row.value,
        };
        if let Some((before, from)) = anchor.filter(|_| !since.is_empty()) {
            spans.push((before, from, row.id, here, std::mem::take(&mut since)));
        }
        since.clear();
        anchor = Some((Some(row.id), here));
    }
    let mut first: Option<i64> = None;
    let mut since_then = |at: i64| first = Some(first.map_or(at, |f| f.min(at)));
    // Nothing contradicts those any more that no actual reading follows.
    for key in since {
        if let Some(link) = chain.get_mut(&key).filter(|l| l.row.restated.is_some()) {
            link.edit().restated = None;
            since_then(key.0);
        }
    }
    let mut fresh = vec![];
    for (before, from, after, to, keys) in spans {
        let days: Vec<NaiveDate> = keys.iter().filter_map(|k| chain.get(k)).map(|l| l.row.read_date).collect();
        let whole = kind == MeterKind::Mechanical || (from.value % 1000 == 0 && to.value % 1000 == 0);
        let unit = if whole { metered.register.multiplier.saturating_mul(1000) } else { 1 };
        let indexes = between(from, to, &days, unit, metered.register.capacity());
        for (key, estimated) in keys.iter().zip(indexes) {
            let Some(link) = chain.get(key) else { continue };
            let is_billed = link.row.state == ReadingState::Billed.code();
            let (index, row) = match estimated {
                Estimated::Between(index) => (index, revise(chain, key, index, is_billed, [before, Some(after)], write)),
                Estimated::Read(index) => (index, None),
            };
            let Some(link) = chain.get_mut(key) else { continue };
            if is_billed {
                let restated = Some(index).filter(|i| *i != link.row.value);
                if link.row.restated != restated {
                    link.edit().restated = restated;
                    since_then(key.0);
                }
                continue;
            }
            let by = match (&row, estimated) {
                (Some(row), _) => row.id,
                (None, Estimated::Read(_)) => after,
                (None, Estimated::Between(_)) => continue,
            };
            let old = link.edit();
            old.state = ReadingState::Replaced.code().to_owned();
            old.replaced_by = Some(by);
            since_then(key.0);
            fresh.extend(row);
        }
    }
    for row in fresh {
        let known = chain.contains_key(&(row.read_at, row.id));
        let link = Link {
            fresh: !known,
            dirty: true,
            row,
        };
        chain.insert((link.row.read_at, link.row.id), link);
    }
    Ok(first)
}

/// The row that stands in the place of an estimate that is off: one that stood there before with this index, or a new one.
fn revise(chain: &Chain, key: &(i64, Uuid), index: i64, is_billed: bool, lineage: [Option<Uuid>; 2], write: &Write) -> Option<reading::Model> {
    let old = &chain.get(key)?.row;
    if is_billed || old.value == index {
        return None;
    }
    let lineage = lineage.into_iter().flatten().map(|id| id.to_string()).collect::<Vec<_>>().join(" ");
    let mut there = chain.range((key.0, Uuid::nil())..=(key.0, Uuid::max())).map(|(_, l)| &l.row);
    let again = there.find(|r| r.value == index && r.is_estimate() && r.state == ReadingState::Replaced.code());
    let base = again.cloned().unwrap_or_else(|| reading::Model {
        id: Uuid::now_v7(),
        value: index,
        raw: String::new(),
        recorded_by: write.call().subject().to_owned(),
        created_at: write.now().micros(),
        ..old.clone()
    });
    Some(reading::Model {
        state: ReadingState::Validated.code().to_owned(),
        replaced_by: None,
        codes: String::new(),
        exception_id: None,
        method: Some(Method::BetweenActuals.code().to_owned()),
        lineage,
        ..base
    })
}

/// Values at one moment share one exception, whichever came first (decision 3).
fn conflicts(chain: &mut Chain, floor: i64, install: &installation::Model, all: &mut HashMap<Uuid, exception::Model>, changes: &mut Changes) {
    let held = |l: &Link| l.row.conflict && l.row.state == ReadingState::Held.code() && l.row.read_at >= floor;
    let moments: HashSet<i64> = chain.values().filter(|l| l.dirty && held(l)).map(|l| l.row.read_at).collect();
    for at in moments {
        let there = chain.range_mut((at, Uuid::nil())..=(at, Uuid::max())).map(|(_, l)| l);
        let group: Vec<&mut Link> = there.filter(|l| held(l)).collect();
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

/// Rejects what is held about days after the end of an installation: the meter did not hang there any more.
pub async fn reject_after(write: &mut Write, desk: &Desk, meter: &meter::Model, install: &installation::Model, end: NaiveDate) -> Result<(), Fault> {
    let mut chains = Chains::load(write, &desk.thresholds, vec![meter.clone()], end).await?;
    let links = chains.links.get_mut(&install.id).into_iter().flat_map(BTreeMap::values_mut);
    for link in links.filter(|l| l.row.read_date > end && l.row.state == ReadingState::Held.code()) {
        link.edit().state = ReadingState::Rejected.code().to_owned();
    }
    chains.settle(write, &desk.thresholds).await?;
    Ok(())
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
        time_twice: false,
        photo_file: String::new(),
        method: None,
        lineage: String::new(),
        replaced_by: None,
        restated: None,
        cause: None,
    }
}
