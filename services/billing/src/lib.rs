//! Billing (抄表催费): meters, readings, tariffs, bill runs, bills, the ledger and payments.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod adjustment;
mod bill;
mod bulk;
mod dispute;
mod dunning;
mod fee;
mod fetch;
mod heat;
mod held;
mod late_fee;
mod ledger;
mod meter;
mod opening;
mod payment;
mod profile;
mod reading;
mod refusal;
mod relief;
mod rerating;
mod route;
mod run;
mod supply;
mod tariff;
mod words;

use std::{sync::Arc, time::Duration};

use calendar::Clock;
use contracts::hearth::billing::v1::{
    GetBillRequest, GetBillResponse, adjustment_service_server::AdjustmentServiceServer, bill_run_service_server::BillRunServiceServer,
    bill_service_server::BillServiceServer, bulk_meter_service_server::BulkMeterServiceServer, dispute_service_server::DisputeServiceServer,
    dunning_service_server::DunningServiceServer, fee_item_service_server::FeeItemServiceServer, heat_service_server::HeatServiceServer,
    held_bill_service_server::HeldBillServiceServer, late_fee_service_server::LateFeeServiceServer, ledger_service_server::LedgerServiceServer,
    meter_service_server::MeterServiceServer, opening_service_server::OpeningServiceServer, payment_service_server::PaymentServiceServer,
    profile_service_server::ProfileServiceServer, reading_service_server::ReadingServiceServer, relief_service_server::ReliefServiceServer,
    rerating_service_server::ReratingServiceServer, route_service_server::RouteServiceServer, supply_service_server::SupplyServiceServer,
    tariff_service_server::TariffServiceServer,
};
pub(crate) use database::table;
use database::{Database, jobs::Work};
use rpc::Fault;

pub use refusal::Refusal;

