//! Billing (抄表催费): meters, readings, tariffs, bill runs, bills, the ledger and payments.

mod bill;
mod ledger;
mod meter;
mod payment;
mod reading;
mod refusal;
mod run;
mod supply;
mod table;
mod tariff;
mod words;

use calendar::Clock;
use contracts::hearth::billing::v1::{
    bill_run_service_server::BillRunServiceServer, bill_service_server::BillServiceServer, ledger_service_server::LedgerServiceServer,
    meter_service_server::MeterServiceServer, payment_service_server::PaymentServiceServer, reading_service_server::ReadingServiceServer,
    supply_service_server::SupplyServiceServer, tariff_service_server::TariffServiceServer,
};
use database::Database;

pub use refusal::Refusal;

/// The billing service.
pub const SERVICE: boot::Service = boot::Service {
    name: "billing",
    port: 7703,
    migrations: &[include_str!("../migrations/0001_initial.sql")],
    build,
    references: &[
        ("supply.account_id", "account.id"),
        ("supply_term.agreement_id", "supply.id"),
        ("installation.meter_id", "meter.id"),
        ("installation.agreement_id", "supply.id"),
        ("reading.meter_id", "meter.id"),
        ("reading.installation_id", "installation.id"),
        ("reading.agreement_id", "supply.id"),
        ("reading.exception_id", "reading_exception.id"),
        ("reading_exception.installation_id", "installation.id"),
        ("reading_exception.agreement_id", "supply.id"),
        ("tariff_price.tariff_id", "tariff.id"),
        ("bill_run.job_id", "job.id"),
        ("bill_run_item.run_id", "bill_run.id"),
        ("bill_run_item.agreement_id", "supply.id"),
        ("bill.agreement_id", "supply.id"),
        ("bill.account_id", "account.id"),
        ("bill.tariff_id", "tariff.id"),
        ("bill.installation_id", "installation.id"),
        ("bill.reading_id", "reading.id"),
        ("bill.run_id", "bill_run.id"),
        ("bill_line.bill_id", "bill.id"),
        ("bill_line.tariff_id", "tariff.id"),
        ("tier_use.bill_id", "bill.id"),
        ("tier_use.agreement_id", "supply.id"),
        ("credit_note.bill_id", "bill.id"),
        ("payment.account_id", "account.id"),
        ("allocation.payment_id", "payment.id"),
        ("allocation.bill_id", "bill.id"),
        ("ledger_entry.transaction_id", "ledger_transaction.id"),
        ("ledger_entry.account_id", "account.id"),
    ],
};

/// What every call works with.
#[derive(Clone)]
pub struct Desk {
    /// The service's own database.
    pub db: Database,
    /// The clock of the rules.
    pub clock: Clock,
    /// Thresholds of the validation of readings.
    pub thresholds: reading::model::Thresholds,
}

fn build(host: boot::Host) -> boot::Built {
    Box::pin(async move {
        let desk = Desk {
            db: host.db.clone(),
            clock: host.clock.clone(),
            thresholds: reading::model::Thresholds::shipped()?,
        };
        let archive = database::consume(host.db.clone(), host.peer("archive")?, supply::events::FromArchive);
        let hall = database::consume(host.db.clone(), host.peer("hall")?, supply::events::FromHall);
        Ok(boot::Parts::new()
            .serve(SupplyServiceServer::new(supply::api::Api(desk.clone())))
            .serve(MeterServiceServer::new(meter::api::Api(desk.clone())))
            .serve(ReadingServiceServer::new(reading::api::Api(desk.clone())))
            .serve(TariffServiceServer::new(tariff::api::Api(desk.clone())))
            .serve(BillRunServiceServer::new(run::api::Api(desk.clone())))
            .serve(BillServiceServer::new(bill::api::Api(desk.clone())))
            .serve(LedgerServiceServer::new(ledger::api::Api(desk.clone())))
            .serve(PaymentServiceServer::new(payment::api::Api(desk.clone())))
            .job(run::batch::BillRun(desk))
            .task("take-archive-events", archive)
            .task("take-hall-events", hall))
    })
}
