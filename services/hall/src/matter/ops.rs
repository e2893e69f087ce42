use calendar::NaiveDate;
use chrono::Months;
use contracts::hearth::hall::v1::*;
use database::{Begun, Conn, Write};
use rpc::{Call, Fault, page::Page, wire};
use uuid::Uuid;

use super::{
    model::{self, Action, Kind, Place, Standing, State, allowed, is_fee, month_of, step},
    store::{self, Fee, FigureRow, Matter as Row},
};
use crate::{Desk, codes::Code, deadline, fields, refusal::Refusal, rows::Packed, story};

/// Months whose figures are told.
const FIGURES: u32 = 12;

pub async fn draft(desk: Desk, call: Call, request: DraftMatterRequest) -> Result<DraftMatterResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let kind: Kind = fields::pick("kind", request.kind)?;
    if is_fee(kind) {
        return Err(Fault::from(Refusal::FeesComeFromBilling).field("kind"));
    }
    let effective_on = wire::date_of(request.effective_date.as_ref(), "effective_date")?;
    let until_on = wire::date_if(request.until_date.as_ref(), "until_date")?;
    if until_on.is_some_and(|until| until <= effective_on) {
        return Err(Fault::from(Refusal::ValidityOrder).field("until_date"));
    }
    if !request.promise_subject.is_empty() {
        if kind != Kind::Commitment {
            return Err(Fault::from(Refusal::PromiseOfCommitment).field("promise_subject"));
        }
        if deadline::store::in_force(&write, &request.promise_subject, effective_on).await?.is_empty() {
            return Err(Fault::from(Refusal::PromiseUnknown).field("promise_subject"));
        }
    }
    let row = Row {
        id: Uuid::now_v7(),
        kind,
        number: store::next_number(&write, kind, &request.code).await?,
        code: request.code,
        title: request.title,
        body: request.text,
        promise_subject: request.promise_subject,
        effective_on,
        until_on,
        channels: Packed(
            request
                .channels
                .iter()
                .map(|n| fields::pick::<Place>("channels", *n))
                .collect::<Result<_, _>>()?,
        ),
        document_file_id: request.document_file_id,
        state: State::Draft,
        drafted_by: call.subject().to_owned(),
        published_by: String::new(),
        published_at: None,
        withdrawn_at: None,
        withdrawn_reason: String::new(),
        created_at: write.now().micros(),
        version: 1,
    };
    row.clone().insert(&write).await?;
    story::note(&write, row.id, "DRAFT", "", row.state.code(), "").await?;
    write.subject(row.id);
    write
        .commit(DraftMatterResponse {
            matter: Some(row.proto(false)),
        })
        .await
}

pub async fn publish(desk: Desk, call: Call, request: PublishMatterRequest) -> Result<PublishMatterResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut row = load(&write, &request.matter_id, &request.etag).await?;
    let to = to(&row, Action::Publish)?;
    if row.drafted_by == call.subject() {
        return Err(Refusal::SecondPersonNeeded.into());
    }
    if row.effective_on < write.now().date() {
        return Err(Fault::from(Refusal::DateInPast).field("matter_id"));
    }
    row.published_by = call.subject().to_owned();
    row.published_at = Some(write.now().micros());
    take(&mut write, &mut row, Action::Publish, to, "").await?;
    let told = Told::on(&write, write.now().date()).await?;
    let answer = PublishMatterResponse {
        matter: Some(told.proto(&row)),
        compliance: told.compliance(),
    };
    write.commit(answer).await
}

pub async fn withdraw(desk: Desk, call: Call, request: WithdrawMatterRequest) -> Result<WithdrawMatterResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut row = load(&write, &request.matter_id, &request.etag).await?;
    let to = to(&row, Action::Withdraw)?;
    row.withdrawn_at = Some(write.now().micros());
    row.withdrawn_reason = request.reason.clone();
    take(&mut write, &mut row, Action::Withdraw, to, &request.reason).await?;
    let told = Told::on(&write, write.now().date()).await?;
    let answer = WithdrawMatterResponse {
        matter: Some(told.proto(&row)),
        compliance: told.compliance(),
    };
    write.commit(answer).await
}

pub async fn get(desk: Desk, _: Call, request: GetMatterRequest) -> Result<GetMatterResponse, Fault> {
    let row = store::get(desk.db.reader(), fields::id("matter_id", &request.matter_id)?).await?;
    let told = Told::on(desk.db.reader(), desk.clock.now().date()).await?;
    Ok(GetMatterResponse {
        matter: Some(told.proto(&row)),
    })
}

