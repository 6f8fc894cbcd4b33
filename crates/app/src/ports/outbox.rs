//! Outbox of outcome records, and the error of the queues to which records are sent.

use std::future::Future;

use docferry_domain::ids::TransferId;
use docferry_domain::transfer::OutcomeRecord;
use jiff::Timestamp;

use super::{Cause, StoreError};

/// Time after which the sweeper sends an outbox record itself, on the assumption that its
/// delivery from the table's stream was lost.
pub const OUTBOX_RESEND_DELAY: jiff::SignedDuration = jiff::SignedDuration::from_mins(2);

/// Outcome records that were not sent yet. Only the transaction that ends a transfer adds a
/// record.
pub trait Outbox: Send + Sync {
    /// Returns the record of an execution (`execution_number`); `None` when it was already sent.
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

    /// Returns at most `limit` records that are older than [`OUTBOX_RESEND_DELAY`], oldest first. The
    /// index is eventually consistent.
    fn unsent(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<(TransferId, u32)>, StoreError>> + Send;
}

/// The queue did not accept a message, or its answer was lost. The message is sent again under
/// the same id.
#[derive(Debug, thiserror::Error)]
#[error("the queue did not accept the call")]
pub struct QueueError(#[source] pub Cause);
