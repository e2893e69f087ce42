//! Reliefs over gRPC.

use contracts::hearth::billing::v1::{ListReliefsRequest, ListReliefsResponse, relief_service_server::ReliefService};
use database::Scope;
use rpc::{Call, Fault, page::Page};

use super::store;
use crate::Desk;

/// ReliefService.
pub struct Api(pub Desk);

rpc::service! {
    ReliefService for Api(Desk) {
        read list_reliefs(ListReliefsRequest) -> ListReliefsResponse = list;
    }
}

async fn list(desk: Desk, call: Call, request: ListReliefsRequest) -> Result<ListReliefsResponse, Fault> {
    let filter = format!(
        "{:?}",
        ListReliefsRequest {
            page_size: 0,
            page_token: String::new(),
            ..request.clone()
        }
    );
    let page = Page::of(&call, &[&filter], request.page_size, &request.page_token)?;
    let (reliefs, next_page_token) = store::list(desk.db.reader(), &Scope::of(&call), &page, &request).await?;
    Ok(ListReliefsResponse { reliefs, next_page_token })
}
