//! Bill runs and bills.

use contracts::hearth::{
    archive::v1 as archive,
    billing::v1::{bill_run_service_client::BillRunServiceClient, bill_service_client::BillServiceClient, *},
    job::v1::{CancelJobRequest, GetJobRequest, Job as Told, WatchJobRequest, job, job_service_client::JobServiceClient},
    options::v1::Role,
};
use database::{
    Conn, Engine,
    jobs::{Job, Step},
};
use sea_orm::{ConnectionTrait, TransactionOptions};
use testbed::{each, each_of, eventually, key, reason};

use crate::{
    dues::pay,
    held::{gate, listed, release_of},
    route::{book, open, put},
    world::{HEPING, HEXI, Home, World, class, day, metres, sharing, text, tianjin},
};

#[tokio::test]
async fn a_month_is_billed_once_and_reported() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let (billed, missing, held) = (world.home("T1").await, world.home("T2").await, world.home("T3").await);
        let early = world
            .runs()
            .start_bill_run(StartBillRunRequest {
                request_id: key(),
                year: 2025,
                month: 1,
                branch: String::new(),
                ..Default::default()
            })
            .await
            .unwrap_err();
        assert_eq!(reason(&early), "PERIOD_NOT_OVER");
        world.clock("2025-01-31T20:00:00+08:00");
        world.read(&billed, "2025-01-31", "46").await;
        world.read(&held, "2025-01-31", "3000").await;
        let run = world.run(1).await;
        let counts = |r: &BillRun| (r.expected, r.produced, r.already, r.held, r.missing, r.parked, r.skipped, r.not_due);
        assert_eq!(counts(&run), (3, 1, 0, 1, 1, 0, 0, 0));
        assert_eq!(text(&run.amount), "131.56");
        let bill = world.bills_of(&billed).await.remove(0);
        let got = world
            .bills()
            .get_bill(GetBillRequest {
                bill_id: bill.bill_id.clone(),
                party_id: None,
            })
            .await
            .unwrap()
            .into_inner()
            .bill
            .unwrap();
        assert_eq!(got.bill_no, "BL-河西区-2025-00000001");
        assert_eq!(
            (got.from_date, got.to_date, got.due_date),
            (day("2024-12-31"), day("2025-01-31"), day("2025-02-15"))
        );
        assert_eq!(
            got.lines
                .iter()
                .map(|l| (l.tier, l.volume.clone(), l.price.clone(), text(&l.amount)))
                .collect::<Vec<_>>(),
            [(1, metres("46"), metres("2.86"), "131.56".to_owned())]
        );
        let again = world.run(1).await;
        assert_eq!(counts(&again), (3, 0, 1, 1, 1, 0, 0, 0));
        let list = world.exceptions(reading_exception::State::Open, reading_exception::Code::Missing).await;
        assert_eq!(
            list.iter().map(|e| (e.account_no.as_str(), e.date)).collect::<Vec<_>>(),
            [("T2", day("2025-01-31"))],
            "missing once"
        );
        world.read(&missing, "2025-01-31", "20").await;
        assert!(
            world
                .exceptions(reading_exception::State::Open, reading_exception::Code::Missing)
                .await
                .is_empty(),
            "found"
        );
        assert_eq!(counts(&world.run(1).await), (3, 1, 1, 1, 0, 0, 0, 0));
        world.sound().await;
        // Due on 15 February: late from midnight on, paid in part too, and not once it is paid or reversed.
        let late = async |home: &Home| {
            let listed = world.bills_of(home).await.remove(0);
            let request = GetBillRequest {
                bill_id: listed.bill_id.clone(),
                party_id: None,
            };
            let got = world.bills().get_bill(request).await.unwrap().into_inner().bill.unwrap();
            assert_eq!((got.overdue, got.state), (listed.overdue, listed.state));
            got.overdue
        };
        world.clock("2025-02-15T23:59:59+08:00");
        assert_eq!((late(&billed).await, late(&missing).await), (false, false), "the last day to pay");
        world.clock("2025-02-16T00:00:00+08:00");
        assert_eq!((late(&billed).await, late(&missing).await), (true, true));
        pay(&world, &billed, "100.00", "1").await;
        assert_eq!(world.bills_of(&billed).await[0].state(), bill::State::PartlyPaid);
        assert!(late(&billed).await, "31.56 is owed");
        pay(&world, &billed, "31.56", "2").await;
        let bill = world.bills_of(&missing).await.remove(0);
        let reverse = ReverseBillRequest {
            request_id: key(),
            bill_id: bill.bill_id,
            etag: bill.etag,
            reason: "wrong".to_owned(),
            reading_was_wrong: false,
        };
        let answer = world.bills().reverse_bill(reverse).await.unwrap().into_inner();
        assert!(!answer.bill.unwrap().overdue, "what a change answers is kept, and tells nothing of a day");
        assert_eq!((late(&billed).await, late(&missing).await), (false, false), "paid, and reversed");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runners_on_one_period_make_one_bill_each() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        world.clock("2025-01-31T20:00:00+08:00");
        let mut homes = vec![];
        for n in 0..12 {
            let home = world.home_in(&format!("T{n}"), if n % 2 == 0 { HEXI } else { HEPING }).await;
            world.read(&home, "2025-01-31", "46").await;
            homes.push(home);
        }
        let mut ids = vec![];
        for _ in 0..4 {
            ids.push(asked(&world, &key(), 12).await);
        }
        raced(&world, &ids).await;
        let mut produced = 0;
        for id in ids {
            let run = world.finished(&id).await;
            produced += run.produced;
            assert_eq!((run.parked, run.gap, run.produced + run.already), (0, 0, 12));
        }
        assert_eq!((produced, world.count("SELECT count(*) FROM bill").await), (12, 12));
        world.sound().await;
    })
    .await;
}

