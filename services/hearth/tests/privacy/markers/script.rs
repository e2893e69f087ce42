//! One call at least for each field of personal data that a request can carry, through the four services as people use them.

use contracts::hearth::options::v1::Role;
use rpc::Principal;
use serde_json::{Value as Json, json};

use super::sow::{Sower, staff};

const BRANCH: &str = "河西区";
const FILE: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// What can be read and revealed afterwards: method and request.
#[derive(Default)]
pub struct Played {
    pub reads: Vec<(&'static str, Json)>,
    pub reveals: Vec<(&'static str, Json)>,
    /// The party and the vendor that bound callers are bound to.
    pub party: String,
    pub vendor: String,
}

/// A text of an answer, by its path.
fn at(answer: &Json, path: &str) -> String {
    answer
        .pointer(path)
        .and_then(Json::as_str)
        .unwrap_or_else(|| panic!("{path} is missing in {answer}"))
        .to_owned()
}

fn day(text: &str) -> Json {
    let parts: Vec<i64> = text.split('-').map(|p| p.parse().unwrap()).collect();
    json!({"year": parts[0], "month": parts[1], "day": parts[2]})
}

pub async fn play(sower: &Sower<'_>) -> Played {
    let mut played = Played::default();
    let account = archive(sower, &mut played).await;
    let vendor = vendor(sower, &mut played).await;
    hall(sower, &mut played, &account, &vendor).await;
    played
}

/// The parties and what belongs to them; the account of the first.
async fn archive(s: &Sower<'_>, played: &mut Played) -> String {
    macro_rules! archive {
        ($method:literal) => {
            concat!("hearth.archive.v1.", $method)
        };
    }
    let registered = s.by(Role::Agent, archive!("PartyService/RegisterPerson"), json!({"branch": BRANCH})).await;
    let party = at(&registered, "/party/party_id");
    played.party.clone_from(&party);
    let of_party = |field: &str| {
        let markers = s.markers.lock().unwrap();
        markers
            .iter()
            .find(|m| m.field == format!("hearth.archive.v1.RegisterPersonRequest.{field}"))
            .unwrap()
            .needle
            .clone()
    };
    for json in [
        json!({"phone": of_party("phone")}),
        json!({"id_number": of_party("id_number")}),
        json!({"name": format!("欧阳{}", of_party("name"))}),
    ] {
        let mut json = json;
        for field in ["phone", "id_number", "name"] {
            json.as_object_mut().unwrap().entry(field).or_insert("".into());
        }
        let found = s.by(Role::Agent, archive!("PartyService/SearchParties"), json.clone()).await;
        assert_eq!(at(&found, "/parties/0/party_id"), party);
        played.reads.push((archive!("PartyService/SearchParties"), json));
    }
    let corrected = json!({"party_id": party, "etag": at(&registered, "/party/etag")});
    s.by(Role::Agent, archive!("PartyService/CorrectContact"), corrected).await;
    played.reads.push((archive!("PartyService/GetParty"), json!({"party_id": party})));
    played
        .reveals
        .push((archive!("PartyService/RevealParty"), json!({"party_id": party, "purpose": "到柜台核对身份"})));

    let organisation = json!({"credit_code": "1212000028215658XE", "branch": BRANCH});
    let organisation = s.by(Role::Agent, archive!("PartyService/RegisterOrganisation"), organisation).await;
    let organisation = at(&organisation, "/party/party_id");

    let premises = json!({"community_code": "120103009013", "branch": BRANCH, "area_m2": {"value": "70.27"}, "services": ["SERVICE_GAS"]});
    let premises = s.by(Role::Agent, archive!("PremisesService/RegisterPremises"), premises).await;
    played.reads.push((
        archive!("PremisesService/GetPremises"),
        json!({"premises_id": at(&premises, "/premises/premises_id")}),
    ));
    let address = {
        let markers = s.markers.lock().unwrap();
        markers
            .iter()
            .find(|m| m.field == "hearth.archive.v1.RegisterPremisesRequest.address")
            .unwrap()
            .needle
            .clone()
    };
    let wanted = json!({"community_code": "120103009013", "address": address});
    let found = s.by(Role::Agent, archive!("PremisesService/ListPremises"), wanted.clone()).await;
    assert_eq!(found["premises"].as_array().map(Vec::len), Some(1), "{found}");
    played.reads.push((archive!("PremisesService/ListPremises"), wanted));

    let account = s
        .by(
            Role::Agent,
            archive!("AccountService/OpenAccount"),
            json!({"party_id": party, "branch": BRANCH}),
        )
        .await;
    let account = at(&account, "/account/account_id");
    let clause = |no: &str, flagged: bool| json!({"clause_no": no, "title": "条款", "text": "第一行", "flagged": flagged});
    let template = json!({"code": "RESIDENT_GAS", "version": 1, "title": "供用气合同", "service": "SERVICE_GAS", "filed_with_authority_no": "津市监合备2024-001",
        "effective_date": day("2024-01-01"), "clauses": [clause("1", false), clause("2", true)]});
    let template = s.by(Role::ContractOfficer, archive!("TemplateService/PublishTemplate"), template).await;
    let agreement = json!({"account_id": account, "service_point_id": at(&premises, "/premises/service_points/0/service_point_id"), "service": "SERVICE_GAS",
        "template_id": at(&template, "/template/template_id"), "template_version": 1, "use_class": "living", "signed_date": day("2025-01-02"),
        "sign_method": "SIGN_METHOD_PAPER", "flagged_clauses_acknowledged": ["2"]});
    let agreement = s.by(Role::Agent, archive!("AgreementService/SignAgreement"), agreement).await;
    let agreement = at(&agreement, "/agreement/agreement_id");
    for (method, json) in [
        (
            archive!("EntitlementService/GrantLowIncome"),
            json!({"agreement_id": agreement, "from_date": day("2025-01-01")}),
        ),
        (
            archive!("EntitlementService/GrantFlatPrice"),
            json!({"agreement_id": agreement, "from_date": day("2025-01-01")}),
        ),
        (
            archive!("EntitlementService/GrantHouseholdSize"),
            json!({"agreement_id": agreement, "persons": 6, "from_date": day("2025-01-01")}),
        ),
    ] {
        s.by(Role::Agent, method, json).await;
    }
    played
        .reads
        .push((archive!("EntitlementService/ListEntitlements"), json!({"agreement_id": agreement})));

    // One row that is taken and one that is refused, each with values of its own.
    let row = |line: u32| {
        json!({"line": line, "account_no": format!("T{line:07}"), "kind": "KIND_PERSON", "branch": BRANCH, "use_class": "living",
            "supply_from_date": day("2024-12-31"), "low_income": line == 1})
    };
    let mut refused = row(2);
    refused["id_number"] = "110105194912310099Z".into();
    let import = json!({"dry_run": false, "template_id": at(&template, "/template/template_id"), "rows": [row(1), refused]});
    let import = s.by(Role::Archivist, archive!("IntakeService/ImportCustomers"), import).await;
    assert_eq!(
        (&import["accepted"], import["refused"].as_array().map(Vec::len)),
        (&json!(1), Some(1)),
        "{import}"
    );

    let file = s
        .by(
            Role::CreditAnalyst,
            archive!("CreditFileService/OpenCreditFile"),
            json!({"party_id": organisation}),
        )
        .await;
    let id = at(&file, "/credit_file/credit_file_id");
    let fact = |kind: &str, content: Json| json!({"kind": kind, "content": content, "source": "营业执照", "as_of_date": day("2025-01-01")});
    let facts = json!({"credit_file_id": id, "etag": at(&file, "/credit_file/etag"), "facts": [
        fact("FACT_KIND_LEGAL_REPRESENTATIVE", json!({"address": "", "phone": ""})),
        fact("FACT_KIND_OFFICE_ADDRESS", json!({"name": "", "phone": ""})),
        fact("FACT_KIND_MOBILE", json!({"name": "", "address": ""})),
    ]});
    s.by(Role::CreditAnalyst, archive!("CreditFileService/RecordFacts"), facts).await;
    for method in [archive!("CreditFileService/GetCreditFile"), archive!("CreditFileService/ListFacts")] {
        played.reads.push((method, json!({"credit_file_id": id})));
    }
    played.reads.push((archive!("CreditFileService/ListCustomers"), json!({})));
    played.reveals.push((
        archive!("CreditFileService/RevealCreditFile"),
        json!({"credit_file_id": id, "purpose": "年度信用评级"}),
    ));

    let case = json!({"party_id": party, "conduct_code": "GAS_THEFT", "act_date": day("2025-01-02"), "evidence_ids": ["photo-1"]});
    let case = s.by(Role::Inspector, archive!("IntegrityService/ReportConduct"), case).await;
    let id = at(&case, "/case/case_id");
    let mut etag = at(&case, "/case/etag");
    for (method, more) in [
        (archive!("IntegrityService/InvestigateConduct"), json!({"evidence_ids": ["photo-1", "photo-2"]})),
        (archive!("IntegrityService/NotifyParty"), json!({})),
        (archive!("IntegrityService/RecordStatement"), json!({})),
    ] {
        let mut json = more;
        json["case_id"] = id.clone().into();
        json["etag"] = etag.into();
        etag = at(&s.by(Role::CreditAnalyst, method, json).await, "/case/etag");
    }
    played.reads.push((archive!("IntegrityService/GetIntegrityCase"), json!({"case_id": id})));
    played.reads.push((archive!("IntegrityService/ListIntegrityCases"), json!({"party_id": party})));
    played.reveals.push((
        archive!("IntegrityService/RevealIntegrityCase"),
        json!({"case_id": id, "purpose": "核实举报事实"}),
    ));
    account
}

/// A vendor with a person.
async fn vendor(s: &Sower<'_>, played: &mut Played) -> String {
    let json = json!({"uscc": credit_code(), "name": "津河管道维修有限公司", "kinds": ["VENDOR_KIND_SERVICE_FIRM"]});
    let vendor = s.by(Role::ItDepartment, "hearth.vendor.v1.VendorService/RegisterVendor", json).await;
    let etag = at(&vendor, "/vendor/etag");
    let vendor = at(&vendor, "/vendor/vendor_id");
    played.vendor.clone_from(&vendor);
    let represented = json!({"vendor_id": vendor, "etag": etag});
    s.by(Role::ItDepartment, "hearth.vendor.v1.VendorService/RecordLegalRepresentative", represented)
        .await;
    let person = json!({"vendor_id": vendor, "field_work": true});
    let person = s.by(Role::ItDepartment, "hearth.vendor.v1.PersonService/RegisterPerson", person).await;
    let person = at(&person, "/person/person_id");
    let both = json!({"vendor_id": vendor, "person_id": person});
    played.reads.push(("hearth.vendor.v1.PersonService/GetPerson", both.clone()));
    played.reads.push(("hearth.vendor.v1.PersonService/ListPersons", json!({"vendor_id": vendor})));
    let mut reveal = both;
    reveal["purpose"] = "现场核对人员身份".into();
    played.reveals.push(("hearth.vendor.v1.PersonService/RevealPerson", reveal));
    vendor
}

/// A code of an organisation with a right check digit (GB 32100).
fn credit_code() -> String {
    let digits = "0123456789ABCDEFGHJKLMNPQRTUWXY";
    let body = "91120103MA05LW123";
    let sum: usize = body
        .chars()
        .scan(1, |weight, c| {
            let term = digits.find(c).unwrap() * *weight;
            *weight = *weight * 3 % 31;
            Some(term)
        })
        .sum();
    format!("{body}{}", digits.chars().nth((31 - sum % 31) % 31).unwrap())
}

/// Staff, cases, complaints, contacts, conduct, orders, calls back.
async fn hall(s: &Sower<'_>, played: &mut Played, account: &str, vendor: &str) {
    macro_rules! hall {
        ($method:literal) => {
            concat!("hearth.hall.v1.", $method)
        };
    }
    let reply = "2025-01-02T01:00:00Z";
    let mut staff_ids = vec![];
    for (n, login) in ["agent", "callback_agent"].into_iter().enumerate() {
        let member = json!({"posts": ["POST_AGENT"], "badge_no": format!("B-{n}"), "login": login, "employer": "EMPLOYER_OWN", "branch": BRANCH});
        let member = s.by(Role::Personnel, hall!("StaffService/RegisterStaff"), member).await;
        staff_ids.push(at(&member, "/staff/staff_id"));
    }
    played.reads.push((hall!("StaffService/GetStaff"), json!({"staff_id": staff_ids[0]})));
    played.reads.push((hall!("StaffService/ListStaff"), json!({})));
    played
        .reveals
        .push((hall!("StaffService/RevealStaff"), json!({"staff_id": staff_ids[0], "purpose": "核对持证人员"})));

    // A case of somebody without an account, and one of a customer.
    let mut ids = vec![];
    for about in ["", account] {
        let case = json!({"channel": "CHANNEL_HOTLINE", "category": "CATEGORY_GAS_QUERY", "branch": BRANCH, "account_id": about});
        let case = s.by(Role::Agent, hall!("CaseService/OpenCase"), case).await;
        let id = at(&case, "/case/case_id");
        let owner = json!({"case_id": id, "etag": at(&case, "/case/etag"), "owner_staff_id": staff_ids[0]});
        let case = s.by(Role::ServiceManager, hall!("CaseService/AssignCase"), owner).await;
        let answer =
            json!({"case_id": id, "etag": at(&case, "/case/etag"), "outcome": "OUTCOME_RESOLVED", "reply_channel": "CHANNEL_HOTLINE", "reply_time": reply});
        s.by(Role::Agent, hall!("CaseService/AnswerCase"), answer).await;
        played.reads.push((hall!("CaseService/GetCase"), json!({"case_id": id})));
        ids.push(id);
    }
    played.reads.push((hall!("CaseService/ListCases"), json!({})));
    played
        .reveals
        .push((hall!("CaseService/RevealCase"), json!({"case_id": ids[0], "purpose": "上门前联系来电人"})));

    let complaint = json!({"channel": "CHANNEL_HOTLINE", "utility": "UTILITY_GAS", "branch": BRANCH});
    let complaint = s.by(Role::Agent, hall!("ComplaintService/OpenComplaint"), complaint).await;
    let id = at(&complaint, "/complaint/complaint_id");
    let mut etag = at(&complaint, "/complaint/etag");
    for (role, method, more) in [
        (
            Role::Agent,
            hall!("ComplaintService/ClassifyComplaint"),
            json!({"category": "COMPLAINT_CATEGORY_ATTITUDE"}),
        ),
        (
            Role::ServiceManager,
            hall!("ComplaintService/AssignComplaint"),
            json!({"owner_staff_id": staff_ids[0]}),
        ),
        (Role::Agent, hall!("ComplaintService/InvestigateComplaint"), json!({})),
        (Role::Agent, hall!("ComplaintService/ProposeReply"), json!({"finding": "FINDING_NOT_UPHELD"})),
        (
            Role::Agent,
            hall!("ComplaintService/ReplyToComplaint"),
            json!({"reply_channel": "CHANNEL_HOTLINE", "reply_time": reply}),
        ),
    ] {
        let mut json = more;
        json["complaint_id"] = id.clone().into();
        json["etag"] = etag.into();
        etag = at(&s.by(role, method, json).await, "/complaint/etag");
    }
    played.reads.push((hall!("ComplaintService/GetComplaint"), json!({"complaint_id": id})));
    played.reads.push((hall!("ComplaintService/ListComplaints"), json!({})));
    played
        .reveals
        .push((hall!("ComplaintService/RevealComplaint"), json!({"complaint_id": id, "purpose": "回复投诉人"})));

    let contact = s
        .by(
            Role::Agent,
            hall!("InteractionService/ReceiveInteraction"),
            json!({"channel": "CONTACT_CHANNEL_CALL", "branch": BRANCH}),
        )
        .await;
    let id = at(&contact, "/interaction/interaction_id");
    let mut etag = at(&contact, "/interaction/etag");
    for (role, method, more) in [
        (
            Role::Agent,
            hall!("InteractionService/RecordInteraction"),
            json!({"category": "CATEGORY_HEAT_STATION_OPINION"}),
        ),
        (Role::Agent, hall!("InteractionService/AssignInteraction"), json!({"station": "一号站"})),
        (Role::Repairer, hall!("InteractionService/GiveOpinion"), json!({})),
        (
            Role::Agent,
            hall!("InteractionService/CloseInteraction"),
            json!({"outcome": "INTERACTION_OUTCOME_ANSWERED", "reply_channel": "CONTACT_CHANNEL_CALL", "reply_time": reply}),
        ),
    ] {
        let mut json = more;
        json["interaction_id"] = id.clone().into();
        json["etag"] = etag.into();
        etag = at(&s.by(role, method, json).await, "/interaction/etag");
    }
    played.reads.push((hall!("InteractionService/GetInteraction"), json!({"interaction_id": id})));
    played.reads.push((hall!("InteractionService/ListInteractions"), json!({})));
    played.reveals.push((
        hall!("InteractionService/RevealInteraction"),
        json!({"interaction_id": id, "purpose": "回复来电人"}),
    ));

    let fact = json!({"staff_id": staff_ids[0], "kind": "KIND_ATTITUDE", "happened_date": day("2025-01-02"), "evidence_file_id": FILE});
    let fact = s.by(Role::DistrictManager, hall!("ConductService/RecordConductFact"), fact).await;
    let answer = json!({"conduct_fact_id": at(&fact, "/conduct_fact/conduct_fact_id"), "etag": at(&fact, "/conduct_fact/etag")});
    s.by(Role::Agent, hall!("ConductService/AnswerConductFact"), answer).await;
    played.reads.push((hall!("ConductService/ListConductFacts"), json!({"staff_id": staff_ids[0]})));

    let order = json!({"type": "ORDER_TYPE_REPAIR", "branch": BRANCH, "account_id": account});
    let order = s.by(Role::Dispatcher, hall!("OrderService/CreateOrder"), order).await;
    let id = at(&order, "/order/order_id");
    let offer = json!({"order_id": id, "etag": at(&order, "/order/etag"), "vendor_id": vendor, "respond_by_time": "2025-01-03T01:00:00Z",
        "planned_date": day("2025-01-04")});
    s.by(Role::Dispatcher, hall!("OrderService/OfferOrder"), offer).await;
    played.reads.push((hall!("OrderService/GetOrder"), json!({"order_id": id})));
    played.reads.push((hall!("OrderService/ListOrders"), json!({})));

    let about = testbed::key();
    let happening = json!({"cause": "CAUSE_ONLINE_SENTIMENT", "about_id": about, "account_id": account, "branch": BRANCH});
    s.by(Role::Agent, hall!("CallbackService/ReportCallbackTrigger"), happening).await;
    let tasks = json!({"about_id": about});
    let task = s.by(Role::CallbackDirector, hall!("CallbackService/ListCallbackTasks"), tasks.clone()).await;
    let (id, channel) = (at(&task, "/tasks/0/callback_task_id"), at(&task, "/tasks/0/channel"));
    let mut etag = at(&task, "/tasks/0/etag");
    for (role, method, more) in [
        (
            Role::CallbackDirector,
            hall!("CallbackService/AssignCallback"),
            json!({"assignee_staff_id": staff_ids[1]}),
        ),
        (
            Role::CallbackAgent,
            hall!("CallbackService/RecordCallbackAttempt"),
            json!({"channel": channel, "outcome": "OUTCOME_REACHED"}),
        ),
        (
            Role::CallbackAgent,
            hall!("CallbackService/RecordCallback"),
            json!({"channel": channel, "score": 5, "solved": true, "courtesy": "COURTESY_COURTEOUS"}),
        ),
    ] {
        let mut json = more;
        json["callback_task_id"] = id.clone().into();
        json["etag"] = etag.into();
        etag = at(&s.by(role, method, json).await, "/task/etag");
    }
    played.reads.push((hall!("CallbackService/GetCallbackTask"), json!({"callback_task_id": id})));
    played.reads.push((hall!("CallbackService/ListCallbackTasks"), tasks));
}

/// The caller for a role: bound to the party or the vendor where the role is a customer's or a vendor's.
pub fn bound(role: Role, played: &Played) -> Principal {
    let mut principal = staff(role);
    match role {
        Role::Customer => {
            principal.subject.clone_from(&played.party);
            principal.customer = Some(played.party.clone());
        }
        Role::VendorAdmin | Role::VendorWorker => principal.vendor = Some(played.vendor.clone()),
        _ => {}
    }
    principal
}
