//! What rules and persons say about readings, whatever came first (B4, E2-02, thread 27).

use contracts::hearth::{
    billing::v1::{reading_exception::Code, reading_exception::State, reading_service_client::ReadingServiceClient, *},
    options::v1::Role,
};
use testbed::{each, key, reason};

use crate::world::{HEPING, HEXI, Home, World, day, metres, reading, reading_row, text};

/// The readings of a meter, by their raw text and source.
async fn readings(world: &World<'_>, home: &Home) -> Vec<Reading> {
    let list = ListReadingsRequest {
        meter_no: home.meter_no.clone(),
        page_size: 100,
        ..Default::default()
    };
    let mut all = world.district().list_readings(list).await.unwrap().into_inner().readings;
    all.sort_by(|a, b| (&a.raw_index, &a.source).cmp(&(&b.raw_index, &b.source)));
    all
}

fn told(readings: &[Reading]) -> Vec<(&str, &str, reading::State)> {
    readings.iter().map(|r| (r.raw_index.as_str(), r.source.as_str(), r.state())).collect()
}

#[tokio::test]
async fn thread_21_a_standstill_is_one_finding_whether_it_comes_at_once_or_hour_by_hour() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let homes = [world.home("T1").await, world.home("T2").await, world.home("T3").await];
        world.clock("2025-03-04T00:00:00+08:00");
        // Use in the first ten hours of 1 March, then none for fifty.
        let rows = |home: &Home| -> Vec<ReadingRow> {
            let row = |n: i32| ReadingRow {
                read_at: format!("2025-03-{:02}T{:02}:00:00+08:00", 1 + n / 24, n % 24),
                ..reading_row(n + 1, home, "2025-03-01", &n.min(9).to_string())
            };
            (0..60).map(row).collect()
        };
        let [at_once, one_by_one, backwards] = &homes;
        world.import_readings(rows(at_once)).await;
        for row in rows(one_by_one) {
            world.import_readings(vec![row]).await;
        }
        for some in rows(backwards).rchunks(7) {
            world.import_readings(some.to_vec()).await;
        }
        for home in &homes {
            let all = world.exceptions(State::Unspecified, Code::ZeroRun).await;
            let own: Vec<_> = all.iter().filter(|e| e.meter_no == home.meter_no && e.state() == State::Open).collect();
            // It stands since 9 o'clock: for more than 24 hours at 10 o'clock of the next day.
            assert_eq!(own.iter().map(|e| e.date).collect::<Vec<_>>(), [day("2025-03-02")], "{}", home.meter_no);
            let moment = wire_hour(&own[0].readings[0]);
            assert_eq!((own[0].readings.len(), moment), (1, 10), "{}", home.meter_no);
        }
        let one = world.exceptions(State::Unspecified, Code::ZeroRun).await;
        assert_eq!(
            one.iter().filter(|e| e.meter_no == one_by_one.meter_no).count(),
            1,
            "it is not found again by the hour"
        );
    })
    .await;
}

/// Hour of the day in China.
fn wire_hour(reading: &Reading) -> i64 {
    (reading.read_time.unwrap().seconds + 8 * 3600) / 3600 % 24
}

