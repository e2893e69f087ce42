//! E11: adjustments of volume, meter error and theft.

use contracts::hearth::{
    archive::v1 as archive,
    billing::v1::{
        adjustment::{Grounds, State},
        adjustment_service_client::AdjustmentServiceClient,
        *,
    },
    options::v1::Role,
};
use testbed::{Client, each, key, reason};

use crate::{
    dues::{charge_of, due_on, fees, item, pay, profile, profiles, publish, terms},
    rebill::anew,
    world::{HEPING, HEXI, Home, World, day, meter_row, metres, text, yuan},
};

fn staff(world: &World<'_>, name: &str, roles: &[Role]) -> AdjustmentServiceClient<Client> {
    AdjustmentServiceClient::new(world.bed.staff_named(name, roles))
}

fn maker(world: &World<'_>) -> AdjustmentServiceClient<Client> {
    staff(world, "maker", &[Role::DistrictManager])
}

fn of(home: &Home, grounds: Grounds, from: &str, to: &str) -> RequestAdjustmentRequest {
    RequestAdjustmentRequest {
        request_id: key(),
        agreement_id: home.agreement.clone(),
        grounds: grounds.into(),
        from_date: day(from),
        to_date: day(to),
        statement: "旧表损坏".to_owned(),
        ..Default::default()
    }
}

pub fn stated(home: &Home, grounds: Grounds, volume: &str, from: &str, to: &str) -> RequestAdjustmentRequest {
    RequestAdjustmentRequest {
        stated_volume: metres(volume),
        ..of(home, grounds, from, to)
    }
}

fn test_of(error: &str, permitted: &str) -> Option<ErrorFormula> {
    Some(ErrorFormula {
        error_percent: metres(error),
        permitted_percent: metres(permitted),
        report_no: "JD-1".to_owned(),
    })
}

pub async fn ask(world: &World<'_>, request: RequestAdjustmentRequest) -> Adjustment {
    maker(world).request_adjustment(request).await.unwrap().into_inner().adjustment.unwrap()
}

fn evidence_of(adjustment: &Adjustment) -> FileEvidenceRequest {
    FileEvidenceRequest {
        request_id: key(),
        adjustment_id: adjustment.adjustment_id.clone(),
        etag: adjustment.etag.clone(),
        evidence_file_ids: vec!["ab".repeat(32)],
    }
}

fn submission_of(adjustment: &Adjustment, on: &str) -> SubmitAdjustmentRequest {
    SubmitAdjustmentRequest {
        request_id: key(),
        adjustment_id: adjustment.adjustment_id.clone(),
        etag: adjustment.etag.clone(),
        informed_date: day(on),
    }
}

/// Files evidence and submits.
async fn submit(world: &World<'_>, adjustment: Adjustment, on: &str) -> Adjustment {
    let adjustment = match adjustment.state() {
        State::Requested => maker(world)
            .file_evidence(evidence_of(&adjustment))
            .await
            .unwrap()
            .into_inner()
            .adjustment
            .unwrap(),
        _ => adjustment,
    };
    let request = submission_of(&adjustment, on);
    maker(world).submit_adjustment(request).await.unwrap().into_inner().adjustment.unwrap()
}

fn approval_of(adjustment: &Adjustment, role: Role) -> ApproveAdjustmentRequest {
    ApproveAdjustmentRequest {
        request_id: key(),
        adjustment_id: adjustment.adjustment_id.clone(),
        etag: adjustment.etag.clone(),
        role: role.into(),
    }
}

/// One of that post approves.
async fn approve(world: &World<'_>, adjustment: &Adjustment, role: Role) -> Adjustment {
    let mut person = staff(world, &format!("one {}", role.as_str_name()), &[role]);
    person
        .approve_adjustment(approval_of(adjustment, role))
        .await
        .unwrap()
        .into_inner()
        .adjustment
        .unwrap()
}

/// All posts that it needs approve.
pub async fn approved(world: &World<'_>, adjustment: Adjustment, on: &str) -> Adjustment {
    let mut adjustment = submit(world, adjustment, on).await;
    while let Some(role) = adjustment.awaited_roles().next() {
        adjustment = approve(world, &adjustment, role).await;
    }
    assert_eq!(adjustment.state(), State::Approved);
    adjustment
}

fn posting_of(adjustment: &Adjustment) -> PostAdjustmentRequest {
    PostAdjustmentRequest {
        request_id: key(),
        adjustment_id: adjustment.adjustment_id.clone(),
        etag: adjustment.etag.clone(),
    }
}

pub async fn post(world: &World<'_>, adjustment: &Adjustment) -> PostAdjustmentResponse {
    staff(world, "poster", &[Role::Accountant])
        .post_adjustment(posting_of(adjustment))
        .await
        .unwrap()
        .into_inner()
}

fn reversal_of(adjustment: &Adjustment) -> ReverseAdjustmentRequest {
    ReverseAdjustmentRequest {
        request_id: key(),
        adjustment_id: adjustment.adjustment_id.clone(),
        etag: adjustment.etag.clone(),
        reason: "the wrong house".to_owned(),
    }
}

/// Another person takes a posted one back.
pub async fn taken_back(world: &World<'_>, adjustment: &Adjustment) -> ReverseAdjustmentResponse {
    let mut person = staff(world, "finance", &[Role::Finance]);
    person.reverse_adjustment(reversal_of(adjustment)).await.unwrap().into_inner()
}

/// Whether a bill is overdue hangs on the day on which it is asked for.
async fn live(world: &World<'_>, home: &Home) -> Vec<Bill> {
    let bills = world.bills_of(home).await.into_iter();
    let live = bills.filter(|b| b.state() != bill::State::Reversed);
    live.map(|b| Bill { overdue: false, ..b }).collect()
}

fn amounts(bills: &[Bill]) -> Vec<String> {
    bills.iter().map(|b| text(&b.amount)).collect()
}

/// Months of 2025 of homes, read and billed.
async fn months(world: &World<'_>, homes: &[(&Home, &[&str])]) {
    for (month, on) in (1..).zip(["2025-01-31", "2025-02-28", "2025-03-31", "2025-04-30"]) {
        let at = usize::try_from(month).unwrap() - 1;
        let due: Vec<_> = homes.iter().filter(|(_, indexes)| at < indexes.len()).collect();
        if due.is_empty() {
            return;
        }
        world.clock(&format!("{on}T20:00:00+08:00"));
        for (home, indexes) in &due {
            world.read(home, on, indexes[at]).await;
        }
        assert_eq!(usize::try_from(world.run(month).await.produced).unwrap(), due.len());
    }
}

