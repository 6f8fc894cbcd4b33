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
                accepted.push((index, response.transfer_id.clone(), item.label));
                // The result of watching the transfer replaces this outcome below.
                (Some(response.transfer_id), Ok(Outcome::TimedOut(None)))
            }
            Err(error) => (None, Err(error)),
        };
        deliveries.push(Delivery { transfer_id, result });
    }
    let to_stop =
        accepted.iter().filter(|(index, ..)| items[*index].expected_end == ExpectedEnd::Terminated);
    let stopping = try_join_all(to_stop.map(|(_, id, _)| stop(client, id)));
    let watching = async {
        if stderr().is_terminal() {
            let bars = MultiProgress::new();
            watch(client, &accepted, |id, name| bar(&bars, id, Some(name))).await
        } else {
            let out = Rc::new(RefCell::new(stderr()));
            watch(client, &accepted, |id, name| Lines::new(Rc::clone(&out), id, Some(name))).await
        }
    };
    let (results, stopped) = join(watching, stopping).await;
    stopped.context("a transfer could not be stopped")?;
    for ((index, ..), result) in accepted.iter().zip(results) {
        deliveries[*index].result = result;
    }
    Ok(deliveries)
}

/// Stops a transfer as soon as a part of its bytes is uploaded. If the transfer ends earlier or
/// does not get that far in time, it is not stopped, and the check of its result reports this.
async fn stop(client: &Client, transfer_id: &str) -> Result<(), ClientError> {
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

/// Watches the accepted transfers. Each one is its item's index, its id and its label.
async fn watch<O: Observer>(
    client: &Client,
    accepted: &[(usize, String, &str)],
    observer: impl Fn(&str, &str) -> O,
) -> Vec<Result<Outcome, ClientError>> {
    let watched: Vec<_> =
        accepted.iter().map(|(_, id, name)| (id.clone(), observer(id, name))).collect();
    let options = Options { timeout: TIMEOUT, ..Options::default() };
    watch_all(client, &watched, &options).await
}
