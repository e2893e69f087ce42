//! E2-02, E2-07: readings and exceptions.

use contracts::hearth::{
    archive::v1 as archive,
    billing::v1::{
        meter_service_client::MeterServiceClient, reading_exception::Code, reading_exception::State, reading_service_client::ReadingServiceClient, *,
    },
    options::v1::Role,
};
use futures::future::join_all;
use prost::Message;
use sea_orm::{ConnectionTrait, Statement};
use testbed::{each, fields, key, reason};

use crate::{
    estimate::estimate,
    world::{HEPING, HEXI, Home, World, day, gas_meter, meter_row, metres, reading, reading_row},
};

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
async fn thread_22_edge_03_passing_99999_is_flagged_and_taken() {
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
            rollover: false,
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
            rollover: false,
        };
        for index in ["45", "121"] {
            assert_eq!(
                reason(&world.district().adjust_exception(adjust(index)).await.unwrap_err()),
                "INDEX_OUT_OF_LINE",
                "{index}"
            );
        }
        let adjusted = world.district().adjust_exception(adjust("82")).await.unwrap().into_inner();
        let rejected = adjusted.exception.unwrap().readings.remove(0);
        assert_eq!(
            (rejected.state(), rejected.replaced_by),
            (reading::State::Rejected, adjusted.reading.unwrap().reading_id)
        );
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
        assert_eq!(visits.iter().map(|v| v.date).collect::<Vec<_>>(), [day("2025-03-31")]);
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
            // That a meter fell silent is found whenever the look for it comes by.
            open.retain(|e| e.codes != [Code::Silent as i32]);
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

#[tokio::test]
async fn b_04_the_table_of_sources_says_who_replaces_whom_in_any_order() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let (one, two) = (world.home("T1").await, world.home("T2").await);
        year(&world).await;
        let row = |home: &Home, index: &str, source: &str| ReadingRow {
            source: source.to_owned(),
            ..reading_row(2, home, "2025-01-31", index)
        };
        // The user said 50, the reader saw 46, and a check found 47.
        let rising = [row(&one, "50", "user"), row(&one, "46", "reader"), row(&one, "47", "check")];
        for row in rising {
            assert_eq!(world.import_readings(vec![row]).await[0].accepted, 1);
        }
        let falling = vec![row(&two, "47", "check"), row(&two, "46", "reader"), row(&two, "50", "user")];
        assert_eq!(world.import_readings(falling).await[0].accepted, 3);
        for home in [&one, &two] {
            let list = ListReadingsRequest {
                meter_no: home.meter_no.clone(),
                ..Default::default()
            };
            let all = world.district().list_readings(list).await.unwrap().into_inner().readings;
            let mut seen: Vec<_> = all.iter().map(|r| (r.raw_index.clone(), r.state(), r.replaced_by.is_empty())).collect();
            seen.sort_by(|a, b| a.0.cmp(&b.0));
            use reading::State::{Replaced, Validated};
            let wanted = [("46", Replaced, false), ("47", Validated, true), ("50", Replaced, false)];
            assert_eq!(
                seen,
                wanted.map(|(raw, state, stands)| (raw.to_owned(), state, stands)),
                "every raw text is kept"
            );
        }
        assert_eq!(
            world.exceptions(State::Open, Code::Unspecified).await.len(),
            0,
            "what was found about the word of the user is no matter any more"
        );
        // A source of lower rank is refused where one reading is recorded.
        let mut readings = world.readings();
        let late = RecordReadingRequest {
            source: "user".to_owned(),
            ..reading(&one, "2025-01-31", "51")
        };
        assert_eq!(reason(&readings.record_reading(late).await.unwrap_err()), "READING_CONFLICT");
        let photo = RecordReadingRequest {
            source: "photo".to_owned(),
            ..reading(&one, "2025-02-28", "90")
        };
        let missing = readings.record_reading(photo.clone()).await.unwrap_err();
        assert_eq!((reason(&missing).as_str(), fields(&missing)), ("PHOTO_MISSING", vec!["photo_file".to_owned()]));
        let taken = RecordReadingRequest {
            request_id: key(),
            photo_file: "scan-1".to_owned(),
            ..photo
        };
        assert_eq!(readings.record_reading(taken).await.unwrap().into_inner().reading.unwrap().source, "photo");
    })
    .await;
}

