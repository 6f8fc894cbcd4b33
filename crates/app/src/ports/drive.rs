//! Port of the recipient's drive: upload sessions, single PUTs and look-ups, as Microsoft Graph
//! offers them for OneDrive. The crate `docferry-graph` implements the trait [`Drive`]. The steps
//! `upload` and `finalize` are its callers.
//!
//! An *upload session* receives a large file in fragments, consecutive byte ranges, through its own
//! URL.

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
    /// The folder. The service creates missing folders of the path.
    pub folder: DriveFolder,
    /// The document's name.
    pub name: DocumentName,
}

impl Destination {
    /// Returns the destination of a transfer; `None` while the document's name is unknown, or when
    /// the transfer is a download.
    #[must_use]
    pub fn of(transfer: &Transfer) -> Option<Self> {
        let drive = transfer.target.drive()?;
        Some(Self {
            recipient: drive.recipient.clone(),
            folder: drive.folder.clone(),
            name: transfer.source.as_ref()?.name.clone(),
        })
    }

    /// Returns the same destination with a numbered name, such as `order 1.pdf`. Number 0 is the
    /// document's own name. OneDrive uses the same form when it renames a conflicting file.
    ///
    /// # Errors
    /// [`PathRule`] when the numbered name would be too long.
    pub fn numbered(&self, number: u32) -> Result<Self, PathRule> {
        Ok(Self { name: self.name.numbered(number)?, ..self.clone() })
    }
}

/// URL of an upload session. The URL contains its own credential, so it is a secret: docferry
/// stores it only encrypted. Requests use the URL byte for byte as received.
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
    /// Time at which the session expires unless fragments arrive; `None` when the drive did not
    /// report it.
    pub expires_at: Option<Timestamp>,
}

/// Status of an open session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionStatus {
    /// The first missing range; `None` when the drive reports no range. With `None`, the file may
    /// or may not be complete, so the caller looks the destination up.
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

/// Successful response of the drive to a fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FragmentResult {
    /// The fragment was stored (202).
    Accepted {
        /// The range that the drive expects next; `None` when the drive reported no range.
        next: Option<ExpectedRange>,
    },
    /// The file is complete, and the response contains its item. A successful response without an
    /// item is [`DriveError::Ambiguous`] instead.
    Completed(DriveItem),
}

/// An item in a drive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriveItem {
    /// Id of the item in the drive.
    pub id: String,
    /// Size and hash.
    pub facts: ItemFacts,
    /// URL at which the drive's owner can open the item in a browser, if the service returned one.
    pub web_url: Option<String>,
}

/// Failure of a drive call. Variants differ in how the caller has to react.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// The drive has received too many requests or is temporarily unavailable (429, 503, 509), and
    /// has stored nothing. Wait for `retry_after`, or for a default time, and continue.
    #[error("the drive asks to slow down")]
    Throttled {
        /// Wait that the header `Retry-After` asks for.
        retry_after: Option<Duration>,
    },
    /// The call may or may not have taken effect, because of a status 5xx, a time-out, a broken
    /// connection, or a successful response without the expected body. Query the state before
    /// repeating the call.
    #[error("the drive's answer was lost, is a server error or has no meaning")]
    Ambiguous(#[source] Cause),
    /// The call had no effect, but may succeed when it is repeated. Examples are a rejected read,
    /// and a path that was not found although the recipient has a drive.
    #[error("the drive did not carry out the request")]
    NoEffect {
        /// Failure code of the transfer if all repetitions fail as well.
        final_code: FailureCode,
        /// The drive's response.
        #[source]
        cause: Cause,
    },
    /// The fragment does not start at the offset that the session expects (416). Query the
    /// session's status.
    #[error("the drive expects another offset")]
    OffsetMismatch,
    /// The upload URL is not valid any more (401, 403, 404, 410). The file may be complete, so look
    /// the destination up before starting the upload again.
    #[error("the upload session is gone")]
    SessionGone,
    /// The item at the path conflicts, has changed, or is being uploaded by another session
    /// (409, 412). [`Drive::find`] fails with this error when a folder has the name.
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
    /// The recipient does not exist.
    #[error("no such user")]
    RecipientNotFound,
    /// The recipient exists but has no drive.
    #[error("the user has no drive")]
    DriveNotProvisioned,
    /// docferry's credentials or permissions were rejected (401 after a token refresh, 403).
    #[error("the drive refuses our credentials ({code})")]
    Unauthorized {
        /// The service's most specific error code.
        code: String,
    },
    /// The request body could not be read from the exchange bucket. It is unknown how many of the
    /// sent bytes the drive has stored.
    #[error("the source could not be read")]
    Body,
}

