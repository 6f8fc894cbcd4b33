//! The `docferry send` command, which requests the delivery of documents to one person's OneDrive.
//!
//! Each document is sent with an idempotency key. Repeating a request with the same key creates no
//! second transfer, so a request without a response is retried.

use docferry_cli::watch::retry_while;
use docferry_cli::{Accepted, Client, ClientError, NewTransfer, Problem};
use serde::Serialize;

use crate::args::Send;
use crate::error::CliError;
use crate::exit::Exit;
use crate::shell::quoted;
use crate::{output, watch};

/// JSON line about a document that was not accepted.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct NotAccepted<'a> {
    obj_guid: &'a str,
    problem: Problem,
}

/// JSON line about a document that may or may not have been accepted.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct UnknownAcceptance<'a> {
    obj_guid: &'a str,
    may_be_accepted: bool,
    /// Repeating the request with this key creates no second transfer.
    idempotency_key: &'a str,
    problem: Problem,
}

/// A request for one document.
#[derive(Debug, Clone)]
struct Request {
    obj_guid: String,
    idempotency_key: String,
}

/// Failure of a request for one document.
struct SendError {
    error: ClientError,
    /// Whether the service may have accepted the document although the request failed.
    may_be_accepted: bool,
}

pub(crate) async fn run(client: &Client, args: &Send, json: bool) -> Result<Exit, CliError> {
    if args.idempotency_key.is_some() && args.obj_guids.len() > 1 {
        return Err(CliError::KeyForManyDocuments);
    }
    // After an interrupt, this is the request that had no response yet.
    let mut pending_request = None;
    let send_and_watch = send_and_watch(client, args, &mut pending_request, json);
    tokio::select! {
        result = send_and_watch => return result,
        interrupt = tokio::signal::ctrl_c() => interrupt.map_err(CliError::Signal)?,
    }
    output::print_note("\ninterrupted; transfers that were accepted continue")?;
    if let Some(request) = &pending_request {
        output::print_note(&format!("it is not known whether {} was accepted", request.obj_guid))?;
        print_retry_command(args, request)?;
    }
    Ok(Exit::Interrupted)
}

/// Sends the documents one by one, and watches the accepted transfers if the arguments ask for it.
/// Stores each request in `pending_request` until its response arrives.
async fn send_and_watch(
    client: &Client,
    args: &Send,
    pending_request: &mut Option<Request>,
    json: bool,
) -> Result<Exit, CliError> {
    let mut exit = Exit::Completed;
    let mut transfer_ids = Vec::new();
    let mut remaining = args.obj_guids.iter();
    for obj_guid in remaining.by_ref() {
        let given_key = args.idempotency_key.clone();
        let idempotency_key = given_key.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
        let request = Request { obj_guid: obj_guid.clone(), idempotency_key };
        *pending_request = Some(request.clone());
        let result = send(client, args, &request).await;
        *pending_request = None;
        match result {
            Ok(accepted) => {
                let line = format!("{}  {}", accepted.transfer_id, accepted.obj_guid);
                output::print_result(json, &accepted, &line)?;
                transfer_ids.push(accepted.transfer_id);
            }
            Err(failure) => {
                exit = exit.max(Exit::from(&failure.error));
                // A refusal is about this document only. Any other error would also occur for the
                // next document.
                let is_fatal = !matches!(failure.error, ClientError::Rejected { .. });
                report_failure(args, &request, failure, json)?;
                if is_fatal {
                    break;
                }
            }
        }
    }
    for obj_guid in remaining {
        let detail = "not sent, because the request for an earlier document failed".to_owned();
        if json {
            let problem = Problem { detail: Some(detail), ..Problem::default() };
            output::print_json(&NotAccepted { obj_guid, problem })?;
        }
        output::print_note(&format!("{obj_guid} was not sent"))?;
    }
    // The accepted transfers are watched even when a document was not accepted.
    if args.watch && !transfer_ids.is_empty() {
        exit = exit.max(
            watch::run(client, &transfer_ids, &args.wait, json, watch::delivery_exit_rules())
                .await?,
        );
    }
    Ok(exit)
}

/// Sends one request and retries it with the same idempotency key after transient failures.
async fn send(client: &Client, args: &Send, request: &Request) -> Result<Accepted, SendError> {
    let Request { obj_guid, idempotency_key } = request;
    let transfer = NewTransfer {
        obj_guid: obj_guid.clone(),
        email: args.email.clone(),
        file_path: args.path.clone(),
    };
    let mut earlier_try_may_be_accepted = false;
    let should_retry = |error: &ClientError| {
        // 409 means that the first request with this key is still being recorded.
        error.is_transient() || matches!(error, ClientError::Rejected { status: 409, .. })
    };
    let notify = |error: &ClientError, pause| {
        earlier_try_may_be_accepted |= error.may_have_taken_effect();
        output::print_retry(error, pause);
    };
    let options = args.wait.options();
    let call = || client.upload_once(&transfer, idempotency_key);
    let result = retry_while(should_retry, &options, call, notify).await;
    result.map_err(|error| {
        // The service validates a request before it records anything. If the last try was invalid,
        // no earlier try with the same content was accepted either.
        let is_invalid =
            matches!(error, ClientError::Rejected { status: 400 | 413 | 415 | 422, .. });
        let any_try_may_be_accepted = earlier_try_may_be_accepted || error.may_have_taken_effect();
        SendError { error, may_be_accepted: !is_invalid && any_try_may_be_accepted }
    })
}

/// Reports a document that was not accepted, or whose acceptance is not known.
fn report_failure(
    args: &Send,
    request: &Request,
    failure: SendError,
    json: bool,
) -> Result<(), CliError> {
    let Request { obj_guid, idempotency_key } = request;
    let SendError { error, may_be_accepted } = failure;
    let problem = error.to_problem();
    if !may_be_accepted {
        if json {
            output::print_json(&NotAccepted { obj_guid, problem })?;
        }
        return output::print_error(&format!("{obj_guid} was not accepted"), error);
    }
    if json {
        let line = UnknownAcceptance { obj_guid, may_be_accepted, idempotency_key, problem };
        output::print_json(&line)?;
    }
    output::print_error(&format!("it is not known whether {obj_guid} was accepted"), error)?;
    print_retry_command(args, request)
}

/// Prints the command that repeats a request whose outcome is not known.
fn print_retry_command(args: &Send, request: &Request) -> Result<(), CliError> {
    let Request { obj_guid, idempotency_key } = request;
    let mut line = format!("docferry send {} --email {}", quoted(obj_guid), quoted(&args.email));
    if let Some(path) = &args.path {
        line.push_str(&format!(" --path {}", quoted(path)));
    }
    line.push_str(&format!(" --idempotency-key {}", quoted(idempotency_key)));
    output::print_note(&format!("repeat the request without creating a second transfer:\n  {line}"))
}
