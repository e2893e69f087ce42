//! What billing tells of bills, payments and disputes, and how the books are made anew from it.

use chrono::NaiveDate;
use contracts::hearth::{
    billing::v1::{BillCredited, BillDisputeAnswered, BillDisputed, BillIssued, BillReversed, LateFeePaid, PaymentReceived, PaymentReversed},
    journal::v1::{WatchEventsRequest, journal_service_client::JournalServiceClient},
};
use database::{Consumer, Event, Write};
use money::Money;
use prost::{Message, Name};
use rpc::{Fault, wire};
use uuid::Uuid;

use super::{books, watch};
use crate::{Desk, agreement::missing, integrity::dispute};

/// Takes what billing tells of bills, payments and disputes.
pub(crate) struct FromBilling(pub Desk);

#[tonic::async_trait]
impl Consumer for FromBilling {
    async fn take(&self, write: &mut Write, event: &Event) -> Result<(), Fault> {
        if let Some(told) = read::<BillIssued>(event)?.filter(|told| told.de_facto) {
            missing::billed(write, &told).await?;
        }
        match enter(write, event, None).await? {
            Some(party) => watch::party_owes(write, &self.0.vault, party).await,
            None => Ok(()),
        }
    }
}

/// Enters an event; the party that owes more or less by it, or nothing where it is about something else. `only`: the parties whose events are
/// wanted.
async fn enter(write: &Write, event: &Event, only: Option<&[Uuid]>) -> Result<Option<Uuid>, Fault> {
    let wanted = |party: &str| -> Result<Option<Uuid>, Fault> {
        let party: Uuid = wire::id_of("party_id", party)?;
        Ok(only.is_none_or(|only| only.contains(&party)).then_some(party))
    };
    if let Some(told) = read::<BillIssued>(event)? {
        let Some(party_id) = wanted(&told.party_id)? else { return Ok(None) };
        let row = books::bill::Model {
            id: wire::id_of("bill_id", &told.bill_id)?,
            party_id,
            account_id: wire::id_of("account_id", &told.account_id)?,
            year: told.year,
            month: told.month,
            amount: wire::money_of(told.amount.as_ref(), "amount")?.fen(),
            credited: 0,
            issue_date: wire::date_of(told.issue_date.as_ref(), "issue_date")?,
            due_date: wire::date_of(told.due_date.as_ref(), "due_date")?,
            paid_date: None,
            kind: told.kind().as_str_name().trim_start_matches("KIND_").to_owned(),
            agreement_id: (!told.agreement_id.is_empty())
                .then(|| wire::id_of("agreement_id", &told.agreement_id))
                .transpose()?,
            used_from: wire::date_if(told.from_date.as_ref(), "from_date")?,
            used_to: wire::date_if(told.to_date.as_ref(), "to_date")?,
        };
        books::issued(write, row).await?;
        Ok(Some(party_id))
    } else if let Some(told) = read::<BillReversed>(event)? {
        let Some(party_id) = wanted(&told.party_id)? else { return Ok(None) };
        let fen = wire::money_of(told.amount.as_ref(), "amount")?.fen();
        books::credited(write, wire::id_of("bill_id", &told.bill_id)?, fen).await?;
        Ok(Some(party_id))
    } else if let Some(told) = read::<BillCredited>(event)? {
        let Some(party_id) = wanted(&told.party_id)? else { return Ok(None) };
        let fen = wire::money_of(told.credited.as_ref(), "credited")?.fen();
        let day = wire::date_of(told.date.as_ref(), "date")?;
        books::lowered(write, wire::id_of("bill_id", &told.bill_id)?, fen, told.settled.then_some(day)).await?;
        Ok(Some(party_id))
    } else if let Some(told) = read::<PaymentReceived>(event)? {
        let Some(party_id) = wanted(&told.party_id)? else { return Ok(None) };
        let row = books::payment::Model {
            id: wire::id_of("payment_id", &told.payment_id)?,
            party_id,
            account_id: wire::id_of("account_id", &told.account_id)?,
            receipt_no: told.receipt_no.clone(),
            amount: wire::money_of(told.amount.as_ref(), "amount")?.fen(),
            reversed: 0,
            paid_date: wire::date_of(told.date.as_ref(), "date")?,
            late_fee: told
                .late_fee
                .as_ref()
                .map_or(Ok(0), |fee| wire::money_of(Some(fee), "late_fee").map(Money::fen))?,
        };
        books::paid(write, row, ids("settled_bill_ids", &told.settled_bill_ids)?).await?;
        Ok(Some(party_id))
    } else if let Some(told) = read::<LateFeePaid>(event)? {
        let Some(party_id) = wanted(&told.party_id)? else { return Ok(None) };
        let fen = wire::money_of(told.late_fee.as_ref(), "late_fee")?.fen();
        books::late_fee(write, wire::id_of("payment_id", &told.payment_id)?, fen).await?;
        Ok(Some(party_id))
    } else if let Some(told) = read::<PaymentReversed>(event)? {
        let Some(party_id) = wanted(&told.party_id)? else { return Ok(None) };
        let fen = wire::money_of(told.amount.as_ref(), "amount")?.fen();
        let reopened = ids("reopened_bill_ids", &told.reopened_bill_ids)?;
        books::bounced(write, wire::id_of("payment_id", &told.payment_id)?, fen, reopened).await?;
        Ok(Some(party_id))
    } else if let Some(told) = read::<BillDisputed>(event)? {
        if let Some(party_id) = wanted(&told.party_id)? {
            dispute::taken(write, party_id, &told, day(write, event)?).await?;
        }
        Ok(None)
    } else if let Some(told) = read::<BillDisputeAnswered>(event)? {
        if wanted(&told.party_id)?.is_some() {
            dispute::answered(write, &told, day(write, event)?).await?;
        }
        Ok(None)
    } else {
        Ok(None)
    }
}

