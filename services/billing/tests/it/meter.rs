//! Meters and installations.

use contracts::hearth::{billing::v1::*, options::v1::Role};
use testbed::{each, fields, key, reason};

use crate::world::{HEXI, World, day, meter_row, metres};

fn register(meter_no: &str) -> RegisterMeterRequest {
    RegisterMeterRequest {
        request_id: key(),
        meter_no: meter_no.to_owned(),
        kind: meter::Kind::Mechanical.into(),
        model: "G2.5".to_owned(),
        qmax: metres("4"),
        digits: 5,
        manufacturer: String::new(),
        seal_no: format!("S-{meter_no}"),
        verified_date: day("2024-06-01"),
        expires_date: day("2025-06-01"),
        branch: HEXI.to_owned(),
        ..Default::default()
    }
}

fn install(meter_no: &str, agreement: &str, from: &str) -> InstallMeterRequest {
    InstallMeterRequest {
        request_id: key(),
        meter_no: meter_no.to_owned(),
        agreement_id: agreement.to_owned(),
        from_date: day(from),
        initial_index: metres("3"),
        photo_file: "photo".to_owned(),
        signed: true,
    }
}

#[tokio::test]
async fn meter_numbers_are_unique_and_requests_are_replayed() {
    each(billing::SERVICE, async |bed| {
        let mut meters = meter_service_client::MeterServiceClient::new(bed.staff_named("wu", &[Role::DistrictManager]));
        let request = register("M1");
        let first = meters.register_meter(request.clone()).await.unwrap().into_inner();
        assert_eq!(meters.register_meter(request.clone()).await.unwrap().into_inner(), first, "replayed");
        let reused = meters.register_meter(RegisterMeterRequest { digits: 6, ..request }).await.unwrap_err();
        assert_eq!(reason(&reused), "IDEMPOTENCY_KEY_REUSED");
        let taken = meters.register_meter(register("M1")).await.unwrap_err();
        assert_eq!((taken.code(), reason(&taken).as_str()), (tonic::Code::AlreadyExists, "METER_NO_UNIQUE"));
        let bad = meters
            .register_meter(RegisterMeterRequest {
                qmax: metres("0"),
                ..register("M2")
            })
            .await
            .unwrap_err();
        assert_eq!((reason(&bad).as_str(), fields(&bad)), ("QMAX", vec!["qmax".to_owned()]));
        let found = meters
            .get_meter_by_number(GetMeterByNumberRequest { meter_no: "M1".to_owned() })
            .await
            .unwrap()
            .into_inner();
        assert_eq!(found.meter, first.meter);
        assert_eq!(
            meters
                .get_meter(GetMeterRequest {
                    meter_id: found.meter.unwrap().meter_id
                })
                .await
                .unwrap()
                .into_inner()
                .meter,
            first.meter
        );
    })
    .await;
}

