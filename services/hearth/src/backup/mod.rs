//! Copies of what the services hold, taken while they run, and the way back.
//!
//! The four copies are of one moment: writes stand still until each of them has begun. Else one service could remember an event, or the answer to a
//! step, that another would not know of any more.

use std::{
    ffi::OsStr,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use calendar::Clock;
use database::{Engine, Target};
use sea_orm::{ConnectionTrait, Statement};

use crate::{
    import::figures::count,
    say::say,
    suite::{Folder, SERVICES},
};

mod manifest;
mod postgres;
mod restore;
mod sqlite;

use manifest::{Head, MANIFEST, Manifest, Part, keep, private_folder, sync};
pub use restore::Restore;

/// Copies databases and files of the four services, which may run meanwhile, into one folder.
///
/// The keys are not in it: without the key rings (SERVICE.vault) sealed personal data cannot be read, so keep them apart, and keep them as long. What is
/// not sealed, such as names and addresses, can be read by whoever has the backup. PostgreSQL needs its client tools here (pg_dump, of the server's
/// version or newer).
#[derive(clap::Args)]
pub struct Backup {
    /// Folder of the backup; made, must not exist.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    #[command(flatten)]
    place: Place,
}

/// Where the services keep what they hold.
#[derive(clap::Args)]
pub struct Place {
    /// Data folder of `hearth up` or `hearth demo`.
    #[arg(long, value_name = "DIR", default_value = "hearth-data")]
    data: PathBuf,
    /// Databases of services that run as programs of their own, in place of a data folder: {service} stands for the name, as in
    /// postgres://hearth_{service}@host/hearth_{service}.
    #[arg(long, value_name = "URL", requires = "files")]
    database: Option<String>,
    /// Their folders of files, such as /srv/hearth/{service}-files.
    #[arg(long, value_name = "DIR", requires = "database")]
    files: Option<String>,
}

impl Place {
    /// Database and files of a service.
    pub fn of(&self, service: &str) -> Result<(Target, PathBuf)> {
        let fill = |template: &str| template.replace("{service}", service);
        let (url, files) = match (&self.database, &self.files) {
            (Some(database), Some(files)) => {
                ensure!(
                    database.contains("{service}") && files.contains("{service}"),
                    "--database and --files need {{service}} in them"
                );
                (fill(database), PathBuf::from(fill(files)))
            }
            _ => {
                let path = self.data.join(format!("{service}.db"));
                (format!("sqlite://{}", path.display()), self.data.join(format!("{service}-files")))
            }
        };
        Ok((Target::parse(&url).map_err(|e| anyhow!(e))?, files))
    }

    /// The data folder, unless the services are programs of their own.
    pub fn folder(&self) -> Option<&Path> {
        self.is_folder().then_some(&self.data)
    }

    fn is_folder(&self) -> bool {
        self.database.is_none()
    }
}

/// A database that is being copied.
#[tonic::async_trait]
trait Source: Send {
    /// From when this answers, the copy will be of a moment in which nobody wrote.
    async fn begin(&mut self, folder: &Path) -> Result<()>;
    /// Lets writes go on.
    async fn release(&mut self) -> Result<()>;
    /// Waits for the copy and says what it holds.
    async fn finish(self: Box<Self>) -> Result<Head>;
}

impl Backup {
    pub async fn run(self) -> Result<ExitCode> {
        ensure!(!self.to.exists(), "{} is there already; name another folder with --to", self.to.display());
        let kind = if self.place.is_folder() {
            Some(Folder::existing(&self.place.data)?.kind()?)
        } else {
            None
        };
        let (partial, _lock) = partial(&self.to)?;

        let mut sources: Vec<Box<dyn Source>> = vec![];
        for service in SERVICES {
            let (target, _) = self.place.of(service.name)?;
            let source: Result<Box<dyn Source>> = match target.engine {
                Engine::Sqlite => sqlite::hold(&target).await.map(|s| Box::new(s) as _),
                Engine::Postgres => postgres::hold(&target).await.map(|s| Box::new(s) as _),
            };
            sources.push(source.with_context(|| format!("the database of {} cannot be copied", service.name))?);
        }
        for (service, source) in SERVICES.iter().zip(&mut sources) {
            let folder = partial.join(service.name);
            fs::create_dir(&folder)?;
            source.begin(&folder).await?;
        }
        for source in &mut sources {
            source.release().await?;
        }

        let mut services = vec![];
        for (service, source) in SERVICES.iter().zip(sources) {
            let (target, files) = self.place.of(service.name)?;
            let head = source.finish().await.with_context(|| format!("the copy of {} failed", service.name))?;
            // After the database: a file is there before the row that names it.
            let copies = manifest::take(&partial, service.name, &files)?;
            let bytes: u64 = copies.iter().map(|copy| copy.bytes).sum();
            say(format!(
                "{:<8} {} rows, {} events, {} files, {} bytes",
                service.name,
                count(head.position),
                count(head.events),
                copies.len().saturating_sub(1),
                bytes
            ))?;
            services.push(Part {
                service: service.name.to_owned(),
                engine: manifest::name(target.engine).to_owned(),
                head,
                copies,
            });
        }
        let manifest = Manifest {
            format: manifest::FORMAT,
            version: boot::VERSION.to_owned(),
            made: Clock::real().now().to_string(),
            kind,
            services,
        };
        keep(&partial.join(MANIFEST), serde_json::to_string_pretty(&manifest)?.as_bytes())?;
        fs::remove_file(partial.join(LOCK))?;
        sync(&partial)?;
        fs::rename(&partial, &self.to).with_context(|| format!("{} cannot be made", self.to.display()))?;
        sync(self.to.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")))?;
        say(format!(
            "\n{} is whole. It holds no keys: keep the key rings (SERVICE.vault) apart, and as long; without them sealed data stays sealed.",
            self.to.display()
        ))?;
        Ok(ExitCode::SUCCESS)
    }
}

const LOCK: &str = "lock";

/// The folder in which a backup grows, with the lock that says that somebody is at it. Until it is renamed it has another name and no manifest, so
/// that nobody takes it for a backup. One that was left by a killed run is made anew.
fn partial(to: &Path) -> Result<(PathBuf, File)> {
    let name = to
        .file_name()
        .and_then(|n| n.to_str())
        .ok_or_else(|| anyhow!("{} names no folder", to.display()))?;
    let path = to.with_file_name(format!(".{name}.partial"));
    if let Ok(left) = File::open(path.join(LOCK)) {
        ensure!(left.try_lock().is_ok(), "another backup to {} is under way", to.display());
    }
    if path.exists() {
        fs::remove_dir_all(&path)?;
    }
    private_folder(&path).context("name another folder with --to")?;
    let lock = File::create(path.join(LOCK))?;
    lock.try_lock().map_err(|_| anyhow!("another backup to {} is under way", to.display()))?;
    Ok((path, lock))
}

/// How far a database is.
async fn head(connection: &impl ConnectionTrait) -> Result<Head> {
    let backend = connection.get_database_backend();
    let ask = async |sql: &str| {
        let row = connection.query_one_raw(Statement::from_string(backend, sql)).await?;
        row.ok_or_else(|| anyhow!("{sql} has no answer"))
    };
    let steps: i64 = ask("SELECT count(*) FROM migration WHERE step > 0").await?.try_get_by_index(0)?;
    let seal = ask("SELECT position, event_position, hash FROM seal WHERE id = 1").await?;
    let hash: Vec<u8> = seal.try_get("", "hash")?;
    Ok(Head {
        migrations: usize::try_from(steps)?,
        position: seal.try_get("", "position")?,
        events: seal.try_get("", "event_position")?,
        hash: hex::encode(&hash),
    })
}

/// Runs a client tool of PostgreSQL on a database. The password goes by the environment, where other users of the machine cannot see it.
async fn client_tool(program: &str, url: &str, words: &[&OsStr]) -> Result<()> {
    let (url, password) = postgres::without_password(url)?;
    let mut command = Command::new(program);
    command.arg("--dbname").arg(url).args(words).stdin(Stdio::null());
    if let Some(password) = password {
        command.env("PGPASSWORD", password);
    }
    let output = tokio::task::spawn_blocking(move || command.output()).await?;
    let output = output.with_context(|| format!("{program} cannot be started; install PostgreSQL's client tools (Debian package postgresql-client)"))?;
    if !output.status.success() {
        bail!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
