use std::{
    collections::{BTreeSet, HashMap},
    time::{SystemTime, UNIX_EPOCH},
};

use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr, sea_query::OnConflict,
};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{
    Error, Keyring,
    cipher::{self, FORMAT, Secret},
};

/// How many subjects one statement names.
const CHUNK: usize = 500;

/// Key id of a subject whose key is destroyed; the empty text is never the id of a key. The row stays, so that nobody makes a new
/// key for an erased subject.
const ERASED: &str = "";

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "subject_key")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub subject: Uuid,
        #[sea_orm(column_type = "Text")]
        pub key_id: String,
        #[sea_orm(column_type = "VarBinary(StringLen::None)")]
        pub wrapped: Vec<u8>,
        pub created_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What the database holds for a subject.
pub(crate) enum Held {
    Key(Secret),
    Erased,
}

/// The keys of some subjects.
pub(crate) struct Keys(HashMap<Uuid, Held>);

impl Keys {
    /// The key of a subject, or why there is none.
    pub(crate) fn get(&self, subject: Uuid) -> Result<&Secret, Error> {
        match self.0.get(&subject) {
            Some(Held::Key(key)) => Ok(key),
            Some(Held::Erased) => Err(Error::Erased(subject)),
            None => Err(Error::KeyMissing(subject)),
        }
    }
}

/// Reads the keys of subjects; one without a row is left out.
pub(crate) async fn load(keyring: &Keyring, conn: &impl ConnectionTrait, subjects: &BTreeSet<Uuid>) -> Result<Keys, Error> {
    let subjects: Vec<Uuid> = subjects.iter().copied().collect();
    let mut held = HashMap::with_capacity(subjects.len());
    for chunk in subjects.chunks(CHUNK) {
        for row in row::Entity::find().filter(row::Column::Subject.is_in(chunk.iter().copied())).all(conn).await? {
            held.insert(
                row.subject,
                if row.key_id == ERASED {
                    Held::Erased
                } else {
                    Held::Key(unwrap(keyring, &row)?)
                },
            );
        }
    }
    Ok(Keys(held))
}

/// Reads the keys of subjects and makes those that are missing. Of two who make the same key at once the first wins, and both read
/// the winner's.
pub(crate) async fn load_or_create(keyring: &Keyring, conn: &impl ConnectionTrait, subjects: &BTreeSet<Uuid>) -> Result<Keys, Error> {
    let mut keys = load(keyring, conn, subjects).await?;
    let missing: BTreeSet<Uuid> = subjects.iter().filter(|subject| !keys.0.contains_key(subject)).copied().collect();
    if missing.is_empty() {
        return Ok(keys);
    }
    let created_at = now();
    // Ascending, so that two imports wait for each other in the same order.
    let rows: Vec<row::ActiveModel> = missing
        .iter()
        .map(|subject| wrap(keyring, *subject, &*cipher::random_key()?, created_at))
        .collect::<Result<_, _>>()?;
    for chunk in rows.chunks(CHUNK) {
        let first_wins = OnConflict::column(row::Column::Subject).do_nothing().to_owned();
        row::Entity::insert_many(chunk.to_vec())
            .on_conflict(first_wins)
            .exec_without_returning(conn)
            .await?;
    }
    keys.0.extend(load(keyring, conn, &missing).await?.0);
    Ok(keys)
}

/// Overwrites the key of a subject, also of one who has none yet.
pub(crate) async fn erase(conn: &impl ConnectionTrait, subject: Uuid) -> Result<(), Error> {
    let gone = row::ActiveModel {
        subject: Set(subject),
        key_id: Set(ERASED.to_owned()),
        wrapped: Set(vec![]),
        created_at: Set(now()),
    };
    let overwrite = OnConflict::column(row::Column::Subject)
        .update_columns([row::Column::KeyId, row::Column::Wrapped])
        .to_owned();
    row::Entity::insert(gone).on_conflict(overwrite).exec_without_returning(conn).await?;
    Ok(())
}

/// Keys that are in use and not on the ring.
pub(crate) async fn unknown(keyring: &Keyring, conn: &impl ConnectionTrait) -> Result<Vec<String>, Error> {
    let known = keyring.ids().chain([ERASED]);
    Ok(row::Entity::find()
        .select_only()
        .column(row::Column::KeyId)
        .distinct()
        .filter(row::Column::KeyId.is_not_in(known))
        .into_tuple()
        .all(conn)
        .await?)
}

/// Wraps up to `limit` subject keys anew with the current key; answers how many.
pub(crate) async fn rewrap(keyring: &Keyring, conn: &impl ConnectionTrait, limit: u64) -> Result<u64, Error> {
    let behind = row::Entity::find()
        .filter(row::Column::KeyId.is_not_in([ERASED, keyring.current().id.as_str()]))
        .order_by_asc(row::Column::Subject)
        .limit(limit)
        .all(conn)
        .await?;
    let mut done = 0_u64;
    for chunk in behind.chunks(CHUNK) {
        let rows: Vec<_> = chunk
            .iter()
            .map(|row| wrap(keyring, row.subject, &*unwrap(keyring, row)?, row.created_at))
            .collect::<Result<_, Error>>()?;
        // An erasure that came in between stays.
        let unless_erased = OnConflict::column(row::Column::Subject)
            .update_columns([row::Column::KeyId, row::Column::Wrapped])
            .action_and_where(Expr::col((row::Entity, row::Column::KeyId)).ne(ERASED))
            .to_owned();
        row::Entity::insert_many(rows).on_conflict(unless_erased).exec_without_returning(conn).await?;
        done = done.saturating_add(chunk.len() as u64);
    }
    Ok(done)
}

/// Format, length of the key id, key id; then nonce, wrapped key and tag.
fn wrap(keyring: &Keyring, subject: Uuid, key: &[u8; 32], created_at: i64) -> Result<row::ActiveModel, Error> {
    let by = keyring.current();
    let wrapped = cipher::seal(&by.wrapping, &header(&by.id), &[b"subject_key", subject.as_bytes()], key)?;
    Ok(row::ActiveModel {
        subject: Set(subject),
        key_id: Set(by.id.clone()),
        wrapped: Set(wrapped),
        created_at: Set(created_at),
    })
}

fn unwrap(keyring: &Keyring, row: &row::Model) -> Result<Secret, Error> {
    let header = header(&row.key_id);
    if !row.wrapped.starts_with(&header) {
        return Err(Error::Broken("unknown format or another key id"));
    }
    let clear = cipher::open(
        &keyring.key(&row.key_id)?.wrapping,
        header.len(),
        &[b"subject_key", row.subject.as_bytes()],
        &row.wrapped,
    )?;
    clear.as_slice().try_into().map(Zeroizing::new).map_err(|_| Error::Broken("not a 256-bit key"))
}

fn header(key_id: &str) -> Vec<u8> {
    // Ids are at most 32 bytes long.
    [&[FORMAT, key_id.len() as u8], key_id.as_bytes()].concat()
}

/// Microseconds UTC of the real clock: the age of a key is a matter of security, not of the rules.
#[allow(clippy::disallowed_methods)]
fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |age| i64::try_from(age.as_micros()).unwrap_or(i64::MAX))
}
