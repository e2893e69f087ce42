//! 9.2: a wrong version of a tariff is replaced, and what it has billed is corrected by a re-rating run.

use contracts::hearth::{
    archive::v1 as archive,
    billing::v1::{adjustment::Grounds, bill_service_client::BillServiceClient, rerating_service_client::ReratingServiceClient, *},
    job::v1::{CancelJobRequest, job_service_client::JobServiceClient},
    options::v1::Role,
};
use database::Engine;
use sea_orm::{ConnectionTrait, TransactionOptions};
use testbed::{Client, each, each_of, eventually, fields, key, reason};

use crate::{
    adjustment::{approved, ask, post, stated},
    dues::pay,
    rebill::{anew, live},
    world::{HEPING, HEXI, Home, World, class, day, metres, sharing, text, tianjin, yuan},
};

fn reratings(world: &World<'_>) -> ReratingServiceClient<Client> {
    ReratingServiceClient::new(world.bed.staff(&[Role::Accountant]))
}

/// A dry run where no run is named that was tried.
fn rerating(tariff: &Tariff, tried: Option<&Rerating>) -> StartReratingRequest {
    StartReratingRequest {
        request_id: key(),
        tariff_id: tariff.tariff_id.clone(),
        reason: "8.62 was printed for 2.86".to_owned(),
        dry_run: tried.is_none(),
        tried_rerating_id: tried.map(|tried| tried.rerating_id.clone()),
        branch: String::new(),
    }
}

async fn get(world: &World<'_>, run: &Rerating) -> Rerating {
    let request = GetReratingRequest {
        rerating_id: run.rerating_id.clone(),
    };
    reratings(world).get_rerating(request).await.unwrap().into_inner().rerating.unwrap()
}

async fn run(world: &World<'_>, request: StartReratingRequest) -> Rerating {
    let begun = reratings(world).start_rerating(request).await.unwrap().into_inner().rerating.unwrap();
    eventually("the end of the re-rating run", async || {
        Some(get(world, &begun).await).filter(|run| run.state() == rerating::State::Done)
    })
    .await
}

/// What became of the agreements: account, outcome, reason, bills, difference.
async fn items(world: &World<'_>, run: &Rerating) -> Vec<(String, rerating_item::Outcome, String, i32, String)> {
    let request = ListReratingItemsRequest {
        rerating_id: run.rerating_id.clone(),
        page_size: 500,
        ..Default::default()
    };
    let items = reratings(world).list_rerating_items(request).await.unwrap().into_inner().items;
    let mut told: Vec<_> = items
        .iter()
        .map(|i| (i.account_no.clone(), i.outcome(), i.reason.clone(), i.bills, text(&i.difference)))
        .collect();
    told.sort();
    told
}

fn corrected(account_no: &str, bills: i32, difference: &str) -> (String, rerating_item::Outcome, String, i32, String) {
    let outcome = rerating_item::Outcome::Corrected;
    (account_no.to_owned(), outcome, String::new(), bills, difference.to_owned())
}

fn parked(account_no: &str, why: &str) -> (String, rerating_item::Outcome, String, i32, String) {
    let outcome = rerating_item::Outcome::Parked;
    (account_no.to_owned(), outcome, why.to_owned(), 0, "0.00".to_owned())
}

/// Agreements corrected, unchanged and parked.
fn counts(run: &Rerating) -> (i64, i64, i64) {
    assert_eq!((run.expected, run.seen), (run.seen, run.corrected + run.unchanged + run.parked));
    (run.corrected, run.unchanged, run.parked)
}

/// Difference, credit notes and bills of a run.
fn sums(run: &Rerating) -> (String, String, String) {
    (text(&run.difference), text(&run.credited), text(&run.debited))
}

fn money(bills: &[Bill]) -> Vec<String> {
    bills.iter().map(|b| text(&b.amount)).collect()
}

/// Tianjin with 8.62 for 2.86 in the first tier.
async fn publish_wrong(world: &World<'_>) -> Tariff {
    let mut wrong = tianjin();
    wrong.classes[0].tiers[0].unit_price = metres("8.62");
    world.tariffs().publish_tariff(wrong).await.unwrap().into_inner().tariff.unwrap()
}

fn replacing(wrong: &Tariff) -> PublishTariffRequest {
    PublishTariffRequest {
        request_id: key(),
        replaces_tariff_id: Some(wrong.tariff_id.clone()),
        ..tianjin()
    }
}

