//! E2-02, E2-07: readings and exceptions.

use contracts::hearth::{
    billing::v1::{reading_exception::Code, reading_exception::State, reading_service_client::ReadingServiceClient, *},
    options::v1::Role,
};
use testbed::{each, fields, key, reason};

use crate::world::{HEPING, HEXI, Home, World, metres, reading, reading_row};

async fn year(world: &World<'_>) {
    world.clock("2025-12-31T20:00:00+08:00");
}

#[tokio::test]
async fn e_2_02_single_readings_are_refused_held_or_taken() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let home = world.home("T1").await;
        year(&world).await;
        let mut readings = world.readings();
        for (request, wanted, field) in [
            (reading(&home, "2026-01-01", "46"), "TIME_RANGE", "read_time"),
            (reading(&home, "2025-01-31", "8e+03"), "INDEX_NOT_PLAIN_DIGITS", "index"),
            (reading(&home, "2025-01-31", "1040760"), "INDEX_DIGITS", "index"),
            (reading(&home, "2025-01-31", "1.2345"), "INDEX_PLACES", "index"),
        ] {
            let refused = readings.record_reading(request).await.unwrap_err();
            assert_eq!((reason(&refused).as_str(), fields(&refused)), (wanted, vec![field.to_owned()]));
        }
        let unknown = readings
            .record_reading(reading(
                &Home {
                    meter_no: "M0".to_owned(),
                    ..home.clone()
                },
                "2025-01-31",
                "46",
            ))
            .await
            .unwrap_err();
        assert_eq!(reason(&unknown), "NOT_FOUND");
        let early = readings.record_reading(reading(&home, "2024-12-30", "0")).await.unwrap_err();
        assert_eq!(reason(&early), "METER_INACTIVE");
        let good = world.read(&home, "2025-01-31", "046.50").await;
        let taken = good.reading.unwrap();
        assert_eq!(
            (taken.state(), taken.index.clone(), taken.raw_index.as_str()),
            (reading::State::Validated, metres("46.5"), "046.50")
        );
        let again = world.read(&home, "2025-01-31", "46.5").await;
        assert_eq!(again.reading.unwrap().reading_id, taken.reading_id, "the same value again is the first one");
        let conflict = readings.record_reading(reading(&home, "2025-01-31", "47")).await.unwrap_err();
        assert_eq!((conflict.code(), reason(&conflict).as_str()), (tonic::Code::AlreadyExists, "READING_CONFLICT"));
        let lower = world.read(&home, "2025-02-28", "40").await;
        assert_eq!(lower.reading.unwrap().state(), reading::State::Held);
        assert_eq!(lower.exceptions[0].codes, [Code::Reverse as i32]);
        let spike = world.read(&home, "2025-03-31", "3500").await;
        assert_eq!(spike.exceptions[0].codes, [Code::Spike as i32]);
        assert_eq!(
            (spike.exceptions[0].volume.clone(), spike.exceptions[0].largest_before.clone()),
            (metres("3453.5"), metres("88.5")),
            "46.5 m3 in 31 days, scaled to 59"
        );
    })
    .await;
}

#[tokio::test]
async fn edge_03_passing_99999_is_flagged_and_taken() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let home = world.tell("T1", HEXI, "living", "2024-12-31");
        world.supply(&home, |s| s.state() == supply::State::InForce).await;
        world.install(&home, "2024-12-31", "99930").await;
        world.publish_tianjin().await;
        year(&world).await;
        world.read(&home, "2025-01-31", "99960").await;
        world.read(&home, "2025-02-28", "99987").await;
        let rolled = world.read(&home, "2025-03-31", "12").await.reading.unwrap();
        assert!(rolled.rollover && rolled.state() == reading::State::Validated);
        for month in 1..=3 {
            world.run(month).await;
        }
        let volumes: Vec<_> = world.bills_of(&home).await.into_iter().map(|b| b.volume).collect();
        assert_eq!(volumes, [metres("30"), metres("27"), metres("25")]);
    })
    .await;
}

