use contracts::hearth::archive::v1::{
    AddServicePointRequest, AddServicePointResponse, GetPremisesRequest, GetPremisesResponse, ListPremisesRequest, ListPremisesResponse, PremisesRegistered,
    RegisterPremisesRequest, RegisterPremisesResponse, ServicePointAdded,
};
use database::{Begun, Scope};
use ids::{PremisesId, ServicePointId};
use money::Area;
use rpc::{Call, Fault, page::Page, wire};

use super::{model, store};
use crate::{
    Desk,
    party::model::{ADDRESS_LIMIT, text},
    refusal::{Refusal, at},
};

pub(crate) async fn register(desk: Desk, call: Call, request: RegisterPremisesRequest) -> Result<RegisterPremisesResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let now = write.now().micros();
    let address = text(&request.address, ADDRESS_LIMIT).map_err(at("address"))?;
    let branch = text(&request.branch, 40).map_err(at("branch"))?;
    let area = match &request.area_m2 {
        Some(given) => Some(model::area(wire::decimal_of::<Area>(Some(given), "area_m2")?.hundredths()).map_err(at("area_m2"))?),
        None => None,
    };
    let id = PremisesId::new();
    let mut points: Vec<store::point::Model> = vec![];
    for service in request.services().filter_map(store::service_of) {
        if points.iter().any(|p| p.service == service.code()) {
            return Err(at("services")(Refusal::Duplicate));
        }
        points.push(store::point::Model {
            id: ServicePointId::new().uuid(),
            premises_id: id.uuid(),
            service: service.code().to_owned(),
            created_at: now,
        });
    }
    let community_code = request.community_code.clone();
    let premises = store::row::Model {
        id: id.uuid(),
        address,
        community_code,
        branch: branch.clone(),
        area,
        version: 1,
        created_at: now,
        updated_at: now,
    };
    store::insert(&write, std::slice::from_ref(&premises), &points).await?;
    write.subject(id);
    write.event(
        id,
        &PremisesRegistered {
            premises_id: id.to_string(),
            branch,
        },
    );
    let premises = store::show(premises, &points)?;
    for point in &premises.service_points {
        let added = ServicePointAdded {
            premises_id: id.to_string(),
            service_point_id: point.service_point_id.clone(),
            service: point.service,
        };
        write.event(id, &added);
    }
    write.commit(RegisterPremisesResponse { premises: Some(premises) }).await
}

pub(crate) async fn add_point(desk: Desk, call: Call, request: AddServicePointRequest) -> Result<AddServicePointResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let now = write.now().micros();
    let id: PremisesId = wire::id_of("premises_id", &request.premises_id)?;
    let service = store::service_of(request.service()).ok_or_else(|| at("service")(Refusal::Required))?;
    let mut premises = store::lock(&write, &Scope::of(&call), id.uuid()).await?;
    rpc::check_etag(&request.etag, premises.id, premises.version)?;
    let mut points = store::points(&write, [premises.id]).await?;
    let mut present = vec![];
    for point in &points {
        present.push(point.supplies()?);
    }
    model::may_add(&present, service, request.multi_meter_household)?;
    let point = store::point::Model {
        id: ServicePointId::new().uuid(),
        premises_id: premises.id,
        service: service.code().to_owned(),
        created_at: now,
    };
    store::insert(&write, &[], std::slice::from_ref(&point)).await?;
    store::touch(&write, &mut premises, now).await?;
    let service_point_id = point.id.to_string();
    points.push(point);
    write.subject(id);
    write.event(
        id,
        &ServicePointAdded {
            premises_id: id.to_string(),
            service_point_id: service_point_id.clone(),
            service: request.service,
        },
    );
    write
        .commit(AddServicePointResponse {
            premises: Some(store::show(premises, &points)?),
            service_point_id,
        })
        .await
}

pub(crate) async fn get(desk: Desk, call: Call, request: GetPremisesRequest) -> Result<GetPremisesResponse, Fault> {
    let id: PremisesId = wire::id_of("premises_id", &request.premises_id)?;
    let premises = store::load(desk.db.reader(), &Scope::of(&call), id.uuid()).await?;
    let points = store::points(desk.db.reader(), [premises.id]).await?;
    Ok(GetPremisesResponse {
        premises: Some(store::show(premises, &points)?),
    })
}

pub(crate) async fn list(desk: Desk, call: Call, request: ListPremisesRequest) -> Result<ListPremisesResponse, Fault> {
    let page = Page::of(&call, &[&request.community_code, &request.address], request.page_size, &request.page_token)?;
    let rows = store::list(desk.db.reader(), &Scope::of(&call), &request.community_code, request.address.trim(), &page).await?;
    let (rows, next_page_token) = page.cut(rows, |row| row.id);
    let points = store::points(desk.db.reader(), rows.iter().map(|row| row.id)).await?;
    let premises = rows.into_iter().map(|row| store::show(row, &points)).collect::<Result<_, _>>()?;
    Ok(ListPremisesResponse { premises, next_page_token })
}
