//! January: two vendors are admitted for field repairs (F-01), one gets a contract (F-04), and one of its people is certified (A-01, F-10).

use anyhow::{Result, ensure};
use contracts::hearth::vendor::v1::{
    AdmitVendorRequest, ApproveContractRequest, CertificateKind, CompleteDossierRequest, Contract, ContractTerms, DataProcessingTerms, DossierDocument,
    DraftContractRequest, GrantAccessRequest, Person, RankVendorsRequest, RecordCertificateRequest, RecordConfidentialityRequest,
    RecordLegalRepresentativeRequest, RecordTrainingRequest, RegisterPersonRequest, RegisterVendorRequest, ReviewContractRequest, ReviewSiteRequest,
    ScoreVendorRequest, Scores, ServiceCategory, SignContractRequest, SlaTerm, StartContractRequest, Vendor, VendorKind, VerifyVendorRequest, contract,
    contract_service_client::ContractServiceClient, dossier_document::Kind, person_service_client::PersonServiceClient, training, vendor,
    vendor_service_client::VendorServiceClient,
};
use rpc::wire;

use super::{
    cast::{CONTRACT_OFFICER, Cast, IT_DEPARTMENT, LEADER, VERIFIER, date, decimal, held, key, said},
    stage::Stage,
};

/// The branch in which the vendor works.
pub const BRANCH: &str = "河西区";
/// Gets the contract, and later the rank of a VIP.
const FIRM: Firm = Firm {
    uscc: "91120103MADEM0AB77",
    name: "津燃维修服务有限公司",
    representative: "120103197001019998",
    scores: ["34.5", "21", "20.25", "8"],
    days: ["2025-01-06T09:00", "2025-01-08T10:00", "2025-01-14T15:00", "2025-01-16T09:00"],
};
/// Is admitted as well, and bids in autumn.
const OTHER: Firm = Firm {
    uscc: "91120101MADEM0CD6L",
    name: "河东管道工程有限公司",
    representative: "120101196802029988",
    scores: ["30", "20", "22", "7.5"],
    days: ["2025-01-16T10:00", "2025-01-16T11:00", "2025-01-16T15:00", "2025-01-17T09:00"],
};

