//! The abnormal case of an agreement: at most one is open, further findings join it, and it closes with its last exception (E9-01).

use std::collections::{BTreeSet, HashMap, HashSet};

use calendar::{Instant, NaiveDate};
use chrono::Days;
use contracts::hearth::billing::v1::{self as proto, AssignCaseRequest, AssignCaseResponse, ListCasesRequest, ListCasesResponse};
use database::{Begun, Scope, Scoped, Write, find};
use rpc::{Call, Fault, page::Page, wire};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, Statement, sea_query::OnConflict,
};
use uuid::Uuid;

use super::{
    model::{Code, ExceptionState, codes_of, join},
    rules::Rules,
    store::exception,
};
use crate::{
    Desk, Refusal,
    route::store as routes,
    table,
    words::{known, words},
};

table!(case, "abnormal_case", {
    #[sea_orm(primary_key, auto_increment = false)] id: Uuid,
    agreement_id: Uuid,
    account_no: String,
    branch: String,
    state: String,
    codes: String,
    owner: String,
    due_date: Date,
    open_exceptions: i32,
    created_at: i64,
    closed_at: Option<i64>,
    version: i64,
});

impl Scoped for case::Entity {
    const BRANCH: Option<case::Column> = Some(case::Column::Branch);
}

words! {
    /// Where a case stands.
    pub enum CaseState {
        /// Has open exceptions.
        Open "OPEN",
        /// All are decided.
        Closed "CLOSED",
    }
}

/// What a case is worth with the exceptions that are open now: its codes only grow; none open closes it.
fn follow(codes: &[Code], open: &[Vec<Code>]) -> (CaseState, Vec<Code>) {
    let all: BTreeSet<Code> = codes.iter().chain(open.iter().flatten()).copied().collect();
    let state = if open.is_empty() { CaseState::Closed } else { CaseState::Open };
    (state, all.into_iter().collect())
}

/// How often a case is begun anew that another call closes meanwhile.
const ROUNDS: u32 = 8;

/// Open exceptions by agreement.
type Found = HashMap<Uuid, Vec<exception::Model>>;

/// Brings the cases of agreements in line with their exceptions, in sets. Racers meet at the unique index: the second one joins the case of the first.
pub async fn keep(write: &Write, agreements: HashSet<Uuid>) -> Result<(), Fault> {
    if agreements.is_empty() {
        return Ok(());
    }
    let now = write.now();
    let (cases, open) = locked(write, &agreements).await?;
    for mut row in cases {
        let own = open.get(&row.agreement_id).map(Vec::as_slice).unwrap_or_default();
        let found: Vec<Vec<Code>> = own.iter().map(|e| codes_of(&e.codes)).collect();
        let (state, codes) = follow(&codes_of(&row.codes), &found);
        let count = i32::try_from(own.len()).unwrap_or(i32::MAX);
        let codes = join(&codes);
        if row.codes == codes && row.state == state.code() && row.open_exceptions == count {
            continue;
        }
        row.codes = codes;
        row.state = state.code().to_owned();
        row.open_exceptions = count;
        row.closed_at = (state == CaseState::Closed).then(|| now.micros());
        row.version = row.version.saturating_add(1);
        table::update::<case::Entity>(write, row).await?;
    }
    let ids: Vec<Uuid> = open.keys().copied().collect();
    join_them(write, &ids).await
}

/// The open cases of agreements, locked, and then what is open in them: a case is begun where there is none, or where another call closed it while this one waited
/// for it. What others found is seen once their case is locked, so that it counts.
async fn locked(write: &Write, agreements: &HashSet<Uuid>) -> Result<(Vec<case::Model>, Found), Fault> {
    let mut open = opened(write, agreements).await?;
    for _ in 0..ROUNDS {
        begin(write, &open).await?;
        let cases = case::Entity::find()
            .filter(case::Column::AgreementId.is_in(agreements.iter().copied()))
            .filter(case::Column::State.eq(CaseState::Open.code()))
            .order_by_asc(case::Column::Id)
            .lock_exclusive()
            .all(&**write)
            .await?;
        open = opened(write, agreements).await?;
        if open.keys().all(|id| cases.iter().any(|row| row.agreement_id == *id)) {
            return Ok((cases, open));
        }
    }
    Err(Fault::internal("a case is closed again and again"))
}

