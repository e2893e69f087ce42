//! One file for each table: its columns, and where its rows come from.

pub mod audit;
pub mod bills;
pub mod customers;
pub mod ledger;
pub mod payments;
pub mod readings;

use contracts::hearth::r#type::v1::{Date, Decimal, Money};
use prost_types::Timestamp;

/// A day as 2025-01-31; nothing where there is none.
fn day(date: Option<&Date>) -> String {
    rpc::wire::date_of(date, "date").map_or_else(|_| String::new(), |day| day.to_string())
}

/// A moment with its offset; nothing where there is none.
fn moment(time: Option<&Timestamp>) -> String {
    rpc::wire::time_of(time, "time").map_or_else(|_| String::new(), |time| time.to_string())
}

/// An amount in yuan; nothing where there is none.
fn yuan(amount: Option<&Money>) -> String {
    amount.map_or_else(String::new, |amount| money::Money::from_fen(amount.minor_units).to_string())
}

/// A decimal number; nothing where there is none.
fn number(decimal: Option<&Decimal>) -> String {
    decimal.map_or_else(String::new, |decimal| decimal.value.clone())
}

/// The word of an enum value without the name of its enum: `STATE_PARTLY_PAID` as PARTLY_PAID.
fn word<'a>(name: &'a str, prefix: &str) -> &'a str {
    name.strip_prefix(prefix).unwrap_or(name)
}
