//! Publication of profiles.

use contracts::hearth::billing::v1::{PublishProfileRequest, PublishProfileResponse};
use database::Begun;
use rpc::{Call, Fault, wire};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use uuid::Uuid;

use super::store::{self, profile};
use crate::{Desk, Refusal, bill::store::bill, table};

/// PublishProfile (decision 9).
pub async fn publish(desk: Desk, call: Call, request: PublishProfileRequest) -> Result<PublishProfileResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let from = wire::date_of(request.from_date.as_ref(), "from_date")?;
    let terms = store::terms_of(request.terms.as_ref().unwrap_or(&contracts::hearth::billing::v1::ProfileTerms::default()))?;
    terms.check().map_err(|r| Fault::from(r).field("terms.reminder_days"))?;
    // A bill follows the profile of its day of issue; what it was issued with does not change behind its back.
    let issued = bill::Entity::find()
        .filter(bill::Column::Branch.eq(&request.branch))
        .filter(bill::Column::IssueDate.gte(from))
        .count(&*write)
        .await?;
    if issued > 0 {
        return Err(Fault::from(Refusal::ProfileTooLate).field("from_date"));
    }
    let row = profile::Model {
        id: Uuid::now_v7(),
        branch: request.branch.clone(),
        name: request.name.clone(),
        from_date: from,
        terms: serde_json::to_string(&terms).map_err(Fault::internal)?,
        source: request.source.clone(),
        published_by: call.subject().to_owned(),
        created_at: write.now().micros(),
    };
    table::insert::<profile::Entity>(&write, row.clone()).await?;
    write.subject(row.id);
    write
        .commit(PublishProfileResponse {
            profile: Some(store::message(&row)?),
        })
        .await
}
