use contracts::hearth::{
    hall::v1::{order_service_client::OrderServiceClient, *},
    options::v1::Role,
    vendor::v1::{WorkApproved, WorkOrderAccepted, WorkOrderDeclined, WorkRefused, WorkReported},
};
use testbed::{Bed, Feed, at, each, eventually, key};
use tonic::Code;

use crate::{
    date,
    hands::{dispatcher, events, get_order, order, steps},
    refusal, time,
    world::{Mode, World},
};

struct Vendor {
    vendor_id: String,
    person_id: String,
    offer_id: String,
    order_id: String,
    feed: Feed,
}

impl Vendor {
    fn new(feed: Feed, order: &Order) -> Self {
        Self {
            vendor_id: key(),
            person_id: key(),
            offer_id: key(),
            order_id: order.order_id.clone(),
            feed,
        }
    }
    fn accept(&self) -> i64 {
        let event = WorkOrderAccepted {
            order_id: self.order_id.clone(),
            offer_id: self.offer_id.clone(),
            vendor_id: self.vendor_id.clone(),
            person_id: self.person_id.clone(),
        };
        self.feed.tell(&self.order_id, &event)
    }
    fn report(&self, round: i32) -> i64 {
        let event = WorkReported {
            order_id: self.order_id.clone(),
            offer_id: self.offer_id.clone(),
            vendor_id: self.vendor_id.clone(),
            person_id: self.person_id.clone(),
            round,
            done_date: Some(date("2025-03-03")),
        };
        self.feed.tell(&self.order_id, &event)
    }
    fn approve(&self, round: i32) -> i64 {
        let event = WorkApproved {
            order_id: self.order_id.clone(),
            offer_id: self.offer_id.clone(),
            vendor_id: self.vendor_id.clone(),
            round,
        };
        self.feed.tell(&self.order_id, &event)
    }
    fn refuse(&self, round: i32) -> i64 {
        let event = WorkRefused {
            order_id: self.order_id.clone(),
            offer_id: self.offer_id.clone(),
            vendor_id: self.vendor_id.clone(),
            round,
        };
        self.feed.tell(&self.order_id, &event)
    }
    fn decline(&self) -> i64 {
        let event = WorkOrderDeclined {
            order_id: self.order_id.clone(),
            offer_id: self.offer_id.clone(),
            vendor_id: self.vendor_id.clone(),
        };
        self.feed.tell(&self.order_id, &event)
    }
}

fn offer(order: &Order, vendor_id: &str) -> OfferOrderRequest {
    OfferOrderRequest {
        request_id: key(),
        order_id: order.order_id.clone(),
        etag: order.etag.clone(),
        vendor_id: vendor_id.to_owned(),
        respond_by_time: Some(time("2025-03-03T18:00:00+08:00")),
        planned_date: Some(date("2025-03-04")),
    }
}

