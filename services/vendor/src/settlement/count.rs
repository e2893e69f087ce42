//! What a payment comes to, and what is known to keep it from being paid.

use calendar::Instant;
use chrono::NaiveDate;
use contracts::hearth::vendor::v1::{PaymentHeld, PaymentReleased};
use database::{Conn, Scope, Write};
use ids::VendorId;
use rpc::{Call, Fault};

use super::{
    model::{Adjustment, Amounts, Basis, Cause, Hold, Line, Payment, Rate, State, amounts, lines, sum},
    store,
};
use crate::{
    Desk,
    assessment::{self, Month},
    contract::{self, Contract},
    keys::HoldId,
    offer::{self, Decided},
    remedy, vendor,
};

/// Who places and releases what the service knows by itself.
pub(crate) const SERVICE: &str = "service:vendor";

/// What counting gives.
pub(super) struct Counted {
    pub lines: Vec<Line>,
    pub amounts: Amounts,
    pub adjustments: Vec<Adjustment>,
    pub payable: i64,
}

/// The accepted and refused work that belongs to a contract: reported in its term, and of a kind that no other contract with the vendor
/// has on its card for that day at the branch.
pub(crate) async fn orders_of(conn: &Conn, contract: &Contract, decided: Vec<Decided>) -> Result<Vec<Decided>, Fault> {
    if decided.is_empty() {
        return Ok(decided);
    }
    let contracts = contract::store::of_vendor_at(conn, contract.vendor, &contract.branch).await?;
    let ids: Vec<_> = contracts.iter().map(|c| c.id).collect();
    let rates = store::rates(conn, &ids).await?;
    let has = |c: &Contract, work: &Decided| {
        let kind = |r: &&Rate| r.contract == c.id && r.basis == Basis::Order && r.work_kind == work.kind;
        c.covers(work.reported.date()) && rates.iter().any(|r| kind(&r))
    };
    let belongs = |work: &Decided| {
        let elsewhere = contracts.iter().any(|c| c.id != contract.id && has(c, work));
        contract.covers(work.reported.date()) && (has(contract, work) || !elsewhere)
    };
    Ok(decided.into_iter().filter(|work| belongs(work)).collect())
}

/// The contract with a vendor under which work of a kind was done on a day: the only one that has it on its card, or the only one there is.
/// An empty branch means that nobody knows where.
pub(crate) async fn contract_of(conn: &Conn, vendor: VendorId, branch: &str, kind: &str, day: NaiveDate) -> Result<Option<Contract>, Fault> {
    let mut contracts = contract::store::of_vendor(conn, vendor).await?;
    contracts.retain(|c| (branch.is_empty() || c.branch == branch) && c.covers(day) && c.was_in_force(day).is_ok());
    let ids: Vec<_> = contracts.iter().map(|c| c.id).collect();
    let rates = store::rates(conn, &ids).await?;
    let on_card = |c: &&Contract| rates.iter().any(|r| r.contract == c.id && r.basis == Basis::Order && r.work_kind == kind);
    let listed: Vec<_> = contracts.iter().filter(on_card).cloned().collect();
    let only = |mut found: Vec<Contract>| if found.len() == 1 { found.pop() } else { None };
    Ok(only(listed).or_else(|| only(contracts)))
}

/// The work of the month of a payment.
async fn work_of(conn: &Conn, contract: &Contract, month: Month) -> Result<Vec<Decided>, Fault> {
    let (from, to) = (Instant::start_of(month.first), Instant::end_of(month.last));
    let decided = offer::store::decided(conn, contract.vendor, &contract.branch, from, to).await?;
    orders_of(conn, contract, decided).await
}

fn month_of(payment: &Payment) -> Month {
    Month {
        first: payment.from,
        last: payment.to,
    }
}

