use std::time::Duration;

use crate::{ConflictPolicy, FailureCode, FragmentRange};

/// What is done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Ask the session where it stands.
    Ask,
    /// Look at the destination: the document may be complete there.
    Look(Names),
    /// Read the source up to here, only to hash it.
    Hash {
        /// One past the last byte.
        until: u64,
    },
    /// Read a small document whole, into memory and into the hash.
    Load,
    /// Put a small document whole, under the name with this number; 0 is its own.
    Put {
        /// Counts up while names are taken and the policy is to number.
        number: u32,
    },
    /// Open a session.
    Open,
    /// End the session, so that nobody can complete it any more.
    Close,
    /// Send these bytes to the session.
    Send(FragmentRange),
    /// Compare what is at the destination with the source, and record it.
    Verify {
        /// The drive completed it in answer to our own last bytes; only then can a
        /// difference be the service's rewriting.
        by_us: bool,
    },
    /// The source was written again: take its new tag, if it is the same document.
    Renew,
    /// This invocation is over.
    End(End),
}

/// Under which names a document may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// Under the one with this number; 0 is its own.
    One(u32),
    /// Its own, and numbered ones up to the first that is free: the service chose.
    All,
}

/// How an invocation ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The delivery is verified and recorded.
    Done,
    /// Its time is over; the next one goes on.
    HandOver,
    /// The drive asks for a pause, as long as it says if it says.
    Wait(Option<Duration>),
    /// Another session for the path lives, or an editor has the file open: again after
    /// this time.
    Blocked(Duration),
    /// This attempt does not succeed, or not now, as the code says.
    Failed(FailureCode),
}

/// What came of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The session wants these bytes; `None` when it names none.
    Stands(Option<Gap>),
    /// The fragment was taken (202). `next` is what the drive wants now.
    Accepted {
        /// `None` when it named no range.
        next: Option<Gap>,
        /// How long it took.
        took: Duration,
    },
    /// The document is complete: the drive answered with its item.
    Complete,
    /// The fragment does not start where the session stands (416).
    Mismatch,
    /// The session is gone.
    Gone,
    /// A server error, a broken connection, or a success without its body: it was done,
    /// or not.
    Lost,
    /// Nothing was done, and a repetition may help. The code is the failure when it does
    /// not.
    NotDone(FailureCode),
    /// No answer in the time allowed: it was done, or not.
    TimedOut,
    /// The invocation's time was over before the answer: it was done, or not.
    OutOfTime,
    /// A session was opened, and its URL is stored.
    Opened,
    /// The session is closed. One that `was_open` was never completed.
    Closed {
        /// `false` when it was gone before: lapsed, deleted or complete.
        was_open: bool,
    },
    /// What lies at the destination.
    Found(Seen),
    /// The source is hashed up to here.
    Hashed(u64),
    /// A small document is in memory and hashed.
    Loaded,
    /// Verified and recorded.
    Verified,
    /// What was found is not the source.
    NotOurs,
    /// The service has not computed the hash yet.
    HashPending,
    /// The service answered our last byte with an item that is not at the destination.
    NotSeen,
    /// The service answered our last byte with a file that it rewrote, and whose content
    /// cannot be compared.
    Unproven,
    /// The source's new tag is recorded.
    Renewed,
    /// The source could not be read for now.
    SourceBroke,
    /// The source has another tag than before.
    SourceChanged,
    /// Slow down; nothing was done.
    Throttled(Option<Duration>),
    /// The item at the path is in the way, has changed, or is being uploaded (409, 412).
    /// In answer to a look: a folder has the document's name.
    Conflict,
    /// Refused for good, or by something that this invocation cannot change.
    Refused(FailureCode),
}

/// What a look at the destination showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// No file.
    Nothing,
    /// A file of another size.
    Other,
    /// A file that may be the document: one of its size, or one that the service may have
    /// rewritten. The comparison decides.
    SameSize,
    /// A folder with the document's name.
    Folder,
    /// No file, and a file where the path needs a folder.
    FileInPath,
}

/// Bytes that a session still wants: the first of the ranges that it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The first missing byte.
    pub start: u64,
    /// One past the last missing byte; `None` when everything from `start` on is missing.
    pub end: Option<u64>,
}

impl Gap {
    /// Everything from `start` on.
    #[must_use]
    pub const fn open(start: u64) -> Self {
        Self { start, end: None }
    }
}

/// What holds for every upload of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CourseRules {
    /// No fragment is larger.
    pub largest_fragment: u64,
    /// What happens when a file of that name is already there.
    pub policy: ConflictPolicy,
}
