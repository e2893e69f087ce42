//! Openings from files, in chunks.

use std::collections::{BTreeSet, HashMap, HashSet};

use calendar::{Instant, NaiveDate};
use chrono::Datelike;
use contracts::hearth::billing::v1::{ImportOpeningRequest, ImportOpeningResponse, OpeningRow, RefusedOpeningRow};
use database::{Begun, Scope, Write};
use money::{Money, Volume};
use rpc::{Call, Fault, wire};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::{
    model::{Item, Opening, Wrong},
    row::read,
    store::{self, opening},
};
use crate::{
    Desk,
    bill::{
        issue::issue,
        model::BillKind,
        ops::settle_others,
        store::{bill, line},
    },
    ledger::store::{Book, Posting, post},
    meter::store::{self as meters, installation, meter},
    payment::{model::PaymentState, ops::OPENING, store::payment},
    reading::{
        chain::{Chains, new_reading},
        model::{ReadingState, index_of},
    },
    supply::store::{self as supplies, supply, term},
    table,
    tariff::{model::Books, store::books},
};

/// ImportOpening: one chunk.
pub async fn import(desk: Desk, call: Call, request: ImportOpeningRequest) -> Result<ImportOpeningResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut answer = ImportOpeningResponse {
        request_id: request.request_id.clone(),
        ..Default::default()
    };
    let mut batch = Batch::load(&desk, &write, &Scope::of(&call), &request.rows).await?;
    let (mut owed, mut prepaid) = (0_i64, 0_i64);
    for row in &request.rows {
        match batch.take(&write, row) {
            Ok(Some((items, paid))) => {
                owed = owed.saturating_add(items);
                prepaid = prepaid.saturating_add(paid);
                answer.accepted = answer.accepted.saturating_add(1);
            }
            Ok(None) => answer.repeats = answer.repeats.saturating_add(1),
            Err(Wrong(field, reason, text)) => answer.refused.push(RefusedOpeningRow {
                line: row.line,
                field: field.to_owned(),
                reason: reason.to_owned(),
                text: text.to_owned(),
            }),
        }
    }
    batch.store(&desk, &mut write).await?;
    answer.owed = Some(wire::money(Money::from_fen(owed)));
    answer.prepaid = Some(wire::money(Money::from_fen(prepaid)));
    write.subject(format!("openings:{}", answer.accepted));
    if request.dry_run {
        return Ok(answer);
    }
    write.commit(answer).await
}

/// A chunk: what rows meet, and what comes of them.
struct Batch {
    now: Instant,
    by: String,
    supplies: Vec<supply::Model>,
    terms: Vec<term::Model>,
    known: HashMap<Uuid, opening::Model>,
    billed: HashSet<Uuid>,
    meters: HashMap<String, meter::Model>,
    installs: Vec<installation::Model>,
    chains: Chains,
    prices: Books,
    openings: Vec<opening::Model>,
    bills: Vec<bill::Model>,
    lines: Vec<line::Model>,
    payments: Vec<payment::Model>,
    postings: Vec<Posting>,
}

impl Batch {
    async fn load(desk: &Desk, write: &Write, scope: &Scope, rows: &[OpeningRow]) -> Result<Self, Fault> {
        let numbers: Vec<&str> = rows.iter().map(|r| r.account_no.as_str()).collect();
        let supplies = supplies::of_accounts(write, scope, &numbers).await?;
        let accounts: HashSet<Uuid> = supplies.iter().map(|s| s.account_id).collect();
        supplies::lock_accounts(write, &accounts.into_iter().collect::<Vec<_>>()).await?;
        let ids: Vec<Uuid> = supplies.iter().map(|s| s.id).collect();
        let meter_nos: Vec<&str> = rows.iter().map(|r| r.meter_no.as_str()).filter(|m| !m.is_empty()).collect();
        let found = meters::lock(write, scope, &meter_nos).await?;
        let floor = rows.iter().filter_map(|r| r.as_of.parse::<NaiveDate>().ok()).min();
        let floor = floor.unwrap_or_else(|| write.now().date());
        let billed = bill::Entity::find().filter(bill::Column::AgreementId.is_in(ids.clone())).all(&**write).await?;
        Ok(Self {
            now: write.now(),
            by: write.call().subject().to_owned(),
            terms: supplies::terms(write, &ids).await?,
            known: store::of_agreements(write, &ids).await?,
            billed: billed.into_iter().map(|b| b.agreement_id).collect(),
            meters: found.iter().map(|m| (m.meter_no.clone(), m.clone())).collect(),
            installs: meters::of_agreements(write, &ids).await?,
            chains: Chains::load(write, &desk.thresholds, found, floor).await?,
            prices: books(write).await?,
            supplies,
            openings: vec![],
            bills: vec![],
            lines: vec![],
            payments: vec![],
            postings: vec![],
        })
    }

