use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use docferry_domain::{
    DocumentName, DriveFolder, FailureCode, FragmentRange, Gap, ItemFacts, PathRule, Recipient,
    Transfer,
};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};

pub use docferry_domain::ConflictPolicy;

use super::{ByteStream, Cause};

/// Where in whose drive a document goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The recipient; the drive's owner.
    pub recipient: Recipient,
    /// The folder; missing ones are created by the service.
    pub folder: DriveFolder,
    /// The document's name.
    pub name: DocumentName,
}

impl Destination {
    /// Where a transfer's document goes, once its name is known; `None` when it goes
    /// to no drive.
    #[must_use]
    pub fn of(transfer: &Transfer) -> Option<Self> {
        let drive = transfer.target.drive()?;
        Some(Self {
            recipient: drive.recipient.clone(),
            folder: drive.folder.clone(),
            name: transfer.source.as_ref()?.name.clone(),
        })
    }

    /// The same under its name with this number, as the service numbers; 0 is the
    /// name itself.
    ///
    /// # Errors
    /// [`PathRule`] when the name would be too long with it.
    pub fn numbered(&self, number: u32) -> Result<Self, PathRule> {
        Ok(Self { name: self.name.numbered(number)?, ..self.clone() })
    }
}

/// The URL of an upload session. It carries its own credential: it is a bearer
/// secret, stored only sealed and replayed byte for byte.
#[derive(Clone)]
pub struct UploadUrl(SecretString);

impl UploadUrl {
    /// Wraps the URL exactly as the service gave it.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self(SecretString::from(url.into()))
    }

    /// The URL, for the request itself and for sealing.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for UploadUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UploadUrl(…)")
    }
}

/// A session that the drive opened.
#[derive(Debug, Clone)]
pub struct UploadSession {
    /// Where fragments go.
    pub url: UploadUrl,
    /// When the drive forgets it unless fragments arrive; `None` when not told.
    pub expires_at: Option<Timestamp>,
}

/// What an open session still wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionStatus {
    /// The first missing bytes; `None` when the drive names no missing range
    /// (complete, or it does not tell: look the destination up).
    pub next: Option<Gap>,
}

/// How ending a session went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionEnd {
    /// It was open and is not any more.
    Deleted,
    /// It was gone: lapsed, deleted before, or complete.
    AlreadyGone,
}

/// The drive's answer to a fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FragmentAnswer {
    /// Stored (202). `next` is what the drive expects now; `None` when it named no range.
    Accepted {
        /// The server's offset, and the end of the range that it wants.
        next: Option<Gap>,
    },
    /// The document is complete: the answer held its item. A success without an item is
    /// [`DriveError::Ambiguous`].
    Completed(DriveItem),
}

/// An item in a drive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriveItem {
    /// The drive's id of the item.
    pub id: String,
    /// Size and hash.
    pub facts: ItemFacts,
    /// Where its owner opens it in a browser, if the service said.
    pub web_url: Option<String>,
}

/// Why the drive did not do it, by what to do next.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// Too many requests or temporarily unavailable (429, 503, 509): wait, as
    /// long as it says if it says, then go on. Nothing was stored.
    #[error("the drive asks to slow down")]
    Throttled {
        /// From `Retry-After`, seconds or date.
        retry_after: Option<Duration>,
    },
    /// A 5xx, a time-out, a broken connection or a success without the body that belongs
    /// to it: it may or may not have been done. Ask before doing it again.
    #[error("the drive's answer was lost, is a server error or has no meaning")]
    Ambiguous(#[source] Cause),
    /// Nothing was done, and a repetition may help: a refusal of a call that only looks, or
    /// a path that was not found although the recipient has a drive.
    #[error("the drive did not do it")]
    NotDone {
        /// The failure when repetitions do not help.
        then: FailureCode,
        /// What the drive answered.
        #[source]
        cause: Cause,
    },
    /// The fragment does not start where the session stands (416): ask the session.
    #[error("the drive expects another offset")]
    OffsetMismatch,
    /// The upload URL is dead (401, 403, 404, 410): the document may be complete; look
    /// the destination up before starting again.
    #[error("the upload session is gone")]
    SessionGone,
    /// The item at the path is in the way, has changed or is being uploaded by another
    /// session (409, 412). In answer to [`Drive::find`]: a folder has that name.
    #[error("the item at the path is in the way")]
    Conflict,
    /// The file is open or locked (423).
    #[error("the file is locked")]
    Locked,
    /// The drive is full (507).
    #[error("the drive is full")]
    QuotaExceeded,
    /// The request is wrong for good (400): name, path or size.
    #[error("the drive refuses the request ({code})")]
    Refused {
        /// The service's most specific error code.
        code: String,
    },
    /// No such user.
    #[error("no such user")]
    RecipientNotFound,
    /// The user has no drive.
    #[error("the user has no drive")]
    DriveNotProvisioned,
    /// Our credentials or rights are refused (401 after a refresh, 403).
    #[error("the drive refuses our credentials ({code})")]
    Unauthorized {
        /// The service's most specific error code.
        code: String,
    },
    /// The body could not be read from the staging store; nothing is known of
    /// what the drive stored of the part that was sent.
    #[error("the source could not be read")]
    Body,
}

