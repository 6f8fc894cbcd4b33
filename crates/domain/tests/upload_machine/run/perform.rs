//! Execution of the commands of the state machine on the simulated drive, under the events of
//! the test case.

use std::time::Duration;

use docferry_domain::failure::FailureCode;
use docferry_domain::upload::{Command, ConflictPolicy as Policy, DriveEvent};

use super::{LateRequest, Run};
use crate::case::Event;
use crate::drive::{File, SentFragment};

impl Run {
    /// Executes a command while `event` happens, and returns the result.
    pub(super) fn perform(&mut self, command: Command, event: Event) -> DriveEvent {
        // Every read is conditional on the recorded entity tag.
        let reads = matches!(
            command,
            Command::SendFragment(_) | Command::HashSource { .. } | Command::LoadDocument
        );
        if reads && (self.recorded_version != self.source_version || self.is_other_document) {
            return DriveEvent::SourceChanged;
        }
        let writes = matches!(command, Command::SendFragment(_) | Command::PutDocument { .. });
        match (event, command) {
            (Event::ServerError, _) => return DriveEvent::Lost,
            (Event::TimeOut, _) => return DriveEvent::TimedOut,
            (Event::OutOfTime, _) => return DriveEvent::OutOfTime,
            (Event::Throttle, _) => return DriveEvent::Throttled(None),
            (Event::ExpireSession, Command::QuerySession | Command::SendFragment(_)) => {
                if let Some(session) = self.session {
                    self.drive.sessions[session].open = false;
                }
            }
            (
                Event::SourceUnreadable,
                Command::SendFragment(_) | Command::HashSource { .. } | Command::LoadDocument,
            ) => {
                return DriveEvent::SourceUnreadable;
            }
            (Event::SourceChange, _) => self.source_version += 1,
            (Event::PushOtherDocument, _) => self.is_other_document = true,
            (Event::HoldPath(waits), _) => self.drive.held_waits = waits,
            (Event::DelayHash(checks), _) => self.checks_without_hash = checks,
            (Event::RefuseUploadUrl, _) => {
                if let Some(session) = self.session {
                    self.drive.sessions[session].refuses_url = true;
                }
            }
            (Event::Conflict, _) if writes => return DriveEvent::Conflict,
            (Event::LoseStoredBytes, Command::QuerySession) => self.lose_stored_bytes(),
            (Event::StoreSecondHalf, Command::SendFragment(range)) => {
                if let Some(session) = self.session {
                    self.drive.store_second_half(session, range, self.recorded_version);
                }
                return DriveEvent::Lost;
            }
            (Event::OmitRangeOrHash, Command::QuerySession) => return DriveEvent::Expects(None),
            (Event::OmitRangeOrHash, Command::Verify { .. }) => return DriveEvent::HashPending,
            (Event::TakeEffectLate, Command::SendFragment(_) | Command::PutDocument { .. }) => {
                self.late_request = Some(LateRequest {
                    command,
                    session: self.session,
                    source_version: self.recorded_version,
                });
                return DriveEvent::TimedOut;
            }
            _ => {}
        }
        if matches!(command, Command::SendFragment(_) | Command::PutDocument { .. }) {
            self.apply_late_request();
            // An older invocation can have sent a PUT only if the checkpoint from which this
            // invocation began says so.
            let may_be_duplicated =
                self.sessions_at_begin > 0 || matches!(command, Command::SendFragment(_));
            if event == Event::Duplicate && may_be_duplicated {
                self.apply_command(command, Event::Succeed, self.recorded_version);
            }
        }
        let result = self.apply_command(command, event, self.recorded_version);
        match (event, command, result) {
            (Event::LoseResponse | Event::StorePart(_), ..) => DriveEvent::Lost,
            (Event::OmitItem, ..) if writes => DriveEvent::Lost,
            (Event::LoseStoredBytes, Command::SendFragment(_), DriveEvent::Accepted { .. }) => {
                self.lose_stored_bytes();
                result
            }
            (Event::OmitRangeOrHash, Command::SendFragment(_), DriveEvent::Accepted { .. }) => {
                DriveEvent::Accepted { next: None, took: Duration::ZERO }
            }
            _ => result,
        }
    }

    /// Applies a request whose response was no longer awaited, under its own session.
    fn apply_late_request(&mut self) {
        if let Some(late) = self.late_request.take() {
            let present_session = std::mem::replace(&mut self.session, late.session);
            self.apply_command(late.command, Event::Succeed, late.source_version);
            self.session = present_session;
        }
    }

    /// Lets the drive lose all bytes of the present session.
    fn lose_stored_bytes(&mut self) {
        if let Some(session) = self.session {
            self.drive.sessions[session].lose_stored_bytes();
        }
    }

    /// Applies a command to the drive or the source, and returns the result. `source` is the
    /// version of the source that is sent.
    fn apply_command(&mut self, command: Command, event: Event, source: u32) -> DriveEvent {
        let total = self.case.total;
        match command {
            Command::QuerySession => self.drive.query(self.session.unwrap()),
            Command::LookUp(names) => {
                let (same_size, occupancy) = self.drive.look_up(names, total);
                self.found_files = same_size;
                DriveEvent::Found(occupancy)
            }
            Command::HashSource { until } => DriveEvent::Hashed(until),
            Command::LoadDocument => DriveEvent::Loaded,
            Command::OpenSession => match self.drive.open(self.case.policy) {
                // The upload URL is stored when the response arrives. If it is lost, the URL is
                // never stored.
                Some(session) if !matches!(event, Event::LoseResponse | Event::StorePart(_)) => {
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
                if matches!(event, Event::StorePart(_)) {
                    return DriveEvent::Lost;
                }
                // Numbered names are put under the policy `fail`.
                let is_numbering = self.case.policy == Policy::Rename;
                let policy = if is_numbering { Policy::Fail } else { self.case.policy };
                let size = if event == Event::WrongSize { total + 1 } else { total };
                let result = self.drive.put(number, size, source, policy);
                self.result_of_last_byte = self.drive.files.get(&number).copied();
                result
            }
            Command::SendFragment(range) => {
                let stored_bytes = match event {
                    Event::StorePart(percent) => range.len() * percent / 100,
                    _ => range.len(),
                };
                let Some(session) = self.session else { return DriveEvent::Gone };
                let is_one_byte_short = event == Event::WrongSize;
                let fragment = SentFragment { range, stored_bytes, is_one_byte_short, source };
                let result = self.drive.send(session, &fragment, self.case.policy);
                if result == DriveEvent::Complete {
                    let size = total - u64::from(is_one_byte_short);
                    self.result_of_last_byte =
                        Some(File { size, source: Some(source), is_ours: true });
                }
                result
            }
            Command::Verify { .. } if self.checks_without_hash > 0 => {
                self.checks_without_hash -= 1;
                DriveEvent::HashPending
            }
            Command::Verify { answers_last_byte } => {
                let compared = match (answers_last_byte, self.result_of_last_byte) {
                    (_, Some(file)) => vec![file],
                    (true, None) => self.drive.files.values().copied().collect(),
                    (false, None) => self.found_files.clone(),
                };
                let is_document =
                    |file: &File| file.size == total && file.source == Some(self.recorded_version);
                if compared.iter().any(is_document) {
                    DriveEvent::Verified
                } else {
                    DriveEvent::OtherFile
                }
            }
            Command::RenewSource if self.is_other_document => {
                DriveEvent::Refused(FailureCode::SourceChanged)
            }
            Command::RenewSource => {
                self.recorded_version = self.source_version;
                DriveEvent::Renewed
            }
            Command::End(_) => unreachable!(),
        }
    }
}
