//! What a test needs besides the suite, and how it says that the machine lacks it.

use std::{
    env, fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

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
    // Nobody may read it any more.
    let _ = writeln!(io::stderr(), "{line}");
}

/// The long runs of profile `full`, where it is asked for.
pub fn runs<T>(ci: T, full: T) -> T {
    if env::var("HEARTH_PROFILE").is_ok_and(|profile| profile == "full") {
        full
    } else {
        ci
    }
}

/// A file system in memory, of a size; everybody may write to it.
pub struct Disk(PathBuf);

impl Disk {
    /// None where this user may not mount one.
    pub fn mount(path: &Path, size: &str) -> Option<Self> {
        fs::create_dir_all(path).unwrap();
        let mut command = Command::new("mount");
        command
            .args(["-t", "tmpfs", "-o", &format!("size={size},mode=777"), "hearth-test"])
            .arg(path)
            .stderr(Stdio::null());
        let mounted = command.status().is_ok_and(|status| status.success());
        has("right to mount a file system", mounted).then(|| Self(path.to_owned()))
    }

    /// Takes all the space that is left.
    pub fn fill(&self) -> PathBuf {
        let path = self.0.join("ballast");
        let mut file = fs::File::create(&path).unwrap();
        for size in [1 << 20, 4096, 512] {
            while file.write_all(&vec![7; size]).is_ok() {}
        }
        path
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: what runs in it ends only after this.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
