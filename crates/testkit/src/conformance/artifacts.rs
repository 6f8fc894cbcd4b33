//! Conformance checks of every [`ArtifactStore`](docferry_app::ports::ArtifactStore).
//!
//! An artifact is an object in the delivery bucket. It is retained for a time, and further
//! transfers of the same document may reuse it meanwhile.

use docferry_app::ports::{Store, StoreError, WorkItem, WriteError};
use docferry_domain::document::{Artifact, ArtifactRecord, Crc32};
use docferry_domain::ids::ObjectGuid;
use docferry_domain::phase::Phase;
use docferry_domain::transfer::{Outcome, Transfer};

use super::support::{created, finish, get, seconds, uploading};
use crate::builders::{epoch, pushed};

/// Runs every check of an `ArtifactStore`.
///
/// # Panics
/// When the store breaks a rule of its port.
pub async fn artifact_store(store: &impl Store) {
    newest_delivered_artifact_is_found(store).await;
    artifact_is_reusable_only_after_its_delivery(store).await;
    retention_is_never_shortened(store).await;
    rescheduling_keeps_the_retention(store).await;
    artifact_being_removed_cannot_be_retained(store).await;
    only_undelivered_artifact_can_be_withdrawn(store).await;
    each_artifact_of_a_document_is_listed_and_can_be_given_up(store).await;
    reuse_is_a_delivery_without_a_push(store).await;
}

/// Returns an artifact of a document with a random GUID. It is retained until `retained_seconds`
/// after the start of the test.
fn artifact(retained_seconds: i64) -> ArtifactRecord {
    let name = uuid::Uuid::new_v4().simple().to_string();
    ArtifactRecord {
        key: format!("downloads/{name}/0"),
        object_guid: name.parse().unwrap(),
        size: 1000,
        crc32: Some(Crc32::new(u32::MAX)),
        name: "a.pdf".parse().unwrap(),
        mime: Some("application/pdf".into()),
        written_at: epoch(),
        retain_until: seconds(retained_seconds),
    }
}

/// Records the delivery of an artifact by a new transfer.
async fn deliver(store: &impl Store, artifact: &ArtifactRecord) {
    let transfer = uploading(store).await;
    record_delivery(store, &transfer, artifact).await.unwrap();
}

/// Records the delivery of an artifact by an existing transfer.
async fn record_delivery(
    store: &impl Store,
    transfer: &Transfer,
    artifact: &ArtifactRecord,
) -> Result<(), WriteError> {
    let delivery = Artifact::from(artifact).into();
    store.record_delivery(&transfer.transfer_id, transfer.epoch, &delivery).await
}

async fn each_artifact_of_a_document_is_listed_and_can_be_given_up(store: &impl Store) {
    let first = artifact(1000);
    let second = ArtifactRecord { key: format!("{}/second", first.key), ..first.clone() };
    let undelivered = ArtifactRecord { key: format!("{}/third", first.key), ..first.clone() };
    assert_eq!(store.artifacts_of(&first.object_guid).await.unwrap(), Vec::<String>::new());
    assert!(!store.give_up_artifact(&first.key).await.unwrap());

    for recorded in [&first, &second, &undelivered, &undelivered] {
        store.put_artifact(recorded).await.unwrap();
    }
    deliver(store, &first).await;
    deliver(store, &second).await;

    let mut keys = store.artifacts_of(&first.object_guid).await.unwrap();
    keys.sort();
    assert_eq!(keys, [&first.key, &second.key, &undelivered.key].map(String::clone));
    for key in &keys {
        assert!(store.give_up_artifact(key).await.unwrap());
        assert!(store.give_up_artifact(key).await.unwrap());
        assert!(!store.retain_artifact(key, seconds(5000)).await.unwrap());
    }
}

/// Returns whether the sweeper would remove the artifact at this second of the test.
async fn is_due(store: &impl Store, key: &str, second: i64) -> bool {
    let unfinished = store.unfinished(seconds(second), 10_000).await.unwrap();
    assert!(
        !unfinished.contains(&WorkItem::Artifact(key.to_owned())),
        "artifacts are listed by expired_artifacts only"
    );
    let expired = store.expired_artifacts(seconds(second), 10_000).await.unwrap();
    expired.iter().any(|expired| expired == key)
}

