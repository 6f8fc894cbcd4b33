//! Conformance checks of every [`SlotStore`]. The checks need a store that no other test uses, because
//! all users of a store share its slot pools.
//!
//! A slot is the right to move bytes. A transfer without a slot waits in the queue of its pool.

use docferry_app::ports::{FIRST_CHECK_DELAY, SlotStore, Store, WriteError};
use docferry_domain::ids::TransferId;
use docferry_domain::phase::Phase;
use docferry_domain::slots::{Pool, Priority, QueueEntry, SlotState};
use docferry_domain::transfer::{Outcome, Transfer};
use jiff::SignedDuration;

use super::support::{finish, get};
use crate::builders::{arrived, epoch, pushed, record_push, transfer};

/// Pool of all transfers in these checks.
const POOL: Pool = Pool::Onedrive;

/// Runs every check of a `SlotStore`.
///
/// # Panics
/// When the store breaks a rule of its port.
pub async fn slot_store(store: &impl Store) {
    new_transfers_are_queued_by_their_order(store).await;
    grant_requires_the_current_version(store).await;
    ending_frees_the_slot_or_queue_entry(store).await;
    outdated_step_cannot_release_the_slot(store).await;
    ended_transfer_is_removed_from_the_queue(store).await;
    only_slot_unknown_to_its_holder_is_reclaimed(store).await;
}

/// Creates a queued transfer. `second` is the time of its creation.
async fn created(store: &impl Store, priority: Priority, second: i64) -> Transfer {
    let created_at = epoch() + SignedDuration::from_secs(second);
    let made = Transfer { priority, created_at, ..transfer() };
    store.create(&made).await.unwrap();
    made
}

/// Returns the queued transfers in the order of the queue.
async fn queue(store: &impl SlotStore) -> Vec<TransferId> {
    let waiting = store.queue(POOL, None, 100).await.unwrap();
    waiting.into_iter().map(|entry| entry.transfer_id).collect()
}

/// Grants slots to queued transfers. Returns whether the grant succeeded.
async fn granted(store: &impl SlotStore, waiting: &[QueueEntry]) -> bool {
    let version = store.slots(POOL).await.unwrap().version;
    store.grant(POOL, version, waiting, epoch(), epoch()).await.unwrap()
}

/// Returns whether the transfer holds a slot.
async fn holds(store: &impl SlotStore, id: &TransferId) -> bool {
    store.slots(POOL).await.unwrap().holders.contains_key(id)
}

async fn new_transfers_are_queued_by_their_order(store: &impl Store) {
    let normal = created(store, Priority::Normal, 10).await;
    let early = created(store, Priority::Normal, 5).await;
    let low = created(store, Priority::Low, 0).await;
    let high = created(store, Priority::High, 20).await;
    let ordered = [&high, &early, &normal, &low].map(|transfer| transfer.transfer_id.clone());
    assert_eq!(queue(store).await, ordered);

    // Each page starts after the last entry of the previous page.
    let first = store.queue(POOL, None, 3).await.unwrap();
    let rest = store.queue(POOL, first.last(), 3).await.unwrap();
    let paged: Vec<_> = first.iter().chain(&rest).map(|entry| entry.transfer_id.clone()).collect();
    assert_eq!(paged, ordered);
    assert_eq!(first[0], high.queue_entry());
    for id in &ordered {
        finish(store, id, Outcome::Canceled).await;
    }
    assert!(queue(store).await.is_empty());
}

async fn grant_requires_the_current_version(store: &impl Store) {
    let (first, second) =
        (created(store, Priority::Normal, 1).await, created(store, Priority::Normal, 2).await);
    let before = store.slots(POOL).await.unwrap();
    assert!(
        store.grant(POOL, before.version, &[first.queue_entry()], epoch(), epoch()).await.unwrap()
    );
    assert_eq!(get(store, &first.transfer_id).await.slot_state, SlotState::Holding);
    assert_eq!(queue(store).await, std::slice::from_ref(&second.transfer_id));
    let after = store.slots(POOL).await.unwrap();
    assert_eq!(after.holders.get(&first.transfer_id), Some(&first.queue_entry().person));

    // A grant that is based on the previous version is rejected.
    assert!(
        !store
            .grant(POOL, before.version, &[second.queue_entry()], epoch(), epoch())
            .await
            .unwrap()
    );
    assert!(!holds(store, &second.transfer_id).await);

    // A transfer that holds a slot is not queued.
    store.enqueue(&first, epoch()).await.unwrap();
    assert_eq!(queue(store).await, std::slice::from_ref(&second.transfer_id));
    store.enqueue(&second, epoch()).await.unwrap();
    assert_eq!(
        queue(store).await,
        std::slice::from_ref(&second.transfer_id),
        "a queued transfer is not queued twice"
    );
    for transfer in [&first, &second] {
        finish(store, &transfer.transfer_id, Outcome::Canceled).await;
    }
}

