use calendar::NaiveDate;
use contracts::hearth::hall::v1 as proto;
use database::{Conn, Scope, Scoped, find};
use rpc::{Fault, page::Page, wire};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::model::{self, CertificateState, Employer, Kind, Post, State, TrainingKind};
use crate::{
    codes::Code,
    fields,
    rows::{Packed, columns, table},
};

columns!(State, Employer, Kind, TrainingKind, CertificateState);

table! {
    versioned staff "staff" {
        name: String,
        posts: Packed<Vec<Post>>,
        badge_no: String,
        login: String,
        employer: Employer,
        vendor_id: Option<Uuid>,
        vendor_person_id: Option<Uuid>,
        branch: String,
        state: State,
        created_at: i64,
    }
}
table! {
    certificate "certificate" {
        staff_id: Uuid,
        branch: String,
        kind: Kind,
        certificate_no: String,
        issuing_body: String,
        issued_on: NaiveDate,
        valid_to: NaiveDate,
        scan_file_id: String,
        state: CertificateState,
        revoked_on: Option<NaiveDate>,
        recorded_by: String,
        warned: i32,
        created_at: i64,
    }
}
table! {
    training "training" {
        staff_id: Uuid,
        kind: TrainingKind,
        authority: String,
        passed_on: NaiveDate,
    }
}
table! {
    warning "certificate_warning" {
        branch: String,
        staff_id: Uuid,
        certificate_id: Uuid,
        kind: Kind,
        days_before: i32,
        valid_to: NaiveDate,
        warned_on: NaiveDate,
    }
}

pub use certificate::Model as Certificate;
pub use staff::Model as Staff;
pub use training::Model as Training;
pub use warning::Model as Warning;

impl Scoped for staff::Entity {
    const BRANCH: Option<Self::Column> = Some(staff::Column::Branch);
}
impl Scoped for warning::Entity {
    const BRANCH: Option<Self::Column> = Some(warning::Column::Branch);
}

/// A member that the caller may see.
pub async fn get(conn: &Conn, scope: &Scope, id: Uuid) -> Result<Staff, Fault> {
    find::<staff::Entity>(scope)
        .filter(staff::Column::Id.eq(id))
        .one(conn)
        .await?
        .ok_or_else(|| Fault::not_found("staff member", id))
}

/// The same, held until the write has ended.
pub async fn lock(conn: &Conn, scope: &Scope, id: Uuid) -> Result<Staff, Fault> {
    find::<staff::Entity>(scope)
        .filter(staff::Column::Id.eq(id))
        .lock_exclusive()
        .one(conn)
        .await?
        .ok_or_else(|| Fault::not_found("staff member", id))
}

/// The member who signs in by a name; nobody is bound by a branch to see himself.
pub async fn of_login(conn: &Conn, login: &str) -> Result<Option<Staff>, Fault> {
    Ok(staff::Entity::find().filter(staff::Column::Login.eq(login)).one(conn).await?)
}

/// Members by their ids, in the order of the ids.
pub async fn crew(conn: &Conn, scope: &Scope, ids: &[Uuid]) -> Result<Vec<Staff>, Fault> {
    let found = find::<staff::Entity>(scope)
        .filter(staff::Column::Id.is_in(ids.iter().copied()))
        .all(conn)
        .await?;
    ids.iter()
        .map(|id| {
            found
                .iter()
                .find(|member| member.id == *id)
                .cloned()
                .ok_or_else(|| Fault::not_found("staff member", id))
        })
        .collect()
}

pub async fn list(conn: &Conn, scope: &Scope, page: &Page, post: Option<Post>) -> Result<Vec<Staff>, Fault> {
    let mut select = find::<staff::Entity>(scope).order_by_asc(staff::Column::Id).limit(page.limit());
    if let Some(after) = page.after {
        select = select.filter(staff::Column::Id.gt(after));
    }
    if let Some(post) = post {
        // Codes are letters and underscores only, so the quotes keep one post apart from another that begins like it.
        select = select.filter(staff::Column::Posts.contains(format!("\"{}\"", post.code())));
    }
    Ok(select.all(conn).await?)
}

pub async fn certificates(conn: &Conn, staff: Uuid) -> Result<Vec<Certificate>, Fault> {
    Ok(certificate::Entity::find()
        .filter(certificate::Column::StaffId.eq(staff))
        .order_by_asc(certificate::Column::Id)
        .all(conn)
        .await?)
}

pub async fn trainings(conn: &Conn, staff: Uuid) -> Result<Vec<Training>, Fault> {
    Ok(training::Entity::find()
        .filter(training::Column::StaffId.eq(staff))
        .order_by_asc(training::Column::Id)
        .all(conn)
        .await?)
}

/// Moves a certificate; its other columns never change.
pub async fn move_certificate(conn: &Conn, id: Uuid, state: CertificateState, revoked_on: Option<NaiveDate>) -> Result<(), Fault> {
    let update = certificate::Entity::update_many()
        .col_expr(certificate::Column::State, sea_orm::sea_query::Expr::value(state))
        .col_expr(certificate::Column::RevokedOn, sea_orm::sea_query::Expr::value(revoked_on))
        .filter(certificate::Column::Id.eq(id));
    update.exec(conn).await?;
    Ok(())
}

