use std::collections::BTreeSet;

use chrono::NaiveDate;
use contracts::hearth::archive::v1::{Conduct, DebtDispute, IntegrityCase};
use database::{Conn, Scope, Scoped};
use rpc::{Fault, page::Page, wire};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select};
use uuid::Uuid;
use vault::Vault;

use super::model::{DisputeState, ON_THE_LIST, Severity, State};
use crate::{
    credit::store::unpack,
    credit_file::store::{fact, representatives},
    party::{model::Kind, store::row as party},
    table,
    table::update,
    unknown_code, unsealed,
};

/// Column names as the vault knows them.
pub(crate) const FACTS: &str = "integrity_case.facts";
pub(crate) const STATEMENT: &str = "integrity_case.statement";

table!(row, "integrity_case", {
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    party_id: Uuid,
    branch: String,
    conduct_code: String,
    act_date: Date,
    facts_sealed: Vec<u8>,
    evidence: String,
    bills: String,
    state: String,
    reported_by: String,
    notice_at: Option<i64>,
    statement_due: Option<Date>,
    statement_sealed: Option<Vec<u8>>,
    decided_by: String,
    severity: String,
    term_months: i32,
    from_date: Option<Date>,
    until_date: Option<Date>,
    appeal_due: Option<Date>,
    appeal_decided_by: String,
    reason: String,
    version: i64,
    created_at: i64,
    updated_at: i64,
});

table!(conduct, "conduct", {
    #[sea_orm(primary_key, auto_increment = false)]
    code: String,
    name_zh: String,
    name_en: String,
    about_debt: bool,
    months_after_demand: i32,
});

table!(dispute, "debt_dispute", {
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    party_id: Uuid,
    branch: String,
    bill_id: Uuid,
    reference: String,
    taken_by: String,
    opened_date: Date,
    closed_date: Option<Date>,
    version: i64,
    created_at: i64,
    updated_at: i64,
});

impl Scoped for row::Entity {
    const BRANCH: Option<row::Column> = Some(row::Column::Branch);
}

impl Scoped for dispute::Entity {
    const BRANCH: Option<dispute::Column> = Some(dispute::Column::Branch);
}

impl row::Model {
    pub(crate) fn stands(&self) -> Result<State, Fault> {
        State::of(&self.state).ok_or_else(|| unknown_code("integrity_case.state"))
    }

    /// Writes what changed and counts the version up.
    pub(crate) async fn save(&mut self, conn: &Conn, now: i64) -> Result<(), Fault> {
        self.version = self.version.saturating_add(1);
        self.updated_at = now;
        Ok(update::<row::Entity>(conn, self.clone()).await?)
    }
}

pub(crate) async fn load(conn: &Conn, scope: &Scope, id: Uuid) -> Result<row::Model, Fault> {
    let found = database::find::<row::Entity>(scope).filter(row::Column::Id.eq(id)).one(conn).await?;
    found.ok_or_else(|| Fault::not_found("integrity case", id))
}

/// Loads a case to change it, if the caller has seen this version of it.
pub(crate) async fn lock(conn: &Conn, scope: &Scope, id: Uuid, etag: &str) -> Result<row::Model, Fault> {
    let found = database::find::<row::Entity>(scope).filter(row::Column::Id.eq(id)).lock_exclusive();
    let found = found.one(conn).await?.ok_or_else(|| Fault::not_found("integrity case", id))?;
    rpc::check_etag(etag, found.id, found.version)?;
    Ok(found)
}

pub(crate) async fn list(conn: &Conn, scope: &Scope, party: Option<Uuid>, state: Option<&str>, page: &Page) -> Result<Vec<row::Model>, Fault> {
    let mut found = database::find::<row::Entity>(scope);
    if let Some(party) = party {
        found = found.filter(row::Column::PartyId.eq(party));
    }
    if let Some(state) = state {
        found = found.filter(row::Column::State.eq(state));
    }
    if let Some(after) = page.after {
        found = found.filter(row::Column::Id.gt(after));
    }
    Ok(found.order_by_asc(row::Column::Id).limit(page.limit()).all(conn).await?)
}

fn on_the_list() -> impl Iterator<Item = &'static str> {
    ON_THE_LIST.into_iter().map(State::code)
}

fn holding(today: NaiveDate) -> Select<row::Entity> {
    row::Entity::find()
        .filter(row::Column::State.is_in(on_the_list()))
        .filter(row::Column::FromDate.lte(today))
        .filter(row::Column::UntilDate.gt(today))
        .order_by_asc(row::Column::Id)
}

