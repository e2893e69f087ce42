use calendar::Calendar;
use contracts::hearth::archive::v1::{
    AppealListingRequest, AppealListingResponse, DecideAppealRequest, DecideAppealResponse, DismissCaseRequest, DismissCaseResponse, GetIntegrityCaseRequest,
    GetIntegrityCaseResponse, IntegrityCase, InvestigateConductRequest, InvestigateConductResponse, ListConductsRequest, ListConductsResponse,
    ListIntegrityCasesRequest, ListIntegrityCasesResponse, ListPartyRequest, ListPartyResponse, NotifyPartyRequest, NotifyPartyResponse,
    RecordStatementRequest, RecordStatementResponse, RemoveListingRequest, RemoveListingResponse, ReportConductRequest, ReportConductResponse,
    RevealIntegrityCaseRequest, RevealIntegrityCaseResponse,
};
use database::{Begun, Scope, Write};
use ids::PartyId;
use rpc::{Call, Fault, page::Page, wire};
use uuid::Uuid;

use super::{
    dispute,
    model::{self, Action, Severity, State, step},
    reach,
    store::{self, row},
};
use crate::{
    Desk,
    credit::{
        books,
        store::{pack, unpack},
    },
    party::{model::text, store as parties},
    refusal::{Refusal, at},
    table::insert,
    unsealed,
};

pub(crate) async fn conducts(desk: Desk, _: Call, _: ListConductsRequest) -> Result<ListConductsResponse, Fault> {
    Ok(ListConductsResponse {
        conducts: store::conducts(desk.db.reader()).await?,
    })
}

pub(crate) async fn report(desk: Desk, call: Call, request: ReportConductRequest) -> Result<ReportConductResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let id: PartyId = wire::id_of("party_id", &request.party_id)?;
    let party = parties::lock(&write, &Scope::of(&call), id.uuid()).await?;
    let same = parties::one_person(&write, &desk.vault, &party).await?;
    let conduct = store::conduct(&write, &request.conduct_code).await?;
    let act_date = wire::date_of(request.act_date.as_ref(), "act_date")?;
    if act_date > write.now().date() {
        return Err(Refusal::DateRange).map_err(at("act_date"));
    }
    if conduct.about_debt == request.bill_ids.is_empty() {
        return Err(Refusal::DebtBills).map_err(at("bill_ids"));
    }
    let bills: Vec<Uuid> = request.bill_ids.iter().map(|id| wire::id_of("bill_ids", id)).collect::<Result<_, _>>()?;
    let known = books::known_bills(&write, &same, &bills).await?;
    if let Some(unknown) = bills.iter().find(|bill| !known.contains(bill)) {
        return Err(Fault::not_found("bill", unknown));
    }
    dispute::none_open(&write, &bills).await?;
    if conduct.about_debt {
        unpaid(&write, &same, &bills).await?;
    }
    // The index knows one party; who was registered anew is still the same person.
    if store::same_act(&write, &same, &conduct.code, act_date).await? {
        return Err(Refusal::IntegrityCaseActUnique.into());
    }
    let facts = text(&request.facts, 2000).map_err(at("facts"))?;
    let now = write.now().micros();
    let row = row::Model {
        id: Uuid::now_v7(),
        party_id: party.id,
        branch: party.branch,
        conduct_code: conduct.code,
        act_date,
        facts_sealed: desk.vault.seal(&*write, party.id, store::FACTS, &facts).await.map_err(unsealed)?,
        evidence: pack(&request.evidence_ids)?,
        bills: pack(&bills)?,
        state: State::Reported.code().to_owned(),
        reported_by: call.subject().to_owned(),
        notice_at: None,
        statement_due: None,
        statement_sealed: None,
        decided_by: String::new(),
        severity: String::new(),
        term_months: 0,
        from_date: None,
        until_date: None,
        appeal_due: None,
        appeal_decided_by: String::new(),
        reason: String::new(),
        version: 1,
        created_at: now,
        updated_at: now,
    };
    insert::<row::Entity>(&write, row.clone()).await?;
    write.subject(row.id);
    let case = store::show_one(&write, &desk.vault, row).await?;
    write.commit(ReportConductResponse { case }).await
}

pub(crate) async fn investigate(desk: Desk, call: Call, request: InvestigateConductRequest) -> Result<InvestigateConductResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut row = locked(&write, &call, &request.case_id, &request.etag).await?;
    row.state = step(row.stands()?, Action::Investigate)?.code().to_owned();
    add_evidence(&mut row, &request.evidence_ids)?;
    let case = keep(&desk, &mut write, row).await?;
    write.commit(InvestigateConductResponse { case }).await
}

fn add_evidence(row: &mut row::Model, more: &[String]) -> Result<(), Fault> {
    let mut evidence: Vec<String> = unpack(&row.evidence)?;
    for id in more {
        if !evidence.contains(id) {
            evidence.push(id.clone());
        }
    }
    row.evidence = pack(&evidence)?;
    Ok(())
}

