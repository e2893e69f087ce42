//! Between the messages of the contract and the types of the rules.

use contracts::hearth::vendor::v1 as proto;
use rpc::{Call, Fault, wire};

use super::{
    model::{Category, Document, DocumentKind, Points, Qualification, Scores, Vendor},
    store::Record,
};

/// A vendor with its qualifications as a caller may see it: who judged, and why, is not for vendors to know.
pub(super) fn vendor(call: &Call, vendor: &Vendor, record: &Record) -> proto::Vendor {
    let own = record.qualifications.iter().filter(|q| q.vendor == vendor.id);
    let former = record.names.iter().filter(|former| former.vendor == vendor.id).map(|former| proto::FormerName {
        name: former.name.clone(),
        until_date: Some(wire::date(former.until)),
        document: former.document.clone(),
    });
    proto::Vendor {
        vendor_id: vendor.id.to_string(),
        uscc: vendor.uscc.clone(),
        name: vendor.name.clone(),
        kinds: vendor.kinds.iter().map(|kind| kind.number()).collect(),
        state: vendor.state.number(),
        qualifications: own.map(|q| qualification(call, q)).collect(),
        blacklisted_until_date: vendor.blacklisted_until.map(wire::date),
        state_reason: if call.vendor().is_some() {
            String::new()
        } else {
            vendor.state_reason.clone()
        },
        create_time: Some(wire::time(vendor.created)),
        etag: rpc::etag(vendor.id, vendor.version),
        former_names: former.collect(),
        legal_representative_recorded: record.represented.contains(&vendor.id),
    }
}

fn qualification(call: &Call, q: &Qualification) -> proto::Qualification {
    let judge = |subject: &Option<String>| {
        if call.vendor().is_some() {
            String::new()
        } else {
            subject.clone().unwrap_or_default()
        }
    };
    let documents = q.documents.iter().map(|d| proto::DossierDocument {
        kind: d.kind.number(),
        title: d.title.clone(),
        file_digest: d.file_digest.clone(),
    });
    proto::Qualification {
        qualification_id: q.id.to_string(),
        category: q.category.number(),
        stage: q.stage.number(),
        documents: documents.collect(),
        dossier_complete_time: Some(wire::time(q.dossier_complete)),
        verifier: judge(&q.verifier),
        scorer: judge(&q.scorer),
        scores: q.scores.as_ref().map(scores),
        total: q.total.map(wire::decimal),
        rank: q.place,
        review_date: q.review.map(wire::date),
        valid_to_date: q.valid_to.map(wire::date),
        findings: q.findings.clone(),
    }
}

fn scores(scores: &Scores) -> proto::Scores {
    proto::Scores {
        technical: Some(wire::decimal(scores.technical)),
        financial: Some(wire::decimal(scores.financial)),
        quotation: Some(wire::decimal(scores.quotation)),
        references: Some(wire::decimal(scores.references)),
    }
}

/// Scores from a request.
pub(super) fn scores_of(scores: Option<&proto::Scores>) -> Result<Scores, Fault> {
    let scores = scores.ok_or_else(|| Fault::invalid("scores", "REQUIRED", "a value is required"))?;
    let points = |value: &Option<contracts::hearth::r#type::v1::Decimal>, field: &str| wire::decimal_of::<Points>(value.as_ref(), field);
    Ok(Scores {
        technical: points(&scores.technical, "scores.technical")?,
        financial: points(&scores.financial, "scores.financial")?,
        quotation: points(&scores.quotation, "scores.quotation")?,
        references: points(&scores.references, "scores.references")?,
    })
}

/// A dossier from a request.
pub(super) fn documents_of(documents: Vec<proto::DossierDocument>) -> Result<Vec<Document>, Fault> {
    let document = |d: proto::DossierDocument| {
        let kind = DocumentKind::of_number(d.kind).ok_or_else(|| unknown("documents.kind"))?;
        Ok(Document {
            kind,
            title: d.title,
            file_digest: d.file_digest,
        })
    };
    documents.into_iter().map(document).collect()
}

/// A category from a request.
pub(crate) fn category_of(number: i32, field: &str) -> Result<Category, Fault> {
    Category::of_number(number).ok_or_else(|| unknown(field))
}

/// An id that may be left out.
pub(crate) fn id_if<T: std::str::FromStr>(field: &str, text: &str) -> Result<Option<T>, Fault> {
    if text.is_empty() { Ok(None) } else { wire::id_of(field, text).map(Some) }
}

/// For numbers that the contract knows and this service does not: the rules of the contract let none pass.
pub(crate) fn unknown(field: &str) -> Fault {
    Fault::invalid(field, "ENUM_UNKNOWN", "not a known value")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use testbed::assert_contract;

    use crate::vendor::model;

    #[test]
    fn lists_are_those_of_the_contract() {
        macro_rules! check {
            ($list:ty, $proto:ty, $prefix:literal) => {
                let words: Vec<_> = <$list>::ALL.iter().map(|w| (w.number(), w.code())).collect();
                assert_contract(&words, $prefix, |n| <$proto>::try_from(n).ok().map(|w| w.as_str_name()));
            };
        }
        check!(model::State, proto::vendor::State, "STATE_");
        check!(model::Stage, proto::qualification::Stage, "STAGE_");
        check!(model::Kind, proto::VendorKind, "VENDOR_KIND_");
        check!(DocumentKind, proto::dossier_document::Kind, "KIND_");
        check!(Category, proto::ServiceCategory, "SERVICE_CATEGORY_");
    }
}
