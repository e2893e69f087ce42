//! M3: a hundred at once draw on the same money. No more is taken than there was, whoever comes first.

use std::collections::BTreeMap;

use contracts::hearth::{billing::v1::*, options::v1::Role};
use futures::future::join_all;
use testbed::{each, key, reason};
use tonic::Status;

use crate::{
    credit::hold,
    dues::{charge_of, due_on, fees, item, late_fee, late_fees, owing, pay, publish, take, two_per_mille},
    world::{HEXI, Home, World, yuan},
};

const RACERS: usize = 100;

/// How many came through, and why the others did not.
fn told<T>(outcomes: impl IntoIterator<Item = Result<T, Status>>) -> (usize, BTreeMap<String, usize>) {
    let (mut fine, mut refused) = (0, BTreeMap::new());
    for outcome in outcomes {
        match outcome {
            Ok(_) => fine += 1,
            Err(status) => *refused.entry(reason(&status)).or_default() += 1,
        }
    }
    (fine, refused)
}

fn refused(why: &str, n: usize) -> BTreeMap<String, usize> {
    BTreeMap::from([(why.to_owned(), n)])
}

/// So many charges of 10.00 to homes in turn, all at once.
async fn charges(world: &World<'_>, homes: &[Home], n: usize) -> Vec<Result<(), Status>> {
    let all = (0..n).map(|n| {
        let (mut fees, charge) = (fees(world), charge_of(&homes[n % homes.len()], "WORK", "10"));
        async move { fees.charge_fee(charge).await.map(drop) }
    });
    join_all(all).await
}

