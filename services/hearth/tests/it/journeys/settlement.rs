//! A month of a vendor: what hall gave away and the acceptor approved is assessed, priced by the rate card, shortened by what went wrong, held by its
//! owners, and paid once.

use contracts::hearth::options::v1::Role;
use serde_json::{Value, json};
use testbed::reason;

use super::{
    Town, day, each,
    firm::{self, Firm},
    staff, yuan,
};

/// Causes and owners of the holds that are open.
fn open(payment: &Value) -> Vec<(&str, &str)> {
    let holds = payment["holds"].as_array().unwrap().iter().filter(|hold| hold["release_time"].is_null());
    holds.map(|hold| (hold["cause"].as_str().unwrap(), hold["owner"].as_str().unwrap())).collect()
}

/// February's two repairs, one of which the acceptor had done again.
async fn work(town: &Town, firm: &Firm) -> Value {
    town.clock("2025-02-10T09:00");
    let (order, offer) = firm.repair(town, "2025-02-10", "更换软管").await;
    firm::accept(town, &order, &offer).await;
    town.clock("2025-02-12T09:00");
    let (order, offer) = firm.repair(town, "2025-02-12", "更换阀门").await;
    let acceptor = staff("acceptor", Role::Acceptor);
    let offer = town
        .done(&acceptor, "vendor.OfferService/RefuseWork", &offer, json!({"findings": "阀门仍有渗漏"}))
        .await;
    town.settled().await;
    let offer = firm.report(town, &offer, "2025-02-12").await;
    assert_eq!(offer["round"], 2);
    firm::accept(town, &order, &offer).await;
    order["order_no"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn f_09_accepted_work_is_assessed_shortened_held_and_paid_once() {
    each(async |town| {
        let firm = Firm::admitted(town).await;
        let evidence = work(town, &firm).await;
        town.clock("2025-03-03T09:00");
        let (accountant, finance, it) = (
            staff("accountant", Role::Accountant),
            staff("finance", Role::Finance),
            staff("it", Role::ItDepartment),
        );
        let month = json!({"from_date": day("2025-02-01")});
        let p = town
            .done(&accountant, "vendor.SettlementService/PreparePayment", &firm.contract, month.clone())
            .await;
        assert_eq!(
            open(&p),
            [("CAUSE_ASSESSMENT_MISSING", "ROLE_ASSESSOR"), ("CAUSE_INVOICE_MISSING", "ROLE_ACCOUNTANT")]
        );

        // F-08: who accepted work does not assess it. 20 + 20 + 15 + 10 + 10 = 75: 95 %.
        let assess = json!({"from_date": day("2025-02-01"), "scores": firm::scores(["20", "20", "15", "10", "10"]), "findings": "一次返工"});
        let judge = "vendor.AssessmentService/AssessContract";
        let refused = town.refused(&staff("acceptor", Role::Assessor), judge, &firm.contract, assess.clone()).await;
        assert_eq!(refused, "ASSESSOR_ACCEPTED");
        let assessed = town.done(&staff("assessor", Role::Assessor), judge, &firm.contract, assess).await;
        assert_eq!(
            (&assessed["grade"], &assessed["factor_basis_points"]),
            (&json!("ASSESSMENT_GRADE_FAIR"), &json!(9_500))
        );

        // With the assessment that hold goes by itself.
        let p = town.done(&accountant, "vendor.SettlementService/ReviewPayment", &p, json!({})).await;
        assert_eq!(open(&p), [("CAUSE_INVOICE_MISSING", "ROLE_ACCOUNTANT")]);
        let miss = json!({"metric": "rework", "misses": 1, "evidence": evidence, "reason": "返工一次"});
        let p = town
            .done(&staff("assessor", Role::Assessor), "vendor.SettlementService/AddDeduction", &p, miss)
            .await;
        // 2 × 180.00 = 360.00; × 95 % = 342.00; one miss at 1 % of 360.00 is 3.60; 5 % of the 338.40 that remain are 16.92; 321.48 are paid.
        for (figure, amount) in [
            ("due", "360.00"),
            ("earned", "342.00"),
            ("deducted", "3.60"),
            ("carried_to_retention", "0.00"),
            ("retained", "16.92"),
            ("payable", "321.48"),
        ] {
            assert_eq!(p[figure], yuan(amount), "{figure}");
        }

        // A hold by hand has an owner, who alone lifts it.
        let hold = json!({"cause": "CAUSE_OPEN_P1", "reason": "派单接口故障未恢复"});
        let p = town
            .done(&staff("assessor", Role::Assessor), "vendor.SettlementService/PlaceHold", &p, hold)
            .await;
        let p = town.done(&accountant, "vendor.SettlementService/SubmitPayment", &p, json!({})).await;
        let p = town
            .done(&finance, "vendor.SettlementService/ApprovePayment", &p, json!({"opinion": "同意"}))
            .await;
        let invoice = json!({"invoice_no": "25122000000007000001", "invoice_date": day("2025-03-03"), "tax_basis_points": [600]});
        let p = town.done(&firm.office, "vendor.SettlementService/RecordInvoice", &p, invoice).await;
        assert_eq!(open(&p), [("CAUSE_OPEN_P1", "ROLE_IT_DEPARTMENT")]);
        let pay = json!({"voucher_no": "V-1"});
        let paying = "vendor.SettlementService/PayPayment";
        assert_eq!(town.refused(&finance, paying, &p, pay.clone()).await, "PAYMENT_HELD");
        let placed = p["holds"].as_array().unwrap().iter().find(|hold| hold["cause"] == "CAUSE_OPEN_P1").unwrap();
        let lift = json!({"hold_id": placed["hold_id"], "reason": "已恢复正常"});
        let lifting = "vendor.SettlementService/ReleaseHold";
        let refused = town.refused(&staff("assessor", Role::Assessor), lifting, &p, lift.clone()).await;
        assert_eq!(refused, "HOLD_OWNER");
        let p = town.done(&it, lifting, &p, lift).await;
        assert!(open(&p).is_empty(), "{p}");

        // Two clerks pay at once.
        let other = staff("other finance", Role::Finance);
        let (one, two) = tokio::join!(town.ask(&finance, paying, &p, pay.clone()), town.ask(&other, paying, &p, pay.clone()));
        let (mut paid, mut refused): (Vec<_>, Vec<_>) = [one, two].into_iter().partition(Result::is_ok);
        assert_eq!((paid.len(), refused.len()), (1, 1));
        assert_eq!(reason(&refused.remove(0).unwrap_err()), "ETAG_MISMATCH");
        let paid = paid.remove(0).unwrap();
        assert_eq!(
            (&paid["state"], &paid["paid_date"], &paid["payable"]),
            (&json!("STATE_PAID"), &day("2025-03-03"), &yuan("321.48"))
        );
        assert_eq!(town.refused(&finance, paying, &paid, pay).await, "PAYMENT_STATE");
        let again = town
            .refused(&accountant, "vendor.SettlementService/PreparePayment", &firm.contract, month)
            .await;
        assert_eq!(again, "PAYMENT_REQUEST_PERIOD_UNIQUE");
        let retained = town.done(&finance, "vendor.SettlementService/GetRetention", &firm.contract, json!({})).await;
        assert_eq!(retained["balance"], yuan("16.92"));
    })
    .await;
}
