//! What the tests of dues share: profiles, fee items, charges and days.

use contracts::hearth::{
    billing::v1::{
        dispute_service_client::DisputeServiceClient, dunning_service_client::DunningServiceClient, fee_item_service_client::FeeItemServiceClient,
        late_fee_service_client::LateFeeServiceClient, profile_service_client::ProfileServiceClient, *,
    },
    options::v1::Role,
};
use testbed::{Client, key};

use crate::world::{HEXI, Home, World, day, metres, text, yuan};

pub fn fees(world: &World<'_>) -> FeeItemServiceClient<Client> {
    FeeItemServiceClient::new(world.bed.staff(&[Role::Accountant]))
}

pub fn profiles(world: &World<'_>) -> ProfileServiceClient<Client> {
    ProfileServiceClient::new(world.bed.staff(&[Role::Finance]))
}

pub fn late_fees(world: &World<'_>, name: &str, role: Role) -> LateFeeServiceClient<Client> {
    LateFeeServiceClient::new(world.bed.staff_named(name, &[role]))
}

pub fn disputes(world: &World<'_>, name: &str, role: Role) -> DisputeServiceClient<Client> {
    DisputeServiceClient::new(world.bed.staff_named(name, &[role]))
}

pub fn dunning(world: &World<'_>) -> DunningServiceClient<Client> {
    DunningServiceClient::new(world.bed.staff(&[Role::Auditor]))
}

/// The default of the service with 2 per mille late fee.
pub fn terms() -> ProfileTerms {
    ProfileTerms {
        due_days: 15,
        late_fee_millionths: 2000,
        late_fee_cap_percent: 100,
        allocation_order: profile_terms::AllocationOrder::LateFeeFirst.into(),
        disputed: profile_terms::Disputed::StopsBoth.into(),
        reminder_days: vec![-3, 1],
        demand_days: 30,
        waiting_days: 30,
        notice_days: 15,
        restore_hours: 24,
        ..Default::default()
    }
}

pub fn profile(branch: &str, from: &str, terms: ProfileTerms) -> PublishProfileRequest {
    PublishProfileRequest {
        request_id: key(),
        branch: branch.to_owned(),
        name: "test city".to_owned(),
        from_date: day(from),
        terms: Some(terms),
        source: "document 1".to_owned(),
    }
}

/// The branch decides on 2 per mille.
pub async fn two_per_mille(world: &World<'_>) {
    profiles(world).publish_profile(profile(HEXI, "2025-01-01", terms())).await.unwrap();
}

pub fn item(code: &str, price: &str) -> PublishFeeItemRequest {
    PublishFeeItemRequest {
        request_id: key(),
        code: code.to_owned(),
        name: "户内管改移".to_owned(),
        unit: "次".to_owned(),
        price: metres(price),
        legal_basis: "津发改价综〔2024〕1号".to_owned(),
        approving_body: "市发展改革委".to_owned(),
        from_date: day("2024-09-01"),
        until_date: None,
        customer_classes: vec![],
    }
}

pub async fn publish(world: &World<'_>, request: PublishFeeItemRequest) -> FeeItem {
    fees(world).publish_fee_item(request).await.unwrap().into_inner().fee_item.unwrap()
}

pub fn charge_of(home: &Home, code: &str, quantity: &str) -> ChargeFeeRequest {
    ChargeFeeRequest {
        request_id: key(),
        account_id: home.account.clone(),
        agreement_id: None,
        fee_item_code: code.to_owned(),
        quantity: metres(quantity),
        service_date: None,
    }
}

/// A home that owes so many yuan since a day; due 15 days later.
pub async fn owing(world: &World<'_>, account_no: &str, branch: &str, amount: &str, since: &str) -> (Home, Bill) {
    let home = world.tell(account_no, branch, "living", "2024-12-31");
    world.supply(&home, |s| s.state() == supply::State::InForce).await;
    let bill = owe(world, &home, amount, since).await;
    (home, bill)
}

/// Charges so many yuan to a home on a day.
pub async fn owe(world: &World<'_>, home: &Home, amount: &str, since: &str) -> Bill {
    world.clock(&format!("{since}T09:00:00+08:00"));
    if world.count("SELECT count(*) FROM fee_item WHERE code = 'WORK'").await == 0 {
        publish(world, item("WORK", "1")).await;
    }
    fees(world)
        .charge_fee(charge_of(home, "WORK", amount))
        .await
        .unwrap()
        .into_inner()
        .bill
        .unwrap()
}

pub async fn late_fee(world: &World<'_>, bill: &Bill) -> LateFee {
    let request = GetLateFeeRequest {
        bill_id: bill.bill_id.clone(),
        party_id: None,
    };
    late_fees(world, "auditor", Role::Auditor)
        .get_late_fee(request)
        .await
        .unwrap()
        .into_inner()
        .late_fee
        .unwrap()
}

/// Late fee that is due on a bill on a day.
pub async fn due_on(world: &World<'_>, bill: &Bill, on: &str) -> String {
    world.clock(&format!("{on}T09:00:00+08:00"));
    text(&late_fee(world, bill).await.due)
}

pub fn take(home: &Home, amount: &str, reference: &str) -> TakePaymentRequest {
    TakePaymentRequest {
        request_id: key(),
        account_id: home.account.clone(),
        amount: yuan(amount),
        channel: "COUNTER".to_owned(),
        channel_reference: reference.to_owned(),
        ..Default::default()
    }
}

/// Shares of a payment: what they pay, and how much.
pub fn shares(payment: &Payment) -> Vec<(allocation::Part, String)> {
    payment.allocations.iter().map(|a| (a.part(), text(&a.amount))).collect()
}

pub async fn pay(world: &World<'_>, home: &Home, amount: &str, reference: &str) -> Payment {
    world
        .cashier()
        .take_payment(take(home, amount, reference))
        .await
        .unwrap()
        .into_inner()
        .payment
        .unwrap()
}

pub async fn reverse(world: &World<'_>, payment: &Payment) {
    let request = ReversePaymentRequest {
        request_id: key(),
        payment_id: payment.payment_id.clone(),
        etag: payment.etag.clone(),
        reason: "bounced".to_owned(),
    };
    world.accountant().reverse_payment(request).await.unwrap();
}

pub fn dispute_of(bill: &Bill) -> DisputeBillRequest {
    DisputeBillRequest {
        request_id: key(),
        bill_id: bill.bill_id.clone(),
        reason: "the index is not mine".to_owned(),
    }
}

pub async fn dispute(world: &World<'_>, bill: &Bill, on: &str) -> Dispute {
    world.clock(&format!("{on}T09:00:00+08:00"));
    disputes(world, "agent", Role::Agent)
        .dispute_bill(dispute_of(bill))
        .await
        .unwrap()
        .into_inner()
        .dispute
        .unwrap()
}

pub fn answer_of(dispute: &Dispute, bill_stands: bool) -> AnswerDisputeRequest {
    AnswerDisputeRequest {
        request_id: key(),
        dispute_id: dispute.dispute_id.clone(),
        etag: dispute.etag.clone(),
        bill_stands,
        answer: "read again".to_owned(),
    }
}

pub async fn answer(world: &World<'_>, dispute: &Dispute, bill_stands: bool, on: &str) -> Dispute {
    world.clock(&format!("{on}T09:00:00+08:00"));
    let mut manager = disputes(world, "manager", Role::ServiceManager);
    manager
        .answer_dispute(answer_of(dispute, bill_stands))
        .await
        .unwrap()
        .into_inner()
        .dispute
        .unwrap()
}