#[tokio::test]
async fn b_04_a_source_of_higher_rank_stands_also_where_it_says_the_same() {
    use reading::State::{Held, Rejected, Replaced, Validated};
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let homes = [world.home("T1").await, world.home("T2").await, world.home("T3").await, world.home("T4").await];
        world.clock("2025-12-31T20:00:00+08:00");
        let send = async |home: &Home, on: &str, index: &str, source: &str| {
            let row = ReadingRow {
                source: source.to_owned(),
                ..reading_row(1, home, on, index)
            };
            let answer = world.import_readings(vec![row]).await.remove(0);
            (answer.accepted, answer.repeats)
        };
        let [checked, conflict, confirmed, again] = &homes;
        // The user said 50, the reader saw 46, a check found 50.
        for (index, source) in [("50", "user"), ("46", "reader"), ("50", "check")] {
            assert_eq!(send(checked, "2025-01-31", index, source).await, (1, 0), "{source}");
        }
        let all = readings(&world, checked).await;
        assert_eq!(told(&all), [("46", "reader", Replaced), ("50", "check", Validated), ("50", "user", Replaced)]);
        assert_eq!((&all[0].replaced_by, &all[2].replaced_by), (&all[1].reading_id, &all[0].reading_id));
        for (index, source) in [("50", "user"), ("46", "reader"), ("50", "check"), ("50", "reader")] {
            assert_eq!(send(checked, "2025-01-31", index, source).await, (0, 1), "{source} again");
        }
        // Of two values a check confirms one.
        for (index, source) in [("50", "reader"), ("53", "remote")] {
            assert_eq!(send(conflict, "2025-01-31", index, source).await, (1, 0));
        }
        assert_eq!(world.exceptions(State::Open, Code::Conflict).await.len(), 1);
        assert_eq!(send(conflict, "2025-01-31", "53", "check").await, (1, 0));
        assert_eq!(
            told(&readings(&world, conflict).await),
            [("50", "reader", Replaced), ("53", "check", Validated), ("53", "remote", Replaced)]
        );
        assert_eq!(world.exceptions(State::Open, Code::Conflict).await, []);
        // A reader confirms what a user said of the first month, which nothing else did.
        let by_user = RecordReadingRequest {
            source: "user".to_owned(),
            ..reading(confirmed, "2025-01-31", "60")
        };
        let first = world.readings().record_reading(by_user).await.unwrap().into_inner();
        assert_eq!(first.reading.as_ref().unwrap().state(), Held);
        let second = world.read(confirmed, "2025-01-31", "60").await.reading.unwrap();
        assert_eq!((second.source.as_str(), second.state()), ("reader", Validated));
        assert_eq!(world.read(confirmed, "2025-01-31", "60").await.reading.unwrap(), second);
        assert_eq!(world.exceptions(State::Open, Code::Unspecified).await, []);
        // What gave way to a reading that a person rejected stands again when it is said again.
        assert_eq!(send(again, "2025-01-31", "100", "remote").await, (1, 0));
        assert_eq!(send(again, "2025-02-28", "190", "user").await, (1, 0));
        assert_eq!(send(again, "2025-02-28", "40", "reader").await, (1, 0));
        let reverse = world.exceptions(State::Open, Code::Reverse).await.remove(0);
        world.reject(&reverse, "misread").await;
        assert_eq!(send(again, "2025-02-28", "40", "reader").await, (0, 1));
        assert_eq!(send(again, "2025-02-28", "190", "user").await, (1, 0));
        let all = readings(&world, again).await;
        assert_eq!(
            told(&all),
            [("100", "remote", Validated), ("190", "user", Validated), ("40", "reader", Rejected)]
        );
        assert_eq!(all[1].replaced_by, "");
    })
    .await;
}

#[tokio::test]
async fn edge_03_a_person_says_that_the_register_went_round_where_no_use_before_shows_it() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let (round, lower) = (world.tell("T1", HEXI, "living", "2024-12-31"), world.tell("T2", HEXI, "living", "2024-12-31"));
        world.supply(&lower, |s| s.state() == supply::State::InForce).await;
        world.install(&round, "2024-12-31", "99987").await;
        world.install(&lower, "2024-12-31", "99").await;
        world.clock("2025-12-31T20:00:00+08:00");
        for (home, on, index) in [(&round, "2025-01-31", "12"), (&round, "2025-02-28", "40"), (&lower, "2025-01-31", "80")] {
            assert_eq!(world.read(home, on, index).await.exceptions[0].codes, [Code::Reverse as i32]);
        }
        let open = world.exceptions(State::Open, Code::Reverse).await;
        let adjust = |exception: &ReadingException, index: &str, rollover| AdjustExceptionRequest {
            request_id: key(),
            exception_id: exception.exception_id.clone(),
            etag: exception.etag.clone(),
            true_index: metres(index),
            grounds: "photos of 99987 and 12".to_owned(),
            rollover,
        };
        let of = |home: &Home| open.iter().find(|e| e.meter_no == home.meter_no && e.date == day("2025-01-31")).unwrap();
        // Unsaid; not lower than before; more than the meter could pass (edge 4).
        for (exception, index, rollover) in [(of(&round), "12", false), (of(&round), "99988", true), (of(&lower), "80", true)] {
            let refused = world.district().adjust_exception(adjust(exception, index, rollover)).await.unwrap_err();
            assert_eq!(reason(&refused), "INDEX_OUT_OF_LINE", "{index}");
        }
        let adjusted = world.district().adjust_exception(adjust(of(&round), "12", true)).await.unwrap().into_inner();
        let reading = adjusted.reading.unwrap();
        assert!(reading.rollover && reading.state() == reading::State::Accepted, "{reading:?}");
        assert_eq!(adjusted.exception.unwrap().grounds, "photos of 99987 and 12");
        let left = world.exceptions(State::Open, Code::Reverse).await;
        assert_eq!(
            left.iter().map(|e| &e.meter_no).collect::<Vec<_>>(),
            [&lower.meter_no],
            "what follows is in line now"
        );
        for month in 1..=2 {
            assert_eq!(world.run(month).await.produced, 1, "{month}");
        }
        let bills = world.bills_of(&round).await;
        let told: Vec<_> = bills.iter().map(|b| (b.volume.clone(), text(&b.amount))).collect();
        // 25 and 28 at 2.86.
        assert_eq!(told, [(metres("25"), "71.50".to_owned()), (metres("28"), "80.08".to_owned())]);
    })
    .await;
}

