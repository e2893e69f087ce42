//! 9.4, 9.5 and E2-06: late fee, its payment, its waiver, and what a dispute stops.

use contracts::hearth::{
    billing::v1::{
        allocation::Part::{LateFee as Late, Principal},
        late_fee_service_client::LateFeeServiceClient,
        *,
    },
    options::v1::Role,
};
use database::Engine;
use prost::Message;
use sea_orm::{ConnectionTrait, Statement};
use testbed::{each, eventually, key, reason};

use crate::{
    dues::{
        answer, answer_of, dispute, dispute_of, disputes, due_on, late_fee, late_fees, owe, owing, pay, profile, profiles, reverse, shares, terms,
        two_per_mille,
    },
    world::{HEPING, HEXI, World, day, text, yuan},
};

fn s(text: &str) -> String {
    text.to_owned()
}

#[tokio::test]
async fn thread_73_decision_9_profiles_are_dated_and_bound_to_a_branch() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.clock("2025-03-10T09:00:00+08:00");
        let on = |branch: &str, on: &str| GetProfileRequest {
            branch: branch.to_owned(),
            on_date: day(on),
        };
        let shipped = profiles(&world)
            .get_profile(on(HEXI, "2025-03-10"))
            .await
            .unwrap()
            .into_inner()
            .profile
            .unwrap();
        let default = ProfileTerms {
            late_fee_millionths: 0,
            ..terms()
        };
        assert_eq!(
            (shipped.name.as_str(), shipped.terms),
            ("default", Some(default)),
            "9.6, default: no late fee where nobody decided on one"
        );
        let slow = ProfileTerms { due_days: 20, ..terms() };
        profiles(&world).publish_profile(profile(HEXI, "2025-03-01", terms())).await.unwrap();
        profiles(&world).publish_profile(profile(HEXI, "2025-06-01", slow.clone())).await.unwrap();
        for (date, wanted) in [("2025-05-31", terms()), ("2025-06-01", slow.clone())] {
            let found = profiles(&world).get_profile(on(HEXI, date)).await.unwrap().into_inner().profile.unwrap();
            assert_eq!(found.terms, Some(wanted), "{date}");
        }
        let listed = profiles(&world)
            .list_profiles(ListProfilesRequest {
                branch: s(HEPING),
                ..Default::default()
            })
            .await
            .unwrap()
            .into_inner()
            .profiles;
        assert!(listed.is_empty());
        let again = profiles(&world).publish_profile(profile(HEXI, "2025-06-01", terms())).await.unwrap_err();
        assert_eq!(reason(&again), "PROFILE_DAY_UNIQUE");
        let falling = ProfileTerms {
            reminder_days: vec![1, -3],
            ..terms()
        };
        assert_eq!(
            reason(&profiles(&world).publish_profile(profile(HEXI, "2025-07-01", falling)).await.unwrap_err()),
            "LADDER"
        );
        // A bill keeps what held when it was issued, and its due day follows the profile.
        let (_, bill) = owing(&world, "T1", HEXI, "100", "2025-06-10").await;
        assert_eq!(bill.due_date, day("2025-06-30"));
        let late = profiles(&world).publish_profile(profile(HEXI, "2025-06-05", terms())).await.unwrap_err();
        assert_eq!(reason(&late), "PROFILE_TOO_LATE");
        for sql in ["UPDATE profile SET terms = '{}'", "DELETE FROM profile"] {
            assert!(world.sql(sql).await.unwrap_err().to_string().contains("append_only"), "{sql}");
        }
    })
    .await;
}

#[tokio::test]
async fn e2_05_bills_of_a_run_are_due_as_the_profile_says() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        profiles(&world)
            .publish_profile(profile(HEXI, "2025-01-01", ProfileTerms { due_days: 10, ..terms() }))
            .await
            .unwrap();
        world.publish_tianjin().await;
        let (home, other) = (world.home_in("T1", HEXI).await, world.home_in("T2", HEPING).await);
        world.clock("2025-01-31T20:00:00+08:00");
        world.read(&home, "2025-01-31", "46").await;
        world.read(&other, "2025-01-31", "46").await;
        world.run(1).await;
        assert_eq!(
            (&world.bills_of(&home).await[0].due_date, &world.bills_of(&other).await[0].due_date),
            (&day("2025-02-10"), &day("2025-02-15"))
        );
    })
    .await;
}

