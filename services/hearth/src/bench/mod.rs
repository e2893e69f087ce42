//! `hearth bench`: what the suite costs, beside the best that the same engine does with the same rows in the same call.

mod cost;
mod figures;
mod intake;
mod place;
mod read;
mod reference;
mod rows;
mod run;

use std::process::ExitCode;

use anyhow::Result;

/// Measure against a reference that runs in the same call, and compare what both wrote before a figure is printed.
#[derive(clap::Subcommand)]
pub enum Bench {
    /// Bill a month of agreements, from readings to issued bills.
    BillRun(run::BillRun),
    /// Take readings by one stream, validated and de-duplicated.
    Intake(intake::Intake),
    /// Read one bill through the whole service.
    Read(read::Read),
}

impl Bench {
    pub async fn run(self) -> Result<ExitCode> {
        match self {
            Self::BillRun(run) => run.run().await,
            Self::Intake(intake) => intake.run().await,
            Self::Read(read) => read.run().await,
        }
    }
}
