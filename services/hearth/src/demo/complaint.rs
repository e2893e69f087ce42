//! September: somebody without an account complains (S-04), is answered, is called back and still not content, is answered better (C-04 to C-08).

use anyhow::{Result, ensure};
use calendar::Instant;
use contracts::hearth::hall::v1::{
    AssignCallbackRequest, AssignComplaintRequest, CallbackTask, Channel, ClassifyComplaintRequest, CloseCallbackRequest, CloseComplaintRequest, Complaint,
    ComplaintCategory, Courtesy, Employer, Finding, GetComplaintRequest, InvestigateComplaintRequest, ListCallbackTasksRequest, OpenComplaintRequest, Post,
    ProposeReplyRequest, RecordCallbackAttemptRequest, RecordCallbackRequest, RegisterStaffRequest, ReplyToComplaintRequest, StaffMember, Utility,
    callback_attempt, callback_service_client::CallbackServiceClient, callback_task, complaint, complaint_service_client::ComplaintServiceClient,
    staff_service_client::StaffServiceClient,
};
use rpc::wire;

use super::{
    cast::{AGENT, Actor, CALLBACK_AGENT, CALLBACK_DIRECTOR, Cast, PERSONNEL, SERVICE_MANAGER, held, key, said, until},
    stage::Stage,
};
use crate::client::Client;

const BRANCH: &str = "河西区";

/// The complaint as it ended.
pub struct Heard {
    pub complaint_no: String,
    pub first_score: i32,
    pub second_score: i32,
}

struct Story<'a> {
    cast: &'a Cast,
    caller: StaffMember,
}

pub async fn hear(cast: &Cast, stage: &Stage) -> Result<Heard> {
    let chapter = stage.chapter("complaint", 0);
    cast.set_clock("2025-09-15T09:00").await?;
    let owner = member(cast, "owner of complaints", "HX-0501", Post::Agent, "complaints-hua").await?;
    let caller = member(cast, "callback centre", "HX-0601", Post::Agent, CALLBACK_AGENT.subject).await?;
    let story = Story { cast, caller };

    chapter.doing("heard");
    let open = OpenComplaintRequest {
        request_id: key("complaint"),
        channel: Channel::Hotline.into(),
        utility: Utility::Gas.into(),
        branch: BRANCH.to_owned(),
        reporter_name: "郑安".to_owned(),
        reporter_phone: "19000009901".to_owned(),
        reporter_address: "天津市河西区友谊路街道".to_owned(),
        detail: "施工围挡未留通道,联系营业所无人答复".to_owned(),
        ..OpenComplaintRequest::default()
    };
    let new = held(
        "complaint",
        said("the complaint", story.complaints(AGENT)?.open_complaint(open)).await?.complaint,
    )?;
    let classify = ClassifyComplaintRequest {
        request_id: key("classify complaint"),
        complaint_id: new.complaint_id,
        etag: new.etag,
        category: ComplaintCategory::Attitude.into(),
    };
    let sorted = held(
        "complaint",
        said("its category", story.complaints(AGENT)?.classify_complaint(classify)).await?.complaint,
    )?;
    let assign = AssignComplaintRequest {
        request_id: key("assign complaint"),
        complaint_id: sorted.complaint_id,
        etag: sorted.etag,
        owner_staff_id: owner.staff_id,
    };
    let given = held(
        "complaint",
        said("its owner", story.complaints(SERVICE_MANAGER)?.assign_complaint(assign)).await?.complaint,
    )?;

    chapter.doing("answered");
    cast.set_clock("2025-09-16T10:00").await?;
    let id = given.complaint_id.clone();
    story.answer(given, "first").await?;

    chapter.doing("called back: not content");
    cast.set_clock("2025-09-17T10:00").await?;
    let first = story.call("first", &id, 2, false).await?;
    let again = story.complaint(&id).await?;
    ensure!(
        again.state() == complaint::State::Reopened,
        "the complaint is {} after a bad word",
        again.state().as_str_name()
    );

    chapter.doing("answered again");
    cast.set_clock("2025-09-18T10:00").await?;
    story.answer(again, "second").await?;

    chapter.doing("called back: content");
    cast.set_clock("2025-09-19T10:00").await?;
    let second = story.call("second", &id, 5, true).await?;
    let end = until("the complaint being closed", async || {
        let found = story.complaint(&id).await?;
        Ok((found.state() == complaint::State::Closed).then_some(found))
    })
    .await?;
    chapter.done(&format!("{}: answered, called back, reworked, called back, closed", end.complaint_no));
    Ok(Heard {
        complaint_no: end.complaint_no,
        first_score: first,
        second_score: second,
    })
}

async fn member(cast: &Cast, name: &str, badge_no: &str, post: Post, login: &str) -> Result<StaffMember> {
    let register = RegisterStaffRequest {
        request_id: key(&format!("staff {badge_no}")),
        name: name.to_owned(),
        posts: vec![post.into()],
        badge_no: badge_no.to_owned(),
        login: login.to_owned(),
        employer: Employer::Own.into(),
        branch: BRANCH.to_owned(),
        ..RegisterStaffRequest::default()
    };
    let mut staff = StaffServiceClient::new(cast.ask("hall", PERSONNEL)?);
    held("member of staff", said("registering staff", staff.register_staff(register)).await?.staff)
}

