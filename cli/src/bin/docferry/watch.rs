//! The `docferry watch` command, which waits for the end of transfers and jobs. Other commands call
//! [`run`] for their `--watch` option.

use std::cell::RefCell;
use std::io::{IsTerminal, Stderr, stderr};
use std::rc::Rc;

use docferry_cli::display::{Lines, bar};
use docferry_cli::job::{JobItem, JobState, JobStatus};
use docferry_cli::watch::{Observer, Outcome, retry_transient, watch, watch_job};
use docferry_cli::{Client, ClientError, Problem, StatusDocument, TransferStatus};
use futures::future::join_all;
use indicatif::MultiProgress;

use crate::argument_values::WaitOptions;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output;

/// JSON line about a transfer or job whose status is not known.
#[derive(Debug, serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct UnknownStatus<'a> {
    #[serde(flatten)]
    id: TransferOrJobId<'a>,
    problem: Problem,
}

impl<'a> UnknownStatus<'a> {
    /// Describes a watch whose timeout expired before the service responded.
    fn without_response(id: TransferOrJobId<'a>) -> Self {
        let detail =
            Some("the service did not respond in time; it may still be running".to_owned());
        Self { id, problem: Problem { detail, ..Problem::default() } }
    }
}

/// Id of a transfer or a job.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub(crate) enum TransferOrJobId<'a> {
    #[serde(rename = "transferId")]
    Transfer(&'a str),
    #[serde(rename = "jobId")]
    Job(&'a str),
}

impl<'a> TransferOrJobId<'a> {
    pub(crate) fn as_str(self) -> &'a str {
        match self {
            Self::Transfer(id) | Self::Job(id) => id,
        }
    }
}

/// Result of watching a transfer or a job.
pub(crate) enum WatchResult {
    Transfer(Result<Outcome, ClientError>),
    Job(Result<Outcome<JobStatus>, ClientError>),
}

/// Functions that map the outcome of a transfer or a job to an exit code. Commands differ in the
/// outcomes that count as success.
pub(crate) struct ExitRules {
    pub(crate) transfer: fn(&Outcome) -> Exit,
    pub(crate) job: fn(&Outcome<JobStatus>) -> Exit,
}

/// Returns the exit rules of commands that succeed when documents are delivered.
pub(crate) fn delivery_exit_rules() -> ExitRules {
    ExitRules { transfer: Exit::of, job: Exit::of_job }
}

/// Display of progress: bars on a terminal, and lines in a log or a pipe. It uses standard error,
/// so that results can be piped.
pub(crate) enum ProgressDisplay {
    Bars(MultiProgress),
    Lines(Rc<RefCell<Stderr>>),
}

impl ProgressDisplay {
    /// Returns bars if standard error is a terminal, and lines otherwise.
    pub(crate) fn new() -> Self {
        if stderr().is_terminal() {
            Self::Bars(MultiProgress::new())
        } else {
            Self::Lines(Rc::new(RefCell::new(stderr())))
        }
    }

    /// Returns an observer that displays the progress of one transfer, job or download. Its label
    /// is `name`, or the id if `name` is `None`.
    pub(crate) fn observer(&self, id: &str, name: Option<&str>) -> Box<dyn Observer> {
        match self {
            Self::Bars(bars) => Box::new(bar(bars, id, name)),
            Self::Lines(out) => Box::new(Lines::new(Rc::clone(out), id, name)),
        }
    }
}

