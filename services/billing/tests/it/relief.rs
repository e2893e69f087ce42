//! 9.1, Lu'an: free volume that is charged first and returned after the tier-year.

use contracts::hearth::{
    archive::v1 as archive,
    billing::v1::{opening_service_client::OpeningServiceClient, relief_service_client::ReliefServiceClient, *},
    options::v1::Role,
};
use testbed::{Client, each, eventually, key, reason};

use crate::{
    dues::pay,
    world::{HEPING, HEXI, Home, World, class, day, meter_row, metres, reading, reading_row, sharing, text, tianjin},
};

fn reliefs(world: &World<'_>) -> ReliefServiceClient<Client> {
    ReliefServiceClient::new(world.bed.staff(&[Role::Cashier]))
}

/// 5 cubic metres a month for everyone of low income, after the year.
fn free() -> Option<FreeVolume> {
    Some(FreeVolume {
        per_month: metres("5"),
        all_low_income: true,
        after_year: true,
    })
}

/// The tariff of Lu'an: tariffs G-LA of 11.1.
fn luan() -> PublishTariffRequest {
    let living = TariffClass {
        free_volume: free(),
        ..class(
            "living",
            &[(Some("360"), "2.80"), (Some("600"), "3.36"), (None, "3.92")],
            tariff_class::LowIncome::Unspecified,
        )
    };
    PublishTariffRequest {
        classes: vec![living],
        ..tianjin()
    }
}

async fn publish(world: &World<'_>, tariff: PublishTariffRequest) {
    world.tariffs().publish_tariff(tariff).await.unwrap();
}

fn flag(home: &Home, from: &str, until: Option<&str>) -> archive::LowIncomeFlagChanged {
    archive::LowIncomeFlagChanged {
        agreement_id: home.agreement.clone(),
        low_income: true,
        from_date: day(from),
        until_date: until.and_then(day),
        destitute: false,
    }
}

/// A home of low income on some days.
async fn poor(world: &World<'_>, account_no: &str, from: &str, until: Option<&str>) -> Home {
    let home = world.home(account_no).await;
    world.archive.tell(&home.agreement, &flag(&home, from, until));
    world.supply(&home, |s| !s.entitlements.is_empty()).await;
    home
}

/// Reads homes on a day of 2025 and bills its month.
async fn bill(world: &World<'_>, on: &str, month: i32, homes: &[(&Home, &str)]) {
    world.clock(&format!("{on}T20:00:00+08:00"));
    for (home, index) in homes {
        world.read(home, on, index).await;
    }
    let run = world.run(month).await;
    assert_eq!(usize::try_from(run.produced).unwrap(), homes.len(), "{run:?}");
}

async fn list(world: &World<'_>, home: &Home) -> Vec<Relief> {
    let request = ListReliefsRequest {
        account_id: Some(home.account.clone()),
        ..Default::default()
    };
    reliefs(world).list_reliefs(request).await.unwrap().into_inner().reliefs
}

/// Waits for so many reliefs of a home on a day that has begun.
async fn given(world: &World<'_>, home: &Home, on: &str, count: usize) -> Vec<Relief> {
    world.clock(&format!("{on}T09:00:00+08:00"));
    eventually("the free volume", async || Some(list(world, home).await).filter(|all| all.len() == count)).await
}

/// A home whose last bill of 2025 never comes: it gets its free volume on 1 April 2026, 91 days after the year, and after every home that came before it,
/// since a sweep goes by their keys.
async fn witness(world: &World<'_>) -> Home {
    poor(world, "ZZ", "2024-12-31", None).await
}

/// Waits for the sweep of 1 April 2026 to have gone over everybody.
async fn swept(world: &World<'_>, witness: &Home) {
    let last = given(world, witness, "2026-04-01", 1).await;
    // 12 × 5 m³, and 30 were used.
    assert_eq!(told(&last[0]), line(1, 12, "30", "30", "84.00", "84.00"));
}

