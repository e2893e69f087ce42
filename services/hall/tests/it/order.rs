use contracts::hearth::{
    billing::v1::AbnormalUsageDetected,
    hall::v1::{deadline_service_client::DeadlineServiceClient, order_service_client::OrderServiceClient, *},
    options::v1::Role,
};
use rpc::{Routes, wire};
use sea_orm::{ConnectionTrait, Statement};
use testbed::{Bed, at, each, eventually, key, reason};
use tonic::Code;

use crate::{
    BRANCH, FILE, OTHER, date, decimal,
    hands::{accept_order, certified, certify, dispatch, dispatcher, events, get_order, member, order},
    meta, refusal,
};

fn arrive(order: &Order) -> ArriveOnSiteRequest {
    ArriveOnSiteRequest {
        request_id: key(),
        order_id: order.order_id.clone(),
        etag: order.etag.clone(),
    }
}

fn report(order: &Order, report: OrderReport) -> ReportOrderRequest {
    ReportOrderRequest {
        request_id: key(),
        order_id: order.order_id.clone(),
        etag: order.etag.clone(),
        report: Some(report),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_01_a_certificate_that_ends_before_the_crew_accepts_sends_the_order_back() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let visit = order(bed, OrderType::ReadingVisit).await;
        let reader = certified(bed, "li", CertificateKind::MeterReading, "2025-03-05").await;
        let dispatched = dispatcher(bed)
            .dispatch_order(dispatch(&visit, &[&reader], "2025-03-05"))
            .await
            .unwrap()
            .into_inner()
            .order
            .unwrap();
        bed.clock().set(at("2025-03-06T08:00:00+08:00")).unwrap();
        let answer = accept_order(bed, &dispatched.order_id, "li").await;
        assert_eq!(answer.readiness(), Readiness::ReturnedToPool);
        let returned = answer.order.unwrap();
        assert_eq!(
            (returned.state(), returned.returned_reason.as_str(), returned.staff_ids.len()),
            (order::State::Pool, "CERTIFICATE_NOT_VALID", 0)
        );
        let told = events::<OrderReturned>(bed, &returned.order_id).await;
        assert_eq!(
            told.iter().map(|e| (e.reason.as_str(), e.staff_id.as_str())).collect::<Vec<_>>(),
            [("CERTIFICATE_NOT_VALID", reader.staff_id.as_str())]
        );
        // From the pool it goes to somebody else.
        let other = certified(bed, "zhang", CertificateKind::MeterReading, "2026-03-05").await;
        dispatcher(bed).dispatch_order(dispatch(&returned, &[&other], "2025-03-06")).await.unwrap();
        assert_eq!(accept_order(bed, &returned.order_id, "zhang").await.readiness(), Readiness::Ready);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_01_a_certificate_that_ends_before_the_crew_arrives_sends_the_order_back() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let visit = order(bed, OrderType::ReadingVisit).await;
        let reader = certified(bed, "li", CertificateKind::MeterReading, "2025-03-05").await;
        dispatcher(bed).dispatch_order(dispatch(&visit, &[&reader], "2025-03-05")).await.unwrap();
        let accepted = accept_order(bed, &visit.order_id, "li").await;
        assert_eq!(accepted.readiness(), Readiness::Ready);
        bed.clock().set(at("2025-03-06T08:00:00+08:00")).unwrap();
        let mut li = OrderServiceClient::new(bed.staff_named("li", &[Role::Reader]));
        let request = arrive(&accepted.order.unwrap());
        let answer = li.arrive_on_site(request.clone()).await.unwrap().into_inner();
        assert_eq!(
            (answer.readiness(), answer.order.as_ref().unwrap().state()),
            (Readiness::ReturnedToPool, order::State::Pool)
        );
        assert_eq!(li.arrive_on_site(request).await.unwrap().into_inner(), answer, "a replay tells the same");
        assert_eq!(events::<OrderReturned>(bed, &visit.order_id).await.len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_01_a_revoked_certificate_stops_the_crew_at_once() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let visit = order(bed, OrderType::ReadingVisit).await;
        let reader = member(bed, "li", BRANCH).await;
        let (reader, certificate_id) = certify(bed, &reader, CertificateKind::MeterReading, "2026-01-01").await;
        dispatcher(bed).dispatch_order(dispatch(&visit, &[&reader], "2025-03-03")).await.unwrap();
        let revoke = RevokeCertificateRequest {
            request_id: key(),
            staff_id: reader.staff_id,
            etag: reader.etag,
            certificate_id,
            reason: "事故".to_owned(),
        };
        crate::hands::personnel(bed).revoke_certificate(revoke).await.unwrap();
        assert_eq!(accept_order(bed, &visit.order_id, "li").await.readiness(), Readiness::ReturnedToPool);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h4_an_illegal_step_names_the_allowed_ones() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let visit = order(bed, OrderType::ReadingVisit).await;
        let status = dispatcher(bed).arrive_on_site(arrive(&visit)).await.unwrap_err();
        assert_eq!((status.code(), reason(&status)), (Code::FailedPrecondition, "ORDER_STATE".to_owned()));
        assert_eq!(
            (meta(&status, "state"), meta(&status, "allowed")),
            ("POOL".to_owned(), "DISPATCH,CANCEL,OFFER".to_owned())
        );
        // A leak is never offered to vendors.
        let leak = order(bed, OrderType::Leak).await;
        let offer = OfferOrderRequest {
            request_id: key(),
            order_id: leak.order_id,
            etag: leak.etag,
            vendor_id: key(),
            respond_by_time: Some(crate::time("2025-03-03T10:00:00+08:00")),
            planned_date: Some(date("2025-03-03")),
        };
        assert_eq!(meta(&dispatcher(bed).offer_order(offer).await.unwrap_err(), "allowed"), "DISPATCH,CANCEL");
        // Orders of openings are made and moved by their opening.
        let request = CreateOrderRequest {
            request_id: key(),
            r#type: OrderType::Opening.into(),
            branch: BRANCH.to_owned(),
            task: "x".to_owned(),
            ..CreateOrderRequest::default()
        };
        assert_eq!(
            refusal(dispatcher(bed).create_order(request).await),
            (Code::InvalidArgument, "ORDER_TYPE".to_owned())
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_own_crew_works_reports_with_evidence_and_another_person_accepts() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let repair = order(bed, OrderType::Repair).await;
        assert_eq!(
            (repair.certificate_kind(), repair.order_no.as_str()),
            (CertificateKind::Repair, "WO-河西区-2025-000001")
        );
        let crew = certified(bed, "li", CertificateKind::Repair, "2026-01-01").await;
        let second = certified(bed, "zhang", CertificateKind::Repair, "2026-01-01").await;
        let twice = dispatcher(bed).dispatch_order(dispatch(&repair, &[&crew, &crew], "2025-03-03")).await;
        assert_eq!(refusal(twice), (Code::InvalidArgument, "STAFF_TWICE".to_owned()));
        let past = dispatcher(bed).dispatch_order(dispatch(&repair, &[&crew], "2025-03-02")).await;
        assert_eq!(refusal(past), (Code::InvalidArgument, "PLANNED_IN_PAST".to_owned()));
        let dispatched = dispatcher(bed)
            .dispatch_order(dispatch(&repair, &[&crew, &second], "2025-03-03"))
            .await
            .unwrap()
            .into_inner()
            .order
            .unwrap();

        let mut stranger = OrderServiceClient::new(bed.staff(&[Role::Repairer]));
        let accept = AcceptOrderRequest {
            request_id: key(),
            order_id: dispatched.order_id.clone(),
            etag: dispatched.etag.clone(),
        };
        assert_eq!(
            refusal(stranger.accept_order(accept).await),
            (Code::PermissionDenied, "NOT_THE_CREW".to_owned())
        );
        let accepted = accept_order(bed, &repair.order_id, "zhang").await.order.unwrap();
        let mut li = OrderServiceClient::new(bed.staff_named("li", &[Role::Repairer, Role::DistrictManager]));
        let on_site = li.arrive_on_site(arrive(&accepted)).await.unwrap().into_inner().order.unwrap();

        let bare = OrderReport {
            summary: "更换阀门".to_owned(),
            ..OrderReport::default()
        };
        let status = li.report_order(report(&on_site, bare.clone())).await.unwrap_err();
        assert_eq!(reason(&status), "EVIDENCE_MISSING");
        assert_eq!(testbed::fields(&status), ["report.photo_file_ids", "report.signature_file_id"]);
        let full = OrderReport {
            photo_file_ids: vec![FILE.to_owned()],
            signature_file_id: FILE.to_owned(),
            ..bare
        };
        let reported = li.report_order(report(&on_site, full.clone())).await.unwrap().into_inner().order.unwrap();

        let complete = |order: &Order| CompleteOrderRequest {
            request_id: key(),
            order_id: order.order_id.clone(),
            etag: order.etag.clone(),
        };
        assert_eq!(
            refusal(li.complete_order(complete(&reported)).await),
            (Code::PermissionDenied, "SECOND_PERSON_NEEDED".to_owned())
        );
        let mut manager = OrderServiceClient::new(bed.staff(&[Role::DistrictManager]));
        let refuse = RefuseOrderRequest {
            request_id: key(),
            order_id: reported.order_id.clone(),
            etag: reported.etag.clone(),
            reason: "照片不清".to_owned(),
        };
        let rework = manager.refuse_order(refuse).await.unwrap().into_inner().order.unwrap();
        assert_eq!((rework.state(), rework.round), (order::State::Rework, 2));
        let on_site = li.arrive_on_site(arrive(&rework)).await.unwrap().into_inner().order.unwrap();
        let reported = li.report_order(report(&on_site, full)).await.unwrap().into_inner().order.unwrap();
        let done = manager.complete_order(complete(&reported)).await.unwrap().into_inner().order.unwrap();
        assert_eq!(done.state(), order::State::Completed);
        let moves: Vec<_> = get_order(bed, &done.order_id).await.moves.into_iter().map(|m| m.action).collect();
        assert_eq!(
            moves,
            ["CREATE", "DISPATCH", "ACCEPT", "ARRIVE", "REPORT", "REFUSE", "ARRIVE", "REPORT", "COMPLETE"]
        );
        let found = DeadlineServiceClient::new(bed.staff(&[Role::Dispatcher]))
            .list_deadlines(ListDeadlinesRequest {
                owner_id: done.order_id,
                ..ListDeadlinesRequest::default()
            })
            .await
            .unwrap()
            .into_inner()
            .deadlines;
        assert!(found.iter().all(|d| d.state() == deadline::State::Met), "{found:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_door_is_dispatched_again_and_an_exchange_needs_both_meters() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let crew = certified(bed, "li", CertificateKind::Repair, "2026-01-01").await;
        let mut li = OrderServiceClient::new(bed.staff_named("li", &[Role::Repairer]));
        let mut exchange = order(bed, OrderType::MeterExchange).await;
        for visit in 1..=2 {
            dispatcher(bed).dispatch_order(dispatch(&exchange, &[&crew], "2025-03-03")).await.unwrap();
            let accepted = accept_order(bed, &exchange.order_id, "li").await.order.unwrap();
            let on_site = li.arrive_on_site(arrive(&accepted)).await.unwrap().into_inner().order.unwrap();
            if visit == 2 {
                let half = OrderReport {
                    summary: "换表".to_owned(),
                    photo_file_ids: vec![FILE.to_owned(); 2],
                    signature_file_id: FILE.to_owned(),
                    index: Some(decimal("1234")),
                    ..OrderReport::default()
                };
                let status = li.report_order(report(&on_site, half.clone())).await.unwrap_err();
                assert_eq!(testbed::fields(&status), ["report.new_meter_no", "report.new_meter_index"]);
                let finer = OrderReport {
                    index: Some(decimal("1234.5678")),
                    ..half.clone()
                };
                assert_eq!(
                    refusal(li.report_order(report(&on_site, finer)).await),
                    (Code::InvalidArgument, "INDEX_FORMAT".to_owned())
                );
                let whole = OrderReport {
                    new_meter_no: "M-2".to_owned(),
                    new_meter_index: Some(decimal("0.5")),
                    ..half
                };
                let reported = li.report_order(report(&on_site, whole)).await.unwrap().into_inner().order.unwrap();
                assert_eq!(reported.report.unwrap().new_meter_index, Some(decimal("0.5")));
                break;
            }
            let request = |photos| ReportNoAccessRequest {
                request_id: key(),
                order_id: on_site.order_id.clone(),
                etag: on_site.etag.clone(),
                photo_file_ids: photos,
            };
            assert_eq!(refusal(li.report_no_access(request(vec![])).await).1, "EVIDENCE_MISSING");
            exchange = li.report_no_access(request(vec![FILE.to_owned()])).await.unwrap().into_inner().order.unwrap();
            assert_eq!((exchange.state(), exchange.no_access_visits), (order::State::NoAccess, 1));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_are_replayed_stale_etags_refused_and_branches_kept_apart() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let mut named = OrderServiceClient::new(bed.staff_named("dispatcher", &[Role::Dispatcher]));
        let request = CreateOrderRequest {
            request_id: key(),
            r#type: OrderType::Repair.into(),
            branch: BRANCH.to_owned(),
            task: "漏水".to_owned(),
            ..CreateOrderRequest::default()
        };
        let order = named.create_order(request.clone()).await.unwrap().into_inner().order.unwrap();
        assert_eq!(named.create_order(request.clone()).await.unwrap().into_inner().order.unwrap(), order);
        assert_eq!(
            refusal(
                named
                    .create_order(CreateOrderRequest {
                        task: "漏气".to_owned(),
                        ..request.clone()
                    })
                    .await
            )
            .1,
            "IDEMPOTENCY_KEY_REUSED"
        );
        let second = named
            .create_order(CreateOrderRequest { request_id: key(), ..request })
            .await
            .unwrap()
            .into_inner()
            .order
            .unwrap();
        assert_eq!(second.order_no, "WO-河西区-2025-000002");

        let crew = certified(bed, "li", CertificateKind::Repair, "2026-01-01").await;
        named.dispatch_order(dispatch(&order, &[&crew], "2025-03-03")).await.unwrap();
        let withdraw = |etag: &str| WithdrawOrderRequest {
            request_id: key(),
            order_id: order.order_id.clone(),
            etag: etag.to_owned(),
            reason: "改派".to_owned(),
        };
        assert_eq!(
            refusal(named.withdraw_order(withdraw(&order.etag)).await),
            (Code::Aborted, "ETAG_MISMATCH".to_owned())
        );
        let now = get_order(bed, &order.order_id).await.order.unwrap();
        let back = named.withdraw_order(withdraw(&now.etag)).await.unwrap().into_inner().order.unwrap();
        assert_eq!(back.state(), order::State::Pool);

        let mut elsewhere = OrderServiceClient::new(bed.staff_of(OTHER, &[Role::Dispatcher]));
        assert_eq!(
            elsewhere
                .get_order(GetOrderRequest {
                    order_id: back.order_id.clone()
                })
                .await
                .unwrap_err()
                .code(),
            Code::NotFound
        );
        assert!(
            elsewhere
                .list_orders(ListOrdersRequest::default())
                .await
                .unwrap()
                .into_inner()
                .orders
                .is_empty()
        );
        assert_eq!(
            elsewhere.dispatch_order(dispatch(&back, &[&crew], "2025-03-03")).await.unwrap_err().code(),
            Code::NotFound
        );
        assert_eq!(elsewhere.withdraw_order(withdraw(&back.etag)).await.unwrap_err().code(), Code::NotFound);
        // Staff of another branch are not there either.
        let mut own = OrderServiceClient::new(bed.staff_of(BRANCH, &[Role::Dispatcher]));
        let foreign = member(bed, "foreign", OTHER).await;
        assert_eq!(
            own.dispatch_order(dispatch(&back, &[&foreign], "2025-03-03")).await.unwrap_err().code(),
            Code::NotFound
        );
        assert_eq!(
            own.list_orders(ListOrdersRequest {
                state: order::State::Pool.into(),
                page_size: 1,
                ..ListOrdersRequest::default()
            })
            .await
            .unwrap()
            .into_inner()
            .orders
            .len(),
            1
        );
    })
    .await;
}

/// The visits that a dispatcher sees, of the whole company or of a branch, in the order of creation.
async fn visits(bed: &Bed, branch: Option<&str>) -> Vec<Order> {
    let client = branch.map_or_else(|| bed.staff(&[Role::Dispatcher]), |branch| bed.staff_of(branch, &[Role::Dispatcher]));
    let list = ListOrdersRequest {
        r#type: OrderType::ReadingVisit.into(),
        ..ListOrdersRequest::default()
    };
    OrderServiceClient::new(client).list_orders(list).await.unwrap().into_inner().orders
}

/// What was found, as the history of a visit says.
async fn findings(bed: &Bed, id: &str) -> Vec<(String, order::State)> {
    let moves = get_order(bed, id).await.moves.into_iter();
    moves.filter(|m| m.action == "FIND").map(|m| (m.reason.clone(), m.to_state())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e_9_01_e_2_03_a_finding_that_asks_for_a_visit_is_one_order_of_its_agreement() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-31T20:00:00+08:00")).unwrap();
        let billing = bed.fake("billing", Routes::default()).await;
        let (home, account) = (key(), key());
        let found = |codes: &[&str], on: &str| AbnormalUsageDetected {
            exception_id: key(),
            codes: codes.iter().map(|code| (*code).to_owned()).collect(),
            agreement_id: home.clone(),
            account_id: account.clone(),
            meter_no: "M-1".to_owned(),
            date: Some(date(on)),
            branch: BRANCH.to_owned(),
            visit: true,
            service: "GAS".to_owned(),
        };
        let other = AbnormalUsageDetected {
            agreement_id: key(),
            account_id: String::new(),
            meter_no: "M-2".to_owned(),
            branch: OTHER.to_owned(),
            service: "HEAT".to_owned(),
            ..found(&["ESTIMATES"], "2025-03-31")
        };
        // Nobody is to call for the first one.
        let unseen = AbnormalUsageDetected {
            agreement_id: key(),
            visit: false,
            ..found(&["SPIKE_50"], "2025-03-30")
        };
        billing.tell(&unseen.agreement_id, &unseen);
        billing.tell(&home, &found(&["ZERO_2", "UNCHANGED"], "2025-03-31"));
        billing.tell(&other.agreement_id, &other);
        let both = eventually("both visits", async || Some(visits(bed, None).await).filter(|all| all.len() == 2)).await;
        let of = |order: &Order| (order.agreement_id.clone(), order.account_id.clone(), order.branch.clone(), order.utility());
        assert_eq!(of(&both[0]), (home.clone(), account.clone(), BRANCH.to_owned(), Utility::Gas));
        assert_eq!(of(&both[1]), (other.agreement_id.clone(), String::new(), OTHER.to_owned(), Utility::Heat));
        let visit = &both[0];
        assert_eq!(
            (visit.state(), visit.certificate_kind(), visit.planned_date),
            (order::State::Pool, CertificateKind::MeterReading, Some(date("2025-03-31")))
        );
        assert_eq!(visits(bed, Some(BRANCH)).await, both[..1]);
        assert_eq!(
            findings(bed, &visit.order_id).await,
            [("ZERO_2 UNCHANGED M-1 2025-03-31".to_owned(), order::State::Pool)]
        );

        // Accepted in 24 hours (D8), seen to in 7 days (E9-01).
        let clocks = ListDeadlinesRequest {
            owner_id: visit.order_id.clone(),
            ..ListDeadlinesRequest::default()
        };
        let clocks = DeadlineServiceClient::new(bed.staff(&[Role::Dispatcher])).list_deadlines(clocks).await;
        let due = |d: &Deadline| (d.clock(), wire::time_of(d.due_time.as_ref(), "due_time").unwrap().local().to_string());
        let mut due: Vec<_> = clocks.unwrap().into_inner().deadlines.iter().map(due).collect();
        due.sort();
        let promised = [(Clock::Acceptance, "2025-04-01 20:00:00"), (Clock::Resolution, "2025-04-07 20:00:00")];
        assert_eq!(due, promised.map(|(clock, at)| (clock, at.to_owned())));

        // What is found while it is open joins it, whoever has it.
        let reader = certified(bed, "li", CertificateKind::MeterReading, "2025-12-31").await;
        let sent = dispatcher(bed).dispatch_order(dispatch(visit, &[&reader], "2025-04-01")).await;
        let sent = sent.unwrap().into_inner().order.unwrap();
        billing.tell(&home, &found(&["SEAL_BROKEN"], "2025-04-01"));
        eventually("the further finding", async || (findings(bed, &visit.order_id).await.len() == 2).then_some(())).await;
        let joined = findings(bed, &visit.order_id).await;
        assert_eq!(joined[1], ("SEAL_BROKEN M-1 2025-04-01".to_owned(), order::State::Dispatched));
        assert_eq!(visits(bed, None).await.len(), 2);
        // The database holds it, too.
        let (db, id) = (bed.db(), |text: &str| uuid::Uuid::parse_str(text).unwrap());
        let twice = Statement::from_sql_and_values(
            db.writer().get_database_backend(),
            "UPDATE work_order SET agreement_id = $1 WHERE id = $2",
            [id(&home).into(), id(&both[1].order_id).into()],
        );
        assert_eq!(
            rpc::Fault::from(db.writer().execute_raw(twice).await.unwrap_err()).reason(),
            "WORK_ORDER_VISIT_UNIQUE"
        );

        // One that is over takes nothing more: the next finding is another visit.
        let cancel = CancelOrderRequest {
            request_id: key(),
            order_id: sent.order_id,
            etag: sent.etag,
            reason: "用户已搬走".to_owned(),
        };
        dispatcher(bed).cancel_order(cancel).await.unwrap();
        billing.tell(&home, &found(&["SILENT"], "2025-04-02"));
        let all = eventually("another visit", async || Some(visits(bed, Some(BRANCH)).await).filter(|all| all.len() == 2)).await;
        assert_eq!((all[0].state(), all[1].state()), (order::State::Cancelled, order::State::Pool));
        assert_eq!(
            findings(bed, &all[1].order_id).await,
            [("SILENT M-1 2025-04-02".to_owned(), order::State::Pool)]
        );
    })
    .await;
}
