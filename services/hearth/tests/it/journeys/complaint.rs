//! Somebody without an account complains about a vendor's repair: hall looks into it and has the work done again, the callback centre asks by somebody
//! else, the answer is bad and opens the complaint again, the second answer closes it; vendor counts it when the month is assessed.

use contracts::hearth::options::v1::Role;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    BRANCH, Town, day, each,
    firm::{self, Firm},
    staff, time,
};
use crate::sides::Caller;

/// The people of hall.
struct Hall {
    agent: Caller,
    manager: Caller,
    director: Caller,
    caller: Caller,
    /// Members of staff: the agent, and who calls.
    owner_id: Value,
    caller_id: Value,
}

impl Hall {
    async fn staffed(town: &Town) -> Self {
        let member = async |login: &str, badge: &str| {
            let register = json!({"name": login, "posts": ["POST_AGENT"], "badge_no": badge, "login": login, "employer": "EMPLOYER_OWN", "branch": BRANCH});
            let personnel = staff("personnel", Role::Personnel);
            town.done(&personnel, "hall.StaffService/RegisterStaff", &Value::Null, register).await["staff_id"].clone()
        };
        Self {
            owner_id: member("agent", "HX-1").await,
            caller_id: member("caller", "HX-2").await,
            agent: staff("agent", Role::Agent),
            manager: staff("manager", Role::ServiceManager),
            director: staff("director", Role::CallbackDirector),
            caller: staff("caller", Role::CallbackAgent),
        }
    }

    /// Anybody calls, without account and login (S-04); the agent owns it from then on.
    async fn open(&self, town: &Town) -> Value {
        let said = json!({
            "channel": "CHANNEL_HOTLINE", "utility": "UTILITY_GAS", "branch": BRANCH, "reporter_name": "郑安", "reporter_phone": "19000009901",
            "reporter_address": "天津市河西区友谊路1号", "detail": "昨日维修后软管接口仍有气味",
        });
        let c = town.done(&self.agent, "hall.ComplaintService/OpenComplaint", &Value::Null, said).await;
        assert_eq!(c["account_id"], "");
        let c = town
            .done(
                &self.agent,
                "hall.ComplaintService/ClassifyComplaint",
                &c,
                json!({"category": "COMPLAINT_CATEGORY_REPAIR"}),
            )
            .await;
        let c = town
            .done(
                &self.agent,
                "hall.ComplaintService/RespondToComplaint",
                &c,
                json!({"reply_channel": "CHANNEL_HOTLINE"}),
            )
            .await;
        town.done(
            &self.manager,
            "hall.ComplaintService/AssignComplaint",
            &c,
            json!({"owner_staff_id": self.owner_id}),
        )
        .await
    }

    /// Found to be the fault of whoever did the order; told to the reporter; the manager lets it go to the callback centre.
    async fn answer(&self, town: &Town, complaint: &Value, order: &Value, on: &str) -> Value {
        let c = town.done(&self.agent, "hall.ComplaintService/InvestigateComplaint", complaint, json!({})).await;
        let finding = json!({"finding": "FINDING_UPHELD", "summary": "接口未紧固,属实", "order_id": order["order_id"]});
        let c = town.done(&self.agent, "hall.ComplaintService/ProposeReply", &c, finding).await;
        let reply = json!({"reply_channel": "CHANNEL_HOTLINE", "reply_time": time(on), "text": "已重新紧固并试漏,致歉"});
        let c = town.done(&self.agent, "hall.ComplaintService/ReplyToComplaint", &c, reply).await;
        let c = town.done(&self.manager, "hall.ComplaintService/CloseComplaint", &c, json!({})).await;
        assert_eq!(c["state"], "STATE_CALLBACK");
        town.settled().await;
        c
    }

    async fn complaint(&self, town: &Town, about: &Value) -> Value {
        town.done(&self.manager, "hall.ComplaintService/GetComplaint", about, json!({})).await["complaint"].clone()
    }

    /// The only call that is due about a complaint.
    async fn task(&self, town: &Town, complaint: &Value) -> Value {
        let about = json!({"about_id": complaint["complaint_id"]});
        let listed = town.done(&self.director, "hall.CallbackService/ListCallbackTasks", &Value::Null, about).await;
        assert_eq!(listed["tasks"].as_array().unwrap().len(), 1, "{listed}");
        listed["tasks"][0].clone()
    }

    /// Somebody else than the handler calls and asks.
    async fn call(&self, town: &Town, task: &Value, score: i32, solved: bool) -> Value {
        let assign = json!({"assignee_staff_id": self.caller_id});
        let task = town.done(&self.director, "hall.CallbackService/AssignCallback", task, assign).await;
        let tried = json!({"channel": task["channel"], "outcome": "OUTCOME_REACHED"});
        let task = town.done(&self.caller, "hall.CallbackService/RecordCallbackAttempt", &task, tried).await;
        let answers = json!({"channel": task["channel"], "score": score, "solved": solved, "courtesy": "COURTESY_COURTEOUS", "verbatim": "如实"});
        town.done(&self.caller, "hall.CallbackService/RecordCallback", &task, answers).await
    }
}

/// C-01 by hand: the first eight bytes of SHA-256 of cause, version and id, modulo 10000.
fn draw(about: &str) -> u64 {
    let digest = Sha256::digest(format!("COMPLAINT_CLOSED/1:{about}"));
    u64::from_be_bytes(digest[..8].try_into().unwrap()) % 10_000
}

