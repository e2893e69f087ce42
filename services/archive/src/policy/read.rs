use contracts::hearth::archive::v1::{
    GetPolicyRequest, GetPolicyResponse, GetPolicyVersionRequest, GetPolicyVersionResponse, ListPoliciesRequest, ListPoliciesResponse,
    ListPolicyTypeRequirementsRequest, ListPolicyTypeRequirementsResponse,
};
use rpc::{Call, Fault, page::Page, wire};

use super::{model::Type, show, store};
use crate::Desk;

pub(crate) async fn requirements(desk: Desk, _: Call, _: ListPolicyTypeRequirementsRequest) -> Result<ListPolicyTypeRequirementsResponse, Fault> {
    let rows = store::requirements(desk.db.reader()).await?;
    Ok(ListPolicyTypeRequirementsResponse {
        requirements: rows.into_iter().map(show::requirement).collect::<Result<_, _>>()?,
    })
}

pub(crate) async fn get(desk: Desk, call: Call, request: GetPolicyRequest) -> Result<GetPolicyResponse, Fault> {
    let conn = desk.db.reader();
    let policy = show::readable(&call, store::document(conn, wire::id_of("policy_id", &request.policy_id)?).await?)?;
    let versions = store::versions(conn, policy.id).await?;
    Ok(GetPolicyResponse {
        policy: Some(show::policy(policy, versions)?),
    })
}

pub(crate) async fn list(desk: Desk, call: Call, request: ListPoliciesRequest) -> Result<ListPoliciesResponse, Fault> {
    let page = Page::of(&call, &[request.r#type().as_str_name()], request.page_size, &request.page_token)?;
    let rows = store::list_documents(desk.db.reader(), Type::of_number(request.r#type), show::clearance(&call), &page).await?;
    let (rows, next_page_token) = page.cut(rows, |row| row.id);
    Ok(ListPoliciesResponse {
        policies: rows.into_iter().map(|row| show::policy(row, vec![])).collect::<Result<_, _>>()?,
        next_page_token,
    })
}

pub(crate) async fn version(desk: Desk, call: Call, request: GetPolicyVersionRequest) -> Result<GetPolicyVersionResponse, Fault> {
    let conn = desk.db.reader();
    let version = if request.policy_id.is_empty() {
        store::version(conn, wire::id_of("policy_version_id", &request.policy_version_id)?).await?
    } else {
        let day = wire::date_if(request.on_date.as_ref(), "on_date")?.unwrap_or_else(|| desk.db.clock().now().date());
        store::in_force(conn, wire::id_of("policy_id", &request.policy_id)?, day).await?
    };
    let policy = show::readable(&call, store::document(conn, version.policy_id).await?)?;
    Ok(GetPolicyVersionResponse {
        policy_version: Some(show::version(&policy, version)?),
    })
}
