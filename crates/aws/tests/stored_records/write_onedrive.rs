//! Writes the records of transfers into OneDrives that have not ended: one transfer that waits for
//! a slot, and one that gets as far as the middle of its upload.
//!
//! `write_endings` writes the records of transfers that end.

use docferry_app::ports::{PushStore as _, SealedSession, TransferStore as _, UploadStore as _};
use docferry_domain::failure::FailureCode;
use docferry_domain::ids::TransferId;
use docferry_domain::transfer::{Step, TransientError};

use crate::keys;
use crate::labels::{exchange_key, onedrive, session};
use crate::times::{DRIVE_PAUSE_END, SESSION_EXPIRY, STEP_FAILED};
use crate::values::{
    EXCHANGE_KEY, FIRST_EXECUTION, FRAGMENT_BYTES, full_checkpoint, onedrive_transfer,
    outstanding_push, push_response,
};
use crate::writer::Writer;

/// Id of the transfer that waits for a slot.
pub(crate) const QUEUED_TRANSFER: u128 = 1;
/// Id of the transfer whose upload runs.
const RUNNING_TRANSFER: u128 = 2;

impl Writer {
    /// Writes the records of the transfers that have not ended, in the order of their states.
    pub(crate) async fn onedrive_transfers(&mut self) {
        self.queued_transfer().await;

        let id = &TransferId::from_u128(RUNNING_TRANSFER);
        self.transfer_with_slot().await;
        self.pushing_transfer(id).await;
        self.announced_push(id).await;
        self.transfer_awaiting_arrival(id).await;
        let first_epoch = self.upload_not_begun(id).await;
        let epoch = self.claim_upload(id).await;
        assert!(epoch > first_epoch);
        self.open_session(id, epoch).await;
        self.paused_upload(id, epoch).await;
        self.upload_with_lost_object(id, epoch).await;
    }

    /// Writes a transfer that waits in the queue for a slot.
    async fn queued_transfer(&mut self) {
        let transfer = onedrive_transfer(QUEUED_TRANSFER);
        self.store.create(&transfer).await.unwrap();
        self.save_transfer(onedrive::QUEUED, &transfer.transfer_id).await;
    }

    /// Writes a transfer that has a slot and of which no step has run.
    async fn transfer_with_slot(&mut self) {
        let id = self.create_with_slot(RUNNING_TRANSFER).await;
        self.save_transfer(onedrive::HOLDS_SLOT, &id).await;
    }

    /// Writes a transfer whose document is about to be requested.
    async fn pushing_transfer(&mut self, id: &TransferId) {
        self.begin_push(id).await;
        self.save_transfer(onedrive::PUSHING, id).await;
    }

    /// Writes the announcement of a push. It is stored before the source is called, because only
    /// the response of the source names the exchange key.
    async fn announced_push(&mut self, id: &TransferId) {
        let push = outstanding_push(id, &push_response(EXCHANGE_KEY));
        self.store.announce_push(id, &push).await.unwrap();
        self.save_item(exchange_key::ANNOUNCED_PUSH, keys::announced_push(id)).await;
    }

    /// Writes a transfer whose document has been requested and has not arrived, and the exchange
    /// key that it uses.
    async fn transfer_awaiting_arrival(&mut self, id: &TransferId) {
        self.request_document(id, EXCHANGE_KEY).await;
        self.save_transfer(onedrive::AWAITING_ARRIVAL, id).await;
        self.save_item(exchange_key::USED, keys::exchange_key(EXCHANGE_KEY)).await;
    }

    /// Writes a transfer whose document has arrived under another exchange key, and of which no
    /// byte has been sent. Returns the epoch of the upload.
    async fn upload_not_begun(&mut self, id: &TransferId) -> u64 {
        let epoch = self.start_upload(id, "docferry/other.pdf").await;
        self.save_transfer(onedrive::UPLOAD_NOT_BEGUN, id).await;
        epoch
    }

    /// Writes an upload session with an encrypted URL.
    async fn open_session(&mut self, id: &TransferId, epoch: u64) {
        let sealed =
            SealedSession { sealed_url: vec![1, 2, 250], expires_at: Some(SESSION_EXPIRY) };
        self.store.put_session(id, epoch, &sealed).await.unwrap();
        self.save_item(session::OF_TRANSFER, keys::session(id)).await;
    }

    /// Writes a transfer that has sent two fragments and pauses because the drive has asked for
    /// it. Each step of the transfer has failed once.
    async fn paused_upload(&mut self, id: &TransferId, epoch: u64) {
        let progress = full_checkpoint(2 * FRAGMENT_BYTES);
        let _ = self.store.checkpoint(id, epoch, &progress).await.unwrap();
        self.store.pause_until(id, epoch, DRIVE_PAUSE_END).await.unwrap();

        let error = TransientError { code: FailureCode::DestinationUnavailable, at: STEP_FAILED };
        for step in [Step::Push, Step::Poll, Step::Deliver, Step::Finalize] {
            self.store.record_failed_try(id, FIRST_EXECUTION, step, &error).await.unwrap();
        }
        self.save_transfer(onedrive::UPLOAD_PAUSED, id).await;
    }

    /// Writes a transfer whose arrived object is lost, so that the document has to be requested
    /// again.
    async fn upload_with_lost_object(&mut self, id: &TransferId, epoch: u64) {
        let push_again = true;
        self.store.discard_object(id, epoch, push_again).await.unwrap();
        self.save_transfer(onedrive::PUSH_AGAIN, id).await;
    }
}
