//! Runs a file of rating cases; its own `conventions` say what the fields mean.

use std::{collections::BTreeMap, io::Write};

use chrono::NaiveDate;
use money::{Area, Energy, Exact, Mode, Money, Ratio, UnitPrice, Volume};
use rating::{
    Class, Component, Explanation, HeatSettlement, Ledger, Line, Measure, Per, Plan, Price, Profile, Rated, Rounding, Segment, Span, Tax, Tier, Tiers, Usage,
    day_factor, prorate, rate,
};
use serde_json::{Map, Value};

type Fields = Map<String, Value>;

#[derive(Default)]
pub struct Outcome {
    pub ran: usize,
    pub unsupported: BTreeMap<String, usize>,
    failures: Vec<String>,
    /// Explanations of all bills with their totals.
    pub explained: Vec<(Explanation, Money)>,
}

impl Outcome {
    /// Says what ran, past the capture of test output, and fails if a case did.
    pub fn settle(self, file: &str) {
        let rest: usize = self.unsupported.values().sum();
        let _ = writeln!(
            std::io::stderr(),
            "rating_cases: {file}: {} ran, {} failed, {rest} of unsupported models {:?}",
            self.ran,
            self.failures.len(),
            self.unsupported
        );
        assert!(self.failures.is_empty(), "{file}:\n{}", self.failures.join("\n"));
        assert!(self.unsupported.is_empty(), "{file}: unsupported models: {:?}", self.unsupported);
        assert!(self.ran > 0, "{file}: no case ran");
    }
}

pub fn run(text: &str) -> Outcome {
    let file: Value = serde_json::from_str(text).expect("a file of cases is JSON");
    let mut outcome = Outcome::default();
    for case in file["cases"].as_array().expect("a file of cases has `cases`") {
        let (id, model) = (case["id"].as_str().unwrap_or("?"), case["model"].as_str().unwrap_or("?"));
        let run = match model.strip_prefix("base_plus_").unwrap_or(model) {
            "graduated" | "volume" | "unit" => bill,
            "graduated_annual" => annual,
            "heat_two_part_cn" => heat,
            "proration" => proration,
            other => {
                *outcome.unsupported.entry(other.to_owned()).or_default() += 1;
                continue;
            }
        };
        outcome.ran += 1;
        let result = match (case["input"].as_object(), case["expected"].as_object()) {
            (Some(input), Some(expected)) if !expected.is_empty() => run(&mut outcome.explained, model, input, expected),
            _ => Err("input and expected must be objects".to_owned()),
        };
        if let Err(why) = result {
            outcome.failures.push(format!("{id} ({model}): {why}"));
        }
    }
    outcome
}

fn text<'a>(fields: &'a Fields, key: &str) -> Result<&'a str, String> {
    fields
        .get(key)
        .and_then(Value::as_str)
        .ok_or_else(|| format!("`{key}` must be a decimal string"))
}

fn list<'a>(fields: &'a Fields, key: &str) -> Result<Vec<&'a str>, String> {
    let values = fields.get(key).and_then(Value::as_array).ok_or_else(|| format!("`{key}` must be a list"))?;
    values
        .iter()
        .map(|value| value.as_str().ok_or_else(|| format!("`{key}` must hold decimal strings")))
        .collect()
}

fn number<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error| format!("{text}: {error}"))
}

fn field<T: std::str::FromStr<Err: std::fmt::Display>>(fields: &Fields, key: &str) -> Result<T, String> {
    number(text(fields, key)?)
}

fn only(fields: &Fields, known: &[&str]) -> Result<(), String> {
    match fields.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(format!("`{key}` is not known")),
        None => Ok(()),
    }
}

