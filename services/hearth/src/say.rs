//! Words to standard output.

use std::{
    fmt::Display,
    io::{self, ErrorKind, Write},
};

use anyhow::{Context, Result};

/// Writes text and ends the line. A reader that has gone, as after `| head`, is no fault: nobody wants the rest.
///
/// # Errors
/// Standard output leads to a file that cannot be written to.
pub fn say(text: impl Display) -> Result<()> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error).context("standard output cannot be written to"),
        _ => Ok(()),
    }
}
