//! Tables of adjustments and theft cases.

use std::collections::HashMap;

use contracts::hearth::{billing::v1 as proto, options::v1::Role};
use database::{Conn, Scope, Scoped, find};
use money::Money;
use rpc::{Fault, page::Page, wire};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::{
    model::{AdjustmentState, Grounds, Level, Limits, Method, Part},
    theft::{Conduct, TheftState},
};
use crate::{ledger::store::instant, meter::store::metres, table, words::known};

table!(adjustment, "adjustment", {
    #[sea_orm(primary_key, auto_increment = false)] id: Uuid,
    adjustment_no: String,
    agreement_id: Uuid,
    account_id: Uuid,
    account_no: String,
    party_id: Uuid,
    branch: String,
    state: String,
    grounds: String,
    method: String,
    from_date: Date,
    to_date: Date,
    volume: i64,
    computation: String,
    expected: i64,
    statement: String,
    /// File ids, a blank between them.
    evidence: String,
    /// Who took part in making it, a line each.
    makers: String,
    informed_date: Option<Date>,
    levels: i32,
    /// Numbers of the posts, a blank between them, a line for each level.
    roles: String,
    requested_by: String,
    requested_at: i64,
    decided_by: String,
    reason: String,
    posted_at: Option<i64>,
    difference: Option<i64>,
    bill_id: Option<Uuid>,
    theft_case_id: Option<Uuid>,
    test_fee_bill_id: Option<Uuid>,
    version: i64,
    case_id: Option<Uuid>,
});
table!(part, "adjustment_part", {
    #[sea_orm(primary_key, auto_increment = false)] adjustment_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)] from_date: Date,
    to_date: Date,
    volume: i64,
});
table!(approval, "adjustment_approval", {
    #[sea_orm(primary_key, auto_increment = false)] id: Uuid,
    adjustment_id: Uuid,
    level: i32,
    role: String,
    approved_by: String,
    approved_at: i64,
});
table!(theft_case, "theft_case", {
    #[sea_orm(primary_key, auto_increment = false)] id: Uuid,
    agreement_id: Uuid,
    account_id: Uuid,
    account_no: String,
    party_id: Uuid,
    branch: String,
    state: String,
    conduct: String,
    found_date: Date,
    statement: String,
    /// File ids, a blank between them.
    evidence: String,
    /// Who was there, a blank between them.
    witnesses: String,
    police_report_no: String,
    reported_date: Option<Date>,
    adjustment_id: Option<Uuid>,
    opened_by: String,
    opened_at: i64,
    reason: String,
    version: i64,
    case_id: Option<Uuid>,
});

impl Default for Limits {
    /// The thresholds of E11-02; the look-back of E11-04 and the days of E11-05.
    fn default() -> Self {
        let level = |up_to_volume, up_to_amount, roles: &[Role]| Level {
            up_to_volume,
            up_to_amount,
            roles: roles.iter().map(|role| i32::from(*role)).collect(),
        };
        Self {
            levels: vec![
                level(Some(50_000), Some(500_000), &[Role::DistrictManager, Role::Accountant]),
                level(Some(500_000), Some(500_000), &[Role::ServiceManager]),
                level(None, None, &[Role::Leader, Role::Finance]),
            ],
            lookback_months: 2,
            theft_days: 180,
            theft_hours: None,
        }
    }
}

impl Scoped for adjustment::Entity {
    const BRANCH: Option<adjustment::Column> = Some(adjustment::Column::Branch);
}

impl Scoped for theft_case::Entity {
    const BRANCH: Option<theft_case::Column> = Some(theft_case::Column::Branch);
}

impl adjustment::Model {
    /// Where it stands.
    pub fn state(&self) -> Result<AdjustmentState, Fault> {
        known(AdjustmentState::of(&self.state), &self.state)
    }

    /// Why it is asked for.
    pub fn grounds(&self) -> Result<Grounds, Fault> {
        known(Grounds::of(&self.grounds), &self.grounds)
    }

    /// Posts of its level that decides which have yet to approve.
    pub fn awaited(&self, approvals: &[approval::Model]) -> Result<Vec<Role>, Fault> {
        let Some(level) = self.state()?.level() else { return Ok(vec![]) };
        let gave = |role: &Role| {
            let code = role.as_str_name();
            approvals.iter().any(|a| usize::try_from(a.level) == Ok(level) && a.role == code)
        };
        let posts = self.roles.lines().nth(level.saturating_sub(1)).unwrap_or_default();
        let posts = posts
            .split_ascii_whitespace()
            .filter_map(|number| Role::try_from(number.parse::<i32>().ok()?).ok());
        Ok(posts.filter(|role| !gave(role)).collect())
    }
}

