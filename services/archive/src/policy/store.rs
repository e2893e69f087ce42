use chrono::NaiveDate;
use database::Conn;
use rpc::{Fault, page::Page};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, QueryTrait, sea_query::SelectStatement,
};
use uuid::Uuid;

use super::{
    control::{ControlPage, Part, Section},
    duty,
    label::Label,
    model::{ConflictState, Countersigner, Hands, IN_WORK, Level, Live, Secrecy, State, Type},
};
use crate::{table, unknown_code};

table!(requirement, "policy_requirement", {
    #[sea_orm(primary_key, auto_increment = false)]
    kind: String,
    parts: String,
    version: i64,
});

table!(document, "policy", {
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    doc_no: String,
    title: String,
    kind: String,
    level: String,
    owner_department: String,
    secrecy: i32,
    code_of_conduct: bool,
    version: i64,
    created_at: i64,
});

table!(row, "policy_version", {
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    policy_id: Uuid,
    label: String,
    label_rank: i64,
    state: String,
    control: String,
    sections: String,
    content_digest: String,
    drafter: String,
    reviewer: String,
    approver: String,
    countersigners: String,
    added_departments: String,
    reason: String,
    issued_on: Option<Date>,
    live_from: Option<Date>,
    live_until: Option<Date>,
    supersedes_id: Option<Uuid>,
    version: i64,
    created_at: i64,
    updated_at: i64,
});

table!(task, "policy_duty", {
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    policy_id: Uuid,
    version_id: Uuid,
    kind: String,
    department: String,
    due_on: Date,
    state: String,
    done_on: Option<Date>,
    done_by: String,
    evidence: String,
    version: i64,
    created_at: i64,
});

table!(acknowledgement, "policy_acknowledgement", {
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    version_id: Uuid,
    staff: String,
    acknowledged_on: Date,
    renew_on: Option<Date>,
    acknowledged_at: i64,
});

table!(conflict, "policy_conflict", {
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    first_version_id: Uuid,
    second_version_id: Uuid,
    clause: String,
    rule: String,
    prevailing_version_id: Option<Uuid>,
    department: String,
    decided_by: String,
    grounds: String,
    version: i64,
    created_at: i64,
});

impl document::Model {
    pub(crate) fn secrecy(&self) -> Result<Secrecy, Fault> {
        Secrecy::of_number(self.secrecy).ok_or_else(|| unknown_code("policy.secrecy"))
    }
    pub(crate) fn level(&self) -> Result<Level, Fault> {
        Level::of(&self.level).ok_or_else(|| unknown_code("policy.level"))
    }
    pub(crate) fn kind(&self) -> Result<Type, Fault> {
        Type::of(&self.kind).ok_or_else(|| unknown_code("policy.kind"))
    }
}

impl row::Model {
    pub(crate) fn stands(&self) -> Result<State, Fault> {
        State::of(&self.state).ok_or_else(|| unknown_code("policy_version.state"))
    }
    pub(crate) fn label(&self) -> Result<Label, Fault> {
        Label::parse(&self.label).map_err(Fault::from)
    }
    pub(crate) fn page(&self) -> Result<ControlPage, Fault> {
        unpack(&self.control)
    }
    pub(crate) fn parts(&self) -> Result<Vec<Section>, Fault> {
        unpack(&self.sections)
    }
    pub(crate) fn signers(&self) -> Result<Vec<Countersigner>, Fault> {
        unpack(&self.countersigners)
    }
    pub(crate) fn added(&self) -> Result<Vec<String>, Fault> {
        unpack(&self.added_departments)
    }
    pub(crate) fn live(&self) -> Option<Live> {
        self.live_from.map(|from| Live { from, until: self.live_until })
    }
    pub(crate) fn hands<'a>(&'a self, countersigners: &'a [Countersigner]) -> Hands<'a> {
        Hands {
            drafter: &self.drafter,
            reviewer: &self.reviewer,
            countersigners,
        }
    }
}

impl task::Model {
    pub(crate) fn is(&self) -> Result<duty::Kind, Fault> {
        duty::Kind::of(&self.kind).ok_or_else(|| unknown_code("policy_duty.kind"))
    }
    pub(crate) fn stands(&self) -> Result<duty::State, Fault> {
        duty::State::of(&self.state).ok_or_else(|| unknown_code("policy_duty.state"))
    }
}

