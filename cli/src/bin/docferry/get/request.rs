//! The first two steps of `docferry get`: a check for files that already exist, and the creation of
//! a job for the other documents.

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

/// Result of the check for existing files.
pub(super) struct ExistingFilesCheck {
    /// Documents without a file. If there are none, no job is needed.
    pub(super) missing_file_ids: Vec<u64>,
    /// Exit code for the documents whose files exist.
    pub(super) exit: Exit,
}

/// Checks for existing files before a job is created, and reports the files that exist.
///
/// The names of the files come from the arguments or from the document registry. If the names
/// cannot be known at a reasonable cost, all documents count as missing. Each download checks its
/// file anyway.
pub(super) async fn check_existing_files(
    client: &Client,
    args: &Get,
    target: &DownloadTarget,
    json: bool,
) -> Result<ExistingFilesCheck, CliError> {
    let all_missing =
        || ExistingFilesCheck { missing_file_ids: args.file_ids.clone(), exit: Exit::Completed };
    let policy = existing_file_policy(args);
    if let (Some(name), ExistingFilePolicy::Skip) = (&target.name, policy) {
        let path = target.folder.join(name);
        let Ok(metadata) = path.symlink_metadata() else { return Ok(all_missing()) };
        let existing_file = FetchedFile { path, size: metadata.len(), skipped: true };
        report_fetched(json, None, args.file_ids.first().copied(), &existing_file)?;
        return Ok(ExistingFilesCheck { missing_file_ids: Vec::new(), exit: Exit::Completed });
    }
    // The registry is asked only if a document with its own name could conflict with a file.
    let is_empty = fs::read_dir(&target.folder).is_ok_and(|mut files| files.next().is_none());
    let may_conflict = target.name.is_none() && policy == ExistingFilePolicy::Refuse && !is_empty;
    if !may_conflict || args.file_ids.len() > MAX_NAME_LOOKUPS {
        return Ok(all_missing());
    }
    let mut check = ExistingFilesCheck { missing_file_ids: Vec::new(), exit: Exit::Completed };
    for &file_id in &args.file_ids {
        // Errors are ignored here, because the job reports documents that are not available.
        let name = client.document_name(file_id).await.ok().flatten();
        let path = name.map(|name| target.folder.join(sanitized_name(&name)));
        match path.filter(|path| path.symlink_metadata().is_ok()) {
            None => check.missing_file_ids.push(file_id),
            Some(path) => {
                let error = FetchError::Exists { path };
                check.exit = check.exit.max(Exit::from(&error));
                let about = format!("document {file_id} was not fetched");
                report_not_fetched(json, None, Some(file_id), &about, error)?;
            }
        }
    }
    Ok(check)
}

/// Creates a job for the documents and returns the id of the job. An idempotency key makes it safe
/// to retry the call.
pub(super) async fn request_job(
    client: &Client,
    args: &Get,
    file_ids: &[u64],
) -> Result<String, CliError> {
    let job = NewJob::new(file_ids, args.priority.into());
    let idempotency_key = uuid::Uuid::new_v4().to_string();
    let should_retry = |error: &ClientError| {
        // 409 means that the first call with this key is still being recorded.
        error.is_transient() || matches!(error, ClientError::Rejected { status: 409, .. })
    };
    let options = args.wait.options();
    let call = || client.initiate(&job, &idempotency_key);
    match retry_while(should_retry, &options, call, output::print_retry).await {
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
