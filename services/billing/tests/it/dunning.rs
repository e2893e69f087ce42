//! E2-05, E2-06, A-16 and G-11: the reminder ladder, requests for suspension, credit hold.

use contracts::hearth::{
    archive::v1 as archive,
    billing::v1::{
        dunning_step::Kind::{Demand, Overdue, Reminder},
        *,
    },
};
use testbed::{each, eventually, key};

use crate::{
    dues::{answer, dispute, dunning, owing, pay, reverse},
    world::{HEXI, Home, World, day, text, yuan},
};

pub async fn steps(world: &World<'_>, bill: &Bill) -> Vec<DunningStep> {
    let request = ListDunningStepsRequest {
        bill_id: Some(bill.bill_id.clone()),
        ..Default::default()
    };
    dunning(world).list_dunning_steps(request).await.unwrap().into_inner().steps
}

/// Goes to a day and waits until so many steps are taken of a bill.
pub async fn on(world: &World<'_>, bill: &Bill, date: &str, count: usize) -> Vec<DunningStep> {
    world.clock(&format!("{date}T09:00:00+08:00"));
    eventually("the steps", async || {
        let steps = steps(world, bill).await;
        (steps.len() == count).then_some(steps)
    })
    .await
}

pub fn kinds(steps: &[DunningStep]) -> Vec<(dunning_step::Kind, i32)> {
    steps.iter().map(|s| (s.kind(), s.days)).collect()
}

pub async fn requests(world: &World<'_>, home: &Home) -> Vec<SuspensionRequest> {
    let request = ListSuspensionRequestsRequest {
        account_id: Some(home.account.clone()),
        ..Default::default()
    };
    dunning(world).list_suspension_requests(request).await.unwrap().into_inner().requests
}

async fn told(world: &World<'_>, event: &str) -> i64 {
    world
        .count(&format!("SELECT count(*) FROM event WHERE kind = 'hearth.billing.v1.{event}'"))
        .await
}

/// Homes with a bill of 131.56 of January, due on 2025-02-15.
async fn billed<const N: usize>(world: &World<'_>, numbers: [&str; N]) -> Vec<(Home, Bill)> {
    world.publish_tianjin().await;
    let mut homes = vec![];
    for number in numbers {
        homes.push(world.home(number).await);
    }
    world.clock("2025-01-31T20:00:00+08:00");
    for home in &homes {
        world.read(home, "2025-01-31", "46").await;
    }
    world.run(1).await;
    let mut billed = vec![];
    for home in homes {
        let bill = world.bills_of(&home).await.remove(0);
        assert_eq!(bill.due_date, day("2025-02-15"));
        billed.push((home, bill));
    }
    billed
}

#[tokio::test]
async fn e2_05_ladder_is_climbed_step_by_step_and_stops_on_payment() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let homes = billed(&world, ["T1", "T2"]).await;
        let ((home, bill), (payer, paid)) = (&homes[0], &homes[1]);
        let first = on(&world, bill, "2025-02-12", 1).await;
        assert_eq!((kinds(&first), &first[0].open_amount, &first[0].taken_date), (vec![(Reminder, -3)], &yuan("131.56"), &day("2025-02-12")));
        on(&world, paid, "2025-02-12", 1).await;
        pay(&world, payer, "131.56", "1").await;
        assert_eq!(kinds(&on(&world, bill, "2025-02-16", 3).await)[1..], [(Reminder, 1), (Overdue, 1)]);
        assert_eq!(told(&world, "BillOverdue").await, 1);
        pay(&world, home, "31.56", "2").await;
        let demanded = on(&world, bill, "2025-03-17", 4).await;
        assert_eq!((kinds(&demanded)[3], &demanded[3].open_amount), ((Demand, 30), &yuan("100.00")));
        // The request for suspension, for what is open on this agreement.
        on(&world, bill, "2025-04-16", 5).await;
        let request = eventually("the request", async || requests(&world, home).await.pop()).await;
        assert_eq!((request.state(), text(&request.overdue_amount).as_str(), &request.since_date), (suspension_request::State::Requested, "100.00", &day("2025-02-15")));
        assert_eq!((request.agreement_id.as_str(), request.party_id.as_str()), (home.agreement.as_str(), home.party.as_str()));
        assert_eq!((kinds(&steps(&world, paid).await), requests(&world, payer).await), (vec![(Reminder, -3)], vec![]), "payment stops the ladder");
        assert_eq!(steps(&world, bill).await.len(), 5, "no step twice");
        let twice = format!("INSERT INTO dunning_step SELECT {}, bill_id, bill_no, account_id, branch, kind, days, taken_date, skipped, open_amount FROM dunning_step WHERE kind = 'DEMAND'", world.uuid(&key()));
        assert!(world.sql(&twice).await.unwrap_err().to_string().to_lowercase().contains("unique"));
        world.sound().await;
    })
    .await;
}

