//! B17: what a meter counts at its conditions is billed at reference conditions.

use contracts::hearth::{
    billing::v1::{meter_service_client::MeterServiceClient, *},
    options::v1::Role,
};
use testbed::{Client, each, key, reason};

use crate::{
    document::{printed, words},
    rebill::{live, rebill},
    world::{Home, World, day, metres, text},
};

fn district(world: &World<'_>) -> MeterServiceClient<Client> {
    MeterServiceClient::new(world.bed.staff(&[Role::DistrictManager]))
}

/// 3 kPa above the air and 15 °C: 104.325 / 101.325 × 293.15 / 288.15 = 1.04747.
fn warm(home: &Home, from: &str) -> SetConversionRequest {
    SetConversionRequest {
        request_id: key(),
        meter_no: home.meter_no.clone(),
        from_date: day(from),
        gauge_pressure: metres("3"),
        air_pressure: metres("101.325"),
        temperature: metres("15"),
        compressibility: metres("1"),
        basis: "measuring record 17".to_owned(),
    }
}

#[tokio::test]
async fn b17_a_volume_is_billed_at_reference_conditions_from_the_reading_of_a_day_on() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let home = world.home("T1").await;
        let set = district(&world).set_conversion(warm(&home, "2024-12-31")).await.unwrap().into_inner();
        let set = set.conversion.unwrap();
        assert_eq!((set.factor, set.replaced, set.temperature), (metres("1.04747"), false, metres("15")));
        world.clock("2025-01-31T20:00:00+08:00");
        world.read(&home, "2025-01-31", "100").await;
        world.run(1).await;
        let bill = world.bills_of(&home).await.remove(0);
        // 104.747 × 2.86 = 299.57642.
        assert_eq!(
            (bill.from_index, bill.to_index, bill.volume, text(&bill.amount).as_str()),
            (metres("0"), metres("100"), metres("104.747"), "299.58")
        );
        world.clock("2025-02-28T20:00:00+08:00");
        // 103.352 / 101.325 = 1.02000.
        let high = SetConversionRequest {
            gauge_pressure: metres("0"),
            air_pressure: metres("103.352"),
            temperature: metres("20"),
            ..warm(&home, "2025-02-14")
        };
        let unread = district(&world).set_conversion(high.clone()).await.unwrap_err();
        assert_eq!(reason(&unread), "CONVERSION_UNREAD", "what was counted until the change must be known");
        world.read(&home, "2025-02-14", "150").await;
        world.read(&home, "2025-02-28", "200").await;
        let high = SetConversionRequest { request_id: key(), ..high };
        let mut manager = district(&world);
        let first = manager.set_conversion(high.clone()).await.unwrap().into_inner();
        assert_eq!(first, manager.set_conversion(high).await.unwrap().into_inner(), "asked again");
        world.run(2).await;
        let bill = world.bills_of(&home).await.remove(1);
        // 50 × 1.04747 = 52.3735, half up 52.374, and 50 × 1.02 = 51; 103.374 × 2.86 = 295.64964.
        assert_eq!((bill.volume.clone(), text(&bill.amount).as_str()), (metres("103.374"), "295.65"));
        let explained = ExplainBillRequest {
            bill_id: bill.bill_id.clone(),
            party_id: None,
        };
        let explained = world.bills().explain_bill(explained).await.unwrap().into_inner().explanation.unwrap();
        assert!(explained.content.contains("m1.used add k1 k2 = 103.374\n"), "{}", explained.content);
        assert_eq!(rating::Explanation::from_text(explained.content).check().unwrap().to_string(), "295.65");
        let said = words(&printed(&world, &bill.bill_id).await);
        assert!(said.contains("1.04747, 1.02") && said.contains("103.374 m³"), "{said}");

        // The record was wrong: reference conditions until 14 February. What is issued stays until it is billed anew.
        let right = SetConversionRequest {
            gauge_pressure: metres("0"),
            temperature: metres("20"),
            ..warm(&home, "2024-12-31")
        };
        district(&world).set_conversion(right).await.unwrap();
        let january = world.bills_of(&home).await.remove(0);
        assert_eq!(text(&january.amount), "299.58");
        rebill(&world, &january, false).await;
        // 100 × 2.86, and (50 + 51) × 2.86.
        let amounts: Vec<_> = live(&world, &home).await.iter().map(|b| text(&b.amount)).collect();
        assert_eq!(amounts, ["286.00", "288.86"]);
        let list = ListConversionsRequest {
            meter_no: home.meter_no.clone(),
            ..Default::default()
        };
        let listed = district(&world).list_conversions(list).await.unwrap().into_inner().conversions;
        let seen: Vec<_> = listed.iter().map(|c| (c.from_date, c.factor.clone(), c.replaced)).collect();
        assert_eq!(
            seen,
            [
                (day("2024-12-31"), metres("1.04747"), true),
                (day("2025-02-14"), metres("1.02"), false),
                (day("2024-12-31"), metres("1"), false),
            ]
        );
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn b17_conditions_that_cannot_be_are_refused() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let home = world.home("T1").await;
        let refused = async |request: SetConversionRequest| reason(&district(&world).set_conversion(request).await.unwrap_err());
        let usual = || warm(&home, "2024-12-31");
        for (request, wanted) in [
            (warm(&home, "2024-12-30"), "METER_INACTIVE"),
            (warm(&home, "2025-01-01"), "CONVERSION_UNREAD"),
            (
                SetConversionRequest {
                    temperature: metres("80.01"),
                    ..usual()
                },
                "CONVERSION_CONDITIONS",
            ),
            (
                SetConversionRequest {
                    compressibility: metres("0"),
                    ..usual()
                },
                "CONVERSION_CONDITIONS",
            ),
            (
                SetConversionRequest {
                    gauge_pressure: metres("3.0001"),
                    ..usual()
                },
                "SCALE",
            ),
        ] {
            assert_eq!(refused(request).await, wanted);
        }
        let card = RegisterMeterRequest {
            request_id: key(),
            meter_no: "K1".to_owned(),
            kind: meter::Kind::Ic.into(),
            qmax: metres("4"),
            digits: 5,
            branch: crate::world::HEXI.to_owned(),
            ..Default::default()
        };
        world.meters().register_meter(card).await.unwrap();
        let card = SetConversionRequest {
            meter_no: "K1".to_owned(),
            ..usual()
        };
        assert_eq!(refused(card).await, "CONVERSION_METER");
        assert_eq!(world.count("SELECT count(*) FROM conversion").await, 0);
    })
    .await;
}
