//! Output of `docferry get`: one line for each document, as text for people or as JSON for
//! programs.

use std::path::Path;

use docferry_cli::Problem;
use docferry_cli::fetch::{FetchError, FetchedFile};
use serde::Serialize;

use crate::error::CliError;
use crate::output;

/// JSON line about a document that was downloaded or already existed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct FetchedDocument<'a> {
    job_id: Option<&'a str>,
    #[serde(rename = "file_id")]
    file_id: Option<u64>,
    path: &'a Path,
    size: u64,
    skipped: bool,
}

/// JSON line about a document that was not downloaded.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct NotFetched<'a> {
    job_id: Option<&'a str>,
    #[serde(rename = "file_id")]
    file_id: Option<u64>,
    problem: Problem,
}

/// Reports a document that was downloaded or already existed.
pub(super) fn report_fetched(
    json: bool,
    job_id: Option<&str>,
    file_id: Option<u64>,
    fetched: &FetchedFile,
) -> Result<(), CliError> {
    let FetchedFile { path, size, skipped } = fetched;
    let note = if *skipped { "  (already existed)" } else { "" };
    let line = format!("{}  {size} bytes{note}", path.display());
    let document = FetchedDocument { job_id, file_id, path, size: *size, skipped: *skipped };
    output::print_result(json, &document, &line)
}

/// Reports a document or job of which nothing was downloaded. `about` is the first line of the
/// error for people.
pub(super) fn report_not_fetched(
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
        output::print_json(&NotFetched { job_id, file_id, problem })?;
    }
    output::print_error(about, error)
}
