//! Transitions of the upload's state machine: the next step for each result of a command.

use super::{
    Command, DriveEvent, ExpectedRange, InvocationOutcome, MAX_FAILURES, MAX_HASH_CHECKS,
    MAX_SESSIONS, Occupancy, Step, Uncertainty, UploadMachine,
};
use crate::failure::FailureCode;
use crate::upload::refusal::Operation;
use crate::upload::{FragmentRange, SMALL_FILE_BYTES};

/// Number of server errors on the last fragment after which the session is replaced by one
/// with smaller fragments. Some files never complete otherwise.
const MAX_LAST_FAILURES: u32 = 3;
/// Maximum number of lookups of the destination while the session answers but names no
/// missing byte. After that the session counts as unusable.
const MAX_VAGUE_STATUSES: u32 = 3;

impl UploadMachine {
    /// Records the result of the command that [`UploadMachine::action`] returned. Returns whether
    /// the checkpoint must be stored before the next command.
    ///
    /// The write of the checkpoint returns the record, which shows a cancel request. So
    /// each fragment, each PUT and each repetition is preceded by such a write.
    #[must_use]
    pub fn answered(&mut self, action: Command, answer: DriveEvent) -> bool {
        match answer {
            DriveEvent::Throttled(after) => return self.end(InvocationOutcome::Wait(after)),
            DriveEvent::Refused(code) if matches!(action, Command::Put { .. }) => {
                return self.fail_put(code);
            }
            DriveEvent::Refused(code) => return self.fail(code),
            DriveEvent::SourceChanged => return self.source_changed(),
            DriveEvent::OutOfTime => return self.out_of_time(action),
            DriveEvent::SourceUnreadable => self.cause = FailureCode::ExchangeUnavailable,
            DriveEvent::NoEffect(code) => self.cause = code,
            _ => self.cause = FailureCode::DestinationUnavailable,
        }
        match action {
            Command::Ask => self.handle_ask(answer),
            Command::Look(_) => self.handle_look(answer),
            Command::Hash { .. } => self.handle_hash(answer),
            Command::Load => self.handle_load(answer),
            Command::Put { .. } => self.handle_put(answer),
            Command::Open => self.handle_open(answer),
            Command::Close => self.handle_close(answer),
            Command::Send(range) => self.handle_send(range, answer),
            Command::Verify { .. } => self.handle_verify(answer),
            Command::Renew => self.handle_renew(answer),
            Command::InvocationOutcome(_) => false,
        }
    }

    fn handle_ask(&mut self, answer: DriveEvent) -> bool {
        match answer {
            DriveEvent::Expects(Some(gap)) if gap.start < self.total => self.continue_at(gap),
            DriveEvent::Expects(_) => self.go(Step::Look(Uncertainty::SessionVague)),
            DriveEvent::Gone => self.go(Step::Look(Uncertainty::SessionGone)),
            _ => self.again(Step::Ask),
        }
    }

    /// Continues with the bytes that the session expects.
    fn continue_at(&mut self, gap: ExpectedRange) -> bool {
        self.reached(gap.start);
        let has_lost_bytes = gap.start < self.offset;
        let must_store = gap.start != self.offset || self.failures > 0;
        self.offset = gap.start;
        self.gap_end = gap.end;
        self.step = Step::Send;
        if has_lost_bytes {
            return self.handle_lost_bytes();
        }
        if self.last_failures < MAX_LAST_FAILURES {
            return must_store;
        }
        if self.fresh_session {
            return self.fail(FailureCode::DestinationUnavailable);
        }
        self.fresh_session = true;
        self.plan = self.plan.at_most(self.total).halved();
        self.replace_session(FailureCode::DestinationUnavailable);
        true
    }

