//! Payments from the files of channels, in chunks.

use std::collections::{HashMap, HashSet};

use calendar::{Instant, NaiveDate};
use contracts::hearth::{
    billing::v1::{ImportPaymentsRequest, ImportPaymentsResponse, PaymentRow, RefusedPaymentRow},
    options::v1::Role,
};
use database::{Begun, Scope, Write, find};
use money::Money;
use rpc::{Call, Fault, wire};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::{
    ops::{Entry, OPENING, enter, give_back_late_fees},
    store::payment,
};
use crate::{
    Desk, Refusal,
    bill::{ops::settle_others, store::bill},
    late_fee::store::{self as late_fees, Late, Lates},
    supply::{
        model::Service,
        store::{self as supplies, account},
    },
};

/// What is wrong with a row.
struct Wrong(&'static str, &'static str, &'static str);

struct Parsed {
    amount: Money,
    at: Instant,
    service: Option<Service>,
}

/// ImportPayments: one chunk.
pub async fn import(desk: Desk, call: Call, request: ImportPaymentsRequest) -> Result<ImportPaymentsResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    if call.has(Role::Reader) {
        return Err(Refusal::ReaderTakesNoCash.into());
    }
    let mut answer = ImportPaymentsResponse {
        request_id: request.request_id.clone(),
        ..Default::default()
    };
    let mut taken_sum = Money::ZERO;
    let numbers: HashSet<&str> = request.rows.iter().map(|r| r.account_no.as_str()).collect();
    let accounts = find::<account::Entity>(&Scope::of(&call))
        .filter(account::Column::AccountNo.is_in(numbers))
        .all(&*write)
        .await?;
    let ids: Vec<Uuid> = accounts.iter().map(|a| a.id).collect();
    supplies::lock_accounts(&write, &ids).await?;
    let accounts: HashMap<&str, &account::Model> = accounts.iter().map(|a| (a.account_no.as_str(), a)).collect();
    let services = supplies::services(&write, &ids).await?;
    let mut taken = references(&write, &request.rows).await?;
    let mut open = late_fees::payable(&write, &ids).await?;
    late_fees::settle(&mut write, &open).await?;
    let now = write.now();
    for row in &request.rows {
        let outcome = parse(row, now).and_then(|parsed| {
            let account = accounts
                .get(row.account_no.as_str())
                .ok_or(Wrong("account_no", "ACCOUNT_UNKNOWN", "there is no such account"))?;
            match taken.get(&(row.channel.clone(), row.channel_reference.clone())) {
                None => Ok(Some((parsed, *account))),
                Some((of, amount)) if *of == account.id && *amount == parsed.amount.fen() => Ok(None),
                Some(_) => Err(wrong("channel_reference", Refusal::PaymentReferenceUnique)),
            }
        });
        match outcome {
            Ok(Some((parsed, account))) => {
                let mut late = lates(&write, &open, account.id, parsed.at.date()).await?;
                let entry = Entry {
                    account,
                    amount: parsed.amount,
                    channel: &row.channel,
                    reference: &row.channel_reference,
                    at: parsed.at,
                    service: parsed.service.or(services.get(&account.id).copied()).unwrap_or(Service::Gas),
                    named: &[],
                };
                enter(&mut write, entry, &mut open, &mut late).await?;
                taken.insert((row.channel.clone(), row.channel_reference.clone()), (account.id, parsed.amount.fen()));
                taken_sum = taken_sum.checked_add(parsed.amount).map_err(Fault::internal)?;
                answer.accepted = answer.accepted.saturating_add(1);
            }
            Ok(None) => answer.repeats = answer.repeats.saturating_add(1),
            Err(Wrong(field, reason, text)) => answer.refused.push(RefusedPaymentRow {
                line: row.line,
                field: field.to_owned(),
                reason: reason.to_owned(),
                text: text.to_owned(),
            }),
        }
    }
    // What was paid earlier stopped late fee earlier, also late fee that was paid meanwhile.
    late_fees::settle(&mut write, &open).await?;
    for account in give_back_late_fees(&mut write, &open).await? {
        settle_others(&mut write, account).await?;
    }
    answer.amount = Some(wire::money(taken_sum));
    write.subject(format!("payments:{}", answer.accepted));
    if request.dry_run {
        return Ok(answer);
    }
    write.commit(answer).await
}

/// References of the chunk that are taken: account and amount of their payments.
async fn references(write: &Write, rows: &[PaymentRow]) -> Result<HashMap<(String, String), (Uuid, i64)>, Fault> {
    let references: HashSet<&str> = rows.iter().map(|r| r.channel_reference.as_str()).collect();
    let found = payment::Entity::find()
        .filter(payment::Column::ChannelReference.is_in(references))
        .all(&**write)
        .await?;
    Ok(found
        .into_iter()
        .map(|p| ((p.channel, p.channel_reference), (p.account_id, p.amount)))
        .collect())
}

