//! B11, B12, thread 19: late readings, actual ones after estimates, and what the tariff lets them change. Each home has a twin whose readings were true and in
//! time from the start.

use contracts::hearth::{
    archive::v1 as archive,
    billing::v1::{reading_exception::Code, reading_exception::State, *},
};
use testbed::{at, each, key, reason};

use crate::{
    estimate::estimate,
    world::{HEXI, Home, World, class, day, metres, reading, reading_row, text, tianjin},
};

fn anew(bill: &Bill, wrong: bool) -> CancelAndRebillRequest {
    CancelAndRebillRequest {
        request_id: key(),
        bill_id: bill.bill_id.clone(),
        etag: bill.etag.clone(),
        reason: "true readings came late".to_owned(),
        reading_was_wrong: wrong,
        credits_taken_back: false,
    }
}

async fn rebill(world: &World<'_>, bill: &Bill, wrong: bool) -> CancelAndRebillResponse {
    world.bills().cancel_and_rebill(anew(bill, wrong)).await.unwrap().into_inner()
}

/// Why a bill is not billed anew, and which part of the tariff keeps it.
async fn kept(world: &World<'_>, bill: &Bill) -> (String, String) {
    let refused = world.bills().cancel_and_rebill(anew(bill, false)).await.unwrap_err();
    (reason(&refused), testbed::told(&refused, "cause").unwrap_or_default())
}

fn amounts(bills: &[Bill]) -> Vec<String> {
    bills.iter().map(|b| text(&b.amount)).collect()
}

fn volumes(bills: &[Bill]) -> Vec<String> {
    bills.iter().map(|b| b.volume.clone().unwrap().value).collect()
}

/// The live bills of a home, by day.
async fn live(world: &World<'_>, home: &Home) -> Vec<Bill> {
    let mut bills = world.bills_of(home).await;
    bills.retain(|b| b.state() != bill::State::Reversed);
    bills.sort_by_key(|b| b.to_date.map(|d| (d.year, d.month, d.day)));
    bills
}

/// What two bills have in common that charge the same.
async fn told(world: &World<'_>, home: &Home) -> Vec<impl PartialEq + std::fmt::Debug + use<>> {
    let mut told = vec![];
    for row in live(world, home).await {
        let request = GetBillRequest {
            bill_id: row.bill_id.clone(),
            party_id: None,
        };
        let bill = world.bills().get_bill(request).await.unwrap().into_inner().bill.unwrap();
        let days = (bill.year, bill.month, bill.from_date, bill.to_date);
        let counted = (bill.from_index, bill.to_index, bill.volume, bill.volume_before, bill.tier_year);
        told.push((days, counted, bill.amount, bill.lines));
    }
    told
}

/// Open findings about bills: account, bill, day and what the bill would count more.
async fn affected(world: &World<'_>) -> Vec<(String, String, String, Option<String>)> {
    let open = world.exceptions(State::Open, Code::BillAffected).await;
    let mut told: Vec<_> = open
        .into_iter()
        .map(|e| {
            let date = e.date.unwrap();
            let date = format!("{:04}-{:02}-{:02}", date.year, date.month, date.day);
            (e.account_no, e.bill_id, date, e.volume.map(|v| v.value))
        })
        .collect();
    told.sort();
    told
}

async fn run(world: &World<'_>, year: i32, month: i32) -> BillRun {
    let id = world.start_run(year, month).await;
    world.finished(&id).await
}

/// Why a run parked who it parked.
async fn parked(world: &World<'_>, run: &BillRun) -> Vec<String> {
    let request = ListBillRunItemsRequest {
        run_id: run.run_id.clone(),
        ..Default::default()
    };
    let items = world.runs().list_bill_run_items(request).await.unwrap().into_inner().items;
    let parked = items.into_iter().filter(|i| i.outcome() == bill_run_item::Outcome::Parked);
    parked.map(|i| i.reason).collect()
}

async fn read_at(world: &World<'_>, home: &Home, time: &str, index: &str) -> RecordReadingResponse {
    let request = RecordReadingRequest {
        read_time: Some(rpc::wire::time(at(time))),
        source: "remote".to_owned(),
        ..reading(home, "2025-01-01", index)
    };
    world.readings().record_reading(request).await.unwrap().into_inner()
}

/// The first 90 days of homes that use so many cubic metres a day, read and billed.
async fn quarter(world: &World<'_>, daily: usize, homes: &[&Home]) {
    for (month, (on, days)) in [("2025-01-31", 31), ("2025-02-28", 59), ("2025-03-31", 90)].iter().enumerate() {
        world.clock(&format!("{on}T20:00:00+08:00"));
        for home in homes {
            world.read(home, on, &(days * daily).to_string()).await;
        }
        let run = world.run(i32::try_from(month).unwrap() + 1).await;
        assert_eq!(usize::try_from(run.produced).unwrap(), homes.len());
    }
}

