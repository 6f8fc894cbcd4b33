//! Creates the job of `docferry get`, after a check for files that already exist.

use std::fs;

use docferry_cli::fetch::{ExistingFilePolicy, FetchError, FetchedFile, sanitized_name};
use docferry_cli::job::NewJob;
use docferry_cli::watch::retry_while;
use docferry_cli::{Client, ClientError};

use super::report::{report_fetched, report_not_fetched};
use super::target::{DownloadTarget, existing_file_policy};
use crate::args::Get;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output;

/// Maximum number of documents whose names are looked up before a job is created. Each lookup is
/// one call of the API.
const MAX_NAME_LOOKUPS: usize = 20;

/// Checks for existing files before a job is created, and reports those that exist.
///
/// The file names are known from the arguments or from the document registry. Returns the
/// documents to request, or `None` when no job is needed.
pub(super) async fn check_before_request(
    client: &Client,
    args: &Get,
    target: &DownloadTarget,
    exit: &mut Exit,
    json: bool,
) -> Result<Option<Vec<u64>>, CliError> {
    if let (Some(name), ExistingFilePolicy::Skip) = (&target.name, existing_file_policy(args)) {
        let path = target.folder.join(name);
        let Ok(file) = path.symlink_metadata() else { return Ok(Some(args.file_ids.clone())) };
        let file_id = args.file_ids.first().copied();
        report_fetched(
            json,
            None,
            file_id,
            &FetchedFile { path, size: file.len(), skipped: true },
        )?;
        return Ok(None);
    }
    // The lookup is skipped for an empty folder, which has no file to conflict with, and for
    // many documents.
    let is_empty = fs::read_dir(&target.folder).is_ok_and(|mut files| files.next().is_none());
    let checks_names = target.name.is_none()
        && existing_file_policy(args) == ExistingFilePolicy::Refuse
        && !is_empty;
    if !checks_names || args.file_ids.len() > MAX_NAME_LOOKUPS {
        return Ok(Some(args.file_ids.clone()));
    }
    let mut wanted_file_ids = Vec::new();
    for &file_id in &args.file_ids {
        // Errors are ignored here: the job reports documents that are not available.
        let name = client.document_name(file_id).await.ok().flatten();
        let path = name.map(|name| target.folder.join(sanitized_name(&name)));
        match path.filter(|path| path.symlink_metadata().is_ok()) {
            None => wanted_file_ids.push(file_id),
            Some(path) => {
                let error = FetchError::Exists { path };
                *exit = (*exit).max(Exit::from(&error));
                report_not_fetched(
                    json,
                    None,
                    Some(file_id),
                    &not_fetched_message(file_id),
                    error,
                )?;
            }
        }
    }
    Ok(Some(wanted_file_ids).filter(|file_ids| !file_ids.is_empty()))
}

fn not_fetched_message(file_id: u64) -> String {
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
        // 409 means that the first call with this key is still being recorded.
        error.is_transient() || matches!(error, ClientError::Rejected { status: 409, .. })
    };
    let options = args.wait.options();
    let call = || client.initiate(&job, &key);
    match retry_while(is_transient, &options, call, output::print_retry).await {
        Ok(accepted) => Ok(accepted.job_id),
        Err(error) => {
            if error.may_have_taken_effect() {
                let advice = "a job may have been created: docferry list shows it, and \
                              docferry get --job downloads its documents";
                output::print_note(advice)?;
            }
            Err(error.into())
        }
    }
}
