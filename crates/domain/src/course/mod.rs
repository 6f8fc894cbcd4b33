//! The decisions of an upload: from what is known and what the drive answered to
//! what is done next.
//!
//! Nothing here waits, reads or writes. `upload` carries the [`Action`]s out and
//! tells each [`Answer`]; the model tests do the same with a drive of their own
//! that loses answers, forgets sessions and dies at any moment.

mod answered;
mod conflict;
mod setbacks;
mod types;

use std::time::Duration;

use crate::refusal::Operation;
use crate::{
    Checkpoint, ConflictPolicy, FailureCode, FragmentPlan, FragmentRange, GRANULE_BYTES, HashState,
    SMALL_FILE_BYTES, Tally,
};

pub use types::{Action, Answer, CourseRules, End, Gap, Names, Seen};

/// Sessions opened in one run before the upload fails. Those that replace another because
/// the source was written again do not count: [`MAX_RENEWALS`] bounds them.
pub const MAX_SESSIONS: u32 = 5;
/// Times in one run that the source may be written again while it is read.
pub const MAX_RENEWALS: u32 = 25;
/// Failures before giving up, since the acknowledged offset last exceeded its previous
/// maximum.
pub const MAX_FAILURES: u32 = 6;
/// How often a hash that the service has not computed yet is asked for, over
/// [`LONGEST_HASH_PAUSE`] and shorter pauses: about 45 s in all.
const MAX_LOOKS: u32 = 8;
const FIRST_HASH_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_HASH_PAUSE: Duration = Duration::from_secs(15);
/// Doubled with each failure, and with each renewal of the source: 0.2 s to 6.4 s.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Why the destination is looked at; decides what follows when nothing is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doubt {
    /// The session is gone.
    SessionGone,
    /// The session answers, and names no byte that is missing.
    SessionVague,
    /// An earlier PUT of the whole document may have been done.
    Put,
    /// This operation was refused because of a conflict.
    Conflict(Operation),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Ask,
    Look(Doubt),
    Load,
    Put,
    Open,
    /// `renew`: because the source has changed.
    Close {
        renew: bool,
    },
    Send,
    /// `ours`: in answer to our own bytes; `whole`: to the last of them.
    Verify {
        ours: bool,
        whole: bool,
        doubt: Doubt,
    },
    Renew,
    End(End),
}

/// Where an upload stands, and what comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Course {
    total: u64,
    rules: CourseRules,
    step: Step,
    /// Bytes that the drive has acknowledged in the present session.
    offset: u64,
    /// The end of the range that the session wants, if it named one.
    gap_end: Option<u64>,
    hashed_to: u64,
    plan: FragmentPlan,
    sessions: u32,
    fresh_session: bool,
    tally: Tally,
    /// Whether a session is stored that is not known to be gone.
    session: bool,
    /// Since the acknowledged offset last exceeded its previous maximum.
    failures: u32,
    /// Server errors on the last fragment of the present session.
    last_failures: u32,
    /// Answers of the present session that name no missing byte, while the document is not
    /// at the destination.
    vague: u32,
    /// What the present failures were: the code if they do not end.
    cause: FailureCode,
    /// What we sent may be at the destination, or on its way there.
    in_doubt: bool,
    number: u32,
    /// Looks at an item whose hash is not there yet.
    looks: u32,
    /// Bytes acknowledged in this invocation.
    sent: u64,
}

impl Course {
    /// The course of an invocation that finds this record. `session` says whether
    /// an upload URL is stored.
    #[must_use]
    pub fn begin(
        total: u64,
        rules: CourseRules,
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
            // Written only after the drive had answered our last bytes with the item.
            Step::Verify { ours: true, whole: true, doubt: Doubt::SessionGone }
        } else if session {
            Step::Ask
        } else if total > SMALL_FILE_BYTES {
            Step::Open
        } else if sessions > 0 {
            Step::Look(Doubt::Put)
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
            tally: Tally { furthest: tally.furthest.max(offset), ..tally },
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

    /// What is done next. `fits` is how many bytes can still be sent in the time
    /// of this invocation, if that is known; 0 when its time is over.
    #[must_use]
    pub fn action(&self, fits: Option<u64>) -> Action {
        match self.step {
            Step::End(end) => Action::End(end),
            // A delivery that is there is not left for the next invocation to find.
            Step::Verify { ours, whole, .. } if self.looks == 0 && self.hashed_to == self.total => {
                Action::Verify { by_us: ours && whole }
            }
            _ if fits == Some(0) => Action::End(End::HandOver),
            Step::Ask => Action::Ask,
            Step::Look(_) if self.total > SMALL_FILE_BYTES && self.is_numbering() => {
                Action::Look(Names::All)
            }
            Step::Look(_) => Action::Look(Names::One(self.number)),
            Step::Load => Action::Load,
            Step::Put => Action::Put { number: self.number },
            Step::Open => Action::Open,
            Step::Close { .. } => Action::Close,
            Step::Renew => Action::Renew,
            Step::Verify { .. } if self.hashed_to < self.total => {
                Action::Hash { until: self.total }
            }
            Step::Verify { ours, whole, .. } => Action::Verify { by_us: ours && whole },
            Step::Send if self.hashed_to < self.offset => Action::Hash { until: self.offset },
            Step::Send => self.fragment(fits).map_or(Action::End(End::HandOver), Action::Send),
        }
    }

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

    /// Whether a name that is taken is numbered.
    fn is_numbering(&self) -> bool {
        self.rules.policy == ConflictPolicy::Rename
    }

    /// Whether the destination is looked at because of a conflict. Then a file where the
    /// path needs a folder explains it.
    #[must_use]
    pub const fn is_about_a_conflict(&self) -> bool {
        matches!(self.step, Step::Look(Doubt::Conflict(_)))
    }

    /// What to keep; `hash` is the source's, up to where it is hashed.
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

    /// How long to wait before the next action: longer with each failure in a row,
    /// and with each look at an item that has no hash yet.
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

    const fn is_renewing(&self) -> bool {
        matches!(self.step, Step::Close { renew: true } | Step::Renew)
    }

    /// Bytes that the drive has acknowledged in the present session.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// How far the source is hashed.
    #[must_use]
    pub const fn hashed_to(&self) -> u64 {
        self.hashed_to
    }
}
