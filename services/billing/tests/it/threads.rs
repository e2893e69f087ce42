//! What users of other billing systems suffer from (features.md, "Duplicate, missing or blocked bills"), each by the number of its thread. Further
//! threads stand as `thread_NN` where their subject is tested.

use std::collections::BTreeSet;

use contracts::hearth::{
    archive::v1 as archive,
    billing::v1::{fee_item_service_client::FeeItemServiceClient, payment_service_client::PaymentServiceClient, *},
    options::v1::Role,
};
use database::Engine;
use futures::future::join_all;
use sea_orm::{ConnectionTrait, TransactionOptions};
use testbed::{each, each_of, eventually, key, reason};

use crate::{
    dues::{charge_of, item, owing, pay, publish, take},
    world::{HEXI, Home, World, day, text, yuan},
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
        let met = deadlocks(&world).await;
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
                    credits_taken_back: false,
                };
                match accountant.cancel_and_rebill(request).await {
                    Ok(_) => return,
                    // A payment came between the look and the write.
                    Err(status) => assert_eq!(reason(&status), "ETAG_MISMATCH"),
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
        assert_eq!(deadlocks(&world).await, met, "none, not even one that was tried again unseen");
    })
    .await;
}

/// Deadlocks that the database has met so far; none on SQLite, which has one writer. A connection tells its own at the latest when it ends, so all are closed.
async fn deadlocks(world: &World<'_>) -> i64 {
    if world.bed.engine() == Engine::Sqlite {
        return 0;
    }
    let now = world.count("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)").await;
    world.bed.crash().await;
    world.bed.start().await;
    let older = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'
         AND extract(epoch FROM backend_start) * 1000000 < {now}"
    );
    eventually("the connections from before to end", async || (world.count(&older).await == 0).then_some(())).await;
    world.count("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").await
}

/// What a payment writes.
const PAYMENT: [&str; 5] = ["payment", "allocation", "ledger_entry", "event", "number"];

/// How many rows tables have.
async fn rows(world: &World<'_>, tables: &[&str]) -> Vec<i64> {
    let mut counts = vec![];
    for table in tables {
        counts.push(world.count(&format!("SELECT count(*) FROM {table}")).await);
    }
    counts
}

/// The event of a payment goes into a table beside it, in one transaction, and to nobody else: where it cannot be written nothing is paid. That there is no
/// broker to tell stands with the layout of the project.
#[tokio::test]
async fn thread_24_events_leave_by_a_table_in_the_transaction_of_what_they_tell_of() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let (home, _) = owing(&world, "T1", HEXI, "64", "2025-02-01").await;
        let before = rows(&world, &PAYMENT).await;
        let request = take(&home, "64", "1");
        world.sql("ALTER TABLE event RENAME TO elsewhere").await.unwrap();
        let refused = world.cashier().take_payment(request.clone()).await;
        world.sql("ALTER TABLE elsewhere RENAME TO event").await.unwrap();
        assert_eq!(refused.unwrap_err().code(), tonic::Code::Internal);
        assert_eq!(
            (rows(&world, &PAYMENT).await, world.balance(&home).await.0.as_str()),
            (before, "64.00"),
            "no event, no payment"
        );
        world.cashier().take_payment(request).await.unwrap();
        let told = "SELECT count(*) FROM event WHERE kind = 'hearth.billing.v1.PaymentReceived'";
        assert_eq!((world.count(told).await, world.balance(&home).await.0.as_str()), (1, "0.00"));
        world.sound().await;
    })
    .await;
}

/// Transactions of runs.
async fn transactions(world: &World<'_>) -> i64 {
    world.count("SELECT count(*) FROM journal WHERE method = 'billing/bill-run'").await
}

