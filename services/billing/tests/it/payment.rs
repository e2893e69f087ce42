//! 9.5 and edges 22 to 25: payments.

use contracts::hearth::{
    billing::v1::{payment_service_client::PaymentServiceClient, *},
    options::v1::Role,
};
use testbed::{each, key, reason};

use crate::world::{HEPING, Home, World, text, yuan};

fn take(home: &Home, amount: &str, reference: &str) -> TakePaymentRequest {
    TakePaymentRequest {
        request_id: key(),
        account_id: home.account.clone(),
        amount: yuan(amount),
        channel: "COUNTER".to_owned(),
        channel_reference: reference.to_owned(),
        bill_ids: vec![],
    }
}

/// A home with bills of 131.56 (January) and 102.96 (February), due 15 days after each month.
async fn billed(world: &World<'_>, account_no: &str) -> Home {
    let home = world.home(account_no).await;
    world.clock("2025-01-31T20:00:00+08:00");
    world.read(&home, "2025-01-31", "46").await;
    world.run(1).await;
    world.clock("2025-02-28T20:00:00+08:00");
    world.read(&home, "2025-02-28", "82").await;
    world.run(2).await;
    home
}

async fn standing(world: &World<'_>, home: &Home) -> Vec<(String, bill::State)> {
    world.bills_of(home).await.iter().map(|b| (text(&b.paid), b.state())).collect()
}

