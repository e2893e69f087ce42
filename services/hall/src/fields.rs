//! Between the fields of requests, the columns of rows and the types of the rules.

use rpc::Fault;
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use crate::codes::Code;

/// The word that a required enum field names.
pub fn pick<T: Code>(field: &str, number: i32) -> Result<T, Fault> {
    T::of_number(number).ok_or_else(|| Fault::invalid(field, "REQUIRED", "a value is required"))
}

/// The word that an optional enum field names.
pub fn pick_if<T: Code>(number: i32) -> Option<T> {
    T::of_number(number)
}

/// The number of an optional word.
pub fn number<T: Code>(word: Option<T>) -> i32 {
    word.map_or(0, Code::number)
}

/// An id of a request.
pub fn id(field: &str, text: &str) -> Result<Uuid, Fault> {
    Uuid::try_parse(text).map_err(|_| Fault::invalid(field, "ID_FORMAT", "not a UUID"))
}

/// An id that may be left empty.
pub fn id_if(field: &str, text: &str) -> Result<Option<Uuid>, Fault> {
    if text.is_empty() { Ok(None) } else { id(field, text).map(Some) }
}

/// Ids of a request.
pub fn ids(field: &str, texts: &[String]) -> Result<Vec<Uuid>, Fault> {
    texts.iter().map(|text| id(field, text)).collect()
}

/// The text of an id that may be absent.
pub fn text(id: Option<Uuid>) -> String {
    id.map(|id| id.to_string()).unwrap_or_default()
}

/// A value as the text of a column.
pub fn pack(value: &impl Serialize) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(Fault::internal)
}

/// The value of such a column.
pub fn unpack<T: DeserializeOwned>(text: &str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(Fault::internal)
}

/// Refuses a day after today.
pub fn not_after(field: &str, day: calendar::NaiveDate, today: calendar::NaiveDate) -> Result<(), Fault> {
    if day > today {
        Err(Fault::from(crate::refusal::Refusal::DateInFuture).field(field))
    } else {
        Ok(())
    }
}

/// An instant of a column.
pub fn instant(micros: i64) -> prost_types::Timestamp {
    rpc::wire::time(calendar::Instant::from_micros(micros))
}
