use contracts::hearth::{
    archive::v1::{
        ApproveCreditLineRequest, ApproveRatingRequest, CancelCreditLineRequest, CheckStandingRequest, CheckStandingResponse, CloseCreditFileRequest,
        ClosePartyRequest, CreditFile, CreditHold, CreditLine, CreditModel, CreditRating, DecideCreditHoldRequest, DesignateKeyAccountRequest, Exposure,
        FactContent, FactKind, Factor, FreezeCreditLineRequest, GetCreditFileRequest, GetCreditModelRequest, GetExposureRequest, GetRatingRequest, Grade,
        GrantRatingExceptionRequest, Guarantee, KeyAccount, ListCreditHoldsRequest, ListCreditLinesRequest, ListGuaranteesRequest, ListKeyAccountsRequest,
        ListLicenceExpiriesRequest, ListRatingsRequest, NewFact, OpenCreditFileRequest, OpenRatingRequest, Party, ProposeCreditLineRequest,
        PublishCreditModelRequest, RebuildExposureRequest, RecordFactsRequest, RegisterGuaranteeRequest, RegisterOrganisationRequest, ReleaseGuaranteeRequest,
        ReturnRatingRequest, ReviewRatingRequest, ScoreRatingRequest, SignAgreementRequest, UnfreezeCreditLineRequest, WithdrawKeyAccountRequest,
        credit_file_service_client::CreditFileServiceClient, credit_hold, credit_line, credit_model, credit_rating, credit_service_client::CreditServiceClient,
        guarantee, key_account, standing_service_client::StandingServiceClient,
    },
    billing::v1::{BillCredited, BillIssued, BillReversed, LateFeePaid, PaymentReceived, PaymentReversed, bill},
    options::v1::Role,
    r#type::v1::{Date, Money},
};
use rpc::Routes;
use testbed::{Bed, Client, Feed, each, eventually, key, reason};
use tonic::Code;

use crate::world::{Desk, HEPING, HEXI, date, events, phone, raw, uuid};

type Credit = CreditServiceClient<Client>;

/// The archive with billing's events at hand, and the people of credit.
pub struct World<'a> {
    pub bed: &'a Bed,
    pub desk: Desk,
    pub billing: Feed,
    pub rater: Credit,
    pub reviewer: Credit,
    pub approver: Credit,
    pub leader: Credit,
}

pub fn yuan(fen: i64) -> Option<Money> {
    Some(Money {
        currency_code: "CNY".to_owned(),
        minor_units: fen,
    })
}

fn fen(money: &Option<Money>) -> i64 {
    money.as_ref().unwrap().minor_units
}

/// A credit code with right check characters.
pub fn credit_code(n: u32) -> String {
    let body = format!("91120116MA{n:06}");
    let alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY";
    alphabet
        .chars()
        .flat_map(|a| alphabet.chars().map(move |b| (a, b)))
        .map(|(a, b)| format!("{body}{a}{b}"))
        .find(|code| ids::CreditCode::parse(code).is_ok())
        .unwrap()
}

impl<'a> World<'a> {
    pub async fn new(bed: &'a Bed) -> Self {
        let billing = bed.fake("billing", Routes::default()).await;
        let of = |name: &str, roles: &[Role]| Credit::new(bed.staff_named(name, roles));
        Self {
            bed,
            desk: Desk::head_office(bed),
            billing,
            rater: of("rater", &[Role::CreditAnalyst, Role::KeyAccountManager]),
            reviewer: of("reviewer", &[Role::Finance, Role::Accountant]),
            approver: of("approver", &[Role::ServiceManager]),
            leader: of("leader", &[Role::Leader]),
        }
    }

    pub fn clock(&self, text: &str) {
        self.bed.clock().set(testbed::at(text)).unwrap();
    }

    /// A party with an account.
    pub async fn customer(&mut self, n: u32) -> (Party, String) {
        let party = self.desk.person(n, HEXI).await;
        let account = self.desk.open(&party).await;
        (party, account.account_id)
    }

    pub async fn organisation(&mut self, n: u32) -> Party {
        let request = RegisterOrganisationRequest {
            request_id: key(),
            name: format!("津华锅炉有限公司{n}"),
            credit_code: credit_code(n),
            code_seen_on_licence: false,
            phone: "02258886666".to_owned(),
            address: String::new(),
            branch: HEXI.to_owned(),
        };
        self.desk.parties.register_organisation(request).await.unwrap().into_inner().party.unwrap()
    }

    /// Billing issues a bill of the month of its issue, due 20 days later.
    pub fn bill(&self, party: &Party, account: &str, fen: i64, issued: &str) -> (String, BillIssued) {
        let day: chrono::NaiveDate = issued.parse().unwrap();
        let issue = date(issued).unwrap();
        let told = BillIssued {
            bill_id: key(),
            bill_no: "B".to_owned(),
            account_id: account.to_owned(),
            party_id: party.party_id.clone(),
            branch: party.branch.clone(),
            year: issue.year,
            month: issue.month,
            amount: yuan(fen),
            issue_date: Some(issue),
            due_date: Some(rpc::wire::date(day + chrono::Days::new(20))),
            ..BillIssued::default()
        };
        self.billing.tell(account, &told);
        (told.bill_id.clone(), told)
    }

    /// Billing bills what an agreement used after a day and up to another one, on the day after that.
    pub fn use_bill(&self, party: &Party, account: &str, agreement: &str, fen: i64, from: &str, to: &str) -> String {
        let issue: chrono::NaiveDate = to.parse().unwrap();
        let issue = issue.succ_opt().unwrap();
        let used = date(to).unwrap();
        let told = BillIssued {
            bill_id: key(),
            bill_no: "B".to_owned(),
            agreement_id: agreement.to_owned(),
            account_id: account.to_owned(),
            party_id: party.party_id.clone(),
            branch: party.branch.clone(),
            year: used.year,
            month: used.month,
            amount: yuan(fen),
            issue_date: Some(rpc::wire::date(issue)),
            due_date: Some(rpc::wire::date(issue + chrono::Days::new(20))),
            kind: bill::Kind::Regular.into(),
            service: "GAS".to_owned(),
            from_date: date(from),
            to_date: Some(used),
            ..BillIssued::default()
        };
        self.billing.tell(account, &told);
        told.bill_id
    }

    /// A payment that settles bills.
    pub fn pay(&self, party: &Party, account: &str, fen: i64, day: &str, bills: &[&str]) -> PaymentReceived {
        self.pay_with_late_fee(party, account, fen, 0, day, bills)
    }

    /// A payment that settles bills and, with a part of it, late fees.
    pub fn pay_with_late_fee(&self, party: &Party, account: &str, fen: i64, late_fee: i64, day: &str, bills: &[&str]) -> PaymentReceived {
        let told = PaymentReceived {
            payment_id: key(),
            receipt_no: format!("RC-{}", key()),
            account_id: account.to_owned(),
            party_id: party.party_id.clone(),
            branch: party.branch.clone(),
            amount: yuan(fen),
            channel: "BANK".to_owned(),
            date: date(day),
            settled_bill_ids: bills.iter().map(|id| (*id).to_owned()).collect(),
            late_fee: if late_fee > 0 { yuan(late_fee) } else { None },
        };
        self.billing.tell(account, &told);
        told
    }

    /// What a payment pays of late fees is another sum now.
    pub fn late_fee_paid(&self, paid: &PaymentReceived, fen: i64) {
        let told = LateFeePaid {
            payment_id: paid.payment_id.clone(),
            account_id: paid.account_id.clone(),
            party_id: paid.party_id.clone(),
            branch: paid.branch.clone(),
            late_fee: yuan(fen),
        };
        self.billing.tell(&paid.account_id, &told);
    }

    /// It bounces.
    pub fn bounce(&self, paid: &PaymentReceived) {
        let told = PaymentReversed {
            payment_id: paid.payment_id.clone(),
            receipt_no: paid.receipt_no.clone(),
            account_id: paid.account_id.clone(),
            party_id: paid.party_id.clone(),
            branch: paid.branch.clone(),
            amount: paid.amount.clone(),
            reopened_bill_ids: paid.settled_bill_ids.clone(),
        };
        self.billing.tell(&paid.account_id, &told);
    }

    /// A credit note over a whole bill.
    pub fn credit_note(&self, bill: &BillIssued) {
        let told = BillReversed {
            bill_id: bill.bill_id.clone(),
            bill_no: bill.bill_no.clone(),
            credit_note_no: "CN".to_owned(),
            account_id: bill.account_id.clone(),
            party_id: bill.party_id.clone(),
            branch: bill.branch.clone(),
            amount: bill.amount.clone(),
            ..BillReversed::default()
        };
        self.billing.tell(&bill.account_id, &told);
    }

    /// A credit note over a part of a bill.
    pub fn credit_part(&self, bill: &BillIssued, fen: i64, day: &str, settled: bool) {
        let told = BillCredited {
            bill_id: bill.bill_id.clone(),
            account_id: bill.account_id.clone(),
            party_id: bill.party_id.clone(),
            branch: bill.branch.clone(),
            amount: yuan(fen),
            credited: yuan(fen),
            settled,
            date: date(day),
            ..BillCredited::default()
        };
        self.billing.tell(&bill.account_id, &told);
    }

    pub async fn exposure(&self, party: &Party) -> Exposure {
        let request = GetExposureRequest {
            party_id: party.party_id.clone(),
        };
        self.rater.clone().get_exposure(request).await.unwrap().into_inner().exposure.unwrap()
    }

    /// Waits until the exposure looks as wanted.
    pub async fn until(&self, party: &Party, wanted: impl Fn(&Exposure) -> bool) -> Exposure {
        eventually("the exposure", async || Some(self.exposure(party).await).filter(|e| wanted(e))).await
    }

    /// Waits for the last of the events about the credit of a party.
    pub async fn told(&self, party: &Party, wanted: &[&str]) {
        eventually("the events of the party", async || {
            let told = events(self.bed, &party.party_id).await;
            let about = |kind: &&String| (kind.starts_with("Credit") && *kind != "CreditFileUpdated") || kind.starts_with("Key");
            let told: Vec<_> = told.iter().filter(about).collect();
            (told == wanted).then_some(())
        })
        .await;
    }

    pub async fn open_rating(&mut self, party: &Party) -> CreditRating {
        let request = OpenRatingRequest {
            request_id: key(),
            party_id: party.party_id.clone(),
            period: "2025".to_owned(),
        };
        self.rater.open_rating(request).await.unwrap().into_inner().rating.unwrap()
    }

    pub async fn score(&mut self, rating: &CreditRating, performed: i64, agreed: i64) -> CreditRating {
        let request = score(rating, performed, agreed);
        self.rater.score_rating(request).await.unwrap().into_inner().rating.unwrap()
    }

