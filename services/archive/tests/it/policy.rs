use contracts::hearth::{
    archive::v1::{
        AcknowledgePolicyVersionRequest, AddPolicyDepartmentRequest, ApprovePolicyVersionRequest, CompletePolicyDutyRequest, CountersignPolicyVersionRequest,
        DecidePolicyConflictRequest, DraftPolicyVersionRequest, GetPolicyCoverageRequest, GetPolicyRequest, GetPolicyVersionRequest, IssuePolicyVersionRequest,
        ListPoliciesRequest, ListPolicyAcknowledgementsRequest, ListPolicyConflictsRequest, ListPolicyDutiesRequest, ListPolicyTypeRequirementsRequest, Policy,
        PolicyConflict, PolicyControlPage, PolicyDuty, PolicyDutyOverdue, PolicyLevel, PolicyPart, PolicySecrecy, PolicySection, PolicyType, PolicyVersion,
        RegisterPolicyRequest, ResolvePolicyConflictRequest, ReturnPolicyVersionRequest, ReviewPolicyVersionRequest, RevisePolicyVersionRequest,
        SetPolicyTypeRequirementRequest, SubmitPolicyVersionRequest, WithdrawPolicyVersionRequest, policy_conflict,
        policy_conflict_service_client::PolicyConflictServiceClient, policy_duty, policy_duty_service_client::PolicyDutyServiceClient,
        policy_service_client::PolicyServiceClient, policy_version::State,
    },
    options::v1::Role,
};
use prost::Message;
use testbed::{Bed, Client, at, each, eventually, key, reason};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::world::{HEPING, date, events, raw, rows, uuid};

type Policies = PolicyServiceClient<Client>;

/// The people who have a hand in a policy.
struct Office {
    admin: Policies,
    reviewer: Policies,
    finance: Policies,
    it: Policies,
    leader: Policies,
    duties: PolicyDutyServiceClient<Client>,
    conflicts: PolicyConflictServiceClient<Client>,
}

const SIGNERS: [&str; 2] = ["sun-finance", "li-it"];

fn signers() -> Vec<String> {
    SIGNERS.map(str::to_owned).to_vec()
}

fn refused(result: Result<impl std::fmt::Debug, Status>) -> (Code, String) {
    let status = result.unwrap_err();
    (status.code(), reason(&status))
}

/// The control page of the seed, moved to the days of the tests.
fn page(effective: &str) -> PolicyControlPage {
    let text = str::to_owned;
    PolicyControlPage {
        printed_by: text("周打印"),
        proofread_by: text("吴校对"),
        copies: 12,
        reward_and_penalty: text("按员工奖罚细则执行"),
        issuing_department: text("行政中心"),
        inspecting_department: text("检查部"),
        reviewing_department: text("评审部"),
        executing_department: text("各部门及分店"),
        training_department: text("培训部"),
        examining_department: text("考试部"),
        distribution_form: text("OA"),
        scope: text("公司及各分店客户档案"),
        report_to: vec![text("连锁各部门总监")],
        send_to: vec![text("连锁各部门及分店")],
        distribution: vec![text("客户服务部"), text("河西营业所")],
        effective_date: date(effective),
        valid_until_date: None,
        until_changed: true,
        training_days: 14,
        inspection_days: 180,
        review_days: 365,
        exam_days: 365,
        notification_days: 90,
        notification_form: text("OA通报"),
        notification_content: text("规范化执行效果检查"),
        interpreting_department: text("客户服务部"),
        conflict_handling: text("与上级制度矛盾的以上级制度为准\n与以往制度矛盾的以本制度为准"),
        contact_phone: text("022-23456789"),
    }
}

fn sections() -> Vec<PolicySection> {
    let section = |section_no: &str, title: &str, part: PolicyPart| PolicySection {
        section_no: section_no.to_owned(),
        title: title.to_owned(),
        text: "第一行\n第二行".to_owned(),
        part: part.into(),
    };
    vec![
        section("0", "前言", PolicyPart::Preface),
        section("1.1", "文档目的", PolicyPart::Purpose),
        section("1.2", "文档目标", PolicyPart::Objective),
        section("1.3", "文档原则", PolicyPart::Principle),
        section("2", "档案管理", PolicyPart::Body),
    ]
}

fn document(doc_no: &str) -> RegisterPolicyRequest {
    RegisterPolicyRequest {
        request_id: key(),
        doc_no: doc_no.to_owned(),
        title: "客户档案制度".to_owned(),
        r#type: PolicyType::Management.into(),
        level: PolicyLevel::Company.into(),
        owner_department: "客户服务部".to_owned(),
        secrecy: PolicySecrecy::Internal.into(),
        code_of_conduct: false,
    }
}

/// A request that names a version only.
macro_rules! step {
    ($request:ident, $version:expr) => {
        $request {
            request_id: key(),
            policy_version_id: $version.policy_version_id.clone(),
            etag: $version.etag.clone(),
        }
    };
}

macro_rules! done {
    ($call:expr) => {
        $call.await.unwrap().into_inner().policy_version.unwrap()
    };
}

impl Office {
    fn of(bed: &Bed) -> Self {
        let person = |name: &str, role| PolicyServiceClient::new(bed.staff_named(name, &[role]));
        Self {
            admin: person("zhao-admin", Role::PolicyAdmin),
            reviewer: person("qian-service", Role::ServiceManager),
            finance: person(SIGNERS[0], Role::Finance),
            it: person(SIGNERS[1], Role::ItDepartment),
            leader: person("zhou-leader", Role::Leader),
            duties: PolicyDutyServiceClient::new(bed.staff_named("zhao-admin", &[Role::PolicyAdmin])),
            conflicts: PolicyConflictServiceClient::new(bed.staff_named("zhao-admin", &[Role::PolicyAdmin])),
        }
    }

    /// Reviewer and countersigners are leaders, who are cleared for everything.
    fn led_by_leaders(&mut self, bed: &Bed) {
        let leader = |name: &str| PolicyServiceClient::new(bed.staff_named(name, &[Role::Leader]));
        (self.reviewer, self.finance, self.it) = (leader("wu-leader"), leader(SIGNERS[0]), leader(SIGNERS[1]));
    }

    async fn register(&mut self, request: RegisterPolicyRequest) -> Policy {
        self.admin.register_policy(request).await.unwrap().into_inner().policy.unwrap()
    }

    fn draft_of(policy: &Policy, label: &str, page: PolicyControlPage) -> DraftPolicyVersionRequest {
        DraftPolicyVersionRequest {
            request_id: key(),
            policy_id: policy.policy_id.clone(),
            label: label.to_owned(),
            control_page: Some(page),
            sections: sections(),
        }
    }

    async fn draft(&mut self, policy: &Policy, label: &str, page: PolicyControlPage) -> PolicyVersion {
        done!(self.admin.draft_policy_version(Self::draft_of(policy, label, page)))
    }

    fn submission(version: &PolicyVersion) -> SubmitPolicyVersionRequest {
        SubmitPolicyVersionRequest {
            request_id: key(),
            policy_version_id: version.policy_version_id.clone(),
            etag: version.etag.clone(),
            countersigners: signers(),
        }
    }

    /// Drafts a version and takes it through all hands.
    async fn approved(&mut self, policy: &Policy, label: &str, page: PolicyControlPage) -> PolicyVersion {
        let version = self.draft(policy, label, page).await;
        let version = done!(self.admin.submit_policy_version(Self::submission(&version)));
        let version = done!(self.reviewer.review_policy_version(step!(ReviewPolicyVersionRequest, version)));
        let version = done!(self.finance.countersign_policy_version(step!(CountersignPolicyVersionRequest, version)));
        let version = done!(self.it.countersign_policy_version(step!(CountersignPolicyVersionRequest, version)));
        done!(self.leader.approve_policy_version(step!(ApprovePolicyVersionRequest, version)))
    }

