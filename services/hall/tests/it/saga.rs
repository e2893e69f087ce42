//! Each step in another service, killed before and after its effect, finished after a start; and what is taken back.

use contracts::hearth::{
    archive::v1::agreement,
    hall::v1::{step_service_client::StepServiceClient, *},
    options::v1::Role,
};
use testbed::{Bed, at, each, eventually, key};
use tonic::Code;

use crate::{
    hands::{Stage, events, get_opening, openings, reaches, steps},
    refusal,
    world::{Mode, World},
};

/// Waits until a call of the method hangs, drops the service there, and starts it again on the same database.
async fn kill_at(bed: &Bed, world: &World, method: &'static str, before: usize) {
    eventually("the call", async || (world.arrived(method) > before).then_some(())).await;
    bed.crash().await;
    world.set(method, Mode::Normal);
    bed.start().await;
}

async fn parked(bed: &Bed, id: &str, kind: &str) -> Opening {
    eventually("a parked step", async || {
        let opening = get_opening(bed, id).await;
        opening
            .open_step
            .as_ref()
            .is_some_and(|step| step.parked && step.kind == kind)
            .then_some(opening)
    })
    .await
}

/// Runs an opening to its end with the service killed at each of its three steps.
async fn opens_although_killed(bed: &Bed, world: &World, login: &str, modes: [Mode; 3]) {
    let methods = ["SignAgreement", "InstallMeter", "ActivateAgreement"];
    let before = methods.map(|method| (world.arrived(method), world.effects(method)));
    for (method, mode) in methods.into_iter().zip(modes) {
        world.set(method, mode);
    }
    let stage = Stage::set(bed, world, &[login]).await;
    let today = bed.clock().now().date().to_string();
    let opening = stage.approve_papers(bed, &stage.apply(bed, "living").await).await;
    stage.sign_contract(bed, &opening).await;
    kill_at(bed, world, methods[0], before[0].0).await;
    let opening = reaches(bed, &opening.opening_id, opening::State::ContractSigned).await;
    let opening = stage.to_review(bed, &stage.to_acceptance(bed, &opening).await).await;
    let opening = stage.to_crew(bed, &opening, &today).await;
    let opening = stage.to_trained(bed, &opening).await;
    stage.sign(bed, &opening).await;
    kill_at(bed, world, methods[1], before[1].0).await;
    kill_at(bed, world, methods[2], before[2].0).await;
    let opened = reaches(bed, &opening.opening_id, opening::State::Opened).await;
    for (method, (_, effects)) in methods.into_iter().zip(before) {
        assert_eq!(world.effects(method), effects + 1, "{method}: one effect");
    }
    assert_eq!(world.agreement(&opened.agreement_id).state(), agreement::State::InForce);
    assert_eq!(events::<GasOpened>(bed, &opened.opening_id).await.len(), 1);
    assert_eq!(steps(bed, &opened.opening_id).await.len(), 3, "no step was added twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_opening_is_finished_after_a_kill_at_each_step() {
    each(hall::SERVICE, async |bed| {
        let world = World::default();
        world.start(bed).await;
        opens_although_killed(bed, &world, "kai", [Mode::HangsBefore, Mode::HangsAfter, Mode::HangsBefore]).await;
        opens_although_killed(bed, &world, "qi", [Mode::HangsAfter, Mode::HangsBefore, Mode::HangsAfter]).await;
    })
    .await;
}

/// Signs, is refused at the last step, is cancelled, and takes everything back although it is killed there.
async fn is_taken_back_although_killed(bed: &Bed, world: &World, login: &str, modes: [Mode; 2]) {
    let methods = ["RemoveInstallation", "VoidAgreement"];
    let before = methods.map(|method| (world.arrived(method), world.effects(method)));
    world.set("ActivateAgreement", Mode::Refuses);
    for (method, mode) in methods.into_iter().zip(modes) {
        world.set(method, mode);
    }
    let stage = Stage::set(bed, world, &[login]).await;
    let opening = stage.to_flame(bed, "living").await;
    stage.sign(bed, &opening).await;
    let signed = parked(bed, &opening.opening_id, "ACTIVATE_AGREEMENT").await;
    assert!(world.installed(&stage.customer.meter_no).is_some());
    let cancelled = stage.cancel(bed, &signed).await;
    assert_eq!(cancelled.state(), opening::State::Cancelled);
    kill_at(bed, world, methods[0], before[0].0).await;
    kill_at(bed, world, methods[1], before[1].0).await;
    eventually("the end", async || {
        get_opening(bed, &opening.opening_id).await.open_step.is_none().then_some(())
    })
    .await;
    for (method, (_, effects)) in methods.into_iter().zip(before) {
        assert_eq!(world.effects(method), effects + 1, "{method}: one effect");
    }
    assert_eq!(world.agreement(&signed.agreement_id).state(), agreement::State::Voided);
    assert!(world.installed(&stage.customer.meter_no).is_none());
    assert!(events::<GasOpened>(bed, &opening.opening_id).await.is_empty());
    assert_eq!(events::<OpeningCancelled>(bed, &opening.opening_id).await.len(), 1);
    world.set("ActivateAgreement", Mode::Normal);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_opening_is_taken_back_after_a_kill_at_each_step() {
    each(hall::SERVICE, async |bed| {
        let world = World::default();
        world.start(bed).await;
        is_taken_back_although_killed(bed, &world, "kai", [Mode::HangsBefore, Mode::HangsAfter]).await;
        is_taken_back_although_killed(bed, &world, "qi", [Mode::HangsAfter, Mode::HangsBefore]).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_was_lost_is_asked_for_again_under_the_same_key() {
    each(hall::SERVICE, async |bed| {
        let world = World::default();
        world.start(bed).await;
        world.set("SignAgreement", Mode::FailsAfter);
        let stage = Stage::set(bed, &world, &[]).await;
        let opening = stage.approve_papers(bed, &stage.apply(bed, "living").await).await;
        let waiting = stage.sign_contract(bed, &opening).await;
        assert_eq!(waiting.state(), opening::State::PapersOk);
        eventually("three tries", async || (world.arrived("SignAgreement") >= 3).then_some(())).await;
        // Nothing else goes on meanwhile.
        let now = get_opening(bed, &opening.opening_id).await;
        let step = now.open_step.clone().unwrap();
        assert!(!step.parked && step.kind == "SIGN_AGREEMENT" && step.last_reason == "INTERNAL", "{step:?}");
        let again = openings(bed, &[Role::Agent]).sign_contract(stage.terms(bed, &now)).await;
        assert_eq!(refusal(again), (Code::FailedPrecondition, "STEP_UNDER_WAY".to_owned()));
        world.set("SignAgreement", Mode::Normal);
        reaches(bed, &opening.opening_id, opening::State::ContractSigned).await;
        assert_eq!(world.effects("SignAgreement"), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_step_is_parked_shown_and_tried_again_or_replaced() {
    each(hall::SERVICE, async |bed| {
        let world = World::default();
        world.start(bed).await;
        world.set("SignAgreement", Mode::Refuses);
        let stage = Stage::set(bed, &world, &[]).await;
        let opening = stage.approve_papers(bed, &stage.apply(bed, "living").await).await;
        stage.sign_contract(bed, &opening).await;
        let stuck = parked(bed, &opening.opening_id, "SIGN_AGREEMENT").await;
        assert_eq!(
            (stuck.state(), stuck.open_step.as_ref().unwrap().last_reason.as_str()),
            (opening::State::PapersOk, "REFUSED_BY_TEST")
        );
        let mut operator = StepServiceClient::new(bed.staff_named("operator", &[Role::Operator]));
        let list = ListStepsRequest {
            state: step::State::Parked.into(),
            ..ListStepsRequest::default()
        };
        let found = operator.list_steps(list.clone()).await.unwrap().into_inner().steps;
        assert_eq!(
            found.iter().map(|s| (s.kind(), s.story_id.as_str())).collect::<Vec<_>>(),
            [(step::Kind::SignAgreement, opening.opening_id.as_str())]
        );
        let mut elsewhere = StepServiceClient::new(bed.staff_of(crate::OTHER, &[Role::ServiceManager]));
        assert!(elsewhere.list_steps(list).await.unwrap().into_inner().steps.is_empty());
        let retry = |step: &Step| RetryStepRequest {
            request_id: key(),
            step_id: step.step_id.clone(),
            etag: step.etag.clone(),
        };
        assert_eq!(elsewhere.retry_step(retry(&found[0])).await.unwrap_err().code(), Code::NotFound);
        // Tried again while the cause stands, it is parked again.
        operator.retry_step(retry(&found[0])).await.unwrap();
        assert_eq!(
            refusal(operator.retry_step(retry(&found[0])).await),
            (Code::Aborted, "ETAG_MISMATCH".to_owned())
        );
        let stuck = parked(bed, &opening.opening_id, "SIGN_AGREEMENT").await;
        // Other terms replace it.
        world.set("SignAgreement", Mode::Normal);
        stage.sign_contract(bed, &stuck).await;
        reaches(bed, &opening.opening_id, opening::State::ContractSigned).await;
        let states: Vec<_> = steps(bed, &opening.opening_id).await.iter().map(Step::state).collect();
        assert_eq!(states, [step::State::Dropped, step::State::Done]);
        let done = steps(bed, &opening.opening_id).await.pop().unwrap();
        assert_eq!(
            refusal(operator.retry_step(retry(&done)).await),
            (Code::FailedPrecondition, "STEP_STATE".to_owned())
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn billing_may_hear_of_the_agreement_later_than_the_hall() {
    each(hall::SERVICE, async |bed| {
        let world = World::default();
        world.start(bed).await;
        world.set("InstallMeter", Mode::NotYet);
        let stage = Stage::set(bed, &world, &["kai"]).await;
        let opening = stage.to_flame(bed, "living").await;
        let signed = stage.sign(bed, &opening).await;
        eventually("two tries", async || (world.arrived("InstallMeter") >= 2).then_some(())).await;
        let now = get_opening(bed, &opening.opening_id).await;
        assert!(!now.open_step.as_ref().unwrap().parked, "an unknown agreement is waited for");
        // The user has signed: it goes on to its end.
        let cancel = CancelOpeningRequest {
            request_id: key(),
            opening_id: signed.opening_id,
            etag: now.etag,
            reason: "后悔".to_owned(),
        };
        assert_eq!(
            refusal(openings(bed, &[Role::Agent]).cancel_opening(cancel).await),
            (Code::FailedPrecondition, "STEP_UNDER_WAY".to_owned())
        );
        world.set("InstallMeter", Mode::Normal);
        reaches(bed, &opening.opening_id, opening::State::Opened).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_opening_has_its_agreement_voided_even_one_that_was_being_signed() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let world = World::default();
        world.start(bed).await;
        // Nothing was done elsewhere: nothing is taken back.
        let stage = Stage::set(bed, &world, &["kai"]).await;
        let opening = stage.apply(bed, "living").await;
        stage.cancel(bed, &opening).await;
        assert!(steps(bed, &opening.opening_id).await.is_empty());
        // The service point is free again; a signed agreement is voided, the work order cancelled.
        let opening = stage
            .to_review(bed, &stage.to_acceptance(bed, &stage.to_contract(bed, "living").await).await)
            .await;
        let opening = stage.to_crew(bed, &opening, "2025-03-03").await;
        let opening = get_opening(bed, &opening.opening_id).await;
        let cancelled = stage.cancel(bed, &opening).await;
        eventually("the agreement", async || {
            (world.agreement(&cancelled.agreement_id).state() == agreement::State::Voided).then_some(())
        })
        .await;
        assert_eq!(
            crate::hands::get_order(bed, &opening.order_id).await.order.unwrap().state(),
            order::State::Cancelled
        );
        assert_eq!(world.effects("RemoveInstallation"), 0);

        // Cancelled while archive signs: the step runs to its end, then its agreement is voided.
        world.set("SignAgreement", Mode::FailsAfter);
        let opening = stage.approve_papers(bed, &stage.apply(bed, "living").await).await;
        stage.sign_contract(bed, &opening).await;
        eventually("a try", async || (world.effects("SignAgreement") == 2).then_some(())).await;
        let now = get_opening(bed, &opening.opening_id).await;
        let cancelled = stage.cancel(bed, &now).await;
        assert_eq!(cancelled.state(), opening::State::Cancelled);
        world.set("SignAgreement", Mode::Normal);
        let done = eventually("the end", async || {
            let opening = get_opening(bed, &opening.opening_id).await;
            (opening.open_step.is_none() && !opening.agreement_id.is_empty()).then_some(opening)
        })
        .await;
        assert_eq!(
            (done.state(), world.agreement(&done.agreement_id).state()),
            (opening::State::Cancelled, agreement::State::Voided)
        );
        assert_eq!(world.effects("SignAgreement"), 2);
    })
    .await;
}