#[tokio::test]
async fn e_11_03_a_make_up_rates_its_year_anew_and_edits_no_reading() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let (home, twin) = (world.home("R1").await, world.home("R2").await);
        // 40 m³ of January went past the meter.
        months(&world, &[(&home, &["200", "440", "660"]), (&twin, &["240", "480", "700"])]).await;
        // 200 × 2.86; 100 × 2.86 + 140 × 3.36; 160 × 3.36 + 60 × 4.11.
        assert_eq!(amounts(&live(&world, &home).await), ["572.00", "756.40", "784.20"]);
        let readings = "SELECT count(*) FROM reading WHERE state = 'BILLED'";
        assert_eq!(world.count(readings).await, 6);
        world.clock("2025-04-02T09:00:00+08:00");
        let request = stated(&home, Grounds::MeterUnreadable, "40", "2024-12-31", "2025-01-31");
        let asked = ask(&world, request.clone()).await;
        // The last 40 of 700: 40 × 4.11.
        assert_eq!((text(&asked.expected_amount).as_str(), asked.levels), ("164.40", 1));
        let again = maker(&world)
            .request_adjustment(RequestAdjustmentRequest { request_id: key(), ..request })
            .await
            .unwrap_err();
        assert_eq!(reason(&again), "ADJUSTMENT_OPEN_UNIQUE");
        let adjustment = approved(&world, asked, "2025-04-02").await;
        let request = posting_of(&adjustment);
        let mut poster = staff(&world, "poster", &[Role::Accountant]);
        let answer = poster.post_adjustment(request.clone()).await.unwrap().into_inner();
        // As the twin: 240 × 2.86; 60 × 2.86 + 180 × 3.36; 120 × 3.36 + 100 × 4.11.
        assert_eq!(amounts(&answer.bills), ["686.40", "776.40", "814.20"]);
        assert_eq!(amounts(&answer.reversed_bills), ["572.00", "756.40", "784.20"]);
        let posted = answer.adjustment.clone().unwrap();
        assert_eq!((posted.state(), text(&posted.difference).as_str()), (State::Posted, "164.40"));
        assert_eq!(poster.post_adjustment(request).await.unwrap().into_inner(), answer, "a repetition");
        let told = |bills: Vec<Bill>| {
            let told = |b: Bill| (b.from_date, b.to_date, b.volume, b.volume_before, b.lines, b.amount);
            bills.into_iter().map(told).collect::<Vec<_>>()
        };
        assert_eq!(told(live(&world, &home).await), told(live(&world, &twin).await), "as if all had been counted");
        assert_eq!(
            (answer.bills[0].from_index.clone(), answer.bills[0].to_index.clone()),
            (metres("0"), metres("200"))
        );
        assert_eq!(world.count(readings).await, 6);
        assert_eq!(world.count("SELECT count(*) FROM reading WHERE restated IS NOT NULL").await, 0);
        let explain = ExplainBillRequest {
            bill_id: answer.bills[0].bill_id.clone(),
            party_id: None,
        };
        let content = world.bills().explain_bill(explain).await.unwrap().into_inner().explanation.unwrap().content;
        assert!(content.contains("m1.adjusted given = 40\n"), "{content}");
        world.sound().await;
        assert_eq!(world.run(3).await.already, 2);
        // A month billed anew for another reason keeps the adjustment.
        let anew = CancelAndRebillRequest {
            request_id: key(),
            bill_id: answer.bills[0].bill_id.clone(),
            etag: live(&world, &home).await[0].etag.clone(),
            reason: "once more".to_owned(),
            reading_was_wrong: false,
            credits_taken_back: false,
        };
        let answer = world.bills().cancel_and_rebill(anew).await.unwrap().into_inner();
        assert_eq!(
            (amounts(&answer.bills), text(&answer.difference).as_str()),
            (vec!["686.40".to_owned(), "776.40".to_owned(), "814.20".to_owned()], "0.00")
        );
        // Taken back by another person, the bills are what they were.
        let own = staff(&world, "poster", &[Role::Finance])
            .reverse_adjustment(reversal_of(&posted))
            .await
            .unwrap_err();
        assert_eq!(reason(&own), "OWN_ADJUSTMENT");
        let back = taken_back(&world, &posted).await;
        assert_eq!(amounts(&back.bills), ["572.00", "756.40", "784.20"]);
        assert_eq!(back.adjustment.unwrap().state(), State::Reversed);
        assert_eq!(world.balance(&home).await.0, "2112.60");
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn e_11_03_and_b23_what_was_credited_is_not_charged_again_unless_somebody_says_so() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let home = world.home("R1").await;
        months(&world, &[(&home, &["150", "280"])]).await;
        world.clock("2025-03-02T09:00:00+08:00");
        let february = live(&world, &home).await.remove(1);
        let credit = CreditBillRequest {
            request_id: key(),
            bill_id: february.bill_id.clone(),
            etag: february.etag.clone(),
            amount: yuan("20.00"),
            reason: "he complained".to_owned(),
        };
        world.bills().credit_bill(credit).await.unwrap();
        // 280 × 2.86 - 20.00.
        assert_eq!(world.balance(&home).await.0, "780.80");
        let request = stated(&home, Grounds::MeterUnreadable, "10", "2024-12-31", "2025-01-31");
        let adjustment = approved(&world, ask(&world, request).await, "2025-03-02").await;
        // The credit is on a later bill of the tier year.
        let refused = staff(&world, "poster", &[Role::Accountant])
            .post_adjustment(posting_of(&adjustment))
            .await
            .unwrap_err();
        assert_eq!(reason(&refused), "BILL_CREDITED");
        let january = live(&world, &home).await.remove(0);
        assert_eq!(
            reason(&world.bills().cancel_and_rebill(anew(&january, false)).await.unwrap_err()),
            "BILL_CREDITED"
        );
        assert_eq!(world.balance(&home).await.0, "780.80", "nothing is half done");
        let known = CancelAndRebillRequest {
            credits_taken_back: true,
            ..anew(&live(&world, &home).await[1], false)
        };
        let answer = world.bills().cancel_and_rebill(known).await.unwrap().into_inner();
        assert_eq!(
            (text(&answer.difference), world.balance(&home).await.0),
            ("20.00".to_owned(), "800.80".to_owned())
        );
        // 10 × 2.86.
        assert_eq!(text(&post(&world, &adjustment).await.adjustment.unwrap().difference), "28.60");
        assert_eq!(world.balance(&home).await.0, "829.40");
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn e_11_01_what_an_adjustment_needs() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let home = world.home("R1").await;
        months(&world, &[(&home, &["62", "62"])]).await;
        world.clock("2025-03-02T09:00:00+08:00");
        let refused = async |request| reason(&maker(&world).request_adjustment(request).await.unwrap_err());
        let whole = |grounds, volume| stated(&home, grounds, volume, "2024-12-31", "2025-01-31");
        assert_eq!(refused(whole(Grounds::MeterError, "5")).await, "ADJUSTMENT_METHOD");
        assert_eq!(refused(whole(Grounds::CountedTwice, "0")).await, "ADJUSTMENT_NOTHING");
        assert_eq!(refused(whole(Grounds::CountedTwice, "-62.001")).await, "ADJUSTMENT_EXCEEDS");
        assert_eq!(
            refused(stated(&home, Grounds::CountedTwice, "-1", "2025-01-31", "2025-01-31")).await,
            "DATE_ORDER"
        );
        assert_eq!(
            refused(stated(&home, Grounds::CountedTwice, "-1", "2025-01-31", "2025-03-03")).await,
            "FUTURE_DAY"
        );
        let early = stated(&home, Grounds::MeterUnreadable, "1", "2024-07-31", "2024-08-31");
        assert_eq!(refused(early).await, "ADJUSTMENT_UNPRICED", "there was no price before September");
        let unlike = RequestAdjustmentRequest {
            comparison: Some(Comparison {
                from_date: day("2024-12-30"),
                to_date: day("2025-01-31"),
            }),
            ..of(&home, Grounds::MeterStopped, "2025-01-31", "2025-02-28")
        };
        assert_eq!(refused(unlike.clone()).await, "NO_BASIS");
        // E10: 62 m³ in 31 days are 56 in the 28 days in which the meter stood still.
        let like = RequestAdjustmentRequest {
            request_id: key(),
            comparison: Some(Comparison {
                from_date: day("2024-12-31"),
                to_date: day("2025-01-31"),
            }),
            ..unlike
        };
        let mut adjustment = ask(&world, like).await;
        assert_eq!((adjustment.volume.clone(), adjustment.method()), (metres("56"), adjustment::Method::Comparison));
        assert_eq!(adjustment.computation, "56 m3 as in 2024-12-31 to 2025-01-31, 0 m3 billed");
        let early = maker(&world).submit_adjustment(submission_of(&adjustment, "2025-03-02")).await.unwrap_err();
        assert_eq!(reason(&early), "ADJUSTMENT_STATE", "without evidence");
        adjustment = maker(&world)
            .file_evidence(evidence_of(&adjustment))
            .await
            .unwrap()
            .into_inner()
            .adjustment
            .unwrap();
        let informed = maker(&world).submit_adjustment(submission_of(&adjustment, "2025-03-03")).await.unwrap_err();
        assert_eq!(reason(&informed), "FUTURE_DAY", "the customer is informed before");
        let unseen = AdjustmentServiceClient::new(world.bed.staff_of(HEPING, &[Role::DistrictManager]));
        let get = GetAdjustmentRequest {
            adjustment_id: adjustment.adjustment_id.clone(),
        };
        assert_eq!(reason(&unseen.clone().get_adjustment(get.clone()).await.unwrap_err()), "NOT_FOUND");
        let list = ListAdjustmentsRequest::default();
        assert!(unseen.clone().list_adjustments(list.clone()).await.unwrap().into_inner().adjustments.is_empty());
        assert_eq!(maker(&world).list_adjustments(list).await.unwrap().into_inner().adjustments.len(), 1);
        assert_eq!(maker(&world).get_adjustment(get).await.unwrap().into_inner().adjustment.unwrap(), adjustment);
        let cashier = staff(&world, "cashier", &[Role::Cashier])
            .request_adjustment(whole(Grounds::CountedTwice, "1"))
            .await
            .unwrap_err();
        assert_eq!(cashier.code(), tonic::Code::PermissionDenied, "section 13: no adjustment by a cashier");
        let reject = RejectAdjustmentRequest {
            request_id: key(),
            adjustment_id: adjustment.adjustment_id.clone(),
            etag: adjustment.etag.clone(),
            reason: "read it again".to_owned(),
        };
        let own = maker(&world).reject_adjustment(reject.clone()).await.unwrap_err();
        assert_eq!(reason(&own), "OWN_ADJUSTMENT");
        let rejected = staff(&world, "manager", &[Role::ServiceManager])
            .reject_adjustment(reject)
            .await
            .unwrap()
            .into_inner();
        assert_eq!(rejected.adjustment.unwrap().state(), State::Rejected);
        assert!(
            world
                .sql("UPDATE adjustment SET volume = 1")
                .await
                .unwrap_err()
                .to_string()
                .contains("adjustment_is_immutable")
        );
        assert!(world.sql("DELETE FROM adjustment_part").await.unwrap_err().to_string().contains("append_only"));
        assert_eq!(amounts(&live(&world, &home).await), ["177.32", "0.00"], "nothing was billed anew");
    })
    .await;
}

