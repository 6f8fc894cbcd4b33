//! Ports of the audit trail: the log of events about requests, its outbox, and the queues to which
//! all records are sent.

use std::future::Future;

use docferry_domain::audit::{AuditEvent, AuditRecord, Denial, DenialKey};
use jiff::{SignedDuration, Timestamp};

use super::{QueueError, StoreError};

/// Log of events about requests, for the functions that serve the API. An event is recorded before
/// its response is sent, so no URL and no list leaves docferry without a record.
pub trait AuditLog: Send + Sync {
    /// Records the events of one response: all of them or none. A repeated call has no effect.
    fn record(&self, events: &[AuditEvent]) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Adds a denied request to the record of its person and minute. A call whose response was
    /// lost, and which is repeated, may be counted twice.
    fn count_denial(&self, denial: &Denial) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Key of a record in the outbox of events.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EventKey {
    /// An event, by its id.
    Event(String),
    /// The denials of a person in one minute.
    Denials(DenialKey),
}

/// Time after the end of a minute at which its denials are sent. Requests that began in the minute
/// have ended by then, because the functions of the API have 20 s at most.
pub const DENIALS_DELAY: SignedDuration = SignedDuration::from_secs(30);

/// Events that were not sent yet.
pub trait EventOutbox: Send + Sync {
    /// Returns a record; `None` if it was sent or does not exist. A record of denials is closed
    /// first: later denials of its person are added to the record of the next minute.
    fn unsent_event(
        &self,
        key: &EventKey,
    ) -> impl Future<Output = Result<Option<AuditEvent>, StoreError>> + Send;

    /// Marks a record as sent, so that it is no longer listed. The call can be repeated.
    fn mark_event_sent(
        &self,
        key: &EventKey,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Returns at most `limit` keys of records that should have been sent by now, the oldest first:
    /// events after [`OUTBOX_RESEND_DELAY`](super::OUTBOX_RESEND_DELAY), denials after
    /// [`DENIALS_DELAY`]. The index is eventually consistent.
    fn unsent_events(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<EventKey>, StoreError>> + Send;
}

/// The queues to which records of the audit trail are sent.
pub trait AuditQueue: Send + Sync {
    /// Sends a record to every queue under its [`AuditRecord::message_id`]. After an error, some
    /// queues may have the record, and the call is repeated for all of them.
    fn send(&self, record: &AuditRecord) -> impl Future<Output = Result<(), QueueError>> + Send;
}
