//! B-05 and G-11: what a credit hold and the list of dishonest customers do here, and what they never touch.

use contracts::hearth::{archive::v1 as archive, billing::v1::*, options::v1::Role};
use testbed::{each, eventually, key, reason};

use crate::{
    dues::{charge_of, due_on, fees, item, late_fees, owe, pay, publish, two_per_mille},
    world::{HEXI, Home, World, day, text},
};

async fn pays_ahead(world: &World<'_>, home: &Home) -> bool {
    let request = GetBalanceRequest {
        account_id: home.account.clone(),
        party_id: None,
    };
    let answer = world.ledger().get_balance(request).await.unwrap().into_inner();
    answer.balance.unwrap().prepayment_required
}

/// Archive stops the credit of a party.
pub async fn hold(world: &World<'_>, home: &Home) {
    let raised = archive::CreditHoldRaised {
        party_id: home.party.clone(),
        branch: HEXI.to_owned(),
        cause: "OVER_LIMIT".to_owned(),
        raised_date: day("2025-03-01"),
        account_ids: vec![home.account.clone()],
    };
    world.archive.tell(&home.party, &raised);
    eventually("the hold", async || pays_ahead(world, home).await.then_some(())).await;
}

fn listed(home: &Home, from: &str, until: &str) -> archive::PartyListedDishonest {
    archive::PartyListedDishonest {
        party_id: home.party.clone(),
        branch: HEXI.to_owned(),
        conduct_code: "GAS_THEFT".to_owned(),
        from_date: day(from),
        until_date: day(until),
    }
}

async fn put_on_list(world: &World<'_>, home: &Home, until: &str) {
    world.archive.tell(&home.party, &listed(home, "2025-01-02", until));
    eventually("the listing", async || pays_ahead(world, home).await.then_some(())).await;
}

#[tokio::test]
async fn g_11_listed_party_pays_ahead_and_is_supplied_and_priced_like_others() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let (home, other) = (world.tell("G1", HEXI, "living", "2024-12-31"), world.home("G2").await);
        world.supply(&home, |s| s.state() == supply::State::InForce).await;
        world.clock("2025-01-05T09:00:00+08:00");
        assert!(!pays_ahead(&world, &home).await);
        put_on_list(&world, &home, "2026-01-02").await;
        assert!(!pays_ahead(&world, &other).await);
        // Basic supply: a meter is installed, read and billed as for anyone.
        world.install(&home, "2024-12-31", "0").await;
        world.clock("2025-01-31T20:00:00+08:00");
        for home in [&home, &other] {
            world.read(home, "2025-01-31", "346").await;
        }
        assert_eq!(world.run(1).await.produced, 2);
        let (own, others) = (world.bills_of(&home).await.remove(0), world.bills_of(&other).await.remove(0));
        // 300 × 2.86 + 46 × 3.36.
        assert_eq!((text(&own.amount), text(&others.amount)), ("1012.56".to_owned(), "1012.56".to_owned()));
        assert_eq!((own.due_date, own.use_class.as_str()), (others.due_date, "living"), "the same term");
        let ended = archive::PartyListingEnded {
            party_id: home.party.clone(),
            branch: HEXI.to_owned(),
            reason: "REVERSED".to_owned(),
        };
        world.archive.tell(&home.party, &ended);
        eventually("the end of the listing", async || (!pays_ahead(&world, &home).await).then_some(())).await;
        put_on_list(&world, &home, "2026-01-02").await;
        world.clock("2026-01-01T09:00:00+08:00");
        assert!(pays_ahead(&world, &home).await);
        world.clock("2026-01-02T09:00:00+08:00");
        assert!(!pays_ahead(&world, &home).await, "G-09: it ends by itself");
        // Of two listings the shorter one does not end the longer one.
        put_on_list(&world, &home, "2030-01-02").await;
        world.archive.tell(&home.party, &listed(&home, "2025-06-01", "2026-06-01"));
        put_on_list(&world, &other, "2030-01-02").await;
        world.clock("2026-06-02T09:00:00+08:00");
        assert!(pays_ahead(&world, &home).await);
    })
    .await;
}

#[tokio::test]
async fn g_11_listed_party_gets_no_favours() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        two_per_mille(&world).await;
        let home = world.home("G1").await;
        let bill = owe(&world, &home, "2500", "2025-02-01").await;
        assert_eq!(due_on(&world, &bill, "2025-02-26").await, "50.00");
        let propose = || ProposeWaiverRequest {
            request_id: key(),
            bill_id: bill.bill_id.clone(),
            amount: None,
            reason: "a favour".to_owned(),
        };
        let mut li = late_fees(&world, "li", Role::Accountant);
        let waiver = li.propose_waiver(propose()).await.unwrap().into_inner().waiver.unwrap();
        put_on_list(&world, &home, "2026-01-02").await;
        let approve = ApproveWaiverRequest {
            request_id: key(),
            waiver_id: waiver.waiver_id.clone(),
            etag: waiver.etag.clone(),
        };
        let mut wang = late_fees(&world, "wang", Role::ServiceManager);
        assert_eq!(reason(&wang.approve_waiver(approve).await.unwrap_err()), "LISTED_DISHONEST");
        let reject = RejectWaiverRequest {
            request_id: key(),
            waiver_id: waiver.waiver_id,
            etag: waiver.etag,
        };
        wang.reject_waiver(reject).await.unwrap();
        assert_eq!(reason(&li.propose_waiver(propose()).await.unwrap_err()), "LISTED_DISHONEST");
        assert_eq!(due_on(&world, &bill, "2025-02-26").await, "50.00", "and no higher late fee either");
    })
    .await;
}

#[tokio::test]
async fn b_05_nothing_is_bought_on_credit_while_the_party_is_held() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let home = world.home("B1").await;
        world.clock("2025-03-10T09:00:00+08:00");
        publish(&world, item("PIPE_MOVE", "80.50")).await;
        hold(&world, &home).await;
        let charge = charge_of(&home, "PIPE_MOVE", "1");
        let refused = fees(&world).charge_fee(charge.clone()).await.unwrap_err();
        assert_eq!(reason(&refused), "PREPAYMENT_REQUIRED");
        assert_eq!(
            (world.bills_of(&home).await.len(), world.balance(&home).await.0),
            (0, "0.00".to_owned()),
            "nothing is left behind"
        );
        pay(&world, &home, "80.49", "1").await;
        assert_eq!(
            reason(&fees(&world).charge_fee(charge.clone()).await.unwrap_err()),
            "PREPAYMENT_REQUIRED",
            "a fen is missing"
        );
        pay(&world, &home, "0.01", "2").await;
        let bill = fees(&world).charge_fee(charge).await.unwrap().into_inner().bill.unwrap();
        assert_eq!((bill.state(), text(&bill.paid).as_str()), (bill::State::Paid, "80.50"));
        assert_eq!(world.balance(&home).await, ("0.00".to_owned(), "0.00".to_owned()));
        let cleared = archive::CreditHoldCleared {
            party_id: home.party.clone(),
            branch: HEXI.to_owned(),
            cleared_date: day("2025-03-10"),
        };
        world.archive.tell(&home.party, &cleared);
        eventually("the end of the hold", async || (!pays_ahead(&world, &home).await).then_some(())).await;
        let bill = fees(&world)
            .charge_fee(charge_of(&home, "PIPE_MOVE", "1"))
            .await
            .unwrap()
            .into_inner()
            .bill
            .unwrap();
        assert_eq!(bill.state(), bill::State::Issued, "on credit again");
        world.sound().await;
    })
    .await;
}
