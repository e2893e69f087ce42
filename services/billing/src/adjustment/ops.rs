//! Asking for adjustments, and deciding on them.

use calendar::NaiveDate;
use chrono::{Datelike, Months};
use contracts::hearth::{
    billing::v1::{
        ApproveAdjustmentRequest, ApproveAdjustmentResponse, FileEvidenceRequest, FileEvidenceResponse, RejectAdjustmentRequest, RejectAdjustmentResponse,
        RequestAdjustmentRequest, RequestAdjustmentResponse, SubmitAdjustmentRequest, SubmitAdjustmentResponse,
    },
    options::v1::Role,
};
use database::{Begun, Scope, Write, numbers};
use money::{Money, UnitPrice, Volume};
use rpc::{Call, Fault, wire};
use uuid::Uuid;

use super::{
    case,
    model::{Action, AdjustmentState, Grounds, Limits, Method, Part, approval, by_comparison, by_error, by_flow, exceeds, proves, step, within},
    store::{self, adjustment, approval as approvals, part},
    theft,
};
use crate::{
    Desk, Refusal,
    bill::{
        model::{BillKind, BillState},
        store as bills,
    },
    profile::store::book,
    reading,
    run::chunk::{Loaded, Meters},
    supply::{
        model::Service,
        store::{self as supplies, supply},
    },
    table,
};

/// Hours of a day, thousandths.
const DAY: i64 = 24_000;

/// RequestAdjustment (E11-01).
pub async fn request(desk: Desk, call: Call, request: RequestAdjustmentRequest) -> Result<RequestAdjustmentResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let supply = gas(&write, &Scope::of(&call), &request.agreement_id).await?;
    let grounds = Grounds::of_number(request.grounds).ok_or_else(|| Fault::internal("grounds without a word"))?;
    let days = days(&write, request.from_date.as_ref(), request.to_date.as_ref())?;
    let billed = billed(&write, supply.id).await?;
    let limits = limits(&write, &supply.branch).await?;
    let computed = if let Some(test) = &request.error_formula {
        let error: UnitPrice = wire::decimal_of(test.error_percent.as_ref(), "error_formula.error_percent")?;
        let permitted: UnitPrice = wire::decimal_of(test.permitted_percent.as_ref(), "error_formula.permitted_percent")?;
        if error.micros().unsigned_abs() <= permitted.micros().unsigned_abs() {
            return Err(Refusal::MeterWithinLimits.into());
        }
        let first = days.1.checked_sub_months(Months::new(limits.lookback_months)).unwrap_or(days.0);
        let days = (days.0.max(first), days.1);
        let adjusted = store::posted(&write, &[supply.id]).await?.remove(&supply.id).unwrap_or_default();
        let parts = by_error(&billed, &adjusted, days, error.micros()).ok_or_else(|| refused(Refusal::AdjustmentNothing, "error_formula"))?;
        let read = within(&billed, days.0, days.1).saturating_sub(within(&adjusted, days.0, days.1));
        let text = format!("{} m3 read / (1 + {} %), report {}", metres(read), error.short(), test.report_no);
        Computed::new(Method::ErrorFormula, parts, text)
    } else if let Some(like) = &request.comparison {
        let from = wire::date_of(like.from_date.as_ref(), "comparison.from_date")?;
        let to = wire::date_of(like.to_date.as_ref(), "comparison.to_date")?;
        let expected = by_comparison(&billed, (from, to), days).ok_or_else(|| refused(Refusal::NoBasis, "comparison"))?;
        let known = within(&billed, days.0, days.1);
        let text = format!("{} m3 as in {from} to {to}, {} m3 billed", metres(expected), metres(known));
        Computed::even(Method::Comparison, days, expected.saturating_sub(known), text)
    } else if let Some(rated) = &request.rated_flow {
        let flow: Volume = wire::decimal_of(rated.flow.as_ref(), "rated_flow.flow")?;
        let hours: Volume = wire::decimal_of(rated.hours.as_ref(), "rated_flow.hours")?;
        let used = flow_of(flow, hours, days, "rated_flow")?;
        let known = within(&billed, days.0, days.1);
        let text = format!("{} m3/h x {} h a day, {} m3 billed", flow.short(), hours.short(), metres(known));
        Computed::even(Method::RatedFlow, days, used.saturating_sub(known), text)
    } else {
        let volume: Volume = wire::decimal_of(request.stated_volume.as_ref(), "stated_volume")?;
        Computed::even(Method::Stated, days, volume.litres(), "as stated".to_owned())
    };
    proves(computed.method, grounds).map_err(|r| Fault::from(r).field("grounds"))?;
    if exceeds(&billed, &computed.parts) {
        return Err(Refusal::AdjustmentExceeds.into());
    }
    let test_fee = request.test_fee_bill_id.as_deref().map(|id| wire::id_of("test_fee_bill_id", id)).transpose()?;
    if let Some(fee) = test_fee {
        let fee = bills::one(&write, &Scope::everything(), fee).await?;
        if fee.account_id != supply.account_id || fee.kind()? != BillKind::Fee || fee.state()? == BillState::Reversed || grounds != Grounds::MeterError {
            return Err(refused(Refusal::BillState, "test_fee_bill_id"));
        }
    }
    let least = request
        .expected_amount
        .as_ref()
        .map(|a| wire::money_of(Some(a), "expected_amount"))
        .transpose()?;
    let draft = Draft {
        grounds,
        days,
        computed,
        statement: &request.statement,
        least: least.unwrap_or(Money::ZERO),
        test_fee,
        case: reading::case(&write, supply.id, request.case_id.as_deref()).await?,
        theft: None,
    };
    let row = file(&mut write, &supply, &limits, draft).await?;
    let adjustment = Some(store::message(&write, &row).await?);
    write.commit(RequestAdjustmentResponse { adjustment }).await
}

