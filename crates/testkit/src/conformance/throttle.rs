//! Conformance check of every [`ThrottleBudget`], by which all transfers share a pause that Graph
//! requests.

use docferry_app::ports::{Pause, ThrottleBudget};
use jiff::SignedDuration;

use crate::builders::epoch;

/// Runs every check. The budget must not be used by anything else.
///
/// # Panics
/// When the budget breaks a rule of its port.
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

    // A pause that ends earlier does not shorten the stored one.
    budget.pause(pause(2000, 121_499)).await.unwrap();
    assert_eq!(budget.paused().await.unwrap(), Some(first));
    let longer = pause(3000, 1_000_000_000);
    budget.pause(longer).await.unwrap();
    assert_eq!(budget.paused().await.unwrap(), Some(longer));
}
