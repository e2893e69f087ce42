//! Tells of entitlements that end soon, so that no household loses its price unnoticed (edge 14). Nothing waits for it: an entitlement ends by its days.

use calendar::NaiveDate;
use contracts::hearth::archive::v1::EntitlementExpiring;
use database::{Scope, Write};
use rpc::{Call, Fault, wire};
use uuid::Uuid;

use super::{
    model,
    store::{self, row},
};
use crate::{Desk, agreement::store as agreements};

const BATCH: u64 = 100;

/// One run; says how many ends it looked at.
pub(crate) async fn run(desk: &Desk) -> Result<usize, Fault> {
    let today = desk.db.clock().now().date();
    let due = store::ends_due(desk.db.reader(), today, BATCH).await?;
    for (id, agreement) in &due {
        look(desk, *id, *agreement).await?;
    }
    Ok(due.len())
}

async fn look(desk: &Desk, id: Uuid, agreement: Uuid) -> Result<(), Fault> {
    let mut write = desk.db.open(&Call::background("archive", "sweep-entitlements")).await?;
    let today = write.now().date();
    // Grants take the same lock: what is told is not renewed meanwhile, and a notice never comes behind the news of the renewal.
    let agreement = agreements::lock(&write, &Scope::everything(), agreement).await?;
    let entitlement = store::lock(&write, &Scope::everything(), id).await?;
    let Some(until) = entitlement.until_date.filter(|_| entitlement.next_mark_on.is_some_and(|day| day <= today)) else {
        return Ok(());
    };
    store::looked(&write, id, model::next_mark_on(until, today)).await?;
    write.subject(id);
    // Whose agreement is over has nothing to renew.
    if agreement.stands()?.may_entitle().is_ok() {
        tell(&mut write, &entitlement, until, today).await?;
    }
    write.close().await
}

async fn tell(write: &mut Write, entitlement: &row::Model, until: NaiveDate, today: NaiveDate) -> Result<(), Fault> {
    let (kind, agreement) = (entitlement.is()?, entitlement.agreement_id);
    let Some(mark) = model::mark_due(until, today) else {
        return Ok(());
    };
    if store::begins(write, agreement, kind, until).await? {
        return Ok(());
    }
    write.event(
        agreement,
        &EntitlementExpiring {
            entitlement_id: entitlement.id.to_string(),
            agreement_id: agreement.to_string(),
            party_id: entitlement.party_id.to_string(),
            kind: store::show_kind(kind).into(),
            until_date: Some(wire::date(until)),
            days_before: i32::try_from(mark).map_err(Fault::internal)?,
        },
    );
    Ok(())
}
