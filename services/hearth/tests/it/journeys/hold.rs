//! A key account passes its limit and its term by what it burns and billing bills: archive locks its credit, billing asks it to pay ahead, hall shows
//! it; what it pays lifts both locks. What it burns after its contract is billed all the same, archive asks for a contract, and hall visits the site.

use contracts::hearth::options::v1::Role;
use serde_json::{Value, json};
use testbed::eventually;

use super::{BRANCH, Town, day, decimal, each, staff, time, yuan};

/// A customer with a meter of gas whose index was 0 on new year's eve; its account.
async fn home(town: &Town) -> Value {
    let clause = json!({"clause_no": "1", "title": "用气地址、用途", "text": "供气人按约定供应管道天然气。"});
    let template = json!({
        "code": "RESIDENT_GAS", "version": 1, "title": "居民供用气合同", "service": "SERVICE_GAS", "effective_date": day("2020-01-01"), "clauses": [clause],
    });
    let officer = staff("contracts", Role::ContractOfficer);
    town.done(&officer, "archive.TemplateService/PublishTemplate", &Value::Null, template).await;
    let row = json!({
        "line": 1, "account_no": "T1", "name": "王芳", "kind": "KIND_PERSON", "id_number": "11010519491231002X", "phone": "19000000001",
        "address": "天津市河西区红山里1号楼", "branch": BRANCH, "use_class": "living", "supply_from_date": day("2024-12-31"),
    });
    let archivist = staff("archivist", Role::Archivist);
    let taken = town
        .done(&archivist, "archive.IntakeService/ImportCustomers", &Value::Null, json!({"rows": [row]}))
        .await;
    assert_eq!(taken["accepted"], 1, "{taken}");
    town.settled().await;
    // G-TJ24 (domain.md 11.1): 0-300 at 2.86, 301-600 at 3.36, then 4.11.
    let tiers = [("300", "2.86"), ("600", "3.36"), ("", "4.11")].map(|(up_to, price)| match up_to {
        "" => json!({"unit_price": decimal(price)}),
        _ => json!({"up_to": decimal(up_to), "unit_price": decimal(price)}),
    });
    let tariff = json!({
        "name": "Tianjin residents, piped natural gas", "commodity": "natural_gas", "from_date": day("2024-09-01"), "published_date": day("2024-08-30"),
        "legal_basis": "Tianjin notice in force on 2024-09-01", "approved_by": "Tianjin Municipal Development and Reform Commission",
        "tier_year_start_month": 1, "tier_year_start_day": 1, "boundary": "BOUNDARY_READING_CYCLE", "currency_code": "CNY",
        "classes": [{"use_class": "living", "tiers": tiers}],
    });
    let accountant = staff("accountant", Role::Accountant);
    town.done(&accountant, "billing.TariffService/PublishTariff", &Value::Null, tariff).await;
    let meter = json!({
        "line": 1, "meter_no": "M1", "account_no": "T1", "kind": "KIND_IOT", "model": "G2.5", "qmax": "4", "digits": 5, "installed_on": "2024-12-31",
        "initial_index": "0",
    });
    let operator = staff("operator", Role::Operator);
    let taken = town
        .done(&operator, "billing.MeterService/ImportMeters", &Value::Null, json!({"rows": [meter]}))
        .await;
    assert_eq!(taken["accepted"], 1, "{taken}");
    let auditor = staff("auditor", Role::Auditor);
    let found = town
        .done(&auditor, "archive.AccountService/ListAccounts", &Value::Null, json!({"account_no": "T1"}))
        .await;
    found["accounts"][0].clone()
}

/// The last day of a month of 2025: the meter is read, the month is billed, archive hears of the bill.
async fn bill(town: &Town, last: &str, index: &str, amount: &str) {
    town.clock(&format!("{last}T20:00"));
    let reading = json!({"meter_no": "M1", "read_time": time(&format!("{last}T12:00")), "index": index, "source": "reader"});
    town.done(&staff("reader", Role::Reader), "billing.ReadingService/RecordReading", &Value::Null, reading)
        .await;
    let accountant = staff("accountant", Role::Accountant);
    let month = day(last)["month"].clone();
    let run = json!({"year": 2025, "month": month});
    town.done(&accountant, "billing.BillRunService/StartBillRun", &Value::Null, run.clone()).await;
    town.settled().await;
    let bills = town.done(&accountant, "billing.BillService/ListBills", &Value::Null, run).await;
    assert_eq!(bills["bills"][0]["amount"], yuan(amount), "{last}: {bills}");
}

async fn pay(town: &Town, account: &Value, on: &str, amount: &str) {
    town.clock(&format!("{on}T10:00"));
    let payment = json!({"amount": yuan(amount), "channel": "COUNTER", "channel_reference": format!("{on} {amount}")});
    town.done(&staff("cashier", Role::Cashier), "billing.PaymentService/TakePayment", account, payment)
        .await;
    town.settled().await;
}

