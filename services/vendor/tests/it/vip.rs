use contracts::hearth::{
    options::v1::Role,
    vendor::v1::{
        ApplyVipRequest, AssessCooperationRequest, CheckEligibilityRequest, CultureAttestation, DecideVipStepRequest, GetContractRequest, GetVipCaseRequest,
        ImportTradesRequest, ImportTradesResponse, ListVipCasesRequest, ProposeVipRequest, ReviewVipRequest, TradeRow, Vendor, VipCase, VipDelisted,
        VipEvidence, VipListed, VipRoute, WithdrawVipRequest, vip_case::State, vip_delisted, vip_evidence::Moment,
    },
};
use testbed::{Bed, each, key, reason};
use tonic::{Code, Status};

use crate::{
    field::{REPAIR, Vips, as_fen, blacklist, fen, in_force, vips},
    world::{Contracts, admitted, date, day, events, get, payloads, registered, set_day, terms, today, uscc},
};

/// Just above the threshold of G-01.
pub const ENOUGH: i64 = 1_000_000_001;

pub fn trade(reference: &str, uscc: &str, amount: i64) -> TradeRow {
    TradeRow {
        line: 1,
        reference: reference.into(),
        trade_date: Some(date(2020, 5, 1)),
        company: "宜化集团".into(),
        uscc: uscc.into(),
        amount: fen(amount),
        quality_fault: None,
        reverses_reference: String::new(),
    }
}

async fn send(bed: &Bed, requests: Vec<ImportTradesRequest>) -> Result<Vec<ImportTradesResponse>, Status> {
    let mut answers = vips(bed, "finance", &[Role::Finance])
        .import_trades(futures::stream::iter(requests))
        .await?
        .into_inner();
    let mut all = vec![];
    while let Some(answer) = answers.message().await? {
        all.push(answer);
    }
    Ok(all)
}

fn chunk(rows: Vec<TradeRow>) -> ImportTradesRequest {
    ImportTradesRequest {
        request_id: key(),
        dry_run: false,
        rows,
    }
}

/// Takes rows over, none of which may be refused.
pub async fn import(bed: &Bed, rows: Vec<TradeRow>) {
    let answers = send(bed, vec![chunk(rows)]).await.unwrap();
    assert!(answers[0].refused.is_empty(), "{answers:?}");
}

async fn check(bed: &Bed, vendor: &Vendor) -> VipEvidence {
    let request = CheckEligibilityRequest {
        vendor_id: vendor.vendor_id.clone(),
    };
    vips(bed, "auditor", &[Role::Auditor])
        .check_eligibility(request)
        .await
        .unwrap()
        .into_inner()
        .evidence
        .unwrap()
}

fn attestation(bed: &Bed) -> Option<CultureAttestation> {
    Some(CultureAttestation {
        document: format!("文化认同-{}", today(bed)),
        signed_date: Some(rpc::wire::date(today(bed))),
    })
}

pub async fn apply(bed: &Bed, vendor_id: &str) -> Result<VipCase, Status> {
    let request = ApplyVipRequest {
        request_id: key(),
        vendor_id: vendor_id.into(),
        attestation: attestation(bed),
    };
    let mut admin = Vips::new(bed.vendor_user(vendor_id, &[Role::VendorAdmin]));
    Ok(admin.apply_vip(request).await?.into_inner().vip_case.unwrap())
}

async fn propose(bed: &Bed, vendor_id: &str) -> Result<VipCase, Status> {
    let request = ProposeVipRequest {
        request_id: key(),
        vendor_id: vendor_id.into(),
        attestation: attestation(bed),
        reason: "多年合作".into(),
    };
    let answer = vips(bed, "bidder", &[Role::BiddingCentre]).propose_vip(request).await?;
    Ok(answer.into_inner().vip_case.unwrap())
}

