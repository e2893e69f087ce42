//! Tariffs over gRPC.

use contracts::hearth::billing::v1::{
    GetTariffRequest, GetTariffResponse, ListTariffsRequest, ListTariffsResponse, PublishTariffRequest, PublishTariffResponse,
    tariff_service_server::TariffService,
};
use rpc::{Call, Fault, page::Page, wire};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    ops,
    store::{self, tariff},
};
use crate::Desk;

/// TariffService.
pub struct Api(pub Desk);

#[tonic::async_trait]
impl TariffService for Api {
    async fn publish_tariff(&self, request: Request<PublishTariffRequest>) -> Result<Response<PublishTariffResponse>, Status> {
        rpc::write(&self.0, request, ops::publish).await
    }

    async fn get_tariff(&self, request: Request<GetTariffRequest>) -> Result<Response<GetTariffResponse>, Status> {
        rpc::read(&self.0, request, get).await
    }

    async fn list_tariffs(&self, request: Request<ListTariffsRequest>) -> Result<Response<ListTariffsResponse>, Status> {
        rpc::read(&self.0, request, list).await
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
