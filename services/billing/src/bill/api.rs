//! Bills over gRPC.

use contracts::hearth::billing::v1::{
    CancelAndRebillRequest, CancelAndRebillResponse, CreditBillRequest, CreditBillResponse, ExplainBillRequest, ExplainBillResponse, GetBillDocumentRequest,
    GetBillDocumentResponse, GetBillRequest, GetBillResponse, ListBillsRequest, ListBillsResponse, ReportNumbersRequest, ReportNumbersResponse,
    ReverseBillRequest, ReverseBillResponse, bill_service_server::BillService,
};
use database::Scope;
use rpc::{Call, Fault, page::Page, wire};

use super::{credit::credit, document::document, explain::explain, model::BillState, numbers, ops, rebill::rebill, store};
use crate::Desk;

/// BillService.
pub struct Api(pub Desk);

rpc::service! {
    BillService for Api(Desk) {
        read get_bill(GetBillRequest) -> GetBillResponse = get;
        read list_bills(ListBillsRequest) -> ListBillsResponse = list;
        read report_numbers(ReportNumbersRequest) -> ReportNumbersResponse = numbers::report;
        read get_bill_document(GetBillDocumentRequest) -> GetBillDocumentResponse = document;
        read explain_bill(ExplainBillRequest) -> ExplainBillResponse = explain;
        write cancel_and_rebill(CancelAndRebillRequest) -> CancelAndRebillResponse = rebill;
        write credit_bill(CreditBillRequest) -> CreditBillResponse = credit;
        write reverse_bill(ReverseBillRequest) -> ReverseBillResponse = ops::reverse;
    }
}

/// GetBill.
pub async fn get(desk: Desk, call: Call, request: GetBillRequest) -> Result<GetBillResponse, Fault> {
    let row = store::one(desk.db.reader(), &Scope::of(&call), wire::id_of("bill_id", &request.bill_id)?).await?;
    let lines = store::lines(desk.db.reader(), row.id).await?;
    let mut bill = store::message_on(&row, &lines, desk.clock.now().date())?;
    let mut credit_notes = vec![];
    // What nothing was taken off has no note, and nothing stands in its place.
    if row.credited != 0 || row.state()? == BillState::Reversed {
        let replacement = store::replacement(desk.db.reader(), row.id).await?;
        bill.replaced_by_bill_id = replacement.map_or_else(String::new, |b| b.id.to_string());
        let notes = store::notes(desk.db.reader(), &[row.id]).await?;
        let taken = store::note_lines(desk.db.reader(), &[row.id]).await?;
        credit_notes = notes.iter().map(|note| store::note_message(note, &taken)).collect();
    }
    Ok(GetBillResponse {
        bill: Some(bill),
        credit_notes,
    })
}

async fn list(desk: Desk, call: Call, request: ListBillsRequest) -> Result<ListBillsResponse, Fault> {
    let filter = format!(
        "{:?}",
        ListBillsRequest {
            page_size: 0,
            page_token: String::new(),
            ..request.clone()
        }
    );
    let page = Page::of(&call, &[&filter], request.page_size, &request.page_token)?;
    let (bills, next_page_token) = store::list(desk.db.reader(), &Scope::of(&call), &page, &request, desk.clock.now().date()).await?;
    Ok(ListBillsResponse { bills, next_page_token })
}
