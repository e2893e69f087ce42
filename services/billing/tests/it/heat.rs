//! A-11 and 9.3: a heating season from the enrolment to the settlement.

use contracts::hearth::{
    archive::v1::{self as archive, Service},
    billing::v1::{
        bill_service_client::BillServiceClient, heat_metered_price::Settlement, heat_metered_price::Unit, heat_service_client::HeatServiceClient,
        opening_service_client::OpeningServiceClient, reading_service_client::ReadingServiceClient, *,
    },
    options::v1::Role,
};
use testbed::{Client, each, eventually, key, reason};
use uuid::Uuid;

use crate::world::{HEPING, HEXI, Home, World, day, metres, text, yuan};

const SEASON: &str = "2025-2026";

fn accountant(world: &World<'_>) -> HeatServiceClient<Client> {
    HeatServiceClient::new(world.bed.staff(&[Role::Accountant]))
}

fn district(world: &World<'_>) -> HeatServiceClient<Client> {
    HeatServiceClient::new(world.bed.staff(&[Role::DistrictManager]))
}

/// Archive tells of an agreement for heat, on an account of its own or on that of a home.
pub async fn heated(world: &World<'_>, account_no: &str, class: &str, on: Option<&Home>) -> Home {
    let id = || Uuid::now_v7().to_string();
    let home = Home {
        agreement: id(),
        account: on.map_or_else(id, |h| h.account.clone()),
        account_no: account_no.to_owned(),
        party: on.map_or_else(id, |h| h.party.clone()),
        meter_no: format!("H-{account_no}"),
    };
    let signed = archive::ContractSigned {
        agreement_id: home.agreement.clone(),
        agreement_no: format!("RL-{account_no}"),
        account_id: home.account.clone(),
        account_no: account_no.to_owned(),
        party_id: home.party.clone(),
        premises_id: id(),
        service_point_id: id(),
        service: Service::Heat.into(),
        use_class: class.to_owned(),
        branch: HEXI.to_owned(),
        signed_date: day("2024-10-01"),
    };
    world.archive.tell(&home.agreement, &signed);
    let in_force = archive::ContractInForce {
        agreement_id: home.agreement.clone(),
        from_date: day("2024-10-01"),
    };
    world.archive.tell(&home.agreement, &in_force);
    world.supply(&home, |s| s.state() == supply::State::InForce).await;
    home
}

fn class(name: &str, area: &str, metered: Option<(&str, &str, Settlement)>, surcharge: bool) -> HeatClass {
    HeatClass {
        use_class: name.to_owned(),
        area_price: metres(area),
        months: 0,
        metered: metered.map(|(base, energy, settlement)| HeatMeteredPrice {
            base_price: metres(base),
            energy_price: metres(energy),
            unit: Unit::Kwh.into(),
            settlement: settlement.into(),
        }),
        height_surcharge: surcharge.then(|| HeightSurcharge {
            above_metres: metres("4"),
            percent_per_metre: metres("12.5"),
        }),
        standing_charges: vec![],
        rounding: None,
    }
}

fn notice(name: &str, classes: Vec<HeatClass>) -> PublishHeatTariffRequest {
    PublishHeatTariffRequest {
        request_id: key(),
        name: name.to_owned(),
        from_date: day("2019-01-01"),
        until_date: None,
        legal_basis: "heat prices as quoted on public pages".to_owned(),
        approved_by: "Development and Reform Commission".to_owned(),
        published_date: day("2019-01-01"),
        currency_code: "CNY".to_owned(),
        classes,
        ..Default::default()
    }
}

/// Tianjin and Beijing (tariffs/cn_tianjin_heat.toml, cn_beijing_heat.toml), and two classes that are settled otherwise.
async fn publish(world: &World<'_>) -> Vec<Tariff> {
    use Settlement::{Capped, CarryOver, RefundAndSupplement};
    let tianjin = vec![
        class("resident", "25.00", Some(("7.50", "0.13", RefundAndSupplement)), false),
        class("non-resident", "40", Some(("12", "0.25", RefundAndSupplement)), false),
        class("resident, no supplement", "25", Some(("7.50", "0.13", CarryOver)), false),
        class("resident, capped", "25", Some(("7.50", "0.13", Capped)), false),
    ];
    let beijing = vec![
        class("resident, city network", "24", Some(("12", "0.16", RefundAndSupplement)), true),
        class("resident, gas or oil or electric boiler", "30", Some(("18", "0.16", RefundAndSupplement)), true),
        class("non-resident, inner six districts", "45", None, true),
    ];
    let mut published = vec![];
    for request in [notice("Tianjin heat", tianjin), notice("Beijing heat", beijing)] {
        published.push(world.tariffs().publish_heat_tariff(request).await.unwrap().into_inner().tariff.unwrap());
    }
    published
}

async fn open(world: &World<'_>, season: &str) -> HeatSeason {
    let (first, last) = season.split_once('-').unwrap();
    let request = OpenHeatSeasonRequest {
        request_id: key(),
        season: season.to_owned(),
        branch: HEXI.to_owned(),
        start_date: day(&format!("{first}-11-15")),
        end_date: day(&format!("{last}-03-15")),
        due_date: day(&format!("{first}-12-31")),
        document_reference: "season notice".to_owned(),
    };
    accountant(world).open_heat_season(request).await.unwrap().into_inner().season.unwrap()
}

fn enrolment(home: &Home, season: &str, method: heat_account::Method, area: &str, height: Option<&str>) -> EnrolHeatRequest {
    EnrolHeatRequest {
        request_id: key(),
        agreement_id: home.agreement.clone(),
        season: season.to_owned(),
        method: method.into(),
        area: metres(area),
        height: height.and_then(metres),
        correction: None,
        document_reference: "deed 1".to_owned(),
    }
}

async fn enrol(world: &World<'_>, home: &Home, method: heat_account::Method, area: &str, height: Option<&str>) -> HeatAccount {
    let request = enrolment(home, SEASON, method, area, height);
    district(world).enrol_heat(request).await.unwrap().into_inner().account.unwrap()
}

async fn assess(world: &World<'_>, season: &str) -> BillRun {
    let request = AssessHeatRequest {
        request_id: key(),
        season: season.to_owned(),
        branch: HEXI.to_owned(),
    };
    let run = accountant(world).assess_heat(request).await.unwrap().into_inner().run_id;
    world.finished(&run).await
}

async fn settle(world: &World<'_>) -> BillRun {
    let request = SettleHeatRequest {
        request_id: key(),
        season: SEASON.to_owned(),
        branch: HEXI.to_owned(),
        due_days: 0,
    };
    let run = accountant(world).settle_heat(request).await.unwrap().into_inner().run_id;
    world.finished(&run).await
}

/// The agreement in the season.
async fn account(world: &World<'_>, home: &Home, season: &str) -> HeatAccount {
    let request = ListHeatAccountsRequest {
        agreement_id: Some(home.agreement.clone()),
        season: season.to_owned(),
        ..Default::default()
    };
    let listed = accountant(world).list_heat_accounts(request).await.unwrap().into_inner().accounts.remove(0);
    let got = accountant(world)
        .get_heat_account(GetHeatAccountRequest {
            heat_account_id: listed.heat_account_id.clone(),
            party_id: None,
        })
        .await
        .unwrap()
        .into_inner()
        .account
        .unwrap();
    assert_eq!(got, listed);
    got
}

async fn bill(world: &World<'_>, id: &str) -> Bill {
    let request = GetBillRequest {
        bill_id: id.to_owned(),
        party_id: None,
    };
    world.bills().get_bill(request).await.unwrap().into_inner().bill.unwrap()
}

async fn pay(world: &World<'_>, home: &Home, amount: &str, reference: &str, bills: Vec<String>) -> Payment {
    let request = TakePaymentRequest {
        request_id: key(),
        account_id: home.account.clone(),
        amount: yuan(amount),
        channel: "COUNTER".to_owned(),
        channel_reference: reference.to_owned(),
        bill_ids: bills,
    };
    world.cashier().take_payment(request).await.unwrap().into_inner().payment.unwrap()
}

/// A heat meter at the agreement since October 2025.
async fn meter(world: &World<'_>, home: &Home, kind: meter::Kind) {
    let register = RegisterMeterRequest {
        request_id: key(),
        meter_no: home.meter_no.clone(),
        kind: kind.into(),
        model: "DN20".to_owned(),
        qmax: metres("25"),
        digits: 7,
        manufacturer: String::new(),
        seal_no: String::new(),
        verified_date: day("2025-09-01"),
        expires_date: day("2031-09-01"),
        branch: HEXI.to_owned(),
        ..Default::default()
    };
    world.meters().register_meter(register).await.unwrap();
    let install = InstallMeterRequest {
        request_id: key(),
        meter_no: home.meter_no.clone(),
        agreement_id: home.agreement.clone(),
        from_date: day("2025-10-10"),
        initial_index: metres("0"),
        photo_file: "photo".to_owned(),
        signed: true,
    };
    world.meters().install_meter(install).await.unwrap();
}