/// The day on which an event became true; today where it does not say.
fn day(write: &Write, event: &Event) -> Result<NaiveDate, Fault> {
    let time = event.time.as_ref().map(|time| wire::time_of(Some(time), "time")).transpose()?;
    Ok(time.unwrap_or(write.now()).date())
}

fn ids(field: &str, texts: &[String]) -> Result<Vec<Uuid>, Fault> {
    texts.iter().map(|text| wire::id_of(field, text)).collect()
}

fn read<M: Message + Name + Default>(event: &Event) -> Result<Option<M>, Fault> {
    if event.r#type != M::full_name() {
        return Ok(None);
    }
    M::decode(event.data.as_slice()).map(Some).map_err(Fault::internal)
}

/// Everything that billing has told up to where this service has taken it.
pub(crate) async fn told(desk: &Desk, position: i64) -> Result<Vec<Event>, Fault> {
    let mut all = vec![];
    if position == 0 {
        return Ok(all);
    }
    let mut client = JournalServiceClient::new(desk.billing.channel());
    let request = tonic::Request::new(WatchEventsRequest { after_position: 0 });
    let mut events = client.watch_events(request).await.map_err(|s| desk.billing.fault(s))?.into_inner();
    while let Some(answer) = events.message().await.map_err(|s| desk.billing.fault(s))? {
        let Some(event) = answer.event else { continue };
        if event.position > position {
            break;
        }
        let last = event.position == position;
        // Only what the books know is kept: the rest of the journal may be long.
        let kinds = [
            BillIssued::full_name(),
            BillReversed::full_name(),
            BillCredited::full_name(),
            PaymentReceived::full_name(),
            LateFeePaid::full_name(),
            PaymentReversed::full_name(),
            BillDisputed::full_name(),
            BillDisputeAnswered::full_name(),
        ];
        if kinds.contains(&event.r#type) {
            all.push(event);
        }
        if last {
            break;
        }
    }
    Ok(all)
}

/// Makes the books of parties anew (B-09), and enters what was missed of their disputes; says how many bills and payments there are.
pub(crate) async fn rebuild(write: &Write, parties: &[Uuid], told: &[Event]) -> Result<(usize, usize), Fault> {
    books::forget(write, parties).await?;
    for event in told {
        enter(write, event, Some(parties)).await?;
    }
    let books = books::load(write, parties).await?;
    Ok((books.bills.len(), books.payments.len()))
}
