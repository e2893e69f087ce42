//! What the demo shows while it plays: a bar on a terminal, and a line for each chapter that is done.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// The play as it is seen.
pub struct Stage {
    began: Instant,
}

impl Stage {
    pub fn new() -> Self {
        Self { began: Instant::now() }
    }

    /// Begins a chapter of so many steps; 0 where nobody knows.
    pub fn chapter(&self, name: &'static str, steps: usize) -> Chapter {
        let known = "  {spinner} {prefix:<12} {bar:32} {pos}/{len}  {msg}";
        let unknown = "  {spinner} {prefix:<12} {msg}";
        let style = ProgressStyle::with_template(if steps > 0 { known } else { unknown }).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::with_draw_target(Some(u64::try_from(steps).unwrap_or_default()), ProgressDrawTarget::stderr())
            .with_style(style)
            .with_prefix(name);
        bar.enable_steady_tick(Duration::from_millis(120));
        Chapter {
            name,
            bar,
            began: Instant::now(),
        }
    }

    /// Seconds since the curtain rose.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}

/// A chapter that is being played.
pub struct Chapter {
    name: &'static str,
    bar: ProgressBar,
    began: Instant,
}

impl Chapter {
    pub fn step(&self, steps: usize) {
        self.bar.inc(u64::try_from(steps).unwrap_or_default());
    }

    /// What is being done.
    pub fn doing(&self, what: &str) {
        self.bar.set_message(what.to_owned());
    }

    /// Ends the chapter with the line that stays.
    pub fn done(self, told: &str) {
        self.bar.finish_and_clear();
        println!("  {:<12} {told}  ({})", self.name, seconds(self.began.elapsed()));
    }
}

/// A duration to the tenth of a second.
pub fn seconds(duration: Duration) -> String {
    let tenths = duration.as_millis() / 100;
    format!("{}.{} s", tenths / 10, tenths % 10)
}