/// What was due of late fees on the day of the payment.
async fn lates(write: &Write, open: &[bill::Model], account: Uuid, day: NaiveDate) -> Result<Lates, Fault> {
    let own: Vec<bill::Model> = open.iter().filter(|b| b.account_id == account && b.due_date < day).cloned().collect();
    if own.is_empty() {
        return Ok(Lates::new());
    }
    let reckoned = late_fees::reckon(write, &own, day).await?;
    let late = reckoned.iter().map(|(id, found)| {
        let late = Late {
            due: found.due(),
            principal_first: found.principal_first,
        };
        (*id, late)
    });
    Ok(late.collect())
}

fn wrong(field: &'static str, refusal: Refusal) -> Wrong {
    Wrong(field, refusal.reason(), refusal.message())
}

fn parse(row: &PaymentRow, now: Instant) -> Result<Parsed, Wrong> {
    let amount = Money::parse(&row.amount)
        .ok()
        .filter(|amount| *amount > Money::ZERO && amount.fen() <= 100_000_000_000)
        .ok_or(Wrong("amount", "AMOUNT", "the amount is no number of yuan above 0 with at most two places"))?;
    if row.channel == OPENING {
        return Err(wrong("channel", Refusal::ChannelReserved));
    }
    let letters = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    if !(2..=20).contains(&row.channel.len()) || !row.channel.starts_with(|c: char| c.is_ascii_uppercase()) || !row.channel.bytes().all(letters) {
        return Err(Wrong("channel", "CHANNEL", "a channel is 2 to 20 capital letters, digits and underscores"));
    }
    if !(1..=80).contains(&row.channel_reference.chars().count()) {
        return Err(Wrong("channel_reference", "CHANNEL_REFERENCE", "a reference has 1 to 80 characters"));
    }
    let service = match row.service.as_str() {
        "" => None,
        code => Some(Service::of(code).ok_or(Wrong("service", "SERVICE", "the service is GAS or HEAT"))?),
    };
    let at = moment(&row.paid_at, now).ok_or(Wrong(
        "paid_at",
        "PAID_TIME",
        "the time is neither a day as YYYY-MM-DD nor an RFC 3339 time with an offset",
    ))?;
    if at > now {
        return Err(Wrong("paid_at", "FUTURE_PAYMENT", "the payment lies in the future"));
    }
    Ok(Parsed { amount, at, service })
}

/// A moment, or a day, which counts to its end but not beyond now.
fn moment(text: &str, now: Instant) -> Option<Instant> {
    match text.parse::<NaiveDate>() {
        Ok(day) if day == now.date() => Some(now),
        Ok(day) => Some(Instant::end_of(day)),
        Err(_) => Instant::parse_rfc3339(text).ok(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn row() -> PaymentRow {
        PaymentRow {
            line: 1,
            account_no: "T1".to_owned(),
            amount: "10.50".to_owned(),
            channel: "BANK".to_owned(),
            channel_reference: "1".to_owned(),
            paid_at: "2025-01-31".to_owned(),
            service: String::new(),
        }
    }

    #[test]
    fn a_row_is_read_or_named_with_what_is_wrong() {
        let now = Instant::parse_rfc3339("2025-02-01T10:00:00+08:00").unwrap();
        let good = parse(&row(), now).ok().unwrap();
        assert_eq!(
            (good.amount.fen(), good.at.date().to_string().as_str(), good.service),
            (1050, "2025-01-31", None)
        );
        let today = PaymentRow {
            paid_at: "2025-02-01".to_owned(),
            service: "HEAT".to_owned(),
            ..row()
        };
        let good = parse(&today, now).ok().unwrap();
        assert_eq!((good.at, good.service), (now, Some(Service::Heat)));
        type Change = fn(&mut PaymentRow);
        let wrong: [(Change, &str); 9] = [
            (|r| r.amount = "0".to_owned(), "AMOUNT"),
            (|r| r.amount = "1.234".to_owned(), "AMOUNT"),
            (|r| r.amount = "-1".to_owned(), "AMOUNT"),
            (|r| r.channel = "bank".to_owned(), "CHANNEL"),
            (|r| r.channel = "OPENING".to_owned(), "CHANNEL_RESERVED"),
            (|r| r.channel_reference = String::new(), "CHANNEL_REFERENCE"),
            (|r| r.paid_at = "31.1.2025".to_owned(), "PAID_TIME"),
            (|r| r.paid_at = "2025-02-02".to_owned(), "FUTURE_PAYMENT"),
            (|r| r.service = "WATER".to_owned(), "SERVICE"),
        ];
        for (change, reason) in wrong {
            let mut bad = row();
            change(&mut bad);
            assert_eq!(parse(&bad, now).err().map(|w| w.1), Some(reason));
        }
    }
}
