//! The audit trail of the deployed system: each action is in the archive, with the facts that the
//! simulators and the responses show.

use docferry_domain::audit::object_key_hash;
use docferry_system_tests::{
    Api, FollowedTrail, Identity, Sandbox, docferry, find_audit_records, stdout_of_success,
    wait_for_audit_records,
};
use reqwest::StatusCode;
use serde_json::{Value, json};

const PERSON_SCOPES: &str = "docferry.read docferry.write";
/// Scopes of a person who sees all documents.
const READER_SCOPES: &str = "docferry.read docferry.write docferry.documents";

async fn person(sandbox: &Sandbox, scopes: &str) -> Api {
    let token = Identity::new(&sandbox.stack).token_of(&sandbox.tag, scopes).await;
    sandbox.api.without_redirects().with_token(&token)
}

/// Returns the names of the actions, sorted.
fn actions(records: &[Value]) -> Vec<&str> {
    let mut actions: Vec<_> =
        records.iter().map(|record| record["action"].as_str().unwrap()).collect();
    actions.sort_unstable();
    actions
}

#[tokio::test]
async fn delivery_to_onedrive_names_recipient_end_user_and_request() {
    let sandbox = Sandbox::new().await;
    let (file_id, document) = sandbox.indexed_document(1000, &[]).await;
    let sandbox = Sandbox { guid: document.guid.clone(), ..sandbox };
    let mut trail = FollowedTrail::start(&sandbox.stack);
    let api = sandbox.api.with_header("x-on-behalf-of", "Judge Agot");
    let body =
        json!({ "objGuid": sandbox.guid, "email": sandbox.email, "filePath": sandbox.folder });
    let accepted = api.post(&body).await;
    assert_eq!(accepted.status, StatusCode::ACCEPTED, "{}", accepted.text);
    let id = accepted.json()["transferId"].as_str().unwrap().to_owned();

    let records = wait_for_audit_records(&sandbox.stack, &["--document", &sandbox.guid], 1).await;

    let [record] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!(record["action"], "Delivered to OneDrive");
    assert_eq!((&record["outcome"], &record["actor"]), (&json!("completed"), &json!("scv")));
    assert_eq!(record["onBehalfOf"], "Judge Agot");
    let user_id = sandbox.graph.user_id(&sandbox.email).await;
    assert_eq!(record["recipient"], json!({ "userId": user_id, "address": sandbox.email }));
    assert_eq!(record["subject"]["value"], format!("S-{file_id}"));
    assert_eq!(record["destination"], json!({ "folder": sandbox.folder }));
    let delivered = sandbox.only_file_of(&sandbox.email).await;
    assert!(delivered.path.ends_with(record["files"][0]["fileName"].as_str().unwrap()));
    assert_eq!(record["files"][0]["id"], sandbox.guid);
    assert_eq!(record["messageId"], format!("{id}/1"));
    assert!(record["source"]["ip"].is_string(), "{record}");
    assert_eq!(
        record["source"]["requestId"].as_str(),
        accepted.headers["x-request-id"].to_str().ok()
    );
    // The same document by its number, and the recipient by address.
    let number = file_id.to_string();
    for condition in [["--document", &number], ["--recipient", &sandbox.email], ["--job", &id]] {
        assert_eq!(find_audit_records(&sandbox.stack, &condition).await, records);
    }
    assert!(trail.wait_for(&sandbox.guid).await.contains("Judge Agot"));
    let tail = ["audit", "tail", "--stack", "docferry-local", "-n", "5000"];
    let text = stdout_of_success(&docferry(&sandbox.stack, &tail).await);
    assert!(text.lines().any(|line| line.contains(&sandbox.guid) && line.contains("Judge Agot")));
}

#[tokio::test]
async fn trail_names_each_caller_with_access_to_a_document() {
    let sandbox = Sandbox::new().await;
    let (file_id, document) = sandbox.indexed_document(1000, &[]).await;
    let reader = person(&sandbox, READER_SCOPES).await;
    let subject = format!("S-{file_id}");
    let found = reader.get(&format!("/DocumentReference?subject.identifier={subject}")).await;
    assert_eq!(found.json()["total"], 1, "{}", found.text);
    let job = reader.create_job(&json!({ "file_id": file_id })).await;
    let status = reader.wait_for_job_end(&job).await;
    assert_eq!(status["status"], "completed", "{status}");
    let fetched = reader.get(&format!("/v1/download/{job}")).await;
    assert_eq!(fetched.status, StatusCode::FOUND, "{}", fetched.text);

    // The status of the completed job and the redirect contain a URL each.
    let conditions = ["--document", &document.guid];
    let records = wait_for_audit_records(&sandbox.stack, &conditions, 4).await;
    let issued = ["URL issued"; 2];
    let expected = [["Made available for download"].as_slice(), &issued, &["Viewed list"]].concat();
    assert_eq!(actions(&records), expected, "{records:?}");
    let object = object_key_hash(&format!("downloads/{job}/0"));
    for record in &records {
        assert_eq!(record["actor"], format!("sub:{}", sandbox.tag));
        assert_eq!(record["subject"]["value"], subject);
        assert_eq!(record["files"][0]["id"], document.guid);
        assert!(record["source"]["requestId"].is_string());
        if record["action"] != "Viewed list" {
            assert_eq!(record["destination"], json!({ "objectKeyHashes": [object] }), "{record}");
            assert_eq!(record["jobId"], job);
        }
    }

    let number = file_id.to_string();
    let arguments = ["documents", "withdraw", &number, "--stack", "docferry-local"];
    let _text = stdout_of_success(&docferry(&sandbox.stack, &arguments).await);
    sandbox.cloud.invoke("sweep", &json!({})).await.unwrap();
    let conditions = ["--document", &document.guid, "--action", "Withdrawn"];
    let records = wait_for_audit_records(&sandbox.stack, &conditions, 1).await;
    let actor = records[0]["actor"].as_str().unwrap();
    assert!(actor.starts_with("arn:aws:"), "{actor}");
    assert_eq!(records.len(), 1);
}

#[tokio::test]
async fn denials_of_a_person_are_one_record_of_a_minute() {
    let sandbox = Sandbox::new().await;
    let (file_id, document) = sandbox.indexed_document(1000, &[]).await;
    let person = person(&sandbox, PERSON_SCOPES).await;
    let file = json!({ "file_id": file_id });
    assert_eq!(person.post_json("/v1/download/check", Some(&file)).await.status, StatusCode::OK);
    let refused = person.post_json("/v1/download/initiate", Some(&file)).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    for path in [format!("/file-{file_id}"), format!("?subject.identifier=S-{file_id}")] {
        person.get(&format!("/DocumentReference{path}")).await;
    }
    let actor = format!("sub:{}", sandbox.tag);
    sandbox.cloud.send_denials(&actor).await;

    let records = wait_for_audit_records(&sandbox.stack, &["--actor", &actor], 1).await;

    let count: u64 = records.iter().map(|record| record["count"].as_u64().unwrap()).sum();
    assert_eq!(count, 4, "{records:?}");
    // The requests may have been in two minutes.
    assert!(records.len() <= 2, "{records:?}");
    assert!(records.iter().all(|record| record["action"] == "Access denied"));
    let by_document = ["--document", &document.guid, "--action", "Access denied"];
    assert_eq!(find_audit_records(&sandbox.stack, &by_document).await.len(), records.len());
}
