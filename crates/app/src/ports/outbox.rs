use std::future::Future;

use docferry_domain::{OutcomeRecord, TransferId};
use jiff::Timestamp;

use super::{Cause, StoreError};

/// How long a record rests before `sweep` takes it that its delivery was lost.
pub const OUTBOX_REST: jiff::SignedDuration = jiff::SignedDuration::from_mins(2);

/// The outcomes that nobody was told of yet. A record gets in by the transaction
/// that ends its transfer, and by nothing else.
pub trait Outbox: Send + Sync {
    /// The record of an attempt; `None` when it was told already.
    fn outcome(
        &self,
        id: &TransferId,
        attempt: u32,
    ) -> impl Future<Output = Result<Option<OutcomeRecord>, StoreError>> + Send;

    /// It was told. Repeating it is fine.
    fn told(
        &self,
        id: &TransferId,
        attempt: u32,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Those that rest for longer than [`OUTBOX_REST`], longest first, at most
    /// `limit`. The index may lag.
    fn untold(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<(TransferId, u32)>, StoreError>> + Send;
}

/// The queue did not take what it was asked, or it is not known whether it did: a
/// message is sent again, under the same id.
#[derive(Debug, thiserror::Error)]
#[error("the queue did not take the call")]
pub struct QueueError(#[source] pub Cause);

/// Where outcomes are told: the audit trail's queue.
pub trait AuditQueue: Send + Sync {
    /// Sends the record, under its [`OutcomeRecord::message_id`].
    fn send(&self, record: &OutcomeRecord) -> impl Future<Output = Result<(), QueueError>> + Send;
}