#[tokio::test]
async fn e_4_02_installation_needs_a_verified_living_free_meter_a_photo_and_a_signature() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let (one, two) = (world.tell("T1", HEXI, "living", "2024-12-31"), world.tell("T2", HEXI, "living", "2024-12-31"));
        world.supply(&two, |s| s.state() == supply::State::InForce).await;
        let mut meters = world.meters();
        for no in ["M1", "M2"] {
            meters.register_meter(register(no)).await.unwrap();
        }
        meters
            .register_meter(RegisterMeterRequest {
                verified_date: None,
                ..register("M3")
            })
            .await
            .unwrap();
        for (request, wanted) in [
            (install("M1", &one.agreement, "2025-06-02"), "METER_EXPIRED"),
            (install("M3", &one.agreement, "2025-01-02"), "METER_NOT_VERIFIED"),
            (
                InstallMeterRequest {
                    signed: false,
                    ..install("M1", &one.agreement, "2025-01-02")
                },
                "SIGNATURE_MISSING",
            ),
            (
                InstallMeterRequest {
                    photo_file: String::new(),
                    ..install("M1", &one.agreement, "2025-01-02")
                },
                "PHOTO_MISSING",
            ),
            (
                InstallMeterRequest {
                    initial_index: metres("100000"),
                    ..install("M1", &one.agreement, "2025-01-02")
                },
                "INDEX_DIGITS",
            ),
            (install("M1", &key(), "2025-01-02"), "NOT_FOUND"),
            (install("M9", &one.agreement, "2025-01-02"), "NOT_FOUND"),
        ] {
            let refused = meters.install_meter(request).await.unwrap_err();
            assert_eq!(reason(&refused), wanted);
            if wanted == "PHOTO_MISSING" {
                assert_eq!(
                    (refused.code(), fields(&refused)),
                    (tonic::Code::InvalidArgument, vec!["photo_file".to_owned()])
                );
            }
        }
        let made = meters
            .install_meter(install("M1", &one.agreement, "2025-01-02"))
            .await
            .unwrap()
            .into_inner()
            .installation
            .unwrap();
        assert!(!made.awaits_opening && made.signed);
        let taken = meters.install_meter(install("M1", &two.agreement, "2025-01-02")).await.unwrap_err();
        assert_eq!(reason(&taken), "METER_NOT_IN_STORE");
        let taken = meters.install_meter(install("M2", &one.agreement, "2025-01-02")).await.unwrap_err();
        assert_eq!(
            (taken.code(), reason(&taken).as_str()),
            (tonic::Code::AlreadyExists, "INSTALLATION_AGREEMENT_LIVE_UNIQUE")
        );
        // The compensation of an opening that failed: the meter was never used and goes back.
        let remove = RemoveInstallationRequest {
            request_id: key(),
            meter_no: "M1".to_owned(),
            agreement_id: one.agreement.clone(),
            final_index: None,
            end_date: day("2025-01-02"),
            reason: "OPENING_FAILED".to_owned(),
        };
        let ended = meters.remove_installation(remove.clone()).await.unwrap().into_inner().installation;
        assert_eq!(ended.as_ref().unwrap().end_date, day("2025-01-02"));
        assert_eq!(
            meters
                .remove_installation(RemoveInstallationRequest {
                    request_id: key(),
                    ..remove.clone()
                })
                .await
                .unwrap()
                .into_inner()
                .installation,
            ended
        );
        let never = meters
            .remove_installation(RemoveInstallationRequest {
                request_id: key(),
                agreement_id: two.agreement.clone(),
                ..remove
            })
            .await
            .unwrap_err();
        assert_eq!(reason(&never), "NOT_FOUND");
        meters.install_meter(install("M1", &two.agreement, "2025-01-03")).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn edge_06_swap_is_billed_over_both_meters() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let home = world.tell("T1", HEXI, "living", "2024-12-31");
        world.supply(&home, |s| s.state() == supply::State::InForce).await;
        world.install(&home, "2024-12-31", "1200").await;
        world.clock("2025-01-20T12:00:00+08:00");
        let mut meters = world.meters();
        let remove = |final_index: &str| RemoveInstallationRequest {
            request_id: key(),
            meter_no: home.meter_no.clone(),
            agreement_id: home.agreement.clone(),
            final_index: metres(final_index),
            end_date: day("2025-01-20"),
            reason: "SWAP".to_owned(),
        };
        assert_eq!(reason(&meters.remove_installation(remove("1199")).await.unwrap_err()), "FINAL_INDEX_LOWER");
        meters.remove_installation(remove("1234")).await.unwrap();
        meters.register_meter(register("M2")).await.unwrap();
        meters.install_meter(install("M2", &home.agreement, "2025-01-20")).await.unwrap();
        world.clock("2025-01-31T20:00:00+08:00");
        world
            .read(
                &crate::world::Home {
                    meter_no: "M2".to_owned(),
                    ..home.clone()
                },
                "2025-01-31",
                "28",
            )
            .await;
        assert_eq!(world.run(1).await.produced, 1);
        let bills = world.bills_of(&home).await;
        assert_eq!(
            (bills[0].volume.clone(), bills[0].from_index.clone(), bills[0].to_index.clone()),
            (metres("59"), metres("1200"), metres("28"))
        );
    })
    .await;
}

