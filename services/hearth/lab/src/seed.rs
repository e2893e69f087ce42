use std::{
    io::Write,
    sync::OnceLock,
    time::{SystemTime, UNIX_EPOCH},
};

use uuid::Uuid;

/// Numbers that look random and are the same for the same seed (SplitMix64).
#[derive(Clone, Debug)]
pub struct Seed(u64);

impl Seed {
    /// The seed of a scenario: that of the run, with its name mixed in.
    pub fn of(scenario: &str) -> Self {
        let mut seed = Self(run());
        for byte in scenario.bytes() {
            seed.0 = seed.number() ^ u64::from(byte);
        }
        seed
    }

    /// A stream of its own for a part of the scenario.
    #[must_use]
    pub fn part(&self, n: usize) -> Self {
        let mut seed = Self(self.0 ^ (n as u64 + 1).wrapping_mul(0xd6e8_feb8_6659_fd93));
        seed.number();
        seed
    }

    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from `low` up to and without `high`.
    pub fn within(&mut self, low: u64, high: u64) -> u64 {
        low + self.number() % (high - low)
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.within(0, from.len() as u64) as usize]
    }

    /// A key of a call.
    pub fn key(&mut self) -> String {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.number().to_be_bytes());
        bytes[8..].copy_from_slice(&self.number().to_be_bytes());
        uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
    }
}

/// The seed of this run: `HEARTH_LAB_SEED`, else one of the clock. It is told once.
#[allow(clippy::disallowed_methods, reason = "only a number that differs from run to run")]
pub(crate) fn run() -> u64 {
    static RUN: OnceLock<u64> = OnceLock::new();
    *RUN.get_or_init(|| {
        let given = std::env::var("HEARTH_LAB_SEED")
            .ok()
            .map(|text| text.parse().expect("HEARTH_LAB_SEED is a number"));
        let seed = given.unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64);
        say(&format!("seed {seed}; HEARTH_LAB_SEED={seed} replays it"));
        seed
    })
}

/// A line for people, also of a test that passes.
pub fn say(line: &str) {
    // Past the test harness, which would keep a line of a passing test for itself.
    let _ = writeln!(std::io::stderr(), "lab: {line}");
}

/// A fresh name for a file or a row that no seed has to settle.
pub fn fresh() -> String {
    Uuid::now_v7().simple().to_string()
}