#[tokio::test]
async fn late_fee_9_4_accrues_on_what_is_unpaid_and_a_reversed_payment_restores_it() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        two_per_mille(&world).await;
        let (home, bill) = owing(&world, "T1", HEXI, "2500", "2025-02-01").await;
        assert_eq!(due_on(&world, &bill, "2025-02-16").await, "0.00", "the due day itself");
        // H-TJ: 2500 x 2 per mille x 10 days.
        assert_eq!(due_on(&world, &bill, "2025-02-26").await, "50.00");
        // The sweep writes it down once.
        let kept = eventually("the entries", async || {
            let fee = late_fee(&world, &bill).await;
            let sum: i64 = fee.entries.iter().map(|e| e.amount.as_ref().unwrap().minor_units).sum();
            (sum == 5000).then_some(fee)
        })
        .await;
        assert_eq!((kept.days, kept.millionths, text(&kept.principal).as_str()), (10, 2000, "2500.00"));
        let balance = world
            .ledger()
            .get_balance(GetBalanceRequest {
                account_id: home.account.clone(),
                party_id: None,
            })
            .await
            .unwrap()
            .into_inner()
            .balance
            .unwrap();
        assert_eq!((balance.receivable, balance.late_fee), (yuan("2500.00"), yuan("50.00")));
        // Within one bill: late fee, then the bill. The base is lower from the next day.
        let paid = pay(&world, &home, "1050.00", "1").await;
        assert_eq!(shares(&paid), [(Late, s("50.00")), (Principal, s("1000.00"))]);
        assert_eq!(world.sound().await.revenue, yuan("2550.00"), "late fee is revenue when it is paid");
        assert_eq!(due_on(&world, &bill, "2025-03-08").await, "30.00", "1500 x 2 per mille x 10");
        reverse(&world, &paid).await;
        assert_eq!(
            due_on(&world, &bill, "2025-03-08").await,
            "100.00",
            "2500 x 2 per mille x 20, as if it had never been paid"
        );
        world.sound().await;
        assert_eq!(due_on(&world, &bill, "2027-03-08").await, "2500.00", "capped at the bill");
        let all = pay(&world, &home, "5000.00", "2").await;
        assert_eq!(shares(&all), [(Late, s("2500.00")), (Principal, s("2500.00"))]);
        assert_eq!(due_on(&world, &bill, "2027-06-01").await, "0.00");
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn edge_24_oldest_bill_with_its_late_fee_first() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        two_per_mille(&world).await;
        let (home, a) = owing(&world, "T1", HEXI, "100", "2025-02-01").await;
        let b = owe(&world, &home, "60", "2025-03-01").await;
        assert_eq!(due_on(&world, &a, "2025-03-13").await, "5.00");
        let paid = pay(&world, &home, "120.00", "1").await;
        assert_eq!(shares(&paid), [(Late, s("5.00")), (Principal, s("100.00")), (Principal, s("15.00"))]);
        assert_eq!(paid.allocations[2].bill_id, b.bill_id);
        // A customer sees the late fee of the own bills only.
        let of = |party: &str| GetLateFeeRequest {
            bill_id: a.bill_id.clone(),
            party_id: Some(party.to_owned()),
        };
        let mut customer = LateFeeServiceClient::new(bed.customer(&home.party));
        customer.get_late_fee(of(&home.party)).await.unwrap();
        let stranger = key();
        let hidden = LateFeeServiceClient::new(bed.customer(&stranger))
            .get_late_fee(of(&stranger))
            .await
            .unwrap_err();
        assert_eq!(reason(&hidden), "NOT_FOUND");
        // A bill that is reversed gives back its late fee, too.
        let a = world.bills_of(&home).await.remove(0);
        let back = ReverseBillRequest {
            request_id: key(),
            bill_id: a.bill_id,
            etag: a.etag,
            reason: s("wrong"),
            reading_was_wrong: false,
        };
        world.bills().reverse_bill(back).await.unwrap();
        assert_eq!(world.balance(&home).await, ("0.00".to_owned(), "60.00".to_owned()));
        world.sound().await;
    })
    .await;
}