#[tokio::test]
async fn thread_27_a_wrong_reading_that_no_rule_found_is_voided_with_its_grounds() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let home = world.home("T1").await;
        world.clock("2025-05-02T20:00:00+08:00");
        let both = [Role::Reader, Role::DistrictManager];
        let staff = |name: &str| ReadingServiceClient::new(bed.staff_named(name, &both));
        let mut li = staff("li");
        let mut read = async |on: &str, index: &str| li.record_reading(reading(&home, on, index)).await.unwrap().into_inner().reading.unwrap();
        let january = read("2025-01-31", "46").await;
        let wrong = read("2025-02-28", "99").await;
        assert_eq!(wrong.state(), reading::State::Validated);
        let void = |id: &str| VoidReadingRequest {
            request_id: key(),
            reading_id: id.to_owned(),
            grounds: "the photo shows 92".to_owned(),
        };
        let refused = async |id: &str| reason(&staff("wang").void_reading(void(id)).await.unwrap_err());
        let own = staff("li").void_reading(void(&wrong.reading_id)).await.unwrap_err();
        assert_eq!((own.code(), reason(&own).as_str()), (tonic::Code::PermissionDenied, "OWN_READING"));
        let mut foreign = ReadingServiceClient::new(bed.staff_of(HEPING, &both));
        assert_eq!(reason(&foreign.void_reading(void(&wrong.reading_id)).await.unwrap_err()), "NOT_FOUND");
        assert_eq!(refused(&key()).await, "NOT_FOUND");
        let request = void(&wrong.reading_id);
        let voided = staff("wang").void_reading(request.clone()).await.unwrap().into_inner();
        assert_eq!(staff("wang").void_reading(request).await.unwrap().into_inner(), voided, "replayed");
        let kept = world.exceptions(State::Rejected, Code::Unspecified).await;
        assert_eq!(kept, [voided.exception.unwrap()]);
        assert_eq!(
            (
                kept[0].recorded_by.as_str(),
                kept[0].decided_by.as_str(),
                kept[0].grounds.as_str(),
                kept[0].codes.len()
            ),
            ("li", "wang", "the photo shows 92", 0)
        );
        assert_eq!(told(&kept[0].readings), [("99", "reader", reading::State::Rejected)]);
        assert_eq!(refused(&wrong.reading_id).await, "READING_NOT_VOIDABLE");
        // It is not said anew, and another index takes its moment.
        assert_eq!(read("2025-02-28", "99").await.state(), reading::State::Rejected);
        assert_eq!(read("2025-02-28", "92").await.state(), reading::State::Validated);
        for month in 1..=2 {
            assert_eq!(world.run(month).await.produced, 1);
        }
        let volumes: Vec<_> = world.bills_of(&home).await.into_iter().map(|b| b.volume).collect();
        assert_eq!(volumes, [metres("46"), metres("46")]);
        assert_eq!(refused(&january.reading_id).await, "READING_BILLED");
        // What a rule found about it goes with it.
        read("2025-03-31", "92").await;
        let still = read("2025-04-30", "92").await;
        assert_eq!(world.exceptions(State::Open, Code::Zero2).await.len(), 1);
        staff("wang").void_reading(void(&still.reading_id)).await.unwrap();
        assert_eq!(world.exceptions(State::Open, Code::Unspecified).await, []);
        assert_eq!(world.exceptions(State::Resolved, Code::Zero2).await.len(), 1);
        let cases = world.district().list_cases(ListCasesRequest::default()).await.unwrap().into_inner().cases;
        assert_eq!(cases.iter().map(AbnormalCase::state).collect::<Vec<_>>(), [abnormal_case::State::Closed]);
    })
    .await;
}