#[tokio::test]
async fn e_11_02_m11_each_level_approves_by_other_persons() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let home = world.home("R1").await;
        months(&world, &[(&home, &["100"])]).await;
        world.clock("2025-02-02T09:00:00+08:00");
        // 2.5 m³ an hour, 8 hours, 31 days are 620 m³; 100 are billed.
        let request = RequestAdjustmentRequest {
            rated_flow: Some(RatedFlow {
                flow: metres("2.5"),
                hours: metres("8"),
            }),
            ..of(&home, Grounds::UnmeteredUse, "2024-12-31", "2025-01-31")
        };
        let adjustment = ask(&world, request).await;
        // 200 × 2.86 + 300 × 3.36 + 20 × 4.11.
        assert_eq!(
            (adjustment.volume.clone(), text(&adjustment.expected_amount).as_str(), adjustment.levels),
            (metres("520"), "1662.20", 3)
        );
        let mut adjustment = submit(&world, adjustment, "2025-02-02").await;
        assert_eq!(adjustment.awaited_roles().collect::<Vec<_>>(), [Role::DistrictManager, Role::Accountant]);
        let both = [Role::DistrictManager, Role::Accountant, Role::ServiceManager, Role::Leader, Role::Finance];
        let refused = async |name: &str, roles: &[Role], adjustment: &Adjustment, role| {
            reason(&staff(&world, name, roles).approve_adjustment(approval_of(adjustment, role)).await.unwrap_err())
        };
        assert_eq!(refused("maker", &both, &adjustment, Role::DistrictManager).await, "OWN_ADJUSTMENT");
        assert_eq!(refused("leader", &both, &adjustment, Role::Leader).await, "ADJUSTMENT_POST", "not awaited yet");
        assert_eq!(
            refused("other", &[Role::ServiceManager], &adjustment, Role::Accountant).await,
            "ADJUSTMENT_POST",
            "not that post"
        );
        let stale = Adjustment {
            etag: "stale".to_owned(),
            ..adjustment.clone()
        };
        assert_eq!(refused("other", &both, &stale, Role::Accountant).await, "ETAG_MISMATCH");
        let mut first = staff(&world, "first", &both);
        adjustment = first
            .approve_adjustment(approval_of(&adjustment, Role::DistrictManager))
            .await
            .unwrap()
            .into_inner()
            .adjustment
            .unwrap();
        assert_eq!(
            (adjustment.state(), adjustment.awaited_roles().collect::<Vec<_>>()),
            (State::L1, vec![Role::Accountant])
        );
        assert_eq!(
            refused("first", &both, &adjustment, Role::Accountant).await,
            "OWN_ADJUSTMENT",
            "two posts, one person"
        );
        let early = staff(&world, "poster", &[Role::Accountant])
            .post_adjustment(posting_of(&adjustment))
            .await
            .unwrap_err();
        assert_eq!(reason(&early), "ADJUSTMENT_STATE");
        for (role, state) in [
            (Role::Accountant, State::L2),
            (Role::ServiceManager, State::L3),
            (Role::Finance, State::L3),
            (Role::Leader, State::Approved),
        ] {
            adjustment = approve(&world, &adjustment, role).await;
            assert_eq!(adjustment.state(), state, "{role:?}");
        }
        assert_eq!(adjustment.approvals.iter().map(|a| a.level).collect::<Vec<_>>(), [1, 1, 2, 3, 3]);
        let own = staff(&world, "maker", &[Role::Accountant])
            .post_adjustment(posting_of(&adjustment))
            .await
            .unwrap_err();
        assert_eq!(reason(&own), "OWN_ADJUSTMENT");
        let answer = post(&world, &adjustment).await;
        assert_eq!(amounts(&answer.bills), ["1948.20"], "620: 300 × 2.86 + 300 × 3.36 + 20 × 4.11");
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn e_11_02_levels_are_data_of_the_profile() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let level = |volume: Option<&str>, role: Role| AdjustmentLevel {
            up_to_volume: volume.and_then(metres),
            up_to_amount: None,
            roles: vec![role.into()],
        };
        let with = |levels| ProfileTerms {
            adjustment: Some(AdjustmentTerms {
                levels,
                lookback_months: 1,
                theft_days: 30,
                theft_hours: metres("4"),
            }),
            ..terms()
        };
        let falling = with(vec![level(Some("5"), Role::Accountant)]);
        let refused = profiles(&world).publish_profile(profile(HEXI, "2025-01-01", falling)).await.unwrap_err();
        assert_eq!(reason(&refused), "ADJUSTMENT_LEVELS");
        let city = with(vec![level(Some("5"), Role::Accountant), level(None, Role::Leader)]);
        let published = profiles(&world)
            .publish_profile(profile(HEXI, "2025-01-01", city.clone()))
            .await
            .unwrap()
            .into_inner();
        assert_eq!(published.profile.unwrap().terms, Some(city));
        let home = world.home("R1").await;
        months(&world, &[(&home, &["62", "118"])]).await;
        world.clock("2025-03-01T09:00:00+08:00");
        let request = stated(&home, Grounds::CountedTwice, "-5", "2025-01-31", "2025-02-28");
        let adjustment = ask(&world, request).await;
        assert_eq!(adjustment.levels, 1);
        let adjustment = approved(&world, adjustment, "2025-03-01").await;
        assert_eq!(adjustment.approvals.len(), 1);
        assert_eq!(text(&post(&world, &adjustment).await.adjustment.unwrap().difference), "-14.30", "5 × 2.86");
        // One month back from 28 February: January is not touched. 118 − 62 = 56, less 5: 51 were counted after the adjustment, 56 by the meter.
        let error = RequestAdjustmentRequest {
            error_formula: test_of("12", "3"),
            ..of(&home, Grounds::MeterError, "2024-12-31", "2025-02-28")
        };
        let adjustment = ask(&world, error).await;
        // From 28 January: 3 of 31 days of 62 m³ are 6: 5.357 true; and 50 of 56.
        assert_eq!(adjustment.volume, metres("-6.643"));
        assert_eq!(adjustment.levels, 2);
    })
    .await;
}

