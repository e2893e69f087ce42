//! A bill as a document: what stands in it. How it looks is the template's.

use calendar::{Instant, NaiveDate};
use contracts::hearth::billing::v1::{GetBillDocumentRequest, GetBillDocumentResponse};
use database::{Conn, Scope};
use document::{Document, Facts, Line, Month, Note, Standing};
use money::{Money, UnitPrice, Volume};
use rating::Explanation;
use rpc::{Call, Fault, wire};
use sea_orm::EntityTrait;

use super::{
    model::{BillKind, BillState},
    store::{self, bill, explanation, line},
};
use crate::{Desk, profile::store::book, reading::store::reading, supply::model::Service, supply::store::supply};

/// Months that the bars show: a year, and the same month of the year before.
const MONTHS: i32 = 13;

/// GetBillDocument.
pub async fn document(desk: Desk, call: Call, request: GetBillDocumentRequest) -> Result<GetBillDocumentResponse, Fault> {
    let conn = desk.db.reader();
    let row = store::one(conn, &Scope::of(&call), wire::id_of("bill_id", &request.bill_id)?).await?;
    let document = content(conn, &row).await?;
    let template = desk.template.clone();
    // Drawing takes milliseconds of one processor, which other calls would wait for.
    let printed = tokio::task::spawn_blocking(move || template.print(&document)).await;
    let printed = printed.map_err(Fault::internal)?.map_err(Fault::internal)?;
    Ok(GetBillDocumentResponse {
        content: printed.pdf,
        media_type: "application/pdf".to_owned(),
        file_name: format!("{}.pdf", safe(&row.bill_no)),
        missing_characters: i32::try_from(printed.missing).unwrap_or(i32::MAX),
    })
}

fn safe(number: &str) -> String {
    let kept = |char: char| char.is_alphanumeric() || matches!(char, '-' | '.');
    number.chars().map(|char| if kept(char) { char } else { '_' }).collect()
}

async fn content(conn: &Conn, row: &bill::Model) -> Result<Document, Fault> {
    let (kind, reversed) = (row.kind()?, row.state()? == BillState::Reversed);
    let metered = matches!(kind, BillKind::Regular | BillKind::HeatSettlement) && !row.unit().is_empty();
    let mut facts = Facts::default()
        .with("bill_no", &row.bill_no)
        .with("bill_id", row.id)
        .with("kind", format!("{}_{}", row.service().code(), kind.code()))
        .with("branch", &row.branch)
        .with("account_no", &row.account_no)
        .with("use_class", &row.use_class)
        .with("season", row.season.as_deref().unwrap_or_default())
        .with("from_date", first_day(row.from_date, row.to_date))
        .with("to_date", row.to_date)
        .with("issue_date", row.issue_date)
        .with("due_date", row.due_date)
        .with_money("amount", Money::from_fen(row.amount))
        .with("credit_note_no", &row.credit_note_no);
    if row.persons > 0 {
        facts = facts.with("persons", row.persons);
    }
    if let Some(agreement) = supply::Entity::find_by_id(row.agreement_id).one(conn).await? {
        facts = facts.with("agreement_no", agreement.agreement_no);
    }
    if metered {
        let litres = |litres| Volume::from_litres(litres).short().to_string();
        facts = facts
            .with("from_index", litres(row.from_index))
            .with("to_index", litres(row.to_index))
            .with("volume", litres(row.volume))
            .with("unit", row.unit());
        if row.estimated {
            facts = facts.with("estimated", "估算 Estimated");
        }
        if row.service() == Service::Gas {
            facts = facts
                .with("tier_year", row.tier_year)
                .with("volume_before", litres(row.volume_before))
                .with("conversion", factors(conn, row).await?);
        }
        if let Some(id) = row.reading_id
            && let Some(read) = reading::Entity::find_by_id(id).one(conn).await?
        {
            facts = facts.with("meter_no", read.meter_no).with("photo", read.photo_file);
        }
    }
    // Heat bears no late fee yet, and a bill follows the profile of its day of issue (decision 6).
    let profiles = book(conn).await?;
    let terms = profiles.on(&row.branch, row.issue_date);
    if row.service() == Service::Gas && terms.late_fee_millionths > 0 {
        // A millionth is a thousandth of a thousandth.
        let permille = Volume::from_litres(terms.late_fee_millionths.into()).short();
        facts = facts.with("late_fee_permille", permille).with("late_fee_cap", terms.late_fee_cap_percent);
    }
    if reversed {
        if let Some(replacement) = store::replacement(conn, row.id).await? {
            facts = facts.with("replaced_by", replacement.bill_no);
        }
    } else {
        for (name, fen) in [("credited", row.credited), ("paid", row.paid)] {
            if fen != 0 {
                facts = facts.with_money(name, Money::from_fen(fen));
            }
        }
        facts = facts.with_money("due", Money::from_fen(row.rest())).with("due_fen", row.rest());
    }
    let standing = match (reversed, row.rest() > 0) {
        (true, _) => Standing::Reversed,
        (false, true) => Standing::Open,
        (false, false) => Standing::Settled,
    };
    let notes = store::notes(conn, &[row.id]).await?;
    Ok(Document {
        facts,
        lines: store::lines(conn, row.id).await?.into_iter().map(|l| shown(row, l)).collect(),
        notes: notes
            .into_iter()
            .map(|note| Note {
                number: note.credit_note_no,
                date: Instant::from_micros(note.created_at).date(),
                amount: Money::from_fen(note.amount),
            })
            .collect(),
        standing,
        history: if metered && kind == BillKind::Regular {
            history(conn, row).await?
        } else {
            vec![]
        },
    })
}

