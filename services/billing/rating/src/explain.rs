//! The explanation of an amount (计价说明): every input and every step, from which anyone can compute the amount again.
//!
//! It is one text, deterministic byte for byte, with an entry on each line and one blank between its parts:
//!
//! ```text
//! s1.class is living
//! q1 overlap s1.before s1.after 0 300 = 20
//! ```
//!
//! A *fact* is `name is text`; it explains and is not computed with. A *step* is `name rule input … = value …`: an input is a number or the
//! name of an earlier step, several values are named `name.1`, `name.2` and so on. Numbers are plain decimals. The [`Rule`]s are a closed list.

use std::collections::HashMap;

use chrono::NaiveDate;
use money::{Area, Energy, Exact, Mode, Money, UnitPrice, Volume};

use crate::{Rounding, conversion::Factor};

macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident $code:literal,)*) => {
        /// How a step computes its value.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Rule {
            $($(#[$doc])* $name,)*
        }

        impl Rule {
            /// All, for tables and checks.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The word that stands for it in the text.
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)*
                }
            }

            /// The rule of a word.
            pub fn of(code: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|rule| rule.code() == code)
            }
        }
    };
}

rules! {
    /// `given = x`: an input, such as an index, a volume or a fee.
    Given "given",
    /// `add a b …`: the sum.
    Add "add",
    /// `sub a b …`: the first less all others.
    Sub "sub",
    /// `mul a b …`: the product, exact.
    Mul "mul",
    /// `min a b …`: the least.
    Min "min",
    /// `overlap low high from [to]`: how much of (low, high] lies in (from, to]; without `to` in everything above `from`.
    Overlap "overlap",
    /// `tier x b1 b2 …`: 1 and one more for each bound below x, since upper bounds are inclusive.
    Tier "tier",
    /// `pick k a1 a2 …`: the k-th.
    Pick "pick",
    /// `days d1 d2`: the days after d1 up to and including d2.
    Days "days",
    /// `parts step whole w1 w2 …`: the whole shared by the weights in multiples of the step; each share is rounded down, what is left goes to the
    /// largest remainders, a step each, ties to the earlier share.
    Parts "parts",
    /// `round mode place x [n d]`: x × n / d as a multiple of the place, `half_up`, `floor` or `ceiling`.
    Round "round",
    /// `spread place whole a1 a2 …`: each a rounded down to the place; what is missing to the whole goes to the largest remainders, a place each,
    /// ties to the earlier one.
    Spread "spread",
}

/// An explanation; see the [module](self) for its form.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Explanation(String);

/// A line of an explanation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Its name.
    pub name: &'a str,
    /// How it is computed; `None` for a fact.
    pub rule: Option<Rule>,
    /// What it is computed from: numbers, names of earlier steps, and the words and days that some rules take.
    pub inputs: Vec<&'a str>,
    /// What comes out; one value for most rules.
    pub values: Vec<&'a str>,
    /// The text of a fact; empty for a step.
    pub text: &'a str,
}

/// An explanation that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the explanation does not hold")]
pub struct Broken {
    /// Number of the line, from 1; one more than there are where the total is missing.
    pub line: usize,
}

impl Explanation {
    /// An explanation that was kept.
    pub fn from_text(text: String) -> Self {
        Self(text)
    }

    /// The text, to be kept.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, to be kept.
    pub fn into_text(self) -> String {
        self.0
    }