async fn ending_frees_the_slot_or_queue_entry(store: &impl Store) {
    let (holder, queued) =
        (created(store, Priority::Normal, 1).await, created(store, Priority::Normal, 2).await);
    assert!(granted(store, &[holder.queue_entry()]).await);
    assert_eq!(
        finish(store, &holder.transfer_id, Outcome::Canceled).await.slot_state,
        SlotState::Idle
    );
    assert_eq!(
        finish(store, &queued.transfer_id, Outcome::Canceled).await.slot_state,
        SlotState::Idle
    );
    assert!(!holds(store, &holder.transfer_id).await);
    assert!(queue(store).await.is_empty());
    let late = store.enqueue(&queued, epoch()).await;
    assert!(matches!(late, Err(WriteError::Ended)), "{late:?}");
}

async fn outdated_step_cannot_release_the_slot(store: &impl Store) {
    let id = created(store, Priority::Normal, 1).await.transfer_id;
    assert!(granted(store, &[get(store, &id).await.queue_entry()]).await);
    store.begin_push(&id, 1, epoch()).await.unwrap();
    let key = format!("{id}.pdf");
    assert!(record_push(store, &id, 1, &pushed(&key, 10)).await.unwrap());
    let waiting_for_arrival = get(store, &id).await;

    // The upload starts before the poll step releases the slot.
    store.record_arrival(&id, 1, &arrived()).await.unwrap();
    store.release_slot(&waiting_for_arrival).await.unwrap();
    assert!(holds(store, &id).await, "the upload keeps its slot");
    store.release_slot(&get(store, &id).await).await.unwrap();
    assert!(!holds(store, &id).await);
    assert_eq!(get(store, &id).await.slot_state, SlotState::Idle);
    store.release_slot(&get(store, &id).await).await.unwrap();
    let due = epoch() + FIRST_CHECK_DELAY;
    store.enqueue(&get(store, &id).await, due).await.unwrap();
    assert_eq!(queue(store).await, std::slice::from_ref(&id));
    assert_eq!(get(store, &id).await.phase, Phase::Uploading);
    finish(store, &id, Outcome::Canceled).await;
}

async fn ended_transfer_is_removed_from_the_queue(store: &impl Store) {
    let (ended_transfer, queued_transfer) =
        (created(store, Priority::Normal, 1).await, created(store, Priority::Normal, 2).await);
    let stale = ended_transfer.queue_entry();
    finish(store, &ended_transfer.transfer_id, Outcome::Canceled).await;

    // The grant names a transfer that has ended since it was chosen, so the whole grant is
    // rejected.
    assert!(!granted(store, &[stale, queued_transfer.queue_entry()]).await);
    assert!(
        !holds(store, &ended_transfer.transfer_id).await
            && !holds(store, &queued_transfer.transfer_id).await
    );
    assert_eq!(
        queue(store).await,
        std::slice::from_ref(&queued_transfer.transfer_id),
        "the transfer that has not ended stays queued"
    );
    assert!(granted(store, &[queued_transfer.queue_entry()]).await);
    finish(store, &queued_transfer.transfer_id, Outcome::Canceled).await;
}

async fn only_slot_unknown_to_its_holder_is_reclaimed(store: &impl Store) {
    let id = created(store, Priority::Normal, 1).await.transfer_id;
    assert!(granted(store, &[get(store, &id).await.queue_entry()]).await);
    assert!(!store.reclaim(POOL, &id).await.unwrap());
    assert!(holds(store, &id).await);
    finish(store, &id, Outcome::Canceled).await;
    assert!(!store.reclaim(POOL, &id).await.unwrap(), "the slot is already free");
}
