//! Following transfers to their end.

use std::time::{Duration, Instant};

use backon::{ExponentialBuilder, Retryable};
use futures::future::join_all;

use crate::client::{Client, Polled};
use crate::error::ClientError;
use crate::job::JobStatus;
use crate::progress::Progress;
use crate::watched::Watched;
use crate::wire::{TransferState, TransferStatus};

const SHORTEST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_BACKOFF: Duration = Duration::from_secs(10);
/// What the service may ask for between two questions: from here, so that nothing spins,
const LEAST_ASKED: Duration = Duration::from_millis(100);
/// to here, so that an end is noticed.
const MOST_ASKED: Duration = Duration::from_secs(60);

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

/// How watching one transfer or job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<S = TransferStatus> {
    /// Delivered and verified.
    Completed(S),
    /// Ended without delivery.
    Failed(S),
    /// Still running, or without an answer, when the time was up.
    TimedOut(Option<S>),
}

impl<S> Outcome<S> {
    /// The last status document that was seen.
    #[must_use]
    pub fn status(&self) -> Option<&S> {
        match self {
            Self::Completed(status) | Self::Failed(status) => Some(status),
            Self::TimedOut(status) => status.as_ref(),
        }
    }
}

/// An end in words, whatever was watched.
#[derive(Debug)]
pub enum End<'a> {
    /// Delivered and verified, so many bytes.
    Completed(u64),
    /// It stopped because somebody asked it to.
    Stopped,
    /// Ended without delivery, for this reason.
    Failed(String),
    /// Still running at this percent, or without an answer, when the time was up.
    TimedOut(Option<u8>),
    /// Nothing more can be known.
    Error(&'a ClientError),
}

impl<'a> End<'a> {
    /// What came of watching.
    #[must_use]
    pub fn of<S: Watched>(result: &'a Result<Outcome<S>, ClientError>) -> Self {
        match result {
            Ok(Outcome::Completed(status)) => {
                Self::Completed(status.bytes().or(status.size()).unwrap_or(0))
            }
            Ok(Outcome::Failed(status)) if status.was_stopped() => Self::Stopped,
            Ok(Outcome::Failed(status)) => Self::Failed(status.failure()),
            Ok(Outcome::TimedOut(status)) => Self::TimedOut(status.as_ref().map(Watched::percent)),
            Err(error) => Self::Error(error),
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
    fn ended(&self, end: &End<'_>, elapsed: Duration);
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
    follow(transfer_id, options, observer, || client.poll(transfer_id)).await
}

/// As [`watch`], for a job of the downloads API. Asks again when the service says.
///
/// # Errors
/// As [`watch`].
pub async fn watch_job(
    client: &Client,
    job_id: &str,
    options: &Options,
    observer: &dyn Observer,
) -> Result<Outcome<JobStatus>, ClientError> {
    follow(job_id, options, observer, || client.poll_job(job_id)).await
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

async fn follow<S: Watched, F: Future<Output = Result<Polled<S>, ClientError>>>(
    id: &str,
    options: &Options,
    observer: &dyn Observer,
    poll: impl FnMut() -> F,
) -> Result<Outcome<S>, ClientError> {
    let start = Instant::now();
    let mut last = None;
    let following = to_the_end(id, options, observer, poll, &mut last);
    let result = match tokio::time::timeout(options.timeout, following).await {
        Ok(result) => result,
        Err(_) => Ok(Outcome::TimedOut(last)),
    };
    observer.ended(&End::of(&result), start.elapsed());
    result
}

async fn to_the_end<S: Watched, F: Future<Output = Result<Polled<S>, ClientError>>>(
    id: &str,
    options: &Options,
    observer: &dyn Observer,
    mut poll: impl FnMut() -> F,
    last: &mut Option<S>,
) -> Result<Outcome<S>, ClientError> {
    let mut progress = Progress::default();
    let mut pause = SHORTEST_PAUSE;
    loop {
        let notify = |error: &ClientError, pause| observer.retrying(error, pause);
        // A bare 404 about something that was there a moment ago is not the service's word.
        let was_seen = last.is_some();
        let may_pass =
            |error: &ClientError| error.is_transient() || was_seen && error.is_bare_not_found();
        let asked = persist(may_pass, options, None, &mut poll, notify);
        let Polled { status, retry_after } = asked.await?;
        let now = Instant::now();
        let changed = progress.observe(&status, now) || last.is_none();
        observer.progress(&view(id, &progress, now, changed));
        let asked = retry_after.or(status.next_poll());
        match status.state() {
            TransferState::Completed => return Ok(Outcome::Completed(status)),
            TransferState::Failed => return Ok(Outcome::Failed(status)),
            TransferState::Running => *last = Some(status),
        }
        // Unasked: often while things move, seldom while nothing happens.
        pause = if changed { SHORTEST_PAUSE } else { pause.mul_f64(1.5).min(LONGEST_PAUSE) };
        tokio::time::sleep(pause_of(asked, pause)).await;
    }
}

/// The pause that the service asked for, within limits, or else our own.
#[must_use]
pub fn pause_of(asked: Option<Duration>, own: Duration) -> Duration {
    asked.map_or(own, |asked| asked.clamp(LEAST_ASKED, MOST_ASKED))
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
    insist_while(ClientError::is_transient, options, call, notify).await
}

/// As [`insist`], where `may_pass` says which failures are worth another try.
///
/// # Errors
/// As [`insist`]. A pause that would outlast [`Options::timeout`] is not begun.
pub async fn insist_while<T, F: Future<Output = Result<T, ClientError>>>(
    may_pass: impl FnMut(&ClientError) -> bool,
    options: &Options,
    call: impl FnMut() -> F,
    notify: impl FnMut(&ClientError, Duration),
) -> Result<T, ClientError> {
    let deadline = Instant::now().checked_add(options.timeout);
    persist(may_pass, options, deadline, call, notify).await
}

async fn persist<T, F: Future<Output = Result<T, ClientError>>>(
    may_pass: impl FnMut(&ClientError) -> bool,
    options: &Options,
    deadline: Option<Instant>,
    call: impl FnMut() -> F,
    notify: impl FnMut(&ClientError, Duration),
) -> Result<T, ClientError> {
    let is_in_time = |pause: Duration| {
        let end = Instant::now().checked_add(pause);
        deadline.is_none_or(|deadline| end.is_some_and(|end| end <= deadline))
    };
    let backoff = ExponentialBuilder::default()
        .with_min_delay(SHORTEST_PAUSE)
        .with_max_delay(LONGEST_BACKOFF)
        .with_max_times(options.retries)
        .with_jitter();
    call.retry(backoff)
        .when(may_pass)
        .adjust(|error, pause| {
            let pause = pause.map(|pause| error.retry_after().unwrap_or(pause));
            pause.filter(|pause| is_in_time(*pause))
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_is_the_one_asked_for_but_neither_none_nor_endless() {
        let own = Duration::from_secs(2);
        let of = |asked| pause_of(Some(Duration::from_millis(asked)), own);
        assert_eq!(pause_of(None, own), own);
        assert_eq!(of(1500), Duration::from_millis(1500));
        assert_eq!((of(0), of(u64::MAX)), (LEAST_ASKED, MOST_ASKED));
    }
}
