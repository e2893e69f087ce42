use contracts::hearth::{
    hall::v1::ComplaintUpheld,
    options::v1::Role,
    vendor::v1::{
        AssessContractRequest, Assessment, AssessmentConsequence as Consequence, AssessmentGrade as Grade, DecideObjectionRequest, GetAssessmentRequest,
        ListAssessmentsRequest, ObjectToAssessmentRequest, VendorAssessed, assessment::State,
    },
};
use testbed::{Bed, each, eventually, key, reason};
use tonic::{Code, Status};

use crate::{
    field::{Assessments, Field, assessments, scored},
    world::{date, day, events, payloads, set_day, uuid},
};

const GOOD: [&str; 5] = ["25", "25", "15", "10", "10"];
/// 59.99.
const FAIL: [&str; 5] = ["19.99", "15", "10", "10", "5"];

async fn seen(bed: &Bed, a: &Assessment) -> Assessment {
    let request = GetAssessmentRequest {
        vendor_id: a.vendor_id.clone(),
        assessment_id: a.assessment_id.clone(),
    };
    let mut auditor = assessments(bed, "auditor", &[Role::Auditor]);
    auditor.get_assessment(request).await.unwrap().into_inner().assessment.unwrap()
}

fn objection(a: &Assessment) -> ObjectToAssessmentRequest {
    ObjectToAssessmentRequest {
        request_id: key(),
        vendor_id: a.vendor_id.clone(),
        assessment_id: a.assessment_id.clone(),
        etag: a.etag.clone(),
        objection: "道路封闭".into(),
    }
}

pub async fn object(bed: &Bed, a: &Assessment) -> Result<Assessment, Status> {
    let mut admin = Assessments::new(bed.vendor_user(&a.vendor_id, &[Role::VendorAdmin]));
    Ok(admin.object_to_assessment(objection(a)).await?.into_inner().assessment.unwrap())
}

pub async fn decide(bed: &Bed, by: &str, a: &Assessment, new: Option<[&str; 5]>) -> Result<Assessment, Status> {
    let request = DecideObjectionRequest {
        request_id: key(),
        assessment_id: a.assessment_id.clone(),
        etag: a.etag.clone(),
        upheld: new.is_some(),
        scores: new.and_then(scored),
        reason: "核实无误".into(),
    };
    let answer = assessments(bed, by, &[Role::ServiceManager]).decide_objection(request).await?;
    Ok(answer.into_inner().assessment.unwrap())
}