/// Listings of parties that hold on a day.
pub(crate) async fn in_force(conn: &Conn, parties: &[Uuid], today: NaiveDate) -> Result<Vec<row::Model>, Fault> {
    let found = holding(today).filter(row::Column::PartyId.is_in(parties.iter().copied()));
    Ok(found.all(conn).await?)
}

/// Listings of other organisations that hold on a day and whose legal representative is this one's too, where this one was registered since the
/// act: who is registered anew under another number takes the list along. Who was there before answers for itself.
pub(crate) async fn of_representative(conn: &Conn, vault: &Vault, party: &party::Model, same: &[Uuid], today: NaiveDate) -> Result<Vec<row::Model>, Fault> {
    let own = representatives(conn, vault, fact::Column::PartyId.eq(party.id)).await?;
    let Some(name) = own.get(&party.id) else {
        return Ok(vec![]);
    };
    let organisations = party::Entity::find()
        .select_only()
        .column(party::Column::Id)
        .filter(party::Column::Kind.eq(Kind::Organisation.code()));
    let registered = calendar::Instant::from_micros(party.created_at).date();
    let mut listed = holding(today)
        .filter(row::Column::PartyId.in_subquery(organisations.into_query()))
        .filter(row::Column::PartyId.is_not_in(same.iter().copied()))
        .filter(row::Column::ActDate.lte(registered))
        .all(conn)
        .await?;
    let names = representatives(conn, vault, fact::Column::PartyId.is_in(listed.iter().map(|case| case.party_id))).await?;
    listed.retain(|case| names.get(&case.party_id) == Some(name));
    Ok(listed)
}

/// The same from the other side: the organisations that take a listing along.
pub(crate) async fn followers(conn: &Conn, vault: &Vault, case: &row::Model, same: &[Uuid]) -> Result<Vec<Uuid>, Fault> {
    let own = representatives(conn, vault, fact::Column::PartyId.eq(case.party_id)).await?;
    let Some(name) = own.get(&case.party_id) else {
        return Ok(vec![]);
    };
    let since = party::Entity::find()
        .select_only()
        .column(party::Column::Id)
        .filter(party::Column::Kind.eq(Kind::Organisation.code()))
        .filter(party::Column::Id.is_not_in(same.iter().copied()))
        .filter(party::Column::CreatedAt.gte(calendar::Instant::start_of(case.act_date).micros()));
    let names = representatives(conn, vault, fact::Column::PartyId.in_subquery(since.into_query())).await?;
    Ok(names.into_iter().filter(|(_, other)| other == name).map(|(id, _)| id).collect())
}

/// Listings whose term is over.
pub(crate) async fn over(conn: &Conn, today: NaiveDate, limit: u64) -> Result<Vec<row::Model>, Fault> {
    let found = row::Entity::find()
        .filter(row::Column::State.is_in(on_the_list()))
        .filter(row::Column::UntilDate.lte(today))
        .limit(limit);
    Ok(found.all(conn).await?)
}

/// Acts of these parties that have a case which was not dropped: the same kind of conduct on the same day.
pub(crate) async fn same_act(conn: &Conn, parties: &[Uuid], code: &str, day: NaiveDate) -> Result<bool, Fault> {
    let dropped = [State::Dismissed.code(), State::Reversed.code()];
    let found = row::Entity::find()
        .filter(row::Column::PartyId.is_in(parties.iter().copied()))
        .filter(row::Column::ConductCode.eq(code))
        .filter(row::Column::ActDate.eq(day))
        .filter(row::Column::State.is_not_in(dropped));
    Ok(found.one(conn).await?.is_some())
}

pub(crate) async fn conducts(conn: &Conn) -> Result<Vec<Conduct>, Fault> {
    let found = conduct::Entity::find().order_by_asc(conduct::Column::Code).all(conn).await?;
    let show = |row: conduct::Model| Conduct {
        code: row.code,
        name_zh: row.name_zh,
        name_en: row.name_en,
        about_debt: row.about_debt,
        months_after_demand: row.months_after_demand,
    };
    Ok(found.into_iter().map(show).collect())
}

pub(crate) async fn conduct(conn: &Conn, code: &str) -> Result<conduct::Model, Fault> {
    let found = conduct::Entity::find_by_id(code).one(conn).await?;
    found.ok_or_else(|| Fault::not_found("conduct", code))
}

/// Which of these bills are disputed.
pub(crate) async fn disputed(conn: &Conn, bills: &[Uuid]) -> Result<BTreeSet<Uuid>, Fault> {
    let found = dispute::Entity::find()
        .filter(dispute::Column::BillId.is_in(bills.iter().copied()))
        .filter(dispute::Column::ClosedDate.is_null());
    Ok(found.all(conn).await?.into_iter().map(|row| row.bill_id).collect())
}

