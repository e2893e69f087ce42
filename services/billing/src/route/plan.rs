//! What is to be read: the tasks of cycles (E2-01).

use calendar::NaiveDate;
use chrono::{Datelike, Months};
use database::Write;
use rpc::Fault;
use sea_orm::{EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::{
    model::{Span, TaskState, cycles},
    store::{self, book, entry, task},
};
use crate::{meter::store::installation, table};

/// A meter and its place in a book.
type Place = (entry::Model, installation::Model);

/// A task of each meter in service that was there by the last day of a cycle.
pub fn tasks<'a>(book: &'a book::Model, spans: &'a [Span], places: &'a [Place]) -> impl Iterator<Item = task::Model> + 'a {
    let own = places.iter().filter(|(e, i)| e.book_id == book.id && i.end_date.is_none() && !i.awaits_opening);
    own.flat_map(move |place| spans.iter().map(move |span| (place, span)))
        .filter(|((_, install), span)| install.from_date <= span.until)
        .map(move |((entry, install), span)| task::Model {
            id: Uuid::now_v7(),
            book_id: book.id,
            installation_id: install.id,
            meter_no: install.meter_no.clone(),
            account_no: install.account_no.clone(),
            agreement_id: install.agreement_id,
            branch: book.branch.clone(),
            from_date: span.from,
            until_date: span.until,
            due_date: span.due,
            reader: book.reader.clone(),
            walk_order: entry.walk_order,
            state: TaskState::Due.code().to_owned(),
            attempts: 0,
            version: 1,
        })
}

/// Files tasks of cycles for which their meter has none, marks those that are read already and gives the number of the new ones.
pub async fn file(write: &Write, tasks: Vec<task::Model>) -> Result<u64, Fault> {
    if tasks.is_empty() {
        return Ok(0);
    }
    let installs: Vec<Uuid> = tasks.iter().map(|t| t.installation_id).collect();
    let planned = store::plan(write, tasks).await?;
    store::mark_read(write, &installs).await?;
    Ok(planned)
}

/// Meters that came into service or into a book when its month was planned already get their tasks of the cycles that are not over.
pub async fn cover(write: &Write, installations: &[Uuid]) -> Result<(), Fault> {
    let places = store::places(write, installations).await?;
    let ids = places.iter().map(|(entry, _)| entry.book_id);
    let books = book::Entity::find()
        .filter(table::among(write, book::Column::Id, ids))
        .order_by_asc(book::Column::Id)
        .lock_exclusive()
        .all(&**write)
        .await?;
    let today = write.now().date();
    let mut fresh = vec![];
    for book in &books {
        let Some(planned) = store::planned(write, &book.branch).await? else {
            continue;
        };
        let spans = open_spans(book, today, planned)?;
        fresh.extend(tasks(book, &spans, &places));
    }
    file(write, fresh).await?;
    Ok(())
}

/// The cycles of a book that are not over, of the months from that of the first day on to that of the last.
fn open_spans(book: &book::Model, today: NaiveDate, (first, last): (NaiveDate, NaiveDate)) -> Result<Vec<Span>, Fault> {
    let cycle = book.cycle()?;
    // A cycle of two months that is not over may have been read in its first one.
    let begin = first.max(today.checked_sub_months(Months::new(1)).unwrap_or(today));
    let begin = begin.with_day(1).unwrap_or(begin);
    let months = std::iter::successors(Some(begin), |first| first.checked_add_months(Months::new(1))).take_while(|first| *first <= last);
    let spans = months.flat_map(|first| cycles(cycle, book.read_day.unsigned_abs(), book.from_date, first.year(), first.month()));
    Ok(spans.filter(|span| span.until >= today).collect())
}
