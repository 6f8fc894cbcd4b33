//! Execution of a test case: runs the upload's state machine on the simulated drive, in one or
//! more invocations.
//!
//! `perform` executes the commands of the machine and applies the events of the test case.
//! `check` compares each command with a reference that knows only the results of the commands
//! before.

mod check;
mod perform;

use std::collections::VecDeque;

use docferry_domain::document::HashState;
use docferry_domain::upload::{
    Checkpoint, Command, ExpectedRange, InvocationOutcome, Persist, UploadMachine, UploadRules,
};

use crate::case::{Case, Ended, Event, ForeignFile};
use crate::drive::{Drive, File};

/// Number of retries after which the workflow gives up.
const MAX_RETRIES: u32 = 8;
/// Number of commands after which an upload counts as endless.
const MAX_STEPS: u32 = 5000;

/// How an invocation ended.
enum InvocationEnd {
    Crash,
    Outcome(InvocationOutcome),
    Canceled,
}

/// A fragment or PUT whose response is no longer awaited, with its session and the version of
/// the source.
#[derive(Clone, Copy)]
struct LateRequest {
    command: Command,
    session: Option<usize>,
    source_version: u32,
}

/// A stored checkpoint.
struct StoredCheckpoint {
    checkpoint: Checkpoint,
    /// Version of the source that is hashed in the checkpoint, if any.
    hashed_version: Option<u32>,
}

/// State of one test case while it is executed.
pub(crate) struct Run {
    pub(crate) drive: Drive,
    /// Number of commands so far.
    steps: u32,
    case: Case,
    rules: UploadRules,
    /// Remaining events, each with the number of successful steps before it.
    events: VecDeque<(u8, Event)>,
    /// Version of the object under the source's key.
    source_version: u32,
    /// Whether the object under the source's key is now another document.
    is_other_document: bool,
    /// Number of checks until the service has computed the hash.
    checks_without_hash: u32,

    // Durable state.
    /// Version of the source whose entity tag is recorded.
    recorded_version: u32,
    stored: Option<StoredCheckpoint>,
    /// Session whose upload URL is stored.
    session: Option<usize>,
    cancel_requested: bool,

    // State of the present invocation.
    /// Number of sessions in the checkpoint from which the invocation began.
    sessions_at_begin: u32,
    /// Range that the drive named last.
    expected_range: Option<ExpectedRange>,
    /// Maximum number of bytes that the machine may have hashed: the bytes that the drive has
    /// acknowledged, or that a command had to hash.
    acknowledged: u64,
    /// Files that the last lookup found.
    found_files: Vec<File>,
    /// File in the response to the last byte.
    result_of_last_byte: Option<File>,
    hashed_version: Option<u32>,
    /// Whether the result of a PUT is unknown and the destination was not looked up since.
    has_unclear_put: bool,
    late_request: Option<LateRequest>,
    /// Number of requests with document bytes since the cancel request.
    sent_after_cancel: u32,
}

impl Run {
    pub(crate) fn new(case: &Case) -> Self {
        let mut drive = Drive::default();
        if let Some(foreign_file) = case.foreign_file {
            let size = match foreign_file {
                ForeignFile::SameSize => case.total,
                ForeignFile::OtherSize => case.total + 1,
            };
            drive.files.insert(0, File { size, source: None, is_ours: false });
        }
        Self {
            drive,
            steps: 0,
            case: case.clone(),
            rules: UploadRules { largest_fragment: case.largest_fragment, policy: case.policy },
            events: case.events.iter().copied().collect(),
            source_version: 1,
            is_other_document: false,
            checks_without_hash: 0,
            recorded_version: 1,
            stored: None,
            session: None,
            cancel_requested: false,
            sessions_at_begin: 0,
            expected_range: None,
            acknowledged: 0,
            found_files: Vec::new(),
            result_of_last_byte: None,
            hashed_version: None,
            has_unclear_put: false,
            late_request: None,
            sent_after_cancel: 0,
        }
    }