impl conflict::Model {
    /// Where it stands: until somebody has decided, the column of the rule says that it is open.
    pub(crate) fn stands(&self) -> ConflictState {
        if self.rule == ConflictState::Open.code() {
            ConflictState::Open
        } else {
            ConflictState::Resolved
        }
    }
}

/// A packed column.
pub(crate) fn unpack<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(Fault::internal)
}

/// Packs a value for a column.
pub(crate) fn pack<T: serde::Serialize + ?Sized>(value: &T) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(Fault::internal)
}

/// What each type must have, in the order of the contract.
pub(crate) async fn requirements(conn: &Conn) -> Result<Vec<requirement::Model>, Fault> {
    Ok(requirement::Entity::find().order_by_asc(requirement::Column::Kind).all(conn).await?)
}

pub(crate) async fn lock_requirement(conn: &Conn, kind: Type) -> Result<requirement::Model, Fault> {
    let found = requirement::Entity::find_by_id(kind.code()).lock_exclusive().one(conn).await?;
    found.ok_or_else(|| Fault::not_found("policy type", kind.code()))
}

pub(crate) async fn save_requirement(conn: &Conn, row: &requirement::Model) -> Result<(), Fault> {
    Ok(table::update::<requirement::Entity>(conn, row.clone()).await?)
}

/// Parts that a type asks for.
pub(crate) async fn required_parts(conn: &Conn, kind: Type) -> Result<Vec<Part>, Fault> {
    match requirement::Entity::find_by_id(kind.code()).one(conn).await? {
        Some(row) => unpack(&row.parts),
        None => Ok(vec![]),
    }
}

pub(crate) async fn insert_document(conn: &Conn, row: &document::Model) -> Result<(), Fault> {
    Ok(table::insert::<document::Entity>(conn, row.clone()).await?)
}

pub(crate) async fn document(conn: &Conn, id: Uuid) -> Result<document::Model, Fault> {
    let found = document::Entity::find_by_id(id).one(conn).await?;
    found.ok_or_else(|| Fault::not_found("policy", id))
}

/// A document, held until the write has ended: what happens to its versions happens one after the other.
pub(crate) async fn lock_document(conn: &Conn, id: Uuid) -> Result<document::Model, Fault> {
    let found = document::Entity::find_by_id(id).lock_exclusive().one(conn).await?;
    found.ok_or_else(|| Fault::not_found("policy", id))
}

pub(crate) async fn list_documents(conn: &Conn, kind: Option<Type>, clearance: Secrecy, page: &Page) -> Result<Vec<document::Model>, Fault> {
    let mut found = document::Entity::find().filter(document::Column::Secrecy.lte(clearance.number()));
    if let Some(kind) = kind {
        found = found.filter(document::Column::Kind.eq(kind.code()));
    }
    if let Some(after) = page.after {
        found = found.filter(document::Column::Id.gt(after));
    }
    Ok(found.order_by_asc(document::Column::Id).limit(page.limit()).all(conn).await?)
}

pub(crate) async fn insert(conn: &Conn, row: &row::Model) -> Result<(), Fault> {
    Ok(table::insert::<row::Entity>(conn, row.clone()).await?)
}

/// Writes a version that was locked with its document, and counts it up.
pub(crate) async fn save(conn: &Conn, row: &mut row::Model, now: i64) -> Result<(), Fault> {
    row.version = row.version.saturating_add(1);
    row.updated_at = now;
    Ok(table::update::<row::Entity>(conn, row.clone()).await?)
}

pub(crate) async fn version(conn: &Conn, id: Uuid) -> Result<row::Model, Fault> {
    let found = row::Entity::find_by_id(id).one(conn).await?;
    found.ok_or_else(|| Fault::not_found("policy version", id))
}

/// The versions of a document in the order of their labels.
pub(crate) async fn versions(conn: &Conn, policy: Uuid) -> Result<Vec<row::Model>, Fault> {
    let found = row::Entity::find().filter(row::Column::PolicyId.eq(policy));
    Ok(found.order_by_asc(row::Column::LabelRank).all(conn).await?)
}

