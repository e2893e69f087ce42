//! The city that is billed: agreements that were taken over at the middle of a year with what they had used of their tiers, each with one reading a
//! month later. Everything about an agreement follows from its number, so that ids need no generator.

use anyhow::{Result, ensure};
use calendar::{Clock, Instant};
use contracts::hearth::{
    billing::v1::{BillIssued, MeterReadAccepted, bill},
    r#type::v1::Decimal,
};
use database::{Database, Engine};
use money::Money;
use prost::Message;
use rpc::wire;
use sea_orm::ConnectionTrait;
use uuid::Uuid;

use super::place::Place;

/// What an id is of.
#[derive(Clone, Copy)]
pub enum Of {
    Account = 1,
    Agreement,
    Party,
    Meter,
    Installation,
    Reading,
    Term,
    Bill,
    Transaction,
    Debit,
    Credit,
    Issued,
    Accepted,
    Journal,
}

/// Numbers of a kind of id.
const SPAN: u128 = 1 << 40;

pub const BRANCHES: [&str; 4] = ["河西区", "和平区", "南开区", "河东区"];
/// Agreements of a journal row of the reference.
pub const CHUNK: i64 = 3_400;

pub fn id(of: Of, n: i64) -> Uuid {
    Uuid::from_u128((of as u128).saturating_mul(SPAN).saturating_add(u128::from(n.unsigned_abs())))
}

/// The same in SQL, of a number `n`.
fn sql_id(engine: Engine, of: Of, n: &str) -> String {
    let base = (of as u128).saturating_mul(SPAN);
    match engine {
        Engine::Postgres => format!("CAST(lpad(to_hex({n} + {base}), 32, '0') AS uuid)"),
        Engine::Sqlite => format!("unhex(printf('%032x', {n} + {base}))"),
    }
}

/// Litres used in the tier year before the month, and in it. Whole cubic metres: prices end in whole fen then, so that the reference may compute
/// without rounding.
pub fn used(n: i64) -> (i64, i64) {
    let before = n.wrapping_mul(37).rem_euclid(650);
    let volume = n.wrapping_mul(13).rem_euclid(400).saturating_add(20);
    (before.saturating_mul(1000), volume.saturating_mul(1000))
}

/// When it is billed.
pub fn now() -> Result<Instant> {
    Ok(Instant::parse_rfc3339("2025-08-01T09:00:00+08:00")?)
}

const TIERS: &str = r#"{"tiers":[{"up_to":"300","price":"2.86"},{"up_to":"600","price":"3.36"},{"price":"4.11"}]}"#;

