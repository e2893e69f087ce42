use contracts::hearth::{
    hall::v1::{case_service_client::CaseServiceClient, deadline_service_client::DeadlineServiceClient, order_service_client::OrderServiceClient, *},
    options::v1::Role,
};
use testbed::{Bed, Client, at, each, eventually, key, reason};
use tonic::Code;

use crate::{
    BRANCH, FILE, OTHER, date,
    hands::{certified, dispatch, dispatcher, member},
    meta, refusal, time,
};

fn agent(bed: &Bed) -> CaseServiceClient<Client> {
    CaseServiceClient::new(bed.staff_named("agent", &[Role::Agent]))
}
fn clocks(bed: &Bed) -> DeadlineServiceClient<Client> {
    DeadlineServiceClient::new(bed.staff(&[Role::Dispatcher]))
}

fn new(category: Category) -> OpenCaseRequest {
    OpenCaseRequest {
        request_id: key(),
        channel: Channel::Hotline.into(),
        category: category.into(),
        branch: BRANCH.to_owned(),
        account_id: String::new(),
        caller_name: "张三丰".to_owned(),
        caller_phone: "13812345678".to_owned(),
        address: "河西区友谊路12号".to_owned(),
        detail: "厨房有气味\n请尽快".to_owned(),
        remote: false,
    }
}

async fn open(bed: &Bed, category: Category) -> Case {
    agent(bed).open_case(new(category)).await.unwrap().into_inner().case.unwrap()
}

async fn of(bed: &Bed, owner: &str) -> Vec<Deadline> {
    let request = ListDeadlinesRequest {
        owner_id: owner.to_owned(),
        ..ListDeadlinesRequest::default()
    };
    clocks(bed).list_deadlines(request).await.unwrap().into_inner().deadlines
}

async fn assign(bed: &Bed, case: &Case) -> Case {
    let owner = member(bed, &format!("owner-{}", key()), BRANCH).await;
    let request = AssignCaseRequest {
        request_id: key(),
        case_id: case.case_id.clone(),
        etag: case.etag.clone(),
        owner_staff_id: owner.staff_id,
    };
    agent(bed).assign_case(request).await.unwrap().into_inner().case.unwrap()
}

