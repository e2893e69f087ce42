//! What the tool says where a person runs into something: one sentence that names the thing and the way on.

use std::{
    fs,
    net::TcpListener,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use testbed::suite::Up;

use crate::{
    tool::{HEARTH, assert_told, hearth, start, told},
    tree::SERVICES,
};

const TIANJIN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/cn_tianjin_gas_2024.toml");
const NOBODY: u32 = 65534;

#[test]
fn decision_25_a_taken_port_is_named_with_the_flag_that_moves_it() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let words = ["up", "--archive-port", "0", "--hall-port", &port, "--billing-port", "0", "--vendor-port", "0"];
    let output = hearth(&folder.path().join("data"), &words);
    assert_told(
        &output,
        1,
        &[&format!("port {port} of hall cannot be had; choose another with --hall-port"), "in use"],
    );
}

#[test]
fn decision_25_a_folder_of_another_use_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(".hearth"), "demo\n").unwrap();
    assert_told(
        &hearth(folder.path(), &["up"]),
        1,
        &["belongs to `hearth demo`; name another folder with --data"],
    );
    fs::write(folder.path().join(".hearth"), "up\n").unwrap();
    assert_told(
        &hearth(folder.path(), &["demo"]),
        1,
        &["belongs to `hearth up`; name another folder with --data"],
    );
    let strange = tempfile::tempdir().unwrap();
    fs::write(strange.path().join("letter.txt"), "mine").unwrap();
    assert_told(
        &hearth(strange.path(), &["up"]),
        1,
        &["is not a folder of Hearth and is not empty; name another folder with --data"],
    );
    assert_told(&hearth(&strange.path().join("letter.txt"), &["up"]), 1, &["name another folder with --data"]);
}

/// Whether the tests may become another user: whoever may write where nobody may is the administrator.
fn is_administrator() -> bool {
    let probe = tempfile::tempdir().unwrap();
    fs::set_permissions(probe.path(), fs::Permissions::from_mode(0o500)).unwrap();
    fs::write(probe.path().join("probe"), "").is_ok()
}

/// A command as somebody who owns nothing: as another user where the tests may become one. That user may not reach the folder of the build, so
/// the tool is copied to where everybody does: by another process, since a file that this one had open for writing, and with it every child of
/// a test beside this one, cannot be run (ETXTBSY).
fn as_stranger(words: &[&str], data: &Path) -> Output {
    let place = tempfile::tempdir().unwrap();
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let tool = place.path().join("hearth");
    assert!(Command::new("cp").arg(HEARTH).arg(&tool).status().unwrap().success());
    let mut command = Command::new(tool);
    command.args(words).arg("--data").arg(data).current_dir("/").stdin(Stdio::null());
    if is_administrator() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command.output().unwrap()
}

#[test]
fn a_folder_without_rights_is_named_with_the_flag_that_names_another() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o555)).unwrap();
    for words in [&["up"][..], &["demo", "--customers", "1"]] {
        let output = as_stranger(words, &folder.path().join("data"));
        assert_told(&output, 1, &["data cannot be made; name another folder with --data: Permission denied"]);
    }
    let data = tempfile::tempdir().unwrap();
    fs::write(data.path().join(".hearth"), "up\n").unwrap();
    boot::keys::make(&data.path().join("keys"), &[]).unwrap();
    fs::set_permissions(data.path(), fs::Permissions::from_mode(0o000)).unwrap();
    for (words, sentence) in [
        (&["up"][..], "name another folder with --data: Permission denied"),
        (&["check"], "name another folder with --data: Permission denied"),
        (&["token", "--role", "agent"], "holds no signing key; name the folder with --data"),
    ] {
        assert_told(&as_stranger(words, data.path()), 1, &[sentence, "Permission denied"]);
    }
    fs::set_permissions(data.path(), fs::Permissions::from_mode(0o755)).unwrap();
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// What the folder of another user tells, made under the usual umask: all may read it but the secret keys, and nobody else may write.
#[test]
fn a_folder_of_somebody_else_is_named_with_the_way_on() {
    let folder = tempfile::tempdir().unwrap();
    mode(folder.path(), 0o755);
    let data = folder.path().join("data");
    Up::start(HEARTH, &data).kill();
    if !is_administrator() {
        return;
    }
    mode(&data, 0o755);
    mode(&data.join("keys"), 0o755);
    for service in SERVICES {
        mode(&data.join(format!("{service}.db")), 0o644);
    }
    let sentence = format!(
        "{} belongs to somebody else; run as its owner, or name another folder with --data: Permission denied",
        data.display()
    );
    let refused = |what: &str, words: &[&str]| {
        let output = as_stranger(words, &data);
        assert_told(&output, 1, &[&sentence]);
        let (text, _) = told(&output);
        assert!(!text.contains("database") && text.matches("hearth: ").count() == 1, "{what}: {text}");
    };
    for (what, change) in [
        ("secret keys", &(|| ()) as &dyn Fn()),
        ("all may read", &|| mode(&data.join("keys/signing-key.pem"), 0o644)),
        ("all may write beside the databases", &|| mode(&data, 0o777)),
        ("nobody else may see what it is", &|| mode(&data.join(".hearth"), 0o600)),
    ] {
        change();
        refused(what, &["up"]);
        refused(what, &["check"]);
    }
    mode(&data, 0o755);
    mode(&data.join(".hearth"), 0o644);
    fs::write(data.join(".hearth"), "demo\n").unwrap();
    refused("a demo", &["demo", "--customers", "1"]);
    assert!(data.join("keys/archive.vault").exists() && data.join("archive.db").exists());
}

