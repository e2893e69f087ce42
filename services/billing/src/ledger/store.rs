//! Tables and postings of the ledger.

use calendar::{Instant, NaiveDate};
use contracts::hearth::billing::v1::{Balance, LedgerEntry, LedgerReport, LedgerTransaction, ListTransactionsRequest};
use database::{Conn, Scope, Scoped, Write, find};
use money::Money;
use rpc::{Fault, page::Page, wire};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Statement};
use uuid::Uuid;

use crate::{
    late_fee,
    supply::{self, store::account},
    table,
};

table!(transaction, "ledger_transaction", {
    #[sea_orm(primary_key, auto_increment = false)] id: Uuid,
    kind: String,
    reference: Uuid,
    branch: String,
    date: Date,
    posted_at: i64,
    sealed: bool,
});
table!(entry, "ledger_entry", {
    #[sea_orm(primary_key, auto_increment = false)] id: Uuid,
    transaction_id: Uuid,
    book: String,
    detail: String,
    account_id: Option<Uuid>,
    amount: i64,
});

/// A book of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Book {
    /// What accounts owe (应收).
    Receivable,
    /// What was sold (收入), by class of use.
    Revenue,
    /// Money taken (现金), by channel.
    Cash,
    /// What accounts paid ahead (预收).
    Prepayment,
    /// What was taken over from the system before this one (期初).
    Opening,
}

impl Book {
    /// Its code in the database.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Receivable => "RECEIVABLE",
            Self::Revenue => "REVENUE",
            Self::Cash => "CASH",
            Self::Prepayment => "PREPAYMENT",
            Self::Opening => "OPENING",
        }
    }
}

/// What is to be posted: one transaction.
pub struct Posting {
    /// BILL, BILL_REVERSAL, PAYMENT, PREPAYMENT_USE, PAYMENT_REVERSAL, LATE_FEE_RETURN, OPENING.
    pub kind: &'static str,
    /// Bill or payment.
    pub reference: Uuid,
    pub branch: String,
    pub lines: Vec<Line>,
}

/// One side of a posting. Debit is positive, fen.
pub struct Line {
    pub book: Book,
    pub detail: String,
    pub account: Option<Uuid>,
    pub amount: i64,
}

impl Scoped for transaction::Entity {
    const BRANCH: Option<transaction::Column> = Some(transaction::Column::Branch);
}

impl Posting {
    /// A posting without lines.
    pub fn new(kind: &'static str, reference: Uuid, branch: &str) -> Self {
        Self {
            kind,
            reference,
            branch: branch.to_owned(),
            lines: vec![],
        }
    }

    /// Adds a side; nothing is left out.
    #[must_use]
    pub fn line(mut self, book: Book, detail: &str, account: Option<Uuid>, amount: i64) -> Self {
        if amount != 0 {
            self.lines.push(Line {
                book,
                detail: detail.to_owned(),
                account,
                amount,
            });
        }
        self
    }
}

/// Posts transactions in sets: the lines stand under unsealed transactions, then all are sealed, which the database refuses for one
/// that does not sum up to 0. A posting without lines leaves nothing.
pub async fn post(write: &Write, postings: Vec<Posting>) -> Result<(), Fault> {
    let now = write.now();
    let (mut transactions, mut entries, mut ids) = (vec![], vec![], vec![]);
    for posting in postings.into_iter().filter(|p| !p.lines.is_empty()) {
        let id = Uuid::now_v7();
        ids.push(id);
        transactions.push(transaction::Model {
            id,
            kind: posting.kind.to_owned(),
            reference: posting.reference,
            branch: posting.branch,
            date: now.date(),
            posted_at: now.micros(),
            sealed: false,
        });
        for line in posting.lines {
            entries.push(entry::Model {
                id: Uuid::now_v7(),
                transaction_id: id,
                book: line.book.code().to_owned(),
                detail: line.detail,
                account_id: line.account,
                amount: line.amount,
            });
        }
    }
    if ids.is_empty() {
        return Ok(());
    }
    table::insert_all::<transaction::Entity>(write, transactions).await?;
    table::insert_all::<entry::Entity>(write, entries).await?;
    transaction::Entity::update_many()
        .col_expr(transaction::Column::Sealed, true.into())
        .filter(table::among(write, transaction::Column::Id, ids))
        .exec(&**write)
        .await?;
    Ok(())
}

