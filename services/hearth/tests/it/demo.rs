//! `hearth demo`: the year of a few customers, the folder that it may replace, and those that it may not. The year of the whole city is a step of CI.

use std::{
    fs,
    net::TcpListener,
    process::{Command, Output},
};

fn demo(data: &std::path::Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hearth")).arg("demo").arg("--data").arg(data).output().unwrap()
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

#[test]
fn the_year_is_played_for_the_first_customers_and_played_anew() {
    // Decision 25: where the default ports are taken, by this test or by somebody else, the demo takes free ones.
    let _taken = [7701, 7702, 7703, 7704].map(|port| TcpListener::bind(("127.0.0.1", port)));
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    for _ in 0..2 {
        let output = Command::new(env!("CARGO_BIN_EXE_hearth"))
            .args(["demo", "--customers", "20", "--data"])
            .arg(&data)
            .output()
            .unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && text.contains("7 checks, all passed"), "{text}");
        assert!(text.contains("20 filed"), "{text}");
        let output = Command::new(env!("CARGO_BIN_EXE_hearth"))
            .args(["check", "--data"])
            .arg(&data)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}
