use std::future::Future;

use jiff::Timestamp;

use super::StoreError;

/// Counts what somebody does.
pub trait Quota: Send + Sync {
    /// Counts a call of `caller` in the minute of `now`; how many there were in it,
    /// this one included.
    fn count_call(
        &self,
        caller: &str,
        now: Timestamp,
    ) -> impl Future<Output = Result<u32, StoreError>> + Send;
}