/// Notes the smallest mark at which a warning was given.
pub async fn warned(conn: &Conn, id: Uuid, mark: i32) -> Result<(), Fault> {
    certificate::Entity::update_many()
        .col_expr(certificate::Column::Warned, mark.into())
        .filter(certificate::Column::Id.eq(id))
        .exec(conn)
        .await?;
    Ok(())
}

/// Certificates whose state or warnings lag behind the day; a run is idle where there is none.
pub async fn lagging(conn: &Conn, today: NaiveDate, limit: u64) -> Result<Vec<Certificate>, Fault> {
    use certificate::Column;
    use sea_orm::Condition;
    let within = |days: i32| today.checked_add_signed(calendar::TimeDelta::days(i64::from(days))).unwrap_or(NaiveDate::MAX);
    let mut due = Condition::any()
        .add(
            Condition::all()
                .add(Column::State.eq(CertificateState::Valid))
                .add(Column::ValidTo.lte(within(model::MARKS[0]))),
        )
        .add(
            Condition::all()
                .add(Column::State.eq(CertificateState::Expiring))
                .add(Column::ValidTo.lt(today)),
        );
    for mark in model::MARKS {
        let unwarned = Condition::any().add(Column::Warned.eq(0)).add(Column::Warned.gt(mark));
        due = due.add(
            Condition::all()
                .add(Column::State.eq(CertificateState::Expiring))
                .add(Column::ValidTo.gte(today))
                .add(Column::ValidTo.lte(within(mark)))
                .add(unwarned),
        );
    }
    Ok(certificate::Entity::find().filter(due).order_by_asc(Column::Id).limit(limit).all(conn).await?)
}

/// A certificate, held until the write has ended.
pub async fn lock_certificate(conn: &Conn, id: Uuid) -> Result<Option<Certificate>, Fault> {
    Ok(certificate::Entity::find_by_id(id).lock_exclusive().one(conn).await?)
}

pub async fn warnings(conn: &Conn, scope: &Scope, page: &Page) -> Result<Vec<Warning>, Fault> {
    let mut select = find::<warning::Entity>(scope).order_by_asc(warning::Column::Id).limit(page.limit());
    if let Some(after) = page.after {
        select = select.filter(warning::Column::Id.gt(after));
    }
    Ok(select.all(conn).await?)
}

impl Certificate {
    /// What rules look at.
    pub fn rule(&self) -> model::Certificate<Uuid> {
        model::Certificate {
            id: self.id,
            kind: self.kind,
            issued_on: self.issued_on,
            valid_to: self.valid_to,
            state: self.state,
        }
    }

    fn proto(&self, today: NaiveDate) -> proto::Certificate {
        proto::Certificate {
            certificate_id: self.id.to_string(),
            kind: self.kind.number(),
            certificate_no: self.certificate_no.clone(),
            issuing_body: self.issuing_body.clone(),
            issued_date: Some(wire::date(self.issued_on)),
            valid_to_date: Some(wire::date(self.valid_to)),
            scan_file_id: self.scan_file_id.clone(),
            state: self.rule().state_on(today).number(),
            revoked_date: self.revoked_on.map(wire::date),
        }
    }
}

impl Staff {
    /// The member alone, as lists show it.
    pub fn proto(&self) -> proto::StaffMember {
        proto::StaffMember {
            staff_id: self.id.to_string(),
            name: self.name.clone(),
            posts: self.posts.0.iter().map(|post| post.number()).collect(),
            badge_no: self.badge_no.clone(),
            login: self.login.clone(),
            employer: self.employer.number(),
            vendor_id: fields::text(self.vendor_id),
            vendor_person_id: fields::text(self.vendor_person_id),
            branch: self.branch.clone(),
            state: self.state.number(),
            certificates: vec![],
            trainings: vec![],
            create_time: Some(fields::instant(self.created_at)),
            etag: self.etag(),
        }
    }
}

/// The member with certificates and trainings as they stand today.
pub async fn whole(conn: &Conn, staff: &Staff, today: NaiveDate) -> Result<proto::StaffMember, Fault> {
    let certificates = certificates(conn, staff.id).await?.iter().map(|c| c.proto(today)).collect();
    let trainings = trainings(conn, staff.id).await?;
    let trainings = trainings.into_iter().map(|t| proto::Training {
        training_id: t.id.to_string(),
        kind: t.kind.number(),
        authority: t.authority,
        passed_date: Some(wire::date(t.passed_on)),
    });
    Ok(proto::StaffMember {
        certificates,
        trainings: trainings.collect(),
        ..staff.proto()
    })
}

impl Warning {
    pub fn proto(&self) -> proto::CertificateWarning {
        proto::CertificateWarning {
            warning_id: self.id.to_string(),
            staff_id: self.staff_id.to_string(),
            certificate_id: self.certificate_id.to_string(),
            kind: self.kind.number(),
            days_before: self.days_before,
            valid_to_date: Some(wire::date(self.valid_to)),
            warned_date: Some(wire::date(self.warned_on)),
        }
    }
}