/// Counts a payment from what stands in the books now.
pub(super) async fn count(conn: &Conn, contract: &Contract, payment: &Payment) -> Result<Counted, Fault> {
    let month = month_of(payment);
    let card = store::rates(conn, &[contract.id]).await?;
    let fee_of = contract.runs_on(month.first).then_some(month.first);
    let lines = lines(&card, &work_of(conn, contract, month).await?, fee_of)?;
    let due = lines.iter().map(Line::amount).fold(0, i64::saturating_add);
    let deductions = sum(&store::book(conn, &[payment.id]).await?.deductions, due)?;
    let own = amounts(due, factor_of(conn, contract, month).await?, deductions, retention(contract))?;
    let adjustments = adjustments(conn, contract, payment).await?;
    let payable = adjustments.iter().map(|a| a.amount).fold(own.own, i64::saturating_add);
    Ok(Counted {
        lines,
        amounts: own,
        adjustments,
        payable,
    })
}

/// Takes over what was counted.
pub(super) async fn take(write: &Write, payment: &mut Payment, counted: Counted) -> Result<(), Fault> {
    store::replace_adjustments(write, payment.id, &counted.adjustments).await?;
    (payment.lines, payment.amounts, payment.payable) = (counted.lines, counted.amounts, counted.payable);
    Ok(())
}

async fn factor_of(conn: &Conn, contract: &Contract, month: Month) -> Result<i32, Fault> {
    let grade = assessment::store::grade_of(conn, contract.id, month).await?;
    Ok(grade.map_or(super::model::WHOLE, assessment::factor))
}

fn retention(contract: &Contract) -> i32 {
    contract.terms.retention_basis_points.unwrap_or_default()
}

/// What earlier payments fell short of, since an objection was upheld after they were paid.
async fn adjustments(conn: &Conn, contract: &Contract, payment: &Payment) -> Result<Vec<Adjustment>, Fault> {
    let mut found = vec![];
    for earlier in store::of_contract(conn, contract.id).await? {
        if earlier.state != State::Paid || earlier.from >= payment.from {
            continue;
        }
        let factor = factor_of(conn, contract, month_of(&earlier)).await?;
        if factor <= earlier.amounts.factor {
            continue;
        }
        let deductions = earlier.amounts.deducted.saturating_add(earlier.amounts.carried);
        let now = amounts(earlier.amounts.due, factor, deductions, retention(contract))?;
        let made = store::adjusted(conn, earlier.id, payment.id).await?;
        let amount = made
            .iter()
            .map(|a| a.amount)
            .fold(now.own.saturating_sub(earlier.amounts.own), i64::saturating_sub);
        let retained = made
            .iter()
            .map(|a| a.retained)
            .fold(now.retained.saturating_sub(earlier.amounts.retained), i64::saturating_sub);
        if amount > 0 || retained > 0 {
            found.push(Adjustment {
                payment: payment.id,
                earlier: earlier.id,
                factor,
                amount,
                retained,
            });
        }
    }
    Ok(found)
}

/// What the service knows to keep a payment from being paid.
pub(super) async fn facts(write: &Write, contract: &Contract, payment: &Payment) -> Result<Vec<(Cause, String)>, Fault> {
    let (conn, month) = (&**write, month_of(payment));
    let mut facts = vec![];
    let worked = !work_of(conn, contract, month).await?.is_empty();
    if worked && assessment::store::grade_of(conn, contract.id, month).await?.is_none() {
        facts.push((Cause::AssessmentMissing, "the month is not assessed".to_owned()));
    }
    if payment.invoice_no.is_empty() {
        facts.push((Cause::InvoiceMissing, "there is no invoice".to_owned()));
    }
    let vendor = vendor::store::load(conn, &Scope::everything(), payment.vendor).await?;
    if vendor.state == vendor::State::Blacklisted {
        facts.push((Cause::VendorBlacklisted, "the vendor is on the black list".to_owned()));
    }
    let overdue = store::overdue(conn, payment.vendor, write.now().date()).await?;
    if !overdue.is_empty() {
        facts.push((Cause::AssetsUnreturned, format!("not returned: {}", overdue.join(", "))));
    }
    for open in remedy::store::open_of(conn, payment.vendor).await? {
        let cause = open.kind.cause();
        if open.holds(contract.id, write.now()) && !facts.iter().any(|(known, _)| *known == cause) {
            facts.push((cause, open.description));
        }
    }
    Ok(facts)
}

