//! Labels of the samples: the kind of a record and the state that the sample shows.
//!
//! A fixture file has the name of a kind, and its members have the names of the states. So the
//! sample with the label [`onedrive::FAILED`] is the member `failed` of
//! `transfers-onedrive.json`.

/// Kind and state of a record.
#[derive(Clone, Copy)]
pub(crate) struct Label {
    /// Kind of the record, which is the name of the fixture file.
    pub(crate) kind: &'static str,
    /// State that the sample shows, which is the name of a member of the file.
    pub(crate) state: &'static str,
}

const fn label(kind: &'static str, state: &'static str) -> Label {
    Label { kind, state }
}

/// Names of the kinds of records.
pub(crate) mod kinds {
    /// Transfers into OneDrives.
    pub(crate) const ONEDRIVE_TRANSFERS: &str = "transfers-onedrive";
    /// Downloads, including the documents of batches.
    pub(crate) const DOWNLOAD_TRANSFERS: &str = "transfers-download";
    /// Batches, the counts of their documents, and the file names that the documents reserve.
    pub(crate) const BATCHES: &str = "batches";
    /// Upload sessions, whose URLs are stored encrypted.
    pub(crate) const SESSIONS: &str = "sessions";
    /// Idempotency records of requests.
    pub(crate) const REQUESTS: &str = "requests";
    /// Messages about outcomes that were not sent yet.
    pub(crate) const OUTBOX: &str = "outbox";
    /// Records of objects in the delivery bucket.
    pub(crate) const ARTIFACTS: &str = "artifacts";
    /// Names of objects in the exchange bucket, with the transfers and pushes that use them.
    pub(crate) const EXCHANGE_KEYS: &str = "exchange-keys";
    /// Holders of slots, and the queue for slots.
    pub(crate) const SLOTS: &str = "slots";
    /// Counts of API calls, and the pause that all transfers share.
    pub(crate) const COUNTERS: &str = "counters";
}

/// States of a transfer into a OneDrive.
pub(crate) mod onedrive {
    use super::kinds::ONEDRIVE_TRANSFERS;
    use super::{Label, label};

    /// The transfer waits in the queue for a slot.
    pub(crate) const QUEUED: Label = label(ONEDRIVE_TRANSFERS, "accepted, queued");
    /// The transfer has a slot, and no step has run yet.
    pub(crate) const HOLDS_SLOT: Label = label(ONEDRIVE_TRANSFERS, "accepted, holds a slot");
    /// The owner has retried the failed transfer, which waits for a slot again.
    pub(crate) const SECOND_RUN: Label = label(ONEDRIVE_TRANSFERS, "accepted, second run");
    /// The document is about to be requested from the source.
    pub(crate) const PUSHING: Label = label(ONEDRIVE_TRANSFERS, "pushing");
    /// The document has been requested and has not arrived.
    pub(crate) const AWAITING_ARRIVAL: Label = label(ONEDRIVE_TRANSFERS, "awaiting arrival");
    /// The document has not arrived in time, and the transfer is about to end as failed.
    pub(crate) const ENDING_WITHOUT_ARRIVAL: Label =
        label(ONEDRIVE_TRANSFERS, "awaiting arrival, ending");
    /// The document has arrived, and none of its bytes has been sent.
    pub(crate) const UPLOAD_NOT_BEGUN: Label = label(ONEDRIVE_TRANSFERS, "uploading, not begun");
    /// A part of the document has been sent, and the drive has asked for a pause.
    pub(crate) const UPLOAD_PAUSED: Label = label(ONEDRIVE_TRANSFERS, "uploading, paused");
    /// The arrived object is lost, and the document has to be requested again.
    pub(crate) const PUSH_AGAIN: Label = label(ONEDRIVE_TRANSFERS, "uploading, to be pushed again");
    /// The document is verified in the OneDrive, and the transfer has not ended.
    pub(crate) const DELIVERED: Label = label(ONEDRIVE_TRANSFERS, "uploading, delivered");
    /// The owner has asked to cancel the upload, which has not stopped yet.
    pub(crate) const CANCEL_REQUESTED: Label =
        label(ONEDRIVE_TRANSFERS, "uploading, cancel requested");
    /// The document was delivered, and the transfer has ended.
    pub(crate) const COMPLETED: Label = label(ONEDRIVE_TRANSFERS, "completed");
    /// The completed transfer has removed its temporary objects and sessions.
    pub(crate) const CLEANED_UP: Label = label(ONEDRIVE_TRANSFERS, "completed, cleaned up");
    /// The transfer has ended without a delivery because of a failure.
    pub(crate) const FAILED: Label = label(ONEDRIVE_TRANSFERS, "failed");
    /// The transfer has ended without a delivery at its owner's request.
    pub(crate) const CANCELED: Label = label(ONEDRIVE_TRANSFERS, "canceled");
}

