//! State of the [`World`](crate::World), which tests change and inspect: the clock, the contents of
//! the simulated systems, and the injected faults.
//!
//! The *mover* is the simulated program that writes pushed documents to the exchange bucket.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use docferry_app::ports::RejectedRecord;
use docferry_domain::audit::AuditEvent;
use docferry_domain::job::WebhookNotification;
use docferry_domain::transfer::OutcomeRecord;
use jiff::{SignedDuration, Timestamp};

use crate::delivery_bucket::DeliveryBucket;
use crate::drive_state::DriveState;

/// How an effect fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The process dies before the effect, so the effect does not happen.
    CrashBefore,
    /// The effect happens, and the process dies before it gets the response.
    CrashAfter,
    /// The effect does not happen, and the call never ends, as over a stalled connection.
    Hang,
    /// The effect happens, but its response is lost and the caller gets a transient error.
    ResponseLost,
}

/// A fault at one effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Number of the effect, counted from 0 since the world was created.
    pub at: usize,
    /// How the effect fails.
    pub mode: Mode,
}

/// A document that the document source can push.
#[derive(Debug, Clone)]
pub struct SourceDocument {
    /// Key in the exchange bucket.
    pub filename: String,
    /// Content of the document.
    pub bytes: Bytes,
    /// Wrong size in bytes that the source reports. With `None`, the source reports the true size.
    pub claimed_size: Option<u64>,
    /// Whether the mover writes the document to the exchange bucket. Without the mover, the
    /// document never arrives.
    pub moves: bool,
}

/// An object in the exchange bucket.
#[derive(Debug, Clone)]
pub struct Object {
    /// Content of the object.
    pub bytes: Bytes,
    /// Entity tag, including its quotes.
    pub etag: String,
    /// Time of the last write, by the world's clock.
    pub last_modified: Timestamp,
}

/// A copy on intermediate storage, on its way to the exchange bucket.
#[derive(Debug, Clone)]
pub struct PendingCopy {
    /// Key in the exchange bucket.
    pub filename: String,
    /// Content of the copy.
    pub bytes: Bytes,
    /// Time at which the mover writes it to the exchange bucket.
    pub due: Timestamp,
}

/// How the mover treats the copy of one push.
#[derive(Debug, Clone, Copy)]
pub struct Move {
    /// Time from the push to the write to the exchange bucket.
    pub delay: SignedDuration,
    /// Whether the push overwrites copies of the same name that are still pending.
    pub overwrites: bool,
}

/// State of a [`World`].
#[derive(Debug, Default)]
pub struct State {
    /// The clock.
    pub now: Timestamp,
    /// Documents of the source, by GUID.
    pub documents: BTreeMap<String, SourceDocument>,
    /// Objects of the exchange bucket, by key.
    pub objects: BTreeMap<String, Object>,
    /// Time by which `last_modified` of new objects is behind the clock of the world.
    pub object_clock_lag: SignedDuration,
    /// Copies that the mover has not written to the exchange bucket yet.
    pub pending: Vec<PendingCopy>,
    /// How the mover treats the copies of the next pushes, in order. When the queue is empty, a
    /// push writes its object to the exchange bucket before it returns.
    pub moves: VecDeque<Move>,
    /// Drives and upload sessions.
    pub drive: DriveState,
    /// The delivery bucket.
    pub delivery: DeliveryBucket,
    /// Ids of users by email address.
    pub users: BTreeMap<String, String>,
    /// Names of the running executions.
    pub running: BTreeSet<String>,
    /// Names of the executions that have ended.
    pub closed: BTreeSet<String>,
    /// Outcomes sent to the audit queues, duplicates included.
    pub sent_outcomes: Vec<OutcomeRecord>,
    /// Events sent to the audit queues, duplicates included.
    pub sent_events: Vec<AuditEvent>,
    /// Messages sent to the webhook queue, duplicates included.
    pub notifications: Vec<WebhookNotification>,
    /// Messages in the dead-letter queue of the registry's feed, duplicates included.
    pub rejected_records: Vec<RejectedRecord>,
    /// Names of all effects so far, in order.
    pub effects: Vec<&'static str>,
    /// Injected faults.
    pub faults: Vec<Fault>,
    /// Whether each effect yields to the other processes before and after it.
    pub interleaved: bool,
    /// Number of invocations so far.
    pub(crate) invocations: u64,
    /// Time limits of the running invocations, by their numbers.
    pub(crate) time_limits: BTreeMap<u64, Timestamp>,
    /// Number of writes to the exchange bucket.
    pub writes: u64,
}

impl State {
    /// Puts an object into the exchange bucket.
    pub(crate) fn put_object(&mut self, key: &str, bytes: Bytes, last_modified: Timestamp) {
        self.writes += 1;
        // The tag depends only on the content, as in S3.
        let checksum =
            bytes.iter().fold(7_u64, |sum, byte| sum.wrapping_mul(31) + u64::from(*byte));
        let etag = format!("\"{:x}-{checksum:x}\"", bytes.len());
        let last_modified = last_modified - self.object_clock_lag;
        self.objects.insert(key.into(), Object { etag, bytes, last_modified });
    }

    /// Gives the copy of a push to the mover.
    pub(crate) fn push_copy(&mut self, filename: &str, bytes: Bytes) {
        let Some(Move { delay, overwrites }) = self.moves.pop_front() else {
            return self.put_object(filename, bytes, self.now);
        };
        let mut due = self.now + delay;
        if overwrites {
            // Each push schedules a move. The earliest move already writes the newest copy.
            let overwritten = self.pending.extract_if(.., |copy| copy.filename == filename);
            due = overwritten.map(|copy| copy.due).fold(due, Timestamp::min);
        }
        self.pending.push(PendingCopy { filename: filename.to_owned(), bytes, due });
    }
}
