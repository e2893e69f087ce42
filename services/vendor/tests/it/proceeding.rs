use contracts::hearth::{
    options::v1::Role,
    vendor::v1::{
        DecideProceedingRequest, GetContractRequest, ListProceedingsRequest, Proceeding, TerminateContractRequest, VendorSuspended,
        contract::State as ContractState,
        proceeding::{Kind, Measure, State},
        proceeding_service_client::ProceedingServiceClient,
        vendor::State as VendorState,
        vendor_suspended,
    },
};
use testbed::{Bed, Client, each, key, reason};
use tonic::Status;

use crate::{
    assessment::uphold,
    contract::sign,
    field::{Field, REPAIR, blacklist, in_force},
    tender,
    world::{Contracts, approved, contracts, date, day, drafted, events, get, payloads, set_day, terms},
};

type Proceedings = ProceedingServiceClient<Client>;

const GOOD: [&str; 5] = ["25", "25", "15", "10", "10"];
/// 59.99.
const FAIL: [&str; 5] = ["19.99", "15", "10", "10", "5"];

async fn listed(bed: &Bed, vendor_id: &str) -> Vec<Proceeding> {
    let request = ListProceedingsRequest {
        vendor_id: vendor_id.into(),
        ..Default::default()
    };
    let mut auditor = Proceedings::new(bed.staff_named("auditor", &[Role::Auditor]));
    auditor.list_proceedings(request).await.unwrap().into_inner().proceedings
}

async fn decide(bed: &Bed, by: &str, p: &Proceeding, measure: Measure) -> Result<Proceeding, Status> {
    let request = DecideProceedingRequest {
        request_id: key(),
        proceeding_id: p.proceeding_id.clone(),
        etag: p.etag.clone(),
        measure: measure.into(),
        reason: "会议纪要2025-3".into(),
    };
    let mut leader = Proceedings::new(bed.staff_named(by, &[Role::Leader]));
    Ok(leader.decide_proceeding(request).await?.into_inner().proceeding.unwrap())
}

fn shape(proceedings: &[Proceeding]) -> Vec<(Kind, State)> {
    proceedings.iter().map(|p| (p.kind(), p.state())).collect()
}

/// A vendor that failed in January and, where asked, in February; 7 March.
async fn failed(bed: &Bed, months: i32) -> Field {
    let field = Field::new(bed).await;
    field.repairs(bed, 1).await;
    set_day(bed, "2025-02-06");
    field.repairs(bed, 1).await;
    set_day(bed, "2025-03-07");
    for month in 1..=months {
        field.assess(bed, date(2025, month, 1), FAIL).await;
    }
    field
}

