//! The way back from a backup, to a place where nothing is.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, anyhow, ensure};
use boot::Service;
use calendar::Clock;
use database::{Database, Engine, Target, journal};
use sea_orm::{ConnectionTrait, DbBackend, Statement};

use super::{
    Place, client_tool, head,
    manifest::{self, FILES, Manifest, Part, copy, keep, private_folder, sync},
    postgres,
};
use crate::{
    import::figures::count,
    say::say,
    suite::{MARKER, SERVICES},
};

/// Puts a backup where nothing is, and verifies the journal of each service.
///
/// The keys are not in a backup: for a data folder put them into DIR/keys first. The engine stays the same. PostgreSQL needs databases that are
/// empty, and its client tools here (pg_restore, of the server's version or newer).
#[derive(clap::Args)]
pub struct Restore {
    /// Folder of the backup.
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    #[command(flatten)]
    place: Place,
}

impl Restore {
    pub async fn run(self) -> Result<ExitCode> {
        let manifest = Manifest::read(&self.from)?;
        // All of them are looked at before the first is touched.
        let mut work = vec![];
        for service in SERVICES {
            let part = manifest.services.iter().find(|part| part.service == service.name);
            let part = part.ok_or_else(|| anyhow!("{} holds nothing of {}", self.from.display(), service.name))?;
            let (target, files) = self.place.of(service.name)?;
            ensure!(
                part.engine == manifest::name(target.engine),
                "the backup of {} is of {}, the target of {}; a backup goes back to its engine",
                service.name,
                part.engine,
                manifest::name(target.engine)
            );
            ensure!(
                part.head.migrations <= service.migrations.len(),
                "the database of {} was made by a newer version of Hearth ({}); restore it with that",
                service.name,
                manifest.version
            );
            work.push((service, part, target, files));
        }
        if self.place.is_folder() {
            let kind = manifest
                .kind
                .as_deref()
                .context("the backup is not of a data folder; name --database and --files")?;
            refuse_used_folder(&self.place.data)?;
            for (service, part, target, files) in &work {
                self.put(*service, part, target, files).await?;
            }
            // Last: until then no command takes the folder for one of Hearth.
            keep(&self.place.data.join(MARKER), format!("{kind}\n").as_bytes())?;
            sync(&self.place.data)?;
        } else {
            for (service, _, target, files) in &work {
                refuse_used(service.name, target, files).await?;
            }
            for (service, part, target, files) in &work {
                self.put(*service, part, target, files).await?;
            }
        }
        say(format!(
            "\nall of {} is back, made {}; `hearth check` verifies it as a whole",
            self.from.display(),
            manifest.made
        ))?;
        Ok(ExitCode::SUCCESS)
    }

    async fn put(&self, service: Service, part: &Part, target: &Target, files: &Path) -> Result<()> {
        let database = part.database(&self.from)?;
        match target.engine {
            Engine::Sqlite => {
                let path = path(target);
                if let Some(folder) = path.parent() {
                    fs::create_dir_all(folder)?;
                }
                copy(&database, &path)?;
            }
            Engine::Postgres => {
                let words = ["--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges"];
                let words: Vec<&OsStr> = words.iter().map(AsRef::as_ref).chain([database.as_os_str()]).collect();
                client_tool("pg_restore", &target.url, &words)
                    .await
                    .with_context(|| format!("the database of {} cannot be filled", service.name))?;
            }
        }
        private_folder(files)?;
        // What the manifest lists, and nothing that came to lie beside it.
        let stored = Path::new(service.name).join(FILES);
        for file in part.copies.iter().skip(1) {
            let to = files.join(
                file.path
                    .strip_prefix(&stored)
                    .with_context(|| format!("{} is no stored file", file.path.display()))?,
            );
            if let Some(folder) = to.parent() {
                private_folder(folder)?;
            }
            copy(&self.from.join(&file.path), &to)?;
        }

        let steps = service.migrations.get(..part.head.migrations).unwrap_or(service.migrations);
        let db = Database::connect(service.name, target, Clock::real(), steps)
            .await
            .map_err(|f| anyhow!("the database of {} cannot be used: {f}", service.name))?;
        let found = head(db.reader()).await?;
        ensure!(found == part.head, "the journal of {} ends elsewhere than the backup says", service.name);
        let report = journal::verify(&db)
            .await
            .map_err(|f| anyhow!("the journal of {} cannot be verified: {f}", service.name))?;
        ensure!(report.intact, "the journal of {} breaks at position {}", service.name, report.broken_position);
        db.close().await;
        say(format!(
            "{:<8} {} rows, {} events, chain intact",
            service.name,
            count(found.position),
            count(found.events)
        ))
    }
}

/// The file of a SQLite database.
fn path(target: &Target) -> PathBuf {
    let path = target.url.trim_start_matches("sqlite://");
    PathBuf::from(path.split_once('?').map_or(path, |(path, _)| path))
}

/// A data folder may hold the keys, and nothing else; and it must hold them, or `hearth up` would make new ones that open nothing.
fn refuse_used_folder(data: &Path) -> Result<()> {
    let entries: Vec<_> = fs::read_dir(data).into_iter().flatten().flatten().map(|e| e.file_name()).collect();
    ensure!(
        entries.iter().all(|name| name == "keys"),
        "{} is not empty; name another folder with --data",
        data.display()
    );
    for service in SERVICES {
        let ring = data.join("keys").join(format!("{}.vault", service.name));
        ensure!(
            ring.exists(),
            "{} is missing: put the keys that the backup was made with into {} first; they are kept apart from it",
            ring.display(),
            data.join("keys").display()
        );
    }
    Ok(())
}

async fn refuse_used(service: &str, target: &Target, files: &Path) -> Result<()> {
    let empty = fs::read_dir(files).map_or(true, |mut entries| entries.next().is_none());
    ensure!(empty, "{} is not empty; name other folders with --files", files.display());
    match target.engine {
        Engine::Sqlite => ensure!(
            !path(target).exists(),
            "{} is there already; name other databases with --database",
            path(target).display()
        ),
        Engine::Postgres => {
            let database = postgres::open(&target.url, 1)
                .await
                .with_context(|| format!("the database of {service} cannot be reached"))?;
            let tables = "SELECT count(*) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')";
            let row = database.query_one_raw(Statement::from_string(DbBackend::Postgres, tables)).await?;
            let tables: i64 = row.ok_or_else(|| anyhow!("the tables cannot be counted"))?.try_get_by_index(0)?;
            database.close().await?;
            ensure!(
                tables == 0,
                "the database of {service} is not empty ({tables} tables); name other databases with --database"
            );
        }
    }
    Ok(())
}
