//! Tables of bills.

use std::collections::HashMap;

use contracts::hearth::billing::v1 as proto;
use database::{Scope, Scoped, Write, find};
use money::{Money, UnitPrice};
use rpc::{Fault, page::Page, wire};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Statement};
use uuid::Uuid;

use super::model::{BillKind, BillState, payment, step};
use crate::{ledger::store::instant, meter::store::metres, table::table, words::known};

table!(bill, "bill", {
    #[sea_orm(primary_key, auto_increment = false)] id: Uuid,
    bill_no: String,
    kind: String,
    state: String,
    agreement_id: Uuid,
    account_id: Uuid,
    account_no: String,
    party_id: Uuid,
    branch: String,
    year: i32,
    month: i32,
    from_date: Date,
    to_date: Date,
    from_index: i64,
    to_index: i64,
    volume: i64,
    volume_before: i64,
    tier_year: i32,
    use_class: String,
    tariff_id: Uuid,
    amount: i64,
    paid: i64,
    issue_date: Date,
    due_date: Date,
    de_facto: bool,
    low_income: bool,
    persons: i32,
    installation_id: Uuid,
    reading_id: Uuid,
    run_id: Uuid,
    credit_note_no: String,
    created_at: i64,
    version: i64,
});
table!(line, "bill_line", {
    #[sea_orm(primary_key, auto_increment = false)] bill_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)] ordinal: i32,
    tier: i32,
    volume: i64,
    price: i64,
    amount: i64,
    reason: String,
    tariff_id: Uuid,
    tier_year: i32,
    from_date: Date,
    to_date: Date,
});
table!(tier_use, "tier_use", {
    #[sea_orm(primary_key, auto_increment = false)] bill_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)] tier_year: i32,
    agreement_id: Uuid,
    volume: i64,
});
table!(credit_note, "credit_note", {
    #[sea_orm(primary_key, auto_increment = false)] id: Uuid,
    credit_note_no: String,
    bill_id: Uuid,
    branch: String,
    amount: i64,
    reason: String,
    issued_by: String,
    created_at: i64,
});

impl Scoped for bill::Entity {
    const BRANCH: Option<bill::Column> = Some(bill::Column::Branch);
    const CUSTOMER: Option<bill::Column> = Some(bill::Column::PartyId);
}

impl bill::Model {
    /// Where it stands.
    pub fn state(&self) -> Result<BillState, Fault> {
        known(BillState::of(&self.state), &self.state)
    }
}

/// A bill that the caller may see.
pub async fn one(conn: &impl ConnectionTrait, scope: &Scope, id: Uuid) -> Result<bill::Model, Fault> {
    find::<bill::Entity>(scope)
        .filter(bill::Column::Id.eq(id))
        .one(conn)
        .await?
        .ok_or_else(|| Fault::not_found("bill", id))
}

/// Open bills of accounts.
pub async fn open(conn: &impl ConnectionTrait, accounts: &[Uuid]) -> Result<Vec<bill::Model>, Fault> {
    let open = [BillState::Issued.code(), BillState::PartlyPaid.code()];
    let select = bill::Entity::find()
        .filter(bill::Column::AccountId.is_in(accounts.iter().copied()))
        .filter(bill::Column::State.is_in(open));
    Ok(select.order_by_asc(bill::Column::Id).all(conn).await?)
}

/// The last live bill of each agreement.
pub async fn last(conn: &impl ConnectionTrait, agreements: &[Uuid]) -> Result<HashMap<Uuid, bill::Model>, Fault> {
    let rows = bill::Entity::find()
        .filter(bill::Column::AgreementId.is_in(agreements.iter().copied()))
        .filter(bill::Column::State.ne(BillState::Reversed.code()))
        .filter(bill::Column::Kind.eq(BillKind::Regular.code()))
        .filter(sea_orm::sea_query::Expr::cust(
            "NOT EXISTS (SELECT 1 FROM bill later WHERE later.agreement_id = bill.agreement_id AND later.kind = 'REGULAR' AND later.state <> 'REVERSED' AND later.to_date > bill.to_date)",
        ))
        .all(conn)
        .await?;
    Ok(rows.into_iter().map(|b| (b.agreement_id, b)).collect())
}

/// Volume of the tier years of agreements, from the live bills, of the years from `since` on.
pub async fn used(conn: &impl ConnectionTrait, agreements: &[Uuid], since: i32) -> Result<HashMap<Uuid, Vec<(i32, i64)>>, Fault> {
    if agreements.is_empty() {
        return Ok(HashMap::new());
    }
    let places: Vec<String> = (2..).take(agreements.len()).map(|n| format!("${n}")).collect();
    let sql = format!(
        "SELECT u.agreement_id, u.tier_year, CAST(sum(u.volume) AS bigint) AS volume FROM tier_use u JOIN bill b ON b.id = u.bill_id
         WHERE u.tier_year >= $1 AND b.state <> 'REVERSED' AND u.agreement_id IN ({}) GROUP BY u.agreement_id, u.tier_year",
        places.join(", ")
    );
    let values = std::iter::once(since.into()).chain(agreements.iter().map(|id| (*id).into()));
    let mut used: HashMap<Uuid, Vec<(i32, i64)>> = HashMap::new();
    for row in conn
        .query_all_raw(Statement::from_sql_and_values(conn.get_database_backend(), sql, values))
        .await?
    {
        let (agreement, year, volume): (Uuid, i32, i64) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?, row.try_get_by_index(2)?);
        used.entry(agreement).or_default().push((year, volume));
    }
    Ok(used)
}