/// Whether a version of the document is not issued yet and may still be.
pub(crate) fn in_work(versions: &[row::Model]) -> bool {
    versions.iter().any(|version| IN_WORK.iter().any(|state| state.code() == version.state))
}

/// The version of a document that is in force on a day (D-02: there is at most one).
pub(crate) async fn in_force(conn: &Conn, policy: Uuid, day: NaiveDate) -> Result<row::Model, Fault> {
    let found = row::Entity::find()
        .filter(row::Column::PolicyId.eq(policy))
        .filter(row::Column::LiveFrom.lte(day))
        .filter(Condition::any().add(row::Column::LiveUntil.is_null()).add(row::Column::LiveUntil.gt(day)));
    found.one(conn).await?.ok_or_else(|| Fault::not_found("policy version", policy))
}

/// Documents with a version whose day has come, to begin or to end.
pub(crate) async fn documents_due(conn: &Conn, today: NaiveDate, limit: u64) -> Result<Vec<Uuid>, Fault> {
    let begins = Condition::all()
        .add(row::Column::State.eq(State::Issued.code()))
        .add(row::Column::LiveFrom.lte(today));
    let ends = Condition::all()
        .add(row::Column::State.eq(State::Effective.code()))
        .add(row::Column::LiveUntil.lte(today));
    let mut found: Vec<Uuid> = row::Entity::find()
        .filter(Condition::any().add(begins).add(ends))
        .order_by_asc(row::Column::PolicyId)
        .limit(limit)
        .all(conn)
        .await?
        .into_iter()
        .map(|version| version.policy_id)
        .collect();
    found.dedup();
    Ok(found)
}

pub(crate) async fn insert_duties(conn: &Conn, of: &row::Model, new: Vec<duty::New>, now: i64) -> Result<Vec<task::Model>, Fault> {
    let rows: Vec<_> = new
        .into_iter()
        .map(|new| task::Model {
            id: Uuid::now_v7(),
            policy_id: of.policy_id,
            version_id: of.id,
            kind: new.kind.code().to_owned(),
            department: new.department,
            due_on: new.due,
            state: duty::State::Open.code().to_owned(),
            done_on: None,
            done_by: String::new(),
            evidence: String::new(),
            version: 1,
            created_at: now,
        })
        .collect();
    if !rows.is_empty() {
        let rows = rows.iter().cloned().map(|row| row.into_active_model().reset_all());
        task::Entity::insert_many(rows).exec_without_returning(conn).await?;
    }
    Ok(rows)
}

pub(crate) async fn lock_duty(conn: &Conn, id: Uuid) -> Result<task::Model, Fault> {
    let found = task::Entity::find_by_id(id).lock_exclusive().one(conn).await?;
    found.ok_or_else(|| Fault::not_found("policy duty", id))
}

pub(crate) async fn save_duty(conn: &Conn, row: &mut task::Model) -> Result<(), Fault> {
    row.version = row.version.saturating_add(1);
    Ok(table::update::<task::Entity>(conn, row.clone()).await?)
}

/// All duties of a version.
pub(crate) async fn duties_of(conn: &Conn, version: Uuid) -> Result<Vec<task::Model>, Fault> {
    let found = task::Entity::find().filter(task::Column::VersionId.eq(version));
    Ok(found.order_by_asc(task::Column::Id).all(conn).await?)
}

/// Open duties whose day has passed.
pub(crate) async fn missed(conn: &Conn, today: NaiveDate, limit: u64) -> Result<Vec<task::Model>, Fault> {
    let found = task::Entity::find()
        .filter(task::Column::State.eq(duty::State::Open.code()))
        .filter(task::Column::DueOn.lt(today));
    Ok(found.order_by_asc(task::Column::Id).limit(limit).all(conn).await?)
}

/// Which duties are asked for.
pub(crate) struct Wanted<'a> {
    pub policy: Option<Uuid>,
    pub department: &'a str,
    pub state: Option<duty::State>,
    pub clearance: Secrecy,
}

/// Documents that a clearance reaches.
fn readable(clearance: Secrecy) -> SelectStatement {
    document::Entity::find()
        .select_only()
        .column(document::Column::Id)
        .filter(document::Column::Secrecy.lte(clearance.number()))
        .into_query()
}

