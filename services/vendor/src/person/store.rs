//! Rows of persons, their trainings, certificates and grants. Identity number and phone are sealed.

use calendar::{Instant, NaiveDate};
use database::{Conn, Scope, Scoped};
use ids::{CertificateId, GrantId, PersonId, VendorId};
use rpc::{Fault, page::Page};
use sea_orm::{
    ActiveValue::{NotSet, Set, Unchanged},
    ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Select,
    sea_query::LockType,
};
use uuid::Uuid;
use vault::{Index, Vault};

use super::model::{Certificate, Grant, Person, State, Stay, Training};
use crate::refusal::Refusal;

mod person {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "person")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub vendor_id: Uuid,
        pub name: String,
        #[sea_orm(column_type = "VarBinary(StringLen::None)")]
        pub id_number_sealed: Vec<u8>,
        #[sea_orm(column_type = "VarBinary(StringLen::None)")]
        pub id_number_blind: Vec<u8>,
        #[sea_orm(column_type = "VarBinary(StringLen::None)")]
        pub phone_sealed: Vec<u8>,
        pub field_work: bool,
        pub key_staff: bool,
        pub state: String,
        pub confidentiality_date: Option<chrono::NaiveDate>,
        pub confidentiality_document: String,
        pub end_reason: String,
        pub version: i64,
        pub created_at: i64,
        pub replaces_id: Option<Uuid>,
        pub registrar: String,
        pub approver: Option<String>,
        pub approval_opinion: String,
        pub ended_date: Option<chrono::NaiveDate>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod training {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "training")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub person_id: Uuid,
        pub kind: String,
        pub passed_date: chrono::NaiveDate,
        pub authority: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod certificate {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "certificate")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub person_id: Uuid,
        pub kind: String,
        pub number: String,
        pub issuing_body: String,
        pub issued_date: chrono::NaiveDate,
        pub valid_to: chrono::NaiveDate,
        pub revoked_date: Option<chrono::NaiveDate>,
        pub revoke_reason: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod grant {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "access_grant")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub person_id: Uuid,
        pub vendor_id: Uuid,
        pub purpose: String,
        pub systems: String,
        pub until_date: chrono::NaiveDate,
        pub granted_at: i64,
        pub granted_by: String,
        pub revoked_at: Option<i64>,
        pub revoke_reason: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Scoped for person::Entity {
    const VENDOR: Option<person::Column> = Some(person::Column::VendorId);
}

/// What is sealed of a person, in clear text; `None` where the person's key was destroyed.
#[derive(Default)]
pub(super) struct Clear {
    pub id_number: Option<String>,
    pub phone: Option<String>,
}

const ID_NUMBER: &str = "person.id_number";
const PHONE: &str = "person.phone";

/// States of persons who are with the vendor, or are to be.
const PRESENT: [State; 2] = [State::Active, State::AwaitingApproval];

/// The blind index of the identity number.
pub(crate) const BY_ID_NUMBER: Index = Index {
    table: "person",
    sealed: ("id_number_sealed", ID_NUMBER),
    blind: ("id_number_blind", ID_NUMBER),
    text: false,
};

/// A new person; the unique rule on the identity number holds across a rotation of keys too.
pub(super) async fn insert(conn: &Conn, vault: &Vault, person: &Person, id_number: &str, phone: &str) -> Result<(), Fault> {
    let known = person::Entity::find()
        .filter(person::Column::VendorId.eq(person.vendor.uuid()))
        .filter(person::Column::State.is_in(PRESENT.map(State::code)))
        .filter(person::Column::IdNumberBlind.is_in(vault.blind_all(ID_NUMBER, id_number)));
    if known.count(conn).await? > 0 {
        return Err(Fault::exists("PERSON_ID_NUMBER_UNIQUE", "the vendor has this person already"));
    }
    let subject = person.id.uuid();
    let row = person::ActiveModel {
        id_number_sealed: Set(vault.seal(conn, subject, ID_NUMBER, id_number).await.map_err(sealed)?),
        id_number_blind: Set(vault.blind(ID_NUMBER, id_number)),
        phone_sealed: Set(vault.seal(conn, subject, PHONE, phone).await.map_err(sealed)?),
        ..row(person)
    };
    person::Entity::insert(row).exec_without_returning(conn).await?;
    Ok(())
}

