//! Tests of the stored form (JSON) of the records. Each text below is a stored record in which
//! every field has a value that is not the default. It is read into the Rust type and written
//! again, and must not change.
//!
//! The texts contain stored names and not names of Rust fields. So when a Rust field is
//! renamed, the tests still prove that records of older versions are read.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

use docferry_domain::document::ArtifactRecord;
use docferry_domain::job::{Batch, IdempotencyRecord, WebhookNotification};
use docferry_domain::transfer::{OutcomeRecord, Transfer};
use docferry_domain::upload::Checkpoint;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A delivery to OneDrive. `stored_transfer` replaces the word `CHECKPOINT` by the checkpoint.
const TRANSFER: &str = r#"{
  "schemaVersion": 1,
  "transferId": "00000000000000000000000000000001",
  "owner": "scv",
  "onBehalfOf": "p1",
  "keepUntil": "2026-01-02T00:00:00Z",
  "callback": "https://hook.example/a",
  "trace": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
  "objectGuid": "AAAA",
  "fileId": 10042,
  "recipient": "a@b.example",
  "filePath": "/in/a",
  "folder": "in/a",
  "createdAt": "2026-01-01T00:00:00Z",
  "deadline": "2026-01-01T04:00:00Z",
  "attempt": 3,
  "retries": 1,
  "pastAttempts": 2,
  "phase": "uploading",
  "pool": "download",
  "priority": "high",
  "turn": "holding",
  "cancelRequested": true,
  "ending": "CANCELED",
  "queuedAt": "2026-01-01T00:01:00Z",
  "admittedAt": "2026-01-01T00:02:00Z",
  "startedAt": "2026-01-01T00:03:00Z",
  "endedAt": "2026-01-01T00:04:00Z",
  "pushes": 2,
  "pushAgain": true,
  "knownKey": "k0.pdf",
  "owedKeys": [
    {
      "key": "k1.pdf",
      "requestedAt": "2026-01-01T00:05:00Z"
    }
  ],
  "source": {
    "key": "k.pdf",
    "name": "k.pdf",
    "mime": "application/pdf",
    "size": 100,
    "requestedAt": "2026-01-01T00:06:00Z",
    "found": {
      "before": {
        "etag": "\"e0\"",
        "lastModified": "2026-01-01T00:07:00Z"
      }
    },
    "askedAt": "2026-01-01T00:08:00Z",
    "pushedAt": "2026-01-01T00:09:00Z",
    "mustEndBy": "2026-01-01T03:00:00Z"
  },
  "object": {
    "etag": "\"e1\"",
    "arrivedAt": "2026-01-01T00:10:00Z",
    "writtenAt": "2026-01-01T00:11:00Z"
  },
  "epoch": 7,
  "checkpoint": CHECKPOINT,
  "bytesDone": 42,
  "resumeAt": "2026-01-01T00:12:00Z",
  "delivery": {
    "itemId": "i1",
    "size": 101,
    "quickXorHash": "h",
    "rewritten": true,
    "evidence": "contentParts",
    "webUrl": "https://drive.example/i1"
  },
  "failure": {
    "code": "QUOTA_EXCEEDED"
  },
  "settled": true,
  "failedPushTries": 1,
  "failedPollTries": 2,
  "failedDeliverTries": 3,
  "failedFinalizeTries": 4,
  "lastTransientError": {
    "code": "SOURCE_UNAVAILABLE",
    "at": "2026-01-01T00:13:00Z"
  }
}"#;

const CHECKPOINT: &str = r#"{
  "offset": 50,
  "hash": {
    "register": "AAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    "len": 50
  },
  "fragmentBytes": 327680,
  "sessions": 2,
  "freshSession": true,
  "tally": {
    "furthest": 60,
    "renewals": 1,
    "setbacks": 2,
    "waits": 3,
    "replacedBecause": "DESTINATION_LOCKED"
  },
  "puttingUntil": "2026-01-01T00:14:00Z",
  "numbering": true,
  "number": 4,
  "answered": "i0",
  "pace": {
    "at": "2026-01-01T00:15:00Z",
    "bytes": 50,
    "perSecond": 10
  }
}"#;

