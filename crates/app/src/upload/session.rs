use docferry_domain::{ArrivedObject, FailureCode, SourceHash};

use super::engine::{Interruption, MAX_SESSIONS, Run, interrupted};
use crate::TaskError;
use crate::ports::{
    Clock, Drive, DriveError, DriveItem, SealError, SealedSession, Sealer, SessionStatus, Staging,
    TransferStore, UploadUrl,
};

/// How much is read between two looks at the clock.
const GAP_BYTES: u64 = 32 * 1024 * 1024;

/// Where an invocation starts from.
pub(super) enum Opened {
    /// A session that wants the bytes from `offset` on.
    Session { url: UploadUrl, offset: u64 },
    /// No session, but an item at the destination that may be ours, complete.
    Delivered(DriveItem),
}

impl<S, D, G, L, C> Run<'_, S, D, G, L, C>
where
    S: TransferStore,
    D: Drive,
    G: Staging + 'static,
    L: Sealer,
    C: Clock,
{
    /// Goes on with the stored session, at the drive's offset and not at ours, or
    /// opens a new one.
    pub(super) async fn open_session(&mut self) -> Result<Opened, Interruption> {
        let id = self.transfer.transfer_id.clone();
        let record = self.ports.store.session(&id).await?;
        let Some(record) = record.filter(|_| !self.rejected) else {
            return self.new_session().await;
        };
        match self.ports.sealer.open(&id, &record.session.sealed_url).await {
            Ok(url) => match self.ports.drive.session_status(&url).await {
                Ok(SessionStatus { next: Some(offset) }) if offset < self.object.size => {
                    return Ok(Opened::Session { url, offset });
                }
                Ok(SessionStatus { .. }) | Err(DriveError::SessionGone) => {}
                Err(error) => return Err(interrupted(error)),
            },
            Err(SealError::Unreadable) => {}
            Err(error) => return Err(error.into()),
        }
        // Gone, or nothing missing: the answer to the last fragment may have been
        // lost. What lies at the destination decides, before anything is sent again;
        // until then the stored session says that there was one.
        let found = self.ports.drive.find(&self.destination).await.map_err(interrupted)?;
        match found.filter(|item| item.facts.size == self.object.size) {
            Some(item) => Ok(Opened::Delivered(item)),
            None => self.new_session().await,
        }
    }

    async fn new_session(&mut self) -> Result<Opened, Interruption> {
        if self.checkpoint.sessions >= MAX_SESSIONS {
            return Err(FailureCode::DestinationUnavailable.into());
        }
        let ports = self.ports;
        let id = &self.transfer.transfer_id;
        let session = ports
            .drive
            .create_session(&self.destination, self.object.size, ports.settings.policy)
            .await
            .map_err(interrupted)?;
        // Stored before the first byte is sent: whoever resumes finds it.
        let stored = match ports.sealer.seal(id, &session.url).await {
            Ok(sealed_url) => {
                let sealed = SealedSession { sealed_url, expires_at: session.expires_at };
                let put = ports.store.put_session(id, self.transfer.epoch, &sealed).await;
                put.map_err(Interruption::from)
            }
            Err(error) => Err(error.into()),
        };
        if let Err(lost) = stored {
            // Nobody will ever know this session: end it as well as we can. The
            // drive forgets it by itself otherwise.
            let _ = ports.drive.delete_session(&session.url).await;
            return Err(lost);
        }
        self.checkpoint.offset = 0;
        self.checkpoint.sessions += 1;
        self.save().await?;
        Ok(Opened::Session { url: session.url, offset: 0 })
    }

    /// The exchange object has another tag than before: another transfer of the
    /// same document was pushed, and not every store derives tags from content.
    /// What was sent may not be what lies there now, so sending begins again.
    pub(super) async fn take_new_object(&mut self) -> Result<(), TaskError> {
        let source = self.transfer.source.as_ref().ok_or(FailureCode::Internal)?;
        let head = self.ports.staging.head(&source.key).await?.ok_or(FailureCode::SourceGone)?;
        if head.size != source.size || !head.is_from_push(source) {
            return Err(FailureCode::SourceChanged.into());
        }
        let id = &self.transfer.transfer_id.clone();
        let object = ArrivedObject { etag: head.etag, arrived_at: self.ports.clock.now() };
        self.ports.store.replace_object(id, self.transfer.epoch, &object).await?;
        self.object = self.object.tagged(object.etag);
        self.checkpoint.offset = 0;
        self.checkpoint.hash = SourceHash::default().state();
        self.save().await?;
        if let Some(record) = self.ports.store.session(id).await? {
            if let Ok(url) = self.ports.sealer.open(id, &record.session.sealed_url).await {
                // Best effort: the new session replaces it in the record.
                let _ = self.ports.drive.delete_session(&url).await;
            }
            self.ports.store.drop_session(id, record.epoch).await?;
        }
        Ok(())
    }

    /// The hash of the source up to `offset` at least, reading again what a lost
    /// checkpoint left out. `None` when the time is over; the part that was read
    /// is in the checkpoint.
    pub(super) async fn hash_up_to(
        &mut self,
        offset: u64,
    ) -> Result<Option<SourceHash>, Interruption> {
        let mut hash = SourceHash::resume(Some(&self.checkpoint.hash));
        while hash.hashed_to() < offset {
            if self.time_left().is_zero() {
                return Ok(None);
            }
            let until = offset.min(hash.hashed_to() + GAP_BYTES);
            self.object.hash_up_to(&*self.ports.staging, &mut hash, until).await?;
            self.checkpoint.hash = hash.state();
            self.save().await?;
        }
        Ok(Some(hash))
    }
}