/// A person within the scope.
pub(super) async fn load(conn: &Conn, scope: &Scope, id: PersonId) -> Result<Person, Fault> {
    one(conn, database::find::<person::Entity>(scope), id).await
}

/// A person of a vendor within the scope.
pub(crate) async fn load_of(conn: &Conn, scope: &Scope, vendor: VendorId, id: PersonId) -> Result<Person, Fault> {
    one(
        conn,
        database::find::<person::Entity>(scope).filter(person::Column::VendorId.eq(vendor.uuid())),
        id,
    )
    .await
}

/// The same, locked until the write ends.
pub(super) async fn lock_of(conn: &Conn, scope: &Scope, vendor: VendorId, id: PersonId) -> Result<Person, Fault> {
    let select = database::find::<person::Entity>(scope).filter(person::Column::VendorId.eq(vendor.uuid()));
    one(conn, select.lock(LockType::NoKeyUpdate), id).await
}

async fn one(conn: &Conn, select: Select<person::Entity>, id: PersonId) -> Result<Person, Fault> {
    let found = select.filter(person::Column::Id.eq(id.uuid())).one(conn).await?;
    let rows = vec![found.ok_or_else(|| Fault::not_found("person", id))?];
    let person = whole(conn, rows).await?.pop();
    person.ok_or_else(|| Fault::not_found("person", id))
}

/// A page of the persons of a vendor.
pub(super) async fn list(conn: &Conn, scope: &Scope, vendor: VendorId, with_ended: bool, page: &Page) -> Result<(Vec<Person>, String), Fault> {
    let mut select = database::find::<person::Entity>(scope).filter(person::Column::VendorId.eq(vendor.uuid()));
    if !with_ended {
        select = select.filter(person::Column::State.is_in(PRESENT.map(State::code)));
    }
    if let Some(after) = page.after {
        select = select.filter(person::Column::Id.gt(after));
    }
    let rows = select.order_by_asc(person::Column::Id).limit(page.limit()).all(conn).await?;
    let (rows, next) = page.cut(rows, |row| row.id);
    Ok((whole(conn, rows).await?, next))
}

/// The key staff of a vendor, whoever left too, without what hangs on them.
pub(super) async fn key_staff(conn: &Conn, vendor: VendorId) -> Result<Vec<Person>, Fault> {
    let select = person::Entity::find()
        .filter(person::Column::VendorId.eq(vendor.uuid()))
        .filter(person::Column::KeyStaff.eq(true));
    select.all(conn).await?.into_iter().map(of_row).collect()
}

/// When each person of a vendor was with it.
pub(crate) async fn stays(conn: &Conn, vendor: VendorId) -> Result<Vec<Stay>, Fault> {
    let rows = person::Entity::find().filter(person::Column::VendorId.eq(vendor.uuid())).all(conn).await?;
    let persons = rows.into_iter().map(of_row).collect::<Result<Vec<_>, _>>()?;
    Ok(persons.iter().filter_map(Person::stay).collect())
}

/// Keeps what changed in the person itself; the version goes up by one.
pub(super) async fn save(conn: &Conn, person: &mut Person) -> Result<(), Fault> {
    person.version = person.version.saturating_add(1);
    let row = person::ActiveModel {
        id: Unchanged(person.id.uuid()),
        ..row(person)
    };
    person::Entity::update(row).exec(conn).await?;
    Ok(())
}

/// What is sealed of some persons, in their order.
pub(super) async fn open(conn: &Conn, vault: &Vault, persons: &[PersonId]) -> Result<Vec<Clear>, Fault> {
    let rows = person::Entity::find()
        .filter(person::Column::Id.is_in(persons.iter().map(|id| id.uuid())))
        .all(conn)
        .await?;
    let sealed_texts: Vec<_> = persons
        .iter()
        .filter_map(|id| rows.iter().find(|row| row.id == id.uuid()))
        .flat_map(|row| {
            [
                (row.id, ID_NUMBER, row.id_number_sealed.as_slice()),
                (row.id, PHONE, row.phone_sealed.as_slice()),
            ]
        })
        .collect();
    let mut texts = vault.open_many(conn, &sealed_texts).await.map_err(sealed)?.into_iter();
    let mut clear = vec![];
    while let (Some(id_number), Some(phone)) = (texts.next(), texts.next()) {
        clear.push(Clear { id_number, phone });
    }
    Ok(clear)
}

