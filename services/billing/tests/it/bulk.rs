//! E12: bulk meters over sub-meters.

use contracts::hearth::{
    billing::v1::{bulk_meter_service_client::BulkMeterServiceClient, reading_exception::Code, reading_exception::State, *},
    options::v1::Role,
};
use testbed::{Client, each, key, reason};

use crate::world::{Home, World, day, metres};

fn district(world: &World<'_>) -> BulkMeterServiceClient<Client> {
    BulkMeterServiceClient::new(world.bed.staff(&[Role::DistrictManager]))
}

fn behind(bulk: &Home, subs: &[&Home]) -> PutBehindBulkMeterRequest {
    PutBehindBulkMeterRequest {
        request_id: key(),
        bulk_meter_no: bulk.meter_no.clone(),
        meter_nos: subs.iter().map(|h| h.meter_no.clone()).collect(),
        from_date: day("2025-01-01"),
    }
}

async fn balance(world: &World<'_>, bulk: &Home, from: &str, until: &str) -> BulkBalance {
    let request = BalanceBulkMeterRequest {
        request_id: key(),
        bulk_meter_no: bulk.meter_no.clone(),
        from_date: day(from),
        until_date: day(until),
    };
    district(world).balance_bulk_meter(request).await.unwrap().into_inner().balance.unwrap()
}

#[tokio::test]
async fn e_12_01_a_loss_above_5_percent_opens_a_case_and_edge_43_a_negative_one_is_wrong_data() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let (bulk, one, two) = (world.home("T0").await, world.home("T1").await, world.home("T2").await);
        world.clock("2025-12-31T20:00:00+08:00");
        let put = district(&world).put_behind_bulk_meter(behind(&bulk, &[&one, &two])).await.unwrap().into_inner();
        assert_eq!(put.sub_meters.len(), 2);
        let again = district(&world).put_behind_bulk_meter(behind(&bulk, &[&one])).await.unwrap().into_inner();
        assert_eq!(again.sub_meters.len(), 2, "asking again changes nothing");
        for (on, bulk_index, one_index, two_index) in [
            ("2025-01-31", "200", "100", "90"),
            ("2025-02-28", "400", "200", "180"),
            ("2025-03-31", "600", "295", "274"),
            ("2025-04-30", "780", "400", "370"),
        ] {
            for (home, index) in [(&bulk, bulk_index), (&one, one_index), (&two, two_index)] {
                world.read(home, on, index).await;
            }
        }
        let within = balance(&world, &bulk, "2025-01-31", "2025-02-28").await;
        assert_eq!(
            (within.finding(), within.loss_percent, within.exception_id.as_str()),
            (bulk_balance::Finding::Within, metres("5.00"), "")
        );
        let loss = balance(&world, &bulk, "2025-02-28", "2025-03-31").await;
        assert_eq!(
            (loss.finding(), loss.loss.clone(), loss.loss_percent.clone()),
            (bulk_balance::Finding::Loss, metres("11"), metres("5.50"))
        );
        let twice = balance(&world, &bulk, "2025-02-28", "2025-03-31").await;
        assert_eq!(twice.exception_id, loss.exception_id, "told once");
        let negative = balance(&world, &bulk, "2025-03-31", "2025-04-30").await;
        assert_eq!((negative.finding(), negative.loss.clone()), (bulk_balance::Finding::Negative, metres("-21")));
        let open = world.exceptions(State::Open, Code::BulkLoss).await;
        assert_eq!(
            open.iter().map(|e| (e.meter_no.as_str(), e.date)).collect::<Vec<_>>(),
            [(bulk.meter_no.as_str(), day("2025-03-31"))]
        );
        let wrong = world.exceptions(State::Open, Code::BulkNegative).await;
        assert_eq!((wrong.len(), wrong[0].case_id.clone()), (1, open[0].case_id.clone()), "one case, two codes");
        // No reading of one of them at the end.
        world.read(&bulk, "2025-05-31", "980").await;
        world.read(&one, "2025-05-31", "500").await;
        let gap = balance(&world, &bulk, "2025-04-30", "2025-05-31").await;
        assert_eq!(
            (gap.finding(), gap.without_reading.clone()),
            (bulk_balance::Finding::Incomplete, vec![two.meter_no.clone()])
        );
        assert_eq!(gap.loss, None);
    })
    .await;
}

#[tokio::test]
async fn e_12_01_a_meter_is_behind_one_bulk_meter_of_its_kind() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let (bulk, other, sub) = (world.home("T0").await, world.home("T1").await, world.home("T2").await);
        world.clock("2025-12-31T20:00:00+08:00");
        district(&world).put_behind_bulk_meter(behind(&bulk, &[&sub])).await.unwrap();
        let refused = async |request| reason(&district(&world).put_behind_bulk_meter(request).await.unwrap_err());
        assert_eq!(refused(behind(&other, &[&sub])).await, "SUB_METER_TAKEN");
        assert_eq!(refused(behind(&bulk, &[&bulk])).await, "SUB_METER_LOOP");
        let unknown = Home {
            meter_no: "M0".to_owned(),
            ..sub.clone()
        };
        assert_eq!(refused(behind(&bulk, &[&unknown])).await, "NOT_FOUND");
        let water = MeterRow {
            meter_no: "W1".to_owned(),
            kind: meter::Kind::Water.into(),
            ..crate::world::meter_row(&sub, "2024-12-31", "0")
        };
        assert_eq!(
            world.import_meters(vec![water]).await[0].accepted,
            1,
            "a water meter hangs beside the gas meter"
        );
        let water = Home {
            meter_no: "W1".to_owned(),
            ..sub.clone()
        };
        assert_eq!(refused(behind(&bulk, &[&water])).await, "METER_OF_OTHER_SERVICE");
        let list = ListSubMetersRequest {
            bulk_meter_no: bulk.meter_no.clone(),
        };
        assert_eq!(district(&world).list_sub_meters(list).await.unwrap().into_inner().sub_meters.len(), 1);
        let nothing = BalanceBulkMeterRequest {
            request_id: key(),
            bulk_meter_no: other.meter_no.clone(),
            from_date: day("2025-01-31"),
            until_date: day("2025-02-28"),
        };
        assert_eq!(reason(&district(&world).balance_bulk_meter(nothing).await.unwrap_err()), "NO_SUB_METERS");
    })
    .await;
}
