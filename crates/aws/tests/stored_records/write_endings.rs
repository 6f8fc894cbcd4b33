//! Writes the records of transfers into OneDrives that end, of an exchange key whose last user
//! releases it, and of a transfer that is retried after its end.

use docferry_app::ports::{
    ExchangeKeyStore as _, JobStore as _, PushStore as _, RecoveryStore as _, TransferStore as _,
    UploadStore as _,
};
use docferry_domain::failure::FailureCode;
use docferry_domain::slots::Pool;
use docferry_domain::transfer::{LateArrivalKey, Outcome};

use crate::keys;
use crate::labels::{exchange_key, onedrive, outbox, slots};
use crate::times::{
    DELETION_LEASE_END, DELIVERY_PURGE, KEY_RELEASE_BEGUN, KEY_RELEASED, LATE_PUSH_REQUESTED,
    RETRY_CHECK, RETRY_DEADLINE, RETRY_REQUESTED,
};
use crate::values::{
    EXCHANGE_KEY, FIRST_EXECUTION, FRAGMENT_BYTES, NO_RETRIES, OWNER, full_checkpoint,
    onedrive_delivery, onedrive_transfer,
};
use crate::writer::Writer;

/// Id of the transfer that is delivered.
const COMPLETED_TRANSFER: u128 = 3;
/// Id of the transfer whose document does not arrive in time.
const FAILED_TRANSFER: u128 = 4;
/// Id of the transfer that its owner cancels.
const CANCELED_TRANSFER: u128 = 5;
/// Id of the transfer that releases its exchange key.
const RELEASING_TRANSFER: u128 = 6;
/// Id of the transfer that is retried.
const RETRIED_TRANSFER: u128 = 20;

/// Exchange key that only one transfer uses.
const UNSHARED_KEY: &str = "docferry/last.pdf";

/// Number of the first execution after a retry.
const SECOND_EXECUTION: u32 = 2;

impl Writer {
    /// Writes the records of one transfer for each outcome.
    pub(crate) async fn ended_onedrive_transfers(&mut self) {
        self.completed_transfer().await;
        self.failed_transfer().await;
        self.canceled_transfer().await;
    }

    /// Writes a transfer that is delivered, then has ended, and then is cleaned up.
    async fn completed_transfer(&mut self) {
        let id = self.create_with_slot(COMPLETED_TRANSFER).await;
        let epoch = self.start_upload(&id, EXCHANGE_KEY).await;
        self.store.record_delivery(&id, epoch, &onedrive_delivery()).await.unwrap();
        self.save_transfer(onedrive::DELIVERED, &id).await;

        self.finish(&id, Outcome::Completed).await;
        self.save_transfer(onedrive::COMPLETED, &id).await;

        self.close_sessions(&id).await;
        self.store.mark_cleaned_up(&id, FIRST_EXECUTION, DELIVERY_PURGE).await.unwrap();
        self.save_transfer(onedrive::CLEANED_UP, &id).await;
        self.save_item(outbox::COMPLETED, keys::first_outcome(&id)).await;
    }

    /// Writes a transfer whose document does not arrive in time: first while it is about to end,
    /// then after its end.
    async fn failed_transfer(&mut self) {
        let id = self.create_with_slot(FAILED_TRANSFER).await;
        self.request_document(&id, EXCHANGE_KEY).await;

        // From now on, no step can begin new work for the transfer.
        let reason = FailureCode::ArrivalTimeout;
        self.store.begin_ending(&id, FIRST_EXECUTION, reason).await.unwrap();
        self.save_transfer(onedrive::ENDING_WITHOUT_ARRIVAL, &id).await;

        self.finish(&id, Outcome::Failed(reason)).await;
        self.save_transfer(onedrive::FAILED, &id).await;
        self.save_item(outbox::FAILED, keys::first_outcome(&id)).await;
    }

    /// Writes a transfer whose owner asks to cancel it during the upload: first while the upload
    /// has not stopped, then after its end.
    async fn canceled_transfer(&mut self) {
        let id = self.create_with_slot(CANCELED_TRANSFER).await;
        self.start_upload(&id, EXCHANGE_KEY).await;
        self.store.request_cancel(&id, OWNER, NO_RETRIES).await.unwrap().unwrap();
        self.save_transfer(onedrive::CANCEL_REQUESTED, &id).await;

        self.finish(&id, Outcome::Canceled).await;
        self.save_transfer(onedrive::CANCELED, &id).await;
        self.save_item(outbox::CANCELED, keys::first_outcome(&id)).await;
    }

    /// Writes an exchange key whose last user has released it: first while this user may delete the
    /// object, then after the object is deleted.
    pub(crate) async fn exchange_key_without_users(&mut self) {
        let id = self.create_with_slot(RELEASING_TRANSFER).await;
        self.start_upload(&id, UNSHARED_KEY).await;
        self.store
            .release_key(&id, FIRST_EXECUTION, UNSHARED_KEY, KEY_RELEASE_BEGUN, DELETION_LEASE_END)
            .await
            .unwrap();
        self.save_item(exchange_key::BEING_RELEASED, keys::exchange_key(UNSHARED_KEY)).await;

        self.store.mark_released(&id, UNSHARED_KEY, KEY_RELEASED).await.unwrap();
        self.save_item(exchange_key::RELEASED, keys::exchange_key(UNSHARED_KEY)).await;
    }

    /// Writes a transfer that failed, and that its owner has retried. It is queued for its second
    /// run, while a document of its first run may still arrive.
    pub(crate) async fn retried_transfer(&mut self) {
        let transfer = onedrive_transfer(RETRIED_TRANSFER);
        let id = &transfer.transfer_id;
        self.store.create(&transfer).await.unwrap();

        // The first run fails after one fragment.
        let epoch = self.start_upload(id, "docferry/retried.pdf").await;
        let _ = self.store.checkpoint(id, epoch, &full_checkpoint(FRAGMENT_BYTES)).await.unwrap();
        self.finish(id, Outcome::Failed(FailureCode::QuotaExceeded)).await;
        self.close_sessions(id).await;

        let failed = self.get(id).await;
        let second_run = failed.clone().for_retry_at(RETRY_REQUESTED, RETRY_DEADLINE, None);
        let restarted = self.store.restart_transfer(&failed, &second_run, RETRY_CHECK).await;
        assert!(restarted.unwrap());

        // An owed key is an exchange key under which an object may still arrive.
        let owed_key =
            LateArrivalKey { key: "docferry/late.pdf".into(), requested_at: LATE_PUSH_REQUESTED };
        self.store.record_late_arrival_key(id, SECOND_EXECUTION, &owed_key).await.unwrap();

        self.save_transfer(onedrive::SECOND_RUN, id).await;
        let queue_entry = keys::queue_entry(Pool::Onedrive, &second_run.queue_entry());
        self.save_item(slots::SECOND_RUN, queue_entry).await;
    }
}
