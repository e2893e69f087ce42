//! Tables of reliefs, and what they are decided on.

use std::collections::HashMap;

use calendar::NaiveDate;
use contracts::hearth::billing::v1 as proto;
use database::{Conn, Scope, Scoped, find};
use money::Money;
use rating::ReadMonths;
use rpc::{Fault, page::Page, wire};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Statement};
use uuid::Uuid;

use crate::{
    bill::store::{self as bills, credit_note},
    fetch::{self, row},
    ledger::store::instant,
    meter::store::{self as meters, metres},
    run::{household::Members, model::Terms, months::read_months},
    supply::{
        model::Service,
        store::{self as supplies, supply},
    },
    table,
    tariff::model::Books,
};

table!(relief, "relief", {
    #[sea_orm(primary_key, auto_increment = false)] id: Uuid,
    relief_no: String,
    agreement_id: Uuid,
    account_id: Uuid,
    account_no: String,
    party_id: Uuid,
    branch: String,
    tier_year: i32,
    /// Which of the tier year it is, from 1.
    turn: i32,
    from_date: Date,
    to_date: Date,
    months: i32,
    used: i64,
    volume: i64,
    /// Fen that the year comes to.
    amount: i64,
    /// Fen that this one returned.
    returned: i64,
    explanation: String,
    created_at: i64,
});
table!(relief_note, "relief_note", {
    #[sea_orm(primary_key, auto_increment = false)] relief_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)] credit_note_id: Uuid,
    bill_id: Uuid,
    amount: i64,
});

impl Scoped for relief::Entity {
    const BRANCH: Option<relief::Column> = Some(relief::Column::Branch);
    const CUSTOMER: Option<relief::Column> = Some(relief::Column::PartyId);
}

row!(
    /// An agreement.
    Key,
    { agreement_id: Uuid }
);
row!(
    /// A live bill in a tier year that it counts in.
    Counted,
    {
        id: Uuid,
        agreement_id: Uuid,
        counted_in: i32,
        tier_year: i32,
        to_date: NaiveDate,
        use_class: String,
        stands: i64,
    }
);
row!(
    /// What reliefs returned of a tier year and still stands, fen.
    Given,
    {
        agreement_id: Uuid,
        tier_year: i32,
        turn: i32,
        amount: i64,
    }
);

/// Agreements of low income at any time, after one, in the order of their keys.
pub async fn low_income(conn: &Conn, after: Uuid, count: usize) -> Result<Vec<Uuid>, Fault> {
    // The kind stands in the text, since the index is made of these terms alone.
    let sql = format!("SELECT DISTINCT agreement_id FROM supply_term WHERE kind = 'LOW_INCOME' AND agreement_id > $1 ORDER BY agreement_id LIMIT {count}");
    let rows: Vec<Key> = fetch::rows(conn, Statement::from_sql_and_values(conn.get_database_backend(), sql, [after.into()])).await?;
    let mut keys: Vec<Uuid> = rows.into_iter().map(|row| row.agreement_id).collect();
    keys.sort_unstable();
    Ok(keys)
}

/// The credit notes over bills by which reliefs returned something.
pub async fn notes_of(conn: &Conn, bills: &[Uuid]) -> Result<Vec<Uuid>, Fault> {
    Ok(relief_note::Entity::find()
        .select_only()
        .column(relief_note::Column::CreditNoteId)
        .filter(relief_note::Column::BillId.is_in(bills.iter().copied()))
        .into_tuple()
        .all(conn)
        .await?)
}

/// Accounts of agreements.
pub async fn accounts(conn: &Conn, agreements: &[Uuid]) -> Result<Vec<Uuid>, Fault> {
    Ok(supply::Entity::find()
        .select_only()
        .column(supply::Column::AccountId)
        .distinct()
        .filter(table::among(conn, supply::Column::Id, agreements.iter().copied()))
        .order_by_asc(supply::Column::AccountId)
        .into_tuple()
        .all(conn)
        .await?)
}

/// All that decides what accounts get back.
pub struct Loaded {
    /// The agreements for gas, in the order of their keys.
    pub supplies: Vec<supply::Model>,
    pub terms: HashMap<Uuid, Terms>,
    pub bills: Vec<Counted>,
    /// Litres by agreement and tier year, what was taken over among them.
    pub used: HashMap<Uuid, Vec<(i32, i64)>>,
    pub given: Vec<Given>,
    /// In which months agreements are read, where their routes say so.
    pub read_months: HashMap<Uuid, ReadMonths>,
    pub members: Members,
}

impl Loaded {
    /// Loads accounts with their tier years from `since` on, in sets.
    pub async fn of(conn: &Conn, books: &Books, accounts: &[Uuid], since: i32) -> Result<Self, Fault> {
        let select = supply::Entity::find()
            .filter(table::among(conn, supply::Column::AccountId, accounts.iter().copied()))
            .filter(supply::Column::Service.eq(Service::Gas.code()));
        let mut supplies: Vec<supply::Model> = fetch::all(conn, select).await?;
        supplies.sort_unstable_by_key(|s| s.id);
        let ids: Vec<Uuid> = supplies.iter().map(|s| s.id).collect();
        let mut rows: HashMap<Uuid, Vec<supplies::term::Model>> = HashMap::new();
        for term in supplies::terms(conn, &ids).await? {
            rows.entry(term.agreement_id).or_default().push(term);
        }
        let terms = supplies.iter().map(|s| (s.id, supplies::terms_of(s, rows.get(&s.id).into_iter().flatten())));
        Ok(Self {
            terms: terms.collect(),
            bills: counted(conn, &ids, since).await?,
            used: bills::used(conn, &ids, since).await?,
            given: given(conn, &ids, since).await?,
            read_months: months(conn, books, &ids).await?,
            members: Members::of(conn, books, accounts.iter().copied()).await?,
            supplies,
        })
    }
}

