use std::time::{Duration, Instant};

/// For what takes seconds; generous, because a bound is not a measurement.
pub const SHORT: Duration = Duration::from_secs(100);
/// For what waits for a deadline or moves a lot.
pub const LONG: Duration = Duration::from_secs(150);

const PAUSE: Duration = Duration::from_millis(100);

/// Asks again until there is an answer.
///
/// # Panics
/// When there is none within the bound.
pub async fn eventually<T>(
    what: &str,
    bound: Duration,
    mut probe: impl AsyncFnMut() -> Option<T>,
) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = probe().await {
            return answer;
        }
        assert!(start.elapsed() < bound, "not within {bound:?}: {what}");
        tokio::time::sleep(PAUSE).await;
    }
}
