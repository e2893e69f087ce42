//! In which months agreements are read, where tier-years begin by that (Yantai).

use std::collections::HashMap;

use database::Conn;
use rating::{ReadMonths, YearStart};
use rpc::Fault;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use crate::{
    route::{
        model::Cycle,
        store::{book as reading_book, entry},
    },
    table,
    tariff::model::Books,
};

/// The months of installations that hang in a book of every second month: those in which its cycles begin.
pub async fn read_months(conn: &Conn, books: &Books, installations: impl IntoIterator<Item = Uuid>) -> Result<HashMap<Uuid, ReadMonths>, Fault> {
    let by_months = |version: &rating::Version| {
        let start = version.tariff.tier_year.map(|year| year.start);
        matches!(start, Some(YearStart::AfterReading { .. }))
    };
    if !books.any(|book| book.versions().iter().any(by_months)) {
        return Ok(HashMap::new());
    }
    let entries = entry::Entity::find()
        .filter(table::among(conn, entry::Column::InstallationId, installations))
        .all(conn)
        .await?;
    let routes = reading_book::Entity::find()
        .filter(reading_book::Column::Cycle.eq(Cycle::Bimonth.code()))
        .all(conn)
        .await?;
    let months: HashMap<Uuid, ReadMonths> = routes.into_iter().map(|book| (book.id, ReadMonths::of(book.from_date))).collect();
    let of = |entry: entry::Model| Some((entry.installation_id, *months.get(&entry.book_id)?));
    Ok(entries.into_iter().filter_map(of).collect())
}
