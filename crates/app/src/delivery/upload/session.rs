//! Actions of an upload that open, query and close its upload session at the drive, and the action
//! that adopts a new version of the source object. The engine calls these actions to execute the
//! commands of the state machine.
//!
//! An *upload session* receives a large document in fragments through its own URL, which is a
//! secret and is stored only *sealed* (encrypted).

use docferry_domain::failure::FailureCode;
use docferry_domain::transfer::ArrivedObject;
use docferry_domain::upload::DriveEvent;

use super::object::{is_contested, may_be_other_document};
use super::run::Run;
use crate::TaskError;
use crate::ports::{
    Clock, Drive, ExchangeStore, SealError, SealedSession, Sealer, SessionEnd, SessionRecord,
    TransferStore, UploadAdapters, UploadStore as _, UploadUrl,
};

impl<P: UploadAdapters> Run<'_, P> {
    /// Returns the URL of the stored session; `None` when there is no session or its URL cannot
    /// be decrypted any more.
    pub(super) async fn url(&mut self) -> Result<Option<UploadUrl>, TaskError> {
        if self.url.is_none()
            && let Some(record) = &self.session
        {
            let id = &self.transfer.transfer_id;
            match self.ports.sealer.open(id, &record.session.sealed_url).await {
                Ok(url) => self.url = Some(url),
                Err(SealError::Unreadable) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(self.url.clone())
    }

    /// Queries the session for the offset of its next byte. The upload resumes at the drive's
    /// offset, not at that of docferry's checkpoint.
    pub(super) async fn query_session(&mut self) -> Result<DriveEvent, TaskError> {
        self.reader = None;
        let Some(url) = self.url().await? else { return Ok(DriveEvent::Gone) };
        Ok(match self.ports.drive.session_status(&url).await {
            Ok(status) => DriveEvent::Expects(status.next),
            Err(error) => self.drive_error_event(error),
        })
    }

    /// Opens a session and stores its sealed URL before the first byte is sent, so that the
    /// next invocation can resume it.
    pub(super) async fn open_session(&mut self) -> Result<DriveEvent, TaskError> {
        let ports = self.ports;
        if let Some(old_url) = self.url.take() {
            // The drive reported the old session as gone. The report may be wrong, so the session
            // is deleted all the same; this is best effort.
            let _ = ports.drive.delete_session(&old_url).await;
        }
        let (size, policy) = (self.object.size, ports.settings.policy);
        let session = match ports.drive.create_session(&self.destination, size, policy).await {
            Ok(session) => session,
            Err(error) => return Ok(self.drive_error_event(error)),
        };
        let (id, epoch) = (&self.transfer.transfer_id, self.transfer.epoch);
        let stored: Result<SealedSession, TaskError> = async {
            let sealed_url = ports.sealer.seal(id, &session.url).await?;
            let sealed = SealedSession { sealed_url, expires_at: session.expires_at };
            ports.store.put_session(id, epoch, &sealed).await?;
            Ok(sealed)
        }
        .await;
        match stored {
            Ok(sealed) => {
                self.session = Some(SessionRecord { session: sealed, epoch });
                self.url = Some(session.url);
                Ok(DriveEvent::Opened)
            }
            Err(error) => {
                // The session's URL is not stored, so no later invocation can use the session.
                // If this deletion fails, the session expires by itself at the drive.
                let _ = ports.drive.delete_session(&session.url).await;
                Err(error)
            }
        }
    }

    /// Deletes the session at the drive, so that it cannot be completed any more. Its record
    /// stays until it is replaced, as evidence that a session existed.
    pub(super) async fn close_session(&mut self) -> Result<DriveEvent, TaskError> {
        self.reader = None;
        let Some(url) = self.url().await? else { return Ok(DriveEvent::Gone) };
        Ok(match self.ports.drive.delete_session(&url).await {
            Ok(end) => DriveEvent::Closed { was_open: end == SessionEnd::Deleted },
            Err(error) => self.drive_error_event(error),
        })
    }

    /// Returns whether the object that is being sent may have been written by a push of another
    /// document, as far as pushes are known by now.
    pub(super) async fn is_contested(&self) -> Result<bool, TaskError> {
        let written_at = self.transfer.object.as_ref().and_then(|object| object.written_at);
        is_contested(&self.ports.store, &self.transfer, written_at).await
    }

    /// Adopts the current ETag of the exchange object, after a read has found that it changed. The
    /// ETag may change when another transfer pushes the same document, because not every store
    /// derives ETags from the content. The bytes sent so far may differ from the current object, so
    /// the upload starts over.
    ///
    /// Returns `None` when the object may be another document. The workflow then polls for the
    /// arrival of the right object again.
    pub(super) async fn renew_source(&mut self) -> Result<Option<DriveEvent>, TaskError> {
        let source = self.transfer.source.as_ref().ok_or(FailureCode::Internal)?;
        let head = match self.ports.exchange.head(&source.key).await {
            Ok(head) => head,
            Err(error) => return Ok(Some(self.source_error_event(error))),
        };
        let (store, epoch) = (&self.ports.store, self.transfer.epoch);
        let written_at = head.as_ref().map(|head| head.last_modified);
        if may_be_other_document(store, &self.transfer, written_at).await? {
            let push_again = false;
            store.discard_object(&self.transfer.transfer_id, epoch, push_again).await?;
            return Ok(None);
        }
        let Some(head) = head else {
            return Ok(Some(DriveEvent::Refused(FailureCode::SourceGone)));
        };
        if head.size != source.size || !head.is_from_push(source) {
            return Ok(Some(DriveEvent::Refused(FailureCode::SourceChanged)));
        }
        let arrived_at = self.ports.clock.now();
        let object = ArrivedObject { etag: head.etag, arrived_at, written_at };
        store.replace_object(&self.transfer.transfer_id, epoch, &object).await?;
        self.object.etag.clone_from(&object.etag);
        self.transfer.object = Some(object);
        // A response to the last byte belonged to the previous version of the object.
        self.completed_item_id = None;
        Ok(Some(DriveEvent::Renewed))
    }
}