#[tokio::test]
async fn import_takes_good_rows_refuses_bad_ones_and_is_safe_to_repeat() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let homes = [world.tell("T1", HEXI, "living", "2024-12-31"), world.tell("T2", HEXI, "living", "2024-12-31")];
        world.supply(&homes[1], |s| s.state() == supply::State::InForce).await;
        let row = |line, change: &dyn Fn(&mut MeterRow)| {
            let mut row = MeterRow {
                line,
                ..meter_row(&homes[0], "2024-12-31", "565")
            };
            change(&mut row);
            row
        };
        let rows = vec![
            row(2, &|_| {}),
            row(3, &|r| r.meter_no = "M 1".to_owned()),
            row(4, &|r| r.kind = 0),
            row(5, &|r| r.qmax = "4e1".to_owned()),
            row(6, &|r| r.digits = 2),
            row(7, &|r| r.installed_on = "31.12.2024".to_owned()),
            row(8, &|r| r.installed_on = "2025-12-31".to_owned()),
            row(9, &|r| r.initial_index = "123456".to_owned()),
            row(10, &|r| (r.meter_no, r.account_no) = ("M8".to_owned(), "T8".to_owned())),
            row(11, &|r| r.meter_no = "M9".to_owned()),
            row(12, &|r| r.account_no = "T2".to_owned()),
            row(13, &|_| {}),
        ];
        let dry = ImportMetersRequest {
            request_id: key(),
            dry_run: true,
            rows: rows.clone(),
        };
        let mut answers = world.meters().import_meters(tokio_stream::iter([dry])).await.unwrap().into_inner();
        let dry = answers.message().await.unwrap().unwrap();
        let first = world.import_meters(rows.clone()).await.remove(0);
        assert_eq!(
            (dry.accepted, dry.repeats, &dry.refused),
            (first.accepted, first.repeats, &first.refused),
            "a dry run says the same"
        );
        assert_eq!((first.accepted, first.repeats), (1, 1));
        let refused: Vec<_> = first.refused.iter().map(|r| (r.line, r.field.as_str(), r.reason.as_str())).collect();
        assert_eq!(
            refused,
            [
                (3, "meter_no", "METER_NO"),
                (4, "kind", "KIND"),
                (5, "qmax", "QMAX"),
                (6, "digits", "DIGITS"),
                (7, "installed_on", "DATE"),
                (8, "installed_on", "FUTURE_DATE"),
                (9, "initial_index", "INDEX_DIGITS"),
                (10, "account_no", "ACCOUNT_UNKNOWN"),
                (11, "account_no", "AGREEMENT_TAKEN"),
                (12, "meter_no", "METER_TAKEN"),
            ]
        );
        let second = world.import_meters(rows).await.remove(0);
        assert_eq!((second.accepted, second.repeats, second.refused.len()), (0, 2, 10));
        assert_eq!(world.count("SELECT count(*) FROM meter").await, 1);
    })
    .await;
}

