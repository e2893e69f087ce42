//! Taking and reversing payments.

use std::collections::{BTreeSet, HashMap, HashSet};

use calendar::Instant;
use chrono::Datelike;
use contracts::hearth::{
    billing::v1::{LateFeePaid, PaymentReceived, PaymentReversed, ReversePaymentRequest, ReversePaymentResponse, TakePaymentRequest, TakePaymentResponse},
    options::v1::Role,
};
use database::{Begun, Scope, Write, numbers};
use money::Money;
use rpc::{Call, Fault, wire};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::{
    model::{Action, Open, Part, PaymentState, Share, allocate, standing, step},
    store::{self, allocation, part_code, payment},
};
use crate::{
    Desk, Refusal,
    bill::store::{self as bills, bill},
    late_fee::store::{self as late_fees, LATE_FEE, Lates},
    ledger::store::{Book, Posting, post},
    supply::{model::Service, store as supply},
    table,
};

/// Channel of balances that were taken over from the system before this one.
pub const OPENING: &str = "OPENING";

/// TakePayment (9.5, edges 22 to 25).
pub async fn take(desk: Desk, call: Call, request: TakePaymentRequest) -> Result<TakePaymentResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    if call.has(Role::Reader) {
        return Err(Refusal::ReaderTakesNoCash.into());
    }
    if request.channel == OPENING {
        return Err(Fault::from(Refusal::ChannelReserved).field("channel"));
    }
    let amount = wire::money_of(request.amount.as_ref(), "amount")?;
    if amount <= Money::ZERO {
        return Err(Fault::from(Refusal::AmountNotPositive).field("amount"));
    }
    let account = supply::account(&write, &Scope::of(&call), wire::id_of("account_id", &request.account_id)?).await?;
    supply::lock_accounts(&write, &[account.id]).await?;
    let taken = payment::Entity::find()
        .filter(payment::Column::Channel.eq(&request.channel))
        .filter(payment::Column::ChannelReference.eq(&request.channel_reference))
        .one(&*write)
        .await?;
    if let Some(first) = taken {
        if first.account_id != account.id || first.amount != amount.fen() {
            return Err(Refusal::PaymentReferenceUnique.into());
        }
        let shares = store::shares(&write, first.id).await?;
        write.subject(first.id);
        return write
            .commit(TakePaymentResponse {
                payment: Some(store::message(&first, &shares)?),
                already_taken: true,
            })
            .await;
    }
    let named = request
        .bill_ids
        .iter()
        .map(|id| wire::id_of::<Uuid>("bill_ids", id))
        .collect::<Result<Vec<_>, _>>()?;
    let mut open = late_fees::payable(&write, &[account.id]).await?;
    let mut late = late_fees::settle(&mut write, &open).await?;
    let mut services = vec![];
    for id in &named {
        match open.iter().find(|b| b.id == *id) {
            Some(bill) => services.push(bill.service()),
            None if bills::by_ids(&write, &[*id]).await?.iter().any(|b| b.account_id == account.id) => {
                return Err(Fault::from(Refusal::BillState).field("bill_ids"));
            }
            None => return Err(Fault::not_found("bill", id)),
        }
    }
    let service = match services.split_first() {
        Some((first, rest)) if rest.iter().all(|s| s == first) => *first,
        Some(_) => return Err(Fault::from(Refusal::NamedBillsMixed).field("bill_ids")),
        None => supply::services(&write, &[account.id]).await?.remove(&account.id).unwrap_or(Service::Gas),
    };
    let entry = Entry {
        account: &account,
        amount,
        channel: &request.channel,
        reference: &request.channel_reference,
        at: write.now(),
        service,
        named: &named,
    };
    let (row, rows) = enter(&mut write, entry, &mut open, &mut late).await?;
    write
        .commit(TakePaymentResponse {
            payment: Some(store::message(&row, &rows)?),
            already_taken: false,
        })
        .await
}

/// A payment to enter.
pub struct Entry<'a> {
    pub account: &'a supply::account::Model,
    pub amount: Money,
    pub channel: &'a str,
    pub reference: &'a str,
    /// When it was paid.
    pub at: Instant,
    /// What it is for: it pays bills of the other service only where it names them.
    pub service: Service,
    pub named: &'a [Uuid],
}