/// The credit notes of cancelled bills, each over all of its bill.
async fn credited(world: &World<'_>, reversed: &[Bill]) -> Vec<String> {
    let mut notes = vec![];
    for row in reversed {
        let request = GetBillRequest {
            bill_id: row.bill_id.clone(),
            party_id: None,
        };
        let answer = world.bills().get_bill(request).await.unwrap().into_inner();
        assert_eq!(answer.bill.unwrap().state(), bill::State::Reversed);
        notes.extend(answer.credit_notes.iter().map(|n| text(&n.amount)));
    }
    notes
}

#[tokio::test]
async fn edge_01_an_estimate_and_a_later_actual_reading_sum_up_as_if_nothing_had_been_estimated() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let (merged, kept, twin, never) = (world.home("R1").await, world.home("R2").await, world.home("R3").await, world.home("R4").await);
        quarter(&world, 3, &[&merged, &kept, &twin, &never]).await;
        world.clock("2025-05-01T09:00:00+08:00");
        // 270 in the 90 days of three readings: 90 for the 30 days of April.
        let made = estimate(&world, &[&merged, &kept], "2025-04-30").await;
        assert_eq!(made[0].reading.clone().unwrap().index, metres("360"));
        world.read(&twin, "2025-04-30", "330").await;
        assert_eq!(world.run(4).await.produced, 3);
        // 30 × 2.86 + 60 × 3.36.
        assert_eq!(amounts(&live(&world, &merged).await)[3], "287.40");
        world.clock("2025-06-01T09:00:00+08:00");
        for home in [&merged, &kept, &twin, &never] {
            world.read(home, "2025-05-31", "393").await;
        }
        // 123 in 30 and 31 days: 60.49 and 62.51, so 60 and 63; 30 less than what was estimated for April.
        let april = [live(&world, &merged).await.remove(3), live(&world, &kept).await.remove(3)];
        let finding = |no: &str, bill: &Bill| (no.to_owned(), bill.bill_id.clone(), "2025-04-30".to_owned(), Some("-30".to_owned()));
        assert_eq!(affected(&world).await, [finding("R1", &april[0]), finding("R2", &april[1])]);
        // Before May is billed, the correction is of April alone.
        let answer = rebill(&world, &april[1], false).await;
        // 30 × 2.86 + 30 × 3.36.
        assert_eq!(
            (amounts(&answer.reversed_bills), amounts(&answer.bills)),
            (vec!["287.40".to_owned()], vec!["186.60".to_owned()])
        );
        assert_eq!(
            (text(&answer.difference), credited(&world, &answer.reversed_bills).await),
            ("-100.80".to_owned(), vec!["287.40".to_owned()])
        );
        assert_eq!(affected(&world).await, [finding("R1", &april[0])], "that of the cancelled bill is resolved");
        assert_eq!(world.run(5).await.produced, 4);
        assert_eq!(told(&world, &kept).await, told(&world, &twin).await, "as if 330 had been read");
        // The bill of May made up for it: 33 × 3.36. One bill over both months takes the place of two.
        assert_eq!(amounts(&live(&world, &merged).await)[3..], ["287.40", "110.88"]);
        let answer = rebill(&world, &april[0], true).await;
        assert_eq!(credited(&world, &answer.reversed_bills).await, ["287.40", "110.88"]);
        // 30 × 2.86 + 93 × 3.36.
        assert_eq!(
            (amounts(&answer.bills), text(&answer.difference)),
            (vec!["398.28".to_owned()], "0.00".to_owned())
        );
        assert_eq!(told(&world, &merged).await, told(&world, &never).await, "as if nothing had been estimated");
        assert_eq!(affected(&world).await, []);
        // 93 × 2.86, 84 × 2.86, 93 × 2.86 and 398.28.
        for home in [&merged, &kept, &twin, &never] {
            assert_eq!(world.balance(home).await.0, "1170.48", "{}", home.account_no);
        }
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn edge_02_an_estimate_across_the_end_of_the_tier_year_is_shared_out_by_days() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let mut homes = vec![];
        for no in ["R1", "R2"] {
            let home = world.tell(no, HEXI, "living", "2024-10-31");
            world.supply(&home, |s| s.state() == supply::State::InForce).await;
            world.install(&home, "2024-10-31", "540").await;
            homes.push(home);
        }
        let [home, twin] = &homes[..] else { panic!() };
        world.clock("2025-01-02T10:00:00+08:00");
        for home in &homes {
            world.read(home, "2024-12-31", "600").await;
        }
        run(&world, 2024, 12).await;
        world.clock("2025-11-01T09:00:00+08:00");
        for home in &homes {
            world.read(home, "2025-10-31", "1000").await;
        }
        run(&world, 2025, 10).await;
        world.clock("2026-01-01T09:00:00+08:00");
        // 60 in the same days of the year before.
        let made = estimate(&world, &[home], "2025-12-31").await;
        assert_eq!(made[0].reading.clone().unwrap().index, metres("1060"));
        world.read(twin, "2025-12-31", "1092").await;
        assert_eq!(run(&world, 2025, 12).await.produced, 2);
        world.clock("2026-03-01T09:00:00+08:00");
        for home in &homes {
            world.read(home, "2026-02-28", "1180").await;
        }
        assert_eq!(run(&world, 2026, 2).await.produced, 2);
        let december = live(&world, home).await.remove(2);
        assert_eq!(
            affected(&world).await,
            [("R1".to_owned(), december.bill_id.clone(), "2025-12-31".to_owned(), Some("32".to_owned()))]
        );
        let answer = rebill(&world, &december, false).await;
        assert_eq!(
            (volumes(&answer.reversed_bills), volumes(&answer.bills)),
            (vec!["60".to_owned(), "120".to_owned()], vec!["92".to_owned(), "88".to_owned()])
        );
        let years: Vec<i32> = answer.bills.iter().map(|b| b.tier_year).collect();
        assert_eq!(years, [2025, 2026]);
        // 400 were used before: 60 × 3.36 and 120 × 2.86 become 92 × 3.36 and 88 × 2.86.
        assert_eq!(credited(&world, &answer.reversed_bills).await, ["201.60", "343.20"]);
        assert_eq!(
            (amounts(&answer.bills), text(&answer.difference)),
            (vec!["309.12".to_owned(), "251.68".to_owned()], "16.00".to_owned())
        );
        assert_eq!(told(&world, home).await, told(&world, twin).await);
        assert_eq!(affected(&world).await, []);
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn edge_05_a_reading_misread_high_is_reversed_and_billed_anew_and_nothing_is_negative() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let (home, twin) = (world.home("R1").await, world.home("R2").await);
        world.clock("2025-02-01T09:00:00+08:00");
        world.read(&home, "2025-01-31", "280").await;
        world.read(&twin, "2025-01-31", "140").await;
        assert_eq!(world.run(1).await.produced, 2);
        world.clock("2025-03-01T09:00:00+08:00");
        for home in [&home, &twin] {
            world.read(home, "2025-02-28", "250").await;
        }
        let run = world.run(2).await;
        assert_eq!(
            (run.produced, run.held),
            (1, 1),
            "lower than what was billed: held, and no bill of less than nothing"
        );
        assert_eq!(world.exceptions(State::Open, Code::Reverse).await.len(), 1);
        // The photo of January shows 140.
        read_at(&world, &home, "2025-01-31T13:00:00+08:00", "140").await;
        assert_eq!(
            affected(&world).await,
            [],
            "of two readings that contradict each other nobody knows yet which one is true"
        );
        let january = live(&world, &home).await.remove(0);
        let answer = rebill(&world, &january, true).await;
        // 280 × 2.86 and 140 × 2.86.
        assert_eq!(
            (credited(&world, &answer.reversed_bills).await, amounts(&answer.bills)),
            (vec!["800.80".to_owned()], vec!["400.40".to_owned()])
        );
        assert_eq!(text(&answer.difference), "-400.40");
        assert_eq!(
            world.exceptions(State::Open, Code::Reverse).await.len(),
            0,
            "without the wrong one the others fit"
        );
        assert_eq!(world.run(2).await.produced, 1);
        assert_eq!(told(&world, &home).await, told(&world, &twin).await);
        assert!(world.bills_of(&home).await.iter().all(|b| b.amount.as_ref().unwrap().minor_units >= 0));
        world.sound().await;
    })
    .await;
}

