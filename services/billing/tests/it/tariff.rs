//! tariffs by day.

use contracts::hearth::{
    archive::v1 as archive,
    billing::v1::{tariff_service_client::TariffServiceClient, *},
    options::v1::Role,
};
use testbed::{each, fields, key, reason};

use crate::world::{HEXI, World, class, day, metres, sharing, tianjin};

#[tokio::test]
async fn a_04_tariff_needs_a_published_notice() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        for request in [
            PublishTariffRequest { legal_basis: String::new(), ..tianjin() },
            PublishTariffRequest { approved_by: " ".to_owned(), ..tianjin() },
            PublishTariffRequest { published_date: None, ..tianjin() },
        ] {
            let refused = world.tariffs().publish_tariff(request).await.unwrap_err();
            assert_eq!((reason(&refused).as_str(), fields(&refused)), ("LEGAL_BASIS_MISSING", vec!["legal_basis".to_owned()]));
        }
        // The database does not take one either.
        let row = format!(
            "INSERT INTO tariff (id, name, commodity, from_date, until_date, legal_basis, approved_by, published_date, year_start_month, year_start_day, boundary, created_at)
             VALUES ({}, 'T', 'natural_gas', '2025-01-01', NULL, '', 'A', '2025-01-01', 1, 1, 'READING_CYCLE', 0)",
            world.uuid(&key())
        );
        assert!(world.sql(&row).await.unwrap_err().to_string().contains("tariff_legal_basis"));
        let home = world.home("T1").await;
        world.clock("2025-01-31T20:00:00+08:00");
        world.read(&home, "2025-01-31", "46").await;
        let run = world.run(1).await;
        assert_eq!((run.produced, run.parked), (0, 1), "without a tariff nothing is rated");
        let items = world.runs().list_bill_run_items(ListBillRunItemsRequest { run_id: run.run_id, ..Default::default() }).await.unwrap().into_inner().items;
        assert_eq!((items[0].outcome(), items[0].reason.as_str()), (bill_run_item::Outcome::Parked, "TARIFF_MISSING"));
    })
    .await;
}

#[tokio::test]
async fn a_04_every_day_has_one_price_and_versions_are_immutable() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let mut tariffs = world.tariffs();
        let first = world.publish_tianjin().await;
        let again = tariffs
            .publish_tariff(PublishTariffRequest {
                from_date: day("2025-07-01"),
                ..tianjin()
            })
            .await
            .unwrap_err();
        assert_eq!((again.code(), reason(&again).as_str()), (tonic::Code::AlreadyExists, "TARIFF_OVERLAP"));
        let before = PublishTariffRequest {
            from_date: day("2020-10-01"),
            until_date: day("2024-09-01"),
            ..tianjin()
        };
        tariffs.publish_tariff(before.clone()).await.unwrap();
        let gap = tariffs
            .publish_tariff(PublishTariffRequest {
                request_id: key(),
                until_date: day("2024-09-02"),
                ..before
            })
            .await
            .unwrap_err();
        assert_eq!(reason(&gap), "TARIFF_OVERLAP");
        let next = PublishTariffRequest {
            from_date: day("2025-07-01"),
            follows_tariff_id: Some(first.tariff_id.clone()),
            ..tianjin()
        };
        let next = tariffs.publish_tariff(next).await.unwrap().into_inner().tariff.unwrap();
        let ended = tariffs
            .get_tariff(GetTariffRequest {
                tariff_id: first.tariff_id.clone(),
            })
            .await
            .unwrap()
            .into_inner()
            .tariff
            .unwrap();
        assert_eq!(ended.until_date, day("2025-07-01"));
        let on = |date: &str| ListTariffsRequest {
            on_date: day(date),
            ..Default::default()
        };
        for (date, id) in [("2025-06-30", &first.tariff_id), ("2025-07-01", &next.tariff_id)] {
            let found = tariffs.list_tariffs(on(date)).await.unwrap().into_inner().tariffs;
            assert_eq!(found.iter().map(|t| &t.tariff_id).collect::<Vec<_>>(), [id], "{date}");
        }
        let closed = PublishTariffRequest {
            from_date: day("2026-01-01"),
            follows_tariff_id: Some(first.tariff_id.clone()),
            ..tianjin()
        };
        assert_eq!(reason(&tariffs.publish_tariff(closed).await.unwrap_err()), "TARIFF_NOT_OPEN");
        // By raw SQL: no second price for a day, no edit, no deletion.
        let insert = |from: &str, until: &str| {
            format!(
                "INSERT INTO tariff_price (id, tariff_id, commodity, use_class, from_date, until_date, terms)
                 VALUES ({}, {}, 'natural_gas', 'living', '{from}', {until}, '{{}}')",
                world.uuid(&key()),
                world.uuid(&first.tariff_id)
            )
        };
        for (from, until) in [
            ("2024-10-01", "'2024-10-02'"),
            ("2019-01-01", "NULL"),
            ("2030-01-01", "NULL"),
            ("2020-01-01", "'2020-10-02'"),
        ] {
            assert!(
                world.sql(&insert(from, until)).await.unwrap_err().to_string().contains("tariff_overlap"),
                "{from}"
            );
        }
        world.sql(&insert("2020-01-01", "'2020-10-01'")).await.unwrap();
        for sql in [
            "UPDATE tariff_price SET terms = 'x'",
            "DELETE FROM tariff_price",
            "UPDATE tariff SET legal_basis = 'other'",
            "DELETE FROM tariff",
        ] {
            assert!(world.sql(sql).await.unwrap_err().to_string().contains("tariff_is_immutable"), "{sql}");
        }
    })
    .await;
}