#[tokio::test]
async fn e_11_04_edge_09_a_fast_meter_gives_back_at_the_tiers_where_it_was_billed() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        publish(&world, item("METER_TEST", "30")).await;
        let home = world.home("R1").await;
        months(&world, &[(&home, &["200", "306", "412"])]).await;
        // 200 × 2.86; 100 × 2.86 + 6 × 3.36; 106 × 3.36.
        assert_eq!(amounts(&live(&world, &home).await), ["572.00", "306.16", "356.16"]);
        world.clock("2025-04-01T09:00:00+08:00");
        let fee = fees(&world)
            .charge_fee(charge_of(&home, "METER_TEST", "1"))
            .await
            .unwrap()
            .into_inner()
            .bill
            .unwrap();
        pay(&world, &home, "1264.32", "1").await;
        let within = RequestAdjustmentRequest {
            error_formula: test_of("-3", "3"),
            ..of(&home, Grounds::MeterError, "2024-12-31", "2025-03-31")
        };
        let passed = maker(&world).request_adjustment(within).await.unwrap_err();
        assert_eq!(reason(&passed), "METER_WITHIN_LIMITS", "the customer asked for the test and keeps its fee");
        let tested = RequestAdjustmentRequest {
            error_formula: test_of("6", "3"),
            test_fee_bill_id: Some(fee.bill_id.clone()),
            ..of(&home, Grounds::MeterError, "2024-12-31", "2025-03-31")
        };
        let no_fee = RequestAdjustmentRequest {
            request_id: key(),
            test_fee_bill_id: Some(live(&world, &home).await[0].bill_id.clone()),
            ..tested.clone()
        };
        assert_eq!(reason(&maker(&world).request_adjustment(no_fee).await.unwrap_err()), "BILL_STATE");
        let adjustment = ask(&world, tested).await;
        // Two months back from 31 March: 212 m³ were read, 200 are true.
        assert_eq!((adjustment.volume.clone(), adjustment.parts.len()), (metres("-12"), 2));
        assert_eq!(adjustment.computation, "212 m3 read / (1 + 6 %), report JD-1");
        let adjustment = approved(&world, adjustment, "2025-04-01").await;
        let answer = post(&world, &adjustment).await;
        assert_eq!(amounts(&answer.bills), ["286.00", "336.00"], "100 × 2.86; 100 × 3.36");
        assert_eq!(text(&answer.adjustment.unwrap().difference), "-40.32", "12 × 3.36");
        assert_eq!(
            amounts(&answer.reversed_bills),
            ["306.16", "356.16", "30.00"],
            "with the fee of the test that the company lost"
        );
        assert_eq!(amounts(&live(&world, &home).await), ["572.00", "286.00", "336.00"], "January stands");
        assert_eq!(world.balance(&home).await, ("0.00".to_owned(), "70.32".to_owned()));
        // It is set off against the next bill.
        world.clock("2025-04-30T20:00:00+08:00");
        world.read(&home, "2025-04-30", "518").await;
        assert_eq!(world.run(4).await.produced, 1);
        let next = live(&world, &home).await.pop().unwrap();
        assert_eq!((text(&next.amount).as_str(), text(&next.paid).as_str()), ("356.16", "70.32"), "106 × 3.36");
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn e_11_03_edge_47_a_closed_year_is_rated_anew_and_the_next_one_stands() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let home = world.home("R1").await;
        let month = async |on: &str, index: &str, year, month| {
            world.clock(&format!("{on}T20:00:00+08:00"));
            world.read(&home, on, index).await;
            let run = world.start_run(year, month).await;
            assert_eq!(world.finished(&run).await.produced, 1);
        };
        month("2025-12-31", "310", 2025, 12).await;
        month("2026-01-31", "350", 2026, 1).await;
        // 300 × 2.86 + 10 × 3.36; 40 × 2.86 in a new year.
        assert_eq!(amounts(&live(&world, &home).await), ["891.60", "114.40"]);
        world.clock("2026-02-10T09:00:00+08:00");
        let adjustment = ask(&world, stated(&home, Grounds::CountedTwice, "-20", "2024-12-31", "2025-12-31")).await;
        let adjustment = approved(&world, adjustment, "2026-02-10").await;
        let answer = post(&world, &adjustment).await;
        assert_eq!(
            (amounts(&answer.reversed_bills), amounts(&answer.bills)),
            (vec!["891.60".to_owned()], vec!["829.40".to_owned()]),
            "290 × 2.86"
        );
        assert_eq!(text(&answer.adjustment.unwrap().difference), "-62.20", "10 × 3.36 + 10 × 2.86");
        let bills = live(&world, &home).await;
        let new = bills.iter().find(|b| b.bill_id == answer.bills[0].bill_id).unwrap();
        assert_eq!((new.tier_year, new.issue_date, new.to_date), (2025, day("2026-02-10"), day("2025-12-31")));
        month("2026-02-28", "390", 2026, 2).await;
        let february = live(&world, &home).await.into_iter().find(|b| b.month == 2).unwrap();
        assert_eq!((text(&february.amount).as_str(), february.volume_before), ("114.40", metres("40")));
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn e_11_03_what_no_bill_covers_yet_counts_in_the_next_one() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let home = world.home("R1").await;
        months(&world, &[(&home, &["46"])]).await;
        world.clock("2025-02-20T09:00:00+08:00");
        let adjustment = ask(&world, stated(&home, Grounds::MeterUnreadable, "20", "2025-01-31", "2025-02-20")).await;
        let adjustment = approved(&world, adjustment, "2025-02-20").await;
        let answer = post(&world, &adjustment).await;
        assert_eq!((answer.bills, text(&answer.adjustment.unwrap().difference)), (vec![], "0.00".to_owned()));
        world.clock("2025-02-28T20:00:00+08:00");
        world.read(&home, "2025-02-28", "80").await;
        assert_eq!(world.run(2).await.produced, 1);
        let february = live(&world, &home).await.remove(1);
        assert_eq!((february.volume, text(&february.amount)), (metres("54"), "154.44".to_owned()), "34 + 20");
    })
    .await;
}

