use contracts::hearth::{
    options::v1::Role,
    vendor::v1::{
        ApproveContractRequest, BlacklistVendorRequest, Contract, ContractTerms, DraftContractRequest, GetContractRequest, ListContractsRequest,
        ResumeContractRequest, ReviseContractRequest, ScoreVendorRequest, ServiceCategory, SignContractRequest, SigningAuthority, StartContractRequest,
        SuspendContractRequest, SuspendVendorRequest, TerminateContractRequest, VendorContractSigned, VerifyVendorRequest, contract::State,
        signing_authority::Party,
    },
};
use testbed::{Bed, each, key, reason};
use tonic::{Code, Status};

use crate::world::{Contracts, admitted, approved, contracts, date, drafted, events, get, payloads, registered, scores, set_day, terms, vendors, with_dossier};

const UPGRADE: ServiceCategory = ServiceCategory::OperationUpgrade;

pub async fn sign(bed: &Bed, subject: &str, contract: &Contract) -> Result<Contract, Status> {
    sign_for(bed, subject, contract, vec![]).await
}

/// Signs with the authorities of delegates.
async fn sign_for(bed: &Bed, subject: &str, contract: &Contract, authorities: Vec<SigningAuthority>) -> Result<Contract, Status> {
    let request = SignContractRequest {
        request_id: key(),
        contract_id: contract.contract_id.clone(),
        etag: contract.etag.clone(),
        signed_date: Some(rpc::wire::date(crate::world::today(bed))),
        authorities,
    };
    let answer = contracts(bed, subject, &[Role::ContractOfficer]).sign_contract(request).await?;
    Ok(answer.into_inner().contract.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn f_04_each_guard_has_its_own_reason() {
    each(vendor::SERVICE, async |bed| {
        let vendor = admitted(bed, UPGRADE).await.vendor_id;
        let good = terms(bed, UPGRADE);
        let cases: [(ContractTerms, &str); 6] = [
            (
                ContractTerms {
                    confidentiality_document: String::new(),
                    ..good.clone()
                },
                "CONFIDENTIALITY_MISSING",
            ),
            (
                ContractTerms {
                    data_processing: None,
                    ..good.clone()
                },
                "DATA_TERMS_MISSING",
            ),
            (ContractTerms { sla: vec![], ..good.clone() }, "SLA_MISSING"),
            (
                ContractTerms {
                    emergency_plan_document: String::new(),
                    ..good.clone()
                },
                "EMERGENCY_PLAN_MISSING",
            ),
            (
                ContractTerms {
                    retention_basis_points: None,
                    ..good.clone()
                },
                "RETENTION_MISSING",
            ),
            // Admitted, and not for this category.
            (
                ContractTerms {
                    category: ServiceCategory::OperationRepair.into(),
                    ..good.clone()
                },
                "VENDOR_NOT_ADMITTED",
            ),
        ];
        for (terms, expected) in cases {
            let contract = approved(bed, &vendor, terms).await;
            let status = sign(bed, "officer", &contract).await.unwrap_err();
            assert_eq!((status.code(), reason(&status)), (Code::FailedPrecondition, expected.to_owned()));
        }

        // What was missing may be brought in; the way begins anew.
        let contract = approved(bed, &vendor, ContractTerms { sla: vec![], ..good.clone() }).await;
        let request = ReviseContractRequest {
            request_id: key(),
            contract_id: contract.contract_id.clone(),
            etag: contract.etag,
            terms: Some(good.clone()),
        };
        let revised = contracts(bed, "officer", &[Role::ContractOfficer])
            .revise_contract(request)
            .await
            .unwrap()
            .into_inner()
            .contract
            .unwrap();
        assert_eq!(revised.state(), State::Draft);
        assert_eq!(reason(&sign(bed, "officer", &revised).await.unwrap_err()), "CONTRACT_STATE");

        let contract = approved(bed, &vendor, good).await;
        let signed = sign(bed, "officer", &contract).await.unwrap();
        assert_eq!(signed.state(), State::Signed);
        assert_eq!(
            (signed.creator.as_str(), signed.approver.as_str(), signed.signer.as_str()),
            ("officer", "leader", "officer")
        );
        let told: Vec<VendorContractSigned> = payloads(&events(bed, 2).await);
        assert_eq!((told[0].contract_no.as_str(), told[0].category()), (signed.contract_no.as_str(), UPGRADE));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_04_suspended_and_blacklisted_vendors_sign_nothing() {
    each(vendor::SERVICE, async |bed| {
        let vendor = admitted(bed, UPGRADE).await;
        let contract = approved(bed, &vendor.vendor_id, terms(bed, UPGRADE)).await;
        let request = SuspendVendorRequest {
            request_id: key(),
            vendor_id: vendor.vendor_id.clone(),
            etag: vendor.etag,
            reason: "考核".into(),
        };
        let vendor = vendors(bed, "it", &[Role::ItDepartment])
            .suspend_vendor(request)
            .await
            .unwrap()
            .into_inner()
            .vendor
            .unwrap();
        assert_eq!(reason(&sign(bed, "officer", &contract).await.unwrap_err()), "VENDOR_NOT_ADMITTED");
        let request = BlacklistVendorRequest {
            request_id: key(),
            vendor_id: vendor.vendor_id.clone(),
            etag: vendor.etag,
            reason: "行贿".into(),
            until_date: Some(date(2030, 1, 1)),
        };
        vendors(bed, "leader", &[Role::Leader]).blacklist_vendor(request).await.unwrap();
        assert_eq!(reason(&sign(bed, "officer", &contract).await.unwrap_err()), "VENDOR_BLACKLISTED");
        let request = DraftContractRequest {
            request_id: key(),
            vendor_id: vendor.vendor_id,
            branch: "河西区".into(),
            terms: Some(terms(bed, UPGRADE)),
        };
        let status = contracts(bed, "officer", &[Role::ContractOfficer]).draft_contract(request).await.unwrap_err();
        assert_eq!(reason(&status), "VENDOR_BLACKLISTED");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_e_a_contract_signed_by_a_delegate_whose_authority_expired_is_none() {
    each(vendor::SERVICE, async |bed| {
        let vendor = admitted(bed, UPGRADE).await.vendor_id;
        let contract = approved(bed, &vendor, terms(bed, UPGRADE)).await;
        let authority = |party: Party, valid_to| SigningAuthority {
            party: party.into(),
            document: "授权委托书-3".into(),
            valid_to_date: Some(valid_to),
        };
        let ended = vec![authority(Party::Utility, date(2025, 6, 30)), authority(Party::Vendor, date(2025, 1, 1))];
        assert_eq!(reason(&sign_for(bed, "officer", &contract, ended).await.unwrap_err()), "AUTHORITY_EXPIRED");
        // The last day counts.
        let good = vec![authority(Party::Utility, date(2025, 6, 30)), authority(Party::Vendor, date(2025, 1, 2))];
        let signed = sign_for(bed, "officer", &contract, good.clone()).await.unwrap();
        assert_eq!((signed.state(), &signed.authorities), (State::Signed, &good));
        let late = approved(bed, &vendor, terms(bed, UPGRADE)).await;
        set_day(bed, "2025-01-03");
        assert_eq!(reason(&sign_for(bed, "officer", &late, good).await.unwrap_err()), "AUTHORITY_EXPIRED");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_03_no_signature_on_a_qualification_older_than_twelve_months() {
    each(vendor::SERVICE, async |bed| {
        // Reviewed on 2 January 2025: good until 2 January 2026.
        let vendor = admitted(bed, UPGRADE).await.vendor_id;
        set_day(bed, "2026-01-02");
        let in_time = approved(bed, &vendor, terms(bed, UPGRADE)).await;
        let late = approved(bed, &vendor, terms(bed, UPGRADE)).await;
        assert_eq!(sign(bed, "officer", &in_time).await.unwrap().state(), State::Signed);
        set_day(bed, "2026-01-03");
        assert_eq!(reason(&sign(bed, "officer", &late).await.unwrap_err()), "QUALIFICATION_OUTDATED");
        // A signature that is dated back does not help.
        let request = SignContractRequest {
            request_id: key(),
            contract_id: late.contract_id,
            etag: late.etag,
            signed_date: Some(date(2026, 1, 2)),
            authorities: vec![],
        };
        let status = contracts(bed, "officer", &[Role::ContractOfficer]).sign_contract(request).await.unwrap_err();
        assert_eq!(reason(&status), "QUALIFICATION_OUTDATED");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_02_who_judged_takes_no_part_in_a_contract() {
    each(vendor::SERVICE, async |bed| {
        // Verified and scored by `verifier`.
        let vendor = admitted(bed, UPGRADE).await.vendor_id;
        let refused = |status: Status| assert_eq!((status.code(), reason(&status)), (Code::PermissionDenied, "SEGREGATION_OF_DUTIES".into()));

        let draft = DraftContractRequest {
            request_id: key(),
            vendor_id: vendor.clone(),
            branch: "河西区".into(),
            terms: Some(terms(bed, UPGRADE)),
        };
        refused(contracts(bed, "verifier", &[Role::ContractOfficer]).draft_contract(draft).await.unwrap_err());

        let contract = drafted(bed, &vendor, terms(bed, UPGRADE)).await;
        let revise = ReviseContractRequest {
            request_id: key(),
            contract_id: contract.contract_id.clone(),
            etag: contract.etag.clone(),
            terms: Some(terms(bed, UPGRADE)),
        };
        refused(contracts(bed, "verifier", &[Role::ContractOfficer]).revise_contract(revise).await.unwrap_err());
        let approve = ApproveContractRequest {
            request_id: key(),
            contract_id: contract.contract_id,
            etag: contract.etag,
            opinion: String::new(),
        };
        refused(contracts(bed, "verifier", &[Role::Leader]).approve_contract(approve).await.unwrap_err());

        let contract = approved(bed, &vendor, terms(bed, UPGRADE)).await;
        refused(sign(bed, "verifier", &contract).await.unwrap_err());
        // Another vendor is another matter.
        let other = registered(bed).await.vendor_id;
        let draft = DraftContractRequest {
            request_id: key(),
            vendor_id: other,
            branch: "河西区".into(),
            terms: Some(terms(bed, UPGRADE)),
        };
        assert!(contracts(bed, "verifier", &[Role::ContractOfficer]).draft_contract(draft).await.is_ok());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_02_who_has_a_part_in_a_contract_does_not_judge() {
    each(vendor::SERVICE, async |bed| {
        let vendor = admitted(bed, UPGRADE).await.vendor_id;
        // Created by `officer`, approved by `leader`, signed by `signer`.
        let contract = approved(bed, &vendor, terms(bed, UPGRADE)).await;
        sign(bed, "signer", &contract).await.unwrap();
        let (seen, second) = with_dossier(bed, get(bed, &vendor).await, ServiceCategory::OperationRepair).await;
        let verify = |etag: &str| VerifyVendorRequest {
            request_id: key(),
            vendor_id: vendor.clone(),
            etag: etag.to_owned(),
            qualification_id: second.clone(),
            passed: true,
            findings: String::new(),
        };
        for subject in ["officer", "leader", "signer"] {
            let status = vendors(bed, subject, &[Role::QualificationVerifier])
                .verify_vendor(verify(&seen.etag))
                .await
                .unwrap_err();
            assert_eq!(
                (status.code(), reason(&status)),
                (Code::PermissionDenied, "SEGREGATION_OF_DUTIES".into()),
                "{subject}"
            );
        }
        let seen = vendors(bed, "zhao", &[Role::QualificationVerifier])
            .verify_vendor(verify(&seen.etag))
            .await
            .unwrap()
            .into_inner()
            .vendor
            .unwrap();
        for subject in ["officer", "leader", "signer"] {
            let score = ScoreVendorRequest {
                request_id: key(),
                vendor_id: vendor.clone(),
                etag: seen.etag.clone(),
                qualification_id: second.clone(),
                scores: scores("35", "20", "20", "8"),
                findings: String::new(),
            };
            let status = vendors(bed, subject, &[Role::QualificationVerifier]).score_vendor(score).await.unwrap_err();
            assert_eq!(reason(&status), "SEGREGATION_OF_DUTIES", "{subject}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_02_of_two_writes_at_once_one_fails() {
    each(vendor::SERVICE, async |bed| {
        // Each of the two is legal alone; together they break the rule, so exactly one may stand.
        for round in 0..12 {
            let (vendor, qualification) = with_dossier(bed, registered(bed).await, UPGRADE).await;
            let both = format!("both-{round}");
            let mut verifier = vendors(bed, &both, &[Role::QualificationVerifier, Role::ContractOfficer]);
            let mut officer = Contracts::new(bed.staff_named(&both, &[Role::QualificationVerifier, Role::ContractOfficer]));
            let verify = VerifyVendorRequest {
                request_id: key(),
                vendor_id: vendor.vendor_id.clone(),
                etag: vendor.etag,
                qualification_id: qualification,
                passed: true,
                findings: String::new(),
            };
            let draft = DraftContractRequest {
                request_id: key(),
                vendor_id: vendor.vendor_id,
                branch: "河西区".into(),
                terms: Some(terms(bed, UPGRADE)),
            };
            let (verified, drafted) = tokio::join!(verifier.verify_vendor(verify), officer.draft_contract(draft));
            let refusals: Vec<_> = [verified.err(), drafted.err()].into_iter().flatten().map(|s| reason(&s)).collect();
            assert_eq!(refusals, ["SEGREGATION_OF_DUTIES"], "round {round}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_05_from_draft_to_the_end_of_the_term() {
    each(vendor::SERVICE, async |bed| {
        let vendor = admitted(bed, UPGRADE).await.vendor_id;
        let mut officer = contracts(bed, "officer", &[Role::ContractOfficer]);
        let term = ContractTerms {
            start_date: Some(date(2025, 2, 1)),
            end_date: Some(date(2025, 12, 31)),
            ..terms(bed, UPGRADE)
        };
        let contract = drafted(bed, &vendor, term.clone()).await;
        assert_eq!((contract.state(), contract.contract_no.as_str()), (State::Draft, "VC-河西区-2025-000001"));
        let by_creator = ApproveContractRequest {
            request_id: key(),
            contract_id: contract.contract_id.clone(),
            etag: contract.etag.clone(),
            opinion: String::new(),
        };
        let status = contracts(bed, "leader", &[Role::Leader])
            .approve_contract(by_creator.clone())
            .await
            .unwrap_err();
        assert_eq!(reason(&status), "CONTRACT_STATE", "not reviewed yet");
        let status = contracts(bed, "officer", &[Role::Leader]).approve_contract(by_creator).await.unwrap_err();
        assert_eq!(reason(&status), "SECOND_PERSON_NEEDED");

        let contract = approved(bed, &vendor, term).await;
        let signed = sign(bed, "officer", &contract).await.unwrap();
        let id = signed.contract_id.clone();
        let start = |etag: &str| StartContractRequest {
            request_id: key(),
            contract_id: id.clone(),
            etag: etag.to_owned(),
        };
        assert_eq!(reason(&officer.start_contract(start(&signed.etag)).await.unwrap_err()), "CONTRACT_TERM");
        set_day(bed, "2025-02-01");
        let running = officer.start_contract(start(&signed.etag)).await.unwrap().into_inner().contract.unwrap();
        assert_eq!(running.state(), State::InForce);
        let request = SuspendContractRequest {
            request_id: key(),
            contract_id: id.clone(),
            etag: running.etag,
            reason: "整改".into(),
        };
        let resting = officer.suspend_contract(request).await.unwrap().into_inner().contract.unwrap();
        let request = ResumeContractRequest {
            request_id: key(),
            contract_id: id.clone(),
            etag: resting.etag.clone(),
            reason: "整改完成".into(),
        };
        let running = officer.resume_contract(request).await.unwrap().into_inner().contract.unwrap();
        assert_eq!((resting.state(), running.state()), (State::Suspended, State::InForce));
        assert_eq!(resting.state_reason, "整改");

        let mut state_on = async |day: &str| {
            set_day(bed, day);
            let request = GetContractRequest {
                vendor_id: vendor.clone(),
                contract_id: id.clone(),
            };
            officer.get_contract(request).await.unwrap().into_inner().contract.unwrap().state()
        };
        assert_eq!(state_on("2025-10-31").await, State::InForce);
        assert_eq!(state_on("2025-11-01").await, State::Expiring);
        assert_eq!(state_on("2025-12-31").await, State::Expiring);
        assert_eq!(state_on("2026-01-01").await, State::Expired);
        let request = TerminateContractRequest {
            request_id: key(),
            contract_id: id.clone(),
            etag: running.etag,
            reason: "late".into(),
        };
        assert_eq!(reason(&officer.terminate_contract(request).await.unwrap_err()), "CONTRACT_STATE");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn branches_see_their_own_contracts() {
    each(vendor::SERVICE, async |bed| {
        let vendor = registered(bed).await.vendor_id;
        let contract = drafted(bed, &vendor, terms(bed, UPGRADE)).await;
        let get = GetContractRequest {
            vendor_id: vendor.clone(),
            contract_id: contract.contract_id.clone(),
        };
        let mut own = Contracts::new(bed.staff_of("河西区", &[Role::ContractOfficer]));
        let mut other = Contracts::new(bed.staff_of("南开区", &[Role::ContractOfficer]));
        assert!(own.get_contract(get.clone()).await.is_ok());
        assert_eq!(other.get_contract(get).await.unwrap_err().code(), Code::NotFound);
        assert_eq!(
            own.list_contracts(ListContractsRequest::default()).await.unwrap().into_inner().contracts.len(),
            1
        );
        assert!(
            other
                .list_contracts(ListContractsRequest::default())
                .await
                .unwrap()
                .into_inner()
                .contracts
                .is_empty()
        );
        let request = TerminateContractRequest {
            request_id: key(),
            contract_id: contract.contract_id,
            etag: contract.etag,
            reason: "none".into(),
        };
        assert_eq!(other.terminate_contract(request).await.unwrap_err().code(), Code::NotFound);
        let draft = DraftContractRequest {
            request_id: key(),
            vendor_id: vendor,
            branch: "河西区".into(),
            terms: Some(terms(bed, UPGRADE)),
        };
        let status = other.draft_contract(draft).await.unwrap_err();
        assert_eq!((status.code(), reason(&status)), (Code::PermissionDenied, "TENANT_SCOPE".into()));
    })
    .await;
}