#[tokio::test]
async fn tariffs_that_cannot_price_are_refused() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let none = tariff_class::LowIncome::Unspecified;
        let with = |classes: Vec<TariffClass>| PublishTariffRequest { classes, ..tianjin() };
        for (request, wanted, field) in [
            (with(vec![class("living", &[(Some("300"), "2.86")], none)]), "TIERS", "classes[0].tiers"),
            (
                with(vec![class("living", &[(Some("300"), "2.86"), (Some("200"), "3.36"), (None, "4.11")], none)]),
                "TIERS",
                "classes[0].tiers",
            ),
            (with(vec![class("living", &[(None, "-2.86")], none)]), "TIERS", "classes[0].tiers"),
            (
                with(vec![class("a", &[(None, "1")], none), class("a", &[(None, "1")], none)]),
                "CLASS_TWICE",
                "classes[1].use_class",
            ),
            (
                PublishTariffRequest {
                    until_date: day("2024-09-01"),
                    ..tianjin()
                },
                "DATE_ORDER",
                "until_date",
            ),
        ] {
            let refused = world.tariffs().publish_tariff(request).await.unwrap_err();
            assert_eq!((reason(&refused).as_str(), fields(&refused)), (wanted, vec![field.to_owned()]));
        }
        let foreign = world
            .tariffs()
            .publish_tariff(PublishTariffRequest {
                currency_code: "EUR".to_owned(),
                ..tianjin()
            })
            .await
            .unwrap_err();
        assert_eq!(foreign.code(), tonic::Code::InvalidArgument);
        let mut uplifted = class("living", &[(Some("350"), "2.61"), (None, "2.83")], tariff_class::LowIncome::NoTier3);
        uplifted.household = Some(HouseholdUplift {
            from_persons: 6,
            plus: metres("150"),
            per_person: false,
            first_tier_only: false,
            full_year: false,
        });
        let made = world
            .tariffs()
            .publish_tariff(with(vec![uplifted.clone()]))
            .await
            .unwrap()
            .into_inner()
            .tariff
            .unwrap();
        assert_eq!(made.classes, [uplifted]);
    })
    .await;
}

