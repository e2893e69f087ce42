//! July: the vendor's June is assessed (F-07), its repair is settled by the rate card less what the rework costs, held for want of an invoice, and paid (F-09).

use anyhow::{Result, ensure};
use contracts::hearth::vendor::v1::{
    AddDeductionRequest, ApprovePaymentRequest, AssessContractRequest, AssessmentScores, PayPaymentRequest, PaymentRequest, PreparePaymentRequest, RateBasis,
    RecordInvoiceRequest, SetRateRequest, SubmitPaymentRequest, assessment_service_client::AssessmentServiceClient, payment_hold::Cause, payment_request,
    settlement_service_client::SettlementServiceClient,
};
use money::Money;
use rpc::wire;

use super::{
    cast::{ACCOUNTANT, ASSESSOR, Actor, CONTRACT_OFFICER, Cast, FINANCE, date, decimal, held, key, said},
    repair::Repair,
    stage::Stage,
    vendor::Admitted,
};
use crate::{
    client::Client,
    import::figures::{fen, yuan},
};

/// What a repair costs by the rate card, in fen.
const REPAIR: i64 = 18_000;
const JUNE: &str = "2025-06-01";

/// What the month came to.
pub struct Settled {
    pub payment_no: String,
    pub score: String,
    pub due: i64,
    pub deducted: i64,
    pub payable: i64,
}

fn settlements(cast: &Cast, actor: Actor) -> Result<SettlementServiceClient<Client>> {
    cast.ask("vendor", actor).map(SettlementServiceClient::new)
}

/// The rate card of the contract, agreed when it begins.
pub async fn agree(cast: &Cast, vendor: &Admitted) -> Result<()> {
    let rate = SetRateRequest {
        request_id: key("rate of repairs"),
        contract_id: vendor.contract_id.clone(),
        basis: RateBasis::Order.into(),
        work_kind: "REPAIR".to_owned(),
        unit_price: Some(wire::money(Money::from_fen(REPAIR))),
        from_date: Some(date("2025-01-20")?),
        tax_basis_points: 600,
    };
    said("the rate", settlements(cast, CONTRACT_OFFICER)?.set_rate(rate)).await?;
    Ok(())
}

pub async fn settle(cast: &Cast, stage: &Stage, vendor: &Admitted, repair: &Repair) -> Result<Settled> {
    let chapter = stage.chapter("settlement", 0);
    cast.set_clock("2025-07-11T09:00").await?;
    chapter.doing("assessed");
    let points = |text: &str| Some(decimal(text));
    let assess = AssessContractRequest {
        request_id: key("assessment of June"),
        contract_id: vendor.contract_id.clone(),
        from_date: Some(date(JUNE)?),
        milestone: String::new(),
        to_date: None,
        scores: Some(AssessmentScores {
            timeliness: points("28"),
            quality: points("24"),
            service_level: points("18"),
            staff_safety: points("10"),
            documents: points("9"),
        }),
        findings: "按时到场;一次返工".to_owned(),
    };
    let mut assessor = AssessmentServiceClient::new(cast.ask("vendor", ASSESSOR)?);
    let assessment = held("assessment", said("the assessment", assessor.assess_contract(assess)).await?.assessment)?;
    let score = assessment.total.map(|t| t.value).unwrap_or_default();
    let score = score.strip_suffix(".000").unwrap_or(&score).to_owned();

    // The vendor has five working days to object, and does not.
    cast.set_clock("2025-07-21T09:00").await?;
    chapter.doing("settled");
    let payment = |answer: Option<PaymentRequest>| held("payment request", answer);
    let prepare = PreparePaymentRequest {
        request_id: key("payment of June"),
        contract_id: vendor.contract_id.clone(),
        from_date: Some(date(JUNE)?),
    };
    let p = payment(
        said("the settlement", settlements(cast, ACCOUNTANT)?.prepare_payment(prepare))
            .await?
            .payment_request,
    )?;
    let deduct = AddDeductionRequest {
        request_id: key("deduction of June"),
        payment_request_id: p.payment_request_id,
        etag: p.etag,
        metric: "rework".to_owned(),
        misses: repair.rounds.saturating_sub(1),
        evidence: repair.order_no.clone(),
        reason: "返工一次".to_owned(),
    };
    let p = payment(said("the deduction", settlements(cast, ASSESSOR)?.add_deduction(deduct)).await?.payment_request)?;
    let submit = SubmitPaymentRequest {
        request_id: key("submit June"),
        payment_request_id: p.payment_request_id,
        etag: p.etag,
    };
    let p = payment(
        said("the submission", settlements(cast, ACCOUNTANT)?.submit_payment(submit))
            .await?
            .payment_request,
    )?;
    let approve = ApprovePaymentRequest {
        request_id: key("approve June"),
        payment_request_id: p.payment_request_id,
        etag: p.etag,
        opinion: "agreed".to_owned(),
    };
    let p = payment(
        said("the approval", settlements(cast, FINANCE)?.approve_payment(approve))
            .await?
            .payment_request,
    )?;

    chapter.doing("held: no invoice");
    let open = |p: &PaymentRequest| -> Vec<Cause> { p.holds.iter().filter(|h| h.release_time.is_none()).map(|h| h.cause()).collect() };
    ensure!(open(&p) == [Cause::InvoiceMissing], "the payment is held by {:?}", open(&p));
    let invoice = RecordInvoiceRequest {
        request_id: key("invoice of June"),
        vendor_id: vendor.vendor_id.clone(),
        payment_request_id: p.payment_request_id,
        etag: p.etag,
        invoice_no: "25122000000007000001".to_owned(),
        invoice_date: Some(date("2025-07-21")?),
        tax_basis_points: vec![600],
    };
    let mut portal = SettlementServiceClient::new(cast.ask_as_vendor("vendor", "jinran-office", &vendor.vendor_id)?);
    let p = payment(said("the invoice", portal.record_invoice(invoice)).await?.payment_request)?;
    ensure!(open(&p).is_empty(), "the payment is still held by {:?}", open(&p));

    chapter.doing("paid");
    let pay = PayPaymentRequest {
        request_id: key("pay June"),
        payment_request_id: p.payment_request_id,
        etag: p.etag,
        voucher_no: "V-2025-07-0001".to_owned(),
    };
    let p = payment(said("the payment", settlements(cast, FINANCE)?.pay_payment(pay)).await?.payment_request)?;
    ensure!(p.state() == payment_request::State::Paid, "the payment is {}", p.state().as_str_name());
    chapter.done(&format!(
        "{}: June scored {score}, {} paid after the invoice came",
        p.payment_no,
        yuan(fen(&p.payable))
    ));
    Ok(Settled {
        score,
        due: fen(&p.due),
        deducted: fen(&p.deducted),
        payable: fen(&p.payable),
        payment_no: p.payment_no,
    })
}
