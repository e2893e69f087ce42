use contracts::hearth::{
    hall::v1::{WorkOrderCompleted, WorkOrderWithdrawn},
    options::v1::Role,
    vendor::v1::{
        AcceptOfferRequest, ApproveWorkRequest, CertificateKind, DeclineOfferRequest, FinishExitRequest, GetOfferRequest, Offer, Person, RefuseWorkRequest,
        ReportWorkRequest, ServiceCategory, StartExitRequest, SuspendVendorRequest, WorkApproved, WorkOrderAccepted, WorkOrderDeclined, WorkRefused,
        WorkReported, offer::State, work_report::Outcome,
    },
};
use futures::future::join_all;
use rpc::Routes;
use testbed::{Bed, each, eventually, key, reason};
use tonic::{Code, Status};

use crate::world::{Offers, admitted, certify, date, events, get, offer, offered, offers_of, payloads, person, repairer, set_day, train, uuid, vendors};

const REPAIR: ServiceCategory = ServiceCategory::FieldRepair;

fn accept(offer: &Offer, person: &Person) -> AcceptOfferRequest {
    AcceptOfferRequest {
        request_id: key(),
        vendor_id: offer.vendor_id.clone(),
        offer_id: offer.offer_id.clone(),
        person_id: person.person_id.clone(),
        etag: String::new(),
    }
}

fn worker_of(bed: &Bed, vendor_id: &str) -> Offers {
    Offers::new(bed.vendor_user(vendor_id, &[Role::VendorWorker]))
}

async fn state_of(bed: &Bed, offer: &Offer) -> State {
    let request = GetOfferRequest {
        vendor_id: offer.vendor_id.clone(),
        offer_id: offer.offer_id.clone(),
    };
    Offers::new(bed.staff(&[Role::Dispatcher]))
        .get_offer(request)
        .await
        .unwrap()
        .into_inner()
        .offer
        .unwrap()
        .state()
}