/// The billing service.
pub const SERVICE: boot::Service = boot::Service {
    name: "billing",
    port: 7703,
    migrations: &[
        include_str!("../migrations/0001_initial.sql"),
        include_str!("../migrations/0002_dues.sql"),
        include_str!("../migrations/0003_heat.sql"),
        include_str!("../migrations/0004_bills.sql"),
        include_str!("../migrations/0005_readings.sql"),
        include_str!("../migrations/0006_tariff.sql"),
        include_str!("../migrations/0007_adjustments.sql"),
        include_str!("../migrations/0008_credit_notes.sql"),
        include_str!("../migrations/0009_bill_run_parts.sql"),
        include_str!("../migrations/0010_bill_run_routes.sql"),
        include_str!("../migrations/0011_conversions.sql"),
        include_str!("../migrations/0012_reratings.sql"),
        include_str!("../migrations/0013_late_use.sql"),
        include_str!("../migrations/0014_relief.sql"),
        include_str!("../migrations/0015_reading_desk.sql"),
        include_str!("../migrations/0016_filed_numbers.sql"),
        include_str!("../migrations/0017_tasks_and_seals.sql"),
        include_str!("../migrations/0018_tariff_branch.sql"),
        include_str!("../migrations/0019_reading_sources.sql"),
        include_str!("../migrations/0020_premises.sql"),
    ],
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
        ("reading.replaced_by", "reading.id"),
        ("reading_exception.case_id", "abnormal_case.id"),
        ("reading_exception.bill_id", "bill.id"),
        ("abnormal_case.agreement_id", "supply.id"),
        ("meter_seal.meter_id", "meter.id"),
        ("conversion.installation_id", "installation.id"),
        ("book_entry.installation_id", "installation.id"),
        ("book_entry.book_id", "reading_book.id"),
        ("reading_task.book_id", "reading_book.id"),
        ("reading_task.installation_id", "installation.id"),
        ("reading_task.agreement_id", "supply.id"),
        ("sub_meter.bulk_installation_id", "installation.id"),
        ("sub_meter.installation_id", "installation.id"),
        ("reading_exception.installation_id", "installation.id"),
        ("reading_exception.agreement_id", "supply.id"),
        ("tariff_price.tariff_id", "tariff.id"),
        ("tariff.replaced_by", "tariff.id"),
        ("rerating.job_id", "job.id"),
        ("rerating.tariff_id", "tariff.id"),
        ("rerating.replacement_id", "tariff.id"),
        ("rerating.tried_id", "rerating.id"),
        ("rerating.reached", "supply.id"),
        ("rerating_item.rerating_id", "rerating.id"),
        ("rerating_item.agreement_id", "supply.id"),
        ("bill_run.job_id", "job.id"),
        ("bill_run.book_id", "reading_book.id"),
        ("bill_run_account.run_id", "bill_run.id"),
        ("bill_run_account.account_id", "account.id"),
        ("bill_run_part.run_id", "bill_run.id"),
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
        ("credit_note_line.credit_note_id", "credit_note.id"),
        ("credit_note_line.bill_id", "bill.id"),
        ("payment.account_id", "account.id"),
        ("allocation.payment_id", "payment.id"),
        ("allocation.bill_id", "bill.id"),
        ("ledger_entry.transaction_id", "ledger_transaction.id"),
        ("ledger_entry.account_id", "account.id"),
        ("bill.fee_item_id", "fee_item.id"),
        ("late_fee.bill_id", "bill.id"),
        ("late_fee.account_id", "account.id"),
        ("late_fee_entry.bill_id", "bill.id"),
        ("late_fee_waiver.bill_id", "bill.id"),
        ("late_fee_waiver.account_id", "account.id"),
        ("dispute.bill_id", "bill.id"),
        ("dispute.account_id", "account.id"),
        ("dunning.bill_id", "bill.id"),
        ("dunning_step.bill_id", "bill.id"),
        ("dunning_step.account_id", "account.id"),
        ("suspension_request.agreement_id", "supply.id"),
        ("suspension_request.account_id", "account.id"),
        ("heat_account.season_id", "heat_season.id"),
        ("heat_account.agreement_id", "supply.id"),
        ("heat_account.account_id", "account.id"),
        ("heat_account.bill_id", "bill.id"),
        ("season_reading.season_id", "heat_season.id"),
        ("season_reading.agreement_id", "supply.id"),
        ("season_reading.meter_id", "meter.id"),
        ("opening.agreement_id", "supply.id"),
        ("opening.account_id", "account.id"),
        ("opening.installation_id", "installation.id"),
        ("adjustment.agreement_id", "supply.id"),
        ("adjustment.account_id", "account.id"),
        ("adjustment.bill_id", "bill.id"),
        ("adjustment.test_fee_bill_id", "bill.id"),
        ("adjustment.theft_case_id", "theft_case.id"),
        ("adjustment.case_id", "abnormal_case.id"),
        ("adjustment_part.adjustment_id", "adjustment.id"),
        ("adjustment_approval.adjustment_id", "adjustment.id"),
        ("theft_case.agreement_id", "supply.id"),
        ("theft_case.account_id", "account.id"),
        ("theft_case.adjustment_id", "adjustment.id"),
        ("theft_case.case_id", "abnormal_case.id"),
        ("bill.replaces_bill_id", "bill.id"),
        ("bill_explanation.bill_id", "bill.id"),
        ("relief.agreement_id", "supply.id"),
        ("relief.account_id", "account.id"),
        ("relief_note.relief_id", "relief.id"),
        ("relief_note.credit_note_id", "credit_note.id"),
        ("relief_note.bill_id", "bill.id"),
        ("held_bill.run_id", "bill_run.id"),
        ("held_bill.agreement_id", "supply.id"),
        ("held_bill.account_id", "account.id"),
        ("held_bill.reading_id", "reading.id"),
        ("held_bill.bill_id", "bill.id"),
    ],
};

/// What every call works with.
#[derive(Clone)]
pub struct Desk {
    /// The service's own database.
    pub db: Database,
    /// The clock of the rules.
    pub clock: Clock,
    /// Rules and thresholds of the validation of readings.
    pub thresholds: Arc<reading::rules::Rules>,
    /// How a bill looks as a document.
    pub template: Arc<document::Template>,
}

impl Desk {
    fn new(db: Database, clock: Clock, template: document::Template) -> Result<Self, Fault> {
        let thresholds = reading::rules::Rules::shipped().map_err(Fault::internal)?;
        Ok(Self {
            db,
            clock,
            thresholds,
            template: Arc::new(template),
        })
    }
}