    /// Its lines.
    ///
    /// # Errors
    /// [`Broken`] at the first line that is no entry.
    pub fn entries(&self) -> Result<Vec<Entry<'_>>, Broken> {
        (1..).zip(self.0.lines()).map(|(line, text)| entry(text).ok_or(Broken { line })).collect()
    }

    /// Computes every step again.
    ///
    /// # Errors
    /// [`Broken`] at the first step that gives another value, or where there is no step `total`.
    pub fn check(&self) -> Result<Money, Broken> {
        let mut known: HashMap<String, i128> = HashMap::new();
        let mut line = 0;
        for entry in self.entries()? {
            line = usize::saturating_add(line, 1);
            let Some(rule) = entry.rule else { continue };
            let values: Option<Vec<i128>> = entry.values.iter().map(|text| number(text)).collect();
            let values = values.filter(|values| compute(rule, &entry.inputs, values, &known).as_ref() == Some(values));
            let values = values.ok_or(Broken { line })?;
            if let [value] = values.as_slice() {
                known.insert(entry.name.to_owned(), *value);
            }
            for (place, value) in (1..).zip(&values) {
                known.insert(format!("{}.{place}", entry.name), *value);
            }
        }
        let broken = Broken { line: line.saturating_add(1) };
        let total = known.get("total").ok_or(broken.clone())?;
        Exact::from_nanos(*total).round_half_up().map_err(|_| broken)
    }
}

fn entry(line: &str) -> Option<Entry<'_>> {
    let (name, rest) = line.split_once(' ')?;
    if let Some(text) = rest.strip_prefix("is ") {
        return Some(Entry {
            name,
            rule: None,
            inputs: vec![],
            values: vec![],
            text,
        });
    }
    let (left, right) = rest.split_once('=')?;
    let mut left = left.split_ascii_whitespace();
    Some(Entry {
        name,
        rule: Some(Rule::of(left.next()?)?),
        inputs: left.collect(),
        values: right.split_ascii_whitespace().collect(),
        text: "",
    })
}

/// A decimal with at most nine places, in 10⁻⁹.
fn number(text: &str) -> Option<i128> {
    let (negative, body) = match text.strip_prefix('-') {
        Some(body) => (true, body),
        None => (false, text),
    };
    let (whole, fraction) = body.split_once('.').unwrap_or((body, ""));
    let plain = |digits: &str| digits.bytes().all(|digit| digit.is_ascii_digit());
    if whole.is_empty() || whole.len() > 28 || fraction.len() > 9 || !plain(whole) || !plain(fraction) {
        return None;
    }
    let mut nanos: i128 = 0;
    for digit in whole
        .bytes()
        .chain(fraction.bytes())
        .chain(std::iter::repeat_n(b'0', 9_usize.checked_sub(fraction.len())?))
    {
        nanos = nanos.checked_mul(10)?.checked_add(i128::from(digit.checked_sub(b'0')?))?;
    }
    if negative { nanos.checked_neg() } else { Some(nanos) }
}

const ONE: i128 = 1_000_000_000;

