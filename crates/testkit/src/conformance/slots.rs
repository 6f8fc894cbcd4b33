//! What every [`SlotStore`] must do. Wants a store of its own: the pool is shared
//! by all who use it.

use crate::builders::record_push;
use docferry_app::ports::{FIRST_LOOK, SlotStore, TransferStore, WriteError};
use docferry_domain::{Outcome, Phase, Pool, Priority, Transfer, TransferId, Turn, Waiting};
use jiff::SignedDuration;

use crate::builders::{epoch, pushed, transfer};

const POOL: Pool = Pool::Onedrive;

/// Runs every check.
///
/// # Panics
/// At the first thing that a store does otherwise than the port says.
pub async fn slot_store(store: &(impl TransferStore + SlotStore)) {
    a_new_transfer_stands_in_the_queue_by_its_order(store).await;
    a_grant_is_made_once_and_only_from_a_fresh_reading(store).await;
    the_end_of_a_transfer_frees_its_slot_or_place(store).await;
    a_slot_is_given_back_only_by_the_step_that_was_read(store).await;
    whoever_wants_no_slot_any_more_is_taken_off_the_queue(store).await;
    only_a_slot_that_its_holder_does_not_know_of_is_reclaimed(store).await;
}

async fn created(store: &impl TransferStore, priority: Priority, second: i64) -> Transfer {
    let created_at = epoch() + SignedDuration::from_secs(second);
    let made = Transfer { priority, created_at, ..transfer() };
    store.create(&made).await.unwrap();
    made
}

async fn get(store: &impl TransferStore, id: &TransferId) -> Transfer {
    store.get(id).await.unwrap().expect("the record is there")
}

async fn queue(store: &impl SlotStore) -> Vec<TransferId> {
    let waiting = store.queue(POOL, None, 100).await.unwrap();
    waiting.into_iter().map(|w| w.transfer_id).collect()
}

async fn granted(store: &impl SlotStore, waiting: &[Waiting]) -> bool {
    let version = store.slots(POOL).await.unwrap().version;
    store.grant(POOL, version, waiting, epoch(), epoch()).await.unwrap()
}

async fn holds(store: &impl SlotStore, id: &TransferId) -> bool {
    store.slots(POOL).await.unwrap().holders.contains_key(id)
}

/// Ends it, whatever it is doing.
async fn ended(store: &impl TransferStore, id: &TransferId) -> Transfer {
    store.finish(&get(store, id).await, Outcome::Canceled, epoch()).await.unwrap()
}

async fn a_new_transfer_stands_in_the_queue_by_its_order(store: &(impl TransferStore + SlotStore)) {
    let normal = created(store, Priority::Normal, 10).await;
    let early = created(store, Priority::Normal, 5).await;
    let low = created(store, Priority::Low, 0).await;
    let high = created(store, Priority::High, 20).await;
    let ordered = [&high, &early, &normal, &low].map(|t| t.transfer_id.clone());
    assert_eq!(queue(store).await, ordered);
    // In pages, each behind the last of the one before.
    let first = store.queue(POOL, None, 3).await.unwrap();
    let rest = store.queue(POOL, first.last(), 3).await.unwrap();
    let paged: Vec<_> = first.iter().chain(&rest).map(|w| w.transfer_id.clone()).collect();
    assert_eq!(paged, ordered);
    assert_eq!(first[0], high.waiting());
    for id in &ordered {
        ended(store, id).await;
    }
    assert!(queue(store).await.is_empty());
}