fn case_of(home: &Home) -> OpenTheftCaseRequest {
    OpenTheftCaseRequest {
        request_id: key(),
        agreement_id: home.agreement.clone(),
        conduct: theft_case::Conduct::Bypass.into(),
        found_date: day("2025-03-15"),
        statement: "表前接管".to_owned(),
        evidence_file_ids: vec!["cd".repeat(32)],
        witnesses: vec!["first".to_owned(), "second".to_owned()],
        case_id: None,
    }
}

fn report_of(case: &TheftCase, on: &str) -> ReportTheftCaseRequest {
    ReportTheftCaseRequest {
        request_id: key(),
        theft_case_id: case.theft_case_id.clone(),
        etag: case.etag.clone(),
        police_report_no: "A-1".to_owned(),
        reported_date: day(on),
    }
}

fn theft_of(case: &TheftCase, hours: Option<&str>) -> DetermineTheftRequest {
    DetermineTheftRequest {
        request_id: key(),
        theft_case_id: case.theft_case_id.clone(),
        etag: case.etag.clone(),
        flow: metres("2.5"),
        hours: hours.and_then(metres),
        since_date: None,
    }
}

#[tokio::test]
async fn e_11_05_a_theft_is_determined_and_billed_apart() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let home = world.home("R1").await;
        months(&world, &[(&home, &["46", "92"])]).await;
        let before = live(&world, &home).await;
        world.clock("2025-03-15T09:00:00+08:00");
        let alone = OpenTheftCaseRequest {
            witnesses: vec!["first".to_owned(), "first".to_owned()],
            ..case_of(&home)
        };
        assert_eq!(
            maker(&world).open_theft_case(alone).await.unwrap_err().code(),
            tonic::Code::InvalidArgument,
            "two persons"
        );
        let unseen = OpenTheftCaseRequest {
            evidence_file_ids: vec![],
            ..case_of(&home)
        };
        assert_eq!(
            maker(&world).open_theft_case(unseen).await.unwrap_err().code(),
            tonic::Code::InvalidArgument,
            "with a photo or a video"
        );
        let case = maker(&world).open_theft_case(case_of(&home)).await.unwrap().into_inner().theft_case.unwrap();
        let twice = maker(&world).open_theft_case(case_of(&home)).await.unwrap_err();
        assert_eq!(reason(&twice), "THEFT_OPEN_UNIQUE");
        let refused = async |request| reason(&maker(&world).determine_theft(request).await.unwrap_err());
        assert_eq!(refused(theft_of(&case, Some("4"))).await, "THEFT_STATE", "the police comes first");
        let future = maker(&world).report_theft_case(report_of(&case, "2025-03-16")).await.unwrap_err();
        assert_eq!(reason(&future), "FUTURE_DAY");
        let case = maker(&world)
            .report_theft_case(report_of(&case, "2025-03-15"))
            .await
            .unwrap()
            .into_inner()
            .theft_case
            .unwrap();
        assert_eq!(refused(theft_of(&case, None)).await, "THEFT_HOURS", "hours are a matter of the city");
        assert_eq!(refused(theft_of(&case, Some("24.5"))).await, "QUANTITY");
        let answer = maker(&world).determine_theft(theft_of(&case, Some("4"))).await.unwrap().into_inner();
        let (case, adjustment) = (answer.theft_case.unwrap(), answer.adjustment.unwrap());
        // 180 days where the beginning is not known: 2.5 × 4 × 180.
        assert_eq!((adjustment.volume.clone(), adjustment.from_date), (metres("1800"), day("2024-09-16")));
        assert_eq!(adjustment.computation, "2.5 m3/h x 4 h a day x 180 days");
        // Above 92: 208 × 2.86 + 300 × 3.36 + 1292 × 4.11.
        assert_eq!((text(&adjustment.expected_amount).as_str(), adjustment.levels), ("6913.00", 3));
        assert_eq!(adjustment.evidence_file_ids, case.evidence_file_ids);
        let adjustment = submit(&world, adjustment, "2025-03-15").await;
        let witness = staff(&world, "first", &[Role::Accountant])
            .approve_adjustment(approval_of(&adjustment, Role::Accountant))
            .await
            .unwrap_err();
        assert_eq!(reason(&witness), "OWN_ADJUSTMENT", "a witness decides nothing");
        let mut adjustment = adjustment;
        while let Some(role) = adjustment.awaited_roles().next() {
            adjustment = approve(&world, &adjustment, role).await;
        }
        world.clock("2025-03-20T09:00:00+08:00");
        let answer = post(&world, &adjustment).await;
        let bill = answer.bills[0].clone();
        assert_eq!(
            (bill.kind(), text(&bill.amount).as_str(), bill.volume.clone()),
            (bill::Kind::Theft, "6913.00", metres("1800"))
        );
        // Due from the determination on, so that no late fee comes before it.
        assert_eq!((bill.issue_date, bill.due_date), (day("2025-03-20"), day("2025-04-04")));
        assert_eq!(answer.reversed_bills, []);
        let cases = maker(&world)
            .list_theft_cases(ListTheftCasesRequest::default())
            .await
            .unwrap()
            .into_inner()
            .theft_cases;
        assert_eq!(cases[0].state(), theft_case::State::Billed);
        assert_eq!(live(&world, &home).await[..2], before[..], "normal bills are untouched");
        world.clock("2025-03-31T20:00:00+08:00");
        world.read(&home, "2025-03-31", "138").await;
        assert_eq!(world.run(3).await.produced, 1);
        let march = live(&world, &home).await.pop().unwrap();
        assert_eq!(
            (text(&march.amount).as_str(), march.volume_before),
            ("131.56", metres("92")),
            "46 × 2.86 in the first tier"
        );
        let reverse = ReverseBillRequest {
            request_id: key(),
            bill_id: bill.bill_id.clone(),
            etag: bill.etag.clone(),
            reason: "no".to_owned(),
            reading_was_wrong: false,
        };
        assert_eq!(reason(&world.bills().reverse_bill(reverse).await.unwrap_err()), "BILL_OF_ADJUSTMENT");
        let posted = answer.adjustment.unwrap();
        let back = taken_back(&world, &posted).await;
        assert_eq!((amounts(&back.reversed_bills), back.bills), (vec!["6913.00".to_owned()], vec![]));
        let case = maker(&world)
            .list_theft_cases(ListTheftCasesRequest::default())
            .await
            .unwrap()
            .into_inner()
            .theft_cases
            .remove(0);
        assert_eq!((case.state(), case.adjustment_id.as_str()), (theft_case::State::Reported, ""));
        let dismiss = DismissTheftCaseRequest {
            request_id: key(),
            theft_case_id: case.theft_case_id,
            etag: case.etag,
            reason: "it was the neighbour".to_owned(),
        };
        let own = staff(&world, "maker", &[Role::ServiceManager])
            .dismiss_theft_case(dismiss.clone())
            .await
            .unwrap_err();
        assert_eq!(reason(&own), "OWN_THEFT_CASE");
        let gone = staff(&world, "manager", &[Role::ServiceManager])
            .dismiss_theft_case(dismiss)
            .await
            .unwrap()
            .into_inner()
            .theft_case
            .unwrap();
        assert_eq!(gone.state(), theft_case::State::Dismissed);
        assert_eq!(world.balance(&home).await.0, "394.68", "138 × 2.86");
        world.sound().await;
    })
    .await;
}

