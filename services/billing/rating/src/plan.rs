//! The prices of one class for one customer.

use money::{Money, Ratio, UnitPrice, Volume};

use crate::{
    Class, Component, Explanation, Household, Measure, Per, Price, RatingError, Reason, ReliefRule, Rounding, Rule, Span, Tariff, Tax, Tier, Uplift,
    bill::{Ledger, Rated, Segment, Usage, rate},
    explain::{Token, Trace},
    tax::{Closing, Sum},
};

/// What a tariff asks about a customer. The default is a household without any entitlement, for a whole year.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Profile {
    /// Registered persons; 0 where unknown.
    pub persons: u16,
    /// Proven low income.
    pub low_income: Option<LowIncome>,
    /// The household chose the flat price that the tariff offers.
    pub flat_choice: bool,
    /// By area or by meter, for heat.
    pub settlement: Settlement,
    /// Months of the tier-year that the uplift counts for: 12, or the remaining ones after a change within the year.
    pub uplift_months: u8,
    /// Months of the tier-year that the tiers count for: 12, or the months open where the city prorates.
    pub allowance_months: u8,
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            persons: 0,
            low_income: None,
            flat_choice: false,
            settlement: Settlement::Standard,
            uplift_months: 12,
            allowance_months: 12,
        }
    }
}

impl Profile {
    /// A household of so many persons.
    pub fn household(persons: u16) -> Self {
        Self { persons, ..Self::default() }
    }

    /// The same with proven low income.
    #[must_use]
    pub fn with_low_income(self, kind: LowIncome) -> Self {
        Self {
            low_income: Some(kind),
            ..self
        }
    }
}

/// Kinds of proven low income.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LowIncome {
    /// On subsistence allowance (低保).
    Subsistence,
    /// Destitute, supported by the state (特困).
    Destitute,
}

impl LowIncome {
    /// The stable code, for storage and callers.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Subsistence => "SUBSISTENCE",
            Self::Destitute => "DESTITUTE",
        }
    }
}

impl ReliefRule {
    /// The stable code, for storage and callers.
    pub const fn code(self) -> &'static str {
        match self {
            Self::AllAtTier1 => "ALL_AT_TIER_1",
            Self::NoTier3 => "NO_TIER_3",
            Self::FreePerMonth(_) => "FREE_PER_MONTH",
            Self::FreeAfterYear(_) => "FREE_AFTER_YEAR",
        }
    }
}

/// Which prices of a class apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Settlement {
    /// The usual ones; for heat by area.
    #[default]
    Standard,
    /// The two-part price of metered heat.
    Metered,
}

/// The prices of one class for one profile, resolved: rating needs nothing else, so one plan serves every account of that profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub(crate) class: String,
    pub(crate) parts: Vec<(Part, Option<Rounding>)>,
    pub(crate) free: Option<Free>,
    pub(crate) returned: Option<Free>,
    pub(crate) rounding: Rounding,
    pub(crate) tax: Option<Tax>,
    /// How the profile changed the prices, as lines of an explanation.
    pub(crate) derivation: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    Standing(UnitPrice, Per),
    Unit(Measure, UnitPrice, Reason),
    Graduated(Vec<Step>, Span),
    Whole(Vec<Step>),
}

/// A tier after the profile was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    pub number: u16,
    pub up_to: Option<Volume>,
    /// Whether the derivation has a step for the bound.
    pub derived: bool,
    pub price: UnitPrice,
    pub flat: UnitPrice,
    pub reason: Reason,
}

/// Volume given back at the price of the first tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Free {
    pub per_month: Volume,
    pub price: UnitPrice,
}

impl Tariff {
    /// The prices of a class for a profile.
    ///
    /// # Errors
    /// [`RatingError::UnknownClass`], [`RatingError::NoMeteredPrice`], [`RatingError::ChoiceNotOffered`], [`RatingError::Months`],
    /// [`RatingError::Overflow`].
    pub fn plan(&self, class: &str, profile: &Profile) -> Result<Plan, RatingError> {
        Plan::new(self.class(class)?, profile, self.rounding, self.tax)
    }
}

