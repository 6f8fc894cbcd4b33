use super::{
    Action, Answer, Course, Doubt, End, Gap, MAX_FAILURES, MAX_LOOKS, MAX_SESSIONS, Seen, Step,
};
use crate::refusal::Operation;
use crate::{FailureCode, FragmentRange, SMALL_FILE_BYTES};

/// Server errors on the last fragment of a session before another session, with
/// fragments of another size, is tried (some files never complete otherwise).
const MAX_LAST_FAILURES: u32 = 3;
/// Looks at the destination while a session answers and names no missing byte,
/// before the session counts as unusable.
const MAX_VAGUE: u32 = 3;

impl Course {
    /// Takes in the answer to [`Course::action`]'s `action`. Returns whether the
    /// checkpoint must be durable before anything else is done.
    ///
    /// The answer to writing it tells of a wish to stop. So each fragment, each
    /// PUT and each repetition has such a write before it.
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
            Action::Ask => self.asked(answer),
            Action::Look(_) => self.looked(answer),
            Action::Hash { .. } => self.hashed(answer),
            Action::Load => self.loaded(answer),
            Action::Put { .. } => self.put(answer),
            Action::Open => self.opened(answer),
            Action::Close => self.closed(answer),
            Action::Send(range) => self.sent(range, answer),
            Action::Verify { .. } => self.verified(answer),
            Action::Renew => self.renewed(answer),
            Action::End(_) => false,
        }
    }

    fn asked(&mut self, answer: Answer) -> bool {
        match answer {
            Answer::Stands(Some(gap)) if gap.start < self.total => self.stands(gap),
            Answer::Stands(_) => self.go(Step::Look(Doubt::SessionVague)),
            Answer::Gone => self.go(Step::Look(Doubt::SessionGone)),
            _ => self.again(Step::Ask),
        }
    }

    /// The session wants these bytes.
    fn stands(&mut self, gap: Gap) -> bool {
        self.reached(gap.start);
        let has_lost_bytes = gap.start < self.offset;
        let is_news = gap.start != self.offset || self.failures > 0;
        self.offset = gap.start;
        self.gap_end = gap.end;
        self.step = Step::Send;
        if has_lost_bytes {
            return self.set_back();
        }
        if self.last_failures < MAX_LAST_FAILURES {
            return is_news;
        }
        if self.fresh_session {
            return self.fail(FailureCode::DestinationUnavailable);
        }
        self.fresh_session = true;
        self.plan = self.plan.at_most(self.total).halved();
        self.replace_session(FailureCode::DestinationUnavailable);
        true
    }

    fn looked(&mut self, answer: Answer) -> bool {
        let Step::Look(doubt) = self.step else { return false };
        match answer {
            // Nothing of ours can be there: it is a conflict, whatever its bytes are.
            Answer::Found(Seen::SameSize)
                if matches!(doubt, Doubt::Conflict(_)) && !self.in_doubt =>
            {
                self.not_there(doubt, Seen::Other)
            }
            Answer::Found(Seen::SameSize) => {
                self.go(Step::Verify { ours: false, whole: false, doubt })
            }
            Answer::Found(seen) => self.not_there(doubt, seen),
            Answer::Conflict => self.not_there(doubt, Seen::Folder),
            _ => self.again(Step::Look(doubt)),
        }
    }

    /// The document is not at the destination, whatever else is.
    fn not_there(&mut self, doubt: Doubt, seen: Seen) -> bool {
        match doubt {
            Doubt::SessionGone => self.start_anew(),
            Doubt::SessionVague => {
                self.vague += 1;
                if self.vague > MAX_VAGUE { self.not_completed() } else { self.go(Step::Ask) }
            }
            Doubt::Put => self.go(Step::Load),
            Doubt::Conflict(operation) => self.conflict(operation, seen),
        }
    }

    /// From the beginning: there is no session any more.
    fn start_anew(&mut self) -> bool {
        self.session = false;
        self.offset = 0;
        self.last_failures = 0;
        self.go(if self.total > SMALL_FILE_BYTES { Step::Open } else { Step::Load })
    }

    fn hashed(&mut self, answer: Answer) -> bool {
        let Answer::Hashed(to) = answer else { return self.again(self.step) };
        self.hashed_to = to;
        true
    }

    fn loaded(&mut self, answer: Answer) -> bool {
        if answer != Answer::Loaded {
            return self.again(Step::Load);
        }
        self.hashed_to = self.total;
        self.sessions = self.sessions.max(1);
        self.step = Step::Put;
        true
    }

    fn put(&mut self, answer: Answer) -> bool {
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

    fn opened(&mut self, answer: Answer) -> bool {
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

    fn closed(&mut self, answer: Answer) -> bool {
        let renew = self.step == Step::Close { renew: true };
        match answer {
            Answer::Closed { .. } | Answer::Gone if renew => {
                self.session = false;
                self.go(Step::Renew)
            }
            Answer::Closed { was_open: true } => self.start_anew(),
            Answer::Closed { .. } | Answer::Gone => self.go(Step::Look(Doubt::SessionGone)),
            _ => self.again(self.step),
        }
    }

    fn sent(&mut self, range: FragmentRange, answer: Answer) -> bool {
        match answer {
            Answer::Accepted { next: Some(gap), took } if gap.start == range.end => {
                self.acknowledged(range.end);
                self.gap_end = gap.end;
                self.plan = self.plan.grown(range.len(), took, self.rules.largest_fragment);
                // All is there, and yet it did not say "complete".
                self.step = if range.is_last() { Step::Ask } else { Step::Send };
                !range.is_last()
            }
            Answer::Complete => {
                let whole = range.is_last();
                if whole {
                    self.acknowledged(range.end);
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

    fn acknowledged(&mut self, to: u64) {
        self.reached(to);
        self.sent += to - self.offset;
        self.offset = to;
        self.hashed_to = self.hashed_to.max(to);
    }

    fn verified(&mut self, answer: Answer) -> bool {
        let Step::Verify { ours, whole, doubt } = self.step else { return false };
        match answer {
            Answer::Verified => self.end(End::Done),
            Answer::NotOurs if ours => self.fail(FailureCode::VerificationFailed),
            Answer::NotOurs => {
                self.looks = 0;
                self.not_there(doubt, Seen::Other)
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
                // Whoever goes on knows then that all was sent and taken.
                let first = ours && whole && self.looks == 1;
                if first {
                    self.offset = self.total;
                }
                first
            }
            _ => self.again(self.step),
        }
    }

    fn renewed(&mut self, answer: Answer) -> bool {
        match answer {
            Answer::Renewed if self.in_doubt => self.go(Step::Look(Doubt::SessionGone)),
            Answer::Renewed => self.start_anew(),
            _ => self.again(Step::Renew),
        }
    }

    /// At the end of the invocation's time the next one goes on, with smaller
    /// fragments if this one got nothing done.
    fn out_of_time(&mut self, action: Action) -> bool {
        let futile = matches!(action, Action::Send(_)) && self.sent == 0;
        if futile {
            self.plan = self.plan.halved();
        }
        self.step = Step::End(End::HandOver);
        futile
    }

    /// The same, or what must be known before it, unless it failed too often.
    pub(super) fn again(&mut self, step: Step) -> bool {
        self.failures += 1;
        if self.failures > MAX_FAILURES {
            return self.fail(self.cause);
        }
        self.go(step)
    }

    pub(super) fn go(&mut self, step: Step) -> bool {
        self.step = step;
        let used = self.sessions.saturating_sub(self.tally.renewals);
        if step == Step::Open && used >= MAX_SESSIONS {
            let code = self.tally.replaced_because;
            return self.fail(code.unwrap_or(FailureCode::DestinationUnavailable));
        }
        false
    }

    pub(super) fn fail(&mut self, code: FailureCode) -> bool {
        self.end(End::Failed(code))
    }

    pub(super) fn end(&mut self, end: End) -> bool {
        self.step = Step::End(end);
        false
    }
}