impl theft_case::Model {
    /// Where it stands.
    pub fn state(&self) -> Result<TheftState, Fault> {
        known(TheftState::of(&self.state), &self.state)
    }
}

/// Levels as an adjustment keeps them.
pub fn roles_text(levels: &[Level]) -> String {
    let lines = levels.iter().map(|l| l.roles.iter().map(i32::to_string).collect::<Vec<_>>().join(" "));
    lines.collect::<Vec<_>>().join("\n")
}

/// An adjustment that the caller may see.
pub async fn one(conn: &Conn, scope: &Scope, id: Uuid) -> Result<adjustment::Model, Fault> {
    find::<adjustment::Entity>(scope)
        .filter(adjustment::Column::Id.eq(id))
        .one(conn)
        .await?
        .ok_or_else(|| Fault::not_found("adjustment", id))
}

/// A theft case that the caller may see.
pub async fn one_case(conn: &Conn, scope: &Scope, id: Uuid) -> Result<theft_case::Model, Fault> {
    find::<theft_case::Entity>(scope)
        .filter(theft_case::Column::Id.eq(id))
        .one(conn)
        .await?
        .ok_or_else(|| Fault::not_found("theft case", id))
}

/// How the volume of an adjustment lies in its days.
pub async fn parts(conn: &Conn, adjustment: Uuid) -> Result<Vec<part::Model>, Fault> {
    Ok(part::Entity::find()
        .filter(part::Column::AdjustmentId.eq(adjustment))
        .order_by_asc(part::Column::FromDate)
        .all(conn)
        .await?)
}

/// Who approved an adjustment, in order.
pub async fn approvals(conn: &Conn, adjustment: Uuid) -> Result<Vec<approval::Model>, Fault> {
    Ok(approval::Entity::find()
        .filter(approval::Column::AdjustmentId.eq(adjustment))
        .order_by_asc(approval::Column::Id)
        .all(conn)
        .await?)
}

/// What bills of agreements have to count besides their readings: the parts of what is posted. A theft is a bill of its own.
pub async fn posted(conn: &Conn, agreements: &[Uuid]) -> Result<HashMap<Uuid, Vec<Part>>, Fault> {
    let rows: HashMap<Uuid, Uuid> = adjustment::Entity::find()
        .filter(table::among(conn, adjustment::Column::AgreementId, agreements.iter().copied()))
        .filter(adjustment::Column::State.eq(AdjustmentState::Posted.code()))
        .filter(adjustment::Column::Grounds.ne(Grounds::Theft.code()))
        .all(conn)
        .await?
        .into_iter()
        .map(|row| (row.id, row.agreement_id))
        .collect();
    let mut posted: HashMap<Uuid, Vec<Part>> = HashMap::new();
    if rows.is_empty() {
        return Ok(posted);
    }
    let parts = part::Entity::find().filter(part::Column::AdjustmentId.is_in(rows.keys().copied()));
    for row in parts.all(conn).await? {
        if let Some(agreement) = rows.get(&row.adjustment_id) {
            posted.entry(*agreement).or_default().push(row.part());
        }
    }
    Ok(posted)
}

impl part::Model {
    /// As the rules read it.
    pub const fn part(&self) -> Part {
        Part {
            from: self.from_date,
            to: self.to_date,
            volume: self.volume,
        }
    }
}

/// A page of adjustments without their parts.
pub async fn list(
    conn: &Conn,
    scope: &Scope,
    page: &Page,
    agreement: Option<Uuid>,
    state: Option<AdjustmentState>,
) -> Result<(Vec<proto::Adjustment>, String), Fault> {
    let mut select = find::<adjustment::Entity>(scope).order_by_asc(adjustment::Column::Id).limit(page.limit());
    if let Some(after) = page.after {
        select = select.filter(adjustment::Column::Id.gt(after));
    }
    if let Some(agreement) = agreement {
        select = select.filter(adjustment::Column::AgreementId.eq(agreement));
    }
    if let Some(state) = state {
        select = select.filter(adjustment::Column::State.eq(state.code()));
    }
    let (rows, next) = page.cut(select.all(conn).await?, |r| r.id);
    let approvals = approval::Entity::find()
        .filter(approval::Column::AdjustmentId.is_in(rows.iter().map(|r| r.id)))
        .order_by_asc(approval::Column::Id)
        .all(conn)
        .await?;
    let of = |row: &adjustment::Model| approvals.iter().filter(|a| a.adjustment_id == row.id).cloned().collect::<Vec<_>>();
    Ok((rows.iter().map(|row| told(row, &of(row), &[])).collect::<Result<_, _>>()?, next))
}

