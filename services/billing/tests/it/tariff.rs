//! tariffs by day.

use contracts::hearth::{
    archive::v1 as archive,
    billing::v1::{tariff_service_client::TariffServiceClient, *},
    options::v1::Role,
};
use testbed::{each, fields, key, reason};

use crate::world::{HEXI, World, class, day, metres, sharing, text, tianjin};

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
async fn thread_18_p_9_1_every_rule_of_a_tariff_is_kept_as_published() {
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
        assert_eq!(text(&bills[0].amount), "131.56", "46 × 2.86");
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
        assert_eq!(text(&bills[0].amount), "87.00", "10 × 2.76 + 20 × 2.97");
    })
    .await;
}

/// A yuan more from the eleventh of each month on, each time by another mode.
#[tokio::test]
async fn p_9_2_b_14_a_household_is_billed_over_a_price_change_by_each_mode() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let mut before = None;
        for (from, price, change) in [
            ("2024-09-01", "2", tariff::Change::DaySplit),
            ("2025-02-11", "3", tariff::Change::DaySplit),
            ("2025-03-11", "4", tariff::Change::ByReadDate),
            ("2025-04-11", "5", tariff::Change::CutoverRead),
            ("2025-05-11", "6", tariff::Change::CutoverRead),
        ] {
            let request = PublishTariffRequest {
                request_id: key(),
                from_date: day(from),
                change: change.into(),
                follows_tariff_id: before,
                classes: vec![class("living", &[(None, price)], tariff_class::LowIncome::Unspecified)],
                ..tianjin()
            };
            before = Some(world.tariffs().publish_tariff(request).await.unwrap().into_inner().tariff.unwrap().tariff_id);
        }
        let home = world.home("T1").await;
        for (month, reads) in [
            (1, vec![("2025-01-31", "31")]),
            (2, vec![("2025-02-28", "59")]),
            (3, vec![("2025-03-31", "90")]),
            // Everyone is read by the day before the change.
            (4, vec![("2025-04-10", "98"), ("2025-04-30", "120")]),
            (5, vec![("2025-05-31", "151")]),
        ] {
            for (on, index) in reads {
                world.clock(&format!("{on}T20:00:00+08:00"));
                world.read(&home, on, index).await;
            }
            assert_eq!(world.run(month).await.produced, 1, "{month}");
        }
        let bills = world.bills_of(&home).await;
        let amounts: Vec<String> = bills.iter().map(|bill| text(&bill.amount)).collect();
        let wanted = [
            "62.00",  // 31 × 2
            "74.00",  // ten of 28 days: 10 × 2 + 18 × 3
            "124.00", // 31 × 4, read after the change
            "142.00", // 8 × 4, read before the change, + 22 × 5
            "186.00", // 31 × 6: nothing was read before the change, so all is collected at the new price
        ];
        assert_eq!(amounts, wanted);
        world.sound().await;
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
            (effect.agreements, effect.bills, text(&effect.billed), text(&effect.tried))
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
            assert_eq!(text(&world.bills_of(home).await[0].amount), amount);
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
        world.join(&one, &two).await;
        world.clock("2025-01-31T20:00:00+08:00");
        for (home, index) in [(&one, "200"), (&two, "250"), (&alone, "250")] {
            world.read(home, "2025-01-31", index).await;
        }
        assert_eq!(world.run(1).await.produced, 3);
        // 930.00 + 140 × 3.30; apart they would be 1350.00.
        let fen = format!("SELECT CAST(sum(amount) AS bigint) FROM bill WHERE account_id = {}", world.uuid(&one.account));
        assert_eq!(world.count(&fen).await, 139_200);
        assert_eq!(text(&world.bills_of(&alone).await[0].amount), "750.00", "250 × 3.00");
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
            amounts.push(text(&world.bills_of(home).await[0].amount));
        }
        // 1309.20 less 12 × 6 × 2.97.
        assert_eq!(amounts, ["1830.00", "1842.00", "1842.00", "1095.36"]);
    })
    .await;
}

/// The last answer of a trial.
async fn tried(world: &World<'_>, request: TryTariffRequest) -> TariffTrial {
    let mut answers = world.tariffs().try_tariff(request).await.unwrap().into_inner();
    let mut last = None;
    while let Some(answer) = answers.message().await.unwrap() {
        last = answer.result;
    }
    last.unwrap()
}

fn effect(effect: &Option<tariff_trial::Effect>) -> (i64, i64, String, String) {
    let effect = effect.as_ref().unwrap();
    (effect.agreements, effect.bills, text(&effect.billed), text(&effect.tried))
}