/// Keys that are lost in part are never made anew over what they have sealed.
#[test]
fn keys_that_databases_need_are_asked_for_and_the_others_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (data, keys) = (folder.path().join("data"), folder.path().join("data/keys"));
    Up::start(HEARTH, &data).kill();
    let vault = fs::read(keys.join("archive.vault")).unwrap();
    // Were it to go on it would end here, and not run.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let refused = || {
        let sentence = format!(
            "{0}/issuer is missing, and without the keys beside it {1}/archive.db cannot be read: put {0} back as it was, or name another folder with --data",
            keys.display(),
            data.display()
        );
        for words in [&["up", "--archive-port", &port][..], &["check"]] {
            assert_told(&hearth(&data, words), 1, &[&sentence]);
        }
    };
    fs::rename(keys.join("issuer"), folder.path().join("issuer")).unwrap();
    refused();
    assert_eq!(fs::read(keys.join("archive.vault")).unwrap(), vault);

    fs::rename(&keys, folder.path().join("elsewhere")).unwrap();
    refused();
    assert!(!keys.exists());

    fs::rename(folder.path().join("elsewhere"), &keys).unwrap();
    fs::rename(folder.path().join("issuer"), keys.join("issuer")).unwrap();
    assert_told(&hearth(&data, &["check"]), 0, &["no fault"]);

    // Without a database they are those of a making that was cut short.
    fs::remove_file(keys.join("issuer")).unwrap();
    for service in SERVICES {
        fs::remove_file(data.join(format!("{service}.db"))).unwrap();
    }
    Up::start(HEARTH, &data).kill();
    assert_ne!(fs::read(keys.join("archive.vault")).unwrap(), vault);
}

#[test]
fn a_wrong_address_is_told_from_a_service_that_refuses() {
    let suite = start();
    let file = suite.file("readings.csv", b"meter_no,read_at,index\nM1,2025-01-31,1\n");
    let import = |address: &str| hearth(&suite.data(), &["import", "readings", &file, "--address", address]);
    // Nobody there; somebody who speaks something else; another service; a service with other keys.
    assert_told(
        &import("https://127.0.0.1:1"),
        1,
        &[
            "https://127.0.0.1:1 stopped",
            "does not answer",
            "refused",
            "is it running, and is that its address?",
        ],
    );
    let export = hearth(&suite.data(), &["export", "bills", "--address", "https://nowhere.invalid:1"]);
    assert_told(
        &export,
        1,
        &[
            "the export of bills from https://nowhere.invalid:1 stopped",
            "does not answer",
            "is that its address?",
        ],
    );
    assert_told(&import("127.0.0.1:7703"), 2, &["https://HOST:PORT"]);
    assert_told(&hearth(&suite.data(), &["up", "--origins", "*"]), 2, &["* is no address such as https://"]);
    assert_told(&import("http://127.0.0.1:7703"), 2, &["https://HOST:PORT"]);
    assert_told(&import(suite.address("archive")), 1, &["no such method at this address", "another service"]);
    let strangers = tempfile::tempdir().unwrap();
    boot::keys::make(&strangers.path().join("keys"), &[]).unwrap();
    let words = ["import", "readings", &file, "--address", suite.address("billing")];
    assert_told(
        &hearth(strangers.path(), &words),
        1,
        &["its certificate is of other keys; name its data folder with --data"],
    );
}

/// A device that is always full stands for a disk that is.
#[test]
fn a_full_disk_is_told_with_the_file_that_does_not_fit() {
    let full = Path::new("/dev/full");
    if !full.exists() {
        return;
    }
    let to_full = |command: &mut Command| command.stdout(fs::OpenOptions::new().write(true).open(full).unwrap()).output().unwrap();
    let output = to_full(Command::new(HEARTH).args(["rate", TIANJIN, "--class", "living", "1"]));
    assert_told(&output, 1, &["standard output cannot be written to: No space left"]);

    let suite = start();
    let output = suite.export("audit", full);
    assert_told(&output, 1, &["/dev/full cannot be written; name another file with -o", "No space left"]);
    let file = suite.file("readings.csv", b"meter_no,read_at,index\nM1,never,1\n");
    let output = suite.import("readings", &file, &["--refused", "/dev/full"]);
    assert_told(&output, 1, &["/dev/full cannot be written; name another file with --refused", "No space left"]);
}

/// Ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself, which the test has noticed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn services_run_on_when_nobody_reads_what_they_print() {
    let folder = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let words = ["up", "--archive-port", &port, "--hall-port", "0", "--billing-port", "0", "--vendor-port", "0"];
    let mut command = Command::new(HEARTH);
    command
        .args(words)
        .arg("--data")
        .arg(folder.path().join("data"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut up = Running(command.spawn().unwrap());
    // Closed before the first line.
    drop(up.0.stdout.take());
    let file = folder.path().join("customers.csv");
    let words = [
        "export",
        "customers",
        "--address",
        &format!("https://127.0.0.1:{port}"),
        "-o",
        file.to_str().unwrap(),
    ];
    let began = Instant::now();
    let mut output = hearth(&folder.path().join("data"), &words);
    // It has no keys at first, then nobody to answer, then an answer.
    while !output.status.success() && began.elapsed() < Duration::from_secs(60) {
        output = hearth(&folder.path().join("data"), &words);
    }
    assert_told(&output, 0, &["0 rows of customers"]);
    assert!(up.0.try_wait().unwrap().is_none(), "it ended");
}
