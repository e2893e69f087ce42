//! The vendor service (外包): admission of vendors, contracts, their persons, and work orders that they take.
//!
//! One folder per noun: `model` holds the rules, `store` the rows, `ops` one function per write, `wire` the way between messages and
//! rules, `api` the gRPC service.

mod codes;
mod contract;
mod offer;
mod person;
mod refusal;
mod vendor;

use boot::{Built, Host, Parts, Service};
use calendar::Clock;
use contracts::hearth::vendor::v1::{
    contract_service_server::ContractServiceServer, offer_service_server::OfferServiceServer, person_service_server::PersonServiceServer,
    vendor_service_server::VendorServiceServer,
};
use database::Database;
use vault::Vault;

pub use refusal::Refusal;

/// The service, for its own program and for those that run all four.
pub const SERVICE: Service = Service {
    name: "vendor",
    port: 7704,
    migrations: &[include_str!("../migrations/0001_initial.sql")],
    build,
    references: &[
        ("qualification.vendor_id", "vendor.id"),
        ("contract.vendor_id", "vendor.id"),
        ("contract_part.contract_id", "contract.id"),
        ("contract_part.vendor_id", "vendor.id"),
        ("person.vendor_id", "vendor.id"),
        ("training.person_id", "person.id"),
        ("certificate.person_id", "person.id"),
        ("access_grant.person_id", "person.id"),
        ("access_grant.vendor_id", "vendor.id"),
        ("work_offer.vendor_id", "vendor.id"),
        ("work_offer.person_id", "person.id"),
        ("work_report.offer_id", "work_offer.id"),
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
            .serve(VendorServiceServer::new(vendor::api::Api(desk.clone())))
            .serve(ContractServiceServer::new(contract::api::Api(desk.clone())))
            .serve(PersonServiceServer::new(person::api::Api(desk.clone())))
            .serve(OfferServiceServer::new(offer::api::Api(desk)))
            .task("take-hall-events", database::consume(host.db, hall, offer::HallEvents)))
    })
}