/// Places what is known and not yet held, and releases what the service held and is gone; says whether anything changed.
pub(super) async fn settle_holds(write: &mut Write, contract: &Contract, payment: &Payment) -> Result<bool, Fault> {
    let facts = facts(write, contract, payment).await?;
    let holds = store::book(write, &[payment.id]).await?.holds;
    let mut changed = false;
    for (cause, reason) in &facts {
        if !holds.iter().any(|hold| hold.is_open() && hold.cause == *cause) {
            place(write, payment, *cause, reason.clone(), SERVICE).await?;
            changed = true;
        }
    }
    for mut hold in holds {
        if hold.is_open() && hold.placed_by == SERVICE && !facts.iter().any(|(cause, _)| *cause == hold.cause) {
            hold.release(true, false, SERVICE, "the reason is gone".to_owned(), write.now())?;
            released(write, payment, &hold).await?;
            changed = true;
        }
    }
    Ok(changed)
}

/// Places a hold.
pub(super) async fn place(write: &mut Write, payment: &Payment, cause: Cause, reason: String, by: &str) -> Result<(), Fault> {
    let hold = Hold {
        id: HoldId::new(),
        payment: payment.id,
        cause,
        reason,
        placed_by: by.to_owned(),
        placed: write.now(),
        released: None,
        release_reason: String::new(),
    };
    store::insert_hold(write, &hold).await?;
    let event = PaymentHeld {
        payment_request_id: payment.id.to_string(),
        contract_id: payment.contract.to_string(),
        vendor_id: payment.vendor.to_string(),
        hold_id: hold.id.to_string(),
        cause: cause.number(),
    };
    write.event(payment.id, &event);
    Ok(())
}

/// Keeps that a hold was released; the last one is told.
pub(super) async fn released(write: &mut Write, payment: &Payment, hold: &Hold) -> Result<(), Fault> {
    store::save_hold(write, hold).await?;
    let left = store::book(write, &[payment.id]).await?.holds;
    if !left.iter().any(Hold::is_open) {
        let event = PaymentReleased {
            payment_request_id: payment.id.to_string(),
            contract_id: payment.contract.to_string(),
            vendor_id: payment.vendor.to_string(),
        };
        write.event(payment.id, &event);
    }
    Ok(())
}

/// Brings the holds of every unpaid request of a vendor in line with what is known (F-09). Called under the vendor's lock, wherever a fact
/// arises or goes, as often as one likes. It leaves the version of the request alone: whoever works on the request has seen the request.
pub(crate) async fn settle(write: &mut Write, vendor: VendorId) -> Result<(), Fault> {
    for payment in store::unpaid(write, vendor).await? {
        let contract = contract::store::load(write, &Scope::everything(), payment.contract).await?;
        if settle_holds(write, &contract, &payment).await? {
            write.subject(payment.id);
        }
    }
    Ok(())
}

/// Vendors that one run of the sweep looks at.
const BATCH: u64 = 100;

/// Places the holds that only the calendar brings about: something lent that is not back, a rectification that is overdue. Nothing waits
/// for it: whether a payment may be paid is decided by the facts whenever one is to be paid.
pub(crate) async fn sweep(desk: &Desk) -> Result<usize, Fault> {
    let vendors = store::unheld(desk.db.reader(), desk.db.clock().now(), BATCH).await?;
    for vendor in &vendors {
        let mut write = desk.db.open(&Call::background("vendor", "sweep-holds")).await?;
        vendor::store::lock(&write, &Scope::everything(), *vendor).await?;
        settle(&mut write, *vendor).await?;
        write.close().await?;
    }
    Ok(vendors.len())
}
