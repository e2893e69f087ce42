//! E2-01, E2-08: books, tasks and the figures of readers.

use contracts::hearth::{
    billing::v1::{meter_service_client::MeterServiceClient, route_service_client::RouteServiceClient, *},
    hall::v1 as hall,
    options::v1::Role,
};
use testbed::{Client, each, eventually, fields, key, reason};

use crate::world::{HEPING, HEXI, Home, World, day, gas_meter, metres, reading};

fn district(world: &World<'_>) -> RouteServiceClient<Client> {
    RouteServiceClient::new(world.bed.staff(&[Role::DistrictManager]))
}

/// A book of Hexi to open.
pub fn book(code: &str, cycle: reading_book::Cycle, read_day: i32) -> OpenBookRequest {
    OpenBookRequest {
        request_id: key(),
        code: code.to_owned(),
        name: "红山里一线".to_owned(),
        branch: HEXI.to_owned(),
        cycle: cycle.into(),
        read_day,
        from_date: day("2025-01-01"),
        reader: "li".to_owned(),
    }
}

pub async fn open(world: &World<'_>, request: OpenBookRequest) -> ReadingBook {
    district(world).open_book(request).await.unwrap().into_inner().book.unwrap()
}

pub async fn put(world: &World<'_>, book: &ReadingBook, homes: &[&Home]) -> ReadingBook {
    let request = PutIntoBookRequest {
        request_id: key(),
        book_id: book.book_id.clone(),
        meter_nos: homes.iter().map(|h| h.meter_no.clone()).collect(),
    };
    district(world).put_into_book(request).await.unwrap().into_inner().book.unwrap()
}

fn plan(month: i32) -> PlanTasksRequest {
    PlanTasksRequest {
        request_id: key(),
        branch: HEXI.to_owned(),
        year: 2025,
        month,
    }
}

async fn tasks(world: &World<'_>, state: reading_task::State) -> Vec<ReadingTask> {
    let request = ListTasksRequest {
        state: state.into(),
        page_size: 500,
        ..Default::default()
    };
    district(world).list_tasks(request).await.unwrap().into_inner().tasks
}

#[tokio::test]
async fn e_2_01_tasks_cover_every_meter_in_service() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let (one, two, three) = (world.home("T1").await, world.home("T2").await, world.home("T3").await);
        world.home_in("T9", HEPING).await;
        let monthly = open(&world, book("HX-1", reading_book::Cycle::Month, 31)).await;
        assert_eq!(put(&world, &monthly, &[&two, &one]).await.meters, 2);
        let gap = district(&world).plan_tasks(plan(2)).await.unwrap_err();
        assert_eq!(reason(&gap), "METERS_UNCOVERED");
        let uncovered = ListUncoveredRequest {
            branch: HEXI.to_owned(),
            ..Default::default()
        };
        let uncovered = district(&world).list_uncovered(uncovered).await.unwrap().into_inner().installations;
        assert_eq!(uncovered.iter().map(|i| i.meter_no.as_str()).collect::<Vec<_>>(), [three.meter_no.as_str()]);
        let weekly = open(&world, book("HX-2", reading_book::Cycle::Week, 1)).await;
        put(&world, &weekly, &[&three]).await;
        let planned = district(&world).plan_tasks(plan(2)).await.unwrap().into_inner();
        // Two monthly ones on the 28th, and four Mondays.
        assert_eq!((planned.planned, planned.already), (6, 0));
        let again = district(&world).plan_tasks(plan(2)).await.unwrap().into_inner();
        assert_eq!((again.planned, again.already), (0, 6));
        let due: Vec<_> = tasks(&world, reading_task::State::Due).await;
        let mut walk: Vec<_> = due
            .iter()
            .filter(|t| t.book_id == monthly.book_id)
            .map(|t| (t.walk_order, t.meter_no.clone(), t.due_date))
            .collect();
        walk.sort_by_key(|w| w.0);
        assert_eq!(
            walk,
            [(1, two.meter_no.clone(), day("2025-02-28")), (2, one.meter_no.clone(), day("2025-02-28"))]
        );
        let books = ListBooksRequest {
            branch: HEXI.to_owned(),
            ..Default::default()
        };
        let books = district(&world).list_books(books).await.unwrap().into_inner().books;
        assert_eq!(
            books.iter().map(|b| (b.code.as_str(), b.meters)).collect::<Vec<_>>(),
            [("HX-1", 2), ("HX-2", 1)]
        );
        // A meter moves from one book to the other.
        assert_eq!(put(&world, &weekly, &[&one]).await.meters, 2);
        let left = ListBookEntriesRequest {
            book_id: monthly.book_id.clone(),
        };
        assert_eq!(district(&world).list_book_entries(left).await.unwrap().into_inner().entries.len(), 1);
        // Refused.
        let taken = district(&world).open_book(book("HX-1", reading_book::Cycle::Month, 1)).await.unwrap_err();
        assert_eq!(
            (taken.code(), reason(&taken).as_str()),
            (tonic::Code::AlreadyExists, "READING_BOOK_CODE_UNIQUE")
        );
        let eighth = district(&world).open_book(book("HX-3", reading_book::Cycle::Week, 8)).await.unwrap_err();
        assert_eq!((reason(&eighth).as_str(), fields(&eighth)), ("READ_DAY", vec!["read_day".to_owned()]));
        let foreign = PutIntoBookRequest {
            request_id: key(),
            book_id: monthly.book_id.clone(),
            meter_nos: vec!["M-T9".to_owned()],
        };
        assert_eq!(reason(&district(&world).put_into_book(foreign).await.unwrap_err()), "METER_INACTIVE");
    })
    .await;
}