fn compute(rule: Rule, inputs: &[&str], values: &[i128], known: &HashMap<String, i128>) -> Option<Vec<i128>> {
    let read = |text: &&str| number(text).or_else(|| known.get(*text).copied());
    let all = |texts: &[&str]| texts.iter().map(read).collect::<Option<Vec<i128>>>();
    let one = |value: i128| Some(vec![value]);
    match rule {
        Rule::Given => inputs.is_empty().then(|| values.to_vec()).filter(|values| values.len() == 1),
        Rule::Add => one(all(inputs)?.into_iter().try_fold(0, i128::checked_add)?),
        Rule::Sub => {
            let inputs = all(inputs)?;
            let (first, rest) = inputs.split_first()?;
            one(rest.iter().try_fold(*first, |left, part| left.checked_sub(*part))?)
        }
        Rule::Mul => one(all(inputs)?.into_iter().try_fold(ONE, times)?),
        Rule::Min => one(all(inputs)?.into_iter().min()?),
        Rule::Overlap => {
            let inputs = all(inputs)?;
            let (low, high, from) = (*inputs.first()?, *inputs.get(1)?, *inputs.get(2)?);
            let to = inputs.get(3).map_or(high, |to| high.min(*to));
            one(to.checked_sub(low.max(from))?.max(0))
        }
        Rule::Tier => {
            let inputs = all(inputs)?;
            let (whole, bounds) = inputs.split_first()?;
            let below = bounds.iter().filter(|bound| *bound < whole).count();
            one(i128::try_from(below).ok()?.checked_add(1)?.checked_mul(ONE)?)
        }
        Rule::Pick => {
            let inputs = all(inputs)?;
            let (place, rest) = inputs.split_first()?;
            let index = usize::try_from(place.checked_div(ONE)?.checked_sub(1)?).ok()?;
            one(*rest.get(index)?)
        }
        Rule::Days => {
            let [from, to] = inputs else { return None };
            let (from, to): (NaiveDate, NaiveDate) = (from.parse().ok()?, to.parse().ok()?);
            one(i128::from(to.signed_duration_since(from).num_days()).checked_mul(ONE)?)
        }
        Rule::Parts => {
            let inputs = all(inputs)?;
            let (step, rest) = inputs.split_first()?;
            let (whole, weights) = rest.split_first()?;
            parts(*step, *whole, weights)
        }
        Rule::Round => {
            let (mode, rest) = inputs.split_first()?;
            let rest = all(rest)?;
            let (place, value) = (*rest.first()?, *rest.get(1)?);
            let (upper, lower) = match rest.get(2..)? {
                [] => (ONE, ONE),
                [upper, lower] => (*upper, *lower),
                _ => return None,
            };
            one(round(mode, place, value.checked_mul(upper.checked_div(ONE)?)?, lower.checked_div(ONE)?)?)
        }
        Rule::Spread => {
            let inputs = all(inputs)?;
            let (place, rest) = inputs.split_first()?;
            let (whole, amounts) = rest.split_first()?;
            let floors: Option<Vec<i128>> = amounts.iter().map(|amount| amount.checked_sub(amount.checked_rem_euclid(*place)?)).collect();
            let rests: Option<Vec<i128>> = amounts.iter().map(|amount| amount.checked_rem_euclid(*place)).collect();
            deal(*place, *whole, floors?, &rests?)
        }
    }
}

fn times(left: i128, right: i128) -> Option<i128> {
    let product = left.checked_mul(right)?;
    (product.checked_rem(ONE)? == 0).then_some(product.checked_div(ONE)?)
}

fn parts(step: i128, whole: i128, weights: &[i128]) -> Option<Vec<i128>> {
    let sum = weights.iter().try_fold(0_i128, |sum, weight| sum.checked_add(*weight))?;
    let steps = whole.checked_div(step)?;
    let mut floors = Vec::with_capacity(weights.len());
    let mut rests = Vec::with_capacity(weights.len());
    for weight in weights {
        let product = steps.checked_mul(*weight)?;
        floors.push(product.checked_div_euclid(sum)?.checked_mul(step)?);
        rests.push(product.checked_rem_euclid(sum)?);
    }
    deal(step, whole, floors, &rests)
}

/// Gives what is missing to the whole to the largest remainders.
fn deal(step: i128, whole: i128, mut floors: Vec<i128>, rests: &[i128]) -> Option<Vec<i128>> {
    let given = floors.iter().try_fold(0_i128, |sum, floor| sum.checked_add(*floor))?;
    let left = usize::try_from(whole.checked_sub(given)?.checked_div(step)?).ok()?;
    let mut order: Vec<usize> = (0..floors.len()).collect();
    order.sort_by_key(|index| std::cmp::Reverse(rests.get(*index).copied()));
    for index in order.into_iter().take(left) {
        let floor = floors.get_mut(index)?;
        *floor = floor.checked_add(step)?;
    }
    Some(floors)
}

fn round(mode: &str, place: i128, dividend: i128, divisor: i128) -> Option<i128> {
    let divisor = divisor.checked_mul(place)?;
    let (floor, rest) = (dividend.checked_div_euclid(divisor)?, dividend.checked_rem_euclid(divisor)?);
    let missing = divisor.checked_sub(rest)?;
    let up = match mode {
        "floor" => false,
        "ceiling" => rest > 0,
        "half_up" => rest > missing || (rest == missing && dividend > 0),
        _ => return None,
    };
    floor.checked_add(i128::from(up))?.checked_mul(place)
}

