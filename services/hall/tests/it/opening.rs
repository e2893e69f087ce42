use contracts::hearth::{
    hall::v1::{opening_service_client::OpeningServiceClient, *},
    options::v1::Role,
};
use testbed::{at, each, key, reason};
use tonic::Code;

use crate::{
    BRANCH, FILE, OTHER, date, decimal,
    hands::{
        Stage, accept_order, acceptances, certified, crew, events, get_opening, get_order, inspect, inspect_estate, member, openings, reaches, steps, stove,
    },
    meta, refusal, time,
    world::{Mode, World},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e4_an_opening_from_the_application_to_the_flame() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let world = World::default();
        world.start(bed).await;
        world.alert("PARTY_LISTED");
        let stage = Stage::set(bed, &world, &["kai"]).await;
        let opening = stage.to_flame(bed, "living").await;
        assert_eq!(
            (opening.state(), opening.branch.as_str(), opening.opening_no.as_str()),
            (opening::State::UserTrained, BRANCH, "GO-河西区-2025-000001")
        );
        assert_eq!(opening.standing_alerts, ["PARTY_LISTED"], "shown, and no bar to basic supply");
        assert!(
            opening.review.len() == 11 && opening.review.iter().all(|item| item.passed && !item.fact_id.is_empty()),
            "{:?}",
            opening.review
        );
        // The day of opening counts, not that of the application.
        bed.clock().set(at("2025-03-03T16:00:00+08:00")).unwrap();
        stage.sign(bed, &opening).await;
        let opened = reaches(bed, &opening.opening_id, opening::State::Opened).await;
        assert_eq!(
            (opened.opened_date, opened.initial_index.clone(), opened.open_step.clone()),
            (Some(date("2025-03-03")), Some(decimal("3.25")), None)
        );

        let agreement = world.agreement(&opened.agreement_id);
        assert_eq!(
            (agreement.state(), agreement.from_date),
            (contracts::hearth::archive::v1::agreement::State::InForce, Some(date("2025-03-03")))
        );
        let installation = world.installed(&stage.customer.meter_no).unwrap();
        assert_eq!(
            (installation.from_date, installation.initial_index, installation.signed),
            (Some(date("2025-03-03")), Some(decimal("3.25")), true)
        );
        assert_eq!(
            (installation.photo_file.as_str(), installation.agreement_id),
            (FILE, opened.agreement_id.clone())
        );

        let told = events::<GasOpened>(bed, &opened.opening_id).await;
        assert_eq!(told.len(), 1);
        assert_eq!(
            (told[0].meter_no.as_str(), told[0].opened_date, told[0].account_id.as_str()),
            (stage.customer.meter_no.as_str(), Some(date("2025-03-03")), stage.customer.account_id.as_str())
        );
        assert_eq!(get_order(bed, &opened.order_id).await.order.unwrap().state(), order::State::Completed);
        // E4-05: the customer is called within three working days.
        let mut callbacks = callback_service_client::CallbackServiceClient::new(bed.staff(&[Role::CallbackDirector]));
        let tasks = callbacks
            .list_callback_tasks(ListCallbackTasksRequest {
                about_id: opened.opening_id.clone(),
                ..ListCallbackTasksRequest::default()
            })
            .await
            .unwrap()
            .into_inner()
            .tasks;
        assert_eq!(tasks.len(), 1);
        assert_eq!(
            (tasks[0].cause(), tasks[0].due_time),
            (callback_task::Cause::GasOpened, Some(time("2025-03-06T23:59:59.999999+08:00")))
        );
        assert_eq!(events::<CallbackPlanned>(bed, &tasks[0].callback_task_id).await.len(), 1);
        let kinds: Vec<_> = steps(bed, &opened.opening_id).await.iter().map(|s| (s.kind(), s.state())).collect();
        use step::{Kind, State};
        assert_eq!(
            kinds,
            [
                (Kind::SignAgreement, State::Done),
                (Kind::InstallMeter, State::Done),
                (Kind::ActivateAgreement, State::Done)
            ]
        );
        // Done is done.
        let cancel = CancelOpeningRequest {
            request_id: key(),
            opening_id: opened.opening_id.clone(),
            etag: opened.etag.clone(),
            reason: "晚了".to_owned(),
        };
        assert_eq!(
            refusal(openings(bed, &[Role::Agent]).cancel_opening(cancel).await),
            (Code::FailedPrecondition, "OPENING_STATE".to_owned())
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c_02_nobody_who_moved_an_opening_asks_about_it() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let world = World::default();
        world.start(bed).await;
        let stage = Stage::set(bed, &world, &["kai"]).await;
        let clerk = member(bed, "clerk", BRANCH).await;
        let opening = stage.apply(bed, "living").await;
        OpeningServiceClient::new(bed.staff_named("clerk", &[Role::Agent]))
            .approve_papers(Stage::papers(&opening))
            .await
            .unwrap();
        let opening = stage.sign_contract(bed, &get_opening(bed, &opening.opening_id).await).await;
        let opening = reaches(bed, &opening.opening_id, opening::State::ContractSigned).await;
        let opening = stage.to_acceptance(bed, &opening).await;
        let opening = stage.to_review(bed, &opening).await;
        let opening = stage.to_crew(bed, &opening, "2025-03-03").await;
        stage.sign(bed, &stage.to_trained(bed, &opening).await).await;
        reaches(bed, &opening.opening_id, opening::State::Opened).await;
        let task = crate::callback::tasks(bed, &opening.opening_id).await.remove(0);
        let mut director = callback_service_client::CallbackServiceClient::new(bed.staff(&[Role::CallbackDirector]));
        for handler in [&clerk, &stage.openers[0]] {
            let request = AssignCallbackRequest {
                request_id: key(),
                callback_task_id: task.callback_task_id.clone(),
                etag: task.etag.clone(),
                assignee_staff_id: handler.staff_id.clone(),
            };
            assert_eq!(
                refusal(director.assign_callback(request).await),
                (Code::PermissionDenied, "CALLER_IS_HANDLER".to_owned()),
                "{}",
                handler.login
            );
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_rests_on_archives_word() {
    each(hall::SERVICE, async |bed| {
        let world = World::default();
        let customer = world.customer(BRANCH);
        let request = |customer: &crate::world::Customer| ApplyForOpeningRequest {
            request_id: key(),
            account_id: customer.account_id.clone(),
            premises_id: customer.premises_id.clone(),
            service_point_id: customer.service_point_id.clone(),
            use_class: "living".to_owned(),
        };
        let mut agent = OpeningServiceClient::new(bed.staff_named("agent", &[Role::Agent]));
        assert_eq!(
            refusal(agent.apply_for_opening(request(&customer)).await),
            (Code::Unavailable, "DEPENDENCY_UNAVAILABLE".to_owned())
        );
        world.start(bed).await;
        let unknown = ApplyForOpeningRequest {
            account_id: key(),
            ..request(&customer)
        };
        testbed::eventually("archive", async || {
            agent.apply_for_opening(unknown.clone()).await.err().filter(|s| s.code() == Code::NotFound)
        })
        .await;
        let point = ApplyForOpeningRequest {
            service_point_id: key(),
            ..request(&customer)
        };
        assert_eq!(
            refusal(agent.apply_for_opening(point).await),
            (Code::InvalidArgument, "SERVICE_POINT_NOT_OF_PREMISES".to_owned())
        );
        world.change_account(&customer.account_id, |account| {
            account.state = contracts::hearth::archive::v1::account::State::Closing.into()
        });
        assert_eq!(
            refusal(agent.apply_for_opening(request(&customer)).await),
            (Code::FailedPrecondition, "ACCOUNT_STATE".to_owned())
        );
        world.change_account(&customer.account_id, |account| {
            account.state = contracts::hearth::archive::v1::account::State::Opening.into()
        });
        let mut elsewhere = OpeningServiceClient::new(bed.staff_of(OTHER, &[Role::Agent]));
        let foreign = elsewhere.apply_for_opening(request(&customer)).await.unwrap_err();
        assert_eq!(foreign.code(), Code::NotFound, "archive gave the account; it is of another branch");
        let first = request(&customer);
        let opening = agent.apply_for_opening(first.clone()).await.unwrap().into_inner().opening.unwrap();
        assert_eq!(
            refusal(agent.apply_for_opening(request(&customer)).await),
            (Code::AlreadyExists, "OPENING_LIVE_UNIQUE".to_owned())
        );
        // A replay needs no answer of archive any more.
        world.set("CheckStanding", Mode::Unavailable);
        assert_eq!(agent.apply_for_opening(first).await.unwrap().into_inner().opening.unwrap(), opening);

        assert_eq!(
            elsewhere
                .get_opening(GetOpeningRequest {
                    opening_id: opening.opening_id.clone()
                })
                .await
                .unwrap_err()
                .code(),
            Code::NotFound
        );
        assert!(
            elsewhere
                .list_openings(ListOpeningsRequest::default())
                .await
                .unwrap()
                .into_inner()
                .openings
                .is_empty()
        );
        let cancel = CancelOpeningRequest {
            request_id: key(),
            opening_id: opening.opening_id.clone(),
            etag: opening.etag.clone(),
            reason: "x".to_owned(),
        };
        assert_eq!(elsewhere.cancel_opening(cancel.clone()).await.unwrap_err().code(), Code::NotFound);
        let stale = CancelOpeningRequest {
            etag: "\"0000000000000000\"".to_owned(),
            ..cancel
        };
        assert_eq!(refusal(agent.cancel_opening(stale).await), (Code::Aborted, "ETAG_MISMATCH".to_owned()));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e3_02_all_missing_papers_are_told_at_once() {
    each(hall::SERVICE, async |bed| {
        let world = World::default();
        world.start(bed).await;
        let stage = Stage::set(bed, &world, &[]).await;
        let opening = stage.apply(bed, "non-resident").await;
        assert!(opening.non_resident);
        let papers = vec![Paper {
            kind: paper::Kind::IdentityDocument.into(),
            file_id: FILE.to_owned(),
        }];
        let request = ApprovePapersRequest {
            request_id: key(),
            opening_id: opening.opening_id.clone(),
            etag: opening.etag.clone(),
            papers,
        };
        let status = openings(bed, &[Role::Agent]).approve_papers(request).await.unwrap_err();
        assert_eq!(
            (reason(&status), meta(&status, "missing")),
            ("PAPERS_MISSING".to_owned(), "APPLICATION_FORM,TITLE_DEED,BUSINESS_LICENCE".to_owned())
        );
        assert_eq!(testbed::fields(&status).len(), 3);
        // A step out of turn names what is allowed.
        let early = SettleFeesRequest {
            request_id: key(),
            opening_id: opening.opening_id,
            etag: opening.etag,
            receipt_nos: vec![],
        };
        let status = openings(bed, &[Role::Cashier]).settle_fees(early).await.unwrap_err();
        assert_eq!(
            (reason(&status), meta(&status, "allowed")),
            ("OPENING_STATE".to_owned(), "APPROVE_PAPERS,CANCEL".to_owned())
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e4_04_no_agreement_for_a_non_resident_without_a_passed_safety_review() {
    each(hall::SERVICE, async |bed| {
        let world = World::default();
        world.start(bed).await;
        let stage = Stage::set(bed, &world, &[]).await;
        let opening = stage.approve_papers(bed, &stage.apply(bed, "non-resident").await).await;
        let sign = async |opening: &Opening| openings(bed, &[Role::Agent]).sign_contract(stage.terms(bed, opening)).await;
        assert_eq!(refusal(sign(&opening).await), (Code::FailedPrecondition, "SAFETY_REVIEW_MISSING".to_owned()));
        let review = |opening: &Opening, staff: &StaffMember, passed| RecordSafetyReviewRequest {
            request_id: key(),
            opening_id: opening.opening_id.clone(),
            etag: opening.etag.clone(),
            inspector_staff_id: staff.staff_id.clone(),
            review_date: Some(rpc::wire::date(bed.clock().now().date())),
            passed,
            findings: "通风良好".to_owned(),
        };
        let opener = certified(bed, "kai", CertificateKind::GasOpening, "2026-12-31").await;
        let mut inspector = openings(bed, &[Role::Inspector]);
        assert_eq!(
            refusal(inspector.record_safety_review(review(&opening, &opener, true)).await),
            (Code::FailedPrecondition, "CERTIFICATE_NEEDED".to_owned())
        );
        let failed = inspector
            .record_safety_review(review(&opening, &stage.inspector, false))
            .await
            .unwrap()
            .into_inner()
            .opening
            .unwrap();
        assert_eq!(refusal(sign(&failed).await), (Code::FailedPrecondition, "SAFETY_REVIEW_MISSING".to_owned()));
        let passed = inspector
            .record_safety_review(review(&failed, &stage.inspector, true))
            .await
            .unwrap()
            .into_inner()
            .opening
            .unwrap();
        sign(&passed).await.unwrap();
        reaches(bed, &opening.opening_id, opening::State::ContractSigned).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e4_04_a_customer_never_opens_gas() {
    each(hall::SERVICE, async |bed| {
        let world = World::default();
        world.start(bed).await;
        let stage = Stage::set(bed, &world, &["kai"]).await;
        let opening = stage.to_flame(bed, "living").await;
        let request = stage.signature(&opening);
        let mut customer = OpeningServiceClient::new(bed.customer(&key()));
        assert_eq!(customer.sign_opening(request.clone()).await.unwrap_err().code(), Code::PermissionDenied);
        assert_eq!(
            customer
                .get_opening(GetOpeningRequest {
                    opening_id: opening.opening_id.clone()
                })
                .await
                .unwrap_err()
                .code(),
            Code::PermissionDenied
        );
        // Nor does anybody who is not of the crew.
        assert_eq!(
            refusal(openings(bed, &[Role::Opener]).sign_opening(request).await),
            (Code::PermissionDenied, "NOT_THE_CREW".to_owned())
        );
        assert_eq!(
            OpeningServiceClient::new(bed.anonymous())
                .get_opening(GetOpeningRequest {
                    opening_id: opening.opening_id
                })
                .await
                .unwrap_err()
                .code(),
            Code::Unauthenticated
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e5_01_the_verdict_on_an_appliance_follows_from_the_rejects() {
    each(hall::SERVICE, async |bed| {
        let world = World::default();
        world.start(bed).await;
        let stage = Stage::set(bed, &world, &[]).await;
        let bath = Appliance {
            kind: ApplianceKind::WaterHeater.into(),
            room_type: RoomType::Bathroom.into(),
            flame_failure_device: false,
            ..stove()
        };
        let rejected = stage.record_appliance(bed, bath, "").await;
        assert!(!rejected.passed);
        assert_eq!(rejected.rejects, ["FLAME_FAILURE_DEVICE_MISSING", "BATHROOM_NOT_SEALED", "DIRECT_VENT_HEATER"]);
        let good = stage.record_appliance(bed, stove(), "").await;
        assert!(good.passed && good.rejects.is_empty());
        let listed = acceptances(bed)
            .list_appliance_acceptances(ListApplianceAcceptancesRequest {
                service_point_id: stage.customer.service_point_id.clone(),
                ..ListApplianceAcceptancesRequest::default()
            })
            .await
            .unwrap()
            .into_inner()
            .acceptances;
        assert_eq!(listed, [rejected.clone(), good.clone()]);
        let named = GetApplianceAcceptanceRequest {
            acceptance_id: good.acceptance_id.clone(),
        };
        let read = acceptances(bed).get_appliance_acceptance(named).await.unwrap().into_inner().acceptance;
        assert_eq!(read.as_ref(), Some(&good));
        let pipe = stage.record_pipe(bed, false).await;
        let named = GetPipeAcceptanceRequest { acceptance_id: pipe.clone() };
        let read = acceptances(bed).get_pipe_acceptance(named).await.unwrap().into_inner().acceptance.unwrap();
        assert_eq!((read.acceptance_id.as_str(), read.passed), (pipe.as_str(), false));
        let unknown = acceptances(bed)
            .get_pipe_acceptance(GetPipeAcceptanceRequest { acceptance_id: key() })
            .await
            .unwrap_err();
        assert_eq!(unknown.code(), Code::NotFound);

        let opening = stage.settle_fees(bed, &stage.to_contract(bed, "living").await).await;
        let mut inspector = openings(bed, &[Role::Inspector]);
        // Neither the rejected one, nor leaving it out.
        let both = stage.accept_request(&opening, &[&rejected.acceptance_id, &good.acceptance_id]);
        assert_eq!(
            refusal(inspector.accept_appliances(both).await),
            (Code::FailedPrecondition, "APPLIANCE_NOT_ACCEPTED".to_owned())
        );
        let status = inspector
            .accept_appliances(stage.accept_request(&opening, &[&good.acceptance_id]))
            .await
            .unwrap_err();
        assert_eq!(meta(&status, "acceptance_id"), rejected.acceptance_id);
        let unknown = stage.accept_request(&opening, &[&key()]);
        assert_eq!(refusal(inspector.accept_appliances(unknown).await).1, "APPLIANCE_NOT_ACCEPTED");
        // The heater is exchanged for a sealed one.
        let sealed = Appliance {
            kind: ApplianceKind::WaterHeater.into(),
            room_type: RoomType::Bathroom.into(),
            flue_type: FlueType::Sealed.into(),
            flue_outlet: FlueOutlet::Wall.into(),
            ..stove()
        };
        let exchanged = stage.record_appliance(bed, sealed, &rejected.acceptance_id).await;
        let accepted = inspector
            .accept_appliances(stage.accept_request(&opening, &[&good.acceptance_id, &exchanged.acceptance_id]))
            .await
            .unwrap()
            .into_inner()
            .opening
            .unwrap();
        assert_eq!(accepted.state(), opening::State::ApplianceAccepted);

        // Acceptances are never changed, whoever tries.
        use sea_orm::ConnectionTrait;
        let db = bed.db();
        let changed = db.writer().execute_unprepared("UPDATE appliance_acceptance SET passed = true").await;
        assert!(changed.unwrap_err().to_string().contains("append_only"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e4_02_every_item_of_the_review_rests_on_a_stored_fact() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let world = World::default();
        world.start(bed).await;
        let stage = Stage::set(bed, &world, &[]).await;
        let opening = stage.settle_fees(bed, &stage.to_contract(bed, "living").await).await;
        let rubber = stage
            .record_appliance(
                bed,
                Appliance {
                    hose_kind: HoseKind::Rubber.into(),
                    ..stove()
                },
                "",
            )
            .await;
        let mut inspector = openings(bed, &[Role::Inspector]);
        let opening = inspector
            .accept_appliances(stage.accept_request(&opening, &[&rubber.acceptance_id]))
            .await
            .unwrap()
            .into_inner()
            .opening
            .unwrap();
        let failed = async |request: PassReviewRequest| {
            let status = openings(bed, &[Role::Inspector]).pass_review(request).await.unwrap_err();
            assert_eq!((status.code(), reason(&status)), (Code::FailedPrecondition, "PRE_REVIEW_INCOMPLETE".to_owned()));
            assert_eq!(testbed::fields(&status).join(","), meta(&status, "failed"), "every item is a field of its own");
            meta(&status, "failed")
        };
        // Ids that lead nowhere are no facts, and everything that fails is told at once.
        let nowhere = PassReviewRequest {
            meter_no: "M-0".to_owned(),
            estate_id: key(),
            ..stage.review(&opening, &key(), &key())
        };
        assert_eq!(
            failed(nowhere).await,
            "ACCOUNT_AND_METER_REGISTERED,METER_VERIFIED,METER_IN_LIFE,SEAL_RECORDED,PIPE_ACCEPTED,SAFETY_DEVICES,USER_PRESENT,ESTATE_INSPECTED"
        );
        let child = stage.record_presence(bed, &opening, "2007-03-04").await;
        assert!(!child.adult, "18 tomorrow");
        let opening = child.opening.unwrap();
        let bad_pipe = stage.record_pipe(bed, false).await;
        inspect_estate(bed, &stage.inspector, false).await;
        world.change_meter(&stage.customer.meter_no, |meter| {
            meter.expires_date = Some(date("2025-03-02"));
            meter.verified_date = None;
            meter.seal_no = String::new();
        });
        let found = failed(stage.review(&opening, &bad_pipe, &child.presence_id)).await;
        assert_eq!(
            found,
            "METER_VERIFIED,METER_IN_LIFE,SEAL_RECORDED,PIPE_ACCEPTED,SAFETY_DEVICES,USER_PRESENT,ESTATE_INSPECTED"
        );

        // One after the other is put right.
        let adult = stage.record_presence(bed, &opening, "2007-03-03").await;
        assert!(adult.adult, "18 today");
        let opening = adult.opening.unwrap();
        let pipe = stage.record_pipe(bed, true).await;
        inspect_estate(bed, &stage.inspector, true).await;
        world.change_meter(&stage.customer.meter_no, |meter| {
            meter.expires_date = Some(date("2025-03-03"));
            meter.verified_date = Some(date("2024-11-05"));
            meter.seal_no = "S-1".to_owned();
        });
        let review = || stage.review(&opening, &pipe, &adult.presence_id);
        let elsewhere = inspect(bed, &stage.inspector, "120103001002", true).await;
        let other_estate = PassReviewRequest {
            estate_id: elsewhere,
            ..review()
        };
        assert_eq!(
            failed(other_estate).await,
            "SAFETY_DEVICES,ESTATE_INSPECTED",
            "an estate in which the premises do not lie"
        );
        assert_eq!(failed(review()).await, "SAFETY_DEVICES", "a rubber hose");
        stage.record_appliance(bed, stove(), &rubber.acceptance_id).await;
        assert_eq!(
            failed(review()).await,
            "APPLIANCE_ACCEPTED",
            "a new acceptance is not the one that the opening names"
        );
        assert_eq!(
            refusal(
                openings(bed, &[Role::Inspector])
                    .pass_review(PassReviewRequest {
                        pipe_acceptance_id: bad_pipe,
                        ..review()
                    })
                    .await
            )
            .1,
            "PRE_REVIEW_INCOMPLETE"
        );

        // Facts of others: an agreement of another account, a meter of another branch or one that hangs elsewhere.
        world.change_agreement(&opening.agreement_id, |agreement| agreement.account_id = key());
        assert_eq!(failed(review()).await, "AGREEMENT_SIGNED,ACCOUNT_AND_METER_REGISTERED,APPLIANCE_ACCEPTED");
        world.change_agreement(&opening.agreement_id, |agreement| {
            agreement.account_id = stage.customer.account_id.clone();
            agreement.state = contracts::hearth::archive::v1::agreement::State::Voided.into();
        });
        assert_eq!(failed(review()).await, "AGREEMENT_SIGNED,APPLIANCE_ACCEPTED");
        world.change_agreement(&opening.agreement_id, |agreement| {
            agreement.state = contracts::hearth::archive::v1::agreement::State::Signed.into()
        });
        world.change_meter(&stage.customer.meter_no, |meter| {
            meter.state = contracts::hearth::billing::v1::meter::State::Installed.into()
        });
        assert_eq!(failed(review()).await, "ACCOUNT_AND_METER_REGISTERED,APPLIANCE_ACCEPTED");
        world.change_meter(&stage.customer.meter_no, |meter| meter.branch = OTHER.to_owned());
        assert_eq!(
            failed(review()).await,
            "ACCOUNT_AND_METER_REGISTERED,METER_VERIFIED,METER_IN_LIFE,SEAL_RECORDED,APPLIANCE_ACCEPTED"
        );
        assert_eq!(get_opening(bed, &opening.opening_id).await.state(), opening::State::ApplianceAccepted);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e4_01_the_opener_is_certified_on_the_day_and_a_non_resident_needs_two() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let world = World::default();
        world.start(bed).await;
        let stage = Stage::set(bed, &world, &["kai", "qi"]).await;
        let ends = certified(bed, "ends", CertificateKind::GasOpening, "2025-03-05").await;
        let mut inspector = openings(bed, &[Role::Inspector]);
        let mut dispatcher = openings(bed, &[Role::Dispatcher]);
        let opening = stage.approve_papers(bed, &stage.apply(bed, "non-resident").await).await;
        let review = RecordSafetyReviewRequest {
            request_id: key(),
            opening_id: opening.opening_id.clone(),
            etag: opening.etag.clone(),
            inspector_staff_id: stage.inspector.staff_id.clone(),
            review_date: Some(date("2025-03-03")),
            passed: true,
            findings: String::new(),
        };
        let opening = inspector.record_safety_review(review).await.unwrap().into_inner().opening.unwrap();
        stage.sign_contract(bed, &opening).await;
        let opening = reaches(bed, &opening.opening_id, opening::State::ContractSigned).await;
        let opening = stage.to_review(bed, &stage.to_acceptance(bed, &opening).await).await;

        let (kai, qi) = (&stage.openers[0], &stage.openers[1]);
        let alone = dispatcher.schedule_opening(stage.schedule(&opening, "2025-03-04", &[kai])).await;
        assert_eq!(refusal(alone), (Code::InvalidArgument, "TWO_OPENERS_NEEDED".to_owned()));
        let inspector_only = dispatcher
            .schedule_opening(stage.schedule(&opening, "2025-03-04", &[kai, &stage.inspector]))
            .await
            .unwrap_err();
        assert_eq!(
            (reason(&inspector_only), meta(&inspector_only, "why")),
            ("CERTIFICATE_NEEDED".to_owned(), "CERTIFICATE_MISSING".to_owned())
        );
        let too_late = dispatcher
            .schedule_opening(stage.schedule(&opening, "2025-03-06", &[kai, &ends]))
            .await
            .unwrap_err();
        assert_eq!(meta(&too_late, "why"), "CERTIFICATE_NOT_VALID");
        let opening = dispatcher
            .schedule_opening(stage.schedule(&opening, "2025-03-05", &[kai, &ends]))
            .await
            .unwrap()
            .into_inner()
            .opening
            .unwrap();
        assert_eq!((opening.state(), opening.planned_date), (opening::State::Scheduled, Some(date("2025-03-05"))));
        let order = get_order(bed, &opening.order_id).await.order.unwrap();
        assert_eq!(
            (order.r#type(), order.state(), order.staff_ids.len()),
            (OrderType::Opening, order::State::Dispatched, 2)
        );
        let direct = ArriveOnSiteRequest {
            request_id: key(),
            order_id: order.order_id.clone(),
            etag: order.etag.clone(),
        };
        assert_eq!(
            refusal(crate::hands::dispatcher(bed).arrive_on_site(direct).await),
            (Code::FailedPrecondition, "MOVED_BY_OPENING".to_owned())
        );

        // Not before the crew has accepted.
        let arrive = |opening: &Opening| ArriveForOpeningRequest {
            request_id: key(),
            opening_id: opening.opening_id.clone(),
            etag: opening.etag.clone(),
        };
        assert_eq!(
            refusal(crew(bed, "kai").arrive_for_opening(arrive(&opening)).await),
            (Code::FailedPrecondition, "ORDER_STATE".to_owned())
        );
        accept_order(bed, &opening.order_id, "kai").await;
        // A day late, one of the two does not count any more: back to the pool, and to be scheduled again.
        bed.clock().set(at("2025-03-06T08:30:00+08:00")).unwrap();
        let answer = crew(bed, "kai").arrive_for_opening(arrive(&opening)).await.unwrap().into_inner();
        assert!(answer.returned_to_pool);
        let opening = answer.opening.unwrap();
        assert_eq!((opening.state(), opening.planned_date), (opening::State::Scheduled, None));
        let told = events::<OrderReturned>(bed, &opening.order_id).await;
        assert_eq!(told.last().map(|e| e.staff_id.clone()), Some(ends.staff_id));
        let opening = dispatcher
            .schedule_opening(stage.schedule(&opening, "2025-03-06", &[kai, qi]))
            .await
            .unwrap()
            .into_inner()
            .opening
            .unwrap();
        accept_order(bed, &opening.order_id, "qi").await;
        assert!(
            !crew(bed, "qi")
                .arrive_for_opening(arrive(&opening))
                .await
                .unwrap()
                .into_inner()
                .returned_to_pool
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e4_03_index_photo_and_signature_are_mandatory() {
    each(hall::SERVICE, async |bed| {
        let world = World::default();
        world.start(bed).await;
        let stage = Stage::set(bed, &world, &["kai"]).await;
        let opening = stage.to_flame(bed, "living").await;
        let mut kai = crew(bed, "kai");
        for broken in [
            SignOpeningRequest {
                initial_index: None,
                ..stage.signature(&opening)
            },
            SignOpeningRequest {
                photo_file_id: String::new(),
                ..stage.signature(&opening)
            },
            SignOpeningRequest {
                signature_file_id: String::new(),
                ..stage.signature(&opening)
            },
        ] {
            assert_eq!(refusal(kai.sign_opening(broken).await), (Code::InvalidArgument, "REQUEST_INVALID".to_owned()));
        }
        for index in ["-1", "3.2505"] {
            let broken = SignOpeningRequest {
                initial_index: Some(decimal(index)),
                ..stage.signature(&opening)
            };
            assert_eq!(refusal(kai.sign_opening(broken).await), (Code::InvalidArgument, "INDEX_FORMAT".to_owned()));
        }
        // Nor does the database take it.
        use sea_orm::ConnectionTrait;
        let db = bed.db();
        let refused = db
            .writer()
            .execute_unprepared("UPDATE opening SET state = 'SIGNED'")
            .await
            .unwrap_err()
            .to_string();
        assert!(refused.contains("opening_signed_evidence"), "{refused}");
        assert_eq!(world.effects("InstallMeter"), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e4_05_no_opening_without_the_safety_booklet() {
    each(hall::SERVICE, async |bed| {
        let world = World::default();
        world.start(bed).await;
        let stage = Stage::set(bed, &world, &["kai"]).await;
        let opening = stage.to_flame(bed, "living").await;
        assert_eq!(opening.booklet_no, "AQ-2025-0017");
        let empty = TrainUserRequest {
            request_id: key(),
            opening_id: opening.opening_id,
            etag: opening.etag,
            booklet_no: String::new(),
        };
        assert_eq!(crew(bed, "kai").train_user(empty).await.unwrap_err().code(), Code::InvalidArgument);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unsafe_opening_is_refused_put_right_and_scheduled_with_proof() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let world = World::default();
        world.start(bed).await;
        let stage = Stage::set(bed, &world, &["kai"]).await;
        let opening = stage.to_acceptance(bed, &stage.to_contract(bed, "living").await).await;
        let opening = stage.to_review(bed, &opening).await;
        let opening = stage.to_crew(bed, &opening, "2025-03-03").await;
        let mut kai = crew(bed, "kai");
        let arrive = ArriveForOpeningRequest {
            request_id: key(),
            opening_id: opening.opening_id,
            etag: opening.etag,
        };
        let opening = kai.arrive_for_opening(arrive).await.unwrap().into_inner().opening.unwrap();
        let test = PassTightnessRequest {
            request_id: key(),
            opening_id: opening.opening_id.clone(),
            etag: opening.etag.clone(),
            test_pressure_pa: 5000,
            held_minutes: 15,
            drop_pa: 20,
        };
        assert_eq!(refusal(kai.pass_tightness(test).await), (Code::InvalidArgument, "NOT_TIGHT".to_owned()));
        let refuse = RefuseUnsafeRequest {
            request_id: key(),
            opening_id: opening.opening_id.clone(),
            etag: opening.etag.clone(),
            cause: UnsafeCause::NotTight.into(),
            findings: "接口漏气".to_owned(),
        };
        let opening = kai.refuse_unsafe(refuse).await.unwrap().into_inner().opening.unwrap();
        assert_eq!(
            (opening.state(), opening.unsafe_cause()),
            (opening::State::RefusedUnsafe, UnsafeCause::NotTight)
        );
        assert_eq!(get_order(bed, &opening.order_id).await.order.unwrap().state(), order::State::Pool);
        let rectify = StartRectificationRequest {
            request_id: key(),
            opening_id: opening.opening_id.clone(),
            etag: opening.etag.clone(),
        };
        let opening = openings(bed, &[Role::Agent])
            .start_rectification(rectify)
            .await
            .unwrap()
            .into_inner()
            .opening
            .unwrap();
        assert_eq!(opening.state(), opening::State::Rectify);

        bed.clock().set(at("2025-03-05T09:00:00+08:00")).unwrap();
        let mut dispatcher = openings(bed, &[Role::Dispatcher]);
        let status = dispatcher
            .schedule_opening(stage.schedule(&opening, "2025-03-05", &[&stage.openers[0]]))
            .await
            .unwrap_err();
        assert_eq!(
            (reason(&status), meta(&status, "cause")),
            ("RECTIFICATION_UNPROVEN".to_owned(), "NOT_TIGHT".to_owned())
        );
        stage.record_pipe(bed, false).await;
        assert_eq!(
            refusal(dispatcher.schedule_opening(stage.schedule(&opening, "2025-03-05", &[&stage.openers[0]])).await).1,
            "RECTIFICATION_UNPROVEN"
        );
        stage.record_pipe(bed, true).await;
        let opening = dispatcher
            .schedule_opening(stage.schedule(&opening, "2025-03-05", &[&stage.openers[0]]))
            .await
            .unwrap()
            .into_inner()
            .opening
            .unwrap();
        accept_order(bed, &opening.order_id, "kai").await;
        let opening = stage.to_trained(bed, &opening).await;
        stage.sign(bed, &opening).await;
        let opened = reaches(bed, &opening.opening_id, opening::State::Opened).await;
        assert_eq!(opened.opened_date, Some(date("2025-03-05")));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chapter_15_the_record_of_an_estates_inspection() {
    each(hall::SERVICE, async |bed| {
        use contracts::hearth::hall::v1::estate_service_client::EstateServiceClient;
        bed.clock().set(at("2025-01-31T09:00:00+08:00")).unwrap();
        let inspector = certified(bed, "an", CertificateKind::SafetyInspection, "2026-01-01").await;
        let opener = certified(bed, "kai", CertificateKind::GasOpening, "2026-01-01").await;
        let mut client = EstateServiceClient::new(bed.staff_named("inspector", &[Role::Inspector]));
        let request = RecordEstateInspectionRequest {
            request_id: key(),
            community_code: crate::world::COMMUNITY.to_owned(),
            name: "梅江南小区".to_owned(),
            branch: BRANCH.to_owned(),
            inspector_staff_id: inspector.staff_id.clone(),
            inspected_date: Some(date("2025-01-31")),
            passed: true,
            findings: String::new(),
            panel_distance_mm: 300,
        };
        let again = |change: RecordEstateInspectionRequest| RecordEstateInspectionRequest { request_id: key(), ..change };
        let close = again(RecordEstateInspectionRequest {
            panel_distance_mm: 299,
            ..request.clone()
        });
        assert_eq!(
            refusal(client.record_estate_inspection(close).await),
            (Code::InvalidArgument, "PANEL_DISTANCE".to_owned())
        );
        let tomorrow = again(RecordEstateInspectionRequest {
            inspected_date: Some(date("2025-02-01")),
            ..request.clone()
        });
        assert_eq!(
            refusal(client.record_estate_inspection(tomorrow).await),
            (Code::InvalidArgument, "DATE_IN_FUTURE".to_owned())
        );
        let other = again(RecordEstateInspectionRequest {
            inspector_staff_id: opener.staff_id,
            ..request.clone()
        });
        assert_eq!(
            refusal(client.record_estate_inspection(other).await),
            (Code::FailedPrecondition, "CERTIFICATE_NEEDED".to_owned())
        );
        let estate = client.record_estate_inspection(request.clone()).await.unwrap().into_inner().estate.unwrap();
        assert_eq!(
            client.record_estate_inspection(request.clone()).await.unwrap().into_inner().estate.unwrap(),
            estate
        );
        assert_eq!(estate.inspections[0].papers_due_date, Some(date("2025-02-03")));
        let failed = again(RecordEstateInspectionRequest {
            passed: false,
            panel_distance_mm: 120,
            findings: "距配电箱过近".to_owned(),
            ..request.clone()
        });
        let estate = client.record_estate_inspection(failed).await.unwrap().into_inner().estate.unwrap();
        assert_eq!(estate.inspections.iter().map(|i| i.passed).collect::<Vec<_>>(), [true, false]);
        assert_eq!(
            events::<EstateInspected>(bed, &estate.estate_id)
                .await
                .iter()
                .map(|e| e.passed)
                .collect::<Vec<_>>(),
            [true, false]
        );
        let mut elsewhere = EstateServiceClient::new(bed.staff_of(OTHER, &[Role::Inspector]));
        assert_eq!(
            elsewhere
                .get_estate(GetEstateRequest {
                    estate_id: estate.estate_id.clone()
                })
                .await
                .unwrap_err()
                .code(),
            Code::NotFound
        );
        assert!(
            elsewhere
                .list_estates(ListEstatesRequest::default())
                .await
                .unwrap()
                .into_inner()
                .estates
                .is_empty()
        );
        assert_eq!(
            client
                .list_estates(ListEstatesRequest {
                    community_code: crate::world::COMMUNITY.to_owned(),
                    ..ListEstatesRequest::default()
                })
                .await
                .unwrap()
                .into_inner()
                .estates
                .len(),
            1
        );
    })
    .await;
}