#[tokio::test]
async fn e9_01_one_case_of_an_agreement_is_open_and_further_codes_join_it() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let (home, other) = (world.home("T1").await, world.home("T2").await);
        year(&world).await;
        for (on, index) in [("2025-01-31", "100"), ("2025-02-28", "360"), ("2025-03-31", "300")] {
            world.read(&home, on, index).await;
        }
        world.read(&other, "2025-01-31", "100").await;
        world.read(&other, "2025-02-28", "360").await;
        let cases = async |state: abnormal_case::State| {
            let request = ListCasesRequest {
                state: state.into(),
                page_size: 100,
                ..Default::default()
            };
            world.district().list_cases(request).await.unwrap().into_inner().cases
        };
        let open = cases(abnormal_case::State::Open).await;
        assert_eq!(open.len(), 2, "one for each agreement");
        let case = open.iter().find(|c| c.agreement_id == home.agreement).unwrap();
        assert_eq!(case.codes().collect::<Vec<_>>(), [Code::Reverse, Code::Spike50]);
        assert_eq!((case.open_exceptions, case.due_date), (2, day("2026-01-07")), "seven days");
        let exceptions = world.exceptions(State::Open, Code::Unspecified).await;
        let own: Vec<_> = exceptions.iter().filter(|e| e.agreement_id == home.agreement).collect();
        assert!(own.len() == 2 && own.iter().all(|e| e.case_id == case.case_id));
        let assign = AssignCaseRequest {
            request_id: key(),
            case_id: case.case_id.clone(),
            etag: case.etag.clone(),
            owner: "wang".to_owned(),
        };
        let assigned = world.district().assign_case(assign.clone()).await.unwrap().into_inner().case.unwrap();
        assert_eq!(assigned.owner, "wang");
        let stale = AssignCaseRequest { request_id: key(), ..assign };
        assert_eq!(reason(&world.district().assign_case(stale).await.unwrap_err()), "ETAG_MISMATCH");
        // Decided one by one: the case closes with the last one.
        let spike = own.iter().find(|e| e.codes().any(|c| c == Code::Spike50)).unwrap();
        let release = ReleaseExceptionsRequest {
            request_id: key(),
            exception_ids: vec![spike.exception_id.clone()],
            grounds: "cold month".to_owned(),
        };
        world.district().release_exceptions(release).await.unwrap();
        assert_eq!(cases(abnormal_case::State::Open).await.len(), 2);
        let reverse = world.exceptions(State::Open, Code::Reverse).await.remove(0);
        world.reject(&reverse, "misread").await;
        let closed = cases(abnormal_case::State::Closed).await;
        assert_eq!(
            (closed.len(), closed[0].case_id.clone(), closed[0].open_exceptions),
            (1, assigned.case_id.clone(), 0)
        );
        let late = AssignCaseRequest {
            request_id: key(),
            case_id: closed[0].case_id.clone(),
            etag: closed[0].etag.clone(),
            owner: "li".to_owned(),
        };
        assert_eq!(reason(&world.district().assign_case(late).await.unwrap_err()), "CASE_CLOSED");
        // What is found later opens a new one.
        world.read(&home, "2025-04-30", "350").await;
        let again = cases(abnormal_case::State::Open).await;
        let next = again.iter().find(|c| c.agreement_id == home.agreement).unwrap();
        assert!(next.case_id != assigned.case_id && next.codes().eq([Code::Reverse]));
    })
    .await;
}

#[tokio::test]
async fn thread_27_b_09_what_was_read_stays_as_it_was_read() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let home = world.home("T1").await;
        year(&world).await;
        world.read(&home, "2025-01-31", "46").await;
        for change in ["UPDATE reading SET value = 1", "UPDATE reading SET raw = '1'", "DELETE FROM reading"] {
            let refused = world.sql(change).await.unwrap_err().to_string();
            assert!(refused.contains("reading_is_immutable"), "{refused}");
        }
        assert_eq!(world.count("SELECT count(*) FROM reading WHERE raw = '46'").await, 1);
    })
    .await;
}

