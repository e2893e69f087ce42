use calendar::Clock as RulesClock;
use contracts::hearth::{
    archive::v1::{AccountOpened, KeyAccountDesignated, KeyAccountDowngraded, KeyAccountWithdrawn},
    hall::v1::{
        callback_service_client::CallbackServiceClient, case_service_client::CaseServiceClient, deadline_service_client::DeadlineServiceClient,
        order_service_client::OrderServiceClient, *,
    },
    options::v1::Role,
};
use database::{Database, Engine, Target};
use sea_orm::{ConnectionTrait, Statement};
use sha2::{Digest, Sha256};
use testbed::{Bed, Client, at, each, eventually, key, reason};
use tonic::Code;

use crate::{
    BRANCH, FILE, OTHER,
    complaint::{agent as complaint_agent, assign as assign_complaint, classify, complaint_now, new, to_closing, work_off},
    date,
    hands::{accept_order, certified, dispatch, dispatcher, events, get_order, member, order, vendor_member},
    interaction::{close, recorded, visit},
    meta, refusal, time,
};

fn director(bed: &Bed) -> CallbackServiceClient<Client> {
    CallbackServiceClient::new(bed.staff_named("director", &[Role::CallbackDirector]))
}
fn caller(bed: &Bed, login: &str) -> CallbackServiceClient<Client> {
    CallbackServiceClient::new(bed.staff_named(login, &[Role::CallbackAgent]))
}
fn supervisor(bed: &Bed) -> CallbackServiceClient<Client> {
    CallbackServiceClient::new(bed.staff(&[Role::AdministrationManager]))
}

/// The calls about a happening.
pub async fn tasks(bed: &Bed, about: &str) -> Vec<CallbackTask> {
    let request = ListCallbackTasksRequest {
        about_id: about.to_owned(),
        ..ListCallbackTasksRequest::default()
    };
    supervisor(bed).list_callback_tasks(request).await.unwrap().into_inner().tasks
}

async fn task(bed: &Bed, about: &str) -> CallbackTask {
    let mut found = tasks(bed, about).await;
    assert_eq!(found.len(), 1);
    found.remove(0)
}

async fn get(bed: &Bed, id: &str) -> CallbackTask {
    let request = GetCallbackTaskRequest {
        callback_task_id: id.to_owned(),
    };
    supervisor(bed).get_callback_task(request).await.unwrap().into_inner().task.unwrap()
}

/// What was drawn for a happening.
pub async fn draws(bed: &Bed, about: &str) -> Vec<CallbackDraw> {
    let request = ListCallbackDrawsRequest {
        about_id: about.to_owned(),
        ..ListCallbackDrawsRequest::default()
    };
    supervisor(bed).list_callback_draws(request).await.unwrap().into_inner().draws
}

fn happening(cause: callback_task::Cause, account: &str) -> ReportCallbackTriggerRequest {
    ReportCallbackTriggerRequest {
        request_id: key(),
        cause: cause.into(),
        about_id: key(),
        account_id: account.to_owned(),
        branch: BRANCH.to_owned(),
        hazard: false,
        utility: Utility::Unspecified.into(),
    }
}

/// Tells of a happening; what was drawn.
async fn report(bed: &Bed, request: ReportCallbackTriggerRequest) -> CallbackDraw {
    let mut agent = CallbackServiceClient::new(bed.staff_named("agent", &[Role::Agent]));
    agent.report_callback_trigger(request).await.unwrap().into_inner().draw.unwrap()
}

/// A call that every happening of its kind leads to.
pub async fn sentiment(bed: &Bed, account: &str) -> CallbackTask {
    let draw = report(bed, happening(callback_task::Cause::OnlineSentiment, account)).await;
    task(bed, &draw.about_id).await
}

fn assignment(task: &CallbackTask, staff: &StaffMember) -> AssignCallbackRequest {
    AssignCallbackRequest {
        request_id: key(),
        callback_task_id: task.callback_task_id.clone(),
        etag: task.etag.clone(),
        assignee_staff_id: staff.staff_id.clone(),
    }
}

async fn assign(bed: &Bed, task: &CallbackTask, staff: &StaffMember) -> CallbackTask {
    director(bed).assign_callback(assignment(task, staff)).await.unwrap().into_inner().task.unwrap()
}

fn attempt(task: &CallbackTask, outcome: callback_attempt::Outcome) -> RecordCallbackAttemptRequest {
    RecordCallbackAttemptRequest {
        request_id: key(),
        callback_task_id: task.callback_task_id.clone(),
        etag: task.etag.clone(),
        channel: task.channel,
        outcome: outcome.into(),
        number_corrected: false,
    }
}

async fn tried(bed: &Bed, login: &str, task: &CallbackTask, outcome: callback_attempt::Outcome) -> CallbackTask {
    let request = attempt(task, outcome);
    caller(bed, login).record_callback_attempt(request).await.unwrap().into_inner().task.unwrap()
}

fn answers(task: &CallbackTask, score: i32, solved: bool) -> RecordCallbackRequest {
    RecordCallbackRequest {
        request_id: key(),
        callback_task_id: task.callback_task_id.clone(),
        etag: task.etag.clone(),
        channel: task.channel,
        score,
        solved,
        courtesy: Courtesy::Courteous.into(),
        reasons: vec!["SLOW".to_owned()],
        verbatim: "还可以".to_owned(),
        ..RecordCallbackRequest::default()
    }
}

/// Reaches the customer and records the answers.
async fn called(bed: &Bed, login: &str, task: &CallbackTask, score: i32, solved: bool) -> CallbackTask {
    let task = tried(bed, login, task, callback_attempt::Outcome::Reached).await;
    let request = answers(&task, score, solved);
    caller(bed, login).record_callback(request).await.unwrap().into_inner().task.unwrap()
}

/// The answers of a customer who wants work done again, called by the agent who takes the next task.
pub async fn answered(bed: &Bed, task: &CallbackTask, rework_task: &str) -> CallbackTask {
    let next = TakeNextCallbackRequest { request_id: key() };
    let taken = caller(bed, "caller").take_next_callback(next).await.unwrap().into_inner().task.unwrap();
    assert_eq!(taken.callback_task_id, task.callback_task_id);
    let reached = tried(bed, "caller", &taken, callback_attempt::Outcome::Reached).await;
    let request = RecordCallbackRequest {
        rework: Rework::Order.into(),
        rework_task: rework_task.to_owned(),
        ..answers(&reached, 2, false)
    };
    caller(bed, "caller").record_callback(request).await.unwrap().into_inner().task.unwrap()
}

fn closing(task: &CallbackTask) -> CloseCallbackRequest {
    CloseCallbackRequest {
        request_id: key(),
        callback_task_id: task.callback_task_id.clone(),
        etag: task.etag.clone(),
    }
}

async fn figures(bed: &Bed, cause: callback_task::Cause) -> CallbackFigures {
    let request = GetCallbackFiguresRequest {
        from_date: Some(date("2025-03-03")),
        to_date: Some(date("2025-03-31")),
        cause: cause.into(),
    };
    supervisor(bed).get_callback_figures(request).await.unwrap().into_inner().figures.unwrap()
}

