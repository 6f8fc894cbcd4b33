//! Run of a test case: it drives the state machine on the simulated drive, in one or more
//! invocations, until the upload ends.
//!
//! `invocation` runs the commands of one invocation. `perform` performs one command and injects
//! its fault. `apply` contains the effects of the commands. `reference` checks each command.

mod apply;
mod invocation;
mod perform;
mod reference;
mod state;

use std::collections::VecDeque;

use docferry_domain::failure::FailureCode;
use docferry_domain::upload::InvocationOutcome;

use crate::case::{Case, ForeignFile};
use crate::drive::{Content, Drive, File};
use crate::fault::PlannedFault;
use state::{Invocation, InvocationEnd, Request, StoredCheckpoint};

/// Number of failed invocations after which the workflow gives up.
const MAX_RETRIES: u32 = 8;

/// Outcome of the whole upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Delivered,
    Canceled,
    Failed(FailureCode),
}

/// State of one test case while it runs.
pub(crate) struct Run {
    case: Case,
    pub(crate) drive: Drive,
    /// Faults that were not injected yet.
    faults: VecDeque<PlannedFault>,
    /// Number of commands so far.
    commands: u32,

    // The source.
    /// Version of the object under the key of the source.
    source_version: u32,
    /// Whether the object under the key of the source is another document by now.
    is_source_other_document: bool,

    // State outside the process of the upload. A crash does not change it.
    /// Version of the source whose entity tag the upload has recorded.
    recorded_version: u32,
    stored: Option<StoredCheckpoint>,
    /// Session whose upload URL is stored. The upload knows no other session.
    known_session: Option<usize>,
    cancel_requested: bool,
    /// Number of verifications until the drive has computed the hash.
    verifications_until_hash: u32,
    /// Fragment or PUT that is still on its way, although the upload no longer awaits its
    /// response.
    late_request: Option<Request>,
    /// Number of fragments and PUTs since the cancel request.
    sends_after_cancel: u32,

    invocation: Invocation,
}

impl Run {
    pub(crate) fn new(case: &Case) -> Self {
        let mut drive = Drive::new(case.policy);
        if let Some(foreign_file) = case.foreign_file {
            let size = match foreign_file {
                ForeignFile::SameSize => case.total,
                ForeignFile::OtherSize => case.total + 1,
            };
            drive.files.insert(0, File { size, content: Content::Foreign });
        }
        Self {
            case: case.clone(),
            drive,
            faults: case.faults.iter().copied().collect(),
            commands: 0,
            source_version: 1,
            is_source_other_document: false,
            recorded_version: 1,
            stored: None,
            known_session: None,
            cancel_requested: false,
            verifications_until_hash: 0,
            late_request: None,
            sends_after_cancel: 0,
            invocation: Invocation::default(),
        }
    }

    /// Runs invocations until the upload ends, as the workflow does. Then closes the session, as
    /// the step `finalize` of the workflow does.
    pub(crate) fn execute(&mut self) -> Outcome {
        let mut retries = 0;
        let outcome = loop {
            match self.run_invocation() {
                InvocationEnd::Crashed => retries += 1,
                InvocationEnd::Canceled => break Outcome::Canceled,
                InvocationEnd::Ended(InvocationOutcome::Done) => break Outcome::Delivered,
                InvocationEnd::Ended(InvocationOutcome::Failed(code)) => {
                    if !code.is_retryable() || retries >= MAX_RETRIES {
                        break Outcome::Failed(code);
                    }
                    retries += 1;
                }
                InvocationEnd::Ended(InvocationOutcome::Blocked(_)) => self.wait_for_path(),
                InvocationEnd::Ended(InvocationOutcome::HandOver | InvocationOutcome::Wait(_)) => {}
            }
        };
        if let Some(session) = self.known_session {
            self.drive.close_session(session);
        }
        outcome
    }

    /// Waits once until the path is free. During the wait, every session expires that the upload
    /// does not know or whose upload URL the drive refuses.
    fn wait_for_path(&mut self) {
        let waits = &mut self.drive.waits_until_path_is_free;
        *waits = waits.saturating_sub(1);
        for (index, session) in self.drive.sessions.iter_mut().enumerate() {
            if Some(index) != self.known_session || session.refuses_url {
                session.is_open = false;
            }
        }
    }
}