async fn replace(world: &World<'_>, wrong: &Tariff) -> Tariff {
    world.tariffs().publish_tariff(replacing(wrong)).await.unwrap().into_inner().tariff.unwrap()
}

/// A month of 2025 of homes, read on its last day and billed.
async fn month(world: &World<'_>, month: i32, last: &str, indexes: &[(&Home, &str)]) {
    world.clock(&format!("{last}T20:00:00+08:00"));
    for (home, index) in indexes {
        world.read(home, last, index).await;
    }
    assert_eq!(usize::try_from(world.run(month).await.produced).unwrap(), indexes.len());
}

/// What a trial leaves alone: bills, credit notes, entries, numbers, events.
async fn written(world: &World<'_>) -> Vec<i64> {
    let mut counts = vec![];
    for table in ["bill", "bill_line", "tier_use", "credit_note", "ledger_entry", "allocation"] {
        counts.push(world.count(&format!("SELECT count(*) FROM {table}")).await);
    }
    // Reminders are told meanwhile.
    for told in ["BillIssued", "BillReversed", "MeterReadAccepted"] {
        counts.push(
            world
                .count(&format!("SELECT count(*) FROM event WHERE kind = 'hearth.billing.v1.{told}'"))
                .await,
        );
    }
    counts.push(world.count("SELECT CAST(sum(last) AS bigint) FROM number").await);
    counts
}

