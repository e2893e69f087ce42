//! Policies as the contract shows them, and their content as it is given.

use calendar::Instant;
use contracts::hearth::{archive::v1 as proto, options::v1::Role};
use rpc::{Call, Fault, wire};

use super::{
    control::{ControlPage, Part, Section},
    duty,
    model::{self, Rule, Secrecy},
    store::{acknowledgement, conflict, document, requirement, row, task, unpack},
};

/// D-06: what the caller may read.
pub(crate) fn clearance(call: &Call) -> Secrecy {
    const EVERYTHING: [Role; 3] = [Role::PolicyAdmin, Role::Leader, Role::Auditor];
    const HEADS: [Role; 8] = [
        Role::ServiceManager,
        Role::CallbackDirector,
        Role::AdministrationManager,
        Role::Materials,
        Role::SpecialistDepartment,
        Role::Finance,
        Role::ItDepartment,
        Role::Personnel,
    ];
    model::clearance(EVERYTHING.iter().any(|role| call.has(*role)), HEADS.iter().any(|role| call.has(*role)))
}

/// D-05: whether the caller speaks for a department: as its head, as the manager of the branch of that name, or as policy administrator for a
/// department that no role heads.
pub(crate) fn speaks_for(call: &Call, department: &str) -> bool {
    const HEADS: [(&str, Role); 9] = [
        ("客户服务部", Role::ServiceManager),
        ("回访中心", Role::CallbackDirector),
        ("客户回访中心", Role::CallbackDirector),
        ("行政部", Role::AdministrationManager),
        ("物管部", Role::Materials),
        ("专业管理部门", Role::SpecialistDepartment),
        ("财务部", Role::Finance),
        ("信息技术部", Role::ItDepartment),
        ("人力资源部", Role::Personnel),
    ];
    match HEADS.iter().find(|(name, _)| *name == department) {
        Some((_, head)) => call.has(*head),
        None if call.branch() == Some(department) => call.has(Role::DistrictManager),
        None => call.has(Role::PolicyAdmin),
    }
}

/// The document, where the caller may read it.
pub(crate) fn readable(call: &Call, policy: document::Model) -> Result<document::Model, Fault> {
    if policy.secrecy()? <= clearance(call) {
        Ok(policy)
    } else {
        Err(Fault::not_found("policy", policy.id))
    }
}

pub(crate) fn requirement(row: requirement::Model) -> Result<proto::PolicyTypeRequirement, Fault> {
    let kind = model::Type::of(&row.kind).ok_or_else(|| crate::unknown_code("policy_requirement.kind"))?;
    let parts: Vec<Part> = unpack(&row.parts)?;
    Ok(proto::PolicyTypeRequirement {
        r#type: kind.number(),
        required_parts: parts.into_iter().map(Part::number).collect(),
        etag: rpc::etag(requirement_key(kind), row.version),
    })
}

/// What the version tag of a requirement is made of.
pub(crate) fn requirement_key(kind: model::Type) -> String {
    format!("policy-type/{}", kind.code())
}

pub(crate) fn policy(policy: document::Model, versions: Vec<row::Model>) -> Result<proto::Policy, Fault> {
    let (kind, level) = (policy.kind()?, policy.level()?);
    let versions = versions.into_iter().map(|version| head(&policy, version)).collect::<Result<_, _>>()?;
    Ok(proto::Policy {
        policy_id: policy.id.to_string(),
        etag: rpc::etag(policy.id, policy.version),
        doc_no: policy.doc_no,
        title: policy.title,
        r#type: kind.number(),
        level: level.number(),
        owner_department: policy.owner_department,
        secrecy: policy.secrecy,
        code_of_conduct: policy.code_of_conduct,
        versions,
        create_time: Some(wire::time(Instant::from_micros(policy.created_at))),
    })
}

/// A version without control page and sections.
fn head(policy: &document::Model, version: row::Model) -> Result<proto::PolicyVersion, Fault> {
    let countersignatures = version.signers()?.into_iter().map(|signer| proto::PolicyCountersignature {
        countersigner: signer.staff,
        sign_time: signer.signed_at.map(|at| wire::time(Instant::from_micros(at))),
    });
    Ok(proto::PolicyVersion {
        policy_version_id: version.id.to_string(),
        policy_id: policy.id.to_string(),
        doc_no: policy.doc_no.clone(),
        state: version.stands()?.number(),
        control_page: None,
        sections: vec![],
        countersignatures: countersignatures.collect(),
        added_departments: version.added()?,
        etag: rpc::etag(version.id, version.version),
        label: version.label,
        content_digest: version.content_digest,
        drafter: version.drafter,
        reviewer: version.reviewer,
        approver: version.approver,
        issue_date: version.issued_on.map(wire::date),
        effective_date: version.live_from.map(wire::date),
        last_date: version.live_until.and_then(|day| day.pred_opt()).map(wire::date),
        supersedes_version_id: version.supersedes_id.map(|id| id.to_string()).unwrap_or_default(),
        reason: version.reason,
    })
}

/// A version in full.
pub(crate) fn version(policy: &document::Model, version: row::Model) -> Result<proto::PolicyVersion, Fault> {
    let (page, sections) = (version.page()?, version.parts()?);
    Ok(proto::PolicyVersion {
        control_page: Some(control(page)),
        sections: sections
            .into_iter()
            .map(|section| proto::PolicySection {
                section_no: section.section_no,
                title: section.title,
                text: section.text,
                part: section.part.number(),
            })
            .collect(),
        ..head(policy, version)?
    })
}

