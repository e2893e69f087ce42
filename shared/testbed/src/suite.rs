//! The tool as a person calls it, and `hearth up` to call. The program is that of the test: only cargo knows where it lies.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

/// `hearth up` on free ports; ends with the test.
pub struct Up {
    process: Child,
    addresses: BTreeMap<String, String>,
}

impl Up {
    /// Starts it on a data folder and waits until it has said where it listens.
    pub fn start(program: &str, data: &Path) -> Self {
        let mut command = Command::new(program);
        command.arg("up").arg("--data").arg(data);
        for service in ["archive", "hall", "billing", "vendor"] {
            command.args([&format!("--{service}-port"), "0"]);
        }
        let mut process = command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
        let addresses = lines
            .take_while(|line| !line.starts_with("Ctrl-C"))
            .filter_map(|line| line.split_once(' ').map(|(name, address)| (name.to_owned(), address.trim().to_owned())))
            .filter(|(_, address)| address.starts_with("https://"))
            .collect();
        Self { process, addresses }
    }

    /// Where a service listens.
    pub fn address(&self, service: &str) -> &str {
        &self.addresses[service]
    }

    /// Where each service listens, by name.
    pub fn addresses(&self) -> &BTreeMap<String, String> {
        &self.addresses
    }

    /// The id of its process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Whether its process lives.
    pub fn runs(&mut self) -> bool {
        self.process.try_wait().unwrap().is_none()
    }

    /// Ends it without a chance to tidy up.
    pub fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// `hearth up` in a folder of its own.
pub struct Suite {
    program: &'static str,
    pub up: Up,
    pub folder: tempfile::TempDir,
}

impl Suite {
    /// Starts it in a new folder below `place`.
    pub fn start(program: &'static str, place: &Path) -> Self {
        let folder = tempfile::tempdir_in(place).unwrap();
        let up = Up::start(program, &folder.path().join("data"));
        Self { program, up, folder }
    }

    /// Its data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Where a service listens.
    pub fn address(&self, service: &str) -> &str {
        self.up.address(service)
    }

    /// Writes a file to hand over, and gives its path.
    pub fn file(&self, name: &str, content: &[u8]) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, content).unwrap();
        path.display().to_string()
    }

    /// Hands a file to the service that takes it.
    pub fn import(&self, what: &str, file: &str, further: &[&str]) -> Output {
        let service = match what {
            "customers" => "archive",
            "trades" => "vendor",
            _ => "billing",
        };
        let command = ["import", what, file, "--address", self.address(service)];
        hearth(self.program, &self.data(), &[&command[..], further].concat())
    }

    /// Writes an export into a file.
    pub fn export(&self, what: &str, file: &Path) -> Output {
        self.export_with(what, file, &[])
    }

    /// The same with further words of the command.
    pub fn export_with(&self, what: &str, file: &Path, further: &[&str]) -> Output {
        let mut words: Vec<String> = ["export", what, "-o"].map(str::to_owned).to_vec();
        words.push(file.display().to_string());
        for service in ["archive", "hall", "billing", "vendor"] {
            words.extend(["--address".to_owned(), format!("{service}={}", self.address(service))]);
        }
        words.extend(further.iter().map(|word| (*word).to_owned()));
        hearth(self.program, &self.data(), &words.iter().map(String::as_str).collect::<Vec<_>>())
    }
}

/// Runs a command on a data folder.
pub fn hearth(program: &str, data: &Path, words: &[&str]) -> Output {
    Command::new(program).args(words).arg("--data").arg(data).stdin(Stdio::null()).output().unwrap()
}

/// What was printed as one line, with single blanks; and the exit code.
pub fn told(output: &Output) -> (String, Option<i32>) {
    let text = format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (text.split_whitespace().collect::<Vec<_>>().join(" "), output.status.code())
}

/// The exit code and parts of what was printed.
#[track_caller]
pub fn assert_told(output: &Output, code: i32, parts: &[&str]) {
    let (text, found) = told(output);
    assert_eq!(found, Some(code), "{text}");
    for part in parts {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
}
