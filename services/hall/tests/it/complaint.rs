use contracts::hearth::{
    billing::v1::HeatSeasonOpened,
    hall::v1::{complaint_service_client::ComplaintServiceClient, deadline_service_client::DeadlineServiceClient, *},
    options::v1::Role,
};
use sea_orm::{ConnectionTrait, Statement};
use testbed::{Bed, Client, at, each, eventually, fields, key, reason};
use tonic::Code;

use crate::{
    BRANCH, FILE, OTHER,
    hands::{dispatcher, events, member},
    meta, refusal, time,
};

pub fn agent(bed: &Bed) -> ComplaintServiceClient<Client> {
    ComplaintServiceClient::new(bed.staff_named("agent", &[Role::Agent]))
}
pub fn manager(bed: &Bed) -> ComplaintServiceClient<Client> {
    ComplaintServiceClient::new(bed.staff_named("manager", &[Role::ServiceManager]))
}

/// A complaint of somebody with a phone and no account.
pub fn new(utility: Utility) -> OpenComplaintRequest {
    OpenComplaintRequest {
        request_id: key(),
        channel: Channel::Hotline.into(),
        utility: utility.into(),
        branch: BRANCH.to_owned(),
        reporter_name: "张三丰".to_owned(),
        reporter_phone: "13812345678".to_owned(),
        reporter_address: "河西区友谊路12号".to_owned(),
        detail: "抄表员态度恶劣".to_owned(),
        ..OpenComplaintRequest::default()
    }
}

pub async fn open(bed: &Bed, request: OpenComplaintRequest) -> Complaint {
    agent(bed).open_complaint(request).await.unwrap().into_inner().complaint.unwrap()
}

pub async fn get(bed: &Bed, id: &str) -> GetComplaintResponse {
    let request = GetComplaintRequest { complaint_id: id.to_owned() };
    manager(bed).get_complaint(request).await.unwrap().into_inner()
}

pub async fn complaint_now(bed: &Bed, id: &str) -> Complaint {
    get(bed, id).await.complaint.unwrap()
}

pub async fn classify(bed: &Bed, complaint: &Complaint, category: ComplaintCategory) -> Complaint {
    let request = ClassifyComplaintRequest {
        request_id: key(),
        complaint_id: complaint.complaint_id.clone(),
        etag: complaint.etag.clone(),
        category: category.into(),
    };
    agent(bed).classify_complaint(request).await.unwrap().into_inner().complaint.unwrap()
}

/// Gives it to a member; the manager does, who may also take an escalated one.
pub async fn assign(bed: &Bed, complaint: &Complaint) -> Complaint {
    let owner = member(bed, &format!("owner-{}", key()), BRANCH).await;
    let request = AssignComplaintRequest {
        request_id: key(),
        complaint_id: complaint.complaint_id.clone(),
        etag: complaint.etag.clone(),
        owner_staff_id: owner.staff_id,
    };
    manager(bed).assign_complaint(request).await.unwrap().into_inner().complaint.unwrap()
}

pub async fn investigate(bed: &Bed, complaint: &Complaint) -> Complaint {
    let request = InvestigateComplaintRequest {
        request_id: key(),
        complaint_id: complaint.complaint_id.clone(),
        etag: complaint.etag.clone(),
    };
    agent(bed).investigate_complaint(request).await.unwrap().into_inner().complaint.unwrap()
}

pub fn proposal(complaint: &Complaint, finding: Finding, vendor_id: &str) -> ProposeReplyRequest {
    ProposeReplyRequest {
        request_id: key(),
        complaint_id: complaint.complaint_id.clone(),
        etag: complaint.etag.clone(),
        finding: finding.into(),
        summary: "情况属实".to_owned(),
        vendor_id: vendor_id.to_owned(),
        order_id: String::new(),
    }
}

pub async fn propose(bed: &Bed, request: ProposeReplyRequest) -> Complaint {
    agent(bed).propose_reply(request).await.unwrap().into_inner().complaint.unwrap()
}

pub fn answer(bed: &Bed, complaint: &Complaint) -> ReplyToComplaintRequest {
    let channel = if complaint.anonymous { Channel::Unspecified } else { Channel::Hotline };
    ReplyToComplaintRequest {
        request_id: key(),
        complaint_id: complaint.complaint_id.clone(),
        etag: complaint.etag.clone(),
        reply_channel: channel.into(),
        reply_time: Some(rpc::wire::time(bed.clock().now())),
        text: "已批评教育并道歉".to_owned(),
    }
}

pub async fn reply(bed: &Bed, complaint: &Complaint) -> Complaint {
    let request = answer(bed, complaint);
    agent(bed).reply_to_complaint(request).await.unwrap().into_inner().complaint.unwrap()
}

pub fn closing(complaint: &Complaint) -> CloseComplaintRequest {
    CloseComplaintRequest {
        request_id: key(),
        complaint_id: complaint.complaint_id.clone(),
        etag: complaint.etag.clone(),
    }
}

pub async fn close(bed: &Bed, complaint: &Complaint) -> Complaint {
    manager(bed).close_complaint(closing(complaint)).await.unwrap().into_inner().complaint.unwrap()
}

/// From a state in which somebody owns it, or a reopened one, to the approval of its closing; upheld against a vendor where there is one.
pub async fn work_off(bed: &Bed, complaint: &Complaint, vendor_id: &str) -> Complaint {
    let complaint = investigate(bed, complaint).await;
    let complaint = propose(bed, proposal(&complaint, Finding::Upheld, vendor_id)).await;
    let complaint = reply(bed, &complaint).await;
    close(bed, &complaint).await
}