#[tokio::test]
async fn b_06_a_meter_that_fell_silent_is_told_once_until_it_speaks() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        // The accounts come in another order than that of their numbers.
        let others = [world.home("T9").await, world.home("T5").await, world.home("T7").await, world.home("T3").await];
        let (silent, speaking) = (world.home("T1").await, world.home("T2").await);
        world.clock("2025-03-31T20:00:00+08:00");
        let months = ["2025-01-31", "2025-02-28", "2025-03-31"];
        let homes = others.iter().chain([&silent, &speaking]);
        let rows = homes.flat_map(|home| months.iter().zip(["50", "95", "145"]).map(|(on, index)| reading_row(2, home, on, index)));
        world.import_readings(rows.collect()).await;
        world.clock("2025-06-20T20:00:00+08:00");
        world.import_readings(vec![reading_row(2, &speaking, "2025-06-20", "260")]).await;
        // Every 29.5 days: silent after 88.5, which are over on 28 June.
        world.clock("2025-06-30T20:00:00+08:00");
        let told = testbed::eventually("the silent meter", async || {
            let open = world.exceptions(State::Open, Code::Silent).await;
            (!open.is_empty()).then_some(open)
        })
        .await;
        let found: Vec<_> = told.iter().map(|e| e.account_no.as_str()).collect();
        assert_eq!(found, ["T1", "T3", "T5", "T7", "T9"], "in the order of their meters");
        let cases = world.district().list_cases(ListCasesRequest::default()).await.unwrap().into_inner().cases;
        let cases: Vec<_> = cases.iter().map(|c| c.account_no.as_str()).collect();
        assert_eq!(cases, found, "in the order of their accounts");
        world.clock("2025-07-02T20:00:00+08:00");
        world.import_readings(vec![reading_row(2, &silent, "2025-07-02", "290")]).await;
        assert_eq!(world.exceptions(State::Open, Code::Silent).await.len(), others.len());
        assert_eq!(world.exceptions(State::Resolved, Code::Silent).await.len(), 1);
        // Somebody has looked: that the meters go on being silent is no news.
        let open = world.exceptions(State::Open, Code::Silent).await;
        let release = ReleaseExceptionsRequest {
            request_id: key(),
            exception_ids: open.iter().map(|e| e.exception_id.clone()).collect(),
            grounds: "the transmitters are ordered".to_owned(),
        };
        assert_eq!(world.district().release_exceptions(release).await.unwrap().into_inner().released, 4);
        world.clock("2025-07-20T20:00:00+08:00");
        let released = others.iter().find(|home| home.account_no == "T5").unwrap();
        world.import_readings(vec![reading_row(2, released, "2025-07-20", "330")]).await;
        // T1, T2 and T5 reported three times within 152, 140 and 170 days after the first time: silent after as many, the last one since 6 January.
        world.clock("2026-01-20T20:00:00+08:00");
        let again = testbed::eventually("the one that spoke between", async || {
            let open = world.exceptions(State::Open, Code::Silent).await;
            open.iter().any(|e| e.account_no == "T5").then_some(open)
        })
        .await;
        let again: Vec<_> = again.iter().map(|e| e.account_no.as_str()).collect();
        assert_eq!(again, ["T1", "T2", "T5"], "those that were never told, or have spoken since");
    })
    .await;
}

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }
}

#[tokio::test]
async fn thread_21_b_05_a_shuffled_file_gives_the_same_readings_and_the_same_bills() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        // The end of the register, a spike, a lower index, a repetition, two values at one moment, a check and the word of a user.
        let rows = [
            ("2025-01-31", "99900", "remote"),
            ("2025-02-28", "99950", "remote"),
            ("2025-03-31", "99990", "remote"),
            ("2025-03-31", "99990", "remote"),
            ("2025-04-30", "30", "remote"),
            ("2025-05-31", "900", "remote"),
            ("2025-06-30", "110", "remote"),
            ("2025-07-31", "100", "remote"),
            ("2025-08-31", "190", "remote"),
            ("2025-08-31", "191", "remote"),
            ("2025-09-30", "230", "user"),
            ("2025-09-30", "228", "check"),
            ("2025-10-31", "270", "remote"),
            ("2025-11-30", "310", "remote"),
        ];
        let mut homes = vec![];
        for n in 0..4 {
            let home = world.tell(&format!("T{n}"), HEXI, "living", "2024-12-31");
            world.supply(&home, |s| s.state() == supply::State::InForce).await;
            world.install(&home, "2024-12-31", "99840").await;
            homes.push(home);
        }
        year(&world).await;
        let mut dice = Dice(7);
        let mut seen = vec![];
        for (n, home) in homes.iter().enumerate() {
            let mut shuffled: Vec<_> = rows.to_vec();
            if n > 0 {
                for last in (1..shuffled.len()).rev() {
                    shuffled.swap(last, dice.below(last + 1));
                }
            }
            for some in shuffled.chunks(1 + dice.below(5)) {
                let row = |(on, index, source): &(&str, &str, &str)| ReadingRow {
                    source: (*source).to_owned(),
                    ..reading_row(2, home, on, index)
                };
                world.import_readings(some.iter().map(row).collect()).await;
            }
            let list = ListReadingsRequest {
                meter_no: home.meter_no.clone(),
                page_size: 100,
                ..Default::default()
            };
            let all = world.district().list_readings(list).await.unwrap().into_inner().readings;
            let mut told: Vec<_> = all
                .iter()
                .map(|r| (r.read_time.unwrap().seconds, r.raw_index.clone(), r.state(), r.rollover))
                .collect();
            told.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
            seen.push(told);
        }
        assert_eq!(seen[0].len(), 13, "the repetition is dropped");
        assert!(seen.iter().all(|told| *told == seen[0]), "{seen:#?}");
        for month in 1..=11 {
            world.run(month).await;
        }
        let mut bills = vec![];
        for home in &homes {
            let own = world.bills_of(home).await;
            bills.push(
                own.iter()
                    .map(|b| (b.to_date, b.volume.clone(), crate::world::text(&b.amount)))
                    .collect::<Vec<_>>(),
            );
        }
        assert!(bills.iter().all(|own| *own == bills[0]), "{bills:#?}");
        assert_eq!(bills[0][0].1, metres("60"));
        assert!(bills[0].len() >= 4, "{bills:#?}");
    })
    .await;
}