/// A firm that asks to be admitted.
struct Firm {
    uscc: &'static str,
    name: &'static str,
    /// Identity number of the legal representative.
    representative: &'static str,
    /// Technical, financial, quotation, references.
    scores: [&'static str; 4],
    /// When it is registered, judged, visited and admitted.
    days: [&'static str; 4],
}

/// The vendor as it was admitted.
pub struct Admitted {
    pub vendor_id: String,
    /// Name of the firm.
    pub name: &'static str,
    pub uscc: &'static str,
    /// The firm that bids against it.
    pub rival_id: String,
    pub contract_id: String,
    pub contract_no: String,
    /// Who does repairs.
    pub person_id: String,
}

pub async fn admit(cast: &Cast, stage: &Stage) -> Result<Admitted> {
    let chapter = stage.chapter("vendor", 23);
    let step = |what: &str| {
        chapter.step(1);
        chapter.doing(what);
    };
    let vendor_id = qualify(cast, &FIRM, step).await?;
    let rival_id = qualify(cast, &OTHER, step).await?;
    let contract = sign(cast, &vendor_id, step).await?;
    let person = certify(cast, &vendor_id, step).await?;
    chapter.done(&format!(
        "{} and {} admitted for field repairs, contract {} with the first, one repairer certified",
        FIRM.name, OTHER.name, contract.contract_no
    ));
    Ok(Admitted {
        vendor_id,
        name: FIRM.name,
        uscc: FIRM.uscc,
        rival_id,
        contract_id: contract.contract_id,
        contract_no: contract.contract_no,
        person_id: person.person_id,
    })
}

/// From the register to the admission.
async fn qualify(cast: &Cast, firm: &Firm, step: impl Fn(&str)) -> Result<String> {
    let own = |what: &str| key(&format!("{} {what}", firm.uscc));
    let [registered, judged, visited, admitted] = firm.days;
    let [technical, financial, quotation, references] = firm.scores;
    let as_it = || cast.ask("vendor", IT_DEPARTMENT).map(VendorServiceClient::new);
    let as_verifier = || cast.ask("vendor", VERIFIER).map(VendorServiceClient::new);
    let category = ServiceCategory::FieldRepair;

    cast.set_clock(registered).await?;
    step("registered");
    let register = RegisterVendorRequest {
        request_id: own("register-vendor"),
        uscc: firm.uscc.to_owned(),
        name: firm.name.to_owned(),
        kinds: vec![VendorKind::ServiceFirm.into()],
    };
    let vendor = held("vendor", said("registering the vendor", as_it()?.register_vendor(register)).await?.vendor)?;
    let vendor_id = vendor.vendor_id.clone();

    step("dossier");
    let document = |kind: Kind, title: &str| DossierDocument {
        kind: kind.into(),
        title: title.to_owned(),
        file_digest: super::cast::scan(title),
    };
    let documents = vec![
        document(Kind::Licence, &format!("营业执照 {}", firm.uscc)),
        document(Kind::Technical, "技术能力说明 2025-01"),
        document(Kind::Financial, "审计报告 2024"),
        document(Kind::Quotation, "户内维修报价单"),
        document(Kind::References, "维修业绩 2022-2024"),
    ];
    let dossier = CompleteDossierRequest {
        request_id: own("dossier"),
        vendor_id: vendor_id.clone(),
        etag: vendor.etag,
        category: category.into(),
        documents,
    };
    let answer = said("the dossier", as_it()?.complete_dossier(dossier)).await?;
    let (vendor, qualification_id) = (held("vendor", answer.vendor)?, answer.qualification_id);

    cast.set_clock(judged).await?;
    step("verified");
    let verify = VerifyVendorRequest {
        request_id: own("verify"),
        vendor_id: vendor_id.clone(),
        etag: vendor.etag,
        qualification_id: qualification_id.clone(),
        passed: true,
        findings: "originals seen".to_owned(),
    };
    let vendor = held("vendor", said("the verification", as_verifier()?.verify_vendor(verify)).await?.vendor)?;

    step("scored");
    let scores = Scores {
        technical: Some(decimal(technical)),
        financial: Some(decimal(financial)),
        quotation: Some(decimal(quotation)),
        references: Some(decimal(references)),
    };
    let score = ScoreVendorRequest {
        request_id: own("score"),
        vendor_id: vendor_id.clone(),
        etag: vendor.etag,
        qualification_id: qualification_id.clone(),
        scores: Some(scores),
        findings: "eleven certified repairers, three years of work for two districts".to_owned(),
    };
    said("the scores", as_verifier()?.score_vendor(score)).await?;

    step("ranked");
    let ranking = said(
        "the ranking",
        as_it()?.rank_vendors(RankVendorsRequest {
            request_id: own("rank"),
            category: category.into(),
        }),
    )
    .await?
    .ranking;
    ensure!(ranking.iter().any(|place| place.vendor_id == vendor_id), "{} is not ranked", firm.name);
    let vendor = look(cast, &vendor_id).await?;

    cast.set_clock(visited).await?;
    step("site reviewed");
    let review = ReviewSiteRequest {
        request_id: own("site-review"),
        vendor_id: vendor_id.clone(),
        etag: vendor.etag,
        qualification_id: qualification_id.clone(),
        passed: true,
        review_date: Some(date(visited.split('T').next().unwrap_or_default())?),
        findings: "workshop, instruments and training records in order".to_owned(),
    };
    let vendor = held("vendor", said("the site review", as_it()?.review_site(review)).await?.vendor)?;
    let representative = RecordLegalRepresentativeRequest {
        request_id: own("legal-representative"),
        vendor_id: vendor_id.clone(),
        etag: vendor.etag,
        id_number: firm.representative.to_owned(),
    };
    let vendor = held(
        "vendor",
        said("the legal representative", as_it()?.record_legal_representative(representative))
            .await?
            .vendor,
    )?;

    cast.set_clock(admitted).await?;
    step("admitted");
    let admission = AdmitVendorRequest {
        request_id: own("admit"),
        vendor_id: vendor_id.clone(),
        etag: vendor.etag,
        qualification_id,
    };
    let vendor = held(
        "vendor",
        said("the admission", VendorServiceClient::new(cast.ask("vendor", LEADER)?).admit_vendor(admission))
            .await?
            .vendor,
    )?;
    ensure!(
        vendor.state() == vendor::State::Admitted,
        "the vendor is {} after its admission",
        vendor.state().as_str_name()
    );
    Ok(vendor_id)
}

async fn look(cast: &Cast, vendor_id: &str) -> Result<Vendor> {
    let get = contracts::hearth::vendor::v1::GetVendorRequest {
        vendor_id: vendor_id.to_owned(),
    };
    held(
        "vendor",
        said("the vendor", VendorServiceClient::new(cast.ask("vendor", IT_DEPARTMENT)?).get_vendor(get))
            .await?
            .vendor,
    )
}

async fn sign(cast: &Cast, vendor_id: &str, step: impl Fn(&str)) -> Result<Contract> {
    let mut officer = ContractServiceClient::new(cast.ask("vendor", CONTRACT_OFFICER)?);
    step("contract drafted");
    let sla = |metric: &str, target: &str, deduction_basis_points| SlaTerm {
        metric: metric.to_owned(),
        target: target.to_owned(),
        window: "month".to_owned(),
        deduction_basis_points,
    };
    let terms = ContractTerms {
        category: ServiceCategory::FieldRepair.into(),
        title: "户内燃气维修 2025".to_owned(),
        value: Some(wire::money(money::Money::from_fen(48_000_000))),
        start_date: Some(date("2025-01-20")?),
        end_date: Some(date("2026-01-19")?),
        confidentiality_document: "保密协议 2025-01".to_owned(),
        data_processing: Some(DataProcessingTerms {
            purpose: "repairs at the premises of customers".to_owned(),
            method: "shown in the app of the crew, order by order".to_owned(),
            data_kinds: vec!["name".to_owned(), "address".to_owned(), "relay phone".to_owned()],
            protection: "access by order only, erased with its end".to_owned(),
            until_date: Some(date("2026-01-19")?),
        }),
        sla: vec![sla("repair within 4 hours", "98 %", 200), sla("rework", "at most 3 %", 100)],
        emergency_plan_document: "应急预案 2025-01".to_owned(),
        retention_basis_points: Some(500),
        renewal_notice_days: 60,
        exit_plan_document: "退出方案 2025-01".to_owned(),
    };
    let draft = DraftContractRequest {
        request_id: key("draft"),
        vendor_id: vendor_id.to_owned(),
        branch: BRANCH.to_owned(),
        terms: Some(terms),
    };
    let contract = held("contract", said("the draft", officer.draft_contract(draft)).await?.contract)?;
    let contract_id = contract.contract_id.clone();

    cast.set_clock("2025-01-17T10:00").await?;
    step("contract reviewed");
    let opinion = "terms as in the quotation".to_owned();
    let review = ReviewContractRequest {
        request_id: key("review-contract"),
        contract_id: contract_id.clone(),
        etag: contract.etag,
        opinion,
    };
    let mut it = ContractServiceClient::new(cast.ask("vendor", IT_DEPARTMENT)?);
    let contract = held("contract", said("the review", it.review_contract(review)).await?.contract)?;

    step("contract approved");
    let approve = ApproveContractRequest {
        request_id: key("approve"),
        contract_id: contract_id.clone(),
        etag: contract.etag,
        opinion: "agreed".to_owned(),
    };
    let mut leader = ContractServiceClient::new(cast.ask("vendor", LEADER)?);
    let contract = held("contract", said("the approval", leader.approve_contract(approve)).await?.contract)?;

    step("contract signed");
    let sign = SignContractRequest {
        request_id: key("sign"),
        contract_id: contract_id.clone(),
        etag: contract.etag,
        signed_date: Some(date("2025-01-17")?),
        authorities: vec![],
    };
    let contract = held("contract", said("the signature", officer.sign_contract(sign)).await?.contract)?;

    cast.set_clock("2025-01-20T08:30").await?;
    step("contract in force");
    let start = StartContractRequest {
        request_id: key("start"),
        contract_id,
        etag: contract.etag,
    };
    let contract = held("contract", said("the start of the contract", officer.start_contract(start)).await?.contract)?;
    ensure!(
        contract.state() == contract::State::InForce,
        "the contract is {} after its start",
        contract.state().as_str_name()
    );
    Ok(contract)
}

async fn certify(cast: &Cast, vendor_id: &str, step: impl Fn(&str)) -> Result<Person> {
    let vendor_id = vendor_id.to_owned();
    let mut portal = PersonServiceClient::new(cast.ask_as_vendor("vendor", "jinran-office", &vendor_id)?);
    let mut it = PersonServiceClient::new(cast.ask("vendor", IT_DEPARTMENT)?);
    step("person registered");
    let register = RegisterPersonRequest {
        request_id: key("register-person"),
        vendor_id: vendor_id.clone(),
        name: "祝师傅".to_owned(),
        id_number: "120101188809260111".to_owned(),
        phone: "19000009002".to_owned(),
        field_work: true,
        key_staff: true,
    };
    let person = held("person", said("the person", portal.register_person(register)).await?.person)?;
    let person_id = person.person_id.clone();

    step("confidentiality signed");
    let confidentiality = RecordConfidentialityRequest {
        request_id: key("confidentiality"),
        vendor_id: vendor_id.clone(),
        person_id: person_id.clone(),
        etag: person.etag,
        signed_date: Some(date("2025-01-20")?),
        document: "保密协议 2025-01-祝".to_owned(),
    };
    let mut person = held(
        "person",
        said("the confidentiality agreement", it.record_confidentiality(confidentiality)).await?.person,
    )?;

    step("trained");
    for (kind, passed) in [
        (training::Kind::Safety, "2024-11-15"),
        (training::Kind::Technical, "2024-11-22"),
        (training::Kind::InformationSecurity, "2025-01-20"),
    ] {
        let training = RecordTrainingRequest {
            request_id: key(&format!("training {}", kind.as_str_name())),
            vendor_id: vendor_id.clone(),
            person_id: person_id.clone(),
            etag: person.etag,
            kind: kind.into(),
            passed_date: Some(date(passed)?),
            authority: "天津市燃气行业协会".to_owned(),
        };
        person = held("person", said("the training", it.record_training(training)).await?.person)?;
    }

    step("certified");
    let certificate = RecordCertificateRequest {
        request_id: key("vendor-certificate"),
        vendor_id: vendor_id.clone(),
        person_id: person_id.clone(),
        etag: person.etag,
        kind: CertificateKind::Repair.into(),
        number: "WX-2024-0117".to_owned(),
        issuing_body: "天津市燃气行业协会".to_owned(),
        issued_date: Some(date("2024-12-01")?),
        valid_to_date: Some(date("2027-11-30")?),
    };
    let person = held("person", said("the certificate", it.record_certificate(certificate)).await?.person)?;

    step("access granted");
    let grant = GrantAccessRequest {
        request_id: key("grant"),
        vendor_id,
        person_id,
        etag: person.etag,
        purpose: "work orders of field repairs".to_owned(),
        systems: vec!["crew-app".to_owned()],
        until_date: Some(date("2025-12-31")?),
    };
    held("person", said("the access", it.grant_access(grant)).await?.person)
}
