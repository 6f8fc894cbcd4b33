//! Gives free slots to those who wait, in the order of the queue.

use std::time::Duration;

use docferry_domain::{Admission, Limits, Phase, Pool, TransferId, Turn, Waiting};
use jiff::SignedDuration;

use crate::TaskError;
use crate::initiate::later;
use crate::ports::{Clock, MOST_GRANTS, SlotStore, Start, TransferStore, Workflow};

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
        let mut admitted = 0;
        let mut lost = 0;
        while lost < ROUNDS {
            let slots = self.store.slots(pool).await?;
            let chosen = self.choose(pool, Admission::new(self.limits.of(pool), &slots)).await?;
            if chosen.is_empty() {
                break;
            }
            let due = later(self.clock.now(), LOOK);
            if !self.store.grant(pool, slots.version, &chosen, due).await? {
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

    /// The same, where nothing depends on it now: `sweep` makes up for it.
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
        let started = async {
            let Some(transfer) = self.store.get(id).await? else { return Ok(None) };
            if transfer.phase != Phase::Accepted || transfer.turn != Turn::Holding {
                return Ok(None);
            }
            let start = self.workflow.start(id, transfer.attempt).await?;
            Ok::<_, TaskError>(Some(start))
        };
        match started.await {
            Ok(Some(Start::Running) | None) => {}
            Ok(Some(Start::Closed)) => {
                tracing::warn!(transfer.id = id.as_str(), "its workflow has come and gone");
            }
            Err(error) => tracing::warn!(
                transfer.id = id.as_str(),
                error.code = error.code.as_str(),
                "not started yet"
            ),
        }
    }
}