const BATCH: &str = r#"{
  "schemaVersion": 1,
  "bundleId": "00000000000000000000000000000002",
  "owner": "scv",
  "onBehalfOf": "p1",
  "keepUntil": "2026-01-02T00:00:00Z",
  "callback": "https://hook.example/a",
  "trace": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
  "documents": 3,
  "onItemError": "skip",
  "createdAt": "2026-01-01T00:00:00Z",
  "deadline": "2026-01-01T04:00:00Z",
  "phase": "failed",
  "retries": 1,
  "resuming": true,
  "documentsStopped": true,
  "cancelRequested": true,
  "endedAt": "2026-01-01T00:04:00Z",
  "failure": {
    "code": "QUOTA_EXCEEDED"
  },
  "failedDocuments": 2
}"#;

const NOTIFICATION: &str = r#"{
  "jobId": "00000000000000000000000000000001",
  "attempt": 3,
  "callback": "https://hook.example/a",
  "outcome": "failed",
  "failure": "QUOTA_EXCEEDED",
  "runs": 2,
  "documents": 3,
  "failedDocuments": 1,
  "endedAt": "2026-01-01T00:04:00Z",
  "trace": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
}"#;

const IDEMPOTENCY: &str = r#"{
  "key": "k",
  "fingerprint": "f",
  "jobId": "00000000000000000000000000000001",
  "keepUntil": "2026-01-02T00:00:00Z"
}"#;

const OUTCOME: &str = r#"{
  "transferId": "00000000000000000000000000000001",
  "attempt": 3,
  "actor": "scv",
  "pool": "download",
  "endedAt": "2026-01-01T00:04:00Z",
  "outcome": "failed",
  "failure": "QUOTA_EXCEEDED",
  "files": [
    {
      "id": "AAAA",
      "fileName": "k.pdf",
      "contentType": "application/pdf"
    }
  ]
}"#;

const ARTIFACT: &str = r#"{
  "key": "a/1",
  "objectGuid": "AAAA",
  "size": 100,
  "name": "k.pdf",
  "mime": "application/pdf",
  "writtenAt": "2026-01-01T00:04:00Z",
  "keepUntil": "2026-01-02T00:00:00Z"
}"#;

/// Asserts that a stored record does not change when it is read and written again.
fn assert_unchanged<T: Serialize + DeserializeOwned>(text: &str) {
    let record: T = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_string_pretty(&record).unwrap(), text);
}

/// Returns the stored delivery to OneDrive, with its checkpoint.
fn stored_transfer() -> String {
    TRANSFER.replace("CHECKPOINT", &CHECKPOINT.replace('\n', "\n  "))
}

#[test]
fn stored_transfer_with_every_field_comes_back_unchanged() {
    assert_unchanged::<Transfer>(&stored_transfer());
}

#[test]
fn stored_download_comes_back_unchanged() {
    let drive_target = r#""recipient": "a@b.example",
  "filePath": "/in/a",
  "folder": "in/a","#;
    let download_target = "\"person\": \"p1\",";
    let with_download_target = stored_transfer().replace(drive_target, download_target);

    let delivery_start = "\"delivery\": {";
    let (before, delivered_item) = with_download_target.split_once(delivery_start).unwrap();
    let (_, after) = delivered_item.split_once('}').unwrap();
    let artifact = "\n    \"key\": \"a/1\",\n    \"size\": 100\n  }";
    let download = format!("{before}{delivery_start}{artifact}{after}");

    assert!(!download.contains("recipient"));
    assert_unchanged::<Transfer>(&download);
}

#[test]
fn stored_records_beside_the_transfer_come_back_unchanged() {
    assert_unchanged::<Checkpoint>(CHECKPOINT);
    assert_unchanged::<Batch>(BATCH);
    assert_unchanged::<IdempotencyRecord>(IDEMPOTENCY);
    assert_unchanged::<WebhookNotification>(NOTIFICATION);
    assert_unchanged::<OutcomeRecord>(OUTCOME);
    assert_unchanged::<ArtifactRecord>(ARTIFACT);
}
