//! Lists read to their end.

use anyhow::Result;
use contracts::hearth::{
    billing::v1::{
        Bill, ListBillsRequest, ListExceptionsRequest, ListReadingsRequest, Reading, ReadingException, bill, bill_service_client::BillServiceClient, reading,
        reading_exception, reading_service_client::ReadingServiceClient,
    },
    hall::v1::{Deadline, ListDeadlinesRequest, deadline_service_client::DeadlineServiceClient},
};

use super::cast::{Actor, Cast, OPERATOR, said};

/// Rows of a page, as the contracts allow.
pub const PAGE: i32 = 500;

async fn all<T, F: Future<Output = Result<(Vec<T>, String)>>>(mut page: impl FnMut(String) -> F) -> Result<Vec<T>> {
    let (mut rows, mut token) = (vec![], String::new());
    loop {
        let (more, next) = page(token).await?;
        rows.extend(more);
        if next.is_empty() {
            return Ok(rows);
        }
        token = next;
    }
}

/// Gas bills of a month, or of all time for month 0.
pub async fn bills(cast: &Cast, actor: Actor, year: i32, month: u32) -> Result<Vec<Bill>> {
    let request = ListBillsRequest {
        year,
        month: i32::try_from(month)?,
        kind: bill::Kind::Regular.into(),
        ..ListBillsRequest::default()
    };
    list(cast, actor, request).await
}

/// Heat bills of a season, those that were reversed too.
pub async fn heat_bills(cast: &Cast, actor: Actor, season: &str) -> Result<Vec<Bill>> {
    let request = ListBillsRequest {
        season: season.to_owned(),
        ..ListBillsRequest::default()
    };
    list(cast, actor, request).await
}

async fn list(cast: &Cast, actor: Actor, asked: ListBillsRequest) -> Result<Vec<Bill>> {
    let client = cast.ask("billing", actor)?;
    all(async |page_token| {
        let request = ListBillsRequest {
            page_size: PAGE,
            page_token,
            ..asked.clone()
        };
        let page = said("the bills", BillServiceClient::new(client.clone()).list_bills(request)).await?;
        Ok((page.bills, page.next_page_token))
    })
    .await
}

/// Exceptions in a state, or all.
pub async fn exceptions(cast: &Cast, actor: Actor, state: reading_exception::State) -> Result<Vec<ReadingException>> {
    let client = cast.ask("billing", actor)?;
    all(async |page_token| {
        let request = ListExceptionsRequest {
            state: state.into(),
            page_size: PAGE,
            page_token,
            ..ListExceptionsRequest::default()
        };
        let page = said("the exceptions", ReadingServiceClient::new(client.clone()).list_exceptions(request)).await?;
        Ok((page.exceptions, page.next_page_token))
    })
    .await
}

/// Readings in a state, or all.
pub async fn readings(cast: &Cast, state: reading::State) -> Result<Vec<Reading>> {
    let client = cast.ask("billing", OPERATOR)?;
    all(async |page_token| {
        let request = ListReadingsRequest {
            state: state.into(),
            page_size: PAGE,
            page_token,
            ..ListReadingsRequest::default()
        };
        let page = said("the readings", ReadingServiceClient::new(client.clone()).list_readings(request)).await?;
        Ok((page.readings, page.next_page_token))
    })
    .await
}

/// All clocks of hall.
pub async fn deadlines(cast: &Cast) -> Result<Vec<Deadline>> {
    let client = cast.ask("hall", OPERATOR)?;
    all(async |page_token| {
        let request = ListDeadlinesRequest {
            page_size: PAGE,
            page_token,
            ..ListDeadlinesRequest::default()
        };
        let page = said("the clocks", DeadlineServiceClient::new(client.clone()).list_deadlines(request)).await?;
        Ok((page.deadlines, page.next_page_token))
    })
    .await
}
