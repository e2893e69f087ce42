use contracts::hearth::archive::v1::{CompletePolicyDutyRequest, CompletePolicyDutyResponse, ListPolicyDutiesRequest, ListPolicyDutiesResponse};
use database::Begun;
use rpc::{Call, Fault, page::Page, wire};

use super::{
    duty::{self, Action, State},
    show,
    store::{self, Wanted},
};
use crate::{Desk, party::model::text, refusal::at};

pub(crate) async fn list(desk: Desk, call: Call, request: ListPolicyDutiesRequest) -> Result<ListPolicyDutiesResponse, Fault> {
    let filters = [request.policy_id.as_str(), request.department.as_str(), request.state().as_str_name()];
    let page = Page::of(&call, &filters, request.page_size, &request.page_token)?;
    let policy = match request.policy_id.as_str() {
        "" => None,
        id => Some(wire::id_of("policy_id", id)?),
    };
    let wanted = Wanted {
        policy,
        department: &request.department,
        state: State::of_number(request.state),
        clearance: show::clearance(&call),
    };
    let rows = store::list_duties(desk.db.reader(), wanted, &page).await?;
    let (rows, next_page_token) = page.cut(rows, |row| row.id);
    Ok(ListPolicyDutiesResponse {
        policy_duties: rows.into_iter().map(show::duty).collect::<Result<_, _>>()?,
        next_page_token,
    })
}

pub(crate) async fn complete(desk: Desk, call: Call, request: CompletePolicyDutyRequest) -> Result<CompletePolicyDutyResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let (now, today) = (write.now().micros(), write.now().date());
    let mut row = store::lock_duty(&write, wire::id_of("policy_duty_id", &request.policy_duty_id)?).await?;
    show::readable(&call, store::document(&write, row.policy_id).await?)?;
    rpc::check_etag(&request.etag, row.id, row.version)?;
    duty::step(row.stands()?, Action::Complete)?.code().clone_into(&mut row.state);
    row.done_on = Some(today);
    row.done_by = call.subject().to_owned();
    row.evidence = text(&request.evidence, 500).map_err(at("evidence"))?;
    store::save_duty(&write, &mut row).await?;
    let version = store::version(&write, row.version_id).await?;
    let next = duty::next(&version.page()?, row.is()?, today);
    let next = store::insert_duties(&write, &version, next.into_iter().collect(), now).await?.pop();
    write.subject(row.id);
    let answer = CompletePolicyDutyResponse {
        policy_duty: Some(show::duty(row)?),
        next_policy_duty: next.map(show::duty).transpose()?,
    };
    write.commit(answer).await
}