/// Shanghai, Tai'an and whatever else a class can say.
fn rich() -> PublishTariffRequest {
    let living = TariffClass {
        household: Some(HouseholdUplift {
            from_persons: 5,
            plus: metres("150"),
            per_person: false,
            first_tier_only: true,
            full_year: true,
        }),
        unit_charges: vec![UnitCharge {
            price: metres("0.05"),
            rounding: Some(Rounding {
                mode: rounding::Mode::Floor.into(),
                place: metres("0.01"),
            }),
        }],
        months_open: true,
        flat_price_choice: Some(FlatPriceChoice {
            from_persons: 7,
            unit_price: metres("3.05"),
        }),
        meters_share_tiers: true,
        free_volume: Some(FreeVolume {
            per_month: metres("6"),
            all_low_income: false,
            after_year: true,
        }),
        standing_charges: vec![StandingCharge {
            price: metres("31"),
            per: standing_charge::Per::Month.into(),
            rounding: Some(Rounding {
                mode: rounding::Mode::HalfUp.into(),
                place: metres("0.1"),
            }),
        }],
        ..class(
            "living",
            &[(Some("310"), "3"), (Some("520"), "3.3"), (None, "4.2")],
            tariff_class::LowIncome::NoTier3,
        )
    };
    let mut shop = class("shop", &[(Some("100"), "3"), (None, "2")], tariff_class::LowIncome::Unspecified);
    shop.tiering = tariff_class::Tiering::Whole.into();
    shop.tiers[0].flat_price = metres("5");
    shop.rounding = Some(Rounding {
        mode: rounding::Mode::Ceiling.into(),
        place: metres("1"),
    });
    PublishTariffRequest {
        request_id: key(),
        classes: vec![living, shop],
        closing_reading: Some(ClosingReading { odd_month: 11, even_month: 12 }),
        rounding: Some(Rounding {
            mode: rounding::Mode::Floor.into(),
            place: metres("0.1"),
        }),
        tax_percent: metres("5.8"),
        tax_included: true,
        tax_rounding: Some(Rounding {
            mode: rounding::Mode::HalfUp.into(),
            place: metres("0.1"),
        }),
        change: tariff::Change::CutoverRead.into(),
        ..tianjin()
    }
}

#[tokio::test]
async fn p_9_1_every_rule_of_a_tariff_is_kept_as_published() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let asked = rich();
        let made = world.tariffs().publish_tariff(asked.clone()).await.unwrap().into_inner().tariff.unwrap();
        assert_eq!(
            (&made.classes, made.closing_reading, &made.rounding),
            (&asked.classes, asked.closing_reading, &asked.rounding)
        );
        assert_eq!((&made.tax_percent, made.change()), (&asked.tax_percent, tariff::Change::CutoverRead));
        assert_eq!((made.tax_included, &made.tax_rounding), (true, &asked.tax_rounding));
        let got = world
            .tariffs()
            .get_tariff(GetTariffRequest {
                tariff_id: made.tariff_id.clone(),
            })
            .await
            .unwrap()
            .into_inner()
            .tariff
            .unwrap();
        assert_eq!(got, made);
        // Rules that cannot hold together.
        let mut twice = rich();
        twice.classes[0].free_volume.as_mut().unwrap().all_low_income = true;
        let mut by_bill = rich();
        by_bill.classes[0].tiering = tariff_class::Tiering::Bill.into();
        let mut split = rich();
        split.boundary = tariff::Boundary::DaySplit.into();
        let mut nothing = rich();
        nothing.classes[1].rounding.as_mut().unwrap().place = metres("0");
        for (request, field) in [
            (twice, "classes[0].tiers"),
            (by_bill, "classes[0].tiers"),
            (split, "classes[0].tiers"),
            (nothing, "classes[1].tiers"),
        ] {
            let refused = world.tariffs().publish_tariff(request).await.unwrap_err();
            assert_eq!((reason(&refused).as_str(), fields(&refused)), ("TARIFF_RULE", vec![field.to_owned()]));
        }
    })
    .await;
}