#[tokio::test]
async fn t3_the_life_of_a_small_meter_follows_its_gas_and_it_is_verified_once() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.clock("2025-12-31T20:00:00+08:00");
        let mut meters = world.meters();
        let small = |meter_no: &str, gas: meter::GasKind| RegisterMeterRequest {
            expires_date: None,
            gas_kind: gas.into(),
            multiplier: 0,
            ..register(meter_no)
        };
        let natural = meters
            .register_meter(small("M1", meter::GasKind::Natural))
            .await
            .unwrap()
            .into_inner()
            .meter
            .unwrap();
        assert_eq!(
            (natural.expires_date, natural.multiplier, natural.gas_kind()),
            (day("2034-05-31"), 1, meter::GasKind::Natural)
        );
        let lpg = meters
            .register_meter(small("M2", meter::GasKind::Lpg))
            .await
            .unwrap()
            .into_inner()
            .meter
            .unwrap();
        assert_eq!(lpg.expires_date, day("2030-05-31"));
        let beyond = RegisterMeterRequest {
            expires_date: day("2034-06-01"),
            ..small("M3", meter::GasKind::Natural)
        };
        let status = meters.register_meter(beyond).await.unwrap_err();
        assert_eq!((reason(&status).as_str(), fields(&status)), ("METER_LIFE", vec!["expires_date".to_owned()]));
        let verify = |meter: &Meter| VerifyMeterRequest {
            request_id: key(),
            meter_no: meter.meter_no.clone(),
            verified_date: day("2025-06-01"),
            expires_date: None,
            etag: meter.etag.clone(),
        };
        assert_eq!(
            reason(&meters.verify_meter(verify(&natural)).await.unwrap_err()),
            "METER_FIRST_VERIFICATION_ONLY"
        );
        let large = RegisterMeterRequest {
            qmax: metres("16"),
            ..small("M4", meter::GasKind::Natural)
        };
        let large = meters.register_meter(large).await.unwrap().into_inner().meter.unwrap();
        assert_eq!(large.expires_date, day("2027-05-31"), "three years");
        let again = meters.verify_meter(verify(&large)).await.unwrap().into_inner().meter.unwrap();
        assert_eq!(
            (again.verified_date, again.expires_date, again.state()),
            (day("2025-06-01"), day("2028-05-31"), meter::State::InStore)
        );
        assert_eq!(reason(&meters.verify_meter(verify(&large)).await.unwrap_err()), "ETAG_MISMATCH");
    })
    .await;
}

#[tokio::test]
async fn b_01_the_multiplier_stands_between_what_is_read_and_what_is_billed() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let home = world.tell("T1", HEXI, "living", "2024-12-31");
        world.supply(&home, |s| s.state() == supply::State::InForce).await;
        world.clock("2025-12-31T20:00:00+08:00");
        let ten = RegisterMeterRequest {
            multiplier: 10,
            ..register(&home.meter_no)
        };
        world.meters().register_meter(ten).await.unwrap();
        let installed = world
            .meters()
            .install_meter(install(&home.meter_no, &home.agreement, "2024-12-31"))
            .await
            .unwrap();
        assert_eq!(installed.into_inner().installation.unwrap().initial_index, metres("30"));
        let read = world.read(&home, "2025-01-31", "7.9").await.reading.unwrap();
        assert_eq!(
            (read.index, read.raw_index.as_str()),
            (metres("70"), "7.9"),
            "whole steps of a mechanical register, raw text beside"
        );
        assert_eq!(world.run(1).await.produced, 1);
        assert_eq!(world.bills_of(&home).await[0].volume, metres("40"));
    })
    .await;
}