pub(crate) async fn notify(desk: Desk, call: Call, request: NotifyPartyRequest) -> Result<NotifyPartyResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut row = locked(&write, &call, &request.case_id, &request.etag).await?;
    row.state = step(row.stands()?, Action::Notify)?.code().to_owned();
    let evidence: Vec<String> = unpack(&row.evidence)?;
    if evidence.is_empty() {
        return Err(Refusal::CaseWithoutEvidence.into());
    }
    dispute::none_open(&write, &unpack::<Vec<Uuid>>(&row.bills)?).await?;
    let facts = text(&request.facts, 2000).map_err(at("facts"))?;
    row.facts_sealed = desk.vault.seal(&*write, row.party_id, store::FACTS, &facts).await.map_err(unsealed)?;
    let due = Calendar::china().add_working_days(write.now().date(), model::STATEMENT_DAYS);
    row.statement_due = Some(due.map_err(|missing| Fault::from(Refusal::CalendarMissing).because(missing))?);
    row.notice_at = Some(write.now().micros());
    let case = keep(&desk, &mut write, row).await?;
    write.commit(NotifyPartyResponse { case }).await
}

pub(crate) async fn state_case(desk: Desk, call: Call, request: RecordStatementRequest) -> Result<RecordStatementResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut row = locked(&write, &call, &request.case_id, &request.etag).await?;
    row.state = step(row.stands()?, Action::Hear)?.code().to_owned();
    if row.statement_due.is_some_and(|last| write.now().date() > last) {
        return Err(Refusal::StatementLate.into());
    }
    let statement = text(&request.statement, 4000).map_err(at("statement"))?;
    row.statement_sealed = Some(desk.vault.seal(&*write, row.party_id, store::STATEMENT, &statement).await.map_err(unsealed)?);
    let case = keep(&desk, &mut write, row).await?;
    write.commit(RecordStatementResponse { case }).await
}

pub(crate) async fn list_party(desk: Desk, call: Call, request: ListPartyRequest) -> Result<ListPartyResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let today = write.now().date();
    let mut row = locked(&write, &call, &request.case_id, &request.etag).await?;
    let heard = model::heard(row.stands()?, row.statement_due, today)?;
    row.state = step(heard, Action::List)?.code().to_owned();
    model::not_reporter(call.subject(), &row.reported_by)?;
    let conduct = store::conduct(&write, &row.conduct_code).await?;
    if conduct.about_debt {
        let party = parties::load(&write, &Scope::everything(), row.party_id).await?;
        let same = parties::one_person(&write, &desk.vault, &party).await?;
        let bills: Vec<Uuid> = unpack(&row.bills)?;
        dispute::none_open(&write, &bills).await?;
        unpaid(&write, &same, &bills).await?;
        model::ripe(row.act_date, u32::try_from(conduct.months_after_demand).unwrap_or(0), today)?;
    }
    let severity = Severity::of_number(request.severity).ok_or(Refusal::EnumUnknown).map_err(at("severity"))?;
    let months = u32::try_from(request.term_months).unwrap_or(0);
    let until = model::until(severity, months, today).map_err(at("term_months"))?;
    row.severity = severity.code().to_owned();
    row.term_months = request.term_months;
    (row.from_date, row.until_date) = (Some(today), Some(until));
    row.appeal_due = Some(model::appeal_due(today));
    row.decided_by = call.subject().to_owned();
    let case = keep(&desk, &mut write, row.clone()).await?;
    reach::begun(&mut write, &desk.vault, &row).await?;
    write.commit(ListPartyResponse { case }).await
}

/// G-08: nobody owes maliciously what is paid.
async fn unpaid(write: &Write, same: &[Uuid], bills: &[Uuid]) -> Result<(), Fault> {
    let unpaid = books::load(write, same).await?.unpaid();
    if unpaid.iter().any(|(bill, _)| bills.contains(&bill.id)) {
        Ok(())
    } else {
        Err(Refusal::DebtPaid.into())
    }
}

pub(crate) async fn dismiss(desk: Desk, call: Call, request: DismissCaseRequest) -> Result<DismissCaseResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut row = locked(&write, &call, &request.case_id, &request.etag).await?;
    let heard = model::heard(row.stands()?, row.statement_due, write.now().date())?;
    row.state = step(heard, Action::Dismiss)?.code().to_owned();
    model::not_reporter(call.subject(), &row.reported_by)?;
    row.decided_by = call.subject().to_owned();
    row.reason = text(&request.reason, 500).map_err(at("reason"))?;
    let case = keep(&desk, &mut write, row).await?;
    write.commit(DismissCaseResponse { case }).await
}

