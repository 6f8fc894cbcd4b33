//! Conformance of the in-memory stores to their ports.

use docferry_testkit::{InMemoryTransferStore, World, conformance};

#[tokio::test]
async fn the_store_in_memory_is_a_transfer_store() {
    conformance::transfer_store(&InMemoryTransferStore::default()).await;
    conformance::transfer_store(&World::default()).await;
}

#[tokio::test]
async fn the_store_in_memory_has_slots_a_queue_an_outbox_and_bundles() {
    conformance::slot_store(&InMemoryTransferStore::default()).await;
    conformance::outbox(&InMemoryTransferStore::default()).await;
    conformance::notices(&InMemoryTransferStore::default()).await;
    conformance::bundle_store(&InMemoryTransferStore::default()).await;
}

#[tokio::test]
async fn the_store_in_memory_knows_what_lies_in_the_delivery_bucket() {
    conformance::artifact_store(&InMemoryTransferStore::default()).await;
}

#[tokio::test]
async fn the_store_in_memory_knows_names_of_requests_runs_again_and_has_histories() {
    conformance::job_store(&InMemoryTransferStore::default()).await;
}
