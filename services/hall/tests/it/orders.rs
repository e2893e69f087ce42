//! A try that comes twice, a cancellation that comes twice, and a late try, in every order that there is: what comes first decides, each has one effect,
//! and nothing happens after a cancellation.

use contracts::hearth::{
    archive::v1::agreement,
    hall::v1::{step_service_client::StepServiceClient, *},
    options::v1::Role,
};
use database::Engine;
use futures::{StreamExt, stream};
use sea_orm::{ConnectionTrait, Statement};
use testbed::{Bed, each, each_of, eventually, key, means::runs};
use tokio::sync::Barrier;
use tonic::{Code, Status};

use crate::{
    BRANCH,
    hands::{Stage, crew, events, get_opening, openings, steps},
    refusal,
    world::{Mode, World},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    Try,
    Late,
    Cancel,
}

/// Two tries, a late one and two cancellations in each order.
fn orders() -> Vec<Vec<Says>> {
    fn more(left: &[(Says, usize)], said: &[Says], all: &mut Vec<Vec<Says>>) {
        if left.iter().all(|(_, number)| *number == 0) {
            all.push(said.to_vec());
        }
        for (at, (says, number)) in left.iter().enumerate().filter(|(_, (_, number))| *number > 0) {
            let mut rest = left.to_vec();
            rest[at].1 = number - 1;
            more(&rest, &[said, &[*says]].concat(), all);
        }
    }
    let mut all = vec![];
    more(&[(Says::Try, 2), (Says::Late, 1), (Says::Cancel, 2)], &[], &mut all);
    all
}

/// Which of the story's tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// The contract, whose step is the agreement in archive.
    Contract,
    /// The user's signature, whose steps are the installation and the agreement in force.
    Flame,
}

/// What is told is done, or refused since something else came first.
fn settled<T>(answer: Result<T, Status>) -> bool {
    match answer {
        Ok(_) => true,
        Err(status) => {
            assert!(matches!(status.code(), Code::FailedPrecondition | Code::Aborted), "{status:?}");
            false
        }
    }
}

/// Has the step of a story tried again without its wait.
async fn at_once(bed: &Bed, id: &str) {
    let (db, id) = (bed.db(), uuid::Uuid::parse_str(id).unwrap());
    let backend = db.writer().get_database_backend();
    let sql = Statement::from_sql_and_values(backend, "UPDATE step SET next_attempt_at = 0 WHERE story_id = $1", [id.into()]);
    db.writer().execute_raw(sql).await.unwrap();
}

async fn free(bed: &Bed, id: &str) -> Opening {
    eventually("the end of its steps", async || {
        let opening = get_opening(bed, id).await;
        opening.open_step.is_none().then_some(opening)
    })
    .await
}