    /// Runs invocations as the workflow does, then closes the session as `finalize` does.
    pub(crate) fn execute(&mut self) -> Ended {
        let mut retries = 0;
        let ended = loop {
            match self.run_invocation() {
                InvocationEnd::Outcome(InvocationOutcome::Done) => {
                    break Ended::Delivered;
                }
                InvocationEnd::Canceled => break Ended::Canceled,
                InvocationEnd::Outcome(InvocationOutcome::Failed(code))
                    if !code.is_retryable() || retries >= MAX_RETRIES =>
                {
                    break Ended::Failed(code);
                }
                InvocationEnd::Crash | InvocationEnd::Outcome(InvocationOutcome::Failed(_)) => {
                    retries += 1;
                }
                // A session whose URL never arrived expires during the wait.
                InvocationEnd::Outcome(InvocationOutcome::Blocked(_)) => {
                    self.expire_other_sessions();
                }
                InvocationEnd::Outcome(
                    InvocationOutcome::HandOver | InvocationOutcome::Wait(_),
                ) => {}
            }
        };
        if let Some(session) = self.session {
            self.drive.close(session);
        }
        ended
    }

    /// Ends one wait for the path, and expires the sessions whose upload URL is not stored.
    fn expire_other_sessions(&mut self) {
        self.drive.held_waits = self.drive.held_waits.saturating_sub(1);
        for (number, session) in self.drive.sessions.iter_mut().enumerate() {
            session.open &= Some(number) == self.session && !session.refuses_url;
        }
    }

    /// Creates a machine from the stored state and resets the state of the invocation.
    fn begin_invocation(&mut self) -> UploadMachine {
        let stored = self.stored.as_ref();
        let checkpoint = stored.map(|stored| &stored.checkpoint);
        let has_session = self.session.is_some();
        let machine = UploadMachine::begin(self.case.total, self.rules, checkpoint, has_session);
        self.sessions_at_begin = checkpoint.map_or(0, |checkpoint| checkpoint.sessions);
        self.hashed_version = stored.and_then(|stored| stored.hashed_version);
        self.acknowledged = machine.offset().max(machine.hashed_to());
        self.expected_range = None;
        self.has_unclear_put = false;
        self.result_of_last_byte = None;
        machine
    }

    /// Runs one invocation until it ends, crashes or notices a cancel request.
    fn run_invocation(&mut self) -> InvocationEnd {
        if self.cancel_requested {
            return InvocationEnd::Canceled;
        }
        let mut machine = self.begin_invocation();
        loop {
            self.steps += 1;
            assert!(self.steps < MAX_STEPS, "the upload does not end");
            let event = self.next_event();
            // The time ends before the command in half of the cases, and during it in the rest.
            let ends_before = event == Event::OutOfTime && self.steps.is_multiple_of(2);
            let command = machine.next_command(ends_before.then_some(0));
            if let Command::End(end) = command {
                return InvocationEnd::Outcome(end);
            }
            if event == Event::CrashBefore {
                return InvocationEnd::Crash;
            }
            self.cancel_requested |= event == Event::Cancel;
            self.check_command(&machine, command);
            let result = self.perform(command, event);
            if event == Event::CrashAfter {
                return InvocationEnd::Crash;
            }
            self.update_reference(command, result);
            let persist = machine.handle(command, result);
            if machine.hashed_to() == 0 {
                self.hashed_version = None;
            } else if self.hashed_version.is_none() {
                self.hashed_version = Some(self.recorded_version);
            }
            if persist == Persist::Before {
                let limit = self.acknowledged;
                assert!(machine.hashed_to() <= limit, "hashed bytes that were not acknowledged");
                let hash = HashState { register: String::new(), len: machine.hashed_to() };
                self.stored = Some(StoredCheckpoint {
                    checkpoint: machine.checkpoint(hash),
                    hashed_version: self.hashed_version,
                });
                if self.cancel_requested {
                    return InvocationEnd::Canceled;
                }
            }
        }
    }

    /// Returns the event at the next step.
    fn next_event(&mut self) -> Event {
        match self.events.front_mut() {
            Some((0, _)) => self.events.pop_front().unwrap().1,
            Some((steps_before, _)) => {
                *steps_before -= 1;
                Event::Succeed
            }
            None => Event::Succeed,
        }
    }
}
