use calendar::NaiveDate;
use contracts::hearth::hall::v1 as proto;
use database::{Conn, Scope, Scoped, find};
use money::Volume;
use rpc::{Fault, page::Page, wire};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::model::{Item, Paper, Relationship, State, UnsafeCause};
use crate::{
    codes::Code,
    fields,
    rows::{Packed, columns, table},
    step as steps,
};

columns!(State, UnsafeCause, Relationship);

/// An item of the review, with the fact on which it rests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reviewed {
    pub item: Item,
    /// Where the fact is kept.
    pub fact_kind: String,
    /// Its id or number.
    pub fact_id: String,
    pub passed: bool,
}

/// A tightness test.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tightness {
    pub test_pressure_pa: i32,
    pub held_minutes: i32,
    pub drop_pa: i32,
}

table! {
    versioned opening "opening" {
        opening_no: String,
        account_id: Uuid,
        premises_id: Uuid,
        service_point_id: Uuid,
        community_code: String,
        use_class: String,
        non_resident: bool,
        branch: String,
        state: State,
        standing_alerts: Packed<Vec<String>>,
        papers: Packed<Vec<(Paper, String)>>,
        receipts: Packed<Vec<String>>,
        agreement_id: Option<Uuid>,
        meter_no: String,
        appliances: Packed<Vec<Uuid>>,
        review: Packed<Vec<Reviewed>>,
        order_id: Option<Uuid>,
        planned_on: Option<NaiveDate>,
        tightness: Packed<Tightness>,
        initial_index: Option<i64>,
        photo_file_id: String,
        signature_file_id: String,
        opened_on: Option<NaiveDate>,
        unsafe_cause: Option<UnsafeCause>,
        refusal_id: Option<Uuid>,
        booklet_no: String,
        installed: bool,
        created_at: i64,
    }
}
table! {
    safety_review "safety_review" {
        opening_id: Uuid,
        inspector_id: Uuid,
        reviewed_on: NaiveDate,
        passed: bool,
        findings: String,
        created_at: i64,
    }
}
table! {
    presence "presence" {
        opening_id: Uuid,
        relation: Relationship,
        adult: bool,
        visited_on: NaiveDate,
        witness_id: Uuid,
        created_at: i64,
    }
}

pub use opening::Model as Opening;
pub use presence::Model as Presence;
pub use safety_review::Model as SafetyReview;

impl Scoped for opening::Entity {
    const BRANCH: Option<Self::Column> = Some(opening::Column::Branch);
}

/// An opening that the caller may see.
pub async fn get(conn: &Conn, scope: &Scope, id: Uuid) -> Result<Opening, Fault> {
    find::<opening::Entity>(scope)
        .filter(opening::Column::Id.eq(id))
        .one(conn)
        .await?
        .ok_or_else(|| Fault::not_found("opening", id))
}

/// The same, held until the write has ended.
pub async fn lock(conn: &Conn, scope: &Scope, id: Uuid) -> Result<Opening, Fault> {
    let select = find::<opening::Entity>(scope).filter(opening::Column::Id.eq(id)).lock_exclusive();
    select.one(conn).await?.ok_or_else(|| Fault::not_found("opening", id))
}

pub async fn list(conn: &Conn, scope: &Scope, page: &Page, state: Option<State>, account: Option<Uuid>) -> Result<Vec<Opening>, Fault> {
    let mut select = find::<opening::Entity>(scope).order_by_asc(opening::Column::Id).limit(page.limit());
    if let Some(after) = page.after {
        select = select.filter(opening::Column::Id.gt(after));
    }
    if let Some(state) = state {
        select = select.filter(opening::Column::State.eq(state));
    }
    if let Some(account) = account {
        select = select.filter(opening::Column::AccountId.eq(account));
    }
    Ok(select.all(conn).await?)
}

/// The last safety review of an opening.
pub async fn safety_review(conn: &Conn, opening: Uuid) -> Result<Option<SafetyReview>, Fault> {
    Ok(safety_review::Entity::find()
        .filter(safety_review::Column::OpeningId.eq(opening))
        .order_by_desc(safety_review::Column::Id)
        .one(conn)
        .await?)
}

/// A record of presence of an opening.
pub async fn presence(conn: &Conn, opening: Uuid, id: Uuid) -> Result<Option<Presence>, Fault> {
    Ok(presence::Entity::find_by_id(id)
        .filter(presence::Column::OpeningId.eq(opening))
        .one(conn)
        .await?)
}

/// The last record of presence of an opening.
pub async fn last_presence(conn: &Conn, opening: Uuid) -> Result<Option<Presence>, Fault> {
    Ok(presence::Entity::find()
        .filter(presence::Column::OpeningId.eq(opening))
        .order_by_desc(presence::Column::Id)
        .one(conn)
        .await?)
}

/// The opening with the step in another service that has not ended.
pub async fn whole(conn: &Conn, opening: &Opening) -> Result<proto::Opening, Fault> {
    let step = steps::store::open(conn, opening.id).await?.map(|step| proto::OpenStep {
        step_id: step.id.to_string(),
        kind: step.kind.code().to_owned(),
        parked: step.state == steps::model::State::Parked,
        last_reason: step.last_reason,
    });
    Ok(proto::Opening {
        open_step: step,
        ..opening.proto()
    })
}

impl Opening {
    /// The opening alone, as lists show it.
    pub fn proto(&self) -> proto::Opening {
        let review = self.review.0.iter().map(|item| proto::ReviewItem {
            item: item.item.code().to_owned(),
            fact_kind: item.fact_kind.clone(),
            fact_id: item.fact_id.clone(),
            passed: item.passed,
        });
        proto::Opening {
            opening_id: self.id.to_string(),
            opening_no: self.opening_no.clone(),
            account_id: self.account_id.to_string(),
            premises_id: self.premises_id.to_string(),
            service_point_id: self.service_point_id.to_string(),
            use_class: self.use_class.clone(),
            non_resident: self.non_resident,
            branch: self.branch.clone(),
            state: self.state.number(),
            standing_alerts: self.standing_alerts.0.clone(),
            agreement_id: fields::text(self.agreement_id),
            meter_no: self.meter_no.clone(),
            appliance_acceptance_ids: self.appliances.0.iter().map(Uuid::to_string).collect(),
            review: review.collect(),
            order_id: fields::text(self.order_id),
            planned_date: self.planned_on.map(wire::date),
            initial_index: self.initial_index.map(|litres| wire::decimal(Volume::from_litres(litres).short())),
            opened_date: self.opened_on.map(wire::date),
            unsafe_cause: fields::number(self.unsafe_cause),
            booklet_no: self.booklet_no.clone(),
            open_step: None,
            create_time: Some(fields::instant(self.created_at)),
            etag: self.etag(),
        }
    }
}
