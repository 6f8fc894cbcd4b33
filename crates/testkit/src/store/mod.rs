//! In-memory implementation of the store ports.
//!
//! It behaves as the DynamoDB adapter does, and both pass the suites in
//! [`conformance`](crate::conformance).

mod artifacts;
mod batches;
mod exchange_keys;
mod guards;
mod jobs;
mod notifications;
mod pushes;
mod recovery;
mod slots;
mod transfers;
mod uploads;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use docferry_app::ports::{SessionRecord, WorkItem};
use docferry_domain::document::ArtifactRecord;
use docferry_domain::ids::{ObjectGuid, TransferId};
use docferry_domain::job::{Batch, BatchCounts, IdempotencyRecord, WebhookNotification};
use docferry_domain::slots::{Pool, QueueEntry, Slots};
use docferry_domain::transfer::{OutcomeRecord, OutstandingPush, Transfer};
use jiff::Timestamp;

/// State of an exchange key.
#[derive(Debug, Default, Clone)]
struct ExchangeKeyState {
    /// Transfers that use the key.
    users: BTreeSet<TransferId>,
    /// Document that uses the key.
    holder: Option<ObjectGuid>,
    /// Pushes that named the key and may still write an object under it.
    outstanding: BTreeSet<OutstandingPush>,
    /// Deletion lease: the transfer that is deleting the object, and the end of the lease.
    /// The transfer is `None` when several of its processes share the lease.
    releasing: Option<(Option<TransferId>, Timestamp)>,
    /// Time of the last completed deletion.
    released_at: Option<Timestamp>,
}

/// Record of an object in the delivery bucket.
#[derive(Debug, Clone)]
struct StoredArtifact {
    record: ArtifactRecord,
    /// End of the retention. It is never moved to an earlier time.
    retain_until: Timestamp,
    /// Whether a transfer has recorded the delivery of the artifact, so that further transfers may
    /// reuse it.
    delivered: bool,
    /// Whether the removal of the artifact has begun. Then it can neither be delivered nor
    /// retained.
    removal_begun: bool,
}

/// Contents of the store.
#[derive(Debug, Default)]
struct Tables {
    transfers: BTreeMap<TransferId, Transfer>,
    /// Upload sessions by transfer.
    sessions: BTreeMap<TransferId, SessionRecord>,
    /// States of the exchange keys.
    keys: BTreeMap<String, ExchangeKeyState>,
    /// Reserved file names: batch and folded name to the document that has reserved the name.
    names: BTreeMap<(TransferId, String), TransferId>,
    /// Pushes whose exchange key is not known yet, by transfer.
    announced: BTreeMap<TransferId, OutstandingPush>,
    /// Index of unfinished work: the time from which the sweeper handles each item.
    due: BTreeMap<WorkItem, Timestamp>,
    slots: BTreeMap<Pool, Slots>,
    /// Queue entries by pool, order and transfer.
    queue: BTreeMap<(Pool, i64, TransferId), QueueEntry>,
    /// Unsent outcomes by transfer and execution number, each with the time at which it is due.
    outbox: BTreeMap<(TransferId, u32), (OutcomeRecord, Timestamp)>,
    /// Unsent webhook notifications by job and execution number, each with the time at which it is
    /// due.
    notifications: BTreeMap<(TransferId, u32), (WebhookNotification, Timestamp)>,
    batches: BTreeMap<TransferId, (Batch, BatchCounts)>,
    /// Artifacts by key in the delivery bucket.
    artifacts: BTreeMap<String, StoredArtifact>,
    /// Newest delivered artifact of each document, by document GUID.
    newest: BTreeMap<String, ArtifactRecord>,
    /// Idempotency records by key.
    requests: BTreeMap<String, IdempotencyRecord>,
}

impl Tables {
    /// Returns the items due before `now`, in the order of their due times.
    fn due_before(&self, now: Timestamp) -> Vec<(Timestamp, WorkItem)> {
        let due = self.due.iter().filter(|(_, due)| **due < now);
        let mut found: Vec<_> = due.map(|(item, due)| (*due, item.clone())).collect();
        found.sort();
        found
    }

    /// Frees the slot of a transfer and removes the transfer from the queue.
    fn remove_from_slots_and_queue(&mut self, transfer: &Transfer) {
        self.queue.remove(&queue_key(transfer));
        if let Some(slots) = self.slots.get_mut(&transfer.pool) {
            slots.holders.remove(&transfer.transfer_id);
        }
    }
}

/// Key of a transfer in the queue.
fn queue_key(transfer: &Transfer) -> (Pool, i64, TransferId) {
    let entry = transfer.queue_entry();
    (transfer.pool, entry.order, entry.transfer_id)
}

/// In-memory implementation of the store ports. Clones share one state.
#[derive(Debug, Clone, Default)]
pub struct InMemoryTransferStore(Arc<Mutex<Tables>>);

impl InMemoryTransferStore {
    fn tables(&self) -> std::sync::MutexGuard<'_, Tables> {
        self.0.lock().unwrap()
    }

    /// Returns all transfers, so that a test can check invariants.
    #[must_use]
    pub fn transfers(&self) -> Vec<Transfer> {
        self.tables().transfers.values().cloned().collect()
    }

    /// Replaces the record of a transfer. A transfer that has ended and is not closed is put into
    /// the index of unfinished work.
    pub fn set(&self, transfer: Transfer) {
        let mut tables = self.tables();
        if let Some(ended_at) = transfer.ended_at.filter(|_| !transfer.closed) {
            tables.due.insert(WorkItem::Transfer(transfer.transfer_id.clone()), ended_at);
        }
        tables.transfers.insert(transfer.transfer_id.clone(), transfer);
    }

    /// Replaces the record of an existing batch.
    pub fn set_batch(&self, batch: Batch) {
        let id = batch.batch_id.clone();
        self.tables().batches.entry(id).and_modify(|(known, _)| *known = batch);
    }

    /// Returns the exchange keys that a transfer still uses or whose object a transfer is deleting
    /// at `now`. A shared lease does not count, because it expires by itself.
    #[must_use]
    pub fn keys_in_use(&self, now: Timestamp) -> Vec<String> {
        let tables = self.tables();
        let is_leased = |state: &ExchangeKeyState| {
            state.releasing.as_ref().is_some_and(|(by, until)| by.is_some() && *until > now)
        };
        let is_in_use = |state: &ExchangeKeyState| !state.users.is_empty() || is_leased(state);
        let in_use = tables.keys.iter().filter(|(_, state)| is_in_use(state));
        in_use.map(|(key, _)| key.clone()).collect()
    }

    /// Returns the outcomes in the outbox.
    #[must_use]
    pub fn unsent_outcomes(&self) -> Vec<OutcomeRecord> {
        self.tables().outbox.values().map(|(record, _)| record.clone()).collect()
    }

    /// Returns the number of held slots and the number of queued transfers.
    #[must_use]
    pub fn held_and_queued(&self) -> (usize, usize) {
        let tables = self.tables();
        (tables.slots.values().map(|slots| slots.holders.len()).sum(), tables.queue.len())
    }

    /// Returns the number of stored upload sessions.
    #[must_use]
    pub fn open_sessions(&self) -> usize {
        self.tables().sessions.len()
    }
}
