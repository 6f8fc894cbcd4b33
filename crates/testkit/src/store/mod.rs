mod artifacts;
mod bundles;
mod jobs;
mod keys;
mod notices;
mod slots;
mod transfers;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use docferry_app::ports::{Due, SessionRecord};
use docferry_domain::{
    ArtifactRecord, Bundle, BundleCounts, NamedRequest, Notice, ObjectGuid, OutcomeRecord,
    OutstandingPush, Pool, Slots, Transfer, TransferId, Waiting,
};
use jiff::Timestamp;

#[derive(Debug, Default, Clone)]
struct KeyUse {
    users: BTreeSet<TransferId>,
    holder: Option<ObjectGuid>,
    outstanding: BTreeSet<OutstandingPush>,
    /// The transfer that deletes the object (`None` when several of its processes do) and
    /// the end of its lease.
    releasing: Option<(Option<TransferId>, Timestamp)>,
    released_at: Option<Timestamp>,
}

#[derive(Debug, Default)]
struct Tables {
    transfers: BTreeMap<TransferId, Transfer>,
    sessions: BTreeMap<TransferId, SessionRecord>,
    keys: BTreeMap<String, KeyUse>,
    names: BTreeMap<(TransferId, String), TransferId>,
    announced: BTreeMap<TransferId, OutstandingPush>,
    due: BTreeMap<Due, Timestamp>,
    slots: BTreeMap<Pool, Slots>,
    queue: BTreeMap<(Pool, i64, TransferId), Waiting>,
    outbox: BTreeMap<(TransferId, u32), (OutcomeRecord, Timestamp)>,
    notices: BTreeMap<(TransferId, u32), (Notice, Timestamp)>,
    bundles: BTreeMap<TransferId, (Bundle, BundleCounts)>,
    artifacts: BTreeMap<String, artifacts::KnownArtifact>,
    newest: BTreeMap<String, ArtifactRecord>,
    requests: BTreeMap<String, NamedRequest>,
}

impl Tables {
    /// What is due before `now`, longest due first.
    fn due_before(&self, now: Timestamp) -> Vec<(Timestamp, Due)> {
        let due = self.due.iter().filter(|(_, due)| **due < now);
        let mut found: Vec<_> = due.map(|(what, due)| (*due, what.clone())).collect();
        found.sort();
        found
    }

    /// Its slot or place in the queue is free again.
    fn leave(&mut self, transfer: &Transfer) {
        self.queue.remove(&place(transfer));
        if let Some(slots) = self.slots.get_mut(&transfer.pool) {
            slots.holders.remove(&transfer.transfer_id);
        }
    }
}

/// Where a transfer stands in the queue.
fn place(transfer: &Transfer) -> (Pool, i64, TransferId) {
    let waiting = transfer.waiting();
    (transfer.pool, waiting.order, waiting.transfer_id)
}

/// A [`TransferStore`] in memory, by the letter of the port's documentation.
#[derive(Debug, Clone, Default)]
pub struct InMemoryTransferStore(Arc<Mutex<Tables>>);

impl InMemoryTransferStore {
    fn tables(&self) -> std::sync::MutexGuard<'_, Tables> {
        self.0.lock().unwrap()
    }

    /// Every transfer, for checking invariants.
    #[must_use]
    pub fn transfers(&self) -> Vec<Transfer> {
        self.tables().transfers.values().cloned().collect()
    }

    /// Sets a record as it is, for arranging. One that has ended and is not settled is
    /// looked after.
    pub fn set(&self, transfer: Transfer) {
        let mut tables = self.tables();
        if let Some(ended_at) = transfer.ended_at.filter(|_| !transfer.settled) {
            tables.due.insert(Due::Transfer(transfer.transfer_id.clone()), ended_at);
        }
        tables.transfers.insert(transfer.transfer_id.clone(), transfer);
    }

    /// Sets what the documents of a bundle have in common as it is, for arranging.
    pub fn set_bundle(&self, bundle: Bundle) {
        let id = bundle.bundle_id.clone();
        self.tables().bundles.entry(id).and_modify(|(known, _)| *known = bundle);
    }

    /// Exchange keys that a transfer uses or has to release. A lease of several processes
    /// ends by itself.
    #[must_use]
    pub fn keys_in_use(&self) -> Vec<String> {
        let tables = self.tables();
        let leased = |u: &KeyUse| u.releasing.as_ref().is_some_and(|(by, _)| by.is_some());
        let used = |u: &KeyUse| !u.users.is_empty() || leased(u);
        tables.keys.iter().filter(|(_, u)| used(u)).map(|(k, _)| k.clone()).collect()
    }

    /// Outcomes that lie in the outbox.
    #[must_use]
    pub fn untold_outcomes(&self) -> Vec<OutcomeRecord> {
        self.tables().outbox.values().map(|(record, _)| record.clone()).collect()
    }

    /// How many hold a slot, and how many wait for one.
    #[must_use]
    pub fn held_and_queued(&self) -> (usize, usize) {
        let tables = self.tables();
        (tables.slots.values().map(|slots| slots.holders.len()).sum(), tables.queue.len())
    }

    /// Sessions that are stored.
    #[must_use]
    pub fn open_sessions(&self) -> usize {
        self.tables().sessions.len()
    }
}
