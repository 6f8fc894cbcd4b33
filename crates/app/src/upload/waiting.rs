use std::time::Duration;

use docferry_domain::{TransferId, spread};
use jiff::{SignedDuration, Timestamp};

use super::Progress;
use super::engine::Run;
use crate::TaskError;
use crate::initiate::later;
use crate::ports::{
    Clock, Drive, Pause, Sealer, Staging, StoreError, ThrottleBudget, TransferStore,
};

/// Longest wait that is left to the workflow in one piece, in seconds.
const LONGEST_PIECE: i64 = 60;
/// Waits up to this long are slept through; longer ones go to the workflow.
const SHORT_WAIT: Duration = Duration::from_secs(2);
/// What is waited when the drive does not say how long.
const USUAL_WAIT: Duration = Duration::from_secs(10);
/// Over how long those that were paused together come back: a thousand of them are
/// 33 a second then. Never longer than the pause itself.
const LONGEST_SPREAD: Duration = Duration::from_secs(30);
/// The most that one answer pauses all others: a date that is wrong must not stop
/// everybody. Graph's pauses are minutes.
const LONGEST_SHARED: SignedDuration = SignedDuration::from_hours(1);

impl<S, D, G, L, C, B> Run<'_, S, D, G, L, C, B>
where
    S: TransferStore,
    D: Drive,
    G: Staging + 'static,
    L: Sealer,
    C: Clock,
    B: ThrottleBudget,
{
    /// A pause that the drive asked for: short ones are slept through by coming
    /// back at once after them, long ones are the workflow's, and all others' too.
    pub(super) async fn pause(
        &mut self,
        retry_after: Option<Duration>,
    ) -> Result<Progress, TaskError> {
        let wait = retry_after.unwrap_or(USUAL_WAIT).max(Duration::from_secs(1));
        if wait <= SHORT_WAIT && wait < self.time_left() {
            tokio::time::sleep(wait + spread(&self.transfer.transfer_id, wait / 2)).await;
            return Ok(Progress::Continue);
        }
        if retry_after.is_some() {
            self.pause_all(wait).await;
        }
        self.wait_for(wait).await
    }

    /// Comes back after this time, and a little later than others.
    pub(super) async fn wait_for(&mut self, wait: Duration) -> Result<Progress, TaskError> {
        let now = self.ports.clock.now();
        let id = &self.transfer.transfer_id;
        let wait = wait.saturating_add(spread(id, wait.min(LONGEST_SPREAD)));
        let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
        let resume_at = now.checked_add(wait).unwrap_or_else(|_| self.transfer.must_end_by());
        self.ports.store.pause_until(id, self.transfer.epoch, resume_at).await?;
        Ok(wait_until(resume_at, now))
    }

    /// Tells the others. Whoever does not hear it is told by the drive.
    async fn pause_all(&self, wait: Duration) {
        let wait = SignedDuration::try_from(wait).unwrap_or(LONGEST_SHARED).min(LONGEST_SHARED);
        let since = self.ports.clock.now();
        let pause = Pause { since, until: later(since, wait) };
        if let Err(error) = self.ports.budget.pause(pause).await {
            unheard(&self.transfer.transfer_id, &error);
        }
    }

    /// A pause between two tries, shorter for some than for others.
    pub(super) fn spread(&self, pause: Duration) -> Duration {
        pause / 2 + spread(&self.transfer.transfer_id, pause / 2)
    }
}

/// Until when this transfer keeps a pause that another was asked for.
pub(super) fn shared_pause(
    id: &TransferId,
    shared: Result<Option<Pause>, StoreError>,
) -> Option<Timestamp> {
    match shared {
        Ok(pause) => pause.map(|Pause { since, until }| {
            let asked = Duration::try_from(until.duration_since(since)).unwrap_or_default();
            let own = spread(id, asked.min(LONGEST_SPREAD));
            later(until, SignedDuration::try_from(own).unwrap_or_default())
        }),
        Err(error) => {
            unheard(id, &error);
            None
        }
    }
}

fn unheard(id: &TransferId, error: &StoreError) {
    tracing::warn!(transfer.id = id.as_str(), %error, "pauses are not shared now");
}

pub(super) fn wait_until(resume_at: Timestamp, now: Timestamp) -> Progress {
    let left = resume_at.duration_since(now);
    // Rounded up: coming back a moment too early costs another invocation.
    let seconds = left.as_secs() + i64::from(left.subsec_nanos() > 0);
    Progress::Wait { seconds: u32::try_from(seconds.clamp(1, LONGEST_PIECE)).unwrap_or(1) }
}
