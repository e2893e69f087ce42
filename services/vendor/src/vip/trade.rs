//! Taking over trades of the companies of the group, and how vendors behaved after quality problems.

use std::collections::HashMap;

use chrono::NaiveDate;
use contracts::hearth::vendor::v1::{AssessCooperationRequest, AssessCooperationResponse, ImportTradesRequest, ImportTradesResponse, TradeNotice, TradeRow};
use database::{Begun, Write};
use ids::CreditCode;
use rpc::{Call, Code, Fault, wire};

use super::{
    model::{Left, Trade},
    store,
};
use crate::{Desk, keys::TradeId, refusal::Refusal};

/// One chunk, one transaction.
pub async fn import(desk: Desk, call: Call, request: ImportTradesRequest) -> Result<ImportTradesResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let today = write.now().date();
    let mut books = Books::load(&write, &request.rows).await?;
    let (mut answer, mut fresh) = (ImportTradesResponse::default(), vec![]);
    // A reversal may stand above the trade that it takes back.
    let (trades, reversals): (Vec<_>, Vec<_>) = request.rows.iter().partition(|row| row.reverses_reference.trim().is_empty());
    for row in trades.into_iter().chain(reversals) {
        match trade_of(row, today).and_then(|trade| books.decide(trade)) {
            Ok(Some(trade)) => {
                fresh.push(trade);
                answer.accepted = answer.accepted.saturating_add(1);
            }
            Ok(None) => answer.unchanged = answer.unchanged.saturating_add(1),
            Err((field, refusal)) => answer.refused.push(TradeNotice {
                line: row.line,
                field: field.to_owned(),
                reason: refusal.reason().to_owned(),
                text: refusal.message().to_owned(),
            }),
        }
    }
    answer.refused.sort_by_key(|notice| notice.line);
    store::insert_trades(&write, &fresh, write.now()).await.map_err(again)?;
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
fn trade_of(row: &TradeRow, today: NaiveDate) -> Result<Trade, (&'static str, Refusal)> {
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
    Trade {
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
    .checked()
}

/// What a chunk meets.
struct Books {
    /// Trades that were there before.
    before: HashMap<String, Trade>,
    /// These, and those of the chunk so far.
    known: HashMap<String, Trade>,
    /// What is left of those that may be taken back.
    left: HashMap<String, Left>,
}

impl Books {
    async fn load(write: &Write, rows: &[TradeRow]) -> Result<Self, Fault> {
        let named = rows.iter().flat_map(|row| [row.reference.trim(), row.reverses_reference.trim()]);
        let references: Vec<_> = named.filter(|reference| !reference.is_empty()).map(str::to_owned).collect();
        let before = store::trades(write, &references).await?;
        let taken_back = rows.iter().filter_map(|row| before.get(row.reverses_reference.trim()));
        let left = store::left_of(write, taken_back.filter(|original| original.amount > 0)).await?;
        Ok(Self {
            known: before.clone(),
            before,
            left,
        })
    }

    /// Takes in a trade that is new; one that was there before is left, one that stands twice in a chunk is a mistake.
    fn decide(&mut self, trade: Trade) -> Result<Option<Trade>, (&'static str, Refusal)> {
        match (self.before.get(&trade.reference), self.known.contains_key(&trade.reference)) {
            (Some(kept), _) if kept.is_same(&trade) => return Ok(None),
            (Some(_), _) => return Err(("reference", Refusal::ReferenceTaken)),
            (None, true) => return Err(("reference", Refusal::Duplicate)),
            (None, false) => {}
        }
        let trade = if trade.reverses.is_empty() {
            self.left.insert(trade.reference.clone(), Left::all(&trade));
            trade
        } else {
            self.take_back(trade)?
        };
        self.known.insert(trade.reference.clone(), trade.clone());
        Ok(Some(trade))
    }

    /// Measures a reversal against its original. What is taken back counts where the trade itself counts.
    fn take_back(&mut self, reversal: Trade) -> Result<Trade, (&'static str, Refusal)> {
        let original = self.known.get(&reversal.reverses).filter(|original| original.uscc == reversal.uscc);
        let (original, left) = original
            .zip(self.left.get_mut(&reversal.reverses))
            .ok_or(("reverses_reference", Refusal::ReversalUnknown))?;
        if reversal.date < original.date {
            return Err(("trade_date", Refusal::ReversalDate));
        }
        *left = left.after(&reversal)?;
        Ok(Trade {
            counted: original.date,
            ..reversal
        })
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
    let mut found = store::trades(&write, std::slice::from_ref(&request.reference)).await?;
    let trade = found.remove(&request.reference).ok_or_else(|| Fault::not_found("trade", &request.reference))?;
    if trade.quality_fault <= 0 {
        return Err(Refusal::NoQualityProblem.into());
    }
    store::save_cooperation(&write, trade.id, request.cooperative, &request.statement, call.subject()).await?;
    write.subject(trade.id);
    write
        .commit(AssessCooperationResponse {
            reference: trade.reference,
            cooperative: request.cooperative,
        })
        .await
}
