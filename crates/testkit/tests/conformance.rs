//! The store in memory is judged by the same suite as the one in DynamoDB.

use docferry_testkit::{InMemoryTransferStore, conformance};

#[tokio::test]
async fn the_store_in_memory_conforms() {
    conformance::transfer_store(&InMemoryTransferStore::default()).await;
}
