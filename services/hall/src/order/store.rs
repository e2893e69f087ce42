use calendar::{Instant, NaiveDate};
use contracts::hearth::hall::v1 as proto;
use database::{Conn, Scope, Scoped, find};
use money::Volume;
use rpc::{Fault, page::Page, wire};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use vault::Vault;

use super::model::{Given, State, Type, certificate};
use crate::{
    codes::Code,
    complaint::model::Utility,
    fields,
    refusal::Refusal,
    rows::{Packed, columns, table},
    sealed::{self, Clear},
    story::Move,
};

columns!(State, Type);

/// Field evidence of a round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub summary: String,
    pub photos: Vec<String>,
    pub signature: String,
    pub index: Option<Volume>,
    pub new_meter_no: String,
    pub new_meter_index: Option<Volume>,
    /// Absent in reports from before it was asked.
    #[serde(default)]
    pub hazard: bool,
}

table! {
    versioned order "work_order" {
        order_no: String,
        kind: Type,
        case_id: Option<Uuid>,
        account_id: Option<Uuid>,
        opening_id: Option<Uuid>,
        branch: String,
        planned_on: NaiveDate,
        state: State,
        crew: Packed<Vec<Uuid>>,
        vendor_id: Option<Uuid>,
        vendor_person_id: Option<Uuid>,
        respond_by: Option<i64>,
        round: i32,
        no_access: i32,
        task: String,
        report: Option<Packed<Report>>,
        reported_by: String,
        returned_reason: String,
        created_at: i64,
        utility: Utility,
        agreement_id: Option<Uuid>,
    }
}

pub use order::Model as Order;

/// Names of what is sealed in columns of texts, where older rows are clear.
pub const TASK: &str = "work_order.task";
pub const SUMMARY: &str = "work_order.report.summary";

impl Scoped for order::Entity {
    const BRANCH: Option<Self::Column> = Some(order::Column::Branch);
}

/// An order that the caller may see.
pub async fn get(conn: &Conn, scope: &Scope, id: Uuid) -> Result<Order, Fault> {
    find::<order::Entity>(scope)
        .filter(order::Column::Id.eq(id))
        .one(conn)
        .await?
        .ok_or_else(|| Fault::not_found("order", id))
}

/// The same, held until the write has ended.
pub async fn lock(conn: &Conn, scope: &Scope, id: Uuid) -> Result<Order, Fault> {
    find::<order::Entity>(scope)
        .filter(order::Column::Id.eq(id))
        .lock_exclusive()
        .one(conn)
        .await?
        .ok_or_else(|| Fault::not_found("order", id))
}

/// An order of a case that is neither completed nor cancelled.
pub async fn open_of_case(conn: &Conn, case: Uuid) -> Result<Option<Uuid>, Fault> {
    let select = order::Entity::find()
        .filter(order::Column::CaseId.eq(case))
        .filter(order::Column::State.is_not_in([State::Completed, State::Cancelled]));
    Ok(select.one(conn).await?.map(|order| order.id))
}

/// The visit of an agreement that is neither completed nor cancelled, held until the write has ended.
pub async fn open_visit(conn: &Conn, agreement: Uuid) -> Result<Option<Order>, Fault> {
    let select = order::Entity::find()
        .filter(order::Column::AgreementId.eq(agreement))
        .filter(order::Column::State.is_not_in([State::Completed, State::Cancelled]));
    Ok(select.lock_exclusive().one(conn).await?)
}

/// Orders whose vendor did not answer in time.
pub async fn lapsed(conn: &Conn, before: Instant, limit: u64) -> Result<Vec<Order>, Fault> {
    let select = order::Entity::find()
        .filter(order::Column::State.eq(State::Offered))
        .filter(order::Column::RespondBy.lt(before.micros()));
    Ok(select.order_by_asc(order::Column::RespondBy).limit(limit).all(conn).await?)
}

pub async fn list(conn: &Conn, scope: &Scope, page: &Page, state: Option<State>, kind: Option<Type>, case: Option<Uuid>) -> Result<Vec<Order>, Fault> {
    let mut select = find::<order::Entity>(scope).order_by_asc(order::Column::Id).limit(page.limit());
    if let Some(after) = page.after {
        select = select.filter(order::Column::Id.gt(after));
    }
    if let Some(state) = state {
        select = select.filter(order::Column::State.eq(state));
    }
    if let Some(kind) = kind {
        select = select.filter(order::Column::Kind.eq(kind));
    }
    if let Some(case) = case {
        select = select.filter(order::Column::CaseId.eq(case));
    }
    Ok(select.all(conn).await?)
}