pub(crate) async fn list_duties(conn: &Conn, wanted: Wanted<'_>, page: &Page) -> Result<Vec<task::Model>, Fault> {
    let mut found = task::Entity::find().filter(task::Column::PolicyId.in_subquery(readable(wanted.clearance)));
    if let Some(policy) = wanted.policy {
        found = found.filter(task::Column::PolicyId.eq(policy));
    }
    if !wanted.department.is_empty() {
        found = found.filter(task::Column::Department.eq(wanted.department));
    }
    if let Some(state) = wanted.state {
        found = found.filter(task::Column::State.eq(state.code()));
    }
    if let Some(after) = page.after {
        found = found.filter(task::Column::Id.gt(after));
    }
    Ok(found.order_by_asc(task::Column::Id).limit(page.limit()).all(conn).await?)
}

pub(crate) async fn insert_acknowledgement(conn: &Conn, row: &acknowledgement::Model) -> Result<(), Fault> {
    Ok(table::insert::<acknowledgement::Entity>(conn, row.clone()).await?)
}

/// The last acknowledgement of a version by somebody.
pub(crate) async fn last_acknowledgement(conn: &Conn, version: Uuid, staff: &str) -> Result<Option<acknowledgement::Model>, Fault> {
    let found = acknowledgement::Entity::find()
        .filter(acknowledgement::Column::VersionId.eq(version))
        .filter(acknowledgement::Column::Staff.eq(staff));
    Ok(found.order_by_desc(acknowledgement::Column::AcknowledgedOn).one(conn).await?)
}

/// All acknowledgements of a version, or a page of them.
pub(crate) async fn acknowledgements(conn: &Conn, version: Uuid, page: Option<&Page>) -> Result<Vec<acknowledgement::Model>, Fault> {
    let mut found = acknowledgement::Entity::find().filter(acknowledgement::Column::VersionId.eq(version));
    if let Some(page) = page {
        found = found.limit(page.limit());
        if let Some(after) = page.after {
            found = found.filter(acknowledgement::Column::Id.gt(after));
        }
    }
    Ok(found.order_by_asc(acknowledgement::Column::Id).all(conn).await?)
}

pub(crate) async fn insert_conflict(conn: &Conn, row: &conflict::Model) -> Result<(), Fault> {
    Ok(table::insert::<conflict::Entity>(conn, row.clone()).await?)
}

pub(crate) async fn lock_conflict(conn: &Conn, id: Uuid) -> Result<conflict::Model, Fault> {
    let found = conflict::Entity::find_by_id(id).lock_exclusive().one(conn).await?;
    found.ok_or_else(|| Fault::not_found("policy conflict", id))
}

pub(crate) async fn save_conflict(conn: &Conn, row: &mut conflict::Model) -> Result<(), Fault> {
    row.version = row.version.saturating_add(1);
    Ok(table::update::<conflict::Entity>(conn, row.clone()).await?)
}

/// Conflicts between versions that the clearance reaches (D-06), of one document where it is given.
pub(crate) async fn list_conflicts(conn: &Conn, policy: Option<Uuid>, clearance: Secrecy, page: &Page) -> Result<Vec<conflict::Model>, Fault> {
    let versions = || row::Entity::find().select_only().column(row::Column::Id);
    let readable: SelectStatement = versions().filter(row::Column::PolicyId.in_subquery(readable(clearance))).into_query();
    let mut found = conflict::Entity::find()
        .filter(conflict::Column::FirstVersionId.in_subquery(readable.clone()))
        .filter(conflict::Column::SecondVersionId.in_subquery(readable));
    if let Some(policy) = policy {
        let of_policy: SelectStatement = versions().filter(row::Column::PolicyId.eq(policy)).into_query();
        let either = Condition::any()
            .add(conflict::Column::FirstVersionId.in_subquery(of_policy.clone()))
            .add(conflict::Column::SecondVersionId.in_subquery(of_policy));
        found = found.filter(either);
    }
    if let Some(after) = page.after {
        found = found.filter(conflict::Column::Id.gt(after));
    }
    Ok(found.order_by_asc(conflict::Column::Id).limit(page.limit()).all(conn).await?)
}
