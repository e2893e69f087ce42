use contracts::hearth::{
    billing::v1::{FeeItemPublished, FeeItemWithdrawn},
    hall::v1::{case_service_client::CaseServiceClient, matter_service_client::MatterServiceClient, *},
    options::v1::Role,
};
use rpc::Routes;
use testbed::{Bed, Client, Feed, at, each, eventually, key, reason};
use tonic::Code;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

use crate::{BRANCH, OTHER, date, decimal, meta, refusal};

const WRITTEN: [MatterKind; 4] = [MatterKind::Commitment, MatterKind::Item, MatterKind::Scope, MatterKind::Procedure];

fn writer(bed: &Bed) -> MatterServiceClient<Client> {
    MatterServiceClient::new(bed.staff_named("writer", &[Role::PolicyAdmin, Role::ServiceManager]))
}
fn manager(bed: &Bed) -> MatterServiceClient<Client> {
    MatterServiceClient::new(bed.staff_named("manager", &[Role::ServiceManager]))
}

fn version(kind: MatterKind, code: &str, from: &str) -> DraftMatterRequest {
    DraftMatterRequest {
        request_id: key(),
        kind: kind.into(),
        code: code.to_owned(),
        title: "服务承诺".to_owned(),
        text: "接到漏气报修后30分钟到场\n全年无休".to_owned(),
        effective_date: Some(date(from)),
        channels: vec![PublicationChannel::Hall.into(), PublicationChannel::Website.into()],
        ..DraftMatterRequest::default()
    }
}

async fn draft(bed: &Bed, request: DraftMatterRequest) -> Matter {
    writer(bed).draft_matter(request).await.unwrap().into_inner().matter.unwrap()
}

fn publish(matter: &Matter) -> PublishMatterRequest {
    PublishMatterRequest {
        request_id: key(),
        matter_id: matter.matter_id.clone(),
        etag: matter.etag.clone(),
    }
}

fn withdraw(matter: &Matter) -> WithdrawMatterRequest {
    WithdrawMatterRequest {
        request_id: key(),
        matter_id: matter.matter_id.clone(),
        etag: matter.etag.clone(),
        reason: "内容有误".to_owned(),
    }
}

async fn published(bed: &Bed, kind: MatterKind, code: &str, from: &str) -> Matter {
    let matter = draft(bed, version(kind, code, from)).await;
    manager(bed).publish_matter(publish(&matter)).await.unwrap().into_inner().matter.unwrap()
}

/// What everybody sees, without a token.
async fn told(bed: &Bed) -> GetPublishedMattersResponse {
    let mut anybody = MatterServiceClient::new(bed.anonymous());
    anybody.get_published_matters(GetPublishedMattersRequest {}).await.unwrap().into_inner()
}

fn unpublished(standings: &[MatterStanding]) -> Vec<MatterKind> {
    standings.iter().filter(|standing| !standing.published).map(MatterStanding::kind).collect()
}

fn fee(code: &str, version: i32, price: &str, from: &str) -> FeeItemPublished {
    FeeItemPublished {
        fee_item_id: key(),
        code: code.to_owned(),
        version,
        name: "户内改管".to_owned(),
        unit: "米".to_owned(),
        price: Some(decimal(price)),
        legal_basis: "津发改价〔2021〕56号".to_owned(),
        approving_body: "天津市发展和改革委员会".to_owned(),
        from_date: Some(date(from)),
        until_date: None,
        customer_classes: vec!["living".to_owned()],
    }
}

fn tell(feed: &Feed, fee: &FeeItemPublished) {
    feed.tell(&fee.code, fee);
}

/// Code, version and price of the fees in force.
async fn fees(bed: &Bed) -> Vec<(String, i32, String)> {
    let price = |fee: PublishedFee| (fee.code, fee.version, fee.price.unwrap().value);
    told(bed).await.fees.into_iter().map(price).collect()
}

/// Name of the duty to publish at the health service, which needs no token.
const COMPLIANCE: &str = "hearth.hall.compliance";