/// Watches transfers and jobs concurrently and prints the end of each.
pub(crate) async fn run(
    client: &Client,
    ids: &[String],
    wait: &WaitOptions,
    json: bool,
    exit_rules: ExitRules,
) -> Result<Exit, CliError> {
    let options = wait.options();
    let display = ProgressDisplay::new();
    let watches = ids.iter().map(async |id| {
        let is_job =
            match retry_transient(&options, || client.is_job(id), output::print_retry).await {
                Ok(is_job) => is_job,
                // Transfer or job is not known, so the error is reported as that of a transfer.
                Err(error) => return WatchResult::Transfer(Err(error)),
            };
        let observer = display.observer(id, None);
        if is_job {
            WatchResult::Job(watch_job(client, id, &options, &*observer).await)
        } else {
            WatchResult::Transfer(watch(client, id, &options, &*observer).await)
        }
    });
    let mut exit = Exit::Completed;
    for (id, result) in ids.iter().zip(join_all(watches).await) {
        exit = exit.max(match &result {
            WatchResult::Transfer(Ok(outcome)) => (exit_rules.transfer)(outcome),
            WatchResult::Job(Ok(outcome)) => (exit_rules.job)(outcome),
            WatchResult::Transfer(Err(error)) | WatchResult::Job(Err(error)) => error.into(),
        });
        report(id, result, json)?;
    }
    Ok(exit)
}

/// Prints the end of a transfer or job.
fn report(id: &str, result: WatchResult, json: bool) -> Result<(), CliError> {
    let (error, watched_id) = match result {
        WatchResult::Transfer(Ok(outcome)) => {
            let no_response = UnknownStatus::without_response(TransferOrJobId::Transfer(id));
            return report_outcome(id, &outcome, &no_response, transfer_line, json);
        }
        WatchResult::Job(Ok(outcome)) => {
            let no_response = UnknownStatus::without_response(TransferOrJobId::Job(id));
            return report_outcome(id, &outcome, &no_response, job_line, json);
        }
        WatchResult::Transfer(Err(error)) => (error, TransferOrJobId::Transfer(id)),
        WatchResult::Job(Err(error)) => (error, TransferOrJobId::Job(id)),
    };
    if json {
        let problem = error.to_problem();
        output::print_json(&UnknownStatus { id: watched_id, problem })?;
    }
    let kind = match watched_id {
        TransferOrJobId::Transfer(_) => "transfer",
        TransferOrJobId::Job(_) => "job",
    };
    output::print_error(&format!("{kind} {id} cannot be watched"), error)
}

/// Prints the last status of a transfer or job, or `no_response` if the service sent no status.
/// `format_line` formats the status for people.
fn report_outcome<S: StatusDocument + serde::Serialize>(
    id: &str,
    outcome: &Outcome<S>,
    no_response: &UnknownStatus<'_>,
    format_line: fn(&S, &str) -> String,
    json: bool,
) -> Result<(), CliError> {
    let end = match outcome {
        Outcome::Completed(_) => "completed".to_owned(),
        Outcome::Failed(status) if status.was_canceled() => "stopped on request".to_owned(),
        Outcome::Failed(status) => format!("failed  {}", status.failure()),
        Outcome::TimedOut(_) => "still running".to_owned(),
    };
    match outcome.status() {
        Some(status) => output::print_result(json, status, &format_line(status, &end))?,
        None => output::print_result(json, no_response, &format!("{id}  no response"))?,
    }
    Ok(())
}

/// Formats the end of a transfer for people.
fn transfer_line(status: &TransferStatus, end: &str) -> String {
    let name = status.file_name.as_deref().unwrap_or("(name unknown)");
    format!("{}  {name}  {} bytes  {end}", status.transfer_id, status.file_size)
}

/// Formats the end of a job for people.
fn job_line(status: &JobStatus, end: &str) -> String {
    let is_completed = |item: &&JobItem| item.status == JobState::Completed;
    let completed_count = status.items.iter().filter(is_completed).count();
    let document_count = status.items.len();
    let bytes: u64 = status.items.iter().map(|item| item.bytes_done).sum();
    let missing_note = match status.undelivered_documents() {
        missing if missing > 0 && status.status == JobState::Completed => {
            format!(" without {missing} of its documents")
        }
        _ => String::new(),
    };
    let job_id = &status.job_id;
    format!(
        "{job_id}  {completed_count} of {document_count} documents  {bytes} bytes  \
         {end}{missing_note}"
    )
}
