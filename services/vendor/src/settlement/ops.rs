//! The writes of payment requests, one transaction each. Every one of them holds the lock of the vendor.

use chrono::Datelike;
use contracts::hearth::{
    options::v1::Role,
    vendor::v1::{
        self as proto, AddDeductionRequest, AddDeductionResponse, ApprovePaymentRequest, ApprovePaymentResponse, CancelPaymentRequest, CancelPaymentResponse,
        PayPaymentRequest, PayPaymentResponse, PlaceHoldRequest, PlaceHoldResponse, PreparePaymentRequest, PreparePaymentResponse, RecordInvoiceRequest,
        RecordInvoiceResponse, ReleaseHoldRequest, ReleaseHoldResponse, ReturnPaymentRequest, ReturnPaymentResponse, ReviewPaymentRequest,
        ReviewPaymentResponse, SubmitPaymentRequest, SubmitPaymentResponse,
    },
};
use database::{Begun, Scope, Write, numbers};
use ids::VendorId;
use rpc::{Call, Fault, wire};

use super::{
    count::{count, facts, place, released, settle_holds, take},
    model::{Action, Amounts, Cause, Deduction, Hold, Payment, State, taxes},
    store,
    wire::payment as view,
};
use crate::{
    Desk,
    assessment::Month,
    contract::{self, Contract},
    keys::{DeductionId, HoldId, PaymentRequestId},
    person::happened,
    refusal::Refusal,
    vendor::{self, wire::unknown},
    vip,
};

/// Prepares the payment of a month.
pub async fn prepare(desk: Desk, call: Call, request: PreparePaymentRequest) -> Result<PreparePaymentResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let today = write.now().date();
    let month = Month::beginning(wire::date_of(request.from_date.as_ref(), "from_date")?)?;
    let contract = contract::locked_for(&write, &call, wire::id_of("contract_id", &request.contract_id)?).await?;
    contract.was_in_force(today)?;
    if today <= month.last {
        return Err(Refusal::PeriodOpen.into());
    }
    if month.last < contract.terms.start {
        return Err(Refusal::ContractTerm.into());
    }
    let year = today.year();
    let number = numbers::next(&write, "PR", &contract.branch, year, 1).await?;
    let mut payment = Payment {
        id: PaymentRequestId::new(),
        number: format!("PR-{}-{year}-{number:06}", contract.branch),
        contract: contract.id,
        vendor: contract.vendor,
        branch: contract.branch.clone(),
        from: month.first,
        to: month.last,
        state: State::Prepared,
        lines: vec![],
        amounts: Amounts::default(),
        payable: 0,
        invoice_no: String::new(),
        invoice_date: None,
        preparer: call.subject().to_owned(),
        submitter: None,
        approver: None,
        state_reason: String::new(),
        paid: None,
        voucher_no: String::new(),
        version: 0,
        created: write.now(),
    };
    store::insert(&write, &payment).await?;
    recount(&write, &contract, &mut payment).await?;
    settle_holds(&mut write, &contract, &payment).await?;
    let payment_request = kept(&mut write, &call, &mut payment).await?;
    write.commit(PreparePaymentResponse { payment_request }).await
}

/// Records the invoice.
pub async fn invoice(desk: Desk, call: Call, request: RecordInvoiceRequest) -> Result<RecordInvoiceResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let day = happened(wire::date_of(request.invoice_date.as_ref(), "invoice_date")?, write.now().date())?;
    let vendor: VendorId = wire::id_of("vendor_id", &request.vendor_id)?;
    let (contract, mut payment) = locked(&write, &call, &request.payment_request_id, &request.etag).await?;
    if payment.vendor != vendor {
        return Err(Fault::not_found("payment_request", payment.id));
    }
    payment.act(Action::Invoice, "")?;
    let mut shown = request.tax_basis_points;
    shown.sort_unstable();
    let expected = taxes(&payment.lines);
    if shown != expected {
        let expected: Vec<_> = expected.iter().map(i32::to_string).collect();
        let refused = Fault::from(Refusal::InvoiceTaxRate).field("tax_basis_points");
        return Err(refused.meta("expected", expected.join(" ")));
    }
    (payment.invoice_no, payment.invoice_date) = (request.invoice_no, Some(day));
    settle_holds(&mut write, &contract, &payment).await?;
    let payment_request = kept(&mut write, &call, &mut payment).await?;
    write.commit(RecordInvoiceResponse { payment_request }).await
}

