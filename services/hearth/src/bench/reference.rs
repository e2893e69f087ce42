//! The same bills by other ways: one statement of SQL for each table, and the finished rows by COPY.

use anyhow::{Context, Result};
use database::{Database, Engine};
use sea_orm::{
    ConnectionTrait, TransactionOptions,
    sqlx::{AssertSqlSafe, Executor, PgPool, postgres::PgPoolCopyExt},
};

/// The tables and columns that a bill is, in the order in which they are written; the last ones change rows that are there.
const TABLES: [(&str, &str); 8] = [
    ("journal", "id, written_at, actor, method, subjects, digest"),
    (
        "bill_line",
        "bill_id, ordinal, tier, volume, price, amount, reason, tariff_id, tier_year, from_date, to_date, unit",
    ),
    ("bill_explanation", "bill_id, content"),
    ("tier_use", "bill_id, tier_year, agreement_id, volume"),
    ("ledger_transaction", "id, kind, reference, branch, date, posted_at, sealed"),
    ("ledger_entry", "id, transaction_id, book, detail, account_id, amount"),
    ("bill", BILL),
    ("event", "id, journal_id, ordinal, kind, subject, occurred_at, data"),
];

const BILL: &str =
    "id, bill_no, kind, state, agreement_id, account_id, account_no, party_id, branch, year, month, from_date, to_date, from_index, to_index, volume,
    volume_before, tier_year, use_class, tariff_id, amount, paid, issue_date, due_date, de_facto, low_income, persons, installation_id, reading_id, run_id,
    credit_note_no, created_at, version, credited";

const SEAL: &str = "UPDATE ledger_transaction SET sealed = true WHERE NOT sealed";
const BILLED: &str = "UPDATE reading SET state = 'BILLED' WHERE state = 'VALIDATED'";
const NUMBERS: &str = "INSERT INTO number (series, branch, year, last) SELECT 'BL', branch, 2025, count(*) FROM bench_input GROUP BY branch";

