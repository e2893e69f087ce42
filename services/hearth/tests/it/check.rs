//! `hearth up` and `hearth check` as a person starts them.

use std::path::Path;

use contracts::hearth::{
    archive::v1::{RegisterPersonRequest, party_service_client::PartyServiceClient},
    options::v1::Role,
};
use database::Target;
use rpc::{Principal, token::Issuer};
use sea_orm::ConnectionTrait;
use testbed::{key, suite::Up};
use tonic::Request;

use crate::tool::{HEARTH, hearth, told};

/// Whether the check found nothing, and what it said as one line with single blanks.
fn check(data: &Path) -> (bool, String) {
    let (text, code) = told(&hearth(data, &["check"]));
    (code == Some(0), text)
}

async fn register(up: &Up, data: &Path) {
    let token = Issuer::from_folder(&data.join("keys")).unwrap();
    let principal = Principal {
        subject: "li".to_owned(),
        roles: vec![Role::Agent as i32],
        ..Principal::default()
    };
    let channel = rpc::user_channel(up.address("archive"), &data.join("keys/ca.pem")).unwrap();
    let mut request = Request::new(RegisterPersonRequest {
        request_id: key(),
        name: "王芳".to_owned(),
        id_number: "11010519491231002X".to_owned(),
        phone: "13812345678".to_owned(),
        address: "天津市河西区友谊路1号".to_owned(),
        branch: "河西区".to_owned(),
    });
    request
        .metadata_mut()
        .insert("authorization", format!("Bearer {}", token.sign(&principal).unwrap()).parse().unwrap());
    PartyServiceClient::new(channel).register_person(request).await.unwrap();
}

pub async fn change(data: &Path, service: &str, statements: &[&str]) {
    let target = Target::parse(&format!("sqlite://{}", data.join(format!("{service}.db")).display())).unwrap();
    let db = sea_orm::Database::connect(target.url).await.unwrap();
    for statement in statements {
        db.execute_unprepared(statement).await.unwrap();
    }
    db.close().await.unwrap();
}

/// What a kill leaves is clean; what other hands changed is found, each under its own name.
#[tokio::test(flavor = "multi_thread")]
async fn check_finds_what_other_hands_changed_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let up = Up::start(HEARTH, &data);
    register(&up, &data).await;
    // While the services run, and after they were killed.
    let (clean, text) = check(&data);
    assert!(clean, "{text}");
    up.kill();
    let (clean, text) = check(&data);
    assert!(clean, "{text}");
    for line in [
        "ok database settings",
        "ok journal archive 1 rows, 1 events, chain intact",
        "ok events billing 1 events of archive taken",
        "ok events vendor 0 events of hall taken",
        "ok references hall",
        "ok references between",
        "ok jobs",
        "ok sagas",
        "ok ledger 0 transactions, 0 entries, sum 0",
        "no fault",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }

    // The actor of a write is changed behind the triggers' back.
    change(&data, "archive", &["DROP TRIGGER journal_no_update", "UPDATE journal SET actor = 'nobody'"]).await;
    let (clean, text) = check(&data);
    assert!(!clean, "{text}");
    assert!(text.contains("FAULT journal archive the chain breaks at position 1"), "{text}");
    assert!(text.contains("1 with a fault"), "{text}");
    change(&data, "archive", &["UPDATE journal SET actor = 'li'"]).await;

    // A row loses what it leads to.
    change(
        &data,
        "billing",
        &["INSERT INTO tier_use (bill_id, tier_year, agreement_id, volume) VALUES (X'01', 2025, X'02', 0)"],
    )
    .await;
    let (clean, text) = check(&data);
    assert!(!clean, "{text}");
    assert!(
        text.contains("FAULT references billing 1 rows of tier_use.bill_id -> bill.id, 1 rows of tier_use.agreement_id -> supply.id"),
        "{text}"
    );
    change(&data, "billing", &["DELETE FROM tier_use"]).await;

    // An event that could not be applied waits for a person.
    change(
        &data,
        "billing",
        &["INSERT INTO parked_event (source, position, kind, subject, data, reason, parked_at) VALUES ('archive', 1, 'hearth.archive.v1.PartyRegistered', 'x', X'', 'INTERNAL', 0)"],
    )
    .await;
    let (clean, text) = check(&data);
    assert!(!clean, "{text}");
    assert!(text.contains("FAULT events billing 1 events of archive parked"), "{text}");
}

/// A finding of its own: the line of the fault and no other, gone when it is mended.
async fn finds(data: &Path, service: &str, broken: &[&str], line: &str, mended: &[&str]) {
    change(data, service, broken).await;
    let (text, code) = told(&hearth(data, &["check", "--wait", "1"]));
    assert_eq!(code, Some(1), "{line}: {text}");
    assert!(
        text.contains(&format!("FAULT {line}")) && text.contains(" 1 with a fault"),
        "{line} alone is not in\n{text}"
    );
    change(data, service, mended).await;
}

