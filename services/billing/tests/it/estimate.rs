//! E2-03, E2-04, B12: estimates and what actual readings make of them.

use contracts::hearth::{
    billing::v1::{estimate_readings_request::Cause, reading_exception::Code, reading_exception::State, route_service_client::RouteServiceClient, *},
    options::v1::Role,
};
use testbed::{each, key, reason};

use crate::{
    document::{printed, words},
    dues::{profile, profiles, terms},
    route,
    world::{HEPING, HEXI, Home, World, day, exchange_of, gas_meter, metres},
};

/// The first three months of the year, of so much a month.
async fn read_a_quarter(world: &World<'_>, home: &Home, monthly: usize) {
    for (n, end) in ["01-31", "02-28", "03-31"].iter().enumerate() {
        world.read(home, &format!("2025-{end}"), &(monthly * (n + 1)).to_string()).await;
    }
}

pub async fn estimate(world: &World<'_>, homes: &[&Home], on: &str) -> Vec<EstimateOutcome> {
    estimate_for(world, homes, on, Cause::NoAccess).await
}

async fn estimate_for(world: &World<'_>, homes: &[&Home], on: &str, cause: Cause) -> Vec<EstimateOutcome> {
    let request = EstimateReadingsRequest {
        request_id: key(),
        meter_nos: homes.iter().map(|h| h.meter_no.clone()).collect(),
        on_date: day(on),
        cause: cause.into(),
    };
    world.district().estimate_readings(request).await.unwrap().into_inner().outcomes
}

/// Index and method of an estimate that was made.
fn made(outcome: &EstimateOutcome) -> (String, EstimationMethod) {
    let reading = outcome.reading.clone().unwrap_or_else(|| panic!("{outcome:?}"));
    (reading.index.clone().unwrap().value, reading.method())
}

async fn readings(world: &World<'_>, home: &Home) -> Vec<Reading> {
    let list = ListReadingsRequest {
        meter_no: home.meter_no.clone(),
        page_size: 500,
        ..Default::default()
    };
    world.district().list_readings(list).await.unwrap().into_inner().readings
}

/// The indexes on which an estimate rests.
async fn lineage(world: &World<'_>, home: &Home, outcome: &EstimateOutcome) -> Vec<String> {
    let all = readings(world, home).await;
    let index = |id: &String| all.iter().find(|r| r.reading_id == *id).unwrap().index.clone().unwrap().value;
    outcome.reading.as_ref().unwrap().lineage.iter().map(index).collect()
}

#[tokio::test]
async fn e_2_04_the_methods_follow_the_profile_and_name_what_they_rest_on() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let (old, young, new) = (world.home("T1").await, world.home("T2").await, world.home("T3").await);
        world.clock("2026-02-28T20:00:00+08:00");
        // A year of 60 m3 a month; the young meter has three readings of 31 m3 a month, the new one none.
        let ends = [
            "01-31", "02-28", "03-31", "04-30", "05-31", "06-30", "07-31", "08-31", "09-30", "10-31", "11-30", "12-31",
        ];
        for (n, end) in ends.iter().enumerate() {
            world.read(&old, &format!("2025-{end}"), &(60 * (n + 1)).to_string()).await;
        }
        for (n, end) in ["10-31", "11-30", "12-31"].iter().enumerate() {
            world.read(&young, &format!("2025-{end}"), &(300 + 31 * n).to_string()).await;
        }
        let outcomes = estimate(&world, &[&old, &young, &new], "2026-01-31").await;
        // January 2025 had 60.
        assert_eq!(made(&outcomes[0]), ("780".to_owned(), EstimationMethod::LastYear));
        // No reading lies near January 2025. The beginning of the installation counts as one: 362 in 365 days, for 31 days 30.745.
        assert_eq!(made(&outcomes[1]), ("392.745".to_owned(), EstimationMethod::LastThree));
        // Between their readings the two others used 660 in 334 days and 62 in 61: for 396 days 723.828.
        assert_eq!(made(&outcomes[2]), ("723.828".to_owned(), EstimationMethod::LikeUsers));
        let source = |outcome: &EstimateOutcome| outcome.reading.as_ref().unwrap().source.clone();
        assert!(outcomes.iter().all(|outcome| source(outcome) == "estimate"));
        // January was what was read at its end, since the meter began with 0; the estimate counts on from December.
        assert_eq!(lineage(&world, &old, &outcomes[0]).await, ["60", "720"]);
        assert_eq!(lineage(&world, &young, &outcomes[1]).await, ["300", "331", "362"]);
        assert_eq!(lineage(&world, &new, &outcomes[2]).await, Vec::<String>::new());
        let again = estimate(&world, &[&old], "2026-01-31").await;
        assert_eq!(again[0].reason, "READ_ALREADY");
    })
    .await;
}

