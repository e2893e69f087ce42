//! `hearth rate`: volumes priced as a bill run prices them, each line with its reason. No service is asked.

mod bill;
mod heat;
mod told;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use money::Volume;
use rating::{Book, Commodity, Ledger, LowIncome, Profile, Tariff, Version};

use self::{
    bill::{Bill, Use},
    heat::Heat,
};
use crate::{
    import::{Cells, Field, Layout, Opened, convert, text_of},
    say::say,
};

const FIELDS: &[Field] = &[
    field("account", &["account", "account_no"], true, 100),
    field("from", &["from", "from_date"], true, 40),
    field("to", &["to", "to_date"], true, 40),
    field("volume", &["volume", "volume_m3"], true, 40),
    field("household", &["household", "household_persons", "persons"], false, 20),
    field("low_income", &["low_income"], false, 20),
];

const fn field(name: &'static str, headers: &'static [&'static str], required: bool, limit: usize) -> Field {
    Field {
        name,
        headers,
        required,
        limit,
    }
}

const HELP: &str = "\
Examples:
  hearth rate cn_tianjin_gas_2024.toml --class living 350 650
  hearth rate cn_tianjin_gas_2024.toml --class living --file volumes.csv
  hearth rate taian_2019.toml --then taian_2024.toml --class living --file volumes.csv --explain
  hearth rate cn_tianjin_heat.toml --class resident --area 100 --kwh 8100

Fields of --file (* must be there):
  account*            whose bill it is; header may be account_no
  from*               day of the reading before: what was used after it is billed; header may be from_date
  to*                 day of the reading that ends the period; header may be to_date
  volume*             cubic metres, plain digits; header may be volume_m3
  household           registered persons, --household where it is empty; header may be household_persons
  low_income          1, yes, true, 是; or 0, no, false, 否; --low-income where it is empty

The bills of an account go on from each other within a tier year, in the order of their days, and each is rounded once.

Exit code: 0 when every volume was priced; 2 when the tariff or the file cannot be used, or the tariff has no such class; 1 when a row was not priced.";

/// Prices volumes by a tariff file with the arithmetic of the bill run, and tells the reason of each line.
#[derive(clap::Args)]
#[command(after_help = HELP)]
pub struct Rate {
    /// Tariff file (TOML), as `hearth import tariffs` takes it.
    tariff: PathBuf,
    /// Volumes in cubic metres: each a bill of its own, with nothing billed before it in the tier year.
    #[arg(value_name = "VOLUME", required_unless_present_any = ["file", "area"], conflicts_with = "file")]
    volumes: Vec<Volume>,
    /// Class of use that prices the volumes.
    #[arg(long, value_name = "NAME")]
    class: Option<String>,
    /// CSV file or workbook (.xlsx) with the volumes of accounts.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    layout: Layout,
    /// Later version of the tariff, in force from its first day on; once for each.
    #[arg(long, value_name = "FILE", requires = "file")]
    then: Vec<PathBuf>,
    /// Tell each step from the inputs to the total, from which it can be computed again.
    #[arg(long)]
    explain: bool,
    #[command(flatten)]
    heat: Heat,
    /// The volumes are the bills of one household in one tier year, one after the other.
    #[arg(long, conflicts_with = "file")]
    in_turn: bool,
    /// Registered persons of the household; 0 where they are not known.
    #[arg(long, value_name = "PERSONS", default_value_t = 0)]
    household: u16,
    /// The household has proved low income.
    #[arg(long, value_enum, value_name = "KIND", num_args = 0..=1, require_equals = true, default_missing_value = "subsistence")]
    low_income: Option<Proof>,
    /// The household has chosen the flat price that the tariff offers.
    #[arg(long)]
    flat_price: bool,
    /// Months whose free volume is given with each volume, where the tariff gives one; the rows of a file have their days.
    #[arg(long, value_name = "MONTHS", default_value_t = 0, conflicts_with = "file", value_parser = clap::value_parser!(u8).range(0..=12))]
    free_months: u8,
}

/// Kinds of proven low income.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Proof {
    /// On subsistence allowance (低保).
    Subsistence,
    /// Destitute, supported by the state (特困).
    Destitute,
}

impl From<Proof> for LowIncome {
    fn from(proof: Proof) -> Self {
        match proof {
            Proof::Subsistence => Self::Subsistence,
            Proof::Destitute => Self::Destitute,
        }
    }
}

/// Bills, what is told of them, and the rows that are none: line and why.
#[derive(Default)]
struct Outcome {
    told: String,
    bills: Vec<Bill>,
    wrong: Vec<(i64, String)>,
}

