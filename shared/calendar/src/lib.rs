//! Time as the utility counts it: instants, the one clock that rules read, civil days in Asia/Shanghai, working days with made-up workdays (调休), and deadlines.
//!
//! Rules never ask the machine for the time: `now` comes from a [`Clock`] given at start, so that a simulated year runs the same code as a real one.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod clock;
mod days;
mod due;
mod hours;
mod instant;
mod sla;
mod work;

pub use chrono::{NaiveDate, TimeDelta};

pub use clock::{Clock, SetRefused};
pub use days::{BadTable, CalendarMissing, Day, DayKind, Days};
pub use due::{Counted, Due, Pause, Rule, Step, Until, due, explain};
pub use hours::{BadHours, Hours, Window};
pub use instant::{BadInstant, Instant, ZONE};
pub use sla::{Basis, Breach, SlaClock, SlaError, Standing};
pub use work::{Calendar, working_minutes_between};
