//! Performs one command of the state machine, and injects the fault that the case plans for it.
//!
//! [`Run::perform`] has three steps, and most faults act in only one of them:
//!
//! 1. Before the command, a fault changes the drive or the source, or prevents the command.
//! 2. During the command, the request takes effect, sometimes after an older request.
//! 3. After the command, a fault changes or removes the response.
//!
//! [`Fault`] describes what each fault does.

use std::time::Duration;

use docferry_domain::upload::{Command, DriveEvent};

use super::Run;
use super::state::Request;
use crate::drive::Storing;
use crate::fault::Fault;

impl Run {
    /// Performs a command, and returns the result that the upload reports to the machine.
    pub(super) fn perform(&mut self, command: Command, fault: Option<Fault>) -> DriveEvent {
        // Every read of the source demands the recorded entity tag.
        if reads_source(command) && self.has_source_changed() {
            return DriveEvent::SourceChanged;
        }
        let request = self.create_request(command, fault);
        if let Some(fault) = fault
            && let Some(result) = self.act_before_command(request, fault)
        {
            return result;
        }
        let result = self.act_during_command(request, fault);
        self.act_after_command(command, fault, result)
    }

    /// Returns whether the source differs from the one whose entity tag is recorded.
    fn has_source_changed(&self) -> bool {
        self.recorded_version != self.source_version || self.is_source_other_document
    }

    /// Creates the request that carries out a command. Two faults decide which of its bytes the
    /// drive stores.
    fn create_request(&self, command: Command, fault: Option<Fault>) -> Request {
        let storing = match fault {
            Some(Fault::RequestCutOff { stored_percent }) => Storing::FirstPercent(stored_percent),
            Some(Fault::FileOfWrongSize) => Storing::WrongSize,
            _ => Storing::All,
        };
        let session = self.known_session;
        Request { command, session, version: self.recorded_version, storing }
    }

    /// Lets a fault act before the command. Returns a result if the fault prevents the command,
    /// or `None` if the command follows.
    fn act_before_command(&mut self, request: Request, fault: Fault) -> Option<DriveEvent> {
        let command = request.command;
        match fault {
            // These faults prevent every command.
            Fault::ServerError => Some(DriveEvent::Lost),
            Fault::ResponseTimeout => Some(DriveEvent::TimedOut),
            Fault::InvocationTimeEnds => Some(DriveEvent::OutOfTime),
            Fault::Throttled => Some(DriveEvent::Throttled(None)),

            // These faults prevent some commands.
            Fault::SourceUnreadable => {
                reads_source(command).then_some(DriveEvent::SourceUnreadable)
            }
            Fault::ConflictResponse => sends_document(command).then_some(DriveEvent::Conflict),
            Fault::RequestArrivesLate => self.delay_request(request),
            Fault::FirstHalfOfFragmentLost => self.lose_first_half(request),
            Fault::ResponseWithoutRangeOrHash => {
                matches!(command, Command::Verify { .. }).then_some(DriveEvent::HashPending)
            }

            // These faults change the drive or the source. The command follows.
            Fault::SessionExpired
            | Fault::StoredBytesLost
            | Fault::UploadUrlRefused
            | Fault::PathHeld { .. }
            | Fault::HashDelayed { .. }
            | Fault::SourceWrittenAgain
            | Fault::SourceReplacedByOtherDocument => {
                self.change_drive_or_source(request, fault);
                None
            }

            // These faults act during or after the command.
            Fault::RequestDuplicated
            | Fault::RequestCutOff { .. }
            | Fault::FileOfWrongSize
            | Fault::ResponseLost
            | Fault::ResponseWithoutItem => None,

            // `Run::run_command` injects these faults.
            Fault::CrashBeforeCommand | Fault::CrashBeforeResponse | Fault::CancelRequested => None,
        }
    }

    /// Lets a fragment or a PUT take effect later.
    fn delay_request(&mut self, request: Request) -> Option<DriveEvent> {
        if !sends_document(request.command) {
            return None;
        }
        self.late_request = Some(request);
        Some(DriveEvent::TimedOut)
    }

