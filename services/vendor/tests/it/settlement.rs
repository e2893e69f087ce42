use contracts::hearth::{
    options::v1::Role,
    r#type::v1::Date,
    vendor::v1::{
        AddDeductionRequest, ApprovePaymentRequest, CancelPaymentRequest, GetContractRequest, GetPaymentRequest, GetRetentionRequest, LendAssetRequest,
        LentAsset, ListAssetsRequest, ListPaymentsRequest, ListRatesRequest, PayPaymentRequest, PaymentHeld, PaymentReleased, PaymentRequest, PlaceHoldRequest,
        PreparePaymentRequest, RateBasis, RecordInvoiceRequest, ReleaseHoldRequest, ReturnAssetRequest, ReturnPaymentRequest, ReviewPaymentRequest,
        SubmitPaymentRequest, TerminateContractRequest, payment_hold::Cause, payment_request::State,
    },
};
use futures::future::join_all;
use testbed::{Bed, each, key, reason};
use tonic::{Code, Status};

use crate::{
    assessment::uphold,
    field::{Field, REPAIR, Settlements, as_fen, blacklist, fen, in_force, settlements, taxed_rate, try_rate},
    world::{Contracts, contracts, date, day, events, payloads, set_day, terms, today},
};

const GOOD: [&str; 5] = ["25", "25", "15", "10", "10"];
/// 75: 95 %.
const FAIR: [&str; 5] = ["20", "20", "15", "10", "10"];

fn accountant(bed: &Bed) -> Settlements {
    settlements(bed, "accountant", &[Role::Accountant])
}

pub fn finance(bed: &Bed) -> Settlements {
    settlements(bed, "finance", &[Role::Finance])
}

async fn try_prepare(bed: &Bed, field: &Field, month: Date) -> Result<PaymentRequest, Status> {
    let request = PreparePaymentRequest {
        request_id: key(),
        contract_id: field.contract.contract_id.clone(),
        from_date: Some(month),
    };
    Ok(accountant(bed).prepare_payment(request).await?.into_inner().payment_request.unwrap())
}

pub async fn prepare(bed: &Bed, field: &Field, month: Date) -> PaymentRequest {
    try_prepare(bed, field, month).await.unwrap()
}

pub async fn invoice(bed: &Bed, p: PaymentRequest) -> PaymentRequest {
    try_invoice(bed, &p, &[]).await.unwrap()
}

async fn try_invoice(bed: &Bed, p: &PaymentRequest, taxes: &[i32]) -> Result<PaymentRequest, Status> {
    let request = RecordInvoiceRequest {
        request_id: key(),
        vendor_id: p.vendor_id.clone(),
        payment_request_id: p.payment_request_id.clone(),
        etag: p.etag.clone(),
        invoice_no: "24312000000012345678".into(),
        invoice_date: Some(rpc::wire::date(today(bed))),
        tax_basis_points: taxes.to_vec(),
    };
    let mut admin = Settlements::new(bed.vendor_user(&p.vendor_id, &[Role::VendorAdmin]));
    Ok(admin.record_invoice(request).await?.into_inner().payment_request.unwrap())
}

async fn deduct(bed: &Bed, p: &PaymentRequest, metric: &str, misses: i32) -> Result<PaymentRequest, Status> {
    let request = AddDeductionRequest {
        request_id: key(),
        payment_request_id: p.payment_request_id.clone(),
        etag: p.etag.clone(),
        metric: metric.into(),
        misses,
        evidence: "WO-河西区-2025-000001".into(),
        reason: "P1 超时".into(),
    };
    let answer = settlements(bed, "assessor", &[Role::Assessor]).add_deduction(request).await?;
    Ok(answer.into_inner().payment_request.unwrap())
}

async fn review(bed: &Bed, p: &PaymentRequest) -> Result<PaymentRequest, Status> {
    let request = ReviewPaymentRequest {
        request_id: key(),
        payment_request_id: p.payment_request_id.clone(),
        etag: p.etag.clone(),
    };
    Ok(accountant(bed).review_payment(request).await?.into_inner().payment_request.unwrap())
}

pub async fn submit(bed: &Bed, p: &PaymentRequest) -> Result<PaymentRequest, Status> {
    let request = SubmitPaymentRequest {
        request_id: key(),
        payment_request_id: p.payment_request_id.clone(),
        etag: p.etag.clone(),
    };
    Ok(accountant(bed).submit_payment(request).await?.into_inner().payment_request.unwrap())
}

