//! Output of the `docferry` command. Results go to standard output. Errors and notes for people go
//! to standard error.

use std::io::{self, Write};
use std::time::Duration;

use docferry_cli::ClientError;
use docferry_cli::display::{make_printable, short_duration};
use miette::{Diagnostic, Report};
use serde::Serialize;

use crate::error::CliError;

/// Prints a result: `document` as a JSON line for programs if `json` is set, and `line` for people
/// otherwise.
///
/// # Errors
/// [`CliError::Output`] when standard output cannot be written.
pub(crate) fn print_result<T: Serialize>(
    json: bool,
    document: &T,
    line: &str,
) -> Result<(), CliError> {
    if json {
        return print_json(document);
    }
    writeln!(io::stdout(), "{}", make_printable(line)).map_err(CliError::Output)
}

/// Prints a result as a JSON line for programs.
///
/// # Errors
/// [`CliError::Output`] when standard output cannot be written.
pub(crate) fn print_json<T: Serialize>(document: &T) -> Result<(), CliError> {
    write_json_line(document).map_err(CliError::Output)
}

fn write_json_line<T: Serialize>(document: &T) -> io::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, document)?;
    writeln!(out)
}

/// Prints an error that concerns one of several transfers, jobs or documents. `about` says which
/// one.
///
/// # Errors
/// [`CliError::Output`] when standard error is closed.
pub(crate) fn print_error<E>(about: &str, error: E) -> Result<(), CliError>
where
    E: Diagnostic + Send + Sync + 'static,
{
    let report = Report::new(error).wrap_err(make_printable(about));
    writeln!(io::stderr(), "{report:?}").map_err(CliError::Output)
}

/// Prints a message for people to standard error.
///
/// # Errors
/// [`CliError::Output`] when standard error is closed.
pub(crate) fn print_note(line: &str) -> Result<(), CliError> {
    writeln!(io::stderr(), "{}", make_printable(line)).map_err(CliError::Output)
}

/// Prints that a call failed and is retried after `pause`, to explain the delay. Write errors are
/// ignored, because the message is not a result.
pub(crate) fn print_retry(error: &ClientError, pause: Duration) {
    let pause = short_duration(pause.max(Duration::from_secs(1)));
    let _ = print_note(&format!("{error}; retrying in {pause}"));
}
