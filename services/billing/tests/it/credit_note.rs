//! B23: credit notes over parts of a bill.

use contracts::hearth::{billing::v1::*, r#type::v1::Money};
use prost::Message;
use sea_orm::{ConnectionTrait, Statement};
use testbed::{each, key, reason};

use crate::{
    dues::{due_on, owing, pay, two_per_mille},
    world::{HEXI, World, text, yuan},
};

fn credit(bill: &Bill, amount: &str) -> CreditBillRequest {
    CreditBillRequest {
        request_id: key(),
        bill_id: bill.bill_id.clone(),
        etag: bill.etag.clone(),
        amount: yuan(amount),
        reason: "the price of the second tier was announced late".to_owned(),
    }
}

async fn seen(world: &World<'_>, bill: &Bill) -> GetBillResponse {
    let request = GetBillRequest {
        bill_id: bill.bill_id.clone(),
        party_id: None,
    };
    world.bills().get_bill(request).await.unwrap().into_inner()
}

fn shares(note: &CreditNote) -> Vec<(i32, String)> {
    note.lines.iter().map(|l| (l.line, text(&l.amount))).collect()
}

fn fen(money: Option<Money>) -> i64 {
    money.unwrap().minor_units
}

async fn told(world: &World<'_>) -> Vec<(i64, i64, bool)> {
    let db = world.bed.db();
    let kind = "SELECT data FROM event WHERE kind = 'hearth.billing.v1.BillCredited' ORDER BY id";
    let rows = db
        .reader()
        .query_all_raw(Statement::from_string(db.reader().get_database_backend(), kind))
        .await
        .unwrap();
    rows.iter()
        .map(|row| {
            let data: Vec<u8> = row.try_get_by_index(0).unwrap();
            let event = BillCredited::decode(data.as_slice()).unwrap();
            (fen(event.amount), fen(event.credited), event.settled)
        })
        .collect()
}

#[tokio::test]
async fn thread_75_b23_credit_notes_over_any_split_sum_up_to_the_bill() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let home = world.home("N1").await;
        world.clock("2025-01-31T20:00:00+08:00");
        world.read(&home, "2025-01-31", "480").await;
        world.run(1).await;
        // 300 × 2.86 and 180 × 3.36.
        let bill = seen(&world, &world.bills_of(&home).await[0]).await.bill.unwrap();
        assert_eq!(bill.lines.iter().map(|l| text(&l.amount)).collect::<Vec<_>>(), ["858.00", "604.80"]);
        pay(&world, &home, "1400", "1").await;
        assert_eq!(reason(&world.bills().credit_bill(credit(&bill, "1")).await.unwrap_err()), "ETAG_MISMATCH");
        let bill = seen(&world, &bill).await.bill.unwrap();
        for (amount, wanted) in [
            ("0", "AMOUNT_RANGE"),
            ("-1", "AMOUNT_RANGE"),
            ("1462.80", "CREDIT_NOT_BELOW_BILL"),
            ("1462.81", "CREDIT_NOT_BELOW_BILL"),
        ] {
            assert_eq!(reason(&world.bills().credit_bill(credit(&bill, amount)).await.unwrap_err()), wanted, "{amount}");
        }
        assert_eq!(world.balance(&home).await, ("62.80".to_owned(), "0.00".to_owned()));
        let request = credit(&bill, "100");
        let mut accountant = world.bills();
        let answer = accountant.credit_bill(request.clone()).await.unwrap().into_inner();
        // 5865.46 and 4134.54 fen: cut, and the fen left goes to the larger remainder.
        assert_eq!(shares(answer.credit_note.as_ref().unwrap()), [(1, "58.65".to_owned()), (2, "41.35".to_owned())]);
        assert_eq!(accountant.credit_bill(request).await.unwrap().into_inner(), answer, "a repetition");
        let bill = answer.bill.unwrap();
        assert_eq!(
            (bill.state(), text(&bill.amount), text(&bill.credited), text(&bill.paid)),
            (bill::State::Paid, "1462.80".to_owned(), "100.00".to_owned(), "1362.80".to_owned())
        );
        // 62.80 were owed; the other 37.20 were paid ahead.
        assert_eq!(world.balance(&home).await, ("0.00".to_owned(), "37.20".to_owned()));
        world.sound().await;
        // 799.35 and 563.45 stand: the fen is nearer to the first.
        let answer = world.bills().credit_bill(credit(&bill, "0.01")).await.unwrap().into_inner();
        assert_eq!(shares(answer.credit_note.as_ref().unwrap()), [(1, "0.01".to_owned())]);
        assert_eq!(told(&world).await, [(10_000, 10_000, true), (1, 10_001, true)]);
        let bill = answer.bill.unwrap();
        let reverse = ReverseBillRequest {
            request_id: key(),
            bill_id: bill.bill_id.clone(),
            etag: bill.etag.clone(),
            reason: "all of it was wrong".to_owned(),
            reading_was_wrong: false,
        };
        world.bills().reverse_bill(reverse).await.unwrap();
        let after = seen(&world, &bill).await;
        let notes: Vec<_> = after.credit_notes.iter().map(|n| (text(&n.amount), shares(n))).collect();
        assert_eq!(notes[2], ("1362.79".to_owned(), vec![(1, "799.34".to_owned()), (2, "563.45".to_owned())]));
        assert_eq!(after.credit_notes.iter().map(|n| n.amount.as_ref().unwrap().minor_units).sum::<i64>(), 146_280);
        assert_eq!(after.bill.unwrap().credit_note_no, after.credit_notes[2].credit_note_no);
        assert_eq!(world.balance(&home).await, ("0.00".to_owned(), "1400.00".to_owned()));
        world.sound().await;
        for sql in [
            "UPDATE credit_note SET amount = 1",
            "DELETE FROM credit_note",
            "UPDATE credit_note_line SET amount = 1",
        ] {
            assert!(world.sql(sql).await.unwrap_err().to_string().contains("append_only"), "{sql}");
        }
        // The use stands once more, and is billed anew in full.
        assert_eq!(world.run(1).await.produced, 1);
        assert_eq!(text(&world.bills_of(&home).await[1].amount), "1462.80");
    })
    .await;
}

