//! Time at which an upload resumes after a throttling pause of its own or of the whole tenant.

use std::time::Duration;

use docferry_domain::ids::TransferId;
use docferry_domain::jitter::jitter;
use jiff::{SignedDuration, Timestamp};

use super::types::Progress;
use crate::ports::{Pause, StoreError};
use crate::time::saturating_add;

/// Maximum wait that one result of the step asks of the workflow, in seconds. The workflow repeats
/// the step after each wait.
const MAX_WAIT_SECONDS: i64 = 60;
/// Maximum jitter. Spreads 1000 transfers that were paused together to about 33 a second. The
/// jitter is never longer than the pause itself.
pub(super) const MAX_JITTER: Duration = Duration::from_secs(30);

/// Returns the time until which this transfer has to wait because of a shared pause, including
/// the transfer's own jitter. A pause that cannot be read is only logged.
pub(super) fn shared_pause(
    id: &TransferId,
    shared: Result<Option<Pause>, StoreError>,
) -> Option<Timestamp> {
    match shared {
        Ok(pause) => pause.map(|Pause { since, until }| {
            let length = Duration::try_from(until.duration_since(since)).unwrap_or_default();
            let jitter = jitter(id, length.min(MAX_JITTER));
            saturating_add(until, SignedDuration::try_from(jitter).unwrap_or_default())
        }),
        Err(error) => {
            log_pause_not_shared(id, &error);
            None
        }
    }
}

pub(super) fn log_pause_not_shared(id: &TransferId, error: &StoreError) {
    tracing::warn!(transfer.id = id.as_str(), %error, "throttling pause not shared");
}

/// Returns the wait until `resume_at`, at most [`MAX_WAIT_SECONDS`].
pub(super) fn wait_until(resume_at: Timestamp, now: Timestamp) -> Progress {
    let left = resume_at.duration_since(now);
    // Rounded up: resuming a moment too early would cost another invocation.
    let seconds = left.as_secs() + i64::from(left.subsec_nanos() > 0);
    Progress::Wait { seconds: u32::try_from(seconds.clamp(1, MAX_WAIT_SECONDS)).unwrap_or(1) }
}