impl Story<'_> {
    fn complaints(&self, actor: Actor) -> Result<ComplaintServiceClient<Client>> {
        self.cast.ask("hall", actor).map(ComplaintServiceClient::new)
    }
    fn callbacks(&self, actor: Actor) -> Result<CallbackServiceClient<Client>> {
        self.cast.ask("hall", actor).map(CallbackServiceClient::new)
    }

    async fn complaint(&self, id: &str) -> Result<Complaint> {
        let get = GetComplaintRequest { complaint_id: id.to_owned() };
        held(
            "complaint",
            said("the complaint", self.complaints(SERVICE_MANAGER)?.get_complaint(get)).await?.complaint,
        )
    }

    /// From the look into it to the manager's word that it may be closed.
    async fn answer(&self, complaint: Complaint, round: &str) -> Result<()> {
        let step = |what: &str| key(&format!("{round} {what} complaint"));
        let investigate = InvestigateComplaintRequest {
            request_id: step("investigate"),
            complaint_id: complaint.complaint_id,
            etag: complaint.etag,
        };
        let c = held(
            "complaint",
            said("the look into it", self.complaints(AGENT)?.investigate_complaint(investigate))
                .await?
                .complaint,
        )?;
        let propose = ProposeReplyRequest {
            request_id: step("propose"),
            complaint_id: c.complaint_id,
            etag: c.etag,
            finding: Finding::Upheld.into(),
            summary: "情况属实,已责成施工方整改".to_owned(),
            ..ProposeReplyRequest::default()
        };
        let c = held(
            "complaint",
            said("the proposal", self.complaints(AGENT)?.propose_reply(propose)).await?.complaint,
        )?;
        let moment = if round == "first" {
            "2025-09-16T10:00:00+08:00"
        } else {
            "2025-09-18T10:00:00+08:00"
        };
        let reply = ReplyToComplaintRequest {
            request_id: step("reply"),
            complaint_id: c.complaint_id,
            etag: c.etag,
            reply_channel: Channel::Hotline.into(),
            reply_time: Some(wire::time(Instant::parse_rfc3339(moment)?)),
            text: "围挡已改留通道,营业所负责人已致歉".to_owned(),
        };
        let c = held(
            "complaint",
            said("the reply", self.complaints(AGENT)?.reply_to_complaint(reply)).await?.complaint,
        )?;
        let close = CloseComplaintRequest {
            request_id: step("close"),
            complaint_id: c.complaint_id,
            etag: c.etag,
        };
        said("the closing", self.complaints(SERVICE_MANAGER)?.close_complaint(close)).await?;
        Ok(())
    }

    /// Calls the reporter about it and records what is said.
    async fn call(&self, round: &str, complaint_id: &str, score: i32, solved: bool) -> Result<i32> {
        let step = |what: &str| key(&format!("{round} {what} callback"));
        let task = until("the callback", async || {
            let list = ListCallbackTasksRequest {
                about_id: complaint_id.to_owned(),
                ..ListCallbackTasksRequest::default()
            };
            let tasks = said("the callbacks", self.callbacks(CALLBACK_DIRECTOR)?.list_callback_tasks(list)).await?.tasks;
            Ok(tasks.into_iter().find(is_open))
        })
        .await?;
        let task = if task.assignee_staff_id.is_empty() {
            let assign = AssignCallbackRequest {
                request_id: step("assign"),
                callback_task_id: task.callback_task_id,
                etag: task.etag,
                assignee_staff_id: self.caller.staff_id.clone(),
            };
            held(
                "callback",
                said("its caller", self.callbacks(CALLBACK_DIRECTOR)?.assign_callback(assign)).await?.task,
            )?
        } else {
            task
        };
        let attempt = RecordCallbackAttemptRequest {
            request_id: step("attempt"),
            callback_task_id: task.callback_task_id,
            etag: task.etag,
            channel: task.channel,
            outcome: callback_attempt::Outcome::Reached.into(),
            number_corrected: false,
        };
        let task = held(
            "callback",
            said("the call", self.callbacks(CALLBACK_AGENT)?.record_callback_attempt(attempt)).await?.task,
        )?;
        let record = RecordCallbackRequest {
            request_id: step("record"),
            callback_task_id: task.callback_task_id,
            etag: task.etag,
            channel: task.channel,
            score,
            solved,
            courtesy: Courtesy::Courteous.into(),
            verbatim: if solved { "满意" } else { "通道仍然太窄" }.to_owned(),
            ..RecordCallbackRequest::default()
        };
        let task = held(
            "callback",
            said("the answers", self.callbacks(CALLBACK_AGENT)?.record_callback(record)).await?.task,
        )?;
        if solved {
            let close = CloseCallbackRequest {
                request_id: step("close"),
                callback_task_id: task.callback_task_id,
                etag: task.etag,
            };
            said("the end of the callback", self.callbacks(CALLBACK_DIRECTOR)?.close_callback(close)).await?;
        }
        Ok(score)
    }
}

fn is_open(task: &CallbackTask) -> bool {
    !matches!(task.state(), callback_task::State::Closed | callback_task::State::Rework)
}
