//! Tests of the registry's feed through the deployed queue: the system of record sends records, and
//! the callers of the API see their effect.

use docferry_app::ports::Registry as _;
use docferry_domain::document::{DocumentKey, DocumentRecord};
use docferry_domain::ids::FileId;
use docferry_system_tests::{SHORT_TIMEOUT, Sandbox, eventually, random_file_id};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::documents::{ids, search, subject_of};

/// Events in the log of the function `feed`.
const STORED: &str = "record stored";
const UNCHANGED: &str = "record unchanged";

/// Returns the record of a sandbox's document. Its number also makes its id and its subject. The
/// file name contains the tag, which must not occur in any log.
fn record(sandbox: &Sandbox, file_id: u64) -> Value {
    json!({
        "id": format!("file-{file_id}"),
        "subject": { "value": subject_of(file_id) },
        "fileId": file_id,
        "objGuid": sandbox.guid,
        "fileName": sandbox.file_name,
        "contentType": "application/pdf",
        "size": 1000,
        "created": "2026-02-01T00:00:00Z",
        "indexed": "2026-02-01T00:00:00Z",
        "docStatus": "final",
        "scanResult": "clean",
    })
}

/// Returns a record in which some members are replaced.
fn with(mut record: Value, members: &[(&str, &str)]) -> Value {
    for (name, value) in members {
        record[*name] = json!(value);
    }
    record
}

/// Sends a message to the queue, and waits until the function `feed` has handled it. Fails unless the
/// function has logged this event for the message.
async fn feed(sandbox: &Sandbox, message: &str, event: &str) {
    let id = sandbox.cloud.send_record(message).await;
    let group = format!("/aws/lambda/{}", sandbox.stack.functions["feed"]);
    let line = eventually("the record is handled", SHORT_TIMEOUT, async || {
        let log = sandbox.cloud.log_text(&group).await;
        let is_result = |line: &&str| line.contains(&id) && !line.contains("record not handled");
        log.lines().find(is_result).map(str::to_owned)
    })
    .await;
    assert!(line.contains(event), "{line}");
}

/// Returns the registered record with this number.
async fn registered(sandbox: &Sandbox, file_id: u64) -> DocumentRecord {
    let key = DocumentKey::File(FileId::new(file_id));
    let keys = std::slice::from_ref(&key);
    sandbox.cloud.registry().documents(keys).await.unwrap().remove(&key).unwrap()
}

#[tokio::test]
async fn fed_record_is_found_by_search() {
    let sandbox = Sandbox::new().await;
    let file_id = random_file_id();
    assert_eq!(ids(&search(&sandbox.api, file_id).await), [""; 0]);
    sandbox.cloud.send_record(&record(&sandbox, file_id).to_string()).await;

    let found = eventually("the document is found", SHORT_TIMEOUT, async || {
        Some(search(&sandbox.api, file_id).await).filter(|found| !ids(found).is_empty())
    })
    .await;
    assert_eq!(ids(&found), [format!("file-{file_id}")]);
    let attachment = &found["entry"][0]["resource"]["content"][0]["attachment"];
    assert_eq!(
        (&attachment["title"], &attachment["size"]),
        (&json!(sandbox.file_name), &json!(1000))
    );
}

/// This test alone reads the dead-letter queue, because it deletes all messages that it receives.
#[tokio::test]
async fn faulty_record_is_a_dead_letter_with_its_reason_and_blocks_no_other() {
    let sandbox = Sandbox::new().await;
    let (file_id, other_id) = (random_file_id(), random_file_id());
    let first = record(&sandbox, file_id);
    feed(&sandbox, &first.to_string(), STORED).await;
    let other = record(&sandbox.another_document(), other_id);
    let conflict = with(record(&sandbox, other_id), &[("objGuid", &sandbox.guid)]);
    let faulty = [
        (format!("{} is not JSON", sandbox.tag), "record", "record: is not JSON (column 1)"),
        (format!("{first}\n{other}"), "record", "record: is not JSON"),
        (with(other.clone(), &[("size", "1 kB")]).to_string(), "size", "must be a whole number"),
        (conflict.to_string(), "objGuid", "objGuid: conflicts with a registered document"),
    ];
    for (message, ..) in &faulty {
        sandbox.cloud.send_record(message).await;
    }
    feed(&sandbox, &other.to_string(), STORED).await;

    let mut letters = Vec::new();
    eventually("all faulty records are dead letters", SHORT_TIMEOUT, async || {
        letters.extend(sandbox.cloud.rejected_records().await);
        let has = |message: &String| letters.iter().any(|letter| letter.body == *message);
        faulty.iter().all(|(message, ..)| has(message)).then_some(())
    })
    .await;
    for (message, field, reason) in &faulty {
        let letter = letters.iter().find(|letter| letter.body == *message).unwrap();
        assert_eq!(letter.attributes["field"], *field, "{letter:?}");
        assert!(letter.attributes["reason"].contains(reason), "{letter:?}");
        // The reason contains no value of the record.
        assert!(!letter.attributes["reason"].contains(&sandbox.tag), "{letter:?}");
    }
    assert_eq!(ids(&search(&sandbox.api, other_id).await), [format!("file-{other_id}")]);
}

#[tokio::test]
async fn repeated_and_reordered_records_leave_the_newest_one() {
    let sandbox = Sandbox::new().await;
    let file_id = random_file_id();
    let older = record(&sandbox, file_id);
    let newer = with(older.clone(), &[("indexed", "2026-02-02T00:00:00Z"), ("type", "order")]);
    for (message, event) in
        [(&newer, STORED), (&older, UNCHANGED), (&newer, UNCHANGED), (&older, UNCHANGED)]
    {
        feed(&sandbox, &message.to_string(), event).await;
    }
    let code = registered(&sandbox, file_id).await.type_code.unwrap();
    assert_eq!(code.as_str(), "order");
}

#[tokio::test]
async fn withdrawal_by_feed_refuses_the_next_download() {
    let sandbox = Sandbox::new().await;
    let file_id = random_file_id();
    let document = sandbox.document(1000).await;
    let sandbox = Sandbox { guid: document.guid, ..sandbox };
    let available = record(&sandbox, file_id);
    feed(&sandbox, &available.to_string(), STORED).await;
    let request = json!({ "file_id": file_id });
    let job = sandbox.api.create_job(&request).await;
    assert_eq!(sandbox.api.wait_for_job_end(&job).await["status"], "completed");

    // The record is older than the registered one. Only its withdrawal counts.
    let members = [("withdrawnAt", "2026-03-01T00:00:00Z"), ("indexed", "2026-01-31T00:00:00Z")];
    feed(&sandbox, &with(available.clone(), &members).to_string(), STORED).await;
    feed(&sandbox, &available.to_string(), UNCHANGED).await;

    assert_eq!(ids(&search(&sandbox.api, file_id).await), [""; 0]);
    let refused = sandbox.api.post_json("/v1/download/initiate", Some(&request)).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.text);
    let fetched = sandbox.api.get(&format!("/v1/download/{job}")).await;
    assert_eq!(fetched.status, StatusCode::NOT_FOUND, "{}", fetched.text);
}