/// A person's drive that accepts large files in fragments (Microsoft Graph).
///
/// Implementations translate HTTP statuses into [`DriveError`] in one place. They refresh their
/// token once after a status 401. They do not retry any other failure, because only the caller
/// knows how to react to [`DriveError::Ambiguous`].
pub trait Drive: Send + Sync {
    /// Opens an upload session for `size` bytes (at least 1).
    ///
    /// This call is not idempotent. After [`DriveError::Ambiguous`], the drive may have a session
    /// whose URL is lost. That session expires after about 15 minutes. Until then, each further
    /// call for the path fails with [`DriveError::Conflict`], under any policy.
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

    /// Sends the bytes `range` of the document. `body` yields exactly these bytes.
    ///
    /// `range.start` must equal the offset that the session expects next; if not, the call fails
    /// with [`DriveError::OffsetMismatch`].
    ///
    /// After [`DriveError::Ambiguous`] or [`DriveError::Body`], the drive may or may not have
    /// stored the bytes. The same holds if the caller drops the future. The caller has to call
    /// [`Drive::session_status`] before it sends again.
    fn put_fragment(
        &self,
        url: &UploadUrl,
        range: FragmentRange,
        body: ByteStream,
    ) -> impl Future<Output = Result<FragmentResult, DriveError>> + Send;

    /// Deletes a session, so that no request can complete its file any more.
    fn delete_session(
        &self,
        url: &UploadUrl,
    ) -> impl Future<Output = Result<SessionEnd, DriveError>> + Send;

    /// Writes a whole document of at most 4,000,000 bytes in one request. This is the only way to
    /// write an empty document, because a session needs at least one byte.
    ///
    /// After [`DriveError::Ambiguous`], the document may be at the destination, or appear there
    /// later. The same holds if the caller drops the future. The call can fail with
    /// [`DriveError::Conflict`] under every policy.
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

    /// Returns the user id of a recipient, after another call has used the recipient's drive. The
    /// default implementation returns `None`. It is for drives whose users have no ids.
    fn recipient_id(
        &self,
        _recipient: &Recipient,
    ) -> impl Future<Output = Result<Option<String>, DriveError>> + Send {
        std::future::ready(Ok(None))
    }

    /// Returns whether a part of the destination's folder path is a file instead of a folder.
    ///
    /// Callers use the result to explain a conflict when there is no item at the destination
    /// itself. The default implementation returns `false`. It is for drives that cannot check this.
    fn has_file_in_path(
        &self,
        _destination: &Destination,
    ) -> impl Future<Output = Result<bool, DriveError>> + Send {
        std::future::ready(Ok(false))
    }

    /// Reads `range` (not empty) of an item's content. Fails with [`DriveError::Ambiguous`] if the
    /// stored item has another size than `item`, because the item has then changed.
    ///
    /// The default implementation fails with [`DriveError::Refused`]. It is for drives that cannot
    /// read.
    fn read_item(
        &self,
        _destination: &Destination,
        _item: &DriveItem,
        _range: Range<u64>,
    ) -> impl Future<Output = Result<Bytes, DriveError>> + Send {
        std::future::ready(Err(DriveError::Refused { code: "notSupported".into() }))
    }
}
