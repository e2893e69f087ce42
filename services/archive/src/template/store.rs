use chrono::NaiveDate;
use contracts::hearth::archive::v1 as proto;
use database::Conn;
use rpc::{Fault, page::Page, wire};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait};
use uuid::Uuid;

use super::model::{Clause, Latest};
use crate::{premises::model::Service, table, unknown_code};

table!(row, "template", {
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    code: String,
    service: String,
    created_at: i64,
});

table!(version, "template_version", {
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    template_id: Uuid,
    version: i32,
    title: String,
    filed_with_authority_no: String,
    effective_date: Date,
    clauses: String,
    published_at: i64,
});

/// One version of a template, with what all its versions share.
#[derive(Clone)]
pub(crate) struct Template {
    pub head: row::Model,
    pub version: version::Model,
}

impl Template {
    pub(crate) fn supplies(&self) -> Result<Service, Fault> {
        Service::of(&self.head.service).ok_or_else(|| unknown_code("template.service"))
    }

    pub(crate) fn clauses(&self) -> Result<Vec<Clause>, Fault> {
        serde_json::from_str(&self.version.clauses).map_err(Fault::internal)
    }
}

/// The template with a code, locked, so that versions are published one after the other.
pub(crate) async fn lock_code(conn: &Conn, code: &str) -> Result<Option<row::Model>, Fault> {
    Ok(row::Entity::find().filter(row::Column::Code.eq(code)).lock_exclusive().one(conn).await?)
}

pub(crate) async fn latest(conn: &Conn, head: &row::Model) -> Result<Option<Latest>, Fault> {
    let service = Service::of(&head.service).ok_or_else(|| unknown_code("template.service"))?;
    let found = version::Entity::find()
        .filter(version::Column::TemplateId.eq(head.id))
        .order_by_desc(version::Column::Version)
        .one(conn)
        .await?;
    Ok(found.map(|v| Latest {
        version: v.version,
        service,
        effective: v.effective_date,
    }))
}

pub(crate) async fn insert(conn: &Conn, template: &Template, new: bool) -> Result<(), Fault> {
    let (head, version) = (template.head.clone(), template.version.clone());
    if new {
        let row = row::ActiveModel {
            id: Set(head.id),
            code: Set(head.code),
            service: Set(head.service),
            created_at: Set(head.created_at),
        };
        row::Entity::insert(row).exec_without_returning(conn).await?;
    }
    let row = version::ActiveModel {
        id: Set(version.id),
        template_id: Set(version.template_id),
        version: Set(version.version),
        title: Set(version.title),
        filed_with_authority_no: Set(version.filed_with_authority_no),
        effective_date: Set(version.effective_date),
        clauses: Set(version.clauses),
        published_at: Set(version.published_at),
    };
    version::Entity::insert(row).exec_without_returning(conn).await?;
    Ok(())
}

/// A version of a template; 0 is the latest.
pub(crate) async fn load(conn: &Conn, id: Uuid, number: i32) -> Result<Template, Fault> {
    let missing = || Fault::not_found("template", id);
    let head = row::Entity::find_by_id(id).one(conn).await?.ok_or_else(missing)?;
    let mut found = version::Entity::find().filter(version::Column::TemplateId.eq(id));
    if number > 0 {
        found = found.filter(version::Column::Version.eq(number));
    }
    let version = found.order_by_desc(version::Column::Version).one(conn).await?.ok_or_else(missing)?;
    Ok(Template { head, version })
}

/// First day of the version after one.
pub(crate) async fn next_effective(conn: &Conn, template: &Template) -> Result<Option<NaiveDate>, Fault> {
    let found = version::Entity::find()
        .filter(version::Column::TemplateId.eq(template.head.id))
        .filter(version::Column::Version.gt(template.version.version))
        .order_by_asc(version::Column::Version)
        .one(conn)
        .await?;
    Ok(found.map(|v| v.effective_date))
}

/// The version that may be signed on a day: of one template, or of the one for the service that was published last.
pub(crate) async fn in_force(conn: &Conn, id: Option<Uuid>, service: Service, day: NaiveDate) -> Result<Option<Template>, Fault> {
    let mut heads = row::Entity::find().filter(row::Column::Service.eq(service.code()));
    if let Some(id) = id {
        heads = heads.filter(row::Column::Id.eq(id));
    }
    let heads = heads.all(conn).await?;
    let version = version::Entity::find()
        .filter(version::Column::TemplateId.is_in(heads.iter().map(|head| head.id)))
        .filter(version::Column::EffectiveDate.lte(day))
        .order_by_desc(version::Column::EffectiveDate)
        .order_by_desc(version::Column::Id)
        .one(conn)
        .await?;
    Ok(version.and_then(|version| {
        heads
            .into_iter()
            .find(|head| head.id == version.template_id)
            .map(|head| Template { head, version })
    }))
}

pub(crate) async fn list(conn: &Conn, service: Option<Service>, page: &Page) -> Result<Vec<Template>, Fault> {
    let mut found = version::Entity::find();
    if let Some(service) = service {
        let of_service = row::Entity::find()
            .select_only()
            .column(row::Column::Id)
            .filter(row::Column::Service.eq(service.code()))
            .into_query();
        found = found.filter(version::Column::TemplateId.in_subquery(of_service));
    }
    if let Some(after) = page.after {
        found = found.filter(version::Column::Id.gt(after));
    }
    let versions = found.order_by_asc(version::Column::Id).limit(page.limit()).all(conn).await?;
    let heads = row::Entity::find()
        .filter(row::Column::Id.is_in(versions.iter().map(|v| v.template_id)))
        .all(conn)
        .await?;
    Ok(versions
        .into_iter()
        .filter_map(|version| {
            heads
                .iter()
                .find(|h| h.id == version.template_id)
                .cloned()
                .map(|head| Template { head, version })
        })
        .collect())
}

/// A version as the contract shows it.
pub(crate) fn show(template: Template, with_clauses: bool) -> Result<proto::Template, Fault> {
    let service = proto::Service::from(template.supplies()?);
    let clauses = if with_clauses { template.clauses()? } else { vec![] };
    let Template { head, version } = template;
    Ok(proto::Template {
        template_id: head.id.to_string(),
        code: head.code,
        version: version.version,
        title: version.title,
        service: service.into(),
        filed_with_authority_no: version.filed_with_authority_no,
        effective_date: Some(wire::date(version.effective_date)),
        clauses: clauses
            .into_iter()
            .map(|c| proto::Clause {
                clause_no: c.clause_no,
                title: c.title,
                text: c.text,
                flagged: c.flagged,
            })
            .collect(),
        publish_time: Some(wire::time(calendar::Instant::from_micros(version.published_at))),
    })
}
