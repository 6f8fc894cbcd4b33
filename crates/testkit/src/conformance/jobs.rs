//! What every [`JobStore`] and [`History`] must do.

use crate::builders::record_push;
use docferry_app::ports::{
    BundleStore, Entered, Entry, History, JobPlace, JobStore, Listed, SlotStore, TransferStore,
};
use docferry_domain::{
    Bundle, BundleCounts, NamedRequest, OnItemError, Outcome, Phase, Pool, SCHEMA_VERSION,
    Transfer, TransferId, Turn,
};
use jiff::{SignedDuration, Timestamp};

use super::delivery;
use crate::builders::{epoch, new_transfer, pushed, transfer};

/// Runs every check.
///
/// # Panics
/// At the first thing that a store does otherwise than the ports say.
pub async fn job_store<S>(store: &S)
where
    S: TransferStore + SlotStore + BundleStore + JobStore + History,
{
    a_name_makes_one_job_until_it_is_forgotten(store).await;
    a_transfer_may_hold_a_slot_from_the_start(store).await;
    a_settled_transfer_runs_again_once_for_each_wish(store).await;
    a_release_of_an_earlier_run_leaves_the_later_alone(store).await;
    a_bundle_runs_again_with_those_of_its_documents_that_are_to(store).await;
    a_history_is_its_owners_newest_first_page_by_page(store).await;
}

fn hours(n: i64) -> Timestamp {
    epoch() + SignedDuration::from_hours(n)
}

fn named(job: &TransferId) -> NamedRequest {
    NamedRequest {
        key: transfer().transfer_id.to_string(),
        fingerprint: "f".into(),
        job_id: job.clone(),
        keep_until: hours(24),
    }
}

fn entry(request: &NamedRequest) -> Entry<'_> {
    Entry { request: Some(request), slot: None }
}

async fn a_name_makes_one_job_until_it_is_forgotten(
    store: &(impl TransferStore + BundleStore + JobStore),
) {
    let (first, second) = (transfer(), transfer());
    let request = named(&first.transfer_id);
    let remembered = async |now| store.request(&request.key, now).await.unwrap();
    assert_eq!(remembered(hours(0)).await, None);
    assert_eq!(store.enter(&first, entry(&request)).await.unwrap(), Entered::Done);
    assert_eq!(store.enter(&first, entry(&request)).await.unwrap(), Entered::Done, "a repeat");
    assert_eq!(remembered(hours(23)).await, Some(request.clone()));
    assert_eq!(remembered(hours(24)).await, None, "its time is over");
    let again = NamedRequest { job_id: second.transfer_id.clone(), ..request.clone() };
    let before = store.enter(&second, entry(&again)).await.unwrap();
    assert_eq!(before, Entered::Before(request.clone()));
    assert_eq!(store.get(&second.transfer_id).await.unwrap(), None, "nothing is recorded");
    let many = bundle(1);
    let for_many = NamedRequest { job_id: many.bundle_id.clone(), ..request.clone() };
    let before = store.enter_bundle(&many, Some(&for_many)).await.unwrap();
    assert_eq!(before, Entered::Before(request.clone()));
    // Of another job: nothing is forgotten.
    store.forget_request(&again).await.unwrap();
    assert_ne!(store.enter(&second, entry(&again)).await.unwrap(), Entered::Done);
    store.forget_request(&request).await.unwrap();
    store.forget_request(&request).await.unwrap();
    assert_eq!(store.enter(&second, entry(&again)).await.unwrap(), Entered::Done);
    // Its time is over, whether anybody has tidied up or not.
    let late = Transfer { created_at: hours(24), ..transfer() };
    let anew = NamedRequest { job_id: late.transfer_id.clone(), ..request };
    assert_eq!(store.enter(&late, entry(&anew)).await.unwrap(), Entered::Done);
}

async fn a_transfer_may_hold_a_slot_from_the_start(store: &(impl TransferStore + SlotStore)) {
    let made = Transfer { turn: Turn::Holding, ..transfer() };
    let id = &made.transfer_id;
    let version = store.slots(made.pool).await.unwrap().version;
    let entry = |version| Entry { request: None, slot: Some(version) };
    let outdated = store.enter(&made, entry(version + 1)).await.unwrap();
    assert_eq!((outdated, store.get(id).await.unwrap()), (Entered::SlotsChanged, None));
    assert_eq!(store.enter(&made, entry(version)).await.unwrap(), Entered::Done);
    let slots = store.slots(made.pool).await.unwrap();
    assert!(slots.holders.contains_key(id) && slots.version > version);
    let queue = store.queue(made.pool, None, 1000).await.unwrap();
    assert!(queue.iter().all(|waiting| waiting.transfer_id != *id));
    store.finish(&made, Outcome::Canceled, epoch()).await.unwrap();
    assert!(!store.slots(made.pool).await.unwrap().holders.contains_key(id));
}

