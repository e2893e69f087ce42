//! What two databases hold, in a form in which they can be compared: ids and version tags are the numbers of their first appearance.

use std::collections::{BTreeMap, HashMap};

use database::{Database, Engine};
use sea_orm::{ConnectionTrait, Statement};

/// What may differ between two runs of one script, with the reason. `*` stands for every service, and for every column of a table.
const DIFFERS: &[(&str, &str, &str, &str)] = &[
    ("*", "seal", "hash", "covers ids"),
    ("*", "journal", "hash", "covers ids"),
    ("*", "journal", "digest", "covers ids that the request names"),
    ("*", "journal", "position", "counts batches of events, which are cut as they arrive"),
    ("*", "seal", "position", "counts batches of events, which are cut as they arrive"),
    ("*", "event", "position", "steps that run beside each other commit as they come"),
    ("*", "journal", "traceparent", "random"),
    ("*", "replay", "digest", "covers ids that the request names"),
    ("*", "lease", "*", "the machine's clock"),
    ("*", "cursor", "event_id", "the event that came last, as above"),
    ("*", "parked_event", "position", "that of the event"),
    ("*", "parked_event", "tries", "the machine's clock"),
    ("*", "parked_event", "next_at", "the machine's clock"),
    ("*", "anchor", "*", "the machine's clock, and hashes that cover ids"),
    ("*", "subject_key", "*", "a random key for each person"),
    ("hall", "step", "next_attempt_at", "the machine's clock"),
    ("hall", "step", "claimed_until", "the machine's clock"),
    ("hall", "callback_draw", "draw", "drawn from the id of what the call is about"),
    ("billing", "job", "request", "the bare bytes of an id"),
];

/// What is sealed with a random nonce: of it the length is compared.
const SEALED: &[(&str, &str, &[&str])] = &[
    (
        "hall",
        "complaint",
        &["detail", "reply_text", "reporter_address", "reporter_name", "reporter_phone", "summary"],
    ),
    ("hall", "interaction", &["caller_name", "caller_phone", "detail", "opinion", "reply_text"]),
    ("hall", "service_case", &["address", "caller_name", "caller_phone", "detail", "reply_text"]),
];

/// Rows that are counted by arrival, not by what was asked.
const BATCHES: &[&str] = &["take-events", "park-event"];

/// Gives ids and tags the numbers of their first appearance. Two sides that name things alike have the same numbers.
#[derive(Default)]
pub struct Names(HashMap<String, usize>);

impl Names {
    /// The text with every id (36 characters) and every version tag (16 hexadecimal digits) by its number; unknown ones get the next.
    pub fn number(&mut self, text: &str) -> String {
        self.replace(text, |names, id| {
            let next = names.len() + 1;
            let n = *names.entry(id).or_insert(next);
            format!("#{n}")
        })
    }

    /// The same, with unknown ones as `#?`.
    fn known(&mut self, text: &str) -> String {
        self.replace(text, |names, id| names.get(&id).map_or_else(|| "#?".to_owned(), |n| format!("#{n}")))
    }

    fn replace(&mut self, text: &str, mut by: impl FnMut(&mut HashMap<String, usize>, String) -> String) -> String {
        let bytes = text.as_bytes();
        let mut out = String::with_capacity(text.len());
        let (mut from, mut at) = (0, 0);
        while at < bytes.len() {
            let length = run(&bytes[at..]);
            let found = match length {
                36.. if is_uuid(&bytes[at..at + 36]) => Some(36),
                16 if is_tag(bytes, at) => Some(16),
                _ => None,
            };
            match found {
                Some(n) => {
                    out.push_str(&text[from..at]);
                    out.push_str(&by(&mut self.0, text[at..at + n].to_ascii_lowercase()));
                    at += n;
                    from = at;
                }
                None => at += length.max(1),
            }
        }
        out.push_str(&text[from..]);
        out
    }
}