    /// Lets the drive store only the second half of a fragment.
    fn lose_first_half(&mut self, request: Request) -> Option<DriveEvent> {
        let Command::SendFragment(range) = request.command else { return None };
        self.drive.store_second_half(request.session(), range, request.version);
        Some(DriveEvent::Lost)
    }

    /// Changes the drive or the source before the command, if the fault concerns the command.
    fn change_drive_or_source(&mut self, request: Request, fault: Fault) {
        let is_query = request.command == Command::QuerySession;
        let is_fragment = matches!(request.command, Command::SendFragment(_));
        match fault {
            Fault::SessionExpired if is_query || is_fragment => {
                self.drive.sessions[request.session()].is_open = false;
            }
            Fault::StoredBytesLost if is_query => {
                self.drive.sessions[request.session()].lose_stored_bytes();
            }
            Fault::UploadUrlRefused => {
                if let Some(session) = self.known_session {
                    self.drive.sessions[session].refuses_url = true;
                }
            }
            Fault::PathHeld { waits } => self.drive.waits_until_path_is_free = waits,
            Fault::HashDelayed { verifications } => self.verifications_until_hash = verifications,
            Fault::SourceWrittenAgain => self.source_version += 1,
            Fault::SourceReplacedByOtherDocument => self.is_source_other_document = true,
            // The fault concerns only other commands, or changes neither drive nor source.
            _ => {}
        }
    }

    /// Lets the request take effect, after other requests that reach the drive before it.
    fn act_during_command(&mut self, request: Request, fault: Option<Fault>) -> DriveEvent {
        if sends_document(request.command)
            && let Some(late_request) = self.late_request.take()
        {
            self.apply(late_request);
        }
        if fault == Some(Fault::RequestDuplicated) && self.can_be_duplicated(request.command) {
            self.apply(request);
        }
        self.apply(request)
    }

    /// Returns whether an older invocation, which still runs, can send the same request.
    ///
    /// An older invocation can always send a fragment, because it knows the same upload URL. It
    /// sends a PUT only after it has stored a checkpoint that announces the PUT. Once the present
    /// invocation has begun, the store rejects checkpoints of older invocations. So an older
    /// invocation can send a PUT only if the present invocation began from a checkpoint that
    /// announced a PUT.
    const fn can_be_duplicated(&self, command: Command) -> bool {
        match command {
            Command::SendFragment(_) => true,
            Command::PutDocument { .. } => self.invocation.began_from_announced_write,
            _ => false,
        }
    }

    /// Lets a fault act on the response to a command that has taken effect. Returns the result
    /// that the upload receives.
    fn act_after_command(
        &mut self,
        command: Command,
        fault: Option<Fault>,
        result: DriveEvent,
    ) -> DriveEvent {
        let is_lost = match fault {
            Some(Fault::ResponseWithoutItem) => sends_document(command),
            Some(fault) => fault.loses_response(),
            None => false,
        };
        if is_lost {
            return DriveEvent::Lost;
        }
        if result == DriveEvent::Opened {
            // The response contains the upload URL, which the upload stores.
            self.known_session = self.drive.newest_session();
        }
        if let Some(Fault::StoredBytesLost) = fault
            && let DriveEvent::Accepted { .. } = result
            && let Some(session) = self.known_session
        {
            self.drive.sessions[session].lose_stored_bytes();
        }
        if fault == Some(Fault::ResponseWithoutRangeOrHash) {
            return without_range(command, result);
        }
        result
    }
}

/// Returns whether a command reads bytes of the source.
const fn reads_source(command: Command) -> bool {
    matches!(command, Command::SendFragment(_) | Command::HashSource { .. } | Command::LoadDocument)
}

/// Returns whether a command sends bytes of the document to the drive.
const fn sends_document(command: Command) -> bool {
    matches!(command, Command::SendFragment(_) | Command::PutDocument { .. })
}

/// Removes the expected range from the response to a status query or a fragment.
const fn without_range(command: Command, result: DriveEvent) -> DriveEvent {
    match (command, result) {
        (Command::QuerySession, _) => DriveEvent::Expects(None),
        (Command::SendFragment(_), DriveEvent::Accepted { .. }) => {
            DriveEvent::Accepted { next: None, took: Duration::ZERO }
        }
        _ => result,
    }
}
