use contracts::hearth::{
    archive::v1::{
        AccountOpened, ContractEnded, ContractVoided, CreditHoldCleared, CreditHoldRaised, EntitlementExpiring, FlatPriceChosen, HouseholdSizeChanged,
        LowIncomeFlagChanged, PartyListedDishonest, PartyListingEnded, entitlement,
    },
    hall::v1::{
        case_service_client::CaseServiceClient, complaint_service_client::ComplaintServiceClient, deadline_service_client::DeadlineServiceClient,
        escalation_service_client::EscalationServiceClient, interaction_service_client::InteractionServiceClient, *,
    },
    options::v1::Role,
};
use rpc::Routes;
use testbed::{Bed, Client, Feed, at, each, eventually, key, reason};
use tonic::Code;

use crate::{
    BRANCH, OTHER, date,
    hands::{dispatcher, member},
    meta, refusal, time,
};

fn agent(bed: &Bed) -> InteractionServiceClient<Client> {
    InteractionServiceClient::new(bed.staff_named("agent", &[Role::Agent]))
}
fn station(bed: &Bed) -> InteractionServiceClient<Client> {
    InteractionServiceClient::new(bed.staff_named("station", &[Role::DistrictManager]))
}
fn desk(bed: &Bed) -> EscalationServiceClient<Client> {
    EscalationServiceClient::new(bed.staff_named("desk", &[Role::Dispatcher]))
}

fn contact(channel: ContactChannel) -> ReceiveInteractionRequest {
    ReceiveInteractionRequest {
        request_id: key(),
        channel: channel.into(),
        branch: BRANCH.to_owned(),
        ..ReceiveInteractionRequest::default()
    }
}

fn detail(entry: &Interaction) -> RecordInteractionRequest {
    RecordInteractionRequest {
        request_id: key(),
        interaction_id: entry.interaction_id.clone(),
        etag: entry.etag.clone(),
        caller_name: "张三丰".to_owned(),
        caller_phone: "13812345678".to_owned(),
        category: Category::HeatQuery.into(),
        detail: "家里只有15度\n老人怕冷".to_owned(),
        badge_no: String::new(),
    }
}

async fn receive(bed: &Bed, channel: ContactChannel) -> Interaction {
    agent(bed)
        .receive_interaction(contact(channel))
        .await
        .unwrap()
        .into_inner()
        .interaction
        .unwrap()
}

pub async fn recorded(bed: &Bed) -> Interaction {
    let entry = receive(bed, ContactChannel::Call).await;
    agent(bed).record_interaction(detail(&entry)).await.unwrap().into_inner().interaction.unwrap()
}

fn ask(entry: &Interaction, station: &str) -> AssignInteractionRequest {
    AssignInteractionRequest {
        request_id: key(),
        interaction_id: entry.interaction_id.clone(),
        etag: entry.etag.clone(),
        station: station.to_owned(),
    }
}

fn opinion(entry: &Interaction) -> GiveOpinionRequest {
    GiveOpinionRequest {
        request_id: key(),
        interaction_id: entry.interaction_id.clone(),
        etag: entry.etag.clone(),
        opinion: "支线阀门未全开，今日处理".to_owned(),
    }
}

fn reply(entry: &Interaction, outcome: InteractionOutcome, when: &str) -> CloseInteractionRequest {
    CloseInteractionRequest {
        request_id: key(),
        interaction_id: entry.interaction_id.clone(),
        etag: entry.etag.clone(),
        outcome: outcome.into(),
        reply_channel: ContactChannel::Call.into(),
        reply_time: Some(time(when)),
        text: "已调整阀门".to_owned(),
        rule_cited: String::new(),
    }
}

/// A visit of a customer that is received and written down.
pub async fn visit(bed: &Bed, badge_no: &str, account: &str) -> Interaction {
    let request = ReceiveInteractionRequest {
        account_id: account.to_owned(),
        ..contact(ContactChannel::Visit)
    };
    let entry = agent(bed).receive_interaction(request).await.unwrap().into_inner().interaction.unwrap();
    let request = RecordInteractionRequest {
        badge_no: badge_no.to_owned(),
        ..detail(&entry)
    };
    agent(bed).record_interaction(request).await.unwrap().into_inner().interaction.unwrap()
}

/// Closes a contact that is written down.
pub async fn close(bed: &Bed, entry: &Interaction) -> Interaction {
    let request = CloseInteractionRequest {
        reply_time: Some(rpc::wire::time(bed.clock().now())),
        ..reply(entry, InteractionOutcome::Answered, "2025-03-03T09:00:00+08:00")
    };
    agent(bed).close_interaction(request).await.unwrap().into_inner().interaction.unwrap()
}

/// The clocks of an entry.
async fn clocks(bed: &Bed, entry: &Interaction) -> Vec<Deadline> {
    let request = ListDeadlinesRequest {
        owner_id: entry.interaction_id.clone(),
        ..ListDeadlinesRequest::default()
    };
    let mut clocks = DeadlineServiceClient::new(bed.staff(&[Role::Dispatcher]));
    clocks.list_deadlines(request).await.unwrap().into_inner().deadlines
}