/// A page of theft cases.
pub async fn list_cases(
    conn: &Conn,
    scope: &Scope,
    page: &Page,
    agreement: Option<Uuid>,
    state: Option<TheftState>,
) -> Result<(Vec<proto::TheftCase>, String), Fault> {
    let mut select = find::<theft_case::Entity>(scope).order_by_asc(theft_case::Column::Id).limit(page.limit());
    if let Some(after) = page.after {
        select = select.filter(theft_case::Column::Id.gt(after));
    }
    if let Some(agreement) = agreement {
        select = select.filter(theft_case::Column::AgreementId.eq(agreement));
    }
    if let Some(state) = state {
        select = select.filter(theft_case::Column::State.eq(state.code()));
    }
    let (rows, next) = page.cut(select.all(conn).await?, |r| r.id);
    Ok((rows.iter().map(case_message).collect::<Result<_, _>>()?, next))
}

fn words(text: &str) -> Vec<String> {
    text.split_ascii_whitespace().map(str::to_owned).collect()
}

/// The message of an adjustment with all that belongs to it.
pub async fn message(conn: &Conn, row: &adjustment::Model) -> Result<proto::Adjustment, Fault> {
    told(row, &approvals(conn, row.id).await?, &parts(conn, row.id).await?)
}

fn told(row: &adjustment::Model, approvals: &[approval::Model], parts: &[part::Model]) -> Result<proto::Adjustment, Fault> {
    let fen = |amount| wire::money(Money::from_fen(amount));
    let id = |id: Option<Uuid>| id.map_or_else(String::new, |id| id.to_string());
    Ok(proto::Adjustment {
        adjustment_id: row.id.to_string(),
        adjustment_no: row.adjustment_no.clone(),
        agreement_id: row.agreement_id.to_string(),
        account_id: row.account_id.to_string(),
        account_no: row.account_no.clone(),
        party_id: row.party_id.to_string(),
        branch: row.branch.clone(),
        state: row.state()?.number(),
        grounds: row.grounds()?.number(),
        method: known(Method::of(&row.method), &row.method)?.number(),
        from_date: Some(wire::date(row.from_date)),
        to_date: Some(wire::date(row.to_date)),
        volume: Some(metres(row.volume)),
        computation: row.computation.clone(),
        expected_amount: Some(fen(row.expected)),
        statement: row.statement.clone(),
        evidence_file_ids: words(&row.evidence),
        informed_date: row.informed_date.map(wire::date),
        levels: row.levels,
        awaited_roles: row.awaited(approvals)?.into_iter().map(i32::from).collect(),
        approvals: approvals
            .iter()
            .map(|a| proto::AdjustmentApproval {
                level: a.level,
                role: Role::from_str_name(&a.role).unwrap_or_default().into(),
                approved_by: a.approved_by.clone(),
                approve_time: Some(instant(a.approved_at)),
            })
            .collect(),
        requested_by: row.requested_by.clone(),
        request_time: Some(instant(row.requested_at)),
        decided_by: row.decided_by.clone(),
        reason: row.reason.clone(),
        post_time: row.posted_at.map(instant),
        difference: row.difference.map(fen),
        bill_id: id(row.bill_id),
        theft_case_id: id(row.theft_case_id),
        test_fee_bill_id: id(row.test_fee_bill_id),
        parts: parts
            .iter()
            .map(|p| proto::AdjustmentPart {
                from_date: Some(wire::date(p.from_date)),
                to_date: Some(wire::date(p.to_date)),
                volume: Some(metres(p.volume)),
            })
            .collect(),
        etag: rpc::etag(row.id, row.version),
        case_id: id(row.case_id),
    })
}

/// The message of a theft case.
pub fn case_message(row: &theft_case::Model) -> Result<proto::TheftCase, Fault> {
    Ok(proto::TheftCase {
        theft_case_id: row.id.to_string(),
        agreement_id: row.agreement_id.to_string(),
        account_id: row.account_id.to_string(),
        account_no: row.account_no.clone(),
        party_id: row.party_id.to_string(),
        branch: row.branch.clone(),
        state: row.state()?.number(),
        conduct: known(Conduct::of(&row.conduct), &row.conduct)?.number(),
        found_date: Some(wire::date(row.found_date)),
        statement: row.statement.clone(),
        evidence_file_ids: words(&row.evidence),
        witnesses: words(&row.witnesses),
        police_report_no: row.police_report_no.clone(),
        reported_date: row.reported_date.map(wire::date),
        adjustment_id: row.adjustment_id.map_or_else(String::new, |id| id.to_string()),
        opened_by: row.opened_by.clone(),
        open_time: Some(instant(row.opened_at)),
        reason: row.reason.clone(),
        etag: rpc::etag(row.id, row.version),
        case_id: row.case_id.map_or_else(String::new, |id| id.to_string()),
    })
}