#[tokio::test]
async fn p_9_2_a_wrong_price_is_corrected_by_credit_notes_after_a_dry_run() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        // The first tier ends at 60 m³.
        let narrow = |mut request: PublishTariffRequest, price: &str| {
            let tier = &mut request.classes[0].tiers[0];
            (tier.up_to, tier.unit_price) = (metres("60"), metres(price));
            request
        };
        let publish = async |request| world.tariffs().publish_tariff(request).await.unwrap().into_inner().tariff.unwrap();
        let wrong = publish(narrow(tianjin(), "8.62")).await;
        let (open, paid, large) = (world.home("R1").await, world.home("R2").await, world.home("R3").await);
        let later = world.home("R4").await;
        month(&world, 1, "2025-01-31", &[(&open, "46"), (&paid, "46"), (&large, "46"), (&later, "46")]).await;
        pay(&world, &paid, "396.52", "1").await;
        // 14 × 8.62 + 32 × 3.36.
        month(&world, 2, "2025-02-28", &[(&large, "92")]).await;
        assert_eq!(money(&live(&world, &large).await), ["396.52", "228.20"]);
        world.clock("2025-03-01T09:00:00+08:00");
        let counting = reratings(&world).start_rerating(rerating(&wrong, None)).await.unwrap_err();
        assert_eq!(reason(&counting), "TARIFF_NOT_REPLACED");
        let right = publish(narrow(replacing(&wrong), "2.86")).await;
        // A bill of a later month that the right version made is billed anew all the same: it follows one that was wrong.
        month(&world, 3, "2025-03-31", &[(&later, "130")]).await;
        let untried = StartReratingRequest {
            tried_rerating_id: None,
            dry_run: false,
            ..rerating(&wrong, None)
        };
        assert_eq!(
            reason(&reratings(&world).start_rerating(untried.clone()).await.unwrap_err()),
            "RERATING_NOT_TRIED"
        );
        let unknown = StartReratingRequest {
            tried_rerating_id: Some(key()),
            ..untried
        };
        assert_eq!(reason(&reratings(&world).start_rerating(unknown).await.unwrap_err()), "NOT_FOUND");

        let before = (written(&world).await, world.bills_of(&large).await);
        let tried = run(&world, rerating(&wrong, None)).await;
        let report = [
            corrected("R1", 1, "-264.96"),
            corrected("R2", 1, "-264.96"),
            corrected("R3", 2, "-345.60"),
            corrected("R4", 2, "-264.96"),
        ];
        assert_eq!(items(&world, &tried).await, report);
        assert_eq!(counts(&tried), (4, 0, 0));
        // 4 × 396.52 + 228.20 + 275.24; 4 × 131.56 + 147.56 + 275.24.
        let totals = ("-1140.48".to_owned(), "2089.52".to_owned(), "949.04".to_owned());
        assert_eq!(sums(&tried), totals);
        assert_eq!((written(&world).await, world.bills_of(&large).await), before, "nothing but the report");
        assert_eq!(
            (&tried.tariff_id, &tried.replacement_tariff_id, tried.dry_run),
            (&wrong.tariff_id, &right.tariff_id, true)
        );

        let request = rerating(&wrong, Some(&tried));
        let mut accountant = ReratingServiceClient::new(bed.staff_named("li", &[Role::Accountant]));
        let begun = accountant.start_rerating(request.clone()).await.unwrap().into_inner();
        let done = eventually("the corrections", async || {
            Some(get(&world, begun.rerating.as_ref().unwrap()).await).filter(|run| run.state() == rerating::State::Done)
        })
        .await;
        assert_eq!(accountant.start_rerating(request).await.unwrap().into_inner(), begun, "a repetition");
        assert_eq!((items(&world, &done).await, sums(&done), counts(&done)), (report.to_vec(), totals, (4, 0, 0)));
        for (home, amounts) in [
            (&open, vec!["131.56"]),
            (&paid, vec!["131.56"]),
            // 14 × 2.86 + 32 × 3.36.
            (&large, vec!["131.56", "147.56"]),
            // 14 × 2.86 + 70 × 3.36, as before.
            (&later, vec!["131.56", "275.24"]),
        ] {
            assert_eq!(money(&live(&world, home).await), amounts, "{}", home.account_no);
        }
        assert_eq!(world.count("SELECT count(*) FROM credit_note").await, 6, "one for each bill");
        let noted = "SELECT count(*) FROM credit_note n JOIN bill b ON b.id = n.bill_id WHERE b.amount = n.amount AND n.reason = '8.62 was printed for 2.86'";
        assert_eq!(world.count(noted).await, 6);
        assert_eq!(world.balance(&open).await, ("131.56".to_owned(), "0.00".to_owned()));
        assert_eq!(
            world.balance(&paid).await,
            ("0.00".to_owned(), "264.96".to_owned()),
            "what was paid paid the new bill"
        );
        assert_eq!(world.balance(&large).await.0, "279.12");
        let told = |b: &Bill| (b.from_date, b.to_date, b.volume.clone(), b.volume_before.clone(), b.year, b.month);
        let old: Vec<Bill> = before.1;
        let new = live(&world, &large).await;
        assert_eq!(new.iter().map(told).collect::<Vec<_>>(), old.iter().map(told).collect::<Vec<_>>());
        assert_eq!(
            new.iter().map(|b| &b.replaces_bill_id).collect::<Vec<_>>(),
            old.iter().map(|b| &b.bill_id).collect::<Vec<_>>()
        );
        assert!(new.iter().all(|b| b.tariff_id == right.tariff_id));
        world.sound().await;

        // Again: nothing is left that the wrong version made.
        let before = written(&world).await;
        let tried = run(&world, rerating(&wrong, None)).await;
        let again = run(&world, rerating(&wrong, Some(&tried))).await;
        assert_eq!((counts(&tried), counts(&again)), ((0, 0, 0), (0, 0, 0)));
        assert_eq!((sums(&again).0, written(&world).await), ("0.00".to_owned(), before));
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn p_9_2_one_bad_agreement_is_parked_and_the_others_are_corrected() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let wrong = publish_wrong(&world).await;
        let (bad, good, credited) = (world.home("R1").await, world.home("R2").await, world.home("R3").await);
        let heating = world.tell("R4", HEXI, "independent heating", "2024-12-31");
        world.supply(&heating, |s| s.state() == supply::State::InForce).await;
        world.install(&heating, "2024-12-31", "0").await;
        month(&world, 1, "2025-01-31", &[(&bad, "46"), (&good, "46"), (&credited, "46"), (&heating, "46")]).await;
        month(&world, 2, "2025-02-28", &[(&bad, "92")]).await;
        world.clock("2025-03-01T09:00:00+08:00");
        let mut accountant = BillServiceClient::new(bed.staff(&[Role::Accountant]));
        let bill = live(&world, &credited).await.remove(0);
        let credit = CreditBillRequest {
            request_id: key(),
            bill_id: bill.bill_id,
            etag: bill.etag,
            amount: yuan("20.00"),
            reason: "he complained".to_owned(),
        };
        accountant.credit_bill(credit).await.unwrap();
        let amended = archive::ContractAmended {
            agreement_id: bad.agreement.clone(),
            version: 2,
            use_class: "nobody's class".to_owned(),
            from_date: day("2025-02-01"),
        };
        world.archive.tell(&bad.agreement, &amended);
        world.supply(&bad, |s| s.use_classes.iter().any(|c| c.use_class == "nobody's class")).await;
        replace(&world, &wrong).await;
        let tried = run(&world, rerating(&wrong, None)).await;
        let done = run(&world, rerating(&wrong, Some(&tried))).await;
        // The class of the fourth one is priced the same by both versions.
        let same = ("R4".to_owned(), rerating_item::Outcome::Unchanged, String::new(), 0, "0.00".to_owned());
        let report = [
            parked("R1", "TARIFF_MISSING"),
            corrected("R2", 1, "-264.96"),
            parked("R3", "BILL_CREDITED"),
            same,
        ];
        for run in [&tried, &done] {
            assert_eq!((items(&world, run).await, counts(run)), (report.to_vec(), (1, 1, 2)));
        }
        assert_eq!(money(&live(&world, &bad).await), ["396.52", "396.52"], "nothing is half done");
        assert_eq!(money(&world.bills_of(&heating).await), ["126.96"], "46 × 2.76, as it was");
        assert_eq!(
            world.count("SELECT count(*) FROM credit_note").await,
            2,
            "that of the complaint and the one of the corrected bill"
        );
        let only = ListReratingItemsRequest {
            rerating_id: done.rerating_id.clone(),
            outcome: rerating_item::Outcome::Parked.into(),
            page_size: 1,
            ..Default::default()
        };
        let page = reratings(&world).list_rerating_items(only.clone()).await.unwrap().into_inner();
        let rest = ListReratingItemsRequest {
            page_token: page.next_page_token,
            ..only
        };
        let rest = reratings(&world).list_rerating_items(rest).await.unwrap().into_inner();
        let nos: Vec<_> = page.items.iter().chain(&rest.items).map(|i| i.account_no.as_str()).collect();
        assert_eq!((nos, rest.next_page_token.as_str()), (vec!["R1", "R3"], ""));
        world.sound().await;
        // Somebody has looked at the one, and the other one has a class again: what was parked is found once more, what was corrected is not.
        let kept = live(&world, &credited).await.remove(0);
        let refused = world.bills().cancel_and_rebill(anew(&kept, false)).await.unwrap_err();
        assert_eq!(reason(&refused), "BILL_CREDITED", "nobody said that the credit ends");
        let request = CancelAndRebillRequest {
            credits_taken_back: true,
            ..anew(&kept, false)
        };
        world.bills().cancel_and_rebill(request).await.unwrap();
        let amended = archive::ContractAmended {
            version: 3,
            use_class: "living".to_owned(),
            ..amended
        };
        world.archive.tell(&bad.agreement, &amended);
        world.supply(&bad, |s| s.use_classes.iter().all(|c| c.use_class == "living")).await;
        let tried = run(&world, rerating(&wrong, None)).await;
        let done = run(&world, rerating(&wrong, Some(&tried))).await;
        assert_eq!((counts(&done), sums(&done).0.as_str()), ((1, 1, 0), "-529.92"));
        assert_eq!(money(&live(&world, &bad).await), ["131.56", "131.56"]);
        assert_eq!(money(&live(&world, &credited).await), ["131.56"]);
        world.sound().await;
    })
    .await;
}