/// A page of posted transactions with their entries.
pub async fn list(conn: &Conn, scope: &Scope, page: &Page, request: &ListTransactionsRequest) -> Result<(Vec<LedgerTransaction>, String), Fault> {
    let mut select = find::<transaction::Entity>(scope)
        .filter(transaction::Column::Sealed.eq(true))
        .order_by_asc(transaction::Column::Id)
        .limit(page.limit());
    if let Some(after) = page.after {
        select = select.filter(transaction::Column::Id.gt(after));
    }
    if !request.branch.is_empty() {
        select = select.filter(transaction::Column::Branch.eq(&request.branch));
    }
    if !request.kind.is_empty() {
        select = select.filter(transaction::Column::Kind.eq(&request.kind));
    }
    if let Some(from) = wire::date_if(request.from_date.as_ref(), "from_date")? {
        select = select.filter(transaction::Column::Date.gte(from));
    }
    if let Some(until) = wire::date_if(request.until_date.as_ref(), "until_date")? {
        select = select.filter(transaction::Column::Date.lte(until));
    }
    if let Some(account) = &request.account_id {
        let account: Uuid = wire::id_of("account_id", account)?;
        let of_account = entry::Entity::find()
            .select_only()
            .column(entry::Column::TransactionId)
            .filter(entry::Column::AccountId.eq(account))
            .into_query();
        select = select.filter(transaction::Column::Id.in_subquery(of_account));
    }
    let (rows, next) = page.cut(select.all(conn).await?, |r| r.id);
    let entries = entry::Entity::find()
        .filter(entry::Column::TransactionId.is_in(rows.iter().map(|r| r.id)))
        .order_by_asc(entry::Column::Id)
        .all(conn)
        .await?;
    let messages = rows.iter().map(|row| LedgerTransaction {
        transaction_id: row.id.to_string(),
        kind: row.kind.clone(),
        reference: row.reference.to_string(),
        branch: row.branch.clone(),
        date: Some(wire::date(row.date)),
        post_time: Some(instant(row.posted_at)),
        entries: entries.iter().filter(|e| e.transaction_id == row.id).map(side).collect(),
    });
    Ok((messages.collect(), next))
}

fn side(row: &entry::Model) -> LedgerEntry {
    LedgerEntry {
        book: row.book.clone(),
        detail: row.detail.clone(),
        account_id: row.account_id.map(|id| id.to_string()).unwrap_or_default(),
        amount: Some(wire::money(Money::from_fen(row.amount))),
    }
}

async fn numbers(conn: &Conn, sql: &str, values: Vec<sea_orm::Value>, columns: usize) -> Result<Vec<i64>, Fault> {
    let backend = conn.get_database_backend();
    let row = conn
        .query_one_raw(Statement::from_sql_and_values(backend, sql, values))
        .await?
        .ok_or_else(|| Fault::internal("a sum has no row"))?;
    (0..columns).map(|i| row.try_get_by_index::<i64>(i).map_err(Fault::from)).collect()
}

const BALANCE: &str = "SELECT CAST(coalesce(sum(CASE WHEN e.book = 'RECEIVABLE' THEN e.amount ELSE 0 END), 0) AS bigint),
    CAST(coalesce(sum(CASE WHEN e.book = 'PREPAYMENT' THEN -e.amount ELSE 0 END), 0) AS bigint)
    FROM ledger_entry e JOIN ledger_transaction t ON t.id = e.transaction_id WHERE e.account_id = $1 AND t.sealed";