#[tokio::test]
async fn e_2_03_two_in_a_row_for_a_household_then_an_appointment_and_none_for_trade() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let home = world.home("T1").await;
        let shop = world.tell("T2", HEXI, "non-resident at resident price", "2024-12-31");
        world.supply(&shop, |s| s.state() == supply::State::InForce).await;
        world.install(&shop, "2024-12-31", "0").await;
        world.clock("2025-12-31T20:00:00+08:00");
        for (home, month) in [(&home, 60), (&shop, 60)] {
            for (n, end) in ["01-31", "02-28", "03-31", "04-30"].iter().enumerate() {
                world.read(home, &format!("2025-{end}"), &(month * (n + 1)).to_string()).await;
            }
        }
        let trade = estimate(&world, &[&shop], "2025-05-31").await;
        assert_eq!(trade[0].reason, "ESTIMATE_NOT_ALLOWED");
        for month in ["2025-05-31", "2025-06-30"] {
            assert_eq!(estimate(&world, &[&home], month).await[0].reason, "");
        }
        assert_eq!(estimate(&world, &[&home], "2025-07-31").await[0].reason, "ESTIMATE_NOT_ALLOWED");
        let appointments = world.exceptions(State::Open, Code::Estimates).await;
        let mut meters: Vec<_> = appointments.iter().map(|e| e.meter_no.clone()).collect();
        meters.sort();
        assert_eq!(meters, [home.meter_no.clone(), shop.meter_no.clone()]);
        // Once more does not list it twice.
        estimate(&world, &[&home], "2025-07-31").await;
        assert_eq!(world.exceptions(State::Open, Code::Estimates).await.len(), 2);
        let future = EstimateReadingsRequest {
            request_id: key(),
            meter_nos: vec![home.meter_no.clone()],
            on_date: day("2026-01-01"),
            cause: Cause::MeterFault.into(),
        };
        assert_eq!(reason(&world.district().estimate_readings(future).await.unwrap_err()), "TIME_RANGE");
    })
    .await;
}

#[tokio::test]
async fn b_12_an_actual_reading_below_the_estimates_re_estimates_the_chain() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let home = world.home("T1").await;
        world.clock("2025-12-31T20:00:00+08:00");
        for (n, end) in ["01-31", "02-28", "03-31", "04-30"].iter().enumerate() {
            world.read(&home, &format!("2025-{end}"), &(60 * (n + 1)).to_string()).await;
        }
        let first = made(&estimate(&world, &[&home], "2025-05-31").await[0]);
        assert_eq!(first.1, EstimationMethod::LastThree);
        // 180 in 89 days since 31 January: for 31 days 62.697.
        assert_eq!(first.0, "302.697");
        // The second one counts on from the first one.
        let second = estimate(&world, &[&home], "2025-06-30").await;
        assert_eq!(lineage(&world, &home, &second[0]).await, ["60", "120", "180", "240", "302.697"]);
        // May is billed by its estimate.
        for month in 1..=5 {
            assert_eq!(world.run(month).await.produced, 1, "{month}");
        }
        // 240 at the end of April and 331 on 31 July, which is lower than the estimate of June. 91 in 31, 30 and 31 days: 31, 30 and 30.
        let actual = world.read(&home, "2025-07-31", "331").await;
        let actual = actual.reading.unwrap();
        assert_eq!(actual.state(), reading::State::Validated, "lower than an estimate is no reverse flow");
        let all = readings(&world, &home).await;
        let of = |state: reading::State, source: &str| {
            let mut found: Vec<_> = all.iter().filter(|r| r.state() == state && r.source == source).collect();
            found.sort_by_key(|r| r.read_time.map(|t| t.seconds));
            found
        };
        let billed = of(reading::State::Billed, "estimate");
        assert_eq!(
            (billed.len(), billed[0].index.clone(), billed[0].restated_index.clone()),
            (1, metres("302.697"), metres("271"))
        );
        let stands = of(reading::State::Validated, "estimate");
        assert_eq!(
            (stands.len(), stands[0].index.clone(), stands[0].method()),
            (1, metres("301"), EstimationMethod::BetweenActuals)
        );
        assert!(stands[0].lineage.contains(&actual.reading_id), "{:?}", stands[0].lineage);
        let replaced = of(reading::State::Replaced, "estimate");
        assert_eq!((replaced.len(), replaced[0].replaced_by.clone()), (1, stands[0].reading_id.clone()));
    })
    .await;
}