/// Rated by three people, with a line of 30 days (B-01, B-03, B-04, B-08).
async fn rate(town: &Town, account: &Value) {
    let (analyst, finance, manager) = (
        staff("analyst", Role::CreditAnalyst),
        staff("finance", Role::Finance),
        staff("manager", Role::ServiceManager),
    );
    let designate = json!({"account_manager": "key-accounts", "segment": "SEGMENT_PUBLIC_WELFARE", "designation_basis": "营业所用气量最大"});
    town.done(&manager, "archive.CreditService/DesignateKeyAccount", account, designate).await;
    let rating = town
        .done(&analyst, "archive.CreditService/OpenRating", account, json!({"period": "2025"}))
        .await;
    let score = json!({"agreed": 100, "performed": 100, "signal": "SIGNAL_NONE"});
    let rating = town.done(&analyst, "archive.CreditService/ScoreRating", &rating, score).await;
    // On time 35, no day late 15, performed 15, no file 0, three months that vary by 14.9 % of their mean 10 - 1, not a year supplied 0, nothing from
    // outside 10: 84.00, which is AA; a new customer without documents gets A at most.
    assert_eq!(
        (&rating["total"], &rating["scored_grade"], &rating["grade"]),
        (&decimal("84.00"), &json!("GRADE_AA"), &json!("GRADE_A"))
    );
    assert_eq!(
        town.refused(&analyst, "archive.CreditService/ReviewRating", &rating, json!({})).await,
        "CREDIT_SAME_PERSON"
    );
    let rating = town.done(&finance, "archive.CreditService/ReviewRating", &rating, json!({})).await;
    let rating = town.done(&manager, "archive.CreditService/ApproveRating", &rating, json!({})).await;
    assert_eq!(rating["state"], "STATE_EFFECTIVE");
    let propose = json!({"term_days": 30, "valid_until_date": day("2026-03-31")});
    let line = town.done(&analyst, "archive.CreditService/ProposeCreditLine", account, propose).await;
    let line = town.done(&manager, "archive.CreditService/ApproveCreditLine", &line, json!({})).await;
    // (858.00 + 1008.00 + 1233.00) / 3 = 1033.00; × 30 / 30 × 80 % = 826.40, rounded down to 100 yuan.
    assert_eq!((&line["average_delivering"], &line["limit"]), (&yuan("1033.00"), &yuan("800.00")));
}

/// What each service shows of the customer.
struct Shown {
    /// Locks in archive: which, and where it stands.
    locks: Vec<(String, String)>,
    /// What an agent sees in archive and in hall.
    listings: Vec<String>,
    /// Whether billing asks to pay ahead.
    ahead: bool,
    receivable: Value,
}

async fn shown(town: &Town, account: &Value) -> Shown {
    let auditor = staff("auditor", Role::Auditor);
    let party = json!({"party_id": account["party_id"]});
    let standing = town
        .done(&staff("agent", Role::Agent), "archive.StandingService/CheckStanding", &party, json!({}))
        .await;
    assert_eq!(standing["basic_supply"], true, "nobody is refused gas for a debt");
    let holds = town.done(&auditor, "archive.CreditService/ListCreditHolds", &party, json!({})).await;
    let balance = town
        .done(
            &auditor,
            "billing.LedgerService/GetBalance",
            &json!({"account_id": account["account_id"]}),
            json!({}),
        )
        .await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let listings: Vec<_> = standing["listings"].as_array().unwrap().iter().map(|l| text(&l["detail"])).collect();
    assert_eq!(standing["prepayment_required"], !listings.is_empty());
    // Hall has it from events, and shows it whoever the customer talks to.
    let contact = json!({"channel": "CONTACT_CHANNEL_CALL", "branch": BRANCH, "account_id": account["account_id"]});
    let banner = town
        .done(&staff("agent", Role::Agent), "hall.InteractionService/ReceiveInteraction", &party, contact)
        .await;
    let banner: Vec<_> = banner["notices"].as_array().unwrap().iter().map(|n| text(&n["cause"])).collect();
    // One hold with two causes is one notice.
    let causes = if listings.len() == 2 {
        vec!["OVER_LIMIT_AND_TERM".to_owned()]
    } else {
        listings.clone()
    };
    assert_eq!(banner, causes);
    Shown {
        locks: holds["holds"]
            .as_array()
            .unwrap()
            .iter()
            .map(|h| (text(&h["lock"]), text(&h["state"])))
            .collect(),
        listings,
        ahead: balance["prepayment_required"].as_bool().unwrap(),
        receivable: balance["receivable"].clone(),
    }
}

