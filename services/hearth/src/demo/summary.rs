//! What a person wants to know when the year is over.

use std::{collections::BTreeMap, path::Path};

use anyhow::Result;
use comfy_table::{CellAlignment, Table, presets};
use contracts::hearth::{
    billing::v1::{reading_exception, reading_exception::Code},
    hall::v1::{Deadline, deadline},
};

use super::{
    cast::Cast,
    checks::{Facts, failed},
    filing::Filed,
    payments,
    stage::seconds,
    year::Year,
};
use crate::{
    import::figures::{count, fen, fixed, yuan},
    say::program,
};

fn size(n: usize) -> String {
    count(i64::try_from(n).unwrap_or_default())
}

fn rows(lines: &[(&str, String)]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    for (name, text) in lines {
        table.add_row([format!("  {name}"), text.clone()]);
    }
    if let Some(column) = table.column_mut(0) {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

/// The year in figures.
pub fn told(filed: &Filed, year: &Year, facts: &Facts, deadlines: &[Deadline], elapsed: std::time::Duration) -> String {
    let billed: i64 = facts.bills.iter().map(|bill| fen(&bill.amount)).sum();
    let open: i64 = facts.bills.iter().map(payments::open).sum();
    let unpaid = facts.bills.iter().filter(|bill| payments::open(bill) > 0).count();
    let litres: i64 = facts
        .bills
        .iter()
        .filter_map(|bill| super::oracle::litres_of(&bill.volume.as_ref()?.value))
        .sum();
    let cards: i64 = year.runs.last().map_or(0, |run| run.skipped);
    let clocks = |state: deadline::State| deadlines.iter().filter(|d| d.state() == state && !d.breached).count();
    let met = clocks(deadline::State::Met);
    let breached = deadlines.iter().filter(|d| d.breached).count();
    let takings = &year.takings;
    let bounced = if takings.reversed > 0 {
        format!(", {} of them reversed ({})", takings.reversed, yuan(takings.reversed_fen))
    } else {
        String::new()
    };
    let lines = [
        (
            "customers",
            format!(
                "{} filed, {} with IC-card meters: filed, not billed yet; 1 new home opened",
                count(filed.customers),
                count(cards)
            ),
        ),
        (
            "readings",
            format!(
                "{} handed in, {} refused, {} dropped as repeats, {} held",
                size(year.readings),
                size(year.refused.len()),
                count(year.repeats.values().sum::<i64>()),
                size(year.held.len())
            ),
        ),
        (
            "",
            format!(
                "{} released after a look, {} after a call at the home, {} rejected",
                count(year.released),
                count(year.visited),
                count(year.rejected)
            ),
        ),
        (
            "bills",
            format!(
                "{} of gas for {} m³, {} of heat",
                size(facts.bills.len()),
                fixed(litres, 3),
                size(facts.heat.len())
            ),
        ),
        ("billed", yuan(billed)),
        ("paid", format!("{} by {} payments{bounced}", yuan(takings.kept()), count(takings.payments))),
        ("paid ahead", yuan(fen(&facts.ledger.prepayment))),
        ("open", format!("{} on {} bills", yuan(open), size(unpaid))),
        (
            "opening",
            format!(
                "{}: gas opened in {} on 6 March, by a certified opener",
                year.home.opening_no, year.home.account_no
            ),
        ),
        (
            "repair",
            format!(
                "{} ({}): {}, contract {}, accepted in round {}",
                year.repair.order_no, year.repair.case_no, year.vendor.name, year.vendor.contract_no, year.repair.rounds
            ),
        ),
        (
            "settlement",
            format!(
                "{}: June scored {}, {} due, {} off for the rework, {} paid once the invoice had come",
                year.settled.payment_no,
                year.settled.score,
                yuan(year.settled.due),
                yuan(year.settled.deducted),
                yuan(year.settled.payable)
            ),
        ),
        (
            "policy",
            format!(
                "{} {} issued and in effect, read by {}, not yet by {}",
                year.policy.doc_no, year.policy.label, year.policy.acknowledged, year.policy.missing
            ),
        ),
        (
            "credit",
            format!(
                "{} rated {}, a line of {}; on hold in August over {}, free after it was paid",
                year.key_account.account_no,
                year.key_account.grade,
                yuan(year.key_account.limit),
                yuan(year.key_account.owed)
            ),
        ),
        (
            "complaint",
            format!(
                "{}: called back, {} of 5; answered anew, called again, {} of 5, closed",
                year.heard.complaint_no, year.heard.first_score, year.heard.second_score
            ),
        ),
        (
            "heat",
            format!(
                "{} homes in the season 2025-2026 for {}; by meter {}, {} back",
                year.season.homes.len(),
                yuan(year.season.billed),
                yuan(year.season.charged),
                yuan(year.season.refund)
            ),
        ),
        (
            "VIP",
            format!(
                "{} listed; won {} at {}, within 3 % of the lowest {}",
                year.vendor.name,
                year.listed.tender_no,
                yuan(year.listed.price),
                yuan(year.listed.lowest)
            ),
        ),
        ("clocks", format!("{met} of {} promises of the hall kept, {breached} broken", deadlines.len())),
    ];
    format!(
        "The year 2025, played in {}\n\n{}\n\n{}\n\n{}",
        seconds(elapsed),
        rows(&lines),
        exceptions(facts),
        checks(facts)
    )
}

fn exceptions(facts: &Facts) -> String {
    let names: [(Code, &str); 9] = [
        (Code::Conflict, "two values at one moment"),
        (Code::Reverse, "lower than before"),
        (Code::Spike, "more than four times the largest month"),
        (Code::OverQmax, "more than the meter passes"),
        (Code::Spike50, "far above the season"),
        (Code::Drop50, "far below the season"),
        (Code::Zero2, "second month without use"),
        (Code::Missing, "no reading in the month"),
        (Code::ContractMissing, "used without a contract"),
    ];
    let mut counts: BTreeMap<(usize, &'static str), usize> = BTreeMap::new();
    for exception in &facts.exceptions {
        let state = match exception.state() {
            reading_exception::State::Released => "released",
            reading_exception::State::Rejected => "rejected",
            reading_exception::State::Adjusted => "adjusted",
            reading_exception::State::Resolved => "resolved",
            _ => "open",
        };
        let first = exception.codes().next();
        if let Some(place) = names.iter().position(|(code, _)| Some(*code) == first) {
            let count: &mut usize = counts.entry((place, state)).or_default();
            *count = count.saturating_add(1);
        }
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let states = ["open", "released", "rejected", "resolved"];
    table.set_header([format!("  {}", "exceptions")].into_iter().chain(states.map(str::to_owned)));
    for (place, (_, name)) in names.iter().enumerate() {
        let cells = states.map(|state| counts.get(&(place, state)).copied().unwrap_or_default());
        if cells.iter().any(|n| *n > 0) {
            table.add_row(
                [format!("  {name}")]
                    .into_iter()
                    .chain(cells.map(|n| if n == 0 { "·".to_owned() } else { size(n) })),
            );
        }
    }
    for (place, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if place > 0 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}

fn checks(facts: &Facts) -> String {
    let lines: Vec<(&str, String)> = facts
        .checks
        .iter()
        .map(|check| match &check.outcome {
            Ok(text) => ("ok", format!("{}: {text}", check.name)),
            Err(text) => ("FAILED", format!("{}: {text}", check.name)),
        })
        .collect();
    format!("{}\n\n  {}", rows(&lines), verdict(facts))
}

fn verdict(facts: &Facts) -> String {
    match failed(&facts.checks) {
        0 => format!("{} checks, all passed", facts.checks.len()),
        n => format!("{n} of {} checks FAILED", facts.checks.len()),
    }
}

/// Where the services are, and three calls to try.
pub fn calls(cast: &Cast, folder: &Path) -> Result<String> {
    let program = program();
    let ca = folder.join("keys/ca.pem").display().to_string();
    let data = folder.display();
    let port = |service: &str| cast.address(service).trim_start_matches("https://").to_owned();
    let call = |role: &str, body: &str, service: &str, method: &str| {
        format!(
            "  grpcurl -cacert {ca} -H \"authorization: Bearer $({program} token --role {role} --data {data})\" \\\n    -d '{body}' {} {method}",
            port(service)
        )
    };
    let mut text = String::from("The four services go on until Ctrl-C:\n\n");
    for (name, _) in boot::PORTS {
        text.push_str(&format!("  {name:<9} {}\n", cast.address(name)));
    }
    text.push_str("\nThree calls to try:\n\n");
    text.push_str(&call(
        "cashier",
        "{\"account_no\":\"T0000001\",\"month\":12}",
        "billing",
        "hearth.billing.v1.BillService/ListBills",
    ));
    text.push('\n');
    text.push_str(&call(
        "agent",
        "{\"name\":\"王建国\"}",
        "archive",
        "hearth.archive.v1.PartyService/SearchParties",
    ));
    text.push('\n');
    text.push_str(&call("dispatcher", "{\"page_size\":5}", "hall", "hearth.hall.v1.DeadlineService/ListDeadlines"));
    Ok(text)
}
