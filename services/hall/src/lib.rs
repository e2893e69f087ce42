//! The service hall (服务厅): staff and their certificates, calls and visits, cases and complaints, work orders with their clocks, the opening of
//! gas, call-backs, and what is published.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod acceptance;
mod callback;
mod case;
mod codes;
mod complaint;
mod conduct;
mod deadline;
mod escalation;
mod estate;
mod fields;
mod interaction;
mod matter;
mod notice;
mod opening;
mod order;
mod refusal;
mod rows;
mod sealed;
mod staff;
mod step;
mod story;

use std::sync::Arc;

use boot::ALWAYS;
use calendar::Clock;
use contracts::hearth::hall::v1::{
    acceptance_service_server::AcceptanceServiceServer, callback_service_server::CallbackServiceServer, case_service_server::CaseServiceServer,
    complaint_service_server::ComplaintServiceServer, conduct_service_server::ConductServiceServer, deadline_service_server::DeadlineServiceServer,
    escalation_service_server::EscalationServiceServer, estate_service_server::EstateServiceServer, interaction_service_server::InteractionServiceServer,
    matter_service_server::MatterServiceServer, opening_service_server::OpeningServiceServer, order_service_server::OrderServiceServer,
    staff_service_server::StaffServiceServer, step_service_server::StepServiceServer,
};
use database::Database;
use rpc::Peer;
use tokio::sync::{Notify, watch};
use vault::Vault;

pub use refusal::Refusal;

/// How the hall is started.
pub const SERVICE: boot::Service = boot::Service {
    name: "hall",
    port: 7702,
    migrations: &[
        include_str!("../migrations/0001_initial.sql"),
        include_str!("../migrations/0002_matters.sql"),
        include_str!("../migrations/0003_complaints.sql"),
        include_str!("../migrations/0004_callbacks.sql"),
        include_str!("../migrations/0005_duplicates.sql"),
        include_str!("../migrations/0006_remote.sql"),
        include_str!("../migrations/0007_notice_agreement.sql"),
        include_str!("../migrations/0008_visits.sql"),
    ],
    build,
    references: &[
        ("certificate.staff_id", "staff.id"),
        ("training.staff_id", "staff.id"),
        ("certificate_warning.staff_id", "staff.id"),
        ("certificate_warning.certificate_id", "certificate.id"),
        ("service_case.owner_staff_id", "staff.id"),
        ("deadline.policy_id", "sla_policy.id"),
        ("work_order.case_id", "service_case.id"),
        ("work_order.opening_id", "opening.id"),
        ("opening.order_id", "work_order.id"),
        ("pipe_acceptance.inspector_id", "staff.id"),
        ("appliance_acceptance.inspector_id", "staff.id"),
        ("appliance_acceptance.replaces_id", "appliance_acceptance.id"),
        ("estate_inspection.estate_id", "estate.id"),
        ("estate_inspection.inspector_id", "staff.id"),
        ("safety_review.opening_id", "opening.id"),
        ("safety_review.inspector_id", "staff.id"),
        ("presence.opening_id", "opening.id"),
        ("presence.witness_id", "staff.id"),
        ("complaint.owner_staff_id", "staff.id"),
        ("complaint.master_id", "complaint.id"),
        ("complaint.callback_task_id", "callback_task.id"),
        ("complaint.order_id", "work_order.id"),
        ("callback_task.policy_id", "callback_policy.id"),
        ("callback_task.assignee_staff_id", "staff.id"),
        ("callback_draw.policy_id", "callback_policy.id"),
        ("callback_attempt.task_id", "callback_task.id"),
        ("callback_record.task_id", "callback_task.id"),
        ("interaction.case_id", "service_case.id"),
        ("interaction.complaint_id", "complaint.id"),
        ("escalation.deadline_id", "deadline.id"),
        ("badge_check.staff_id", "staff.id"),
        ("badge_check.order_id", "work_order.id"),
        ("conduct_fact.staff_id", "staff.id"),
        ("conduct_fact.case_id", "service_case.id"),
    ],
};

/// What every handler works with.
#[derive(Clone)]
struct Desk {
    db: Database,
    clock: Clock,
    vault: Vault,
    archive: Peer,
    billing: Peer,
    vendor: Peer,
    /// Rung when a step in another service was added.
    bell: Arc<Notify>,
    /// Whether the duty to publish is met.
    complies: watch::Sender<bool>,
}

fn build(host: boot::Host) -> boot::Built {
    Box::pin(async move {
        let desk = Desk {
            archive: host.peer("archive")?,
            billing: host.peer("billing")?,
            vendor: host.peer("vendor")?,
            db: host.db,
            clock: host.clock,
            vault: host.vault,
            bell: Arc::new(Notify::new()),
            complies: watch::Sender::new(false),
        };
        deadline::store::seed(&desk.db).await?;
        acceptance::store::seed(&desk.db).await?;
        callback::store::seed(&desk.db).await?;
        Ok(boot::Parts::new()
            .index(complaint::store::BY_PHONE)
            .condition("hearth.hall.compliance", desk.complies.subscribe())
            .serve(StaffServiceServer::new(staff::api::Api(desk.clone())))
            .serve(CaseServiceServer::new(case::api::Api(desk.clone())))
            .serve(OrderServiceServer::new(order::api::Api(desk.clone())))
            .serve(DeadlineServiceServer::new(deadline::api::Api(desk.clone())))
            .serve(AcceptanceServiceServer::new(acceptance::api::Api(desk.clone())))
            .serve(OpeningServiceServer::new(opening::api::Api(desk.clone())))
            .serve(EstateServiceServer::new(estate::api::Api(desk.clone())))
            .serve(CallbackServiceServer::new(callback::api::Api(desk.clone())))
            .serve(ComplaintServiceServer::new(complaint::api::Api(desk.clone())))
            .serve(StepServiceServer::new(step::api::Api(desk.clone())))
            .serve(MatterServiceServer::new(matter::api::Api(desk.clone())))
            .serve(InteractionServiceServer::new(interaction::api::Api(desk.clone())))
            .serve(EscalationServiceServer::new(escalation::Api(desk.clone())))
            .serve(ConductServiceServer::new(conduct::Api(desk.clone())))
            .task(
                "take-vendor-events",
                database::consume(desk.db.clone(), desk.vendor.clone(), order::vendor::VendorEvents),
            )
            .task(
                "take-archive-events",
                database::consume(desk.db.clone(), desk.archive.clone(), notice::ArchiveEvents),
            )
            .task(
                "take-billing-events",
                database::consume(desk.db.clone(), desk.billing.clone(), matter::fees::BillingEvents(desk.clone())),
            )
            .task("seal-older-texts", sealed::seal_older(desk.clone()))
            .task("take-steps", step::runner::run(desk.clone()))
            .sweep("certificates", ALWAYS, &desk, |desk| Box::pin(staff::sweep::run(desk)))
            .sweep("deadlines", ALWAYS, &desk, |desk| Box::pin(deadline::sweep::run(desk)))
            .sweep("figures", ALWAYS, &desk, |desk| Box::pin(matter::figures::run(desk)))
            .sweep("compliance", ALWAYS, &desk, |desk| Box::pin(matter::ops::look(desk)))
            .sweep("offers", ALWAYS, &desk, |desk| Box::pin(order::vendor::sweep(desk)))
            .sweep("key accounts", ALWAYS, &desk, |desk| Box::pin(callback::key_account::sweep(desk))))
    })
}
