//! Files of payments, and reads that a whole export needs.

use contracts::hearth::{
    billing::v1::{ledger_service_client::LedgerServiceClient, payment_service_client::PaymentServiceClient, reading_service_client::ReadingServiceClient, *},
    options::v1::Role,
};
use testbed::{each, eventually, key, reason};

use crate::{
    dues::{due_on, late_fee, owing, pay, reverse, two_per_mille},
    world::{HEPING, HEXI, Home, World, day, text, yuan},
};

fn row(line: i32, account_no: &str, amount: &str, reference: &str, paid_at: &str) -> PaymentRow {
    PaymentRow {
        line,
        account_no: account_no.to_owned(),
        amount: amount.to_owned(),
        channel: "BANK".to_owned(),
        channel_reference: reference.to_owned(),
        paid_at: paid_at.to_owned(),
        service: String::new(),
    }
}

async fn import(world: &World<'_>, dry_run: bool, rows: Vec<PaymentRow>) -> ImportPaymentsResponse {
    let chunk = ImportPaymentsRequest {
        request_id: key(),
        dry_run,
        rows,
    };
    world
        .cashier()
        .import_payments(tokio_stream::iter([chunk]))
        .await
        .unwrap()
        .into_inner()
        .message()
        .await
        .unwrap()
        .unwrap()
}

/// A home with bills of 131.56 (due 15 February) and 102.96 (due 15 March).
async fn billed(world: &World<'_>, account_no: &str, branch: &str) -> Home {
    let home = world.home_in(account_no, branch).await;
    world.clock("2025-01-31T20:00:00+08:00");
    world.read(&home, "2025-01-31", "46").await;
    world.run(1).await;
    world.clock("2025-02-28T20:00:00+08:00");
    world.read(&home, "2025-02-28", "82").await;
    world.run(2).await;
    home
}

