//! Theft cases (E11-05).

use chrono::Days;
use contracts::hearth::billing::v1::{
    DetermineTheftRequest, DetermineTheftResponse, DismissTheftCaseRequest, DismissTheftCaseResponse, OpenTheftCaseRequest, OpenTheftCaseResponse,
    ReportTheftCaseRequest, ReportTheftCaseResponse,
};
use database::{Begun, Scope, Write};
use money::{Money, Volume};
use rpc::{Call, Fault, wire};
use uuid::Uuid;

use super::{
    model::{Grounds, Method},
    ops::{Computed, Draft, file, flow_of, gas, limits, refused},
    store::{self, adjustment, theft_case},
    theft::{Action, Conduct, TheftState, step},
};
use crate::{Desk, Refusal, reading, supply::store as supplies, table};

/// OpenTheftCase: evidence and two witnesses.
pub async fn open(desk: Desk, call: Call, request: OpenTheftCaseRequest) -> Result<OpenTheftCaseResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let found = wire::date_of(request.found_date.as_ref(), "found_date")?;
    if found > write.now().date() {
        return Err(refused(Refusal::FutureDay, "found_date"));
    }
    let supply = gas(&write, &Scope::of(&call), &request.agreement_id).await?;
    let case_id = reading::case(&write, supply.id, request.case_id.as_deref()).await?;
    let conduct = Conduct::of_number(request.conduct).ok_or_else(|| Fault::internal("conduct without a word"))?;
    let row = theft_case::Model {
        id: Uuid::now_v7(),
        agreement_id: supply.id,
        account_id: supply.account_id,
        account_no: supply.account_no,
        party_id: supply.party_id,
        branch: supply.branch,
        state: TheftState::Opened.code().to_owned(),
        conduct: conduct.code().to_owned(),
        found_date: found,
        statement: request.statement.clone(),
        evidence: request.evidence_file_ids.join(" "),
        witnesses: request.witnesses.join(" "),
        police_report_no: String::new(),
        reported_date: None,
        adjustment_id: None,
        opened_by: call.subject().to_owned(),
        opened_at: write.now().micros(),
        reason: String::new(),
        version: 1,
        case_id,
    };
    table::insert::<theft_case::Entity>(&write, row.clone()).await?;
    write.subject(row.id);
    let theft_case = Some(store::case_message(&row)?);
    write.commit(OpenTheftCaseResponse { theft_case }).await
}

/// ReportTheftCase.
pub async fn report(desk: Desk, call: Call, request: ReportTheftCaseRequest) -> Result<ReportTheftCaseResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let (mut row, state) = locked(&write, &call, &request.theft_case_id, &request.etag, Action::Report).await?;
    let reported = wire::date_of(request.reported_date.as_ref(), "reported_date")?;
    if reported < row.found_date {
        return Err(refused(Refusal::DateOrder, "reported_date"));
    }
    if reported > write.now().date() {
        return Err(refused(Refusal::FutureDay, "reported_date"));
    }
    row.police_report_no.clone_from(&request.police_report_no);
    row.reported_date = Some(reported);
    keep(&mut write, &mut row, state).await?;
    let theft_case = Some(store::case_message(&row)?);
    write.commit(ReportTheftCaseResponse { theft_case }).await
}

/// DetermineTheft: rated flow times hours times days, those of the profile where they cannot be known.
pub async fn determine(desk: Desk, call: Call, request: DetermineTheftRequest) -> Result<DetermineTheftResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let (mut row, state) = locked(&write, &call, &request.theft_case_id, &request.etag, Action::Determine).await?;
    let supply = supplies::supply(&write, &Scope::everything(), row.agreement_id).await?;
    let limits = limits(&write, &row.branch).await?;
    let flow: Volume = wire::decimal_of(request.flow.as_ref(), "flow")?;
    let hours: Volume = match (&request.hours, limits.theft_hours) {
        (Some(hours), _) => wire::decimal_of(Some(hours), "hours")?,
        (None, Some(hours)) => Volume::from_litres(hours),
        (None, None) => return Err(refused(Refusal::TheftHours, "hours")),
    };
    let to = row.found_date;
    let from = match wire::date_if(request.since_date.as_ref(), "since_date")? {
        Some(since) if since < to => since,
        Some(_) => return Err(refused(Refusal::DateOrder, "since_date")),
        None => to.checked_sub_days(Days::new(limits.theft_days.into())).unwrap_or(to),
    };
    let volume = flow_of(flow, hours, (from, to), "flow")?;
    let days = to.signed_duration_since(from).num_days();
    let draft = Draft {
        grounds: Grounds::Theft,
        days: (from, to),
        computed: Computed::even(
            Method::RatedFlow,
            (from, to),
            volume,
            format!("{} m3/h x {} h a day x {days} days", flow.short(), hours.short()),
        ),
        statement: &row.statement,
        least: Money::ZERO,
        test_fee: None,
        case: row.case_id,
        theft: Some(&row),
    };
    let made = file(&mut write, &supply, &limits, draft).await?;
    row.adjustment_id = Some(made.id);
    keep(&mut write, &mut row, state).await?;
    let answer = DetermineTheftResponse {
        theft_case: Some(store::case_message(&row)?),
        adjustment: Some(store::message(&write, &made).await?),
    };
    write.commit(answer).await
}

/// DismissTheftCase: by another person than who opened it.
pub async fn dismiss(desk: Desk, call: Call, request: DismissTheftCaseRequest) -> Result<DismissTheftCaseResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let (mut row, state) = locked(&write, &call, &request.theft_case_id, &request.etag, Action::Dismiss).await?;
    if row.opened_by == call.subject() {
        return Err(Refusal::OwnTheftCase.into());
    }
    row.reason.clone_from(&request.reason);
    keep(&mut write, &mut row, state).await?;
    let theft_case = Some(store::case_message(&row)?);
    write.commit(DismissTheftCaseResponse { theft_case }).await
}

/// Who made a case: they approve nothing of it.
pub fn makers(row: &theft_case::Model) -> impl Iterator<Item = &str> {
    row.witnesses.split_ascii_whitespace().chain([row.opened_by.as_str()])
}

/// Brings the case of an adjustment in line with it.
pub async fn follow(write: &mut Write, adjustment: &adjustment::Model, action: Action) -> Result<(), Fault> {
    let Some(id) = adjustment.theft_case_id else { return Ok(()) };
    let mut row = store::one_case(write, &Scope::everything(), id).await?;
    let state = step(row.state()?, action)?;
    if state == TheftState::Reported {
        row.adjustment_id = None;
    }
    keep(write, &mut row, state).await
}

/// A case that something happens to, as its caller saw it, and where that leads; its account is locked.
async fn locked(write: &Write, call: &Call, id: &str, etag: &str, action: Action) -> Result<(theft_case::Model, TheftState), Fault> {
    let (scope, id): (Scope, Uuid) = (Scope::of(call), wire::id_of("theft_case_id", id)?);
    let seen = store::one_case(write, &scope, id).await?;
    supplies::lock_accounts(write, &[seen.account_id]).await?;
    let row = store::one_case(write, &scope, id).await?;
    let state = step(row.state()?, action)?;
    rpc::check_etag(etag, row.id, row.version)?;
    Ok((row, state))
}

async fn keep(write: &mut Write, row: &mut theft_case::Model, state: TheftState) -> Result<(), Fault> {
    state.code().clone_into(&mut row.state);
    row.version = row.version.saturating_add(1);
    table::update::<theft_case::Entity>(write, row.clone()).await?;
    write.subject(row.id);
    Ok(())
}
