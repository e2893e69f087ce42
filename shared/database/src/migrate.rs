use rpc::Fault;
use sea_orm::{ConnectionTrait, Statement};
use sha2::{Digest, Sha256};

use crate::{Engine, conn::Conn, connect::begin};

/// Steps of the tables that every service has. They run before those of the service and are numbered downwards from 0, so that both can grow.
const MACHINERY: [&str; 3] = [include_str!("machinery.sql"), include_str!("machinery_2.sql"), include_str!("machinery_3.sql")];
/// A table that refuses deletions refuses TRUNCATE as well, which PostgreSQL's triggers on rows do not see.
const NO_TRUNCATE: &str = include_str!("no_truncate.sql");
/// Any number that no other advisory lock of the database has.
const TABLE_LOCK: i64 = 0x6865_6172_7468;

/// Brings a database to the newest form. Each step is one transaction and leaves a row with its digest; a step that was changed
/// after it ran is refused. Safe to run from several replicas at once, and again after it was cut off anywhere.
///
/// A step is one text for both engines. Sections start with a line `-- both`, `-- sqlite` or `-- postgres`; statements are parted
/// by a line `--;`.
pub async fn migrate(connection: &Conn, engine: Engine, steps: &[&str]) -> Result<(), Fault> {
    let tx = begin(connection, engine).await?;
    if engine == Engine::Postgres {
        // Of two who make the same table at once PostgreSQL refuses one, IF NOT EXISTS or not.
        tx.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({TABLE_LOCK})")).await?;
    }
    tx.execute_unprepared("CREATE TABLE IF NOT EXISTS migration (step integer NOT NULL PRIMARY KEY, digest text NOT NULL)")
        .await?;
    tx.commit().await?;
    let machinery = MACHINERY.iter().zip(0_i32..).map(|(text, n)| (n.saturating_neg(), text));
    for (step, text) in machinery.chain((1..).zip(steps)) {
        let digest = hex::encode(Sha256::digest(text));
        let tx = begin(connection, engine).await?;
        if engine == Engine::Postgres {
            // A large table may take its time; who cannot get a lock still gives up, and is started again.
            tx.execute_unprepared("SET LOCAL statement_timeout = 0").await?;
            tx.execute_unprepared("LOCK TABLE migration IN EXCLUSIVE MODE").await?;
        }
        let backend = tx.get_database_backend();
        let done = tx
            .query_one_raw(Statement::from_string(backend, format!("SELECT digest FROM migration WHERE step = {step}")))
            .await?;
        if let Some(row) = done {
            let before: String = row.try_get("", "digest")?;
            if before != digest {
                return Err(Fault::precondition(
                    "MIGRATION_CHANGED",
                    format!("step {step} of the database was made by another text than this program has"),
                ));
            }
            tx.rollback().await?;
            continue;
        }
        for (ordinal, statement) in (1_u32..).zip(statements(text, engine)) {
            tx.execute_unprepared(&statement).await?;
            tracing::debug!(step, ordinal, "a statement of a step of the database is done");
        }
        tx.execute_unprepared(&format!("INSERT INTO migration (step, digest) VALUES ({step}, '{digest}')"))
            .await?;
        tx.commit().await?;
    }
    if engine == Engine::Postgres {
        let tx = begin(connection, engine).await?;
        tx.execute_unprepared("LOCK TABLE migration IN EXCLUSIVE MODE").await?;
        tx.execute_unprepared(NO_TRUNCATE).await?;
        tx.commit().await?;
    }
    Ok(())
}

fn statements(text: &str, engine: Engine) -> Vec<String> {
    let mut all = vec![];
    let (mut wanted, mut at) = (true, String::new());
    let mut finish = |at: &mut String| {
        let statement = std::mem::take(at);
        if !statement.trim().is_empty() {
            all.push(statement);
        }
    };
    for line in text.lines() {
        match line.trim() {
            "-- both" | "-- sqlite" | "-- postgres" => {
                finish(&mut at);
                wanted = match line.trim() {
                    "-- sqlite" => engine == Engine::Sqlite,
                    "-- postgres" => engine == Engine::Postgres,
                    _ => true,
                };
            }
            "--;" => finish(&mut at),
            _ if wanted => {
                at.push_str(line);
                at.push('\n');
            }
            _ => {}
        }
    }
    finish(&mut at);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_and_statements_are_parted() {
        let text = "CREATE A\n--;\nCREATE B\n-- sqlite\nCREATE C\n-- postgres\nCREATE D\n--;\nCREATE E\n-- both\nCREATE F\n";
        let names = |engine| statements(text, engine).iter().map(|s| s.trim().to_owned()).collect::<Vec<_>>();
        assert_eq!(names(Engine::Sqlite), ["CREATE A", "CREATE B", "CREATE C", "CREATE F"]);
        assert_eq!(names(Engine::Postgres), ["CREATE A", "CREATE B", "CREATE D", "CREATE E", "CREATE F"]);
    }
}
