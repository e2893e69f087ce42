//! Meters over gRPC.

use contracts::hearth::billing::v1::{
    ExchangeMeterRequest, ExchangeMeterResponse, GetMeterByNumberRequest, GetMeterByNumberResponse, GetMeterRequest, GetMeterResponse, ImportMetersRequest,
    ImportMetersResponse, InspectSealRequest, InspectSealResponse, InstallMeterRequest, InstallMeterResponse, ListConversionsRequest, ListConversionsResponse,
    ListInstallationsRequest, ListInstallationsResponse, ListSealsRequest, ListSealsResponse, RegisterMeterRequest, RegisterMeterResponse,
    RemoveInstallationRequest, RemoveInstallationResponse, SealMeterRequest, SealMeterResponse, SetConversionRequest, SetConversionResponse,
    VerifyMeterRequest, VerifyMeterResponse, meter_service_server::MeterService,
};
use database::{Scope, find};
use rpc::{Call, Fault, Outflow, page::Page, wire};
use sea_orm::{ColumnTrait, QueryFilter};
use tonic::{Request, Response, Status, Streaming};
use uuid::Uuid;

use super::{
    conversion, intake, ops, seal,
    store::{self, meter},
};
use crate::Desk;

/// MeterService.
pub struct Api(pub Desk);

rpc::service! {
    MeterService for Api(Desk) {
        write register_meter(RegisterMeterRequest) -> RegisterMeterResponse = ops::register;
        read get_meter(GetMeterRequest) -> GetMeterResponse = get;
        read get_meter_by_number(GetMeterByNumberRequest) -> GetMeterByNumberResponse = by_number;
        write install_meter(InstallMeterRequest) -> InstallMeterResponse = ops::install;
        write remove_installation(RemoveInstallationRequest) -> RemoveInstallationResponse = ops::remove;
        write exchange_meter(ExchangeMeterRequest) -> ExchangeMeterResponse = ops::exchange;
        write verify_meter(VerifyMeterRequest) -> VerifyMeterResponse = ops::verify;
        write seal_meter(SealMeterRequest) -> SealMeterResponse = seal::put_on;
        write inspect_seal(InspectSealRequest) -> InspectSealResponse = seal::inspect;
        write set_conversion(SetConversionRequest) -> SetConversionResponse = conversion::ops::set;
        read list_conversions(ListConversionsRequest) -> ListConversionsResponse = conversion::ops::list;
        read list_seals(ListSealsRequest) -> ListSealsResponse = seal::list;
        read list_installations(ListInstallationsRequest) -> ListInstallationsResponse = list;
    } and {
        type ImportMetersStream = Outflow<ImportMetersResponse>;

        async fn import_meters(&self, request: Request<Streaming<ImportMetersRequest>>) -> Result<Response<Self::ImportMetersStream>, Status> {
            rpc::exchange(&self.0, request, intake::import).await
        }
    }
}

async fn get(desk: Desk, call: Call, request: GetMeterRequest) -> Result<GetMeterResponse, Fault> {
    let id: Uuid = wire::id_of("meter_id", &request.meter_id)?;
    let row = find::<meter::Entity>(&Scope::of(&call))
        .filter(meter::Column::Id.eq(id))
        .one(desk.db.reader())
        .await?;
    let row = row.ok_or_else(|| Fault::not_found("meter", id))?;
    let installation = store::live(desk.db.reader(), row.id).await?;
    Ok(GetMeterResponse {
        meter: Some(store::meter_message(&row)?),
        installation: installation.as_ref().map(store::message),
    })
}

async fn by_number(desk: Desk, call: Call, request: GetMeterByNumberRequest) -> Result<GetMeterByNumberResponse, Fault> {
    let row = store::by_number(&Scope::of(&call), &request.meter_no).one(desk.db.reader()).await?;
    let row = row.ok_or_else(|| Fault::not_found("meter", &request.meter_no))?;
    let installation = store::live(desk.db.reader(), row.id).await?;
    Ok(GetMeterByNumberResponse {
        meter: Some(store::meter_message(&row)?),
        installation: installation.as_ref().map(store::message),
    })
}

async fn list(desk: Desk, call: Call, request: ListInstallationsRequest) -> Result<ListInstallationsResponse, Fault> {
    let agreement = request.agreement_id.as_deref().map(|id| wire::id_of::<Uuid>("agreement_id", id)).transpose()?;
    let filter = agreement.map(|a| a.to_string()).unwrap_or_default();
    let (meter_no, account_no) = (&request.meter_no, &request.account_no);
    let page = Page::of(&call, &[&filter, meter_no, account_no], request.page_size, &request.page_token)?;
    let (installations, next_page_token) = store::list(desk.db.reader(), &Scope::of(&call), &page, agreement, meter_no, account_no).await?;
    Ok(ListInstallationsResponse {
        installations,
        next_page_token,
    })
}