/// What an agreement would pay more.
fn more(customer: &tariff_trial::Customer) -> (String, String) {
    let effect = customer.effect.as_ref().unwrap();
    let fen = |money: &Option<contracts::hearth::r#type::v1::Money>| money.as_ref().unwrap().minor_units;
    let more = money::Money::from_fen(fen(&effect.tried) - fen(&effect.billed)).to_string();
    (customer.account_no.clone(), more)
}

/// Prices that ask for everything that an agreement can say.
fn demanding() -> Vec<TariffClass> {
    use tariff_class::LowIncome::{AllAtTier1, NoTier3, Unspecified};
    let living = TariffClass {
        household: Some(HouseholdUplift {
            from_persons: 6,
            plus: metres("240"),
            ..Default::default()
        }),
        ..class("living", &[(Some("30"), "2.61"), (Some("60"), "2.83"), (None, "4.23")], AllAtTier1)
    };
    let taian = TariffClass {
        free_volume: Some(FreeVolume {
            per_month: metres("6"),
            ..Default::default()
        }),
        ..class("taian", &[(Some("240"), "2.97"), (None, "4.35")], NoTier3)
    };
    let shanghai = TariffClass {
        flat_price_choice: Some(FlatPriceChoice {
            from_persons: 7,
            unit_price: metres("3.05"),
        }),
        ..class("shanghai", &[(Some("100"), "3.00"), (None, "4.20")], Unspecified)
    };
    let shared = TariffClass {
        meters_share_tiers: true,
        ..class("shared", &[(Some("100"), "3.00"), (Some("400"), "3.30"), (None, "4.20")], Unspecified)
    };
    vec![living, taian, shanghai, shared, class("plain", &[(None, "2.00")], Unspecified)]
}

/// Eight agreements of 238 m³ each in 2025 that differ in everything that a price may ask for: a household of six from June (P1), a low income until May
/// (P2), a destitute household (P3), one of seven that chose the flat price (P4), two meters of one household (P5, P6), a bill of which 6.00 were credited (P7)
/// and a meter swapped on 10 March, ten days before a low income (P8).
async fn population(world: &World<'_>) {
    let request = PublishTariffRequest {
        classes: demanding(),
        ..tianjin()
    };
    world.tariffs().publish_tariff(request).await.unwrap();
    let mut homes = vec![];
    for (n, class) in (1..).zip(["living", "living", "taian", "shanghai", "shared", "shared", "plain", "living"]) {
        let home = world.tell(&format!("P{n}"), HEXI, class, "2024-12-31");
        world.supply(&home, |s| s.state() == supply::State::InForce).await;
        world.install(&home, "2024-12-31", "0").await;
        homes.push(home);
    }
    let persons = |at: usize, persons: i32, from: &str| archive::HouseholdSizeChanged {
        agreement_id: homes[at].agreement.clone(),
        persons,
        from_date: day(from),
        until_date: None,
    };
    let income = |at: usize, from: &str, until: Option<&str>, destitute: bool| archive::LowIncomeFlagChanged {
        agreement_id: homes[at].agreement.clone(),
        low_income: true,
        from_date: day(from),
        until_date: until.and_then(day),
        destitute,
    };
    let flat = archive::FlatPriceChosen {
        agreement_id: homes[3].agreement.clone(),
        chosen: true,
        from_date: day("2024-12-31"),
        until_date: None,
    };
    for (at, size, from) in [(0, 4, "2024-12-31"), (0, 6, "2025-06-01"), (3, 7, "2024-12-31")] {
        world.archive.tell(&homes[at].agreement, &persons(at, size, from));
    }
    world.archive.tell(&homes[1].agreement, &income(1, "2024-12-31", Some("2025-06-01"), false));
    world.archive.tell(&homes[2].agreement, &income(2, "2024-12-31", None, true));
    world.archive.tell(&homes[7].agreement, &income(7, "2025-03-20", None, false));
    world.archive.tell(&homes[3].agreement, &flat);
    for (at, count) in [(0, 2), (1, 1), (2, 1), (3, 2), (7, 1)] {
        world.supply(&homes[at], |s| s.entitlements.len() == count).await;
    }
    world.join(&homes[4], &homes[5]).await;
    for (month, on, index) in [
        (1, "2025-01-31", 20),
        (3, "2025-03-31", 58),
        (4, "2025-04-30", 78),
        (6, "2025-06-30", 118),
        (12, "2025-12-31", 238),
    ] {
        world.clock(&format!("{on}T20:00:00+08:00"));
        if month == 3 {
            // The meter goes with 45 m³, another one comes.
            homes[7] = world.exchange(&homes[7], "M-P8-2", "2025-03-10", (Some("45"), "0")).await;
        }
        for (at, home) in homes.iter().enumerate() {
            // The second meter of P8 has counted 45 m³ less.
            let index = if at == 7 && month > 1 { index - 45 } else { index };
            world.read(home, on, &index.to_string()).await;
        }
        assert_eq!(world.run(month).await.produced, 8, "{month}");
        if month == 1 {
            let bill = world.bills_of(&homes[6]).await.remove(0);
            let credit = CreditBillRequest {
                request_id: key(),
                bill_id: bill.bill_id,
                etag: bill.etag,
                amount: crate::world::yuan("6.00"),
                reason: "a week without gas".to_owned(),
            };
            world.bills().credit_bill(credit).await.unwrap();
        }
    }
}

