//! The ledger, by raw SQL: what the database refuses whoever asks.

use contracts::hearth::billing::v1::*;
use database::Engine;
use sea_orm::{ConnectionTrait, TransactionOptions};
use testbed::{each, key};

use crate::world::{World, yuan};

async fn paid(world: &World<'_>) {
    world.publish_tianjin().await;
    let home = world.home("T1").await;
    world.clock("2025-01-31T20:00:00+08:00");
    world.read(&home, "2025-01-31", "46").await;
    world.run(1).await;
    let take = TakePaymentRequest {
        request_id: key(),
        account_id: home.account.clone(),
        amount: yuan("200.00"),
        channel: "COUNTER".to_owned(),
        channel_reference: "1".to_owned(),
        bill_ids: vec![],
    };
    world.cashier().take_payment(take).await.unwrap();
}

/// Statements of one transaction; the outcome of the first that fails or of the commit.
async fn together(world: &World<'_>, statements: &[String]) -> Result<(), String> {
    let db = world.bed.db();
    let tx = db.writer().begin(TransactionOptions::default()).await.unwrap();
    for statement in statements {
        tx.execute_unprepared(statement).await.map_err(|e| e.to_string())?;
    }
    tx.commit().await.map_err(|e| e.to_string())
}

#[tokio::test]
async fn thread_74_d_06_transactions_sum_up_to_0_and_stay_as_they_are() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        paid(&world).await;
        let before = world.sound().await;
        let transaction = |id: &str, sealed: bool| {
            format!(
                "INSERT INTO ledger_transaction (id, kind, reference, branch, date, posted_at, sealed) VALUES ({0}, 'PAYMENT', {0}, '河西区', '2025-01-31', 0, {sealed})",
                world.uuid(id)
            )
        };
        let entry = |id: &str, amount: i64| {
            format!(
                "INSERT INTO ledger_entry (id, transaction_id, book, detail, account_id, amount) VALUES ({}, {}, 'CASH', 'COUNTER', NULL, {amount})",
                world.uuid(&key()),
                world.uuid(id)
            )
        };
        let seal = |id: &str| format!("UPDATE ledger_transaction SET sealed = true WHERE id = {}", world.uuid(id));
        let id = key();
        together(&world, &[transaction(&id, false), entry(&id, 100), entry(&id, -100), seal(&id)]).await.unwrap();
        let fails = async |statements: &[String], rule: &str| {
            let refused = together(&world, statements).await.unwrap_err();
            assert!(refused.contains(rule), "{rule}: {refused}");
        };
        let id = key();
        fails(&[transaction(&id, false), entry(&id, 100), entry(&id, -99), seal(&id)], "ledger_balance").await;
        fails(&[transaction(&id, false), seal(&id)], "ledger_balance").await;
        fails(&[transaction(&id, false), entry(&id, 0), seal(&id)], "ledger_balance").await;
        fails(&[transaction(&id, true)], "ledger_is_sealed_last").await;
        fails(&[entry(&key(), 100)], "ledger_entry_is_append_only").await;
        fails(&["UPDATE ledger_transaction SET sealed = false".to_owned()], "append_only").await;
        fails(&["UPDATE ledger_transaction SET kind = 'X'".to_owned()], "append_only").await;
        fails(&["DELETE FROM ledger_transaction".to_owned()], "append_only").await;
        fails(&["UPDATE ledger_entry SET amount = amount + 1".to_owned()], "append_only").await;
        fails(&["DELETE FROM ledger_entry".to_owned()], "append_only").await;
        fails(&["UPDATE allocation SET amount = 1".to_owned()], "append_only").await;
        fails(&["DELETE FROM allocation".to_owned()], "append_only").await;
        fails(&["DELETE FROM payment".to_owned()], "append_only").await;
        fails(&["UPDATE bill_line SET amount = 1".to_owned()], "append_only").await;
        let posted = world.count("SELECT count(*) FROM ledger_transaction WHERE sealed").await;
        let late = format!(
            "INSERT INTO ledger_entry (id, transaction_id, book, detail, account_id, amount) SELECT {}, id, 'CASH', 'COUNTER', NULL, 5 FROM ledger_transaction WHERE sealed LIMIT 1",
            world.uuid(&key())
        );
        fails(&[late], "ledger_entry_is_append_only").await;
        let after = world.ledger().verify_ledger(VerifyLedgerRequest {}).await.unwrap().into_inner().report.unwrap();
        assert_eq!((after.transactions, posted), (before.transactions + 1, before.transactions + 1));
        assert_eq!(after.faults, Vec::<String>::new(), "what was refused left nothing");
        assert_eq!((after.receivable, after.prepayment, after.revenue, after.cash), (yuan("0.00"), yuan("68.44"), yuan("131.56"), yuan("200.00")));
    })
    .await;
}

#[tokio::test]
async fn verify_names_what_disagrees_with_the_ledger() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        paid(&world).await;
        world.sql("UPDATE payment SET unallocated = 0").await.unwrap();
        let report = world.ledger().verify_ledger(VerifyLedgerRequest {}).await.unwrap().into_inner().report.unwrap();
        assert_eq!(
            report.faults,
            [
                "1 accounts whose prepayment differs from the ledger",
                "1 payments whose shares differ from their amount"
            ]
        );
        world.sql("UPDATE payment SET unallocated = 6844").await.unwrap();
        world.sound().await;
        // 46 m³ are billed: one litre less in the tier year, and one less in its only line.
        let off = async |what: &str, litres: &str| {
            world.sql(&format!("UPDATE {what} SET volume = volume {litres}")).await.unwrap();
            world
                .ledger()
                .verify_ledger(VerifyLedgerRequest {})
                .await
                .unwrap()
                .into_inner()
                .report
                .unwrap()
                .faults
        };
        assert_eq!(
            off("tier_use", "- 1").await,
            ["1 bills whose volume differs from what they count in their tier years"]
        );
        assert_eq!(off("tier_use", "+ 1").await, [""; 0]);
        let lines_may_change = match bed.engine() {
            Engine::Postgres => "ALTER TABLE bill_line DISABLE TRIGGER bill_line_no_change",
            Engine::Sqlite => "DROP TRIGGER bill_line_no_update",
        };
        world.sql(lines_may_change).await.unwrap();
        assert_eq!(off("bill_line", "- 1").await, ["1 bills whose lines do not count their volume"]);
        assert_eq!(off("bill_line", "+ 46001").await, [""; 0], "two prices of one volume count it twice");
    })
    .await;
}