#[tokio::test(flavor = "multi_thread")]
async fn r_m3_accounts_without_credit_are_charged_what_they_paid_ahead_and_no_more() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.clock("2025-03-10T09:00:00+08:00");
        publish(&world, item("WORK", "1")).await;
        let mut homes = vec![];
        for n in 0..4 {
            let home = world.home(&format!("D{n}")).await;
            hold(&world, &home).await;
            // Five charges and almost a sixth.
            pay(&world, &home, "59.99", &format!("{n}")).await;
            homes.push(home);
        }
        assert_eq!(told(charges(&world, &homes, RACERS).await), (20, refused("PREPAYMENT_REQUIRED", 80)));
        for home in &homes {
            assert_eq!(world.balance(home).await, ("0.00".to_owned(), "9.99".to_owned()));
            let bills = world.bills_of(home).await;
            assert!(bills.len() == 5 && bills.iter().all(|b| b.state() == bill::State::Paid));
        }
        world.sound().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn thread_67_r_m3_a_prepayment_pays_bills_that_come_at_once_only_as_far_as_it_goes() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.clock("2025-03-10T09:00:00+08:00");
        publish(&world, item("WORK", "1")).await;
        let home = world.home("D1").await;
        let paid = pay(&world, &home, "100.00", "1").await;
        assert_eq!(told(charges(&world, std::slice::from_ref(&home), RACERS).await), (RACERS, BTreeMap::new()));
        assert_eq!(world.balance(&home).await, ("900.00".to_owned(), "0.00".to_owned()));
        let bills = world.bills_of(&home).await;
        assert_eq!(bills.iter().filter(|b| b.state() == bill::State::Paid).count(), 10);
        assert_eq!(bills.iter().filter(|b| b.state() == bill::State::Issued).count(), 90);
        // Taken back while more bills come: it pays none of them in the end.
        let get = GetPaymentRequest {
            payment_id: paid.payment_id.clone(),
            party_id: None,
        };
        let now = world.accountant().get_payment(get).await.unwrap().into_inner().payment.unwrap();
        let again = ReversePaymentRequest {
            request_id: key(),
            payment_id: paid.payment_id.clone(),
            etag: now.etag,
            reason: "bounced".to_owned(),
        };
        let mut accountant = world.accountant();
        let (charged, reversed) = tokio::join!(charges(&world, std::slice::from_ref(&home), RACERS), accountant.reverse_payment(again));
        assert_eq!(told(charged), (RACERS, BTreeMap::new()));
        reversed.unwrap();
        assert_eq!(world.balance(&home).await, ("2000.00".to_owned(), "0.00".to_owned()));
        assert!(
            world
                .bills_of(&home)
                .await
                .iter()
                .all(|b| b.state() == bill::State::Issued && b.paid == yuan("0.00"))
        );
        world.sound().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r_m3_a_bill_is_paid_once_and_a_payment_is_taken_back_once() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let (home, bill) = owing(&world, "D1", HEXI, "100", "2025-03-10").await;
        let payments = (0..RACERS).map(|n| {
            let (mut cashier, request) = (world.cashier(), take(&home, "10.00", &format!("{n}")));
            let request = TakePaymentRequest {
                bill_ids: vec![bill.bill_id.clone()],
                ..request
            };
            async move { cashier.take_payment(request).await.map(|a| a.into_inner().payment.unwrap()) }
        });
        let outcomes = join_all(payments).await;
        let taken: Vec<_> = outcomes.iter().filter_map(|o| o.as_ref().ok().cloned()).collect();
        assert_eq!(told(outcomes), (10, refused("BILL_STATE", 90)));
        assert_eq!(world.balance(&home).await, ("0.00".to_owned(), "0.00".to_owned()));
        // Of each payment many ask for the money back.
        let reversals = (0..RACERS).map(|n| {
            let payment = &taken[n % taken.len()];
            let request = ReversePaymentRequest {
                request_id: key(),
                payment_id: payment.payment_id.clone(),
                etag: payment.etag.clone(),
                reason: "bounced".to_owned(),
            };
            let mut accountant = world.accountant();
            async move { accountant.reverse_payment(request).await }
        });
        let (fine, refused) = told(join_all(reversals).await);
        assert_eq!((fine, refused.values().sum::<usize>()), (10, 90), "{refused:?}");
        assert!(
            refused.keys().all(|why| ["PAYMENT_REVERSED", "ETAG_MISMATCH"].contains(&why.as_str())),
            "{refused:?}"
        );
        assert_eq!(world.balance(&home).await, ("100.00".to_owned(), "0.00".to_owned()));
        assert_eq!(world.count("SELECT count(*) FROM payment WHERE state = 'REVERSED'").await, 10);
        // And of the bill that it be cancelled.
        let bill = world.bills_of(&home).await.remove(0);
        let cancels = (0..RACERS).map(|_| {
            let request = ReverseBillRequest {
                request_id: key(),
                bill_id: bill.bill_id.clone(),
                etag: bill.etag.clone(),
                reason: "wrong".to_owned(),
                reading_was_wrong: false,
            };
            let mut bills = world.bills();
            async move { bills.reverse_bill(request).await }
        });
        let (fine, refused) = told(join_all(cancels).await);
        assert_eq!((fine, refused.values().sum::<usize>()), (1, RACERS - 1), "{refused:?}");
        assert_eq!(world.balance(&home).await, ("0.00".to_owned(), "0.00".to_owned()));
        world.sound().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r_m3_waivers_give_away_what_is_due_and_no_more() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        two_per_mille(&world).await;
        let (home, bill) = owing(&world, "D1", HEXI, "2500", "2025-02-01").await;
        assert_eq!(due_on(&world, &bill, "2025-02-26").await, "50.00");
        let request = ProposeWaiverRequest {
            request_id: key(),
            bill_id: bill.bill_id.clone(),
            amount: yuan("30.00"),
            reason: "goodwill".to_owned(),
        };
        let answer = late_fees(&world, "li", Role::Accountant).propose_waiver(request).await.unwrap();
        let waiver = answer.into_inner().waiver.unwrap();
        // 40.00 of payments meet the ninety-two who approve 30.00 of the same 50.00.
        let payments = (0..8).map(|n| {
            let (mut cashier, request) = (world.cashier(), take(&home, "5.00", &format!("{n}")));
            async move { cashier.take_payment(request).await }
        });
        let approvals = (8..RACERS).map(|_| {
            let request = ApproveWaiverRequest {
                request_id: key(),
                waiver_id: waiver.waiver_id.clone(),
                etag: waiver.etag.clone(),
            };
            let mut manager = late_fees(&world, "wang", Role::ServiceManager);
            async move { manager.approve_waiver(request).await }
        });
        let (paid, approved) = tokio::join!(join_all(payments), join_all(approvals));
        assert_eq!(told(paid), (8, BTreeMap::new()));
        let (fine, refused) = told(approved);
        assert_eq!((fine, refused.values().sum::<usize>()), (1, 91), "{refused:?}");
        let (waived, late) = (
            world.count("SELECT CAST(sum(waived) AS bigint) FROM late_fee_waiver").await,
            world.count("SELECT CAST(sum(amount) AS bigint) FROM allocation WHERE part = 'LATE_FEE'").await,
        );
        let due = late_fee(&world, &bill).await.due.unwrap().minor_units;
        assert_eq!(waived + late + due, 5000, "{waived} waived, {late} paid, {due} due");
        assert!(waived >= 1000 && late >= 2000, "{waived} waived, {late} paid");
        let receivable = 250_000 - (4000 - late);
        assert_eq!(world.balance(&home).await, (money::Money::from_fen(receivable).to_string(), "0.00".to_owned()));
        world.sound().await;
    })
    .await;
}
