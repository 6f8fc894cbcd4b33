//! Watches transfers and jobs: polls their status until they end, and reports to an [`Observer`].
//!
//! A watch has two results. The caller gets an [`Outcome`] with the last status document, and the
//! observer gets an [`End`], which contains only what is displayed.

use std::time::{Duration, Instant};

use futures::future::join_all;

use crate::client::{Client, Polled};
use crate::error::ClientError;
use crate::job::JobStatus;
use crate::progress::Progress;
use crate::retry::{MIN_PAUSE, retry_with_backoff};
use crate::watched::StatusDocument;
use crate::wire::{TransferState, TransferStatus};

pub use crate::retry::{Options, clamp_pause, retry_transient, retry_while};

/// Longest pause between polls while the status does not change.
const MAX_PAUSE: Duration = Duration::from_secs(2);

/// Factor by which the pause between polls grows while the status does not change.
const PAUSE_GROWTH: f64 = 1.5;

/// Result of watching one transfer or job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<S = TransferStatus> {
    /// The transfer or job was delivered and verified.
    Completed(S),
    /// The transfer or job ended without delivery.
    Failed(S),
    /// The transfer or job was still running when the timeout expired. Holds the last status
    /// document, or `None` if the service never responded.
    TimedOut(Option<S>),
}

impl<S> Outcome<S> {
    /// The last status document that was received.
    #[must_use]
    pub fn status(&self) -> Option<&S> {
        match self {
            Self::Completed(status) | Self::Failed(status) => Some(status),
            Self::TimedOut(status) => status.as_ref(),
        }
    }
}

/// End of a watch, for display. Transfers, jobs and downloads of documents share this type.
#[derive(Debug)]
pub enum End<'a> {
    /// Delivered and verified; holds the number of bytes.
    Completed(u64),
    /// Canceled on request.
    Stopped,
    /// Ended without delivery; holds the reason.
    Failed(String),
    /// Still running when the timeout expired. Holds the last percentage, or `None` if the
    /// service never responded.
    TimedOut(Option<u8>),
    /// Polling failed permanently.
    Error(&'a ClientError),
}

impl<'a> End<'a> {
    /// Describes the result of watching.
    #[must_use]
    pub fn of<S: StatusDocument>(result: &'a Result<Outcome<S>, ClientError>) -> Self {
        match result {
            Ok(Outcome::Completed(status)) => {
                Self::Completed(status.bytes().or(status.size()).unwrap_or(0))
            }
            Ok(Outcome::Failed(status)) if status.was_canceled() => Self::Stopped,
            Ok(Outcome::Failed(status)) => Self::Failed(status.failure()),
            Ok(Outcome::TimedOut(status)) => {
                Self::TimedOut(status.as_ref().map(StatusDocument::percent))
            }
            Err(error) => Self::Error(error),
        }
    }
}

/// Progress of a transfer, job or download at one point in time, for display.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The id of the transfer or job.
    pub transfer_id: &'a str,
    /// File name of the document, once known.
    pub name: Option<&'a str>,
    /// Progress from 0 to 100. Never decreases.
    pub percent: u8,
    /// Bytes delivered. Never decreases.
    pub bytes: u64,
    /// Size of the document in bytes, once known.
    pub size: Option<u64>,
    /// Throughput in bytes per second.
    pub rate: Option<u64>,
    /// Remaining time at the throughput `rate`.
    pub time_left: Option<Duration>,
    /// Whether this view differs from the previous view. The first view counts as changed.
    pub changed: bool,
}