/// Each of these runs by a worker of its own, all at once: half of them in this process, half in another.
async fn raced(world: &World<'_>, runs: &[String]) {
    let other = replica(world).await;
    let works = [world.bed.db(), other.clone()].map(|db| billing::bill_runs(db, world.bed.clock().clone()).unwrap());
    let racers = runs.iter().zip(works.iter().cycle()).map(|(run, work)| {
        let (job, work) = (job_of(run), work.clone());
        tokio::spawn(async move {
            loop {
                match work.step(&job).await {
                    Ok(Step::Done { .. }) => return,
                    Ok(_) => {}
                    // What a job does too: the engine asks for another try.
                    Err(fault) => assert!(fault.is_transient(), "{fault}"),
                }
            }
        })
    });
    for racer in racers.collect::<Vec<_>>() {
        racer.await.unwrap();
    }
    other.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn thread_02_two_hundred_racers_on_one_agreement_make_one_bill() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let home = world.home("T1").await;
        world.clock("2025-01-31T20:00:00+08:00");
        world.read(&home, "2025-01-31", "46").await;
        let mut ids = vec![];
        for _ in 0..200 {
            ids.push(asked(&world, &key(), 1).await);
        }
        raced(&world, &ids).await;
        let mut counts = (0, 0);
        for id in ids {
            let run = world.finished(&id).await;
            assert_eq!((run.expected, run.gap, run.parked, run.state()), (1, 0, 0, bill_run::State::Done));
            counts = (counts.0 + run.produced, counts.1 + run.already);
        }
        assert_eq!((counts, world.count("SELECT count(*) FROM bill").await), ((1, 199), 1));
        world.sound().await;
    })
    .await;
}

/// A second process of billing on the same database, which does nothing but bill runs.
async fn replica(world: &World<'_>) -> database::Database {
    let (target, clock) = (world.bed.target(), world.bed.clock().clone());
    let db = database::Database::connect("billing", &target, clock.clone(), billing::SERVICE.migrations)
        .await
        .unwrap();
    db.key_digests(&[7; 32]).unwrap();
    let work = billing::bill_runs(db.clone(), clock).unwrap();
    tokio::spawn(database::jobs::work_forever(db.clone(), vec![work]));
    db
}

#[tokio::test]
async fn thread_70_two_replicas_share_the_parts_of_a_run_and_make_one_bill_each() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        world.clock("2025-01-31T20:00:00+08:00");
        for n in 0..18 {
            let home = world.home_in(&format!("T{n}"), BRANCHES[n % 6]).await;
            world.read(&home, "2025-01-31", "46").await;
        }
        let other = replica(&world).await;
        let id = world.start_run(2025, 1).await;
        let run = world.finished(&id).await;
        assert_eq!((run.expected, run.produced, run.gap, run.parts, run.parts_done), (18, 18, 0, 6, 6));
        assert_eq!(text(&run.amount), "2368.08", "18 × 46 × 2.86");
        assert_eq!(world.count("SELECT count(*) FROM bill").await, 18);
        assert_eq!(world.count("SELECT count(DISTINCT agreement_id) FROM bill").await, 18);
        let again = world.run(1).await;
        assert_eq!((again.produced, again.already), (0, 18), "a run that is repeated gives nothing new");
        world.sound().await;
        other.close().await;
    })
    .await;
}

/// The job of a run as it is told until it ends. What is held is let go when so many agreements are behind it, after `then`.
async fn watched(world: &World<'_>, job_id: &str, mut held: Option<Conn>, then: impl AsyncFn()) -> Vec<Told> {
    let mut watcher = JobServiceClient::new(world.bed.staff(&[Role::Accountant]));
    let request = WatchJobRequest { job_id: job_id.to_owned() };
    let mut stream = watcher.watch_job(request).await.unwrap().into_inner();
    let mut told = vec![];
    while let Some(answer) = stream.message().await.unwrap() {
        let now = answer.job.unwrap();
        if now.done >= 4
            && let Some(slow) = held.take()
        {
            then().await;
            slow.commit().await.unwrap();
        }
        told.push(now);
    }
    told
}

