//! Rows of vendors and their qualifications.

use calendar::Instant;
use chrono::NaiveDate;
use database::{Conn, Scope, Scoped};
use ids::{QualificationId, VendorId};
use rpc::{Call, Fault, page::Page};
use sea_orm::{
    ActiveValue::{Set, Unchanged},
    ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    sea_query::{LockType, OnConflict},
};
use uuid::Uuid;
use vault::{Index, Vault};

use super::model::{Category, FormerName, Points, Qualification, Scores, Stage, State, Vendor};
use crate::person::store::sealed;

mod vendor {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "vendor")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub uscc: String,
        pub name: String,
        pub kinds: String,
        pub state: String,
        pub state_reason: String,
        pub blacklisted_until: Option<chrono::NaiveDate>,
        pub version: i64,
        pub created_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod qualification {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "qualification")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub vendor_id: Uuid,
        pub category: String,
        pub stage: String,
        pub documents: String,
        pub dossier_at: i64,
        pub verifier: Option<String>,
        pub scorer: Option<String>,
        pub score_technical: Option<i64>,
        pub score_financial: Option<i64>,
        pub score_quotation: Option<i64>,
        pub score_references: Option<i64>,
        pub score_total: Option<i64>,
        pub place: i32,
        pub review_date: Option<chrono::NaiveDate>,
        pub valid_to: Option<chrono::NaiveDate>,
        pub findings: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod former_name {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "vendor_name")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub vendor_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub until_date: chrono::NaiveDate,
        pub name: String,
        pub document: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod representative {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "legal_representative")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        #[sea_orm(column_type = "VarBinary(StringLen::None)")]
        pub id_number_sealed: Vec<u8>,
        #[sea_orm(column_type = "VarBinary(StringLen::None)")]
        pub id_number_blind: Vec<u8>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

const ID_NUMBER: &str = "legal_representative.id_number";

/// The blind index of the identity number of legal representatives.
pub(crate) const BY_LEGAL_REPRESENTATIVE: Index = Index {
    table: "legal_representative",
    sealed: ("id_number_sealed", ID_NUMBER),
    blind: ("id_number_blind", ID_NUMBER),
    text: false,
};

/// What belongs to vendors.
#[derive(Default)]
pub(super) struct Record {
    /// Oldest first.
    pub qualifications: Vec<Qualification>,
    /// Oldest first.
    pub names: Vec<FormerName>,
    /// Those whose legal representative is recorded.
    pub represented: Vec<VendorId>,
}

impl Scoped for vendor::Entity {
    const VENDOR: Option<vendor::Column> = Some(vendor::Column::Id);
}

/// What a caller sees of vendors. They hold for the whole group, so the branch of a member of staff does not narrow it.
pub(crate) fn scope(call: &Call) -> Scope {
    if call.vendor().is_some() { Scope::of(call) } else { Scope::everything() }
}

/// A new vendor.
pub(super) async fn insert(conn: &Conn, vendor: &Vendor) -> Result<(), Fault> {
    vendor::Entity::insert(row(vendor)).exec_without_returning(conn).await?;
    Ok(())
}

/// A vendor within the scope.
pub(crate) async fn load(conn: &Conn, scope: &Scope, id: VendorId) -> Result<Vendor, Fault> {
    let found = database::find::<vendor::Entity>(scope)
        .filter(vendor::Column::Id.eq(id.uuid()))
        .one(conn)
        .await?;
    of_row(found.ok_or_else(|| Fault::not_found("vendor", id))?)
}

/// A vendor within the scope, locked until the write ends. Whatever must not cross with another write on the same vendor takes this
/// lock first: the steps of admission, and every part that somebody takes in one of its contracts (F-02). It leaves the key alone, so
/// that rows which point at the vendor may be inserted meanwhile.
pub(crate) async fn lock(conn: &Conn, scope: &Scope, id: VendorId) -> Result<Vendor, Fault> {
    let found = database::find::<vendor::Entity>(scope)
        .filter(vendor::Column::Id.eq(id.uuid()))
        .lock(LockType::NoKeyUpdate)
        .one(conn)
        .await?;
    of_row(found.ok_or_else(|| Fault::not_found("vendor", id))?)
}