/// What a run writes takes as many transactions for forty-one agreements as for one.
#[tokio::test]
async fn thread_09_bills_are_made_in_sets() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let mut homes = read_homes(&world, 1).await;
        assert_eq!(world.run(1).await.produced, 1);
        let of_one = transactions(&world).await;
        assert!(of_one > 0);
        for n in 1..41 {
            homes.push(world.home(&format!("T{n:02}")).await);
        }
        world.clock("2025-02-28T20:00:00+08:00");
        for home in &homes {
            world.read(home, "2025-02-28", "92").await;
        }
        assert_eq!(world.run(2).await.produced, 41);
        assert_eq!(transactions(&world).await, 2 * of_one);
        world.sound().await;
    })
    .await;
}

/// Each change of a bill or a payment, the service gone right after it: asked again it answers the same and does nothing more, and asked anew it is refused.
#[tokio::test]
async fn thread_11_a_change_that_is_asked_for_again_after_a_crash_has_one_effect() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let homes = read_homes(&world, 3).await;
        world.run(1).await;
        let tables = ["bill", "bill_line", "credit_note", "tier_use", "payment", "allocation", "ledger_entry", "event"];
        // Calls a change, loses the service, calls it again, and calls it with a key of its own.
        macro_rules! once {
            ($client:expr, $call:ident, $request:expr, $refused:literal) => {{
                // One caller: the key of a call is its own.
                let (mut client, request) = ($client, $request);
                let first = client.$call(request.clone()).await.unwrap().into_inner();
                let after = rows(&world, &tables).await;
                bed.crash().await;
                bed.start().await;
                assert_eq!(client.$call(request.clone()).await.unwrap().into_inner(), first, stringify!($call));
                assert_eq!(rows(&world, &tables).await, after, stringify!($call));
                let mut anew = request;
                anew.request_id = key();
                assert_eq!(reason(&client.$call(anew).await.unwrap_err()), $refused, stringify!($call));
                assert_eq!(rows(&world, &tables).await, after, stringify!($call));
                first
            }};
        }
        let bill = async |n: usize| world.bills_of(&homes[n]).await.pop().unwrap();
        let credit = CreditBillRequest {
            request_id: key(),
            bill_id: bill(0).await.bill_id,
            etag: bill(0).await.etag,
            amount: yuan("31.56"),
            reason: "goodwill".to_owned(),
        };
        once!(world.bills(), credit_bill, credit, "ETAG_MISMATCH");
        let reverse = ReverseBillRequest {
            request_id: key(),
            bill_id: bill(0).await.bill_id,
            etag: bill(0).await.etag,
            reason: "wrong".to_owned(),
            reading_was_wrong: false,
        };
        once!(world.bills(), reverse_bill, reverse, "BILL_REVERSED");
        let again = CancelAndRebillRequest {
            request_id: key(),
            bill_id: bill(1).await.bill_id,
            etag: bill(1).await.etag,
            reason: "read twice".to_owned(),
            reading_was_wrong: false,
            credits_taken_back: false,
        };
        once!(world.bills(), cancel_and_rebill, again, "BILL_REVERSED");
        let paid = pay(&world, &homes[2], "100.00", "1").await;
        let bounced = ReversePaymentRequest {
            request_id: key(),
            payment_id: paid.payment_id,
            etag: paid.etag,
            reason: "bounced".to_owned(),
        };
        once!(world.accountant(), reverse_payment, bounced, "PAYMENT_REVERSED");
        for (home, owed) in homes.iter().zip(["0.00", "131.56", "131.56"]) {
            assert_eq!(world.balance(home).await, (owed.to_owned(), "0.00".to_owned()), "{}", home.account_no);
        }
        world.sound().await;
    })
    .await;
}