fn answer(case: &Case, outcome: Outcome, rule: &str, at: &str) -> AnswerCaseRequest {
    AnswerCaseRequest {
        request_id: key(),
        case_id: case.case_id.clone(),
        etag: case.etag.clone(),
        outcome: outcome.into(),
        reply_channel: Channel::Hotline.into(),
        reply_time: Some(time(at)),
        text: "已处理".to_owned(),
        rule_cited: rule.to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h1_one_case_from_every_channel_and_personal_data_masked() {
    each(hall::SERVICE, async |bed| {
        for channel in 1..=8 {
            let case = agent(bed)
                .open_case(OpenCaseRequest {
                    channel,
                    ..new(Category::Other)
                })
                .await
                .unwrap()
                .into_inner()
                .case
                .unwrap();
            assert_eq!((case.state(), case.channel), (case::State::Received, channel));
        }
        let case = open(bed, Category::GasLeak).await;
        assert_eq!((case.caller_name.as_str(), case.caller_phone.as_str()), ("张**", "138****5678"));
        assert!(!case.address.contains("12号") && !case.detail.contains("气味"), "{case:?}");
        let reveal = RevealCaseRequest {
            request_id: key(),
            case_id: case.case_id.clone(),
            purpose: "上门抢险".to_owned(),
        };
        let clear = agent(bed).reveal_case(reveal).await.unwrap().into_inner().case.unwrap();
        assert_eq!((clear.caller_phone.as_str(), clear.detail.as_str()), ("13812345678", "厨房有气味\n请尽快"));

        // The phone does not stand in the database in clear text (decision 16).
        use sea_orm::{ConnectionTrait, Statement};
        let db = bed.db();
        let statement = Statement::from_string(db.reader().get_database_backend(), "SELECT caller_phone FROM service_case");
        for row in db.reader().query_all_raw(statement).await.unwrap() {
            let sealed = row.try_get::<Option<Vec<u8>>>("", "caller_phone").unwrap().unwrap();
            assert!(!String::from_utf8_lossy(&sealed).contains("13812345678"));
        }
        // S-04: anyone is heard, without an account; somebody who cannot be reached at all is not.
        let nobody = OpenCaseRequest {
            caller_phone: String::new(),
            address: String::new(),
            ..new(Category::Complaint)
        };
        assert_eq!(refusal(agent(bed).open_case(nobody).await), (Code::InvalidArgument, "CALLER_NEEDED".to_owned()));
        let no_phone = OpenCaseRequest {
            caller_phone: "1381234567".to_owned(),
            ..new(Category::Complaint)
        };
        assert_eq!(
            refusal(agent(bed).open_case(no_phone).await),
            (Code::InvalidArgument, "PHONE_INVALID".to_owned())
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_08_every_case_ends_in_an_answer() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let case = open(bed, Category::GasQuery).await;
        let close = |case: &Case| CloseCaseRequest {
            request_id: key(),
            case_id: case.case_id.clone(),
            etag: case.etag.clone(),
        };
        let status = agent(bed).close_case(close(&case)).await.unwrap_err();
        assert_eq!(
            (reason(&status), meta(&status, "allowed")),
            ("CASE_STATE".to_owned(), "ASSIGN,RESPOND,RECATEGORISE".to_owned())
        );
        let case = assign(bed, &case).await;
        assert_eq!(case.state(), case::State::Assigned);
        assert_eq!(refusal(agent(bed).close_case(close(&case)).await).1, "CASE_STATE");

        bed.clock().set(at("2025-03-04T10:00:00+08:00")).unwrap();
        assert_eq!(
            refusal(agent(bed).answer_case(answer(&case, Outcome::Resolved, "", "2025-03-04T10:00:01+08:00")).await).1,
            "DATE_IN_FUTURE"
        );
        assert_eq!(
            refusal(agent(bed).answer_case(answer(&case, Outcome::Resolved, "", "2025-03-03T08:59:59+08:00")).await).1,
            "REPLY_BEFORE_CONTACT"
        );
        // a refusal needs its rule.
        assert_eq!(
            refusal(
                agent(bed)
                    .answer_case(answer(&case, Outcome::DeclinedExplained, "", "2025-03-04T09:55:00+08:00"))
                    .await
            )
            .1,
            "RULE_NEEDED"
        );
        // And its explanation.
        let unexplained = AnswerCaseRequest {
            text: " ".to_owned(),
            ..answer(&case, Outcome::DeclinedExplained, "城镇燃气管理条例 第20条", "2025-03-04T09:55:00+08:00")
        };
        assert_eq!(refusal(agent(bed).answer_case(unexplained).await).1, "EXPLANATION_NEEDED");
        let declined = answer(&case, Outcome::DeclinedExplained, "城镇燃气管理条例 第20条", "2025-03-04T09:55:00+08:00");
        let answered = agent(bed).answer_case(declined.clone()).await.unwrap().into_inner().case.unwrap();
        assert_eq!(answered.state(), case::State::Answered);
        assert_eq!(agent(bed).answer_case(declined).await.unwrap().into_inner().case.unwrap(), answered, "a replay");
        assert_eq!(answered.answer.as_ref().unwrap().reply_time, Some(time("2025-03-04T09:55:00+08:00")));

        let closed = agent(bed).close_case(close(&answered)).await.unwrap().into_inner().case.unwrap();
        assert_eq!(closed.state(), case::State::Closed);
        assert_eq!(
            refusal(agent(bed).close_case(close(&answered)).await),
            (Code::Aborted, "ETAG_MISMATCH".to_owned())
        );
        // H24: opened again, it keeps the first clocks and counts.
        let clock = of(bed, &case.case_id).await;
        let reopen = ReopenCaseRequest {
            request_id: key(),
            case_id: closed.case_id.clone(),
            etag: closed.etag.clone(),
            reason: "客户不满意".to_owned(),
        };
        let reopened = agent(bed).reopen_case(reopen).await.unwrap().into_inner().case.unwrap();
        assert_eq!((reopened.state(), reopened.reopened), (case::State::Reopened, 1));
        assert_eq!(of(bed, &case.case_id).await, clock);
        assert_eq!((clock.len(), clock[0].state()), (1, deadline::State::Met));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_case_closes_when_its_orders_are_done_and_complaints_by_a_manager() {
    each(hall::SERVICE, async |bed| {
        let case = assign(bed, &open(bed, Category::StaffConduct).await).await;
        let request = CreateOrderRequest {
            request_id: key(),
            r#type: OrderType::ReadingVisit.into(),
            branch: BRANCH.to_owned(),
            case_id: case.case_id.clone(),
            task: "上门道歉".to_owned(),
            ..CreateOrderRequest::default()
        };
        let order = dispatcher(bed).create_order(request.clone()).await.unwrap().into_inner().order.unwrap();
        let foreign = CreateOrderRequest {
            request_id: key(),
            branch: OTHER.to_owned(),
            ..request.clone()
        };
        assert_eq!(
            dispatcher(bed).create_order(foreign).await.unwrap_err().code(),
            Code::NotFound,
            "a case of another branch"
        );
        let now = bed.clock().now();
        let answered = agent(bed)
            .answer_case(answer(&case, Outcome::Resolved, "", &now.to_string()))
            .await
            .unwrap()
            .into_inner()
            .case
            .unwrap();
        let close = |case: &Case| CloseCaseRequest {
            request_id: key(),
            case_id: case.case_id.clone(),
            etag: case.etag.clone(),
        };
        assert_eq!(
            refusal(agent(bed).close_case(close(&answered)).await),
            (Code::PermissionDenied, "MANAGER_NEEDED".to_owned())
        );
        let mut manager = CaseServiceClient::new(bed.staff(&[Role::ServiceManager]));
        assert_eq!(
            refusal(manager.close_case(close(&answered)).await),
            (Code::FailedPrecondition, "ORDERS_OPEN".to_owned())
        );
        let cancel = CancelOrderRequest {
            request_id: key(),
            order_id: order.order_id,
            etag: order.etag,
            reason: "不需要".to_owned(),
        };
        dispatcher(bed).cancel_order(cancel).await.unwrap();
        let closed = manager.close_case(close(&answered)).await.unwrap().into_inner().case.unwrap();
        let late = CreateOrderRequest {
            request_id: key(),
            case_id: closed.case_id,
            ..request
        };
        assert_eq!(
            refusal(dispatcher(bed).create_order(late).await),
            (Code::FailedPrecondition, "CASE_STATE".to_owned())
        );
    })
    .await;
}

/// Section 12 through the API: what is promised, what is due.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn section_12_clocks_start_with_the_case() {
    each(hall::SERVICE, async |bed| {
        // Thursday before the Spring Festival of 2025: 26 January is worked, 28 January to 4 February are not.
        bed.clock().set(at("2025-01-23T16:40:00+08:00")).unwrap();
        let rows = [
            (Category::GasLeak, Clock::OnSite, "2025-01-23T17:10:00+08:00"),
            (Category::HeatLeak, Clock::OnSite, "2025-01-23T17:40:00+08:00"),
            (Category::GasRepair, Clock::Resolution, "2025-01-23T20:40:00+08:00"),
            (Category::HeatStationOpinion, Clock::FirstResponse, "2025-01-23T17:40:00+08:00"),
            (Category::ReadingDispute, Clock::Resolution, "2025-01-24T16:40:00+08:00"),
            (Category::HeatQuery, Clock::Resolution, "2025-01-26T16:40:00+08:00"),
            (Category::Restart, Clock::Resolution, "2025-01-26T23:59:59.999999+08:00"),
            (Category::ChangeOfName, Clock::Resolution, "2025-01-27T23:59:59.999999+08:00"),
            (Category::GasQuery, Clock::Resolution, "2025-02-06T23:59:59.999999+08:00"),
            (Category::ConnectionHousehold, Clock::Resolution, "2025-02-06T23:59:59.999999+08:00"),
            (Category::ConnectionBusiness, Clock::Resolution, "2025-02-11T23:59:59.999999+08:00"),
            (Category::AuthorityComplaint, Clock::Resolution, "2025-02-19T23:59:59.999999+08:00"),
        ];
        for (category, clock, due) in rows {
            let case = open(bed, category).await;
            let found = of(bed, &case.case_id).await;
            assert_eq!(found.len(), 1, "{category:?}");
            assert_eq!((found[0].clock(), found[0].due_time), (clock, Some(time(due))), "{category:?}");
            assert_eq!((found[0].state(), found[0].start_time), (deadline::State::Running, case.receive_time));
        }
        let policies = clocks(bed)
            .list_sla_policies(ListSlaPoliciesRequest {
                subject: "GAS_QUERY".to_owned(),
                ..ListSlaPoliciesRequest::default()
            })
            .await
            .unwrap()
            .into_inner()
            .policies;
        assert_eq!(policies.iter().map(|p| (p.unit(), p.amount)).collect::<Vec<_>>(), [(TimeUnit::WorkingDays, 5)]);
    })
    .await;
}

/// Section 12: a gas leak has its crew in 30 minutes in the city, in 50 outside of it; so have the orders of the case, and those without one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c_05_the_crew_of_a_leak_has_30_minutes_in_the_city_and_50_outside() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let case = async |category, remote| {
            let request = OpenCaseRequest { remote, ..new(category) };
            agent(bed).open_case(request).await.unwrap().into_inner().case.unwrap()
        };
        let order = async |case_id: &str, remote| {
            let request = CreateOrderRequest {
                request_id: key(),
                r#type: OrderType::Leak.into(),
                branch: BRANCH.to_owned(),
                case_id: case_id.to_owned(),
                task: "止漏".to_owned(),
                remote,
                ..CreateOrderRequest::default()
            };
            dispatcher(bed).create_order(request).await.unwrap().into_inner().order.unwrap().order_id
        };
        let (near, far) = (case(Category::GasLeak, false).await, case(Category::GasLeak, true).await);
        assert_eq!((near.remote, far.remote), (false, true));
        // What was taken for a question first keeps its place.
        let asked = case(Category::GasQuery, true).await;
        let recategorise = RecategoriseCaseRequest {
            request_id: key(),
            case_id: asked.case_id.clone(),
            etag: asked.etag,
            category: Category::GasLeak.into(),
            reason: "闻到气味".to_owned(),
        };
        agent(bed).recategorise_case(recategorise).await.unwrap();
        let city = [order(&near.case_id, false).await, order("", false).await, near.case_id];
        let outside = [order(&far.case_id, false).await, order("", true).await, far.case_id, asked.case_id];
        let explained = async |owner: &str| {
            let on_site = of(bed, owner).await.into_iter().find(|deadline| deadline.clock() == Clock::OnSite).unwrap();
            let request = ExplainDeadlineRequest {
                deadline_id: on_site.deadline_id,
            };
            let explained = clocks(bed).explain_deadline(request).await.unwrap().into_inner();
            let (deadline, policy) = (explained.deadline.unwrap(), explained.policy.unwrap());
            (deadline.state(), deadline.breached, policy.amount, policy.remote)
        };
        for (time, in_time, owners) in [
            ("09:30:00", true, &city[..]),
            ("09:30:01", false, &city),
            ("09:50:00", true, &outside),
            ("09:50:01", false, &outside),
        ] {
            bed.clock().set(at(&format!("2025-03-03T{time}+08:00"))).unwrap();
            let state = if in_time { deadline::State::Running } else { deadline::State::Breached };
            let remote = owners.len() == outside.len();
            for owner in owners {
                assert_eq!(explained(owner).await, (state, !in_time, if remote { 50 } else { 30 }, remote), "{time}");
            }
        }
        // Other promises hold wherever the place is.
        let repair = case(Category::GasRepair, true).await;
        let repair = of(bed, &repair.case_id).await;
        let due = rpc::wire::time_of(repair[0].due_time.as_ref(), "due_time").unwrap();
        assert_eq!((repair.len(), due), (1, at("2025-03-03T13:50:01+08:00")));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h13_explain_deadline_tells_every_step_that_counted() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-01-23T16:40:00+08:00")).unwrap();
        let case = open(bed, Category::ChangeOfName).await;
        let deadline_id = of(bed, &case.case_id).await[0].deadline_id.clone();
        let explained = clocks(bed).explain_deadline(ExplainDeadlineRequest { deadline_id }).await.unwrap().into_inner();
        let steps: Vec<_> = explained.steps.iter().map(|s| (s.day_date.unwrap(), s.reason.as_str(), s.days)).collect();
        assert_eq!(
            steps,
            [
                (date("2025-01-23"), "OPENING_DAY", 0),
                (date("2025-01-24"), "WORKDAY", 1),
                (date("2025-01-25"), "WEEKEND", 0),
                (date("2025-01-26"), "MADE_UP_WORKDAY", 1),
                (date("2025-01-27"), "WORKDAY", 1),
            ]
        );
        assert_eq!(explained.policy.unwrap().amount, 3);
        assert_eq!(explained.steps.iter().map(|s| s.days).sum::<i32>(), 3, "the steps add up to the promise");
        assert!(explained.pauses.is_empty() && explained.breaches.is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c_05_a_case_of_complaint_has_the_clocks_of_first_response_and_of_reply() {
    each(hall::SERVICE, async |bed| {
        // Thursday before the Spring Festival of 2025: five working days are 24, 26 and 27 January, 5 and 6 February.
        let (gas, heat) = ("2025-02-06T23:59:59.999999+08:00", "2025-01-26T16:40:00+08:00");
        bed.clock().set(at("2025-01-23T16:40:00+08:00")).unwrap();
        let mut opened = vec![];
        for (category, reply) in [(Category::Complaint, gas), (Category::StaffConduct, gas), (Category::HeatComplaint, heat)] {
            opened.push((category, reply, open(bed, category).await));
        }
        // A minute after the hour.
        bed.clock().set(at("2025-01-23T17:41:00+08:00")).unwrap();
        for (category, reply, case) in opened {
            let promised = async || {
                let mut found = of(bed, &case.case_id).await;
                found.sort_by_key(|clock| clock.clock);
                found
            };
            let clocks_of = promised().await;
            let due: Vec<_> = clocks_of.iter().map(|d| (d.clock(), d.due_time)).collect();
            let first = (Clock::FirstResponse, Some(time("2025-01-23T17:40:00+08:00")));
            assert_eq!(due, [first, (Clock::Resolution, Some(time(reply)))], "{category:?}");
            let explain = ExplainDeadlineRequest {
                deadline_id: clocks_of[1].deadline_id.clone(),
            };
            let explained = clocks(bed).explain_deadline(explain).await.unwrap().into_inner();
            let counted = (
                explained.steps.iter().map(|s| s.days).sum::<i32>(),
                explained.steps.iter().map(|s| s.minutes).sum::<i64>(),
            );
            let expected = if category == Category::HeatComplaint { (0, 3 * 24 * 60) } else { (5, 0) };
            assert_eq!(counted, expected, "{category:?}: the steps add up to the promise");
            // The answer meets it; the first response was late.
            let case = assign(bed, &case).await;
            let told = answer(&case, Outcome::Resolved, "", "2025-01-23T17:41:00+08:00");
            agent(bed).answer_case(told).await.unwrap();
            let states: Vec<_> = promised().await.iter().map(|d| (d.state(), d.breached)).collect();
            assert_eq!(states, [(deadline::State::Breached, true), (deadline::State::Met, false)], "{category:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c_05_the_clock_of_a_case_of_complaint_stands_only_for_the_customer_and_with_evidence() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let case = open(bed, Category::AuthorityComplaint).await;
        let clock = of(bed, &case.case_id).await.remove(0);
        let pause = |reason: pause::Reason, evidence: &str| PauseDeadlineRequest {
            request_id: key(),
            deadline_id: clock.deadline_id.clone(),
            etag: clock.etag.clone(),
            reason: reason.into(),
            note: "等待用户提供照片".to_owned(),
            evidence_file_id: evidence.to_owned(),
        };
        for (request, refused) in [
            (pause(pause::Reason::WaitingForThirdParty, FILE), "PAUSE_REASON"),
            (pause(pause::Reason::ForceMajeure, FILE), "PAUSE_REASON"),
            (pause(pause::Reason::WaitingForCustomer, ""), "EVIDENCE_MISSING"),
        ] {
            assert_eq!(refusal(clocks(bed).pause_deadline(request).await), (Code::InvalidArgument, refused.to_owned()));
        }
        let paused = clocks(bed).pause_deadline(pause(pause::Reason::WaitingForCustomer, FILE)).await;
        assert_eq!(paused.unwrap().into_inner().deadline.unwrap().state(), deadline::State::Paused);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h12_a_clock_is_paused_with_a_reason_only_and_moves_by_the_pause() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let case = open(bed, Category::GasRepair).await;
        let clock = of(bed, &case.case_id).await.remove(0);
        let pause = |clock: &Deadline, reason: i32| PauseDeadlineRequest {
            request_id: key(),
            deadline_id: clock.deadline_id.clone(),
            etag: clock.etag.clone(),
            reason,
            note: "用户下午才在家".to_owned(),
            ..PauseDeadlineRequest::default()
        };
        let resume = |clock: &Deadline| ResumeDeadlineRequest {
            request_id: key(),
            deadline_id: clock.deadline_id.clone(),
            etag: clock.etag.clone(),
        };
        assert_eq!(clocks(bed).pause_deadline(pause(&clock, 0)).await.unwrap_err().code(), Code::InvalidArgument);
        assert_eq!(
            refusal(clocks(bed).resume_deadline(resume(&clock)).await),
            (Code::FailedPrecondition, "CLOCK_STATE".to_owned())
        );
        bed.clock().set(at("2025-03-03T10:00:00+08:00")).unwrap();
        let paused = clocks(bed)
            .pause_deadline(pause(&clock, pause::Reason::WaitingForCustomer.into()))
            .await
            .unwrap()
            .into_inner()
            .deadline
            .unwrap();
        assert_eq!(
            (paused.state(), paused.due_time),
            (deadline::State::Paused, Some(time("2025-03-03T13:00:00+08:00")))
        );
        assert_eq!(
            refusal(clocks(bed).pause_deadline(pause(&paused, 1)).await),
            (Code::FailedPrecondition, "CLOCK_STATE".to_owned())
        );
        assert_eq!(
            refusal(clocks(bed).pause_deadline(pause(&clock, 1)).await),
            (Code::Aborted, "ETAG_MISMATCH".to_owned())
        );
        // It stands: the time that was due passes without a breach.
        bed.clock().set(at("2025-03-03T15:00:00+08:00")).unwrap();
        assert!(!of(bed, &case.case_id).await[0].breached);
        let running = clocks(bed).resume_deadline(resume(&paused)).await.unwrap().into_inner().deadline.unwrap();
        assert_eq!(
            (running.state(), running.due_time),
            (deadline::State::Running, Some(time("2025-03-03T18:00:00+08:00")))
        );
        let explained = clocks(bed)
            .explain_deadline(ExplainDeadlineRequest {
                deadline_id: clock.deadline_id.clone(),
            })
            .await
            .unwrap()
            .into_inner();
        let steps: Vec<_> = explained.steps.iter().map(|s| (s.reason.as_str(), s.note.as_str(), s.minutes)).collect();
        assert_eq!(steps, [("ELAPSED", "", 60), ("PAUSED", "WAITING_FOR_CUSTOMER", 0), ("ELAPSED", "", 180)]);
        assert_eq!(
            (explained.pauses[0].reason(), explained.pauses[0].note.as_str()),
            (pause::Reason::WaitingForCustomer, "用户下午才在家")
        );
        // Past due it cannot be paused any more.
        bed.clock().set(at("2025-03-03T18:00:01+08:00")).unwrap();
        let late = eventually("the breach", async || {
            of(bed, &case.case_id).await.pop().filter(|d| d.breached && d.etag != running.etag)
        })
        .await;
        assert_eq!(
            refusal(clocks(bed).pause_deadline(pause(&late, 1)).await),
            (Code::FailedPrecondition, "CLOCK_BREACHED".to_owned())
        );
        // A leak waits for nobody.
        let leak = open(bed, Category::GasLeak).await;
        let clock = of(bed, &leak.case_id).await.remove(0);
        assert_eq!(
            refusal(clocks(bed).pause_deadline(pause(&clock, 1)).await),
            (Code::FailedPrecondition, "CLOCK_NOT_PAUSABLE".to_owned())
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_breach_is_never_lost_when_the_category_changes() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let case = assign(bed, &open(bed, Category::GasRepair).await).await;
        let recategorise = |case: &Case, category: Category| RecategoriseCaseRequest {
            request_id: key(),
            case_id: case.case_id.clone(),
            etag: case.etag.clone(),
            category: category.into(),
            reason: "其实是抄表争议".to_owned(),
        };
        // 4 hours were promised; the category changes to one with 24 hours after 5.
        bed.clock().set(at("2025-03-03T14:00:00+08:00")).unwrap();
        let case = agent(bed)
            .recategorise_case(recategorise(&case, Category::ReadingDispute))
            .await
            .unwrap()
            .into_inner()
            .case
            .unwrap();
        let clock = of(bed, &case.case_id).await.remove(0);
        assert_eq!(
            (clock.subject.as_str(), clock.due_time),
            ("READING_DISPUTE", Some(time("2025-03-04T09:00:00+08:00"))),
            "counted from when the case came in"
        );
        assert!(clock.breached, "in time under the new promise, late under the old one");
        let explained = clocks(bed)
            .explain_deadline(ExplainDeadlineRequest {
                deadline_id: clock.deadline_id.clone(),
            })
            .await
            .unwrap()
            .into_inner();
        assert_eq!(
            explained.breaches.iter().map(|b| b.due_time).collect::<Vec<_>>(),
            [Some(time("2025-03-03T13:00:00+08:00"))]
        );

        // To a category without this clock: it ends as it is, the new one starts with the case.
        let case = agent(bed)
            .recategorise_case(recategorise(&case, Category::HeatStationOpinion))
            .await
            .unwrap()
            .into_inner()
            .case
            .unwrap();
        let found = of(bed, &case.case_id).await;
        let seen: Vec<_> = found.iter().map(|d| (d.clock(), d.breached, d.end_time.is_some())).collect();
        assert_eq!(
            seen,
            [(Clock::Resolution, true, true), (Clock::FirstResponse, true, false)],
            "an hour from 09:00 has passed as well"
        );
        let breached = clocks(bed)
            .list_deadlines(ListDeadlinesRequest {
                breached_only: true,
                ..ListDeadlinesRequest::default()
            })
            .await
            .unwrap()
            .into_inner()
            .deadlines;
        assert_eq!(breached.len(), 2);
        // Answered late: met, and broken all the same.
        let answered = agent(bed)
            .answer_case(answer(&case, Outcome::Resolved, "", "2025-03-03T14:00:00+08:00"))
            .await
            .unwrap()
            .into_inner()
            .case
            .unwrap();
        let found = of(bed, &answered.case_id).await;
        assert!(found.iter().all(|d| d.breached && d.state() == deadline::State::Breached));
        assert!(found[1].met_time.is_some());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_version_of_a_promise_holds_for_new_clocks_only() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let before = open(bed, Category::GasRepair).await;
        let mut manager = DeadlineServiceClient::new(bed.staff(&[Role::ServiceManager]));
        let publish = |day: &str| PublishSlaPolicyRequest {
            request_id: key(),
            subject: "GAS_REPAIR".to_owned(),
            clock: Clock::Resolution.into(),
            unit: TimeUnit::WorkingMinutes.into(),
            amount: 120,
            pausable: true,
            effective_date: Some(date(day)),
            source: "2025 service pledge".to_owned(),
            season_days: 0,
            remote: false,
        };
        assert_eq!(
            refusal(manager.publish_sla_policy(publish("2025-03-02")).await),
            (Code::InvalidArgument, "DATE_IN_PAST".to_owned())
        );
        manager.publish_sla_policy(publish("2025-03-04")).await.unwrap();
        assert_eq!(
            refusal(manager.publish_sla_policy(publish("2025-03-04")).await),
            (Code::AlreadyExists, "SLA_POLICY_DATE_UNIQUE".to_owned())
        );
        let same_day = open(bed, Category::GasRepair).await;
        bed.clock().set(at("2025-03-04T11:00:00+08:00")).unwrap();
        let after = open(bed, Category::GasRepair).await;
        assert_eq!(of(bed, &before.case_id).await[0].due_time, Some(time("2025-03-03T13:00:00+08:00")));
        assert_eq!(of(bed, &same_day.case_id).await[0].due_time, Some(time("2025-03-03T13:00:00+08:00")));
        // One hour until noon, one from 13:30.
        assert_eq!(of(bed, &after.case_id).await[0].due_time, Some(time("2025-03-04T14:30:00+08:00")));
        assert_eq!(
            manager
                .publish_sla_policy(publish("2025-03-05"))
                .await
                .unwrap()
                .into_inner()
                .policy
                .unwrap()
                .amount,
            120
        );
        let mut agent = DeadlineServiceClient::new(bed.staff(&[Role::Agent]));
        assert_eq!(
            agent.publish_sla_policy(publish("2025-03-06")).await.unwrap_err().code(),
            Code::PermissionDenied
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h9_a_leak_needs_no_account_and_its_clock_is_met_by_the_crew_on_site() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T02:00:00+08:00")).unwrap();
        let crew = certified(bed, "han", CertificateKind::Repair, "2026-01-01").await;
        let case = open(bed, Category::GasLeak).await;
        bed.clock().set(at("2025-03-03T02:05:00+08:00")).unwrap();
        let request = CreateOrderRequest {
            request_id: key(),
            r#type: OrderType::Leak.into(),
            branch: BRANCH.to_owned(),
            case_id: case.case_id.clone(),
            task: "漏气".to_owned(),
            ..CreateOrderRequest::default()
        };
        let order = dispatcher(bed).create_order(request).await.unwrap().into_inner().order.unwrap();
        let on_site = of(bed, &order.order_id).await.into_iter().find(|d| d.clock() == Clock::OnSite).unwrap();
        assert_eq!(
            on_site.due_time,
            Some(time("2025-03-03T02:30:00+08:00")),
            "counted from the call, not from the order"
        );
        let order = dispatcher(bed)
            .dispatch_order(dispatch(&order, &[&crew], "2025-03-03"))
            .await
            .unwrap()
            .into_inner()
            .order
            .unwrap();
        let mut han = OrderServiceClient::new(bed.staff_named("han", &[Role::Repairer]));
        let order = han
            .accept_order(AcceptOrderRequest {
                request_id: key(),
                order_id: order.order_id,
                etag: order.etag,
            })
            .await
            .unwrap()
            .into_inner()
            .order
            .unwrap();
        bed.clock().set(at("2025-03-03T02:29:59+08:00")).unwrap();
        let order = han
            .arrive_on_site(ArriveOnSiteRequest {
                request_id: key(),
                order_id: order.order_id,
                etag: order.etag,
            })
            .await
            .unwrap()
            .into_inner()
            .order
            .unwrap();
        assert_eq!(of(bed, &case.case_id).await[0].state(), deadline::State::Met);
        // The place is made safe before anything is reported.
        let report = |order: &Order| ReportOrderRequest {
            request_id: key(),
            order_id: order.order_id.clone(),
            etag: order.etag.clone(),
            report: Some(OrderReport {
                summary: "更换软管".to_owned(),
                photo_file_ids: vec![FILE.to_owned()],
                ..OrderReport::default()
            }),
        };
        let status = han.report_order(report(&order)).await.unwrap_err();
        assert_eq!(
            (reason(&status), meta(&status, "allowed")),
            ("ORDER_STATE".to_owned(), "CANCEL,MAKE_SAFE".to_owned())
        );
        let order = han
            .make_safe(MakeSafeRequest {
                request_id: key(),
                order_id: order.order_id,
                etag: order.etag,
            })
            .await
            .unwrap()
            .into_inner()
            .order
            .unwrap();
        let order = han.report_order(report(&order)).await.unwrap().into_inner().order.unwrap();
        let mut manager = OrderServiceClient::new(bed.staff(&[Role::DistrictManager]));
        let done = manager
            .complete_order(CompleteOrderRequest {
                request_id: key(),
                order_id: order.order_id,
                etag: order.etag,
            })
            .await
            .unwrap()
            .into_inner()
            .order
            .unwrap();
        assert_eq!(done.state(), order::State::Completed);
        let mut callbacks = callback_service_client::CallbackServiceClient::new(bed.staff(&[Role::CallbackAgent]));
        let tasks = callbacks
            .list_callback_tasks(ListCallbackTasksRequest {
                about_id: done.order_id,
                ..ListCallbackTasksRequest::default()
            })
            .await
            .unwrap()
            .into_inner()
            .tasks;
        assert_eq!(
            tasks.iter().map(|t| (t.cause(), t.due_time)).collect::<Vec<_>>(),
            [(callback_task::Cause::Leak, Some(time("2025-03-04T02:29:59+08:00")))]
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cases_and_clocks_of_another_branch_are_not_there() {
    each(hall::SERVICE, async |bed| {
        let case = open(bed, Category::GasQuery).await;
        let clock = of(bed, &case.case_id).await.remove(0);
        let mut cases = CaseServiceClient::new(bed.staff_of(OTHER, &[Role::Agent]));
        let mut clocks = DeadlineServiceClient::new(bed.staff_of(OTHER, &[Role::Agent]));
        assert_eq!(
            cases.get_case(GetCaseRequest { case_id: case.case_id.clone() }).await.unwrap_err().code(),
            Code::NotFound
        );
        assert!(cases.list_cases(ListCasesRequest::default()).await.unwrap().into_inner().cases.is_empty());
        let reveal = RevealCaseRequest {
            request_id: key(),
            case_id: case.case_id.clone(),
            purpose: "好奇而已".to_owned(),
        };
        assert_eq!(cases.reveal_case(reveal).await.unwrap_err().code(), Code::NotFound);
        assert_eq!(
            clocks
                .explain_deadline(ExplainDeadlineRequest {
                    deadline_id: clock.deadline_id.clone()
                })
                .await
                .unwrap_err()
                .code(),
            Code::NotFound
        );
        let pause = PauseDeadlineRequest {
            request_id: key(),
            deadline_id: clock.deadline_id,
            etag: clock.etag,
            reason: 1,
            note: "x".to_owned(),
            ..PauseDeadlineRequest::default()
        };
        assert_eq!(clocks.pause_deadline(pause).await.unwrap_err().code(), Code::NotFound);
        assert!(
            clocks
                .list_deadlines(ListDeadlinesRequest::default())
                .await
                .unwrap()
                .into_inner()
                .deadlines
                .is_empty()
        );
        assert_eq!(
            refusal(cases.open_case(new(Category::Other)).await),
            (Code::PermissionDenied, "TENANT_SCOPE".to_owned())
        );
        let mut own = CaseServiceClient::new(bed.staff_of(BRANCH, &[Role::Agent]));
        assert_eq!(own.list_cases(ListCasesRequest::default()).await.unwrap().into_inner().cases.len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c_05_the_first_word_meets_the_clock_of_the_first_response() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-01-23T16:40:00+08:00")).unwrap();
        let case = open(bed, Category::Complaint).await;
        bed.clock().set(at("2025-01-23T17:39:00+08:00")).unwrap();
        let request = RespondToCaseRequest {
            request_id: key(),
            case_id: case.case_id.clone(),
            etag: case.etag.clone(),
            reply_channel: Channel::Hotline.into(),
        };
        let answered = agent(bed).respond_to_case(request.clone()).await.unwrap().into_inner();
        assert_eq!(agent(bed).respond_to_case(request).await.unwrap().into_inner(), answered);
        let clocks = of(bed, &case.case_id).await;
        let state = |clock: Clock| clocks.iter().find(|d| d.clock() == clock).map(|d| (d.state(), d.breached));
        assert_eq!(state(Clock::FirstResponse), Some((deadline::State::Met, false)));
    })
    .await;
}