/// Several vendors, locked in the order of their keys.
pub(crate) async fn lock_all(conn: &Conn, ids: &[VendorId]) -> Result<Vec<Vendor>, Fault> {
    let ids = ids.iter().map(|id| id.uuid());
    let rows = vendor::Entity::find()
        .filter(vendor::Column::Id.is_in(ids))
        .order_by_asc(vendor::Column::Id)
        .lock(LockType::NoKeyUpdate)
        .all(conn)
        .await?;
    rows.into_iter().map(of_row).collect()
}

/// Keeps what changed; the version goes up by one.
pub(super) async fn save(conn: &Conn, vendor: &mut Vendor) -> Result<(), Fault> {
    vendor.version = vendor.version.saturating_add(1);
    let row = vendor::ActiveModel {
        id: Unchanged(vendor.id.uuid()),
        ..row(vendor)
    };
    vendor::Entity::update(row).exec(conn).await?;
    Ok(())
}

/// A page of vendors, without their qualifications.
pub(super) async fn list(conn: &Conn, scope: &Scope, state: Option<State>, category: Option<Category>, page: &Page) -> Result<(Vec<Vendor>, String), Fault> {
    let mut select = database::find::<vendor::Entity>(scope);
    if let Some(state) = state {
        select = select.filter(vendor::Column::State.eq(state.code()));
    }
    if let Some(category) = category {
        let granted = qualification::Entity::find()
            .select_only()
            .column(qualification::Column::VendorId)
            .filter(qualification::Column::Category.eq(category.code()))
            .filter(qualification::Column::Stage.eq(Stage::Granted.code()));
        select = select.filter(vendor::Column::Id.in_subquery(granted.into_query()));
    }
    if let Some(after) = page.after {
        select = select.filter(vendor::Column::Id.gt(after));
    }
    let rows = select.order_by_asc(vendor::Column::Id).limit(page.limit()).all(conn).await?;
    let (rows, next) = page.cut(rows, |row| row.id);
    Ok((rows.into_iter().map(of_row).collect::<Result<_, _>>()?, next))
}

/// A new qualification.
pub(super) async fn insert_qualification(conn: &Conn, qualification: &Qualification) -> Result<(), Fault> {
    qualification::Entity::insert(qualification_row(qualification)?)
        .exec_without_returning(conn)
        .await?;
    Ok(())
}

/// A qualification of a vendor that is within the caller's scope already.
pub(super) async fn qualification(conn: &Conn, vendor: VendorId, id: QualificationId) -> Result<Qualification, Fault> {
    let found = qualification::Entity::find_by_id(id.uuid())
        .filter(qualification::Column::VendorId.eq(vendor.uuid()))
        .one(conn)
        .await?;
    of_qualification_row(found.ok_or_else(|| Fault::not_found("qualification", id))?)
}

/// Keeps what changed in a qualification.
pub(super) async fn save_qualification(conn: &Conn, qualification: &Qualification) -> Result<(), Fault> {
    let row = qualification::ActiveModel {
        id: Unchanged(qualification.id.uuid()),
        ..qualification_row(qualification)?
    };
    qualification::Entity::update(row).exec(conn).await?;
    Ok(())
}

/// The qualifications of some vendors, oldest first.
pub(crate) async fn qualifications(conn: &Conn, vendors: &[VendorId]) -> Result<Vec<Qualification>, Fault> {
    let vendors = vendors.iter().map(|id| id.uuid());
    let select = qualification::Entity::find().filter(qualification::Column::VendorId.is_in(vendors));
    let rows = select.order_by_asc(qualification::Column::Id).all(conn).await?;
    rows.into_iter().map(of_qualification_row).collect()
}

