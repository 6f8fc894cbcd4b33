//! The `docferry cancel` command. It requests the cancellation of transfers and jobs, and reports
//! the status of each transfer or job after the request.
//!
//! A transfer belongs to the older API and a job to the downloads API, which have different calls.
//! An id does not show its kind, so the command first asks the service for the kind of each id.

use docferry_cli::job::JobStatus;
use docferry_cli::watch::{Options, Outcome, retry_transient};
use docferry_cli::{Client, ClientError, Problem, StatusDocument, TransferState};
use serde::Serialize;

use crate::args::Cancel;
use crate::error::CliError;
use crate::exit::Exit;
use crate::watch::{ExitRules, TransferOrJobId};
use crate::{output, watch};

/// JSON line about a transfer or job whose cancellation was requested.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CancelResult<'a> {
    #[serde(flatten)]
    id: TransferOrJobId<'a>,
    /// `asked` (still running, cancellation requested), `completed`, `stopped` or `failed`.
    outcome: &'static str,
    /// Error message of the service, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

/// JSON line about a transfer or job whose cancellation or status is not known.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct UnknownOutcome<'a> {
    #[serde(flatten)]
    id: TransferOrJobId<'a>,
    problem: Problem,
}

/// A cancel request that failed, with the transfers or the job that it named.
struct FailedRequest<'a> {
    ids: Vec<TransferOrJobId<'a>>,
    error: ClientError,
}

/// Status of a transfer or job, as far as this command reports it.
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
    let mut ids = match classify_ids(client, &args.ids, &options).await {
        Ok(ids) => ids,
        Err(error) => {
            output::print_note("no cancel request was sent")?;
            return Err(error.into());
        }
    };
    let mut exit = Exit::Completed;
    let mut running_ids = Vec::new();
    let failed_requests = request_cancellation(client, &ids, &options).await;
    for failed_request in failed_requests {
        exit = exit.max(Exit::from(&failed_request.error));
        let failed_ids = &failed_request.ids;
        ids.retain(|id| !failed_ids.iter().any(|failed| failed.as_str() == id.as_str()));
        report_failed_request(failed_request, json)?;
    }
    for &id in &ids {
        match current_status(client, id, &options).await {
            Ok(status) => {
                exit = exit.max(report(id, &status, json)?);
                if status.state == TransferState::Running {
                    running_ids.push(id.as_str().to_owned());
                }
            }
            Err(error) => {
                exit = exit.max(Exit::from(&error));
                if json {
                    let problem = error.to_problem();
                    output::print_json(&UnknownOutcome { id, problem })?;
                }
                let about = format!("the status of {} is not known", id.as_str());
                output::print_error(&about, error)?;
            }
        }
    }
    if args.watch && !running_ids.is_empty() {
        let exit_rules = ExitRules { transfer: cancel_exit, job: cancel_exit::<JobStatus> };
        exit = exit.max(watch::run(client, &running_ids, &args.wait, json, exit_rules).await?);
    }
    Ok(exit)
}

/// Asks the service which ids belong to transfers and which to jobs.
async fn classify_ids<'a>(
    client: &Client,
    ids: &'a [String],
    options: &Options,
) -> Result<Vec<TransferOrJobId<'a>>, ClientError> {
    let mut classified = Vec::with_capacity(ids.len());
    for id in ids {
        let is_job = retry_transient(options, || client.is_job(id), output::print_retry).await?;
        classified.push(if is_job {
            TransferOrJobId::Job(id)
        } else {
            TransferOrJobId::Transfer(id)
        });
    }
    Ok(classified)
}

/// Requests the cancellation of all transfers in one call, and of each job in its own call. The
/// calls are idempotent, so they are retried after a lost response. Returns the requests that
/// failed.
async fn request_cancellation<'a>(
    client: &Client,
    ids: &[TransferOrJobId<'a>],
    options: &Options,
) -> Vec<FailedRequest<'a>> {
    let mut failed_requests = Vec::new();
    let transfers: Vec<TransferOrJobId<'a>> =
        ids.iter().copied().filter(|id| matches!(id, TransferOrJobId::Transfer(_))).collect();
    let transfer_ids: Vec<_> = transfers.iter().map(|id| id.as_str().to_owned()).collect();
    if !transfers.is_empty()
        && let Err(error) =
            retry_transient(options, || client.terminate(&transfer_ids), output::print_retry).await
    {
        failed_requests.push(FailedRequest { ids: transfers, error });
    }
    for id in ids {
        let TransferOrJobId::Job(job_id) = id else { continue };
        match retry_transient(options, || client.cancel_job(job_id), output::print_retry).await {
            // 409 means that the job has ended. `run` reports its status.
            Ok(()) | Err(ClientError::Rejected { status: 409, .. }) => {}
            Err(error) => failed_requests.push(FailedRequest { ids: vec![*id], error }),
        }
    }
    failed_requests
}

/// Reports a cancel request that failed, and each transfer or job that it named.
fn report_failed_request(request: FailedRequest<'_>, json: bool) -> Result<(), CliError> {
    let FailedRequest { ids, error } = request;
    for id in ids {
        if json {
            let problem = error.to_problem();
            output::print_json(&UnknownOutcome { id, problem })?;
        }
        let id = id.as_str();
        output::print_note(&if error.may_have_taken_effect() {
            format!(
                "it is not known whether the cancel request for {id} was accepted; it is safe to \
                 repeat it"
            )
        } else {
            format!("the cancel request for {id} was not accepted")
        })?;
    }
    output::print_error("the cancel request failed", error)
}

/// Requests the status of a transfer or job. The response to a cancel request does not contain it:
/// the service also accepts cancel requests for transfers that have already ended.
async fn current_status(
    client: &Client,
    id: TransferOrJobId<'_>,
    options: &Options,
) -> Result<StatusSummary, ClientError> {
    Ok(match id {
        TransferOrJobId::Transfer(id) => {
            let status =
                retry_transient(options, || client.status(id), output::print_retry).await?;
            let message = status.last_error_message.clone();
            StatusSummary { message, ..summarize(&status) }
        }
        TransferOrJobId::Job(id) => {
            let status =
                retry_transient(options, || client.poll_job(id), output::print_retry).await?.status;
            let message = status.error.as_ref().map(|error| error.message.clone());
            StatusSummary { message, ..summarize(&status) }
        }
    })
}

/// Returns the summary of a status, without the message of the service.
fn summarize(status: &impl StatusDocument) -> StatusSummary {
    StatusSummary {
        state: status.state(),
        was_canceled: status.was_canceled(),
        message: None,
        failure: status.failure(),
    }
}

/// Prints the status of a transfer or job after the cancel request, and returns its exit code.
fn report(id: TransferOrJobId<'_>, status: &StatusSummary, json: bool) -> Result<Exit, CliError> {
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
    output::print_result(json, &CancelResult { id, outcome, message }, &line)?;
    Ok(exit)
}

/// Returns the exit code for the end of a watch after a cancel request. A transfer or job that was
/// stopped counts as success.
fn cancel_exit<S: StatusDocument>(outcome: &Outcome<S>) -> Exit {
    match outcome {
        Outcome::Failed(status) if status.was_canceled() => Exit::Completed,
        _ => Exit::of(outcome),
    }
}
