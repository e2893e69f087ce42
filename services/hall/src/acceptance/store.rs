use calendar::NaiveDate;
use contracts::hearth::hall::v1 as proto;
use database::{Conn, Database, Scope, Scoped, find};
use rpc::{Fault, page::Page, wire};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::model::{Appliance, GasKind, HoseKind, Profile, default_profile};
use crate::{
    codes::Code,
    fields,
    rows::{Packed, columns, table},
};

columns!(GasKind);

table! {
    pipe "pipe_acceptance" {
        service_point_id: Uuid,
        branch: String,
        report_no: String,
        report_file_id: String,
        passed: bool,
        inspector_id: Uuid,
        tested_on: NaiveDate,
        created_at: i64,
    }
}
table! {
    appliance "appliance_acceptance" {
        service_point_id: Uuid,
        branch: String,
        appliance: Packed<Appliance>,
        passed: bool,
        rejects: Packed<Vec<String>>,
        inspector_id: Uuid,
        visited_on: NaiveDate,
        replaces_id: Option<Uuid>,
        created_at: i64,
    }
}
table! {
    profile "safety_profile" {
        household: bool,
        gas_kind: GasKind,
        hoses: Packed<Vec<HoseKind>>,
        auto_shut_valve: bool,
        gas_alarm: bool,
        openers: i32,
        effective_on: NaiveDate,
    }
}

pub use appliance::Model as ApplianceAcceptance;
pub use pipe::Model as PipeAcceptance;

impl Scoped for pipe::Entity {
    const BRANCH: Option<Self::Column> = Some(pipe::Column::Branch);
}
impl Scoped for appliance::Entity {
    const BRANCH: Option<Self::Column> = Some(appliance::Column::Branch);
}

/// Files the profiles that ship; those that are there stay as they are.
pub async fn seed(db: &Database) -> Result<(), Fault> {
    let rows = [true, false].map(|household| {
        let profile = default_profile(household);
        let id = rpc::derived_request_id("safety-profile", if household { "household" } else { "other" });
        profile::Model {
            id: Uuid::try_parse(&id).unwrap_or_default(),
            household,
            gas_kind: profile.gas_kind,
            hoses: Packed(profile.hoses),
            auto_shut_valve: profile.auto_shut_valve,
            gas_alarm: profile.gas_alarm,
            openers: profile.openers,
            effective_on: NaiveDate::default(),
        }
        .into_active_model()
        .reset_all()
    });
    profile::Entity::insert_many(rows)
        .on_conflict_do_nothing()
        .exec_without_returning(db.writer())
        .await?;
    Ok(())
}

/// The profile in force on a day.
pub async fn profile(conn: &Conn, household: bool, day: NaiveDate) -> Result<Profile, Fault> {
    let select = profile::Entity::find()
        .filter(profile::Column::Household.eq(household))
        .filter(profile::Column::EffectiveOn.lte(day));
    let found = select
        .order_by_desc(profile::Column::EffectiveOn)
        .one(conn)
        .await?
        .ok_or_else(|| Fault::internal("no safety profile is in force"))?;
    Ok(Profile {
        gas_kind: found.gas_kind,
        hoses: found.hoses.0,
        auto_shut_valve: found.auto_shut_valve,
        gas_alarm: found.gas_alarm,
        openers: found.openers,
    })
}

pub async fn pipe(conn: &Conn, scope: &Scope, id: Uuid) -> Result<PipeAcceptance, Fault> {
    find::<pipe::Entity>(scope)
        .filter(pipe::Column::Id.eq(id))
        .one(conn)
        .await?
        .ok_or_else(|| Fault::not_found("pipe acceptance", id))
}

pub async fn appliance(conn: &Conn, scope: &Scope, id: Uuid) -> Result<ApplianceAcceptance, Fault> {
    find::<appliance::Entity>(scope)
        .filter(appliance::Column::Id.eq(id))
        .one(conn)
        .await?
        .ok_or_else(|| Fault::not_found("appliance acceptance", id))
}

/// The last acceptance of the pipe at a service point.
pub async fn last_pipe(conn: &Conn, point: Uuid) -> Result<Option<PipeAcceptance>, Fault> {
    Ok(pipe::Entity::find()
        .filter(pipe::Column::ServicePointId.eq(point))
        .order_by_desc(pipe::Column::Id)
        .one(conn)
        .await?)
}