/// One statement for each table, all of them in one transaction.
pub async fn set(db: &Database, now: i64) -> Result<()> {
    let tx = db.writer().begin(TransactionOptions::default()).await?;
    if db.engine() == Engine::Postgres {
        tx.execute_unprepared("SET LOCAL statement_timeout = 0").await?;
    }
    for (table, columns) in TABLES {
        let select = select(db.engine(), table, now).with_context(|| format!("nothing fills {table}"))?;
        tx.execute_unprepared(&format!("INSERT INTO {table} ({columns}) {select}")).await?;
    }
    for sql in [SEAL, BILLED, NUMBERS] {
        tx.execute_unprepared(sql).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Tiers with their bounds in litres and their prices in fen.
const TIERS: &str =
    "(SELECT 1 AS tier, 0 AS low, 300000 AS high, 286 AS fen UNION ALL SELECT 2, 300000, 600000, 336 UNION ALL SELECT 3, 600000, 2000000000, 411)";

fn select(engine: Engine, table: &str, now: i64) -> Option<String> {
    let (least, greatest, tariff, id, run) = match engine {
        Engine::Postgres => (
            "least",
            "greatest",
            "CAST('00000000-0000-0000-0000-010000000000' AS uuid)",
            "CAST(x.{} AS text)",
            "CAST('00000000-0000-0000-0000-000000000001' AS uuid)",
        ),
        Engine::Sqlite => (
            "min",
            "max",
            "unhex('00000000000000000000010000000000')",
            "lower(substr(hex(x.{}), 1, 8) || '-' || substr(hex(x.{}), 9, 4) || '-' || substr(hex(x.{}), 13, 4) || '-' || substr(hex(x.{}), 17, 4) || '-' || substr(hex(x.{}), 21))",
            "unhex('00000000000000000000000000000001')",
        ),
    };
    let text = |column: &str| id.replace("{}", column);
    // What lies of a bill in each tier.
    let shares = format!(
        "SELECT x.*, t.tier, t.fen, t.low, t.high, {least}(x.to_index, t.high) - {greatest}(x.from_index, t.low) AS litres FROM bench_input x JOIN {TIERS} t
         ON {least}(x.to_index, t.high) > {greatest}(x.from_index, t.low)"
    );
    let sum = format!("SELECT n, CAST(sum(litres / 1000 * fen) AS bigint) AS fen FROM ({shares}) s GROUP BY n");
    // Yuan without needless zeros.
    let yuan = |fen: &str| match engine {
        Engine::Postgres => format!("trim_scale({fen} / 100.00)"),
        Engine::Sqlite => format!("rtrim(rtrim(printf('%d.%02d', ({fen}) / 100, ({fen}) % 100), '0'), '.')"),
    };
    let first = "(CASE WHEN x.from_index < 300000 THEN 1 WHEN x.from_index < 600000 THEN 2 ELSE 3 END)";
    Some(match table {
        "journal" => format!(
            "SELECT journal_id, {now}, 'billing', 'bill-run', 'run', {} FROM bench_input GROUP BY journal_id",
            match engine {
                Engine::Postgres => "sha256(string_agg(uuid_send(bill_id), CAST('' AS bytea)))",
                Engine::Sqlite => "zeroblob(32)",
            }
        ),
        "bill_line" => format!(
            "SELECT x.bill_id, x.tier - {first}, x.tier, x.litres, x.fen * 10000, x.litres / 1000 * x.fen, 'TIER', {tariff}, 2025, '2025-06-30', '2025-07-31', NULL FROM ({shares}) x"
        )
        .replace("'2025-06-30', '2025-07-31'", &dates(engine, &["2025-06-30", "2025-07-31"])),
        "bill_explanation" => {
            let part = |of: &str| format!("string_agg({of}, '' ORDER BY s.tier)");
            let place = "(s.tier - CASE WHEN s.from_index < 300000 THEN 1 WHEN s.from_index < 600000 THEN 2 ELSE 3 END + 1)";
            let amount = yuan("s.litres / 1000 * s.fen");
            let price = yuan("s.fen");
            let end = "CASE s.tier WHEN 3 THEN '' ELSE ' ' || (s.high / 1000) END";
            format!(
                "SELECT x.bill_id, 'm1.meter is ' || x.meter || '\nm1.start given = ' || (x.from_index / 1000) || '\nm1.end given = ' || (x.to_index / 1000)
                 || '\nm1.used sub m1.end m1.start = ' || ((x.to_index - x.from_index) / 1000)
                 || '\ns1.tariff is 00000000-0000-0000-0000-010000000000\ns1.class is living\ns1.days is 2025-06-30 2025-07-31\ns1.volume add m1.used = '
                 || ((x.to_index - x.from_index) / 1000) || '\ns1.year is 2025\ns1.before given = ' || (x.from_index / 1000) || '\ns1.after add s1.before s1.volume = '
                 || (x.to_index / 1000) || '\n' || y.steps || 'sum add' || y.names || ' = ' || y.total || '\ntotal round half_up 0.01 sum = ' || y.total
                 || '\nlines spread 0.01 total' || y.names || ' =' || y.amounts || '\n'
                 FROM bench_input x JOIN (SELECT s.n, {} AS steps, {} AS names, {} AS amounts, {} AS total FROM ({shares}) s GROUP BY s.n) y ON y.n = x.n",
                part(&format!(
                    "'q' || {place} || ' overlap s1.before s1.after ' || (s.low / 1000) || {end} || ' = ' || (s.litres / 1000) || '\na' || {place} || ' mul q' || {place} || ' ' || {price} || ' = ' || {amount} || '\n'"
                )),
                part(&format!("' a' || {place}")),
                part(&format!("' ' || {amount}")),
                yuan("sum(s.litres / 1000 * s.fen)"),
            )
        }
        "tier_use" => "SELECT bill_id, 2025, agreement_id, to_index - from_index FROM bench_input".to_owned(),
        "ledger_transaction" => format!("SELECT transaction_id, 'BILL', bill_id, branch, {}, {now}, false FROM bench_input", dates(engine, &["2025-08-01"])),
        "ledger_entry" => format!(
            "SELECT x.debit_id, x.transaction_id, 'RECEIVABLE', '', x.account_id, s.fen FROM bench_input x JOIN ({sum}) s ON s.n = x.n
             UNION ALL SELECT x.credit_id, x.transaction_id, 'REVENUE', 'living', NULL, -s.fen FROM bench_input x JOIN ({sum}) s ON s.n = x.n"
        ),
        "bill" => format!(
            "SELECT x.bill_id, x.bill_no, 'REGULAR', 'ISSUED', x.agreement_id, x.account_id, x.account_no, x.party_id, x.branch, 2025, 7, {}, x.from_index, x.to_index,
             x.to_index - x.from_index, x.from_index, 2025, 'living', {tariff}, s.fen, 0, {}, false, false, 0, x.installation_id, x.reading_id, {run}, '', {now}, 1, 0
             FROM bench_input x JOIN ({sum}) s ON s.n = x.n",
            dates(engine, &["2025-06-30", "2025-07-31"]),
            dates(engine, &["2025-08-01", "2025-08-16"]),
        ),
        "event" => format!(
            "SELECT x.issued_id, x.journal_id, x.ordinal * 2, 'hearth.billing.v1.BillIssued', {}, {now}, x.issued FROM bench_input x
             UNION ALL SELECT x.accepted_id, x.journal_id, x.ordinal * 2 + 1, 'hearth.billing.v1.MeterReadAccepted', {}, {now}, x.accepted FROM bench_input x",
            text("account_id"),
            text("agreement_id"),
        ),
        _ => return None,
    })
}

/// Days as the engine keeps them.
fn dates(engine: Engine, days: &[&str]) -> String {
    let days: Vec<String> = days
        .iter()
        .map(|day| match engine {
            Engine::Postgres => format!("CAST('{day}' AS date)"),
            Engine::Sqlite => format!("'{day}'"),
        })
        .collect();
    days.join(", ")
}

/// Finished rows, in the binary form of COPY.
pub struct Finished(Vec<(String, Vec<u8>)>);

/// Takes the rows out of a database in which they were made.
pub async fn finished(pool: &PgPool) -> Result<Finished> {
    use futures::TryStreamExt;
    let mut tables = vec![];
    for (table, columns) in TABLES {
        let wanted = columns.replace("sealed", "false");
        let mut pieces = pool
            .copy_out_raw(&format!("COPY (SELECT {wanted} FROM {table}) TO STDOUT (FORMAT binary)"))
            .await?;
        let mut data = vec![];
        while let Some(piece) = pieces.try_next().await? {
            data.extend_from_slice(&piece);
        }
        tables.push((format!("COPY {table} ({columns}) FROM STDIN (FORMAT binary)"), data));
    }
    Ok(Finished(tables))
}

/// Writes finished rows by COPY, in one transaction.
pub async fn copy(pool: &PgPool, finished: &Finished) -> Result<()> {
    let mut tx = pool.begin().await?;
    for (statement, data) in &finished.0 {
        let mut copy = tx.copy_in_raw(statement).await?;
        for piece in data.chunks(1 << 20) {
            copy.send(piece).await?;
        }
        copy.finish().await?;
    }
    for sql in [SEAL, BILLED, NUMBERS] {
        (&mut *tx).execute(AssertSqlSafe(sql)).await?;
    }
    tx.commit().await?;
    Ok(())
}
