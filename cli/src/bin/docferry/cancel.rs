//! The `docferry cancel` command.

use docferry_cli::job::JobStatus;
use docferry_cli::watch::{Options, Outcome, retry_transient};
use docferry_cli::{Client, ClientError, Problem, StatusDocument, TransferState};
use serde::Serialize;

use crate::args::Cancel;
use crate::error::CliError;
use crate::exit::Exit;
use crate::watch::Judge;
use crate::{output, watch};

/// JSON line about a transfer or job whose cancellation was requested.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CancelResult<'a> {
    #[serde(flatten)]
    id: Id<'a>,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

/// JSON line about a transfer or job whose cancellation or status is not known.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct UnknownOutcome<'a> {
    #[serde(flatten)]
    id: Id<'a>,
    problem: Problem,
}

/// Id of a transfer or a job.
#[derive(Debug, Clone, Copy, Serialize)]
enum Id<'a> {
    #[serde(rename = "transferId")]
    Transfer(&'a str),
    #[serde(rename = "jobId")]
    Job(&'a str),
}

impl<'a> Id<'a> {
    fn as_str(self) -> &'a str {
        match self {
            Self::Transfer(id) | Self::Job(id) => id,
        }
    }
}

/// Status of a transfer or job.
struct StatusSummary {
    state: TransferState,
    was_canceled: bool,
    /// Error message of the service, if any.
    message: Option<String>,
    /// Cause of a failure, for display.
    failure: String,
}

pub(crate) async fn run(client: &Client, args: &Cancel, json: bool) -> Result<Exit, CliError> {
    let options = args.wait.options();
    let mut ids = Vec::with_capacity(args.ids.len());
    for id in &args.ids {
        let is_job = match retry_transient(&options, || client.is_job(id), output::retrying).await {
            Ok(is_job) => is_job,
            Err(error) => {
                output::note("no cancel request was sent")?;
                return Err(error.into());
            }
        };
        ids.push(if is_job { Id::Job(id) } else { Id::Transfer(id) });
    }
    let mut exit = Exit::Completed;
    let mut running = Vec::new();
    let failed_requests = request_cancellation(client, &ids, &options).await;
    for FailedRequest { ids: failed, error } in failed_requests {
        exit = exit.max(Exit::from(&error));
        let may_be_accepted = error.may_have_taken_effect();
        for id in &failed {
            if json {
                let problem = error.to_problem();
                output::result(json, &UnknownOutcome { id: *id, problem }, "")?;
            }
            let id = id.as_str();
            output::note(&if may_be_accepted {
                format!(
                    "it is not known whether the cancel request for {id} was accepted; it is safe \
                     to repeat it"
                )
            } else {
                format!("the cancel request for {id} was not accepted")
            })?;
        }
        ids.retain(|id| !failed.iter().any(|other| other.as_str() == id.as_str()));
        output::print_error("the cancel request failed", error)?;
    }
    for &id in &ids {
        match current_status(client, id, &options).await {
            Ok(status) => {
                exit = exit.max(report(id, &status, json)?);
                if status.state == TransferState::Running {
                    running.push(id.as_str().to_owned());
                }
            }
            Err(error) => {
                exit = exit.max(Exit::from(&error));
                if json {
                    let problem = error.to_problem();
                    output::result(json, &UnknownOutcome { id, problem }, "")?;
                }
                let about = format!("the status of {} is not known", id.as_str());
                output::print_error(&about, error)?;
            }
        }
    }
    if args.watch && !running.is_empty() {
        let exit_rules = Judge { transfer: cancel_exit, job: cancel_exit::<JobStatus> };
        exit = exit.max(watch::run(client, &running, &args.wait, json, exit_rules).await?);
    }
    Ok(exit)
}

/// A cancel request that failed.
struct FailedRequest<'a> {
    ids: Vec<Id<'a>>,
    error: ClientError,
}

/// Requests the cancellation of each transfer and job. The requests are idempotent, so they
/// are retried after a lost response. Returns the requests that failed.
async fn request_cancellation<'a>(
    client: &Client,
    ids: &[Id<'a>],
    options: &Options,
) -> Vec<FailedRequest<'a>> {
    let mut failed_requests = Vec::new();
    let transfers = ids.iter().filter_map(|id| match id {
        Id::Transfer(id) => Some((*id).to_owned()),
        Id::Job(_) => None,
    });
    let transfers: Vec<_> = transfers.collect();
    if !transfers.is_empty()
        && let Err(error) =
            retry_transient(options, || client.terminate(&transfers), output::retrying).await
    {
        let transfers = ids.iter().filter(|id| matches!(id, Id::Transfer(_)));
        failed_requests.push(FailedRequest { ids: transfers.copied().collect(), error });
    }
    for id in ids {
        let Id::Job(job_id) = id else { continue };
        match retry_transient(options, || client.cancel_job(job_id), output::retrying).await {
            // 409: the job has ended. Its status is reported below.
            Ok(()) | Err(ClientError::Rejected { status: 409, .. }) => {}
            Err(error) => failed_requests.push(FailedRequest { ids: vec![*id], error }),
        }
    }
    failed_requests
}

/// Returns the status of a transfer or job. It is needed because a cancel request is also
/// accepted for transfers that have already ended.
async fn current_status(
    client: &Client,
    id: Id<'_>,
    options: &Options,
) -> Result<StatusSummary, ClientError> {
    Ok(match id {
        Id::Transfer(id) => {
            let status = retry_transient(options, || client.status(id), output::retrying).await?;
            let message = status.last_error_message.clone();
            StatusSummary { message, ..summarize(&status) }
        }
        Id::Job(id) => {
            let status =
                retry_transient(options, || client.poll_job(id), output::retrying).await?.status;
            let message = status.error.as_ref().map(|error| error.message.clone());
            StatusSummary { message, ..summarize(&status) }
        }
    })
}

fn summarize(status: &impl StatusDocument) -> StatusSummary {
    StatusSummary {
        state: status.state(),
        was_canceled: status.was_canceled(),
        message: None,
        failure: status.failure(),
    }
}

/// Prints the status of a transfer or job after the cancel request.
fn report(id: Id<'_>, status: &StatusSummary, json: bool) -> Result<Exit, CliError> {
    let (exit, outcome, description) = match status.state {
        TransferState::Running => (
            Exit::Completed,
            "asked",
            "cancel requested; a document that is already complete stays".to_owned(),
        ),
        TransferState::Completed => {
            (Exit::Completed, "completed", "already completed; the document stays".to_owned())
        }
        TransferState::Failed if status.was_canceled => {
            (Exit::Completed, "stopped", "stopped on request".to_owned())
        }
        TransferState::Failed => {
            (Exit::Failed, "failed", format!("already failed  {}", status.failure))
        }
    };
    let message = status.message.clone();
    let line = format!("{}  {description}", id.as_str());
    output::result(json, &CancelResult { id, outcome, message }, &line)?;
    Ok(exit)
}

/// Exit code for the end of a watch after a cancel request: stopping counts as success.
fn cancel_exit<S: StatusDocument>(outcome: &Outcome<S>) -> Exit {
    match outcome {
        Outcome::Failed(status) if status.was_canceled() => Exit::Completed,
        _ => Exit::of(outcome),
    }
}
