//! The four services as `hearth up` starts them, and the tool.

use std::{
    collections::BTreeMap,
    env,
    io::{self, BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use boot::Service;

pub const HEARTH: &str = env!("CARGO_BIN_EXE_hearth");
pub const ALL: [Service; 4] = [archive::SERVICE, hall::SERVICE, billing::SERVICE, vendor::SERVICE];

/// `hearth up` in a folder of its own, on free ports; ends with the test.
pub struct Suite {
    process: Child,
    pub folder: tempfile::TempDir,
    addresses: BTreeMap<String, String>,
}

impl Suite {
    pub fn start(place: &Path) -> Self {
        let folder = tempfile::tempdir_in(place).unwrap();
        let mut command = Command::new(HEARTH);
        command.arg("up").arg("--data").arg(folder.path().join("data"));
        for service in ALL {
            command.args([&format!("--{}-port", service.name), "0"]);
        }
        let mut process = command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
        let addresses = lines
            .take_while(|line| !line.starts_with("Ctrl-C"))
            .filter_map(|line| line.split_once(' ').map(|(name, address)| (name.to_owned(), address.trim().to_owned())))
            .collect();
        Self { process, folder, addresses }
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Where a service listens.
    pub fn address(&self, service: &str) -> &str {
        &self.addresses[service]
    }

    /// Whether its process lives.
    pub fn runs(&mut self) -> bool {
        self.process.try_wait().unwrap().is_none()
    }
}

impl Drop for Suite {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs a command on a data folder.
pub fn hearth(data: &Path, words: &[&str]) -> Output {
    Command::new(HEARTH).args(words).arg("--data").arg(data).stdin(Stdio::null()).output().unwrap()
}

/// What was printed, as one line with single blanks, has these parts.
#[track_caller]
pub fn assert_told(output: &Output, code: i32, parts: &[&str]) {
    let text = format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(output.status.code(), Some(code), "{text}");
    for part in parts {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
}

/// Whether a means of a test is there. A person may do without, which is said in one line; CI may not.
pub fn has(what: &str, found: bool) -> bool {
    if !found {
        assert!(!env::var("CI").is_ok_and(|ci| ci == "true"), "CI=true asks for {what}");
        say(&format!("note: a test did not run: this machine has no {what}"));
    }
    found
}

/// Past the test harness, which would keep a line of a passing test for itself.
pub fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// The long runs of profile `full`, where it is asked for.
pub fn runs(ci: usize, full: usize) -> usize {
    if env::var("HEARTH_PROFILE").is_ok_and(|profile| profile == "full") {
        full
    } else {
        ci
    }
}