impl Plan {
    /// As [`Tariff::plan`], for a class that stands alone.
    ///
    /// # Errors
    /// As [`Tariff::plan`], without `UnknownClass`.
    pub fn new(class: &Class, profile: &Profile, rounding: Rounding, tax: Option<Tax>) -> Result<Self, RatingError> {
        if !(1..=12).contains(&profile.uplift_months) || !(1..=12).contains(&profile.allowance_months) {
            return Err(RatingError::Months);
        }
        let components = match profile.settlement {
            Settlement::Standard => &class.components,
            Settlement::Metered => class.metered.as_ref().ok_or(RatingError::NoMeteredPrice)?,
        };
        let relief = match profile.low_income {
            None => None,
            Some(LowIncome::Subsistence) => class.relief.subsistence,
            Some(LowIncome::Destitute) => class.relief.destitute,
        };
        let choice = match class.household.choice {
            _ if !profile.flat_choice => None,
            Some(choice) if profile.persons >= choice.from_persons => Some(choice),
            _ => return Err(RatingError::ChoiceNotOffered),
        };
        let mut trace = Trace::default();
        if let Some((kind, rule)) = profile.low_income.zip(relief) {
            trace.fact(Token::Word("@low_income"), &[Token::Word(kind.code()), Token::Word(rule.code())]);
        }
        if choice.is_some() {
            trace.fact(Token::Word("@choice"), &[Token::Word("flat price")]);
        }
        let mut parts = Vec::with_capacity(components.len());
        for Component { price, rounding } in components {
            let part = match price {
                Price::Standing(price, per) => Part::Standing(*price, *per),
                Price::Unit(measure, price) => Part::Unit(*measure, *price, Reason::Unit),
                Price::Graduated(_, Span::TierYear) if let Some(choice) = choice => Part::Unit(Measure::Volume, choice.price, Reason::FlatChoice),
                Price::Graduated(tiers, span) => {
                    let mut steps = steps(tiers.as_slice());
                    if *span == Span::TierYear {
                        widen(&mut steps, &class.household, profile, &mut trace)?;
                    }
                    relieve(&mut steps, relief);
                    Part::Graduated(steps, *span)
                }
                Price::Whole(tiers) => Part::Whole(steps(tiers.as_slice())),
            };
            parts.push((part, *rounding));
        }
        let free = |per_month| first_price(components).map(|price| Free { per_month, price });
        let (mut at_once, mut returned) = (None, None);
        match relief {
            Some(ReliefRule::FreePerMonth(per_month)) => at_once = free(per_month),
            Some(ReliefRule::FreeAfterYear(per_month)) => returned = free(per_month),
            Some(ReliefRule::AllAtTier1 | ReliefRule::NoTier3) | None => {}
        }
        Ok(Self {
            class: class.name.clone(),
            parts,
            free: at_once,
            returned,
            rounding,
            tax,
            derivation: trace.into_text(),
        })
    }

    /// The bill of one usage period: `before` is the volume billed in the tier-year so far, `None` before its first bill.
    ///
    /// # Errors
    /// As [`rate`].
    pub fn rate(&self, before: Option<Volume>, volume: Volume) -> Result<Rated, RatingError> {
        let ledger = before.map_or_else(Ledger::default, |before| Ledger::from_iter([(0, before)]));
        rate(&[Segment::new(self, 0, Usage::volume(volume))], &ledger)
    }

    /// What the difference between two volumes of a whole span is worth, each total rounded as a bill: a credit where `to` is less.
    ///
    /// # Errors
    /// As [`rate`].
    pub fn difference(&self, from: Volume, to: Volume) -> Result<Money, RatingError> {
        Ok(self.rate(None, to)?.total.checked_sub(self.rate(None, from)?.total)?)
    }

    /// What goes back after a tier-year where the free volume is charged first: at most the volume that was used in it. Nothing where the class
    /// returns none. `tariff` names the version in the explanation; empty where nothing does.
    ///
    /// # Errors
    /// [`RatingError::Overflow`].
    pub fn returned(&self, tariff: &str, months: u8, used: Volume) -> Result<Returned, RatingError> {
        let free = self.returned.unwrap_or_default();
        let months = i64::from(months);
        let granted = free.per_month.checked_mul(months)?;
        let volume = granted.min(used);
        let exact = money::amount(volume, free.price)?;
        let word = |word| Token::Word(word);
        let mut trace = Trace::new();
        if !tariff.is_empty() {
            trace.fact(word("tariff"), &[word(tariff)]);
        }
        trace.fact(word("class"), &[word(&self.class)]);
        trace.given(word("months"), Token::Count(months));
        trace.given(word("used"), Token::Volume(used));
        let per_month = Token::Volume(free.per_month);
        trace.step(word("free"), Rule::Mul, &[per_month, word("months")], Token::Volume(granted));
        trace.step(word("volume"), Rule::Min, &[word("free"), word("used")], Token::Volume(volume));
        trace.step(word("sum"), Rule::Mul, &[word("volume"), Token::Price(free.price)], Token::Exact(exact));
        let closing = Closing::of(&mut trace, "", Sum { exact, of: 1 }, self.rounding, self.tax)?;
        closing.rest(&mut trace)?;
        Ok(Returned {
            volume,
            amount: closing.total,
            explanation: trace.done(),
        })
    }
}

/// What goes back after a tier-year.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Returned {
    /// Free volume, m³.
    pub volume: Volume,
    /// What it was charged at, at the price of the first tier and with its tax.
    pub amount: Money,
    /// From which the amount can be computed again.
    pub explanation: Explanation,
}

fn steps(tiers: &[Tier]) -> Vec<Step> {
    tiers
        .iter()
        .zip(1..)
        .map(|(tier, number)| Step {
            number,
            up_to: tier.up_to,
            derived: false,
            price: tier.price,
            flat: tier.flat,
            reason: Reason::Tier,
        })
        .collect()
}

