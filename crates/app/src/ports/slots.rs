//! Port of the store for slots and the queue for them. A slot is the right of a transfer to move
//! bytes.

use std::future::Future;

use docferry_domain::ids::TransferId;
use docferry_domain::slots::{Pool, QueueEntry, Slots};
use docferry_domain::transfer::Transfer;
use jiff::Timestamp;

use super::{StoreError, WriteError};

/// The slots of a pool and the queue for them.
///
/// All reads are strongly consistent. A caller that joins the queue reads the slots afterwards,
/// and a caller that releases a slot reads the queue afterwards. So of two concurrent callers
/// at least one sees the other, and no wake-up is lost.
pub trait SlotStore: Send + Sync {
    /// Returns the holders of the pool's slots.
    fn slots(&self, pool: Pool) -> impl Future<Output = Result<Slots, StoreError>> + Send;

    /// Returns at most `limit` queue entries in order, starting after `after`.
    fn queue(
        &self,
        pool: Pool,
        after: Option<&QueueEntry>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<QueueEntry>, StoreError>> + Send;

    /// Grants a slot to each of `admitted` (at most [`MAX_GRANTS`]) and removes them from the
    /// queue, in one transaction, provided that no slot was granted since the slots were read
    /// at `version`. Records `now` as the time of the grant. The transfers are due for the
    /// sweeper at `due`.
    ///
    /// Returns `false` when something had changed: read and choose again. Stale queue entries,
    /// of transfers that do not want a slot any more, are removed in that case.
    fn grant(
        &self,
        pool: Pool,
        version: u64,
        admitted: &[QueueEntry],
        now: Timestamp,
        due: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Puts a transfer that holds no slot into the queue. The sweeper checks the transfer at `due`.
    /// Does nothing for a transfer that holds a slot. The call can be repeated.
    fn enqueue(
        &self,
        transfer: &Transfer,
        due: Timestamp,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// Releases the slot of a transfer, if it holds one and its execution, phase and epoch are
    /// unchanged since it was read: a superseded step cannot release its successor's slot.
    fn release_slot(
        &self,
        transfer: &Transfer,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Frees the slot of a holder that has no record, or whose record says that it holds no slot.
    /// Returns whether the slot was freed.
    fn reclaim(
        &self,
        pool: Pool,
        holder: &TransferId,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
}

/// Maximum number of slots granted in one transaction. A DynamoDB transaction may hold 100
/// actions; a grant takes two for each transfer, and one for the slots.
pub const MAX_GRANTS: usize = 25;
