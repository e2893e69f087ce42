//! Tables of bills.

use std::collections::HashMap;

use calendar::NaiveDate;
use contracts::hearth::billing::v1 as proto;
use database::{Conn, Scope, Scoped, Write, find};
use money::{Money, UnitPrice};
use rpc::{Fault, page::Page, wire};
use sea_orm::{ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Statement};
use uuid::Uuid;

use super::model::{BillKind, BillState, is_overdue, payment, step};
use crate::{
    fetch::{self, row},
    ledger::store::{Book, instant},
    meter::store::metres,
    supply::model::{Service, service_of},
    table,
    words::known,
};

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
    tariff_id: Option<Uuid>,
    amount: i64,
    paid: i64,
    issue_date: Date,
    due_date: Date,
    de_facto: bool,
    low_income: bool,
    persons: i32,
    installation_id: Option<Uuid>,
    reading_id: Option<Uuid>,
    run_id: Option<Uuid>,
    credit_note_no: String,
    created_at: i64,
    version: i64,
    fee_item_id: Option<Uuid>,
    delivered_date: Option<Date>,
    service: Option<String>,
    season: Option<String>,
    unit: Option<String>,
    replaces_bill_id: Option<Uuid>,
    /// Fen that credit notes took off it while it stands.
    credited: i64,
    estimated: bool,
});
table!(explanation, "bill_explanation", {
    #[sea_orm(primary_key, auto_increment = false)] bill_id: Uuid,
    content: String,
});
table!(line, "bill_line", {
    #[sea_orm(primary_key, auto_increment = false)] bill_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)] ordinal: i32,
    tier: i32,
    volume: i64,
    price: i64,
    amount: i64,
    reason: String,
    tariff_id: Option<Uuid>,
    tier_year: i32,
    from_date: Date,
    to_date: Date,
    unit: Option<String>,
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
table!(credit_note_line, "credit_note_line", {
    #[sea_orm(primary_key, auto_increment = false)] credit_note_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)] ordinal: i32,
    bill_id: Uuid,
    amount: i64,
});

/// Detail of revenue from fees, and the reason of their lines.
pub const FEE: &str = "FEE";

impl Scoped for bill::Entity {
    const BRANCH: Option<bill::Column> = Some(bill::Column::Branch);
    const CUSTOMER: Option<bill::Column> = Some(bill::Column::PartyId);
}

impl bill::Model {
    /// Where it stands.
    pub fn state(&self) -> Result<BillState, Fault> {
        known(BillState::of(&self.state), &self.state)
    }

    /// What it is for.
    pub fn kind(&self) -> Result<BillKind, Fault> {
        known(BillKind::of(&self.kind), &self.kind)
    }

    /// Detail of the revenue that it was posted with.
    pub fn revenue(&self) -> &str {
        if self.fee_item_id.is_some() { FEE } else { &self.use_class }
    }

    /// The book and its part that it was posted against.
    pub fn counter(&self) -> (Book, &str) {
        if self.kind == BillKind::Opening.code() {
            (Book::Opening, "")
        } else {
            (Book::Revenue, self.revenue())
        }
    }

    /// What is supplied.
    pub fn service(&self) -> Service {
        service_of(self.service.as_deref())
    }

    /// Unit of index and volume; empty for a bill without either.
    pub fn unit(&self) -> &str {
        match &self.unit {
            Some(unit) => unit,
            None if self.fee_item_id.is_some() => "",
            None => "m3",
        }
    }

    /// What of it stands after credit notes, fen.
    pub fn stands(&self) -> i64 {
        self.amount.saturating_sub(self.credited)
    }

    /// What of it is not paid, fen.
    pub fn rest(&self) -> i64 {
        self.stands().saturating_sub(self.paid)
    }
}

/// A bill that the caller may see.
pub async fn one(conn: &Conn, scope: &Scope, id: Uuid) -> Result<bill::Model, Fault> {
    find::<bill::Entity>(scope)
        .filter(bill::Column::Id.eq(id))
        .one(conn)
        .await?
        .ok_or_else(|| Fault::not_found("bill", id))
}

/// Bills by their ids.
pub async fn by_ids(conn: &Conn, ids: &[Uuid]) -> Result<Vec<bill::Model>, Fault> {
    Ok(bill::Entity::find()
        .filter(bill::Column::Id.is_in(ids.iter().copied()))
        .order_by_asc(bill::Column::Id)
        .all(conn)
        .await?)
}

row!(
    /// Where the bills of an agreement ended, the index in litres.
    End,
    {
        agreement_id: Uuid,
        installation_id: Option<Uuid>,
        to_date: NaiveDate,
        to_index: Option<i64>,
    }
);
row!(
    /// What was used of a tier year, litres.
    Used,
    {
        agreement_id: Uuid,
        tier_year: i32,
        volume: i64,
    }
);

/// Where the last live regular bill of each agreement ended: of each the index gives it first, however many there are.
pub async fn ends(conn: &Conn, agreements: &[Uuid]) -> Result<Vec<End>, Fault> {
    let (_, keys) = table::among_sql(conn, 1, agreements);
    let of = |agreement: &str| format!("agreement_id = {agreement} AND kind = 'REGULAR' AND state <> 'REVERSED' ORDER BY to_date DESC LIMIT 1");
    let backend = conn.get_database_backend();
    let sql = if backend == DbBackend::Postgres {
        let last = of("agreement");
        format!(
            "SELECT last.* FROM unnest($1) AS billed (agreement) CROSS JOIN LATERAL \
             (SELECT agreement_id, installation_id, to_date, to_index FROM bill WHERE {last}) last"
        )
    } else {
        let last = of("unhex(value)");
        format!(
            "SELECT agreement_id, installation_id, to_date, to_index FROM json_each($1) CROSS JOIN bill \
             ON bill.id = (SELECT id FROM bill WHERE {last})"
        )
    };
    fetch::rows(conn, Statement::from_sql_and_values(backend, sql, [keys])).await
}

/// The live regular bills of agreements, oldest first.
pub async fn regular(conn: &Conn, agreements: &[Uuid]) -> Result<Vec<bill::Model>, Fault> {
    Ok(bill::Entity::find()
        .filter(table::among(conn, bill::Column::AgreementId, agreements.iter().copied()))
        .filter(bill::Column::Kind.eq(BillKind::Regular.code()))
        .filter(bill::Column::State.ne(BillState::Reversed.code()))
        .order_by_asc(bill::Column::ToDate)
        .all(conn)
        .await?)
}

/// Volume of the tier years of agreements, from the live bills and from what was taken over, of the years from `since` on.
pub async fn used(conn: &Conn, agreements: &[Uuid], since: i32) -> Result<HashMap<Uuid, Vec<(i32, i64)>>, Fault> {
    if agreements.is_empty() {
        return Ok(HashMap::new());
    }
    let (among, keys) = table::among_sql(conn, 2, agreements);
    let sql = format!(
        "SELECT agreement_id, tier_year, CAST(sum(volume) AS bigint) AS volume FROM (
            SELECT u.agreement_id, u.tier_year, u.volume FROM tier_use u JOIN bill b ON b.id = u.bill_id
            WHERE u.tier_year >= $1 AND b.state <> 'REVERSED' AND u.agreement_id {among}
            UNION ALL SELECT o.agreement_id, o.tier_year, o.volume FROM opening o
            WHERE o.tier_year >= $1 AND o.volume > 0 AND o.agreement_id {among}) used
         GROUP BY agreement_id, tier_year"
    );
    let values = [since.into(), keys];
    let mut used: HashMap<Uuid, Vec<(i32, i64)>> = HashMap::new();
    let query = Statement::from_sql_and_values(conn.get_database_backend(), sql, values);
    for row in fetch::rows::<Used>(conn, query).await? {
        used.entry(row.agreement_id).or_default().push((row.tier_year, row.volume));
    }
    Ok(used)
}

/// Volume of the tier years that bills count in.
pub async fn uses(conn: &Conn, bills: &[Uuid]) -> Result<Vec<tier_use::Model>, Fault> {
    Ok(tier_use::Entity::find()
        .filter(table::among(conn, tier_use::Column::BillId, bills.iter().copied()))
        .all(conn)
        .await?)
}

/// Brings state and version of a bill in line with what is paid and credited of it, and writes them.
pub async fn set_paid(write: &Write, row: &mut bill::Model) -> Result<(), Fault> {
    row.state = step(row.state()?, payment(row.stands(), row.paid))?.code().to_owned();
    row.version = row.version.saturating_add(1);
    bill::Entity::update_many()
        .col_expr(bill::Column::Paid, row.paid.into())
        .col_expr(bill::Column::Credited, row.credited.into())
        .col_expr(bill::Column::State, row.state.as_str().into())
        .col_expr(bill::Column::Version, row.version.into())
        .filter(bill::Column::Id.eq(row.id))
        .exec(&**write)
        .await?;
    Ok(())
}

/// What live regular bills of an agreement billed by year and month, in their unit, from a year on.
pub async fn months(conn: &Conn, agreement: Uuid, unit: &str, since: i32) -> Result<HashMap<(i32, i32), i64>, Fault> {
    let rows = bill::Entity::find()
        .filter(bill::Column::AgreementId.eq(agreement))
        .filter(bill::Column::Kind.eq(BillKind::Regular.code()))
        .filter(bill::Column::State.ne(BillState::Reversed.code()))
        .filter(bill::Column::Year.gte(since))
        .all(conn)
        .await?;
    let mut months = HashMap::new();
    for row in rows.iter().filter(|row| row.unit() == unit) {
        let volume: &mut i64 = months.entry((row.year, row.month)).or_default();
        *volume = volume.saturating_add(row.volume);
    }
    Ok(months)
}

/// The bill that took the place of one.
pub async fn replacement(conn: &Conn, bill: Uuid) -> Result<Option<bill::Model>, Fault> {
    Ok(bill::Entity::find().filter(bill::Column::ReplacesBillId.eq(bill)).one(conn).await?)
}

/// Lines of a bill.
pub async fn lines(conn: &Conn, bill: Uuid) -> Result<Vec<line::Model>, Fault> {
    Ok(line::Entity::find()
        .filter(line::Column::BillId.eq(bill))
        .order_by_asc(line::Column::Ordinal)
        .all(conn)
        .await?)
}

/// Lines of bills, each bill's in their order.
pub async fn lines_of(conn: &Conn, bills: &[Uuid]) -> Result<Vec<line::Model>, Fault> {
    Ok(line::Entity::find()
        .filter(table::among(conn, line::Column::BillId, bills.iter().copied()))
        .order_by_asc(line::Column::BillId)
        .order_by_asc(line::Column::Ordinal)
        .all(conn)
        .await?)
}

/// Credit notes of bills, the oldest first.
pub async fn notes(conn: &Conn, bills: &[Uuid]) -> Result<Vec<credit_note::Model>, Fault> {
    Ok(credit_note::Entity::find()
        .filter(credit_note::Column::BillId.is_in(bills.iter().copied()))
        .order_by_asc(credit_note::Column::Id)
        .all(conn)
        .await?)
}

/// What credit notes took off the lines of bills, in the order of notes and lines.
pub async fn note_lines(conn: &Conn, bills: &[Uuid]) -> Result<Vec<credit_note_line::Model>, Fault> {
    Ok(credit_note_line::Entity::find()
        .filter(table::among(conn, credit_note_line::Column::BillId, bills.iter().copied()))
        .order_by_asc(credit_note_line::Column::CreditNoteId)
        .order_by_asc(credit_note_line::Column::Ordinal)
        .all(conn)
        .await?)
}

/// A page of bills without their lines.
pub async fn list(conn: &Conn, scope: &Scope, page: &Page, request: &proto::ListBillsRequest, today: NaiveDate) -> Result<(Vec<proto::Bill>, String), Fault> {
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
    if let Some(kind) = BillKind::of_number(request.kind) {
        select = select.filter(bill::Column::Kind.eq(kind.code()));
    }
    if !request.season.is_empty() {
        select = select.filter(bill::Column::Season.eq(&request.season));
    }
    if let Some(from) = wire::date_if(request.from_date.as_ref(), "from_date")? {
        select = select.filter(bill::Column::IssueDate.gte(from));
    }
    if let Some(until) = wire::date_if(request.until_date.as_ref(), "until_date")? {
        select = select.filter(bill::Column::IssueDate.lte(until));
    }
    for (column, value) in [(bill::Column::Year, request.year), (bill::Column::Month, request.month)] {
        if value > 0 {
            select = select.filter(column.eq(value));
        }
    }
    let (rows, next) = page.cut(select.all(conn).await?, |r| r.id);
    Ok((rows.iter().map(|row| message_on(row, &[], today)).collect::<Result<_, _>>()?, next))
}

/// The message of a bill.
pub fn message(row: &bill::Model, lines: &[line::Model]) -> Result<proto::Bill, Fault> {
    let fen = |amount| Some(wire::money(Money::from_fen(amount)));
    let id = |id: Option<Uuid>| id.map_or_else(String::new, |id| id.to_string());
    // A fee and a season by area have no indexes and no volume.
    let metered = |litres| (!row.unit().is_empty()).then(|| metres(litres));
    // Lines count cubic metres where nothing else is said.
    let cubic = |line: &line::Model| row.fee_item_id.is_none() && line.unit.is_none();
    Ok(proto::Bill {
        bill_id: row.id.to_string(),
        bill_no: row.bill_no.clone(),
        kind: row.kind()?.number(),
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
        from_index: metered(row.from_index),
        to_index: metered(row.to_index),
        volume: metered(row.volume),
        volume_before: metered(row.volume_before),
        tier_year: row.tier_year,
        use_class: row.use_class.clone(),
        tariff_id: id(row.tariff_id),
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
                volume: cubic(l).then(|| metres(l.volume)),
                quantity: (!cubic(l)).then(|| metres(l.volume)),
                unit: l.unit.clone().unwrap_or_else(|| if cubic(l) { "m3".to_owned() } else { String::new() }),
                price: Some(wire::decimal(UnitPrice::from_micros(l.price).short())),
                amount: fen(l.amount),
                reason: l.reason.clone(),
                tariff_id: id(l.tariff_id),
                tier_year: l.tier_year,
                from_date: Some(wire::date(l.from_date)),
                to_date: Some(wire::date(l.to_date)),
            })
            .collect(),
        credit_note_no: row.credit_note_no.clone(),
        run_id: id(row.run_id),
        create_time: Some(instant(row.created_at)),
        etag: rpc::etag(row.id, row.version),
        fee_item_id: id(row.fee_item_id),
        delivered_date: row.delivered_date.map(wire::date),
        service: row.service().code().to_owned(),
        season: row.season.clone().unwrap_or_default(),
        unit: row.unit().to_owned(),
        replaces_bill_id: id(row.replaces_bill_id),
        replaced_by_bill_id: String::new(),
        credited: fen(row.credited),
        estimated: row.estimated,
        overdue: false,
    })
}

/// The message of a bill as it stands on a day: what falls due with time is told too.
pub fn message_on(row: &bill::Model, lines: &[line::Model], today: NaiveDate) -> Result<proto::Bill, Fault> {
    let owed = row.amount.saturating_sub(row.credited).saturating_sub(row.paid);
    Ok(proto::Bill {
        overdue: is_overdue(row.state()?, owed, row.due_date, today),
        ..message(row, lines)?
    })
}

/// The message of a credit note, with those of the lines that are its own.
pub fn note_message(note: &credit_note::Model, lines: &[credit_note_line::Model]) -> proto::CreditNote {
    let own = lines.iter().filter(|l| l.credit_note_id == note.id);
    proto::CreditNote {
        credit_note_id: note.id.to_string(),
        credit_note_no: note.credit_note_no.clone(),
        bill_id: note.bill_id.to_string(),
        amount: Some(wire::money(Money::from_fen(note.amount))),
        reason: note.reason.clone(),
        create_time: Some(instant(note.created_at)),
        lines: own
            .map(|l| proto::CreditNoteLine {
                line: l.ordinal.saturating_add(1),
                amount: Some(wire::money(Money::from_fen(l.amount))),
            })
            .collect(),
    }
}
