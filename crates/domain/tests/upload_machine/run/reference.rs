//! Reference for the state machine. It knows only the results of the commands so far, and checks
//! that each command is allowed.

use docferry_domain::upload::{
    Command, DriveEvent, ExpectedRange, FragmentRange, GRANULE_BYTES, MAX_RENEWALS, MAX_SESSIONS,
    SMALL_FILE_BYTES, UploadMachine,
};

use super::Run;

impl Run {
    /// Checks that the machine may give this command.
    pub(super) fn check_command(&mut self, machine: &UploadMachine, command: Command) {
        match command {
            Command::SendFragment(range) => {
                self.check_fragment(machine, range);
                self.check_cancel_is_noticed();
            }
            Command::PutDocument { .. } => {
                self.check_put();
                self.check_cancel_is_noticed();
            }
            Command::OpenSession => self.check_open(),
            Command::Verify { .. } => self.check_verify(machine),
            Command::QuerySession
            | Command::LookUp(_)
            | Command::HashSource { .. }
            | Command::LoadDocument
            | Command::CloseSession
            | Command::RenewSource
            | Command::End(_) => {}
        }
    }

    fn check_fragment(&self, machine: &UploadMachine, range: FragmentRange) {
        let Some(expected) = self.invocation.expected_range else {
            panic!("the drive has not named a range")
        };
        assert_eq!(expected.start, range.start, "sends from another offset than the drive named");
        assert!(
            expected.end.is_none_or(|end| range.end <= end),
            "sends beyond the range that the drive named"
        );
        assert!(!range.is_empty(), "sends an empty fragment");
        assert!(range.len() <= self.case.largest_fragment, "sends a fragment that is too large");
        let may_be_unaligned = range.is_last() || expected.end == Some(range.end);
        assert!(
            may_be_unaligned || range.len().is_multiple_of(GRANULE_BYTES),
            "sends an unaligned fragment"
        );
        assert!(machine.hashed_to() >= range.start, "a gap in the hash");
    }

    fn check_put(&self) {
        assert!(self.case.total <= SMALL_FILE_BYTES, "sends a large document in one PUT");
        assert!(!self.invocation.has_unclear_put, "repeats a PUT without a lookup");
        let stored = self.stored.as_ref();
        assert!(
            stored.is_some_and(|stored| stored.checkpoint.may_be_delivered()),
            "a PUT without a checkpoint before it"
        );
    }

    /// Checks that the upload sends at most one more fragment or PUT after a cancel request.
    fn check_cancel_is_noticed(&mut self) {
        if self.cancel_requested {
            self.sends_after_cancel += 1;
        }
        assert!(self.sends_after_cancel <= 1, "a cancel request goes unnoticed");
    }

    fn check_open(&self) {
        let is_usable =
            self.known_session.is_some_and(|session| self.drive.sessions[session].is_usable());
        assert!(!is_usable, "opens a session while another is open");
    }

    fn check_verify(&self, machine: &UploadMachine) {
        let total = self.case.total;
        assert_eq!(machine.hashed_to(), total, "verifies before the whole source is hashed");
        assert!(
            total == 0 || self.invocation.hashed_version == Some(self.recorded_version),
            "the hash is of an outdated source"
        );
    }

    /// Updates the reference with the result of a command.
    pub(super) fn update_reference(&mut self, command: Command, result: DriveEvent) {
        self.update_expected_range(command, result);
        let invocation = &mut self.invocation;
        match (command, result) {
            (Command::SendFragment(range), DriveEvent::Complete) => {
                invocation.hash_limit = range.end;
            }
            (Command::HashSource { until }, DriveEvent::Hashed(_)) => {
                invocation.hash_limit = until;
            }
            (Command::LoadDocument, DriveEvent::Loaded) => {
                invocation.hash_limit = self.case.total;
            }
            (Command::PutDocument { .. }, DriveEvent::Lost | DriveEvent::TimedOut) => {
                invocation.has_unclear_put = true;
            }
            (Command::LookUp(_), DriveEvent::Found(_)) => {
                invocation.has_unclear_put = false;
                invocation.completed_file = None;
            }
            (Command::OpenSession, DriveEvent::Opened) => self.check_number_of_sessions(),
            // Other results do not change the reference.
            _ => {}
        }
    }

    /// Remembers the range that the drive expects. Every command for the drive that does not
    /// name a range makes the range unknown, except a verification.
    fn update_expected_range(&mut self, command: Command, result: DriveEvent) {
        if matches!(command, Command::Verify { .. } | Command::HashSource { .. }) {
            return;
        }
        let expected_range = match result {
            DriveEvent::Opened => Some(ExpectedRange::open(0)),
            DriveEvent::Expects(range) | DriveEvent::Accepted { next: range, .. } => range,
            _ => None,
        };
        let acknowledged = expected_range.map_or(0, |range| range.start);
        let invocation = &mut self.invocation;
        invocation.hash_limit = invocation.hash_limit.max(acknowledged);
        invocation.expected_range = expected_range;
    }

    /// Checks that the last checkpoint allowed to open one more session.
    fn check_number_of_sessions(&self) {
        let checkpoint = self.stored.as_ref().map(|stored| &stored.checkpoint);
        let sessions_before = checkpoint.map_or(0, |checkpoint| checkpoint.sessions);
        let renewals = checkpoint.map_or(0, |checkpoint| checkpoint.counters.renewals);
        assert!(renewals <= MAX_RENEWALS, "too many renewals");
        assert!(sessions_before < MAX_SESSIONS + renewals, "too many sessions");
    }
}
