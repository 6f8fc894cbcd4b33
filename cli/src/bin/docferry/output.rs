//! Output of the command: results to standard output, everything else to standard error.

use std::io::{self, Write};
use std::time::Duration;

use docferry_cli::ClientError;
use docferry_cli::display::{clean, short_duration};
use miette::{Diagnostic, Report};
use serde::Serialize;

use crate::error::CliError;

/// Prints a result: `document` as a JSON line for programs, or `line` for people.
///
/// # Errors
/// [`CliError::Output`] when standard output cannot be written.
pub(crate) fn result<T: Serialize>(json: bool, document: &T, line: &str) -> Result<(), CliError> {
    print(json, document, line).map_err(CliError::Output)
}

fn print<T: Serialize>(json: bool, document: &T, line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        serde_json::to_writer(&mut out, document)?;
        writeln!(out)
    } else {
        writeln!(out, "{}", clean(line))
    }
}

/// Prints an error that concerns one of several items; `about` says which.
///
/// # Errors
/// [`CliError::Output`] when standard error is closed.
pub(crate) fn print_error<E>(about: &str, error: E) -> Result<(), CliError>
where
    E: Diagnostic + Send + Sync + 'static,
{
    let report = Report::new(error).wrap_err(clean(about));
    writeln!(io::stderr(), "{report:?}").map_err(CliError::Output)
}

/// Prints a message for people to standard error. Results for programs do not go here.
///
/// # Errors
/// [`CliError::Output`] when standard error is closed.
pub(crate) fn note(line: &str) -> Result<(), CliError> {
    writeln!(io::stderr(), "{}", clean(line)).map_err(CliError::Output)
}

/// Prints that a call failed and is retried, to explain the delay. A closed standard error
/// does not matter here.
pub(crate) fn retrying(error: &ClientError, pause: Duration) {
    let pause = short_duration(pause.max(Duration::from_secs(1)));
    let _ = note(&format!("{error}; retrying in {pause}"));
}
