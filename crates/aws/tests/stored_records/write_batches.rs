//! Writes the records of a batch with four documents, in each state of the batch and of its
//! documents.
//!
//! The first document is delivered and the second fails. Then the owner cancels the batch, so the
//! other two are canceled. At last the owner retries the batch.

use docferry_app::ports::{
    BatchRetry, BatchStore as _, JobStore as _, SealedSession, SlotStore as _, UploadStore as _,
};
use docferry_domain::document::Artifact;
use docferry_domain::failure::FailureCode;
use docferry_domain::ids::TransferId;
use docferry_domain::job::{Batch, OnItemError};
use docferry_domain::job_spec::JobSpec;
use docferry_domain::person::Person;
use docferry_domain::slots::SlotState;
use docferry_domain::transfer::{Outcome, Transfer};
use docferry_testkit::builders::callback;

use crate::keys;
use crate::labels::{batch, batch_document, outbox, session};
use crate::times::{
    BATCH_ENDED, CANCEL_CHECK, DOWNLOAD_PURGE, FIRST_CHECK, RETENTION_END, RETRY_CHECK,
    RETRY_DEADLINE, RETRY_RETENTION_END, START,
};
use crate::values::{
    DOCUMENT_BYTES, DOCUMENT_NAME, NO_RETRIES, OWNER, PERSON, case, download_transfer, trace,
};
use crate::writer::Writer;

/// Number from which the id of the batch is made.
const BATCH_NUMBER: u128 = 40;
/// Number of documents in the batch.
const DOCUMENTS: u16 = 4;

/// Number of the document that is delivered, within the batch.
const DELIVERED_DOCUMENT: u16 = 0;
/// Number of the document that fails.
const FAILED_DOCUMENT: u16 = 1;
/// Numbers of the documents that are canceled with the batch.
const CANCELED_DOCUMENTS: [u16; 2] = [2, 3];

impl Writer {
    /// Writes the records of the batch, in the order of its states.
    pub(crate) async fn batch_with_four_documents(&mut self) {
        let id = &TransferId::of_batch(BATCH_NUMBER);
        self.accepted_batch(id).await;
        let documents = self.idle_documents(id).await;
        self.running_batch(id).await;
        self.reserved_name(id).await;
        self.queued_documents(id, &documents).await;
        self.uploading_document(id).await;
        self.batch_with_ended_documents(id).await;
        self.batch_with_cancel_request(id).await;
        self.canceled_batch(id).await;
        self.resuming_batch(id).await;
    }

    /// Writes a batch whose documents are not recorded yet.
    async fn accepted_batch(&mut self, id: &TransferId) {
        self.store.create_batch(&new_batch(id)).await.unwrap();
        self.save_item(batch::ACCEPTED, keys::batch(id)).await;
    }

    /// Writes the documents, which the batch has not started yet. Returns them.
    async fn idle_documents(&mut self, id: &TransferId) -> Vec<Transfer> {
        let new_document = |number| {
            let document = download_transfer(id.document(number));
            let spec = document.spec.for_document();
            Transfer { slot_state: SlotState::Idle, spec, ..document }
        };
        let documents: Vec<Transfer> = (0..DOCUMENTS).map(new_document).collect();
        self.store.add_documents(&documents, DOWNLOAD_PURGE).await.unwrap();

        let first = keys::batch_document(id, DELIVERED_DOCUMENT);
        self.save_item(batch_document::IDLE, first).await;
        documents
    }

    /// Writes a batch that runs, because all of its documents are recorded.
    async fn running_batch(&mut self, id: &TransferId) {
        self.store.commit_batch(id).await.unwrap();
        self.save_item(batch::RUNNING, keys::batch(id)).await;
    }

    /// Writes a file name that the first document has reserved, so that no other document of the
    /// batch gets it.
    async fn reserved_name(&mut self, id: &TransferId) {
        let document = id.document(DELIVERED_DOCUMENT);
        let name = DOCUMENT_NAME.parse().unwrap();
        assert!(self.store.claim_name(&document, &name, DOWNLOAD_PURGE).await.unwrap());
        self.save_item(batch::RESERVED_NAME, keys::reserved_name(id)).await;
    }

