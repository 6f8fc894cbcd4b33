//! Commands of the upload's state machine, and their results. The use case `upload` carries out
//! each command and reports its result.

use std::time::Duration;

use crate::failure::FailureCode;
use crate::upload::{ConflictPolicy, FragmentRange};

/// Command of the machine, which the use case `upload` carries out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Query the session for the bytes that it still expects.
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
        /// Number in the name; 0 stands for the document's own name. Under the policy `rename`, the
        /// machine tries higher numbers as long as the name is taken.
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
        /// Whether the drive returned the item in response to this upload's last byte. If so, a
        /// difference may mean that the service rewrote the file. If not, a file that differs is
        /// not the document.
        answers_last_byte: bool,
    },
    /// Record the new entity tag of the source, if it is still the same document.
    RenewSource,
    /// End the invocation.
    End(InvocationOutcome),
}

impl Command {
    /// Returns whether the command makes the file visible to the recipient.
    #[must_use]
    pub const fn completes_file(&self) -> bool {
        match self {
            Self::PutDocument { .. } => true,
            Self::SendFragment(range) => range.is_last(),
            _ => false,
        }
    }
}

/// States whether the caller must store the checkpoint before the next command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Persist {
    /// Store the checkpoint before the next command.
    Before,
    /// The next command needs no new checkpoint.
    NotNeeded,
}

impl Persist {
    /// Returns [`Persist::Before`] if `is_needed`.
    pub(super) const fn before_if(is_needed: bool) -> Self {
        if is_needed { Self::Before } else { Self::NotNeeded }
    }
}

/// Names under which the document may be at the destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CandidateNames {
    /// Only the name with this number; 0 is the document's own name.
    One(u32),
    /// The document's own name, and all numbered names up to the first free one. The service chose
    /// the number, so any of these names is possible.
    All,
}

/// End of an invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvocationOutcome {
    /// The delivery is verified and recorded.
    Done,
    /// The time of the invocation is over. The next invocation continues.
    HandOver,
    /// The drive asks for a pause. The length is `None` if the drive named none.
    Wait(Option<Duration>),
    /// Another session for the path is open, or an editor has the file open. The upload
    /// continues after this time.
    Blocked(Duration),
    /// The workflow's step fails with the code. If the code is not retryable, the whole run fails.
    Failed(FailureCode),
}

/// Result of a [`Command`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DriveEvent {
    /// The session expects these bytes. `None` if the session names no range.
    Expects(Option<ExpectedRange>),
    /// The fragment was accepted (202).
    Accepted {
        /// The bytes that the drive expects next. `None` if the drive named no range.
        next: Option<ExpectedRange>,
        /// Duration of the request.
        took: Duration,
    },
    /// The document is complete. The response contained the item.
    Complete,
    /// The fragment does not start at the offset of the session (416).
    Mismatch,
    /// The session no longer exists.
    Gone,
    /// A server error, a broken connection, or a success response without its body. The
    /// command may have taken effect.
    Lost,
    /// The command had no effect, and a repetition may help. If every repetition fails as well, the
    /// upload fails with the code.
    NoEffect(FailureCode),
    /// No response arrived in time. The command may have taken effect.
    TimedOut,
    /// The time of the invocation ended before the response. The command may have taken
    /// effect.
    OutOfTime,
    /// An upload session was opened, and its URL is stored.
    Opened,
    /// The upload session is closed.
    Closed {
        /// `true` if the session was still open, so it was never completed. `false` if it had
        /// expired, or had been deleted or completed.
        was_open: bool,
    },
    /// Result of looking up the destination.
    Found(Occupancy),
    /// The source has been hashed up to this position.
    Hashed(u64),
    /// The small document is in memory and hashed.
    Loaded,
    /// The delivery is verified and recorded.
    Verified,
    /// The file that was found is not the document.
    OtherFile,
    /// The service has not computed the hash yet.
    HashPending,
    /// The response to the last byte contained an item, but a lookup does not find this item at the
    /// destination.
    NotSeen,
    /// The response to the last byte contained a file that the service rewrote. Its content
    /// cannot be compared with the source.
    Unproven,
    /// The new entity tag of the source is recorded.
    Renewed,
    /// The source cannot be read at the moment.
    SourceUnreadable,
    /// The source's entity tag has changed.
    SourceChanged,
    /// The service throttled the request, so the command had no effect. The service may ask for a
    /// pause of this duration.
    Throttled(Option<Duration>),
    /// The result depends on the command:
    ///
    /// - For a write, the item at the path prevents the write, has changed, or is being uploaded
    ///   (409, 412).
    /// - For a lookup, a folder has the document's name.
    Conflict,
    /// The drive refused the command, and no repetition in this invocation can help.
    Refused(FailureCode),
}

/// Result of looking up the destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occupancy {
    /// There is no file.
    Nothing,
    /// A file of another size.
    Other,
    /// A file that may be the document. It has the same size, or the service may have
    /// rewritten it. [`Command::Verify`] decides.
    SameSize,
    /// A folder with the document's name.
    Folder,
    /// There is no file, because another file stands in place of a parent folder.
    FileInPath,
}

/// Range of bytes that a session still expects. If the session names several ranges, this is the
/// first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExpectedRange {
    /// The first missing byte.
    pub start: u64,
    /// One past the last missing byte. `None` if all bytes from `start` on are missing.
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
    /// Policy for a destination at which a file of the document's name exists.
    pub policy: ConflictPolicy,
}
