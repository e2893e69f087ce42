//! June: a repair goes to the vendor, who accepts it, does it, does it again, and has it accepted.

use anyhow::{Result, ensure};
use calendar::Instant;
use contracts::hearth::{
    archive::v1::{ListAccountsRequest, account_service_client::AccountServiceClient},
    hall::v1::{
        AnswerCaseRequest, AssignCaseRequest, Case, Category, Channel, CloseCaseRequest, CreateOrderRequest, Employer, GetOrderRequest, OfferOrderRequest,
        OpenCaseRequest, Order, OrderType, Outcome, Post, RegisterStaffRequest, RespondToCaseRequest, case_service_client::CaseServiceClient, order,
        order_service_client::OrderServiceClient, staff_service_client::StaffServiceClient,
    },
    vendor::v1::{
        AcceptOfferRequest, ApproveWorkRequest, ListOffersRequest, Offer, RefuseWorkRequest, ReportWorkRequest, offer_service_client::OfferServiceClient,
    },
};
use rpc::wire;

use super::{
    cast::{ACCEPTOR, AGENT, Cast, DISPATCHER, PERSONNEL, date, held, key, said, until},
    stage::Stage,
    vendor::{Admitted, BRANCH},
};
use crate::client::Client;

/// A customer of the branch in which the vendor works.
const ACCOUNT: &str = "T0000001";

/// The repair as it ended.
pub struct Repair {
    pub order_no: String,
    pub case_no: String,
    pub rounds: i32,
}

struct Story<'a> {
    cast: &'a Cast,
    vendor: &'a Admitted,
    order_id: String,
}

impl Story<'_> {
    fn portal(&self) -> Result<OfferServiceClient<Client>> {
        Ok(OfferServiceClient::new(self.cast.ask_as_vendor(
            "vendor",
            "jinran-office",
            &self.vendor.vendor_id,
        )?))
    }

    fn acceptor(&self) -> Result<OfferServiceClient<Client>> {
        Ok(OfferServiceClient::new(self.cast.ask("vendor", ACCEPTOR)?))
    }

    /// The order in hall, once it stands there.
    async fn reaches(&self, state: order::State) -> Result<Order> {
        let orders = OrderServiceClient::new(self.cast.ask("hall", DISPATCHER)?);
        until(&format!("the order reaching {}", state.as_str_name()), async || {
            let get = GetOrderRequest {
                order_id: self.order_id.clone(),
            };
            let order = held("order", said("the order", orders.clone().get_order(get)).await?.order)?;
            Ok((order.state() == state).then_some(order))
        })
        .await
    }

    async fn report(&self, offer: Offer, round: &str, summary: &str) -> Result<Offer> {
        let report = ReportWorkRequest {
            request_id: key(&format!("report {round}")),
            vendor_id: self.vendor.vendor_id.clone(),
            offer_id: offer.offer_id,
            etag: offer.etag,
            summary: summary.to_owned(),
            done_date: Some(date("2025-06-17")?),
        };
        held("offer", said("the report", self.portal()?.report_work(report)).await?.offer)
    }
}

