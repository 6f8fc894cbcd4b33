//! Following transfers to their end.

use std::time::{Duration, Instant};

use backon::{ExponentialBuilder, Retryable};
use futures::future::join_all;

use crate::client::{Client, Polled};
use crate::error::ClientError;
use crate::progress::Progress;
use crate::wire::{TransferState, TransferStatus};

const SHORTEST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_BACKOFF: Duration = Duration::from_secs(10);

/// How patiently to watch.
#[derive(Debug, Clone)]
pub struct Options {
    /// When to stop waiting for transfers that are still running.
    pub timeout: Duration,
    /// How often one question is repeated when the answer is a transient failure.
    pub retries: usize,
}

impl Default for Options {
    /// Four hours, the service's own deadline, and six tries (about half a minute).
    fn default() -> Self {
        Self { timeout: Duration::from_secs(4 * 60 * 60), retries: 6 }
    }
}

/// How watching one transfer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Delivered and verified.
    Completed(TransferStatus),
    /// Ended without delivery.
    Failed(TransferStatus),
    /// Still running, or without an answer, when the time was up.
    TimedOut(Option<TransferStatus>),
}

impl Outcome {
    /// The last status document that was seen.
    #[must_use]
    pub fn status(&self) -> Option<&TransferStatus> {
        match self {
            Self::Completed(status) | Self::Failed(status) => Some(status),
            Self::TimedOut(status) => status.as_ref(),
        }
    }
}

/// What there is to show of a running transfer.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The transfer.
    pub transfer_id: &'a str,
    /// The document's name, once known.
    pub name: Option<&'a str>,
    /// 0 to 100, never less than before.
    pub percent: u8,
    /// Bytes delivered, never less than before.
    pub bytes: u64,
    /// The document's size, once known.
    pub size: Option<u64>,
    /// Bytes a second.
    pub rate: Option<u64>,
    /// Time left at this rate.
    pub time_left: Option<Duration>,
    /// Whether anything is different from the view before; true of the first.
    pub changed: bool,
}

/// Who is told about one transfer while it is watched.
pub trait Observer {
    /// A status document came.
    fn progress(&self, view: &View<'_>);
    /// A question failed and is asked again after `pause`.
    fn retrying(&self, error: &ClientError, pause: Duration);
    /// Watching ended, `elapsed` after it began.
    fn ended(&self, result: &Result<Outcome, ClientError>, elapsed: Duration);
}

/// Watches one transfer until it ends, time is up, or asking is pointless.
///
/// # Errors
/// The [`ClientError`] that is permanent, or outlasted [`Options::retries`].
pub async fn watch(
    client: &Client,
    transfer_id: &str,
    options: &Options,
    observer: &dyn Observer,
) -> Result<Outcome, ClientError> {
    let start = Instant::now();
    let mut last = None;
    let following = follow(client, transfer_id, options, observer, &mut last);
    let result = match tokio::time::timeout(options.timeout, following).await {
        Ok(result) => result,
        Err(_) => Ok(Outcome::TimedOut(last)),
    };
    observer.ended(&result, start.elapsed());
    result
}

/// Watches several transfers at once; the results come in the order of the ids.
///
/// One that fails does not end the others.
pub async fn watch_all<O: Observer>(
    client: &Client,
    watched: &[(String, O)],
    options: &Options,
) -> Vec<Result<Outcome, ClientError>> {
    join_all(watched.iter().map(|(id, observer)| watch(client, id, options, observer))).await
}

async fn follow(
    client: &Client,
    transfer_id: &str,
    options: &Options,
    observer: &dyn Observer,
    last: &mut Option<TransferStatus>,
) -> Result<Outcome, ClientError> {
    let mut progress = Progress::default();
    let mut pause = SHORTEST_PAUSE;
    loop {
        let Polled { status, retry_after } = ask(client, transfer_id, options, observer).await?;
        let now = Instant::now();
        let changed = progress.observe(&status, now) || last.is_none();
        observer.progress(&view(transfer_id, &progress, now, changed));
        match status.state() {
            TransferState::Completed => return Ok(Outcome::Completed(status)),
            TransferState::Failed => return Ok(Outcome::Failed(status)),
            TransferState::Running => *last = Some(status),
        }
        // Ask often while things move, seldom while nothing happens.
        pause = if changed { SHORTEST_PAUSE } else { pause.mul_f64(1.5).min(LONGEST_PAUSE) };
        tokio::time::sleep(retry_after.unwrap_or(pause)).await;
    }
}

async fn ask(
    client: &Client,
    transfer_id: &str,
    options: &Options,
    observer: &dyn Observer,
) -> Result<Polled, ClientError> {
    let notify = |error: &ClientError, pause| observer.retrying(error, pause);
    insist(options, || client.poll(transfer_id), notify).await
}

/// Makes a call that may be repeated, and again after failures that may pass;
/// `notify` is told of each, with the pause that follows.
///
/// # Errors
/// The [`ClientError`] that is permanent, or outlasted [`Options::retries`].
pub async fn insist<T, F: Future<Output = Result<T, ClientError>>>(
    options: &Options,
    call: impl FnMut() -> F,
    notify: impl FnMut(&ClientError, Duration),
) -> Result<T, ClientError> {
    let backoff = ExponentialBuilder::default()
        .with_min_delay(SHORTEST_PAUSE)
        .with_max_delay(LONGEST_BACKOFF)
        .with_max_times(options.retries)
        .with_jitter();
    call.retry(backoff)
        .when(ClientError::is_transient)
        .adjust(|error, pause| pause.map(|pause| error.retry_after().unwrap_or(pause)))
        .notify(notify)
        .await
}

fn view<'a>(id: &'a str, progress: &'a Progress, now: Instant, changed: bool) -> View<'a> {
    View {
        transfer_id: id,
        name: progress.name(),
        percent: progress.percent(),
        bytes: progress.bytes(),
        size: progress.size(),
        rate: progress.rate(now),
        time_left: progress.time_left(now),
        changed,
    }
}
