//! How a bill came to its amount (B18): the steps that were written while it was priced, or, where none were, the steps from its lines on.

use std::fmt::Write as _;

use contracts::hearth::billing::v1::{BillExplanation, ExplainBillRequest, ExplainBillResponse, ExplanationStep};
use database::Scope;
use money::{Exact, Money, UnitPrice, Volume, amount, round_together};
use rating::{Explanation, Rule};
use rpc::{Call, Fault, wire};
use sea_orm::EntityTrait;

use super::store::{self, bill, explanation, line};
use crate::Desk;

/// ExplainBill.
pub async fn explain(desk: Desk, call: Call, request: ExplainBillRequest) -> Result<ExplainBillResponse, Fault> {
    let conn = desk.db.reader();
    let row = store::one(conn, &Scope::of(&call), wire::id_of("bill_id", &request.bill_id)?).await?;
    let content = match explanation::Entity::find_by_id(row.id).one(conn).await? {
        Some(kept) => kept.content,
        None => of_lines(&store::lines(conn, row.id).await?).map_err(Fault::internal)?,
    };
    Ok(ExplainBillResponse {
        explanation: Some(message(&row, content)?),
    })
}

/// The message of an explanation.
pub fn message(row: &bill::Model, content: String) -> Result<BillExplanation, Fault> {
    let explanation = Explanation::from_text(content);
    let words = |words: Vec<&str>| words.into_iter().map(str::to_owned).collect();
    let entries = explanation.entries().map_err(Fault::internal)?.into_iter();
    let steps = entries.map(|entry| ExplanationStep {
        name: entry.name.to_owned(),
        rule: entry.rule.map_or("", Rule::code).to_owned(),
        inputs: words(entry.inputs),
        values: words(entry.values),
        text: entry.text.to_owned(),
    });
    Ok(BillExplanation {
        bill_id: row.id.to_string(),
        bill_no: row.bill_no.clone(),
        kind: row.kind()?.number(),
        steps: steps.collect(),
        amount: Some(wire::money(Money::from_fen(row.amount))),
        content: explanation.into_text(),
    })
}

/// The steps from lines on: quantity × price each, their sum rounded once and spread. Lines that come to their amounts in another way, such as a
/// surcharge on a rounded fee, stand as they are.
fn of_lines(lines: &[line::Model]) -> Result<String, money::Overflow> {
    // Ties go to the lower tier, then to the earlier line; the sort is stable.
    let mut lines: Vec<&line::Model> = lines.iter().collect();
    lines.sort_by_key(|l| l.tier);
    let exact = lines
        .iter()
        .map(|l| amount(Volume::from_litres(l.volume), UnitPrice::from_micros(l.price)))
        .collect::<Result<Vec<Exact>, _>>()?;
    let (total, spread) = round_together(&exact)?;
    let amounts: Vec<Money> = lines.iter().map(|l| Money::from_fen(l.amount)).collect();
    let names = |letter: char| (1..=lines.len()).map(|n| format!(" {letter}{n}")).collect::<String>();
    let mut text = String::new();
    // Writing to a string cannot fail.
    for (n, line) in (1..).zip(&lines) {
        let _ = writeln!(text, "t{n} is {}", line.reason);
    }
    if spread == amounts {
        for ((n, line), exact) in (1..).zip(&lines).zip(&exact) {
            let (quantity, price) = (Volume::from_litres(line.volume).short(), UnitPrice::from_micros(line.price).short());
            let _ = writeln!(text, "a{n} mul {quantity} {price} = {}", plain(*exact));
        }
        let sum = plain(Exact::sum(exact)?);
        let values: String = amounts.iter().map(|a| format!(" {}", a.short())).collect();
        let _ = writeln!(text, "sum add{} = {sum}", names('a'));
        let _ = writeln!(text, "total round half_up 0.01 sum = {}", total.short());
        let _ = writeln!(text, "lines spread 0.01 total{} ={values}", names('a'));
    } else {
        for (n, amount) in (1..).zip(&amounts) {
            let _ = writeln!(text, "l{n} given = {}", amount.short());
        }
        let _ = writeln!(text, "total add{} = {}", names('l'), Money::sum(amounts)?.short());
    }
    Ok(text)
}

/// An exact amount without trailing zeros.
fn plain(exact: Exact) -> String {
    let text = exact.to_string();
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn line(tier: i32, litres: i64, micros: i64, fen: i64) -> line::Model {
        let day = calendar::NaiveDate::from_ymd_opt(2025, 1, 31).unwrap();
        line::Model {
            bill_id: Uuid::nil(),
            ordinal: tier,
            tier,
            volume: litres,
            price: micros,
            amount: fen,
            reason: "TIER".to_owned(),
            tariff_id: None,
            tier_year: 2025,
            from_date: day,
            to_date: day,
            unit: None,
        }
    }

    #[test]
    fn edge_28_is_explained_from_its_lines() {
        // 0.5 × 2.61 + 0.5 × 2.83 = 1.305 + 1.415 = 2.72: the fen that is left goes to the earlier of two equal remainders.
        let text = of_lines(&[line(1, 500, 2_610_000, 131), line(2, 500, 2_830_000, 141)]).unwrap();
        let expected = "t1 is TIER\nt2 is TIER\na1 mul 0.5 2.61 = 1.305\na2 mul 0.5 2.83 = 1.415\nsum add a1 a2 = 2.72\n\
            total round half_up 0.01 sum = 2.72\nlines spread 0.01 total a1 a2 = 1.31 1.41\n";
        assert_eq!(text, expected);
        assert_eq!(Explanation::from_text(text).check().map(|total| total.to_string()), Ok("2.72".to_owned()));
    }

    #[test]
    fn what_does_not_follow_from_its_lines_is_not_claimed_to() {
        let text = of_lines(&[line(0, 80_500, 24_000_000, 193_200), line(0, 80_500, 3_000_000, 24_151)]).unwrap();
        assert_eq!(text, "t1 is TIER\nt2 is TIER\nl1 given = 1932\nl2 given = 241.51\ntotal add l1 l2 = 2173.51\n");
    }
}