/// The customer asks hall for gas in one more place; what hall shows whoever serves it.
async fn apply(town: &Town, account: &Value, address: &str) -> Value {
    let agent = staff("agent", Role::Agent);
    let place = json!({"address": address, "branch": BRANCH, "services": ["SERVICE_GAS"]});
    let premises = town.done(&agent, "archive.PremisesService/RegisterPremises", &Value::Null, place).await;
    let party = json!({"party_id": account["party_id"]});
    let opened = town.done(&agent, "archive.AccountService/OpenAccount", &party, json!({"branch": BRANCH})).await;
    let request = json!({
        "account_id": opened["account_id"], "premises_id": premises["premises_id"], "use_class": "living",
        "service_point_id": premises["service_points"][0]["service_point_id"],
    });
    let opening = town.done(&agent, "hall.OpeningService/ApplyForOpening", &Value::Null, request).await;
    assert_eq!(opening["state"], "STATE_APPLIED", "a hold is no bar to basic supply");
    opening["standing_alerts"].clone()
}

/// the contract ends on 2 June and the gas is used on; the bill is a task of the contract officer until there is a contract. E9-01: the seal was broken,
/// which is a visit for the dispatcher.
async fn without_contract(town: &Town, account: &Value) {
    let (officer, accountant) = (staff("contracts", Role::ContractOfficer), staff("accountant", Role::Accountant));
    let own = json!({"account_id": account["account_id"]});
    let agreements = town.done(&officer, "archive.AgreementService/ListAgreements", &own, json!({})).await;
    let agreement = agreements["agreements"][0].clone();
    let end = json!({"end_date": day("2025-06-02")});
    town.done(&officer, "archive.AgreementService/EndAgreement", &agreement, end).await;
    // May was used under the contract: 300 m³ again.
    let reading = json!({"meter_no": "M1", "read_time": time("2025-05-31T12:00"), "index": "1500", "source": "reader"});
    town.done(&staff("reader", Role::Reader), "billing.ReadingService/RecordReading", &Value::Null, reading)
        .await;
    let may = json!({"year": 2025, "month": 5});
    town.done(&accountant, "billing.BillRunService/StartBillRun", &Value::Null, may).await;
    town.settled().await;
    let tasks = async || {
        town.done(&officer, "archive.AgreementService/ListMissingContracts", &Value::Null, json!({}))
            .await
    };
    assert_eq!(tasks().await["missing_contracts"], json!([]));

    bill(town, "2025-06-30", "1800", "1233.00").await;
    let june = json!({"year": 2025, "month": 6});
    let bills = town.done(&accountant, "billing.BillService/ListBills", &Value::Null, june).await;
    assert_eq!(bills["bills"][0]["de_facto"], true);
    let task = tasks().await["missing_contracts"][0].clone();
    assert_eq!(
        (&task["agreement_id"], &task["since_date"], &task["bill_no"], &task["outcome"]),
        (
            &agreement["agreement_id"],
            &day("2025-06-02"),
            &bills["bills"][0]["bill_no"],
            &json!("OUTCOME_UNSPECIFIED")
        )
    );

    let inspector = staff("inspector", Role::Inspector);
    let seal = json!({"meter_no": "M1", "seal_no": "S-1", "from_date": day("2025-06-30")});
    town.done(&inspector, "billing.MeterService/SealMeter", &Value::Null, seal).await;
    let broken = json!({"meter_no": "M1", "seal_no": "S-1", "whole": false, "on_date": day("2025-06-30")});
    town.done(&inspector, "billing.MeterService/InspectSeal", &Value::Null, broken).await;
    town.settled().await;
    let visits = json!({"type": "ORDER_TYPE_READING_VISIT"});
    let visits = town
        .done(&staff("dispatcher", Role::Dispatcher), "hall.OrderService/ListOrders", &Value::Null, visits)
        .await;
    let visit = &visits["orders"][0];
    assert_eq!(
        (&visit["agreement_id"], &visit["account_id"], &visit["state"], &visit["utility"]),
        (&agreement["agreement_id"], &account["account_id"], &json!("STATE_POOL"), &json!("UTILITY_GAS"))
    );

    let signed = town
        .done(&officer, "archive.AgreementService/GetAgreement", &agreement, json!({"party_id": null}))
        .await;
    let contract = json!({
        "service": "SERVICE_GAS", "template_id": signed["versions"][0]["template_id"], "template_version": 1, "use_class": "living",
        "signed_date": day("2025-06-30"), "sign_method": "SIGN_METHOD_PAPER",
    });
    let contract = town.done(&officer, "archive.AgreementService/SignAgreement", &agreement, contract).await;
    let from = json!({"from_date": day("2025-06-30")});
    town.done(&officer, "archive.AgreementService/ActivateAgreement", &contract, from).await;
    assert_eq!(tasks().await["missing_contracts"][0]["outcome"], "OUTCOME_CONTRACT_IN_FORCE");
}

