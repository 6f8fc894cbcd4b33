//! What goes to standard output (results) and standard error (what went wrong).

use std::io::{self, Write};
use std::time::Duration;

use docferry_cli::ClientError;
use docferry_cli::display::{clean, short_duration};
use miette::{Diagnostic, Report};
use serde::Serialize;

use crate::exit::CliError;

/// Prints a result: a JSON line for programs, or the line for people.
///
/// # Errors
/// When standard output cannot be written.
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

/// Tells a person about an error that concerns one of several things.
///
/// # Errors
/// When standard error is closed.
pub(crate) fn complain<E>(about: &str, error: E) -> Result<(), CliError>
where
    E: Diagnostic + Send + Sync + 'static,
{
    let report = Report::new(error).wrap_err(clean(about));
    writeln!(io::stderr(), "{report:?}").map_err(CliError::Output)
}

/// Tells a person what happens meanwhile. It is no result, so it is not for programs.
///
/// # Errors
/// When standard error is closed.
pub(crate) fn note(line: &str) -> Result<(), CliError> {
    writeln!(io::stderr(), "{}", clean(line)).map_err(CliError::Output)
}

/// Tells a person that a call has failed and is made again, so that a wait has its reason.
/// It is no result, so a closed standard error does not matter.
pub(crate) fn retrying(error: &ClientError, pause: Duration) {
    let pause = short_duration(pause.max(Duration::from_secs(1)));
    let _ = note(&format!("{error}; again in {pause}"));
}