/// A version tag stands in quotes: with a stroke before them in JSON, after a length of 18 in a message. A number of 16 digits does not.
fn is_tag(bytes: &[u8], at: usize) -> bool {
    let before = |n: usize| at.checked_sub(n).map(|i| bytes[i]);
    let hex = bytes[at..at + 16].iter().all(u8::is_ascii_hexdigit);
    hex && before(1) == Some(b'"') && matches!(before(2), Some(b'\\' | 18))
}

/// How many characters of an id follow.
fn run(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|b| b.is_ascii_hexdigit() || **b == b'-').count()
}

fn is_uuid(bytes: &[u8]) -> bool {
    bytes
        .iter()
        .enumerate()
        .all(|(i, b)| if [8, 13, 18, 23].contains(&i) { *b == b'-' } else { b.is_ascii_hexdigit() })
}

/// Every row of a database by table: what it says of each column, `NULL` where it says nothing.
pub type Rows = BTreeMap<String, Vec<Vec<(String, String)>>>;

async fn ask(db: &Database, sql: &str) -> Vec<Vec<Option<String>>> {
    let reader = db.reader();
    let found = reader
        .query_all_raw(Statement::from_string(reader.get_database_backend(), sql.to_owned()))
        .await
        .unwrap_or_else(|e| panic!("{sql}: {e}"));
    let columns = found.first().map_or(0, |row| row.column_names().len());
    found
        .iter()
        .map(|row| (0..columns).map(|i| row.try_get_by_index::<Option<String>>(i).unwrap()).collect())
        .collect()
}

/// Tables and columns with what PostgreSQL and SQLite call their types.
async fn columns(db: &Database) -> BTreeMap<String, Vec<(String, String)>> {
    let sql = match db.engine() {
        Engine::Postgres => {
            "SELECT table_name::text, column_name::text, data_type::text FROM information_schema.columns WHERE table_schema = current_schema() ORDER BY 1, 2"
        }
        Engine::Sqlite => {
            "SELECT m.name, c.name, c.type FROM sqlite_master AS m JOIN pragma_table_info(m.name) AS c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' ORDER BY 1, 2"
        }
    };
    let mut found: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for row in ask(db, sql).await {
        let [Some(table), Some(column), Some(kind)] = &row[..] else {
            panic!("a column without a name")
        };
        found.entry(table.clone()).or_default().push((column.clone(), kind.to_lowercase()));
    }
    found
}

/// Reads everything but what may differ.
pub async fn rows(service: &str, db: &Database) -> Rows {
    let differs = |table: &str, column: &str| {
        DIFFERS
            .iter()
            .any(|(s, t, c, _)| (*s == "*" || *s == service) && *t == table && (*c == "*" || *c == column))
    };
    let mut all = Rows::new();
    for (table, columns) in columns(db).await {
        let columns: Vec<_> = columns.into_iter().filter(|(column, _)| !differs(&table, column)).collect();
        if columns.is_empty() {
            continue;
        }
        let list: Vec<_> = columns.iter().map(|(column, kind)| as_text(db.engine(), column, kind)).collect();
        let batches = BATCHES.iter().map(|b| format!("'{service}/{b}'")).collect::<Vec<_>>().join(", ");
        let only = if table == "journal" {
            format!(" WHERE method NOT IN ({batches})")
        } else {
            String::new()
        };
        // In order of making where nothing else tells rows apart: ids begin with their time.
        let order = if columns.iter().any(|(c, _)| c == "id") { " ORDER BY id" } else { "" };
        let sql = format!("SELECT {} FROM \"{table}\"{only}{order}", list.join(", "));
        let found = ask(db, &sql).await;
        let sealed = |column: &str| {
            let listed = SEALED.iter().any(|(s, t, columns)| *s == service && *t == table && columns.contains(&column));
            column.ends_with("_sealed") || listed
        };
        let named = |row: Vec<Option<String>>| {
            let values = row.into_iter().zip(&columns).map(|(value, (column, _))| match value {
                Some(value) if sealed(column) => format!("{} sealed", value.len()),
                Some(value) => unsealed(&value),
                None => "NULL".to_owned(),
            });
            columns.iter().map(|(c, _)| c.clone()).zip(values).collect()
        };
        let found = found.into_iter().map(named).collect();
        all.insert(table, found);
    }
    all
}

