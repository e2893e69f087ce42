//! `hearth bench intake`.

use std::{collections::BTreeMap, path::PathBuf, process::ExitCode};

use anyhow::{Result, anyhow, ensure};
use calendar::{Clock, Instant};
use contracts::hearth::{
    billing::v1::{ImportReadingsRequest, ReadingRow, reading_service_client::ReadingServiceClient},
    options::v1::Role,
};
use database::{Database, Engine, Target};
use sea_orm::{
    ConnectionTrait, Statement, TransactionOptions,
    sqlx::{self, PgPool, postgres::PgPoolCopyExt},
};
use tokio_stream::StreamExt;
use uuid::Uuid;

use super::{
    cost::{Cost, Meter},
    figures::{Way, keep, publish, table},
    place::{Args, Place},
    rows::{BRANCHES, Of, fill, id, used},
};
use crate::{
    client::{Desk, person},
    say::say,
    suite::{Stores, Suite, Taken},
};

/// Take a month of readings by one stream, validated and de-duplicated.
#[derive(clap::Args)]
pub struct Intake {
    #[command(flatten)]
    place: Args,
    /// Readings, each of another meter.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    readings: i64,
    /// Rounds of every way, in turn.
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
    /// Page to write the table into.
    #[arg(long, value_name = "FILE")]
    into: Option<PathBuf>,
}

/// Rows of a message, and of a transaction on both sides.
const MESSAGE: i64 = 500;
const READ_AT: &str = "2025-08-31T12:00:00+08:00";
const READER: &str = "bench";

/// The same rows without validation.
#[derive(Clone, Copy)]
enum Reference {
    Insert,
    Copy,
}

impl Reference {
    fn way(self) -> Way {
        match self {
            Self::Insert => Way::new("INSERT … ON CONFLICT DO NOTHING", (Some(90), None)),
            Self::Copy => Way::new("COPY with the same key", (Some(35), None)),
        }
    }
}

impl Intake {
    pub async fn run(self) -> Result<ExitCode> {
        let clock = Clock::simulated(Instant::parse_rfc3339("2025-08-31T20:00:00+08:00")?);
        let place = self.place.open().await?;
        let folder = tempfile::tempdir()?;
        boot::keys::make(&folder.path().join("keys"), &[])?;
        say(format!("filling a database with {} meters", self.readings))?;
        fill(&place, &clock, self.readings).await?;
        let references = match place.engine() {
            Engine::Postgres => &[Reference::Insert, Reference::Copy][..],
            Engine::Sqlite => &[Reference::Insert],
        };
        let mut ways = vec![Way::new("client stream", (None, None))];
        ways.extend(references.iter().map(|reference| reference.way()));
        for round in 1..=self.rounds {
            let db = place.round(&clock).await?;
            let ours = self.ours(&place, &db, &clock, folder.path()).await?;
            let result = self.taken(&db).await?;
            let pieces = match place.engine() {
                Engine::Postgres => self.finished(&place).await?,
                Engine::Sqlite => vec![],
            };
            db.close().await;
            let mut costs = vec![ours];
            for reference in references {
                let db = place.round(&clock).await?;
                let meter = Meter::begin(&db).await?;
                match reference {
                    Reference::Insert => self.inserted(&place, &db).await?,
                    Reference::Copy => copied(&place, &pieces).await?,
                }
                costs.push(meter.end()?);
                let other = self.taken(&db).await?;
                ensure!(result == other, "the rows differ: {result:?} and {other:?}");
                db.close().await;
            }
            keep(round, &mut ways, costs)?;
        }
        let engine = place.engine_name();
        let text = format!(
            "{engine}, {} readings in messages of {MESSAGE}, medians of {} rounds; client and service in one process.\n\n{}",
            self.readings,
            self.rounds,
            table(&ways, self.readings.unsigned_abs(), "readings")
        );
        publish(&format!("intake {engine} {} readings", self.readings), &text, self.into.as_deref())?;
        place.close().await?;
        Ok(ExitCode::SUCCESS)
    }