#[tokio::test]
async fn p_9_5_oldest_due_first_the_rest_is_prepayment_and_pays_the_next_bill() {
    each(billing::SERVICE, async |bed| {
        use bill::State::{Issued, Paid, PartlyPaid};
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let home = billed(&world, "T1").await;
        let first = world
            .cashier()
            .take_payment(take(&home, "141.56", "1"))
            .await
            .unwrap()
            .into_inner()
            .payment
            .unwrap();
        assert_eq!(first.receipt_no, "RC-河西区-2025-0000001");
        assert_eq!(first.allocations.iter().map(|a| text(&a.amount)).collect::<Vec<_>>(), ["131.56", "10.00"]);
        assert_eq!(standing(&world, &home).await, [("131.56".to_owned(), Paid), ("10.00".to_owned(), PartlyPaid)]);
        let second = world
            .cashier()
            .take_payment(take(&home, "192.96", "2"))
            .await
            .unwrap()
            .into_inner()
            .payment
            .unwrap();
        assert_eq!(
            (text(&second.prepayment), second.receipt_no.as_str()),
            ("100.00".to_owned(), "RC-河西区-2025-0000002")
        );
        assert_eq!(world.balance(&home).await, ("0.00".to_owned(), "100.00".to_owned()));
        // Edge 23: the next bill is paid from what was paid ahead.
        world.clock("2025-04-30T20:00:00+08:00");
        world.read(&home, "2025-03-31", "112").await;
        world.run(3).await;
        assert_eq!(world.balance(&home).await, ("0.00".to_owned(), "14.20".to_owned()));
        world.read(&home, "2025-04-30", "142").await;
        world.run(4).await;
        assert_eq!(
            standing(&world, &home).await[2..],
            [("85.80".to_owned(), Paid), ("14.20".to_owned(), PartlyPaid)]
        );
        world.sound().await;
        // Reversal: the last share first; all that the second payment paid is open again.
        let seen = world
            .accountant()
            .get_payment(GetPaymentRequest {
                payment_id: second.payment_id.clone(),
                party_id: None,
            })
            .await
            .unwrap()
            .into_inner()
            .payment
            .unwrap();
        let reverse = ReversePaymentRequest {
            request_id: key(),
            payment_id: second.payment_id.clone(),
            etag: seen.etag.clone(),
            reason: "bounced".to_owned(),
        };
        let stale = ReversePaymentRequest {
            request_id: key(),
            etag: second.etag.clone(),
            ..reverse.clone()
        };
        assert_eq!(
            reason(&world.accountant().reverse_payment(stale).await.unwrap_err()),
            "ETAG_MISMATCH",
            "it has paid bills since"
        );
        let back = world.accountant().reverse_payment(reverse).await.unwrap().into_inner().payment.unwrap();
        assert_eq!(back.state(), payment::State::Reversed);
        assert_eq!(
            back.allocations.iter().map(|a| text(&a.amount)).collect::<Vec<_>>(),
            ["92.96", "85.80", "14.20", "-14.20", "-85.80", "-92.96"],
            "LIFO"
        );
        assert_eq!(
            standing(&world, &home).await,
            [
                ("131.56".to_owned(), Paid),
                ("10.00".to_owned(), PartlyPaid),
                ("0.00".to_owned(), Issued),
                ("0.00".to_owned(), Issued)
            ]
        );
        let twice = ReversePaymentRequest {
            request_id: key(),
            payment_id: second.payment_id,
            etag: back.etag,
            reason: "again".to_owned(),
        };
        assert_eq!(reason(&world.accountant().reverse_payment(twice).await.unwrap_err()), "PAYMENT_REVERSED");
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn edge_25_bills_due_on_one_day_share_in_proportion_and_named_bills_come_first() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let home = world.home("T1").await;
        world.clock("2025-02-28T20:00:00+08:00");
        world.read(&home, "2025-01-31", "100").await;
        world.read(&home, "2025-02-28", "150").await;
        world.run(1).await;
        world.run(2).await;
        // 286.00 and 143.00, due on the same day.
        let paid = world
            .cashier()
            .take_payment(take(&home, "45.00", "1"))
            .await
            .unwrap()
            .into_inner()
            .payment
            .unwrap();
        assert_eq!(paid.allocations.iter().map(|a| text(&a.amount)).collect::<Vec<_>>(), ["30.00", "15.00"]);
        let named = world.bills_of(&home).await[1].bill_id.clone();
        let request = TakePaymentRequest {
            bill_ids: vec![named.clone()],
            ..take(&home, "130.00", "2")
        };
        let paid = world.cashier().take_payment(request).await.unwrap().into_inner().payment.unwrap();
        assert_eq!(
            paid.allocations.iter().map(|a| (a.bill_id == named, text(&a.amount))).collect::<Vec<_>>(),
            [(true, "128.00".to_owned()), (false, "2.00".to_owned())]
        );
        let unknown = TakePaymentRequest {
            bill_ids: vec![key()],
            ..take(&home, "1.00", "3")
        };
        assert_eq!(reason(&world.cashier().take_payment(unknown).await.unwrap_err()), "NOT_FOUND");
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn edge_22_hundred_racers_on_one_reference_are_one_payment() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let home = billed(&world, "T1").await;
        let racers: Vec<_> = (0..100)
            .map(|_| {
                let (mut cashier, request) = (world.cashier(), take(&home, "50.00", "GATE-1"));
                tokio::spawn(async move { cashier.take_payment(request).await })
            })
            .collect();
        let mut receipts = std::collections::BTreeSet::new();
        let mut first = 0;
        for racer in racers {
            let answer = racer.await.unwrap().unwrap().into_inner();
            first += usize::from(!answer.already_taken);
            receipts.insert(answer.payment.unwrap().receipt_no);
        }
        assert_eq!((first, receipts.len()), (1, 1));
        assert_eq!(world.count("SELECT count(*) FROM payment").await, 1);
        assert_eq!(world.balance(&home).await, ("184.52".to_owned(), "0.00".to_owned()));
        let next = world
            .cashier()
            .take_payment(take(&home, "1.00", "GATE-2"))
            .await
            .unwrap()
            .into_inner()
            .payment
            .unwrap();
        assert_eq!(next.receipt_no, "RC-河西区-2025-0000002", "no gap");
        let other = world.cashier().take_payment(take(&home, "51.00", "GATE-1")).await.unwrap_err();
        assert_eq!(
            (other.code(), reason(&other).as_str()),
            (tonic::Code::AlreadyExists, "PAYMENT_REFERENCE_UNIQUE")
        );
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn payments_are_checked_replayed_and_bound() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let home = billed(&world, "T1").await;
        let foreign = world.home_in("T2", HEPING).await;
        let mut cashier = PaymentServiceClient::new(bed.staff_named("qian", &[Role::Cashier]));
        for amount in ["0.00", "-1.00"] {
            assert_eq!(reason(&cashier.take_payment(take(&home, amount, "1")).await.unwrap_err()), "AMOUNT_RANGE");
        }
        let mut both = PaymentServiceClient::new(bed.staff(&[Role::Cashier, Role::Reader]));
        let refused = both.take_payment(take(&home, "1.00", "1")).await.unwrap_err();
        assert_eq!((refused.code(), reason(&refused).as_str()), (tonic::Code::PermissionDenied, "READER_TAKES_NO_CASH"), "E2-07");
        let request = take(&home, "1.00", "1");
        let first = cashier.take_payment(request.clone()).await.unwrap().into_inner();
        assert_eq!(cashier.take_payment(request.clone()).await.unwrap().into_inner(), first);
        let reused = cashier.take_payment(TakePaymentRequest { amount: yuan("2.00"), ..request }).await.unwrap_err();
        assert_eq!(reason(&reused), "IDEMPOTENCY_KEY_REUSED");
        let mut local = PaymentServiceClient::new(bed.staff_of(HEPING, &[Role::Cashier]));
        assert_eq!(reason(&local.take_payment(take(&home, "1.00", "2")).await.unwrap_err()), "NOT_FOUND", "an account of another branch");
        local.take_payment(take(&foreign, "1.00", "3")).await.unwrap();
        assert_eq!(local.list_payments(ListPaymentsRequest::default()).await.unwrap().into_inner().payments.len(), 1);
        let mut customer = PaymentServiceClient::new(bed.customer(&home.party));
        let own = customer.list_payments(ListPaymentsRequest { party_id: Some(home.party.clone()), ..Default::default() }).await.unwrap().into_inner().payments;
        assert_eq!(own.iter().map(|p| p.account_no.as_str()).collect::<Vec<_>>(), ["T1"]);
        let other = customer.list_payments(ListPaymentsRequest { party_id: Some(foreign.party.clone()), ..Default::default() }).await.unwrap_err();
        assert_eq!(other.code(), tonic::Code::PermissionDenied);
        let twice = format!("INSERT INTO payment SELECT {}, 'RC-X', account_id, account_no, party_id, branch, amount, unallocated, channel, channel_reference, state, taken_by, taken_at, reversal_reason, version, service FROM payment WHERE channel_reference = '1'", world.uuid(&key()));
        assert!(world.sql(&twice).await.unwrap_err().to_string().to_lowercase().contains("unique"));
    })
    .await;
}

