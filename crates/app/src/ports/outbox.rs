//! Outbox of outcome records, and the error of the queues to which records are sent.
//!
//! An *outcome record* reports the end of a transfer to the audit trail. The transaction that ends
//! a transfer writes the record into the outbox. The function `notify` reads the record from the
//! stream of the table, sends the record to its queue, and removes it from the outbox. The
//! *sweeper*, the background repair that runs every minute, sends records that `notify` missed.

use std::future::Future;

use docferry_domain::ids::TransferId;
use docferry_domain::transfer::OutcomeRecord;
use jiff::Timestamp;

use super::{Cause, StoreError};

/// Age at which the sweeper sends a record of an outbox, because `notify` has not sent it.
pub const OUTBOX_RESEND_DELAY: jiff::SignedDuration = jiff::SignedDuration::from_mins(2);

/// Outcome records that were not sent yet.
pub trait Outbox: Send + Sync {
    /// Returns the record of a transfer that ended in this execution, which is one run of its
    /// workflow. Returns `None` if the record was already sent.
    fn outcome(
        &self,
        id: &TransferId,
        execution_number: u32,
    ) -> impl Future<Output = Result<Option<OutcomeRecord>, StoreError>> + Send;

    /// Removes a record that was sent. The call can be repeated.
    fn mark_sent(
        &self,
        id: &TransferId,
        execution_number: u32,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Returns the transfers and execution numbers of at most `limit` records that are older than
    /// [`OUTBOX_RESEND_DELAY`], oldest first. The index is eventually consistent.
    fn unsent(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<(TransferId, u32)>, StoreError>> + Send;
}

/// The queue did not accept a message, or its response was lost. The caller sends the message again
/// under the same id.
#[derive(Debug, thiserror::Error)]
#[error("the queue did not accept the call")]
pub struct QueueError(#[source] pub Cause);
