use docferry_app::ports::{Pause, ThrottleBudget};
use jiff::SignedDuration;

use crate::builders::epoch;

/// What every [`ThrottleBudget`] must do. It must be one that nobody else uses.
///
/// # Panics
/// At the first thing that a budget does otherwise than the port says.
pub async fn throttle_budget(budget: &impl ThrottleBudget) {
    let pause = |since: i64, until: i64| Pause {
        since: epoch() + SignedDuration::from_millis(since),
        until: epoch() + SignedDuration::from_millis(until),
    };
    assert_eq!(budget.paused().await.unwrap(), None);
    let first = pause(1000, 121_500);
    budget.pause(first).await.unwrap();
    budget.pause(first).await.unwrap();
    assert_eq!(budget.paused().await.unwrap(), Some(first));
    // One that ends sooner does not shorten it.
    budget.pause(pause(2000, 121_499)).await.unwrap();
    assert_eq!(budget.paused().await.unwrap(), Some(first));
    let later = pause(3000, 1_000_000_000);
    budget.pause(later).await.unwrap();
    assert_eq!(budget.paused().await.unwrap(), Some(later));
}
