//! The vendor service (外包): admission of vendors, contracts, their persons, work orders that they take, their assessment and settlement,
//! what they have to set right, VIPs and tenders.
//!
//! One folder per noun: `model` holds the rules, `store` the rows, `ops` one function per write, `wire` the way between messages and
//! rules, `api` the gRPC service.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod assessment;
mod codes;
mod contract;
mod keys;
mod offer;
mod person;
mod proceeding;
mod refusal;
mod remedy;
mod settlement;
mod tender;
mod vendor;
mod vip;

use boot::{ALWAYS, Built, Host, Parts, Service};
use calendar::Clock;
use contracts::hearth::vendor::v1::{
    assessment_service_server::AssessmentServiceServer, contract_service_server::ContractServiceServer, offer_service_server::OfferServiceServer,
    person_service_server::PersonServiceServer, proceeding_service_server::ProceedingServiceServer, remedy_service_server::RemedyServiceServer,
    settlement_service_server::SettlementServiceServer, tender_service_server::TenderServiceServer, vendor_service_server::VendorServiceServer,
    vip_service_server::VipServiceServer,
};
use database::Database;
use vault::Vault;

pub use refusal::Refusal;

/// The service, for its own program and for those that run all four.
pub const SERVICE: Service = Service {
    name: "vendor",
    port: 7704,
    migrations: &[
        include_str!("../migrations/0001_initial.sql"),
        include_str!("../migrations/0002_settlement.sql"),
        include_str!("../migrations/0003_tax.sql"),
        include_str!("../migrations/0004_remedy.sql"),
        include_str!("../migrations/0005_key_staff.sql"),
    ],
    build,
    references: &[
        ("qualification.vendor_id", "vendor.id"),
        ("contract.vendor_id", "vendor.id"),
        ("contract_part.contract_id", "contract.id"),
        ("contract_part.vendor_id", "vendor.id"),
        ("person.vendor_id", "vendor.id"),
        ("person.replaces_id", "person.id"),
        ("training.person_id", "person.id"),
        ("certificate.person_id", "person.id"),
        ("access_grant.person_id", "person.id"),
        ("access_grant.vendor_id", "vendor.id"),
        ("work_offer.vendor_id", "vendor.id"),
        ("work_offer.person_id", "person.id"),
        ("work_report.offer_id", "work_offer.id"),
        ("upheld_complaint.vendor_id", "vendor.id"),
        ("assessment.contract_id", "contract.id"),
        ("assessment.vendor_id", "vendor.id"),
        ("vendor_rate.contract_id", "contract.id"),
        ("lent_asset.vendor_id", "vendor.id"),
        ("payment_request.contract_id", "contract.id"),
        ("payment_request.vendor_id", "vendor.id"),
        ("sla_deduction.payment_request_id", "payment_request.id"),
        ("payment_adjustment.payment_request_id", "payment_request.id"),
        ("payment_adjustment.earlier_id", "payment_request.id"),
        ("payment_hold.payment_request_id", "payment_request.id"),
        ("remedy.vendor_id", "vendor.id"),
        ("remedy.contract_id", "contract.id"),
        ("remedy.assessment_id", "assessment.id"),
        ("proceeding.vendor_id", "vendor.id"),
        ("proceeding.contract_id", "contract.id"),
        ("proceeding.assessment_id", "assessment.id"),
        ("upheld_complaint.contract_id", "contract.id"),
        ("vendor_name.vendor_id", "vendor.id"),
        ("legal_representative.id", "vendor.id"),
        ("vip_case.vendor_id", "vendor.id"),
        ("vip_step.vip_case_id", "vip_case.id"),
        ("vip_evidence.vip_case_id", "vip_case.id"),
        ("tender.winner_quote_id", "tender_quote.id"),
        ("tender.lowest_quote_id", "tender_quote.id"),
        ("tender_quote.tender_id", "tender.id"),
        ("tender_quote.vendor_id", "vendor.id"),
    ],
};

/// What every handler works with. Cheap to clone.
#[derive(Clone)]
pub struct Desk {
    pub db: Database,
    pub clock: Clock,
    pub vault: Vault,
}

fn build(host: Host) -> Built {
    Box::pin(async move {
        let hall = host.peer("hall")?;
        let desk = Desk {
            db: host.db.clone(),
            clock: host.clock.clone(),
            vault: host.vault.clone(),
        };
        Ok(Parts::new()
            .index(person::store::BY_ID_NUMBER)
            .index(vendor::store::BY_LEGAL_REPRESENTATIVE)
            .serve(VendorServiceServer::new(vendor::api::Api(desk.clone())))
            .serve(ContractServiceServer::new(contract::api::Api(desk.clone())))
            .serve(PersonServiceServer::new(person::api::Api(desk.clone())))
            .serve(OfferServiceServer::new(offer::api::Api(desk.clone())))
            .serve(AssessmentServiceServer::new(assessment::api::Api(desk.clone())))
            .serve(RemedyServiceServer::new(remedy::api::Api(desk.clone())))
            .serve(ProceedingServiceServer::new(proceeding::api::Api(desk.clone())))
            .serve(SettlementServiceServer::new(settlement::api::Api(desk.clone())))
            .serve(VipServiceServer::new(vip::api::Api(desk.clone())))
            .serve(TenderServiceServer::new(tender::api::Api(desk.clone())))
            .task("take-hall-events", database::consume(host.db, hall, offer::HallEvents))
            .sweep("holds", ALWAYS, &desk, |desk| Box::pin(settlement::sweep(desk))))
    })
}
