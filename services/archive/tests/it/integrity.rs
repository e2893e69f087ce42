use contracts::hearth::{
    archive::v1::{
        AppealListingRequest, CloseDebtDisputeRequest, ClosePartyRequest, DecideAppealRequest, DismissCaseRequest, FactContent, FactKind, GetCreditFileRequest,
        GetIntegrityCaseRequest, Grade, IntegrityCase, InvestigateConductRequest, ListConductsRequest, ListIntegrityCasesRequest, ListPartyRequest,
        ListRatingsRequest, NewFact, NotifyPartyRequest, OpenDebtDisputeRequest, Party, PartyListedDishonest, ProposeCreditLineRequest, RebuildExposureRequest,
        RecordStatementRequest, RemoveListingRequest, ReportConductRequest, RevealIntegrityCaseRequest, UnfreezeCreditLineRequest,
        credit_file_service_client::CreditFileServiceClient,
        credit_line, credit_rating,
        integrity_case::{Severity, State},
        integrity_service_client::IntegrityServiceClient,
    },
    billing::v1::{BillDisputeAnswered, BillDisputed},
    options::v1::Role,
};
use prost::Message;
use testbed::{Bed, Client, each, eventually, key, reason};
use tonic::Code;

use crate::{
    credit::{World, add, approve_line, propose, record, score},
    intake::{chunk, import, row},
    world::{HEPING, date, events, raw, rows, uuid},
};

type Integrity = IntegrityServiceClient<Client>;

/// The people of a case.
struct People {
    reporter: Integrity,
    analyst: Integrity,
    manager: Integrity,
    leader: Integrity,
}

impl People {
    fn of(bed: &Bed) -> Self {
        let of = |name: &str, roles: &[Role]| Integrity::new(bed.staff_named(name, roles));
        Self {
            reporter: of("reporter", &[Role::Inspector]),
            analyst: of("analyst", &[Role::CreditAnalyst]),
            manager: of("manager", &[Role::ServiceManager]),
            leader: of("leader", &[Role::Leader]),
        }
    }

    async fn report(&mut self, party: &Party) -> IntegrityCase {
        self.reporter.report_conduct(theft(party)).await.unwrap().into_inner().case.unwrap()
    }

    async fn investigate(&mut self, case: &IntegrityCase) -> IntegrityCase {
        self.analyst.investigate_conduct(investigate(case)).await.unwrap().into_inner().case.unwrap()
    }

    async fn notify(&mut self, case: &IntegrityCase) -> IntegrityCase {
        self.analyst.notify_party(notify(case)).await.unwrap().into_inner().case.unwrap()
    }

    async fn heard(&mut self, case: &IntegrityCase) -> IntegrityCase {
        let case = self.investigate(case).await;
        let case = self.notify(&case).await;
        self.analyst.record_statement(statement(&case)).await.unwrap().into_inner().case.unwrap()
    }

    async fn list(&mut self, case: &IntegrityCase, severity: Severity, months: i32) -> IntegrityCase {
        self.manager.list_party(list(case, severity, months)).await.unwrap().into_inner().case.unwrap()
    }

    /// From report to list, for a year.
    async fn listed(&mut self, party: &Party) -> IntegrityCase {
        let case = self.report(party).await;
        let case = self.heard(&case).await;
        self.list(&case, Severity::Ordinary, 12).await
    }

    async fn get(&mut self, case: &IntegrityCase) -> IntegrityCase {
        let request = GetIntegrityCaseRequest { case_id: case.case_id.clone() };
        self.analyst.get_integrity_case(request).await.unwrap().into_inner().case.unwrap()
    }
}

fn theft(party: &Party) -> ReportConductRequest {
    ReportConductRequest {
        request_id: key(),
        party_id: party.party_id.clone(),
        conduct_code: "GAS_THEFT".to_owned(),
        act_date: date("2025-01-02"),
        facts: "表前私接软管".to_owned(),
        evidence_ids: vec!["photo-1".to_owned()],
        bill_ids: vec![],
    }
}

fn investigate(case: &IntegrityCase) -> InvestigateConductRequest {
    InvestigateConductRequest {
        request_id: key(),
        case_id: case.case_id.clone(),
        etag: case.etag.clone(),
        evidence_ids: vec!["photo-1".to_owned(), "photo-2".to_owned()],
    }
}

fn notify(case: &IntegrityCase) -> NotifyPartyRequest {
    NotifyPartyRequest {
        request_id: key(),
        case_id: case.case_id.clone(),
        etag: case.etag.clone(),
        facts: "一月二日入户检查发现表前私接软管".to_owned(),
    }
}

fn statement(case: &IntegrityCase) -> RecordStatementRequest {
    RecordStatementRequest {
        request_id: key(),
        case_id: case.case_id.clone(),
        etag: case.etag.clone(),
        statement: "软管为前租户所接".to_owned(),
    }
}

fn list(case: &IntegrityCase, severity: Severity, term_months: i32) -> ListPartyRequest {
    ListPartyRequest {
        request_id: key(),
        case_id: case.case_id.clone(),
        etag: case.etag.clone(),
        severity: severity.into(),
        term_months,
    }
}

fn dismiss(case: &IntegrityCase) -> DismissCaseRequest {
    DismissCaseRequest {
        request_id: key(),
        case_id: case.case_id.clone(),
        etag: case.etag.clone(),
        reason: "证据不足".to_owned(),
    }
}

fn appeal(case: &IntegrityCase) -> AppealListingRequest {
    AppealListingRequest {
        request_id: key(),
        case_id: case.case_id.clone(),
        etag: case.etag.clone(),
    }
}

