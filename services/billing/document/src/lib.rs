//! A bill as a document (账单文书): data and a template in, PDF bytes out. The same data and the same template give the same bytes; nothing is read but a
//! template, at the start.
//!
//! Nothing is worked out here but places on a page, in tenths of a point; amounts and volumes come as they are to be shown.
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

mod font;
mod layout;
mod pdf;
mod template;
mod words;

use chrono::NaiveDate;
use money::{Money, UnitPrice, Volume};

pub use template::{Mistake, Template};

/// What a bill says.
#[derive(Clone, Debug)]
pub struct Document {
    /// Facts by the names under which a template may show them; what is not known is left out.
    pub facts: Facts,
    /// What the amount is made of, in the order in which it is shown.
    pub lines: Vec<Line>,
    /// Credit notes over parts of the bill.
    pub notes: Vec<Note>,
    /// Where the bill stands.
    pub standing: Standing,
    /// Use of the months up to that of the bill, the oldest first.
    pub history: Vec<Month>,
}

/// Names of the facts of a bill; a template that asks for another one is refused.
pub const FACTS: &[&str] = &[
    "bill_no",
    "kind",
    "branch",
    "account_no",
    "agreement_no",
    "use_class",
    "season",
    "persons",
    "from_date",
    "to_date",
    "from_index",
    "to_index",
    "estimated",
    "conversion",
    "volume",
    "unit",
    "tier_year",
    "volume_before",
    "amount",
    "credited",
    "paid",
    "due",
    "due_fen",
    "issue_date",
    "due_date",
    "late_fee_permille",
    "late_fee_cap",
    "photo",
    "meter_no",
    "replaced_by",
    "credit_note_no",
    "bill_id",
];

/// Facts by name.
#[derive(Clone, Debug, Default)]
pub struct Facts(Vec<(&'static str, String)>);

impl Facts {
    /// Adds a fact; one that is empty is not known.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        debug_assert!(FACTS.contains(&name), "{name} is no fact");
        let value = value.to_string();
        if !value.is_empty() {
            self.0.push((name, value));
        }
        self
    }

    /// Adds an amount, as people write it.
    #[must_use]
    pub fn with_money(self, name: &'static str, value: Money) -> Self {
        self.with(name, words::grouped(value))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }
}

/// A line of a bill: one tier of one usage period, a fee, a surcharge.
#[derive(Clone, Debug)]
pub struct Line {
    /// Why it is there, as a code: TIER, FEE …
    pub reason: String,
    /// Tier, from 1; 0 where it has none.
    pub tier: i32,
    /// First and last day.
    pub period: (NaiveDate, NaiveDate),
    /// How much, in `unit`.
    pub quantity: Volume,
    /// What is counted, as a code; empty for a fee.
    pub unit: String,
    /// Yuan a unit.
    pub price: UnitPrice,
    /// Share of the bill.
    pub amount: Money,
}

/// A credit note over a part of a bill.
#[derive(Clone, Debug)]
pub struct Note {
    /// Its number.
    pub number: String,
    /// Day on which it was made.
    pub date: NaiveDate,
    /// What it takes off.
    pub amount: Money,
}

/// Where a bill stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Something is to be paid.
    Open,
    /// Nothing is to be paid (any more).
    Settled,
    /// It does not hold any more: it was reversed by a credit note.
    Reversed,
}

/// Use of a month.
#[derive(Clone, Copy, Debug)]
pub struct Month {
    /// Year.
    pub year: i32,
    /// Month, 1 to 12.
    pub month: i32,
    /// What was billed of it; absent where no bill was.
    pub volume: Option<Volume>,
}

/// A document that was made.
#[derive(Clone, Debug)]
pub struct Printed {
    /// The PDF.
    pub pdf: Vec<u8>,
    /// How many characters the font does not have; each is drawn as an empty box.
    pub missing: usize,
    /// Pages.
    pub pages: usize,
}

/// Why no document can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unprintable {
    /// The font cannot be cut to the glyphs that are used.
    #[error("the font cannot be cut: {0}")]
    Font(String),
    /// What the code for payment should say is too long for one.
    #[error("the payment code would hold {0} bytes, which is too much")]
    Code(usize),
}