/// A volume with its method and how it came about.
pub struct Computed {
    pub method: Method,
    pub parts: Vec<Part>,
    pub text: String,
}

impl Computed {
    fn new(method: Method, parts: Vec<Part>, text: String) -> Self {
        Self { method, parts, text }
    }

    /// Evenly over its days.
    pub fn even(method: Method, (from, to): (NaiveDate, NaiveDate), volume: i64, text: String) -> Self {
        Self::new(method, vec![Part { from, to, volume }], text)
    }

    fn volume(&self) -> i64 {
        self.parts.iter().map(|p| p.volume).fold(0, i64::saturating_add)
    }
}

/// An adjustment to file.
pub struct Draft<'a> {
    pub grounds: Grounds,
    pub days: (NaiveDate, NaiveDate),
    pub computed: Computed,
    pub statement: &'a str,
    /// What it comes to at least.
    pub least: Money,
    pub test_fee: Option<Uuid>,
    /// The abnormal case that it comes from.
    pub case: Option<Uuid>,
    /// The theft case, with its evidence and who made it.
    pub theft: Option<&'a store::theft_case::Model>,
}

/// Files an adjustment with the levels that it needs; that of a theft brings its evidence.
pub async fn file(write: &mut Write, supply: &supply::Model, limits: &Limits, draft: Draft<'_>) -> Result<adjustment::Model, Fault> {
    let volume = draft.computed.volume();
    if volume == 0 {
        return Err(Refusal::AdjustmentNothing.into());
    }
    let (from, to) = draft.days;
    let loaded = Loaded::of_days(write, supply, draft.days, Meters::Free).await?;
    // What is taken away was the last of its tier years.
    let size = volume.saturating_abs();
    let priced = loaded.alone(supply, draft.days, size, if volume < 0 { size } else { 0 })?;
    let priced = priced.map_err(|cause| Fault::from(Refusal::AdjustmentUnpriced).meta("cause", cause))?;
    let expected = priced.amount.max(draft.least);
    let levels = limits.needed(volume, expected.fen());
    let call = write.call().clone();
    let (year, now) = (write.now().date().year(), write.now().micros());
    let number = numbers::next(write, "AD", &supply.branch, year, 1).await?;
    let makers = [call.subject()].into_iter().chain(draft.theft.into_iter().flat_map(case::makers));
    let row = adjustment::Model {
        id: Uuid::now_v7(),
        adjustment_no: format!("AD-{}-{year}-{number:07}", supply.branch),
        agreement_id: supply.id,
        account_id: supply.account_id,
        account_no: supply.account_no.clone(),
        party_id: supply.party_id,
        branch: supply.branch.clone(),
        state: if draft.theft.is_some() {
            step(AdjustmentState::Requested, Action::File)?
        } else {
            AdjustmentState::Requested
        }
        .code()
        .to_owned(),
        grounds: draft.grounds.code().to_owned(),
        method: draft.computed.method.code().to_owned(),
        from_date: from,
        to_date: to,
        volume,
        computation: draft.computed.text,
        expected: expected.fen(),
        statement: draft.statement.to_owned(),
        evidence: draft.theft.map_or_else(String::new, |c| c.evidence.clone()),
        makers: makers.collect::<Vec<_>>().join("\n"),
        informed_date: None,
        levels: i32::try_from(levels.len()).unwrap_or(i32::MAX),
        roles: store::roles_text(levels),
        requested_by: call.subject().to_owned(),
        requested_at: now,
        decided_by: String::new(),
        reason: String::new(),
        posted_at: None,
        difference: None,
        bill_id: None,
        theft_case_id: draft.theft.map(|c| c.id),
        test_fee_bill_id: draft.test_fee,
        version: 1,
        case_id: draft.case,
    };
    table::insert::<adjustment::Entity>(write, row.clone()).await?;
    let parts = draft.computed.parts.iter().map(|p| part::Model {
        adjustment_id: row.id,
        from_date: p.from,
        to_date: p.to,
        volume: p.volume,
    });
    table::insert_all::<part::Entity>(write, parts).await?;
    write.subject(row.id);
    Ok(row)
}