fn control(page: ControlPage) -> proto::PolicyControlPage {
    proto::PolicyControlPage {
        printed_by: page.printed_by,
        proofread_by: page.proofread_by,
        copies: page.copies,
        reward_and_penalty: page.reward_and_penalty,
        issuing_department: page.issuing_department,
        inspecting_department: page.inspecting_department,
        reviewing_department: page.reviewing_department,
        executing_department: page.executing_department,
        training_department: page.training_department,
        examining_department: page.examining_department,
        distribution_form: page.distribution_form,
        scope: page.scope,
        report_to: page.report_to,
        send_to: page.send_to,
        distribution: page.distribution,
        effective_date: page.effective.map(wire::date),
        valid_until_date: page.valid_until.map(wire::date),
        until_changed: page.until_changed,
        training_days: page.training_days,
        inspection_days: page.inspection_days,
        review_days: page.review_days,
        exam_days: page.exam_days,
        notification_days: page.notification_days,
        notification_form: page.notification_form,
        notification_content: page.notification_content,
        interpreting_department: page.interpreting_department,
        conflict_handling: page.conflict_handling,
        contact_phone: page.contact_phone,
    }
}

/// The control page of a request; blanks around texts go, a name stands once in a list.
pub(crate) fn control_of(page: Option<&proto::PolicyControlPage>) -> Result<ControlPage, Fault> {
    let page = page.cloned().unwrap_or_default();
    let text = |text: String| text.trim().to_owned();
    let list = |names: Vec<String>| {
        let mut kept: Vec<String> = vec![];
        for name in names.into_iter().map(text) {
            if !name.is_empty() && !kept.contains(&name) {
                kept.push(name);
            }
        }
        kept
    };
    Ok(ControlPage {
        effective: wire::date_if(page.effective_date.as_ref(), "control_page.effective_date")?,
        valid_until: wire::date_if(page.valid_until_date.as_ref(), "control_page.valid_until_date")?,
        printed_by: text(page.printed_by),
        proofread_by: text(page.proofread_by),
        copies: page.copies,
        reward_and_penalty: text(page.reward_and_penalty),
        issuing_department: text(page.issuing_department),
        inspecting_department: text(page.inspecting_department),
        reviewing_department: text(page.reviewing_department),
        executing_department: text(page.executing_department),
        training_department: text(page.training_department),
        examining_department: text(page.examining_department),
        distribution_form: text(page.distribution_form),
        scope: text(page.scope),
        report_to: list(page.report_to),
        send_to: list(page.send_to),
        distribution: list(page.distribution),
        until_changed: page.until_changed,
        training_days: page.training_days,
        inspection_days: page.inspection_days,
        review_days: page.review_days,
        exam_days: page.exam_days,
        notification_days: page.notification_days,
        notification_form: text(page.notification_form),
        notification_content: text(page.notification_content),
        interpreting_department: text(page.interpreting_department),
        conflict_handling: text(page.conflict_handling),
        contact_phone: text(page.contact_phone),
    })
}

/// The sections of a request.
pub(crate) fn sections_of(sections: &[proto::PolicySection]) -> Vec<Section> {
    sections
        .iter()
        .map(|section| Section {
            section_no: section.section_no.clone(),
            title: section.title.trim().to_owned(),
            text: section.text.clone(),
            part: Part::of_number(section.part).unwrap_or(Part::Body),
        })
        .collect()
}

pub(crate) fn duty(row: task::Model) -> Result<proto::PolicyDuty, Fault> {
    let (kind, state): (duty::Kind, duty::State) = (row.is()?, row.stands()?);
    Ok(proto::PolicyDuty {
        policy_duty_id: row.id.to_string(),
        policy_version_id: row.version_id.to_string(),
        policy_id: row.policy_id.to_string(),
        kind: kind.number(),
        department: row.department,
        due_date: Some(wire::date(row.due_on)),
        state: state.number(),
        done_date: row.done_on.map(wire::date),
        done_by: row.done_by,
        evidence: row.evidence,
        etag: rpc::etag(row.id, row.version),
    })
}

pub(crate) fn acknowledgement(row: acknowledgement::Model) -> proto::PolicyAcknowledgement {
    proto::PolicyAcknowledgement {
        policy_acknowledgement_id: row.id.to_string(),
        policy_version_id: row.version_id.to_string(),
        staff: row.staff,
        acknowledge_time: Some(wire::time(Instant::from_micros(row.acknowledged_at))),
        renew_date: row.renew_on.map(wire::date),
    }
}

pub(crate) fn conflict(row: conflict::Model) -> proto::PolicyConflict {
    proto::PolicyConflict {
        policy_conflict_id: row.id.to_string(),
        first_version_id: row.first_version_id.to_string(),
        second_version_id: row.second_version_id.to_string(),
        clause: row.clause,
        rule: Rule::of(&row.rule).map_or(0, Rule::number),
        prevailing_version_id: row.prevailing_version_id.map(|id| id.to_string()).unwrap_or_default(),
        deciding_department: row.department,
        decided_by: row.decided_by,
        grounds: row.grounds,
        create_time: Some(wire::time(Instant::from_micros(row.created_at))),
        etag: rpc::etag(row.id, row.version),
    }
}
