use std::collections::BTreeMap;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use docferry_app::ports::{
    ByteStream, ConflictPolicy, Destination, Drive, DriveError, DriveItem, FragmentAnswer,
    SessionEnd, SessionStatus, UploadSession, UploadUrl,
};
use docferry_domain::{FragmentRange, GRANULE_BYTES, ItemFacts, SourceHash};
use futures::TryStreamExt as _;

use crate::World;

/// A file that was delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFile {
    /// The drive's id.
    pub id: String,
    /// Its content.
    pub bytes: Bytes,
}

#[derive(Debug)]
struct Session {
    path: String,
    policy: ConflictPolicy,
    size: u64,
    stored: BytesMut,
}

/// Drives and sessions, keyed by `recipient folder/name` in lower case.
#[derive(Debug, Default)]
pub struct DriveState {
    files: BTreeMap<String, StoredFile>,
    sessions: BTreeMap<String, Session>,
    next: u64,
    /// Body bytes received, for counting what was sent twice.
    pub received: u64,
    /// Answers to give to the next fragments and PUTs instead of the honest one, in order.
    pub script: Vec<Scripted>,
    /// Whether deleting sessions and looking for items fails.
    pub down: bool,
}

/// A scripted answer to one fragment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scripted {
    /// As it should be.
    Honest,
    /// The first so many bytes are stored, the answer is lost.
    StoreThenLose(u64),
    /// Nothing is stored; slow down.
    Throttle(Option<Duration>),
    /// The session is gone.
    Expire,
    /// Nothing is stored; a server error.
    ServerError,
    /// Nothing is stored; somebody has the file open.
    Lock,
}

fn path(destination: &Destination) -> String {
    let folder = destination.folder.segments().join("/");
    let name = destination.name.as_str();
    format!("{} {folder}/{name}", destination.recipient.as_str()).to_lowercase()
}

fn facts(bytes: &[u8]) -> ItemFacts {
    let mut hash = SourceHash::default();
    hash.append(bytes);
    ItemFacts { size: bytes.len() as u64, quick_xor_hash: Some(hash.digest()) }
}

fn item(id: &str, bytes: &[u8]) -> DriveItem {
    let web_url = format!("https://drive.example/{id}");
    DriveItem { id: id.to_owned(), facts: facts(bytes), web_url: Some(web_url) }
}

impl DriveState {
    /// All delivered files by path.
    #[must_use]
    pub fn files(&self) -> &BTreeMap<String, StoredFile> {
        &self.files
    }

    /// Sessions that nobody has ended.
    #[must_use]
    pub fn open_sessions(&self) -> usize {
        self.sessions.len()
    }

    fn store(&mut self, path: String, bytes: Bytes) -> DriveItem {
        self.next += 1;
        let id = format!("item-{}", self.next);
        let item = item(&id, &bytes);
        self.files.insert(path, StoredFile { id, bytes });
        item
    }

