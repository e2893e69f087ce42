//! Supply without a contract: one open task for each agreement, from the bill that billing flagged until a contract is in force.

use contracts::hearth::{
    archive::v1::{CloseMissingContractRequest, CloseMissingContractResponse, ListMissingContractsRequest, ListMissingContractsResponse, MissingContract},
    billing::v1::BillIssued,
};
use database::{Begun, Scope, Scoped, Write};
use ids::AgreementId;
use rpc::{Call, Fault, page::Page, wire};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, sea_query::Query};
use uuid::Uuid;

use super::{
    model::{MissingOutcome, State, bare_from},
    store,
};
use crate::{
    Desk,
    premises::store as premises_rows,
    refusal::{Refusal, at},
    table, unknown_code,
};

table!(row, "missing_contract", {
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    agreement_id: Uuid,
    branch: String,
    since_date: Date,
    bill_id: Uuid,
    bill_no: String,
    opened_at: i64,
    closed_at: Option<i64>,
    outcome: Option<String>,
    version: i64,
});

impl Scoped for row::Entity {
    const BRANCH: Option<row::Column> = Some(row::Column::Branch);
}

impl row::Model {
    fn close(&mut self, outcome: MissingOutcome, now: i64) {
        (self.closed_at, self.outcome) = (Some(now), Some(outcome.code().to_owned()));
    }

    /// Writes the row as its next version.
    async fn save(&mut self, write: &mut Write) -> Result<(), Fault> {
        self.version = self.version.saturating_add(1);
        row::Entity::update_many()
            .set(self.clone().into_active_model().reset_all())
            .filter(row::Column::Id.eq(self.id))
            .exec(&**write)
            .await?;
        write.subject(self.id);
        Ok(())
    }

    fn show(self) -> Result<MissingContract, Fault> {
        let known = |code: &str| MissingOutcome::of(code).ok_or_else(|| unknown_code("missing_contract.outcome"));
        let time = |micros| wire::time(calendar::Instant::from_micros(micros));
        Ok(MissingContract {
            missing_contract_id: self.id.to_string(),
            agreement_id: self.agreement_id.to_string(),
            branch: self.branch,
            since_date: Some(wire::date(self.since_date)),
            bill_id: self.bill_id.to_string(),
            bill_no: self.bill_no,
            open_time: Some(time(self.opened_at)),
            close_time: self.closed_at.map(time),
            outcome: self.outcome.as_deref().map(known).transpose()?.map_or(0, MissingOutcome::number),
            etag: rpc::etag(self.id, self.version),
        })
    }
}

/// A bill of supply without a contract: it opens the task of its agreement, or joins the open one. Where a contract has come into force meanwhile there is
/// nothing left to do, and the task is filed as closed.
pub(crate) async fn billed(write: &mut Write, told: &BillIssued) -> Result<(), Fault> {
    let id: AgreementId = wire::id_of("agreement_id", &told.agreement_id)?;
    let agreement = store::lock(write, &Scope::everything(), id.uuid()).await?;
    // What brings a contract into force there takes the same lock.
    premises_rows::lock_points(write, &[agreement.service_point_id]).await?;
    let last = wire::date_of(told.to_date.as_ref(), "to_date")?;
    let first = wire::date_of(told.from_date.as_ref(), "from_date")?.succ_opt().unwrap_or(last);
    let came_into_force = matches!(agreement.stands()?, State::InForce | State::Ended);
    let since_date = bare_from(came_into_force.then_some((agreement.live_from, agreement.live_until)), first, last);
    let (bill_id, bill_no) = (wire::id_of("bill_id", &told.bill_id)?, told.bill_no.clone());
    if let Some(mut open) = open(write, &[agreement.service_point_id], Some(agreement.id)).await?.pop() {
        open.since_date = open.since_date.min(since_date);
        (open.bill_id, open.bill_no) = (bill_id, bill_no);
        return open.save(write).await;
    }
    let now = write.now().micros();
    let mut row = row::Model {
        id: Uuid::now_v7(),
        agreement_id: agreement.id,
        branch: agreement.branch,
        since_date,
        bill_id,
        bill_no,
        opened_at: now,
        closed_at: None,
        outcome: None,
        version: 1,
    };
    if store::in_force_at(write, agreement.service_point_id).await? {
        row.close(MissingOutcome::ContractInForce, now);
    }
    write.subject(row.id);
    row::Entity::insert(row.into_active_model().reset_all())
        .exec_without_returning(&**write)
        .await?;
    Ok(())
}