async fn escalations(bed: &Bed, open_only: bool) -> Vec<Escalation> {
    let request = ListEscalationsRequest {
        open_only,
        ..ListEscalationsRequest::default()
    };
    desk(bed).list_escalations(request).await.unwrap().into_inner().escalations
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_08_a_contact_is_recorded_before_it_is_closed_and_ends_in_a_reply() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let entry = receive(bed, ContactChannel::Call).await;
        assert_eq!(
            (entry.state(), entry.interaction_no.as_str(), entry.handler.as_str()),
            (interaction::State::Received, "IN-河西区-2025-000001", "agent")
        );
        let too_soon = reply(&entry, InteractionOutcome::Answered, "2025-03-03T09:00:00+08:00");
        let status = agent(bed).close_interaction(too_soon).await.unwrap_err();
        assert_eq!(
            (reason(&status), meta(&status, "allowed")),
            ("INTERACTION_STATE".to_owned(), "RECORD".to_owned())
        );

        let request = detail(&entry);
        let entry = agent(bed).record_interaction(request.clone()).await.unwrap().into_inner().interaction.unwrap();
        let again = agent(bed).record_interaction(request).await.unwrap().into_inner().interaction.unwrap();
        assert_eq!((entry.state(), &again), (interaction::State::Recorded, &entry), "a replay");
        assert_eq!(
            refusal(agent(bed).record_interaction(detail(&entry)).await),
            (Code::FailedPrecondition, "INTERACTION_STATE".to_owned())
        );

        // A reply needs its time, its channel and what came of it.
        bed.clock().set(at("2025-03-03T09:30:00+08:00")).unwrap();
        let whole = reply(&entry, InteractionOutcome::Answered, "2025-03-03T09:20:00+08:00");
        let partial = [
            CloseInteractionRequest {
                reply_time: None,
                ..whole.clone()
            },
            CloseInteractionRequest {
                reply_channel: 0,
                ..whole.clone()
            },
            CloseInteractionRequest { outcome: 0, ..whole.clone() },
        ];
        for request in partial {
            let request = CloseInteractionRequest { request_id: key(), ..request };
            assert_eq!(
                refusal(agent(bed).close_interaction(request).await),
                (Code::InvalidArgument, "REQUEST_INVALID".to_owned())
            );
        }
        for (when, expected) in [
            ("2025-03-03T09:30:01+08:00", "DATE_IN_FUTURE"),
            ("2025-03-03T08:59:59+08:00", "REPLY_BEFORE_CONTACT"),
        ] {
            let refused = refusal(agent(bed).close_interaction(reply(&entry, InteractionOutcome::Answered, when)).await);
            assert_eq!(refused, (Code::InvalidArgument, expected.to_owned()));
        }
        let closed = agent(bed).close_interaction(whole).await.unwrap().into_inner().interaction.unwrap();
        assert_eq!(closed.state(), interaction::State::Closed);
        let given = closed.reply.clone().unwrap();
        assert_eq!(
            (given.outcome(), given.reply_time),
            (InteractionOutcome::Answered, Some(time("2025-03-03T09:20:00+08:00")))
        );
        assert_eq!(
            refusal(
                agent(bed)
                    .close_interaction(reply(&entry, InteractionOutcome::Withdrawn, "2025-03-03T09:20:00+08:00"))
                    .await
            ),
            (Code::Aborted, "ETAG_MISMATCH".to_owned())
        );
        // Not even the database closes one without a reply.
        use sea_orm::ConnectionTrait;
        receive(bed, ContactChannel::Online).await;
        let forced = "UPDATE interaction SET state = 'CLOSED', category = 'OTHER', detail = 'x' WHERE state = 'RECEIVED'";
        assert!(bed.db().writer().execute_unprepared(forced).await.is_err());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_08_every_channel_is_recorded_with_the_caller_sealed() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let letter = ReceiveInteractionRequest {
            receive_time: Some(time("2025-03-01T10:00:00+08:00")),
            ..contact(ContactChannel::Letter)
        };
        let letter = agent(bed).receive_interaction(letter).await.unwrap().into_inner().interaction.unwrap();
        assert_eq!(
            letter.receive_time,
            Some(time("2025-03-01T10:00:00+08:00")),
            "when it came in, not when it was opened"
        );
        let tomorrow = ReceiveInteractionRequest {
            receive_time: Some(time("2025-03-03T09:00:01+08:00")),
            ..contact(ContactChannel::Letter)
        };
        assert_eq!(
            refusal(agent(bed).receive_interaction(tomorrow).await),
            (Code::InvalidArgument, "DATE_IN_FUTURE".to_owned())
        );
        for channel in [ContactChannel::Call, ContactChannel::Visit, ContactChannel::Online, ContactChannel::Superior] {
            assert_eq!(receive(bed, channel).await.channel(), channel);
        }
        let no_phone = RecordInteractionRequest {
            caller_phone: "1381234567".to_owned(),
            ..detail(&letter)
        };
        assert_eq!(
            refusal(agent(bed).record_interaction(no_phone).await),
            (Code::InvalidArgument, "PHONE_INVALID".to_owned())
        );
        let entry = agent(bed).record_interaction(detail(&letter)).await.unwrap().into_inner().interaction.unwrap();
        assert_eq!((entry.caller_name.as_str(), entry.caller_phone.as_str()), ("张**", "138****5678"));
        assert!(!entry.detail.contains("15度"));
        let reveal = |purpose: &str| RevealInteractionRequest {
            request_id: key(),
            interaction_id: entry.interaction_id.clone(),
            purpose: purpose.to_owned(),
        };
        let clear = agent(bed)
            .reveal_interaction(reveal("回电说明"))
            .await
            .unwrap()
            .into_inner()
            .interaction
            .unwrap();
        assert_eq!((clear.caller_name.as_str(), clear.caller_phone.as_str()), ("张三丰", "13812345678"));
        assert_eq!(clear.detail, "家里只有15度\n老人怕冷");

        // Neither name nor phone stands in the database in clear text.
        use sea_orm::{ConnectionTrait, Statement};
        let db = bed.db();
        let sql = "SELECT caller_name, caller_phone FROM interaction WHERE caller_name IS NOT NULL";
        let rows = db
            .reader()
            .query_all_raw(Statement::from_string(db.reader().get_database_backend(), sql))
            .await
            .unwrap();
        assert_eq!(rows.len(), 1);
        for (column, clear) in [("caller_name", "张三丰"), ("caller_phone", "13812345678")] {
            let sealed = rows[0].try_get::<Vec<u8>>("", column).unwrap();
            assert!(!String::from_utf8_lossy(&sealed).contains(clear));
        }

        let wanted = ListInteractionsRequest {
            channel: ContactChannel::Letter.into(),
            state: interaction::State::Recorded.into(),
            ..ListInteractionsRequest::default()
        };
        let listed = agent(bed).list_interactions(wanted).await.unwrap().into_inner().interactions;
        assert_eq!(listed, std::slice::from_ref(&entry));
        // Another branch sees nothing of it.
        let mut elsewhere = InteractionServiceClient::new(bed.staff_of(OTHER, &[Role::Agent]));
        let get = GetInteractionRequest {
            interaction_id: entry.interaction_id.clone(),
        };
        assert_eq!(elsewhere.get_interaction(get).await.unwrap_err().code(), Code::NotFound);
        assert_eq!(elsewhere.reveal_interaction(reveal("好奇而已")).await.unwrap_err().code(), Code::NotFound);
        let all = ListInteractionsRequest::default();
        assert!(elsewhere.list_interactions(all).await.unwrap().into_inner().interactions.is_empty());
        assert_eq!(
            refusal(elsewhere.receive_interaction(contact(ContactChannel::Call)).await),
            (Code::PermissionDenied, "TENANT_SCOPE".to_owned())
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_08_what_is_passed_on_goes_on_as_a_case_or_a_complaint() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let entry = recorded(bed).await;
        let pass_on = |entry: &Interaction| reply(entry, InteractionOutcome::PassedOn, "2025-03-03T09:00:00+08:00");
        assert_eq!(
            refusal(agent(bed).close_interaction(pass_on(&entry)).await),
            (Code::FailedPrecondition, "LINK_NEEDED".to_owned())
        );
        let open = |branch: &str| OpenCaseRequest {
            request_id: key(),
            channel: Channel::Hotline.into(),
            category: Category::HeatQuery.into(),
            branch: branch.to_owned(),
            caller_phone: "13812345678".to_owned(),
            detail: "室温不达标".to_owned(),
            ..OpenCaseRequest::default()
        };
        let mut cases = CaseServiceClient::new(bed.staff(&[Role::Agent]));
        let case = cases.open_case(open(BRANCH)).await.unwrap().into_inner().case.unwrap();
        let foreign = cases.open_case(open(OTHER)).await.unwrap().into_inner().case.unwrap();
        let link = |entry: &Interaction, case_id: &str, complaint_id: &str| LinkInteractionRequest {
            request_id: key(),
            interaction_id: entry.interaction_id.clone(),
            etag: entry.etag.clone(),
            case_id: case_id.to_owned(),
            complaint_id: complaint_id.to_owned(),
        };
        for (case_id, complaint_id) in [(foreign.case_id.as_str(), ""), (key().as_str(), ""), ("", key().as_str())] {
            let status = agent(bed).link_interaction(link(&entry, case_id, complaint_id)).await.unwrap_err();
            assert_eq!(status.code(), Code::NotFound);
        }
        let neither = refusal(agent(bed).link_interaction(link(&entry, "", "")).await);
        assert_eq!(neither, (Code::InvalidArgument, "REQUEST_INVALID".to_owned()));
        let linked = agent(bed)
            .link_interaction(link(&entry, &case.case_id, ""))
            .await
            .unwrap()
            .into_inner()
            .interaction
            .unwrap();
        assert_eq!((linked.state(), linked.case_id.as_str()), (interaction::State::Recorded, case.case_id.as_str()));
        assert_eq!(
            refusal(agent(bed).link_interaction(link(&linked, &case.case_id, "")).await),
            (Code::FailedPrecondition, "LINKED_ALREADY".to_owned())
        );
        let of_case = ListInteractionsRequest {
            case_id: case.case_id.clone(),
            ..ListInteractionsRequest::default()
        };
        assert_eq!(
            agent(bed).list_interactions(of_case).await.unwrap().into_inner().interactions,
            std::slice::from_ref(&linked)
        );

        let complaint = OpenComplaintRequest {
            request_id: key(),
            channel: Channel::Hotline.into(),
            utility: Utility::Heat.into(),
            branch: BRANCH.to_owned(),
            reporter_phone: "13812345678".to_owned(),
            detail: "多次报修无人处理".to_owned(),
            ..OpenComplaintRequest::default()
        };
        let mut complaints = ComplaintServiceClient::new(bed.staff(&[Role::Agent]));
        let complaint = complaints.open_complaint(complaint).await.unwrap().into_inner().complaint.unwrap();
        let both = agent(bed)
            .link_interaction(link(&linked, "", &complaint.complaint_id))
            .await
            .unwrap()
            .into_inner()
            .interaction
            .unwrap();
        assert_eq!(both.complaint_id, complaint.complaint_id);
        let closed = agent(bed).close_interaction(pass_on(&both)).await.unwrap().into_inner().interaction.unwrap();
        assert_eq!(closed.state(), interaction::State::Closed);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_09_the_heat_station_has_an_hour_and_a_breach_reaches_the_company_desk() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let (prompt, slow) = (recorded(bed).await, recorded(bed).await);
        let early = station(bed).give_opinion(opinion(&prompt)).await.unwrap_err();
        assert_eq!((reason(&early), meta(&early, "state")), ("INTERACTION_STATE".to_owned(), "RECORDED".to_owned()));
        // The hour runs from the question, not from the call.
        bed.clock().set(at("2025-03-03T09:10:00+08:00")).unwrap();
        let prompt = agent(bed)
            .assign_interaction(ask(&prompt, "友谊路站"))
            .await
            .unwrap()
            .into_inner()
            .interaction
            .unwrap();
        let slow = agent(bed)
            .assign_interaction(ask(&slow, "友谊路站"))
            .await
            .unwrap()
            .into_inner()
            .interaction
            .unwrap();
        let clock = clocks(bed, &slow).await.remove(0);
        assert_eq!(
            (clock.subject.as_str(), clock.clock(), clock.due_time),
            ("HEAT_STATION_OPINION", Clock::FirstResponse, Some(time("2025-03-03T10:10:00+08:00")))
        );
        let waiting = reply(&slow, InteractionOutcome::Answered, "2025-03-03T09:10:00+08:00");
        let status = agent(bed).close_interaction(waiting).await.unwrap_err();
        assert_eq!(
            (reason(&status), meta(&status, "allowed")),
            ("INTERACTION_STATE".to_owned(), "ASSIGN,GIVE_OPINION,LINK".to_owned())
        );
        // Handed on, the hour is the same.
        bed.clock().set(at("2025-03-03T10:00:00+08:00")).unwrap();
        let slow = agent(bed)
            .assign_interaction(ask(&slow, "解放南路站"))
            .await
            .unwrap()
            .into_inner()
            .interaction
            .unwrap();
        assert_eq!((slow.station.as_str(), clocks(bed, &slow).await), ("解放南路站", vec![clock]));
        bed.clock().set(at("2025-03-03T10:10:00+08:00")).unwrap();
        let given = station(bed).give_opinion(opinion(&prompt)).await.unwrap().into_inner().interaction.unwrap();
        assert_eq!(
            (given.state(), given.opinion_time),
            (interaction::State::OpinionGiven, Some(time("2025-03-03T10:10:00+08:00")))
        );
        let met = clocks(bed, &prompt).await.remove(0);
        assert_eq!((met.state(), met.breached), (deadline::State::Met, false), "on the minute");
        assert!(escalations(bed, false).await.is_empty());

        bed.clock().set(at("2025-03-03T10:10:01+08:00")).unwrap();
        let raised = eventually("the escalation", async || escalations(bed, true).await.pop()).await;
        assert_eq!(
            (raised.owner_id.as_str(), raised.subject.as_str(), raised.due_time),
            (slow.interaction_id.as_str(), "HEAT_STATION_OPINION", Some(time("2025-03-03T10:10:00+08:00")))
        );
        // A late opinion does not take the breach away, nor tell of it twice.
        station(bed).give_opinion(opinion(&slow)).await.unwrap();
        let late = clocks(bed, &slow).await.remove(0);
        assert_eq!((late.state(), late.breached, late.met_time.is_some()), (deadline::State::Breached, true, true));
        let mut elsewhere = EscalationServiceClient::new(bed.staff_of(OTHER, &[Role::Dispatcher]));
        let take = |escalation: &Escalation| TakeEscalationRequest {
            request_id: key(),
            escalation_id: escalation.escalation_id.clone(),
            etag: escalation.etag.clone(),
            note: "电话询问站长".to_owned(),
        };
        assert_eq!(elsewhere.take_escalation(take(&raised)).await.unwrap_err().code(), Code::NotFound);
        let taken = desk(bed).take_escalation(take(&raised)).await.unwrap().into_inner().escalation.unwrap();
        assert_eq!((taken.taken_by.as_str(), taken.note.as_str()), ("desk", "电话询问站长"));
        assert_eq!(
            refusal(desk(bed).take_escalation(take(&taken)).await),
            (Code::FailedPrecondition, "ESCALATION_TAKEN".to_owned())
        );
        assert_eq!((escalations(bed, true).await, escalations(bed, false).await), (vec![], vec![taken]));

        // Asked again after an opinion, a new hour begins; closed with a reply in the end.
        let again = agent(bed)
            .assign_interaction(ask(&given, "友谊路站"))
            .await
            .unwrap()
            .into_inner()
            .interaction
            .unwrap();
        assert_eq!((again.opinion_time, clocks(bed, &again).await.len()), (None, 2));
        let given = station(bed).give_opinion(opinion(&again)).await.unwrap().into_inner().interaction.unwrap();
        let closed = reply(&given, InteractionOutcome::Answered, "2025-03-03T10:10:01+08:00");
        agent(bed).close_interaction(closed).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_10_a_request_against_the_rules_is_declined_and_explained() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let entry = recorded(bed).await;
        let decline = |outcome: InteractionOutcome, rule: &str, text: &str| CloseInteractionRequest {
            request_id: key(),
            rule_cited: rule.to_owned(),
            text: text.to_owned(),
            ..reply(&entry, outcome, "2025-03-03T09:00:00+08:00")
        };
        let rule = "城镇燃气管理条例 第28条";
        let cases = [
            (InteractionOutcome::DeclinedExplained, "", "不能自行改管", "RULE_NEEDED"),
            (InteractionOutcome::DeclinedExplained, rule, " ", "EXPLANATION_NEEDED"),
            (InteractionOutcome::Answered, rule, "已处理", "RULE_NEEDED"),
        ];
        for (outcome, rule, text, expected) in cases {
            let refused = refusal(agent(bed).close_interaction(decline(outcome, rule, text)).await);
            assert_eq!(refused, (Code::InvalidArgument, expected.to_owned()));
        }
        let declined = decline(InteractionOutcome::DeclinedExplained, rule, "不能自行改管");
        let closed = agent(bed).close_interaction(declined).await.unwrap().into_inner().interaction.unwrap();
        assert_eq!((closed.state(), closed.reply.unwrap().rule_cited.as_str()), (interaction::State::Closed, rule));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b_05_a_hold_for_limit_or_term_is_shown_wherever_the_customer_turns_up_and_stops_no_supply() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let archive = bed.fake("archive", Routes::default()).await;
        let (party, account) = (key(), key());
        // The accounts of the party come with the hold, too: nothing else has told of them here.
        for cause in ["OVER_LIMIT", "OVER_TERM"] {
            let raised = CreditHoldRaised {
                party_id: party.clone(),
                branch: BRANCH.to_owned(),
                cause: cause.to_owned(),
                raised_date: Some(date("2025-03-03")),
                account_ids: vec![account.clone()],
            };
            archive.tell(&party, &raised);
            let by_account = ReceiveInteractionRequest {
                account_id: account.clone(),
                ..contact(ContactChannel::Call)
            };
            let entry = agent(bed).receive_interaction(by_account).await.unwrap().into_inner().interaction.unwrap();
            let get = GetInteractionRequest {
                interaction_id: entry.interaction_id,
            };
            eventually("the hold", async || {
                let notices = agent(bed).get_interaction(get.clone()).await.unwrap().into_inner().notices;
                let shown = notices.iter().map(|n| (n.kind(), n.cause.as_str())).collect::<Vec<_>>();
                (shown == [(customer_notice::Kind::CreditHold, cause)]).then_some(())
            })
            .await;
        }
        // What the customer needs is done all the same.
        let request = OpenComplaintRequest {
            request_id: key(),
            channel: Channel::Hotline.into(),
            utility: Utility::Gas.into(),
            branch: BRANCH.to_owned(),
            account_id: account.clone(),
            detail: "停气两小时".to_owned(),
            ..OpenComplaintRequest::default()
        };
        let mut complaints = ComplaintServiceClient::new(bed.staff(&[Role::Agent]));
        complaints.open_complaint(request).await.unwrap();
        let request = CreateOrderRequest {
            request_id: key(),
            r#type: OrderType::Repair.into(),
            branch: BRANCH.to_owned(),
            account_id: account.clone(),
            task: "恢复供气".to_owned(),
            ..CreateOrderRequest::default()
        };
        let order = dispatcher(bed).create_order(request).await.unwrap().into_inner().order.unwrap();
        assert_eq!(order.state(), order::State::Pool);
        let cleared = CreditHoldCleared {
            party_id: party.clone(),
            branch: BRANCH.to_owned(),
            cleared_date: Some(date("2025-03-03")),
        };
        archive.tell(&party, &cleared);
        eventually("the end of the hold", async || {
            let by_party = ReceiveInteractionRequest {
                party_id: party.clone(),
                ..contact(ContactChannel::Online)
            };
            let notices = agent(bed).receive_interaction(by_party).await.unwrap().into_inner().notices;
            notices.is_empty().then_some(())
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g_11_holds_and_listings_of_a_customer_are_shown_and_refuse_nothing() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let archive = bed.fake("archive", Routes::default()).await;
        let (party, account) = (key(), key());
        let opened = AccountOpened {
            account_id: account.clone(),
            account_no: "1200000001".to_owned(),
            party_id: party.clone(),
            branch: BRANCH.to_owned(),
        };
        archive.tell(&account, &opened);
        let raised = |cause: &str, day: &str| CreditHoldRaised {
            party_id: party.clone(),
            branch: BRANCH.to_owned(),
            cause: cause.to_owned(),
            raised_date: Some(date(day)),
            account_ids: vec![account.clone()],
        };
        archive.tell(&party, &raised("OVER_LIMIT", "2025-03-01"));
        archive.tell(&party, &raised("OVER_LIMIT_AND_TERM", "2025-03-02"));
        let listed = PartyListedDishonest {
            party_id: party.clone(),
            branch: BRANCH.to_owned(),
            conduct_code: "GAS_THEFT".to_owned(),
            from_date: Some(date("2025-03-04")),
            until_date: Some(date("2027-03-04")),
        };
        archive.tell(&party, &listed);

        let by_account = ReceiveInteractionRequest {
            account_id: account.clone(),
            ..contact(ContactChannel::Call)
        };
        let entry = agent(bed).receive_interaction(by_account).await.unwrap().into_inner().interaction.unwrap();
        let notices = async || {
            let get = GetInteractionRequest {
                interaction_id: entry.interaction_id.clone(),
            };
            let notices = agent(bed).get_interaction(get).await.unwrap().into_inner().notices;
            notices.into_iter().map(|n| (n.kind(), n.cause, n.since_date)).collect::<Vec<_>>()
        };
        let hold = (customer_notice::Kind::CreditHold, "OVER_LIMIT_AND_TERM".to_owned(), Some(date("2025-03-02")));
        let list = (customer_notice::Kind::ListedDishonest, "GAS_THEFT".to_owned(), Some(date("2025-03-04")));
        eventually("the hold with its later cause", async || (notices().await == [hold.clone()]).then_some(())).await;
        bed.clock().set(at("2025-03-04T09:00:00+08:00")).unwrap();
        eventually("the listing from its first day on", async || {
            (notices().await == [hold.clone(), list.clone()]).then_some(())
        })
        .await;

        // Shown in every answer, and nothing is refused for it; in a case of the account as well.
        let recorded = agent(bed).record_interaction(detail(&entry)).await.unwrap().into_inner();
        assert_eq!(recorded.notices.len(), 2);
        let by_party = ReceiveInteractionRequest {
            party_id: party.clone(),
            ..contact(ContactChannel::Online)
        };
        assert_eq!(agent(bed).receive_interaction(by_party).await.unwrap().into_inner().notices, recorded.notices);
        let request = OpenCaseRequest {
            request_id: key(),
            channel: Channel::Hotline.into(),
            category: Category::GasLeak.into(),
            branch: BRANCH.to_owned(),
            account_id: account.clone(),
            detail: "漏气".to_owned(),
            ..OpenCaseRequest::default()
        };
        let mut cases = CaseServiceClient::new(bed.staff(&[Role::Agent]));
        let case = cases.open_case(request).await.unwrap().into_inner().case.unwrap();
        let seen = cases.get_case(GetCaseRequest { case_id: case.case_id }).await.unwrap().into_inner();
        assert_eq!(seen.notices, recorded.notices);
        let stranger = receive(bed, ContactChannel::Call).await;
        let get = GetInteractionRequest {
            interaction_id: stranger.interaction_id,
        };
        assert!(agent(bed).get_interaction(get).await.unwrap().into_inner().notices.is_empty());

        let cleared = CreditHoldCleared {
            party_id: party.clone(),
            branch: BRANCH.to_owned(),
            cleared_date: Some(date("2025-03-04")),
        };
        archive.tell(&party, &cleared);
        eventually("the end of the hold", async || (notices().await == [list.clone()]).then_some(())).await;
        archive.tell(&party, &raised("OVER_TERM", "2025-03-04"));
        eventually("the next hold", async || (notices().await.len() == 2).then_some(())).await;
        let ended = PartyListingEnded {
            party_id: party.clone(),
            branch: BRANCH.to_owned(),
            reason: "REMOVED".to_owned(),
        };
        archive.tell(&party, &ended);
        let next = (customer_notice::Kind::CreditHold, "OVER_TERM".to_owned(), Some(date("2025-03-04")));
        eventually("the end of the listing", async || (notices().await == [next.clone()]).then_some(())).await;
        // Listed twice, the customer is listed from the earlier day to the later one.
        let between = |from: &str, until: &str, conduct: &str| PartyListedDishonest {
            conduct_code: conduct.to_owned(),
            from_date: Some(date(from)),
            until_date: Some(date(until)),
            ..listed.clone()
        };
        archive.tell(&party, &between("2025-03-04", "2026-06-04", "GAS_THEFT"));
        archive.tell(&party, &between("2025-09-04", "2026-03-04", "FALSE_DATA"));
        let both = (customer_notice::Kind::ListedDishonest, "FALSE_DATA".to_owned(), Some(date("2025-03-04")));
        let listed_twice = async || (notices().await == [next.clone(), both.clone()]).then_some(());
        eventually("the second listing", listed_twice).await;
        bed.clock().set(at("2026-06-03T09:00:00+08:00")).unwrap();
        assert_eq!(notices().await, [next.clone(), both.clone()]);
        bed.clock().set(at("2026-06-04T09:00:00+08:00")).unwrap();
        assert_eq!(notices().await, [next]);
    })
    .await;
}

/// What archive tells of entitlements of a party, and the banner of that party.
struct Entitled<'a> {
    bed: &'a Bed,
    archive: Feed,
    party: String,
    entry: Interaction,
}

