//! E12: bulk meters over sub-meters.

use contracts::hearth::{
    billing::v1::{bulk_meter_service_client::BulkMeterServiceClient, reading_exception::Code, reading_exception::State, *},
    options::v1::Role,
};
use testbed::{Client, each, key, reason};

use crate::world::{Home, World, day, metres, text};

fn district(world: &World<'_>) -> BulkMeterServiceClient<Client> {
    BulkMeterServiceClient::new(world.bed.staff(&[Role::DistrictManager]))
}

fn behind(bulk: &Home, subs: &[&Home]) -> PutBehindBulkMeterRequest {
    PutBehindBulkMeterRequest {
        request_id: key(),
        bulk_meter_no: bulk.meter_no.clone(),
        meter_nos: subs.iter().map(|h| h.meter_no.clone()).collect(),
        from_date: day("2025-01-01"),
    }
}

async fn balance(world: &World<'_>, bulk: &Home, from: &str, until: &str) -> BulkBalance {
    let request = BalanceBulkMeterRequest {
        request_id: key(),
        bulk_meter_no: bulk.meter_no.clone(),
        from_date: day(from),
        until_date: day(until),
    };
    district(world).balance_bulk_meter(request).await.unwrap().into_inner().balance.unwrap()
}

#[tokio::test]
async fn e_12_01_a_loss_above_5_percent_opens_a_case_and_edge_43_a_negative_one_is_wrong_data() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let (bulk, one, two) = (world.home("T0").await, world.home("T1").await, world.home("T2").await);
        world.clock("2025-12-31T20:00:00+08:00");
        let put = district(&world).put_behind_bulk_meter(behind(&bulk, &[&one, &two])).await.unwrap().into_inner();
        assert_eq!(put.sub_meters.len(), 2);
        let again = district(&world).put_behind_bulk_meter(behind(&bulk, &[&one])).await.unwrap().into_inner();
        assert_eq!(again.sub_meters.len(), 2, "asking again changes nothing");
        for (on, bulk_index, one_index, two_index) in [
            ("2025-01-31", "200", "100", "90"),
            ("2025-02-28", "400", "200", "180"),
            ("2025-03-31", "600", "295", "274"),
            ("2025-04-30", "780", "400", "370"),
        ] {
            for (home, index) in [(&bulk, bulk_index), (&one, one_index), (&two, two_index)] {
                world.read(home, on, index).await;
            }
        }
        let within = balance(&world, &bulk, "2025-01-31", "2025-02-28").await;
        assert_eq!(
            (within.finding(), within.loss_percent, within.exception_id.as_str()),
            (bulk_balance::Finding::Within, metres("5.00"), "")
        );
        let loss = balance(&world, &bulk, "2025-02-28", "2025-03-31").await;
        assert_eq!(
            (loss.finding(), loss.loss.clone(), loss.loss_percent.clone()),
            (bulk_balance::Finding::Loss, metres("11"), metres("5.50"))
        );
        let twice = balance(&world, &bulk, "2025-02-28", "2025-03-31").await;
        assert_eq!(twice.exception_id, loss.exception_id, "told once");
        let negative = balance(&world, &bulk, "2025-03-31", "2025-04-30").await;
        assert_eq!((negative.finding(), negative.loss.clone()), (bulk_balance::Finding::Negative, metres("-21")));
        let open = world.exceptions(State::Open, Code::BulkLoss).await;
        assert_eq!(
            open.iter().map(|e| (e.meter_no.as_str(), e.date)).collect::<Vec<_>>(),
            [(bulk.meter_no.as_str(), day("2025-03-31"))]
        );
        let wrong = world.exceptions(State::Open, Code::BulkNegative).await;
        assert_eq!((wrong.len(), wrong[0].case_id.clone()), (1, open[0].case_id.clone()), "one case, two codes");
        // No reading of one of them at the end.
        world.read(&bulk, "2025-05-31", "980").await;
        world.read(&one, "2025-05-31", "500").await;
        let gap = balance(&world, &bulk, "2025-04-30", "2025-05-31").await;
        assert_eq!(
            (gap.finding(), gap.without_reading.clone()),
            (bulk_balance::Finding::Incomplete, vec![two.meter_no.clone()])
        );
        assert_eq!(gap.loss, None);
    })
    .await;
}

