//! `hearth check` finds a journal that was cut off, by what the services kept of each other and by a file.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use contracts::hearth::{
    archive::v1::{RegisterPersonRequest, party_service_client::PartyServiceClient},
    options::v1::Role,
};
use rpc::{Principal, token::Issuer};
use sea_orm::ConnectionTrait;
use testbed::{id_number, key, suite::Up};
use tonic::Request;

/// A data folder in which two persons were registered.
async fn filled(data: &Path) {
    let up = Up::start(env!("CARGO_BIN_EXE_hearth"), data);
    let principal = Principal {
        subject: "li".to_owned(),
        roles: vec![Role::Agent as i32],
        ..Principal::default()
    };
    let token = format!("Bearer {}", Issuer::from_folder(&data.join("keys")).unwrap().sign(&principal).unwrap());
    let channel = rpc::user_channel(up.address("archive"), &data.join("keys/ca.pem")).unwrap();
    for (stem, phone) in [("11010519491231002", "13812345678"), ("12010319491231001", "13812345679")] {
        let mut request = Request::new(RegisterPersonRequest {
            request_id: key(),
            name: "王芳".to_owned(),
            id_number: id_number(stem),
            phone: phone.to_owned(),
            address: String::new(),
            branch: "河西区".to_owned(),
        });
        request.metadata_mut().insert("authorization", token.parse().unwrap());
        PartyServiceClient::new(channel.clone()).register_person(request).await.unwrap();
    }
    up.kill();
}

fn check(data: &Path, file: &Path) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_hearth"))
        .arg("check")
        .arg("--data")
        .arg(data)
        .arg("--anchors")
        .arg(file)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let told = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&told).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn r_a1_check_finds_a_journal_that_was_cut_by_what_was_kept_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("data"), folder.path().join("anchors"));
    filled(&data).await;
    let (clean, told) = check(&data, &file);
    assert!(clean, "{told}");
    assert!(told.contains("ok     anchors archive    0 places kept in the file"), "{told}");
    assert!(told.contains("ok     history archive"), "{told}");
    let kept = std::fs::read_to_string(&file).unwrap();
    assert!(
        kept.lines().any(|line| line.starts_with("archive 2 ") && line.len() == "archive 2 ".len() + 64),
        "{kept}"
    );
    let (clean, told) = check(&data, &file);
    assert!(
        clean && told.contains("ok     anchors archive    1 places kept in the file, all in the journal"),
        "{told}"
    );

    // The last write is taken out, cleanly: what is left is a whole chain.
    let db = sea_orm::Database::connect(format!("sqlite://{}", data.join("archive.db").display()))
        .await
        .unwrap();
    for statement in [
        "DROP TRIGGER journal_no_delete",
        "DROP TRIGGER event_no_delete",
        "DROP TRIGGER seal_no_update",
        "DELETE FROM event WHERE position = 2",
        "DELETE FROM journal WHERE position = 2",
        "UPDATE seal SET position = 1, event_position = 1, hash = (SELECT hash FROM journal WHERE position = 1)",
    ] {
        db.execute_unprepared(statement).await.unwrap();
    }
    db.close().await.unwrap();
    let (clean, told) = check(&data, &file);
    assert!(!clean, "{told}");
    for line in [
        "ok     journal archive    1 rows, 1 events, chain intact",
        "FAULT  anchors archive    1 of 1 places kept in the file are not in the journal, the first at 2",
        "FAULT  history archive",
    ] {
        assert!(told.contains(line), "{line} is missing in\n{told}");
    }
    assert_eq!(
        std::fs::read_to_string(&file).unwrap().lines().filter(|l| l.starts_with("archive ")).count(),
        1,
        "nothing is added to a broken line"
    );
}
