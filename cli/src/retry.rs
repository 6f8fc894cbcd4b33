//! Retries of calls to docferry's API after transient failures, and the pauses between calls.

use std::time::{Duration, Instant};

use backon::{ExponentialBuilder, Retryable as _};

use crate::error::ClientError;

/// Pause between polls while the status changes. It is also the first backoff after a failure.
pub(crate) const MIN_PAUSE: Duration = Duration::from_millis(500);

/// Longest backoff after failures.
const MAX_BACKOFF: Duration = Duration::from_secs(10);

/// Lower limit of a pause that the service asks for. The limit prevents a busy loop.
const MIN_REQUESTED_PAUSE: Duration = Duration::from_millis(100);

/// Upper limit of a pause that the service asks for. It is the longest time for which the client
/// may overlook the end of a transfer or job.
const MAX_REQUESTED_PAUSE: Duration = Duration::from_secs(60);

/// Limits of watching and of retries.
#[derive(Debug, Clone)]
pub struct Options {
    /// Maximum time to wait for the end of a transfer or job.
    pub timeout: Duration,
    /// Maximum number of retries of one call after transient failures.
    pub retries: usize,
}

impl Default for Options {
    /// The timeout is four hours, which is also the service's deadline for a transfer. The six
    /// retries together take about half a minute.
    fn default() -> Self {
        Self { timeout: Duration::from_secs(4 * 60 * 60), retries: 6 }
    }
}

/// Limits the pause that the service `requested` to between 100 ms and 60 s. Returns `default` if
/// the service requested no pause.
#[must_use]
pub fn clamp_pause(requested: Option<Duration>, default: Duration) -> Duration {
    requested.map_or(default, |pause| pause.clamp(MIN_REQUESTED_PAUSE, MAX_REQUESTED_PAUSE))
}

/// Makes an idempotent call and retries it after transient failures. Calls `notify` with
/// each such failure and the pause that follows.
///
/// # Errors
/// A [`ClientError`] that is permanent, or that persisted after [`Options::retries`].
pub async fn retry_transient<T, F: Future<Output = Result<T, ClientError>>>(
    options: &Options,
    call: impl FnMut() -> F,
    notify: impl FnMut(&ClientError, Duration),
) -> Result<T, ClientError> {
    retry_while(ClientError::is_transient, options, call, notify).await
}

/// Like [`retry_transient`], but retries the failures that `should_retry` selects. For
/// example, a call that is not idempotent is retried only if it had no effect.
///
/// # Errors
/// The errors of [`retry_transient`]. A failure is also returned when the pause before its retry
/// would end after [`Options::timeout`].
pub async fn retry_while<T, F: Future<Output = Result<T, ClientError>>>(
    should_retry: impl FnMut(&ClientError) -> bool,
    options: &Options,
    call: impl FnMut() -> F,
    notify: impl FnMut(&ClientError, Duration),
) -> Result<T, ClientError> {
    let deadline = Instant::now().checked_add(options.timeout);
    retry_with_backoff(should_retry, options, deadline, call, notify).await
}

/// Like [`retry_while`], with a `deadline` that the caller has determined; `None` sets no deadline.
///
/// Pauses for an exponential backoff with jitter, or for as long as the service asks. Returns the
/// failure when the next pause would end after the deadline.
pub(crate) async fn retry_with_backoff<T, F: Future<Output = Result<T, ClientError>>>(
    should_retry: impl FnMut(&ClientError) -> bool,
    options: &Options,
    deadline: Option<Instant>,
    call: impl FnMut() -> F,
    notify: impl FnMut(&ClientError, Duration),
) -> Result<T, ClientError> {
    let ends_in_time = |pause: Duration| {
        let pause_end = Instant::now().checked_add(pause);
        deadline.is_none_or(|deadline| pause_end.is_some_and(|pause_end| pause_end <= deadline))
    };
    let backoff = ExponentialBuilder::default()
        .with_min_delay(MIN_PAUSE)
        .with_max_delay(MAX_BACKOFF)
        .with_max_times(options.retries)
        .with_jitter();
    call.retry(backoff)
        .when(should_retry)
        .adjust(|error, next_backoff| {
            // There is no next backoff after the last retry. `None` ends the retries.
            let pause = error.retry_after().unwrap_or(next_backoff?);
            Some(pause).filter(|pause| ends_in_time(*pause))
        })
        .notify(notify)
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requested_pause_is_clamped_to_limits() {
        let default = Duration::from_secs(2);
        let clamp_millis = |millis| clamp_pause(Some(Duration::from_millis(millis)), default);
        assert_eq!(clamp_pause(None, default), default);
        assert_eq!(clamp_millis(1500), Duration::from_millis(1500));
        assert_eq!(clamp_millis(0), MIN_REQUESTED_PAUSE);
        assert_eq!(clamp_millis(u64::MAX), MAX_REQUESTED_PAUSE);
    }
}
