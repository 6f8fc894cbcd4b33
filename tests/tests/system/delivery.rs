//! Tests of transfers that deliver a document to OneDrive without faults.

use docferry_system_tests::{MIB, Sandbox};

#[tokio::test]
async fn document_is_delivered_byte_for_byte_into_a_nested_folder() {
    let sandbox = Sandbox::new().await;
    let mut bytes = b"%PDF-1.7\n".to_vec();
    bytes.resize_with(3_000_000, || fastrand::u8(..));
    let query = [("filename", sandbox.file_name.as_str()), ("mimetype", "application/pdf")];
    let document = sandbox.ords.put(&sandbox.guid, bytes, &query).await;
    let (id, file) = sandbox.deliver(&document).await;
    assert_eq!((file.sessions, file.received_bytes), (0, document.size), "one PUT, no session");

    let status = sandbox.api.status(&id).await;
    assert_eq!(status.transfer_id, id);
    assert_eq!(status.file_name.as_deref(), Some(sandbox.file_name.as_str()));
    assert_eq!(status.file_path.as_deref(), Some(sandbox.folder.as_str()));
    assert_eq!(status.mime.as_deref(), Some("application/pdf"));

    let record = sandbox.cloud.record(&id).await.unwrap();
    assert_eq!(record["phase"].as_s().unwrap(), "completed");
    let now = jiff::Zoned::now().timestamp().as_second();
    let expires_at: i64 = record["expiresAt"].as_n().unwrap().parse().unwrap();
    assert!(expires_at > now, "the record would have expired");

    let history = sandbox.cloud.history(&id).await;
    assert_eq!(history.entered("Push"), 1);
    assert_eq!(history.entered("Upload"), 1);
    assert_eq!(history.states().last(), Some(&"Finalize"));
}

#[tokio::test]
async fn empty_document_needs_no_session() {
    let sandbox = Sandbox::new().await;
    let document = sandbox.document(0).await;
    let (_, file) = sandbox.deliver(&document).await;
    assert_eq!((file.size, file.sessions), (0, 0));
}

#[tokio::test]
async fn document_without_folder_is_delivered_to_the_root() {
    let mut sandbox = Sandbox::new().await;
    sandbox.folder.clear();
    let document = sandbox.document(1000).await;
    sandbox.deliver(&document).await;
}

/// Regression: the old service did not encode path segments.
#[tokio::test]
async fn names_with_special_characters_are_delivered_unchanged() {
    let mut sandbox = Sandbox::new().await;
    sandbox.file_name = format!("50% of A#1 + B's «ᐃᓄᒃᑎᑐᑦ 证据» Ünïcödé & =;@ {}.pdf", sandbox.tag);
    sandbox.folder = format!("Élections #2/100% + 1/Ж'{}", sandbox.tag);
    let document = sandbox.document(400_000).await;
    let (id, _) = sandbox.deliver(&document).await;
    let status = sandbox.api.status(&id).await;
    assert_eq!(status.file_name.as_deref(), Some(sandbox.file_name.as_str()));
    assert_eq!(status.file_path.as_deref(), Some(sandbox.folder.as_str()));
}

#[tokio::test]
async fn recipient_address_with_special_characters_is_found() {
    let mut sandbox = Sandbox::new().await;
    sandbox.email = format!("o'neil+{}@docferry.example", sandbox.tag);
    sandbox.graph.put_user(&sandbox.email, &[]).await;
    let document = sandbox.document(1000).await;
    sandbox.deliver(&document).await;
}

/// Regression: the old service sent an empty fragment after the last one.
#[tokio::test]
async fn document_of_whole_fragments_is_sent_without_an_empty_fragment() {
    let sandbox = Sandbox::new().await;
    let document = sandbox.document(20 * MIB).await;
    let (_, file) = sandbox.deliver(&document).await;
    let requests = sandbox.graph.simulator.requests(&sandbox.tag).await;
    let is_fragment = |operation: &str| ["fragment", "lastFragment"].contains(&operation);
    let fragments = requests.iter().filter(|request| is_fragment(&request.operation));
    let sizes: Vec<_> = fragments.map(|request| request.bytes).collect();
    assert!(sizes.len() >= 2 && sizes.iter().all(|size| *size > 0), "{sizes:?}");
    assert_eq!(sizes.iter().sum::<u64>(), document.size);
    assert_eq!(file.received_bytes, document.size);
}

#[tokio::test]
async fn document_sent_twice_replaces_the_file() {
    let sandbox = Sandbox::new().await;
    let document = sandbox.document(1000).await;
    let (first_id, _) = sandbox.deliver(&document).await;
    let (second_id, file) = sandbox.deliver(&document).await;
    assert_ne!(first_id, second_id);
    assert_eq!(file.versions, 2);
}