/// The first volume of a household at 5.00 for 3.00.
#[tokio::test]
async fn p_9_2_g_sh_meters_that_share_their_tiers_are_rated_anew_together() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let shanghai = |price: &str| {
            let mut shared = sharing();
            shared.tiers[0].unit_price = metres(price);
            PublishTariffRequest {
                request_id: key(),
                classes: vec![shared],
                ..tianjin()
            }
        };
        let wrong = world.tariffs().publish_tariff(shanghai("5.00")).await.unwrap().into_inner().tariff.unwrap();
        let (one, two) = (world.home("G1").await, world.home("G2").await);
        world.join(&one, &two).await;
        month(&world, 1, "2025-01-31", &[(&one, "200"), (&two, "250")]).await;
        let right = PublishTariffRequest {
            replaces_tariff_id: Some(wrong.tariff_id.clone()),
            ..shanghai("3.00")
        };
        world.tariffs().publish_tariff(right).await.unwrap();
        month(&world, 2, "2025-02-28", &[(&one, "300"), (&two, "250")]).await;
        let tried = run(&world, rerating(&wrong, None)).await;
        let done = run(&world, rerating(&wrong, Some(&tried))).await;
        // 200 × 5 → 200 × 3; 110 × 5 + 140 × 3.30 → 110 × 3 + 140 × 3.30. February follows both and comes to 70 × 3.30 + 30 × 4.20 again.
        let report = [corrected("G1", 2, "-400.00"), corrected("G2", 2, "-220.00")];
        for run in [&tried, &done] {
            assert_eq!((items(&world, run).await, counts(run)), (report.to_vec(), (2, 0, 0)));
        }
        let fen = async |home: &Home| {
            let agreement = world.uuid(&home.agreement);
            let sql = format!("SELECT CAST(sum(amount) AS bigint) FROM bill WHERE state <> 'REVERSED' AND agreement_id = {agreement}");
            world.count(&sql).await
        };
        assert_eq!((fen(&one).await, fen(&two).await), (60_000 + 35_700, 79_200));
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn p_9_2_adjusted_volumes_stay_in_the_bills() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let wrong = publish_wrong(&world).await;
        let home = world.home("R1").await;
        month(&world, 1, "2025-01-31", &[(&home, "46")]).await;
        world.clock("2025-02-20T09:00:00+08:00");
        let adjustment = ask(&world, stated(&home, Grounds::MeterUnreadable, "20", "2025-01-31", "2025-02-20")).await;
        let adjustment = approved(&world, adjustment, "2025-02-20").await;
        post(&world, &adjustment).await;
        month(&world, 2, "2025-02-28", &[(&home, "80")]).await;
        replace(&world, &wrong).await;
        let tried = run(&world, rerating(&wrong, None)).await;
        run(&world, rerating(&wrong, Some(&tried))).await;
        let bills = live(&world, &home).await;
        assert_eq!(money(&bills), ["131.56", "154.44"], "46 × 2.86, (34 + 20) × 2.86");
        assert_eq!(bills[1].volume, metres("54"));
        world.sound().await;
    })
    .await;
}