#[tokio::test]
async fn bad_input_118_a_bill_that_is_paid_is_not_paid_again() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let (home, other) = (billed(&world, "T1").await, world.home("T2").await);
        let bill = world.bills_of(&home).await[0].bill_id.clone();
        let named = |home: &Home, amount: &str, reference: &str, bill: &str| TakePaymentRequest {
            bill_ids: vec![bill.to_owned()],
            ..take(home, amount, reference)
        };
        world.cashier().take_payment(named(&home, "131.56", "1", &bill)).await.unwrap();
        let again = world.cashier().take_payment(named(&home, "131.56", "2", &bill)).await.unwrap_err();
        assert_eq!((again.code(), reason(&again).as_str()), (tonic::Code::FailedPrecondition, "BILL_STATE"));
        // A bill of somebody else looks like one that is not there.
        for unknown in [bill, key()] {
            let status = world.cashier().take_payment(named(&other, "1.00", "3", &unknown)).await.unwrap_err();
            assert_eq!((status.code(), reason(&status).as_str()), (tonic::Code::NotFound, "NOT_FOUND"));
        }
        assert_eq!(standing(&world, &home).await[1].0, "0.00", "nothing of the refused payments was kept");
    })
    .await;
}

#[tokio::test]
async fn edge_23_reversed_bill_frees_its_payment_for_the_others() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let home = billed(&world, "T1").await;
        let named = world.bills_of(&home).await[1].bill_id.clone();
        let request = TakePaymentRequest {
            bill_ids: vec![named],
            ..take(&home, "102.96", "1")
        };
        world.cashier().take_payment(request).await.unwrap();
        let paid = world.bills_of(&home).await.remove(1);
        let reverse = ReverseBillRequest {
            request_id: key(),
            bill_id: paid.bill_id,
            etag: paid.etag,
            reason: "wrong".to_owned(),
            reading_was_wrong: true,
        };
        world.bills().reverse_bill(reverse).await.unwrap();
        assert_eq!(
            standing(&world, &home).await,
            [("102.96".to_owned(), bill::State::PartlyPaid), ("0.00".to_owned(), bill::State::Reversed)]
        );
        assert_eq!(world.balance(&home).await, ("28.60".to_owned(), "0.00".to_owned()));
        world.sound().await;
    })
    .await;
}