/// Chunks that came together are taken in one transaction, and are for their callers what they would be one by one.
#[tokio::test]
async fn chunks_that_come_together_are_answered_and_repeated_each_by_itself() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let (home, other) = (world.home("T1").await, world.home("T2").await);
        year(&world).await;
        let mut readings = ReadingServiceClient::new(bed.staff_named("li", &[Role::Reader]));
        let mut send = async |requests: Vec<ImportReadingsRequest>| {
            let mut answers = readings.import_readings(tokio_stream::iter(requests)).await.unwrap().into_inner();
            let mut all = vec![];
            loop {
                match answers.message().await {
                    Ok(Some(answer)) => all.push(Ok((answer.request_id, answer.accepted, answer.repeats, answer.held))),
                    Ok(None) => return all,
                    Err(status) => all.push(Err(reason(&status))),
                }
            }
        };
        let chunk = |home: &Home, on: &str, index: &str| ImportReadingsRequest {
            request_id: key(),
            dry_run: false,
            rows: vec![reading_row(1, home, on, index)],
        };
        let taken = |request: &ImportReadingsRequest, counts: (i32, i32, i32)| Ok::<_, String>((request.request_id.clone(), counts.0, counts.1, counts.2));
        // Of one meter after the other, the second value of a moment, the first once more.
        let requests = vec![
            chunk(&home, "2025-01-31", "46"),
            chunk(&home, "2025-02-28", "90"),
            chunk(&other, "2025-01-31", "30"),
            chunk(&home, "2025-02-28", "91"),
            chunk(&home, "2025-01-31", "46"),
        ];
        let expected: Vec<_> = requests
            .iter()
            .zip([(1, 0, 0), (1, 0, 0), (1, 0, 0), (1, 0, 1), (0, 1, 0)])
            .map(|(request, counts)| taken(request, counts))
            .collect();
        assert_eq!(send(requests.clone()).await, expected);
        assert_eq!(world.count("SELECT count(*) FROM reading WHERE state = 'HELD'").await, 2, "both of the moment");
        let rows = "SELECT count(DISTINCT request_id) FROM journal WHERE method LIKE '%ImportReadings'";
        assert_eq!(world.count(rows).await, 5, "a journal row each");

        // Repeated, with one that is new among them.
        let mut again = requests.clone();
        again.insert(2, chunk(&other, "2025-02-28", "60"));
        let mut answers = expected.clone();
        answers.insert(2, taken(&again[2], (1, 0, 0)));
        assert_eq!(send(again).await, answers);

        // A key that was used for something else ends the stream and changes nothing about what came before it.
        let wrong = ImportReadingsRequest {
            rows: vec![reading_row(1, &other, "2025-03-31", "95")],
            ..requests[0].clone()
        };
        let (before, after) = (chunk(&home, "2025-03-31", "130"), chunk(&other, "2025-03-31", "90"));
        let refused = Err("IDEMPOTENCY_KEY_REUSED".to_owned());
        assert_eq!(send(vec![before.clone(), wrong, after]).await, [taken(&before, (1, 0, 0)), refused]);
        assert_eq!(world.count("SELECT count(*) FROM reading").await, 6);

        // Twice in one stream.
        let twice = chunk(&other, "2025-03-31", "92");
        assert_eq!(
            send(vec![twice.clone(), twice.clone()]).await,
            [taken(&twice, (1, 0, 0)), taken(&twice, (1, 0, 0))]
        );
        assert_eq!(world.count("SELECT count(*) FROM reading").await, 7);
    })
    .await;
}

