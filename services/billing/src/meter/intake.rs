//! Installed meters from files, in chunks.

use std::collections::{HashMap, HashSet};

use calendar::NaiveDate;
use contracts::hearth::billing::v1::{ImportMetersRequest, ImportMetersResponse, MeterRow, RefusedMeterRow};
use database::{Begun, Scope, find};
use money::Volume;
use rpc::{Call, Fault};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::{
    model::{GasKind, MeterKind, MeterState, is_meter_no, life_end, verified_until},
    ops, seal,
    store::{NewMeter, installation, meter},
};
use crate::{
    Desk,
    reading::model::{Register, index_of},
    supply, table,
};

/// The largest multiplier, as of RegisterMeter.
const MULTIPLIERS: i32 = 10_000;

struct Parsed {
    kind: MeterKind,
    qmax: i64,
    installed: NaiveDate,
    initial: i64,
    multiplier: i32,
    gas: Option<GasKind>,
    verified: Option<NaiveDate>,
    expires: Option<NaiveDate>,
}

impl Parsed {
    /// Whether a row says of a meter and where it hangs what is on record. What changes in the life of a meter, its verification and its seal, only has to be on record.
    fn is(&self, row: &MeterRow, meter: &meter::Model, install: &installation::Model, agreement: Uuid, sealed: &HashMap<String, Uuid>) -> bool {
        let there = install.agreement_id == agreement && install.initial_index == self.initial && install.from_date == self.installed;
        let counts = meter.kind == self.kind.code() && meter.digits == row.digits && meter.qmax == self.qmax && meter.multiplier == self.multiplier;
        let gas = self.gas.is_none_or(|gas| meter.gas_kind.as_deref() == Some(gas.code()));
        let kept = (self.verified.is_none() || meter.verified_date.is_some())
            && (self.expires.is_none() || meter.expires_date.is_some())
            && (row.seal_no.is_empty() || !meter.seal_no.is_empty() || sealed.get(&row.seal_no) == Some(&meter.id));
        there && counts && gas && kept
    }
}