async fn decide(bed: &Bed, by: &str, role: Role, case: &VipCase, approved: bool) -> Result<VipCase, Status> {
    let request = DecideVipStepRequest {
        request_id: key(),
        vip_case_id: case.vip_case_id.clone(),
        etag: case.etag.clone(),
        approved,
        opinion: if approved { String::new() } else { "资料不足".into() },
    };
    let answer = vips(bed, by, &[role]).decide_vip_step(request).await?;
    Ok(answer.into_inner().vip_case.unwrap())
}

async fn seen(bed: &Bed, case: &VipCase) -> VipCase {
    let request = GetVipCaseRequest {
        vendor_id: case.vendor_id.clone(),
        vip_case_id: case.vip_case_id.clone(),
    };
    vips(bed, "auditor", &[Role::Auditor])
        .get_vip_case(request)
        .await
        .unwrap()
        .into_inner()
        .vip_case
        .unwrap()
}

async fn review(bed: &Bed, by: &str, case: &VipCase, attestation: Option<CultureAttestation>) -> Result<VipCase, Status> {
    let request = ReviewVipRequest {
        request_id: key(),
        vip_case_id: case.vip_case_id.clone(),
        etag: case.etag.clone(),
        attestation,
        findings: "年度复核".into(),
    };
    let answer = vips(bed, by, &[Role::BiddingCentre, Role::Leader]).review_vip(request).await?;
    Ok(answer.into_inner().vip_case.unwrap())
}

/// A vendor with trade enough.
async fn trading(bed: &Bed) -> Vendor {
    let vendor = admitted(bed, REPAIR).await;
    import(bed, vec![trade(&format!("T-{}", vendor.uscc), &vendor.uscc, ENOUGH)]).await;
    vendor
}

/// A vendor that is a VIP from today on.
pub async fn vip(bed: &Bed) -> (Vendor, VipCase) {
    let vendor = admitted(bed, REPAIR).await;
    let case = list(bed, &vendor).await;
    (vendor, case)
}

/// Makes an admitted vendor a VIP.
pub async fn list(bed: &Bed, vendor: &Vendor) -> VipCase {
    import(bed, vec![trade(&format!("T-{}", vendor.uscc), &vendor.uscc, ENOUGH)]).await;
    let case = propose(bed, &vendor.vendor_id).await.unwrap();
    let case = decide(bed, "leader", Role::Leader, &case, true).await.unwrap();
    assert_eq!(case.state(), State::Listed);
    case
}

