//! Writes the records of downloads and of their artifacts in each of their states.
//!
//! An artifact is an object in the delivery bucket, together with its record. The downloads here
//! request the same document, so one of them can reuse the artifact of another.

use docferry_app::ports::{
    ArtifactStore as _, CreateOptions, JobStore as _, RecoveryStore as _, TransferStore as _,
    UploadStore as _,
};
use docferry_domain::document::{Artifact, ArtifactRecord, QuickXorHash};
use docferry_domain::failure::FailureCode;
use docferry_domain::ids::TransferId;
use docferry_domain::job::IdempotencyRecord;
use docferry_domain::transfer::Outcome;
use docferry_domain::upload::{Checkpoint, UploadCounters};

use crate::keys;
use crate::labels::{IDEMPOTENCY_RECORD, artifact, download, outbox};
use crate::times::{
    ARTIFACT_WRITTEN, DOWNLOAD_PURGE, LONGER_PURGE, LONGER_RETENTION_END, RETENTION_END,
    REUSE_BEGUN,
};
use crate::values::{
    DOCUMENT_BYTES, DOCUMENT_GUID, DOCUMENT_NAME, FIRST_EXECUTION, download_transfer,
    full_checkpoint, push_response,
};
use crate::writer::Writer;

/// Id of the download that waits for a slot.
const QUEUED_DOWNLOAD: u128 = 30;
/// Id of the download that delivers an artifact.
const DELIVERED_DOWNLOAD: u128 = 31;
/// Id of the download that reuses this artifact.
const REUSING_DOWNLOAD: u128 = 32;
/// Id of the download whose document the source does not have.
const FAILED_DOWNLOAD: u128 = 33;

/// Number of bytes that an unfinished download has written into the delivery bucket: 5 MiB.
const WRITTEN_BYTES: u64 = 5_242_880;

/// Exchange key of the document that is delivered and reused.
const DOWNLOAD_KEY: &str = "docferry/fetched.pdf";

impl Writer {
    /// Writes the records of four downloads: the first is queued, the second delivers an artifact,
    /// the third reuses this artifact, and the fourth fails.
    pub(crate) async fn downloads(&mut self) {
        self.queued_download().await;
        let artifact = self.delivered_download().await;
        self.reusing_download(&artifact).await;
        self.expired_artifact(&artifact).await;
        self.failed_download().await;
    }

    /// Records a new download with an idempotency record. Returns the id of the download.
    async fn create_download(&self, number: u128) -> TransferId {
        let id = TransferId::from_u128(number);
        let request = IdempotencyRecord {
            key: request_hash(&id),
            fingerprint: "fingerprint".into(),
            job_id: id.clone(),
            retain_until: RETENTION_END,
        };
        let options = CreateOptions { request: Some(&request), slot: None };
        self.store.create_with(&download_transfer(id.clone()), options).await.unwrap();
        id
    }

    /// Writes a download that waits for a slot, and the idempotency record of its request.
    async fn queued_download(&mut self) {
        let id = self.create_download(QUEUED_DOWNLOAD).await;
        self.save_transfer(download::QUEUED, &id).await;

        let request_key = keys::idempotency_record(&request_hash(&id));
        self.save_item(IDEMPOTENCY_RECORD, request_key).await;
    }

    /// Writes a download from the middle of its upload to its end. Returns its artifact.
    async fn delivered_download(&mut self) -> Artifact {
        let id = self.create_download(DELIVERED_DOWNLOAD).await;
        let artifact =
            Artifact { key: format!("downloads/{id}/1"), size: DOCUMENT_BYTES, crc32: None };

        let epoch = self.start_upload(&id, DOWNLOAD_KEY).await;
        let _ = self.store.checkpoint(&id, epoch, &download_checkpoint()).await.unwrap();
        self.save_transfer(download::UPLOADING_PARTS, &id).await;

        self.written_artifact(&artifact).await;
        self.delivered_artifact(&artifact, &id, epoch).await;

        self.finish(&id, Outcome::Completed).await;
        self.save_transfer(download::COMPLETED, &id).await;
        self.save_item(outbox::DOWNLOAD_WEBHOOK, keys::first_notification(&id)).await;
        artifact
    }