#[tokio::test]
async fn e_2_02_two_values_at_one_moment_are_both_held_whichever_came_first() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let (one, two) = (world.home("T1").await, world.home("T2").await);
        year(&world).await;
        let answers = world
            .import_readings(vec![
                reading_row(2, &one, "2025-01-31", "46"),
                reading_row(3, &one, "2025-01-31", "53"),
                reading_row(4, &two, "2025-01-31", "46"),
                reading_row(5, &two, "2025-01-31", "46"),
            ])
            .await;
        assert_eq!((answers[0].accepted, answers[0].repeats, answers[0].held), (3, 1, 2));
        let late = world
            .import_readings(vec![reading_row(2, &two, "2025-01-31", "39"), reading_row(3, &one, "2025-01-31", "53")])
            .await;
        assert_eq!((late[0].accepted, late[0].repeats, late[0].held), (1, 1, 1));
        let open = world.exceptions(State::Open, Code::Conflict).await;
        assert_eq!(open.len(), 2);
        for exception in &open {
            let states: Vec<_> = exception.readings.iter().map(Reading::state).collect();
            assert_eq!(states, [reading::State::Held, reading::State::Held]);
        }
        // Decided: of the first pair 46 is true; of the second none.
        let mut district = world.district();
        let of = |home: &Home| open.iter().find(|e| e.meter_no == home.meter_no).unwrap();
        let release = ReleaseExceptionsRequest {
            request_id: key(),
            exception_ids: vec![of(&one).exception_id.clone()],
            grounds: "seen".to_owned(),
        };
        assert_eq!(reason(&district.release_exceptions(release).await.unwrap_err()), "EXCEPTION_NOT_RELEASABLE");
        let adjust = AdjustExceptionRequest {
            request_id: key(),
            exception_id: of(&one).exception_id.clone(),
            etag: of(&one).etag.clone(),
            true_index: metres("46"),
            grounds: "photo".to_owned(),
        };
        let stale = district
            .adjust_exception(AdjustExceptionRequest {
                etag: "\"0\"".to_owned(),
                request_id: key(),
                ..adjust.clone()
            })
            .await
            .unwrap_err();
        assert_eq!((stale.code(), reason(&stale).as_str()), (tonic::Code::Aborted, "ETAG_MISMATCH"));
        let adjusted = district.adjust_exception(adjust.clone()).await.unwrap().into_inner();
        assert_eq!(adjusted.exception.as_ref().unwrap().state(), State::Adjusted);
        assert_eq!(
            (adjusted.reading.clone().unwrap().index, adjusted.reading.unwrap().state()),
            (metres("46"), reading::State::Accepted)
        );
        let twice = district
            .adjust_exception(AdjustExceptionRequest { request_id: key(), ..adjust })
            .await
            .unwrap_err();
        assert!(["ETAG_MISMATCH", "EXCEPTION_NOT_OPEN"].contains(&reason(&twice).as_str()));
        let reject = RejectExceptionRequest {
            request_id: key(),
            exception_id: of(&two).exception_id.clone(),
            etag: of(&two).etag.clone(),
            grounds: "both wrong".to_owned(),
        };
        let rejected = district.reject_exception(reject).await.unwrap().into_inner().exception.unwrap();
        assert!(rejected.state() == State::Rejected && rejected.readings.iter().all(|r| r.state() == reading::State::Rejected));
        world.publish_tianjin().await;
        let run = world.run(1).await;
        assert_eq!((run.produced, run.missing), (1, 1));
        assert_eq!(world.bills_of(&one).await[0].volume, metres("46"));
    })
    .await;
}

#[tokio::test]
async fn bad_input_67_a_batch_with_one_foreign_id_has_no_effect() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let (own, foreign) = (world.home_in("T1", HEXI).await, world.home_in("T2", HEPING).await);
        year(&world).await;
        let mut ids = vec![];
        for home in [&own, &foreign] {
            world.read(home, "2025-01-31", "100").await;
            let held = world.read(home, "2025-02-28", "360").await.exceptions.remove(0);
            assert_eq!(held.codes, [Code::Spike50 as i32]);
            ids.push(held.exception_id);
        }
        let mut local = ReadingServiceClient::new(bed.staff_of(HEXI, &[Role::DistrictManager]));
        let release = |ids: &[&str]| ReleaseExceptionsRequest {
            request_id: key(),
            exception_ids: ids.iter().map(|id| (*id).to_owned()).collect(),
            grounds: "cold month".to_owned(),
        };
        let unknown = key();
        for other in [ids[1].as_str(), unknown.as_str()] {
            let status = local.release_exceptions(release(&[&ids[0], other])).await.unwrap_err();
            assert_eq!((status.code(), reason(&status).as_str()), (tonic::Code::NotFound, "NOT_FOUND"));
        }
        assert_eq!(world.exceptions(State::Open, Code::Spike50).await.len(), 2);
        assert_eq!(local.release_exceptions(release(&[&ids[0]])).await.unwrap().into_inner().released, 1);
    })
    .await;
}