#[tokio::test]
async fn the_progress_of_a_run_is_told_as_it_grows_up_to_its_report_or_its_end_by_a_person() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let mut homes = vec![];
        for (n, branch) in BRANCHES.iter().enumerate() {
            homes.push(world.home_in(&format!("T{n}"), branch).await);
        }
        let amended = archive::ContractAmended {
            agreement_id: homes[1].agreement.clone(),
            version: 2,
            use_class: "no such class".to_owned(),
            from_date: day("2024-12-31"),
        };
        world.archive.tell(&homes[1].agreement, &amended);
        world.supply(&homes[1], |s| s.use_classes[0].use_class == "no such class").await;
        world.clock("2025-02-28T20:00:00+08:00");
        for home in &homes {
            world.read(home, "2025-01-31", "46").await;
            world.read(home, "2025-02-28", "92").await;
        }
        world
            .sql("INSERT INTO number (series, branch, year, last) VALUES ('BL', '河西区', 2025, 0)")
            .await
            .unwrap();
        // The part of one branch waits for its number while the others are billed. SQLite has one writer: there nobody can hold a part back.
        let hold = async || {
            let slow = bed.db().writer().begin(TransactionOptions::default()).await.unwrap();
            slow.execute_unprepared("SELECT last FROM number WHERE branch = '河西区' FOR UPDATE")
                .await
                .unwrap();
            slow
        };
        let held = match bed.engine() {
            Engine::Postgres => Some(hold().await),
            Engine::Sqlite => None,
        };
        let start = async |month| {
            let id = world.start_run(2025, month).await;
            let get = GetBillRunRequest { run_id: id.clone() };
            (id, world.runs().get_bill_run(get).await.unwrap().into_inner().run.unwrap().job_id)
        };
        let (run_id, job_id) = start(1).await;
        let told = watched(&world, &job_id, held, async || {}).await;
        assert!(told.is_sorted_by_key(|job| job.done), "{told:?}");
        assert!(told.iter().all(|job| job.total == 6 || (job.total, job.done) == (0, 0)), "{told:?}");
        if bed.engine() == Engine::Postgres {
            let under_way = |job: &&Told| job.state() == job::State::Running && (4..6).contains(&job.done);
            assert!(told.iter().any(|job| under_way(&job)), "{told:?}");
        }
        let last = told.last().unwrap();
        assert_eq!(
            (last.state(), last.done, last.total, last.note.as_str()),
            (job::State::Succeeded, 6, 6, "5 bills, 0 held, 0 held by checks, 0 missing, 1 parked")
        );
        let run = world.finished(&run_id).await;
        assert_eq!((run.expected, run.produced, run.parked, run.gap), (6, 5, 1, 0));
        if bed.engine() == Engine::Sqlite {
            return;
        }
        let (run_id, job_id) = {
            let held = hold().await;
            let (run_id, job_id) = start(2).await;
            let cancel = CancelJobRequest {
                request_id: key(),
                job_id: job_id.clone(),
            };
            let told = watched(&world, &job_id, Some(held), async || {
                let mut accountant = JobServiceClient::new(bed.staff(&[Role::Accountant]));
                accountant.cancel_job(cancel.clone()).await.unwrap();
            })
            .await;
            let last = told.last().unwrap();
            assert!(
                told.is_sorted_by_key(|job| job.done) && told.iter().all(|job| job.state() != job::State::Succeeded),
                "{told:?}"
            );
            assert_eq!(
                (last.state(), last.total, (4..6).contains(&last.done)),
                (job::State::Cancelled, 6, true),
                "{last:?}"
            );
            (run_id, job_id)
        };
        let get = GetBillRunRequest { run_id };
        let run = world.runs().get_bill_run(get).await.unwrap().into_inner().run.unwrap();
        assert_eq!((run.state(), &run.job_id), (bill_run::State::Cancelled, &job_id));
        // What it had billed stays, and the next run bills the rest.
        let again = world.run(2).await;
        assert_eq!((again.produced + again.already, again.parked), (5, 1));
        assert!(again.already >= 3, "{again:?}");
        assert_eq!(world.count("SELECT count(*) FROM bill").await, 10);
        world.sound().await;
    })
    .await;
}

const BRANCHES: [&str; 6] = [HEXI, HEPING, "南开区", "河东区", "河北区", "红桥区"];

#[tokio::test]
async fn thread_03_numbers_are_taken_last_and_a_part_that_another_worker_has_is_waited_for_and_not_done_twice() {
    // SQLite has one writer: who has a part has the database.
    each_of(billing::SERVICE, &[Engine::Postgres], async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        world.clock("2025-01-31T20:00:00+08:00");
        for (n, branch) in [HEXI, HEPING].iter().enumerate() {
            let home = world.home_in(&format!("T{n}"), branch).await;
            world.read(&home, "2025-01-31", "46").await;
        }
        // Who numbers bills of a branch waits for this row, which is the last that a chunk takes: all else of it is written by then.
        world
            .sql("INSERT INTO number (series, branch, year, last) VALUES ('BL', '河西区', 2025, 0)")
            .await
            .unwrap();
        let slow = bed.db().writer().begin(TransactionOptions::default()).await.unwrap();
        slow.execute_unprepared("SELECT last FROM number WHERE branch = '河西区' FOR UPDATE")
            .await
            .unwrap();
        let id = world.start_run(2025, 1).await;
        eventually("the other part to be billed", async || {
            (world.count("SELECT count(*) FROM bill").await == 1).then_some(())
        })
        .await;
        let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%number%'";
        eventually("a worker that waits for a number", async || (world.count(waits).await == 1).then_some(())).await;
        let free = world
            .sql("SELECT 1 FROM bill_run_part WHERE branch = '河西区' FOR UPDATE NOWAIT")
            .await
            .unwrap_err();
        assert!(free.to_string().contains("could not obtain lock"), "{free}");
        // Its connection breaks, and with it the lock of its part: what it wrote is gone.
        world.sql(&waits.replace("count(*)", "pg_terminate_backend(pid)")).await.unwrap();
        eventually("the broken worker's lines to be gone", async || {
            let lines = world.count("SELECT count(*) FROM bill_line").await;
            let entries = world.count("SELECT count(*) FROM ledger_entry").await;
            (lines == 1 && entries == 2).then_some(())
        })
        .await;
        slow.commit().await.unwrap();
        let run = world.finished(&id).await;
        assert_eq!((run.produced, run.gap, run.parts_done), (2, 0, 2));
        assert_eq!(world.count("SELECT count(*) FROM bill").await, 2);
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn a_large_branch_is_split_between_accounts_and_each_agreement_is_met_once() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.clock("2025-01-31T20:00:00+08:00");
        // Three agreements to an account, without a meter: 25,002 agreements make three parts.
        let (numbers, id) = match bed.engine() {
            Engine::Postgres => ("SELECT n FROM generate_series(0, 25001) AS g(n)", "CAST(lpad(to_hex({}), 32, '0') AS uuid)"),
            Engine::Sqlite => (
                "WITH RECURSIVE g(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM g WHERE n < 25001) SELECT n FROM g",
                "unhex(printf('%032x', {}))",
            ),
        };
        let id = |n: &str| id.replace("{}", n);
        let sql = format!(
            "INSERT INTO supply (id, agreement_no, account_id, account_no, party_id, branch, service, state)
             SELECT {}, 'HT-' || n, {}, 'A-' || n, {}, '河西区', 'GAS', 'IN_FORCE' FROM ({numbers}) AS numbers",
            id("n + 100000"),
            id("n / 3 + 1"),
            id("n / 3 + 1"),
        );
        world.sql(&sql).await.unwrap();
        let run = world.run(1).await;
        assert_eq!((run.expected, run.not_due, run.gap, run.parts, run.parts_done), (25_002, 25_002, 0, 3, 3));
        let split = "SELECT count(*) FROM bill_run_part p JOIN bill_run_part q ON q.ordinal = p.ordinal + 1 AND q.after_account <> p.last_account";
        assert_eq!(world.count(split).await, 0, "a part begins where the one before it ends");
    })
    .await;
}

