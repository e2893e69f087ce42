use contracts::hearth::{
    archive::v1::{
        ActivateAgreementRequest, Agreement, AmendAgreementRequest, EndAgreementRequest, ListAgreementsRequest, Service, SignAgreementRequest, SignMethod,
        StartClosingAccountRequest, VoidAgreementRequest, account, agreement, agreement_service_client::AgreementServiceClient,
    },
    options::v1::Role,
};
use testbed::{each, key, reason};
use tonic::Code;
use tonic_types::StatusExt;
use uuid::Uuid;

use crate::world::{Desk, HEPING, HEXI, date, events, premises, raw, template, uuid};

pub async fn activate(desk: &mut Desk, agreement: &Agreement, from: &str) -> Agreement {
    let request = ActivateAgreementRequest {
        request_id: key(),
        agreement_id: agreement.agreement_id.clone(),
        etag: Some(agreement.etag.clone()),
        from_date: date(from),
    };
    desk.agreements.activate_agreement(request).await.unwrap().into_inner().agreement.unwrap()
}

fn end(agreement: &Agreement, day: &str) -> EndAgreementRequest {
    EndAgreementRequest {
        request_id: key(),
        agreement_id: agreement.agreement_id.clone(),
        etag: Some(agreement.etag.clone()),
        end_date: date(day),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agreement_from_signature_to_end() {
    each(archive::SERVICE, async |bed| {
        let mut desk = Desk::head_office(bed);
        let template = desk.template().await;
        let request = desk.ready(1, HEXI, &template).await;
        let signed = desk.sign(request.clone()).await;
        assert_eq!(
            (signed.state(), signed.agreement_no.as_str()),
            (agreement::State::Signed, "C2025-河西区-000001")
        );
        assert_eq!(signed.versions[0].flagged_clauses_acknowledged, ["2", "3.1"]);
        assert_eq!(signed.versions[0].sign_method(), SignMethod::Paper);
        // The same request again is the same agreement.
        assert_eq!(desk.sign(request).await, signed);

        bed.clock().set(testbed::at("2025-01-10T09:00:00+08:00")).unwrap();
        let live = activate(&mut desk, &signed, "2025-01-10").await;
        assert_eq!((live.state(), live.from_date), (agreement::State::InForce, date("2025-01-10")));
        assert_eq!(desk.account(&signed.account_id).await.state(), account::State::Open);
        let again = ActivateAgreementRequest {
            request_id: key(),
            agreement_id: live.agreement_id.clone(),
            etag: Some(live.etag.clone()),
            from_date: date("2025-01-10"),
        };
        assert_eq!(reason(&desk.agreements.activate_agreement(again).await.unwrap_err()), "AGREEMENT_STATE");
        let void = VoidAgreementRequest {
            request_id: key(),
            agreement_id: live.agreement_id.clone(),
            etag: Some(live.etag.clone()),
            reason: "X".to_owned(),
        };
        assert_eq!(reason(&desk.agreements.void_agreement(void).await.unwrap_err()), "AGREEMENT_STATE");

        assert_eq!(reason(&desk.agreements.end_agreement(end(&live, "2025-01-10")).await.unwrap_err()), "PERIOD");
        assert_eq!(
            reason(&desk.agreements.end_agreement(end(&live, "2025-01-12")).await.unwrap_err()),
            "DATE_RANGE"
        );
        assert_eq!(
            reason(&desk.agreements.end_agreement(end(&signed, "2025-01-11")).await.unwrap_err()),
            "ETAG_MISMATCH"
        );
        let ended = desk
            .agreements
            .end_agreement(end(&live, "2025-01-11"))
            .await
            .unwrap()
            .into_inner()
            .agreement
            .unwrap();
        assert_eq!((ended.state(), ended.end_date), (agreement::State::Ended, date("2025-01-11")));
        assert_eq!(events(bed, &signed.agreement_id).await, ["ContractSigned", "ContractInForce", "ContractEnded"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_07_flagged_clauses_must_be_acknowledged() {
    each(archive::SERVICE, async |bed| {
        let mut desk = Desk::head_office(bed);
        let template = desk.template().await;
        let mut request = desk.ready(1, HEXI, &template).await;
        request.flagged_clauses_acknowledged = vec!["3.1".to_owned()];
        let status = desk.agreements.sign_agreement(request.clone()).await.unwrap_err();
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (Code::FailedPrecondition, "FLAGGED_CLAUSES_NOT_ACKNOWLEDGED")
        );
        assert_eq!(status.get_details_error_info().unwrap().metadata["clauses"], "2");
        // A refused write leaves its key free.
        request.flagged_clauses_acknowledged.push("2".to_owned());
        desk.sign(request).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_07_an_amendment_is_a_new_version_and_no_version_changes() {
    each(archive::SERVICE, async |bed| {
        let mut desk = Desk::head_office(bed);
        let template = desk.template().await;
        let signed = desk.ready(1, HEXI, &template).await;
        let signed = desk.sign(signed).await;
        let live = activate(&mut desk, &signed, "2025-01-02").await;
        let amend = |etag: &str, from: &str| AmendAgreementRequest {
            request_id: key(),
            agreement_id: live.agreement_id.clone(),
            etag: etag.to_owned(),
            use_class: "independent heating".to_owned(),
            from_date: date(from),
            template_id: template.template_id.clone(),
            template_version: template.version,
            signed_date: date("2025-01-02"),
            sign_method: SignMethod::Electronic.into(),
            flagged_clauses_acknowledged: vec!["2".to_owned(), "3.1".to_owned()],
            reason: "改装壁挂炉".to_owned(),
        };
        assert_eq!(
            reason(&desk.agreements.amend_agreement(amend(&live.etag, "2025-01-02")).await.unwrap_err()),
            "PERIOD"
        );
        assert_eq!(
            reason(&desk.agreements.amend_agreement(amend(&signed.etag, "2025-03-01")).await.unwrap_err()),
            "ETAG_MISMATCH"
        );
        let mut silent = amend(&live.etag, "2025-03-01");
        silent.flagged_clauses_acknowledged.clear();
        assert_eq!(
            reason(&desk.agreements.amend_agreement(silent).await.unwrap_err()),
            "FLAGGED_CLAUSES_NOT_ACKNOWLEDGED"
        );
        let amended = desk
            .agreements
            .amend_agreement(amend(&live.etag, "2025-03-01"))
            .await
            .unwrap()
            .into_inner()
            .agreement
            .unwrap();
        assert_eq!((amended.version, amended.use_class.as_str()), (2, "independent heating"));
        assert_eq!(amended.versions[0], live.versions[0]);
        assert_eq!(desk.agreement(&live.agreement_id).await, amended);
        assert_eq!(events(bed, &live.agreement_id).await, ["ContractSigned", "ContractInForce", "ContractAmended"]);

        let id = uuid(&live.agreement_id);
        for sql in [
            "UPDATE agreement_version SET use_class = 'x' WHERE agreement_id = $1",
            "UPDATE agreement_version SET acknowledged = '[]' WHERE agreement_id = $1",
            "DELETE FROM agreement_version WHERE agreement_id = $1",
        ] {
            assert_eq!(raw(bed, sql, vec![id.clone()]).await, Err("AGREEMENT_VERSION_IS_APPEND_ONLY".to_owned()));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a2_a_service_point_has_one_agreement_at_a_time() {
    each(archive::SERVICE, async |bed| {
        let mut desk = Desk::head_office(bed);
        let template = desk.template().await;
        let first = desk.ready(1, HEXI, &template).await;
        let mut second = desk.ready(2, HEXI, &template).await;
        second.service_point_id.clone_from(&first.service_point_id);
        let first = desk.sign(first).await;
        let status = desk.agreements.sign_agreement(second.clone()).await.unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (Code::AlreadyExists, "AGREEMENT_OVERLAP"));

        // A voided one frees the point.
        let void = VoidAgreementRequest {
            request_id: key(),
            agreement_id: first.agreement_id.clone(),
            etag: Some(first.etag.clone()),
            reason: "OPENING_GIVEN_UP".to_owned(),
        };
        let voided = desk.agreements.void_agreement(void).await.unwrap().into_inner().agreement.unwrap();
        assert_eq!(voided.state(), agreement::State::Voided);
        assert_eq!(events(bed, &first.agreement_id).await, ["ContractSigned", "ContractVoided"]);
        let tenant = desk.sign(second).await;
        bed.clock().set(testbed::at("2025-03-01T09:00:00+08:00")).unwrap();
        let tenant = activate(&mut desk, &tenant, "2025-01-10").await;
        let tenant = desk
            .agreements
            .end_agreement(end(&tenant, "2025-03-01"))
            .await
            .unwrap()
            .into_inner()
            .agreement
            .unwrap();

        // The next tenant follows; a day earlier is refused, at signature and at start.
        let mut third = desk.ready(3, HEXI, &template).await;
        third.service_point_id.clone_from(&tenant.service_point_id);
        third.signed_date = date("2025-02-28");
        assert_eq!(reason(&desk.agreements.sign_agreement(third.clone()).await.unwrap_err()), "AGREEMENT_OVERLAP");
        third.start_date = date("2025-03-01");
        let third = desk.sign(third).await;
        let early = ActivateAgreementRequest {
            request_id: key(),
            agreement_id: third.agreement_id.clone(),
            etag: Some(third.etag.clone()),
            from_date: date("2025-02-28"),
        };
        assert_eq!(reason(&desk.agreements.activate_agreement(early).await.unwrap_err()), "AGREEMENT_OVERLAP");
        activate(&mut desk, &third, "2025-03-01").await;

        // Who was served there, and when.
        let list = ListAgreementsRequest {
            service_point_id: Some(tenant.service_point_id.clone()),
            ..ListAgreementsRequest::default()
        };
        let history = desk.agreements.list_agreements(list).await.unwrap().into_inner().agreements;
        let states: Vec<_> = history.iter().map(Agreement::state).collect();
        assert_eq!(states, [agreement::State::Voided, agreement::State::Ended, agreement::State::InForce]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn decision_6_the_database_refuses_an_overlap_by_itself() {
    each(archive::SERVICE, async |bed| {
        let mut desk = Desk::head_office(bed);
        let template = desk.template().await;
        let signed = desk.ready(1, HEXI, &template).await;
        let signed = desk.sign(signed).await;
        let live = activate(&mut desk, &signed, "2025-01-02").await;
        let copy = async |number: &str, state: &str, from: &str, until: Option<&str>| {
            let until = until.map_or("NULL".to_owned(), |day| format!("'{day}'"));
            let sql = format!(
                "INSERT INTO agreement (id, agreement_no, account_id, account_no, party_id, premises_id, service_point_id, service, branch, state, live_from,
                live_until, signed_version, use_class, version, created_at, updated_at) SELECT $1, '{number}', account_id, account_no, party_id, premises_id,
                service_point_id, service, branch, '{state}', '{from}', {until}, 1, use_class, 1, created_at, updated_at FROM agreement WHERE id = $2"
            );
            raw(bed, &sql, vec![Uuid::now_v7().into(), uuid(&live.agreement_id)]).await
        };
        let overlap = Err("AGREEMENT_OVERLAP".to_owned());
        assert_eq!(copy("x1", "SIGNED", "2025-06-01", None).await, overlap);
        assert_eq!(copy("x1", "ENDED", "2024-01-01", Some("2025-01-03")).await, overlap);
        assert_eq!(copy("x1", "ENDED", "2025-02-01", Some("2025-02-02")).await, overlap);
        assert_eq!(copy("x1", "VOIDED", "2025-06-01", None).await, Ok(()));
        // Half open: it may end on the day on which the other one begins.
        assert_eq!(copy("x2", "ENDED", "2024-01-01", Some("2025-01-02")).await, Ok(()));
        assert_eq!(copy("x3", "ENDED", "2023-12-31", Some("2024-01-02")).await, overlap);
        assert_eq!(copy("x4", "ENDED", "2023-01-02", Some("2023-01-01")).await, Err("AGREEMENT_PERIOD".to_owned()));
        assert_eq!(
            raw(bed, "UPDATE agreement SET state = 'SIGNED' WHERE agreement_no = 'x1'", vec![]).await,
            overlap
        );
        assert_eq!(
            raw(bed, "UPDATE agreement SET live_until = '2025-01-03' WHERE agreement_no = 'x2'", vec![]).await,
            overlap
        );
        assert_eq!(
            raw(bed, "UPDATE agreement SET service = 'HEAT' WHERE agreement_no = 'x2'", vec![]).await,
            Ok(())
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d_07_of_twenty_who_sign_for_one_service_point_one_wins() {
    each(archive::SERVICE, async |bed| {
        let mut desk = Desk::head_office(bed);
        let template = desk.template().await;
        let mut requests = vec![];
        for n in 0..20 {
            requests.push(desk.ready(n, HEXI, &template).await);
        }
        let point = requests[0].service_point_id.clone();
        let racers = requests.into_iter().map(|request| {
            let mut desk = desk.clone();
            let request = SignAgreementRequest {
                service_point_id: point.clone(),
                ..request
            };
            tokio::spawn(async move { desk.agreements.sign_agreement(request).await })
        });
        let outcomes = futures::future::join_all(racers.collect::<Vec<_>>()).await;
        let (won, lost): (Vec<_>, Vec<_>) = outcomes.into_iter().map(Result::unwrap).partition(Result::is_ok);
        assert_eq!(won.len(), 1);
        assert!(lost.into_iter().all(|l| reason(&l.unwrap_err()) == "AGREEMENT_OVERLAP"));
        // The losers left no gap in the numbers.
        let next = desk.ready(30, HEXI, &template).await;
        assert_eq!(desk.sign(next).await.agreement_no, "C2025-河西区-000002");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_must_fit_account_premises_and_template() {
    each(archive::SERVICE, async |bed| {
        let mut desk = Desk::head_office(bed);
        let first = desk.template().await;
        let heat = desk
            .templates
            .publish_template(template("RESIDENT_HEAT", 1, Service::Heat, "2024-01-01"))
            .await
            .unwrap()
            .into_inner()
            .template
            .unwrap();
        desk.templates
            .publish_template(template("RESIDENT_GAS", 2, Service::Gas, "2025-01-02"))
            .await
            .unwrap();
        let good = desk.ready(1, HEXI, &first).await;
        let good = SignAgreementRequest { template_version: 2, ..good };
        let elsewhere = desk
            .premises
            .register_premises(premises(9, HEPING))
            .await
            .unwrap()
            .into_inner()
            .premises
            .unwrap();
        let refused = async |change: &dyn Fn(&mut SignAgreementRequest)| {
            let mut request = SignAgreementRequest {
                request_id: key(),
                ..good.clone()
            };
            change(&mut request);
            reason(&desk.agreements.clone().sign_agreement(request).await.unwrap_err())
        };
        assert_eq!(refused(&|r| r.template_version = 1).await, "TEMPLATE_NOT_IN_FORCE");
        assert_eq!(refused(&|r| r.signed_date = date("2025-01-01")).await, "TEMPLATE_NOT_IN_FORCE");
        assert_eq!(refused(&|r| r.signed_date = date("2025-01-03")).await, "DATE_RANGE");
        assert_eq!(refused(&|r| r.start_date = date("2025-01-01")).await, "PERIOD");
        assert_eq!(refused(&|r| r.signed_date = date("2025-02-29")).await, "DATE");
        assert_eq!(refused(&|r| r.template_version = 3).await, "NOT_FOUND");
        assert_eq!(
            refused(&|r| (r.template_id, r.template_version) = (heat.template_id.clone(), 1)).await,
            "SERVICE_MISMATCH"
        );
        assert_eq!(refused(&|r| r.service = Service::Heat.into()).await, "SERVICE_MISMATCH");
        assert_eq!(
            refused(&|r| r.service_point_id = elsewhere.service_points[0].service_point_id.clone()).await,
            "BRANCH_MISMATCH"
        );
        assert_eq!(refused(&|r| r.account_id = key()).await, "NOT_FOUND");
        assert_eq!(refused(&|r| r.service_point_id = key()).await, "NOT_FOUND");
        // The day on which the next version begins is the first one it may be signed on.
        let old = SignAgreementRequest {
            request_id: key(),
            template_version: 1,
            signed_date: date("2025-01-01"),
            ..good.clone()
        };
        desk.sign(old).await;

        let live = desk.ready(2, HEXI, &first).await;
        let live = desk.sign(SignAgreementRequest { template_version: 2, ..live }).await;
        activate(&mut desk, &live, "2025-01-02").await;
        let account = desk.account(&live.account_id).await;
        let closing = StartClosingAccountRequest {
            request_id: key(),
            account_id: account.account_id.clone(),
            etag: account.etag,
            reason: "MOVES_OUT".to_owned(),
        };
        desk.accounts.start_closing_account(closing).await.unwrap();
        let other = desk.premises(3, HEXI).await;
        let late = SignAgreementRequest {
            request_id: key(),
            account_id: account.account_id,
            service_point_id: other.service_points[0].service_point_id.clone(),
            ..good.clone()
        };
        assert_eq!(reason(&desk.agreements.sign_agreement(late).await.unwrap_err()), "ACCOUNT_STATE");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hall_signs_activates_and_voids_without_a_tag_and_people_do_not() {
    each(archive::SERVICE, async |bed| {
        let mut desk = Desk::head_office(bed);
        let template = desk.template().await;
        let request = desk.ready(1, HEXI, &template).await;
        let other = desk.ready(2, HEXI, &template).await;
        let mut hall = AgreementServiceClient::new(bed.peer("hall"));
        let signed = hall.sign_agreement(request).await.unwrap().into_inner().agreement.unwrap();
        let bare = ActivateAgreementRequest {
            request_id: key(),
            agreement_id: signed.agreement_id.clone(),
            etag: None,
            from_date: date("2025-01-02"),
        };
        assert_eq!(reason(&desk.agreements.activate_agreement(bare.clone()).await.unwrap_err()), "ETAG_REQUIRED");
        let live = hall.activate_agreement(bare.clone()).await.unwrap().into_inner();
        // The step of a saga that is tried again.
        assert_eq!(hall.activate_agreement(bare).await.unwrap().into_inner(), live);

        let signed = hall.sign_agreement(other).await.unwrap().into_inner().agreement.unwrap();
        let void = VoidAgreementRequest {
            request_id: key(),
            agreement_id: signed.agreement_id,
            etag: None,
            reason: "OPENING_GIVEN_UP".to_owned(),
        };
        hall.void_agreement(void).await.unwrap();
        // Billing and vendor may not.
        let mut billing = AgreementServiceClient::new(bed.peer("billing"));
        let mut cashier = AgreementServiceClient::new(bed.staff(&[Role::Cashier]));
        let end = end(&live.agreement.unwrap(), "2025-01-03");
        assert_eq!(billing.end_agreement(end.clone()).await.unwrap_err().code(), Code::PermissionDenied);
        assert_eq!(cashier.end_agreement(end).await.unwrap_err().code(), Code::PermissionDenied);
    })
    .await;
}
