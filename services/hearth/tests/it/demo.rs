//! `hearth demo`: the year of a few customers, the folder that it may replace, and those that it may not. The year of the whole city is a step of CI.

use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{Command, Output},
};

use database::Target;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use testbed::suite::{assert_told, hearth};

use crate::tool::HEARTH;

/// What each policy leaves behind in the year: the service, what was told as an event, and how often at least.
const CHAPTERS: [(&str, &str, i64); 15] = [
    // A policy is issued, takes effect and is read by all but one.
    ("archive", "PolicyIssued", 1),
    ("archive", "PolicyEffective", 1),
    // A key account is rated, passes its line, and is free again once it has paid.
    ("archive", "KeyAccountDesignated", 1),
    ("archive", "CreditRated", 1),
    ("archive", "CreditHoldRaised", 1),
    ("archive", "CreditHoldCleared", 1),
    // A complaint is answered, called back, answered again because of a bad word, and called back again.
    ("hall", "ComplaintReplied", 2),
    ("hall", "CustomerDissatisfied", 1),
    // A season of heat.
    ("billing", "HeatSeasonOpened", 1),
    // A vendor is assessed, its payment is held, the hold is released.
    ("vendor", "VendorAssessed", 1),
    ("vendor", "PaymentHeld", 1),
    ("vendor", "PaymentReleased", 1),
    // An application of a VIP and a tender.
    ("vendor", "VendorAdmitted", 2),
    ("vendor", "VipListed", 1),
    ("vendor", "BidPreferenceApplied", 1),
];

/// The writes of those chapters that tell nobody.
const WRITES: [(&str, &str, i64); 6] = [
    ("archive", "AcknowledgePolicyVersion", 3),
    ("archive", "ApproveRating", 1),
    ("hall", "RecordCallback", 2),
    ("billing", "SettleHeat", 1),
    ("vendor", "PayPayment", 1),
    ("vendor", "DecideVipStep", 5),
];

async fn count(data: &Path, service: &str, sql: &str) -> i64 {
    let target = Target::parse(&format!("sqlite://{}", data.join(format!("{service}.db")).display())).unwrap();
    let db = sea_orm::Database::connect(target.url).await.unwrap();
    let row = db.query_one_raw(Statement::from_string(DbBackend::Sqlite, sql)).await.unwrap().unwrap();
    db.close().await.unwrap();
    row.try_get_by_index(0).unwrap()
}

fn demo(data: &Path) -> Output {
    Command::new(HEARTH).arg("demo").arg("--data").arg(data).output().unwrap()
}

#[test]
fn decision_25_the_demo_refuses_a_folder_that_is_not_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("letter.txt"), "mine").unwrap();
    let output = demo(&data);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && text.contains("--data"), "{text}");
    assert_eq!(fs::read_to_string(data.join("letter.txt")).unwrap(), "mine");

    fs::write(data.join(".hearth"), "up\n").unwrap();
    let output = demo(&data);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && text.contains("belongs to `hearth up`"), "{text}");
    assert_eq!(fs::read_to_string(data.join("letter.txt")).unwrap(), "mine");
}

#[test]
fn decision_25_a_demo_that_runs_keeps_another_one_out() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(".hearth"), "demo\n").unwrap();
    fs::write(folder.path().join("archive.db"), "in use").unwrap();
    let marker = fs::File::open(folder.path().join(".hearth")).unwrap();
    marker.try_lock().unwrap();
    let output = demo(folder.path());
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && text.contains("another demo runs"), "{text}");
    assert_eq!(fs::read_to_string(folder.path().join("archive.db")).unwrap(), "in use");
}

/// Each month ends with documents, the open exceptions and a report of its run; the season of heat with its bills: three by area, of which the settlement reversed one, and that
/// by meter.
fn papers(data: &Path) {
    let names = |folder: &Path| -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    let documents = |folder: &Path| {
        let names: Vec<_> = names(folder).into_iter().filter(|name| name.ends_with(".pdf")).collect();
        assert!(names.iter().all(|name| fs::read(folder.join(name)).unwrap().starts_with(b"%PDF-")));
        names.len()
    };
    for month in 1..=12 {
        let folder = data.join(format!("papers/2025-{month:02}"));
        assert_eq!(documents(&folder), 3, "{month}");
        let report = fs::read_to_string(folder.join("run.txt")).unwrap();
        assert!(report.contains(&format!("Bill run of 2025-{month:02}, STATE_DONE")), "{report}");
        let open = fs::read_to_string(folder.join("exceptions.csv")).unwrap();
        assert!(open.starts_with("meter_no,account_no,date,codes\n"), "{open}");
    }
    assert_eq!(documents(&data.join("papers/season 2025-2026")), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_year_is_played_for_the_first_customers_and_played_anew() {
    // Decision 25: where the default ports are taken, by this test or by somebody else, the demo takes free ones.
    let _taken = [7701, 7702, 7703, 7704].map(|port| TcpListener::bind(("127.0.0.1", port)));
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    for _ in 0..2 {
        let output = hearth(HEARTH, &data, &["demo", "--customers", "20"]);
        assert_told(
            &output,
            0,
            &[
                "20 filed",
                "policy MQR/2000-SOP-HR-01 A/0 issued and in effect, read by 3, not yet by 1",
                "on hold in August over",
                "called back, 2 of 5; answered anew, called again, 5 of 5, closed",
                // 750 + 1053 of the 2500 that were paid ahead.
                "by meter ¥ 1,803.00, ¥ 697.00 back",
                "June scored 89, ¥ 180.00 due",
                "within 3 % of the lowest ¥ 100,000.00",
                "7 checks, all passed",
            ],
        );
        assert_told(&hearth(HEARTH, &data, &["check"]), 0, &["no fault"]);
        papers(&data);
        for (service, event, times) in CHAPTERS {
            let sql = format!("SELECT count(*) FROM event WHERE kind = 'hearth.{service}.v1.{event}'");
            assert!(count(&data, service, &sql).await >= times, "{event}");
        }
        for (service, method, times) in WRITES {
            let sql = format!("SELECT count(*) FROM journal WHERE method LIKE '%/{method}'");
            assert!(count(&data, service, &sql).await >= times, "{method}");
        }
    }
}

/// What the first command of the README promises; it is one of the release build.
#[cfg(not(debug_assertions))]
#[test]
fn the_whole_city_is_played_within_ninety_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let output = hearth(HEARTH, &folder.path().join("data"), &["demo"]);
    assert_told(&output, 0, &["660 filed", "7 checks, all passed"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let (_, rest) = text.split_once("played in ").unwrap();
    let seconds: f64 = rest.split(' ').next().unwrap().parse().unwrap();
    assert!(seconds < 90.0, "{seconds} s");
}
