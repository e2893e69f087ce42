//! Exchanges that meet what is known of the day (edges 6 and 7).

use contracts::hearth::billing::v1::{reading_exception::Code, reading_exception::State, *};
use testbed::{each, reason};

use crate::{
    estimate::estimate,
    world::{HEXI, Home, World, day, exchange_of, gas_meter, metres, text},
};

/// Source, state and index of the readings of a meter on a day.
async fn of_day(world: &World<'_>, home: &Home, on: &str) -> Vec<(String, reading::State, String)> {
    let list = ListReadingsRequest {
        meter_no: home.meter_no.clone(),
        from_date: day(on),
        until_date: day(on),
        ..Default::default()
    };
    let all = world.district().list_readings(list).await.unwrap().into_inner().readings;
    let mut told: Vec<_> = all.iter().map(|r| (r.source.clone(), r.state(), r.index.clone().unwrap().value)).collect();
    told.sort();
    told
}

#[tokio::test]
async fn edge_07_b_04_the_last_index_takes_the_place_of_an_estimate_of_the_day() {
    use reading::State::{Billed, Held, Replaced, Validated};
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let homes = [world.home("T1").await, world.home("T2").await, world.home("T3").await, world.home("T4").await];
        world.clock("2025-05-05T20:00:00+08:00");
        for home in &homes {
            for (on, index) in [("2025-01-31", "62"), ("2025-02-28", "124"), ("2025-03-31", "186")] {
                world.read(home, on, index).await;
            }
        }
        // 186 in 90 days: for the 30 of April 62, so 248.
        estimate(&world, &homes.iter().collect::<Vec<_>>(), "2025-04-30").await;
        let [other, same, unread, billed] = &homes;
        let of_estimate = |state| ("estimate".to_owned(), state, "248".to_owned());
        let of_final = |index: &str| ("final".to_owned(), Validated, index.to_owned());
        let new_other = world.exchange(other, "N1", "2025-04-30", (Some("240"), "0")).await;
        assert_eq!(of_day(&world, other, "2025-04-30").await, [of_estimate(Replaced), of_final("240")]);
        let new_same = world.exchange(same, "N2", "2025-04-30", (Some("248"), "0")).await;
        assert_eq!(of_day(&world, same, "2025-04-30").await, [of_estimate(Replaced), of_final("248")]);
        // Without a last index it is estimated, and waits for a second person.
        let new_unread = world.exchange(unread, "N3", "2025-04-30", (None, "0")).await;
        assert_eq!(of_day(&world, unread, "2025-04-30").await, [of_estimate(Held), of_estimate(Replaced)]);
        assert_eq!(world.exceptions(State::Open, Code::FinalEstimated).await.len(), 1);
        // A bill that ends at the estimate is told what it should have been.
        assert_eq!(world.run(4).await.produced, 1, "the others are billed with their new meters");
        let new_billed = world.exchange(billed, "N4", "2025-04-30", (Some("240"), "0")).await;
        assert_eq!(of_day(&world, billed, "2025-04-30").await, [of_estimate(Billed), of_final("240")]);
        let affected = world.exceptions(State::Open, Code::BillAffected).await;
        assert_eq!((affected.len(), affected[0].volume.clone()), (1, metres("-8")));
        world.clock("2025-05-31T20:00:00+08:00");
        for new in [&new_other, &new_same, &new_unread, &new_billed] {
            world.read(new, "2025-05-31", "30").await;
        }
        let run = world.run(5).await;
        assert_eq!((run.produced, run.held), (3, 1));
        let mut volumes = vec![];
        for home in [other, same, billed] {
            volumes.push(world.bills_of(home).await.pop().unwrap().volume);
        }
        assert_eq!(volumes, [metres("270"), metres("278"), metres("30")]);
    })
    .await;
}

#[tokio::test]
async fn edge_06_an_exchange_that_readings_found_out_is_recorded_at_its_date() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let home = world.tell("T1", HEXI, "living", "2024-12-31");
        world.supply(&home, |s| s.state() == supply::State::InForce).await;
        world.install(&home, "2024-12-31", "1000").await;
        world.clock("2025-05-02T20:00:00+08:00");
        let read = [("2025-01-31", "1046"), ("2025-02-28", "1090"), ("2025-03-31", "12"), ("2025-04-30", "40")];
        for (on, index) in read {
            world.read(&home, on, index).await;
        }
        let found = world.exceptions(State::Open, Code::NewRegister).await;
        assert_eq!(found.iter().map(|e| e.date).collect::<Vec<_>>(), [day("2025-03-31"), day("2025-04-30")]);
        world.reject(&found[0], "another meter hangs there").await;
        world.meters().register_meter(gas_meter("N1")).await.unwrap();
        let too_early = exchange_of(&home, "N1", "2025-02-27", (Some("1085"), "0"));
        let refused = world.meters().exchange_meter(too_early).await.unwrap_err();
        assert_eq!(reason(&refused), "INSTALLATION_HAS_LATER_READ", "the reading of 28 February counts");
        let exchange = exchange_of(&home, "N1", "2025-03-10", (Some("1105"), "0"));
        world.meters().exchange_meter(exchange).await.unwrap();
        // What was still held about the meter that was gone is settled with it.
        assert_eq!(
            of_day(&world, &home, "2025-04-30").await,
            [("reader".to_owned(), reading::State::Rejected, "40".to_owned())]
        );
        assert_eq!(world.exceptions(State::Open, Code::Unspecified).await, []);
        let resolved = world.exceptions(State::Resolved, Code::NewRegister).await;
        assert_eq!(resolved.iter().map(|e| e.date).collect::<Vec<_>>(), [day("2025-04-30")]);
        let new = Home {
            meter_no: "N1".to_owned(),
            ..home.clone()
        };
        for (on, index) in [("2025-03-31", "12"), ("2025-04-30", "40")] {
            world.read(&new, on, index).await;
        }
        for month in 1..=4 {
            assert_eq!(world.run(month).await.produced, 1, "{month}");
        }
        let bills = world.bills_of(&home).await;
        let told: Vec<_> = bills.iter().map(|b| (b.volume.clone(), text(&b.amount))).collect();
        // At 2.86: 46, 44, 15 of the old meter with 12 of the new one, 28.
        let wanted = [("46", "131.56"), ("44", "125.84"), ("27", "77.22"), ("28", "80.08")];
        assert_eq!(told, wanted.map(|(volume, amount)| (metres(volume), amount.to_owned())));
    })
    .await;
}

#[tokio::test]
async fn edge_06_a_meter_is_exchanged_for_one_that_counts_the_same() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let home = world.home("T1").await;
        world.clock("2025-03-31T20:00:00+08:00");
        let water = RegisterMeterRequest {
            kind: meter::Kind::Water.into(),
            gas_kind: meter::GasKind::Unspecified.into(),
            ..gas_meter("W1")
        };
        world.meters().register_meter(water).await.unwrap();
        let exchange = exchange_of(&home, "W1", "2025-03-10", (Some("80"), "0"));
        let refused = world.meters().exchange_meter(exchange).await.unwrap_err();
        assert_eq!(
            (reason(&refused).as_str(), testbed::fields(&refused)),
            ("METER_OF_OTHER_SERVICE", vec!["new_meter_no".to_owned()])
        );
        assert_eq!(world.count("SELECT count(*) FROM installation WHERE end_date IS NOT NULL").await, 0);
        assert_eq!(world.count("SELECT count(*) FROM reading").await, 0);
    })
    .await;
}
