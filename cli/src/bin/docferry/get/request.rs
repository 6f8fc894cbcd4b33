//! Creation of a job for the requested documents, after a check for existing files.

use std::fs;

use docferry_cli::fetch::{Existing, FetchError, Fetched, sanitized_name};
use docferry_cli::job::NewJob;
use docferry_cli::watch::retry_while;
use docferry_cli::{Client, ClientError};

use super::place::{Place, existing};
use super::report::{report_fetched, report_not_fetched};
use crate::args::Get;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output;

/// Maximum number of documents whose names are looked up before a job is created. Each needs
/// one call.
const MAX_NAME_LOOKUPS: usize = 20;

/// Checks for existing files before a job is created, and reports those that exist.
///
/// The file names are known from the arguments or from the index of documents. Returns the
/// documents to request, or `None` when no job is needed.
pub(super) async fn check_before_request(
    client: &Client,
    args: &Get,
    place: &Place,
    exit: &mut Exit,
    json: bool,
) -> Result<Option<Vec<u64>>, CliError> {
    if let (Some(name), Existing::Skip) = (&place.name, existing(args)) {
        let path = place.folder.join(name);
        let Ok(file) = path.symlink_metadata() else { return Ok(Some(args.file_ids.clone())) };
        let file_id = args.file_ids.first().copied();
        report_fetched(json, None, file_id, &Fetched { path, size: file.len(), skipped: true })?;
        return Ok(None);
    }
    // The lookup is skipped for an empty folder, which has no file to conflict with, and for
    // many documents.
    let is_empty = fs::read_dir(&place.folder).is_ok_and(|mut files| files.next().is_none());
    let checks_names = place.name.is_none() && existing(args) == Existing::Refuse && !is_empty;
    if !checks_names || args.file_ids.len() > MAX_NAME_LOOKUPS {
        return Ok(Some(args.file_ids.clone()));
    }
    let mut wanted = Vec::new();
    for &file_id in &args.file_ids {
        // Errors are ignored here: the job reports documents that are not available.
        let name = client.document_name(file_id).await.ok().flatten();
        let path = name.map(|name| place.folder.join(sanitized_name(&name)));
        match path.filter(|path| path.symlink_metadata().is_ok()) {
            None => wanted.push(file_id),
            Some(path) => {
                let error = FetchError::Exists { path };
                *exit = (*exit).max(Exit::from(&error));
                report_not_fetched(json, None, Some(file_id), &not_fetched(file_id), error)?;
            }
        }
    }
    Ok(Some(wanted).filter(|wanted| !wanted.is_empty()))
}

fn not_fetched(file_id: u64) -> String {
    format!("document {file_id} was not fetched")
}

/// Creates a job for the documents and returns its id. An idempotency key makes it safe to
/// retry the call.
pub(super) async fn request_job(
    client: &Client,
    args: &Get,
    file_ids: &[u64],
) -> Result<String, CliError> {
    let job = NewJob::new(file_ids, args.priority.into());
    let key = uuid::Uuid::new_v4().to_string();
    let is_transient = |error: &ClientError| {
        // 409: the first call with this key is still being recorded.
        error.is_transient() || matches!(error, ClientError::Rejected { status: 409, .. })
    };
    let options = args.wait.options();
    let call = || client.initiate(&job, &key);
    match retry_while(is_transient, &options, call, output::retrying).await {
        Ok(accepted) => Ok(accepted.job_id),
        Err(error) => {
            if error.may_have_taken_effect() {
                let advice = "a job may have been created: docferry list shows it, and \
                              docferry get --job downloads its documents";
                output::note(advice)?;
            }
            Err(error.into())
        }
    }
}
