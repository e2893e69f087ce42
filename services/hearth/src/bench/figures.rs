//! Figures of a bench: medians, ratios, and the page that they go to.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context, Result};
use comfy_table::{Table, presets::ASCII_MARKDOWN};

use super::cost::Cost;
use crate::say::say;

/// One way to do it, and what its rounds took.
pub struct Way {
    pub name: String,
    pub rounds: Vec<Cost>,
    /// Ratios that are asked of the first way against this one, if any are: of speed at least, of CPU at most, in hundredths.
    pub goals: (Option<u64>, Option<u64>),
}

impl Way {
    pub fn new(name: &str, goals: (Option<u64>, Option<u64>)) -> Self {
        Self {
            name: name.to_owned(),
            rounds: vec![],
            goals,
        }
    }

    fn median(&self, of: fn(&Cost) -> Duration) -> Duration {
        let mut all: Vec<Duration> = self.rounds.iter().map(of).collect();
        all.sort_unstable();
        all.get(all.len() / 2).copied().unwrap_or_default()
    }
}

/// Tells what each way took in a round, and keeps it.
pub fn keep(round: usize, ways: &mut [Way], costs: Vec<Cost>) -> Result<()> {
    let told: Vec<String> = costs
        .iter()
        .map(|c| format!("{} ms ({} ms CPU)", c.wall.as_millis(), c.cpu.as_millis()))
        .collect();
    say(format!("round {round}: {}", told.join(", ")))?;
    for (way, cost) in ways.iter_mut().zip(costs) {
        way.rounds.push(cost);
    }
    Ok(())
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Hundredths as people write them.
fn hundredths(n: u64) -> String {
    format!("{}.{:02}", n / 100, n % 100)
}

fn ratio(above: u64, below: u64) -> u64 {
    above.saturating_mul(100).checked_div(below).unwrap_or(0)
}

/// The table of some ways to do so many things, the first of them ours. The ratios are medians of those of the rounds, since both sides of a round
/// ran one after the other.
pub fn table(ways: &[Way], things: u64, thing: &str) -> String {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN);
    table.set_header([
        "way".to_owned(),
        format!("{thing} a second"),
        format!("CPU µs a {}", thing.trim_end_matches('s')),
        "ours is so many times as fast".to_owned(),
        "and takes so much of its CPU".to_owned(),
        "goals".to_owned(),
    ]);
    for (at, way) in ways.iter().enumerate() {
        let (wall, cpu) = (micros(way.median(|c| c.wall)), micros(way.median(|c| c.cpu)));
        let against = |of: fn(&Cost) -> Duration, inverse: bool| {
            let ours = ways.first().into_iter().flat_map(|w| &w.rounds);
            let mut all: Vec<u64> = ours
                .zip(&way.rounds)
                .map(|(ours, theirs)| {
                    let (ours, theirs) = (micros(of(ours)), micros(of(theirs)));
                    if inverse { ratio(theirs, ours) } else { ratio(ours, theirs) }
                })
                .collect();
            all.sort_unstable();
            hundredths(all.get(all.len() / 2).copied().unwrap_or(0))
        };
        let (fast, much) = match at {
            0 => (String::new(), String::new()),
            _ => (against(|c| c.wall, true), against(|c| c.cpu, false)),
        };
        let goals = match way.goals {
            (None, None) => String::new(),
            (Some(speed), None) => format!("≥ {}", hundredths(speed)),
            (None, Some(cpu)) => format!("CPU ≤ {}", hundredths(cpu)),
            (Some(speed), Some(cpu)) => format!("≥ {}, CPU ≤ {}", hundredths(speed), hundredths(cpu)),
        };
        table.add_row([
            way.name.clone(),
            things.saturating_mul(1_000_000).checked_div(wall).unwrap_or(0).to_string(),
            hundredths(ratio(cpu, things)),
            fast,
            much,
            goals,
        ]);
    }
    table.to_string()
}

/// Prints a section and writes it into a page, between its markers; at the end where the page has none.
pub fn publish(name: &str, text: &str, page: Option<&Path>) -> Result<()> {
    say(text)?;
    let Some(page) = page else { return Ok(()) };
    let (open, close) = (format!("<!-- bench: {name} -->"), "<!-- end -->");
    let before = fs::read_to_string(page).with_context(|| format!("{} cannot be read", page.display()))?;
    let section = format!("{open}\n\n{}\n\n{close}", text.trim());
    let after = match before.split_once(&open) {
        Some((head, rest)) => {
            let (_, tail) = rest.split_once(close).with_context(|| format!("{} has no end of {open}", page.display()))?;
            format!("{head}{section}{tail}")
        }
        None => format!("{}\n\n{section}\n", before.trim_end()),
    };
    fs::write(page, after).with_context(|| format!("{} cannot be written", page.display()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn way(name: &str, goals: (Option<u64>, Option<u64>), rounds: &[(u64, u64)]) -> Way {
        let cost = |(wall, cpu): &(u64, u64)| Cost {
            wall: Duration::from_millis(*wall),
            cpu: Duration::from_millis(*cpu),
        };
        Way {
            rounds: rounds.iter().map(cost).collect(),
            ..Way::new(name, goals)
        }
    }

    #[test]
    fn ratios_are_those_of_the_rounds() {
        // 1000 bills: medians 500 ms and 400 ms CPU; against 600 and 1000: 2.00, 1.20 and 0.50 times as fast.
        let ours = way("ours", (None, None), &[(500, 400), (1000, 800), (400, 300)]);
        let set = way("one statement", (Some(120), Some(90)), &[(1000, 800), (500, 1000), (480, 600)]);
        let other = way("nothing asked", (None, None), &[(1000, 1000), (2000, 2000), (800, 750)]);
        let table = table(&[ours, set, other], 1000, "bills");
        let line = table.lines().find(|l| l.contains("one statement")).unwrap();
        let cells: Vec<&str> = line.split('|').map(str::trim).filter(|c| !c.is_empty()).collect();
        assert_eq!(cells, ["one statement", "2000", "800.00", "1.20", "0.50", "≥ 1.20, CPU ≤ 0.90"]);
        assert!(table.lines().any(|l| l.contains("ours") && l.contains("2000") && l.contains("400.00")));
        let line = table.lines().find(|l| l.contains("nothing asked")).unwrap();
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        assert_eq!(cells[1..7], ["nothing asked", "1000", "1000.00", "2.00", "0.40", ""]);
    }

    #[test]
    fn a_section_takes_the_place_of_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let page = folder.path().join("page.md");
        fs::write(&page, "# Page\n").unwrap();
        for text in ["one", "two"] {
            publish("run", text, Some(&page)).unwrap();
            publish("other", "same", Some(&page)).unwrap();
        }
        let section = |name: &str, text: &str| format!("<!-- bench: {name} -->\n\n{text}\n\n<!-- end -->");
        assert_eq!(
            fs::read_to_string(&page).unwrap(),
            format!("# Page\n\n{}\n\n{}\n", section("run", "two"), section("other", "same"))
        );
    }
}
