use contracts::hearth::{
    hall::v1::{Clock, ComplaintCategory, ComplaintFindingReversed, ComplaintUpheld, Finding, WorkOrderCompleted},
    options::v1::Role,
    r#type::v1::Date,
    vendor::v1::{
        AcceptRemedyRequest, AssessContractRequest, Assessment, AssessmentDraft, AssessmentGrade as Grade, DraftAssessmentRequest, GetPaymentRequest,
        GetPersonRequest, GetRemedyRequest, GrantAccessRequest, ListRemediesRequest, OpenRemedyRequest, PaymentHeld, PaymentReleased, PaymentRequest,
        RateBasis, Remedy, ReportRemedyRequest, ReturnAssetRequest, ReturnRemedyRequest,
        draft_deduction::Fact,
        payment_hold::Cause,
        payment_request,
        remedy::{Kind, Severity, State},
        remedy_service_client::RemedyServiceClient,
    },
};
use testbed::{Bed, Client, at, each, eventually, key, reason};
use tonic::{Code, Status};

use crate::{
    assessment::{decide, object, uphold},
    field::{Field, REPAIR, assessments, in_force, scored, settlements, try_rate},
    settlement::{approve, finance, invoice, lend, open as open_holds, pay, prepare, release, submit},
    world::{date, day, events, leave, payloads, person, persons, set_day, terms, uuid},
};

pub type Remedies = RemedyServiceClient<Client>;

const GOOD: [&str; 5] = ["25", "25", "15", "10", "10"];
/// 65: 85 % and a rectification.
const PASS: [&str; 5] = ["20", "15", "10", "10", "10"];
/// 59.99.
const FAIL: [&str; 5] = ["19.99", "15", "10", "10", "5"];

fn remedies(bed: &Bed, role: Role) -> Remedies {
    Remedies::new(bed.staff_named("owner", &[role]))
}

async fn seen(bed: &Bed, vendor_id: &str, remedy_id: &str) -> Remedy {
    let request = GetRemedyRequest {
        vendor_id: vendor_id.into(),
        remedy_id: remedy_id.into(),
    };
    remedies(bed, Role::Auditor).get_remedy(request).await.unwrap().into_inner().remedy.unwrap()
}

async fn of(bed: &Bed, a: &Assessment) -> Remedy {
    seen(bed, &a.vendor_id, &a.remedy_id).await
}

async fn listed(bed: &Bed, vendor_id: &str, open_only: bool) -> Vec<Remedy> {
    let request = ListRemediesRequest {
        vendor_id: vendor_id.into(),
        open_only,
        ..Default::default()
    };
    remedies(bed, Role::Auditor).list_remedies(request).await.unwrap().into_inner().remedies
}

async fn report(bed: &Bed, remedy: &Remedy) -> Result<Remedy, Status> {
    let request = ReportRemedyRequest {
        request_id: key(),
        vendor_id: remedy.vendor_id.clone(),
        remedy_id: remedy.remedy_id.clone(),
        etag: remedy.etag.clone(),
        report: "已完成整改".into(),
    };
    let mut admin = Remedies::new(bed.vendor_user(&remedy.vendor_id, &[Role::VendorAdmin]));
    Ok(admin.report_remedy(request).await?.into_inner().remedy.unwrap())
}

async fn accept(bed: &Bed, role: Role, remedy: &Remedy) -> Result<Remedy, Status> {
    let request = AcceptRemedyRequest {
        request_id: key(),
        remedy_id: remedy.remedy_id.clone(),
        etag: remedy.etag.clone(),
        opinion: "现场复核合格".into(),
    };
    Ok(remedies(bed, role).accept_remedy(request).await?.into_inner().remedy.unwrap())
}