/// Plays one order; the story stands at the try. The step of the try has no answer before all is said in each story, where they wait for one another.
async fn play(bed: &Bed, world: &World, stage: &Stage, part: Part, begun: &Opening, order: &[Says], all_said: Option<&Barrier>) {
    let id = &begun.opening_id;
    let sign = stage.terms(bed, begun);
    let flame = (part == Part::Flame).then(|| stage.signature(begun));
    let mut cancel = None;
    for says in order {
        let now = get_opening(bed, id).await;
        let again = |first: &str| {
            if *says == Says::Late {
                (key(), now.etag.clone())
            } else {
                (first.to_owned(), begun.etag.clone())
            }
        };
        let done = match (says, &flame) {
            (Says::Cancel, _) => {
                let request = cancel.get_or_insert_with(|| CancelOpeningRequest {
                    request_id: key(),
                    opening_id: id.clone(),
                    etag: now.etag.clone(),
                    reason: "客户撤回".to_owned(),
                });
                settled(openings(bed, &[Role::Agent]).cancel_opening(request.clone()).await)
            }
            (_, None) => {
                let (request_id, etag) = again(&sign.request_id);
                let request = SignContractRequest {
                    request_id,
                    etag,
                    ..sign.clone()
                };
                settled(openings(bed, &[Role::Agent]).sign_contract(request).await)
            }
            (_, Some(flame)) => {
                let (request_id, etag) = again(&flame.request_id);
                let request = SignOpeningRequest {
                    request_id,
                    etag,
                    ..flame.clone()
                };
                settled(crew(bed, &stage.openers[0].login).sign_opening(request).await)
            }
        };
        assert!(done || now.etag != begun.etag, "{order:?}: {says:?} was refused and came first");
        if all_said.is_none() {
            free(bed, id).await;
        }
    }
    let first = order.iter().position(|says| *says == Says::Cancel).unwrap();
    let tried = first > 0;
    if let Some(all_said) = all_said {
        all_said.wait().await;
        let method = if part == Part::Contract { "SignAgreement" } else { "InstallMeter" };
        world.set(method, Mode::Normal);
        eventually("the end", async || {
            at_once(bed, id).await;
            get_opening(bed, id).await.open_step.is_none().then_some(())
        })
        .await;
    }
    let end = free(bed, id).await;
    let cancelled = events::<OpeningCancelled>(bed, id).await.len();
    let opened = events::<GasOpened>(bed, id).await.len();
    let told = format!("{part:?} {order:?}, under way {}: {end:?}", all_said.is_some());
    match (part, tried) {
        (Part::Flame, true) => {
            assert_eq!((end.state(), cancelled, opened), (opening::State::Opened, 0, 1), "{told}");
            assert_eq!(world.agreement(&end.agreement_id).state(), agreement::State::InForce, "{told}");
            assert!(world.installed(&stage.customer.meter_no).is_some(), "{told}");
        }
        (Part::Contract, false) => {
            assert_eq!((end.state(), cancelled, opened), (opening::State::Cancelled, 1, 0), "{told}");
            assert_eq!((end.agreement_id.as_str(), steps(bed, id).await.len()), ("", 0), "{told}");
        }
        // What was signed is voided.
        (Part::Contract, true) | (Part::Flame, false) => {
            assert_eq!((end.state(), cancelled, opened), (opening::State::Cancelled, 1, 0), "{told}");
            assert_eq!(world.agreement(&end.agreement_id).state(), agreement::State::Voided, "{told}");
            assert!(world.installed(&stage.customer.meter_no).is_none(), "{told}");
        }
    }
    // A step has one effect, and there is one of each.
    let mut kinds: Vec<_> = steps(bed, id).await.iter().map(|step| step.kind() as i32).collect();
    let all = kinds.len();
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds.len(), all, "{told}");
}

