//! Transition table of the upload's state machine: the reaction to each result of a command.

use super::step::{AfterClose, Candidate, Step, Uncertainty};
use super::{
    Command, DriveEvent, InvocationOutcome, MAX_FAILURES, MAX_SESSIONS, Persist, UploadMachine,
};
use crate::failure::FailureCode;
use crate::upload::SMALL_FILE_BYTES;
use crate::upload::refusal::Operation;

impl UploadMachine {
    /// Records the result of the command that [`UploadMachine::next_command`] returned.
    /// Returns whether the checkpoint must be stored before the next command.
    ///
    /// The write of the checkpoint returns the record, which shows a cancel request. So
    /// each fragment, each PUT and each repetition is preceded by such a write.
    ///
    /// A command has either one of the results that are listed for it here, or one that any
    /// command can have. Any other pair is a defect of the caller and fails with
    /// [`FailureCode::Internal`].
    #[must_use]
    pub fn handle(&mut self, command: Command, event: DriveEvent) -> Persist {
        use DriveEvent as E;
        self.pending_failure = match event {
            E::SourceUnreadable => FailureCode::ExchangeUnavailable,
            E::NoEffect(code) => code,
            _ => FailureCode::DestinationUnavailable,
        };
        match (command, event) {
            (Command::End(_), _) => Persist::NotNeeded,

            // Results that any command can have.
            (_, E::Throttled(after)) => self.end_invocation(InvocationOutcome::Wait(after)),
            (Command::PutDocument { .. }, E::Refused(code)) => self.fail_put(code),
            (_, E::Refused(code)) => self.fail(code),
            (_, E::SourceChanged) => self.handle_source_change(),
            (_, E::OutOfTime) => self.hand_over(command),
            (_, E::Lost | E::TimedOut | E::NoEffect(_) | E::SourceUnreadable) => {
                self.handle_failure(command, event)
            }

            (Command::QuerySession, E::Expects(range)) => self.handle_expected_range(range),
            (Command::QuerySession, E::Gone) => self.look_up(Uncertainty::SessionGone),

            (Command::LookUp(_), E::Found(occupancy)) => self.handle_lookup(occupancy),
            (Command::LookUp(_), E::Conflict) => self.handle_folder_at_destination(),

            (Command::HashSource { .. }, E::Hashed(end)) => {
                self.hashed_to = end;
                Persist::Before
            }

            (Command::LoadDocument, E::Loaded) => {
                self.hashed_to = self.total;
                self.may_be_delivered = true;
                self.step = Step::PutDocument;
                Persist::Before
            }

            (Command::PutDocument { .. }, E::Complete) => self.verify(Candidate::AnsweredLastByte),
            (Command::PutDocument { .. }, E::Conflict) => {
                self.look_up(Uncertainty::Conflict(Operation::SmallPut))
            }

            (Command::OpenSession, E::Opened) => self.handle_opened_session(),
            (Command::OpenSession, E::Conflict) => {
                self.look_up(Uncertainty::Conflict(Operation::CreateSession))
            }

            (Command::CloseSession, E::Closed { was_open }) => self.handle_closed_session(was_open),
            (Command::CloseSession, E::Gone) => self.handle_closed_session(false),

            (Command::SendFragment(range), E::Accepted { next, took }) => {
                self.handle_accepted_fragment(range, next, took)
            }
            (Command::SendFragment(range), E::Complete) => self.handle_completed_file(range),
            (Command::SendFragment(_), E::Mismatch) => self.retry_from(Step::QuerySession),
            (Command::SendFragment(_), E::Gone) => {
                self.counters.replaced_because = None;
                self.look_up(Uncertainty::SessionGone)
            }
            (Command::SendFragment(range), E::Conflict) if range.is_last() => {
                self.look_up(Uncertainty::Conflict(Operation::LastFragment))
            }
            (Command::SendFragment(_), E::Conflict) => {
                self.look_up(Uncertainty::Conflict(Operation::Fragment))
            }

            (Command::Verify { .. }, E::Verified) => self.end_invocation(InvocationOutcome::Done),
            (Command::Verify { .. }, E::OtherFile) => self.handle_other_file(),
            (Command::Verify { .. }, E::Unproven) => self.fail(FailureCode::DestinationRewritten),
            (Command::Verify { .. }, E::HashPending) => {
                self.check_again(FailureCode::HashNotComputed)
            }
            (Command::Verify { .. }, E::NotSeen) => {
                self.check_again(FailureCode::DestinationUnavailable)
            }

            (Command::RenewSource, E::Renewed) if self.may_have_written => {
                self.look_up(Uncertainty::SessionGone)
            }
            (Command::RenewSource, E::Renewed) => self.restart(),

            // Impossible: the result of another command.
            (
                _,
                E::Expects(_)
                | E::Gone
                | E::Found(_)
                | E::Hashed(_)
                | E::Loaded
                | E::Complete
                | E::Opened
                | E::Closed { .. }
                | E::Accepted { .. }
                | E::Mismatch
                | E::Conflict
                | E::Verified
                | E::OtherFile
                | E::Unproven
                | E::HashPending
                | E::NotSeen
                | E::Renewed,
            ) => self.fail(FailureCode::Internal),
        }
    }