async fn give_back(bed: &Bed, role: Role, remedy: &Remedy) -> Result<Remedy, Status> {
    let request = ReturnRemedyRequest {
        request_id: key(),
        remedy_id: remedy.remedy_id.clone(),
        etag: remedy.etag.clone(),
        opinion: "记录不全".into(),
    };
    Ok(remedies(bed, role).return_remedy(request).await?.into_inner().remedy.unwrap())
}

fn opening(field: &Field, kind: Kind, severity: Severity) -> OpenRemedyRequest {
    OpenRemedyRequest {
        request_id: key(),
        vendor_id: field.vendor.clone(),
        contract_id: field.contract.contract_id.clone(),
        branch: "河西区".into(),
        kind: kind.into(),
        severity: severity.into(),
        description: "调压站停机".into(),
    }
}

async fn disturb(bed: &Bed, request: OpenRemedyRequest) -> Result<Remedy, Status> {
    Ok(remedies(bed, Role::ItDepartment).open_remedy(request).await?.into_inner().remedy.unwrap())
}

/// Any remedy of a vendor, for tests of who sees it.
pub async fn any(bed: &Bed, field: &Field) -> Remedy {
    disturb(bed, opening(field, Kind::Disturbance, Severity::P4)).await.unwrap()
}

async fn payment(bed: &Bed, p: &PaymentRequest) -> PaymentRequest {
    let request = GetPaymentRequest {
        vendor_id: p.vendor_id.clone(),
        payment_request_id: p.payment_request_id.clone(),
    };
    finance(bed).get_payment(request).await.unwrap().into_inner().payment_request.unwrap()
}