    async fn issued(&mut self, policy: &Policy, label: &str, page: PolicyControlPage) -> PolicyVersion {
        let version = self.approved(policy, label, page).await;
        done!(self.admin.issue_policy_version(step!(IssuePolicyVersionRequest, version)))
    }

    async fn version(&mut self, id: &str) -> PolicyVersion {
        done!(self.admin.get_policy_version(GetPolicyVersionRequest {
            policy_version_id: id.to_owned(),
            ..GetPolicyVersionRequest::default()
        }))
    }

    /// The version once it stands somewhere.
    async fn standing(&mut self, version: &PolicyVersion, state: State) -> PolicyVersion {
        let admin = self.admin.clone();
        eventually("the state of the version", async || {
            let request = GetPolicyVersionRequest {
                policy_version_id: version.policy_version_id.clone(),
                ..GetPolicyVersionRequest::default()
            };
            let found = done!(admin.clone().get_policy_version(request));
            (found.state() == state).then_some(found)
        })
        .await
    }

    /// Label of the version that is in force on a day.
    async fn in_force(&mut self, policy: &Policy, day: &str) -> Option<String> {
        let request = GetPolicyVersionRequest {
            policy_id: policy.policy_id.clone(),
            on_date: date(day),
            ..GetPolicyVersionRequest::default()
        };
        let found = self.admin.get_policy_version(request).await;
        found.ok().map(|found| found.into_inner().policy_version.unwrap().label)
    }

    async fn duties(&mut self, policy: &Policy) -> Vec<PolicyDuty> {
        let request = ListPolicyDutiesRequest {
            policy_id: policy.policy_id.clone(),
            ..ListPolicyDutiesRequest::default()
        };
        self.duties.list_policy_duties(request).await.unwrap().into_inner().policy_duties
    }
}

