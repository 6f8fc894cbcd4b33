//! Tests that the store reads the stored items of every version.

use docferry_app::ports::{
    ArtifactStore as _, BatchStore as _, CreateOptions, JobStore as _, TransferStore as _,
};

use crate::check::*;
use crate::fixtures::{Item, Records, UNRELEASED, load, plain_item, versions};
use crate::table::FixtureTable;

/// Runs `check` on each version with its name and its records.
async fn for_each_version(check: impl AsyncFn(&str, Records, &FixtureTable)) {
    let versions = versions();
    assert!(versions.len() > 1, "{versions:?}");
    for version in versions {
        check(&version, load(&version), &FixtureTable::start().await).await;
    }
}

#[tokio::test]
async fn stored_records_of_earlier_versions_are_read() {
    for_each_version(async |version, records, table| {
        for (kind, items) in &records {
            for (name, item) in items {
                let label = format!("{version}: {kind}: {name}");
                table.set_items(&[item]);
                match kind.as_str() {
                    "transfers-onedrive" | "transfers-download" => {
                        let transfer = read_transfer(table, item).await;
                        assert_nothing_lost(&label, item, &transfer);
                        table
                            .store()
                            .create_with(&transfer, CreateOptions::default())
                            .await
                            .unwrap();
                        let rewritten = plain_item(&table.take_written()[0]);
                        assert_nothing_lost(&format!("{label}, rewritten"), item, &rewritten);
                    }
                    "batches" => check_batch(&label, items, item, table).await,
                    "sessions" => check_session(&label, item, table).await,
                    "requests" => {
                        let key = text(item, "key");
                        let request = table.store().request(key, at(0)).await.unwrap().unwrap();
                        assert_nothing_lost(&label, item, &request);
                        let expired = table.store().request(key, at(86_400)).await.unwrap();
                        assert_eq!(expired, None, "{label}: the record expires");
                    }
                    "outbox" => check_message(&label, item, table).await,
                    "artifacts" => check_artifact(&label, version, name, item, table).await,
                    "exchange-keys" => check_exchange_key(&label, version, item, table).await,
                    "slots" => check_slots(&label, &records, item, table).await,
                    "counters" => check_counter(&label, item, table).await,
                    _ => panic!("{kind} is an unknown kind"),
                }
            }
        }
    })
    .await;
}

/// The next step of a running transfer depends on members that earlier versions did not write.
#[tokio::test]
async fn stored_transfers_of_earlier_versions_continue_with_the_right_step() {
    for_each_version(async |version, records, table| {
        let onedrive = &records["transfers-onedrive"];
        let read = async |name: &str| read_transfer(table, &onedrive[name]).await;
        let waiting = read("awaiting arrival").await;
        assert!(!waiting.needs_push() && waiting.needs_source(), "{version}");
        assert_eq!(waiting.must_end_by(), at(7_200), "{version}: by the size of the document");
        let keys = waiting.keys_awaiting_arrival();
        let keys: Vec<_> = keys.iter().map(|owed| owed.key.as_str()).collect();
        assert_eq!(keys, ["docferry/order.pdf"], "{version}");

        let paused = read("uploading, paused").await;
        assert!(!paused.needs_push() && !paused.needs_source(), "{version}");

        let second_run = read("accepted, second run").await;
        assert!(second_run.needs_push() && second_run.needs_source(), "{version}");
        assert_eq!(
            (second_run.executions(), second_run.must_end_by()),
            (1, at(15_400)),
            "{version}"
        );
        let queue_time = if version == "v0.1.0" { at(0) } else { at(1_000) };
        assert_eq!(second_run.queue_time(), queue_time, "{version}");

        let download = &records["transfers-download"]["completed, retained longer"];
        let retained = read_transfer(table, download).await;
        assert_eq!(retained.retained_until(), at(100_000), "{version}");
    })
    .await;
}

#[tokio::test]
async fn rewriting_a_current_record_yields_the_same_item() {
    let (records, table) = (load(UNRELEASED), FixtureTable::start().await);
    let store = table.store();
    let queued = &records["transfers-onedrive"]["accepted, queued"];
    let transfer = read_transfer(&table, queued).await;
    store.create(&transfer).await.unwrap();
    assert_eq!(table.take_written(), [queued, &records["slots"]["queue entry"]].map(Item::clone));

    let request = &records["requests"]["idempotency record"];
    table.set_items(&[request]);
    let idempotency_record = store.request(text(request, "key"), at(0)).await.unwrap().unwrap();
    let batch = &records["batches"]["accepted"];
    table.set_items(&[batch]);
    let (read, _) = store.batch(&transfer_id(batch)).await.unwrap().unwrap();
    store.record_batch(&read, Some(&idempotency_record)).await.unwrap();
    assert_eq!(table.take_written(), [batch.clone(), request.clone()]);

    let newest = &records["artifacts"]["newest of its document"];
    table.set_items(&[newest]);
    let guid = text(newest, "objectGuid").parse().unwrap();
    let artifact = store.find_artifact(&guid).await.unwrap().unwrap();
    store.put_artifact(&artifact).await.unwrap();
    assert_eq!(table.take_written(), [records["artifacts"]["written"].clone()]);
}
