//! State machine of an upload to OneDrive. It decides the next command from the stored
//! [`Checkpoint`] and from the results of the earlier commands.
//!
//! A small document is sent in one PUT request. A larger one is sent as *fragments* (ranges
//! of its bytes) to an *upload session*, which the drive opens for one file. An *invocation*
//! is one call of the Lambda function that uploads; a run may need several.
//!
//! The machine performs no I/O and does not wait. The use case `upload` carries out each
//! [`Command`] and reports its result as a [`DriveEvent`]. The model tests do the same with a
//! simulated drive that loses responses and bytes, and with invocations that crash.
//!
//! `docs/ARCHITECTURE.md` has a diagram of the states, which a test compares with this code.

mod conflict;
mod lookup;
mod pause;
mod session;
mod setbacks;
mod step;
mod transitions;
mod types;

use crate::document::HashState;
use crate::failure::FailureCode;
use crate::upload::{Checkpoint, UploadCounters};
use crate::upload::{ConflictPolicy, FragmentPlan, FragmentRange, GRANULE_BYTES, SMALL_FILE_BYTES};

pub use types::{
    CandidateNames, Command, DriveEvent, ExpectedRange, InvocationOutcome, Occupancy, Persist,
    UploadRules,
};

use step::{Candidate, Step, Uncertainty};

/// Maximum number of upload sessions in one run. [`MAX_RENEWALS`] limits the sessions that are
/// opened because the source was written again. They do not count here.
pub const MAX_SESSIONS: u32 = 5;
/// Maximum number of renewals in one run. A *renewal* is a restart of the upload because its source
/// was written again.
pub const MAX_RENEWALS: u32 = 25;
/// Maximum number of failures without progress. Progress is a new maximum of the acknowledged
/// offset.
pub const MAX_FAILURES: u32 = 6;
/// Maximum number of checks for a hash that the service has not computed yet. The pauses
/// between the checks add up to about 45 s.
const MAX_HASH_CHECKS: u32 = 8;

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
    expected_end: Option<u64>,
    /// Number of source bytes that are hashed.
    hashed_to: u64,
    /// Length of the next fragment.
    plan: FragmentPlan,
    /// Number of sessions opened in this run.
    sessions_opened: u32,
    /// Whether the document may be at the destination, as the next invocation and the workflow's
    /// last step have to assume. It becomes `true`, and is stored, before the first byte is sent.
    may_be_delivered: bool,
    /// Whether this upload has sent bytes that may be, or may still become, a file at the
    /// destination. In contrast to `may_be_delivered`, it is still `false` between the checkpoint
    /// before the first PUT and that PUT.
    may_have_written: bool,
    /// Whether a session was already replaced because its last fragment failed repeatedly.
    replaced_for_last_fragment: bool,
    /// Counters that continue over all invocations of the run.
    counters: UploadCounters,
    /// Whether a stored upload URL exists. Its session may still be open.
    has_session: bool,
    /// Number of failures since the last progress, see [`MAX_FAILURES`].
    failures: u32,
    /// Number of server errors on the last fragment of the present session.
    last_fragment_failures: u32,
    /// Number of times that the present session named no missing byte while the document was not at
    /// the destination.
    statuses_without_range: u32,
    /// Code with which the invocation fails if all retries fail.
    pending_failure: FailureCode,
    /// Number in the document's name; 0 stands for the name without a number. Under the policy
    /// `rename`, the machine tries higher numbers as long as the name is taken.
    name_number: u32,
    /// Number of checks of an item that is not visible yet or has no hash yet.
    hash_checks: u32,
    /// Number of bytes acknowledged in this invocation.
    bytes_sent: u64,
}

impl UploadMachine {
    /// Starts an invocation. `checkpoint` is the stored checkpoint, or `None` in the first
    /// invocation of a run. `has_session` says whether an upload URL is stored.
    #[must_use]
    pub fn begin(
        total: u64,
        rules: UploadRules,
        checkpoint: Option<&Checkpoint>,
        has_session: bool,
    ) -> Self {
        let offset = checkpoint.map_or(0, |stored| stored.offset.min(total));
        let may_be_delivered = checkpoint.is_some_and(Checkpoint::may_be_delivered);
        let counters = checkpoint.map(|stored| stored.counters).unwrap_or_default();
        let plan = match checkpoint {
            Some(stored) => {
                FragmentPlan::starting_at(stored.fragment_bytes).at_most(rules.largest_fragment)
            }
            None => FragmentPlan::first(total, rules.largest_fragment),
        };
        let step = if may_be_delivered && total > 0 && offset == total {
            // An offset equal to the size is stored only after the drive has returned the item.
            Step::Verify(Candidate::CompletedByLastByte)
        } else if has_session {
            Step::QuerySession
        } else if total > SMALL_FILE_BYTES {
            Step::OpenSession
        } else if may_be_delivered {
            Step::LookUp(Uncertainty::PutUnanswered)
        } else {
            Step::LoadDocument
        };
        let mut machine = Self {
            total,
            rules,
            step,
            offset,
            expected_end: None,
            hashed_to: checkpoint.map_or(0, |stored| stored.hash.len.min(total)),
            plan,
            sessions_opened: checkpoint.map_or(0, |stored| stored.sessions),
            may_be_delivered,
            may_have_written: may_be_delivered,
            replaced_for_last_fragment: checkpoint
                .is_some_and(|stored| stored.replaced_for_last_fragment),
            counters: UploadCounters { max_offset: counters.max_offset.max(offset), ..counters },
            has_session,
            failures: 0,
            last_fragment_failures: 0,
            statuses_without_range: 0,
            pending_failure: FailureCode::DestinationUnavailable,
            name_number: checkpoint.map_or(0, |stored| stored.number),
            hash_checks: 0,
            bytes_sent: 0,
        };
        machine.enter(step);
        machine
    }