#[tokio::test]
async fn e9_01_a_broken_seal_opens_the_case_and_what_was_on_the_meter_is_kept() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let home = world.home("T1").await;
        world.clock("2025-12-31T20:00:00+08:00");
        let seal = |seal_no: &str, from: &str| SealMeterRequest {
            request_id: key(),
            meter_no: home.meter_no.clone(),
            seal_no: seal_no.to_owned(),
            from_date: day(from),
        };
        let mut meters = world.meters();
        meters.seal_meter(seal("S-1", "2025-01-10")).await.unwrap();
        assert_eq!(reason(&meters.seal_meter(seal("S-2", "2025-01-09")).await.unwrap_err()), "DATE_ORDER");
        meters.seal_meter(seal("S-2", "2025-03-01")).await.unwrap();
        assert_eq!(reason(&meters.seal_meter(seal("S-1", "2025-04-01")).await.unwrap_err()), "SEAL_NO_UNIQUE");
        let inspect = |seal_no: &str, whole| InspectSealRequest {
            request_id: key(),
            meter_no: home.meter_no.clone(),
            seal_no: seal_no.to_owned(),
            whole,
            on_date: day("2025-06-01"),
        };
        assert_eq!(meters.inspect_seal(inspect("S-2", true)).await.unwrap().into_inner().exception_id, "");
        let found = meters.inspect_seal(inspect("S-9", true)).await.unwrap().into_inner();
        assert!(
            found.seal.unwrap().broken && !found.exception_id.is_empty(),
            "another seal than the one on record"
        );
        let open = world.exceptions(reading_exception::State::Open, reading_exception::Code::SealBroken).await;
        assert_eq!((open.len(), open[0].exception_id.clone()), (1, found.exception_id));
        let list = ListSealsRequest {
            meter_no: home.meter_no.clone(),
            ..Default::default()
        };
        let seals = meters.list_seals(list).await.unwrap().into_inner().seals;
        let seen: Vec<_> = seals.iter().map(|s| (s.seal_no.as_str(), s.end_date, s.broken)).collect();
        assert_eq!(seen, [("S-1", day("2025-03-01"), false), ("S-2", day("2025-06-01"), true)]);
        // What was broken is not sound when the next one looks, and is told once.
        for (seal_no, whole) in [("S-2", true), ("", true), ("", false)] {
            let again = meters.inspect_seal(inspect(seal_no, whole)).await.unwrap().into_inner();
            assert_eq!((again.exception_id, again.seal), (open[0].exception_id.clone(), None), "{seal_no} {whole}");
        }
        let open = world.exceptions(reading_exception::State::Open, reading_exception::Code::SealBroken).await;
        assert_eq!(open.len(), 1);
        let shown = async || {
            let request = GetMeterByNumberRequest {
                meter_no: home.meter_no.clone(),
            };
            world.meters().get_meter_by_number(request).await.unwrap().into_inner().meter.unwrap().seal_no
        };
        assert_eq!(shown().await, "");
        meters.seal_meter(seal("S-3", "2025-06-01")).await.unwrap();
        assert_eq!(shown().await, "S-3");
        assert_eq!(meters.inspect_seal(inspect("S-3", true)).await.unwrap().into_inner().exception_id, "");
    })
    .await;
}

#[tokio::test]
async fn e9_01_the_seal_of_a_registered_meter_is_on_record() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let mut meters = world.meters();
        meters.register_meter(register("M1")).await.unwrap();
        let list = ListSealsRequest {
            meter_no: "M1".to_owned(),
            ..Default::default()
        };
        let seals = meters.list_seals(list).await.unwrap().into_inner().seals;
        let seen: Vec<_> = seals.iter().map(|s| (s.seal_no.as_str(), s.from_date, s.end_date)).collect();
        assert_eq!(seen, [("S-M1", day("2024-06-01"), None)], "since it was verified");
        let second = RegisterMeterRequest {
            seal_no: "S-M1".to_owned(),
            ..register("M2")
        };
        let used = meters.register_meter(second).await.unwrap_err();
        assert_eq!((used.code(), reason(&used).as_str()), (tonic::Code::AlreadyExists, "SEAL_NO_UNIQUE"));
    })
    .await;
}