impl<'a> Entitled<'a> {
    async fn new(bed: &'a Bed) -> Self {
        let (archive, party) = (bed.fake("archive", Routes::default()).await, key());
        let by_party = ReceiveInteractionRequest {
            party_id: party.clone(),
            ..contact(ContactChannel::Call)
        };
        let entry = agent(bed).receive_interaction(by_party).await.unwrap().into_inner().interaction.unwrap();
        Self { bed, archive, party, entry }
    }

    fn expires(&self, agreement: &str, kind: entitlement::Kind, until: &str, days_before: i32) {
        let event = EntitlementExpiring {
            entitlement_id: key(),
            agreement_id: agreement.to_owned(),
            party_id: self.party.clone(),
            kind: kind.into(),
            until_date: Some(date(until)),
            days_before,
        };
        self.archive.tell(agreement, &event);
    }

    /// So many persons from a day on; as archive does it, with the end behind it.
    fn size(&self, agreement: &str, persons: i32, from: &str, until: Option<&str>) {
        let changed = |persons, from: &str, until: Option<&str>| HouseholdSizeChanged {
            agreement_id: agreement.to_owned(),
            persons,
            from_date: Some(date(from)),
            until_date: until.map(date),
        };
        self.archive.tell(agreement, &changed(persons, from, until));
        if let Some(until) = until {
            self.archive.tell(agreement, &changed(0, until, None));
        }
    }