async fn opened(write: &Write, agreements: &HashSet<Uuid>) -> Result<Found, Fault> {
    let select = exception::Entity::find()
        .filter(exception::Column::AgreementId.is_in(agreements.iter().copied()))
        .filter(exception::Column::State.eq(ExceptionState::Open.code()))
        .order_by_asc(exception::Column::Id);
    let mut open = Found::new();
    for row in select.all(&**write).await? {
        open.entry(row.agreement_id).or_default().push(row);
    }
    Ok(open)
}

/// Begins cases where there is none. The reader of the book in which the meter is sees to them (E9-01). They are listed in the order in which they are begun: that of the
/// accounts, whatever the order in which the database gave their exceptions.
async fn begin(write: &Write, open: &Found) -> Result<(), Fault> {
    if open.is_empty() {
        return Ok(());
    }
    let now = write.now();
    let days = Rules::shipped().map_err(Fault::internal)?.case.days;
    let due_date = now.date().checked_add_days(Days::new(days.into())).unwrap_or(NaiveDate::MAX);
    let readers = routes::readers(write, open.values().flatten().map(|e| e.installation_id)).await?;
    let mut begin: Vec<_> = open.values().filter_map(|rows| Some((rows.first()?, rows))).collect();
    begin.sort_by_key(|(first, _)| (&first.account_no, first.agreement_id));
    let owner = |rows: &[exception::Model]| rows.iter().find_map(|e| readers.get(&e.installation_id)).cloned().unwrap_or_default();
    let fresh = begin.into_iter().map(|(first, rows)| begun(first, rows, owner(rows), due_date, now));
    let fresh: Vec<_> = fresh.map(|row| row.into_active_model().reset_all()).collect();
    case::Entity::insert_many(fresh)
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(&**write)
        .await?;
    Ok(())
}

fn begun(first: &exception::Model, rows: &[exception::Model], owner: String, due_date: NaiveDate, now: Instant) -> case::Model {
    let found: Vec<Vec<Code>> = rows.iter().map(|e| codes_of(&e.codes)).collect();
    case::Model {
        id: Uuid::now_v7(),
        agreement_id: first.agreement_id,
        account_no: first.account_no.clone(),
        branch: first.branch.clone(),
        state: CaseState::Open.code().to_owned(),
        codes: join(&follow(&[], &found).1),
        owner,
        due_date,
        open_exceptions: i32::try_from(rows.len()).unwrap_or(i32::MAX),
        created_at: now.micros(),
        closed_at: None,
        version: 1,
    }
}

/// Gives the open exceptions of agreements their case.
async fn join_them(write: &Write, agreements: &[Uuid]) -> Result<(), Fault> {
    if agreements.is_empty() {
        return Ok(());
    }
    let places: Vec<String> = (1..).take(agreements.len()).map(|n| format!("${n}")).collect();
    let sql = format!(
        "UPDATE reading_exception SET case_id = (SELECT c.id FROM abnormal_case c WHERE c.agreement_id = reading_exception.agreement_id AND c.state = 'OPEN') \
         WHERE case_id IS NULL AND state = 'OPEN' AND agreement_id IN ({})",
        places.join(", ")
    );
    let values = agreements.iter().map(|id| (*id).into());
    write
        .execute_raw(Statement::from_sql_and_values(write.get_database_backend(), sql, values))
        .await?;
    Ok(())
}

/// The abnormal case of an agreement that something comes from, where one is named.
pub async fn of_agreement(write: &Write, agreement: Uuid, id: Option<&str>) -> Result<Option<Uuid>, Fault> {
    let Some(id) = id else { return Ok(None) };
    let id: Uuid = wire::id_of("case_id", id)?;
    let row = case::Entity::find_by_id(id).one(&**write).await?;
    let own = row.filter(|row| row.agreement_id == agreement);
    own.map(|row| Some(row.id)).ok_or_else(|| Fault::not_found("case", id))
}