#[tokio::test]
async fn a_bill_says_that_it_rests_on_an_estimate_and_the_one_after_it_does_not() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let home = world.home("T1").await;
        world.clock("2025-12-31T20:00:00+08:00");
        read_a_quarter(&world, &home, 60).await;
        estimate(&world, &[&home], "2025-04-30").await;
        world.read(&home, "2025-05-31", "300").await;
        for month in 1..=5 {
            assert_eq!(world.run(month).await.produced, 1, "{month}");
        }
        let bills = world.bills_of(&home).await;
        let told: Vec<_> = bills.iter().map(|bill| (bill.month, bill.estimated)).collect();
        assert_eq!(told, [(1, false), (2, false), (3, false), (4, true), (5, false)]);
        for bill in &bills {
            let request = ExplainBillRequest {
                bill_id: bill.bill_id.clone(),
                party_id: None,
            };
            let explanation = world.bills().explain_bill(request).await.unwrap().into_inner().explanation.unwrap();
            let step = explanation.steps.iter().find(|step| step.name == "m1.read");
            assert_eq!(step.map(|step| step.text.as_str()), bill.estimated.then_some("ESTIMATE"), "{}", bill.month);
            let said = words(&printed(&world, &bill.bill_id).await);
            assert_eq!(said.contains("估算 Estimated"), bill.estimated, "{said}");
        }
    })
    .await;
}

#[tokio::test]
async fn b_12_the_order_of_arrival_of_actual_readings_does_not_matter() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let (one, two) = (world.home("T1").await, world.home("T2").await);
        world.clock("2025-12-31T20:00:00+08:00");
        let mut seen = vec![];
        for (home, late) in [(&one, ["2025-06-15", "2025-07-31"]), (&two, ["2025-07-31", "2025-06-15"])] {
            for (n, end) in ["01-31", "02-28", "03-31", "04-30"].iter().enumerate() {
                world.read(home, &format!("2025-{end}"), &(60 * (n + 1)).to_string()).await;
            }
            estimate(&world, &[home], "2025-05-31").await;
            for on in late {
                world.read(home, on, if on == "2025-06-15" { "286" } else { "300" }).await;
            }
            let mut live: Vec<_> = readings(&world, home)
                .await
                .into_iter()
                .filter(|r| r.state() == reading::State::Validated)
                .map(|r| (r.read_time.unwrap().seconds, r.index.unwrap().value, r.source))
                .collect();
            live.sort();
            seen.push(live);
        }
        assert_eq!(seen[0], seen[1]);
        // 46 in 31 and 15 days: 31 and 15.
        assert!(seen[0].iter().any(|(_, index, source)| index == "271" && source == "estimate"), "{:?}", seen[0]);
    })
    .await;
}

