//! State of OneDrive: files, upload sessions and scripted failures.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use docferry_app::ports::{ConflictPolicy, Destination, DriveError, DriveItem, FragmentResult};
use docferry_domain::document::{ItemFacts, SourceHash};
use docferry_domain::upload::{ExpectedRange, FragmentRange, GRANULE_BYTES};
use jiff::{SignedDuration, Timestamp};

/// A file in a drive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFile {
    /// Id that the drive assigned to the file.
    pub id: String,
    /// Content of the file.
    pub bytes: Bytes,
}

/// An upload session.
#[derive(Debug)]
pub(crate) struct Session {
    /// Path of the file to create; see [`path`].
    pub(crate) path: String,
    pub(crate) policy: ConflictPolicy,
    /// Size in bytes of the complete file.
    pub(crate) size: u64,
    /// Bytes received so far.
    pub(crate) stored: BytesMut,
    /// Time at which the session expires; each fragment or status request extends it.
    pub(crate) expires_at: Timestamp,
}

/// Lifetime of a session without a call.
pub(crate) const SESSION_LIFETIME: SignedDuration = SignedDuration::from_mins(15);

/// State of all drives and upload sessions.
#[derive(Debug, Default)]
pub struct DriveState {
    /// Files by path; see [`path`].
    pub(crate) files: BTreeMap<String, StoredFile>,
    /// Open upload sessions by upload URL.
    pub(crate) sessions: BTreeMap<String, Session>,
    /// Last number used in a file id or in an upload URL.
    pub(crate) next: u64,
    /// Body bytes received in total, so that a test can count bytes that were sent twice.
    pub received: u64,
    /// Responses to the next fragments and PUTs, in order; [`Scripted::Correct`] when empty.
    pub script: Vec<Scripted>,
    /// Whether deletion of sessions and lookups in the user directory fail.
    pub down: bool,
    /// Changes that the service makes to the content of a complete file.
    pub rewrite: Option<fn(Bytes) -> Bytes>,
    /// Number of next items to return without a hash.
    pub without_hash: u32,
}

/// A scripted response to one fragment or PUT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scripted {
    /// The correct response.
    Correct,
    /// The first `n` bytes of the body are stored and the response is lost. A PUT of a whole file
    /// is stored only for `u64::MAX`.
    StoreThenLose(u64),
    /// Nothing is stored; the request is throttled, with this `Retry-After`.
    Throttle(Option<Duration>),
    /// The session is deleted; the response says that it does not exist.
    Expire,
    /// Nothing is stored; a server error.
    ServerError,
    /// Nothing is stored; the file is locked because a user has it open.
    Lock,
    /// Nothing is stored; the item at the path conflicts with the request.
    Conflict,
    /// The bytes are stored; the response is a success without a body.
    NoItem,
    /// The bytes are acknowledged; then the session loses all bytes it has stored.
    Forget,
}

/// Key of a destination: `recipient folder/name` in lower case.
pub(crate) fn path(destination: &Destination) -> String {
    let folders = destination.folder.segments().iter().map(String::as_str);
    let names: Vec<&str> = folders.chain([destination.name.as_str()]).collect();
    format!("{} {}", destination.recipient.as_str(), names.join("/")).to_lowercase()
}

pub(crate) fn facts(bytes: &[u8]) -> ItemFacts {
    let mut hash = SourceHash::default();
    hash.append(bytes);
    ItemFacts { size: bytes.len() as u64, quick_xor_hash: Some(hash.digest()) }
}

pub(crate) fn item(id: &str, bytes: &[u8]) -> DriveItem {
    let web_url = format!("https://drive.example/{id}");
    DriveItem { id: id.to_owned(), facts: facts(bytes), web_url: Some(web_url) }
}

impl DriveState {
    /// All files, by `recipient folder/name` in lower case.
    #[must_use]
    pub fn files(&self) -> &BTreeMap<String, StoredFile> {
        &self.files
    }

    /// Number of open sessions: neither completed nor deleted, nor expired at the last call.
    #[must_use]
    pub fn open_sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Removes expired sessions.
    pub(crate) fn remove_expired_sessions(&mut self, now: Timestamp) {
        self.sessions.retain(|_, session| session.expires_at > now);
    }

    /// Returns the session and extends its lifetime.
    pub(crate) fn session(
        &mut self,
        url: &str,
        now: Timestamp,
    ) -> Result<&mut Session, DriveError> {
        self.remove_expired_sessions(now);
        let session = self.sessions.get_mut(url).ok_or(DriveError::SessionGone)?;
        session.expires_at = now + SESSION_LIFETIME;
        Ok(session)
    }

    /// Whether the path is that of a folder, that is, a file exists below it.
    pub(crate) fn is_folder(&self, path: &str) -> bool {
        self.files.keys().any(|file| file.starts_with(&format!("{path}/")))
    }

    /// Whether a file has the path of one of the parent folders.
    pub(crate) fn has_file_in_path(&self, path: &str) -> bool {
        self.files.keys().any(|file| path.starts_with(&format!("{file}/")))
    }

    /// Checks for conflicts under this policy.
    pub(crate) fn check(&self, path: &str, policy: ConflictPolicy) -> Result<(), DriveError> {
        let is_taken = policy == ConflictPolicy::Fail && self.files.contains_key(path);
        if is_taken || self.is_folder(path) || self.has_file_in_path(path) {
            return Err(DriveError::Conflict);
        }
        Ok(())
    }

