//! Sending, watching and stopping, with the library behind the `docferry` command.

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

use super::scenario::{End, Item};

/// Far more than the demo needs, and short enough for someone who waits.
const PATIENCE: Duration = Duration::from_secs(10 * 60);

/// A transfer that is to be stopped is stopped from here on. Bytes count from 10 %.
const STOP_AT_PERCENT: u8 = 20;
/// How often a transfer that is to be stopped is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// How one document fared.
#[derive(Debug)]
pub(crate) struct Delivery {
    /// As the service called it; `None` when it was not accepted.
    pub(crate) transfer_id: Option<String>,
    pub(crate) result: Result<Outcome, ClientError>,
}

/// Sends every item to its recipient, watches until all have ended, and stops on
/// the way those that are to be stopped.
pub(crate) async fn deliver(
    client: &Client,
    items: &[Item],
    users: &[String],
) -> Result<Vec<Delivery>> {
    let mut accepted = Vec::new();
    let mut deliveries = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let transfer = NewTransfer {
            obj_guid: item.guid.clone(),
            email: users.get(item.recipient).context("there are too few users")?.clone(),
            file_path: item.folder.map(str::to_owned),
        };
        let (transfer_id, result) = match client.upload(&transfer).await {
            Ok(answer) => {
                accepted.push((at, answer.transfer_id.clone(), item.label));
                (Some(answer.transfer_id), Ok(Outcome::TimedOut(None)))
            }
            Err(error) => (None, Err(error)),
        };
        deliveries.push(Delivery { transfer_id, result });
    }
    let to_stop = accepted.iter().filter(|(at, ..)| items[*at].end == End::Terminated);
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
    for ((at, ..), result) in accepted.iter().zip(results) {
        deliveries[*at].result = result;
    }
    Ok(deliveries)
}

/// Stops a transfer once its bytes move; one that ends before, or does not come so
/// far in time, is left alone and judged for that.
async fn stop(client: &Client, transfer_id: &str) -> Result<(), ClientError> {
    let moves = async {
        loop {
            match client.status(transfer_id).await {
                Ok(status) if status.state() != TransferState::Running => return Ok(false),
                Ok(status) if status.percent_transfered >= STOP_AT_PERCENT => return Ok(true),
                Err(error) if !error.is_transient() => return Err(error),
                Ok(_) | Err(_) => tokio::time::sleep(LOOK_EVERY).await,
            }
        }
    };
    match tokio::time::timeout(PATIENCE, moves).await {
        Ok(Ok(true)) => client.terminate(&[transfer_id.to_owned()]).await,
        Ok(Err(error)) => Err(error),
        Ok(Ok(false)) | Err(_) => Ok(()),
    }
}

async fn watch<O: Observer>(
    client: &Client,
    accepted: &[(usize, String, &str)],
    observer: impl Fn(&str, &str) -> O,
) -> Vec<Result<Outcome, ClientError>> {
    let watched: Vec<_> =
        accepted.iter().map(|(_, id, name)| (id.clone(), observer(id, name))).collect();
    let options = Options { timeout: PATIENCE, ..Options::default() };
    watch_all(client, &watched, &options).await
}
