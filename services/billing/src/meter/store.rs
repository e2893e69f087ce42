//! Tables of meters and installations.

use calendar::{Instant, NaiveDate};
use contracts::hearth::billing::v1 as proto;
use database::{Conn, Scope, Scoped, find};
use money::Volume;
use rpc::{Fault, page::Page, wire};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use uuid::Uuid;

use super::model::{Commodity, GasKind, MeterKind, MeterState};
use crate::{
    Refusal,
    fetch::{self, placed},
    reading::{
        model::Register,
        rules::{Class, Metered},
    },
    table,
    words::known,
};

placed!(meter, "meter", {
    #[sea_orm(primary_key, auto_increment = false)] id: Uuid,
    meter_no: String,
    kind: String,
    model: String,
    qmax: i64,
    digits: i32,
    manufacturer: String,
    seal_no: String,
    verified_date: Option<Date>,
    expires_date: Option<Date>,
    branch: String,
    state: String,
    version: i64,
    created_at: i64,
    multiplier: i32,
    gas_kind: Option<String>,
    made_date: Option<Date>,
});
placed!(installation, "installation", {
    #[sea_orm(primary_key, auto_increment = false)] id: Uuid,
    meter_id: Uuid,
    meter_no: String,
    agreement_id: Uuid,
    account_no: String,
    branch: String,
    from_date: Date,
    end_date: Option<Date>,
    initial_index: i64,
    final_index: Option<i64>,
    photo_file: String,
    signed: bool,
    awaits_opening: bool,
    end_reason: String,
    created_at: i64,
    commodity: String,
});

impl Scoped for meter::Entity {
    const BRANCH: Option<meter::Column> = Some(meter::Column::Branch);
}

impl Scoped for installation::Entity {
    const BRANCH: Option<installation::Column> = Some(installation::Column::Branch);
}

impl meter::Model {
    /// How it counts.
    pub fn kind(&self) -> Result<MeterKind, Fault> {
        known(MeterKind::of(&self.kind), &self.kind)
    }
    /// Where it is.
    pub fn state(&self) -> Result<MeterState, Fault> {
        known(MeterState::of(&self.state), &self.state)
    }
    /// What it can show and pass.
    pub fn register(&self) -> Register {
        Register::of(self.digits, self.qmax, self.multiplier)
    }
    /// What it is judged as.
    pub fn metered(&self) -> Result<Metered, Fault> {
        Ok(Metered {
            class: Class::of_meter(self.kind()?, self.qmax),
            register: self.register(),
            expires: self.expires_date,
        })
    }
}

impl installation::Model {
    /// Whether it stood there on a day.
    pub fn covers(&self, day: NaiveDate) -> bool {
        self.from_date <= day && self.end_date.is_none_or(|end| day <= end)
    }
}

/// A meter by its number.
pub fn by_number(scope: &Scope, meter_no: &str) -> Select<meter::Entity> {
    find::<meter::Entity>(scope).filter(meter::Column::MeterNo.eq(meter_no))
}

/// Meters by number, locked in the order of their keys: readings of a meter queue here.
pub async fn lock(conn: &Conn, scope: &Scope, meter_nos: &[&str]) -> Result<Vec<meter::Model>, Fault> {
    let select = find::<meter::Entity>(scope).filter(table::among_texts(conn, meter::Column::MeterNo, meter_nos.iter().copied()));
    let mut found: Vec<meter::Model> = fetch::all(conn, select.order_by_asc(meter::Column::Id).lock_exclusive()).await?;
    found.sort_unstable_by_key(|m| m.id);
    Ok(found)
}

/// Installations of agreements, oldest first, of what is supplied by them: a water meter that hangs there is no matter of the agreement.
pub async fn of_agreements(conn: &Conn, agreements: &[Uuid]) -> Result<Vec<installation::Model>, Fault> {
    let select = installation::Entity::find()
        .filter(table::among(conn, installation::Column::AgreementId, agreements.iter().copied()))
        .filter(installation::Column::Commodity.ne(Commodity::Water.code()));
    let mut found: Vec<installation::Model> = fetch::all(conn, select).await?;
    found.sort_unstable_by_key(|i| (i.from_date, i.id));
    Ok(found)
}

/// Where a meter is installed now.
pub async fn live(conn: &Conn, meter: Uuid) -> Result<Option<installation::Model>, Fault> {
    let select = installation::Entity::find()
        .filter(installation::Column::MeterId.eq(meter))
        .filter(installation::Column::EndDate.is_null());
    Ok(select.one(conn).await?)
}

/// E4-03: the gas of an agreement was opened on this day; its installation is billed from then on.
pub async fn open(conn: &Conn, agreement: Uuid, day: NaiveDate) -> Result<(), Fault> {
    installation::Entity::update_many()
        .col_expr(installation::Column::AwaitsOpening, false.into())
        .col_expr(installation::Column::FromDate, day.into())
        .filter(installation::Column::AgreementId.eq(agreement))
        .filter(installation::Column::EndDate.is_null())
        .filter(installation::Column::AwaitsOpening.eq(true))
        .exec(conn)
        .await?;
    Ok(())
}

