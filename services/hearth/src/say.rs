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

/// The program as it was called, if it lies below where we are.
pub fn program() -> String {
    let found = std::env::current_exe()
        .ok()
        .and_then(|exe| Some(exe.strip_prefix(std::env::current_dir().ok()?).ok()?.display().to_string()));
    match found {
        Some(program) if program.contains('/') => program,
        Some(program) => format!("./{program}"),
        None => "hearth".to_owned(),
    }
}
