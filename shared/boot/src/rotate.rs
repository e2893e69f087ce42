//! A change of the key of the vault while the service runs.

use std::time::{Duration, Instant};

use database::{Database, jobs};
use rpc::{Call, Fault};
use sea_orm::{ConnectionTrait, Statement};
use uuid::Uuid;
use vault::{Index, Vault};

/// How often the key file is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// A write that made something with the older key has ended by then, one way or the other.
const SETTLED: Duration = Duration::from_secs(15);
/// Name of the work, in the journal: its row says that nothing is left under the older keys.
pub const ROTATION: &str = "rotate-keys";
/// Rows of one transaction.
const CHUNK: u64 = 500;

/// Follows the key file for ever. When it has a new current key everything is brought under it, chunk by chunk: subject keys are wrapped anew, blind
/// indexes made anew. What is left is what the database says is left, so it goes on after a crash. At last a row of the journal says that the older
/// keys are not needed any more; `hearth rotate finish` asks for it.
pub(crate) async fn follow(db: Database, vault: Vault, indexes: Vec<Index>) {
    let holder = Uuid::now_v7().to_string();
    let (mut since, mut done, mut readable) = (Instant::now(), String::new(), true);
    loop {
        let renewed = vault.renew();
        match &renewed {
            Ok(true) => {
                since = Instant::now();
                tracing::info!(ring = ?vault.keyring(), "the key ring was read anew");
            }
            Err(error) if readable => tracing::error!(%error, "the key ring cannot be read; the one in hand is used"),
            _ => {}
        }
        readable = renewed.is_ok();
        let ring = vault.keyring();
        if done != ring.current_id() && ring.older_ids().next().is_some() {
            match bring_over(&db, &vault, &indexes, &holder, since.elapsed() >= SETTLED).await {
                Ok(true) => ring.current_id().clone_into(&mut done),
                Ok(false) => {}
                Err(fault) => tracing::warn!(%fault, "the change of keys is held up; it is tried again"),
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Says whether nothing is left.
async fn bring_over(db: &Database, vault: &Vault, indexes: &[Index], holder: &str, settled: bool) -> Result<bool, Fault> {
    let (ring, work) = (vault.keyring(), format!("{}/{ROTATION}", db.service()));
    let reader = db.reader();
    let sql = format!("SELECT count(*) FROM journal WHERE method = '{work}' AND subjects = '{}'", ring.current_id());
    let row = reader.query_one_raw(Statement::from_string(reader.get_database_backend(), sql)).await?;
    if row.map(|row| row.try_get_by_index::<i64>(0)).transpose()?.unwrap_or(0) > 0 {
        return Ok(true);
    }
    let mut changed = 0_u64;
    loop {
        if !jobs::hold(db, ROTATION, holder).await? {
            return Ok(false);
        }
        let mut write = db.open(&Call::background(db.service(), "rewrap-keys")).await?;
        let rows = vault.rewrap(&*write, CHUNK).await.map_err(Fault::internal)?;
        if rows == 0 {
            break;
        }
        changed = changed.saturating_add(rows);
        write.subject(ring.current_id());
        write.close().await?;
    }
    for index in indexes {
        let mut after = None;
        loop {
            if !jobs::hold(db, ROTATION, holder).await? {
                return Ok(false);
            }
            let mut write = db.open(&Call::background(db.service(), "reindex-keys")).await?;
            let (rows, last) = vault.reblind(&*write, index, after, CHUNK).await.map_err(Fault::internal)?;
            if rows > 0 {
                changed = changed.saturating_add(rows);
                write.subject(ring.current_id());
                write.close().await?;
            }
            match last {
                Some(last) => after = Some(last),
                None => break,
            }
        }
    }
    if changed > 0 || !settled {
        return Ok(false);
    }
    let mut write = db.open(&Call::background(db.service(), ROTATION)).await?;
    write.subject(ring.current_id());
    write.close().await?;
    tracing::info!(
        key = ring.current_id(),
        "everything is under the current key; the older ones are not needed any more"
    );
    Ok(true)
}
