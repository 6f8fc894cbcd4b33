//! The [`World`]: shared state of all in-memory ports, its clock and its injected faults.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use docferry_app::ports::{Cause, IndexedDocument};
use docferry_domain::ids::FileId;
use docferry_domain::job::WebhookNotification;
use docferry_domain::transfer::OutcomeRecord;
use jiff::{SignedDuration, Timestamp};

use crate::delivery_bucket::DeliveryBucket;
use crate::drive_state::DriveState;
use crate::interleave::yield_to_other_processes;
use crate::store::InMemoryTransferStore;
use crate::throttle::InMemoryThrottleBudget;

/// How an effect fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The process dies; the effect does not happen.
    CrashBefore,
    /// The effect happens; the process dies before it gets the response.
    CrashAfter,
    /// The effect happens; the response is lost and the caller gets a transient error.
    ResponseLost,
}

/// A fault at one effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Number of the effect, counted from 0 since the world was created.
    pub at: usize,
    /// How it fails.
    pub mode: Mode,
}

/// A document that the document source can push.
#[derive(Debug, Clone)]
pub struct SourceDocument {
    /// Key in the exchange bucket.
    pub filename: String,
    /// Content of the document.
    pub bytes: Bytes,
    /// Wrong size in bytes that the source reports; `None` if it reports the true size.
    pub claimed_size: Option<u64>,
    /// Whether the mover copies it to the exchange bucket; otherwise it never arrives.
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
    /// How far the clock that dates objects is behind the clock of the `Date` header.
    pub object_clock_lag: SignedDuration,
    /// Copies that the mover has not written to the exchange bucket yet.
    pub pending: Vec<PendingCopy>,
    /// How the mover treats the copies of the next pushes, in order. When it is empty, the object
    /// is in the exchange bucket as soon as the push returns.
    pub moves: VecDeque<Move>,
    /// Drives and upload sessions.
    pub drive: DriveState,
    /// The delivery bucket.
    pub delivery: DeliveryBucket,
    /// Documents by file id.
    pub index: BTreeMap<FileId, IndexedDocument>,
    /// Ids of users by email address.
    pub users: BTreeMap<String, String>,
    /// Names of the running executions.
    pub running: BTreeSet<String>,
    /// Names of the executions that have ended.
    pub closed: BTreeSet<String>,
    /// Messages sent to the audit queue, duplicates included.
    pub sent_outcomes: Vec<OutcomeRecord>,
    /// Messages sent to the webhook queue, duplicates included.
    pub notifications: Vec<WebhookNotification>,
    /// Names of all effects so far, in order.
    pub effects: Vec<&'static str>,
    /// Injected faults.
    pub faults: Vec<Fault>,
    /// Whether each effect yields to the other processes before and after it.
    pub interleaved: bool,
    /// Number of invocations so far.
    invocations: u64,
    /// Time limits of the running invocations, by their numbers.
    time_limits: BTreeMap<u64, Timestamp>,
    /// Number of writes to the exchange bucket.
    pub writes: u64,
}

impl State {
    /// Puts an object into the exchange bucket.
    pub(crate) fn put_object(&mut self, key: &str, bytes: Bytes, last_modified: Timestamp) {
        self.writes += 1;
        // The tag depends only on the content, as in S3.
        let sum = bytes.iter().fold(7_u64, |sum, b| sum.wrapping_mul(31) + u64::from(*b));
        let etag = format!("\"{:x}-{sum:x}\"", bytes.len());
        let last_modified = last_modified - self.object_clock_lag;
        self.objects.insert(key.into(), Object { etag, bytes, last_modified });
    }

    /// Hands the copy of a push to the mover.
    pub(crate) fn push_copy(&mut self, filename: &str, bytes: Bytes) {
        let Some(Move { delay, overwrites }) = self.moves.pop_front() else {
            return self.put_object(filename, bytes, self.now);
        };
        let mut due = self.now + delay;
        if overwrites {
            // The mover copies the file at the earliest time planned for one of the pushes.
            let same = self.pending.extract_if(.., |copy| copy.filename == filename);
            due = same.map(|copy| copy.due).fold(due, Timestamp::min);
        }
        self.pending.push(PendingCopy { filename: filename.to_owned(), bytes, due });
    }
}

/// In-memory implementation of all ports. Clones share one state.
#[derive(Debug, Clone)]
pub struct World {
    state: Arc<Mutex<State>>,
    pub(crate) store: InMemoryTransferStore,
    pub(crate) budget: InMemoryThrottleBudget,
    /// Notified when an injected crash happens.
    crashed: Arc<tokio::sync::Notify>,
}