pub async fn approve(bed: &Bed, by: &str, p: &PaymentRequest) -> Result<PaymentRequest, Status> {
    let request = ApprovePaymentRequest {
        request_id: key(),
        payment_request_id: p.payment_request_id.clone(),
        etag: p.etag.clone(),
        opinion: String::new(),
    };
    let answer = settlements(bed, by, &[Role::Accountant, Role::Finance]).approve_payment(request).await?;
    Ok(answer.into_inner().payment_request.unwrap())
}

pub async fn pay(bed: &Bed, by: &str, p: &PaymentRequest) -> Result<PaymentRequest, Status> {
    let request = PayPaymentRequest {
        request_id: key(),
        payment_request_id: p.payment_request_id.clone(),
        etag: p.etag.clone(),
        voucher_no: "V-1".into(),
    };
    let answer = settlements(bed, by, &[Role::Accountant, Role::Finance]).pay_payment(request).await?;
    Ok(answer.into_inner().payment_request.unwrap())
}

async fn cancel(bed: &Bed, p: &PaymentRequest) -> Result<PaymentRequest, Status> {
    let request = CancelPaymentRequest {
        request_id: key(),
        payment_request_id: p.payment_request_id.clone(),
        etag: p.etag.clone(),
        reason: "重新计算".into(),
    };
    Ok(accountant(bed).cancel_payment(request).await?.into_inner().payment_request.unwrap())
}

/// Takes a prepared request all the way.
async fn paid(bed: &Bed, p: PaymentRequest) -> PaymentRequest {
    let p = invoice(bed, p).await;
    let p = submit(bed, &p).await.unwrap();
    let p = approve(bed, "finance", &p).await.unwrap();
    pay(bed, "finance", &p).await.unwrap()
}

pub fn open(p: &PaymentRequest) -> Vec<Cause> {
    p.holds.iter().filter(|h| h.release_time.is_none()).map(|h| h.cause()).collect()
}

async fn retention(bed: &Bed, field: &Field) -> (i64, i64, i64) {
    let request = GetRetentionRequest {
        vendor_id: field.vendor.clone(),
        contract_id: field.contract.contract_id.clone(),
    };
    let got = finance(bed).get_retention(request).await.unwrap().into_inner();
    (as_fen(&got.retained), as_fen(&got.claimed), as_fen(&got.balance))
}