/// What waits, was given up, leads into nothing or does not add up ends the check with a fault under its own name.
#[tokio::test(flavor = "multi_thread")]
async fn check_finds_what_has_not_ended_and_what_does_not_add_up() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let up = Up::start(HEARTH, &data);
    register(&up, &data).await;
    up.kill();
    let (clean, text) = check(&data);
    assert!(clean, "{text}");

    let posted = [
        "INSERT INTO ledger_transaction (id, kind, reference, branch, date, posted_at, sealed) VALUES (X'01', 'PAYMENT', X'02', '河西区', '2025-01-01', 0, 0)",
        "INSERT INTO ledger_entry (id, transaction_id, book, detail, account_id, amount) VALUES (X'03', X'01', 'CASH', 'COUNTER', NULL, 5)",
        "INSERT INTO ledger_entry (id, transaction_id, book, detail, account_id, amount) VALUES (X'04', X'01', 'CASH', 'BANK', NULL, -5)",
        "UPDATE ledger_transaction SET sealed = 1",
        "DROP TRIGGER ledger_entry_no_update",
        "UPDATE ledger_entry SET amount = amount + 1 WHERE id = X'03'",
    ];
    let line = "ledger sum 1 fen; 1 transactions that do not sum up to 0";
    finds(&data, "billing", &posted, line, &["UPDATE ledger_entry SET amount = 5 WHERE id = X'03'"]).await;

    // A cursor that was moved back takes its events again; one that cannot move stays behind.
    let behind = [
        "UPDATE cursor SET position = 0, event_id = NULL WHERE source = 'archive'",
        "CREATE TRIGGER stuck BEFORE UPDATE ON cursor BEGIN SELECT RAISE(ABORT, 'stuck'); END",
    ];
    finds(
        &data,
        "billing",
        &behind,
        "events billing 0 of 1 events of archive taken",
        &["DROP TRIGGER stuck"],
    )
    .await;
    let (clean, text) = check(&data);
    assert!(clean && text.contains("ok events billing 1 events of archive taken"), "{text}");

    // One of hall's three consumers never began; the others go on.
    let never = [
        "DELETE FROM cursor WHERE source = 'vendor'",
        "CREATE TRIGGER never BEFORE INSERT ON cursor BEGIN SELECT RAISE(ABORT, 'never'); END",
    ];
    finds(
        &data,
        "hall",
        &never,
        "events hall the events of vendor were never begun",
        &["DROP TRIGGER never"],
    )
    .await;
    let (clean, text) = check(&data);
    assert!(clean && text.contains("ok events hall 0 events of vendor taken"), "{text}");

    let step = [
        "INSERT INTO step (id, kind, story_id, branch, state, input, attempts, next_attempt_at, claimed_until, last_reason, version)
        VALUES (X'01930000000070008000000000000001', 'INSTALL_METER', X'01930000000070008000000000000002', '河西区', 'PENDING', '{}', 1, 9000000000000000, 0, 'UNAVAILABLE', 1)",
    ];
    let line = "sagas 1 wait for another service: INSTALL_METER of 01930000-0000-7000-8000-000000000002 UNAVAILABLE";
    finds(&data, "hall", &step, line, &["UPDATE step SET state = 'PARKED', last_reason = 'METER_UNKNOWN'"]).await;
    let (clean, text) = check(&data);
    let line = "ok sagas all have ended, but for 1 parked for a person (hearth.hall.v1.StepService): \
        INSTALL_METER of 01930000-0000-7000-8000-000000000002 METER_UNKNOWN";
    assert!(clean && text.contains(line), "{text}");

    let job = [
        "INSERT INTO job (id, kind, state, request, done, total, note, requested_by, created_at, updated_at, failures)
        VALUES (X'01930000000070008000000000000003', 'of-nobody', 'QUEUED', X'', 0, 0, '', 'li', 0, 0, 0)",
    ];
    finds(&data, "vendor", &job, "jobs 1 of vendor not ended", &["UPDATE job SET state = 'FAILED'"]).await;
    finds(&data, "vendor", &[], "jobs 1 of vendor failed", &["UPDATE job SET state = 'CANCELLED'"]).await;

    let astray = ["INSERT INTO customer_account (id, party_id) VALUES (X'01930000000070008000000000000004', '')"];
    let line = "references between 1 rows of hall.customer_account.id -> archive.account.id";
    finds(&data, "hall", &astray, line, &["DELETE FROM customer_account"]).await;

    let (clean, text) = check(&data);
    assert!(clean && text.contains("ok ledger 1 transactions, 2 entries, sum 0"), "{text}");
    assert!(text.contains("ok references between 21 references from one service to another"), "{text}");
}

/// A folder that is not ours is refused before anything is started.
#[test]
fn check_refuses_a_folder_that_is_not_ours() {
    let folder = tempfile::tempdir().unwrap();
    let (clean, text) = check(folder.path());
    assert!(!clean);
    assert!(text.contains("is not a data folder of Hearth"), "{text}");
}