    fn handle_look(&mut self, answer: DriveEvent) -> bool {
        let Step::Look(doubt) = self.step else { return false };
        match answer {
            // This upload cannot have written the file: it is a conflict, whatever the bytes.
            DriveEvent::Found(Occupancy::SameSize)
                if matches!(doubt, Uncertainty::Conflict(_)) && !self.in_doubt =>
            {
                self.handle_absence(doubt, Occupancy::Other)
            }
            DriveEvent::Found(Occupancy::SameSize) => {
                self.go(Step::Verify { ours: false, whole: false, doubt })
            }
            DriveEvent::Found(seen) => self.handle_absence(doubt, seen),
            DriveEvent::Conflict => self.handle_absence(doubt, Occupancy::Folder),
            _ => self.again(Step::Look(doubt)),
        }
    }

    /// Handles the result that the document is not at the destination.
    fn handle_absence(&mut self, doubt: Uncertainty, seen: Occupancy) -> bool {
        match doubt {
            Uncertainty::SessionGone => self.restart(),
            Uncertainty::SessionVague => {
                self.vague += 1;
                if self.vague > MAX_VAGUE_STATUSES {
                    self.not_completed()
                } else {
                    self.go(Step::Ask)
                }
            }
            Uncertainty::Put => self.go(Step::Load),
            Uncertainty::Conflict(operation) => self.conflict(operation, seen),
        }
    }

    /// Restarts the upload from the first byte; no session is open.
    fn restart(&mut self) -> bool {
        self.session = false;
        self.offset = 0;
        self.last_failures = 0;
        self.go(if self.total > SMALL_FILE_BYTES { Step::Open } else { Step::Load })
    }

    fn handle_hash(&mut self, answer: DriveEvent) -> bool {
        let DriveEvent::Hashed(end) = answer else { return self.again(self.step) };
        self.hashed_to = end;
        true
    }

    fn handle_load(&mut self, answer: DriveEvent) -> bool {
        if answer != DriveEvent::Loaded {
            return self.again(Step::Load);
        }
        self.hashed_to = self.total;
        self.sessions = self.sessions.max(1);
        self.step = Step::Put;
        true
    }

    fn handle_put(&mut self, answer: DriveEvent) -> bool {
        match answer {
            DriveEvent::Complete => {
                self.go(Step::Verify { ours: true, whole: true, doubt: Uncertainty::Put })
            }
            DriveEvent::Conflict => self.go(Step::Look(Uncertainty::Conflict(Operation::SmallPut))),
            DriveEvent::NoEffect(_) => {
                self.again(Step::Put);
                true
            }
            _ => {
                self.in_doubt = true;
                self.again(Step::Look(Uncertainty::Put))
            }
        }
    }

    fn handle_open(&mut self, answer: DriveEvent) -> bool {
        match answer {
            DriveEvent::Opened => {
                self.offset = 0;
                self.gap_end = None;
                self.last_failures = 0;
                self.vague = 0;
                self.sessions += 1;
                self.session = true;
                self.in_doubt = true;
                self.step = Step::Send;
                true
            }
            DriveEvent::Conflict => {
                self.go(Step::Look(Uncertainty::Conflict(Operation::CreateSession)))
            }
            _ => self.again(Step::Open),
        }
    }

    fn handle_close(&mut self, answer: DriveEvent) -> bool {
        let renew = self.step == Step::Close { renew: true };
        match answer {
            DriveEvent::Closed { .. } | DriveEvent::Gone if renew => {
                self.session = false;
                self.go(Step::Renew)
            }
            DriveEvent::Closed { was_open: true } => self.restart(),
            DriveEvent::Closed { .. } | DriveEvent::Gone => {
                self.go(Step::Look(Uncertainty::SessionGone))
            }
            _ => self.again(self.step),
        }
    }

