//! The customer archive (客户档案): parties, premises and service points, accounts, contract templates, agreements, entitlements, and
//! the one question whether the utility may deal with a party.
//!
//! Party – account – agreement – service point – premises: moving house touches agreements only. Identity numbers, phones and proofs
//! are sealed under a key of the party; names and addresses are clear columns here and nowhere else.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

pub mod account;
pub mod agreement;
pub mod credit;
pub mod credit_file;
pub mod entitlement;
pub mod intake;
pub mod integrity;
pub mod party;
pub mod policy;
pub mod premises;
mod refusal;
mod standing;
pub mod template;

use boot::ALWAYS;
use contracts::hearth::archive::v1::{
    account_service_server::AccountServiceServer, agreement_service_server::AgreementServiceServer, credit_file_service_server::CreditFileServiceServer,
    credit_service_server::CreditServiceServer, entitlement_service_server::EntitlementServiceServer, intake_service_server::IntakeServiceServer,
    integrity_service_server::IntegrityServiceServer, party_service_server::PartyServiceServer, policy_conflict_service_server::PolicyConflictServiceServer,
    policy_duty_service_server::PolicyDutyServiceServer, policy_service_server::PolicyServiceServer, premises_service_server::PremisesServiceServer,
    standing_service_server::StandingServiceServer, template_service_server::TemplateServiceServer,
};
use database::Database;
pub(crate) use database::table;
pub(crate) use rpc::words;
use rpc::{Fault, Peer};
use vault::Vault;

pub use refusal::Refusal;

/// The service, for `boot` and for the tests.
pub const SERVICE: boot::Service = boot::Service {
    name: "archive",
    port: 7701,
    migrations: &[
        include_str!("../migrations/0001_initial.sql"),
        include_str!("../migrations/0002_policy.sql"),
        include_str!("../migrations/0003_credit.sql"),
        include_str!("../migrations/0004_late_fee.sql"),
        include_str!("../migrations/0005_exposure.sql"),
        include_str!("../migrations/0006_credit_file.sql"),
        include_str!("../migrations/0007_entitlements.sql"),
        include_str!("../migrations/0008_entitlement_notices.sql"),
        include_str!("../migrations/0009_missing_contracts.sql"),
    ],
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
        ("missing_contract.agreement_id", "agreement.id"),
        ("missing_contract.bill_id", "credit_bill.id"),
        ("entitlement.agreement_id", "agreement.id"),
        ("entitlement.party_id", "party.id"),
        ("policy_version.policy_id", "policy.id"),
        ("policy_version.supersedes_id", "policy_version.id"),
        ("policy_duty.policy_id", "policy.id"),
        ("policy_duty.version_id", "policy_version.id"),
        ("policy_acknowledgement.version_id", "policy_version.id"),
        ("policy_conflict.first_version_id", "policy_version.id"),
        ("policy_conflict.second_version_id", "policy_version.id"),
        ("policy_conflict.prevailing_version_id", "policy_version.id"),
        ("credit_file.party_id", "party.id"),
        ("credit_fact.file_id", "credit_file.id"),
        ("credit_fact.party_id", "party.id"),
        ("licence_watch.fact_id", "credit_fact.id"),
        ("licence_watch.file_id", "credit_file.id"),
        ("licence_watch.party_id", "party.id"),
        ("key_account.party_id", "party.id"),
        ("credit_rating.party_id", "party.id"),
        ("credit_line.party_id", "party.id"),
        ("credit_line.rating_id", "credit_rating.id"),
        ("guarantee.party_id", "party.id"),
        ("credit_bill.party_id", "party.id"),
        ("credit_bill.account_id", "account.id"),
        ("credit_bill.agreement_id", "agreement.id"),
        ("credit_payment.party_id", "party.id"),
        ("credit_payment.account_id", "account.id"),
        ("credit_hold.party_id", "party.id"),
        ("integrity_case.party_id", "party.id"),
        ("debt_dispute.party_id", "party.id"),
        ("debt_dispute.bill_id", "credit_bill.id"),
    ],
};

/// What every operation works with.
#[derive(Clone)]
pub struct Desk {
    /// The archive's database.
    pub db: Database,
    /// The keys of the parties.
    pub vault: Vault,
    /// The billing service, for what it has told.
    pub billing: Peer,
}

fn build(host: boot::Host) -> boot::Built {
    Box::pin(async move {
        let desk = Desk {
            billing: host.peer("billing")?,
            db: host.db,
            vault: host.vault,
        };
        Ok(boot::Parts::new()
            .index(party::store::BY_ID_NUMBER)
            .index(party::store::BY_PHONE)
            .serve(PartyServiceServer::new(party::Api(desk.clone())))
            .serve(PremisesServiceServer::new(premises::Api(desk.clone())))
            .serve(AccountServiceServer::new(account::Api(desk.clone())))
            .serve(TemplateServiceServer::new(template::Api(desk.clone())))
            .serve(AgreementServiceServer::new(agreement::Api(desk.clone())))
            .serve(EntitlementServiceServer::new(entitlement::Api(desk.clone())))
            .serve(StandingServiceServer::new(standing::Api(desk.clone())))
            .serve(IntakeServiceServer::new(intake::Api(desk.clone())))
            .serve(PolicyServiceServer::new(policy::PolicyApi(desk.clone())))
            .serve(PolicyDutyServiceServer::new(policy::DutyApi(desk.clone())))
            .serve(PolicyConflictServiceServer::new(policy::ConflictApi(desk.clone())))
            .serve(CreditFileServiceServer::new(credit_file::Api(desk.clone())))
            .serve(CreditServiceServer::new(credit::Api(desk.clone())))
            .serve(IntegrityServiceServer::new(integrity::Api(desk.clone())))
            .task(
                "take-billing-events",
                database::consume(desk.db.clone(), desk.billing.clone(), credit::billing::FromBilling(desk.clone())),
            )
            // In the order of what stands on what.
            .sweep("policies", ALWAYS, &desk, |desk| Box::pin(policy::sweep::run(desk)))
            .sweep("entitlements", ALWAYS, &desk, |desk| Box::pin(entitlement::sweep::run(desk)))
            .sweep("credit files", ALWAYS, &desk, |desk| Box::pin(credit_file::sweep::run(desk)))
            .sweep("credit", ALWAYS, &desk, |desk| Box::pin(credit::sweep::run(desk)))
            .sweep("listings", ALWAYS, &desk, |desk| Box::pin(integrity::sweep::run(desk))))
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
