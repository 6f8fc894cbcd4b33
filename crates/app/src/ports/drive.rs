use std::fmt;
use std::future::Future;
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use docferry_domain::{
    DocumentName, DriveFolder, FragmentRange, ItemFacts, PathRule, Recipient, Transfer,
};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};

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

/// What happens when a file of that name is already there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ConflictPolicy {
    /// Overwrite it; OneDrive keeps the old version in its history.
    #[default]
    Replace,
    /// Keep both; the new one is numbered.
    Rename,
    /// Keep the old one and fail.
    Fail,
}

impl ConflictPolicy {
    /// Graph's name of the policy.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Replace => "replace",
            Self::Rename => "rename",
            Self::Fail => "fail",
        }
    }
}

impl FromStr for ConflictPolicy {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "replace" => Ok(Self::Replace),
            "rename" => Ok(Self::Rename),
            "fail" => Ok(Self::Fail),
            _ => Err("must be replace, rename or fail"),
        }
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
    /// The first missing byte; `None` when the drive names no missing range
    /// (complete, or it does not tell: look the destination up).
    pub next: Option<u64>,
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
    /// Stored (202). `next` is the first byte that the drive expects now;
    /// `None` when it named no range.
    Accepted {
        /// The server's offset.
        next: Option<u64>,
    },
    /// The document is complete (200, 201). The item may be missing from the
    /// answer: look the destination up.
    Completed(Option<DriveItem>),
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
    /// A 5xx, a time-out or a broken connection: it may or may not have been
    /// done. Ask before doing it again.
    #[error("the drive's answer was lost or is a server error")]
    Ambiguous(#[source] Cause),
    /// The fragment does not start where the session stands (416): ask the session.
    #[error("the drive expects another offset")]
    OffsetMismatch,
    /// The upload URL is dead (404, 401): the document may be complete; look the
    /// destination up before starting again.
    #[error("the upload session is gone")]
    SessionGone,
    /// A file of that name exists, or an old session for the same path lives (409).
    #[error("a file of that name exists")]
    Conflict,
    /// The file is open or locked (423).
    #[error("the file is locked")]
    Locked,
    /// The drive is full (507).
    #[error("the drive is full")]
    QuotaExceeded,
    /// The request is wrong for good (400, 412, …): name, path or size.
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
    /// Not idempotent: after [`DriveError::Ambiguous`] a session may exist that
    /// nobody knows; it lapses by itself after minutes and blocks nothing under
    /// [`ConflictPolicy::Replace`].
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
    /// go by a session. `None` when the answer held no item: look the destination up.
    ///
    /// After [`DriveError::Ambiguous`], and when the future is dropped, the document
    /// may be there, or come there later. [`DriveError::Conflict`] only under
    /// [`ConflictPolicy::Fail`], or when a folder has that name.
    fn put_whole(
        &self,
        destination: &Destination,
        bytes: Bytes,
        policy: ConflictPolicy,
    ) -> impl Future<Output = Result<Option<DriveItem>, DriveError>> + Send;

    /// The item at the destination's path, if there is one.
    fn find(
        &self,
        destination: &Destination,
    ) -> impl Future<Output = Result<Option<DriveItem>, DriveError>> + Send;
}
