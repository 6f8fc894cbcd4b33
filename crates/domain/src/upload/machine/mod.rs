//! State machine of an upload: it decides the next command from the recorded state and from
//! the answers of the drive and the source.
//!
//! The machine does not wait, read or write. The use case `upload` carries out each
//! [`Command`] and reports its result as an [`DriveEvent`]. The model tests do the same with a
//! simulated drive that loses answers, forgets sessions and crashes at any moment.

mod conflict;
mod setbacks;
mod transitions;
mod types;

use std::time::Duration;

use crate::document::HashState;
use crate::failure::FailureCode;
use crate::upload::refusal::Operation;
use crate::upload::{Checkpoint, UploadCounters};
use crate::upload::{ConflictPolicy, FragmentPlan, FragmentRange, GRANULE_BYTES, SMALL_FILE_BYTES};

pub use types::{
    CandidateNames, Command, DriveEvent, ExpectedRange, InvocationOutcome, Occupancy, UploadRules,
};

/// Maximum number of upload sessions in one run. Sessions that replace another because the
/// source was written again do not count; [`MAX_RENEWALS`] limits those.
pub const MAX_SESSIONS: u32 = 5;
/// Maximum number of times in one run that the source may be written again during the
/// upload.
pub const MAX_RENEWALS: u32 = 25;
/// Maximum number of failures since the acknowledged offset last exceeded its previous
/// maximum.
pub const MAX_FAILURES: u32 = 6;
/// Maximum number of checks for a hash that the service has not computed yet. The pauses
/// between them, at most [`LONGEST_HASH_PAUSE`], are about 45 s in all.
const MAX_HASH_CHECKS: u32 = 8;
const FIRST_HASH_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_HASH_PAUSE: Duration = Duration::from_secs(15);
/// Base of the backoff, which doubles with each failure and with each renewal of the
/// source: 0.2 s to 6.4 s.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Reason for looking up the destination. It decides the next step when the document is not
/// found there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Uncertainty {
    /// The session is gone.
    SessionGone,
    /// The session answers but names no missing byte.
    SessionVague,
    /// An earlier PUT of the whole document may have succeeded.
    Put,
    /// This operation was refused because of a conflict.
    Conflict(Operation),
}

/// Step that the machine is in: it waits for the result of the [`Command`] of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Ask,
    Look(Uncertainty),
    Load,
    Put,
    Open,
    /// `renew`: the session is closed because the source has changed.
    Close {
        renew: bool,
    },
    Send,
    /// `ours`: the drive answered a request of this upload with the item. `whole`: that
    /// request carried the last byte.
    Verify {
        ours: bool,
        whole: bool,
        doubt: Uncertainty,
    },
    Renew,
    InvocationOutcome(InvocationOutcome),
}

/// State of an upload in one invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadMachine {
    /// Size of the document, in bytes.
    total: u64,
    rules: UploadRules,
    step: Step,
    /// Number of bytes that the drive has acknowledged in the present session.
    offset: u64,
    /// End of the range that the session expects, if it named one.
    gap_end: Option<u64>,
    /// Number of source bytes that are hashed.
    hashed_to: u64,
    /// Size of the next fragment.
    plan: FragmentPlan,
    /// Number of sessions opened in this run; 1 as well once a small document is about to
    /// be put.
    sessions: u32,
    /// Whether the session was already replaced because its last fragment failed
    /// repeatedly.
    fresh_session: bool,
    /// Counters that continue over all invocations of the run.
    tally: UploadCounters,
    /// Whether an upload URL is stored whose session may still be open.
    session: bool,
    /// Number of failures since the acknowledged offset last exceeded its previous maximum.
    failures: u32,
    /// Number of server errors on the last fragment of the present session.
    last_failures: u32,
    /// Number of answers of the present session that named no missing byte while the
    /// document was not at the destination.
    vague: u32,
    /// Failure code that is reported when the present failures do not end.
    cause: FailureCode,
    /// Whether bytes sent by this upload may have become a file at the destination, or
    /// still may.
    in_doubt: bool,
    /// Number in the document's name; 0 is the name itself. It grows under the policy
    /// `rename`.
    number: u32,
    /// Number of checks of an item whose hash is not computed yet.
    looks: u32,
    /// Number of bytes acknowledged in this invocation.
    sent: u64,
}

impl UploadMachine {
    /// Starts an invocation from the recorded state. `session` tells whether an upload URL
    /// is stored.
    #[must_use]
    pub fn begin(
        total: u64,
        rules: UploadRules,
        checkpoint: Option<&Checkpoint>,
        session: bool,
    ) -> Self {
        let offset = checkpoint.map_or(0, |c| c.offset.min(total));
        let sessions = checkpoint.map_or(0, |c| c.sessions);
        let tally = checkpoint.map(|c| c.tally).unwrap_or_default();
        let plan = match checkpoint {
            Some(c) => FragmentPlan::starting_at(c.fragment_bytes).at_most(rules.largest_fragment),
            None => FragmentPlan::first(total, rules.largest_fragment),
        };
        let step = if sessions > 0 && total > 0 && offset == total {
            // This offset is recorded only after the drive answered the last byte with the item.
            Step::Verify { ours: true, whole: true, doubt: Uncertainty::SessionGone }
        } else if session {
            Step::Ask
        } else if total > SMALL_FILE_BYTES {
            Step::Open
        } else if sessions > 0 {
            Step::Look(Uncertainty::Put)
        } else {
            Step::Load
        };
        let mut course = Self {
            total,
            rules,
            step: Step::Ask,
            offset,
            gap_end: None,
            hashed_to: checkpoint.map_or(0, |c| c.hash.len.min(total)),
            plan,
            sessions,
            fresh_session: checkpoint.is_some_and(|c| c.fresh_session),
            tally: UploadCounters { furthest: tally.furthest.max(offset), ..tally },
            session,
            failures: 0,
            last_failures: 0,
            vague: 0,
            cause: FailureCode::DestinationUnavailable,
            in_doubt: sessions > 0,
            number: checkpoint.map_or(0, |c| c.number),
            looks: 0,
            sent: 0,
        };
        course.go(step);
        course
    }

