//! Conformance checks of every [`JobStore`](docferry_app::ports::JobStore): creation of jobs with
//! an idempotency key, and retries of jobs.
//!
//! A job is a single transfer or a batch of documents. A user can retry an ended job; each retry
//! starts a new *run* of the job. A transfer is *closed* when its run has ended and all its resources
//! are closed. Only a closed transfer can be retried.

use docferry_app::ports::{BatchRetry, CreateOptions, CreateResult, History, Release, Store};
use docferry_domain::ids::TransferId;
use docferry_domain::job::{BatchCounts, IdempotencyRecord};
use docferry_domain::phase::Phase;
use docferry_domain::slots::{Pool, SlotState};
use docferry_domain::transfer::{Outcome, PushedSource, Transfer};

use super::history::history_lists_jobs_of_its_owner_newest_first;
use super::support::{batch, delivery, hours};
use crate::builders::{epoch, new_transfer, pushed, record_push, transfer};

/// Runs every check of a `JobStore` and of a [`History`].
///
/// # Panics
/// When the store breaks a rule of its ports.
pub async fn job_store<S>(store: &S)
where
    S: Store + History,
{
    idempotency_key_creates_one_job_until_it_expires(store).await;
    new_transfer_can_take_a_free_slot(store).await;
    closed_transfer_runs_once_per_retry_request(store).await;
    late_key_release_of_an_earlier_run_is_ignored(store).await;
    resumed_batch_runs_selected_documents_again(store).await;
    history_lists_jobs_of_its_owner_newest_first(store).await;
}

/// Returns the idempotency record of a request that creates this job.
fn idempotency_record(job: &TransferId) -> IdempotencyRecord {
    IdempotencyRecord {
        key: transfer().transfer_id.to_string(),
        fingerprint: "f".into(),
        job_id: job.clone(),
        retain_until: hours(24),
    }
}

fn with_key(request: &IdempotencyRecord) -> CreateOptions<'_> {
    CreateOptions { request: Some(request), slot: None }
}

async fn idempotency_key_creates_one_job_until_it_expires(store: &impl Store) {
    let (first, second) = (transfer(), transfer());
    let request = idempotency_record(&first.transfer_id);
    let record_at = async |now| store.request(&request.key, now).await.unwrap();
    assert_eq!(record_at(hours(0)).await, None);
    assert_eq!(store.create_with(&first, with_key(&request)).await.unwrap(), CreateResult::Done);
    assert_eq!(
        store.create_with(&first, with_key(&request)).await.unwrap(),
        CreateResult::Done,
        "the repeated request succeeds too"
    );
    assert_eq!(record_at(hours(23)).await, Some(request.clone()));
    assert_eq!(record_at(hours(24)).await, None, "the record has expired");

    // A different job with the same key is not created.
    let second_request =
        IdempotencyRecord { job_id: second.transfer_id.clone(), ..request.clone() };
    let result = store.create_with(&second, with_key(&second_request)).await.unwrap();
    assert_eq!(result, CreateResult::AlreadyExists(request.clone()));
    assert_eq!(store.get(&second.transfer_id).await.unwrap(), None, "no transfer is recorded");
    let many = batch(1);
    let batch_request = IdempotencyRecord { job_id: many.batch_id.clone(), ..request.clone() };
    let result = store.record_batch(&many, Some(&batch_request)).await.unwrap();
    assert_eq!(result, CreateResult::AlreadyExists(request.clone()));

    // Only the job of the record can delete the record.
    store.delete_idempotency_record(&second_request).await.unwrap();
    let result = store.create_with(&second, with_key(&second_request)).await.unwrap();
    assert_ne!(result, CreateResult::Done);
    store.delete_idempotency_record(&request).await.unwrap();
    store.delete_idempotency_record(&request).await.unwrap();
    let result = store.create_with(&second, with_key(&second_request)).await.unwrap();
    assert_eq!(result, CreateResult::Done);

    // An expired record is ignored, even before it is deleted.
    let late = Transfer { created_at: hours(24), ..transfer() };
    let renewed = IdempotencyRecord { job_id: late.transfer_id.clone(), ..request };
    assert_eq!(store.create_with(&late, with_key(&renewed)).await.unwrap(), CreateResult::Done);
}