#[tokio::test(flavor = "multi_thread")]
async fn g_01_trade_with_the_whole_group_since_2002_strictly_above_ten_million() {
    each(vendor::SERVICE, async |bed| {
        type Change = fn(&str) -> Vec<TradeRow>;
        let cases: [(&str, Change, i64, bool); 7] = [
            ("10 000 000.00", |u| vec![trade(&format!("A-{u}"), u, 1_000_000_000)], 1_000_000_000, false),
            ("10 000 000.01", |u| vec![trade(&format!("A-{u}"), u, 1_000_000_001)], 1_000_000_001, true),
            (
                "a day before the window",
                |u| {
                    let before = TradeRow {
                        trade_date: Some(date(2001, 12, 31)),
                        ..trade(&format!("B-{u}"), u, 5)
                    };
                    vec![before, trade(&format!("A-{u}"), u, 1_000_000_000)]
                },
                1_000_000_000,
                false,
            ),
            (
                "the first day of the window",
                |u| {
                    let first = TradeRow {
                        trade_date: Some(date(2002, 1, 1)),
                        ..trade(&format!("B-{u}"), u, 5)
                    };
                    vec![first, trade(&format!("A-{u}"), u, 1_000_000_000)]
                },
                1_000_000_005,
                true,
            ),
            (
                "a subsidiary counts",
                |u| {
                    let subsidiary = TradeRow {
                        company: "宜化热力".into(),
                        ..trade(&format!("B-{u}"), u, 600_000_000)
                    };
                    vec![subsidiary, trade(&format!("A-{u}"), u, 600_000_000)]
                },
                1_200_000_000,
                true,
            ),
            (
                "what is reversed does not count",
                |u| {
                    let reversal = TradeRow {
                        trade_date: Some(date(2024, 1, 1)),
                        reverses_reference: format!("A-{u}"),
                        ..trade(&format!("B-{u}"), u, -1_000)
                    };
                    vec![trade(&format!("A-{u}"), u, 1_000_000_100), reversal]
                },
                999_999_100,
                false,
            ),
            (
                "nor does the reversal of what does not count",
                |u| {
                    let before = TradeRow {
                        trade_date: Some(date(2001, 6, 1)),
                        ..trade(&format!("B-{u}"), u, 500)
                    };
                    let reversal = TradeRow {
                        trade_date: Some(date(2002, 6, 1)),
                        reverses_reference: format!("B-{u}"),
                        ..trade(&format!("C-{u}"), u, -500)
                    };
                    vec![before, reversal, trade(&format!("A-{u}"), u, ENOUGH)]
                },
                ENOUGH,
                true,
            ),
        ];
        for (name, rows, total, met) in cases {
            let vendor = registered(bed).await;
            import(bed, rows(&vendor.uscc)).await;
            let evidence = check(bed, &vendor).await;
            assert_eq!((as_fen(&evidence.trade_total), evidence.trade_met), (total, met), "{name}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g_01_and_g_02_a_reversal_is_measured_against_its_trade() {
    each(vendor::SERVICE, async |bed| {
        let vendor = registered(bed).await;
        let code = vendor.uscc.as_str();
        let whole = TradeRow {
            quality_fault: fen(100),
            ..trade("W-1", code, 1_000)
        };
        // 1 May 2020 is the day of the trade.
        let back = |reference: &str, amount: i64, fault: i64| TradeRow {
            trade_date: Some(date(2020, 5, 1)),
            quality_fault: Some(fault).filter(|fault| *fault != 0).and_then(fen),
            reverses_reference: "W-1".into(),
            ..trade(reference, code, amount)
        };
        let early = TradeRow {
            trade_date: Some(date(2020, 4, 30)),
            ..back("R-2", -1, 0)
        };
        let stranger = TradeRow {
            uscc: uscc(),
            ..back("R-3", -1, 0)
        };
        let of_nothing = TradeRow {
            reverses_reference: String::new(),
            ..back("R-4", -1, 0)
        };
        let of_reversal = TradeRow {
            reverses_reference: "R-1".into(),
            ..back("R-7", -1, 0)
        };
        // The rows come in any order: the first reversals stand above their trade.
        let rows = vec![
            back("R-1", -600, -60),
            early,
            stranger,
            of_nothing,
            whole,
            back("R-5", -401, -40),
            back("R-6", -400, 0),
            of_reversal,
            back("R-8", -300, -41),
            back("R-9", -300, -40),
        ];
        let numbered = |rows: &[TradeRow]| (1..).zip(rows.to_vec()).map(|(line, row)| TradeRow { line, ..row }).collect::<Vec<_>>();
        let refused = |answer: &ImportTradesResponse| -> Vec<(i64, String, String)> {
            answer.refused.iter().map(|n| (n.line, n.field.clone(), n.reason.clone())).collect()
        };
        let row = |line: i64, field: &str, reason: &str| (line, field.to_owned(), reason.to_owned());
        let answer = send(bed, vec![chunk(numbered(&rows))]).await.unwrap().remove(0);
        let wrong = vec![
            row(2, "trade_date", "REVERSAL_DATE"),
            row(3, "reverses_reference", "REVERSAL_UNKNOWN"),
            row(4, "reverses_reference", "REQUIRED"),
            row(6, "amount", "REVERSAL_AMOUNT"),
            row(7, "quality_fault", "REVERSAL_FAULT"),
            row(8, "reverses_reference", "REVERSAL_UNKNOWN"),
            row(9, "quality_fault", "REVERSAL_FAULT"),
        ];
        assert_eq!((answer.accepted, refused(&answer)), (3, wrong));
        let left = async || {
            let evidence = check(bed, &vendor).await;
            (as_fen(&evidence.trade_total), as_fen(&evidence.quality_fault))
        };
        assert_eq!(left().await, (100, 0));

        // The same file again changes nothing, and what was booked before counts: 100 are left, without a fault.
        let answer = send(bed, vec![chunk(numbered(&rows))]).await.unwrap().remove(0);
        assert_eq!((answer.accepted, answer.unchanged), (0, 3));
        let later = [back("L-1", -101, 0), back("L-2", -50, -1), back("L-3", -100, 0)];
        let answer = send(bed, vec![chunk(numbered(&later))]).await.unwrap().remove(0);
        assert_eq!(
            (answer.accepted, refused(&answer)),
            (1, vec![row(1, "amount", "REVERSAL_AMOUNT"), row(2, "quality_fault", "REVERSAL_FAULT")])
        );
        assert_eq!(left().await, (0, 0));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g_02_less_than_one_percent_of_the_goods_strictly() {
    each(vendor::SERVICE, async |bed| {
        for (name, amount, fault, met) in [
            ("1.00 %", 2_000_000_000, 20_000_000, false),
            ("0.99 %", 2_000_000_000, 19_800_000, true),
            ("one fen below 1 %", 2_000_000_000, 19_999_999, true),
            ("none", 2_000_000_000, 0, true),
        ] {
            let vendor = registered(bed).await;
            let row = TradeRow {
                quality_fault: fen(fault),
                ..trade(&format!("Q-{}", vendor.uscc), &vendor.uscc, amount)
            };
            import(bed, vec![row]).await;
            let evidence = check(bed, &vendor).await;
            assert_eq!((as_fen(&evidence.quality_fault), evidence.quality_met), (fault, met), "{name}");
        }
        let nothing = registered(bed).await;
        assert!(!check(bed, &nothing).await.quality_met, "without trade it is not met");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g_03_each_quality_problem_needs_a_good_assessment() {
    each(vendor::SERVICE, async |bed| {
        let vendor = admitted(bed, REPAIR).await;
        let reference = format!("Q-{}", vendor.uscc);
        let faulty = TradeRow {
            quality_fault: fen(100),
            ..trade(&reference, &vendor.uscc, ENOUGH)
        };
        let sound = format!("S-{}", vendor.uscc);
        import(bed, vec![faulty, trade(&sound, &vendor.uscc, 100)]).await;
        assert_eq!(reason(&apply(bed, &vendor.vendor_id).await.unwrap_err()), "VIP_COOPERATION");
        let assess = async |reference: &str, cooperative| {
            let request = AssessCooperationRequest {
                request_id: key(),
                reference: reference.into(),
                cooperative,
                statement: "按期整改".into(),
            };
            vips(bed, "specialist", &[Role::SpecialistDepartment]).assess_cooperation(request).await
        };
        assert_eq!(reason(&assess(&sound, true).await.unwrap_err()), "NO_QUALITY_PROBLEM");
        assert_eq!(assess("nothing", true).await.unwrap_err().code(), Code::NotFound);
        assess(&reference, false).await.unwrap();
        let evidence = check(bed, &vendor).await;
        assert_eq!(
            (evidence.problems, evidence.unassessed, evidence.uncooperative, evidence.cooperation_met),
            (1, 0, 1, false)
        );
        assert_eq!(reason(&apply(bed, &vendor.vendor_id).await.unwrap_err()), "VIP_COOPERATION");
        assess(&reference, true).await.unwrap();
        let case = apply(bed, &vendor.vendor_id).await.unwrap();
        let found = &case.evidence[0];
        assert_eq!(
            (found.moment(), found.problems, found.cooperation_met, found.culture_met),
            (Moment::Submission, 1, true, true)
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g_03_culture_is_attested_and_not_out_of_date() {
    each(vendor::SERVICE, async |bed| {
        let vendor = trading(bed).await;
        for (signed, expected) in [
            (date(2024, 1, 2), Some("VIP_CULTURE")),
            (date(2025, 1, 3), Some("VIP_CULTURE")),
            (date(2024, 1, 3), None),
        ] {
            let request = ApplyVipRequest {
                request_id: key(),
                vendor_id: vendor.vendor_id.clone(),
                attestation: Some(CultureAttestation {
                    document: "C-1".into(),
                    signed_date: Some(signed),
                }),
            };
            let outcome = vips(bed, "clerk", &[Role::Materials]).apply_vip(request).await;
            assert_eq!(outcome.err().map(|status| reason(&status)).as_deref(), expected, "{signed:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g_04_the_own_route_goes_through_five_departments_in_order() {
    each(vendor::SERVICE, async |bed| {
        let vendor = trading(bed).await;
        // S-09: the portal takes the application.
        let case = apply(bed, &vendor.vendor_id).await.unwrap();
        assert_eq!(
            (case.state(), case.route(), case.next_step()),
            (State::Submitted, VipRoute::Self_, Role::Materials)
        );
        assert!(case.applicant.is_empty());
        let mut case = seen(bed, &case).await;
        let steps = [
            ("materials", Role::Materials),
            ("specialist", Role::SpecialistDepartment),
            ("finance", Role::Finance),
            ("bidder", Role::BiddingCentre),
            ("leader", Role::Leader),
        ];
        for (place, (by, role)) in steps.iter().enumerate() {
            for (other_place, (_, other)) in steps.iter().enumerate() {
                if other_place != place {
                    let status = decide(bed, "eager", *other, &case, true).await.unwrap_err();
                    assert_eq!(reason(&status), "VIP_STEP_ROLE", "{other:?} before {role:?}");
                }
            }
            if place > 0 {
                let status = decide(bed, "materials", *role, &case, true).await.unwrap_err();
                assert_eq!((status.code(), reason(&status).as_str()), (Code::PermissionDenied, "VIP_STEP_PERSON"));
            }
            case = decide(bed, by, *role, &case, true).await.unwrap();
        }
        assert_eq!(
            (case.state(), day(&case.listed_date), day(&case.review_due_date)),
            (State::Listed, "2025-01-02".into(), "2026-01-02".into())
        );
        let taken: Vec<_> = case.steps.iter().map(|s| (s.ordinal, s.role(), s.subject.as_str())).collect();
        let expected: Vec<_> = (1..).zip(steps).map(|(ordinal, (by, role))| (ordinal, role, by)).collect();
        assert_eq!(taken, expected);
        assert_eq!(
            case.evidence.iter().map(VipEvidence::moment).collect::<Vec<_>>(),
            [Moment::Submission, Moment::Approval]
        );
        let told: Vec<VipListed> = payloads(&events(bed, 2).await);
        assert_eq!((told[0].vendor_id.as_str(), told[0].route()), (vendor.vendor_id.as_str(), VipRoute::Self_));
        assert_eq!(reason(&decide(bed, "another", Role::Leader, &case, true).await.unwrap_err()), "VIP_STATE");
        assert_eq!(reason(&apply(bed, &vendor.vendor_id).await.unwrap_err()), "VIP_LISTED");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g_04_the_bidding_centre_proposes_and_the_leader_decides() {
    each(vendor::SERVICE, async |bed| {
        let vendor = trading(bed).await;
        let case = propose(bed, &vendor.vendor_id).await.unwrap();
        assert_eq!((case.route(), case.next_step(), case.steps.len()), (VipRoute::BiddingCentre, Role::Leader, 1));
        assert_eq!(reason(&decide(bed, "bidder", Role::Leader, &case, true).await.unwrap_err()), "VIP_STEP_PERSON");
        assert_eq!(reason(&decide(bed, "finance", Role::Finance, &case, true).await.unwrap_err()), "VIP_STEP_ROLE");
        let case = decide(bed, "leader", Role::Leader, &case, true).await.unwrap();
        assert_eq!(case.state(), State::Listed);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g_04_no_other_route_while_open_and_ninety_days_after_a_refusal() {
    each(vendor::SERVICE, async |bed| {
        let vendor = trading(bed).await;
        let case = apply(bed, &vendor.vendor_id).await.unwrap();
        assert_eq!(reason(&propose(bed, &vendor.vendor_id).await.unwrap_err()), "VIP_CASE_OPEN");
        assert_eq!(reason(&apply(bed, &vendor.vendor_id).await.unwrap_err()), "VIP_CASE_OPEN");
        let bare = DecideVipStepRequest {
            request_id: key(),
            vip_case_id: case.vip_case_id.clone(),
            etag: case.etag.clone(),
            approved: false,
            opinion: String::new(),
        };
        let mut materials = vips(bed, "materials", &[Role::Materials]);
        assert_eq!(reason(&materials.decide_vip_step(bare).await.unwrap_err()), "OPINION_MISSING");
        let case = decide(bed, "materials", Role::Materials, &case, false).await.unwrap();
        assert_eq!((case.state(), case.close_reason.as_str()), (State::Rejected, "资料不足"));
        // 2 January and 90 days is 2 April.
        set_day(bed, "2025-04-01");
        assert_eq!(reason(&apply(bed, &vendor.vendor_id).await.unwrap_err()), "VIP_TOO_SOON");
        assert_eq!(reason(&propose(bed, &vendor.vendor_id).await.unwrap_err()), "VIP_TOO_SOON");
        set_day(bed, "2025-04-02");
        let case = apply(bed, &vendor.vendor_id).await.unwrap();
        let request = WithdrawVipRequest {
            request_id: key(),
            vendor_id: vendor.vendor_id.clone(),
            vip_case_id: case.vip_case_id,
            etag: case.etag,
            reason: "稍后再报".into(),
        };
        let mut admin = Vips::new(bed.vendor_user(&vendor.vendor_id, &[Role::VendorAdmin]));
        let case = admin.withdraw_vip(request).await.unwrap().into_inner().vip_case.unwrap();
        assert_eq!(case.state(), State::Withdrawn);
        assert!(propose(bed, &vendor.vendor_id).await.is_ok());
        let request = ListVipCasesRequest {
            vendor_id: vendor.vendor_id.clone(),
            ..Default::default()
        };
        let cases = admin.list_vip_cases(request).await.unwrap().into_inner().vip_cases;
        assert_eq!(
            cases.iter().map(VipCase::state).collect::<Vec<_>>(),
            [State::Rejected, State::Withdrawn, State::Submitted]
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g_01_conditions_are_looked_at_again_at_the_final_approval() {
    each(vendor::SERVICE, async |bed| {
        let vendor = trading(bed).await;
        let case = propose(bed, &vendor.vendor_id).await.unwrap();
        let returned = TradeRow {
            trade_date: Some(date(2025, 1, 2)),
            reverses_reference: format!("T-{}", vendor.uscc),
            ..trade(&format!("R-{}", vendor.uscc), &vendor.uscc, -1)
        };
        import(bed, vec![returned]).await;
        assert_eq!(reason(&decide(bed, "leader", Role::Leader, &case, true).await.unwrap_err()), "VIP_TRADE_TOTAL");
        assert_eq!(seen(bed, &case).await, case, "a refusal changes nothing");
        import(bed, vec![trade(&format!("N-{}", vendor.uscc), &vendor.uscc, 1)]).await;
        let case = decide(bed, "leader", Role::Leader, &case, true).await.unwrap();
        assert_eq!(case.evidence.iter().map(|e| as_fen(&e.trade_total)).collect::<Vec<_>>(), [ENOUGH, ENOUGH]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g_07_a_yearly_review_renews_or_delists_and_signed_contracts_stay() {
    each(vendor::SERVICE, async |bed| {
        let (vendor, case) = vip(bed).await;
        set_day(bed, "2025-12-01");
        let contract = in_force(bed, &vendor.vendor_id, terms(bed, REPAIR)).await;
        set_day(bed, "2026-01-01");
        assert_eq!(seen(bed, &case).await.state(), State::Listed);
        set_day(bed, "2026-01-02");
        let due = seen(bed, &case).await;
        assert_eq!(due.state(), State::ReviewDue);
        assert_eq!(
            reason(&review(bed, "leader", &due, attestation(bed)).await.unwrap_err()),
            "SECOND_PERSON_NEEDED"
        );
        let renewed = review(bed, "reviewer", &due, attestation(bed)).await.unwrap();
        assert_eq!((renewed.state(), day(&renewed.review_due_date)), (State::Listed, "2027-01-02".into()));
        assert_eq!(renewed.attestation.as_ref().map(|a| day(&a.signed_date)), Some("2026-01-02".into()));

        // A return that is dated after the review counts in the next one, one before it would have counted in this.
        set_day(bed, "2026-01-05");
        let returned = TradeRow {
            trade_date: Some(date(2026, 1, 5)),
            reverses_reference: format!("T-{}", vendor.uscc),
            ..trade(&format!("R-{}", vendor.uscc), &vendor.uscc, -1)
        };
        import(bed, vec![returned]).await;
        assert_eq!(seen(bed, &case).await.state(), State::Listed, "no condition is looked at between reviews");
        let lost = review(bed, "reviewer", &renewed, attestation(bed)).await.unwrap();
        assert_eq!((lost.state(), day(&lost.closed_date)), (State::Delisted, "2026-01-05".into()));
        assert!(lost.close_reason.contains("threshold") && lost.close_reason.contains("年度复核"));
        let told: Vec<VipDelisted> = payloads(&events(bed, 4).await);
        assert_eq!(told[0].cause(), vip_delisted::Cause::ConditionLost);

        let request = GetContractRequest {
            vendor_id: vendor.vendor_id.clone(),
            contract_id: contract.contract_id.clone(),
        };
        let mut officer = Contracts::new(bed.staff(&[Role::ContractOfficer]));
        assert_eq!(officer.get_contract(request).await.unwrap().into_inner().contract.unwrap().etag, contract.etag);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g_07_an_attestation_that_is_not_renewed_ends_the_standing() {
    each(vendor::SERVICE, async |bed| {
        let (_, case) = vip(bed).await;
        set_day(bed, "2025-12-30");
        // The old one would still count.
        let lost = review(bed, "reviewer", &case, case.attestation.clone()).await.unwrap();
        assert_eq!(lost.state(), State::Delisted);
        let (_, other) = vip(bed).await;
        assert_eq!(review(bed, "reviewer", &other, None).await.unwrap().state(), State::Delisted);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g_07_the_black_list_delists_at_once() {
    each(vendor::SERVICE, async |bed| {
        let (vendor, case) = vip(bed).await;
        let waiting = trading(bed).await;
        let open = apply(bed, &waiting.vendor_id).await.unwrap();
        blacklist(bed, &vendor.vendor_id).await;
        blacklist(bed, &waiting.vendor_id).await;
        assert_eq!(seen(bed, &case).await.state(), State::Delisted);
        assert_eq!(seen(bed, &open).await.state(), State::Rejected);
        let told: Vec<VipDelisted> = payloads(&events(bed, 4).await);
        assert_eq!(
            (told[0].cause(), day(&told[0].delisted_date)),
            (vip_delisted::Cause::Blacklisted, "2025-01-02".into())
        );
        assert_eq!(reason(&apply(bed, &vendor.vendor_id).await.unwrap_err()), "VENDOR_BLACKLISTED");
        assert_eq!(get(bed, &vendor.vendor_id).await.uscc, vendor.uscc);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g_07_a_vip_may_give_its_standing_up() {
    each(vendor::SERVICE, async |bed| {
        let (vendor, case) = vip(bed).await;
        let request = WithdrawVipRequest {
            request_id: key(),
            vendor_id: vendor.vendor_id.clone(),
            vip_case_id: case.vip_case_id,
            etag: case.etag,
            reason: "业务调整".into(),
        };
        let mut clerk = vips(bed, "materials", &[Role::Materials]);
        let case = clerk.withdraw_vip(request).await.unwrap().into_inner().vip_case.unwrap();
        assert_eq!(case.state(), State::Withdrawn);
        let told: Vec<VipDelisted> = payloads(&events(bed, 3).await);
        assert_eq!(told[0].cause(), vip_delisted::Cause::Withdrawn);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g_01_an_import_may_be_repeated_and_tried_first() {
    each(vendor::SERVICE, async |bed| {
        let vendor = registered(bed).await;
        let code = vendor.uscc.as_str();
        let rows = vec![trade("I-1", code, 500), trade("I-2", code, 700)];
        let dry = ImportTradesRequest {
            dry_run: true,
            ..chunk(rows.clone())
        };
        let answers = send(bed, vec![dry]).await.unwrap();
        assert_eq!((answers[0].accepted, as_fen(&check(bed, &vendor).await.trade_total)), (2, 0));
        let answers = send(bed, vec![chunk(rows.clone()), chunk(rows.clone())]).await.unwrap();
        let counts: Vec<_> = answers.iter().map(|a| (a.accepted, a.unchanged, a.refused.len())).collect();
        assert_eq!(counts, [(2, 0, 0), (0, 2, 0)]);
        assert_eq!(as_fen(&check(bed, &vendor).await.trade_total), 1_200);

        let bad = vec![
            trade("I-1", code, 501),
            trade("I-3", code, 0),
            trade("I-4", "91120103000000000", 5),
            trade("", code, 5),
            TradeRow {
                trade_date: Some(date(2025, 1, 3)),
                ..trade("I-5", code, 5)
            },
            TradeRow {
                trade_date: None,
                ..trade("I-6", code, 5)
            },
            TradeRow {
                quality_fault: fen(6),
                ..trade("I-7", code, 5)
            },
            TradeRow {
                reverses_reference: "nothing".into(),
                ..trade("I-8", code, -5)
            },
            TradeRow {
                reverses_reference: "I-1".into(),
                ..trade("I-9", &uscc(), -5)
            },
            TradeRow {
                company: " ".into(),
                ..trade("I-10", code, 5)
            },
            trade("I-11", code, 9),
            trade("I-11", code, 9),
        ];
        let rows = (1..).zip(bad).map(|(line, row)| TradeRow { line, ..row }).collect();
        let answer = send(bed, vec![chunk(rows)]).await.unwrap().remove(0);
        let refused: Vec<_> = answer.refused.iter().map(|n| (n.line, n.field.as_str(), n.reason.as_str())).collect();
        assert_eq!(
            refused,
            [
                (1, "reference", "REFERENCE_TAKEN"),
                (2, "amount", "AMOUNT_ZERO"),
                (3, "uscc", "USCC_INVALID"),
                (4, "reference", "REQUIRED"),
                (5, "trade_date", "DATE_IN_FUTURE"),
                (6, "trade_date", "REQUIRED"),
                (7, "quality_fault", "QUALITY_RANGE"),
                (8, "reverses_reference", "REVERSAL_UNKNOWN"),
                (9, "reverses_reference", "REVERSAL_UNKNOWN"),
                (10, "company", "REQUIRED"),
                (12, "reference", "DUPLICATE"),
            ]
        );
        assert_eq!((answer.accepted, as_fen(&check(bed, &vendor).await.trade_total)), (1, 1_209));
    })
    .await;
}
