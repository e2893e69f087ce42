//! Rows that heat writes: agreements in seasons, bills with their lines.

use calendar::{Instant, NaiveDate};
use chrono::Datelike;
use uuid::Uuid;

use super::{
    model::{Basis, Draft, HeatState},
    store::{account, season},
};
use crate::{
    bill::{
        model::BillKind,
        store::{bill, explanation, line},
    },
    supply::{model::Service, store::supply},
    tariff::heat::{EnergyUnit, HeatPrice},
};

/// An agreement that is enrolled in a season.
pub fn enrolled(season: &season::Model, supply: &supply::Model, basis: &Basis, now: i64) -> account::Model {
    account::Model {
        id: Uuid::now_v7(),
        season_id: season.id,
        season: season.season.clone(),
        branch: season.branch.clone(),
        agreement_id: supply.id,
        account_id: supply.account_id,
        account_no: supply.account_no.clone(),
        party_id: supply.party_id.to_string(),
        state: HeatState::Enrolled.code().to_owned(),
        method: basis.method.code().to_owned(),
        area: basis.area.hundredths(),
        height: basis.height,
        correction: basis.correction,
        document_reference: String::new(),
        meter_fault: String::new(),
        bill_id: None,
        by_area: None,
        by_meter: None,
        charged: None,
        energy: None,
        energy_unit: String::new(),
        settled_date: None,
        entered_by: String::new(),
        created_at: now,
        version: 1,
    }
}

/// Use of heat that a settlement bill shows.
#[derive(Clone, Copy)]
pub struct Used {
    /// First index, 10⁻³ of the unit.
    pub from: i64,
    /// Last index.
    pub to: i64,
    /// Energy of all meters.
    pub energy: i64,
    pub unit: EnergyUnit,
}

/// A heat bill to be written.
pub struct Bill<'a> {
    pub season: &'a season::Model,
    pub supply: &'a supply::Model,
    pub kind: BillKind,
    pub price: &'a HeatPrice,
    pub draft: &'a Draft,
    pub due: NaiveDate,
    pub run: Option<Uuid>,
    pub energy: Option<Used>,
}

impl Bill<'_> {
    /// Its rows; number and state come with the issue.
    pub fn rows(&self, now: Instant) -> (bill::Model, Vec<line::Model>, explanation::Model) {
        let id = Uuid::now_v7();
        let (start, end) = (self.season.start_date, self.season.end_date);
        // A bill covers the days after its first one: both ends of a season are heated.
        let from = start.pred_opt().unwrap_or(start);
        let row = bill::Model {
            id,
            bill_no: String::new(),
            kind: self.kind.code().to_owned(),
            state: String::new(),
            agreement_id: self.supply.id,
            account_id: self.supply.account_id,
            account_no: self.supply.account_no.clone(),
            party_id: self.supply.party_id,
            branch: self.supply.branch.clone(),
            year: start.year(),
            month: i32::try_from(start.month()).unwrap_or(0),
            from_date: from,
            to_date: end,
            from_index: self.energy.map_or(0, |u| u.from),
            to_index: self.energy.map_or(0, |u| u.to),
            volume: self.energy.map_or(0, |u| u.energy),
            volume_before: 0,
            tier_year: start.year(),
            use_class: self.price.class.clone(),
            tariff_id: Some(self.price.tariff_id),
            amount: self.draft.amount.fen(),
            paid: 0,
            issue_date: now.date(),
            due_date: self.due,
            de_facto: false,
            low_income: false,
            persons: 0,
            installation_id: None,
            reading_id: None,
            run_id: self.run,
            credit_note_no: String::new(),
            created_at: now.micros(),
            version: 1,
            fee_item_id: None,
            delivered_date: None,
            service: Some(Service::Heat.code().to_owned()),
            season: Some(self.season.season.clone()),
            unit: Some(self.energy.map_or("", |u| u.unit.text()).to_owned()),
            replaces_bill_id: None,
            credited: 0,
            estimated: false,
        };
        let lines = (0..).zip(&self.draft.lines).map(|(ordinal, l)| line::Model {
            bill_id: id,
            ordinal,
            tier: 0,
            volume: l.quantity,
            price: l.price,
            amount: l.amount,
            reason: l.reason.to_owned(),
            tariff_id: Some(self.price.tariff_id),
            tier_year: start.year(),
            from_date: from,
            to_date: end,
            unit: Some(l.unit.to_owned()),
        });
        let explanation = explanation::Model {
            bill_id: id,
            content: self.draft.explanation.clone(),
        };
        (row, lines.collect(), explanation)
    }
}