async fn new_transfer_can_take_a_free_slot(store: &impl Store) {
    let made = Transfer { slot_state: SlotState::Holding, ..transfer() };
    let id = &made.transfer_id;
    let version = store.slots(made.pool).await.unwrap().version;
    let with_slot = |version| CreateOptions { request: None, slot: Some(version) };
    let outdated = store.create_with(&made, with_slot(version + 1)).await.unwrap();
    assert_eq!((outdated, store.get(id).await.unwrap()), (CreateResult::SlotsChanged, None));
    assert_eq!(store.create_with(&made, with_slot(version)).await.unwrap(), CreateResult::Done);
    let slots = store.slots(made.pool).await.unwrap();
    assert!(slots.holders.contains_key(id) && slots.version > version);
    let queue = store.queue(made.pool, None, 1000).await.unwrap();
    assert!(queue.iter().all(|waiting| waiting.transfer_id != *id));
    store.finish(&made, Outcome::Canceled, epoch()).await.unwrap();
    assert!(!store.slots(made.pool).await.unwrap().holders.contains_key(id));
}

/// Creates a transfer whose push is recorded, and ends it.
async fn ended(store: &impl Store, outcome: Outcome) -> Transfer {
    let made = transfer();
    let id = &made.transfer_id;
    store.create(&made).await.unwrap();
    store.begin_push(id, 1, epoch()).await.unwrap();
    assert!(record_push(store, id, 1, &pushed(&format!("{id}.pdf"), 1000)).await.unwrap());
    let read = store.get(id).await.unwrap().unwrap();
    store.finish(&read, outcome, epoch()).await.unwrap()
}

async fn closed_transfer_runs_once_per_retry_request(store: &impl Store) {
    let read = ended(store, Outcome::Canceled).await;
    let id = &read.transfer_id;
    let next_run = read.clone().for_retry_by(hours(8), Some(hours(48)));
    assert!(
        !store.restart_transfer(&read, &next_run, epoch()).await.unwrap(),
        "the transfer is not closed yet"
    );
    store.mark_closed(id, 2).await.unwrap();
    assert!(
        !store.restart_transfer(&read, &next_run, epoch()).await.unwrap(),
        "only its own execution can close the transfer"
    );
    store.mark_closed(id, 1).await.unwrap();
    for _ in ["first request", "repeated request"] {
        assert!(store.restart_transfer(&read, &next_run, epoch()).await.unwrap());
    }
    let running = store.get(id).await.unwrap().unwrap();
    assert_eq!(running, next_run);
    assert_eq!((running.execution_number, running.retries, running.executions()), (2, 1, 1));

    // Late writes of the first run are rejected.
    let late = store.request_cancel(id, "scv", 0).await.unwrap();
    let stored = store.get(id).await.unwrap().unwrap();
    assert_eq!((late, stored.cancel_requested), (None, false), "a cancel of the first run");
    let late = store.record_delivery(id, read.epoch, &delivery()).await;
    assert!(late.is_err(), "an upload of the first run recorded its delivery");
    let queue = store.queue(Pool::Onedrive, None, 1000).await.unwrap();
    assert!(queue.iter().any(|waiting| waiting.transfer_id == *id));

    // A late clean-up of the first run does not clean up the second run.
    let ended = store.finish(&running, Outcome::Canceled, epoch()).await.unwrap();
    store.mark_cleaned_up(id, 1, hours(9)).await.unwrap();
    assert!(
        !store
            .restart_transfer(&ended, &ended.clone().for_retry_by(hours(8), None), epoch())
            .await
            .unwrap()
    );
}