fn index(home: &Home, moment: season_reading::Moment, on: &str, index: &str) -> RecordSeasonReadingRequest {
    RecordSeasonReadingRequest {
        request_id: key(),
        agreement_id: home.agreement.clone(),
        season: SEASON.to_owned(),
        meter_no: home.meter_no.clone(),
        moment: moment.into(),
        read_date: day(on),
        index: index.to_owned(),
    }
}

async fn read(world: &World<'_>, home: &Home, start: &str, end: &str) {
    use season_reading::Moment::{End, Start};
    let mut reader = HeatServiceClient::new(world.bed.staff(&[Role::Reader]));
    for (moment, on, value) in [(Start, "2025-11-15", start), (End, "2026-03-15", end)] {
        let request = index(home, moment, on, value);
        let first = reader.record_season_reading(request.clone()).await.unwrap().into_inner();
        let again = RecordSeasonReadingRequest { request_id: key(), ..request };
        assert_eq!(reader.record_season_reading(again).await.unwrap().into_inner(), first, "the same again");
    }
}

/// A home that was billed for the season by its area at 25.00 a square metre.
pub async fn season_by_area(world: &World<'_>, account_no: &str, area: &str) -> (Home, Bill) {
    publish(world).await;
    open(world, SEASON).await;
    world.clock("2025-10-20T10:00:00+08:00");
    let home = heated(world, account_no, "resident", None).await;
    enrol(world, &home, heat_account::Method::Area, area, None).await;
    assess(world, SEASON).await;
    let bill = bill(world, &account(world, &home, SEASON).await.bill_id).await;
    (home, bill)
}

