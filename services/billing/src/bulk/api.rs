//! Bulk meters over gRPC.

use contracts::hearth::billing::v1::{
    BalanceBulkMeterRequest, BalanceBulkMeterResponse, ListSubMetersRequest, ListSubMetersResponse, PutBehindBulkMeterRequest, PutBehindBulkMeterResponse,
    bulk_meter_service_server::BulkMeterService,
};
use database::Scope;
use rpc::{Call, Fault};

use super::{ops, store};
use crate::{Desk, meter::store as meters};

/// BulkMeterService.
pub struct Api(pub Desk);

rpc::service! {
    BulkMeterService for Api(Desk) {
        write put_behind_bulk_meter(PutBehindBulkMeterRequest) -> PutBehindBulkMeterResponse = ops::put;
        read list_sub_meters(ListSubMetersRequest) -> ListSubMetersResponse = list;
        write balance_bulk_meter(BalanceBulkMeterRequest) -> BalanceBulkMeterResponse = ops::compare;
    }
}

async fn list(desk: Desk, call: Call, request: ListSubMetersRequest) -> Result<ListSubMetersResponse, Fault> {
    let conn = desk.db.reader();
    let meter = meters::by_number(&Scope::of(&call), &request.bulk_meter_no).one(conn).await?;
    let meter = meter.ok_or_else(|| Fault::not_found("meter", &request.bulk_meter_no))?;
    let installs = store::of_meter(conn, meter.id).await?;
    let rows = store::behind(conn, &installs).await?;
    Ok(ListSubMetersResponse {
        sub_meters: rows.iter().map(store::message).collect(),
    })
}
