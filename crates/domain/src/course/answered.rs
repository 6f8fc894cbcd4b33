use std::time::Duration;

use super::{
    Action, Answer, Course, Doubt, End, MAX_FAILURES, MAX_LOOKS, MAX_SESSIONS, Seen, Step,
};
use crate::{FailureCode, FragmentRange, SMALL_FILE_BYTES};

/// Server errors on the last fragment of a session before another session, with
/// fragments of another size, is tried (some files never complete otherwise).
const MAX_LAST_FAILURES: u32 = 3;
/// Looks at the destination while a session answers and names no missing byte,
/// before the session counts as unusable.
const MAX_VAGUE: u32 = 3;
/// Names that are tried under the policy `rename` before the folder counts as full.
const MAX_NUMBER: u32 = 99;
/// A session that nobody knows blocks its path until it lapses, after 15 minutes.
const BLOCKED: Duration = Duration::from_secs(60);

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
            Answer::Stands(Some(next)) if next < self.total => {
                if next > self.offset {
                    self.progressed();
                }
                let written = next != self.offset || self.failures > 0;
                self.offset = next;
                self.step = Step::Send;
                if self.last_failures < MAX_LAST_FAILURES {
                    return written;
                }
                if self.fresh_session {
                    return self.fail(FailureCode::DestinationUnavailable);
                }
                self.fresh_session = true;
                self.plan = self.plan.at_most(self.total).halved();
                self.step = Step::Close { renew: false };
                true
            }
            Answer::Stands(_) => self.go(Step::Look(Doubt::SessionVague)),
            Answer::Gone => self.go(Step::Look(Doubt::SessionGone)),
            _ => self.again(Step::Ask),
        }
    }

    fn looked(&mut self, answer: Answer) -> bool {
        let Step::Look(doubt) = self.step else { return false };
        match answer {
            // Nothing of ours can be there: it is a conflict, whatever its bytes are.
            Answer::Found(Seen::SameSize) if doubt == Doubt::OpenConflict && !self.in_doubt => {
                self.not_there(doubt, Seen::Other)
            }
            Answer::Found(Seen::SameSize) => {
                self.go(Step::Verify { ours: false, whole: false, doubt })
            }
            Answer::Found(seen) => self.not_there(doubt, seen),
            _ => self.again(Step::Look(doubt)),
        }
    }

    /// The document is not at the destination, whatever else is.
    fn not_there(&mut self, doubt: Doubt, seen: Seen) -> bool {
        match doubt {
            Doubt::SessionGone => self.start_anew(),
            Doubt::SessionVague if self.failures < MAX_VAGUE => self.again(Step::Ask),
            Doubt::SessionVague => self.go(Step::Close { renew: false }),
            Doubt::Put => self.go(Step::Load),
            Doubt::PutConflict if seen == Seen::Nothing => {
                self.again(Step::Put);
                true
            }
            Doubt::PutConflict => self.next_number(),
            Doubt::OpenConflict if seen == Seen::Nothing => self.end(End::Blocked(BLOCKED)),
            Doubt::OpenConflict => self.fail(FailureCode::DestinationConflict),
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
            // Numbered by us, each try under `fail`: one that is still under way
            // cannot land under another name than this.
            Answer::Conflict if self.in_doubt => self.go(Step::Look(Doubt::PutConflict)),
            Answer::Conflict => self.next_number(),
            _ => {
                self.in_doubt = true;
                self.again(Step::Look(Doubt::Put))
            }
        }
    }

    /// What was refused is not there, unless one before it may be: whoever tries again
    /// begins from nothing, and whoever ends it takes nobody else's file for ours.
    fn put_refused(&mut self, code: FailureCode) -> bool {
        if !self.in_doubt {
            self.sessions = 0;
        }
        self.fail(code)
    }

    fn next_number(&mut self) -> bool {
        if !self.rules.numbering || self.number >= MAX_NUMBER {
            return self.put_refused(FailureCode::DestinationConflict);
        }
        self.number += 1;
        self.step = Step::Put;
        true
    }

    fn opened(&mut self, answer: Answer) -> bool {
        match answer {
            Answer::Opened => {
                self.offset = 0;
                self.last_failures = 0;
                self.sessions += 1;
                self.session = true;
                self.in_doubt = true;
                self.step = Step::Send;
                true
            }
            Answer::Conflict => self.go(Step::Look(Doubt::OpenConflict)),
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
            Answer::Accepted { next: Some(next), took } if next == range.end => {
                self.acknowledged(range.end);
                self.plan = self.plan.grown(range.len(), took, self.rules.largest_fragment);
                // All is there, and yet it did not say "complete".
                self.step = if next < self.total { Step::Send } else { Step::Ask };
                next < self.total
            }
            Answer::Complete => {
                let whole = range.is_last();
                if whole {
                    self.acknowledged(range.end);
                }
                self.go(Step::Verify { ours: true, whole, doubt: Doubt::SessionGone })
            }
            Answer::Gone => self.go(Step::Look(Doubt::SessionGone)),
            Answer::Conflict => self.fail(FailureCode::DestinationConflict),
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
        self.progressed();
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
            Answer::HashPending => {
                self.looks += 1;
                if self.looks > MAX_LOOKS {
                    return self.fail(FailureCode::VerificationFailed);
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

    /// What was sent and hashed is of bytes that are no more. It is forgotten before
    /// the new tag is taken, and so is the session: whoever died in between would
    /// otherwise go on with bytes of both.
    fn source_changed(&mut self) -> bool {
        self.hashed_to = 0;
        self.offset = 0;
        self.cause = FailureCode::SourceChanged;
        // Counted, so that a source which changes all the time ends the attempt.
        self.again(if self.session { Step::Close { renew: true } } else { Step::Renew });
        true
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

    fn progressed(&mut self) {
        self.failures = 0;
        self.last_failures = 0;
    }

    /// The same, or what must be known before it, unless it failed too often.
    fn again(&mut self, step: Step) -> bool {
        self.failures += 1;
        if self.failures > MAX_FAILURES {
            return self.fail(self.cause);
        }
        self.go(step)
    }

    pub(super) fn go(&mut self, step: Step) -> bool {
        self.step = step;
        if step == Step::Open && self.sessions >= MAX_SESSIONS {
            return self.fail(FailureCode::DestinationUnavailable);
        }
        false
    }

    fn fail(&mut self, code: FailureCode) -> bool {
        self.end(End::Failed(code))
    }

    fn end(&mut self, end: End) -> bool {
        self.step = Step::End(end);
        false
    }
}