/// Contracts have come into force at service points: what was missing there is not any more.
pub(crate) async fn found(write: &mut Write, points: &[Uuid]) -> Result<(), Fault> {
    if points.is_empty() {
        return Ok(());
    }
    premises_rows::lock_points(write, points).await?;
    let now = write.now().micros();
    for mut row in open(write, points, None).await? {
        row.close(MissingOutcome::ContractInForce, now);
        row.save(write).await?;
    }
    Ok(())
}

/// The open tasks at service points, locked; `only`: that of one agreement.
async fn open(write: &Write, points: &[Uuid], only: Option<Uuid>) -> Result<Vec<row::Model>, Fault> {
    let there = Query::select()
        .column(store::row::Column::Id)
        .from(store::row::Entity)
        .and_where(store::row::Column::ServicePointId.is_in(points.iter().copied()))
        .take();
    let mut found = row::Entity::find()
        .filter(row::Column::ClosedAt.is_null())
        .filter(row::Column::AgreementId.in_subquery(there))
        .order_by_asc(row::Column::Id);
    if let Some(agreement) = only {
        found = found.filter(row::Column::AgreementId.eq(agreement));
    }
    Ok(found.lock_exclusive().all(&**write).await?)
}

pub(crate) async fn list(desk: Desk, call: Call, request: ListMissingContractsRequest) -> Result<ListMissingContractsResponse, Fault> {
    let agreement = request.agreement_id.as_deref();
    let filters = [agreement.unwrap_or_default(), if request.open_only { "open" } else { "" }];
    let page = Page::of(&call, &filters, request.page_size, &request.page_token)?;
    let mut select = database::find::<row::Entity>(&Scope::of(&call));
    if let Some(id) = agreement {
        select = select.filter(row::Column::AgreementId.eq(wire::id_of::<AgreementId>("agreement_id", id)?.uuid()));
    }
    if request.open_only {
        select = select.filter(row::Column::ClosedAt.is_null());
    }
    if let Some(after) = page.after {
        select = select.filter(row::Column::Id.gt(after));
    }
    let rows = select.order_by_asc(row::Column::Id).limit(page.limit()).all(desk.db.reader()).await?;
    let (rows, next_page_token) = page.cut(rows, |row| row.id);
    Ok(ListMissingContractsResponse {
        missing_contracts: rows.into_iter().map(row::Model::show).collect::<Result<_, _>>()?,
        next_page_token,
    })
}

pub(crate) async fn close(desk: Desk, call: Call, request: CloseMissingContractRequest) -> Result<CloseMissingContractResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let id: Uuid = wire::id_of("missing_contract_id", &request.missing_contract_id)?;
    let outcome = MissingOutcome::of_number(request.outcome).ok_or_else(|| at("outcome")(Refusal::Required))?;
    let row = database::find::<row::Entity>(&Scope::of(&call))
        .filter(row::Column::Id.eq(id))
        .lock_exclusive()
        .one(&*write)
        .await?;
    let mut row = row.ok_or_else(|| Fault::not_found("missing_contract", id))?;
    rpc::check_etag(&request.etag, row.id, row.version)?;
    if row.closed_at.is_some() {
        return Err(Refusal::MissingContractClosed.into());
    }
    row.close(outcome, write.now().micros());
    row.save(&mut write).await?;
    let missing_contract = Some(row.show()?);
    write.commit(CloseMissingContractResponse { missing_contract }).await
}
