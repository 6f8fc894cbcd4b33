//! Port of the store for slots and for the queue of transfers that wait for a slot.
//!
//! | term | meaning |
//! |---|---|
//! | slot | the right of a transfer to move bytes |
//! | pool | a limited number of slots: one pool for OneDrive deliveries, one for downloads |
//! | holder | the transfer that has a slot |
//! | queue entry | the place of a waiting transfer in the queue of its pool |
//! | version | the number of grants of a pool, by which a grant detects an earlier grant |
//! | sweeper | the background repair, which checks a transfer when the transfer is *due* |
//!
//! The life of a slot: a transfer joins the queue ([`SlotStore::enqueue`]), the scheduler grants it
//! a slot ([`SlotStore::grant`]), and the transfer releases the slot while it waits for its
//! document or the drive ([`SlotStore::release_slot`]). The end of the transfer frees the slot too.

use std::future::Future;

use docferry_domain::ids::TransferId;
use docferry_domain::slots::{Pool, QueueEntry, Slots};
use docferry_domain::transfer::Transfer;
use jiff::Timestamp;

use super::{StoreError, WriteError};

/// The slots of each pool, and the queue of each pool.
///
/// All reads are strongly consistent. A caller that joins the queue then reads the slots. A caller
/// that releases a slot then reads the queue. If both happen at the same time, at least one caller
/// sees the change of the other, so a free slot is always granted.
pub trait SlotStore: Send + Sync {
    /// Returns the holders of the pool's slots, and the version.
    fn slots(&self, pool: Pool) -> impl Future<Output = Result<Slots, StoreError>> + Send;

    /// Returns at most `limit` queue entries in order, starting after `after`.
    fn queue(
        &self,
        pool: Pool,
        after: Option<&QueueEntry>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<QueueEntry>, StoreError>> + Send;

    /// Grants a slot to each of `admitted` (at most [`MAX_GRANTS`]), and removes these entries from
    /// the queue, in one transaction. `now` is the time of the grant. The sweeper checks the
    /// transfers at `due`.
    ///
    /// Returns `false` and grants nothing in two cases. The caller then reads and chooses again.
    ///
    /// - Another grant has changed the slots since the caller read `version`, or changes them at
    ///   the same time.
    /// - One of the transfers is no longer queued. The call removes its stale queue entry.
    fn grant(
        &self,
        pool: Pool,
        version: u64,
        admitted: &[QueueEntry],
        now: Timestamp,
        due: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Puts a transfer into the queue of its pool. The sweeper checks the transfer at `due`. Does
    /// nothing if the transfer holds a slot. The call can be repeated.
    fn enqueue(
        &self,
        transfer: &Transfer,
        due: Timestamp,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// Releases the slot of a transfer. `transfer` is the record as the caller read it.
    ///
    /// Does nothing if the transfer holds no slot, or if its execution, phase or epoch has changed
    /// since then. The slot then belongs to a newer step.
    fn release_slot(
        &self,
        transfer: &Transfer,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Frees a slot that its holder does not use. That is the case if the holder has no record, has
    /// ended, or holds no slot according to its record. Returns whether the slot was freed.
    fn reclaim(
        &self,
        pool: Pool,
        holder: &TransferId,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
}

/// Maximum number of slots granted in one transaction. A DynamoDB transaction may hold 100 actions.
/// A grant needs two actions for each transfer, and one for the slots.
pub const MAX_GRANTS: usize = 25;
