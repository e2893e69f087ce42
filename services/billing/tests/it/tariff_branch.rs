//! Cities of one group with prices of their own (decision 10): a version for one branch, and one for all that have none.

use contracts::hearth::{
    billing::v1::{tariff_class::LowIncome, tariff_service_client::TariffServiceClient, *},
    options::v1::Role,
};
use testbed::{each, key, reason};

use crate::{
    rebill::rebill,
    world::{HEXI, Home, World, class, day, metres, text, tianjin},
};

const BEIJING: &str = "海淀";
const SHANGHAI: &str = "浦东";
const TAIAN: &str = "岱岳";
/// A branch without prices of its own.
const LUAN: &str = "金安";

/// The prices of a city for the class living, as data/tariffs and domain.md 11.1 have them.
fn city(branch: &str, from: &str, tiers: &[(Option<&str>, &str)]) -> PublishTariffRequest {
    PublishTariffRequest {
        branch: branch.to_owned(),
        from_date: day(from),
        classes: vec![class("living", tiers, LowIncome::Unspecified)],
        ..tianjin()
    }
}

fn luan() -> PublishTariffRequest {
    let mut all = city("", "2024-01-01", &[(Some("360"), "2.80"), (Some("600"), "3.36"), (None, "3.92")]);
    all.classes.push(class("shop", &[(None, "3.00")], LowIncome::Unspecified));
    all
}

fn shanghai() -> PublishTariffRequest {
    PublishTariffRequest {
        tier_year_start_month: 9,
        ..city(SHANGHAI, "2014-09-01", &[(Some("310"), "3.00"), (Some("520"), "3.30"), (None, "4.20")])
    }
}

async fn publish(world: &World<'_>, request: PublishTariffRequest) -> Tariff {
    world.tariffs().publish_tariff(request).await.unwrap().into_inner().tariff.unwrap()
}

async fn refused(world: &World<'_>, request: PublishTariffRequest) -> String {
    reason(&world.tariffs().publish_tariff(request).await.unwrap_err())
}

/// The price for all, and those of four cities, which all have a class living on the same days.
async fn cities(world: &World<'_>) -> [Tariff; 5] {
    [
        publish(world, luan()).await,
        publish(
            world,
            PublishTariffRequest {
                branch: HEXI.to_owned(),
                ..tianjin()
            },
        )
        .await,
        publish(
            world,
            city(BEIJING, "2024-11-12", &[(Some("350"), "2.61"), (Some("500"), "2.83"), (None, "4.23")]),
        )
        .await,
        publish(world, shanghai()).await,
        publish(
            world,
            city(TAIAN, "2024-12-01", &[(Some("240"), "2.97"), (Some("360"), "3.52"), (None, "4.35")]),
        )
        .await,
    ]
}

async fn home(world: &World<'_>, account_no: &str, branch: &str, class: &str) -> Home {
    let home = world.tell(account_no, branch, class, "2024-12-31");
    world.supply(&home, |s| s.state() == supply::State::InForce).await;
    world.install(&home, "2024-12-31", "0").await;
    home
}

