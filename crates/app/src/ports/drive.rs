//! The recipient's drive: Microsoft Graph's upload sessions, single PUTs and look-ups.

use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use docferry_domain::document::{DocumentName, DriveFolder, ItemFacts, PathRule};
use docferry_domain::failure::FailureCode;
use docferry_domain::person::Recipient;
use docferry_domain::transfer::Transfer;
use docferry_domain::upload::{ExpectedRange, FragmentRange};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};

pub use docferry_domain::upload::ConflictPolicy;

use super::{ByteStream, Cause};

/// Destination of a document in a recipient's drive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The recipient, who owns the drive.
    pub recipient: Recipient,
    /// The folder; the service creates missing ones.
    pub folder: DriveFolder,
    /// The document's name.
    pub name: DocumentName,
}

impl Destination {
    /// Returns the destination of a transfer, once the document's name is known; `None` when
    /// the target is no drive.
    #[must_use]
    pub fn of(transfer: &Transfer) -> Option<Self> {
        let drive = transfer.target.drive()?;
        Some(Self {
            recipient: drive.recipient.clone(),
            folder: drive.folder.clone(),
            name: transfer.source.as_ref()?.name.clone(),
        })
    }

    /// Returns the same destination with this number appended to the name, in the service's own
    /// way of numbering; 0 is the name itself.
    ///
    /// # Errors
    /// [`PathRule`] when the numbered name would be too long.
    pub fn numbered(&self, number: u32) -> Result<Self, PathRule> {
        Ok(Self { name: self.name.numbered(number)?, ..self.clone() })
    }
}

/// URL of an upload session. It carries its own credential: a bearer secret, stored only
/// encrypted and used byte for byte as received.
#[derive(Clone)]
pub struct UploadUrl(SecretString);

impl UploadUrl {
    /// Wraps the URL exactly as the service returned it.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self(SecretString::from(url.into()))
    }

    /// Returns the URL, for the request itself and for encryption.
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

/// An upload session that the drive opened.
#[derive(Debug, Clone)]
pub struct UploadSession {
    /// URL to which fragments are sent.
    pub url: UploadUrl,
    /// When the drive drops the session unless fragments arrive; `None` when the drive does not
    /// say.
    pub expires_at: Option<Timestamp>,
}

/// Status of an open session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionStatus {
    /// The first missing range. `None` when the drive names none: the file is complete, or the
    /// drive does not say. Look the destination up then.
    pub next: Option<ExpectedRange>,
}

/// Result of deleting a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionEnd {
    /// The session was open and is now deleted.
    Deleted,
    /// The session did not exist any more: expired, deleted before, or complete.
    AlreadyGone,
}

/// The drive's answer to a fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FragmentResult {
    /// The fragment was stored (202).
    Accepted {
        /// The range that the drive expects next, starting at its offset; `None` when it named
        /// no range.
        next: Option<ExpectedRange>,
    },
    /// The file is complete, and the answer holds its item. A success without an item is
    /// [`DriveError::Ambiguous`] instead.
    Completed(DriveItem),
}

/// An item in a drive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriveItem {
    /// Id of the item in the drive.
    pub id: String,
    /// Size and hash.
    pub facts: ItemFacts,
    /// URL at which the owner can open it in a browser, if the service returned one.
    pub web_url: Option<String>,
}

/// Failure of a drive call. Variants differ in how the caller has to react.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// Too many requests or temporarily unavailable (429, 503, 509): wait for `retry_after`, or
    /// a default time, then continue. Nothing was stored.
    #[error("the drive asks to slow down")]
    Throttled {
        /// From `Retry-After`, seconds or date.
        retry_after: Option<Duration>,
    },
    /// A 5xx, a time-out, a broken connection, or a success without its expected body: the call
    /// may or may not have taken effect. Query the state before repeating it.
    #[error("the drive's answer was lost, is a server error or has no meaning")]
    Ambiguous(#[source] Cause),
    /// The call had no effect, and repeating it may help: a refusal of a read, or a path that
    /// was not found although the recipient has a drive.
    #[error("the drive did not do it")]
    NoEffect {
        /// The failure code if repetitions do not help.
        then: FailureCode,
        /// The drive's answer.
        #[source]
        cause: Cause,
    },
    /// The fragment does not start at the session's offset (416): query the session.
    #[error("the drive expects another offset")]
    OffsetMismatch,
    /// The upload URL is not valid any more (401, 403, 404, 410). The file may be complete:
    /// look the destination up before starting again.
    #[error("the upload session is gone")]
    SessionGone,
    /// The item at the path conflicts, has changed, or is being uploaded by another session
    /// (409, 412). As an answer to [`Drive::find`]: a folder has that name.
    #[error("the item at the path is in the way")]
    Conflict,
    /// The file is open or locked (423).
    #[error("the file is locked")]
    Locked,
    /// The drive is full (507).
    #[error("the drive is full")]
    QuotaExceeded,
    /// The request is invalid (400): name, path or size. Repeating it does not help.
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
    /// Our credentials or permissions were refused (401 after a token refresh, 403).
    #[error("the drive refuses our credentials ({code})")]
    Unauthorized {
        /// The service's most specific error code.
        code: String,
    },
    /// The request body could not be read from the exchange bucket; it is unknown how much of
    /// the sent part the drive has stored.
    #[error("the source could not be read")]
    Body,
}

