use jiff::{SignedDuration, Timestamp};

use crate::Phase;

/// How a job of the downloads API stands, for whoever asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum JobState {
    /// It waits for its turn.
    Queued,
    /// Its documents are on their way.
    Running,
    /// All that was asked for can be had.
    Completed,
    /// Ended with an error.
    Failed,
    /// Ended on request.
    Canceled,
    /// It has ended, and what it had delivered is not kept any more.
    Expired,
}

impl JobState {
    /// Every state.
    pub const ALL: [Self; 6] =
        [Self::Queued, Self::Running, Self::Completed, Self::Failed, Self::Canceled, Self::Expired];

    /// From where it stands and the clock alone: what has expired says so, whether
    /// anybody has tidied up after it or not.
    #[must_use]
    pub fn of(phase: Phase, keep_until: Option<Timestamp>, now: Timestamp) -> Self {
        let is_over = keep_until.is_some_and(|until| until <= now);
        match phase {
            Phase::Accepted => Self::Queued,
            Phase::Pushing | Phase::AwaitingArrival | Phase::Uploading => Self::Running,
            Phase::Completed | Phase::Failed | Phase::Canceled if is_over => Self::Expired,
            Phase::Completed => Self::Completed,
            Phase::Failed => Self::Failed,
            Phase::Canceled => Self::Canceled,
        }
    }

    /// Whether only a retry changes it, or nothing.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }

    /// Whether its owner may have it run again.
    #[must_use]
    pub const fn may_run_again(self) -> bool {
        matches!(self, Self::Failed | Self::Canceled | Self::Expired)
    }

    /// The name on the wire.
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

/// When to ask again, in milliseconds: from a second, for what is young or nearly done,
/// to 15 s for what takes long. `None` once nothing changes any more.
#[must_use]
pub fn next_poll_ms(state: JobState, percent: u8, age: SignedDuration) -> Option<u32> {
    const LEAST: i128 = 1_000;
    const MOST: i128 = 15_000;
    if state.is_terminal() {
        return None;
    }
    // A tenth of what has passed: nobody is late by more than that.
    let wait = if percent >= 90 { LEAST } else { age.as_millis() / 10 };
    u32::try_from(wait.clamp(LEAST, MOST)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expired_follows_from_the_clock_and_only_for_what_has_ended() {
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
    fn who_polls_is_sent_away_longer_the_longer_it_takes_but_not_at_the_end() {
        let ask = |percent, seconds| {
            next_poll_ms(JobState::Running, percent, SignedDuration::from_secs(seconds))
        };
        assert_eq!(ask(0, 0), Some(1_000));
        assert_eq!(ask(20, 60), Some(6_000));
        assert_eq!(ask(20, 3600), Some(15_000));
        assert_eq!(ask(95, 3600), Some(1_000));
        assert_eq!(next_poll_ms(JobState::Expired, 95, SignedDuration::ZERO), None);
    }
}