/// Enters a dispute; one that is there already stays as it is.
pub(crate) async fn enter_dispute(conn: &Conn, row: dispute::Model) -> Result<(), Fault> {
    let row = row.into_active_model().reset_all();
    dispute::Entity::insert(row).on_conflict_do_nothing().exec_without_returning(conn).await?;
    Ok(())
}

/// Enters the answer to a dispute; one that has ended stays as it is.
pub(crate) async fn answer_dispute(conn: &Conn, id: Uuid, day: NaiveDate) -> Result<(), Fault> {
    dispute::Entity::update_many()
        .col_expr(dispute::Column::ClosedDate, Some(day).into())
        .filter(dispute::Column::Id.eq(id))
        .filter(dispute::Column::ClosedDate.is_null())
        .exec(conn)
        .await?;
    Ok(())
}

/// Loads a dispute to change it, if the caller has seen this version of it.
pub(crate) async fn lock_dispute(conn: &Conn, scope: &Scope, id: Uuid, etag: &str) -> Result<dispute::Model, Fault> {
    let found = database::find::<dispute::Entity>(scope).filter(dispute::Column::Id.eq(id)).lock_exclusive();
    let found = found.one(conn).await?.ok_or_else(|| Fault::not_found("debt dispute", id))?;
    rpc::check_etag(etag, found.id, found.version)?;
    Ok(found)
}

impl dispute::Model {
    /// Where it stands.
    pub(crate) fn stands(&self) -> DisputeState {
        if self.closed_date.is_some() {
            DisputeState::Closed
        } else {
            DisputeState::Open
        }
    }

    /// As the contract shows it.
    pub(crate) fn show(self) -> DebtDispute {
        DebtDispute {
            dispute_id: self.id.to_string(),
            party_id: self.party_id.to_string(),
            bill_id: self.bill_id.to_string(),
            opened_date: Some(wire::date(self.opened_date)),
            closed_date: self.closed_date.map(wire::date),
            etag: rpc::etag(self.id, self.version),
            branch: self.branch,
            reference: self.reference,
        }
    }
}

/// Cases as the contract shows them; the codec hides facts and statements unless the method reveals.
pub(crate) async fn show(conn: &Conn, vault: &Vault, rows: Vec<row::Model>) -> Result<Vec<IntegrityCase>, Fault> {
    let sealed: Vec<_> = rows
        .iter()
        .flat_map(|case| {
            let statement = case.statement_sealed.as_deref().map(|sealed| (case.party_id, STATEMENT, sealed));
            [Some((case.party_id, FACTS, case.facts_sealed.as_slice())), statement]
        })
        .flatten()
        .collect();
    let mut clear = vault.open_many(conn, &sealed).await.map_err(unsealed)?.into_iter();
    let mut next = || clear.next().flatten().unwrap_or_default();
    let bills: Vec<Vec<Uuid>> = rows.iter().map(|case| unpack(&case.bills)).collect::<Result<_, _>>()?;
    let disputed = disputed(conn, &bills.concat()).await?;
    let mut shown = Vec::with_capacity(rows.len());
    for (case, bills) in rows.into_iter().zip(bills) {
        let facts = next();
        let statement = if case.statement_sealed.is_some() { next() } else { String::new() };
        shown.push(IntegrityCase {
            case_id: case.id.to_string(),
            party_id: case.party_id.to_string(),
            act_date: Some(wire::date(case.act_date)),
            facts,
            evidence_ids: unpack(&case.evidence)?,
            disputed_bill_ids: bills.iter().filter(|bill| disputed.contains(bill)).map(Uuid::to_string).collect(),
            bill_ids: bills.iter().map(Uuid::to_string).collect(),
            state: case.stands()?.number(),
            notice_time: case.notice_at.map(|at| wire::time(calendar::Instant::from_micros(at))),
            statement_due_date: case.statement_due.map(wire::date),
            statement,
            severity: Severity::of(&case.severity).map_or(0, Severity::number),
            term_months: case.term_months,
            from_date: case.from_date.map(wire::date),
            until_date: case.until_date.map(wire::date),
            appeal_due_date: case.appeal_due.map(wire::date),
            create_time: Some(wire::time(calendar::Instant::from_micros(case.created_at))),
            etag: rpc::etag(case.id, case.version),
            branch: case.branch,
            conduct_code: case.conduct_code,
            reported_by: case.reported_by,
            decided_by: case.decided_by,
            appeal_decided_by: case.appeal_decided_by,
            reason: case.reason,
        });
    }
    Ok(shown)
}

/// One case as the contract shows it.
pub(crate) async fn show_one(conn: &Conn, vault: &Vault, case: row::Model) -> Result<Option<IntegrityCase>, Fault> {
    Ok(show(conn, vault, vec![case]).await?.pop())
}