/// Objects and is found right.
pub async fn uphold(bed: &Bed, a: &Assessment, new: [&str; 5]) -> Assessment {
    let objected = object(bed, a).await.unwrap();
    decide(bed, "manager", &objected, Some(new)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn f_07_scores_are_compared_unrounded_and_decide_the_factor() {
    each(vendor::SERVICE, async |bed| {
        let field = Field::new(bed).await;
        let january = date(2025, 1, 1);
        field.repairs(bed, 1).await;
        assert_eq!(reason(&field.try_assess(bed, january, scored(GOOD)).await.unwrap_err()), "PERIOD_OPEN");
        set_day(bed, "2025-02-05");
        field.repairs(bed, 1).await;
        let refused = async |month, scores| reason(&field.try_assess(bed, month, scores).await.unwrap_err());
        assert_eq!(refused(january, None).await, "SCORES_MISSING");
        assert_eq!(refused(january, scored(["30.001", "0", "0", "0", "0"])).await, "SCORE_RANGE");
        assert_eq!(refused(date(2025, 1, 2), scored(GOOD)).await, "PERIOD_MONTH");
        assert_eq!(refused(date(2024, 12, 1), scored(GOOD)).await, "CONTRACT_TERM");

        // 30 + 29.5 + 10 + 10 + 10 = 89.5, which is good and would round to excellent.
        let a = field.assess(bed, january, ["30", "29.5", "10", "10", "10"]).await;
        assert_eq!(
            (a.total.clone().unwrap().value.as_str(), a.grade(), a.factor_basis_points),
            ("89.500", Grade::Good, 10_000)
        );
        assert_eq!(
            (a.orders, a.rectification, a.consequence(), a.state()),
            (1, false, Consequence::Unspecified, State::Scored)
        );
        assert_eq!(refused(january, scored(GOOD)).await, "ASSESSMENT_PERIOD_UNIQUE");

        set_day(bed, "2025-03-05");
        let a = field.assess(bed, date(2025, 2, 1), FAIL).await;
        assert_eq!(
            (a.total.clone().unwrap().value.as_str(), a.grade(), a.factor_basis_points),
            ("59.990", Grade::Fail, 7_000)
        );
        assert_eq!((a.rectification, a.consequence()), (true, Consequence::SuspensionCandidate));
        let told: Vec<VendorAssessed> = payloads(&events(bed, 11).await);
        let told: Vec<_> = told
            .iter()
            .map(|e| (e.grade(), e.score_thousandths, e.factor_basis_points, e.consequence()))
            .collect();
        assert_eq!(
            told,
            [
                (Grade::Good, 89_500, 10_000, Consequence::Unspecified),
                (Grade::Fail, 59_990, 7_000, Consequence::SuspensionCandidate)
            ]
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_07_a_month_without_orders_is_not_assessed_and_does_not_break_a_row_of_fails() {
    each(vendor::SERVICE, async |bed| {
        let field = Field::new(bed).await;
        field.repairs(bed, 1).await;
        set_day(bed, "2025-03-03");
        field.repairs(bed, 1).await;
        set_day(bed, "2025-04-01");
        let first = field.assess(bed, date(2025, 1, 1), FAIL).await;
        assert_eq!(first.consequence(), Consequence::SuspensionCandidate);
        let february = date(2025, 2, 1);
        assert_eq!(reason(&field.try_assess(bed, february, scored(GOOD)).await.unwrap_err()), "NOTHING_TO_ASSESS");
        let a = field.try_assess(bed, february, None).await.unwrap();
        assert_eq!((a.grade(), a.factor_basis_points, a.orders, &a.total), (Grade::NotAssessed, 10_000, 0, &None));
        assert_eq!(a.consequence(), Consequence::Unspecified);
        let third = field.assess(bed, date(2025, 3, 1), FAIL).await;
        assert_eq!(third.consequence(), Consequence::ExitCandidate);

        // An objection to the first that is upheld ends the row.
        uphold(bed, &first, GOOD).await;
        assert_eq!(seen(bed, &third).await.consequence(), Consequence::SuspensionCandidate);
        let request = ListAssessmentsRequest {
            contract_id: field.contract.contract_id.clone(),
            ..Default::default()
        };
        let listed = assessments(bed, "auditor", &[Role::Auditor])
            .list_assessments(request)
            .await
            .unwrap()
            .into_inner();
        let grades: Vec<_> = listed.assessments.iter().map(Assessment::grade).collect();
        assert_eq!(grades, [Grade::Good, Grade::NotAssessed, Grade::Fail]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_07_three_fails_a_year_lead_to_the_exit() {
    each(vendor::SERVICE, async |bed| {
        let field = Field::new(bed).await;
        let months = [
            ("2025-01-06", 1, FAIL),
            ("2025-02-06", 2, GOOD),
            ("2025-03-06", 3, FAIL),
            ("2025-04-08", 4, GOOD),
            ("2025-05-06", 5, FAIL),
        ];
        let mut last = None;
        for (worked, month, items) in months {
            set_day(bed, worked);
            field.repairs(bed, 1).await;
            set_day(bed, &format!("2025-{:02}-02", month + 1));
            last = Some(field.assess(bed, date(2025, month, 1), items).await);
        }
        assert_eq!(last.unwrap().consequence(), Consequence::ExitCandidate);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_07_a_milestone_is_assessed_by_its_own_days() {
    each(vendor::SERVICE, async |bed| {
        let field = Field::new(bed).await;
        set_day(bed, "2025-02-21");
        let request = AssessContractRequest {
            milestone: "初验".into(),
            to_date: Some(date(2025, 2, 20)),
            ..field.assessment(date(2025, 2, 3), scored(GOOD))
        };
        let mut assessor = assessments(bed, "assessor", &[Role::Assessor]);
        let open = AssessContractRequest {
            request_id: key(),
            to_date: None,
            ..request.clone()
        };
        assert_eq!(reason(&assessor.assess_contract(open).await.unwrap_err()), "TERM_ORDER");
        let a = assessor.assess_contract(request).await.unwrap().into_inner().assessment.unwrap();
        assert_eq!(
            (a.milestone.as_str(), day(&a.from_date), day(&a.to_date)),
            ("初验", "2025-02-03".into(), "2025-02-20".into())
        );
        assert_eq!(a.grade(), Grade::Good);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_08_whoever_accepted_the_work_may_not_assess_it() {
    each(vendor::SERVICE, async |bed| {
        let field = Field::new(bed).await;
        field.repairs(bed, 1).await;
        set_day(bed, "2025-02-05");
        let mut acceptor = assessments(bed, "acceptor", &[Role::Acceptor, Role::Assessor]);
        let january = field.assessment(date(2025, 1, 1), scored(GOOD));
        let status = acceptor.assess_contract(january).await.unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (Code::PermissionDenied, "ASSESSOR_ACCEPTED"));
        // In a month in which somebody else accepted, that person may.
        set_day(bed, "2025-03-05");
        assert!(acceptor.assess_contract(field.assessment(date(2025, 2, 1), None)).await.is_ok());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_08_five_working_days_to_object_a_third_person_decides_then_frozen() {
    each(vendor::SERVICE, async |bed| {
        let field = Field::new(bed).await;
        field.repairs(bed, 1).await;
        set_day(bed, "2025-02-06");
        field.repairs(bed, 1).await;
        set_day(bed, "2025-02-07");
        let january = field.assess(bed, date(2025, 1, 1), FAIL).await;
        // After Friday the 7th: Saturday the 8th is worked, then Monday to Thursday.
        assert_eq!(day(&january.objection_due_date), "2025-02-13");
        assert_eq!(january.assessor, "assessor");

        let objected = object(bed, &january).await.unwrap();
        assert_eq!(
            (objected.state(), objected.assessor.as_str(), objected.objection.as_str()),
            (State::Objected, "", "道路封闭")
        );
        assert_eq!(reason(&object(bed, &objected).await.unwrap_err()), "ASSESSMENT_STATE", "once");
        let objected = seen(bed, &objected).await;
        for (by, new, expected) in [
            ("assessor", Some(GOOD), "SECOND_PERSON_NEEDED"),
            ("acceptor", Some(GOOD), "SECOND_PERSON_NEEDED"),
            ("manager", Some(["0", "0", "0", "0", "0"]), "SCORE_LOWERED"),
            ("manager", Some(["31", "0", "0", "0", "0"]), "SCORE_RANGE"),
        ] {
            assert_eq!(reason(&decide(bed, by, &objected, new).await.unwrap_err()), expected, "{by}");
        }
        let bare = DecideObjectionRequest {
            request_id: key(),
            assessment_id: objected.assessment_id.clone(),
            etag: objected.etag.clone(),
            upheld: true,
            scores: None,
            reason: "核实无误".into(),
        };
        let mut leader = assessments(bed, "leader", &[Role::Leader]);
        assert_eq!(reason(&leader.decide_objection(bare).await.unwrap_err()), "SCORES_MISSING");
        let decided = decide(bed, "manager", &objected, Some(GOOD)).await.unwrap();
        assert_eq!(
            (decided.state(), decided.grade(), decided.objection_upheld),
            (State::Frozen, Grade::Good, Some(true))
        );
        assert_eq!(decided.decider, "manager");
        assert_eq!(reason(&decide(bed, "leader", &decided, None).await.unwrap_err()), "ASSESSMENT_STATE", "frozen");

        // Nobody objects: the last day counts, the next one does not.
        set_day(bed, "2025-03-03");
        let february = field.assess(bed, date(2025, 2, 1), FAIL).await;
        assert_eq!(day(&february.objection_due_date), "2025-03-10");
        set_day(bed, "2025-03-10");
        assert_eq!(seen(bed, &february).await.state(), State::Scored);
        set_day(bed, "2025-03-11");
        assert_eq!(seen(bed, &february).await.state(), State::Frozen);
        assert_eq!(reason(&object(bed, &february).await.unwrap_err()), "ASSESSMENT_STATE");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_08_a_refused_objection_leaves_the_score() {
    each(vendor::SERVICE, async |bed| {
        let field = Field::new(bed).await;
        field.repairs(bed, 1).await;
        set_day(bed, "2025-02-07");
        let a = field.assess(bed, date(2025, 1, 1), FAIL).await;
        let objected = object(bed, &a).await.unwrap();
        let decided = decide(bed, "manager", &objected, None).await.unwrap();
        assert_eq!(
            (decided.state(), decided.grade(), decided.objection_upheld),
            (State::Frozen, Grade::Fail, Some(false))
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_07_upheld_complaints_stand_beside_the_assessment_of_their_period() {
    each(vendor::SERVICE, async |bed| {
        let field = Field::new(bed).await;
        field.repairs(bed, 1).await;
        let complaint = uuid();
        let told = ComplaintUpheld {
            complaint_id: complaint.clone(),
            vendor_id: field.vendor.clone(),
            ..Default::default()
        };
        let position = field.hall.tell(&complaint, &told);
        field.hall.repeat(position);
        // The work that follows is taken after the complaint.
        field.repairs(bed, 1).await;
        set_day(bed, "2025-02-07");
        field.repairs(bed, 1).await;
        set_day(bed, "2025-03-07");
        let january = field.assess(bed, date(2025, 1, 1), GOOD).await;
        let shown: Vec<_> = january.complaints.iter().map(|c| (c.complaint_id.as_str(), day(&c.upheld_date))).collect();
        assert_eq!(shown, [(complaint.as_str(), "2025-01-02".to_owned())]);
        let february = field.assess(bed, date(2025, 2, 1), GOOD).await;
        assert!(february.complaints.is_empty());
        eventually("the same after a while", async || {
            (seen(bed, &january).await.complaints.len() == 1).then_some(())
        })
        .await;
    })
    .await;
}
