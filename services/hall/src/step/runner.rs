//! Takes the steps that are due. One that was begun before a crash is found in the table and taken again under the same key, so that
//! its effect in the other service happens once.

use std::{collections::BTreeSet, time::Duration};

use rpc::{Call, Code, Fault};
use tokio::task::JoinSet;

use super::{
    model::{Kind, OUTCOME_UNKNOWN, PATIENCE},
    store::{self, Step},
};
use crate::{Desk, opening, order};

const POLL: Duration = Duration::from_millis(200);

/// Steps that are taken at the same time: a service that does not answer holds up its own steps only.
const LANES: usize = 8;

/// Takes steps as long as the service runs.
pub async fn run(desk: Desk) {
    let mut lanes = JoinSet::new();
    let mut in_hand = BTreeSet::new();
    loop {
        while let Some(ended) = lanes.try_join_next() {
            match ended {
                Ok(id) => {
                    in_hand.remove(&id);
                }
                // Which one panicked is not told; the others are taken by nobody else as long as their claim lasts.
                Err(_) => in_hand.clear(),
            }
        }
        let claimed = if lanes.len() < LANES {
            store::claim(&desk.db, &in_hand).await
        } else {
            Ok(None)
        };
        match claimed {
            Ok(Some(step)) => {
                let (desk, id) = (desk.clone(), step.id);
                in_hand.insert(id);
                lanes.spawn(async move {
                    if let Err(fault) = take(&desk, step).await {
                        tracing::warn!(%fault, "the outcome of a step could not be kept; it is taken again");
                    }
                    id
                });
            }
            Ok(None) => {
                // Rung after a write that added a step; else the next look finds those whose time has come.
                let _ = tokio::time::timeout(POLL, desk.bell.notified()).await;
            }
            Err(fault) => {
                tracing::warn!(%fault, "steps cannot be claimed; it is tried again");
                tokio::time::sleep(POLL).await;
            }
        }
    }
}

async fn take(desk: &Desk, step: Step) -> Result<(), Fault> {
    let call = Call::background("hall", "take-step");
    let taken = match step.kind {
        Kind::CheckVendorPerson => order::vendor::check_person(desk, &call, &step).await,
        _ => opening::saga::take(desk, &call, &step).await,
    };
    let Err(fault) = taken else { return Ok(()) };
    let (park, reason) = match verdict(fault.code(), step.kind, step.attempts) {
        Verdict::Again => (false, fault.reason()),
        Verdict::Refused => (true, fault.reason()),
        Verdict::Unknown => (true, OUTCOME_UNKNOWN),
    };
    if park {
        tracing::warn!(step = %step.id, kind = ?step.kind, %fault, "a step was refused and waits for a person");
    }
    if step.attempts == PATIENCE && !park {
        tracing::warn!(step = %step.id, kind = ?step.kind, %fault, "a step waits for a service that is away");
    }
    let mut write = desk.db.open(&call).await?;
    let Some(step) = store::lock_pending(&write, step.id).await? else {
        return Ok(());
    };
    write.subject(step.id);
    store::failed(&write, step, reason, park).await?;
    write.close().await
}

/// What a failed try means.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// It is left open whether the step had its effect, so it is tried again.
    Again,
    /// The other service has said no.
    Refused,
    /// It answers, and does not come to say what came of it.
    Unknown,
}

fn verdict(code: Code, of: Kind, attempts: i32) -> Verdict {
    let patience = attempts < PATIENCE;
    match code {
        Code::InvalidArgument
        | Code::FailedPrecondition
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::Unauthenticated => Verdict::Refused,
        // It is away, or our own database is.
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled => Verdict::Again,
        // Billing may hear of an agreement a little later than we do; the others keep what they are asked for themselves.
        Code::NotFound if !patience || !matches!(of, Kind::InstallMeter | Kind::RemoveInstallation) => Verdict::Refused,
        _ if patience => Verdict::Again,
        _ => Verdict::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r_e8_what_is_not_there_is_waited_for_where_it_may_only_be_late() {
        for kind in [Kind::InstallMeter, Kind::RemoveInstallation] {
            assert_eq!(verdict(Code::NotFound, kind, 0), Verdict::Again, "billing hears of agreements by events");
            assert_eq!(verdict(Code::NotFound, kind, PATIENCE), Verdict::Refused);
        }
        for kind in [Kind::SignAgreement, Kind::ActivateAgreement, Kind::VoidAgreement, Kind::CheckVendorPerson] {
            assert_eq!(verdict(Code::NotFound, kind, 0), Verdict::Refused, "they keep it themselves");
        }
        let unsaid = [0, PATIENCE].map(|attempts| verdict(Code::Internal, Kind::SignAgreement, attempts));
        assert_eq!(unsaid, [Verdict::Again, Verdict::Unknown]);
        assert_eq!(verdict(Code::Unavailable, Kind::SignAgreement, PATIENCE), Verdict::Again, "it is away");
    }
}
