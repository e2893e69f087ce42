use contracts::hearth::archive::v1::{
    DecidePolicyConflictRequest, DecidePolicyConflictResponse, ListPolicyConflictsRequest, ListPolicyConflictsResponse, ResolvePolicyConflictRequest,
    ResolvePolicyConflictResponse,
};
use database::{Begun, Conn};
use rpc::{Call, Fault, page::Page, wire};
use uuid::Uuid;

use super::{
    model::{self, ConflictAction, ConflictState, Outcome, Rule, Side},
    show,
    store::{self, conflict, document, row},
};
use crate::{
    Desk,
    party::model::text,
    refusal::{Refusal, at},
};

/// A version, where the caller may read its document (D-06).
async fn readable(conn: &Conn, call: &Call, id: Uuid) -> Result<(document::Model, row::Model), Fault> {
    let version = store::version(conn, id).await?;
    let policy = show::readable(call, document(conn, version.policy_id).await?)?;
    Ok((policy, version))
}

fn side((policy, version): &(document::Model, row::Model)) -> Result<Side, Fault> {
    Ok(Side {
        level: policy.level()?,
        effective: version.live_from.ok_or(Refusal::PolicyState)?,
    })
}

pub(crate) async fn resolve(desk: Desk, call: Call, request: ResolvePolicyConflictRequest) -> Result<ResolvePolicyConflictResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let (first_id, second_id): (Uuid, Uuid) = (
        wire::id_of("first_version_id", &request.first_version_id)?,
        wire::id_of("second_version_id", &request.second_version_id)?,
    );
    let (first, second) = (readable(&write, &call, first_id).await?, readable(&write, &call, second_id).await?);
    if first_id == second_id {
        return Err(at("second_version_id")(Refusal::Duplicate));
    }
    let (rule, prevailing) = match model::resolve(side(&first)?, side(&second)?) {
        Outcome::First(rule) => (rule.code(), Some(first_id)),
        Outcome::Second(rule) => (rule.code(), Some(second_id)),
        Outcome::Undecided => (ConflictState::Open.code(), None),
    };
    let row = conflict::Model {
        id: Uuid::now_v7(),
        first_version_id: first_id,
        second_version_id: second_id,
        clause: text(&request.clause, 500).map_err(at("clause"))?,
        rule: rule.to_owned(),
        prevailing_version_id: prevailing,
        department: String::new(),
        decided_by: call.subject().to_owned(),
        grounds: String::new(),
        version: 1,
        created_at: write.now().micros(),
    };
    store::insert_conflict(&write, &row).await?;
    write.subject(row.id);
    let policy_conflict = Some(show::conflict(row));
    write.commit(ResolvePolicyConflictResponse { policy_conflict }).await
}

pub(crate) async fn decide(desk: Desk, call: Call, request: DecidePolicyConflictRequest) -> Result<DecidePolicyConflictResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut row = store::lock_conflict(&write, wire::id_of("policy_conflict_id", &request.policy_conflict_id)?).await?;
    rpc::check_etag(&request.etag, row.id, row.version)?;
    let sides = [
        readable(&write, &call, row.first_version_id).await?,
        readable(&write, &call, row.second_version_id).await?,
    ];
    model::conflict(row.stands(), ConflictAction::Decide)?;
    let prevailing: Uuid = wire::id_of("prevailing_version_id", &request.prevailing_version_id)?;
    if ![row.first_version_id, row.second_version_id].contains(&prevailing) {
        return Err(at("prevailing_version_id")(Refusal::PolicyConflictSide));
    }
    let department = text(&request.department, 60).map_err(at("department"))?;
    let mut interprets = false;
    for (_, version) in &sides {
        interprets |= version.page()?.interpreting_department == department;
    }
    if !interprets {
        return Err(at("department")(Refusal::PolicyInterpretingDepartment));
    }
    if !show::speaks_for(&call, &department) {
        return Err(at("department")(Refusal::PolicyNotOfDepartment));
    }
    Rule::InterpretingDepartment.code().clone_into(&mut row.rule);
    row.prevailing_version_id = Some(prevailing);
    row.department = department;
    row.decided_by = call.subject().to_owned();
    row.grounds = text(&request.grounds, 500).map_err(at("grounds"))?;
    store::save_conflict(&write, &mut row).await?;
    write.subject(row.id);
    let policy_conflict = Some(show::conflict(row));
    write.commit(DecidePolicyConflictResponse { policy_conflict }).await
}

pub(crate) async fn list(desk: Desk, call: Call, request: ListPolicyConflictsRequest) -> Result<ListPolicyConflictsResponse, Fault> {
    let page = Page::of(&call, &[&request.policy_id], request.page_size, &request.page_token)?;
    let policy = match request.policy_id.as_str() {
        "" => None,
        id => Some(wire::id_of("policy_id", id)?),
    };
    let rows = store::list_conflicts(desk.db.reader(), policy, show::clearance(&call), &page).await?;
    let (rows, next_page_token) = page.cut(rows, |row| row.id);
    Ok(ListPolicyConflictsResponse {
        policy_conflicts: rows.into_iter().map(show::conflict).collect(),
        next_page_token,
    })
}
