//! `hearth demo`: a utility's year, played through gRPC on a simulated clock, and checked to the last fen.

mod cast;
mod checks;
mod city;
mod complaint;
mod credit;
mod filing;
mod heat;
mod home;
mod oracle;
mod pages;
mod papers;
mod payments;
mod policy;
mod repair;
mod settlement;
mod stage;
mod summary;
mod vendor;
mod vip;
mod year;

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail};
use boot::telemetry::{Look, Telemetry};
use calendar::{Clock, Instant};

use self::{cast::Cast, city::City, stage::Stage};
use crate::{
    say::program,
    suite::{Folder, Suite, Taken, no_use, told_of_disk},
    up::Ports,
};

/// When the play begins.
const BEGIN: &str = "2024-12-31T08:00:00+08:00";

/// Plays the year 2025 of one city through the four services, and checks every figure of it.
///
/// Starts the services on SQLite in a folder of its own, moves a simulated clock through the year, and calls gRPC only: 660 customers are filed, a vendor
/// is admitted, gas is opened in a new home, a year of readings is taken, billed and paid, a repair is given away, assessed and
/// settled, a policy is issued, a key account is put on hold, a complaint is heard, a season of heat is settled. The folder is made anew each time.
/// Ends with an exit code other than 0 when one of the checks at the end fails.
#[derive(clap::Args)]
pub struct Demo {
    /// Folder of the data. A folder of an earlier demo is replaced.
    #[arg(long, value_name = "DIR", default_value = "hearth-demo")]
    data: PathBuf,
    /// Let the services run on after the summary, until Ctrl-C.
    #[arg(long)]
    keep: bool,
    /// Play with the first customers of the city only.
    #[arg(long, value_name = "N", default_value_t = 660, value_parser = clap::value_parser!(u64).range(1..=660))]
    customers: u64,
    #[command(flatten)]
    ports: Ports,
    /// Filter of the log, such as info or hall=debug.
    #[arg(long, env = "HEARTH_LOG", default_value = "error")]
    log: String,
}

impl Demo {
    pub async fn run(self) -> Result<ExitCode> {
        let telemetry = Telemetry::start("hearth", &self.log, Look::Short, None)?;
        let stage = Stage::new();
        let _lock = renew(&self.data)?;
        let folder = Folder::open(&self.data, "demo")?;
        let clock = Clock::simulated(Instant::parse_rfc3339(BEGIN).context("the play begins at no moment")?);
        println!("Hearth plays the year 2025 of one city, through gRPC only.\n");
        let chapter = stage.chapter("services", 0);
        let suite = Suite::start(&folder, clock, &self.ports.chosen(), Taken::Move, &[]).await?;
        chapter.done(&format!("archive, hall, billing and vendor on SQLite in {}", folder.path().display()));
        let outcome = self.play(&folder, &suite, &stage).await.map_err(|error| told_of_disk(error, folder.path()));
        suite.stop().await?;
        telemetry.stop().await;
        outcome
    }

    /// Plays, tells, and gives how it ends.
    async fn play(&self, folder: &Folder, suite: &Suite, stage: &Stage) -> Result<ExitCode> {
        let cast = Cast::new(City::of(usize::try_from(self.customers)?), &folder.keys(), folder.path().join("papers"), suite)?;
        let filed = filing::file_the_city(&cast, stage).await?;
        let year = year::play(&cast, stage, &filed.template).await?;
        let chapter = stage.chapter("checks", 0);
        chapter.doing("every bill is computed a second time");
        let facts = checks::look(&cast, &year).await?;
        let deadlines = pages::deadlines(&cast).await?;
        chapter.done("looked at everything");
        println!("\n{}", summary::told(&filed, &year, &facts, &deadlines, stage.elapsed()));
        let ending = checks::ending(&facts.checks);
        if self.keep {
            println!("\n{}", summary::calls(&cast, folder.path())?);
            // Where signals cannot be had, the process ends by other means.
            let _ = tokio::signal::ctrl_c().await;
        } else {
            let program = program();
            println!(
                "\nWith --keep the services go on. What is left can be checked: {program} check --data {}",
                folder.path().display()
            );
        }
        Ok(ending)
    }
}

/// Empties the folder of an earlier demo; another one is left to `Folder::open`, which refuses it. The file that comes back keeps a second demo out.
fn renew(path: &Path) -> Result<Option<File>> {
    let marker = path.join(".hearth");
    if fs::read_to_string(&marker).is_ok_and(|kind| kind.trim() == "demo") {
        let lock = lock(path, &marker)?;
        // Before the first of its files is gone.
        Folder::existing(path)?.reach().map_err(|error| no_use(error, path))?;
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let told = || format!("{} cannot be removed; name another folder with --data", entry.path().display());
            if entry.path() == marker {
                continue;
            }
            if entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path()).with_context(told)?
            } else {
                fs::remove_file(entry.path()).with_context(told)?
            }
        }
        return Ok(Some(lock));
    }
    // Makes the folder, or refuses one that is not ours.
    Folder::open(path, "demo")?;
    lock(path, &marker).map(Some)
}

fn lock(path: &Path, marker: &Path) -> Result<File> {
    let file = File::open(marker)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => bail!("another demo runs in {}; name another folder with --data", path.display()),
        Err(fs::TryLockError::Error(error)) => Err(error).with_context(|| format!("{} cannot be locked", marker.display())),
    }
}
