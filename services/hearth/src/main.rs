//! `hearth`: runs the suite on one machine and works with it from the command line.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use std::process::ExitCode;

use clap::Parser;

mod backup;
mod bench;
mod bill_run;
mod check;
mod client;
mod demo;
mod export;
mod formula;
mod import;
mod keys;
mod rate;
mod rotate;
mod say;
mod suite;
mod token;
mod up;

/// The customer-service suite of a city gas and heating utility.
#[derive(Parser)]
#[command(name = "hearth", version, arg_required_else_help = true)]
enum Tool {
    /// Run the four services on this machine, to try them with your own data.
    Up(up::Up),
    /// Play a utility's year through the four services and check every figure of it.
    Demo(demo::Demo),
    /// Load customers, meters, readings, tariffs and more from a file.
    #[command(subcommand)]
    Import(import::Import),
    /// Write what a service holds to a file, for a spreadsheet.
    Export(export::Export),
    /// Bill a month: start a run, follow it, and tell what became of every agreement.
    BillRun(bill_run::BillRun),
    /// Price volumes by a tariff file, line by line; no service is needed.
    Rate(rate::Rate),
    /// Sign an access token for a trial.
    Token(token::Token),
    /// Make certificates, a token-signing key and key rings for a trial or for compose.
    Keys(keys::Keys),
    /// Change the key under which a service seals personal data, while it serves.
    Rotate(rotate::Rotate),
    /// Check ledger, journals, event cursors, references, jobs and database settings of a data folder or of PostgreSQL databases.
    Check(check::Check),
    /// Copy databases and files of the services, which may run meanwhile; without the keys.
    Backup(backup::Backup),
    /// Put a backup back where nothing is, and verify it.
    Restore(backup::Restore),
    /// Measure what the suite costs, beside the best that the same engine does.
    #[command(subcommand)]
    Bench(bench::Bench),
}

fn main() -> ExitCode {
    let tool = Tool::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("hearth: {error}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(async {
        match tool {
            Tool::Up(up) => up.run().await,
            Tool::Demo(demo) => demo.run().await,
            Tool::Import(import) => import.run().await,
            Tool::Export(export) => export.run().await,
            Tool::BillRun(run) => run.run().await,
            Tool::Rate(rate) => rate.run(),
            Tool::Token(token) => token.run(),
            Tool::Keys(keys) => keys.run(),
            Tool::Rotate(rotate) => rotate.run().await,
            Tool::Check(check) => check.run().await,
            Tool::Backup(backup) => backup.run().await,
            Tool::Restore(restore) => restore.run().await,
            Tool::Bench(bench) => bench.run().await,
        }
    });
    // Services that still hold a connection must not keep a finished command alive.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("hearth: {error:#}");
            ExitCode::FAILURE
        }
    }
}
