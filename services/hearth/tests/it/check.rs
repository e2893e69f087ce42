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

async fn change(data: &Path, service: &str, statements: &[&str]) {
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

/// A folder that is not ours is refused before anything is started.
#[test]
fn check_refuses_a_folder_that_is_not_ours() {
    let folder = tempfile::tempdir().unwrap();
    let (clean, text) = check(folder.path());
    assert!(!clean);
    assert!(text.contains("is not a data folder of Hearth"), "{text}");
}