#[tokio::test]
async fn decision_10_each_city_is_billed_at_its_own_prices_and_the_others_at_those_for_all() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let [all, tianjin, beijing, shanghai, taian] = cities(&world).await;
        // The worked bills of 11.1; a class that the branch has no price of costs what it costs for all.
        let cases = [
            ("B1", LUAN, "living", "700", "2206.40", &all),
            ("B2", HEXI, "living", "650", "2071.50", &tianjin),
            ("B3", BEIJING, "living", "620", "1845.60", &beijing),
            ("B4", SHANGHAI, "living", "600", "1959.00", &shanghai),
            ("B5", TAIAN, "living", "400", "1309.20", &taian),
            ("B6", SHANGHAI, "shop", "100", "300.00", &all),
        ];
        let mut homes = vec![];
        for (account_no, branch, class, ..) in cases {
            homes.push(home(&world, account_no, branch, class).await);
        }
        world.clock("2025-01-31T20:00:00+08:00");
        for (home, case) in homes.iter().zip(cases) {
            world.read(home, "2025-01-31", case.3).await;
        }
        let tried = TryBillRequest {
            agreement_id: homes[4].agreement.clone(),
            year: 2025,
            month: 1,
        };
        let tried = world.runs().try_bill(tried).await.unwrap().into_inner().bill.unwrap();
        assert_eq!(text(&tried.amount), "1309.20");
        assert_eq!(world.run(1).await.produced, 6);
        for (home, (_, branch, class, _, amount, version)) in homes.iter().zip(cases) {
            let bill = world.bills_of(home).await.remove(0);
            assert_eq!((text(&bill.amount).as_str(), &bill.tariff_id), (amount, &version.tariff_id), "{branch} {class}");
        }
        // What is billed anew is billed by the same prices.
        let bill = world.bills_of(&homes[3]).await.remove(0);
        rebill(&world, &bill, false).await;
        let anew = world.bills_of(&homes[3]).await;
        let anew = anew.iter().find(|b| b.state() != bill::State::Reversed).unwrap();
        assert_eq!((text(&anew.amount).as_str(), &anew.tariff_id), ("1959.00", &shanghai.tariff_id));
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn decision_10_a_branch_has_one_price_a_day_and_changes_nobody_elses() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let [all, .., shanghai, _] = cities(&world).await;
        assert_eq!(shanghai.branch, SHANGHAI);
        let mut tariffs = world.tariffs();
        let mut listed = async |branch: &str| {
            let request = ListTariffsRequest {
                branch: branch.to_owned(),
                ..Default::default()
            };
            let tariffs = tariffs.list_tariffs(request).await.unwrap().into_inner().tariffs;
            tariffs.into_iter().map(|tariff| tariff.tariff_id).collect::<Vec<_>>()
        };
        assert_eq!(listed(SHANGHAI).await, [all.tariff_id.clone(), shanghai.tariff_id.clone()]);
        assert_eq!((listed(LUAN).await, listed("").await.len()), (vec![all.tariff_id.clone()], 5));
        let later = |mut request: PublishTariffRequest| {
            request.from_date = day("2025-02-01");
            request
        };
        for twice in [later(self::shanghai()), later(luan())] {
            assert_eq!(refused(&world, twice).await, "TARIFF_OVERLAP");
        }
        // No branch ends or replaces what is for all, nor the other way round.
        let next = |before: &Tariff| PublishTariffRequest {
            follows_tariff_id: Some(before.tariff_id.clone()),
            ..later(self::shanghai())
        };
        assert_eq!(refused(&world, next(&all)).await, "TARIFF_BRANCH");
        let instead = PublishTariffRequest {
            from_date: day("2014-09-01"),
            branch: String::new(),
            replaces_tariff_id: Some(shanghai.tariff_id.clone()),
            ..luan()
        };
        assert_eq!(refused(&world, instead).await, "TARIFF_BRANCH");
        let dearer = PublishTariffRequest {
            classes: vec![class("living", &[(None, "5.00")], LowIncome::Unspecified)],
            ..next(&shanghai)
        };
        let dearer = publish(&world, dearer).await;
        let ends = async |id: &str| {
            let request = GetTariffRequest { tariff_id: id.to_owned() };
            world.tariffs().get_tariff(request).await.unwrap().into_inner().tariff.unwrap().until_date
        };
        assert_eq!((ends(&shanghai.tariff_id).await, ends(&all.tariff_id).await), (day("2025-02-01"), None));
        // The database holds both.
        let price = |branch: &str, from: &str| {
            format!(
                "INSERT INTO tariff_price (id, tariff_id, commodity, use_class, from_date, until_date, terms, branch)
                 VALUES ({}, {}, 'natural_gas', 'living', '{from}', NULL, '{{}}', '{branch}')",
                world.uuid(&key()),
                world.uuid(&dearer.tariff_id)
            )
        };
        for branch in [SHANGHAI, ""] {
            let overlap = world.sql(&price(branch, "2030-01-01")).await.unwrap_err().to_string();
            assert!(overlap.contains("tariff_overlap"), "{branch}: {overlap}");
        }
        world.sql(&price(LUAN, "2030-01-01")).await.unwrap();
        for sql in ["UPDATE tariff_price SET branch = 'x'", "UPDATE tariff SET branch = 'x'"] {
            let edited = world.sql(sql).await.unwrap_err().to_string();
            assert!(edited.contains("tariff_is_immutable"), "{sql}: {edited}");
        }
        // Who is bound to a branch publishes for it alone.
        let mut bound = TariffServiceClient::new(bed.staff_of(TAIAN, &[Role::Accountant]));
        for foreign in [luan(), self::shanghai()] {
            assert_eq!(bound.publish_tariff(foreign).await.unwrap_err().code(), tonic::Code::PermissionDenied);
        }
        let own = PublishTariffRequest {
            classes: vec![class("shop", &[(None, "3.10")], LowIncome::Unspecified)],
            ..city(TAIAN, "2025-01-01", &[])
        };
        bound.publish_tariff(own).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_04_a_notice_ends_no_version_that_sells_something_else() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let gas = world.publish_tianjin().await;
        let heat = |follows: Option<String>, from: &str, use_class: &str| PublishHeatTariffRequest {
            request_id: key(),
            name: "Tianjin heat".to_owned(),
            from_date: day(from),
            legal_basis: "heat prices as quoted on public pages".to_owned(),
            approved_by: "Development and Reform Commission".to_owned(),
            published_date: day("2015-01-01"),
            currency_code: "CNY".to_owned(),
            classes: vec![HeatClass {
                use_class: use_class.to_owned(),
                area_price: metres("25"),
                ..Default::default()
            }],
            follows_tariff_id: follows,
            ..Default::default()
        };
        let warm = world.tariffs().publish_heat_tariff(heat(None, "2015-01-01", "resident")).await.unwrap();
        let warm = warm.into_inner().tariff.unwrap();
        let after_heat = PublishTariffRequest {
            from_date: day("2025-07-01"),
            classes: vec![class("boiler", &[(None, "3.30")], LowIncome::Unspecified)],
            follows_tariff_id: Some(warm.tariff_id.clone()),
            ..tianjin()
        };
        assert_eq!(refused(&world, after_heat).await, "NOT_FOUND");
        let after_gas = world
            .tariffs()
            .publish_heat_tariff(heat(Some(gas.tariff_id.clone()), "2025-07-01", "school"))
            .await;
        assert_eq!(reason(&after_gas.unwrap_err()), "NOT_FOUND");
        for id in [&gas.tariff_id, &warm.tariff_id] {
            let request = GetTariffRequest { tariff_id: id.clone() };
            let tariff = world.tariffs().get_tariff(request).await.unwrap().into_inner().tariff.unwrap();
            assert_eq!(tariff.until_date, None, "{}", tariff.name);
        }
    })
    .await;
}