fn tiers(input: &Fields) -> Result<Tiers, String> {
    let mut tiers = Vec::new();
    for tier in input.get("tiers").and_then(Value::as_array).ok_or("`tiers` must be a list")? {
        let tier = tier.as_object().ok_or("a tier must be an object")?;
        only(tier, &["up_to", "unit", "flat"])?;
        let up_to = match tier.get("up_to") {
            None | Some(Value::Null) => None,
            Some(_) => Some(field(tier, "up_to")?),
        };
        let flat = if tier.contains_key("flat") { field(tier, "flat")? } else { UnitPrice::ZERO };
        tiers.push(Tier {
            up_to,
            price: field(tier, "unit")?,
            flat,
        });
    }
    Tiers::new(tiers).ok_or_else(|| "the tiers do not ascend".to_owned())
}

fn plan(components: Vec<Component>, rounding: Rounding, tax: Option<Tax>) -> Result<Plan, String> {
    Plan::new(&Class::plain("case", components), &Profile::default(), rounding, tax).map_err(|error| error.to_string())
}

/// Numbers, not texts: `115.5` and `115.50` are the same.
fn same(what: &str, expected: &str, actual: Money) -> Result<(), String> {
    let wanted: Money = number(expected)?;
    if wanted == actual {
        Ok(())
    } else {
        Err(format!("{what}: expected {expected}, got {actual}"))
    }
}

/// As [`same`], but an expected value finer than a fen is held against the unrounded sum.
fn same_exact(expected: &str, rated: &Rated) -> Result<(), String> {
    if expected.split_once('.').is_none_or(|(_, places)| places.len() <= 2) {
        return same("amount", expected, rated.total);
    }
    let wanted = Exact::from(number::<UnitPrice>(expected)?);
    if wanted == rated.exact {
        Ok(())
    } else {
        Err(format!("amount: expected {expected}, got {}", rated.exact))
    }
}

fn same_lines(expected: &Fields, rated: &Rated) -> Result<(), String> {
    if !expected.contains_key("lines") {
        return Ok(());
    }
    let wanted = list(expected, "lines")?;
    let lines: Vec<Money> = rated.lines.iter().filter(|line| line.tier > 0).map(|line| line.amount).collect();
    if wanted.len() != lines.len() {
        return Err(format!("lines: expected {wanted:?}, got {lines:?}"));
    }
    wanted.iter().zip(lines).try_for_each(|(wanted, line)| same("line", wanted, line))
}

type Explained = Vec<(Explanation, Money)>;

/// The lines are the total, and the explanation gives it again.
fn sums_up(explained: &mut Explained, lines: &[Line], explanation: &Explanation, total: Money) -> Result<(), String> {
    explained.push((explanation.clone(), total));
    match (Money::sum(lines.iter().map(|line| line.amount)), explanation.check()) {
        (Ok(sum), Ok(again)) if sum == total && again == total => Ok(()),
        (sum, again) => Err(format!(
            "lines sum to {sum:?}, the explanation says {again:?}, the total is {total}\n{}",
            explanation.as_str()
        )),
    }
}

