//! Call-backs that are due (回访任务). They are created by what happened; the callback centre works on them.

use calendar::{Calendar, Instant, Rule};
use contracts::hearth::hall::v1::{callback_service_server::CallbackService, *};
use database::{Scope, Scoped, Write, find};
use rpc::{Call, Fault, page::Page, wire};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::{
    Desk,
    codes::{Code, codes},
    deadline::store::missing,
    fields,
    rows::{columns, table},
};

codes! {
    /// Why a customer is called.
    pub enum Cause {
        GasOpened = 1 "GAS_OPENED",
        Leak = 2 "LEAK",
        Repair = 3 "REPAIR",
    }
}
columns!(Cause);

table! {
    task "callback_task" {
        cause: Cause,
        about_id: Uuid,
        account_id: Option<Uuid>,
        branch: String,
        due_at: i64,
        created_at: i64,
    }
}

impl Scoped for task::Entity {
    const BRANCH: Option<Self::Column> = Some(task::Column::Branch);
}

/// How long each cause may wait: E4-05 for an opening, section 12 (W11, W5) for the others.
pub const WAITS: &[(Cause, Rule)] = &[
    (Cause::GasOpened, Rule::working_days(3)),
    (Cause::Leak, Rule::hours(24)),
    (Cause::Repair, Rule::working_days(2)),
];

/// When a call is due.
pub fn due(cause: Cause, happened: Instant) -> Result<Instant, calendar::CalendarMissing> {
    let rule = WAITS.iter().find(|(known, _)| *known == cause).map_or(Rule::hours(24), |(_, rule)| *rule);
    calendar::due(Calendar::china(), &rule, happened).map(|due| due.at)
}

/// Plans a call; one that is planned already stays as it is.
pub async fn plan(write: &mut Write, cause: Cause, about: Uuid, account: Option<Uuid>, branch: &str) -> Result<(), Fault> {
    let known = task::Entity::find()
        .filter(task::Column::AboutId.eq(about))
        .filter(task::Column::Cause.eq(cause));
    if known.one(&**write).await?.is_some() {
        return Ok(());
    }
    let due = due(cause, write.now()).map_err(missing)?;
    let row = task::Model {
        id: Uuid::now_v7(),
        cause,
        about_id: about,
        account_id: account,
        branch: branch.to_owned(),
        due_at: due.micros(),
        created_at: write.now().micros(),
    };
    let event = CallbackPlanned {
        callback_task_id: row.id.to_string(),
        cause: cause.number(),
        about_id: about.to_string(),
        due_time: Some(wire::time(due)),
    };
    write.event(row.id, &event);
    row.insert(&**write).await
}

async fn list(desk: Desk, call: Call, request: ListCallbackTasksRequest) -> Result<ListCallbackTasksResponse, Fault> {
    let page = Page::of(&call, &[&request.about_id], request.page_size, &request.page_token)?;
    let mut select = find::<task::Entity>(&Scope::of(&call)).order_by_asc(task::Column::Id).limit(page.limit());
    if let Some(after) = page.after {
        select = select.filter(task::Column::Id.gt(after));
    }
    if let Some(about) = fields::id_if("about_id", &request.about_id)? {
        select = select.filter(task::Column::AboutId.eq(about));
    }
    let (rows, next_page_token) = page.cut(select.all(desk.db.reader()).await?, |row| row.id);
    let tasks = rows.into_iter().map(|row| CallbackTask {
        callback_task_id: row.id.to_string(),
        cause: row.cause.number(),
        about_id: row.about_id.to_string(),
        account_id: fields::text(row.account_id),
        branch: row.branch,
        due_time: Some(fields::instant(row.due_at)),
        create_time: Some(fields::instant(row.created_at)),
    });
    Ok(ListCallbackTasksResponse {
        tasks: tasks.collect(),
        next_page_token,
    })
}

/// Serves `CallbackService`.
pub struct Api(pub Desk);

#[tonic::async_trait]
impl CallbackService for Api {
    async fn list_callback_tasks(&self, request: Request<ListCallbackTasksRequest>) -> Result<Response<ListCallbackTasksResponse>, Status> {
        rpc::read(&self.0, request, list).await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_list_is_that_of_the_contract() {
        crate::codes::assert_contract::<Cause>("CAUSE_", |n| callback_task::Cause::try_from(n).ok().map(|v| v.as_str_name()));
    }

    #[test]
    fn e4_05_a_call_after_an_opening_is_due_in_three_working_days() {
        let at = |text: &str| Instant::parse_rfc3339(text).unwrap();
        // Wednesday 2025-04-30: 1 to 5 May is a holiday, 27 April was worked for it; then 6, 7 and 8 May.
        let due = due(Cause::GasOpened, at("2025-04-30T15:00:00+08:00")).unwrap();
        assert_eq!(due.local().to_string(), "2025-05-08 23:59:59.999999");
    }

    #[test]
    fn section_12_calls_after_a_leak_and_a_repair() {
        let opened = Instant::parse_rfc3339("2025-03-07T15:00:00+08:00").unwrap();
        assert_eq!(due(Cause::Leak, opened).unwrap().local().to_string(), "2025-03-08 15:00:00");
        // Friday; Monday and Tuesday.
        assert_eq!(due(Cause::Repair, opened).unwrap().local().to_string(), "2025-03-11 23:59:59.999999");
    }
}