pub(crate) async fn appeal(desk: Desk, call: Call, request: AppealListingRequest) -> Result<AppealListingResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut row = locked(&write, &call, &request.case_id, &request.etag).await?;
    row.state = step(row.stands()?, Action::Appeal)?.code().to_owned();
    if row.appeal_due.is_none_or(|last| write.now().date() > last) {
        return Err(Refusal::AppealLate.into());
    }
    let case = keep(&desk, &mut write, row).await?;
    write.commit(AppealListingResponse { case }).await
}

pub(crate) async fn decide_appeal(desk: Desk, call: Call, request: DecideAppealRequest) -> Result<DecideAppealResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut row = locked(&write, &call, &request.case_id, &request.etag).await?;
    let action = if request.uphold { Action::Uphold } else { Action::Reverse };
    row.state = step(row.stands()?, action)?.code().to_owned();
    model::not_reporter(call.subject(), &row.reported_by)?;
    if call.subject() == row.decided_by {
        return Err(Refusal::DeciderMayNotReview.into());
    }
    row.appeal_decided_by = call.subject().to_owned();
    row.reason = text(&request.reason, 500).map_err(at("reason"))?;
    if request.uphold {
        let now = write.now().micros();
        row.save(&write, now).await?;
        write.subject(row.id);
    } else {
        row.until_date = Some(write.now().date());
        ended(&desk, &mut write, &mut row, "REVERSED").await?;
    }
    let case = store::show_one(&write, &desk.vault, row).await?;
    write.commit(DecideAppealResponse { case }).await
}

pub(crate) async fn remove(desk: Desk, call: Call, request: RemoveListingRequest) -> Result<RemoveListingResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let today = write.now().date();
    let mut row = locked(&write, &call, &request.case_id, &request.etag).await?;
    row.state = step(row.stands()?, Action::Remove)?.code().to_owned();
    model::not_reporter(call.subject(), &row.reported_by)?;
    let days = row.from_date.zip(row.until_date);
    let (from, until) = days.ok_or_else(|| Fault::internal("a listing has no days"))?;
    model::may_remove(from, until, today)?;
    add_evidence(&mut row, &request.cure_evidence_ids)?;
    row.reason = text(&request.reason, 500).map_err(at("reason"))?;
    row.until_date = Some(today);
    ended(&desk, &mut write, &mut row, "REMOVED").await?;
    let case = store::show_one(&write, &desk.vault, row).await?;
    write.commit(RemoveListingResponse { case }).await
}

/// Writes a listing that has ended, and tells it.
pub(crate) async fn ended(desk: &Desk, write: &mut Write, row: &mut row::Model, reason: &str) -> Result<(), Fault> {
    let now = write.now().micros();
    row.save(write, now).await?;
    write.subject(row.id);
    reach::ended(write, &desk.vault, row, reason).await
}

async fn locked(write: &Write, call: &Call, id: &str, etag: &str) -> Result<row::Model, Fault> {
    store::lock(write, &Scope::of(call), wire::id_of("case_id", id)?, etag).await
}

async fn keep(desk: &Desk, write: &mut Write, mut row: row::Model) -> Result<Option<IntegrityCase>, Fault> {
    let now = write.now().micros();
    row.save(write, now).await?;
    write.subject(row.id);
    store::show_one(write, &desk.vault, row).await
}

pub(crate) async fn get(desk: Desk, call: Call, request: GetIntegrityCaseRequest) -> Result<GetIntegrityCaseResponse, Fault> {
    let id = wire::id_of("case_id", &request.case_id)?;
    let row = store::load(desk.db.reader(), &Scope::of(&call), id).await?;
    Ok(GetIntegrityCaseResponse {
        case: store::show_one(desk.db.reader(), &desk.vault, row).await?,
    })
}

pub(crate) async fn list(desk: Desk, call: Call, request: ListIntegrityCasesRequest) -> Result<ListIntegrityCasesResponse, Fault> {
    let (party, state) = (request.party_id.as_deref(), State::of_number(request.state).map(State::code));
    let filters = [party.unwrap_or_default(), state.unwrap_or_default()];
    let page = Page::of(&call, &filters, request.page_size, &request.page_token)?;
    let party = party.map(|id| wire::id_of("party_id", id)).transpose()?;
    let rows = store::list(desk.db.reader(), &Scope::of(&call), party, state, &page).await?;
    let (rows, next_page_token) = page.cut(rows, |row| row.id);
    Ok(ListIntegrityCasesResponse {
        cases: store::show(desk.db.reader(), &desk.vault, rows).await?,
        next_page_token,
    })
}

/// D-08: every unmasking is logged, with its purpose.
pub(crate) async fn reveal(desk: Desk, call: Call, request: RevealIntegrityCaseRequest) -> Result<RevealIntegrityCaseResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let id = wire::id_of("case_id", &request.case_id)?;
    write.purpose(&text(&request.purpose, 200).map_err(at("purpose"))?);
    let row = store::load(&write, &Scope::of(&call), id).await?;
    write.subject(row.id);
    let case = store::show_one(&write, &desk.vault, row).await?;
    write.commit(RevealIntegrityCaseResponse { case }).await
}