async fn health(bed: &Bed, service: &str, expected: ServingStatus) {
    let mut client = HealthClient::new(bed.anonymous());
    let ask = HealthCheckRequest { service: service.to_owned() };
    eventually("the health", async || {
        let answer = client.check(ask.clone()).await.unwrap().into_inner();
        (answer.status() == expected).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_03_all_six_matters_are_told_without_a_login_or_the_service_is_degraded() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let billing = bed.fake("billing", Routes::default()).await;
        let nothing = told(bed).await;
        assert_eq!((nothing.compliance(), unpublished(&nothing.standings).len()), (Compliance::Degraded, 6));
        health(bed, COMPLIANCE, ServingStatus::NotServing).await;
        health(bed, "hearth.hall.v1.MatterService", ServingStatus::Serving).await;

        let mut matters = vec![];
        for kind in WRITTEN {
            let written = draft(bed, version(kind, "GENERAL", "2025-03-04")).await;
            assert_eq!((written.state(), written.version, written.in_force), (matter::State::Draft, 1, false));
            assert_eq!(
                refusal(writer(bed).publish_matter(publish(&written)).await),
                (Code::PermissionDenied, "SECOND_PERSON_NEEDED".to_owned())
            );
            let request = publish(&written);
            let answer = manager(bed).publish_matter(request.clone()).await.unwrap().into_inner();
            assert_eq!(manager(bed).publish_matter(request).await.unwrap().into_inner(), answer, "a replay");
            assert_eq!(answer.compliance(), Compliance::Degraded);
            matters.push(answer.matter.unwrap());
        }
        tell(&billing, &fee("PIPE_CHANGE", 1, "85.00", "2025-03-01"));
        eventually("the fee", async || (fees(bed).await.len() == 1).then_some(())).await;
        let today = told(bed).await;
        assert_eq!(unpublished(&today.standings), WRITTEN, "published, and in force from tomorrow");

        bed.clock().set(at("2025-03-04T00:00:00+08:00")).unwrap();
        let today = told(bed).await;
        assert_eq!((today.compliance(), today.on_date), (Compliance::Met, Some(date("2025-03-04"))));
        assert_eq!(today.matters.iter().map(Matter::kind).collect::<Vec<_>>(), WRITTEN);
        assert_eq!(today.matters[0].text, "接到漏气报修后30分钟到场\n全年无休");
        assert_eq!(today.fees[0].legal_basis, "津发改价〔2021〕56号");
        let mut watch = MatterServiceClient::new(bed.staff(&[Role::Operator]));
        let compliance = watch.get_compliance(GetComplianceRequest {}).await.unwrap().into_inner();
        assert_eq!((compliance.compliance(), compliance.standings), (Compliance::Met, today.standings));
        health(bed, COMPLIANCE, ServingStatus::Serving).await;

        // One taken back: the duty is not met any more.
        let answer = manager(bed).withdraw_matter(withdraw(&matters[2])).await.unwrap().into_inner();
        assert_eq!(answer.compliance(), Compliance::Degraded);
        let today = told(bed).await;
        assert_eq!(
            (today.compliance(), unpublished(&today.standings)),
            (Compliance::Degraded, vec![MatterKind::Scope])
        );
        health(bed, COMPLIANCE, ServingStatus::NotServing).await;

        // Decision 24: nothing else is told without a token; a token does not stand in the way.
        let mut anybody = MatterServiceClient::new(bed.anonymous());
        let status = anybody.get_compliance(GetComplianceRequest {}).await.unwrap_err();
        assert_eq!((status.code(), reason(&status)), (Code::Unauthenticated, "TOKEN_MISSING".to_owned()));
        let get = GetMatterRequest {
            matter_id: matters[0].matter_id.clone(),
        };
        assert_eq!(anybody.get_matter(get).await.unwrap_err().code(), Code::Unauthenticated);
        for bound in [bed.customer(&key()), bed.staff_of(OTHER, &[Role::Reader])] {
            let seen = MatterServiceClient::new(bound).get_published_matters(GetPublishedMattersRequest {}).await;
            assert_eq!(seen.unwrap().into_inner().matters.len(), 3);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_03_versions_follow_each_other_by_their_days() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        let first = published(bed, MatterKind::Commitment, "LEAK", "2025-03-03").await;
        assert!(first.in_force);
        let second = published(bed, MatterKind::Commitment, "LEAK", "2025-03-10").await;
        assert_eq!((second.version, second.in_force), (2, false));
        let other = published(bed, MatterKind::Commitment, "CALL", "2025-03-05").await;
        let in_force = async |day: &str| {
            bed.clock().set(at(&format!("{day}T12:00:00+08:00"))).unwrap();
            told(bed).await.matters.into_iter().map(|m| (m.code, m.version)).collect::<Vec<_>>()
        };
        let row = |code: &str, version| (code.to_owned(), version);
        assert_eq!(in_force("2025-03-04").await, [row("LEAK", 1)]);
        assert_eq!(in_force("2025-03-09").await, [row("CALL", 1), row("LEAK", 1)]);
        assert_eq!(in_force("2025-03-10").await, [row("CALL", 1), row("LEAK", 2)]);

        let withdrawn = manager(bed).withdraw_matter(withdraw(&second)).await.unwrap().into_inner().matter.unwrap();
        assert_eq!((withdrawn.state(), withdrawn.withdraw_reason.as_str()), (matter::State::Withdrawn, "内容有误"));
        assert_eq!(in_force("2025-03-11").await, [row("CALL", 1), row("LEAK", 1)]);
        let status = manager(bed).withdraw_matter(withdraw(&withdrawn)).await.unwrap_err();
        assert_eq!((reason(&status), meta(&status, "state")), ("MATTER_STATE".to_owned(), "WITHDRAWN".to_owned()));
        let status = manager(bed).publish_matter(publish(&other)).await.unwrap_err();
        assert_eq!((reason(&status), meta(&status, "allowed")), ("MATTER_STATE".to_owned(), "WITHDRAW".to_owned()));
        assert_eq!(
            refusal(manager(bed).withdraw_matter(withdraw(&second)).await),
            (Code::Aborted, "ETAG_MISMATCH".to_owned())
        );

        // Its days are to come, and no two versions begin on one.
        let late = draft(bed, version(MatterKind::Item, "REPAIR", "2025-03-10")).await;
        assert_eq!(
            refusal(manager(bed).publish_matter(publish(&late)).await),
            (Code::InvalidArgument, "DATE_IN_PAST".to_owned())
        );
        published(bed, MatterKind::Item, "REPAIR", "2025-03-11").await;
        let twin = draft(bed, version(MatterKind::Item, "REPAIR", "2025-03-11")).await;
        assert_eq!(
            refusal(manager(bed).publish_matter(publish(&twin)).await),
            (Code::AlreadyExists, "MATTER_EFFECTIVE_UNIQUE".to_owned())
        );
        let backwards = DraftMatterRequest {
            until_date: Some(date("2025-03-12")),
            ..version(MatterKind::Item, "REPAIR", "2025-03-12")
        };
        assert_eq!(
            refusal(writer(bed).draft_matter(backwards).await),
            (Code::InvalidArgument, "VALIDITY_ORDER".to_owned())
        );

        let wanted = ListMattersRequest {
            kind: MatterKind::Item.into(),
            code: "REPAIR".to_owned(),
            ..ListMattersRequest::default()
        };
        let listed = manager(bed).list_matters(wanted).await.unwrap().into_inner().matters;
        assert_eq!(
            listed.iter().map(|m| (m.version, m.in_force)).collect::<Vec<_>>(),
            [(1, false), (2, true), (3, false)]
        );
        let get = GetMatterRequest {
            matter_id: first.matter_id.clone(),
        };
        let mut auditor = MatterServiceClient::new(bed.staff(&[Role::Auditor]));
        let found = auditor.get_matter(get).await.unwrap().into_inner().matter.unwrap();
        assert_eq!((found.version, found.in_force), (1, true));
        assert_eq!(
            auditor.get_matter(GetMatterRequest { matter_id: key() }).await.unwrap_err().code(),
            Code::NotFound
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_05_fees_come_from_billing_alone_and_are_told_while_it_is_away() {
    each(hall::SERVICE, async |bed| {
        bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
        for kind in [MatterKind::FeeStandard, MatterKind::FeeBasis] {
            assert_eq!(
                refusal(writer(bed).draft_matter(version(kind, "OWN_FEE", "2025-03-03")).await),
                (Code::InvalidArgument, "FEES_COME_FROM_BILLING".to_owned())
            );
        }
        let billing = bed.fake("billing", Routes::default()).await;
        let row = |code: &str, version, price: &str| (code.to_owned(), version, price.to_owned());
        let old = fee("PIPE_CHANGE", 1, "85.00", "2025-03-01");
        tell(&billing, &old);
        tell(&billing, &fee("PIPE_CHANGE", 2, "92.50", "2025-04-01"));
        let ended = fee("DRAWING", 1, "30.00", "2025-03-01");
        tell(&billing, &ended);
        eventually("the fees", async || (fees(bed).await.len() == 2).then_some(())).await;
        assert_eq!(fees(bed).await, [row("DRAWING", 1, "30.00"), row("PIPE_CHANGE", 1, "85.00")]);
        let withdrawn = FeeItemWithdrawn {
            fee_item_id: ended.fee_item_id.clone(),
            code: ended.code.clone(),
            until_date: Some(date("2025-03-20")),
        };
        billing.tell(&ended.code, &withdrawn);
        eventually("the end of the fee", async || {
            let fee = told(bed).await.fees.into_iter().find(|fee| fee.code == "DRAWING");
            fee.and_then(|fee| fee.until_date)
        })
        .await;
        bed.clock().set(at("2025-03-19T23:59:59+08:00")).unwrap();
        assert_eq!(fees(bed).await.len(), 2);
        bed.clock().set(at("2025-03-20T00:00:00+08:00")).unwrap();
        assert_eq!(fees(bed).await, [row("PIPE_CHANGE", 1, "85.00")]);

        // A fee that does not say what allows it is no published basis.
        let without = FeeItemPublished {
            legal_basis: String::new(),
            ..fee("SURCHARGE", 1, "5.00", "2025-03-20")
        };
        tell(&billing, &without);
        let standings = eventually("the fee without a basis", async || {
            let told = told(bed).await;
            (told.fees.len() == 2).then_some(told.standings)
        })
        .await;
        let stand = |kind: MatterKind| standings.iter().find(|s| s.kind() == kind).map(|s| (s.in_force, s.published));
        assert_eq!(
            (stand(MatterKind::FeeStandard), stand(MatterKind::FeeBasis)),
            (Some((2, true)), Some((1, false)))
        );

        // From the hall's own copy, after a restart too: billing serves nothing that could be asked.
        bed.crash().await;
        bed.start().await;
        bed.clock().set(at("2025-04-01T08:00:00+08:00")).unwrap();
        assert_eq!(fees(bed).await, [row("PIPE_CHANGE", 2, "92.50"), row("SURCHARGE", 1, "5.00")]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s_04_kept_and_broken_promises_are_told_with_the_six_matters() {
    each(hall::SERVICE, async |bed| {
        let mut agent = CaseServiceClient::new(bed.staff(&[Role::Agent]));
        let mut open = async |when: &str| {
            bed.clock().set(at(when)).unwrap();
            let request = OpenCaseRequest {
                request_id: key(),
                channel: Channel::Hotline.into(),
                category: Category::Complaint.into(),
                branch: BRANCH.to_owned(),
                caller_phone: "13812345678".to_owned(),
                detail: "上门无人".to_owned(),
                ..OpenCaseRequest::default()
            };
            agent.open_case(request).await.unwrap().into_inner().case.unwrap()
        };
        let mut second = CaseServiceClient::new(bed.staff(&[Role::Agent]));
        let mut respond = async |case: &Case, when: &str| {
            bed.clock().set(at(when)).unwrap();
            let request = RespondToCaseRequest {
                request_id: key(),
                case_id: case.case_id.clone(),
                etag: case.etag.clone(),
                reply_channel: Channel::Hotline.into(),
            };
            second.respond_to_case(request).await.unwrap();
        };
        // An hour is promised: two are kept, one is broken, and one is decided in the next month.
        let first = open("2025-01-23T09:00:00+08:00").await;
        respond(&first, "2025-01-23T09:59:00+08:00").await;
        let late = open("2025-01-23T10:00:00+08:00").await;
        let third = open("2025-01-23T10:00:00+08:00").await;
        respond(&third, "2025-01-23T11:00:00+08:00").await;
        let at_night = open("2025-01-31T23:30:00+08:00").await;
        assert!(told(bed).await.figures.is_empty(), "the month has not ended");
        respond(&at_night, "2025-02-01T00:10:00+08:00").await;

        let figures = eventually("the figures of January", async || Some(told(bed).await.figures).filter(|f| !f.is_empty())).await;
        let figure = |figures: &[PromiseFigure]| {
            let row = |f: &PromiseFigure| (f.year, f.month, f.subject.clone(), f.clock(), f.kept, f.broken);
            figures.iter().map(row).collect::<Vec<_>>()
        };
        let january = (2025, 1, "COMPLAINT".to_owned(), Clock::FirstResponse, 2, 1);
        assert_eq!(figure(&figures), std::slice::from_ref(&january));
        // Answered at last, it stays broken, and is not told again.
        respond(&late, "2025-02-03T09:00:00+08:00").await;
        bed.clock().set(at("2025-03-01T00:00:00+08:00")).unwrap();
        let figures = eventually("the figures of February", async || Some(told(bed).await.figures).filter(|f| f.len() > 1)).await;
        let february = |clock, kept, broken| (2025, 2, "COMPLAINT".to_owned(), clock, kept, broken);
        // Nobody had the reply that was promised within 5 working days.
        let (first, reply) = (february(Clock::FirstResponse, 1, 0), february(Clock::Resolution, 0, 4));
        assert_eq!(figure(&figures), [first, reply, january]);
        use sea_orm::ConnectionTrait;
        let changed = bed.db().writer().execute_unprepared("UPDATE promise_figure SET broken = 0").await;
        assert!(changed.is_err(), "what was told stays");

        // A commitment may name its promise, if there is one.
        let promise = |kind, subject: &str| DraftMatterRequest {
            promise_subject: subject.to_owned(),
            ..version(kind, "ANSWER", "2025-03-01")
        };
        assert_eq!(
            refusal(writer(bed).draft_matter(promise(MatterKind::Commitment, "NO_SUCH_THING")).await),
            (Code::FailedPrecondition, "PROMISE_UNKNOWN".to_owned())
        );
        assert_eq!(
            refusal(writer(bed).draft_matter(promise(MatterKind::Scope, "COMPLAINT")).await),
            (Code::InvalidArgument, "PROMISE_OF_COMMITMENT".to_owned())
        );
        assert_eq!(draft(bed, promise(MatterKind::Commitment, "COMPLAINT")).await.promise_subject, "COMPLAINT");
    })
    .await;
}