#[tokio::test]
async fn edge_07_a_destroyed_meter_is_exchanged_with_an_estimate_that_a_second_person_releases() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let home = world.home("T1").await;
        world.clock("2025-12-31T20:00:00+08:00");
        read_a_quarter(&world, &home, 62).await;
        let mut wu = meter_service_client::MeterServiceClient::new(bed.staff_named("wu", &[Role::DistrictManager]));
        let register = RegisterMeterRequest {
            kind: meter::Kind::Mechanical.into(),
            ..gas_meter("N1")
        };
        wu.register_meter(register).await.unwrap();
        let exchange = ExchangeMeterRequest {
            reason: "DESTROYED".to_owned(),
            ..exchange_of(&home, "N1", "2025-04-15", (None, "3"))
        };
        let both = wu.exchange_meter(exchange.clone()).await.unwrap().into_inner();
        assert_eq!(
            (both.ended.unwrap().end_date, both.begun.clone().unwrap().initial_index),
            (day("2025-04-15"), metres("3"))
        );
        let again = wu
            .exchange_meter(ExchangeMeterRequest { request_id: key(), ..exchange })
            .await
            .unwrap()
            .into_inner();
        assert_eq!(again.begun, both.begun, "asking again is the same exchange");
        let held = world.exceptions(State::Open, Code::FinalEstimated).await.remove(0);
        // 186 in 90 days since the beginning: for 15 days 31.
        assert_eq!((held.readings.len(), held.readings[0].index.clone()), (1, metres("217")));
        assert_eq!(held.readings[0].cause(), EstimationCause::MeterFault);
        world
            .read(
                &Home {
                    meter_no: "N1".to_owned(),
                    ..home.clone()
                },
                "2025-04-30",
                "28",
            )
            .await;
        let run = world.run(4).await;
        assert_eq!((run.produced, run.held), (0, 1), "nothing is billed by an estimate that nobody looked at");
        let release = |id: &str| ReleaseExceptionsRequest {
            request_id: key(),
            exception_ids: vec![id.to_owned()],
            grounds: "photo of the ruin".to_owned(),
        };
        let mut own = reading_service_client::ReadingServiceClient::new(bed.staff_named("wu", &[Role::DistrictManager]));
        assert_eq!(reason(&own.release_exceptions(release(&held.exception_id)).await.unwrap_err()), "OWN_EXCEPTION");
        let mut li = reading_service_client::ReadingServiceClient::new(bed.staff_named("li", &[Role::DistrictManager]));
        li.release_exceptions(release(&held.exception_id)).await.unwrap();
        assert_eq!(world.run(4).await.produced, 1);
        // 31 of the old meter, 25 of the new one, and what was not billed before.
        let bill = world.bills_of(&home).await.pop().unwrap();
        assert_eq!((bill.volume, bill.estimated), (metres("242"), true), "one of its two meters was estimated");
    })
    .await;
}

