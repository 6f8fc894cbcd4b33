//! Gives free slots to those who wait, in the order of the queue.

use std::time::Duration;

use docferry_domain::{
    Admission, Limits, NamedRequest, Phase, Pool, PoolLimits, Transfer, TransferId, Turn, Waiting,
};
use jiff::SignedDuration;

use crate::TaskError;
use crate::initiate::later;
use crate::ports::{Clock, Entered, Entry, MOST_GRANTS, SlotStore, Start, TransferStore, Workflow};

/// Rounds after which whoever keeps changing the slots is left to go on; `sweep`
/// admits every minute.
const ROUNDS: u32 = 8;

/// How much of the queue is read at once.
const PAGE: usize = 100;

/// When `sweep` looks at a transfer that was given a slot: nobody may have come to
/// start its workflow.
const LOOK: SignedDuration = SignedDuration::from_secs(60);

/// Admits transfers; run by whoever joins the queue and whoever gives a slot back.
#[derive(Debug)]
pub struct Admitter<'a, S, W, C> {
    /// Slots and queue, and the records.
    pub store: &'a S,
    /// Runs what is admitted.
    pub workflow: &'a W,
    /// The time.
    pub clock: &'a C,
    /// How many may hold a slot.
    pub limits: Limits,
}

impl<S, W, C> Admitter<'_, S, W, C>
where
    S: TransferStore + SlotStore,
    W: Workflow,
    C: Clock,
{
    /// Records a new transfer and lets it go when it is its turn: at once, with the
    /// slot in the same transaction, while nobody waits for one.
    ///
    /// # Errors
    /// Those of the store: nothing is promised. A record whose answer was lost may be
    /// carried out all the same.
    pub(crate) async fn enter(
        &self,
        transfer: &Transfer,
        request: Option<&NamedRequest>,
    ) -> Result<Entered, TaskError> {
        let pool = transfer.pool;
        let slots = self.store.slots(pool).await?;
        let admits = Admission::new(self.limits.of(pool), &slots).admits(&transfer.waiting());
        if admits && self.store.queue(pool, None, 1).await?.is_empty() {
            let holding = Transfer {
                turn: Turn::Holding,
                admitted_at: Some(self.clock.now()),
                ..transfer.clone()
            };
            let entry = Entry { request, slot: Some(slots.version) };
            match self.store.enter(&holding, entry).await? {
                Entered::SlotsChanged => {}
                Entered::Done => {
                    self.run(&holding).await;
                    return Ok(Entered::Done);
                }
                before => return Ok(before),
            }
        }
        let entered = self.store.enter(transfer, Entry { request, slot: None }).await?;
        if entered == Entered::Done {
            self.admit_or_leave(pool).await;
        }
        Ok(entered)
    }

    /// Fills the free slots of a pool and starts the workflows of those that have
    /// not begun. Returns how many were admitted.
    ///
    /// May be run by any number at once: each grant is conditional on the slots as
    /// they were read.
    ///
    /// # Errors
    /// Those of the store. What was granted by then stays granted; `sweep` starts
    /// what nobody started.
    pub async fn admit(&self, pool: Pool) -> Result<usize, TaskError> {
        if self.limits.of(pool).active == 0 {
            return Ok(0);
        }
        let mut admitted = 0;
        let mut lost = 0;
        while lost < ROUNDS {
            let slots = self.store.slots(pool).await?;
            let chosen = self.choose(pool, Admission::new(self.limits.of(pool), &slots)).await?;
            if chosen.is_empty() {
                break;
            }
            let now = self.clock.now();
            let due = later(now, LOOK);
            if !self.store.grant(pool, slots.version, &chosen, now, due).await? {
                // Somebody else was quicker. Not in step with it the next time.
                lost += 1;
                tokio::time::sleep(Duration::from_millis(fastrand::u64(1..10 << lost))).await;
                continue;
            }
            admitted += chosen.len();
            for waiting in &chosen {
                self.start(&waiting.transfer_id).await;
            }
            if chosen.len() < MOST_GRANTS {
                break;
            }
        }
        Ok(admitted)
    }

    /// The same without slots to grant: a later round fills what is freed meanwhile.
    pub(crate) fn deferred(&self) -> Self {
        let Self { store, workflow, clock, .. } = *self;
        Self { store, workflow, clock, limits: PoolLimits::new(0, 0).into() }
    }

    /// [`Admitter::admit`], where nothing depends on it now: `sweep` makes up for it.
    pub async fn admit_or_leave(&self, pool: Pool) {
        if let Err(error) = self.admit(pool).await {
            tracing::warn!(pool = pool.as_str(), error.code = error.code.as_str(), "not admitted");
        }
    }

    /// Those who get a slot now, at most as many as one transaction takes.
    async fn choose(
        &self,
        pool: Pool,
        mut admission: Admission,
    ) -> Result<Vec<Waiting>, TaskError> {
        let mut chosen = Vec::new();
        let mut last: Option<Waiting> = None;
        while !admission.is_full() && chosen.len() < MOST_GRANTS {
            let page = self.store.queue(pool, last.as_ref(), PAGE).await?;
            let is_last = page.len() < PAGE;
            last = page.last().cloned();
            for waiting in page {
                if chosen.len() < MOST_GRANTS && admission.admits(&waiting) {
                    chosen.push(waiting);
                }
            }
            if is_last {
                break;
            }
        }
        Ok(chosen)
    }

    /// Starts the workflow of a transfer that has not begun. One that has runs, and
    /// finds its slot when it comes to it.
    async fn start(&self, id: &TransferId) {
        match self.store.get(id).await {
            Ok(Some(transfer))
                if transfer.phase == Phase::Accepted && transfer.turn == Turn::Holding =>
            {
                self.run(&transfer).await;
            }
            Ok(_) => {}
            Err(error) => not_started(id, &error.into()),
        }
    }

    /// Starts the workflow of a transfer; `sweep` does when it cannot be done now.
    async fn run(&self, transfer: &Transfer) {
        let id = &transfer.transfer_id;
        match self.workflow.start(id, transfer.attempt).await {
            Ok(Start::Running) => {}
            Ok(Start::Closed) => {
                tracing::warn!(transfer.id = id.as_str(), "its workflow has come and gone");
            }
            Err(error) => not_started(id, &error.into()),
        }
    }
}

fn not_started(id: &TransferId, error: &TaskError) {
    let code = error.code.as_str();
    tracing::warn!(transfer.id = id.as_str(), error.code = code, "not started yet");
}
