//! Waits of an upload. The drive throttles docferry by asking for pauses. This file adds *jitter*
//! (a delay that differs between transfers) to a pause, waits, and shares the pause with all other
//! transfers to the same tenant of Microsoft 365.

use std::time::Duration;

use docferry_domain::jitter::jitter;
use jiff::SignedDuration;

use super::resume::{MAX_JITTER, log_pause_not_shared, wait_until};
use super::run::Run;
use super::types::Progress;
use crate::TaskError;
use crate::ports::{Clock, Pause, ThrottleBudget, UploadAdapters, UploadStore as _};
use crate::time::saturating_add;

/// Longest wait for which the function sleeps. The workflow waits for longer waits, because a
/// sleeping function costs money.
const SHORT_WAIT: Duration = Duration::from_secs(2);
/// Wait when the drive gives no `Retry-After`.
const DEFAULT_WAIT: Duration = Duration::from_secs(10);
/// Maximum pause that one response of the drive imposes on all transfers, so that a wrong date
/// cannot stop them all for long. Microsoft Graph asks for pauses of some minutes.
const MAX_SHARED_PAUSE: SignedDuration = SignedDuration::from_hours(1);

impl<P: UploadAdapters> Run<'_, P> {
    /// Handles a pause that the drive asked for. The function sleeps for a short pause. A long
    /// pause is returned to the workflow and, if the drive named its length, shared with all
    /// transfers.
    pub(super) async fn pause(
        &mut self,
        retry_after: Option<Duration>,
    ) -> Result<Progress, TaskError> {
        let wait = retry_after.unwrap_or(DEFAULT_WAIT).max(Duration::from_secs(1));
        if wait <= SHORT_WAIT && wait < self.time_left() {
            tokio::time::sleep(wait + jitter(&self.transfer.transfer_id, wait / 2)).await;
            return Ok(Progress::Continue);
        }
        if retry_after.is_some() {
            self.share_pause(wait).await;
        }
        self.wait_for(wait).await
    }

    /// Records when to resume, with jitter added, and returns the wait to the workflow.
    pub(super) async fn wait_for(&mut self, wait: Duration) -> Result<Progress, TaskError> {
        let now = self.ports.clock.now();
        let id = &self.transfer.transfer_id;
        let wait = wait.saturating_add(jitter(id, wait.min(MAX_JITTER)));
        let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
        let resume_at = now.checked_add(wait).unwrap_or_else(|_| self.transfer.must_end_by());
        self.ports.store.pause_until(id, self.transfer.epoch, resume_at).await?;
        Ok(wait_until(resume_at, now))
    }

    /// Shares a pause with all transfers. This is best effort: a transfer that misses it is
    /// throttled by the drive itself.
    async fn share_pause(&self, wait: Duration) {
        let wait = SignedDuration::try_from(wait).unwrap_or(MAX_SHARED_PAUSE).min(MAX_SHARED_PAUSE);
        let since = self.ports.clock.now();
        let pause = Pause { since, until: saturating_add(since, wait) };
        if let Err(error) = self.ports.budget.pause(pause).await {
            log_pause_not_shared(&self.transfer.transfer_id, &error);
        }
    }

    /// Returns the pause between two tries with jitter: at least half of `pause`, at most all of
    /// it, depending on the transfer.
    pub(super) fn with_jitter(&self, pause: Duration) -> Duration {
        pause / 2 + jitter(&self.transfer.transfer_id, pause / 2)
    }
}
