//! Writes the records of a batch and its documents in each of their states.

use docferry_app::ports::{
    BatchStore as _, JobStore as _, SealedSession, SlotStore as _, UploadStore as _,
};
use docferry_domain::document::Artifact;
use docferry_domain::failure::FailureCode;
use docferry_domain::ids::TransferId;
use docferry_domain::job::{Batch, BatchCounts, OnItemError};
use docferry_domain::person::Person;
use docferry_domain::phase::Phase;
use docferry_domain::slots::SlotState;
use docferry_domain::transfer::{Outcome, SCHEMA_VERSION, Transfer};
use docferry_testkit::builders::{callback, epoch};

use crate::values::*;
use crate::write::Writer;

impl Writer {
    /// Writes the records of one batch with four documents.
    pub(crate) async fn batches(&mut self) {
        let id = TransferId::of_batch(40);
        let pk = format!("T#{id}");
        let batch = Batch {
            schema_version: SCHEMA_VERSION,
            batch_id: id.clone(),
            owner: "scv".into(),
            on_behalf_of: Some(Person::new("sub:ada")),
            documents: 4,
            on_item_error: OnItemError::Skip,
            created_at: epoch(),
            retain_until: Some(at(86_400)),
            callback: Some(callback()),
            trace: download(id.clone()).trace,
            deadline: None,
            phase: Phase::Accepted,
            retries: 0,
            resuming: false,
            documents_stopped: false,
            cancel_requested: false,
            ended_at: None,
            failure: None,
            failed_documents: 0,
        };
        self.store.create_batch(&batch).await.unwrap();
        self.add_record("batches", "accepted", &pk, "BUNDLE").await;
        let document = |number| Transfer {
            slot_state: SlotState::Idle,
            callback: None,
            ..download(id.document(number))
        };
        let documents: Vec<Transfer> = (0..4).map(document).collect();
        self.store.add_documents(&documents, at(172_800)).await.unwrap();
        self.add_record("transfers-download", "document of a batch, idle", &pk, "DOC#0000").await;
        self.store.commit_batch(&id).await.unwrap();
        self.add_record("batches", "running", &pk, "BUNDLE").await;
        let name = "Order 1.pdf".parse().unwrap();
        assert!(self.store.claim_name(&id.document(0), &name, at(172_800)).await.unwrap());
        self.add_record("batches", "reserved name", &pk, "NAME#order 1.pdf").await;
        for document in &documents {
            self.store.enqueue(document, at(90)).await.unwrap();
        }
        self.add_record("transfers-download", "document of a batch, queued", &pk, "DOC#0001").await;
        let epoch = self.upload(&id.document(0), "docferry/0.pdf").await;
        let sealed = SealedSession { sealed_url: vec![9], expires_at: None };
        self.store.put_session(&id.document(0), epoch, &sealed).await.unwrap();
        self.add_record("sessions", "of a document of a batch", &pk, "SESSION#0000").await;
        let artifact = Artifact { key: format!("downloads/{id}/0"), size: SIZE };
        self.store.record_delivery(&id.document(0), epoch, &artifact.into()).await.unwrap();
        self.finish(&id.document(0), Outcome::Completed).await;
        self.finish(&id.document(1), Outcome::Failed(FailureCode::SourceNotFound)).await;
        self.add_record("batches", "counts of a running batch", &pk, "COUNTS").await;
        self.add_record("transfers-download", "document of a batch, completed", &pk, "DOC#0000")
            .await;
        self.add_record("outbox", "document of a batch", &pk, "OUTBOX#0000#1").await;
        self.store.cancel_batch(&id, "scv", at(100)).await.unwrap().unwrap();
        self.store.documents_stopped(&id, 0).await.unwrap();
        self.add_record("batches", "cancel requested", &pk, "BUNDLE").await;
        self.finish(&id.document(2), Outcome::Canceled).await;
        self.finish(&id.document(3), Outcome::Canceled).await;
        let (read, counts) = self.store.batch(&id).await.unwrap().unwrap();
        assert_eq!(counts.ended, 4);
        self.end_batch(&read, &counts).await;
        self.add_record("batches", "canceled", &pk, "BUNDLE").await;
        self.add_record("batches", "counts of an ended batch", &pk, "COUNTS").await;
        self.add_record("outbox", "webhook of a batch", &pk, "NOTICE#1").await;
        let (read, _) = self.store.batch(&id).await.unwrap().unwrap();
        let resumed = self.store.resume_batch(&read, at(90_000), at(15_400), at(1_090));
        assert!(resumed.await.unwrap());
        self.add_record("batches", "resuming", &pk, "BUNDLE").await;
    }

    /// Ends the batch as canceled.
    pub(crate) async fn end_batch(&self, read: &Batch, counts: &BatchCounts) {
        let outcome = read.outcome(counts).unwrap();
        assert_eq!(outcome, Outcome::Canceled);
        self.store.end_batch(read, counts, outcome, at(700), at(172_800)).await.unwrap();
    }
}
