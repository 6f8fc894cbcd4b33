//! Test that this version writes the same records as its fixtures contain, against the emulator.
//!
//! The [`Writer`] brings transfers, batches and artifacts into each of their states and saves the
//! stored items. If the environment variable `DOCFERRY_WRITE_FIXTURES` is set, the test replaces
//! the fixtures of the unreleased version by these items.

use crate::fixtures::{Records, UNRELEASED, load, save};
use crate::support::emulator;
use crate::writer::Writer;

#[tokio::test]
#[allow(clippy::disallowed_methods, reason = "the setting that rewrites the fixtures")]
async fn stored_records_of_this_version_equal_their_fixtures() {
    let Some(emulator) = emulator() else { return };
    let written = write_all(&emulator).await;

    if std::env::var_os("DOCFERRY_WRITE_FIXTURES").is_some() {
        save(UNRELEASED, &written);
    }

    for (kind, items) in load(UNRELEASED) {
        for (state, item) in items {
            assert_eq!(written[&kind].get(&state), Some(&item), "{kind}: {state}");
        }
    }
    assert_eq!(states_by_kind(&written), states_by_kind(&load(UNRELEASED)));
}

/// Writes a record of each kind in each state and returns the stored items.
async fn write_all(emulator: &str) -> Records {
    let mut writer = Writer::new(emulator).await;
    writer.onedrive_transfers().await;
    writer.ended_onedrive_transfers().await;
    writer.exchange_key_without_users().await;
    writer.retried_transfer().await;
    writer.downloads().await;
    writer.batch_with_four_documents().await;
    writer.slots_and_queue().await;
    writer.counters().await;
    writer.records
}

/// Returns the names of all states, by the kind of the record.
fn states_by_kind(records: &Records) -> Vec<(String, Vec<String>)> {
    let states = records.iter();
    states.map(|(kind, items)| (kind.clone(), items.keys().cloned().collect())).collect()
}