/// ListCases.
pub async fn list(desk: Desk, call: Call, request: ListCasesRequest) -> Result<ListCasesResponse, Fault> {
    let filters = format!("{:?} {:?} {:?} {:?}", request.state, request.agreement_id, request.branch, request.overdue_on);
    let page = Page::of(&call, &[&filters], request.page_size, &request.page_token)?;
    let mut select = find::<case::Entity>(&Scope::of(&call)).order_by_asc(case::Column::Id).limit(page.limit());
    if let Some(after) = page.after {
        select = select.filter(case::Column::Id.gt(after));
    }
    if let Some(state) = CaseState::of_number(request.state) {
        select = select.filter(case::Column::State.eq(state.code()));
    }
    if let Some(agreement) = &request.agreement_id {
        select = select.filter(case::Column::AgreementId.eq(wire::id_of::<Uuid>("agreement_id", agreement)?));
    }
    if !request.branch.is_empty() {
        select = select.filter(case::Column::Branch.eq(&request.branch));
    }
    if let Some(day) = wire::date_if(request.overdue_on.as_ref(), "overdue_on")? {
        select = select
            .filter(case::Column::DueDate.lt(day))
            .filter(case::Column::State.eq(CaseState::Open.code()));
    }
    let (rows, next_page_token) = page.cut(select.all(desk.db.reader()).await?, |r| r.id);
    Ok(ListCasesResponse {
        cases: rows.iter().map(message).collect::<Result<_, _>>()?,
        next_page_token,
    })
}

/// AssignCase.
pub async fn assign(desk: Desk, call: Call, request: AssignCaseRequest) -> Result<AssignCaseResponse, Fault> {
    let write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let id: Uuid = wire::id_of("case_id", &request.case_id)?;
    let row = find::<case::Entity>(&Scope::of(&call))
        .filter(case::Column::Id.eq(id))
        .lock_exclusive()
        .one(&*write)
        .await?;
    let mut row = row.ok_or_else(|| Fault::not_found("case", id))?;
    rpc::check_etag(&request.etag, row.id, row.version)?;
    if row.state != CaseState::Open.code() {
        return Err(Refusal::CaseClosed.into());
    }
    row.owner.clone_from(&request.owner);
    row.version = row.version.saturating_add(1);
    table::update::<case::Entity>(&write, row.clone()).await?;
    let mut write = write;
    write.subject(id);
    write.commit(AssignCaseResponse { case: Some(message(&row)?) }).await
}

fn message(row: &case::Model) -> Result<proto::AbnormalCase, Fault> {
    Ok(proto::AbnormalCase {
        case_id: row.id.to_string(),
        agreement_id: row.agreement_id.to_string(),
        account_no: row.account_no.clone(),
        branch: row.branch.clone(),
        state: known(CaseState::of(&row.state), &row.state)?.number(),
        codes: codes_of(&row.codes).iter().map(|c| c.number()).collect(),
        owner: row.owner.clone(),
        due_date: Some(wire::date(row.due_date)),
        open_exceptions: row.open_exceptions,
        create_time: Some(wire::time(Instant::from_micros(row.created_at))),
        close_time: row.closed_at.map(|at| wire::time(Instant::from_micros(at))),
        etag: rpc::etag(row.id, row.version),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_contract() {
        let states: Vec<_> = CaseState::ALL.iter().map(|w| (w.number(), w.code())).collect();
        testbed::assert_contract(&states, "STATE_", |n| proto::abnormal_case::State::try_from(n).ok().map(|v| v.as_str_name()));
    }

    #[test]
    fn e9_01_codes_join_and_the_last_decision_closes() {
        let (spike, seal) = (Code::Spike, Code::SealBroken);
        assert_eq!(follow(&[], &[vec![spike]]), (CaseState::Open, vec![spike]));
        assert_eq!(follow(&[spike], &[vec![spike], vec![seal]]), (CaseState::Open, vec![spike, seal]));
        assert_eq!(
            follow(&[spike, seal], &[vec![seal]]),
            (CaseState::Open, vec![spike, seal]),
            "what was found stays said"
        );
        assert_eq!(follow(&[spike, seal], &[]), (CaseState::Closed, vec![spike, seal]));
    }
}