#[tokio::test]
async fn p_9_2_a_wrong_version_is_replaced_and_never_edited() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let mut wrong = tianjin();
        wrong.classes[0].tiers[0].unit_price = metres("8.62");
        let wrong = world.tariffs().publish_tariff(wrong).await.unwrap().into_inner().tariff.unwrap();
        let home = world.home("R1").await;
        world.clock("2025-01-31T20:00:00+08:00");
        world.read(&home, "2025-01-31", "46").await;
        let replacing = |id: &str, from: &str| PublishTariffRequest {
            request_id: key(),
            from_date: day(from),
            replaces_tariff_id: Some(id.to_owned()),
            ..tianjin()
        };
        let later = world.tariffs().publish_tariff(replacing(&wrong.tariff_id, "2024-10-01")).await.unwrap_err();
        assert_eq!((reason(&later).as_str(), fields(&later)), ("DATE_ORDER", vec!["from_date".to_owned()]));
        let right = world
            .tariffs()
            .publish_tariff(replacing(&wrong.tariff_id, "2024-09-01"))
            .await
            .unwrap()
            .into_inner()
            .tariff
            .unwrap();
        let again = world.tariffs().publish_tariff(replacing(&wrong.tariff_id, "2024-09-01")).await.unwrap_err();
        assert_eq!(reason(&again), "TARIFF_REPLACED");
        let kept = world
            .tariffs()
            .get_tariff(GetTariffRequest {
                tariff_id: wrong.tariff_id.clone(),
            })
            .await
            .unwrap()
            .into_inner()
            .tariff
            .unwrap();
        assert_eq!((kept.replaced_by_tariff_id.as_str(), &kept.classes), (right.tariff_id.as_str(), &wrong.classes));
        world.run(1).await;
        let bills = world.bills_of(&home).await;
        assert_eq!(crate::world::text(&bills[0].amount), "131.56", "46 × 2.86");
        // By raw SQL: replaced once, and nothing else changes with it.
        for sql in [
            "UPDATE tariff_price SET replaced = FALSE WHERE replaced",
            "UPDATE tariff_price SET until_date = '2030-01-01' WHERE replaced",
            "UPDATE tariff_price SET replaced = TRUE, until_date = '2030-01-01' WHERE NOT replaced",
            "UPDATE tariff SET rules = '{}'",
            "UPDATE tariff SET change_mode = 'BY_READ_DATE'",
            "UPDATE tariff SET until_date = '2030-01-01' WHERE replaced_by IS NOT NULL",
        ] {
            assert!(world.sql(sql).await.unwrap_err().to_string().contains("tariff_is_immutable"), "{sql}");
        }
    })
    .await;
}

