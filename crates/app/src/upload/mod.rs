//! Sends a document to the drive, one invocation's worth at a time.
//!
//! An invocation claims the transfer (a new epoch), and then carries out what
//! `docferry_domain::Course` decides: ask the session where it stands, send
//! fragments, look at the destination, until the document is complete, the drive
//! asks for a pause, or its own time is nearly over. Whatever interrupts it, the
//! next one goes on from the drive's own offset.

mod comparison;
mod completion;
mod engine;
mod read_ahead;
mod reader;
mod sending;
mod session;
mod source;
mod waiting;

use std::time::Duration;

use crate::ports::ConflictPolicy;

pub(crate) use comparison::{Compared, Comparison, ComparisonError, LastByte, files_under};
pub use engine::{Upload, upload};
pub(crate) use source::{SourceObject, is_contested, may_be_foreign};

/// Limits of one invocation.
#[derive(Debug, Clone, Copy)]
pub struct UploadSettings {
    /// What happens when a file of that name exists.
    pub policy: ConflictPolicy,
    /// The largest fragment, in bytes. The first is smaller, unless the document is.
    pub fragment_bytes: u64,
    /// How much of the source may be read ahead of what is sent, in bytes. Bounds
    /// the memory of an invocation, whatever the document's size.
    pub read_ahead_bytes: u32,
    /// How many ranges of the source are read at once, within that bound.
    pub parallel_reads: u32,
    /// The invocation returns this long before its deadline.
    pub margin: Duration,
    /// A fragment that takes longer is given up and sent again, half as large.
    pub fragment_timeout: Duration,
}

/// What the workflow does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The delivery is verified and recorded.
    Done,
    /// Call again at once: the invocation's time was over.
    Continue,
    /// Look for the arrival again: the object that was accepted is not there any more, or
    /// may be another document.
    SourceLost,
    /// Call again after so many seconds (1–60).
    Wait {
        /// Cut into pieces of at most a minute, so that a cancel is noticed.
        seconds: u32,
    },
}
