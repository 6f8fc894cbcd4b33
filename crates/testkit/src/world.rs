use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use docferry_app::ports::{Cause, IndexedDocument};
use docferry_domain::{FileId, Notice, OutcomeRecord};
use jiff::{SignedDuration, Timestamp};

use crate::artifacts::DeliveryBucket;
use crate::drive::DriveState;
use crate::interleave::give_way;
use crate::store::InMemoryTransferStore;
use crate::throttle::InMemoryThrottleBudget;

/// What happens at an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The process dies; the effect does not happen.
    CrashBefore,
    /// The effect happens; the process dies before it learns.
    CrashAfter,
    /// The effect happens; the caller gets an error that may pass.
    AnswerLost,
}

/// A fault at one effect, counted from 0 since the world began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Which effect.
    pub at: usize,
    /// What happens there.
    pub mode: Mode,
}

/// A document that the source knows.
#[derive(Debug, Clone)]
pub struct SourceDocument {
    /// Key in the exchange bucket.
    pub filename: String,
    /// Its bytes.
    pub bytes: Bytes,
    /// What the source claims its size to be, when that is a lie.
    pub claimed_size: Option<u64>,
    /// Whether the mover brings it; otherwise it never arrives.
    pub moves: bool,
}

/// An object in the exchange bucket.
#[derive(Debug, Clone)]
pub struct Object {
    /// Its bytes.
    pub bytes: Bytes,
    /// Its tag, quotes included.
    pub etag: String,
    /// When it was written, by the world's clock.
    pub last_modified: Timestamp,
}

/// A copy on intermediate storage, on its way to the exchange bucket.
#[derive(Debug, Clone)]
pub struct PendingCopy {
    /// Key in the exchange bucket.
    pub filename: String,
    /// Its bytes.
    pub bytes: Bytes,
    /// When the mover brings it.
    pub due: Timestamp,
}

/// How the mover treats the copy of one push.
#[derive(Debug, Clone, Copy)]
pub struct Move {
    /// How long it takes to bring the copy.
    pub delay: SignedDuration,
    /// Whether the push overwrites copies of the same name that are still pending.
    pub overwrites: bool,
}

#[derive(Debug, Default)]
pub struct State {
    pub now: Timestamp,
    pub documents: BTreeMap<String, SourceDocument>,
    pub objects: BTreeMap<String, Object>,
    /// How far the clock that dates objects is behind the one that the store tells.
    pub object_clock_lag: SignedDuration,
    /// Copies that the mover has not brought yet.
    pub pending: Vec<PendingCopy>,
    /// What becomes of the copies of the next pushes, in turn; at once when it is empty.
    pub moves: VecDeque<Move>,
    pub drive: DriveState,
    pub delivery: DeliveryBucket,
    /// Documents by their numbers.
    pub index: BTreeMap<FileId, IndexedDocument>,
    /// Ids of users by their addresses.
    pub users: BTreeMap<String, String>,
    /// Executions that run, by name.
    pub running: BTreeSet<String>,
    /// Executions that have ended, by name.
    pub closed: BTreeSet<String>,
    /// What the audit queue has taken, repeats included.
    pub told: Vec<OutcomeRecord>,
    /// What the queue of webhooks has taken, repeats included.
    pub notices: Vec<Notice>,
    pub effects: Vec<&'static str>,
    pub faults: Vec<Fault>,
    /// Whether everybody gives way to others before and after each effect.
    pub interleaved: bool,
    pub writes: u64,
}

impl State {
    /// Puts an object into the exchange bucket.
    pub(crate) fn put_object(&mut self, key: &str, bytes: Bytes, last_modified: Timestamp) {
        self.writes += 1;
        // The tag follows from the content, as with S3.
        let sum = bytes.iter().fold(7_u64, |sum, b| sum.wrapping_mul(31) + u64::from(*b));
        let etag = format!("\"{:x}-{sum:x}\"", bytes.len());
        let last_modified = last_modified - self.object_clock_lag;
        self.objects.insert(key.into(), Object { etag, bytes, last_modified });
    }

    /// Leaves the copy of a push to the mover.
    pub(crate) fn push_copy(&mut self, filename: &str, bytes: Bytes) {
        let Some(Move { delay, overwrites }) = self.moves.pop_front() else {
            return self.put_object(filename, bytes, self.now);
        };
        let mut due = self.now + delay;
        if overwrites {
            // The mover comes for the file when it would have come for the first of them.
            let same = self.pending.extract_if(.., |copy| copy.filename == filename);
            due = same.map(|copy| copy.due).fold(due, Timestamp::min);
        }
        self.pending.push(PendingCopy { filename: filename.to_owned(), bytes, due });
    }
}

/// Everything outside, shared by all ports; cheap to clone.
#[derive(Debug, Clone)]
pub struct World {
    state: Arc<Mutex<State>>,
    pub(crate) store: InMemoryTransferStore,
    pub(crate) budget: InMemoryThrottleBudget,
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
    /// The shared state, for arranging and for looking.
    ///
    /// # Panics
    /// When a test panicked while it held the state.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The store behind the effects, for arranging and for looking.
    #[must_use]
    pub fn store(&self) -> &InMemoryTransferStore {
        &self.store
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

    /// Lets a fault happen.
    pub fn inject(&self, fault: Fault) {
        self.state().faults.push(fault);
    }

    /// Moves the clock. The mover brings what is due meanwhile.
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

    /// Names of all effects so far, in order.
    #[must_use]
    pub fn effects(&self) -> Vec<&'static str> {
        self.state().effects.clone()
    }

    /// Ends when an injected crash happens. The runner drops the task then.
    pub(crate) async fn until_crash(&self) {
        self.crashed.notified().await;
    }

    /// Runs one effect under the faults that are injected.
    pub(crate) async fn effect<T, E>(
        &self,
        name: &'static str,
        lost: impl FnOnce(Cause) -> E,
        run: impl AsyncFnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let interleaved = self.state().interleaved;
        if interleaved {
            give_way().await;
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
            give_way().await;
        }
        match mode {
            Some(Mode::CrashAfter) => {
                self.crash().await;
                outcome
            }
            Some(Mode::AnswerLost) => Err(lost("answer lost".into())),
            _ => outcome,
        }
    }

    async fn crash(&self) {
        self.crashed.notify_one();
        // Whoever runs the task drops it here.
        std::future::pending::<()>().await;
    }
}
