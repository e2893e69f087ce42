//! B18, B19: how a bill came to its amount, and what a bill would be.

use contracts::hearth::{
    billing::v1::{bill_run_service_client::BillRunServiceClient, bill_service_client::BillServiceClient, *},
    options::v1::Role,
};
use testbed::{each, key, reason};

use crate::{
    dues::{charge_of, fees, item, publish},
    world::{HEPING, Home, World, text},
};

async fn explain(world: &World<'_>, bill: &Bill) -> BillExplanation {
    let request = ExplainBillRequest {
        bill_id: bill.bill_id.clone(),
        party_id: None,
    };
    world.bills().explain_bill(request).await.unwrap().into_inner().explanation.unwrap()
}

fn step<'a>(explanation: &'a BillExplanation, name: &str) -> &'a ExplanationStep {
    explanation
        .steps
        .iter()
        .find(|s| s.name == name)
        .unwrap_or_else(|| panic!("{name} in {}", explanation.content))
}

fn tried(home: &Home, month: i32) -> TryBillRequest {
    TryBillRequest {
        agreement_id: home.agreement.clone(),
        year: 2025,
        month,
    }
}

#[tokio::test]
async fn b18_bill_is_explained_from_indexes_to_fen() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let tariff = world.publish_tianjin().await;
        let home = world.home("T1").await;
        world.clock("2025-01-31T20:00:00+08:00");
        world.read(&home, "2025-01-31", "180.5").await;
        world.run(1).await;
        world.clock("2025-02-28T20:00:00+08:00");
        world.read(&home, "2025-02-28", "340.25").await;
        let before = world.runs().try_bill(tried(&home, 2)).await.unwrap().into_inner();
        world.run(2).await;
        let bill = world.bills_of(&home).await.remove(1);
        // 119.5 × 2.86 + 40.25 × 3.36 = 341.77 + 135.24.
        assert_eq!(text(&bill.amount), "477.01");
        let explanation = explain(&world, &bill).await;
        assert_eq!(
            (
                explanation.bill_id.as_str(),
                explanation.bill_no.as_str(),
                explanation.kind(),
                text(&explanation.amount).as_str()
            ),
            (bill.bill_id.as_str(), bill.bill_no.as_str(), bill::Kind::Regular, "477.01")
        );
        assert_eq!(step(&explanation, "total").values, ["477.01"]);
        assert_eq!(step(&explanation, "lines").values, ["341.77", "135.24"]);
        assert!(explanation.steps.iter().any(|s| s.text == tariff.tariff_id), "{}", explanation.content);
        let values = |value: &str| explanation.steps.iter().filter(|s| s.rule == "given" && s.values == [value]).count();
        assert!(values("340.25") > 0 && values("180.5") > 0, "{}", explanation.content);
        let kept = rating::Explanation::from_text(explanation.content.clone());
        assert_eq!(kept.check().unwrap().to_string(), "477.01");
        assert_eq!(explain(&world, &bill).await, explanation, "byte for byte");
        assert_eq!(before.explanation.unwrap().content, explanation.content, "what was tried is what was issued");
    })
    .await;
}

#[tokio::test]
async fn b18_fee_is_explained_from_its_line() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let home = world.home("T1").await;
        world.clock("2025-03-10T09:00:00+08:00");
        publish(&world, item("PIPE_MOVE", "80.5")).await;
        let bill = fees(&world)
            .charge_fee(charge_of(&home, "PIPE_MOVE", "2.5"))
            .await
            .unwrap()
            .into_inner()
            .bill
            .unwrap();
        let explanation = explain(&world, &bill).await;
        let product = step(&explanation, "a1");
        assert_eq!(
            (product.rule.as_str(), &product.inputs, &product.values),
            ("mul", &vec!["2.5".to_owned(), "80.5".to_owned()], &vec!["201.25".to_owned()])
        );
        assert_eq!(
            (step(&explanation, "total").values.join(" "), text(&bill.amount)),
            ("201.25".to_owned(), "201.25".to_owned())
        );
        let mut customer = BillServiceClient::new(bed.customer(&home.party));
        let own = ExplainBillRequest {
            bill_id: bill.bill_id.clone(),
            party_id: Some(home.party.clone()),
        };
        assert_eq!(customer.explain_bill(own).await.unwrap().into_inner().explanation, Some(explanation));
        let mut foreign = BillServiceClient::new(bed.staff_of(HEPING, &[Role::Accountant]));
        let hidden = ExplainBillRequest {
            bill_id: bill.bill_id,
            party_id: None,
        };
        assert_eq!(reason(&foreign.explain_bill(hidden).await.unwrap_err()), "NOT_FOUND");
    })
    .await;
}

#[tokio::test]
async fn b19_trying_a_bill_writes_nothing() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let home = world.home("T1").await;
        world.clock("2025-01-20T20:00:00+08:00");
        world.read(&home, "2025-01-15", "20").await;
        use try_bill_response::Outcome;
        let tally = "SELECT (SELECT count(*) FROM bill) + (SELECT count(*) FROM bill_explanation) + (SELECT count(*) FROM bill_run)";
        let half = world.runs().try_bill(tried(&home, 1)).await.unwrap().into_inner();
        let bill = half.bill.clone().unwrap();
        assert_eq!(
            (half.outcome(), bill.state(), text(&bill.amount).as_str()),
            (Outcome::Bill, bill::State::Draft, "57.20")
        );
        assert_eq!((bill.bill_id.as_str(), bill.bill_no.as_str(), bill.lines.len()), ("", "", 1));
        assert_eq!(world.count(tally).await, 0);
        assert_eq!(world.runs().try_bill(tried(&home, 2)).await.unwrap().into_inner().outcome(), Outcome::Missing);
        world.clock("2025-01-31T20:00:00+08:00");
        world.read(&home, "2025-01-31", "46").await;
        world.run(1).await;
        assert_eq!(world.runs().try_bill(tried(&home, 1)).await.unwrap().into_inner().outcome(), Outcome::Already);
        let unknown = TryBillRequest {
            agreement_id: key(),
            ..tried(&home, 1)
        };
        assert_eq!(reason(&world.runs().try_bill(unknown).await.unwrap_err()), "NOT_FOUND");
        let mut foreign = BillRunServiceClient::new(bed.staff_of(HEPING, &[Role::Accountant]));
        assert_eq!(reason(&foreign.try_bill(tried(&home, 1)).await.unwrap_err()), "NOT_FOUND");
    })
    .await;
}