/// Fills a database.
pub async fn fill(place: &Place, clock: &Clock, agreements: i64) -> Result<()> {
    let db = place.fill(clock).await?;
    let engine = place.engine();
    let read_at = Instant::parse_rfc3339("2025-07-31T12:00:00+08:00")?.micros();
    let numbers = match engine {
        Engine::Postgres => format!("SELECT CAST(n AS bigint) AS n FROM generate_series(1, {agreements}) AS g(n)"),
        Engine::Sqlite => format!("WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < {agreements}) SELECT n FROM g"),
    };
    let number = match engine {
        Engine::Postgres => "lpad(CAST(n AS text), 10, '0')",
        Engine::Sqlite => "printf('%010d', n)",
    };
    let branches: Vec<String> = (0..).zip(BRANCHES).map(|(at, name)| format!("WHEN {at} THEN '{name}'")).collect();
    let branch = format!("CASE n % 4 {} END", branches.join(" "));
    let of = |of: Of| sql_id(engine, of, "n");
    let (account, agreement, party) = (of(Of::Account), of(Of::Agreement), of(Of::Party));
    let (meter, install, reading, term) = (of(Of::Meter), of(Of::Installation), of(Of::Reading), of(Of::Term));
    let (before, volume) = ("(n * 37 % 650) * 1000", "(n * 13 % 400 + 20) * 1000");
    let tariff = sql_id(engine, Of::Account, "0");
    for sql in [
        format!("INSERT INTO account (id, account_no, party_id, branch, state) SELECT {account}, 'A' || {number}, {party}, {branch}, 'OPEN' FROM ({numbers}) x"),
        format!(
            "INSERT INTO supply (id, agreement_no, account_id, account_no, party_id, branch, service, state, from_date)
             SELECT {agreement}, 'HT' || {number}, {account}, 'A' || {number}, {party}, {branch}, 'GAS', 'IN_FORCE', '2024-12-31' FROM ({numbers}) x"
        ),
        format!(
            "INSERT INTO supply_term (id, agreement_id, kind, value, from_date) SELECT {term}, {agreement}, 'USE_CLASS', 'living', '2024-12-31' FROM ({numbers}) x"
        ),
        format!(
            "INSERT INTO meter (id, meter_no, kind, model, qmax, digits, manufacturer, seal_no, branch, state, version, created_at)
             SELECT {meter}, 'M' || {number}, 'IOT', 'G2.5', 4000, 5, 'X', '', {branch}, 'INSTALLED', 1, 0 FROM ({numbers}) x"
        ),
        format!(
            "INSERT INTO installation (id, meter_id, meter_no, agreement_id, account_no, branch, from_date, initial_index, photo_file, signed, awaits_opening, end_reason, created_at)
             SELECT {install}, {meter}, 'M' || {number}, {agreement}, 'A' || {number}, {branch}, '2024-12-31', 0, 'p', true, false, '', 0 FROM ({numbers}) x"
        ),
        format!(
            "INSERT INTO opening (agreement_id, account_id, branch, as_of, tier_year, volume, installation_id, value, owed, prepaid, content, entered_by, created_at)
             SELECT {agreement}, {account}, {branch}, '2025-06-30', 2025, {before}, {install}, {before}, 0, 0, '', 'li', 0 FROM ({numbers}) x"
        ),
        format!(
            "INSERT INTO reading (id, meter_id, meter_no, installation_id, agreement_id, branch, read_at, read_date, value, raw, source, recorded_by, state, conflict, rollover, codes, created_at)
             SELECT {reading}, {meter}, 'M' || {number}, {install}, {agreement}, {branch}, {read_at}, '2025-07-31', {before} + {volume}, 'raw', 'remote', 'li', 'VALIDATED', false, false, '', 0
             FROM ({numbers}) x"
        ),
        format!(
            "INSERT INTO tariff (id, name, commodity, from_date, legal_basis, approved_by, published_date, year_start_month, year_start_day, boundary, created_at)
             VALUES ({tariff}, 'city gas', 'natural_gas', '2024-09-01', 'notice', 'commission', '2024-08-30', 1, 1, 'READING_CYCLE', 0)"
        ),
        format!(
            "INSERT INTO tariff_price (id, tariff_id, commodity, use_class, from_date, terms, replaced) VALUES ({tariff}, {tariff}, 'natural_gas', 'living', '2024-09-01', '{TIERS}', false)"
        ),
    ] {
        // A fill may take longer than a statement of a service.
        let tx = db.writer().begin(sea_orm::TransactionOptions::default()).await?;
        if engine == Engine::Postgres {
            tx.execute_unprepared("SET LOCAL statement_timeout = 0").await?;
        }
        tx.execute_unprepared(&sql).await?;
        tx.commit().await?;
    }
    stage(&db, agreements).await?;
    settle(&db).await?;
    db.close().await;
    Ok(())
}

database::table!(input, "bench_input", {
    #[sea_orm(primary_key, auto_increment = false)] n: i64,
    bill_id: Uuid,
    bill_no: String,
    transaction_id: Uuid,
    debit_id: Uuid,
    credit_id: Uuid,
    issued_id: Uuid,
    accepted_id: Uuid,
    journal_id: Uuid,
    ordinal: i32,
    agreement_id: Uuid,
    account_id: Uuid,
    account_no: String,
    party_id: Uuid,
    branch: String,
    installation_id: Uuid,
    meter: String,
    reading_id: Uuid,
    from_index: i64,
    to_index: i64,
    issued: Vec<u8>,
    accepted: Vec<u8>,
});

/// The inputs of the reference in one table: ids and the bytes of events are given to it, amounts, lines and explanations it computes.
async fn stage(db: &Database, agreements: i64) -> Result<()> {
    let id_type = "uuid NOT NULL";
    let tx = db.writer().begin(sea_orm::TransactionOptions::default()).await?;
    tx.execute_unprepared(&format!(
        "CREATE TABLE bench_input (n bigint NOT NULL PRIMARY KEY, bill_id {id_type}, bill_no text NOT NULL, transaction_id {id_type}, debit_id {id_type}, credit_id {id_type},
         issued_id {id_type}, accepted_id {id_type}, journal_id {id_type}, ordinal integer NOT NULL, agreement_id {id_type}, account_id {id_type}, account_no text NOT NULL,
         party_id {id_type}, branch text NOT NULL, installation_id {id_type}, meter text NOT NULL, reading_id {id_type}, from_index bigint NOT NULL, to_index bigint NOT NULL,
         issued bytea NOT NULL, accepted bytea NOT NULL)"
    ))
    .await?;
    let mut first = 1;
    while first <= agreements {
        let last = first.saturating_add(9_999).min(agreements);
        let rows: Vec<_> = (first..=last).map(row).collect::<Result<_>>()?;
        database::table::insert_all::<input::Entity>(&tx, rows).await?;
        first = last.saturating_add(1);
    }
    tx.commit().await?;
    Ok(())
}