/// Prices that follow those of Tianjin on a day.
async fn follow(world: &World<'_>, before: &Tariff, from: &str) {
    let next = PublishTariffRequest {
        from_date: day(from),
        follows_tariff_id: Some(before.tariff_id.clone()),
        classes: vec![class(
            "living",
            &[(Some("300"), "3.00"), (Some("600"), "3.50"), (None, "4.20")],
            tariff_class::LowIncome::AllAtTier1,
        )],
        ..tianjin()
    };
    world.tariffs().publish_tariff(next).await.unwrap();
}

#[tokio::test]
async fn b_11_a_month_that_was_billed_with_the_next_one_gets_its_own_bill_when_its_reading_comes() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let (home, twin) = (world.home("R1").await, world.home("R2").await);
        world.clock("2025-02-01T09:00:00+08:00");
        world.read(&twin, "2025-01-31", "40").await;
        let run = world.run(1).await;
        assert_eq!((run.produced, run.missing), (1, 1));
        world.clock("2025-03-01T09:00:00+08:00");
        for home in [&home, &twin] {
            world.read(home, "2025-02-28", "92").await;
        }
        assert_eq!(world.run(2).await.produced, 2);
        let over = live(&world, &home).await.remove(0);
        assert_eq!(
            (over.month, over.from_date, volumes(std::slice::from_ref(&over))),
            (2, day("2024-12-31"), vec!["92".to_owned()])
        );
        world.read(&home, "2025-01-31", "40").await;
        assert_eq!(affected(&world).await, [], "one price over all of its days: no sum would change");
        let answer = rebill(&world, &over, false).await;
        let spans: Vec<_> = answer.bills.iter().map(|b| (b.month, b.from_date, b.to_date, text(&b.amount))).collect();
        // 40 × 2.86 and 52 × 2.86.
        assert_eq!(
            spans,
            [
                (1, day("2024-12-31"), day("2025-01-31"), "114.40".to_owned()),
                (2, day("2025-01-31"), day("2025-02-28"), "148.72".to_owned())
            ]
        );
        let replaced: Vec<_> = answer.bills.iter().map(|b| b.replaces_bill_id.clone()).collect();
        assert_eq!(replaced, [String::new(), over.bill_id.clone()]);
        assert_eq!(
            (credited(&world, &answer.reversed_bills).await, text(&answer.difference)),
            (vec!["263.12".to_owned()], "0.00".to_owned())
        );
        assert_eq!(told(&world, &home).await, told(&world, &twin).await);
        // Once more makes the same of it, and another run of the months nothing.
        let again = rebill(&world, &live(&world, &home).await[0], false).await;
        assert_eq!((amounts(&again.bills), text(&again.difference)), (amounts(&answer.bills), "0.00".to_owned()));
        assert_eq!((world.run(1).await.already, world.run(2).await.already), (2, 2));
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn b_11_a_month_that_no_run_came_to_stays_with_the_next_one() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let home = world.home("R1").await;
        world.clock("2025-03-01T09:00:00+08:00");
        world.read(&home, "2025-02-28", "92").await;
        // Read every second month: there is no run of January.
        assert_eq!(world.run(2).await.produced, 1);
        world.read(&home, "2025-01-31", "40").await;
        let over = live(&world, &home).await.remove(0);
        let answer = rebill(&world, &over, false).await;
        let days = |bills: &[Bill]| bills.iter().map(|b| (b.from_date, b.to_date)).collect::<Vec<_>>();
        assert_eq!(days(&answer.bills), days(&[over]), "the period is preserved");
    })
    .await;
}

