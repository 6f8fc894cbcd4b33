use docferry_app::ports::{ArtifactStore, Due, TransferStore};
use docferry_domain::{Artifact, ArtifactRecord, ObjectGuid, Phase};

use super::{created, get, seconds};
use crate::builders::{epoch, pushed};

/// Runs every check of an [`ArtifactStore`].
///
/// # Panics
/// At the first thing that a store does otherwise than the port says.
pub async fn artifact_store(store: &(impl ArtifactStore + TransferStore)) {
    the_newest_artifact_of_a_document_is_found(store).await;
    an_artifact_is_kept_for_whoever_needs_it_longest(store).await;
    what_is_given_up_cannot_be_kept(store).await;
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

async fn the_newest_artifact_of_a_document_is_found(store: &impl ArtifactStore) {
    let first = artifact(10);
    assert_eq!(store.find_artifact(&first.object_guid).await.unwrap(), None);
    store.put_artifact(&first).await.unwrap();
    store.put_artifact(&first).await.unwrap();
    assert_eq!(store.find_artifact(&first.object_guid).await.unwrap().as_ref(), Some(&first));
    let second = ArtifactRecord { key: format!("{}/1", first.key), ..first.clone() };
    store.put_artifact(&second).await.unwrap();
    assert_eq!(store.find_artifact(&first.object_guid).await.unwrap(), Some(second));
    let other: ObjectGuid = "AAAA".parse().unwrap();
    assert_eq!(store.find_artifact(&other).await.unwrap(), None);
}

async fn an_artifact_is_kept_for_whoever_needs_it_longest(
    store: &(impl ArtifactStore + TransferStore),
) {
    let one = artifact(10);
    let key = &one.key;
    let is_due = async |now| {
        let due = store.unfinished(seconds(now), 10_000).await.unwrap();
        due.contains(&Due::Artifact(key.clone()))
    };
    store.put_artifact(&one).await.unwrap();
    assert!(!is_due(9).await && is_due(11).await);
    assert!(store.keep_artifact(key, seconds(20)).await.unwrap());
    assert!(store.keep_artifact(key, seconds(15)).await.unwrap(), "it is kept longer already");
    assert!(!is_due(19).await && is_due(21).await);
    assert!(!store.give_up_artifact(key, seconds(19)).await.unwrap(), "somebody needs it");
    assert!(store.keep_artifact(key, seconds(20)).await.unwrap());
}

async fn what_is_given_up_cannot_be_kept(store: &(impl ArtifactStore + TransferStore)) {
    let one = artifact(10);
    let key = &one.key;
    store.put_artifact(&one).await.unwrap();
    assert!(store.give_up_artifact(key, seconds(10)).await.unwrap());
    assert!(!store.keep_artifact(key, seconds(99)).await.unwrap());
    assert!(store.give_up_artifact(key, seconds(9)).await.unwrap(), "it is being removed");
    let due = store.unfinished(seconds(11), 10_000).await.unwrap();
    assert!(due.contains(&Due::Artifact(key.clone())), "until the object is gone");
    store.forget_artifact(key).await.unwrap();
    store.forget_artifact(key).await.unwrap();
    let due = store.unfinished(seconds(11), 10_000).await.unwrap();
    assert!(!due.contains(&Due::Artifact(key.clone())));
    assert!(!store.keep_artifact(key, seconds(99)).await.unwrap());
    assert!(store.give_up_artifact(key, seconds(1)).await.unwrap(), "unknown: it may go");
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