async fn request_in(world: &World<'_>, home: &Home, state: suspension_request::State) -> SuspensionRequest {
    eventually("the request", async || requests(world, home).await.pop().filter(|r| r.state() == state)).await
}

#[tokio::test]
async fn edge_40_payment_withdraws_the_request_and_a_bounced_one_asks_anew() {
    each(billing::SERVICE, async |bed| {
        use suspension_request::State::{Requested, Withdrawn};
        let world = World::new(bed).await;
        let homes = billed(&world, ["T1"]).await;
        let (home, bill) = &homes[0];
        on(&world, bill, "2025-03-17", 4).await;
        on(&world, bill, "2025-04-16", 5).await;
        let first = request_in(&world, home, Requested).await;
        let payment = pay(&world, home, "131.56", "1").await;
        assert!(request_in(&world, home, Withdrawn).await.withdraw_time.is_some());
        reverse(&world, &payment).await;
        let second = request_in(&world, home, Requested).await;
        assert_ne!(second.case_id, first.case_id);
        // A dispute takes its ground as well, until it is answered.
        let open = dispute(&world, bill, "2025-04-17").await;
        request_in(&world, home, Withdrawn).await;
        answer(&world, &open, true, "2025-04-18").await;
        request_in(&world, home, Requested).await;
        assert_eq!((told(&world, "SuspensionRequested").await, told(&world, "SuspensionWithdrawn").await), (3, 2));
        assert_eq!(steps(&world, bill).await.len(), 5, "no step twice");
    })
    .await;
}

#[tokio::test]
async fn edge_40_a_bill_that_was_not_demanded_keeps_no_request_alive() {
    each(billing::SERVICE, async |bed| {
        use suspension_request::State::{Requested, Withdrawn};
        let world = World::new(bed).await;
        let homes = billed(&world, ["T1"]).await;
        let (home, bill) = &homes[0];
        world.clock("2025-02-28T20:00:00+08:00");
        world.read(home, "2025-02-28", "92").await;
        assert_eq!(world.run(2).await.produced, 1);
        on(&world, bill, "2025-03-17", 4).await;
        on(&world, bill, "2025-04-16", 5).await;
        // The younger bill is overdue, too; nobody was told that supply ends for it.
        assert_eq!(text(&request_in(&world, home, Requested).await.overdue_amount), "131.56");
        pay(&world, home, "131.56", "1").await;
        request_in(&world, home, Withdrawn).await;
    })
    .await;
}

#[tokio::test]
async fn a_16_nobody_loses_supply_for_what_another_agreement_owes() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let homes = billed(&world, ["T1", "T2"]).await;
        let ((home, bill), (payer, paid)) = (&homes[0], &homes[1]);
        pay(&world, payer, "131.56", "1").await;
        on(&world, bill, "2025-03-17", 4).await;
        on(&world, bill, "2025-04-16", 5).await;
        let request = request_in(&world, home, suspension_request::State::Requested).await;
        assert_eq!(
            (request.agreement_id.as_str(), request.account_id.as_str()),
            (home.agreement.as_str(), home.account.as_str())
        );
        assert_eq!((steps(&world, paid).await, requests(&world, payer).await), (vec![], vec![]));
    })
    .await;
}

