//! Tables of held bills and of the checks that hold them.

use std::{cmp::Reverse, collections::HashMap};

use calendar::{Instant, NaiveDate};
use chrono::Months;
use contracts::hearth::billing::v1 as proto;
use database::{Conn, Scope, Scoped, Write, find};
use money::{Money, Volume};
use rpc::{Fault, page::Page, wire};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Statement,
    sea_query::{Expr, ExprTrait},
};
use uuid::Uuid;

use super::model::{Action, Check, Code, Finding, HeldState, Past, Priced, Set, Sets, findings, shipped, step};
use crate::{
    fetch::{self, row},
    ledger::store::instant,
    meter::store::metres,
    run::{model::Draft, store::run},
    supply::store::supply,
    table,
    words::{has_word, known},
};

table!(held_bill, "held_bill", {
    #[sea_orm(primary_key, auto_increment = false)] id: Uuid,
    run_id: Uuid,
    state: String,
    agreement_id: Uuid,
    account_id: Uuid,
    account_no: String,
    branch: String,
    year: i32,
    month: i32,
    from_date: Date,
    to_date: Date,
    from_index: i64,
    to_index: i64,
    volume: i64,
    amount: i64,
    use_class: String,
    reading_id: Uuid,
    codes: String,
    findings: String,
    explanation: String,
    started_by: String,
    created_at: i64,
    decided_by: String,
    grounds: String,
    decided_at: Option<i64>,
    bill_id: Option<Uuid>,
    version: i64,
});
table!(check_set, "bill_check_set", {
    #[sea_orm(primary_key, auto_increment = false)] id: Uuid,
    branch: String,
    from_date: Date,
    document_reference: String,
    checks: String,
    published_by: String,
    created_at: i64,
});

row!(
    /// A bill of the past, litres and fen.
    Gone,
    {
        agreement_id: Uuid,
        from_date: NaiveDate,
        to_date: NaiveDate,
        volume: i64,
        amount: i64,
        estimated: bool,
    }
);

impl Scoped for held_bill::Entity {
    const BRANCH: Option<held_bill::Column> = Some(held_bill::Column::Branch);
}

/// Source of readings that are estimates.
pub const ESTIMATE: &str = "estimate";

impl held_bill::Model {
    /// A bill of a run that did not pass.
    pub fn of(run: &run::Model, supply: &supply::Model, draft: &Draft, found: &[Finding], now: Instant) -> Result<Self, Fault> {
        let codes: Vec<&str> = found.iter().map(|f| f.code.as_str()).collect();
        Ok(Self {
            id: Uuid::now_v7(),
            run_id: run.id,
            state: HeldState::Held.code().to_owned(),
            agreement_id: supply.id,
            account_id: supply.account_id,
            account_no: supply.account_no.clone(),
            branch: supply.branch.clone(),
            year: run.year,
            month: run.month,
            from_date: draft.from,
            to_date: draft.to,
            from_index: draft.from_index,
            to_index: draft.to_index,
            volume: draft.volume,
            amount: draft.amount.fen(),
            use_class: draft.class.clone(),
            reading_id: draft.reading,
            codes: codes.join(" "),
            findings: serde_json::to_string(found).map_err(Fault::internal)?,
            explanation: draft.explanation.clone(),
            started_by: run.started_by.clone().unwrap_or_default(),
            created_at: now.micros(),
            decided_by: String::new(),
            grounds: String::new(),
            decided_at: None,
            bill_id: None,
            version: 1,
        })
    }

    /// Where it stands.
    pub fn state(&self) -> Result<HeldState, Fault> {
        known(HeldState::of(&self.state), &self.state)
    }

    /// Whether another run found the very same.
    pub fn is_same(&self, other: &Self) -> bool {
        self.codes == other.codes && self.explanation == other.explanation && self.reading_id == other.reading_id && self.amount == other.amount
    }

    /// Whether a draft is the bill that is held.
    pub fn is_of(&self, draft: &Draft) -> bool {
        self.explanation == draft.explanation && self.reading_id == draft.reading && self.amount == draft.amount.fen() && self.volume == draft.volume
    }
}

/// All sets of checks. A city has few.
pub async fn sets(conn: &Conn) -> Result<Sets, Fault> {
    let mut published = vec![];
    for row in check_set::Entity::find().all(conn).await? {
        published.push(Set {
            id: row.id,
            checks: checks(&row)?.into(),
            branch: row.branch,
            from: row.from_date,
        });
    }
    Ok(Sets {
        published,
        shipped: shipped().map_err(Fault::internal)?,
    })
}

fn checks(row: &check_set::Model) -> Result<Vec<Check>, Fault> {
    serde_json::from_str(&row.checks).map_err(Fault::internal)
}