async fn stands(bed: &Bed, id: &str, state: order::State) -> Order {
    eventually("the state of the order", async || {
        get_order(bed, id).await.order.filter(|order| order.state() == state)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_goes_to_a_vendor_and_comes_back_done_with_each_event_once() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let world = World::default();
        let feed = world.start(bed).await;
        let repair = order(bed, OrderType::Repair).await;
        let vendor = Vendor::new(feed, &repair);
        world.certify(&vendor.person_id, &vendor.vendor_id, date("2026-01-01"));

        let late = OfferOrderRequest {
            respond_by_time: Some(time("2025-03-03T09:00:00+08:00")),
            ..offer(&repair, &vendor.vendor_id)
        };
        assert_eq!(
            refusal(dispatcher(bed).offer_order(late).await),
            (Code::InvalidArgument, "RESPOND_BY_IN_PAST".to_owned())
        );
        let offered = dispatcher(bed)
            .offer_order(offer(&repair, &vendor.vendor_id))
            .await
            .unwrap()
            .into_inner()
            .order
            .unwrap();
        assert_eq!(
            (offered.state(), offered.vendor_id.as_str()),
            (order::State::Offered, vendor.vendor_id.as_str())
        );
        let told = events::<WorkOrderOffered>(bed, &repair.order_id).await;
        assert_eq!(told.len(), 1);
        assert_eq!(
            (told[0].kind.as_str(), told[0].certificate_kind(), told[0].respond_by),
            ("REPAIR", CertificateKind::Repair, Some(time("2025-03-03T18:00:00+08:00")))
        );

        let accepted = vendor.accept();
        let order = stands(bed, &repair.order_id, order::State::Accepted).await;
        assert_eq!((order.vendor_person_id.as_str(), order.respond_by_time), (vendor.person_id.as_str(), None));
        // The same event again, as a broken line may bring it, has no effect.
        vendor.feed.repeat(accepted);
        vendor.report(1);
        stands(bed, &repair.order_id, order::State::Reported).await;
        vendor.refuse(2);
        assert_eq!(stands(bed, &repair.order_id, order::State::Rework).await.round, 2);
        vendor.report(2);
        let reported = stands(bed, &repair.order_id, order::State::Reported).await;
        let mut manager = OrderServiceClient::new(bed.staff(&[Role::DistrictManager]));
        let complete = CompleteOrderRequest {
            request_id: key(),
            order_id: reported.order_id.clone(),
            etag: reported.etag,
        };
        assert_eq!(
            refusal(manager.complete_order(complete).await),
            (Code::FailedPrecondition, "VENDOR_ACCEPTANCE".to_owned())
        );
        // The promise of four hours is broken by then.
        bed.clock().set(at("2025-03-03T13:00:01+08:00")).unwrap();
        let approved = vendor.approve(2);
        stands(bed, &repair.order_id, order::State::Completed).await;
        vendor.feed.repeat(approved);
        vendor.approve(2);
        // A later event shows that the repeated ones were passed over.
        let other = crate::hands::order(bed, OrderType::Repair).await;
        let next = Vendor {
            order_id: other.order_id.clone(),
            feed: vendor.feed.clone(),
            ..Vendor::new(vendor.feed.clone(), &other)
        };
        dispatcher(bed).offer_order(offer(&other, &next.vendor_id)).await.unwrap();
        next.decline();
        stands(bed, &other.order_id, order::State::Pool).await;
        // F(d): what an assessment needs to know of the work.
        let told = events::<WorkOrderCompleted>(bed, &repair.order_id).await;
        assert_eq!(told.len(), 1);
        assert_eq!(
            (told[0].rounds, told[0].broken_clocks().collect::<Vec<_>>(), told[0].completed_date),
            (2, vec![Clock::Resolution], Some(date("2025-03-03")))
        );
        let actions: Vec<_> = get_order(bed, &repair.order_id).await.moves.into_iter().map(|m| m.action).collect();
        assert_eq!(
            actions,
            [
                "CREATE",
                "OFFER",
                "VENDOR_ACCEPT",
                "CERTIFY",
                "VENDOR_REPORT",
                "VENDOR_REFUSE",
                "VENDOR_REPORT",
                "VENDOR_APPROVE"
            ]
        );
        let mut callbacks = callback_service_client::CallbackServiceClient::new(bed.staff(&[Role::CallbackAgent]));
        let tasks = callbacks
            .list_callback_tasks(ListCallbackTasksRequest {
                about_id: repair.order_id,
                ..ListCallbackTasksRequest::default()
            })
            .await
            .unwrap()
            .into_inner()
            .tasks;
        // Monday; Tuesday and Wednesday.
        assert_eq!(
            tasks.iter().map(|t| (t.cause(), t.due_time)).collect::<Vec<_>>(),
            [(callback_task::Cause::Repair, Some(time("2025-03-05T23:59:59.999999+08:00")))]
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_01_an_accepted_order_waits_for_the_vendor_services_word() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let world = World::default();
        let feed = world.start(bed).await;
        world.set("CheckCertified", Mode::Unavailable);
        let repair = order(bed, OrderType::Repair).await;
        let vendor = Vendor::new(feed, &repair);
        dispatcher(bed).offer_order(offer(&repair, &vendor.vendor_id)).await.unwrap();
        vendor.accept();
        // A report on the heels of the acceptance waits as well.
        vendor.report(1);
        stands(bed, &repair.order_id, order::State::Checking).await;
        let step = eventually("a failed try", async || {
            steps(bed, &repair.order_id).await.pop().filter(|step| step.attempts > 0)
        })
        .await;
        assert_eq!(
            (step.kind(), step.state(), step.last_reason.as_str()),
            (step::Kind::CheckVendorPerson, step::State::Pending, "DEPENDENCY_UNAVAILABLE")
        );
        assert_eq!(
            get_order(bed, &repair.order_id).await.order.unwrap().state(),
            order::State::Checking,
            "no answer, no dispatch"
        );
        // Killed while it waits: it goes on after the start.
        bed.crash().await;
        world.certify(&vendor.person_id, &vendor.vendor_id, date("2026-01-01"));
        world.set("CheckCertified", Mode::Normal);
        bed.start().await;
        stands(bed, &repair.order_id, order::State::Reported).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_01_a_vendors_person_without_certificate_does_not_get_the_order() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let world = World::default();
        let feed = world.start(bed).await;
        let repair = order(bed, OrderType::Repair).await;
        let vendor = Vendor::new(feed, &repair);
        // Certified today and not on the planned day, tomorrow.
        world.certify(&vendor.person_id, &vendor.vendor_id, date("2025-03-03"));
        dispatcher(bed).offer_order(offer(&repair, &vendor.vendor_id)).await.unwrap();
        vendor.accept();
        let back = eventually("the return", async || {
            get_order(bed, &repair.order_id)
                .await
                .order
                .filter(|o| o.returned_reason == "VENDOR_PERSON_NOT_CERTIFIED")
        })
        .await;
        assert_eq!(
            (back.state(), back.vendor_id.as_str(), back.vendor_person_id.as_str()),
            (order::State::Pool, "", "")
        );
        let told = events::<WorkOrderWithdrawn>(bed, &repair.order_id).await;
        assert_eq!(
            told.iter().map(|e| (e.vendor_id.as_str(), e.reason.as_str())).collect::<Vec<_>>(),
            [(vendor.vendor_id.as_str(), "VENDOR_PERSON_NOT_CERTIFIED")]
        );
        // What the vendor says afterwards about an order that it does not have any more is passed over.
        vendor.report(1);
        dispatcher(bed).offer_order(offer(&back, &key())).await.unwrap();
        vendor.decline();
        let other = order(bed, OrderType::Repair).await;
        let next = Vendor {
            order_id: other.order_id.clone(),
            ..Vendor::new(vendor.feed.clone(), &other)
        };
        dispatcher(bed).offer_order(offer(&other, &next.vendor_id)).await.unwrap();
        next.decline();
        stands(bed, &other.order_id, order::State::Pool).await;
        assert_eq!(get_order(bed, &repair.order_id).await.order.unwrap().state(), order::State::Offered);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_01_a_vendors_person_is_asked_for_again_on_site() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let world = World::default();
        let feed = world.start(bed).await;
        let repair = order(bed, OrderType::Repair).await;
        let vendor = Vendor::new(feed, &repair);
        world.certify(&vendor.person_id, &vendor.vendor_id, date("2025-03-04"));
        dispatcher(bed).offer_order(offer(&repair, &vendor.vendor_id)).await.unwrap();
        vendor.accept();
        let accepted = stands(bed, &repair.order_id, order::State::Accepted).await;
        let arrive = || ArriveOnSiteRequest {
            request_id: key(),
            order_id: accepted.order_id.clone(),
            etag: accepted.etag.clone(),
        };
        world.set("CheckCertified", Mode::Unavailable);
        assert_eq!(
            refusal(dispatcher(bed).arrive_on_site(arrive()).await),
            (Code::Unavailable, "DEPENDENCY_UNAVAILABLE".to_owned())
        );
        world.set("CheckCertified", Mode::Normal);
        // A day late the certificate has ended.
        bed.clock().set(at("2025-03-05T09:00:00+08:00")).unwrap();
        let answer = dispatcher(bed).arrive_on_site(arrive()).await.unwrap().into_inner();
        assert_eq!(
            (answer.readiness(), answer.order.unwrap().state()),
            (Readiness::ReturnedToPool, order::State::Pool)
        );
        assert_eq!(events::<WorkOrderWithdrawn>(bed, &repair.order_id).await.len(), 1, "the vendor is told");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_offer_without_an_answer_lapses_and_a_withdrawn_one_is_told() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let repair = order(bed, OrderType::Repair).await;
        let vendor_id = key();
        dispatcher(bed).offer_order(offer(&repair, &vendor_id)).await.unwrap();
        bed.clock().set(at("2025-03-03T18:59:00+08:00")).unwrap();
        assert_eq!(
            get_order(bed, &repair.order_id).await.order.unwrap().state(),
            order::State::Offered,
            "an answer in time may be on its way"
        );
        bed.clock().set(at("2025-03-03T19:00:01+08:00")).unwrap();
        let back = stands(bed, &repair.order_id, order::State::Pool).await;
        assert_eq!(back.returned_reason, "NO_ANSWER");
        let again = OfferOrderRequest {
            respond_by_time: Some(time("2025-03-04T18:00:00+08:00")),
            ..offer(&back, &vendor_id)
        };
        let offered = dispatcher(bed).offer_order(again).await.unwrap().into_inner().order.unwrap();
        let withdraw = WithdrawOrderRequest {
            request_id: key(),
            order_id: offered.order_id.clone(),
            etag: offered.etag,
            reason: "自己干".to_owned(),
        };
        dispatcher(bed).withdraw_order(withdraw).await.unwrap();
        let reasons: Vec<_> = events::<WorkOrderWithdrawn>(bed, &repair.order_id)
            .await
            .into_iter()
            .map(|e| e.reason)
            .collect();
        assert_eq!(reasons, ["NO_ANSWER", "WITHDRAWN"]);
    })
    .await;
}
