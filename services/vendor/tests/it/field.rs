//! Contracts in force, work done under them, and the people who judge and pay it.

use calendar::TimeDelta;
use contracts::hearth::{
    hall::v1::WorkOrderOffered,
    options::v1::Role,
    r#type::v1::{Date, Money},
    vendor::v1::{
        AcceptOfferRequest, ApproveWorkRequest, AssessContractRequest, Assessment, AssessmentScores, BlacklistVendorRequest, Contract, ContractTerms, Offer,
        Person, Rate, RateBasis, ReportWorkRequest, ServiceCategory, SetRateRequest, SignContractRequest, StartContractRequest,
        assessment_service_client::AssessmentServiceClient, settlement_service_client::SettlementServiceClient, tender_service_client::TenderServiceClient,
        vip_service_client::VipServiceClient,
    },
};
use rpc::Routes;
use testbed::{Bed, Client, Feed, key};
use tonic::Status;

use crate::world::{Offers, admitted, approved, contracts, get, offer, offered, points, repairer, terms, today, uuid, vendors};

pub type Assessments = AssessmentServiceClient<Client>;
pub type Settlements = SettlementServiceClient<Client>;
pub type Vips = VipServiceClient<Client>;
pub type Tenders = TenderServiceClient<Client>;

pub const REPAIR: ServiceCategory = ServiceCategory::FieldRepair;

pub fn assessments(bed: &Bed, subject: &str, roles: &[Role]) -> Assessments {
    Assessments::new(bed.staff_named(subject, roles))
}

pub fn settlements(bed: &Bed, subject: &str, roles: &[Role]) -> Settlements {
    Settlements::new(bed.staff_named(subject, roles))
}

pub fn vips(bed: &Bed, subject: &str, roles: &[Role]) -> Vips {
    Vips::new(bed.staff_named(subject, roles))
}

pub fn tenders(bed: &Bed, subject: &str, roles: &[Role]) -> Tenders {
    Tenders::new(bed.staff_named(subject, roles))
}

pub fn fen(minor_units: i64) -> Option<Money> {
    Some(Money {
        currency_code: "CNY".into(),
        minor_units,
    })
}

pub fn as_fen(money: &Option<Money>) -> i64 {
    money.as_ref().unwrap().minor_units
}

/// A contract that is signed and in force.
pub async fn in_force(bed: &Bed, vendor_id: &str, terms: ContractTerms) -> Contract {
    let contract = approved(bed, vendor_id, terms).await;
    let mut officer = contracts(bed, "officer", &[Role::ContractOfficer]);
    let request = SignContractRequest {
        request_id: key(),
        contract_id: contract.contract_id,
        etag: contract.etag,
        signed_date: Some(rpc::wire::date(today(bed))),
        authorities: vec![],
    };
    let contract = officer.sign_contract(request).await.unwrap().into_inner().contract.unwrap();
    let request = StartContractRequest {
        request_id: key(),
        contract_id: contract.contract_id,
        etag: contract.etag,
    };
    officer.start_contract(request).await.unwrap().into_inner().contract.unwrap()
}

pub async fn try_rate(bed: &Bed, contract: &Contract, basis: RateBasis, work_kind: &str, price: i64, from: Date) -> Result<Rate, Status> {
    taxed_rate(bed, contract, basis, work_kind, price, 0, from).await
}

/// A row of a rate card with tax within the price, in hundredths of a percent.
pub async fn taxed_rate(bed: &Bed, contract: &Contract, basis: RateBasis, work_kind: &str, price: i64, tax: i32, from: Date) -> Result<Rate, Status> {
    let request = SetRateRequest {
        request_id: key(),
        contract_id: contract.contract_id.clone(),
        basis: basis.into(),
        work_kind: work_kind.into(),
        unit_price: fen(price),
        from_date: Some(from),
        tax_basis_points: tax,
    };
    let answer = settlements(bed, "officer", &[Role::ContractOfficer]).set_rate(request).await?;
    Ok(answer.into_inner().rate.unwrap())
}

/// A vendor for repairs with a contract in force, a person who repairs, and hall.
pub struct Field {
    pub vendor: String,
    pub contract: Contract,
    pub worker: Person,
    pub hall: Feed,
}

impl Field {
    /// From 2 January 2025 on, a repair costs 80.00; 5 % is retained, a miss costs 1 %.
    pub async fn new(bed: &Bed) -> Self {
        let hall = bed.fake("hall", Routes::default()).await;
        Self::with(bed, hall).await
    }