/// Adds a deduction for a missed service level.
pub async fn deduct(desk: Desk, call: Call, request: AddDeductionRequest) -> Result<AddDeductionResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let (contract, mut payment) = locked(&write, &call, &request.payment_request_id, &request.etag).await?;
    payment.act(Action::Deduct, "")?;
    let level = contract.terms.sla.iter().find(|sla| sla.metric == request.metric);
    let level = level.ok_or_else(|| Fault::from(Refusal::SlaMetricUnknown).field("metric"))?;
    let deduction = Deduction {
        id: DeductionId::new(),
        payment: payment.id,
        metric: request.metric,
        basis_points: level.deduction_basis_points,
        misses: request.misses,
        evidence: request.evidence,
        reason: request.reason,
        recorder: call.subject().to_owned(),
        recorded: write.now(),
    };
    store::insert_deduction(&write, &deduction).await?;
    recount(&write, &contract, &mut payment).await?;
    let payment_request = kept(&mut write, &call, &mut payment).await?;
    write.commit(AddDeductionResponse { payment_request }).await
}

/// Counts again and looks again at the holds.
pub async fn review(desk: Desk, call: Call, request: ReviewPaymentRequest) -> Result<ReviewPaymentResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let (contract, mut payment) = locked(&write, &call, &request.payment_request_id, &request.etag).await?;
    payment.act(Action::Review, "")?;
    if payment.state.is_open() {
        recount(&write, &contract, &mut payment).await?;
    }
    settle_holds(&mut write, &contract, &payment).await?;
    let payment_request = kept(&mut write, &call, &mut payment).await?;
    write.commit(ReviewPaymentResponse { payment_request }).await
}

/// Submits a request for approval.
pub async fn submit(desk: Desk, call: Call, request: SubmitPaymentRequest) -> Result<SubmitPaymentResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let (contract, mut payment) = locked(&write, &call, &request.payment_request_id, &request.etag).await?;
    payment.act(Action::Submit, "")?;
    payment.submitter = Some(call.subject().to_owned());
    recount(&write, &contract, &mut payment).await?;
    settle_holds(&mut write, &contract, &payment).await?;
    let payment_request = kept(&mut write, &call, &mut payment).await?;
    write.commit(SubmitPaymentResponse { payment_request }).await
}

/// Gives a submitted request back.
pub async fn give_back(desk: Desk, call: Call, request: ReturnPaymentRequest) -> Result<ReturnPaymentResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let (_, mut payment) = locked(&write, &call, &request.payment_request_id, &request.etag).await?;
    payment.act(Action::Return, &request.reason)?;
    let payment_request = kept(&mut write, &call, &mut payment).await?;
    write.commit(ReturnPaymentResponse { payment_request }).await
}

/// Approves a submitted request, if it still comes to what it shows.
pub async fn approve(desk: Desk, call: Call, request: ApprovePaymentRequest) -> Result<ApprovePaymentResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let (contract, mut payment) = locked(&write, &call, &request.payment_request_id, &request.etag).await?;
    payment.act(Action::Approve, &request.opinion)?;
    let book = store::book(&write, &[payment.id]).await?;
    if payment.is_made_by(call.subject()) || book.deductions.iter().any(|d| d.recorder == call.subject()) {
        return Err(Refusal::SecondPersonNeeded.into());
    }
    if facts(&write, &contract, &payment)
        .await?
        .iter()
        .any(|(cause, _)| *cause == Cause::AssessmentMissing)
    {
        return Err(Refusal::AssessmentMissing.into());
    }
    let counted = count(&write, &contract, &payment).await?;
    if (&counted.lines, counted.amounts, counted.payable) != (&payment.lines, payment.amounts, payment.payable) {
        return Err(Refusal::PaymentChanged.into());
    }
    payment.approver = Some(call.subject().to_owned());
    settle_holds(&mut write, &contract, &payment).await?;
    let payment_request = kept(&mut write, &call, &mut payment).await?;
    write.commit(ApprovePaymentResponse { payment_request }).await
}