    async fn notices(&self) -> Vec<CustomerNotice> {
        let get = GetInteractionRequest {
            interaction_id: self.entry.interaction_id.clone(),
        };
        agent(self.bed).get_interaction(get).await.unwrap().into_inner().notices
    }

    async fn shown(&self, what: &str, expected: &[CustomerNotice]) {
        eventually(what, async || (self.notices().await == expected).then_some(())).await;
    }

    /// Everything that was told so far has been taken when what is told behind it is shown.
    async fn unchanged(&self, what: &str, expected: &[CustomerNotice]) {
        let probe = PartyListedDishonest {
            party_id: self.party.clone(),
            branch: BRANCH.to_owned(),
            conduct_code: "PROBE".to_owned(),
            from_date: Some(date("2025-01-01")),
            until_date: Some(date("2099-01-01")),
        };
        self.archive.tell(&self.party, &probe);
        let all = eventually(what, async || {
            let all = self.notices().await;
            all.iter().any(|notice| notice.cause == "PROBE").then_some(all)
        })
        .await;
        let others: Vec<_> = all.into_iter().filter(|notice| notice.cause != "PROBE").collect();
        assert_eq!(others, expected, "{what}");
        let ended = PartyListingEnded {
            party_id: self.party.clone(),
            branch: BRANCH.to_owned(),
            reason: "REMOVED".to_owned(),
        };
        self.archive.tell(&self.party, &ended);
        self.shown(what, expected).await;
    }
}