fn acknowledgement(version: &PolicyVersion) -> AcknowledgePolicyVersionRequest {
    AcknowledgePolicyVersionRequest {
        request_id: key(),
        policy_version_id: version.policy_version_id.clone(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn d_01_drafter_reviewer_countersigners_and_approver_are_different_people() {
    each(archive::SERVICE, async |bed| {
        let mut office = Office::of(bed);
        let policy = office.register(document("MQR/2000-SOP-CRM-03")).await;
        assert_eq!(
            refused(office.admin.register_policy(document("MQR/2000-SOP-CRM-03")).await),
            (Code::AlreadyExists, "POLICY_DOC_NO_UNIQUE".to_owned())
        );
        // Everybody here may do every step; that they are different people is what counts.
        let all = [Role::PolicyAdmin, Role::ServiceManager, Role::Finance, Role::ItDepartment, Role::Leader];
        let person = |name: &str| PolicyServiceClient::new(bed.staff_named(name, &all));
        let (mut zhao, mut qian, mut sun, mut li, mut zhou) = (person("zhao"), person("qian"), person("sun"), person("li"), person("zhou"));
        let denied = |reason: &str| (Code::PermissionDenied, reason.to_owned());
        let state = || (Code::FailedPrecondition, "POLICY_STATE".to_owned());

        let draft = done!(zhao.draft_policy_version(Office::draft_of(&policy, "C / 2", page("2025-01-03"))));
        assert_eq!((draft.label.as_str(), draft.drafter.as_str(), draft.state()), ("C/2", "zhao", State::Draft));
        assert_eq!(
            refused(zhao.draft_policy_version(Office::draft_of(&policy, "C/3", page("2025-01-03"))).await),
            (Code::FailedPrecondition, "POLICY_VERSION_IN_WORK".to_owned())
        );
        let submit = |version: &PolicyVersion, signers: &[&str]| SubmitPolicyVersionRequest {
            countersigners: signers.iter().map(|s| (*s).to_owned()).collect(),
            ..Office::submission(version)
        };
        assert_eq!(
            refused(qian.submit_policy_version(submit(&draft, &["sun", "li"])).await),
            denied("POLICY_NOT_DRAFTER")
        );
        for (signers, reason) in [(["sun", "zhao"], "POLICY_COUNTERSIGNER"), (["sun", "sun"], "DUPLICATE")] {
            assert_eq!(
                refused(zhao.submit_policy_version(submit(&draft, &signers)).await),
                (Code::InvalidArgument, reason.to_owned())
            );
        }
        let version = done!(zhao.submit_policy_version(submit(&draft, &["sun", "li"])));
        assert_eq!((version.state(), version.content_digest.len()), (State::Reviewing, 64));
        let revise = RevisePolicyVersionRequest {
            request_id: key(),
            policy_version_id: version.policy_version_id.clone(),
            etag: version.etag.clone(),
            control_page: Some(page("2025-01-03")),
            sections: sections(),
        };
        assert_eq!(refused(zhao.revise_policy_version(revise).await), state());
        assert_eq!(
            refused(qian.review_policy_version(step!(ReviewPolicyVersionRequest, draft)).await).1,
            "ETAG_MISMATCH"
        );
        for client in [&mut zhao, &mut sun] {
            assert_eq!(
                refused(client.review_policy_version(step!(ReviewPolicyVersionRequest, version)).await),
                denied("POLICY_SAME_PERSON")
            );
        }
        // It goes back and comes again; review and signatures are given anew.
        let back = ReturnPolicyVersionRequest {
            request_id: key(),
            policy_version_id: version.policy_version_id.clone(),
            etag: version.etag.clone(),
            reason: "范围不清".to_owned(),
        };
        let draft = done!(qian.return_policy_version(back));
        assert_eq!(
            (draft.state(), draft.reason.as_str(), draft.content_digest.as_str()),
            (State::Draft, "范围不清", "")
        );
        let revise = |version: &PolicyVersion| RevisePolicyVersionRequest {
            request_id: key(),
            policy_version_id: version.policy_version_id.clone(),
            etag: version.etag.clone(),
            control_page: Some(page("2025-01-04")),
            sections: sections(),
        };
        assert_eq!(refused(qian.revise_policy_version(revise(&draft)).await), denied("POLICY_NOT_DRAFTER"));
        let draft = done!(zhao.revise_policy_version(revise(&draft)));
        let version = done!(zhao.submit_policy_version(submit(&draft, &["sun", "li"])));
        let version = done!(qian.review_policy_version(step!(ReviewPolicyVersionRequest, version)));
        assert_eq!(version.reviewer, "qian");
        assert_eq!(
            refused(qian.countersign_policy_version(step!(CountersignPolicyVersionRequest, version)).await),
            denied("POLICY_NOT_COUNTERSIGNER")
        );
        let version = done!(sun.countersign_policy_version(step!(CountersignPolicyVersionRequest, version)));
        assert_eq!(
            refused(sun.countersign_policy_version(step!(CountersignPolicyVersionRequest, version)).await),
            (Code::FailedPrecondition, "POLICY_COUNTERSIGNED".to_owned())
        );
        assert_eq!(
            refused(zhou.approve_policy_version(step!(ApprovePolicyVersionRequest, version)).await),
            (Code::FailedPrecondition, "POLICY_COUNTERSIGNATURES_MISSING".to_owned())
        );
        let version = done!(li.countersign_policy_version(step!(CountersignPolicyVersionRequest, version)));
        for client in [&mut zhao, &mut qian, &mut sun, &mut li] {
            assert_eq!(
                refused(client.approve_policy_version(step!(ApprovePolicyVersionRequest, version)).await),
                denied("POLICY_SAME_PERSON")
            );
        }
        assert_eq!(refused(zhao.issue_policy_version(step!(IssuePolicyVersionRequest, version)).await), state());
        let version = done!(zhou.approve_policy_version(step!(ApprovePolicyVersionRequest, version)));
        let version = done!(zhao.issue_policy_version(step!(IssuePolicyVersionRequest, version)));
        assert_eq!((version.state(), version.approver.as_str()), (State::Issued, "zhou"));
        assert_eq!(
            (version.issue_date, version.effective_date, version.last_date),
            (date("2025-01-02"), date("2025-01-04"), None)
        );
        assert_eq!(events(bed, &policy.policy_id).await, ["PolicyIssued"]);
        assert_eq!(refused(zhou.approve_policy_version(step!(ApprovePolicyVersionRequest, version)).await), state());
        // Only a leader approves, only the administrator issues.
        let mut cashier = PolicyServiceClient::new(bed.staff(&[Role::Cashier]));
        assert_eq!(
            refused(cashier.issue_policy_version(step!(IssuePolicyVersionRequest, version)).await).0,
            Code::PermissionDenied
        );
    })
    .await;
}

/// How a control page is without one of the fields that the seven clauses need, in their order.
type Without = fn(&mut PolicyControlPage);

const SEVEN_CLAUSES: [(&str, &str, Without); 22] = [
    ("REWARD_AND_PENALTY", "reward_and_penalty", |p| p.reward_and_penalty = " ".to_owned()),
    ("DEPARTMENTS", "issuing_department", |p| p.issuing_department.clear()),
    ("DEPARTMENTS", "inspecting_department", |p| p.inspecting_department.clear()),
    ("DEPARTMENTS", "reviewing_department", |p| p.reviewing_department.clear()),
    ("DEPARTMENTS", "executing_department", |p| p.executing_department.clear()),
    ("DEPARTMENTS", "training_department", |p| p.training_department.clear()),
    ("DEPARTMENTS", "examining_department", |p| p.examining_department.clear()),
    ("DEPARTMENTS", "distribution_form", |p| p.distribution_form.clear()),
    ("SCOPE", "scope", |p| p.scope.clear()),
    ("SCOPE", "report_to", |p| p.report_to.clear()),
    ("SCOPE", "send_to", |p| p.send_to.clear()),
    ("DATES", "effective_date", |p| p.effective_date = None),
    ("DATES", "valid_until_date", |p| p.until_changed = false),
    ("CYCLES", "training_days", |p| p.training_days = 0),
    ("CYCLES", "inspection_days", |p| p.inspection_days = 0),
    ("CYCLES", "review_days", |p| p.review_days = 0),
    ("CYCLES", "exam_days", |p| p.exam_days = 0),
    ("CYCLES", "notification_days", |p| p.notification_days = 0),
    ("CYCLES", "notification_form", |p| p.notification_form.clear()),
    ("CYCLES", "notification_content", |p| p.notification_content.clear()),
    ("INTERPRETATION", "interpreting_department", |p| p.interpreting_department.clear()),
    ("CONFLICTS", "conflict_handling", |p| p.conflict_handling.clear()),
];

#[tokio::test(flavor = "multi_thread")]
async fn d_01_each_field_of_the_seven_clauses_and_a_distribution_list_must_be_explicit() {
    each(archive::SERVICE, async |bed| {
        let mut office = Office::of(bed);
        let full = || page("2025-01-03");
        let without = |lacking: &[(&str, &str, Without)]| {
            let mut page = full();
            for (.., without) in lacking {
                without(&mut page);
            }
            page
        };
        // Each field by itself, then all of them.
        for (n, lacking) in SEVEN_CLAUSES.chunks(1).chain([&SEVEN_CLAUSES[..]]).enumerate() {
            let policy = office.register(document(&format!("D-{n}"))).await;
            let version = office.approved(&policy, "A/0", without(lacking)).await;
            let status = office.admin.issue_policy_version(step!(IssuePolicyVersionRequest, version)).await.unwrap_err();
            assert_eq!((status.code(), reason(&status).as_str()), (Code::FailedPrecondition, "POLICY_CLAUSES_MISSING"));
            let metadata = status.get_details_error_info().unwrap().metadata;
            let fields: Vec<_> = lacking.iter().map(|(_, field, _)| *field).collect();
            let mut clauses: Vec<_> = lacking.iter().map(|(clause, ..)| *clause).collect();
            clauses.dedup();
            assert_eq!((&metadata["clauses"], &metadata["fields"]), (&clauses.join(" "), &fields.join(" ")));
        }
        let policy = office.register(document("D-nobody")).await;
        let nobody = PolicyControlPage {
            distribution: vec![],
            ..full()
        };
        let version = office.approved(&policy, "A/0", nobody).await;
        assert_eq!(
            refused(office.admin.issue_policy_version(step!(IssuePolicyVersionRequest, version)).await).1,
            "POLICY_DISTRIBUTION_EMPTY"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s_07_control_page_and_numbered_sections_are_data_and_a_type_asks_for_parts() {
    each(archive::SERVICE, async |bed| {
        let mut office = Office::of(bed);
        let requirements = office
            .admin
            .list_policy_type_requirements(ListPolicyTypeRequirementsRequest {})
            .await
            .unwrap()
            .into_inner()
            .requirements;
        let parts = |kind: PolicyType| requirements.iter().find(|r| r.r#type() == kind).unwrap().required_parts.clone();
        let four = [PolicyPart::Preface, PolicyPart::Purpose, PolicyPart::Objective, PolicyPart::Principle].map(i32::from);
        assert_eq!((parts(PolicyType::Management), parts(PolicyType::Work)), (four.to_vec(), vec![]));

        let policy = office.register(document("MQR-1")).await;
        let version = office.draft(&policy, "2012-1", page("2025-01-03")).await;
        assert_eq!(version.control_page, Some(page("2025-01-03")));
        assert_eq!(version.sections, sections());
        let revise = |version: &PolicyVersion, sections| RevisePolicyVersionRequest {
            request_id: key(),
            policy_version_id: version.policy_version_id.clone(),
            etag: version.etag.clone(),
            control_page: Some(page("2025-01-03")),
            sections,
        };
        let twice = [sections(), sections()].concat();
        assert_eq!(
            refused(office.admin.revise_policy_version(revise(&version, twice)).await),
            (Code::InvalidArgument, "DUPLICATE".to_owned())
        );
        let backwards = PolicyControlPage {
            valid_until_date: date("2025-01-02"),
            until_changed: false,
            ..page("2025-01-03")
        };
        let request = RevisePolicyVersionRequest {
            control_page: Some(backwards),
            ..revise(&version, sections())
        };
        assert_eq!(refused(office.admin.revise_policy_version(request).await).1, "PERIOD");
        let poor = done!(office.admin.revise_policy_version(revise(&version, sections()[2..].to_vec())));
        let status = office.admin.submit_policy_version(Office::submission(&poor)).await.unwrap_err();
        assert_eq!(reason(&status), "POLICY_PARTS_MISSING");
        assert_eq!(status.get_details_error_info().unwrap().metadata["parts"], "PREFACE PURPOSE");

        let require = |etag: &str| SetPolicyTypeRequirementRequest {
            request_id: key(),
            r#type: PolicyType::Management.into(),
            etag: etag.to_owned(),
            required_parts: vec![PolicyPart::Principle.into(), PolicyPart::Objective.into()],
        };
        let etag = requirements.iter().find(|r| r.r#type() == PolicyType::Management).unwrap().etag.clone();
        let now = office
            .admin
            .set_policy_type_requirement(require(&etag))
            .await
            .unwrap()
            .into_inner()
            .requirement
            .unwrap();
        assert_eq!(now.required_parts, [i32::from(PolicyPart::Objective), i32::from(PolicyPart::Principle)]);
        assert_eq!(refused(office.admin.set_policy_type_requirement(require(&etag)).await).1, "ETAG_MISMATCH");
        let submitted = done!(office.admin.submit_policy_version(Office::submission(&poor)));
        assert_eq!(submitted.state(), State::Reviewing);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d_e_labels_sort_by_their_parts_and_only_within_a_document() {
    each(archive::SERVICE, async |bed| {
        let mut office = Office::of(bed);
        let policy = office.register(document("MQR/2000-SOP-CRM-03")).await;
        for label in ["C/1", "C/2", "C/9", "C/10", "D/0"] {
            let version = office.draft(&policy, label, page("2025-01-03")).await;
            let withdraw = WithdrawPolicyVersionRequest {
                request_id: key(),
                policy_version_id: version.policy_version_id,
                etag: version.etag,
                reason: "重写".to_owned(),
            };
            assert_eq!(done!(office.admin.withdraw_policy_version(withdraw)).state(), State::Withdrawn);
        }
        for (label, code, expected) in [
            ("C/11", Code::FailedPrecondition, "POLICY_LABEL_ORDER"),
            ("D/0", Code::FailedPrecondition, "POLICY_LABEL_ORDER"),
            ("2012-1", Code::FailedPrecondition, "POLICY_LABEL_STYLE"),
            ("D/01", Code::InvalidArgument, "POLICY_LABEL"),
            ("第一版", Code::InvalidArgument, "POLICY_LABEL"),
        ] {
            let status = office.admin.draft_policy_version(Office::draft_of(&policy, label, page("2025-01-03"))).await;
            assert_eq!(refused(status), (code, expected.to_owned()), "{label}");
        }
        let request = GetPolicyRequest {
            policy_id: policy.policy_id.clone(),
        };
        let got = office.admin.get_policy(request).await.unwrap().into_inner().policy.unwrap();
        let labels: Vec<_> = got.versions.iter().map(|version| version.label.as_str()).collect();
        assert_eq!(labels, ["C/1", "C/2", "C/9", "C/10", "D/0"]);
        assert!(got.versions.iter().all(|version| version.control_page.is_none()));

        // Another document has labels of its own, of whichever form.
        let other = office.register(document("QZ-2012")).await;
        office.draft(&other, "2012-1", page("2025-01-03")).await;
        let third = office.register(document("QZ-2013")).await;
        office.draft(&third, "A/0", page("2025-01-03")).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d_02_one_version_in_force_a_day() {
    each(archive::SERVICE, async |bed| {
        let mut office = Office::of(bed);
        let policy = office.register(document("MQR-2")).await;
        let withdraw = |version: &PolicyVersion| WithdrawPolicyVersionRequest {
            request_id: key(),
            policy_version_id: version.policy_version_id.clone(),
            etag: version.etag.clone(),
            reason: "重写".to_owned(),
        };
        let first = office.issued(&policy, "C/2", page("2025-01-03")).await;
        assert_eq!(office.in_force(&policy, "2025-01-02").await, None);
        bed.clock().set(at("2025-01-03T00:00:00+08:00")).unwrap();
        office.standing(&first, State::Effective).await;

        let same_day = office.approved(&policy, "C/3", page("2025-01-03")).await;
        assert_eq!(
            refused(office.admin.issue_policy_version(step!(IssuePolicyVersionRequest, same_day)).await).1,
            "POLICY_EFFECTIVE_ORDER"
        );
        done!(office.admin.withdraw_policy_version(withdraw(&same_day)));
        let second = office.issued(&policy, "C/4", page("2025-02-01")).await;
        assert_eq!(second.supersedes_version_id, first.policy_version_id);
        for (day, expected) in [("2025-01-03", "C/2"), ("2025-01-31", "C/2"), ("2025-02-01", "C/4"), ("2030-01-01", "C/4")] {
            assert_eq!(office.in_force(&policy, day).await.as_deref(), Some(expected), "{day}");
        }
        // Given up before its day, the one before goes on.
        done!(office.admin.withdraw_policy_version(withdraw(&second)));
        assert_eq!(office.in_force(&policy, "2025-02-01").await.as_deref(), Some("C/2"));
        let third = office.issued(&policy, "D/0", page("2025-02-01")).await;

        // The database holds it by itself.
        for (sql, expected) in [
            ("UPDATE policy_version SET live_until = NULL WHERE id = $1", "POLICY_VERSION_OVERLAP"),
            ("UPDATE policy_version SET live_until = '2025-02-02' WHERE id = $1", "POLICY_VERSION_OVERLAP"),
        ] {
            assert_eq!(raw(bed, sql, vec![uuid(&first.policy_version_id)]).await, Err(expected.to_owned()), "{sql}");
        }
        bed.clock().set(at("2025-02-01T09:00:00+08:00")).unwrap();
        office.standing(&third, State::Effective).await;
        let former = office.standing(&first, State::Superseded).await;
        assert_eq!(former.last_date, date("2025-01-31"));
        assert_eq!(
            raw(
                bed,
                "UPDATE policy_version SET state = 'EFFECTIVE' WHERE id = $1",
                vec![uuid(&first.policy_version_id)]
            )
            .await,
            Err("POLICY_VERSION_ONE_EFFECTIVE".to_owned())
        );
        let told: Vec<_> = events(bed, &policy.policy_id)
            .await
            .into_iter()
            .filter(|kind| kind != "PolicyDutyOverdue")
            .collect();
        assert_eq!(
            told,
            [
                "PolicyIssued",
                "PolicyEffective",
                "PolicyIssued",
                "PolicyWithdrawn",
                "PolicyIssued",
                "PolicySuperseded",
                "PolicyEffective"
            ]
        );
        // Withdrawn while in force, it ends with the day.
        let third = office.version(&third.policy_version_id).await;
        let ended = done!(office.admin.withdraw_policy_version(withdraw(&third)));
        assert_eq!((ended.state(), ended.last_date), (State::Withdrawn, date("2025-02-01")));
        assert_eq!(office.in_force(&policy, "2025-02-01").await.as_deref(), Some("D/0"));
        assert_eq!(office.in_force(&policy, "2025-02-02").await, None);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d_e_a_retroactive_effective_day_is_refused() {
    each(archive::SERVICE, async |bed| {
        let mut office = Office::of(bed);
        let policy = office.register(document("MQR-7")).await;
        let version = office.approved(&policy, "C/1", page("2025-01-01")).await;
        assert_eq!(
            refused(office.admin.issue_policy_version(step!(IssuePolicyVersionRequest, version)).await),
            (Code::FailedPrecondition, "POLICY_RETROACTIVE".to_owned())
        );
        // It goes back and comes again with another day.
        let back = ReturnPolicyVersionRequest {
            request_id: key(),
            policy_version_id: version.policy_version_id.clone(),
            etag: version.etag,
            reason: "日期".to_owned(),
        };
        assert_eq!(done!(office.leader.return_policy_version(back)).state(), State::Draft);
        let sql = "UPDATE policy_version SET issued_on = '2025-01-02', live_from = '2025-01-01' WHERE id = $1";
        assert!(raw(bed, sql, vec![uuid(&version.policy_version_id)]).await.is_err());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d_03_duties_fall_due_renew_and_are_told_when_overdue() {
    each(archive::SERVICE, async |bed| {
        let mut office = Office::of(bed);
        let policy = office.register(document("MQR-3")).await;
        let version = office.issued(&policy, "2012-1", page("2025-01-03")).await;
        let seen = |duties: &[PolicyDuty]| {
            let mut seen: Vec<_> = duties
                .iter()
                .map(|duty| (duty.kind().as_str_name().replace("KIND_", ""), duty.department.clone(), duty.due_date))
                .collect();
            seen.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
            seen
        };
        let duty = |kind: &str, department: &str, due| (kind.to_owned(), department.to_owned(), date(due));
        let training = [duty("TRAINING", "客户服务部", "2025-01-16"), duty("TRAINING", "河西营业所", "2025-01-16")];
        assert_eq!(seen(&office.duties(&policy).await), training);
        bed.clock().set(at("2025-01-03T08:00:00+08:00")).unwrap();
        office.standing(&version, State::Effective).await;
        let duties = office.duties(&policy).await;
        let mut expected = vec![
            duty("EXAM", "考试部", "2026-01-03"),
            duty("INSPECTION", "检查部", "2025-07-02"),
            duty("NOTIFICATION", "行政中心", "2025-04-03"),
            // Valid while unchanged, and reviewed all the same.
            duty("REVIEW", "评审部", "2026-01-03"),
        ];
        expected.extend(training);
        assert_eq!(seen(&duties), expected);

        let of = |duties: &[PolicyDuty], department: &str| duties.iter().find(|duty| duty.department == department).cloned().unwrap();
        let complete = |duty: &PolicyDuty| CompletePolicyDutyRequest {
            request_id: key(),
            policy_duty_id: duty.policy_duty_id.clone(),
            etag: duty.etag.clone(),
            evidence: "培训签到表".to_owned(),
        };
        let trained = office
            .duties
            .complete_policy_duty(complete(&of(&duties, "客户服务部")))
            .await
            .unwrap()
            .into_inner();
        assert!(trained.next_policy_duty.is_none());
        let done = trained.policy_duty.unwrap();
        assert_eq!(
            (done.state(), done.done_date, done.done_by.as_str()),
            (policy_duty::State::Done, date("2025-01-03"), "zhao-admin")
        );
        assert_eq!(refused(office.duties.complete_policy_duty(complete(&done)).await).1, "POLICY_DUTY_STATE");
        let stale = complete(&of(&duties, "客户服务部"));
        assert_eq!(refused(office.duties.complete_policy_duty(stale).await).1, "ETAG_MISMATCH");

        // On its last day a duty is in time, on the day after it is overdue and told once.
        bed.clock().set(at("2025-01-16T23:00:00+08:00")).unwrap();
        let exam = office.duties.complete_policy_duty(complete(&of(&duties, "考试部"))).await.unwrap().into_inner();
        assert_eq!(exam.next_policy_duty.unwrap().due_date, date("2026-01-16"));
        // 16 January and 180, 90 and 365 days.
        for (kind, department, next) in [
            (policy_duty::Kind::Inspection, "检查部", "2025-07-15"),
            (policy_duty::Kind::Notification, "行政中心", "2025-04-16"),
            (policy_duty::Kind::Review, "评审部", "2026-01-16"),
        ] {
            let done = office
                .duties
                .complete_policy_duty(complete(&of(&duties, department)))
                .await
                .unwrap()
                .into_inner();
            assert_eq!(done.policy_duty.unwrap().state(), policy_duty::State::Done);
            let renewed = done.next_policy_duty.unwrap();
            assert_eq!((renewed.kind(), renewed.state()), (kind, policy_duty::State::Open));
            assert_eq!((renewed.department.as_str(), renewed.due_date), (department, date(next)));
        }
        assert_eq!(events(bed, &policy.policy_id).await, ["PolicyIssued", "PolicyEffective"]);
        bed.clock().set(at("2025-01-17T00:30:00+08:00")).unwrap();
        let overdue = eventually("the overdue training", async || {
            let request = ListPolicyDutiesRequest {
                state: policy_duty::State::Overdue.into(),
                department: "河西营业所".to_owned(),
                ..ListPolicyDutiesRequest::default()
            };
            office
                .duties
                .clone()
                .list_policy_duties(request)
                .await
                .unwrap()
                .into_inner()
                .policy_duties
                .pop()
        })
        .await;
        let told = rows(bed, "SELECT data FROM event WHERE kind = 'hearth.archive.v1.PolicyDutyOverdue'", vec![]).await;
        assert_eq!(told.len(), 1);
        let told = PolicyDutyOverdue::decode(told[0].try_get_by_index::<Vec<u8>>(0).unwrap().as_slice()).unwrap();
        assert_eq!(
            (told.policy_duty_id, told.report_to),
            (overdue.policy_duty_id.clone(), vec!["连锁各部门总监".to_owned()])
        );
        assert_eq!((told.kind, told.due_date), (policy_duty::Kind::Training.into(), date("2025-01-16")));
        // Late is better than never.
        let late = office
            .duties
            .complete_policy_duty(complete(&overdue))
            .await
            .unwrap()
            .into_inner()
            .policy_duty
            .unwrap();
        assert_eq!(late.state(), policy_duty::State::Done);

        // The duties of a version end with it.
        let now = office.version(&version.policy_version_id).await;
        let withdraw = WithdrawPolicyVersionRequest {
            request_id: key(),
            policy_version_id: now.policy_version_id,
            etag: now.etag,
            reason: "废止".to_owned(),
        };
        done!(office.admin.withdraw_policy_version(withdraw));
        let left = office.duties(&policy).await;
        let open = |duty: &&PolicyDuty| matches!(duty.state(), policy_duty::State::Open | policy_duty::State::Overdue);
        assert_eq!((left.len(), left.iter().filter(open).count()), (10, 0));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d_e_a_branch_opened_after_the_issue_gets_the_training_duty() {
    each(archive::SERVICE, async |bed| {
        let mut office = Office::of(bed);
        let policy = office.register(document("MQR-4")).await;
        let version = office.issued(&policy, "A/0", page("2025-01-03")).await;
        let add = |version: &PolicyVersion, department: &str| AddPolicyDepartmentRequest {
            request_id: key(),
            policy_version_id: version.policy_version_id.clone(),
            etag: version.etag.clone(),
            department: department.to_owned(),
        };
        assert_eq!(
            refused(office.admin.add_policy_department(add(&version, "河西营业所")).await),
            (Code::AlreadyExists, "POLICY_DEPARTMENT_KNOWN".to_owned())
        );
        bed.clock().set(at("2025-03-01T09:00:00+08:00")).unwrap();
        let version = office.standing(&version, State::Effective).await;
        let version = done!(office.admin.add_policy_department(add(&version, "和平营业所")));
        assert_eq!(version.added_departments, ["和平营业所"]);
        assert_eq!(
            refused(office.admin.add_policy_department(add(&version, "和平营业所")).await).1,
            "POLICY_DEPARTMENT_KNOWN"
        );
        let duty = office.duties(&policy).await.into_iter().find(|duty| duty.department == "和平营业所").unwrap();
        // Two weeks from the day on which it was added.
        assert_eq!((duty.kind(), duty.due_date), (policy_duty::Kind::Training, date("2025-03-15")));
        let mut duties = office.duties.clone();
        let mut coverage = async || {
            let request = GetPolicyCoverageRequest {
                policy_version_id: version.policy_version_id.clone(),
                staff: vec!["new-cashier".to_owned()],
            };
            duties.get_policy_coverage(request).await.unwrap().into_inner().policy_coverage.unwrap()
        };
        let before = coverage().await;
        assert_eq!(before.untrained_departments, ["和平营业所", "客户服务部", "河西营业所"]);
        assert_eq!(before.missing, ["new-cashier"]);
        // It is trained, and its people acknowledge what was issued before they were there.
        let complete = CompletePolicyDutyRequest {
            request_id: key(),
            policy_duty_id: duty.policy_duty_id,
            etag: duty.etag,
            evidence: "签到表".to_owned(),
        };
        office.duties.complete_policy_duty(complete).await.unwrap();
        let mut cashier = PolicyDutyServiceClient::new(bed.staff_named("new-cashier", &[Role::Cashier]));
        cashier.acknowledge_policy_version(acknowledgement(&version)).await.unwrap();
        let after = coverage().await;
        assert_eq!((after.trained_departments, after.missing.len()), (vec!["和平营业所".to_owned()], 0));
        let draft = office.draft(&policy, "A/1", page("2025-04-01")).await;
        assert_eq!(refused(office.admin.add_policy_department(add(&draft, "南开营业所")).await).1, "POLICY_STATE");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d_e_a_department_that_was_added_goes_along_to_the_next_versions() {
    each(archive::SERVICE, async |bed| {
        let mut office = Office::of(bed);
        let policy = office.register(document("MQR-5")).await;
        let first = office.issued(&policy, "A/0", page("2025-01-03")).await;
        let add = |version: &PolicyVersion, department: &str| AddPolicyDepartmentRequest {
            request_id: key(),
            policy_version_id: version.policy_version_id.clone(),
            etag: version.etag.clone(),
            department: department.to_owned(),
        };
        let first = done!(office.admin.add_policy_department(add(&first, "和平营业所")));
        let first = done!(office.admin.add_policy_department(add(&first, "南开营业所")));
        bed.clock().set(at("2025-03-01T09:00:00+08:00")).unwrap();
        // The next page names one of them itself; the other goes along.
        let mut named = page("2025-04-01");
        named.distribution.push("和平营业所".to_owned());
        let second = office.issued(&policy, "A/1", named).await;
        assert_eq!(second.added_departments, ["南开营业所"]);
        let training = async |office: &mut Office, version: &PolicyVersion| {
            let duties = office.duties(&policy).await.into_iter();
            let of = duties.filter(|duty| duty.policy_version_id == version.policy_version_id && duty.kind() == policy_duty::Kind::Training);
            let mut found: Vec<_> = of.map(|duty| (duty.department, duty.due_date)).collect();
            found.sort_by(|a, b| a.0.cmp(&b.0));
            found
        };
        let due = |departments: &[&str], day: &str| departments.iter().map(|d| ((*d).to_owned(), date(day))).collect::<Vec<_>>();
        let all = ["南开营业所", "和平营业所", "客户服务部", "河西营业所"];
        assert_eq!(training(&mut office, &second).await, due(&all, "2025-03-15"));

        // What is added to the version in force is added to the one that waits for its day.
        bed.clock().set(at("2025-03-05T09:00:00+08:00")).unwrap();
        let first = office.standing(&first, State::Effective).await;
        let first = done!(office.admin.add_policy_department(add(&first, "河东营业所")));
        assert_eq!(first.added_departments, ["和平营业所", "南开营业所", "河东营业所"]);
        let second = office.version(&second.policy_version_id).await;
        assert_eq!(second.added_departments, ["南开营业所", "河东营业所"]);
        let new = training(&mut office, &second)
            .await
            .into_iter()
            .find(|(department, _)| department == "河东营业所");
        assert_eq!(new, due(&["河东营业所"], "2025-03-19").pop());
        // And on to the third.
        let third = office.issued(&policy, "A/2", page("2025-05-01")).await;
        assert_eq!(third.added_departments, ["南开营业所", "河东营业所"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s_03_the_code_of_conduct_is_acknowledged_every_year_by_all_staff() {
    each(archive::SERVICE, async |bed| {
        let mut office = Office::of(bed);
        let conduct = RegisterPolicyRequest {
            title: "员工行为准则".to_owned(),
            code_of_conduct: true,
            ..document("CODE-1")
        };
        let policy = office.register(conduct).await;
        let staff = |name: &str, role| PolicyDutyServiceClient::new(bed.staff_named(name, &[role]));
        let (mut cashier, mut reader) = (staff("he-cashier", Role::Cashier), staff("lv-reader", Role::Reader));
        let draft = office.draft(&policy, "A/0", page("2025-01-03")).await;
        assert_eq!(refused(cashier.acknowledge_policy_version(acknowledgement(&draft)).await).1, "POLICY_STATE");
        let withdraw = WithdrawPolicyVersionRequest {
            request_id: key(),
            policy_version_id: draft.policy_version_id,
            etag: draft.etag,
            reason: "重写".to_owned(),
        };
        done!(office.admin.withdraw_policy_version(withdraw));
        let version = office.issued(&policy, "A/1", page("2025-01-03")).await;
        let acknowledge = async |who: &mut PolicyDutyServiceClient<Client>| {
            let done = who.acknowledge_policy_version(acknowledgement(&version)).await?;
            Ok::<_, Status>(done.into_inner().policy_acknowledgement.unwrap())
        };
        let first = acknowledge(&mut cashier).await.unwrap();
        assert_eq!((first.staff.as_str(), first.renew_date), ("he-cashier", date("2026-01-02")));
        acknowledge(&mut reader).await.unwrap();
        assert_eq!(
            refused(acknowledge(&mut cashier).await),
            (Code::AlreadyExists, "POLICY_ACKNOWLEDGED".to_owned())
        );
        let everybody = ["he-cashier", "lv-reader", "shi-opener"];
        let mut duties = office.duties.clone();
        let mut coverage = async || {
            let request = GetPolicyCoverageRequest {
                policy_version_id: version.policy_version_id.clone(),
                staff: everybody.map(str::to_owned).to_vec(),
            };
            let coverage = duties.get_policy_coverage(request).await.unwrap().into_inner().policy_coverage.unwrap();
            (coverage.acknowledged, coverage.lapsed, coverage.missing)
        };
        assert_eq!(coverage().await, (2, 0, vec!["shi-opener".to_owned()]));
        // Thirty days before its end it may be renewed; the cashier does, the reader has left.
        bed.clock().set(at("2025-12-02T09:00:00+08:00")).unwrap();
        assert_eq!(refused(acknowledge(&mut cashier).await).1, "POLICY_ACKNOWLEDGED");
        bed.clock().set(at("2025-12-03T09:00:00+08:00")).unwrap();
        assert_eq!(acknowledge(&mut cashier).await.unwrap().renew_date, date("2026-12-03"));
        bed.clock().set(at("2026-01-02T09:00:00+08:00")).unwrap();
        assert_eq!(coverage().await, (1, 1, vec!["lv-reader".to_owned(), "shi-opener".to_owned()]));

        // Who audits reads and does not sign.
        let mut auditor = staff("hua-auditor", Role::Auditor);
        assert_eq!(
            refused(auditor.acknowledge_policy_version(acknowledgement(&version)).await).0,
            Code::PermissionDenied
        );
        let mut customer = PolicyDutyServiceClient::new(bed.customer(&key()));
        assert_eq!(
            refused(customer.acknowledge_policy_version(acknowledgement(&version)).await).0,
            Code::PermissionDenied
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d_e_a_leavers_acknowledgements_stay() {
    each(archive::SERVICE, async |bed| {
        let mut office = Office::of(bed);
        let policy = office.register(document("MQR-5")).await;
        let version = office.issued(&policy, "A/0", page("2025-01-03")).await;
        for name in ["he-cashier", "lv-reader", "shi-opener"] {
            let mut staff = PolicyDutyServiceClient::new(bed.staff_named(name, &[Role::Cashier]));
            let done = staff.acknowledge_policy_version(acknowledgement(&version)).await.unwrap().into_inner();
            // Once is enough for what is no code of conduct.
            assert_eq!(done.policy_acknowledgement.unwrap().renew_date, None);
        }
        // Nobody takes one away, whoever left.
        for sql in [
            "DELETE FROM policy_acknowledgement WHERE staff = $1",
            "UPDATE policy_acknowledgement SET renew_on = NULL WHERE staff = $1",
        ] {
            assert_eq!(
                raw(bed, sql, vec!["lv-reader".into()]).await,
                Err("POLICY_ACKNOWLEDGEMENT_IS_APPEND_ONLY".to_owned())
            );
        }
        let list = ListPolicyAcknowledgementsRequest {
            policy_version_id: version.policy_version_id.clone(),
            page_size: 2,
            page_token: String::new(),
        };
        let first = office.duties.list_policy_acknowledgements(list.clone()).await.unwrap().into_inner();
        let rest = ListPolicyAcknowledgementsRequest {
            page_token: first.next_page_token,
            ..list
        };
        let rest = office.duties.list_policy_acknowledgements(rest).await.unwrap().into_inner();
        let all: Vec<_> = first
            .policy_acknowledgements
            .into_iter()
            .chain(rest.policy_acknowledgements)
            .map(|ack| ack.staff)
            .collect();
        assert_eq!(all, ["he-cashier", "lv-reader", "shi-opener"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d_e_valid_until_changed_has_no_end_and_is_still_reviewed() {
    each(archive::SERVICE, async |bed| {
        let mut office = Office::of(bed);
        let policy = office.register(document("MQR-6")).await;
        let version = office.issued(&policy, "2012-1", page("2025-01-03")).await;
        assert_eq!(
            (version.last_date, office.in_force(&policy, "2199-12-31").await.as_deref()),
            (None, Some("2012-1"))
        );
        bed.clock().set(at("2026-01-03T09:00:00+08:00")).unwrap();
        office.standing(&version, State::Effective).await;
        let review = office
            .duties(&policy)
            .await
            .into_iter()
            .find(|duty| duty.kind() == policy_duty::Kind::Review)
            .unwrap();
        assert_eq!(review.due_date, date("2026-01-03"));
        let complete = CompletePolicyDutyRequest {
            request_id: key(),
            policy_duty_id: review.policy_duty_id,
            etag: review.etag,
            evidence: "评审记录".to_owned(),
        };
        let next = office
            .duties
            .complete_policy_duty(complete)
            .await
            .unwrap()
            .into_inner()
            .next_policy_duty
            .unwrap();
        assert_eq!((next.kind(), next.due_date), (policy_duty::Kind::Review, date("2027-01-03")));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d_05_the_higher_level_prevails_then_the_later_day_then_the_interpreting_department() {
    each(archive::SERVICE, async |bed| {
        let mut office = Office::of(bed);
        let levels = [
            ("G", PolicyLevel::Group, "2025-01-03"),
            ("C", PolicyLevel::Company, "2025-01-04"),
            ("E", PolicyLevel::Company, "2025-01-05"),
            ("F", PolicyLevel::Company, "2025-01-05"),
        ];
        let mut versions = vec![];
        for (doc_no, level, effective) in levels {
            let request = RegisterPolicyRequest {
                level: level.into(),
                ..document(doc_no)
            };
            let policy = office.register(request).await;
            versions.push(office.issued(&policy, "A/0", page(effective)).await);
        }
        let [group, early, late, same] = &versions[..] else { panic!("four versions") };
        let between = |first: &PolicyVersion, second: &PolicyVersion| ResolvePolicyConflictRequest {
            request_id: key(),
            first_version_id: first.policy_version_id.clone(),
            second_version_id: second.policy_version_id.clone(),
            clause: "借阅期限".to_owned(),
        };
        use policy_conflict::Rule;
        // Whichever is named first.
        for (winner, loser, rule) in [(group, late, Rule::HigherLevel), (late, early, Rule::LaterEffective)] {
            for (first, second) in [(winner, loser), (loser, winner)] {
                let conflict = office
                    .conflicts
                    .resolve_policy_conflict(between(first, second))
                    .await
                    .unwrap()
                    .into_inner()
                    .policy_conflict
                    .unwrap();
                assert_eq!((conflict.rule(), &conflict.prevailing_version_id), (rule, &winner.policy_version_id));
            }
        }
        assert_eq!(refused(office.conflicts.resolve_policy_conflict(between(late, late)).await).1, "DUPLICATE");
        let policy = office.register(document("H")).await;
        let draft = office.draft(&policy, "A/0", page("2025-01-03")).await;
        assert_eq!(refused(office.conflicts.resolve_policy_conflict(between(late, &draft)).await).1, "POLICY_STATE");

        let open = office
            .conflicts
            .resolve_policy_conflict(between(late, same))
            .await
            .unwrap()
            .into_inner()
            .policy_conflict
            .unwrap();
        assert_eq!((open.rule(), open.prevailing_version_id.as_str()), (Rule::Unspecified, ""));
        let mut head = PolicyConflictServiceClient::new(bed.staff_named("qian-service", &[Role::ServiceManager]));
        let decide = |version: &PolicyVersion, department: &str| DecidePolicyConflictRequest {
            request_id: key(),
            policy_conflict_id: open.policy_conflict_id.clone(),
            etag: open.etag.clone(),
            prevailing_version_id: version.policy_version_id.clone(),
            department: department.to_owned(),
            grounds: "后者更具体".to_owned(),
        };
        // The service manager does not speak for the department that interprets the other one, nor does finance for this one.
        let mut finance = PolicyConflictServiceClient::new(bed.staff_named(SIGNERS[0], &[Role::Finance]));
        for outsider in [&mut finance, &mut office.conflicts] {
            assert_eq!(
                refused(outsider.decide_policy_conflict(decide(same, "客户服务部")).await),
                (Code::PermissionDenied, "POLICY_NOT_OF_DEPARTMENT".to_owned())
            );
        }
        for (version, department, expected) in [
            (early, "客户服务部", "POLICY_CONFLICT_SIDE"),
            (same, "财务部", "POLICY_INTERPRETING_DEPARTMENT"),
        ] {
            assert_eq!(
                refused(head.decide_policy_conflict(decide(version, department)).await),
                (Code::InvalidArgument, expected.to_owned())
            );
        }
        let decided = head
            .decide_policy_conflict(decide(same, "客户服务部"))
            .await
            .unwrap()
            .into_inner()
            .policy_conflict
            .unwrap();
        assert_eq!((decided.rule(), decided.decided_by.as_str()), (Rule::InterpretingDepartment, "qian-service"));
        assert_eq!(decided.prevailing_version_id, same.policy_version_id);
        let again = DecidePolicyConflictRequest {
            etag: decided.etag,
            ..decide(late, "客户服务部")
        };
        assert_eq!(refused(head.decide_policy_conflict(again).await).1, "POLICY_CONFLICT_DECIDED");
        let list = ListPolicyConflictsRequest {
            policy_id: same.policy_id.clone(),
            ..ListPolicyConflictsRequest::default()
        };
        let of_one = head.list_policy_conflicts(list).await.unwrap().into_inner().policy_conflicts;
        let all = head
            .list_policy_conflicts(ListPolicyConflictsRequest::default())
            .await
            .unwrap()
            .into_inner()
            .policy_conflicts;
        assert_eq!((of_one.len(), all.len()), (1, 5));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d_05_who_decides_speaks_for_the_department_and_is_cleared_for_both_versions() {
    each(archive::SERVICE, async |bed| {
        let mut office = Office::of(bed);
        let mut versions = vec![];
        for (doc_no, secrecy, department) in [
            ("B1", PolicySecrecy::Internal, "河西营业所"),
            ("B2", PolicySecrecy::Internal, "安全委员会"),
            ("S1", PolicySecrecy::Secret, "财务部"),
        ] {
            let request = RegisterPolicyRequest {
                secrecy: secrecy.into(),
                ..document(doc_no)
            };
            let policy = office.register(request).await;
            let page = PolicyControlPage {
                interpreting_department: department.to_owned(),
                ..page("2025-01-05")
            };
            versions.push(office.issued(&policy, "A/0", page).await);
        }
        let [branch, committee, secret] = &versions[..] else {
            panic!("three versions")
        };
        let between = |first: &PolicyVersion, second: &PolicyVersion| ResolvePolicyConflictRequest {
            request_id: key(),
            first_version_id: first.policy_version_id.clone(),
            second_version_id: second.policy_version_id.clone(),
            clause: "借阅期限".to_owned(),
        };
        let decide = |conflict: &PolicyConflict, department: &str| DecidePolicyConflictRequest {
            request_id: key(),
            policy_conflict_id: conflict.policy_conflict_id.clone(),
            etag: conflict.etag.clone(),
            prevailing_version_id: conflict.second_version_id.clone(),
            department: department.to_owned(),
            grounds: "后者更具体".to_owned(),
        };
        let people = |client| PolicyConflictServiceClient::new(client);
        let mut admin = office.conflicts.clone();
        let mut open = async |first: &PolicyVersion, second: &PolicyVersion| {
            let answer = admin.resolve_policy_conflict(between(first, second)).await.unwrap().into_inner();
            answer.policy_conflict.unwrap()
        };
        let mut here = people(bed.staff_of("河西营业所", &[Role::DistrictManager]));
        let mut there = people(bed.staff_of(HEPING, &[Role::DistrictManager]));
        let mut finance = people(bed.staff_named(SIGNERS[0], &[Role::Finance]));
        let mut service = people(bed.staff_named("qian-service", &[Role::ServiceManager]));

        // A branch decides by its manager.
        let conflict = open(branch, committee).await;
        assert_eq!(
            refused(there.decide_policy_conflict(decide(&conflict, "河西营业所")).await).1,
            "POLICY_NOT_OF_DEPARTMENT"
        );
        here.decide_policy_conflict(decide(&conflict, "河西营业所")).await.unwrap();
        // A department that no role heads decides by the policy administrator.
        let conflict = open(branch, committee).await;
        assert_eq!(
            refused(service.decide_policy_conflict(decide(&conflict, "安全委员会")).await).1,
            "POLICY_NOT_OF_DEPARTMENT"
        );
        office.conflicts.decide_policy_conflict(decide(&conflict, "安全委员会")).await.unwrap();
        // What a caller may not read is not there: neither to decide nor on the list, nor can a conflict be recorded with it.
        let conflict = open(branch, secret).await;
        assert_eq!(refused(here.decide_policy_conflict(decide(&conflict, "河西营业所")).await).0, Code::NotFound);
        let all = async |client: &mut PolicyConflictServiceClient<Client>| {
            let list = client.list_policy_conflicts(ListPolicyConflictsRequest::default()).await.unwrap();
            list.into_inner().policy_conflicts.len()
        };
        assert_eq!((all(&mut here).await, all(&mut finance).await), (2, 3));
        finance.decide_policy_conflict(decide(&conflict, "财务部")).await.unwrap();
        let policy = office.register(RegisterPolicyRequest {
            secrecy: PolicySecrecy::TopSecret.into(),
            ..document("T1")
        });
        let policy = policy.await;
        office.led_by_leaders(bed);
        let top = office.issued(&policy, "A/0", page("2025-01-05")).await;
        assert_eq!(refused(service.resolve_policy_conflict(between(branch, &top)).await).0, Code::NotFound);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d_06_confidentiality_bounds_who_reads() {
    each(archive::SERVICE, async |bed| {
        let mut office = Office::of(bed);
        let mut versions = vec![];
        // Who takes part has to be cleared for it: a head of department is not for the last one.
        let mut head = office.reviewer.clone();
        for secrecy in [PolicySecrecy::Public, PolicySecrecy::Internal, PolicySecrecy::Secret, PolicySecrecy::TopSecret] {
            let request = RegisterPolicyRequest {
                secrecy: secrecy.into(),
                ..document(secrecy.as_str_name())
            };
            let policy = office.register(request).await;
            if secrecy == PolicySecrecy::TopSecret {
                let draft = Office::draft_of(&policy, "A/0", page("2025-01-03"));
                assert_eq!(refused(office.reviewer.draft_policy_version(draft).await).0, Code::NotFound);
                office.led_by_leaders(bed);
            }
            versions.push(office.issued(&policy, "A/0", page("2025-01-03")).await);
        }
        let back = ReturnPolicyVersionRequest {
            request_id: key(),
            policy_version_id: versions[3].policy_version_id.clone(),
            etag: versions[3].etag.clone(),
            reason: "再议".to_owned(),
        };
        assert_eq!(refused(head.return_policy_version(back).await).0, Code::NotFound);
        let duty = office.duties.list_policy_duties(ListPolicyDutiesRequest {
            policy_id: versions[3].policy_id.clone(),
            ..ListPolicyDutiesRequest::default()
        });
        let duty = duty.await.unwrap().into_inner().policy_duties.remove(0);
        let complete = CompletePolicyDutyRequest {
            request_id: key(),
            policy_duty_id: duty.policy_duty_id,
            etag: duty.etag,
            evidence: "签到表".to_owned(),
        };
        let mut finance = PolicyDutyServiceClient::new(bed.staff(&[Role::Finance]));
        assert_eq!(refused(finance.complete_policy_duty(complete).await).0, Code::NotFound);
        for (role, seen) in [(Role::Cashier, 2), (Role::Finance, 3), (Role::Leader, 4), (Role::Auditor, 4)] {
            let client = bed.staff(&[role]);
            let (mut policies, mut duties) = (PolicyServiceClient::new(client.clone()), PolicyDutyServiceClient::new(client));
            let listed = policies.list_policies(ListPoliciesRequest::default()).await.unwrap().into_inner().policies;
            assert_eq!(listed.len(), seen, "{role:?}");
            let due = duties
                .list_policy_duties(ListPolicyDutiesRequest::default())
                .await
                .unwrap()
                .into_inner()
                .policy_duties;
            assert_eq!(due.len(), 2 * seen, "{role:?}");
            for (n, version) in versions.iter().enumerate() {
                let request = GetPolicyVersionRequest {
                    policy_version_id: version.policy_version_id.clone(),
                    ..GetPolicyVersionRequest::default()
                };
                let found = policies.get_policy_version(request).await;
                assert_eq!(
                    found.map_or_else(|status| status.code(), |_| Code::Ok),
                    if n < seen { Code::Ok } else { Code::NotFound }
                );
                let request = GetPolicyRequest {
                    policy_id: version.policy_id.clone(),
                };
                assert_eq!(policies.get_policy(request).await.is_ok(), n < seen);
            }
        }
        let work = ListPoliciesRequest {
            r#type: PolicyType::Work.into(),
            ..ListPoliciesRequest::default()
        };
        assert!(office.admin.list_policies(work).await.unwrap().into_inner().policies.is_empty());
        let mut cashier = PolicyDutyServiceClient::new(bed.staff(&[Role::Cashier]));
        assert_eq!(
            refused(cashier.acknowledge_policy_version(acknowledgement(&versions[3])).await).0,
            Code::NotFound
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d_02_validity_with_a_last_day_ends_by_itself_also_when_nobody_looked() {
    each(archive::SERVICE, async |bed| {
        let mut office = Office::of(bed);
        let policy = office.register(document("MQR-9")).await;
        let until = PolicyControlPage {
            valid_until_date: date("2025-06-30"),
            until_changed: false,
            ..page("2025-01-03")
        };
        let version = office.issued(&policy, "A/0", until).await;
        assert_eq!(version.last_date, date("2025-06-30"));
        // The clock passes both days at once; the story is told in order.
        bed.clock().set(at("2025-07-01T00:00:00+08:00")).unwrap();
        office.standing(&version, State::Withdrawn).await;
        assert_eq!(events(bed, &policy.policy_id).await, ["PolicyIssued", "PolicyEffective", "PolicyWithdrawn"]);
        assert_eq!(office.in_force(&policy, "2025-06-30").await.as_deref(), Some("A/0"));
        assert_eq!(office.in_force(&policy, "2025-07-01").await, None);
    })
    .await;
}