/// The qualifications of a category that a ranking puts in order: scored, not yet reviewed.
pub(super) async fn rankable(conn: &Conn, category: Category) -> Result<Vec<Qualification>, Fault> {
    let select = qualification::Entity::find()
        .filter(qualification::Column::Category.eq(category.code()))
        .filter(qualification::Column::Stage.is_in([Stage::Scored.code(), Stage::Ranked.code()]));
    let rows = select.order_by_asc(qualification::Column::Id).all(conn).await?;
    rows.into_iter().map(of_qualification_row).collect()
}

/// What belongs to some vendors.
pub(super) async fn record(conn: &Conn, vendors: &[VendorId]) -> Result<Record, Fault> {
    let ids: Vec<_> = vendors.iter().map(|id| id.uuid()).collect();
    let names = former_name::Entity::find()
        .filter(former_name::Column::VendorId.is_in(ids.clone()))
        .order_by_asc(former_name::Column::UntilDate)
        .all(conn)
        .await?;
    let represented: Vec<Uuid> = representative::Entity::find()
        .select_only()
        .column(representative::Column::Id)
        .filter(representative::Column::Id.is_in(ids))
        .into_tuple()
        .all(conn)
        .await?;
    let name = |row: former_name::Model| FormerName {
        vendor: VendorId::from(row.vendor_id),
        name: row.name,
        until: row.until_date,
        document: row.document,
    };
    Ok(Record {
        qualifications: qualifications(conn, vendors).await?,
        names: names.into_iter().map(name).collect(),
        represented: represented.into_iter().map(VendorId::from).collect(),
    })
}

/// A name that a vendor had.
pub(super) async fn insert_name(conn: &Conn, former: &FormerName) -> Result<(), Fault> {
    let row = former_name::ActiveModel {
        vendor_id: Set(former.vendor.uuid()),
        until_date: Set(former.until),
        name: Set(former.name.clone()),
        document: Set(former.document.clone()),
    };
    former_name::Entity::insert(row).exec_without_returning(conn).await?;
    Ok(())
}

/// Keeps who represents a vendor, sealed; the next one replaces it. Called under the vendor's lock.
pub(super) async fn represent(conn: &Conn, vault: &Vault, vendor: VendorId, id_number: &str) -> Result<(), Fault> {
    let row = representative::ActiveModel {
        id: Set(vendor.uuid()),
        id_number_sealed: Set(vault.seal(conn, vendor.uuid(), ID_NUMBER, id_number).await.map_err(sealed)?),
        id_number_blind: Set(vault.blind(ID_NUMBER, id_number)),
    };
    let replace = OnConflict::column(representative::Column::Id)
        .update_columns([representative::Column::IdNumberSealed, representative::Column::IdNumberBlind])
        .to_owned();
    representative::Entity::insert(row).on_conflict(replace).exec_without_returning(conn).await?;
    Ok(())
}

/// Whether the person who represents a vendor also represents another one that is on the black list on a day.
pub(super) async fn listed_twin(conn: &Conn, vault: &Vault, vendor: VendorId, today: NaiveDate) -> Result<bool, Fault> {
    let Some(own) = representative::Entity::find_by_id(vendor.uuid()).one(conn).await? else {
        return Ok(false);
    };
    let id_number = vault.open(conn, own.id, ID_NUMBER, &own.id_number_sealed).await.map_err(sealed)?;
    let others = representative::Entity::find()
        .select_only()
        .column(representative::Column::Id)
        .filter(representative::Column::Id.ne(own.id))
        .filter(representative::Column::IdNumberBlind.is_in(vault.blind_all(ID_NUMBER, &id_number)));
    let listed = vendor::Entity::find()
        .filter(vendor::Column::State.eq(State::Blacklisted.code()))
        .filter(vendor::Column::BlacklistedUntil.gte(today))
        .filter(vendor::Column::Id.in_subquery(others.into_query()));
    Ok(listed.count(conn).await? > 0)
}