#[tokio::test]
async fn e_2_07_a_reader_reports_own_visits_and_a_reading_ends_the_task() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let (one, two) = (world.home("T1").await, world.home("T2").await);
        let route = open(&world, book("HX-1", reading_book::Cycle::Month, 20)).await;
        put(&world, &route, &[&one, &two]).await;
        world.clock("2025-02-28T20:00:00+08:00");
        world.read(&one, "2025-02-03", "40").await;
        district(&world).plan_tasks(plan(2)).await.unwrap();
        let read = tasks(&world, reading_task::State::Read).await;
        assert_eq!(
            read.iter().map(|t| t.meter_no.as_str()).collect::<Vec<_>>(),
            [one.meter_no.as_str()],
            "read before it was planned"
        );
        let due = tasks(&world, reading_task::State::Due).await.remove(0);
        let report = |task: &ReadingTask, outcome: reading_task::State| ReportVisitRequest {
            request_id: key(),
            task_id: task.task_id.clone(),
            etag: task.etag.clone(),
            outcome: outcome.into(),
        };
        let mut li = RouteServiceClient::new(bed.staff_named("li", &[Role::Reader]));
        let mut wang = RouteServiceClient::new(bed.staff_named("wang", &[Role::Reader]));
        let other = wang.report_visit(report(&due, reading_task::State::NoAccess)).await.unwrap_err();
        assert_eq!((other.code(), reason(&other).as_str()), (tonic::Code::PermissionDenied, "NOT_YOUR_TASK"));
        let done = li.report_visit(report(&read[0], reading_task::State::NoAccess)).await.unwrap_err();
        assert_eq!(reason(&done), "TASK_DONE");
        let visited = li
            .report_visit(report(&due, reading_task::State::NoAccess))
            .await
            .unwrap()
            .into_inner()
            .task
            .unwrap();
        assert_eq!((visited.state(), visited.attempts), (reading_task::State::NoAccess, 1));
        let stale = li.report_visit(report(&due, reading_task::State::MeterFault)).await.unwrap_err();
        assert_eq!(reason(&stale), "ETAG_MISMATCH");
        // The book goes to another reader, with what is left of its tasks.
        let change = ChangeBookRequest {
            request_id: key(),
            book_id: route.book_id.clone(),
            etag: route.etag.clone(),
            reader: "wang".to_owned(),
            read_day: 20,
        };
        district(&world).change_book(change).await.unwrap();
        assert_eq!(tasks(&world, reading_task::State::NoAccess).await[0].reader, "wang");
        assert_eq!(tasks(&world, reading_task::State::Read).await[0].reader, "li");
        world.read(&two, "2025-02-25", "30").await;
        assert_eq!(tasks(&world, reading_task::State::Read).await.len(), 2, "a later reading of the cycle counts");
        // A meter that is removed before its day is not read.
        district(&world).plan_tasks(plan(3)).await.unwrap();
        let remove = RemoveInstallationRequest {
            request_id: key(),
            meter_no: two.meter_no.clone(),
            agreement_id: two.agreement.clone(),
            final_index: metres("31"),
            end_date: day("2025-02-28"),
            reason: "CLOSING".to_owned(),
        };
        world.meters().remove_installation(remove).await.unwrap();
        assert_eq!(tasks(&world, reading_task::State::Dropped).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn e_2_08_figures_of_a_book_and_its_reader() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let (one, two, three) = (world.home("T1").await, world.home("T2").await, world.home("T3").await);
        let route = open(&world, book("HX-1", reading_book::Cycle::Month, 25)).await;
        put(&world, &route, &[&one, &two, &three]).await;
        district(&world).plan_tasks(plan(2)).await.unwrap();
        world.clock("2025-02-28T20:00:00+08:00");
        world.read(&one, "2025-01-31", "50").await;
        world.read(&one, "2025-02-25", "100").await;
        world.read(&two, "2025-01-31", "50").await;
        // A wrong one of two homes that were read.
        let wrong = world.read(&two, "2025-02-25", "20").await.exceptions.remove(0);
        world.reject(&wrong, "misread").await;
        world.clock("2025-03-01T08:00:00+08:00");
        assert_eq!(world.run(2).await.produced, 1);
        let bill = world.bills_of(&one).await.remove(0);
        let pay = TakePaymentRequest {
            request_id: key(),
            account_id: one.account.clone(),
            amount: crate::world::yuan("100.00"),
            channel: "BANK".to_owned(),
            channel_reference: "R1".to_owned(),
            bill_ids: vec![],
        };
        world.cashier().take_payment(pay).await.unwrap();
        let request = GetReadingFiguresRequest {
            branch: HEXI.to_owned(),
            year: 2025,
            month: 2,
        };
        let figures = district(&world).get_reading_figures(request).await.unwrap().into_inner().figures.remove(0);
        assert_eq!(
            (figures.code.as_str(), figures.reader.as_str(), figures.due, figures.read, figures.wrong),
            ("HX-1", "li", 3, 2, 1)
        );
        assert_eq!((figures.in_place_percent, figures.accuracy_percent), (metres("66.66"), metres("50.00")));
        // 100 m3 at 2.86.
        assert_eq!(
            (crate::world::text(&bill.amount), figures.billed_fen, figures.collected_fen),
            ("286.00".to_owned(), 28_600, 10_000)
        );
        assert_eq!(figures.collection_percent, metres("34.96"));
    })
    .await;
}