/// A bill of a base, where there is one, and tiers or a price for each unit.
fn bill(explained: &mut Explained, model: &str, input: &Fields, expected: &Fields) -> Result<(), String> {
    only(expected, &["amount", "lines", "deltas", "commodity", "pre_tax", "tax"])?;
    let (base, kind) = match model.strip_prefix("base_plus_") {
        Some(kind) => (field(input, "base")?, kind),
        None => (UnitPrice::ZERO, model),
    };
    let price = match kind {
        "graduated" => Price::Graduated(tiers(input)?, Span::TierYear),
        "volume" => Price::Whole(tiers(input)?),
        _ => Price::Unit(Measure::Volume, field(input, "unit")?),
    };
    let tax = if input.contains_key("tax_percent") {
        Some(Tax::on_top(
            Ratio::parse_percent(text(input, "tax_percent")?).map_err(|error| error.to_string())?,
        ))
    } else {
        None
    };
    let plan = plan(vec![Price::Standing(base, Per::Bill).into(), price.into()], rounding(input)?, tax)?;
    let mut bill = |before: Option<Volume>, volume: Volume| {
        let rated = plan.rate(before, volume).map_err(|error| error.to_string())?;
        sums_up(explained, &rated.lines, &rated.explanation, rated.total)?;
        Ok::<Rated, String>(rated)
    };
    if input.contains_key("sequence") {
        only(expected, &["deltas"])?;
        let (steps, deltas) = (list(input, "sequence")?, list(expected, "deltas")?);
        if steps.len() != deltas.len() {
            return Err("`sequence` and `deltas` differ in length".to_owned());
        }
        let mut before: Option<Volume> = None;
        for (step, delta) in steps.into_iter().zip(deltas) {
            let step: Volume = number(step)?;
            let total = bill(None, step)?.total;
            let actual = match before {
                None => total,
                Some(before) => plan.difference(before, step).map_err(|error| error.to_string())?,
            };
            same("delta", delta, actual)?;
            before = Some(step);
        }
        return Ok(());
    }
    let quantity: Volume = field(input, "quantity")?;
    let prior: Volume = if input.contains_key("prior_quantity") {
        field(input, "prior_quantity")?
    } else {
        Volume::ZERO
    };
    if prior > Volume::ZERO && kind == "volume" {
        let upto = prior.checked_add(quantity).map_err(|error| error.to_string())?;
        let actual = plan.difference(prior, upto).map_err(|error| error.to_string())?;
        return same("amount", text(expected, "amount")?, actual);
    }
    let rated = bill(Some(prior).filter(|prior| !prior.is_zero()), quantity)?;
    same_exact(text(expected, "amount")?, &rated)?;
    same_lines(expected, &rated)?;
    let exact = |what: &str, actual: Result<Exact, money::Overflow>| match expected.contains_key(what) {
        true => same(
            what,
            text(expected, what)?,
            actual.and_then(Exact::round_half_up).map_err(|error| error.to_string())?,
        ),
        false => Ok(()),
    };
    exact("commodity", rated.exact.checked_sub(Exact::from(base)))?;
    exact("pre_tax", Ok(rated.exact))?;
    exact("tax", Ok(Exact::from(rated.tax)))
}

fn annual(explained: &mut Explained, _: &str, input: &Fields, expected: &Fields) -> Result<(), String> {
    only(expected, &["amounts", "total"])?;
    let plan = plan(vec![Price::Graduated(tiers(input)?, Span::TierYear).into()], rounding(input)?, None)?;
    let bills = input.get("bills").and_then(Value::as_array).ok_or("`bills` must be a list")?;
    let amounts = list(expected, "amounts")?;
    if bills.len() != amounts.len() {
        return Err("`bills` and `amounts` differ in length".to_owned());
    }
    let mut years: Vec<&str> = Vec::new();
    let mut ledger = Ledger::default();
    let mut total = Money::ZERO;
    for (bill, amount) in bills.iter().zip(amounts) {
        let bill = bill.as_object().ok_or("a bill must be an object")?;
        only(bill, &["tier_year", "quantity"])?;
        // The cumulative quantity restarts whenever the name of the year changes.
        let year = text(bill, "tier_year")?;
        if years.last() != Some(&year) {
            years.push(year);
        }
        let tier_year = i32::try_from(years.len()).map_err(|error| error.to_string())?;
        let rated = rate(&[Segment::new(&plan, tier_year, Usage::volume(field(bill, "quantity")?))], &ledger).map_err(|error| error.to_string())?;
        sums_up(explained, &rated.lines, &rated.explanation, rated.total)?;
        same("amount", amount, rated.total)?;
        total = total.checked_add(rated.total).map_err(|error| error.to_string())?;
        ledger = rated.ledger;
    }
    same("total", text(expected, "total")?, total)
}

fn rounding(input: &Fields) -> Result<Rounding, String> {
    let Some(rule) = input.get("rounding") else { return Ok(Rounding::default()) };
    let rule = rule.as_object().ok_or("`rounding` must be an object")?;
    only(rule, &["mode", "place"])?;
    let mode = match text(rule, "mode")? {
        "half_up" => Mode::HalfUp,
        "floor" => Mode::Floor,
        "ceiling" => Mode::Ceiling,
        other => return Err(format!("rounding mode {other} is not known")),
    };
    Ok(Rounding {
        mode,
        step: field(rule, "place")?,
    })
}