#[tokio::test]
async fn thread_22_several_readings_of_a_month_give_one_bill_to_the_last() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let home = world.home("T1").await;
        world.clock("2025-01-31T20:00:00+08:00");
        for (on, index) in [("2025-01-10", "15"), ("2025-01-20", "31"), ("2025-01-31", "46")] {
            assert_eq!(world.read(&home, on, index).await.reading.unwrap().state(), reading::State::Validated);
        }
        assert_eq!(world.run(1).await.produced, 1);
        let bills = world.bills_of(&home).await;
        let told: Vec<_> = bills
            .iter()
            .map(|b| (b.from_date, b.to_date, b.volume.clone(), crate::world::text(&b.amount)))
            .collect();
        // 46 × 2.86.
        assert_eq!(told, [(day("2024-12-31"), day("2025-01-31"), metres("46"), "131.56".to_owned())]);
        assert_eq!(world.count("SELECT count(*) FROM reading WHERE state = 'BILLED'").await, 1, "at the last one");
    })
    .await;
}

/// A second agreement for gas of an account.
async fn another(world: &World<'_>, home: &Home) -> Home {
    let other = Home {
        agreement: key(),
        meter_no: "M-second".to_owned(),
        ..home.clone()
    };
    let signed = archive::ContractSigned {
        agreement_id: other.agreement.clone(),
        agreement_no: "HT-second".to_owned(),
        account_id: other.account.clone(),
        account_no: other.account_no.clone(),
        party_id: other.party.clone(),
        premises_id: key(),
        service_point_id: key(),
        service: archive::Service::Gas.into(),
        use_class: "living".to_owned(),
        branch: HEXI.to_owned(),
        signed_date: day("2024-12-31"),
    };
    world.archive.tell(&other.agreement, &signed);
    let in_force = archive::ContractInForce {
        agreement_id: other.agreement.clone(),
        from_date: day("2024-12-31"),
    };
    world.archive.tell(&other.agreement, &in_force);
    world.supply(&other, |s| s.state() == supply::State::InForce).await;
    other
}

#[tokio::test]
async fn thread_18_the_account_of_a_customer_finds_the_meter() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let (home, distant) = (world.home("T1").await, world.home_in("T2", HEPING).await);
        year(&world).await;
        // A water meter of the account is no matter of its gas.
        let water = MeterRow {
            meter_no: "W1".to_owned(),
            kind: meter::Kind::Water.into(),
            ..meter_row(&home, "2024-12-31", "0")
        };
        assert_eq!(world.import_meters(vec![water]).await[0].accepted, 1);
        let by_account = |account_no: &str, on: &str, index: &str| RecordReadingRequest {
            meter_no: String::new(),
            account_no: account_no.to_owned(),
            ..reading(&home, on, index)
        };
        let mut readings = world.readings();
        let taken = readings
            .record_reading(by_account("T1", "2025-01-31", "46"))
            .await
            .unwrap()
            .into_inner()
            .reading
            .unwrap();
        assert_eq!((taken.meter_no.as_str(), taken.index), ("M-T1", metres("46")));
        let both = RecordReadingRequest {
            account_no: "T1".to_owned(),
            ..reading(&home, "2025-02-28", "90")
        };
        for request in [both, by_account("", "2025-02-28", "90")] {
            let refused = readings.record_reading(request).await.unwrap_err();
            assert_eq!(refused.code(), tonic::Code::InvalidArgument, "exactly one of both");
        }
        assert_eq!(
            reason(&readings.record_reading(by_account("T0", "2025-02-28", "90")).await.unwrap_err()),
            "NOT_FOUND"
        );
        let mut local = ReadingServiceClient::new(bed.staff_of(HEXI, &[Role::Reader]));
        let foreign = local.record_reading(by_account(&distant.account_no, "2025-02-28", "90")).await.unwrap_err();
        assert_eq!(reason(&foreign), "NOT_FOUND", "of another branch");
        let installed = async |account_no: &str| {
            let request = ListInstallationsRequest {
                account_no: account_no.to_owned(),
                ..Default::default()
            };
            let found = world.meters().list_installations(request).await.unwrap().into_inner().installations;
            found.into_iter().map(|i| i.meter_no).collect::<Vec<_>>()
        };
        assert_eq!(installed("T1").await, ["M-T1", "W1"]);
        assert_eq!(installed("T2").await, ["M-T2"]);
        assert_eq!(installed("T0").await, [""; 0]);
        // With a second gas meter the account says not enough, and nothing about who lives there.
        let second = another(&world, &home).await;
        let register = RegisterMeterRequest {
            verified_date: day("2024-06-01"),
            ..gas_meter(&second.meter_no)
        };
        world.meters().register_meter(register).await.unwrap();
        let install = InstallMeterRequest {
            request_id: key(),
            meter_no: second.meter_no.clone(),
            agreement_id: second.agreement.clone(),
            from_date: day("2024-12-31"),
            initial_index: metres("0"),
            photo_file: "photo".to_owned(),
            signed: true,
        };
        world.meters().install_meter(install).await.unwrap();
        let several = readings.record_reading(by_account("T1", "2025-02-28", "90")).await.unwrap_err();
        assert_eq!(
            (several.code(), reason(&several).as_str(), fields(&several)),
            (tonic::Code::FailedPrecondition, "METER_AMBIGUOUS", vec!["account_no".to_owned()])
        );
        assert!(!several.message().contains("T1"), "{}", several.message());
        world.read(&second, "2025-02-28", "90").await;
    })
    .await;
}