/// What of payments was told to have paid late fees, in the order of telling, fen.
async fn told_late_fees(world: &World<'_>) -> Vec<i64> {
    let db = world.bed.db();
    let sql = "SELECT kind, data FROM event WHERE kind IN ('hearth.billing.v1.PaymentReceived', 'hearth.billing.v1.LateFeePaid') ORDER BY id";
    let rows = db
        .reader()
        .query_all_raw(Statement::from_string(db.reader().get_database_backend(), sql))
        .await
        .unwrap();
    let told = rows.iter().map(|row| {
        let (kind, data): (String, Vec<u8>) = (row.try_get_by_index(0).unwrap(), row.try_get_by_index(1).unwrap());
        match kind.ends_with("LateFeePaid") {
            true => LateFeePaid::decode(data.as_slice()).unwrap().late_fee,
            false => PaymentReceived::decode(data.as_slice()).unwrap().late_fee,
        }
    });
    told.map(|money| money.map_or(0, |m| m.minor_units)).collect()
}

#[tokio::test]
async fn b_05_what_pays_late_fees_is_told_and_told_anew_when_it_moves() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        two_per_mille(&world).await;
        let (home, a) = owing(&world, "T1", HEXI, "100", "2025-02-01").await;
        owe(&world, &home, "60", "2025-03-01").await;
        assert_eq!(due_on(&world, &a, "2025-03-13").await, "5.00");
        pay(&world, &home, "60.00", "1").await;
        assert_eq!(told_late_fees(&world).await, [500]);
        // The older bill is taken back with its late fee; what is freed pays the other one: 60.00 x 2 per mille x 20 days first.
        world.clock("2025-04-05T09:00:00+08:00");
        let a = world.bills_of(&home).await.remove(0);
        let back = ReverseBillRequest {
            request_id: key(),
            bill_id: a.bill_id,
            etag: a.etag,
            reason: s("wrong"),
            reading_was_wrong: false,
        };
        world.bills().reverse_bill(back).await.unwrap();
        assert_eq!(told_late_fees(&world).await, [500, 0, 240]);
        assert_eq!(world.balance(&home).await, ("2.40".to_owned(), "0.00".to_owned()));
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn p_9_5_principal_first_where_the_profile_says_so() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let principal_first = ProfileTerms {
            allocation_order: profile_terms::AllocationOrder::PrincipalFirst.into(),
            ..terms()
        };
        profiles(&world).publish_profile(profile(HEXI, "2025-01-01", principal_first)).await.unwrap();
        let (home, bill) = owing(&world, "T1", HEXI, "100", "2025-02-01").await;
        world.clock("2025-03-13T09:00:00+08:00");
        assert_eq!(shares(&pay(&world, &home, "100.00", "1").await), [(Principal, s("100.00"))]);
        assert_eq!(due_on(&world, &bill, "2025-05-01").await, "5.00", "what had accrued is left, and nothing on it");
        assert_eq!(shares(&pay(&world, &home, "7.00", "2").await), [(Late, s("5.00"))]);
        assert_eq!(world.balance(&home).await, ("0.00".to_owned(), "2.00".to_owned()));
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn late_fee_9_4_counts_from_the_delivery() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        two_per_mille(&world).await;
        let (home, bill) = owing(&world, "T1", HEXI, "2500", "2025-02-01").await;
        assert_eq!(due_on(&world, &bill, "2025-02-26").await, "50.00");
        let deliver = |bill: &Bill, on: &str| RecordDeliveryRequest {
            request_id: key(),
            bill_id: bill.bill_id.clone(),
            etag: bill.etag.clone(),
            delivered_date: day(on),
        };
        let mut agent = late_fees(&world, "agent", Role::Agent);
        for wrong in ["2025-01-31", "2025-02-27"] {
            assert_eq!(
                reason(&agent.record_delivery(deliver(&bill, wrong)).await.unwrap_err()),
                "DELIVERY_DATE",
                "{wrong}"
            );
        }
        let delivered = agent.record_delivery(deliver(&bill, "2025-02-20")).await.unwrap().into_inner().bill.unwrap();
        assert_eq!(delivered.delivered_date, day("2025-02-20"));
        assert_eq!(due_on(&world, &bill, "2025-02-26").await, "30.00", "six days");
        assert_eq!(
            reason(&agent.record_delivery(deliver(&delivered, "2025-02-21")).await.unwrap_err()),
            "DELIVERY_RECORDED"
        );
        let other = owe(&world, &home, "100", "2025-03-01").await;
        world.clock("2025-03-26T09:00:00+08:00");
        let request = TakePaymentRequest {
            bill_ids: vec![other.bill_id.clone()],
            ..crate::dues::take(&home, "1.00", "1")
        };
        world.cashier().take_payment(request).await.unwrap();
        let other = world.bills_of(&home).await.remove(1);
        assert_eq!(
            reason(&agent.record_delivery(deliver(&other, "2025-03-20")).await.unwrap_err()),
            "LATE_FEE_SETTLED"
        );
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn late_fee_9_4_is_waived_by_another_person() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        two_per_mille(&world).await;
        let (home, bill) = owing(&world, "T1", HEXI, "2500", "2025-02-01").await;
        let propose = |amount: Option<&str>| ProposeWaiverRequest {
            request_id: key(),
            bill_id: bill.bill_id.clone(),
            amount: amount.and_then(yuan),
            reason: s("the letter was lost"),
        };
        let mut li = late_fees(&world, "li", Role::Accountant);
        assert_eq!(reason(&li.propose_waiver(propose(None)).await.unwrap_err()), "NO_LATE_FEE");
        assert_eq!(due_on(&world, &bill, "2025-02-26").await, "50.00");
        assert_eq!(reason(&li.propose_waiver(propose(Some("0.00"))).await.unwrap_err()), "AMOUNT_RANGE");
        let first = li.propose_waiver(propose(Some("20.00"))).await.unwrap().into_inner().waiver.unwrap();
        assert_eq!(reason(&li.propose_waiver(propose(None)).await.unwrap_err()), "WAIVER_OPEN_UNIQUE");
        let approve = |w: &LateFeeWaiver| ApproveWaiverRequest {
            request_id: key(),
            waiver_id: w.waiver_id.clone(),
            etag: w.etag.clone(),
        };
        let reject = |w: &LateFeeWaiver| RejectWaiverRequest {
            request_id: key(),
            waiver_id: w.waiver_id.clone(),
            etag: w.etag.clone(),
        };
        assert_eq!(reason(&li.approve_waiver(approve(&first)).await.unwrap_err()), "OWN_WAIVER");
        let mut wang = late_fees(&world, "wang", Role::ServiceManager);
        let approved = wang.approve_waiver(approve(&first)).await.unwrap().into_inner().waiver.unwrap();
        assert_eq!(
            (approved.state(), text(&approved.waived).as_str(), approved.decided_by.as_str()),
            (late_fee_waiver::State::Approved, "20.00", "wang")
        );
        assert_eq!(due_on(&world, &bill, "2025-02-26").await, "30.00");
        assert_eq!(reason(&wang.reject_waiver(reject(&approved)).await.unwrap_err()), "WAIVER_DECIDED");
        assert_eq!(due_on(&world, &bill, "2025-02-27").await, "35.00", "the days go on");
        let second = li.propose_waiver(propose(None)).await.unwrap().into_inner().waiver.unwrap();
        assert_eq!(reason(&li.reject_waiver(reject(&second)).await.unwrap_err()), "OWN_WAIVER");
        let rejected = wang.reject_waiver(reject(&second)).await.unwrap().into_inner().waiver.unwrap();
        assert_eq!((rejected.state(), text(&rejected.waived)), (late_fee_waiver::State::Rejected, s("0.00")));
        let paid = pay(&world, &home, "2535.00", "1").await;
        assert_eq!(shares(&paid), [(Late, s("35.00")), (Principal, s("2500.00"))]);
        let approved_ones = ListWaiversRequest {
            state: late_fee_waiver::State::Approved.into(),
            ..Default::default()
        };
        assert_eq!(li.list_waivers(approved_ones).await.unwrap().into_inner().waivers, [approved]);
        let mut local = LateFeeServiceClient::new(bed.staff_of(HEPING, &[Role::Accountant]));
        assert!(local.list_waivers(ListWaiversRequest::default()).await.unwrap().into_inner().waivers.is_empty());
        let own = "UPDATE late_fee_waiver SET decided_by = proposed_by";
        assert!(world.sql(own).await.unwrap_err().to_string().contains("waiver_other_person"));
        for sql in ["UPDATE late_fee SET accrued = principal + 1", "UPDATE late_fee SET accrued = -1"] {
            assert!(world.sql(sql).await.unwrap_err().to_string().contains("late_fee_cap"), "{sql}");
        }
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn e2_06_disputed_days_bear_no_late_fee_and_are_not_made_up_for() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        two_per_mille(&world).await;
        let (home, bill) = owing(&world, "T1", HEXI, "100", "2025-02-01").await;
        assert_eq!(due_on(&world, &bill, "2025-02-20").await, "0.80");
        let open = dispute(&world, &bill, "2025-02-20").await;
        assert_eq!(
            open.reread_by_time,
            Some(rpc::wire::time(testbed::at("2025-02-21T09:00:00+08:00"))),
            "read again within 24 hours"
        );
        assert_eq!(due_on(&world, &bill, "2025-02-27").await, "0.80");
        assert!(late_fee(&world, &bill).await.paused);
        let mut agent = disputes(&world, "agent", Role::Agent);
        assert_eq!(reason(&agent.dispute_bill(dispute_of(&bill)).await.unwrap_err()), "DISPUTE_OPEN_UNIQUE");
        let own = disputes(&world, "agent", Role::DistrictManager)
            .answer_dispute(answer_of(&open, true))
            .await
            .unwrap_err();
        assert_eq!(reason(&own), "OWN_DISPUTE");
        let stands = answer(&world, &open, true, "2025-02-27").await;
        assert_eq!(stands.state(), dispute::State::BillStands);
        let twice = disputes(&world, "manager", Role::ServiceManager)
            .answer_dispute(answer_of(&stands, false))
            .await
            .unwrap_err();
        assert_eq!(reason(&twice), "DISPUTE_ANSWERED");
        assert_eq!(due_on(&world, &bill, "2025-03-05").await, "2.00", "four days before it and six after it");
        // Where the bill is wrong nothing goes on until it is reversed.
        let second = dispute(&world, &bill, "2025-03-05").await;
        answer(&world, &second, false, "2025-03-06").await;
        assert_eq!(due_on(&world, &bill, "2025-06-01").await, "2.00");
        let wrong = world.bills_of(&home).await.remove(0);
        let back = ReverseBillRequest {
            request_id: key(),
            bill_id: wrong.bill_id,
            etag: wrong.etag,
            reason: s("wrong"),
            reading_was_wrong: false,
        };
        world.bills().reverse_bill(back).await.unwrap();
        assert_eq!(due_on(&world, &bill, "2025-06-01").await, "0.00");
        assert_eq!(reason(&agent.dispute_bill(dispute_of(&bill)).await.unwrap_err()), "BILL_REVERSED");
        let all = ListDisputesRequest {
            bill_id: Some(bill.bill_id.clone()),
            ..Default::default()
        };
        let states: Vec<_> = agent
            .list_disputes(all)
            .await
            .unwrap()
            .into_inner()
            .disputes
            .iter()
            .map(Dispute::state)
            .collect();
        assert_eq!(states, [dispute::State::BillStands, dispute::State::BillWrong]);
        world.sound().await;
    })
    .await;
}