/// Months of the year of the tiers themselves, then the household's uplift; each in whole m³, half up.
fn widen(steps: &mut [Step], household: &Household, profile: &Profile, trace: &mut Trace) -> Result<(), RatingError> {
    let uplift = match household.uplift {
        Some(rule) => uplifted(rule, profile, trace)?,
        None => Volume::ZERO,
    };
    let first_only = household.uplift.is_some_and(|rule| rule.first_tier_only);
    let mut names = (1..).map(|number| (format!("@m{number}"), format!("@b{number}")));
    let second = steps
        .get(1)
        .and_then(|step| step.up_to)
        .map(|bound| months_of(bound, profile.allowance_months))
        .transpose()?;
    for step in steps {
        let (Some(bound), Some((share, name))) = (step.up_to, names.next()) else {
            continue;
        };
        let raised = !(uplift.is_zero() || first_only && step.number > 1);
        let mut of = Token::Volume(bound);
        let mut open = bound;
        if profile.allowance_months != 12 {
            open = months_of(bound, profile.allowance_months)?;
            let share = Token::Word(if raised { &share } else { &name });
            rounded(trace, share, of, profile.allowance_months, open);
            of = share;
            step.derived = true;
        }
        step.up_to = Some(open);
        if raised {
            let mut wide = open.checked_add(uplift)?;
            let capped = second.filter(|second| first_only && *second < wide);
            let sum = Token::Word(if capped.is_some() { "@wide" } else { &name });
            trace.step(sum, Rule::Add, &[of, Token::Word("@plus")], Token::Volume(wide));
            if let Some(second) = capped {
                wide = second;
                trace.step(Token::Word(&name), Rule::Min, &[sum, Token::Volume(second)], Token::Volume(wide));
            }
            *step = Step {
                up_to: Some(wide),
                derived: true,
                reason: Reason::HouseholdTier,
                ..*step
            };
        }
    }
    Ok(())
}

/// What is added to the thresholds, in whole m³ for a part of the year.
fn uplifted(rule: Uplift, profile: &Profile, trace: &mut Trace) -> Result<Volume, RatingError> {
    let year = rule.of(profile.persons)?;
    if year.is_zero() {
        return Ok(year);
    }
    let months = if rule.full_year { 12 } else { profile.uplift_months };
    let plus = months_of(year, months)?;
    let (each, all) = (Token::Volume(rule.plus), Token::Volume(year));
    trace.fact(Token::Word("@persons"), &[Token::Count(i64::from(profile.persons))]);
    let mut of = each;
    if rule.per_person {
        let counted = profile
            .persons
            .checked_sub(rule.from_persons)
            .and_then(|beyond| beyond.checked_add(1))
            .unwrap_or_default();
        let name = Token::Word(if months == 12 { "@plus" } else { "@whole" });
        trace.step(name, Rule::Mul, &[each, Token::Count(i64::from(counted))], all);
        of = name;
    } else if months == 12 {
        trace.given(Token::Word("@plus"), all);
    }
    if months != 12 {
        rounded(trace, Token::Word("@plus"), of, months, plus);
    }
    Ok(plus)
}

fn rounded(trace: &mut Trace, name: Token<'_>, of: Token<'_>, months: u8, value: Volume) {
    let inputs = [Token::Word("half_up"), Token::Count(1), of, Token::Count(i64::from(months)), Token::Count(12)];
    trace.step(name, Rule::Round, &inputs, Token::Volume(value));
}

fn months_of(volume: Volume, months: u8) -> Result<Volume, RatingError> {
    if months == 12 {
        return Ok(volume);
    }
    let metres = Ratio::new(volume.checked_mul(i64::from(months))?.litres(), 12_000)?.round_half_up(0)?;
    Ok(Volume::from_cubic_metres(metres)?)
}

fn relieve(steps: &mut [Step], relief: Option<ReliefRule>) {
    let keep = match relief {
        Some(ReliefRule::AllAtTier1) => 1,
        Some(ReliefRule::NoTier3) => 2,
        Some(ReliefRule::FreePerMonth(_) | ReliefRule::FreeAfterYear(_)) | None => return,
    };
    let (kept, rest) = steps.split_at_mut(keep.min(steps.len()));
    let Some(price) = kept.last().map(|step| step.price) else { return };
    for step in rest {
        step.price = price;
        step.reason = Reason::LowIncome;
    }
}

fn first_price(components: &[Component]) -> Option<UnitPrice> {
    let tier = components.iter().find_map(|component| match &component.price {
        Price::Graduated(tiers, _) | Price::Whole(tiers) => tiers.as_slice().first().map(|tier| tier.price),
        Price::Standing(..) | Price::Unit(..) => None,
    });
    tier.or_else(|| {
        components.iter().find_map(|component| match component.price {
            Price::Unit(Measure::Volume, price) => Some(price),
            _ => None,
        })
    })
}