/// A run over January, of so many agreements, that nobody has split and no job asks for; its id.
async fn asked(world: &World<'_>, job: &str, filed: i64) -> String {
    let run = key();
    let sql = format!(
        "INSERT INTO bill_run (id, job_id, year, month, branch, due_days, state, expected, filed, produced, already, held, missing, parked, skipped, not_due, amount, created_at)
         VALUES ({}, {}, 2025, 1, '', 0, 'RUNNING', {filed}, {filed}, 0, 0, 0, 0, 0, 0, 0, 0, 0)",
        world.uuid(&run),
        world.uuid(job)
    );
    world.sql(&sql).await.unwrap();
    run
}

fn job_of(run: &str) -> Job {
    Job {
        id: uuid::Uuid::now_v7(),
        request: uuid::Uuid::parse_str(run).unwrap().as_bytes().to_vec(),
        requested_by: "zhao".to_owned(),
        done: 0,
        total: 0,
    }
}

/// Likewise, with one part as if workers had come so far with it, and with its job; the ids of both.
async fn begun(world: &World<'_>, filed: i64, part: &[(&str, String)]) -> (String, String) {
    let job = key();
    let run = asked(world, &job, filed).await;
    let run_id = world.uuid(&run);
    let counts = ["produced", "already", "held", "missing", "parked", "skipped", "not_due", "bills_held", "amount"];
    let zero = counts.iter().filter(|count| part.iter().all(|(column, _)| column != *count));
    let (columns, values): (Vec<&str>, Vec<String>) = part.iter().cloned().chain(zero.map(|count| (*count, "0".to_owned()))).unzip();
    let part = format!(
        "INSERT INTO bill_run_part (run_id, ordinal, branch, {}) VALUES ({run_id}, 1, '河西区', {})",
        columns.join(", "),
        values.join(", ")
    );
    world.sql(&part).await.unwrap();
    filed_job(world, &job, &run, "QUEUED").await;
    (run, job)
}

async fn filed_job(world: &World<'_>, job: &str, run: &str, state: &str) {
    let request = match world.bed.engine() {
        Engine::Postgres => format!("decode('{}', 'hex')", run.replace('-', "")),
        Engine::Sqlite => format!("X'{}'", run.replace('-', "")),
    };
    let sql = format!(
        "INSERT INTO job (id, kind, state, request, done, total, note, requested_by, created_at, updated_at, failures)
         VALUES ({}, 'bill-run', '{state}', {request}, 0, 0, '', 'zhao', 0, 0, 0)",
        world.uuid(job)
    );
    world.sql(&sql).await.unwrap();
}

#[tokio::test]
async fn a_worker_that_waited_for_a_run_to_be_split_takes_a_part_of_it() {
    // SQLite has one writer, and one worker.
    each_of(billing::SERVICE, &[Engine::Postgres], async |bed| {
        let world = World::new(bed).await;
        world.clock("2025-01-31T20:00:00+08:00");
        for (n, branch) in [HEXI, HEPING].iter().enumerate() {
            world.home_in(&format!("T{n}"), branch).await;
        }
        let run = asked(&world, &key(), 2).await;
        let starter = bed.db().writer().begin(TransactionOptions::default()).await.unwrap();
        starter.execute_unprepared("SELECT id FROM bill_run FOR UPDATE").await.unwrap();
        let job = job_of(&run);
        let work = billing::bill_runs(bed.db().clone(), bed.clock().clone()).unwrap();
        let [one, two] = [(work.clone(), job.clone()), (work, job)].map(|(work, job)| tokio::spawn(async move { work.step(&job).await.unwrap() }));
        let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%bill_run%'";
        eventually("both to wait for the run", async || (world.count(waits).await == 2).then_some(())).await;
        starter.commit().await.unwrap();
        for step in [one.await.unwrap(), two.await.unwrap()] {
            assert!(
                matches!(step, Step::More { .. }),
                "one splits the run, and there are parts for the other: {step:?}"
            );
        }
        assert_eq!(world.count("SELECT count(*) FROM bill_run_part").await, 2);
    })
    .await;
}

#[tokio::test]
async fn thread_06_a_gap_fails_the_run_and_another_run_closes_it() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let (one, two) = (world.home("T1").await, world.home("T2").await);
        world.clock("2025-01-31T20:00:00+08:00");
        for home in [&one, &two] {
            world.read(home, "2025-01-31", "46").await;
        }
        // Its only part says that it is done and has met one of two.
        let (run, job) = begun(&world, 2, &[("done", "true".to_owned()), ("held", "1".to_owned())]).await;
        let mut jobs = JobServiceClient::new(bed.staff(&[Role::Accountant]));
        let failed = eventually("the job to fail", async || {
            let job = jobs.get_job(GetJobRequest { job_id: job.clone() }).await.unwrap().into_inner().job.unwrap();
            (job.state() == job::State::Failed).then_some(job)
        })
        .await;
        assert!(failed.note.starts_with("RUN_INCOMPLETE"), "{}", failed.note);
        let get = GetBillRunRequest { run_id: run };
        let run = world.runs().get_bill_run(get).await.unwrap().into_inner().run.unwrap();
        assert_eq!((run.state(), run.gap, run.expected, run.held), (bill_run::State::Incomplete, 1, 2, 1));
        let again = world.run(1).await;
        assert_eq!((again.state(), again.produced, again.gap), (bill_run::State::Done, 2, 0));
        world.sound().await;
    })
    .await;
}

