//! Throttling pauses that all transfers of a tenant share.

use std::future::Future;

use jiff::Timestamp;

use super::StoreError;

/// A pause that the drive asked one transfer for and that applies to all: Graph's budgets are
/// per application and tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    /// Time at which the drive asked for the pause.
    pub since: Timestamp,
    /// Time at which the pause ends.
    pub until: Timestamp,
}

/// Throttling state of the drive that the transfers of a tenant share.
///
/// Advisory, not a lock: it is read once at the start of an invocation, not before each
/// request, and a transfer that cannot read it continues.
pub trait ThrottleBudget: Send + Sync {
    /// Returns the pause that ends last, even if it is over; `None` when there never was one.
    fn paused(&self) -> impl Future<Output = Result<Option<Pause>, StoreError>> + Send;

    /// Records a pause for all transfers. A recorded pause that ends later is retained. The
    /// call can be repeated.
    fn pause(&self, pause: Pause) -> impl Future<Output = Result<(), StoreError>> + Send;
}