/// Enters a payment: shares, bills, ledger, event. `open` and `late` are brought in line; they may hold bills of other accounts too.
pub async fn enter(write: &mut Write, entry: Entry<'_>, open: &mut [bill::Model], late: &mut Lates) -> Result<(payment::Model, Vec<allocation::Model>), Fault> {
    let Entry { account, amount, at, .. } = entry;
    let own: Vec<bill::Model> = open
        .iter()
        .filter(|b| b.account_id == account.id && (b.service() == entry.service || entry.named.contains(&b.id)))
        .cloned()
        .collect();
    let (shares, rest) = allocate(amount.fen(), entry.named, &openings(&own, late));
    let year = write.now().date().year();
    let number = numbers::next(write, "RC", &account.branch, year, 1).await?;
    let row = payment::Model {
        id: Uuid::now_v7(),
        receipt_no: format!("RC-{}-{year}-{number:07}", account.branch),
        account_id: account.id,
        account_no: account.account_no.clone(),
        party_id: account.party_id,
        branch: account.branch.clone(),
        amount: amount.fen(),
        unallocated: rest,
        channel: entry.channel.to_owned(),
        channel_reference: entry.reference.to_owned(),
        state: PaymentState::Taken.code().to_owned(),
        taken_by: write.call().subject().to_owned(),
        taken_at: at.micros(),
        reversal_reason: String::new(),
        version: 1,
        service: Some(entry.service.code().to_owned()),
    };
    table::insert::<payment::Entity>(write, row.clone()).await?;
    let rows = pay(write, row.id, &shares, open, at).await?;
    for share in shares.iter().filter(|s| s.part == Part::LateFee) {
        late.entry(share.bill).and_modify(|l| l.due = l.due.saturating_sub(share.amount));
    }
    let posting = Posting::new("PAYMENT", row.id, &row.branch)
        .line(Book::Cash, &row.channel, None, row.amount)
        .line(Book::Receivable, "", Some(account.id), sum(&shares, Part::Principal).saturating_neg())
        .line(Book::Revenue, LATE_FEE, None, sum(&shares, Part::LateFee).saturating_neg())
        .line(Book::Prepayment, "", Some(account.id), rest.saturating_neg());
    post(write, vec![posting]).await?;
    write.subject(row.id);
    let late_fee = sum(&shares, Part::LateFee);
    write.event(
        row.account_id,
        &PaymentReceived {
            payment_id: row.id.to_string(),
            receipt_no: row.receipt_no.clone(),
            account_id: row.account_id.to_string(),
            party_id: row.party_id.to_string(),
            branch: row.branch.clone(),
            amount: Some(wire::money(amount)),
            channel: row.channel.clone(),
            date: Some(wire::date(at.date())),
            settled_bill_ids: open
                .iter()
                .filter(|b| shares.iter().any(|s| s.bill == b.id && s.part == Part::Principal) && b.rest() == 0)
                .map(|b| b.id.to_string())
                .collect(),
            late_fee: (late_fee > 0).then(|| wire::money(Money::from_fen(late_fee))),
        },
    );
    Ok((row, rows))
}

/// Tells what payments pay of late fees now, of those among `moved` that pay more or less of them than before.
pub async fn tell_late_fees(write: &mut Write, moved: &[allocation::Model]) -> Result<(), Fault> {
    let mut ids = vec![];
    for share in moved {
        if share.part()? == Part::LateFee && !ids.contains(&share.payment_id) {
            ids.push(share.payment_id);
        }
    }
    for id in ids {
        let mut late_fee = 0_i64;
        for share in store::shares(write, id).await? {
            if share.part()? == Part::LateFee {
                late_fee = late_fee.saturating_add(share.amount);
            }
        }
        let row = store::one(write, &Scope::everything(), id).await?;
        write.event(
            row.account_id,
            &LateFeePaid {
                payment_id: id.to_string(),
                account_id: row.account_id.to_string(),
                party_id: row.party_id.to_string(),
                branch: row.branch,
                late_fee: Some(wire::money(Money::from_fen(late_fee))),
            },
        );
    }
    Ok(())
}

