//! Tables of re-rating runs.

use std::collections::{BTreeMap, HashSet};

use contracts::hearth::billing::v1 as proto;
use database::{Conn, Scope, Scoped, Write, find as scoped};
use money::Money;
use rpc::{Fault, page::Page, wire};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Statement};
use uuid::Uuid;

use super::model::{Aim, Before, Outcome, ReratingState, Sums, Verdict};
use crate::{
    bill::store::{bill, line},
    ledger::store::instant,
    supply::store::supply,
    table,
    tariff::store as tariffs,
    words::known,
};

table!(rerating, "rerating", {
    #[sea_orm(primary_key, auto_increment = false)] id: Uuid,
    job_id: Uuid,
    tariff_id: Uuid,
    /// The version in force in its place when the run began.
    replacement_id: Uuid,
    branch: String,
    reason: String,
    dry_run: bool,
    tried_id: Option<Uuid>,
    state: String,
    /// The agreement up to which all have an outcome.
    reached: Option<Uuid>,
    /// None until they are found.
    expected: Option<i64>,
    corrected: i64,
    unchanged: i64,
    parked: i64,
    credited: i64,
    debited: i64,
    started_by: String,
    created_at: i64,
    finished_at: Option<i64>,
});
table!(item, "rerating_item", {
    #[sea_orm(primary_key, auto_increment = false)] rerating_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)] agreement_id: Uuid,
    account_no: String,
    branch: String,
    /// None until the run comes to it.
    outcome: Option<String>,
    reason: String,
    bills: i32,
    credited: i64,
    debited: i64,
});

impl Scoped for rerating::Entity {
    const BRANCH: Option<rerating::Column> = Some(rerating::Column::Branch);
}

impl Scoped for item::Entity {
    const BRANCH: Option<item::Column> = Some(item::Column::Branch);
}

impl rerating::Model {
    /// A run that somebody starts now.
    pub fn begun(id: Uuid, job_id: Uuid, aim: Aim, write: &Write) -> Self {
        Self {
            id,
            job_id,
            tariff_id: aim.tariff,
            replacement_id: aim.replacement,
            branch: aim.branch,
            reason: String::new(),
            dry_run: true,
            tried_id: None,
            state: ReratingState::Running.code().to_owned(),
            reached: None,
            expected: None,
            corrected: 0,
            unchanged: 0,
            parked: 0,
            credited: 0,
            debited: 0,
            started_by: write.call().subject().to_owned(),
            created_at: write.now().micros(),
            finished_at: None,
        }
    }

    /// Agreements that have an outcome.
    pub fn seen(&self) -> i64 {
        self.corrected.saturating_add(self.unchanged).saturating_add(self.parked)
    }

    /// What it was about, for a run that comes after it.
    pub fn before(&self) -> Result<Before, Fault> {
        Ok(Before {
            aim: Aim {
                tariff: self.tariff_id,
                replacement: self.replacement_id,
                branch: self.branch.clone(),
            },
            dry_run: self.dry_run,
            state: known(ReratingState::of(&self.state), &self.state)?,
        })
    }

    fn count(&mut self, outcome: Outcome, change: i64) {
        let count = match outcome {
            Outcome::Corrected => &mut self.corrected,
            Outcome::Unchanged => &mut self.unchanged,
            Outcome::Parked => &mut self.parked,
        };
        *count = count.saturating_add(change);
    }
}

/// A run, locked.
pub async fn locked(write: &Write, id: Uuid) -> Result<rerating::Model, Fault> {
    rerating::Entity::find_by_id(id)
        .lock_exclusive()
        .one(&**write)
        .await?
        .ok_or_else(|| Fault::not_found("re-rating run", id))
}

/// Jobs that nobody works on any more, though their runs do not say so.
const GIVEN_UP: &str = "SELECT id FROM job WHERE state IN ('CANCELLED', 'FAILED')";

/// Whether the job of a run was cancelled or has failed.
pub async fn is_given_up(conn: &Conn, job: Uuid) -> Result<bool, Fault> {
    let sql = format!("{GIVEN_UP} AND id = $1");
    let query = Statement::from_sql_and_values(conn.get_database_backend(), sql, [job.into()]);
    Ok(conn.query_one_raw(query).await?.is_some())
}

/// Whether a run from or to a version goes on. One that was given up ends here. The caller has locked the version.
pub async fn goes_on(write: &Write, column: rerating::Column, tariff: Uuid) -> Result<bool, Fault> {
    let sql = format!("UPDATE rerating SET state = 'CANCELLED', finished_at = $1 WHERE state = 'RUNNING' AND job_id IN ({GIVEN_UP})");
    let values = [write.now().micros().into()];
    write
        .execute_raw(Statement::from_sql_and_values(write.get_database_backend(), sql, values))
        .await?;
    let running = rerating::Entity::find()
        .filter(column.eq(tariff))
        .filter(rerating::Column::State.eq(ReratingState::Running.code()));
    Ok(running.one(&**write).await?.is_some())
}