impl Default for World {
    fn default() -> Self {
        let state =
            State { now: Timestamp::from_second(1_700_000_000).unwrap(), ..State::default() };
        Self {
            state: Arc::new(Mutex::new(state)),
            store: InMemoryTransferStore::default(),
            budget: InMemoryThrottleBudget::default(),
            crashed: Arc::default(),
        }
    }
}

impl World {
    /// Locks the shared state, so that a test can change or inspect it.
    ///
    /// # Panics
    /// When another test thread panicked while it held the lock.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The store itself. Calls to it are not effects, so they meet no faults.
    #[must_use]
    pub fn store(&self) -> &InMemoryTransferStore {
        &self.store
    }

    /// Exchange keys that a transfer still uses or is deleting.
    #[must_use]
    pub fn keys_in_use(&self) -> Vec<String> {
        let now = self.state().now;
        self.store.keys_in_use(now)
    }

    /// Adds a document to the source.
    pub fn add_document(&self, guid: &str, filename: &str, bytes: impl Into<Bytes>) {
        let document = SourceDocument {
            filename: filename.into(),
            bytes: bytes.into(),
            claimed_size: None,
            moves: true,
        };
        self.state().documents.insert(guid.into(), document);
    }

    /// Adds a fault.
    pub fn inject(&self, fault: Fault) {
        self.state().faults.push(fault);
    }

    /// Advances the clock. The mover writes the copies that become due.
    pub fn advance(&self, by: SignedDuration) {
        let mut state = self.state();
        state.now = state.now.checked_add(by).unwrap();
        let now = state.now;
        let (mut due, pending): (Vec<_>, Vec<_>) =
            state.pending.drain(..).partition(|copy| copy.due <= now);
        state.pending = pending;
        due.sort_by_key(|copy| copy.due);
        for copy in due {
            state.put_object(&copy.filename, copy.bytes, copy.due);
        }
    }

    /// Advances the clock to `until`, unless an invocation would reach its time limit: a real
    /// invocation does not stand still while others wait. Returns whether `until` is reached.
    pub(crate) fn advance_to(&self, until: Timestamp) -> bool {
        let now = {
            let state = self.state();
            let outlasts = |killed_at: &Timestamp| *killed_at <= until;
            if state.now < until && state.time_limits.values().any(outlasts) {
                return false;
            }
            state.now
        };
        if now < until {
            self.advance(until.duration_since(now));
        }
        true
    }

    /// Registers a running invocation with the time at which it is killed.
    pub(crate) fn begin_invocation(&self, killed_at: Timestamp) -> ActiveInvocation {
        let mut state = self.state();
        state.invocations += 1;
        let number = state.invocations;
        state.time_limits.insert(number, killed_at);
        ActiveInvocation { world: self.clone(), number }
    }

    /// Names of all effects so far, in order.
    #[must_use]
    pub fn effects(&self) -> Vec<&'static str> {
        self.state().effects.clone()
    }

    /// Waits for an injected crash. The runner then drops the task.
    pub(crate) async fn wait_for_crash(&self) {
        self.crashed.notified().await;
    }

    /// Runs one effect and applies the fault injected for it, if any. `lost` makes the error for a
    /// lost response.
    pub(crate) async fn effect<T, E>(
        &self,
        name: &'static str,
        lost: impl FnOnce(Cause) -> E,
        run: impl AsyncFnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let interleaved = self.state().interleaved;
        if interleaved {
            yield_to_other_processes().await;
        }
        let mode = {
            let mut state = self.state();
            let index = state.effects.len();
            state.effects.push(name);
            state.faults.iter().find(|fault| fault.at == index).map(|fault| fault.mode)
        };
        if mode == Some(Mode::CrashBefore) {
            self.crash().await;
        }
        let outcome = run().await;
        if interleaved {
            yield_to_other_processes().await;
        }
        match mode {
            Some(Mode::CrashAfter) => {
                self.crash().await;
                outcome
            }
            Some(Mode::ResponseLost) => Err(lost("answer lost".into())),
            _ => outcome,
        }
    }

    async fn crash(&self) {
        self.crashed.notify_one();
        // The task never resumes: the runner drops it.
        std::future::pending::<()>().await;
    }
}

/// A running invocation. It ends when this is dropped.
pub(crate) struct ActiveInvocation {
    world: World,
    number: u64,
}

impl Drop for ActiveInvocation {
    fn drop(&mut self) {
        self.world.state().time_limits.remove(&self.number);
    }
}
