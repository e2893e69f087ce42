use contracts::hearth::{
    options::v1::Role,
    vendor::v1::{
        AdmitVendorRequest, BlacklistVendorRequest, CompleteDossierRequest, FinishExitRequest, ListVendorsRequest, RankVendorsRequest, RegisterVendorRequest,
        ResumeVendorRequest, ScoreVendorRequest, ServiceCategory, StartExitRequest, SuspendVendorRequest, VendorAdmitted, VendorExited, VendorKind,
        VendorSuspended, VerifyVendorRequest, qualification::Stage, vendor::State, vendor_suspended::Cause,
    },
};
use testbed::{each, fields, key, reason};
use tonic::Code;

use crate::world::{
    admitted, approved, date, day, dossier, events, get, payloads, ranked_and_admitted, registered, scored, scores, terms, uscc, uuid, vendors, with_dossier,
};

const REPAIR: ServiceCategory = ServiceCategory::FieldRepair;

#[tokio::test(flavor = "multi_thread")]
async fn f_01_from_registration_to_exit() {
    each(vendor::SERVICE, async |bed| {
        let mut it = vendors(bed, "it", &[Role::ItDepartment]);
        let vendor = registered(bed).await;
        assert_eq!(vendor.state(), State::Registered);
        let (vendor, qualification) = with_dossier(bed, vendor, REPAIR).await;
        assert_eq!(
            (vendor.state(), vendor.qualifications[0].stage()),
            (State::DossierComplete, Stage::DossierComplete)
        );
        let vendor = scored(bed, vendor, &qualification, ("verifier", "scorer"), scores("35", "20", "20", "8.5")).await;
        assert_eq!((vendor.state(), vendor.qualifications[0].stage()), (State::Scored, Stage::Scored));
        assert_eq!(vendor.qualifications[0].total.as_ref().unwrap().value, "83.500");
        let early = AdmitVendorRequest {
            request_id: key(),
            vendor_id: vendor.vendor_id.clone(),
            etag: vendor.etag.clone(),
            qualification_id: qualification.clone(),
        };
        assert_eq!(reason(&it.admit_vendor(early).await.unwrap_err()), "QUALIFICATION_STAGE");

        let vendor = ranked_and_admitted(bed, &vendor.vendor_id, &qualification, REPAIR).await;
        assert_eq!((vendor.state(), vendor.qualifications[0].stage()), (State::Admitted, Stage::Granted));
        assert_eq!(
            (vendor.qualifications[0].rank, day(&vendor.qualifications[0].valid_to_date)),
            (1, "2026-01-02".into())
        );

        let id = vendor.vendor_id.clone();
        let request = SuspendVendorRequest {
            request_id: key(),
            vendor_id: id.clone(),
            etag: vendor.etag,
            reason: "两次考核不合格".into(),
        };
        let vendor = it.suspend_vendor(request).await.unwrap().into_inner().vendor.unwrap();
        assert_eq!((vendor.state(), vendor.state_reason.as_str()), (State::Suspended, "两次考核不合格"));
        let again = SuspendVendorRequest {
            request_id: key(),
            vendor_id: id.clone(),
            etag: vendor.etag.clone(),
            reason: "again".into(),
        };
        assert_eq!(reason(&it.suspend_vendor(again).await.unwrap_err()), "VENDOR_STATE");
        let request = ResumeVendorRequest {
            request_id: key(),
            vendor_id: id.clone(),
            etag: vendor.etag,
            reason: "整改完成".into(),
        };
        let vendor = it.resume_vendor(request).await.unwrap().into_inner().vendor.unwrap();
        assert_eq!(vendor.state(), State::Admitted);
        let request = StartExitRequest {
            request_id: key(),
            vendor_id: id.clone(),
            etag: vendor.etag,
            reason: "合同到期".into(),
        };
        let vendor = it.start_exit(request).await.unwrap().into_inner().vendor.unwrap();
        assert_eq!(vendor.state(), State::Exiting);
        let request = FinishExitRequest {
            request_id: key(),
            vendor_id: id.clone(),
            etag: vendor.etag,
            handover_document: "退出交接单-1".into(),
            data_certificate: "D-1".into(),
        };
        assert_eq!(it.finish_exit(request).await.unwrap().into_inner().vendor.unwrap().state(), State::Exited);

        let told = events(bed, 5).await;
        assert!(told.iter().all(|e| e.subject == id && e.source == "vendor"));
        assert_eq!(
            told.iter().map(|e| (e.position, e.sequence)).collect::<Vec<_>>(),
            [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5)]
        );
        let back: Vec<VendorAdmitted> = payloads(&told);
        assert_eq!(
            back.iter().map(|e| (e.category(), day(&e.valid_to_date))).collect::<Vec<_>>(),
            vec![(REPAIR, "2026-01-02".to_owned()); 2]
        );
        let barred: Vec<VendorSuspended> = payloads(&told);
        assert_eq!(
            barred.iter().map(VendorSuspended::cause).collect::<Vec<_>>(),
            [Cause::Suspended, Cause::Exiting]
        );
        assert_eq!(payloads::<VendorExited>(&told).len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_01_any_state_to_the_black_list() {
    each(vendor::SERVICE, async |bed| {
        let fresh = registered(bed).await;
        let old = admitted(bed, REPAIR).await;
        let mut leader = vendors(bed, "leader", &[Role::Leader]);
        for vendor in [fresh, old] {
            let list = |until| BlacklistVendorRequest {
                request_id: key(),
                vendor_id: vendor.vendor_id.clone(),
                etag: vendor.etag.clone(),
                reason: "围标, 证据 E-7".into(),
                until_date: Some(until),
            };
            let status = leader.blacklist_vendor(list(date(2025, 1, 2))).await.unwrap_err();
            assert_eq!((reason(&status), fields(&status)), ("DATE_IN_PAST".into(), vec!["until_date".into()]));
            let listed = leader.blacklist_vendor(list(date(2030, 1, 2))).await.unwrap().into_inner().vendor.unwrap();
            assert_eq!((listed.state(), day(&listed.blacklisted_until_date)), (State::Blacklisted, "2030-01-02".into()));
            let again = BlacklistVendorRequest {
                etag: listed.etag,
                ..list(date(2031, 1, 2))
            };
            assert_eq!(reason(&leader.blacklist_vendor(again).await.unwrap_err()), "VENDOR_STATE");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_01_a_second_category_leaves_the_vendor_admitted() {
    each(vendor::SERVICE, async |bed| {
        let vendor = admitted(bed, REPAIR).await;
        let (vendor, second) = with_dossier(bed, vendor, ServiceCategory::FieldMeterReading).await;
        assert_eq!(vendor.state(), State::Admitted);
        let request = CompleteDossierRequest {
            request_id: key(),
            vendor_id: vendor.vendor_id.clone(),
            etag: vendor.etag.clone(),
            category: ServiceCategory::FieldMeterReading.into(),
            documents: dossier(),
        };
        let status = vendors(bed, "it", &[Role::ItDepartment]).complete_dossier(request).await.unwrap_err();
        assert_eq!(reason(&status), "QUALIFICATION_OPEN");
        let vendor = scored(bed, vendor, &second, ("verifier", "verifier"), scores("20", "10", "10", "5")).await;
        assert_eq!((vendor.state(), vendor.qualifications[1].stage()), (State::Admitted, Stage::Failed));
        let (vendor, third) = with_dossier(bed, vendor, ServiceCategory::FieldMeterReading).await;
        assert_ne!(second, third);
        assert_eq!(vendor.qualifications.len(), 3);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_03_pass_mark_unrounded_and_ranking_with_ties() {
    each(vendor::SERVICE, async |bed| {
        let mut ids = vec![];
        // 59.999 fails; then by total, by technical, by the earlier dossier.
        let given = [
            ("26", "14", "14", "5.999"),
            ("30", "20", "20", "10"),
            ("31", "20", "20", "9"),
            ("30", "20", "20", "10"),
            ("26", "24", "24", "6.001"),
        ];
        for (technical, financial, quotation, references) in given {
            let (vendor, qualification) = with_dossier(bed, registered(bed).await, REPAIR).await;
            let given = scores(technical, financial, quotation, references);
            let vendor = scored(bed, vendor, &qualification, ("verifier", "verifier"), given).await;
            ids.push(vendor.vendor_id);
        }
        let failed = get(bed, &ids[0]).await;
        assert_eq!((failed.state(), failed.qualifications[0].stage()), (State::Verified, Stage::Failed));
        let mut it = vendors(bed, "it", &[Role::ItDepartment]);
        let ranking = it
            .rank_vendors(RankVendorsRequest {
                request_id: key(),
                category: REPAIR.into(),
            })
            .await
            .unwrap()
            .into_inner()
            .ranking;
        let order: Vec<_> = ranking
            .iter()
            .map(|r| (r.rank, ids.iter().position(|id| *id == r.vendor_id).unwrap()))
            .collect();
        assert_eq!(order, [(1, 4), (2, 2), (3, 1), (4, 3)]);
        assert_eq!(get(bed, &ids[3]).await.state(), State::Ranked);
        let other = RankVendorsRequest {
            request_id: key(),
            category: ServiceCategory::Training.into(),
        };
        assert_eq!(reason(&it.rank_vendors(other).await.unwrap_err()), "NOTHING_TO_RANK");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_03_scores_keep_within_their_maxima() {
    each(vendor::SERVICE, async |bed| {
        let (vendor, qualification) = with_dossier(bed, registered(bed).await, REPAIR).await;
        let mut verifier = vendors(bed, "verifier", &[Role::QualificationVerifier]);
        let request = VerifyVendorRequest {
            request_id: key(),
            vendor_id: vendor.vendor_id.clone(),
            etag: vendor.etag,
            qualification_id: qualification.clone(),
            passed: true,
            findings: String::new(),
        };
        let vendor = verifier.verify_vendor(request).await.unwrap().into_inner().vendor.unwrap();
        let score = |given| ScoreVendorRequest {
            request_id: key(),
            vendor_id: vendor.vendor_id.clone(),
            etag: vendor.etag.clone(),
            qualification_id: qualification.clone(),
            scores: given,
            findings: String::new(),
        };
        let status = verifier.score_vendor(score(scores("40.001", "20", "20", "8"))).await.unwrap_err();
        assert_eq!((status.code(), reason(&status)), (Code::InvalidArgument, "SCORE_RANGE".into()));
        let status = verifier.score_vendor(score(scores("30", "20", "20", "8.0001"))).await.unwrap_err();
        assert_eq!((status.code(), fields(&status)), (Code::InvalidArgument, vec!["scores.references".to_owned()]));
        let status = verifier.score_vendor(score(scores("-1", "20", "20", "8"))).await.unwrap_err();
        assert_eq!((status.code(), fields(&status)), (Code::InvalidArgument, vec!["scores.technical".to_owned()]));
        assert!(verifier.score_vendor(score(scores("40", "25", "25", "10"))).await.is_ok());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_13_what_may_not_be_given_away_is_refused() {
    each(vendor::SERVICE, async |bed| {
        let vendor = registered(bed).await;
        let mut it = vendors(bed, "it", &[Role::ItDepartment]);
        for category in [
            ServiceCategory::ItStrategy,
            ServiceCategory::RiskManagement,
            ServiceCategory::InternalAudit,
            ServiceCategory::SecurityResponsibility,
        ] {
            let request = CompleteDossierRequest {
                request_id: key(),
                vendor_id: vendor.vendor_id.clone(),
                etag: vendor.etag.clone(),
                category: category.into(),
                documents: dossier(),
            };
            assert_eq!(reason(&it.complete_dossier(request).await.unwrap_err()), "CATEGORY_NOT_OUTSOURCEABLE");
        }
        let mut thin = dossier();
        thin.remove(2);
        let request = CompleteDossierRequest {
            request_id: key(),
            vendor_id: vendor.vendor_id.clone(),
            etag: vendor.etag.clone(),
            category: REPAIR.into(),
            documents: thin,
        };
        let status = it.complete_dossier(request).await.unwrap_err();
        assert_eq!((reason(&status), fields(&status)), ("DOSSIER_INCOMPLETE".into(), vec!["documents".into()]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_judged_does_not_admit() {
    each(vendor::SERVICE, async |bed| {
        let (vendor, qualification) = with_dossier(bed, registered(bed).await, REPAIR).await;
        scored(bed, vendor.clone(), &qualification, ("li", "wang"), scores("35", "20", "20", "8")).await;
        let mut it = vendors(bed, "it", &[Role::ItDepartment]);
        it.rank_vendors(RankVendorsRequest {
            request_id: key(),
            category: REPAIR.into(),
        })
        .await
        .unwrap();
        let seen = get(bed, &vendor.vendor_id).await;
        let review = contracts::hearth::vendor::v1::ReviewSiteRequest {
            request_id: key(),
            vendor_id: vendor.vendor_id.clone(),
            etag: seen.etag,
            qualification_id: qualification.clone(),
            passed: true,
            review_date: Some(date(2025, 1, 3)),
            findings: "ok".into(),
        };
        assert_eq!(reason(&it.review_site(review.clone()).await.unwrap_err()), "DATE_IN_FUTURE");
        let reviewed = it
            .review_site(contracts::hearth::vendor::v1::ReviewSiteRequest {
                review_date: Some(date(2025, 1, 2)),
                ..review
            })
            .await;
        let etag = reviewed.unwrap().into_inner().vendor.unwrap().etag;
        for judge in ["li", "wang"] {
            let request = AdmitVendorRequest {
                request_id: key(),
                vendor_id: vendor.vendor_id.clone(),
                etag: etag.clone(),
                qualification_id: qualification.clone(),
            };
            let status = vendors(bed, judge, &[Role::Leader]).admit_vendor(request).await.unwrap_err();
            assert_eq!((status.code(), reason(&status)), (Code::PermissionDenied, "SECOND_PERSON_NEEDED".into()));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_15_no_exit_while_a_contract_is_open() {
    each(vendor::SERVICE, async |bed| {
        let vendor = admitted(bed, REPAIR).await;
        approved(bed, &vendor.vendor_id, terms(bed, REPAIR)).await;
        let mut it = vendors(bed, "it", &[Role::ItDepartment]);
        let request = StartExitRequest {
            request_id: key(),
            vendor_id: vendor.vendor_id.clone(),
            etag: vendor.etag,
            reason: "end".into(),
        };
        let vendor = it.start_exit(request).await.unwrap().into_inner().vendor.unwrap();
        let request = FinishExitRequest {
            request_id: key(),
            vendor_id: vendor.vendor_id,
            etag: vendor.etag,
            handover_document: "H-1".into(),
            data_certificate: "D-1".into(),
        };
        assert_eq!(reason(&it.finish_exit(request).await.unwrap_err()), "CONTRACT_REMAINS");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replay_gives_the_first_answer_and_a_reused_key_is_refused() {
    each(vendor::SERVICE, async |bed| {
        let mut it = vendors(bed, "it", &[Role::ItDepartment]);
        let request = RegisterVendorRequest {
            request_id: key(),
            uscc: uscc(),
            name: "甲公司".into(),
            kinds: vec![VendorKind::Hardware.into(); 2],
        };
        let first = it.register_vendor(request.clone()).await.unwrap().into_inner();
        let second = it.register_vendor(request.clone()).await.unwrap().into_inner();
        assert_eq!(first, second);
        assert_eq!(first.vendor.as_ref().unwrap().kinds, [i32::from(VendorKind::Hardware)]);
        let other = RegisterVendorRequest {
            name: "乙公司".into(),
            ..request.clone()
        };
        let status = it.register_vendor(other).await.unwrap_err();
        assert_eq!((status.code(), reason(&status)), (Code::InvalidArgument, "IDEMPOTENCY_KEY_REUSED".into()));
        let again = RegisterVendorRequest { request_id: key(), ..request };
        let status = it.register_vendor(again).await.unwrap_err();
        assert_eq!((status.code(), reason(&status)), (Code::AlreadyExists, "VENDOR_USCC_UNIQUE".into()));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_etag_is_refused() {
    each(vendor::SERVICE, async |bed| {
        let vendor = registered(bed).await;
        with_dossier(bed, vendor.clone(), REPAIR).await;
        let request = CompleteDossierRequest {
            request_id: key(),
            vendor_id: vendor.vendor_id,
            etag: vendor.etag,
            category: ServiceCategory::Training.into(),
            documents: dossier(),
        };
        let mut it = vendors(bed, "it", &[Role::ItDepartment]);
        let status = it.complete_dossier(request.clone()).await.unwrap_err();
        assert_eq!((status.code(), reason(&status)), (Code::Aborted, "ETAG_MISMATCH".into()));
        let status = it
            .complete_dossier(CompleteDossierRequest {
                etag: String::new(),
                ..request
            })
            .await
            .unwrap_err();
        assert_eq!((status.code(), reason(&status)), (Code::InvalidArgument, "ETAG_REQUIRED".into()));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_names_its_field() {
    each(vendor::SERVICE, async |bed| {
        let mut it = vendors(bed, "it", &[Role::ItDepartment]);
        let good = RegisterVendorRequest {
            request_id: key(),
            uscc: uscc(),
            name: "甲".into(),
            kinds: vec![VendorKind::Software.into()],
        };
        let wrong_check = {
            let code = uscc();
            let last = if code.ends_with('0') { '1' } else { '0' };
            format!("{}{last}", &code[..17])
        };
        let cases = [
            (
                RegisterVendorRequest {
                    uscc: wrong_check,
                    ..good.clone()
                },
                "USCC_INVALID",
                "uscc",
            ),
            (
                RegisterVendorRequest {
                    uscc: "911".into(),
                    ..good.clone()
                },
                "REQUEST_INVALID",
                "uscc",
            ),
            (
                RegisterVendorRequest {
                    name: String::new(),
                    ..good.clone()
                },
                "REQUEST_INVALID",
                "name",
            ),
            (
                RegisterVendorRequest {
                    name: "甲".repeat(121),
                    ..good.clone()
                },
                "REQUEST_INVALID",
                "name",
            ),
            (RegisterVendorRequest { kinds: vec![], ..good.clone() }, "REQUEST_INVALID", "kinds"),
            (
                RegisterVendorRequest {
                    kinds: vec![9],
                    ..good.clone()
                },
                "REQUEST_INVALID",
                "kinds[0]",
            ),
            (
                RegisterVendorRequest {
                    request_id: "7".into(),
                    ..good.clone()
                },
                "IDEMPOTENCY_KEY_FORMAT",
                "request_id",
            ),
            (
                RegisterVendorRequest {
                    request_id: String::new(),
                    ..good
                },
                "IDEMPOTENCY_KEY_REQUIRED",
                "request_id",
            ),
        ];
        for (request, expected, field) in cases {
            let status = it.register_vendor(RegisterVendorRequest { ..request }).await.unwrap_err();
            assert_eq!(
                (status.code(), reason(&status), fields(&status)),
                (Code::InvalidArgument, expected.to_owned(), vec![field.to_owned()])
            );
        }
        let mut cashier = vendors(bed, "cashier", &[Role::Cashier]);
        let request = contracts::hearth::vendor::v1::GetVendorRequest { vendor_id: uuid() };
        assert_eq!(cashier.get_vendor(request.clone()).await.unwrap_err().code(), Code::PermissionDenied);
        assert_eq!(reason(&it.get_vendor(request).await.unwrap_err()), "NOT_FOUND");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_in_pages_by_state_and_category() {
    each(vendor::SERVICE, async |bed| {
        let one = admitted(bed, REPAIR).await.vendor_id;
        let two = registered(bed).await.vendor_id;
        let three = registered(bed).await.vendor_id;
        let mut auditor = vendors(bed, "auditor", &[Role::Auditor]);
        let mut seen = vec![];
        let mut token = String::new();
        loop {
            let page = auditor
                .list_vendors(ListVendorsRequest {
                    page_size: 2,
                    page_token: token,
                    ..Default::default()
                })
                .await
                .unwrap()
                .into_inner();
            seen.extend(page.vendors.iter().map(|v| v.vendor_id.clone()));
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(seen, [one.clone(), two.clone(), three]);
        let only = |state: State, category: i32| ListVendorsRequest {
            state: state.into(),
            category,
            ..Default::default()
        };
        let list = auditor.list_vendors(only(State::Registered, 0)).await.unwrap().into_inner().vendors;
        assert_eq!(list.len(), 2);
        let list = auditor
            .list_vendors(only(State::Unspecified, REPAIR.into()))
            .await
            .unwrap()
            .into_inner()
            .vendors;
        assert_eq!(list.iter().map(|v| &v.vendor_id).collect::<Vec<_>>(), [&one]);
        assert!(list[0].qualifications[0].documents.is_empty());
        // Branch staff see the register of the whole group.
        let mut branch = crate::world::Vendors::new(bed.staff_of("河西区", &[Role::Dispatcher]));
        assert_eq!(branch.list_vendors(ListVendorsRequest::default()).await.unwrap().into_inner().vendors.len(), 3);
    })
    .await;
}
