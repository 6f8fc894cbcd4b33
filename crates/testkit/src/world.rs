//! The [`World`]: an in-memory implementation of all ports over one shared state, with a clock and
//! injected faults.
//!
//! A call to a port is an *effect*. A test injects a [`Fault`] to make one effect fail. The *mover*
//! is the simulated program that writes pushed documents to the exchange bucket.

use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use docferry_app::ports::Cause;
use jiff::{SignedDuration, Timestamp};

use crate::audit::InMemoryAuditLog;
use crate::builders::epoch;
use crate::interleave::yield_to_other_processes;
use crate::registry::InMemoryRegistry;
use crate::store::InMemoryTransferStore;
use crate::throttle::InMemoryThrottleBudget;
use crate::world_state::{Fault, Mode, SourceDocument, State};

/// In-memory implementation of all ports. Clones share one state.
#[derive(Debug, Clone)]
pub struct World {
    state: Arc<Mutex<State>>,
    pub(crate) store: InMemoryTransferStore,
    pub(crate) budget: InMemoryThrottleBudget,
    registry: InMemoryRegistry,
    audit: InMemoryAuditLog,
    /// Notified when an injected crash happens.
    crashed: Arc<tokio::sync::Notify>,
}

impl Default for World {
    fn default() -> Self {
        let state = State { now: epoch(), ..State::default() };
        Self {
            state: Arc::new(Mutex::new(state)),
            store: InMemoryTransferStore::default(),
            budget: InMemoryThrottleBudget::default(),
            registry: InMemoryRegistry::default(),
            audit: InMemoryAuditLog::default(),
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

    /// Returns the store itself. Calls to it are not effects, so no fault applies to them.
    #[must_use]
    pub fn store(&self) -> &InMemoryTransferStore {
        &self.store
    }

    /// Returns the document registry.
    #[must_use]
    pub fn registry(&self) -> &InMemoryRegistry {
        &self.registry
    }

    /// Returns the log of audit events.
    #[must_use]
    pub fn audit(&self) -> &InMemoryAuditLog {
        &self.audit
    }

    /// Returns the exchange keys that a transfer still uses or is deleting.
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

    /// Injects a fault.
    pub fn inject(&self, fault: Fault) {
        self.state().faults.push(fault);
    }

    /// Advances the clock. The mover writes the copies that become due meanwhile.
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

    /// Advances the clock to `until`, unless a running invocation would reach its time limit by
    /// then. In reality, that invocation would continue while another one waits. Returns whether
    /// the clock has reached `until`.
    pub(crate) fn advance_to(&self, until: Timestamp) -> bool {
        let now = {
            let state = self.state();
            let ends_by_then = |killed_at: &Timestamp| *killed_at <= until;
            if state.now < until && state.time_limits.values().any(ends_by_then) {
                return false;
            }
            state.now
        };
        if now < until {
            self.advance(until.duration_since(now));
        }
        true
    }

    /// Registers a running invocation, or a call of one, which is stopped at the given time. It
    /// ends when the returned value is dropped.
    pub(crate) fn begin_invocation(&self, killed_at: Timestamp) -> ActiveInvocation {
        let mut state = self.state();
        state.invocations += 1;
        let number = state.invocations;
        state.time_limits.insert(number, killed_at);
        ActiveInvocation { world: self.clone(), number }
    }

    /// Returns the names of all effects so far, in order.
    #[must_use]
    pub fn effects(&self) -> Vec<&'static str> {
        self.state().effects.clone()
    }

    /// Waits for an injected crash. The runner then drops the task.
    pub(crate) async fn wait_for_crash(&self) {
        self.crashed.notified().await;
    }

    /// Runs one effect and applies the fault that is injected for it, if any. `lost_response` makes
    /// the error that the caller gets when the response is lost.
    pub(crate) async fn effect<T, E>(
        &self,
        name: &'static str,
        lost_response: impl FnOnce(Cause) -> E,
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
        if mode == Some(Mode::Hang) {
            std::future::pending::<()>().await;
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
            Some(Mode::ResponseLost) => Err(lost_response("answer lost".into())),
            _ => outcome,
        }
    }

    async fn crash(&self) {
        self.crashed.notify_one();
        // The task never continues, because the runner drops it.
        std::future::pending::<()>().await;
    }
}

/// A running invocation. It ends when this value is dropped.
pub(crate) struct ActiveInvocation {
    world: World,
    number: u64,
}

impl Drop for ActiveInvocation {
    fn drop(&mut self) {
        self.world.state().time_limits.remove(&self.number);
    }
}
