//! tariffs by day.

use contracts::hearth::billing::v1::*;
use testbed::{each, fields, key, reason};

use crate::world::{World, class, day, metres, tianjin};

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