#[tokio::test]
async fn b_11_a_late_reading_across_a_change_of_price_is_told_once_and_corrected() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let tariff = world.publish_tianjin().await;
        follow(&world, &tariff, "2025-02-01").await;
        let (home, twin, doubted, left) = (world.home("R1").await, world.home("R2").await, world.home("R3").await, world.home("R4").await);
        world.clock("2025-02-01T09:00:00+08:00");
        world.read(&twin, "2025-01-31", "40").await;
        // What a user tells waits for a second person.
        let told_by_user = RecordReadingRequest {
            source: "user".to_owned(),
            ..reading(&doubted, "2025-01-31", "40")
        };
        world.readings().record_reading(told_by_user).await.unwrap();
        let run = world.run(1).await;
        assert_eq!((run.produced, run.missing, run.held), (1, 2, 1));
        world.clock("2025-03-01T09:00:00+08:00");
        for home in [&home, &twin, &doubted, &left] {
            world.read(home, "2025-02-28", "92").await;
        }
        assert_eq!(world.run(2).await.produced, 4);
        let over = live(&world, &home).await.remove(0);
        // 92 in 31 and 28 days: 48 × 2.86 and 44 × 3.00.
        assert_eq!(text(&over.amount), "269.28");
        world.read(&home, "2025-01-31", "40").await;
        let finding = |home: &Home, bill: &Bill| (home.account_no.clone(), bill.bill_id.clone(), "2025-01-31".to_owned(), None);
        assert_eq!(affected(&world).await, [finding(&home, &over)]);
        let told_of = world.exceptions(State::Open, Code::BillAffected).await.remove(0);
        assert!(!told_of.case_id.is_empty() && told_of.readings.is_empty());
        // The reading of a user is released.
        let held = world.exceptions(State::Open, Code::Unconfirmed).await.remove(0);
        let release = |id: &str, grounds: &str| ReleaseExceptionsRequest {
            request_id: key(),
            exception_ids: vec![id.to_owned()],
            grounds: grounds.to_owned(),
        };
        world
            .district()
            .release_exceptions(release(&held.exception_id, "a photo shows it"))
            .await
            .unwrap();
        let doubted_over = live(&world, &doubted).await.remove(0);
        assert_eq!(affected(&world).await, [finding(&home, &over), finding(&doubted, &doubted_over)]);
        // Who decides to leave a bill is not told again of the day.
        read_at(&world, &left, "2025-01-31T09:00:00+08:00", "40").await;
        let leave = world.exceptions(State::Open, Code::BillAffected).await;
        let leave = leave.iter().find(|e| e.account_no == "R4").unwrap();
        world
            .district()
            .release_exceptions(release(&leave.exception_id, "agreed with the customer"))
            .await
            .unwrap();
        read_at(&world, &left, "2025-01-31T11:00:00+08:00", "41").await;
        assert_eq!(affected(&world).await, [finding(&home, &over), finding(&doubted, &doubted_over)]);
        for (home, over) in [(&home, &over), (&doubted, &doubted_over)] {
            let answer = rebill(&world, over, false).await;
            // 40 × 2.86 and 52 × 3.00.
            assert_eq!(
                (amounts(&answer.bills), text(&answer.difference)),
                (vec!["114.40".to_owned(), "156.00".to_owned()], "1.12".to_owned())
            );
            assert_eq!(told(&world, home).await, told(&world, &twin).await);
        }
        assert_eq!(affected(&world).await, []);
        let cases = ListCasesRequest {
            agreement_id: Some(home.agreement.clone()),
            state: abnormal_case::State::Open.into(),
            ..Default::default()
        };
        // What else was found, that January has no reading, went with its arrival.
        assert_eq!(world.district().list_cases(cases).await.unwrap().into_inner().cases, []);
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn b_11_a_later_reading_of_the_last_day_moves_the_use_to_its_month() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let (home, twin, wrong) = (world.home("R1").await, world.home("R2").await, world.home("R3").await);
        world.clock("2025-02-01T09:00:00+08:00");
        for home in [&home, &twin, &wrong] {
            read_at(&world, home, "2025-01-31T12:00:00+08:00", "46").await;
        }
        read_at(&world, &twin, "2025-01-31T20:00:00+08:00", "48").await;
        assert_eq!(world.run(1).await.produced, 3);
        world.clock("2025-02-03T09:00:00+08:00");
        read_at(&world, &home, "2025-01-20T12:00:00+08:00", "30").await;
        assert_eq!(affected(&world).await, [], "between the readings of a bill of one price");
        read_at(&world, &home, "2025-01-31T20:00:00+08:00", "48").await;
        let january = live(&world, &home).await.remove(0);
        let finding = |volume: &str| ("R1".to_owned(), january.bill_id.clone(), "2025-01-31".to_owned(), Some(volume.to_owned()));
        assert_eq!(affected(&world).await, [finding("2")]);
        read_at(&world, &home, "2025-01-31T21:00:00+08:00", "48").await;
        assert_eq!(affected(&world).await.len(), 1, "one finding for a bill and a day");
        assert_eq!(world.exceptions(State::Resolved, Code::BillAffected).await.len(), 0);
        // A bill that is reversed by hand takes its finding with it.
        read_at(&world, &wrong, "2025-01-31T20:00:00+08:00", "49").await;
        let other = live(&world, &wrong).await.remove(0);
        assert_eq!(affected(&world).await.len(), 2);
        let reverse = ReverseBillRequest {
            request_id: key(),
            bill_id: other.bill_id.clone(),
            etag: other.etag.clone(),
            reason: "read again".to_owned(),
            reading_was_wrong: false,
        };
        world.bills().reverse_bill(reverse).await.unwrap();
        assert_eq!(affected(&world).await, [finding("2")]);
        let answer = rebill(&world, &january, false).await;
        // 46 × 2.86 becomes 48 × 2.86.
        assert_eq!(
            (amounts(&answer.reversed_bills), amounts(&answer.bills)),
            (vec!["131.56".to_owned()], vec!["137.28".to_owned()])
        );
        assert_eq!(told(&world, &home).await, told(&world, &twin).await);
        assert_eq!(affected(&world).await, []);
        assert_eq!(world.exceptions(State::Resolved, Code::BillAffected).await.len(), 2);
        assert_eq!(world.run(1).await.produced, 1);
        assert_eq!(volumes(&live(&world, &wrong).await), ["49"]);
        world.sound().await;
    })
    .await;
}