/// What is wrong with a row.
struct Wrong(&'static str, &'static str, &'static str);

/// ImportMeters: one chunk.
pub async fn import(desk: Desk, call: Call, request: ImportMetersRequest) -> Result<ImportMetersResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let (scope, now) = (Scope::of(&call), write.now());
    let mut answer = ImportMetersResponse {
        request_id: request.request_id.clone(),
        ..Default::default()
    };
    let numbers: Vec<&str> = request.rows.iter().map(|r| r.meter_no.as_str()).collect();
    let accounts: Vec<&str> = request.rows.iter().map(|r| r.account_no.as_str()).collect();
    // Numbers are unique over all branches: a meter of another branch is taken, not free.
    let meters = meter::Entity::find().filter(meter::Column::MeterNo.is_in(numbers)).all(&*write).await?;
    let mut meters: HashMap<String, meter::Model> = meters.into_iter().map(|m| (m.meter_no.clone(), m)).collect();
    let supplies = supply::store::of_accounts(&write, &scope, &accounts).await?;
    let agreements: Vec<Uuid> = supplies.iter().map(|s| s.id).collect();
    let ids: Vec<Uuid> = meters.values().map(|m| m.id).collect();
    let live = installation::Entity::find().filter(installation::Column::EndDate.is_null());
    let by_agreement = live.clone().filter(installation::Column::AgreementId.is_in(agreements)).all(&*write).await?;
    let mut visible: HashSet<Uuid> = find::<meter::Entity>(&scope)
        .filter(meter::Column::Id.is_in(ids.clone()))
        .all(&*write)
        .await?
        .iter()
        .map(|m| m.id)
        .collect();
    let by_meter = live.filter(installation::Column::MeterId.is_in(ids)).all(&*write).await?;
    let mut on_meter: HashMap<Uuid, installation::Model> = by_meter.into_iter().map(|i| (i.meter_id, i)).collect();
    let mut on_agreement: HashSet<(Uuid, String)> = by_agreement.into_iter().map(|i| (i.agreement_id, i.commodity)).collect();
    let seals = request.rows.iter().map(|r| r.seal_no.as_str()).filter(|no| !no.is_empty());
    let mut sealed = seal::used(&write, seals).await?;
    let (mut new_meters, mut new_installs, mut new_seals) = (vec![], vec![], vec![]);
    for row in &request.rows {
        let outcome = parse(row, now.date()).and_then(|parsed| {
            let commodity = parsed.kind.commodity();
            let of_row = |s: &&supply::store::supply::Model| s.account_no == row.account_no && commodity.fits(&s.service);
            let supply = supplies.iter().find(of_row).ok_or(Wrong(
                "account_no",
                "ACCOUNT_UNKNOWN",
                "there is no such account with an agreement for what the meter counts",
            ))?;
            if let Some(meter) = meters.get(&row.meter_no) {
                let same = on_meter
                    .get(&meter.id)
                    .is_some_and(|install| parsed.is(row, meter, install, supply.id, &sealed));
                return if same && visible.contains(&meter.id) {
                    Ok(None)
                } else {
                    Err(Wrong("meter_no", "METER_TAKEN", "the meter is registered otherwise or installed elsewhere"))
                };
            }
            if on_agreement.contains(&(supply.id, commodity.code().to_owned())) {
                return Err(Wrong("account_no", "AGREEMENT_TAKEN", "another meter is installed there"));
            }
            if sealed.contains_key(&row.seal_no) {
                return Err(Wrong("seal_no", "SEAL_TAKEN", "the number of the seal was used"));
            }
            Ok(Some((parsed, supply)))
        });
        match outcome {
            Ok(Some((parsed, supply))) => {
                let new = NewMeter {
                    meter_no: &row.meter_no,
                    kind: parsed.kind,
                    model: &row.model,
                    qmax: parsed.qmax,
                    digits: row.digits,
                    branch: &supply.branch,
                    state: MeterState::Installed,
                    now,
                };
                let meter = meter::Model {
                    multiplier: parsed.multiplier,
                    gas_kind: parsed.gas.map(|gas| gas.code().to_owned()),
                    verified_date: parsed.verified,
                    expires_date: parsed.expires,
                    seal_no: row.seal_no.clone(),
                    ..new.row()
                };
                if !row.seal_no.is_empty() {
                    new_seals.push(seal::seal::Model::put_on(&meter, &row.seal_no, parsed.installed, &write));
                    sealed.insert(row.seal_no.clone(), meter.id);
                }
                let install = installation::Model {
                    id: Uuid::now_v7(),
                    meter_id: meter.id,
                    meter_no: meter.meter_no.clone(),
                    agreement_id: supply.id,
                    account_no: supply.account_no.clone(),
                    branch: supply.branch.clone(),
                    from_date: parsed.installed,
                    end_date: None,
                    initial_index: parsed.initial,
                    final_index: None,
                    photo_file: String::new(),
                    signed: true,
                    awaits_opening: false,
                    end_reason: String::new(),
                    created_at: now.micros(),
                    commodity: parsed.kind.commodity().code().to_owned(),
                };
                on_agreement.insert((supply.id, install.commodity.clone()));
                visible.insert(meter.id);
                on_meter.insert(meter.id, install.clone());
                meters.insert(meter.meter_no.clone(), meter.clone());
                new_meters.push(meter);
                new_installs.push(install);
                answer.accepted = answer.accepted.saturating_add(1);
            }
            Ok(None) => answer.repeats = answer.repeats.saturating_add(1),
            Err(Wrong(field, reason, text)) => {
                answer.refused.push(RefusedMeterRow {
                    line: row.line,
                    field: field.to_owned(),
                    reason: reason.to_owned(),
                    text: text.to_owned(),
                });
            }
        }
    }
    table::insert_all::<meter::Entity>(&write, new_meters).await?;
    for install in &new_installs {
        write.event(install.agreement_id, &ops::installed(install));
    }
    table::insert_all::<installation::Entity>(&write, new_installs).await?;
    table::insert_all::<seal::seal::Entity>(&write, new_seals).await?;
    if request.dry_run {
        return Ok(answer);
    }
    write.commit(answer).await
}