    fn take(
        &mut self,
        url: &str,
        range: FragmentRange,
        body: &[u8],
    ) -> Result<FragmentAnswer, DriveError> {
        self.received += body.len() as u64;
        match self.scripted() {
            Scripted::Honest => {}
            Scripted::StoreThenLose(len) => {
                let len = usize::try_from(len).unwrap().min(body.len());
                let _ = self.append(url, range, &body[..len]);
                return Err(DriveError::Ambiguous("lost".into()));
            }
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

    /// The path, or the first numbered one that nothing has.
    fn free(&self, path: &str) -> String {
        let (stem, extension) = path.rsplit_once('.').unwrap_or((path, ""));
        let numbered = (1..).map(|number| format!("{stem} {number}.{extension}"));
        std::iter::once(path.to_owned())
            .chain(numbered)
            .find(|path| !self.files.contains_key(path))
            .unwrap()
    }

    fn put(
        &mut self,
        path: String,
        bytes: Bytes,
        policy: ConflictPolicy,
    ) -> Result<Option<DriveItem>, DriveError> {
        self.received += bytes.len() as u64;
        let scripted = self.scripted();
        match scripted {
            Scripted::Honest | Scripted::Expire | Scripted::StoreThenLose(u64::MAX) => {}
            Scripted::StoreThenLose(_) | Scripted::ServerError => {
                return Err(DriveError::Ambiguous("500".into()));
            }
            Scripted::Throttle(retry_after) => return Err(DriveError::Throttled { retry_after }),
            Scripted::Lock => return Err(DriveError::Locked),
        }
        if policy == ConflictPolicy::Fail && self.files.contains_key(&path) {
            return Err(DriveError::Conflict);
        }
        let item = self.store(path, bytes);
        match scripted {
            Scripted::StoreThenLose(_) => Err(DriveError::Ambiguous("lost".into())),
            _ => Ok(Some(item)),
        }
    }

    fn scripted(&mut self) -> Scripted {
        if self.script.is_empty() { Scripted::Honest } else { self.script.remove(0) }
    }

    fn append(
        &mut self,
        url: &str,
        range: FragmentRange,
        body: &[u8],
    ) -> Result<FragmentAnswer, DriveError> {
        let session = self.sessions.get_mut(url).ok_or(DriveError::SessionGone)?;
        if range.start != session.stored.len() as u64 || range.total != session.size {
            return Err(DriveError::OffsetMismatch);
        }
        session.stored.extend_from_slice(body);
        let next = session.stored.len() as u64;
        if next < session.size {
            return Ok(FragmentAnswer::Accepted { next: Some(next) });
        }
        let session = self.sessions.remove(url).ok_or(DriveError::SessionGone)?;
        let path = match session.policy {
            ConflictPolicy::Rename => self.free(&session.path),
            _ => session.path,
        };
        Ok(FragmentAnswer::Completed(Some(self.store(path, session.stored.freeze()))))
    }
}

impl Drive for World {
    async fn create_session(
        &self,
        destination: &Destination,
        size: u64,
        policy: ConflictPolicy,
    ) -> Result<UploadSession, DriveError> {
        self.effect("create_session", DriveError::Ambiguous, async || {
            let mut state = self.state();
            let path = path(destination);
            if policy == ConflictPolicy::Fail && state.drive.files.contains_key(&path) {
                return Err(DriveError::Conflict);
            }
            state.drive.next += 1;
            let url = format!("https://upload.example/{}?secret", state.drive.next);
            let session = Session { path, policy, size, stored: BytesMut::new() };
            state.drive.sessions.insert(url.clone(), session);
            Ok(UploadSession { url: UploadUrl::new(url), expires_at: None })
        })
        .await
    }

    async fn session_status(&self, url: &UploadUrl) -> Result<SessionStatus, DriveError> {
        self.effect("session_status", DriveError::Ambiguous, async || {
            let state = self.state();
            let session = state.drive.sessions.get(url.expose()).ok_or(DriveError::SessionGone)?;
            Ok(SessionStatus { next: Some(session.stored.len() as u64) })
        })
        .await
    }

    async fn put_fragment(
        &self,
        url: &UploadUrl,
        range: FragmentRange,
        body: ByteStream,
    ) -> Result<FragmentAnswer, DriveError> {
        self.effect("put_fragment", DriveError::Ambiguous, async || {
            let pieces: Vec<Bytes> = body.try_collect().await.map_err(|_| DriveError::Body)?;
            let body = pieces.concat();
            assert_eq!(body.len() as u64, range.len(), "the body is exactly the range");
            self.state().drive.take(url.expose(), range, &body)
        })
        .await
    }

    async fn delete_session(&self, url: &UploadUrl) -> Result<SessionEnd, DriveError> {
        self.effect("delete_session", DriveError::Ambiguous, async || {
            if self.state().drive.down {
                return Err(DriveError::Ambiguous("down".into()));
            }
            Ok(match self.state().drive.sessions.remove(url.expose()) {
                Some(_) => SessionEnd::Deleted,
                None => SessionEnd::AlreadyGone,
            })
        })
        .await
    }

    async fn put_whole(
        &self,
        destination: &Destination,
        bytes: Bytes,
        policy: ConflictPolicy,
    ) -> Result<Option<DriveItem>, DriveError> {
        self.effect("put_whole", DriveError::Ambiguous, async || {
            self.state().drive.put(path(destination), bytes, policy)
        })
        .await
    }

    async fn find(&self, destination: &Destination) -> Result<Option<DriveItem>, DriveError> {
        self.effect("find", DriveError::Ambiguous, async || {
            let state = self.state();
            let file = state.drive.files.get(&path(destination));
            Ok(file.map(|file| item(&file.id, &file.bytes)))
        })
        .await
    }
}
