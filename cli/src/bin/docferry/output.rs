//! What goes to standard output (results) and standard error (what went wrong).

use std::io::{self, Write};

use docferry_cli::ClientError;
use docferry_cli::display::clean;
use miette::Report;
use serde::Serialize;

/// Prints a result: a JSON line for programs, or the line for people.
pub(crate) fn result<T: Serialize>(json: bool, document: &T, line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        serde_json::to_writer(&mut out, document)?;
        writeln!(out)
    } else {
        writeln!(out, "{}", clean(line))
    }
}

/// Tells a person about an error that concerns one of several things.
///
/// # Errors
/// When standard error is closed.
pub(crate) fn complain(about: &str, error: ClientError) -> io::Result<()> {
    let report = Report::new(error).wrap_err(clean(about));
    writeln!(io::stderr(), "{report:?}")
}