#[tokio::test]
async fn e_12_01_the_month_before_is_balanced_without_anybody_asking_and_told_once() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let (bulk, one, two) = (world.home("T0").await, world.home("T1").await, world.home("T2").await);
        let (other, sub) = (world.home("T3").await, world.home("T4").await);
        world.clock("2025-03-01T09:00:00+08:00");
        district(&world).put_behind_bulk_meter(behind(&bulk, &[&one, &two])).await.unwrap();
        district(&world).put_behind_bulk_meter(behind(&other, &[&sub])).await.unwrap();
        for (home, index) in [(&bulk, "200"), (&one, "100"), (&two, "90"), (&other, "100"), (&sub, "100")] {
            world.read(home, "2025-01-31", index).await;
        }
        // One of the first three and one of the others are not read yet.
        for (home, index) in [(&bulk, "400"), (&one, "200"), (&other, "200")] {
            world.read(home, "2025-02-28", index).await;
        }
        let told = async |n: usize| {
            testbed::eventually("the losses", async || {
                let mut open = world.exceptions(State::Open, Code::BulkLoss).await;
                open.sort_by(|a, b| a.meter_no.cmp(&b.meter_no));
                (open.len() == n).then(|| open.into_iter().map(|e| (e.meter_no, e.date)).collect::<Vec<_>>())
            })
            .await
        };
        assert_eq!(told(0).await, []);
        // 200 m³ came in, 100 and 89 were used: 5.5 % are lost.
        world.read(&two, "2025-02-28", "179").await;
        world.clock("2025-03-02T00:30:00+08:00");
        let first = (bulk.meter_no.clone(), day("2025-02-28"));
        assert_eq!(told(1).await, std::slice::from_ref(&first));
        // The next day finds the other, and nothing new of the first: 100 came in, 90 were used.
        world.read(&sub, "2025-02-28", "190").await;
        world.clock("2025-03-03T00:30:00+08:00");
        assert_eq!(told(2).await, [first, (other.meter_no.clone(), day("2025-02-28"))]);
    })
    .await;
}

#[tokio::test]
async fn e_12_01_a_meter_is_behind_one_bulk_meter_of_its_kind() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let (bulk, other, sub) = (world.home("T0").await, world.home("T1").await, world.home("T2").await);
        world.clock("2025-12-31T20:00:00+08:00");
        district(&world).put_behind_bulk_meter(behind(&bulk, &[&sub])).await.unwrap();
        let refused = async |request| reason(&district(&world).put_behind_bulk_meter(request).await.unwrap_err());
        assert_eq!(refused(behind(&other, &[&sub])).await, "SUB_METER_TAKEN");
        assert_eq!(refused(behind(&bulk, &[&bulk])).await, "SUB_METER_LOOP");
        let unknown = Home {
            meter_no: "M0".to_owned(),
            ..sub.clone()
        };
        assert_eq!(refused(behind(&bulk, &[&unknown])).await, "NOT_FOUND");
        let water = MeterRow {
            meter_no: "W1".to_owned(),
            kind: meter::Kind::Water.into(),
            ..crate::world::meter_row(&sub, "2024-12-31", "0")
        };
        assert_eq!(
            world.import_meters(vec![water]).await[0].accepted,
            1,
            "a water meter hangs beside the gas meter"
        );
        let water = Home {
            meter_no: "W1".to_owned(),
            ..sub.clone()
        };
        assert_eq!(refused(behind(&bulk, &[&water])).await, "METER_OF_OTHER_SERVICE");
        let list = ListSubMetersRequest {
            bulk_meter_no: bulk.meter_no.clone(),
        };
        assert_eq!(district(&world).list_sub_meters(list).await.unwrap().into_inner().sub_meters.len(), 1);
        let nothing = BalanceBulkMeterRequest {
            request_id: key(),
            bulk_meter_no: other.meter_no.clone(),
            from_date: day("2025-01-31"),
            until_date: day("2025-02-28"),
        };
        assert_eq!(reason(&district(&world).balance_bulk_meter(nothing).await.unwrap_err()), "NO_SUB_METERS");
    })
    .await;
}

