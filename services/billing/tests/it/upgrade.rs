//! A database of the first release is brought to this one with all that it holds.

use calendar::Clock;
use database::{Database, Engine, Target};
use sea_orm::{ConnectionTrait, Statement};
use testbed::each_of;

const KEY: &str = "x'00000000000070008000000000000001'";

#[tokio::test]
async fn bills_of_the_first_release_are_kept_with_their_rules() {
    // SQLite cannot lift a NOT NULL: there the tables are made anew.
    each_of(billing::SERVICE, &[Engine::Sqlite], async |bed| {
        let url = format!("sqlite://{}", bed.file().with_file_name("first.db").display());
        let target = Target::parse(&url).unwrap();
        let old = Database::connect("billing", &target, Clock::real(), &billing::SERVICE.migrations[..1]).await.unwrap();
        let bill = |id: &str, number: &str, from: &str, to: &str| {
            format!(
                "INSERT INTO bill (id, bill_no, kind, state, agreement_id, account_id, account_no, party_id, branch, year, month, from_date, to_date, from_index,
                 to_index, volume, volume_before, tier_year, use_class, tariff_id, amount, paid, issue_date, due_date, de_facto, low_income, persons, installation_id,
                 reading_id, run_id, credit_note_no, created_at, version)
                 VALUES ({id}, '{number}', 'REGULAR', 'ISSUED', {KEY}, {KEY}, 'T1', {KEY}, '河西区', 2025, 1, '{from}', '{to}', 0, 46000, 46000, 0, 2025, 'living', {KEY},
                 13156, 0, '2025-01-31', '2025-02-15', 0, 0, 3, {KEY}, {KEY}, {KEY}, '', 0, 1)"
            )
        };
        let run = async |db: &Database, sql: &str| db.writer().execute_unprepared(sql).await;
        run(&old, &bill(KEY, "BL-1", "2024-12-31", "2025-01-31")).await.unwrap();
        let line = format!("INSERT INTO bill_line (bill_id, ordinal, tier, volume, price, amount, reason, tariff_id, tier_year, from_date, to_date) VALUES ({KEY}, 0, 1, 46000, 2860000, 13156, 'TIER', {KEY}, 2025, '2024-12-31', '2025-01-31')");
        run(&old, &line).await.unwrap();
        old.close().await;
        let new = Database::connect("billing", &target, Clock::real(), billing::SERVICE.migrations).await.unwrap();
        let count = async |sql: &str| {
            let row = new.reader().query_one_raw(Statement::from_string(new.reader().get_database_backend(), sql)).await.unwrap().unwrap();
            row.try_get_by_index::<i64>(0).unwrap()
        };
        let kept = "SELECT count(*) FROM bill WHERE bill_no = 'BL-1' AND amount = 13156 AND persons = 3 AND due_date = '2025-02-15' AND fee_item_id IS NULL";
        assert_eq!(count(kept).await, 1);
        assert_eq!(count("SELECT count(*) FROM bill_line WHERE amount = 13156 AND price = 2860000").await, 1);
        let other = "x'00000000000070008000000000000002'";
        for (sql, rule) in [
            ("UPDATE bill SET amount = 1".to_owned(), "bill_is_immutable"),
            ("DELETE FROM bill".to_owned(), "bill_is_immutable"),
            ("DELETE FROM bill_line".to_owned(), "append_only"),
            (bill(other, "BL-1", "2025-03-31", "2025-04-30"), "UNIQUE"),
            (bill(other, "BL-2", "2025-01-30", "2025-02-28"), "bill_period_overlap"),
        ] {
            let refused = run(&new, &sql).await.unwrap_err().to_string();
            assert!(refused.contains(rule), "{sql}: {refused}");
        }
        new.close().await;
    })
    .await;
}