/// Brings state and version of a bill in line with what is paid of it, and writes them.
pub async fn set_paid(write: &Write, row: &mut bill::Model) -> Result<(), Fault> {
    row.state = step(row.state()?, payment(row.amount, row.paid))?.code().to_owned();
    row.version = row.version.saturating_add(1);
    bill::Entity::update_many()
        .col_expr(bill::Column::Paid, row.paid.into())
        .col_expr(bill::Column::State, row.state.as_str().into())
        .col_expr(bill::Column::Version, row.version.into())
        .filter(bill::Column::Id.eq(row.id))
        .exec(&**write)
        .await?;
    Ok(())
}

/// Lines of a bill.
pub async fn lines(conn: &impl ConnectionTrait, bill: Uuid) -> Result<Vec<line::Model>, Fault> {
    Ok(line::Entity::find()
        .filter(line::Column::BillId.eq(bill))
        .order_by_asc(line::Column::Ordinal)
        .all(conn)
        .await?)
}

/// A page of bills without their lines.
pub async fn list(conn: &impl ConnectionTrait, scope: &Scope, page: &Page, request: &proto::ListBillsRequest) -> Result<(Vec<proto::Bill>, String), Fault> {
    let mut select = find::<bill::Entity>(scope).order_by_asc(bill::Column::Id).limit(page.limit());
    if let Some(after) = page.after {
        select = select.filter(bill::Column::Id.gt(after));
    }
    for (column, field, value) in [
        (bill::Column::PartyId, "party_id", &request.party_id),
        (bill::Column::AccountId, "account_id", &request.account_id),
        (bill::Column::AgreementId, "agreement_id", &request.agreement_id),
    ] {
        if let Some(id) = value {
            select = select.filter(column.eq(wire::id_of::<Uuid>(field, id)?));
        }
    }
    if !request.account_no.is_empty() {
        select = select.filter(bill::Column::AccountNo.eq(&request.account_no));
    }
    if !request.branch.is_empty() {
        select = select.filter(bill::Column::Branch.eq(&request.branch));
    }
    if let Some(state) = BillState::of_number(request.state) {
        select = select.filter(bill::Column::State.eq(state.code()));
    }
    for (column, value) in [(bill::Column::Year, request.year), (bill::Column::Month, request.month)] {
        if value > 0 {
            select = select.filter(column.eq(value));
        }
    }
    let (rows, next) = page.cut(select.all(conn).await?, |r| r.id);
    Ok((rows.iter().map(|row| message(row, &[])).collect::<Result<_, _>>()?, next))
}

/// The message of a bill.
pub fn message(row: &bill::Model, lines: &[line::Model]) -> Result<proto::Bill, Fault> {
    let fen = |amount| Some(wire::money(Money::from_fen(amount)));
    Ok(proto::Bill {
        bill_id: row.id.to_string(),
        bill_no: row.bill_no.clone(),
        kind: known(BillKind::of(&row.kind), &row.kind)?.number(),
        state: row.state()?.number(),
        agreement_id: row.agreement_id.to_string(),
        account_id: row.account_id.to_string(),
        account_no: row.account_no.clone(),
        party_id: row.party_id.to_string(),
        branch: row.branch.clone(),
        year: row.year,
        month: row.month,
        from_date: Some(wire::date(row.from_date)),
        to_date: Some(wire::date(row.to_date)),
        from_index: Some(metres(row.from_index)),
        to_index: Some(metres(row.to_index)),
        volume: Some(metres(row.volume)),
        volume_before: Some(metres(row.volume_before)),
        tier_year: row.tier_year,
        use_class: row.use_class.clone(),
        tariff_id: row.tariff_id.to_string(),
        amount: fen(row.amount),
        paid: fen(row.paid),
        issue_date: Some(wire::date(row.issue_date)),
        due_date: Some(wire::date(row.due_date)),
        de_facto: row.de_facto,
        low_income: row.low_income,
        persons: row.persons,
        lines: lines
            .iter()
            .map(|l| proto::BillLine {
                tier: l.tier,
                volume: Some(metres(l.volume)),
                price: Some(wire::decimal(UnitPrice::from_micros(l.price).short())),
                amount: fen(l.amount),
                reason: l.reason.clone(),
                tariff_id: l.tariff_id.to_string(),
                tier_year: l.tier_year,
                from_date: Some(wire::date(l.from_date)),
                to_date: Some(wire::date(l.to_date)),
            })
            .collect(),
        credit_note_no: row.credit_note_no.clone(),
        run_id: row.run_id.to_string(),
        create_time: Some(instant(row.created_at)),
        etag: rpc::etag(row.id, row.version),
    })
}