pub async fn list(desk: Desk, call: Call, request: ListMattersRequest) -> Result<ListMattersResponse, Fault> {
    let page = Page::of(&call, &[&request.kind.to_string(), &request.code], request.page_size, &request.page_token)?;
    let rows = store::list(desk.db.reader(), &page, fields::pick_if(request.kind), &request.code).await?;
    let (rows, next_page_token) = page.cut(rows, |row| row.id);
    let told = Told::on(desk.db.reader(), desk.clock.now().date()).await?;
    Ok(ListMattersResponse {
        matters: rows.iter().map(|row| told.proto(row)).collect(),
        next_page_token,
    })
}

/// What everybody is told, from tables of the hall alone: billing may be away.
pub async fn published(desk: Desk, _: Call, _: GetPublishedMattersRequest) -> Result<GetPublishedMattersResponse, Fault> {
    let today = desk.clock.now().date();
    let told = Told::on(desk.db.reader(), today).await?;
    let since = month_of(today).checked_sub_months(Months::new(FIGURES)).unwrap_or(today);
    let figures = store::figures(desk.db.reader(), since).await?;
    Ok(GetPublishedMattersResponse {
        on_date: Some(wire::date(today)),
        matters: told.matters.iter().map(|row| row.proto(true)).collect(),
        fees: told.fees.iter().map(Fee::proto).collect(),
        figures: figures.iter().map(FigureRow::proto).collect(),
        standings: told.standings(),
        compliance: told.compliance(),
    })
}

pub async fn compliance(desk: Desk, _: Call, _: GetComplianceRequest) -> Result<GetComplianceResponse, Fault> {
    let told = Told::on(desk.db.reader(), desk.clock.now().date()).await?;
    Ok(GetComplianceResponse {
        compliance: told.compliance(),
        standings: told.standings(),
    })
}

/// Looks whether the duty to publish is met, for those who ask the health service.
pub async fn look(desk: &Desk) -> Result<usize, Fault> {
    let stand = Told::on(desk.db.reader(), desk.clock.now().date()).await?.stand();
    let complies = model::compliance(&stand) == model::Compliance::Met;
    let changed = desk.complies.send_if_modified(|before| std::mem::replace(before, complies) != complies);
    Ok(usize::from(changed))
}

/// What is in force on a day.
struct Told {
    matters: Vec<Row>,
    fees: Vec<Fee>,
}

impl Told {
    async fn on(conn: &Conn, day: NaiveDate) -> Result<Self, Fault> {
        Ok(Self {
            matters: store::in_force(conn, day).await?,
            fees: store::fees(conn, day).await?,
        })
    }

    fn stand(&self) -> Vec<Standing> {
        let kinds: Vec<Kind> = self.matters.iter().map(|row| row.kind).collect();
        let bases: Vec<bool> = self.fees.iter().map(Fee::has_basis).collect();
        model::standings(&kinds, &bases)
    }

    fn compliance(&self) -> i32 {
        model::compliance(&self.stand()).number()
    }

    fn standings(&self) -> Vec<MatterStanding> {
        let standing = |standing: Standing| MatterStanding {
            kind: standing.kind.number(),
            in_force: i32::try_from(standing.in_force).unwrap_or(i32::MAX),
            published: standing.published,
        };
        self.stand().into_iter().map(standing).collect()
    }

    fn proto(&self, row: &Row) -> Matter {
        row.proto(self.matters.iter().any(|told| told.id == row.id))
    }
}

async fn load(write: &Write, id: &str, etag: &str) -> Result<Row, Fault> {
    let row = store::lock(write, fields::id("matter_id", id)?).await?;
    row.check(etag)?;
    Ok(row)
}

fn to(row: &Row, action: Action) -> Result<State, Fault> {
    step(row.state, action).ok_or_else(|| {
        Fault::from(Refusal::MatterState)
            .meta("state", row.state.code())
            .meta("allowed", allowed(row.state).join(","))
    })
}

/// Writes a version that took a step, and its history.
async fn take(write: &mut Write, row: &mut Row, action: Action, to: State, reason: &str) -> Result<(), Fault> {
    let from = row.state;
    row.state = to;
    row.save(write).await?;
    story::note(write, row.id, action.code(), from.code(), to.code(), reason).await?;
    write.subject(row.id);
    Ok(())
}