fn report(offer: &Offer, summary: &str) -> ReportWorkRequest {
    ReportWorkRequest {
        request_id: key(),
        vendor_id: offer.vendor_id.clone(),
        offer_id: offer.offer_id.clone(),
        etag: offer.etag.clone(),
        summary: summary.into(),
        done_date: Some(date(2025, 1, 2)),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_who_accept_exactly_one_succeeds() {
    each(vendor::SERVICE, async |bed| {
        let hall = bed.fake("hall", Routes::default()).await;
        let vendor = admitted(bed, REPAIR).await.vendor_id;
        let person = repairer(bed, &vendor).await;
        let offer = offer(bed, &hall, offered(&vendor, &uuid())).await;
        let users: Vec<_> = (0..4).map(|_| worker_of(bed, &vendor)).collect();
        let racers = (0..100).map(|n| {
            let mut user = users[n % users.len()].clone();
            let request = accept(&offer, &person);
            async move { user.accept_offer(request).await }
        });
        let answers = join_all(racers).await;
        let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
        assert_eq!(won.len(), 1);
        for status in lost.into_iter().map(Result::unwrap_err) {
            assert_eq!((status.code(), reason(&status)), (Code::FailedPrecondition, "OFFER_TAKEN".into()));
        }
        // VendorAdmitted, VendorPersonCertified, WorkOrderAccepted.
        let told: Vec<WorkOrderAccepted> = payloads(&events(bed, 3).await);
        assert_eq!(told.len(), 1);
        assert_eq!(
            (&told[0].order_id, &told[0].offer_id, &told[0].person_id),
            (&offer.order_id, &offer.offer_id, &person.person_id)
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_with_one_key_get_one_answer() {
    each(vendor::SERVICE, async |bed| {
        let hall = bed.fake("hall", Routes::default()).await;
        let vendor = admitted(bed, REPAIR).await.vendor_id;
        let person = repairer(bed, &vendor).await;
        let offer = offer(bed, &hall, offered(&vendor, &uuid())).await;
        let user = worker_of(bed, &vendor);
        let request = accept(&offer, &person);
        let racers = (0..100).map(|_| {
            let (mut user, request) = (user.clone(), request.clone());
            async move { user.accept_offer(request).await.unwrap().into_inner() }
        });
        let answers = join_all(racers).await;
        assert!(answers.iter().all(|answer| *answer == answers[0]));
        let mut user = user;
        let other = AcceptOfferRequest { person_id: uuid(), ..request };
        assert_eq!(reason(&user.accept_offer(other).await.unwrap_err()), "IDEMPOTENCY_KEY_REUSED");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_vendors_the_first_takes_the_order() {
    each(vendor::SERVICE, async |bed| {
        let hall = bed.fake("hall", Routes::default()).await;
        let order = uuid();
        let mut runs = vec![];
        for _ in 0..3 {
            let vendor = admitted(bed, REPAIR).await.vendor_id;
            let person = repairer(bed, &vendor).await;
            let offer = offer(bed, &hall, offered(&vendor, &order)).await;
            runs.push((worker_of(bed, &vendor), accept(&offer, &person), offer));
        }
        let racers = runs.iter().flat_map(|run| std::iter::repeat_n(run, 8)).map(|(user, request, _)| {
            let (mut user, request) = (
                user.clone(),
                AcceptOfferRequest {
                    request_id: key(),
                    ..request.clone()
                },
            );
            async move { user.accept_offer(request).await }
        });
        let answers = join_all(racers).await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
        let reasons: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().err()).map(reason).collect();
        assert!(reasons.iter().all(|r| r == "OFFER_TAKEN"), "{reasons:?}");
        let mut states: Vec<_> = offers_of(bed, &order).await.iter().map(Offer::state).collect();
        states.sort();
        assert_eq!(states, [State::Accepted, State::Taken, State::Taken]);
        let (user, request, _) = &mut runs[0];
        let late = DeclineOfferRequest {
            request_id: key(),
            vendor_id: request.vendor_id.clone(),
            offer_id: request.offer_id.clone(),
            etag: offers_of(bed, &order).await.into_iter().find(|o| o.offer_id == request.offer_id).unwrap().etag,
            reason: "busy".into(),
        };
        let mut admin = Offers::new(bed.vendor_user(&request.vendor_id, &[Role::VendorAdmin]));
        assert_eq!(reason(&admin.decline_offer(late.clone()).await.unwrap_err()), "OFFER_TAKEN");
        assert_eq!(
            user.decline_offer(late).await.unwrap_err().code(),
            Code::PermissionDenied,
            "declining is for the administrator"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_01_only_a_certified_person_of_the_vendor_may_accept() {
    each(vendor::SERVICE, async |bed| {
        let hall = bed.fake("hall", Routes::default()).await;
        let vendor = admitted(bed, REPAIR).await.vendor_id;
        let offer = offer(bed, &hall, offered(&vendor, &uuid())).await;
        let mut user = worker_of(bed, &vendor);

        // Planned for 10 January: a certificate that ends on the 9th does not count, though it does today.
        let worker = person(bed, &vendor).await;
        assert_eq!(reason(&user.accept_offer(accept(&offer, &worker)).await.unwrap_err()), "CERTIFICATE_MISSING");
        let worker = train(bed, worker, contracts::hearth::vendor::v1::training::Kind::Safety).await;
        let (worker, _) = certify(bed, worker, CertificateKind::Repair, date(2024, 1, 1), date(2025, 1, 9)).await;
        assert_eq!(reason(&user.accept_offer(accept(&offer, &worker)).await.unwrap_err()), "CERTIFICATE_NOT_VALID");
        let (worker, _) = certify(bed, worker, CertificateKind::Repair, date(2025, 1, 10), date(2025, 1, 10)).await;
        assert_eq!(reason(&user.accept_offer(accept(&offer, &worker)).await.unwrap_err()), "TRAINING_MISSING");
        let worker = train(bed, worker, contracts::hearth::vendor::v1::training::Kind::Technical).await;

        // A person of another vendor is unknown here.
        let stranger = repairer(bed, &admitted(bed, REPAIR).await.vendor_id).await;
        assert_eq!(user.accept_offer(accept(&offer, &stranger)).await.unwrap_err().code(), Code::NotFound);

        let seen = get(bed, &vendor).await;
        let request = SuspendVendorRequest {
            request_id: key(),
            vendor_id: vendor.clone(),
            etag: seen.etag,
            reason: "考核".into(),
        };
        let mut it = vendors(bed, "it", &[Role::ItDepartment]);
        let seen = it.suspend_vendor(request).await.unwrap().into_inner().vendor.unwrap();
        assert_eq!(reason(&user.accept_offer(accept(&offer, &worker)).await.unwrap_err()), "VENDOR_NOT_ADMITTED");
        let request = contracts::hearth::vendor::v1::ResumeVendorRequest {
            request_id: key(),
            vendor_id: vendor.clone(),
            etag: seen.etag,
            reason: "ok".into(),
        };
        it.resume_vendor(request).await.unwrap();

        let stale = AcceptOfferRequest {
            etag: "\"0000000000000000\"".into(),
            ..accept(&offer, &worker)
        };
        assert_eq!(reason(&user.accept_offer(stale).await.unwrap_err()), "ETAG_MISMATCH");
        let fresh = AcceptOfferRequest {
            etag: offer.etag.clone(),
            ..accept(&offer, &worker)
        };
        let accepted = user.accept_offer(fresh).await.unwrap().into_inner().offer.unwrap();
        assert_eq!((accepted.state(), accepted.person_id), (State::Accepted, worker.person_id));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_runs_out_at_its_time_and_may_be_declined_before() {
    each(vendor::SERVICE, async |bed| {
        let hall = bed.fake("hall", Routes::default()).await;
        let vendor = admitted(bed, REPAIR).await.vendor_id;
        let worker = repairer(bed, &vendor).await;
        let declined = offer(bed, &hall, offered(&vendor, &uuid())).await;
        let missed = offer(bed, &hall, offered(&vendor, &uuid())).await;
        let mut admin = Offers::new(bed.vendor_user(&vendor, &[Role::VendorAdmin]));
        let decline = |offer: &Offer| DeclineOfferRequest {
            request_id: key(),
            vendor_id: vendor.clone(),
            offer_id: offer.offer_id.clone(),
            etag: offer.etag.clone(),
            reason: "人手不足".into(),
        };
        let answer = admin.decline_offer(decline(&declined)).await.unwrap().into_inner().offer.unwrap();
        assert_eq!((answer.state(), answer.decline_reason.as_str()), (State::Declined, "人手不足"));
        assert_eq!(reason(&admin.accept_offer(accept(&declined, &worker)).await.unwrap_err()), "OFFER_STATE");
        let told: Vec<WorkOrderDeclined> = payloads(&events(bed, 3).await);
        assert_eq!(told[0].offer_id, declined.offer_id);

        bed.clock().set(testbed::at("2025-01-03T12:00:00+08:00")).unwrap();
        assert_eq!(state_of(bed, &missed).await, State::Expired);
        assert_eq!(reason(&admin.accept_offer(accept(&missed, &worker)).await.unwrap_err()), "OFFER_EXPIRED");
        assert_eq!(reason(&admin.decline_offer(decline(&missed)).await.unwrap_err()), "OFFER_EXPIRED");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_work_is_done_again_and_then_approved() {
    each(vendor::SERVICE, async |bed| {
        let hall = bed.fake("hall", Routes::default()).await;
        let vendor = admitted(bed, REPAIR).await.vendor_id;
        let worker = repairer(bed, &vendor).await;
        let offer = offer(bed, &hall, offered(&vendor, &uuid())).await;
        let mut user = Offers::new(bed.vendor_user(&vendor, &[Role::VendorAdmin, Role::VendorWorker]));
        let mut acceptor = Offers::new(bed.staff_of("河西区", &[Role::Acceptor]));
        assert_eq!(
            reason(&user.report_work(report(&offer, "done")).await.unwrap_err()),
            "OFFER_STATE",
            "not accepted yet"
        );
        let seen = user.accept_offer(accept(&offer, &worker)).await.unwrap().into_inner().offer.unwrap();
        let future = ReportWorkRequest {
            done_date: Some(date(2025, 1, 3)),
            ..report(&seen, "done")
        };
        assert_eq!(reason(&user.report_work(future).await.unwrap_err()), "DATE_IN_FUTURE");
        assert_eq!(reason(&user.report_work(report(&offer, "done")).await.unwrap_err()), "ETAG_MISMATCH");

        let approve = |seen: &Offer| ApproveWorkRequest {
            request_id: key(),
            vendor_id: vendor.clone(),
            offer_id: seen.offer_id.clone(),
            etag: seen.etag.clone(),
            findings: String::new(),
        };
        assert_eq!(
            reason(&acceptor.approve_work(approve(&seen)).await.unwrap_err()),
            "OFFER_STATE",
            "nothing reported"
        );
        let seen = user.report_work(report(&seen, "更换阀门")).await.unwrap().into_inner().offer.unwrap();
        assert_eq!((seen.state(), seen.round, seen.reports[0].outcome()), (State::Reported, 1, Outcome::Pending));
        assert_eq!(user.approve_work(approve(&seen)).await.unwrap_err().code(), Code::PermissionDenied);
        // A vendor user with the role of an acceptor is still a vendor user.
        let mut forged = Offers::new(bed.vendor_user(&vendor, &[Role::VendorAdmin, Role::Acceptor]));
        assert_eq!(forged.approve_work(approve(&seen)).await.unwrap_err().code(), Code::PermissionDenied);
        let mut elsewhere = Offers::new(bed.staff_of("南开区", &[Role::Acceptor]));
        assert_eq!(elsewhere.approve_work(approve(&seen)).await.unwrap_err().code(), Code::NotFound);

        let refuse = RefuseWorkRequest {
            request_id: key(),
            vendor_id: vendor.clone(),
            offer_id: seen.offer_id.clone(),
            etag: seen.etag.clone(),
            findings: "接头漏气".into(),
        };
        let seen = acceptor.refuse_work(refuse.clone()).await.unwrap().into_inner().offer.unwrap();
        assert_eq!((seen.state(), seen.round), (State::Rework, 2));
        assert_eq!(
            acceptor.refuse_work(refuse).await.unwrap().into_inner().offer.unwrap(),
            seen,
            "a replay changes nothing"
        );
        let seen = user.report_work(report(&seen, "重新密封")).await.unwrap().into_inner().offer.unwrap();
        let seen = acceptor.approve_work(approve(&seen)).await.unwrap().into_inner().offer.unwrap();
        assert_eq!((seen.state(), seen.round), (State::Approved, 2));
        let rounds: Vec<_> = seen.reports.iter().map(|r| (r.round, r.outcome(), r.findings.as_str())).collect();
        assert_eq!(rounds, [(1, Outcome::Refused, "接头漏气"), (2, Outcome::Approved, "")]);

        hall.tell(
            &seen.order_id,
            &WorkOrderCompleted {
                order_id: seen.order_id.clone(),
                vendor_id: vendor.clone(),
                ..WorkOrderCompleted::default()
            },
        );
        eventually("the end of the order", async || (state_of(bed, &seen).await == State::Completed).then_some(())).await;
        let told = events(bed, 7).await;
        let of_order: Vec<_> = told.iter().filter(|e| e.subject == seen.order_id).map(|e| e.sequence).collect();
        assert_eq!(of_order, [1, 2, 3, 4, 5]);
        assert_eq!(payloads::<WorkReported>(&told).iter().map(|e| e.round).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(payloads::<WorkRefused>(&told)[0].round, 2);
        assert_eq!(payloads::<WorkApproved>(&told)[0].round, 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_comes_twice_has_one_effect() {
    each(vendor::SERVICE, async |bed| {
        let hall = bed.fake("hall", Routes::default()).await;
        let vendor = admitted(bed, REPAIR).await.vendor_id;
        let order = uuid();
        let told = offered(&vendor, &order);
        let position = hall.tell(&order, &told);
        hall.repeat(position);
        // The marker comes after the repetition; once it is taken, so is everything before it.
        let marker = uuid();
        offer(bed, &hall, offered(&vendor, &marker)).await;
        assert_eq!(offers_of(bed, &order).await.len(), 1);

        // After a crash the reader starts where it stood.
        bed.crash().await;
        bed.start().await;
        let marker = uuid();
        offer(bed, &hall, offered(&vendor, &marker)).await;
        assert_eq!(offers_of(bed, &order).await.len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hall_withdraws_and_offers_anew() {
    each(vendor::SERVICE, async |bed| {
        let hall = bed.fake("hall", Routes::default()).await;
        let vendor = admitted(bed, REPAIR).await.vendor_id;
        let worker = repairer(bed, &vendor).await;
        let mut user = worker_of(bed, &vendor);
        let order = uuid();
        let first = offer(bed, &hall, offered(&vendor, &order)).await;
        let seen = user.accept_offer(accept(&first, &worker)).await.unwrap().into_inner().offer.unwrap();
        let seen = user.report_work(report(&seen, "done")).await.unwrap().into_inner().offer.unwrap();
        hall.tell(
            &order,
            &WorkOrderWithdrawn {
                order_id: order.clone(),
                vendor_id: vendor.clone(),
                reason: "CANCELLED".into(),
            },
        );
        eventually("the withdrawal", async || (state_of(bed, &seen).await == State::Withdrawn).then_some(())).await;
        let dropped = offers_of(bed, &order).await[0].reports[0].outcome();
        assert_eq!(dropped, Outcome::Dropped);
        assert_eq!(reason(&user.accept_offer(accept(&first, &worker)).await.unwrap_err()), "OFFER_STATE");

        hall.tell(&order, &offered(&vendor, &order));
        let second = eventually("the second offer", async || {
            offers_of(bed, &order).await.into_iter().find(|o| o.state() == State::Offered)
        })
        .await;
        assert!(user.accept_offer(accept(&second, &worker)).await.is_ok());
        // A withdrawal for another vendor does not touch it.
        hall.tell(
            &order,
            &WorkOrderWithdrawn {
                order_id: order.clone(),
                vendor_id: uuid(),
                reason: "WITHDRAWN".into(),
            },
        );
        offer(bed, &hall, offered(&vendor, &uuid())).await;
        assert_eq!(state_of(bed, &second).await, State::Accepted);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_15_no_exit_while_work_is_due() {
    each(vendor::SERVICE, async |bed| {
        let hall = bed.fake("hall", Routes::default()).await;
        let vendor = admitted(bed, REPAIR).await.vendor_id;
        let worker = repairer(bed, &vendor).await;
        let offer = offer(bed, &hall, offered(&vendor, &uuid())).await;
        worker_of(bed, &vendor).accept_offer(accept(&offer, &worker)).await.unwrap();
        let mut it = vendors(bed, "it", &[Role::ItDepartment]);
        let request = StartExitRequest {
            request_id: key(),
            vendor_id: vendor.clone(),
            etag: get(bed, &vendor).await.etag,
            reason: "end".into(),
        };
        let seen = it.start_exit(request).await.unwrap().into_inner().vendor.unwrap();
        let finish = FinishExitRequest {
            request_id: key(),
            vendor_id: vendor,
            etag: seen.etag,
            handover_document: "H-1".into(),
            data_certificate: "D-1".into(),
        };
        let status: Status = it.finish_exit(finish.clone()).await.unwrap_err();
        assert_eq!(reason(&status), "WORK_REMAINS");
        set_day(bed, "2025-01-04");
        hall.tell(
            &offer.order_id,
            &WorkOrderWithdrawn {
                order_id: offer.order_id.clone(),
                vendor_id: offer.vendor_id.clone(),
                reason: String::new(),
            },
        );
        eventually("the withdrawal", async || (state_of(bed, &offer).await == State::Withdrawn).then_some(())).await;
        assert!(it.finish_exit(FinishExitRequest { request_id: key(), ..finish }).await.is_ok());
    })
    .await;
}