/// From a new complaint to the approval of its closing.
pub async fn to_closing(bed: &Bed, request: OpenComplaintRequest, vendor_id: &str) -> Complaint {
    let complaint = open(bed, request).await;
    let complaint = classify(bed, &complaint, ComplaintCategory::Attitude).await;
    let complaint = assign(bed, &complaint).await;
    work_off(bed, &complaint, vendor_id).await
}

fn clocks(bed: &Bed) -> DeadlineServiceClient<Client> {
    DeadlineServiceClient::new(bed.staff(&[Role::Dispatcher]))
}

async fn of(bed: &Bed, owner: &str) -> Vec<Deadline> {
    let request = ListDeadlinesRequest {
        owner_id: owner.to_owned(),
        ..ListDeadlinesRequest::default()
    };
    let mut found = clocks(bed).list_deadlines(request).await.unwrap().into_inner().deadlines;
    found.sort_by_key(|deadline| deadline.clock);
    found
}

async fn due(bed: &Bed, owner: &str) -> Vec<(Clock, String)> {
    let found = of(bed, owner).await;
    let at = |deadline: &Deadline| rpc::wire::time_of(deadline.due_time.as_ref(), "due_time").unwrap().local().to_string();
    found.iter().map(|deadline| (deadline.clock(), at(deadline))).collect()
}

