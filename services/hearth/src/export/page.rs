//! Lists, page by page.

/// Goes through a list of a service: the client, its method, the request with its filters, the field of the answer that holds the rows, and what takes a
/// row.
macro_rules! list {
    ($client:expr, $method:ident, $request:expr, $rows:ident, $take:expr) => {{
        let (mut client, mut request) = ($client, $request);
        request.page_size = $crate::export::page::PAGE;
        let ask = async |page_token: String| {
            request.page_token = page_token;
            let page = client.$method(request.clone()).await?.into_inner();
            Ok((page.$rows, page.next_page_token))
        };
        $crate::export::page::pages(ask, $take).await
    }};
}
pub(crate) use list;

use anyhow::{Result, anyhow};
use tonic::Status;

use crate::import::told;

/// Rows of a page, as the contracts allow.
pub const PAGE: i32 = 500;

/// Goes through a list: `ask` gives the rows of a page and the token of the next one, which is empty on the last.
pub async fn pages<T>(mut ask: impl AsyncFnMut(String) -> Result<(Vec<T>, String), Status>, mut take: impl FnMut(T) -> Result<()>) -> Result<()> {
    let mut token = String::new();
    loop {
        let (rows, next) = ask(token).await.map_err(|status| anyhow!(told(&status)))?;
        for row in rows {
            take(row)?;
        }
        if next.is_empty() {
            return Ok(());
        }
        token = next;
    }
}
