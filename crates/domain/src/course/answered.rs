//! Transitions of the upload's state machine: the next step for each result of a command.

use super::{
    Action, Answer, Course, Doubt, End, Gap, MAX_FAILURES, MAX_LOOKS, MAX_SESSIONS, Seen, Step,
};
use crate::refusal::Operation;
use crate::{FailureCode, FragmentRange, SMALL_FILE_BYTES};

/// Number of server errors on the last fragment after which the session is replaced by one
/// with smaller fragments. Some files never complete otherwise.
const MAX_LAST_FAILURES: u32 = 3;
/// Maximum number of lookups of the destination while the session answers but names no
/// missing byte. After that the session counts as unusable.
const MAX_VAGUE: u32 = 3;

impl Course {
    /// Records the result of the command that [`Course::action`] returned. Returns whether
    /// the checkpoint must be stored before the next command.
    ///
    /// The write of the checkpoint returns the record, which shows a cancel request. So
    /// each fragment, each PUT and each repetition is preceded by such a write.
    #[must_use]
    pub fn answered(&mut self, action: Action, answer: Answer) -> bool {
        match answer {
            Answer::Throttled(after) => return self.end(End::Wait(after)),
            Answer::Refused(code) if matches!(action, Action::Put { .. }) => {
                return self.put_refused(code);
            }
            Answer::Refused(code) => return self.fail(code),
            Answer::SourceChanged => return self.source_changed(),
            Answer::OutOfTime => return self.out_of_time(action),
            Answer::SourceBroke => self.cause = FailureCode::ExchangeUnavailable,
            Answer::NotDone(code) => self.cause = code,
            _ => self.cause = FailureCode::DestinationUnavailable,
        }
        match action {
            Action::Ask => self.handle_ask(answer),
            Action::Look(_) => self.handle_look(answer),
            Action::Hash { .. } => self.handle_hash(answer),
            Action::Load => self.handle_load(answer),
            Action::Put { .. } => self.handle_put(answer),
            Action::Open => self.handle_open(answer),
            Action::Close => self.handle_close(answer),
            Action::Send(range) => self.handle_send(range, answer),
            Action::Verify { .. } => self.handle_verify(answer),
            Action::Renew => self.handle_renew(answer),
            Action::End(_) => false,
        }
    }

    fn handle_ask(&mut self, answer: Answer) -> bool {
        match answer {
            Answer::Stands(Some(gap)) if gap.start < self.total => self.continue_at(gap),
            Answer::Stands(_) => self.go(Step::Look(Doubt::SessionVague)),
            Answer::Gone => self.go(Step::Look(Doubt::SessionGone)),
            _ => self.again(Step::Ask),
        }
    }

