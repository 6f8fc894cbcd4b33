use docferry_app::ports::{ArtifactStore, Due, StoreError, TransferStore, WriteError};
use docferry_domain::{Artifact, ArtifactRecord, ObjectGuid, Outcome, Phase};

use super::{created, finish, get, seconds, uploading};
use crate::builders::{epoch, pushed};

/// Runs every check of an [`ArtifactStore`].
///
/// # Panics
/// At the first thing that a store does otherwise than the port says.
pub async fn artifact_store(store: &(impl ArtifactStore + TransferStore)) {
    the_newest_delivered_artifact_of_a_document_is_found(store).await;
    an_artifact_is_offered_with_its_delivery_and_not_before(store).await;
    a_retention_only_rises(store).await;
    rescheduling_changes_no_retention(store).await;
    an_artifact_whose_removal_has_begun_cannot_be_retained(store).await;
    only_an_artifact_that_was_not_delivered_can_be_withdrawn(store).await;
    a_reuse_is_a_delivery_without_a_push(store).await;
}

/// One of a document that nobody else knows.
fn artifact(keep_for: i64) -> ArtifactRecord {
    let name = uuid::Uuid::new_v4().simple().to_string();
    ArtifactRecord {
        key: format!("downloads/{name}/0"),
        object_guid: name.parse().unwrap(),
        size: 1000,
        name: "a.pdf".parse().unwrap(),
        mime: Some("application/pdf".into()),
        written_at: epoch(),
        keep_until: seconds(keep_for),
    }
}

/// Records the delivery of an artifact by a transfer of its own.
async fn deliver(store: &impl TransferStore, artifact: &ArtifactRecord) {
    let transfer = uploading(store).await;
    record_delivery(store, &transfer, artifact).await.unwrap();
}

async fn record_delivery(
    store: &impl TransferStore,
    transfer: &docferry_domain::Transfer,
    artifact: &ArtifactRecord,
) -> Result<(), WriteError> {
    let delivery = Artifact { key: artifact.key.clone(), size: artifact.size }.into();
    store.record_delivery(&transfer.transfer_id, transfer.epoch, &delivery).await
}

async fn is_due(store: &(impl ArtifactStore + TransferStore), key: &str, second: i64) -> bool {
    let unfinished = store.unfinished(seconds(second), 10_000).await.unwrap();
    assert!(!unfinished.contains(&Due::Artifact(key.to_owned())), "it has a list of its own");
    let expired = store.expired_artifacts(seconds(second), 10_000).await.unwrap();
    expired.iter().any(|expired| expired == key)
}

async fn the_newest_delivered_artifact_of_a_document_is_found(
    store: &(impl ArtifactStore + TransferStore),
) {
    let first = artifact(10);
    let find = async || store.find_artifact(&first.object_guid).await.unwrap();
    store.put_artifact(&first).await.unwrap();
    deliver(store, &first).await;
    assert_eq!(find().await.as_ref(), Some(&first));
    let second = ArtifactRecord { key: format!("{}/1", first.key), ..first.clone() };
    store.put_artifact(&second).await.unwrap();
    assert_eq!(find().await.as_ref(), Some(&first), "the second is not delivered yet");
    deliver(store, &second).await;
    assert_eq!(find().await.as_ref(), Some(&second));
    // A transfer that reuses the first one does not make it the newest.
    deliver(store, &first).await;
    assert_eq!(find().await, Some(second));
    let other: ObjectGuid = "AAAA".parse().unwrap();
    assert_eq!(store.find_artifact(&other).await.unwrap(), None);
}

async fn an_artifact_is_offered_with_its_delivery_and_not_before(
    store: &(impl ArtifactStore + TransferStore),
) {
    let one = artifact(10);
    let find = async || store.find_artifact(&one.object_guid).await.unwrap();
    let transfer = uploading(store).await;
    for _ in ["", "a repeated step"] {
        store.put_artifact(&one).await.unwrap();
        assert_eq!(find().await, None);
        assert!(!store.keep_artifact(&one.key, seconds(20)).await.unwrap());
    }
    let stale = docferry_domain::Transfer { epoch: transfer.epoch - 1, ..transfer.clone() };
    let refused = record_delivery(store, &stale, &one).await;
    assert!(matches!(refused, Err(WriteError::Superseded)), "{refused:?}");
    assert_eq!(find().await, None, "a delivery that is refused offers nothing");
    for _ in ["", "a repeated step"] {
        record_delivery(store, &transfer, &one).await.unwrap();
        assert_eq!(find().await.as_ref(), Some(&one));
        assert!(store.keep_artifact(&one.key, seconds(20)).await.unwrap());
    }
    // A transfer that has ended delivers nothing any more.
    let (late, ended) = (artifact(10), uploading(store).await);
    store.put_artifact(&late).await.unwrap();
    finish(store, &ended.transfer_id, Outcome::Canceled).await;
    let refused = record_delivery(store, &ended, &late).await;
    assert!(matches!(refused, Err(WriteError::Ended)), "{refused:?}");
    assert_eq!(store.find_artifact(&late.object_guid).await.unwrap(), None);
}

