use contracts::hearth::{
    hall::v1::{staff_service_client::StaffServiceClient, *},
    options::v1::Role,
};
use testbed::{at, each, eventually, key, reason};
use tonic::Code;

use crate::{
    BRANCH, FILE, OTHER, date,
    hands::{accept_order, certified, certify, dispatch, dispatcher, events, member, order, personnel, train, vendor_member},
    meta, refusal,
    world::{Mode, World},
};

async fn check(bed: &testbed::Bed, staff: &StaffMember, kind: CertificateKind, on: &str) -> CheckStaffCertifiedResponse {
    let request = CheckStaffCertifiedRequest {
        staff_id: staff.staff_id.clone(),
        certificate_kind: kind.into(),
        on_date: Some(date(on)),
    };
    personnel(bed).check_staff_certified(request).await.unwrap().into_inner()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_01_dispatch_only_with_a_certificate_valid_on_the_planned_day() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let order = order(bed, OrderType::ReadingVisit).await;
        let without = member(bed, "zhao", BRANCH).await;
        let status = dispatcher(bed).dispatch_order(dispatch(&order, &[&without], "2025-03-03")).await.unwrap_err();
        assert_eq!((status.code(), reason(&status)), (Code::FailedPrecondition, "CERTIFICATE_NEEDED".to_owned()));
        assert_eq!(
            (meta(&status, "why"), meta(&status, "staff_id")),
            ("CERTIFICATE_MISSING".to_owned(), without.staff_id.clone())
        );

        let other_kind = certified(bed, "qian", CertificateKind::Electrician, "2026-01-01").await;
        assert_eq!(
            meta(
                &dispatcher(bed)
                    .dispatch_order(dispatch(&order, &[&other_kind], "2025-03-03"))
                    .await
                    .unwrap_err(),
                "why"
            ),
            "CERTIFICATE_MISSING"
        );

        let until_the_tenth = certified(bed, "sun", CertificateKind::MeterReading, "2025-03-10").await;
        let status = dispatcher(bed)
            .dispatch_order(dispatch(&order, &[&until_the_tenth], "2025-03-11"))
            .await
            .unwrap_err();
        assert_eq!(meta(&status, "why"), "CERTIFICATE_NOT_VALID");
        // One of the crew is not enough.
        let status = dispatcher(bed)
            .dispatch_order(dispatch(&order, &[&until_the_tenth, &without], "2025-03-10"))
            .await
            .unwrap_err();
        assert_eq!(meta(&status, "staff_id"), without.staff_id);

        let dispatched = dispatcher(bed)
            .dispatch_order(dispatch(&order, &[&until_the_tenth], "2025-03-10"))
            .await
            .unwrap()
            .into_inner()
            .order
            .unwrap();
        assert_eq!(dispatched.state(), order::State::Dispatched);
        assert_eq!(dispatched.staff_ids, [until_the_tenth.staff_id]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_01_drafts_and_revoked_certificates_do_not_count() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let staff = member(bed, "zhou", BRANCH).await;
        let request = RecordCertificateRequest {
            request_id: key(),
            staff_id: staff.staff_id.clone(),
            etag: staff.etag.clone(),
            kind: CertificateKind::GasOpening.into(),
            certificate_no: "KQ-1".to_owned(),
            issuing_body: "天津市住建委".to_owned(),
            issued_date: Some(date("2024-01-01")),
            valid_to_date: Some(date("2026-12-31")),
            scan_file_id: FILE.to_owned(),
        };
        let mut clerk = StaffServiceClient::new(bed.staff_named("clerk", &[Role::Personnel]));
        let recorded = clerk.record_certificate(request.clone()).await.unwrap().into_inner();
        let staff = recorded.staff.unwrap();
        assert_eq!(staff.certificates[0].state(), certificate::State::Draft);
        assert_eq!(
            check(bed, &staff, CertificateKind::GasOpening, "2025-03-03").await.reason,
            "CERTIFICATE_MISSING"
        );

        let confirm = ConfirmCertificateRequest {
            request_id: key(),
            staff_id: staff.staff_id.clone(),
            etag: staff.etag.clone(),
            certificate_id: recorded.certificate_id.clone(),
        };
        assert_eq!(
            refusal(clerk.confirm_certificate(confirm.clone()).await),
            (Code::PermissionDenied, "SECOND_PERSON_NEEDED".to_owned())
        );
        let staff = personnel(bed).confirm_certificate(confirm).await.unwrap().into_inner().staff.unwrap();
        assert_eq!(staff.certificates[0].state(), certificate::State::Valid);
        assert!(check(bed, &staff, CertificateKind::GasOpening, "2025-03-03").await.certified);

        let again = ConfirmCertificateRequest {
            request_id: key(),
            staff_id: staff.staff_id.clone(),
            etag: staff.etag.clone(),
            certificate_id: recorded.certificate_id.clone(),
        };
        let status = personnel(bed).confirm_certificate(again).await.unwrap_err();
        assert_eq!(
            (reason(&status), meta(&status, "allowed")),
            ("CERTIFICATE_STATE".to_owned(), "NEAR,REVOKE".to_owned())
        );

        let revoke = RevokeCertificateRequest {
            request_id: key(),
            staff_id: staff.staff_id.clone(),
            etag: staff.etag.clone(),
            certificate_id: recorded.certificate_id,
            reason: "冒名考试".to_owned(),
        };
        let staff = personnel(bed).revoke_certificate(revoke).await.unwrap().into_inner().staff.unwrap();
        assert_eq!(
            (staff.certificates[0].state(), staff.certificates[0].revoked_date),
            (certificate::State::Revoked, Some(date("2025-03-03")))
        );
        assert_eq!(
            check(bed, &staff, CertificateKind::GasOpening, "2025-03-03").await.reason,
            "CERTIFICATE_NOT_VALID"
        );

        let twice = RecordCertificateRequest {
            request_id: key(),
            etag: staff.etag,
            ..request
        };
        assert_eq!(
            refusal(clerk.record_certificate(twice.clone()).await),
            (Code::AlreadyExists, "CERTIFICATE_NO_UNIQUE".to_owned())
        );
        let backwards = RecordCertificateRequest {
            certificate_no: "KQ-2".to_owned(),
            valid_to_date: Some(date("2023-12-31")),
            ..twice
        };
        assert_eq!(
            refusal(clerk.record_certificate(backwards).await),
            (Code::InvalidArgument, "VALIDITY_ORDER".to_owned())
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_02_warnings_at_90_30_and_7_days_and_the_end_by_date() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-31T09:00:00+08:00")).unwrap();
        let staff = member(bed, "wu", BRANCH).await;
        let (staff, certificate_id) = certify(bed, &staff, CertificateKind::GasOpening, "2025-06-30").await;
        let warned = async || {
            let warnings = personnel(bed)
                .list_certificate_warnings(ListCertificateWarningsRequest::default())
                .await
                .unwrap()
                .into_inner()
                .warnings;
            warnings.iter().map(|w| w.days_before).collect::<Vec<_>>()
        };
        assert_eq!(warned().await, Vec::<i32>::new(), "91 days are left");
        for (day, marks) in [("2025-04-01", vec![90]), ("2025-05-31", vec![90, 30]), ("2025-06-23", vec![90, 30, 7])] {
            bed.clock().set(at(&format!("{day}T00:00:01+08:00"))).unwrap();
            eventually("the warning", async || (warned().await == marks).then_some(())).await;
        }
        // The last day counts; the day after does not, before any run has noticed.
        bed.clock().set(at("2025-06-30T23:59:59+08:00")).unwrap();
        assert!(check(bed, &staff, CertificateKind::GasOpening, "2025-06-30").await.certified);
        assert_eq!(
            check(bed, &staff, CertificateKind::GasOpening, "2025-07-01").await.reason,
            "CERTIFICATE_NOT_VALID"
        );
        assert!(events::<StaffCertificateExpired>(bed, &staff.staff_id).await.is_empty());

        bed.clock().set(at("2025-07-01T00:00:00+08:00")).unwrap();
        let seen = personnel(bed)
            .get_staff(GetStaffRequest {
                staff_id: staff.staff_id.clone(),
            })
            .await
            .unwrap()
            .into_inner()
            .staff
            .unwrap();
        assert_eq!(seen.certificates[0].state(), certificate::State::Expired);
        let told = eventually("the event", async || {
            let told = events::<StaffCertificateExpired>(bed, &staff.staff_id).await;
            (!told.is_empty()).then_some(told)
        })
        .await;
        assert_eq!(told.len(), 1);
        assert_eq!(
            (told[0].certificate_id.as_str(), told[0].kind()),
            (certificate_id.as_str(), CertificateKind::GasOpening)
        );
        assert_eq!(warned().await, [90, 30, 7], "each mark once");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s_01_repairers_need_both_trainings() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let order = order(bed, OrderType::Repair).await;
        let staff = member(bed, "zheng", BRANCH).await;
        let (staff, _) = certify(bed, &staff, CertificateKind::Repair, "2026-01-01").await;
        let staff = train(bed, &staff, TrainingKind::Safety, "2024-05-01").await;
        let status = dispatcher(bed).dispatch_order(dispatch(&order, &[&staff], "2025-03-03")).await.unwrap_err();
        assert_eq!(meta(&status, "why"), "TRAINING_MISSING");
        let staff = train(bed, &staff, TrainingKind::Technical, "2025-03-03").await;
        assert_eq!(staff.trainings.len(), 2);
        dispatcher(bed).dispatch_order(dispatch(&order, &[&staff], "2025-03-03")).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_01_a_vendors_person_is_asked_for_and_no_answer_means_no_dispatch() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let (vendor_id, person_id) = (key(), key());
        let staff = vendor_member(bed, "feng", &vendor_id, &person_id).await;
        let order = order(bed, OrderType::Repair).await;
        let request = dispatch(&order, &[&staff], "2025-03-03");
        // The vendor service does not run at all.
        assert_eq!(
            refusal(dispatcher(bed).dispatch_order(request.clone()).await),
            (Code::Unavailable, "DEPENDENCY_UNAVAILABLE".to_owned())
        );

        let world = World::default();
        world.start(bed).await;
        let ask = async || dispatcher(bed).dispatch_order(dispatch(&order, &[&staff], "2025-03-03")).await;
        let status = eventually("an answer of the vendor service", async || {
            ask().await.err().filter(|s| s.code() != Code::Unavailable)
        })
        .await;
        assert_eq!(meta(&status, "why"), "VENDOR_PERSON_NOT_CERTIFIED", "an unknown person");
        world.certify(&person_id, &key(), date("2026-01-01"));
        assert_eq!(
            meta(&ask().await.unwrap_err(), "why"),
            "VENDOR_PERSON_NOT_CERTIFIED",
            "a person of another vendor"
        );
        world.certify(&person_id, &vendor_id, date("2025-03-02"));
        assert_eq!(
            meta(&ask().await.unwrap_err(), "why"),
            "VENDOR_PERSON_NOT_CERTIFIED",
            "a certificate that has ended"
        );
        world.certify(&person_id, &vendor_id, date("2026-01-01"));
        let mut named = order_service_client::OrderServiceClient::new(bed.staff_named("dispatcher", &[Role::Dispatcher]));
        let first = named.dispatch_order(request.clone()).await.unwrap().into_inner();
        assert_eq!(
            accept_order(bed, &order.order_id, "feng").await.readiness(),
            Readiness::Ready,
            "asked again, by the member himself"
        );
        // A replay needs no answer of the vendor service any more.
        world.set("CheckCertified", Mode::Unavailable);
        assert_eq!(named.dispatch_order(request).await.unwrap().into_inner(), first);
        assert_eq!(
            refusal(
                personnel(bed)
                    .record_certificate(RecordCertificateRequest {
                        request_id: key(),
                        staff_id: staff.staff_id.clone(),
                        etag: staff.etag.clone(),
                        kind: CertificateKind::Repair.into(),
                        certificate_no: "W-1".to_owned(),
                        issuing_body: "天津市住建委".to_owned(),
                        issued_date: Some(date("2024-01-01")),
                        valid_to_date: Some(date("2026-12-31")),
                        scan_file_id: FILE.to_owned(),
                    })
                    .await
            ),
            (Code::FailedPrecondition, "CERTIFICATE_KEPT_BY_VENDOR".to_owned())
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_are_masked_and_revealed_for_a_purpose_with_a_journal_row() {
    each(hall::SERVICE, async |bed| {
        let staff = member(bed, "chen", BRANCH).await;
        assert_eq!(staff.name, "王**");
        let listed = personnel(bed)
            .list_staff(ListStaffRequest {
                post: Post::Repairer.into(),
                ..ListStaffRequest::default()
            })
            .await
            .unwrap()
            .into_inner();
        assert_eq!(listed.staff.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["王**"]);
        assert!(
            personnel(bed)
                .list_staff(ListStaffRequest {
                    post: Post::Cashier.into(),
                    ..ListStaffRequest::default()
                })
                .await
                .unwrap()
                .into_inner()
                .staff
                .is_empty()
        );
        let mut manager = StaffServiceClient::new(bed.staff_named("manager", &[Role::ServiceManager]));
        let reveal = RevealStaffRequest {
            request_id: key(),
            staff_id: staff.staff_id.clone(),
            purpose: "写表扬信".to_owned(),
        };
        assert_eq!(manager.reveal_staff(reveal).await.unwrap().into_inner().name, "王小明");
        use sea_orm::{ConnectionTrait, Statement};
        let db = bed.db();
        let sql = format!("SELECT purpose FROM journal WHERE actor = 'manager' AND subjects = '{}'", staff.staff_id);
        let row = db
            .reader()
            .query_one_raw(Statement::from_string(db.reader().get_database_backend(), sql))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(row.try_get::<String>("", "purpose").unwrap(), "写表扬信");
        assert_eq!(
            StaffServiceClient::new(bed.staff(&[Role::Agent]))
                .reveal_staff(RevealStaffRequest {
                    request_id: key(),
                    staff_id: staff.staff_id,
                    purpose: "好奇而已".to_owned()
                })
                .await
                .unwrap_err()
                .code(),
            Code::PermissionDenied
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_are_replayed_stale_etags_refused_and_branches_kept_apart() {
    each(hall::SERVICE, async |bed| {
        let mut clerk = StaffServiceClient::new(bed.staff_named("clerk", &[Role::Personnel]));
        let request = RegisterStaffRequest {
            request_id: key(),
            name: "王小明".to_owned(),
            posts: vec![Post::Opener.into()],
            badge_no: "B-100".to_owned(),
            login: "chu".to_owned(),
            employer: Employer::Own.into(),
            branch: BRANCH.to_owned(),
            ..RegisterStaffRequest::default()
        };
        let staff = clerk.register_staff(request.clone()).await.unwrap().into_inner().staff.unwrap();
        assert_eq!(
            clerk.register_staff(request.clone()).await.unwrap().into_inner().staff.unwrap(),
            staff,
            "the same answer"
        );
        let other_body = RegisterStaffRequest {
            badge_no: "B-101".to_owned(),
            ..request.clone()
        };
        assert_eq!(refusal(clerk.register_staff(other_body).await).1, "IDEMPOTENCY_KEY_REUSED");
        assert_eq!(events::<StaffChanged>(bed, &staff.staff_id).await.len(), 1);
        let same_badge = RegisterStaffRequest {
            request_id: key(),
            login: "wei".to_owned(),
            ..request.clone()
        };
        assert_eq!(
            refusal(clerk.register_staff(same_badge).await),
            (Code::AlreadyExists, "STAFF_BADGE_UNIQUE".to_owned())
        );
        let same_login = RegisterStaffRequest {
            request_id: key(),
            badge_no: "B-102".to_owned(),
            ..request.clone()
        };
        assert_eq!(
            refusal(clerk.register_staff(same_login).await),
            (Code::AlreadyExists, "STAFF_LOGIN_UNIQUE".to_owned())
        );
        let half_vendor = RegisterStaffRequest {
            request_id: key(),
            login: "jiang".to_owned(),
            badge_no: "B-103".to_owned(),
            vendor_id: key(),
            ..request
        };
        assert_eq!(
            refusal(clerk.register_staff(half_vendor).await),
            (Code::InvalidArgument, "VENDOR_PERSON_NEEDED".to_owned())
        );

        let assign = |etag: &str| AssignPostsRequest {
            request_id: key(),
            staff_id: staff.staff_id.clone(),
            etag: etag.to_owned(),
            posts: vec![Post::Inspector.into(), Post::Opener.into()],
        };
        let changed = clerk.assign_posts(assign(&staff.etag)).await.unwrap().into_inner().staff.unwrap();
        assert_eq!(changed.posts, [i32::from(Post::Opener), i32::from(Post::Inspector)]);
        assert_eq!(
            refusal(clerk.assign_posts(assign(&staff.etag)).await),
            (Code::Aborted, "ETAG_MISMATCH".to_owned())
        );

        let mut elsewhere = StaffServiceClient::new(bed.staff_of(OTHER, &[Role::Personnel]));
        assert_eq!(
            refusal(
                elsewhere
                    .get_staff(GetStaffRequest {
                        staff_id: staff.staff_id.clone()
                    })
                    .await
            ),
            refusal(elsewhere.get_staff(GetStaffRequest { staff_id: key() }).await)
        );
        assert!(elsewhere.list_staff(ListStaffRequest::default()).await.unwrap().into_inner().staff.is_empty());
        assert_eq!(elsewhere.assign_posts(assign(&changed.etag)).await.unwrap_err().code(), Code::NotFound);
        let foreign = RegisterStaffRequest {
            request_id: key(),
            name: "x".to_owned(),
            posts: vec![1],
            badge_no: "B-9".to_owned(),
            login: "y".to_owned(),
            employer: 1,
            branch: BRANCH.to_owned(),
            ..RegisterStaffRequest::default()
        };
        assert_eq!(
            refusal(elsewhere.register_staff(foreign).await),
            (Code::PermissionDenied, "TENANT_SCOPE".to_owned())
        );

        let end = EndStaffRequest {
            request_id: key(),
            staff_id: staff.staff_id.clone(),
            etag: changed.etag,
        };
        let ended = clerk.end_staff(end).await.unwrap().into_inner().staff.unwrap();
        assert_eq!(
            refusal(clerk.assign_posts(assign(&ended.etag)).await),
            (Code::FailedPrecondition, "STAFF_LEFT".to_owned())
        );
        let visit = order(bed, OrderType::ReadingVisit).await;
        let today = bed.clock().now().date().to_string();
        assert_eq!(
            refusal(dispatcher(bed).dispatch_order(dispatch(&visit, &[&ended], &today)).await).1,
            "STAFF_LEFT"
        );
    })
    .await;
}