#[tokio::test(flavor = "multi_thread")]
async fn f_07_a_fail_opens_a_proceeding_and_the_leader_suspends() {
    each(vendor::SERVICE, async |bed| {
        let field = failed(bed, 1).await;
        let opened = listed(bed, &field.vendor).await;
        assert_eq!(shape(&opened), [(Kind::Suspension, State::Open)]);
        let p = &opened[0];
        assert_eq!((p.owner(), p.contract_id.as_str()), (Role::Leader, field.contract.contract_id.as_str()));
        // Ten working days after Friday 7 March.
        assert_eq!(day(&p.due_date), "2025-03-21");
        assert_eq!(get(bed, &field.vendor).await.state(), VendorState::Admitted, "nothing happens by itself");
        assert_eq!(reason(&decide(bed, "leader", p, Measure::Suspend).await.unwrap_err()), "ASSESSMENT_STATE");
        // Five working days to object end on Friday the 14th.
        set_day(bed, "2025-03-15");
        for (by, measure, expected) in [
            ("leader", Measure::Exit, "MEASURE"),
            ("leader", Measure::Terminate, "MEASURE"),
            ("assessor", Measure::Suspend, "SECOND_PERSON_NEEDED"),
        ] {
            assert_eq!(reason(&decide(bed, by, p, measure).await.unwrap_err()), expected, "{by} {measure:?}");
        }
        let decided = decide(bed, "leader", p, Measure::Suspend).await.unwrap();
        assert_eq!(
            (decided.state(), decided.measure(), decided.decider.as_str()),
            (State::Decided, Measure::Suspend, "leader")
        );
        let vendor = get(bed, &field.vendor).await;
        assert_eq!((vendor.state(), vendor.state_reason.as_str()), (VendorState::Suspended, "会议纪要2025-3"));
        let told: Vec<VendorSuspended> = payloads(&events(bed, 11).await);
        assert_eq!(told[0].cause(), vendor_suspended::Cause::Suspended);
        assert_eq!(reason(&decide(bed, "leader", &decided, Measure::None).await.unwrap_err()), "PROCEEDING_STATE");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_07_two_fails_in_a_row_open_the_exit_and_the_leader_starts_it() {
    each(vendor::SERVICE, async |bed| {
        let field = failed(bed, 2).await;
        let opened = listed(bed, &field.vendor).await;
        assert_eq!(shape(&opened), [(Kind::Suspension, State::Open), (Kind::Exit, State::Open)]);
        set_day(bed, "2025-03-15");
        decide(bed, "leader", &opened[0], Measure::None).await.unwrap();
        assert_eq!(get(bed, &field.vendor).await.state(), VendorState::Admitted);
        decide(bed, "leader", &opened[1], Measure::Exit).await.unwrap();
        assert_eq!(get(bed, &field.vendor).await.state(), VendorState::Exiting);
        let told: Vec<VendorSuspended> = payloads(&events(bed, 12).await);
        assert_eq!(told[0].cause(), vendor_suspended::Cause::Exiting);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_07_a_score_that_is_raised_drops_what_it_led_to() {
    each(vendor::SERVICE, async |bed| {
        let field = Field::new(bed).await;
        field.repairs(bed, 1).await;
        set_day(bed, "2025-02-06");
        field.repairs(bed, 1).await;
        set_day(bed, "2025-03-07");
        let january = field.assess(bed, date(2025, 1, 1), FAIL).await;
        field.assess(bed, date(2025, 2, 1), FAIL).await;
        // The row of fails is broken: February alone is a candidate for suspension.
        uphold(bed, &january, GOOD).await;
        let all = listed(bed, &field.vendor).await;
        assert_eq!(
            shape(&all),
            [
                (Kind::Suspension, State::Dropped),
                (Kind::Exit, State::Dropped),
                (Kind::Suspension, State::Open)
            ]
        );
        assert_eq!(all[1].assessment_id, all[2].assessment_id);
        set_day(bed, "2025-03-15");
        assert_eq!(reason(&decide(bed, "leader", &all[1], Measure::Exit).await.unwrap_err()), "PROCEEDING_STATE");
        decide(bed, "leader", &all[2], Measure::None).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g_11_the_black_list_bars_bids_and_contracts_and_reviews_the_existing_ones() {
    each(vendor::SERVICE, async |bed| {
        let field = Field::new(bed).await;
        let running = &field.contract;
        let second = in_force(bed, &field.vendor, terms(bed, REPAIR)).await;
        let third = in_force(bed, &field.vendor, terms(bed, REPAIR)).await;
        let waiting = approved(bed, &field.vendor, terms(bed, REPAIR)).await;
        let ended = drafted(bed, &field.vendor, terms(bed, REPAIR)).await;
        let terminate = |contract: &contracts::hearth::vendor::v1::Contract| TerminateContractRequest {
            request_id: key(),
            contract_id: contract.contract_id.clone(),
            etag: contract.etag.clone(),
            reason: "不再需要".into(),
        };
        let mut leader = contracts(bed, "leader", &[Role::Leader, Role::ContractOfficer]);
        leader.terminate_contract(terminate(&ended)).await.unwrap();
        blacklist(bed, &field.vendor).await;

        // Nothing new.
        assert_eq!(reason(&sign(bed, "officer", &waiting).await.unwrap_err()), "VENDOR_BLACKLISTED");
        let tender = tender::try_open(bed, false, 60).await.unwrap();
        assert_eq!(reason(&tender::quote(bed, &tender, &field.vendor, 1).await.unwrap_err()), "VENDOR_BLACKLISTED");

        // What is there is reviewed, each contract that has not ended.
        let opened = listed(bed, &field.vendor).await;
        assert_eq!(shape(&opened), [(Kind::ContractReview, State::Open); 4]);
        let of = |contract: &contracts::hearth::vendor::v1::Contract| opened.iter().find(|p| p.contract_id == contract.contract_id).unwrap();
        assert_eq!((of(running).owner(), day(&of(running).due_date)), (Role::Leader, "2025-01-16".into()));
        assert_eq!(reason(&decide(bed, "leader", of(running), Measure::Exit).await.unwrap_err()), "MEASURE");
        decide(bed, "leader", of(running), Measure::Terminate).await.unwrap();
        decide(bed, "leader", of(&second), Measure::Suspend).await.unwrap();
        decide(bed, "leader", of(&third), Measure::None).await.unwrap();
        leader.terminate_contract(terminate(&waiting)).await.unwrap();
        let mut states = vec![];
        for contract in [running, &second, &third, &waiting] {
            let request = GetContractRequest {
                vendor_id: field.vendor.clone(),
                contract_id: contract.contract_id.clone(),
            };
            let mut auditor = Contracts::new(bed.staff(&[Role::Auditor]));
            states.push(auditor.get_contract(request).await.unwrap().into_inner().contract.unwrap().state());
        }
        assert_eq!(
            states,
            [
                ContractState::Terminated,
                ContractState::Suspended,
                ContractState::InForce,
                ContractState::Terminated
            ]
        );
        let after = listed(bed, &field.vendor).await;
        let state = |contract: &contracts::hearth::vendor::v1::Contract| after.iter().find(|p| p.contract_id == contract.contract_id).unwrap().state();
        assert_eq!(
            [running, &second, &third, &waiting].map(state),
            [State::Decided, State::Decided, State::Decided, State::Dropped]
        );
    })
    .await;
}