#[tokio::test]
async fn e_2_01_e9_01_tasks_that_were_planned_twice_are_one_and_seals_of_registered_meters_are_on_record() {
    each_of(billing::SERVICE, &[Engine::Sqlite], async |bed| {
        let url = format!("sqlite://{}", bed.file().with_file_name("sixteenth.db").display());
        let target = Target::parse(&url).unwrap();
        let old = Database::connect("billing", &target, Clock::real(), &billing::SERVICE.migrations[..16])
            .await
            .unwrap();
        let id = |n: u8| format!("x'000000000000700080000000000000{n:02}'");
        let run = async |sql: String| old.writer().execute_unprepared(&sql).await.unwrap();
        run(format!(
            "INSERT INTO reading_book VALUES ({KEY}, 'HX-1', '', '河西区', 'MONTH', 20, '2025-01-01', 'li', 1, 0)"
        ))
        .await;
        // Of one meter a task that was read on either day; of the next one that was visited; of the third one that was dropped; and the next month.
        let tasks = [
            (1, 1, "2025-02-01", "2025-02-20", "READ"),
            (2, 1, "2025-02-01", "2025-02-10", "READ"),
            (3, 2, "2025-02-01", "2025-02-10", "DUE"),
            (4, 2, "2025-02-01", "2025-02-20", "NO_ACCESS"),
            (5, 3, "2025-02-01", "2025-02-10", "DROPPED"),
            (6, 3, "2025-02-01", "2025-02-20", "DUE"),
            (7, 1, "2025-03-01", "2025-03-20", "DUE"),
        ];
        for (n, meter, from, due, state) in tasks {
            let until = if from == "2025-02-01" { "2025-02-28" } else { "2025-03-31" };
            let (task, install) = (id(n), id(meter));
            run(format!(
                "INSERT INTO reading_task VALUES ({task}, {KEY}, {install}, 'M', 'A', {KEY}, '河西区', '{from}', '{until}', '{due}', 'li', 1, '{state}', 0, 1)"
            ))
            .await;
        }
        // Registered with a seal and verified, and without a day; with the number of another one; sealed later; and with a seal that was found broken.
        let meters = [
            (1, "S-1", "'2024-06-01'"),
            (2, "S-2", "NULL"),
            (3, "S-1", "NULL"),
            (4, "S-4", "NULL"),
            (5, "S-5", "NULL"),
            (6, "", "NULL"),
        ];
        for (n, seal_no, verified) in meters {
            let meter = id(n);
            // 23:30 in Shanghai on the last day of 2024 and later.
            let at = 1_735_659_000_000_000_i64 + i64::from(n);
            run(format!(
                "INSERT INTO meter (id, meter_no, kind, model, qmax, digits, manufacturer, seal_no, verified_date, branch, state, version, created_at)
                 VALUES ({meter}, 'M{n}', 'IOT', 'G4', 6000, 5, '', '{seal_no}', {verified}, '河西区', 'IN_STORE', 1, {at})"
            ))
            .await;
        }
        for (n, end, broken) in [(4, "NULL", "false"), (5, "'2025-02-01'", "true")] {
            let meter = id(n);
            run(format!(
                "INSERT INTO meter_seal VALUES ({meter}, {meter}, 'M{n}', 'S-{n}', '河西区', '2025-01-05', {end}, {broken}, 'wu', 0)"
            ))
            .await;
        }
        old.close().await;
        let new = Database::connect("billing", &target, Clock::real(), billing::SERVICE.migrations).await.unwrap();
        let rows = async |sql: &str| {
            let found = new
                .reader()
                .query_all_raw(Statement::from_string(new.reader().get_database_backend(), sql))
                .await
                .unwrap();
            found.iter().map(|row| row.try_get_by_index::<String>(0).unwrap()).collect::<Vec<_>>()
        };
        let left = rows("SELECT substr(hex(installation_id), 31) || ' ' || due_date || ' ' || state FROM reading_task ORDER BY 1").await;
        assert_eq!(
            left,
            [
                "01 2025-02-20 READ",
                "01 2025-03-20 DUE",
                "02 2025-02-20 NO_ACCESS",
                "03 2025-02-10 DROPPED",
                "03 2025-02-20 DUE"
            ]
        );
        let seals = rows("SELECT meter_no || ' ' || seal_no || ' ' || from_date || ' ' || coalesce(end_date, '') FROM meter_seal ORDER BY meter_no").await;
        assert_eq!(
            seals,
            ["M1 S-1 2024-06-01 ", "M2 S-2 2024-12-31 ", "M4 S-4 2025-01-05 ", "M5 S-5 2025-01-05 2025-02-01"]
        );
        let shown = rows("SELECT meter_no || ' ' || seal_no FROM meter WHERE seal_no <> '' ORDER BY meter_no").await;
        assert_eq!(
            shown,
            ["M1 S-1", "M2 S-2", "M3 S-1", "M4 S-4"],
            "M3 stays as it was: its number is another one's"
        );
        new.close().await;
    })
    .await;
}