#[tokio::test]
async fn b_14_a_change_by_degree_days_waits_for_them() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let none = tariff_class::LowIncome::Unspecified;
        let flat = |price: &str| vec![class("living", &[(None, price)], none)];
        let first = PublishTariffRequest {
            classes: flat("2.76"),
            ..tianjin()
        };
        let first = world.tariffs().publish_tariff(first).await.unwrap().into_inner().tariff.unwrap();
        let next = PublishTariffRequest {
            request_id: key(),
            classes: flat("2.97"),
            from_date: day("2025-01-21"),
            follows_tariff_id: Some(first.tariff_id),
            change: tariff::Change::DegreeDays.into(),
            ..tianjin()
        };
        world.tariffs().publish_tariff(next).await.unwrap();
        let home = world.home("W1").await;
        world.clock("2025-01-31T20:00:00+08:00");
        world.read(&home, "2025-01-31", "30").await;
        let run = world.run(1).await;
        assert_eq!((run.produced, run.parked), (0, 1));
        let items = world
            .runs()
            .list_bill_run_items(ListBillRunItemsRequest {
                run_id: run.run_id,
                ..Default::default()
            })
            .await
            .unwrap()
            .into_inner()
            .items;
        assert_eq!(items[0].reason, "DEGREE_DAYS_MISSING");
        let degree = |d: u32, value: &str| DegreeDay {
            date: day(&format!("2025-01-{d:02}")),
            value: metres(value),
        };
        let record = |days: Vec<DegreeDay>| RecordDegreeDaysRequest {
            request_id: key(),
            branch: HEXI.to_owned(),
            days,
        };
        let january: Vec<_> = (1..=31).map(|d| degree(d, if d <= 20 { "1.1" } else { "4" })).collect();
        let answer = world.tariffs().record_degree_days(record(january.clone())).await.unwrap().into_inner();
        assert_eq!((answer.recorded, answer.known), (31, 0));
        let answer = world.tariffs().record_degree_days(record(january.clone())).await.unwrap().into_inner();
        assert_eq!((answer.recorded, answer.known), (0, 31));
        for (days, wanted) in [
            (vec![degree(3, "1.2")], "DEGREE_DAY_KNOWN"),
            (vec![degree(3, "1.1"), degree(3, "1.1")], "DAY_TWICE"),
            (vec![degree(3, "-1")], "SCALE"),
            (vec![degree(3, "1.15")], "SCALE"),
        ] {
            assert_eq!(reason(&world.tariffs().record_degree_days(record(days)).await.unwrap_err()), wanted);
        }
        let list = ListDegreeDaysRequest {
            branch: HEXI.to_owned(),
            from_date: day("2025-01-20"),
            to_date: day("2025-01-21"),
        };
        let listed = world.tariffs().list_degree_days(list).await.unwrap().into_inner().days;
        assert_eq!(listed, [degree(20, "1.1"), degree(21, "4")]);
        // 22 and 44 of 66 degree days: 10 m³ and 20 m³.
        world.run(1).await;
        let bills = world.bills_of(&home).await;
        assert_eq!(crate::world::text(&bills[0].amount), "87.00", "10 × 2.76 + 20 × 2.97");
    })
    .await;
}

#[tokio::test]
async fn b_19_prices_are_tried_on_the_bills_of_a_year() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let (small, large) = (world.home("B1").await, world.home("B2").await);
        world.clock("2025-01-31T20:00:00+08:00");
        world.read(&small, "2025-01-31", "46").await;
        world.read(&large, "2025-01-31", "400").await;
        world.run(1).await;
        world.clock("2025-02-28T20:00:00+08:00");
        world.read(&small, "2025-02-28", "82").await;
        world.run(2).await;
        let none = tariff_class::LowIncome::Unspecified;
        let request = TryTariffRequest {
            year: 2025,
            classes: vec![class("living", &[(Some("300"), "2.80"), (None, "4.00")], none)],
            tier_year_start_month: 1,
            tier_year_start_day: 1,
            ..Default::default()
        };
        let trial = async |request: TryTariffRequest| {
            let mut answers = world.tariffs().try_tariff(request).await.unwrap().into_inner();
            let mut last = None;
            while let Some(answer) = answers.message().await.unwrap() {
                last = answer.result;
            }
            last.unwrap()
        };
        let result = trial(request.clone()).await;
        let told = |effect: &Option<tariff_trial::Effect>| {
            let effect = effect.as_ref().unwrap();
            (
                effect.agreements,
                effect.bills,
                crate::world::text(&effect.billed),
                crate::world::text(&effect.tried),
            )
        };
        // 46 and 36 m³ at 2.86 against 2.80; 300 × 2.86 + 100 × 3.36 against 300 × 2.80 + 100 × 4.00.
        let (billed, tried) = ("234.52".to_owned(), "229.60".to_owned());
        assert_eq!(told(&result.winners), (1, 2, billed, tried));
        assert_eq!(told(&result.losers), (1, 1, "1194.00".to_owned(), "1240.00".to_owned()));
        assert_eq!(told(&result.total), (2, 3, "1428.52".to_owned(), "1469.60".to_owned()));
        assert_eq!(told(&result.unchanged).0, 0);
        assert_eq!(result.classes.len(), 1);
        assert_eq!(result.largest_gains[0].account_no, small.account_no);
        assert_eq!(result.largest_losses[0].agreement_id, large.agreement);
        // The prices that were billed change nothing; prices without the class leave the agreements out; nothing was stored.
        let same = TryTariffRequest {
            classes: tianjin().classes,
            ..request.clone()
        };
        assert_eq!(told(&trial(same).await.unchanged).0, 2);
        let other = TryTariffRequest {
            classes: vec![class("boiler", &[(None, "1")], none)],
            ..request.clone()
        };
        assert_eq!(trial(other).await.left_out, 2);
        let wrong = TryTariffRequest {
            classes: vec![class("living", &[(Some("1"), "1")], none)],
            ..request
        };
        assert_eq!(reason(&world.tariffs().try_tariff(wrong).await.unwrap_err()), "TIERS");
        assert_eq!(world.count("SELECT count(*) FROM bill").await, 3);
        let reader = TariffServiceClient::new(bed.staff(&[Role::Reader]));
        let refused = { reader }.try_tariff(TryTariffRequest::default()).await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::PermissionDenied);
    })
    .await;
}

