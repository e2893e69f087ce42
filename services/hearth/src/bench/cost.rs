//! What was used: time, CPU, memory.

use std::{fs, time::Duration};

use anyhow::{Context, Result};
use database::{Database, Engine};
use sea_orm::{ConnectionTrait, Statement};
use tokio::time::Instant;

/// Ticks of the kernel's accounts in a second; Linux has had no other number for programs for decades.
const TICKS: u64 = 100;

/// What one round took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    pub wall: Duration,
    /// CPU of this process, which serves, and of the server of its database.
    pub cpu: Duration,
}

/// Measures from its making to its end.
pub struct Meter {
    server: Option<u32>,
    /// Name of threads that do not count.
    without: Option<&'static str>,
    begun: Instant,
    cpu: Duration,
}

impl Meter {
    /// Begins. A server of PostgreSQL has to be on this machine, or its CPU cannot be seen.
    pub async fn begin(db: &Database) -> Result<Self> {
        Self::begin_without(db, None).await
    }

    /// The same without the CPU of the threads with a name, which has to be theirs for as long as it is measured.
    pub async fn begin_without(db: &Database, without: Option<&'static str>) -> Result<Self> {
        let server = match db.engine() {
            Engine::Sqlite => None,
            Engine::Postgres => {
                let ask = Statement::from_string(db.reader().get_database_backend(), "SELECT pg_backend_pid()");
                let row = db.reader().query_one_raw(ask).await?.context("no backend")?;
                let backend: i32 = row.try_get_by_index(0)?;
                let backend = u32::try_from(backend)?;
                let of = stat(backend).with_context(|| format!("the server is not on this machine: it has no process {backend}"))?;
                Some(of.parent)
            }
        };
        Ok(Self {
            server,
            without,
            begun: Instant::now(),
            cpu: used(server, without)?,
        })
    }

    pub fn end(self) -> Result<Cost> {
        let wall = self.begun.elapsed();
        let cpu = used(self.server, self.without)?.saturating_sub(self.cpu);
        Ok(Cost { wall, cpu })
    }
}

struct Stat {
    parent: u32,
    own: u64,
    /// Of children that have ended.
    ended: u64,
}

fn stat(process: u32) -> Option<Stat> {
    told(&fs::read_to_string(format!("/proc/{process}/stat")).ok()?)
}

fn told(text: &str) -> Option<Stat> {
    // The name may hold anything, blanks and brackets too.
    let rest = text.rsplit_once(')')?.1;
    let field = |n: usize| rest.split_whitespace().nth(n)?.parse::<u64>().ok();
    Some(Stat {
        parent: u32::try_from(field(1)?).ok()?,
        own: field(11)?.saturating_add(field(12)?),
        ended: field(13)?.saturating_add(field(14)?),
    })
}

/// CPU of this process but for some threads, and of a server with all its children.
fn used(server: Option<u32>, without: Option<&str>) -> Result<Duration> {
    let mut ticks = stat(std::process::id()).context("this process has no account of its CPU")?.own;
    if let Some(name) = without {
        for thread in fs::read_dir("/proc/self/task")? {
            // One that has ended meanwhile has no account any more.
            let Ok(text) = fs::read_to_string(thread?.path().join("stat")) else {
                continue;
            };
            if text.contains(&format!("({name})")) {
                ticks = ticks.saturating_sub(told(&text).map_or(0, |stat| stat.own));
            }
        }
    }
    if let Some(server) = server {
        for entry in fs::read_dir("/proc")? {
            let Some(process) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            let Some(stat) = stat(process) else { continue };
            if process == server {
                ticks = ticks.saturating_add(stat.own).saturating_add(stat.ended);
            } else if stat.parent == server {
                ticks = ticks.saturating_add(stat.own);
            }
        }
    }
    Ok(Duration::from_millis(ticks.saturating_mul(1000).checked_div(TICKS).unwrap_or(0)))
}

/// The most memory that this process has held so far, in KiB.
pub fn peak() -> Result<u64> {
    let text = fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}