fn trial_of(classes: Vec<TariffClass>) -> TryTariffRequest {
    TryTariffRequest {
        year: 2025,
        classes,
        tier_year_start_month: 1,
        tier_year_start_day: 1,
        ..Default::default()
    }
}

#[tokio::test]
async fn b_19_the_same_prices_change_nobody_and_a_rise_costs_each_what_it_asks_for() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        population(&world).await;
        let same = tried(&world, trial_of(demanding())).await;
        let billed = world.count("SELECT CAST(sum(amount - credited) AS bigint) FROM bill").await;
        let billed = money::Money::from_fen(billed).to_string();
        assert_eq!(effect(&same.total), (8, 40, billed.clone(), billed.clone()));
        assert_eq!(effect(&same.unchanged), effect(&same.total));
        assert_eq!((effect(&same.winners).0, effect(&same.losers).0, same.left_out), (0, 0, 0));
        assert_eq!((same.largest_gains, same.largest_losses), (vec![], vec![]));
        // Dearer by 1.00 in the third tier of the living and in the first of Tai'an, by 0.10 in the first tier of the sharing and at the flat price, by 0.50
        // where there is one price.
        let mut dearer = demanding();
        dearer[0].tiers[2].unit_price = metres("5.23");
        dearer[1].tiers[0].unit_price = metres("3.97");
        dearer[2].flat_price_choice.as_mut().unwrap().unit_price = metres("3.15");
        dearer[3].tiers[0].unit_price = metres("3.10");
        dearer[4].tiers[0].unit_price = metres("2.50");
        let result = tried(&world, trial_of(dearer)).await;
        let losses: std::collections::BTreeMap<_, _> = result.largest_losses.iter().map(more).collect();
        let lost = |account: &str| losses.get(account).map_or("", String::as_str);
        // Above 60: 18 in April and 20 of the 40 of May and June; six persons from June, 240 × 7 / 12 = 140, so that it is above 200 then: 38.
        assert_eq!(lost("P1"), "76.00");
        // The low income ends with May and 20 of the 40 m³ of May and June: from 98 m³ on, all are above 60.
        assert_eq!(lost("P2"), "140.00");
        // 238 m³ less 12 × 6 that are free.
        assert_eq!(lost("P3"), "166.00");
        // 238 × 0.10.
        assert_eq!(lost("P4"), "23.80");
        // The 100 m³ of their first tier are those of both.
        let of_both = [lost("P5"), lost("P6")].map(|text| text.parse::<money::Money>().map_or(0, money::Money::fen));
        assert_eq!(of_both.iter().sum::<i64>(), 1000);
        // 238 × 0.50; the 6.00 stay credited.
        assert_eq!(lost("P7"), "119.00");
        // 20 m³ in January, 25 on the first meter and 6 of the 13 on the second one by 19 March: 51; all that follows is at the first tier.
        assert_eq!(lost("P8"), "");
        // 76 + 140 + 166 + 23.80 + 10 + 119 = 534.80.
        let (agreements, bills, before, after) = effect(&result.total);
        let risen = after.parse::<money::Money>().unwrap().fen() - before.parse::<money::Money>().unwrap().fen();
        assert_eq!((agreements, bills, before, risen), (8, 40, billed, 53_480));
        assert_eq!((effect(&result.losers).0, effect(&result.winners).0), (7, 0));
        // A branch alone, and one that has none.
        let of = |branch: &str| TryTariffRequest {
            branch: branch.to_owned(),
            ..trial_of(demanding())
        };
        assert_eq!(effect(&tried(&world, of(HEXI)).await.unchanged), effect(&same.total));
        assert_eq!(effect(&tried(&world, of("和平区")).await.total).0, 0);
    })
    .await;
}
