//! Commands of the upload's state machine, and the results that it is given.

use std::time::Duration;

use crate::failure::FailureCode;
use crate::upload::{ConflictPolicy, FragmentRange};

/// Command of the machine, which the use case `upload` carries out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Ask the session which bytes it still expects.
    QuerySession,
    /// Look up the destination, because the document may be complete there.
    LookUp(CandidateNames),
    /// Read the source up to this position, only to hash it.
    HashSource {
        /// One past the last byte.
        until: u64,
    },
    /// Read a small document into memory and hash it.
    LoadDocument,
    /// Send a small document in one PUT, under the name with this number.
    PutDocument {
        /// Number in the name; 0 is the document's own name. It grows under the policy
        /// `rename` while names are taken.
        number: u32,
    },
    /// Open an upload session.
    OpenSession,
    /// Close the upload session, so that no late fragment can complete it.
    CloseSession,
    /// Send these bytes to the upload session.
    SendFragment(FragmentRange),
    /// Compare the file at the destination with the source, and record the delivery.
    Verify {
        /// Whether the drive returned the item in answer to this upload's last byte. Only
        /// then can a difference come from the service rewriting the file.
        answers_last_byte: bool,
    },
    /// Record the new entity tag of the source, if it is still the same document.
    RenewSource,
    /// End the invocation.
    End(InvocationOutcome),
}

/// Whether the checkpoint has to be stored before the next command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Persist {
    /// Store the checkpoint before the next command.
    Before,
    /// The next command needs no new checkpoint.
    NotNeeded,
}

impl Persist {
    pub(super) const fn before_if(is_needed: bool) -> Self {
        if is_needed { Self::Before } else { Self::NotNeeded }
    }
}

/// Names under which the document may be at the destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CandidateNames {
    /// Only the name with this number; 0 is the document's own name.
    One(u32),
    /// The document's own name and the numbered ones up to the first that is free, because
    /// the service chose the number.
    All,
}

/// End of an invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvocationOutcome {
    /// The delivery is verified and recorded.
    Done,
    /// The time of the invocation is over; the next one continues.
    HandOver,
    /// The drive asks for a pause, of this length if it named one.
    Wait(Option<Duration>),
    /// Another session for the path is open, or an editor has the file open. Try again
    /// after this time.
    Blocked(Duration),
    /// This run fails with the code, or this step does when the code is retryable.
    Failed(FailureCode),
}

/// Result of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DriveEvent {
    /// The session expects these bytes; `None` when it names none.
    Expects(Option<ExpectedRange>),
    /// The fragment was accepted (202).
    Accepted {
        /// The bytes that the drive expects next; `None` when it named no range.
        next: Option<ExpectedRange>,
        /// Duration of the request.
        took: Duration,
    },
    /// The document is complete: the drive answered with the item.
    Complete,
    /// The fragment does not start at the offset of the session (416).
    Mismatch,
    /// The session is gone.
    Gone,
    /// A server error, a broken connection, or a success without its body. The command may
    /// have taken effect.
    Lost,
    /// The command had no effect, and a repetition may help. The code is the failure after
    /// the last repetition.
    NoEffect(FailureCode),
    /// No answer in time. The command may have taken effect.
    TimedOut,
    /// The time of the invocation ended before the answer. The command may have taken
    /// effect.
    OutOfTime,
    /// An upload session was opened, and its URL is stored.
    Opened,
    /// The upload session is closed.
    Closed {
        /// Whether the session was still open, so that it was never completed. `false` when
        /// it had expired, or was deleted or completed before.
        was_open: bool,
    },
    /// Result of looking up the destination.
    Found(Occupancy),
    /// The source is hashed up to this position.
    Hashed(u64),
    /// The small document is in memory and hashed.
    Loaded,
    /// The delivery is verified and recorded.
    Verified,
    /// The file that was found is not the document.
    OtherFile,
    /// The service has not computed the hash yet.
    HashPending,
    /// The service answered the last byte with an item that is not found at the
    /// destination.
    NotSeen,
    /// The service answered the last byte with a file that it rewrote, and the content
    /// cannot be compared.
    Unproven,
    /// The new entity tag of the source is recorded.
    Renewed,
    /// The source cannot be read at the moment.
    SourceUnreadable,
    /// The source has another entity tag than before.
    SourceChanged,
    /// The service throttles; the command had no effect.
    Throttled(Option<Duration>),
    /// The item at the path is in the way, has changed, or is being uploaded (409, 412). As
    /// the result of a lookup: a folder has the document's name.
    Conflict,
    /// Refused, and no repetition in this invocation can help.
    Refused(FailureCode),
}

/// Result of looking up the destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occupancy {
    /// No file.
    Nothing,
    /// A file of another size.
    Other,
    /// A file that may be the document: it has the same size, or the service may have
    /// rewritten it. The comparison decides.
    SameSize,
    /// A folder with the document's name.
    Folder,
    /// No file, and a file stands in place of a parent folder.
    FileInPath,
}

/// Range of bytes that a session still expects: the first of the ranges that it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExpectedRange {
    /// The first missing byte.
    pub start: u64,
    /// One past the last missing byte; `None` when everything from `start` on is missing.
    pub end: Option<u64>,
}

impl ExpectedRange {
    /// Creates a range without an end.
    #[must_use]
    pub const fn open(start: u64) -> Self {
        Self { start, end: None }
    }
}

/// Settings that apply to every upload of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UploadRules {
    /// Maximum size of a fragment, in bytes.
    pub largest_fragment: u64,
    /// Policy for a destination where a file of that name exists.
    pub policy: ConflictPolicy,
}