fn row(vendor: &Vendor) -> vendor::ActiveModel {
    vendor::ActiveModel {
        id: Set(vendor.id.uuid()),
        uscc: Set(vendor.uscc.clone()),
        name: Set(vendor.name.clone()),
        kinds: Set(vendor.kinds.iter().map(|kind| kind.code()).collect::<Vec<_>>().join(" ")),
        state: Set(vendor.state.code().to_owned()),
        state_reason: Set(vendor.state_reason.clone()),
        blacklisted_until: Set(vendor.blacklisted_until),
        version: Set(vendor.version),
        created_at: Set(vendor.created.micros()),
    }
}

fn of_row(row: vendor::Model) -> Result<Vendor, Fault> {
    let kinds: Result<_, _> = row.kinds.split(' ').filter(|code| !code.is_empty()).map(str::parse).collect();
    Ok(Vendor {
        id: VendorId::from(row.id),
        uscc: row.uscc,
        name: row.name,
        kinds: kinds.map_err(Fault::internal)?,
        state: row.state.parse().map_err(Fault::internal)?,
        state_reason: row.state_reason,
        blacklisted_until: row.blacklisted_until,
        version: row.version,
        created: Instant::from_micros(row.created_at),
    })
}

fn qualification_row(q: &Qualification) -> Result<qualification::ActiveModel, Fault> {
    let points = |of: fn(&Scores) -> Points| Set(q.scores.as_ref().map(|scores| of(scores).thousandths()));
    Ok(qualification::ActiveModel {
        id: Set(q.id.uuid()),
        vendor_id: Set(q.vendor.uuid()),
        category: Set(q.category.code().to_owned()),
        stage: Set(q.stage.code().to_owned()),
        documents: Set(serde_json::to_string(&q.documents).map_err(Fault::internal)?),
        dossier_at: Set(q.dossier_complete.micros()),
        verifier: Set(q.verifier.clone()),
        scorer: Set(q.scorer.clone()),
        score_technical: points(|s| s.technical),
        score_financial: points(|s| s.financial),
        score_quotation: points(|s| s.quotation),
        score_references: points(|s| s.references),
        score_total: Set(q.total.map(Points::thousandths)),
        place: Set(q.place),
        review_date: Set(q.review),
        valid_to: Set(q.valid_to),
        findings: Set(q.findings.clone()),
    })
}

fn of_qualification_row(row: qualification::Model) -> Result<Qualification, Fault> {
    let scores = (row.score_technical, row.score_financial, row.score_quotation, row.score_references);
    let scores = match scores {
        (Some(technical), Some(financial), Some(quotation), Some(references)) => Some(Scores {
            technical: Points::from_thousandths(technical),
            financial: Points::from_thousandths(financial),
            quotation: Points::from_thousandths(quotation),
            references: Points::from_thousandths(references),
        }),
        _ => None,
    };
    Ok(Qualification {
        id: QualificationId::from(row.id),
        vendor: VendorId::from(row.vendor_id),
        category: row.category.parse().map_err(Fault::internal)?,
        stage: row.stage.parse().map_err(Fault::internal)?,
        documents: serde_json::from_str(&row.documents).map_err(Fault::internal)?,
        dossier_complete: Instant::from_micros(row.dossier_at),
        verifier: row.verifier,
        scorer: row.scorer,
        scores,
        total: row.score_total.map(Points::from_thousandths),
        place: row.place,
        review: row.review_date,
        valid_to: row.valid_to,
        findings: row.findings,
    })
}

/// Whether a person verified or scored a qualification of the vendor (F-02). Asked under the vendor's lock.
pub(crate) async fn has_judged(conn: &Conn, vendor: VendorId, subject: &str) -> Result<bool, Fault> {
    Ok(qualifications(conn, &[vendor]).await?.iter().any(|q| q.is_judged_by(subject)))
}
