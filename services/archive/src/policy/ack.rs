use std::collections::{BTreeMap, BTreeSet};

use contracts::hearth::archive::v1::{
    AcknowledgePolicyVersionRequest, AcknowledgePolicyVersionResponse, GetPolicyCoverageRequest, GetPolicyCoverageResponse, ListPolicyAcknowledgementsRequest,
    ListPolicyAcknowledgementsResponse, PolicyCoverage,
};
use database::Begun;
use rpc::{Call, Fault, page::Page, wire};
use uuid::Uuid;

use super::{
    duty,
    model::{self, holds},
    show,
    store::{self, acknowledgement},
};
use crate::Desk;

pub(crate) async fn acknowledge(desk: Desk, call: Call, request: AcknowledgePolicyVersionRequest) -> Result<AcknowledgePolicyVersionResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let (now, today) = (write.now(), write.now().date());
    let version = store::version(&write, wire::id_of("policy_version_id", &request.policy_version_id)?).await?;
    let policy = show::readable(&call, store::document(&write, version.policy_id).await?)?;
    let last = store::last_acknowledgement(&write, version.id, call.subject()).await?;
    model::may_acknowledge(version.stands()?, last.map(|last| last.renew_on), today)?;
    let row = acknowledgement::Model {
        id: Uuid::now_v7(),
        version_id: version.id,
        staff: call.subject().to_owned(),
        acknowledged_on: today,
        renew_on: model::renew_on(today, policy.code_of_conduct),
        acknowledged_at: now.micros(),
    };
    store::insert_acknowledgement(&write, &row).await?;
    write.subject(version.id);
    let policy_acknowledgement = Some(show::acknowledgement(row));
    write.commit(AcknowledgePolicyVersionResponse { policy_acknowledgement }).await
}

pub(crate) async fn list(desk: Desk, call: Call, request: ListPolicyAcknowledgementsRequest) -> Result<ListPolicyAcknowledgementsResponse, Fault> {
    let conn = desk.db.reader();
    let page = Page::of(&call, &[&request.policy_version_id], request.page_size, &request.page_token)?;
    let version = store::version(conn, wire::id_of("policy_version_id", &request.policy_version_id)?).await?;
    show::readable(&call, store::document(conn, version.policy_id).await?)?;
    let rows = store::acknowledgements(conn, version.id, Some(&page)).await?;
    let (rows, next_page_token) = page.cut(rows, |row| row.id);
    Ok(ListPolicyAcknowledgementsResponse {
        policy_acknowledgements: rows.into_iter().map(show::acknowledgement).collect(),
        next_page_token,
    })
}

pub(crate) async fn coverage(desk: Desk, call: Call, request: GetPolicyCoverageRequest) -> Result<GetPolicyCoverageResponse, Fault> {
    let conn = desk.db.reader();
    let today = desk.db.clock().now().date();
    let version = store::version(conn, wire::id_of("policy_version_id", &request.policy_version_id)?).await?;
    show::readable(&call, store::document(conn, version.policy_id).await?)?;
    let mut covered: BTreeMap<String, bool> = BTreeMap::new();
    for row in store::acknowledgements(conn, version.id, None).await? {
        *covered.entry(row.staff).or_default() |= holds(row.renew_on, today);
    }
    let acknowledged = covered.values().filter(|holds| **holds).count();
    let asked: BTreeSet<String> = request.staff.into_iter().collect();
    let (mut trained, mut untrained) = (BTreeSet::new(), BTreeSet::new());
    for row in store::duties_of(conn, version.id).await? {
        match (row.is()?, row.stands()?) {
            (duty::Kind::Training, duty::State::Done) => trained.insert(row.department),
            (duty::Kind::Training, duty::State::Open | duty::State::Overdue) => untrained.insert(row.department),
            _ => false,
        };
    }
    let count = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    Ok(GetPolicyCoverageResponse {
        policy_coverage: Some(PolicyCoverage {
            acknowledged: count(acknowledged),
            lapsed: count(covered.len().saturating_sub(acknowledged)),
            missing: asked.into_iter().filter(|staff| !covered.get(staff).copied().unwrap_or_default()).collect(),
            trained_departments: trained.into_iter().collect(),
            untrained_departments: untrained.into_iter().collect(),
        }),
    })
}