/// As in a run, the route of the last meter that hangs in one counts.
async fn months(conn: &Conn, books: &Books, agreements: &[Uuid]) -> Result<HashMap<Uuid, ReadMonths>, Fault> {
    let installs = meters::of_agreements(conn, agreements).await?;
    let months = read_months(conn, books, installs.iter().map(|i| i.id)).await?;
    Ok(installs.into_iter().filter_map(|i| Some((i.agreement_id, *months.get(&i.id)?))).collect())
}

async fn counted(conn: &Conn, agreements: &[Uuid], since: i32) -> Result<Vec<Counted>, Fault> {
    let (among, keys) = table::among_sql(conn, 2, agreements);
    let sql = format!(
        "SELECT b.id, u.agreement_id, u.tier_year AS counted_in, b.tier_year, b.to_date, b.use_class, b.amount - b.credited AS stands
         FROM tier_use u JOIN bill b ON b.id = u.bill_id WHERE u.tier_year >= $1 AND b.state <> 'REVERSED' AND u.agreement_id {among}"
    );
    fetch::rows(conn, Statement::from_sql_and_values(conn.get_database_backend(), sql, [since.into(), keys])).await
}

async fn given(conn: &Conn, agreements: &[Uuid], since: i32) -> Result<Vec<Given>, Fault> {
    let (among, keys) = table::among_sql(conn, 2, agreements);
    // The credit notes of a bill that was taken back went with it.
    let sql = format!(
        "SELECT r.agreement_id, r.tier_year, r.turn, CAST(sum(CASE WHEN b.state <> 'REVERSED' THEN n.amount ELSE 0 END) AS bigint) AS amount
         FROM relief r JOIN relief_note n ON n.relief_id = r.id JOIN bill b ON b.id = n.bill_id
         WHERE r.tier_year >= $1 AND r.agreement_id {among} GROUP BY r.agreement_id, r.tier_year, r.turn"
    );
    fetch::rows(conn, Statement::from_sql_and_values(conn.get_database_backend(), sql, [since.into(), keys])).await
}

/// A page of reliefs with their credit notes.
pub async fn list(conn: &Conn, scope: &Scope, page: &Page, request: &proto::ListReliefsRequest) -> Result<(Vec<proto::Relief>, String), Fault> {
    let mut select = find::<relief::Entity>(scope).order_by_asc(relief::Column::Id).limit(page.limit());
    if let Some(after) = page.after {
        select = select.filter(relief::Column::Id.gt(after));
    }
    for (column, field, value) in [
        (relief::Column::PartyId, "party_id", &request.party_id),
        (relief::Column::AccountId, "account_id", &request.account_id),
        (relief::Column::AgreementId, "agreement_id", &request.agreement_id),
    ] {
        if let Some(id) = value {
            select = select.filter(column.eq(wire::id_of::<Uuid>(field, id)?));
        }
    }
    if request.tier_year > 0 {
        select = select.filter(relief::Column::TierYear.eq(request.tier_year));
    }
    if !request.branch.is_empty() {
        select = select.filter(relief::Column::Branch.eq(&request.branch));
    }
    let (rows, next) = page.cut(select.all(conn).await?, |r| r.id);
    let of_page = relief_note::Column::ReliefId.is_in(rows.iter().map(|r| r.id));
    let notes = relief_note::Entity::find()
        .filter(of_page.clone())
        .order_by_asc(relief_note::Column::CreditNoteId);
    let notes = notes.all(conn).await?;
    let ids = relief_note::Entity::find()
        .select_only()
        .column(relief_note::Column::CreditNoteId)
        .filter(of_page);
    let numbers = credit_note::Entity::find().filter(credit_note::Column::Id.in_subquery(ids.into_query()));
    let numbers: HashMap<Uuid, String> = numbers.all(conn).await?.into_iter().map(|n| (n.id, n.credit_note_no)).collect();
    Ok((rows.iter().map(|row| message(row, &notes, &numbers)).collect(), next))
}

fn message(row: &relief::Model, notes: &[relief_note::Model], numbers: &HashMap<Uuid, String>) -> proto::Relief {
    let fen = |amount| Some(wire::money(Money::from_fen(amount)));
    let own = notes.iter().filter(|n| n.relief_id == row.id);
    proto::Relief {
        relief_id: row.id.to_string(),
        relief_no: row.relief_no.clone(),
        agreement_id: row.agreement_id.to_string(),
        account_id: row.account_id.to_string(),
        account_no: row.account_no.clone(),
        party_id: row.party_id.to_string(),
        branch: row.branch.clone(),
        tier_year: row.tier_year,
        from_date: Some(wire::date(row.from_date)),
        to_date: Some(wire::date(row.to_date)),
        turn: row.turn,
        months: row.months,
        used: Some(metres(row.used)),
        volume: Some(metres(row.volume)),
        amount: fen(row.amount),
        returned: fen(row.returned),
        explanation: row.explanation.clone(),
        notes: own
            .map(|n| proto::ReliefNote {
                credit_note_id: n.credit_note_id.to_string(),
                credit_note_no: numbers.get(&n.credit_note_id).cloned().unwrap_or_default(),
                bill_id: n.bill_id.to_string(),
                amount: fen(n.amount),
            })
            .collect(),
        create_time: Some(instant(row.created_at)),
    }
}