    /// Returns the item, without its hash while [`without_hash`](Self::without_hash) is positive.
    pub(crate) fn item(&mut self, id: &str, bytes: &[u8]) -> DriveItem {
        let mut item = item(id, bytes);
        if self.without_hash > 0 {
            self.without_hash -= 1;
            item.facts.quick_xor_hash = None;
        }
        item
    }

    /// Creates or replaces a file.
    pub(crate) fn store(&mut self, path: String, bytes: Bytes) -> DriveItem {
        self.next += 1;
        let id = format!("item-{}", self.next);
        let bytes = self.rewrite.map_or_else(|| bytes.clone(), |rewrite| rewrite(bytes.clone()));
        let item = self.item(&id, &bytes);
        self.files.insert(path, StoredFile { id, bytes });
        item
    }

    /// Receives one fragment and gives the next scripted response.
    pub(crate) fn receive_fragment(
        &mut self,
        url: &str,
        range: FragmentRange,
        body: &[u8],
        now: Timestamp,
    ) -> Result<FragmentResult, DriveError> {
        self.received += body.len() as u64;
        self.session(url, now)?;
        match self.scripted() {
            Scripted::Correct => {}
            Scripted::StoreThenLose(len) => {
                let len = usize::try_from(len).unwrap().min(body.len());
                let _ = self.append(url, range, &body[..len]);
                return Err(DriveError::Ambiguous("lost".into()));
            }
            Scripted::NoItem => {
                let _ = self.append(url, range, body);
                return Err(DriveError::Ambiguous("no item".into()));
            }
            Scripted::Forget => {
                let session = self.session(url, now)?;
                session.stored.clear();
                return Ok(FragmentResult::Accepted { next: Some(ExpectedRange::open(range.end)) });
            }
            Scripted::Conflict => return Err(DriveError::Conflict),
            Scripted::Throttle(retry_after) => return Err(DriveError::Throttled { retry_after }),
            Scripted::Expire => {
                self.sessions.remove(url);
                return Err(DriveError::SessionGone);
            }
            Scripted::ServerError => return Err(DriveError::Ambiguous("500".into())),
            Scripted::Lock => return Err(DriveError::Locked),
        }
        if !range.is_last() && !range.len().is_multiple_of(GRANULE_BYTES) {
            return Err(DriveError::Refused { code: "unaligned".into() });
        }
        self.append(url, range, body)
    }

    /// Returns the path, or its first numbered variant that does not exist.
    pub(crate) fn free_path(&self, path: &str) -> String {
        let (stem, extension) = path.rsplit_once('.').unwrap_or((path, ""));
        let numbered = (1..).map(|number| format!("{stem} {number}.{extension}"));
        std::iter::once(path.to_owned())
            .chain(numbered)
            .find(|path| !self.files.contains_key(path))
            .unwrap()
    }

    /// Receives a whole file in one PUT and gives the next scripted response.
    pub(crate) fn receive_file(
        &mut self,
        path: String,
        bytes: Bytes,
        policy: ConflictPolicy,
    ) -> Result<DriveItem, DriveError> {
        self.received += bytes.len() as u64;
        let scripted = self.scripted();
        match scripted {
            Scripted::Correct
            | Scripted::Expire
            | Scripted::NoItem
            | Scripted::Forget
            | Scripted::StoreThenLose(u64::MAX) => {}
            Scripted::Conflict => return Err(DriveError::Conflict),
            Scripted::StoreThenLose(_) | Scripted::ServerError => {
                return Err(DriveError::Ambiguous("500".into()));
            }
            Scripted::Throttle(retry_after) => return Err(DriveError::Throttled { retry_after }),
            Scripted::Lock => return Err(DriveError::Locked),
        }
        self.check(&path, policy)?;
        let item = self.store(path, bytes);
        match scripted {
            Scripted::StoreThenLose(_) => Err(DriveError::Ambiguous("lost".into())),
            Scripted::NoItem => Err(DriveError::Ambiguous("no item".into())),
            _ => Ok(item),
        }
    }

    /// Takes the next scripted response.
    pub(crate) fn scripted(&mut self) -> Scripted {
        if self.script.is_empty() { Scripted::Correct } else { self.script.remove(0) }
    }

    /// Appends a fragment to its session; the last one creates the file.
    pub(crate) fn append(
        &mut self,
        url: &str,
        range: FragmentRange,
        body: &[u8],
    ) -> Result<FragmentResult, DriveError> {
        let session = self.sessions.get_mut(url).ok_or(DriveError::SessionGone)?;
        if range.start != session.stored.len() as u64 || range.total != session.size {
            return Err(DriveError::OffsetMismatch);
        }
        session.stored.extend_from_slice(body);
        let next = session.stored.len() as u64;
        if next < session.size {
            return Ok(FragmentResult::Accepted { next: Some(ExpectedRange::open(next)) });
        }
        let (path, policy) = (session.path.clone(), session.policy);
        // A conflict leaves the session as it was before the fragment.
        if let Err(conflict) = self.check(&path, policy) {
            let session = self.sessions.get_mut(url).ok_or(DriveError::SessionGone)?;
            session.stored.truncate(usize::try_from(range.start).unwrap());
            return Err(conflict);
        }
        let session = self.sessions.remove(url).ok_or(DriveError::SessionGone)?;
        let path = match policy {
            ConflictPolicy::Rename => self.free_path(&path),
            _ => path,
        };
        Ok(FragmentResult::Completed(self.store(path, session.stored.freeze())))
    }
}
