//! The people of the tests, and the way to what most tests begin with.

use std::sync::atomic::{AtomicU32, Ordering};

use calendar::NaiveDate;
use contracts::hearth::{
    hall::v1::WorkOrderOffered,
    journal::v1::{Event, WatchEventsRequest, journal_service_client::JournalServiceClient},
    options::v1::Role,
    r#type::v1::{Date, Decimal, Money},
    vendor::v1::{
        AdmitVendorRequest, ApproveContractRequest, CertificateKind, CompleteDossierRequest, Contract, ContractTerms, DataProcessingTerms, DossierDocument,
        DraftContractRequest, EndPersonRequest, ListOffersRequest, Offer, Person, RankVendorsRequest, RecordCertificateRequest, RecordConfidentialityRequest,
        RecordLegalRepresentativeRequest, RecordTrainingRequest, RegisterPersonRequest, RegisterVendorRequest, ReviewContractRequest, ReviewSiteRequest,
        ScoreVendorRequest, Scores, ServiceCategory, SlaTerm, Vendor, VendorKind, VerifyVendorRequest, contract_service_client::ContractServiceClient,
        dossier_document::Kind, offer_service_client::OfferServiceClient, person_service_client::PersonServiceClient, training,
        vendor_service_client::VendorServiceClient,
    },
};
use ids::{CreditCode, IdNumber};
use prost::{Message, Name};
use testbed::{Bed, Client, Feed, at, eventually, key};
use tonic::Status;
use uuid::Uuid;

pub type Vendors = VendorServiceClient<Client>;
pub type Contracts = ContractServiceClient<Client>;
pub type Persons = PersonServiceClient<Client>;
pub type Offers = OfferServiceClient<Client>;

static COUNT: AtomicU32 = AtomicU32::new(1);

fn next() -> u32 {
    COUNT.fetch_add(1, Ordering::Relaxed)
}

/// A credit code that checks out and that nobody has.
pub fn uscc() -> String {
    let stem = format!("91120103{:09}", next());
    let check = CreditCode::check(&format!("{stem}0")).check_char.unwrap();
    format!("{stem}{check}")
}

/// An identity number that checks out and that nobody has.
pub fn id_number() -> String {
    IdNumber::from_15_digits(&format!("110105800101{:03}", next() % 1000))
        .unwrap()
        .as_str()
        .to_owned()
}

pub fn date(year: i32, month: i32, day: i32) -> Date {
    Date { year, month, day }
}

pub fn day(date: &Option<Date>) -> String {
    date.map(|d| format!("{:04}-{:02}-{:02}", d.year, d.month, d.day)).unwrap_or_default()
}

pub fn set_day(bed: &Bed, day: &str) {
    bed.clock().set(at(&format!("{day}T09:00:00+08:00"))).unwrap();
}

pub fn today(bed: &Bed) -> NaiveDate {
    bed.clock().now().date()
}

pub fn vendors(bed: &Bed, subject: &str, roles: &[Role]) -> Vendors {
    Vendors::new(bed.staff_named(subject, roles))
}

pub fn contracts(bed: &Bed, subject: &str, roles: &[Role]) -> Contracts {
    Contracts::new(bed.staff_named(subject, roles))
}

pub fn persons(bed: &Bed, subject: &str, roles: &[Role]) -> Persons {
    Persons::new(bed.staff_named(subject, roles))
}

pub fn points(text: &str) -> Option<Decimal> {
    Some(Decimal { value: text.to_owned() })
}

pub fn scores(technical: &str, financial: &str, quotation: &str, references: &str) -> Option<Scores> {
    Some(Scores {
        technical: points(technical),
        financial: points(financial),
        quotation: points(quotation),
        references: points(references),
    })
}

pub fn dossier() -> Vec<DossierDocument> {
    [Kind::Licence, Kind::Technical, Kind::Financial, Kind::Quotation]
        .into_iter()
        .map(|kind| DossierDocument {
            kind: kind.into(),
            title: format!("{kind:?}"),
            file_digest: String::new(),
        })
        .collect()
}

