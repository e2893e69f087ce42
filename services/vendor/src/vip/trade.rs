//! Taking over trades of the companies of the group, and how vendors behaved after quality problems.

use std::collections::HashMap;

use chrono::NaiveDate;
use contracts::hearth::vendor::v1::{AssessCooperationRequest, AssessCooperationResponse, ImportTradesRequest, ImportTradesResponse, TradeNotice, TradeRow};
use database::Begun;
use ids::CreditCode;
use rpc::{Call, Code, Fault, wire};

use super::{model::Trade, store};
use crate::{Desk, keys::TradeId, refusal::Refusal};

/// One chunk, one transaction.
pub async fn import(desk: Desk, call: Call, request: ImportTradesRequest) -> Result<ImportTradesResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let today = write.now().date();
    let named = request.rows.iter().flat_map(|row| [row.reference.clone(), row.reverses_reference.clone()]);
    let references: Vec<_> = named.filter(|reference| !reference.is_empty()).collect();
    let mut known = store::trades(&*write, &references).await?;
    let before = known.clone();
    let (mut answer, mut fresh) = (ImportTradesResponse::default(), vec![]);
    for row in &request.rows {
        let decided = trade_of(row, &known, today).and_then(|trade| decide(&trade, &before, &known).map(|is_new| (trade, is_new)));
        match decided {
            Ok((trade, true)) => {
                known.insert(trade.reference.clone(), trade.clone());
                fresh.push(trade);
                answer.accepted = answer.accepted.saturating_add(1);
            }
            Ok((_, false)) => answer.unchanged = answer.unchanged.saturating_add(1),
            Err((field, refusal)) => answer.refused.push(TradeNotice {
                line: row.line,
                field: field.to_owned(),
                reason: refusal.reason().to_owned(),
                text: refusal.message().to_owned(),
            }),
        }
    }
    store::insert_trades(&*write, &fresh, write.now()).await.map_err(again)?;
    if request.dry_run {
        // Dropped without a commit, the write leaves nothing.
        return Ok(answer);
    }
    for trade in &fresh {
        write.subject(trade.id);
    }
    write.commit(answer).await
}

/// A row as a trade.
fn trade_of(row: &TradeRow, known: &HashMap<String, Trade>, today: NaiveDate) -> Result<Trade, (&'static str, Refusal)> {
    let required = |field: &'static str, text: &str| {
        let text = text.trim();
        if text.is_empty() {
            Err((field, Refusal::Required))
        } else {
            Ok(text.to_owned())
        }
    };
    let day = row.trade_date.as_ref().ok_or(("trade_date", Refusal::Required))?;
    let date = wire::date_of(Some(day), "trade_date").map_err(|_| ("trade_date", Refusal::Required))?;
    if date > today {
        return Err(("trade_date", Refusal::DateInFuture));
    }
    let uscc = CreditCode::parse(&row.uscc).map_err(|_| ("uscc", Refusal::UsccInvalid))?.as_str().to_owned();
    let fen = |field: &'static str, money: Option<&contracts::hearth::r#type::v1::Money>| {
        wire::money_of(money, field).map(|money| money.fen()).map_err(|_| (field, Refusal::Required))
    };
    let quality_fault = match &row.quality_fault {
        Some(fault) => fen("quality_fault", Some(fault))?,
        None => 0,
    };
    let trade = Trade {
        id: TradeId::new(),
        reference: required("reference", &row.reference)?,
        date,
        counted: date,
        company: required("company", &row.company)?,
        uscc,
        amount: fen("amount", row.amount.as_ref())?,
        quality_fault,
        reverses: row.reverses_reference.trim().to_owned(),
    }
    .checked()?;
    if trade.reverses.is_empty() {
        return Ok(trade);
    }
    // What is taken back counts where the trade itself counts.
    let original = known.get(&trade.reverses).filter(|original| original.uscc == trade.uscc && original.amount > 0);
    let counted = original.ok_or(("reverses_reference", Refusal::ReversalUnknown))?.date;
    Ok(Trade { counted, ..trade })
}

/// Whether a trade is new: one that was there before is left, one that stands twice in a chunk is a mistake.
fn decide(trade: &Trade, before: &HashMap<String, Trade>, known: &HashMap<String, Trade>) -> Result<bool, (&'static str, Refusal)> {
    match (before.get(&trade.reference), known.contains_key(&trade.reference)) {
        (Some(kept), _) if kept.is_same(trade) => Ok(false),
        (Some(_), _) => Err(("reference", Refusal::ReferenceTaken)),
        (None, true) => Err(("reference", Refusal::Duplicate)),
        (None, false) => Ok(true),
    }
}

/// Somebody wrote the same references between our look and our insert: the chunk is decided anew.
fn again(fault: Fault) -> Fault {
    if fault.code() == Code::AlreadyExists {
        Fault::aborted("CONTENTION", "others are writing the same trades; try again").because(fault)
    } else {
        fault
    }
}

/// Records how a vendor behaved after a quality problem.
pub async fn assess(desk: Desk, call: Call, request: AssessCooperationRequest) -> Result<AssessCooperationResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut found = store::trades(&*write, std::slice::from_ref(&request.reference)).await?;
    let trade = found.remove(&request.reference).ok_or_else(|| Fault::not_found("trade", &request.reference))?;
    if trade.quality_fault <= 0 {
        return Err(Refusal::NoQualityProblem.into());
    }
    store::save_cooperation(&*write, trade.id, request.cooperative, &request.statement, call.subject()).await?;
    write.subject(trade.id);
    write
        .commit(AssessCooperationResponse {
            reference: trade.reference,
            cooperative: request.cooperative,
        })
        .await
}
