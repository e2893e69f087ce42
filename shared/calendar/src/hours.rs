//! Times of day: when people work, when customers can be visited.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Part of a day, from `from` up to and without `to`, in minutes after midnight (0 to 1440).
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(try_from = "(u16, u16)", into = "(u16, u16)")]
pub struct Window {
    from: u16,
    to: u16,
}

/// Times of day that make no sense.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum BadHours {
    /// Not 0 ≤ from < to ≤ 1440.
    #[error("a window of the day ends after it begins, within 0 to 1440 minutes")]
    Window,
    /// Windows out of order or overlapping.
    #[error("working hours are windows in order that do not overlap")]
    Order,
    /// No window at all.
    #[error("working hours have at least one window")]
    Empty,
}

impl Window {
    /// From one minute of the day to another: `Window::new(6 * 60, 20 * 60)` is 06:00-20:00.
    ///
    /// # Errors
    /// [`BadHours::Window`].
    pub const fn new(from: u16, to: u16) -> Result<Self, BadHours> {
        if from < to && to <= 1440 {
            Ok(Self { from, to })
        } else {
            Err(BadHours::Window)
        }
    }

    /// First minute of the day.
    #[must_use]
    pub const fn from(self) -> u16 {
        self.from
    }

    /// Minute of the day at which it is over.
    #[must_use]
    pub const fn to(self) -> u16 {
        self.to
    }
}

impl TryFrom<(u16, u16)> for Window {
    type Error = BadHours;

    fn try_from((from, to): (u16, u16)) -> Result<Self, BadHours> {
        Self::new(from, to)
    }
}

impl From<Window> for (u16, u16) {
    fn from(window: Window) -> Self {
        (window.from, window.to)
    }
}

/// Working hours (工作时间) of a working day: one window or several.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hours(Vec<Window>);

impl Hours {
    /// From windows in order.
    ///
    /// # Errors
    /// [`BadHours`] when there is none, or when they are out of order or overlap.
    pub fn new(windows: Vec<Window>) -> Result<Self, BadHours> {
        if windows.is_empty() {
            return Err(BadHours::Empty);
        }
        if windows.iter().zip(windows.iter().skip(1)).any(|(one, next)| one.to > next.from) {
            return Err(BadHours::Order);
        }
        Ok(Self(windows))
    }

    /// 08:30-12:00 and 13:30-17:30, 450 minutes.
    #[must_use]
    pub fn office() -> Self {
        Self(vec![Window { from: 510, to: 720 }, Window { from: 810, to: 1050 }])
    }

    /// The windows in order.
    #[must_use]
    pub fn windows(&self) -> &[Window] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn nonsense_is_refused() {
        assert_eq!(Window::new(600, 600), Err(BadHours::Window));
        assert_eq!(Window::new(600, 1441), Err(BadHours::Window));
        assert_eq!(Hours::new(vec![]), Err(BadHours::Empty));
        let (one, two) = (Window::new(0, 600).unwrap(), Window::new(599, 700).unwrap());
        assert_eq!(Hours::new(vec![one, two]), Err(BadHours::Order));
        assert_eq!(Hours::new(vec![two, one]), Err(BadHours::Order));
        assert!(serde_json::from_str::<Window>("[1200,360]").is_err());
        assert_eq!(serde_json::from_str::<Window>("[360,1200]").unwrap(), Window::new(360, 1200).unwrap());
    }

    #[test]
    fn the_office_works_450_minutes() {
        let office = Hours::office();
        assert_eq!(office.windows().iter().map(|w| w.to() - w.from()).sum::<u16>(), 450);
        assert_eq!(Hours::new(office.windows().to_vec()), Ok(office));
    }
}
