//! Tariffs over gRPC.

use contracts::hearth::billing::v1::{
    DegreeDay, GetTariffRequest, GetTariffResponse, ListDegreeDaysRequest, ListDegreeDaysResponse, ListTariffsRequest, ListTariffsResponse,
    PublishHeatTariffRequest, PublishHeatTariffResponse, PublishTariffRequest, PublishTariffResponse, RecordDegreeDaysRequest, RecordDegreeDaysResponse,
    TryHeatTariffRequest, TryHeatTariffResponse, TryTariffRequest, TryTariffResponse, tariff_service_server::TariffService,
};
use rpc::{Call, Fault, Outflow, page::Page, wire};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    ops,
    store::{self, degree_day, tariff},
    trial,
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
        write record_degree_days(RecordDegreeDaysRequest) -> RecordDegreeDaysResponse = ops::record_degree_days;
        read list_degree_days(ListDegreeDaysRequest) -> ListDegreeDaysResponse = degree_days;
    } and {
        type TryTariffStream = Outflow<TryTariffResponse>;

        async fn try_tariff(&self, request: Request<TryTariffRequest>) -> Result<Response<Self::TryTariffStream>, Status> {
            rpc::stream(&self.0, request, trial::run).await
        }

        type TryHeatTariffStream = Outflow<TryHeatTariffResponse>;

        async fn try_heat_tariff(&self, request: Request<TryHeatTariffRequest>) -> Result<Response<Self::TryHeatTariffStream>, Status> {
            rpc::stream(&self.0, request, trial::heat::run).await
        }
    }
}

async fn degree_days(desk: Desk, _: Call, request: ListDegreeDaysRequest) -> Result<ListDegreeDaysResponse, Fault> {
    let from = wire::date_of(request.from_date.as_ref(), "from_date")?;
    let to = wire::date_of(request.to_date.as_ref(), "to_date")?;
    if to < from || to.signed_duration_since(from).num_days() > 1000 {
        return Err(Fault::from(crate::Refusal::DateOrder).field("to_date"));
    }
    let rows = degree_day::Entity::find()
        .filter(degree_day::Column::Branch.eq(&request.branch))
        .filter(degree_day::Column::Date.between(from, to))
        .order_by_asc(degree_day::Column::Date)
        .all(desk.db.reader())
        .await?;
    let day = |row: degree_day::Model| DegreeDay {
        date: Some(wire::date(row.date)),
        value: Some(wire::decimal(money::Volume::from_litres(i64::from(row.tenths).saturating_mul(100)).short())),
    };
    Ok(ListDegreeDaysResponse {
        days: rows.into_iter().map(day).collect(),
    })
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
    let page = Page::of(&call, &[&format!("{day:?}"), &request.branch], request.page_size, &request.page_token)?;
    let mut select = tariff::Entity::find().order_by_asc(tariff::Column::Id).limit(page.limit());
    if let Some(after) = page.after {
        select = select.filter(tariff::Column::Id.gt(after));
    }
    if let Some(day) = day {
        let open = Condition::any().add(tariff::Column::UntilDate.is_null()).add(tariff::Column::UntilDate.gt(day));
        select = select.filter(tariff::Column::FromDate.lte(day)).filter(open);
    }
    if !request.branch.is_empty() {
        select = select.filter(tariff::Column::Branch.is_in([&request.branch, ""]));
    }
    let (rows, next_page_token) = page.cut(select.all(desk.db.reader()).await?, |r| r.id);
    let prices = store::prices(desk.db.reader(), &rows.iter().map(|r| r.id).collect::<Vec<_>>()).await?;
    Ok(ListTariffsResponse {
        tariffs: rows.iter().map(|row| store::message(row, &prices)).collect::<Result<_, _>>()?,
        next_page_token,
    })
}
