use std::future::Future;

use jiff::Timestamp;

use super::StoreError;

/// A pause that the drive asked of one transfer and meant for all: its budgets are
/// per application and tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    /// When it was asked for.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
}

/// What the transfers of a tenant share of the drive's throttling.
///
/// Advice, not a lock: it is read once at the start of an invocation and not before
/// each request, and a transfer that cannot read it goes on.
pub trait ThrottleBudget: Send + Sync {
    /// The pause that ends last, over or not; `None` when there never was one.
    fn paused(&self) -> impl Future<Output = Result<Option<Pause>, StoreError>> + Send;

    /// Pauses everybody. A pause that ends later stays; repeating a call is fine.
    fn pause(&self, pause: Pause) -> impl Future<Output = Result<(), StoreError>> + Send;
}