/// Codes, meter and whether somebody is to call, as the others were told.
async fn told(world: &World<'_>) -> Vec<(String, String, bool)> {
    let db = world.bed.db();
    let sql = "SELECT data FROM event WHERE kind = 'hearth.billing.v1.AbnormalUsageDetected' ORDER BY id";
    let rows = db
        .reader()
        .query_all_raw(Statement::from_string(db.reader().get_database_backend(), sql))
        .await
        .unwrap();
    let event = |data: Vec<u8>| AbnormalUsageDetected::decode(data.as_slice()).unwrap();
    let mut all: Vec<_> = rows
        .iter()
        .map(|row| event(row.try_get_by_index(0).unwrap()))
        .map(|e| (e.codes.join(" "), e.meter_no, e.visit))
        .collect();
    all.sort();
    all
}

#[tokio::test]
async fn e_2_02_e_2_03_edge_08_edge_11_the_event_says_whether_somebody_calls() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let (still, shut, high) = (world.home("T1").await, world.home("T2").await, world.home("T3").await);
        let old = world.tell("T4", HEXI, "living", "2024-12-31");
        world.supply(&old, |s| s.state() == supply::State::InForce).await;
        // Ten years on natural gas end on 28 February 2025.
        let row = MeterRow {
            gas_kind: meter::GasKind::Natural.into(),
            verified_on: "2015-03-01".to_owned(),
            ..meter_row(&old, "2024-12-31", "0")
        };
        assert_eq!(world.import_meters(vec![row]).await[0].accepted, 1);
        world.clock("2025-07-31T20:00:00+08:00");
        let ends = ["2025-01-31", "2025-02-28", "2025-03-31", "2025-04-30"];
        for (home, indexes) in [
            (&still, ["46", "46", "46", "90"]),
            (&shut, ["60", "120", "180", "240"]),
            (&high, ["100", "360", "500", "640"]),
            (&old, ["50", "95", "145", "195"]),
        ] {
            for (on, index) in ends.iter().zip(indexes) {
                world.read(home, on, index).await;
            }
        }
        for month in ["2025-05-31", "2025-06-30"] {
            assert_eq!(estimate(&world, &[&shut], month).await[0].reason, "");
        }
        assert_eq!(estimate(&world, &[&shut], "2025-07-31").await[0].reason, "ESTIMATE_NOT_ALLOWED");
        let row = |codes: &str, home: &Home, visit| (codes.to_owned(), home.meter_no.clone(), visit);
        assert_eq!(
            told(&world).await,
            [
                row("ESTIMATES", &shut, true),
                row("EXPIRED", &old, true),
                row("SPIKE_50", &high, false),
                row("ZERO_2", &still, true)
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn edge_42_a_reading_with_two_findings_is_one_exception_and_one_case() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let home = world.home("T1").await;
        year(&world).await;
        // 3200 in 31 days: more than four times what was used before, and more than 4 m³/h pass.
        for (on, index) in [("2025-01-31", "100"), ("2025-02-28", "200")] {
            world.read(&home, on, index).await;
        }
        let both = world.read(&home, "2025-03-31", "3400").await;
        assert_eq!(both.exceptions.len(), 1);
        assert_eq!(both.exceptions[0].codes, [Code::Spike as i32, Code::OverQmax as i32]);
        let open = world.exceptions(State::Open, Code::Unspecified).await;
        assert_eq!(
            open.iter().map(|e| e.exception_id.clone()).collect::<Vec<_>>(),
            [both.exceptions[0].exception_id.clone()]
        );
        let cases = world.district().list_cases(ListCasesRequest::default()).await.unwrap().into_inner().cases;
        assert_eq!(
            (cases.len(), cases[0].open_exceptions, cases[0].case_id.clone()),
            (1, 1, open[0].case_id.clone())
        );
        assert_eq!(cases[0].codes().collect::<Vec<_>>(), [Code::Spike, Code::OverQmax]);
    })
    .await;
}