#[tokio::test(flavor = "multi_thread")]
async fn f_09_due_times_factor_less_deductions_less_retention() {
    each(vendor::SERVICE, async |bed| {
        let field = Field::new(bed).await;
        let february = date(2025, 2, 1);
        try_rate(bed, &field.contract, RateBasis::Order, "REPAIR", 9_000, date(2025, 2, 10))
            .await
            .unwrap();
        set_day(bed, "2025-02-06");
        field.repairs(bed, 1).await;
        set_day(bed, "2025-02-12");
        field.repairs(bed, 2).await;
        assert_eq!(reason(&try_prepare(bed, &field, february).await.unwrap_err()), "PERIOD_OPEN");
        set_day(bed, "2025-03-03");
        assert_eq!(reason(&try_prepare(bed, &field, date(2025, 2, 2)).await.unwrap_err()), "PERIOD_MONTH");
        assert_eq!(reason(&try_prepare(bed, &field, date(2024, 12, 1)).await.unwrap_err()), "CONTRACT_TERM");
        field.assess(bed, february, FAIR).await;
        let p = prepare(bed, &field, february).await;
        assert_eq!(p.payment_no, "PR-河西区-2025-000001");
        let lines: Vec<_> = p.lines.iter().map(|l| (l.count, as_fen(&l.unit_price), as_fen(&l.amount))).collect();
        assert_eq!(lines, [(1, 8_000, 8_000), (2, 9_000, 18_000)]);
        assert_eq!(reason(&try_prepare(bed, &field, february).await.unwrap_err()), "PAYMENT_REQUEST_PERIOD_UNIQUE");

        assert_eq!(reason(&deduct(bed, &p, "P9", 1).await.unwrap_err()), "SLA_METRIC_UNKNOWN");
        let p = deduct(bed, &p, "P1 response", 4).await.unwrap();
        // 260.00 × 95 % = 247.00; four misses at 1 % of 260.00 are 10.40; 5 % of the 236.60 that remain are 11.83.
        let amounts = |p: &PaymentRequest| [&p.due, &p.earned, &p.deducted, &p.carried_to_retention, &p.retained, &p.payable].map(as_fen);
        assert_eq!((amounts(&p), p.factor_basis_points), ([26_000, 24_700, 1_040, 0, 1_183, 22_477], 9_500));
        let deduction = &p.deductions[0];
        assert_eq!(
            (as_fen(&deduction.amount), deduction.misses, deduction.recorder.as_str()),
            (1_040, 4, "assessor")
        );
        assert_eq!(deduction.evidence, "WO-河西区-2025-000001");

        assert_eq!(open(&p), [Cause::InvoiceMissing]);
        let p = submit(bed, &p).await.unwrap();
        assert_eq!(reason(&deduct(bed, &p, "P1 response", 1).await.unwrap_err()), "PAYMENT_STATE");
        for maker in ["accountant", "assessor"] {
            let status = approve(bed, maker, &p).await.unwrap_err();
            assert_eq!(
                (status.code(), reason(&status).as_str()),
                (Code::PermissionDenied, "SECOND_PERSON_NEEDED"),
                "{maker}"
            );
        }
        let p = approve(bed, "finance", &p).await.unwrap();
        assert_eq!(reason(&pay(bed, "finance", &p).await.unwrap_err()), "PAYMENT_HELD", "no invoice");
        let p = invoice(bed, p).await;
        assert!(open(&p).is_empty() && p.preparer.is_empty(), "vendors do not see who made it");
        assert_eq!(reason(&pay(bed, "accountant", &p).await.unwrap_err()), "SECOND_PERSON_NEEDED");
        let p = pay(bed, "finance", &p).await.unwrap();
        assert_eq!(
            (p.state(), day(&p.paid_date), p.approver.as_str()),
            (State::Paid, "2025-03-03".into(), "finance")
        );
        assert_eq!(amounts(&p)[5], 22_477);
        assert_eq!(retention(bed, &field).await, (1_183, 0, 1_183));
        assert_eq!(reason(&cancel(bed, &p).await.unwrap_err()), "PAYMENT_STATE");

        let told = events(bed, 15).await;
        assert_eq!(payloads::<PaymentHeld>(&told)[0].cause(), Cause::InvoiceMissing);
        assert_eq!(payloads::<PaymentReleased>(&told)[0].payment_request_id, p.payment_request_id);
        let request = ListPaymentsRequest {
            vendor_id: field.vendor.clone(),
            ..Default::default()
        };
        let listed = finance(bed).list_payments(request).await.unwrap().into_inner().payment_requests;
        assert_eq!(listed, [p]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_09_a_deduction_larger_than_the_fee_stops_at_30_percent_and_carries_to_the_retention() {
    each(vendor::SERVICE, async |bed| {
        let field = Field::new(bed).await;
        field.repairs(bed, 1).await;
        set_day(bed, "2025-02-06");
        field.assess(bed, date(2025, 1, 1), GOOD).await;
        let p = prepare(bed, &field, date(2025, 1, 1)).await;
        let p = deduct(bed, &p, "P1 response", 120).await.unwrap();
        // 120 % of 80.00 is 96.00: 24.00 now, 72.00 against the retention; 5 % of 56.00 is 2.80.
        let got = [&p.deducted, &p.carried_to_retention, &p.retained, &p.payable].map(as_fen);
        assert_eq!(got, [2_400, 7_200, 280, 5_320]);
        paid(bed, p).await;
        assert_eq!(retention(bed, &field).await, (280, 7_200, 0), "never negative");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r_m3_of_sixty_four_who_prepare_or_pay_one_month_one_does() {
    each(vendor::SERVICE, async |bed| {
        let field = Field::new(bed).await;
        field.repairs(bed, 1).await;
        set_day(bed, "2025-02-06");
        field.assess(bed, date(2025, 1, 1), GOOD).await;
        let mut prepared = vec![];
        for outcome in join_all((0..64).map(|_| try_prepare(bed, &field, date(2025, 1, 1)))).await {
            match outcome {
                Ok(p) => prepared.push(p),
                Err(status) => assert_eq!(reason(&status), "PAYMENT_REQUEST_PERIOD_UNIQUE"),
            }
        }
        assert_eq!(prepared.len(), 1);
        let p = invoice(bed, prepared.remove(0)).await;
        let p = submit(bed, &p).await.unwrap();
        let p = approve(bed, "finance", &p).await.unwrap();
        let mut paid = 0;
        for outcome in join_all((0..64).map(|_| pay(bed, "finance", &p))).await {
            match outcome {
                Ok(p) => {
                    // 80.00 less 5 %.
                    assert_eq!((as_fen(&p.payable), p.state()), (7_600, State::Paid));
                    paid += 1;
                }
                Err(status) => assert!(["ETAG_MISMATCH", "PAYMENT_STATE"].contains(&reason(&status).as_str()), "{status:?}"),
            }
        }
        assert_eq!((paid, retention(bed, &field).await), (1, (400, 0, 400)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_09_work_counts_in_the_month_of_its_acceptance_however_it_is_dated() {
    each(vendor::SERVICE, async |bed| {
        let field = Field::new(bed).await;
        set_day(bed, "2025-01-20");
        field.repairs(bed, 1).await;
        let late = field.reported(bed, date(2025, 1, 20)).await;
        set_day(bed, "2025-02-06");
        let january = date(2025, 1, 1);
        field.assess(bed, january, GOOD).await;
        paid(bed, prepare(bed, &field, january).await).await;
        // Accepted in February, and reported in February as done in January: both are February's.
        field.accept(bed, late).await;
        let backdated = field.reported(bed, date(2025, 1, 31)).await;
        field.accept(bed, backdated).await;
        set_day(bed, "2025-03-03");
        field.assess(bed, date(2025, 2, 1), GOOD).await;
        let p = prepare(bed, &field, date(2025, 2, 1)).await;
        assert_eq!((p.lines[0].count, as_fen(&p.due)), (2, 16_000));
        let request = ListPaymentsRequest {
            contract_id: field.contract.contract_id.clone(),
            ..Default::default()
        };
        let all = finance(bed).list_payments(request).await.unwrap().into_inner().payment_requests;
        assert_eq!(
            all.iter().map(|p| as_fen(&p.due)).collect::<Vec<_>>(),
            [8_000, 16_000],
            "each order is paid once"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_e_a_late_invoice_across_a_change_of_tax_shows_the_tax_of_the_work() {
    each(vendor::SERVICE, async |bed| {
        let field = Field::new(bed).await;
        let (january, february) = (date(2025, 1, 1), date(2025, 2, 1));
        let rate = async |price, tax, from| {
            let row = taxed_rate(bed, &field.contract, RateBasis::Order, "REPAIR", price, tax, from).await.unwrap();
            assert_eq!(row.tax_basis_points, tax);
        };
        // 100.00 and 9 %; from February on the law asks for 6 %.
        rate(10_900, 900, date(2025, 1, 10)).await;
        rate(10_600, 600, february).await;
        set_day(bed, "2025-01-20");
        field.repairs(bed, 1).await;
        let late = field.reported(bed, date(2025, 1, 20)).await;
        set_day(bed, "2025-02-06");
        field.assess(bed, january, GOOD).await;
        field.accept(bed, late).await;
        field.repairs(bed, 1).await;

        // The invoice for January comes in March.
        set_day(bed, "2025-03-03");
        let p = prepare(bed, &field, january).await;
        assert_eq!((as_fen(&p.due), p.lines[0].tax_basis_points), (10_900, 900));
        for wrong in [vec![], vec![600], vec![600, 900]] {
            let refused = try_invoice(bed, &p, &wrong).await.unwrap_err();
            assert_eq!(
                (refused.code(), reason(&refused), testbed::fields(&refused)),
                (Code::InvalidArgument, "INVOICE_TAX_RATE".to_owned(), vec!["tax_basis_points".to_owned()]),
                "{wrong:?}"
            );
        }
        let p = try_invoice(bed, &p, &[900]).await.unwrap();
        assert!(p.holds.iter().all(|hold| hold.release_time.is_some()), "{:?}", p.holds);
        // What is paid does not change by it: 5 % of 109.00 is retained.
        assert_eq!(as_fen(&p.payable), 10_355);

        // February's payment has work of both: what was reported before the change, and what was reported after it.
        field.assess(bed, february, GOOD).await;
        let p = prepare(bed, &field, february).await;
        let lines: Vec<_> = p.lines.iter().map(|l| (l.count, as_fen(&l.amount), l.tax_basis_points)).collect();
        assert_eq!((lines, as_fen(&p.due)), (vec![(1, 10_900, 900), (1, 10_600, 600)], 21_500));
        assert_eq!(reason(&try_invoice(bed, &p, &[600]).await.unwrap_err()), "INVOICE_TAX_RATE");
        try_invoice(bed, &p, &[900, 600]).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_09_an_objection_upheld_after_the_payment_pays_the_difference_in_the_next() {
    each(vendor::SERVICE, async |bed| {
        let field = Field::new(bed).await;
        let (january, february, march) = (date(2025, 1, 1), date(2025, 2, 1), date(2025, 3, 1));
        field.repairs(bed, 1).await;
        set_day(bed, "2025-02-06");
        let a = field.assess(bed, january, FAIR).await;
        // 80.00 × 95 % = 76.00; 5 % of it is 3.80.
        let first = paid(bed, prepare(bed, &field, january).await).await;
        assert_eq!(as_fen(&first.payable), 7_220);
        uphold(bed, &a, GOOD).await;

        set_day(bed, "2025-03-03");
        let given_up = prepare(bed, &field, february).await;
        assert_eq!(as_fen(&given_up.payable), 380);
        cancel(bed, &given_up).await.unwrap();
        // A month without orders: 80.00 - 4.00 retained = 76.00, of which 72.20 were paid.
        let second = prepare(bed, &field, february).await;
        let made = &second.adjustments[0];
        assert_eq!(
            (made.payment_request_id.as_str(), as_fen(&made.amount)),
            (first.payment_request_id.as_str(), 380)
        );
        assert_eq!((made.factor_basis_points, as_fen(&second.due), as_fen(&second.payable)), (10_000, 0, 380));
        paid(bed, second).await;
        assert_eq!(retention(bed, &field).await, (400, 0, 400));

        set_day(bed, "2025-04-01");
        let third = prepare(bed, &field, march).await;
        assert!(third.adjustments.is_empty(), "the difference is paid once");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_09_a_month_without_orders_is_paid_in_full_by_its_monthly_rate() {
    each(vendor::SERVICE, async |bed| {
        let field = Field::new(bed).await;
        try_rate(bed, &field.contract, RateBasis::Month, "", 50_000, date(2025, 1, 2)).await.unwrap();
        set_day(bed, "2025-03-03");
        let p = prepare(bed, &field, date(2025, 2, 1)).await;
        assert_eq!((as_fen(&p.due), p.factor_basis_points), (50_000, 10_000));
        assert_eq!(open(&p), [Cause::InvoiceMissing], "no assessment is missing");
        assert_eq!(as_fen(&paid(bed, p).await.payable), 47_500);
    })
    .await;
}

pub async fn lend(bed: &Bed, field: &Field, back: Date) -> Result<LentAsset, Status> {
    let request = LendAssetRequest {
        request_id: key(),
        vendor_id: field.vendor.clone(),
        branch: "河西区".into(),
        asset_no: format!("A-{}", field.worker.person_id),
        description: "检漏仪".into(),
        lent_date: Some(rpc::wire::date(today(bed))),
        return_by_date: Some(back),
    };
    Ok(settlements(bed, "it", &[Role::ItDepartment])
        .lend_asset(request)
        .await?
        .into_inner()
        .asset
        .unwrap())
}

async fn hold(bed: &Bed, p: &PaymentRequest, cause: Cause) -> Result<PaymentRequest, Status> {
    let request = PlaceHoldRequest {
        request_id: key(),
        payment_request_id: p.payment_request_id.clone(),
        etag: p.etag.clone(),
        cause: cause.into(),
        reason: "调压站停机".into(),
    };
    let answer = settlements(bed, "it", &[Role::ItDepartment]).place_hold(request).await?;
    Ok(answer.into_inner().payment_request.unwrap())
}

pub async fn release(bed: &Bed, role: Role, p: &PaymentRequest, cause: Cause) -> Result<PaymentRequest, Status> {
    let request = ReleaseHoldRequest {
        request_id: key(),
        payment_request_id: p.payment_request_id.clone(),
        etag: p.etag.clone(),
        hold_id: p.holds.iter().rfind(|h| h.cause() == cause).unwrap().hold_id.clone(),
        reason: "已经处理".into(),
    };
    let answer = settlements(bed, "owner", &[role]).release_hold(request).await?;
    Ok(answer.into_inner().payment_request.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn f_09_holds_have_an_owner_and_nothing_is_paid_while_one_is_open() {
    each(vendor::SERVICE, async |bed| {
        let field = Field::new(bed).await;
        field.repairs(bed, 1).await;
        assert_eq!(reason(&lend(bed, &field, date(2025, 1, 1)).await.unwrap_err()), "TERM_ORDER");
        let asset = lend(bed, &field, date(2025, 2, 5)).await.unwrap();
        assert_eq!(reason(&lend(bed, &field, date(2025, 2, 5)).await.unwrap_err()), "LENT_ASSET_OPEN_UNIQUE");
        set_day(bed, "2025-02-05");
        let january = date(2025, 1, 1);
        let p = prepare(bed, &field, january).await;
        assert_eq!(
            open(&p),
            [Cause::AssessmentMissing, Cause::InvoiceMissing],
            "the asset is due today and not overdue"
        );
        let p = submit(bed, &p).await.unwrap();
        assert_eq!(reason(&approve(bed, "finance", &p).await.unwrap_err()), "ASSESSMENT_MISSING");
        field.assess(bed, january, FAIR).await;
        assert_eq!(reason(&approve(bed, "finance", &p).await.unwrap_err()), "PAYMENT_CHANGED");
        set_day(bed, "2025-02-06");
        let p = review(bed, &p).await.unwrap();
        assert_eq!((open(&p), p.factor_basis_points), (vec![Cause::InvoiceMissing, Cause::AssetsUnreturned], 9_500));
        let p = approve(bed, "finance", &p).await.unwrap();

        for cause in [
            Cause::AssessmentMissing,
            Cause::InvoiceMissing,
            Cause::VendorBlacklisted,
            Cause::AssetsUnreturned,
        ] {
            assert_eq!(reason(&hold(bed, &p, cause).await.unwrap_err()), "HOLD_CAUSE");
        }
        let p = hold(bed, &p, Cause::OpenP1).await.unwrap();
        assert_eq!(reason(&hold(bed, &p, Cause::OpenP1).await.unwrap_err()), "PAYMENT_HOLD_OPEN_UNIQUE");
        let p = hold(bed, &p, Cause::ConfidentialityIncident).await.unwrap();
        let p = hold(bed, &p, Cause::RectificationOverdue).await.unwrap();
        let owner = |p: &PaymentRequest, cause| p.holds.iter().find(|h| h.cause() == cause).unwrap().owner();
        for (cause, role) in [
            (Cause::AssessmentMissing, Role::Assessor),
            (Cause::InvoiceMissing, Role::Accountant),
            (Cause::AssetsUnreturned, Role::ItDepartment),
            (Cause::OpenP1, Role::ItDepartment),
            (Cause::ConfidentialityIncident, Role::PrivacyOfficer),
            (Cause::RectificationOverdue, Role::Assessor),
        ] {
            assert_eq!(owner(&p, cause), role, "{cause:?}");
        }
        assert_eq!(reason(&release(bed, Role::Leader, &p, Cause::OpenP1).await.unwrap_err()), "HOLD_OWNER");
        assert_eq!(
            reason(&release(bed, Role::ItDepartment, &p, Cause::AssetsUnreturned).await.unwrap_err()),
            "HOLD_STANDS"
        );
        let p = release(bed, Role::ItDepartment, &p, Cause::OpenP1).await.unwrap();
        assert_eq!(reason(&release(bed, Role::ItDepartment, &p, Cause::OpenP1).await.unwrap_err()), "HOLD_RELEASED");
        let p = release(bed, Role::PrivacyOfficer, &p, Cause::ConfidentialityIncident).await.unwrap();
        let p = release(bed, Role::Assessor, &p, Cause::RectificationOverdue).await.unwrap();
        let p = invoice(bed, p).await;
        assert_eq!(open(&p), [Cause::AssetsUnreturned]);
        assert_eq!(reason(&pay(bed, "finance", &p).await.unwrap_err()), "PAYMENT_HELD");

        let back = |day| ReturnAssetRequest {
            request_id: key(),
            asset_id: asset.asset_id.clone(),
            etag: asset.etag.clone(),
            returned_date: Some(day),
            condition: "完好".into(),
        };
        let mut it = settlements(bed, "it", &[Role::ItDepartment]);
        assert_eq!(reason(&it.return_asset(back(date(2025, 2, 7))).await.unwrap_err()), "DATE_IN_FUTURE");
        assert_eq!(reason(&it.return_asset(back(date(2025, 1, 1))).await.unwrap_err()), "TERM_ORDER");
        let returned = it.return_asset(back(date(2025, 2, 6))).await.unwrap().into_inner().asset.unwrap();
        let again = ReturnAssetRequest {
            etag: returned.etag.clone(),
            ..back(date(2025, 2, 6))
        };
        assert_eq!(reason(&it.return_asset(again).await.unwrap_err()), "ASSET_RETURNED");
        let listed = it.list_assets(ListAssetsRequest::default()).await.unwrap().into_inner().assets;
        assert_eq!(listed, [returned]);
        let p = review(bed, &p).await.unwrap();
        assert!(open(&p).is_empty());
        assert_eq!(pay(bed, "finance", &p).await.unwrap().state(), State::Paid);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_09_a_vendor_on_the_black_list_is_not_paid() {
    each(vendor::SERVICE, async |bed| {
        let field = Field::new(bed).await;
        field.repairs(bed, 1).await;
        set_day(bed, "2025-02-06");
        field.assess(bed, date(2025, 1, 1), GOOD).await;
        let p = invoice(bed, prepare(bed, &field, date(2025, 1, 1)).await).await;
        let p = approve(bed, "finance", &submit(bed, &p).await.unwrap()).await.unwrap();
        assert!(open(&p).is_empty());
        blacklist(bed, &field.vendor).await;
        let request = GetPaymentRequest {
            vendor_id: field.vendor.clone(),
            payment_request_id: p.payment_request_id.clone(),
        };
        let p = finance(bed).get_payment(request).await.unwrap().into_inner().payment_request.unwrap();
        assert_eq!(open(&p), [Cause::VendorBlacklisted]);
        assert_eq!(reason(&pay(bed, "finance", &p).await.unwrap_err()), "PAYMENT_HELD");
        assert_eq!(
            reason(&release(bed, Role::Leader, &p, Cause::VendorBlacklisted).await.unwrap_err()),
            "HOLD_STANDS"
        );
        let held: Vec<PaymentHeld> = payloads(&events(bed, 10).await);
        assert_eq!(held.last().unwrap().cause(), Cause::VendorBlacklisted);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_09_a_rate_has_its_kind_its_day_and_one_contract() {
    each(vendor::SERVICE, async |bed| {
        let field = Field::new(bed).await;
        let first = date(2025, 1, 2);
        let refused = async |basis, kind: &str, price, from| reason(&try_rate(bed, &field.contract, basis, kind, price, from).await.unwrap_err());
        assert_eq!(refused(RateBasis::Month, "REPAIR", 1, first).await, "WORK_KIND");
        assert_eq!(refused(RateBasis::Order, "", 1, first).await, "WORK_KIND");
        assert_eq!(refused(RateBasis::Order, "VISIT", -1, first).await, "VALUE_NEGATIVE");
        assert_eq!(refused(RateBasis::Order, "VISIT", 1, date(2025, 1, 1)).await, "CONTRACT_TERM");
        assert_eq!(refused(RateBasis::Order, "REPAIR", 1, first).await, "VENDOR_RATE_UNIQUE");
        let beside = in_force(bed, &field.vendor, terms(bed, REPAIR)).await;
        let status = try_rate(bed, &beside, RateBasis::Order, "REPAIR", 1, first).await.unwrap_err();
        assert_eq!(reason(&status), "RATE_ELSEWHERE");
        try_rate(bed, &beside, RateBasis::Order, "VISIT", 500, first).await.unwrap();

        field.repairs(bed, 1).await;
        set_day(bed, "2025-02-06");
        // The work is the first contract's alone.
        field.assess(bed, date(2025, 1, 1), GOOD).await;
        let other = Field {
            contract: beside.clone(),
            vendor: field.vendor.clone(),
            worker: field.worker.clone(),
            hall: field.hall.clone(),
        };
        assert_eq!(as_fen(&prepare(bed, &other, date(2025, 1, 1)).await.due), 0);
        assert_eq!(as_fen(&prepare(bed, &field, date(2025, 1, 1)).await.due), 8_000);
        assert_eq!(refused(RateBasis::Order, "REPAIR", 9_000, date(2025, 1, 31)).await, "RATE_SETTLED");
        assert!(
            try_rate(bed, &field.contract, RateBasis::Order, "REPAIR", 9_000, date(2025, 2, 1))
                .await
                .is_ok()
        );
        let request = ListRatesRequest {
            vendor_id: field.vendor.clone(),
            contract_id: field.contract.contract_id.clone(),
            ..Default::default()
        };
        let rates = finance(bed).list_rates(request).await.unwrap().into_inner().rates;
        assert_eq!(rates.iter().map(|r| as_fen(&r.unit_price)).collect::<Vec<_>>(), [8_000, 9_000]);
        assert_eq!(fen(8_000), rates[0].unit_price);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_09_accepted_work_without_a_rate_is_no_payment() {
    each(vendor::SERVICE, async |bed| {
        let field = Field::new(bed).await;
        set_day(bed, "2025-01-06");
        let bare = in_force(bed, &field.vendor, terms(bed, REPAIR)).await;
        let told = contracts::hearth::hall::v1::WorkOrderOffered {
            kind: "VALVE".into(),
            planned_date: Some(date(2025, 1, 6)),
            respond_by: Some(rpc::wire::time(testbed::at("2025-01-07T12:00:00+08:00"))),
            ..crate::world::offered(&field.vendor, &crate::world::uuid())
        };
        let reported = field.report(bed, told, date(2025, 1, 6)).await;
        field.accept(bed, reported).await;
        set_day(bed, "2025-02-06");
        assert_eq!(reason(&try_prepare(bed, &field, date(2025, 1, 1)).await.unwrap_err()), "RATE_MISSING");
        // Once a contract names the price, the work is that contract's.
        try_rate(bed, &bare, RateBasis::Order, "VALVE", 12_000, date(2025, 1, 6)).await.unwrap();
        assert_eq!(as_fen(&prepare(bed, &field, date(2025, 1, 1)).await.due), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_09_a_returned_request_is_prepared_again_and_another_contract_never_changes() {
    each(vendor::SERVICE, async |bed| {
        let field = Field::new(bed).await;
        set_day(bed, "2025-02-06");
        let draft = crate::world::approved(bed, &field.vendor, terms(bed, REPAIR)).await;
        let unsigned = Field {
            contract: draft.clone(),
            vendor: field.vendor.clone(),
            worker: field.worker.clone(),
            hall: field.hall.clone(),
        };
        assert_eq!(reason(&try_prepare(bed, &unsigned, date(2025, 1, 1)).await.unwrap_err()), "CONTRACT_STATE");
        let p = submit(bed, &prepare(bed, &field, date(2025, 1, 1)).await).await.unwrap();
        let request = ReturnPaymentRequest {
            request_id: key(),
            payment_request_id: p.payment_request_id.clone(),
            etag: p.etag.clone(),
            reason: "补充说明".into(),
        };
        let p = finance(bed)
            .return_payment(request.clone())
            .await
            .unwrap()
            .into_inner()
            .payment_request
            .unwrap();
        assert_eq!((p.state(), p.state_reason.as_str()), (State::Prepared, "补充说明"));
        let again = ReturnPaymentRequest {
            request_id: key(),
            etag: p.etag.clone(),
            ..request
        };
        assert_eq!(reason(&finance(bed).return_payment(again).await.unwrap_err()), "PAYMENT_STATE");
        let p = submit(bed, &p).await.unwrap();
        assert_eq!(p.state(), State::Submitted);
        let request = GetContractRequest {
            vendor_id: field.vendor.clone(),
            contract_id: field.contract.contract_id.clone(),
        };
        let mut officer = Contracts::new(bed.staff(&[Role::ContractOfficer]));
        assert_eq!(officer.get_contract(request).await.unwrap().into_inner().contract.unwrap(), field.contract);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_09_a_milestone_that_holds_the_month_gives_its_factor() {
    each(vendor::SERVICE, async |bed| {
        let field = Field::new(bed).await;
        set_day(bed, "2025-02-06");
        field.repairs(bed, 1).await;
        set_day(bed, "2025-04-01");
        let milestone = contracts::hearth::vendor::v1::AssessContractRequest {
            milestone: "初验".into(),
            to_date: Some(date(2025, 3, 15)),
            ..field.assessment(date(2025, 1, 10), crate::field::scored(FAIR))
        };
        let mut assessor = crate::field::assessments(bed, "assessor", &[Role::Assessor]);
        assessor.assess_contract(milestone).await.unwrap();
        let p = prepare(bed, &field, date(2025, 2, 1)).await;
        assert_eq!(
            (open(&p), p.factor_basis_points, as_fen(&p.earned)),
            (vec![Cause::InvoiceMissing], 9_500, 7_600)
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_09_no_monthly_rate_after_the_contract_was_terminated() {
    each(vendor::SERVICE, async |bed| {
        let field = Field::new(bed).await;
        try_rate(bed, &field.contract, RateBasis::Month, "", 50_000, date(2025, 1, 2)).await.unwrap();
        set_day(bed, "2025-02-10");
        let request = TerminateContractRequest {
            request_id: key(),
            contract_id: field.contract.contract_id.clone(),
            etag: field.contract.etag.clone(),
            reason: "双方协商".into(),
        };
        contracts(bed, "officer", &[Role::ContractOfficer]).terminate_contract(request).await.unwrap();
        set_day(bed, "2025-04-01");
        for (month, due) in [(date(2025, 2, 1), 50_000), (date(2025, 3, 1), 0)] {
            assert_eq!(as_fen(&prepare(bed, &field, month).await.due), due, "{month:?}");
        }
    })
    .await;
}
