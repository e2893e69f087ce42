//! Between the messages of the contract and the types of the rules.

use chrono::NaiveDate;
use contracts::hearth::{r#type::v1::Decimal, vendor::v1 as proto};
use rpc::{Call, Fault, wire};

use super::{
    model::{Assessment, Consequence, Scores, consequence, factor, rectification},
    store::Complaint,
};
use crate::vendor::Points;

/// What else an assessment is shown with: every assessment of its vendor, and the complaints against it.
pub(super) struct Around {
    pub all: Vec<Assessment>,
    pub complaints: Vec<Complaint>,
}

/// An assessment as a caller may see it on a day: who judged is not for vendors to know.
pub(super) fn assessment(call: &Call, a: &Assessment, around: &Around, today: NaiveDate) -> proto::Assessment {
    let judge = |subject: &str| if call.vendor().is_some() { String::new() } else { subject.to_owned() };
    let within = |c: &&Complaint| c.vendor == a.vendor && c.upheld >= a.period.from && c.upheld <= a.period.to;
    let complaints = around.complaints.iter().filter(within).map(|c| proto::UpheldComplaint {
        complaint_id: c.id.clone(),
        upheld_date: Some(wire::date(c.upheld)),
    });
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
        complaints: complaints.collect(),
        assessor: judge(&a.assessor),
        assess_time: Some(wire::time(a.assessed)),
        objection_due_date: Some(wire::date(a.objection_due)),
        objection: a.objection.clone(),
        objection_time: a.objected.map(wire::time),
        objection_upheld: a.upheld,
        decision_reason: a.decision_reason.clone(),
        decider: judge(a.decider.as_deref().unwrap_or_default()),
        etag: rpc::etag(a.id, a.version),
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
    use crate::assessment::model::{Grade, State};

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
    }
}