/// An index of a meter: not negative, at most three places.
pub fn index_of(field: &str, value: Option<&contracts::hearth::r#type::v1::Decimal>) -> Result<Option<Volume>, Fault> {
    let Some(value) = value else { return Ok(None) };
    let index = value.value.parse::<Volume>().ok().filter(|index| index.litres() >= 0);
    index.map(Some).ok_or_else(|| Fault::from(Refusal::IndexFormat).field(field))
}

/// A report as it is kept.
pub fn report_of(given: &proto::OrderReport) -> Result<Report, Fault> {
    Ok(Report {
        summary: given.summary.clone(),
        photos: given.photo_file_ids.clone(),
        signature: given.signature_file_id.clone(),
        index: index_of("report.index", given.index.as_ref())?,
        new_meter_no: given.new_meter_no.clone(),
        new_meter_index: index_of("report.new_meter_index", given.new_meter_index.as_ref())?,
        hazard: given.hazard,
    })
}

impl Report {
    /// What evidence it has.
    pub fn given(&self) -> Given {
        Given {
            photos: self.photos.len(),
            signature: !self.signature.is_empty(),
            index: self.index.is_some(),
            new_meter: !self.new_meter_no.is_empty(),
            new_meter_index: self.new_meter_index.is_some(),
        }
    }

    fn proto(&self, summary: String) -> proto::OrderReport {
        let index = |index: Option<Volume>| index.map(|index| wire::decimal(index.short()));
        proto::OrderReport {
            summary,
            photo_file_ids: self.photos.clone(),
            signature_file_id: self.signature.clone(),
            index: index(self.index),
            new_meter_no: self.new_meter_no.clone(),
            new_meter_index: index(self.new_meter_index),
            hazard: self.hazard,
        }
    }
}

/// Orders with what is sealed of them opened, empty where it was erased; answers are masked by the frame.
pub async fn opened(conn: &Conn, vault: &Vault, rows: &[Order]) -> Result<Vec<proto::Order>, Fault> {
    let texts = rows.iter().flat_map(|row| {
        let summary = row.report.as_ref().map_or("", |report| &report.0.summary);
        [(row.id, TASK, row.task.as_str()), (row.id, SUMMARY, summary)]
    });
    let mut texts = sealed::texts(conn, vault, texts).await?;
    Ok(rows.iter().map(|row| row.told(&mut texts)).collect())
}

impl Order {
    /// The order with what is sealed of it opened.
    pub async fn proto(self, conn: &Conn, vault: &Vault) -> Result<Option<proto::Order>, Fault> {
        Ok(opened(conn, vault, &[self]).await?.pop())
    }

    fn told(&self, texts: &mut Clear) -> proto::Order {
        let (task, summary) = (texts.take(), texts.take());
        proto::Order {
            order_id: self.id.to_string(),
            order_no: self.order_no.clone(),
            r#type: self.kind.number(),
            certificate_kind: fields::number(certificate(self.kind)),
            case_id: fields::text(self.case_id),
            account_id: fields::text(self.account_id),
            branch: self.branch.clone(),
            planned_date: Some(wire::date(self.planned_on)),
            state: self.state.number(),
            staff_ids: self.crew.0.iter().map(Uuid::to_string).collect(),
            vendor_id: fields::text(self.vendor_id),
            vendor_person_id: fields::text(self.vendor_person_id),
            respond_by_time: self.respond_by.map(fields::instant),
            round: self.round,
            no_access_visits: self.no_access,
            task,
            report: self.report.as_ref().map(|report| report.0.proto(summary)),
            returned_reason: self.returned_reason.clone(),
            create_time: Some(fields::instant(self.created_at)),
            etag: self.etag(),
            utility: self.utility.number(),
            agreement_id: fields::text(self.agreement_id),
        }
    }
}

/// A step of an order's history.
pub fn move_proto(row: &Move) -> proto::OrderMove {
    proto::OrderMove {
        move_time: Some(fields::instant(row.moved_at)),
        actor: row.actor.clone(),
        action: row.action.clone(),
        from_state: fields::number(State::of_code(&row.from_state)),
        to_state: fields::number(State::of_code(&row.to_state)),
        reason: row.reason.clone(),
    }
}