impl Rate {
    pub fn run(self) -> Result<ExitCode> {
        let outcome = match self.price() {
            Ok(priced) => priced,
            Err(error) => {
                eprintln!("hearth: {error:#}");
                return Ok(ExitCode::from(2));
            }
        };
        if !outcome.told.is_empty() {
            say(&outcome.told)?;
        }
        for (line, why) in &outcome.wrong {
            eprintln!("hearth: line {line} is not priced: {why}");
        }
        Ok(if outcome.wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn price(&self) -> Result<Outcome> {
        let tariff = read(&self.tariff)?;
        ensure!(
            tariff.commodity == Commodity::NaturalGas || self.heat.area.is_some(),
            "{}: heat is priced by area and energy, not by volume: give --area, and --kwh where it is metered",
            self.tariff.display()
        );
        let classes = || tariff.classes.iter().map(|c| c.name.as_str()).collect::<Vec<_>>().join(", ");
        let Some(class) = &self.class else {
            bail!("name a class with --class; the classes of {} are {}", tariff.name, classes());
        };
        ensure!(
            tariff.class(class).is_ok(),
            "{} has no class {class}; its classes are {}",
            tariff.name,
            classes()
        );
        if let Some(area) = self.heat.area {
            ensure!(tariff.commodity == Commodity::Heat, "{} is no tariff of heat", tariff.name);
            return Ok(Outcome {
                told: self.heat.told(&tariff, class, area, self.explain)?,
                ..Outcome::default()
            });
        }
        let mut outcome = match &self.file {
            Some(file) => self.priced_rows(&self.book(&tariff, class)?, class, self.layout.open(file, FIELDS)?)?,
            None => self.priced_volumes(&tariff, class)?,
        };
        if !outcome.bills.is_empty() {
            outcome.told = told::told(&tariff, class, &outcome.bills, self.explain)?;
        }
        Ok(outcome)
    }

    /// The tariff and its later versions, each in force until the next.
    fn book(&self, tariff: &Tariff, class: &str) -> Result<Book> {
        let mut tariffs = vec![tariff.clone()];
        for path in &self.then {
            let later = read(path)?;
            ensure!(later.class(class).is_ok(), "{} has no class {class}", later.name);
            ensure!(
                tariffs.last().is_some_and(|before| before.effective_from < later.effective_from),
                "{} does not begin after the version before it",
                later.name
            );
            tariffs.push(later);
        }
        // What was used before the first version is priced by it too: the file says what is asked for.
        let starts: Vec<_> = tariffs.iter().map(|tariff| tariff.effective_from).collect();
        let mut versions = vec![];
        for (at, tariff) in tariffs.into_iter().enumerate() {
            let from = if at == 0 { calendar::NaiveDate::MIN } else { tariff.effective_from };
            let until = starts.get(at.saturating_add(1)).copied();
            let label = format!("{} {}", tariff.name, tariff.effective_from);
            versions.push(Version::new(at as u128, label, class, (from, until), Arc::new(tariff)));
        }
        Ok(Book::new(versions)?)
    }

    fn profile(&self) -> Profile {
        Profile {
            persons: self.household,
            low_income: self.low_income.map(LowIncome::from),
            flat_choice: self.flat_price,
            ..Profile::default()
        }
    }

    fn priced_volumes(&self, tariff: &Tariff, class: &str) -> Result<Outcome> {
        let mut outcome = Outcome::default();
        let mut ledger = Ledger::default();
        for volume in &self.volumes {
            if !self.in_turn {
                ledger = Ledger::default();
            }
            let usage = Use {
                account: String::new(),
                period: None,
                volume: *volume,
                profile: self.profile(),
                free_months: self.free_months,
            };
            let bill = Bill::of_volume(tariff, class, usage, &mut ledger).with_context(|| format!("{} m³", volume.short()))?;
            outcome.bills.push(bill);
        }
        Ok(outcome)
    }

    fn priced_rows(&self, book: &Book, class: &str, mut opened: Opened) -> Result<Outcome> {
        let mut outcome = Outcome::default();
        let mut uses = vec![];
        while let Some(row) = opened.records.next()? {
            let cells = opened.columns.cells(&row.record);
            match row.wrong.map_or_else(|| self.usage(cells), |(_, why)| Err(why.to_owned())) {
                Ok(usage) => uses.push((row.line, usage)),
                Err(why) => outcome.wrong.push((row.line, why)),
            }
        }
        ensure!(!uses.is_empty() || !outcome.wrong.is_empty(), "the file has no row below its header");
        uses.sort_by(|(_, a), (_, b)| (&a.account, a.period).cmp(&(&b.account, b.period)));
        let mut ledgers: BTreeMap<String, Ledger> = BTreeMap::new();
        for (line, usage) in uses {
            let ledger = ledgers.entry(usage.account.clone()).or_default();
            let Some(days) = usage.period else { continue };
            match Bill::of_period(book, class, usage, days, ledger) {
                Ok(bill) => outcome.bills.push(bill),
                Err(error) => outcome.wrong.push((line, error.to_string())),
            }
        }
        outcome.wrong.sort();
        Ok(outcome)
    }

    /// A row as something to price, or what is wrong with it.
    fn usage(&self, cells: Cells<'_>) -> Result<Use, String> {
        let day = |name| convert::day(cells.get(name)).map_err(|(_, why)| format!("{name}: {why}"));
        if let Some(empty) = FIELDS.iter().find(|f| f.required && cells.get(f.name).is_empty()) {
            return Err(format!("{}: the cell is empty", empty.name));
        }
        let mut profile = self.profile();
        if !cells.get("household").is_empty() {
            profile.persons = cells.get("household").parse().map_err(|_| "household: not a number of persons".to_owned())?;
        }
        if !cells.get("low_income").is_empty() {
            let proved = convert::flag(cells.get("low_income")).map_err(|(_, why)| format!("low_income: {why}"))?;
            profile.low_income = proved.then(|| self.low_income.map_or(LowIncome::Subsistence, LowIncome::from));
        }
        Ok(Use {
            account: cells.get("account").to_owned(),
            period: Some((day("from")?, day("to")?)),
            volume: Volume::parse(cells.get("volume")).map_err(|e| format!("volume: {e}"))?,
            profile,
            free_months: self.free_months,
        })
    }
}

fn read(path: &Path) -> Result<Tariff> {
    Tariff::from_toml(&text_of(path)?).map_err(|e| anyhow!("{}: {e} ({})", path.display(), e.reason))
}
