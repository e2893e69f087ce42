//! What an opening says, pure.

use calendar::NaiveDate;
use money::Volume;

use crate::supply::model::Service;

/// What is wrong with a row: field, reason, text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wrong(pub &'static str, pub &'static str, pub &'static str);

/// An open item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Number of the bill in the system before.
    pub reference: String,
    pub due: NaiveDate,
    /// Fen.
    pub amount: i64,
}

/// The state of one agreement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    pub service: Service,
    pub as_of: NaiveDate,
    /// Whether the index of a meter is taken over.
    pub metered: bool,
    pub volume: Volume,
    /// Fen.
    pub prepaid: i64,
    pub items: Vec<Item>,
}

impl Opening {
    /// What is owed, fen.
    pub fn owed(&self) -> i64 {
        self.items.iter().map(|i| i.amount).fold(0, i64::saturating_add)
    }

    /// What it says in one line, to tell a repeated row from a different one. `index` is the one that was read, litres.
    pub fn content(&self, meter_no: &str, index: Option<i64>) -> String {
        let mut items: Vec<String> = self.items.iter().map(|i| format!("{} {} {}", i.reference, i.due, i.amount)).collect();
        items.sort_unstable();
        let index = index.map(|i| i.to_string()).unwrap_or_default();
        format!("{}|{meter_no}|{index}|{}|{}|{}", self.as_of, self.volume, self.prepaid, items.join(","))
    }
}