#[tokio::test]
async fn edge_50_the_index_of_last_month_with_a_photo_waits_for_a_second_person() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let home = world.home("T1").await;
        let both = [Role::Reader, Role::DistrictManager];
        let mut li = ReadingServiceClient::new(bed.staff_named("li", &both));
        let photo = |on: &str, index: &str, file: &str| RecordReadingRequest {
            source: "photo".to_owned(),
            photo_file: file.to_owned(),
            ..reading(&home, on, index)
        };
        world.clock("2025-01-31T20:00:00+08:00");
        li.record_reading(photo("2025-01-31", "46", "scan-1")).await.unwrap();
        world.run(1).await;
        world.clock("2025-02-28T20:00:00+08:00");
        let held = li.record_reading(photo("2025-02-28", "46", "scan-2")).await.unwrap().into_inner();
        assert_eq!(held.exceptions[0].codes, [Code::Unchanged as i32]);
        assert_eq!(held.reading.unwrap().state(), reading::State::Held);
        let run = world.run(2).await;
        assert_eq!((run.produced, run.held), (0, 1), "no bill of nothing before somebody has looked");
        let open = world.exceptions(State::Open, Code::Unchanged).await.remove(0);
        assert_eq!(open.readings[0].photo_file, "scan-2", "the photo to compare");
        let reject = || RejectExceptionRequest {
            request_id: key(),
            exception_id: open.exception_id.clone(),
            etag: open.etag.clone(),
            grounds: "the photo shows 92".to_owned(),
        };
        assert_eq!(reason(&li.reject_exception(reject()).await.unwrap_err()), "OWN_EXCEPTION");
        let mut wang = ReadingServiceClient::new(bed.staff_named("wang", &both));
        let rejected = wang.reject_exception(reject()).await.unwrap().into_inner().exception.unwrap();
        assert_eq!(
            (rejected.readings[0].state(), rejected.readings[0].photo_file.as_str()),
            (reading::State::Rejected, "scan-2"),
            "and is kept"
        );
        let again = RecordReadingRequest {
            read_time: Some(rpc::wire::time(testbed::at("2025-02-28T15:00:00+08:00"))),
            ..photo("2025-02-28", "92", "scan-2")
        };
        assert_eq!(li.record_reading(again).await.unwrap().into_inner().exceptions, []);
        assert_eq!(world.run(2).await.produced, 1);
        assert_eq!(world.bills_of(&home).await[1].volume, metres("46"));
    })
    .await;
}

