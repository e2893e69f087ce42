//! What users of other billing systems suffer from (features.md, "Duplicate, missing or blocked bills"), each by the number of its thread. Further
//! threads stand as `thread_NN` where their subject is tested.

use contracts::hearth::billing::v1::*;
use futures::future::join_all;
use testbed::{each, key};

use crate::{
    dues::{owing, pay},
    world::{HEXI, Home, World, text},
};

async fn read_homes(world: &World<'_>, count: usize) -> Vec<Home> {
    world.publish_tianjin().await;
    let mut homes = vec![];
    for n in 0..count {
        homes.push(world.home(&format!("T{n:02}")).await);
    }
    world.clock("2025-01-31T20:00:00+08:00");
    for home in &homes {
        world.read(home, "2025-01-31", "46").await;
    }
    homes
}

#[tokio::test]
async fn thread_01_bills_of_one_account_that_are_made_at_once_sum_up_to_what_it_owes() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let homes = read_homes(&world, 8).await;
        let account = world.uuid(&homes[0].account);
        world.sql(&format!("UPDATE supply SET account_id = {account}")).await.unwrap();
        let runs = join_all((0..4).map(|_| world.start_run(2025, 1))).await;
        for run in runs {
            world.finished(&run).await;
        }
        // 46 × 2.86 = 131.56 for each of the eight.
        assert_eq!(world.balance(&homes[0]).await, ("1052.48".to_owned(), "0.00".to_owned()));
        assert_eq!(world.count("SELECT count(*) FROM bill").await, 8);
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn thread_04_cashiers_who_post_at_once_are_all_served() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let (shared, bill) = owing(&world, "T00", HEXI, "64", "2025-02-01").await;
        let mut homes = vec![shared];
        for n in 1..8 {
            homes.push(owing(&world, &format!("T{n:02}"), HEXI, "8", "2025-02-01").await.0);
        }
        let postings = (0..64).map(|n| {
            let (world, home) = (&world, &homes[if n % 2 == 0 { 0 } else { n % 7 + 1 }]);
            async move { pay(world, home, "1", &n.to_string()).await }
        });
        let taken = join_all(postings).await;
        assert_eq!(taken.len(), 64);
        let after = world.bills_of(&homes[0]).await;
        assert_eq!((after[0].bill_id == bill.bill_id, text(&after[0].paid)), (true, "32.00".to_owned()));
        assert_eq!(text(&world.sound().await.cash), "64.00");
    })
    .await;
}

#[tokio::test]
async fn thread_05_a_hundred_runs_over_one_month_make_one_bill() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        read_homes(&world, 1).await;
        let mut produced = 0;
        for runs in 0..10 {
            let started = join_all((0..10).map(|_| world.start_run(2025, 1))).await;
            for run in started {
                let run = world.finished(&run).await;
                produced += run.produced;
                assert_eq!(run.produced + run.already, 1, "batch {runs}: every run says what became of the agreement");
            }
        }
        assert_eq!((produced, world.count("SELECT count(*) FROM bill").await), (1, 1));
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn thread_10_a_run_payments_corrections_and_readings_beside_each_other_meet_no_deadlock() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let homes = read_homes(&world, 16).await;
        world.run(1).await;
        world.clock("2025-02-28T20:00:00+08:00");
        let first = world
            .bills()
            .list_bills(ListBillsRequest {
                page_size: 500,
                ..Default::default()
            })
            .await
            .unwrap()
            .into_inner()
            .bills;
        let readings = homes.iter().map(|home| async { drop(world.read(home, "2025-02-28", "92").await) });
        let payments = homes.iter().map(|home| async { drop(pay(&world, home, "131.56", &home.account_no).await) });
        let corrections = first.iter().step_by(2).map(|bill| async {
            let mut accountant = world.bills();
            for _ in 0..20 {
                let request = GetBillRequest {
                    bill_id: bill.bill_id.clone(),
                    party_id: None,
                };
                let now = accountant.get_bill(request).await.unwrap().into_inner().bill.unwrap();
                let request = CancelAndRebillRequest {
                    request_id: key(),
                    bill_id: now.bill_id,
                    etag: now.etag,
                    reason: "read twice".to_owned(),
                    reading_was_wrong: false,
                };
                match accountant.cancel_and_rebill(request).await {
                    Ok(_) => return,
                    // A payment came between the look and the write.
                    Err(status) => assert_eq!(testbed::reason(&status), "ETAG_MISMATCH"),
                }
            }
            panic!("the bill never stood still");
        });
        let runs = (0..3).map(|_| async { drop(world.finished(&world.start_run(2025, 1).await).await) });
        futures::join!(join_all(readings), join_all(payments), join_all(corrections), join_all(runs));
        let run = world.run(2).await;
        assert_eq!((run.parked, run.missing), (0, 0));
        // Two months of 131.56 each, of which one is paid.
        for home in &homes {
            assert_eq!(world.balance(home).await, ("131.56".to_owned(), "0.00".to_owned()), "{}", home.account_no);
        }
        world.sound().await;
    })
    .await;
}