    /// Through the whole service: TLS, token, stream, validation.
    async fn ours(&self, place: &Place, db: &Database, clock: &Clock, folder: &std::path::Path) -> Result<Cost> {
        let keys = folder.join("keys");
        let own = tempfile::tempdir_in(folder)?;
        let billing = Target::parse(&place.round_url()?).map_err(|e| anyhow!(e))?;
        let stores = |service: &str| {
            let database = match service {
                "billing" => billing.clone(),
                other => Target::parse(&format!("sqlite://{}", own.path().join(format!("{other}.db")).display())).map_err(|e| anyhow!(e))?,
            };
            Ok(Stores {
                database,
                files: own.path().join(format!("{service}-files")),
                ring: keys.join(format!("{service}.vault")),
            })
        };
        let free = boot::PORTS.iter().map(|(name, _)| (*name, 0)).collect::<BTreeMap<_, _>>();
        let suite = Suite::begin(stores, &keys, clock.clone(), &free, Taken::Move, &[]).await?;
        let address = format!("https://{}", suite.address("billing")?);
        let client = Desk::new(&keys)?.client(&address, person(READER, &[Role::Reader]))?;
        let last = self.readings;
        let messages: Vec<_> = (1..=last).step_by(usize::try_from(MESSAGE)?).map(|first| message(first, last)).collect();
        let meter = Meter::begin(db).await?;
        let mut answers = ReadingServiceClient::new(client)
            .import_readings(tokio_stream::iter(messages))
            .await?
            .into_inner();
        let mut accepted = 0_i64;
        while let Some(answer) = answers.next().await {
            let answer = answer?;
            ensure!(answer.refused.is_empty() && answer.held == 0, "{answer:?}");
            accepted = accepted.saturating_add(answer.accepted.into());
        }
        let cost = meter.end()?;
        ensure!(accepted == self.readings, "{accepted} readings of {}", self.readings);
        suite.stop().await?;
        Ok(cost)
    }

    /// The rows as the service wrote them, in the binary form of COPY, a piece for each message.
    async fn finished(&self, place: &Place) -> Result<Vec<Vec<u8>>> {
        let pool = place.pool().await?;
        let mut pieces = vec![];
        for first in (1..=self.readings).step_by(usize::try_from(MESSAGE)?) {
            let last = first.saturating_add(MESSAGE).saturating_sub(1);
            let rows = format!(
                "COPY (SELECT {COLUMNS} FROM reading WHERE read_date > '2025-08-01' AND meter_no >= 'M{first:010}' AND meter_no <= 'M{last:010}' ORDER BY meter_no)
                 TO STDOUT (FORMAT binary)"
            );
            let mut out = pool.copy_out_raw(&rows).await?;
            let mut piece = vec![];
            while let Some(part) = out.next().await {
                piece.extend_from_slice(&part?);
            }
            pieces.push(piece);
        }
        pool.close().await;
        Ok(pieces)
    }

    /// The same rows without validation.
    async fn inserted(&self, place: &Place, db: &Database) -> Result<()> {
        let at = Instant::parse_rfc3339(READ_AT)?.micros();
        let now = db.clock().now().micros();
        let mut first = 1_i64;
        let pool = match db.engine() {
            Engine::Postgres => Some(place.pool().await?),
            Engine::Sqlite => None,
        };
        while first <= self.readings {
            let last = first.saturating_add(MESSAGE).saturating_sub(1).min(self.readings);
            match &pool {
                Some(pool) => unnest(pool, first..=last, at, now).await?,
                None => values(db, first..=last, at, now).await?,
            }
            first = last.saturating_add(1);
        }
        Ok(())
    }

    /// What stands of the month, for comparison.
    async fn taken(&self, db: &Database) -> Result<(usize, String)> {
        let ids = ["meter_id", "installation_id", "agreement_id"].map(|id| match db.engine() {
            Engine::Postgres => format!("CAST({id} AS text)"),
            Engine::Sqlite => format!("hex({id})"),
        });
        let sql = format!(
            "SELECT {} || '|' || meter_no || '|' || branch || '|' || read_at || '|' || CAST(read_date AS text) || '|' || value || '|' || raw || '|' || source || '|' || recorded_by || '|' || state
             || '|' || CAST(conflict AS text) || '|' || CAST(rollover AS text) || '|' || codes || '|' || created_at FROM reading WHERE read_date > '2025-08-01' ORDER BY meter_no",
            ids.join(" || '|' || ")
        );
        let rows = db
            .writer()
            .query_all_raw(Statement::from_string(db.writer().get_database_backend(), sql))
            .await?;
        let mut digest = <sha2::Sha256 as sha2::Digest>::new();
        for row in &rows {
            sha2::Digest::update(&mut digest, row.try_get_by_index::<String>(0)?);
        }
        Ok((rows.len(), hex::encode(sha2::Digest::finalize(digest))))
    }
}