async fn ended(store: &impl TransferStore, outcome: Outcome) -> Transfer {
    let made = transfer();
    let id = &made.transfer_id;
    store.create(&made).await.unwrap();
    store.begin_push(id, 1, epoch()).await.unwrap();
    assert!(record_push(store, id, 1, &pushed(&format!("{id}.pdf"), 1000)).await.unwrap());
    let read = store.get(id).await.unwrap().unwrap();
    store.finish(&read, outcome, epoch()).await.unwrap()
}

async fn a_settled_transfer_runs_again_once_for_each_wish(
    store: &(impl TransferStore + SlotStore + JobStore),
) {
    let read = ended(store, Outcome::Canceled).await;
    let id = &read.transfer_id;
    let again = read.clone().again(hours(8), Some(hours(48)));
    assert!(!store.run_again(&read, &again, epoch()).await.unwrap(), "it is not settled");
    store.mark_settled(id, 2).await.unwrap();
    assert!(!store.run_again(&read, &again, epoch()).await.unwrap(), "of another attempt");
    store.mark_settled(id, 1).await.unwrap();
    assert!(store.run_again(&read, &again, epoch()).await.unwrap());
    assert!(store.run_again(&read, &again, epoch()).await.unwrap(), "a repeat");
    let running = store.get(id).await.unwrap().unwrap();
    assert_eq!(running, again);
    assert_eq!((running.attempt, running.retries, running.executions()), (2, 1, 1));
    let late = store.request_cancel(id, "scv", 0).await.unwrap();
    let stands = store.get(id).await.unwrap().unwrap();
    assert_eq!((late, stands.cancel_requested), (None, false), "of the first run");
    let late = store.record_delivery(id, read.epoch, &delivery()).await;
    assert!(late.is_err(), "of an upload of the first run");
    let queue = store.queue(Pool::Onedrive, None, 1000).await.unwrap();
    assert!(queue.iter().any(|waiting| waiting.transfer_id == *id));
    // A clean-up of the first run that comes late.
    let ended = store.finish(&running, Outcome::Canceled, epoch()).await.unwrap();
    store.mark_clean(id, 1, hours(9)).await.unwrap();
    assert!(!store.run_again(&ended, &ended.clone().again(hours(8), None), epoch()).await.unwrap());
}

async fn a_release_of_an_earlier_run_leaves_the_later_alone(
    store: &(impl TransferStore + JobStore),
) {
    use docferry_app::ports::Release;

    let read = ended(store, Outcome::Canceled).await;
    let (id, key) = (&read.transfer_id, format!("{}.pdf", read.transfer_id));
    let release =
        async |attempt| store.release_key(id, attempt, &key, epoch(), hours(1)).await.unwrap();
    assert_eq!(release(1).await, Release::Last);
    store.mark_released(id, &key, epoch()).await.unwrap();
    store.mark_settled(id, 1).await.unwrap();
    assert!(store.run_again(&read, &read.clone().again(hours(8), None), epoch()).await.unwrap());
    store.begin_push(id, 2, epoch()).await.unwrap();
    let source = docferry_domain::PushedSource { requested_at: hours(1), ..pushed(&key, 1000) };
    assert!(record_push(store, id, 2, &source).await.unwrap());
    assert_eq!(release(1).await, Release::StillReferenced, "late, of the first run");
    assert_eq!(release(2).await, Release::Last);
}

fn bundle(documents: u16) -> Bundle {
    Bundle {
        schema_version: SCHEMA_VERSION,
        bundle_id: transfer().transfer_id,
        owner: "scv".into(),
        on_behalf_of: None,
        documents,
        on_item_error: OnItemError::Skip,
        created_at: epoch(),
        keep_until: Some(hours(24)),
        callback: None,
        trace: None,
        deadline: None,
        phase: Phase::Accepted,
        retries: 0,
        resuming: false,
        documents_stopped: false,
        cancel_requested: false,
        ended_at: None,
        failure: None,
        failed_documents: 0,
    }
}