/// A person's drive that takes large files in fragments (Microsoft Graph).
///
/// Implementations translate statuses into [`DriveError`] in one place, refresh
/// their own token once on a 401, and do not retry: what to do after an
/// ambiguous answer is the caller's decision.
pub trait Drive: Send + Sync {
    /// Opens an upload session for `size` bytes (at least 1).
    ///
    /// Not idempotent: after [`DriveError::Ambiguous`] a session may exist whose URL is
    /// lost. Until it lapses, after about 15 minutes, each other session for the path is
    /// refused with [`DriveError::Conflict`], whatever the policy.
    fn create_session(
        &self,
        destination: &Destination,
        size: u64,
        policy: ConflictPolicy,
    ) -> impl Future<Output = Result<UploadSession, DriveError>> + Send;

    /// Asks the session which bytes it still wants.
    fn session_status(
        &self,
        url: &UploadUrl,
    ) -> impl Future<Output = Result<SessionStatus, DriveError>> + Send;

    /// Sends the bytes `range` of the document; `body` yields exactly as many.
    ///
    /// `range.start` must equal the session's next expected offset; anything else
    /// is [`DriveError::OffsetMismatch`].
    ///
    /// Not atomic with any record of ours: after [`DriveError::Ambiguous`] or
    /// [`DriveError::Body`], and when the future is dropped, the bytes may or may
    /// not be stored. Call [`Drive::session_status`] before sending again.
    fn put_fragment(
        &self,
        url: &UploadUrl,
        range: FragmentRange,
        body: ByteStream,
    ) -> impl Future<Output = Result<FragmentAnswer, DriveError>> + Send;

    /// Ends a session, so that nobody can complete it any more.
    fn delete_session(
        &self,
        url: &UploadUrl,
    ) -> impl Future<Output = Result<SessionEnd, DriveError>> + Send;

    /// Writes a document whole, at most 4,000,000 bytes of it; an empty one cannot
    /// go by a session.
    ///
    /// After [`DriveError::Ambiguous`], and when the future is dropped, the document
    /// may be there, or come there later. [`DriveError::Conflict`] is possible under every
    /// policy.
    fn put_whole(
        &self,
        destination: &Destination,
        bytes: Bytes,
        policy: ConflictPolicy,
    ) -> impl Future<Output = Result<DriveItem, DriveError>> + Send;

    /// The file at the destination's path, if there is one. [`DriveError::Conflict`] when
    /// a folder has that name.
    fn find(
        &self,
        destination: &Destination,
    ) -> impl Future<Output = Result<Option<DriveItem>, DriveError>> + Send;

    /// Whether a file stands where the destination's path needs a folder.
    ///
    /// Worth asking only after a conflict with nothing at the destination itself. A drive
    /// that cannot tell says no.
    fn has_file_in_path(
        &self,
        _destination: &Destination,
    ) -> impl Future<Output = Result<bool, DriveError>> + Send {
        std::future::ready(Ok(false))
    }

    /// Reads `range` (not empty) of an item's content. The item's size must be the one
    /// that was seen; otherwise it has changed, which is [`DriveError::Ambiguous`].
    ///
    /// A drive that cannot read refuses.
    fn read_item(
        &self,
        _destination: &Destination,
        _item: &DriveItem,
        _range: Range<u64>,
    ) -> impl Future<Output = Result<Bytes, DriveError>> + Send {
        std::future::ready(Err(DriveError::Refused { code: "notSupported".into() }))
    }
}
