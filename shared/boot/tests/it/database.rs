//! A database that cannot be used as it is named: one sentence, with the setting and the cause, and without the password.

use std::{collections::BTreeMap, net::TcpListener};

use boot::{Settings, Start};
use calendar::Clock;
use testbed::BARE;

const PLACES: &str = "(flag --database-url, variable HEARTH_DATABASE_URL)";
const SECRET: &str = "0penSesame";

/// What a service says that is started on a database and cannot use it.
async fn told(url: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    boot::keys::make(&keys, &[]).unwrap();
    let files = [
        ("jwks", "jwks.json"),
        ("tls_ca", "ca.pem"),
        ("tls_certificate", "archive.pem"),
        ("tls_key", "archive.key.pem"),
        ("vault_keys", "archive.vault"),
    ];
    let mut flags: BTreeMap<_, _> = files.map(|(name, file)| (name.to_owned(), keys.join(file).display().to_string())).into();
    flags.insert("issuer".to_owned(), boot::keys::ISSUER.to_owned());
    flags.insert("database_url".to_owned(), url.to_owned());
    let start = Start {
        settings: Settings::read(BARE.name, BARE.port, &flags, |_| None, None).unwrap(),
        clock: Clock::real(),
        listener: tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap(),
    };
    match boot::start(BARE, start).await {
        Ok(_) => panic!("{url} can be used"),
        Err(error) => format!("{error:#}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_database_url_is_told_with_its_setting_and_without_its_password() {
    let Some(url) = testbed::postgres::migrated(BARE).await else { return };
    let (before, rest) = url.split_once("://").unwrap();
    let (login, place) = rest.rsplit_once('@').unwrap_or(("", rest));
    let (login, at) = (
        if login.is_empty() { String::new() } else { format!("{login}@") },
        place.split('/').next().unwrap(),
    );
    let server = if at.contains(':') { at.to_owned() } else { format!("{at}:5432") };
    // Nobody listens where somebody did a moment ago.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (wrong, sentence) in [
        (
            format!("{before}://{login}{at}/nowhere"),
            format!("the server at {server} has no database nowhere"),
        ),
        (
            format!("{before}://stranger:{SECRET}@{place}"),
            format!("the server at {server} refused the login of stranger"),
        ),
        (
            format!("{before}://stranger:{SECRET}@nowhere.invalid/hearth"),
            "the host nowhere.invalid is not found".to_owned(),
        ),
        (
            format!("{before}://stranger:{SECRET}@{free}/hearth"),
            format!("no PostgreSQL server answers at {free}"),
        ),
    ] {
        let told = told(&wrong).await;
        assert_eq!(told, format!("database_url: {sentence} {PLACES}"));
        let password = login
            .split(':')
            .nth(1)
            .map(|rest| rest.trim_end_matches('@'))
            .filter(|password| !password.is_empty());
        assert!(!told.contains(SECRET) && !password.is_some_and(|password| told.contains(password)), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_database_and_a_folder_that_is_not_there_are_told_with_their_setting() {
    let folder = tempfile::tempdir().unwrap();
    let lost = folder.path().join("nowhere/archive.db");
    let letter = folder.path().join("letter.db");
    std::fs::write(&letter, "Dear neighbour, ".repeat(100)).unwrap();
    for (file, sentence) in [
        (
            &lost,
            "cannot be opened: its folder has to be there, and this user has to be allowed to write in it",
        ),
        (&letter, "is no SQLite database"),
    ] {
        let told = told(&format!("sqlite://{}", file.display())).await;
        assert_eq!(told, format!("database_url: {} {sentence} {PLACES}", file.display()));
    }
}