/// A part of an entry.
#[derive(Clone, Copy)]
pub(crate) enum Token<'a> {
    Word(&'a str),
    /// `by_area.total`: a word within a section; the word alone where the section has no name.
    In(&'a str, &'a str),
    /// `s1.volume`: a letter, a number and a word; without the word `q1`.
    Of(char, usize, &'a str),
    /// `s1.b2`: a bound of a tier.
    Bound(usize, u16),
    /// `v1.2`: one of several values.
    Part(usize, usize),
    Volume(Volume),
    Energy(Energy),
    Area(Area),
    Price(UnitPrice),
    Money(Money),
    Exact(Exact),
    Factor(Factor),
    Count(i64),
    Day(NaiveDate),
}

/// An explanation while it is written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Trace(String);

impl Trace {
    /// Room for a usual bill.
    pub(crate) fn new() -> Self {
        Self(String::with_capacity(640))
    }

    pub(crate) fn done(self) -> Explanation {
        Explanation(self.0)
    }

    pub(crate) fn fact(&mut self, name: Token<'_>, text: &[Token<'_>]) {
        self.open(name);
        self.0.push_str(" is");
        self.tokens(text);
        self.0.push('\n');
    }

    pub(crate) fn given(&mut self, name: Token<'_>, value: Token<'_>) {
        self.step(name, Rule::Given, &[], value);
    }

    pub(crate) fn step(&mut self, name: Token<'_>, rule: Rule, inputs: &[Token<'_>], value: Token<'_>) {
        self.steps(name, rule, inputs, std::iter::once(value));
    }

    pub(crate) fn steps<'a>(&mut self, name: Token<'_>, rule: Rule, inputs: &[Token<'_>], values: impl Iterator<Item = Token<'a>>) {
        self.open(name);
        self.0.push(' ');
        self.0.push_str(rule.code());
        self.tokens(inputs);
        self.0.push_str(" =");
        for value in values {
            self.0.push(' ');
            self.token(value);
        }
        self.0.push('\n');
    }

    /// `round`, with a fraction where it is not one.
    pub(crate) fn round(&mut self, name: Token<'_>, rounding: Rounding, of: Token<'_>, fraction: Option<(i64, i64)>, value: Money) {
        let mode = match rounding.mode {
            Mode::HalfUp => "half_up",
            Mode::Floor => "floor",
            Mode::Ceiling => "ceiling",
        };
        let inputs = [Token::Word(mode), Token::Money(rounding.step), of];
        match fraction {
            None => self.step(name, Rule::Round, &inputs, Token::Money(value)),
            Some((upper, lower)) => {
                let [mode, place, of] = inputs;
                self.step(
                    name,
                    Rule::Round,
                    &[mode, place, of, Token::Count(upper), Token::Count(lower)],
                    Token::Money(value),
                );
            }
        }
    }

    /// Lines that were written before, with the number of the usage period where they have `@`.
    pub(crate) fn paste(&mut self, lines: &str, segment: usize) {
        let mut pieces = lines.split('@');
        self.0.push_str(pieces.next().unwrap_or_default());
        for piece in pieces {
            self.token(Token::Of('s', segment, ""));
            self.0.push('.');
            self.0.push_str(piece);
        }
    }

    pub(crate) fn into_text(self) -> String {
        self.0
    }

    fn open(&mut self, name: Token<'_>) {
        self.token(name);
    }

    fn tokens(&mut self, tokens: &[Token<'_>]) {
        for token in tokens {
            self.0.push(' ');
            self.token(*token);
        }
    }

    fn token(&mut self, token: Token<'_>) {
        match token {
            // A line break within a name would end the entry.
            Token::Word(word) if word.contains(char::is_control) => self.0.extend(word.chars().map(|c| if c.is_control() { ' ' } else { c })),
            Token::Word(word) => self.0.push_str(word),
            Token::In("", word) => self.0.push_str(word),
            Token::In(section, word) => self.0.extend([section, ".", word]),
            Token::Of(letter, number, word) => {
                self.0.push(letter);
                self.digits(number as u128, 0, false);
                if !word.is_empty() {
                    self.0.push('.');
                    self.0.push_str(word);
                }
            }
            Token::Bound(segment, number) => {
                self.token(Token::Of('s', segment, "b"));
                self.digits(u128::from(number), 0, false);
            }
            Token::Part(number, place) => {
                self.token(Token::Of('v', number, ""));
                self.0.push('.');
                self.digits(place as u128, 0, false);
            }
            Token::Volume(volume) => self.decimal(i128::from(volume.litres()), 3),
            Token::Energy(energy) => self.decimal(i128::from(energy.watt_hours()), 3),
            Token::Area(area) => self.decimal(i128::from(area.hundredths()), 2),
            Token::Price(price) => self.decimal(i128::from(price.micros()), 6),
            Token::Money(money) => self.decimal(i128::from(money.fen()), 2),
            Token::Exact(exact) => self.decimal(exact.nanos(), 9),
            Token::Factor(factor) => self.decimal(i128::from(factor.hundred_thousandths()), 5),
            Token::Count(count) => self.decimal(i128::from(count), 0),
            Token::Day(day) => self.day(day),
        }
    }

    #[expect(clippy::arithmetic_side_effects, reason = "divisions by powers of ten")]
    fn day(&mut self, day: NaiveDate) {
        use chrono::Datelike;
        for (number, width) in [(day.year().unsigned_abs(), 4), (day.month(), 2), (day.day(), 2)] {
            if width == 2 {
                self.0.push('-');
            }
            let mut scale = if width == 4 { 1000 } else { 10 };
            while scale > 0 {
                self.push_digit(u128::from(number / scale % 10));
                scale /= 10;
            }
        }
    }

    fn decimal(&mut self, count: i128, places: u32) {
        self.digits(count.unsigned_abs(), places, count < 0);
    }

    /// A number by hand: the formatting machinery would take longer than the rating of the bill.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "divisions by ten, and counts that stay below the length of the buffer"
    )]
    fn digits(&mut self, mut count: u128, mut places: u32, negative: bool) {
        while places > 0 && count.is_multiple_of(10) {
            count /= 10;
            places -= 1;
        }
        let mut buffer = [0_u8; 48];
        let mut at = buffer.len();
        let mut put = |digit: u8| {
            at -= 1;
            if let Some(slot) = buffer.get_mut(at) {
                *slot = digit;
            }
        };
        let mut left = places;
        // What fits into 64 bits, nearly everything, is divided far faster there.
        let mut low = u64::try_from(count).ok();
        loop {
            let digit = match &mut low {
                Some(low) => {
                    let digit = *low % 10;
                    *low /= 10;
                    digit as u8
                }
                None => {
                    let digit = (count % 10) as u8;
                    count /= 10;
                    low = u64::try_from(count).ok();
                    digit
                }
            };
            put(b'0' + digit);
            if left > 0 {
                left -= 1;
                if left == 0 {
                    put(b'.');
                    if low == Some(0) {
                        put(b'0');
                        break;
                    }
                }
            } else if low == Some(0) {
                break;
            }
        }
        if negative {
            put(b'-');
        }
        if let Some(text) = buffer.get(at..).and_then(|digits| std::str::from_utf8(digits).ok()) {
            self.0.push_str(text);
        }
    }

    #[expect(clippy::arithmetic_side_effects, reason = "a digit")]
    fn push_digit(&mut self, digit: u128) {
        self.0.push(char::from(b'0' + digit as u8));
    }
}