/// A run that counted three, of whom one is lost, meets two and one who was signed meanwhile, ahead of its worker.
#[tokio::test]
async fn thread_06_who_is_signed_ahead_of_a_run_hides_no_gap() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        for account_no in ["T1", "T2"] {
            world.home(account_no).await;
        }
        world.clock("2025-01-31T20:00:00+08:00");
        let filed = world.count("SELECT last FROM number WHERE series = 'SUPPLY'").await;
        assert_eq!(filed, 2);
        let late = world.tell("T3", HEXI, "living", "2024-12-31");
        world.supply(&late, |s| s.state() == supply::State::InForce).await;
        let (run, _) = begun(&world, 3, &[("done", "false".to_owned())]).await;
        world.sql(&format!("UPDATE bill_run SET filed_until = {filed}")).await.unwrap();
        let lost = eventually("the run to end", async || {
            let get = GetBillRunRequest { run_id: run.clone() };
            let run = world.runs().get_bill_run(get).await.unwrap().into_inner().run.unwrap();
            (run.state() != bill_run::State::Running).then_some(run)
        })
        .await;
        assert_eq!((lost.state(), lost.missing + lost.not_due, lost.gap), (bill_run::State::Incomplete, 2, 1));
        // The next run counts and meets all three.
        let again = world.run(1).await;
        assert_eq!((again.expected, again.missing + again.not_due, again.gap), (3, 3, 0));
    })
    .await;
}

#[tokio::test]
async fn who_is_voided_ahead_of_a_run_and_who_is_signed_behind_it_make_no_gap() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let (met, voided, last) = (world.home("T1").await, world.home("T2").await, world.home("T3").await);
        world.clock("2025-01-31T20:00:00+08:00");
        world.read(&last, "2025-01-31", "46").await;
        // One is voided that the run has not come to, and one is signed whose account lies behind the one that it has come to.
        let behind = world.tell("T0", HEXI, "living", "2024-12-31");
        world.supply(&behind, |s| s.state() == supply::State::InForce).await;
        for sql in [
            format!("UPDATE supply SET state = 'VOIDED' WHERE id = {}", world.uuid(&voided.agreement)),
            format!(
                "UPDATE supply SET account_id = {} WHERE id = {}",
                world.uuid("00000000-0000-7000-8000-000000000001"),
                world.uuid(&behind.agreement)
            ),
        ] {
            world.sql(&sql).await.unwrap();
        }
        let reached = [
            ("done", "false".to_owned()),
            ("not_due", "1".to_owned()),
            ("reached_account", world.uuid(&met.account)),
            ("reached", world.uuid(&met.agreement)),
        ];
        let (run, _) = begun(&world, 3, &reached).await;
        let run = world.finished(&run).await;
        assert_eq!((run.expected, run.not_due, run.produced, run.voided, run.gap), (3, 1, 1, 1, 0));
        // The next run begins with one less, and comes to the voided one as well.
        let again = world.run(1).await;
        assert_eq!((again.expected, again.already, again.voided, again.gap), (3, 1, 1, 0));
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn p_9_1_a_meter_unread_for_years_goes_on_in_the_tier_year_of_its_last_bill() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let home = world.home_since_2022("T1").await;
        world.clock("2025-06-30T20:00:00+08:00");
        world.read(&home, "2022-06-30", "290").await;
        assert_eq!(world.finished(&world.start_run(2022, 6).await).await.produced, 1);
        // 1 m³ a day: 184, 365, 366 and 181.
        world.read(&home, "2025-06-30", "1386").await;
        // Checks hold a bill of so much; somebody lets it pass.
        assert_eq!(world.run(6).await.bills_held, 1);
        let held = listed(&world, held_bill::State::Held).await.remove(0);
        assert_eq!(text(&held.amount), "3287.06");
        gate(&world, "wang").release_held_bill(release_of(&held)).await.unwrap();
        let bills = world.bills_of(&home).await;
        // 290 × 2.86. Above that 10 × 2.86 + 174 × 3.36 = 613.24; then 300 × 2.86 + 65 × 3.36 = 1076.40, 300 × 2.86 + 66 × 3.36 = 1079.76, 181 × 2.86.
        assert_eq!(bills.iter().map(|b| text(&b.amount)).collect::<Vec<_>>(), ["829.40", "3287.06"]);
        world.sound().await;
    })
    .await;
}

/// Yantai (G-YT): the tier-year of who is read in odd months ends with the reading of November, and an extra reading in December is of the next one.
#[tokio::test]
async fn p_9_1_a_tier_year_by_reading_month_follows_the_book() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let yantai = PublishTariffRequest {
            closing_reading: Some(ClosingReading { odd_month: 11, even_month: 12 }),
            classes: vec![class(
                "living",
                &[(Some("300"), "3.28"), (Some("420"), "3.88"), (None, "4.77")],
                tariff_class::LowIncome::Unspecified,
            )],
            ..tianjin()
        };
        world.tariffs().publish_tariff(yantai).await.unwrap();
        let (odd, unbooked) = (world.home("T1").await, world.home("T2").await);
        let bimonthly = open(&world, book("HX-2", reading_book::Cycle::Bimonth, 30)).await;
        put(&world, &bimonthly, &[&odd]).await;
        world.clock("2025-12-31T20:00:00+08:00");
        for home in [&odd, &unbooked] {
            world.read(home, "2025-11-30", "500").await;
            world.read(home, "2025-12-31", "546").await;
        }
        for month in [11, 12] {
            world.run(month).await;
        }
        // 300 × 3.28 + 120 × 3.88 + 80 × 4.77; then 46 × 3.28 in the new year, or 46 × 4.77 still in the old one of who is read in December.
        for (home, december) in [(&odd, "150.88"), (&unbooked, "219.42")] {
            let amounts: Vec<_> = world.bills_of(home).await.iter().map(|b| text(&b.amount)).collect();
            assert_eq!(amounts, ["1831.20", december], "{}", home.account_no);
        }
    })
    .await;
}

