//! What follows a dissatisfied customer: work is done again, the customer is called again (C-04).

use contracts::hearth::hall::v1::CustomerDissatisfied;
use database::Write;
use rpc::Fault;
use uuid::Uuid;
use vault::Vault;

use super::{
    model::{Action, Cause, Rework, State},
    objection, ops, plan,
    store::{self, REWORK_TASK, Record, Task, VERBATIM},
};
use crate::{
    case::model::Channel,
    complaint::{self, model::Utility, ops::New},
    deadline::{self, model::Clock},
    fields, order,
};

/// Opens the rework and plans the next call, in the write that records the answer. What was done again in vain goes to the manager.
pub async fn open(write: &mut Write, vault: &Vault, task: &mut Task, record: &Record) -> Result<(), Fault> {
    let again = task.state == State::SecondCallback;
    if !again {
        task.take(write, Action::Dissatisfy, &format!("score {}", record.score)).await?;
    }
    let (kind, id) = match (task.cause, record.rework) {
        (Cause::ComplaintClosed, _) => (Rework::Complaint, task.about_id),
        (_, Rework::Order) if !again => (Rework::Order, order(write, vault, task, record).await?),
        _ => (Rework::Complaint, complaint(write, vault, task, record).await?),
    };
    if again {
        complaint::outcome::dissatisfied_again(write, id).await?;
    } else if task.cause == Cause::ComplaintClosed {
        complaint::outcome::dissatisfied(write, id).await?;
    }
    (task.rework, task.rework_id) = (Some(kind), Some(id));
    // Until the rework is done, the next call follows what is promised for the rework.
    let promised = deadline::store::due_of(write, id, Clock::Resolution).await?;
    let from = promised.map_or(write.now(), |due| due.max(write.now()));
    task.due_at = task.due_from(write, from).await?.micros();
    let step = if again { Action::Escalate } else { Action::OpenRework };
    task.take(write, step, &id.to_string()).await?;
    tell(write, task, record);
    task.announce(write);
    Ok(())
}

/// Tells that a customer is not satisfied.
fn tell(write: &mut Write, task: &Task, record: &Record) {
    let event = CustomerDissatisfied {
        callback_task_id: task.id.to_string(),
        about_id: task.about_id.to_string(),
        account_id: fields::text(task.account_id),
        score: record.score,
        vendor_id: fields::text(task.vendor_id),
        rework_id: fields::text(task.rework_id),
    };
    write.event(task.id, &event);
}

/// What is to be done again, in words.
async fn words(write: &Write, vault: &Vault, record: &Record) -> Result<String, Fault> {
    let held = [(REWORK_TASK, record.rework_task.as_str()), (VERBATIM, &record.verbatim)];
    let given = vault.open_texts(&**write, record.id, held).await.map_err(Fault::internal)?;
    let given = given.into_iter().find(|text| !text.trim().is_empty());
    Ok(given.unwrap_or_else(|| format!("score {}", record.score)))
}

/// What is supplied where the customer was asked about; gas where nobody knows.
fn supplied(task: &Task) -> Utility {
    task.utility.unwrap_or(Utility::Gas)
}

async fn complaint(write: &mut Write, vault: &Vault, task: &Task, record: &Record) -> Result<Uuid, Fault> {
    let new = New {
        channel: Channel::Hotline,
        utility: supplied(task),
        branch: task.branch.clone(),
        account_id: task.account_id,
        premises_id: None,
        anonymous: false,
        no_callback: false,
        remote: false,
        reporter_key: String::new(),
        detail: words(write, vault, record).await?,
        callback_task_id: Some(task.id),
    };
    complaint::outcome::file_rework(write, vault, new).await
}

async fn order(write: &mut Write, vault: &Vault, task: &Task, record: &Record) -> Result<Uuid, Fault> {
    let now = write.now();
    let new = order::ops::New {
        kind: order::model::Type::Repair,
        utility: supplied(task),
        branch: task.branch.clone(),
        case_id: None,
        account_id: task.account_id,
        agreement_id: None,
        opening_id: None,
        planned_on: now.date(),
        task: words(write, vault, record).await?,
        remote: false,
        received: now,
    };
    Ok(order::ops::file(write, vault, new).await?.id)
}

/// A complaint or an order is closed: the customers whose rework it was are called again, by nobody of those who did it. Says whether there are any.
pub async fn done(write: &mut Write, rework: Uuid, handlers: Vec<String>, vendor: Option<Uuid>) -> Result<bool, Fault> {
    let tasks = store::lock_waiting_for(write, rework).await?;
    let any = !tasks.is_empty();
    for mut task in tasks {
        plan::join(&mut task, handlers.clone(), vendor);
        second(write, &mut task).await?;
    }
    Ok(any)
}

/// The customer is called anew, by whoever is given the task.
pub async fn second(write: &mut Write, task: &mut Task) -> Result<(), Fault> {
    task.assignee_staff_id = None;
    task.round = task.round.saturating_add(1);
    task.due_at = task.due_from(write, write.now()).await?.micros();
    task.take(write, Action::ReworkDone, "").await?;
    task.announce(write);
    match task.account_id {
        Some(account) if !task.safety && objection::holds(write, account).await? => ops::suppress(write, task).await,
        _ => Ok(()),
    }
}