#[tokio::test]
async fn thread_22_edge_06_an_exchange_in_one_step_is_billed_as_34_and_25() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let home = world.tell("T1", HEXI, "living", "2024-12-31");
        world.supply(&home, |s| s.state() == supply::State::InForce).await;
        world.install(&home, "2024-12-31", "1200").await;
        world.clock("2025-12-31T20:00:00+08:00");
        let new = RegisterMeterRequest {
            expires_date: None,
            ..register("N1")
        };
        world.meters().register_meter(new).await.unwrap();
        let exchange = ExchangeMeterRequest {
            request_id: key(),
            agreement_id: home.agreement.clone(),
            old_meter_no: home.meter_no.clone(),
            final_index: metres("1234"),
            new_meter_no: "N1".to_owned(),
            initial_index: metres("3"),
            exchange_date: day("2025-01-15"),
            reason: "SWAP".to_owned(),
            photo_file: "photo".to_owned(),
            signed: true,
        };
        let unsigned = ExchangeMeterRequest {
            request_id: key(),
            signed: false,
            ..exchange.clone()
        };
        let unseen = ExchangeMeterRequest {
            request_id: key(),
            photo_file: String::new(),
            ..exchange.clone()
        };
        for (request, wanted) in [(unsigned, "SIGNATURE_MISSING"), (unseen, "PHOTO_MISSING")] {
            assert_eq!(reason(&world.meters().exchange_meter(request).await.unwrap_err()), wanted);
        }
        assert_eq!(
            world.count("SELECT count(*) FROM installation WHERE end_date IS NOT NULL").await,
            0,
            "nothing half done"
        );
        let both = world.meters().exchange_meter(exchange).await.unwrap().into_inner();
        assert_eq!(
            (both.ended.unwrap().final_index, both.begun.unwrap().from_date),
            (metres("1234"), day("2025-01-15"))
        );
        world
            .read(
                &crate::world::Home {
                    meter_no: "N1".to_owned(),
                    ..home.clone()
                },
                "2025-01-31",
                "28",
            )
            .await;
        assert_eq!(world.run(1).await.produced, 1);
        assert_eq!(world.bills_of(&home).await[0].volume, metres("59"));
    })
    .await;
}

#[tokio::test]
async fn t3_b_01_an_imported_meter_has_a_multiplier_a_life_and_a_seal() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.clock("2025-12-31T20:00:00+08:00");
        let homes = [world.tell("T1", HEXI, "living", "2024-12-31"), world.tell("T2", HEXI, "living", "2024-12-31")];
        world.supply(&homes[1], |s| s.state() == supply::State::InForce).await;
        let row = |line, change: &dyn Fn(&mut MeterRow)| {
            let mut row = MeterRow {
                line,
                multiplier: 10,
                gas_kind: meter::GasKind::Natural.into(),
                verified_on: "2024-06-01".to_owned(),
                seal_no: "S-1".to_owned(),
                ..meter_row(&homes[0], "2024-12-31", "3")
            };
            change(&mut row);
            row
        };
        let rows = vec![
            row(2, &|r| r.multiplier = -1),
            row(3, &|r| r.multiplier = 10_001),
            row(4, &|r| r.gas_kind = 9),
            row(5, &|r| r.verified_on = "1.6.2024".to_owned()),
            row(6, &|r| r.verified_on = "2026-01-01".to_owned()),
            row(7, &|r| r.expires_on = "2034-06-01".to_owned()),
            row(8, &|r| r.expires_on = "2024-05-31".to_owned()),
            row(9, &|r| r.expires_on = "June".to_owned()),
            row(10, &|r| r.seal_no = "S 1".to_owned()),
            row(11, &|_| {}),
            row(12, &|r| (r.meter_no, r.account_no) = (homes[1].meter_no.clone(), homes[1].account_no.clone())),
        ];
        let first = world.import_meters(rows.clone()).await.remove(0);
        let refused: Vec<_> = first.refused.iter().map(|r| (r.line, r.field.as_str(), r.reason.as_str())).collect();
        assert_eq!(
            refused,
            [
                (2, "multiplier", "MULTIPLIER"),
                (3, "multiplier", "MULTIPLIER"),
                (4, "gas_kind", "GAS_KIND"),
                (5, "verified_on", "DATE"),
                (6, "verified_on", "FUTURE_DATE"),
                (7, "expires_on", "METER_LIFE"),
                (8, "expires_on", "DATE_ORDER"),
                (9, "expires_on", "DATE"),
                (10, "seal_no", "SEAL_NO"),
                (12, "seal_no", "SEAL_TAKEN"),
            ]
        );
        assert_eq!((first.accepted, first.repeats), (1, 0));
        let get = GetMeterByNumberRequest {
            meter_no: homes[0].meter_no.clone(),
        };
        let found = world.meters().get_meter_by_number(get).await.unwrap().into_inner();
        let filed = found.meter.unwrap();
        assert_eq!(
            (
                filed.multiplier,
                filed.gas_kind(),
                filed.verified_date,
                filed.expires_date,
                filed.seal_no.as_str()
            ),
            (10, meter::GasKind::Natural, day("2024-06-01"), day("2034-05-31"), "S-1"),
            "ten years on natural gas"
        );
        assert_eq!(found.installation.unwrap().initial_index, metres("30"), "what the register shows, ten times");
        let seals = async || {
            let list = ListSealsRequest {
                meter_no: homes[0].meter_no.clone(),
                ..Default::default()
            };
            let seals = world.meters().list_seals(list).await.unwrap().into_inner().seals;
            seals.into_iter().map(|s| (s.seal_no, s.from_date, s.end_date)).collect::<Vec<_>>()
        };
        assert_eq!(seals().await, [("S-1".to_owned(), day("2024-12-31"), None)]);
        // The file again is what is there, also when its seal came off since; a file that says something else is not.
        let seal = SealMeterRequest {
            request_id: key(),
            meter_no: homes[0].meter_no.clone(),
            seal_no: "S-2".to_owned(),
            from_date: day("2025-03-01"),
        };
        world.meters().seal_meter(seal).await.unwrap();
        let again = world
            .import_meters(vec![
                row(2, &|_| {}),
                row(3, &|r| (r.verified_on, r.seal_no) = Default::default()),
                row(4, &|r| r.multiplier = 0),
                row(5, &|r| r.gas_kind = meter::GasKind::Lpg.into()),
            ])
            .await
            .remove(0);
        let refused: Vec<_> = again.refused.iter().map(|r| (r.line, r.reason.as_str())).collect();
        assert_eq!((again.repeats, refused), (2, vec![(4, "METER_TAKEN"), (5, "METER_TAKEN")]));
        assert_eq!(seals().await.len(), 2);
        let broken = InspectSealRequest {
            request_id: key(),
            meter_no: homes[0].meter_no.clone(),
            seal_no: String::new(),
            whole: false,
            on_date: day("2025-06-01"),
        };
        world.meters().inspect_seal(broken).await.unwrap();
        let again = world
            .import_meters(vec![row(2, &|_| {}), row(3, &|r| r.seal_no = "S-9".to_owned())])
            .await
            .remove(0);
        let refused: Vec<_> = again.refused.iter().map(|r| (r.line, r.reason.as_str())).collect();
        assert_eq!((again.repeats, refused), (1, vec![(3, "METER_TAKEN")]), "S-1 was on it once");
    })
    .await;
}

