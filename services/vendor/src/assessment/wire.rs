//! Between the messages of the contract and the types of the rules.

use chrono::NaiveDate;
use contracts::hearth::{r#type::v1::Decimal, vendor::v1 as proto};
use rpc::{Call, Fault, wire};

use super::{
    draft::Draft,
    model::{Assessment, Consequence, Deduction, Scores, consequence, factor, rectification},
    store::Complaint,
};
use crate::{remedy::Remedy, vendor::Points};

/// What else an assessment is shown with: every assessment of its vendor, the complaints against it, and the rectifications that followed.
pub(super) struct Around {
    pub all: Vec<Assessment>,
    pub complaints: Vec<Complaint>,
    pub rectifications: Vec<Remedy>,
}

/// An assessment as a caller may see it on a day: who judged is not for vendors to know.
pub(super) fn assessment(call: &Call, a: &Assessment, around: &Around, today: NaiveDate) -> proto::Assessment {
    let judge = |subject: &str| if call.vendor().is_some() { String::new() } else { subject.to_owned() };
    let counts = |c: &&Complaint| c.vendor == a.vendor && c.counts(a.contract, &a.period);
    let remedy = around.rectifications.iter().find(|r| r.assessment == Some(a.id));
    proto::Assessment {
        assessment_id: a.id.to_string(),
        contract_id: a.contract.to_string(),
        vendor_id: a.vendor.to_string(),
        branch: a.branch.clone(),
        milestone: a.period.milestone.clone(),
        from_date: Some(wire::date(a.period.from)),
        to_date: Some(wire::date(a.period.to)),
        state: a.on(today).number(),
        scores: a.scores.as_ref().map(scores),
        total: a.scores.map(|s| wire::decimal(s.total())),
        grade: a.grade.number(),
        factor_basis_points: factor(a.grade),
        rectification: rectification(a.grade),
        consequence: led_to(a, &around.all),
        findings: a.findings.clone(),
        orders: a.orders,
        complaints: around.complaints.iter().filter(counts).map(complaint).collect(),
        assessor: judge(&a.assessor),
        assess_time: Some(wire::time(a.assessed)),
        objection_due_date: Some(wire::date(a.objection_due)),
        objection: a.objection.clone(),
        objection_time: a.objected.map(wire::time),
        objection_upheld: a.upheld,
        decision_reason: a.decision_reason.clone(),
        decider: judge(a.decider.as_deref().unwrap_or_default()),
        etag: rpc::etag(a.id, a.version),
        remedy_id: remedy.map(|r| r.id.to_string()).unwrap_or_default(),
    }
}

/// What is known of a period, and what follows from it.
pub(super) fn draft(draft: &Draft) -> proto::AssessmentDraft {
    let orders = |accepted: bool| draft.decided.iter().filter(|work| work.accepted == accepted).count();
    let deduction = |d: &Deduction| proto::DraftDeduction {
        fact: d.fact.number(),
        count: d.count,
        quality: Some(wire::decimal(d.off.quality)),
        service_level: Some(wire::decimal(d.off.service_level)),
        staff_safety: Some(wire::decimal(d.off.staff_safety)),
        timeliness: Some(wire::decimal(d.off.timeliness)),
    };
    proto::AssessmentDraft {
        contract_id: draft.contract.to_string(),
        from_date: Some(wire::date(draft.period.from)),
        to_date: Some(wire::date(draft.period.to)),
        accepted_orders: i32::try_from(orders(true)).unwrap_or(i32::MAX),
        refused_orders: i32::try_from(orders(false)).unwrap_or(i32::MAX),
        complaints: draft.complaints.iter().map(complaint).collect(),
        deductions: draft.deductions.iter().map(deduction).collect(),
        proposed: draft.is_scored().then(|| scores(&draft.proposed())),
        open_p1: draft.open_p1,
        leavers: i32::try_from(draft.turnover.leavers).unwrap_or(i32::MAX),
        staff: i32::try_from(draft.turnover.staff).unwrap_or(i32::MAX),
    }
}

fn complaint(c: &Complaint) -> proto::UpheldComplaint {
    proto::UpheldComplaint {
        complaint_id: c.id.clone(),
        upheld_date: Some(wire::date(c.upheld)),
        order_id: c.order.clone(),
        fact: c.fact.number(),
    }
}

/// What an assessment leads to, as a number of the contract.
pub(super) fn led_to(a: &Assessment, all: &[Assessment]) -> i32 {
    let own: Vec<_> = all.iter().filter(|other| other.vendor == a.vendor).cloned().collect();
    consequence(a, &own).map(Consequence::number).unwrap_or_default()
}

fn scores(scores: &Scores) -> proto::AssessmentScores {
    proto::AssessmentScores {
        timeliness: Some(wire::decimal(scores.timeliness)),
        quality: Some(wire::decimal(scores.quality)),
        service_level: Some(wire::decimal(scores.service_level)),
        staff_safety: Some(wire::decimal(scores.staff_safety)),
        documents: Some(wire::decimal(scores.documents)),
    }
}

/// Scores from a request, none above its maximum.
pub(super) fn scores_of(scores: &proto::AssessmentScores) -> Result<Scores, Fault> {
    let points = |value: &Option<Decimal>, field: &str| wire::decimal_of::<Points>(value.as_ref(), field);
    let scores = Scores {
        timeliness: points(&scores.timeliness, "scores.timeliness")?,
        quality: points(&scores.quality, "scores.quality")?,
        service_level: points(&scores.service_level, "scores.service_level")?,
        staff_safety: points(&scores.staff_safety, "scores.staff_safety")?,
        documents: points(&scores.documents, "scores.documents")?,
    };
    scores.checked().map_err(|refusal| Fault::from(refusal).field("scores"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use testbed::assert_contract;

    use super::*;
    use crate::assessment::model::{Fact, Grade, State};

    #[test]
    fn lists_are_those_of_the_contract() {
        let words: Vec<_> = State::ALL.iter().map(|w| (w.number(), w.code())).collect();
        assert_contract(&words, "STATE_", |n| proto::assessment::State::try_from(n).ok().map(|w| w.as_str_name()));
        let words: Vec<_> = Grade::ALL.iter().map(|w| (w.number(), w.code())).collect();
        assert_contract(&words, "ASSESSMENT_GRADE_", |n| {
            proto::AssessmentGrade::try_from(n).ok().map(|w| w.as_str_name())
        });
        let words: Vec<_> = Consequence::ALL.iter().map(|w| (w.number(), w.code())).collect();
        assert_contract(&words, "ASSESSMENT_CONSEQUENCE_", |n| {
            proto::AssessmentConsequence::try_from(n).ok().map(|w| w.as_str_name())
        });
        let words: Vec<_> = Fact::ALL.iter().map(|w| (w.number(), w.code())).collect();
        assert_contract(&words, "FACT_", |n| proto::draft_deduction::Fact::try_from(n).ok().map(|w| w.as_str_name()));
    }
}
