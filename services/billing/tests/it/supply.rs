//! The copy of agreements, and the opening of gas.

use contracts::hearth::{archive::v1 as archive, billing::v1::*, hall::v1 as hall};
use testbed::{each, eventually, key, reason};

use crate::world::{HEXI, World, day, metres};

#[tokio::test]
async fn events_of_archive_keep_the_copy_current_each_once() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let home = world.tell("T1", HEXI, "living", "2024-12-31");
        let told = |persons, from, until: Option<&str>| archive::HouseholdSizeChanged {
            agreement_id: home.agreement.clone(),
            persons,
            from_date: day(from),
            until_date: until.and_then(day),
        };
        world.archive.tell(&home.agreement, &told(4, "2024-12-31", None));
        let position = world.archive.tell(&home.agreement, &told(6, "2025-06-01", Some("2026-06-01")));
        world.archive.repeat(position);
        let low = archive::LowIncomeFlagChanged {
            agreement_id: home.agreement.clone(),
            low_income: true,
            from_date: day("2025-02-01"),
            until_date: None,
            destitute: false,
        };
        world.archive.tell(&home.agreement, &low);
        world.archive.tell(
            &home.agreement,
            &archive::LowIncomeFlagChanged {
                low_income: false,
                from_date: day("2025-05-01"),
                ..low
            },
        );
        let amended = archive::ContractAmended {
            agreement_id: home.agreement.clone(),
            version: 2,
            use_class: "independent heating".to_owned(),
            from_date: day("2025-11-01"),
        };
        world.archive.tell(&home.agreement, &amended);
        let supply = world.supply(&home, |s| s.use_classes.len() == 2).await;
        let terms: Vec<_> = supply.entitlements.iter().map(|e| (e.code.as_str(), e.from_date, e.until_date)).collect();
        assert_eq!(
            terms,
            [
                ("HOUSEHOLD_4", day("2024-12-31"), day("2025-06-01")),
                ("LOW_INCOME", day("2025-02-01"), day("2025-05-01")),
                ("HOUSEHOLD_6", day("2025-06-01"), day("2026-06-01")),
            ]
        );
        assert_eq!(
            supply.use_classes.iter().map(|c| c.use_class.as_str()).collect::<Vec<_>>(),
            ["living", "independent heating"]
        );
        assert_eq!(
            (supply.state(), supply.in_force_date, supply.branch.as_str()),
            (supply::State::InForce, day("2024-12-31"), HEXI)
        );
        world.archive.tell(
            &home.agreement,
            &archive::ContractEnded {
                agreement_id: home.agreement.clone(),
                end_date: day("2025-12-01"),
            },
        );
        let supply = world.supply(&home, |s| s.state() == supply::State::Ended).await;
        assert_eq!(supply.end_date, day("2025-12-01"));
    })
    .await;
}

#[tokio::test]
async fn e_4_03_billing_starts_on_the_day_of_opening() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let home = world.tell("T2", HEXI, "living", "2025-01-05");
        world.supply(&home, |s| s.state() == supply::State::InForce).await;
        world.clock("2025-01-06T09:00:00+08:00");
        let register = RegisterMeterRequest {
            request_id: key(),
            meter_no: home.meter_no.clone(),
            kind: meter::Kind::Iot.into(),
            model: "G4".to_owned(),
            qmax: metres("6"),
            digits: 5,
            manufacturer: "厂".to_owned(),
            seal_no: "S1".to_owned(),
            verified_date: day("2024-11-01"),
            expires_date: day("2034-11-01"),
            branch: HEXI.to_owned(),
            ..Default::default()
        };
        let meter = world.meters().register_meter(register).await.unwrap().into_inner().meter.unwrap();
        assert_eq!(meter.state(), meter::State::InStore);
        let mut hall = meter_service_client::MeterServiceClient::new(bed.peer("hall"));
        let install = InstallMeterRequest {
            request_id: key(),
            meter_no: home.meter_no.clone(),
            agreement_id: home.agreement.clone(),
            from_date: day("2025-01-06"),
            initial_index: metres("3.5"),
            photo_file: "photo".to_owned(),
            signed: true,
        };
        let first = hall.install_meter(install.clone()).await.unwrap().into_inner().installation.unwrap();
        assert!(first.awaits_opening);
        let again = hall
            .install_meter(InstallMeterRequest { request_id: key(), ..install })
            .await
            .unwrap()
            .into_inner()
            .installation
            .unwrap();
        assert_eq!(again, first, "the same by its natural key");
        world.clock("2025-02-28T20:00:00+08:00");
        world.read(&home, "2025-01-31", "10.5").await;
        assert_eq!(world.run(1).await.not_due, 1, "the gas is not opened");
        let opened = hall::GasOpened {
            opening_id: key(),
            agreement_id: home.agreement.clone(),
            account_id: home.account.clone(),
            service_point_id: key(),
            meter_no: home.meter_no.clone(),
            opened_date: day("2025-01-08"),
        };
        world.hall.tell("opening", &opened);
        eventually("the opening", async || {
            let list = ListInstallationsRequest {
                agreement_id: Some(home.agreement.clone()),
                ..Default::default()
            };
            world
                .meters()
                .list_installations(list)
                .await
                .unwrap()
                .into_inner()
                .installations
                .into_iter()
                .find(|i| !i.awaits_opening && i.from_date == day("2025-01-08"))
        })
        .await;
        world.read(&home, "2025-02-28", "33.5").await;
        assert_eq!(world.run(2).await.produced, 1);
        let bills = world.bills_of(&home).await;
        assert_eq!((bills[0].from_date, bills[0].volume.clone()), (day("2025-01-08"), metres("30")));
    })
    .await;
}

#[tokio::test]
async fn a_06_supply_without_contract_is_billed_de_facto_and_put_on_the_list() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let home = world.home("T3").await;
        let idle = world.home("T4").await;
        for home in [&home, &idle] {
            world.archive.tell(
                &home.agreement,
                &archive::ContractEnded {
                    agreement_id: home.agreement.clone(),
                    end_date: day("2025-01-10"),
                },
            );
            world.supply(home, |s| s.state() == supply::State::Ended).await;
        }
        world.clock("2025-01-31T20:00:00+08:00");
        world.read(&home, "2025-01-31", "46").await;
        world.read(&idle, "2025-01-31", "0").await;
        let run = world.run(1).await;
        assert_eq!((run.produced, run.not_due), (1, 1));
        assert!(world.bills_of(&home).await[0].de_facto);
        let list = world.exceptions(reading_exception::State::Open, reading_exception::Code::ContractMissing).await;
        assert_eq!(list.iter().map(|e| e.account_no.as_str()).collect::<Vec<_>>(), ["T3"]);
        let unknown = world.supplies().get_supply(GetSupplyRequest { agreement_id: key() }).await.unwrap_err();
        assert_eq!(reason(&unknown), "NOT_FOUND");
    })
    .await;
}