async fn newest_delivered_artifact_is_found(store: &impl Store) {
    let first = artifact(10);
    let find = async || store.find_artifact(&first.object_guid).await.unwrap();
    store.put_artifact(&first).await.unwrap();
    deliver(store, &first).await;
    assert_eq!(find().await.as_ref(), Some(&first));
    let second = ArtifactRecord { key: format!("{}/1", first.key), ..first.clone() };
    store.put_artifact(&second).await.unwrap();
    assert_eq!(find().await.as_ref(), Some(&first), "the second artifact is not delivered yet");
    deliver(store, &second).await;
    assert_eq!(find().await.as_ref(), Some(&second));

    // A transfer that reuses the first artifact does not make it the newest.
    deliver(store, &first).await;
    assert_eq!(find().await, Some(second));

    let unknown_document: ObjectGuid = "AAAA".parse().unwrap();
    assert_eq!(store.find_artifact(&unknown_document).await.unwrap(), None);
}

async fn artifact_is_reusable_only_after_its_delivery(store: &impl Store) {
    let record = artifact(10);
    let find = async || store.find_artifact(&record.object_guid).await.unwrap();
    let transfer = uploading(store).await;
    for _ in ["first try", "repeated try"] {
        store.put_artifact(&record).await.unwrap();
        assert_eq!(find().await, None);
        assert!(!store.retain_artifact(&record.key, seconds(20)).await.unwrap());
    }
    let stale = Transfer { epoch: transfer.epoch - 1, ..transfer.clone() };
    let rejected = record_delivery(store, &stale, &record).await;
    assert!(matches!(rejected, Err(WriteError::Superseded)), "{rejected:?}");
    assert_eq!(find().await, None, "a rejected delivery makes no artifact reusable");
    for _ in ["first try", "repeated try"] {
        record_delivery(store, &transfer, &record).await.unwrap();
        assert_eq!(find().await.as_ref(), Some(&record));
        assert!(store.retain_artifact(&record.key, seconds(20)).await.unwrap());
    }

    // A transfer that has ended cannot record a delivery.
    let (late, ended) = (artifact(10), uploading(store).await);
    store.put_artifact(&late).await.unwrap();
    finish(store, &ended.transfer_id, Outcome::Canceled).await;
    let rejected = record_delivery(store, &ended, &late).await;
    assert!(matches!(rejected, Err(WriteError::Ended)), "{rejected:?}");
    assert_eq!(store.find_artifact(&late.object_guid).await.unwrap(), None);
}

async fn retention_is_never_shortened(store: &impl Store) {
    let record = artifact(10);
    let key = &record.key;
    store.put_artifact(&record).await.unwrap();
    assert!(!is_due(store, key, 9).await && is_due(store, key, 11).await);
    deliver(store, &record).await;
    assert!(store.retain_artifact(key, seconds(20)).await.unwrap());
    assert!(
        store.retain_artifact(key, seconds(15)).await.unwrap(),
        "a shorter retention succeeds and changes nothing"
    );
    assert!(!is_due(store, key, 19).await && is_due(store, key, 21).await);

    // The transfer that created the artifact repeats its step.
    store.put_artifact(&record).await.unwrap();
    assert!(!is_due(store, key, 19).await && is_due(store, key, 21).await);
    assert!(
        !store.expire_artifact(key, seconds(19)).await.unwrap(),
        "the retention was extended to second 20"
    );
    let retained_longer = ArtifactRecord { retain_until: seconds(30), ..record.clone() };
    store.put_artifact(&retained_longer).await.unwrap();
    assert!(!store.expire_artifact(key, seconds(29)).await.unwrap());
    assert!(store.expire_artifact(key, seconds(30)).await.unwrap());
}

