//! The `docferry watch` command.

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
struct NotWatched<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    transfer_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    job_id: Option<&'a str>,
    problem: Problem,
}

impl<'a> NotWatched<'a> {
    /// The timeout expired before the service responded.
    fn without_response(transfer_id: Option<&'a str>, job_id: Option<&'a str>) -> Self {
        let detail =
            Some("the service did not respond in time; it may still be running".to_owned());
        Self { transfer_id, job_id, problem: Problem { detail, ..Problem::default() } }
    }
}

/// Result of watching a transfer or a job.
pub(crate) enum Ended {
    Transfer(Result<Outcome, ClientError>),
    Job(Result<Outcome<JobStatus>, ClientError>),
}

/// Functions that map the result of watching to an exit code.
pub(crate) struct Judge {
    pub(crate) transfer: fn(&Outcome) -> Exit,
    pub(crate) job: fn(&Outcome<JobStatus>) -> Exit,
}

/// Exit codes of commands that deliver documents.
pub(crate) fn deliveries() -> Judge {
    Judge { transfer: Exit::of, job: Exit::of_job }
}

/// Display of progress: bars on a terminal, lines elsewhere. It uses standard error, so that
/// results can be piped.
pub(crate) enum ProgressDisplay {
    Bars(MultiProgress),
    Lines(Rc<RefCell<Stderr>>),
}

impl ProgressDisplay {
    pub(crate) fn new() -> Self {
        if stderr().is_terminal() {
            Self::Bars(MultiProgress::new())
        } else {
            Self::Lines(Rc::new(RefCell::new(stderr())))
        }
    }

    pub(crate) fn observer(&self, id: &str, name: Option<&str>) -> Box<dyn Observer> {
        match self {
            Self::Bars(bars) => Box::new(bar(bars, id, name)),
            Self::Lines(out) => Box::new(Lines::new(Rc::clone(out), id, name)),
        }
    }
}

/// Watches transfers and jobs concurrently and reports each.
pub(crate) async fn run(
    client: &Client,
    ids: &[String],
    wait: &WaitOptions,
    json: bool,
    judge: Judge,
) -> Result<Exit, CliError> {
    let options = wait.options();
    let screen = ProgressDisplay::new();
    let watches = ids.iter().map(async |id| {
        let is_job = match retry_transient(&options, || client.is_job(id), output::retrying).await {
            Ok(is_job) => is_job,
            Err(error) => return Ended::Transfer(Err(error)),
        };
        let observer = screen.observer(id, None);
        if is_job {
            Ended::Job(watch_job(client, id, &options, &*observer).await)
        } else {
            Ended::Transfer(watch(client, id, &options, &*observer).await)
        }
    });
    let mut exit = Exit::Completed;
    for (id, ended) in ids.iter().zip(join_all(watches).await) {
        exit = exit.max(match &ended {
            Ended::Transfer(Ok(outcome)) => (judge.transfer)(outcome),
            Ended::Job(Ok(outcome)) => (judge.job)(outcome),
            Ended::Transfer(Err(error)) | Ended::Job(Err(error)) => error.into(),
        });
        report(id, ended, json)?;
    }
    Ok(exit)
}

fn report(id: &str, ended: Ended, json: bool) -> Result<(), CliError> {
    let (error, is_job) = match ended {
        Ended::Transfer(Ok(outcome)) => {
            let no_response = NotWatched::without_response(Some(id), None);
            return report_outcome(id, &outcome, &no_response, transfer_line, json);
        }
        Ended::Job(Ok(outcome)) => {
            let no_response = NotWatched::without_response(None, Some(id));
            return report_outcome(id, &outcome, &no_response, job_line, json);
        }
        Ended::Transfer(Err(error)) => (error, false),
        Ended::Job(Err(error)) => (error, true),
    };
    if json {
        let (transfer_id, job_id) = if is_job { (None, Some(id)) } else { (Some(id), None) };
        let problem = error.to_problem();
        output::result(json, &NotWatched { transfer_id, job_id, problem }, "")?;
    }
    let kind = if is_job { "job" } else { "transfer" };
    output::print_error(&format!("{kind} {id} cannot be watched"), error)?;
    Ok(())
}

fn report_outcome<S: StatusDocument + serde::Serialize>(
    id: &str,
    outcome: &Outcome<S>,
    no_response: &NotWatched<'_>,
    line: fn(&S, &str) -> String,
    json: bool,
) -> Result<(), CliError> {
    let word = match outcome {
        Outcome::Completed(_) => "completed".to_owned(),
        Outcome::Failed(status) if status.was_canceled() => "stopped on request".to_owned(),
        Outcome::Failed(status) => format!("failed  {}", status.failure()),
        Outcome::TimedOut(_) => "still running".to_owned(),
    };
    match outcome.status() {
        Some(status) => output::result(json, status, &line(status, &word))?,
        None => output::result(json, no_response, &format!("{id}  no response"))?,
    }
    Ok(())
}

fn transfer_line(status: &TransferStatus, word: &str) -> String {
    let name = status.file_name.as_deref().unwrap_or("(name unknown)");
    format!("{}  {name}  {} bytes  {word}", status.transfer_id, status.file_size)
}

fn job_line(status: &JobStatus, word: &str) -> String {
    let is_completed = |item: &&JobItem| item.status == JobState::Completed;
    let (completed, all) = (status.items.iter().filter(is_completed).count(), status.items.len());
    let bytes: u64 = status.items.iter().map(|item| item.bytes_done).sum();
    let missing = match status.undelivered_documents() {
        missing if missing > 0 && status.status == JobState::Completed => {
            format!(" without {missing} of its documents")
        }
        _ => String::new(),
    };
    format!("{}  {completed} of {all} documents  {bytes} bytes  {word}{missing}", status.job_id)
}