fn decide(case: &IntegrityCase, uphold: bool) -> DecideAppealRequest {
    DecideAppealRequest {
        request_id: key(),
        case_id: case.case_id.clone(),
        etag: case.etag.clone(),
        uphold,
        reason: "复核".to_owned(),
    }
}

fn remove(case: &IntegrityCase) -> RemoveListingRequest {
    RemoveListingRequest {
        request_id: key(),
        case_id: case.case_id.clone(),
        etag: case.etag.clone(),
        reason: "已整改".to_owned(),
        cure_evidence_ids: vec!["receipt-9".to_owned()],
    }
}

/// The events about the list.
async fn listing_events(bed: &Bed, party: &Party) -> Vec<String> {
    let told = events(bed, &party.party_id).await;
    told.into_iter().filter(|kind| kind.starts_with("PartyList")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn g_08_conduct_codes_are_data() {
    each(archive::SERVICE, async |bed| {
        let mut people = People::of(bed);
        let conducts = people.reporter.list_conducts(ListConductsRequest {}).await.unwrap().into_inner().conducts;
        let codes: Vec<_> = conducts.iter().map(|c| c.code.as_str()).collect();
        assert_eq!(
            codes,
            [
                "FORGED_IC_CHARGE",
                "FORGED_PAPERS",
                "GAS_THEFT",
                "MALICIOUS_ARREARS",
                "SELF_MODIFICATION",
                "VIOLENCE_TO_STAFF"
            ]
        );
        let debts: Vec<_> = conducts
            .iter()
            .filter(|c| c.about_debt)
            .map(|c| (c.code.as_str(), c.months_after_demand))
            .collect();
        assert_eq!(debts, [("MALICIOUS_ARREARS", 12)]);
        let mut world = World::new(bed).await;
        let (party, _) = world.customer(1).await;
        let mut unknown = theft(&party);
        unknown.conduct_code = "RUDENESS".to_owned();
        assert_eq!(people.reporter.report_conduct(unknown).await.unwrap_err().code(), Code::NotFound);
        let mut future = theft(&party);
        future.act_date = date("2025-01-03");
        assert_eq!(reason(&people.reporter.report_conduct(future).await.unwrap_err()), "DATE_RANGE");
        let mut debt = theft(&party);
        debt.conduct_code = "MALICIOUS_ARREARS".to_owned();
        assert_eq!(reason(&people.reporter.report_conduct(debt.clone()).await.unwrap_err()), "DEBT_BILLS");
        debt.bill_ids = vec![key()];
        assert_eq!(people.reporter.report_conduct(debt).await.unwrap_err().code(), Code::NotFound);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g_09_a_term_fits_the_severity_and_ends_by_itself() {
    each(archive::SERVICE, async |bed| {
        let mut world = World::new(bed).await;
        let mut people = People::of(bed);
        let (party, _) = world.customer(1).await;
        let case = people.report(&party).await;
        let case = people.heard(&case).await;
        for (severity, months) in [(Severity::Ordinary, 11), (Severity::Ordinary, 25), (Severity::Serious, 23)] {
            let status = people.manager.list_party(list(&case, severity, months)).await.unwrap_err();
            assert_eq!(reason(&status), "TERM", "{severity:?} {months}");
        }
        let over_five_years = people.manager.list_party(list(&case, Severity::Serious, 61)).await.unwrap_err();
        assert_eq!(over_five_years.code(), Code::InvalidArgument);
        let listed = people.list(&case, Severity::Serious, 60).await;
        assert_eq!(
            (listed.state(), &listed.from_date, &listed.until_date),
            (State::Listed, &date("2025-01-02"), &date("2030-01-02"))
        );
        // No longer without a new act: the same act has its case, and one of another day may have its own.
        let again = people.reporter.report_conduct(theft(&party)).await.unwrap_err();
        assert_eq!((again.code(), reason(&again).as_str()), (Code::AlreadyExists, "INTEGRITY_CASE_ACT_UNIQUE"));
        let longer = "UPDATE integrity_case SET term_months = 61 WHERE id = $1";
        assert!(raw(bed, longer, vec![uuid(&case.case_id)]).await.is_err());

        world.clock("2030-01-01T23:50:00+08:00");
        let standing = world.standing(&party).await;
        assert_eq!(standing.listings[0].until_date, date("2030-01-02"));
        world.clock("2030-01-02T00:10:00+08:00");
        assert!(world.standing(&party).await.listings.is_empty());
        eventually("the end of the listing", async || {
            (people.get(&case).await.state() == State::Expired).then_some(())
        })
        .await;
        assert_eq!(listing_events(bed, &party).await, ["PartyListedDishonest", "PartyListingEnded"]);
        let expired = people.get(&case).await;
        assert_eq!(reason(&people.manager.remove_listing(remove(&expired)).await.unwrap_err()), "CASE_STATE");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g_09_early_removal_after_cure_and_half_of_the_term() {
    each(archive::SERVICE, async |bed| {
        let mut world = World::new(bed).await;
        let mut people = People::of(bed);
        let (party, _) = world.customer(1).await;
        let listed = people.listed(&party).await;
        // 365 days from 2 January 2025: 183 of them are over on 4 July.
        world.clock("2025-07-03T09:00:00+08:00");
        assert_eq!(reason(&people.manager.remove_listing(remove(&listed)).await.unwrap_err()), "HALF_TERM");
        world.clock("2025-07-04T09:00:00+08:00");
        let mut unproved = remove(&listed);
        unproved.cure_evidence_ids.clear();
        assert_eq!(people.manager.remove_listing(unproved).await.unwrap_err().code(), Code::InvalidArgument);
        let mut reporter = Integrity::new(bed.staff_named("reporter", &[Role::Leader]));
        assert_eq!(reason(&reporter.remove_listing(remove(&listed)).await.unwrap_err()), "REPORTER_MAY_NOT_DECIDE");
        let removed = people.manager.remove_listing(remove(&listed)).await.unwrap().into_inner().case.unwrap();
        assert_eq!((removed.state(), &removed.until_date), (State::Removed, &date("2025-07-04")));
        assert!(removed.evidence_ids.contains(&"receipt-9".to_owned()));
        assert!(world.standing(&party).await.listings.is_empty());
        assert_eq!(listing_events(bed, &party).await, ["PartyListedDishonest", "PartyListingEnded"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g_10_notice_five_working_days_and_a_decision_by_another_person() {
    each(archive::SERVICE, async |bed| {
        let mut world = World::new(bed).await;
        let mut people = People::of(bed);
        let (party, _) = world.customer(1).await;
        let mut bare = theft(&party);
        bare.evidence_ids.clear();
        let case = people.reporter.report_conduct(bare).await.unwrap().into_inner().case.unwrap();
        assert_eq!((case.state(), case.reported_by.as_str()), (State::Reported, "reporter"));
        // Facts are hidden, and shown for a purpose.
        assert_ne!(case.facts, "表前私接软管");
        assert_eq!(reason(&people.analyst.notify_party(notify(&case)).await.unwrap_err()), "CASE_STATE");
        let mut nothing = investigate(&case);
        nothing.evidence_ids.clear();
        let case = people.analyst.investigate_conduct(nothing).await.unwrap().into_inner().case.unwrap();
        assert_eq!(reason(&people.analyst.notify_party(notify(&case)).await.unwrap_err()), "CASE_WITHOUT_EVIDENCE");
        let unproved = "UPDATE integrity_case SET state = 'LISTED' WHERE id = $1";
        assert!(raw(bed, unproved, vec![uuid(&case.case_id)]).await.is_err());
        let case = people.investigate(&case).await;
        assert_eq!(case.evidence_ids, ["photo-1", "photo-2"]);
        let case = people.notify(&case).await;
        // Thursday 2 January 2025: the fifth working day after it is Thursday 9 January.
        assert_eq!((case.state(), &case.statement_due_date), (State::Notified, &date("2025-01-09")));
        assert_eq!(
            reason(&people.manager.list_party(list(&case, Severity::Ordinary, 12)).await.unwrap_err()),
            "HEARING_OPEN"
        );
        assert_eq!(reason(&people.manager.dismiss_case(dismiss(&case)).await.unwrap_err()), "HEARING_OPEN");
        world.clock("2025-01-09T23:50:00+08:00");
        assert_eq!(
            reason(&people.manager.list_party(list(&case, Severity::Ordinary, 12)).await.unwrap_err()),
            "HEARING_OPEN"
        );
        world.clock("2025-01-10T00:10:00+08:00");
        assert_eq!(reason(&people.analyst.record_statement(statement(&case)).await.unwrap_err()), "STATEMENT_LATE");
        // The party let its days pass. The reporter decides nothing, whatever else the reporter is.
        let mut reporter = Integrity::new(bed.staff_named("reporter", &[Role::ServiceManager]));
        for refused in [
            reporter.list_party(list(&case, Severity::Ordinary, 12)).await.map(|_| ()),
            reporter.dismiss_case(dismiss(&case)).await.map(|_| ()),
        ] {
            let status = refused.unwrap_err();
            assert_eq!((status.code(), reason(&status).as_str()), (Code::PermissionDenied, "REPORTER_MAY_NOT_DECIDE"));
        }
        let listed = people.list(&case, Severity::Ordinary, 12).await;
        assert_eq!((listed.decided_by.as_str(), &listed.appeal_due_date), ("manager", &date("2025-01-25")));

        let reveal = RevealIntegrityCaseRequest {
            request_id: key(),
            case_id: case.case_id.clone(),
            purpose: "审查决定".to_owned(),
        };
        let shown = people.leader.reveal_integrity_case(reveal).await.unwrap().into_inner().case.unwrap();
        assert_eq!((shown.facts.as_str(), shown.statement.as_str()), ("一月二日入户检查发现表前私接软管", ""));

        // A statement closes the hearing early; a groundless case is dismissed, and the act may be reported again.
        let (other, _) = world.customer(2).await;
        let case = people.report(&other).await;
        let case = people.heard(&case).await;
        assert_eq!(case.state(), State::Heard);
        let dismissed = people.manager.dismiss_case(dismiss(&case)).await.unwrap().into_inner().case.unwrap();
        assert_eq!(dismissed.state(), State::Dismissed);
        assert!(world.standing(&other).await.listings.is_empty());
        people.report(&other).await;
        let listed = ListIntegrityCasesRequest {
            party_id: Some(other.party_id.clone()),
            state: State::Dismissed.into(),
            ..ListIntegrityCasesRequest::default()
        };
        assert_eq!(people.analyst.list_integrity_cases(listed).await.unwrap().into_inner().cases.len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g_10_an_appeal_within_fifteen_days_is_decided_by_a_third_person() {
    each(archive::SERVICE, async |bed| {
        let mut world = World::new(bed).await;
        let mut people = People::of(bed);
        let mut parties = vec![];
        let mut cases = vec![];
        for n in 1..=3 {
            let (party, _) = world.customer(n).await;
            cases.push(people.listed(&party).await);
            parties.push(party);
        }
        world.clock("2025-01-17T23:50:00+08:00");
        let mut appealed = vec![];
        for case in &cases[..2] {
            let case = people.analyst.appeal_listing(appeal(case)).await.unwrap().into_inner().case.unwrap();
            assert_eq!(case.state(), State::Appealed);
            appealed.push(case);
        }
        // On the list meanwhile.
        assert_eq!(world.standing(&parties[0]).await.listings[0].code, "LISTED_DISHONEST");
        for (name, wanted) in [("reporter", "REPORTER_MAY_NOT_DECIDE"), ("manager", "DECIDER_MAY_NOT_REVIEW")] {
            let mut person = Integrity::new(bed.staff_named(name, &[Role::Leader]));
            assert_eq!(reason(&person.decide_appeal(decide(&appealed[0], true)).await.unwrap_err()), wanted);
        }
        let upheld = people
            .leader
            .decide_appeal(decide(&appealed[0], true))
            .await
            .unwrap()
            .into_inner()
            .case
            .unwrap();
        assert_eq!((upheld.state(), upheld.appeal_decided_by.as_str()), (State::Upheld, "leader"));
        let reversed = people
            .leader
            .decide_appeal(decide(&appealed[1], false))
            .await
            .unwrap()
            .into_inner()
            .case
            .unwrap();
        assert_eq!(reversed.state(), State::Reversed);
        assert_eq!(listing_events(bed, &parties[0]).await, ["PartyListedDishonest"]);
        assert_eq!(listing_events(bed, &parties[1]).await, ["PartyListedDishonest", "PartyListingEnded"]);
        assert!(world.standing(&parties[1]).await.listings.is_empty());
        // The day after the fifteenth is too late.
        world.clock("2025-01-18T00:10:00+08:00");
        assert_eq!(reason(&people.analyst.appeal_listing(appeal(&cases[2])).await.unwrap_err()), "APPEAL_LATE");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g_11_a_listing_bears_on_credit_and_never_on_basic_supply() {
    each(archive::SERVICE, async |bed| {
        let mut world = World::new(bed).await;
        world.clock("2026-01-10T09:00:00+08:00");
        let mut people = People::of(bed);
        let (party, _, line) = world.with_line(1).await;
        people.listed(&party).await;
        let standing = world.standing(&party).await;
        assert!(standing.may_deal && standing.basic_supply && standing.prepayment_required && standing.reasons.is_empty());
        let listings: Vec<_> = standing.listings.iter().map(|l| (l.code.as_str(), l.detail.as_str())).collect();
        assert_eq!(listings, [("LISTED_DISHONEST", "GAS_THEFT")]);
        // No new credit: the line is frozen, stays so, and there is no other.
        let told = ["CreditRated", "CreditLineChanged", "CreditLineChanged", "CreditRated", "CreditLineChanged"];
        world.told(&party, &told).await;
        let lines = contracts::hearth::archive::v1::ListCreditLinesRequest {
            party_id: Some(party.party_id.clone()),
            ..Default::default()
        };
        let frozen = world.rater.list_credit_lines(lines).await.unwrap().into_inner().lines.remove(0);
        assert_eq!((frozen.state(), frozen.line_id.as_str()), (credit_line::State::Frozen, line.line_id.as_str()));
        let unfreeze = UnfreezeCreditLineRequest {
            request_id: key(),
            line_id: frozen.line_id,
            etag: frozen.etag,
            reason: "WISH".to_owned(),
        };
        assert_eq!(reason(&world.approver.unfreeze_credit_line(unfreeze).await.unwrap_err()), "LISTED_DISHONEST");
        assert_eq!(
            reason(&world.rater.propose_credit_line(propose(&party, 30)).await.unwrap_err()),
            "LISTED_DISHONEST"
        );
        // B-02: the rating in effect became C at once, and so is the next one.
        let ratings = ListRatingsRequest {
            party_id: Some(party.party_id.clone()),
            state: credit_rating::State::ReviewDue.into(),
            ..ListRatingsRequest::default()
        };
        let forced = world.rater.list_ratings(ratings).await.unwrap().into_inner().ratings.remove(0);
        assert_eq!((forced.grade(), forced.review_reason.as_str()), (Grade::C, "LISTED_DISHONEST"));
        assert_eq!(
            (forced.hard_stops.as_slice(), forced.approved_by.as_str()),
            (["LISTED_DISHONEST".to_owned()].as_slice(), "")
        );
        let rating = world.open_rating(&party).await;
        let rating = world.rater.score_rating(score(&rating, 100, 100)).await.unwrap().into_inner().rating.unwrap();
        assert_eq!(rating.hard_stops, ["LISTED_DISHONEST"]);
        // Accounts are untouched.
        assert_eq!(events(bed, &party.party_id).await.iter().filter(|kind| kind.starts_with("Account")).count(), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g_11_a_line_that_was_agreed_before_the_listing_begins_frozen_and_empty() {
    each(archive::SERVICE, async |bed| {
        let mut world = World::new(bed).await;
        world.clock("2026-01-10T09:00:00+08:00");
        let mut people = People::of(bed);
        let (party, ..) = world.with_line(1).await;
        let later = ProposeCreditLineRequest {
            valid_from_date: date("2026-02-01"),
            ..propose(&party, 30)
        };
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
        people.listed(&party).await;
        world.clock("2026-02-01T00:10:00+08:00");
        let request = contracts::hearth::archive::v1::ListCreditLinesRequest {
            party_id: Some(party.party_id.clone()),
            state: credit_line::State::Frozen.into(),
            ..Default::default()
        };
        let begun = eventually("the line", async || {
            let found = world.rater.clone().list_credit_lines(request.clone()).await.unwrap().into_inner().lines;
            found.into_iter().find(|found| found.line_id == line.line_id)
        })
        .await;
        // C since the listing, and C is 0 (B-04).
        assert_eq!((begun.limit.unwrap().minor_units, begun.reason.as_str()), (0, "LISTED_DISHONEST"));
    })
    .await;
}

/// Closes a party and registers its credit code again.
async fn anew(world: &mut World<'_>, party: &Party) -> Party {
    let close = ClosePartyRequest {
        request_id: key(),
        party_id: party.party_id.clone(),
        etag: party.etag.clone(),
    };
    world.desk.parties.close_party(close).await.unwrap();
    world.organisation(1).await
}

const ON: &str = "PartyListedDishonest";
const OFF: &str = "PartyListingEnded";

#[tokio::test(flavor = "multi_thread")]
async fn g_11_a_listing_is_told_of_every_registration_of_the_person_until_none_is_in_force() {
    each(archive::SERVICE, async |bed| {
        let mut world = World::new(bed).await;
        let mut people = People::of(bed);
        let first = world.organisation(1).await;
        let second = anew(&mut world, &first).await;
        let short = people.listed(&second).await;
        for party in [&first, &second] {
            assert_eq!(listing_events(bed, party).await, [ON]);
        }
        // Another act, listed until 2 January 2027.
        let modified = ReportConductRequest {
            conduct_code: "SELF_MODIFICATION".to_owned(),
            ..theft(&second)
        };
        let case = people.reporter.report_conduct(modified).await.unwrap().into_inner().case.unwrap();
        let case = people.heard(&case).await;
        let long = people.list(&case, Severity::Serious, 24).await;
        // Who is registered now is told of both.
        let third = anew(&mut world, &second).await;
        let all = [&first, &second, &third];
        for party in all {
            assert_eq!(listing_events(bed, party).await, [ON, ON]);
            assert_eq!(world.standing(party).await.listings.len(), 2);
        }
        let told = "SELECT data FROM event WHERE subject = $1 AND kind = 'hearth.archive.v1.PartyListedDishonest' ORDER BY id DESC";
        let told = rows(bed, told, vec![third.party_id.clone().into()]).await;
        let told = PartyListedDishonest::decode(told[0].try_get_by_index::<Vec<u8>>(0).unwrap().as_slice()).unwrap();
        assert_eq!(
            (&told.party_id, &told.branch, told.until_date),
            (&third.party_id, &third.branch, date("2027-01-02"))
        );

        // The end of one is no end as long as the other is in force.
        world.clock("2026-01-02T00:10:00+08:00");
        eventually("the end of the first", async || {
            (people.get(&short).await.state() == State::Expired).then_some(())
        })
        .await;
        for party in all {
            assert_eq!(listing_events(bed, party).await, [ON, ON]);
        }
        people.manager.remove_listing(remove(&long)).await.unwrap();
        for party in all {
            assert_eq!(listing_events(bed, party).await, [ON, ON, OFF]);
        }
        // Who is registered after it is told of nothing.
        let fourth = anew(&mut world, &third).await;
        assert_eq!(listing_events(bed, &fourth).await, Vec::<String>::new());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g_11_a_register_that_brings_a_listed_person_back_tells_the_list() {
    each(archive::SERVICE, async |bed| {
        let mut world = World::new(bed).await;
        let mut people = People::of(bed);
        world.desk.template().await;
        let (listed, honest) = (world.desk.person(1, "河西区").await, world.desk.person(2, "河西区").await);
        people.listed(&listed).await;
        for party in [&listed, &honest] {
            let close = ClosePartyRequest {
                request_id: key(),
                party_id: party.party_id.clone(),
                etag: party.etag.clone(),
            };
            world.desk.parties.close_party(close).await.unwrap();
        }
        let taken = chunk(vec![row(1), row(2), row(3)]);
        let answers = import(&bed.staff(&[Role::Archivist]), vec![taken]).await.unwrap();
        assert_eq!((answers[0].accepted, answers[0].refused.len()), (3, 0));
        let told = rows(
            bed,
            "SELECT subject FROM event WHERE kind = 'hearth.archive.v1.PartyListedDishonest' ORDER BY id",
            vec![],
        )
        .await;
        let told: Vec<String> = told.iter().map(|row| row.try_get_by_index(0).unwrap()).collect();
        let back = rows(bed, "SELECT party_id FROM account WHERE account_no = 'T0000001'", vec![]).await;
        let back: uuid::Uuid = back[0].try_get_by_index(0).unwrap();
        assert_eq!(told, [listed.party_id.clone(), back.to_string()]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g_12_nobody_is_listed_for_a_disputed_debt() {
    each(archive::SERVICE, async |bed| {
        let mut world = World::new(bed).await;
        let mut people = People::of(bed);
        let (party, account) = world.customer(1).await;
        let (bill, _) = world.bill(&party, &account, 10_000, "2023-11-01");
        world.until(&party, |e| e.billed.as_ref().unwrap().minor_units == 10_000).await;
        let arrears = |demand: &str| ReportConductRequest {
            conduct_code: "MALICIOUS_ARREARS".to_owned(),
            act_date: date(demand),
            bill_ids: vec![bill.clone()],
            ..theft(&party)
        };
        let open = |bill: &str| OpenDebtDisputeRequest {
            request_id: key(),
            party_id: party.party_id.clone(),
            bill_id: bill.to_owned(),
            reference: "TS-2025-7".to_owned(),
        };
        assert_eq!(people.analyst.open_debt_dispute(open(&key())).await.unwrap_err().code(), Code::NotFound);
        let case = people.reporter.report_conduct(arrears("2024-01-02")).await.unwrap().into_inner().case.unwrap();
        let case = people.heard(&case).await;
        let dispute = people.analyst.open_debt_dispute(open(&bill)).await.unwrap().into_inner().dispute.unwrap();
        let again = people.analyst.open_debt_dispute(open(&bill)).await.unwrap_err();
        assert_eq!((again.code(), reason(&again).as_str()), (Code::AlreadyExists, "DEBT_DISPUTE_UNIQUE"));
        assert_eq!(
            reason(&people.reporter.report_conduct(arrears("2024-01-05")).await.unwrap_err()),
            "DEBT_DISPUTED"
        );
        assert_eq!(
            reason(&people.manager.list_party(list(&case, Severity::Ordinary, 12)).await.unwrap_err()),
            "DEBT_DISPUTED"
        );
        let close = |etag: &str| CloseDebtDisputeRequest {
            request_id: key(),
            dispute_id: dispute.dispute_id.clone(),
            etag: etag.to_owned(),
        };
        let closed = people
            .manager
            .close_debt_dispute(close(&dispute.etag))
            .await
            .unwrap()
            .into_inner()
            .dispute
            .unwrap();
        assert_eq!(closed.closed_date, date("2025-01-02"));
        assert_eq!(
            reason(&people.manager.close_debt_dispute(close(&closed.etag)).await.unwrap_err()),
            "DISPUTE_CLOSED"
        );
        // Twelve months after the demand of 2 January 2024 are over on the third.
        assert_eq!(
            reason(&people.manager.list_party(list(&case, Severity::Ordinary, 12)).await.unwrap_err()),
            "DEMAND_TOO_RECENT"
        );
        world.clock("2025-01-03T09:00:00+08:00");
        let listed = people.list(&case, Severity::Ordinary, 12).await;
        assert_eq!((listed.state(), listed.bill_ids), (State::Listed, vec![bill.clone()]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g_12_a_bill_that_billing_takes_as_disputed_holds_the_case() {
    each(archive::SERVICE, async |bed| {
        let mut world = World::new(bed).await;
        let mut people = People::of(bed);
        let (party, account) = world.customer(1).await;
        let (bill, _) = world.bill(&party, &account, 10_000, "2023-11-01");
        let disputed = |world: &World| {
            let told = BillDisputed {
                dispute_id: key(),
                bill_id: bill.clone(),
                account_id: account.clone(),
                party_id: party.party_id.clone(),
                branch: party.branch.clone(),
                ..BillDisputed::default()
            };
            world.billing.tell(&account, &told);
            told
        };
        let answered = |world: &World, dispute: &BillDisputed| {
            let told = BillDisputeAnswered {
                dispute_id: dispute.dispute_id.clone(),
                bill_id: dispute.bill_id.clone(),
                account_id: dispute.account_id.clone(),
                party_id: dispute.party_id.clone(),
                branch: dispute.branch.clone(),
                bill_stands: true,
            };
            world.billing.tell(&account, &told);
        };
        let open = async |count: usize| {
            eventually("the disputes", async || {
                let open = rows(bed, "SELECT id FROM debt_dispute WHERE closed_date IS NULL", vec![]).await;
                (open.len() == count).then_some(())
            })
            .await;
        };
        let arrears = |demand: &str| ReportConductRequest {
            conduct_code: "MALICIOUS_ARREARS".to_owned(),
            act_date: date(demand),
            bill_ids: vec![bill.clone()],
            ..theft(&party)
        };
        // Nothing is proposed for a disputed bill.
        let dispute = disputed(&world);
        open(1).await;
        let refused = people.reporter.report_conduct(arrears("2023-12-01")).await.unwrap_err();
        assert_eq!((refused.code(), reason(&refused).as_str()), (Code::FailedPrecondition, "DEBT_DISPUTED"));
        answered(&world, &dispute);
        open(0).await;
        let case = people.reporter.report_conduct(arrears("2023-12-01")).await.unwrap().into_inner().case.unwrap();
        assert_eq!(case.disputed_bill_ids, Vec::<String>::new());
        let case = people.investigate(&case).await;

        // A case under way is held where it stands, and shows why; it goes on when billing has answered.
        let dispute = disputed(&world);
        open(1).await;
        assert_eq!(people.get(&case).await.disputed_bill_ids, std::slice::from_ref(&bill));
        assert_eq!(reason(&people.analyst.notify_party(notify(&case)).await.unwrap_err()), "DEBT_DISPUTED");
        answered(&world, &dispute);
        open(0).await;
        let case = people.notify(&case).await;
        let case = people.analyst.record_statement(statement(&case)).await.unwrap().into_inner().case.unwrap();

        let dispute = disputed(&world);
        open(1).await;
        let decide = list(&case, Severity::Ordinary, 12);
        assert_eq!(reason(&people.manager.list_party(decide.clone()).await.unwrap_err()), "DEBT_DISPUTED");
        // Only billing answers it, and what is recorded here stands beside it.
        let close = CloseDebtDisputeRequest {
            request_id: key(),
            dispute_id: dispute.dispute_id.clone(),
            etag: rpc::etag(&dispute.dispute_id, 1),
        };
        assert_eq!(reason(&people.manager.close_debt_dispute(close).await.unwrap_err()), "DISPUTE_OF_BILLING");
        let court = OpenDebtDisputeRequest {
            request_id: key(),
            party_id: party.party_id.clone(),
            bill_id: bill.clone(),
            reference: "(2025)津0103民初7号".to_owned(),
        };
        let court = people.analyst.open_debt_dispute(court).await.unwrap().into_inner().dispute.unwrap();
        answered(&world, &dispute);
        open(1).await;
        let again = || ListPartyRequest {
            request_id: key(),
            ..decide.clone()
        };
        assert_eq!(reason(&people.manager.list_party(again()).await.unwrap_err()), "DEBT_DISPUTED");
        let close = CloseDebtDisputeRequest {
            request_id: key(),
            dispute_id: court.dispute_id,
            etag: court.etag,
        };
        people.manager.close_debt_dispute(close).await.unwrap();

        // A lost row comes back with the books; what was answered stays answered.
        let last = disputed(&world);
        open(1).await;
        raw(bed, "DELETE FROM debt_dispute WHERE closed_date IS NULL", vec![]).await.unwrap();
        open(0).await;
        let rebuild = RebuildExposureRequest {
            request_id: key(),
            party_id: party.party_id.clone(),
        };
        world.rater.rebuild_exposure(rebuild).await.unwrap();
        open(1).await;
        assert_eq!(reason(&people.manager.list_party(again()).await.unwrap_err()), "DEBT_DISPUTED");
        answered(&world, &last);
        open(0).await;
        assert_eq!(
            people.manager.list_party(again()).await.unwrap().into_inner().case.unwrap().state(),
            State::Listed
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g_08_nobody_is_listed_for_arrears_that_are_paid() {
    each(archive::SERVICE, async |bed| {
        let mut world = World::new(bed).await;
        let mut people = People::of(bed);
        let (party, account) = world.customer(1).await;
        let (first, _) = world.bill(&party, &account, 10_000, "2023-10-01");
        let (second, _) = world.bill(&party, &account, 5000, "2023-11-01");
        world.pay(&party, &account, 10_000, "2025-01-02", &[&first]);
        world.until(&party, |e| e.exposure.as_ref().unwrap().minor_units == 5000).await;
        let arrears = |bills: &[&String]| ReportConductRequest {
            conduct_code: "MALICIOUS_ARREARS".to_owned(),
            act_date: date("2023-12-01"),
            bill_ids: bills.iter().map(|id| (*id).clone()).collect(),
            ..theft(&party)
        };
        let paid = people.reporter.report_conduct(arrears(&[&first])).await.unwrap_err();
        assert_eq!((paid.code(), reason(&paid).as_str()), (Code::FailedPrecondition, "DEBT_PAID"));
        let both = people.reporter.report_conduct(arrears(&[&first, &second])).await.unwrap();
        let case = people.heard(&both.into_inner().case.unwrap()).await;
        // Paid before the decision: there is nothing left to be listed for.
        world.pay(&party, &account, 5000, "2025-01-02", &[&second]);
        world.until(&party, |e| e.exposure.as_ref().unwrap().minor_units == 0).await;
        let late = people.manager.list_party(list(&case, Severity::Ordinary, 12)).await.unwrap_err();
        assert_eq!(reason(&late), "DEBT_PAID");
        people.manager.dismiss_case(dismiss(&case)).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g_e_who_is_registered_anew_stays_on_the_list() {
    each(archive::SERVICE, async |bed| {
        let mut world = World::new(bed).await;
        let mut people = People::of(bed);
        let old = world.organisation(1).await;
        people.listed(&old).await;
        let close = ClosePartyRequest {
            request_id: key(),
            party_id: old.party_id.clone(),
            etag: old.etag.clone(),
        };
        world.desk.parties.close_party(close).await.unwrap();
        let new = world.organisation(1).await;
        assert_ne!(new.party_id, old.party_id);
        assert_eq!(listing_events(bed, &new).await, [ON]);
        let standing = world.standing(&new).await;
        assert_eq!(standing.listings[0].code, "LISTED_DISHONEST");
        assert!(standing.basic_supply && standing.may_deal);
        // Nor is there a second case for the same act.
        let again = people.reporter.report_conduct(theft(&new)).await.unwrap_err();
        assert_eq!(reason(&again), "INTEGRITY_CASE_ACT_UNIQUE");
        let other = world.organisation(2).await;
        assert!(world.standing(&other).await.listings.is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g_e_a_firm_registered_since_with_the_same_legal_representative_takes_the_list_along() {
    each(archive::SERVICE, async |bed| {
        let mut world = World::new(bed).await;
        let mut people = People::of(bed);
        let (old, sister) = (world.organisation(1).await, world.organisation(2).await);
        world.clock("2025-01-06T09:00:00+08:00");
        let act = ReportConductRequest {
            act_date: date("2025-01-05"),
            ..theft(&old)
        };
        let case = people.reporter.report_conduct(act).await.unwrap().into_inner().case.unwrap();
        let case = people.heard(&case).await;
        people.list(&case, Severity::Ordinary, 12).await;
        let (new, other, bare) = (world.organisation(3).await, world.organisation(4).await, world.organisation(5).await);
        let mut files = CreditFileServiceClient::new(bed.staff_named("filer", &[Role::CreditAnalyst]));
        for (party, name) in [(&old, "李强"), (&sister, "李强"), (&new, "李强"), (&other, "王芳")] {
            let content = FactContent {
                name: name.to_owned(),
                ..FactContent::default()
            };
            record(&mut files, &party.party_id, FactKind::LegalRepresentative, content, None).await;
        }

        let standing = world.standing(&new).await;
        let told: Vec<_> = standing.listings.iter().map(|l| (l.code.as_str(), l.detail.as_str())).collect();
        assert_eq!(told, [("LISTED_LEGAL_REPRESENTATIVE", "GAS_THEFT")]);
        assert!(standing.prepayment_required && standing.basic_supply && standing.may_deal, "credit only");
        let told: Vec<_> = world.standing(&old).await.listings.into_iter().map(|l| l.code).collect();
        assert_eq!(told, ["LISTED_DISHONEST"]);
        // Who was there before the act, is led by somebody else, or has no file is not drawn into it.
        for party in [&sister, &other, &bare] {
            assert_eq!(world.standing(party).await.listings, []);
        }
        // What it means for credit it means here, too: the others hear of it, grade C (B-02) and no line (G-11).
        assert_eq!(
            (listing_events(bed, &old).await, listing_events(bed, &new).await),
            (vec![ON.to_owned()], vec![ON.to_owned()])
        );
        for party in [&sister, &other, &bare] {
            assert_eq!(listing_events(bed, party).await, Vec::<String>::new());
        }
        let rating = world.open_rating(&new).await;
        let scored = world.rater.score_rating(score(&rating, 100, 100)).await.unwrap().into_inner().rating.unwrap();
        assert_eq!(
            (scored.hard_stops.as_slice(), scored.grade()),
            (["LISTED_DISHONEST".to_owned()].as_slice(), Grade::C)
        );
        assert_eq!(
            reason(&world.rater.propose_credit_line(propose(&new, 30)).await.unwrap_err()),
            "LISTED_DISHONEST"
        );
        // It ends with the listing.
        world.clock("2026-01-06T00:00:00+08:00");
        assert_eq!(world.standing(&new).await.listings, []);
        eventually("the end of the listing", async || {
            (listing_events(bed, &new).await == [ON, OFF] && listing_events(bed, &old).await == [ON, OFF]).then_some(())
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g_e_who_becomes_the_legal_representative_of_a_firm_brings_the_list_to_it_and_takes_it_away() {
    each(archive::SERVICE, async |bed| {
        let mut world = World::new(bed).await;
        let mut people = People::of(bed);
        let old = world.organisation(1).await;
        people.listed(&old).await;
        // Registered since the act, rated, and with a line, before anybody knows who stands behind it.
        let new = world.organisation(2).await;
        world.rate(&new, 100, 100).await;
        let line = ProposeCreditLineRequest {
            valid_until_date: date("2025-12-31"),
            ..propose(&new, 30)
        };
        let line = world.rater.propose_credit_line(line).await.unwrap().into_inner().line.unwrap();
        world.approver.approve_credit_line(approve_line(&line)).await.unwrap();
        let mut files = CreditFileServiceClient::new(bed.staff_named("filer", &[Role::CreditAnalyst]));
        let led_by = |name: &str| FactContent {
            name: name.to_owned(),
            ..FactContent::default()
        };
        record(&mut files, &new.party_id, FactKind::LegalRepresentative, led_by("李强"), None).await;
        assert_eq!(listing_events(bed, &new).await, Vec::<String>::new());
        // The file of the listed firm says it last.
        record(&mut files, &old.party_id, FactKind::LegalRepresentative, led_by("李强"), None).await;
        assert_eq!(listing_events(bed, &new).await, [ON]);
        let lines = contracts::hearth::archive::v1::ListCreditLinesRequest {
            party_id: Some(new.party_id.clone()),
            ..Default::default()
        };
        let frozen = world.rater.list_credit_lines(lines).await.unwrap().into_inner().lines.remove(0);
        assert_eq!((frozen.state(), frozen.reason.as_str()), (credit_line::State::Frozen, "LISTED_DISHONEST"));
        let ratings = ListRatingsRequest {
            party_id: Some(new.party_id.clone()),
            state: credit_rating::State::ReviewDue.into(),
            ..ListRatingsRequest::default()
        };
        let forced = world.rater.list_ratings(ratings).await.unwrap().into_inner().ratings.remove(0);
        assert_eq!((forced.grade(), forced.review_reason.as_str()), (Grade::C, "LISTED_DISHONEST"));

        // Another one leads it: it is not the same firm under another number any more.
        let file = GetCreditFileRequest {
            party_id: new.party_id.clone(),
            ..GetCreditFileRequest::default()
        };
        let file = files.get_credit_file(file).await.unwrap().into_inner().credit_file.unwrap();
        let successor = NewFact {
            kind: FactKind::LegalRepresentative.into(),
            content: Some(led_by("王芳")),
            source: "变更登记".to_owned(),
            as_of_date: date("2025-01-02"),
            ..NewFact::default()
        };
        add(&mut files, file, successor).await;
        assert_eq!(listing_events(bed, &new).await, [ON, OFF]);
        assert_eq!(world.standing(&new).await.listings, []);
        assert_eq!(listing_events(bed, &old).await, [ON]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a39_a_case_of_a_foreign_branch_looks_like_an_unknown_id() {
    each(archive::SERVICE, async |bed| {
        let mut world = World::new(bed).await;
        let mut people = People::of(bed);
        let (party, _) = world.customer(1).await;
        let case = people.report(&party).await;
        let mut there = Integrity::new(bed.staff_of(HEPING, &[Role::CreditAnalyst]));
        let get = GetIntegrityCaseRequest { case_id: case.case_id.clone() };
        assert_eq!(there.get_integrity_case(get).await.unwrap_err().code(), Code::NotFound);
        assert_eq!(there.investigate_conduct(investigate(&case)).await.unwrap_err().code(), Code::NotFound);
        assert_eq!(there.report_conduct(theft(&party)).await.unwrap_err().code(), Code::NotFound);
        let all = there.list_integrity_cases(ListIntegrityCasesRequest::default()).await.unwrap().into_inner();
        assert!(all.cases.is_empty());
    })
    .await;
}