/// Registers a vendor.
pub async fn registered(bed: &Bed) -> Vendor {
    let request = RegisterVendorRequest {
        request_id: key(),
        uscc: uscc(),
        name: "津河管道维修有限公司".into(),
        kinds: vec![VendorKind::ServiceFirm.into()],
    };
    vendors(bed, "it", &[Role::ItDepartment])
        .register_vendor(request)
        .await
        .unwrap()
        .into_inner()
        .vendor
        .unwrap()
}

/// Opens a qualification for a registered vendor.
pub async fn with_dossier(bed: &Bed, vendor: Vendor, category: ServiceCategory) -> (Vendor, String) {
    let request = CompleteDossierRequest {
        request_id: key(),
        vendor_id: vendor.vendor_id,
        etag: vendor.etag,
        category: category.into(),
        documents: dossier(),
    };
    let answer = vendors(bed, "it", &[Role::ItDepartment]).complete_dossier(request).await.unwrap().into_inner();
    (answer.vendor.unwrap(), answer.qualification_id)
}

/// Brings a qualification through verification and score. `verifier` and `scorer` are subjects.
pub async fn scored(bed: &Bed, vendor: Vendor, qualification_id: &str, by: (&str, &str), given: Option<Scores>) -> Vendor {
    let (verifier, scorer) = by;
    let request = VerifyVendorRequest {
        request_id: key(),
        vendor_id: vendor.vendor_id.clone(),
        etag: vendor.etag,
        qualification_id: qualification_id.into(),
        passed: true,
        findings: String::new(),
    };
    let role = &[Role::QualificationVerifier];
    let vendor = vendors(bed, verifier, role).verify_vendor(request).await.unwrap().into_inner().vendor.unwrap();
    let request = ScoreVendorRequest {
        request_id: key(),
        vendor_id: vendor.vendor_id.clone(),
        etag: vendor.etag,
        qualification_id: qualification_id.into(),
        scores: given,
        findings: String::new(),
    };
    vendors(bed, scorer, role).score_vendor(request).await.unwrap().into_inner().vendor.unwrap()
}

pub async fn get(bed: &Bed, vendor_id: &str) -> Vendor {
    let request = contracts::hearth::vendor::v1::GetVendorRequest { vendor_id: vendor_id.into() };
    vendors(bed, "auditor", &[Role::Auditor])
        .get_vendor(request)
        .await
        .unwrap()
        .into_inner()
        .vendor
        .unwrap()
}

/// Records who represents a vendor.
pub async fn represent(bed: &Bed, vendor: &Vendor, id_number: &str) -> Result<Vendor, Status> {
    let request = RecordLegalRepresentativeRequest {
        request_id: key(),
        vendor_id: vendor.vendor_id.clone(),
        etag: vendor.etag.clone(),
        id_number: id_number.into(),
    };
    let answer = vendors(bed, "it", &[Role::ItDepartment]).record_legal_representative(request).await?;
    Ok(answer.into_inner().vendor.unwrap())
}

/// Brings a scored qualification to admission; the site is reviewed today.
pub async fn ranked_and_admitted(bed: &Bed, vendor_id: &str, qualification_id: &str, category: ServiceCategory) -> Vendor {
    let mut it = vendors(bed, "it", &[Role::ItDepartment]);
    it.rank_vendors(RankVendorsRequest {
        request_id: key(),
        category: category.into(),
    })
    .await
    .unwrap();
    let vendor = get(bed, vendor_id).await;
    let now = today(bed);
    let request = ReviewSiteRequest {
        request_id: key(),
        vendor_id: vendor_id.into(),
        etag: vendor.etag,
        qualification_id: qualification_id.into(),
        passed: true,
        review_date: Some(rpc::wire::date(now)),
        findings: "团队齐备".into(),
    };
    let vendor = it.review_site(request).await.unwrap().into_inner().vendor.unwrap();
    let vendor = represent(bed, &vendor, &id_number()).await.unwrap();
    let request = AdmitVendorRequest {
        request_id: key(),
        vendor_id: vendor_id.into(),
        etag: vendor.etag,
        qualification_id: qualification_id.into(),
    };
    vendors(bed, "leader", &[Role::Leader])
        .admit_vendor(request)
        .await
        .unwrap()
        .into_inner()
        .vendor
        .unwrap()
}

