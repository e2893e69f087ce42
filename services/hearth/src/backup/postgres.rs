//! A PostgreSQL database, copied by `pg_dump` from a snapshot that was exported while nobody wrote.

use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use database::Target;
use sea_orm::{AccessMode, ConnectOptions, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, IsolationLevel, Statement, TransactionTrait};

use super::{Source, client_tool, head, manifest::Head};

pub struct Held {
    url: String,
    database: DatabaseConnection,
    /// Every write puts a row into the journal; nobody can while this is open.
    writers: Option<DatabaseTransaction>,
    /// What the dump sees, with where it goes.
    copy: Option<(DatabaseTransaction, String, PathBuf)>,
}

/// One connection beside the service's own pool, without the limits that are meant for calls.
pub async fn open(url: &str, connections: u32) -> Result<DatabaseConnection> {
    let mut options = ConnectOptions::new(url);
    options.max_connections(connections).sqlx_logging(false);
    options.map_sqlx_postgres_opts(|o| {
        o.application_name("hearth-backup").options([
            ("idle_in_transaction_session_timeout", "0"),
            ("lock_timeout", "30s"),
            ("statement_timeout", "0"),
        ])
    });
    Ok(sea_orm::Database::connect(options).await?)
}

/// Waits for the writes in hand and keeps others from committing.
pub async fn hold(target: &Target) -> Result<Held> {
    let database = open(&target.url, 2).await?;
    let writers = database.begin().await?;
    writers.execute_unprepared("LOCK TABLE journal IN SHARE MODE").await?;
    Ok(Held {
        url: target.url.clone(),
        database,
        writers: Some(writers),
        copy: None,
    })
}

#[tonic::async_trait]
impl Source for Held {
    async fn begin(&mut self, folder: &Path) -> Result<()> {
        let read = self
            .database
            .begin_with_config(Some(IsolationLevel::RepeatableRead), Some(AccessMode::ReadOnly))
            .await?;
        let row = read
            .query_one_raw(Statement::from_string(DbBackend::Postgres, "SELECT pg_export_snapshot()"))
            .await?;
        let snapshot = row.ok_or_else(|| anyhow!("no snapshot was exported"))?.try_get_by_index(0)?;
        self.copy = Some((read, snapshot, folder.join("database.dump")));
        Ok(())
    }

    async fn release(&mut self) -> Result<()> {
        match self.writers.take() {
            Some(writers) => Ok(writers.rollback().await?),
            None => Ok(()),
        }
    }

    async fn finish(self: Box<Self>) -> Result<Head> {
        let (read, snapshot, path) = self.copy.ok_or_else(|| anyhow!("no copy was begun"))?;
        let words = ["--format=custom", "--no-owner", "--no-privileges", "--snapshot", &snapshot, "--file"];
        let words: Vec<_> = words.iter().map(AsRef::as_ref).chain([path.as_os_str()]).collect();
        client_tool("pg_dump", &self.url, &words).await?;
        let head = head(&read).await?;
        read.rollback().await?;
        self.database.close().await?;
        Ok(head)
    }
}

/// Takes the password out of a URL, from before the host or from behind the question mark, since every user of a machine sees the words that programs
/// are started with.
pub fn without_password(url: &str) -> Result<(String, Option<String>)> {
    let (place, query) = url.split_once('?').unwrap_or((url, ""));
    let (mut left, mut password) = (place.to_owned(), None);
    if let Some((scheme, rest)) = place.split_once("://") {
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if let Some((user, host)) = authority.rsplit_once('@')
            && let Some((user, secret)) = user.split_once(':')
        {
            left = format!("{scheme}://{user}@{host}{path}");
            password = Some(decoded(secret)?);
        }
    }
    let mut mark = '?';
    for part in query.split('&').filter(|part| !part.is_empty()) {
        match part.strip_prefix("password=") {
            // Of two the database takes this one; a plus sign is a blank here.
            Some(secret) => password = Some(decoded(&secret.replace('+', "%20"))?),
            None => {
                left.push(mark);
                left.push_str(part);
                mark = '&';
            }
        }
    }
    Ok((left, password))
}

/// Percent signs of a URL, read.
fn decoded(text: &str) -> Result<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let wrong = || anyhow!("a percent sign in the password of the URL is not followed by two hexadecimal digits");
        let (digits, rest) = part.split_at_checked(2).ok_or_else(wrong)?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| wrong())?);
        bytes.extend(rest.as_bytes());
    }
    Ok(String::from_utf8(bytes)?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::without_password;

    #[test]
    fn a_password_is_taken_out_of_a_url() {
        for (url, without, password) in [
            (
                "postgres://u:p%40w%2F@h:5432/d?sslmode=require",
                "postgres://u@h:5432/d?sslmode=require",
                Some("p@w/"),
            ),
            ("postgres://u:@h/d", "postgres://u@h/d", Some("")),
            ("postgres://u@h/d", "postgres://u@h/d", None),
            ("postgres://h/d?x=a:b@c", "postgres://h/d?x=a:b@c", None),
            (
                "postgres://h/d?password=p%2Bw+1&sslmode=require",
                "postgres://h/d?sslmode=require",
                Some("p+w 1"),
            ),
            ("postgres://u:old@h/d?a=1&password=new", "postgres://u@h/d?a=1", Some("new")),
            ("postgres://u@h/d?password=", "postgres://u@h/d", Some("")),
        ] {
            assert_eq!(without_password(url).unwrap(), (without.to_owned(), password.map(str::to_owned)));
        }
        for broken in ["postgres://u:%4@h/d", "postgres://h/d?password=%zz"] {
            assert!(without_password(broken).is_err(), "{broken}");
        }
    }
}