/// What a chunk of agreements is checked against.
pub struct Gate {
    sets: Sets,
    past: HashMap<Uuid, Vec<Past>>,
    open: HashMap<Uuid, held_bill::Model>,
}

impl Gate {
    /// Loads the bills of a year before a day, and what is held.
    pub async fn of(conn: &Conn, agreements: &[Uuid], first: NaiveDate) -> Result<Self, Fault> {
        // A year and the days by which a bill may end earlier, of a period that may be long itself.
        let since = first.checked_sub_months(Months::new(14)).unwrap_or(first);
        let open = held_bill::Entity::find()
            .filter(table::among(conn, held_bill::Column::AgreementId, agreements.iter().copied()))
            .filter(held_bill::Column::State.eq(HeldState::Held.code()))
            .all(conn)
            .await?;
        Ok(Self {
            sets: sets(conn).await?,
            past: past(conn, agreements, since).await?,
            open: open.into_iter().map(|row| (row.agreement_id, row)).collect(),
        })
    }

    /// The checks that a bill to be does not pass.
    pub fn findings(&self, supply: &supply::Model, bill: &Priced<'_>, issue: NaiveDate) -> Vec<Finding> {
        let past = self.past.get(&supply.id).map(Vec::as_slice).unwrap_or_default();
        findings(self.sets.shipped.compare, self.sets.on(&supply.branch, issue), bill, past)
    }

    /// What is held of an agreement.
    pub fn open(&self, agreement: Uuid) -> Option<&held_bill::Model> {
        self.open.get(&agreement)
    }
}

/// Live regular bills of agreements that end after a day, the latest first. A bill of the time before it was noted is known to be estimated by the reading
/// that it ends at.
async fn past(conn: &Conn, agreements: &[Uuid], since: NaiveDate) -> Result<HashMap<Uuid, Vec<Past>>, Fault> {
    if agreements.is_empty() {
        return Ok(HashMap::new());
    }
    let (among, keys) = table::among_sql(conn, 3, agreements);
    let sql = format!(
        "SELECT b.agreement_id, b.from_date, b.to_date, b.volume, b.amount, b.estimated OR coalesce(r.source, '') = $2 AS estimated
         FROM bill b LEFT JOIN reading r ON r.id = b.reading_id
         WHERE b.agreement_id {among} AND b.kind = 'REGULAR' AND b.state <> 'REVERSED' AND b.to_date > $1"
    );
    let values = [since.into(), ESTIMATE.into(), keys];
    let query = Statement::from_sql_and_values(conn.get_database_backend(), sql, values);
    let mut rows: Vec<Gone> = fetch::rows(conn, query).await?;
    rows.sort_by_key(|row| Reverse(row.to_date));
    let mut past: HashMap<Uuid, Vec<Past>> = HashMap::new();
    for row in rows {
        past.entry(row.agreement_id).or_default().push(Past {
            from: row.from_date,
            to: row.to_date,
            volume: row.volume,
            amount: row.amount,
            estimated: row.estimated,
        });
    }
    Ok(past)
}

/// Takes held bills off the list, since a run priced their agreements anew.
pub async fn supersede(write: &Write, ids: &[Uuid]) -> Result<(), Fault> {
    if ids.is_empty() {
        return Ok(());
    }
    let state = step(HeldState::Held, Action::Supersede)?;
    held_bill::Entity::update_many()
        .col_expr(held_bill::Column::State, state.code().into())
        .col_expr(held_bill::Column::DecidedAt, Some(write.now().micros()).into())
        .col_expr(held_bill::Column::Version, Expr::col(held_bill::Column::Version).add(1_i64))
        .filter(held_bill::Column::Id.is_in(ids.iter().copied()))
        .exec(&**write)
        .await?;
    Ok(())
}

/// A held bill that the caller may see.
pub async fn one(conn: &Conn, scope: &Scope, id: Uuid) -> Result<held_bill::Model, Fault> {
    find::<held_bill::Entity>(scope)
        .filter(held_bill::Column::Id.eq(id))
        .one(conn)
        .await?
        .ok_or_else(|| Fault::not_found("held bill", id))
}

/// A page of held bills.
pub async fn list(conn: &Conn, scope: &Scope, page: &Page, request: &proto::ListHeldBillsRequest) -> Result<(Vec<proto::HeldBill>, String), Fault> {
    let mut select = find::<held_bill::Entity>(scope).order_by_asc(held_bill::Column::Id).limit(page.limit());
    if let Some(after) = page.after {
        select = select.filter(held_bill::Column::Id.gt(after));
    }
    if let Some(state) = HeldState::of_number(request.state) {
        select = select.filter(held_bill::Column::State.eq(state.code()));
    }
    if let Some(code) = Code::of_number(request.code) {
        select = select.filter(has_word(held_bill::Column::Codes, code.code()));
    }
    for (column, value) in [
        (held_bill::Column::Branch, &request.branch),
        (held_bill::Column::AccountNo, &request.account_no),
    ] {
        if !value.is_empty() {
            select = select.filter(column.eq(value));
        }
    }
    let (rows, next) = page.cut(select.all(conn).await?, |r| r.id);
    Ok((rows.iter().map(message).collect::<Result<_, _>>()?, next))
}