fn texts(rows: &[(Clock, &str)]) -> Vec<(Clock, String)> {
    rows.iter().map(|(clock, text)| (*clock, (*text).to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s_04_anyone_is_heard_without_an_account_through_any_channel() {
    each(hall::SERVICE, async |bed| {
        for channel in 1..=8 {
            let complaint = open(bed, OpenComplaintRequest { channel, ..new(Utility::Gas) }).await;
            assert_eq!((complaint.state(), complaint.channel), (complaint::State::Received, channel));
            assert!(complaint.account_id.is_empty());
        }
        let complaint = open(bed, new(Utility::Heat)).await;
        assert_eq!((complaint.reporter_name.as_str(), complaint.reporter_phone.as_str()), ("张**", "138****5678"));
        assert!(
            !complaint.reporter_address.contains("12号") && !complaint.detail.contains("态度"),
            "{complaint:?}"
        );
        let told = events::<ComplaintOpened>(bed, &complaint.complaint_id).await;
        assert_eq!(told[0].complaint_no, complaint.complaint_no);
        let reveal = RevealComplaintRequest {
            request_id: key(),
            complaint_id: complaint.complaint_id.clone(),
            purpose: "回复投诉人".to_owned(),
        };
        let clear = agent(bed).reveal_complaint(reveal).await.unwrap().into_inner().complaint.unwrap();
        assert_eq!(
            (clear.reporter_name.as_str(), clear.reporter_phone.as_str(), clear.reporter_address.as_str()),
            ("张三丰", "13812345678", "河西区友谊路12号")
        );

        // Nothing by which the reporter is known stands in the database in clear text (decision 16).
        let db = bed.db();
        let sql = "SELECT reporter_name, reporter_phone, reporter_address, reporter_key FROM complaint";
        let statement = Statement::from_string(db.reader().get_database_backend(), sql);
        for row in db.reader().query_all_raw(statement).await.unwrap() {
            for (column, clear) in [("reporter_name", "张三丰"), ("reporter_phone", "13812345678"), ("reporter_address", "友谊路")] {
                let sealed = row.try_get::<Option<Vec<u8>>>("", column).unwrap().unwrap();
                assert!(!String::from_utf8_lossy(&sealed).contains(clear));
            }
            assert!(!row.try_get::<String>("", "reporter_key").unwrap().contains("13812345678"));
        }

        let nobody = OpenComplaintRequest {
            reporter_phone: String::new(),
            reporter_address: String::new(),
            ..new(Utility::Gas)
        };
        assert_eq!(
            refusal(agent(bed).open_complaint(nobody).await),
            (Code::InvalidArgument, "CALLER_NEEDED".to_owned())
        );
        let no_phone = OpenComplaintRequest {
            reporter_phone: "1381234567".to_owned(),
            ..new(Utility::Gas)
        };
        assert_eq!(refusal(agent(bed).open_complaint(no_phone).await).1, "PHONE_INVALID");

        // It is not there for another branch, and the administration manager only reads.
        let mut elsewhere = ComplaintServiceClient::new(bed.staff_of(OTHER, &[Role::Agent]));
        let named = GetComplaintRequest {
            complaint_id: complaint.complaint_id.clone(),
        };
        assert_eq!(elsewhere.get_complaint(named.clone()).await.unwrap_err().code(), Code::NotFound);
        let mut supervisor = ComplaintServiceClient::new(bed.staff(&[Role::AdministrationManager]));
        supervisor.get_complaint(named).await.unwrap();
        let listed = supervisor
            .list_complaints(ListComplaintsRequest {
                page_size: 5,
                ..ListComplaintsRequest::default()
            })
            .await
            .unwrap()
            .into_inner();
        assert!(listed.complaints.len() == 5 && !listed.next_page_token.is_empty());
        assert_eq!(supervisor.open_complaint(new(Utility::Gas)).await.unwrap_err().code(), Code::PermissionDenied);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c_05_first_response_in_an_hour_reply_in_five_working_days_or_three_days() {
    each(hall::SERVICE, async |bed| {
        // A Monday.
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let gas = open(bed, new(Utility::Gas)).await;
        let promised = [(Clock::FirstResponse, "2025-03-03 10:00:00"), (Clock::Resolution, "2025-03-10 23:59:59.999999")];
        assert_eq!(due(bed, &gas.complaint_id).await, texts(&promised));
        let heat = open(bed, new(Utility::Heat)).await;
        let promised = [(Clock::FirstResponse, "2025-03-03 10:00:00"), (Clock::Resolution, "2025-03-06 09:00:00")];
        assert_eq!(due(bed, &heat.complaint_id).await, texts(&promised));

        // Clocks of arrival by category (section 12), counted from when it came in; a suggestion has more time.
        bed.clock().set(at("2025-03-03T09:20:00+08:00")).unwrap();
        let cold = classify(bed, &heat, ComplaintCategory::Supply).await;
        assert_eq!(due(bed, &cold.complaint_id).await[1], (Clock::OnSite, "2025-03-03 11:00:00".to_owned()));
        let leak = classify(bed, &gas, ComplaintCategory::Safety).await;
        assert_eq!(due(bed, &leak.complaint_id).await[1], (Clock::OnSite, "2025-03-03 09:30:00".to_owned()));
        let idea = OpenComplaintRequest {
            reporter_phone: "13900000001".to_owned(),
            ..new(Utility::Gas)
        };
        let idea = open(bed, idea).await;
        let idea = classify(bed, &idea, ComplaintCategory::Suggestion).await;
        let promised = [
            (Clock::FirstResponse, "2025-03-06 23:59:59.999999"),
            (Clock::Resolution, "2025-03-17 23:59:59.999999"),
        ];
        assert_eq!(due(bed, &idea.complaint_id).await, texts(&promised));

        // First word, arrival and reply meet them.
        let word = RespondToComplaintRequest {
            request_id: key(),
            complaint_id: cold.complaint_id.clone(),
            etag: cold.etag.clone(),
            reply_channel: Channel::Hotline.into(),
        };
        let cold = agent(bed).respond_to_complaint(word).await.unwrap().into_inner().complaint.unwrap();
        let cold = assign(bed, &cold).await;
        let visit = VisitComplaintRequest {
            request_id: key(),
            complaint_id: cold.complaint_id.clone(),
            etag: cold.etag.clone(),
        };
        let cold = agent(bed).visit_complaint(visit).await.unwrap().into_inner().complaint.unwrap();
        let cold = investigate(bed, &cold).await;
        let cold = propose(bed, proposal(&cold, Finding::PartlyUpheld, "")).await;
        let mut early = answer(bed, &cold);
        early.reply_time = Some(time("2025-03-03T09:20:01+08:00"));
        assert_eq!(refusal(agent(bed).reply_to_complaint(early.clone()).await).1, "DATE_IN_FUTURE");
        early.request_id = key();
        early.reply_time = Some(time("2025-03-03T08:59:59+08:00"));
        assert_eq!(refusal(agent(bed).reply_to_complaint(early).await).1, "REPLY_BEFORE_CONTACT");
        let cold = reply(bed, &cold).await;
        assert_eq!(cold.state(), complaint::State::Replied);
        let states: Vec<_> = of(bed, &cold.complaint_id).await.iter().map(Deadline::state).collect();
        assert_eq!(states, [deadline::State::Met; 3]);
        let told = events::<ComplaintReplied>(bed, &cold.complaint_id).await;
        assert_eq!(told[0].finding(), Finding::PartlyUpheld);
    })
    .await;
}

/// Section 12: the crew of a gas leak is there in 30 minutes in the city, in 50 outside of it; the last second counts, the next one is late.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c_05_a_gas_leak_is_visited_in_30_minutes_in_the_city_and_in_50_outside() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let visits = [
            (false, "09:30:00", deadline::State::Met),
            (false, "09:30:01", deadline::State::Breached),
            (true, "09:50:00", deadline::State::Met),
            (true, "09:50:01", deadline::State::Breached),
        ];
        let mut leaks = vec![];
        for (n, (remote, ..)) in visits.iter().enumerate() {
            // Each of another caller: none is another's duplicate.
            let request = OpenComplaintRequest {
                reporter_phone: format!("1390000000{n}"),
                remote: *remote,
                ..new(Utility::Gas)
            };
            let leak = classify(bed, &open(bed, request).await, ComplaintCategory::Safety).await;
            assert_eq!(leak.remote, *remote);
            leaks.push(assign(bed, &leak).await);
        }
        for (leak, (remote, time, state)) in leaks.iter().zip(visits) {
            bed.clock().set(at(&format!("2025-03-03T{time}+08:00"))).unwrap();
            let visit = VisitComplaintRequest {
                request_id: key(),
                complaint_id: leak.complaint_id.clone(),
                etag: leak.etag.clone(),
            };
            agent(bed).visit_complaint(visit).await.unwrap();
            let on_site = of(bed, &leak.complaint_id)
                .await
                .into_iter()
                .find(|deadline| deadline.clock() == Clock::OnSite)
                .unwrap();
            let explain = ExplainDeadlineRequest {
                deadline_id: on_site.deadline_id,
            };
            let explained = clocks(bed).explain_deadline(explain).await.unwrap().into_inner();
            let (deadline, policy) = (explained.deadline.unwrap(), explained.policy.unwrap());
            let found = (deadline.state(), deadline.breached, policy.amount, policy.remote);
            let late = state == deadline::State::Breached;
            assert_eq!(found, (state, late, if remote { 50 } else { 30 }, remote), "{time}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c_05_a_temperature_complaint_has_five_hours_in_the_first_ten_days_of_a_season() {
    each(hall::SERVICE, async |bed| {
        let billing = bed.fake("billing", rpc::Routes::default()).await;
        let season = HeatSeasonOpened {
            heat_season_id: key(),
            season: "2025-2026".to_owned(),
            branch: BRANCH.to_owned(),
            start_date: Some(crate::date("2025-11-15")),
            end_date: Some(crate::date("2026-03-15")),
        };
        billing.tell(&season.heat_season_id, &season);
        let arrival = async |day: &str, branch: &str, category| {
            bed.clock().set(at(&format!("{day}T09:00:00+08:00"))).unwrap();
            let request = OpenComplaintRequest {
                branch: branch.to_owned(),
                reporter_phone: format!("138{}", &bed.clock().now().micros().to_string()[2..10]),
                ..new(Utility::Heat)
            };
            let complaint = open(bed, request).await;
            let complaint = classify(bed, &complaint, category).await;
            let due = due(bed, &complaint.complaint_id).await;
            due.into_iter().find(|(clock, _)| *clock == Clock::OnSite).unwrap().1
        };
        let supply = ComplaintCategory::Supply;
        // The day before; then the event may take a moment.
        assert_eq!(arrival("2025-11-14", BRANCH, supply).await, "2025-11-14 11:00:00");
        eventually("the season", async || {
            (arrival("2025-11-15", BRANCH, supply).await == "2025-11-15 14:00:00").then_some(())
        })
        .await;
        assert_eq!(arrival("2025-11-15", OTHER, supply).await, "2025-11-15 11:00:00", "each branch has its season");
        assert_eq!(arrival("2025-11-15", BRANCH, ComplaintCategory::Safety).await, "2025-11-15 10:00:00");
        assert_eq!(arrival("2025-11-24", BRANCH, supply).await, "2025-11-24 14:00:00", "the tenth day");
        assert_eq!(arrival("2025-11-25", BRANCH, supply).await, "2025-11-25 11:00:00");
        // A city that promises more for those days publishes a version of its own.
        let publish = PublishSlaPolicyRequest {
            request_id: key(),
            subject: "COMPLAINT_HEAT_SUPPLY".to_owned(),
            clock: Clock::OnSite.into(),
            unit: TimeUnit::ElapsedMinutes.into(),
            amount: 180,
            pausable: false,
            effective_date: Some(crate::date("2025-11-26")),
            source: "青岛 2025".to_owned(),
            season_days: 15,
            remote: false,
        };
        let mut manager = DeadlineServiceClient::new(bed.staff(&[Role::ServiceManager]));
        let policy = manager.publish_sla_policy(publish).await.unwrap().into_inner().policy.unwrap();
        assert_eq!(policy.season_days, 15);
        assert_eq!(arrival("2025-11-29", BRANCH, supply).await, "2025-11-29 12:00:00");
        assert_eq!(arrival("2025-11-30", BRANCH, supply).await, "2025-11-30 11:00:00");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c_05_a_clock_stands_only_for_the_customer_and_with_evidence() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let complaint = open(bed, new(Utility::Heat)).await;
        let found = of(bed, &complaint.complaint_id).await;
        let pause = |clock: &Deadline, reason: pause::Reason, evidence: &str| PauseDeadlineRequest {
            request_id: key(),
            deadline_id: clock.deadline_id.clone(),
            etag: clock.etag.clone(),
            reason: reason.into(),
            note: "用户出差".to_owned(),
            evidence_file_id: evidence.to_owned(),
        };
        let mut agent = DeadlineServiceClient::new(bed.staff(&[Role::Agent]));
        let first = pause(&found[0], pause::Reason::WaitingForCustomer, FILE);
        assert_eq!(refusal(agent.pause_deadline(first).await).1, "CLOCK_NOT_PAUSABLE");
        for reason in [pause::Reason::WaitingForThirdParty, pause::Reason::ForceMajeure] {
            assert_eq!(
                refusal(agent.pause_deadline(pause(&found[1], reason, FILE)).await),
                (Code::InvalidArgument, "PAUSE_REASON".to_owned())
            );
        }
        let bare = agent.pause_deadline(pause(&found[1], pause::Reason::WaitingForCustomer, "")).await.unwrap_err();
        assert_eq!(
            (reason(&bare), fields(&bare)),
            ("EVIDENCE_MISSING".to_owned(), vec!["evidence_file_id".to_owned()])
        );
        let standing = pause(&found[1], pause::Reason::WaitingForCustomer, FILE);
        let standing = agent.pause_deadline(standing).await.unwrap().into_inner().deadline.unwrap();
        bed.clock().set(at("2025-03-04T09:00:00+08:00")).unwrap();
        let resume = ResumeDeadlineRequest {
            request_id: key(),
            deadline_id: standing.deadline_id.clone(),
            etag: standing.etag,
        };
        agent.resume_deadline(resume).await.unwrap();
        // Three days from 3 March 09:00, and the day on which it stood.
        assert_eq!(
            due(bed, &complaint.complaint_id).await[1],
            (Clock::Resolution, "2025-03-07 09:00:00".to_owned())
        );
        let explain = ExplainDeadlineRequest {
            deadline_id: standing.deadline_id,
        };
        let pauses = agent.explain_deadline(explain).await.unwrap().into_inner().pauses;
        assert_eq!((pauses[0].note.as_str(), pauses[0].evidence_file_id.as_str()), ("用户出差", FILE));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c_06_duplicates_are_linked_and_each_reporter_gets_a_reply() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let (account_id, premises_id) = (key(), key());
        let of_account = || OpenComplaintRequest {
            account_id: account_id.clone(),
            premises_id: premises_id.clone(),
            ..new(Utility::Gas)
        };
        let master = open(bed, of_account()).await;
        let master = classify(bed, &master, ComplaintCategory::Attitude).await;
        assert_eq!(master.state(), complaint::State::Classified);
        // The son complains about the same at another department.
        let second = OpenComplaintRequest {
            reporter_phone: "13900000009".to_owned(),
            channel: Channel::Superior.into(),
            ..of_account()
        };
        let second = open(bed, second).await;
        let linked = classify(bed, &second, ComplaintCategory::Attitude).await;
        assert_eq!(
            (linked.state(), linked.master_complaint_id.as_str()),
            (complaint::State::Linked, master.complaint_id.as_str())
        );
        // Another category, another place, another customer: no duplicate.
        let other = open(bed, of_account()).await;
        let other = classify(bed, &other, ComplaintCategory::Billing).await;
        assert_eq!(other.state(), complaint::State::Classified);
        let place = open(
            bed,
            OpenComplaintRequest {
                premises_id: key(),
                ..of_account()
            },
        )
        .await;
        assert_eq!(classify(bed, &place, ComplaintCategory::Attitude).await.state(), complaint::State::Classified);
        let phone = open(bed, new(Utility::Gas)).await;
        assert_eq!(classify(bed, &phone, ComplaintCategory::Attitude).await.state(), complaint::State::Classified);
        // Somebody without an account is known by the phone, however it is written.
        let again = OpenComplaintRequest {
            reporter_phone: "+86-138-1234-5678".to_owned(),
            ..new(Utility::Gas)
        };
        let again = open(bed, again).await;
        assert_eq!(classify(bed, &again, ComplaintCategory::Attitude).await.master_complaint_id, phone.complaint_id);

        let master = assign(bed, &master).await;
        let master = investigate(bed, &master).await;
        let master = propose(bed, proposal(&master, Finding::NotUpheld, "")).await;
        let master = reply(bed, &master).await;
        let status = manager(bed).close_complaint(closing(&master)).await.unwrap_err();
        assert_eq!(
            (reason(&status), meta(&status, "complaint_id")),
            ("DUPLICATES_UNANSWERED".to_owned(), linked.complaint_id.clone())
        );
        let answered = reply(bed, &linked).await;
        assert_eq!((answered.state(), answered.reply.is_some()), (complaint::State::Linked, true));
        let twice = answer(bed, &answered);
        assert_eq!(refusal(agent(bed).reply_to_complaint(twice).await).1, "COMPLAINT_STATE");
        assert_eq!(close(bed, &master).await.state(), complaint::State::Callback);
        let whole = get(bed, &master.complaint_id).await;
        assert_eq!(whole.duplicates.iter().map(|d| &d.complaint_id).collect::<Vec<_>>(), [&linked.complaint_id]);
        // The clocks of the duplicate are those of its reporter.
        let states: Vec<_> = of(bed, &linked.complaint_id).await.iter().map(Deadline::state).collect();
        assert_eq!(states, [deadline::State::Met; 2]);

        // A crew comes once: only the first has the clock of its arrival.
        let leak = open(bed, of_account()).await;
        let leak = classify(bed, &leak, ComplaintCategory::Safety).await;
        let same = open(bed, of_account()).await;
        let same = classify(bed, &same, ComplaintCategory::Safety).await;
        assert_eq!(same.master_complaint_id, leak.complaint_id);
        let arrivals = async |complaint: &Complaint| {
            let clocks = of(bed, &complaint.complaint_id).await;
            clocks.iter().filter(|d| d.clock() == Clock::OnSite).count()
        };
        assert_eq!((arrivals(&leak).await, arrivals(&same).await), (1, 0));
    })
    .await;
}

fn recategorised(complaint: &Complaint, utility: Utility, category: ComplaintCategory) -> RecategoriseComplaintRequest {
    RecategoriseComplaintRequest {
        request_id: key(),
        complaint_id: complaint.complaint_id.clone(),
        etag: complaint.etag.clone(),
        category: category.into(),
        utility: utility.into(),
        reason: "核实后改类".to_owned(),
    }
}

async fn recategorise(bed: &Bed, complaint: &Complaint, utility: Utility, category: ComplaintCategory) -> Complaint {
    let request = recategorised(complaint, utility, category);
    agent(bed).recategorise_complaint(request).await.unwrap().into_inner().complaint.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c_06_a_complaint_that_turns_out_to_be_a_duplicate_is_linked_with_what_is_linked_to_it() {
    use ComplaintCategory::{Attitude, Billing, Delay, Safety};
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let (account_id, premises_id) = (key(), key());
        let filed = async |category| {
            let request = OpenComplaintRequest {
                account_id: account_id.clone(),
                premises_id: premises_id.clone(),
                ..new(Utility::Gas)
            };
            classify(bed, &open(bed, request).await, category).await
        };
        let master = filed(Attitude).await;
        let other = filed(Billing).await;
        let son = filed(Billing).await;
        assert_eq!(son.master_complaint_id, other.complaint_id);
        // The same category again is no duplicate of itself.
        let other = recategorise(bed, &other, Utility::Gas, Billing).await;
        assert_eq!(other.state(), complaint::State::Classified);
        let other = investigate(bed, &assign(bed, &other).await).await;
        let leak = filed(Safety).await;
        let other = recategorise(bed, &other, Utility::Gas, Attitude).await;
        let leak = recategorise(bed, &leak, Utility::Gas, Attitude).await;
        for linked in [&other.complaint_id, &son.complaint_id, &leak.complaint_id] {
            let linked = complaint_now(bed, linked).await;
            assert_eq!(
                (linked.state(), linked.master_complaint_id.as_str()),
                (complaint::State::Linked, master.complaint_id.as_str())
            );
        }
        // Its reporter is owed a word and a reply still; the crew is not sent for it any more.
        let clocks_of = of(bed, &leak.complaint_id).await;
        let standing: Vec<_> = clocks_of.iter().map(|clock| (clock.clock(), clock.state())).collect();
        use deadline::State::{Ended, Running};
        assert_eq!(
            standing,
            [(Clock::FirstResponse, Running), (Clock::OnSite, Ended), (Clock::Resolution, Running)]
        );
        // A linked one is where it belongs, and is not given a category again.
        let again = recategorised(&other, Utility::Gas, Billing);
        assert_eq!(refusal(agent(bed).recategorise_complaint(again).await).1, "COMPLAINT_STATE");

        // Each reporter gets a reply before the matter closes.
        let master = investigate(bed, &assign(bed, &master).await).await;
        let master = reply(bed, &propose(bed, proposal(&master, Finding::NotUpheld, "")).await).await;
        for unanswered in [&other.complaint_id, &son.complaint_id, &leak.complaint_id] {
            let status = manager(bed).close_complaint(closing(&master)).await.unwrap_err();
            assert_eq!(meta(&status, "complaint_id"), **unanswered);
            reply(bed, &complaint_now(bed, unanswered).await).await;
        }
        assert_eq!(close(bed, &master).await.state(), complaint::State::Callback);

        // One that was answered before has its own call, and stays by itself.
        let late = assign(bed, &filed(Delay).await).await;
        let late = work_off(bed, &late, "").await;
        let reopen = ReopenComplaintRequest {
            request_id: key(),
            complaint_id: late.complaint_id.clone(),
            etag: late.etag.clone(),
            reason: "投诉人再次来电".to_owned(),
        };
        let late = agent(bed).reopen_complaint(reopen).await.unwrap().into_inner().complaint.unwrap();
        let request = recategorised(&late, Utility::Gas, Attitude);
        assert_eq!(
            refusal(agent(bed).recategorise_complaint(request).await),
            (Code::AlreadyExists, "COMPLAINT_MASTER_UNIQUE".to_owned())
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c_06_a_leak_of_gas_and_one_of_heat_are_two_matters() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let gas = classify(bed, &open(bed, new(Utility::Gas)).await, ComplaintCategory::Safety).await;
        let heat = classify(bed, &open(bed, new(Utility::Heat)).await, ComplaintCategory::Safety).await;
        assert_eq!((gas.state(), heat.state()), (complaint::State::Classified, complaint::State::Classified));
        // Each has its crew: 30 minutes for gas, an hour for heat.
        let arrival = async |complaint: &Complaint| due(bed, &complaint.complaint_id).await[1].clone();
        assert_eq!(arrival(&gas).await, (Clock::OnSite, "2025-03-03 09:30:00".to_owned()));
        assert_eq!(arrival(&heat).await, (Clock::OnSite, "2025-03-03 10:00:00".to_owned()));
        // It was gas after all.
        let heat = recategorise(bed, &heat, Utility::Gas, ComplaintCategory::Safety).await;
        assert_eq!(heat.master_complaint_id, gas.complaint_id);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c_06_of_duplicates_that_are_classified_at_once_one_is_the_master() {
    each(hall::SERVICE, async |bed| {
        let mut waiting = vec![];
        for _ in 0..4 {
            waiting.push(open(bed, new(Utility::Gas)).await);
        }
        let all = waiting.iter().map(|complaint| classify(bed, complaint, ComplaintCategory::Delay));
        let classified = futures::future::join_all(all).await;
        let masters: Vec<_> = classified.iter().filter(|c| c.state() == complaint::State::Classified).collect();
        assert_eq!(masters.len(), 1);
        for linked in classified.iter().filter(|c| c.state() == complaint::State::Linked) {
            assert_eq!(linked.master_complaint_id, masters[0].complaint_id);
        }
        assert_eq!(get(bed, &masters[0].complaint_id).await.duplicates.len(), 3);
        // At another branch it is another matter.
        let elsewhere = OpenComplaintRequest {
            branch: OTHER.to_owned(),
            ..new(Utility::Gas)
        };
        let elsewhere = open(bed, elsewhere).await;
        assert_eq!(classify(bed, &elsewhere, ComplaintCategory::Delay).await.state(), complaint::State::Classified);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c_07_an_anonymous_reporter_is_not_called_and_the_reply_is_filed() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let unknown = || OpenComplaintRequest {
            anonymous: true,
            reporter_name: String::new(),
            reporter_phone: String::new(),
            reporter_address: String::new(),
            ..new(Utility::Gas)
        };
        let named = OpenComplaintRequest {
            reporter_name: "张三丰".to_owned(),
            ..unknown()
        };
        assert_eq!(
            refusal(agent(bed).open_complaint(named).await),
            (Code::InvalidArgument, "ANONYMOUS_KNOWN".to_owned())
        );
        // Two anonymous complaints are not each other's duplicates.
        let first = open(bed, unknown()).await;
        let first = classify(bed, &first, ComplaintCategory::Attitude).await;
        let second = open(bed, unknown()).await;
        let second = classify(bed, &second, ComplaintCategory::Attitude).await;
        assert_eq!(second.state(), complaint::State::Classified);

        let complaint = assign(bed, &first).await;
        let complaint = investigate(bed, &complaint).await;
        let complaint = propose(bed, proposal(&complaint, Finding::Upheld, "")).await;
        let mut called = answer(bed, &complaint);
        called.reply_channel = Channel::Hotline.into();
        assert_eq!(
            refusal(agent(bed).reply_to_complaint(called).await),
            (Code::InvalidArgument, "REPLY_CHANNEL".to_owned())
        );
        let complaint = reply(bed, &complaint).await;
        let closed = close(bed, &complaint).await;
        assert_eq!(closed.state(), complaint::State::Closed);
        let draw = crate::callback::draws(bed, &closed.complaint_id).await;
        assert_eq!(draw[0].verdict(), callback_draw::Verdict::Anonymous);
        assert!(crate::callback::tasks(bed, &closed.complaint_id).await.is_empty());
        let reveal = RevealComplaintRequest {
            request_id: key(),
            complaint_id: closed.complaint_id.clone(),
            purpose: "归档检查".to_owned(),
        };
        let filed = agent(bed).reveal_complaint(reveal).await.unwrap().into_inner().complaint.unwrap();
        let filed = filed.reply.unwrap();
        assert_eq!((filed.reply_channel(), filed.text.as_str()), (Channel::Unspecified, "已批评教育并道歉"));
        assert_eq!(events::<ComplaintClosed>(bed, &closed.complaint_id).await.len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c_e_a_complaint_recategorised_after_a_breach_keeps_it() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let complaint = open(bed, new(Utility::Heat)).await;
        let complaint = classify(bed, &complaint, ComplaintCategory::Billing).await;
        // Three days have passed without a reply.
        bed.clock().set(at("2025-03-06T09:00:01+08:00")).unwrap();
        let request = RecategoriseComplaintRequest {
            request_id: key(),
            complaint_id: complaint.complaint_id.clone(),
            etag: complaint.etag.clone(),
            category: ComplaintCategory::Metering.into(),
            utility: Utility::Gas.into(),
            reason: "是燃气表".to_owned(),
        };
        let complaint = agent(bed).recategorise_complaint(request).await.unwrap().into_inner().complaint.unwrap();
        assert_eq!(complaint.utility(), Utility::Gas);
        let reply = of(bed, &complaint.complaint_id).await.remove(1);
        assert_eq!(
            (reply.subject.as_str(), reply.due_time, reply.breached),
            ("COMPLAINT_GAS", Some(time("2025-03-10T23:59:59.999999+08:00")), true)
        );
        let explain = ExplainDeadlineRequest {
            deadline_id: reply.deadline_id,
        };
        let breaches = clocks(bed).explain_deadline(explain).await.unwrap().into_inner().breaches;
        assert_eq!(breaches[0].due_time, Some(time("2025-03-06T09:00:00+08:00")));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c_e_a_clock_crosses_the_holidays() {
    each(hall::SERVICE, async |bed| {
        // Thursday before the Spring Festival of 2025: 26 January is worked, 28 January to 4 February are not.
        bed.clock().set(at("2025-01-23T16:40:00+08:00")).unwrap();
        let gas = open(bed, new(Utility::Gas)).await;
        assert_eq!(
            due(bed, &gas.complaint_id).await[1],
            (Clock::Resolution, "2025-02-06 23:59:59.999999".to_owned())
        );
        // Three days of heat are days on the clock, holidays or not.
        let heat = open(bed, new(Utility::Heat)).await;
        assert_eq!(due(bed, &heat.complaint_id).await[1], (Clock::Resolution, "2025-01-26 16:40:00".to_owned()));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_complaint_upheld_against_a_vendor_is_told_once_and_closed_by_another_person() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let create = CreateOrderRequest {
            request_id: key(),
            r#type: OrderType::Repair.into(),
            branch: BRANCH.to_owned(),
            task: "更换软管".to_owned(),
            ..CreateOrderRequest::default()
        };
        let order = dispatcher(bed).create_order(create).await.unwrap().into_inner().order.unwrap();
        let vendor_id = key();
        let offer = OfferOrderRequest {
            request_id: key(),
            order_id: order.order_id.clone(),
            etag: order.etag,
            vendor_id: vendor_id.clone(),
            respond_by_time: Some(time("2025-03-03T12:00:00+08:00")),
            planned_date: Some(crate::date("2025-03-03")),
        };
        dispatcher(bed).offer_order(offer).await.unwrap();

        let complaint = open(bed, new(Utility::Gas)).await;
        let complaint = classify(bed, &complaint, ComplaintCategory::Repair).await;
        let complaint = assign(bed, &complaint).await;
        let complaint = investigate(bed, &complaint).await;
        let unknown = ProposeReplyRequest {
            order_id: key(),
            ..proposal(&complaint, Finding::Upheld, "")
        };
        assert_eq!(agent(bed).propose_reply(unknown).await.unwrap_err().code(), Code::NotFound);
        let wrong = ProposeReplyRequest {
            order_id: order.order_id.clone(),
            ..proposal(&complaint, Finding::Upheld, &key())
        };
        assert_eq!(
            refusal(agent(bed).propose_reply(wrong).await),
            (Code::InvalidArgument, "VENDOR_NOT_OF_ORDER".to_owned())
        );
        let right = ProposeReplyRequest {
            order_id: order.order_id.clone(),
            ..proposal(&complaint, Finding::Upheld, "")
        };
        // The manager proposes it here, and may therefore not close it.
        let complaint = manager(bed).propose_reply(right).await.unwrap().into_inner().complaint.unwrap();
        assert_eq!(complaint.proposal.as_ref().unwrap().vendor_id, vendor_id);
        let complaint = reply(bed, &complaint).await;
        let told = events::<ComplaintUpheld>(bed, &complaint.complaint_id).await;
        assert_eq!(
            told.iter().map(|e| (e.vendor_id.as_str(), e.order_id.as_str())).collect::<Vec<_>>(),
            [(vendor_id.as_str(), order.order_id.as_str())]
        );
        assert_eq!(
            refusal(manager(bed).close_complaint(closing(&complaint)).await),
            (Code::PermissionDenied, "SECOND_PERSON_NEEDED".to_owned())
        );
        let mut deputy = ComplaintServiceClient::new(bed.staff_named("deputy", &[Role::ServiceManager]));
        let closing = deputy.close_complaint(closing(&complaint)).await.unwrap().into_inner().complaint.unwrap();
        assert_eq!(closing.state(), complaint::State::Callback);
        // The reporter calls first: opened again, upheld again, told once.
        let request = ReopenComplaintRequest {
            request_id: key(),
            complaint_id: closing.complaint_id.clone(),
            etag: closing.etag,
            reason: "仍未修好".to_owned(),
        };
        let reopened = agent(bed).reopen_complaint(request).await.unwrap().into_inner().complaint.unwrap();
        assert_eq!((reopened.state(), reopened.reopened), (complaint::State::Reopened, 1));
        work_off(bed, &reopened, &vendor_id).await;
        assert_eq!(events::<ComplaintUpheld>(bed, &complaint.complaint_id).await.len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f_07_what_was_upheld_against_a_vendor_is_taken_back_when_it_is_found_otherwise() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let (vendor, other) = (key(), key());
        let complaint = to_closing(bed, new(Utility::Gas), &vendor).await;
        let told = events::<ComplaintUpheld>(bed, &complaint.complaint_id).await;
        assert_eq!(
            (told[0].category(), told[0].finding(), told[0].upheld_date),
            (ComplaintCategory::Attitude, Finding::Upheld, Some(crate::date("2025-03-03")))
        );
        let reversed = async || {
            let told = events::<ComplaintFindingReversed>(bed, &complaint.complaint_id).await;
            told.into_iter().map(|event| event.vendor_id).collect::<Vec<_>>()
        };
        let upheld = async || {
            let told = events::<ComplaintUpheld>(bed, &complaint.complaint_id).await;
            told.into_iter().map(|event| event.vendor_id).collect::<Vec<_>>()
        };
        let found_anew = async |closed: &Complaint, finding: Finding, vendor: &str| {
            let request = ReopenComplaintRequest {
                request_id: key(),
                complaint_id: closed.complaint_id.clone(),
                etag: closed.etag.clone(),
                reason: "复核".to_owned(),
            };
            let reopened = agent(bed).reopen_complaint(request).await.unwrap().into_inner().complaint.unwrap();
            let reopened = investigate(bed, &reopened).await;
            let proposed = propose(bed, proposal(&reopened, finding, vendor)).await;
            let replied = reply(bed, &proposed).await;
            close(bed, &replied).await
        };
        // In part, against the same one.
        let closed = found_anew(&complaint, Finding::PartlyUpheld, &vendor).await;
        let vendors = |of: &[&String]| of.iter().map(|vendor| (*vendor).clone()).collect::<Vec<_>>();
        assert_eq!((reversed().await, upheld().await), (vendors(&[&vendor]), vendors(&[&vendor, &vendor])));
        assert_eq!(
            events::<ComplaintUpheld>(bed, &complaint.complaint_id).await[1].finding(),
            Finding::PartlyUpheld
        );
        // It was another vendor's work.
        let closed = found_anew(&closed, Finding::Upheld, &other).await;
        assert_eq!(
            (reversed().await, upheld().await),
            (vendors(&[&vendor, &vendor]), vendors(&[&vendor, &vendor, &other]))
        );
        // It was not so.
        let closed = found_anew(&closed, Finding::NotUpheld, &other).await;
        assert_eq!(reversed().await, vendors(&[&vendor, &vendor, &other]));
        // It was so after all.
        found_anew(&closed, Finding::Upheld, &vendor).await;
        assert_eq!((reversed().await.len(), upheld().await), (3, vendors(&[&vendor, &vendor, &other, &vendor])));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_complaint_is_escalated_to_the_manager_who_gives_it_to_somebody_anew() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let complaint = open(bed, new(Utility::Gas)).await;
        let escalate = |complaint: &Complaint| EscalateComplaintRequest {
            request_id: key(),
            complaint_id: complaint.complaint_id.clone(),
            etag: complaint.etag.clone(),
            reason: "媒体关注".to_owned(),
        };
        let escalated = agent(bed)
            .escalate_complaint(escalate(&complaint))
            .await
            .unwrap()
            .into_inner()
            .complaint
            .unwrap();
        assert_eq!(escalated.state(), complaint::State::Escalated);
        assert_eq!(events::<ComplaintEscalated>(bed, &complaint.complaint_id).await.len(), 1);
        let status = agent(bed).escalate_complaint(escalate(&escalated)).await.unwrap_err();
        assert_eq!((reason(&status), meta(&status, "allowed")), ("COMPLAINT_STATE".to_owned(), "ASSIGN".to_owned()));
        let owner = member(bed, "owner", BRANCH).await;
        let request = AssignComplaintRequest {
            request_id: key(),
            complaint_id: escalated.complaint_id.clone(),
            etag: escalated.etag.clone(),
            owner_staff_id: owner.staff_id,
        };
        assert_eq!(
            refusal(agent(bed).assign_complaint(request).await),
            (Code::PermissionDenied, "MANAGER_NEEDED".to_owned())
        );
        assert_eq!(assign(bed, &escalated).await.state(), complaint::State::Assigned);
    })
    .await;
}
