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