/// The message of a held bill.
pub fn message(row: &held_bill::Model) -> Result<proto::HeldBill, Fault> {
    let found: Vec<Finding> = serde_json::from_str(&row.findings).map_err(Fault::internal)?;
    Ok(proto::HeldBill {
        held_bill_id: row.id.to_string(),
        run_id: row.run_id.to_string(),
        state: row.state()?.number(),
        agreement_id: row.agreement_id.to_string(),
        account_id: row.account_id.to_string(),
        account_no: row.account_no.clone(),
        branch: row.branch.clone(),
        year: row.year,
        month: row.month,
        from_date: Some(wire::date(row.from_date)),
        to_date: Some(wire::date(row.to_date)),
        from_index: Some(metres(row.from_index)),
        to_index: Some(metres(row.to_index)),
        volume: Some(metres(row.volume)),
        amount: Some(wire::money(Money::from_fen(row.amount))),
        use_class: row.use_class.clone(),
        reading_id: row.reading_id.to_string(),
        findings: found.iter().map(finding_message).collect::<Result<_, _>>()?,
        create_time: Some(instant(row.created_at)),
        started_by: row.started_by.clone(),
        decided_by: row.decided_by.clone(),
        grounds: row.grounds.clone(),
        decide_time: row.decided_at.map(instant),
        bill_id: row.bill_id.map_or_else(String::new, |id| id.to_string()),
        etag: rpc::etag(row.id, row.version),
    })
}

/// The message of a finding.
pub fn finding_message(found: &Finding) -> Result<proto::held_bill::Finding, Fault> {
    Ok(proto::held_bill::Finding {
        code: known(Code::of(&found.code), &found.code)?.number(),
        likely_volume: found.volume.map(metres),
        likely_amount: found.amount.map(|fen| wire::money(Money::from_fen(fen))),
        count: found.count,
    })
}

/// The checks of a request.
pub fn checks_of(messages: &[proto::BillCheck]) -> Result<Vec<Check>, Fault> {
    let mut checks = Vec::with_capacity(messages.len());
    for message in messages {
        let code = known(Code::of_number(message.code), "of a request")?;
        let amount = message.amount.as_ref().map(|a| wire::money_of(Some(a), "checks.amount")).transpose()?;
        let volume: Option<Volume> = message.volume.as_ref().map(|v| wire::decimal_of(Some(v), "checks.volume")).transpose()?;
        checks.push(Check {
            code: code.code().to_owned(),
            use_class: message.use_class.clone(),
            above_percent: message.above_percent,
            below_percent: message.below_percent,
            volume,
            amount,
            count: message.count,
        });
    }
    Ok(checks)
}

/// The message of a set.
pub fn set_message(row: &check_set::Model) -> Result<proto::BillCheckSet, Fault> {
    Ok(proto::BillCheckSet {
        check_set_id: row.id.to_string(),
        branch: row.branch.clone(),
        from_date: Some(wire::date(row.from_date)),
        document_reference: row.document_reference.clone(),
        checks: check_messages(&checks(row)?)?,
        published_by: row.published_by.clone(),
        create_time: Some(instant(row.created_at)),
    })
}

/// The set that holds for a branch on a day; that of the service has no id.
pub async fn set_on(conn: &Conn, branch: &str, day: NaiveDate) -> Result<proto::BillCheckSet, Fault> {
    let sets = sets(conn).await?;
    let row = match sets.published_on(branch, day) {
        Some(set) => check_set::Entity::find_by_id(set.id).one(conn).await?,
        None => None,
    };
    match row {
        Some(row) => set_message(&row),
        None => Ok(proto::BillCheckSet {
            checks: check_messages(&sets.shipped.check)?,
            ..proto::BillCheckSet::default()
        }),
    }
}

fn check_messages(checks: &[Check]) -> Result<Vec<proto::BillCheck>, Fault> {
    let message = |check: &Check| {
        Ok(proto::BillCheck {
            code: known(Code::of(&check.code), &check.code)?.number(),
            use_class: check.use_class.clone(),
            above_percent: check.above_percent,
            below_percent: check.below_percent,
            volume: check.volume.map(|v| metres(v.litres())),
            amount: check.amount.map(wire::money),
            count: check.count,
        })
    };
    checks.iter().map(message).collect()
}