/// A theft is reported, determined for the days since `since` and so many hours of 2.5 m³ a day, approved and billed.
async fn theft_billed(world: &World<'_>, home: &Home, since: &str, hours: &str) -> Bill {
    let case = maker(world).open_theft_case(case_of(home)).await.unwrap().into_inner().theft_case.unwrap();
    let reported = maker(world).report_theft_case(report_of(&case, "2025-03-15")).await.unwrap().into_inner();
    let determine = DetermineTheftRequest {
        since_date: day(since),
        ..theft_of(&reported.theft_case.unwrap(), Some(hours))
    };
    let determined = maker(world).determine_theft(determine).await.unwrap().into_inner().adjustment.unwrap();
    let mut adjustment = submit(world, determined, "2025-03-15").await;
    while let Some(role) = adjustment.awaited_roles().next() {
        adjustment = approve(world, &adjustment, role).await;
    }
    post(world, &adjustment).await.bills.remove(0)
}

#[tokio::test]
async fn e_11_05_a_theft_of_years_stands_above_what_was_used_in_the_first_of_them() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let home = world.home_since_2022("R1").await;
        world.clock("2025-03-15T09:00:00+08:00");
        world.read(&home, "2022-06-30", "290").await;
        assert_eq!(world.finished(&world.start_run(2022, 6).await).await.produced, 1);
        let bill = theft_billed(&world, &home, "2022-06-30", "4").await;
        // 10 m³ a day. 1840 above 290: 10 × 2.86 + 300 × 3.36 + 1530 × 4.11 = 7324.90; 3650, 3660 and 740 above nothing: 300 × 2.86 + 300 × 3.36 = 1866.00
        // each, and 3050, 3060 and 140 × 4.11.
        assert_eq!((text(&bill.amount).as_str(), bill.volume), ("38610.40", metres("9890")));
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn a_06_theft_without_a_contract_in_force_is_billed_flagged_and_the_contract_is_asked_for() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let (covered, ended, early) = (world.home("R1").await, world.home("R2").await, world.home("R3").await);
        let signed = world.tell_signed("R4", HEXI, "living", "2024-12-31");
        world.supply(&signed, |s| s.state() == supply::State::Signed).await;
        world.install(&signed, "2024-12-31", "0").await;
        let told = archive::ContractEnded {
            agreement_id: ended.agreement.clone(),
            end_date: day("2025-03-14"),
        };
        world.archive.tell(&ended.agreement, &told);
        world.supply(&ended, |s| s.state() == supply::State::Ended).await;
        world.clock("2025-03-15T09:00:00+08:00");
        // Contract from new year's eve on: from the reading of that day every day is covered. 2.5 × 1 × 74 = 185 m³ × 2.86.
        let bill = theft_billed(&world, &covered, "2024-12-31", "1").await;
        assert_eq!((bill.kind(), text(&bill.amount).as_str(), bill.de_facto), (bill::Kind::Theft, "529.10", false));
        let asked = async || {
            let open = world.exceptions(reading_exception::State::Open, reading_exception::Code::ContractMissing).await;
            open.into_iter().map(|e| (e.meter_no, e.date)).collect::<Vec<_>>()
        };
        assert_eq!(asked().await, []);
        // It ended on the day before the last; the first one began after the theft; one never came into force.
        for (home, since) in [(&ended, "2024-12-31"), (&early, "2024-12-01"), (&signed, "2024-12-31")] {
            let bill = theft_billed(&world, home, since, "1").await;
            assert!(bill.de_facto, "{}", home.account_no);
        }
        let mut missing = asked().await;
        missing.sort_by(|a, b| a.0.cmp(&b.0));
        let on = day("2025-03-15");
        let wanted = ["M-R2", "M-R3", "M-R4"].map(|meter| (meter.to_owned(), on));
        assert_eq!(missing, wanted);
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn e_11_04_edge_08_an_expired_meter_bills_normally_and_the_company_claims_two_months_back() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let home = world.tell("R1", HEXI, "living", "2024-12-31");
        world.supply(&home, |s| s.state() == supply::State::InForce).await;
        // Ten years on natural gas end on 31 January 2025.
        let row = MeterRow {
            gas_kind: meter::GasKind::Natural.into(),
            verified_on: "2015-02-01".to_owned(),
            ..meter_row(&home, "2024-12-31", "0")
        };
        assert_eq!(world.import_meters(vec![row]).await[0].accepted, 1);
        months(&world, &[(&home, &["100", "190", "290"])]).await;
        let expired = world.exceptions(reading_exception::State::Open, reading_exception::Code::Expired).await;
        assert_eq!(
            expired.iter().map(|e| (e.date, e.readings[0].state())).collect::<Vec<_>>(),
            [(day("2025-02-28"), reading::State::Billed)]
        );
        // 100 × 2.86; 90 × 2.86; 100 × 2.86.
        assert_eq!(amounts(&live(&world, &home).await), ["286.00", "257.40", "286.00"]);
        world.clock("2025-04-01T09:00:00+08:00");
        let slow = RequestAdjustmentRequest {
            error_formula: test_of("-10", "3"),
            ..of(&home, Grounds::MeterError, "2024-12-31", "2025-03-31")
        };
        let adjustment = ask(&world, slow).await;
        // Two months back from 31 March: 90 / 0.9 = 100 and 100 / 0.9 = 111.111. The error of January is the company's loss.
        let parts: Vec<_> = adjustment.parts.iter().map(|p| (p.from_date, p.to_date, p.volume.clone())).collect();
        assert_eq!(
            parts,
            [
                (day("2025-01-31"), day("2025-02-28"), metres("10")),
                (day("2025-02-28"), day("2025-03-31"), metres("11.111"))
            ]
        );
        let adjustment = approved(&world, adjustment, "2025-04-01").await;
        // 21.111 m³ more, of which 11.111 above 300 in the year: 100 + 100 + 111.111 = 311.111: 100 × 2.86 + 11.111 × 3.36 = 323.33.
        assert_eq!(amounts(&post(&world, &adjustment).await.bills), ["286.00", "323.33"]);
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn edge_10_a_stopped_meter_is_made_up_by_the_same_season_in_the_tiers_and_without_late_fee_before_notice() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        profiles(&world).publish_profile(profile(HEXI, "2024-09-01", terms())).await.unwrap();
        let home = world.tell("R1", HEXI, "living", "2024-09-30");
        world.supply(&home, |s| s.state() == supply::State::InForce).await;
        world.install(&home, "2024-09-30", "0").await;
        let month = async |on: &str, index: &str, year, month| {
            world.read(&home, on, index).await;
            let run = world.start_run(year, month).await;
            assert_eq!(world.finished(&run).await.produced, 1);
        };
        // 184 m³ in the 92 days of October to December, 280 in the year up to September; then it stands still for three months.
        month("2024-12-31", "184", 2024, 12).await;
        world.clock("2025-12-31T20:00:00+08:00");
        month("2025-09-30", "464", 2025, 9).await;
        month("2025-10-31", "464", 2025, 10).await;
        month("2025-11-30", "464", 2025, 11).await;
        month("2025-12-31", "464", 2025, 12).await;
        assert_eq!(amounts(&live(&world, &home).await)[2..], ["0.00", "0.00", "0.00"]);
        world.clock("2026-01-10T09:00:00+08:00");
        let stopped = RequestAdjustmentRequest {
            comparison: Some(Comparison {
                from_date: day("2024-09-30"),
                to_date: day("2024-12-31"),
            }),
            ..of(&home, Grounds::MeterStopped, "2025-09-30", "2025-12-31")
        };
        let adjustment = ask(&world, stopped).await;
        assert_eq!(
            (adjustment.volume.clone(), adjustment.method()),
            (metres("184"), adjustment::Method::Comparison)
        );
        let adjustment = approved(&world, adjustment, "2026-01-10").await;
        let answer = post(&world, &adjustment).await;
        // 2 m³ a day in 31, 30 and 31 days, from 280 on in the year: 20 × 2.86 + 42 × 3.36; 60 × 3.36; 62 × 3.36.
        let ledger: Vec<_> = answer
            .bills
            .iter()
            .map(|b| (b.volume.clone(), b.volume_before.clone(), text(&b.amount)))
            .collect();
        let row = |volume, before, amount: &str| (metres(volume), metres(before), amount.to_owned());
        assert_eq!(ledger, [row("62", "280", "198.32"), row("60", "342", "201.60"), row("62", "402", "208.32")]);
        assert!(
            answer
                .bills
                .iter()
                .all(|b| (b.issue_date, b.due_date) == (day("2026-01-10"), day("2026-01-25")))
        );
        // The customer hears of it with these bills: no late fee for the months before, nor up to the day on which they are due.
        let first = &answer.bills[0];
        assert_eq!(due_on(&world, first, "2026-01-25").await, "0.00");
        // 198.32 × 2 per mille × 1 day.
        assert_eq!(due_on(&world, first, "2026-01-26").await, "0.40");
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn b_40_an_adjustment_and_a_theft_name_the_abnormal_case_that_they_come_from() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let (home, other) = (world.home("R1").await, world.home("R2").await);
        world.clock("2025-03-15T09:00:00+08:00");
        for home in [&home, &other] {
            world.read(home, "2025-01-31", "100").await;
            world.read(home, "2025-02-28", "360").await;
        }
        assert_eq!(world.run(1).await.produced, 2);
        let cases = world.district().list_cases(ListCasesRequest::default()).await.unwrap().into_inner().cases;
        let case_of_home = |home: &Home| cases.iter().find(|c| c.agreement_id == home.agreement).unwrap().case_id.clone();
        let (own, foreign) = (case_of_home(&home), case_of_home(&other));
        let request = |case: Option<String>| RequestAdjustmentRequest {
            case_id: case,
            ..stated(&home, Grounds::MeterUnreadable, "40", "2024-12-31", "2025-01-31")
        };
        for wrong in [foreign.clone(), key()] {
            let refused = maker(&world).request_adjustment(request(Some(wrong))).await.unwrap_err();
            assert_eq!(reason(&refused), "NOT_FOUND");
        }
        let adjustment = ask(&world, request(Some(own.clone()))).await;
        assert_eq!(adjustment.case_id, own);
        let reject = RejectAdjustmentRequest {
            request_id: key(),
            adjustment_id: adjustment.adjustment_id.clone(),
            etag: adjustment.etag.clone(),
            reason: "it was a theft".to_owned(),
        };
        staff(&world, "manager", &[Role::ServiceManager]).reject_adjustment(reject).await.unwrap();
        let get = GetAdjustmentRequest {
            adjustment_id: adjustment.adjustment_id,
        };
        let kept = maker(&world).get_adjustment(get).await.unwrap().into_inner().adjustment.unwrap();
        assert_eq!((kept.state(), kept.case_id), (State::Rejected, own.clone()));
        // A theft of the case hands it on to its adjustment.
        let theft = |case: String| OpenTheftCaseRequest {
            case_id: Some(case),
            ..case_of(&home)
        };
        let refused = maker(&world).open_theft_case(theft(foreign)).await.unwrap_err();
        assert_eq!(reason(&refused), "NOT_FOUND");
        let case = maker(&world)
            .open_theft_case(theft(own.clone()))
            .await
            .unwrap()
            .into_inner()
            .theft_case
            .unwrap();
        let case = maker(&world)
            .report_theft_case(report_of(&case, "2025-03-15"))
            .await
            .unwrap()
            .into_inner()
            .theft_case
            .unwrap();
        let answer = maker(&world).determine_theft(theft_of(&case, Some("4"))).await.unwrap().into_inner();
        assert_eq!(
            (answer.theft_case.unwrap().case_id, answer.adjustment.unwrap().case_id),
            (own.clone(), own.clone())
        );
        let list = maker(&world)
            .list_adjustments(ListAdjustmentsRequest::default())
            .await
            .unwrap()
            .into_inner()
            .adjustments;
        assert!(list.len() == 2 && list.iter().all(|a| a.case_id == own));
        // Without a case, as before.
        let plain = stated(&other, Grounds::MeterUnreadable, "40", "2024-12-31", "2025-01-31");
        assert_eq!(ask(&world, plain).await.case_id, "");
    })
    .await;
}
