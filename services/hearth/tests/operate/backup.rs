//! Backups of the services, and the way back.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Instant,
};

use calendar::Clock;
use database::{Database, Engine, Target};
use sea_orm::ConnectionTrait;

use crate::{
    disk::Agent,
    suite::{ALL, HEARTH, Suite, assert_told, has, hearth, runs, say},
    upgrade::{city, digest, fill, open, tables},
};

fn backup(data: &Path, to: &Path) -> Output {
    hearth(data, &["backup", "--to", to.to_str().unwrap()])
}

fn restore(from: &Path, data: &Path) -> Output {
    hearth(data, &["restore", "--from", from.to_str().unwrap()])
}

/// Copies a folder.
fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
}

/// An empty data folder with the keys of another.
fn with_keys(of: &Path, data: PathBuf) -> PathBuf {
    fs::create_dir(&data).unwrap();
    copy(&of.join("keys"), &data.join("keys"));
    data
}

#[tokio::test(flavor = "multi_thread")]
async fn r_d10_a_backup_of_running_services_comes_back_whole() {
    let suite = Suite::start(HEARTH, &std::env::temp_dir());
    let agent = Agent::new(&suite);
    let stored = "archive-files/open/ab/abcd";
    fs::create_dir_all(suite.data().join(stored).parent().unwrap()).unwrap();
    fs::write(suite.data().join(stored), "a paper").unwrap();
    fs::write(suite.data().join(stored).with_extension("new"), "half a paper").unwrap();
    for _ in 0..50 {
        agent.register().await.unwrap();
    }
    // Others go on writing meanwhile.
    let more = tokio::spawn({
        let agent = agent.clone();
        async move {
            let mut written = 0;
            while written < 400 {
                agent.register().await.unwrap();
                written += 1;
            }
            written
        }
    });
    let to = suite.folder.path().join("backup");
    let (data, told) = (suite.data(), to.clone());
    let output = tokio::task::spawn_blocking(move || backup(&data, &told)).await.unwrap();
    assert_told(&output, 0, &["archive", "1 files", "is whole. It holds no keys"]);
    let written = more.await.unwrap();
    assert!(!to.join("archive/files/open/ab/abcd.new").exists());
    let names = Command::new("find")
        .arg(&to)
        .args(["-name", "*.vault", "-o", "-name", "*.pem"])
        .output()
        .unwrap();
    assert!(names.stdout.is_empty(), "keys are in the backup");

    // What came to lie in the backup is no part of it.
    fs::write(to.join("archive/files/open/ab/stray"), "of somebody else").unwrap();
    let data = with_keys(&suite.data(), suite.folder.path().join("restored"));
    let from = Instant::now();
    assert_told(&restore(&to, &data), 0, &["chain intact"]);
    let took = from.elapsed();
    assert_eq!(fs::read_to_string(data.join(stored)).unwrap(), "a paper");
    assert!(!data.join("archive-files/open/ab/stray").exists());
    assert_told(&hearth(&data, &["check"]), 0, &["no fault"]);
    let db = open(&format!("sqlite://{}?mode=ro", data.join("archive.db").display())).await;
    let kept = tables(&db, Engine::Sqlite).await;
    let (premises, _) = digest(&db, Engine::Sqlite, kept.iter().find(|t| t.name == "premises").unwrap()).await;
    db.close().await.unwrap();
    assert!((50..=50 + written).contains(&premises), "{premises} premises");
    say(&format!(
        "figure: D10 Sqlite live backup with {premises} premises, restored and verified in {took:?}"
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn r_d10_the_year_of_a_city_comes_back_to_the_row() {
    let folder = tempfile::tempdir().unwrap();
    let (to, data) = (folder.path().join("backup"), with_keys(&city(), folder.path().join("restored")));
    assert_told(&backup(&city(), &to), 0, &["is whole"]);
    assert_told(&restore(&to, &data), 0, &["chain intact", "is back"]);
    for service in ALL {
        let name = format!("{}.db", service.name);
        let (was, is) = (city().join(&name), data.join(&name));
        let (was, is) = (
            open(&format!("sqlite://{}?mode=ro", was.display())).await,
            open(&format!("sqlite://{}?mode=ro", is.display())).await,
        );
        for table in tables(&was, Engine::Sqlite).await {
            let both = (digest(&was, Engine::Sqlite, &table).await, digest(&is, Engine::Sqlite, &table).await);
            assert_eq!(both.0, both.1, "{} {}", service.name, table.name);
        }
        was.close().await.unwrap();
        is.close().await.unwrap();
    }
    assert_told(&hearth(&data, &["check"]), 0, &["no fault"]);
}

#[test]
fn r_d10_a_backup_that_is_killed_half_way_looks_like_none() {
    let (folder, city) = (tempfile::tempdir().unwrap(), city());
    let start = |to: &Path| {
        let mut command = Command::new(HEARTH);
        command.args(["backup", "--to"]).arg(to).arg("--data").arg(&city);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let whole = folder.path().join("whole");
    let from = Instant::now();
    assert!(start(&whole).wait().unwrap().success());
    let length = from.elapsed();
    let (kills, mut finished) = (u32::try_from(runs(20, 100)).unwrap(), 0);
    for kill in 0..kills {
        let to = folder.path().join("killed");
        let mut child = start(&to);
        // One in each part of the time that a whole one takes.
        let moment = length * kill / kills;
        let began = Instant::now();
        while began.elapsed() < moment && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        if to.exists() {
            // It was done before.
            finished += 1;
            assert_told(
                &restore(&to, &with_keys(&city, folder.path().join(format!("restored-{kill}")))),
                0,
                &["chain intact"],
            );
            fs::remove_dir_all(&to).unwrap();
            continue;
        }
        let partial = folder.path().join(".killed.partial");
        if partial.exists() {
            assert_told(&restore(&partial, &folder.path().join("nowhere")), 1, &["is no backup of Hearth"]);
        }
    }
    assert!(finished < kills, "all were done before they were killed");
    let to = folder.path().join("killed");
    assert!(start(&to).wait().unwrap().success(), "what a killed one left is in the way");
    assert!(!folder.path().join(".killed.partial").exists());
    say(&format!(
        "figure: D10 {kills} backups killed, {finished} of them after their end, 0 halves that look whole"
    ));
}

#[test]
fn r_d10_a_restore_refuses_what_it_cannot_put_back() {
    let folder = tempfile::tempdir().unwrap();
    let good = folder.path().join("good");
    assert_told(&backup(&city(), &good), 0, &["is whole"]);
    assert_told(&backup(&city(), &good), 1, &["is there already; name another folder with --to"]);
    assert_told(&backup(folder.path(), &folder.path().join("x")), 1, &["is not a data folder of Hearth"]);

    let target = with_keys(&city(), folder.path().join("target"));
    let changed = |what: &str, change: &dyn Fn(&Path)| {
        let copied = folder.path().join(what);
        copy(&good, &copied);
        change(&copied);
        copied
    };
    let flipped = changed("flipped", &|path| {
        let file = path.join("billing/database.sqlite");
        let mut bytes = fs::read(&file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(file, bytes).unwrap();
    });
    let short = changed("short", &|path| fs::remove_file(path.join("hall/database.sqlite")).unwrap());
    let unlisted = changed("unlisted", &|path| fs::remove_file(path.join("manifest.json")).unwrap());
    let edit = |path: &Path, from: &str, to: &str| {
        let file = path.join("manifest.json");
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{from}");
        fs::write(file, text.replace(from, to)).unwrap();
    };
    let steps = |count: usize| format!("\"migrations\": {count}");
    let known = ALL[0].migrations.len();
    let newer = changed("newer", &|path| edit(path, &steps(known), &steps(known + 9)));
    let other = changed("other", &|path| edit(path, "\"engine\": \"sqlite\"", "\"engine\": \"postgres\""));
    let strange = changed("strange", &|path| edit(path, "\"format\": 1", "\"format\": 2"));
    for (from, sentence) in [
        (&flipped, "is damaged: billing/database.sqlite is not what the manifest says"),
        (&short, "is damaged: hall/database.sqlite cannot be read"),
        (&unlisted, "is no backup of Hearth"),
        (&newer, "was made by a newer version of Hearth"),
        (&other, "a backup goes back to its engine"),
        (&strange, "was made by another version of Hearth"),
    ] {
        assert_told(&restore(from, &target), 1, &[sentence]);
        assert_eq!(fs::read_dir(&target).unwrap().count(), 1, "{sentence}: the target was touched");
    }
    assert_told(
        &restore(&good, &folder.path().join("no-keys")),
        1,
        &["put the keys that the backup was made with into"],
    );
    assert_told(&restore(&good, &target), 0, &["is back"]);
    assert_told(&restore(&good, &target), 1, &["is not empty; name another folder with --data"]);
}

/// Databases of a server of the tests, one for each service: `{service}` stands for the name.
async fn databases(kind: &str) -> Option<String> {
    let url = testbed::postgres::database("backup", async |_| Ok(())).await.unwrap()?;
    let (server, name) = url.rsplit_once('/').unwrap();
    let admin = open(&url).await;
    for service in ALL {
        admin
            .execute_unprepared(&format!("CREATE DATABASE {name}_{kind}_{}", service.name))
            .await
            .unwrap();
    }
    admin.close().await.unwrap();
    Some(format!("{server}/{name}_{kind}_{{service}}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn r_d10_a_backup_of_postgres_comes_back_to_the_row() {
    let Some(source) = databases("source").await else { return };
    let target = databases("target").await.unwrap();
    if !has("pg_dump", Command::new("pg_dump").arg("--version").output().is_ok()) {
        return;
    }
    for service in ALL {
        let url = source.replace("{service}", service.name);
        let db = Database::connect(service.name, &Target::parse(&url).unwrap(), Clock::real(), service.migrations)
            .await
            .unwrap();
        db.close().await;
        let db = open(&url).await;
        assert!(fill(&db, Engine::Postgres, &city().join(format!("{}.db", service.name))).await > 100);
        db.close().await.unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let files = |place: &str| folder.path().join(place).join("{service}-files").display().to_string();
    let paper = folder.path().join("source/billing-files/open/ab/abcd");
    fs::create_dir_all(paper.parent().unwrap()).unwrap();
    fs::write(&paper, "a paper").unwrap();
    let run = |words: &[&str]| Command::new(HEARTH).args(words).stdin(Stdio::null()).output().unwrap();
    let to = folder.path().join("backup").display().to_string();
    assert_told(
        &run(&["backup", "--to", &to, "--database", &source, "--files", &files("source")]),
        0,
        &["is whole. It holds no keys"],
    );
    // A database that is used is left alone, and so is a place of another engine.
    let again = run(&["restore", "--from", &to, "--database", &source, "--files", &files("target")]);
    assert_told(&again, 1, &["the database of archive is not empty", "name other databases with --database"]);
    let data = with_keys(&city(), folder.path().join("data"));
    assert_told(&restore(Path::new(&to), &data), 1, &["a backup goes back to its engine"]);
    let from = Instant::now();
    assert_told(
        &run(&["restore", "--from", &to, "--database", &target, "--files", &files("target")]),
        0,
        &["chain intact", "is back"],
    );
    let took = from.elapsed();
    let mut rows = 0;
    for service in ALL {
        let (was, is) = (
            open(&source.replace("{service}", service.name)).await,
            open(&target.replace("{service}", service.name)).await,
        );
        for table in tables(&was, Engine::Postgres).await {
            let both = (digest(&was, Engine::Postgres, &table).await, digest(&is, Engine::Postgres, &table).await);
            assert_eq!(both.0, both.1, "{} {}", service.name, table.name);
            rows += both.0.0;
        }
        was.close().await.unwrap();
        is.close().await.unwrap();
    }
    assert_eq!(fs::read_to_string(folder.path().join("target/billing-files/open/ab/abcd")).unwrap(), "a paper");
    say(&format!("figure: D10 Postgres {rows} rows restored and verified in {took:?}"));

    // As a whole, too: by the keys that are kept apart.
    let rings = city().join("keys").display().to_string();
    let check = || run(&["check", "--database", &target, "--files", &files("target"), "--keys", &rings]);
    let from = Instant::now();
    assert_told(
        &check(),
        0,
        &[
            "fsync, full_page_writes, synchronous_commit on",
            "ok references between 21 references",
            "no fault",
        ],
    );
    say(&format!("figure: D10 Postgres the restored databases checked in {:?}", from.elapsed()));
    let unnamed = run(&["check", "--database", &target, "--files", &files("target")]);
    assert_told(&unnamed, 1, &["name the folder of the key rings with --keys"]);
    if runs(false, true) {
        let hall = open(&target.replace("{service}", "hall")).await;
        hall.execute_unprepared("SET session_replication_role = replica").await.unwrap();
        let astray = "UPDATE customer_account SET id = gen_random_uuid() WHERE id IN (SELECT id FROM customer_account LIMIT 3)";
        assert_eq!(hall.execute_unprepared(astray).await.unwrap().rows_affected(), 3);
        hall.close().await.unwrap();
        assert_told(
            &check(),
            1,
            &["FAULT references between 3 rows of hall.customer_account.id -> archive.account.id"],
        );
    }
}
