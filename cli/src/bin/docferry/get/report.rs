//! The lines about documents, for people and for programs.

use std::path::Path;

use docferry_cli::Problem;
use docferry_cli::fetch::{FetchError, Fetched};
use serde::Serialize;

use crate::exit::CliError;
use crate::output;

/// The JSON line of a document that is in its place.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Got<'a> {
    job_id: Option<&'a str>,
    #[serde(rename = "file_id")]
    file_id: Option<u64>,
    path: &'a Path,
    size: u64,
    skipped: bool,
}

/// The JSON line of one that is not.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct NotGot<'a> {
    job_id: Option<&'a str>,
    #[serde(rename = "file_id")]
    file_id: Option<u64>,
    problem: Problem,
}

/// Reports a document that is in its place.
pub(super) fn got(
    json: bool,
    job_id: Option<&str>,
    file_id: Option<u64>,
    fetched: &Fetched,
) -> Result<(), CliError> {
    let Fetched { path, size, skipped } = fetched;
    let was = if *skipped { "  (was there)" } else { "" };
    let line = format!("{}  {size} bytes{was}", path.display());
    let document = Got { job_id, file_id, path, size: *size, skipped: *skipped };
    output::result(json, &document, &line)
}

/// Reports a document or job of which nothing is in its place.
pub(super) fn not_got(
    json: bool,
    job_id: Option<&str>,
    file_id: Option<u64>,
    about: &str,
    error: FetchError,
) -> Result<(), CliError> {
    if json {
        let problem = match &error {
            FetchError::Client(error) => error.to_problem(),
            error => Problem { detail: Some(error.to_string()), ..Problem::default() },
        };
        output::result(json, &NotGot { job_id, file_id, problem }, "")?;
    }
    output::complain(about, error)
}