/// A vendor that is admitted for a category, verified and scored by `verifier`.
pub async fn admitted(bed: &Bed, category: ServiceCategory) -> Vendor {
    let vendor = registered(bed).await;
    let (vendor, qualification) = with_dossier(bed, vendor, category).await;
    let vendor = scored(bed, vendor, &qualification, ("verifier", "verifier"), scores("35", "20", "20", "8")).await;
    ranked_and_admitted(bed, &vendor.vendor_id, &qualification, category).await
}

/// Terms that pass F-04 for every category.
pub fn terms(bed: &Bed, category: ServiceCategory) -> ContractTerms {
    let start = today(bed);
    let end = start.checked_add_signed(calendar::TimeDelta::days(364)).map(rpc::wire::date);
    ContractTerms {
        category: category.into(),
        title: "管道维修".into(),
        value: Some(Money {
            currency_code: "CNY".into(),
            minor_units: 48_000_000,
        }),
        start_date: Some(rpc::wire::date(start)),
        end_date: end,
        confidentiality_document: "NDA-2025-7".into(),
        data_processing: Some(DataProcessingTerms {
            purpose: "维修上门".into(),
            method: "派单查看".into(),
            data_kinds: vec!["地址".into()],
            protection: "最小权限".into(),
            until_date: end,
        }),
        sla: vec![SlaTerm {
            metric: "P1 response".into(),
            target: "15 minutes".into(),
            window: "month".into(),
            deduction_basis_points: 100,
        }],
        emergency_plan_document: "EP-3".into(),
        retention_basis_points: Some(500),
        renewal_notice_days: 60,
        exit_plan_document: String::new(),
    }
}

pub async fn drafted(bed: &Bed, vendor_id: &str, terms: ContractTerms) -> Contract {
    let request = DraftContractRequest {
        request_id: key(),
        vendor_id: vendor_id.into(),
        branch: "河西区".into(),
        terms: Some(terms),
    };
    contracts(bed, "officer", &[Role::ContractOfficer])
        .draft_contract(request)
        .await
        .unwrap()
        .into_inner()
        .contract
        .unwrap()
}

/// A contract that is reviewed and approved by `leader`.
pub async fn approved(bed: &Bed, vendor_id: &str, terms: ContractTerms) -> Contract {
    let contract = drafted(bed, vendor_id, terms).await;
    let request = ReviewContractRequest {
        request_id: key(),
        contract_id: contract.contract_id,
        etag: contract.etag,
        opinion: String::new(),
    };
    let contract = contracts(bed, "it", &[Role::ItDepartment])
        .review_contract(request)
        .await
        .unwrap()
        .into_inner()
        .contract
        .unwrap();
    let request = ApproveContractRequest {
        request_id: key(),
        contract_id: contract.contract_id,
        etag: contract.etag,
        opinion: String::new(),
    };
    contracts(bed, "leader", &[Role::Leader])
        .approve_contract(request)
        .await
        .unwrap()
        .into_inner()
        .contract
        .unwrap()
}

/// A person of a vendor as registered, in the field.
pub async fn person(bed: &Bed, vendor_id: &str) -> Person {
    let request = RegisterPersonRequest {
        request_id: key(),
        vendor_id: vendor_id.into(),
        name: "张小明".into(),
        id_number: id_number(),
        phone: "13812345678".into(),
        field_work: true,
        key_staff: false,
    };
    persons(bed, "it", &[Role::ItDepartment])
        .register_person(request)
        .await
        .unwrap()
        .into_inner()
        .person
        .unwrap()
}

/// A person leaves today.
pub async fn leave(bed: &Bed, person: Person) -> Person {
    let request = EndPersonRequest {
        request_id: key(),
        vendor_id: person.vendor_id,
        person_id: person.person_id,
        etag: person.etag,
        reason: "离职".into(),
    };
    persons(bed, "it", &[Role::ItDepartment])
        .end_person(request)
        .await
        .unwrap()
        .into_inner()
        .person
        .unwrap()
}

pub async fn sign_confidentiality(bed: &Bed, person: Person) -> Person {
    let request = RecordConfidentialityRequest {
        request_id: key(),
        vendor_id: person.vendor_id,
        person_id: person.person_id,
        etag: person.etag,
        signed_date: Some(rpc::wire::date(today(bed))),
        document: "NDA-P-1".into(),
    };
    persons(bed, "it", &[Role::ItDepartment])
        .record_confidentiality(request)
        .await
        .unwrap()
        .into_inner()
        .person
        .unwrap()
}

