//! Implementation of the port [`Drive`] by the [`World`]: an in-memory OneDrive.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use docferry_app::ports::{
    ByteStream, ConflictPolicy, Destination, Drive, DriveError, DriveItem, FragmentResult,
    SessionEnd, SessionStatus, UploadSession, UploadUrl,
};
use docferry_domain::transfer::Transfer;
use docferry_domain::upload::{ExpectedRange, FragmentRange};
use futures::TryStreamExt as _;
use jiff::{SignedDuration, Timestamp};

use crate::drive_state::{SESSION_LIFETIME, Session, path};
use crate::world::World;

/// Time before the end of its lease at which a PUT of a small document is aborted.
const PUT_ABORT_MARGIN: SignedDuration = SignedDuration::from_secs(15);

impl World {
    /// Returns the time at which the upload aborts a PUT to this destination: before the end of
    /// the lease that its transfer has stored. Timers do not follow the clock of the world, so the
    /// clock must not pass this time while the PUT is running.
    fn put_aborted_at(&self, destination: &Destination) -> Option<Timestamp> {
        let lease = |transfer: &Transfer| {
            let is_to_destination = Destination::of(transfer).as_ref() == Some(destination);
            transfer.checkpoint.as_ref()?.put_lease_until.filter(|_| is_to_destination)
        };
        let lease_end = self.store().transfers().iter().filter_map(lease).max()?;
        Some(lease_end - PUT_ABORT_MARGIN)
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
            state.drive.remove_expired_sessions(now);
            state.drive.check_conflict(&path, policy)?;
            // A path has at most one open session, whatever the policy.
            if state.drive.sessions.values().any(|session| session.path == path) {
                return Err(DriveError::Conflict);
            }
            state.drive.last_number += 1;
            let url = format!("https://upload.example/{}?secret", state.drive.last_number);
            let expires_at = now + SESSION_LIFETIME;
            let session = Session { path, policy, size, stored: BytesMut::new(), expires_at };
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
            Ok(SessionStatus { next: Some(ExpectedRange::open(session.stored.len() as u64)) })
        })
        .await
    }

    async fn put_fragment(
        &self,
        url: &UploadUrl,
        range: FragmentRange,
        body: ByteStream,
    ) -> Result<FragmentResult, DriveError> {
        self.effect("put_fragment", DriveError::Ambiguous, async || {
            let pieces: Vec<Bytes> = body.try_collect().await.map_err(|_| DriveError::Body)?;
            let body = pieces.concat();
            assert_eq!(
                body.len() as u64,
                range.len(),
                "the length of the body differs from its range"
            );
            let mut state = self.state();
            let now = state.now;
            state.drive.receive_fragment(url.expose(), range, &body, now)
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
            state.drive.remove_expired_sessions(now);
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
        let _running_call = self.put_aborted_at(destination).map(|at| self.begin_invocation(at));
        self.effect("put_whole", DriveError::Ambiguous, async || {
            self.state().drive.receive_file(path(destination), bytes, policy)
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
            let index = |position| usize::try_from(position).unwrap();
            Ok(file.bytes.slice(index(range.start)..index(range.end)))
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