/// A person's drive that accepts large files in fragments (Microsoft Graph).
///
/// Implementations translate HTTP statuses into [`DriveError`] in one place, refresh their own
/// token once after a 401, and do not retry: the caller decides how to react to an ambiguous
/// answer.
pub trait Drive: Send + Sync {
    /// Opens an upload session for `size` bytes (at least 1).
    ///
    /// Not idempotent: after [`DriveError::Ambiguous`] a session may exist whose URL is lost.
    /// Until that session expires, after about 15 minutes, every other session for the path is
    /// refused with [`DriveError::Conflict`], under any policy.
    fn create_session(
        &self,
        destination: &Destination,
        size: u64,
        policy: ConflictPolicy,
    ) -> impl Future<Output = Result<UploadSession, DriveError>> + Send;

    /// Queries which bytes the session still expects.
    fn session_status(
        &self,
        url: &UploadUrl,
    ) -> impl Future<Output = Result<SessionStatus, DriveError>> + Send;

    /// Sends the bytes `range` of the document; `body` yields exactly that many.
    ///
    /// `range.start` must equal the session's next expected offset; any other start fails with
    /// [`DriveError::OffsetMismatch`].
    ///
    /// Not atomic with docferry's own records: after [`DriveError::Ambiguous`] or
    /// [`DriveError::Body`], and when the future is dropped, the bytes may or may not be
    /// stored. Call [`Drive::session_status`] before sending again.
    fn put_fragment(
        &self,
        url: &UploadUrl,
        range: FragmentRange,
        body: ByteStream,
    ) -> impl Future<Output = Result<FragmentResult, DriveError>> + Send;

    /// Deletes a session, so that it cannot be completed any more.
    fn delete_session(
        &self,
        url: &UploadUrl,
    ) -> impl Future<Output = Result<SessionEnd, DriveError>> + Send;

    /// Writes a whole document of at most 4,000,000 bytes in one request. An empty document can
    /// only be written this way, not through a session.
    ///
    /// After [`DriveError::Ambiguous`], and when the future is dropped, the document may be at
    /// the destination, or appear there later. [`DriveError::Conflict`] is possible under every
    /// policy.
    fn put_whole(
        &self,
        destination: &Destination,
        bytes: Bytes,
        policy: ConflictPolicy,
    ) -> impl Future<Output = Result<DriveItem, DriveError>> + Send;

    /// Returns the file at the destination's path, if there is one. Fails with
    /// [`DriveError::Conflict`] when a folder has that name.
    fn find(
        &self,
        destination: &Destination,
    ) -> impl Future<Output = Result<Option<DriveItem>, DriveError>> + Send;

    /// Returns whether a file is in the place of a folder on the destination's path.
    ///
    /// Useful only after a conflict when nothing is at the destination itself. The default
    /// implementation, for drives that cannot answer this, returns `false`.
    fn has_file_in_path(
        &self,
        _destination: &Destination,
    ) -> impl Future<Output = Result<bool, DriveError>> + Send {
        std::future::ready(Ok(false))
    }

    /// Reads `range` (not empty) of an item's content. If the item's size is not the one in
    /// `item`, the item has changed, and the call fails with [`DriveError::Ambiguous`].
    ///
    /// The default implementation, for drives that cannot read, refuses.
    fn read_item(
        &self,
        _destination: &Destination,
        _item: &DriveItem,
        _range: Range<u64>,
    ) -> impl Future<Output = Result<Bytes, DriveError>> + Send {
        std::future::ready(Err(DriveError::Refused { code: "notSupported".into() }))
    }
}
