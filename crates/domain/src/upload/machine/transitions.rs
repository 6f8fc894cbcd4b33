//! Transition table of the upload's state machine: for each command and each of its results,
//! the next state.
//!
//! `types` defines the commands and results, and `step` defines the states.

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
    /// A checkpoint is stored before each fragment, each PUT and each repetition. The write returns
    /// the transfer's record, so the caller also learns of a cancel request.
    ///
    /// This function handles the results that are possible for every command.
    /// `handle_result_of_command` handles the other results.
    #[must_use]
    pub fn handle(&mut self, command: Command, event: DriveEvent) -> Persist {
        self.pending_failure = match event {
            DriveEvent::SourceUnreadable => FailureCode::ExchangeUnavailable,
            DriveEvent::NoEffect(code) => code,
            _ => FailureCode::DestinationUnavailable,
        };
        if matches!(command, Command::End(_)) {
            return Persist::NotNeeded;
        }
        match event {
            DriveEvent::Throttled(pause) => self.end_invocation(InvocationOutcome::Wait(pause)),
            DriveEvent::Refused(code) if matches!(command, Command::PutDocument { .. }) => {
                self.fail_put(code)
            }
            DriveEvent::Refused(code) => self.fail(code),
            DriveEvent::SourceChanged => self.handle_source_change(),
            DriveEvent::OutOfTime => self.hand_over(command),
            DriveEvent::Lost
            | DriveEvent::TimedOut
            | DriveEvent::NoEffect(_)
            | DriveEvent::SourceUnreadable => self.handle_failure(command, event),
            DriveEvent::Expects(_)
            | DriveEvent::Gone
            | DriveEvent::Found(_)
            | DriveEvent::Hashed(_)
            | DriveEvent::Loaded
            | DriveEvent::Complete
            | DriveEvent::Opened
            | DriveEvent::Closed { .. }
            | DriveEvent::Accepted { .. }
            | DriveEvent::Mismatch
            | DriveEvent::Conflict
            | DriveEvent::Verified
            | DriveEvent::OtherFile
            | DriveEvent::Unproven
            | DriveEvent::HashPending
            | DriveEvent::NotSeen
            | DriveEvent::Renewed => self.handle_result_of_command(command, event),
        }
    }

    /// Handles the results that are possible only for certain commands. Each arm lists one valid
    /// pair of command and result. Any other pair is a defect of the caller, so the upload fails
    /// with [`FailureCode::Internal`].
    fn handle_result_of_command(&mut self, command: Command, event: DriveEvent) -> Persist {
        match (command, event) {
            (Command::QuerySession, DriveEvent::Expects(range)) => {
                self.handle_expected_range(range)
            }
            (Command::QuerySession, DriveEvent::Gone) => self.look_up(Uncertainty::SessionGone),

            (Command::LookUp(_), DriveEvent::Found(occupancy)) => self.handle_lookup(occupancy),
            (Command::LookUp(_), DriveEvent::Conflict) => self.handle_folder_at_destination(),

            (Command::HashSource { .. }, DriveEvent::Hashed(end)) => {
                self.hashed_to = end;
                Persist::Before
            }

            (Command::LoadDocument, DriveEvent::Loaded) => {
                self.hashed_to = self.total;
                self.may_be_delivered = true;
                self.step = Step::PutDocument;
                Persist::Before
            }

            (Command::PutDocument { .. }, DriveEvent::Complete) => {
                self.verify(Candidate::CompletedByLastByte)
            }
            (Command::PutDocument { .. }, DriveEvent::Conflict) => {
                self.look_up(Uncertainty::Conflict(Operation::SmallPut))
            }

            (Command::OpenSession, DriveEvent::Opened) => self.handle_opened_session(),
            (Command::OpenSession, DriveEvent::Conflict) => {
                self.look_up(Uncertainty::Conflict(Operation::CreateSession))
            }

            (Command::CloseSession, DriveEvent::Closed { was_open }) => {
                self.handle_closed_session(was_open)
            }
            (Command::CloseSession, DriveEvent::Gone) => {
                let was_open = false;
                self.handle_closed_session(was_open)
            }

            (Command::SendFragment(range), DriveEvent::Accepted { next, took }) => {
                self.handle_accepted_fragment(range, next, took)
            }
            (Command::SendFragment(range), DriveEvent::Complete) => {
                self.handle_completed_file(range)
            }
            (Command::SendFragment(_), DriveEvent::Mismatch) => self.retry_from(Step::QuerySession),
            (Command::SendFragment(_), DriveEvent::Gone) => {
                // The session ended by itself; the upload did not replace it.
                self.counters.replaced_because = None;
                self.look_up(Uncertainty::SessionGone)
            }
            (Command::SendFragment(range), DriveEvent::Conflict) if range.is_last() => {
                self.look_up(Uncertainty::Conflict(Operation::LastFragment))
            }
            (Command::SendFragment(_), DriveEvent::Conflict) => {
                self.look_up(Uncertainty::Conflict(Operation::Fragment))
            }

            (Command::Verify { .. }, DriveEvent::Verified) => {
                self.end_invocation(InvocationOutcome::Done)
            }
            (Command::Verify { .. }, DriveEvent::OtherFile) => self.handle_other_file(),
            (Command::Verify { .. }, DriveEvent::Unproven) => {
                self.fail(FailureCode::DestinationRewritten)
            }
            (Command::Verify { .. }, DriveEvent::HashPending) => {
                self.check_again(FailureCode::HashNotComputed)
            }
            (Command::Verify { .. }, DriveEvent::NotSeen) => {
                self.check_again(FailureCode::DestinationUnavailable)
            }

            (Command::RenewSource, DriveEvent::Renewed) if self.may_have_written => {
                self.look_up(Uncertainty::SessionGone)
            }
            (Command::RenewSource, DriveEvent::Renewed) => self.restart(),

            _ => self.fail(FailureCode::Internal),
        }
    }

    /// Handles a failure after which a repetition may help. If the command may have taken effect,
    /// the machine first queries the session or looks up the destination.
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

    /// Handles the end of the invocation's time. The next invocation continues. If this invocation
    /// completed no fragment, the next one sends smaller fragments.
    fn hand_over(&mut self, command: Command) -> Persist {
        self.end_invocation(InvocationOutcome::HandOver);
        if matches!(command, Command::SendFragment(_)) && self.bytes_sent == 0 {
            self.plan = self.plan.halved();
            return Persist::Before;
        }
        Persist::NotNeeded
    }

    /// Restarts the upload from the first byte. No session may be open.
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

    /// Closes the session in order to open another. The upload fails with `because` if it may not
    /// open a further session.
    pub(super) fn replace_session(&mut self, because: FailureCode) -> Persist {
        self.counters.replaced_because = Some(because);
        self.enter(Step::CloseSession(AfterClose::Replace))
    }

    /// Looks up the destination in order to resolve `reason`.
    pub(super) fn look_up(&mut self, reason: Uncertainty) -> Persist {
        self.enter(Step::LookUp(reason))
    }

    /// Compares `candidate` with the source.
    pub(super) fn verify(&mut self, candidate: Candidate) -> Persist {
        self.enter(Step::Verify(candidate))
    }

    /// Continues with `step` after a failure, or fails the upload when there were too many
    /// failures since the last progress.
    pub(super) fn retry_from(&mut self, step: Step) -> Persist {
        self.failures += 1;
        if self.failures > MAX_FAILURES {
            return self.fail(self.pending_failure);
        }
        self.enter(step)
    }

    /// Enters `step`. Fails the upload if `step` opens a session and the maximum number is reached.
    /// Sessions that were opened after a change of the source do not count.
    pub(super) fn enter(&mut self, step: Step) -> Persist {
        self.step = step;
        let counted_sessions = self.sessions_opened.saturating_sub(self.counters.renewals);
        if step == Step::OpenSession && counted_sessions >= MAX_SESSIONS {
            let reason = self.counters.replaced_because;
            return self.fail(reason.unwrap_or(FailureCode::DestinationUnavailable));
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