/// The number that a seed draws, by hand: SHA-256, first 8 bytes, modulo 10000.
fn number_of(seed: &str) -> i32 {
    let digest = Sha256::digest(seed);
    i32::try_from(u64::from_be_bytes(digest[..8].try_into().unwrap()) % 10_000).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c_01_a_draw_can_be_worked_out_again_and_nobody_chooses() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let clerk = member(bed, "agent", BRANCH).await;
        let mut drawn = vec![];
        for _ in 0..30 {
            let visit = close(bed, &visit(bed, &clerk.badge_no, &key()).await).await;
            // Drawn by the closing alone: version of the policy and id of the visit, 5 % are called.
            let draw = draws(bed, &visit.interaction_id).await.remove(0);
            let number = number_of(&format!("COUNTER_TRANSACTION/1:{}", visit.interaction_id));
            let verdict = if number < 500 {
                callback_draw::Verdict::Call
            } else {
                callback_draw::Verdict::NotDrawn
            };
            assert_eq!((draw.number, draw.rate_bp, draw.verdict()), (number, 500, verdict));
            let planned = tasks(bed, &visit.interaction_id).await;
            assert_eq!(planned.len() == 1, verdict == callback_draw::Verdict::Call);
            drawn.push(draw);
        }
        // Telling of it draws nothing anew.
        let told = ReportCallbackTriggerRequest {
            about_id: drawn[0].about_id.clone(),
            ..happening(callback_task::Cause::CounterTransaction, &key())
        };
        assert_eq!(report(bed, told).await, drawn[0]);
        // Nobody draws by ids of his own, nor before the business is done, nor for a call that was no visit.
        let mut agent = CallbackServiceClient::new(bed.staff_named("agent", &[Role::Agent]));
        let open = visit(bed, &clerk.badge_no, &key()).await;
        let call = close(bed, &recorded(bed).await).await;
        let order = order(bed, OrderType::Inspection).await;
        for (cause, about, refused) in [
            (callback_task::Cause::CounterTransaction, key(), (Code::NotFound, "NOT_FOUND")),
            (callback_task::Cause::CounterTransaction, call.interaction_id, (Code::NotFound, "NOT_FOUND")),
            (
                callback_task::Cause::CounterTransaction,
                open.interaction_id,
                (Code::FailedPrecondition, "INTERACTION_STATE"),
            ),
            (callback_task::Cause::Inspection, key(), (Code::NotFound, "NOT_FOUND")),
            (callback_task::Cause::Inspection, order.order_id, (Code::FailedPrecondition, "ORDER_STATE")),
        ] {
            let request = ReportCallbackTriggerRequest {
                about_id: about,
                ..happening(cause, &key())
            };
            let told = refusal(agent.report_callback_trigger(request).await);
            assert_eq!(told, (refused.0, refused.1.to_owned()), "{cause:?}");
        }
        assert_eq!(draws(bed, "").await, drawn, "no try left a draw");
        // Another service has ids of its own for what happens at its counters.
        let mut billing = CallbackServiceClient::new(bed.peer("billing"));
        let request = happening(callback_task::Cause::CounterTransaction, &key());
        let about = request.about_id.clone();
        let draw = billing.report_callback_trigger(request).await.unwrap().into_inner().draw.unwrap();
        assert_eq!(draw.number, number_of(&format!("COUNTER_TRANSACTION/1:{about}")));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c_01_an_agent_has_what_is_due_first_and_nothing_else() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let me = member(bed, "caller", BRANCH).await;
        let later = report(bed, happening(callback_task::Cause::HazardNotice, &key())).await;
        let wanted = assignment(&task(bed, &later.about_id).await, &me);
        assert_eq!(caller(bed, "caller").assign_callback(wanted).await.unwrap_err().code(), Code::PermissionDenied);
        let urgent = sentiment(bed, "").await;
        let mut order = vec![];
        for _ in 0..2 {
            let next = TakeNextCallbackRequest { request_id: key() };
            let next = caller(bed, "caller").take_next_callback(next).await.unwrap().into_inner().task.unwrap();
            assert_eq!(
                (next.state(), next.assignee_staff_id.as_str()),
                (callback_task::State::Due, me.staff_id.as_str())
            );
            order.push(next.about_id);
        }
        assert_eq!(order, [urgent.about_id, later.about_id]);
        let nothing = TakeNextCallbackRequest { request_id: key() };
        assert_eq!(caller(bed, "caller").take_next_callback(nothing).await.unwrap_err().code(), Code::NotFound);
        let stranger = TakeNextCallbackRequest { request_id: key() };
        assert_eq!(refusal(caller(bed, "stranger").take_next_callback(stranger).await).1, "NOT_STAFF");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c_01_an_inspection_is_drawn_when_it_is_done_and_called_with_a_hazard() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let inspector = certified(bed, "han", CertificateKind::SafetyInspection, "2026-12-31").await;
        let publish = PublishCallbackPolicyRequest {
            rate_bp: 0,
            unit: TimeUnit::ElapsedMinutes.into(),
            amount: 10_080,
            ..policy(callback_task::Cause::Inspection, "2025-03-03")
        };
        director(bed).publish_callback_policy(publish).await.unwrap();
        let sound = order(bed, OrderType::Inspection).await;
        complete(bed, &sound, &inspector, false).await;
        let draw = draws(bed, &sound.order_id).await.remove(0);
        assert_eq!((draw.rate_bp, draw.verdict()), (0, callback_draw::Verdict::NotDrawn));
        assert!(tasks(bed, &sound.order_id).await.is_empty());
        // A hazard that is told of later puts the same number under the rate of hazards.
        let hazard = ReportCallbackTriggerRequest {
            about_id: sound.order_id.clone(),
            hazard: true,
            ..happening(callback_task::Cause::Inspection, "")
        };
        let told = report(bed, hazard.clone()).await;
        assert_eq!(
            (told.seed.as_str(), told.number, told.rate_bp, told.verdict()),
            (draw.seed.as_str(), draw.number, 10_000, callback_draw::Verdict::Call)
        );
        let task = task(bed, &sound.order_id).await;
        assert_eq!(task.due_time, Some(time("2025-03-10T09:00:00+08:00")));
        let again = ReportCallbackTriggerRequest { request_id: key(), ..hazard };
        assert_eq!(report(bed, again).await, told);
        assert_eq!(tasks(bed, &sound.order_id).await.len(), 1);
        // One that the report names needs nobody to tell of it.
        let unsafe_one = order(bed, OrderType::Inspection).await;
        complete(bed, &unsafe_one, &inspector, true).await;
        let draw = draws(bed, &unsafe_one.order_id).await.remove(0);
        assert_eq!((draw.rate_bp, draw.verdict()), (10_000, callback_draw::Verdict::Call));
        assert!(get_order(bed, &unsafe_one.order_id).await.order.unwrap().report.unwrap().hazard);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c_01_key_accounts_are_visited_once_a_month() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let archive = bed.fake("archive", rpc::Routes::default()).await;
        let (party, account) = (key(), key());
        let opened = AccountOpened {
            account_id: account.clone(),
            account_no: "1200000001".to_owned(),
            party_id: party.clone(),
            branch: BRANCH.to_owned(),
        };
        archive.tell(&account, &opened);
        let designated = KeyAccountDesignated {
            party_id: party.clone(),
            branch: BRANCH.to_owned(),
            key_account_id: key(),
            account_manager: "manager".to_owned(),
        };
        archive.tell(&party, &designated);
        // Told again, it is the same one.
        archive.tell(&party, &designated);
        let visits = async || {
            let mut found = tasks(bed, "").await;
            found.retain(|task| task.cause() == callback_task::Cause::KeyAccount);
            found
        };
        let count = async |wanted: usize| eventually("the visits", async || (visits().await.len() == wanted).then_some(())).await;
        count(1).await;
        let visit = visits().await.remove(0);
        assert_eq!(
            (visit.channel(), visit.account_id.as_str(), visit.branch.as_str(), visit.due_time),
            (CallbackChannel::Visit, account.as_str(), BRANCH, Some(time("2025-04-02T09:00:00+08:00")))
        );
        // C-02: not by the manager of the account.
        let manager = member(bed, "manager", BRANCH).await;
        assert_eq!(
            refusal(director(bed).assign_callback(assignment(&visit, &manager)).await),
            (Code::PermissionDenied, "CALLER_IS_HANDLER".to_owned())
        );
        bed.clock().set(at("2025-03-31T23:59:00+08:00")).unwrap();
        count(1).await;
        bed.clock().set(at("2025-04-01T00:00:00+08:00")).unwrap();
        count(2).await;
        // Not any more once it is an ordinary customer.
        let downgraded = KeyAccountDowngraded {
            party_id: party.clone(),
            branch: BRANCH.to_owned(),
            rating_id: key(),
        };
        archive.tell(&party, &downgraded);
        let other = key();
        archive.tell(
            &other,
            &KeyAccountDesignated {
                party_id: other.clone(),
                ..designated.clone()
            },
        );
        count(3).await;
        bed.clock().set(at("2025-05-01T09:00:00+08:00")).unwrap();
        count(4).await;
        let withdrawn = KeyAccountWithdrawn {
            party_id: other.clone(),
            branch: BRANCH.to_owned(),
            key_account_id: key(),
        };
        archive.tell(&other, &withdrawn);
        archive.tell(&party, &designated);
        count(5).await;
        bed.clock().set(at("2025-06-01T09:00:00+08:00")).unwrap();
        count(6).await;
    })
    .await;
}