/// States of a download outside a batch.
pub(crate) mod download {
    use super::kinds::DOWNLOAD_TRANSFERS;
    use super::{Label, label};

    /// The download waits in the queue for a slot.
    pub(crate) const QUEUED: Label = label(DOWNLOAD_TRANSFERS, "accepted, queued");
    /// A part of the document has been written into the delivery bucket.
    pub(crate) const UPLOADING_PARTS: Label = label(DOWNLOAD_TRANSFERS, "uploading parts");
    /// The download uses an object that another download has already delivered.
    pub(crate) const REUSED: Label = label(DOWNLOAD_TRANSFERS, "uploading, reused");
    /// The document is in the delivery bucket, and the download has ended.
    pub(crate) const COMPLETED: Label = label(DOWNLOAD_TRANSFERS, "completed");
    /// The download has ended, and its object is retained for longer than first requested.
    pub(crate) const RETAINED_LONGER: Label =
        label(DOWNLOAD_TRANSFERS, "completed, retained longer");
    /// The download has ended because the source does not have the document.
    pub(crate) const FAILED: Label = label(DOWNLOAD_TRANSFERS, "failed");
}

/// States of a document of a batch.
pub(crate) mod batch_document {
    use super::kinds::DOWNLOAD_TRANSFERS;
    use super::{Label, label};

    /// The document is recorded, and its batch has not started it.
    pub(crate) const IDLE: Label = label(DOWNLOAD_TRANSFERS, "document of a batch, idle");
    /// The document waits in the queue for a slot.
    pub(crate) const QUEUED: Label = label(DOWNLOAD_TRANSFERS, "document of a batch, queued");
    /// The document has been delivered.
    pub(crate) const COMPLETED: Label = label(DOWNLOAD_TRANSFERS, "document of a batch, completed");
}

/// States of a batch, of the counts of its documents, and of a file name that a document reserves.
pub(crate) mod batch {
    use super::kinds::BATCHES;
    use super::{Label, label};

    /// The batch is recorded, but not all of its documents are.
    pub(crate) const ACCEPTED: Label = label(BATCHES, "accepted");
    /// All documents are recorded, and the batch delivers them.
    pub(crate) const RUNNING: Label = label(BATCHES, "running");
    /// The owner has asked to cancel the batch, and some documents have not ended yet.
    pub(crate) const CANCEL_REQUESTED: Label = label(BATCHES, "cancel requested");
    /// The batch has ended at its owner's request.
    pub(crate) const CANCELED: Label = label(BATCHES, "canceled");
    /// The owner has retried the ended batch, whose documents are being restarted.
    pub(crate) const RESUMING: Label = label(BATCHES, "resuming");
    /// Counts of a batch of which some documents have ended.
    pub(crate) const COUNTS_WHILE_RUNNING: Label = label(BATCHES, "counts of a running batch");
    /// Counts of a batch of which all documents have ended.
    pub(crate) const COUNTS_AT_END: Label = label(BATCHES, "counts of an ended batch");
    /// A file name that one document of the batch has reserved for itself.
    pub(crate) const RESERVED_NAME: Label = label(BATCHES, "reserved name");
}

/// States of an upload session.
pub(crate) mod session {
    use super::kinds::SESSIONS;
    use super::{Label, label};