#[tokio::test]
async fn edge_22_a_file_of_payments_is_taken_once_and_pays_on_its_day() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        two_per_mille(&world).await;
        world.publish_tianjin().await;
        let home = billed(&world, "T1", HEXI).await;
        world.clock("2025-03-01T09:00:00+08:00");
        let late = world.bills_of(&home).await.remove(0);
        // 131.56 x 2 per mille x 14 days is 3.68368.
        let written = async || {
            late_fee(&world, &late)
                .await
                .entries
                .iter()
                .map(|e| e.amount.as_ref().unwrap().minor_units)
                .sum::<i64>()
        };
        eventually("the late fee", async || (written().await == 368).then_some(())).await;
        let rows = vec![
            row(2, "T1", "131.56", "R1", "2025-02-10"),
            row(3, "T1", "131.56", "R1", "2025-02-10"),
            row(4, "T9", "10.00", "R2", "2025-02-10"),
            row(5, "T1", "1.234", "R3", "2025-02-10"),
            row(6, "T1", "131.00", "R1", "2025-02-10"),
            row(7, "T1", "5.00", "R4", "2025-03-02"),
            row(8, "T1", "200.00", "R5", "2025-02-28T10:00:00+08:00"),
        ];
        let seen = |answer: &ImportPaymentsResponse| {
            let refused: Vec<_> = answer.refused.iter().map(|r| (r.line, r.reason.clone())).collect();
            (answer.accepted, answer.repeats, text(&answer.amount), refused)
        };
        let refused: Vec<_> = [(4, "ACCOUNT_UNKNOWN"), (5, "AMOUNT"), (6, "PAYMENT_REFERENCE_UNIQUE"), (7, "FUTURE_PAYMENT")]
            .map(|(line, reason)| (line, reason.to_owned()))
            .to_vec();
        let dry = import(&world, true, rows.clone()).await;
        assert_eq!(seen(&dry), (2, 1, "331.56".to_owned(), refused.clone()));
        assert_eq!(world.count("SELECT count(*) FROM payment").await, 0, "a dry run keeps nothing");
        let first = import(&world, false, rows.clone()).await;
        assert_eq!(seen(&first), (2, 1, "331.56".to_owned(), refused.clone()));
        let again = import(&world, false, rows).await;
        assert_eq!(seen(&again), (0, 3, "0.00".to_owned(), refused));
        // Paid on the 10th, before it was due: no late fee, whenever the file came, and what had accrued is taken back.
        assert_eq!((written().await, text(&late_fee(&world, &late).await.accrued).as_str()), (0, "0.00"));
        let paid: Vec<_> = world.bills_of(&home).await.iter().map(|b| text(&b.paid)).collect();
        assert_eq!(paid, ["131.56", "102.96"]);
        assert_eq!(world.balance(&home).await, ("0.00".to_owned(), "97.04".to_owned()));
        assert_eq!(world.count("SELECT count(*) FROM allocation WHERE part IS NOT NULL").await, 0);
        let list = |from: &str, until: &str, branch: &str| ListPaymentsRequest {
            from_date: day(from),
            until_date: day(until),
            branch: branch.to_owned(),
            state: payment::State::Taken.into(),
            ..Default::default()
        };
        for (request, found) in [
            (list("2025-02-10", "2025-02-10", ""), vec!["R1"]),
            (list("2025-02-11", "2025-03-01", HEXI), vec!["R5"]),
            (list("2025-02-01", "2025-03-01", HEPING), vec![]),
        ] {
            let payments = world.accountant().list_payments(request).await.unwrap().into_inner().payments;
            assert_eq!(payments.iter().map(|p| p.channel_reference.as_str()).collect::<Vec<_>>(), found);
        }
        let mut reader = PaymentServiceClient::new(bed.staff(&[Role::Reader, Role::Cashier]));
        let chunk = ImportPaymentsRequest {
            request_id: key(),
            dry_run: false,
            rows: vec![row(2, "T1", "1.00", "R9", "2025-02-10")],
        };
        let mut answers = reader.import_payments(tokio_stream::iter([chunk])).await.unwrap().into_inner();
        assert_eq!(reason(&answers.message().await.unwrap_err()), "READER_TAKES_NO_CASH");
        let mut elsewhere = PaymentServiceClient::new(bed.staff_of(HEPING, &[Role::Cashier]));
        let chunk = ImportPaymentsRequest {
            request_id: key(),
            dry_run: false,
            rows: vec![row(2, "T1", "1.00", "R9", "2025-02-10")],
        };
        let mut answers = elsewhere.import_payments(tokio_stream::iter([chunk])).await.unwrap().into_inner();
        assert_eq!(answers.message().await.unwrap().unwrap().refused[0].reason, "ACCOUNT_UNKNOWN");
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn late_fee_9_4_a_payment_of_an_earlier_day_lowers_the_base_from_its_day() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        two_per_mille(&world).await;
        let (_, bill) = owing(&world, "T1", HEXI, "2500", "2025-02-01").await;
        // Due on the 16th: 2500 x 2 per mille x 20.
        assert_eq!(due_on(&world, &bill, "2025-03-08").await, "100.00");
        let answer = import(&world, false, vec![row(2, "T1", "1000.00", "R1", "2025-02-26")]).await;
        assert_eq!((answer.accepted, answer.refused), (1, vec![]));
        // On its day 50.00 of late fee were due, so 950.00 paid the bill: 2500 x 10 days and 1550 x 10 days.
        let fee = late_fee(&world, &bill).await;
        let seen = [&fee.accrued, &fee.paid, &fee.due, &fee.principal].map(text);
        assert_eq!(seen, ["81.00", "50.00", "31.00", "1550.00"]);
        // One more of before it was due: 300.00 less all the time, nothing of it late fee.
        let answer = import(&world, false, vec![row(3, "T1", "300.00", "R2", "2025-02-16")]).await;
        assert_eq!((answer.accepted, answer.refused), (1, vec![]));
        let fee = late_fee(&world, &bill).await;
        let seen = [&fee.accrued, &fee.paid, &fee.due, &fee.principal].map(text);
        // 2200 x 10 days and 1250 x 10 days.
        assert_eq!(seen, ["69.00", "50.00", "19.00", "1250.00"]);
        assert_eq!(text(&fee.entries.last().unwrap().amount), "-12.00");
        assert_eq!(world.sound().await.revenue, yuan("2550.00"));
    })
    .await;
}

