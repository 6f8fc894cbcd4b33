use std::future::Future;

use docferry_domain::{Pool, Slots, Transfer, TransferId, Waiting};
use jiff::Timestamp;

use super::{StoreError, WriteError};

/// The queue for the slots of a pool, and who holds them.
///
/// All reads are consistent. Whoever joins the queue reads the slots afterwards,
/// and whoever gives a slot back reads the queue afterwards, so that one of two
/// who do so at once sees the other and no wake-up is lost.
pub trait SlotStore: Send + Sync {
    /// Who holds the pool's slots.
    fn slots(&self, pool: Pool) -> impl Future<Output = Result<Slots, StoreError>> + Send;

    /// Those who wait, in the order of the queue, behind `after`, at most `limit`.
    fn queue(
        &self,
        pool: Pool,
        after: Option<&Waiting>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Waiting>, StoreError>> + Send;

    /// Gives a slot to each of `admitted` (at most [`MOST_GRANTS`]) and takes them
    /// off the queue: all or none, and only if nothing was granted since the slots
    /// were read at `version`. That it was given one at `now` is recorded, and `sweep`
    /// looks at them from `due` on.
    ///
    /// `false` when something had changed: read again, and choose again. Whoever
    /// stands in the queue without wanting a slot any more is taken off it then.
    fn grant(
        &self,
        pool: Pool,
        version: u64,
        admitted: &[Waiting],
        now: Timestamp,
        due: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Puts a transfer that holds no slot into the queue. Repeating it is fine; for
    /// one that holds a slot nothing changes. `sweep` looks at it from `due` on.
    fn enqueue(
        &self,
        transfer: &Transfer,
        due: Timestamp,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// Gives the slot of a transfer back, if it holds one and is still in the
    /// attempt, phase and epoch in which it was read: a step that was overtaken
    /// takes no slot away from its successor.
    fn step_aside(
        &self,
        transfer: &Transfer,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Frees the slot of a holder whose record says that it holds none, or that is
    /// gone. Returns whether that was so.
    fn reclaim(
        &self,
        pool: Pool,
        holder: &TransferId,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
}

/// Most slots that are granted in one transaction, which may hold 100 actions:
/// two for each, and one for the slots.
pub const MOST_GRANTS: usize = 25;
