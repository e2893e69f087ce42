//! Tables of profiles.

use std::sync::Arc;

use contracts::hearth::{billing::v1 as proto, r#type::v1::Decimal};
use database::{Conn, Scope, Scoped, find};
use money::{Money, Volume};
use rpc::{Fault, page::Page, wire};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::model::{AllocationOrder, Book, Dated, Disputed, Terms};
use crate::{
    adjustment::model::{Level, Limits},
    ledger::store::instant,
    meter::store::metres,
    reading::model::Method,
    table,
};

table!(profile, "profile", {
    #[sea_orm(primary_key, auto_increment = false)] id: Uuid,
    branch: String,
    name: String,
    from_date: Date,
    terms: String,
    source: String,
    published_by: String,
    created_at: i64,
});

impl Scoped for profile::Entity {
    const BRANCH: Option<profile::Column> = Some(profile::Column::Branch);
}

/// All profiles. A city has few.
pub async fn book(conn: &Conn) -> Result<Book, Fault> {
    let mut all = vec![];
    for row in profile::Entity::find().all(conn).await? {
        all.push(Dated {
            id: row.id,
            terms: Arc::new(terms(&row)?),
            branch: row.branch,
            from: row.from_date,
        });
    }
    Ok(Book::new(all))
}

/// A page of profiles.
pub async fn list(conn: &Conn, scope: &Scope, page: &Page, branch: &str) -> Result<(Vec<proto::Profile>, String), Fault> {
    let mut select = find::<profile::Entity>(scope).order_by_asc(profile::Column::Id).limit(page.limit());
    if let Some(after) = page.after {
        select = select.filter(profile::Column::Id.gt(after));
    }
    if !branch.is_empty() {
        select = select.filter(profile::Column::Branch.eq(branch));
    }
    let (rows, next) = page.cut(select.all(conn).await?, |r| r.id);
    Ok((rows.iter().map(message).collect::<Result<_, _>>()?, next))
}

fn terms(row: &profile::Model) -> Result<Terms, Fault> {
    serde_json::from_str(&row.terms).map_err(Fault::internal)
}

/// The message of a profile.
pub fn message(row: &profile::Model) -> Result<proto::Profile, Fault> {
    Ok(proto::Profile {
        profile_id: row.id.to_string(),
        branch: row.branch.clone(),
        name: row.name.clone(),
        from_date: Some(wire::date(row.from_date)),
        terms: Some(terms_message(&terms(row)?)),
        source: row.source.clone(),
        publish_time: Some(instant(row.created_at)),
    })
}

/// The profile of the service, which holds where a branch has none.
pub fn shipped() -> proto::Profile {
    proto::Profile {
        name: "default".to_owned(),
        terms: Some(terms_message(&Terms::default())),
        ..proto::Profile::default()
    }
}

fn terms_message(terms: &Terms) -> proto::ProfileTerms {
    proto::ProfileTerms {
        due_days: terms.due_days,
        late_fee_millionths: terms.late_fee_millionths,
        late_fee_cap_percent: terms.late_fee_cap_percent,
        allocation_order: AllocationOrder::of(&terms.allocation_order).map_or(0, AllocationOrder::number),
        disputed: Disputed::of(&terms.disputed).map_or(0, Disputed::number),
        reminder_days: terms.reminder_days.clone(),
        demand_days: terms.demand_days,
        waiting_days: terms.waiting_days,
        notice_days: terms.notice_days,
        restore_hours: terms.restore_hours,
        estimation_order: terms.estimation_order().into_iter().map(Method::number).collect(),
        adjustment: terms.adjustment.as_ref().map(limits_message),
    }
}

fn limits_message(limits: &Limits) -> proto::AdjustmentTerms {
    let small = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    proto::AdjustmentTerms {
        levels: limits
            .levels
            .iter()
            .map(|level| proto::AdjustmentLevel {
                up_to_volume: level.up_to_volume.map(metres),
                up_to_amount: level.up_to_amount.map(|fen| wire::money(Money::from_fen(fen))),
                roles: level.roles.clone(),
            })
            .collect(),
        lookback_months: small(limits.lookback_months),
        theft_days: small(limits.theft_days),
        theft_hours: limits.theft_hours.map(metres),
    }
}

fn limits_of(message: &proto::AdjustmentTerms) -> Result<Limits, Fault> {
    let litres = |value: Option<&Decimal>, field| value.map(|v| wire::decimal_of::<Volume>(Some(v), field)).transpose();
    let mut levels = vec![];
    for level in &message.levels {
        let amount = level
            .up_to_amount
            .as_ref()
            .map(|a| wire::money_of(Some(a), "terms.adjustment.levels"))
            .transpose()?;
        levels.push(Level {
            up_to_volume: litres(level.up_to_volume.as_ref(), "terms.adjustment.levels")?.map(Volume::litres),
            up_to_amount: amount.map(Money::fen),
            roles: level.roles.clone(),
        });
    }
    let limits = Limits {
        levels,
        lookback_months: message.lookback_months.unsigned_abs(),
        theft_days: message.theft_days.unsigned_abs(),
        theft_hours: litres(message.theft_hours.as_ref(), "terms.adjustment.theft_hours")?.map(Volume::litres),
    };
    limits.check().map_err(|r| Fault::from(r).field("terms.adjustment.levels"))?;
    Ok(limits)
}

/// The terms of a request.
pub fn terms_of(message: &proto::ProfileTerms) -> Result<Terms, Fault> {
    Ok(Terms {
        due_days: message.due_days,
        late_fee_millionths: message.late_fee_millionths,
        late_fee_cap_percent: message.late_fee_cap_percent,
        allocation_order: AllocationOrder::of_number(message.allocation_order)
            .unwrap_or(AllocationOrder::LateFeeFirst)
            .code()
            .to_owned(),
        disputed: Disputed::of_number(message.disputed).unwrap_or(Disputed::StopsBoth).code().to_owned(),
        reminder_days: message.reminder_days.clone(),
        demand_days: message.demand_days,
        waiting_days: message.waiting_days,
        notice_days: message.notice_days,
        restore_hours: message.restore_hours,
        estimation_order: message
            .estimation_order
            .iter()
            .filter_map(|n| Method::of_number(*n))
            .map(|m| m.code().to_owned())
            .collect(),
        adjustment: message.adjustment.as_ref().map(limits_of).transpose()?,
    })
}