#[tokio::test]
async fn a_11_season_bill_by_area_before_the_season() {
    each(billing::SERVICE, async |bed| {
        use heat_account::Method::Area;
        let world = World::new(bed).await;
        let tariffs = publish(&world).await;
        let season = open(&world, SEASON).await;
        assert_eq!(season.days, 121);
        world.clock("2025-10-20T10:00:00+08:00");
        let network = "resident, city network";
        let cases = [
            ("T1", "resident", "100", None, "2500.00"),
            ("T2", "non-resident", "100", None, "4000.00"),
            ("T3", network, "80.5", None, "1932.00"),
            ("T4", "resident, gas or oil or electric boiler", "80.5", None, "2415.00"),
            ("T5", network, "80.5", Some("5.0"), "2173.50"),
            ("T6", network, "80.5", Some("4.8"), "2125.20"),
        ];
        let mut homes = vec![];
        for (account_no, class, area, height, _) in cases {
            let home = heated(&world, account_no, class, None).await;
            let enrolled = enrol(&world, &home, Area, area, height).await;
            assert_eq!(enrolled.state(), heat_account::State::Enrolled);
            homes.push(home);
        }
        let forgotten = heated(&world, "T7", "resident", None).await;
        let unpriced = heated(&world, "T8", "greenhouse", None).await;
        enrol(&world, &unpriced, Area, "50", None).await;
        let run = assess(&world, SEASON).await;
        assert_eq!((run.produced, run.parked, run.already, text(&run.amount).as_str()), (6, 2, 0, "15145.70"));
        assert_eq!((run.purpose(), run.season.as_str()), (bill_run::Purpose::HeatSeason, SEASON));
        let items = ListBillRunItemsRequest {
            run_id: run.run_id.clone(),
            ..Default::default()
        };
        let items = world.runs().list_bill_run_items(items).await.unwrap().into_inner().items;
        let mut parked: Vec<_> = items.iter().map(|i| (i.agreement_id.clone(), i.reason.as_str())).collect();
        parked.sort_unstable();
        let mut wanted = [
            (forgotten.agreement.clone(), "HEAT_NOT_ENROLLED"),
            (unpriced.agreement.clone(), "TARIFF_MISSING"),
        ];
        wanted.sort_unstable();
        assert_eq!(parked, wanted);
        for (home, (_, class, area, height, amount)) in homes.iter().zip(cases) {
            let account = account(&world, home, SEASON).await;
            assert_eq!(account.state(), heat_account::State::Assessed);
            let bill = bill(&world, &account.bill_id).await;
            assert_eq!(
                (text(&bill.amount).as_str(), bill.kind(), bill.use_class.as_str()),
                (amount, bill::Kind::HeatSeason, class)
            );
            assert_eq!((bill.service.as_str(), bill.season.as_str(), bill.unit.as_str()), ("HEAT", SEASON, ""));
            assert_eq!(
                (bill.from_date, bill.to_date, bill.due_date),
                (day("2025-11-14"), day("2026-03-15"), day("2025-12-31"))
            );
            assert_eq!(
                (bill.lines[0].quantity.clone(), bill.lines[0].unit.as_str(), bill.lines[0].volume.clone()),
                (metres(area), "m2", None)
            );
            assert_eq!(bill.lines.get(1).map(|l| l.reason.as_str()), height.map(|_| "HEIGHT_SURCHARGE"));
        }
        let again = assess(&world, SEASON).await;
        assert_eq!((again.produced, again.already, again.parked), (0, 6, 2), "nobody twice");
        let listed = ListBillsRequest {
            season: SEASON.to_owned(),
            kind: bill::Kind::HeatSeason.into(),
            from_date: day("2025-10-20"),
            until_date: day("2025-10-20"),
            ..Default::default()
        };
        assert_eq!(world.bills().list_bills(listed).await.unwrap().into_inner().bills.len(), 6);
        let high = bill(&world, &account(&world, &homes[4], SEASON).await.bill_id).await;
        let request = ExplainBillRequest {
            bill_id: high.bill_id.clone(),
            party_id: None,
        };
        let explanation = world.bills().explain_bill(request).await.unwrap().into_inner().explanation.unwrap();
        let kept = rating::Explanation::from_text(explanation.content);
        assert_eq!(kept.check().unwrap().to_string(), "2173.50", "B18: 80.5 m² of 5 m are explained too");
        let seen = world
            .tariffs()
            .get_tariff(GetTariffRequest {
                tariff_id: tariffs[1].tariff_id.clone(),
            })
            .await
            .unwrap()
            .into_inner()
            .tariff
            .unwrap();
        assert_eq!(
            (seen.commodity.as_str(), seen.classes.len(), &seen.heat_classes),
            ("heat", 0, &tariffs[1].heat_classes)
        );
        assert_eq!(
            seen.heat_classes[0],
            class("resident, city network", "24", Some(("12", "0.16", Settlement::RefundAndSupplement)), true)
        );
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn a_11_metered_season_is_settled_with_refund_and_supplement() {
    each(billing::SERVICE, async |bed| {
        use heat_account::{Method::Meter, State};
        let world = World::new(bed).await;
        publish(&world).await;
        open(&world, SEASON).await;
        world.clock("2025-10-20T10:00:00+08:00");
        // Class, area, start, end, by area, charged, what is left of it or paid ahead.
        let cases = [
            ("T1", "resident", "100", "1000", "9100", "2500.00", "1803.00", State::RefundDue, "697.00"),
            ("T2", "resident", "100", "0", "13461", "2500.00", "2499.93", State::RefundDue, "0.07"),
            ("T3", "resident", "100", "0", "13462", "2500.00", "2500.06", State::SupplementDue, "0.06"),
            (
                "T4",
                "resident, city network",
                "80.5",
                "0",
                "6000",
                "1932.00",
                "1926.00",
                State::RefundDue,
                "6.00",
            ),
            (
                "T5",
                "resident, gas or oil or electric boiler",
                "80.5",
                "0",
                "6000",
                "2415.00",
                "2409.00",
                State::RefundDue,
                "6.00",
            ),
        ];
        let mut homes = vec![];
        for (account_no, class, area, ..) in cases {
            let home = heated(&world, account_no, class, None).await;
            enrol(&world, &home, Meter, area, None).await;
            meter(&world, &home, meter::Kind::HeatKwh).await;
            homes.push(home);
        }
        assert_eq!(assess(&world, SEASON).await.produced, 5);
        for (home, case) in homes.iter().zip(cases) {
            pay(&world, home, case.5, case.0, vec![]).await;
            assert_eq!(account(&world, home, SEASON).await.state(), State::Prepaid);
        }
        let early = SettleHeatRequest {
            request_id: key(),
            season: SEASON.to_owned(),
            branch: HEXI.to_owned(),
            due_days: 0,
        };
        assert_eq!(reason(&accountant(&world).settle_heat(early).await.unwrap_err()), "SEASON_NOT_OVER");
        world.clock("2026-01-10T10:00:00+08:00");
        assert_eq!(account(&world, &homes[0], SEASON).await.state(), State::InSeason);
        world.clock("2026-03-20T10:00:00+08:00");
        assert_eq!(account(&world, &homes[0], SEASON).await.state(), State::SeasonClosed);
        for (home, case) in homes.iter().zip(cases) {
            read(&world, home, case.3, case.4).await;
        }
        let run = settle(&world).await;
        assert_eq!((run.produced, run.missing, run.parked), (5, 0, 0));
        for (home, (_, _, _, start, end, by_area, charged, state, rest)) in homes.iter().zip(cases) {
            let account = account(&world, home, SEASON).await;
            assert_eq!(account.state(), state, "{charged}");
            let settlement = account.settlement.clone().unwrap();
            assert_eq!(
                (text(&settlement.by_area), text(&settlement.by_meter), text(&settlement.charged)),
                (by_area.to_owned(), charged.to_owned(), charged.to_owned())
            );
            let bill = bill(&world, &account.bill_id).await;
            assert_eq!((bill.kind(), text(&bill.amount).as_str()), (bill::Kind::HeatSettlement, charged));
            assert_eq!(
                (bill.from_index.clone(), bill.to_index.clone(), bill.unit.as_str()),
                (metres(start), metres(end), "kWh")
            );
            assert_eq!(bill.lines.iter().map(|l| l.unit.as_str()).collect::<Vec<_>>(), ["m2", "kWh"]);
            let balance = if state == State::SupplementDue {
                (rest.to_owned(), "0.00".to_owned())
            } else {
                ("0.00".to_owned(), rest.to_owned())
            };
            assert_eq!(world.balance(home).await, balance, "{charged}");
        }
        let mut settlement = account(&world, &homes[0], SEASON).await.settlement.unwrap();
        assert_eq!((text(&settlement.difference).as_str(), settlement.energy.take()), ("697.00", metres("8100")));
        let standing: Vec<_> = world.bills_of(&homes[0]).await.iter().map(|b| (b.kind(), b.state())).collect();
        assert_eq!(
            standing,
            [(bill::Kind::HeatSeason, bill::State::Reversed), (bill::Kind::HeatSettlement, bill::State::Paid)]
        );
        pay(&world, &homes[2], "0.06", "supplement", vec![]).await;
        assert_eq!(account(&world, &homes[2], SEASON).await.state(), State::Closed);
        let again = settle(&world).await;
        assert_eq!((again.produced, again.already), (0, 5), "nobody twice");
        let report = world.sound().await;
        assert_eq!(text(&report.prepayment), "709.07");
    })
    .await;
}

#[tokio::test]
async fn p_9_3_no_supplement_is_carried_over_and_a_cap_holds() {
    each(billing::SERVICE, async |bed| {
        use heat_account::{Method::Meter, State};
        let world = World::new(bed).await;
        publish(&world).await;
        open(&world, SEASON).await;
        open(&world, "2026-2027").await;
        world.clock("2025-10-20T10:00:00+08:00");
        let cases = [
            ("T1", "resident, no supplement", "8100", "1803.00", State::Closed),
            ("T2", "resident, no supplement", "13462", "2500.00", State::Closed),
            ("T3", "resident, capped", "20000", "2500.00", State::Closed),
            ("T4", "resident, capped", "8100", "1803.00", State::RefundDue),
        ];
        let mut homes = vec![];
        for (account_no, class, ..) in cases {
            let home = heated(&world, account_no, class, None).await;
            enrol(&world, &home, Meter, "100", None).await;
            meter(&world, &home, meter::Kind::HeatKwh).await;
            homes.push(home);
        }
        assess(&world, SEASON).await;
        for home in &homes {
            pay(&world, home, "2500.00", &home.account_no, vec![]).await;
        }
        world.clock("2026-03-20T10:00:00+08:00");
        for (home, case) in homes.iter().zip(cases) {
            read(&world, home, "0", case.2).await;
        }
        assert_eq!(settle(&world).await.produced, 4);
        for (home, (_, _, energy, charged, state)) in homes.iter().zip(cases) {
            let account = account(&world, home, SEASON).await;
            assert_eq!(
                (account.state(), text(&account.settlement.unwrap().charged).as_str()),
                (state, charged),
                "{energy}"
            );
        }
        // The surplus pays the next season; the area goes on until something else is said.
        world.clock("2026-10-20T10:00:00+08:00");
        assert_eq!(assess(&world, "2026-2027").await.produced, 4);
        assert_eq!(account(&world, &homes[3], SEASON).await.state(), State::Closed, "its surplus is used");
        let next = account(&world, &homes[0], "2026-2027").await;
        assert_eq!(
            (next.state(), text(&next.amount).as_str(), text(&next.paid).as_str()),
            (State::PartlyPrepaid, "2500.00", "697.00")
        );
        assert_eq!(text(&account(&world, &homes[1], "2026-2027").await.paid), "0.00");
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn a_11_new_area_takes_effect_next_season_unless_mis_measured_from_the_start() {
    each(billing::SERVICE, async |bed| {
        use heat_account::{Method::Area, State};
        let world = World::new(bed).await;
        publish(&world).await;
        open(&world, SEASON).await;
        open(&world, "2026-2027").await;
        world.clock("2025-10-20T10:00:00+08:00");
        let home = heated(&world, "T1", "resident, city network", None).await;
        let mut wang = HeatServiceClient::new(bed.staff_named("wang", &[Role::Accountant]));
        let wrong = enrolment(&home, SEASON, Area, "90", Some("5"));
        let first = wang.enrol_heat(wrong).await.unwrap().into_inner().account.unwrap();
        let again = wang
            .enrol_heat(enrolment(&home, SEASON, Area, "80.5", None))
            .await
            .unwrap()
            .into_inner()
            .account
            .unwrap();
        assert_eq!(
            (again.heat_account_id.as_str(), again.height.clone()),
            (first.heat_account_id.as_str(), metres("5")),
            "the height stays"
        );
        let correct = |account: &HeatAccount| CorrectHeatAreaRequest {
            request_id: key(),
            heat_account_id: account.heat_account_id.clone(),
            etag: account.etag.clone(),
            area: metres("100"),
            height: metres("4"),
            document_reference: "survey 7".to_owned(),
        };
        assert_eq!(
            reason(&accountant(&world).correct_heat_area(correct(&again)).await.unwrap_err()),
            "HEAT_NOT_ASSESSED"
        );
        assert_eq!(assess(&world, SEASON).await.produced, 1);
        let assessed = account(&world, &home, SEASON).await;
        assert_eq!(text(&assessed.amount), "2173.50");
        pay(&world, &home, "2173.50", "1", vec![]).await;
        world.clock("2026-01-05T10:00:00+08:00");
        let late = wang.enrol_heat(enrolment(&home, SEASON, Area, "100", None)).await.unwrap_err();
        assert_eq!(reason(&late), "HEAT_ASSESSED");
        wang.enrol_heat(enrolment(&home, "2026-2027", Area, "100", None)).await.unwrap();
        assert_eq!(text(&account(&world, &home, SEASON).await.amount), "2173.50", "this season stays");
        // Mis-measured from the start: another person bills the whole season anew.
        let own = wang.correct_heat_area(correct(&assessed)).await.unwrap_err();
        assert_eq!(reason(&own), "OWN_ENROLMENT");
        let corrected = accountant(&world)
            .correct_heat_area(correct(&assessed))
            .await
            .unwrap()
            .into_inner()
            .account
            .unwrap();
        assert_eq!((text(&corrected.amount).as_str(), text(&corrected.paid).as_str()), ("2400.00", "2173.50"));
        assert_eq!((corrected.state(), corrected.document_reference.as_str()), (State::InSeason, "survey 7"));
        assert_eq!(world.balance(&home).await, ("226.50".to_owned(), "0.00".to_owned()));
        let stale = accountant(&world).correct_heat_area(correct(&assessed)).await.unwrap_err();
        assert_eq!(reason(&stale), "ETAG_MISMATCH");
        let reverse = ReverseBillRequest {
            request_id: key(),
            bill_id: corrected.bill_id.clone(),
            etag: bill(&world, &corrected.bill_id).await.etag,
            reason: "wrong".to_owned(),
            reading_was_wrong: false,
        };
        assert_eq!(reason(&world.bills().reverse_bill(reverse).await.unwrap_err()), "BILL_OF_SEASON");
        // Not by more than there is to charge by.
        for (area, height, refused) in [("0", None, "HEAT_AREA"), ("-3", None, "HEAT_AREA"), ("80", Some("0.5"), "HEAT_HEIGHT")] {
            let bad = wang.enrol_heat(enrolment(&home, "2026-2027", Area, area, height)).await.unwrap_err();
            assert_eq!(reason(&bad), refused, "{area}");
        }
        for correction in ["0", "2.1", "0.12345"] {
            let bad = EnrolHeatRequest {
                correction: metres(correction),
                ..enrolment(&home, "2026-2027", Area, "100", None)
            };
            assert_eq!(reason(&wang.enrol_heat(bad).await.unwrap_err()), "HEAT_CORRECTION", "{correction}");
        }
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn a_11_two_runs_on_one_season_bill_each_once_and_one_bad_agreement_stops_nobody() {
    each(billing::SERVICE, async |bed| {
        use heat_account::Method::Area;
        let world = World::new(bed).await;
        publish(&world).await;
        open(&world, SEASON).await;
        world.clock("2025-10-20T10:00:00+08:00");
        let mut homes = vec![];
        for n in 0..6 {
            let home = heated(&world, &format!("T{n}"), "resident", None).await;
            enrol(&world, &home, Area, "100", None).await;
            homes.push(home);
        }
        // A bill of the season that is there already, by other hands.
        let stray = format!(
            "INSERT INTO bill (id, bill_no, kind, state, agreement_id, account_id, account_no, party_id, branch, year, month, from_date, to_date, from_index, to_index,
             volume, volume_before, tier_year, use_class, amount, paid, issue_date, due_date, de_facto, low_income, persons, credit_note_no, created_at, version, service, season)
             VALUES ({}, 'X', 'HEAT_SEASON', 'PAID', {}, {}, 'T2', {}, '{HEXI}', 2025, 11, '2025-11-14', '2026-03-15', 0, 0, 0, 0, 2025, 'resident', 0, 0, '2025-10-01', '2025-12-31',
             false, false, 0, '', 0, 1, 'HEAT', '{SEASON}')",
            world.uuid(&key()),
            world.uuid(&homes[2].agreement),
            world.uuid(&homes[2].account),
            world.uuid(&homes[2].party)
        );
        world.sql(&stray).await.unwrap();
        let start = async || {
            let request = AssessHeatRequest {
                request_id: key(),
                season: SEASON.to_owned(),
                branch: HEXI.to_owned(),
            };
            accountant(&world).assess_heat(request).await.unwrap().into_inner().run_id
        };
        let runs = futures::future::join_all([start(), start(), start()]).await;
        let (mut produced, mut parked) = (0, 0);
        for run in &runs {
            let run = world.finished(run).await;
            produced += run.produced;
            parked += run.parked;
        }
        assert_eq!((produced, parked), (5, 3));
        assert_eq!(world.count("SELECT count(*) FROM bill").await, 6);
        let items = ListBillRunItemsRequest {
            run_id: runs[0].clone(),
            ..Default::default()
        };
        let items = world.runs().list_bill_run_items(items).await.unwrap().into_inner().items;
        assert_eq!(items.iter().map(|i| i.reason.as_str()).collect::<Vec<_>>(), ["BILL_SEASON_UNIQUE"]);
        // As if the first run had counted one more, who is lost, and were still to begin when another one is signed: he does not fill the gap.
        let late = heated(&world, "T9", "resident", None).await;
        enrol(&world, &late, Area, "100", None).await;
        let run = world.uuid(&runs[0]);
        let counts = "produced = 0, already = 0, held = 0, missing = 0, parked = 0, skipped = 0, not_due = 0, bills_held = 0, amount = 0, voided = 0";
        for sql in [
            format!("DELETE FROM bill_run_item WHERE run_id = {run}"),
            format!("UPDATE bill_run SET state = 'RUNNING', reached = NULL, gap = NULL, finished_at = NULL, filed = 7, expected = 7, {counts} WHERE id = {run}"),
            format!("UPDATE job SET state = 'QUEUED' WHERE id = (SELECT job_id FROM bill_run WHERE id = {run})"),
        ] {
            world.sql(&sql).await.unwrap();
        }
        let lost = eventually("the end of the run", async || {
            let get = GetBillRunRequest { run_id: runs[0].clone() };
            let run = world.runs().get_bill_run(get).await.unwrap().into_inner().run.unwrap();
            (run.state() != bill_run::State::Running).then_some(run)
        })
        .await;
        assert_eq!((lost.state(), lost.already, lost.parked, lost.gap), (bill_run::State::Incomplete, 5, 1, 1));
        let next = assess(&world, SEASON).await;
        assert_eq!((next.expected, next.produced, next.already, next.parked, next.gap), (7, 1, 5, 1, 0));
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn a_balance_taken_over_for_heat_pays_the_season_bill() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        publish(&world).await;
        open(&world, SEASON).await;
        let gas = world.home("T1").await;
        let heat = heated(&world, "T1", "resident", Some(&gas)).await;
        enrol(&world, &heat, heat_account::Method::Area, "100", None).await;
        world.clock("2025-07-01T10:00:00+08:00");
        let row = OpeningRow {
            line: 2,
            account_no: "T1".to_owned(),
            service: "HEAT".to_owned(),
            as_of: "2025-06-30".to_owned(),
            prepayment: "400.00".to_owned(),
            items: vec![OpeningItem {
                reference: "2024-2025".to_owned(),
                due_on: "2024-12-31".to_owned(),
                amount: "150.00".to_owned(),
            }],
            ..Default::default()
        };
        let chunk = ImportOpeningRequest {
            request_id: key(),
            dry_run: false,
            rows: vec![row],
        };
        let mut openings = OpeningServiceClient::new(bed.staff(&[Role::Accountant]));
        let answer = openings
            .import_opening(tokio_stream::iter([chunk]))
            .await
            .unwrap()
            .into_inner()
            .message()
            .await
            .unwrap()
            .unwrap();
        assert_eq!((answer.accepted, answer.refused.len()), (1, 0));
        assess(&world, SEASON).await;
        let account = account(&world, &heat, SEASON).await;
        assert_eq!((account.state(), text(&account.paid).as_str()), (heat_account::State::PartlyPrepaid, "250.00"));
        assert_eq!(world.balance(&gas).await, ("2250.00".to_owned(), "0.00".to_owned()));
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn a_11_meter_that_fails_falls_back_to_area_and_nothing_is_guessed() {
    each(billing::SERVICE, async |bed| {
        use heat_account::{
            Method::{Area, Meter},
            State,
        };
        let world = World::new(bed).await;
        publish(&world).await;
        open(&world, SEASON).await;
        world.clock("2025-10-20T10:00:00+08:00");
        let (failed, unread, by_area) = (
            heated(&world, "T1", "resident", None).await,
            heated(&world, "T2", "resident", None).await,
            heated(&world, "T3", "resident", None).await,
        );
        for home in [&failed, &unread] {
            enrol(&world, home, Meter, "100", None).await;
            meter(&world, home, meter::Kind::HeatKwh).await;
        }
        enrol(&world, &by_area, Area, "100", None).await;
        assess(&world, SEASON).await;
        pay(&world, &failed, "2500.00", "1", vec![]).await;
        pay(&world, &by_area, "2000.00", "2", vec![]).await;
        world.clock("2026-03-20T10:00:00+08:00");
        let fault = |account: &HeatAccount| ReportHeatMeterFaultRequest {
            request_id: key(),
            heat_account_id: account.heat_account_id.clone(),
            etag: account.etag.clone(),
            grounds: "register stuck since January".to_owned(),
        };
        let wrong = fault(&account(&world, &by_area, SEASON).await);
        assert_eq!(reason(&district(&world).report_heat_meter_fault(wrong).await.unwrap_err()), "HEAT_BY_AREA");
        let known = fault(&account(&world, &failed, SEASON).await);
        district(&world).report_heat_meter_fault(known).await.unwrap();
        let run = settle(&world).await;
        assert_eq!((run.produced, run.already, run.missing), (0, 2, 1));
        let settled = account(&world, &failed, SEASON).await;
        assert_eq!(
            (settled.state(), text(&settled.settlement.unwrap().charged).as_str()),
            (State::Closed, "2500.00")
        );
        assert_eq!(account(&world, &by_area, SEASON).await.state(), State::SupplementDue);
        let waiting = account(&world, &unread, SEASON).await;
        assert_eq!((waiting.state(), waiting.settlement), (State::SeasonClosed, None));
        read(&world, &unread, "100", "5000").await;
        assert_eq!(settle(&world).await.produced, 1);
        // 750 + 4900 × 0.13 = 1387.00.
        assert_eq!(text(&account(&world, &unread, SEASON).await.amount), "1387.00");
        let closed = district(&world)
            .record_season_reading(index(&unread, season_reading::Moment::End, "2026-03-15", "5001"))
            .await
            .unwrap_err();
        assert_eq!(reason(&closed), "HEAT_SETTLED");
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn a_11_meter_swapped_within_the_season_counts_both() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        publish(&world).await;
        open(&world, SEASON).await;
        world.clock("2025-10-20T10:00:00+08:00");
        let home = heated(&world, "T1", "resident", None).await;
        enrol(&world, &home, heat_account::Method::Meter, "100", None).await;
        meter(&world, &home, meter::Kind::HeatKwh).await;
        assess(&world, SEASON).await;
        world.clock("2026-03-20T10:00:00+08:00");
        let mut reader = HeatServiceClient::new(bed.staff(&[Role::Reader]));
        reader
            .record_season_reading(index(&home, season_reading::Moment::Start, "2025-11-15", "100"))
            .await
            .unwrap();
        let remove = RemoveInstallationRequest {
            request_id: key(),
            meter_no: home.meter_no.clone(),
            agreement_id: home.agreement.clone(),
            final_index: metres("4100"),
            end_date: day("2026-01-10"),
            reason: "SWAP".to_owned(),
        };
        world.meters().remove_installation(remove).await.unwrap();
        let second = Home {
            meter_no: "H-SECOND".to_owned(),
            ..home.clone()
        };
        let register = RegisterMeterRequest {
            request_id: key(),
            meter_no: second.meter_no.clone(),
            kind: meter::Kind::HeatKwh.into(),
            model: "DN20".to_owned(),
            qmax: metres("25"),
            digits: 7,
            verified_date: day("2025-12-01"),
            branch: HEXI.to_owned(),
            ..Default::default()
        };
        world.meters().register_meter(register).await.unwrap();
        let install = InstallMeterRequest {
            request_id: key(),
            meter_no: second.meter_no.clone(),
            agreement_id: home.agreement.clone(),
            from_date: day("2026-01-10"),
            initial_index: metres("50"),
            photo_file: "photo".to_owned(),
            signed: true,
        };
        world.meters().install_meter(install).await.unwrap();
        reader
            .record_season_reading(index(&second, season_reading::Moment::End, "2026-03-15", "4150"))
            .await
            .unwrap();
        assert_eq!(settle(&world).await.produced, 1);
        // 4000 + 4100 = 8100 kWh: the worked bill.
        assert_eq!(text(&account(&world, &home, SEASON).await.amount), "1803.00");
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn p_9_3_units_are_never_converted_and_season_readings_are_kept_in_order() {
    each(billing::SERVICE, async |bed| {
        use season_reading::Moment::{End, Start};
        let world = World::new(bed).await;
        publish(&world).await;
        open(&world, SEASON).await;
        world.clock("2025-10-20T10:00:00+08:00");
        let home = heated(&world, "T1", "resident", None).await;
        enrol(&world, &home, heat_account::Method::Meter, "100", None).await;
        meter(&world, &home, meter::Kind::HeatGj).await;
        assess(&world, SEASON).await;
        world.clock("2026-03-20T10:00:00+08:00");
        let mut li = HeatServiceClient::new(bed.staff_named("li", &[Role::Reader, Role::DistrictManager]));
        let first = li
            .record_season_reading(index(&home, Start, "2025-11-15", "12.5"))
            .await
            .unwrap()
            .into_inner()
            .reading
            .unwrap();
        assert_eq!(first.unit, "GJ");
        let asking = li.clone();
        let refused = async |request: RecordSeasonReadingRequest| reason(&asking.clone().record_season_reading(request).await.unwrap_err());
        assert_eq!(refused(index(&home, Start, "2025-11-15", "13")).await, "READING_CONFLICT");
        assert_eq!(refused(index(&home, End, "2026-03-15", "12")).await, "FINAL_INDEX_LOWER");
        assert_eq!(refused(index(&home, End, "2026-03-21", "20")).await, "TIME_RANGE");
        assert_eq!(refused(index(&home, Start, "2025-09-01", "20")).await, "SEASON_READING_DAY");
        assert_eq!(refused(index(&home, End, "2026-03-15", "1e3")).await, "INDEX_NOT_PLAIN_DIGITS");
        li.record_season_reading(index(&home, End, "2026-03-15", "42.5")).await.unwrap();
        let correct = CorrectSeasonReadingRequest {
            request_id: key(),
            season_reading_id: first.season_reading_id.clone(),
            index: "12".to_owned(),
            grounds: "photo".to_owned(),
        };
        assert_eq!(reason(&li.correct_season_reading(correct.clone()).await.unwrap_err()), "OWN_READING");
        let stands = district(&world)
            .correct_season_reading(correct.clone())
            .await
            .unwrap()
            .into_inner()
            .reading
            .unwrap();
        assert_eq!((stands.index.clone(), stands.grounds.as_str()), (metres("12"), "photo"));
        let twice = CorrectSeasonReadingRequest { request_id: key(), ..correct };
        assert_eq!(
            reason(&district(&world).correct_season_reading(twice).await.unwrap_err()),
            "SEASON_READING_SUPERSEDED"
        );
        let list = ListSeasonReadingsRequest {
            agreement_id: Some(home.agreement.clone()),
            season: SEASON.to_owned(),
            ..Default::default()
        };
        let all = accountant(&world).list_season_readings(list).await.unwrap().into_inner().readings;
        assert_eq!(all.iter().map(|r| r.superseded).collect::<Vec<_>>(), [true, false, false]);
        // The notice prices kWh, the meter counts GJ: parked, not converted.
        let run = settle(&world).await;
        let items = ListBillRunItemsRequest {
            run_id: run.run_id.clone(),
            ..Default::default()
        };
        let items = world.runs().list_bill_run_items(items).await.unwrap().into_inner().items;
        assert_eq!((run.parked, items[0].reason.as_str()), (1, "HEAT_UNIT_MISMATCH"));
        // A heat meter has readings, of which no bill is made; a gas meter stays out of heat.
        let gas = world.home("T9").await;
        let crossed = RecordReadingRequest {
            request_id: key(),
            meter_no: home.meter_no.clone(),
            read_time: Some(rpc::wire::time(testbed::at("2026-03-19T12:00:00+08:00"))),
            index: "5".to_owned(),
            source: "reader".to_owned(),
            ..Default::default()
        };
        let mut reader = ReadingServiceClient::new(bed.staff(&[Role::Reader]));
        assert!(reader.record_reading(crossed).await.is_ok());
        let wrong = RecordSeasonReadingRequest {
            meter_no: gas.meter_no.clone(),
            ..index(&home, End, "2026-03-15", "5")
        };
        assert_eq!(refused(wrong).await, "METER_INACTIVE");
        assert_eq!(refused(index(&gas, End, "2026-03-15", "5")).await, "SUPPLY_NOT_HEAT");
        assert_eq!(
            reason(
                &district(&world)
                    .enrol_heat(enrolment(&gas, SEASON, heat_account::Method::Area, "5", None))
                    .await
                    .unwrap_err()
            ),
            "SUPPLY_NOT_HEAT"
        );
    })
    .await;
}

#[tokio::test]
async fn p_9_5_a_payment_for_gas_never_pays_heat_unless_designated() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        publish(&world).await;
        open(&world, SEASON).await;
        let gas = world.home("T1").await;
        let heat = heated(&world, "T1", "resident", Some(&gas)).await;
        enrol(&world, &heat, heat_account::Method::Area, "100", None).await;
        world.clock("2025-01-31T20:00:00+08:00");
        world.read(&gas, "2025-01-31", "46").await;
        world.run(1).await;
        assess(&world, SEASON).await;
        let plain = pay(&world, &gas, "200.00", "1", vec![]).await;
        assert_eq!((plain.service.as_str(), text(&plain.prepayment).as_str()), ("GAS", "68.44"));
        let standing = |bills: Vec<Bill>| bills.iter().map(|b| (b.service.clone(), text(&b.paid))).collect::<Vec<_>>();
        let pair = |service: &str, paid: &str| (service.to_owned(), paid.to_owned());
        assert_eq!(standing(world.bills_of(&gas).await), [pair("GAS", "131.56"), pair("HEAT", "0.00")]);
        // Designated: the heat bill is named, and what is left over is for heat.
        let bill = account(&world, &heat, SEASON).await.bill_id;
        let named = pay(&world, &gas, "2600.00", "2", vec![bill.clone()]).await;
        assert_eq!((named.service.as_str(), text(&named.prepayment).as_str()), ("HEAT", "100.00"));
        // The next gas bill takes what was paid ahead for gas, and leaves the heat money alone.
        world.clock("2025-02-28T20:00:00+08:00");
        world.read(&gas, "2025-02-28", "82").await;
        world.run(2).await;
        assert_eq!(
            standing(world.bills_of(&gas).await),
            [pair("GAS", "131.56"), pair("HEAT", "2500.00"), pair("GAS", "68.44")]
        );
        assert_eq!(world.balance(&gas).await, ("34.52".to_owned(), "100.00".to_owned()));
        // One payment is for one service.
        let third = world.bills_of(&gas).await[2].bill_id.clone();
        let correct = CorrectHeatAreaRequest {
            request_id: key(),
            heat_account_id: account(&world, &heat, SEASON).await.heat_account_id,
            etag: account(&world, &heat, SEASON).await.etag,
            area: metres("110"),
            height: None,
            document_reference: "survey".to_owned(),
        };
        let corrected = accountant(&world).correct_heat_area(correct).await.unwrap().into_inner().account.unwrap();
        assert_eq!((text(&corrected.amount).as_str(), text(&corrected.paid).as_str()), ("2750.00", "2600.00"));
        let mixed = TakePaymentRequest {
            request_id: key(),
            account_id: gas.account.clone(),
            amount: yuan("10.00"),
            channel: "COUNTER".to_owned(),
            channel_reference: "3".to_owned(),
            bill_ids: vec![third, corrected.bill_id],
        };
        assert_eq!(reason(&world.cashier().take_payment(mixed).await.unwrap_err()), "NAMED_BILLS_MIXED");
        // An account with heat alone pays heat.
        let alone = heated(&world, "T2", "resident", None).await;
        enrol(&world, &alone, heat_account::Method::Area, "40", None).await;
        assess(&world, SEASON).await;
        let paid = pay(&world, &alone, "1000.00", "4", vec![]).await;
        assert_eq!((paid.service.as_str(), paid.allocations.len()), ("HEAT", 1));
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn edge_31_a_season_straddles_the_year_and_has_one_name() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        assert_eq!(open(&world, "2023-2024").await.days, 122);
        assert_eq!(open(&world, "2024-2025").await.days, 121);
        let request = OpenHeatSeasonRequest {
            request_id: key(),
            season: "2024-2025".to_owned(),
            branch: HEXI.to_owned(),
            start_date: day("2024-11-15"),
            end_date: day("2025-03-15"),
            due_date: day("2024-12-31"),
            document_reference: "notice".to_owned(),
        };
        assert_eq!(
            reason(&accountant(&world).open_heat_season(request.clone()).await.unwrap_err()),
            "HEAT_SEASON_UNIQUE"
        );
        let renamed = OpenHeatSeasonRequest {
            request_id: key(),
            season: "2025-2026".to_owned(),
            ..request.clone()
        };
        assert_eq!(reason(&accountant(&world).open_heat_season(renamed).await.unwrap_err()), "SEASON_NAME");
        let elsewhere = OpenHeatSeasonRequest {
            request_id: key(),
            branch: HEPING.to_owned(),
            ..request
        };
        accountant(&world).open_heat_season(elsewhere).await.unwrap();
        let list = ListHeatSeasonsRequest {
            branch: HEXI.to_owned(),
            ..Default::default()
        };
        let seasons = accountant(&world).list_heat_seasons(list).await.unwrap().into_inner().seasons;
        assert_eq!(seasons.iter().map(|s| s.season.as_str()).collect::<Vec<_>>(), ["2023-2024", "2024-2025"]);
        // A past season takes nobody in.
        world.clock("2025-03-16T10:00:00+08:00");
        let home = heated(&world, "T1", "resident", None).await;
        let late = district(&world)
            .enrol_heat(enrolment(&home, "2024-2025", heat_account::Method::Area, "5", None))
            .await
            .unwrap_err();
        assert_eq!(reason(&late), "SEASON_OVER");
        let over = AssessHeatRequest {
            request_id: key(),
            season: "2024-2025".to_owned(),
            branch: HEXI.to_owned(),
        };
        assert_eq!(reason(&accountant(&world).assess_heat(over).await.unwrap_err()), "SEASON_OVER");
    })
    .await;
}

#[tokio::test]
async fn a_season_shows_itself_to_its_branch_and_its_customer() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        publish(&world).await;
        open(&world, SEASON).await;
        let home = heated(&world, "T1", "resident", None).await;
        let enrolled = enrol(&world, &home, heat_account::Method::Area, "100", None).await;
        let get = |party: Option<&str>| GetHeatAccountRequest {
            heat_account_id: enrolled.heat_account_id.clone(),
            party_id: party.map(str::to_owned),
        };
        let mut own = HeatServiceClient::new(bed.customer(&home.party));
        own.get_heat_account(get(Some(&home.party))).await.unwrap();
        let mut other = HeatServiceClient::new(bed.staff_of(HEPING, &[Role::Accountant, Role::DistrictManager]));
        assert_eq!(reason(&other.get_heat_account(get(None)).await.unwrap_err()), "NOT_FOUND");
        assert!(
            other
                .list_heat_seasons(ListHeatSeasonsRequest::default())
                .await
                .unwrap()
                .into_inner()
                .seasons
                .is_empty()
        );
        let foreign = other
            .enrol_heat(enrolment(&home, SEASON, heat_account::Method::Area, "90", None))
            .await
            .unwrap_err();
        assert_eq!(reason(&foreign), "NOT_FOUND");
        let stranger = key();
        let mut stranger_client = HeatServiceClient::new(bed.customer(&stranger));
        assert_eq!(reason(&stranger_client.get_heat_account(get(Some(&stranger))).await.unwrap_err()), "NOT_FOUND");
        let mut cashier = HeatServiceClient::new(bed.staff(&[Role::Cashier]));
        let denied = cashier
            .enrol_heat(enrolment(&home, SEASON, heat_account::Method::Area, "90", None))
            .await
            .unwrap_err();
        assert_eq!(denied.code(), tonic::Code::PermissionDenied);
        BillServiceClient::new(bed.staff(&[Role::Auditor]))
            .list_bills(ListBillsRequest::default())
            .await
            .unwrap();
        // A notice is refused without its basis, twice, and over another one.
        let none = PublishHeatTariffRequest {
            legal_basis: String::new(),
            ..notice("x", vec![class("school", "25", None, false)])
        };
        assert_eq!(reason(&world.tariffs().publish_heat_tariff(none).await.unwrap_err()), "LEGAL_BASIS_MISSING");
        let refused = [
            (vec![class("school", "25", None, false), class("school", "26", None, false)], "CLASS_TWICE"),
            (vec![class("school", "-25", None, false)], "HEAT_PRICE"),
            (vec![class("resident", "26", None, false)], "TARIFF_OVERLAP"),
        ];
        for (classes, why) in refused {
            assert_eq!(reason(&world.tariffs().publish_heat_tariff(notice("x", classes)).await.unwrap_err()), why);
        }
    })
    .await;
}

#[tokio::test]
async fn p_9_2_a_wrong_version_for_heat_is_replaced_until_a_season_was_settled_by_it() {
    each(billing::SERVICE, async |bed| {
        use heat_account::Method::Area;
        let world = World::new(bed).await;
        let mut tariffs = world.tariffs();
        let gas = world.publish_tianjin().await;
        // 52.00 instead of 25.00.
        let wrong = notice("wrong", vec![class("resident", "52", None, false)]);
        let wrong = tariffs.publish_heat_tariff(wrong).await.unwrap().into_inner().tariff.unwrap();
        open(&world, SEASON).await;
        world.clock("2025-10-20T10:00:00+08:00");
        let (billed, later) = (heated(&world, "T1", "resident", None).await, heated(&world, "T2", "resident", None).await);
        enrol(&world, &billed, Area, "100", None).await;
        assert_eq!(assess(&world, SEASON).await.produced, 1);
        let replacing = |of: &Tariff| PublishHeatTariffRequest {
            replaces_tariff_id: Some(of.tariff_id.clone()),
            ..notice("right", vec![class("resident", "25", None, false)])
        };
        let shifted = PublishHeatTariffRequest {
            from_date: day("2020-01-01"),
            ..replacing(&wrong)
        };
        assert_eq!(reason(&tariffs.publish_heat_tariff(shifted).await.unwrap_err()), "DATE_ORDER");
        assert_eq!(reason(&tariffs.publish_heat_tariff(replacing(&gas)).await.unwrap_err()), "NOT_FOUND");
        let right = tariffs.publish_heat_tariff(replacing(&wrong)).await.unwrap().into_inner().tariff.unwrap();
        assert_eq!(reason(&tariffs.publish_heat_tariff(replacing(&wrong)).await.unwrap_err()), "TARIFF_REPLACED");
        enrol(&world, &later, Area, "80", None).await;
        assert_eq!(assess(&world, SEASON).await.produced, 1);
        let amount = async |home: &Home| text(&account(&world, home, SEASON).await.amount);
        assert_eq!((amount(&billed).await, amount(&later).await), ("5200.00".to_owned(), "2000.00".to_owned()));
        // The bill that the wrong version made is billed anew for the area that it had.
        let seen = account(&world, &billed, SEASON).await;
        let correct = CorrectHeatAreaRequest {
            request_id: key(),
            heat_account_id: seen.heat_account_id,
            etag: seen.etag,
            area: metres("100"),
            height: None,
            document_reference: "the price of the notice".to_owned(),
        };
        accountant(&world).correct_heat_area(correct).await.unwrap();
        assert_eq!(amount(&billed).await, "2500.00");
        world.sound().await;
        world.clock("2026-03-20T10:00:00+08:00");
        settle(&world).await;
        assert_eq!(reason(&tariffs.publish_heat_tariff(replacing(&right)).await.unwrap_err()), "TARIFF_SETTLED");
    })
    .await;
}

/// What the notices of heat besides the two prices may say: a tax, a standing charge, a rounding.
#[tokio::test]
async fn a_11_tax_standing_charge_and_rounding_of_heat_reach_both_bills() {
    each(billing::SERVICE, async |bed| {
        use heat_account::Method::Meter;
        let world = World::new(bed).await;
        let asked = PublishHeatTariffRequest {
            tax_percent: metres("9"),
            rounding: Some(Rounding {
                mode: rounding::Mode::Floor.into(),
                place: metres("0.1"),
            }),
            ..notice(
                "all of it",
                vec![HeatClass {
                    standing_charges: vec![StandingCharge {
                        price: metres("0.5"),
                        per: standing_charge::Per::Day.into(),
                        rounding: None,
                    }],
                    rounding: Some(Rounding {
                        mode: rounding::Mode::Floor.into(),
                        place: metres("1"),
                    }),
                    ..class("resident", "25", Some(("7.5", "0.13", Settlement::RefundAndSupplement)), false)
                }],
            )
        };
        let rateless = PublishHeatTariffRequest {
            request_id: key(),
            tax_percent: None,
            tax_included: true,
            ..asked.clone()
        };
        assert_eq!(reason(&world.tariffs().publish_heat_tariff(rateless).await.unwrap_err()), "TARIFF_RULE");
        let made = world.tariffs().publish_heat_tariff(asked.clone()).await.unwrap().into_inner().tariff.unwrap();
        assert_eq!(
            (&made.heat_classes, &made.tax_percent, &made.rounding),
            (&asked.classes, &asked.tax_percent, &asked.rounding)
        );
        open(&world, SEASON).await;
        world.clock("2025-10-20T10:00:00+08:00");
        let home = heated(&world, "T1", "resident", None).await;
        enrol(&world, &home, Meter, "100.03", None).await;
        meter(&world, &home, meter::Kind::HeatKwh).await;
        assert_eq!(assess(&world, SEASON).await.produced, 1);
        let lines = |bill: &Bill| bill.lines.iter().map(|l| (l.reason.clone(), text(&l.amount))).collect::<Vec<_>>();
        let told = |lines: &[(&str, &str)]| {
            lines
                .iter()
                .map(|(reason, amount)| ((*reason).to_owned(), (*amount).to_owned()))
                .collect::<Vec<_>>()
        };
        // 121 days × 0.50 = 60.50; 100.03 × 25 = 2500.75 → 2500; 2560.50 × 1.09 = 2790.945 → 2790.90.
        let season = bill(&world, &account(&world, &home, SEASON).await.bill_id).await;
        assert_eq!(text(&season.amount), "2790.90");
        assert_eq!(
            lines(&season),
            told(&[
                ("FIXED", "60.50"),
                ("UNIT", "2500.75"),
                ("ROUNDING", "-0.75"),
                ("TAX", "230.45"),
                ("ROUNDING", "-0.05")
            ])
        );
        pay(&world, &home, "2790.90", "season", vec![]).await;
        world.clock("2026-03-20T10:00:00+08:00");
        read(&world, &home, "0", "8100").await;
        assert_eq!(settle(&world).await.produced, 1);
        // 100.03 × 7.50 = 750.225 → 750; 8100 × 0.13 = 1053; with 60.50 they are 1863.50, × 1.09 = 2031.215 → 2031.20.
        let settled = account(&world, &home, SEASON).await;
        let settlement = settled.settlement.unwrap();
        assert_eq!(
            (text(&settlement.by_meter), text(&settlement.difference)),
            ("2031.20".to_owned(), "759.70".to_owned())
        );
        let season = bill(&world, &settled.bill_id).await;
        assert_eq!((season.kind(), text(&season.amount).as_str()), (bill::Kind::HeatSettlement, "2031.20"));
        assert_eq!(season.lines.iter().map(|l| l.unit.as_str()).collect::<Vec<_>>(), ["", "m2", "kWh", "", "", ""]);
        world.sound().await;
        // The same prices tried on the season change nobody; without the tax the settlement is 1863.50.
        for (tax_percent, tried) in [(asked.tax_percent.clone(), "2031.20"), (None, "1863.50")] {
            let prices = TryHeatTariffRequest {
                classes: asked.classes.clone(),
                rounding: asked.rounding.clone(),
                tax_percent,
                ..Default::default()
            };
            let total = priced_by(&world, prices).await.total.unwrap();
            assert_eq!((text(&total.billed), text(&total.tried)), ("2031.20".to_owned(), tried.to_owned()));
        }
    })
    .await;
}

#[tokio::test]
async fn decision_10_heat_has_prices_of_a_branch_and_for_all() {
    each(billing::SERVICE, async |bed| {
        use heat_account::Method::Area;
        let world = World::new(bed).await;
        let own = PublishHeatTariffRequest {
            branch: HEXI.to_owned(),
            ..notice("own", vec![class("resident", "25", None, false)])
        };
        for request in [
            notice("all", vec![class("resident", "24", None, false), class("school", "30", None, false)]),
            own,
        ] {
            world.tariffs().publish_heat_tariff(request).await.unwrap();
        }
        open(&world, SEASON).await;
        world.clock("2025-10-20T10:00:00+08:00");
        let (home, school) = (heated(&world, "T1", "resident", None).await, heated(&world, "T2", "school", None).await);
        for home in [&home, &school] {
            enrol(&world, home, Area, "100", None).await;
        }
        assert_eq!(assess(&world, SEASON).await.produced, 2);
        let amount = async |home: &Home| text(&account(&world, home, SEASON).await.amount);
        assert_eq!((amount(&home).await, amount(&school).await), ("2500.00".to_owned(), "3000.00".to_owned()));
    })
    .await;
}

fn tried(home: &Home, year: i32, month: i32) -> TryBillRequest {
    TryBillRequest {
        agreement_id: home.agreement.clone(),
        year,
        month,
    }
}

/// A bill with its explanation, without what only an issued one has.
async fn issued(world: &World<'_>, home: &Home) -> (Bill, String) {
    let mut bill = bill(world, &account(world, home, SEASON).await.bill_id).await;
    let request = ExplainBillRequest {
        bill_id: bill.bill_id.clone(),
        party_id: None,
    };
    let explanation = world.bills().explain_bill(request).await.unwrap().into_inner().explanation.unwrap();
    for field in [&mut bill.bill_id, &mut bill.bill_no, &mut bill.run_id, &mut bill.etag] {
        field.clear();
    }
    bill.state = bill::State::Draft.into();
    bill.paid = yuan("0.00");
    bill.create_time = None;
    (bill, explanation.content)
}

#[tokio::test]
async fn b_19_a_season_is_tried_as_it_is_billed_and_settled_and_nothing_is_written() {
    each(billing::SERVICE, async |bed| {
        use heat_account::Method::{Area, Meter};
        use try_bill_response::Outcome;
        let world = World::new(bed).await;
        publish(&world).await;
        open(&world, SEASON).await;
        world.clock("2025-10-20T10:00:00+08:00");
        let (home, by_area, unpriced) = (
            heated(&world, "T1", "resident", None).await,
            heated(&world, "T2", "resident, city network", None).await,
            heated(&world, "T3", "greenhouse", None).await,
        );
        let answer = async |home: &Home, year: i32, month: i32| world.runs().try_bill(tried(home, year, month)).await.map(|a| a.into_inner());
        let outcome = async |home: &Home, year: i32, month: i32| {
            let answer = answer(home, year, month).await.unwrap();
            (answer.outcome(), answer.reason)
        };
        let nothing = |outcome| (outcome, String::new());
        assert_eq!(outcome(&home, 2025, 10).await, (Outcome::Parked, "HEAT_NOT_ENROLLED".to_owned()));
        enrol(&world, &home, Meter, "100", None).await;
        meter(&world, &home, meter::Kind::HeatKwh).await;
        enrol(&world, &by_area, Area, "80.5", Some("5")).await;
        enrol(&world, &unpriced, Area, "50", None).await;
        // Every row that a run writes, and every change of one.
        let written = async || {
            let mut counts = vec![];
            for of in ["bill", "bill_line", "bill_explanation", "bill_run", "heat_account", "ledger_entry", "journal"] {
                counts.push(world.count(&format!("SELECT count(*) FROM {of}")).await);
            }
            counts.push(world.count("SELECT CAST(sum(version) AS bigint) FROM heat_account").await);
            counts
        };
        let before = written().await;
        assert_eq!(outcome(&unpriced, 2025, 10).await, (Outcome::Parked, "TARIFF_MISSING".to_owned()));
        // A month before the season stands for it, as one within it does.
        let (first, high) = (answer(&home, 2025, 10).await.unwrap(), answer(&by_area, 2026, 2).await.unwrap());
        assert_eq!(written().await, before);
        assert_eq!(
            (first.outcome(), text(&first.bill.as_ref().unwrap().amount).as_str()),
            (Outcome::Bill, "2500.00")
        );
        assert_eq!(
            text(&high.bill.as_ref().unwrap().amount),
            "2173.50",
            "80.5 m² of 5 m at 24 and an eighth more for the metre above 4"
        );
        assert_eq!(assess(&world, SEASON).await.produced, 2);
        for (home, tried) in [(&home, first), (&by_area, high)] {
            let (bill, content) = issued(&world, home).await;
            let told = tried.bill.map(|bill| Bill { create_time: None, ..bill });
            assert_eq!((told, tried.explanation.unwrap().content), (Some(bill), content));
            assert_eq!(outcome(home, 2025, 11).await, nothing(Outcome::Already));
        }
        // After the season its settlement is tried.
        world.clock("2026-03-20T10:00:00+08:00");
        assert_eq!(outcome(&home, 2026, 3).await, nothing(Outcome::Missing));
        assert_eq!(outcome(&by_area, 2026, 3).await, nothing(Outcome::Already), "the season bill stands");
        assert_eq!(outcome(&unpriced, 2026, 3).await, (Outcome::Parked, "HEAT_NOT_ASSESSED".to_owned()));
        read(&world, &home, "1000", "9100").await;
        let before = written().await;
        let settlement = answer(&home, 2026, 3).await.unwrap();
        assert_eq!(written().await, before);
        let bill = settlement.bill.clone().unwrap();
        // 100 × 7.50 + 8 100 × 0.13.
        assert_eq!(
            (settlement.outcome(), bill.kind(), text(&bill.amount).as_str()),
            (Outcome::Bill, bill::Kind::HeatSettlement, "1803.00")
        );
        assert_eq!(settle(&world).await.produced, 1);
        let (bill, content) = issued(&world, &home).await;
        let told = settlement.bill.map(|bill| Bill { create_time: None, ..bill });
        assert_eq!((told, settlement.explanation.unwrap().content), (Some(bill), content));
        assert_eq!(outcome(&home, 2026, 3).await, nothing(Outcome::Already));
        assert_eq!(reason(&answer(&home, 2026, 4).await.unwrap_err()), "NOT_FOUND", "the next season is not opened");
        let mut foreign = bill_run_service_client::BillRunServiceClient::new(bed.staff_of(HEPING, &[Role::Accountant]));
        assert_eq!(reason(&foreign.try_bill(tried(&home, 2026, 3)).await.unwrap_err()), "NOT_FOUND");
    })
    .await;
}

#[tokio::test]
async fn b_06_a_season_is_settled_by_indexes_only_that_its_meter_can_show_and_pass() {
    each(billing::SERVICE, async |bed| {
        use season_reading::Moment::{End, Start};
        let world = World::new(bed).await;
        publish(&world).await;
        open(&world, SEASON).await;
        world.clock("2025-10-20T10:00:00+08:00");
        let home = heated(&world, "T1", "resident", None).await;
        enrol(&world, &home, heat_account::Method::Meter, "100", None).await;
        // Seven digits and 25 kW, at 0 on 10 October.
        meter(&world, &home, meter::Kind::HeatKwh).await;
        assess(&world, SEASON).await;
        world.clock("2026-03-20T10:00:00+08:00");
        let mut li = HeatServiceClient::new(bed.staff_named("li", &[Role::Reader]));
        let asking = li.clone();
        let refused = async |moment, on: &str, value: &str| {
            let request = index(&home, moment, on, value);
            reason(&asking.clone().record_season_reading(request).await.unwrap_err())
        };
        // 36 days × 24 h × 25 kW = 21 600 kWh.
        assert_eq!(refused(Start, "2025-11-15", "21601").await, "INDEX_OUT_OF_LINE");
        li.record_season_reading(index(&home, Start, "2025-11-15", "1000")).await.unwrap();
        // 120 days × 24 h × 25 kW = 72 000 kWh.
        for (on, value, wanted) in [
            ("2026-03-15", "73001", "INDEX_OUT_OF_LINE"),
            ("2026-03-15", "999", "FINAL_INDEX_LOWER"),
            ("2026-03-15", "10000000", "INDEX_DIGITS"),
            ("2026-03-21", "9100", "TIME_RANGE"),
            ("2025-11-14", "9100", "DATE_ORDER"),
        ] {
            assert_eq!(refused(End, on, value).await, wanted, "{on} {value}");
        }
        let end = li
            .record_season_reading(index(&home, End, "2026-03-15", "73000"))
            .await
            .unwrap()
            .into_inner()
            .reading
            .unwrap();
        let correct = |value: &str| CorrectSeasonReadingRequest {
            request_id: key(),
            season_reading_id: end.season_reading_id.clone(),
            index: value.to_owned(),
            grounds: "photo".to_owned(),
        };
        for (value, wanted) in [("73001", "INDEX_OUT_OF_LINE"), ("999", "FINAL_INDEX_LOWER"), ("10000000", "INDEX_DIGITS")] {
            assert_eq!(
                reason(&district(&world).correct_season_reading(correct(value)).await.unwrap_err()),
                wanted,
                "{value}"
            );
        }
        district(&world).correct_season_reading(correct("9100")).await.unwrap();
        // What stands there by other hands is held against the meter once more: 3 kW pass 8 640 kWh, 2.8 kW pass 8 064.
        let power = |qmax: i64| format!("UPDATE meter SET qmax = {qmax} WHERE meter_no = '{}'", home.meter_no);
        world.sql(&power(2_800)).await.unwrap();
        let run = settle(&world).await;
        let items = ListBillRunItemsRequest {
            run_id: run.run_id.clone(),
            ..Default::default()
        };
        let items = world.runs().list_bill_run_items(items).await.unwrap().into_inner().items;
        assert_eq!((run.produced, run.parked, items[0].reason.as_str()), (0, 1, "INDEX_OUT_OF_LINE"));
        world.sql(&power(3_000)).await.unwrap();
        assert_eq!(settle(&world).await.produced, 1);
        assert_eq!(text(&account(&world, &home, SEASON).await.amount), "1803.00");
        world.sound().await;
    })
    .await;
}

/// The last answer of a trial.
async fn priced_anew(world: &World<'_>, classes: Vec<HeatClass>) -> TariffTrial {
    priced_by(world, TryHeatTariffRequest { classes, ..Default::default() }).await
}

async fn priced_by(world: &World<'_>, prices: TryHeatTariffRequest) -> TariffTrial {
    let request = TryHeatTariffRequest {
        season: SEASON.to_owned(),
        branch: HEXI.to_owned(),
        ..prices
    };
    let mut answers = world.tariffs().try_heat_tariff(request).await.unwrap().into_inner();
    let mut last = None;
    while let Some(answer) = answers.message().await.unwrap() {
        last = answer.result;
    }
    last.unwrap()
}

#[tokio::test]
async fn b_19_prices_of_heat_are_tried_on_the_bills_of_a_season() {
    each(billing::SERVICE, async |bed| {
        use Settlement::{Capped, RefundAndSupplement};
        use heat_account::Method::{Area, Meter};
        let world = World::new(bed).await;
        publish(&world).await;
        open(&world, SEASON).await;
        world.clock("2025-10-20T10:00:00+08:00");
        let network = "resident, city network";
        let (metered, capped, high) = (
            heated(&world, "T1", "resident", None).await,
            heated(&world, "T2", "resident, capped", None).await,
            heated(&world, "T3", network, None).await,
        );
        for home in [&metered, &capped] {
            enrol(&world, home, Meter, "100", None).await;
            meter(&world, home, meter::Kind::HeatKwh).await;
        }
        enrol(&world, &high, Area, "80.5", Some("5")).await;
        assert_eq!(assess(&world, SEASON).await.produced, 3);
        world.clock("2026-03-20T10:00:00+08:00");
        read(&world, &metered, "1000", "9100").await;
        read(&world, &capped, "0", "20000").await;
        assert_eq!(settle(&world).await.produced, 2);
        let prices = |energy: &str, area: &str, by_area: &str| {
            vec![
                class("resident", "25.00", Some(("7.50", energy, RefundAndSupplement)), false),
                class("resident, capped", area, Some(("7.50", "0.13", Capped)), false),
                class(network, by_area, None, true),
            ]
        };
        let told = |effect: &Option<tariff_trial::Effect>| {
            let effect = effect.as_ref().unwrap();
            (effect.agreements, effect.bills, text(&effect.billed), text(&effect.tried))
        };
        let row = |agreements, billed: &str, tried: &str| (agreements, agreements, billed.to_owned(), tried.to_owned());
        let bills = "SELECT count(*) FROM bill";
        let before = world.count(bills).await;
        let same = priced_anew(&world, prices("0.13", "25", "24")).await;
        // 1803.00 by meter, 2500.00 at the most, 2173.50 by area and height.
        assert_eq!(told(&same.total), row(3, "6476.50", "6476.50"));
        assert_eq!(told(&same.unchanged), told(&same.total));
        let other = priced_anew(&world, prices("0.15", "24", "26")).await;
        // 8 100 × 0.02 and 80.5 × 26 × 1.125 = 2354.625 less 2173.50 are lost, 100 × 1.00 of the cap is gained.
        assert_eq!(told(&other.losers), row(2, "3976.50", "4319.63"));
        assert_eq!(told(&other.winners), row(1, "2500.00", "2400.00"));
        let names: Vec<_> = other.largest_losses.iter().map(|c| (c.account_no.as_str(), c.use_class.as_str())).collect();
        assert_eq!(names, [("T3", network), ("T1", "resident")]);
        // A metered agreement has no price without one by meter; other classes are left as they are.
        let none = priced_anew(&world, vec![class("resident", "25", None, false), class("school", "25", None, false)]).await;
        assert_eq!((told(&none.total).0, none.left_out), (0, 3));
        assert_eq!(world.count(bills).await, before, "nothing is stored");
        let wrong = TryHeatTariffRequest {
            season: SEASON.to_owned(),
            classes: vec![class("resident", "-25", None, false)],
            ..Default::default()
        };
        assert_eq!(reason(&world.tariffs().try_heat_tariff(wrong).await.unwrap_err()), "HEAT_PRICE");
    })
    .await;
}