/// What an account owes and has paid ahead, summed from the ledger, with the late fee due as of a day.
pub async fn balance(conn: &Conn, account: &account::Model, today: NaiveDate) -> Result<Balance, Fault> {
    let sums = numbers(conn, BALANCE, vec![account.id.into()], 2).await?;
    let mut sums = sums.into_iter().map(|fen| wire::money(Money::from_fen(fen)));
    let late = late_fee::store::due_of_account(conn, account.id, today).await?;
    Ok(Balance {
        account_id: account.id.to_string(),
        account_no: account.account_no.clone(),
        receivable: sums.next(),
        prepayment: sums.next(),
        late_fee: Some(wire::money(Money::from_fen(late))),
        prepayment_required: supply::hold::pays_ahead(conn, account.party_id, today).await?,
    })
}

const TOTALS: &str = "SELECT count(DISTINCT t.id), count(*), CAST(coalesce(sum(e.amount), 0) AS bigint),
    CAST(coalesce(sum(CASE WHEN e.book = 'RECEIVABLE' THEN e.amount ELSE 0 END), 0) AS bigint),
    CAST(coalesce(sum(CASE WHEN e.book = 'PREPAYMENT' THEN -e.amount ELSE 0 END), 0) AS bigint),
    CAST(coalesce(sum(CASE WHEN e.book = 'REVENUE' THEN -e.amount ELSE 0 END), 0) AS bigint),
    CAST(coalesce(sum(CASE WHEN e.book = 'CASH' THEN e.amount ELSE 0 END), 0) AS bigint),
    CAST(coalesce(sum(CASE WHEN e.book = 'OPENING' THEN -e.amount ELSE 0 END), 0) AS bigint)
    FROM ledger_entry e JOIN ledger_transaction t ON t.id = e.transaction_id WHERE t.sealed";