/// The acceptances of appliances at a service point that no later one replaces, oldest first.
pub async fn appliances_at(conn: &Conn, point: Uuid) -> Result<Vec<ApplianceAcceptance>, Fault> {
    let select = appliance::Entity::find()
        .filter(appliance::Column::ServicePointId.eq(point))
        .order_by_asc(appliance::Column::Id);
    let mut rows = select.all(conn).await?;
    let replaced: Vec<Uuid> = rows.iter().filter_map(|row| row.replaces_id).collect();
    rows.retain(|row| !replaced.contains(&row.id));
    Ok(rows)
}

pub async fn list(conn: &Conn, scope: &Scope, page: &Page, point: Uuid) -> Result<Vec<ApplianceAcceptance>, Fault> {
    let mut select = find::<appliance::Entity>(scope).filter(appliance::Column::ServicePointId.eq(point));
    if let Some(after) = page.after {
        select = select.filter(appliance::Column::Id.gt(after));
    }
    Ok(select.order_by_asc(appliance::Column::Id).limit(page.limit()).all(conn).await?)
}

/// An appliance as the rules see it.
pub fn appliance_of(given: &proto::Appliance) -> Result<Appliance, Fault> {
    Ok(Appliance {
        kind: fields::pick("appliance.kind", given.kind)?,
        brand: given.brand.clone(),
        model: given.model.clone(),
        certificate_no: given.certificate_no.clone(),
        manual: given.manual,
        gas_kind: fields::pick("appliance.gas_kind", given.gas_kind)?,
        flame_failure_device: given.flame_failure_device,
        flue_type: fields::pick("appliance.flue_type", given.flue_type)?,
        flue_outlet: fields::pick("appliance.flue_outlet", given.flue_outlet)?,
        room_type: fields::pick("appliance.room_type", given.room_type)?,
        room_air_supply: given.room_air_supply,
        room_exhaust: given.room_exhaust,
        range_hood: given.range_hood,
        hose_kind: fields::pick("appliance.hose_kind", given.hose_kind)?,
        hose_through_wall: given.hose_through_wall,
        auto_shut_valve: given.auto_shut_valve,
        gas_alarm: given.gas_alarm,
    })
}

impl PipeAcceptance {
    pub fn proto(&self) -> proto::PipeAcceptance {
        proto::PipeAcceptance {
            acceptance_id: self.id.to_string(),
            service_point_id: self.service_point_id.to_string(),
            report_no: self.report_no.clone(),
            report_file_id: self.report_file_id.clone(),
            passed: self.passed,
            inspector_staff_id: self.inspector_id.to_string(),
            test_date: Some(wire::date(self.tested_on)),
            branch: self.branch.clone(),
            create_time: Some(fields::instant(self.created_at)),
        }
    }
}

impl ApplianceAcceptance {
    pub fn proto(&self) -> proto::ApplianceAcceptance {
        let a = &self.appliance.0;
        let appliance = proto::Appliance {
            kind: a.kind.number(),
            brand: a.brand.clone(),
            model: a.model.clone(),
            certificate_no: a.certificate_no.clone(),
            manual: a.manual,
            gas_kind: a.gas_kind.number(),
            flame_failure_device: a.flame_failure_device,
            flue_type: a.flue_type.number(),
            flue_outlet: a.flue_outlet.number(),
            room_type: a.room_type.number(),
            room_air_supply: a.room_air_supply,
            room_exhaust: a.room_exhaust,
            range_hood: a.range_hood,
            hose_kind: a.hose_kind.number(),
            hose_through_wall: a.hose_through_wall,
            auto_shut_valve: a.auto_shut_valve,
            gas_alarm: a.gas_alarm,
        };
        proto::ApplianceAcceptance {
            acceptance_id: self.id.to_string(),
            service_point_id: self.service_point_id.to_string(),
            appliance: Some(appliance),
            passed: self.passed,
            rejects: self.rejects.0.clone(),
            inspector_staff_id: self.inspector_id.to_string(),
            visit_date: Some(wire::date(self.visited_on)),
            branch: self.branch.clone(),
            create_time: Some(fields::instant(self.created_at)),
            replaces_acceptance_id: fields::text(self.replaces_id),
        }
    }
}