    /// Session of a transfer outside a batch.
    pub(crate) const OF_TRANSFER: Label = label(SESSIONS, "open");
    /// Session of a document of a batch.
    pub(crate) const OF_BATCH_DOCUMENT: Label = label(SESSIONS, "of a document of a batch");
}

/// The idempotency record of a request.
pub(crate) const IDEMPOTENCY_RECORD: Label = label(kinds::REQUESTS, "idempotency record");

/// Messages in the outbox, by the outcome that they report.
pub(crate) mod outbox {
    use super::kinds::OUTBOX;
    use super::{Label, label};

    /// Outcome record of a completed transfer.
    pub(crate) const COMPLETED: Label = label(OUTBOX, "completed");
    /// Outcome record of a failed transfer.
    pub(crate) const FAILED: Label = label(OUTBOX, "failed");
    /// Outcome record of a canceled transfer.
    pub(crate) const CANCELED: Label = label(OUTBOX, "canceled");
    /// Outcome record of a document of a batch.
    pub(crate) const BATCH_DOCUMENT: Label = label(OUTBOX, "document of a batch");
    /// Webhook notification about a completed download.
    pub(crate) const DOWNLOAD_WEBHOOK: Label = label(OUTBOX, "webhook of a download");
    /// Webhook notification about a failed download.
    pub(crate) const FAILURE_WEBHOOK: Label = label(OUTBOX, "webhook of a failure");
    /// Webhook notification about a batch.
    pub(crate) const BATCH_WEBHOOK: Label = label(OUTBOX, "webhook of a batch");
}

/// States of an artifact: an object of the delivery bucket with its record.
pub(crate) mod artifact {
    use super::kinds::ARTIFACTS;
    use super::{Label, label};

    /// The object is written, and its download has not recorded the delivery yet.
    pub(crate) const WRITTEN: Label = label(ARTIFACTS, "written");
    /// The object is delivered, so other downloads of the document can reuse it.
    pub(crate) const DELIVERED: Label = label(ARTIFACTS, "delivered");
    /// The retention of the object is over, and the object is being removed.
    pub(crate) const GIVEN_UP: Label = label(ARTIFACTS, "given up");
    /// The entry that leads from a document to its newest artifact.
    pub(crate) const NEWEST_OF_DOCUMENT: Label = label(ARTIFACTS, "newest of its document");
}

/// States of an exchange key, which is the name of a document's object in the exchange bucket.
pub(crate) mod exchange_key {
    use super::kinds::EXCHANGE_KEYS;
    use super::{Label, label};

    /// A push that is about to be requested, so the source has not named its exchange key yet.
    pub(crate) const ANNOUNCED_PUSH: Label = label(EXCHANGE_KEYS, "announced push");
    /// A transfer uses the key.
    pub(crate) const USED: Label = label(EXCHANGE_KEYS, "used");
    /// The last transfer that used the key is deleting the object.
    pub(crate) const BEING_RELEASED: Label = label(EXCHANGE_KEYS, "being released");
    /// The object is deleted, and any transfer can use the key.
    pub(crate) const RELEASED: Label = label(EXCHANGE_KEYS, "released");
}

/// Records of slots and of the queue for them.
pub(crate) mod slots {
    use super::kinds::SLOTS;
    use super::{Label, label};

    /// The transfers that hold slots.
    pub(crate) const HOLDERS: Label = label(SLOTS, "holders");
    /// Queue entry of a new transfer.
    pub(crate) const QUEUE_ENTRY: Label = label(SLOTS, "queue entry");
    /// Queue entry of a transfer that was retried.
    pub(crate) const SECOND_RUN: Label = label(SLOTS, "queue entry, second run");
}

/// Records that limit the calls to the API and to the drives.
pub(crate) mod counter {
    use super::kinds::COUNTERS;
    use super::{Label, label};

    /// Number of API calls of one caller in one minute.
    pub(crate) const CALLS_OF_MINUTE: Label = label(COUNTERS, "calls of a minute");
    /// Pause during which no transfer calls the drives.
    pub(crate) const SHARED_PAUSE: Label = label(COUNTERS, "pause of all transfers");
}