/// Gives back what was paid of late fees and never accrued, as a payment of an earlier day shows, the last payment first (价格法 art. 41): it becomes prepayment.
/// Gives the accounts that hold some now.
pub async fn give_back_late_fees(write: &mut Write, bills: &[bill::Model]) -> Result<BTreeSet<Uuid>, Fault> {
    let reckoned = late_fees::reckon(write, bills, write.now().date()).await?;
    let (mut accounts, mut rows, mut postings) = (BTreeSet::new(), vec![], vec![]);
    for bill in bills {
        let Some(over) = reckoned.get(&bill.id).map(|found| found.over).filter(|over| *over > 0) else {
            continue;
        };
        accounts.insert(bill.account_id);
        let mut left = over;
        for (payment, paid) in store::late_shares(write, bill.id).await? {
            let back = paid.min(left);
            if back > 0 {
                left = left.saturating_sub(back);
                store::free(write, payment, back).await?;
                let share = Share {
                    bill: bill.id,
                    part: Part::LateFee,
                    amount: back.saturating_neg(),
                };
                rows.push(row(payment, bill, &share, write.now()));
            }
        }
        let back = over.saturating_sub(left);
        late_fees::pay(write, bill.id, back.saturating_neg()).await?;
        postings.push(
            Posting::new("LATE_FEE_RETURN", bill.id, &bill.branch)
                .line(Book::Revenue, LATE_FEE, None, back)
                .line(Book::Prepayment, "", Some(bill.account_id), back.saturating_neg()),
        );
    }
    table::insert_all::<allocation::Entity>(write, rows.clone()).await?;
    tell_late_fees(write, &rows).await?;
    post(write, postings).await?;
    Ok(accounts)
}

/// ReversePayment (9.5): the last share first.
pub async fn reverse(desk: Desk, call: Call, request: ReversePaymentRequest) -> Result<ReversePaymentResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let scope = Scope::of(&call);
    let id: Uuid = wire::id_of("payment_id", &request.payment_id)?;
    let seen = store::one(&write, &scope, id).await?;
    supply::lock_accounts(&write, &[seen.account_id]).await?;
    let row = store::one(&write, &scope, id).await?;
    let state = step(row.state()?, Action::Reverse)?;
    rpc::check_etag(&request.etag, row.id, row.version)?;
    let mut shares = vec![];
    for share in store::shares(&write, id).await? {
        shares.push(Share {
            bill: share.bill_id,
            part: share.part()?,
            amount: share.amount,
        });
    }
    let turned = |share: &Share| Share {
        amount: share.amount.saturating_neg(),
        ..*share
    };
    let back: Vec<Share> = standing(&shares).iter().map(turned).collect();
    let ids: Vec<Uuid> = back.iter().map(|s| s.bill).collect();
    let mut touched = bill::Entity::find().filter(bill::Column::Id.is_in(ids)).all(&*write).await?;
    let now = write.now();
    pay(&write, id, &back, &mut touched, now).await?;
    // What was taken over never was in the till.
    let (book, detail) = if row.channel == OPENING {
        (Book::Opening, "")
    } else {
        (Book::Cash, row.channel.as_str())
    };
    let posting = Posting::new("PAYMENT_REVERSAL", id, &row.branch)
        .line(book, detail, None, row.amount.saturating_neg())
        .line(Book::Receivable, "", Some(row.account_id), sum(&back, Part::Principal).saturating_neg())
        .line(Book::Revenue, LATE_FEE, None, sum(&back, Part::LateFee).saturating_neg())
        .line(Book::Prepayment, "", Some(row.account_id), row.unallocated);
    post(&write, vec![posting]).await?;
    let reversed = payment::Model {
        state: state.code().to_owned(),
        unallocated: 0,
        reversal_reason: request.reason.clone(),
        version: row.version.saturating_add(1),
        ..row
    };
    table::update::<payment::Entity>(&write, reversed.clone()).await?;
    // The days since the payment count again on what it had paid (9.5).
    late_fees::settle(&mut write, &touched).await?;
    write.subject(id);
    write.event(
        reversed.account_id,
        &PaymentReversed {
            payment_id: reversed.id.to_string(),
            receipt_no: reversed.receipt_no.clone(),
            account_id: reversed.account_id.to_string(),
            party_id: reversed.party_id.to_string(),
            branch: reversed.branch.clone(),
            amount: Some(wire::money(Money::from_fen(reversed.amount))),
            reopened_bill_ids: touched.iter().filter(|b| b.rest() > 0).map(|b| b.id.to_string()).collect(),
        },
    );
    let shares = store::shares(&write, id).await?;
    write
        .commit(ReversePaymentResponse {
            payment: Some(store::message(&reversed, &shares)?),
        })
        .await
}

/// Open bills as the rules see them.
pub fn openings<'a>(bills: impl IntoIterator<Item = &'a bill::Model>, late: &Lates) -> Vec<Open> {
    bills
        .into_iter()
        .map(|b| {
            let late = late.get(&b.id).copied().unwrap_or_default();
            Open {
                id: b.id,
                due: b.due_date,
                rest: b.rest(),
                late: late.due,
                principal_first: late.principal_first,
            }
        })
        .filter(|b| b.rest > 0 || b.late > 0)
        .collect()
}

