//! The `docferry get` command. It creates a job for the requested documents, waits until the job
//! has ended, and downloads the documents into files. With `--job`, it uses an existing job.

mod report;
mod request;
mod target;

use docferry_cli::Client;
use docferry_cli::fetch::{FetchError, UsedNames, WantedDocument, fetch};
use docferry_cli::job::{JobItem, JobState, JobStatus};
use docferry_cli::watch::{Outcome, watch_job};

use self::report::{report_fetched, report_not_fetched};
use self::request::{check_existing_files, request_job};
use self::target::{DownloadTarget, download_target, existing_file_policy};
use crate::args::Get;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output;
use crate::shell::quoted;
use crate::watch::ProgressDisplay;

pub(crate) async fn run(client: &Client, args: &Get, json: bool) -> Result<Exit, CliError> {
    let target = download_target(args)?;
    let mut job_id = args.job.clone();
    let create_and_download = create_and_download(client, args, &target, &mut job_id, json);
    tokio::select! {
        result = create_and_download => return result,
        interrupt = tokio::signal::ctrl_c() => interrupt.map_err(CliError::Signal)?,
    }
    // The partial file stays, so that the command in this advice can resume the download.
    let advice = job_id.map(|id| format!("; resume with:\n  {}", resume_command(&id, args)));
    output::print_note(&format!("\ninterrupted{}", advice.unwrap_or_default()))?;
    Ok(Exit::Interrupted)
}

/// Creates a job if `job_id` is `None`, waits for its end and downloads its documents. Stores the
/// id of the new job in `job_id`, so that the id is known after an interrupt.
async fn create_and_download(
    client: &Client,
    args: &Get,
    target: &DownloadTarget,
    job_id: &mut Option<String>,
    json: bool,
) -> Result<Exit, CliError> {
    let mut exit = Exit::Completed;
    let id = match job_id {
        Some(id) => id.clone(),
        None => {
            let check = check_existing_files(client, args, target, json).await?;
            exit = check.exit;
            if check.missing_file_ids.is_empty() {
                return Ok(exit);
            }
            let id = request_job(client, args, &check.missing_file_ids).await?;
            output::print_note(&format!("job {id}"))?;
            job_id.insert(id).clone()
        }
    };
    let options = args.wait.options();
    let display = ProgressDisplay::new();
    let outcome = watch_job(client, &id, &options, &*display.observer(&id, None)).await?;
    exit = exit.max(Exit::of(&outcome));
    let (Outcome::Completed(status) | Outcome::Failed(status)) = &outcome else {
        report_not_fetched(json, Some(&id), None, &format!("job {id}"), FetchError::NotReady)?;
        return Ok(exit);
    };
    if target.name.is_some() && status.items.len() > 1 {
        return Err(CliError::ManyForOneFile);
    }
    if status.items.is_empty() {
        exit = exit.max(Exit::Failed);
        report_not_fetched(json, Some(&id), None, &format!("job {id}"), failure_of(status, None))?;
    }
    let mut downloads =
        Downloads { client, args, target, names: UsedNames::default(), display: &display, json };
    for item in &status.items {
        exit = exit.max(downloads.download(status, item).await?);
    }
    Ok(exit)
}

/// Downloads of one run of the command.
struct Downloads<'a> {
    client: &'a Client,
    args: &'a Get,
    target: &'a DownloadTarget,
    names: UsedNames,
    display: &'a ProgressDisplay,
    json: bool,
}

impl Downloads<'_> {
    /// Downloads one document and reports the result. Returns the exit code for the document.
    async fn download(&mut self, status: &JobStatus, item: &JobItem) -> Result<Exit, CliError> {
        let job_id = item.job_id.as_deref().unwrap_or(&status.job_id);
        let file_id = item.file_id;
        let label = file_id.map_or_else(|| job_id.to_owned(), |id| format!("document {id}"));
        let result = if item.status == JobState::Completed {
            let wanted = WantedDocument {
                job_id: job_id.to_owned(),
                size: item.bytes_total,
                fallback_name: label.replace(' ', "-"),
                folder: self.target.folder.clone(),
                name: self.target.name.clone(),
                existing: existing_file_policy(self.args),
            };
            let observer = self.display.observer(&label, None);
            fetch(self.client, &wanted, &mut self.names, &self.args.wait.options(), &*observer)
                .await
        } else {
            Err(failure_of(status, Some(item)))
        };
        match result {
            Ok(fetched) => {
                report_fetched(self.json, Some(job_id), file_id, &fetched)?;
                Ok(Exit::Completed)
            }
            Err(error) => {
                let exit = Exit::from(&error);
                let about = format!("{label} was not downloaded");
                report_not_fetched(self.json, Some(job_id), file_id, &about, error)?;
                Ok(exit)
            }
        }
    }
}

/// Returns the error for a document that the job did not make available. The reason is the failure
/// of the document, or the failure of the job if the document has no failure of its own.
fn failure_of(status: &JobStatus, item: Option<&JobItem>) -> FetchError {
    let state = item.map_or(status.status, |item| item.status);
    let error = item.and_then(|item| item.error.as_ref()).or(status.error.as_ref());
    let reason = match error {
        Some(error) => format!("{}: {} [{}]", state.as_str(), error.message, error.code),
        None => state.as_str().to_owned(),
    };
    FetchError::NothingToFetch { reason }
}

/// Returns the command that resumes an interrupted download.
fn resume_command(job_id: &str, args: &Get) -> String {
    let mut words = vec!["docferry get --job".to_owned(), job_id.to_owned()];
    if let Some(output) = &args.output {
        words.extend(["--output".to_owned(), quoted(&output.to_string_lossy())]);
    }
    // Documents that are already downloaded are skipped.
    let existing = if args.force { "--force" } else { "--skip-existing" };
    words.push(existing.to_owned());
    words.join(" ")
}
