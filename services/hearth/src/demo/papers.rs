//! What is left on paper, in the folder of the demo: of each month documents of a few customers, the exceptions that are open and a report of the bill run; of the season of heat
//! its documents, the bill that the settlement reversed among them.

use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};
use contracts::hearth::billing::v1::{
    Bill, BillRun, BillRunItem, GetBillDocumentRequest, ListBillRunItemsRequest, ListBillsRequest, ReadingException, bill,
    bill_run_service_client::BillRunServiceClient, bill_service_client::BillServiceClient, reading_exception,
};

use super::{
    cast::{ACCOUNTANT, CASHIER, Cast, DISTRICT_MANAGER, said},
    heat::SEASON,
    pages,
    year::{YEAR, date_of},
};
use crate::import::figures::{count, fen, yuan};

/// Customers of a month who get a document.
const DOCUMENTS: i32 = 3;

/// The papers of a month; how many of each, in words.
pub async fn of_month(cast: &Cast, month: u32, run: &BillRun) -> Result<String> {
    let folder = cast.papers.join(format!("{YEAR}-{month:02}"));
    fs::create_dir_all(&folder)?;
    let few = ListBillsRequest {
        year: YEAR,
        month: i32::try_from(month)?,
        kind: bill::Kind::Regular.into(),
        page_size: DOCUMENTS,
        ..ListBillsRequest::default()
    };
    let bills = said("a few bills", BillServiceClient::new(cast.ask("billing", CASHIER)?).list_bills(few))
        .await?
        .bills;
    documents(cast, &folder, &bills).await?;
    let open = pages::exceptions(cast, DISTRICT_MANAGER, reading_exception::State::Open).await?;
    exceptions(&folder.join("exceptions.csv"), &open)?;
    let asked = ListBillRunItemsRequest {
        run_id: run.run_id.clone(),
        page_size: pages::PAGE,
        ..ListBillRunItemsRequest::default()
    };
    let answer = said(
        "what got no bill",
        BillRunServiceClient::new(cast.ask("billing", ACCOUNTANT)?).list_bill_run_items(asked),
    )
    .await?;
    ensure!(answer.next_page_token.is_empty(), "more agreements without a bill than a page holds");
    fs::write(folder.join("run.txt"), report(run, &answer.items))?;
    Ok(format!("{} documents, {} on the exception list", bills.len(), open.len()))
}

/// The documents of the season.
pub async fn of_season(cast: &Cast) -> Result<usize> {
    let folder = cast.papers.join(format!("season {SEASON}"));
    fs::create_dir_all(&folder)?;
    let bills = pages::heat_bills(cast, CASHIER, SEASON).await?;
    documents(cast, &folder, &bills).await?;
    Ok(bills.len())
}

async fn documents(cast: &Cast, folder: &Path, bills: &[Bill]) -> Result<()> {
    let mut service = BillServiceClient::new(cast.ask("billing", CASHIER)?);
    for bill in bills {
        let request = GetBillDocumentRequest {
            bill_id: bill.bill_id.clone(),
            party_id: None,
        };
        let answer = said("a document", service.get_bill_document(request)).await?;
        ensure!(answer.missing_characters == 0, "the document of {} lacks characters", bill.bill_no);
        fs::write(folder.join(&answer.file_name), answer.content).with_context(|| format!("the document of {}", bill.bill_no))?;
    }
    Ok(())
}

fn exceptions(path: &Path, open: &[ReadingException]) -> Result<()> {
    let mut file = csv::Writer::from_path(path)?;
    file.write_record(["meter_no", "account_no", "date", "codes"])?;
    for exception in open {
        let codes: Vec<_> = exception.codes().map(|code| code.as_str_name().trim_start_matches("CODE_")).collect();
        file.write_record([
            exception.meter_no.as_str(),
            exception.account_no.as_str(),
            &date_of(exception)?.to_string(),
            &codes.join(" "),
        ])?;
    }
    file.flush()?;
    Ok(())
}

/// Every agreement has an outcome: those with a bill by number, the others one by one.
fn report(run: &BillRun, without: &[BillRunItem]) -> String {
    let mut text = format!("Bill run of {}-{:02}, {}\n\n", run.year, run.month, run.state().as_str_name());
    let outcomes = [
        ("agreements", run.expected),
        ("bills made", run.produced),
        ("billed before", run.already),
        ("reading held", run.held),
        ("bill held by a check", run.bills_held),
        ("no reading", run.missing),
        ("parked", run.parked),
        ("IC-card meter", run.skipped),
        ("not due yet", run.not_due),
        ("voided", run.voided),
        ("gap", run.gap),
    ];
    for (name, number) in outcomes {
        text.push_str(&format!("{name:<22}{:>8}\n", count(number)));
    }
    text.push_str(&format!("{:<22}{}\n", "amount", yuan(fen(&run.amount))));
    if !without.is_empty() {
        text.push_str("\nWithout a bill:\n");
    }
    for item in without {
        let outcome = item.outcome().as_str_name().trim_start_matches("OUTCOME_");
        text.push_str(format!("{:<14}{outcome} {}", item.account_no, item.reason).trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use contracts::hearth::{billing::v1::bill_run_item::Outcome, r#type::v1::Money};

    use super::*;

    #[test]
    fn a_report_tells_every_outcome() {
        let run = BillRun {
            year: 2025,
            month: 3,
            expected: 12,
            produced: 9,
            held: 1,
            parked: 1,
            skipped: 1,
            gap: 1,
            amount: Some(Money {
                currency_code: "CNY".to_owned(),
                minor_units: 123_456,
            }),
            ..BillRun::default()
        };
        let item = |account_no: &str, outcome: Outcome, reason: &str| BillRunItem {
            account_no: account_no.to_owned(),
            outcome: outcome.into(),
            reason: reason.to_owned(),
            ..BillRunItem::default()
        };
        let told = report(&run, &[item("T1", Outcome::Held, ""), item("T2", Outcome::Parked, "TARIFF_MISSING")]);
        for line in [
            "Bill run of 2025-03",
            "agreements                  12\n",
            "gap                          1\n",
            "amount                ¥ 1,234.56\n",
            "\nT1            HELD\n",
            "\nT2            PARKED TARIFF_MISSING\n",
        ] {
            assert!(told.contains(line), "{line} in\n{told}");
        }
    }
}