#[tokio::test]
async fn a_household_of_five_reaches_the_dearer_tier_later() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let mut living = class(
            "living",
            &[(Some("35"), "2.61"), (Some("50"), "2.83"), (None, "4.23")],
            tariff_class::LowIncome::Unspecified,
        );
        living.household = Some(HouseholdUplift {
            from_persons: 5,
            plus: metres("15"),
            per_person: false,
            first_tier_only: false,
            full_year: false,
        });
        let tariff = PublishTariffRequest {
            classes: vec![living],
            ..tianjin()
        };
        world.tariffs().publish_tariff(tariff).await.unwrap();
        let (four, five) = (world.home("G1").await, world.home("G2").await);
        for (home, persons) in [(&four, 4), (&five, 5)] {
            let told = archive::HouseholdSizeChanged {
                agreement_id: home.agreement.clone(),
                persons,
                from_date: day("2024-12-31"),
                until_date: None,
            };
            world.archive.tell(&home.agreement, &told);
            world.supply(home, |supply| supply.entitlements.len() == 1).await;
        }
        world.clock("2025-01-31T20:00:00+08:00");
        for home in [&four, &five] {
            world.read(home, "2025-01-31", "60").await;
        }
        assert_eq!(world.run(1).await.produced, 2);
        // 35 × 2.61 + 15 × 2.83 + 10 × 4.23, and 50 × 2.61 + 10 × 2.83.
        for (home, amount) in [(&four, "176.10"), (&five, "158.80")] {
            assert_eq!(crate::world::text(&world.bills_of(home).await[0].amount), amount);
        }
    })
    .await;
}

