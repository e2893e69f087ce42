use contracts::hearth::{
    hall::v1::{conduct_service_client::ConductServiceClient, *},
    options::v1::Role,
};
use testbed::{Bed, Client, at, each, key};
use tonic::Code;

use crate::{
    BRANCH, FILE, OTHER, date,
    hands::{certified, dispatch, dispatcher, member, order},
    refusal, time,
};

fn zhao(bed: &Bed) -> ConductServiceClient<Client> {
    ConductServiceClient::new(bed.staff_named("zhao", &[Role::Repairer]))
}
fn manager(bed: &Bed) -> ConductServiceClient<Client> {
    ConductServiceClient::new(bed.staff_named("manager", &[Role::ServiceManager]))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s_02_the_badge_is_confirmed_at_the_start_of_a_shift_and_on_each_visit() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T08:00:00+08:00")).unwrap();
        let member_zhao = certified(bed, "zhao", CertificateKind::Repair, "2026-01-01").await;
        let member_qian = certified(bed, "qian", CertificateKind::Repair, "2026-01-01").await;
        let confirm = |badge: &str, occasion: badge_check::Occasion, order_id: &str| ConfirmBadgeRequest {
            request_id: key(),
            badge_no: badge.to_owned(),
            occasion: occasion.into(),
            order_id: order_id.to_owned(),
        };
        let (shift, visit) = (badge_check::Occasion::Shift, badge_check::Occasion::Visit);
        assert_eq!(
            refusal(zhao(bed).confirm_badge(confirm(&member_qian.badge_no, shift, "")).await),
            (Code::PermissionDenied, "BADGE_MISMATCH".to_owned())
        );
        let request = confirm(&member_zhao.badge_no, shift, "");
        let check = zhao(bed).confirm_badge(request.clone()).await.unwrap().into_inner().badge_check.unwrap();
        assert_eq!(
            zhao(bed).confirm_badge(request).await.unwrap().into_inner().badge_check.unwrap(),
            check,
            "a replay"
        );
        assert_eq!(
            (check.staff_id.as_str(), check.branch.as_str(), check.confirm_time),
            (member_zhao.staff_id.as_str(), BRANCH, Some(time("2025-03-03T08:00:00+08:00")))
        );

        let order = order(bed, OrderType::Repair).await;
        let sent = dispatcher(bed).dispatch_order(dispatch(&order, &[&member_zhao], "2025-03-03")).await;
        sent.unwrap();
        for (occasion, order_id) in [(visit, ""), (shift, order.order_id.as_str())] {
            assert_eq!(
                refusal(zhao(bed).confirm_badge(confirm(&member_zhao.badge_no, occasion, order_id)).await),
                (Code::InvalidArgument, "ORDER_OF_VISIT".to_owned())
            );
        }
        let mut qian = ConductServiceClient::new(bed.staff_named("qian", &[Role::Repairer]));
        assert_eq!(
            refusal(qian.confirm_badge(confirm(&member_qian.badge_no, visit, &order.order_id)).await),
            (Code::PermissionDenied, "NOT_THE_CREW".to_owned())
        );
        let on_visit = confirm(&member_zhao.badge_no, visit, &order.order_id);
        let on_visit = zhao(bed).confirm_badge(on_visit).await.unwrap().into_inner().badge_check.unwrap();

        let wanted = ListBadgeChecksRequest {
            staff_id: member_zhao.staff_id.clone(),
            ..ListBadgeChecksRequest::default()
        };
        let listed = manager(bed).list_badge_checks(wanted).await.unwrap().into_inner().badge_checks;
        assert_eq!(listed, [check, on_visit]);
        let mut elsewhere = ConductServiceClient::new(bed.staff_of(OTHER, &[Role::DistrictManager]));
        let all = ListBadgeChecksRequest::default();
        assert!(elsewhere.list_badge_checks(all).await.unwrap().into_inner().badge_checks.is_empty());
        use sea_orm::ConnectionTrait;
        assert!(bed.db().writer().execute_unprepared("DELETE FROM badge_check").await.is_err());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s_02_a_fact_about_conduct_is_dated_evidenced_and_answered_by_the_member() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T08:00:00+08:00")).unwrap();
        let member_zhao = member(bed, "zhao", BRANCH).await;
        let member_manager = member(bed, "manager", BRANCH).await;
        let fact = RecordConductFactRequest {
            request_id: key(),
            staff_id: member_zhao.staff_id.clone(),
            kind: conduct_fact::Kind::Quarrel.into(),
            happened_date: Some(date("2025-03-02")),
            detail: "与用户争吵\n电话录音为证".to_owned(),
            evidence_file_id: FILE.to_owned(),
            case_id: String::new(),
        };
        let refused = [
            (Some(date("2025-03-04")), FILE, &member_zhao, Code::InvalidArgument, "DATE_IN_FUTURE"),
            (Some(date("2025-03-02")), "", &member_zhao, Code::InvalidArgument, "REQUEST_INVALID"),
            (Some(date("2025-03-02")), FILE, &member_manager, Code::PermissionDenied, "SECOND_PERSON_NEEDED"),
        ];
        for (happened_date, evidence, about, code, expected) in refused {
            let request = RecordConductFactRequest {
                request_id: key(),
                staff_id: about.staff_id.clone(),
                happened_date,
                evidence_file_id: evidence.to_owned(),
                ..fact.clone()
            };
            assert_eq!(refusal(manager(bed).record_conduct_fact(request).await), (code, expected.to_owned()));
        }
        let no_case = RecordConductFactRequest {
            request_id: key(),
            case_id: key(),
            ..fact.clone()
        };
        assert_eq!(manager(bed).record_conduct_fact(no_case).await.unwrap_err().code(), Code::NotFound);
        let recorded = manager(bed).record_conduct_fact(fact).await.unwrap().into_inner().conduct_fact.unwrap();
        assert_eq!(
            (recorded.kind(), recorded.happened_date),
            (conduct_fact::Kind::Quarrel, Some(date("2025-03-02")))
        );
        assert!(!recorded.detail.contains("争吵"), "masked");

        let answer = |etag: &str| AnswerConductFactRequest {
            request_id: key(),
            conduct_fact_id: recorded.conduct_fact_id.clone(),
            etag: etag.to_owned(),
            answer: "用户先动手".to_owned(),
        };
        let mut qian = ConductServiceClient::new(bed.staff_named("qian", &[Role::Repairer]));
        assert_eq!(
            refusal(qian.answer_conduct_fact(answer(&recorded.etag)).await),
            (Code::PermissionDenied, "NOT_THE_MEMBER".to_owned())
        );
        let answered = zhao(bed)
            .answer_conduct_fact(answer(&recorded.etag))
            .await
            .unwrap()
            .into_inner()
            .conduct_fact
            .unwrap();
        assert_eq!(answered.answer_time, Some(time("2025-03-03T08:00:00+08:00")));
        assert_eq!(
            refusal(zhao(bed).answer_conduct_fact(answer(&answered.etag)).await),
            (Code::FailedPrecondition, "FACT_ANSWERED".to_owned())
        );
        let wanted = ListConductFactsRequest {
            staff_id: member_zhao.staff_id.clone(),
            ..ListConductFactsRequest::default()
        };
        let listed = manager(bed).list_conduct_facts(wanted).await.unwrap().into_inner().conduct_facts;
        assert_eq!(listed, [answered]);
        let mut elsewhere = ConductServiceClient::new(bed.staff_of(OTHER, &[Role::DistrictManager]));
        let all = ListConductFactsRequest::default();
        assert!(elsewhere.list_conduct_facts(all).await.unwrap().into_inner().conduct_facts.is_empty());
    })
    .await;
}
