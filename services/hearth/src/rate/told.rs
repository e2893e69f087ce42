//! Bills as a table.

use anyhow::Result;
use comfy_table::{CellAlignment, Table, presets};
use money::{Money, Volume, amount};
use rating::{Line, Price, Quantity, Reason, Span, Tariff};

use super::bill::Bill;
use crate::import::figures::{count, yuan};

/// Names the tariff, then every bill with its lines and their reasons, then the sums.
pub fn told(tariff: &Tariff, class: &str, bills: &[Bill], explain: bool) -> Result<String> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["bill", "tier", "m³", "yuan", "formula", "amount", "reason"]);
    let span = Over::of(tariff, class)?;
    for bill in bills {
        let mut name = told_use(bill);
        for line in &bill.rated.lines {
            let tier = if line.tier == 0 { String::new() } else { line.tier.to_string() };
            let (volume, formula) = match line.quantity {
                Quantity::Volume(volume) => {
                    let exact = amount(volume, line.unit_price)?.to_string();
                    let exact = exact.trim_end_matches('0').trim_end_matches('.');
                    (
                        volume.short().to_string(),
                        format!("{} × {} = {exact}", volume.short(), line.unit_price.short()),
                    )
                }
                _ => (String::new(), String::new()),
            };
            let reason = format!("{}: {}", line.reason.code(), why(line, bill, span));
            table.add_row([
                std::mem::take(&mut name),
                tier,
                volume,
                line.unit_price.short().to_string(),
                formula,
                line.amount.to_string(),
                reason,
            ]);
        }
        let volume = bill.usage.volume.short().to_string();
        let total = ["", &volume, "", "", &bill.rated.total.to_string(), "total, rounded once"].map(str::to_owned);
        table.add_row(std::iter::once(name).chain(total));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    for place in [1, 2, 3, 5] {
        if let Some(column) = table.column_mut(place) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let mut text = format!(
        "{}, in force from {}\n{}, {}\nclass {class}\n\n{}",
        tariff.name,
        tariff.effective_from,
        tariff.legal_basis,
        tariff.approved_by,
        table.trim_fmt()
    );
    if explain {
        for bill in bills {
            text.push_str(&format!("\n\n{}\n{}", told_use(bill), bill.rated.explanation.as_str().trim_end()));
        }
    }
    if bills.len() > 1 {
        let volume = Volume::sum(bills.iter().map(|b| b.usage.volume))?;
        let sum = Money::sum(bills.iter().map(|b| b.rated.total))?;
        text.push_str(&format!(
            "\n\n{} bills, {} m³, {}",
            count(i128::try_from(bills.len())?),
            volume.short(),
            yuan(sum.fen())
        ));
    }
    Ok(text)
}

fn told_use(bill: &Bill) -> String {
    let usage = &bill.usage;
    match usage.period {
        Some((from, to)) => format!("{} {from} to {to}", usage.account),
        None => format!("{} m³", usage.volume.short()),
    }
}

/// What the tiers of a class count.
#[derive(Clone, Copy)]
enum Over {
    TierYear,
    Bill,
    Whole,
}

impl Over {
    fn of(tariff: &Tariff, class: &str) -> Result<Self> {
        let mut over = Self::Bill;
        for component in &tariff.class(class)?.components {
            over = match component.price {
                Price::Graduated(_, Span::TierYear) => Self::TierYear,
                Price::Graduated(_, Span::Bill) => Self::Bill,
                Price::Whole(_) => Self::Whole,
                Price::Standing(..) | Price::Unit(..) => over,
            };
        }
        Ok(over)
    }
}

fn why(line: &Line, bill: &Bill, over: Over) -> String {
    let profile = &bill.usage.profile;
    match line.reason {
        Reason::Tier => within(line, bill, over),
        Reason::HouseholdTier => format!("{}, bounds raised for {} persons", within(line, bill, over), profile.persons),
        Reason::LowIncome => format!("{}, at the price for low income", within(line, bill, over)),
        Reason::FreeVolume => "given free by the month, at the price of tier 1".to_owned(),
        Reason::FlatChoice => format!("flat price, chosen by a household of {} persons", profile.persons),
        Reason::TierFee => "due once on entering the tier".to_owned(),
        Reason::Unit => "one price for every m³".to_owned(),
        Reason::HeightSurcharge => "surcharge for high rooms".to_owned(),
        Reason::Fixed => match line.quantity {
            Quantity::Days(days) => format!("due for {days} days"),
            _ => "standing charge".to_owned(),
        },
        Reason::Tax => "tax on the lines above".to_owned(),
        Reason::Rounding => "what the tariff's rounding takes or adds".to_owned(),
    }
}

/// The part of the tiers that a line covers.
fn within(line: &Line, bill: &Bill, over: Over) -> String {
    let Quantity::Volume(volume) = line.quantity else { return String::new() };
    let to = line.from.checked_add(volume).unwrap_or(Volume::MAX);
    let part = format!("m³ {} to {}", line.from.short(), to.short());
    match (over, bill.years.get(line.segment)) {
        (Over::TierYear, Some(year)) => format!("{part} of tier year {year}"),
        (Over::TierYear | Over::Bill, _) => format!("{part} of the bill"),
        (Over::Whole, _) => "the tier that holds the whole volume prices all of it".to_owned(),
    }
}