/// A training that was passed.
pub(super) async fn insert_training(conn: &Conn, person: PersonId, training: &Training) -> Result<(), Fault> {
    let row = training::ActiveModel {
        id: Set(Uuid::now_v7()),
        person_id: Set(person.uuid()),
        kind: Set(training.kind.code().to_owned()),
        passed_date: Set(training.passed),
        authority: Set(training.authority.clone()),
    };
    training::Entity::insert(row).exec_without_returning(conn).await?;
    Ok(())
}

/// A new certificate.
pub(super) async fn insert_certificate(conn: &Conn, person: PersonId, certificate: &Certificate) -> Result<(), Fault> {
    let row = certificate::ActiveModel {
        id: Set(certificate.id.uuid()),
        person_id: Set(person.uuid()),
        kind: Set(certificate.kind.code().to_owned()),
        number: Set(certificate.number.clone()),
        issuing_body: Set(certificate.issuing_body.clone()),
        issued_date: Set(certificate.issued),
        valid_to: Set(certificate.valid_to),
        revoked_date: Set(None),
        revoke_reason: Set(String::new()),
    };
    certificate::Entity::insert(row).exec_without_returning(conn).await?;
    Ok(())
}

/// Takes a certificate back from a day on.
pub(super) async fn revoke_certificate(conn: &Conn, id: CertificateId, day: NaiveDate, reason: &str) -> Result<(), Fault> {
    let row = certificate::ActiveModel {
        id: Unchanged(id.uuid()),
        revoked_date: Set(Some(day)),
        revoke_reason: Set(reason.to_owned()),
        ..Default::default()
    };
    certificate::Entity::update(row).exec(conn).await?;
    Ok(())
}

/// A new grant.
pub(super) async fn insert_grant(conn: &Conn, person: &Person, grant: &Grant, by: &str, now: Instant) -> Result<(), Fault> {
    let row = grant::ActiveModel {
        id: Set(grant.id.uuid()),
        person_id: Set(person.id.uuid()),
        vendor_id: Set(person.vendor.uuid()),
        purpose: Set(grant.purpose.clone()),
        systems: Set(serde_json::to_string(&grant.systems).map_err(Fault::internal)?),
        until_date: Set(grant.until),
        granted_at: Set(now.micros()),
        granted_by: Set(by.to_owned()),
        revoked_at: Set(None),
        revoke_reason: Set(String::new()),
    };
    grant::Entity::insert(row).exec_without_returning(conn).await?;
    Ok(())
}

/// Revokes one grant.
pub(super) async fn revoke_grant(conn: &Conn, id: GrantId, now: Instant, reason: &str) -> Result<(), Fault> {
    let row = grant::ActiveModel {
        id: Unchanged(id.uuid()),
        revoked_at: Set(Some(now.micros())),
        revoke_reason: Set(reason.to_owned()),
        ..Default::default()
    };
    grant::Entity::update(row).exec(conn).await?;
    Ok(())
}

/// The grants of a vendor's persons that are not revoked.
pub(super) async fn open_grants(conn: &Conn, vendor: VendorId) -> Result<Vec<(PersonId, GrantId)>, Fault> {
    let select = grant::Entity::find()
        .filter(grant::Column::VendorId.eq(vendor.uuid()))
        .filter(grant::Column::RevokedAt.is_null());
    let rows = select.order_by_asc(grant::Column::Id).all(conn).await?;
    Ok(rows.into_iter().map(|row| (PersonId::from(row.person_id), GrantId::from(row.id))).collect())
}

/// Whether a person of the vendor holds a grant that is not revoked (F-15).
pub(crate) async fn has_access(conn: &Conn, vendor: VendorId) -> Result<bool, Fault> {
    Ok(!open_grants(conn, vendor).await?.is_empty())
}