fn told(relief: &Relief) -> (i32, i32, String, String, String, String) {
    let decimal = |d: &Option<contracts::hearth::r#type::v1::Decimal>| d.clone().unwrap().value;
    (
        relief.turn,
        relief.months,
        decimal(&relief.used),
        decimal(&relief.volume),
        text(&relief.amount),
        text(&relief.returned),
    )
}

fn line(turn: i32, months: i32, used: &str, volume: &str, amount: &str, returned: &str) -> (i32, i32, String, String, String, String) {
    let own = str::to_owned;
    (turn, months, own(used), own(volume), own(amount), own(returned))
}

async fn get(world: &World<'_>, bill: &Bill) -> GetBillResponse {
    let request = GetBillRequest {
        bill_id: bill.bill_id.clone(),
        party_id: None,
    };
    world.bills().get_bill(request).await.unwrap().into_inner()
}

fn sums(receivable: &str, prepayment: &str) -> (String, String) {
    (receivable.to_owned(), prepayment.to_owned())
}

/// The amount that the steps of an explanation come to.
fn recomputed(relief: &Relief) -> String {
    let explanation = rating::Explanation::from_text(relief.explanation.clone());
    explanation.check().unwrap_or_else(|e| panic!("{e}: {}", relief.explanation)).to_string()
}

#[tokio::test]
async fn p_9_1_free_volume_is_charged_first_and_returned_after_the_year() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        publish(&world, luan()).await;
        let home = poor(&world, "L1", "2024-12-31", None).await;
        bill(&world, "2025-06-30", 6, &[(&home, "400")]).await;
        bill(&world, "2025-12-31", 12, &[(&home, "700")]).await;
        // G-LA 700: 360 × 2.80 + 40 × 3.36, then 200 × 3.36 + 100 × 3.92; 2206.40 in all, as for anybody.
        let bills = world.bills_of(&home).await;
        assert_eq!(bills.iter().map(|b| text(&b.amount)).collect::<Vec<_>>(), ["1142.40", "1064.00"]);
        pay(&world, &home, "2206.40", "1").await;
        assert_eq!(world.balance(&home).await, sums("0.00", "0.00"));
        assert_eq!(list(&world, &home).await, [], "the year is not over");
        let all = given(&world, &home, "2026-01-01", 1).await;
        let relief = &all[0];
        // 12 × 5 × 2.80 = 168.00.
        assert_eq!(told(relief), line(1, 12, "700", "60", "168.00", "168.00"));
        assert_eq!(
            (relief.tier_year, relief.from_date, relief.to_date),
            (2025, day("2025-01-01"), day("2025-12-31"))
        );
        assert_eq!(relief.relief_no, "RL-河西区-2026-0000001");
        assert_eq!(
            (&relief.agreement_id, &relief.account_no, &relief.party_id),
            (&home.agreement, &home.account_no, &home.party)
        );
        assert_eq!(recomputed(relief), "168.00");
        assert!(relief.explanation.contains("year is 2025 2025-01-01 2025-12-31\n"), "{}", relief.explanation);
        // The last bill bears it; what was paid of it is paid ahead.
        let (first, last) = (get(&world, &bills[0]).await, get(&world, &bills[1]).await);
        assert_eq!(first.credit_notes, []);
        let note = &last.credit_notes[0];
        assert_eq!(
            (text(&note.amount), note.reason.as_str()),
            ("168.00".to_owned(), format!("FREE_AFTER_YEAR {}", relief.relief_no).as_str())
        );
        let told: Vec<_> = relief.notes.iter().map(|n| (&n.credit_note_no, &n.bill_id, text(&n.amount))).collect();
        assert_eq!(told, [(&note.credit_note_no, &bills[1].bill_id, "168.00".to_owned())]);
        let last = last.bill.unwrap();
        assert_eq!(
            (last.state(), text(&last.credited), text(&last.paid)),
            (bill::State::Paid, "168.00".to_owned(), "896.00".to_owned())
        );
        assert_eq!(world.balance(&home).await, sums("0.00", "168.00"));
        let report = world.sound().await;
        // 2206.40 less 168.00.
        assert_eq!(text(&report.revenue), "2038.40");
        assert_eq!(world.count("SELECT count(*) FROM event WHERE kind = 'hearth.billing.v1.BillCredited'").await, 1);
        // Who sees it.
        let own = ListReliefsRequest {
            party_id: Some(home.party.clone()),
            ..Default::default()
        };
        let mut customer = ReliefServiceClient::new(bed.customer(&home.party));
        assert_eq!(customer.list_reliefs(own.clone()).await.unwrap().into_inner().reliefs, all);
        let mut other = ReliefServiceClient::new(bed.customer(&key()));
        assert_eq!(other.list_reliefs(own).await.unwrap_err().code(), tonic::Code::PermissionDenied);
        let mut foreign = ReliefServiceClient::new(bed.staff_of(HEPING, &[Role::Cashier]));
        assert_eq!(foreign.list_reliefs(ListReliefsRequest::default()).await.unwrap().into_inner().reliefs, []);
        let mut reader = ReliefServiceClient::new(bed.staff(&[Role::Reader]));
        let denied = reader.list_reliefs(ListReliefsRequest::default()).await.unwrap_err();
        assert_eq!(denied.code(), tonic::Code::PermissionDenied);
        for (of, found) in [(2025, 1), (2024, 0)] {
            let of_year = ListReliefsRequest {
                agreement_id: Some(home.agreement.clone()),
                tier_year: of,
                ..Default::default()
            };
            assert_eq!(reliefs(&world).list_reliefs(of_year).await.unwrap().into_inner().reliefs.len(), found);
        }
        let wrong = ListReliefsRequest {
            page_token: "x".to_owned(),
            ..Default::default()
        };
        assert_eq!(reason(&reliefs(&world).list_reliefs(wrong).await.unwrap_err()), "PAGE_TOKEN_INVALID");
    })
    .await;
}