/// Copies of a bill under other keys, straight into the database.
async fn copies(world: &World<'_>, bill: &Bill, count: usize) {
    let id = match world.bed.engine() {
        Engine::Sqlite => "randomblob(16)",
        Engine::Postgres => "gen_random_uuid()",
    };
    let same =
        "kind, state, agreement_id, account_id, account_no, party_id, branch, year, month, from_date, to_date, from_index, to_index, volume, volume_before,
        tier_year, use_class, amount, paid, issue_date, due_date, de_facto, low_income, persons, credit_note_no, created_at, version, fee_item_id, service";
    let sql = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
         INSERT INTO bill (id, bill_no, {same}) SELECT {id}, 'COPY-' || n.i, {same} FROM bill, n WHERE bill.id = {}",
        world.uuid(&bill.bill_id)
    );
    world.sql(&sql).await.unwrap();
}

#[tokio::test]
async fn late_fee_9_4_sweep_goes_on_after_a_crash_and_writes_each_day_once() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        two_per_mille(&world).await;
        let (_, bill) = owing(&world, "T1", HEXI, "100", "2025-02-01").await;
        copies(&world, &bill, 400).await;
        let reached = async |fen: i64| world.count(&format!("SELECT count(*) FROM late_fee WHERE accrued = {fen}")).await;
        world.clock("2025-02-26T09:00:00+08:00");
        eventually("the first chunk", async || (reached(200).await > 0).then_some(())).await;
        bed.crash().await;
        bed.start().await;
        eventually("the rest", async || (reached(200).await == 401).then_some(())).await;
        assert_eq!(world.count("SELECT count(*) FROM late_fee_entry").await, 401);
        world.clock("2025-02-27T09:00:00+08:00");
        eventually("the next day", async || (reached(220).await == 401).then_some(())).await;
        assert_eq!(world.count("SELECT count(*) FROM late_fee_entry").await, 802);
        eventually("the ladder", async || {
            (world.count("SELECT count(*) FROM dunning_step WHERE kind = 'OVERDUE'").await == 401).then_some(())
        })
        .await;
    })
    .await;
}
