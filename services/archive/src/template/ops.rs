use contracts::hearth::archive::v1::{
    GetTemplateRequest, GetTemplateResponse, ListTemplatesRequest, ListTemplatesResponse, PublishTemplateRequest, PublishTemplateResponse, TemplatePublished,
};
use database::Begun;
use ids::TemplateId;
use rpc::{Call, Fault, page::Page, wire};
use uuid::Uuid;

use super::{
    model::{self, Clause},
    store::{self, Template, row, version},
};
use crate::{
    Desk,
    party::model::text,
    premises::store::service_of,
    refusal::{Refusal, at},
};

pub(crate) async fn publish(desk: Desk, call: Call, request: PublishTemplateRequest) -> Result<PublishTemplateResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let now = write.now().micros();
    let service = service_of(request.service()).ok_or_else(|| at("service")(Refusal::Required))?;
    let effective_date = wire::date_of(request.effective_date.as_ref(), "effective_date")?;
    let title = text(&request.title, 100).map_err(at("title"))?;
    let clauses: Vec<_> = request
        .clauses
        .iter()
        .cloned()
        .map(|c| Clause {
            clause_no: c.clause_no,
            title: c.title,
            text: c.text,
            flagged: c.flagged,
        })
        .collect();
    model::distinct(&clauses).map_err(at("clauses"))?;

    let before = store::lock_code(&write, &request.code).await?;
    let latest = match &before {
        Some(head) => store::latest(&write, head).await?,
        None => None,
    };
    model::may_publish(latest, request.version, service, effective_date)?;
    let new = before.is_none();
    let head = before.unwrap_or_else(|| row::Model {
        id: TemplateId::new().uuid(),
        code: request.code.clone(),
        service: service.code().to_owned(),
        created_at: now,
    });
    let version = version::Model {
        id: Uuid::now_v7(),
        template_id: head.id,
        version: request.version,
        title,
        filed_with_authority_no: request.filed_with_authority_no.trim().to_owned(),
        effective_date,
        clauses: serde_json::to_string(&clauses).map_err(Fault::internal)?,
        published_at: now,
    };
    let template = Template { head, version };
    store::insert(&write, &template, new).await?;
    let template = store::show(template, true)?;
    write.subject(&template.template_id);
    let published = TemplatePublished {
        template_id: template.template_id.clone(),
        version: template.version,
        service: template.service,
        effective_date: template.effective_date,
    };
    write.event(&template.template_id, &published);
    write.commit(PublishTemplateResponse { template: Some(template) }).await
}

pub(crate) async fn get(desk: Desk, _: Call, request: GetTemplateRequest) -> Result<GetTemplateResponse, Fault> {
    let id: TemplateId = wire::id_of("template_id", &request.template_id)?;
    let template = store::load(desk.db.reader(), id.uuid(), request.version).await?;
    Ok(GetTemplateResponse {
        template: Some(store::show(template, true)?),
    })
}

pub(crate) async fn list(desk: Desk, call: Call, request: ListTemplatesRequest) -> Result<ListTemplatesResponse, Fault> {
    let page = Page::of(&call, &[request.service().as_str_name()], request.page_size, &request.page_token)?;
    let rows = store::list(desk.db.reader(), service_of(request.service()), &page).await?;
    let (rows, next_page_token) = page.cut(rows, |row| row.version.id);
    Ok(ListTemplatesResponse {
        templates: rows.into_iter().map(|row| store::show(row, false)).collect::<Result<_, _>>()?,
        next_page_token,
    })
}
