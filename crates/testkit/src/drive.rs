use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use docferry_app::ports::{
    ByteStream, ConflictPolicy, Destination, Drive, DriveError, DriveItem, FragmentAnswer,
    SessionEnd, SessionStatus, UploadSession, UploadUrl,
};
use docferry_domain::{FragmentRange, GRANULE_BYTES, Gap, ItemFacts, SourceHash};
use futures::TryStreamExt as _;
use jiff::{SignedDuration, Timestamp};

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
    /// When it is forgotten, unless bytes come or somebody asks.
    lapses_at: Timestamp,
}

/// How long a session lives without a call.
const SESSION_LIFETIME: SignedDuration = SignedDuration::from_mins(15);

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
    /// What the service makes of a complete file.
    pub rewrite: Option<fn(Bytes) -> Bytes>,
    /// How many of the next items come without a hash.
    pub without_hash: u32,
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
    /// Nothing is stored; the item at the path is in the way or has changed.
    Conflict,
    /// The bytes are stored; the answer is a success without its body.
    NoItem,
    /// The bytes are stored and acknowledged; afterwards the session has none.
    Forget,
}

fn path(destination: &Destination) -> String {
    let folders = destination.folder.segments().iter().map(String::as_str);
    let names: Vec<&str> = folders.chain([destination.name.as_str()]).collect();
    format!("{} {}", destination.recipient.as_str(), names.join("/")).to_lowercase()
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

    /// Sessions that nobody has ended, and that had not lapsed at the last call.
    #[must_use]
    pub fn open_sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Forgets the sessions that have lapsed.
    fn lapse(&mut self, now: Timestamp) {
        self.sessions.retain(|_, session| session.lapses_at > now);
    }

    /// The session, which lives on from now.
    fn session(&mut self, url: &str, now: Timestamp) -> Result<&mut Session, DriveError> {
        self.lapse(now);
        let session = self.sessions.get_mut(url).ok_or(DriveError::SessionGone)?;
        session.lapses_at = now + SESSION_LIFETIME;
        Ok(session)
    }

    /// Whether a folder has this path: something lies below it.
    fn is_folder(&self, path: &str) -> bool {
        self.files.keys().any(|file| file.starts_with(&format!("{path}/")))
    }

    /// Whether a file stands where the path needs a folder.
    fn has_file_in_path(&self, path: &str) -> bool {
        self.files.keys().any(|file| path.starts_with(&format!("{file}/")))
    }

    /// What the service refuses under this policy, whatever the session.
    fn check(&self, path: &str, policy: ConflictPolicy) -> Result<(), DriveError> {
        let is_taken = policy == ConflictPolicy::Fail && self.files.contains_key(path);
        if is_taken || self.is_folder(path) || self.has_file_in_path(path) {
            return Err(DriveError::Conflict);
        }
        Ok(())
    }

    fn item(&mut self, id: &str, bytes: &[u8]) -> DriveItem {
        let mut item = item(id, bytes);
        if self.without_hash > 0 {
            self.without_hash -= 1;
            item.facts.quick_xor_hash = None;
        }
        item
    }

    fn store(&mut self, path: String, bytes: Bytes) -> DriveItem {
        self.next += 1;
        let id = format!("item-{}", self.next);
        let bytes = self.rewrite.map_or_else(|| bytes.clone(), |rewrite| rewrite(bytes.clone()));
        let item = self.item(&id, &bytes);
        self.files.insert(path, StoredFile { id, bytes });
        item
    }

    fn take(
        &mut self,
        url: &str,
        range: FragmentRange,
        body: &[u8],
        now: Timestamp,
    ) -> Result<FragmentAnswer, DriveError> {
        self.received += body.len() as u64;
        self.session(url, now)?;
        match self.scripted() {
            Scripted::Honest => {}
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
                return Ok(FragmentAnswer::Accepted { next: Some(Gap::open(range.end)) });
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
    ) -> Result<DriveItem, DriveError> {
        self.received += bytes.len() as u64;
        let scripted = self.scripted();
        match scripted {
            Scripted::Honest
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
            return Ok(FragmentAnswer::Accepted { next: Some(Gap::open(next)) });
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
            ConflictPolicy::Rename => self.free(&path),
            _ => path,
        };
        Ok(FragmentAnswer::Completed(self.store(path, session.stored.freeze())))
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
            let (path, now) = (path(destination), state.now);
            state.drive.lapse(now);
            state.drive.check(&path, policy)?;
            // Whatever the policy: one session for a path.
            if state.drive.sessions.values().any(|session| session.path == path) {
                return Err(DriveError::Conflict);
            }
            state.drive.next += 1;
            let url = format!("https://upload.example/{}?secret", state.drive.next);
            let lapses_at = now + SESSION_LIFETIME;
            let session = Session { path, policy, size, stored: BytesMut::new(), lapses_at };
            state.drive.sessions.insert(url.clone(), session);
            Ok(UploadSession { url: UploadUrl::new(url), expires_at: None })
        })
        .await
    }

    async fn session_status(&self, url: &UploadUrl) -> Result<SessionStatus, DriveError> {
        self.effect("session_status", DriveError::Ambiguous, async || {
            let mut state = self.state();
            let now = state.now;
            let session = state.drive.session(url.expose(), now)?;
            Ok(SessionStatus { next: Some(Gap::open(session.stored.len() as u64)) })
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
            let mut state = self.state();
            let now = state.now;
            state.drive.take(url.expose(), range, &body, now)
        })
        .await
    }

    async fn delete_session(&self, url: &UploadUrl) -> Result<SessionEnd, DriveError> {
        self.effect("delete_session", DriveError::Ambiguous, async || {
            if self.state().drive.down {
                return Err(DriveError::Ambiguous("down".into()));
            }
            let mut state = self.state();
            let now = state.now;
            state.drive.lapse(now);
            Ok(match state.drive.sessions.remove(url.expose()) {
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
    ) -> Result<DriveItem, DriveError> {
        self.effect("put_whole", DriveError::Ambiguous, async || {
            self.state().drive.put(path(destination), bytes, policy)
        })
        .await
    }

    async fn find(&self, destination: &Destination) -> Result<Option<DriveItem>, DriveError> {
        self.effect("find", DriveError::Ambiguous, async || {
            let drive = &mut self.state().drive;
            let path = path(destination);
            if drive.is_folder(&path) {
                return Err(DriveError::Conflict);
            }
            let file = drive.files.get(&path).cloned();
            Ok(file.map(|file| drive.item(&file.id, &file.bytes)))
        })
        .await
    }

    async fn read_item(
        &self,
        _destination: &Destination,
        item: &DriveItem,
        range: Range<u64>,
    ) -> Result<Bytes, DriveError> {
        self.effect("read_item", DriveError::Ambiguous, async || {
            let state = self.state();
            let file = state.drive.files.values().find(|file| file.id == item.id);
            let file = file.ok_or(DriveError::Refused { code: "itemNotFound".into() })?;
            let at = |position| usize::try_from(position).unwrap();
            Ok(file.bytes.slice(at(range.start)..at(range.end)))
        })
        .await
    }

    async fn has_file_in_path(&self, destination: &Destination) -> Result<bool, DriveError> {
        self.effect("has_file_in_path", DriveError::Ambiguous, async || {
            Ok(self.state().drive.has_file_in_path(&path(destination)))
        })
        .await
    }
}