#[tokio::test]
async fn b23_small_notes_are_shared_by_what_stands_and_not_by_what_was_billed() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let home = world.home("N3").await;
        world.clock("2025-01-31T20:00:00+08:00");
        world.read(&home, "2025-01-31", "480").await;
        world.run(1).await;
        let mut bill = world.bills_of(&home).await.remove(0);
        let mut notes = vec![];
        for amount in ["1462.70", "0.01", "0.01", "0.01", "0.01"] {
            let answer = world.bills().credit_bill(credit(&bill, amount)).await.unwrap().into_inner();
            notes.push(shares(&answer.credit_note.unwrap()));
            bill = answer.bill.unwrap();
        }
        // 6 and 4 fen stand, then 5 and 4, 4 and 4, 3 and 4: a tie goes to the first line.
        assert_eq!(notes[0], [(1, "857.94".to_owned()), (2, "604.76".to_owned())]);
        assert_eq!(notes[1..].iter().map(|n| n[0].0).collect::<Vec<_>>(), [1, 1, 1, 2]);
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn b23_what_is_credited_bears_no_late_fee_from_the_next_day_and_is_not_asked_for() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        two_per_mille(&world).await;
        let (home, bill) = owing(&world, "N2", HEXI, "2500", "2025-02-01").await;
        // H-TJ: 2500 × 2 per mille × 10 days.
        assert_eq!(due_on(&world, &bill, "2025-02-26").await, "50.00");
        world.clock("2025-02-26T10:00:00+08:00");
        let bill = world.bills().credit_bill(credit(&bill, "500")).await.unwrap().into_inner().bill.unwrap();
        assert_eq!(bill.state(), bill::State::Issued);
        assert_eq!(world.balance(&home).await, ("2000.00".to_owned(), "0.00".to_owned()));
        // 2000 × 2 per mille × 5 days besides.
        assert_eq!(due_on(&world, &bill, "2025-03-03").await, "70.00");
        // Late fee first, then the bill.
        pay(&world, &home, "2070", "2").await;
        let paid = seen(&world, &bill).await.bill.unwrap();
        assert_eq!((paid.state(), text(&paid.paid)), (bill::State::Paid, "2000.00".to_owned()));
        assert_eq!(world.balance(&home).await, ("0.00".to_owned(), "0.00".to_owned()));
        world.sound().await;
    })
    .await;
}
