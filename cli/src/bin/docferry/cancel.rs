//! `docferry cancel`.

use docferry_cli::watch::{Options, Outcome, insist};
use docferry_cli::{Client, ClientError, Problem, TransferState, TransferStatus};
use serde::Serialize;

use crate::args::Cancel;
use crate::exit::{CliError, Exit};
use crate::{output, watch};

/// The JSON line of a transfer that was asked to stop.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Asked<'a> {
    transfer_id: &'a str,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}

/// The JSON line of a transfer of which nothing is known.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Unknown<'a> {
    transfer_id: &'a str,
    problem: Problem,
}

pub(crate) async fn run(client: &Client, args: &Cancel, json: bool) -> Result<Exit, CliError> {
    let options = args.patience.options();
    // Asking again is harmless, so a lost answer is no reason to give up.
    insist(&options, || client.terminate(&args.transfer_ids), |_, _| {}).await?;
    let mut exit = Exit::Completed;
    let mut running = Vec::new();
    for transfer_id in &args.transfer_ids {
        match status(client, transfer_id, &options).await {
            Ok(status) => {
                exit = exit.max(report(transfer_id, &status, json)?);
                if status.state() == TransferState::Running {
                    running.push(transfer_id.clone());
                }
            }
            Err(error) => {
                exit = exit.max(Exit::from(&error));
                if json {
                    let problem = error.to_problem();
                    output::result(json, &Unknown { transfer_id, problem }, "")?;
                }
                output::complain(&format!("what became of {transfer_id} is not known"), error)?;
            }
        }
    }
    if args.watch && !running.is_empty() {
        exit = exit.max(watch::run(client, &running, &args.patience, json, judge).await?);
    }
    Ok(exit)
}

/// The call that asks to stop passes over what is unknown or has ended, so each
/// transfer's status tells what the wish can still do.
async fn status(
    client: &Client,
    transfer_id: &str,
    options: &Options,
) -> Result<TransferStatus, ClientError> {
    insist(options, || client.status(transfer_id), |_, _| {}).await
}

fn report(transfer_id: &str, status: &TransferStatus, json: bool) -> Result<Exit, CliError> {
    let (exit, outcome, words) = match status.state() {
        TransferState::Running => (
            Exit::Completed,
            "asked",
            "asked to stop; a document that is complete by then stays".to_owned(),
        ),
        TransferState::Completed => {
            (Exit::Completed, "completed", "is completed: the document stays".to_owned())
        }
        TransferState::Failed if status.was_terminated() => {
            (Exit::Completed, "stopped", "has stopped on request".to_owned())
        }
        TransferState::Failed => {
            (Exit::Failed, "failed", format!("had failed  {}", status.failure_message()))
        }
    };
    let message = status.last_error_message.as_deref();
    let line = format!("{transfer_id}  {words}");
    output::result(json, &Asked { transfer_id, outcome, message }, &line)?;
    Ok(exit)
}

/// What the end of a transfer means for who wanted it to stop.
fn judge(outcome: &Outcome) -> Exit {
    match outcome {
        Outcome::Failed(status) if status.was_terminated() => Exit::Completed,
        _ => Exit::of(outcome),
    }
}
