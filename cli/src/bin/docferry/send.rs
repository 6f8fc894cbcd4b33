//! `docferry send`.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use docferry_cli::{Accepted, Client, ClientError, NewTransfer, Problem};
use serde::Serialize;

use crate::args::Send;
use crate::exit::{CliError, Exit};
use crate::{output, watch};

const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The JSON line of a document that was not accepted.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct NotAccepted<'a> {
    obj_guid: &'a str,
    problem: Problem,
}

pub(crate) async fn run(client: &Client, args: &Send, json: bool) -> Result<Exit, CliError> {
    let mut exit = Exit::Completed;
    let mut transfer_ids = Vec::new();
    for obj_guid in &args.obj_guids {
        match send(client, args, obj_guid).await {
            Ok(Accepted { obj_guid, transfer_id }) => {
                let line = format!("{transfer_id}  {obj_guid}");
                output::result(
                    json,
                    &Accepted { obj_guid, transfer_id: transfer_id.clone() },
                    &line,
                )?;
                transfer_ids.push(transfer_id);
            }
            Err(error) => {
                exit = exit.max(Exit::from(&error));
                let is_pointless_to_go_on = !matches!(error, ClientError::Rejected { .. });
                refuse(obj_guid, error, json)?;
                if is_pointless_to_go_on {
                    break;
                }
            }
        }
    }
    // What was accepted is under way, whatever happened to the others.
    if args.watch && !transfer_ids.is_empty() {
        exit = exit.max(
            watch::run(client, &transfer_ids, &args.patience, json, watch::deliveries()).await?,
        );
    }
    Ok(exit)
}

/// Sends one request; again only where it surely made no transfer the first time.
async fn send(client: &Client, args: &Send, obj_guid: &str) -> Result<Accepted, ClientError> {
    let transfer = NewTransfer {
        obj_guid: obj_guid.to_owned(),
        email: args.email.clone(),
        file_path: args.path.clone(),
    };
    let options = args.patience.options();
    let backoff = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(500))
        .with_max_delay(Duration::from_secs(10))
        .with_max_times(options.retries)
        .with_jitter();
    (|| client.upload(&transfer))
        .retry(backoff)
        .when(ClientError::is_surely_not_done)
        .adjust(|error, pause| {
            let pause = error.retry_after().or(pause)?;
            // Rather an error now than a command that seems to hang.
            (pause <= LONGEST_PAUSE).then_some(pause)
        })
        .await
}

fn refuse(obj_guid: &str, error: ClientError, json: bool) -> Result<(), CliError> {
    if json {
        let problem = error.to_problem();
        output::result(json, &NotAccepted { obj_guid, problem }, "")?;
    }
    output::complain(&format!("{obj_guid} was not accepted"), error)?;
    Ok(())
}