/// A person looks at a reading that is lower than usual, and it is true.
async fn release_drop(world: &World<'_>) {
    let held = world.exceptions(State::Open, Code::Drop50).await;
    assert_eq!(held.len(), 1);
    let release = ReleaseExceptionsRequest {
        request_id: key(),
        exception_ids: held.into_iter().map(|e| e.exception_id).collect(),
        grounds: "a photo shows it".to_owned(),
    };
    world.district().release_exceptions(release).await.unwrap();
}

#[tokio::test]
async fn b_12_an_estimate_above_the_actual_reading_stops_the_next_bill_until_it_is_billed_anew() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let (home, twin) = (world.home("R1").await, world.home("R2").await);
        quarter(&world, 1, &[&home, &twin]).await;
        world.clock("2025-05-01T09:00:00+08:00");
        // 1 a day: 120, where it was 102 in truth.
        estimate(&world, &[&home], "2025-04-30").await;
        world.read(&twin, "2025-04-30", "102").await;
        assert_eq!(world.run(4).await.produced, 2);
        world.clock("2025-06-01T09:00:00+08:00");
        for home in [&home, &twin] {
            world.read(home, "2025-05-31", "115").await;
        }
        assert_eq!(affected(&world).await, [], "so little that it is held");
        release_drop(&world).await;
        let run = world.run(5).await;
        assert_eq!((run.produced, run.parked), (1, 1));
        assert_eq!(parked(&world, &run).await, ["BILLED_INDEX_ABOVE"]);
        // 25 in 30 and 31 days: 12.30 and 12.70, so 12 and 13.
        let april = live(&world, &home).await.remove(3);
        assert_eq!(
            affected(&world).await,
            [("R1".to_owned(), april.bill_id.clone(), "2025-04-30".to_owned(), Some("-18".to_owned()))]
        );
        let answer = rebill(&world, &april, false).await;
        // 30 × 2.86 becomes 12 × 2.86.
        assert_eq!(
            (amounts(&answer.reversed_bills), amounts(&answer.bills)),
            (vec!["85.80".to_owned()], vec!["34.32".to_owned()])
        );
        assert!(answer.bills[0].estimated, "nobody read it");
        let run = world.run(5).await;
        assert_eq!((run.produced, run.parked), (1, 0));
        assert_eq!(told(&world, &home).await, told(&world, &twin).await);
        assert_eq!(affected(&world).await, []);
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn b_12_a_chain_of_estimates_of_which_one_is_billed_goes_on_from_what_it_turned_out_to_be() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let (home, twin) = (world.home("R1").await, world.home("R2").await);
        quarter(&world, 1, &[&home, &twin]).await;
        world.clock("2025-07-01T09:00:00+08:00");
        estimate(&world, &[&home], "2025-04-30").await;
        world.read(&twin, "2025-04-30", "103").await;
        assert_eq!(world.run(4).await.produced, 2);
        estimate(&world, &[&home], "2025-05-31").await;
        world.read(&twin, "2025-05-31", "117").await;
        for home in [&home, &twin] {
            world.read(home, "2025-06-30", "130").await;
        }
        release_drop(&world).await;
        // 40 in 30, 31 and 30 days: 13, 14 and 13. May ends at 117 where April was billed up to 120, and the register has not passed its end.
        let run = world.run(5).await;
        assert_eq!((run.produced, parked(&world, &run).await), (1, vec!["BILLED_INDEX_ABOVE".to_owned()]));
        let april = live(&world, &home).await.remove(3);
        let answer = rebill(&world, &april, false).await;
        assert_eq!(volumes(&answer.bills), ["13"]);
        assert_eq!((world.run(5).await.produced, world.run(6).await.produced), (1, 2));
        assert_eq!(volumes(&live(&world, &home).await)[3..], ["13", "14", "13"]);
        assert_eq!(told(&world, &home).await, told(&world, &twin).await);
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn b_12_an_actual_reading_of_the_day_of_an_estimate_takes_its_place() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let (home, twin) = (world.home("R1").await, world.home("R2").await);
        quarter(&world, 3, &[&home, &twin]).await;
        world.clock("2025-05-05T09:00:00+08:00");
        estimate(&world, &[&home], "2025-04-30").await;
        world.read(&twin, "2025-04-30", "351").await;
        assert_eq!(world.run(4).await.produced, 2);
        world.read(&home, "2025-04-30", "351").await;
        let april = live(&world, &home).await.remove(3);
        assert_eq!(
            affected(&world).await,
            [("R1".to_owned(), april.bill_id.clone(), "2025-04-30".to_owned(), Some("-9".to_owned()))]
        );
        let answer = rebill(&world, &april, false).await;
        assert_eq!((volumes(&answer.bills), answer.bills[0].estimated), (vec!["81".to_owned()], false));
        assert_eq!(told(&world, &home).await, told(&world, &twin).await);
        assert_eq!(affected(&world).await, []);
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn b_12_a_finding_goes_with_its_cause_and_comes_back_with_it() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let home = world.home("R1").await;
        quarter(&world, 3, &[&home]).await;
        world.clock("2025-05-01T09:00:00+08:00");
        estimate(&world, &[&home], "2025-04-30").await;
        assert_eq!(world.run(4).await.produced, 1);
        world.clock("2025-07-01T09:00:00+08:00");
        world.read(&home, "2025-05-31", "393").await;
        let april = live(&world, &home).await.remove(3);
        let finding = |volume: &str| ("R1".to_owned(), april.bill_id.clone(), "2025-04-30".to_owned(), Some(volume.to_owned()));
        assert_eq!(affected(&world).await, [finding("-30")]);
        // Another value of the same moment: nobody knows what was read.
        let other = ReadingRow {
            source: "reader".to_owned(),
            ..reading_row(1, &home, "2025-05-31", "391")
        };
        assert_eq!(world.import_readings(vec![other]).await[0].held, 1);
        assert_eq!(affected(&world).await, []);
        assert_eq!(world.exceptions(State::Resolved, Code::BillAffected).await.len(), 1);
        let conflict = world.exceptions(State::Open, Code::Conflict).await.remove(0);
        let adjust = AdjustExceptionRequest {
            request_id: key(),
            exception_id: conflict.exception_id,
            etag: conflict.etag,
            true_index: metres("393"),
            grounds: "a photo shows it".to_owned(),
            rollover: false,
        };
        world.district().adjust_exception(adjust).await.unwrap();
        assert_eq!(affected(&world).await, [finding("-30")]);
        // A reading between moves what April turned out to be: of 75 in 45 days 50 in its 30.
        world.read(&home, "2025-05-15", "345").await;
        assert_eq!(affected(&world).await, [finding("-40")]);
        assert_eq!(world.exceptions(State::Open, Code::BillAffected).await.len(), 1);
        let answer = rebill(&world, &april, false).await;
        assert_eq!(volumes(&answer.bills), ["50"]);
        assert_eq!(affected(&world).await, []);
        world.sound().await;
    })
    .await;
}