#[tokio::test(flavor = "multi_thread")]
async fn c_04_a_complaint_about_a_vendor_is_called_back_reworked_called_again_and_counted_against_the_vendor() {
    each(async |town| {
        let firm = Firm::admitted(town).await;
        let hall = Hall::staffed(town).await;
        // A Monday after the holidays.
        town.clock("2025-02-10T09:00");
        let (bad, offer) = firm.repair(town, "2025-02-10", "更换软管").await;
        firm::accept(town, &bad, &offer).await;

        town.clock("2025-02-11T09:00");
        let complaint = hall.open(town).await;
        let clocks = town
            .done(
                &hall.agent,
                "hall.DeadlineService/ListDeadlines",
                &Value::Null,
                json!({"owner_id": complaint["complaint_id"]}),
            )
            .await;
        let due = |clock: &str| {
            let found = clocks["deadlines"].as_array().unwrap().iter().find(|d| d["clock"] == clock);
            found.map(|d| (d["due_time"].as_str().unwrap().to_owned(), d["state"].as_str().unwrap().to_owned()))
        };
        // C-05: an hour for the first word; five working days after the 11th are over with the 18th, Shanghai time.
        let clock = |due: &str, state: &str| Some((due.to_owned(), state.to_owned()));
        assert_eq!(due("CLOCK_FIRST_RESPONSE"), clock("2025-02-11T02:00:00Z", "STATE_MET"));
        assert_eq!(due("CLOCK_RESOLUTION"), clock("2025-02-18T15:59:59.999999Z", "STATE_RUNNING"));

        // The work order of the complaint.
        let (again, offer) = firm.repair(town, "2025-02-11", "接口重新紧固并试漏").await;
        firm::accept(town, &again, &offer).await;
        town.clock("2025-02-12T10:00");
        let complaint = hall.answer(town, &complaint, &bad, "2025-02-12T10:00").await;
        assert_eq!(complaint["proposal"]["vendor_id"], firm.vendor_id.as_str(), "the vendor is that of the order");

        let id = complaint["complaint_id"].as_str().unwrap();
        let drawn = town
            .done(&hall.director, "hall.CallbackService/ListCallbackDraws", &Value::Null, json!({"about_id": id}))
            .await;
        let first = &drawn["draws"][0];
        assert_eq!(
            (&first["number"], &first["rate_bp"], &first["verdict"]),
            (&json!(draw(id)), &json!(10_000), &json!("VERDICT_CALL"))
        );

        // C-02: not by the handler.
        town.clock("2025-02-13T10:00");
        let task = hall.task(town, &complaint).await;
        let handler = json!({"assignee_staff_id": hall.owner_id});
        assert_eq!(
            town.refused(&hall.director, "hall.CallbackService/AssignCallback", &task, handler).await,
            "CALLER_IS_HANDLER"
        );
        let task = hall.call(town, &task, 2, false).await;
        // C-04: nothing is waited for; with the answer the complaint is open again and the call cannot be closed.
        let reopened = hall.complaint(town, &complaint).await;
        assert_eq!(
            (&task["state"], &task["rework_id"], &reopened["state"], &reopened["reopened"]),
            (&json!("STATE_REWORK"), &complaint["complaint_id"], &json!("STATE_REOPENED"), &json!(1))
        );
        assert_eq!(
            town.refused(&hall.director, "hall.CallbackService/CloseCallback", &task, json!({})).await,
            "REWORK_OPEN"
        );

        let (third, offer) = firm.repair(town, "2025-02-13", "更换接头").await;
        firm::accept(town, &third, &offer).await;
        town.clock("2025-02-14T10:00");
        let answered = hall.answer(town, &reopened, &bad, "2025-02-14T10:00").await;
        let second = hall.task(town, &answered).await;
        // Three days after it was answered anew.
        assert_eq!(
            (&second["state"], &second["round"], &second["due_time"]),
            (&json!("STATE_SECOND_CALLBACK"), &json!(2), &json!("2025-02-17T02:00:00Z"))
        );
        let second = hall.call(town, &second, 5, true).await;
        assert_eq!(
            town.refused(&hall.caller, "hall.CallbackService/CloseCallback", &second, json!({})).await,
            "DIRECTOR_NEEDED"
        );
        let closed = town.done(&hall.director, "hall.CallbackService/CloseCallback", &second, json!({})).await;
        assert_eq!((&closed["state"], &closed["outcome"]), (&json!("STATE_CLOSED"), &json!("OUTCOME_REACHED")));
        assert_eq!(hall.complaint(town, &answered).await["state"], "STATE_CLOSED");

        // F-07: three orders were accepted in February, and one complaint was upheld, however often it was answered.
        town.settled().await;
        town.clock("2025-03-03T09:00");
        let assessor = staff("assessor", Role::Assessor);
        let month = json!({"from_date": day("2025-02-01")});
        let draft = town.done(&assessor, "vendor.AssessmentService/DraftAssessment", &firm.contract, month).await;
        let facts: Vec<_> = draft["deductions"].as_array().unwrap().iter().map(|d| (&d["fact"], &d["count"])).collect();
        assert_eq!(facts, [(&json!("FACT_COMPLAINT_QUALITY"), &json!(1))]);
        let assess = json!({"from_date": day("2025-02-01"), "scores": firm::scores(["25", "20", "15", "10", "10"]), "findings": "一件投诉属实"});
        let assessed = town.done(&assessor, "vendor.AssessmentService/AssessContract", &firm.contract, assess).await;
        let counted: Vec<_> = assessed["complaints"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| (&c["complaint_id"], &c["upheld_date"]))
            .collect();
        assert_eq!((&assessed["orders"], counted), (&json!(3), vec![(&json!(id), &day("2025-02-12"))]));
    })
    .await;
}