#[tokio::test]
async fn e_2_07_who_found_the_seal_broken_does_not_decide_on_it() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let home = world.home("T1").await;
        world.clock("2025-12-31T20:00:00+08:00");
        let mut finder = meter_service_client::MeterServiceClient::new(bed.staff_named("wu", &[Role::DistrictManager]));
        let inspect = InspectSealRequest {
            request_id: key(),
            meter_no: home.meter_no.clone(),
            seal_no: String::new(),
            whole: false,
            on_date: day("2025-06-01"),
        };
        let id = finder.inspect_seal(inspect).await.unwrap().into_inner().exception_id;
        let open = world.exceptions(reading_exception::State::Open, reading_exception::Code::SealBroken).await;
        assert_eq!(open[0].recorded_by, "wu");
        let release = || ReleaseExceptionsRequest {
            request_id: key(),
            exception_ids: vec![id.clone()],
            grounds: "sealed anew".to_owned(),
        };
        let desk = |name: &str| reading_service_client::ReadingServiceClient::new(bed.staff_named(name, &[Role::DistrictManager]));
        let own = desk("wu").release_exceptions(release()).await.unwrap_err();
        assert_eq!((own.code(), reason(&own).as_str()), (tonic::Code::PermissionDenied, "OWN_EXCEPTION"));
        assert_eq!(desk("li").release_exceptions(release()).await.unwrap().into_inner().released, 1);
    })
    .await;
}