async fn figures(world: &World<'_>, month: i32) -> GetReadingFiguresResponse {
    let request = GetReadingFiguresRequest {
        branch: HEXI.to_owned(),
        year: 2025,
        month,
    };
    district(world).get_reading_figures(request).await.unwrap().into_inner()
}

async fn hand_over(world: &World<'_>, book: &ReadingBook, reader: &str) -> ReadingBook {
    let change = ChangeBookRequest {
        request_id: key(),
        book_id: book.book_id.clone(),
        etag: book.etag.clone(),
        reader: reader.to_owned(),
        read_day: book.read_day,
    };
    district(world).change_book(change).await.unwrap().into_inner().book.unwrap()
}

#[tokio::test]
async fn e_2_08_a_book_that_is_handed_over_keeps_its_months_and_what_a_user_told_is_no_mistake() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let (one, two) = (world.home("T1").await, world.home("T2").await);
        let route = open(&world, book("HX-1", reading_book::Cycle::Month, 25)).await;
        put(&world, &route, &[&one, &two]).await;
        let spare = open(&world, book("HX-2", reading_book::Cycle::Month, 25)).await;
        district(&world).plan_tasks(plan(2)).await.unwrap();
        world.clock("2025-02-28T20:00:00+08:00");
        world.read(&one, "2025-01-31", "50").await;
        // The user told 99, and the reader saw 100 at the same moment.
        let user = RecordReadingRequest {
            source: "user".to_owned(),
            ..reading(&one, "2025-02-25", "99")
        };
        world.readings().record_reading(user).await.unwrap();
        world.read(&one, "2025-02-25", "100").await;
        assert_eq!(
            world.count("SELECT count(*) FROM reading WHERE state = 'REPLACED' AND source = 'user'").await,
            1
        );
        world.clock("2025-03-01T08:00:00+08:00");
        assert_eq!(world.run(2).await.produced, 1);
        let told = |f: &ReadingFigures| (f.code.clone(), f.reader.clone(), f.due, f.read, f.wrong, f.billed_fen);
        let row = |code: &str, reader: &str, due, read, billed| (code.to_owned(), reader.to_owned(), due, read, 0, billed);
        let rows = async |month| figures(&world, month).await.figures.iter().map(told).collect::<Vec<_>>();
        // One of two tasks read; 100 m3 at 2.86.
        let february = [row("HX-1", "li", 2, 1, 28_600), row("HX-2", "li", 0, 0, 0)];
        assert_eq!(rows(2).await, february);
        world.clock("2025-03-05T09:00:00+08:00");
        let route = hand_over(&world, &route, "wang").await;
        hand_over(&world, &spare, "wang").await;
        let spare = row("HX-2", "wang", 0, 0, 0);
        assert_eq!(
            rows(2).await,
            [february[0].clone(), spare.clone()],
            "what li left undone in February stays li's"
        );
        // In the midst of March what is not read goes on to the next one.
        district(&world).plan_tasks(plan(3)).await.unwrap();
        world.clock("2025-03-20T20:00:00+08:00");
        world.read(&one, "2025-03-20", "150").await;
        hand_over(&world, &route, "zhao").await;
        assert_eq!(
            rows(3).await,
            [row("HX-1", "wang", 1, 1, 0), row("HX-1", "zhao", 1, 0, 0), spare.clone()],
            "by reader"
        );
        assert_eq!(rows(2).await, [february[0].clone(), spare]);
    })
    .await;
}

