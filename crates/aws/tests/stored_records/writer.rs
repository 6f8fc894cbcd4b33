//! The [`Writer`], which writes records through the store and saves the stored items, and the
//! steps that several kinds of transfers have in common.
//!
//! The files `write_…` contain the methods that bring each kind of record into its states.

use docferry_app::ports::{
    CreateOptions, PushStore as _, RecoveryStore as _, SlotStore as _, TransferStore as _,
    UploadStore as _,
};
use docferry_aws::DynamoTransferStore;
use docferry_domain::ids::TransferId;
use docferry_domain::slots::{Pool, SlotState};
use docferry_domain::transfer::{Outcome, Transfer};

use crate::fixtures::Records;
use crate::keys::{self, ItemKey};
use crate::labels::Label;
use crate::support::TestTable;
use crate::times::{PUSH_BEGUN, START, TRANSFER_ENDED};
use crate::typed_json::typed;
use crate::values::{
    FIRST_EXECUTION, arrived_object, onedrive_transfer, outstanding_push, push_response,
};

/// Writes records through the store and saves the stored items.
pub(crate) struct Writer {
    pub(crate) table: TestTable,
    pub(crate) store: DynamoTransferStore,
    /// The items that were saved until now.
    pub(crate) records: Records,
}

impl Writer {
    /// Creates a writer with an empty table in the emulator.
    pub(crate) async fn new(emulator: &str) -> Self {
        let table = TestTable::create(emulator).await;
        Self { store: table.store(), table, records: Records::new() }
    }

    /// Saves the item that is now stored under `key` as the sample with this label.
    pub(crate) async fn save_item(&mut self, label: Label, key: ItemKey) {
        let ItemKey { pk, sk } = key;
        let item = typed(&self.table.item(&pk, &sk).await);
        assert!(!item.is_empty(), "{pk} {sk} is stored");

        let items = self.records.entry(label.kind.into()).or_default();
        let replaced = items.insert(label.state.into(), item);
        assert_eq!(replaced, None, "{} is a new name", label.state);
    }

    /// Saves the stored item of a transfer outside a batch.
    pub(crate) async fn save_transfer(&mut self, label: Label, id: &TransferId) {
        self.save_item(label, keys::transfer(id)).await;
    }

    /// Reads a transfer.
    pub(crate) async fn get(&self, id: &TransferId) -> Transfer {
        self.store.get(id).await.unwrap().unwrap()
    }

    /// Records a new transfer into a OneDrive, which gets a slot at once. Returns its id.
    pub(crate) async fn create_with_slot(&self, number: u128) -> TransferId {
        let transfer = Transfer {
            slot_state: SlotState::Holding,
            slot_granted_at: Some(START),
            ..onedrive_transfer(number)
        };
        // The slot is granted only if no other slot was granted since this version was read.
        let slots_version = self.store.slots(Pool::Onedrive).await.unwrap().version;
        let options = CreateOptions { slot: Some(slots_version), ..CreateOptions::default() };

        self.store.create_with(&transfer, options).await.unwrap();
        transfer.transfer_id
    }

    /// Begins the step `push`: the document is about to be requested.
    pub(crate) async fn begin_push(&self, id: &TransferId) {
        self.store.begin_push(id, FIRST_EXECUTION, PUSH_BEGUN).await.unwrap();
    }

    /// Requests the document, which the source will write into the exchange bucket under `key`.
    /// The transfer then awaits its arrival.
    pub(crate) async fn request_document(&self, id: &TransferId, key: &str) {
        self.begin_push(id).await;
        let response = push_response(key);
        let push = outstanding_push(id, &response);
        let _ = self.store.record_push(id, FIRST_EXECUTION, &push, &response).await.unwrap();
    }

    /// Requests the document, records its arrival and starts the upload. Returns the epoch of the
    /// upload, which every write of this upload must state.
    pub(crate) async fn start_upload(&self, id: &TransferId, key: &str) -> u64 {
        self.request_document(id, key).await;
        self.store.record_arrival(id, FIRST_EXECUTION, &arrived_object()).await.unwrap();
        self.claim_upload(id).await
    }

    /// Takes over the upload as a new invocation of the step `upload` does, so that writes of
    /// earlier invocations fail. Returns the new epoch.
    pub(crate) async fn claim_upload(&self, id: &TransferId) -> u64 {
        self.store.claim(id, FIRST_EXECUTION).await.unwrap().epoch
    }

    /// Ends a transfer with this outcome.
    pub(crate) async fn finish(&self, id: &TransferId, outcome: Outcome) {
        let read = self.get(id).await;
        let ended = self.store.finish(&read, outcome, TRANSFER_ENDED).await.unwrap();
        assert!(ended.phase.is_terminal());
    }

    /// Records that the upload sessions of an ended transfer are closed. Its document may still
    /// arrive in the exchange bucket, so the transfer is not cleaned up yet.
    pub(crate) async fn close_sessions(&self, id: &TransferId) {
        self.store.mark_closed(id, FIRST_EXECUTION).await.unwrap();
    }
}
