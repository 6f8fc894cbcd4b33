//! Writes the records of downloads and of their artifacts in each of their states.

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

use crate::values::*;
use crate::write::Writer;

impl Writer {
    /// Writes the records of four downloads: the first is queued, the second delivers an artifact,
    /// the third reuses this artifact, and the fourth fails.
    pub(crate) async fn download_transfers(&mut self) {
        const KIND: &str = "transfers-download";
        let ids = [30, 31, 32, 33].map(TransferId::from_u128);
        let [queued, delivered, reused, failed] = &ids;
        for id in &ids {
            let request = IdempotencyRecord {
                key: format!("hash-of-{id}"),
                fingerprint: "fingerprint".into(),
                job_id: id.clone(),
                retain_until: at(86_400),
            };
            let options = CreateOptions { request: Some(&request), slot: None };
            self.store.create_with(&download(id.clone()), options).await.unwrap();
        }
        self.add_transfer_record(KIND, "accepted, queued", queued).await;
        let request_pk = format!("I#hash-of-{queued}");
        self.add_record("requests", "idempotency record", &request_pk, "REQUEST").await;

        let key = format!("downloads/{delivered}/1");
        let record = ArtifactRecord {
            key: key.clone(),
            object_guid: GUID.parse().unwrap(),
            size: SIZE,
            name: "Order 1.pdf".parse().unwrap(),
            mime: Some("application/pdf".into()),
            written_at: at(50),
            retain_until: at(86_400),
        };
        let artifact = Artifact { key: key.clone(), size: SIZE };
        let epoch = self.upload(delivered, "docferry/fetched.pdf").await;
        let progress = Checkpoint {
            hash: QuickXorHash::new().state(),
            sessions: 1,
            replaced_for_last_fragment: false,
            counters: UploadCounters::default(),
            put_lease_until: None,
            numbering: false,
            number: 0,
            completed_item_id: None,
            ..checkpoint(5_242_880)
        };
        let _ = self.store.checkpoint(delivered, epoch, &progress).await.unwrap();
        self.add_transfer_record(KIND, "uploading parts", delivered).await;
        self.store.put_artifact(&record).await.unwrap();
        self.add_record("artifacts", "written", &format!("A#{key}"), "ARTIFACT").await;
        self.store.record_delivery(delivered, epoch, &artifact.clone().into()).await.unwrap();
        self.add_record("artifacts", "delivered", &format!("A#{key}"), "ARTIFACT").await;
        self.add_record("artifacts", "newest of its document", &format!("D#{GUID}"), "NEWEST")
            .await;
        self.finish(delivered, Outcome::Completed).await;
        self.add_transfer_record(KIND, "completed", delivered).await;
        self.add_record("outbox", "webhook of a download", &format!("T#{delivered}"), "NOTICE#1")
            .await;

        self.store.begin_push(reused, 1, at(51)).await.unwrap();
        self.store
            .record_reuse(reused, 1, &source("docferry/fetched.pdf"), &artifact)
            .await
            .unwrap();
        self.add_transfer_record(KIND, "uploading, reused", reused).await;
        self.finish(reused, Outcome::Completed).await;
        self.store.mark_cleaned_up(reused, 1, at(172_800)).await.unwrap();
        self.store.extend_retention(reused, at(100_000), at(186_400)).await.unwrap();
        self.add_transfer_record(KIND, "completed, retained longer", reused).await;

        assert!(self.store.expire_artifact(&key, at(86_400)).await.unwrap());
        self.add_record("artifacts", "given up", &format!("A#{key}"), "ARTIFACT").await;
        self.push(failed, "docferry/never.pdf").await;
        self.finish(failed, Outcome::Failed(FailureCode::SourceNotFound)).await;
        self.add_transfer_record(KIND, "failed", failed).await;
        self.add_record("outbox", "webhook of a failure", &format!("T#{failed}"), "NOTICE#1").await;
    }
}