/// Litres that a meter shows at the end of August: of 31 days as much as of the 212 days since it was installed, so that nothing is held.
fn index(n: i64) -> i64 {
    let (before, volume) = used(n);
    let metres = before.saturating_add(volume).div_euclid(1000);
    let more = metres.saturating_mul(31).saturating_add(106).div_euclid(212);
    metres.saturating_add(more).saturating_mul(1000)
}

fn message(first: i64, last: i64) -> ImportReadingsRequest {
    let row = |n: i64| ReadingRow {
        line: i32::try_from(n).unwrap_or(i32::MAX),
        meter_no: format!("M{n:010}"),
        read_at: READ_AT.to_owned(),
        index: index(n).div_euclid(1000).to_string(),
        source: "remote".to_owned(),
        time_twice: false,
        raw_index: None,
    };
    ImportReadingsRequest {
        request_id: Uuid::now_v7().to_string(),
        dry_run: false,
        rows: (first..first.saturating_add(MESSAGE).min(last.saturating_add(1))).map(row).collect(),
    }
}

const COLUMNS: &str = "id, meter_id, meter_no, installation_id, agreement_id, branch, read_at, read_date, value, raw, source, recorded_by, state, conflict, rollover, codes, created_at";

fn branch(n: i64) -> &'static str {
    usize::try_from(n.rem_euclid(4))
        .ok()
        .and_then(|at| BRANCHES.get(at))
        .copied()
        .unwrap_or_default()
}

/// The same rows by COPY, a message after the other.
async fn copied(place: &Place, pieces: &[Vec<u8>]) -> Result<()> {
    let pool = place.pool().await?;
    for piece in pieces {
        let mut copy = pool.copy_in_raw(&format!("COPY reading ({COLUMNS}) FROM STDIN (FORMAT binary)")).await?;
        copy.send(piece.as_slice()).await?;
        copy.finish().await?;
    }
    Ok(())
}

async fn unnest(pool: &PgPool, numbers: std::ops::RangeInclusive<i64>, at: i64, now: i64) -> Result<()> {
    let of = |of: Of| numbers.clone().map(|n| id(of, n)).collect::<Vec<_>>();
    let sql = format!(
        "INSERT INTO reading ({COLUMNS}) SELECT i, m, n, s, a, b, {at}, '2025-08-31', v, r, 'remote', '{READER}', 'VALIDATED', false, false, '', {now}
         FROM unnest($1, $2, $3, $4, $5, $6, $7, $8) AS x(i, m, n, s, a, b, v, r) ON CONFLICT DO NOTHING"
    );
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(numbers.clone().map(|_| Uuid::now_v7()).collect::<Vec<_>>())
        .bind(of(Of::Meter))
        .bind(numbers.clone().map(|n| format!("M{n:010}")).collect::<Vec<_>>())
        .bind(of(Of::Installation))
        .bind(of(Of::Agreement))
        .bind(numbers.clone().map(branch).collect::<Vec<_>>())
        .bind(numbers.clone().map(index).collect::<Vec<_>>())
        .bind(numbers.clone().map(|n| index(n).div_euclid(1000).to_string()).collect::<Vec<_>>())
        .execute(pool)
        .await?;
    Ok(())
}

async fn values(db: &Database, numbers: std::ops::RangeInclusive<i64>, at: i64, now: i64) -> Result<()> {
    let mut sql = format!("INSERT INTO reading ({COLUMNS}) VALUES ");
    let mut values: Vec<sea_orm::Value> = vec![];
    for n in numbers {
        if !values.is_empty() {
            sql.push_str(", ");
        }
        sql.push_str(&format!(
            "(?, ?, ?, ?, ?, ?, {at}, '2025-08-31', ?, ?, 'remote', '{READER}', 'VALIDATED', false, false, '', {now})"
        ));
        values.extend([
            Uuid::now_v7().into(),
            id(Of::Meter, n).into(),
            format!("M{n:010}").into(),
            id(Of::Installation, n).into(),
            id(Of::Agreement, n).into(),
            branch(n).into(),
            index(n).into(),
            index(n).div_euclid(1000).to_string().into(),
        ]);
    }
    sql.push_str(" ON CONFLICT DO NOTHING");
    let tx = db.writer().begin(TransactionOptions::default()).await?;
    tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), sql, values)).await?;
    tx.commit().await?;
    Ok(())
}
