//! Profiles over gRPC.

use contracts::hearth::billing::v1::{
    GetProfileRequest, GetProfileResponse, ListProfilesRequest, ListProfilesResponse, PublishProfileRequest, PublishProfileResponse,
    profile_service_server::ProfileService,
};
use database::Scope;
use rpc::{Call, Fault, page::Page, wire};
use sea_orm::EntityTrait;

use super::{
    ops,
    store::{self, profile},
};
use crate::Desk;

/// ProfileService.
pub struct Api(pub Desk);

rpc::service! {
    ProfileService for Api(Desk) {
        write publish_profile(PublishProfileRequest) -> PublishProfileResponse = ops::publish;
        read get_profile(GetProfileRequest) -> GetProfileResponse = get;
        read list_profiles(ListProfilesRequest) -> ListProfilesResponse = list;
    }
}

async fn get(desk: Desk, _: Call, request: GetProfileRequest) -> Result<GetProfileResponse, Fault> {
    let day = wire::date_if(request.on_date.as_ref(), "on_date")?.unwrap_or_else(|| desk.clock.now().date());
    let book = store::book(desk.db.reader()).await?;
    let row = match book.published(&request.branch, day) {
        Some(dated) => profile::Entity::find_by_id(dated.id).one(desk.db.reader()).await?,
        None => None,
    };
    Ok(GetProfileResponse {
        profile: Some(row.as_ref().map_or_else(|| Ok(store::shipped()), store::message)?),
    })
}

async fn list(desk: Desk, call: Call, request: ListProfilesRequest) -> Result<ListProfilesResponse, Fault> {
    let page = Page::of(&call, &[&request.branch], request.page_size, &request.page_token)?;
    let (profiles, next_page_token) = store::list(desk.db.reader(), &Scope::of(&call), &page, &request.branch).await?;
    Ok(ListProfilesResponse { profiles, next_page_token })
}