async fn late_key_release_of_an_earlier_run_is_ignored(store: &impl Store) {
    let read = ended(store, Outcome::Canceled).await;
    let (id, key) = (&read.transfer_id, format!("{}.pdf", read.transfer_id));
    let release = async |execution_number| {
        store.release_key(id, execution_number, &key, epoch(), hours(1)).await.unwrap()
    };
    assert_eq!(release(1).await, Release::Last);
    store.mark_released(id, &key, epoch()).await.unwrap();
    store.mark_closed(id, 1).await.unwrap();
    assert!(
        store
            .restart_transfer(&read, &read.clone().for_retry_by(hours(8), None), epoch())
            .await
            .unwrap()
    );
    store.begin_push(id, 2, epoch()).await.unwrap();
    let source = PushedSource { requested_at: hours(1), ..pushed(&key, 1000) };
    assert!(record_push(store, id, 2, &source).await.unwrap());
    assert_eq!(release(1).await, Release::StillReferenced, "a late release of the first run");
    assert_eq!(release(2).await, Release::Last);
}

async fn resumed_batch_runs_selected_documents_again(store: &impl Store) {
    let made = batch(1);
    let id = &made.batch_id;
    store.create_batch(&made).await.unwrap();
    let document = Transfer::new(id.document(0), new_transfer(), epoch(), hours(4));
    let document = Transfer { slot_state: SlotState::Idle, ..document };
    store.add_documents(std::slice::from_ref(&document), hours(200)).await.unwrap();
    store.commit_batch(id).await.unwrap();
    let read = store.get(&document.transfer_id).await.unwrap().unwrap();
    let failed = store.finish(&read, Outcome::Canceled, epoch()).await.unwrap();
    let read_batch = async || store.batch(id).await.unwrap().unwrap();
    let (running, _) = read_batch().await;
    store
        .end_batch(&running, &BatchCounts::default(), Outcome::Canceled, epoch(), hours(200))
        .await
        .unwrap();
    let (ended, _) = read_batch().await;
    let retry =
        BatchRetry { retain_until: hours(48), deadline: hours(8), due: epoch(), origin: None };
    assert!(!store.resume_batch(&running, &retry).await.unwrap());
    for _ in ["first request", "repeated request"] {
        assert!(store.resume_batch(&ended, &retry).await.unwrap());
    }
    let (resumed, counts) = read_batch().await;
    assert!(resumed.resuming && resumed.phase == Phase::Uploading && resumed.retries == 1);
    assert_eq!((resumed.spec.retain_until, resumed.deadline), (Some(hours(48)), Some(hours(8))));
    assert_eq!((counts.ended, counts.first_failure), (1, None));

    // Late writes of the first run change nothing.
    store
        .end_batch(&running, &BatchCounts::default(), Outcome::Canceled, epoch(), epoch())
        .await
        .unwrap();
    store.documents_stopped(id, 0).await.unwrap();
    store.mark_documents_resumed(id, 0).await.unwrap();
    assert_eq!(read_batch().await.0, resumed);
    store.mark_closed(&failed.transfer_id, 1).await.unwrap();
    let next_run = failed.clone().for_retry_by(hours(8), Some(hours(48)));
    let transfer_of_a_later_run = Transfer { retries: 2, ..next_run.clone() };
    assert!(!store.restart_transfer(&failed, &transfer_of_a_later_run, epoch()).await.unwrap());
    for _ in ["first request", "repeated request"] {
        assert!(store.restart_transfer(&failed, &next_run, epoch()).await.unwrap());
    }
    assert_eq!(read_batch().await.1.ended, 0, "the document is subtracted once");
    store.mark_documents_resumed(id, 1).await.unwrap();
    assert!(!read_batch().await.0.resuming);

    // A late attempt to resume a document is rejected.
    let running = store.get(&failed.transfer_id).await.unwrap().unwrap();
    let failed = store.finish(&running, Outcome::Canceled, epoch()).await.unwrap();
    store.mark_closed(&failed.transfer_id, 2).await.unwrap();
    let next_run =
        Transfer { retries: 1, ..failed.clone().for_retry_by(hours(8), Some(hours(48))) };
    assert!(!store.restart_transfer(&failed, &next_run, epoch()).await.unwrap());
    assert_eq!(store.get(&failed.transfer_id).await.unwrap().unwrap().phase, Phase::Canceled);
    assert_eq!(read_batch().await.1.ended, 1);
}
