//! Brings certificates up to the day: states, warnings at 90, 30 and 7 days, the event of the end. Nothing waits for it: what
//! counts is decided by the day wherever a certificate is looked at.

use contracts::hearth::hall::v1::StaffCertificateExpired;
use rpc::{Call, Fault, wire};
use uuid::Uuid;

use super::{
    model::{Action, CertificateState, marks_due, step},
    store::{self, Warning},
};
use crate::{Desk, codes::Code};

const BATCH: u64 = 100;

/// One run; says how many certificates it moved.
pub async fn run(desk: &Desk) -> Result<usize, Fault> {
    let today = desk.clock.now().date();
    let lagging = store::lagging(desk.db.reader(), today, BATCH).await?;
    for certificate in &lagging {
        one(desk, certificate.id).await?;
    }
    Ok(lagging.len())
}

async fn one(desk: &Desk, id: Uuid) -> Result<(), Fault> {
    let mut write = desk.db.open(&Call::background("hall", "sweep-certificates")).await?;
    let today = write.now().date();
    let Some(certificate) = store::lock_certificate(&write, id).await? else {
        return Ok(());
    };
    let wanted = certificate.rule().state_on(today);
    let mut state = certificate.state;
    // The table has no step over EXPIRING: a certificate that nobody looked at for long takes both.
    for action in [Action::Near, Action::End] {
        if state != wanted
            && let Some(next) = step(state, action)
        {
            state = next;
        }
    }
    if state != certificate.state {
        store::move_certificate(&write, id, state, None).await?;
    }
    let marks = marks_due(certificate.valid_to, today, certificate.warned);
    for mark in &marks {
        let warning = Warning {
            id: Uuid::now_v7(),
            branch: certificate.branch.clone(),
            staff_id: certificate.staff_id,
            certificate_id: id,
            kind: certificate.kind,
            days_before: *mark,
            valid_to: certificate.valid_to,
            warned_on: today,
        };
        warning.insert(&write).await?;
    }
    if let Some(smallest) = marks.iter().min() {
        store::warned(&write, id, *smallest).await?;
    }
    if state == CertificateState::Expired && certificate.state != CertificateState::Expired {
        let event = StaffCertificateExpired {
            staff_id: certificate.staff_id.to_string(),
            certificate_id: id.to_string(),
            kind: certificate.kind.number(),
            valid_to_date: Some(wire::date(certificate.valid_to)),
        };
        write.event(certificate.staff_id, &event);
    }
    if state == certificate.state && marks.is_empty() {
        return Ok(());
    }
    write.subject(id);
    write.close().await
}
