use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::Progress;
use super::engine::Run;
use crate::TaskError;
use crate::ports::{Clock, Drive, Sealer, Staging, TransferStore};

/// Longest wait that is left to the workflow in one piece, in seconds.
const LONGEST_PIECE: i64 = 60;
/// Waits up to this long are slept through; longer ones go to the workflow.
const SHORT_WAIT: Duration = Duration::from_secs(2);
/// What is waited when the drive does not say how long.
const USUAL_WAIT: Duration = Duration::from_secs(10);

impl<S, D, G, L, C> Run<'_, S, D, G, L, C>
where
    S: TransferStore,
    D: Drive,
    G: Staging + 'static,
    L: Sealer,
    C: Clock,
{
    /// A pause that the drive asked for: short ones are slept through by coming
    /// back at once after them, long ones are the workflow's.
    pub(super) async fn pause(
        &mut self,
        retry_after: Option<Duration>,
    ) -> Result<Progress, TaskError> {
        let wait = retry_after.unwrap_or(USUAL_WAIT).max(Duration::from_secs(1));
        if wait <= SHORT_WAIT && wait < self.time_left() {
            tokio::time::sleep(wait).await;
            return Ok(Progress::Continue);
        }
        let now = self.ports.clock.now();
        let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
        let resume_at = now.checked_add(wait).unwrap_or(self.transfer.deadline);
        let id = &self.transfer.transfer_id;
        self.ports.store.pause_until(id, self.transfer.epoch, resume_at).await?;
        Ok(wait_until(resume_at, now))
    }

    /// A pause between two tries, the same for all.
    pub(super) fn spread(&self, pause: Duration) -> Duration {
        pause
    }
}

pub(super) fn wait_until(resume_at: Timestamp, now: Timestamp) -> Progress {
    let left = resume_at.duration_since(now);
    // Rounded up: coming back a moment too early costs another invocation.
    let seconds = left.as_secs() + i64::from(left.subsec_nanos() > 0);
    Progress::Wait { seconds: u32::try_from(seconds.clamp(1, LONGEST_PIECE)).unwrap_or(1) }
}