#[tokio::test]
async fn e_12_01_an_exchange_behind_a_bulk_meter_and_of_the_bulk_meter_counts_both() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let (bulk, one, two) = (world.home("T0").await, world.home("T1").await, world.home("T2").await);
        world.clock("2025-12-31T20:00:00+08:00");
        district(&world).put_behind_bulk_meter(behind(&bulk, &[&one, &two])).await.unwrap();
        let read = async |on: &str, indexes: [(&Home, &str); 3]| {
            for (home, index) in indexes {
                assert_eq!(world.read(home, on, index).await.exceptions, [], "{} {on}", home.meter_no);
            }
        };
        read("2025-01-31", [(&bulk, "200"), (&one, "100"), (&two, "90")]).await;
        // 30 by the old meter, then 60 by the new one.
        let new = world.exchange(&two, "N2", "2025-02-10", (Some("120"), "3")).await;
        read("2025-02-28", [(&bulk, "400"), (&one, "200"), (&new, "63")]).await;
        let told = |b: &BulkBalance| (b.finding(), b.bulk_volume.clone(), b.sub_volume.clone(), b.loss_percent.clone());
        let within = |bulk: &str, subs: &str| (bulk_balance::Finding::Within, metres(bulk), metres(subs), metres("5.00"));
        let february = balance(&world, &bulk, "2025-01-31", "2025-02-28").await;
        assert_eq!((told(&february), february.without_reading), (within("200", "190"), vec![]), "100 + 30 + 60");
        // 60 by the old bulk meter, then 140 by the new one, which begins at 0.
        let new_bulk = world.exchange(&bulk, "N0", "2025-03-10", (Some("460"), "0")).await;
        read("2025-03-31", [(&new_bulk, "140"), (&one, "300"), (&new, "153")]).await;
        for by in [&bulk, &new_bulk] {
            assert_eq!(told(&balance(&world, by, "2025-02-28", "2025-03-31").await), within("200", "190"), "100 + 90");
            assert_eq!(
                told(&balance(&world, by, "2025-01-31", "2025-03-31").await),
                within("400", "380"),
                "200 + 30 + 150"
            );
        }
        assert_eq!(
            told(&balance(&world, &bulk, "2025-01-31", "2025-02-28").await),
            within("200", "190"),
            "its past stays known"
        );
        // From one exchange to the other: what both meters showed on that day.
        let between = balance(&world, &bulk, "2025-02-28", "2025-03-10").await;
        assert_eq!(
            (between.finding(), between.bulk_volume.clone(), between.without_reading.clone()),
            (bulk_balance::Finding::Incomplete, metres("60"), vec![one.meter_no.clone(), "N2".to_owned()])
        );
        // A loss is reported at the meter that hangs there.
        read("2025-04-30", [(&new_bulk, "340"), (&one, "390"), (&new, "243")]).await;
        let loss = balance(&world, &bulk, "2025-03-31", "2025-04-30").await;
        assert_eq!(
            (loss.finding(), loss.loss_percent.clone()),
            (bulk_balance::Finding::Loss, metres("10.00")),
            "180 of 200"
        );
        assert_eq!(
            balance(&world, &new_bulk, "2025-03-31", "2025-04-30").await.exception_id,
            loss.exception_id,
            "told once"
        );
        let open = world.exceptions(State::Open, Code::BulkLoss).await;
        assert_eq!(open.iter().map(|e| e.meter_no.as_str()).collect::<Vec<_>>(), ["N0"]);
        let list = async |bulk: &Home| {
            let request = ListSubMetersRequest {
                bulk_meter_no: bulk.meter_no.clone(),
            };
            let rows = district(&world).list_sub_meters(request).await.unwrap().into_inner().sub_meters;
            rows.into_iter().map(|s| (s.meter_no, s.from_date, s.end_date)).collect::<Vec<_>>()
        };
        let row = |meter_no: &str, from: &str, end: Option<&str>| (meter_no.to_owned(), day(from), end.and_then(day));
        assert_eq!(
            list(&bulk).await,
            [
                row(&one.meter_no, "2025-01-01", Some("2025-03-10")),
                row(&two.meter_no, "2025-01-01", Some("2025-02-10")),
                row("N2", "2025-02-10", Some("2025-03-10"))
            ]
        );
        assert_eq!(list(&new_bulk).await, [row(&one.meter_no, "2025-03-10", None), row("N2", "2025-03-10", None)]);
        // Where nobody could read the old meter, what was estimated proves nothing.
        let third = world.exchange(&one, "N1", "2025-05-10", (None, "0")).await;
        read("2025-05-31", [(&new_bulk, "540"), (&third, "60"), (&new, "333")]).await;
        let unknown = balance(&world, &new_bulk, "2025-04-30", "2025-05-31").await;
        assert_eq!(
            (unknown.finding(), unknown.without_reading, unknown.loss),
            (bulk_balance::Finding::Incomplete, vec![one.meter_no.clone()], None)
        );
    })
    .await;
}

#[tokio::test]
async fn edge_43_what_a_bulk_meter_lost_or_won_is_charged_to_nobody() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let (bulk, one) = (world.home("T0").await, world.home("T1").await);
        district(&world).put_behind_bulk_meter(behind(&bulk, &[&one])).await.unwrap();
        for (on, bulk_index, index) in [("2025-01-31", "100", "100"), ("2025-02-28", "190", "200")] {
            world.clock(&format!("{on}T20:00:00+08:00"));
            world.read(&bulk, on, bulk_index).await;
            world.read(&one, on, index).await;
        }
        let negative = balance(&world, &bulk, "2025-01-31", "2025-02-28").await;
        assert_eq!((negative.finding(), negative.loss), (bulk_balance::Finding::Negative, metres("-10")));
        assert_eq!(world.count("SELECT count(*) FROM bill").await, 0, "a finding is no charge");
        for month in [1, 2] {
            assert_eq!(world.run(month).await.produced, 2);
        }
        balance(&world, &bulk, "2025-01-31", "2025-02-28").await;
        // Each is billed what its own meter shows: 90 and 100 m³ in February, at 2.86.
        let february = async |home: &Home| {
            let bills = world.bills_of(home).await;
            (bills.len(), bills[1].volume.clone(), text(&bills[1].amount))
        };
        assert_eq!(february(&bulk).await, (2, metres("90"), "257.40".to_owned()));
        assert_eq!(february(&one).await, (2, metres("100"), "286.00".to_owned()));
        assert_eq!(world.count("SELECT count(*) FROM bill_line").await, 4, "no line of a loss, none with a minus");
        assert_eq!(world.count("SELECT count(*) FROM bill_line WHERE volume < 0 OR amount < 0").await, 0);
        assert_eq!(world.exceptions(State::Open, Code::BulkNegative).await.len(), 1, "somebody looks at the data");
    })
    .await;
}
