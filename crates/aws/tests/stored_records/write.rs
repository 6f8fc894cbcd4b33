//! Test that compares the records that this version writes with their fixtures, against the
//! emulator.
//!
//! [`Writer`] brings transfers, batches and artifacts into each of their states through the store,
//! and records the stored item in each state. If `DOCFERRY_WRITE_FIXTURES` is set, the test
//! replaces the fixtures of this version.

use docferry_app::ports::{PushStore as _, TransferStore as _, UploadStore as _};
use docferry_aws::DynamoTransferStore;
use docferry_domain::ids::TransferId;
use docferry_domain::transfer::{Outcome, OutstandingPush, Transfer};

use crate::fixtures::{self, Records, UNRELEASED};
use crate::support::{TestTable, emulator};
use crate::values::*;

#[tokio::test]
#[allow(clippy::disallowed_methods, reason = "the setting that rewrites the fixtures")]
async fn stored_records_of_this_version_equal_their_fixtures() {
    let Some(emulator) = emulator() else { return };
    let written = write_all(&emulator).await;
    if std::env::var_os("DOCFERRY_WRITE_FIXTURES").is_some() {
        fixtures::save(UNRELEASED, &written);
    }
    for (kind, items) in fixtures::load(UNRELEASED) {
        for (name, item) in items {
            assert_eq!(written[&kind].get(&name), Some(&item), "{kind}: {name}");
        }
    }
    let names = |all: &Records| -> Vec<(String, Vec<String>)> {
        all.iter().map(|(kind, items)| (kind.clone(), items.keys().cloned().collect())).collect()
    };
    assert_eq!(names(&written), names(&fixtures::load(UNRELEASED)));
}

async fn write_all(emulator: &str) -> Records {
    let table = TestTable::create(emulator).await;
    let mut writer = Writer { store: table.store(), table, records: Records::new() };
    writer.onedrive_transfers().await;
    writer.retried_transfer().await;
    writer.download_transfers().await;
    writer.batches().await;
    writer.slots_and_counters().await;
    writer.records
}

/// Writes records through the store and collects the stored items.
pub(crate) struct Writer {
    pub(crate) table: TestTable,
    pub(crate) store: DynamoTransferStore,
    /// Stored items by kind and name of the state.
    pub(crate) records: Records,
}

impl Writer {
    /// Adds the stored item with the key `pk`, `sk` to the records. `kind` is the kind of the
    /// record, and `name` is the name of its current state.
    pub(crate) async fn add_record(&mut self, kind: &str, name: &str, pk: &str, sk: &str) {
        let item = fixtures::typed(&self.table.item(pk, sk).await);
        assert!(!item.is_empty(), "{pk} {sk} is stored");
        let items = self.records.entry(kind.into()).or_default();
        assert_eq!(items.insert(name.into(), item), None, "{name} is a new name");
    }

    /// Adds the stored item of a single transfer to the records.
    pub(crate) async fn add_transfer_record(&mut self, kind: &str, name: &str, id: &TransferId) {
        self.add_record(kind, name, &format!("T#{id}"), "META").await;
    }

    pub(crate) async fn get(&self, id: &TransferId) -> Transfer {
        self.store.get(id).await.unwrap().unwrap()
    }

    /// Brings a transfer to `AwaitingArrival`.
    pub(crate) async fn push(&self, id: &TransferId, key: &str) {
        self.store.begin_push(id, 1, at(1)).await.unwrap();
        let push = OutstandingPush::of(id, &GUID.parse().unwrap(), &source(key));
        let _ = self.store.record_push(id, 1, &push, &source(key)).await.unwrap();
    }

    /// Brings a transfer to `Uploading`. Returns the epoch of the upload.
    pub(crate) async fn upload(&self, id: &TransferId, key: &str) -> u64 {
        self.push(id, key).await;
        self.store.record_arrival(id, 1, &arrived()).await.unwrap();
        self.store.claim(id, 1).await.unwrap().epoch
    }

    pub(crate) async fn finish(&self, id: &TransferId, outcome: Outcome) {
        let read = self.get(id).await;
        let ended = self.store.finish(&read, outcome, at(600)).await.unwrap();
        assert!(ended.phase.is_terminal());
    }
}
