use contracts::hearth::hall::v1::*;
use database::{Begun, Scope};
use rpc::{Call, Fault, page::Page};

use super::store::{self, Step};
use crate::{Desk, fields};

pub async fn list(desk: Desk, call: Call, request: ListStepsRequest) -> Result<ListStepsResponse, Fault> {
    let page = Page::of(&call, &[&request.state.to_string(), &request.story_id], request.page_size, &request.page_token)?;
    let story = fields::id_if("story_id", &request.story_id)?;
    let rows = store::list(desk.db.reader(), &Scope::of(&call), &page, fields::pick_if(request.state), story).await?;
    let (rows, next_page_token) = page.cut(rows, |row| row.id);
    Ok(ListStepsResponse {
        steps: rows.iter().map(Step::proto).collect(),
        next_page_token,
    })
}

pub async fn retry(desk: Desk, call: Call, request: RetryStepRequest) -> Result<RetryStepResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut step = store::lock(&write, &Scope::of(&call), fields::id("step_id", &request.step_id)?).await?;
    step.check(&request.etag)?;
    store::retry(&write, &mut step).await?;
    write.subject(step.id);
    let answer = write.commit(RetryStepResponse { step: Some(step.proto()) }).await?;
    desk.bell.notify_one();
    Ok(answer)
}
