//! Ports of webhook notifications. A notification reports the end of a job to a *receiver*: the
//! server of a third party at the URL that the caller of the job named.
//!
//! The life of a notification:
//!
//! 1. The transaction that ends the job writes the notification into the *outbox*
//!    ([`NotificationOutbox`]).
//! 2. The function `notify` puts the notification into the queue ([`WebhookQueue`]), and removes it
//!    from the outbox. The *sweeper*, the background repair that runs every minute, does the same
//!    for notifications that `notify` missed.
//! 3. The function `webhook` takes the notification from the queue and sends it to the receiver
//!    ([`WebhookReceiver`]). If that fails, the queue delivers the notification again later
//!    ([`Redelivery`]).

use std::future::Future;
use std::time::Duration;

use docferry_domain::ids::TransferId;
use docferry_domain::job::WebhookNotification;
use jiff::Timestamp;

use super::{QueueError, StoreError};

/// Outbox of webhook notifications that were not put into the queue yet. It is separate from the
/// outbox of the audit trail.
pub trait NotificationOutbox: Send + Sync {
    /// Returns the notification of one end of a job; `None` if it was already queued. A job ends
    /// once in each run, and `end_number` identifies the end
    /// ([`WebhookNotification::end_number`]).
    fn notification(
        &self,
        job: &TransferId,
        end_number: u32,
    ) -> impl Future<Output = Result<Option<WebhookNotification>, StoreError>> + Send;

    /// Removes a notification that was queued. The call can be repeated.
    fn remove_queued_notification(
        &self,
        job: &TransferId,
        end_number: u32,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Returns the jobs and end numbers of at most `limit` notifications that are older than
    /// [`OUTBOX_RESEND_DELAY`](super::OUTBOX_RESEND_DELAY), oldest first. The index is eventually
    /// consistent.
    fn unsent_notifications(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<(TransferId, u32)>, StoreError>> + Send;
}

/// The queue from which the function `webhook` sends notifications.
pub trait WebhookQueue: Send + Sync {
    /// Puts a notification into the queue.
    fn queue_notification(
        &self,
        notification: &WebhookNotification,
    ) -> impl Future<Output = Result<(), QueueError>> + Send;
}

/// Controls when the queue redelivers a message.
pub trait Redelivery: Send + Sync {
    /// Delays the redelivery of a message by whole seconds, at most 12 hours. `receipt` is the
    /// queue's receipt handle for this delivery of the message.
    fn delay_redelivery(
        &self,
        receipt: &str,
        delay: Duration,
    ) -> impl Future<Output = Result<(), QueueError>> + Send;
}

/// Failure to notify a receiver. The error texts contain neither the receiver nor its response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiverError {
    /// The receiver wants no more notifications (410). Do not retry.
    #[error("the receiver is gone for good")]
    Gone,
    /// The receiver was not called, because its IP address is not allowed. Its host name may
    /// resolve to another address later.
    #[error("the address may not be called")]
    Forbidden,
    /// The receiver responded with an error status. Retry later, at the earliest after
    /// `retry_after`.
    #[error("the receiver answered {status}")]
    Refused {
        /// HTTP status of the response.
        status: u16,
        /// Minimum delay that the receiver asked for, if any.
        retry_after: Option<Duration>,
    },
    /// The receiver did not respond in time. It may still have received the notification.
    #[error("the receiver did not answer: {0}")]
    Unreachable(&'static str),
    /// The secret that signs notifications is not available.
    #[error("the signing secret cannot be had: {0}")]
    NoSecret(String),
}

/// Client of webhook receivers.
pub trait WebhookReceiver: Send + Sync {
    /// Sends a notification with a signature of time `now`. Succeeds if the receiver responds with
    /// a success status.
    fn deliver(
        &self,
        notification: &WebhookNotification,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), ReceiverError>> + Send;
}