/// Each reading that a bill ends at is told of once, by the run that bills it; the others, and repeated runs, touch none.
#[tokio::test]
async fn thread_25_a_run_touches_each_reading_once_and_who_was_not_read_not_at_all() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let homes = read_homes(&world, 3).await;
        for n in 3..12 {
            world.home(&format!("T{n:02}")).await;
        }
        let told = async || {
            let events = world
                .count("SELECT count(*) FROM event WHERE kind = 'hearth.billing.v1.MeterReadAccepted'")
                .await;
            (events, world.count("SELECT count(*) FROM reading WHERE state = 'BILLED'").await)
        };
        for (month, on, index, seen) in [(1, "2025-01-31", "46", 3), (2, "2025-02-28", "92", 6)] {
            world.clock(&format!("{on}T20:00:00+08:00"));
            if month == 2 {
                for home in &homes {
                    world.read(home, on, index).await;
                }
            }
            let run = world.run(month).await;
            assert_eq!((run.produced, run.missing + run.not_due), (3, 9));
            assert_eq!(told().await, (seen, seen));
            assert_eq!(world.run(month).await.already, 3);
            assert_eq!(told().await, (seen, seen), "a repeated run touches none");
        }
    })
    .await;
}

/// What was billed is made unreadable: whoever loads it fails. One meter was exchanged, one agreement has ended, one meter was never read.
#[tokio::test]
async fn thread_25_old_readings_stay_where_they_are_whoever_was_exchanged_or_left() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let homes = read_homes(&world, 3).await;
        world.home("T03").await;
        assert_eq!(world.run(1).await.produced, 3);
        world.clock("2025-02-28T20:00:00+08:00");
        let new = world.exchange(&homes[0], "M-NEW", "2025-02-10", (Some("60"), "0")).await;
        world.read(&homes[1], "2025-02-15", "60").await;
        let left = archive::ContractEnded {
            agreement_id: homes[1].agreement.clone(),
            end_date: day("2025-02-15"),
        };
        world.archive.tell(&homes[1].agreement, &left);
        world.supply(&homes[1], |s| s.state() == supply::State::Ended).await;
        world.read(&new, "2025-02-28", "16").await;
        world.read(&homes[2], "2025-02-28", "92").await;
        assert_eq!(world.run(2).await.produced, 3);
        // A chunk that fails is tried agreement by agreement.
        let mut counts = vec![transactions(&world).await];
        for (month, on, one, other) in [(3, "2025-03-31", "46", "138"), (4, "2025-04-30", "76", "184")] {
            world.clock(&format!("{on}T20:00:00+08:00"));
            world.read(&new, on, one).await;
            world.read(&homes[2], on, other).await;
            if month == 4 {
                world
                    .sql("UPDATE reading SET state = 'UNREADABLE' WHERE read_date < '2025-04-01'")
                    .await
                    .unwrap();
            }
            let run = world.run(month).await;
            assert_eq!((run.produced, run.parked, run.missing + run.not_due), (2, 0, 2), "{month}");
            counts.push(transactions(&world).await);
        }
        assert_eq!(counts[2] - counts[1], counts[1] - counts[0], "all of them as one chunk");
        world.sound().await;
    })
    .await;
}

/// The connection of a payment breaks while it waits for the bill that it pays, when all but that is written.
#[tokio::test]
async fn thread_66_a_payment_that_breaks_off_leaves_nothing_to_repair() {
    // SQLite has one writer: nobody can wait within a write.
    each_of(billing::SERVICE, &[Engine::Postgres], async |bed| {
        let world = World::new(bed).await;
        let (home, bill) = owing(&world, "T1", HEXI, "64", "2025-02-01").await;
        let before = rows(&world, &PAYMENT).await;
        let holder = bed.db().writer().begin(TransactionOptions::default()).await.unwrap();
        let lock = format!("SELECT id FROM bill WHERE id = {} FOR UPDATE", world.uuid(&bill.bill_id));
        holder.execute_unprepared(&lock).await.unwrap();
        let (mut cashier, request) = (world.cashier(), take(&home, "64", "1"));
        let asked = request.clone();
        let call = tokio::spawn(async move { cashier.take_payment(asked).await });
        let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%bill%'";
        eventually("a payment that waits for its bill", async || (world.count(waits).await == 1).then_some(())).await;
        world.sql(&waits.replace("count(*)", "pg_terminate_backend(pid)")).await.unwrap();
        eventually("what it wrote to be gone", async || (rows(&world, &PAYMENT).await == before).then_some(())).await;
        holder.commit().await.unwrap();
        drop(call.await.unwrap());
        // Whatever the caller heard, asking again gives one payment.
        world.cashier().take_payment(request).await.unwrap();
        assert_eq!(world.count("SELECT count(*) FROM payment").await, 1);
        assert_eq!(world.balance(&home).await, ("0.00".to_owned(), "0.00".to_owned()));
        world.sound().await;
    })
    .await;
}

