//! Polling with a timeout, for tests that wait until the deployed system has done something.

use std::time::{Duration, Instant};

/// Timeout for events that normally take seconds. It is generous, because the tests do not
/// measure speed.
pub const SHORT_TIMEOUT: Duration = Duration::from_secs(100);
/// Timeout for tests that wait for a deadline or transfer many bytes.
pub const LONG_TIMEOUT: Duration = Duration::from_secs(150);

/// Pause between two polls.
const PAUSE: Duration = Duration::from_millis(100);

/// Calls `probe` repeatedly until it returns a value, and returns that value. `event` describes
/// what the caller waits for; it is part of the panic message.
///
/// # Panics
/// If `probe` returns no value within `timeout`.
pub async fn eventually<T>(
    event: &str,
    timeout: Duration,
    mut probe: impl AsyncFnMut() -> Option<T>,
) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = probe().await {
            return value;
        }
        assert!(start.elapsed() < timeout, "not within {timeout:?}: {event}");
        tokio::time::sleep(PAUSE).await;
    }
}
