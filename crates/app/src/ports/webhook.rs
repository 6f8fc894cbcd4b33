use std::future::Future;
use std::time::Duration;

use docferry_domain::{Notice, TransferId};
use jiff::Timestamp;

use super::{QueueError, StoreError};

/// The notices that are in no queue yet. One gets in by the transaction that ends its
/// job, beside the outcome and independent of it.
pub trait Notices: Send + Sync {
    /// The notice of one end of a job; `None` when it is in the queue already.
    fn notice(
        &self,
        job: &TransferId,
        attempt: u32,
    ) -> impl Future<Output = Result<Option<Notice>, StoreError>> + Send;

    /// It is in the queue. Repeating it is fine.
    fn notice_queued(
        &self,
        job: &TransferId,
        attempt: u32,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Those that rest for longer than [`OUTBOX_REST`](super::OUTBOX_REST), longest first,
    /// at most `limit`. The index may lag.
    fn resting_notices(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<(TransferId, u32)>, StoreError>> + Send;
}

/// What the function `webhook` works off.
pub trait WebhookQueue: Send + Sync {
    /// Puts a notice into it.
    fn queue_notice(&self, notice: &Notice) -> impl Future<Output = Result<(), QueueError>> + Send;
}

/// When the queue gives a message again that was not dealt with.
pub trait Redelivery: Send + Sync {
    /// Not before so long from now, whole seconds, 12 hours at most. `receipt` is the
    /// queue's word for this delivery of the message.
    fn hold_back(
        &self,
        receipt: &str,
        delay: Duration,
    ) -> impl Future<Output = Result<(), QueueError>> + Send;
}

/// Why a receiver was not told. None of the texts says who it is, or what it answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiverError {
    /// It wants to be told nothing any more (410): stop for good.
    #[error("the receiver is gone for good")]
    Gone,
    /// It was not called: the address is none that may be called, or the name leads to
    /// none. Later it may lead elsewhere.
    #[error("the address may not be called")]
    Forbidden,
    /// It answered otherwise than with success: tell it again later, and not before
    /// `retry_after` if it says so.
    #[error("the receiver answered {status}")]
    Refused {
        /// What it answered.
        status: u16,
        /// How long it wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// No answer came, or none in time. It may have been told all the same.
    #[error("the receiver did not answer: {0}")]
    Unreachable(&'static str),
    /// There is nothing to sign with.
    #[error("the signing secret cannot be had: {0}")]
    NoSecret(String),
}

/// Whom a caller wants to be told of the end of a job: somebody else's server.
pub trait Receiver: Send + Sync {
    /// Tells it, signed, at the time `now`. Done once it has answered with success.
    fn deliver(
        &self,
        notice: &Notice,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), ReceiverError>> + Send;
}