    /// Returns the next command.
    ///
    /// `sendable_bytes` is the number of bytes that can still be sent before the time of this
    /// invocation ends. It is 0 when the time is over, and `None` when it is not known.
    #[must_use]
    pub fn next_command(&self, sendable_bytes: Option<u64>) -> Command {
        if let Step::Ended(outcome) = self.step {
            return Command::End(outcome);
        }
        // The first verification of a complete upload takes place even after the invocation's time
        // is over.
        let is_first_check = matches!(self.step, Step::Verify(_)) && self.hash_checks == 0;
        let can_verify_now = is_first_check && self.hashed_to == self.total;
        if sendable_bytes == Some(0) && !can_verify_now {
            return Command::End(InvocationOutcome::HandOver);
        }
        match self.step {
            Step::Ended(outcome) => Command::End(outcome),
            Step::QuerySession => Command::QuerySession,
            Step::LookUp(_) if self.total > SMALL_FILE_BYTES && self.is_numbering() => {
                Command::LookUp(CandidateNames::All)
            }
            Step::LookUp(_) => Command::LookUp(CandidateNames::One(self.name_number)),
            Step::LoadDocument => Command::LoadDocument,
            Step::PutDocument => Command::PutDocument { number: self.name_number },
            Step::OpenSession => Command::OpenSession,
            Step::CloseSession(_) => Command::CloseSession,
            Step::RenewSource => Command::RenewSource,
            Step::Verify(_) if self.hashed_to < self.total => {
                Command::HashSource { until: self.total }
            }
            Step::Verify(candidate) => {
                let answers_last_byte = candidate == Candidate::CompletedByLastByte;
                Command::Verify { answers_last_byte }
            }
            Step::SendFragment if self.hashed_to < self.offset => {
                Command::HashSource { until: self.offset }
            }
            Step::SendFragment => self
                .next_fragment(sendable_bytes)
                .map_or(Command::End(InvocationOutcome::HandOver), Command::SendFragment),
        }
    }

    /// Returns the next fragment, or `None` when the remaining time is too short for the
    /// smallest fragment.
    fn next_fragment(&self, sendable_bytes: Option<u64>) -> Option<FragmentRange> {
        let plan = match sendable_bytes {
            // Only the last fragment may be shorter than a granule.
            Some(bytes) if bytes < GRANULE_BYTES && bytes < self.total - self.offset => {
                return None;
            }
            Some(bytes) => self.plan.at_most(bytes),
            None => self.plan,
        };
        let range = plan.next(self.offset, self.total)?;
        // The drive has the bytes after the expected range already.
        let end = self.expected_end.filter(|end| *end > range.start).unwrap_or(range.end);
        Some(FragmentRange { end: range.end.min(end), ..range })
    }

    /// Returns whether the document gets a numbered name when a file with its own name exists.
    fn is_numbering(&self) -> bool {
        self.rules.policy == ConflictPolicy::Rename
    }

    /// Returns whether the present command looks up the destination because of a conflict. In
    /// that case the lookup must also check for a file in place of a parent folder.
    #[must_use]
    pub const fn is_conflict_lookup(&self) -> bool {
        matches!(self.step, Step::LookUp(Uncertainty::Conflict(_)))
    }

    /// Returns the checkpoint to store. `hash` is the hash state of the source bytes up to
    /// [`UploadMachine::hashed_to`].
    #[must_use]
    pub const fn checkpoint(&self, hash: HashState) -> Checkpoint {
        Checkpoint {
            offset: self.offset,
            hash,
            fragment_bytes: self.plan.bytes(),
            // 1 also means that a PUT of a small document is about to be sent.
            sessions: if self.may_be_delivered && self.sessions_opened == 0 {
                1
            } else {
                self.sessions_opened
            },
            replaced_for_last_fragment: self.replaced_for_last_fragment,
            counters: self.counters,
            put_lease_until: None,
            numbering: matches!(self.rules.policy, ConflictPolicy::Rename),
            number: self.name_number,
            completed_item_id: None,
            throughput: None,
        }
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