#[tokio::test]
async fn e_2_07_reader_does_not_decide_on_own_readings() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let home = world.home("T1").await;
        year(&world).await;
        let both = [Role::Reader, Role::DistrictManager];
        let mut li = ReadingServiceClient::new(bed.staff_named("li", &both));
        li.record_reading(reading(&home, "2025-01-31", "100")).await.unwrap();
        let held = li.record_reading(reading(&home, "2025-02-28", "180")).await.unwrap().into_inner();
        assert!(held.exceptions.is_empty(), "180 is usual");
        let held = li
            .record_reading(reading(&home, "2025-03-31", "360"))
            .await
            .unwrap()
            .into_inner()
            .exceptions
            .remove(0);
        assert_eq!(held.codes, [Code::Spike50 as i32]);
        let release = |id: &str| ReleaseExceptionsRequest {
            request_id: key(),
            exception_ids: vec![id.to_owned()],
            grounds: "cold month".to_owned(),
        };
        let own = li.release_exceptions(release(&held.exception_id)).await.unwrap_err();
        assert_eq!((own.code(), reason(&own).as_str()), (tonic::Code::PermissionDenied, "OWN_EXCEPTION"));
        let own = li
            .reject_exception(RejectExceptionRequest {
                request_id: key(),
                exception_id: held.exception_id.clone(),
                etag: held.etag.clone(),
                grounds: "no".to_owned(),
            })
            .await
            .unwrap_err();
        assert_eq!(reason(&own), "OWN_EXCEPTION");
        let mut wang = ReadingServiceClient::new(bed.staff_named("wang", &both));
        assert_eq!(reason(&wang.release_exceptions(release(&key())).await.unwrap_err()), "NOT_FOUND");
        assert_eq!(wang.release_exceptions(release(&held.exception_id)).await.unwrap().into_inner().released, 1);
        assert_eq!(
            reason(&wang.release_exceptions(release(&held.exception_id)).await.unwrap_err()),
            "EXCEPTION_NOT_OPEN"
        );
        let list = ListReadingsRequest {
            meter_no: home.meter_no.clone(),
            state: reading::State::Accepted.into(),
            ..Default::default()
        };
        assert_eq!(wang.list_readings(list).await.unwrap().into_inner().readings.len(), 1);
        let released = world.exceptions(State::Released, Code::Unspecified).await;
        assert_eq!((released[0].decided_by.as_str(), released[0].grounds.as_str()), ("wang", "cold month"));
    })
    .await;
}

#[tokio::test]
async fn e_2_02_adjustment_must_fit_between_its_neighbours() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let home = world.home("T1").await;
        year(&world).await;
        for (on, index) in [("2025-01-31", "46"), ("2025-02-28", "20"), ("2025-03-31", "120")] {
            world.read(&home, on, index).await;
        }
        let open = world.exceptions(State::Open, Code::Reverse).await.remove(0);
        let adjust = |index: &str| AdjustExceptionRequest {
            request_id: key(),
            exception_id: open.exception_id.clone(),
            etag: open.etag.clone(),
            true_index: metres(index),
            grounds: "photo".to_owned(),
        };
        for index in ["45", "121"] {
            assert_eq!(
                reason(&world.district().adjust_exception(adjust(index)).await.unwrap_err()),
                "INDEX_OUT_OF_LINE",
                "{index}"
            );
        }
        world.district().adjust_exception(adjust("82")).await.unwrap();
        for month in 1..=3 {
            assert_eq!(world.run(month).await.produced, 1);
        }
        let volumes: Vec<_> = world.bills_of(&home).await.into_iter().map(|b| b.volume).collect();
        assert_eq!(volumes, [metres("46"), metres("36"), metres("38")]);
    })
    .await;
}

#[tokio::test]
async fn edge_11_second_month_without_use_is_billed_0_and_visited() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let home = world.home("T1").await;
        year(&world).await;
        // Out of order on purpose.
        for (on, index) in [("2025-03-31", "46"), ("2025-01-31", "46"), ("2025-02-28", "46")] {
            world.read(&home, on, index).await;
        }
        for month in 1..=3 {
            assert_eq!(world.run(month).await.produced, 1);
        }
        let amounts: Vec<_> = world.bills_of(&home).await.iter().map(|b| (crate::world::text(&b.amount), b.state())).collect();
        assert_eq!(
            amounts,
            [
                ("131.56".to_owned(), bill::State::Issued),
                ("0.00".to_owned(), bill::State::Paid),
                ("0.00".to_owned(), bill::State::Paid)
            ]
        );
        let visits = world.exceptions(State::Open, Code::Zero2).await;
        assert_eq!(visits.iter().map(|v| v.date).collect::<Vec<_>>(), [crate::world::day("2025-03-31")]);
        let answer = world
            .district()
            .release_exceptions(ReleaseExceptionsRequest {
                request_id: key(),
                exception_ids: vec![visits[0].exception_id.clone()],
                grounds: "visited".to_owned(),
            })
            .await;
        assert_eq!(answer.unwrap().into_inner().released, 1);
    })
    .await;
}

