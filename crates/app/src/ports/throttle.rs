//! Port of the throttling pauses that all transfers of a tenant share.
//!
//! Microsoft Graph limits the requests of an application in a tenant, not those of one transfer. If
//! Graph throttles one transfer, all transfers have to pause.

use std::future::Future;

use jiff::Timestamp;

use super::StoreError;

/// A pause that the drive asked for. It applies to all transfers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    /// Time at which the drive asked for the pause.
    pub since: Timestamp,
    /// Time at which the pause ends.
    pub until: Timestamp,
}

/// Throttling state of the drive.
///
/// The state is advisory. An invocation reads it once at its start, not before each request. If the
/// state cannot be read, the transfer continues.
pub trait ThrottleBudget: Send + Sync {
    /// Returns the recorded pause, which may be over; `None` if no pause is recorded.
    fn paused(&self) -> impl Future<Output = Result<Option<Pause>, StoreError>> + Send;

    /// Records a pause for all transfers. Does nothing if the recorded pause ends later. The call
    /// can be repeated.
    fn pause(&self, pause: Pause) -> impl Future<Output = Result<(), StoreError>> + Send;
}