/// Moves a meter to another state.
pub async fn set_state(conn: &Conn, meter: &meter::Model, state: MeterState) -> Result<(), Fault> {
    meter::Entity::update_many()
        .col_expr(meter::Column::State, state.code().into())
        .col_expr(meter::Column::Version, meter.version.saturating_add(1).into())
        .filter(meter::Column::Id.eq(meter.id))
        .exec(conn)
        .await?;
    Ok(())
}

/// The number of the gas meter that hangs at an account.
pub async fn of_account(conn: &Conn, scope: &Scope, account_no: &str) -> Result<String, Fault> {
    let select = find::<installation::Entity>(scope)
        .filter(installation::Column::AccountNo.eq(account_no))
        .filter(installation::Column::Commodity.eq(Commodity::Gas.code()))
        .filter(installation::Column::EndDate.is_null());
    let mut found = select.limit(2).all(conn).await?;
    match (found.pop(), found.pop()) {
        (Some(only), None) => Ok(only.meter_no),
        (None, _) => Err(Fault::not_found("gas meter of the account", account_no)),
        (Some(_), Some(_)) => Err(Fault::from(Refusal::MeterAmbiguous).field("account_no")),
    }
}

/// A page of installations.
pub async fn list(
    conn: &Conn,
    scope: &Scope,
    page: &Page,
    agreement: Option<Uuid>,
    meter_no: &str,
    account_no: &str,
) -> Result<(Vec<proto::Installation>, String), Fault> {
    let mut select = find::<installation::Entity>(scope).order_by_asc(installation::Column::Id).limit(page.limit());
    if let Some(after) = page.after {
        select = select.filter(installation::Column::Id.gt(after));
    }
    if let Some(agreement) = agreement {
        select = select.filter(installation::Column::AgreementId.eq(agreement));
    }
    if !meter_no.is_empty() {
        select = select.filter(installation::Column::MeterNo.eq(meter_no));
    }
    if !account_no.is_empty() {
        select = select.filter(installation::Column::AccountNo.eq(account_no));
    }
    let (rows, next) = page.cut(select.all(conn).await?, |r| r.id);
    Ok((rows.iter().map(message).collect(), next))
}

/// Cubic metres of a stored volume, without needless zeros.
pub fn metres(litres: i64) -> contracts::hearth::r#type::v1::Decimal {
    wire::decimal(Volume::from_litres(litres).short())
}

/// The message of an installation.
pub fn message(row: &installation::Model) -> proto::Installation {
    proto::Installation {
        installation_id: row.id.to_string(),
        meter_id: row.meter_id.to_string(),
        meter_no: row.meter_no.clone(),
        agreement_id: row.agreement_id.to_string(),
        account_no: row.account_no.clone(),
        from_date: Some(wire::date(row.from_date)),
        end_date: row.end_date.map(wire::date),
        initial_index: Some(metres(row.initial_index)),
        final_index: row.final_index.map(metres),
        photo_file: row.photo_file.clone(),
        signed: row.signed,
        awaits_opening: row.awaits_opening,
    }
}

/// The message of a meter.
pub fn meter_message(row: &meter::Model) -> Result<proto::Meter, Fault> {
    Ok(proto::Meter {
        meter_id: row.id.to_string(),
        meter_no: row.meter_no.clone(),
        kind: row.kind()?.number(),
        model: row.model.clone(),
        qmax: Some(metres(row.qmax)),
        digits: row.digits,
        manufacturer: row.manufacturer.clone(),
        seal_no: row.seal_no.clone(),
        verified_date: row.verified_date.map(wire::date),
        expires_date: row.expires_date.map(wire::date),
        branch: row.branch.clone(),
        state: row.state()?.number(),
        etag: rpc::etag(row.id, row.version),
        multiplier: row.multiplier,
        gas_kind: row.gas_kind.as_deref().and_then(GasKind::of).map_or(0, GasKind::number),
        made_date: row.made_date.map(wire::date),
    })
}

/// A new meter.
pub struct NewMeter<'a> {
    pub meter_no: &'a str,
    pub kind: MeterKind,
    pub model: &'a str,
    pub qmax: i64,
    pub digits: i32,
    pub branch: &'a str,
    pub state: MeterState,
    pub now: Instant,
}

impl NewMeter<'_> {
    /// Its row; verification, maker and seal are left open.
    pub fn row(&self) -> meter::Model {
        meter::Model {
            id: Uuid::now_v7(),
            meter_no: self.meter_no.to_owned(),
            kind: self.kind.code().to_owned(),
            model: self.model.to_owned(),
            qmax: self.qmax,
            digits: self.digits,
            manufacturer: String::new(),
            seal_no: String::new(),
            verified_date: None,
            expires_date: None,
            branch: self.branch.to_owned(),
            state: self.state.code().to_owned(),
            version: 1,
            created_at: self.now.micros(),
            multiplier: 1,
            gas_kind: None,
            made_date: None,
        }
    }
}
