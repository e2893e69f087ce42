//! Brings policies up to the day: versions that begin or end, duties that were not done in time.

use contracts::hearth::archive::v1::{PolicyDutyOverdue, PolicyEffective, PolicySuperseded, PolicyWithdrawn};
use database::Write;
use rpc::{Call, Fault, wire};
use uuid::Uuid;

use super::{
    duty,
    model::{self, Action, State, step},
    store::{self, document, row},
};
use crate::Desk;

const BATCH: u64 = 100;

/// One run; says how many documents and duties it looked at.
pub(crate) async fn run(desk: &Desk) -> Result<usize, Fault> {
    let today = desk.db.clock().now().date();
    let due = store::documents_due(desk.db.reader(), today, BATCH).await?;
    let mut moved = due.len();
    for policy in due {
        let mut write = desk.db.open(&Call::background("archive", "sweep-policies")).await?;
        let policy = store::lock_document(&write, policy).await?;
        settle(&mut write, &policy).await?;
        write.close().await?;
    }
    let missed = store::missed(desk.db.reader(), today, BATCH).await?;
    moved = moved.saturating_add(missed.len());
    for duty in missed {
        miss(desk, duty.id).await?;
    }
    Ok(moved)
}

/// Takes each version of a locked document to where it stands today, in the order of their days. Every write on a version begins with
/// it, so that no answer depends on when the sweep ran.
pub(crate) async fn settle(write: &mut Write, policy: &document::Model) -> Result<(), Fault> {
    let (now, today) = (write.now().micros(), write.now().date());
    let mut versions = store::versions(write, policy.id).await?;
    versions.sort_by_key(|version| version.live_from);
    let begins: Vec<_> = versions.iter().map(|version| (version.id, version.live_from)).collect();
    for version in &mut versions {
        let Some(live) = version.live() else { continue };
        let next = begins.iter().find(|(_, from)| from.is_some() && *from == live.until).map(|(id, _)| *id);
        while let Some(action) = model::due(version.stands()?, live, next.is_some(), today) {
            step(version.stands()?, action)?.code().clone_into(&mut version.state);
            store::save(write, version, now).await?;
            write.subject(version.id);
            if action == Action::TakeEffect {
                let recurring = duty::recurring(&version.page()?, live.from);
                store::insert_duties(write, version, recurring, now).await?;
                write.event(
                    policy.id,
                    &PolicyEffective {
                        policy_id: policy.id.to_string(),
                        policy_version_id: version.id.to_string(),
                        doc_no: policy.doc_no.clone(),
                        label: version.label.clone(),
                        effective_date: Some(wire::date(live.from)),
                    },
                );
            } else {
                end(write, policy, version, next).await?;
            }
        }
    }
    Ok(())
}

/// A version that was issued is at its end: its open duties end with it.
pub(crate) async fn end(write: &mut Write, policy: &document::Model, version: &row::Model, by: Option<Uuid>) -> Result<(), Fault> {
    for mut duty in store::duties_of(write, version.id).await? {
        if let Ok(state) = duty::step(duty.stands()?, duty::Action::Cancel) {
            state.code().clone_into(&mut duty.state);
            store::save_duty(write, &mut duty).await?;
        }
    }
    let (policy_id, policy_version_id) = (policy.id.to_string(), version.id.to_string());
    match (version.stands()?, by) {
        (State::Superseded, Some(by)) => write.event(
            policy.id,
            &PolicySuperseded {
                policy_id,
                policy_version_id,
                by_version_id: by.to_string(),
            },
        ),
        _ => write.event(
            policy.id,
            &PolicyWithdrawn {
                policy_id,
                policy_version_id,
                last_date: version.live_until.and_then(|day| day.pred_opt()).map(wire::date),
            },
        ),
    }
    Ok(())
}

async fn miss(desk: &Desk, id: Uuid) -> Result<(), Fault> {
    let mut write = desk.db.open(&Call::background("archive", "sweep-policy-duties")).await?;
    let mut duty = store::lock_duty(&write, id).await?;
    let Ok(state) = duty::step(duty.stands()?, duty::Action::Miss) else {
        return Ok(());
    };
    if !duty::missed(duty.due_on, write.now().date()) {
        return Ok(());
    }
    state.code().clone_into(&mut duty.state);
    store::save_duty(&write, &mut duty).await?;
    let policy = document(&write, duty.policy_id).await?;
    let version = store::version(&write, duty.version_id).await?;
    write.subject(duty.id);
    write.event(
        policy.id,
        &PolicyDutyOverdue {
            policy_id: policy.id.to_string(),
            policy_version_id: version.id.to_string(),
            policy_duty_id: duty.id.to_string(),
            doc_no: policy.doc_no,
            kind: duty.is()?.number(),
            department: duty.department,
            due_date: Some(wire::date(duty.due_on)),
            report_to: version.page()?.report_to,
        },
    );
    write.close().await
}
