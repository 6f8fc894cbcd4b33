//! Port that counts the calls of each caller, for the rate limit.

use std::future::Future;

use jiff::Timestamp;

use super::StoreError;

/// Counts the calls of each caller.
pub trait CallCounter: Send + Sync {
    /// Counts a call of `caller` in the minute of `now`. Returns the number of calls in that
    /// minute, including this one.
    fn count_call(
        &self,
        caller: &str,
        now: Timestamp,
    ) -> impl Future<Output = Result<u32, StoreError>> + Send;
}
