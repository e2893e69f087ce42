//! Bills as documents, a PDF for each, into a folder.

use std::{fs, io::Write, path::Path};

use anyhow::{Context, Result, anyhow};
use contracts::hearth::billing::v1::{Bill, GetBillDocumentRequest, ListBillsRequest, bill_service_client::BillServiceClient};
use futures::{StreamExt, TryStreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};

use super::{filter::Filter, page::list, place::Place};
use crate::{
    client::Client,
    import::{figures::count, told},
};

/// Calls under way at once; each keeps a processor of the service busy.
const AT_ONCE: usize = 4;

/// What was written.
#[derive(Default)]
struct Tally {
    written: i64,
    already: i64,
    /// Documents with characters that the font does not have.
    patchy: i64,
}

/// Writes a document for each bill that has none in the folder yet; what was done, in words.
///
/// # Errors
/// The service does not answer, or the folder cannot be written to. What is written stays, so that the same call goes on from there.
pub async fn write(client: Client, filter: &Filter, folder: &Path) -> Result<String> {
    fs::create_dir_all(folder).with_context(|| format!("{} cannot be made; name another folder with -o", folder.display()))?;
    let bar = ProgressBar::no_length().with_style(ProgressStyle::default_spinner()).with_message("bills");
    let mut tally = Tally::default();
    let mut bills = vec![];
    let request = ListBillsRequest {
        branch: filter.branch(),
        account_no: filter.account_no(),
        from_date: filter.first_date(),
        until_date: filter.until_date(),
        ..ListBillsRequest::default()
    };
    list!(BillServiceClient::new(client.clone()), list_bills, request, bills, |bill: Bill| {
        bar.inc(1);
        let path = folder.join(name(&bill));
        if path.exists() {
            tally.already = tally.already.saturating_add(1);
        } else {
            bills.push((bill.bill_id, path));
        }
        Ok(())
    })?;
    bar.finish_and_clear();

    let bar = ProgressBar::new(u64::try_from(bills.len()).unwrap_or_default()).with_style(style());
    let mut written = stream::iter(bills)
        .map(|(bill_id, path)| {
            let mut service = BillServiceClient::new(client.clone());
            async move {
                let request = GetBillDocumentRequest { bill_id, party_id: None };
                let answer = service.get_bill_document(request).await.map_err(|status| anyhow!(told(&status)))?.into_inner();
                let mut place = Place::open(Some(&path))?;
                place.write_all(&answer.content).with_context(|| place.unwritable())?;
                place.finish()?;
                anyhow::Ok(answer.missing_characters)
            }
        })
        .buffer_unordered(AT_ONCE);
    while let Some(missing) = written.try_next().await? {
        bar.inc(1);
        tally.written = tally.written.saturating_add(1);
        tally.patchy = tally.patchy.saturating_add(i64::from(missing > 0));
    }
    bar.finish_and_clear();
    let mut text = format!(
        "{} documents written, {} already there, in {}",
        count(tally.written),
        count(tally.already),
        folder.display()
    );
    if tally.patchy > 0 {
        text.push_str(&format!("; {} have characters that the font lacks, drawn as boxes", count(tally.patchy)));
    }
    Ok(text)
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} documents {bar:32} {pos}/{len}  {per_sec}  {eta} left").unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Name of the file of a bill: its number. Where the number cannot be a name as it is, its id keeps two of them apart.
fn name(bill: &Bill) -> String {
    let kept = |char: char| char.is_alphanumeric() || matches!(char, '-' | '.');
    if !bill.bill_no.starts_with('.') && bill.bill_no.chars().all(kept) {
        format!("{}.pdf", bill.bill_no)
    } else {
        let number: String = bill.bill_no.chars().map(|char| if kept(char) { char } else { '_' }).collect();
        format!("{}-{}.pdf", number.trim_start_matches('.'), bill.bill_id)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_the_number_of_its_bill_and_leads_nowhere_else() {
        let name = |number: &str| {
            name(&Bill {
                bill_no: number.to_owned(),
                bill_id: "7".to_owned(),
                ..Bill::default()
            })
        };
        assert_eq!(name("BL-河西-2025-0000001"), "BL-河西-2025-0000001.pdf");
        assert_eq!(name("../../x"), "_.._x-7.pdf");
        assert_eq!(name("a/b"), "a_b-7.pdf");
        assert_eq!(name("a_b"), "a_b-7.pdf", "what looks the same has another id");
        assert_eq!(name(".."), "-7.pdf");
    }
}
