//! In-memory counter of API requests, for the rate limit of one process.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use docferry_app::ports::{CallCounter, StoreError};
use jiff::Timestamp;

/// [`CallCounter`] that counts calls in the memory of one process.
///
/// Lambda runs several processes at the same time, so a caller can make several times as many calls
/// as the limit allows. That is acceptable for reads, which are cheap and frequent.
#[derive(Debug, Default)]
pub struct InMemoryCallCounter(Mutex<Minute>);

/// Counters of one minute.
#[derive(Debug, Default)]
struct Minute {
    /// Number of the minute, counted from the Unix epoch.
    number: i64,
    /// Number of calls by caller.
    used: HashMap<String, u32>,
}

impl CallCounter for InMemoryCallCounter {
    async fn count_call(&self, caller: &str, now: Timestamp) -> Result<u32, StoreError> {
        let number = now.as_second().div_euclid(60);
        let mut minute = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if minute.number != number {
            *minute = Minute { number, used: HashMap::new() };
        }
        let used = minute.used.entry(caller.to_owned()).or_default();
        *used = used.saturating_add(1);
        Ok(*used)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn calls_are_counted_by_caller_and_minute() {
        let counter = InMemoryCallCounter::default();
        let count = async |caller: &str, second| {
            counter.count_call(caller, Timestamp::from_second(second).unwrap()).await.unwrap()
        };
        assert_eq!([count("a", 60).await, count("a", 119).await, count("b", 119).await], [1, 2, 1]);
        assert_eq!([count("a", 120).await, count("b", 120).await], [1, 1]);
    }
}