fn heat(explained: &mut Explained, _: &str, input: &Fields, expected: &Fields) -> Result<(), String> {
    only(expected, &["base", "metered", "amount", "refund"])?;
    let (area, energy): (Area, Energy) = (field(input, "m2")?, field(input, "kwh")?);
    let metered = vec![
        Price::Unit(Measure::Area, field(input, "base_per_m2")?).into(),
        Price::Unit(Measure::Energy, field(input, "per_kwh")?).into(),
    ];
    let by_area = if input.contains_key("prepaid_by_area_per_m2") {
        field(input, "prepaid_by_area_per_m2")?
    } else {
        UnitPrice::ZERO
    };
    let class = Class {
        metered: Some(metered),
        ..Class::plain("case", vec![Price::Unit(Measure::Area, by_area).into()])
    };
    let settled = HeatSettlement::new(&class, rounding(input)?, area, energy).map_err(|error| error.to_string())?;
    for fee in [&settled.by_area, &settled.metered] {
        sums_up(explained, &fee.lines, &fee.explanation, fee.total)?;
    }
    let line = |measure: fn(&rating::Quantity) -> bool| {
        settled
            .metered
            .lines
            .iter()
            .find(|line| measure(&line.quantity))
            .map_or(Money::ZERO, |line| line.amount)
    };
    for (key, actual) in [
        ("base", line(|quantity| matches!(quantity, rating::Quantity::Area(_)))),
        ("metered", line(|quantity| matches!(quantity, rating::Quantity::Energy(_)))),
        ("amount", settled.metered.total),
        ("refund", settled.refund),
    ] {
        if expected.contains_key(key) {
            same(key, text(expected, key)?, actual)?;
        }
    }
    Ok(())
}

fn proration(_: &mut Explained, _: &str, input: &Fields, expected: &Fields) -> Result<(), String> {
    only(expected, &["factor", "amount"])?;
    let whole = |key: &str| match input.get(key) {
        Some(Value::String(text)) => number(text),
        Some(value) => value.as_i64().ok_or_else(|| format!("`{key}` must be a whole number")),
        None => Err(format!("`{key}` is missing")),
    };
    let (days, of) = if input.contains_key("from") {
        let day = |key: &str| field::<NaiveDate>(input, key);
        let (from, to, start, end) = (day("from")?, day("to_exclusive")?, day("period_start")?, day("period_end_exclusive")?);
        day_factor(from, to, start, end).map_err(|error| error.to_string())?;
        (to.signed_duration_since(from).num_days(), end.signed_duration_since(start).num_days())
    } else {
        (whole("days")?, whole("period_days")?)
    };
    if expected.contains_key("amount") {
        let amount = prorate(field(input, "price")?, days, of, rounding(input)?).map_err(|error| error.to_string())?;
        same("amount", text(expected, "amount")?, amount)?;
    }
    if expected.contains_key("factor") {
        let factor = Ratio::new(days, of).map_err(|error| error.to_string())?;
        let wanted = text(expected, "factor")?;
        let actual = match wanted.split_once('/') {
            Some((upper, lower)) if Ratio::new(number(upper)?, number(lower)?) == Ok(factor) => return Ok(()),
            Some(_) => factor.to_string(),
            None => {
                let told = wanted.split_once('.').map_or(0, |(_, places)| places.len());
                let places = if input.contains_key("scale") { whole("scale")? } else { told as i64 };
                let places = u32::try_from(places).map_err(|error| error.to_string())?;
                let count = factor.round_half_up(places).map_err(|error| error.to_string())?;
                if Ratio::parse(wanted)
                    == Ratio::new(count, 10_i64.checked_pow(places).ok_or("the scale is out of range")?).map_err(|_| money::DecimalError::Range)
                {
                    return Ok(());
                }
                format!("{count} / 10^{places}")
            }
        };
        return Err(format!("factor: expected {wanted}, got {actual}"));
    }
    Ok(())
}
