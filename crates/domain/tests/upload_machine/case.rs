//! Test cases of the model test: a document, the state of the destination, and the events that
//! happen during the upload.

use docferry_domain::failure::FailureCode;
use docferry_domain::upload::ConflictPolicy as Policy;

/// Event that happens while the upload executes one command. Most events are faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// The step succeeds.
    Succeed,
    /// The process crashes before the step.
    CrashBefore,
    /// The step takes effect, and the process crashes before it gets the response.
    CrashAfter,
    /// An older invocation executes the same command just before.
    Duplicate,
    /// The step takes effect, and the response is lost.
    LoseResponse,
    /// This percentage of the fragment is stored, and the response is an error.
    StorePart(u64),
    /// The step has no effect, and the response is a server error.
    ServerError,
    /// The step has no effect, and no response arrives.
    TimeOut,
    /// No response arrives. The step takes effect later, just before the next bytes are sent.
    TakeEffectLate,
    /// The session has expired.
    ExpireSession,
    /// The service throttles.
    Throttle,
    /// Cancellation is requested, then the step succeeds.
    Cancel,
    /// The response contains no range, or no hash.
    OmitRangeOrHash,
    /// The drive reports that the file is complete, but it has another size.
    WrongSize,
    /// The source does not respond.
    SourceUnreadable,
    /// The source is written again.
    SourceChange,
    /// Another document is pushed under the source's key.
    PushOtherDocument,
    /// Another session holds the path for this number of waits.
    HoldPath(u32),
    /// The upload URL is refused although its session is open until it expires.
    RefuseUploadUrl,
    /// The item at the path has changed, and nothing is stored.
    Conflict,
    /// The step takes effect, and the response is a success without its body.
    OmitItem,
    /// The step takes effect, then the session loses every byte.
    LoseStoredBytes,
    /// Only the second half of a fragment is stored, and the response is an error.
    StoreSecondHalf,
    /// The service computes the hash after this number of checks.
    DelayHash(u32),
    /// The time of the invocation ends during the step.
    OutOfTime,
}

/// A test case.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    /// Size of the document, in bytes.
    pub(crate) total: u64,
    /// Maximum length of a fragment, in bytes.
    pub(crate) largest_fragment: u64,
    pub(crate) policy: Policy,
    /// A foreign file that exists under the document's name before the upload, if any.
    pub(crate) foreign_file: Option<ForeignFile>,
    /// Events, each with the number of successful steps before it.
    pub(crate) events: Vec<(u8, Event)>,
}

/// Size of a foreign file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ForeignFile {
    /// The file has the document's size.
    SameSize,
    /// The file has another size than the document.
    OtherSize,
}

/// Outcome of the transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    Delivered,
    Canceled,
    Failed(FailureCode),
}