    /// Writes an artifact whose object is in the delivery bucket, but whose download has not
    /// recorded the delivery yet.
    async fn written_artifact(&mut self, artifact: &Artifact) {
        let record = ArtifactRecord {
            key: artifact.key.clone(),
            object_guid: DOCUMENT_GUID.parse().unwrap(),
            size: artifact.size,
            crc32: artifact.crc32,
            name: DOCUMENT_NAME.parse().unwrap(),
            mime: Some("application/pdf".into()),
            written_at: ARTIFACT_WRITTEN,
            retain_until: RETENTION_END,
        };
        self.store.put_artifact(&record).await.unwrap();
        self.save_item(artifact::WRITTEN, keys::artifact(&artifact.key)).await;
    }

    /// Writes an artifact that other downloads can reuse, and the entry that leads from the
    /// document to it.
    async fn delivered_artifact(&mut self, artifact: &Artifact, id: &TransferId, epoch: u64) {
        self.store.record_delivery(id, epoch, &artifact.clone().into()).await.unwrap();
        self.save_item(artifact::DELIVERED, keys::artifact(&artifact.key)).await;
        self.save_item(artifact::NEWEST_OF_DOCUMENT, keys::newest_artifact(DOCUMENT_GUID)).await;
    }

    /// Writes a download that uses the artifact of another download: first before its end, then
    /// with a retention that was extended after its end.
    async fn reusing_download(&mut self, artifact: &Artifact) {
        let id = self.create_download(REUSING_DOWNLOAD).await;
        self.store.begin_push(&id, FIRST_EXECUTION, REUSE_BEGUN).await.unwrap();
        let response = push_response(DOWNLOAD_KEY);
        self.store.record_reuse(&id, FIRST_EXECUTION, &response, artifact).await.unwrap();
        self.save_transfer(download::REUSED, &id).await;

        self.finish(&id, Outcome::Completed).await;
        self.store.mark_cleaned_up(&id, FIRST_EXECUTION, DOWNLOAD_PURGE).await.unwrap();
        self.store.extend_retention(&id, LONGER_RETENTION_END, LONGER_PURGE).await.unwrap();
        self.save_transfer(download::RETAINED_LONGER, &id).await;
    }

    /// Writes an artifact that is being removed because its retention is over.
    async fn expired_artifact(&mut self, artifact: &Artifact) {
        let removal_begun = self.store.expire_artifact(&artifact.key, RETENTION_END).await;
        assert!(removal_begun.unwrap());
        self.save_item(artifact::GIVEN_UP, keys::artifact(&artifact.key)).await;
    }

    /// Writes a download that has ended because the source does not have the document.
    async fn failed_download(&mut self) {
        let id = self.create_download(FAILED_DOWNLOAD).await;
        self.request_document(&id, "docferry/never.pdf").await;
        self.finish(&id, Outcome::Failed(FailureCode::SourceNotFound)).await;
        self.save_transfer(download::FAILED, &id).await;
        self.save_item(outbox::FAILURE_WEBHOOK, keys::first_notification(&id)).await;
    }
}

/// Returns the key of the idempotency record of a download's request.
fn request_hash(id: &TransferId) -> String {
    format!("hash-of-{id}")
}

/// Returns a checkpoint of an upload into the delivery bucket, in which most members have their
/// default values.
fn download_checkpoint() -> Checkpoint {
    Checkpoint {
        hash: QuickXorHash::new().state(),
        sessions: 1,
        replaced_for_last_fragment: false,
        counters: UploadCounters::default(),
        put_lease_until: None,
        numbering: false,
        number: 0,
        completed_item_id: None,
        ..full_checkpoint(WRITTEN_BYTES)
    }
}