fn ends(kind: customer_notice::Kind, agreement: &str, since: &str, until: &str) -> CustomerNotice {
    CustomerNotice {
        kind: kind.into(),
        cause: "EXPIRES".to_owned(),
        since_date: Some(date(since)),
        until_date: Some(date(until)),
        agreement_id: agreement.to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn edge_14_an_entitlement_that_ends_is_shown_until_it_has_ended() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-05-01T09:00:00+08:00")).unwrap();
        let world = Entitled::new(bed).await;
        use customer_notice::Kind::{FlatPriceEnds, HouseholdSizeEnds, LowIncomeEnds};
        let (one, other) = (key(), key());
        // What was told at the grant, long before, and of the end with it.
        world.size(&one, 6, "2025-01-01", Some("2025-07-01"));
        world.expires(&one, entitlement::Kind::HouseholdSize, "2025-07-01", 60);
        let size = ends(HouseholdSizeEnds, &one, "2025-05-01", "2025-07-01");
        world.shown("the first notice", std::slice::from_ref(&size)).await;
        bed.clock().set(at("2025-05-02T09:00:00+08:00")).unwrap();
        world.expires(&one, entitlement::Kind::LowIncome, "2025-07-02", 60);
        world.expires(&one, entitlement::Kind::FlatPrice, "2025-06-20", 30);
        world.expires(&other, entitlement::Kind::HouseholdSize, "2025-06-30", 60);
        // A kind of a later release is passed over.
        world.expires(&one, entitlement::Kind::Unspecified, "2025-06-20", 60);
        let flat = ends(FlatPriceEnds, &one, "2025-05-02", "2025-06-20");
        let second = ends(HouseholdSizeEnds, &other, "2025-05-02", "2025-06-30");
        let low = ends(LowIncomeEnds, &one, "2025-05-02", "2025-07-02");
        world
            .shown("one for each kind and agreement", &[flat, second.clone(), size.clone(), low.clone()])
            .await;
        // The second mark takes the place of the first; the party's other notices stand beside it.
        bed.clock().set(at("2025-05-31T09:00:00+08:00")).unwrap();
        world.expires(&one, entitlement::Kind::HouseholdSize, "2025-07-01", 30);
        let size = CustomerNotice {
            since_date: Some(date("2025-05-31")),
            ..size
        };
        let flat = ends(FlatPriceEnds, &one, "2025-05-02", "2025-06-20");
        world.shown("the second mark", &[flat.clone(), second.clone(), size.clone(), low.clone()]).await;
        let hold = CreditHoldRaised {
            party_id: world.party.clone(),
            branch: BRANCH.to_owned(),
            cause: "OVER_TERM".to_owned(),
            raised_date: Some(date("2025-05-31")),
            account_ids: vec![],
        };
        world.archive.tell(&world.party, &hold);
        eventually("the hold", async || (world.notices().await.len() == 5).then_some(())).await;
        let cleared = CreditHoldCleared {
            party_id: world.party.clone(),
            branch: BRANCH.to_owned(),
            cleared_date: Some(date("2025-05-31")),
        };
        world.archive.tell(&world.party, &cleared);
        world
            .shown("the end of the hold", &[flat.clone(), second.clone(), size.clone(), low.clone()])
            .await;
        // Each goes by itself on the first day without what it is about.
        for (today, left) in [
            ("2025-06-19", vec![flat, second.clone(), size.clone(), low.clone()]),
            ("2025-06-20", vec![second.clone(), size.clone(), low.clone()]),
            ("2025-06-30", vec![size, low.clone()]),
            ("2025-07-01", vec![low]),
            ("2025-07-02", vec![]),
        ] {
            bed.clock().set(at(&format!("{today}T09:00:00+08:00"))).unwrap();
            assert_eq!(world.notices().await, left, "{today}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn edge_14_what_is_renewed_or_withdrawn_is_shown_no_more() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-05-01T09:00:00+08:00")).unwrap();
        let world = Entitled::new(bed).await;
        use customer_notice::Kind::{FlatPriceEnds, HouseholdSizeEnds, LowIncomeEnds};
        let (one, other) = (key(), key());
        let size = |until: &str| vec![ends(HouseholdSizeEnds, &one, "2025-05-01", until)];
        let expires = |until: &str| world.expires(&one, entitlement::Kind::HouseholdSize, until, 60);
        expires("2025-07-01");
        // Another agreement, another kind, days after the end: nothing of that renews it. Nor does a grant of days before, at which all that follows is
        // told again as it was.
        world.size(&other, 5, "2025-07-01", None);
        world.size(&one, 5, "2025-07-02", Some("2025-09-01"));
        let low = |low_income: bool, from: &str| LowIncomeFlagChanged {
            agreement_id: one.clone(),
            low_income,
            from_date: Some(date(from)),
            until_date: None,
            destitute: false,
        };
        world.archive.tell(&one, &low(true, "2025-05-01"));
        world.size(&one, 3, "2024-01-01", Some("2024-07-01"));
        world.size(&one, 6, "2025-01-01", Some("2025-07-01"));
        world.size(&one, 5, "2025-07-02", Some("2025-09-01"));
        world.unchanged("what ends as before", &size("2025-07-01")).await;
        // Renewed on the day on which it ends.
        world.size(&one, 6, "2025-07-01", Some("2026-07-01"));
        world.shown("a renewal", &[]).await;
        // Told again with its renewal behind it.
        world.size(&one, 3, "2023-01-01", Some("2023-07-01"));
        world.size(&one, 6, "2025-01-01", Some("2025-07-01"));
        world.size(&one, 6, "2025-07-01", Some("2026-07-01"));
        world.unchanged("a renewal that is told again", &[]).await;
        // The renewal is taken back, and archive tells the end anew.
        world.size(&one, 0, "2025-07-01", None);
        expires("2025-07-01");
        world.shown("an end again", &size("2025-07-01")).await;
        // Another size takes its place before the end, and ends on the same day, or does not.
        world.size(&one, 7, "2025-06-01", Some("2025-07-01"));
        world.unchanged("another size with the same end", &size("2025-07-01")).await;
        world.size(&one, 8, "2025-06-15", None);
        world.shown("another size without an end", &[]).await;
        // Withdrawn to an earlier day: the old end goes, the new one is told.
        expires("2025-07-01");
        world.shown("the end of before", &size("2025-07-01")).await;
        world.size(&one, 0, "2025-06-10", None);
        world.shown("a withdrawal", &[]).await;
        expires("2025-06-10");
        world.shown("the earlier end", &size("2025-06-10")).await;
        world.size(&one, 0, "2025-01-01", None);
        world.shown("what never held", &[]).await;
        // The other kinds go by their own events.
        world.expires(&one, entitlement::Kind::LowIncome, "2025-07-01", 60);
        world.expires(&one, entitlement::Kind::FlatPrice, "2025-07-01", 60);
        let flat = ends(FlatPriceEnds, &one, "2025-05-01", "2025-07-01");
        let both = [flat.clone(), ends(LowIncomeEnds, &one, "2025-05-01", "2025-07-01")];
        world.shown("two kinds", &both).await;
        world.archive.tell(&one, &low(false, "2025-06-01"));
        world.shown("the low income that is withdrawn", std::slice::from_ref(&flat)).await;
        let chosen = FlatPriceChosen {
            agreement_id: one.clone(),
            chosen: true,
            from_date: Some(date("2025-07-01")),
            until_date: None,
        };
        world.archive.tell(&one, &chosen);
        world.shown("the flat price that is chosen again", &[]).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn edge_14_nothing_is_shown_of_an_agreement_that_is_over() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-05-01T09:00:00+08:00")).unwrap();
        let world = Entitled::new(bed).await;
        let (ended, voided) = (key(), key());
        let notice = |agreement: &str, until: &str| ends(customer_notice::Kind::HouseholdSizeEnds, agreement, "2025-05-01", until);
        world.expires(&ended, entitlement::Kind::HouseholdSize, "2025-06-30", 60);
        world.expires(&voided, entitlement::Kind::HouseholdSize, "2025-07-01", 60);
        world.shown("both", &[notice(&ended, "2025-06-30"), notice(&voided, "2025-07-01")]).await;
        let end = ContractEnded {
            agreement_id: ended.clone(),
            end_date: Some(date("2025-05-02")),
        };
        world.archive.tell(&ended, &end);
        // Told again behind the end, by a correction of earlier days.
        world.size(&ended, 6, "2025-01-01", Some("2025-06-30"));
        world.unchanged("the one that goes on", &[notice(&voided, "2025-07-01")]).await;
        world.archive.tell(&voided, &ContractVoided { agreement_id: voided.clone() });
        world.shown("none", &[]).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s_02_a_visit_needs_the_badge_of_the_member() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let zhao = member(bed, "agent", BRANCH).await;
        let other = member(bed, "qian", BRANCH).await;
        let visit = receive(bed, ContactChannel::Visit).await;
        let with = |badge: &str| RecordInteractionRequest {
            badge_no: badge.to_owned(),
            ..detail(&visit)
        };
        assert_eq!(
            refusal(agent(bed).record_interaction(with("")).await),
            (Code::InvalidArgument, "BADGE_NEEDED".to_owned())
        );
        assert_eq!(
            refusal(agent(bed).record_interaction(with(&other.badge_no)).await),
            (Code::PermissionDenied, "BADGE_MISMATCH".to_owned())
        );
        let entry = agent(bed)
            .record_interaction(with(&zhao.badge_no))
            .await
            .unwrap()
            .into_inner()
            .interaction
            .unwrap();
        assert_eq!(entry.badge_no, zhao.badge_no);
    })
    .await;
}