    /// Decides a row against what is there. Gives what is owed and paid ahead; none for a row that was taken over before.
    fn take(&mut self, write: &Write, row: &OpeningRow) -> Result<Option<(i64, i64)>, Wrong> {
        let opening = read(row, self.now.date())?;
        let unknown = Wrong("account_no", "ACCOUNT_UNKNOWN", "there is no such account with an agreement for this service");
        let of_row = |s: &&supply::Model| s.account_no == row.account_no && s.service == opening.service.code();
        // An account may have several agreements: the meter says which one is meant.
        let hangs = |s: &&supply::Model| self.installs.iter().any(|i| i.agreement_id == s.id && i.meter_no == row.meter_no);
        let candidates = || self.supplies.iter().filter(of_row);
        let supply = candidates().find(hangs).or_else(|| candidates().next()).cloned().ok_or(unknown)?;
        let place = if opening.metered {
            Some(self.place(&supply, row, opening.as_of)?)
        } else {
            None
        };
        let content = opening.content(&row.meter_no, place.as_ref().map(|(_, _, index)| *index));
        if let Some(known) = self.known.get(&supply.id) {
            return if known.content == content {
                Ok(None)
            } else {
                Err(Wrong("account_no", "OPENING_DIFFERS", "another state of the agreement was taken over before"))
            };
        }
        if self.billed.contains(&supply.id) {
            return Err(Wrong("account_no", "OPENING_TOO_LATE", "a bill of the agreement stands"));
        }
        let tier_year = self.tier_year(&supply, &opening)?;
        let mut at = Instant::end_of(opening.as_of);
        if at > self.now {
            at = self.now;
        }
        if let Some((meter, install, index)) = &place {
            let outside = Wrong("index", "INDEX_OUT_OF_LINE", "the index does not fit between the readings around it");
            let (before, after) = self.chains.neighbours(install.id, at.micros());
            if before.is_some_and(|b| b.value > *index) || after.is_some_and(|a| a < *index) {
                return Err(outside);
            }
            let there: Vec<i64> = self.chains.at(install.id, at.micros()).map(|l| l.row.value).collect();
            if there.iter().any(|value| value != index) {
                return Err(outside);
            }
            if there.is_empty() {
                // The system before ended a bill there: the chain goes on from it.
                let reading = new_reading(write, meter, install, at, *index, &row.index, "opening", ReadingState::Billed);
                self.chains.add(reading);
            }
        }
        let entry = opening::Model {
            agreement_id: supply.id,
            account_id: supply.account_id,
            branch: supply.branch.clone(),
            as_of: opening.as_of,
            installation_id: place.as_ref().map(|(_, install, _)| install.id),
            value: place.as_ref().map(|(_, _, index)| *index),
            tier_year,
            volume: opening.volume.litres(),
            owed: opening.owed(),
            prepaid: opening.prepaid,
            content,
            entered_by: self.by.clone(),
            created_at: self.now.micros(),
        };
        self.known.insert(supply.id, entry.clone());
        self.openings.push(entry);
        for item in &opening.items {
            self.bill(&supply, &opening, item);
        }
        if opening.prepaid > 0 {
            self.pay(&supply, &opening, at);
        }
        Ok(Some((opening.owed(), opening.prepaid)))
    }

    /// The meter, where it hangs, and the index that it showed.
    fn place(&self, supply: &supply::Model, row: &OpeningRow, day: NaiveDate) -> Result<(meter::Model, installation::Model, i64), Wrong> {
        let missing = Wrong("meter_no", "METER_INACTIVE", "the meter was not installed there on that day");
        let meter = self.meters.get(&row.meter_no).ok_or(missing)?;
        let kind = meter.kind().ok().filter(|kind| kind.energy().is_none()).ok_or(missing)?;
        let of_row = |i: &&installation::Model| i.meter_id == meter.id && i.agreement_id == supply.id && i.covers(day);
        let install = self.installs.iter().find(of_row).ok_or(missing)?;
        let index = index_of(&row.index, kind, meter.register()).map_err(|r| Wrong("index", r.reason(), r.message()))?;
        Ok((meter.clone(), install.clone(), index))
    }