    /// Returns the next command. `fits` is the number of bytes that can still be sent in
    /// the time of this invocation, if that is known; 0 when the time is over.
    #[must_use]
    pub fn action(&self, fits: Option<u64>) -> Command {
        match self.step {
            Step::InvocationOutcome(end) => Command::InvocationOutcome(end),
            // Verify a finished delivery even when the time of the invocation is over.
            Step::Verify { ours, whole, .. } if self.looks == 0 && self.hashed_to == self.total => {
                Command::Verify { by_us: ours && whole }
            }
            _ if fits == Some(0) => Command::InvocationOutcome(InvocationOutcome::HandOver),
            Step::Ask => Command::Ask,
            Step::Look(_) if self.total > SMALL_FILE_BYTES && self.is_numbering() => {
                Command::Look(CandidateNames::All)
            }
            Step::Look(_) => Command::Look(CandidateNames::One(self.number)),
            Step::Load => Command::Load,
            Step::Put => Command::Put { number: self.number },
            Step::Open => Command::Open,
            Step::Close { .. } => Command::Close,
            Step::Renew => Command::Renew,
            Step::Verify { .. } if self.hashed_to < self.total => {
                Command::Hash { until: self.total }
            }
            Step::Verify { ours, whole, .. } => Command::Verify { by_us: ours && whole },
            Step::Send if self.hashed_to < self.offset => Command::Hash { until: self.offset },
            Step::Send => self
                .fragment(fits)
                .map_or(Command::InvocationOutcome(InvocationOutcome::HandOver), Command::Send),
        }
    }

    /// Returns the next fragment; `None` when not even the smallest one fits into the time.
    fn fragment(&self, fits: Option<u64>) -> Option<FragmentRange> {
        let plan = match fits {
            Some(fits) if fits < GRANULE_BYTES && fits < self.total - self.offset => return None,
            Some(fits) => self.plan.at_most(fits),
            None => self.plan,
        };
        let range = plan.next(self.offset, self.total)?;
        // The drive has what follows the gap: bytes beyond it would overlap.
        let end = self.gap_end.filter(|end| *end > range.start).unwrap_or(range.end);
        Some(FragmentRange { end: range.end.min(end), ..range })
    }

    /// Returns whether the document gets a numbered name when its name is taken.
    fn is_numbering(&self) -> bool {
        self.rules.policy == ConflictPolicy::Rename
    }

    /// Returns whether the lookup of the destination follows a conflict. Then a file in
    /// place of a parent folder explains the conflict.
    #[must_use]
    pub const fn is_conflict_lookup(&self) -> bool {
        matches!(self.step, Step::Look(Uncertainty::Conflict(_)))
    }

    /// Returns the checkpoint to store. `hash` is the hash state of the source bytes up to
    /// [`UploadMachine::hashed_to`].
    #[must_use]
    pub const fn checkpoint(&self, hash: HashState) -> Checkpoint {
        Checkpoint {
            offset: self.offset,
            hash,
            fragment_bytes: self.plan.bytes(),
            sessions: self.sessions,
            fresh_session: self.fresh_session,
            tally: self.tally,
            putting_until: None,
            numbering: matches!(self.rules.policy, ConflictPolicy::Rename),
            number: self.number,
            answered: None,
            pace: None,
        }
    }

    /// Returns the pause before the next command. It grows with each failure in a row, and
    /// with each check of an item that has no hash yet.
    #[must_use]
    pub fn pause(&self) -> Duration {
        if self.looks > 0 {
            (FIRST_HASH_PAUSE * (1 << (self.looks - 1).min(10))).min(LONGEST_HASH_PAUSE)
        } else if self.is_renewing() {
            FIRST_PAUSE * (1 << self.tally.renewals.min(MAX_FAILURES))
        } else if self.failures > 0 || self.vague > 0 {
            FIRST_PAUSE * (1 << self.failures.max(self.vague).min(MAX_FAILURES))
        } else {
            Duration::ZERO
        }
    }

    /// Returns whether the upload is restarting because the source was written again.
    const fn is_renewing(&self) -> bool {
        matches!(self.step, Step::Close { renew: true } | Step::Renew)
    }

    /// Returns the number of bytes that the drive has acknowledged in the present session.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// Returns the number of source bytes that are hashed.
    #[must_use]
    pub const fn hashed_to(&self) -> u64 {
        self.hashed_to
    }
}