pub async fn train(bed: &Bed, person: Person, kind: training::Kind) -> Person {
    let request = RecordTrainingRequest {
        request_id: key(),
        vendor_id: person.vendor_id,
        person_id: person.person_id,
        etag: person.etag,
        kind: kind.into(),
        passed_date: Some(rpc::wire::date(today(bed))),
        authority: "燃气培训中心".into(),
    };
    persons(bed, "it", &[Role::ItDepartment])
        .record_training(request)
        .await
        .unwrap()
        .into_inner()
        .person
        .unwrap()
}

pub async fn certify(bed: &Bed, person: Person, kind: CertificateKind, from: Date, to: Date) -> (Person, String) {
    let request = RecordCertificateRequest {
        request_id: key(),
        vendor_id: person.vendor_id,
        person_id: person.person_id,
        etag: person.etag,
        kind: kind.into(),
        number: format!("C-{}", next()),
        issuing_body: "市燃气管理处".into(),
        issued_date: Some(from),
        valid_to_date: Some(to),
    };
    let answer = persons(bed, "it", &[Role::ItDepartment])
        .record_certificate(request)
        .await
        .unwrap()
        .into_inner();
    (answer.person.unwrap(), answer.certificate_id)
}

/// A repairer with agreement, both trainings and a certificate for the year 2025.
pub async fn repairer(bed: &Bed, vendor_id: &str) -> Person {
    let person = sign_confidentiality(bed, person(bed, vendor_id).await).await;
    let person = train(bed, person, training::Kind::Safety).await;
    let person = train(bed, person, training::Kind::Technical).await;
    certify(bed, person, CertificateKind::Repair, date(2025, 1, 1), date(2025, 12, 31)).await.0
}

/// Hall offers an order to a vendor; a repair on 10 January that may be answered until noon of the 3rd.
pub fn offered(vendor_id: &str, order_id: &str) -> WorkOrderOffered {
    WorkOrderOffered {
        order_id: order_id.into(),
        order_no: "WO-河西区-2025-000001".into(),
        kind: "REPAIR".into(),
        vendor_id: vendor_id.into(),
        branch: "河西区".into(),
        certificate_kind: contracts::hearth::hall::v1::CertificateKind::Repair.into(),
        planned_date: Some(date(2025, 1, 10)),
        respond_by: Some(rpc::wire::time(at("2025-01-03T12:00:00+08:00"))),
    }
}

/// Tells the offer and waits until the vendor service has taken it.
pub async fn offer(bed: &Bed, hall: &Feed, told: WorkOrderOffered) -> Offer {
    hall.tell(&told.order_id, &told);
    eventually("the offer", async || {
        offers_of(bed, &told.order_id).await.into_iter().rfind(|o| o.vendor_id == told.vendor_id)
    })
    .await
}

pub async fn offers_of(bed: &Bed, order_id: &str) -> Vec<Offer> {
    let request = ListOffersRequest {
        page_size: 100,
        order_id: order_id.into(),
        ..Default::default()
    };
    Offers::new(bed.staff(&[Role::Dispatcher]))
        .list_offers(request)
        .await
        .unwrap()
        .into_inner()
        .offers
}

pub fn uuid() -> String {
    Uuid::now_v7().to_string()
}

/// The first events of the service, as hall gets them.
pub async fn events(bed: &Bed, count: usize) -> Vec<Event> {
    let mut client = JournalServiceClient::new(bed.peer("hall"));
    let mut stream = client.watch_events(WatchEventsRequest { after_position: 0 }).await.unwrap().into_inner();
    let mut events = vec![];
    while events.len() < count {
        events.extend(stream.message().await.unwrap().unwrap().event);
    }
    events
}

/// The payloads of one type among events.
pub fn payloads<M: Message + Name + Default>(events: &[Event]) -> Vec<M> {
    events
        .iter()
        .filter(|e| e.r#type == M::full_name())
        .map(|e| M::decode(e.data.as_slice()).unwrap())
        .collect()
}