    pub async fn with(bed: &Bed, hall: Feed) -> Self {
        let vendor = admitted(bed, REPAIR).await.vendor_id;
        let contract = in_force(bed, &vendor, terms(bed, REPAIR)).await;
        try_rate(bed, &contract, RateBasis::Order, "REPAIR", 8_000, rpc::wire::date(today(bed)))
            .await
            .unwrap();
        let worker = repairer(bed, &vendor).await;
        Self {
            vendor,
            contract,
            worker,
            hall,
        }
    }

    /// A repair that the vendor reports today as done on some day.
    pub async fn reported(&self, bed: &Bed, done: Date) -> Offer {
        let told = WorkOrderOffered {
            planned_date: Some(rpc::wire::date(today(bed))),
            respond_by: bed.clock().now().plus(TimeDelta::days(1)).map(rpc::wire::time),
            ..offered(&self.vendor, &uuid())
        };
        self.report(bed, told, done).await
    }

    /// What hall offers, accepted and reported today.
    pub async fn report(&self, bed: &Bed, told: WorkOrderOffered, done: Date) -> Offer {
        let offer = offer(bed, &self.hall, told).await;
        let mut crew = Offers::new(bed.vendor_user(&self.vendor, &[Role::VendorWorker]));
        let request = AcceptOfferRequest {
            request_id: key(),
            vendor_id: self.vendor.clone(),
            offer_id: offer.offer_id,
            person_id: self.worker.person_id.clone(),
            etag: String::new(),
        };
        let offer = crew.accept_offer(request).await.unwrap().into_inner().offer.unwrap();
        let request = ReportWorkRequest {
            request_id: key(),
            vendor_id: self.vendor.clone(),
            offer_id: offer.offer_id,
            etag: offer.etag,
            summary: "更换阀门".into(),
            done_date: Some(done),
        };
        crew.report_work(request).await.unwrap().into_inner().offer.unwrap()
    }

    /// Accepts reported work today.
    pub async fn accept(&self, bed: &Bed, offer: Offer) -> Offer {
        let request = ApproveWorkRequest {
            request_id: key(),
            vendor_id: self.vendor.clone(),
            offer_id: offer.offer_id,
            etag: offer.etag,
            findings: String::new(),
        };
        let mut acceptor = Offers::new(bed.staff_named("acceptor", &[Role::Acceptor]));
        acceptor.approve_work(request).await.unwrap().into_inner().offer.unwrap()
    }

    /// Some repairs, done, reported and accepted today.
    pub async fn repairs(&self, bed: &Bed, count: usize) {
        for _ in 0..count {
            let offer = self.reported(bed, rpc::wire::date(today(bed))).await;
            self.accept(bed, offer).await;
        }
    }

    pub fn assessment(&self, month: Date, scores: Option<AssessmentScores>) -> AssessContractRequest {
        AssessContractRequest {
            request_id: key(),
            contract_id: self.contract.contract_id.clone(),
            from_date: Some(month),
            milestone: String::new(),
            to_date: None,
            scores,
            findings: "按时完成".into(),
        }
    }

    pub async fn try_assess(&self, bed: &Bed, month: Date, scores: Option<AssessmentScores>) -> Result<Assessment, Status> {
        let answer = assessments(bed, "assessor", &[Role::Assessor])
            .assess_contract(self.assessment(month, scores))
            .await?;
        Ok(answer.into_inner().assessment.unwrap())
    }

    pub async fn assess(&self, bed: &Bed, month: Date, items: [&str; 5]) -> Assessment {
        self.try_assess(bed, month, scored(items)).await.unwrap()
    }
}

/// Scores in the order of the policy: 30, 30, 20, 10 and 10 at most.
pub fn scored(items: [&str; 5]) -> Option<AssessmentScores> {
    let [timeliness, quality, service_level, staff_safety, documents] = items.map(points);
    Some(AssessmentScores {
        timeliness,
        quality,
        service_level,
        staff_safety,
        documents,
    })
}

/// Puts a vendor on the black list.
pub async fn blacklist(bed: &Bed, vendor_id: &str) {
    let request = BlacklistVendorRequest {
        request_id: key(),
        vendor_id: vendor_id.into(),
        etag: get(bed, vendor_id).await.etag,
        reason: "围标".into(),
        until_date: Some(crate::world::date(2030, 1, 1)),
    };
    vendors(bed, "leader", &[Role::Leader]).blacklist_vendor(request).await.unwrap();
}
