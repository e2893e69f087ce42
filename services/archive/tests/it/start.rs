//! The program, started on a database that could lose acknowledged writes. (That each unsafe setting is refused is tried with the database alone.)

use std::{
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// Exit code, what it said, and after how long.
fn started(url: &str) -> (Option<i32>, String, Duration) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(testbed::key());
    let keys = folder.join("keys");
    boot::keys::make(&keys, &[]).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_hearth-archive"));
    for (flag, file) in [
        ("jwks", "jwks.json"),
        ("tls-ca", "ca.pem"),
        ("tls-certificate", "archive.pem"),
        ("tls-key", "archive.key.pem"),
        ("vault-keys", "archive.vault"),
    ] {
        command.arg(format!("--{flag}")).arg(keys.join(file));
    }
    command.args(["--issuer", boot::keys::ISSUER, "--listen", "127.0.0.1:0", "--database-url", url]);
    let began = Instant::now();
    let output = command.current_dir(&folder).stdin(Stdio::null()).output().unwrap();
    let took = began.elapsed();
    std::fs::remove_dir_all(&folder).unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), told, took)
}

#[tokio::test(flavor = "multi_thread")]
async fn r_d7_a_program_on_an_unsafe_database_ends_with_its_reason() {
    let memory = format!("sqlite://{}?mode=memory", Path::new(env!("CARGO_TARGET_TMPDIR")).join("memory.db").display());
    let mut cases = vec![(memory, "PRAGMA journal_mode is memory")];
    if let Some(url) = testbed::postgres::migrated(archive::SERVICE).await {
        let mark = if url.contains('?') { '&' } else { '?' };
        cases.push((format!("{url}{mark}options=-c%20synchronous_commit%3Doff"), "SHOW synchronous_commit is off"));
    }
    for (url, reason) in cases {
        let (code, told, after) = tokio::task::spawn_blocking(move || started(&url)).await.unwrap();
        assert_eq!(code, Some(1), "{told}");
        assert!(told.starts_with("hearth-archive: ") && told.contains(reason), "{told}");
        assert!(after < Duration::from_secs(2), "{reason}: after {after:?}");
    }
}