/// Two processes on one database give no number and no money twice.
#[tokio::test(flavor = "multi_thread")]
async fn thread_68_writes_through_two_processes_agree() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        publish(&world, item("WORK", "1")).await;
        let home = world.home("T1").await;
        let other = bed.beside().await;
        let charges = (0..40).map(|n| {
            let through = if n % 2 == 0 { bed } else { &other };
            let mut client = FeeItemServiceClient::new(through.staff(&[Role::Accountant]));
            let charge = charge_of(&home, "WORK", "10");
            async move { client.charge_fee(charge).await.unwrap().into_inner().bill.unwrap().bill_no }
        });
        let numbers: BTreeSet<String> = join_all(charges).await.into_iter().collect();
        let wanted: BTreeSet<String> = (1..=40).map(|n| format!("BL-{HEXI}-2025-{n:08}")).collect();
        assert_eq!(numbers, wanted);
        let payments = (0..40).map(|n| {
            let through = if n % 2 == 0 { bed } else { &other };
            let mut cashier = PaymentServiceClient::new(through.staff(&[Role::Cashier]));
            let request = take(&home, "10", &n.to_string());
            async move { cashier.take_payment(request).await.unwrap().into_inner().payment.unwrap().receipt_no }
        });
        let receipts: BTreeSet<String> = join_all(payments).await.into_iter().collect();
        let wanted: BTreeSet<String> = (1..=40).map(|n| format!("RC-{HEXI}-2025-{n:07}")).collect();
        assert_eq!(receipts, wanted);
        assert_eq!(world.balance(&home).await, ("0.00".to_owned(), "0.00".to_owned()));
        world.sound().await;
        other.stop().await;
    })
    .await;
}

/// Who posts to one account waits for nobody who posts to another one; there is no lock over all of them.
#[tokio::test]
async fn thread_69_postings_to_other_accounts_do_not_wait() {
    each_of(billing::SERVICE, &[Engine::Postgres], async |bed| {
        let world = World::new(bed).await;
        let (held, _) = owing(&world, "T1", HEXI, "64", "2025-02-01").await;
        let (free, _) = owing(&world, "T2", HEXI, "64", "2025-02-01").await;
        let holder = bed.db().writer().begin(TransactionOptions::default()).await.unwrap();
        let lock = format!("SELECT id FROM account WHERE id = {} FOR UPDATE", world.uuid(&held.account));
        holder.execute_unprepared(&lock).await.unwrap();
        let (mut cashier, request) = (world.cashier(), take(&held, "64", "1"));
        let waiting = tokio::spawn(async move { cashier.take_payment(request).await });
        let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        eventually("a payment that waits for its account", async || (world.count(waits).await > 0).then_some(())).await;
        pay(&world, &free, "64", "2").await;
        assert_eq!(world.balance(&free).await, ("0.00".to_owned(), "0.00".to_owned()));
        let advisory =
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        assert_eq!((waiting.is_finished(), world.count(advisory).await), (false, 0));
        holder.commit().await.unwrap();
        waiting.await.unwrap().unwrap();
        world.sound().await;
    })
    .await;
}
