//! Conformance checks of [`ExchangeKeyStore`](docferry_app::ports::ExchangeKeyStore): the release
//! of exchange keys and the deletion of their objects.
//!
//! Several transfers may use the object under one key. The last transfer that releases the key gets
//! a lease, under which it deletes the object.

use docferry_app::ports::{Release, Store};
use docferry_domain::phase::Phase;

use super::support::{created, get, seconds};
use crate::builders::{epoch, pushed, record_push};

pub(super) async fn last_user_of_a_key_deletes_its_object(store: &impl Store) {
    let (first, second) = (created(store).await.transfer_id, created(store).await.transfer_id);
    let key = format!("shared-{first}.pdf");
    for id in [&first, &second] {
        store.begin_push(id, 1, epoch()).await.unwrap();
        assert!(record_push(store, id, 1, &pushed(&key, 1)).await.unwrap());
    }
    let release = async |id| store.release_key(id, 1, &key, seconds(1), seconds(90)).await.unwrap();
    assert_eq!(release(&first).await, Release::StillReferenced);
    assert_eq!(release(&first).await, Release::StillReferenced);
    assert_eq!(release(&second).await, Release::Last);

    // The release is repeated after a lost response.
    assert_eq!(release(&second).await, Release::Last);
    store.mark_released(&second, &key, seconds(2)).await.unwrap();
    assert_eq!(release(&second).await, Release::StillReferenced);
    assert_eq!(release(&created(store).await.transfer_id).await, Release::StillReferenced);
}

/// Two processes of one transfer may release the same key. Neither process knows when the other has
/// deleted the object, so their shared lease ends only by expiring.
pub(super) async fn push_waits_for_the_shared_lease_of_two_releases(store: &impl Store) {
    let (first, second) = (created(store).await.transfer_id, created(store).await.transfer_id);
    let key = format!("twice-{first}.pdf");
    for id in [&first, &second] {
        store.begin_push(id, 1, epoch()).await.unwrap();
    }
    assert!(record_push(store, &first, 1, &pushed(&key, 1)).await.unwrap());
    for from in [10, 11] {
        let until = seconds(from + 90);
        let release = store.release_key(&first, 1, &key, seconds(from), until).await.unwrap();
        assert_eq!(release, Release::Last);
    }
    store.mark_released(&first, &key, seconds(12)).await.unwrap();
    let mut push = pushed(&key, 1);
    (push.requested_at, push.pushed_at) = (seconds(60), seconds(61));
    assert!(
        !record_push(store, &second, 1, &push).await.unwrap(),
        "the second process may still delete the object"
    );
    store.mark_released(&first, &key, seconds(62)).await.unwrap();
    assert!(!record_push(store, &second, 1, &push).await.unwrap());
    (push.requested_at, push.pushed_at) = (seconds(101), seconds(102));
    assert!(record_push(store, &second, 1, &push).await.unwrap(), "the lease has expired");
}

pub(super) async fn push_during_a_deletion_is_repeated_after_it(store: &impl Store) {
    let (first, second) = (created(store).await.transfer_id, created(store).await.transfer_id);
    let key = format!("racing-{first}.pdf");
    for id in [&first, &second] {
        store.begin_push(id, 1, epoch()).await.unwrap();
    }
    assert!(record_push(store, &first, 1, &pushed(&key, 1)).await.unwrap());
    let release = store.release_key(&first, 1, &key, seconds(10), seconds(100)).await.unwrap();
    assert_eq!(release, Release::Last);
    let mut push = pushed(&key, 1);
    push.pushed_at = seconds(11);
    assert!(!record_push(store, &second, 1, &push).await.unwrap(), "the object is being deleted");
    assert_eq!(get(store, &second).await.phase, Phase::Pushing, "the push is not recorded");
    store.mark_released(&first, &key, seconds(12)).await.unwrap();
    assert!(
        !record_push(store, &second, 1, &push).await.unwrap(),
        "the deletion may have removed the new object"
    );
    (push.requested_at, push.pushed_at) = (seconds(60), seconds(61));
    assert!(
        record_push(store, &second, 1, &push).await.unwrap(),
        "the push is repeated after the deletion"
    );
}

pub(super) async fn deletion_lease_expires(store: &impl Store) {
    let (first, second) = (created(store).await.transfer_id, created(store).await.transfer_id);
    let key = format!("died-{first}.pdf");
    for id in [&first, &second] {
        store.begin_push(id, 1, epoch()).await.unwrap();
    }
    assert!(record_push(store, &first, 1, &pushed(&key, 1)).await.unwrap());
    store.release_key(&first, 1, &key, seconds(10), seconds(100)).await.unwrap();
    let mut push = pushed(&key, 1);
    push.pushed_at = seconds(101);
    assert!(record_push(store, &second, 1, &push).await.unwrap());

    // The first transfer resumes after its lease has expired. The second one uses the object now.
    let late = store.release_key(&first, 1, &key, seconds(102), seconds(190)).await.unwrap();
    assert_eq!(late, Release::StillReferenced);
}

pub(super) async fn unused_key_can_be_leased_to_delete_a_late_object(store: &impl Store) {
    let (first, second) = (created(store).await.transfer_id, created(store).await.transfer_id);
    let key = format!("late-{first}.pdf");
    let acquire =
        async |id| store.acquire_unused_key(id, &key, seconds(1), seconds(90)).await.unwrap();
    store.begin_push(&second, 1, epoch()).await.unwrap();
    assert!(record_push(store, &second, 1, &pushed(&key, 1)).await.unwrap());
    assert!(!acquire(&first).await, "the second transfer uses the key");
    store.release_key(&second, 1, &key, seconds(0), seconds(90)).await.unwrap();
    assert!(!acquire(&first).await, "the second transfer is deleting the object");
    store.mark_released(&second, &key, seconds(1)).await.unwrap();
    assert!(acquire(&first).await);
    assert!(acquire(&first).await, "repeated after a lost response");
    let mut push = pushed(&key, 1);
    (push.requested_at, push.pushed_at) = (seconds(60), seconds(60));
    store.begin_push(&first, 1, epoch()).await.unwrap();
    assert!(!record_push(store, &first, 1, &push).await.unwrap(), "the object is being deleted");
    store.mark_released(&first, &key, seconds(2)).await.unwrap();
    assert!(!record_push(store, &first, 1, &push).await.unwrap(), "the lease is shared");
    (push.requested_at, push.pushed_at) = (seconds(91), seconds(91));
    assert!(record_push(store, &first, 1, &push).await.unwrap());
}