#[tokio::test]
async fn e_2_01_a_month_before_a_meter_came_has_no_task_for_it() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.clock("2025-03-31T20:00:00+08:00");
        let one = world.home("T1").await;
        let came = async |account_no: &str, on: &str| {
            let home = world.tell(account_no, HEXI, "living", "2024-12-31");
            world.supply(&home, |s| s.state() == supply::State::InForce).await;
            world.install(&home, on, "0").await;
            home
        };
        let (last_day, later) = (came("T2", "2025-02-28").await, came("T3", "2025-03-01").await);
        let route = open(&world, book("HX-1", reading_book::Cycle::Month, 20)).await;
        put(&world, &route, &[&one, &last_day, &later]).await;
        assert_eq!(district(&world).plan_tasks(plan(2)).await.unwrap().into_inner().planned, 2);
        let mut due: Vec<_> = tasks(&world, reading_task::State::Due).await.into_iter().map(|t| t.meter_no).collect();
        due.sort();
        assert_eq!(due, [one.meter_no, last_day.meter_no], "installed by the last day of the cycle");
        assert_eq!(district(&world).plan_tasks(plan(3)).await.unwrap().into_inner().planned, 3);
    })
    .await;
}

/// What is to be read of a meter, by the day on which it is due.
async fn due_days(world: &World<'_>, meter_no: &str) -> Vec<(String, reading_task::State)> {
    let all = tasks(world, reading_task::State::Unspecified)
        .await
        .into_iter()
        .filter(|t| t.meter_no == meter_no);
    let mut days: Vec<_> = all
        .map(|t| {
            let due = t.due_date.unwrap();
            (format!("{:02}-{:02}", due.month, due.day), t.state())
        })
        .collect();
    days.sort();
    days
}