/// 3.86 from 11 January on instead of from 21 January on: the wrong version is replaced by one that goes on with the price before, up to the true day.
#[tokio::test]
async fn p_9_2_a_wrong_first_day_is_mended_by_two_versions() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let first = world.publish_tianjin().await;
        let none = tariff_class::LowIncome::Unspecified;
        let dearer = |from: &str| PublishTariffRequest {
            request_id: key(),
            from_date: day(from),
            classes: vec![class("living", &[(None, "3.86")], none)],
            ..tianjin()
        };
        let follows = Some(first.tariff_id.clone());
        let early = PublishTariffRequest {
            follows_tariff_id: follows,
            ..dearer("2025-01-11")
        };
        let early = world.tariffs().publish_tariff(early).await.unwrap().into_inner().tariff.unwrap();
        let home = world.home("R1").await;
        month(&world, 1, "2025-01-31", &[(&home, "31")]).await;
        assert_eq!(money(&world.bills_of(&home).await), ["109.66"], "10 × 2.86 + 21 × 3.86");
        let until = PublishTariffRequest {
            from_date: day("2025-01-11"),
            until_date: day("2025-01-21"),
            classes: vec![class("living", &[(None, "2.86")], none)],
            ..replacing(&early)
        };
        world.tariffs().publish_tariff(until).await.unwrap();
        // Without a price for the days from the true one on the bill cannot be made anew.
        let tried = run(&world, rerating(&early, None)).await;
        assert_eq!(items(&world, &tried).await, [parked("R1", "TARIFF_MISSING")]);
        world.tariffs().publish_tariff(dearer("2025-01-21")).await.unwrap();
        let tried = run(&world, rerating(&early, None)).await;
        let done = run(&world, rerating(&early, Some(&tried))).await;
        assert_eq!((counts(&done), sums(&done).0.as_str()), ((1, 0, 0), "-10.00"));
        assert_eq!(money(&live(&world, &home).await), ["99.66"], "20 × 2.86 + 11 × 3.86");
        // The first version stands in a line alone. Its bills are found as well.
        let right = replacing(&first);
        let refused = world
            .tariffs()
            .publish_tariff(PublishTariffRequest {
                from_date: day("2024-10-01"),
                ..right.clone()
            })
            .await
            .unwrap_err();
        assert_eq!((reason(&refused).as_str(), fields(&refused)), ("DATE_ORDER", vec!["from_date".to_owned()]));
        let cheaper = PublishTariffRequest {
            classes: vec![class("living", &[(None, "1.86")], none)],
            ..right
        };
        world.tariffs().publish_tariff(cheaper).await.unwrap();
        let tried = run(&world, rerating(&first, None)).await;
        assert_eq!(
            (items(&world, &tried).await, sums(&tried).0.as_str()),
            (vec![corrected("R1", 1, "-10.00")], "-10.00")
        );
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn p_9_2_a_branch_corrects_its_own_and_the_report_must_cover_it() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let wrong = publish_wrong(&world).await;
        let (here, there) = (world.home_in("R1", HEXI).await, world.home_in("R2", HEPING).await);
        month(&world, 1, "2025-01-31", &[(&here, "46"), (&there, "46")]).await;
        let second = replace(&world, &wrong).await;
        let of = |branch: &str, tried: Option<&Rerating>| StartReratingRequest {
            branch: branch.to_owned(),
            ..rerating(&wrong, tried)
        };
        let mut clerk = ReratingServiceClient::new(bed.staff_of(HEXI, &[Role::Accountant]));
        for branch in [HEPING, ""] {
            let denied = clerk.start_rerating(of(branch, None)).await.unwrap_err();
            assert_eq!(denied.code(), tonic::Code::PermissionDenied, "{branch}");
        }
        let mut cashier = ReratingServiceClient::new(bed.staff(&[Role::Cashier]));
        assert_eq!(cashier.start_rerating(of("", None)).await.unwrap_err().code(), tonic::Code::PermissionDenied);
        let own = run(&world, of(HEXI, None)).await;
        assert_eq!(items(&world, &own).await, [corrected("R1", 1, "-264.96")]);
        for branch in [HEPING, ""] {
            let narrow = reratings(&world).start_rerating(of(branch, Some(&own))).await.unwrap_err();
            assert_eq!(reason(&narrow), "RERATING_NOT_TRIED", "{branch}");
        }
        let all = run(&world, of("", None)).await;
        assert_eq!(items(&world, &all).await.len(), 2);
        // The clerk sees his run, and of that of all branches his agreements.
        let seen = clerk.list_reratings(ListReratingsRequest::default()).await.unwrap().into_inner().reratings;
        assert_eq!(seen.iter().map(|r| &r.rerating_id).collect::<Vec<_>>(), [&own.rerating_id]);
        let request = ListReratingItemsRequest {
            rerating_id: all.rerating_id.clone(),
            ..Default::default()
        };
        let seen = clerk.list_rerating_items(request).await.unwrap().into_inner().items;
        assert_eq!(seen.iter().map(|i| i.account_no.as_str()).collect::<Vec<_>>(), ["R1"]);
        // What replaced the version was wrong as well: the reports are of another replacement now.
        let third = replace(&world, &second).await;
        let stale = reratings(&world).start_rerating(of(HEXI, Some(&all))).await.unwrap_err();
        assert_eq!(reason(&stale), "RERATING_NOT_TRIED");
        let all = run(&world, of("", None)).await;
        assert_eq!(all.replacement_tariff_id, third.tariff_id);
        let done = run(&world, of(HEXI, Some(&all))).await;
        assert_eq!((counts(&done), sums(&done).0.as_str(), done.branch.as_str()), ((1, 0, 0), "-264.96", HEXI));
        assert_eq!(money(&live(&world, &there).await), ["396.52"]);
        let listed = ListReratingsRequest {
            tariff_id: Some(wrong.tariff_id.clone()),
            ..Default::default()
        };
        let runs = reratings(&world).list_reratings(listed).await.unwrap().into_inner().reratings;
        assert_eq!(runs.len(), 4);
        assert_eq!(
            reason(&reratings(&world).start_rerating(rerating(&third, None)).await.unwrap_err()),
            "TARIFF_NOT_REPLACED"
        );
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn p_9_2_a_run_goes_on_where_its_process_ended() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let wrong = publish_wrong(&world).await;
        let mut homes = vec![];
        for n in 0..25 {
            homes.push(world.home(&format!("R{n:02}")).await);
        }
        let read: Vec<_> = homes.iter().map(|home| (home, "46")).collect();
        month(&world, 1, "2025-01-31", &read).await;
        replace(&world, &wrong).await;
        let begin = async |tried: Option<&Rerating>| {
            let request = rerating(&wrong, tried);
            reratings(&world).start_rerating(request).await.unwrap().into_inner().rerating.unwrap()
        };
        let crashed = async |run: Rerating| {
            for seen in [1, 7] {
                eventually("some of the run", async || (get(&world, &run).await.seen >= seen).then_some(())).await;
                bed.crash().await;
                bed.start().await;
                // Another one would wait until it has run out.
                world.sql("UPDATE lease SET until = 0").await.unwrap();
            }
            eventually("the rest of the run", async || {
                Some(get(&world, &run).await).filter(|run| run.state() == rerating::State::Done)
            })
            .await
        };
        let tried = crashed(begin(None).await).await;
        assert_eq!(world.count("SELECT count(*) FROM credit_note").await, 0);
        let done = crashed(begin(Some(&tried)).await).await;
        for run in [&tried, &done] {
            // 25 × 264.96.
            assert_eq!((counts(run), sums(run).0.as_str()), ((25, 0, 0), "-6624.00"));
        }
        assert_eq!(world.count("SELECT count(*) FROM credit_note").await, 25);
        assert_eq!(world.count("SELECT count(*) FROM bill WHERE state <> 'REVERSED' AND amount = 13156").await, 25);
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn p_9_2_a_cancelled_run_stops_between_two_agreements_and_another_one_does_the_rest() {
    // SQLite has one writer: nobody can be made to wait for one account of several.
    each_of(billing::SERVICE, &[Engine::Postgres], async |bed| {
        let world = World::new(bed).await;
        let wrong = publish_wrong(&world).await;
        let homes = [world.home("R1").await, world.home("R2").await, world.home("R3").await];
        let read: Vec<_> = homes.iter().map(|home| (home, "46")).collect();
        month(&world, 1, "2025-01-31", &read).await;
        let right = replace(&world, &wrong).await;
        let tried = run(&world, rerating(&wrong, None)).await;
        // The run waits for the second account, whose customer pays at this moment.
        let paying = bed.db().writer().begin(TransactionOptions::default()).await.unwrap();
        let account = format!("SELECT 1 FROM account WHERE id = {} FOR UPDATE", world.uuid(&homes[1].account));
        paying.execute_unprepared(&account).await.unwrap();
        let request = rerating(&wrong, Some(&tried));
        let begun = reratings(&world).start_rerating(request).await.unwrap().into_inner().rerating.unwrap();
        eventually("the first agreement", async || (get(&world, &begun).await.seen == 1).then_some(())).await;
        let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%account%'";
        eventually("the run to wait", async || (world.count(waits).await == 1).then_some(())).await;
        let second = reratings(&world).start_rerating(rerating(&wrong, None)).await.unwrap_err();
        assert_eq!(reason(&second), "RERATING_RUNNING");
        let meanwhile = world.tariffs().publish_tariff(replacing(&right)).await.unwrap_err();
        assert_eq!(reason(&meanwhile), "RERATING_RUNNING");
        let cancel = CancelJobRequest {
            request_id: key(),
            job_id: begun.job_id.clone(),
        };
        JobServiceClient::new(bed.staff(&[Role::Accountant])).cancel_job(cancel).await.unwrap();
        paying.commit().await.unwrap();
        eventually("the second agreement", async || (get(&world, &begun).await.seen == 2).then_some(())).await;
        let cancelled = get(&world, &begun).await;
        assert_eq!((cancelled.state(), cancelled.expected), (rerating::State::Cancelled, 3));
        let tried = run(&world, rerating(&wrong, None)).await;
        assert_eq!(items(&world, &tried).await, [corrected("R3", 1, "-264.96")]);
        let rest = run(&world, rerating(&wrong, Some(&tried))).await;
        assert_eq!(counts(&rest), (1, 0, 0));
        assert_eq!(get(&world, &begun).await.seen, 2, "it stays where it was stopped");
        assert_eq!(world.count("SELECT count(*) FROM credit_note").await, 3);
        world.sound().await;
    })
    .await;
}
