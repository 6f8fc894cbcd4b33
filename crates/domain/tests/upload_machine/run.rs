//! Executes the upload's state machine on the simulated drive, and checks each command
//! against a reference that knows only the answers of the drive.

use std::collections::VecDeque;
use std::time::Duration;

use docferry_domain::document::HashState;
use docferry_domain::failure::FailureCode;
use docferry_domain::upload::Checkpoint;
use docferry_domain::upload::{
    Command, ConflictPolicy as Policy, DriveEvent, ExpectedRange, GRANULE_BYTES, InvocationOutcome,
    MAX_RENEWALS, MAX_SESSIONS, Persist, SMALL_FILE_BYTES, UploadMachine, UploadRules,
};

use crate::drive::{Drive, File};

/// Event at a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// The step succeeds.
    Deliver,
    /// The process crashes before the step.
    CrashBefore,
    /// The step takes effect, and the process crashes before it gets the answer.
    CrashAfter,
    /// An older invocation executes the same command just before.
    Duplicate,
    /// The step takes effect, and the answer is lost.
    LoseAnswer,
    /// This percentage of the fragment is stored, and the answer is an error.
    StoreHalf(u64),
    /// The step has no effect, and the answer is a server error.
    ServerError,
    /// The step has no effect, and no answer comes.
    TimeOut,
    /// No answer comes. The step takes effect later, just before the next bytes are sent.
    LandLate,
    /// The session has expired.
    Expire,
    /// The service throttles.
    Throttle,
    /// Cancellation is requested, then the step succeeds.
    Cancel,
    /// The answer contains no range, or no hash.
    Vague,
    /// The drive answers that the file is complete, but it has another size.
    WrongSize,
    /// The source does not answer.
    SourceBreak,
    /// The source is written again.
    SourceChange,
    /// Another document is pushed under the source's key.
    ForeignPush,
    /// Another session for the path is open for this number of waits.
    Hold(u32),
    /// The upload URL is refused although its session is open until it expires.
    Shut,
    /// The item at the path has changed, and nothing is stored.
    Conflict,
    /// The step takes effect, and the answer is a success without its body.
    NoItem,
    /// The step takes effect, then the session loses every byte.
    Forget,
    /// Only the second half of a fragment is stored, and the answer is an error.
    Island,
    /// The service computes the hash after this number of checks.
    HashLate(u32),
    /// The time of the invocation ends during the step.
    OutOfTime,
}

/// A test case.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) total: u64,
    pub(crate) largest: u64,
    pub(crate) policy: Policy,
    /// A foreign file that exists before the upload, if any, and whether it has the
    /// document's size.
    pub(crate) foreign: Option<bool>,
    /// Events, each with the number of successful steps before it.
    pub(crate) events: Vec<(u8, Event)>,
}

/// Outcome of the transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    Delivered,
    Canceled,
    Failed(FailureCode),
}

/// How an invocation ended.
enum InvocationEnd {
    Crash,
    InvocationOutcome(InvocationOutcome),
    Canceled,
}

/// A fragment or PUT whose answer is no longer awaited, with its session and the version of
/// the source.
#[derive(Clone, Copy)]
struct Late(Command, Option<usize>, u32);

pub(crate) struct Run {
    pub(crate) drive: Drive,
    pub(crate) steps: u32,
    case: Case,
    rules: UploadRules,
    events: VecDeque<(u8, Event)>,
    source: u32,
    /// Whether the object under the source's key is now another document.
    foreign: bool,
    hash_late: u32,
    // Durable state.
    tag: u32,
    kept: Option<(Checkpoint, Option<u32>)>,
    session: Option<usize>,
    cancel: bool,
    // State of the present invocation.
    began_with: u32,
    expected_range: Option<ExpectedRange>,
    acknowledged: u64,
    shown: Vec<File>,
    result_of_last_byte: Option<File>,
    hash_of: Option<u32>,
    unclear_put: bool,
    late: Option<Late>,
    sent_after_cancel: u32,
}

impl Run {
    pub(crate) fn new(case: &Case) -> Self {
        let mut drive = Drive::default();
        if let Some(same) = case.foreign {
            let size = if same { case.total } else { case.total + 1 };
            drive.files.insert(0, File { size, source: None, ours: false });
        }
        Self {
            drive,
            steps: 0,
            case: case.clone(),
            rules: UploadRules { largest_fragment: case.largest, policy: case.policy },
            events: case.events.iter().copied().collect(),
            source: 1,
            foreign: false,
            hash_late: 0,
            tag: 1,
            kept: None,
            session: None,
            cancel: false,
            began_with: 0,
            expected_range: None,
            acknowledged: 0,
            shown: Vec::new(),
            result_of_last_byte: None,
            hash_of: None,
            unclear_put: false,
            late: None,
            sent_after_cancel: 0,
        }
    }