/// Persons with what hangs on them, in the order of the rows.
async fn whole(conn: &Conn, rows: Vec<person::Model>) -> Result<Vec<Person>, Fault> {
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    let trainings = training::Entity::find()
        .filter(training::Column::PersonId.is_in(ids.clone()))
        .order_by_asc(training::Column::Id)
        .all(conn)
        .await?;
    let certificates = certificate::Entity::find()
        .filter(certificate::Column::PersonId.is_in(ids.clone()))
        .order_by_asc(certificate::Column::Id)
        .all(conn)
        .await?;
    let grants = grant::Entity::find()
        .filter(grant::Column::PersonId.is_in(ids))
        .order_by_asc(grant::Column::Id)
        .all(conn)
        .await?;
    let mut persons = rows.into_iter().map(of_row).collect::<Result<Vec<_>, _>>()?;
    for person in &mut persons {
        let id = person.id.uuid();
        person.trainings = trainings.iter().filter(|row| row.person_id == id).map(of_training).collect::<Result<_, _>>()?;
        person.certificates = certificates
            .iter()
            .filter(|row| row.person_id == id)
            .map(of_certificate)
            .collect::<Result<_, _>>()?;
        person.grants = grants.iter().filter(|row| row.person_id == id).map(of_grant).collect::<Result<_, _>>()?;
    }
    Ok(persons)
}

fn row(person: &Person) -> person::ActiveModel {
    person::ActiveModel {
        id: Set(person.id.uuid()),
        vendor_id: Set(person.vendor.uuid()),
        name: Set(person.name.clone()),
        id_number_sealed: NotSet,
        id_number_blind: NotSet,
        phone_sealed: NotSet,
        field_work: Set(person.field_work),
        key_staff: Set(person.key_staff),
        state: Set(person.state.code().to_owned()),
        confidentiality_date: Set(person.confidentiality),
        confidentiality_document: Set(person.confidentiality_document.clone()),
        end_reason: Set(person.end_reason.clone()),
        version: Set(person.version),
        created_at: Set(person.created.micros()),
        replaces_id: Set(person.replaces.map(PersonId::uuid)),
        registrar: Set(person.registrar.clone()),
        approver: Set(person.approver.clone()),
        approval_opinion: Set(person.approval_opinion.clone()),
        ended_date: Set(person.ended),
    }
}

fn of_row(row: person::Model) -> Result<Person, Fault> {
    Ok(Person {
        id: PersonId::from(row.id),
        vendor: VendorId::from(row.vendor_id),
        name: row.name,
        field_work: row.field_work,
        key_staff: row.key_staff,
        replaces: row.replaces_id.map(PersonId::from),
        registrar: row.registrar,
        approver: row.approver,
        approval_opinion: row.approval_opinion,
        state: row.state.parse().map_err(Fault::internal)?,
        confidentiality: row.confidentiality_date,
        confidentiality_document: row.confidentiality_document,
        end_reason: row.end_reason,
        ended: row.ended_date,
        version: row.version,
        created: Instant::from_micros(row.created_at),
        trainings: vec![],
        certificates: vec![],
        grants: vec![],
    })
}

fn of_training(row: &training::Model) -> Result<Training, Fault> {
    Ok(Training {
        kind: row.kind.parse().map_err(Fault::internal)?,
        passed: row.passed_date,
        authority: row.authority.clone(),
    })
}

fn of_certificate(row: &certificate::Model) -> Result<Certificate, Fault> {
    Ok(Certificate {
        id: CertificateId::from(row.id),
        kind: row.kind.parse().map_err(Fault::internal)?,
        number: row.number.clone(),
        issuing_body: row.issuing_body.clone(),
        issued: row.issued_date,
        valid_to: row.valid_to,
        revoked: row.revoked_date,
        revoke_reason: row.revoke_reason.clone(),
    })
}

fn of_grant(row: &grant::Model) -> Result<Grant, Fault> {
    Ok(Grant {
        id: GrantId::from(row.id),
        purpose: row.purpose.clone(),
        systems: serde_json::from_str(&row.systems).map_err(Fault::internal)?,
        until: row.until_date,
        revoked: row.revoked_at.map(Instant::from_micros),
        revoke_reason: row.revoke_reason.clone(),
    })
}

/// What a failure of the vault means to the caller.
pub(crate) fn sealed(error: vault::Error) -> Fault {
    match error {
        vault::Error::Erased(_) => Refusal::DataErased.into(),
        vault::Error::Database(error) => error.into(),
        other => Fault::internal(other),
    }
}
