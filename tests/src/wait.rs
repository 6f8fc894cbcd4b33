//! Polling with a timeout.

use std::time::{Duration, Instant};

/// Timeout for events that normally take seconds. It is generous, because the tests do not
/// measure speed.
pub const SHORT_TIMEOUT: Duration = Duration::from_secs(100);
/// Timeout for tests that wait for a deadline or transfer many bytes.
pub const LONG_TIMEOUT: Duration = Duration::from_secs(150);

/// Pause between two polls.
const PAUSE: Duration = Duration::from_millis(100);

/// Polls until `probe` returns a value. `event` describes what the caller waits for.
///
/// # Panics
/// If there is no value within `bound`.
pub async fn eventually<T>(
    event: &str,
    bound: Duration,
    mut probe: impl AsyncFnMut() -> Option<T>,
) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = probe().await {
            return answer;
        }
        assert!(start.elapsed() < bound, "not within {bound:?}: {event}");
        tokio::time::sleep(PAUSE).await;
    }
}
