//! What the crew does at the premises, step by step.

use contracts::hearth::hall::v1::*;
use database::{Begun, Scope, Write};
use rpc::{Call, Fault};
use uuid::Uuid;

use super::{
    model::{Action, UnsafeCause},
    ops::{advance, check_step, load},
    store::{self, Opening, Tightness},
};
use crate::{
    Desk,
    codes::Code,
    fields, order,
    order::{ops::Return, store::Order},
    refusal::Refusal,
    rows::Packed,
    step as steps,
};

pub async fn arrive(desk: Desk, call: Call, request: ArriveForOpeningRequest) -> Result<ArriveForOpeningResponse, Fault> {
    let id = fields::id("opening_id", &request.opening_id)?;
    // The crew is looked up and the vendor service asked before the transaction; a replay does not need the answer.
    let order = store::get(desk.db.reader(), &Scope::of(&call), id)
        .await
        .ok()
        .and_then(|opening| opening.order_id);
    let word = match order {
        Some(order) => order::field::ask_crew(&desk, &call, order, false).await,
        None => Ok(Default::default()),
    };
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let (mut opening, mut order) = at_work(&write, &call, &request.opening_id, &request.etag, Action::Arrive).await?;
    order::ops::check_step(&order, order::model::Action::Arrive)?;
    let arrived = order::field::arrive_certified(&mut write, &mut order, word).await?;
    if arrived {
        advance(&mut write, &mut opening, Action::Arrive, "").await?;
    } else {
        opening.planned_on = None;
        opening.save(&write).await?;
        write.subject(opening.id);
    }
    let opening = store::whole(&write, &opening).await?;
    write
        .commit(ArriveForOpeningResponse {
            opening: Some(opening),
            returned_to_pool: !arrived,
        })
        .await
}

pub async fn pass_tightness(desk: Desk, call: Call, request: PassTightnessRequest) -> Result<PassTightnessResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let (mut opening, _) = at_work(&write, &call, &request.opening_id, &request.etag, Action::PassTightness).await?;
    if request.drop_pa > 0 {
        return Err(Fault::from(Refusal::NotTight).field("drop_pa"));
    }
    let PassTightnessRequest {
        test_pressure_pa,
        held_minutes,
        drop_pa,
        ..
    } = request;
    opening.tightness = Packed(Tightness {
        test_pressure_pa,
        held_minutes,
        drop_pa,
    });
    advance(&mut write, &mut opening, Action::PassTightness, "").await?;
    let opening = store::whole(&write, &opening).await?;
    write.commit(PassTightnessResponse { opening: Some(opening) }).await
}

pub async fn purge(desk: Desk, call: Call, request: PurgeLineRequest) -> Result<PurgeLineResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let (mut opening, _) = at_work(&write, &call, &request.opening_id, &request.etag, Action::Purge).await?;
    advance(&mut write, &mut opening, Action::Purge, "").await?;
    let opening = store::whole(&write, &opening).await?;
    write.commit(PurgeLineResponse { opening: Some(opening) }).await
}

pub async fn ignite(desk: Desk, call: Call, request: IgniteAppliancesRequest) -> Result<IgniteAppliancesResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let (mut opening, _) = at_work(&write, &call, &request.opening_id, &request.etag, Action::Ignite).await?;
    advance(&mut write, &mut opening, Action::Ignite, "").await?;
    let opening = store::whole(&write, &opening).await?;
    write.commit(IgniteAppliancesResponse { opening: Some(opening) }).await
}

pub async fn train_user(desk: Desk, call: Call, request: TrainUserRequest) -> Result<TrainUserResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let (mut opening, _) = at_work(&write, &call, &request.opening_id, &request.etag, Action::TrainUser).await?;
    opening.booklet_no = request.booklet_no;
    advance(&mut write, &mut opening, Action::TrainUser, "").await?;
    let opening = store::whole(&write, &opening).await?;
    write.commit(TrainUserResponse { opening: Some(opening) }).await
}

pub async fn sign(desk: Desk, call: Call, request: SignOpeningRequest) -> Result<SignOpeningResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let (mut opening, _) = at_work(&write, &call, &request.opening_id, &request.etag, Action::Sign).await?;
    let index = order::store::index_of("initial_index", request.initial_index.as_ref())?;
    opening.initial_index = index.map(money::Volume::litres);
    opening.photo_file_id = request.photo_file_id;
    opening.signature_file_id = request.signature_file_id;
    // Billing starts on the day of opening, not of the application (E4-03).
    opening.opened_on = Some(write.now().date());
    advance(&mut write, &mut opening, Action::Sign, "").await?;
    steps::store::add(&write, steps::model::Kind::InstallMeter, opening.id, &opening.branch, &()).await?;
    let opening = store::whole(&write, &opening).await?;
    let answer = write.commit(SignOpeningResponse { opening: Some(opening) }).await?;
    desk.bell.notify_one();
    Ok(answer)
}

pub async fn refuse_unsafe(desk: Desk, call: Call, request: RefuseUnsafeRequest) -> Result<RefuseUnsafeResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let (mut opening, mut order) = at_work(&write, &call, &request.opening_id, &request.etag, Action::RefuseUnsafe).await?;
    let cause: UnsafeCause = fields::pick("cause", request.cause)?;
    opening.unsafe_cause = Some(cause);
    // What is recorded from now on has a later id, also where the clock of the rules stands still.
    opening.refusal_id = Some(Uuid::now_v7());
    opening.planned_on = None;
    advance(
        &mut write,
        &mut opening,
        Action::RefuseUnsafe,
        &format!("{}: {}", cause.code(), request.findings),
    )
    .await?;
    let why = Return {
        action: order::model::Action::Return,
        code: "REFUSED_UNSAFE",
        note: "",
        staff: None,
    };
    order::ops::return_to_pool(&mut write, &mut order, why).await?;
    let opening = store::whole(&write, &opening).await?;
    write.commit(RefuseUnsafeResponse { opening: Some(opening) }).await
}

/// The opening and its work order, for a step that only the crew may take: nobody opens gas alone (E4-04).
async fn at_work(write: &Write, call: &Call, id: &str, etag: &str, action: Action) -> Result<(Opening, Order), Fault> {
    let opening = load(write, call, id, etag).await?;
    check_step(&opening, action)?;
    let order = opening.order_id.ok_or_else(|| Fault::internal("an opening without a work order"))?;
    let order = order::store::lock(write, &Scope::everything(), order).await?;
    order::field::is_crew(write, &order, call, false).await?;
    Ok((opening, order))
}
