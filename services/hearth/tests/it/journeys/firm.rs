//! A firm that does repairs, and the orders that it gets.

use contracts::hearth::options::v1::Role;
use serde_json::{Value, json};

use super::{BRANCH, Town, day, decimal, staff, time, yuan};
use crate::sides::Caller;

/// A vendor with a contract in force since 2 January 2025 and one repairer: 180.00 an order, a rework costs 1 % of the month, 5 % is retained.
pub struct Firm {
    pub vendor_id: String,
    /// Its contract.
    pub contract: Value,
    person_id: String,
    /// Whoever acts for it in the portal.
    pub office: Caller,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

impl Firm {
    pub async fn admitted(town: &Town) -> Self {
        let it = staff("it", Role::ItDepartment);
        let vendor = json!({"uscc": "91120103MADEM0AB77", "name": "津燃维修服务有限公司", "kinds": ["VENDOR_KIND_SERVICE_FIRM"]});
        let vendor = town.done(&it, "vendor.VendorService/RegisterVendor", &Value::Null, vendor).await;
        qualify(town, &it, &vendor).await;
        let contract = sign(town, &it, &vendor).await;
        let office = Caller {
            vendor: Some(text(&vendor["vendor_id"])),
            ..staff("office", Role::VendorAdmin)
        };
        let person_id = certify(town, &it, &office, &vendor).await;
        let rate = json!({
            "basis": "RATE_BASIS_ORDER", "work_kind": "REPAIR", "unit_price": yuan("180.00"), "from_date": day("2025-01-02"), "tax_basis_points": 600,
        });
        town.done(&staff("contracts", Role::ContractOfficer), "vendor.SettlementService/SetRate", &contract, rate)
            .await;
        town.settled().await;
        Self {
            vendor_id: text(&vendor["vendor_id"]),
            contract,
            person_id,
            office,
        }
    }

    /// A repair that hall offers and the firm accepts and reports on a day: the order and the offer.
    pub async fn repair(&self, town: &Town, on: &str, task: &str) -> (Value, Value) {
        let dispatcher = staff("dispatcher", Role::Dispatcher);
        let create = json!({"type": "ORDER_TYPE_REPAIR", "branch": BRANCH, "task": task, "planned_date": day(on)});
        let order = town.done(&dispatcher, "hall.OrderService/CreateOrder", &Value::Null, create).await;
        let offer = json!({"vendor_id": self.vendor_id, "respond_by_time": time(&format!("{on}T20:00")), "planned_date": day(on)});
        town.done(&dispatcher, "hall.OrderService/OfferOrder", &order, offer).await;
        town.settled().await;
        let list = json!({"vendor_id": self.vendor_id, "order_id": order["order_id"]});
        let offers = town.done(&self.office, "vendor.OfferService/ListOffers", &Value::Null, list).await;
        let offer = &offers["offers"][0];
        let offer = town
            .done(&self.office, "vendor.OfferService/AcceptOffer", offer, json!({"person_id": self.person_id}))
            .await;
        town.settled().await;
        let offer = self.report(town, &offer, on).await;
        (order, offer)
    }