/// The next version of a policy that calls everybody.
fn policy(cause: callback_task::Cause, day: &str) -> PublishCallbackPolicyRequest {
    PublishCallbackPolicyRequest {
        request_id: key(),
        cause: cause.into(),
        rate_bp: 10_000,
        hazard_rate_bp: 10_000,
        unit: TimeUnit::ElapsedMinutes.into(),
        amount: 60,
        channel: CallbackChannel::Phone.into(),
        min_rank: CallbackRank::Agent.into(),
        max_attempts: 1,
        attempt_days: 1,
        effective_date: Some(date(day)),
        source: "回访中心 2025-3".to_owned(),
        ..PublishCallbackPolicyRequest::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c_01_what_is_only_told_of_is_called_every_time() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        for cause in [
            callback_task::Cause::HazardNotice,
            callback_task::Cause::OnlineSentiment,
            callback_task::Cause::KeyAccount,
        ] {
            for (field, rate_bp, hazard_rate_bp) in [("rate_bp", 9_999, 10_000), ("hazard_rate_bp", 10_000, 0)] {
                let share = PublishCallbackPolicyRequest {
                    rate_bp,
                    hazard_rate_bp,
                    ..policy(cause, "2025-03-04")
                };
                let status = director(bed).publish_callback_policy(share).await.unwrap_err();
                assert_eq!(
                    (reason(&status).as_str(), testbed::fields(&status)),
                    ("CALLBACK_RATE_WHOLE", vec![field.to_owned()])
                );
            }
            director(bed).publish_callback_policy(policy(cause, "2025-03-04")).await.unwrap();
            let draw = report(bed, happening(cause, &key())).await;
            assert_eq!((draw.rate_bp, draw.verdict()), (10_000, callback_draw::Verdict::Call));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policies_of_calls_are_versions_by_day() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let list = ListCallbackPoliciesRequest::default();
        let shipped = supervisor(bed).list_callback_policies(list).await.unwrap().into_inner().policies;
        assert_eq!(shipped.len(), 9);
        let publish = |day: &str| policy(callback_task::Cause::CounterTransaction, day);
        let mut billing = CallbackServiceClient::new(bed.peer("billing"));
        let mut tell = async || {
            let request = happening(callback_task::Cause::CounterTransaction, &key());
            billing.report_callback_trigger(request).await.unwrap().into_inner().draw.unwrap()
        };
        assert_eq!(
            refusal(director(bed).publish_callback_policy(publish("2025-03-02")).await),
            (Code::InvalidArgument, "DATE_IN_PAST".to_owned())
        );
        let policy = director(bed).publish_callback_policy(publish("2025-03-10")).await.unwrap().into_inner();
        assert_eq!(policy.policy.as_ref().unwrap().version, 2);
        assert_eq!(
            refusal(director(bed).publish_callback_policy(publish("2025-03-10")).await),
            (Code::AlreadyExists, "CALLBACK_POLICY_DATE_UNIQUE".to_owned())
        );
        assert_eq!(
            caller(bed, "caller").publish_callback_policy(publish("2025-03-11")).await.unwrap_err().code(),
            Code::PermissionDenied
        );
        let before = tell().await;
        assert_eq!((before.rate_bp, before.seed.starts_with("COUNTER_TRANSACTION/1:")), (500, true));
        bed.clock().set(at("2025-03-10T09:00:00+08:00")).unwrap();
        let after = tell().await;
        assert_eq!((after.rate_bp, after.seed.starts_with("COUNTER_TRANSACTION/2:")), (10_000, true));
        let task = task(bed, &after.about_id).await;
        assert_eq!(
            (task.policy_id, task.due_time),
            (policy.policy.unwrap().policy_id, Some(time("2025-03-10T10:00:00+08:00")))
        );
        let mut elsewhere = CallbackServiceClient::new(bed.staff_of(OTHER, &[Role::CallbackDirector]));
        let named = GetCallbackTaskRequest {
            callback_task_id: task.callback_task_id,
        };
        assert_eq!(elsewhere.get_callback_task(named).await.unwrap_err().code(), Code::NotFound);
        // A happening of another branch under the same id is not told about.
        let elsewhere = ReportCallbackTriggerRequest {
            about_id: after.about_id,
            branch: OTHER.to_owned(),
            ..happening(callback_task::Cause::CounterTransaction, &key())
        };
        let mut billing = CallbackServiceClient::new(bed.peer("billing"));
        assert_eq!(billing.report_callback_trigger(elsewhere).await.unwrap_err().code(), Code::NotFound);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c_02_neither_a_handler_nor_the_vendors_people_call() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let vendor = key();
        let handler = member(bed, "agent", BRANCH).await;
        let outsourced = vendor_member(bed, "outsourced", &vendor, &key()).await;
        let other = vendor_member(bed, "other", &key(), &key()).await;
        let complaint = to_closing(bed, new(Utility::Gas), &vendor).await;
        assert_eq!(complaint.state(), complaint::State::Callback);
        let task = task(bed, &complaint.complaint_id).await;
        assert_eq!(
            (task.cause(), task.state(), task.due_time, task.vendor_id.as_str()),
            (
                callback_task::Cause::ComplaintClosed,
                callback_task::State::Planned,
                Some(time("2025-03-06T09:00:00+08:00")),
                vendor.as_str()
            )
        );
        assert_eq!(events::<CallbackPlanned>(bed, &task.callback_task_id).await.len(), 1);
        assert_eq!(
            refusal(director(bed).assign_callback(assignment(&task, &handler)).await),
            (Code::PermissionDenied, "CALLER_IS_HANDLER".to_owned())
        );
        assert_eq!(
            refusal(director(bed).assign_callback(assignment(&task, &outsourced)).await),
            (Code::PermissionDenied, "CALLER_OF_SAME_VENDOR".to_owned())
        );
        // Nor do they come by it as the next one.
        for login in ["agent", "outsourced"] {
            let next = TakeNextCallbackRequest { request_id: key() };
            assert_eq!(caller(bed, login).take_next_callback(next).await.unwrap_err().code(), Code::NotFound, "{login}");
        }
        let task = assign(bed, &task, &other).await;
        let foreign = attempt(&task, callback_attempt::Outcome::Reached);
        assert_eq!(
            refusal(caller(bed, "caller").record_callback_attempt(foreign).await),
            (Code::PermissionDenied, "NOT_THE_ASSIGNEE".to_owned())
        );
        let task = called(bed, "other", &task, 5, true).await;
        assert_eq!(task.state(), callback_task::State::Satisfied);
        let closed = caller(bed, "other").close_callback(closing(&task)).await.unwrap().into_inner().task.unwrap();
        assert_eq!(closed.state(), callback_task::State::Closed);
        let told = events::<CallbackCompleted>(bed, &closed.callback_task_id).await;
        assert_eq!(
            (told[0].outcome(), told[0].score, told[0].vendor_id.as_str()),
            (callback_task::Outcome::Reached, 5, vendor.as_str())
        );
        // The complaint closes with its call.
        assert_eq!(complaint_now(bed, &complaint.complaint_id).await.state(), complaint::State::Closed);
        assert_eq!(events::<ComplaintClosed>(bed, &complaint.complaint_id).await.len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c_02_whoever_had_the_work_before_does_not_call_either() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let before = certified(bed, "han", CertificateKind::SafetyInspection, "2026-12-31").await;
        let after = certified(bed, "zhao", CertificateKind::SafetyInspection, "2026-12-31").await;
        let other = certified(bed, "qian", CertificateKind::SafetyInspection, "2026-12-31").await;
        let vendor = key();
        let outsourced = vendor_member(bed, "outsourced", &vendor, &key()).await;
        // Offered to a vendor and taken back, tried by one crew at a closed door, done by another.
        let order = order(bed, OrderType::Inspection).await;
        let offer = OfferOrderRequest {
            request_id: key(),
            order_id: order.order_id.clone(),
            etag: order.etag,
            vendor_id: vendor,
            respond_by_time: Some(time("2025-03-03T12:00:00+08:00")),
            planned_date: Some(date("2025-03-03")),
        };
        let order = dispatcher(bed).offer_order(offer).await.unwrap().into_inner().order.unwrap();
        let withdraw = WithdrawOrderRequest {
            request_id: key(),
            order_id: order.order_id,
            etag: order.etag,
            reason: "改派".to_owned(),
        };
        let order = dispatcher(bed).withdraw_order(withdraw).await.unwrap().into_inner().order.unwrap();
        dispatcher(bed).dispatch_order(dispatch(&order, &[&before], "2025-03-03")).await.unwrap();
        let order = accept_order(bed, &order.order_id, "han").await.order.unwrap();
        let mut han = OrderServiceClient::new(bed.staff_named("han", &[Role::Inspector]));
        let arrive = ArriveOnSiteRequest {
            request_id: key(),
            order_id: order.order_id,
            etag: order.etag,
        };
        let order = han.arrive_on_site(arrive).await.unwrap().into_inner().order.unwrap();
        let closed_door = ReportNoAccessRequest {
            request_id: key(),
            order_id: order.order_id,
            etag: order.etag,
            photo_file_ids: vec![FILE.to_owned()],
        };
        let order = han.report_no_access(closed_door).await.unwrap().into_inner().order.unwrap();
        complete(bed, &order, &after, true).await;
        let planned = task(bed, &order.order_id).await;
        for (staff, refused) in [
            (&before, "CALLER_IS_HANDLER"),
            (&after, "CALLER_IS_HANDLER"),
            (&outsourced, "CALLER_OF_SAME_VENDOR"),
        ] {
            let status = refusal(director(bed).assign_callback(assignment(&planned, staff)).await);
            assert_eq!(status, (Code::PermissionDenied, refused.to_owned()), "{}", staff.login);
        }
        assert_eq!(assign(bed, &planned, &other).await.state(), callback_task::State::Due);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c_03_three_attempts_on_two_days_and_what_counts_in_which_share() {
    use callback_attempt::Outcome::{Busy, NoAnswer};
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let me = member(bed, "caller", BRANCH).await;
        let account = key();
        let lost = assign(bed, &sentiment(bed, &account).await, &me).await;
        let lost = tried(bed, "caller", &lost, NoAnswer).await;
        let lost = tried(bed, "caller", &lost, Busy).await;
        let lost = tried(bed, "caller", &lost, NoAnswer).await;
        assert_eq!(lost.state(), callback_task::State::Attempting, "three attempts, one day");
        assert_eq!(
            meta(&caller(bed, "caller").close_callback(closing(&lost)).await.unwrap_err(), "state"),
            "ATTEMPTING"
        );
        bed.clock().set(at("2025-03-04T09:00:00+08:00")).unwrap();
        let lost = tried(bed, "caller", &lost, NoAnswer).await;
        assert_eq!(
            (lost.state(), lost.outcome(), lost.attempts.len()),
            (callback_task::State::Unreachable, callback_task::Outcome::Unreachable, 4)
        );
        let lost = caller(bed, "caller").close_callback(closing(&lost)).await.unwrap().into_inner().task.unwrap();
        assert_eq!(lost.state(), callback_task::State::Closed);

        // Two satisfied, one not, one overdue, one that may wait still, one suppressed.
        for (score, account) in [(5, ""), (3, ""), (2, "")] {
            let task = assign(bed, &sentiment(bed, account).await, &me).await;
            called(bed, "caller", &task, score, true).await;
        }
        let open = sentiment(bed, "").await;
        assert!(!open.overdue);
        bed.clock().set(at("2025-03-04T11:00:01+08:00")).unwrap();
        assert!(get(bed, &open.callback_task_id).await.overdue);
        sentiment(bed, "").await;
        let unwilling = key();
        let suppressed = sentiment(bed, &unwilling).await;
        let wish = RecordCallObjectionRequest {
            request_id: key(),
            account_id: unwilling,
            branch: BRANCH.to_owned(),
            note: "来电要求".to_owned(),
        };
        let wish = caller(bed, "caller").record_call_objection(wish).await.unwrap().into_inner();
        assert_eq!(wish.suppressed_task_ids, [suppressed.callback_task_id]);
        let found = figures(bed, callback_task::Cause::OnlineSentiment).await;
        assert_eq!(
            (found.tasks, found.suppressed, found.reached, found.unreachable, found.overdue),
            (7, 1, 3, 1, 1)
        );
        assert_eq!((found.satisfied, found.dissatisfied, found.discourteous), (2, 1, 0));
        // Coverage 3 of 5 (3 reached, 1 unreachable, 1 overdue); satisfaction 2 of 3: the unreachable one is not in it.
        assert_eq!(found.coverage_percent.unwrap().value, "60.00");
        assert_eq!(found.satisfaction_percent.unwrap().value, "66.67");
        let none = figures(bed, callback_task::Cause::KeyAccount).await;
        assert_eq!((none.tasks, none.coverage_percent, none.satisfaction_percent), (0, None, None));
        let backwards = GetCallbackFiguresRequest {
            from_date: Some(date("2025-03-03")),
            to_date: Some(date("2025-03-02")),
            cause: 0,
        };
        assert_eq!(refusal(supervisor(bed).get_callback_figures(backwards).await).1, "VALIDITY_ORDER");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c_04_dissatisfied_means_rework_and_a_second_call() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let me = member(bed, "caller", BRANCH).await;
        let complaint = to_closing(bed, new(Utility::Gas), "").await;
        let task = assign(bed, &task(bed, &complaint.complaint_id).await, &me).await;
        let task = called(bed, "caller", &task, 5, false).await;
        // Not solved, though the score is the best: rework in the same transaction.
        assert_eq!(
            (task.state(), task.rework(), task.rework_id.as_str()),
            (callback_task::State::Rework, Rework::Complaint, complaint.complaint_id.as_str())
        );
        let reopened = complaint_now(bed, &complaint.complaint_id).await;
        assert_eq!((reopened.state(), reopened.reopened), (complaint::State::Reopened, 1));
        let told = events::<CustomerDissatisfied>(bed, &task.callback_task_id).await;
        assert_eq!((told.len(), told[0].rework_id.as_str()), (1, complaint.complaint_id.as_str()));
        assert_eq!(events::<CallbackPlanned>(bed, &task.callback_task_id).await.len(), 2);
        // The task cannot be closed until the rework closes.
        let status = director(bed).close_callback(closing(&task)).await.unwrap_err();
        assert_eq!(
            (reason(&status), meta(&status, "rework_id")),
            ("REWORK_OPEN".to_owned(), complaint.complaint_id.clone())
        );
        bed.clock().set(at("2025-03-04T09:00:00+08:00")).unwrap();
        let done = work_off(bed, &reopened, "").await;
        assert_eq!(done.state(), complaint::State::Callback);
        let second = get(bed, &task.callback_task_id).await;
        assert_eq!(
            (second.state(), second.round, second.due_time, second.assignee_staff_id.as_str()),
            (callback_task::State::SecondCallback, 2, Some(time("2025-03-07T09:00:00+08:00")), "")
        );
        assert_eq!(refusal(director(bed).close_callback(closing(&second)).await).1, "NOT_REACHED");
        let second = assign(bed, &second, &me).await;
        let early = answers(&second, 5, true);
        assert_eq!(refusal(caller(bed, "caller").record_callback(early).await).1, "NOT_REACHED");
        let second = called(bed, "caller", &second, 4, true).await;
        assert_eq!(second.state(), callback_task::State::SecondCallback);
        assert_eq!(
            refusal(caller(bed, "caller").close_callback(closing(&second)).await),
            (Code::PermissionDenied, "DIRECTOR_NEEDED".to_owned())
        );
        let closed = director(bed).close_callback(closing(&second)).await.unwrap().into_inner().task.unwrap();
        assert_eq!((closed.state(), closed.records.len()), (callback_task::State::Closed, 2));
        assert_eq!(complaint_now(bed, &complaint.complaint_id).await.state(), complaint::State::Closed);
        // The figures keep the first answer.
        let found = figures(bed, callback_task::Cause::ComplaintClosed).await;
        assert_eq!((found.satisfied, found.dissatisfied), (0, 1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c_04_a_customer_who_is_dissatisfied_again_is_escalated() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let me = member(bed, "caller", BRANCH).await;
        let complaint = to_closing(bed, new(Utility::Heat), "").await;
        let task = assign(bed, &task(bed, &complaint.complaint_id).await, &me).await;
        let task = called(bed, "caller", &task, 2, true).await;
        work_off(bed, &complaint_now(bed, &complaint.complaint_id).await, "").await;
        let second = assign(bed, &get(bed, &task.callback_task_id).await, &me).await;
        let second = called(bed, "caller", &second, 1, false).await;
        assert_eq!(second.state(), callback_task::State::Escalated);
        let escalated = complaint_now(bed, &complaint.complaint_id).await;
        assert_eq!(escalated.state(), complaint::State::Escalated);
        let told = events::<CustomerDissatisfied>(bed, &task.callback_task_id).await;
        assert_eq!((told.len(), told[1].rework_id.as_str()), (2, complaint.complaint_id.as_str()));
        assert_eq!(events::<ComplaintEscalated>(bed, &complaint.complaint_id).await.len(), 1);
        // The manager has it dealt with anew, and the customer is called a third time.
        let assigned = assign_complaint(bed, &escalated).await;
        work_off(bed, &assigned, "").await;
        let third = get(bed, &task.callback_task_id).await;
        assert_eq!((third.state(), third.round), (callback_task::State::SecondCallback, 3));
        let third = called(bed, "caller", &assign(bed, &third, &me).await, 4, true).await;
        director(bed).close_callback(closing(&third)).await.unwrap();
        assert_eq!(complaint_now(bed, &complaint.complaint_id).await.state(), complaint::State::Closed);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c_04_what_was_done_in_vain_goes_to_the_manager_and_the_customer_is_called_until_it_is_solved() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let me = member(bed, "caller", BRANCH).await;
        let crew = certified(bed, "han", CertificateKind::Repair, "2026-12-31").await;
        let account = key();
        // A repair of which the customer thinks badly is done again.
        let create = CreateOrderRequest {
            request_id: key(),
            r#type: OrderType::Repair.into(),
            branch: BRANCH.to_owned(),
            account_id: account.clone(),
            task: "更换软管".to_owned(),
            ..CreateOrderRequest::default()
        };
        let repair = dispatcher(bed).create_order(create).await.unwrap().into_inner().order.unwrap();
        complete(bed, &repair, &crew, false).await;
        let first = task(bed, &repair.order_id).await;
        let again = |task: &CallbackTask| RecordCallbackRequest {
            rework: Rework::Order.into(),
            rework_task: "接口仍漏".to_owned(),
            ..answers(task, 1, false)
        };
        let reached = tried(bed, "caller", &assign(bed, &first, &me).await, callback_attempt::Outcome::Reached).await;
        let first = caller(bed, "caller").record_callback(again(&reached)).await.unwrap().into_inner().task.unwrap();
        let rework = get_order(bed, &first.rework_id).await.order.unwrap();
        complete(bed, &rework, &crew, false).await;
        let second = get(bed, &first.callback_task_id).await;
        let reached = tried(bed, "caller", &assign(bed, &second, &me).await, callback_attempt::Outcome::Reached).await;
        let second = caller(bed, "caller").record_callback(again(&reached)).await.unwrap().into_inner().task.unwrap();
        // Not a third crew: the matter is before the manager, in the same transaction.
        assert_eq!((second.state(), second.rework()), (callback_task::State::Escalated, Rework::Complaint));
        let escalated = complaint_now(bed, &second.rework_id).await;
        assert_eq!(
            (escalated.state(), escalated.account_id.as_str(), escalated.callback_task_id.as_str()),
            (complaint::State::Escalated, account.as_str(), first.callback_task_id.as_str())
        );
        assert_eq!(events::<ComplaintEscalated>(bed, &escalated.complaint_id).await.len(), 1);
        let told = events::<CustomerDissatisfied>(bed, &first.callback_task_id).await;
        assert_eq!(
            told.iter().map(|event| &event.rework_id).collect::<Vec<_>>(),
            [&rework.order_id, &escalated.complaint_id]
        );
        // The reply is due on 10 March (5 working days), the call 2 working days later.
        assert_eq!(second.due_time, Some(time("2025-03-12T23:59:59.999999+08:00")));
        let status = director(bed).close_callback(closing(&second)).await.unwrap_err();
        assert_eq!(
            (reason(&status), meta(&status, "rework_id")),
            ("REWORK_OPEN".to_owned(), escalated.complaint_id.clone())
        );
        let impatient = attempt(&second, callback_attempt::Outcome::Reached);
        assert_eq!(refusal(caller(bed, "caller").record_callback_attempt(impatient).await).1, "REWORK_OPEN");

        // The manager gives it to somebody; with its end the customer is called again, once more in vain.
        let dealt_with = async |complaint: &Complaint| work_off(bed, &assign_complaint(bed, complaint).await, "").await;
        assert_eq!(dealt_with(&escalated).await.state(), complaint::State::Closed);
        let third = get(bed, &first.callback_task_id).await;
        assert_eq!(
            (third.state(), third.round, third.assignee_staff_id.as_str()),
            (callback_task::State::SecondCallback, 3, "")
        );
        let third = called(bed, "caller", &assign(bed, &third, &me).await, 2, true).await;
        assert_eq!(third.state(), callback_task::State::Escalated);
        assert_ne!(third.rework_id, escalated.complaint_id);
        dealt_with(&complaint_now(bed, &third.rework_id).await).await;
        let fourth = get(bed, &first.callback_task_id).await;
        let fourth = called(bed, "caller", &assign(bed, &fourth, &me).await, 4, true).await;
        // The director ends it; the figures keep the first answer.
        assert_eq!(
            refusal(caller(bed, "caller").close_callback(closing(&fourth)).await),
            (Code::PermissionDenied, "DIRECTOR_NEEDED".to_owned())
        );
        let closed = director(bed).close_callback(closing(&fourth)).await.unwrap().into_inner().task.unwrap();
        assert_eq!((closed.state(), closed.records.len()), (callback_task::State::Closed, 4));
        let found = figures(bed, callback_task::Cause::Repair).await;
        assert_eq!((found.tasks, found.satisfied, found.dissatisfied), (1, 0, 1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c_04_rework_is_a_new_complaint_or_a_work_order() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let me = member(bed, "caller", BRANCH).await;
        // A complaint about another happening.
        let account = key();
        let first = assign(bed, &sentiment(bed, &account).await, &me).await;
        let first = called(bed, "caller", &first, 1, false).await;
        assert_eq!((first.state(), first.rework()), (callback_task::State::Rework, Rework::Complaint));
        let complaint = complaint_now(bed, &first.rework_id).await;
        assert_eq!(
            (complaint.state(), complaint.account_id.as_str(), complaint.callback_task_id.as_str()),
            (complaint::State::Received, account.as_str(), first.callback_task_id.as_str())
        );
        let complaint = classify(bed, &complaint, ComplaintCategory::Delay).await;
        let complaint = assign_complaint(bed, &complaint).await;
        let closed = work_off(bed, &complaint, "").await;
        // The customer is asked by the second call of the first task, not by one of the own.
        assert_eq!(closed.state(), complaint::State::Closed);
        assert!(tasks(bed, &closed.complaint_id).await.is_empty());
        assert_eq!(get(bed, &first.callback_task_id).await.state(), callback_task::State::SecondCallback);

        // A work order, done by a crew whose people do not call either (C-02).
        let second = assign(bed, &sentiment(bed, &account).await, &me).await;
        let second = tried(bed, "caller", &second, callback_attempt::Outcome::Reached).await;
        let request = RecordCallbackRequest {
            rework: Rework::Order.into(),
            rework_task: "重新更换软管".to_owned(),
            ..answers(&second, 2, false)
        };
        let second = caller(bed, "caller").record_callback(request).await.unwrap().into_inner().task.unwrap();
        assert_eq!(second.rework(), Rework::Order);
        // Promised within 4 hours, and 2 more for the call.
        assert_eq!(second.due_time, Some(time("2025-03-03T15:00:00+08:00")));
        let order = get_order(bed, &second.rework_id).await.order.unwrap();
        assert_eq!(
            (order.r#type(), order.state(), order.account_id.as_str()),
            (OrderType::Repair, order::State::Pool, account.as_str())
        );
        let crew = certified(bed, "han", CertificateKind::Repair, "2026-12-31").await;
        complete(bed, &order, &crew, false).await;
        let waiting = get(bed, &second.callback_task_id).await;
        assert_eq!((waiting.state(), waiting.round), (callback_task::State::SecondCallback, 2));
        assert!(tasks(bed, &order.order_id).await.is_empty(), "the repair is asked about by the second call");
        assert_eq!(refusal(director(bed).assign_callback(assignment(&waiting, &crew)).await).1, "CALLER_IS_HANDLER");
        let waiting = called(bed, "caller", &assign(bed, &waiting, &me).await, 5, true).await;
        director(bed).close_callback(closing(&waiting)).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c_04_rework_is_filed_for_what_is_supplied_there() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let me = member(bed, "caller", BRANCH).await;
        let crew = certified(bed, "han", CertificateKind::Repair, "2026-12-31").await;
        // A repair of heat, as the case says.
        let case = OpenCaseRequest {
            request_id: key(),
            channel: Channel::Hotline.into(),
            category: Category::HeatLeak.into(),
            branch: BRANCH.to_owned(),
            account_id: key(),
            detail: "暖气片漏水".to_owned(),
            ..OpenCaseRequest::default()
        };
        let mut cases = CaseServiceClient::new(bed.staff(&[Role::Agent]));
        let case = cases.open_case(case).await.unwrap().into_inner().case.unwrap();
        let of_case = CreateOrderRequest {
            request_id: key(),
            r#type: OrderType::Repair.into(),
            branch: BRANCH.to_owned(),
            case_id: case.case_id,
            task: "更换阀门".to_owned(),
            ..CreateOrderRequest::default()
        };
        let repair = dispatcher(bed).create_order(of_case).await.unwrap().into_inner().order.unwrap();
        assert_eq!(repair.utility(), Utility::Heat);
        let due = deadlines(bed, &repair.order_id).await;
        // W6: an ordinary fault of heat within 24 h, where gas has 4 h.
        assert!(due.contains(&(Clock::Resolution, Some(time("2025-03-04T09:00:00+08:00")))), "{due:?}");
        complete(bed, &repair, &crew, false).await;
        let repaired = task(bed, &repair.order_id).await;
        assert_eq!(repaired.utility(), Utility::Heat);
        let asked = assign(bed, &repaired, &me).await;
        let asked = called(bed, "caller", &asked, 1, false).await;
        let complaint = complaint_now(bed, &asked.rework_id).await;
        assert_eq!(complaint.utility(), Utility::Heat);
        // A reply on heat is due in three days.
        let due = deadlines(bed, &complaint.complaint_id).await;
        assert!(due.contains(&(Clock::Resolution, Some(time("2025-03-06T09:00:00+08:00")))), "{due:?}");

        // What a person tells of names it; the order of rework is of the same.
        let heat = ReportCallbackTriggerRequest {
            utility: Utility::Heat.into(),
            ..happening(callback_task::Cause::OnlineSentiment, &key())
        };
        let heat = assign(bed, &task(bed, &report(bed, heat).await.about_id).await, &me).await;
        let heat = tried(bed, "caller", &heat, callback_attempt::Outcome::Reached).await;
        let request = RecordCallbackRequest {
            rework: Rework::Order.into(),
            ..answers(&heat, 1, false)
        };
        let heat = caller(bed, "caller").record_callback(request).await.unwrap().into_inner().task.unwrap();
        assert_eq!(get_order(bed, &heat.rework_id).await.order.unwrap().utility(), Utility::Heat);
        // Where nobody knows it is gas, as before.
        let unknown = assign(bed, &sentiment(bed, &key()).await, &me).await;
        let unknown = called(bed, "caller", &unknown, 1, false).await;
        assert_eq!(unknown.utility(), Utility::Unspecified);
        assert_eq!(complaint_now(bed, &unknown.rework_id).await.utility(), Utility::Gas);
    })
    .await;
}

/// The clocks of an order or a complaint, with when they are due.
async fn deadlines(bed: &Bed, owner: &str) -> Vec<(Clock, Option<prost_types::Timestamp>)> {
    let request = ListDeadlinesRequest {
        owner_id: owner.to_owned(),
        ..ListDeadlinesRequest::default()
    };
    let mut clocks = DeadlineServiceClient::new(bed.staff(&[Role::Dispatcher]));
    let found = clocks.list_deadlines(request).await.unwrap().into_inner().deadlines;
    found.into_iter().map(|clock| (clock.clock(), clock.due_time)).collect()
}

/// A repair or an inspection from the pool to its acceptance.
pub async fn complete(bed: &Bed, order: &Order, crew: &StaffMember, hazard: bool) {
    let today = bed.clock().now().date().to_string();
    dispatcher(bed).dispatch_order(dispatch(order, &[crew], &today)).await.unwrap();
    let accepted = accept_order(bed, &order.order_id, &crew.login).await.order.unwrap();
    let mut client = OrderServiceClient::new(bed.staff_named(&crew.login, &[Role::Repairer, Role::Inspector]));
    let arrive = ArriveOnSiteRequest {
        request_id: key(),
        order_id: accepted.order_id,
        etag: accepted.etag,
    };
    let arrived = client.arrive_on_site(arrive).await.unwrap().into_inner().order.unwrap();
    let report = ReportOrderRequest {
        request_id: key(),
        order_id: arrived.order_id,
        etag: arrived.etag,
        report: Some(OrderReport {
            summary: "已更换".to_owned(),
            photo_file_ids: vec![FILE.to_owned()],
            signature_file_id: FILE.to_owned(),
            hazard,
            ..OrderReport::default()
        }),
    };
    let reported = client.report_order(report).await.unwrap().into_inner().order.unwrap();
    let mut district = OrderServiceClient::new(bed.staff_named("district", &[Role::DistrictManager]));
    let done = CompleteOrderRequest {
        request_id: key(),
        order_id: reported.order_id,
        etag: reported.etag,
    };
    district.complete_order(done).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repair_is_asked_about_by_message_and_by_phone_where_there_is_no_answer() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let me = member(bed, "caller", BRANCH).await;
        let crew = certified(bed, "han", CertificateKind::Repair, "2026-12-31").await;
        let order = order(bed, OrderType::Repair).await;
        complete(bed, &order, &crew, false).await;
        let task = assign(bed, &task(bed, &order.order_id).await, &me).await;
        assert_eq!((task.channel(), task.fallback_channel()), (CallbackChannel::Sms, CallbackChannel::Phone));
        let phone = |task: &CallbackTask| RecordCallbackAttemptRequest {
            channel: CallbackChannel::Phone.into(),
            ..attempt(task, callback_attempt::Outcome::Reached)
        };
        assert_eq!(
            refusal(caller(bed, "caller").record_callback_attempt(phone(&task)).await),
            (Code::InvalidArgument, "CHANNEL_NOT_PLANNED".to_owned())
        );
        let task = tried(bed, "caller", &task, callback_attempt::Outcome::NoAnswer).await;
        let reached = phone(&task);
        let task = caller(bed, "caller").record_callback_attempt(reached).await.unwrap().into_inner().task.unwrap();
        assert_eq!(task.state(), callback_task::State::Reached);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c_08_a_visit_needs_a_signature_and_a_phone_marks_its_channel() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let me = member(bed, "director", BRANCH).await;
        let agent = member(bed, "caller", BRANCH).await;
        let mut account_manager = CallbackServiceClient::new(bed.staff(&[Role::KeyAccountManager]));
        let draw = account_manager
            .report_callback_trigger(happening(callback_task::Cause::KeyAccount, &key()))
            .await
            .unwrap()
            .into_inner()
            .draw
            .unwrap();
        let visit = task(bed, &draw.about_id).await;
        // Key accounts are visited by the director.
        let by_agent = assign(bed, &visit, &agent).await;
        let request = attempt(&by_agent, callback_attempt::Outcome::Reached);
        assert_eq!(
            refusal(caller(bed, "caller").record_callback_attempt(request).await),
            (Code::PermissionDenied, "RANK_TOO_LOW".to_owned())
        );
        let visit = assign(bed, &by_agent, &me).await;
        let request = attempt(&visit, callback_attempt::Outcome::Reached);
        let visit = director(bed).record_callback_attempt(request).await.unwrap().into_inner().task.unwrap();
        // A visit is not written down as a call to do without a signature.
        let by_phone = RecordCallbackRequest {
            channel: CallbackChannel::Phone.into(),
            ..answers(&visit, 5, true)
        };
        assert_eq!(refusal(director(bed).record_callback(by_phone).await).1, "CHANNEL_NOT_PLANNED");
        let visit = director(bed)
            .record_callback(answers(&visit, 5, true))
            .await
            .unwrap()
            .into_inner()
            .task
            .unwrap();
        assert_eq!(
            (visit.state(), visit.records[0].state()),
            (callback_task::State::Reached, callback_record::State::Incomplete)
        );
        assert_eq!(figures(bed, callback_task::Cause::KeyAccount).await.satisfied, 0, "it does not count yet");
        assert_eq!(
            refusal(director(bed).record_callback(answers(&visit, 5, true)).await),
            (Code::AlreadyExists, "CALLBACK_RECORD_ONCE".to_owned())
        );
        assert_eq!(refusal(director(bed).close_callback(closing(&visit)).await).1, "CALLBACK_STATE");
        let signed = |task: &CallbackTask| CompleteCallbackRecordRequest {
            request_id: key(),
            callback_task_id: task.callback_task_id.clone(),
            etag: task.etag.clone(),
            signature_file_id: FILE.to_owned(),
        };
        let visit = director(bed).complete_callback_record(signed(&visit)).await.unwrap().into_inner().task.unwrap();
        assert_eq!(
            (visit.state(), visit.records[0].state(), visit.records[0].signature_file_id.as_str()),
            (callback_task::State::Satisfied, callback_record::State::Complete, FILE)
        );

        // The database keeps to it as well, and draws, attempts and policies are never changed (C-01).
        for (sql, rule) in [
            (
                "UPDATE callback_record SET signature_file_id = '' WHERE channel = 'VISIT'",
                "callback_record_visit_signed",
            ),
            ("UPDATE callback_record SET score = 6", "callback_record_score"),
            ("UPDATE callback_draw SET verdict = 'CALL'", "append_only"),
            ("DELETE FROM callback_draw", "append_only"),
            ("UPDATE callback_attempt SET outcome = 'NO_ANSWER'", "append_only"),
            ("DELETE FROM callback_attempt", "append_only"),
            ("UPDATE callback_policy SET rate_bp = 0", "append_only"),
            ("DELETE FROM callback_policy", "append_only"),
        ] {
            let refused = bed.db().writer().execute_unprepared(sql).await.unwrap_err().to_string();
            assert!(refused.contains(rule), "{sql}: {refused}");
        }

        // A phone call marks its channel and needs no signature; the words of the customer are masked.
        let complaint = to_closing(bed, new(Utility::Gas), "").await;
        let call = assign(bed, &task(bed, &complaint.complaint_id).await, &agent).await;
        let call = tried(bed, "caller", &call, callback_attempt::Outcome::Reached).await;
        // S-02: the question about courtesy is part of every questionnaire.
        let unasked = RecordCallbackRequest {
            courtesy: 0,
            ..answers(&call, 5, true)
        };
        let status = caller(bed, "caller").record_callback(unasked).await.unwrap_err();
        assert_eq!((status.code(), testbed::fields(&status)), (Code::InvalidArgument, vec!["courtesy".to_owned()]));
        let rude = RecordCallbackRequest {
            courtesy: Courtesy::Discourteous.into(),
            ..answers(&call, 3, true)
        };
        let call = caller(bed, "caller").record_callback(rude).await.unwrap().into_inner().task.unwrap();
        assert_eq!(
            (call.records[0].channel(), call.records[0].state()),
            (CallbackChannel::Phone, callback_record::State::Complete)
        );
        assert!(!call.records[0].verbatim.contains("还可以"));
        assert_eq!(refusal(caller(bed, "caller").complete_callback_record(signed(&call)).await).1, "CALLBACK_STATE");
        assert_eq!(figures(bed, callback_task::Cause::ComplaintClosed).await.discourteous, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c_e_a_wish_not_to_be_called_suppresses_all_but_safety() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let me = member(bed, "caller", BRANCH).await;
        let account = key();
        let hazard = report(bed, happening(callback_task::Cause::HazardNotice, &account)).await;
        let of_account = || OpenComplaintRequest {
            account_id: account.clone(),
            ..new(Utility::Gas)
        };
        let complaint = to_closing(bed, of_account(), "").await;
        let planned = task(bed, &complaint.complaint_id).await;
        let wish = || RecordCallObjectionRequest {
            request_id: key(),
            account_id: account.clone(),
            branch: BRANCH.to_owned(),
            note: "来电要求".to_owned(),
        };
        let said = caller(bed, "caller").record_call_objection(wish()).await.unwrap().into_inner();
        assert_eq!(said.suppressed_task_ids, std::slice::from_ref(&planned.callback_task_id));
        let ended = get(bed, &planned.callback_task_id).await;
        assert_eq!(
            (ended.state(), ended.outcome()),
            (callback_task::State::Closed, callback_task::Outcome::Suppressed)
        );
        assert_eq!(
            complaint_now(bed, &complaint.complaint_id).await.state(),
            complaint::State::Closed,
            "nothing is waited for any more"
        );
        assert_eq!(
            refusal(caller(bed, "caller").record_call_objection(wish()).await),
            (Code::AlreadyExists, "CALL_OBJECTION_UNIQUE".to_owned())
        );
        // Safety is called about all the same, before and after.
        let safety = assign(bed, &task(bed, &hazard.about_id).await, &me).await;
        assert_eq!(called(bed, "caller", &safety, 4, true).await.state(), callback_task::State::Satisfied);
        let hazard = report(bed, happening(callback_task::Cause::HazardNotice, &account)).await;
        assert_eq!(hazard.verdict(), callback_draw::Verdict::Call);
        let later = report(bed, happening(callback_task::Cause::OnlineSentiment, &account)).await;
        assert_eq!(later.verdict(), callback_draw::Verdict::Objected);
        assert!(tasks(bed, &later.about_id).await.is_empty());
        let closed = to_closing(bed, of_account(), "").await;
        assert_eq!(closed.state(), complaint::State::Closed);
        // So it is for somebody without an account who said so with the complaint.
        let unwilling = OpenComplaintRequest {
            no_callback: true,
            reporter_phone: "13900000002".to_owned(),
            ..new(Utility::Gas)
        };
        let unwilling = to_closing(bed, unwilling, "").await;
        assert_eq!(draws(bed, &unwilling.complaint_id).await[0].verdict(), callback_draw::Verdict::Objected);
        // Whoever is left out so is counted, and stands in no share.
        let found = figures(bed, callback_task::Cause::ComplaintClosed).await;
        assert_eq!((found.tasks, found.suppressed, found.objected), (1, 1, 2));
        assert_eq!((found.coverage_percent, found.satisfaction_percent), (None, None));

        let lift = || LiftCallObjectionRequest {
            request_id: key(),
            account_id: account.clone(),
            note: "来电同意".to_owned(),
        };
        caller(bed, "caller").lift_call_objection(lift()).await.unwrap();
        assert_eq!(caller(bed, "caller").lift_call_objection(lift()).await.unwrap_err().code(), Code::NotFound);
        let again = report(bed, happening(callback_task::Cause::OnlineSentiment, &account)).await;
        assert_eq!(again.verdict(), callback_draw::Verdict::Call);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c_e_a_wish_not_to_be_called_does_not_hold_where_there_is_danger() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let account = key();
        let wish = RecordCallObjectionRequest {
            request_id: key(),
            account_id: account.clone(),
            branch: BRANCH.to_owned(),
            note: "来电要求".to_owned(),
        };
        caller(bed, "caller").record_call_objection(wish).await.unwrap();
        let about_a_leak = async |request: OpenComplaintRequest| {
            let complaint = complaint_agent(bed).open_complaint(request).await.unwrap().into_inner().complaint.unwrap();
            let complaint = classify(bed, &complaint, ComplaintCategory::Safety).await;
            work_off(bed, &assign_complaint(bed, &complaint).await, "").await
        };
        let of_account = OpenComplaintRequest {
            account_id: account.clone(),
            ..new(Utility::Gas)
        };
        let unwilling = || OpenComplaintRequest {
            no_callback: true,
            ..new(Utility::Gas)
        };
        for request in [of_account, unwilling()] {
            let complaint = about_a_leak(request).await;
            assert_eq!(complaint.state(), complaint::State::Callback);
            let draw = draws(bed, &complaint.complaint_id).await.remove(0);
            assert_eq!(draw.verdict(), callback_draw::Verdict::Call);
        }
        // Without account and phone there is nobody to call.
        let unknown = OpenComplaintRequest {
            reporter_phone: String::new(),
            ..unwilling()
        };
        let unknown = about_a_leak(unknown).await;
        assert_eq!(draws(bed, &unknown.complaint_id).await[0].verdict(), callback_draw::Verdict::NoContact);

        // An inspection: the wish holds until somebody tells of a hazard.
        let inspector = certified(bed, "han", CertificateKind::SafetyInspection, "2026-12-31").await;
        let create = CreateOrderRequest {
            request_id: key(),
            r#type: OrderType::Inspection.into(),
            branch: BRANCH.to_owned(),
            account_id: account.clone(),
            task: "入户安检".to_owned(),
            ..CreateOrderRequest::default()
        };
        let inspection = dispatcher(bed).create_order(create).await.unwrap().into_inner().order.unwrap();
        complete(bed, &inspection, &inspector, false).await;
        let draw = draws(bed, &inspection.order_id).await.remove(0);
        assert_eq!(draw.verdict(), callback_draw::Verdict::Objected);
        assert_eq!(figures(bed, callback_task::Cause::Inspection).await.objected, 1);
        let hazard = ReportCallbackTriggerRequest {
            about_id: inspection.order_id.clone(),
            hazard: true,
            ..happening(callback_task::Cause::Inspection, "")
        };
        assert_eq!(report(bed, hazard).await.verdict(), callback_draw::Verdict::Call);
        let found = figures(bed, callback_task::Cause::Inspection).await;
        assert_eq!((found.tasks, found.objected), (1, 0));
        // Nor does a wish that comes later end the call.
        let lift = LiftCallObjectionRequest {
            request_id: key(),
            account_id: account.clone(),
            note: "来电同意".to_owned(),
        };
        caller(bed, "caller").lift_call_objection(lift).await.unwrap();
        let wish = RecordCallObjectionRequest {
            request_id: key(),
            account_id: account.clone(),
            branch: BRANCH.to_owned(),
            note: "来电要求".to_owned(),
        };
        let said = caller(bed, "caller").record_call_objection(wish).await.unwrap().into_inner();
        assert!(said.suppressed_task_ids.is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c_e_a_call_that_hits_a_reopened_complaint_waits() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let me = member(bed, "caller", BRANCH).await;
        let complaint = to_closing(bed, new(Utility::Gas), "").await;
        let call = assign(bed, &task(bed, &complaint.complaint_id).await, &me).await;
        let call = tried(bed, "caller", &call, callback_attempt::Outcome::Reached).await;
        assert_eq!(figures(bed, callback_task::Cause::ComplaintClosed).await.reached, 1);
        let reopen = ReopenComplaintRequest {
            request_id: key(),
            complaint_id: complaint.complaint_id.clone(),
            etag: complaint.etag.clone(),
            reason: "投诉人再次来电".to_owned(),
        };
        let reopened = complaint_agent(bed).reopen_complaint(reopen).await.unwrap().into_inner().complaint.unwrap();
        // The answers of the call that was under way would be about something that goes on.
        let late = answers(&get(bed, &call.callback_task_id).await, 5, true);
        assert_eq!(
            refusal(caller(bed, "caller").record_callback(late).await),
            (Code::FailedPrecondition, "COMPLAINT_REOPENED".to_owned())
        );
        let held = get(bed, &call.callback_task_id).await;
        assert_eq!((held.state(), held.round), (callback_task::State::Planned, 2));
        assert_eq!(
            figures(bed, callback_task::Cause::ComplaintClosed).await.reached,
            0,
            "nobody was asked about it yet"
        );
        let next = TakeNextCallbackRequest { request_id: key() };
        assert_eq!(caller(bed, "caller").take_next_callback(next).await.unwrap_err().code(), Code::NotFound);
        let held = assign(bed, &held, &me).await;
        let request = attempt(&held, callback_attempt::Outcome::Reached);
        assert_eq!(refusal(caller(bed, "caller").record_callback_attempt(request).await).1, "COMPLAINT_REOPENED");
        // Answered anew, the same task is due anew.
        bed.clock().set(at("2025-03-05T09:00:00+08:00")).unwrap();
        work_off(bed, &reopened, "").await;
        let again = task(bed, &complaint.complaint_id).await;
        assert_eq!(again.due_time, Some(time("2025-03-08T09:00:00+08:00")));
        let again = called(bed, "caller", &again, 4, true).await;
        caller(bed, "caller").close_callback(closing(&again)).await.unwrap();
        assert_eq!(complaint_now(bed, &complaint.complaint_id).await.state(), complaint::State::Closed);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c_e_a_number_of_a_tenant_before_is_corrected_before_it_is_called_again() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let me = member(bed, "caller", BRANCH).await;
        let call = assign(bed, &sentiment(bed, &key()).await, &me).await;
        let call = tried(bed, "caller", &call, callback_attempt::Outcome::NotTheCustomer).await;
        assert_eq!(call.state(), callback_task::State::Attempting);
        // What somebody else says is no answer.
        assert_eq!(
            refusal(caller(bed, "caller").record_callback(answers(&call, 1, false)).await).1,
            "CALLBACK_STATE"
        );
        let again = attempt(&call, callback_attempt::Outcome::Reached);
        assert_eq!(
            refusal(caller(bed, "caller").record_callback_attempt(again.clone()).await),
            (Code::FailedPrecondition, "NUMBER_NOT_CORRECTED".to_owned())
        );
        let corrected = RecordCallbackAttemptRequest {
            request_id: key(),
            number_corrected: true,
            ..again
        };
        let call = caller(bed, "caller")
            .record_callback_attempt(corrected)
            .await
            .unwrap()
            .into_inner()
            .task
            .unwrap();
        assert_eq!(call.state(), callback_task::State::Reached);
    })
    .await;
}

/// A call of the first release is found by the agents of this one.
#[tokio::test]
async fn calls_of_the_first_release_are_planned_calls() {
    each(hall::SERVICE, async |bed| {
        let postgres = bed.engine() == Engine::Postgres;
        let url = if postgres {
            testbed::postgres::database("hall_first", async |_| Ok(())).await.unwrap().unwrap()
        } else {
            format!("sqlite://{}", bed.file().with_file_name("first.db").display())
        };
        let target = Target::parse(&url).unwrap();
        let old = Database::connect("hall", &target, RulesClock::real(), &hall::SERVICE.migrations[..1])
            .await
            .unwrap();
        let row = |id: u8, cause: &str| {
            let id = format!("{}'0000000000007000800000000000000{id}'", if postgres { "" } else { "x" });
            format!(
                "INSERT INTO callback_task (id, cause, about_id, account_id, branch, due_at, created_at)
                 VALUES ({id}, '{cause}', {id}, NULL, '河西区', 1, 0)"
            )
        };
        for sql in [row(1, "LEAK"), row(2, "GAS_OPENED")] {
            old.writer().execute_unprepared(&sql).await.unwrap();
        }
        old.close().await;
        let new = Database::connect("hall", &target, RulesClock::real(), hall::SERVICE.migrations).await.unwrap();
        let sql = "SELECT count(*) FROM callback_task WHERE state = 'PLANNED' AND channel = 'PHONE' AND min_rank = 'AGENT' AND handlers = '[]'
                   AND round = 1 AND version = 1 AND safety = (cause = 'LEAK') AND policy_id IS NULL AND outcome IS NULL";
        let statement = Statement::from_string(new.reader().get_database_backend(), sql);
        let found = new.reader().query_one_raw(statement).await.unwrap().unwrap();
        assert_eq!(found.try_get_by_index::<i64>(0).unwrap(), 2);
        new.close().await;
    })
    .await;
}
