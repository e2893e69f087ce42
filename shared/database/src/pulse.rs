use std::{convert::Infallible, future::pending, time::Duration};

use sea_orm::{ConnectOptions, ConnectionTrait, DatabaseConnection, DbErr};
use tokio::{sync::watch, time::timeout};

use crate::{Engine, Target};

/// How often the database is asked, and how long it may take: together less than two seconds.
const EVERY: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(1);

/// Asks for ever whether the database answers, and tells when that changes. It asks over a connection of its own: a busy pool is no
/// sick database. A SQLite database is a part of this process and cannot be away.
pub async fn pulse(target: Target, answers: watch::Sender<bool>) -> Infallible {
    if target.engine == Engine::Sqlite {
        return pending().await;
    }
    let mut connection = None;
    loop {
        let found = timeout(PATIENCE, ask(&target, &mut connection)).await;
        let answered = matches!(found, Ok(Ok(())));
        if !answered {
            // What hangs is of no more use.
            connection = None;
        }
        let changed = answers.send_if_modified(|known| std::mem::replace(known, answered) != answered);
        if changed {
            tracing::warn!(answered, "the database answers, or no longer");
        }
        tokio::time::sleep(EVERY).await;
    }
}

async fn ask(target: &Target, connection: &mut Option<DatabaseConnection>) -> Result<(), DbErr> {
    let connection = match connection {
        Some(connection) => connection,
        None => {
            let mut options = ConnectOptions::new(target.url.as_str());
            options.max_connections(1).acquire_timeout(PATIENCE).sqlx_logging(false);
            options.map_sqlx_postgres_opts(|o| o.application_name("hearth-pulse"));
            connection.insert(sea_orm::Database::connect(options).await?)
        }
    };
    connection.execute_unprepared("SELECT 1").await.map(|_| ())
}