fn parse(row: &MeterRow, today: NaiveDate) -> Result<Parsed, Wrong> {
    if !is_meter_no(&row.meter_no) {
        return Err(Wrong("meter_no", "METER_NO", "a number is 1 to 40 letters, digits and dashes"));
    }
    let kind = MeterKind::of_number(row.kind).ok_or(Wrong("kind", "KIND", "the kind is not known"))?;
    let qmax = Volume::parse(&row.qmax)
        .ok()
        .filter(|q| *q > Volume::ZERO)
        .ok_or(Wrong("qmax", "QMAX", "the largest flow is no number above 0"))?;
    let digits = u32::try_from(row.digits)
        .ok()
        .filter(|d| (3..=9).contains(d))
        .ok_or(Wrong("digits", "DIGITS", "a register has 3 to 9 digits"))?;
    if row.model.chars().count() > 60 {
        return Err(Wrong("model", "MODEL", "the model is longer than 60 characters"));
    }
    let installed: NaiveDate = row
        .installed_on
        .parse()
        .map_err(|_| Wrong("installed_on", "DATE", "the day is not written as YYYY-MM-DD"))?;
    if installed > today {
        return Err(Wrong("installed_on", "FUTURE_DATE", "the day lies in the future"));
    }
    let qmax = qmax.litres();
    let multiplier = Some(row.multiplier.max(1))
        .filter(|_| (0..=MULTIPLIERS).contains(&row.multiplier))
        .ok_or(Wrong("multiplier", "MULTIPLIER", "the multiplier is no whole number up to 10,000"))?;
    let register = Register {
        digits,
        qmax,
        multiplier: multiplier.into(),
    };
    let initial = index_of(&row.initial_index, kind, register).map_err(|r| Wrong("initial_index", r.reason(), r.message()))?;
    let gas = GasKind::of_number(row.gas_kind);
    if gas.is_none() && row.gas_kind != 0 {
        return Err(Wrong("gas_kind", "GAS_KIND", "the kind of gas is not known"));
    }
    let (verified, expires) = life(row, kind, gas, qmax, today)?;
    if !row.seal_no.is_empty() && !is_meter_no(&row.seal_no) {
        return Err(Wrong("seal_no", "SEAL_NO", "a number is 1 to 40 letters, digits and dashes"));
    }
    Ok(Parsed {
        kind,
        qmax,
        installed,
        initial,
        multiplier,
        gas,
        verified,
        expires,
    })
}

/// When a meter was verified, and until when it may be used: as RegisterMeter and VerifyMeter take it.
fn life(row: &MeterRow, kind: MeterKind, gas: Option<GasKind>, qmax: i64, today: NaiveDate) -> Result<(Option<NaiveDate>, Option<NaiveDate>), Wrong> {
    let day = |text: &str, field| match text {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| Wrong(field, "DATE", "the day is not written as YYYY-MM-DD")),
    };
    let verified: Option<NaiveDate> = day(&row.verified_on, "verified_on")?;
    let expires: Option<NaiveDate> = day(&row.expires_on, "expires_on")?;
    let Some(on) = verified else { return Ok((None, expires)) };
    if on > today {
        return Err(Wrong("verified_on", "FUTURE_DATE", "the day lies in the future"));
    }
    let until = verified_until(on, expires, life_end(kind, gas, qmax, on)).map_err(|r| Wrong("expires_on", r.reason(), r.message()))?;
    Ok((verified, until))
}