#[tokio::test]
async fn b_05_sixteen_at_once_at_one_moment_of_one_register_are_one_reading_or_one_conflict() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let home = world.home("T1").await;
        year(&world).await;
        let at = |on: &str| format!("SELECT count(*) FROM reading WHERE read_date = '{on}'");
        // The same value: one reading, and everybody is told of it.
        let same = join_all((0..16).map(|_| async { world.readings().record_reading(reading(&home, "2025-01-31", "46")).await })).await;
        let ids: std::collections::HashSet<_> = same.into_iter().map(|a| a.unwrap().into_inner().reading.unwrap().reading_id).collect();
        assert_eq!((ids.len(), world.count(&at("2025-01-31")).await), (1, 1));
        // Two values: one stands, who brought the other one is told so.
        let index = |n: usize| if n.is_multiple_of(2) { "92" } else { "93" };
        let both = join_all((0..16).map(|n| {
            let world = &world;
            let request = reading(&home, "2025-02-28", index(n));
            async move { (n % 2, world.readings().record_reading(request).await) }
        }))
        .await;
        let stands = both.iter().find(|(_, answer)| answer.is_ok()).unwrap().0;
        for (value, answer) in &both {
            match answer {
                Ok(_) => assert_eq!(*value, stands),
                Err(status) => {
                    assert_ne!(*value, stands);
                    assert_eq!((status.code(), reason(status).as_str()), (tonic::Code::AlreadyExists, "READING_CONFLICT"));
                }
            }
        }
        assert_eq!(world.count(&at("2025-02-28")).await, 1);
        // From files both are kept and held as one conflict.
        let files = join_all((0..16).map(|n| {
            let (world, row) = (&world, reading_row(1, &home, "2025-03-31", if n % 2 == 0 { "138" } else { "139" }));
            async move { world.import_readings(vec![row]).await.remove(0) }
        }))
        .await;
        let sum = |of: fn(&ImportReadingsResponse) -> i32| files.iter().map(of).sum::<i32>();
        assert_eq!((sum(|a| a.accepted), sum(|a| a.repeats), sum(|a| a.refused.len() as i32)), (2, 14, 0));
        assert_eq!(world.count(&at("2025-03-31")).await, 2);
        let open = world.exceptions(State::Open, Code::Unspecified).await;
        assert_eq!((open.len(), open[0].codes.clone()), (1, vec![Code::Conflict as i32]));
        assert!(open[0].readings.len() == 2 && open[0].readings.iter().all(|r| r.state() == reading::State::Held));
        assert_eq!(world.count("SELECT count(*) FROM abnormal_case").await, 1);
    })
    .await;
}

#[tokio::test]
async fn e9_01_findings_at_once_are_one_case_that_counts_all_of_them() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let mut homes = vec![];
        for n in 0..12 {
            let home = world.home(&format!("T{n:02}")).await;
            let water = MeterRow {
                meter_no: format!("W-{n:02}"),
                kind: meter::Kind::Water.into(),
                ..meter_row(&home, "2024-12-31", "0")
            };
            assert_eq!(world.import_meters(vec![water.clone()]).await[0].accepted, 1);
            homes.push((home, water.meter_no));
        }
        year(&world).await;
        let broken = |meter_no: &str| {
            let request = InspectSealRequest {
                request_id: key(),
                meter_no: meter_no.to_owned(),
                seal_no: String::new(),
                whole: false,
                on_date: day("2025-06-01"),
            };
            let mut wu = MeterServiceClient::new(bed.staff_named("wu", &[Role::DistrictManager]));
            async move { wu.inspect_seal(request).await.unwrap().into_inner().exception_id }
        };
        let release = |id: String| {
            let request = ReleaseExceptionsRequest {
                request_id: key(),
                exception_ids: vec![id],
                grounds: "sealed anew".to_owned(),
            };
            let mut li = ReadingServiceClient::new(bed.staff_named("li", &[Role::DistrictManager]));
            async move { drop(li.release_exceptions(request).await.unwrap()) }
        };
        // Two meters of one agreement: nothing but the case makes the two wait for each other.
        let found = join_all(
            homes
                .iter()
                .map(|(home, water)| async move { futures::join!(broken(&home.meter_no), broken(water)) }),
        )
        .await;
        let counted = "SELECT count(*) FROM abnormal_case WHERE state = 'OPEN' AND open_exceptions = 2";
        assert_eq!((world.count("SELECT count(*) FROM abnormal_case").await, world.count(counted).await), (12, 12));
        let lost = "SELECT count(*) FROM reading_exception e WHERE e.state = 'OPEN' \
                    AND NOT EXISTS (SELECT 1 FROM abnormal_case c WHERE c.id = e.case_id AND c.state = 'OPEN')";
        assert_eq!(world.count(lost).await, 0);
        // The last finding of a case is decided while the next one is made: that has an open case, the old one or a new one.
        join_all(found.iter().map(|(gas, _)| release(gas.clone()))).await;
        join_all(
            homes
                .iter()
                .zip(found)
                .map(|((home, _), (_, water))| async move { futures::join!(broken(&home.meter_no), release(water)) }),
        )
        .await;
        let counted = "SELECT count(*) FROM abnormal_case WHERE state = 'OPEN' AND open_exceptions = 1";
        assert_eq!((world.count(lost).await, world.count(counted).await), (0, 12));
    })
    .await;
}
