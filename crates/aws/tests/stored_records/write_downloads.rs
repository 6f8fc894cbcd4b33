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
    pub(crate) async fn download_transfers(&mut self) {
        const KIND: &str = "transfers-download";
        let ids: Vec<TransferId> = (30..=33).map(TransferId::from_u128).collect();
        for id in &ids {
            let request = IdempotencyRecord {
                key: format!("hash-of-{id}"),
                fingerprint: "fingerprint".into(),
                job_id: id.clone(),
                retain_until: at(86_400),
            };
            let entry = CreateOptions { request: Some(&request), slot: None };
            self.store.create_with(&download(id.clone()), entry).await.unwrap();
        }
        self.add_transfer_record(KIND, "accepted, queued", &ids[0]).await;
        let request_pk = format!("I#hash-of-{}", ids[0]);
        self.add_record("requests", "idempotency record", &request_pk, "REQUEST").await;

        let key = format!("downloads/{}/1", ids[1]);
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
        let epoch = self.upload(&ids[1], "docferry/fetched.pdf").await;
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
        let _ = self.store.checkpoint(&ids[1], epoch, &progress).await.unwrap();
        self.add_transfer_record(KIND, "uploading parts", &ids[1]).await;
        self.store.put_artifact(&record).await.unwrap();
        self.add_record("artifacts", "written", &format!("A#{key}"), "ARTIFACT").await;
        self.store.record_delivery(&ids[1], epoch, &artifact.clone().into()).await.unwrap();
        self.add_record("artifacts", "delivered", &format!("A#{key}"), "ARTIFACT").await;
        self.add_record("artifacts", "newest of its document", &format!("D#{GUID}"), "NEWEST")
            .await;
        self.finish(&ids[1], Outcome::Completed).await;
        self.add_transfer_record(KIND, "completed", &ids[1]).await;
        self.add_record("outbox", "webhook of a download", &format!("T#{}", ids[1]), "NOTICE#1")
            .await;

        let reused = &ids[2];
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
        self.push(&ids[3], "docferry/never.pdf").await;
        self.finish(&ids[3], Outcome::Failed(FailureCode::SourceNotFound)).await;
        self.add_transfer_record(KIND, "failed", &ids[3]).await;
        self.add_record("outbox", "webhook of a failure", &format!("T#{}", ids[3]), "NOTICE#1")
            .await;
    }
}
