//! February: the code of conduct (S-03) is drafted, goes through all hands, is issued, and is acknowledged (D-01 to D-03).

use anyhow::{Result, ensure};
use contracts::hearth::archive::v1::{
    AcknowledgePolicyVersionRequest, ApprovePolicyVersionRequest, CountersignPolicyVersionRequest, DraftPolicyVersionRequest, GetPolicyCoverageRequest,
    GetPolicyVersionRequest, IssuePolicyVersionRequest, PolicyControlPage, PolicyLevel, PolicyPart, PolicySecrecy, PolicySection, PolicyType, PolicyVersion,
    RegisterPolicyRequest, ReviewPolicyVersionRequest, SubmitPolicyVersionRequest, policy_duty_service_client::PolicyDutyServiceClient,
    policy_service_client::PolicyServiceClient, policy_version,
};

use super::{
    cast::{AGENT, Actor, CASHIER, Cast, DISPATCHER, FINANCE, IT_DEPARTMENT, LEADER, POLICY_ADMIN, READER, SERVICE_MANAGER, date, held, key, said, until},
    stage::Stage,
};
use crate::client::Client;

const DOC_NO: &str = "MQR/2000-SOP-HR-01";
const LABEL: &str = "A/0";
/// Who is expected to have read it; the last one has not yet.
const STAFF: [Actor; 4] = [AGENT, CASHIER, READER, DISPATCHER];

/// The policy as it stands in the end.
pub struct Policy {
    pub doc_no: &'static str,
    pub label: String,
    pub acknowledged: i32,
    pub missing: usize,
}

type Policies = PolicyServiceClient<Client>;

/// A request of a step: which version, as it was read.
macro_rules! step {
    ($request:ident, $name:literal, $version:expr) => {
        $request {
            request_id: key(concat!("policy ", $name)),
            policy_version_id: $version.policy_version_id.clone(),
            etag: $version.etag.clone(),
        }
    };
}

pub async fn issue(cast: &Cast, stage: &Stage) -> Result<Policy> {
    let chapter = stage.chapter("policy", 0);
    let ask = |actor: Actor| cast.ask("archive", actor).map(Policies::new);
    let version = |answer: Option<PolicyVersion>| held("policy version", answer);

    cast.set_clock("2025-02-03T09:00").await?;
    chapter.doing("drafted");
    let register = RegisterPolicyRequest {
        request_id: key("policy"),
        doc_no: DOC_NO.to_owned(),
        title: "员工行为准则".to_owned(),
        r#type: PolicyType::Management.into(),
        level: PolicyLevel::Company.into(),
        owner_department: "行政中心".to_owned(),
        secrecy: PolicySecrecy::Internal.into(),
        code_of_conduct: true,
    };
    let policy = held("policy", said("the policy", ask(POLICY_ADMIN)?.register_policy(register)).await?.policy)?;
    let draft = DraftPolicyVersionRequest {
        request_id: key("policy draft"),
        policy_id: policy.policy_id,
        label: LABEL.to_owned(),
        control_page: Some(control_page()?),
        sections: sections(),
    };
    let draft = version(said("the draft", ask(POLICY_ADMIN)?.draft_policy_version(draft)).await?.policy_version)?;

    chapter.doing("reviewed, countersigned, approved, issued");
    let submit = SubmitPolicyVersionRequest {
        request_id: key("policy submit"),
        policy_version_id: draft.policy_version_id,
        etag: draft.etag,
        countersigners: vec![FINANCE.subject.to_owned(), IT_DEPARTMENT.subject.to_owned()],
    };
    let v = version(said("the submission", ask(POLICY_ADMIN)?.submit_policy_version(submit)).await?.policy_version)?;
    let review = step!(ReviewPolicyVersionRequest, "review", v);
    let v = version(said("the review", ask(SERVICE_MANAGER)?.review_policy_version(review)).await?.policy_version)?;
    let first = step!(CountersignPolicyVersionRequest, "first signature", v);
    let v = version(said("a signature", ask(FINANCE)?.countersign_policy_version(first)).await?.policy_version)?;
    let second = step!(CountersignPolicyVersionRequest, "second signature", v);
    let v = version(
        said("a signature", ask(IT_DEPARTMENT)?.countersign_policy_version(second))
            .await?
            .policy_version,
    )?;
    let approve = step!(ApprovePolicyVersionRequest, "approval", v);
    let v = version(said("the approval", ask(LEADER)?.approve_policy_version(approve)).await?.policy_version)?;
    let issue = step!(IssuePolicyVersionRequest, "issue", v);
    let v = version(said("the issue", ask(POLICY_ADMIN)?.issue_policy_version(issue)).await?.policy_version)?;

    // In effect from the next day.
    cast.set_clock("2025-02-04T08:30").await?;
    let id = v.policy_version_id;
    let v = until("the policy taking effect", async || {
        let get = GetPolicyVersionRequest {
            policy_version_id: id.clone(),
            ..GetPolicyVersionRequest::default()
        };
        let found = version(said("the version", ask(POLICY_ADMIN)?.get_policy_version(get)).await?.policy_version)?;
        Ok((found.state() == policy_version::State::Effective).then_some(found))
    })
    .await?;

    chapter.doing("read");
    let [readers @ .., late] = STAFF;
    for reader in readers {
        let acknowledge = AcknowledgePolicyVersionRequest {
            request_id: key(&format!("policy read by {}", reader.subject)),
            policy_version_id: id.clone(),
        };
        let mut duties = PolicyDutyServiceClient::new(cast.ask("archive", reader)?);
        said("an acknowledgement", duties.acknowledge_policy_version(acknowledge)).await?;
    }
    let coverage = GetPolicyCoverageRequest {
        policy_version_id: id,
        staff: STAFF.iter().map(|actor| actor.subject.to_owned()).collect(),
    };
    let mut duties = PolicyDutyServiceClient::new(cast.ask("archive", POLICY_ADMIN)?);
    let coverage = held("coverage", said("the coverage", duties.get_policy_coverage(coverage)).await?.policy_coverage)?;
    ensure!(coverage.missing == [late.subject], "the policy is unread by {:?}", coverage.missing);
    chapter.done(&format!(
        "{DOC_NO} {}: issued, in effect, read by {} of {}",
        v.label,
        coverage.acknowledged,
        STAFF.len()
    ));
    Ok(Policy {
        doc_no: DOC_NO,
        label: v.label,
        acknowledged: coverage.acknowledged,
        missing: coverage.missing.len(),
    })
}