/// The work of bill runs alone: of a process that helps with them, or that measures them.
pub fn bill_runs(db: Database, clock: Clock) -> Result<Arc<dyn Work>, Fault> {
    let template = document::Template::shipped().map_err(Fault::internal)?;
    Ok(Arc::new(run::batch::BillRun(Desk::new(db, clock, template)?)))
}

/// What GetBill does, without the way there: for who measures that.
pub fn bill_of(db: Database, clock: Clock) -> Result<impl Fn(GetBillRequest) -> rpc::Answer<GetBillResponse>, Fault> {
    let template = document::Template::shipped().map_err(Fault::internal)?;
    let desk = Desk::new(db, clock, template)?;
    Ok(move |request| -> rpc::Answer<_> { Box::pin(bill::api::get(desk.clone(), rpc::Call::background("billing", "bench"), request)) })
}

fn build(host: boot::Host) -> boot::Built {
    Box::pin(async move {
        let template = match &host.bill_template {
            Some(path) => document::Template::read(path)?,
            None => document::Template::shipped()?,
        };
        let desk = Desk::new(host.db.clone(), host.clock.clone(), template)?;
        let archive = database::consume(host.db.clone(), host.peer("archive")?, supply::events::FromArchive);
        let hall = database::consume(host.db.clone(), host.peer("hall")?, supply::events::FromHall);
        Ok(boot::Parts::new()
            .serve(SupplyServiceServer::new(supply::api::Api(desk.clone())))
            .serve(MeterServiceServer::new(meter::api::Api(desk.clone())))
            .serve(ReadingServiceServer::new(reading::api::Api(desk.clone())))
            .serve(BulkMeterServiceServer::new(bulk::api::Api(desk.clone())))
            .serve(RouteServiceServer::new(route::api::Api(desk.clone())))
            .serve(TariffServiceServer::new(tariff::api::Api(desk.clone())))
            .serve(BillRunServiceServer::new(run::api::Api(desk.clone())))
            .serve(ReratingServiceServer::new(rerating::api::Api(desk.clone())))
            .serve(BillServiceServer::new(bill::api::Api(desk.clone())))
            .serve(AdjustmentServiceServer::new(adjustment::api::Api(desk.clone())))
            .serve(HeldBillServiceServer::new(held::api::Api(desk.clone())))
            .serve(LedgerServiceServer::new(ledger::api::Api(desk.clone())))
            .serve(PaymentServiceServer::new(payment::api::Api(desk.clone())))
            .serve(FeeItemServiceServer::new(fee::api::Api(desk.clone())))
            .serve(ReliefServiceServer::new(relief::api::Api(desk.clone())))
            .serve(ProfileServiceServer::new(profile::api::Api(desk.clone())))
            .serve(LateFeeServiceServer::new(late_fee::api::Api(desk.clone())))
            .serve(DisputeServiceServer::new(dispute::api::Api(desk.clone())))
            .serve(DunningServiceServer::new(dunning::api::Api(desk.clone())))
            .serve(HeatServiceServer::new(heat::api::Api(desk.clone())))
            .serve(OpeningServiceServer::new(opening::api::Api(desk.clone())))
            .job(heat::batch::HeatRun(desk.clone()))
            .sweep("late fees", AGAIN, &desk, |desk| Box::pin(late_fee::sweep::run(desk)))
            .sweep("reminders", AGAIN, &desk, |desk| Box::pin(dunning::sweep::run(desk)))
            .sweep("free volume", DAILY, &desk, |desk| Box::pin(relief::sweep::run(desk)))
            .sweep("silent meters", DAILY, &desk, |desk| Box::pin(reading::silent::run(desk)))
            .sweep("bulk meters", DAILY, &desk, |desk| Box::pin(bulk::ops::sweep(desk)))
            .job(rerating::batch::ReratingRun(desk.clone()))
            .job(run::batch::BillRun(desk))
            .task("take-archive-events", archive)
            .task("take-hall-events", hall))
    })
}

/// How long within one day until dues are gone over again.
const AGAIN: Duration = Duration::from_secs(3);
/// Once on a day that begins.
const DAILY: Duration = Duration::MAX;
