//! Sends, watches and stops the transfers of the demo, with the library of the `docferry` command.

use std::cell::RefCell;
use std::io::{IsTerminal as _, stderr};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use docferry_cli::display::{Lines, bar};
use docferry_cli::watch::{Observer, Options, Outcome, watch_all};
use docferry_cli::{Client, ClientError, NewTransfer, TransferState};
use futures::future::{join, try_join_all};
use indicatif::MultiProgress;

use super::scenario::{ExpectedEnd, Item};

/// Maximum time until all transfers have ended. The demo needs much less.
const TIMEOUT: Duration = Duration::from_secs(10 * 60);

/// Progress in percent at which a transfer is stopped. The upload of bytes begins at 10 %.
const STOP_AT_PERCENT: u8 = 20;
/// Polling interval for a transfer that will be stopped.
const POLL_INTERVAL: Duration = Duration::from_millis(300);

/// A transfer that the service has accepted.
struct AcceptedTransfer {
    /// Index of the transfer's item in the list of items.
    item_index: usize,
    id: String,
    /// Label of the item, for the progress display.
    label: &'static str,
}

/// Outcome of sending one document.
#[derive(Debug)]
pub(crate) struct Delivery {
    /// Id of the transfer. `None` if the service did not accept the transfer.
    pub(crate) transfer_id: Option<String>,
    pub(crate) result: Result<Outcome, ClientError>,
}

/// Sends every item to its recipient and watches until all transfers have ended. Stops the
/// transfers whose expected end is [`ExpectedEnd::Terminated`].
pub(crate) async fn deliver(
    client: &Client,
    items: &[Item],
    users: &[String],
) -> Result<Vec<Delivery>> {
    let mut accepted = Vec::new();
    let mut deliveries = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let transfer = NewTransfer {
            obj_guid: item.guid.clone(),
            email: users.get(item.recipient).context("there are too few users")?.clone(),
            file_path: item.folder.map(str::to_owned),
        };
        let (transfer_id, result) = match client.upload(&transfer).await {
            Ok(response) => {
                let id = response.transfer_id.clone();
                accepted.push(AcceptedTransfer { item_index: index, id, label: item.label });
                // The result of watching the transfer replaces this outcome below.
                (Some(response.transfer_id), Ok(Outcome::TimedOut(None)))
            }
            Err(error) => (None, Err(error)),
        };
        deliveries.push(Delivery { transfer_id, result });
    }
    let is_to_be_stopped = |transfer: &&AcceptedTransfer| {
        items[transfer.item_index].expected_end == ExpectedEnd::Terminated
    };
    let to_stop = accepted.iter().filter(is_to_be_stopped);
    let stopping = try_join_all(to_stop.map(|transfer| stop(client, &transfer.id)));
    let watching = async {
        if stderr().is_terminal() {
            let bars = MultiProgress::new();
            watch(client, &accepted, |id, label| bar(&bars, id, Some(label))).await
        } else {
            let out = Rc::new(RefCell::new(stderr()));
            watch(client, &accepted, |id, label| Lines::new(Rc::clone(&out), id, Some(label))).await
        }
    };
    let (results, stopped) = join(watching, stopping).await;
    stopped.context("a transfer could not be stopped")?;
    for (transfer, result) in accepted.iter().zip(results) {
        deliveries[transfer.item_index].result = result;
    }
    Ok(deliveries)
}

/// Stops a transfer as soon as a part of its bytes is uploaded. A transfer that ends earlier, or
/// that is too slow, is not stopped. The check of its result then reports this.
async fn stop(client: &Client, transfer_id: &str) -> Result<(), ClientError> {
    // Returns false if the transfer ends before it reaches the percentage.
    let has_reached_percentage = async {
        loop {
            match client.status(transfer_id).await {
                Ok(status) if status.state() != TransferState::Running => return Ok(false),
                Ok(status) if status.percent_transfered >= STOP_AT_PERCENT => return Ok(true),
                Err(error) if !error.is_transient() => return Err(error),
                Ok(_) | Err(_) => tokio::time::sleep(POLL_INTERVAL).await,
            }
        }
    };
    match tokio::time::timeout(TIMEOUT, has_reached_percentage).await {
        Ok(Ok(true)) => client.terminate(&[transfer_id.to_owned()]).await,
        Ok(Err(error)) => Err(error),
        Ok(Ok(false)) | Err(_) => Ok(()),
    }
}

/// Watches the accepted transfers until all have ended. `observer` makes the progress display of a
/// transfer from its id and its label. The results have the order of the transfers.
async fn watch<O: Observer>(
    client: &Client,
    accepted: &[AcceptedTransfer],
    observer: impl Fn(&str, &str) -> O,
) -> Vec<Result<Outcome, ClientError>> {
    let observed =
        |transfer: &AcceptedTransfer| (transfer.id.clone(), observer(&transfer.id, transfer.label));
    let watched: Vec<_> = accepted.iter().map(observed).collect();
    let options = Options { timeout: TIMEOUT, ..Options::default() };
    watch_all(client, &watched, &options).await
}