/// Records that an approved request was paid; it counts as a trade from now on.
pub async fn pay(desk: Desk, call: Call, request: PayPaymentRequest) -> Result<PayPaymentResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let (contract, mut payment) = locked(&write, &call, &request.payment_request_id, &request.etag).await?;
    payment.act(Action::Pay, "")?;
    if payment.is_made_by(call.subject()) {
        return Err(Refusal::SecondPersonNeeded.into());
    }
    let held = store::book(&write, &[payment.id]).await?.holds.iter().any(Hold::is_open);
    if held || !facts(&write, &contract, &payment).await?.is_empty() {
        return Err(Refusal::PaymentHeld.into());
    }
    let today = write.now().date();
    (payment.paid, payment.voucher_no) = (Some(today), request.voucher_no);
    let vendor = vendor::store::load(&write, &Scope::everything(), payment.vendor).await?;
    vip::store::book_payment(&write, &vendor.uscc, &payment.number, &payment.branch, payment.payable, write.now()).await?;
    let payment_request = kept(&mut write, &call, &mut payment).await?;
    write.commit(PayPaymentResponse { payment_request }).await
}

/// Gives a request up.
pub async fn cancel(desk: Desk, call: Call, request: CancelPaymentRequest) -> Result<CancelPaymentResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let (_, mut payment) = locked(&write, &call, &request.payment_request_id, &request.etag).await?;
    payment.act(Action::Cancel, &request.reason)?;
    let payment_request = kept(&mut write, &call, &mut payment).await?;
    write.commit(CancelPaymentResponse { payment_request }).await
}

/// Places a hold by hand.
pub async fn hold(desk: Desk, call: Call, request: PlaceHoldRequest) -> Result<PlaceHoldResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let cause = Cause::of_number(request.cause).ok_or_else(|| unknown("cause"))?;
    if !cause.by_hand() {
        return Err(Fault::from(Refusal::HoldCause).field("cause"));
    }
    let (_, mut payment) = locked(&write, &call, &request.payment_request_id, &request.etag).await?;
    payment.act(Action::Hold, "")?;
    place(&mut write, &payment, cause, request.reason, call.subject()).await?;
    let payment_request = kept(&mut write, &call, &mut payment).await?;
    write.commit(PlaceHoldResponse { payment_request }).await
}

/// Releases a hold, for its owner.
pub async fn unhold(desk: Desk, call: Call, request: ReleaseHoldRequest) -> Result<ReleaseHoldResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let id: HoldId = wire::id_of("hold_id", &request.hold_id)?;
    let (contract, mut payment) = locked(&write, &call, &request.payment_request_id, &request.etag).await?;
    payment.act(Action::Hold, "")?;
    let holds = store::book(&write, &[payment.id]).await?.holds;
    let mut hold = holds.into_iter().find(|hold| hold.id == id).ok_or_else(|| Fault::not_found("hold", id))?;
    let is_owner = Role::try_from(hold.cause.owner().number()).is_ok_and(|owner| call.has(owner));
    let stands = facts(&write, &contract, &payment).await?.iter().any(|(cause, _)| *cause == hold.cause);
    hold.release(is_owner, stands, call.subject(), request.reason, write.now())?;
    released(&mut write, &payment, &hold).await?;
    let payment_request = kept(&mut write, &call, &mut payment).await?;
    write.commit(ReleaseHoldResponse { payment_request }).await
}

/// A payment request in the version that the caller has seen, with its contract, under the lock of its vendor. The first look finds the
/// vendor only.
async fn locked(write: &Write, call: &Call, id: &str, etag: &str) -> Result<(Contract, Payment), Fault> {
    let (scope, id) = (Scope::of(call), wire::id_of("payment_request_id", id)?);
    let vendor = store::load(write, &scope, id).await?.vendor;
    vendor::store::lock(write, &vendor::store::scope(call), vendor).await?;
    let payment = store::load(write, &scope, id).await?;
    rpc::check_etag(etag, payment.id, payment.version)?;
    let contract = contract::store::load(write, &Scope::everything(), payment.contract).await?;
    Ok((contract, payment))
}

async fn recount(write: &Write, contract: &Contract, payment: &mut Payment) -> Result<(), Fault> {
    let counted = count(write, contract, payment).await?;
    take(write, payment, counted).await
}

/// Keeps a payment request and shows it.
async fn kept(write: &mut Write, call: &Call, payment: &mut Payment) -> Result<Option<proto::PaymentRequest>, Fault> {
    store::save(write, payment).await?;
    write.subject(payment.id);
    let book = store::book(write, &[payment.id]).await?;
    view(call, payment, &book).map(Some)
}
