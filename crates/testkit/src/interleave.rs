use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

/// Ends the invocation that runs under it, as a SIGKILL would.
#[derive(Debug, Clone, Default)]
pub struct Kill(Arc<AtomicBool>);

impl Kill {
    /// Whatever runs under it ends before its next effect.
    pub fn now(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Ends when it was killed; the next one is not.
    pub(crate) async fn wait(&self) {
        poll_fn(|_| {
            if self.0.swap(false, Ordering::Relaxed) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

type Process<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// Processes that run at once, one effect at a time, in the order that a test
/// chooses.
///
/// Wants a tokio runtime whose time is paused, and a [`World`](crate::World) whose
/// effects are interleaved.
#[derive(Default)]
pub struct Processes<'a> {
    running: Vec<(Kill, Process<'a>)>,
}

impl std::fmt::Debug for Processes<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} processes", self.running.len())
    }
}

impl<'a> Processes<'a> {
    /// Adds a process, which does nothing before it is chosen.
    pub fn add(&mut self, kill: Kill, process: impl Future<Output = ()> + 'a) {
        self.running.push((kill, Box::pin(process)));
    }

    /// How many have not ended.
    #[must_use]
    pub fn len(&self) -> usize {
        self.running.len()
    }

    /// Whether all have ended.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// Kills what the chosen one is doing. `choice` is taken modulo their number.
    pub fn kill(&self, choice: usize) {
        if !self.running.is_empty() {
            self.running[choice % self.running.len()].0.now();
        }
    }

    /// Lets the chosen one go on to its next effect, and a little time pass.
    pub async fn step(&mut self, choice: usize) {
        if !self.running.is_empty() {
            let index = choice % self.running.len();
            let waker = futures::task::noop_waker();
            let mut context = Context::from_waker(&waker);
            if self.running[index].1.as_mut().poll(&mut context).is_ready() {
                drop(self.running.swap_remove(index));
            }
        }
        // Readers that run ahead, and pauses in seconds.
        tokio::time::advance(Duration::from_millis(20)).await;
        tokio::task::yield_now().await;
    }

    /// Lets all of them run, in turn, until they have ended.
    ///
    /// # Panics
    /// When that takes more than a million effects.
    pub async fn run(&mut self) {
        for turn in 0..1_000_000 {
            if self.is_empty() {
                return;
            }
            self.step(turn).await;
        }
        panic!("{self:?} never end");
    }
}

/// Gives way once.
pub(crate) async fn give_way() {
    let mut gave = false;
    poll_fn(|context| {
        if std::mem::replace(&mut gave, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