/// FileEvidence (E11-01).
pub async fn evidence(desk: Desk, call: Call, request: FileEvidenceRequest) -> Result<FileEvidenceResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let (mut row, state) = locked(&write, &call, &request.adjustment_id, &request.etag, Action::File).await?;
    for file in &request.evidence_file_ids {
        if !row.evidence.split_ascii_whitespace().any(|known| known == file) {
            row.evidence = format!("{} {file}", row.evidence).trim_start().to_owned();
        }
    }
    make(&mut row, call.subject());
    keep(&mut write, &mut row, state).await?;
    let adjustment = Some(store::message(&write, &row).await?);
    write.commit(FileEvidenceResponse { adjustment }).await
}

/// SubmitAdjustment (E11-01): with evidence, and the customer informed.
pub async fn submit(desk: Desk, call: Call, request: SubmitAdjustmentRequest) -> Result<SubmitAdjustmentResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let informed = wire::date_of(request.informed_date.as_ref(), "informed_date")?;
    if informed > write.now().date() {
        return Err(refused(Refusal::FutureDay, "informed_date"));
    }
    let (mut row, state) = locked(&write, &call, &request.adjustment_id, &request.etag, Action::Submit).await?;
    row.informed_date = Some(informed);
    make(&mut row, call.subject());
    keep(&mut write, &mut row, state).await?;
    let adjustment = Some(store::message(&write, &row).await?);
    write.commit(SubmitAdjustmentResponse { adjustment }).await
}

/// ApproveAdjustment (E11-02): each post by another person, none of them who made it.
pub async fn approve(desk: Desk, call: Call, request: ApproveAdjustmentRequest) -> Result<ApproveAdjustmentResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let (mut row, _) = locked(&write, &call, &request.adjustment_id, &request.etag, Action::Sign).await?;
    let given = store::approvals(&write, row.id).await?;
    if row.makers.lines().any(|maker| maker == call.subject()) || given.iter().any(|a| a.approved_by == call.subject()) {
        return Err(Refusal::OwnAdjustment.into());
    }
    let awaited = row.awaited(&given)?;
    let role = Role::try_from(request.role).unwrap_or_default();
    if !awaited.contains(&role) || !call.has(role) {
        return Err(Refusal::AdjustmentPost.into());
    }
    let level = row.state()?.level().unwrap_or_default();
    let levels = usize::try_from(row.levels).unwrap_or_default();
    let state = step(row.state()?, approval(awaited.len(), level, levels))?;
    let signed = approvals::Model {
        id: Uuid::now_v7(),
        adjustment_id: row.id,
        level: i32::try_from(level).unwrap_or_default(),
        role: role.as_str_name().to_owned(),
        approved_by: call.subject().to_owned(),
        approved_at: write.now().micros(),
    };
    table::insert::<approvals::Entity>(&write, signed).await?;
    keep(&mut write, &mut row, state).await?;
    let adjustment = Some(store::message(&write, &row).await?);
    write.commit(ApproveAdjustmentResponse { adjustment }).await
}