    pub async fn review(&mut self, rating: &CreditRating) -> CreditRating {
        let request = ReviewRatingRequest {
            request_id: key(),
            rating_id: rating.rating_id.clone(),
            etag: rating.etag.clone(),
        };
        self.reviewer.review_rating(request).await.unwrap().into_inner().rating.unwrap()
    }

    pub async fn approve(&mut self, rating: &CreditRating) -> CreditRating {
        self.approver.approve_rating(approve(rating)).await.unwrap().into_inner().rating.unwrap()
    }

    /// A rating that goes all the way.
    pub async fn rate(&mut self, party: &Party, performed: i64, agreed: i64) -> CreditRating {
        let rating = self.open_rating(party).await;
        let rating = self.score(&rating, performed, agreed).await;
        let rating = self.review(&rating).await;
        self.approve(&rating).await
    }

    /// A line in use, for a year.
    pub async fn line(&mut self, party: &Party, term_days: i32) -> CreditLine {
        let line = self
            .rater
            .propose_credit_line(propose(party, term_days))
            .await
            .unwrap()
            .into_inner()
            .line
            .unwrap();
        self.approver.approve_credit_line(approve_line(&line)).await.unwrap().into_inner().line.unwrap()
    }

    /// A customer whose nine delivering months were billed and paid on time, rated A, with a line of 80 000.00 and 30 days, on 10 January 2026.
    pub async fn with_line(&mut self, n: u32) -> (Party, String, CreditLine) {
        let (party, account) = self.customer(n).await;
        self.nine_months(&party, &account).await;
        self.rate(&party, 100, 100).await;
        let line = self.line(&party, 30).await;
        assert_eq!(fen(&line.limit), 8_000_000);
        (party, account, line)
    }

    pub async fn nine_months(&mut self, party: &Party, account: &str) {
        for month in [1, 2, 3, 4, 5, 6, 10, 11, 12] {
            let (bill, _) = self.bill(party, account, 10_000_000, &format!("2025-{month:02}-05"));
            self.pay(party, account, 10_000_000, &format!("2025-{month:02}-20"), &[&bill]);
        }
        self.until(party, |e| fen(&e.paid) == 90_000_000).await;
    }

    pub async fn standing(&self, party: &Party) -> CheckStandingResponse {
        let mut standing = StandingServiceClient::new(self.bed.peer("hall"));
        let request = CheckStandingRequest {
            party_id: party.party_id.clone(),
        };
        standing.check_standing(request).await.unwrap().into_inner()
    }

    pub async fn holds(&self, state: credit_hold::State) -> Vec<CreditHold> {
        let request = ListCreditHoldsRequest {
            state: state.into(),
            ..ListCreditHoldsRequest::default()
        };
        self.rater.clone().list_credit_holds(request).await.unwrap().into_inner().holds
    }
}

pub fn score(rating: &CreditRating, performed: i64, agreed: i64) -> ScoreRatingRequest {
    ScoreRatingRequest {
        request_id: key(),
        rating_id: rating.rating_id.clone(),
        etag: rating.etag.clone(),
        agreed,
        performed,
        signal: credit_rating::Signal::None.into(),
        ..ScoreRatingRequest::default()
    }
}

fn approve(rating: &CreditRating) -> ApproveRatingRequest {
    ApproveRatingRequest {
        request_id: key(),
        rating_id: rating.rating_id.clone(),
        etag: rating.etag.clone(),
    }
}

fn except(rating: &CreditRating) -> GrantRatingExceptionRequest {
    GrantRatingExceptionRequest {
        request_id: key(),
        rating_id: rating.rating_id.clone(),
        etag: rating.etag.clone(),
    }
}

pub fn propose(party: &Party, term_days: i32) -> ProposeCreditLineRequest {
    ProposeCreditLineRequest {
        request_id: key(),
        party_id: party.party_id.clone(),
        term_days,
        factor_bp: 0,
        valid_from_date: None,
        valid_until_date: date("2026-12-31"),
    }
}

pub fn approve_line(line: &CreditLine) -> ApproveCreditLineRequest {
    ApproveCreditLineRequest {
        request_id: key(),
        line_id: line.line_id.clone(),
        etag: line.etag.clone(),
    }
}

fn designate(party: &Party, manager: &str) -> DesignateKeyAccountRequest {
    DesignateKeyAccountRequest {
        request_id: key(),
        party_id: party.party_id.clone(),
        account_manager: manager.to_owned(),
        segment: key_account::Segment::HeatingBoiler.into(),
        designation_basis: "年用气量超过一百万立方米".to_owned(),
    }
}