#[tokio::test]
async fn e_2_03_the_cause_is_kept_and_a_visit_or_a_finding_supports_it() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let homes = [world.home("T1").await, world.home("T2").await, world.home("T3").await];
        let apart = world.home_in("T9", HEPING).await;
        let [shut, faulty, unvisited] = &homes;
        world.clock("2025-05-05T20:00:00+08:00");
        for home in homes.iter().chain([&apart]) {
            read_a_quarter(&world, home, 60).await;
        }
        let book = route::open(&world, route::book("HX-1", reading_book::Cycle::Month, 20)).await;
        route::put(&world, &book, &[shut, faulty, unvisited]).await;
        let mut district = RouteServiceClient::new(bed.staff(&[Role::DistrictManager]));
        let plan = PlanTasksRequest {
            request_id: key(),
            branch: HEXI.to_owned(),
            year: 2025,
            month: 4,
        };
        district.plan_tasks(plan).await.unwrap();
        let tasks = district.list_tasks(ListTasksRequest::default()).await.unwrap().into_inner().tasks;
        let mut reader = RouteServiceClient::new(bed.staff_named("li", &[Role::Reader]));
        for (home, outcome) in [(shut, reading_task::State::NoAccess), (faulty, reading_task::State::MeterFault)] {
            let task = tasks.iter().find(|t| t.meter_no == home.meter_no).unwrap();
            let report = ReportVisitRequest {
                request_id: key(),
                task_id: task.task_id.clone(),
                etag: task.etag.clone(),
                outcome: outcome.into(),
            };
            reader.report_visit(report).await.unwrap();
        }
        let reasons = |outcomes: &[EstimateOutcome]| outcomes.iter().map(|o| o.reason.clone()).collect::<Vec<_>>();
        let causes = |outcomes: &[EstimateOutcome]| outcomes.iter().filter_map(|o| Some(o.reading.as_ref()?.cause())).collect::<Vec<_>>();
        let made = estimate(&world, &[shut, faulty, unvisited, &apart], "2025-04-30").await;
        let no_access = EstimationCause::NoAccess;
        assert_eq!(
            reasons(&made),
            ["", "ESTIMATE_UNPROVEN", "ESTIMATE_UNPROVEN", ""],
            "nobody reads the last one by a book"
        );
        assert_eq!(causes(&made), [no_access, no_access]);
        assert_eq!(
            world.exceptions(State::Open, Code::Estimates).await.len(),
            0,
            "nobody is called to because nobody was there"
        );
        let made = estimate_for(&world, &[faulty, unvisited], "2025-04-30", Cause::MeterFault).await;
        assert_eq!(
            (reasons(&made), causes(&made)),
            (vec![String::new(), "ESTIMATE_UNPROVEN".to_owned()], vec![EstimationCause::MeterFault])
        );
        // A finding about the meter speaks for its fault.
        let broken = InspectSealRequest {
            request_id: key(),
            meter_no: unvisited.meter_no.clone(),
            seal_no: String::new(),
            whole: false,
            on_date: day("2025-05-02"),
        };
        world.meters().inspect_seal(broken).await.unwrap();
        let made = estimate(&world, &[unvisited], "2025-04-30").await;
        assert_eq!(reasons(&made), ["ESTIMATE_UNPROVEN"]);
        let made = estimate_for(&world, &[unvisited], "2025-04-30", Cause::MeterFault).await;
        assert_eq!((reasons(&made), causes(&made)), (vec![String::new()], vec![EstimationCause::MeterFault]));
        // It stays with what an actual reading makes of the estimate.
        world.read(shut, "2025-05-04", "260").await;
        let all = readings(&world, shut).await;
        let restated = all.iter().find(|r| r.method() == EstimationMethod::BetweenActuals).unwrap();
        assert_eq!(restated.cause(), no_access);
        assert!(all.iter().all(|r| (r.source == "estimate") == (r.cause() != EstimationCause::Unspecified)));
    })
    .await;
}

#[tokio::test]
async fn e_2_04_a_city_orders_the_methods_and_four_months_is_one_of_them() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let city = ProfileTerms {
            estimation_order: vec![EstimationMethod::FourMonths.into(), EstimationMethod::LastThree.into()],
            ..terms()
        };
        let published = profiles(&world)
            .publish_profile(profile(HEXI, "2025-01-01", city.clone()))
            .await
            .unwrap()
            .into_inner();
        assert_eq!(published.profile.unwrap().terms, Some(city));
        let (own, other) = (world.home("T1").await, world.home_in("T2", HEPING).await);
        world.clock("2025-12-31T20:00:00+08:00");
        for home in [&own, &other] {
            for (on, index) in [
                ("2025-06-30", "181"),
                ("2025-07-31", "231"),
                ("2025-08-31", "293"),
                ("2025-09-30", "353"),
                ("2025-10-31", "415"),
            ] {
                assert_eq!(world.read(home, on, index).await.exceptions, []);
            }
        }
        let outcomes = estimate(&world, &[&own, &other], "2025-11-30").await;
        // Four months before 31 October is 30 June: 234 in 123 days, for 30 days 57.073.
        assert_eq!(made(&outcomes[0]), ("472.073".to_owned(), EstimationMethod::FourMonths));
        // The other branch has decided nothing: of last year there is nothing, so three cycles since 31 July: 184 in 92 days, for 30 days 60.
        assert_eq!(made(&outcomes[1]), ("475".to_owned(), EstimationMethod::LastThree));
    })
    .await;
}