#[tokio::test]
async fn e2_05_who_was_not_looked_at_gets_one_letter_and_the_full_time_to_pay() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let homes = billed(&world, ["T1"]).await;
        let (home, bill) = &homes[0];
        let late = on(&world, bill, "2025-05-01", 4).await;
        assert_eq!(late.iter().filter(|s| !s.skipped).map(DunningStep::kind).collect::<Vec<_>>(), [Demand, Overdue]);
        on(&world, bill, "2025-05-31", 5).await;
        eventually("the request", async || requests(&world, home).await.pop()).await;
    })
    .await;
}

#[tokio::test]
async fn e2_06_dispute_stops_the_ladder_and_the_days_do_not_count() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let homes = billed(&world, ["T1", "T2"]).await;
        let ((_, bill), (_, other)) = (&homes[0], &homes[1]);
        on(&world, bill, "2025-02-16", 3).await;
        on(&world, other, "2025-02-16", 3).await;
        let open = dispute(&world, bill, "2025-03-01").await;
        // The other one shows that the day was gone over.
        on(&world, other, "2025-03-17", 4).await;
        assert_eq!(steps(&world, bill).await.len(), 3);
        answer(&world, &open, true, "2025-03-20").await;
        // Thirty days and the nineteen disputed ones.
        let demanded = on(&world, bill, "2025-04-05", 4).await;
        assert_eq!((demanded[3].kind(), &demanded[3].taken_date), (Demand, &day("2025-04-05")));
        assert_eq!((told(&world, "BillDisputed").await, told(&world, "BillDisputeAnswered").await), (1, 1));
    })
    .await;
}

#[tokio::test]
async fn a_04_fees_are_demanded_and_stop_no_supply() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let (home, bill) = owing(&world, "T1", HEXI, "80", "2025-02-01").await;
        let steps = on(&world, &bill, "2025-05-01", 4).await;
        assert_eq!(
            steps.iter().filter(|s| !s.skipped).map(DunningStep::kind).collect::<Vec<_>>(),
            [Demand, Overdue]
        );
        assert_eq!(
            (
                requests(&world, &home).await,
                world.count("SELECT count(*) FROM dunning WHERE next_date IS NULL").await
            ),
            (vec![], 1),
            "the ladder has ended"
        );
    })
    .await;
}

#[tokio::test]
async fn g_11_credit_hold_asks_to_pay_ahead_and_touches_nothing_else() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let homes = billed(&world, ["T1"]).await;
        let (home, bill) = &homes[0];
        let required = async || {
            let request = GetBalanceRequest {
                account_id: home.account.clone(),
                party_id: None,
            };
            world
                .ledger()
                .get_balance(request)
                .await
                .unwrap()
                .into_inner()
                .balance
                .unwrap()
                .prepayment_required
        };
        assert!(!required().await);
        let raised = archive::CreditHoldRaised {
            party_id: home.party.clone(),
            branch: HEXI.to_owned(),
            cause: "OVER_TERM".to_owned(),
            raised_date: day("2025-02-01"),
            account_ids: vec![home.account.clone()],
        };
        world.archive.tell(&home.party, &raised);
        eventually("the hold", async || required().await.then_some(())).await;
        let before = kinds(&on(&world, bill, "2025-02-12", 1).await);
        assert_eq!(before, [(Reminder, -3)], "the ladder is climbed as always");
        // Supply and price stay: the next month is billed like the first one.
        world.clock("2025-02-28T20:00:00+08:00");
        world.read(home, "2025-02-28", "92").await;
        world.run(2).await;
        assert_eq!(text(&world.bills_of(home).await[1].amount), "131.56");
        let cleared = archive::CreditHoldCleared {
            party_id: home.party.clone(),
            branch: HEXI.to_owned(),
            cleared_date: day("2025-02-20"),
        };
        world.archive.tell(&home.party, &cleared);
        eventually("the end of the hold", async || (!required().await).then_some(())).await;
        world.archive.tell(&home.party, &raised);
        eventually("the hold anew", async || required().await.then_some(())).await;
    })
    .await;
}