/// Two meters of one household, of which one is in a monthly book; one meter in a book of every second month; one in no book.
#[tokio::test]
async fn a_run_bills_the_accounts_of_a_book_or_of_a_cycle_whole_and_a_wider_one_the_rest() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let shanghai = PublishTariffRequest {
            classes: vec![sharing()],
            ..tianjin()
        };
        world.tariffs().publish_tariff(shanghai).await.unwrap();
        let (one, two) = (world.home("T1").await, world.home("T2").await);
        let (second, none) = (world.home("T3").await, world.home("T4").await);
        world.join(&one, &two).await;
        let monthly = open(&world, book("HX-1", reading_book::Cycle::Month, 31)).await;
        let bimonthly = open(&world, book("HX-2", reading_book::Cycle::Bimonth, 31)).await;
        put(&world, &monthly, &[&one]).await;
        put(&world, &bimonthly, &[&second]).await;
        world.clock("2025-02-28T20:00:00+08:00");
        for (home, index) in [(&one, "200"), (&two, "250"), (&second, "20"), (&none, "20")] {
            world.read(home, "2025-01-31", index).await;
        }
        let start = |branch: &str, month| StartBillRunRequest {
            request_id: key(),
            year: 2025,
            month,
            branch: branch.to_owned(),
            ..Default::default()
        };
        let of_book = |branch: &str| StartBillRunRequest {
            book_id: Some(monthly.book_id.clone()),
            ..start(branch, 1)
        };
        let of_cycle = |cycle: reading_book::Cycle, month| StartBillRunRequest {
            cycle: cycle.into(),
            ..start(HEXI, month)
        };
        let run = async |request: StartBillRunRequest| {
            let id = world.runs().start_bill_run(request).await.unwrap().into_inner().run_id;
            world.finished(&id).await
        };
        let counts = |r: &BillRun| (r.expected, r.produced, r.already, r.missing, r.gap);
        // A book of another branch is none.
        assert_eq!(reason(&world.runs().start_bill_run(of_book(HEPING)).await.unwrap_err()), "NOT_FOUND");
        let mut clerk = BillRunServiceClient::new(bed.staff_of(HEPING, &[Role::Accountant]));
        assert_eq!(reason(&clerk.start_bill_run(of_book(HEPING)).await.unwrap_err()), "NOT_FOUND");
        // In February no book of every second month is read that began in January.
        let february = run(of_cycle(reading_book::Cycle::Bimonth, 2)).await;
        assert_eq!((counts(&february), february.state()), ((0, 0, 0, 0, 0), bill_run::State::Done));
        // One that was cancelled on its way leaves nothing behind.
        let job = key();
        let given_up = asked(&world, &job, 0).await;
        filed_job(&world, &job, &given_up, "FAILED").await;
        let account = format!(
            "INSERT INTO bill_run_account (run_id, account_id) VALUES ({}, {})",
            world.uuid(&given_up),
            world.uuid(&one.account)
        );
        world.sql(&account).await.unwrap();
        let state = async || {
            let get = GetBillRunRequest { run_id: given_up.clone() };
            world.runs().get_bill_run(get).await.unwrap().into_inner().run.unwrap().state()
        };
        assert_eq!(state().await, bill_run::State::Running);
        let cancel = CancelJobRequest {
            request_id: key(),
            job_id: job,
        };
        JobServiceClient::new(bed.staff(&[Role::Accountant])).cancel_job(cancel).await.unwrap();
        assert_eq!(state().await, bill_run::State::Cancelled);
        let first = run(of_book("")).await;
        assert_eq!(counts(&first), (2, 2, 0, 0, 0));
        assert_eq!((first.branch.as_str(), &first.book_id, first.cycle), (HEXI, &monthly.book_id, 0));
        // 930.00 + 140 × 3.30, though the second meter is in no book.
        let fen = format!("SELECT CAST(sum(amount) AS bigint) FROM bill WHERE account_id = {}", world.uuid(&one.account));
        assert_eq!(world.count(&fen).await, 139_200);
        let cycle = run(of_cycle(reading_book::Cycle::Bimonth, 1)).await;
        assert_eq!((counts(&cycle), cycle.cycle()), ((1, 1, 0, 0, 0), reading_book::Cycle::Bimonth));
        assert_eq!(counts(&run(of_cycle(reading_book::Cycle::Month, 1)).await), (2, 0, 2, 0, 0));
        let whole = run(start(HEXI, 1)).await;
        assert_eq!(counts(&whole), (4, 1, 3, 0, 0));
        assert_eq!(world.count("SELECT count(*) FROM bill").await, 4);
        assert_eq!(
            world.count("SELECT count(*) FROM bill_run_account").await,
            0,
            "what a run needs no more is gone"
        );
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn thread_08_and_71_one_bad_agreement_is_parked_stops_nobody_and_burns_no_number() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let (good, bad, worse) = (world.home("T1").await, world.home("T2").await, world.home("T3").await);
        let amended = archive::ContractAmended {
            agreement_id: bad.agreement.clone(),
            version: 2,
            use_class: "no such class".to_owned(),
            from_date: day("2024-12-31"),
        };
        world.archive.tell(&bad.agreement, &amended);
        world.supply(&bad, |s| s.use_classes[0].use_class == "no such class").await;
        world.clock("2025-01-31T20:00:00+08:00");
        for home in [&good, &bad, &worse] {
            world.read(home, "2025-01-31", "46").await;
        }
        // A bill that the run cannot see (of another installation, dated later) and the database refuses to overlap.
        let raw = bill_row(&world, &worse.agreement, "2025-01-30", "2025-02-28", "DRAFT", "X-1");
        world.sql(&raw).await.unwrap();
        world.sql("UPDATE bill SET state = 'ISSUED' WHERE bill_no = 'X-1'").await.unwrap();
        let run = world.run(1).await;
        assert_eq!((run.produced, run.parked, run.already), (1, 2, 0));
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
        assert_eq!(
            items.iter().map(|i| (i.account_no.as_str(), i.reason.as_str())).collect::<Vec<_>>(),
            [("T2", "TARIFF_MISSING"), ("T3", "BILL_PERIOD_OVERLAP")]
        );
        // The chunk was numbered with the third home in it before the database refused that one.
        assert_eq!(world.count("SELECT last FROM number WHERE series = 'BL'").await, 1);
    })
    .await;
}