/// A text with what is sealed in it replaced by its length, alone or within JSON.
fn unsealed(value: &str) -> String {
    let mut parts = value.split(vault::SEALED);
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let length = part.bytes().take_while(|b| b.is_ascii_alphanumeric() || b"+/=".contains(b)).count();
        text.push_str(&format!("{length} sealed{}", &part[length..]));
    }
    text
}

/// A column as text that both engines write alike; bytes as characters, so that ids inside them can be read.
fn as_text(engine: Engine, column: &str, kind: &str) -> String {
    match engine {
        Engine::Postgres => match kind {
            "bytea" => format!("encode(\"{column}\", 'hex')"),
            "boolean" => format!("\"{column}\"::int::text"),
            _ => format!("\"{column}\"::text"),
        },
        Engine::Sqlite => {
            let hex = format!("lower(hex(\"{column}\"))");
            let dashed = format!(
                "substr({hex}, 1, 8) || '-' || substr({hex}, 9, 4) || '-' || substr({hex}, 13, 4) || '-' || substr({hex}, 17, 4) || '-' || substr({hex}, 21)"
            );
            let blob = if kind.contains("uuid") { dashed } else { hex };
            format!("CASE typeof(\"{column}\") WHEN 'blob' THEN {blob} ELSE CAST(\"{column}\" AS TEXT) END")
        }
    }
}

/// Ids and tags stand in messages that are kept as bytes, too.
fn readable(value: &str) -> String {
    let long = value.len() > 40 && value.len().is_multiple_of(2) && value.bytes().all(|b| b.is_ascii_hexdigit());
    if !long || value.len() == 64 {
        return value.to_owned();
    }
    let byte = |i: usize| u8::from_str_radix(&value[i..i + 2], 16).unwrap() as char;
    (0..value.len()).step_by(2).map(byte).collect()
}

/// Where two databases differ, at most ten lines for a table; the names are those of the answers and go on from there.
pub fn differences(service: &str, sides: [&Rows; 2], names: [&mut Names; 2]) -> Vec<String> {
    let mut found = vec![];
    let [left, right] = sides;
    let [a, b] = names;
    let tables: Vec<_> = left.keys().chain(right.keys().filter(|t| !left.contains_key(*t))).collect();
    for table in tables {
        let none = vec![];
        let (x, y) = (left.get(table).unwrap_or(&none), right.get(table).unwrap_or(&none));
        if x.len() != y.len() {
            found.push(format!("{service}.{table}: {} rows on SQLite, {} on PostgreSQL", x.len(), y.len()));
        }
        let (x, y) = (lines(x, a), lines(y, b));
        let unequal: Vec<_> = x.iter().zip(&y).filter(|(x, y)| x != y).take(5).collect();
        found.extend(
            unequal
                .into_iter()
                .flat_map(|(x, y)| [format!("{service}.{table} SQLite     {x}"), format!("{service}.{table} PostgreSQL {y}")]),
        );
    }
    found
}

/// The rows of a table in an order that both sides share, one line each.
fn lines(rows: &[Vec<(String, String)>], names: &mut Names) -> Vec<String> {
    let line = |row: &Vec<(String, String)>| row.iter().map(|(c, v)| format!("{c}={}", readable(v))).collect::<Vec<_>>().join(" ");
    let mut lines: Vec<_> = rows.iter().map(line).collect();
    lines.sort_by_cached_key(|line| names.known(line));
    lines.iter().map(|line| names.number(line)).collect()
}
