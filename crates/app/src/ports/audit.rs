//! Ports of the audit trail: the log of events about requests, its outbox, and the queues to which
//! all records are sent.
//!
//! An *audit event* is a record about a request, such as an issued URL or a list of documents. A
//! *denial* is a refused request for documents: they do not exist, or the person may not see them.
//! The life of an event:
//!
//! 1. A function of the API records the event before it sends its response ([`AuditLog`]). The
//!    denials of one person in one minute are counted in one record.
//! 2. The function `notify` reads the event from the stream of the table, and sends the event to
//!    the queues ([`AuditQueue`]).
//! 3. The *sweeper*, the background repair that runs every minute, sends the denials of past
//!    minutes, and the events that `notify` missed ([`EventOutbox`]).

use std::future::Future;

use docferry_domain::audit::{AuditEvent, AuditRecord, Denial, DenialKey};
use jiff::{SignedDuration, Timestamp};

use super::{QueueError, StoreError};

/// Log of events about requests, for the functions of the API. If an event cannot be recorded, the
/// function sends no response with a URL or a list of documents.
pub trait AuditLog: Send + Sync {
    /// Records the events of one response: all of them or none. A repeated call has no effect.
    fn record(&self, events: &[AuditEvent]) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Counts a denial in the record of its person and minute. A repeated call may count the denial
    /// twice.
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

/// Time after the end of a minute at which the sweeper sends the denials of that minute. All
/// requests of the minute have ended by then, because a function that records denials runs for at most 20 s.
pub const DENIALS_DELAY: SignedDuration = SignedDuration::from_secs(30);

/// Outbox of the events and denials that were not sent yet.
pub trait EventOutbox: Send + Sync {
    /// Returns a record; `None` if it was sent or does not exist.
    ///
    /// The call closes a record of denials. A later denial of the same person and minute is then
    /// counted in the record of the next minute.
    fn unsent_event(
        &self,
        key: &EventKey,
    ) -> impl Future<Output = Result<Option<AuditEvent>, StoreError>> + Send;

    /// Marks a record as sent, so that it is no longer listed. The call can be repeated.
    fn mark_event_sent(
        &self,
        key: &EventKey,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Returns the keys of at most `limit` records that the sweeper has to send, the oldest first.
    /// An event is listed after [`OUTBOX_RESEND_DELAY`](super::OUTBOX_RESEND_DELAY), a record of
    /// denials after [`DENIALS_DELAY`]. The index is eventually consistent.
    fn unsent_events(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<EventKey>, StoreError>> + Send;
}

/// The queues to which records of the audit trail are sent.
pub trait AuditQueue: Send + Sync {
    /// Sends a record to every queue under its [`AuditRecord::message_id`]. After an error, some
    /// queues may have the record already. The caller then repeats the call, which sends the record
    /// to all queues.
    fn send(&self, record: &AuditRecord) -> impl Future<Output = Result<(), QueueError>> + Send;
}