#[tokio::test]
async fn g_sh_two_meters_of_one_household_share_the_tiers() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let shanghai = PublishTariffRequest {
            classes: vec![sharing()],
            from_date: day("2014-09-01"),
            tier_year_start_month: 9,
            ..tianjin()
        };
        world.tariffs().publish_tariff(shanghai).await.unwrap();
        let (one, two, alone) = (world.home("G1").await, world.home("G2").await, world.home("G3").await);
        // Both agreements are of one account.
        let moved = format!(
            "UPDATE supply SET account_id = {} WHERE id = {}",
            world.uuid(&one.account),
            world.uuid(&two.agreement)
        );
        world.sql(&moved).await.unwrap();
        world.clock("2025-01-31T20:00:00+08:00");
        for (home, index) in [(&one, "200"), (&two, "250"), (&alone, "250")] {
            world.read(home, "2025-01-31", index).await;
        }
        assert_eq!(world.run(1).await.produced, 3);
        // 930.00 + 140 × 3.30; apart they would be 1350.00.
        let fen = format!("SELECT CAST(sum(amount) AS bigint) FROM bill WHERE account_id = {}", world.uuid(&one.account));
        assert_eq!(world.count(&fen).await, 139_200);
        assert_eq!(crate::world::text(&world.bills_of(&alone).await[0].amount), "750.00", "250 × 3.00");
        // The next month goes on from what both have used: 450 + 100, of which 70 at 3.30.
        world.clock("2025-02-28T20:00:00+08:00");
        for (home, index) in [(&one, "300"), (&two, "250")] {
            world.read(home, "2025-02-28", index).await;
        }
        world.run(2).await;
        assert_eq!(world.count(&fen).await, 139_200 + 7 * 3300 + 30 * 420);
    })
    .await;
}

/// What is not a tier: a levy by the cubic metre, a tax within the prices, tiers by the months open, an uplift in full within the year.
#[tokio::test]
async fn p_9_1_levy_tax_within_months_open_and_an_uplift_in_full_reach_the_bill() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let beijing = |name: &str| {
            class(
                name,
                &[(Some("350"), "2.61"), (Some("500"), "2.83"), (None, "4.23")],
                tariff_class::LowIncome::Unspecified,
            )
        };
        let levied = TariffClass {
            unit_charges: vec![UnitCharge {
                price: metres("0.05"),
                rounding: None,
            }],
            months_open: true,
            ..beijing("by months")
        };
        let raised = TariffClass {
            household: Some(HouseholdUplift {
                from_persons: 6,
                plus: metres("150"),
                full_year: true,
                ..Default::default()
            }),
            ..beijing("in full")
        };
        let tariff = PublishTariffRequest {
            classes: vec![levied, raised],
            tax_percent: metres("9"),
            tax_included: true,
            ..tianjin()
        };
        let rateless = PublishTariffRequest {
            request_id: key(),
            tax_percent: None,
            ..tariff.clone()
        };
        assert_eq!(reason(&world.tariffs().publish_tariff(rateless).await.unwrap_err()), "TARIFF_RULE");
        world.tariffs().publish_tariff(tariff).await.unwrap();
        world.clock("2025-08-21T20:00:00+08:00");
        let (opened, grown) = (
            world.tell("G1", HEXI, "by months", "2025-08-20"),
            world.tell("G2", HEXI, "in full", "2024-12-31"),
        );
        for (home, from) in [(&opened, "2025-08-20"), (&grown, "2024-12-31")] {
            world.supply(home, |s| s.state() == supply::State::InForce).await;
            world.install(home, from, "0").await;
        }
        let size = archive::HouseholdSizeChanged {
            agreement_id: grown.agreement.clone(),
            persons: 6,
            from_date: day("2025-07-01"),
            until_date: None,
        };
        world.archive.tell(&grown.agreement, &size);
        world.supply(&grown, |s| s.entitlements.len() == 1).await;
        world.clock("2025-12-31T20:00:00+08:00");
        world.read(&opened, "2025-12-31", "200").await;
        world.read(&grown, "2025-12-31", "620").await;
        assert_eq!(world.run(12).await.produced, 2);
        // 350 × 5/12 is 146: 146 × 2.61 + 54 × 2.83 = 533.88, and 200 × 0.05.
        // 500 × 2.61 + 120 × 2.83, as for six persons all year (G-BJ); by the months that remain it would be 425 × 2.61 + 150 × 2.83 + 45 × 4.23.
        for (home, amount, tax) in [(&opened, "543.88", "44.91"), (&grown, "1644.6", "135.79")] {
            let bill = world.bills_of(home).await.remove(0);
            let request = ExplainBillRequest {
                bill_id: bill.bill_id,
                party_id: None,
            };
            let explained = world.bills().explain_bill(request).await.unwrap().into_inner().explanation.unwrap();
            let told = |name: &str| explained.steps.iter().find(|s| s.name == name).map(|s| s.values.join(" "));
            // What is held of 9 percent: the ninth of 109 parts.
            assert_eq!((told("total"), told("tax_within")), (Some(amount.to_owned()), Some(tax.to_owned())));
        }
    })
    .await;
}