/// Plays all orders, several at a time.
async fn play_all(bed: &Bed, world: &World, part: Part) {
    let opener = format!("opener-{}", key());
    let stage = Stage::set(bed, world, &[&opener]).await;
    let orders = orders();
    assert_eq!(orders.len(), 30);
    for all_said in [None, Some(Barrier::new(orders.len()))] {
        let under_way = all_said.is_some();
        let before = ["SignAgreement", "VoidAgreement"].map(|method| world.effects(method));
        let begun = stream::iter(&orders).map(async |order| {
            let stage = Stage {
                customer: world.customer(BRANCH),
                inspector: stage.inspector.clone(),
                openers: stage.openers.clone(),
                estate_id: stage.estate_id.clone(),
            };
            let opening = match part {
                Part::Contract => stage.approve_papers(bed, &stage.apply(bed, "living").await).await,
                Part::Flame => stage.to_flame(bed, "living").await,
            };
            (order, stage, opening)
        });
        let begun: Vec<_> = begun.buffer_unordered(6).collect().await;
        if under_way {
            world.set(if part == Part::Contract { "SignAgreement" } else { "InstallMeter" }, Mode::FailsAfter);
        }
        let played = stream::iter(&begun).map(|(order, stage, opening)| play(bed, world, stage, part, opening, order, all_said.as_ref()));
        played.buffer_unordered(if under_way { begun.len() } else { 6 }).collect::<Vec<_>>().await;
        let tried = orders.iter().filter(|order| order[0] != Says::Cancel).count();
        let effects = ["SignAgreement", "VoidAgreement"].map(|method| world.effects(method));
        let (signed, voided) = match part {
            Part::Contract => (tried, tried),
            Part::Flame => (30, 30 - tried),
        };
        assert_eq!(
            [effects[0] - before[0], effects[1] - before[1]],
            [signed, voided],
            "{part:?}, under way {under_way}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_e7_a_contract_and_its_cancellation_in_every_order_come_to_one_end() {
    each_of(hall::SERVICE, runs(&[Engine::Sqlite][..], &[Engine::Sqlite, Engine::Postgres]), async |bed| {
        let world = World::default();
        world.start(bed).await;
        play_all(bed, &world, Part::Contract).await;
    })
    .await;
}

/// In `full`: the way to the flame is long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_e7_a_signature_and_its_cancellation_in_every_order_come_to_one_end() {
    if !runs(false, true) {
        return;
    }
    each(hall::SERVICE, async |bed| {
        let world = World::default();
        world.start(bed).await;
        play_all(bed, &world, Part::Flame).await;
    })
    .await;
}

/// E8: a service that did what it should and falls over each time before it says so. The waits between the tries are added up and not waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_e8_a_step_whose_outcome_stays_unknown_waits_for_a_person_within_five_minutes() {
    each(hall::SERVICE, async |bed| {
        let world = World::default();
        world.start(bed).await;
        world.set("SignAgreement", Mode::FailsAfter);
        let stage = Stage::set(bed, &world, &[]).await;
        let begun = stage.approve_papers(bed, &stage.apply(bed, "living").await).await;
        let mut opening = stage.sign_contract(bed, &begun).await;
        let (mut tried, mut waited) = (0, std::time::Duration::ZERO);
        let parked = loop {
            let step = eventually("a try", async || {
                steps(bed, &opening.opening_id).await.pop().filter(|step| step.attempts > tried)
            })
            .await;
            tried = step.attempts;
            if step.state() == step::State::Parked {
                break step;
            }
            let next = rpc::wire::time_of(step.next_attempt_time.as_ref(), "time").unwrap().micros();
            let wait = next - calendar::Clock::real().now().micros();
            waited += std::time::Duration::from_micros(wait.max(0).try_into().unwrap());
            at_once(bed, &opening.opening_id).await;
        };
        assert_eq!((parked.attempts, parked.last_reason.as_str()), (11, "OUTCOME_UNKNOWN"));
        assert!((100..300).contains(&waited.as_secs()), "{waited:?}");

        // It may have had its effect, so nothing takes its place; the story may be given up all the same, and what was done is taken back once it is known.
        opening = get_opening(bed, &opening.opening_id).await;
        let again = openings(bed, &[Role::Agent]).sign_contract(stage.terms(bed, &opening)).await;
        assert_eq!(refusal(again), (Code::FailedPrecondition, "STEP_UNDER_WAY".to_owned()));
        let cancelled = stage.cancel(bed, &opening).await;
        assert!(cancelled.open_step.is_some_and(|step| step.parked));
        world.set("SignAgreement", Mode::Normal);
        let retry = RetryStepRequest {
            request_id: key(),
            step_id: parked.step_id,
            etag: parked.etag,
        };
        StepServiceClient::new(bed.staff_named("operator", &[Role::Operator]))
            .retry_step(retry)
            .await
            .unwrap();
        let end = free(bed, &opening.opening_id).await;
        assert_eq!(world.agreement(&end.agreement_id).state(), agreement::State::Voided);
        assert_eq!((end.state(), world.effects("SignAgreement")), (opening::State::Cancelled, 1));
    })
    .await;
}