/// Lists the agreements that a run is to come to: those with a live regular bill that the wrong version made, alone or in a line.
pub async fn find(write: &Write, run: &mut rerating::Model) -> Result<(), Fault> {
    let first = tariffs::one(write, run.tariff_id).await?.from_date;
    // No bill that ended before its first day names it, and most bills do not come to the look at their lines.
    let sql = "INSERT INTO rerating_item (rerating_id, agreement_id, account_no, branch, reason, bills, credited, debited) \
         SELECT $1, s.id, s.account_no, s.branch, '', 0, 0, 0 FROM supply s WHERE ($3 = '' OR s.branch = $3) AND s.id IN ( \
            SELECT b.agreement_id FROM bill b WHERE b.kind = 'REGULAR' AND b.state <> 'REVERSED' AND b.to_date >= $4 \
            AND (b.tariff_id = $2 OR EXISTS (SELECT 1 FROM bill_line l WHERE l.bill_id = b.id AND l.tariff_id = $2)))";
    let values = [run.id.into(), run.tariff_id.into(), run.branch.as_str().into(), first.into()];
    let found = write
        .execute_raw(Statement::from_sql_and_values(write.get_database_backend(), sql, values))
        .await?;
    run.expected = Some(i64::try_from(found.rows_affected()).unwrap_or(i64::MAX));
    Ok(())
}

/// The next agreement of a run.
pub async fn next(conn: &Conn, run: &rerating::Model) -> Result<Option<item::Model>, Fault> {
    let mut select = item::Entity::find()
        .filter(item::Column::ReratingId.eq(run.id))
        .filter(item::Column::Outcome.is_null())
        .order_by_asc(item::Column::AgreementId)
        .limit(1);
    if let Some(reached) = run.reached {
        select = select.filter(item::Column::AgreementId.gt(reached));
    }
    Ok(select.one(conn).await?)
}

/// An agreement of a run.
pub async fn item(conn: &Conn, run: Uuid, agreement: Uuid) -> Result<Option<item::Model>, Fault> {
    Ok(item::Entity::find_by_id((run, agreement)).one(conn).await?)
}

/// The ids of those among some bills that a version made, alone or in a line.
pub async fn made_by(conn: &Conn, bills: &[bill::Model], tariff: Uuid) -> Result<HashSet<Uuid>, Fault> {
    let lines: Vec<Uuid> = line::Entity::find()
        .select_only()
        .column(line::Column::BillId)
        .filter(table::among(conn, line::Column::BillId, bills.iter().map(|b| b.id)))
        .filter(line::Column::TariffId.eq(tariff))
        .into_tuple()
        .all(conn)
        .await?;
    let made = bills.iter().filter(|b| b.tariff_id == Some(tariff)).map(|b| b.id);
    Ok(made.chain(lines).collect())
}

/// Files what became of an agreement, and of those that were billed anew with it, and counts it.
pub async fn file(write: &Write, run: &mut rerating::Model, item: &item::Model, verdict: Verdict) -> Result<(), Fault> {
    run.reached = Some(item.agreement_id);
    let outcome = verdict.outcome();
    let (sums, reason) = match verdict {
        Verdict::Corrected(sums) => (sums, String::new()),
        Verdict::Unchanged => (BTreeMap::from([(item.agreement_id, Sums::default())]), String::new()),
        Verdict::Parked(reason) => (BTreeMap::from([(item.agreement_id, Sums::default())]), reason),
    };
    for (agreement, sums) in sums {
        let mut row = listed(write, run, agreement).await?;
        if let Some(before) = &row.outcome {
            run.count(known(Outcome::of(before), before)?, -1);
        }
        run.count(outcome, 1);
        run.credited = run.credited.saturating_add(sums.credited);
        run.debited = run.debited.saturating_add(sums.debited);
        row.outcome = Some(outcome.code().to_owned());
        row.reason.clone_from(&reason);
        row.bills = row.bills.saturating_add(sums.bills);
        row.credited = row.credited.saturating_add(sums.credited);
        row.debited = row.debited.saturating_add(sums.debited);
        table::update::<item::Entity>(write, row).await?;
    }
    Ok(())
}