fn row(n: i64) -> Result<input::Model> {
    let (before, volume) = used(n);
    let branch = usize::try_from(n.rem_euclid(4))
        .ok()
        .and_then(|at| BRANCHES.get(at))
        .copied()
        .unwrap_or_default();
    let bill_no = format!("BL-{branch}-2025-{:08}", n.saturating_add(3).div_euclid(4).max(1));
    let reading_at = Instant::parse_rfc3339("2025-07-31T12:00:00+08:00")?;
    let date = |text: &str| text.parse::<chrono::NaiveDate>().map(wire::date);
    let issued = BillIssued {
        bill_id: id(Of::Bill, n).to_string(),
        bill_no: bill_no.clone(),
        agreement_id: id(Of::Agreement, n).to_string(),
        account_id: id(Of::Account, n).to_string(),
        party_id: id(Of::Party, n).to_string(),
        branch: branch.to_owned(),
        year: 2025,
        month: 7,
        amount: Some(wire::money(Money::from_fen(fen(before, volume)))),
        issue_date: Some(date("2025-08-01")?),
        due_date: Some(date("2025-08-16")?),
        de_facto: false,
        kind: bill::Kind::Regular.into(),
        service: "GAS".to_owned(),
        from_date: Some(date("2025-06-30")?),
        to_date: Some(date("2025-07-31")?),
    };
    let to_index = before.saturating_add(volume);
    let accepted = MeterReadAccepted {
        reading_id: id(Of::Reading, n).to_string(),
        meter_no: format!("M{n:010}"),
        agreement_id: id(Of::Agreement, n).to_string(),
        read_time: Some(wire::time(reading_at)),
        index: Some(Decimal {
            value: to_index.div_euclid(1000).to_string(),
        }),
        branch: branch.to_owned(),
    };
    Ok(input::Model {
        n,
        bill_id: id(Of::Bill, n),
        bill_no,
        transaction_id: id(Of::Transaction, n),
        debit_id: id(Of::Debit, n),
        credit_id: id(Of::Credit, n),
        issued_id: id(Of::Issued, n),
        accepted_id: id(Of::Accepted, n),
        journal_id: id(Of::Journal, n.div_euclid(CHUNK)),
        ordinal: i32::try_from(n.rem_euclid(CHUNK))?,
        agreement_id: id(Of::Agreement, n),
        account_id: id(Of::Account, n),
        account_no: format!("A{n:010}"),
        party_id: id(Of::Party, n),
        branch: branch.to_owned(),
        installation_id: id(Of::Installation, n),
        meter: id(Of::Installation, n).to_string(),
        reading_id: id(Of::Reading, n),
        from_index: before,
        to_index,
        issued: issued.encode_to_vec(),
        accepted: accepted.encode_to_vec(),
    })
}

/// What a bill comes to, fen: for the bytes of the event only, which the reference is given.
fn fen(before: i64, volume: i64) -> i64 {
    let after = before.saturating_add(volume);
    [(0, 300_000, 286), (300_000, 600_000, 336), (600_000, i64::MAX, 411)]
        .into_iter()
        .map(|(low, high, price): (i64, i64, i64)| after.min(high).saturating_sub(before.max(low)).max(0).saturating_mul(price).div_euclid(1000))
        .fold(0, i64::saturating_add)
}

/// Statistics and clean pages, as a database has that was not filled a moment ago.
async fn settle(db: &Database) -> Result<()> {
    let sql: &[&str] = match db.engine() {
        Engine::Postgres => &["VACUUM ANALYZE"],
        Engine::Sqlite => &["ANALYZE", "PRAGMA wal_checkpoint(TRUNCATE)"],
    };
    for sql in sql {
        db.writer().execute_unprepared(sql).await?;
    }
    Ok(())
}