fn sum(shares: &[Share], part: Part) -> i64 {
    shares.iter().filter(|s| s.part == part).map(|s| s.amount).fold(0, i64::saturating_add)
}

/// Writes shares of a payment, positive or negative, and brings the bills in line.
async fn pay(write: &Write, payment: Uuid, shares: &[Share], bills: &mut [bill::Model], at: Instant) -> Result<Vec<allocation::Model>, Fault> {
    let mut rows = vec![];
    for share in shares {
        let Some(bill) = bills.iter_mut().find(|b| b.id == share.bill) else {
            return Err(Fault::internal("a share of a bill that is not there"));
        };
        take_share(write, bill, share).await?;
        rows.push(row(payment, bill, share, at));
    }
    let principal = |b: &bill::Model| shares.iter().any(|s| s.bill == b.id && s.part == Part::Principal);
    for bill in bills.iter_mut().filter(|b| principal(b)) {
        bills::set_paid(write, bill).await?;
    }
    table::insert_all::<allocation::Entity>(write, rows.clone()).await?;
    Ok(rows)
}

/// Books a share on its bill, which is not written, or on the late fee of it, which is.
async fn take_share(write: &Write, bill: &mut bill::Model, share: &Share) -> Result<(), Fault> {
    match share.part {
        Part::Principal => bill.paid = bill.paid.saturating_add(share.amount),
        Part::LateFee => late_fees::pay(write, bill.id, share.amount).await?,
    }
    Ok(())
}

fn row(payment: Uuid, bill: &bill::Model, share: &Share, now: Instant) -> allocation::Model {
    allocation::Model {
        id: Uuid::now_v7(),
        payment_id: payment,
        bill_id: bill.id,
        bill_no: bill.bill_no.clone(),
        amount: share.amount,
        created_at: now.micros(),
        part: part_code(share.part),
    }
}

/// Pays open bills from what accounts have paid ahead, the oldest payment first (edge 23). `bills` are not written yet or will be
/// updated by the caller; their `paid` is brought in line here. `late` is what is due of their late fees.
pub async fn use_prepayment(
    write: &Write,
    accounts: &[Uuid],
    bills: &mut [bill::Model],
    mut late: Lates,
) -> Result<(Vec<Posting>, Vec<allocation::Model>), Fault> {
    let mut postings: HashMap<Uuid, (String, i64, i64)> = HashMap::new();
    let mut rows = vec![];
    let sources = store::with_rest(write, accounts).await?;
    let paying: HashSet<Uuid> = sources.iter().map(|source| source.account_id).collect();
    let mut owed: HashMap<Uuid, Vec<&mut bill::Model>> = HashMap::new();
    for bill in bills.iter_mut().filter(|b| paying.contains(&b.account_id)) {
        owed.entry(bill.account_id).or_default().push(bill);
    }
    let mut used = vec![];
    for mut source in sources {
        let Some(own) = owed.get_mut(&source.account_id) else { continue };
        let open = openings(own.iter().map(|b| &**b).filter(|b| b.service() == source.service()), &late);
        let (shares, rest) = allocate(source.unallocated, &[], &open);
        if shares.is_empty() {
            continue;
        }
        for share in &shares {
            let Some(bill) = own.iter_mut().find(|b| b.id == share.bill) else {
                continue;
            };
            take_share(write, bill, share).await?;
            rows.push(row(source.id, bill, share, write.now()));
            let total = postings.entry(source.account_id).or_insert_with(|| (source.branch.clone(), 0, 0));
            match share.part {
                Part::Principal => total.1 = total.1.saturating_add(share.amount),
                Part::LateFee => {
                    total.2 = total.2.saturating_add(share.amount);
                    late.entry(bill.id).and_modify(|l| l.due = l.due.saturating_sub(share.amount));
                }
            }
        }
        source.unallocated = rest;
        source.version = source.version.saturating_add(1);
        used.push(source);
    }
    store::set_used(write, used).await?;
    let postings = postings.into_iter().map(|(account, (branch, principal, late))| {
        Posting::new("PREPAYMENT_USE", account, &branch)
            .line(Book::Prepayment, "", Some(account), principal.saturating_add(late))
            .line(Book::Receivable, "", Some(account), principal.saturating_neg())
            .line(Book::Revenue, LATE_FEE, None, late.saturating_neg())
    });
    Ok((postings.collect(), rows))
}