fn control_page() -> Result<PolicyControlPage> {
    let text = str::to_owned;
    Ok(PolicyControlPage {
        printed_by: text("行政中心"),
        proofread_by: text("行政中心"),
        copies: 12,
        reward_and_penalty: text("按员工奖罚细则执行"),
        issuing_department: text("行政中心"),
        inspecting_department: text("检查部"),
        reviewing_department: text("客户服务部"),
        executing_department: text("各部门及各营业所"),
        training_department: text("人力资源部"),
        examining_department: text("人力资源部"),
        distribution_form: text("OA"),
        scope: text("公司全体员工"),
        report_to: vec![text("公司领导")],
        send_to: vec![text("各部门及各营业所")],
        distribution: vec![text("客户服务部"), text("河西营业所"), text("和平营业所")],
        effective_date: Some(date("2025-02-04")?),
        valid_until_date: None,
        until_changed: true,
        training_days: 14,
        inspection_days: 180,
        review_days: 365,
        exam_days: 365,
        notification_days: 90,
        notification_form: text("OA通报"),
        notification_content: text("执行情况检查结果"),
        interpreting_department: text("行政中心"),
        conflict_handling: text("与上级制度矛盾的以上级制度为准\n与以往制度矛盾的以本制度为准"),
        contact_phone: text("022-23456789"),
    })
}

fn sections() -> Vec<PolicySection> {
    let section = |section_no: &str, title: &str, part: PolicyPart, text: &str| PolicySection {
        section_no: section_no.to_owned(),
        title: title.to_owned(),
        text: text.to_owned(),
        part: part.into(),
    };
    vec![
        section("0", "前言", PolicyPart::Preface, "本准则适用于公司全体员工。"),
        section("1.1", "目的", PolicyPart::Purpose, "规范服务行为,维护用户权益和公司信誉。"),
        section("1.2", "目标", PolicyPart::Objective, "件件有回音,事事有着落。"),
        section("1.3", "原则", PolicyPart::Principle, "诚实、公正、守纪。"),
        section("2", "服务行为", PolicyPart::Body, "上门服务须佩戴工号牌,使用文明用语。\n不得收受用户财物。"),
    ]
}