    /// Runs invocations as the workflow does, then closes the session as `finalize` does.
    pub(crate) fn execute(&mut self) -> Ended {
        let mut retries = 0;
        let ended = loop {
            match self.invocation() {
                InvocationEnd::InvocationOutcome(InvocationOutcome::Done) => {
                    break Ended::Delivered;
                }
                InvocationEnd::Canceled => break Ended::Canceled,
                InvocationEnd::InvocationOutcome(InvocationOutcome::Failed(code))
                    if !code.is_retryable() || retries >= 8 =>
                {
                    break Ended::Failed(code);
                }
                InvocationEnd::Crash
                | InvocationEnd::InvocationOutcome(InvocationOutcome::Failed(_)) => retries += 1,
                // A session whose URL never arrived expires during the wait.
                InvocationEnd::InvocationOutcome(InvocationOutcome::Blocked(_)) => {
                    self.expire_other_sessions();
                }
                InvocationEnd::InvocationOutcome(
                    InvocationOutcome::HandOver | InvocationOutcome::Wait(_),
                ) => {}
            }
        };
        if let Some(session) = self.session {
            self.drive.close(session);
        }
        ended
    }

    fn expire_other_sessions(&mut self) {
        self.drive.held = self.drive.held.saturating_sub(1);
        for (number, session) in self.drive.sessions.iter_mut().enumerate() {
            session.open &= Some(number) == self.session && !session.shut;
        }
    }

    fn invocation(&mut self) -> InvocationEnd {
        if self.cancel {
            return InvocationEnd::Canceled;
        }
        let kept = self.kept.as_ref().map(|(checkpoint, _)| checkpoint);
        let mut machine =
            UploadMachine::begin(self.case.total, self.rules, kept, self.session.is_some());
        self.hash_of = self.kept.as_ref().and_then(|(_, source)| *source);
        (self.expected_range, self.unclear_put, self.result_of_last_byte) = (None, false, None);
        self.began_with = kept.map_or(0, |checkpoint| checkpoint.sessions);
        self.acknowledged = machine.offset().max(machine.hashed_to());
        loop {
            self.steps += 1;
            assert!(self.steps < 5000, "the upload does not end");
            let event = self.next_event();
            let fits = (event == Event::OutOfTime && self.steps.is_multiple_of(2)).then_some(0);
            let command = machine.next_command(fits);
            if let Command::End(end) = command {
                return InvocationEnd::InvocationOutcome(end);
            }
            if event == Event::CrashBefore {
                return InvocationEnd::Crash;
            }
            self.cancel |= event == Event::Cancel;
            self.expect(&machine, command);
            let answer = self.perform(command, event);
            if event == Event::CrashAfter {
                return InvocationEnd::Crash;
            }
            self.update_reference(command, answer);
            let persist = machine.handle(command, answer);
            if machine.hashed_to() == 0 {
                self.hash_of = None;
            } else if self.hash_of.is_none() {
                self.hash_of = Some(self.tag);
            }
            if persist == Persist::Before {
                let before = self.acknowledged;
                assert!(machine.hashed_to() <= before, "hashed bytes that were not acknowledged");
                let hash = HashState { register: String::new(), len: machine.hashed_to() };
                self.kept = Some((machine.checkpoint(hash), self.hash_of));
                if self.cancel {
                    return InvocationEnd::Canceled;
                }
            }
        }
    }

    fn next_event(&mut self) -> Event {
        match self.events.front_mut() {
            Some((0, _)) => self.events.pop_front().unwrap().1,
            Some((wait, _)) => {
                *wait -= 1;
                Event::Deliver
            }
            None => Event::Deliver,
        }
    }