/// A version of Tianjin's prices of one class with a policy.
fn policy(use_class: usize, late_use: LateUse) -> PublishTariffRequest {
    let all = tianjin();
    PublishTariffRequest {
        classes: vec![all.classes[use_class].clone()],
        late_use: Some(late_use),
        ..all
    }
}

const LIVING: usize = 0;
const HEATING: usize = 1;
const SCHOOL: usize = 2;

/// A home of a class that is billed for January by an index of noon.
async fn billed(world: &World<'_>, account_no: &str, use_class: usize) -> Home {
    let name = tianjin().classes[use_class].use_class.clone();
    let home = world.tell(account_no, HEXI, &name, "2024-12-31");
    world.supply(&home, |s| s.state() == supply::State::InForce).await;
    world.install(&home, "2024-12-31", "0").await;
    read_at(world, &home, "2025-01-31T12:00:00+08:00", "46").await;
    home
}

#[tokio::test]
async fn thread_19_a_tariff_says_how_far_back_late_use_changes_bills() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let far = LateUse {
            look_back_months: Some(2),
            ..Default::default()
        };
        let living = world
            .tariffs()
            .publish_tariff(policy(LIVING, far.clone()))
            .await
            .unwrap()
            .into_inner()
            .tariff
            .unwrap();
        assert_eq!(living.late_use, Some(far));
        world.clock("2025-02-01T09:00:00+08:00");
        let (near, home) = (billed(&world, "R1", LIVING).await, billed(&world, "R2", LIVING).await);
        assert_eq!(world.run(1).await.produced, 2);
        // Two months before 31 March is 31 January, before 1 April 1 February.
        world.clock("2025-03-31T09:00:00+08:00");
        read_at(&world, &near, "2025-01-31T20:00:00+08:00", "48").await;
        let january = live(&world, &near).await.remove(0);
        assert_eq!(affected(&world).await.len(), 1);
        assert_eq!(volumes(&rebill(&world, &january, false).await.bills), ["48"]);
        world.clock("2025-04-01T09:00:00+08:00");
        read_at(&world, &home, "2025-01-31T20:00:00+08:00", "48").await;
        assert_eq!(affected(&world).await, []);
        let january = live(&world, &home).await.remove(0);
        assert_eq!(kept(&world, &january).await, ("LATE_USE_POLICY".to_owned(), "LOOK_BACK".to_owned()));
        assert_eq!(world.bills_of(&home).await.len(), 1, "nothing is half done");
        // By hand it is reversed, and billed by the next run.
        let reverse = ReverseBillRequest {
            request_id: key(),
            bill_id: january.bill_id.clone(),
            etag: january.etag.clone(),
            reason: "by order of the authority".to_owned(),
            reading_was_wrong: false,
        };
        world.bills().reverse_bill(reverse).await.unwrap();
        assert_eq!(world.run(1).await.produced, 1);
        assert_eq!(volumes(&live(&world, &home).await), ["48"]);
        // A version that replaces it as wrong says nothing of late use: then there is no limit.
        let again = PublishTariffRequest {
            replaces_tariff_id: Some(living.tariff_id.clone()),
            late_use: None,
            ..policy(LIVING, LateUse::default())
        };
        world.tariffs().publish_tariff(again).await.unwrap();
        read_at(&world, &home, "2025-01-31T21:00:00+08:00", "49").await;
        assert_eq!(affected(&world).await.len(), 1);
        let answer = rebill(&world, &live(&world, &home).await[0], false).await;
        assert_eq!(volumes(&answer.bills), ["49"]);
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn thread_19_a_tariff_tolerates_a_difference_or_leaves_it_to_the_next_bill() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let five = LateUse {
            tolerance: metres("5"),
            destination: late_use::Destination::OriginalPeriod.into(),
            ..Default::default()
        };
        let next = LateUse {
            destination: late_use::Destination::NextBill.into(),
            ..Default::default()
        };
        for (class, late_use) in [(HEATING, &five), (SCHOOL, &next)] {
            let made = world.tariffs().publish_tariff(policy(class, late_use.clone())).await.unwrap().into_inner();
            let id = made.tariff.unwrap().tariff_id;
            let stored = world.tariffs().get_tariff(GetTariffRequest { tariff_id: id }).await.unwrap().into_inner();
            assert_eq!(stored.tariff.unwrap().late_use.as_ref(), Some(late_use));
        }
        // The class of what the school turns out to be.
        world.tariffs().publish_tariff(policy(LIVING, LateUse::default())).await.unwrap();
        world.clock("2025-02-01T09:00:00+08:00");
        let (small, large) = (billed(&world, "R1", HEATING).await, billed(&world, "R2", HEATING).await);
        let school = billed(&world, "R3", SCHOOL).await;
        assert_eq!(world.run(1).await.produced, 3);
        for (home, index) in [(&small, "51"), (&large, "51.001"), (&school, "48")] {
            read_at(&world, home, "2025-01-31T20:00:00+08:00", index).await;
        }
        let january = live(&world, &large).await.remove(0);
        assert_eq!(
            affected(&world).await,
            [("R2".to_owned(), january.bill_id.clone(), "2025-01-31".to_owned(), Some("5.001".to_owned()))]
        );
        assert_eq!(volumes(&rebill(&world, &january, false).await.bills), ["51.001"]);
        let policy = |cause: &str| ("LATE_USE_POLICY".to_owned(), cause.to_owned());
        assert_eq!(kept(&world, &live(&world, &small).await[0]).await, policy("TOLERANCE"));
        let january = live(&world, &school).await.remove(0);
        assert_eq!(kept(&world, &january).await, policy("NEXT_BILL"));
        // The next bill begins where the last one ended.
        world.clock("2025-03-01T09:00:00+08:00");
        for home in [&small, &large, &school] {
            read_at(&world, home, "2025-02-28T12:00:00+08:00", "92").await;
        }
        assert_eq!(world.run(2).await.produced, 3);
        assert_eq!(volumes(&live(&world, &school).await), ["46", "46"]);
        assert_eq!(volumes(&live(&world, &small).await), ["46", "46"]);
        assert_eq!(volumes(&live(&world, &large).await), ["51.001", "40.999"]);
        // What was learnt late about the class is no late use.
        world.archive.tell(
            &school.agreement,
            &archive::ContractAmended {
                agreement_id: school.agreement.clone(),
                version: 2,
                use_class: "living".to_owned(),
                from_date: day("2025-02-01"),
            },
        );
        world.supply(&school, |s| s.use_classes.iter().any(|c| c.use_class == "living")).await;
        let february = live(&world, &school).await.remove(1);
        // 46 × 2.89 becomes 46 × 2.86.
        assert_eq!(text(&rebill(&world, &february, false).await.difference), "-1.38");
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn thread_19_a_policy_that_cannot_hold_is_refused() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let refused = async |late_use: LateUse| {
            let answer = world.tariffs().publish_tariff(policy(LIVING, late_use)).await;
            let refused = answer.unwrap_err();
            (refused.code(), reason(&refused))
        };
        let negative = LateUse {
            tolerance: metres("-0.5"),
            ..Default::default()
        };
        assert_eq!(refused(negative).await, (tonic::Code::InvalidArgument, "TARIFF_RULE".to_owned()));
        for months in [0, 121] {
            let late_use = LateUse {
                look_back_months: Some(months),
                ..Default::default()
            };
            assert_eq!(refused(late_use).await.0, tonic::Code::InvalidArgument, "{months}");
        }
    })
    .await;
}