#[tokio::test]
async fn e_2_01_a_meter_has_one_task_a_cycle_whatever_day_or_book_it_moves_to() {
    each(billing::SERVICE, async |bed| {
        use reading_task::State::Due;
        let world = World::new(bed).await;
        let (one, two) = (world.home("T1").await, world.home("T2").await);
        let late = open(&world, book("HX-1", reading_book::Cycle::Month, 25)).await;
        let early = open(&world, book("HX-2", reading_book::Cycle::Month, 5)).await;
        let weekly = open(&world, book("HX-3", reading_book::Cycle::Week, 1)).await;
        let late = put(&world, &late, &[&one, &two]).await;
        let planned = async |month| {
            let answer = district(&world).plan_tasks(plan(month)).await.unwrap().into_inner();
            (answer.planned, answer.already)
        };
        world.clock("2025-02-01T08:00:00+08:00");
        assert_eq!(planned(2).await, (2, 0));
        let change = ChangeBookRequest {
            request_id: key(),
            book_id: late.book_id.clone(),
            etag: late.etag.clone(),
            reader: "li".to_owned(),
            read_day: 10,
        };
        district(&world).change_book(change).await.unwrap();
        assert_eq!(planned(2).await, (0, 2), "the book is read on another day");
        put(&world, &early, &[&one]).await;
        put(&world, &weekly, &[&two]).await;
        // The one of the month, and four Mondays within it.
        assert_eq!(planned(2).await, (0, 5), "the meters are read in other books");
        let figures = figures(&world, 2).await.figures;
        assert_eq!(figures.iter().map(|f| f.due).sum::<i32>(), 2);
        // March has a fifth Monday, and the weeks of the second meter begin with it.
        assert_eq!(planned(3).await, (6, 0));
        assert_eq!(due_days(&world, &one.meter_no).await, [("02-25".to_owned(), Due), ("03-05".to_owned(), Due)]);
        let mondays = ["02-25", "03-03", "03-10", "03-17", "03-24", "03-31"];
        assert_eq!(due_days(&world, &two.meter_no).await, mondays.map(|due| (due.to_owned(), Due)));
    })
    .await;
}

