//! Bills and findings that late readings are held against.

use std::collections::{HashMap, HashSet};

use calendar::NaiveDate;
use database::Conn;
use rpc::Fault;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::model::{Billed, Line, Priced};
use crate::{
    bill::{
        model::{BillKind, BillState},
        store::{bill, line},
    },
    fetch::{self, row},
    reading::{
        model::{Code, ExceptionState},
        store::exception,
    },
    table,
    tariff::store::{self as tariffs, tariff},
};

row!(
    /// A live regular bill.
    Live,
    {
        id: Uuid,
        agreement_id: Uuid,
        from_date: NaiveDate,
        to_date: NaiveDate,
        from_index: i64,
        to_index: i64,
        volume: i64,
        installation_id: Option<Uuid>,
        reading_id: Option<Uuid>,
        estimated: bool,
        tariff_id: Option<Uuid>,
    }
);

/// The live regular bills of agreements that end on a day or later, by agreement, each the oldest first.
pub async fn live(conn: &Conn, agreements: impl IntoIterator<Item = Uuid>, day: NaiveDate) -> Result<HashMap<Uuid, Vec<Billed>>, Fault> {
    let select = bill::Entity::find()
        .filter(table::among(conn, bill::Column::AgreementId, agreements))
        .filter(bill::Column::ToDate.gte(day))
        .filter(bill::Column::Kind.eq(BillKind::Regular.code()))
        .filter(bill::Column::State.ne(BillState::Reversed.code()));
    let mut rows: Vec<Live> = fetch::all(conn, select).await?;
    rows.sort_unstable_by_key(|row| row.to_date);
    let mut bills: HashMap<Uuid, Vec<Billed>> = HashMap::new();
    for row in rows {
        bills.entry(row.agreement_id).or_default().push(Billed {
            id: row.id,
            from: row.from_date,
            to: row.to_date,
            from_index: row.from_index,
            to_index: row.to_index,
            volume: row.volume,
            install: row.installation_id,
            end: row.reading_id,
            estimated: row.estimated,
            tariff: row.tariff_id,
        });
    }
    Ok(bills)
}

/// Those of some bills that stand.
pub async fn standing(conn: &Conn, bills: impl IntoIterator<Item = Uuid>) -> Result<HashSet<Uuid>, Fault> {
    let bills: Vec<Uuid> = bills.into_iter().collect();
    if bills.is_empty() {
        return Ok(HashSet::new());
    }
    let rows = bill::Entity::find()
        .filter(table::among(conn, bill::Column::Id, bills))
        .filter(bill::Column::State.ne(BillState::Reversed.code()))
        .all(conn)
        .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// Open findings about bills of agreements.
pub async fn open(conn: &Conn, agreements: impl IntoIterator<Item = Uuid>) -> Result<Vec<exception::Model>, Fault> {
    Ok(exception::Entity::find()
        .filter(table::among(conn, exception::Column::AgreementId, agreements))
        .filter(exception::Column::State.eq(ExceptionState::Open.code()))
        .filter(exception::Column::Codes.eq(Code::BillAffected.code()))
        .all(conn)
        .await?)
}

/// What was told of bills, and of which days, whatever a person decided on it. What went with its cause is told again when that comes back.
pub async fn told(conn: &Conn, bills: impl IntoIterator<Item = Uuid>) -> Result<HashSet<(Uuid, NaiveDate)>, Fault> {
    let rows = exception::Entity::find()
        .filter(table::among(conn, exception::Column::BillId, bills))
        .filter(exception::Column::State.ne(ExceptionState::Resolved.code()))
        .all(conn)
        .await?;
    Ok(rows.into_iter().filter_map(|row| Some((row.bill_id?, row.date))).collect())
}

/// How bills were priced, of those whose version counts.
pub async fn priced(conn: &Conn, bills: &[&Billed]) -> Result<HashMap<Uuid, Priced>, Fault> {
    let rows = bill::Entity::find().filter(table::among(conn, bill::Column::Id, bills.iter().map(|bill| bill.id)));
    let classes: HashMap<Uuid, String> = rows.all(conn).await?.into_iter().map(|row| (row.id, row.use_class)).collect();
    let lines = line::Entity::find().filter(table::among(conn, line::Column::BillId, bills.iter().map(|bill| bill.id)));
    let mut of_bills: HashMap<Uuid, Vec<Line>> = HashMap::new();
    for row in lines.all(conn).await? {
        of_bills.entry(row.bill_id).or_default().push(Line {
            from: row.from_date,
            to: row.to_date,
            reason: row.reason,
        });
    }
    let ids: HashSet<Uuid> = bills.iter().filter_map(|bill| bill.tariff).collect();
    let ids: Vec<Uuid> = ids.into_iter().collect();
    let versions = tariff::Entity::find().filter(table::among(conn, tariff::Column::Id, ids.iter().copied()));
    let versions: HashMap<Uuid, tariff::Model> = versions.all(conn).await?.into_iter().map(|row| (row.id, row)).collect();
    let prices = tariffs::prices(conn, &ids).await?;
    let mut priced = HashMap::new();
    for bill in bills {
        let version = bill.tariff.and_then(|id| versions.get(&id)).filter(|version| version.replaced_by.is_none());
        let price = prices
            .iter()
            .find(|p| Some(p.tariff_id) == bill.tariff && classes.get(&bill.id) == Some(&p.use_class));
        let Some((version, price)) = version.zip(price) else { continue };
        let how = Priced {
            version: version.version()?,
            until: version.until_date,
            by_year: tariffs::terms(price)?.tiering.is_none(),
            lines: of_bills.remove(&bill.id).unwrap_or_default(),
        };
        priced.insert(bill.id, how);
    }
    Ok(priced)
}
