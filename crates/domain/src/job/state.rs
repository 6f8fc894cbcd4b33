//! State of a job in the downloads API, and the interval at which clients should poll it.
//!
//! A job is a transfer of one document or a batch of many documents. A *slot* is the right of a
//! transfer to move bytes. The *retention* of a result is the time during which it can be fetched.

use jiff::{SignedDuration, Timestamp};

use crate::phase::Phase;

/// Shortest interval between two polls, in milliseconds.
const MIN_POLL_MS: i128 = 1_000;
/// Longest interval between two polls, in milliseconds.
const MAX_POLL_MS: i128 = 15_000;
/// Progress in percent from which the shortest interval applies.
const NEARLY_DONE_PERCENT: u8 = 90;
/// Ratio of a job's age to the interval. So a client sees the end late by at most a tenth of the
/// job's duration.
const AGE_PER_INTERVAL: i128 = 10;

/// State of a job, as the downloads API shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum JobState {
    /// The job waits for a slot.
    Queued,
    /// At least one document is being transferred.
    Running,
    /// The result is available.
    Completed,
    /// The job ended with an error.
    Failed,
    /// The job ended because its cancellation was requested.
    Canceled,
    /// The job has ended, and the retention of its result is over.
    Expired,
}

impl JobState {
    /// Every state.
    pub const ALL: [Self; 6] =
        [Self::Queued, Self::Running, Self::Completed, Self::Failed, Self::Canceled, Self::Expired];

    /// Derives the state from the stored phase and the present time. An ended job is expired from
    /// `retain_until` on, even if the sweeper (the background clean-up) has not removed it yet.
    #[must_use]
    pub fn of(phase: Phase, retain_until: Option<Timestamp>, now: Timestamp) -> Self {
        let has_expired = retain_until.is_some_and(|until| until <= now);
        match phase {
            Phase::Accepted => Self::Queued,
            Phase::Pushing | Phase::AwaitingArrival | Phase::Uploading => Self::Running,
            Phase::Completed | Phase::Failed | Phase::Canceled if has_expired => Self::Expired,
            Phase::Completed => Self::Completed,
            Phase::Failed => Self::Failed,
            Phase::Canceled => Self::Canceled,
        }
    }

    /// Returns whether the state is final: only a retry can change it.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }

    /// Returns whether the owner may retry the job.
    #[must_use]
    pub const fn can_be_retried(self) -> bool {
        matches!(self, Self::Failed | Self::Canceled | Self::Expired)
    }

    /// Returns the name used in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Expired => "expired",
        }
    }
}

/// Returns the interval until the next poll, in milliseconds. Returns `None` for a final state.
///
/// The interval is 1 s for a job that is young or nearly done. It grows with the age of the
/// job, up to 15 s.
#[must_use]
pub fn next_poll_ms(state: JobState, percent: u8, age: SignedDuration) -> Option<u32> {
    if state.is_terminal() {
        return None;
    }
    let interval_ms = if percent >= NEARLY_DONE_PERCENT {
        MIN_POLL_MS
    } else {
        age.as_millis() / AGE_PER_INTERVAL
    };
    u32::try_from(interval_ms.clamp(MIN_POLL_MS, MAX_POLL_MS)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn job_expires_by_the_clock_and_only_after_its_end() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        for phase in [Phase::Completed, Phase::Failed, Phase::Canceled] {
            assert_eq!(JobState::of(phase, Some(at(10)), at(10)), JobState::Expired);
            assert_ne!(JobState::of(phase, Some(at(10)), at(9)), JobState::Expired);
            assert_ne!(JobState::of(phase, None, at(10)), JobState::Expired);
        }
        assert_eq!(JobState::of(Phase::Uploading, Some(at(10)), at(11)), JobState::Running);
        assert_eq!(JobState::of(Phase::Accepted, None, at(11)), JobState::Queued);
    }

    #[test]
    fn poll_interval_grows_with_age_and_is_short_near_the_end() {
        let poll_ms = |percent, age_seconds| {
            next_poll_ms(JobState::Running, percent, SignedDuration::from_secs(age_seconds))
        };
        assert_eq!(poll_ms(0, 0), Some(1_000));
        assert_eq!(poll_ms(20, 60), Some(6_000));
        assert_eq!(poll_ms(20, 3600), Some(15_000));
        assert_eq!(poll_ms(95, 3600), Some(1_000));
        assert_eq!(next_poll_ms(JobState::Expired, 95, SignedDuration::ZERO), None);
    }
}