#[tokio::test]
async fn e_2_01_a_meter_that_comes_after_its_month_was_planned_is_read_in_it() {
    each(billing::SERVICE, async |bed| {
        use reading_task::State::{Dropped, Due, Read};
        let world = World::new(bed).await;
        let (old, later) = (world.home("T1").await, world.tell("T2", HEXI, "living", "2025-01-05"));
        let shut = world.tell("T3", HEXI, "living", "2025-01-05");
        for home in [&later, &shut] {
            world.supply(home, |s| s.state() == supply::State::InForce).await;
        }
        let route = open(&world, book("HX-1", reading_book::Cycle::Month, 20)).await;
        put(&world, &route, &[&old]).await;
        world.clock("2025-02-10T08:00:00+08:00");
        for month in [1, 2, 3] {
            assert_eq!(district(&world).plan_tasks(plan(month)).await.unwrap().into_inner().planned, 1);
        }
        let days = |days: &[(&str, reading_task::State)]| days.iter().map(|(due, state)| ((*due).to_owned(), *state)).collect::<Vec<_>>();
        let coming = days(&[("02-20", Due), ("03-20", Due)]);
        // The one in the place of another.
        world.exchange(&old, "N1", "2025-02-10", (Some("64"), "3")).await;
        let of_old = days(&[("01-20", Due), ("02-20", Read), ("03-20", Dropped)]);
        assert_eq!(due_days(&world, &old.meter_no).await, of_old, "its last index was read in February");
        assert_eq!(due_days(&world, "N1").await, coming, "January is over");
        // The one that is put into a book.
        world.install(&later, "2025-02-10", "0").await;
        put(&world, &route, &[&later]).await;
        assert_eq!(due_days(&world, &later.meter_no).await, coming);
        // The one whose gas is opened.
        world.meters().register_meter(gas_meter(&shut.meter_no)).await.unwrap();
        let install = InstallMeterRequest {
            request_id: key(),
            meter_no: shut.meter_no.clone(),
            agreement_id: shut.agreement.clone(),
            from_date: day("2025-02-10"),
            initial_index: metres("0"),
            photo_file: "photo".to_owned(),
            signed: true,
        };
        MeterServiceClient::new(bed.peer("hall")).install_meter(install).await.unwrap();
        put(&world, &route, &[&shut]).await;
        assert_eq!(due_days(&world, &shut.meter_no).await, [], "the gas is not opened");
        let opened = hall::GasOpened {
            opening_id: key(),
            agreement_id: shut.agreement.clone(),
            account_id: shut.account.clone(),
            service_point_id: key(),
            meter_no: shut.meter_no.clone(),
            opened_date: day("2025-02-10"),
        };
        world.hall.tell("opening", &opened);
        let found = eventually("the tasks of the opened meter", async || {
            let found = due_days(&world, &shut.meter_no).await;
            (!found.is_empty()).then_some(found)
        })
        .await;
        assert_eq!(found, coming);
        for month in [2, 3] {
            let again = district(&world).plan_tasks(plan(month)).await.unwrap().into_inner();
            assert_eq!((again.planned, again.already), (0, 3), "{month}");
        }
    })
    .await;
}

#[tokio::test]
async fn e9_01_the_reader_of_the_book_sees_to_the_case() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let (inside, outside) = (world.home("T1").await, world.home("T2").await);
        let route = open(&world, book("HX-1", reading_book::Cycle::Month, 20)).await;
        put(&world, &route, &[&inside]).await;
        world.clock("2025-12-31T20:00:00+08:00");
        for home in [&inside, &outside] {
            world.read(home, "2025-01-31", "100").await;
            world.read(home, "2025-02-28", "90").await;
        }
        let list = ListCasesRequest::default();
        let cases = world.district().list_cases(list).await.unwrap().into_inner().cases;
        let owners: Vec<_> = cases.iter().map(|c| (c.account_no.as_str(), c.owner.as_str())).collect();
        assert_eq!(owners, [("T1", "li"), ("T2", "")]);
    })
    .await;
}

#[tokio::test]
async fn thread_23_a_reading_that_no_bill_will_ever_use_is_counted() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let (home, other) = (world.home("T1").await, world.home("T2").await);
        let unused = async |month| figures(&world, month).await.readings_unused;
        world.clock("2025-01-31T20:00:00+08:00");
        for (on, index) in [("2025-01-10", "15"), ("2025-01-31", "46")] {
            world.read(&home, on, index).await;
            world.read(&other, on, index).await;
        }
        assert_eq!(unused(1).await, 0, "no bill yet: one will use them");
        assert_eq!(world.run(1).await.produced, 2);
        assert_eq!(unused(1).await, 0, "the bill to the 31st was made in the knowledge of the 10th");
        world.clock("2025-02-28T20:00:00+08:00");
        world.read(&home, "2025-02-10", "61").await;
        assert_eq!((unused(1).await, unused(2).await), (0, 0), "the next bill uses it");
        let late = world.read(&home, "2025-01-20", "30").await.reading.unwrap();
        assert_eq!(late.state(), reading::State::Validated, "acknowledged");
        assert_eq!((unused(1).await, unused(2).await), (1, 0));
        // It is looked at when the month is billed anew.
        let january = world.bills_of(&home).await.remove(0);
        crate::rebill::rebill(&world, &january, false).await;
        assert_eq!(unused(1).await, 0);
    })
    .await;
}
