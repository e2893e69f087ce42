//! The customer archive (客户档案): parties, premises and service points, accounts, contract templates, agreements, entitlements, and
//! the one question whether the utility may deal with a party.
//!
//! Party – account – agreement – service point – premises: moving house touches agreements only. Identity numbers, phones and proofs
//! are sealed under a key of the party; names and addresses are clear columns here and nowhere else.

pub mod account;
pub mod agreement;
pub mod entitlement;
pub mod intake;
pub mod party;
pub mod premises;
mod refusal;
mod standing;
mod table;
pub mod template;

use contracts::hearth::archive::v1::{
    account_service_server::AccountServiceServer, agreement_service_server::AgreementServiceServer, entitlement_service_server::EntitlementServiceServer,
    intake_service_server::IntakeServiceServer, party_service_server::PartyServiceServer, premises_service_server::PremisesServiceServer,
    standing_service_server::StandingServiceServer, template_service_server::TemplateServiceServer,
};
use database::Database;
use rpc::Fault;
use vault::Vault;

pub use refusal::Refusal;

/// The service, for `boot` and for the tests.
pub const SERVICE: boot::Service = boot::Service {
    name: "archive",
    port: 7701,
    migrations: &[include_str!("../migrations/0001_initial.sql")],
    build,
    references: &[
        ("service_point.premises_id", "premises.id"),
        ("account.party_id", "party.id"),
        ("template_version.template_id", "template.id"),
        ("agreement.account_id", "account.id"),
        ("agreement.party_id", "party.id"),
        ("agreement.premises_id", "premises.id"),
        ("agreement.service_point_id", "service_point.id"),
        ("agreement_version.agreement_id", "agreement.id"),
        ("agreement_version.template_id", "template.id"),
        ("entitlement.agreement_id", "agreement.id"),
        ("entitlement.party_id", "party.id"),
    ],
};

/// What every operation works with.
#[derive(Clone)]
pub struct Desk {
    /// The archive's database.
    pub db: Database,
    /// The keys of the parties.
    pub vault: Vault,
}

fn build(host: boot::Host) -> boot::Built {
    Box::pin(async move {
        let desk = Desk {
            db: host.db,
            vault: host.vault,
        };
        Ok(boot::Parts::new()
            .serve(PartyServiceServer::new(party::Api(desk.clone())))
            .serve(PremisesServiceServer::new(premises::Api(desk.clone())))
            .serve(AccountServiceServer::new(account::Api(desk.clone())))
            .serve(TemplateServiceServer::new(template::Api(desk.clone())))
            .serve(AgreementServiceServer::new(agreement::Api(desk.clone())))
            .serve(EntitlementServiceServer::new(entitlement::Api(desk.clone())))
            .serve(StandingServiceServer::new(standing::Api(desk.clone())))
            .serve(IntakeServiceServer::new(intake::Api(desk))))
    })
}

/// What a failure of the vault means to the caller: an erased subject is nobody.
fn unsealed(error: vault::Error) -> Fault {
    match error {
        vault::Error::Erased(id) => Fault::not_found("party", id),
        vault::Error::Database(error) => error.into(),
        other => Fault::internal(other),
    }
}

/// A code in a row that the rules do not know: the table's checks make that a mistake of ours.
fn unknown_code(column: &str) -> Fault {
    Fault::internal(format!("{column} holds a code that is not known"))
}