#[tokio::test]
async fn p_9_1_free_volume_is_for_months_of_entitlement_and_never_more_than_was_used() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        publish(&world, luan()).await;
        let half = poor(&world, "L1", "2025-07-01", None).await;
        let expired = poor(&world, "L2", "2024-12-31", Some("2025-03-15")).await;
        let little = poor(&world, "L3", "2024-12-31", None).await;
        let owing = poor(&world, "L4", "2024-12-31", None).await;
        let none = world.home("L5").await;
        let later = poor(&world, "L6", "2026-01-01", None).await;
        let witness = witness(&world).await;
        let june = [
            (&half, "400"),
            (&expired, "400"),
            (&little, "25"),
            (&owing, "400"),
            (&none, "400"),
            (&later, "400"),
            (&witness, "30"),
        ];
        bill(&world, "2025-06-30", 6, &june).await;
        let december = [
            (&half, "700"),
            (&expired, "700"),
            (&little, "40"),
            (&owing, "700"),
            (&none, "700"),
            (&later, "700"),
        ];
        bill(&world, "2025-12-31", 12, &december).await;
        pay(&world, &little, "100", "1").await;
        assert_eq!(world.balance(&little).await, sums("12.00", "0.00"));
        // July to December: 6 × 5 × 2.80. January to March, since the month of an expiry counts: 3 × 5 × 2.80.
        assert_eq!(told(&given(&world, &half, "2026-01-01", 1).await[0]), line(1, 6, "700", "30", "84.00", "84.00"));
        assert_eq!(
            told(&given(&world, &expired, "2026-01-01", 1).await[0]),
            line(1, 3, "700", "15", "42.00", "42.00")
        );
        // 40 × 2.80 = 112.00 is all that was billed: 42.00 of December, then 70.00 of June. What was paid comes back.
        let low = given(&world, &little, "2026-01-01", 1).await.remove(0);
        assert_eq!(told(&low), line(1, 12, "40", "40", "112.00", "112.00"));
        assert_eq!(low.notes.iter().map(|n| text(&n.amount)).collect::<Vec<_>>(), ["42.00", "70.00"]);
        assert_eq!(recomputed(&low), "112.00");
        for paid in world.bills_of(&little).await {
            assert_eq!((paid.state(), text(&paid.paid)), (bill::State::Paid, "0.00".to_owned()));
        }
        assert_eq!(world.balance(&little).await, sums("0.00", "100.00"));
        // Who paid nothing owes 2206.40 less 168.00.
        given(&world, &owing, "2026-01-01", 1).await;
        assert_eq!(world.balance(&owing).await, sums("2038.40", "0.00"));
        assert_eq!(list(&world, &witness).await, [], "its December may still come");
        swept(&world, &witness).await;
        for home in [&half, &expired, &little, &owing] {
            assert_eq!(list(&world, home).await.len(), 1, "twice is once");
        }
        for home in [&none, &later] {
            assert_eq!(list(&world, home).await, []);
            assert_eq!(world.balance(home).await, sums("2206.40", "0.00"));
        }
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn p_9_1_free_volume_is_given_once_by_two_workers_that_crash() {
    const HOMES: usize = 40;
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        publish(&world, luan()).await;
        let homes: Vec<Home> = (0..HOMES).map(|n| world.tell(&format!("L{n:02}"), HEXI, "living", "2024-12-31")).collect();
        for home in &homes {
            world.archive.tell(&home.agreement, &flag(home, "2024-12-31", None));
        }
        world.supply(homes.last().unwrap(), |s| !s.entitlements.is_empty()).await;
        let meters = homes.iter().map(|home| meter_row(home, "2024-12-31", "0")).collect();
        assert_eq!(world.import_meters(meters).await[0].accepted, 40);
        world.clock("2025-12-31T20:00:00+08:00");
        let rows = (1..).zip(&homes).map(|(n, home)| reading_row(n, home, "2025-12-31", "700"));
        assert_eq!(world.import_readings(rows.collect()).await[0].accepted, 40);
        assert_eq!(world.run(12).await.produced, 40);
        let beside = bed.beside().await;
        world.clock("2026-01-01T09:00:00+08:00");
        let returned = async || world.count("SELECT count(*) FROM relief").await;
        eventually("the first one", async || (returned().await > 0).then_some(())).await;
        beside.crash().await;
        bed.crash().await;
        bed.start().await;
        eventually("the rest", async || (returned().await == 40).then_some(())).await;
        // The next day finds nothing left.
        let beside = bed.beside().await;
        world.clock("2026-01-02T09:00:00+08:00");
        let late = poor(&world, "LZ", "2024-12-31", None).await;
        world.read(&late, "2025-12-31", "30").await;
        world.run(12).await;
        given(&world, &late, "2026-01-03", 1).await;
        beside.stop().await;
        assert_eq!(returned().await, 41);
        assert_eq!(world.count("SELECT count(DISTINCT agreement_id) FROM relief WHERE turn = 1").await, 41);
        // 40 × 168.00 and 30 × 2.80.
        assert_eq!(world.count("SELECT CAST(sum(amount) AS bigint) FROM credit_note").await, 40 * 16_800 + 8_400);
        assert_eq!(world.count("SELECT CAST(sum(amount) AS bigint) FROM relief_note").await, 40 * 16_800 + 8_400);
        world.sound().await;
        // The database holds it as well.
        let columns = "relief_no, agreement_id, account_id, account_no, party_id, branch, tier_year, turn, from_date, to_date, months, used, volume, amount, returned, \
                       explanation, created_at";
        let again = format!(
            "INSERT INTO relief (id, {columns}) SELECT {}, 'X' || {columns} FROM relief WHERE account_no = 'LZ'",
            world.uuid(&key())
        );
        let refused = world.sql(&again).await.unwrap_err().to_string();
        assert!(refused.contains("relief_year_unique") || refused.contains("relief.agreement_id"), "{refused}");
        for sql in ["UPDATE relief SET returned = 1", "DELETE FROM relief", "UPDATE relief_note SET amount = 1", "DELETE FROM relief_note"] {
            assert!(world.sql(sql).await.unwrap_err().to_string().contains("append_only"), "{sql}");
        }
    })
    .await;
}

