//! Tests that DynamoDB items and workflow histories contain no secrets in plain text. `whole_run.rs`
//! searches all logs and histories after all tests.

use docferry_system_tests::{MIB, SHORT_TIMEOUT, Sandbox, eventually};

/// Invariant I8: "upload URLs and tokens rest sealed".
#[tokio::test]
async fn upload_url_is_stored_encrypted_and_deleted_at_the_end() {
    let sandbox = Sandbox::new().await;
    let document = sandbox.document(12 * MIB).await;
    sandbox.limit_bandwidth(4 * MIB).await;
    let id = sandbox.send().await;
    let item = eventually("the session is recorded", SHORT_TIMEOUT, async || {
        sandbox.cloud.session_item(&id).await
    })
    .await;
    let sealed = item["sealedUrl"].as_b().unwrap().as_ref();
    for part in ["http", "tempauth", "/upload/"] {
        let is_readable = sealed.windows(part.len()).any(|window| window == part.as_bytes());
        assert!(!is_readable, "the URL is stored in plain text");
    }

    let table = sandbox.cloud.items_as_text().await;
    assert!(!table.iter().any(|item| item.contains("tempauth")));
    sandbox.wait_for_delivery(SHORT_TIMEOUT, &id, &document).await;
}

#[tokio::test]
async fn execution_history_contains_only_the_transfer_id() {
    let sandbox = Sandbox::new().await;
    let document = sandbox.document(1000).await;
    let (id, _) = sandbox.deliver(&document).await;
    let text = sandbox.cloud.history(&id).await.text();
    assert!(text.contains(&id));
    for secret in [&sandbox.tag, &sandbox.guid] {
        assert!(!text.contains(secret.as_str()), "{text}");
    }
}