async fn rescheduling_keeps_the_retention(store: &impl Store) {
    let record = artifact(10);
    let key = &record.key;
    let due = WorkItem::Artifact(key.clone());
    store.put_artifact(&record).await.unwrap();
    deliver(store, &record).await;
    assert!(store.retain_artifact(key, seconds(100)).await.unwrap());

    // A sweep that found the artifact due before its retention was extended now reschedules it.
    store.reschedule(&due, seconds(12)).await.unwrap();
    assert!(!is_due(store, key, 11).await && is_due(store, key, 13).await);
    assert!(!store.expire_artifact(key, seconds(13)).await.unwrap());
    assert!(!is_due(store, key, 99).await, "the next check is at the end of the retention");
    assert!(is_due(store, key, 101).await);

    // A request for a shorter retention does not move the next check.
    store.reschedule(&due, seconds(50)).await.unwrap();
    assert!(store.retain_artifact(key, seconds(90)).await.unwrap());
    assert!(is_due(store, key, 51).await);

    // A late check does not extend the retention.
    store.reschedule(&due, seconds(500)).await.unwrap();
    assert!(!store.expire_artifact(key, seconds(99)).await.unwrap());
    store.reschedule(&due, seconds(500)).await.unwrap();
    assert!(store.expire_artifact(key, seconds(100)).await.unwrap());
}

async fn artifact_being_removed_cannot_be_retained(store: &impl Store) {
    let record = artifact(10);
    let key = &record.key;
    store.put_artifact(&record).await.unwrap();
    deliver(store, &record).await;
    assert!(store.expire_artifact(key, seconds(10)).await.unwrap());
    assert!(!store.retain_artifact(key, seconds(99)).await.unwrap());
    store
        .put_artifact(&ArtifactRecord { retain_until: seconds(99), ..record.clone() })
        .await
        .unwrap();
    assert!(
        !store.retain_artifact(key, seconds(99)).await.unwrap(),
        "the removal cannot be undone"
    );
    assert!(store.expire_artifact(key, seconds(9)).await.unwrap(), "the removal has begun");
    assert!(is_due(store, key, 11).await, "the artifact stays due until its object is deleted");
    store.delete_artifact_record(key).await.unwrap();
    store.delete_artifact_record(key).await.unwrap();
    assert!(!is_due(store, key, 11).await);
    assert!(!store.retain_artifact(key, seconds(99)).await.unwrap());
    assert!(
        store.expire_artifact(key, seconds(1)).await.unwrap(),
        "an unknown artifact may be removed"
    );
}

async fn only_undelivered_artifact_can_be_withdrawn(store: &impl Store) {
    let (record, transfer) = (artifact(10), uploading(store).await);
    let withdraw = async |key: &str| store.withdraw_artifact(key).await.unwrap();
    assert!(withdraw(&record.key).await, "an unknown artifact may be removed");
    store.put_artifact(&record).await.unwrap();
    assert!(withdraw(&record.key).await && withdraw(&record.key).await);
    assert!(store.expire_artifact(&record.key, seconds(1)).await.unwrap());

    // A late step cannot deliver an artifact that is being removed.
    store.put_artifact(&record).await.unwrap();
    let rejected = record_delivery(store, &transfer, &record).await;
    assert!(matches!(rejected, Err(WriteError::Store(StoreError::Unavailable(_)))), "{rejected:?}");
    assert_eq!(get(store, &transfer.transfer_id).await.delivery, None);
    assert_eq!(store.find_artifact(&record.object_guid).await.unwrap(), None);

    let delivered = artifact(10);
    store.put_artifact(&delivered).await.unwrap();
    deliver(store, &delivered).await;
    assert!(!withdraw(&delivered.key).await);
    assert!(store.retain_artifact(&delivered.key, seconds(20)).await.unwrap());
}

async fn reuse_is_a_delivery_without_a_push(store: &impl Store) {
    let id = created(store).await.transfer_id;
    store.begin_push(&id, 1, epoch()).await.unwrap();
    let reused = Artifact { key: "downloads/x/0".into(), size: 1_000, crc32: None };
    for _ in ["first try", "repeated try"] {
        store.record_reuse(&id, 1, &pushed("", 1_000), &reused).await.unwrap();
        let record = get(store, &id).await;
        assert_eq!((record.pushes, record.bytes_done, record.phase), (0, 1_000, Phase::Uploading));
        assert_eq!(record.delivery, Some(reused.clone().into()));
    }
}
