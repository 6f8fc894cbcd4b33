//! One invocation: it begins from the stored state, and runs commands until it ends.

use docferry_domain::document::HashState;
use docferry_domain::upload::{
    Checkpoint, Command, DriveEvent, Persist, UploadMachine, UploadRules,
};

use super::Run;
use super::state::{Invocation, InvocationEnd, StoredCheckpoint};
use crate::fault::Fault;

/// Number of commands after which the test treats the upload as endless.
const MAX_COMMANDS: u32 = 5000;

impl Run {
    /// Runs one invocation.
    pub(super) fn run_invocation(&mut self) -> InvocationEnd {
        if self.cancel_requested {
            return InvocationEnd::Canceled;
        }
        let mut machine = self.begin_invocation();
        loop {
            if let Some(end) = self.run_command(&mut machine) {
                return end;
            }
        }
    }

    /// Creates the state machine of an invocation from the stored state.
    fn begin_invocation(&mut self) -> UploadMachine {
        let rules =
            UploadRules { largest_fragment: self.case.largest_fragment, policy: self.case.policy };
        let checkpoint = self.stored.as_ref().map(|stored| &stored.checkpoint);
        let has_session = self.known_session.is_some();
        let machine = UploadMachine::begin(self.case.total, rules, checkpoint, has_session);
        self.invocation = Invocation {
            began_from_announced_write: checkpoint.is_some_and(Checkpoint::may_be_delivered),
            hashed_version: self.stored.as_ref().and_then(|stored| stored.hashed_version),
            hash_limit: machine.offset().max(machine.hashed_to()),
            ..Invocation::default()
        };
        machine
    }

    /// Runs the next command of the machine. Returns how the invocation ended, or `None` if it
    /// continues.
    fn run_command(&mut self, machine: &mut UploadMachine) -> Option<InvocationEnd> {
        self.commands += 1;
        assert!(self.commands < MAX_COMMANDS, "the upload does not end");
        let fault = self.next_fault();
        let command = self.next_command(machine, fault);
        if let Command::End(outcome) = command {
            return Some(InvocationEnd::Ended(outcome));
        }
        if fault == Some(Fault::CrashBeforeCommand) {
            return Some(InvocationEnd::Crashed);
        }
        if fault == Some(Fault::CancelRequested) {
            self.cancel_requested = true;
        }
        self.check_command(machine, command);
        let result = self.perform(command, fault);
        if fault == Some(Fault::CrashBeforeResponse) {
            return Some(InvocationEnd::Crashed);
        }
        self.update_reference(command, result);
        self.report(machine, command, result)
    }

    /// Returns the fault of the next command, if any.
    fn next_fault(&mut self) -> Option<Fault> {
        let next = self.faults.front_mut()?;
        if next.commands_before > 0 {
            next.commands_before -= 1;
            return None;
        }
        self.faults.pop_front().map(|planned| planned.fault)
    }

    /// Returns the next command of the machine. When the time of the invocation ends, half of
    /// the cases tell the machine before the command, and the others interrupt the command.
    fn next_command(&self, machine: &UploadMachine, fault: Option<Fault>) -> Command {
        let is_time_over =
            fault == Some(Fault::InvocationTimeEnds) && self.commands.is_multiple_of(2);
        let sendable_bytes = if is_time_over { Some(0) } else { None };
        machine.next_command(sendable_bytes)
    }

    /// Reports the result of a command to the machine, and stores the checkpoint if the machine
    /// demands it. The upload notices a cancel request when it stores a checkpoint.
    fn report(
        &mut self,
        machine: &mut UploadMachine,
        command: Command,
        result: DriveEvent,
    ) -> Option<InvocationEnd> {
        let persist = machine.handle(command, result);
        if machine.hashed_to() == 0 {
            self.invocation.hashed_version = None;
        } else if self.invocation.hashed_version.is_none() {
            self.invocation.hashed_version = Some(self.recorded_version);
        }
        if persist == Persist::NotNeeded {
            return None;
        }
        self.store_checkpoint(machine);
        self.cancel_requested.then_some(InvocationEnd::Canceled)
    }

    fn store_checkpoint(&mut self, machine: &UploadMachine) {
        let hashed_to = machine.hashed_to();
        assert!(hashed_to <= self.invocation.hash_limit, "hashed bytes that were not acknowledged");
        let hash = HashState { register: String::new(), len: hashed_to };
        self.stored = Some(StoredCheckpoint {
            checkpoint: machine.checkpoint(hash),
            hashed_version: self.invocation.hashed_version,
        });
    }
}
