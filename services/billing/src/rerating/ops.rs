//! Starting a re-rating run, and what it does to one agreement.

use contracts::hearth::billing::v1::{StartReratingRequest, StartReratingResponse};
use database::{Begun, Scope, Write, jobs};
use rpc::{Call, Fault, wire};
use uuid::Uuid;

use super::{
    batch::KIND,
    model::{Aim, Pair, Verdict, verdict},
    store::{self, rerating},
};
use crate::{
    Desk, Refusal,
    adjustment::store as adjustments,
    bill::{
        ops::settle_others,
        rebill::{Days, rate},
        together::{Together, agreements},
    },
    supply::store as supplies,
    table,
    tariff::store as tariffs,
};

/// StartRerating (9.2).
pub async fn start(desk: Desk, call: Call, request: StartReratingRequest) -> Result<StartReratingResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let wrong = tariffs::locked(&write, tariffs::GAS, wire::id_of("tariff_id", &request.tariff_id)?).await?;
    let aim = Aim {
        tariff: wrong.id,
        replacement: tariffs::in_place_of(&write, wrong).await?.ok_or(Refusal::TariffNotReplaced)?,
        branch: request.branch.clone(),
    };
    if store::goes_on(&write, rerating::Column::TariffId, aim.tariff).await? {
        return Err(Refusal::ReratingRunning.into());
    }
    let tried = match &request.tried_rerating_id {
        Some(id) if !request.dry_run => Some(store::one(&write, &Scope::of(&call), wire::id_of("tried_rerating_id", id)?).await?),
        _ => None,
    };
    if !request.dry_run {
        aim.check_tried(tried.as_ref().map(rerating::Model::before).transpose()?.as_ref())?;
    }
    let id = Uuid::now_v7();
    let job_id = jobs::start(&write, KIND, id.as_bytes()).await?;
    let row = rerating::Model {
        reason: request.reason.clone(),
        dry_run: request.dry_run,
        tried_id: tried.map(|tried| tried.id),
        ..rerating::Model::begun(id, job_id, aim, &write)
    };
    table::insert::<rerating::Entity>(&write, row.clone()).await?;
    write.subject(id);
    let rerating = Some(store::message(&write, &row).await?);
    write.commit(StartReratingResponse { rerating }).await
}

/// Bills an agreement anew from its first bill on that the wrong version made, with all that share their tiers with it; a dry run only rates it. The write is
/// worth keeping for a verdict of CORRECTED alone.
pub async fn correct(write: &mut Write, desk: &Desk, run: &rerating::Model, agreement: Uuid) -> Result<Verdict, Fault> {
    let supply = supplies::supply(write, &Scope::everything(), agreement).await?;
    supplies::lock_accounts(write, &[supply.account_id]).await?;
    let together = Together::of(write, &supply).await?;
    let wrong = store::made_by(write, together.bills(), run.tariff_id).await?;
    let bills = together.since(|b| wrong.contains(&b.id))?;
    if bills.iter().any(|b| b.credited > 0) {
        // A credit for the wrong price would be given twice if it stayed, one for something else must stay: which it was, nobody can tell from here.
        return Ok(Verdict::Parked("BILL_CREDITED".to_owned()));
    }
    let adjusted = adjustments::posted(write, &agreements(&bills)).await?;
    let rated = match rate(write, desk, bills, &Days::Kept(&adjusted)).await? {
        Ok(rated) => rated,
        Err(reason) => return Ok(Verdict::Parked(reason.to_owned())),
    };
    // Where all days stay, each bill has one in its place.
    let pairs: Vec<Pair> = rated
        .old()
        .iter()
        .zip(rated.bills())
        .map(|(old, new)| Pair {
            agreement: old.agreement_id,
            credited: old.stands(),
            debited: new.stands(),
            same_volume: new.volume == old.volume,
        })
        .collect();
    let verdict = verdict(&pairs);
    if matches!(verdict, Verdict::Corrected(_)) && !run.dry_run {
        rated.issue(write, &run.reason).await?;
        settle_others(write, supply.account_id).await?;
    }
    Ok(verdict)
}
