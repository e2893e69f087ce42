use contracts::hearth::{
    archive::v1::{
        ActivateAgreementRequest, Agreement, AmendAgreementRequest, CloseMissingContractRequest, EndAgreementRequest, ListAgreementsRequest,
        ListMissingContractsRequest, MissingContract, Service, SignAgreementRequest, SignMethod, StartClosingAccountRequest, VoidAgreementRequest, account,
        agreement, agreement_service_client::AgreementServiceClient, missing_contract,
    },
    billing::v1::BillIssued,
    options::v1::Role,
};
use rpc::Routes;
use testbed::{at, each, eventually, key, reason};
use tonic::Code;
use tonic_types::StatusExt;
use uuid::Uuid;

use crate::{
    credit::yuan,
    intake::{chunk, import, row},
    world::{Desk, HEPING, HEXI, date, events, premises, raw, template, uuid},
};

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

        bed.clock().set(at("2025-01-10T09:00:00+08:00")).unwrap();
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
        bed.clock().set(at("2025-03-01T09:00:00+08:00")).unwrap();
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

/// Billing bills what was used after a day and up to another one.
fn used(agreement: &Agreement, bill_no: &str, from: &str, to: &str, de_facto: bool) -> BillIssued {
    BillIssued {
        bill_id: key(),
        bill_no: bill_no.to_owned(),
        agreement_id: agreement.agreement_id.clone(),
        account_id: agreement.account_id.clone(),
        party_id: agreement.party_id.clone(),
        branch: agreement.branch.clone(),
        year: 2025,
        month: 3,
        amount: yuan(100),
        issue_date: date(to),
        due_date: date("2025-12-31"),
        de_facto,
        from_date: date(from),
        to_date: date(to),
        ..BillIssued::default()
    }
}

/// What a contract officer sees, oldest first.
async fn missing(desk: &Desk, open_only: bool) -> Vec<MissingContract> {
    let list = ListMissingContractsRequest {
        open_only,
        ..ListMissingContractsRequest::default()
    };
    desk.agreements
        .clone()
        .list_missing_contracts(list)
        .await
        .unwrap()
        .into_inner()
        .missing_contracts
}