/// A bill straight into the table.
fn bill_row(world: &World<'_>, agreement: &str, from: &str, to: &str, state: &str, no: &str) -> String {
    let id = world.uuid(&key());
    format!(
        "INSERT INTO bill (id, bill_no, kind, state, agreement_id, account_id, account_no, party_id, branch, year, month, from_date, to_date, from_index, to_index,
            volume, volume_before, tier_year, use_class, tariff_id, amount, paid, issue_date, due_date, de_facto, low_income, persons, installation_id, reading_id,
            run_id, credit_note_no, created_at, version)
         VALUES ({id}, '{no}', 'REGULAR', '{state}', {}, {id}, 'T', {id}, '河西区', 2025, 1, '{from}', '{to}', 0, 0, 0, 0, 2025, 'living', {id}, 0, 0, '2025-01-31',
            '2025-02-15', {no_}, {no_}, 0, {id}, {id}, {id}, '', 0, 1)",
        world.uuid(agreement),
        no_ = "false",
    )
}

#[tokio::test]
async fn thread_07_and_72_d_14_live_bills_of_an_agreement_never_overlap_in_the_database() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let agreement = key();
        world
            .sql(&bill_row(&world, &agreement, "2025-01-31", "2025-02-28", "ISSUED", "X-1"))
            .await
            .unwrap();
        for (n, (from, to)) in [
            ("2025-01-31", "2025-02-28"),
            ("2025-02-27", "2025-03-31"),
            ("2025-01-01", "2025-02-01"),
            ("2025-02-10", "2025-02-11"),
        ]
        .iter()
        .enumerate()
        {
            let refused = world
                .sql(&bill_row(&world, &agreement, from, to, "ISSUED", &format!("Y-{n}")))
                .await
                .unwrap_err();
            assert!(refused.to_string().contains("bill_period_overlap"), "{refused}");
        }
        world
            .sql(&bill_row(&world, &agreement, "2025-02-28", "2025-03-31", "ISSUED", "X-2"))
            .await
            .unwrap();
        world
            .sql(&bill_row(&world, &agreement, "2025-02-10", "2025-02-11", "REVERSED", "X-3"))
            .await
            .unwrap();
        world.sql(&bill_row(&world, &key(), "2025-01-31", "2025-02-28", "ISSUED", "X-4")).await.unwrap();
        for sql in [
            "UPDATE bill SET amount = 1",
            "UPDATE bill SET to_date = '2025-06-30'",
            "DELETE FROM bill",
            "UPDATE bill SET state = 'ISSUED' WHERE bill_no = 'X-3'",
        ] {
            assert!(world.sql(sql).await.unwrap_err().to_string().contains("bill_is_immutable"), "{sql}");
        }
    })
    .await;
}

