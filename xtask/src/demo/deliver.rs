//! Sending and watching, with the library behind the `docferry` command.

use std::cell::RefCell;
use std::io::{IsTerminal as _, stderr};
use std::rc::Rc;
use std::time::Duration;

use docferry_cli::display::{Lines, bar};
use docferry_cli::watch::{Observer, Options, Outcome, watch_all};
use docferry_cli::{Client, ClientError, NewTransfer};
use indicatif::MultiProgress;

use super::scenario::Item;

/// Far more than the demo needs, and short enough for someone who waits.
const PATIENCE: Duration = Duration::from_secs(10 * 60);

/// How one document fared.
#[derive(Debug)]
pub(crate) struct Delivery {
    /// As the service called it; `None` when it was not accepted.
    pub(crate) transfer_id: Option<String>,
    pub(crate) result: Result<Outcome, ClientError>,
}

/// Sends every item to `email` and watches until all have ended.
pub(crate) async fn deliver(client: &Client, items: &[Item], email: &str) -> Vec<Delivery> {
    let mut accepted = Vec::new();
    let mut deliveries = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let transfer = NewTransfer {
            obj_guid: item.guid.clone(),
            email: email.to_owned(),
            file_path: item.folder.map(str::to_owned),
        };
        let (transfer_id, result) = match client.upload(&transfer).await {
            Ok(answer) => {
                accepted.push((at, answer.transfer_id.clone(), item.filename));
                (Some(answer.transfer_id), Ok(Outcome::TimedOut(None)))
            }
            Err(error) => (None, Err(error)),
        };
        deliveries.push(Delivery { transfer_id, result });
    }
    let results = if stderr().is_terminal() {
        let bars = MultiProgress::new();
        watch(client, &accepted, |id, name| bar(&bars, id, Some(name))).await
    } else {
        let out = Rc::new(RefCell::new(stderr()));
        watch(client, &accepted, |id, name| Lines::new(Rc::clone(&out), id, Some(name))).await
    };
    for ((at, ..), result) in accepted.iter().zip(results) {
        deliveries[*at].result = result;
    }
    deliveries
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
