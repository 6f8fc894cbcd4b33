//! Parts of the state of a test case.

use docferry_domain::upload::{Checkpoint, Command, ExpectedRange, InvocationOutcome};

use crate::drive::{File, Storing};

/// A command on its way, with everything that decides its effect.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request {
    pub(super) command: Command,
    /// Session to whose upload URL the request goes, if an upload URL is stored.
    pub(super) session: Option<usize>,
    /// Version of the source that the bytes in the request are from.
    pub(super) version: u32,
    /// Way in which the drive stores the bytes in the request.
    pub(super) storing: Storing,
}

impl Request {
    /// Returns the session. Panics if the machine gave a command for a session although no
    /// upload URL was stored.
    pub(super) fn session(self) -> usize {
        let Some(session) = self.session else {
            panic!("{:?} without a stored upload URL", self.command)
        };
        session
    }
}

/// End of one invocation.
pub(super) enum InvocationEnd {
    /// A fault crashed the process.
    Crashed,
    /// The upload noticed that the transfer was canceled.
    Canceled,
    /// The state machine ended the invocation.
    Ended(InvocationOutcome),
}

/// A stored checkpoint.
pub(super) struct StoredCheckpoint {
    pub(super) checkpoint: Checkpoint,
    /// Version of the source that is hashed in the checkpoint, if any.
    pub(super) hashed_version: Option<u32>,
}

/// State of the present invocation. A crash loses it.
#[derive(Default)]
pub(super) struct Invocation {
    /// Whether the checkpoint from which the invocation began announced a PUT, or said that a
    /// session was opened.
    pub(super) began_from_announced_write: bool,
    /// Version of the source that the machine has hashed, if any.
    pub(super) hashed_version: Option<u32>,
    /// Number of source bytes that the machine may have hashed when it stores a checkpoint:
    /// bytes that the drive has acknowledged, or that a command reads in order to hash them.
    pub(super) hash_limit: u64,
    /// Range that the drive expects, according to its last response.
    pub(super) expected_range: Option<ExpectedRange>,
    /// Whether a PUT may have taken effect, and no lookup has found out since.
    pub(super) has_unclear_put: bool,
    /// File that the last byte of the document completed, unless a lookup followed.
    pub(super) completed_file: Option<File>,
    /// Files that the last lookup found.
    pub(super) looked_up_files: Vec<File>,
}