async fn a_bundle_runs_again_with_those_of_its_documents_that_are_to(
    store: &(impl TransferStore + BundleStore + JobStore),
) {
    let made = bundle(1);
    let id = &made.bundle_id;
    store.create_bundle(&made).await.unwrap();
    let document = Transfer::new(id.document(0), new_transfer(), epoch(), hours(4));
    let document = Transfer { turn: Turn::Idle, ..document };
    store.add_documents(std::slice::from_ref(&document), hours(200)).await.unwrap();
    store.open_bundle(id).await.unwrap();
    let read = store.get(&document.transfer_id).await.unwrap().unwrap();
    let failed = store.finish(&read, Outcome::Canceled, epoch()).await.unwrap();
    let read = async || store.bundle(id).await.unwrap().unwrap();
    let (running, _) = read().await;
    store
        .end_bundle(&running, &BundleCounts::default(), Outcome::Canceled, epoch(), hours(200))
        .await
        .unwrap();
    let (over, _) = read().await;
    assert!(!store.resume_bundle(&running, hours(48), hours(8), epoch()).await.unwrap());
    for _ in ["", "a repeat"] {
        assert!(store.resume_bundle(&over, hours(48), hours(8), epoch()).await.unwrap());
    }
    let (resumed, counts) = read().await;
    assert!(resumed.resuming && resumed.phase == Phase::Uploading && resumed.retries == 1);
    assert_eq!((resumed.keep_until, resumed.deadline), (Some(hours(48)), Some(hours(8))));
    assert_eq!((counts.ended, counts.first_failure), (1, None));
    // What the first run still had to say comes late.
    store
        .end_bundle(&running, &BundleCounts::default(), Outcome::Canceled, epoch(), epoch())
        .await
        .unwrap();
    store.documents_stopped(id, 0).await.unwrap();
    store.documents_resumed(id, 0).await.unwrap();
    assert_eq!(read().await.0, resumed);
    store.mark_settled(&failed.transfer_id, 1).await.unwrap();
    let again = failed.clone().again(hours(8), Some(hours(48)));
    let of_another_run = Transfer { retries: 2, ..again.clone() };
    assert!(!store.run_again(&failed, &of_another_run, epoch()).await.unwrap());
    for _ in ["", "a repeat"] {
        assert!(store.run_again(&failed, &again, epoch()).await.unwrap());
    }
    assert_eq!(read().await.1.ended, 0, "counted once");
    store.documents_resumed(id, 1).await.unwrap();
    assert!(!read().await.0.resuming);
    // Whoever resumes it late does so no more.
    let running = store.get(&failed.transfer_id).await.unwrap().unwrap();
    let failed = store.finish(&running, Outcome::Canceled, epoch()).await.unwrap();
    store.mark_settled(&failed.transfer_id, 2).await.unwrap();
    let again = Transfer { retries: 1, ..failed.clone().again(hours(8), Some(hours(48))) };
    assert!(!store.run_again(&failed, &again, epoch()).await.unwrap());
    assert_eq!(store.get(&failed.transfer_id).await.unwrap().unwrap().phase, Phase::Canceled);
    assert_eq!(read().await.1.ended, 1);
}

async fn a_history_is_its_owners_newest_first_page_by_page(
    store: &(impl TransferStore + BundleStore + History),
) {
    let owner = transfer().transfer_id.to_string();
    let mut made = Vec::new();
    for n in 0..5 {
        let created_at = hours(n);
        if n == 2 {
            let many = Bundle { owner: owner.clone(), created_at, ..bundle(1) };
            store.create_bundle(&many).await.unwrap();
            made.push(many.bundle_id);
            continue;
        }
        // The viewer's transfers, whose results are not kept for a time, are listed too.
        let keep_until = (n % 2 == 0).then(|| hours(24 + n));
        let one = Transfer { owner: owner.clone(), created_at, keep_until, ..transfer() };
        store.create(&one).await.unwrap();
        made.push(one.transfer_id);
    }
    made.reverse();
    let mut found = Vec::new();
    let mut before: Option<JobPlace> = None;
    loop {
        let (page, next) = store.jobs(&owner, before.as_ref(), 2).await.unwrap();
        assert!(page.len() <= 2);
        found.extend(page.iter().map(|job| Listed::place(job).id));
        before = next;
        if before.is_none() {
            break;
        }
    }
    assert_eq!(found, made);
    assert!(store.jobs("nobody", None, 10).await.unwrap().0.is_empty());
}
