//! Conformance of the in-memory stores to their ports.

use docferry_testkit::{InMemoryAuditLog, InMemoryTransferStore, World, conformance};

#[tokio::test]
async fn in_memory_transfer_store_conforms_to_its_port() {
    conformance::transfer_store(&InMemoryTransferStore::default()).await;
    conformance::transfer_store(&World::default()).await;
}

#[tokio::test]
async fn in_memory_slots_outbox_and_batches_conform_to_their_ports() {
    conformance::slot_store(&InMemoryTransferStore::default()).await;
    conformance::outbox(&InMemoryTransferStore::default()).await;
    conformance::audit_log(&InMemoryAuditLog::default()).await;
    conformance::notifications(&InMemoryTransferStore::default()).await;
    conformance::batch_store(&InMemoryTransferStore::default()).await;
}

#[tokio::test]
async fn in_memory_artifact_store_conforms_to_its_port() {
    conformance::artifact_store(&InMemoryTransferStore::default()).await;
}

#[tokio::test]
async fn in_memory_job_store_and_history_conform_to_their_ports() {
    conformance::registry(&docferry_testkit::InMemoryRegistry::default()).await;
    conformance::job_store(&InMemoryTransferStore::default()).await;
}

#[tokio::test]
async fn in_memory_registry_pages_a_thousand_documents_while_others_are_added() {
    for (originals, page_size) in [(30, 4), (1_010, 160), (1_200, 1_060)] {
        let registry = docferry_testkit::InMemoryRegistry::default();
        conformance::paging_while_documents_are_added(&registry, originals, page_size).await;
    }
}