pub async fn give_away(cast: &Cast, stage: &Stage, vendor: &Admitted) -> Result<Repair> {
    let chapter = stage.chapter("repair", 9);
    let step = |what: &str| {
        chapter.step(1);
        chapter.doing(what);
    };
    let mut cases = CaseServiceClient::new(cast.ask("hall", AGENT)?);

    cast.set_clock("2025-06-17T09:00").await?;
    step("a call comes in");
    let case = receive(cast, &mut cases).await?;
    let case_id = case.case_id.clone();

    cast.set_clock("2025-06-17T09:10").await?;
    step("offered");
    let mut dispatcher = OrderServiceClient::new(cast.ask("hall", DISPATCHER)?);
    let create = CreateOrderRequest {
        request_id: key("repair order"),
        r#type: OrderType::Repair.into(),
        branch: BRANCH.to_owned(),
        case_id: case_id.clone(),
        account_id: case.account_id.clone(),
        task: "灶具点火后熄火,检查熄火保护装置和软管".to_owned(),
        planned_date: Some(date("2025-06-17")?),
        ..CreateOrderRequest::default()
    };
    let order = held("order", said("the order", dispatcher.create_order(create)).await?.order)?;
    let respond_by = Instant::parse_rfc3339("2025-06-17T10:00:00+08:00")?;
    let offer = OfferOrderRequest {
        request_id: key("offer"),
        order_id: order.order_id.clone(),
        etag: order.etag,
        vendor_id: vendor.vendor_id.clone(),
        respond_by_time: Some(wire::time(respond_by)),
        planned_date: Some(date("2025-06-17")?),
    };
    said("the offer", dispatcher.offer_order(offer)).await?;
    let story = Story {
        cast,
        vendor,
        order_id: order.order_id,
    };
    let offer = until("the vendor hearing of the offer", async || {
        let list = ListOffersRequest {
            page_size: 10,
            vendor_id: vendor.vendor_id.clone(),
            order_id: story.order_id.clone(),
            ..ListOffersRequest::default()
        };
        Ok(said("the offers", story.portal()?.list_offers(list)).await?.offers.into_iter().next())
    })
    .await?;

    cast.set_clock("2025-06-17T09:20").await?;
    step("accepted");
    let accept = AcceptOfferRequest {
        request_id: key("accept offer"),
        vendor_id: vendor.vendor_id.clone(),
        offer_id: offer.offer_id,
        person_id: vendor.person_id.clone(),
        etag: offer.etag,
    };
    let offer = held("offer", said("accepting the offer", story.portal()?.accept_offer(accept)).await?.offer)?;
    story.reaches(order::State::Accepted).await?;

    cast.set_clock("2025-06-17T10:40").await?;
    step("reported");
    let offer = story.report(offer, "1", "flame-failure device cleaned").await?;
    story.reaches(order::State::Reported).await?;

    cast.set_clock("2025-06-17T11:00").await?;
    step("to be done again");
    let refuse = RefuseWorkRequest {
        request_id: key("refuse work"),
        vendor_id: vendor.vendor_id.clone(),
        offer_id: offer.offer_id,
        etag: offer.etag,
        findings: "the old rubber hose is still there; it has to be a corrugated one".to_owned(),
    };
    let offer = held("offer", said("the refusal", story.acceptor()?.refuse_work(refuse)).await?.offer)?;
    story.reaches(order::State::Rework).await?;

    cast.set_clock("2025-06-17T11:50").await?;
    step("reported again");
    let offer = story
        .report(offer, "2", "hose replaced by stainless-steel corrugated hose, tightness tested")
        .await?;
    story.reaches(order::State::Reported).await?;

    cast.set_clock("2025-06-17T12:15").await?;
    step("accepted by the utility");
    let approve = ApproveWorkRequest {
        request_id: key("approve work"),
        vendor_id: vendor.vendor_id.clone(),
        offer_id: offer.offer_id,
        etag: offer.etag,
        findings: "hose and device as they should be".to_owned(),
    };
    let offer = held("offer", said("the acceptance", story.acceptor()?.approve_work(approve)).await?.offer)?;
    let order = story.reaches(order::State::Completed).await?;

    step("answered");
    let case = answer(&mut cases, case).await?;
    step("closed");
    let close = CloseCaseRequest {
        request_id: key("close case"),
        case_id,
        etag: case.etag,
    };
    let case = held("case", said("closing the case", cases.close_case(close)).await?.case)?;
    chapter.done(&format!(
        "{} done by {} within four hours, accepted in round {}",
        order.order_no, vendor.name, offer.round
    ));
    Ok(Repair {
        order_no: order.order_no,
        case_no: case.case_no,
        rounds: offer.round,
    })
}

/// A customer calls; somebody owns the case and calls back.
async fn receive(cast: &Cast, cases: &mut CaseServiceClient<Client>) -> Result<Case> {
    let staff = RegisterStaffRequest {
        request_id: key("staff agent"),
        name: "温静".to_owned(),
        posts: vec![Post::Agent.into()],
        badge_no: "W1302".to_owned(),
        login: AGENT.subject.to_owned(),
        employer: Employer::Own.into(),
        branch: BRANCH.to_owned(),
        ..RegisterStaffRequest::default()
    };
    let owner = held(
        "member of staff",
        said("registering staff", StaffServiceClient::new(cast.ask("hall", PERSONNEL)?).register_staff(staff))
            .await?
            .staff,
    )?;
    let list = ListAccountsRequest {
        account_no: ACCOUNT.to_owned(),
        page_size: 1,
        ..ListAccountsRequest::default()
    };
    let accounts = said("the account", AccountServiceClient::new(cast.ask("archive", AGENT)?).list_accounts(list))
        .await?
        .accounts;
    let account = held("account", accounts.into_iter().next())?;
    ensure!(account.branch == BRANCH, "{ACCOUNT} is not a customer of {BRANCH}");
    let open = OpenCaseRequest {
        request_id: key("case"),
        channel: Channel::Hotline.into(),
        category: Category::GasRepair.into(),
        branch: BRANCH.to_owned(),
        account_id: account.account_id,
        caller_phone: "19000000001".to_owned(),
        detail: "灶具点火后几秒就熄火".to_owned(),
        ..OpenCaseRequest::default()
    };
    let case = held("case", said("the case", cases.open_case(open)).await?.case)?;
    let assign = AssignCaseRequest {
        request_id: key("assign case"),
        case_id: case.case_id.clone(),
        etag: case.etag,
        owner_staff_id: owner.staff_id,
    };
    let case = held("case", said("the owner of the case", cases.assign_case(assign)).await?.case)?;
    let respond = RespondToCaseRequest {
        request_id: key("respond"),
        case_id: case.case_id,
        etag: case.etag,
        reply_channel: Channel::Hotline.into(),
    };
    held("case", said("the first word", cases.respond_to_case(respond)).await?.case)
}

async fn answer(cases: &mut CaseServiceClient<Client>, case: Case) -> Result<Case> {
    let get = contracts::hearth::hall::v1::GetCaseRequest { case_id: case.case_id.clone() };
    let case = held("case", said("the case", cases.get_case(get)).await?.case)?;
    let answer = AnswerCaseRequest {
        request_id: key("answer case"),
        case_id: case.case_id,
        etag: case.etag,
        outcome: Outcome::Resolved.into(),
        reply_channel: Channel::Hotline.into(),
        reply_time: Some(wire::time(Instant::parse_rfc3339("2025-06-17T12:10:00+08:00")?)),
        text: "已更换波纹管并清理熄火保护,试漏合格".to_owned(),
        rule_cited: String::new(),
    };
    held("case", said("the answer", cases.answer_case(answer)).await?.case)
}