    /// Handles a failure after which a repetition may help. A command that may have taken
    /// effect is not simply repeated: the session is queried, or the destination looked up.
    fn handle_failure(&mut self, command: Command, event: DriveEvent) -> Persist {
        match command {
            Command::SendFragment(range) => {
                match event {
                    DriveEvent::Lost => {
                        self.last_fragment_failures += u32::from(range.is_last());
                    }
                    DriveEvent::TimedOut => self.plan = self.plan.halved(),
                    _ => {}
                }
                self.retry_from(Step::QuerySession)
            }
            Command::PutDocument { .. } if matches!(event, DriveEvent::NoEffect(_)) => {
                self.retry_from(Step::PutDocument);
                Persist::Before
            }
            Command::PutDocument { .. } => {
                self.may_have_written = true;
                self.retry_from(Step::LookUp(Uncertainty::PutUnanswered))
            }
            Command::QuerySession
            | Command::LookUp(_)
            | Command::HashSource { .. }
            | Command::LoadDocument
            | Command::OpenSession
            | Command::CloseSession
            | Command::Verify { .. }
            | Command::RenewSource
            | Command::End(_) => self.retry_from(self.step),
        }
    }

    /// Handles the end of the invocation's time. The next invocation continues, with
    /// smaller fragments if this one completed none.
    fn hand_over(&mut self, command: Command) -> Persist {
        self.end_invocation(InvocationOutcome::HandOver);
        if matches!(command, Command::SendFragment(_)) && self.bytes_sent == 0 {
            self.plan = self.plan.halved();
            return Persist::Before;
        }
        Persist::NotNeeded
    }

    /// Restarts the upload from the first byte; no session is open.
    pub(super) fn restart(&mut self) -> Persist {
        self.has_session = false;
        self.offset = 0;
        self.last_fragment_failures = 0;
        self.enter(if self.total > SMALL_FILE_BYTES {
            Step::OpenSession
        } else {
            Step::LoadDocument
        })
    }

    /// Closes the session in order to open another. `because` is the failure that is
    /// reported when no further session is allowed.
    pub(super) fn replace_session(&mut self, because: FailureCode) -> Persist {
        self.counters.replaced_because = Some(because);
        self.enter(Step::CloseSession(AfterClose::Replace))
    }

    pub(super) fn look_up(&mut self, reason: Uncertainty) -> Persist {
        self.enter(Step::LookUp(reason))
    }

    pub(super) fn verify(&mut self, candidate: Candidate) -> Persist {
        self.enter(Step::Verify(candidate))
    }

    /// Retries from `step`, or fails when there were too many failures since the last
    /// progress.
    pub(super) fn retry_from(&mut self, step: Step) -> Persist {
        self.failures += 1;
        if self.failures > MAX_FAILURES {
            return self.fail(self.pending_failure);
        }
        self.enter(step)
    }

    /// Enters `step`, or fails when it would open more sessions than allowed.
    pub(super) fn enter(&mut self, step: Step) -> Persist {
        self.step = step;
        let counted = self.sessions_opened.saturating_sub(self.counters.renewals);
        if step == Step::OpenSession && counted >= MAX_SESSIONS {
            let code = self.counters.replaced_because;
            return self.fail(code.unwrap_or(FailureCode::DestinationUnavailable));
        }
        Persist::NotNeeded
    }

    /// Ends the invocation with a failure.
    pub(super) fn fail(&mut self, code: FailureCode) -> Persist {
        self.end_invocation(InvocationOutcome::Failed(code))
    }

    /// Ends the invocation.
    pub(super) fn end_invocation(&mut self, outcome: InvocationOutcome) -> Persist {
        self.step = Step::Ended(outcome);
        Persist::NotNeeded
    }
}