/// What stands in a table.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    name: &'static str,
    rows: usize,
    digest: String,
    /// The first row, for people.
    first: Option<String>,
}

/// What a database holds after its bills were made, table by table: the rows as one text each, in an order that both sides share, without generated ids,
/// the numbers of bills, which follow the order in which workers came, and the journal, whose rows are of chunks.
pub async fn written(db: &Database, agreements: i64) -> Result<Vec<Table>> {
    let mut tables = vec![];
    for (name, columns, from, order) in WRITTEN {
        let text = |column: &&str| match db.engine() {
            Engine::Sqlite if column.ends_with("_id") => format!("coalesce(hex({column}), '')"),
            _ => format!("coalesce(CAST({column} AS text), '')"),
        };
        let columns: Vec<String> = columns.iter().map(text).collect();
        let sql = format!("SELECT {} FROM {from} ORDER BY {order}", columns.join(" || '|' || "));
        let tx = db.writer().begin(sea_orm::TransactionOptions::default()).await?;
        let rows = tx.query_all_raw(sea_orm::Statement::from_string(tx.get_database_backend(), sql)).await?;
        let mut digest = <sha2::Sha256 as sha2::Digest>::new();
        for row in &rows {
            sha2::Digest::update(&mut digest, row.try_get_by_index::<String>(0)?);
            sha2::Digest::update(&mut digest, "\n");
        }
        tables.push(Table {
            name,
            rows: rows.len(),
            digest: hex::encode(sha2::Digest::finalize(digest)),
            first: rows.first().map(|row| row.try_get_by_index(0)).transpose()?,
        });
        tx.commit().await?;
    }
    let bills = tables.first().map_or(0, |table| table.rows);
    ensure!(i64::try_from(bills)? == agreements, "{bills} bills of {agreements} agreements");
    Ok(tables)
}

type Written = (&'static str, &'static [&'static str], &'static str, &'static str);

const WRITTEN: &[Written] = &[
    (
        "bill",
        &[
            "kind",
            "state",
            "account_no",
            "account_id",
            "agreement_id",
            "party_id",
            "installation_id",
            "reading_id",
            "tariff_id",
            "branch",
            "year",
            "month",
            "from_date",
            "to_date",
            "from_index",
            "to_index",
            "volume",
            "volume_before",
            "tier_year",
            "use_class",
            "amount",
            "paid",
            "issue_date",
            "due_date",
            "de_facto",
            "estimated",
            "low_income",
            "persons",
            "credit_note_no",
            "created_at",
            "version",
            "fee_item_id",
            "delivered_date",
            "service",
            "season",
            "unit",
            "replaces_bill_id",
            "credited",
            "length(bill_no)",
        ],
        "bill",
        "account_no",
    ),
    (
        "bill_line",
        &[
            "b.account_no",
            "l.ordinal",
            "l.tier",
            "l.volume",
            "l.price",
            "l.amount",
            "l.reason",
            "l.tier_year",
            "l.from_date",
            "l.to_date",
            "l.unit",
            "l.tariff_id",
        ],
        "bill_line l JOIN bill b ON b.id = l.bill_id",
        "b.account_no, l.ordinal",
    ),
    (
        "bill_explanation",
        &["b.account_no", "x.content"],
        "bill_explanation x JOIN bill b ON b.id = x.bill_id",
        "b.account_no",
    ),
    (
        "tier_use",
        &["b.account_no", "u.tier_year", "u.volume", "u.agreement_id"],
        "tier_use u JOIN bill b ON b.id = u.bill_id",
        "b.account_no, u.tier_year",
    ),
    (
        "ledger",
        &[
            "b.account_no",
            "t.kind",
            "t.branch",
            "t.date",
            "t.posted_at",
            "t.sealed",
            "e.book",
            "e.detail",
            "e.account_id IS NULL",
            "e.amount",
        ],
        "ledger_entry e JOIN ledger_transaction t ON t.id = e.transaction_id JOIN bill b ON b.id = t.reference",
        "b.account_no, e.book",
    ),
    ("reading", &["meter_no", "state", "value"], "reading", "meter_no"),
    (
        "event",
        &["e.kind", "s.account_no", "e.occurred_at", "length(e.data)"],
        "event e JOIN supply s ON e.subject = lower(CAST(s.account_id AS text)) OR e.subject = lower(CAST(s.id AS text))",
        "e.kind, s.account_no",
    ),
];