/// Faults that a check counts, with the text that names them.
const CHECKS: [(&str, &str); 14] = [
    ("transactions that do not sum up to 0", "SELECT count(*) FROM (SELECT transaction_id FROM ledger_entry GROUP BY transaction_id HAVING sum(amount) <> 0) x"),
    ("transactions that were never sealed", "SELECT count(*) FROM ledger_transaction WHERE NOT sealed"),
    ("entries without a transaction", "SELECT count(*) FROM ledger_entry e LEFT JOIN ledger_transaction t ON t.id = e.transaction_id WHERE t.id IS NULL"),
    (
        "accounts whose open bills differ from the ledger",
        "SELECT count(*) FROM (
            SELECT account_id FROM (
                SELECT account_id, amount - credited - paid AS fen FROM bill WHERE state <> 'REVERSED'
                UNION ALL SELECT e.account_id, -e.amount FROM ledger_entry e WHERE e.book = 'RECEIVABLE') s
            GROUP BY account_id HAVING sum(fen) <> 0) x",
    ),
    (
        "accounts whose prepayment differs from the ledger",
        "SELECT count(*) FROM (
            SELECT account_id FROM (
                SELECT account_id, unallocated AS fen FROM payment WHERE state = 'TAKEN'
                UNION ALL SELECT e.account_id, e.amount FROM ledger_entry e WHERE e.book = 'PREPAYMENT') s
            GROUP BY account_id HAVING sum(fen) <> 0) x",
    ),
    (
        "bills whose payments differ from their shares",
        "SELECT count(*) FROM bill b LEFT JOIN (SELECT bill_id, sum(amount) AS fen FROM allocation WHERE part IS NULL GROUP BY bill_id) a ON a.bill_id = b.id
         WHERE b.paid <> coalesce(a.fen, 0)",
    ),
    (
        "late fees whose payments differ from their shares",
        "SELECT count(*) FROM (
            SELECT bill_id FROM (
                SELECT bill_id, paid AS fen FROM late_fee
                UNION ALL SELECT bill_id, -amount FROM allocation WHERE part = 'LATE_FEE') s
            GROUP BY bill_id HAVING sum(fen) <> 0) x",
    ),
    (
        "late fees that differ from their entries",
        "SELECT count(*) FROM (
            SELECT bill_id FROM (
                SELECT bill_id, accrued AS fen FROM late_fee
                UNION ALL SELECT bill_id, -amount FROM late_fee_entry) s
            GROUP BY bill_id HAVING sum(fen) <> 0) x",
    ),
    (
        "payments whose shares differ from their amount",
        "SELECT count(*) FROM payment p LEFT JOIN (SELECT payment_id, sum(amount) AS fen FROM allocation GROUP BY payment_id) a ON a.payment_id = p.id
         WHERE (p.state = 'TAKEN' AND p.unallocated + coalesce(a.fen, 0) <> p.amount) OR (p.state = 'REVERSED' AND (p.unallocated <> 0 OR coalesce(a.fen, 0) <> 0))",
    ),
    (
        "bills whose lines do not sum up to them",
        "SELECT count(*) FROM bill b LEFT JOIN (SELECT bill_id, sum(amount) AS fen FROM bill_line GROUP BY bill_id) l ON l.bill_id = b.id
         WHERE b.amount <> coalesce(l.fen, 0)",
    ),
    (
        "bills whose volume differs from what they count in their tier years",
        "SELECT count(*) FROM bill b LEFT JOIN (SELECT bill_id, sum(volume) AS litres FROM tier_use GROUP BY bill_id) u ON u.bill_id = b.id
         WHERE b.kind = 'REGULAR' AND b.volume <> coalesce(u.litres, 0)",
    ),
    // Each price of a class counts all of the volume, so that several make a multiple of it. Where the tariff or the class changes within the bill, the
    // number of prices may change with it.
    (
        "bills whose lines do not count their volume",
        "SELECT count(*) FROM bill b JOIN (SELECT bill_id, sum(volume) AS litres FROM bill_line
            WHERE reason IN ('TIER', 'HOUSEHOLD_TIER', 'LOW_INCOME', 'FLAT_CHOICE', 'UNIT') GROUP BY bill_id HAVING count(DISTINCT tariff_id) = 1) l
         ON l.bill_id = b.id WHERE b.kind = 'REGULAR' AND CASE WHEN b.volume = 0 THEN l.litres <> 0 ELSE l.litres % b.volume <> 0 END
         AND NOT EXISTS (SELECT 1 FROM supply_term t WHERE t.agreement_id = b.agreement_id AND t.kind = 'USE_CLASS' AND t.from_date > b.from_date
            AND t.from_date <= b.to_date)",
    ),
    (
        "bills whose credit notes differ from what was taken off them",
        "SELECT count(*) FROM bill b LEFT JOIN (SELECT bill_id, sum(amount) AS fen FROM credit_note GROUP BY bill_id) n ON n.bill_id = b.id
         WHERE coalesce(n.fen, 0) <> CASE WHEN b.state = 'REVERSED' THEN b.amount ELSE b.credited END",
    ),
    (
        "credit notes whose lines do not sum up to them",
        "SELECT count(*) FROM credit_note n JOIN (SELECT credit_note_id, sum(amount) AS fen FROM credit_note_line GROUP BY credit_note_id) l
         ON l.credit_note_id = n.id WHERE n.amount <> l.fen",
    ),
];

/// Checks the whole ledger against itself and against bills and payments, and the volume of bills against what it is made of.
pub async fn verify(conn: &Conn) -> Result<LedgerReport, Fault> {
    let totals = numbers(conn, TOTALS, vec![], 8).await?;
    let total = |at: usize| totals.get(at).copied().unwrap_or_default();
    let fen = |at: usize| Some(wire::money(Money::from_fen(total(at))));
    let mut report = LedgerReport {
        transactions: total(0),
        entries: total(1),
        sum: fen(2),
        receivable: fen(3),
        prepayment: fen(4),
        revenue: fen(5),
        cash: fen(6),
        faults: vec![],
        opening: fen(7),
    };
    for (name, sql) in CHECKS {
        let found = numbers(conn, sql, vec![], 1).await?.first().copied().unwrap_or_default();
        if found > 0 {
            report.faults.push(format!("{found} {name}"));
        }
    }
    Ok(report)
}

/// The instant of a stored time.
pub fn instant(micros: i64) -> prost_types::Timestamp {
    wire::time(Instant::from_micros(micros))
}