    /// The firm says that the work is done.
    pub async fn report(&self, town: &Town, offer: &Value, on: &str) -> Value {
        let report = json!({"summary": "已更换波纹管,试漏合格", "done_date": day(on)});
        let offer = town.done(&self.office, "vendor.OfferService/ReportWork", offer, report).await;
        town.settled().await;
        offer
    }
}

/// The acceptor approves reported work; in hall the order is completed.
pub async fn accept(town: &Town, order: &Value, offer: &Value) {
    let acceptor = staff("acceptor", Role::Acceptor);
    town.done(&acceptor, "vendor.OfferService/ApproveWork", offer, json!({"findings": "合格"}))
        .await;
    town.settled().await;
    let order = town
        .done(&staff("auditor", Role::Auditor), "hall.OrderService/GetOrder", order, json!({}))
        .await;
    assert_eq!(order["order"]["state"], "STATE_COMPLETED", "{order}");
}

/// From the dossier to the admission (F-01), by four people.
async fn qualify(town: &Town, it: &Caller, vendor: &Value) {
    let verifier = staff("verifier", Role::QualificationVerifier);
    let document = |kind: &str| json!({"kind": format!("KIND_{kind}"), "title": kind, "file_digest": "0".repeat(64)});
    let documents = ["LICENCE", "TECHNICAL", "FINANCIAL", "QUOTATION", "REFERENCES"].map(document);
    let dossier = json!({"category": "SERVICE_CATEGORY_FIELD_REPAIR", "documents": documents});
    let opened = town.done(it, "vendor.VendorService/CompleteDossier", vendor, dossier).await;
    let qualification = |of: &Value| json!({"vendor_id": of["vendor_id"], "etag": of["etag"], "qualification_id": opened["qualification_id"]});
    let judged = json!({"passed": true, "findings": "原件齐全"});
    let vendor = town
        .done(&verifier, "vendor.VendorService/VerifyVendor", &qualification(&opened["vendor"]), judged)
        .await;
    let scores = json!({"technical": decimal("35"), "financial": decimal("20"), "quotation": decimal("20"), "references": decimal("8")});
    let scores = json!({"scores": scores, "findings": "维修工十一名"});
    let vendor = town.done(&verifier, "vendor.VendorService/ScoreVendor", &qualification(&vendor), scores).await;
    let category = json!({"category": "SERVICE_CATEGORY_FIELD_REPAIR"});
    town.done(it, "vendor.VendorService/RankVendors", &Value::Null, category).await;
    let vendor = town.done(it, "vendor.VendorService/GetVendor", &vendor, json!({})).await;
    let review = json!({"passed": true, "review_date": day("2025-01-02"), "findings": "团队齐备"});
    let vendor = town.done(it, "vendor.VendorService/ReviewSite", &qualification(&vendor), review).await;
    let represented = json!({"id_number": "120103197001019998"});
    let vendor = town.done(it, "vendor.VendorService/RecordLegalRepresentative", &vendor, represented).await;
    let leader = staff("leader", Role::Leader);
    let vendor = town.done(&leader, "vendor.VendorService/AdmitVendor", &qualification(&vendor), json!({})).await;
    assert_eq!(vendor["state"], "STATE_ADMITTED");
}

/// The contract, from the draft to its start (F-04).
async fn sign(town: &Town, it: &Caller, vendor: &Value) -> Value {
    let (officer, leader) = (staff("contracts", Role::ContractOfficer), staff("leader", Role::Leader));
    let terms = json!({
        "category": "SERVICE_CATEGORY_FIELD_REPAIR", "title": "户内燃气维修", "value": yuan("480000.00"),
        "start_date": day("2025-01-02"), "end_date": day("2026-01-01"), "confidentiality_document": "NDA-1",
        "data_processing": {
            "purpose": "维修上门", "method": "派单查看", "data_kinds": ["地址"], "protection": "最小权限", "until_date": day("2026-01-01"),
        },
        "sla": [{"metric": "rework", "target": "at most 3 %", "window": "month", "deduction_basis_points": 100}],
        "emergency_plan_document": "EP-1", "retention_basis_points": 500, "renewal_notice_days": 60,
    });
    let draft = json!({"branch": BRANCH, "terms": terms});
    let contract = town.done(&officer, "vendor.ContractService/DraftContract", vendor, draft).await;
    let opinion = json!({"opinion": "同意"});
    let contract = town.done(it, "vendor.ContractService/ReviewContract", &contract, opinion.clone()).await;
    let contract = town.done(&leader, "vendor.ContractService/ApproveContract", &contract, opinion).await;
    let signed = json!({"signed_date": day("2025-01-02")});
    let contract = town.done(&officer, "vendor.ContractService/SignContract", &contract, signed).await;
    town.done(&officer, "vendor.ContractService/StartContract", &contract, json!({})).await
}

/// A person who may repair (F-10).
async fn certify(town: &Town, it: &Caller, office: &Caller, vendor: &Value) -> String {
    let person = json!({"name": "祝师傅", "id_number": "11010519491231002X", "phone": "19000009002", "field_work": true});
    let person = town.done(office, "vendor.PersonService/RegisterPerson", vendor, person).await;
    let signed = json!({"signed_date": day("2025-01-02"), "document": "NDA-2"});
    let mut person = town.done(it, "vendor.PersonService/RecordConfidentiality", &person, signed).await;
    for kind in ["SAFETY", "TECHNICAL", "INFORMATION_SECURITY"] {
        let training = json!({"kind": format!("KIND_{kind}"), "passed_date": day("2024-11-15"), "authority": "天津市燃气行业协会"});
        person = town.done(it, "vendor.PersonService/RecordTraining", &person, training).await;
    }
    let certificate = json!({
        "kind": "CERTIFICATE_KIND_REPAIR", "number": "WX-1", "issuing_body": "天津市燃气行业协会", "issued_date": day("2024-12-01"),
        "valid_to_date": day("2027-11-30"),
    });
    let certified = town.done(it, "vendor.PersonService/RecordCertificate", &person, certificate).await;
    let access = json!({"purpose": "派单维修", "systems": ["crew-app"], "until_date": day("2025-12-31")});
    town.done(it, "vendor.PersonService/GrantAccess", &certified["person"], access).await;
    text(&person["person_id"])
}

/// Scores in the order of the policy (F-07): 30, 30, 20, 10 and 10 at most.
pub fn scores(points: [&str; 5]) -> Value {
    let [timeliness, quality, service_level, staff_safety, documents] = points.map(decimal);
    json!({"timeliness": timeliness, "quality": quality, "service_level": service_level, "staff_safety": staff_safety, "documents": documents})
}
