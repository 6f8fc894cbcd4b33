//! Concurrent processes of a test. The test chooses which process runs next, so every run is
//! repeatable.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

/// Kill switch of an invocation. It ends the invocation without cleanup, as SIGKILL does.
#[derive(Debug, Clone, Default)]
pub struct Kill(Arc<AtomicBool>);

impl Kill {
    /// Kills the running invocation before its next effect.
    pub fn now(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Waits until [`now`](Self::now) is called, then resets itself for the next invocation.
    pub(crate) async fn wait(&self) {
        poll_fn(|_| {
            if self.0.swap(false, Ordering::Relaxed) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

/// One process: a task that ends without a value.
type Process<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// A process that has not ended, with its kill switch.
struct RunningProcess<'a> {
    kill: Kill,
    process: Process<'a>,
}

/// Concurrent processes. A test chooses which of them runs its next effect.
///
/// Requires a Tokio runtime with paused time, and a [`World`](crate::World) whose effects are
/// interleaved.
#[derive(Default)]
pub struct Processes<'a> {
    running: Vec<RunningProcess<'a>>,
}

impl std::fmt::Debug for Processes<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} processes", self.running.len())
    }
}

impl<'a> Processes<'a> {
    /// Adds a process. It starts when it is first chosen.
    pub fn add(&mut self, kill: Kill, process: impl Future<Output = ()> + 'a) {
        self.running.push(RunningProcess { kill, process: Box::pin(process) });
    }

    /// Returns the number of processes that have not ended.
    #[must_use]
    pub fn len(&self) -> usize {
        self.running.len()
    }

    /// Returns whether all processes have ended.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// Kills the current invocation of a process. `choice` is taken modulo the number of processes.
    pub fn kill(&self, choice: usize) {
        if !self.running.is_empty() {
            self.running[choice % self.running.len()].kill.now();
        }
    }

    /// Runs a process up to its next effect, then advances the time by 20 ms. `choice` is taken
    /// modulo the number of processes.
    pub async fn step(&mut self, choice: usize) {
        if !self.running.is_empty() {
            let index = choice % self.running.len();
            let waker = futures::task::noop_waker();
            let mut context = Context::from_waker(&waker);
            if self.running[index].process.as_mut().poll(&mut context).is_ready() {
                drop(self.running.swap_remove(index));
            }
        }
        // The advance lets read-ahead tasks run and sleeps end.
        tokio::time::advance(Duration::from_millis(20)).await;
        tokio::task::yield_now().await;
    }

    /// Runs all processes round robin until they have ended.
    ///
    /// # Panics
    /// When that takes more than a million effects.
    pub async fn run(&mut self) {
        for step in 0..1_000_000 {
            if self.is_empty() {
                return;
            }
            self.step(step).await;
        }
        panic!("{self:?} have not ended after a million effects");
    }
}

/// Yields once, so that a test can run a different process first.
pub(crate) async fn yield_to_other_processes() {
    let mut has_yielded = false;
    poll_fn(|context| {
        if std::mem::replace(&mut has_yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
