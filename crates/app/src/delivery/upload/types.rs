//! Limits and result of one invocation of the step `upload`. One invocation is one call of the
//! Lambda function.

use std::time::Duration;

use crate::ports::ConflictPolicy;

/// Limits of one invocation.
#[derive(Debug, Clone, Copy)]
pub struct UploadSettings {
    /// Conflict policy: what to do when a file of that name exists at the destination.
    pub policy: ConflictPolicy,
    /// Maximum fragment size in bytes. A large document begins with a smaller fragment.
    pub fragment_bytes: u64,
    /// Maximum number of source bytes that are read ahead of the upload. Bounds the memory of
    /// an invocation, whatever the size of the document.
    pub read_ahead_bytes: u32,
    /// Number of ranged source reads that run in parallel within `read_ahead_bytes`.
    pub parallel_reads: u32,
    /// Safety margin: the invocation returns this long before its deadline.
    pub margin: Duration,
    /// Timeout of one fragment. A fragment that times out is sent again at half the size.
    pub fragment_timeout: Duration,
}

/// Result of an invocation of `upload` or `publish`. The workflow chooses its next state by this
/// result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The delivery is verified and recorded.
    Done,
    /// The invocation ran out of time; the workflow calls the step again at once.
    Continue,
    /// The accepted source object is gone or may be another document; the workflow returns to
    /// polling for the arrival.
    SourceLost,
    /// The workflow waits, then calls the step again.
    Wait {
        /// Seconds to wait, 1–60. Longer waits are split, so that a cancel request is noticed
        /// within a minute.
        seconds: u32,
    },
}