/// Whose contract is missing, since when, and the newest bill.
fn shown(tasks: &[MissingContract]) -> Vec<(&str, Option<contracts::hearth::r#type::v1::Date>, &str)> {
    tasks.iter().map(|t| (t.agreement_id.as_str(), t.since_date, t.bill_no.as_str())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_06_use_without_a_contract_is_a_task_until_a_contract_is_in_force() {
    each(archive::SERVICE, async |bed| {
        let billing = bed.fake("billing", Routes::default()).await;
        let mut desk = Desk::head_office(bed);
        let template = desk.template().await;
        let first = desk.ready(1, HEXI, &template).await;
        let home = desk.sign(first.clone()).await;
        let home = activate(&mut desk, &home, "2025-01-02").await;
        let never = desk.ready(2, HEPING, &template).await;
        let never = desk.sign(never).await;
        bed.clock().set(at("2025-03-15T09:00:00+08:00")).unwrap();
        desk.agreements.end_agreement(end(&home, "2025-03-10")).await.unwrap();

        // The contract ended on the 10th; the other one never came into force. What was covered is no task.
        billing.tell("1", &used(&home, "B1", "2025-01-31", "2025-02-28", false));
        billing.tell("1", &used(&home, "B2", "2025-02-28", "2025-03-31", true));
        billing.tell("2", &used(&never, "B3", "2025-01-10", "2025-01-31", true));
        let open = eventually("both tasks", async || Some(missing(&desk, true).await).filter(|all| all.len() == 2)).await;
        let (a, b) = (home.agreement_id.as_str(), never.agreement_id.as_str());
        assert_eq!(shown(&open), [(a, date("2025-03-10"), "B2"), (b, date("2025-01-11"), "B3")]);
        assert!(open.iter().all(|t| t.open_time.is_some() && t.close_time.is_none() && t.outcome == 0));
        // Further bills join, also one of days before.
        billing.tell("1", &used(&home, "B4", "2025-03-31", "2025-04-30", true));
        billing.tell("2", &used(&never, "B5", "2025-01-04", "2025-01-10", true));
        let joined = eventually("the newest bill", async || {
            Some(missing(&desk, false).await).filter(|all| all[1].bill_no == "B5")
        })
        .await;
        assert_eq!(shown(&joined), [(a, date("2025-03-10"), "B4"), (b, date("2025-01-05"), "B5")]);

        // Each branch has its own, in pages; other posts have none.
        let mut branch = Desk::of(bed.staff_of(HEXI, &[Role::ContractOfficer]));
        assert_eq!(shown(&missing(&branch, false).await), [(a, date("2025-03-10"), "B4")]);
        let page = |token: &str| ListMissingContractsRequest {
            page_size: 1,
            page_token: token.to_owned(),
            ..ListMissingContractsRequest::default()
        };
        let one = desk.agreements.list_missing_contracts(page("")).await.unwrap().into_inner();
        let two = desk.agreements.list_missing_contracts(page(&one.next_page_token)).await.unwrap().into_inner();
        assert_eq!([one.missing_contracts, two.missing_contracts].concat(), joined);
        assert_eq!(two.next_page_token, "");
        let of_one = ListMissingContractsRequest {
            agreement_id: Some(b.to_owned()),
            ..ListMissingContractsRequest::default()
        };
        let of_one = desk.agreements.list_missing_contracts(of_one).await.unwrap().into_inner().missing_contracts;
        assert_eq!(of_one, joined[1..]);
        let mut agent = Desk::of(bed.staff(&[Role::Agent]));
        assert_eq!(
            agent.agreements.list_missing_contracts(page("")).await.unwrap_err().code(),
            Code::PermissionDenied
        );

        // The officer closes what no contract will end; whoever uses on is asked for again.
        let close = |task: &MissingContract, outcome: missing_contract::Outcome| CloseMissingContractRequest {
            request_id: key(),
            missing_contract_id: task.missing_contract_id.clone(),
            etag: task.etag.clone(),
            outcome: outcome.into(),
        };
        use missing_contract::Outcome::{ContractInForce, SupplyEnded};
        let task = &joined[1];
        let foreign = branch.agreements.close_missing_contract(close(task, SupplyEnded)).await.unwrap_err();
        assert_eq!(foreign.code(), Code::NotFound);
        let stale = desk.agreements.close_missing_contract(close(&open[1], SupplyEnded)).await.unwrap_err();
        assert_eq!(reason(&stale), "ETAG_MISMATCH");
        let by_itself = desk.agreements.close_missing_contract(close(task, ContractInForce)).await.unwrap_err();
        assert_eq!(by_itself.code(), Code::InvalidArgument, "only a contract does that");
        let request = close(task, SupplyEnded);
        let closed = desk.agreements.close_missing_contract(request.clone()).await.unwrap().into_inner();
        assert_eq!(desk.agreements.close_missing_contract(request).await.unwrap().into_inner(), closed, "a replay");
        let closed = closed.missing_contract.unwrap();
        assert_eq!((closed.outcome(), closed.close_time.is_some()), (SupplyEnded, true));
        let again = desk.agreements.close_missing_contract(close(&closed, SupplyEnded)).await.unwrap_err();
        assert_eq!(reason(&again), "MISSING_CONTRACT_CLOSED");
        billing.tell("2", &used(&never, "B6", "2025-01-31", "2025-02-28", true));
        let open = eventually("a task anew", async || Some(missing(&desk, true).await).filter(|all| all.len() == 2)).await;
        assert_eq!(shown(&open)[1], (b, date("2025-02-01"), "B6"));

        // A signature is not enough; the contract in force closes the task in the same call, that of another customer of the service point as well.
        let next = desk.ready(3, HEXI, &template).await;
        let next = SignAgreementRequest {
            service_point_id: first.service_point_id,
            signed_date: date("2025-03-14"),
            ..next
        };
        let next = desk.sign(next).await;
        assert_eq!(missing(&desk, true).await.len(), 2);
        activate(&mut desk, &next, "2025-03-15").await;
        assert_eq!(shown(&missing(&desk, true).await), [(b, date("2025-02-01"), "B6")]);
        activate(&mut desk, &never, "2025-03-15").await;
        let all = missing(&desk, false).await;
        let ended: Vec<_> = all.iter().map(|t| (t.bill_no.as_str(), t.outcome(), t.close_time.is_some())).collect();
        assert_eq!(ended, [("B4", ContractInForce, true), ("B5", SupplyEnded, true), ("B6", ContractInForce, true)]);
        // A bill that comes late, of days before the contract, leaves nothing to do.
        billing.tell("1", &used(&home, "B7", "2025-03-10", "2025-03-14", true));
        let all = eventually("the late bill", async || Some(missing(&desk, false).await).filter(|all| all.len() == 4)).await;
        assert_eq!((all[3].bill_no.as_str(), all[3].outcome()), ("B7", ContractInForce));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_06_a_contract_that_is_taken_over_closes_the_task_of_its_service_point() {
    each(archive::SERVICE, async |bed| {
        let billing = bed.fake("billing", Routes::default()).await;
        let mut desk = Desk::head_office(bed);
        desk.template().await;
        let intake = bed.staff(&[Role::Archivist]);
        assert_eq!(import(&intake, vec![chunk(vec![row(1)])]).await.unwrap()[0].accepted, 1);
        let list = ListAgreementsRequest::default();
        let home = desk.agreements.list_agreements(list).await.unwrap().into_inner().agreements.remove(0);
        desk.agreements.end_agreement(end(&home, "2025-01-01")).await.unwrap();
        billing.tell("1", &used(&home, "B1", "2024-12-31", "2025-01-31", true));
        let open = eventually("the task", async || Some(missing(&desk, true).await).filter(|all| !all.is_empty())).await;
        assert_eq!(shown(&open), [(home.agreement_id.as_str(), date("2025-01-01"), "B1")]);
        let tenant = contracts::hearth::archive::v1::CustomerRow {
            address: row(1).address,
            supply_from_date: date("2025-01-02"),
            ..row(2)
        };
        assert_eq!(import(&intake, vec![chunk(vec![tenant])]).await.unwrap()[0].accepted, 1);
        assert!(missing(&desk, true).await.is_empty());
    })
    .await;
}