/// The factors by which what was counted came to the volume, in the order of its parts; empty where nothing was converted.
async fn factors(conn: &Conn, row: &bill::Model) -> Result<String, Fault> {
    let Some(kept) = explanation::Entity::find_by_id(row.id).one(conn).await? else {
        return Ok(String::new());
    };
    let explained = Explanation::from_text(kept.content);
    let entries = explained.entries().map_err(Fault::internal)?;
    let factors = entries
        .iter()
        .filter(|entry| entry.name.ends_with(".factor"))
        .flat_map(|entry| entry.values.clone());
    Ok(factors.collect::<Vec<_>>().join(", "))
}

/// The first day of a period that is kept by the day before it; a fee has the one day of its service.
fn first_day(before: NaiveDate, last: NaiveDate) -> NaiveDate {
    if before < last { before.succ_opt().unwrap_or(last) } else { last }
}

fn shown(row: &bill::Model, line: line::Model) -> Line {
    let unit = match line.unit {
        Some(unit) => unit,
        None if row.fee_item_id.is_some() => String::new(),
        None => row.unit().to_owned(),
    };
    Line {
        reason: line.reason,
        tier: line.tier,
        period: (first_day(line.from_date, line.to_date), line.to_date),
        quantity: Volume::from_litres(line.volume),
        unit,
        price: UnitPrice::from_micros(line.price),
        amount: Money::from_fen(line.amount),
    }
}

/// The months up to that of the bill; its own is that of the bill, whether it stands or not.
async fn history(conn: &Conn, row: &bill::Model) -> Result<Vec<Month>, Fault> {
    let billed = store::months(conn, row.agreement_id, row.unit(), row.year.saturating_sub(2)).await?;
    let last = row.year.saturating_mul(12).saturating_add(row.month).saturating_sub(1);
    let first = last.saturating_sub(MONTHS).saturating_add(1);
    Ok((first..=last)
        .map(|n| {
            let (year, month) = (n.div_euclid(12), n.rem_euclid(12).saturating_add(1));
            let own = (n == last && row.state == BillState::Reversed.code()).then_some(row.volume);
            Month {
                year,
                month,
                volume: own.or_else(|| billed.get(&(year, month)).copied()).map(Volume::from_litres),
            }
        })
        .collect())
}