/// RejectAdjustment.
pub async fn reject(desk: Desk, call: Call, request: RejectAdjustmentRequest) -> Result<RejectAdjustmentResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let (mut row, state) = locked(&write, &call, &request.adjustment_id, &request.etag, Action::Reject).await?;
    not_own(&row, &call)?;
    call.subject().clone_into(&mut row.decided_by);
    row.reason.clone_from(&request.reason);
    keep(&mut write, &mut row, state).await?;
    case::follow(&mut write, &row, theft::Action::Return).await?;
    let adjustment = Some(store::message(&write, &row).await?);
    write.commit(RejectAdjustmentResponse { adjustment }).await
}

/// An adjustment that something happens to, as its caller saw it, and where that leads; its account is locked.
pub async fn locked(write: &Write, call: &Call, id: &str, etag: &str, action: Action) -> Result<(adjustment::Model, AdjustmentState), Fault> {
    let (scope, id): (Scope, Uuid) = (Scope::of(call), wire::id_of("adjustment_id", id)?);
    let seen = store::one(write, &scope, id).await?;
    supplies::lock_accounts(write, &[seen.account_id]).await?;
    let row = store::one(write, &scope, id).await?;
    let state = step(row.state()?, action)?;
    rpc::check_etag(etag, row.id, row.version)?;
    Ok((row, state))
}

/// Who asked for an adjustment does not decide on it.
pub fn not_own(row: &adjustment::Model, call: &Call) -> Result<(), Refusal> {
    if row.requested_by == call.subject() {
        return Err(Refusal::OwnAdjustment);
    }
    Ok(())
}

/// Writes an adjustment in its new state.
pub async fn keep(write: &mut Write, row: &mut adjustment::Model, state: AdjustmentState) -> Result<(), Fault> {
    state.code().clone_into(&mut row.state);
    row.version = row.version.saturating_add(1);
    table::update::<adjustment::Entity>(write, row.clone()).await?;
    write.subject(row.id);
    Ok(())
}

/// Notes who took part in making an adjustment.
fn make(row: &mut adjustment::Model, subject: &str) {
    if !row.makers.lines().any(|maker| maker == subject) {
        row.makers = format!("{}\n{subject}", row.makers);
    }
}

/// A gas agreement that the caller may see; its account is locked.
pub async fn gas(write: &Write, scope: &Scope, agreement: &str) -> Result<supply::Model, Fault> {
    let supply = supply(write, scope, wire::id_of("agreement_id", agreement)?).await?;
    if supply.service != Service::Gas.code() {
        return Err(Fault::not_found("agreement", supply.id));
    }
    supplies::lock_accounts(write, &[supply.account_id]).await?;
    Ok(supply)
}

/// What a branch has decided about adjustments as of today.
pub async fn limits(write: &Write, branch: &str) -> Result<Limits, Fault> {
    let book = book(write).await?;
    Ok(book.on(branch, write.now().date()).adjustment.clone().unwrap_or_default())
}

/// The volume of a rated flow.
pub fn flow_of(flow: Volume, hours: Volume, days: (NaiveDate, NaiveDate), field: &str) -> Result<i64, Fault> {
    let within_a_day = Some(hours.litres()).filter(|hours| (1..=DAY).contains(hours));
    let used = within_a_day.and_then(|hours| by_flow(flow.litres(), hours, days));
    used.filter(|used| *used > 0).ok_or_else(|| refused(Refusal::Quantity, field))
}

/// The days of an adjustment.
fn days(
    write: &Write,
    from: Option<&contracts::hearth::r#type::v1::Date>,
    to: Option<&contracts::hearth::r#type::v1::Date>,
) -> Result<(NaiveDate, NaiveDate), Fault> {
    let (from, to) = (wire::date_of(from, "from_date")?, wire::date_of(to, "to_date")?);
    if to <= from {
        return Err(refused(Refusal::DateOrder, "to_date"));
    }
    if to > write.now().date() {
        return Err(refused(Refusal::FutureDay, "to_date"));
    }
    Ok((from, to))
}

/// What regular bills of an agreement count.
async fn billed(write: &Write, agreement: Uuid) -> Result<Vec<Part>, Fault> {
    let bills = bills::regular(write, &[agreement]).await?;
    Ok(bills
        .iter()
        .map(|b| Part {
            from: b.from_date,
            to: b.to_date,
            volume: b.volume,
        })
        .collect())
}

fn metres(litres: i64) -> impl std::fmt::Display {
    Volume::from_litres(litres).short()
}

/// A refusal of a field.
pub fn refused(refusal: Refusal, field: &str) -> Fault {
    Fault::from(refusal).field(field)
}