#[tokio::test]
async fn e_2_02_verdicts_are_the_same_in_any_order_of_arrival() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        year(&world).await;
        let months = ["2025-01-31", "2025-02-28", "2025-03-31", "2025-04-30", "2025-05-31", "2025-06-30"];
        let index = ["100", "190", "150", "300", "3200", "330"];
        let orders: [[usize; 6]; 5] = [
            [0, 1, 2, 3, 4, 5],
            [5, 4, 3, 2, 1, 0],
            [3, 0, 5, 2, 4, 1],
            [1, 5, 0, 4, 2, 3],
            [4, 2, 0, 1, 3, 5],
        ];
        let mut seen = vec![];
        for (n, order) in orders.iter().enumerate() {
            let home = world.home(&format!("T{n}")).await;
            for chunk in order.chunks(2) {
                let rows = chunk.iter().map(|i| reading_row(1, &home, months[*i], index[*i])).collect();
                world.import_readings(rows).await;
            }
            let request = ListExceptionsRequest {
                state: State::Open.into(),
                meter_no: home.meter_no.clone(),
                ..Default::default()
            };
            let mut open: Vec<_> = world.district().list_exceptions(request).await.unwrap().into_inner().exceptions;
            open.sort_by_key(|e| e.readings[0].read_time.unwrap().seconds);
            seen.push(
                open.into_iter()
                    .map(|e| (e.date, e.codes, e.volume, e.largest_before, e.smallest_before))
                    .collect::<Vec<_>>(),
            );
        }
        assert_eq!(
            seen[0].iter().map(|s| s.1.clone()).collect::<Vec<_>>(),
            [vec![Code::Reverse as i32], vec![Code::Spike as i32], vec![Code::Drop50 as i32]]
        );
        for other in &seen[1..] {
            assert_eq!(other, &seen[0]);
        }
    })
    .await;
}

#[tokio::test]
async fn import_is_replayed_by_key_repeated_by_row_and_dry_when_asked() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let home = world.home("T1").await;
        year(&world).await;
        let rows = vec![
            reading_row(2, &home, "2025-01-31", "46"),
            ReadingRow {
                meter_no: "MX".to_owned(),
                ..reading_row(3, &home, "2025-01-31", "46")
            },
            ReadingRow {
                read_at: "31.01.2025".to_owned(),
                ..reading_row(4, &home, "2025-01-31", "46")
            },
            ReadingRow {
                source: "rumour".to_owned(),
                ..reading_row(5, &home, "2025-01-31", "46")
            },
            reading_row(6, &home, "2035-01-31", "46"),
            reading_row(7, &home, "2024-12-30", "46"),
            reading_row(8, &home, "2025-02-28", "４６"),
        ];
        let mut readings = ReadingServiceClient::new(bed.staff_named("li", &[Role::Reader]));
        let mut send = async |request: ImportReadingsRequest| {
            let mut answers = readings.import_readings(tokio_stream::iter([request])).await.unwrap().into_inner();
            answers.message().await.unwrap().unwrap()
        };
        let dry = ImportReadingsRequest {
            request_id: key(),
            dry_run: true,
            rows: rows.clone(),
        };
        assert_eq!(send(dry).await.accepted, 1);
        assert_eq!(world.count("SELECT count(*) FROM reading").await, 0);
        let request = ImportReadingsRequest {
            request_id: key(),
            dry_run: false,
            rows: rows.clone(),
        };
        let first = send(request.clone()).await;
        assert_eq!(send(request).await, first, "replayed");
        let refused: Vec<_> = first.refused.iter().map(|r| (r.line, r.field.as_str(), r.reason.as_str())).collect();
        assert_eq!(
            refused,
            [
                (3, "meter_no", "METER_UNKNOWN"),
                (4, "read_at", "READ_TIME"),
                (5, "source", "SOURCE"),
                (6, "read_at", "TIME_RANGE"),
                (7, "read_at", "METER_INACTIVE"),
                (8, "index", "INDEX_NOT_PLAIN_DIGITS"),
            ]
        );
        let second = send(ImportReadingsRequest {
            request_id: key(),
            dry_run: false,
            rows,
        })
        .await;
        assert_eq!((second.accepted, second.repeats), (0, 1));
    })
    .await;
}