/// Receives the events of watching one transfer or job.
pub trait Observer {
    /// A status document was received.
    fn progress(&self, view: &View<'_>);
    /// A call failed and is retried after `pause`.
    fn retrying(&self, error: &ClientError, pause: Duration);
    /// The watch ended. It took the time `elapsed`.
    fn ended(&self, end: &End<'_>, elapsed: Duration);
}

/// Watches one transfer until it ends, the timeout expires, or polling fails permanently.
///
/// # Errors
/// A [`ClientError`] that is permanent, or that persisted after [`Options::retries`].
pub async fn watch(
    client: &Client,
    transfer_id: &str,
    options: &Options,
    observer: &dyn Observer,
) -> Result<Outcome, ClientError> {
    watch_status(transfer_id, options, observer, || client.poll(transfer_id)).await
}

/// Like [`watch`], for a job of the downloads API. Polls at the interval that the service
/// asks for.
///
/// # Errors
/// The errors of [`watch`].
pub async fn watch_job(
    client: &Client,
    job_id: &str,
    options: &Options,
    observer: &dyn Observer,
) -> Result<Outcome<JobStatus>, ClientError> {
    watch_status(job_id, options, observer, || client.poll_job(job_id)).await
}

/// Watches several transfers concurrently. `watched` contains the id of each transfer and its
/// observer. The results have the same order.
///
/// The failure of one transfer does not end the watch of another transfer.
pub async fn watch_all<O: Observer>(
    client: &Client,
    watched: &[(String, O)],
    options: &Options,
) -> Vec<Result<Outcome, ClientError>> {
    join_all(watched.iter().map(|(id, observer)| watch(client, id, options, observer))).await
}

/// Watches a transfer or job until it ends or the timeout of `options` expires. `poll` requests its
/// status.
async fn watch_status<S: StatusDocument, F: Future<Output = Result<Polled<S>, ClientError>>>(
    id: &str,
    options: &Options,
    observer: &dyn Observer,
    poll: impl FnMut() -> F,
) -> Result<Outcome<S>, ClientError> {
    let start = Instant::now();
    let mut last_status = None;
    let polling = poll_until_end(id, options, observer, poll, &mut last_status);
    let result = match tokio::time::timeout(options.timeout, polling).await {
        Ok(result) => result,
        Err(_) => Ok(Outcome::TimedOut(last_status)),
    };
    observer.ended(&End::of(&result), start.elapsed());
    result
}

/// Polls until the transfer or job ends. Stores each status of a running one in `last_status`, so
/// that the status is still known when the timeout drops this future.
async fn poll_until_end<S: StatusDocument, F: Future<Output = Result<Polled<S>, ClientError>>>(
    id: &str,
    options: &Options,
    observer: &dyn Observer,
    mut poll: impl FnMut() -> F,
    last_status: &mut Option<S>,
) -> Result<Outcome<S>, ClientError> {
    let mut progress = Progress::default();
    let mut pause = MIN_PAUSE;
    loop {
        let notify = |error: &ClientError, pause| observer.retrying(error, pause);
        // If the id existed a moment ago, a 404 without a body probably comes from another server,
        // such as a proxy.
        let was_found_before = last_status.is_some();
        let is_transient = |error: &ClientError| {
            error.is_transient() || (was_found_before && error.is_empty_not_found())
        };
        // The retries need no deadline, because the caller's timeout ends this future.
        let polled = retry_with_backoff(is_transient, options, None, &mut poll, notify);
        let Polled { status, retry_after } = polled.await?;
        let now = Instant::now();
        let changed = progress.observe(&status, now) || last_status.is_none();
        observer.progress(&view(id, &progress, now, changed));
        let requested_pause = retry_after.or(status.next_poll());
        match status.state() {
            TransferState::Completed => return Ok(Outcome::Completed(status)),
            TransferState::Failed => return Ok(Outcome::Failed(status)),
            TransferState::Running => *last_status = Some(status),
        }
        // If the service asks for no pause, the status is polled often while it changes, and less
        // often while it does not.
        pause = if changed { MIN_PAUSE } else { pause.mul_f64(PAUSE_GROWTH).min(MAX_PAUSE) };
        tokio::time::sleep(clamp_pause(requested_pause, pause)).await;
    }
}

/// Returns the view of the progress at `now`.
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