    /// Checks that a command is allowed, given the answers of the drive so far.
    fn expect(&mut self, machine: &UploadMachine, command: Command) {
        let total = self.case.total;
        match command {
            Command::SendFragment(range) => {
                let Some(gap) = self.expected_range else {
                    panic!("the drive has not named a range")
                };
                assert_eq!(
                    gap.start, range.start,
                    "sends from another offset than the drive named"
                );
                assert!(
                    gap.end.is_none_or(|end| range.end <= end),
                    "sends beyond the range that the drive named"
                );
                assert!(!range.is_empty() && range.len() <= self.case.largest);
                let fills = range.is_last() || gap.end == Some(range.end);
                assert!(fills || range.len().is_multiple_of(GRANULE_BYTES));
                assert!(machine.hashed_to() >= range.start, "a gap in the hash");
                self.sent_after_cancel += u32::from(self.cancel);
            }
            Command::PutDocument { .. } => {
                assert!(
                    total <= SMALL_FILE_BYTES && !self.unclear_put,
                    "repeats a PUT without a lookup"
                );
                let kept = self.kept.as_ref();
                assert!(
                    kept.is_some_and(|(c, _)| c.sessions > 0),
                    "a PUT without a checkpoint before it"
                );
                self.sent_after_cancel += u32::from(self.cancel);
            }
            Command::OpenSession => {
                let open = self.session.is_some_and(|session| {
                    let session = &self.drive.sessions[session];
                    session.open && !session.shut
                });
                assert!(!open, "opens a session while another is open");
            }
            Command::Verify { .. } => {
                assert_eq!(
                    machine.hashed_to(),
                    total,
                    "verifies before the whole source is hashed"
                );
                assert!(
                    total == 0 || self.hash_of == Some(self.tag),
                    "the hash is of an outdated source"
                );
            }
            _ => {}
        }
        assert!(self.sent_after_cancel <= 1, "a cancel request goes unnoticed");
    }

    fn perform(&mut self, command: Command, event: Event) -> DriveEvent {
        // Every read is conditional on the tag.
        let reads = matches!(
            command,
            Command::SendFragment(_) | Command::HashSource { .. } | Command::LoadDocument
        );
        if reads && (self.tag != self.source || self.foreign) {
            return DriveEvent::SourceChanged;
        }
        let writes = matches!(command, Command::SendFragment(_) | Command::PutDocument { .. });
        match (event, command) {
            (Event::ServerError, _) => return DriveEvent::Lost,
            (Event::TimeOut, _) => return DriveEvent::TimedOut,
            (Event::OutOfTime, _) => return DriveEvent::OutOfTime,
            (Event::Throttle, _) => return DriveEvent::Throttled(None),
            (Event::Expire, Command::QuerySession | Command::SendFragment(_)) => {
                if let Some(session) = self.session {
                    self.drive.sessions[session].open = false;
                }
            }
            (
                Event::SourceBreak,
                Command::SendFragment(_) | Command::HashSource { .. } | Command::LoadDocument,
            ) => {
                return DriveEvent::SourceUnreadable;
            }
            (Event::SourceChange, _) => self.source += 1,
            (Event::ForeignPush, _) => self.foreign = true,
            (Event::Hold(waits), _) => self.drive.held = waits,
            (Event::HashLate(looks), _) => self.hash_late = looks,
            (Event::Shut, _) => {
                if let Some(session) = self.session {
                    self.drive.sessions[session].shut = true;
                }
            }
            (Event::Conflict, _) if writes => return DriveEvent::Conflict,
            (Event::Forget, Command::QuerySession) => self.forget(),
            (Event::Island, Command::SendFragment(range)) => {
                if let Some(session) = self.session {
                    self.drive.store_island(session, range, self.tag);
                }
                return DriveEvent::Lost;
            }
            (Event::Vague, Command::QuerySession) => return DriveEvent::Expects(None),
            (Event::Vague, Command::Verify { .. }) => return DriveEvent::HashPending,
            (Event::LandLate, Command::SendFragment(_) | Command::PutDocument { .. }) => {
                self.late = Some(Late(command, self.session, self.tag));
                return DriveEvent::TimedOut;
            }
            _ => {}
        }
        if matches!(command, Command::SendFragment(_) | Command::PutDocument { .. }) {
            if let Some(Late(command, session, source)) = self.late.take() {
                let present = std::mem::replace(&mut self.session, session);
                self.effect(command, Event::Deliver, source);
                self.session = present;
            }
            // An invocation sends a PUT only after a checkpoint under its own epoch, so a
            // later invocation knows of it.
            let known = self.began_with > 0 || matches!(command, Command::SendFragment(_));
            if event == Event::Duplicate && known {
                self.effect(command, Event::Deliver, self.tag);
            }
        }
        let answer = self.effect(command, event, self.tag);
        match (event, command, answer) {
            (Event::LoseAnswer | Event::StoreHalf(_), ..) => DriveEvent::Lost,
            (Event::NoItem, ..) if writes => DriveEvent::Lost,
            (Event::Forget, Command::SendFragment(_), DriveEvent::Accepted { .. }) => {
                self.forget();
                answer
            }
            (Event::Vague, Command::SendFragment(_), DriveEvent::Accepted { .. }) => {
                DriveEvent::Accepted { next: None, took: Duration::ZERO }
            }
            _ => answer,
        }
    }

