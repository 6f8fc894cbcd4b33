//! State of the in-memory OneDrive: files, upload sessions and the responses that a test scripts.
//!
//! A client uploads a large file in an upload session, in parts called fragments. It uploads a
//! small file in one PUT.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use docferry_app::ports::{ConflictPolicy, Destination, DriveError, DriveItem};
use docferry_domain::document::{ItemFacts, SourceHash};
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
    /// Path of the file to create, in the form that [`path`] returns.
    pub(crate) path: String,
    pub(crate) policy: ConflictPolicy,
    /// Size in bytes of the complete file.
    pub(crate) size: u64,
    /// Bytes received so far.
    pub(crate) stored: BytesMut,
    /// Time at which the session expires. Each fragment or status request extends it.
    pub(crate) expires_at: Timestamp,
}

/// Time without a request after which a session expires.
pub(crate) const SESSION_LIFETIME: SignedDuration = SignedDuration::from_mins(15);

/// State of all drives and upload sessions.
#[derive(Debug, Default)]
pub struct DriveState {
    /// Files by their paths, in the form that [`path`] returns.
    pub(crate) files: BTreeMap<String, StoredFile>,
    /// Open upload sessions by upload URL.
    pub(crate) sessions: BTreeMap<String, Session>,
    /// Last number used in a file id or in an upload URL.
    pub(crate) last_number: u64,
    /// Number of body bytes received in total. It shows a test whether bytes were sent twice.
    pub received: u64,
    /// Responses to the next fragments and PUTs, in order. When the script is empty, the response
    /// is [`Scripted::Correct`].
    pub script: Vec<Scripted>,
    /// Whether deletion of sessions and lookups in the user directory fail.
    pub down: bool,
    /// Changes that the service makes to the content of a complete file.
    pub rewrite: Option<fn(Bytes) -> Bytes>,
    /// Number of items that are still returned without a hash.
    pub without_hash: u32,
}

/// A scripted response to one fragment or PUT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scripted {
    /// The correct response.
    Correct,
    /// This number of bytes of the body is stored, and the response is lost. A PUT of a whole file
    /// is stored only if the number is `u64::MAX`.
    StoreThenLose(u64),
    /// Nothing is stored. The response is 429 with this `Retry-After`.
    Throttle(Option<Duration>),
    /// The session is deleted, and the response says that the session does not exist.
    Expire,
    /// Nothing is stored. The response is a server error.
    ServerError,
    /// Nothing is stored. The response says that the file is locked, as when a user has opened it.
    Lock,
    /// Nothing is stored. The response says that the item at the path conflicts with the request.
    Conflict,
    /// The bytes are stored. The response is a success without a body.
    NoItem,
    /// The bytes are acknowledged. Then the session loses all bytes that it has stored.
    Forget,
}

/// Returns the path of a destination: `recipient folder/name` in lower case.
pub(crate) fn path(destination: &Destination) -> String {
    let folders = destination.folder.segments().iter().map(String::as_str);
    let names: Vec<&str> = folders.chain([destination.name.as_str()]).collect();
    format!("{} {}", destination.recipient.as_str(), names.join("/")).to_lowercase()
}

/// Returns the size and the hash of a file.
pub(crate) fn facts(bytes: &[u8]) -> ItemFacts {
    let mut hash = SourceHash::default();
    hash.append(bytes);
    ItemFacts { size: bytes.len() as u64, quick_xor_hash: Some(hash.digest()) }
}

/// Returns the item that the service reports for a file.
pub(crate) fn item(id: &str, bytes: &[u8]) -> DriveItem {
    let web_url = format!("https://drive.example/{id}");
    DriveItem { id: id.to_owned(), facts: facts(bytes), web_url: Some(web_url) }
}

impl DriveState {
    /// Returns all files, by `recipient folder/name` in lower case.
    #[must_use]
    pub fn files(&self) -> &BTreeMap<String, StoredFile> {
        &self.files
    }

    /// Returns the number of open sessions. An expired session counts until the next request.
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

    /// Returns whether the path is that of a folder, which means that a file exists below it.
    pub(crate) fn is_folder(&self, path: &str) -> bool {
        self.files.keys().any(|file| file.starts_with(&format!("{path}/")))
    }

    /// Returns whether the path has a file where it needs a folder.
    pub(crate) fn has_file_in_path(&self, path: &str) -> bool {
        self.files.keys().any(|file| path.starts_with(&format!("{file}/")))
    }

    /// Checks that a file may be created at the path under this policy.
    pub(crate) fn check_conflict(
        &self,
        path: &str,
        policy: ConflictPolicy,
    ) -> Result<(), DriveError> {
        let is_taken = policy == ConflictPolicy::Fail && self.files.contains_key(path);
        if is_taken || self.is_folder(path) || self.has_file_in_path(path) {
            return Err(DriveError::Conflict);
        }
        Ok(())
    }

    /// Returns the item that the service reports for a file. It has no hash while
    /// [`without_hash`](Self::without_hash) is positive.
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
        self.last_number += 1;
        let id = format!("item-{}", self.last_number);
        let bytes = self.rewrite.map_or_else(|| bytes.clone(), |rewrite| rewrite(bytes.clone()));
        let item = self.item(&id, &bytes);
        self.files.insert(path, StoredFile { id, bytes });
        item
    }

    /// Returns the path if no file has it. If a file has it, returns the first numbered path that
    /// is free.
    pub(crate) fn free_path(&self, path: &str) -> String {
        let (stem, extension) = path.rsplit_once('.').unwrap_or((path, ""));
        let numbered = (1..).map(|number| format!("{stem} {number}.{extension}"));
        std::iter::once(path.to_owned())
            .chain(numbered)
            .find(|path| !self.files.contains_key(path))
            .unwrap()
    }
}