/// The row of an agreement; one that no wrong bill was made for, and that shares its tiers with one that has, comes to the list here.
async fn listed(write: &Write, run: &mut rerating::Model, agreement: Uuid) -> Result<item::Model, Fault> {
    if let Some(row) = item(write, run.id, agreement).await? {
        return Ok(row);
    }
    let supply = supply(write, &Scope::everything(), agreement).await?;
    let row = item::Model {
        rerating_id: run.id,
        agreement_id: supply.id,
        account_no: supply.account_no,
        branch: supply.branch,
        outcome: None,
        reason: String::new(),
        bills: 0,
        credited: 0,
        debited: 0,
    };
    table::insert::<item::Entity>(write, row.clone()).await?;
    run.expected = run.expected.map(|expected| expected.saturating_add(1));
    Ok(row)
}

/// A run that the caller may see.
pub async fn one(conn: &Conn, scope: &Scope, id: Uuid) -> Result<rerating::Model, Fault> {
    scoped::<rerating::Entity>(scope)
        .filter(rerating::Column::Id.eq(id))
        .one(conn)
        .await?
        .ok_or_else(|| Fault::not_found("re-rating run", id))
}

/// A page of runs, of one version where it is given.
pub async fn list(conn: &Conn, scope: &Scope, page: &Page, tariff: Option<Uuid>) -> Result<(Vec<proto::Rerating>, String), Fault> {
    let mut select = scoped::<rerating::Entity>(scope).order_by_asc(rerating::Column::Id).limit(page.limit());
    if let Some(after) = page.after {
        select = select.filter(rerating::Column::Id.gt(after));
    }
    if let Some(tariff) = tariff {
        select = select.filter(rerating::Column::TariffId.eq(tariff));
    }
    let (rows, next) = page.cut(select.all(conn).await?, |r| r.id);
    let mut messages = vec![];
    for row in &rows {
        messages.push(message(conn, row).await?);
    }
    Ok((messages, next))
}

/// A page of agreements that have an outcome.
pub async fn items(conn: &Conn, scope: &Scope, page: &Page, run: Uuid, outcome: Option<Outcome>) -> Result<(Vec<proto::ReratingItem>, String), Fault> {
    let mut select = scoped::<item::Entity>(scope)
        .filter(item::Column::ReratingId.eq(run))
        .order_by_asc(item::Column::AgreementId)
        .limit(page.limit());
    if let Some(after) = page.after {
        select = select.filter(item::Column::AgreementId.gt(after));
    }
    select = match outcome {
        Some(outcome) => select.filter(item::Column::Outcome.eq(outcome.code())),
        None => select.filter(item::Column::Outcome.is_not_null()),
    };
    let (rows, next) = page.cut(select.all(conn).await?, |r| r.agreement_id);
    Ok((rows.iter().map(item_message).collect::<Result<_, _>>()?, next))
}

fn fen(amount: i64) -> Option<contracts::hearth::r#type::v1::Money> {
    Some(wire::money(Money::from_fen(amount)))
}

fn item_message(row: &item::Model) -> Result<proto::ReratingItem, Fault> {
    let outcome = row.outcome.as_deref().unwrap_or_default();
    Ok(proto::ReratingItem {
        agreement_id: row.agreement_id.to_string(),
        account_no: row.account_no.clone(),
        outcome: known(Outcome::of(outcome), outcome)?.number(),
        reason: row.reason.clone(),
        bills: row.bills,
        difference: fen(row.debited.saturating_sub(row.credited)),
        credited: fen(row.credited),
        debited: fen(row.debited),
    })
}

/// The message of a run.
pub async fn message(conn: &Conn, row: &rerating::Model) -> Result<proto::Rerating, Fault> {
    let mut state = known(ReratingState::of(&row.state), &row.state)?;
    if state == ReratingState::Running && is_given_up(conn, row.job_id).await? {
        state = ReratingState::Cancelled;
    }
    Ok(proto::Rerating {
        rerating_id: row.id.to_string(),
        job_id: row.job_id.to_string(),
        tariff_id: row.tariff_id.to_string(),
        replacement_tariff_id: row.replacement_id.to_string(),
        branch: row.branch.clone(),
        reason: row.reason.clone(),
        dry_run: row.dry_run,
        tried_rerating_id: row.tried_id.map(|id| id.to_string()).unwrap_or_default(),
        state: state.number(),
        expected: row.expected.unwrap_or(0),
        seen: row.seen(),
        corrected: row.corrected,
        unchanged: row.unchanged,
        parked: row.parked,
        difference: fen(row.debited.saturating_sub(row.credited)),
        credited: fen(row.credited),
        debited: fen(row.debited),
        create_time: Some(instant(row.created_at)),
        finish_time: row.finished_at.map(instant),
    })
}