#[tokio::test(flavor = "multi_thread")]
async fn b_05_whoever_passes_limit_or_term_pays_ahead_and_a_06_who_has_no_contract_is_asked_for_one() {
    each(async |town| {
        let account = home(town).await;
        // 300 m³ each month: 300 × 2.86, 300 × 3.36, and from March on 300 × 4.11; paid before they are due.
        for (last, index, amount, paid) in [
            ("2025-01-31", "300", "858.00", "2025-02-05"),
            ("2025-02-28", "600", "1008.00", "2025-03-05"),
            ("2025-03-31", "900", "1233.00", "2025-04-05"),
        ] {
            bill(town, last, index, amount).await;
            pay(town, &account, paid, amount).await;
        }
        town.clock("2025-04-08T09:00");
        rate(town, &account).await;
        let before = shown(town, &account).await;
        assert!(before.locks.is_empty() && before.listings.is_empty() && !before.ahead);
        assert_eq!(apply(town, &account, "友谊路1号").await, json!([]));

        // What was burnt in April is over the limit before the month ends, and so is its bill.
        bill(town, "2025-04-30", "1200", "1233.00").await;
        let locked = shown(town, &account).await;
        let lock = |lock: &str, state: &str| (format!("LOCK_{lock}"), format!("STATE_{state}"));
        assert_eq!(
            (&locked.locks, &locked.listings),
            (&vec![lock("LIMIT", "RAISED")], &vec!["OVER_LIMIT".to_owned()])
        );
        assert_eq!((locked.ahead, &locked.receivable), (true, &yuan("1233.00")));
        assert_eq!(apply(town, &account, "友谊路2号").await, json!(["CREDIT_HOLD"]));

        // Five days of May are burnt and not billed: 4332.00 / 120 days × 5 = 180.50. 1233.00 + 180.50 - 613.49 = 800.01 is over the limit still,
        // 800.00 is not.
        pay(town, &account, "2025-05-06", "613.49").await;
        assert_eq!(shown(town, &account).await.locks, [lock("LIMIT", "RAISED")]);
        pay(town, &account, "2025-05-06", "0.01").await;
        let freed = shown(town, &account).await;
        assert_eq!((&freed.locks, freed.listings.len(), freed.ahead), (&vec![lock("LIMIT", "CLEARED")], 0, false));
        assert_eq!(apply(town, &account, "友谊路3号").await, json!([]));

        // The rest, 619.50, was billed on 30 April: on 30 May the term of 30 days is reached, on 31 May passed. A month more is burnt by then, 36.10 a
        // day, and is over the limit with it.
        let over = async |on: &str, exposed: &str| {
            town.clock(&format!("{on}T09:00"));
            let party = json!({"party_id": account["party_id"]});
            let exposure = town
                .done(&staff("auditor", Role::Auditor), "archive.CreditService/GetExposure", &party, json!({}))
                .await;
            assert_eq!(exposure["exposure"], yuan(exposed));
            exposure["days_over_term"].as_i64().unwrap()
        };
        assert_eq!(over("2025-05-30", "1666.40").await, 0);
        assert_eq!(over("2025-05-31", "1702.50").await, 1);
        eventually("both locks", async || {
            let party = json!({"party_id": account["party_id"]});
            let raised = json!({"state": "STATE_RAISED"});
            let holds = town
                .done(&staff("auditor", Role::Auditor), "archive.CreditService/ListCreditHolds", &party, raised)
                .await;
            (holds["holds"].as_array().unwrap().len() == 2).then_some(())
        })
        .await;
        town.settled().await;
        let late = shown(town, &account).await;
        assert_eq!(
            (late.locks, late.listings, late.ahead),
            (
                vec![lock("LIMIT", "CLEARED"), lock("LIMIT", "RAISED"), lock("TERM", "RAISED")],
                vec!["OVER_LIMIT".to_owned(), "OVER_TERM".to_owned()],
                true
            )
        );

        // What is billed, and ahead what is burnt beyond the limit: 619.50 + 31 × 36.10 - 800.00. No late fee: the city has decided on none.
        pay(town, &account, "2025-06-01", "938.60").await;
        let free = shown(town, &account).await;
        assert_eq!(free.locks, [lock("LIMIT", "CLEARED"), lock("LIMIT", "CLEARED"), lock("TERM", "CLEARED")]);
        assert_eq!((free.listings.len(), free.ahead, &free.receivable), (0, false, &yuan("0.00")));
        assert_eq!(apply(town, &account, "友谊路4号").await, json!([]));
        without_contract(town, &account).await;
    })
    .await;
}
