//! Heat over gRPC.

use contracts::hearth::billing::v1::{
    AssessHeatRequest, AssessHeatResponse, CorrectHeatAreaRequest, CorrectHeatAreaResponse, CorrectSeasonReadingRequest, CorrectSeasonReadingResponse,
    EnrolHeatRequest, EnrolHeatResponse, GetHeatAccountRequest, GetHeatAccountResponse, ListHeatAccountsRequest, ListHeatAccountsResponse,
    ListHeatSeasonsRequest, ListHeatSeasonsResponse, ListSeasonReadingsRequest, ListSeasonReadingsResponse, OpenHeatSeasonRequest, OpenHeatSeasonResponse,
    RecordSeasonReadingRequest, RecordSeasonReadingResponse, ReportHeatMeterFaultRequest, ReportHeatMeterFaultResponse, SettleHeatRequest, SettleHeatResponse,
    heat_service_server::HeatService,
};
use database::Scope;
use rpc::{Call, Fault, page::Page, wire};

use super::{ops, readings, store};
use crate::Desk;

/// HeatService.
pub struct Api(pub Desk);

rpc::service! {
    HeatService for Api(Desk) {
        write open_heat_season(OpenHeatSeasonRequest) -> OpenHeatSeasonResponse = ops::open;
        read list_heat_seasons(ListHeatSeasonsRequest) -> ListHeatSeasonsResponse = seasons;
        write enrol_heat(EnrolHeatRequest) -> EnrolHeatResponse = ops::enrol;
        write correct_heat_area(CorrectHeatAreaRequest) -> CorrectHeatAreaResponse = ops::correct;
        write assess_heat(AssessHeatRequest) -> AssessHeatResponse = ops::assess;
        write record_season_reading(RecordSeasonReadingRequest) -> RecordSeasonReadingResponse = readings::record;
        write correct_season_reading(CorrectSeasonReadingRequest) -> CorrectSeasonReadingResponse = readings::correct;
        write report_heat_meter_fault(ReportHeatMeterFaultRequest) -> ReportHeatMeterFaultResponse = readings::report_fault;
        write settle_heat(SettleHeatRequest) -> SettleHeatResponse = ops::settle;
        read get_heat_account(GetHeatAccountRequest) -> GetHeatAccountResponse = get;
        read list_heat_accounts(ListHeatAccountsRequest) -> ListHeatAccountsResponse = accounts;
        read list_season_readings(ListSeasonReadingsRequest) -> ListSeasonReadingsResponse = list_readings;
    }
}

async fn seasons(desk: Desk, call: Call, request: ListHeatSeasonsRequest) -> Result<ListHeatSeasonsResponse, Fault> {
    let page = Page::of(&call, &[&request.branch], request.page_size, &request.page_token)?;
    let (seasons, next_page_token) = store::seasons(desk.db.reader(), &Scope::of(&call), &page, &request.branch).await?;
    Ok(ListHeatSeasonsResponse { seasons, next_page_token })
}

async fn get(desk: Desk, call: Call, request: GetHeatAccountRequest) -> Result<GetHeatAccountResponse, Fault> {
    let row = store::account(desk.db.reader(), &Scope::of(&call), wire::id_of("heat_account_id", &request.heat_account_id)?).await?;
    let today = desk.clock.now().date();
    Ok(GetHeatAccountResponse {
        account: store::messages(desk.db.reader(), &[row], today).await?.pop(),
    })
}

async fn accounts(desk: Desk, call: Call, request: ListHeatAccountsRequest) -> Result<ListHeatAccountsResponse, Fault> {
    let filter = format!(
        "{:?}",
        ListHeatAccountsRequest {
            page_size: 0,
            page_token: String::new(),
            ..request.clone()
        }
    );
    let page = Page::of(&call, &[&filter], request.page_size, &request.page_token)?;
    let today = desk.clock.now().date();
    let (accounts, next_page_token) = store::accounts(desk.db.reader(), &Scope::of(&call), &page, &request, today).await?;
    Ok(ListHeatAccountsResponse { accounts, next_page_token })
}

async fn list_readings(desk: Desk, call: Call, request: ListSeasonReadingsRequest) -> Result<ListSeasonReadingsResponse, Fault> {
    let filter = format!(
        "{:?}",
        ListSeasonReadingsRequest {
            page_size: 0,
            page_token: String::new(),
            ..request.clone()
        }
    );
    let page = Page::of(&call, &[&filter], request.page_size, &request.page_token)?;
    let (readings, next_page_token) = store::list_readings(desk.db.reader(), &Scope::of(&call), &page, &request).await?;
    Ok(ListSeasonReadingsResponse { readings, next_page_token })
}