    /// Continues with the bytes that the session expects.
    fn continue_at(&mut self, gap: Gap) -> bool {
        self.reached(gap.start);
        let has_lost_bytes = gap.start < self.offset;
        let must_store = gap.start != self.offset || self.failures > 0;
        self.offset = gap.start;
        self.gap_end = gap.end;
        self.step = Step::Send;
        if has_lost_bytes {
            return self.set_back();
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

    fn handle_look(&mut self, answer: Answer) -> bool {
        let Step::Look(doubt) = self.step else { return false };
        match answer {
            // This upload cannot have written the file: it is a conflict, whatever the bytes.
            Answer::Found(Seen::SameSize)
                if matches!(doubt, Doubt::Conflict(_)) && !self.in_doubt =>
            {
                self.handle_absence(doubt, Seen::Other)
            }
            Answer::Found(Seen::SameSize) => {
                self.go(Step::Verify { ours: false, whole: false, doubt })
            }
            Answer::Found(seen) => self.handle_absence(doubt, seen),
            Answer::Conflict => self.handle_absence(doubt, Seen::Folder),
            _ => self.again(Step::Look(doubt)),
        }
    }

    /// Handles the result that the document is not at the destination.
    fn handle_absence(&mut self, doubt: Doubt, seen: Seen) -> bool {
        match doubt {
            Doubt::SessionGone => self.restart(),
            Doubt::SessionVague => {
                self.vague += 1;
                if self.vague > MAX_VAGUE { self.not_completed() } else { self.go(Step::Ask) }
            }
            Doubt::Put => self.go(Step::Load),
            Doubt::Conflict(operation) => self.conflict(operation, seen),
        }
    }

    /// Restarts the upload from the first byte; no session is open.
    fn restart(&mut self) -> bool {
        self.session = false;
        self.offset = 0;
        self.last_failures = 0;
        self.go(if self.total > SMALL_FILE_BYTES { Step::Open } else { Step::Load })
    }

    fn handle_hash(&mut self, answer: Answer) -> bool {
        let Answer::Hashed(end) = answer else { return self.again(self.step) };
        self.hashed_to = end;
        true
    }

    fn handle_load(&mut self, answer: Answer) -> bool {
        if answer != Answer::Loaded {
            return self.again(Step::Load);
        }
        self.hashed_to = self.total;
        self.sessions = self.sessions.max(1);
        self.step = Step::Put;
        true
    }

    fn handle_put(&mut self, answer: Answer) -> bool {
        match answer {
            Answer::Complete => {
                self.go(Step::Verify { ours: true, whole: true, doubt: Doubt::Put })
            }
            Answer::Conflict => self.go(Step::Look(Doubt::Conflict(Operation::SmallPut))),
            Answer::NotDone(_) => {
                self.again(Step::Put);
                true
            }
            _ => {
                self.in_doubt = true;
                self.again(Step::Look(Doubt::Put))
            }
        }
    }

    fn handle_open(&mut self, answer: Answer) -> bool {
        match answer {
            Answer::Opened => {
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
            Answer::Conflict => self.go(Step::Look(Doubt::Conflict(Operation::CreateSession))),
            _ => self.again(Step::Open),
        }
    }

    fn handle_close(&mut self, answer: Answer) -> bool {
        let renew = self.step == Step::Close { renew: true };
        match answer {
            Answer::Closed { .. } | Answer::Gone if renew => {
                self.session = false;
                self.go(Step::Renew)
            }
            Answer::Closed { was_open: true } => self.restart(),
            Answer::Closed { .. } | Answer::Gone => self.go(Step::Look(Doubt::SessionGone)),
            _ => self.again(self.step),
        }
    }

    fn handle_send(&mut self, range: FragmentRange, answer: Answer) -> bool {
        match answer {
            Answer::Accepted { next: Some(gap), took } if gap.start == range.end => {
                self.advance_to(range.end);
                self.gap_end = gap.end;
                self.plan = self.plan.grown(range.len(), took, self.rules.largest_fragment);
                // The drive has every byte but did not return the item.
                self.step = if range.is_last() { Step::Ask } else { Step::Send };
                !range.is_last()
            }
            Answer::Complete => {
                let whole = range.is_last();
                if whole {
                    self.advance_to(range.end);
                }
                self.go(Step::Verify { ours: true, whole, doubt: Doubt::SessionGone })
            }
            Answer::Gone => {
                self.tally.replaced_because = None;
                self.go(Step::Look(Doubt::SessionGone))
            }
            Answer::Conflict => {
                let is_last = range.is_last();
                let operation = if is_last { Operation::LastFragment } else { Operation::Fragment };
                self.go(Step::Look(Doubt::Conflict(operation)))
            }
            Answer::Lost => {
                self.last_failures += u32::from(range.is_last());
                self.again(Step::Ask)
            }
            Answer::TimedOut => {
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

    fn handle_verify(&mut self, answer: Answer) -> bool {
        let Step::Verify { ours, whole, doubt } = self.step else { return false };
        match answer {
            Answer::Verified => self.end(End::Done),
            Answer::NotOurs if ours => self.fail(FailureCode::VerificationFailed),
            Answer::NotOurs => {
                self.looks = 0;
                self.handle_absence(doubt, Seen::Other)
            }
            Answer::Unproven => self.fail(FailureCode::DestinationRewritten),
            Answer::HashPending | Answer::NotSeen => {
                self.looks += 1;
                if self.looks > MAX_LOOKS {
                    return self.fail(match answer {
                        Answer::HashPending => FailureCode::HashNotComputed,
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

    fn handle_renew(&mut self, answer: Answer) -> bool {
        match answer {
            Answer::Renewed if self.in_doubt => self.go(Step::Look(Doubt::SessionGone)),
            Answer::Renewed => self.restart(),
            _ => self.again(Step::Renew),
        }
    }

    /// Handles the end of the invocation's time. The next invocation continues, with
    /// smaller fragments if this one completed none.
    fn out_of_time(&mut self, action: Action) -> bool {
        let sent_nothing = matches!(action, Action::Send(_)) && self.sent == 0;
        if sent_nothing {
            self.plan = self.plan.halved();
        }
        self.step = Step::End(End::HandOver);
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
        self.end(End::Failed(code))
    }

    /// Ends the invocation.
    pub(super) fn end(&mut self, end: End) -> bool {
        self.step = Step::End(end);
        false
    }
}