async fn a_grant_is_made_once_and_only_from_a_fresh_reading(
    store: &(impl TransferStore + SlotStore),
) {
    let (a, b) =
        (created(store, Priority::Normal, 1).await, created(store, Priority::Normal, 2).await);
    let before = store.slots(POOL).await.unwrap();
    assert!(store.grant(POOL, before.version, &[a.waiting()], epoch(), epoch()).await.unwrap());
    assert_eq!(get(store, &a.transfer_id).await.turn, Turn::Holding);
    assert_eq!(queue(store).await, std::slice::from_ref(&b.transfer_id));
    let after = store.slots(POOL).await.unwrap();
    assert_eq!(after.holders.get(&a.transfer_id), Some(&a.waiting().person));
    // Another who chose at the same time has to choose again.
    assert!(!store.grant(POOL, before.version, &[b.waiting()], epoch(), epoch()).await.unwrap());
    assert!(!holds(store, &b.transfer_id).await);
    // Who holds a slot is not put into the queue again.
    store.enqueue(&a, epoch()).await.unwrap();
    assert_eq!(queue(store).await, std::slice::from_ref(&b.transfer_id));
    store.enqueue(&b, epoch()).await.unwrap();
    assert_eq!(
        queue(store).await,
        std::slice::from_ref(&b.transfer_id),
        "once, however often it is asked"
    );
    for one in [&a, &b] {
        ended(store, &one.transfer_id).await;
    }
}

async fn the_end_of_a_transfer_frees_its_slot_or_place(store: &(impl TransferStore + SlotStore)) {
    let (a, b) =
        (created(store, Priority::Normal, 1).await, created(store, Priority::Normal, 2).await);
    assert!(granted(store, &[a.waiting()]).await);
    assert_eq!(ended(store, &a.transfer_id).await.turn, Turn::Idle);
    assert_eq!(ended(store, &b.transfer_id).await.turn, Turn::Idle);
    assert!(!holds(store, &a.transfer_id).await);
    assert!(queue(store).await.is_empty());
    let late = store.enqueue(&b, epoch()).await;
    assert!(matches!(late, Err(WriteError::Ended)), "{late:?}");
}

async fn a_slot_is_given_back_only_by_the_step_that_was_read(
    store: &(impl TransferStore + SlotStore),
) {
    let id = created(store, Priority::Normal, 1).await.transfer_id;
    assert!(granted(store, &[get(store, &id).await.waiting()]).await);
    store.begin_push(&id, 1, epoch()).await.unwrap();
    let key = format!("{id}.pdf");
    assert!(record_push(store, &id, 1, &pushed(&key, 10)).await.unwrap());
    let waiting_for_arrival = get(store, &id).await;
    // A look that was overtaken: the upload has begun meanwhile.
    store.record_arrival(&id, 1, &crate::builders::arrived()).await.unwrap();
    store.step_aside(&waiting_for_arrival).await.unwrap();
    assert!(holds(store, &id).await, "the upload keeps its slot");
    store.step_aside(&get(store, &id).await).await.unwrap();
    assert!(!holds(store, &id).await);
    assert_eq!(get(store, &id).await.turn, Turn::Idle);
    store.step_aside(&get(store, &id).await).await.unwrap();
    let due = epoch() + FIRST_LOOK;
    store.enqueue(&get(store, &id).await, due).await.unwrap();
    assert_eq!(queue(store).await, std::slice::from_ref(&id));
    assert_eq!(get(store, &id).await.phase, Phase::Uploading);
    ended(store, &id).await;
}

async fn whoever_wants_no_slot_any_more_is_taken_off_the_queue(
    store: &(impl TransferStore + SlotStore),
) {
    let (gone, b) =
        (created(store, Priority::Normal, 1).await, created(store, Priority::Normal, 2).await);
    let stale = gone.waiting();
    ended(store, &gone.transfer_id).await;
    // Chosen before it ended: nobody gets a slot from that choice.
    assert!(!granted(store, &[stale, b.waiting()]).await);
    assert!(!holds(store, &gone.transfer_id).await && !holds(store, &b.transfer_id).await);
    assert_eq!(
        queue(store).await,
        std::slice::from_ref(&b.transfer_id),
        "who waits goes on waiting"
    );
    assert!(granted(store, &[b.waiting()]).await);
    ended(store, &b.transfer_id).await;
}

async fn only_a_slot_that_its_holder_does_not_know_of_is_reclaimed(
    store: &(impl TransferStore + SlotStore),
) {
    let id = created(store, Priority::Normal, 1).await.transfer_id;
    assert!(granted(store, &[get(store, &id).await.waiting()]).await);
    assert!(!store.reclaim(POOL, &id).await.unwrap());
    assert!(holds(store, &id).await);
    ended(store, &id).await;
    assert!(!store.reclaim(POOL, &id).await.unwrap(), "it is free already");
}
