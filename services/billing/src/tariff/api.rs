//! Tariffs over gRPC.

use contracts::hearth::billing::v1::{
    GetTariffRequest, GetTariffResponse, ListTariffsRequest, ListTariffsResponse, PublishHeatTariffRequest, PublishHeatTariffResponse, PublishTariffRequest,
    PublishTariffResponse, tariff_service_server::TariffService,
};
use rpc::{Call, Fault, page::Page, wire};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::{
    ops,
    store::{self, tariff},
};
use crate::Desk;

/// TariffService.
pub struct Api(pub Desk);

rpc::service! {
    TariffService for Api(Desk) {
        write publish_tariff(PublishTariffRequest) -> PublishTariffResponse = ops::publish;
        write publish_heat_tariff(PublishHeatTariffRequest) -> PublishHeatTariffResponse = ops::publish_heat;
        read get_tariff(GetTariffRequest) -> GetTariffResponse = get;
        read list_tariffs(ListTariffsRequest) -> ListTariffsResponse = list;
    }
}

async fn get(desk: Desk, _: Call, request: GetTariffRequest) -> Result<GetTariffResponse, Fault> {
    let id: Uuid = wire::id_of("tariff_id", &request.tariff_id)?;
    let row = tariff::Entity::find_by_id(id)
        .one(desk.db.reader())
        .await?
        .ok_or_else(|| Fault::not_found("tariff", id))?;
    let prices = store::prices(desk.db.reader(), &[id]).await?;
    Ok(GetTariffResponse {
        tariff: Some(store::message(&row, &prices)?),
    })
}

async fn list(desk: Desk, call: Call, request: ListTariffsRequest) -> Result<ListTariffsResponse, Fault> {
    let day = wire::date_if(request.on_date.as_ref(), "on_date")?;
    let page = Page::of(&call, &[&format!("{day:?}")], request.page_size, &request.page_token)?;
    let mut select = tariff::Entity::find().order_by_asc(tariff::Column::Id).limit(page.limit());
    if let Some(after) = page.after {
        select = select.filter(tariff::Column::Id.gt(after));
    }
    if let Some(day) = day {
        let open = Condition::any().add(tariff::Column::UntilDate.is_null()).add(tariff::Column::UntilDate.gt(day));
        select = select.filter(tariff::Column::FromDate.lte(day)).filter(open);
    }
    let (rows, next_page_token) = page.cut(select.all(desk.db.reader()).await?, |r| r.id);
    let prices = store::prices(desk.db.reader(), &rows.iter().map(|r| r.id).collect::<Vec<_>>()).await?;
    Ok(ListTariffsResponse {
        tariffs: rows.iter().map(|row| store::message(row, &prices)).collect::<Result<_, _>>()?,
        next_page_token,
    })
}