    /// The tier year that the volume belongs to, as the price of the day has it.
    fn tier_year(&self, supply: &supply::Model, opening: &Opening) -> Result<i32, Wrong> {
        if opening.volume == Volume::ZERO {
            return Ok(opening.as_of.year());
        }
        let own = supplies::terms_of(supply, self.terms.iter().filter(|t| t.agreement_id == supply.id));
        own.class(opening.as_of)
            .and_then(|class| self.prices.of(&supply.branch).on(class, opening.as_of))
            .map(|price| price.tariff.tier_year_of(opening.as_of))
            .ok_or(Wrong(
                "year_volume",
                "TARIFF_MISSING",
                "no price of that day says which tier year the volume belongs to",
            ))
    }

    fn bill(&mut self, supply: &supply::Model, opening: &Opening, item: &Item) {
        let id = Uuid::now_v7();
        let own = supplies::terms_of(supply, self.terms.iter().filter(|t| t.agreement_id == supply.id));
        let from = opening.as_of.pred_opt().unwrap_or(opening.as_of);
        self.bills.push(bill::Model {
            id,
            bill_no: format!("OB-{}-{}", supply.agreement_no, item.reference),
            kind: BillKind::Opening.code().to_owned(),
            state: String::new(),
            agreement_id: supply.id,
            account_id: supply.account_id,
            account_no: supply.account_no.clone(),
            party_id: supply.party_id,
            branch: supply.branch.clone(),
            year: item.due.year(),
            month: i32::try_from(item.due.month()).unwrap_or(0),
            from_date: from,
            to_date: opening.as_of,
            from_index: 0,
            to_index: 0,
            volume: 0,
            volume_before: 0,
            tier_year: opening.as_of.year(),
            use_class: own.class(opening.as_of).unwrap_or_default().to_owned(),
            tariff_id: None,
            amount: item.amount,
            paid: 0,
            issue_date: opening.as_of,
            due_date: item.due,
            de_facto: false,
            low_income: false,
            persons: 0,
            installation_id: None,
            reading_id: None,
            run_id: None,
            credit_note_no: String::new(),
            created_at: self.now.micros(),
            version: 1,
            fee_item_id: None,
            delivered_date: None,
            service: Some(opening.service.code().to_owned()),
            season: None,
            unit: Some(String::new()),
            replaces_bill_id: None,
            credited: 0,
            estimated: false,
        });
        self.lines.push(line::Model {
            bill_id: id,
            ordinal: 0,
            tier: 0,
            volume: 1000,
            price: item.amount.saturating_mul(10_000),
            amount: item.amount,
            reason: OPENING.to_owned(),
            tariff_id: None,
            tier_year: opening.as_of.year(),
            from_date: from,
            to_date: opening.as_of,
            unit: Some(String::new()),
        });
    }

    fn pay(&mut self, supply: &supply::Model, opening: &Opening, at: Instant) {
        let id = Uuid::now_v7();
        self.payments.push(payment::Model {
            id,
            receipt_no: format!("OB-{}", supply.agreement_no),
            account_id: supply.account_id,
            account_no: supply.account_no.clone(),
            party_id: supply.party_id,
            branch: supply.branch.clone(),
            amount: opening.prepaid,
            unallocated: opening.prepaid,
            channel: OPENING.to_owned(),
            channel_reference: supply.id.to_string(),
            state: PaymentState::Taken.code().to_owned(),
            taken_by: self.by.clone(),
            taken_at: at.micros(),
            reversal_reason: String::new(),
            version: 1,
            service: Some(opening.service.code().to_owned()),
        });
        self.postings
            .push(Posting::new(OPENING, id, &supply.branch).line(Book::Opening, "", None, opening.prepaid).line(
                Book::Prepayment,
                "",
                Some(supply.account_id),
                opening.prepaid.saturating_neg(),
            ));
    }

    async fn store(self, desk: &Desk, write: &mut Write) -> Result<(), Fault> {
        let mut digest = vec![];
        for row in &self.openings {
            digest.extend_from_slice(row.agreement_id.as_bytes());
            digest.extend_from_slice(row.content.as_bytes());
        }
        write.digest(&digest);
        let owing: HashSet<Uuid> = self.bills.iter().map(|b| b.account_id).collect();
        let paying: BTreeSet<Uuid> = self.payments.iter().map(|p| p.account_id).filter(|a| owing.contains(a)).collect();
        table::insert_all::<opening::Entity>(write, self.openings).await?;
        issue(write, self.bills, self.lines, vec![]).await?;
        table::insert_all::<payment::Entity>(write, self.payments).await?;
        post(write, self.postings).await?;
        // Only now, since an item that is overdue bears late fee, which is paid before it.
        for account in paying {
            settle_others(write, account).await?;
        }
        self.chains.settle(write, &desk.thresholds).await?;
        Ok(())
    }
}