/// Waits until a payment is held by these causes, in any order, each once.
async fn held(bed: &Bed, p: &PaymentRequest, causes: &[Cause]) -> PaymentRequest {
    let sorted = |mut causes: Vec<Cause>| {
        causes.sort_unstable_by_key(|cause| i32::from(*cause));
        causes
    };
    let expected = sorted(causes.to_vec());
    eventually("the holds", async || {
        let p = payment(bed, p).await;
        (sorted(open_holds(&p)) == expected).then_some(p)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn f_07_a_grade_below_70_opens_a_rectification_with_an_owner_and_a_due_day() {
    each(vendor::SERVICE, async |bed| {
        let field = Field::new(bed).await;
        field.repairs(bed, 1).await;
        set_day(bed, "2025-02-07");
        field.repairs(bed, 1).await;
        let january = field.assess(bed, date(2025, 1, 1), PASS).await;
        assert_eq!((january.grade(), january.rectification), (Grade::Pass, true));
        let remedy = of(bed, &january).await;
        assert_eq!(
            (remedy.kind(), remedy.owner(), remedy.state()),
            (Kind::Rectification, Role::Assessor, State::Open)
        );
        assert_eq!(
            (remedy.contract_id.as_str(), remedy.assessment_id.as_str(), remedy.opened_by.as_str()),
            (field.contract.contract_id.as_str(), january.assessment_id.as_str(), "assessor")
        );
        // Ten working days after Friday the 7th: Saturday the 8th is worked, then Monday to Friday and Monday to Thursday.
        assert_eq!(remedy.due_time, Some(rpc::wire::time(at("2025-02-20T23:59:59.999999+08:00"))));
        assert!(!remedy.overdue);

        set_day(bed, "2025-03-03");
        let february = field.assess(bed, date(2025, 2, 1), GOOD).await;
        assert_eq!((february.grade(), february.remedy_id.as_str()), (Grade::Good, ""));
        assert_eq!(listed(bed, &field.vendor, false).await.len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_09_an_overdue_rectification_holds_the_payment_by_itself_until_it_is_accepted() {
    each(vendor::SERVICE, async |bed| {
        let field = Field::new(bed).await;
        field.repairs(bed, 1).await;
        set_day(bed, "2025-02-07");
        let january = field.assess(bed, date(2025, 1, 1), PASS).await;
        let p = invoice(bed, prepare(bed, &field, date(2025, 1, 1)).await).await;
        let p = approve(bed, "finance", &submit(bed, &p).await.unwrap()).await.unwrap();
        lend(bed, &field, date(2025, 2, 24)).await.unwrap();
        set_day(bed, "2025-02-20");
        assert!(open_holds(&payment(bed, &p).await).is_empty(), "the last day");
        // Nobody calls: the sweep places it.
        set_day(bed, "2025-02-21");
        let late = held(bed, &p, &[Cause::RectificationOverdue]).await;
        assert_eq!(late.holds.last().unwrap().owner(), Role::Assessor);
        assert_eq!(late.etag, p.etag, "a hold of the service is no change of the request");
        assert_eq!(reason(&pay(bed, "finance", &p).await.unwrap_err()), "PAYMENT_HELD");
        assert_eq!(
            reason(&release(bed, Role::Assessor, &late, Cause::RectificationOverdue).await.unwrap_err()),
            "HOLD_STANDS"
        );
        // A later run of the sweep, which finds something else, leaves it as it is.
        set_day(bed, "2025-02-25");
        let both = held(bed, &p, &[Cause::RectificationOverdue, Cause::AssetsUnreturned]).await;
        assert_eq!(both.holds.iter().filter(|h| h.cause() == Cause::RectificationOverdue).count(), 1);
        let told: Vec<PaymentHeld> = payloads(&events(bed, 11).await);
        let counted = |cause| told.iter().filter(|e| e.cause() == cause).count();
        assert_eq!((counted(Cause::RectificationOverdue), counted(Cause::AssetsUnreturned)), (1, 1));

        let remedy = of(bed, &january).await;
        assert!(remedy.overdue);
        let reported = report(bed, &remedy).await.unwrap();
        assert_eq!(reported.opened_by, "", "who judged is not for vendors to know");
        assert!(reported.overdue, "reported after the time");
        assert_eq!(reason(&report(bed, &reported).await.unwrap_err()), "REMEDY_STATE");
        assert_eq!(reason(&accept(bed, Role::ItDepartment, &reported).await.unwrap_err()), "REMEDY_OWNER");
        let back = give_back(bed, Role::Assessor, &reported).await.unwrap();
        assert_eq!((back.state(), back.opinion.as_str()), (State::Open, "记录不全"));
        assert_eq!(reason(&give_back(bed, Role::Assessor, &back).await.unwrap_err()), "REMEDY_STATE");
        let reported = report(bed, &back).await.unwrap();
        let accepted = accept(bed, Role::Assessor, &reported).await.unwrap();
        assert_eq!(
            (accepted.state(), accepted.overdue, accepted.closed_by.as_str()),
            (State::Accepted, false, "owner")
        );
        assert_eq!(open_holds(&payment(bed, &p).await), [Cause::AssetsUnreturned], "gone with the acceptance");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_09_a_rectification_that_is_reported_in_time_holds_nothing() {
    each(vendor::SERVICE, async |bed| {
        let field = Field::new(bed).await;
        field.repairs(bed, 1).await;
        set_day(bed, "2025-02-07");
        let january = field.assess(bed, date(2025, 1, 1), PASS).await;
        set_day(bed, "2025-02-20");
        let reported = report(bed, &of(bed, &january).await).await.unwrap();
        set_day(bed, "2025-03-10");
        let p = invoice(bed, prepare(bed, &field, date(2025, 1, 1)).await).await;
        assert!(open_holds(&p).is_empty(), "the owner is slow, not the vendor");
        // It is not set right: the time is over.
        give_back(bed, Role::Assessor, &reported).await.unwrap();
        assert_eq!(open_holds(&payment(bed, &p).await), [Cause::RectificationOverdue]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_07_an_objection_stops_the_clock_and_one_that_is_upheld_cancels_the_rectification() {
    each(vendor::SERVICE, async |bed| {
        let field = Field::new(bed).await;
        field.repairs(bed, 1).await;
        set_day(bed, "2025-02-07");
        field.repairs(bed, 1).await;
        let january = field.assess(bed, date(2025, 1, 1), FAIL).await;
        let objected = object(bed, &january).await.unwrap();
        let remedy = of(bed, &january).await;
        assert_eq!((remedy.due_time, remedy.overdue), (None, false));
        set_day(bed, "2025-03-10");
        let p = invoice(bed, prepare(bed, &field, date(2025, 1, 1)).await).await;
        assert!(open_holds(&p).is_empty());
        let decided = decide(bed, "manager", &objected, None).await.unwrap();
        let remedy = of(bed, &decided).await;
        // Ten working days after Monday 10 March.
        assert_eq!(remedy.due_time, Some(rpc::wire::time(at("2025-03-24T23:59:59.999999+08:00"))));
        assert_eq!(remedy.remedy_id, january.remedy_id);

        let february = field.assess(bed, date(2025, 2, 1), FAIL).await;
        let upheld = uphold(bed, &february, GOOD).await;
        assert_eq!(upheld.remedy_id, "");
        assert_eq!(seen(bed, &field.vendor, &february.remedy_id).await.state(), State::Cancelled);
        set_day(bed, "2025-03-25");
        held(bed, &p, &[Cause::RectificationOverdue]).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_09_an_open_p1_holds_the_payments_of_its_contract() {
    each(vendor::SERVICE, async |bed| {
        let field = Field::new(bed).await;
        field.repairs(bed, 1).await;
        set_day(bed, "2025-02-07");
        field.assess(bed, date(2025, 1, 1), GOOD).await;
        let p = invoice(bed, prepare(bed, &field, date(2025, 1, 1)).await).await;
        let p = approve(bed, "finance", &submit(bed, &p).await.unwrap()).await.unwrap();
        for (request, code, expected) in [
            (
                opening(&field, Kind::Rectification, Severity::Unspecified),
                Code::InvalidArgument,
                "REMEDY_KIND",
            ),
            (opening(&field, Kind::Disturbance, Severity::Unspecified), Code::InvalidArgument, "SEVERITY"),
            (opening(&field, Kind::Confidentiality, Severity::P1), Code::InvalidArgument, "SEVERITY"),
            (
                OpenRemedyRequest {
                    contract_id: uuid(),
                    ..opening(&field, Kind::Disturbance, Severity::P1)
                },
                Code::NotFound,
                "NOT_FOUND",
            ),
            (
                OpenRemedyRequest {
                    branch: "河东区".into(),
                    ..opening(&field, Kind::Disturbance, Severity::P1)
                },
                Code::NotFound,
                "NOT_FOUND",
            ),
        ] {
            let status = disturb(bed, request).await.unwrap_err();
            assert_eq!(status.code(), code);
            if code == Code::InvalidArgument {
                assert_eq!(reason(&status), expected);
            }
        }
        disturb(bed, opening(&field, Kind::Disturbance, Severity::P2)).await.unwrap();
        assert!(open_holds(&payment(bed, &p).await).is_empty(), "F-09 knows P1 only");
        let request = opening(&field, Kind::Disturbance, Severity::P1);
        let p1 = disturb(bed, request.clone()).await.unwrap();
        assert_eq!(disturb(bed, request).await.unwrap(), p1, "a repetition opens nothing");
        // 9:00 and four hours.
        assert_eq!(
            (p1.owner(), p1.due_time),
            (Role::ItDepartment, Some(rpc::wire::time(at("2025-02-07T13:00:00+08:00"))))
        );
        let now = payment(bed, &p).await;
        assert_eq!((open_holds(&now), now.holds.last().unwrap().owner()), (vec![Cause::OpenP1], Role::ItDepartment));
        assert_eq!(reason(&pay(bed, "finance", &p).await.unwrap_err()), "PAYMENT_HELD");
        // Another contract of the vendor is not concerned.
        let other = in_force(bed, &field.vendor, terms(bed, REPAIR)).await;
        assert_ne!(other.contract_id, p1.contract_id);
        let reported = report(bed, &p1).await.unwrap();
        assert_eq!(open_holds(&payment(bed, &p).await), [Cause::OpenP1], "the vendor's word opens nothing");
        accept(bed, Role::ItDepartment, &reported).await.unwrap();
        let told: Vec<PaymentReleased> = payloads(&events(bed, 12).await);
        assert_eq!(told.last().unwrap().payment_request_id, p.payment_request_id);
        assert_eq!(pay(bed, "finance", &p).await.unwrap().state(), payment_request::State::Paid);
        assert_eq!(listed(bed, &field.vendor, true).await.len(), 1);
        assert_eq!(listed(bed, &field.vendor, false).await.len(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_09_a_confidentiality_incident_holds_every_payment_and_shuts_the_persons_out() {
    each(vendor::SERVICE, async |bed| {
        let field = Field::new(bed).await;
        let grant = GrantAccessRequest {
            request_id: key(),
            vendor_id: field.vendor.clone(),
            person_id: field.worker.person_id.clone(),
            etag: field.worker.etag.clone(),
            purpose: "维修派单".into(),
            systems: vec!["hall-portal".into()],
            until_date: None,
        };
        persons(bed, "it", &[Role::ItDepartment]).grant_access(grant).await.unwrap();
        set_day(bed, "2025-02-07");
        let p = invoice(bed, prepare(bed, &field, date(2025, 1, 1)).await).await;
        let request = OpenRemedyRequest {
            contract_id: String::new(),
            ..opening(&field, Kind::Confidentiality, Severity::Unspecified)
        };
        let incident = remedies(bed, Role::PrivacyOfficer)
            .open_remedy(request)
            .await
            .unwrap()
            .into_inner()
            .remedy
            .unwrap();
        assert_eq!((incident.owner(), incident.contract_id.as_str()), (Role::PrivacyOfficer, ""));
        assert_eq!(open_holds(&payment(bed, &p).await), [Cause::ConfidentialityIncident]);
        let request = GetPersonRequest {
            vendor_id: field.vendor.clone(),
            person_id: field.worker.person_id.clone(),
        };
        let person = persons(bed, "it", &[Role::ItDepartment])
            .get_person(request)
            .await
            .unwrap()
            .into_inner()
            .person
            .unwrap();
        assert!(person.grants[0].revoke_time.is_some());
        assert_eq!(reason(&accept(bed, Role::ItDepartment, &incident).await.unwrap_err()), "REMEDY_OWNER");
        // The owner may close what the vendor never reported.
        accept(bed, Role::PrivacyOfficer, &incident).await.unwrap();
        assert!(open_holds(&payment(bed, &p).await).is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_09_every_cause_arises_by_itself_and_blocks_the_payment_until_none_is_open() {
    each(vendor::SERVICE, async |bed| {
        let field = Field::new(bed).await;
        field.repairs(bed, 1).await;
        let asset = lend(bed, &field, date(2025, 2, 12)).await.unwrap();
        set_day(bed, "2025-02-07");
        let p = prepare(bed, &field, date(2025, 1, 1)).await;
        assert_eq!(open_holds(&p), [Cause::AssessmentMissing, Cause::InvoiceMissing]);
        let january = field.assess(bed, date(2025, 1, 1), PASS).await;
        assert_eq!(open_holds(&payment(bed, &p).await), [Cause::InvoiceMissing], "gone with the assessment");
        let p1 = disturb(bed, opening(&field, Kind::Disturbance, Severity::P1)).await.unwrap();
        let incident = disturb(bed, opening(&field, Kind::Confidentiality, Severity::Unspecified)).await.unwrap();
        set_day(bed, "2025-03-03");
        let five = [
            Cause::InvoiceMissing,
            Cause::AssetsUnreturned,
            Cause::OpenP1,
            Cause::RectificationOverdue,
            Cause::ConfidentialityIncident,
        ];
        held(bed, &p, &five).await;
        let review = contracts::hearth::vendor::v1::ReviewPaymentRequest {
            request_id: key(),
            payment_request_id: p.payment_request_id.clone(),
            etag: p.etag.clone(),
        };
        let p = settlements(bed, "accountant", &[Role::Accountant])
            .review_payment(review)
            .await
            .unwrap()
            .into_inner()
            .payment_request
            .unwrap();
        assert_eq!(p.factor_basis_points, 8_500);
        let mut p = approve(bed, "finance", &submit(bed, &p).await.unwrap()).await.unwrap();
        let blocked = async |p: &PaymentRequest| assert_eq!(reason(&pay(bed, "finance", p).await.unwrap_err()), "PAYMENT_HELD");
        blocked(&p).await;

        // One after the other goes where its fact goes.
        p = invoice(bed, p).await;
        blocked(&held(bed, &p, &five[1..]).await).await;
        let back = ReturnAssetRequest {
            request_id: key(),
            asset_id: asset.asset_id,
            etag: asset.etag,
            returned_date: Some(date(2025, 3, 3)),
            condition: "完好".into(),
        };
        settlements(bed, "it", &[Role::ItDepartment]).return_asset(back).await.unwrap();
        blocked(&held(bed, &p, &five[2..]).await).await;
        accept(bed, Role::ItDepartment, &p1).await.unwrap();
        blocked(&held(bed, &p, &five[3..]).await).await;
        accept(bed, Role::Assessor, &of(bed, &january).await).await.unwrap();
        blocked(&held(bed, &p, &five[4..]).await).await;
        accept(bed, Role::PrivacyOfficer, &incident).await.unwrap();
        let free = held(bed, &p, &[]).await;
        assert_eq!(free.holds.len(), 6, "nothing is forgotten");
        assert!(free.holds.iter().all(|h| h.placed_by == "service:vendor" && h.released_by == "service:vendor"));
        assert_eq!(pay(bed, "finance", &p).await.unwrap().state(), payment_request::State::Paid);
    })
    .await;
}

async fn draft(bed: &Bed, contract_id: &str) -> Result<AssessmentDraft, Status> {
    draft_of(bed, contract_id, date(2025, 1, 1)).await
}

async fn draft_of(bed: &Bed, contract_id: &str, month: Date) -> Result<AssessmentDraft, Status> {
    let request = DraftAssessmentRequest {
        contract_id: contract_id.into(),
        from_date: Some(month),
        ..Default::default()
    };
    let answer = assessments(bed, "assessor", &[Role::Assessor]).draft_assessment(request).await?;
    Ok(answer.into_inner().draft.unwrap())
}

fn upheld(field: &Field, order_id: &str, category: ComplaintCategory, finding: Finding) -> ComplaintUpheld {
    ComplaintUpheld {
        complaint_id: uuid(),
        vendor_id: field.vendor.clone(),
        order_id: order_id.into(),
        category: category.into(),
        finding: finding.into(),
        upheld_date: Some(date(2025, 1, 20)),
    }
}

fn items(draft: &AssessmentDraft) -> [String; 5] {
    let p = draft.proposed.clone().unwrap();
    [p.timeliness, p.quality, p.service_level, p.staff_safety, p.documents].map(|item| item.unwrap().value)
}

#[tokio::test(flavor = "multi_thread")]
async fn f_07_the_draft_counts_complaints_and_broken_promises_under_the_contract_of_the_work() {
    each(vendor::SERVICE, async |bed| {
        let field = Field::new(bed).await;
        let other = in_force(bed, &field.vendor, terms(bed, REPAIR)).await;
        try_rate(bed, &other, RateBasis::Order, "VISIT", 1_000, date(2025, 1, 2)).await.unwrap();
        let order = field.reported(bed, date(2025, 1, 2)).await;
        let order = field.accept(bed, order).await.order_id;
        assert_eq!(reason(&draft(bed, &field.contract.contract_id).await.unwrap_err()), "PERIOD_OPEN");
        for told in [
            upheld(&field, &order, ComplaintCategory::Repair, Finding::Upheld),
            upheld(&field, &order, ComplaintCategory::Delay, Finding::PartlyUpheld),
            upheld(&field, &order, ComplaintCategory::Attitude, Finding::Upheld),
        ] {
            let position = field.hall.tell(&told.complaint_id, &told);
            field.hall.repeat(position);
        }
        let done = WorkOrderCompleted {
            order_id: order.clone(),
            vendor_id: field.vendor.clone(),
            rounds: 1,
            broken_clocks: vec![Clock::OnSite.into(), Clock::Resolution.into()],
            completed_date: Some(date(2025, 1, 21)),
        };
        field.hall.tell(&order, &done);
        set_day(bed, "2025-02-07");
        let known = eventually("the facts", async || {
            let known = draft(bed, &field.contract.contract_id).await.unwrap();
            (known.deductions.len() == 4).then_some(known)
        })
        .await;
        assert_eq!((known.accepted_orders, known.refused_orders, known.open_p1), (1, 0, 0));
        // 30 − 2 × 1; 30 − 3; 20 − 3 ÷ 2; 10 − 2; 10.
        assert_eq!(items(&known), ["28.000", "27.000", "18.500", "8.000", "10.000"]);
        let facts: Vec<_> = known.deductions.iter().map(|d| (d.fact(), d.count)).collect();
        assert_eq!(
            facts,
            [
                (Fact::ComplaintQuality, 1),
                (Fact::ComplaintDelay, 1),
                (Fact::ComplaintAttitude, 1),
                (Fact::PromiseBroken, 2)
            ]
        );
        assert!(known.complaints.iter().all(|c| c.order_id == order && day(&c.upheld_date) == "2025-01-20"));
        // The work was not the other contract's.
        let elsewhere = draft(bed, &other.contract_id).await.unwrap();
        assert_eq!((elsewhere.complaints.len(), elsewhere.deductions.len(), elsewhere.proposed), (0, 0, None));

        // Whoever scores above it says why.
        let above = scored(["28", "28", "18.5", "8", "10"]);
        let bare = AssessContractRequest {
            findings: String::new(),
            ..field.assessment(date(2025, 1, 1), above)
        };
        let status = assessments(bed, "assessor", &[Role::Assessor]).assess_contract(bare).await.unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (Code::InvalidArgument, "FINDINGS_MISSING"));
        let at = AssessContractRequest {
            findings: String::new(),
            ..field.assessment(date(2025, 1, 1), scored(["28", "27", "18.5", "8", "10"]))
        };
        let a = assessments(bed, "assessor", &[Role::Assessor])
            .assess_contract(at)
            .await
            .unwrap()
            .into_inner()
            .assessment
            .unwrap();
        assert_eq!((a.complaints.len(), a.grade()), (3, Grade::Excellent));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_10_turnover_above_thirty_percent_is_taken_off_the_draft() {
    each(vendor::SERVICE, async |bed| {
        let field = Field::new(bed).await;
        field.repairs(bed, 1).await;
        // The worker and nine more.
        let mut others = vec![];
        for _ in 0..9 {
            others.push(person(bed, &field.vendor).await);
        }
        set_day(bed, "2025-01-31");
        for _ in 0..3 {
            leave(bed, others.pop().unwrap()).await;
        }
        set_day(bed, "2025-02-01");
        leave(bed, others.pop().unwrap()).await;
        field.repairs(bed, 1).await;
        set_day(bed, "2025-03-03");
        let contract = &field.contract.contract_id;
        let january = draft(bed, contract).await.unwrap();
        // 3 of 10 are exactly 30 %; who left on 1 February was there all January.
        assert_eq!((january.leavers, january.staff, january.deductions.len()), (3, 10, 0));
        assert_eq!(items(&january), ["30.000", "30.000", "20.000", "10.000", "10.000"]);
        let february = draft_of(bed, contract, date(2025, 2, 1)).await.unwrap();
        assert_eq!((february.leavers, february.staff), (4, 10));
        let facts: Vec<_> = february.deductions.iter().map(|d| (d.fact(), d.count)).collect();
        assert_eq!(facts, [(Fact::StaffTurnover, 1)]);
        // Staff and safety 10 − 3.
        assert_eq!(items(&february), ["30.000", "30.000", "20.000", "7.000", "10.000"]);

        let bare = |month, staff| AssessContractRequest {
            findings: String::new(),
            ..field.assessment(month, scored(["30", "30", "20", staff, "10"]))
        };
        let mut assessor = assessments(bed, "assessor", &[Role::Assessor]);
        let above = bare(date(2025, 2, 1), "7.001");
        assert_eq!(reason(&assessor.assess_contract(above).await.unwrap_err()), "FINDINGS_MISSING");
        for (month, staff) in [(date(2025, 2, 1), "7"), (date(2025, 1, 1), "10")] {
            assert!(assessor.assess_contract(bare(month, staff)).await.is_ok(), "{month:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_09_a_complaint_about_safety_is_an_open_p1_until_it_is_set_right_or_reversed() {
    each(vendor::SERVICE, async |bed| {
        let field = Field::new(bed).await;
        field.repairs(bed, 1).await;
        set_day(bed, "2025-02-07");
        field.assess(bed, date(2025, 1, 1), GOOD).await;
        let p = invoice(bed, prepare(bed, &field, date(2025, 1, 1)).await).await;
        let told = upheld(&field, "", ComplaintCategory::Safety, Finding::Upheld);
        let position = field.hall.tell(&told.complaint_id, &told);
        field.hall.repeat(position);
        held(bed, &p, &[Cause::OpenP1]).await;
        let open = listed(bed, &field.vendor, true).await;
        assert_eq!(open.len(), 1, "however often it is told");
        let p1 = &open[0];
        assert_eq!(
            (p1.kind(), p1.severity(), p1.complaint_id.as_str()),
            (Kind::Disturbance, Severity::P1, told.complaint_id.as_str())
        );
        // The vendor has one contract, so it is about that one.
        assert_eq!((p1.contract_id.as_str(), p1.branch.as_str()), (field.contract.contract_id.as_str(), "河西区"));
        let known = draft(bed, &field.contract.contract_id).await.unwrap();
        // Quality 30 − 5, service level 20 − 5; the disturbance itself is counted with the complaint.
        assert_eq!(
            (items(&known), known.open_p1),
            (["30.000", "25.000", "15.000", "10.000", "10.000"].map(String::from), 1)
        );

        let reversed = ComplaintFindingReversed {
            complaint_id: told.complaint_id.clone(),
            vendor_id: field.vendor.clone(),
        };
        let position = field.hall.tell(&told.complaint_id, &reversed);
        field.hall.repeat(position);
        held(bed, &p, &[]).await;
        assert_eq!(seen(bed, &field.vendor, &p1.remedy_id).await.state(), State::Cancelled);
        assert!(draft(bed, &field.contract.contract_id).await.unwrap().complaints.is_empty());

        // Upheld again, it counts again.
        field.hall.tell(&told.complaint_id, &told);
        held(bed, &p, &[Cause::OpenP1]).await;
        let again = &listed(bed, &field.vendor, true).await[0];
        assert_ne!(again.remedy_id, p1.remedy_id);
        let reported = report(bed, again).await.unwrap();
        accept(bed, Role::ItDepartment, &reported).await.unwrap();
        assert!(open_holds(&payment(bed, &p).await).is_empty());
    })
    .await;
}
