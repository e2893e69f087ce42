use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, Result, anyhow, ensure};
use database::Target;
use sea_orm::{ConnectionTrait, Statement};
use vault::Keyring;

use crate::say::say;

/// Changes the key under which a service seals personal data, while it serves, in three steps; each may be repeated.
#[derive(clap::Args)]
pub struct Rotate {
    #[command(subcommand)]
    step: Step,
}

#[derive(clap::Subcommand)]
enum Step {
    /// Adds a key to the ring that is not used yet. Bring the file to every host of the service: what runs reads it within a few seconds.
    Start {
        /// Key ring of the service, such as archive.vault.
        file: PathBuf,
    },
    /// Makes that key the current one. The service then brings everything under it by itself, and writes down in its journal when nothing is left.
    Use {
        /// Key ring of the service.
        file: PathBuf,
    },
    /// Drops the older keys from the ring, when nothing is left under them.
    Finish {
        /// Key ring of the service.
        file: PathBuf,
        /// Database of the service: sqlite://FILE or postgres://USER@HOST/NAME.
        #[arg(long, value_name = "URL", env = "HEARTH_DATABASE_URL")]
        database: String,
    },
}

impl Rotate {
    pub async fn run(self) -> Result<ExitCode> {
        match self.step {
            Step::Start { file } => {
                let ring = Keyring::load(&file)?.announced()?;
                ring.save(&file)?;
                let next = ring.next_id().unwrap_or_default();
                say(format!(
                    "{next} waits in {}; when all that use the file have read it, go on with `use`",
                    file.display()
                ))?;
            }
            Step::Use { file } => {
                let ring = Keyring::load(&file)?;
                ensure!(
                    ring.next_id().is_some() || ring.older_ids().next().is_some(),
                    "no key waits in {}; begin with `start`",
                    file.display()
                );
                let ring = ring.promoted();
                ring.save(&file)?;
                say(format!(
                    "{} is the current key of {}; when the service has brought everything under it, go on with `finish`",
                    ring.current_id(),
                    file.display()
                ))?;
            }
            Step::Finish { file, database } => {
                let ring = Keyring::load(&file)?;
                let left = left(&database, ring.current_id()).await?;
                ensure!(left.is_empty(), "the older keys are still needed: {left}");
                let ring = ring.retired();
                ring.save_retired(&file)?;
                say(format!(
                    "{} is the only key of {}; copies of the older ones open older backups",
                    ring.current_id(),
                    file.display()
                ))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// What keeps the older keys in use; empty when nothing does.
async fn left(database: &str, current: &str) -> Result<String> {
    let target = Target::parse(database).map_err(|e| anyhow!(e))?;
    let db = sea_orm::Database::connect(target.existing()).await.context("the database cannot be opened")?;
    let count = async |sql: String| -> Result<i64> {
        let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
        Ok(row.ok_or_else(|| anyhow!("a count has no row"))?.try_get_by_index(0)?)
    };
    // The id of a key is letters, digits, - and _.
    let wrapped = count(format!("SELECT count(*) FROM subject_key WHERE key_id NOT IN ('', '{current}')")).await?;
    let told = count(format!(
        "SELECT count(*) FROM journal WHERE method LIKE '%/{}' AND subjects = '{current}'",
        boot::ROTATION
    ))
    .await?;
    db.close().await?;
    Ok(match (wrapped, told) {
        (0, 1..) => String::new(),
        (0, _) => "the service has not yet written down that nothing is left under them".to_owned(),
        (n, _) => format!("{n} persons' keys are wrapped by them"),
    })
}
