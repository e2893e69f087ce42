use contracts::hearth::{
    archive::v1::{AddServicePointRequest, GetPremisesRequest, ListPremisesRequest, Service},
    r#type::v1::Decimal,
};
use testbed::{each, fields, key, reason};
use tonic::Code;

use crate::world::{Desk, HEXI, events, premises};

#[tokio::test(flavor = "multi_thread")]
async fn d_07_a_second_meter_must_be_declared() {
    each(archive::SERVICE, async |bed| {
        let mut desk = Desk::head_office(bed);
        let home = desk.premises(1, HEXI).await;
        let add = |etag: &str, service: Service, declared| AddServicePointRequest {
            request_id: key(),
            premises_id: home.premises_id.clone(),
            etag: etag.to_owned(),
            service: service.into(),
            multi_meter_household: declared,
        };
        let status = desk.premises.add_service_point(add(&home.etag, Service::Gas, false)).await.unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (Code::FailedPrecondition, "SERVICE_POINT_EXISTS"));
        let heated = desk
            .premises
            .add_service_point(add(&home.etag, Service::Heat, false))
            .await
            .unwrap()
            .into_inner()
            .premises
            .unwrap();
        assert_eq!(
            reason(&desk.premises.add_service_point(add(&home.etag, Service::Gas, true)).await.unwrap_err()),
            "ETAG_MISMATCH"
        );
        let added = desk
            .premises
            .add_service_point(add(&heated.etag, Service::Gas, true))
            .await
            .unwrap()
            .into_inner();
        let shown = desk
            .premises
            .get_premises(GetPremisesRequest {
                premises_id: home.premises_id.clone(),
            })
            .await
            .unwrap()
            .into_inner()
            .premises;
        assert_eq!(shown, added.premises);
        let points = shown.unwrap().service_points;
        assert_eq!(
            points.iter().map(contracts::hearth::archive::v1::ServicePoint::service).collect::<Vec<_>>(),
            [Service::Gas, Service::Heat, Service::Gas]
        );
        assert_eq!(points[2].service_point_id, added.service_point_id);
        let told = ["PremisesRegistered", "ServicePointAdded", "ServicePointAdded", "ServicePointAdded"];
        assert_eq!(events(bed, &home.premises_id).await, told);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a36_premises_are_listed_page_by_page() {
    each(archive::SERVICE, async |bed| {
        let mut desk = Desk::head_office(bed);
        let mut ids = vec![];
        for n in 0..5 {
            ids.push(desk.premises(n, HEXI).await.premises_id);
        }
        let mut seen = vec![];
        let mut token = String::new();
        loop {
            let request = ListPremisesRequest {
                page_size: 2,
                page_token: token,
                ..ListPremisesRequest::default()
            };
            let page = desk.premises.list_premises(request).await.unwrap().into_inner();
            assert!(page.premises.iter().all(|p| p.service_points.len() == 1));
            seen.extend(page.premises.into_iter().map(|p| p.premises_id));
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(seen, ids);
        let by_part = ListPremisesRequest {
            address: "3号楼".to_owned(),
            ..ListPremisesRequest::default()
        };
        assert_eq!(desk.premises.list_premises(by_part).await.unwrap().into_inner().premises[0].premises_id, ids[3]);
        let elsewhere = ListPremisesRequest {
            community_code: "120103009999".to_owned(),
            ..ListPremisesRequest::default()
        };
        assert!(desk.premises.list_premises(elsewhere).await.unwrap().into_inner().premises.is_empty());
        let wild = ListPremisesRequest {
            address: "%".to_owned(),
            ..ListPremisesRequest::default()
        };
        assert!(desk.premises.list_premises(wild).await.unwrap().into_inner().premises.is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_90_and_100_of_premises() {
    each(archive::SERVICE, async |bed| {
        let mut desk = Desk::head_office(bed);
        let mut twice = premises(1, HEXI);
        twice.services = vec![Service::Gas.into(), Service::Gas.into()];
        let status = desk.premises.register_premises(twice).await.unwrap_err();
        assert_eq!((reason(&status).as_str(), fields(&status)), ("DUPLICATE", vec!["services".to_owned()]));
        for (area, expected) in [
            ("0", "DECIMAL_RANGE"),
            ("-1", "DECIMAL_RANGE"),
            ("1000000", "DECIMAL_RANGE"),
            ("1.005", "SCALE"),
        ] {
            let mut wrong = premises(1, HEXI);
            wrong.area_m2 = Some(Decimal { value: area.to_owned() });
            assert_eq!(reason(&desk.premises.register_premises(wrong).await.unwrap_err()), expected, "{area}");
        }
        for area in ["1e400", "NaN", "0x10", "1,000", "１２"] {
            let mut wrong = premises(1, HEXI);
            wrong.area_m2 = Some(Decimal { value: area.to_owned() });
            assert_eq!(
                desk.premises.register_premises(wrong).await.unwrap_err().code(),
                Code::InvalidArgument,
                "{area}"
            );
        }
        let mut unset = premises(1, HEXI);
        unset.services = vec![0];
        assert_eq!(desk.premises.register_premises(unset).await.unwrap_err().code(), Code::InvalidArgument);
        let mut bare = premises(1, HEXI);
        (bare.area_m2, bare.services) = (None, vec![]);
        let bare = desk.premises.register_premises(bare).await.unwrap().into_inner().premises.unwrap();
        assert!(bare.area_m2.is_none() && bare.service_points.is_empty());
    })
    .await;
}
