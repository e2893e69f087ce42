//! Brings credit up to the day: ratings and lines that begin or end, terms and guarantees that run out, licences that have (B-02). A line is looked
//! at once a day, also when it has ended and no other has taken its place; what billing tells is looked at when it is told.

use rpc::{Call, Fault};

use super::{
    lines,
    model::{LineState, RatingState},
    rating as ratings,
    store::{self, line, rating},
    watch,
};
use crate::{Desk, credit_file, party::store as parties};
use database::Scope;
use sea_orm::{EntityTrait, QuerySelect};

const BATCH: u64 = 100;

/// One run; says how many rows it moved.
pub(crate) async fn run(desk: &Desk) -> Result<usize, Fault> {
    let today = desk.db.clock().now().date();
    let ratings = store::ratings_due(desk.db.reader(), today, BATCH).await?;
    for row in &ratings {
        one_rating(desk, row).await?;
    }
    let lines = store::lines_due(desk.db.reader(), today, BATCH).await?;
    for row in &lines {
        one_line(desk, row).await?;
    }
    let before = ratings::expired_before(today);
    let expired = credit_file::store::expired(desk.db.reader(), store::without_stop(ratings::LICENCE), before, BATCH).await?;
    for party in &expired {
        let mut write = desk.db.open(&Call::background("archive", "sweep-licences")).await?;
        if ratings::stop(&mut write, &desk.vault, *party).await? {
            write.close().await?;
        }
    }
    Ok(ratings.len().saturating_add(lines.len()).saturating_add(expired.len()))
}

async fn one_rating(desk: &Desk, row: &rating::Model) -> Result<(), Fault> {
    let mut write = desk.db.open(&Call::background("archive", "sweep-ratings")).await?;
    let today = write.now().date();
    let Some(row) = rating::Entity::find_by_id(row.id).lock_exclusive().one(&*write).await? else {
        return Ok(());
    };
    let reached = |day: Option<chrono::NaiveDate>| day.is_some_and(|day| day <= today);
    match row.stands()? {
        RatingState::Approved if reached(row.effective_date) => {
            ratings::take_effect(&mut write, &desk.vault, row).await?;
        }
        RatingState::Effective if reached(row.next_review_date) => ratings::fall_due(&mut write, row.party_id, "YEAR_OVER").await?,
        _ => return Ok(()),
    }
    write.close().await
}

async fn one_line(desk: &Desk, row: &line::Model) -> Result<(), Fault> {
    let mut write = desk.db.open(&Call::background("archive", "sweep-lines")).await?;
    let today = write.now().date();
    let Some(mut row) = line::Entity::find_by_id(row.id).lock_exclusive().one(&*write).await? else {
        return Ok(());
    };
    let (party_id, state) = (row.party_id, row.stands()?);
    let live = matches!(state, LineState::Active | LineState::Frozen);
    match row.checked_on {
        _ if state == LineState::Approved && row.valid_from <= today => {
            lines::activate(&mut write, &desk.vault, row).await?;
            // G-11: the party may have been listed since the line was approved.
            let party = parties::load(&write, &Scope::everything(), party_id).await?;
            if lines::is_listed(&write, &desk.vault, &party).await? {
                lines::freeze_listed(&mut write, party_id).await?;
            }
        }
        _ if live && row.valid_until <= today => {
            lines::expire(&mut write, row).await?;
            watch::look(&mut write, &desk.vault, party_id).await?;
        }
        Some(day) if day < today => {
            let since = row.checked_on.replace(today);
            // Version and time stay: nothing changed that anybody saw.
            row.version = row.version.saturating_sub(1);
            let unchanged = row.updated_at;
            row.save(&write, unchanged).await?;
            write.subject(row.id);
            watch::look(&mut write, &desk.vault, party_id).await?;
            if live {
                triggers(&mut write, desk, party_id, since).await?;
            }
        }
        _ => return Ok(()),
    }
    write.close().await
}

/// B-06: what asks for a new rating before the year is over.
async fn triggers(write: &mut database::Write, desk: &Desk, party_id: uuid::Uuid, since: Option<chrono::NaiveDate>) -> Result<(), Fault> {
    let today = write.now().date();
    let party = parties::load(write, &Scope::everything(), party_id).await?;
    let books = watch::books_of(write, &desk.vault, &party).await?;
    for reason in books.triggers(since.unwrap_or(today), today) {
        ratings::fall_due(write, party_id, reason).await?;
    }
    Ok(())
}