/// A model in which only performance (40) and payment on time (60) count.
fn two_factors(version: i32) -> PublishCreditModelRequest {
    let points = |factor| match factor {
        Factor::OnTimePayment => 60,
        Factor::ContractPerformance => 40,
        _ => 0,
    };
    let factors = (1..=7).map(|n| Factor::try_from(n).unwrap());
    let band = |grade: Grade, above: &str, least, largest| credit_model::Band {
        grade: grade.into(),
        above: Some(rpc::wire::decimal(above)),
        least_factor_bp: least,
        largest_factor_bp: largest,
    };
    PublishCreditModelRequest {
        request_id: key(),
        version,
        effective_date: date("2025-01-01"),
        weights: factors
            .map(|factor| credit_model::Weight {
                factor: factor.into(),
                points: points(factor),
            })
            .collect(),
        bands: vec![
            band(Grade::Aaa, "90.00", 15_000, 30_000),
            band(Grade::Aa, "80.00", 10_000, 10_000),
            band(Grade::A, "70.00", 8000, 8000),
            band(Grade::B, "60.00", 6000, 6000),
            band(Grade::C, "0.00", 0, 0),
        ],
        mass_breach_parties: 2,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn b_01_90_00_is_aa_and_90_01_is_aaa() {
    each(archive::SERVICE, async |bed| {
        let mut world = World::new(bed).await;
        let shipped = world
            .rater
            .get_credit_model(GetCreditModelRequest::default())
            .await
            .unwrap()
            .into_inner()
            .model
            .unwrap();
        let weights: Vec<_> = shipped.weights.iter().map(|w| w.points).collect();
        assert_eq!((shipped.version, weights), (1, vec![35, 15, 15, 10, 10, 5, 10]));
        let publish = |change: &dyn Fn(&mut PublishCreditModelRequest)| {
            let mut request = two_factors(2);
            change(&mut request);
            request
        };
        let mut leader = world.leader.clone();
        for (request, wanted) in [
            (publish(&|m| m.weights[0].points = 59), "MODEL_WEIGHTS"),
            (publish(&|m| m.bands.swap(0, 1)), "MODEL_BANDS"),
            (publish(&|m| m.version = 3), "MODEL_VERSION"),
            (publish(&|m| m.effective_date = date("1999-12-31")), "MODEL_DATE"),
        ] {
            assert_eq!(reason(&leader.publish_credit_model(request).await.unwrap_err()), wanted);
        }
        let model: CreditModel = leader.publish_credit_model(two_factors(2)).await.unwrap().into_inner().model.unwrap();
        assert_eq!(model.version, 2);

        // Nothing was due, so nothing was late: 60 points; 40 × 75 % are 30.00, 40 × 75.025 % are 30.01.
        for (n, performed, agreed, total, grade) in [
            (1, 75, 100, "90.00", Grade::Aa),
            (2, 75_025, 100_000, "90.01", Grade::Aaa),
            (3, 7_500_001, 10_000_000, "90.00", Grade::Aaa),
        ] {
            let (party, _) = world.customer(n).await;
            let rating = world.open_rating(&party).await;
            assert_eq!(rating.state(), credit_rating::State::Collecting);
            let rating = world.score(&rating, performed, agreed).await;
            assert_eq!((rating.state(), rating.model_version), (credit_rating::State::Scored, 2));
            assert_eq!((rating.total.as_ref().unwrap().value.as_str(), rating.scored_grade()), (total, grade), "{n}");
            assert_eq!(rating.grade(), Grade::A);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b_02_hard_stops_force_c_and_poor_performance_ends_the_key_account() {
    each(archive::SERVICE, async |bed| {
        let mut world = World::new(bed).await;
        let (party, _) = world.customer(1).await;
        let rating = world.open_rating(&party).await;
        let stated = |change: &dyn Fn(&mut ScoreRatingRequest), rating: &CreditRating| {
            let mut request = score(rating, 100, 100);
            change(&mut request);
            request
        };
        let mut rater = world.rater.clone();
        let refused = stated(&|s| s.sued_for_payment = true, &rating);
        assert_eq!(reason(&rater.score_rating(refused).await.unwrap_err()), "EVIDENCE_REQUIRED");
        let refused = stated(&|s| s.performed = 101, &rating);
        assert_eq!(reason(&rater.score_rating(refused).await.unwrap_err()), "PERFORMANCE");
        let mut rating = rating;
        for (sued, closed, performed, stops) in [
            (true, false, 100, vec!["SUED_FOR_PAYMENT"]),
            (false, true, 100, vec!["ORDERED_TO_CLOSE"]),
            (false, false, 74, vec!["PERFORMANCE_BELOW_75"]),
            (true, true, 0, vec!["SUED_FOR_PAYMENT", "ORDERED_TO_CLOSE", "PERFORMANCE_BELOW_75"]),
            (false, false, 75, vec![]),
        ] {
            let request = stated(
                &|s| {
                    (s.sued_for_payment, s.ordered_to_close, s.performed) = (sued, closed, performed);
                    s.evidence_ids = vec!["doc-1".to_owned()];
                },
                &rating,
            );
            let scored = rater.score_rating(request).await.unwrap().into_inner().rating.unwrap();
            assert_eq!(scored.hard_stops, stops);
            assert_eq!(scored.grade() == Grade::C, !stops.is_empty(), "{stops:?}");
            let back = ReturnRatingRequest {
                request_id: key(),
                rating_id: scored.rating_id.clone(),
                etag: scored.etag.clone(),
                reason: "再核".to_owned(),
            };
            rating = world.reviewer.return_rating(back).await.unwrap().into_inner().rating.unwrap();
            assert_eq!(rating.state(), credit_rating::State::Returned);
        }

        // The key account becomes ordinary when the rating takes effect.
        let designated: KeyAccount = rater
            .designate_key_account(designate(&party, "zhao"))
            .await
            .unwrap()
            .into_inner()
            .key_account
            .unwrap();
        assert_eq!(designated.state(), key_account::State::Active);
        let again = rater.designate_key_account(designate(&party, "zhao")).await.unwrap_err();
        assert_eq!((again.code(), reason(&again).as_str()), (Code::AlreadyExists, "KEY_ACCOUNT_UNIQUE"));
        let rating = world.score(&rating, 74, 100).await;
        let rating = world.review(&rating).await;
        let rating = world.approve(&rating).await;
        assert_eq!((rating.state(), rating.grade()), (credit_rating::State::Effective, Grade::C));
        world.told(&party, &["KeyAccountDesignated", "CreditRated", "KeyAccountDowngraded"]).await;
        let list = ListKeyAccountsRequest {
            party_id: Some(party.party_id.clone()),
            ..ListKeyAccountsRequest::default()
        };
        let keys = rater.list_key_accounts(list).await.unwrap().into_inner().key_accounts;
        assert_eq!(keys[0].state(), key_account::State::Downgraded);
        let withdraw = |key: &KeyAccount| WithdrawKeyAccountRequest {
            request_id: testbed::key(),
            key_account_id: key.key_account_id.clone(),
            etag: key.etag.clone(),
        };
        assert_eq!(reason(&rater.withdraw_key_account(withdraw(&keys[0])).await.unwrap_err()), "KEY_ACCOUNT_STATE");
        let next = rater
            .designate_key_account(designate(&party, "rater"))
            .await
            .unwrap()
            .into_inner()
            .key_account
            .unwrap();
        assert_eq!(reason(&rater.withdraw_key_account(withdraw(&next)).await.unwrap_err()), "CREDIT_OWN_ACCOUNT");
        let withdrawn = world
            .approver
            .withdraw_key_account(withdraw(&next))
            .await
            .unwrap()
            .into_inner()
            .key_account
            .unwrap();
        assert_eq!(withdrawn.state(), key_account::State::Withdrawn);
        let all = [
            "KeyAccountDesignated",
            "CreditRated",
            "KeyAccountDowngraded",
            "KeyAccountDesignated",
            "KeyAccountWithdrawn",
        ];
        world.told(&party, &all).await;
        // C gives no credit at all.
        let line = rater
            .propose_credit_line(propose_until(&party, "2025-12-31"))
            .await
            .unwrap()
            .into_inner()
            .line
            .unwrap();
        assert_eq!((fen(&line.limit), line.factor_bp), (0, 0));
    })
    .await;
}

fn propose_until(party: &Party, until: &str) -> ProposeCreditLineRequest {
    ProposeCreditLineRequest {
        valid_until_date: date(until),
        ..propose(party, 30)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn b_03_above_a_needs_two_special_approvals_the_second_of_a_leader_and_200_percent_a_leader() {
    each(archive::SERVICE, async |bed| {
        let mut world = World::new(bed).await;
        world.leader.publish_credit_model(two_factors(2)).await.unwrap();
        let (party, account) = world.customer(1).await;
        world.rater.designate_key_account(designate(&party, "manager")).await.unwrap();
        world.bill(&party, &account, 10_000_000, "2024-12-20");
        world.until(&party, |e| fen(&e.billed) == 10_000_000).await;
        let rating = world.open_rating(&party).await;
        let rating = world.score(&rating, 100, 100).await;
        assert_eq!(rating.caps, ["NEW_CUSTOMER", "DOCUMENTS_MISSING"]);
        let early = world.leader.grant_rating_exception(except(&rating)).await.unwrap_err();
        assert_eq!(reason(&early), "RATING_STATE");
        let rating = world.review(&rating).await;
        let mut manager = Credit::new(bed.staff_named("manager", &[Role::Leader]));
        assert_eq!(
            reason(&manager.grant_rating_exception(except(&rating)).await.unwrap_err()),
            "CREDIT_OWN_ACCOUNT"
        );
        let mut rater = Credit::new(bed.staff_named("rater", &[Role::Leader]));
        assert_eq!(reason(&rater.grant_rating_exception(except(&rating)).await.unwrap_err()), "CREDIT_SAME_PERSON");
        let mut first = Credit::new(bed.staff_named("first", &[Role::Finance, Role::Leader]));
        let rating = first.grant_rating_exception(except(&rating)).await.unwrap().into_inner().rating.unwrap();
        assert_eq!(rating.grade(), Grade::A);
        assert_eq!(reason(&first.grant_rating_exception(except(&rating)).await.unwrap_err()), "CREDIT_SAME_PERSON");
        // B-08: who reviewed the rating has had a say in it.
        assert_eq!(
            reason(&world.reviewer.grant_rating_exception(except(&rating)).await.unwrap_err()),
            "CREDIT_SAME_PERSON"
        );
        // Two of finance make no exception: every one is the leader's to approve.
        let mut finance = Credit::new(bed.staff_named("finance", &[Role::Finance]));
        let status = finance.grant_rating_exception(except(&rating)).await.unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (Code::PermissionDenied, "CREDIT_NEEDS_LEADER"));
        let rating = world.leader.grant_rating_exception(except(&rating)).await.unwrap().into_inner().rating.unwrap();
        assert_eq!(
            (rating.grade(), rating.exception_by.as_slice()),
            (Grade::Aaa, ["first".to_owned(), "leader".to_owned()].as_slice())
        );
        // Who approved the exception may approve the rating.
        let rating = world.leader.approve_rating(approve(&rating)).await.unwrap().into_inner().rating.unwrap();
        assert_eq!((rating.grade(), rating.state()), (Grade::Aaa, credit_rating::State::Effective));

        // AAA is worth 150 to 300 %; above 200 % a leader approves.
        let mut request = propose_until(&party, "2025-12-31");
        request.factor_bp = 14_999;
        assert_eq!(reason(&world.rater.propose_credit_line(request.clone()).await.unwrap_err()), "CREDIT_FACTOR");
        request.factor_bp = 20_001;
        let line = world.rater.propose_credit_line(request).await.unwrap().into_inner().line.unwrap();
        assert_eq!(fen(&line.limit), 20_000_000);
        assert_eq!(
            reason(&world.approver.approve_credit_line(approve_line(&line)).await.unwrap_err()),
            "CREDIT_NEEDS_LEADER"
        );
        let line = world.leader.approve_credit_line(approve_line(&line)).await.unwrap().into_inner().line.unwrap();
        assert_eq!(line.state(), credit_line::State::Active);
        // A rating at A or below has no cap to lift.
        let (other, _) = world.customer(2).await;
        let rating = world.open_rating(&other).await;
        let rating = world.score(&rating, 76, 200).await;
        let rating = world.review(&rating).await;
        assert_eq!(
            reason(&world.leader.grant_rating_exception(except(&rating)).await.unwrap_err()),
            "RATING_NOT_CAPPED"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b_02_and_b_03_the_credit_file_and_the_years_of_supply_count() {
    each(archive::SERVICE, async |bed| {
        let mut world = World::new(bed).await;
        let mut files = CreditFileServiceClient::new(bed.staff(&[Role::CreditAnalyst]));
        // An organisation whose licence ended on 31 January: 30 days later that is no hard stop yet.
        let school = world.organisation(1).await;
        let rating = world.open_rating(&school).await;
        let licence = FactContent {
            number: "120103000012345".to_owned(),
            authority: "河西区市场监督管理局".to_owned(),
            ..FactContent::default()
        };
        record(&mut files, &school.party_id, FactKind::BusinessLicence, licence, date("2025-01-31")).await;
        world.clock("2025-03-02T09:00:00+08:00");
        let scored = world.score(&rating, 100, 100).await;
        assert_eq!((scored.hard_stops.len(), scored.caps.len()), (0, 2));
        world.clock("2025-03-03T09:00:00+08:00");
        let back = ReturnRatingRequest {
            request_id: key(),
            rating_id: scored.rating_id.clone(),
            etag: scored.etag.clone(),
            reason: "执照".to_owned(),
        };
        let back = world.reviewer.return_rating(back).await.unwrap().into_inner().rating.unwrap();
        let scored = world.score(&back, 100, 100).await;
        assert_eq!(
            (scored.hard_stops.as_slice(), scored.grade()),
            (["LICENCE_EXPIRED".to_owned()].as_slice(), Grade::C)
        );

        // A person with a complete file, supplied for a year and a week: no cap. 35 + 15 + 15 + 10 + 10 + 1 + 10 points.
        let template = world.desk.template().await;
        let request = SignAgreementRequest {
            signed_date: date("2025-03-03"),
            ..world.desk.ready(2, HEXI, &template).await
        };
        let agreement = world.desk.sign(request).await;
        crate::agreement::activate(&mut world.desk, &agreement, "2025-03-03").await;
        let mobile = FactContent {
            phone: phone(2),
            ..FactContent::default()
        };
        record(&mut files, &agreement.party_id, FactKind::Mobile, mobile, None).await;
        world.clock("2026-03-10T09:00:00+08:00");
        let party = Party {
            party_id: agreement.party_id.clone(),
            ..Party::default()
        };
        let rating = world.open_rating(&party).await;
        let scored = world.score(&rating, 100, 100).await;
        assert_eq!(scored.caps, Vec::<String>::new());
        assert_eq!((scored.total.as_ref().unwrap().value.as_str(), scored.grade()), ("96.00", Grade::Aaa));
        let points: Vec<_> = scored.scores.iter().map(|s| s.points.as_ref().unwrap().value.as_str()).collect();
        assert_eq!(points, ["35.00", "15.00", "15.00", "10.00", "10.00", "1.00", "10.00"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b_03_a_customer_is_new_for_a_year_and_a_file_below_100_percent_caps() {
    each(archive::SERVICE, async |bed| {
        let mut world = World::new(bed).await;
        let mut files = CreditFileServiceClient::new(bed.staff(&[Role::CreditAnalyst]));
        let school = world.organisation(1).await;
        let template = world.desk.template().await;
        let request = SignAgreementRequest {
            account_id: world.desk.open(&school).await.account_id,
            signed_date: date("2025-03-03"),
            ..world.desk.ready(2, HEXI, &template).await
        };
        world.clock("2025-03-03T09:00:00+08:00");
        let agreement = world.desk.sign(request).await;
        crate::agreement::activate(&mut world.desk, &agreement, "2025-03-03").await;
        let open = OpenCreditFileRequest {
            request_id: key(),
            party_id: school.party_id.clone(),
        };
        let file = files.open_credit_file(open).await.unwrap().into_inner().credit_file.unwrap();
        let recording = |file: &CreditFile, facts: &[NewFact]| RecordFactsRequest {
            request_id: key(),
            credit_file_id: file.credit_file_id.clone(),
            etag: file.etag.clone(),
            facts: facts.to_vec(),
        };
        let sheet = crate::credit_file::sheet(None);
        let file = files
            .record_facts(recording(&file, &sheet[..12]))
            .await
            .unwrap()
            .into_inner()
            .credit_file
            .unwrap();
        assert_eq!(file.completeness_bp, 8_000);

        let mut rating = world.open_rating(&school).await;
        let back = |scored: &CreditRating| ReturnRatingRequest {
            request_id: key(),
            rating_id: scored.rating_id.clone(),
            etag: scored.etag.clone(),
            reason: "再核".to_owned(),
        };
        // 364 days of supply, and 365. With 12 of 15 facts there are 8.00 points for the file: 35 + 15 + 15 + 8 + 10 + 0 or 1 + 10.
        for (today, points, caps) in [
            ("2026-03-02", "93.00", vec!["NEW_CUSTOMER", "DOCUMENTS_MISSING"]),
            ("2026-03-03", "94.00", vec!["DOCUMENTS_MISSING"]),
        ] {
            world.clock(&format!("{today}T09:00:00+08:00"));
            let scored = world.score(&rating, 100, 100).await;
            assert_eq!(scored.caps, caps, "{today}");
            assert_eq!(scored.total.as_ref().unwrap().value, points, "{today}");
            assert_eq!((scored.scored_grade(), scored.grade()), (Grade::Aaa, Grade::A), "{today}");
            rating = world.reviewer.return_rating(back(&scored)).await.unwrap().into_inner().rating.unwrap();
        }
        // 14 of 15 are no complete file either; the last fact lifts the cap.
        let file = files
            .record_facts(recording(&file, &sheet[12..14]))
            .await
            .unwrap()
            .into_inner()
            .credit_file
            .unwrap();
        assert_eq!(file.completeness_bp, 9_333);
        let scored = world.score(&rating, 100, 100).await;
        assert_eq!(
            (scored.caps.as_slice(), scored.grade()),
            (["DOCUMENTS_MISSING".to_owned()].as_slice(), Grade::A)
        );
        let rating = world.reviewer.return_rating(back(&scored)).await.unwrap().into_inner().rating.unwrap();
        files.record_facts(recording(&file, &sheet[14..])).await.unwrap();
        let scored = world.score(&rating, 100, 100).await;
        assert_eq!((scored.caps.len(), scored.grade()), (0, Grade::Aaa));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b_e_both_averages_are_reported_of_a_seasonal_and_of_a_shrinking_customer() {
    each(archive::SERVICE, async |bed| {
        let mut world = World::new(bed).await;
        world.clock("2026-01-10T09:00:00+08:00");
        // 2025 counts: a boiler that is fed in five months, and a plant that used as much in two and nothing since.
        for (n, months, fen_of_each, delivering, average) in [
            (1, vec![1, 2, 3, 11, 12], 12_000_000, 5, 12_000_000),
            (2, vec![1, 2], 30_000_000, 2, 30_000_000),
        ] {
            let (party, account) = world.customer(n).await;
            for month in months {
                let (bill, _) = world.bill(&party, &account, fen_of_each, &format!("2025-{month:02}-05"));
                world.pay(&party, &account, fen_of_each, &format!("2025-{month:02}-20"), &[&bill]);
            }
            // 600 000.00 a year of both: 50 000.00 over all months.
            let exposure = world.until(&party, |e| fen(&e.paid) == 60_000_000).await;
            assert_eq!((fen(&exposure.average_delivering), fen(&exposure.average_all)), (average, 5_000_000), "{n}");
            world.rate(&party, 100, 100).await;
            let line = world.line(&party, 30).await;
            assert_eq!((fen(&line.average_delivering), line.delivering_months), (average, delivering), "{n}");
            assert_eq!((fen(&line.average_all), line.all_months), (5_000_000, 12), "{n}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b_02_a_closed_file_lifts_no_hard_stop_and_another_one_may_be_opened() {
    each(archive::SERVICE, async |bed| {
        let mut world = World::new(bed).await;
        let mut files = CreditFileServiceClient::new(bed.staff(&[Role::CreditAnalyst]));
        let school = world.organisation(1).await;
        let licence = FactContent {
            number: "120103000012345".to_owned(),
            authority: "河西区市场监督管理局".to_owned(),
            ..FactContent::default()
        };
        record(&mut files, &school.party_id, FactKind::BusinessLicence, licence.clone(), date("2025-03-10")).await;
        let get = async |files: &mut CreditFileServiceClient<Client>| {
            let request = GetCreditFileRequest {
                credit_file_id: String::new(),
                party_id: school.party_id.clone(),
            };
            files.get_credit_file(request).await.unwrap().into_inner().credit_file.unwrap()
        };
        let first = get(&mut files).await;
        world.rate(&school, 100, 100).await;
        let close = CloseCreditFileRequest {
            request_id: key(),
            credit_file_id: first.credit_file_id.clone(),
            etag: first.etag.clone(),
        };
        files.close_credit_file(close).await.unwrap();
        let expiries = ListLicenceExpiriesRequest {
            until_date: date("2099-12-31"),
            ..ListLicenceExpiriesRequest::default()
        };
        let listed = files.list_licence_expiries(expiries).await.unwrap().into_inner().expiries;
        assert_eq!(listed.len(), 0, "nobody is to renew what a closed file holds");

        // The licence that the closed file shows ends credit as any other: the rating in effect becomes C, and so would the next one.
        world.clock("2025-04-10T09:00:00+08:00");
        let forced = eventually("the hard stop", async || {
            let list = ListRatingsRequest {
                party_id: Some(school.party_id.clone()),
                state: credit_rating::State::ReviewDue.into(),
                ..ListRatingsRequest::default()
            };
            world.rater.clone().list_ratings(list).await.unwrap().into_inner().ratings.pop()
        })
        .await;
        assert_eq!(
            (forced.hard_stops.as_slice(), forced.grade()),
            (["LICENCE_EXPIRED".to_owned()].as_slice(), Grade::C)
        );
        let rating = world.open_rating(&school).await;
        let scored = world.score(&rating, 100, 100).await;
        assert_eq!(scored.hard_stops, ["LICENCE_EXPIRED"]);
        let told = events(bed, &school.party_id).await;
        assert!(!told.contains(&"LicenceExpiring".to_owned()), "{told:?}");

        // A new file has a number of its own and no facts; the stop goes with a newer licence only.
        let open = || OpenCreditFileRequest {
            request_id: key(),
            party_id: school.party_id.clone(),
        };
        let second = files.open_credit_file(open()).await.unwrap().into_inner().credit_file.unwrap();
        assert_ne!((&second.credit_file_id, &second.file_no), (&first.credit_file_id, &first.file_no));
        assert_eq!(
            (get(&mut files).await.credit_file_id, second.completeness_bp),
            (second.credit_file_id.clone(), 0)
        );
        assert_eq!(reason(&files.open_credit_file(open()).await.unwrap_err()), "CREDIT_FILE_PARTY_UNIQUE");
        let back = |scored: &CreditRating| ReturnRatingRequest {
            request_id: key(),
            rating_id: scored.rating_id.clone(),
            etag: scored.etag.clone(),
            reason: "执照".to_owned(),
        };
        let rating = world.reviewer.return_rating(back(&scored)).await.unwrap().into_inner().rating.unwrap();
        let scored = world.score(&rating, 100, 100).await;
        assert_eq!(scored.hard_stops, ["LICENCE_EXPIRED"]);
        let renewed = NewFact {
            kind: FactKind::BusinessLicence.into(),
            item: String::new(),
            content: Some(licence),
            source: "原件".to_owned(),
            as_of_date: date("2025-04-01"),
            valid_to_date: date("2030-03-01"),
            long_term: false,
        };
        add(&mut files, second, renewed).await;
        let rating = world.reviewer.return_rating(back(&scored)).await.unwrap().into_inner().rating.unwrap();
        assert!(world.score(&rating, 100, 100).await.hard_stops.is_empty());
    })
    .await;
}

/// Opens a credit file with one fact.
pub async fn record(files: &mut CreditFileServiceClient<Client>, party_id: &str, kind: FactKind, content: FactContent, until: Option<Date>) {
    let open = OpenCreditFileRequest {
        request_id: key(),
        party_id: party_id.to_owned(),
    };
    let file = files.open_credit_file(open).await.unwrap().into_inner().credit_file.unwrap();
    let fact = NewFact {
        kind: kind.into(),
        item: String::new(),
        content: Some(content),
        source: "原件".to_owned(),
        as_of_date: date("2025-01-01"),
        valid_to_date: until,
        long_term: false,
    };
    add(files, file, fact).await;
}

/// Records one more fact; the file as it is then.
pub async fn add(files: &mut CreditFileServiceClient<Client>, file: CreditFile, fact: NewFact) -> CreditFile {
    let record = RecordFactsRequest {
        request_id: key(),
        credit_file_id: file.credit_file_id,
        etag: file.etag,
        facts: vec![fact],
    };
    files.record_facts(record).await.unwrap().into_inner().credit_file.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn b_02_a_certification_that_ended_more_than_30_days_ago_forces_c_on_the_rating_in_effect() {
    each(archive::SERVICE, async |bed| {
        let mut world = World::new(bed).await;
        let party = world.organisation(1).await;
        let account = world.desk.open(&party).await.account_id;
        let (paid, _) = world.bill(&party, &account, 10_000_000, "2024-12-20");
        world.pay(&party, &account, 10_000_000, "2024-12-27", &[&paid]);
        world.until(&party, |e| fen(&e.paid) == 10_000_000).await;
        let mut files = CreditFileServiceClient::new(bed.staff(&[Role::CreditAnalyst]));
        let open = OpenCreditFileRequest {
            request_id: key(),
            party_id: party.party_id.clone(),
        };
        let file = files.open_credit_file(open).await.unwrap().into_inner().credit_file.unwrap();
        let certificate = |item: &str, as_of: &str, until: &str| NewFact {
            kind: FactKind::IndustryCertification.into(),
            item: item.to_owned(),
            content: Some(FactContent {
                number: "TS-1".to_owned(),
                authority: "市场监督管理局".to_owned(),
                ..FactContent::default()
            }),
            source: "原件".to_owned(),
            as_of_date: date(as_of),
            valid_to_date: date(until),
            long_term: false,
        };
        let file = add(&mut files, file, certificate("锅炉使用登记", "2025-01-01", "2025-01-31")).await;
        world.rater.designate_key_account(designate(&party, "manager")).await.unwrap();
        let first = world.rate(&party, 100, 100).await;
        assert_eq!((first.grade(), first.hard_stops.len()), (Grade::A, 0));
        let line = world.rater.propose_credit_line(propose_until(&party, "2025-12-31")).await.unwrap();
        let line = line.into_inner().line.unwrap();
        world.approver.approve_credit_line(approve_line(&line)).await.unwrap();
        world.bill(&party, &account, 1_000_000, "2025-01-02");
        world.until(&party, |e| fen(&e.exposure) == 1_000_000).await;

        // On the thirtieth day after its end the grade holds; the day after, it is C: no limit any more, and what is owed is over it.
        world.clock("2025-03-02T09:00:00+08:00");
        let so_far = ["KeyAccountDesignated", "CreditRated", "CreditLineChanged", "CreditHoldRaised"];
        world.told(&party, &so_far).await;
        world.clock("2025-03-03T09:00:00+08:00");
        let told = [&so_far[..], &["CreditRated", "CreditLineChanged", "CreditHoldRaised"]].concat();
        world.told(&party, &told).await;
        let rater = world.rater.clone();
        let in_effect = async |state: credit_rating::State| {
            let list = ListRatingsRequest {
                party_id: Some(party.party_id.clone()),
                state: state.into(),
                ..ListRatingsRequest::default()
            };
            let ratings = rater.clone().list_ratings(list).await.unwrap().into_inner().ratings;
            ratings.into_iter().next_back().unwrap()
        };
        let forced = in_effect(credit_rating::State::ReviewDue).await;
        assert_eq!(
            (forced.grade(), forced.hard_stops.as_slice()),
            (Grade::C, ["LICENCE_EXPIRED".to_owned()].as_slice())
        );
        assert_eq!(
            (forced.review_reason.as_str(), forced.rated_by.as_str()),
            ("LICENCE_EXPIRED", "service:archive")
        );
        // The points are those that people approved, and the rating that they approved stays on record.
        assert_eq!((&forced.total, &forced.scores), (&first.total, &first.scores));
        let before = in_effect(credit_rating::State::Superseded).await;
        assert_eq!((&before.rating_id, before.grade()), (&first.rating_id, Grade::A));
        let exposure = world.exposure(&party).await;
        assert_eq!((fen(&exposure.limit), exposure.on_hold), (0, true));
        // Less than 75 % performed would end the key account; a licence does not.
        let keys = ListKeyAccountsRequest {
            party_id: Some(party.party_id.clone()),
            ..ListKeyAccountsRequest::default()
        };
        let keys = world.rater.list_key_accounts(keys).await.unwrap().into_inner().key_accounts;
        assert_eq!(keys[0].state(), key_account::State::Active);

        // Renewed, it is rated anew at once. What came up between score and approval counts: the other certification ended long ago.
        let file = add(&mut files, file, certificate("锅炉使用登记", "2025-03-01", "2026-01-31")).await;
        let rating = world.open_rating(&party).await;
        let rating = world.score(&rating, 100, 100).await;
        assert_eq!((rating.hard_stops.len(), rating.grade() == Grade::C), (0, false));
        let file = add(&mut files, file, certificate("特种设备", "2025-01-01", "2025-01-15")).await;
        let rating = world.review(&rating).await;
        let approved = world.approve(&rating).await;
        assert_eq!(approved.state(), credit_rating::State::Superseded);
        assert_eq!(in_effect(credit_rating::State::ReviewDue).await.hard_stops, ["LICENCE_EXPIRED"]);
        add(&mut files, file, certificate("特种设备", "2025-03-01", "2026-01-31")).await;
        let last = world.rate(&party, 100, 100).await;
        assert_eq!((last.state(), last.grade() == Grade::C), (credit_rating::State::Effective, false));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b_04_the_limit_of_nine_delivering_months_is_80_000() {
    each(archive::SERVICE, async |bed| {
        let mut world = World::new(bed).await;
        world.clock("2026-01-10T09:00:00+08:00");
        let (party, account) = world.customer(1).await;
        assert_eq!(
            reason(&world.rater.propose_credit_line(propose(&party, 30)).await.unwrap_err()),
            "CREDIT_NOT_RATED"
        );
        world.nine_months(&party, &account).await;
        let rating = world.rate(&party, 100, 100).await;
        assert_eq!(rating.grade(), Grade::A);
        let line = world.line(&party, 30).await;
        assert_eq!((line.state(), fen(&line.limit)), (credit_line::State::Active, 8_000_000));
        // Both averages: 900 000.00 over 9 and over 12 months.
        assert_eq!((fen(&line.average_delivering), line.delivering_months), (10_000_000, 9));
        assert_eq!((fen(&line.average_all), line.all_months), (7_500_000, 12));
        let exposure = world.exposure(&party).await;
        assert_eq!((fen(&exposure.average_delivering), fen(&exposure.average_all)), (10_000_000, 7_500_000));
        assert_eq!((fen(&exposure.due), fen(&exposure.paid_on_time)), (90_000_000, 90_000_000));
        assert_eq!((fen(&exposure.exposure), fen(&exposure.limit)), (0, 8_000_000));
        // The next line takes the place of the first.
        let next = world.line(&party, 15).await;
        assert_eq!(fen(&next.limit), 4_000_000);
        let list = ListCreditLinesRequest {
            party_id: Some(party.party_id.clone()),
            ..ListCreditLinesRequest::default()
        };
        let lines = world.rater.list_credit_lines(list).await.unwrap().into_inner().lines;
        let states: Vec<_> = lines.iter().map(CreditLine::state).collect();
        assert_eq!(states, [credit_line::State::Cancelled, credit_line::State::Active]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b_05_limit_and_term_lock_by_themselves_and_supply_goes_on() {
    each(archive::SERVICE, async |bed| {
        let mut world = World::new(bed).await;
        world.clock("2026-01-10T09:00:00+08:00");
        let (party, account, _) = world.with_line(1).await;
        // Exactly at the limit nothing is wrong; a fen more closes the lock.
        let (first, _) = world.bill(&party, &account, 8_000_000, "2026-01-10");
        world.until(&party, |e| fen(&e.exposure) == 8_000_000).await;
        assert!(world.standing(&party).await.listings.is_empty());
        let (second, _) = world.bill(&party, &account, 1, "2026-01-10");
        world.until(&party, |e| e.on_hold).await;
        world.told(&party, &["CreditRated", "CreditLineChanged", "CreditHoldRaised"]).await;
        let standing = world.standing(&party).await;
        assert!(standing.may_deal && standing.basic_supply && standing.prepayment_required);
        let listings: Vec<_> = standing.listings.iter().map(|l| (l.code.as_str(), l.detail.as_str())).collect();
        assert_eq!(listings, [("CREDIT_HOLD", "OVER_LIMIT")]);
        // A payment opens it again.
        world.pay(&party, &account, 1, "2026-01-12", &[&second]);
        world.until(&party, |e| !e.on_hold).await;
        world
            .told(&party, &["CreditRated", "CreditLineChanged", "CreditHoldRaised", "CreditHoldCleared"])
            .await;

        // The term: 30 days from 10 January end on 9 February; the day after, the sweep finds it although nothing was told.
        world.clock("2026-02-09T23:00:00+08:00");
        world.until(&party, |e| e.days_over_term == 0).await;
        world.clock("2026-02-10T00:30:00+08:00");
        let late = world.until(&party, |e| e.on_hold).await;
        assert_eq!((late.days_over_term, fen(&late.exposure)), (1, 8_000_000));
        assert_eq!(fen(&late.ageing.unwrap().to_30), 8_000_000);
        // Over the limit, too: told with both causes.
        let (third, _) = world.bill(&party, &account, 100, "2026-02-10");
        eventually("both locks", async || (world.holds(credit_hold::State::Raised).await.len() == 2).then_some(())).await;
        world.pay(&party, &account, 8_000_100, "2026-02-11", &[&first, &third]);
        world.until(&party, |e| !e.on_hold).await;
        let all = world.holds(credit_hold::State::Cleared).await;
        let locks: Vec<_> = all.iter().map(CreditHold::lock).collect();
        assert_eq!(locks, [credit_hold::Lock::Limit, credit_hold::Lock::Term, credit_hold::Lock::Limit]);
        let standing = world.standing(&party).await;
        assert!(standing.listings.is_empty() && !standing.prepayment_required && standing.basic_supply);
        // Accounts stay as they are throughout.
        assert_eq!(
            world.desk.account(&account).await.state(),
            contracts::hearth::archive::v1::account::State::Opening
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b_05_the_end_of_a_line_takes_the_credit_and_not_the_debt() {
    each(archive::SERVICE, async |bed| {
        let mut world = World::new(bed).await;
        world.clock("2026-01-10T09:00:00+08:00");
        let (party, account, line) = world.with_line(1).await;
        let (bill, _) = world.bill(&party, &account, 9_000_000, "2026-01-10");
        world.until(&party, |e| e.on_hold).await;
        let cancel = CancelCreditLineRequest {
            request_id: key(),
            line_id: line.line_id.clone(),
            etag: line.etag.clone(),
            reason: "CUSTOMER_WISH".to_owned(),
        };
        world.approver.cancel_credit_line(cancel).await.unwrap();
        // It owes less than its line was, and is held to nothing: still on hold.
        world.pay(&party, &account, 5_000_000, "2026-01-10", &[]);
        let held = world.until(&party, |e| fen(&e.exposure) == 4_000_000).await;
        assert_eq!((fen(&held.limit), held.on_hold), (0, true));
        assert!(world.standing(&party).await.prepayment_required);
        world.pay(&party, &account, 4_000_000, "2026-01-10", &[&bill]);
        world.until(&party, |e| !e.on_hold).await;
        let told = ["CreditRated", "CreditLineChanged", "CreditHoldRaised", "CreditLineChanged", "CreditHoldCleared"];
        world.told(&party, &told).await;

        // A line that ends with its day, well within its limit: from that day on what is unpaid is over a limit of 0, and later over the due day.
        let (party, account, _) = world.with_line(2).await;
        world.clock("2026-12-30T09:00:00+08:00");
        let (bill, _) = world.bill(&party, &account, 5_000_000, "2026-12-20");
        let within = world.until(&party, |e| fen(&e.exposure) == 5_000_000).await;
        assert!(!within.on_hold);
        world.clock("2026-12-31T00:30:00+08:00");
        let over = world.until(&party, |e| e.on_hold).await;
        assert_eq!((fen(&over.limit), over.days_over_term), (0, 0));
        world.clock("2027-01-10T00:30:00+08:00");
        eventually("both locks", async || (world.holds(credit_hold::State::Raised).await.len() == 2).then_some(())).await;
        assert_eq!(world.exposure(&party).await.days_over_term, 1);
        world.pay(&party, &account, 5_000_000, "2027-01-10", &[&bill]);
        world.until(&party, |e| !e.on_hold).await;
        // Nothing more is supplied on credit, until there is another line: 30 000.00 on average, 30 days, 80 %.
        world.bill(&party, &account, 1_000_000, "2027-01-10");
        world.until(&party, |e| e.on_hold).await;
        let request = ProposeCreditLineRequest {
            valid_until_date: date("2027-12-31"),
            ..propose(&party, 30)
        };
        let line = world.rater.propose_credit_line(request).await.unwrap().into_inner().line.unwrap();
        assert_eq!(fen(&line.limit), 2_400_000);
        world.approver.approve_credit_line(approve_line(&line)).await.unwrap();
        world.until(&party, |e| !e.on_hold && fen(&e.limit) == 2_400_000).await;

        // Who never had a line owes like everybody else.
        let (other, account) = world.customer(3).await;
        world.bill(&other, &account, 5_000_000, "2026-12-20");
        let owing = world.until(&other, |e| fen(&e.exposure) == 5_000_000).await;
        assert!(!owing.on_hold && !world.standing(&other).await.prepayment_required);
        // Rated C, it gets nothing on credit (B-04).
        world.rate(&other, 74, 100).await;
        world.until(&other, |e| e.on_hold).await;
        world.pay(&other, &account, 5_000_000, "2027-01-10", &[]);
        world.until(&other, |e| !e.on_hold).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b_05_what_is_used_and_not_billed_yet_counts_against_the_limit() {
    each(archive::SERVICE, async |bed| {
        let mut world = World::new(bed).await;
        world.clock("2026-01-10T09:00:00+08:00");
        let (party, account, _) = world.with_line(1).await;
        // A year ago every day cost 2 000.00; all of it is paid.
        let agreement = key();
        let year_ago = world.use_bill(&party, &account, &agreement, 11_800_000, "2024-12-31", "2025-02-28");
        let december = world.use_bill(&party, &account, &agreement, 3_100_000, "2025-11-30", "2025-12-31");
        world.pay(&party, &account, 14_900_000, "2026-01-10", &[&year_ago, &december]);
        // Nine whole days since the end of December.
        let early = world.until(&party, |e| fen(&e.exposure) == 1_800_000).await;
        assert_eq!((fen(&early.unbilled_estimate), fen(&early.billed) - fen(&early.paid)), (1_800_000, 0));
        // Forty days come exactly to the limit of 80 000.00; the next day closes the lock though nothing was told.
        world.clock("2026-02-10T09:00:00+08:00");
        let full = world.until(&party, |e| fen(&e.exposure) == 8_000_000).await;
        assert!(!full.on_hold);
        world.clock("2026-02-11T00:30:00+08:00");
        let over = world.until(&party, |e| e.on_hold).await;
        assert_eq!(fen(&over.exposure), 8_200_000);
        // The bill takes the place of the estimate: it was less.
        world.use_bill(&party, &account, &agreement, 7_900_000, "2025-12-31", "2026-02-10");
        let billed = world.until(&party, |e| !e.on_hold).await;
        assert_eq!((fen(&billed.unbilled_estimate), fen(&billed.exposure)), (0, 7_900_000));
        // A fee is owed and is no use; the averages do not know it.
        let fee = BillIssued {
            bill_id: key(),
            account_id: account.clone(),
            party_id: party.party_id.clone(),
            branch: party.branch.clone(),
            year: 2026,
            month: 2,
            amount: yuan(90_000_000),
            issue_date: date("2026-02-11"),
            due_date: date("2026-03-03"),
            kind: bill::Kind::Fee.into(),
            ..BillIssued::default()
        };
        world.billing.tell(&account, &fee);
        let with_fee = world.until(&party, |e| fen(&e.exposure) == 97_900_000).await;
        assert_eq!(
            (fen(&with_fee.unbilled_estimate), &with_fee.average_delivering),
            (0, &billed.average_delivering)
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b_06_and_b_07_reviews_downgrades_at_once_upgrades_on_the_review_day() {
    each(archive::SERVICE, async |bed| {
        let mut world = World::new(bed).await;
        world.leader.publish_credit_model(two_factors(2)).await.unwrap();
        world.clock("2025-01-10T09:00:00+08:00");
        let (party, account) = world.customer(1).await;
        let (paid, _) = world.bill(&party, &account, 10_000_000, "2024-12-20");
        world.pay(&party, &account, 10_000_000, "2025-01-05", &[&paid]);
        world.until(&party, |e| fen(&e.paid) == 10_000_000).await;
        // 60 + 40 × 75 % are 90.00: AA, capped at A.
        let first = world.rate(&party, 75, 100).await;
        assert_eq!((first.grade(), first.next_review_date), (Grade::A, date("2026-01-10")));
        let line = world.line(&party, 30).await;
        assert_eq!(fen(&line.limit), 8_000_000);
        let next = world.rater.propose_credit_line(propose(&party, 30)).await.unwrap().into_inner().line.unwrap();
        assert_eq!(fen(&next.limit), 8_000_000);

        // A bill comes and falls due: nothing of it is paid on time, 60 × 100/200 + 40: B at once, and the limit falls with it.
        let (_, late) = world.bill(&party, &account, 10_000_000, "2025-01-11");
        world.clock("2025-02-05T09:00:00+08:00");
        world.until(&party, |e| fen(&e.due) == 20_000_000).await;
        let second = world.rate(&party, 100, 100).await;
        assert_eq!((second.grade(), second.state()), (Grade::B, credit_rating::State::Effective));
        let list = ListRatingsRequest {
            party_id: Some(party.party_id.clone()),
            state: credit_rating::State::Superseded.into(),
            ..ListRatingsRequest::default()
        };
        assert_eq!(world.rater.list_ratings(list).await.unwrap().into_inner().ratings[0].rating_id, first.rating_id);
        let lines = ListCreditLinesRequest {
            state: credit_line::State::Active.into(),
            ..ListCreditLinesRequest::default()
        };
        let lines = world.rater.list_credit_lines(lines).await.unwrap().into_inner().lines;
        assert_eq!((fen(&lines[0].limit), lines[0].reason.as_str()), (6_000_000, "DOWNGRADED"));
        // So does that of a line which is only proposed; who approves it has to look again.
        assert_eq!(
            reason(&world.approver.approve_credit_line(approve_line(&next)).await.unwrap_err()),
            "ETAG_MISMATCH"
        );
        let lines = ListCreditLinesRequest {
            state: credit_line::State::Proposed.into(),
            ..ListCreditLinesRequest::default()
        };
        let lines = world.rater.list_credit_lines(lines).await.unwrap().into_inner().lines;
        assert_eq!((fen(&lines[0].limit), lines[0].reason.as_str()), (6_000_000, "DOWNGRADED"));

        // Overdue for more than 30 days: to be made anew.
        world.clock("2025-03-04T09:00:00+08:00");
        let get = |rating: &CreditRating| GetRatingRequest {
            rating_id: rating.rating_id.clone(),
        };
        let due = eventually("the review", async || {
            let rating = world.rater.clone().get_rating(get(&second)).await.unwrap().into_inner().rating.unwrap();
            (rating.state() == credit_rating::State::ReviewDue).then_some(rating)
        })
        .await;
        assert_eq!(due.review_reason, "OVERDUE_30_DAYS");
        // Review being due, a better grade takes effect at once. The bill was wrong: without it everything was on time.
        let bills = world.exposure(&party).await;
        assert_eq!(fen(&bills.ageing.unwrap().to_60), 10_000_000);
        world.credit_note(&late);
        world.until(&party, |e| fen(&e.exposure) == 0).await;
        let third = world.rate(&party, 100, 100).await;
        assert_eq!((third.grade(), third.state()), (Grade::A, credit_rating::State::Effective));

        // An upgrade before its day waits, approved; the sweep lets it take effect.
        let poor = world.rate(&party, 74, 100).await;
        assert_eq!((poor.grade(), poor.state()), (Grade::C, credit_rating::State::Effective));
        let better = world.rate(&party, 100, 100).await;
        assert_eq!((better.state(), better.effective_date), (credit_rating::State::Approved, date("2026-03-04")));
        world.clock("2026-03-04T00:10:00+08:00");
        let better = eventually("the upgrade", async || {
            let rating = world.rater.clone().get_rating(get(&better)).await.unwrap().into_inner().rating.unwrap();
            (rating.state() == credit_rating::State::Effective).then_some(rating)
        })
        .await;
        assert_eq!(better.next_review_date, date("2027-03-04"));
        world.clock("2027-03-04T00:10:00+08:00");
        eventually("the year is over", async || {
            let rating = world.rater.clone().get_rating(get(&better)).await.unwrap().into_inner().rating.unwrap();
            (rating.review_reason == "YEAR_OVER").then_some(())
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b_08_rater_reviewer_and_approver_are_three_people_and_not_the_manager() {
    each(archive::SERVICE, async |bed| {
        let mut world = World::new(bed).await;
        let (party, _) = world.customer(1).await;
        world.rater.designate_key_account(designate(&party, "manager")).await.unwrap();
        let rating = world.open_rating(&party).await;
        let twice = OpenRatingRequest {
            request_id: key(),
            party_id: party.party_id.clone(),
            period: "2025".to_owned(),
        };
        let twice = world.rater.open_rating(twice).await.unwrap_err();
        assert_eq!((twice.code(), reason(&twice).as_str()), (Code::AlreadyExists, "CREDIT_RATING_OPEN"));
        let rating = world.score(&rating, 100, 100).await;
        let everything = [Role::CreditAnalyst, Role::Finance, Role::ServiceManager, Role::Leader];
        let as_person = |name: &str| Credit::new(bed.staff_named(name, &everything));
        let review = |rating: &CreditRating| ReviewRatingRequest {
            request_id: key(),
            rating_id: rating.rating_id.clone(),
            etag: rating.etag.clone(),
        };
        let back = ReturnRatingRequest {
            request_id: key(),
            rating_id: rating.rating_id.clone(),
            etag: rating.etag.clone(),
            reason: "再核".to_owned(),
        };
        assert_eq!(
            reason(&as_person("rater").review_rating(review(&rating)).await.unwrap_err()),
            "CREDIT_SAME_PERSON"
        );
        assert_eq!(reason(&as_person("rater").return_rating(back).await.unwrap_err()), "CREDIT_SAME_PERSON");
        assert_eq!(reason(&as_person("chen").approve_rating(approve(&rating)).await.unwrap_err()), "RATING_STATE");
        let rating = world.review(&rating).await;
        for (name, wanted) in [
            ("rater", "CREDIT_SAME_PERSON"),
            ("reviewer", "CREDIT_SAME_PERSON"),
            ("manager", "CREDIT_OWN_ACCOUNT"),
        ] {
            let status = as_person(name).approve_rating(approve(&rating)).await.unwrap_err();
            assert_eq!((status.code(), reason(&status).as_str()), (Code::PermissionDenied, wanted), "{name}");
        }
        let rating = world.approve(&rating).await;
        assert_eq!(
            [rating.rated_by, rating.reviewed_by, rating.approved_by],
            ["rater", "reviewer", "approver"].map(str::to_owned)
        );

        // So it is with lines; and from proposal to cancellation each step has its place.
        let line = world
            .rater
            .propose_credit_line(propose_until(&party, "2025-12-31"))
            .await
            .unwrap()
            .into_inner()
            .line
            .unwrap();
        for (name, wanted) in [("rater", "CREDIT_SAME_PERSON"), ("manager", "CREDIT_OWN_ACCOUNT")] {
            assert_eq!(
                reason(&as_person(name).approve_credit_line(approve_line(&line)).await.unwrap_err()),
                wanted,
                "{name}"
            );
        }
        let freeze = |line: &CreditLine| FreezeCreditLineRequest {
            request_id: key(),
            line_id: line.line_id.clone(),
            etag: line.etag.clone(),
            reason: "LITIGATION".to_owned(),
        };
        let unfreeze = |line: &CreditLine| UnfreezeCreditLineRequest {
            request_id: key(),
            line_id: line.line_id.clone(),
            etag: line.etag.clone(),
            reason: "SETTLED".to_owned(),
        };
        let cancel = |line: &CreditLine| CancelCreditLineRequest {
            request_id: key(),
            line_id: line.line_id.clone(),
            etag: line.etag.clone(),
            reason: "CUSTOMER_WISH".to_owned(),
        };
        assert_eq!(reason(&world.approver.freeze_credit_line(freeze(&line)).await.unwrap_err()), "LINE_STATE");
        let line = world
            .approver
            .approve_credit_line(approve_line(&line))
            .await
            .unwrap()
            .into_inner()
            .line
            .unwrap();
        let line = world.approver.freeze_credit_line(freeze(&line)).await.unwrap().into_inner().line.unwrap();
        assert_eq!((line.state(), line.reason.as_str()), (credit_line::State::Frozen, "LITIGATION"));
        assert_eq!(
            reason(&as_person("manager").unfreeze_credit_line(unfreeze(&line)).await.unwrap_err()),
            "CREDIT_OWN_ACCOUNT"
        );
        let line = world.approver.unfreeze_credit_line(unfreeze(&line)).await.unwrap().into_inner().line.unwrap();
        let line = world.approver.cancel_credit_line(cancel(&line)).await.unwrap().into_inner().line.unwrap();
        assert_eq!(line.state(), credit_line::State::Cancelled);
        assert_eq!(reason(&world.approver.cancel_credit_line(cancel(&line)).await.unwrap_err()), "LINE_STATE");

        // A line begins and ends with its days.
        let later = ProposeCreditLineRequest {
            valid_from_date: date("2025-02-01"),
            valid_until_date: date("2025-03-01"),
            ..propose(&party, 30)
        };
        let mut wrong = later.clone();
        (wrong.request_id, wrong.valid_until_date) = (key(), date("2025-02-01"));
        assert_eq!(reason(&world.rater.propose_credit_line(wrong).await.unwrap_err()), "PERIOD");
        let line = world.rater.propose_credit_line(later).await.unwrap().into_inner().line.unwrap();
        let line = world
            .approver
            .approve_credit_line(approve_line(&line))
            .await
            .unwrap()
            .into_inner()
            .line
            .unwrap();
        assert_eq!(line.state(), credit_line::State::Approved);
        for (now, wanted) in [
            ("2025-02-01T00:10:00+08:00", credit_line::State::Active),
            ("2025-03-01T00:10:00+08:00", credit_line::State::Expired),
        ] {
            world.clock(now);
            eventually("the line", async || {
                let list = ListCreditLinesRequest {
                    state: wanted.into(),
                    ..ListCreditLinesRequest::default()
                };
                let lines = world.rater.clone().list_credit_lines(list).await.unwrap().into_inner().lines;
                lines.iter().any(|l| l.line_id == line.line_id).then_some(())
            })
            .await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b_09_events_count_once_and_the_books_can_be_made_anew() {
    each(archive::SERVICE, async |bed| {
        let mut world = World::new(bed).await;
        let (party, account) = world.customer(1).await;
        let (bill, _) = world.bill(&party, &account, 10_000, "2025-01-02");
        let position = world.billing.tell(
            &account,
            &PaymentReceived {
                payment_id: key(),
                receipt_no: "RC-1".to_owned(),
                account_id: account.clone(),
                party_id: party.party_id.clone(),
                branch: HEXI.to_owned(),
                amount: yuan(4000),
                channel: "BANK".to_owned(),
                date: date("2025-01-02"),
                ..PaymentReceived::default()
            },
        );
        world.until(&party, |e| fen(&e.exposure) == 6000).await;
        world.billing.repeat(position);
        world.bill(&party, &account, 1000, "2025-01-02");
        let before = world.until(&party, |e| fen(&e.billed) == 11_000).await;
        assert_eq!(fen(&before.paid), 4000);

        // Lost rows come back, each once.
        for table in ["credit_bill", "credit_payment"] {
            raw(bed, &format!("DELETE FROM {table} WHERE party_id = $1"), vec![uuid(&party.party_id)])
                .await
                .unwrap();
        }
        assert_eq!(fen(&world.exposure(&party).await.billed), 0);
        let rebuild = RebuildExposureRequest {
            request_id: key(),
            party_id: party.party_id.clone(),
        };
        let rebuilt = world.rater.rebuild_exposure(rebuild).await.unwrap().into_inner();
        assert_eq!((rebuilt.bills, rebuilt.payments), (2, 1));
        assert_eq!(rebuilt.exposure.unwrap(), before);
        assert!(!bill.is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b_e_accounts_of_one_legal_person_count_together() {
    each(archive::SERVICE, async |bed| {
        let mut world = World::new(bed).await;
        let party = world.organisation(1).await;
        let (one, two) = (world.desk.open(&party).await.account_id, world.desk.open(&party).await.account_id);
        world.bill(&party, &one, 10_000, "2025-01-02");
        world.bill(&party, &two, 5000, "2025-01-02");
        let exposure = world.until(&party, |e| fen(&e.exposure) == 15_000).await;
        assert_eq!(exposure.account_ids, [one, two]);

        // Registered anew under the same code, it is the same legal person still.
        let old = world.organisation(2).await;
        let old_account = key();
        world.bill(&old, &old_account, 700, "2025-01-02");
        world.until(&old, |e| fen(&e.exposure) == 700).await;
        let close = ClosePartyRequest {
            request_id: key(),
            party_id: old.party_id.clone(),
            etag: old.etag.clone(),
        };
        world.desk.parties.close_party(close).await.unwrap();
        let new = world.organisation(2).await;
        let account = world.desk.open(&new).await.account_id;
        world.bill(&new, &account, 300, "2025-01-02");
        world.until(&new, |e| fen(&e.exposure) == 1000).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b_05_what_paid_a_late_fee_is_not_paid_ahead() {
    each(archive::SERVICE, async |bed| {
        let mut world = World::new(bed).await;
        let (party, account) = world.customer(1).await;
        let (late, told) = world.bill(&party, &account, 10_000, "2025-01-02");
        // 100.00 for the bill and 5.00 for its late fee.
        let paid = world.pay_with_late_fee(&party, &account, 10_500, 500, "2025-02-10", &[&late]);
        world.bill(&party, &account, 3000, "2025-02-10");
        let before = world.until(&party, |e| fen(&e.billed) == 13_000).await;
        assert_eq!((fen(&before.paid), fen(&before.exposure)), (10_000, 3000));
        // The books that are made anew say the same.
        let rebuild = RebuildExposureRequest {
            request_id: key(),
            party_id: party.party_id.clone(),
        };
        let anew = world.rater.rebuild_exposure(rebuild).await.unwrap().into_inner().exposure.unwrap();
        assert_eq!((fen(&anew.paid), fen(&anew.exposure)), (10_000, 3000));
        // The bill is taken back with its late fee: all of the payment is there for the other one, 2.00 of it for a late fee again.
        world.late_fee_paid(&paid, 0);
        world.credit_note(&told);
        world.late_fee_paid(&paid, 200);
        let after = world.until(&party, |e| (fen(&e.billed), fen(&e.paid)) == (3000, 10_300)).await;
        assert_eq!(fen(&after.exposure), 0);
        // It bounces with all that it had paid.
        world.bounce(&paid);
        let bounced = world.until(&party, |e| fen(&e.paid) == 0).await;
        assert_eq!(fen(&bounced.exposure), 3000);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b_05_b23_a_credit_note_over_a_part_lowers_what_is_owed_and_settles_on_its_day() {
    each(archive::SERVICE, async |bed| {
        let mut world = World::new(bed).await;
        let (party, account) = world.customer(1).await;
        // An older bill of 200.00 stays unpaid; the payment names the newer one.
        world.bill(&party, &account, 20_000, "2024-12-01");
        let (_, bill) = world.bill(&party, &account, 10_000, "2025-01-02");
        world.pay(&party, &account, 9000, "2025-01-10", &[]);
        let before = world.until(&party, |e| fen(&e.paid) == 9000).await;
        assert_eq!((fen(&before.billed), fen(&before.exposure)), (30_000, 21_000));
        world.credit_part(&bill, 400, "2025-01-12", false);
        world.until(&party, |e| (fen(&e.billed), fen(&e.exposure)) == (29_600, 20_600)).await;
        world.credit_part(&bill, 1000, "2025-01-15", true);
        world.until(&party, |e| (fen(&e.billed), fen(&e.exposure)) == (29_000, 20_000)).await;
        world.clock("2025-02-01T09:00:00+08:00");
        let ageing = world.exposure(&party).await.ageing.unwrap();
        // All of the older one is 42 days past its day, and nothing of the newer one is owed.
        assert_eq!((fen(&ageing.to_30), fen(&ageing.to_60)), (0, 20_000));
        let rebuild = RebuildExposureRequest {
            request_id: key(),
            party_id: party.party_id.clone(),
        };
        let anew = world.rater.rebuild_exposure(rebuild).await.unwrap().into_inner().exposure.unwrap();
        assert_eq!((fen(&anew.billed), fen(&anew.paid), fen(&anew.exposure)), (29_000, 9000, 20_000));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b_e_a_bounced_payment_rolls_back_exposure_and_on_time_flag() {
    each(archive::SERVICE, async |bed| {
        let mut world = World::new(bed).await;
        world.clock("2026-01-10T09:00:00+08:00");
        let (party, account, _) = world.with_line(1).await;
        let (bill, _) = world.bill(&party, &account, 9_000_000, "2026-01-10");
        let paid = world.pay(&party, &account, 9_000_000, "2026-01-12", &[&bill]);
        world.until(&party, |e| fen(&e.paid) == 99_000_000).await;
        world.clock("2026-02-01T09:00:00+08:00");
        // The bill that was due in January 2025 has left the twelve months.
        let before = world.exposure(&party).await;
        assert_eq!(
            (fen(&before.due), fen(&before.paid_on_time), fen(&before.exposure)),
            (89_000_000, 89_000_000, 0)
        );
        world.bounce(&paid);
        let after = world.until(&party, |e| e.on_hold).await;
        assert_eq!(
            (fen(&after.due), fen(&after.paid_on_time), fen(&after.exposure)),
            (89_000_000, 80_000_000, 9_000_000)
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b_e_a_credit_note_lowers_the_exposure_and_is_no_payment_on_time() {
    each(archive::SERVICE, async |bed| {
        let mut world = World::new(bed).await;
        let (party, account) = world.customer(1).await;
        let (paid, _) = world.bill(&party, &account, 10_000, "2025-01-02");
        world.pay(&party, &account, 10_000, "2025-01-03", &[&paid]);
        let (_, wrong) = world.bill(&party, &account, 5000, "2025-01-02");
        world.until(&party, |e| fen(&e.exposure) == 5000).await;
        world.credit_note(&wrong);
        world.until(&party, |e| fen(&e.exposure) == 0).await;
        world.clock("2025-02-10T09:00:00+08:00");
        let later = world.exposure(&party).await;
        assert_eq!((fen(&later.due), fen(&later.paid_on_time)), (10_000, 10_000));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b_e_guarantees_end_with_their_day_and_a_deposit_counts_once() {
    each(archive::SERVICE, async |bed| {
        let mut world = World::new(bed).await;
        let (party, account) = world.customer(1).await;
        world.bill(&party, &account, 10_000, "2025-01-02");
        let register = |kind: guarantee::Kind, last: Option<Date>, receipt_no: &str| RegisterGuaranteeRequest {
            request_id: key(),
            party_id: party.party_id.clone(),
            kind: kind.into(),
            amount: yuan(4000),
            last_date: last,
            document_id: "doc-7".to_owned(),
            receipt_no: receipt_no.to_owned(),
        };
        let mut analyst = world.rater.clone();
        let mut foreign = register(guarantee::Kind::BankLetter, None, "");
        foreign.amount.as_mut().unwrap().currency_code = "USD".to_owned();
        assert_eq!(analyst.register_guarantee(foreign).await.unwrap_err().code(), Code::InvalidArgument);
        let mut nothing = register(guarantee::Kind::BankLetter, None, "");
        nothing.amount = yuan(0);
        assert_eq!(reason(&analyst.register_guarantee(nothing).await.unwrap_err()), "AMOUNT_RANGE");
        let unpaid = register(guarantee::Kind::Deposit, None, " ");
        assert_eq!(reason(&analyst.register_guarantee(unpaid).await.unwrap_err()), "RECEIPT_REQUIRED");

        let letter = register(guarantee::Kind::BankLetter, date("2025-01-02"), "");
        let letter: Guarantee = analyst.register_guarantee(letter).await.unwrap().into_inner().guarantee.unwrap();
        assert!(letter.counted);
        world.until(&party, |e| fen(&e.exposure) == 6000).await;
        world.clock("2025-01-03T09:00:00+08:00");
        world.until(&party, |e| fen(&e.exposure) == 10_000 && fen(&e.guaranteed) == 0).await;

        // Paid in through billing, the deposit is money there and no guarantee on top.
        let paid = world.pay(&party, &account, 4000, "2025-01-03", &[]);
        world.until(&party, |e| fen(&e.exposure) == 6000).await;
        let deposit = register(guarantee::Kind::Deposit, None, &paid.receipt_no);
        let deposit = analyst.register_guarantee(deposit).await.unwrap().into_inner().guarantee.unwrap();
        assert!(!deposit.counted);
        assert_eq!(fen(&world.exposure(&party).await.exposure), 6000);
        // One that billing knows nothing of counts as a guarantee.
        let other = register(guarantee::Kind::Deposit, None, "OLD-1");
        let other = analyst.register_guarantee(other).await.unwrap().into_inner().guarantee.unwrap();
        assert_eq!(fen(&world.exposure(&party).await.exposure), 2000);
        let release = |guarantee: &Guarantee| ReleaseGuaranteeRequest {
            request_id: key(),
            guarantee_id: guarantee.guarantee_id.clone(),
            etag: guarantee.etag.clone(),
        };
        let released = analyst.release_guarantee(release(&other)).await.unwrap().into_inner().guarantee.unwrap();
        assert!(!released.counted);
        assert_eq!(reason(&analyst.release_guarantee(release(&released)).await.unwrap_err()), "GUARANTEE_RELEASED");
        let list = ListGuaranteesRequest {
            party_id: Some(party.party_id.clone()),
            ..ListGuaranteesRequest::default()
        };
        let all = analyst.list_guarantees(list).await.unwrap().into_inner().guarantees;
        let counted: Vec<_> = all.iter().map(|g| g.counted).collect();
        assert_eq!(counted, [false, false, false]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b_e_a_mass_breach_goes_to_review_instead_of_holds() {
    each(archive::SERVICE, async |bed| {
        let mut world = World::new(bed).await;
        // Two parties of a branch may break their limit on one day by this model.
        let mut model = two_factors(2);
        model.effective_date = date("2025-01-02");
        world.leader.publish_credit_model(model).await.unwrap();
        let mut customers = vec![];
        for n in 1..=3 {
            let (party, account) = world.customer(n).await;
            let (bill, _) = world.bill(&party, &account, 10_000_000, "2024-12-20");
            world.pay(&party, &account, 10_000_000, "2024-12-27", &[&bill]);
            world.until(&party, |e| fen(&e.paid) == 10_000_000).await;
            world.rate(&party, 100, 100).await;
            let line = world
                .rater
                .propose_credit_line(propose_until(&party, "2025-12-31"))
                .await
                .unwrap()
                .into_inner()
                .line
                .unwrap();
            world.approver.approve_credit_line(approve_line(&line)).await.unwrap();
            customers.push((party, account));
        }
        // The price rises: every bill is above the limit of 80 000.00.
        for (party, account) in &customers[..2] {
            world.bill(party, account, 8_800_000, "2025-01-02");
            world.until(party, |e| e.on_hold).await;
        }
        let (third, account) = &customers[2];
        let (bill, _) = world.bill(third, account, 8_800_000, "2025-01-02");
        let list = eventually("the list", async || {
            let list = world.holds(credit_hold::State::InReview).await;
            (list.len() == 3).then_some(list)
        })
        .await;
        for (party, _) in &customers {
            assert!(!world.exposure(party).await.on_hold);
            assert!(world.standing(party).await.listings.is_empty());
        }
        world
            .told(&customers[0].0, &["CreditRated", "CreditLineChanged", "CreditHoldRaised", "CreditHoldCleared"])
            .await;
        world.told(third, &["CreditRated", "CreditLineChanged"]).await;

        // Each is decided by a person: one is raised, one passes until the breach ends.
        let of = |party: &Party| list.iter().find(|h| h.party_id == party.party_id).unwrap();
        let decide = |hold: &CreditHold, raise| DecideCreditHoldRequest {
            request_id: key(),
            hold_id: hold.hold_id.clone(),
            etag: hold.etag.clone(),
            raise,
        };
        assert_eq!((fen(&of(third).exposure), fen(&of(third).limit)), (8_800_000, 8_000_000));
        let raised = world
            .approver
            .decide_credit_hold(decide(of(&customers[0].0), true))
            .await
            .unwrap()
            .into_inner()
            .hold
            .unwrap();
        assert_eq!(raised.state(), credit_hold::State::Raised);
        assert!(world.exposure(&customers[0].0).await.on_hold);
        assert_eq!(
            reason(&world.approver.decide_credit_hold(decide(&raised, true)).await.unwrap_err()),
            "HOLD_STATE"
        );
        let waived = world
            .approver
            .decide_credit_hold(decide(of(third), false))
            .await
            .unwrap()
            .into_inner()
            .hold
            .unwrap();
        assert_eq!((waived.state(), waived.reviewed_by.as_str()), (credit_hold::State::Waived, "approver"));
        assert!(!world.exposure(third).await.on_hold);
        // What passes is the breach of the limit that the party has. Its line ends, and with it what was let pass; a limit of 0 is broken by any use
        // and is no mass breach.
        let lines = ListCreditLinesRequest {
            party_id: Some(third.party_id.clone()),
            ..ListCreditLinesRequest::default()
        };
        let line = world.rater.list_credit_lines(lines).await.unwrap().into_inner().lines.remove(0);
        let cancel = CancelCreditLineRequest {
            request_id: key(),
            line_id: line.line_id,
            etag: line.etag,
            reason: "CUSTOMER_WISH".to_owned(),
        };
        world.approver.cancel_credit_line(cancel).await.unwrap();
        assert!(world.exposure(third).await.on_hold);
        let raised = world.holds(credit_hold::State::Raised).await;
        let own = raised.iter().find(|h| h.party_id == third.party_id).unwrap();
        assert_eq!((fen(&own.limit), own.hold_id == waived.hold_id), (0, false));
        world.rater.designate_key_account(designate(&customers[1].0, "approver")).await.unwrap();
        assert_eq!(
            reason(&world.approver.decide_credit_hold(decide(of(&customers[1].0), true)).await.unwrap_err()),
            "CREDIT_OWN_ACCOUNT"
        );
        world.pay(third, account, 8_800_000, "2025-01-02", &[&bill]);
        eventually("the breach ends", async || {
            let cleared = world.holds(credit_hold::State::Cleared).await;
            let ended = [&waived.hold_id, &own.hold_id];
            ended.iter().all(|id| cleared.iter().any(|h| h.hold_id == **id)).then_some(())
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a39_credit_of_a_foreign_branch_looks_like_an_unknown_id() {
    each(archive::SERVICE, async |bed| {
        let mut world = World::new(bed).await;
        let (party, _) = world.customer(1).await;
        let rating = world.open_rating(&party).await;
        let mut there = Credit::new(bed.staff_of(HEPING, &[Role::CreditAnalyst]));
        let get = GetRatingRequest {
            rating_id: rating.rating_id.clone(),
        };
        assert_eq!(there.get_rating(get).await.unwrap_err().code(), Code::NotFound);
        assert_eq!(there.score_rating(score(&rating, 1, 1)).await.unwrap_err().code(), Code::NotFound);
        let exposure = GetExposureRequest {
            party_id: party.party_id.clone(),
        };
        assert_eq!(there.get_exposure(exposure).await.unwrap_err().code(), Code::NotFound);
        assert!(there.list_ratings(ListRatingsRequest::default()).await.unwrap().into_inner().ratings.is_empty());
        assert!(
            there
                .list_credit_holds(ListCreditHoldsRequest::default())
                .await
                .unwrap()
                .into_inner()
                .holds
                .is_empty()
        );
        let mut cashier = Credit::new(bed.staff(&[Role::Cashier]));
        let get = GetRatingRequest { rating_id: rating.rating_id };
        assert_eq!(cashier.get_rating(get).await.unwrap_err().code(), Code::PermissionDenied);
    })
    .await;
}
