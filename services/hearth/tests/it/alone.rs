//! One service with the other three down.

use contracts::hearth::{
    archive::v1::{RegisterPersonRequest, SearchPartiesRequest, party_service_client::PartyServiceClient},
    billing::v1::{
        ListTariffsRequest, Meter, RegisterMeterRequest, meter, meter_service_client::MeterServiceClient, tariff_service_client::TariffServiceClient,
    },
    hall::v1::{
        ApplyForOpeningRequest, ListStepsRequest, RegisterStaffRequest, opening_service_client::OpeningServiceClient, staff_service_client::StaffServiceClient,
        step_service_client::StepServiceClient,
    },
    journal::v1::{VerifyJournalRequest, WatchEventsRequest, journal_service_client::JournalServiceClient},
    options::v1::Role,
    r#type::v1::Decimal,
    vendor::v1::{ListVendorsRequest, RegisterVendorRequest, vendor_service_client::VendorServiceClient},
};
use database::Engine;
use testbed::{eventually, key, reason};
use tonic::{Code, transport::Channel};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
use tonic_types::StatusExt;

use crate::world::{ALL, World, alone_on, call, folder};

/// Design 7: with the other three away a service starts and serves; what needs them says who is missing.
#[tokio::test]
async fn a_service_starts_and_serves_with_the_others_down() {
    for (service, engine) in ALL.into_iter().flat_map(|service| [(service, Engine::Sqlite), (service, Engine::Postgres)]) {
        let Some(alone) = alone_on(folder(), service, engine).await else { continue };
        let channel = alone.channel(service.name);
        let mut health = HealthClient::new(channel.clone());
        assert_eq!(
            health.check(HealthCheckRequest::default()).await.unwrap().into_inner().status(),
            ServingStatus::Serving
        );
        serve_alone(service.name, &alone, channel.clone()).await;
        let mut journal = JournalServiceClient::new(channel.clone());
        let sealed = eventually("the journal row of the write", async || {
            let answer = journal
                .verify_journal(alone.by(&[Role::Auditor], VerifyJournalRequest {}))
                .await
                .unwrap()
                .into_inner();
            (answer.sealed_rows > 0 && answer.unsealed_rows == 0).then_some(answer)
        });
        let sealed = sealed.await;
        assert!(sealed.intact && sealed.orphans.is_empty(), "{}", service.name);
        if sealed.events > 0 {
            let mut events = journal
                .watch_events(alone.by(&[Role::Auditor], WatchEventsRequest { after_position: 0 }))
                .await
                .unwrap()
                .into_inner();
            let first = events.message().await.unwrap().unwrap().event.unwrap();
            assert_eq!((first.position, first.source.as_str()), (1, service.name));
        }
        // This one was started without reflection.
        let status = call(&channel, "grpc.reflection.v1.ServerReflection/ServerReflectionInfo", &[])
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented);
    }
}

/// A write and a read of the service's own.
async fn serve_alone(service: &str, alone: &World, channel: Channel) {
    match service {
        "archive" => {
            let mut parties = PartyServiceClient::new(channel);
            let request = RegisterPersonRequest {
                request_id: key(),
                name: "王芳".to_owned(),
                id_number: "11010519491231002X".to_owned(),
                phone: "13812345678".to_owned(),
                address: String::new(),
                branch: "河西区".to_owned(),
            };
            parties.register_person(alone.by(&[Role::Agent], request)).await.unwrap();
            let request = SearchPartiesRequest {
                phone: "138 1234 5678".to_owned(),
                ..SearchPartiesRequest::default()
            };
            let found = parties.search_parties(alone.by(&[Role::Agent], request)).await.unwrap().into_inner().parties;
            assert_eq!(found.iter().map(|p| p.phone.as_str()).collect::<Vec<_>>(), ["138****5678"]);
        }
        "hall" => {
            let mut staff = StaffServiceClient::new(channel.clone());
            let request = RegisterStaffRequest {
                request_id: key(),
                name: "李强".to_owned(),
                posts: vec![contracts::hearth::hall::v1::Post::Opener.into()],
                badge_no: "K-1".to_owned(),
                login: "li.qiang".to_owned(),
                employer: contracts::hearth::hall::v1::Employer::Own.into(),
                vendor_id: String::new(),
                vendor_person_id: String::new(),
                branch: "河西区".to_owned(),
            };
            staff.register_staff(alone.by(&[Role::Personnel], request)).await.unwrap();
            let mut steps = StepServiceClient::new(channel.clone());
            let list = steps
                .list_steps(alone.by(&[Role::Auditor], ListStepsRequest::default()))
                .await
                .unwrap()
                .into_inner();
            assert!(list.steps.is_empty());
            let mut openings = OpeningServiceClient::new(channel);
            let request = ApplyForOpeningRequest {
                request_id: key(),
                account_id: key(),
                premises_id: key(),
                service_point_id: key(),
                use_class: "living".to_owned(),
            };
            let status = openings.apply_for_opening(alone.by(&[Role::Agent], request)).await.unwrap_err();
            assert_eq!((status.code(), reason(&status).as_str()), (Code::Unavailable, "DEPENDENCY_UNAVAILABLE"));
            assert_eq!(status.get_details_error_info().unwrap().metadata["dependency"], "archive");
            assert!(status.get_details_retry_info().is_some());
        }
        "billing" => {
            let mut meters = MeterServiceClient::new(channel.clone());
            let request = RegisterMeterRequest {
                request_id: key(),
                meter_no: "M-1".to_owned(),
                kind: meter::Kind::Mechanical.into(),
                model: "G2.5".to_owned(),
                qmax: Some(Decimal { value: "4".to_owned() }),
                digits: 5,
                branch: "河西区".to_owned(),
                ..RegisterMeterRequest::default()
            };
            let registered: Meter = meters
                .register_meter(alone.by(&[Role::DistrictManager], request))
                .await
                .unwrap()
                .into_inner()
                .meter
                .unwrap();
            assert_eq!(registered.meter_no, "M-1");
            let mut tariffs = TariffServiceClient::new(channel);
            let list = tariffs
                .list_tariffs(alone.by(&[Role::Auditor], ListTariffsRequest::default()))
                .await
                .unwrap()
                .into_inner();
            assert!(list.tariffs.is_empty());
        }
        "vendor" => {
            let mut vendors = VendorServiceClient::new(channel);
            let request = RegisterVendorRequest {
                request_id: key(),
                // A number that is printed in GB 32100-2015 as its sample.
                uscc: "91350100M000100Y43".to_owned(),
                name: "天津某维修有限公司".to_owned(),
                kinds: vec![contracts::hearth::vendor::v1::VendorKind::ServiceFirm.into()],
            };
            vendors.register_vendor(alone.by(&[Role::ItDepartment], request)).await.unwrap();
            let list = vendors
                .list_vendors(alone.by(&[Role::Auditor], ListVendorsRequest::default()))
                .await
                .unwrap()
                .into_inner();
            assert_eq!(list.vendors.len(), 1);
        }
        other => panic!("no such service: {other}"),
    }
}