    fn handle_send(&mut self, range: FragmentRange, answer: DriveEvent) -> bool {
        match answer {
            DriveEvent::Accepted { next: Some(gap), took } if gap.start == range.end => {
                self.advance_to(range.end);
                self.gap_end = gap.end;
                self.plan = self.plan.grown(range.len(), took, self.rules.largest_fragment);
                // The drive has every byte but did not return the item.
                self.step = if range.is_last() { Step::Ask } else { Step::Send };
                !range.is_last()
            }
            DriveEvent::Complete => {
                let whole = range.is_last();
                if whole {
                    self.advance_to(range.end);
                }
                self.go(Step::Verify { ours: true, whole, doubt: Uncertainty::SessionGone })
            }
            DriveEvent::Gone => {
                self.tally.replaced_because = None;
                self.go(Step::Look(Uncertainty::SessionGone))
            }
            DriveEvent::Conflict => {
                let is_last = range.is_last();
                let operation = if is_last { Operation::LastFragment } else { Operation::Fragment };
                self.go(Step::Look(Uncertainty::Conflict(operation)))
            }
            DriveEvent::Lost => {
                self.last_failures += u32::from(range.is_last());
                self.again(Step::Ask)
            }
            DriveEvent::TimedOut => {
                self.plan = self.plan.halved();
                self.again(Step::Ask)
            }
            // Another offset than expected, none, a 416, a broken source.
            _ => self.again(Step::Ask),
        }
    }

    /// Advances the offset to the end of an acknowledged fragment.
    fn advance_to(&mut self, to: u64) {
        self.reached(to);
        self.sent += to - self.offset;
        self.offset = to;
        self.hashed_to = self.hashed_to.max(to);
    }

    fn handle_verify(&mut self, answer: DriveEvent) -> bool {
        let Step::Verify { ours, whole, doubt } = self.step else { return false };
        match answer {
            DriveEvent::Verified => self.end(InvocationOutcome::Done),
            DriveEvent::OtherFile if ours => self.fail(FailureCode::VerificationFailed),
            DriveEvent::OtherFile => {
                self.looks = 0;
                self.handle_absence(doubt, Occupancy::Other)
            }
            DriveEvent::Unproven => self.fail(FailureCode::DestinationRewritten),
            DriveEvent::HashPending | DriveEvent::NotSeen => {
                self.looks += 1;
                if self.looks > MAX_HASH_CHECKS {
                    return self.fail(match answer {
                        DriveEvent::HashPending => FailureCode::HashNotComputed,
                        _ => FailureCode::DestinationUnavailable,
                    });
                }
                // Record once that every byte was accepted, for the next invocation.
                let is_first_check = ours && whole && self.looks == 1;
                if is_first_check {
                    self.offset = self.total;
                }
                is_first_check
            }
            _ => self.again(self.step),
        }
    }

    fn handle_renew(&mut self, answer: DriveEvent) -> bool {
        match answer {
            DriveEvent::Renewed if self.in_doubt => self.go(Step::Look(Uncertainty::SessionGone)),
            DriveEvent::Renewed => self.restart(),
            _ => self.again(Step::Renew),
        }
    }

    /// Handles the end of the invocation's time. The next invocation continues, with
    /// smaller fragments if this one completed none.
    fn out_of_time(&mut self, action: Command) -> bool {
        let sent_nothing = matches!(action, Command::Send(_)) && self.sent == 0;
        if sent_nothing {
            self.plan = self.plan.halved();
        }
        self.step = Step::InvocationOutcome(InvocationOutcome::HandOver);
        sent_nothing
    }

    /// Retries from `step`, or fails when there were too many failures since the last
    /// progress.
    pub(super) fn again(&mut self, step: Step) -> bool {
        self.failures += 1;
        if self.failures > MAX_FAILURES {
            return self.fail(self.cause);
        }
        self.go(step)
    }

    /// Enters `step`, or fails when it would open more sessions than allowed.
    pub(super) fn go(&mut self, step: Step) -> bool {
        self.step = step;
        let used = self.sessions.saturating_sub(self.tally.renewals);
        if step == Step::Open && used >= MAX_SESSIONS {
            let code = self.tally.replaced_because;
            return self.fail(code.unwrap_or(FailureCode::DestinationUnavailable));
        }
        false
    }

    /// Ends the invocation with a failure.
    pub(super) fn fail(&mut self, code: FailureCode) -> bool {
        self.end(InvocationOutcome::Failed(code))
    }

    /// Ends the invocation.
    pub(super) fn end(&mut self, end: InvocationOutcome) -> bool {
        self.step = Step::InvocationOutcome(end);
        false
    }
}