#[tokio::test]
async fn p_9_1_free_volume_of_a_year_billed_anew_is_returned_again_and_no_more() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        publish(&world, luan()).await;
        let much = poor(&world, "L1", "2024-12-31", None).await;
        let little = poor(&world, "L2", "2024-12-31", None).await;
        let witness = witness(&world).await;
        bill(&world, "2025-06-30", 6, &[(&much, "400"), (&little, "25"), (&witness, "30")]).await;
        bill(&world, "2025-12-31", 12, &[(&much, "700"), (&little, "40")]).await;
        pay(&world, &much, "2206.40", "1").await;
        given(&world, &much, "2026-01-01", 1).await;
        given(&world, &little, "2026-01-01", 1).await;
        // Misread by 10 and by 5 m³.
        for (home, index) in [(&much, "690"), (&little, "35")] {
            let right = RecordReadingRequest {
                read_time: Some(rpc::wire::time(testbed::at("2025-12-31T13:00:00+08:00"))),
                ..reading(home, "2025-12-31", index)
            };
            world.readings().record_reading(right).await.unwrap();
            let december = world.bills_of(home).await.remove(1);
            let anew = CancelAndRebillRequest {
                request_id: key(),
                bill_id: december.bill_id,
                etag: december.etag,
                reason: "misread in December".to_owned(),
                reading_was_wrong: true,
                credits_taken_back: false,
            };
            world.bills().cancel_and_rebill(anew).await.unwrap();
        }
        // 200 × 3.36 + 90 × 3.92 = 1024.80 instead of 1064.00 - 168.00: the credit note went with its bill.
        assert_eq!(world.balance(&much).await, sums("0.00", "39.20"));
        world.sound().await;
        let all = given(&world, &much, "2026-01-02", 2).await;
        assert_eq!(told(&all[1]), line(2, 12, "690", "60", "168.00", "168.00"));
        assert_eq!((recomputed(&all[1]).as_str(), all[1].relief_no.as_str()), ("168.00", "RL-河西区-2026-0000003"));
        assert_eq!(world.balance(&much).await, sums("0.00", "207.20"));
        // 35 × 2.80 = 98.00, and 70.00 of June stand: 28.00 are missing, all of the new December.
        let all = given(&world, &little, "2026-01-02", 2).await;
        assert_eq!(told(&all[1]), line(2, 12, "35", "35", "98.00", "28.00"));
        assert_eq!(recomputed(&all[1]), "98.00");
        assert!(
            all[1].explanation.ends_with("before given = 70\nleft sub total before = 28\n"),
            "{}",
            all[1].explanation
        );
        assert_eq!(world.balance(&little).await, sums("0.00", "0.00"));
        swept(&world, &witness).await;
        assert_eq!((list(&world, &much).await.len(), list(&world, &little).await.len()), (2, 2));
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn p_9_1_free_volume_of_a_year_that_ends_with_a_reading() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        // Yantai's year: after the reading of November for who is read in odd months, of December for the others.
        let by_reading = PublishTariffRequest {
            closing_reading: Some(ClosingReading { odd_month: 11, even_month: 12 }),
            ..luan()
        };
        publish(&world, by_reading).await;
        let odd = poor(&world, "L1", "2024-12-31", None).await;
        let even = poor(&world, "L2", "2024-12-31", None).await;
        bill(&world, "2025-10-31", 10, &[(&even, "600")]).await;
        bill(&world, "2025-11-30", 11, &[(&odd, "700")]).await;
        let first = given(&world, &odd, "2025-12-01", 1).await.remove(0);
        // December of 2024, of which the agreement has a day, to November.
        assert_eq!(told(&first), line(1, 12, "700", "60", "168.00", "168.00"));
        assert_eq!((first.tier_year, first.from_date, first.to_date), (2024, day("2024-12-01"), day("2025-11-30")));
        bill(&world, "2025-12-31", 12, &[(&even, "700")]).await;
        assert_eq!(list(&world, &even).await, []);
        let second = given(&world, &even, "2026-01-01", 1).await.remove(0);
        assert_eq!(told(&second), line(1, 12, "700", "60", "168.00", "168.00"));
        assert_eq!(
            (second.tier_year, second.from_date, second.to_date),
            (2024, day("2025-01-01"), day("2025-12-31"))
        );
        assert_eq!(list(&world, &odd).await.len(), 1);
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn p_9_1_free_volume_of_a_household_with_two_meters_is_given_once() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let shared = TariffClass {
            free_volume: free(),
            ..sharing()
        };
        let tariff = PublishTariffRequest {
            classes: vec![shared],
            ..tianjin()
        };
        publish(&world, tariff).await;
        let one = poor(&world, "L1", "2024-12-31", None).await;
        let two = poor(&world, "L2", "2024-12-31", None).await;
        world.join(&one, &two).await;
        let witness = witness(&world).await;
        bill(&world, "2025-06-30", 6, &[(&witness, "28")]).await;
        bill(&world, "2025-12-31", 12, &[(&one, "20"), (&two, "250")]).await;
        // 12 × 5 × 3.00 of 270 m³, of the bill that comes last: each is due that day, and both are of one account.
        let relief = given(&world, &one, "2026-01-01", 1).await.remove(0);
        assert_eq!(told(&relief), line(1, 12, "270", "60", "180.00", "180.00"));
        assert_eq!((&relief.agreement_id, relief.notes.len()), (&one.agreement, 1));
        assert_eq!(world.balance(&one).await.0, "630.00", "270 × 3.00 - 180.00");
        let last = given(&world, &witness, "2026-04-01", 1).await;
        assert_eq!(told(&last[0]), line(1, 12, "28", "28", "84.00", "84.00"));
        assert_eq!(world.count("SELECT count(*) FROM relief").await, 2);
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn p_9_1_free_volume_of_a_year_that_was_billed_elsewhere_in_part_is_what_its_bills_here_bear() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        publish(&world, luan()).await;
        let home = poor(&world, "L1", "2024-12-31", None).await;
        world.clock("2025-07-01T09:00:00+08:00");
        let row = OpeningRow {
            line: 2,
            account_no: home.account_no.clone(),
            as_of: "2025-06-30".to_owned(),
            meter_no: home.meter_no.clone(),
            index: "60".to_owned(),
            year_volume: "60".to_owned(),
            ..Default::default()
        };
        let chunk = ImportOpeningRequest {
            request_id: key(),
            dry_run: false,
            rows: vec![row],
        };
        let mut accountant = OpeningServiceClient::new(bed.staff(&[Role::Accountant]));
        let mut answers = accountant.import_opening(tokio_stream::iter([chunk])).await.unwrap().into_inner();
        assert_eq!(answers.message().await.unwrap().unwrap().accepted, 1);
        bill(&world, "2025-12-31", 12, &[(&home, "100")]).await;
        // 40 × 2.80 = 112.00 were billed here, of 168.00.
        let relief = given(&world, &home, "2026-01-01", 1).await.remove(0);
        assert_eq!(told(&relief), line(1, 12, "100", "60", "168.00", "112.00"));
        assert_eq!(recomputed(&relief), "168.00");
        assert!(
            relief.explanation.ends_with("bills given = 112\nreturned min total bills = 112\n"),
            "{}",
            relief.explanation
        );
        assert_eq!(world.balance(&home).await, sums("0.00", "0.00"));
        world.sound().await;
    })
    .await;
}