#[tokio::test]
async fn reversal_is_a_credit_note_and_the_month_is_billed_anew() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let home = world.home("T1").await;
        world.clock("2025-02-28T20:00:00+08:00");
        world.read(&home, "2025-01-31", "46").await;
        world.read(&home, "2025-02-28", "82").await;
        world.run(1).await;
        world.run(2).await;
        let bills = world.bills_of(&home).await;
        let reverse = |bill: &Bill, wrong| ReverseBillRequest {
            request_id: key(),
            bill_id: bill.bill_id.clone(),
            etag: bill.etag.clone(),
            reason: "misread".to_owned(),
            reading_was_wrong: wrong,
        };
        assert_eq!(
            reason(&world.bills().reverse_bill(reverse(&bills[0], false)).await.unwrap_err()),
            "BILL_NOT_LATEST"
        );
        let stale = ReverseBillRequest {
            etag: "\"0\"".to_owned(),
            ..reverse(&bills[1], false)
        };
        assert_eq!(reason(&world.bills().reverse_bill(stale).await.unwrap_err()), "ETAG_MISMATCH");
        let mut accountant = BillServiceClient::new(bed.staff_named("zhao", &[Role::Accountant]));
        let request = reverse(&bills[1], false);
        let reversed = accountant.reverse_bill(request.clone()).await.unwrap().into_inner();
        assert_eq!(accountant.reverse_bill(request).await.unwrap().into_inner(), reversed, "replayed");
        let bill = reversed.bill.unwrap();
        assert_eq!((bill.state(), bill.credit_note_no.as_str()), (bill::State::Reversed, "CN-河西区-2025-0000001"));
        assert_eq!(reason(&accountant.reverse_bill(reverse(&bill, false)).await.unwrap_err()), "BILL_REVERSED");
        assert_eq!(world.balance(&home).await, ("131.56".to_owned(), "0.00".to_owned()));
        assert_eq!(world.run(2).await.produced, 1, "the month is billed anew");
        assert_eq!(world.balance(&home).await.0, "234.52");
        // Edge 5: the reading was wrong, so it is never billed again and the next one bills the longer period.
        let latest = world
            .bills_of(&home)
            .await
            .into_iter()
            .find(|b| b.month == 2 && b.state() == bill::State::Issued)
            .unwrap();
        assert_eq!(latest.volume_before, metres("46"));
        accountant.reverse_bill(reverse(&latest, true)).await.unwrap();
        assert_eq!(world.run(2).await.missing, 1);
        world.clock("2025-03-31T20:00:00+08:00");
        world.read(&home, "2025-03-31", "115").await;
        world.run(3).await;
        let last = world.bills_of(&home).await.pop().unwrap();
        assert_eq!(
            (last.from_date, last.volume.clone(), last.volume_before.clone()),
            (day("2025-01-31"), metres("69"), metres("46"))
        );
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn customers_and_branches_see_their_own() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let (one, two) = (world.home_in("T1", HEXI).await, world.home_in("T2", HEPING).await);
        world.clock("2025-01-31T20:00:00+08:00");
        for home in [&one, &two] {
            world.read(home, "2025-01-31", "46").await;
        }
        world.run(1).await;
        let foreign = world.bills_of(&two).await.remove(0);
        let mut customer = BillServiceClient::new(bed.customer(&one.party));
        let own = customer
            .list_bills(ListBillsRequest {
                party_id: Some(one.party.clone()),
                ..Default::default()
            })
            .await
            .unwrap()
            .into_inner()
            .bills;
        assert_eq!(own.iter().map(|b| b.account_no.as_str()).collect::<Vec<_>>(), ["T1"]);
        let denied = customer
            .list_bills(ListBillsRequest {
                party_id: Some(two.party.clone()),
                ..Default::default()
            })
            .await
            .unwrap_err();
        assert_eq!(denied.code(), tonic::Code::PermissionDenied);
        let denied = customer.list_bills(ListBillsRequest::default()).await.unwrap_err();
        assert_eq!(denied.code(), tonic::Code::PermissionDenied);
        let hidden = customer
            .get_bill(GetBillRequest {
                bill_id: foreign.bill_id.clone(),
                party_id: Some(one.party.clone()),
            })
            .await
            .unwrap_err();
        let unknown = customer
            .get_bill(GetBillRequest {
                bill_id: key(),
                party_id: Some(one.party.clone()),
            })
            .await
            .unwrap_err();
        assert_eq!(
            (reason(&hidden), hidden.message()),
            (reason(&unknown), unknown.message()),
            "foreign and unknown look alike"
        );
        let mut clerk = BillServiceClient::new(bed.staff_of(HEXI, &[Role::Accountant]));
        let own = clerk.list_bills(ListBillsRequest::default()).await.unwrap().into_inner().bills;
        assert_eq!(own.len(), 1);
        assert_eq!(
            reason(
                &clerk
                    .get_bill(GetBillRequest {
                        bill_id: foreign.bill_id.clone(),
                        party_id: None
                    })
                    .await
                    .unwrap_err()
            ),
            "NOT_FOUND"
        );
        let reverse = ReverseBillRequest {
            request_id: key(),
            bill_id: foreign.bill_id,
            etag: foreign.etag,
            reason: "mine".to_owned(),
            reading_was_wrong: false,
        };
        assert_eq!(reason(&clerk.reverse_bill(reverse).await.unwrap_err()), "NOT_FOUND");
        let mut runs = BillRunServiceClient::new(bed.staff_of(HEXI, &[Role::Accountant]));
        let start = |branch: &str| StartBillRunRequest {
            request_id: key(),
            year: 2025,
            month: 1,
            branch: branch.to_owned(),
            ..Default::default()
        };
        assert_eq!(runs.start_bill_run(start(HEPING)).await.unwrap_err().code(), tonic::Code::PermissionDenied);
        let id = runs.start_bill_run(start(HEXI)).await.unwrap().into_inner().run_id;
        assert_eq!(world.finished(&id).await.already, 1);
        assert_eq!(
            runs.list_bill_runs(ListBillRunsRequest::default()).await.unwrap().into_inner().runs.len(),
            1,
            "its own run only"
        );
    })
    .await;
}

/// Thread 12: a service in another zone than its database billed other days, and billed them again and again.
#[test]
fn thread_12_a_month_is_billed_alike_and_once_wherever_the_machine_stands() {
    const NAME: &str = "run::thread_12_a_month_is_billed_alike_and_once_wherever_the_machine_stands";
    if std::env::var_os("HEARTH_ZONE_CHILD").is_some() {
        return tokio::runtime::Runtime::new().unwrap().block_on(each(billing::SERVICE, async |bed| {
            let world = World::new(bed).await;
            world.publish_tianjin().await;
            let home = world.home("T1").await;
            // Half an hour before the day ends in China; it is afternoon in Greenwich.
            world.clock("2025-01-31T23:30:00+08:00");
            world.read(&home, "2025-01-31", "46").await;
            let run = world.run(1).await;
            let again = world.run(1).await;
            let bill = world.bills_of(&home).await.remove(0);
            let days = [bill.from_date, bill.to_date, bill.issue_date, bill.due_date].map(|date| date.map(|d| format!("{}-{}-{}", d.year, d.month, d.day)));
            println!("told: {} {} {} {days:?}", run.produced, again.produced, again.already);
        }));
    }
    for zone in ["Asia/Shanghai", "UTC", "America/New_York"] {
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", NAME, "--nocapture"])
            .env("HEARTH_ZONE_CHILD", "1")
            .env("TZ", zone)
            .output()
            .unwrap();
        let output = String::from_utf8(child.stdout).unwrap();
        let told: Vec<_> = output.lines().filter_map(|line| line.split_once("told: ")).map(|(_, told)| told).collect();
        let expected = r#"1 0 1 [Some("2024-12-31"), Some("2025-1-31"), Some("2025-1-31"), Some("2025-2-15")]"#;
        assert!(!told.is_empty() && told.iter().all(|told| *told == expected), "{zone}: {output}");
    }
}