#[tokio::test]
async fn late_fee_9_4_what_was_paid_of_it_for_days_that_were_paid_already_is_given_back() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        two_per_mille(&world).await;
        let (home, bill) = owing(&world, "T1", HEXI, "2500", "2025-02-01").await;
        // Fifteen days after due: 75.00 of late fee and 25.00 of the bill.
        assert_eq!(due_on(&world, &bill, "2025-03-03").await, "75.00");
        pay(&world, &home, "100.00", "1").await;
        world.clock("2025-03-08T09:00:00+08:00");
        let answer = import(&world, false, vec![row(2, "T1", "2400.00", "R1", "2025-02-26")]).await;
        assert_eq!((answer.accepted, answer.refused), (1, vec![]));
        // 2500 x 10 days, 100 x 5 days and 75 x 5 days, at 2 per mille: 50 + 1 + 0.75. The other 23.25 pay the bill.
        let fee = late_fee(&world, &bill).await;
        let seen = [&fee.accrued, &fee.paid, &fee.due, &fee.principal].map(text);
        assert_eq!(seen, ["51.75", "51.75", "0.00", "51.75"]);
        assert_eq!(world.balance(&home).await, ("51.75".to_owned(), "0.00".to_owned()));
        assert_eq!(world.sound().await.revenue, yuan("2551.75"));
        // Taken back, the counter's payment leaves nothing of itself.
        let request = ListPaymentsRequest {
            account_id: Some(home.account.clone()),
            ..Default::default()
        };
        let first = world.accountant().list_payments(request).await.unwrap().into_inner().payments.remove(0);
        reverse(&world, &first).await;
        assert_eq!(world.balance(&home).await.0, "100.00");
        // 50 and ten days on 100.
        assert_eq!(text(&late_fee(&world, &bill).await.due), "52.00");
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn d_06_the_whole_ledger_is_read_page_by_page() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let home = billed(&world, "T1", HEXI).await;
        world.clock("2025-03-01T20:00:00+08:00");
        import(&world, false, vec![row(2, "T1", "200.00", "R1", "2025-02-10")]).await;
        let other = world.home_in("T2", HEPING).await;
        world.read(&other, "2025-03-01", "46").await;
        world.clock("2025-03-31T09:00:00+08:00");
        world.run(3).await;
        let mut request = ListTransactionsRequest {
            page_size: 2,
            ..Default::default()
        };
        let mut all = vec![];
        loop {
            let page = world.ledger().list_transactions(request.clone()).await.unwrap().into_inner();
            all.extend(page.transactions);
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        let kinds: Vec<_> = all.iter().map(|t| (t.kind.as_str(), t.branch.as_str(), t.date)).collect();
        assert_eq!(
            kinds,
            [
                ("BILL", HEXI, day("2025-01-31")),
                ("BILL", HEXI, day("2025-02-28")),
                ("PAYMENT", HEXI, day("2025-03-01")),
                ("BILL", HEPING, day("2025-03-31")),
            ]
        );
        for transaction in &all {
            let sum: i64 = transaction.entries.iter().map(|e| e.amount.as_ref().unwrap().minor_units).sum();
            assert_eq!((sum, transaction.entries.len() > 1), (0, true));
        }
        let books: Vec<_> = all[2]
            .entries
            .iter()
            .map(|e| (e.book.as_str(), text(&e.amount), e.account_id.is_empty()))
            .collect();
        assert_eq!(books, [("CASH", "200.00".to_owned(), true), ("RECEIVABLE", "-200.00".to_owned(), false)]);
        let count = async |request: ListTransactionsRequest| world.ledger().list_transactions(request).await.unwrap().into_inner().transactions.len();
        let all_of = ListTransactionsRequest::default;
        assert_eq!(
            count(ListTransactionsRequest {
                branch: HEXI.to_owned(),
                ..all_of()
            })
            .await,
            3
        );
        assert_eq!(
            count(ListTransactionsRequest {
                kind: "PAYMENT".to_owned(),
                ..all_of()
            })
            .await,
            1
        );
        assert_eq!(
            count(ListTransactionsRequest {
                account_id: Some(other.account.clone()),
                ..all_of()
            })
            .await,
            1
        );
        let february = ListTransactionsRequest {
            from_date: day("2025-02-01"),
            until_date: day("2025-02-28"),
            ..all_of()
        };
        assert_eq!(count(february).await, 1);
        let mut local = LedgerServiceClient::new(bed.staff_of(HEPING, &[Role::Accountant]));
        assert_eq!(local.list_transactions(all_of()).await.unwrap().into_inner().transactions.len(), 1);
        // A token is good for its own question only.
        let turned = ListTransactionsRequest {
            kind: "BILL".to_owned(),
            ..request
        };
        assert_eq!(reason(&world.ledger().list_transactions(turned).await.unwrap_err()), "PAGE_TOKEN_INVALID");
        let mut cashier = LedgerServiceClient::new(bed.staff(&[Role::Cashier]));
        assert_eq!(cashier.list_transactions(all_of()).await.unwrap_err().code(), tonic::Code::PermissionDenied);
        // Readings and bills without an account, for auditors.
        let mut auditor = ReadingServiceClient::new(bed.staff(&[Role::Auditor]));
        let readings = async |request: ListReadingsRequest| auditor.clone().list_readings(request).await.unwrap().into_inner().readings.len();
        assert_eq!(readings(ListReadingsRequest::default()).await, 3);
        let of_home = ListReadingsRequest {
            agreement_id: Some(home.agreement.clone()),
            from_date: day("2025-02-01"),
            until_date: day("2025-12-31"),
            ..Default::default()
        };
        assert_eq!(readings(of_home).await, 1);
        let issued = ListBillsRequest {
            from_date: day("2025-02-01"),
            kind: bill::Kind::Regular.into(),
            ..Default::default()
        };
        assert_eq!(world.bills().list_bills(issued).await.unwrap().into_inner().bills.len(), 2);
        auditor.list_exceptions(ListExceptionsRequest::default()).await.unwrap();
    })
    .await;
}