async fn a_retention_only_rises(store: &(impl ArtifactStore + TransferStore)) {
    let one = artifact(10);
    let key = &one.key;
    store.put_artifact(&one).await.unwrap();
    assert!(!is_due(store, key, 9).await && is_due(store, key, 11).await);
    deliver(store, &one).await;
    assert!(store.keep_artifact(key, seconds(20)).await.unwrap());
    assert!(store.keep_artifact(key, seconds(15)).await.unwrap(), "it is retained longer already");
    assert!(!is_due(store, key, 19).await && is_due(store, key, 21).await);
    // A step of the transfer that made it is repeated.
    store.put_artifact(&one).await.unwrap();
    assert!(!is_due(store, key, 19).await && is_due(store, key, 21).await);
    assert!(!store.give_up_artifact(key, seconds(19)).await.unwrap(), "another job needs it");
    let longer = ArtifactRecord { keep_until: seconds(30), ..one.clone() };
    store.put_artifact(&longer).await.unwrap();
    assert!(!store.give_up_artifact(key, seconds(29)).await.unwrap());
    assert!(store.give_up_artifact(key, seconds(30)).await.unwrap());
}

async fn rescheduling_changes_no_retention(store: &(impl ArtifactStore + TransferStore)) {
    let one = artifact(10);
    let key = &one.key;
    let look = Due::Artifact(key.clone());
    store.put_artifact(&one).await.unwrap();
    deliver(store, &one).await;
    assert!(store.keep_artifact(key, seconds(100)).await.unwrap());
    // A sweep that had read it as due before its retention rose.
    store.postpone(&look, seconds(12)).await.unwrap();
    assert!(!is_due(store, key, 11).await && is_due(store, key, 13).await);
    assert!(!store.give_up_artifact(key, seconds(13)).await.unwrap());
    assert!(!is_due(store, key, 99).await, "the next look is at the end of the retention");
    assert!(is_due(store, key, 101).await);
    // A retention that is no longer than the one that holds moves no look.
    store.postpone(&look, seconds(50)).await.unwrap();
    assert!(store.keep_artifact(key, seconds(90)).await.unwrap());
    assert!(is_due(store, key, 51).await);
    // A late look does not make the retention longer.
    store.postpone(&look, seconds(500)).await.unwrap();
    assert!(!store.give_up_artifact(key, seconds(99)).await.unwrap());
    store.postpone(&look, seconds(500)).await.unwrap();
    assert!(store.give_up_artifact(key, seconds(100)).await.unwrap());
}

async fn an_artifact_whose_removal_has_begun_cannot_be_retained(
    store: &(impl ArtifactStore + TransferStore),
) {
    let one = artifact(10);
    let key = &one.key;
    store.put_artifact(&one).await.unwrap();
    deliver(store, &one).await;
    assert!(store.give_up_artifact(key, seconds(10)).await.unwrap());
    assert!(!store.keep_artifact(key, seconds(99)).await.unwrap());
    store.put_artifact(&ArtifactRecord { keep_until: seconds(99), ..one.clone() }).await.unwrap();
    assert!(!store.keep_artifact(key, seconds(99)).await.unwrap(), "nothing revives it");
    assert!(store.give_up_artifact(key, seconds(9)).await.unwrap(), "it is being removed");
    assert!(is_due(store, key, 11).await, "until the object is gone");
    store.forget_artifact(key).await.unwrap();
    store.forget_artifact(key).await.unwrap();
    assert!(!is_due(store, key, 11).await);
    assert!(!store.keep_artifact(key, seconds(99)).await.unwrap());
    assert!(store.give_up_artifact(key, seconds(1)).await.unwrap(), "unknown: it may go");
}

async fn only_an_artifact_that_was_not_delivered_can_be_withdrawn(
    store: &(impl ArtifactStore + TransferStore),
) {
    let (one, transfer) = (artifact(10), uploading(store).await);
    let withdraw = async |key: &str| store.withdraw_artifact(key).await.unwrap();
    assert!(withdraw(&one.key).await, "unknown: it may go");
    store.put_artifact(&one).await.unwrap();
    assert!(withdraw(&one.key).await && withdraw(&one.key).await);
    assert!(store.give_up_artifact(&one.key, seconds(1)).await.unwrap());
    // A step that comes late cannot deliver what is being removed.
    store.put_artifact(&one).await.unwrap();
    let refused = record_delivery(store, &transfer, &one).await;
    assert!(matches!(refused, Err(WriteError::Store(StoreError::Unavailable(_)))), "{refused:?}");
    assert_eq!(get(store, &transfer.transfer_id).await.delivery, None);
    assert_eq!(store.find_artifact(&one.object_guid).await.unwrap(), None);

    let other = artifact(10);
    store.put_artifact(&other).await.unwrap();
    deliver(store, &other).await;
    assert!(!withdraw(&other.key).await);
    assert!(store.keep_artifact(&other.key, seconds(20)).await.unwrap());
}

async fn a_reuse_is_a_delivery_without_a_push(store: &impl TransferStore) {
    let id = created(store).await.transfer_id;
    store.begin_push(&id, 1, epoch()).await.unwrap();
    let known = Artifact { key: "downloads/x/0".into(), size: 1_000 };
    for _ in 0..2 {
        store.record_reuse(&id, 1, &pushed("", 1_000), &known).await.unwrap();
        let record = get(store, &id).await;
        assert_eq!((record.pushes, record.bytes_done, record.phase), (0, 1_000, Phase::Uploading));
        assert_eq!(record.delivery, Some(known.clone().into()));
    }
}