    fn forget(&mut self) {
        if let Some(session) = self.session {
            self.drive.sessions[session].forget();
        }
    }

    fn effect(&mut self, command: Command, event: Event, source: u32) -> DriveEvent {
        let total = self.case.total;
        match command {
            Command::QuerySession => self.drive.ask(self.session.unwrap()),
            Command::LookUp(names) => {
                let (shown, seen) = self.drive.look_up(names, total);
                self.shown = shown;
                DriveEvent::Found(seen)
            }
            Command::HashSource { until } => DriveEvent::Hashed(until),
            Command::LoadDocument => DriveEvent::Loaded,
            Command::OpenSession => match self.drive.open(self.case.policy) {
                // The URL is stored when the answer arrives, or never.
                Some(session) if !matches!(event, Event::LoseAnswer | Event::StoreHalf(_)) => {
                    if event != Event::CrashAfter {
                        self.session = Some(session);
                    }
                    DriveEvent::Opened
                }
                Some(_) => DriveEvent::Lost,
                None => DriveEvent::Conflict,
            },
            Command::CloseSession => self.drive.close(self.session.unwrap()),
            Command::PutDocument { number } => {
                if matches!(event, Event::StoreHalf(_)) {
                    return DriveEvent::Lost;
                }
                // Numbered names are put under the policy `fail`.
                let numbering = self.case.policy == Policy::Rename;
                let policy = if numbering { Policy::Fail } else { self.case.policy };
                let size = if event == Event::WrongSize { total + 1 } else { total };
                let answer = self.drive.put(number, size, source, policy);
                self.result_of_last_byte = self.drive.files.get(&number).copied();
                answer
            }
            Command::SendFragment(range) => {
                let kept = match event {
                    Event::StoreHalf(percent) => range.len() * percent / 100,
                    _ => range.len(),
                };
                let Some(session) = self.session else { return DriveEvent::Gone };
                let wrong = event == Event::WrongSize;
                let policy = self.case.policy;
                let answer = self.drive.send(session, range, kept, wrong, source, policy);
                if answer == DriveEvent::Complete {
                    let size = total - u64::from(wrong);
                    self.result_of_last_byte =
                        Some(File { size, source: Some(source), ours: true });
                }
                answer
            }
            Command::Verify { .. } if self.hash_late > 0 => {
                self.hash_late -= 1;
                DriveEvent::HashPending
            }
            Command::Verify { answers_last_byte } => {
                let shown = match (answers_last_byte, self.result_of_last_byte) {
                    (_, Some(file)) => vec![file],
                    (true, None) => self.drive.files.values().copied().collect(),
                    (false, None) => self.shown.clone(),
                };
                let same = |file: &File| file.size == total && file.source == Some(self.tag);
                if shown.iter().any(same) { DriveEvent::Verified } else { DriveEvent::OtherFile }
            }
            Command::RenewSource if self.foreign => DriveEvent::Refused(FailureCode::SourceChanged),
            Command::RenewSource => {
                self.tag = self.source;
                DriveEvent::Renewed
            }
            Command::End(_) => unreachable!(),
        }
    }

    /// Updates the reference with the answer.
    fn update_reference(&mut self, command: Command, answer: DriveEvent) {
        if !matches!(command, Command::Verify { .. } | Command::HashSource { .. }) {
            self.expected_range = match answer {
                DriveEvent::Opened => Some(ExpectedRange::open(0)),
                DriveEvent::Expects(next) => next,
                DriveEvent::Accepted { next, .. } => next,
                _ => None,
            };
            let offset = self.expected_range.map_or(0, |gap| gap.start);
            self.acknowledged = self.acknowledged.max(offset);
        }
        match (command, answer) {
            (Command::SendFragment(range), DriveEvent::Complete) => self.acknowledged = range.end,
            (Command::HashSource { until }, DriveEvent::Hashed(_)) => self.acknowledged = until,
            (Command::LoadDocument, DriveEvent::Loaded) => self.acknowledged = self.case.total,
            (Command::PutDocument { .. }, DriveEvent::Lost | DriveEvent::TimedOut) => {
                self.unclear_put = true;
            }
            (Command::LookUp(_), DriveEvent::Found(_)) => {
                self.unclear_put = false;
                self.result_of_last_byte = None;
            }
            (Command::OpenSession, DriveEvent::Opened) => {
                let (opened, renewals) =
                    self.kept.as_ref().map_or((0, 0), |(c, _)| (c.sessions, c.counters.renewals));
                assert!(renewals <= MAX_RENEWALS, "too many renewals");
                assert!(opened < MAX_SESSIONS + renewals, "too many sessions");
            }
            _ => {}
        }
    }
}