/// 600 m³ from 1 September on, by a household of seven that chose the flat price of Shanghai, one that did not, and one of six that did (G-SH); and 400 m³ of
/// Tai'an by a destitute household (G-TA24).
#[tokio::test]
async fn g_sh_a_flat_price_is_chosen_and_g_ta24_destitute_households_have_a_free_volume() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let choice = FlatPriceChoice {
            from_persons: 7,
            unit_price: metres("3.05"),
        };
        let living = TariffClass {
            household: Some(HouseholdUplift {
                from_persons: 5,
                plus: metres("150"),
                ..Default::default()
            }),
            flat_price_choice: Some(choice),
            ..class(
                "living",
                &[(Some("310"), "3.00"), (Some("520"), "3.30"), (None, "4.20")],
                tariff_class::LowIncome::Unspecified,
            )
        };
        let taian = TariffClass {
            free_volume: Some(FreeVolume {
                per_month: metres("6"),
                ..Default::default()
            }),
            ..class(
                "taian living",
                &[(Some("240"), "2.97"), (Some("360"), "3.52"), (None, "4.35")],
                tariff_class::LowIncome::NoTier3,
            )
        };
        let tariff = PublishTariffRequest {
            classes: vec![living, taian],
            ..tianjin()
        };
        world.tariffs().publish_tariff(tariff).await.unwrap();
        let homes = [
            (world.home("G1").await, 7, true),
            (world.home("G2").await, 7, false),
            (world.home("G3").await, 6, true),
        ];
        for (home, persons, chosen) in &homes {
            let size = archive::HouseholdSizeChanged {
                agreement_id: home.agreement.clone(),
                persons: *persons,
                from_date: day("2024-01-01"),
                until_date: None,
            };
            world.archive.tell(&home.agreement, &size);
            let flat = archive::FlatPriceChosen {
                agreement_id: home.agreement.clone(),
                chosen: *chosen,
                from_date: day("2024-01-01"),
                until_date: None,
            };
            world.archive.tell(&home.agreement, &flat);
        }
        let poor = world.tell("G4", HEXI, "taian living", "2024-12-31");
        world.supply(&poor, |s| s.state() == supply::State::InForce).await;
        world.install(&poor, "2024-12-31", "0").await;
        let destitute = archive::LowIncomeFlagChanged {
            agreement_id: poor.agreement.clone(),
            low_income: true,
            from_date: day("2024-01-01"),
            until_date: None,
            destitute: true,
        };
        world.archive.tell(&poor.agreement, &destitute);
        let told = world.supply(&poor, |s| !s.entitlements.is_empty()).await;
        assert_eq!(told.entitlements[0].code, "DESTITUTE");
        world.clock("2025-12-31T20:00:00+08:00");
        for (home, ..) in &homes {
            world.read(home, "2025-12-31", "600").await;
        }
        world.read(&poor, "2025-12-31", "400").await;
        assert_eq!(world.run(12).await.produced, 4);
        let mut amounts = vec![];
        for home in homes.iter().map(|(home, ..)| home).chain([&poor]) {
            amounts.push(crate::world::text(&world.bills_of(home).await[0].amount));
        }
        // 1309.20 less 12 × 6 × 2.97.
        assert_eq!(amounts, ["1830.00", "1842.00", "1842.00", "1095.36"]);
    })
    .await;
}
