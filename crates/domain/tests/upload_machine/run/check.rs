//! Checks of the commands of the state machine against a reference.

use docferry_domain::upload::{
    Command, DriveEvent, ExpectedRange, GRANULE_BYTES, MAX_RENEWALS, MAX_SESSIONS,
    SMALL_FILE_BYTES, UploadMachine,
};

use super::Run;

impl Run {
    /// Checks that a command is allowed, given the results of the commands before.
    pub(super) fn check_command(&mut self, machine: &UploadMachine, command: Command) {
        let total = self.case.total;
        match command {
            Command::SendFragment(range) => {
                let Some(expected) = self.expected_range else {
                    panic!("the drive has not named a range")
                };
                assert_eq!(
                    expected.start, range.start,
                    "sends from another offset than the drive named"
                );
                assert!(
                    expected.end.is_none_or(|end| range.end <= end),
                    "sends beyond the range that the drive named"
                );
                assert!(!range.is_empty() && range.len() <= self.case.largest_fragment);
                let may_be_unaligned = range.is_last() || expected.end == Some(range.end);
                assert!(may_be_unaligned || range.len().is_multiple_of(GRANULE_BYTES));
                assert!(machine.hashed_to() >= range.start, "a gap in the hash");
                self.sent_after_cancel += u32::from(self.cancel_requested);
            }
            Command::PutDocument { .. } => {
                assert!(
                    total <= SMALL_FILE_BYTES && !self.has_unclear_put,
                    "repeats a PUT without a lookup"
                );
                let stored = self.stored.as_ref();
                assert!(
                    stored.is_some_and(|stored| stored.checkpoint.sessions > 0),
                    "a PUT without a checkpoint before it"
                );
                self.sent_after_cancel += u32::from(self.cancel_requested);
            }
            Command::OpenSession => {
                let is_open = self.session.is_some_and(|session| {
                    let session = &self.drive.sessions[session];
                    session.open && !session.refuses_url
                });
                assert!(!is_open, "opens a session while another is open");
            }
            Command::Verify { .. } => {
                assert_eq!(
                    machine.hashed_to(),
                    total,
                    "verifies before the whole source is hashed"
                );
                assert!(
                    total == 0 || self.hashed_version == Some(self.recorded_version),
                    "the hash is of an outdated source"
                );
            }
            _ => {}
        }
        assert!(self.sent_after_cancel <= 1, "a cancel request goes unnoticed");
    }

    /// Updates the reference with the result of a command.
    pub(super) fn update_reference(&mut self, command: Command, result: DriveEvent) {
        if !matches!(command, Command::Verify { .. } | Command::HashSource { .. }) {
            self.expected_range = match result {
                DriveEvent::Opened => Some(ExpectedRange::open(0)),
                DriveEvent::Expects(next) => next,
                DriveEvent::Accepted { next, .. } => next,
                _ => None,
            };
            let offset = self.expected_range.map_or(0, |range| range.start);
            self.acknowledged = self.acknowledged.max(offset);
        }
        match (command, result) {
            (Command::SendFragment(range), DriveEvent::Complete) => self.acknowledged = range.end,
            (Command::HashSource { until }, DriveEvent::Hashed(_)) => self.acknowledged = until,
            (Command::LoadDocument, DriveEvent::Loaded) => self.acknowledged = self.case.total,
            (Command::PutDocument { .. }, DriveEvent::Lost | DriveEvent::TimedOut) => {
                self.has_unclear_put = true;
            }
            (Command::LookUp(_), DriveEvent::Found(_)) => {
                self.has_unclear_put = false;
                self.result_of_last_byte = None;
            }
            (Command::OpenSession, DriveEvent::Opened) => {
                let checkpoint = self.stored.as_ref().map(|stored| &stored.checkpoint);
                let sessions_opened = checkpoint.map_or(0, |checkpoint| checkpoint.sessions);
                let renewals = checkpoint.map_or(0, |checkpoint| checkpoint.counters.renewals);
                assert!(renewals <= MAX_RENEWALS, "too many renewals");
                assert!(sessions_opened < MAX_SESSIONS + renewals, "too many sessions");
            }
            _ => {}
        }
    }
}