    /// Writes documents that wait for slots.
    async fn queued_documents(&mut self, id: &TransferId, documents: &[Transfer]) {
        for document in documents {
            self.store.enqueue(document, FIRST_CHECK).await.unwrap();
        }
        let second = keys::batch_document(id, FAILED_DOCUMENT);
        self.save_item(batch_document::QUEUED, second).await;
    }

    /// Writes the upload session of the first document, and then delivers this document.
    async fn uploading_document(&mut self, id: &TransferId) {
        let document = id.document(DELIVERED_DOCUMENT);
        let epoch = self.start_upload(&document, "docferry/0.pdf").await;
        let sealed = SealedSession { sealed_url: vec![9], expires_at: None };
        self.store.put_session(&document, epoch, &sealed).await.unwrap();
        let session_key = keys::batch_document_session(id, DELIVERED_DOCUMENT);
        self.save_item(session::OF_BATCH_DOCUMENT, session_key).await;

        let key = format!("downloads/{id}/{DELIVERED_DOCUMENT}");
        let artifact = Artifact { key, size: DOCUMENT_BYTES, crc32: None };
        self.store.record_delivery(&document, epoch, &artifact.into()).await.unwrap();
    }

    /// Writes the counts of a batch of which one document is delivered and one has failed, and the
    /// records of the delivered document.
    async fn batch_with_ended_documents(&mut self, id: &TransferId) {
        self.finish(&id.document(DELIVERED_DOCUMENT), Outcome::Completed).await;
        let failure = Outcome::Failed(FailureCode::SourceNotFound);
        self.finish(&id.document(FAILED_DOCUMENT), failure).await;
        self.save_item(batch::COUNTS_WHILE_RUNNING, keys::batch_counts(id)).await;

        let document_key = keys::batch_document(id, DELIVERED_DOCUMENT);
        self.save_item(batch_document::COMPLETED, document_key).await;
        let outcome_key = keys::batch_document_first_outcome(id, DELIVERED_DOCUMENT);
        self.save_item(outbox::BATCH_DOCUMENT, outcome_key).await;
    }

    /// Writes a batch whose owner has asked to cancel it. Its remaining documents have been asked
    /// to stop.
    async fn batch_with_cancel_request(&mut self, id: &TransferId) {
        self.store.cancel_batch(id, OWNER, CANCEL_CHECK).await.unwrap().unwrap();
        self.store.documents_stopped(id, NO_RETRIES).await.unwrap();
        self.save_item(batch::CANCEL_REQUESTED, keys::batch(id)).await;
    }

    /// Writes a batch that has ended as canceled, with its counts and its webhook notification.
    async fn canceled_batch(&mut self, id: &TransferId) {
        for number in CANCELED_DOCUMENTS {
            self.finish(&id.document(number), Outcome::Canceled).await;
        }
        let (read, counts) = self.store.batch(id).await.unwrap().unwrap();
        assert_eq!(counts.ended, DOCUMENTS);

        let outcome = read.outcome(&counts).unwrap();
        assert_eq!(outcome, Outcome::Canceled);
        let ending = self.store.end_batch(&read, &counts, outcome, BATCH_ENDED, DOWNLOAD_PURGE);
        ending.await.unwrap();

        self.save_item(batch::CANCELED, keys::batch(id)).await;
        self.save_item(batch::COUNTS_AT_END, keys::batch_counts(id)).await;
        self.save_item(outbox::BATCH_WEBHOOK, keys::first_notification(id)).await;
    }

    /// Writes a batch that its owner has retried, and whose documents are not restarted yet.
    async fn resuming_batch(&mut self, id: &TransferId) {
        let (ended, _counts) = self.store.batch(id).await.unwrap().unwrap();
        let retry = BatchRetry {
            retain_until: RETRY_RETENTION_END,
            deadline: RETRY_DEADLINE,
            due: RETRY_CHECK,
            origin: None,
        };
        assert!(self.store.resume_batch(&ended, &retry).await.unwrap());
        self.save_item(batch::RESUMING, keys::batch(id)).await;
    }
}

/// Returns a new batch, as a request of its owner creates it.
fn new_batch(id: &TransferId) -> Batch {
    let spec = JobSpec {
        owner: OWNER.into(),
        on_behalf_of: Some(Person::new(PERSON)),
        case: case(),
        retain_until: Some(RETENTION_END),
        callback: Some(callback()),
        trace: Some(trace()),
    };
    Batch::new(id.clone(), spec, DOCUMENTS, OnItemError::Skip, START)
}
